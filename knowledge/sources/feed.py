"""A news feed (RSS or Atom) as a source: every entry is a document, as the feed itself carries it.

A feed is a window: an entry that falls off its end is not gone, so nothing is ever told as deleted. Only without a
cursor (`lorekeeper sync --rebuild`) does INGEST keep no more than what the feed holds at that moment. We fetch it
ourselves and hand feedparser, which no other module knows, bytes in memory: it must open neither addresses nor files.
It runs in a child process, this module with `python -m`, since a hostile feed can keep it busy for hours.
"""

from __future__ import annotations

import calendar
import functools
import hashlib
import html
import io
import json
import os
import re
import resource
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import feedparser
import httpx

import knowledge
from knowledge.audience import EVERYONE
from knowledge.document import FailedDocument, FetchedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.sources.address import split_address
from knowledge.sources.body import BodyError, BodyLimits, read_body
from knowledge.sources.source import Checkpoint, Expected, SourceStep

MAX_FEED_BYTES = 10 * 1024 * 1024
MAX_KNOWN = 5_000
"""So many entries are remembered; one that was forgotten and shows again is read again, which changes nothing."""
TOTAL_SECONDS = 60.0
PARSE_SECONDS = 30.0
_PARSE_BYTES = 1024 * 1024 * 1024
_STEP_SECONDS = 20.0
_MAX_REDIRECTS = 5
_HEADERS = {
    "User-Agent": "Lorekeeper",
    "Accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip, deflate",
}
_TAG = re.compile(r"<[^>]*>")
_NO_PAGE = re.compile(r"[\s<>|\"\x00-\x1f]")
_PARAGRAPH = "\n\n"
_TEXTS = ("text/html", "application/xhtml+xml", "text/plain")


@dataclass(frozen=True, kw_only=True)
class FeedLimits:
    """What fetching a feed may cost."""

    max_bytes: int = MAX_FEED_BYTES
    total_seconds: float = TOTAL_SECONDS
    parse_seconds: float = PARSE_SECONDS
    max_known: int = MAX_KNOWN


@dataclass(frozen=True, kw_only=True)
class _Known:
    hash: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    validators: Mapping[str, str] = field(default_factory=dict)
    """Headers that ask for the feed only where it changed."""
    entries: Mapping[str, _Known] = field(default_factory=dict)
    """Entry id -> what is known of it, the one seen last at the end."""

    def dump(self) -> str:
        entries = {key: [known.hash, known.uri] for key, known in self.entries.items()}
        return json.dumps({"validators": dict(self.validators), "entries": entries})


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """What the child says of an entry; empty is unknown."""

    key: str
    """What names it from run to run."""
    link: str
    title: str
    body: str
    """HTML."""
    modified: str
    author: str


@dataclass(frozen=True, kw_only=True)
class _Answer:
    content: bytes
    url: str
    headers: Mapping[str, str]


