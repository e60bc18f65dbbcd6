"""Confluence as a source, Cloud and Data Center: the current pages and blog posts of a space, or of all spaces.

Each run lists all pages with their versions and restrictions, and asks for the text of those that changed: no clock is
trusted. The text is what its author wrote, never what the server would make of it for our account: a macro there shows
other pages, which not all may see who may see this one.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from knowledge.document import (
    STORAGE_PAGE,
    AudienceChange,
    DeletedDocument,
    FailedDocument,
    FetchedDocument,
    PermissionsRead,
    Readers,
)
from knowledge.errors import SourceError
from knowledge.sources.atlassian import (
    CLOUD,
    AtlassianLimits,
    Json,
    Service,
    TooLongError,
    account_of,
    check_address,
    moment,
)
from knowledge.sources.atlassian_parts import READ_AT_ONCE, left_out, parts_of, read_apart, read_due
from knowledge.sources.confluence_readers import EXPAND, People, Permissions
from knowledge.sources.source import Checkpoint, SourcePlace, SourceStep

MAX_PAGE_BYTES = 5 * 1024 * 1024
_LISTED = 100
_CONFIRMED = 100
_EXAMPLE = "https://example.atlassian.net/wiki/spaces/TEAM"
_SPACE = re.compile(r"^(?P<context>(?:/[^/]+)*?)(?P<place>/(?:display|spaces)/(?P<key>[^/]+))(?:/.*)?$")
_ONE_PAGE = re.compile(r"/(?:pages|blog)/\d|/display/[^/]+/[^/]+")
_ACTION = re.compile(r"/[^/]+\.action$")
_MENTION = re.compile(r"""<ri:user\b[^<>]{0,400}?\bri:(account-id|userkey)=(?:"([^"<>]{1,200})"|'([^'<>]{1,200})')""")
_UNSAFE = re.compile(r"[\s<>|\"\x00-\x1f]")


@dataclass(frozen=True, kw_only=True)
class ConfluencePlace:
    """A server of Confluence and a space of it."""

    root: str
    space: str
    """Its key; empty: all that may be read."""


@dataclass(frozen=True, kw_only=True)
class _Known:
    version: int
    uri: str
    audience: str


