"""The files of tuned versions: an adapter for a base model or a merged model, each in a folder with its manifest.

Like every model file they are input to a C parser, so each is opened only as the very file whose SHA-256 was recorded.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from models.errors import ModelError, ModelFileError, ModelNotAllowedError
from models.gguf import is_adapter
from models.registry import sha256_of

FOLDER = "tuned"
"""In the models folder."""
_MANIFEST = "manifest.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
Kind = Literal["adapter", "merged"]


@dataclass(frozen=True, kw_only=True)
class TunedFile:
    """The file of one tuned version."""

    name: str
    base: str
    """The model that it was made from, as `model.name` calls it."""
    kind: Kind
    path: Path
    sha256: str
    size: int
    added_at: str
    """ISO 8601, UTC."""

    @property
    def version(self) -> str:
        """How answers name it."""
        return f"{version_prefix(self.name)}{self.sha256[:8]}"


def version_prefix(name: str) -> str:
    """What the version on each answer of this tuned version begins with."""
    return f"{name}@"


def keep_tuned(folder: Path, source: Path, name: str, base: str) -> TunedFile:
    """Copy a version's file into the models folder and record what it is.

    Raises ModelError where the name is taken or cannot be used, ModelFileError where the file is no sound GGUF.
    """
    if not _NAME.fullmatch(name):
        raise ModelError(f"The name {name!r} cannot be used; letters, digits, dot, dash and underscore are.")
    target = folder / FOLDER / name
    kind: Kind = "adapter" if is_adapter(source) else "merged"
    unfinished = target.with_name(f".{name}.{os.getpid()}.unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        path = shutil.copyfile(source, unfinished / f"{kind}.gguf")
        kept = replace(describe_tuned(path, name, base), path=target / path.name)
        manifest = json.dumps({**asdict(kept), "path": path.name}, indent=2)
        (unfinished / _MANIFEST).write_text(manifest, encoding="utf-8")
        # A folder that is not empty is never replaced: two runs cannot take one name.
        unfinished.rename(target)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if target.exists():
            raise ModelError(f"There is a version {name!r} already: {target}. Give this one another name.") from error
        raise ModelFileError(f"{source} cannot be copied to {target} ({error.strerror}). Check the disk.") from error
    return kept


def describe_tuned(path: Path, name: str, base: str) -> TunedFile:
    """Say what a version's file is that nobody recorded yet; raises ModelFileError where it is no sound GGUF."""
    return TunedFile(
        name=name,
        base=base,
        kind="adapter" if is_adapter(path) else "merged",
        path=path,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        added_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def open_tuned(folder: Path, name: str) -> TunedFile:
    """Find a version's file and check it; raises ModelFileError, or ModelNotAllowedError where it has changed."""
    if not _NAME.fullmatch(name):
        raise ModelFileError(f"{name!r} is no name of a tuned version.")
    place = folder / FOLDER / name
    try:
        file = _read_manifest(place, json.loads((place / _MANIFEST).read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ModelFileError(f"The files of version {name!r} are missing: {place}. Put them back or tune again.") from (
            error
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{place / _MANIFEST} cannot be read ({error}). Tune again.") from error
    if not file.path.is_file():
        raise ModelFileError(f"The file of version {name!r} is missing: {file.path}. Put it back or tune again.")
    if file.path.stat().st_size != file.size or sha256_of(file.path) != file.sha256:
        raise ModelNotAllowedError(
            f"{file.path} is not the file that was made for version {name!r}: it is damaged or was replaced. "
            "Put the right file back, or roll back: lorekeeper versions rollback"
        )
    return file


def list_tuned(folder: Path) -> tuple[str, ...]:
    """Names of the versions that have files here, in alphabetical order."""
    return tuple(sorted(path.name for path in (folder / FOLDER).glob("*") if _NAME.fullmatch(path.name)))


def remove_tuned(folder: Path, name: str) -> bool:
    """Remove a version's files; False where there were none."""
    if not _NAME.fullmatch(name) or not (folder / FOLDER / name).is_dir():
        return False
    shutil.rmtree(folder / FOLDER / name)
    return True


def _read_manifest(place: Path, content: dict[str, Any]) -> TunedFile:
    file = TunedFile(**content)
    if file.kind not in get_args(Kind) or file.name != place.name or "/" in str(file.path):
        raise ValueError(f"name {file.name!r}, kind {file.kind!r}, file {str(file.path)!r}")
    return replace(file, path=place / file.path)
