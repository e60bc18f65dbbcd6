"""One web site, asked politely: its robots.txt, its sitemaps, and one page after another, never of another host.

It speaks HTTP, through httpx; what a walk over the pages makes of the answers is in `web`.
"""

from __future__ import annotations

import base64
import re
import time
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from io import BytesIO
from urllib.parse import unquote
from xml.etree import ElementTree

import httpx

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.address import check_private, no_address, split_address
from knowledge.sources.body import BodyError, BodyLimits, read_body
from knowledge.sources.files import MAX_BYTES
from knowledge.sources.robots import Rules, read_rules
from knowledge.sources.source import NO_SECRET

USER_AGENT = "Lorekeeper"
_WHAT, _EXPECTED = "a site", "one like https://docs.example.com/handbook/."
MAX_PAGES = 2_000
# A robots.txt may ask for hours between two pages: that would hold up everything else.
_LONGEST_PAUSE_SECONDS = 60.0
_REDIRECTS = 5
_SITEMAPS = 100
_LISTED_PAGES = 100_000
_ADDRESS_CHARACTERS = 2_000
# So many pages in a row without an answer: the site is away, and waiting for each of the others helps nobody.
_SILENT_PAGES = 5
_TRACKING = re.compile(r"^(?:utm_\w+|gclid|fbclid|mc_cid|mc_eid)(?:=|$)", re.IGNORECASE)
_NO_PAGE = re.compile(
    r"\.(?:png|jpe?g|gif|svg|webp|avif|ico|css|m?js|json|xml|rss|atom|zip|gz|tgz|exe|dmg|mp[34]|webm|woff2?|ttf)$",
    re.IGNORECASE,
)
_REFUSALS = {
    401: "It wants a sign-in (HTTP 401). Give the source a credential that may read it.",
    403: "The site refuses it (HTTP 403). Only pages that everyone, or the source's credential, may see can be read.",
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
    split_address(
        location,
        what=_WHAT,
        expected=_EXPECTED,
        instead="Leave it out, keep it with `lorekeeper credentials set NAME` and add the source with --credential "
        "NAME.",
    )
    start = Site(start=location.strip()).address(location)
    if start is None:
        raise no_address(location, what=_WHAT, expected=_EXPECTED)
    return Site(start=start)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a later run must know of a page."""

    etag: str = ""
    modified: str = ""
    lastmod: str = ""
    """As the sitemap said when the page was read."""
    depth: int = 0
    was_read: bool = False
    """Or only found, or failed so far."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    url: str
    """Where the redirects led to."""
    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    for_now: bool = False
    """Whether one of the redirects was for the time being."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What the sitemaps say."""

    pages: Mapping[str, str]
    """Address -> lastmod."""
    complete: bool
    """Whether all of them could be read: what they leave out is gone then."""


class UnreadError(Exception):
    """One address cannot be read; the message is for people."""


class Visitor:
    """Asks one host for one thing after another."""

    def __init__(self, site: Site, manners: Manners, secret: Secret = NO_SECRET) -> None:
        self.site = site
        self.manners = manners
        self._pause = manners.pause_seconds
        self._rules = Rules()
        self._secret = secret
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
                raise UnreadError(refusal(answer.status))
        except UnreadError as error:
            raise unavailable(url, str(error)) from error
        # A site that has no such file, or shows it to nobody, forbids nothing.
        text = answer.content.decode("utf-8-sig", "replace") if answer.status == 200 else ""
        self._rules = read_rules(text, USER_AGENT)
        self._pause = max(self._pause, min(self._rules.delay_seconds, _LONGEST_PAUSE_SECONDS))
        if not self.may_read(self.site.start):
            raise SourceUnavailableError(
                f"{url} asks not to read {self.site.start}. Ask those who run the site to allow `{USER_AGENT}`."
            )

    def may_read(self, url: str) -> bool:
        """Whether robots.txt lets a page be read."""
        return self._rules.allows(url)

    def listing(self) -> Listing | None:
        """What the sitemaps list of this site; None where it has none. Raises SourceUnavailableError."""
        named = [one for link in self._rules.sitemaps if (one := self.site.address(link))]
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
        return Listing(pages=pages, complete=complete) if found else None

    def _sitemap(self, url: str) -> list[tuple[str, str, str]] | None:
        """The entries of one sitemap; None where there is none, or it is something else."""
        try:
            answer = self.get(url)
            if answer.status not in (200, 404, 410):
                raise UnreadError(refusal(answer.status))
            return _entries(_unpacked(answer.content, self.manners.max_bytes)) if answer.status == 200 else None
        except UnreadError as error:
            raise unavailable(url, str(error)) from error

    def _top(self, path: str) -> str:
        return str(httpx.URL(self.site.start).copy_with(path=path, query=None))

    def get(self, url: str, known: Mapping[str, Page] | None = None) -> Answer:
        """Ask for an address and follow its redirects on this host; raises UnreadError.

        `known` are pages that are sent again only where they changed.
        """
        for_now = False
        for _ in range(_REDIRECTS):
            answer = self._ask(url, (known or {}).get(url, Page()))
            target = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or target is None:
                return replace(answer, for_now=for_now)
            for_now = for_now or answer.status not in (301, 308)
            further = self.site.address(target, url)
            if further is None:
                raise UnreadError(f"It leads to another host ({target[:200]}), which is not asked.")
            if not self.may_read(further):
                raise UnreadError(f"It leads to {further}, which robots.txt asks not to read.")
            url = further
        raise UnreadError(f"It leads from one address to the next, more than {_REDIRECTS} times.")

    def _ask(self, url: str, page: Page) -> Answer:
        time.sleep(max(0.0, self._asked_at + self._pause - time.monotonic()))
        headers = {"If-None-Match": page.etag, "If-Modified-Since": page.modified} | self._entrance(url)
        try:
            with self._client.stream("GET", url, headers={name: told for name, told in headers.items() if told}) as got:
                answer = Answer(url=url, status=got.status_code, headers=got.headers, content=self._body(got))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._silent += 1
            reason = f"The site does not answer ({error or type(error).__name__})."
            if self._silent >= _SILENT_PAGES:
                raise unavailable(url, reason) from error
            raise UnreadError(reason) from error
        finally:
            self._asked_at = time.monotonic()
        self._silent = self._silent + 1 if answer.status in (429, 503) else 0
        if self._silent >= _SILENT_PAGES:
            raise unavailable(url, refusal(answer.status))
        return answer

    def _entrance(self, url: str) -> dict[str, str]:
        """What opens the pages, for the very place that it was given for: scheme, host and port."""
        if not self._secret or _origin(httpx.URL(url)) != _origin(httpx.URL(self.site.start)):
            return {}
        told = self._secret.reveal().strip()
        if told.lower().startswith("bearer "):
            return {"Authorization": f"Bearer {told[7:].strip()}"}
        return {"Authorization": f"Basic {base64.b64encode(told.encode()).decode('ascii')}"}

    def _body(self, response: httpx.Response) -> bytes:
        if response.status_code != 200:
            return b""
        limits = BodyLimits(max_bytes=self.manners.max_bytes, seconds=self.manners.page_seconds)
        try:
            return read_body(response.iter_bytes(), limits, time.monotonic())
        except BodyError as error:
            raise UnreadError(f"The page {error}. It is left out.") from error


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
        raise UnreadError(f"It is damaged ({error}).") from error
    if len(unpacked) > max_bytes:
        raise UnreadError(f"It is larger than {max_bytes / 1024 / 1024:g} MB.")
    return unpacked


def refusal(status: int) -> str:
    return _REFUSALS.get(status, f"The site answers with HTTP {status}. It is tried again with the next run.")


def unavailable(url: str, reason: str) -> SourceUnavailableError:
    return SourceUnavailableError(
        f"{url} cannot be read: {reason} Check the address and the network; what is known from it stays."
    )


def check_credential(site: Site, secret: Secret) -> None:
    """Raise SourceError where a credential is none, or would be sent so that others can read it."""
    told = secret.reveal().strip()
    if not told.isprintable() or not (told.lower().startswith("bearer ") or ":" in told.strip(":")):
        raise SourceError("The credential of a web site is USER:PASSWORD, or the word Bearer, a space and a token.")
    check_private(site.start)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _port(url: httpx.URL) -> int | None:
    return None if url.port in (80, 443) and url.port == {"http": 80, "https": 443}[url.scheme] else url.port


def _place(url: httpx.URL) -> tuple[str, int | None]:
    """The host and its port, the same for http and https as they usually are."""
    return url.host, _port(url)