class ConfluenceSource:
    """All pages and blog posts of a space; `changes` may be called again and again, from one thread at a time."""

    def __init__(
        self,
        place: SourcePlace,
        limits: AtlassianLimits | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._place = place
        self._confluence = parse_confluence(place.location)
        self._account = account_of(place.secret, self._confluence.root)
        self._limits = limits or AtlassianLimits()
        self._sleep = sleep

    @property
    def id(self) -> str:
        return self._place.id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        with Service(self._confluence.root, self._account, self._limits, self._sleep) as service:
            yield from _Run(service, self._confluence, self._place, before, retry).steps(first=cursor is None)


class _Run:
    """One look at all pages: what is known of each, and what is there now."""

    def __init__(
        self,
        service: Service,
        confluence: ConfluencePlace,
        place: SourcePlace,
        before: Mapping[str, _Known],
        retry: Collection[str],
    ) -> None:
        self._service, self._confluence, self._place, self._retry = service, confluence, place, retry
        self._before = before
        self._after = dict(before)
        self._people = People(service)
        self._permissions = Permissions(place.id, service, self._people)
        self._told: set[str] = set()
        self._pages: dict[str, Json] = {}
        self._left_out = False

    def steps(self, *, first: bool) -> Iterator[SourceStep]:
        self._list()
        now = {key: self._uri(page) for key, page in self._pages.items()}
        readers = {key: self._permissions.readers(page) for key, page in self._pages.items()}
        # Before any text: what somebody may no longer read is closed within seconds.
        yield from self._audiences(now, readers, first=first)
        moved = self._moved(now)
        yield from self._deletions(now, moved)
        due = [key for key in now if self._is_due(key, now[key])]
        yield from read_due(due, partial(self._read, moved), self._checkpoint)
        if self._left_out:
            yield left_out(self._place.location, self._service, what="pages", instead="the spaces")
        yield PermissionsRead()
        yield self._checkpoint()

    def _list(self) -> None:
        if self._service.known:
            user = self._service.get("rest/api/user/current")
            if user.get("type") == "anonymous":
                raise self._service.unavailable(
                    "the credential is not accepted, the server takes us for nobody",
                    "Keep a new one with `lorekeeper credentials set NAME`.",
                )
        for page in self._search(self._query(), f"version,space,{EXPAND}", _LISTED):
            if len(self._pages) >= self._service.limits.documents and str(page["id"]) not in self._pages:
                self._left_out = True
                break
            self._note(page)
        # A list that is handed out in parts skips a page where another one before it goes meanwhile.
        missing = [key for key in self._before if key not in self._pages]
        for part in parts_of(missing, _CONFIRMED):
            for page in self._search(self._query(part), f"version,space,{EXPAND}", _LISTED):
                self._note(page)
        if not self._pages:
            where = f"the space {self._confluence.space}" if self._confluence.space else "it"
            raise self._service.unavailable(
                f"there is no page in {where} that the account may read",
                "Check the key of the space, and that the account may see it; if it was emptied, remove this source.",
            )

    def _query(self, keys: Sequence[str] = ()) -> str:
        parts = [f"id in ({','.join(keys)})"] if keys else []
        parts += [f'space = "{self._confluence.space}"'] if self._confluence.space else []
        return " and ".join([*parts, "type in (page, blogpost)"]) + " order by created asc"

    def _search(self, query: str, expand: str, limit: int) -> Iterator[Json]:
        asked: dict[str, object] = {"cql": query, "expand": expand, "limit": limit}
        seen: set[str] = set()
        while True:
            answer = self._service.get("rest/api/content/search", asked)
            yield from answer.get("results") or ()
            following = str((answer.get("_links") or {}).get("next") or "")
            # Of its address only what it asks for counts: where we ask is not the server's to say.
            found = dict(parse_qsl(urlsplit(following).query))
            if not following or not found:
                return
            if following in seen:
                raise self._service.unavailable("its list of pages goes round in circles", "Try again later.")
            seen.add(following)
            asked |= found

    def _note(self, page: Json) -> None:
        status = (page.get("space") or {}).get("status") or "current"
        if page.get("status", "current") == "current" and status == "current" and str(page["id"]).isdigit():
            self._permissions.note(page)
            kept = ("id", "type", "ancestors", "version", "_links")
            slim = {name: page[name] for name in kept if name in page}
            if "ancestors" in slim:
                slim["ancestors"] = [{"id": one["id"]} for one in slim["ancestors"]]
            self._pages[str(page["id"])] = slim

    def _audience(self, readers: Readers | None) -> str:
        return self._place.audience if readers is None else readers.audience

    def _audiences(
        self, now: Mapping[str, str], readers: Mapping[str, Readers | None], *, first: bool
    ) -> Iterator[SourceStep]:
        for key, group in readers.items():
            known, audience = self._before.get(key), self._audience(group)
            # Without a cursor, documents may be known all the same: they come again, but perhaps much later.
            if (known is not None and known.audience != audience) or (first and group is not None):
                yield from self._tell(group)
                yield AudienceChange(uri=now[key] if known is None else known.uri, audience=audience)
            if known is not None:
                self._after[key] = replace(known, audience=audience)

    def _tell(self, readers: Readers | None) -> Iterator[Readers]:
        if readers is not None and readers.audience not in self._told:
            self._told.add(readers.audience)
            yield readers

    def _moved(self, now: Mapping[str, str]) -> dict[str, str]:
        """The pages whose address changed to one that was nobody's, with the one before, which is nobody's now."""
        there, known = set(now.values()), {one.uri for one in self._before.values()}
        return {
            key: self._before[key].uri
            for key, uri in now.items()
            if key in self._before and uri not in known and self._before[key].uri not in there
        }

    def _deletions(self, now: Mapping[str, str], moved: Mapping[str, str]) -> Iterator[DeletedDocument]:
        kept = {*now.values(), *moved.values()}
        for key, known in self._before.items():
            if known.uri not in kept:
                yield DeletedDocument(uri=known.uri)
            if key not in now:
                del self._after[key]

    def _is_due(self, key: str, uri: str) -> bool:
        known = self._before.get(key)
        if known is None or uri in self._retry or known.uri in self._retry:
            return True
        return (known.version, known.uri) != (_version(self._pages[key]), uri)

    def _read(self, moved: Mapping[str, str], keys: Sequence[str]) -> Iterator[SourceStep]:
        expand = f"body.storage,version,space,{EXPAND}{',history.ownedBy' if self._service.cloud else ''}"
        try:
            found = {str(page["id"]): page for page in self._search(self._query(keys), expand, READ_AT_ONCE)}
        except TooLongError:
            yield from read_apart(keys, partial(self._read, moved), self._failed, self._service)
            return
        for key in keys:
            page = found.get(key)
            body = ((page or {}).get("body") or {}).get("storage") or {}
            if page is None or not isinstance(body.get("value"), str):
                yield self._failed(key, "Confluence lists it, but does not hand out its text at the moment.")
            elif len(body["value"]) > MAX_PAGE_BYTES:
                yield self._failed(key, f"Its text is larger than {MAX_PAGE_BYTES / 2**20:g} MB.")
            else:
                yield from self._deliver(key, page, body["value"], moved.get(key))

    def _deliver(self, key: str, page: Json, body: str, moved_from: str | None) -> Iterator[SourceStep]:
        # As of this text: it may have been closed since the list was made.
        self._permissions.note(page)
        readers = self._permissions.readers(page)
        uri, audience = self._uri(self._pages[key]), self._audience(readers)
        version = page.get("version") or {}
        by = ((page.get("history") or {}).get("ownedBy") or version.get("by") or {}).get("displayName")
        title = " ".join(str(page.get("title") or "").split()) or uri
        shown = html.escape(title)
        content = (
            f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{shown}</title></head>'
            f"<body><h1>{shown}</h1>\n{self._with_names(body)}</body></html>"
        )
        yield from self._tell(readers)
        yield FetchedDocument(
            uri=uri,
            title=title,
            content=content.encode("utf-8", "replace"),
            media_type=STORAGE_PAGE,
            audience=audience,
            modified_at=moment(version.get("when")),
            moved_from=moved_from,
            owner=str(by or ""),
        )
        self._after[key] = _Known(version=_version(page), uri=uri, audience=audience)

    def _failed(self, key: str, reason: str) -> FailedDocument:
        known = self._before.get(key)
        return FailedDocument(uri=self._uri(self._pages[key]) if known is None else known.uri, reason=reason)

    def _with_names(self, body: str) -> str:
        """The text with the names of those whom it mentions by number."""

        def named(found: re.Match[str]) -> str:
            name = self._people.name(found.group(1), html.unescape(found.group(2) or found.group(3)))
            return f'{found.group()} ri:display-name="{html.escape(name)}"' if name else found.group()

        return _MENTION.sub(named, body)

    def _uri(self, page: Json) -> str:
        link = str((page.get("_links") or {}).get("webui") or "")
        if not link.startswith("/"):
            link = f"/pages/viewpage.action?pageId={quote(str(page['id']), safe='')}"
        return self._confluence.root + _UNSAFE.sub(lambda found: quote(found.group()), link)

    def _checkpoint(self) -> Checkpoint:
        pages = {key: [known.version, known.uri, known.audience] for key, known in self._after.items()}
        return Checkpoint(cursor=json.dumps({"pages": pages}))


def parse_confluence(location: str) -> ConfluencePlace:
    """Take the address of a space or server apart; raises SourceError, which shows no password."""
    parts = check_address(location, _EXAMPLE)
    asked, path = dict(parse_qsl(parts.query)), unquote(parts.path).rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    if _ONE_PAGE.search(path) or "pageId" in asked:
        raise SourceError(
            f"{location.strip()} is the address of one page. Spaces are read as a whole: give the address of its "
            f"space, like {_EXAMPLE}."
        )
    found = _SPACE.match(path)
    if found is None:
        context = "/wiki" if (parts.hostname or "").endswith(CLOUD) else _ACTION.sub("", path)
        return ConfluencePlace(root=origin + context, space="")
    key = (asked.get("key") or asked.get("spaceKey") or "") if _ACTION.search(found["place"]) else found["key"]
    if not re.fullmatch(r"~?[\w.@-]+", key):
        raise SourceError(f"{location.strip()} names no space. Expected an address like {_EXAMPLE}.")
    return ConfluencePlace(root=origin + found["context"], space=key)


def _version(page: Json) -> int:
    return int((page.get("version") or {}).get("number") or 0)


def _read_cursor(cursor: str | None) -> dict[str, _Known]:
    if cursor is None:
        return {}
    pages = json.loads(cursor)["pages"]
    return {key: _Known(version=kept[0], uri=kept[1], audience=kept[2]) for key, kept in pages.items()}
