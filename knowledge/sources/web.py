"""A web site as a source: the pages of one host below one path, as its sitemap lists them or its links lead to them.

Asks politely: what robots.txt forbids is left out, requests wait for each other, and a page is only sent again where it
changed. Never asks another host than the one that was named. Pages are not understood here: whoever converts them picks
their content. Reads through httpx, which no other module knows.
"""

from __future__ import annotations

import html
import json
import re
import time
import zlib
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from itertools import islice
from pathlib import PurePosixPath
from urllib.parse import unquote
from urllib.robotparser import RobotFileParser
from xml.etree import ElementTree

import httpx

from knowledge.audience import EVERYONE
from knowledge.document import WEB_PAGE, DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.sources.files import MAX_BYTES, MEDIA_TYPES, media_type_of
from knowledge.sources.source import Checkpoint, Expected, SourceStep

USER_AGENT = "Lorekeeper"
MAX_PAGES = 2_000
# A robots.txt may ask for hours between two pages: that would hold up everything else.
_LONGEST_PAUSE_SECONDS = 60.0
_REDIRECTS = 5
_SITEMAPS = 100
_LISTED_PAGES = 100_000
_ADDRESS_CHARACTERS = 2_000
# So many pages in a row without an answer: the site is away, and waiting for each of the others helps nobody.
_SILENT_PAGES = 5
# A site takes minutes or hours to read: a run that was killed goes on about where it was.
_CHECKPOINT_PAGES = 50
# Links are looked for in the beginning of a page only; no page for people is longer.
_LINK_BYTES = 4 * 1024 * 1024
_LINKS = 5_000
_TAG = re.compile(r"<(a|area|base)\s([^<>]{1,4000})>", re.IGNORECASE)
_HREF = re.compile(r"""\bhref\s*=\s*(?:"([^"]*)|'([^']*)|([^\s"'>]+))""", re.IGNORECASE)
_TRACKING = re.compile(r"^(?:utm_\w+|gclid|fbclid|mc_cid|mc_eid)(?:=|$)", re.IGNORECASE)
_NO_PAGE = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|avif|ico|css|m?js|json|xml|rss|atom|zip|gz|tgz|exe|dmg|mp[34]|webm|woff2?|ttf)$",
    re.IGNORECASE,
)
_DOCUMENTS = {
    "text/html": WEB_PAGE,
    "application/xhtml+xml": WEB_PAGE,
    "text/x-markdown": "text/markdown",
    **{media_type: media_type for media_type in MEDIA_TYPES.values() if media_type != "text/html"},
}
_REFUSALS = {
    401: "It wants a sign-in (HTTP 401). Only pages that everyone may see can be read.",
    403: "The site refuses it (HTTP 403). Only pages that everyone may see can be read.",
    429: "The site says that it was asked too often (HTTP 429). It is tried again with the next run.",
}


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How much of a site is read, and how fast."""

    pause_seconds: float = 0.5
    """Between two requests, where robots.txt does not ask for more."""
    pages: int = MAX_PAGES
    depth: int = 10
    """How many links away from the start, where no sitemap lists the pages."""
    max_bytes: int = MAX_BYTES
    silence_seconds: float = 20.0
    """How long the site may say nothing."""
    page_seconds: float = 120.0
    """How long one answer may take as a whole."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The part of a host that is read."""

    start: str
    """Its first page, or the folder of its pages."""

    def address(self, link: str, page: str | None = None) -> str | None:
        """The one spelling of the address that a link of this host leads to; None for other hosts and what is no page.

        Without fragment and tracking parameters: one page is one document.
        """
        try:
            url = httpx.URL(page or self.start).join(link.strip())
            if url.scheme not in ("http", "https") or url.userinfo or _place(url) != _place(httpx.URL(self.start)):
                return None
            kept = b"&".join(part for part in url.query.split(b"&") if not _TRACKING.match(part.decode("latin-1")))
            clean = str(url.copy_with(fragment=None, query=kept or None, port=_port(url)))
        except (httpx.InvalidURL, ValueError):
            return None
        return None if len(clean) > _ADDRESS_CHARACTERS or ".." in unquote(url.path).split("/") else clean

    def covers(self, address: str) -> bool:
        """Whether an address of this host is the start or below it."""
        top, path = httpx.URL(self.start).path, httpx.URL(address).path
        return path == top or path.startswith(top.rstrip("/") + "/")

    def page(self, link: str, page: str | None = None) -> str | None:
        """The address of a page to read; None for all that lies elsewhere, or has a name that no document has."""
        found = self.address(link, page)
        return found if found and self.covers(found) and not _NO_PAGE.search(httpx.URL(found).path) else None


