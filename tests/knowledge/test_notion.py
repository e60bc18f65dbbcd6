"""Notion as a source, asked through its client from a server with the real answers' shapes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import SyncReport, ingest
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Expected, Source, SourceStep, kind_of, name_of
from knowledge.sources.gateway import read_address
from knowledge.sources.notion import NotionSource, root_id
from knowledge.sources.notion_api import NotionApi
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.ingesting import Workplace, workplace
from tests.knowledge.notion_server import ADA, TOKEN, Notion, block, id_of, notion_served, text


@pytest.fixture
def notion() -> Iterator[Notion]:
    with notion_served() as served:
        yield served


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def workspace(notion: Notion, waits: list[float]) -> NotionSource:
    return NotionSource("s", notion.location(), Secret(TOKEN), sleep=waits.append)


def at(notion: Notion, name: str) -> NotionSource:
    return NotionSource("s", notion.location(name), Secret(TOKEN), sleep=lambda _: None)


class TestWorkspace(SourceContract):
    place = ""

    @pytest.fixture(autouse=True)
    def _place(self, notion: Notion) -> None:
        self.notion = notion
        self.minute = 0

    def build(self) -> Source:
        return at(self.notion, self.place)

    def put(self, name: str, said: str) -> str:
        self.minute += 1
        edited = f"2026-01-02T03:{self.minute:02}:00.000Z"
        return self.notion.put(name, block("paragraph", said), edited=edited, **self.parent())

    def parent(self) -> dict[str, str]:
        return {}

    def take_away(self, name: str) -> None:
        self.notion.pages[id_of(name)].in_trash = True

    def lose_place(self) -> None:
        self.notion.status = 503

    def settle(self) -> None:
        """All was edited long ago."""


class TestDatabase(TestWorkspace):
    place = "Tasks"

    @pytest.fixture(autouse=True)
    def _database(self, notion: Notion) -> None:
        notion.put_database("Tasks")

    def parent(self) -> dict[str, str]:
        return {"database": "Tasks"}


class TestWorkspaceThatTheIndexDoesNotKnow(TestDatabase):
    """Whose pages are found through their database alone."""

    place = ""

    def put(self, name: str, said: str) -> str:
        uri = super().put(name, said)
        self.notion.pages[id_of(name)].listed = False
        return uri


def run(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceStep], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return [step for step in steps if not isinstance(step, Expected)], last.cursor


def expected(source: Source, cursor: str | None = None) -> list[int]:
    return [step.documents for step in source.changes(cursor) if isinstance(step, Expected)]


def fetched(steps: list[SourceStep]) -> dict[str, FetchedDocument]:
    return {step.title: step for step in steps if isinstance(step, FetchedDocument)}


def deleted(steps: list[SourceStep]) -> list[str]:
    return [step.uri for step in steps if isinstance(step, DeletedDocument)]


def markdown_of(notion: Notion, *blocks: dict[str, Any]) -> str:
    notion.put("Page", *blocks)
    head, _, body = fetched(run(at(notion, "Page"))[0])["Page"].content.decode().partition("\n\n")
    assert head == "# Page"
    return body


def test_a_page_becomes_a_document(notion: Notion, workspace: NotionSource) -> None:
    notion.put("Team Handbook", block("paragraph", "Maria issues badges."))
    steps, _ = run(NotionSource("s", notion.location(), Secret(f" {TOKEN}\n"), "channel:C1"))
    page = fetched(steps)["Team Handbook"]
    assert page.uri == f"https://www.notion.so/Team-Handbook-{id_of('Team Handbook').replace('-', '')}"
    assert (page.owner, page.audience, page.media_type) == ("Ada Lovelace", "channel:C1", "text/markdown")
    assert page.modified_at == datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    assert page.content.decode() == "# Team Handbook\n\nMaria issues badges."
    assert notion.versions == {"2025-09-03"}


def test_everything_below_a_page_is_found(notion: Notion) -> None:
    notion.page_size = 2
    notion.put_database("Rooms", above="Top")
    child = {"type": "child_page", "content": {"title": "Child"}, "below": [], "id": id_of("Child")}
    base = {"type": "child_database", "content": {"title": "Rooms"}, "below": [], "id": id_of("Rooms")}
    foreign = {"type": "child_database", "content": {"title": "Elsewhere"}, "below": [], "id": id_of("Linked view")}
    notion.put("Top", block("paragraph", "top"), block("toggle", "more", child), base, foreign)
    notion.put("Child", block("paragraph", "child"), above="Top")
    notion.put("Not in the blocks", above="Child")
    notion.put("Other", block("paragraph", "other"))
    for number in range(3):
        notion.put(f"Room {number}", database="Rooms")
    notion.put("Below a row", above="Room 1")
    steps, _ = run(at(notion, "Top"))
    assert sorted(fetched(steps)) == [
        "Below a row", "Child", "Not in the blocks", "Room 0", "Room 1", "Room 2", "Top",
    ]  # fmt: skip
    assert fetched(steps)["Top"].content.decode() == "# Top\n\ntop\n\nmore\n\nChild\n\nRooms\n\nElsewhere"


def test_how_many_pages_will_come_is_told_of_the_workspace_and_not_of_a_page(
    notion: Notion, workspace: NotionSource
) -> None:
    """What stands below a page shows as it is read."""
    notion.put_database("Rooms", above="Top")
    notion.put("Top", block("paragraph", "top"))
    notion.put("Room", database="Rooms")
    assert expected(workspace) == [2]
    _, cursor = run(workspace)
    notion.put("New")
    assert expected(workspace, cursor) == [1]
    assert expected(at(notion, "Top")) == []


class TestMarkdown:
    def test_texts_headings_and_looks(self, notion: Notion) -> None:
        said = [
            text("Ask "),
            text(" Maria ", bold=True),
            text("or", italic=True, strikethrough=True),
            text(" run "),
            text("make it", code=True),
            text(" see "),
            text("the page", href="https://example.com/a"),
            text(" and "),
            text("ours", href="/0123"),
            text("!", href="javascript:alert(1)"),
        ]
        assert markdown_of(
            notion,
            block("heading_1", "Big"),
            block("heading_2", "Toggle", block("paragraph", "inside"), is_toggleable=True),
            block("heading_3", "Small"),
            block("paragraph", said),
            block("paragraph", "# no heading"),
            block("paragraph", "```"),
            block("divider"),
            block("paragraph", ""),
            block("some_new_block", "still read"),
            block("unsupported"),
        ) == (
            "## Big\n\n### Toggle\n\ninside\n\n#### Small\n\n"
            "Ask  **Maria** ~~*or*~~ run `make it` see [the page](https://example.com/a) and "
            "[ours](https://www.notion.so/0123)!\n\n\\# no heading\n\n\\```\n\nstill read"
        )

    def test_lists_are_nested(self, notion: Notion) -> None:
        assert markdown_of(
            notion,
            block("bulleted_list_item", "one", block("bulleted_list_item", "deep", block("paragraph", "deeper"))),
            block("bulleted_list_item", "two\nlines"),
            block("numbered_list_item", "first"),
            block("numbered_list_item", "second", block("to_do", "open", checked=False)),
            block("paragraph", "between"),
            block("numbered_list_item", "first again"),
            block("to_do", "done", checked=True),
        ) == (
            "- one\n  - deep\n    deeper\n- two\n  lines\n\n1. first\n2. second\n   - [ ] open\n\nbetween\n\n"
            "1. first again\n\n- [x] done"
        )

    def test_quotes_callouts_code_and_equations(self, notion: Notion) -> None:
        formula = {"type": "equation", "equation": {"expression": "x^2"}, "plain_text": "x^2", "annotations": {}}
        assert markdown_of(
            notion,
            block("quote", "said\ntwice", block("paragraph", "below")),
            block("callout", "mind", icon={"emoji": "!"}),
            block("code", "a = 1\n```\nb", language="python", caption=[text("how")]),
            block("code", "x", language="plain text"),
            block("equation", expression="e=mc^2"),
            block("paragraph", [text("so "), formula]),
        ) == (
            "> said\n> twice\n>\n> below\n\n> mind\n\n````python\na = 1\n```\nb\n````\n\nhow\n\n```\nx\n```\n\n"
            "$$\ne=mc^2\n$$\n\nso $x^2$"
        )

    def test_tables(self, notion: Notion) -> None:
        rows = [
            block("table_row", cells=[[text("Room")], [text("Desk | chair")]]),
            block("table_row", cells=[[text("1", bold=True)], []]),
        ]
        assert markdown_of(
            notion,
            block("table", "", *rows, has_column_header=True),
            block("table", "", rows[0], has_column_header=False),
        ) == (
            "| Room | Desk \\| chair |\n| --- | --- |\n| **1** |  |\n\n"
            "|  |  |\n| --- | --- |\n| Room | Desk \\| chair |"
        )

    def test_names_are_plain_and_pictures_only_their_captions(self, notion: Notion) -> None:
        user = {"type": "mention", "mention": {"type": "user"}, "plain_text": "@Ada", "href": None, "annotations": {}}
        page = {**user, "mention": {"type": "page"}, "plain_text": "Leave", "href": "https://www.notion.so/x"}
        file: dict[str, Any] = {"type": "external", "external": {"url": "https://example.com/p.png"}}
        assert markdown_of(
            notion,
            block("paragraph", [text("Ask "), user, text(" about "), page]),
            block("image", caption=[text("The desk")], **file),
            block("image", **file),
            block("file", name="plan.pdf", **file),
            block("bookmark", url="https://example.com/b", caption=[]),
            block("embed", url="javascript:alert(1)"),
            block("column_list", "", block("column", "", block("paragraph", "left")), block("column", "")),
        ) == ("Ask Ada about Leave\n\nThe desk\n\nplan.pdf\n\n[https://example.com/b](https://example.com/b)\n\nleft")

    def test_a_synced_block_shows_what_stands_at_its_origin(self, notion: Notion) -> None:
        origin = {"type": "synced_block", "content": {"synced_from": None}, "id": id_of("origin")}
        notion.put("Origin", {**origin, "below": [block("paragraph", "shared words")]})
        run(at(notion, "Origin"))
        copies: list[dict[str, Any]] = [
            {"type": "synced_block", "content": {"synced_from": {"block_id": one}}, "below": [block("paragraph", "x")]}
            for one in (id_of("origin"), id_of("private"))
        ]
        assert markdown_of(notion, *copies) == "shared words"

    def test_properties_of_a_row_are_lines(self, notion: Notion) -> None:
        def prop(kind: str, value: object, **more: object) -> dict[str, object]:
            return {"id": f"p-{kind}", "type": kind, kind: value, **more}

        notion.put_database("Tasks")
        notion.put("Desk")
        many = [{"id": id_of("Desk")}, {"id": id_of("private")}, {"id": id_of("Row")}]
        notion.put(
            "Row",
            database="Tasks",
            properties={
                "Text": prop("rich_text", [text("two\n"), text("parts")]),
                "Cost": prop("number", 15.0),
                "State": prop("status", {"name": "Open"}),
                "Kind": prop("select", None),
                "Tags": prop("multi_select", [{"name": "a"}, {"name": "b"}]),
                "When": prop("date", {"start": "2026-01-02", "end": "2026-01-05"}),
                "Who": prop("people", [{"object": "user", "id": ADA}, {"object": "user", "id": "x", "name": "Ben"}]),
                "Done": prop("checkbox", False),
                "Link": prop("url", "https://example.com"),
                "Sum": prop("formula", {"type": "number", "number": 2.5}),
                "All": prop("rollup", {"type": "array", "array": [{"type": "title", "title": [text("X")]}]}),
                "Files": prop("files", [{"name": "plan.pdf", "type": "file"}]),
                "No": prop("unique_id", {"prefix": "T", "number": 7}),
                "Near": prop("relation", many[:1], has_more=True, all=many),
                "Press": prop("button", {}),
                "Made": prop("created_by", {"object": "user", "id": ADA}),
            },
        )
        notion.page_size = 2
        content = fetched(run(at(notion, "Tasks"))[0])["Row"].content.decode()
        assert content == (
            "# Row\n\nText: two parts\nCost: 15\nState: Open\nTags: a, b\nWhen: 2026-01-02 to 2026-01-05\n"
            "Who: Ada Lovelace, Ben\nDone: no\nLink: https://example.com\nSum: 2.5\nAll: X\nFiles: plan.pdf\n"
            "No: T-7\nNear: Desk, Row\nMade: Ada Lovelace"
        )

    def test_a_page_without_a_title_has_a_name(self, notion: Notion) -> None:
        notion.put("x", block("paragraph", "text"))
        notion.pages[id_of("x")].title = ""
        assert list(fetched(run(at(notion, "x"))[0])) == ["Untitled"]


class TestIncremental:
    def test_only_pages_with_another_time_are_opened(self, notion: Notion, workspace: NotionSource) -> None:
        for name in "ABC":
            notion.put(name, block("paragraph", name))
        _, cursor = run(workspace)
        notion.put("B", block("paragraph", "other"), edited="2026-01-03T00:00:00.000Z")
        notion.put("C", block("paragraph", "C"), edited="2026-01-03T00:00:00.000Z")
        notion.asked.clear()
        steps, _ = run(workspace, cursor)
        assert list(fetched(steps)) == ["B", "C"]  # of C only the time is new, which INGEST notes
        assert sorted(notion.read()) == ["B", "C"]

    def test_a_page_read_in_the_minute_of_its_edit_is_read_again(self, notion: Notion) -> None:
        moment = datetime(2026, 1, 2, 3, 4, 30, tzinfo=UTC)
        source = NotionSource("s", notion.location(), Secret(TOKEN), sleep=lambda _: None, now=lambda: moment)
        notion.put("A", block("paragraph", "first"))
        _, cursor = run(source)
        notion.put("A", block("paragraph", "second"))
        steps, cursor = run(source, cursor)
        assert b"second" in fetched(steps)["A"].content
        steps, cursor = run(source, cursor)
        assert steps == []
        moment = datetime(2026, 1, 2, 3, 10, tzinfo=UTC)
        _, cursor = run(source, cursor)
        notion.asked.clear()
        run(source, cursor)
        assert notion.read() == []

    def test_a_new_title_is_a_new_address_of_the_same_document(self, notion: Notion, workspace: NotionSource) -> None:
        before = notion.put("A", block("paragraph", "text"))
        _, cursor = run(workspace)
        page = notion.pages[id_of("A")]
        page.title, page.edited = "B", "2026-01-03T00:00:00.000Z"
        steps, cursor = run(workspace, cursor)
        assert fetched(steps)["B"].moved_from == before
        assert deleted(steps) == []
        assert run(workspace, cursor)[0] == []

    def test_a_page_that_failed_keeps_its_address(self, notion: Notion, workspace: NotionSource) -> None:
        before = notion.put("A", block("paragraph", "text"))
        _, cursor = run(workspace)
        page = notion.pages[id_of("A")]
        page.title, page.edited, page.refused = "B", "2026-01-03T00:00:00.000Z", (400, "validation_error")
        steps, cursor = run(workspace, cursor)
        assert [type(step) for step in steps] == [FailedDocument]
        page.refused = None
        steps, _ = run(workspace, cursor, retry={notion.address("A")})
        assert fetched(steps)["B"].moved_from == before

    def test_a_page_that_moves_away_disappears(self, notion: Notion) -> None:
        child = {"type": "child_page", "content": {"title": "A"}, "below": [], "id": id_of("A")}
        notion.put("Top", child)
        gone = notion.put("A", above="Top")
        below = notion.put("B", above="A")
        notion.put("Other")
        _, cursor = run(at(notion, "Top"))
        notion.pages[id_of("A")].parent = {"type": "page_id", "page_id": id_of("Other")}
        steps, _ = run(at(notion, "Top"), cursor)
        assert sorted(deleted(steps)) == sorted([gone, below])

    def test_a_page_that_moves_within_stays_although_no_way_leads_to_it_yet(self, notion: Notion) -> None:
        toggle = block("toggle", "more", {"type": "child_page", "content": {}, "below": [], "id": id_of("A")})
        notion.put_database("Rooms", above="Top")
        notion.put("Top", toggle, edited="2026-01-02T03:04:00.000Z")
        notion.put("A", listed=False, above="Top")
        notion.put("B", listed=False, above="Top")
        source = at(notion, "Top")
        _, cursor = run(source)
        notion.pages[id_of("B")].listed = True
        _, cursor = run(source, cursor)
        notion.pages[id_of("B")].listed = False
        assert notion.blocks
        toggle_id = next(key for key, one in notion.blocks.items() if one["type"] == "toggle")
        for parent in (
            {"type": "page_id", "page_id": id_of("A")},
            {"type": "block_id", "block_id": toggle_id},
            {"type": "data_source_id", "data_source_id": id_of("Rooms source")},
        ):
            notion.pages[id_of("B")].parent = parent
            assert run(source, cursor)[0] == []
        notion.pages[id_of("B")].parent = {"type": "workspace", "workspace": "true"}
        assert deleted(run(source, cursor)[0]) == [notion.address("B")]

    def test_what_the_index_forgot_is_asked_for_before_it_is_gone(
        self, notion: Notion, workspace: NotionSource
    ) -> None:
        uris = [notion.put(name, block("paragraph", name)) for name in "ABCD"]
        _, cursor = run(workspace)
        notion.pages[id_of("A")].listed = False
        notion.pages[id_of("B")].shared = False
        notion.pages[id_of("C")].in_trash = True
        steps, _ = run(workspace, cursor)
        assert deleted(steps) == [uris[1], uris[2]]
        assert len(steps) == 2

    def test_a_page_that_goes_while_it_is_read_is_gone(self, notion: Notion, workspace: NotionSource) -> None:
        uri = notion.put("A", block("paragraph", "text"))
        notion.put("B")
        _, cursor = run(workspace)
        page = notion.pages[id_of("A")]
        page.edited, page.refused = "2026-01-03T00:00:00.000Z", (404, "object_not_found")
        assert deleted(run(workspace, cursor)[0]) == [uri]

    def test_a_stopped_run_goes_on_where_it_was(self, notion: Notion, workspace: NotionSource) -> None:
        for number in range(25):
            notion.put(f"P{number}", block("paragraph", "x"))
        cursor = next(step.cursor for step in workspace.changes(None) if isinstance(step, Checkpoint))
        notion.asked.clear()
        assert len(fetched(run(workspace, cursor)[0])) == 5
        assert len(notion.read()) == 5


class TestTrouble:
    def test_a_page_that_cannot_be_read_fails_alone(self, notion: Notion, workspace: NotionSource) -> None:
        uri = notion.put("A", refused=(400, "validation_error"))
        notion.put("B")
        steps, cursor = run(workspace)
        assert list(fetched(steps)) == ["B"]
        (failed,) = (step for step in steps if isinstance(step, FailedDocument))
        assert (failed.uri, failed.reason) == (uri, "Notion does not give it out (validation_error).")
        notion.pages[id_of("A")].refused = None
        assert list(fetched(run(workspace, cursor, retry={uri})[0])) == ["A"]

    def test_a_page_too_large_fails_alone(self, notion: Notion) -> None:
        notion.put("A", *[block("paragraph", "x")] * 5)
        notion.put("B", block("paragraph", "x" * 200))
        notion.put("C", block("paragraph", "x"))
        steps, _ = run(
            NotionSource("s", notion.location(), Secret(TOKEN), sleep=lambda _: None, max_blocks=4, max_bytes=100)
        )
        assert list(fetched(steps)) == ["C"]
        reasons = [step.reason for step in steps if isinstance(step, FailedDocument)]
        assert ["blocks" in reasons[0], "larger than" in reasons[1]] == [True, True]

    @pytest.mark.parametrize(
        ("status", "code"),
        [(429, "rate_limited"), (500, "internal_server_error"), (503, "service_unavailable"), (409, "conflict_error")],
    )
    def test_a_busy_service_is_asked_again(
        self, notion: Notion, workspace: NotionSource, waits: list[float], status: int, code: str
    ) -> None:
        notion.put("A")
        notion.trouble = [(status, {"Retry-After": "7"}, code), (status, {}, code)]
        assert list(fetched(run(workspace)[0])) == ["A"]
        assert waits[0] == 7
        assert len(waits) == 2

    def test_it_gives_up_in_the_end(self, notion: Notion, workspace: NotionSource, waits: list[float]) -> None:
        notion.status = 502
        with pytest.raises(SourceUnavailableError, match="answered 502"):
            run(workspace)
        assert len(waits) == 5

    def test_a_service_that_nobody_reaches_is_left_at_once(self, waits: list[float]) -> None:
        with notion_served() as notion:
            location = notion.location()
        with pytest.raises(SourceUnavailableError, match="nobody answers"):
            run(NotionSource("s", location, Secret(TOKEN), sleep=waits.append))
        assert waits == []

    def test_what_was_read_before_it_broke_is_kept_and_nothing_deleted(
        self, notion: Notion, workspace: NotionSource
    ) -> None:
        for number in range(3):
            notion.put(f"P{number}", block("paragraph", "x"))
        told = workspace.changes(None)
        steps = [next(told), next(told)]
        notion.status = 500
        with pytest.raises(SourceUnavailableError):
            steps.extend(told)
        assert [type(step) for step in steps] == [Expected, FetchedDocument]

    def test_a_token_that_is_not_accepted_is_said(self, notion: Notion, workspace: NotionSource) -> None:
        notion.token = "other"
        with pytest.raises(SourceUnavailableError, match="token is not accepted"):
            run(workspace)

    def test_nothing_shared_says_where_to_share(self, notion: Notion, workspace: NotionSource) -> None:
        with pytest.raises(SourceUnavailableError, match="no page is shared"):
            run(workspace)
        with pytest.raises(SourceUnavailableError, match=r"object_not_found.*Connections"):
            run(at(notion, "A"))
        notion.put("A", in_trash=True)
        with pytest.raises(SourceUnavailableError, match="bin"):
            run(at(notion, "A"))

    def test_without_the_right_to_read_names_there_is_no_owner(self, notion: Notion, workspace: NotionSource) -> None:
        notion.tells_users = False
        notion.put("A")
        notion.put("B")
        assert {step.owner for step in fetched(run(workspace)[0]).values()} == {""}
        assert len([path for path in notion.asked if "/users/" in path]) == 1

    def test_it_keeps_to_three_questions_a_second(self, notion: Notion) -> None:
        slept: list[float] = []
        with NotionApi(Secret(TOKEN), notion.url, slept.append, lambda: 5.0) as api:
            for _ in range(13):
                list(api.search())
        assert slept == pytest.approx([1 / 3, 2 / 3, 1.0])

    @pytest.mark.parametrize("token", ["", "two words", "tökén", "a\nb"])
    def test_what_is_no_token_is_refused_and_not_shown(self, notion: Notion, token: str) -> None:
        with pytest.raises(SourceError) as refused:
            run(NotionSource("s", notion.location(), Secret(token)))
        assert not token or token not in str(refused.value)

    def test_secrets_show_nowhere(
        self,
        notion: Notion,
        workspace: NotionSource,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(0)
        notion.put("A", refused=(400, "validation_error"))
        notion.trouble = [(429, {}, "rate_limited")]
        steps, cursor = run(workspace)
        notion.status = 500
        with pytest.raises(SourceUnavailableError) as failed:
            run(workspace)
        shown = f"{steps} {cursor} {failed.value} {caplog.text} {workspace!r} {capsys.readouterr()}"
        assert TOKEN not in shown
        assert "hidden detail" not in shown


def test_addresses_of_places() -> None:
    known = "01234567-89ab-cdef-0123-456789abcdef"
    plain = known.replace("-", "")
    good = [
        f"https://www.notion.so/acme/Team-Handbook-{plain}?pvs=4#block",
        f"https://notion.so/{plain}",
        f"https://www.notion.so/acme/{known}?v=ffffffffffffffffffffffffffffffff",
        f"https://app.notion.com/p/Team-{plain}",
    ]
    assert {root_id(read_address(one)) for one in good} == {known}
    workspaces = ["https://www.notion.so/", "https://notion.so", "https://www.notion.so/acme"]
    assert {root_id(read_address(one)) for one in workspaces} == {None}
    assert {kind_of(one) for one in good + workspaces} == {"notion"}
    assert kind_of("https://www.notion.com/help") == kind_of("https://notion.software/") == "web"
    assert [name_of(one) for one in (good[0], good[1], workspaces[0])] == ["Team Handbook", "notion", "notion"]
    for bad in (
        "https://acme.notion.site/x",
        "https://www.notion.so/acme/Team-Handbook",
        "http://notion.so",
        "https://[",
    ):
        with pytest.raises(SourceError, match="no place in Notion"):
            root_id(read_address(bad))


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


def test_from_end_to_end(notion: Notion, work: Workplace) -> None:
    stored = add_source(work.engine, kind="notion", location=notion.location())

    def sync() -> SyncReport:
        return ingest(NotionSource(stored.id, notion.location(), Secret(TOKEN), sleep=lambda _: None), work.parts)

    notion.put("Badges", block("paragraph", "Maria issues badges."))
    notion.put("Leave", block("paragraph", "16 weeks."))
    assert sync().added == 2
    assert sync().unchanged == 2
    (before,) = work.rows("SELECT id FROM document WHERE title = 'Badges'")
    page = notion.pages[id_of("Badges")]
    page.title, page.edited = "Keys", "2026-01-03T00:00:00.000Z"
    assert sync().deleted == 0
    assert work.rows("SELECT id, owner, uri FROM document WHERE title = 'Keys'") == [
        (*before, "Ada Lovelace", notion.address("Badges"))
    ]
    page.in_trash = True
    assert sync().deleted == 1
    assert work.rows("SELECT title FROM document") == [("Leave",)]


def test_blocks_synced_in_a_circle_come_to_an_end(notion: Notion) -> None:
    def synced(name: str, origin: str, *below: dict[str, Any]) -> dict[str, Any]:
        content = {"synced_from": {"block_id": id_of(origin)} if origin else None}
        return {"type": "synced_block", "content": content, "below": list(below), "id": id_of(name)}

    round_about = [synced(f"copy {number}", "origin", block("paragraph")) for number in range(3)]
    notion.put("Page", synced("origin", "", *round_about))
    source = NotionSource("s", notion.location("Page"), Secret(TOKEN), sleep=lambda _: None, max_blocks=50)
    steps, _ = run(source)
    assert [type(step) for step in steps] == [FailedDocument]
    assert len(notion.asked) < 60
