"""A web site as a source: the pages of one host below one path, as its sitemap lists them or its links lead to them.

Asks politely: what robots.txt forbids is left out, requests wait for each other, and a page is only sent again where it
changed. Pages are not understood here: whoever converts them picks their content. What asks for them is in `site`.
"""

from __future__ import annotations

import html
import json
import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import PurePosixPath
from urllib.parse import unquote

import httpx

from knowledge.audience import EVERYONE
from knowledge.document import WEB_PAGE, DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.files import MEDIA_TYPES, media_type_of
from knowledge.sources.page_head import read_head
from knowledge.sources.site import (
    USER_AGENT,
    Answer,
    Listing,
    Manners,
    Page,
    Site,
    UnreadError,
    Visitor,
    check_credential,
    parse_site,
    refusal,
    unavailable,
)
from knowledge.sources.source import NO_SECRET, Checkpoint, Expected, SourceStep

# A site takes minutes or hours to read: a run that was killed goes on about where it was.
_CHECKPOINT_PAGES = 50
# Links are looked for in the beginning of a page only; no page for people is longer.
_LINK_BYTES = 4 * 1024 * 1024
_LINKS = 5_000
_TAG = re.compile(r"<(a|area|base)\s([^<>]{1,4000})>", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)|'([^']*)|([^\s"'>]+))""", re.IGNORECASE)
_DOCUMENTS = {
    "text/html": WEB_PAGE,
    "application/xhtml+xml": WEB_PAGE,
    "text/x-markdown": "text/markdown",
    **{media_type: media_type for media_type in MEDIA_TYPES.values() if media_type != "text/html"},
}


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    pages: Mapping[str, Page] = field(default_factory=dict)
    listed: bool = False
    """Whether a sitemap listed the pages."""


class WebSource:
    """All pages of one host below the location; `changes` may be called again and again, from one thread at a time."""

    def __init__(
        self,
        source_id: str,
        location: str,
        audience: str = EVERYONE,
        manners: Manners | None = None,
        *,
        secret: Secret = NO_SECRET,
    ) -> None:
        self._id = source_id
        self._site = parse_site(location)
        self._audience = audience
        self._manners = manners or Manners()
        self._secret = secret
        if secret:
            check_credential(self._site, secret)

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        with closing(Visitor(self._site, self._manners, self._secret)) as visitor:
            visitor.read_rules()
            listing = visitor.listing()
            if listing is not None and not listing.pages:
                if before.listed:
                    raise SourceUnavailableError(
                        f"The sitemap of {self._site.start} lists no page any more. What is known from it stays. If "
                        "the site was moved, add its new address and remove this source."
                    )
                listing = None
            yield from _Run(visitor, listing, before, retry, self._audience).steps()


class _Run:
    """One walk over the pages: what is known of each, and which are still to be asked."""

    def __init__(
        self, visitor: Visitor, listing: Listing | None, before: _Cursor, retry: Collection[str], audience: str
    ) -> None:
        self._visitor, self._site, self._manners = visitor, visitor.site, visitor.manners
        self._listing, self._before, self._retry, self._audience = listing, before, retry, audience
        self._known = {url: page for url, page in before.pages.items() if url not in retry}
        self._pages = dict(before.pages)
        self._queue: deque[str] = deque()
        self._queued: set[str] = set()
        self._reached: set[str] = set()
        self._left_out = False
        self._aliases: dict[str, str] = {}
        """Page -> the page that it says it is."""
        self._itself: set[str] = set()
        """Those that say so of one that cannot be read."""

    def steps(self) -> Iterator[SourceStep]:
        self._begin()
        if self._listing is not None and not self._before.pages:
            yield Expected(documents=len(self._queue))
        count = 0
        while self._queue:
            url = self._queue.popleft()
            if url in self._reached or not self._is_due(url):
                self._reached.add(url)
                continue
            yield from self._visit(url)
            count += 1
            if count % _CHECKPOINT_PAGES == 0:
                yield self._checkpoint()
        for url, named in list(self._aliases.items()):
            yield from self._settle_alias(url, named)
        for url in self._before.pages:
            if url not in self._reached and self._is_taken_out(url):
                yield from self._gone(url)
        if self._left_out:
            yield FailedDocument(
                uri=f"{self._site.start}#more",
                reason=f"The site has more than {self._manners.pages:,} pages; the others are left out. Add the "
                "folders of it that matter, each as a source.",
            )
        yield self._checkpoint()

    def _begin(self) -> None:
        if self._listing is None:
            self._enqueue(self._site.start, 0)
        for url in self._listing.pages if self._listing is not None else ():
            self._enqueue(url, 0)
        # What nothing leads to any more is only gone where the site itself says so. A page that did not change shows
        # its links to nobody, too: those that were found in it are asked for from here.
        if self._listing is None or not self._listing.complete:
            for url, page in sorted(self._before.pages.items(), key=lambda item: item[1].depth):
                self._enqueue(url, page.depth)

    def _enqueue(self, url: str, depth: int) -> None:
        if url in self._queued or not self._visitor.may_read(url):
            return
        if len(self._queued) >= self._manners.pages:
            self._left_out = True
            return
        self._queued.add(url)
        self._queue.append(url)
        if self._listing is None:
            self._pages.setdefault(url, Page(depth=depth))

    def _is_taken_out(self, url: str) -> bool:
        listed = self._listing is None or not self._listing.complete or url in self._listing.pages
        return not listed or not self._visitor.may_read(url)

    def _is_due(self, url: str) -> bool:
        lastmod = self._lastmod(url)
        known = self._before.pages.get(url)
        return not lastmod or known is None or known.lastmod != lastmod or url in self._retry

    def _visit(self, url: str) -> Iterator[SourceStep]:
        try:
            answer = self._visitor.get(url, self._known)
            if answer.status not in (200, 404, 410) and (answer.status != 304 or answer.url not in self._pages):
                raise UnreadError(refusal(answer.status))
            if not self._site.covers(answer.url):
                raise UnreadError(f"It leads to {answer.url}, which is not below {self._site.start}.")
            if self._listing is None and url == self._site.start and answer.status in (404, 410):
                raise UnreadError(f"There is no such page (HTTP {answer.status}).")
            if answer.for_now and url != answer.url and self._was_read(url):
                # As a sign-in does, or a notice of maintenance: the page is not gone because of it.
                raise UnreadError(f"It leads to {answer.url} for the time being.")
        except UnreadError as error:
            if self._listing is None and url == self._site.start:
                raise unavailable(url, str(error)) from error
            self._reached.add(url)
            self._pages.setdefault(url, Page())
            yield FailedDocument(uri=url, reason=str(error))
            return
        was_reached = answer.url in self._reached
        self._reached |= {url, answer.url}
        if was_reached:
            yield from self._gone(url)
        elif answer.status == 304 and read_head(b"", answer.headers, USER_AGENT).noindex:
            yield from self._left(answer.url, self._pages[answer.url].depth)
        elif answer.status == 304:
            self._note(answer, self._pages[answer.url])
            if url != answer.url:
                yield from self._gone(url)
        elif answer.status == 200:
            yield from self._read(url, answer)
        else:
            yield from self._gone(url, answer.url)

    def _read(self, url: str, answer: Answer) -> Iterator[SourceStep]:
        depth = self._pages.get(url, Page()).depth
        media_type, content = _document(answer)
        if media_type is None:
            yield from self._gone(url, answer.url)
            return
        said = read_head(content if media_type == WEB_PAGE else b"", answer.headers, USER_AGENT)
        if self._listing is None and media_type == WEB_PAGE and depth < self._manners.depth and not said.nofollow:
            for link in _links(content, answer.url, self._site):
                self._enqueue(link, depth + 1)
        uri = answer.url
        if said.noindex:
            if url != uri:
                yield from self._gone(url)
            yield from self._left(uri, depth)
            return
        if named := self._canonical(said.canonical, uri):
            self._enqueue(named, depth)
            self._aliases[uri] = named
            # Whether that one can be read shows later: until then this one stays as it was, and is sent again.
            self._pages[uri] = Page(depth=depth, was_read=self._was_read(uri))
            if url != uri:
                yield from self._gone(url)
            return
        self._note(answer, Page(depth=depth))
        moved_from = None
        if url != uri:
            self._pages.pop(url, None)
            moved_from = url if self._was_read(url) else None
        yield FetchedDocument(
            uri=uri,
            title=PurePosixPath(unquote(httpx.URL(uri).path)).stem or httpx.URL(uri).host,
            content=content,
            media_type=media_type,
            audience=self._audience,
            modified_at=_moment(answer.headers.get("last-modified", "")) or _moment(self._lastmod(answer.url)),
            moved_from=moved_from,
        )

    def _note(self, answer: Answer, page: Page) -> None:
        etag, modified = answer.headers.get("etag", page.etag), answer.headers.get("last-modified", page.modified)
        self._pages[answer.url] = replace(
            page, etag=etag, modified=modified, lastmod=self._lastmod(answer.url), was_read=True
        )

    def _lastmod(self, url: str) -> str:
        return self._listing.pages.get(url, "") if self._listing is not None else ""

    def _gone(self, *urls: str) -> Iterator[SourceStep]:
        for url in urls:
            if self._pages.pop(url, None) is not None and url in self._before.pages:
                yield DeletedDocument(uri=url)

    def _canonical(self, link: str, uri: str) -> str | None:
        """The page of this site that a page says it is: that one is read, once, under its own address."""
        named = self._site.page(link, uri) if link and uri not in self._itself else None
        return named if named != uri and named not in self._aliases else None

    def _settle_alias(self, url: str, named: str) -> Iterator[SourceStep]:
        if self._pages.get(named, Page()).was_read:
            yield from self._left(url, self._pages.get(url, Page()).depth)
            return
        self._itself.add(url)
        self._reached.discard(url)
        self._known.pop(url, None)
        yield from self._visit(url)

    def _left(self, url: str, depth: int) -> Iterator[SourceStep]:
        """A page that is there and is no document: gone where it was one, and asked for again with each run."""
        if self._was_read(url):
            yield DeletedDocument(uri=url)
        if self._listing is None:
            self._pages[url] = Page(depth=depth)
        else:
            self._pages.pop(url, None)

    def _was_read(self, url: str) -> bool:
        return self._before.pages.get(url, Page()).was_read

    def _checkpoint(self) -> Checkpoint:
        pages = {url: asdict(page) for url, page in self._pages.items()}
        return Checkpoint(cursor=json.dumps({"listed": self._listing is not None, "pages": pages}))


def _document(answer: Answer) -> tuple[str | None, bytes]:
    """What kind of document an answer is, None for no document, and its content as UTF-8 where that was another."""
    told, *parameters = (part.strip().lower() for part in answer.headers.get("content-type", "").split(";"))
    by_name = media_type_of(httpx.URL(answer.url).path)
    media_type = _DOCUMENTS.get(told)
    # Many servers know no Markdown.
    if told in ("", "text/plain", "application/octet-stream") and by_name != "text/html":
        media_type = by_name or media_type
    charset = next((one.partition("=")[2].strip("\"' ") for one in parameters if one.startswith("charset=")), "")
    if charset and media_type is not None and media_type.startswith("text/"):
        try:
            # The mark in front goes before what the page says of itself, as the server's word does.
            return media_type, answer.content.decode(charset, "replace").encode("utf-8-sig", "replace")
        except (LookupError, UnicodeError):
            return media_type, answer.content
    return media_type, answer.content


def _links(content: bytes, address: str, site: Site) -> Iterator[str]:
    """The pages of this site that a page leads to. Looks for links only: a hostile page is never taken apart here."""
    tags = dict.fromkeys(_TAG.findall(content[:_LINK_BYTES].decode("utf-8", "replace")))
    for tag, inside in islice(tags, _LINKS):
        href = _HREF.search(inside)
        if href is None:
            continue
        link = html.unescape(next(filter(None, href.groups()), ""))
        if tag.lower() == "base":
            address = site.address(link, address) or address
        elif found := site.page(link, address):
            yield found


def _moment(told: str) -> datetime | None:
    """When a page was changed, as a header or a sitemap says it; None where that is no date."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(told)
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _read_cursor(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor()
    content = json.loads(cursor)
    return _Cursor(pages={url: Page(**page) for url, page in content["pages"].items()}, listed=content["listed"])
