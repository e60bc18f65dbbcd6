"""Notion as we ask it: what an integration may see, a page's blocks, a database's rows. Only reads.

The one module that knows Notion's client. What it raises is a SourceError where nothing can be read, NotionRefusedError
where one thing cannot. Speaks the client's own version of the API, in which a database holds data sources.
"""

from __future__ import annotations

import functools
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from notion_client import APIErrorCode, APIResponseError, Client
from notion_client.errors import HTTPResponseError, NotionClientErrorBase, RequestTimeoutError

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.patience import Busy, Patience

PER_SECOND = 3.0
"""As many questions as Notion answers on average."""
NOT_FOUND = "object_not_found"
_TIMEOUT_MS = 60_000
_PAGE_SIZE = 100
_BUSY_CODES = (
    APIErrorCode.RateLimited,
    APIErrorCode.ConflictError,
    APIErrorCode.InternalServerError,
    APIErrorCode.ServiceUnavailable,
    APIErrorCode.GatewayTimeout,
)

# Under a level that says nothing: what went wrong is told by what we raise.
_client_logger = logging.getLogger(f"{__name__}.client")

Json = Mapping[str, Any]


class NotionRefusedError(Exception):
    """Notion does not give out one thing; the code is Notion's word for why, like object_not_found."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class NotionPage:
    """What is known of a page without its blocks."""

    id: str
    url: str
    edited: str
    """When it was edited last, to the minute, as Notion writes it."""
    parent_kind: str
    parent_id: str
    gone: bool
    """It is archived, or in the bin."""
    people: tuple[Json, ...] = ()
    """Who edited it last, and who made it."""
    properties: Json = field(default_factory=dict, repr=False)


class NotionApi:
    """Questions to Notion; made for one run, from one thread."""

    def __init__(
        self,
        secret: Secret,
        endpoint: str | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not secret:
            raise SourceError(
                "Notion is read with the token of an integration. Keep it: lorekeeper credentials set NAME, and add "
                "the source with --credential NAME."
            )
        token = secret.reveal().strip()
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise SourceError("The credential is no token of Notion: expected one word, which begins with ntn_.")
        options: dict[str, Any] = {"base_url": endpoint.rstrip("/")} if endpoint else {}
        self._http = httpx.Client(verify=_certificates())
        self._client = Client(
            client=self._http,
            auth=token,
            timeout_ms=_TIMEOUT_MS,
            retry=False,
            logger=_client_logger,
            log_level=logging.CRITICAL,
            **options,
        )
        self._patience = Patience(busy=_busy, unavailable=_unavailable, sleep=sleep, clock=clock, per_second=PER_SECOND)
        self._names: dict[str, str] = {}
        self._may_ask_names = True

    def __enter__(self) -> NotionApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def search(self) -> Iterator[Json]:
        """All pages and data sources that the integration sees, as Notion's index knows them: it may lag behind."""
        return self._pages(self._client.search, sort={"timestamp": "last_edited_time", "direction": "descending"})

    def page(self, page_id: str) -> NotionPage:
        """One page."""
        return page_of(self._ask(lambda: self._client.pages.retrieve(page_id)))

    def database(self, database_id: str) -> Json:
        """One database, with its data sources."""
        found: Json = self._ask(lambda: self._client.databases.retrieve(database_id))
        return found

    def rows(self, data_source_id: str) -> Iterator[Json]:
        """The pages, and in a wiki the data sources, of a data source."""
        return self._pages(self._client.data_sources.query, data_source_id=data_source_id)

    def block(self, block_id: str) -> Json:
        """One block."""
        found: Json = self._ask(lambda: self._client.blocks.retrieve(block_id))
        return found

    def children(self, block_id: str) -> Iterator[Json]:
        """The blocks directly below a block or page."""
        return self._pages(self._client.blocks.children.list, block_id=block_id)

    def related(self, page_id: str, property_id: str) -> Iterator[Json]:
        """All items of a property of which a page shows only the first 25."""
        return self._pages(self._client.pages.properties.retrieve, page_id=page_id, property_id=property_id)

    def name_of(self, user: Json) -> str:
        """What people call a user; empty where the integration may not know."""
        key = str(user.get("id", ""))
        if user.get("name") or not key:
            return str(user.get("name") or "")
        if key not in self._names and self._may_ask_names:
            try:
                self._names[key] = str(self._ask(lambda: self._client.users.retrieve(key)).get("name") or "")
            except NotionRefusedError as error:
                self._names[key] = ""
                self._may_ask_names = error.code == NOT_FOUND
        return self._names.get(key, "")

    def _pages(self, ask: Callable[..., Any], **arguments: Any) -> Iterator[Json]:
        position: str | None = None
        while True:
            more = {} if position is None else {"start_cursor": position}
            answer = self._ask(functools.partial(ask, **arguments, **more, page_size=_PAGE_SIZE))
            if not isinstance(answer.get("results"), list):
                raise _unavailable("what it answers makes no sense")
            yield from answer["results"]
            position = answer.get("next_cursor")
            if not answer.get("has_more") or not position:
                return

    def _ask(self, call: Callable[[], Any]) -> Any:
        try:
            answer = self._patience.ask(call)
        except APIResponseError as error:
            if error.code == APIErrorCode.Unauthorized:
                raise _unavailable(
                    "the token is not accepted. Copy it anew from the integration's page, and set the credential again"
                ) from error
            raise NotionRefusedError(error.code.value) from error
        except HTTPResponseError as error:
            raise _unavailable(f"it answered {error.status}") from error
        except (NotionClientErrorBase, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unavailable(f"what it answers makes no sense ({type(error).__name__})") from error
        if not isinstance(answer, dict):
            raise _unavailable("what it answers makes no sense")
        return answer


@functools.cache
def _certificates() -> ssl.SSLContext:
    """The authorities that are believed; reading them takes longer than an answer."""
    return httpx.create_ssl_context()


def page_of(answer: Json) -> NotionPage:
    """A page from Notion's answer."""
    parent = answer.get("parent") or {}
    kind = str(parent.get("type", ""))
    return NotionPage(
        id=str(answer["id"]),
        url=_page_url(answer),
        edited=str(answer.get("last_edited_time", "")),
        parent_kind=kind,
        parent_id=str(parent.get(kind, "")),
        gone=bool(answer.get("archived") or answer.get("in_trash")),
        people=tuple(answer[name] for name in ("last_edited_by", "created_by") if answer.get(name)),
        properties=answer.get("properties") or {},
    )


def _page_url(answer: Json) -> str:
    url = str(answer.get("url") or "")
    return url if url.startswith("https://") else f"https://www.notion.so/{str(answer['id']).replace('-', '')}"


def _busy(error: Exception) -> Busy | None:
    if isinstance(error, HTTPResponseError):
        if error.code in _BUSY_CODES or error.status == httpx.codes.TOO_MANY_REQUESTS or error.status >= 500:
            return Busy(why=f"it answered {error.status}", after_seconds=_seconds(error.headers.get("retry-after")))
        return None
    if isinstance(error, (RequestTimeoutError, httpx.TransportError)):
        return Busy(why=f"nobody answers ({type(error).__name__})", away=True)
    return None


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.strip().isdigit() else None


def _unavailable(why: str) -> SourceUnavailableError:
    return SourceUnavailableError(f"Notion cannot be read: {why}. What is known from it stays.")
