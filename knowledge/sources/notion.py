"""A page, a database or the whole workspace of Notion as a source: every page below it is a document.

Notion tells no integration who may read a page, so all have the audience of the source. It tells when a page was
edited, to the minute: one that was read within that minute, or soon after, is read again in the next run.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from knowledge.audience import EVERYONE
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError
from knowledge.secret import Secret
from knowledge.sources.files import MAX_BYTES
from knowledge.sources.gateway import ServiceAddress, read_address
from knowledge.sources.notion_api import NOT_FOUND, Json, NotionApi, NotionPage, NotionRefusedError
from knowledge.sources.notion_markdown import Block, page_markdown, page_title
from knowledge.sources.notion_tree import DATABASE, PAGE, NotionTree
from knowledge.sources.source import Checkpoint, Expected, SourceStep

MAX_BLOCKS = 20_000
"""A page with more is a data dump; it would keep a run busy for hours."""
_CHECKPOINT_EVERY = 20
# A minute of Notion's, and what its clock and ours may differ by.
_FRESH = timedelta(minutes=3)
_DEEPEST = 30
_HOSTS = ("notion.so", "www.notion.so", "app.notion.com")
_ID = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class _Known:
    uri: str
    edited: str
    """Empty where the page is to be read again in any case."""
    hash: str
    below: tuple[str, ...]
    """What its blocks name: pages and databases."""


@dataclass(kw_only=True)
class _Blocks:
    """What reading the blocks of one page has found so far."""

    count: int = 0
    below: list[str] = field(default_factory=list)


class _TooLargeError(Exception):
    pass


class NotionSource:
    """All pages below a place in Notion; `endpoint` is where the API is asked, if not at Notion itself."""

    def __init__(
        self,
        source_id: str,
        location: str,
        secret: Secret,
        audience: str = EVERYONE,
        *,
        endpoint: str | None = None,
        max_bytes: int = MAX_BYTES,
        max_blocks: int = MAX_BLOCKS,
        sleep: Callable[[float], object] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        address = read_address(location)
        self._id = source_id
        self._root = root_id(address)
        self._endpoint = endpoint or address.endpoint
        self._secret = secret
        self._audience = audience
        self._max_bytes = max_bytes
        self._max_blocks = max_blocks
        self._sleep = sleep
        self._now = now

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        after, seen, gone, told = dict(before), set[str](), set[str](), 0
        with NotionApi(self._secret, self._endpoint, self._sleep) as api:
            tree = NotionTree(api=api, root=self._root)
            first = tree.start()
            if tree.shows_all:
                pages = {page.id: page for page in first if not page.gone}
                yield Expected(documents=sum(_is_due(page, before.get(key), retry) for key, page in pages.items()))
            for page in self._all_pages(tree, first, before, after, seen):
                old = before.get(page.id)
                if not _is_due(page, old, retry):
                    continue
                step, known = self._read(tree, page, old)
                if known is None:
                    gone.add(page.id)
                    continue
                after[page.id] = known
                if old is None or old.hash != known.hash or old.uri != known.uri or {old.uri, known.uri} & set(retry):
                    yield step
                    told += 1
                    if told % _CHECKPOINT_EVERY == 0:
                        yield Checkpoint(cursor=_dump(after))
        now = {key: known for key, known in after.items() if key in seen and key not in gone}
        there = {known.uri for known in now.values()}
        for key, old in before.items():
            if key not in now and old.uri not in there:
                yield DeletedDocument(uri=old.uri)
        yield Checkpoint(cursor=_dump(now))

    def _all_pages(
        self,
        tree: NotionTree,
        first: Iterable[NotionPage],
        before: Mapping[str, _Known],
        after: Mapping[str, _Known],
        seen: set[str],
    ) -> Iterator[NotionPage]:
        """Each page once; what is below it is looked for when it has been read."""
        waiting = deque(first)
        while True:
            while waiting:
                page = waiting.popleft()
                if page.id in seen or page.gone:
                    continue
                seen.add(page.id)
                yield page
                below = after[page.id].below if page.id in after else ()
                waiting.extend(tree.below(page, below))
            lost = (tree.still_there(key, seen) for key in before if key not in seen)
            waiting.extend(page for page in lost if page is not None)
            if not waiting:
                return

    def _read(
        self, tree: NotionTree, page: NotionPage, old: _Known | None
    ) -> tuple[FetchedDocument | FailedDocument, _Known | None]:
        """Open a page; nothing is known of one that went away meanwhile."""
        found = _Blocks()
        below = old.below if old else ()
        step: FetchedDocument | FailedDocument
        try:
            blocks = self._blocks(tree.api, page.id, found, 0)
            step = self._document(tree, page, blocks, old)
            below = tuple(found.below)
        except NotionRefusedError as error:
            step = FailedDocument(uri=page.url, reason=f"Notion does not give it out ({error.code}).")
            if error.code == NOT_FOUND:
                return step, None
        except _TooLargeError as error:
            step = FailedDocument(uri=page.url, reason=str(error))
        return step, _Known(
            # What failed stays stored under the address that it had.
            uri=old.uri if old and isinstance(step, FailedDocument) else page.url,
            edited="" if _is_fresh(page.edited, self._now()) else page.edited,
            hash=_hash(step),
            below=below,
        )

    def _blocks(self, api: NotionApi, above: str, found: _Blocks, depth: int) -> tuple[Block, ...]:
        blocks = []
        for one in api.children(above):
            found.count += 1
            if found.count > self._max_blocks or depth > _DEEPEST:
                raise _TooLargeError(f"It has more than {self._max_blocks:,} blocks, or too deep ones. Split it.")
            kind = str(one.get("type", ""))
            content: Json = one.get(kind) or {}
            children: tuple[Block, ...] = ()
            if kind == "child_page":
                found.below.append(f"{PAGE}{one['id']}")
            elif kind == "child_database":
                found.below.append(f"{DATABASE}{one['id']}")
            elif one.get("has_children"):
                # What is synced from elsewhere is read where it stands.
                origin = (content.get("synced_from") or {}).get("block_id") if kind == "synced_block" else None
                children = (
                    self._synced(api, str(origin), found, depth)
                    if origin
                    else self._blocks(api, one["id"], found, depth + 1)
                )
            if not (one.get("archived") or one.get("in_trash")):
                blocks.append(Block(kind=kind, content=content, children=children))
        return tuple(blocks)

    def _synced(self, api: NotionApi, origin: str, found: _Blocks, depth: int) -> tuple[Block, ...]:
        """Pages below it belong to where they stand; where that is not shared, there is nothing to show."""
        there = _Blocks(count=found.count)
        try:
            return self._blocks(api, origin, there, depth + 1)
        except NotionRefusedError:
            return ()
        finally:
            found.count = there.count

    def _document(
        self, tree: NotionTree, page: NotionPage, blocks: tuple[Block, ...], old: _Known | None
    ) -> FetchedDocument:
        def name_of(one: Json) -> str:
            if one.get("object") == "user":
                return tree.api.name_of(one)
            related = tree.listed(str(one.get("id", "")))
            return page_title(related.properties) if related else ""

        title = page_title(page.properties) or "Untitled"
        text = page_markdown(title, _complete(tree.api, page), blocks, name_of).encode("utf-8", "replace")
        if len(text) > self._max_bytes:
            raise _TooLargeError(f"Its text is larger than {self._max_bytes / 1024 / 1024:g} MB. Split it.")
        return FetchedDocument(
            uri=page.url,
            title=title,
            content=text,
            media_type="text/markdown",
            audience=self._audience,
            modified_at=_moment(page.edited),
            moved_from=old.uri if old and old.uri != page.url else None,
            owner=next(filter(None, map(tree.api.name_of, page.people)), ""),
        )


def root_id(address: ServiceAddress) -> str | None:
    """The id of a page or database in an address; None for the workspace. Raises SourceError for another address."""
    try:
        parts = urlsplit(address.page)
        hostname = parts.hostname
    except ValueError:
        parts, hostname = urlsplit(""), None
    path = parts.path.strip("/")
    found = _ID.search(path)
    if parts.scheme != "https" or hostname not in _HOSTS or ("/" in path and not found):
        raise SourceError(
            f"{address.page!r} is no place in Notion. Expected the address of a page or database as `Copy link` gives "
            "it, https://www.notion.so/...ID, or https://www.notion.so/ for all that the integration sees."
        )
    return "-".join(found.groups()).lower() if found else None


def _complete(api: NotionApi, page: NotionPage) -> dict[str, Any]:
    """The properties, with all of a relation that the page shows the first items of."""
    told = dict(page.properties)
    for name, value in told.items():
        if value.get("type") == "relation" and value.get("has_more"):
            items = [one["relation"] for one in api.related(page.id, value["id"]) if "relation" in one]
            told[name] = {**value, "relation": items}
    return told


def _is_due(page: NotionPage, old: _Known | None, retry: Collection[str]) -> bool:
    return old is None or old.edited != page.edited or old.uri != page.url or bool({old.uri, page.url} & set(retry))


def _is_fresh(edited: str, now: datetime) -> bool:
    moment = _moment(edited)
    return moment is None or now - moment < _FRESH


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except ValueError:
        return None


def _hash(step: FetchedDocument | FailedDocument) -> str:
    said = (
        step.reason.encode()
        if isinstance(step, FailedDocument)
        else step.content + f"{step.owner} {step.modified_at}".encode()
    )
    return hashlib.sha256(said).hexdigest()[:32]


def _dump(pages: Mapping[str, _Known]) -> str:
    rows = {key: [known.uri, known.edited, known.hash, list(known.below)] for key, known in pages.items()}
    return json.dumps({"pages": rows})


def _read_cursor(cursor: str | None) -> dict[str, _Known]:
    rows = json.loads(cursor)["pages"] if cursor else {}
    return {key: _Known(uri=row[0], edited=row[1], hash=row[2], below=tuple(row[3])) for key, row in rows.items()}
