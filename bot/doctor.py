"""Is this machine ready: one check per thing that has to be right, each with what to do where it is not.

It starts nothing, changes nothing but an outdated database, and asks Slack only where tokens are set.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import sqlalchemy as sa

from bot.answer_cache import cache_use
from bot.app import models_folder, open_embedder, retrieval_options
from bot.database import open_database
from bot.errors import BotError, SettingsError
from bot.learn.versions import standing
from bot.settings import Settings, SettingValue, list_settings, load_settings, prepare_home
from bot.threshold import LearnedThreshold
from bot.words import threshold_line
from knowledge import tables
from knowledge.database import reading
from knowledge.embed import EMBEDDED, EMBEDDED_NAME, Embedder
from knowledge.errors import KnowledgeError
from knowledge.held import held_counts
from knowledge.library import check_embedder, index_memory, stored_embedders
from knowledge.store import list_sources
from models.errors import ModelError
from models.registry import ModelRegistry
from models.tuned import open_tuned

CORE_PACKAGES = (
    "slack-bolt",
    "llama-cpp-python",
    "sentence-transformers",
    "hnswlib",
    "SQLAlchemy",
    "APScheduler",
)
# Of disk: a handbook of 900 pages takes about 0.1 GB, a second copy of the default model as much again.
# Of memory: both default models and the index of that handbook together.
_FREE_BYTES = 1_000_000_000
_LATELY = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    next_step: str = ""


@dataclass(frozen=True, kw_only=True)
class Report:
    """All checks, and the settings that hold."""

    checks: tuple[Check, ...]
    settings: tuple[SettingValue, ...]

    @property
    def ok(self) -> bool:
        """Whether everything can start."""
        return all(check.ok for check in self.checks)


def examine(
    environment: Mapping[str, str],
    home: Path | None = None,
    load_embedder: Callable[[Settings, sa.Engine], Embedder] = open_embedder,
) -> Report:
    """Look at everything; what depends on settings that cannot be read is left out."""
    checks = [_python(), _packages()]
    try:
        settings = load_settings(environment, home)
    except SettingsError as error:
        return Report(checks=(*checks, Check(name="settings", ok=False, detail=str(error))), settings=())
    checks.append(_settings_file(settings))
    looks: tuple[tuple[str, Callable[[Settings], Check]], ...] = (
        ("data folder", _home),
        ("disk", _disk),
        ("database", _database),
        ("held texts", _held),
        ("answer cache", _answer_cache),
        ("index", _index),
        ("threshold", _threshold),
        ("memory", _memory),
        ("embedder", lambda settings: _embedder(settings, load_embedder)),
        ("model", _model),
        ("version", _model_version),
    )
    checks.extend(_checked(name, look, settings) for name, look in looks)
    checks.extend(_slack(settings))
    return Report(checks=tuple(checks), settings=tuple(list_settings(settings.file)))


def _checked(name: str, look: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        return look(settings)
    except (BotError, KnowledgeError, ModelError) as error:
        return Check(name=name, ok=False, detail=str(error))
    except OSError as error:
        return Check(name=name, ok=False, detail=f"{error.filename or 'a file'}: {error.strerror or error}")


def _python() -> Check:
    new_enough = sys.version_info >= (3, 11)
    return Check(
        name="python",
        ok=new_enough,
        detail=f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.prefix}",
        next_step="" if new_enough else "Install Python 3.11 or newer.",
    )


def _packages() -> Check:
    versions = {name: _version(name) for name in CORE_PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    return Check(
        name="packages",
        ok=not missing,
        detail=", ".join(f"{name} {version or 'missing'}" for name, version in versions.items()),
        next_step="Run `make install`." if missing else "",
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _settings_file(settings: Settings) -> Check:
    there = settings.settings_file.is_file()
    detail = f"{settings.settings_file}" + ("" if there else " (not there: the defaults hold)")
    return Check(name="settings", ok=True, detail=detail)


def _home(settings: Settings) -> Check:
    prepare_home(settings.home)
    try:
        with tempfile.TemporaryFile(dir=settings.home) as file:
            file.write(b"x" * 65_536)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SettingsError(
            f"Nothing can be written to {settings.home} ({error.strerror}). Free some space or mend its permissions."
        ) from error
    return Check(name="data folder", ok=True, detail=f"{settings.home} can be written")


def _disk(settings: Settings) -> Check:
    place = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    enough = free >= _FREE_BYTES
    return Check(
        name="disk",
        ok=enough,
        detail=f"{free / 1e9:.1f} GB free",
        next_step="" if enough else f"Free at least {_FREE_BYTES / 1e9:.0f} GB, or move the data folder.",
    )


def _database(settings: Settings) -> Check:
    with _opened(settings) as engine, reading(engine) as connection:
        verdict = connection.execute(sa.text("PRAGMA quick_check(1)")).scalar_one()
        counts = {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            for table in (tables.source, tables.document, tables.chunk)
        }
    healthy = verdict == "ok"
    counted = ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())
    return Check(
        name="database",
        ok=healthy,
        detail=f"{engine.url.database}: {counted if healthy else verdict}",
        next_step="" if healthy else "Restore it from a backup; what sources hold can be synced again.",
    )


def _held(settings: Settings) -> Check:
    """Say what waits for a person, as a run brought many more texts than usual."""
    with _opened(settings) as engine:
        counts = held_counts(engine)
        named = [f"{counts[one.id]} documents of {one.name!r}" for one in list_sources(engine) if one.id in counts]
    # Not a fault: what was known before goes on answering.
    step = "; `lorekeeper sources release` lets them in, `lorekeeper sources discard` forgets them" if named else ""
    return Check(name="held texts", ok=True, detail=f"{', '.join(named) or 'none'}{step}")


def _answer_cache(settings: Settings) -> Check:
    """Say how often answers were given again."""
    if not settings.file.answer.cache:
        return Check(name="answer cache", ok=True, detail="off (answer.cache)")
    with _opened(settings) as engine:
        use = cache_use(engine, datetime.now(UTC) - _LATELY)
    again = f"{use.given_again} of {use.answers} answers of the last {_LATELY.days} days were given again"
    return Check(name="answer cache", ok=True, detail=f"{use.entries} kept; {again}")


@contextmanager
def _opened(settings: Settings) -> Iterator[sa.Engine]:
    engine = open_database(settings.database_url)
    try:
        yield engine
    finally:
        engine.dispose()


def _index(settings: Settings) -> Check:
    newest = sa.select(tables.generation).order_by(tables.generation.c.id.desc()).limit(1)
    with _opened(settings) as engine, reading(engine) as connection:
        generation = connection.execute(newest).one_or_none()
    if generation is None:
        return Check(name="index", ok=True, detail="no generation published: every search is exact")
    file = settings.home / "index" / generation.file
    whole = file.is_file() and file.stat().st_size == generation.size
    # Not a fault: the database holds every vector, and searches are exact until the file is there again.
    note = "" if whole else "; its file is missing or damaged and is rebuilt at the next start"
    detail = f"{generation.count} vectors of {generation.embedder} in {file.name}{note}"
    return Check(name="index", ok=True, detail=detail)


def _threshold(settings: Settings) -> Check:
    answer = settings.file.answer
    with _opened(settings) as engine:
        learned = LearnedThreshold(engine=engine, setting=answer.minimum_support, learns=answer.threshold_from_votes)
        now = learned.current()
    return Check(name="threshold", ok=True, detail=threshold_line(now.value, now.setting, now.votes))


def _embedder(settings: Settings, load: Callable[[Settings, sa.Engine], Embedder]) -> Check:
    with _opened(settings) as engine:
        began = time.monotonic()
        embedder = load(settings, engine)
        embedder.embed(["Is everything in place?"])
        seconds = time.monotonic() - began
        check_embedder(engine, embedder)
        stored = stored_embedders(engine) or {}
    detail = f"{embedder.name}, {embedder.dim} numbers, ready in {seconds:.1f} s"
    return Check(name="embedder", ok=True, detail=detail + _precision_note(settings, embedder, frozenset(stored)))


def _precision_note(settings: Settings, embedder: Embedder, stored: frozenset[str]) -> str:
    """Why the embedded model works at full precision although the settings leave it free: no fault, but slower."""
    knowledge = settings.file.knowledge
    if (knowledge.embedder, knowledge.embedder_precision, embedder.name) != (EMBEDDED, "auto", EMBEDDED_NAME):
        return ""
    if EMBEDDED_NAME in stored:
        return "; at full precision, as the stored vectors are: `lorekeeper sync --rebuild` makes it faster"
    return "; at full precision, for a graphics card or because the faster form cannot be made here (see the log)"


def _model(settings: Settings) -> Check:
    model = settings.file.model
    if model.server_url:
        return Check(name="model", ok=True, detail=f"{model.name} at {model.server_url} (not asked)")
    file = ModelRegistry(models_folder(settings)).open_model(model.name)
    detail = f"{file.version}, {file.quantization}, {file.size / 1e6:.0f} MB, allowed as {file.name!r}"
    return Check(name="model", ok=True, detail=detail)


def _model_version(settings: Settings) -> Check:
    """Say which version answers on top of the model, and whether its file is still the one that was made."""
    with _opened(settings) as engine:
        now = standing(engine)
    base = settings.file.model.name
    if now.service is not None and now.service.base != base:
        detail = f"{now.service.name} was made from the model {now.service.base!r}; with {base!r} it is not used"
        return Check(name="version", ok=True, detail=detail)
    said = []
    for version in filter(None, (now.service, now.canary)):
        file = open_tuned(models_folder(settings), version.name)
        part = "in service" if version.state == "in_service" else f"canary, {version.share:.0%} of new conversations"
        said.append(f"{file.version} ({part})")
    if now.service is None:
        said.insert(0, f"the model {base!r} itself is in service")
    return Check(name="version", ok=True, detail="; ".join(said))


def _memory(settings: Settings) -> Check:
    """What the machine has, and what the index takes of it once it is read."""
    memory = psutil.virtual_memory()
    free, total = memory.available / 1e9, memory.total / 1e9
    with _opened(settings) as engine:
        index = index_memory(engine, retrieval_options(settings.file))
    needed = max(_FREE_BYTES, index.vectors + index.graph + index.words)
    enough = memory.available >= needed
    kept = settings.file.knowledge.vectors_in_memory
    parts = f"vectors {index.vectors / 1e6:.0f} as {kept}, graph {index.graph / 1e6:.0f}, words {index.words / 1e6:.0f}"
    taken = (index.vectors + index.graph + index.words) / 1e6
    cores = psutil.cpu_count(logical=False) or os.cpu_count()
    lacking = f"Free at least {needed / 1e9:.0f} GB: close something large"
    return Check(
        name="memory",
        ok=enough,
        detail=f"{free:.1f} of {total:.1f} GB free, {cores} cores; the index of {index.chunks} chunks takes about "
        f"{taken:.0f} MB ({parts})",
        next_step="" if enough else f'{lacking}, or set knowledge.vectors_in_memory = "float16".',
    )


def _slack(settings: Settings) -> Iterator[Check]:
    from bot.slack.checkup import examine_slack

    try:
        engine = open_database(settings.database_url)
    except (KnowledgeError, OSError):  # said already
        engine = None
    try:
        for one in examine_slack(settings, engine):
            yield Check(name=one.name, ok=one.ok, detail=one.detail, next_step=one.next_step)
    finally:
        if engine is not None:
            engine.dispose()
