"""What lies below a page, a database or the whole workspace of Notion, and what of it is still there.

Notion's index tells most of it with few questions, but lags behind and promises nothing: what it does not show is
asked for itself before it counts as gone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from knowledge.errors import SourceUnavailableError
from knowledge.sources.notion_api import NOT_FOUND, Json, NotionApi, NotionPage, NotionRefusedError, page_of

PAGE = "page:"
DATABASE = "database:"
_DEEPEST = 100


@dataclass(kw_only=True)
class NotionTree:
    """One run's way through the pages."""

    api: NotionApi
    root: str | None
    """The id of a page or database; None for all that the integration sees."""
    _listed: dict[str, NotionPage] = field(default_factory=dict, init=False)
    _below: dict[str, list[NotionPage]] = field(default_factory=dict, init=False)
    _bases_below: dict[str, list[str]] = field(default_factory=dict, init=False)
    _sources: list[str] = field(default_factory=list, init=False)
    _read: set[str] = field(default_factory=set, init=False)
    """Databases and data sources whose rows were told."""
    _begins_at_page: bool = field(default=False, init=False)

    @property
    def shows_all(self) -> bool:
        """Whether, but for a few, the way begins at all pages that there are.

        Of what stands below a page that cannot be told: only the blocks of each page say where its own pages are.
        """
        return not self._begins_at_page

    def start(self) -> list[NotionPage]:
        """Where the way begins. Raises SourceUnavailableError where the place cannot be seen (any more)."""
        first = self._root_pages() if self.root else None
        try:
            self._list()
        except NotionRefusedError as error:
            raise _unseen(
                f"its pages cannot be listed ({error.code}); the integration must be allowed to read content"
            ) from error
        if first is not None:
            return first
        if not self._listed and not self._sources:
            raise _unseen("no page is shared with the integration; open one, and choose it under ••• > Connections")
        rows = (page for one in self._sources for page in self._rows(one))
        return [*self._listed.values(), *rows]

    def below(self, page: NotionPage, children: Sequence[str]) -> Iterator[NotionPage]:
        """The pages below a page: those that its blocks name, as `PAGE` or `DATABASE` with an id, and others listed."""
        for child in children:
            if child.startswith(DATABASE):
                yield from self._database(child.removeprefix(DATABASE))
            else:
                found = self.page(child.removeprefix(PAGE))
                # Its blocks may have been read before it moved.
                moved = found is not None and found.parent_kind == "page_id" and found.parent_id != page.id
                if found is not None and not moved:
                    yield found
        yield from self._below.get(page.id, ())
        for database in self._bases_below.get(page.id, ()):
            yield from self._database(database)

    def page(self, page_id: str) -> NotionPage | None:
        """A page that is there; None for one that is gone or not shared."""
        found = self._listed.get(page_id)
        if found is None:
            try:
                found = self.api.page(page_id)
            except NotionRefusedError:
                return None
        return None if found.gone else found

    def still_there(self, page_id: str, seen: Collection[str]) -> NotionPage | None:
        """A page that no way led to, where it is nevertheless below the root."""
        page = self.page(page_id)
        if page is None or self.root is None:
            return page
        kind, place = page.parent_kind, page.parent_id
        try:
            for _ in range(_DEEPEST):
                if place in seen or place in self._read:
                    return page
                parent = self._parent(kind, place)
                if parent is None:
                    return None
                kind = str(parent.get("type", ""))
                place = str(parent.get(kind, ""))
        except NotionRefusedError:
            return None
        return None

    def listed(self, page_id: str) -> NotionPage | None:
        """What is listed of a page, without asking for it."""
        return self._listed.get(page_id)

    def _parent(self, kind: str, place: str) -> Json | None:
        if kind == "page_id":
            page = self.page(place)
            return {"type": page.parent_kind, page.parent_kind: page.parent_id} if page else None
        if kind == "block_id":
            return dict(self.api.block(place).get("parent") or {})
        if kind == "database_id":
            return dict(self.api.database(place).get("parent") or {})
        return None

    def _root_pages(self) -> list[NotionPage]:
        root = str(self.root)
        try:
            page = self.api.page(root)
        except NotionRefusedError as error:
            return self._root_rows(error.code)
        if page.gone:
            raise _unseen("the page is archived or in the bin")
        self._begins_at_page = True
        return [page]

    def _root_rows(self, code: str) -> list[NotionPage]:
        try:
            database = self.api.database(str(self.root))
        except NotionRefusedError as error:
            what = f"there is no page or database {self.root} that the integration sees ({code})"
            hint = "open it in Notion, and add the integration under ••• > Connections"
            raise _unseen(f"{what}; {hint}") from error
        if database.get("archived") or database.get("in_trash"):
            raise _unseen("the database is archived or in the bin")
        self._read.add(str(database["id"]))
        try:
            return [page for one in database.get("data_sources") or () for page in self._rows(str(one["id"]))]
        except NotionRefusedError as error:
            raise _unseen(f"the rows of the database cannot be read ({error.code})") from error

    def _list(self) -> None:
        for one in self.api.search():
            if one.get("object") == "page" and "parent" in one:
                page = page_of(one)
                self._listed[page.id] = page
                if page.parent_kind == "page_id" and not page.gone:
                    self._below.setdefault(page.parent_id, []).append(page)
            elif one.get("object") == "data_source" and not (one.get("archived") or one.get("in_trash")):
                self._sources.append(str(one["id"]))
                above, database = one.get("database_parent") or {}, (one.get("parent") or {}).get("database_id")
                if above.get("type") == "page_id" and database:
                    self._bases_below.setdefault(str(above["page_id"]), []).append(str(database))

    def _database(self, database_id: str) -> Iterator[NotionPage]:
        if database_id in self._read:
            return
        self._read.add(database_id)
        try:
            database = self.api.database(database_id)
            if not (database.get("archived") or database.get("in_trash")):
                for one in database.get("data_sources") or ():
                    yield from self._rows(str(one["id"]))
        except NotionRefusedError as error:
            if error.code not in (NOT_FOUND, "validation_error"):
                raise _unseen(f"a database cannot be read ({error.code})") from error
            # Not shared, or a view of a database that stands elsewhere.

    def _rows(self, source_id: str) -> Iterator[NotionPage]:
        if source_id in self._read:
            return
        self._read.add(source_id)
        for row in self.api.rows(source_id):
            if row.get("object") == "page":
                page = page_of(row)
                # As of now, and so better than what the index says.
                self._listed[page.id] = page
                if not page.gone:
                    yield page
            elif row.get("object") == "data_source":
                database = (row.get("parent") or {}).get("database_id")
                if database:
                    yield from self._database(str(database))


def _unseen(why: str) -> SourceUnavailableError:
    return SourceUnavailableError(f"Notion cannot be read: {why}. What is known from it stays.")
