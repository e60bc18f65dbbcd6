"""A folder of Google Drive, or a shared drive, as a source: every file that can be read is a document.

Each run lists all that is there, which is how renamed, moved, binned and newly shared files show, and opens what
changed. Who may read a file is read anew each time, see `knowledge.sources.drive_readers`.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import PurePath
from urllib.parse import parse_qs, urlsplit

from knowledge.audience import EVERYONE
from knowledge.document import AudienceChange, DeletedDocument, FailedDocument, FetchedDocument, PermissionsRead
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.drive_api import FOLDER, NATIVE, SHORTCUT, DriveApi, DriveFile, DriveRefusedError
from knowledge.sources.drive_readers import DriveReaders
from knowledge.sources.files import MAX_BYTES, MEDIA_TYPES, is_passed_over, media_type_of
from knowledge.sources.gateway import ServiceAddress, read_address
from knowledge.sources.source import Checkpoint, Expected, SourceStep

logger = logging.getLogger(__name__)

_CHECKPOINT_EVERY = 50
# So many documents are not gone at once by somebody's wish: more likely the folder is no longer shared.
_MANY_FILES = 20
_FOLDER_PAGE = re.compile(r"/(?:folders|shared-drives)/([\w-]+)/?$")
_OWN_HOSTS = ("drive.google.com", "docs.google.com")
_OFFICE = "application/vnd.openxmlformats-officedocument."
EXPORTS = {
    # DOCX, since the HTML of a document flattens its lists and leads its links over Google, and its Markdown holds
    # the pictures themselves.
    f"{NATIVE}document": (f"{_OFFICE}wordprocessingml.document", "text/plain"),
    f"{NATIVE}spreadsheet": (f"{_OFFICE}spreadsheetml.sheet",),
    f"{NATIVE}presentation": (f"{_OFFICE}presentationml.presentation", "text/plain"),
}
"""In what Google's own formats are read, and in what where that becomes larger than Google exports."""
_REFUSALS = {
    "exportSizeLimitExceeded": "It is larger than the 10 MB that Google exports. Split it.",
    "cannotDownloadFile": "Its owner does not allow people who may read it to download it.",
    "cannotExportFile": "Its owner does not allow people who may read it to download it.",
    "cannotDownloadAbusiveFile": "Google takes it for harmful and does not give it out.",
}


@dataclass(frozen=True, kw_only=True)
class _Known:
    uri: str
    name: str
    stamp: str
    """What changes with its content."""
    audience: str


@dataclass(kw_only=True)
class _Found:
    files: dict[str, DriveFile] = field(default_factory=dict)
    failed: list[FailedDocument] = field(default_factory=list)