def parse_site(location: str) -> Site:
    """Read the address of a site; raises SourceError, and never repeats a password."""
    if re.search(r"//[^/?#]*@", location):
        raise SourceError(
            "The address holds a user name or password, which would be shown wherever the source is listed. Only "
            "pages that everyone may see can be read: leave it out."
        )
    site = Site(start=location.strip())
    try:
        start = site.address(site.start) if httpx.URL(site.start).host else None
    except httpx.InvalidURL:
        start = None
    if start is None:
        raise SourceError(
            f"{location!r} is no address of a site. Expected one like https://docs.example.com/handbook/."
        )
    return Site(start=start)


@dataclass(frozen=True, kw_only=True)
class _Page:
    """What a later run must know of a page."""

    etag: str = ""
    modified: str = ""
    lastmod: str = ""
    """As the sitemap said when the page was read."""
    depth: int = 0
    was_read: bool = False
    """Or only found, or failed so far."""


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    pages: Mapping[str, _Page] = field(default_factory=dict)
    listed: bool = False
    """Whether a sitemap listed the pages."""


@dataclass(frozen=True, kw_only=True)
class _Answer:
    url: str
    """Where the redirects led to."""
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    for_now: bool = False
    """Whether one of the redirects was for the time being."""


@dataclass(frozen=True, kw_only=True)
class _Listing:
    """What the sitemaps say."""

    pages: Mapping[str, str]
    """Address -> lastmod."""
    complete: bool
    """Whether all of them could be read: what they leave out is gone then."""


class _UnreadError(Exception):
    """One address cannot be read; the message is for people."""


class WebSource:
    """All pages of one host below the location; `changes` may be called again and again, from one thread at a time."""

    def __init__(self, source_id: str, location: str, audience: str = EVERYONE, manners: Manners | None = None) -> None:
        self._id = source_id
        self._site = parse_site(location)
        self._audience = audience
        self._manners = manners or Manners()

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        with closing(_Visitor(self._site, self._manners)) as visitor:
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
        self, visitor: _Visitor, listing: _Listing | None, before: _Cursor, retry: Collection[str], audience: str
    ) -> None:
        self._visitor, self._site, self._manners = visitor, visitor.site, visitor.manners
        self._listing, self._before, self._retry, self._audience = listing, before, retry, audience
        self._known = {url: page for url, page in before.pages.items() if url not in retry}
        self._pages = dict(before.pages)
        self._queue: deque[str] = deque()
        self._queued: set[str] = set()
        self._reached: set[str] = set()
        self._left_out = False

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
            self._pages.setdefault(url, _Page(depth=depth))

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
                raise _UnreadError(_refusal(answer.status))
            if not self._site.covers(answer.url):
                raise _UnreadError(f"It leads to {answer.url}, which is not below {self._site.start}.")
            if self._listing is None and url == self._site.start and answer.status in (404, 410):
                raise _UnreadError(f"There is no such page (HTTP {answer.status}).")
            if answer.for_now and url != answer.url and self._was_read(url):
                # As a sign-in does, or a notice of maintenance: the page is not gone because of it.
                raise _UnreadError(f"It leads to {answer.url} for the time being.")
        except _UnreadError as error:
            if self._listing is None and url == self._site.start:
                raise _unavailable(url, str(error)) from error
            self._reached.add(url)
            self._pages.setdefault(url, _Page())
            yield FailedDocument(uri=url, reason=str(error))
            return
        was_reached = answer.url in self._reached
        self._reached |= {url, answer.url}
        if was_reached:
            yield from self._gone(url)
        elif answer.status == 304:
            self._note(answer, self._pages[answer.url])
            if url != answer.url:
                yield from self._gone(url)
        elif answer.status == 200:
            yield from self._read(url, answer)
        else:
            yield from self._gone(url, answer.url)

    def _read(self, url: str, answer: _Answer) -> Iterator[SourceStep]:
        depth = self._pages.get(url, _Page()).depth
        media_type, content = _document(answer)
        if media_type is None:
            yield from self._gone(url, answer.url)
            return
        self._note(answer, _Page(depth=depth))
        if self._listing is None and media_type == WEB_PAGE and depth < self._manners.depth:
            for link in _links(content, answer.url, self._site):
                self._enqueue(link, depth + 1)
        moved_from = None
        if url != answer.url:
            self._pages.pop(url, None)
            moved_from = url if self._was_read(url) else None
        yield FetchedDocument(
            uri=answer.url,
            title=PurePosixPath(unquote(httpx.URL(answer.url).path)).stem or httpx.URL(answer.url).host,
            content=content,
            media_type=media_type,
            audience=self._audience,
            modified_at=_moment(answer.headers.get("last-modified", "")) or _moment(self._lastmod(answer.url)),
            moved_from=moved_from,
        )

    def _note(self, answer: _Answer, page: _Page) -> None:
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

    def _was_read(self, url: str) -> bool:
        return self._before.pages.get(url, _Page()).was_read

    def _checkpoint(self) -> Checkpoint:
        pages = {url: asdict(page) for url, page in self._pages.items()}
        return Checkpoint(cursor=json.dumps({"listed": self._listing is not None, "pages": pages}))


