"""Google Drive as we ask it: files below a folder, their contents, and who may read them. Only reads.

The one module that knows Google's client. What it raises is a SourceError where the place as a whole cannot be read,
DriveRefusedError where one file cannot.
"""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import google.auth.exceptions
import google_auth_httplib2
import httplib2
from google.oauth2 import service_account
from googleapiclient import discovery
from googleapiclient.errors import HttpError

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.patience import Busy, Patience

SCOPES = ("https://www.googleapis.com/auth/drive.readonly",)
FOLDER = "application/vnd.google-apps.folder"
SHORTCUT = "application/vnd.google-apps.shortcut"
NATIVE = "application/vnd.google-apps."
_TIMEOUT_SECONDS = 60
_FIELDS = (
    "id,name,mimeType,parents,webViewLink,modifiedTime,md5Checksum,size,trashed,driveId,hasAugmentedPermissions,"
    "inheritedPermissionsDisabled,owners(displayName,emailAddress),lastModifyingUser(displayName),"
    "shortcutDetails(targetId,targetMimeType),"
    "permissions(id,type,emailAddress,view,deleted,expirationTime)"
)
_PERMISSION_FIELDS = "nextPageToken,permissions(id,type,emailAddress,view,deleted,expirationTime)"
_BUSY_REASONS = {"rateLimitExceeded", "userRateLimitExceeded", "sharingRateLimitExceeded", "backendError"}
_TOO_MANY_REQUESTS = 429
_FORBIDDEN = 403
_LINE = (google.auth.exceptions.TransportError, httplib2.HttpLib2Error, http.client.HTTPException, OSError)
_FILE_ID = re.compile(r"[\w-]+")


class DriveRefusedError(Exception):
    """Drive does not give out one thing; the reason is Google's word for why, like notFound."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class DriveFile:
    """What is known of a file, folder or shortcut without opening it."""

    id: str
    name: str
    mime_type: str
    parents: tuple[str, ...] = ()
    link: str = ""
    modified: str = ""
    """RFC 3339, as Drive writes it."""
    md5: str = ""
    """Empty for Google's own formats."""
    size: int | None = None
    """Bytes; None for Google's own formats."""
    trashed: bool = False
    drive: str = ""
    """The shared drive that it is in."""
    inherits_only: bool = False
    """Whoever may read its folder may read it, and nobody else."""
    owner: str = ""
    owner_email: str = ""
    target: str = ""
    """Where a shortcut leads."""
    permissions: tuple[Mapping[str, Any], ...] | None = None
    """None where they must be asked for."""

    @property
    def uri(self) -> str:
        """Its page."""
        return self.link or f"https://drive.google.com/file/d/{self.id}/view"

    @property
    def modified_at(self) -> datetime | None:
        """Its last change."""
        try:
            return datetime.fromisoformat(self.modified).astimezone(UTC) if self.modified else None
        except ValueError:
            return None