class DriveSource:
    """All files below a folder of Google Drive; `endpoint` is where the API is asked, if not at Google itself."""

    def __init__(
        self,
        source_id: str,
        location: str,
        secret: Secret,
        audience: str = EVERYONE,
        *,
        endpoint: str | None = None,
        max_bytes: int = MAX_BYTES,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        address = read_address(location)
        self._id = source_id
        self._folder_id = folder_id(address)
        self._endpoint = endpoint or address.endpoint
        self._secret = secret
        self._audience = audience
        self._max_bytes = max_bytes
        self._sleep = sleep
        self._now = now

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        with DriveApi(self._secret, self._endpoint, self._sleep) as api:
            found = self._walk(api)
            if not found.files and not found.failed and (cursor is None or len(before) > _MANY_FILES):
                raise SourceUnavailableError(_nothing(api, self._folder_id, len(before)))
            readers = DriveReaders(api, self._id, self._audience, self._now())
            now = {one.id: self._known(one, readers) for one in found.files.values()}
            if readers.untold:
                logger.warning(
                    "%d files of the Drive source %s do not tell %s who may read them, so that their owners alone do; "
                    "Google tells it to editors and managers",
                    readers.untold,
                    self._id,
                    api.account,
                )
            yield from readers.groups.values()
            yield from _gone(before, now)
            yield from _other_readers(before, now)
            yield from found.failed
            # From here on the readers are as they are now, whatever becomes of the texts.
            after = {key: replace(old, audience=now[key].audience) for key, old in before.items() if key in now}
            due = [key for key, known in now.items() if _is_due(known, before.get(key), retry)]
            yield Expected(documents=len(due))
            for count, key in enumerate(due, start=1):
                step = self._fetch(api, found.files[key], now[key], before.get(key))
                if step is not None:
                    # What failed stays known as it is stored.
                    if key not in after or isinstance(step, FetchedDocument):
                        after[key] = now[key]
                    yield step
                if count % _CHECKPOINT_EVERY == 0:
                    yield Checkpoint(cursor=_dump(after))
            yield PermissionsRead()
        yield Checkpoint(cursor=_dump(after))

    def _walk(self, api: DriveApi) -> _Found:
        """All documents below the folder; those that several ways lead to once."""
        found = _Found()
        folders = [self._root(api)]
        seen = {folders[0].id}
        while folders:
            for one in self._listed(api, folders.pop()):
                if one.mime_type == FOLDER:
                    if one.id not in seen and not is_passed_over(one.name):
                        seen.add(one.id)
                        folders.append(one)
                elif one.mime_type == SHORTCUT:
                    self._follow(api, one, found)
                elif media_type(one):
                    found.files.setdefault(one.id, one)
        return found

    def _root(self, api: DriveApi) -> DriveFile:
        try:
            root = api.file(self._folder_id)
        except DriveRefusedError as error:
            raise SourceUnavailableError(
                f"The folder {self._folder_id} of Google Drive cannot be read ({error.reason}). Share it with "
                f"{api.account}; what is known from it stays."
            ) from error
        if root.mime_type != FOLDER or root.trashed:
            what = "is in the bin" if root.trashed else "is no folder"
            raise SourceUnavailableError(
                f"What is at {self._folder_id} in Google Drive {what}. Expected a folder or a shared drive; what is "
                "known from it stays."
            )
        return root

    def _listed(self, api: DriveApi, folder: DriveFile) -> list[DriveFile]:
        try:
            return list(api.children(folder))
        except DriveRefusedError as error:
            # Not a failure of one folder: what is below it would look as if it were gone.
            raise SourceUnavailableError(
                f"The folder {folder.name!r} of Google Drive cannot be listed ({error.reason}). What is known stays."
            ) from error

    def _follow(self, api: DriveApi, shortcut: DriveFile, found: _Found) -> None:
        """A shortcut to a file stands for that file, with that file's readers; one to a folder is not followed."""
        if not shortcut.target or shortcut.target in found.files:
            return
        try:
            target = api.file(shortcut.target)
        except DriveRefusedError as error:
            reason = f"The file that the shortcut leads to cannot be read ({error.reason}). Share it with {api.account}"
            found.failed.append(FailedDocument(uri=shortcut.uri, reason=f"{reason}, or remove the shortcut."))
            return
        if not target.trashed and media_type(target):
            found.files.setdefault(target.id, target)

    def _known(self, one: DriveFile, readers: DriveReaders) -> _Known:
        stamp = f"{one.md5} {one.modified} {one.mime_type}"
        return _Known(uri=one.uri, name=one.name, stamp=stamp, audience=readers.of(one))

    def _fetch(self, api: DriveApi, one: DriveFile, known: _Known, old: _Known | None) -> SourceStep | None:
        """Open a file; None where it went away since it was listed."""
        if one.size is not None and one.size > self._max_bytes:
            return self._too_large(one)
        try:
            content, kind = self._content(api, one)
        except DriveRefusedError as error:
            if error.reason in ("notFound", "404"):
                return None
            reason = _REFUSALS.get(error.reason, f"Google Drive does not give it out ({error.reason}).")
            return FailedDocument(uri=one.uri, reason=reason)
        if len(content) > self._max_bytes:
            return self._too_large(one)
        return FetchedDocument(
            uri=one.uri,
            title=_title(one),
            content=content,
            media_type=kind,
            audience=known.audience,
            modified_at=one.modified_at,
            moved_from=old.uri if old and old.uri != one.uri else None,
            owner=one.owner,
            retitled=old is None or old.name != one.name,
        )

    def _content(self, api: DriveApi, one: DriveFile) -> tuple[bytes, str]:
        formats = EXPORTS.get(one.mime_type)
        if formats is None:
            return api.content(one, self._max_bytes), media_type(one)
        for kind in formats[:-1]:
            try:
                return api.export(one.id, kind), kind
            except DriveRefusedError as error:
                if error.reason != "exportSizeLimitExceeded":
                    raise
        return api.export(one.id, formats[-1]), formats[-1]

    def _too_large(self, one: DriveFile) -> FailedDocument:
        limit = self._max_bytes / 1024 / 1024
        return FailedDocument(uri=one.uri, reason=f"The file is larger than {limit:g} MB. Split it, or leave it out.")


def folder_id(address: ServiceAddress) -> str:
    """The id in a folder's address; raises SourceError where there is none."""
    try:
        parts = urlsplit(address.page)
    except ValueError:
        parts = urlsplit("")
    found = _FOLDER_PAGE.search(parts.path)
    asked = parse_qs(parts.query).get("id", [""])[0]
    place = found.group(1) if found else asked if re.fullmatch(r"[\w-]+", asked) else ""
    if not place or parts.scheme != "https" or parts.hostname not in _OWN_HOSTS:
        raise SourceError(
            f"{address.page!r} is no folder of Google Drive. Expected its address as the browser shows it: "
            "https://drive.google.com/drive/folders/ID"
        )
    return place


def media_type(one: DriveFile) -> str:
    """As what a file is read; empty for what is not."""
    if one.mime_type in EXPORTS:
        return EXPORTS[one.mime_type][0]
    if one.mime_type.startswith(NATIVE) or is_passed_over(one.name):
        return ""
    return media_type_of(one.name) or (one.mime_type if one.mime_type in MEDIA_TYPES.values() else "")


def _title(one: DriveFile) -> str:
    return (PurePath(one.name).stem if media_type_of(one.name) and one.mime_type not in EXPORTS else one.name) or one.id


def _gone(before: Mapping[str, _Known], now: Mapping[str, _Known]) -> Iterator[DeletedDocument]:
    there = {known.uri for known in now.values()}
    for key, old in before.items():
        if key not in now and old.uri not in there:
            yield DeletedDocument(uri=old.uri)


def _other_readers(before: Mapping[str, _Known], now: Mapping[str, _Known]) -> Iterator[AudienceChange]:
    for key, old in before.items():
        if key in now and now[key].audience != old.audience:
            yield AudienceChange(uri=old.uri, audience=now[key].audience)


def _is_due(known: _Known, old: _Known | None, retry: Collection[str]) -> bool:
    return old is None or known != replace(old, audience=known.audience) or known.uri in retry


def _nothing(api: DriveApi, folder: str, known: int) -> str:
    if known:
        return f"The folder {folder} of Google Drive is empty all at once; {known} documents known from it stay."
    return (
        f"The folder {folder} of Google Drive holds no document that {api.account} sees. Put one into it, or share it "
        "with that address. What is known from it stays."
    )


def _dump(files: Mapping[str, _Known]) -> str:
    rows = {key: [known.uri, known.name, known.stamp, known.audience] for key, known in files.items()}
    return json.dumps({"files": rows})


def _read_cursor(cursor: str | None) -> dict[str, _Known]:
    rows = json.loads(cursor)["files"] if cursor else {}
    return {key: _Known(uri=row[0], name=row[1], stamp=row[2], audience=row[3]) for key, row in rows.items()}
