"""Confluence as a source, through its real client, from a server that answers as Cloud and Data Center do."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from knowledge.audience import group_audience
from knowledge.document import (
    AudienceChange,
    DeletedDocument,
    FailedDocument,
    FetchedDocument,
    PermissionsRead,
    Readers,
    SourceChange,
)
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import SyncReport, ingest
from knowledge.parse import Parser
from knowledge.readers import groups_of
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Expected, Source, SourcePlace, SourceStep, kind_of, name_of, open_source
from knowledge.sources.atlassian import AtlassianLimits
from knowledge.sources.confluence import ConfluenceSource, parse_confluence
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.atlassian_server import (
    ANA,
    BEN,
    CLEO,
    HIDDEN,
    TOKEN,
    Wiki,
    WikiPage,
    atlassian_served,
)
from tests.knowledge.ingesting import Workplace, workplace

Waits = list[float]


@pytest.fixture(params=[True, False], ids=["cloud", "data center"])
def wiki(request: pytest.FixtureRequest) -> Iterator[Wiki]:
    served = Wiki(cloud=request.param)
    with atlassian_served(served):
        yield served


@pytest.fixture
def cloud() -> Iterator[Wiki]:
    served = Wiki()
    with atlassian_served(served):
        yield served


def source_of(
    wiki: Wiki,
    location: str = "",
    limits: AtlassianLimits | None = None,
    waits: Waits | None = None,
    audience: str = "channel:C1",
    credential: str | None = None,
) -> ConfluenceSource:
    place = SourcePlace(
        id="s",
        location=location or wiki.location,
        audience=audience,
        secret=Secret(wiki.credential if credential is None else credential),
    )
    return ConfluenceSource(place, limits, (waits if waits is not None else []).append)


def steps_of(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceStep], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return steps, last.cursor


def changes_in(steps: Collection[SourceStep]) -> list[SourceChange]:
    return [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument | FailedDocument)]


def fetched(steps: Collection[SourceStep]) -> dict[str, FetchedDocument]:
    return {step.title: step for step in steps if isinstance(step, FetchedDocument)}


def readers_of(steps: Collection[SourceStep], title: str) -> frozenset[str]:
    """Who may read a page that was just delivered, by its group."""
    audience = fetched(steps)[title].audience
    return next(step.members for step in steps if isinstance(step, Readers) and step.audience == audience)


class TestConfluence(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, wiki: Wiki) -> None:
        self.wiki = wiki
        self.ids: dict[str, str] = {}

    def build(self) -> Source:
        return source_of(self.wiki)

    def put(self, name: str, text: str) -> str:
        key = self.ids.setdefault(name, str(100 + len(self.ids)))
        version = self.wiki.pages[key].version + 1 if key in self.wiki.pages else 1
        return self.wiki.put(WikiPage(id=key, title=name, body=f"<p>{text}</p>", version=version))

    def take_away(self, name: str) -> None:
        self.wiki.pages[self.ids[name]].status = "trashed"

    def lose_place(self) -> None:
        self.wiki.down = 503

    def settle(self) -> None:
        """Pages are told from each other by their versions."""


def test_a_page_becomes_a_document_with_what_is_known_of_it(wiki: Wiki) -> None:
    body = (
        "<p>Ask <ac:link><ri:user ri:account-id='u-ben' /></ac:link> first.</p>"
        "<table><tbody><tr><th>Who</th><th>Desk</th></tr><tr><td>Ana</td><td>4</td></tr></tbody></table>"
        '<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">bash</ac:parameter>'
        '<ac:plain-text-body><![CDATA[badge --new && echo "<ok>"]]></ac:plain-text-body></ac:structured-macro>'
        '<ac:structured-macro ac:name="include"><ac:parameter ac:name="">'
        '<ac:link><ri:page ri:content-title="Salaries" /></ac:link></ac:parameter></ac:structured-macro>'
        '<ac:image><ri:attachment ri:filename="desk.png" /></ac:image>'
    )
    uri = wiki.put(WikiPage(id="7", title="Badges & desks", body=body, by=BEN, owner=ANA, version=3))
    steps, _ = steps_of(source_of(wiki))
    document = fetched(steps)["Badges & desks"]
    assert (document.uri, document.audience) == (uri, "channel:C1")
    assert document.owner == (ANA.name if wiki.cloud else BEN.name)
    assert str(document.modified_at) == "2026-01-03 10:00:00+00:00"
    with Parser() as parser:
        parsed = parser.parse(document)
    assert parsed.title == "Badges & desks"
    assert parsed.markdown == (
        "# Badges & desks\n\nAsk Ben Okoye first.\n\n| Who | Desk |\n| --- | --- |\n| Ana | 4 |\n\n"
        '```\nbadge --new && echo "<ok>"\n```'
    )


def test_blog_posts_are_read_and_pages_that_are_not_current_are_not(wiki: Wiki) -> None:
    wiki.put(WikiPage(id="1", title="Post", kind="blogpost"))
    wiki.put(WikiPage(id="2", title="Old", status="archived"))
    wiki.put(WikiPage(id="3", title="Elsewhere", space="OTHER"))
    assert set(fetched(steps_of(source_of(wiki))[0])) == {"Post"}


def test_without_a_space_all_that_can_be_read_are_read_but_archived_ones(wiki: Wiki) -> None:
    wiki.archived_spaces = {"OLD"}
    for key, space in enumerate(("TEAM", "OTHER", "OLD")):
        wiki.put(WikiPage(id=str(key), title=space, space=space))
    assert set(fetched(steps_of(source_of(wiki, wiki.root))[0])) == {"TEAM", "OTHER"}


def test_long_lists_are_read_to_their_end_with_checkpoints_on_the_way(wiki: Wiki) -> None:
    wiki.most = 20
    for key in range(130):
        wiki.put(WikiPage(id=str(key), title=f"Page {key}"))
    steps, cursor = steps_of(source_of(wiki))
    assert len(fetched(steps)) == 130
    assert Expected(documents=130) in steps
    middle = next(step for step in steps if isinstance(step, Checkpoint))
    assert 0 < len(json.loads(middle.cursor)["pages"]) < 130
    assert len(fetched(steps_of(source_of(wiki), middle.cursor)[0])) == 130 - len(json.loads(middle.cursor)["pages"])
    before = wiki.times_asked("body.storage")
    assert changes_in(steps_of(source_of(wiki), cursor)[0]) == []
    assert wiki.times_asked("body.storage") == before


def test_a_renamed_page_stays_the_same_document(wiki: Wiki) -> None:
    before = wiki.put(WikiPage(id="1", title="Badges"))
    _, cursor = steps_of(source_of(wiki))
    now = wiki.put(WikiPage(id="1", title="Passes", version=2))
    ((step,), cursor) = (lambda found: (changes_in(found[0]), found[1]))(steps_of(source_of(wiki), cursor))
    assert isinstance(step, FetchedDocument)
    assert (step.uri, step.moved_from) == (now, before)
    assert changes_in(steps_of(source_of(wiki), cursor)[0]) == []


def test_pages_that_change_their_names_with_each_other_both_stay(wiki: Wiki) -> None:
    wiki.put(WikiPage(id="1", title="One"))
    wiki.put(WikiPage(id="2", title="Two"))
    _, cursor = steps_of(source_of(wiki))
    wiki.put(WikiPage(id="1", title="Two", body="first", version=2))
    wiki.put(WikiPage(id="2", title="One", body="second", version=2))
    steps, _ = steps_of(source_of(wiki), cursor)
    assert len(fetched(steps)) == 2
    if not wiki.cloud:  # where addresses hold no number, each took the other's
        assert [step.moved_from for step in fetched(steps).values()] == [None, None]
        assert not [step for step in steps if isinstance(step, DeletedDocument)]


def test_a_page_that_moves_to_another_space_is_gone(wiki: Wiki) -> None:
    uri = wiki.put(WikiPage(id="1", title="One"))
    wiki.put(WikiPage(id="2", title="Two"))
    _, cursor = steps_of(source_of(wiki))
    wiki.put(WikiPage(id="1", title="One", space="OTHER"))
    assert changes_in(steps_of(source_of(wiki), cursor)[0]) == [DeletedDocument(uri=uri)]


class TestRestrictions:
    """Who may read a page: what stands on it and on all above it."""

    def test_a_restricted_page_is_for_those_it_names(self, wiki: Wiki) -> None:
        wiki.groups = {"people ops": [CLEO]}
        wiki.put(WikiPage(id="1", title="Open"))
        wiki.put(WikiPage(id="2", title="Closed", users=[ANA], groups=["people ops"]))
        steps, _ = steps_of(source_of(wiki))
        assert fetched(steps)["Open"].audience == "channel:C1"
        assert readers_of(steps, "Closed") == {"ana@example.com", "cleo@example.com"}
        assert fetched(steps)["Closed"].audience == group_audience("s", ["ana@example.com", "cleo@example.com"])
        assert steps[-1] == PermissionsRead()

    def test_a_page_is_only_for_those_who_may_read_all_above_it(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Top", users=[ANA, BEN]))
        wiki.put(WikiPage(id="2", title="Middle", parent="1"))
        wiki.put(WikiPage(id="3", title="Bottom", parent="2", users=[BEN, CLEO]))
        steps, _ = steps_of(source_of(wiki))
        assert readers_of(steps, "Middle") == {"ana@example.com", "ben@example.com"}
        assert readers_of(steps, "Bottom") == {"ben@example.com"}

    @pytest.mark.parametrize("without", [set(), {"ancestors.restrictions"}], ids=["told", "asked for"])
    def test_what_stands_above_counts_though_it_is_not_listed(self, wiki: Wiki, without: set[str]) -> None:
        wiki.without = without
        wiki.put(WikiPage(id="1", title="Folder", kind="folder", users=[ANA]))
        wiki.put(WikiPage(id="2", title="Page", parent="1"))
        assert readers_of(steps_of(source_of(wiki))[0], "Page") == {"ana@example.com"}

    def test_a_restriction_taken_away_opens_the_page_without_reading_it_again(self, wiki: Wiki) -> None:
        uri = wiki.put(WikiPage(id="1", title="Page", users=[ANA]))
        _, cursor = steps_of(source_of(wiki))
        wiki.pages["1"].users = []
        steps, _ = steps_of(source_of(wiki), cursor)
        assert changes_in(steps) == []
        assert AudienceChange(uri=uri, audience="channel:C1") in steps

    def test_a_restriction_added_closes_the_page_and_those_below_it(self, wiki: Wiki) -> None:
        top = wiki.put(WikiPage(id="1", title="Top"))
        below = wiki.put(WikiPage(id="2", title="Below", parent="1"))
        _, cursor = steps_of(source_of(wiki))
        wiki.pages["1"].users = [ANA]
        steps, cursor = steps_of(source_of(wiki), cursor)
        group = group_audience("s", ["ana@example.com"])
        assert steps == [
            Readers(audience=group, members=frozenset({"ana@example.com"})),
            AudienceChange(uri=top, audience=group),
            AudienceChange(uri=below, audience=group),
            Expected(documents=0),
            PermissionsRead(),
        ]
        assert steps_of(source_of(wiki), cursor)[0] == [Expected(documents=0), PermissionsRead()]

    def test_a_changed_group_changes_who_may_read(self, wiki: Wiki) -> None:
        wiki.groups = {"ops": [ANA, BEN]}
        uri = wiki.put(WikiPage(id="1", title="Page", groups=["ops"]))
        _, cursor = steps_of(source_of(wiki))
        wiki.groups["ops"].remove(ANA)
        steps, _ = steps_of(source_of(wiki), cursor)
        assert AudienceChange(uri=uri, audience=group_audience("s", ["ben@example.com"])) in steps

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_a_group_that_may_not_be_looked_into_opens_nothing(self, wiki: Wiki, status: int) -> None:
        wiki.refused = {"/membersByGroupId": status, "/member": status}
        wiki.groups = {"ops": [ANA]}
        wiki.put(WikiPage(id="1", title="Named, too", users=[BEN], groups=["ops"]))
        wiki.put(WikiPage(id="2", title="Group alone", groups=["ops"]))
        steps, _ = steps_of(source_of(wiki))
        assert readers_of(steps, "Named, too") == {"ben@example.com"}
        assert readers_of(steps, "Group alone") == frozenset()
        assert fetched(steps)["Group alone"].audience != "channel:C1"

    def test_large_groups_and_long_restrictions_are_read_to_their_end(self, wiki: Wiki) -> None:
        wiki.most, wiki.restriction_limit = 1, 1
        wiki.groups = {"ops": [ANA, BEN], "desk": [CLEO]}
        wiki.put(WikiPage(id="1", title="Page", groups=["ops", "desk"], users=[HIDDEN, BEN]))
        steps, _ = steps_of(source_of(wiki))
        assert readers_of(steps, "Page") == {"ana@example.com", "ben@example.com", "cleo@example.com"}

    def test_an_account_without_an_address_is_nobody(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page", users=[HIDDEN]))
        assert readers_of(steps_of(source_of(wiki))[0], "Page") == frozenset()

    def test_data_center_profiles_are_not_asked_for_again_and_again(self) -> None:
        wiki = Wiki(cloud=False)
        wiki.people = []
        with atlassian_served(wiki):
            for key, person in enumerate([ANA, BEN, CLEO, HIDDEN] * 3):
                named = [WikiPage(id=str(key), title=str(key), users=[person])]
                wiki.put(*named)
            steps, _ = steps_of(source_of(wiki))
        assert all(readers_of(steps, title) == frozenset() for title in fetched(steps))
        assert wiki.times_asked("/rest/mobile/") <= 5

    @pytest.mark.parametrize("missing", ["restrictions", "ancestors"])
    def test_a_page_of_which_not_all_is_told_is_closed(self, wiki: Wiki, missing: str) -> None:
        wiki.without, wiki.refused = {missing}, {"/byOperation/read": 403}
        wiki.put(WikiPage(id="1", title="Page"))
        assert readers_of(steps_of(source_of(wiki))[0], "Page") == frozenset()

    def test_restrictions_that_are_told_on_asking_alone_count(self, wiki: Wiki) -> None:
        wiki.without = {"restrictions"}
        wiki.put(WikiPage(id="1", title="Open"))
        wiki.put(WikiPage(id="2", title="Closed", users=[ANA]))
        steps, _ = steps_of(source_of(wiki))
        assert fetched(steps)["Open"].audience == "channel:C1"
        assert readers_of(steps, "Closed") == {"ana@example.com"}

    def test_a_page_closed_between_the_list_and_its_text_is_closed(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page"))

        def close() -> None:
            wiki.pages["1"].users = [ANA]

        wiki.on_read = close
        assert readers_of(steps_of(source_of(wiki))[0], "Page") == {"ana@example.com"}

    def test_a_server_that_fails_on_the_way_confirms_no_permissions(self, wiki: Wiki) -> None:
        wiki.groups = {"ops": [ANA]}
        wiki.refused = {"/membersByGroupId": 500, "/member": 500}
        wiki.put(WikiPage(id="1", title="Page", groups=["ops"]))
        seen: list[SourceStep] = []
        with pytest.raises(SourceUnavailableError):
            seen.extend(source_of(wiki).changes(None))
        assert seen == []


class TestTrouble:
    """Servers that refuse, wait, or answer with something else."""

    def test_a_wrong_credential_is_said_and_not_shown(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page"))
        wiki.token = "another"
        with pytest.raises(SourceUnavailableError, match=r"answered 401.*lorekeeper credentials set") as refused:
            steps_of(source_of(wiki))
        assert TOKEN not in str(refused.value)
        assert TOKEN not in repr(vars(source_of(wiki)))

    def test_a_server_that_takes_us_for_nobody_deletes_nothing(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page"))
        for trouble in (
            (200, {}, '{"type": "anonymous", "displayName": "Anonymous"}'),
            (200, {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED"}, "{}"),
        ):
            wiki.troubles = [trouble]
            with pytest.raises(SourceUnavailableError, match="lorekeeper credentials set"):
                steps_of(source_of(wiki))

    @pytest.mark.parametrize(("status", "said"), [(403, "may not read"), (404, "Check the address")])
    def test_a_refusal_says_what_to_do(self, wiki: Wiki, status: int, said: str) -> None:
        wiki.down = status
        with pytest.raises(SourceUnavailableError, match=f"answered {status}.*{said}"):
            steps_of(source_of(wiki))

    def test_without_a_credential_what_is_public_is_read(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page"))
        location = wiki.location
        with pytest.raises(SourceUnavailableError, match="asks who reads"):
            steps_of(source_of(wiki, location, credential=""))
        wiki.cloud = False
        wiki.open = True
        assert set(fetched(steps_of(source_of(wiki, credential=""))[0])) == {"Page"}

    def test_a_busy_server_is_asked_again_when_it_says_so(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page"))
        wiki.troubles = [(429, {"Retry-After": "7"}, ""), (503, {}, "")]
        waits: Waits = []
        assert set(fetched(steps_of(source_of(wiki, waits=waits))[0])) == {"Page"}
        assert waits == [7.0, 2.0]

    def test_a_server_that_asks_to_wait_too_long_is_left_until_the_next_run(self, wiki: Wiki) -> None:
        wiki.troubles = [(429, {"Retry-After": "3600"}, "")]
        waits: Waits = []
        with pytest.raises(SourceUnavailableError, match="asks to wait 3600 s"):
            steps_of(source_of(wiki, waits=waits))
        assert waits == []

    def test_a_server_that_stays_busy_is_given_up(self, wiki: Wiki) -> None:
        wiki.down = 502
        waits: Waits = []
        with pytest.raises(SourceUnavailableError, match="answered 502"):
            steps_of(source_of(wiki, waits=waits))
        assert waits == [1.0, 2.0, 4.0, 8.0]

    def test_a_server_that_is_away_deletes_nothing(self) -> None:
        wiki = Wiki(url="http://127.0.0.1:9")
        with pytest.raises(SourceUnavailableError, match="there is no connection"):
            steps_of(source_of(wiki))

    def test_a_page_for_signing_in_is_no_answer(self, wiki: Wiki) -> None:
        wiki.troubles = [(200, {"Content-Type": "text/html"}, "<html>Sign in</html>")]
        with pytest.raises(SourceUnavailableError, match="signing in"):
            steps_of(source_of(wiki))

    def test_a_credential_goes_nowhere_else(self, wiki: Wiki) -> None:
        other = Wiki()
        with atlassian_served(other):
            wiki.troubles = [(302, {"Location": f"{other.url}/login?x=1"}, "")]
            with pytest.raises(SourceUnavailableError, match=f"leads to {other.url}/login\\."):
                steps_of(source_of(wiki))
        assert other.asked == []

    def test_a_server_that_repeats_a_credential_does_not_show_it(self, wiki: Wiki) -> None:
        wiki.troubles = [(400, {}, json.dumps({"message": f"bad cql from {TOKEN}"}))]
        with pytest.raises(SourceUnavailableError, match="bad cql from …"):
            steps_of(source_of(wiki))

    def test_an_empty_list_deletes_nothing(self, wiki: Wiki) -> None:
        wiki.put(WikiPage(id="1", title="Page"))
        _, cursor = steps_of(source_of(wiki))
        wiki.pages.clear()
        for known in (cursor, None):
            with pytest.raises(SourceUnavailableError, match="no page in the space TEAM"):
                steps_of(source_of(wiki), known)

    def test_a_list_that_leaves_a_page_out_by_accident_does_not_delete_it(self, cloud: Wiki) -> None:
        for key in range(3):
            cloud.put(WikiPage(id=str(key), title=str(key)))
        _, cursor = steps_of(source_of(cloud))
        first = {"id": "0", "type": "page", "title": "0", "version": {"number": 1}, "ancestors": []}
        closed = {"user": {"results": [], "size": 0}, "group": {"results": [], "size": 0}}
        first |= {"restrictions": {"read": {"restrictions": closed}}, "_links": {"webui": "/spaces/TEAM/pages/0/0"}}
        cloud.troubles = [(200, {}, "{}"), (200, {}, json.dumps({"results": [first], "_links": {}}))]
        assert changes_in(steps_of(source_of(cloud), cursor)[0]) == []

    def test_one_page_too_large_does_not_stop_the_others(self, wiki: Wiki) -> None:
        limits = AtlassianLimits(answer_bytes=20_000)
        wiki.put(WikiPage(id="1", title="Small"))
        large = wiki.put(WikiPage(id="2", title="Large", body="x" * 30_000))
        steps, cursor = steps_of(source_of(wiki, limits=limits))
        assert set(fetched(steps)) == {"Small"}
        assert [(step.uri, "larger" in step.reason) for step in steps if isinstance(step, FailedDocument)] == [
            (large, True)
        ]
        assert [step.uri for step in changes_in(steps_of(source_of(wiki, limits=limits), cursor)[0])] == [large]

    def test_more_pages_than_the_limit_are_said(self, wiki: Wiki) -> None:
        for key in range(3):
            wiki.put(WikiPage(id=str(key), title=str(key)))
        steps, _ = steps_of(source_of(wiki, limits=AtlassianLimits(documents=2)))
        assert set(fetched(steps)) == {"0", "1"}
        assert [step.uri for step in steps if isinstance(step, FailedDocument)] == [f"{wiki.location}#more"]

    def test_a_list_that_leads_back_to_itself_ends(self, cloud: Wiki) -> None:
        cloud.put(WikiPage(id="1", title="Page"))
        again = json.dumps({"results": [], "_links": {"next": "/rest/api/content/search?cursor=x"}})
        cloud.troubles = [(200, {}, "{}"), (200, {}, again), (200, {}, again)]
        with pytest.raises(SourceUnavailableError, match="round in circles"):
            steps_of(source_of(cloud))


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


def test_a_space_is_read_into_the_library_and_followed(wiki: Wiki, work: Workplace) -> None:
    stored = add_source(work.engine, kind="confluence", location=wiki.location, name="wiki")
    place = SourcePlace(id=stored.id, location=stored.location, secret=Secret(wiki.credential))

    def sync(*, rebuild: bool = False) -> SyncReport:
        return ingest(open_source("confluence", place), work.parts, rebuild=rebuild)

    def seen_by(email: str) -> list[object]:
        """The titles of restricted pages that somebody may read."""
        groups = groups_of(work.engine, [email])
        return [title for title, audience in work.rows("SELECT title, audience FROM document") if audience in groups]

    wiki.put(WikiPage(id="1", title="Open", body="<p>Badges at the desk.</p>"))
    wiki.put(WikiPage(id="2", title="Closed", body="<p>Pay.</p>", users=[ANA]))
    assert sync().added == 2
    assert seen_by("ana@example.com") == ["Closed"]
    assert seen_by("ben@example.com") == []
    wiki.pages["2"].users = [BEN]
    report = sync()
    assert (report.changed, report.embedded_chunks) == (0, 0)
    assert (seen_by("ana@example.com"), seen_by("ben@example.com")) == ([], ["Closed"])
    wiki.put(WikiPage(id="1", title="Renamed", body="<p>Badges at the desk.</p>", version=2))
    before = work.rows("SELECT id FROM document WHERE title = 'Open'")
    sync()
    assert work.rows("SELECT id FROM document WHERE title = 'Renamed'") == before
    wiki.pages["2"].status = "trashed"
    assert sync().deleted == 1
    assert work.rows("SELECT title, audience FROM document") == [("Renamed", "everyone")]
    assert work.rows("SELECT count(*) FROM reader") == [(0,)]
    wiki.put(WikiPage(id="3", title="Later", users=[ANA]))
    assert sync(rebuild=True).added == 1
    wiki.down = 503
    with pytest.raises(SourceUnavailableError):
        ingest(ConfluenceSource(place, sleep=lambda _: None), work.parts)
    assert work.rows("SELECT count(*) FROM document") == [(2,)]


@pytest.mark.parametrize(
    ("location", "root", "space"),
    [
        ("https://acme.atlassian.net/wiki/spaces/TEAM/overview?x=1", "https://acme.atlassian.net/wiki", "TEAM"),
        ("https://acme.atlassian.net/wiki/spaces/~712020abc", "https://acme.atlassian.net/wiki", "~712020abc"),
        ("https://acme.atlassian.net/", "https://acme.atlassian.net/wiki", ""),
        ("https://acme.atlassian.net/wiki/home", "https://acme.atlassian.net/wiki", ""),
        ("https://wiki.example.com/display/TEAM/", "https://wiki.example.com", "TEAM"),
        ("https://example.com/confluence/spaces/TEAM/pages", "https://example.com/confluence", "TEAM"),
        ("https://example.com/confluence/dashboard.action", "https://example.com/confluence", ""),
        ("https://example.com/spaces/viewspace.action?key=TEAM", "https://example.com", "TEAM"),
        ("https://example.com/display/%7Eana", "https://example.com", "~ana"),
    ],
)
def test_an_address_names_a_server_and_a_space(location: str, root: str, space: str) -> None:
    parsed = parse_confluence(location)
    assert (parsed.root, parsed.space) == (root, space)


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://acme.atlassian.net/wiki/spaces/TEAM/pages/123/Badges", "one page"),
        ("https://wiki.example.com/display/TEAM/Badges", "one page"),
        ("https://wiki.example.com/pages/viewpage.action?pageId=12", "one page"),
        ("https://wiki.example.com/spaces/viewspace.action", "names no space"),
        ('https://wiki.example.com/display/A" or x="', "names no space"),
        ("https://ada:secret@wiki.example.com/display/TEAM", "holds a user or a password"),
        ("wiki.example.com", "no address of a server"),
    ],
)
def test_a_bad_address_is_refused(location: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        parse_confluence(location)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("location", "credential", "said"),
    [
        ("https://acme.atlassian.net/wiki", "token-alone", "no EMAIL:API_TOKEN"),
        ("https://wiki.example.com", "user:token-alone", "has a colon"),
        ("https://wiki.example.com", "a@example.com:", "has a colon"),
    ],
)
def test_a_credential_of_another_form_is_refused_without_showing_it(location: str, credential: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        ConfluenceSource(SourcePlace(id="s", location=location, secret=Secret(credential)))
    assert "token-alone" not in str(refused.value)


def test_a_location_tells_its_kind_and_name() -> None:
    spaces = ["https://acme.atlassian.net/wiki/spaces/FEED/feed", "https://acme.atlassian.net/wiki"]
    assert [kind_of(one) for one in spaces] == ["confluence"] * 2
    assert kind_of("https://acme.atlassian.net.example.com/wiki") == "web"
    assert [name_of(one) for one in spaces] == ["FEED", "acme.atlassian.net"]
