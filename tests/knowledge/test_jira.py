"""Jira as a source, through its real client, from a server that answers as Cloud and Data Center do."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument, SourceChange
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import SyncReport, ingest
from knowledge.parse import Parser
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Expected, Source, SourcePlace, SourceStep, kind_of, name_of, open_source
from knowledge.sources.atlassian import AtlassianLimits
from knowledge.sources.jira import JiraSource, parse_jira
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.atlassian_server import ANA, BEN, TOKEN, Issue, Tracker, atlassian_served
from tests.knowledge.ingesting import Workplace, workplace

Waits = list[float]


@pytest.fixture(params=[True, False], ids=["cloud", "data center"])
def tracker(request: pytest.FixtureRequest) -> Iterator[Tracker]:
    served = Tracker(cloud=request.param)
    with atlassian_served(served):
        yield served


def source_of(
    tracker: Tracker, location: str = "", limits: AtlassianLimits | None = None, waits: Waits | None = None
) -> JiraSource:
    place = SourcePlace(
        id="s", location=location or tracker.location, audience="channel:C1", secret=Secret(tracker.credential)
    )
    return JiraSource(place, limits, (waits if waits is not None else []).append)


def steps_of(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceStep], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return steps, last.cursor


def changes_of(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> list[SourceChange]:
    steps, _ = steps_of(source, cursor, retry)
    return [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument | FailedDocument)]


def markdown_of(step: object) -> str:
    assert isinstance(step, FetchedDocument)
    with Parser() as parser:
        return parser.parse(step).markdown


class TestJira(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.changes = 0

    def build(self) -> Source:
        return source_of(self.tracker)

    def put(self, name: str, text: str) -> str:
        self.changes += 1
        known = [one.id for one in self.tracker.issues.values() if one.summary == name]
        number = known[0] if known else str(100 + self.changes)
        updated = f"2026-01-02T03:04:05.{self.changes:03}+0000"
        return self.tracker.put(Issue(id=number, key=f"TEAM-{number}", summary=name, description=text, updated=updated))

    def take_away(self, name: str) -> None:
        (number,) = (one.id for one in self.tracker.issues.values() if one.summary == name)
        del self.tracker.issues[number]

    def lose_place(self) -> None:
        self.tracker.down = 503

    def settle(self) -> None:
        """The time of a change is exact, and never compared with a clock."""


class TestStrictJira(TestJira):
    """A server that refuses a search for an issue that is not there."""

    @pytest.fixture(autouse=True)
    def _strict(self, tracker: Tracker) -> None:
        tracker.strict = True


def test_an_issue_becomes_a_page_with_its_comments(tracker: Tracker) -> None:
    description = (
        '<p>See <a href="https://x.example.com/browse/HR-1" title="Ana is to leave">HR-1</a>.</p>'
        "<table><tbody><tr><th>Desk</th></tr><tr><td>4</td></tr></tbody></table><ul><li>one</li></ul>"
        '<div class="code panel"><pre class="code-java">if (a &lt; b) run();</pre></div>'
    )
    comments: list[dict[str, object]] = [{"author": "Ben Okoye", "text": "<p>Done at the desk.</p>"}]
    uri = tracker.put(
        Issue(id="1", key="TEAM-1", summary="Lost <badge>", description=description, comments=comments, assignee=BEN)
    )
    (document,) = changes_of(source_of(tracker))
    assert isinstance(document, FetchedDocument)
    assert (document.uri, document.title) == (uri, "TEAM-1: Lost <badge>")
    assert (document.owner, document.audience) == ("Ben Okoye", "channel:C1")
    assert str(document.modified_at) == "2026-01-02 03:04:05+00:00"
    assert markdown_of(document) == (
        "# TEAM-1: Lost <badge>\n\nStatus: Open · Type: Task · Assignee: Ben Okoye · Reporter: Ana Ruiz · "
        "Labels: handbook\n\n## Description\n\nSee [HR-1](https://x.example.com/browse/HR-1).\n\n| Desk |\n| --- |\n"
        "| 4 |\n\n- one\n\n```\nif (a < b) run();\n```\n\n## Comments\n\n### Ben Okoye on 2026-01-03\n\n"
        "Done at the desk."
    )


def test_the_reporter_answers_for_an_issue_that_nobody_has(tracker: Tracker) -> None:
    tracker.put(Issue(id="1", key="TEAM-1", summary="One", reporter=ANA))
    (document,) = changes_of(source_of(tracker))
    assert isinstance(document, FetchedDocument)
    assert document.owner == "Ana Ruiz"


def test_comments_that_not_all_may_read_are_left_out(tracker: Tracker) -> None:
    comments: list[dict[str, object]] = [
        {"text": "for all"},
        {"text": "SECRET role", "visibility": {"type": "role", "value": "Administrators"}},
        {"text": "SECRET note", "jsdPublic": False},
        {"text": "answer", "jsdPublic": True},
    ]
    for number, shown in ((1, 20), (2, 1)):
        tracker.shown_comments = shown
        tracker.put(Issue(id="1", key="TEAM-1", summary="One", comments=comments, updated=f"2026-01-0{number}"))
        markdown = markdown_of(*changes_of(source_of(tracker)))
        assert "for all" in markdown
        assert "answer" in markdown
        assert "SECRET" not in markdown


def test_of_a_service_desk_only_comments_that_are_said_to_be_public_are_read(tracker: Tracker) -> None:
    tracker.project_type = "service_desk"
    comments: list[dict[str, object]] = [
        {"text": "SECRET perhaps"},
        {"text": "SECRET note", "jsdPublic": False},
        {"text": "ok", "jsdPublic": True},
    ]
    tracker.put(Issue(id="1", key="TEAM-1", summary="One", comments=comments))
    markdown = markdown_of(*changes_of(source_of(tracker)))
    assert markdown.endswith("\n\nok")
    assert "SECRET" not in markdown


def test_all_comments_of_a_long_talk_are_read(tracker: Tracker) -> None:
    tracker.most = 30
    comments: list[dict[str, object]] = [{"text": f"comment {number}."} for number in range(70)]
    tracker.put(Issue(id="1", key="TEAM-1", summary="One", comments=comments))
    markdown = markdown_of(*changes_of(source_of(tracker)))
    assert all(f"comment {number}." in markdown for number in range(70))
    assert tracker.times_asked("/comment?") == 3


def test_an_issue_with_a_security_level_is_left_out_from_the_moment_it_has_one(tracker: Tracker) -> None:
    secret = Issue(id="1", key="TEAM-1", summary="Secret", level="Managers")
    uri = tracker.put(secret)
    tracker.put(Issue(id="2", key="TEAM-2", summary="Open"))
    steps, cursor = steps_of(source_of(tracker))
    assert [step.title for step in steps if isinstance(step, FetchedDocument)] == ["TEAM-2: Open"]
    tracker.put(replace(secret, level=""))
    steps, cursor = steps_of(source_of(tracker), cursor)
    assert [step.uri for step in steps if isinstance(step, FetchedDocument)] == [uri]
    tracker.put(secret)
    assert changes_of(source_of(tracker), cursor) == [DeletedDocument(uri=uri)]


def test_an_issue_closed_between_the_list_and_its_text_is_not_read(tracker: Tracker) -> None:
    issue = Issue(id="1", key="TEAM-1", summary="One")
    uri = tracker.put(issue)
    _, cursor = steps_of(source_of(tracker))
    tracker.put(replace(issue, updated="2026-02-01"))

    def close() -> None:
        tracker.issues["1"].level = "Managers"

    tracker.on_read = close
    assert changes_of(source_of(tracker), cursor) == [DeletedDocument(uri=uri)]
    tracker.issues["1"].level = ""
    assert changes_of(source_of(tracker)) == []


def test_a_moved_issue_stays_the_same_document_where_the_search_finds_it(tracker: Tracker) -> None:
    tracker.put(Issue(id="1", key="TEAM-1", summary="One"))
    tracker.put(Issue(id="2", key="TEAM-2", summary="Two"))
    everything = f"{tracker.url}/issues/?jql=labels+%3D+handbook+ORDER+BY+updated"
    _, of_project = steps_of(source_of(tracker))
    _, of_search = steps_of(source_of(tracker, everything))
    tracker.put(Issue(id="1", key="DESK-9", summary="One"))
    assert changes_of(source_of(tracker), of_project) == [DeletedDocument(uri=f"{tracker.url}/browse/TEAM-1")]
    (step,) = changes_of(source_of(tracker, everything), of_search)
    assert isinstance(step, FetchedDocument)
    assert (step.uri, step.moved_from) == (f"{tracker.url}/browse/DESK-9", f"{tracker.url}/browse/TEAM-1")


@pytest.mark.parametrize("strict", [False, True])
def test_long_lists_are_read_to_their_end_with_checkpoints_on_the_way(tracker: Tracker, strict: bool) -> None:
    tracker.most, tracker.strict = 20, strict
    for number in range(130):
        tracker.put(Issue(id=str(number), key=f"TEAM-{number}", summary="One"))
    steps, cursor = steps_of(source_of(tracker))
    assert sum(isinstance(step, FetchedDocument) for step in steps) == 130
    assert Expected(documents=130) in steps
    middle = next(step for step in steps if isinstance(step, Checkpoint))
    done = len(json.loads(middle.cursor)["issues"])
    assert 0 < done < 130
    del tracker.issues["129"]
    assert len(changes_of(source_of(tracker), middle.cursor)) == 129 - done
    before = tracker.times_asked("renderedFields")
    assert changes_of(source_of(tracker), cursor) == [DeletedDocument(uri=f"{tracker.url}/browse/TEAM-129")]
    assert tracker.times_asked("renderedFields") == before


def test_a_list_that_leaves_an_issue_out_by_accident_does_not_delete_it(tracker: Tracker) -> None:
    for number in range(2):
        tracker.put(Issue(id=str(number), key=f"TEAM-{number}", summary="One"))
    _, cursor = steps_of(source_of(tracker))
    fields = {"updated": tracker.issues["0"].updated, "security": None}
    short = {"issues": [{"id": "0", "key": "TEAM-0", "fields": fields}], "total": 1, "isLast": True}
    tracker.troubles = [(200, {}, "{}"), (200, {}, json.dumps(short))]
    assert changes_of(source_of(tracker), cursor) == []


def test_an_empty_search_deletes_nothing(tracker: Tracker) -> None:
    tracker.put(Issue(id="1", key="TEAM-1", summary="One"))
    _, cursor = steps_of(source_of(tracker))
    tracker.issues.clear()
    for known in (cursor, None):
        with pytest.raises(SourceUnavailableError, match="finds no issue"):
            steps_of(source_of(tracker), known)


def test_issues_too_large_and_too_many_are_said(tracker: Tracker) -> None:
    small = tracker.put(Issue(id="1", key="TEAM-1", summary="One"))
    large = tracker.put(Issue(id="2", key="TEAM-2", summary="Two", description="x" * 30_000))
    tracker.put(Issue(id="3", key="TEAM-3", summary="Three"))
    limits = AtlassianLimits(answer_bytes=20_000, documents=2)
    said = changes_of(source_of(tracker, limits=limits))
    assert [step.uri for step in said if isinstance(step, FetchedDocument)] == [small]
    assert [step.uri for step in said if isinstance(step, FailedDocument)] == [large, f"{tracker.location}#more"]


def test_a_wrong_credential_is_said_and_not_shown(tracker: Tracker) -> None:
    tracker.token = "another"
    with pytest.raises(SourceUnavailableError, match=r"answered 401.*lorekeeper credentials set") as refused:
        steps_of(source_of(tracker))
    assert TOKEN not in str(refused.value)


def test_a_search_that_jira_does_not_understand_is_said_in_its_words(tracker: Tracker) -> None:
    tracker.troubles = [(200, {}, "{}"), (400, {}, '{"errorMessages": ["No project named TEAM."], "errors": {}}')]
    with pytest.raises(SourceUnavailableError, match=r"answered 400.*No project named TEAM\."):
        steps_of(source_of(tracker))


def test_a_busy_server_is_asked_again_when_it_says_so(tracker: Tracker) -> None:
    tracker.put(Issue(id="1", key="TEAM-1", summary="One"))
    tracker.troubles = [(429, {"Retry-After": "7"}, ""), (500, {}, "")]
    waits: Waits = []
    assert len(changes_of(source_of(tracker, waits=waits))) == 1
    assert waits == [7.0, 2.0]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


def test_a_project_is_read_into_the_library_and_followed(tracker: Tracker, work: Workplace) -> None:
    stored = add_source(work.engine, kind="jira", location=tracker.location, name="tracker")
    place = SourcePlace(id=stored.id, location=stored.location, secret=Secret(tracker.credential))

    def sync() -> SyncReport:
        return ingest(open_source("jira", place), work.parts)

    tracker.put(Issue(id="1", key="TEAM-1", summary="Badges", description="<p>At the desk.</p>"))
    tracker.put(Issue(id="2", key="TEAM-2", summary="Leave"))
    assert sync().added == 2
    assert sync().unchanged == 2
    tracker.put(Issue(id="1", key="TEAM-1", summary="Badges", description="<p>By mail.</p>", updated="2026-02-01"))
    del tracker.issues["2"]
    report = sync()
    assert (report.changed, report.deleted) == (1, 1)
    assert work.rows("SELECT title, owner FROM document") == [("TEAM-1: Badges", "Ana Ruiz")]
    tracker.down = 503
    with pytest.raises(SourceUnavailableError):
        ingest(JiraSource(place, sleep=lambda _: None), work.parts)
    assert work.rows("SELECT count(*) FROM document") == [(1,)]


@pytest.mark.parametrize(
    ("location", "root", "jql"),
    [
        ("https://acme.atlassian.net/browse/TEAM", "https://acme.atlassian.net", 'project = "TEAM"'),
        (
            "https://acme.atlassian.net/jira/software/c/projects/TEAM/boards/1",
            "https://acme.atlassian.net",
            'project = "TEAM"',
        ),
        ("https://acme.atlassian.net/jira/core/projects/TEAM", "https://acme.atlassian.net", 'project = "TEAM"'),
        ("https://example.com/jira/projects/TEAM/issues", "https://example.com/jira", 'project = "TEAM"'),
        ("https://jira.example.com/browse/TEAM/", "https://jira.example.com", 'project = "TEAM"'),
        (
            "https://acme.atlassian.net/issues/?jql=project%20%3D%20A%20order%20by%20created",
            "https://acme.atlassian.net",
            "project = A",
        ),
        ("https://example.com/jira/issues/?filter=12", "https://example.com/jira", "filter = 12"),
    ],
)
def test_an_address_names_a_server_and_a_search(location: str, root: str, jql: str) -> None:
    parsed = parse_jira(location)
    assert (parsed.root, parsed.jql) == (root, jql)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://acme.atlassian.net/browse/TEAM-12", "names one issue"),
        ("https://acme.atlassian.net/", "neither a project nor a search"),
        ("https://ada:secret@jira.example.com/browse/TEAM", "holds a user or a password"),
        ("jira", "no address of a server"),
    ],
)
def test_a_bad_address_is_refused(location: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        parse_jira(location)
    assert "secret" not in str(refused.value)


def test_a_location_tells_its_kind_and_name() -> None:
    places = ["https://acme.atlassian.net/browse/TEAM", "https://acme.atlassian.net/jira/software/projects/TEAM/list"]
    assert [kind_of(one) for one in places] == ["jira"] * 2
    assert [name_of(one) for one in places] == ["TEAM"] * 2
    assert name_of("https://acme.atlassian.net/issues/?jql=x") == "acme.atlassian.net"
