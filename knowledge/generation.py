"""Published HNSW files: each written whole under a new name, described by a manifest, checked before use.

A file is a cache of the vectors in SQL. It does not decide what may be found: it can always be thrown away
and rebuilt.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from knowledge.embed import Embedder
from knowledge.errors import IndexFileError
from knowledge.index import HnswIndex

logger = logging.getLogger(__name__)

_CHECK_SECONDS = 300.0
_PACKAGE_ROOT = Path(__file__).resolve().parent.parent
_ABANDONED_SECONDS = 3600.0
_SUFFIX = ".hnsw"
_MANIFEST = ".json"
_UNFINISHED = ".tmp"
_LOCK = "building.lock"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a generation's file must be, byte for byte and in meaning."""

    file: str
    sha256: str
    size: int
    embedder: str
    dim: int
    max_tokens: int
    passage_prefix: str
    question_prefix: str
    count: int
    built_to_chunk: int


def described(embedder: Embedder) -> dict[str, Any]:
    """The columns that tell what made the vectors: where one differs, other vectors would come out."""
    return {
        "embedder": embedder.name,
        "dim": embedder.dim,
        "max_tokens": embedder.max_tokens,
        "passage_prefix": embedder.prefixes["passage"],
        "question_prefix": embedder.prefixes["question"],
    }


class Generations:
    """The folder of generation files. One process may publish while others load."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def only_builder(self) -> Iterator[bool]:
        """Tell whether this process may build now: another one that shares the folder may be at it."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = (self._folder / _LOCK).open("a")
        except OSError as error:
            raise IndexFileError(f"The index could not be written to {self._folder}: {error.strerror}.") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def publish(self, index: HnswIndex, embedder: Embedder, built_to_chunk: int) -> Manifest:
        """Write, check in a child and name a new generation; raises IndexFileError, a failure leaves no file."""
        file = self._folder / f"{built_to_chunk:010d}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._write(index, embedder, built_to_chunk, file)
        except OSError as error:
            raise IndexFileError(f"The index could not be written to {self._folder}: {error.strerror}.") from error

    def load(self, manifest: Manifest) -> HnswIndex:
        """Open a generation after every check that can be made; raises IndexFileError."""
        file = self._folder / manifest.file
        try:
            described = json.loads(_manifest_file(file).read_text(encoding="utf-8"))
            size = file.stat().st_size
            if described != asdict(manifest) or size != manifest.size or _sha256(file) != manifest.sha256:
                raise IndexFileError(f"{file} does not match its manifest. It is rebuilt from the database.")
        except (OSError, ValueError) as error:
            raise IndexFileError(f"{file} or its manifest cannot be read ({error}).") from error
        ef = _check_in_child(file, manifest)
        index = HnswIndex.load(file, manifest.dim, manifest.count)
        index.widen(ef)
        return index

    def tidy(self, known: frozenset[str], expired: Iterable[str]) -> None:
        """Remove expired generations and the leavings of an interrupted publication."""
        for name in expired:
            self._remove(self._folder / name)
        now = time.time()
        for file in self._folder.iterdir():
            # Another process may be about to record a file that it has just finished.
            kept = file.name == _LOCK or file.name.removesuffix(_MANIFEST) in known
            if not kept and now - file.stat().st_mtime > _ABANDONED_SECONDS:
                file.unlink(missing_ok=True)

    def _write(self, index: HnswIndex, embedder: Embedder, built_to_chunk: int, file: Path) -> Manifest:
        unfinished = file.with_suffix(_UNFINISHED)
        try:
            index.save(unfinished)
            _flush(unfinished)
            manifest = Manifest(
                file=file.name,
                sha256=_sha256(unfinished),
                size=unfinished.stat().st_size,
                **described(embedder),
                count=len(index.ids),
                built_to_chunk=built_to_chunk,
            )
            index.widen(_check_in_child(unfinished, manifest))
            self._write_manifest(manifest)
            unfinished.replace(file)
        finally:
            unfinished.unlink(missing_ok=True)
        _flush(self._folder)
        return manifest

    def _remove(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        _manifest_file(file).unlink(missing_ok=True)

    def _write_manifest(self, manifest: Manifest) -> None:
        target = _manifest_file(self._folder / manifest.file)
        unfinished = target.with_name(f"{target.name}{_UNFINISHED}")
        unfinished.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        _flush(unfinished)
        unfinished.replace(target)


def _manifest_file(file: Path) -> Path:
    return file.with_name(f"{file.name}{_MANIFEST}")


def _check_in_child(file: Path, manifest: Manifest) -> int:
    """Have it searched where a damaged file does no harm; returns how many candidates its searches are to keep."""
    command = [
        sys.executable,
        "-m",
        "knowledge.index",
        str(file.absolute()),
        str(manifest.dim),
        str(manifest.count),
    ]
    # The child finds the modules that this process found, and sees nothing else of its environment.
    environment = {"PYTHONPATH": os.pathsep.join([str(_PACKAGE_ROOT), *filter(None, sys.path)])}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=_CHECK_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise IndexFileError(f"{file} could not be checked within {_CHECK_SECONDS:.0f} s.") from error
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1] if lines else f"the check ended with {done.returncode}"
        raise IndexFileError(f"{file} failed its check: {reason}. It is rebuilt from the database.")
    return int(done.stdout)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