class _Visitor:
    """Asks one host for one thing after another."""

    def __init__(self, site: Site, manners: Manners) -> None:
        self.site = site
        self.manners = manners
        self._pause = manners.pause_seconds
        self._rules = RobotFileParser()
        self._rules.parse([])
        self._asked_at = -self._pause
        self._silent = 0
        self._client = httpx.Client(
            timeout=manners.silence_seconds,
            # Of what this client can unpack, only these never grow beyond measure in one step.
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
        )

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def read_rules(self) -> None:
        """Read robots.txt; raises SourceUnavailableError where the host does not answer, or wants nobody to read."""
        url = self._top("/robots.txt")
        try:
            answer = self.get(url)
            if answer.status == 429 or answer.status >= 500:
                raise _UnreadError(_refusal(answer.status))
        except _UnreadError as error:
            raise _unavailable(url, str(error)) from error
        # A site that has no such file, or shows it to nobody, forbids nothing.
        text = answer.content.decode("utf-8-sig", "replace") if answer.status == 200 else ""
        self._rules.parse(text.splitlines())
        delay = float(self._rules.crawl_delay(USER_AGENT) or 0)
        self._pause = max(self._pause, min(delay, _LONGEST_PAUSE_SECONDS))
        if not self.may_read(self.site.start):
            raise SourceUnavailableError(
                f"{url} asks not to read {self.site.start}. Ask those who run the site to allow `{USER_AGENT}`."
            )

    def may_read(self, url: str) -> bool:
        """Whether robots.txt lets a page be read."""
        return self._rules.can_fetch(USER_AGENT, url)

    def listing(self) -> _Listing | None:
        """What the sitemaps list of this site; None where it has none. Raises SourceUnavailableError."""
        named = [one for link in self._rules.site_maps() or () if (one := self.site.address(link))]
        queue = deque(named or [self._top("/sitemap.xml")])
        known = set(queue)
        pages: dict[str, str] = {}
        complete, found = True, False
        while queue:
            url = queue.popleft()
            entries = self._sitemap(url)
            if entries is None:
                complete = False
                continue
            found = True
            for kind, link, lastmod in entries:
                if kind == "url" and (page := self.site.page(link)):
                    pages[page] = lastmod
                elif kind == "sitemap" and (further := self.site.address(link)) and further not in known:
                    known.add(further)
                    queue.append(further)
            if len(known) > _SITEMAPS or len(pages) > _LISTED_PAGES:
                raise SourceUnavailableError(
                    f"{self.site.start} has more than {_SITEMAPS} sitemaps or {_LISTED_PAGES:,} pages. Add a folder "
                    "of it instead."
                )
        return _Listing(pages=pages, complete=complete) if found else None

    def _sitemap(self, url: str) -> list[tuple[str, str, str]] | None:
        """The entries of one sitemap; None where there is none, or it is something else."""
        try:
            answer = self.get(url)
            if answer.status not in (200, 404, 410):
                raise _UnreadError(_refusal(answer.status))
            return _entries(_unpacked(answer.content, self.manners.max_bytes)) if answer.status == 200 else None
        except _UnreadError as error:
            raise _unavailable(url, str(error)) from error

    def _top(self, path: str) -> str:
        return str(httpx.URL(self.site.start).copy_with(path=path, query=None))

    def get(self, url: str, known: Mapping[str, _Page] | None = None) -> _Answer:
        """Ask for an address and follow its redirects on this host; raises _UnreadError.

        `known` are pages that are sent again only where they changed.
        """
        for_now = False
        for _ in range(_REDIRECTS):
            answer = self._ask(url, (known or {}).get(url, _Page()))
            target = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or target is None:
                return replace(answer, for_now=for_now)
            for_now = for_now or answer.status not in (301, 308)
            further = self.site.address(target, url)
            if further is None:
                raise _UnreadError(f"It leads to another host ({target[:200]}), which is not asked.")
            if not self.may_read(further):
                raise _UnreadError(f"It leads to {further}, which robots.txt asks not to read.")
            url = further
        raise _UnreadError(f"It leads from one address to the next, more than {_REDIRECTS} times.")

    def _ask(self, url: str, page: _Page) -> _Answer:
        time.sleep(max(0.0, self._asked_at + self._pause - time.monotonic()))
        headers = {"If-None-Match": page.etag, "If-Modified-Since": page.modified}
        try:
            with self._client.stream("GET", url, headers={name: told for name, told in headers.items() if told}) as got:
                answer = _Answer(url=url, status=got.status_code, headers=got.headers, content=self._body(got))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._silent += 1
            reason = f"The site does not answer ({error or type(error).__name__})."
            if self._silent >= _SILENT_PAGES:
                raise _unavailable(url, reason) from error
            raise _UnreadError(reason) from error
        finally:
            self._asked_at = time.monotonic()
        self._silent = self._silent + 1 if answer.status in (429, 503) else 0
        if self._silent >= _SILENT_PAGES:
            raise _unavailable(url, _refusal(answer.status))
        return answer

    def _body(self, response: httpx.Response) -> bytes:
        if response.status_code != 200:
            return b""
        until = time.monotonic() + self.manners.page_seconds
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > self.manners.max_bytes:
                limit = self.manners.max_bytes / 1024 / 1024
                raise _UnreadError(f"The page is larger than {limit:g} MB. It is left out.")
            if time.monotonic() > until:
                raise _UnreadError(f"The page takes longer than {self.manners.page_seconds:g} s to be sent.")
        return bytes(content)