class DriveApi:
    """Questions to Drive; made for one run, from one thread."""

    def __init__(
        self, secret: Secret, endpoint: str | None = None, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        credentials = _credentials(secret)
        self.account = str(credentials.service_account_email)
        self._http = httplib2.Http(timeout=_TIMEOUT_SECONDS)
        self._drive = discovery.build(
            "drive",
            "v3",
            http=google_auth_httplib2.AuthorizedHttp(credentials, http=self._http),
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": f"{endpoint.rstrip('/')}/drive/v3/"} if endpoint else None,
        )
        self._patience = Patience(busy=_busy, unavailable=_unavailable, sleep=sleep)

    def __enter__(self) -> DriveApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._drive.close()
        self._http.close()

    def file(self, file_id: str) -> DriveFile:
        """One file or folder."""
        asked = {"fileId": file_id, "fields": _FIELDS, "supportsAllDrives": True}
        return _file(self._ask(lambda: self._drive.files().get(**asked).execute()))

    def children(self, folder: DriveFile) -> Iterator[DriveFile]:
        """What is in a folder, without what is in the bin. Each folder is asked alone: `or` loses some now and then."""
        asked: dict[str, Any] = {
            "q": f"'{_plain_id(folder.id)}' in parents and trashed = false",
            "fields": f"nextPageToken,incompleteSearch,files({_FIELDS})",
            "pageSize": 1000,
            "supportsAllDrives": True,
            "includeItemsFromAllDrives": True,
        }
        if folder.drive:
            asked |= {"corpora": "drive", "driveId": folder.drive}
        for page in self._pages(lambda token: self._drive.files().list(**asked, pageToken=token)):
            if page.get("incompleteSearch"):
                raise _unavailable("its answer is incomplete")
            yield from map(_file, page.get("files", ()))

    def permissions(self, file_id: str) -> tuple[Mapping[str, Any], ...]:
        """All permissions of a file or shared drive, those that it inherits among them."""
        asked = {"fileId": file_id, "fields": _PERMISSION_FIELDS, "pageSize": 100, "supportsAllDrives": True}
        pages = self._pages(lambda token: self._drive.permissions().list(**asked, pageToken=token))
        return tuple(permission for page in pages for permission in page.get("permissions", ()))

    def content(self, file: DriveFile, max_bytes: int) -> bytes:
        """The bytes of a file, at most one more than the limit."""
        if file.size == 0:
            return b""  # of which Drive would refuse to send a part
        request = self._drive.files().get_media(fileId=file.id, supportsAllDrives=True)
        request.headers["Range"] = f"bytes=0-{max_bytes}"
        return bytes(self._ask(request.execute))

    def export(self, file_id: str, mime_type: str) -> bytes:
        """A file of Google's own formats in another one; Google exports up to 10 MB."""
        return bytes(self._ask(self._drive.files().export_media(fileId=file_id, mimeType=mime_type).execute))

    def _pages(self, ask: Callable[[str | None], Any]) -> Iterator[Mapping[str, Any]]:
        token: str | None = None
        while True:
            page: Mapping[str, Any] = self._ask(ask(token).execute)
            yield page
            token = page.get("nextPageToken")
            if not token:
                return

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            return self._patience.ask(call)
        except HttpError as error:
            reason = _reason(error)
            if error.resp.status == 401:
                raise _unavailable(f"it does not accept the key of {self.account}") from error
            if reason in ("accessNotConfigured", "SERVICE_DISABLED"):
                raise _unavailable("the Google Drive API is not enabled in the key's project; enable it") from error
            if reason in ("dailyLimitExceeded", "quotaExceeded"):
                raise _unavailable("the day's quota is used up") from error
            raise DriveRefusedError(reason) from error
        except google.auth.exceptions.RefreshError as error:
            raise _unavailable(
                f"Google does not accept the key of {self.account}: it may be deleted, or the clock of this machine be "
                "wrong. Make another key, and set the credential again"
            ) from error
        except (google.auth.exceptions.GoogleAuthError, ValueError) as error:
            raise _unavailable(f"what Google answers makes no sense ({type(error).__name__})") from error


def _credentials(secret: Secret) -> Any:
    told = "expected the whole JSON file of a service account's key, as Google Cloud gives it"
    if not secret:
        raise SourceError(
            "Google Drive is read with a service account's key. Keep it: lorekeeper credentials set NAME < key.json, "
            "and add the source with --credential NAME."
        )
    try:
        info = json.loads(secret.reveal())
    except ValueError:
        raise SourceError(f"The credential is not JSON; {told}.") from None
    kind = info.get("type") if isinstance(info, dict) else type(info).__name__
    if kind != "service_account":
        shown = kind if kind in ("authorized_user", "external_account") else "something else"
        raise SourceError(f"The credential is no service account's key ({shown}); {told}.")
    try:
        return service_account.Credentials.from_service_account_info(info, scopes=SCOPES)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, google.auth.exceptions.GoogleAuthError):
        # Neither shown nor chained: what is said of a broken key may hold a part of it.
        raise SourceError(f"The credential is a damaged service account's key; {told}.") from None


def _file(answer: Mapping[str, Any]) -> DriveFile:
    owners = answer.get("owners") or [{}]
    permissions = answer.get("permissions")
    drive = str(answer.get("driveId", ""))
    size = answer.get("size")
    return DriveFile(
        id=str(answer["id"]),
        name=str(answer.get("name", "")),
        mime_type=str(answer.get("mimeType", "")),
        parents=tuple(answer.get("parents", ())),
        link=_page(str(answer.get("webViewLink", ""))),
        modified=str(answer.get("modifiedTime", "")),
        md5=str(answer.get("md5Checksum", "")),
        # Google's own formats have a size, too, which says nothing of what is exported.
        size=int(size) if size is not None and "md5Checksum" in answer else None,
        trashed=bool(answer.get("trashed")),
        drive=drive,
        inherits_only=bool(drive)
        and answer.get("hasAugmentedPermissions") is False
        and not answer.get("inheritedPermissionsDisabled"),
        owner=str(owners[0].get("displayName") or answer.get("lastModifyingUser", {}).get("displayName") or ""),
        owner_email=str(owners[0].get("emailAddress", "")).lower(),
        target=str(answer.get("shortcutDetails", {}).get("targetId", "")),
        permissions=tuple(permissions) if permissions else None,
    )


def _page(link: str) -> str:
    return link if urlsplit(link).scheme in ("http", "https") else ""


def _plain_id(file_id: str) -> str:
    if not _FILE_ID.fullmatch(file_id):
        raise DriveRefusedError("invalidId")
    return file_id


def _busy(error: Exception) -> Busy | None:
    if isinstance(error, HttpError):
        status = int(error.resp.status)
        limited = status == _FORBIDDEN and _reason(error) in _BUSY_REASONS
        if status >= 500 or status == _TOO_MANY_REQUESTS or limited:
            return Busy(why=f"it answered {status}", after_seconds=_seconds(error.resp.get("retry-after")))
        return None
    if isinstance(error, google.auth.exceptions.RefreshError):
        return Busy(why="Google's sign-in is busy") if error.retryable else None
    if isinstance(error, _LINE):
        return Busy(why=f"nobody answers ({type(error).__name__})", away=True)
    return None


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.strip().isdigit() else None


def _reason(error: HttpError) -> str:
    """Google's word for what is wrong; its sentences may name what is not ours to show."""
    try:
        told = json.loads(error.content)["error"]
        if isinstance(told, dict):
            errors = told.get("errors") or [{}]
            return str(errors[0].get("reason") or told.get("status") or error.resp.status)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        pass
    return str(error.resp.status)


def _unavailable(why: str) -> SourceUnavailableError:
    return SourceUnavailableError(f"Google Drive cannot be read: {why}. What is known from it stays.")
