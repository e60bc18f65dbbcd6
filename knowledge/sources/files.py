"""A folder, or a single file, as a source.

Reads only regular files of known types. Links, pipes and devices are passed over: a shared folder must not
lead to files outside it, nor make a run hang. Who may read what is in a folder, a file there can say: see
`folder_rules`.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath

from knowledge.audience import EVERYONE
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.front_matter import owner_of
from knowledge.sources.code_files import code_type_of, is_made_by_a_program, language_of
from knowledge.sources.file_facts import FACTS_FILE, FileFacts, read_facts
from knowledge.sources.folder_rules import RULE_FILE, FolderRule, FolderRules, read_rule
from knowledge.sources.source import Checkpoint, Expected, SourceStep

MEDIA_TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".rst": "text/x-rst",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".epub": "application/epub+zip",
    ".ipynb": "application/x-ipynb+json",
    ".eml": "message/rfc822",
    ".adoc": "text/asciidoc",
    ".asciidoc": "text/asciidoc",
}
MAX_BYTES = 50 * 1024 * 1024
_SKIPPED_FOLDERS = {"node_modules", "__pycache__", "venv"}
# Two writes within one tick of the file system's clock leave the same time: what was written this recently
# before the scan is read once more in the next run.
_FRESH_NS = 2_000_000_000

Stamp = tuple[int, int]
"""Modification time in nanoseconds and size in bytes."""
_UNKNOWN: Stamp = (0, -1)


@dataclass(frozen=True, kw_only=True)
class _Scan:
    files: dict[str, Stamp]
    """Relative path (forward slashes) -> stamp."""
    unreadable: dict[str, str]
    """Relative folder path, ending in a slash -> why."""
    rules: dict[str, FolderRule] = field(default_factory=dict)
    """Relative folder path, ending in a slash but for the topmost -> who may read what is below."""
    facts: dict[str, FileFacts] = field(default_factory=dict)
    """Relative path -> what is said of that file."""


class FolderSource:
    """All documents below a folder; `changes` may be called again and again, from one thread at a time."""

    def __init__(
        self,
        source_id: str,
        root: Path,
        audience: str = EVERYONE,
        max_bytes: int = MAX_BYTES,
        *,
        code: bool = False,
    ) -> None:
        self._id = source_id
        self._root = root.expanduser().resolve()
        self._audience = audience
        self._max_bytes = max_bytes
        self._code = code

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        identity = self._identity()
        started_ns = time.time_ns()
        scan = self._scan(identity)
        if not scan.files and before.files and before.device != identity.st_dev:
            raise SourceUnavailableError(
                f"{self._root} is empty and on another disk than before: is it mounted? Nothing was deleted."
            )
        after = {path: old for path, old in before.files.items() if _is_below(path, scan.unreadable)}
        for folder, reason in scan.unreadable.items():
            yield FailedDocument(uri=self._uri(folder), reason=reason)
        for path in before.files:
            if path not in scan.files and path not in after:
                yield DeletedDocument(uri=self._uri(path))
        rules = {folder: rule.audience for folder, rule in scan.rules.items()}
        # Of a folder that cannot be read now, nobody knows that its rule is gone.
        rules |= {folder: old for folder, old in before.rules.items() if _is_below(folder, scan.unreadable)}
        allowed = FolderRules(now=rules, before=before.rules, otherwise=self._audience)
        still_there = [path for path in before.files if path in scan.files or path in after]
        yield from allowed.steps(scan.rules, still_there, self._uri)
        due = [path for path in sorted(scan.files) if self._is_due(path, scan.files[path], before, retry)]
        yield Expected(documents=len(due))
        for path, stamp in scan.files.items():
            after[path] = _UNKNOWN if stamp[0] > started_ns - _FRESH_NS else stamp
        for path in due:
            step = self._fetch(path, allowed.audience(path), scan.facts.get(path, FileFacts()))
            if step is None:
                after[path] = _UNKNOWN
            else:
                yield step
        if self._identity().st_ino != identity.st_ino:
            raise SourceUnavailableError(f"{self._root} was exchanged while it was read. Sync it again.")
        kept = {"device": identity.st_dev, "files": after, "rules": rules}
        yield Checkpoint(cursor=json.dumps(kept))

    def _is_due(self, path: str, stamp: Stamp, before: _Cursor, retry: Collection[str]) -> bool:
        return before.files.get(path) != stamp or (bool(retry) and self._uri(path) in retry)

    def _identity(self) -> os.stat_result:
        try:
            return self._root.stat()
        except OSError as error:
            raise SourceUnavailableError(
                f"The folder {self._root} cannot be read ({error.strerror}). What is known from it stays; "
                "bring it back, or remove the source."
            ) from error

    def _scan(self, identity: os.stat_result) -> _Scan:
        if stat.S_ISREG(identity.st_mode):
            return _Scan(files={"": (identity.st_mtime_ns, identity.st_size)}, unreadable={})
        scan = _Scan(files={}, unreadable={})
        folders = [""]
        while folders:
            self._scan_folder(folders.pop(), folders, scan)
        return scan

    def _scan_folder(self, folder: str, folders: list[str], scan: _Scan) -> None:
        try:
            with os.scandir(self._root / folder) as entries:
                for entry in entries:
                    if entry.name == RULE_FILE:
                        scan.rules[folder] = read_rule(self._id, self._root / folder / RULE_FILE)
                    if entry.name == FACTS_FILE:
                        told = read_facts(self._root / folder / FACTS_FILE)
                        scan.facts.update({folder + name: facts for name, facts in told.items()})
                    if is_passed_over(entry.name):
                        continue
                    path = folder + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(f"{path}/")
                    elif entry.is_file(follow_symlinks=False) and media_type_of(path, code=self._code):
                        found = entry.stat(follow_symlinks=False)
                        scan.files[path] = (found.st_mtime_ns, found.st_size)
        except OSError as error:
            if not folder:
                raise SourceUnavailableError(
                    f"The folder {self._root} cannot be read ({error.strerror}). Check its permissions."
                ) from error
            scan.unreadable[folder] = f"The folder cannot be read ({error.strerror})."

    def _fetch(self, path: str, audience: str, facts: FileFacts) -> SourceStep | None:
        """Read one file; None when it went away since the scan."""
        uri = self._uri(path)
        place = self._root / path if path else self._root
        try:
            # Not following a link and not waiting for a pipe, should the file have been exchanged for one.
            handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    return FailedDocument(uri=uri, reason="It is not a regular file.")
                content = file.read(self._max_bytes + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            return FailedDocument(uri=uri, reason=f"The file cannot be read ({error.strerror}).")
        if len(content) > self._max_bytes:
            limit = self._max_bytes / 1024 / 1024
            return FailedDocument(uri=uri, reason=f"The file is larger than {limit:g} MB. Split it, or leave it out.")
        # A file that is a source by itself is read for what its name says, wherever it lies.
        media_type = media_type_of(path or place.name, code=self._code) or "text/plain"
        if is_no_document(content, media_type):
            return DeletedDocument(uri=uri)
        return FetchedDocument(
            uri=uri,
            title=facts.title or title_of(path or place.name, media_type),
            titled=bool(facts.title),
            content=content,
            media_type=media_type,
            audience=audience,
            modified_at=datetime.fromtimestamp(found.st_mtime, UTC),
            owner=facts.owner or owner_of(content, media_type),
        )

    def _uri(self, path: str) -> str:
        if not path:
            return self._root.as_uri()
        return (self._root / path).as_uri() + ("/" if path.endswith("/") else "")


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    device: int | None
    files: dict[str, Stamp]
    rules: dict[str, str] = field(default_factory=dict)


def _read_cursor(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor(device=None, files={})
    content = json.loads(cursor)
    files = {path: (int(stamp[0]), int(stamp[1])) for path, stamp in content["files"].items()}
    return _Cursor(device=content["device"], files=files, rules=content.get("rules", {}))


def media_type_of(path: str, *, code: bool = False) -> str | None:
    """What kind of document a file is, by its path with forward slashes; None for what is not read."""
    found = MEDIA_TYPES.get(PurePath(path).suffix.lower())
    return code_type_of(path) if found is None and code else found


def title_of(path: str, media_type: str) -> str:
    """What a file is called until its text says more: code by its whole path, since files of one name abound there."""
    name = path if language_of(media_type) is not None else PurePath(path).stem
    return os.fsencode(name).decode("utf-8", "replace")


def is_no_document(content: bytes, media_type: str) -> bool:
    """Whether a code file turns out to be a program's work, which drowns what people wrote."""
    language = language_of(media_type)
    return language is not None and is_made_by_a_program(content, language)


def is_passed_over(name: str) -> bool:
    """Whether a folder or file of this name is nobody's document: hidden ones, and what programs put there."""
    return name.startswith(".") or name in _SKIPPED_FOLDERS


def _is_below(path: str, folders: Collection[str]) -> bool:
    return any(path.startswith(folder) for folder in folders)
