"""Who may read a file of Google Drive: its permissions, as the audience of a document.

Fails closed. A file for everybody with the link, or for a whole domain, is as open as its source; else the people on
its list may read it. A group of Google's cannot be looked into with these rights, so it opens nothing; and where a
file's permissions are not told, its owner alone reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from knowledge.audience import group_audience
from knowledge.document import Readers
from knowledge.sources.drive_api import DriveApi, DriveFile, DriveRefusedError

_OPEN = ("anyone", "domain")


class DriveReaders:
    """The audiences of one run's files, and the groups that they stand for."""

    def __init__(self, api: DriveApi, source_id: str, audience: str, now: datetime | None = None) -> None:
        self._api = api
        self._source_id = source_id
        self._audience = audience
        self._now = now or datetime.now(UTC)
        self._asked: dict[str, tuple[Mapping[str, Any], ...] | None] = {}
        self.groups: dict[str, Readers] = {}
        """By audience."""
        self.untold = 0
        """So many files did not say who may read them."""

    def of(self, file: DriveFile) -> str:
        """The audience of a file."""
        permissions = self._permissions(file)
        if permissions is None:
            self.untold += 1
            return self._group({file.owner_email} - {""})
        valid = [one for one in permissions if self._holds(one)]
        if any(one.get("type") in _OPEN for one in valid):
            return self._audience
        return self._group(_people(valid, self._api.account))

    def _permissions(self, file: DriveFile) -> tuple[Mapping[str, Any], ...] | None:
        if file.permissions is not None:
            return file.permissions
        if file.inherits_only and len(file.parents) == 1:
            # One question for all that only inherit from their folder: a shared drive may hold very many of them.
            told = self._ask(file.parents[0])
            if told is not None:
                return told
        return self._ask(file.id)

    def _ask(self, file_id: str) -> tuple[Mapping[str, Any], ...] | None:
        if file_id not in self._asked:
            try:
                self._asked[file_id] = self._api.permissions(file_id) or None
            except DriveRefusedError:
                self._asked[file_id] = None
        return self._asked[file_id]

    def _holds(self, permission: Mapping[str, Any]) -> bool:
        # A view is not the file: somebody may see that it is there, or what was published of it once.
        if permission.get("deleted") or permission.get("view"):
            return False
        until = permission.get("expirationTime")
        if not until:
            return True
        try:
            return datetime.fromisoformat(str(until)) > self._now
        except (ValueError, TypeError):
            return False

    def _group(self, members: Iterable[str]) -> str:
        people = frozenset(members)
        name = group_audience(self._source_id, people)
        self.groups[name] = Readers(audience=name, members=people)
        return name


def _people(permissions: Iterable[Mapping[str, Any]], account: str) -> frozenset[str]:
    emails = {str(one.get("emailAddress") or "").strip().lower() for one in permissions if one.get("type") == "user"}
    return frozenset(emails - {"", account.lower()})