class FeedSource:
    """All entries that a feed holds; each run asks for it once."""

    def __init__(
        self,
        source_id: str,
        location: str,
        audience: str = EVERYONE,
        limits: FeedLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._id = source_id
        self._url = check_address(location)
        self._audience = audience
        self._limits = limits or FeedLimits()
        self._clock = clock

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        # What is to come again does so only in a whole answer.
        answer = self._fetch({} if retry else before.validators)
        if answer is None:
            yield Checkpoint(cursor=before.dump())
            return
        entries = self._entries(answer)
        uris = self._uris(entries, before)
        documents = {key: self._document(entry, uris[key]) for key, entry in entries.items()}
        known = {key: _Known(hash=_hash(step), uri=step.uri) for key, step in documents.items()}
        due = [key for key in documents if before.entries.get(key) != known[key] or uris[key] in retry]
        yield Expected(documents=len(due))
        after = dict(before.entries)
        for key in due:
            after[key] = known[key]
            yield self._moved(documents[key], before.entries.get(key), before, uris)
            # After each of them: a run that is stopped between two would begin without a cursor, and so forget what
            # the feed no longer holds. Without validators, as the rest of this answer is still to come.
            if cursor is not None:
                yield Checkpoint(cursor=_Cursor(entries=after).dump())
        after = {**{key: old for key, old in after.items() if key not in known}, **dict(reversed(known.items()))}
        kept = dict(list(after.items())[-self._limits.max_known :])
        yield Checkpoint(cursor=_Cursor(validators=_validators(answer.headers), entries=kept).dump())

    def _fetch(self, validators: Mapping[str, str]) -> _Answer | None:
        """Ask for the feed; None where it did not change since the validators were given."""
        asked_at = self._clock()
        limits = BodyLimits(max_bytes=self._limits.max_bytes, seconds=self._limits.total_seconds)
        client = httpx.Client(
            headers={**_HEADERS, **validators},
            timeout=min(_STEP_SECONDS, self._limits.total_seconds),
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
            verify=_certificates(),
        )
        try:
            with client, client.stream("GET", self._url) as response:
                if response.status_code == httpx.codes.NOT_MODIFIED and validators:
                    return None
                if response.status_code != httpx.codes.OK:
                    raise self._unavailable(f"the server answered {response.status_code} {response.reason_phrase}")
                content = read_body(response.iter_bytes(), limits, asked_at, self._clock)
                return _Answer(content=content, url=str(response.url), headers=dict(response.headers))
        except BodyError as error:
            raise self._unavailable(f"it {error}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._unavailable(str(error) or type(error).__name__) from error

    def _entries(self, answer: _Answer) -> dict[str, _Entry]:
        """The entries by key, the newest version of each, as the feed orders them."""
        head = {"content-location": answer.url, "content-type": answer.headers.get("content-type", "")}
        try:
            told = subprocess.run(
                [sys.executable, "-B", "-P", "-m", "knowledge.sources.feed"],
                input=json.dumps(head).encode() + b"\n" + answer.content,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Nothing of ours goes along, least of all tokens; only what Python needs to find its modules.
                env={"PYTHONPATH": str(Path(knowledge.__path__[0]).parent), "PATH": os.environ.get("PATH", "")},
                start_new_session=True,
                timeout=self._limits.parse_seconds,
                check=True,
            )
        except subprocess.TimeoutExpired as error:
            raise self._unavailable(f"parsing it took longer than {self._limits.parse_seconds:g} s") from error
        except subprocess.CalledProcessError as error:
            raise self._unavailable("it cannot be parsed") from error
        found = json.loads(told.stdout)
        if found is None:
            raise self._unavailable("what is there is neither RSS nor Atom")
        entries: dict[str, _Entry] = {}
        for one in found:
            entries.setdefault(one["key"], _Entry(**one))
        return entries

    def _uris(self, entries: Mapping[str, _Entry], before: _Cursor) -> dict[str, str]:
        """The address of each entry, unlike all others', and as before where that still fits."""
        owners = {known.uri: key for key, known in before.entries.items()}
        uris: dict[str, str] = {}
        taken: set[str] = set()
        for key, entry in entries.items():
            place = f"{self._url.partition('#')[0]}#{quote(key, safe='')}"
            wanted = _addresses(entry)
            if key in before.entries and before.entries[key].uri in wanted:
                wanted.insert(0, before.entries[key].uri)
            uris[key] = next((uri for uri in wanted if uri not in taken and owners.get(uri, key) == key), place)
            taken.add(uris[key])
        return uris

    def _document(self, entry: _Entry, uri: str) -> FetchedDocument | FailedDocument:
        if not entry.title and not _plain(entry.body):
            return FailedDocument(uri=uri, reason="The entry has neither a title nor a text.")
        shown = html.escape(entry.title or entry.key)
        page = (
            f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{shown}</title></head>'
            f"<body><h1>{shown}</h1>\n{entry.body}</body></html>"
        )
        return FetchedDocument(
            uri=uri,
            title=entry.title or entry.key,
            content=page.encode("utf-8", "replace"),
            media_type="text/html",
            audience=self._audience,
            modified_at=datetime.fromisoformat(entry.modified) if entry.modified else None,
            owner=entry.author,
        )

    def _moved(
        self, step: FetchedDocument | FailedDocument, old: _Known | None, before: _Cursor, uris: Mapping[str, str]
    ) -> FetchedDocument | FailedDocument:
        """The same document, where an entry got another address that was nobody's."""
        known = {one.uri for one in before.entries.values()}
        if old is None or old.uri in uris.values() or step.uri in known or isinstance(step, FailedDocument):
            return step
        return replace(step, moved_from=old.uri)

    def _unavailable(self, why: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"The feed {self._url} cannot be read: {why}. Check the address and the network; what is known from it "
            "stays."
        )


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The authorities that are believed; reading them takes longer than fetching a feed."""
    return httpx.create_ssl_context()


def check_address(location: str) -> str:
    """The address of a feed; raises SourceError, which shows no password."""
    split_address(
        location,
        what="a feed",
        expected="http://... or https://...",
        instead="Feeds that need one are not read; give the address of a public one.",
    )
    return location.strip()


def _addresses(entry: _Entry) -> list[str]:
    link, key = entry.link, entry.key
    if link.startswith(("http://", "https://")) and not _NO_PAGE.search(link):
        return [link, f"{link}{'-' if '#' in link else '#'}{quote(key, safe='')}"]
    return [key] if key.startswith(("http://", "https://", "tag:", "urn:")) and not _NO_PAGE.search(key) else []


def parse_in_child() -> None:
    """Say on standard output what a feed on standard input holds; null where it is none. After a line of headers."""
    resource.setrlimit(resource.RLIMIT_AS, (_PARSE_BYTES, _PARSE_BYTES))
    head, _, content = sys.stdin.buffer.read().partition(b"\n")
    # A stream: of bytes or text, feedparser would first try whether they name a file or an address.
    parsed = feedparser.parse(io.BytesIO(content), response_headers=json.loads(head))
    found = [asdict(_entry(one)) for one in parsed.entries] if parsed.get("version") else None
    sys.stdout.write(json.dumps(found))


def _entry(entry: Any) -> _Entry:
    said = str(entry.get("title", "")) + str(entry.get("summary", ""))
    return _Entry(
        key=str(
            entry.get("id") or entry.get("link") or hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]
        ),
        link=str(entry.get("link") or ""),
        title=_title(entry),
        body=_body_html(entry),
        modified=_moment(entry),
        author=_author(entry),
    )


def _author(entry: Any) -> str:
    """The name of whoever wrote an entry, without an address where there is a name."""
    details = entry.get("author_detail") or {}
    return " ".join(_plain(str(details.get("name") or entry.get("author") or "")).split())


def _title(entry: Any) -> str:
    title = str(entry.get("title") or "")
    kind = entry.get("title_detail", {}).get("type", "text/plain")
    return " ".join((title if kind == "text/plain" else _plain(title)).split())


def _body_html(entry: Any) -> str:
    """The content of an entry, or its summary where it has none."""
    parts: Sequence[Any] = [*entry.get("content", ()), entry.get("summary_detail", {})]
    for part in parts:
        kind, text = part.get("type") or "text/html", str(part.get("value") or "")
        if kind in _TEXTS and _plain(text):
            return text if kind != "text/plain" else f"<p>{'</p><p>'.join(html.escape(text).split(_PARAGRAPH))}</p>"
    return ""


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub(" ", text)).strip()


def _moment(entry: Any) -> str:
    # Asked of the plain dict: feedparser's own look-up warns where there is no such date.
    parts = dict(entry).get("updated_parsed") or dict(entry).get("published_parsed")
    try:
        return datetime.fromtimestamp(calendar.timegm(parts), UTC).isoformat() if parts else ""
    except (ValueError, OverflowError, OSError):
        return ""


def _hash(step: FetchedDocument | FailedDocument) -> str:
    if isinstance(step, FailedDocument):
        return hashlib.sha256(step.reason.encode()).hexdigest()
    said = step.content + f"{step.modified_at}{step.owner}".encode("utf-8", "replace")
    return hashlib.sha256(said).hexdigest()


def _validators(headers: Mapping[str, str]) -> dict[str, str]:
    asked = {"If-None-Match": headers.get("etag"), "If-Modified-Since": headers.get("last-modified")}
    return {name: value for name, value in asked.items() if value}


def _read_cursor(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor()
    content = json.loads(cursor)
    entries = {key: _Known(hash=kept[0], uri=kept[1]) for key, kept in content["entries"].items()}
    return _Cursor(validators=content["validators"], entries=entries)


if __name__ == "__main__":
    parse_in_child()