def _entries(content: bytes) -> list[tuple[str, str, str]] | None:
    """Kind (url, sitemap), address and lastmod of what a sitemap lists; None for another kind of file."""
    found: list[tuple[str, str, str]] = []
    told: dict[str, str] = {}
    root = ""
    try:
        # Nothing outside the file is read by this parser, and expat itself bounds what entities grow to.
        for event, element in ElementTree.iterparse(BytesIO(content), events=("start", "end")):  # noqa: S314
            name = element.tag.rpartition("}")[2]
            root = root or name
            if event == "start":
                continue
            if name in ("loc", "lastmod"):
                told.setdefault(name, (element.text or "").strip())
            elif name in ("url", "sitemap"):
                found.append((name, told.get("loc", ""), told.get("lastmod", "")))
                told = {}
                element.clear()
    except ElementTree.ParseError:
        return None
    return found if root in ("urlset", "sitemapindex") else None


def _unpacked(content: bytes, max_bytes: int) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(content, max_bytes + 1)
    except zlib.error as error:
        raise _UnreadError(f"It is damaged ({error}).") from error
    if len(unpacked) > max_bytes:
        raise _UnreadError(f"It is larger than {max_bytes / 1024 / 1024:g} MB.")
    return unpacked


def _document(answer: _Answer) -> tuple[str | None, bytes]:
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


def _refusal(status: int) -> str:
    return _REFUSALS.get(status, f"The site answers with HTTP {status}. It is tried again with the next run.")


def _unavailable(url: str, reason: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{url} cannot be read: {reason} Check the address and the network; what is known from it stays."
    )


def _moment(told: str) -> datetime | None:
    """When a page was changed, as a header or a sitemap says it; None where that is no date."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(told)
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _port(url: httpx.URL) -> int | None:
    return None if url.port in (80, 443) and url.port == {"http": 80, "https": 443}[url.scheme] else url.port


def _place(url: httpx.URL) -> tuple[str, int | None]:
    """The host and its port, the same for http and https as they usually are."""
    return url.host, _port(url)


def _read_cursor(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor()
    content = json.loads(cursor)
    return _Cursor(pages={url: _Page(**page) for url, page in content["pages"].items()}, listed=content["listed"])
