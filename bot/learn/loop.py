"""One round of learning: dataset, tuning, gate, and what becomes of the version; reads top to bottom.

It works for minutes to hours and needs memory of its own, so the schedule runs it as a process: `lorekeeper learn`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.app import Application, models_folder
from bot.errors import BotError, MisuseError, VersionError
from bot.learn.contestants import OpenVersion, bench_of, contestant, in_service
from bot.learn.dataset import build_dataset
from bot.learn.export import MANIFEST, read_manifest
from bot.learn.gate import GateReport, draw_gate, load_sets, report_json, run_gate
from bot.learn.golden import load_golden
from bot.learn.pictures import draw_curves
from bot.learn.tombstones import buried_subjects
from bot.learn.tuning_plan import plan_for
from bot.learn.versions import Candidate, list_versions, record_candidate, refuse, start_canary
from bot.purge import DATASETS_FOLDER, RUNS_FOLDER
from knowledge.database import reading
from knowledge.parse import Parser
from models.tune import TunedRun, tune

Progress = Callable[[str, int, int | None], None]
BY = "lorekeeper"
_LOOK_SECONDS = 1.0


class LearningFailedError(BotError):
    """A round of learning that the schedule began did not come to an end."""


@dataclass(frozen=True, kw_only=True)
class Round:
    """What came of one round."""

    version: str
    run: TunedRun
    gate: GateReport
    state: str
    """What it is now: refused | candidate | canary."""

    @property
    def summary(self) -> str:
        """In a few words, for the list of jobs."""
        why = "; ".join(f"{one.rule}: {one.text}" for one in self.gate.refusals)
        return f"{self.version} from {self.run.rows} rows: {self.state}{f' ({why})' if why else ''}"


def learn_once(
    application: Application,
    parser: Parser,
    open_version: OpenVersion,
    *,
    team: str = "",
    name: str | None = None,
    method: str = "supervised",
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> Round:
    """Make a version from what may be learned from now, and let the gate judge it.

    A round that was ended goes on where it was when it is called with the same name. Raises MisuseError, DatasetError
    where there is too little, TuningError and ModelError.
    """
    settings, engine = application.settings, application.engine
    name = name or f"v{datetime.now(UTC):%Y%m%d-%H%M%S}"
    if any(version.name == name for version in list_versions(engine)):
        raise VersionError(f"There is a version {name!r} already: give this round another name.")
    run = settings.home / RUNS_FOLDER / name
    dataset = settings.home / DATASETS_FOLDER / name
    incumbent, adapter = in_service(engine, settings)
    if not (dataset / MANIFEST).exists():
        embedder, start = application.library.embedder, partial(open_version, settings, adapter)
        build_dataset(engine, embedder, settings, dataset, open_rehearsing=start, progress=progress)
    origins = _origins_of(engine, dataset)
    done = tune(plan_for(settings, dataset, method, in_service=adapter), run, progress)
    draw_curves(done.log, run / "curves.png")
    verdict = run_gate(
        contestant(engine, settings, name, done.file, open_version),
        contestant(engine, settings, incumbent, adapter, open_version),
        load_sets(dataset, load_golden(settings.home), limit=limit),
        bench_of(application, parser),
        library=application.library,
        progress=progress,
    )
    draw_gate(verdict, run / "gate.png")
    candidate = Candidate(
        name=name,
        team=team or _team_of(engine),
        base=settings.file.model.name,
        run=str(run.relative_to(settings.home)),
        examples=origins,
        gate=report_json(verdict),
    )
    return Round(version=name, run=done, gate=verdict, state=_settle(application, candidate, done, verdict))


def _origins_of(engine: sa.Engine, dataset: Path) -> tuple[str, ...]:
    """Where a dataset's rows come from; raises MisuseError where something of it was deleted or withdrawn since."""
    origins: tuple[str, ...] = tuple(read_manifest(dataset)["origins"])
    with reading(engine) as connection:
        buried = buried_subjects(connection).intersection(origins)
    if buried:
        raise MisuseError(
            f"{len(buried)} rows of {dataset} come from what was deleted or withdrawn since: begin another round, with "
            "another name."
        )
    return origins


def _settle(application: Application, candidate: Candidate, done: TunedRun, verdict: GateReport) -> str:
    """Write the version down as what it is now."""
    settings, engine = application.settings, application.engine
    name = candidate.name
    record_candidate(engine, models_folder(settings), done.file, candidate, by=BY)
    if not verdict.promoted:
        why = "; ".join(f"{one.rule}: {one.text}" for one in verdict.refusals)
        refuse(engine, name, by="gate", why=why, gate=candidate.gate)
        return "refused"
    tuning = settings.file.tuning
    if tuning.canary:
        start_canary(engine, name, share=tuning.canary_share, by=BY, why="the gate let it pass")
        return "canary"
    return "candidate"


def _team_of(engine: sa.Engine) -> str:
    """The workspace whose feedback this database holds; it holds one."""
    newest = sa.select(tables.answer.c.team).order_by(tables.answer.c.id.desc()).limit(1)
    with reading(engine) as connection:
        return connection.scalar(newest) or ""


def learn_in_process(home: Path, stopping: threading.Event) -> str:
    """Run a round as a process of its own, for the schedule; it is ended soon after `stopping` is set.

    Raises LearningFailedError where it does not come to an end.
    """
    command = [sys.executable, "-c", "from bot.cli import main; main()", "--home", str(home), "learn"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(process.stdout or ()), daemon=True)
        reader.start()
        while process.poll() is None:
            if stopping.wait(_LOOK_SECONDS):
                process.terminate()
                return "ended with the bot; the next round begins anew"
        reader.join(_LOOK_SECONDS)
    last = next((line.strip() for line in reversed(said) if line.strip()), "")
    if process.returncode:
        raise LearningFailedError(f"`lorekeeper learn` ended with code {process.returncode}: {last}")
    return last
