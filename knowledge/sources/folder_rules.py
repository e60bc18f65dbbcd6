"""Who may read what is in a folder: a small file in it says so, for this folder and those below it.

The nearest one holds. One that cannot be read or understood lets nobody read what is below: a typing error must not
open a folder. Knows files and audiences; what a source makes of it is the source's own.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from knowledge.audience import EVERYONE, group_audience, nobody_audience
from knowledge.document import (
    AudienceChange,
    DeletedDocument,
    FailedDocument,
    PermissionsRead,
    PermissionStep,
    Readers,
)

RULE_FILE = ".lorekeeper-audience"
_MAX_BYTES = 64 * 1024
_PLACE = re.compile(r"(?:channel|person|usergroup):[A-Z][A-Z0-9]+")
_USER = re.compile(r"[UW][A-Z0-9]{2,}")
_EMAIL = re.compile(r"[^\s@:,;<>]+@[^\s@:,;<>]+\.[^\s@:,;<>]+")


@dataclass(frozen=True, kw_only=True)
class FolderRule:
    """What one such file says."""

    audience: str
    members: frozenset[str] = frozenset()
    """Of a group."""
    problem: str = ""
    """Why it lets nobody read what is below."""

    @property
    def readers(self) -> Readers | None:
        """Who its audience stands for, where it is a group."""
        return Readers(audience=self.audience, members=self.members) if self.members else None


def read_rule(source_id: str, path: Path) -> FolderRule:
    """Read one file; whatever is wrong with it is the rule's problem, and nothing is raised."""
    try:
        # Not following a link and not waiting for a pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            is_regular = stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            content = file.read(_MAX_BYTES + 1) if is_regular else None
    except OSError as error:
        return _closed(source_id, f"it cannot be read ({error.strerror})")
    return rule_of(source_id, content)


def rule_of(source_id: str, content: bytes | None) -> FolderRule:
    """Understand the content of one file; None for what has its name and is no regular file."""
    if content is None:
        return _closed(source_id, "it is not a regular file")
    if len(content) > _MAX_BYTES:
        return _closed(source_id, f"it is longer than {_MAX_BYTES // 1024} kB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return _closed(source_id, "it is no UTF-8 text")
    return parse_rule(source_id, text)


def parse_rule(source_id: str, text: str) -> FolderRule:
    """Understand what such a file says."""
    numbered = [(number, line.strip()) for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1)]
    lines = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not lines:
        return _closed(source_id, "it names nobody")
    if len(lines) == 1 and (lines[0][1] == EVERYONE or _PLACE.fullmatch(lines[0][1])):
        return FolderRule(audience=lines[0][1])
    for number, line in lines:
        if not (_USER.fullmatch(line) or _EMAIL.fullmatch(line)):
            return _closed(
                source_id,
                f"line {number} is {line[:60]!r}, expected an e-mail address or a user id; or one line alone with "
                "everyone, channel:ID, usergroup:ID or person:ID",
            )
    members = frozenset(line.lower() if "@" in line else line for _, line in lines)
    return FolderRule(audience=group_audience(source_id, members), members=members)


@dataclass(frozen=True, kw_only=True)
class FolderRules:
    """Who may read what is in which folder, in this run and in the one before.

    Folders are relative paths that end in a slash, but for the topmost.
    """

    now: Mapping[str, str]
    before: Mapping[str, str]
    otherwise: str
    """The audience of what no rule holds for."""

    def audience(self, path: str) -> str:
        """Who may read a file."""
        return audience_below(self.now, path, self.otherwise)

    def steps(
        self, told: Mapping[str, FolderRule], known: Iterable[str], uri: Callable[[str], str]
    ) -> Iterator[DeletedDocument | FailedDocument | PermissionStep]:
        """Tell who may read what, as the folders say now; files that say the same as before need not be read for it.

        `told` are the rules that this run read, `known` the files of the run before that are still there.
        """
        for folder, rule in told.items():
            if rule.readers is not None:
                yield rule.readers
            if rule.problem:
                yield FailedDocument(uri=uri(f"{folder}{RULE_FILE}"), reason=rule.problem)
            elif rule.audience != self.before.get(folder):
                # One that was corrected is no longer listed as failed.
                yield DeletedDocument(uri=uri(f"{folder}{RULE_FILE}"))
        for folder in self.before.keys() - self.now.keys():
            yield DeletedDocument(uri=uri(f"{folder}{RULE_FILE}"))
        if self.now != self.before:
            for path in known:
                audience = self.audience(path)
                if audience != audience_below(self.before, path, self.otherwise):
                    yield AudienceChange(uri=uri(path), audience=audience)
        if self.now:
            yield PermissionsRead()


def audience_below(rules: Mapping[str, str], path: str, otherwise: str) -> str:
    """The audience of a file by its relative path: the nearest folder's, by its path with a slash at the end."""
    return next((rules[folder] for folder in _folders(path) if folder in rules), otherwise)


def _folders(path: str) -> Iterator[str]:
    """The folder of a path, and those above it; the topmost one is empty."""
    folder = path.rpartition("/")[0]
    while folder:
        yield f"{folder}/"
        folder = folder.rpartition("/")[0]
    yield ""


def _closed(source_id: str, problem: str) -> FolderRule:
    reason = f"Nobody may read what is below this folder: {problem}. Correct the file and sync again."
    return FolderRule(audience=nobody_audience(source_id), problem=reason)
