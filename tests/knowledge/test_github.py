"""GitHub as a source: the real client, against a server with GitHub's answers."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument, SourceChange
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import ingest
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Expected, Source, SourcePlace, kind_of, name_of, open_source, whole_location
from knowledge.sources.github.delivery import GithubLimits
from knowledge.sources.github.place import parse_github
from knowledge.sources.github.source import GithubSource
from knowledge.store import add_source, find_source
from tests.contracts.source import SourceContract
from tests.knowledge.github_server import Answer, FakeGithub, github_served, user
from tests.knowledge.ingesting import Workplace, workplace


@pytest.fixture
def place() -> Iterator[FakeGithub]:
    with github_served() as served:
        yield served


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


class Waits:
    """A sleep that lets the server's clock run instead."""

    def __init__(self, place: FakeGithub) -> None:
        self.place = place
        self.slept: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.place.tick(seconds)


def source_of(place: FakeGithub, parts: str = "", **more: Any) -> GithubSource:
    given = {"secret": Secret(place.token), "clock": lambda: place.now.timestamp(), "sleep": Waits(place), **more}
    return GithubSource("s", place.location + parts, **given)


def steps_of(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceChange], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument | FailedDocument)], last.cursor


def document(place: FakeGithub, source: Source | None = None) -> FetchedDocument:
    """The only one that there is."""
    ((step,), _) = steps_of(source or source_of(place))
    assert isinstance(step, FetchedDocument)
    return step


def text(place: FakeGithub) -> str:
    return document(place).content.decode()


def short(steps: list[SourceChange]) -> list[tuple[str, str]]:
    return [(type(step).__name__.removesuffix("Document"), "/".join(step.uri.split("/")[5:])) for step in steps]


class TestIssues(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, place: FakeGithub) -> None:
        self.place = place
        self.numbers: dict[str, int] = {}

    def build(self) -> Source:
        return source_of(self.place)

    def put(self, name: str, text: str) -> str:
        if name in self.numbers:
            self.place.touch(self.numbers[name], body=text)
        else:
            self.numbers[name] = self.place.issue(name, text)
        return f"{self.place.location}/issues/{self.numbers[name]}"

    def take_away(self, name: str) -> None:
        del self.place.issues[self.numbers[name]]

    def lose_place(self) -> None:
        self.place.private, self.place.token = True, "another"
        self.place.wrong = [Answer(status=404, body={"message": "Not Found"})]

    def settle(self) -> None:
        self.place.tick(5)


class TestIssuesWithoutToken(TestIssues):
    """Of a public repository."""

    def build(self) -> Source:
        return source_of(self.place, "/issues", secret=Secret(""))


class TestDiscussions(TestIssues):
    def build(self) -> Source:
        return source_of(self.place, "/discussions")

    def put(self, name: str, text: str) -> str:
        if name in self.numbers:
            self.place.touch(self.numbers[name], body=text)
        else:
            self.numbers[name] = self.place.discussion(name, text)
        return f"{self.place.location}/discussions/{self.numbers[name]}"

    def take_away(self, name: str) -> None:
        del self.place.discussions[self.numbers[name]]


class TestSmallPages(TestIssues):
    """Where each list comes one by one."""

    @pytest.fixture(autouse=True)
    def _small(self, place: FakeGithub) -> None:
        place.page_size = 1


class TestDiscussionsInSmallPages(TestDiscussions):
    """Where each list comes one by one."""

    @pytest.fixture(autouse=True)
    def _small(self, place: FakeGithub) -> None:
        place.page_size = 1


@pytest.mark.parametrize("with_token", [True, False])
def test_an_issue_becomes_a_document_with_its_comments(place: FakeGithub, *, with_token: bool) -> None:
    number = place.issue("Badge  lost", "Who issues\r\n@badges?", labels=[{"name": "office"}, {"name": "help wanted"}])
    place.comment(number, "Maria Lopez does.")
    place.comment(number, "Automatic.", "stale[bot]", "Bot")
    place.comment(number, "Thanks!", "ada")
    place.touch(number, state="closed", state_reason="not_planned")
    secret = Secret(place.token if with_token else "")
    step = document(place, source_of(place, "/issues", audience="channel:C1", secret=secret))
    assert step.content.decode() == (
        "# Badge lost\n\n"
        "Issue #1 of acme/handbook by ada, 2026-01-05: closed as not planned. Labels: office, help wanted.\n\n"
        "Who issues\n@badges?\n\n"
        "## Comment by ben, 2026-01-05\n\nMaria Lopez does.\n\n"
        "## Comment by ada, 2026-01-05\n\nThanks!\n"
    )
    assert (step.uri, step.title) == (f"{place.url}/acme/handbook/issues/1", "Badge  lost")
    assert (step.owner, step.audience, step.media_type) == ("ada", "channel:C1", "text/markdown")
    assert step.modified_at == place.now


def test_the_accepted_answer_of_a_discussion_stands_first(place: FakeGithub) -> None:
    number = place.discussion("How do I get a badge?", "I lost mine.", labels={"nodes": [{"name": "office"}]})
    place.reply(number, "No idea.", "cleo")
    answer = place.reply(number, "Ask Maria Lopez.", "ben")
    place.reply(number, "She moved to floor 3.", "dan", to=answer)
    place.reply(number, "Beep.")
    place.discussions[number]["comments"][-1]["author"] = {"__typename": "Bot", "login": "github-actions"}
    place.reply(number, "Buy my pills.", "eve", isMinimized=True)
    assert ": open, not answered." in text(place)
    place.accept(number, answer)
    assert text(place) == (
        "# How do I get a badge?\n\n"
        "Discussion #1 of acme/handbook by ada, 2026-01-05: open, answered. Category: Q&A. Labels: office.\n\n"
        "## Accepted answer by ben, 2026-01-05\n\nAsk Maria Lopez.\n\n"
        "### Reply by dan, 2026-01-05\n\nShe moved to floor 3.\n\n"
        "## Question by ada, 2026-01-05\n\nI lost mine.\n\n"
        "## Comment by cleo, 2026-01-05\n\nNo idea.\n"
    )


def test_long_discussions_are_read_to_their_end(place: FakeGithub) -> None:
    place.page_size = 2
    number = place.discussion("Long")
    said = [place.reply(number, f"comment {count}.") for count in range(5)]
    for count in range(5):
        place.reply(number, f"reply {count}.", to=said[3])
    place.accept(number, said[4])
    shown = text(place)
    assert [f"comment {count}." in shown for count in range(5)] == [True] * 5
    assert [f"reply {count}." in shown for count in range(5)] == [True] * 5
    assert shown.index("comment 4.") < shown.index("comment 0.")
    assert shown.count("comment 4.") == 1


def test_many_issues_are_asked_about_at_once(place: FakeGithub) -> None:
    for count in range(45):
        place.comment(place.issue(f"Issue {count}"), f"comment {count}.")
    place.comments[3][0] |= {"hidden": True}
    place.comments[4][0] |= {"user": user("ghost")}
    steps, _ = steps_of(source_of(place, "/issues"))
    told = [step.content.decode() for step in steps if isinstance(step, FetchedDocument)]
    assert [f"comment {count}." in text for count, text in enumerate(told)] == [count != 2 for count in range(45)]
    assert "## Comment by a deleted account, 2026-01-05" in told[3]
    assert place.paths() == ["acme/handbook", "acme/handbook/issues", *["graphql"] * 3]


def test_a_long_talk_about_an_issue_is_read_to_its_end(place: FakeGithub) -> None:
    place.page_size = 2
    number = place.issue("Long")
    for count in range(5):
        place.comment(number, f"comment {count}.")
    for secret in (Secret(place.token), Secret("")):
        shown = document(place, source_of(place, "/issues", secret=secret)).content.decode()
        assert shown.count("## Comment by ben") == 5
        assert shown.endswith("comment 4.\n")


def test_what_is_too_long_says_what_is_left_out(place: FakeGithub) -> None:
    place.page_size = 2
    number, other = place.issue("Long"), place.discussion("Long too")
    for count in range(5):
        place.comment(number, f"comment {count}.")
        place.reply(other, f"comment {count}.")
    steps, _ = steps_of(source_of(place, limits=GithubLimits(max_comments=2)))
    steps += steps_of(source_of(place, "/issues", secret=Secret(""), limits=GithubLimits(max_comments=2)))[0]
    assert len(steps) == 3
    for step in steps:
        assert isinstance(step, FetchedDocument)
        shown = step.content.decode()
        assert "comment 1." in shown
        assert "comment 2." not in shown
        assert shown.endswith("## Not read\n\n3 later comments are left out here.\n")
    steps, _ = steps_of(source_of(place, limits=GithubLimits(max_bytes=100)))
    assert next(step.reason for step in steps if isinstance(step, FailedDocument)).startswith("It is larger than")


def test_pull_requests_are_read_only_where_asked_for(place: FakeGithub) -> None:
    issue = place.issue("An issue")
    pull = place.issue("A pull request", pull_request={"merged_at": None})
    merged = place.issue("Merged", state="closed", pull_request={"merged_at": "2026-01-05T09:00:03Z"})
    place.comment(pull, "Looks good.")
    assert short(steps_of(source_of(place))[0]) == [("Fetched", f"issues/{issue}")]
    steps, cursor = steps_of(source_of(place, "/pulls"))
    assert short(steps) == [("Fetched", f"pull/{merged}"), ("Fetched", f"pull/{pull}")]
    told = [step.content.decode() for step in steps if isinstance(step, FetchedDocument)]
    assert "Pull request #3 of acme/handbook by ada, 2026-01-05: merged." in told[0]
    assert "Looks good." in told[1]
    place.tick(5)
    del place.issues[pull]
    assert short(steps_of(source_of(place, "/pulls"), cursor)[0])[-1] == ("Deleted", f"pull/{pull}")
    assert len(steps_of(source_of(place, "#issues,pulls"))[0]) == 2


class TestHowManyWillCome:
    """For who watches; a list that goes on does not say how long it is."""

    def expected(self, source: Source, cursor: str | None = None) -> list[int]:
        return [step.documents for step in source.changes(cursor) if isinstance(step, Expected)]

    def test_what_stands_on_one_page_is_counted_there(self, place: FakeGithub) -> None:
        for name in ("One", "Two"):
            place.issue(name)
        place.issue("Pull", pull_request={"merged_at": None})
        place.discussion("Three")
        assert self.expected(source_of(place)) == [2, 1]
        assert self.expected(source_of(place, "#issues,pulls", secret=Secret(""))) == [3]
        assert not any(one.body.get("query", "").startswith("query Count") for one in place.asked)

    def test_more_are_asked_for_where_that_is_told(self, place: FakeGithub) -> None:
        place.page_size = 2
        for number in range(4):
            place.issue(f"Issue {number}")
        place.issue("Pull", pull_request={"merged_at": None})
        place.tick(5)
        assert self.expected(source_of(place, "/issues")) == [4]
        assert self.expected(source_of(place, "#issues,pulls")) == [5]
        assert self.expected(source_of(place, "/issues", secret=Secret(""))) == []
        cursor = steps_of(source_of(place, "/issues"))[1]
        both = steps_of(source_of(place, "#issues,pulls"))[1]
        place.tick(3600)
        for number in (1, 2, 3):
            place.touch(number, title="Another")
        assert self.expected(source_of(place, "/issues"), cursor) == [3]
        assert self.expected(source_of(place, "#issues,pulls"), both) == []

    def test_a_run_does_not_end_where_it_is_refused(self, place: FakeGithub) -> None:
        place.page_size = 1
        for name in ("One", "Two"):
            place.issue(name)
        refused = {"data": None, "errors": [{"type": "FORBIDDEN", "message": "Not for you", "path": ["repository"]}]}
        place.wrong = [Answer(status=200, body=refused, path="query Count")]
        assert self.expected(source_of(place, "/issues")) == []
        assert len(steps_of(source_of(place, "/issues"))[0]) == 2


class TestLaterRuns:
    def test_a_new_comment_changes_the_document(self, place: FakeGithub) -> None:
        first, other = place.issue("Badges"), place.discussion("Desks")
        place.issue("Quiet")
        place.tick(5)
        _, cursor = steps_of(source_of(place))
        place.comment(first, "Maria does.")
        place.reply(other, "On floor 3.")
        place.tick(5)
        steps, cursor = steps_of(source_of(place), cursor)
        assert short(steps) == [("Fetched", f"issues/{first}"), ("Fetched", f"discussions/{other}")]
        assert steps_of(source_of(place), cursor)[0] == []

    def test_an_edited_comment_does_where_the_issue_keeps_its_time(self, place: FakeGithub) -> None:
        number = place.issue("Badges")
        said = place.comment(number, "Maria does.")
        place.issue("Quiet")
        place.tick(5)
        _, cursor = steps_of(source_of(place))
        said |= {"body": "Ben does.", "updated_at": place.tick(5)}
        place.tick(5)
        ((step,), cursor) = steps_of(source_of(place), cursor)
        assert isinstance(step, FetchedDocument)
        assert b"Ben does." in step.content
        assert steps_of(source_of(place), cursor)[0] == []

    def test_an_edited_comment_of_a_discussion_does_too(self, place: FakeGithub) -> None:
        number = place.discussion("Badges")
        said = place.reply(number, "Maria does.")
        place.discussion("Quiet")
        place.tick(5)
        _, cursor = steps_of(source_of(place))
        said |= {"body": "Ben does.", "updatedAt": place.tick(5)}
        place.tick(5)
        ((step,), cursor) = steps_of(source_of(place), cursor)
        assert isinstance(step, FetchedDocument)
        assert b"Ben does." in step.content
        assert steps_of(source_of(place), cursor)[0] == []

    def test_a_deleted_comment_does(self, place: FakeGithub) -> None:
        number = place.issue("Badges")
        place.comment(number, "Maria does.")
        place.tick(400)
        _, cursor = steps_of(source_of(place))
        place.comments[number] = []
        place.issues[number]["comments"] = 0
        ((step,), _) = steps_of(source_of(place), cursor)
        assert isinstance(step, FetchedDocument)
        assert b"Maria" not in step.content

    def test_what_changes_in_the_second_of_the_run_is_read_again(self, place: FakeGithub) -> None:
        number = place.issue("Badges", "before")
        _, cursor = steps_of(source_of(place))
        place.issues[number]["body"] = "after"
        place.tick(5)
        ((step,), _) = steps_of(source_of(place), cursor)
        assert isinstance(step, FetchedDocument)
        assert b"after" in step.content

    def test_an_issue_that_was_moved_away_disappears(self, place: FakeGithub) -> None:
        stays, moved, secret = place.issue("Stays"), place.issue("Moved"), place.issue("Moved to a private one")
        place.tick(5)
        _, cursor = steps_of(source_of(place))
        del place.issues[moved], place.issues[secret]
        place.moved = {moved: "/repositories/99/issues/7", secret: "/repositories/404/issues/1"}
        steps, cursor = steps_of(source_of(place), cursor)
        assert short(steps) == [("Deleted", f"issues/{moved}"), ("Deleted", f"issues/{secret}")]
        assert steps_of(source_of(place), cursor)[0] == []
        assert stays in place.issues

    def test_a_list_that_leaves_one_out_deletes_nothing(self, place: FakeGithub) -> None:
        """A list that is read page by page while others disappear from it."""
        place.issue("One")
        number = place.issue("Two")
        place.tick(600)
        _, cursor = steps_of(source_of(place))
        place.wrong = [
            Answer(status=200, body=[place.shown(1)], path="/issues?direction=asc&per_page=100&sort=created")
        ]
        steps, cursor = steps_of(source_of(place), cursor)
        assert short(steps) == [("Fetched", f"issues/{number}")]
        assert place.wrong[0].times < 1_000_000

    def test_many_are_listed_once_a_day_only(self, place: FakeGithub) -> None:
        numbers = [place.issue(f"Issue {count}") for count in range(4)]
        talks = [place.discussion(f"Talk {count}") for count in range(4)]
        limits = GithubLimits(few=3)
        place.tick(600)
        _, cursor = steps_of(source_of(place, limits=limits))
        del place.issues[numbers[0]], place.discussions[talks[0]]
        steps, cursor = steps_of(source_of(place, limits=limits), cursor)
        assert steps == []
        place.tick(24 * 3600)
        steps, cursor = steps_of(source_of(place, limits=limits), cursor)
        assert short(steps) == [("Deleted", f"issues/{numbers[0]}"), ("Deleted", f"discussions/{talks[0]}")]

    def test_an_empty_list_of_many_deletes_nothing(self, place: FakeGithub) -> None:
        for count in range(21):
            place.issue(f"Issue {count}")
        place.tick(600)
        _, cursor = steps_of(source_of(place))
        place.issues.clear()
        with pytest.raises(SourceUnavailableError, match="listed 21 before"):
            steps_of(source_of(place), cursor)

    def test_a_renamed_repository_keeps_its_documents(self, place: FakeGithub) -> None:
        number, talk, gone = place.issue("Badges"), place.discussion("Desks"), place.issue("Gone")
        place.tick(5)
        source = source_of(place)
        _, cursor = steps_of(source)
        before = place.location
        place.rename("guide")
        del place.issues[gone]
        steps, cursor = steps_of(source, cursor)
        moves = {step.uri: step.moved_from for step in steps if isinstance(step, FetchedDocument)}
        assert moves == {
            f"{place.location}/issues/{number}": f"{before}/issues/{number}",
            f"{place.location}/discussions/{talk}": f"{before}/discussions/{talk}",
        }
        assert [step.uri for step in steps if isinstance(step, DeletedDocument)] == [f"{before}/issues/{gone}"]
        place.tick(5)
        assert steps_of(source, cursor)[0] == []

    def test_another_repository_of_that_name_takes_its_place(self, place: FakeGithub) -> None:
        kept, gone = place.issue("Badges"), place.issue("Gone")
        place.tick(600)
        _, cursor = steps_of(source_of(place))
        place.id = 4712
        del place.issues[gone]
        place.issues[kept]["title"] = "Other"
        steps, _ = steps_of(source_of(place), cursor)
        assert short(steps) == [("Fetched", f"issues/{kept}"), ("Deleted", f"issues/{gone}")]

    def test_what_is_asked_for_again_comes_whatever_it_is(self, place: FakeGithub) -> None:
        number, talk, pull = place.issue("A"), place.discussion("B"), place.issue("C", pull_request={})
        place.tick(600)
        place.issues[pull]["pull_request"] = {"merged_at": None}
        source = source_of(place, "#issues,discussions,pulls", limits=GithubLimits(few=0))
        _, cursor = steps_of(source)
        uris = [f"{place.location}/{one}" for one in (f"issues/{number}", f"discussions/{talk}", f"pull/{pull}")]
        steps, _ = steps_of(source, cursor, retry=[*uris, f"{place.location}/issues/", "https://example.com/1"])
        assert sorted(step.uri for step in steps) == sorted(uris)


class TestPages:
    def test_many_of_one_second_and_an_edit_meanwhile_are_all_read(self, place: FakeGithub) -> None:
        """A list that is sorted by change moves under who reads it; a new beginning skips nothing."""
        place.page_size = 3
        moment = place.tick()
        numbers = [place.issue(f"Issue {count}", updated_at=moment) for count in range(8)]
        numbers += [place.issue(f"Later {count}") for count in range(8)]
        found: list[SourceChange] = []
        for step in source_of(place, "/issues").changes(None):
            if isinstance(step, FetchedDocument):
                found.append(step)
                if len(found) in (2, 5, 11):
                    place.touch(numbers[0], body="again")
        assert {step.uri.rpartition("/")[2] for step in found} == {str(number) for number in numbers}

    def test_a_large_repository_says_often_how_far_it_came(self, place: FakeGithub) -> None:
        for count in range(120):
            place.issue(f"Issue {count}")
        place.tick(5)
        steps = [one for one in source_of(place, "/issues").changes(None) if not isinstance(one, Expected)]
        checkpoints = [index for index, step in enumerate(steps) if isinstance(step, Checkpoint)]
        assert checkpoints == [25, 51, 77, 103, 124]
        half = steps[51]
        assert isinstance(half, Checkpoint)
        rest, _ = steps_of(source_of(place, "/issues"), half.cursor)
        assert [step.title for step in rest if isinstance(step, FetchedDocument)] == [
            f"Issue {count}" for count in range(50, 120)
        ]

    def test_a_slow_one_does_too(self, place: FakeGithub) -> None:
        for count in range(4):
            place.issue(f"Issue {count}")
        place.tick(5)
        seen: list[bool] = []
        for step in source_of(place, "/issues").changes(None):
            if not isinstance(step, Expected):
                seen.append(isinstance(step, Checkpoint))
                place.tick(3)
        assert seen == [False, False, True, False, False, True, True]


class TestLimits:
    def test_a_short_limit_is_waited_for(self, place: FakeGithub) -> None:
        place.issue("Badges")
        waits = Waits(place)
        place.wrong = [Answer(status=403, body={"message": "Slow down."}, headers={"Retry-After": "7"}, times=1)]
        place.wrong.append(Answer(status=429, body={"message": "Slow down."}, path="issues", times=1))
        assert len(steps_of(source_of(place, sleep=waits))[0]) == 1
        assert waits.slept == [7, 60]

    def test_an_hour_is_not_and_what_was_read_is_kept(self, place: FakeGithub) -> None:
        for count in range(5):
            place.comment(place.issue(f"Issue {count}"), "Yes.")
        place.tick(5)
        place.budget, place.reset = 4, place.now + timedelta(hours=1)
        source = source_of(place, "/issues", secret=Secret(""))
        steps: list[object] = []
        with pytest.raises(SourceUnavailableError, match=r"until 2026-01-05 10:00 UTC.*With a token"):
            steps.extend(one for one in _collected(source, None, steps))
        expected, *documents, last = steps
        assert expected == Expected(documents=5)
        assert [type(one) for one in documents] == [FetchedDocument] * 2
        assert isinstance(last, Checkpoint)
        place.budget = None
        rest, _ = steps_of(source, last.cursor)
        assert [step.title for step in rest if isinstance(step, FetchedDocument)] == ["Issue 2", "Issue 3", "Issue 4"]

    def test_one_that_ends_soon_is_waited_for(self, place: FakeGithub) -> None:
        place.issue("Badges")
        place.budget, place.reset = 1, place.now + timedelta(seconds=30)
        waits = Waits(place)
        assert len(steps_of(source_of(place, sleep=waits))[0]) == 1
        assert len(waits.slept) == 1
        assert 25 < waits.slept[0] < 35

    def test_waits_are_counted_together(self, place: FakeGithub) -> None:
        place.wrong = [Answer(status=429, body={}, headers={"Retry-After": "50"})]
        waits = Waits(place)
        with pytest.raises(SourceUnavailableError, match="limit of requests"):
            steps_of(source_of(place, sleep=waits))
        assert waits.slept == [50, 50]

    def test_a_limit_of_graphql_says_so_with_status_200(self, place: FakeGithub) -> None:
        place.discussion("Desks")
        limited = {"errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded for user ID 1."}]}
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{place.now.timestamp() + 9:.0f}"}
        secondary = {"errors": [{"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}]}
        place.wrong = [
            Answer(status=200, body=limited, headers=headers, path="graphql", times=1),
            Answer(status=200, body=secondary, path="graphql", times=1),
        ]
        waits = Waits(place)
        assert len(steps_of(source_of(place, sleep=waits))[0]) == 1
        assert waits.slept == [10, 60]


class TestTrouble:
    def test_a_server_that_stumbles_is_asked_again(self, place: FakeGithub) -> None:
        place.issue("Badges")
        place.wrong = [Answer(status=502, body=b"<html>", times=2)]
        waits = Waits(place)
        assert len(steps_of(source_of(place, sleep=waits))[0]) == 1
        assert waits.slept == [1, 4]

    def test_one_that_cannot_be_read_fails_alone(self, place: FakeGithub) -> None:
        bad, good = place.issue("Bad"), place.issue("Good")
        place.comment(bad, "x")
        place.comment(good, "y")
        slow, quick = place.discussion("Slow"), place.discussion("Quick")
        timeout = {"data": None, "errors": [{"message": "Something went wrong while executing your query."}]}
        place.wrong = [
            Answer(status=502, path=f"i{bad}: issueOrPullRequest"),
            Answer(status=502, path=f'"number": {bad}'),
            Answer(status=200, body=timeout, path=f'"number": {slow}'),
        ]
        source = source_of(place)
        steps, cursor = steps_of(source)
        assert short(steps) == [
            ("Failed", f"issues/{bad}"),
            ("Fetched", f"issues/{good}"),
            ("Failed", f"discussions/{slow}"),
            ("Fetched", f"discussions/{quick}"),
        ]
        place.wrong = []
        place.tick(600)
        steps, _ = steps_of(source, cursor, retry={step.uri for step in steps if isinstance(step, FailedDocument)})
        assert {("Fetched", f"issues/{bad}"), ("Fetched", f"discussions/{slow}")} <= set(short(steps))

    @pytest.mark.parametrize(
        "error",
        [
            {"message": "Something went wrong while executing your query."},
            {"message": "Too much.", "type": "RESOURCE_LIMITS_EXCEEDED", "path": ["repository", "discussion"]},
            {"message": "Timeout", "path": ["repository", "discussion", "comments"]},
        ],
    )
    def test_trouble_does_not_look_like_something_gone(self, place: FakeGithub, error: dict[str, object]) -> None:
        number = place.discussion("Desks")
        place.tick(600)
        _, cursor = steps_of(source_of(place))
        place.reply(number, "On floor 3.")
        empty = {"data": {"repository": {"discussion": None}}, "errors": [error]}
        place.wrong = [Answer(status=200, body=empty, path=f'"number": {number}')]
        steps, _ = steps_of(source_of(place), cursor)
        assert short(steps) == [("Failed", f"discussions/{number}")]

    def test_an_author_who_may_not_be_seen_hides_nothing_else(self, place: FakeGithub) -> None:
        number = place.issue("Badges")
        said = {"id": "IC_1", "body": "Maria does.", "createdAt": "2026-01-05T09:00:00Z", "isMinimized": False}
        page = {"totalCount": 1, "pageInfo": {"hasNextPage": False}, "nodes": [{**said, "author": None}]}
        place.comment(number, "Maria does.")
        path = ["repository", f"i{number}", "comments", "nodes", 0, "author"]
        hidden = {"type": "FORBIDDEN", "path": path, "message": "Resource protected by organization SAML enforcement."}
        body = {"data": {"repository": {f"i{number}": {"comments": page}}}, "errors": [hidden]}
        place.wrong = [Answer(status=200, body=body, path=f"i{number}:")]
        assert "Maria does." in text(place)

    def test_an_older_server_that_does_not_know_a_field_is_said(self, place: FakeGithub) -> None:
        unknown = {"path": ["query", "x"], "extensions": {"code": "undefinedField"}, "message": "Field 'x' is unknown"}
        place.wrong = [Answer(status=200, body={"errors": [unknown]}, path="graphql")]
        with pytest.raises(SourceUnavailableError, match=r"answered 400 .Field .x. is unknown"):
            steps_of(source_of(place))

    def test_where_none_can_be_read_the_run_ends(self, place: FakeGithub) -> None:
        for count in range(5):
            place.comment(place.issue(f"Issue {count}"), "x")
        place.wrong = [Answer(status=500, path="/comments"), Answer(status=500, path="issueOrPullRequest")]
        for secret in (Secret(""), Secret(place.token)):
            with pytest.raises(SourceUnavailableError, match="answered 500"):
                steps_of(source_of(place, secret=secret))

    @pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[1", b"{}", [], {"id": "x", "full_name": "a/b"}])
    def test_what_is_not_github_is_said(self, place: FakeGithub, body: object) -> None:
        place.wrong = [Answer(status=200, body=body)]
        with pytest.raises(SourceUnavailableError, match=r"as GitHub does|cannot be read"):
            steps_of(source_of(place))

    @pytest.mark.parametrize("path", ["/issues", "graphql"])
    def test_strange_lists_are_said(self, place: FakeGithub, path: str) -> None:
        place.wrong = [Answer(status=200, body={"data": {"repository": {"discussions": 3}}}, path=path)]
        with pytest.raises(SourceUnavailableError, match="as GitHub does"):
            steps_of(source_of(place))

    def test_a_server_that_is_away_deletes_nothing(self, place: FakeGithub) -> None:
        waits = Waits(place)
        source = GithubSource("s", "http://127.0.0.1:9/acme/handbook", secret=Secret(place.token), sleep=waits)
        with pytest.raises(SourceUnavailableError, match=r"acme/handbook on 127.0.0.1:9 cannot be read"):
            steps_of(source)
        assert waits.slept == [1, 4]

    def test_an_answer_that_leads_to_another_host_is_not_followed(self, place: FakeGithub) -> None:
        place.wrong = [Answer(status=301, headers={"Location": "http://example.com/api/v3/repos/a/b"})]
        with pytest.raises(SourceUnavailableError, match="cannot be read"):
            steps_of(source_of(place))
        place.issue("A")
        onward = '<http://example.com/api/v3/x?page=2&per_page=100&state=all&sort=updated>; rel="next"'
        place.wrong = [Answer(status=200, body=[], headers={"Link": onward}, path="/issues", times=1)]
        steps_of(source_of(place))
        assert {one.path.partition("/acme")[0] for one in place.asked} == {"/api/v3/repos", "/api/graphql"}


class TestPermissions:
    def test_a_wrong_token_says_what_to_do(self, place: FakeGithub) -> None:
        with pytest.raises(SourceUnavailableError, match="lorekeeper credentials set NAME") as refused:
            steps_of(source_of(place, secret=Secret("ghp_wrong")))
        assert "Bad credentials" in str(refused.value)
        assert "ghp_wrong" not in str(refused.value)

    def test_a_private_repository_without_a_token_says_what_to_do(self, place: FakeGithub) -> None:
        place.private = True
        with pytest.raises(SourceUnavailableError, match=r"no repository acme/handbook.*--credential"):
            steps_of(source_of(place, secret=Secret("")))
        place.wrong = [Answer(status=401, body={"message": "Must authenticate"})]
        with pytest.raises(SourceUnavailableError, match="nobody without a token"):
            steps_of(source_of(place, secret=Secret("")))

    def test_discussions_need_a_token_and_issues_are_read_without(self, place: FakeGithub) -> None:
        number = place.issue("Badges")
        place.discussion("Desks")
        steps, _ = steps_of(source_of(place, secret=Secret("")))
        assert short(steps) == [("Fetched", f"issues/{number}"), ("Failed", "discussions/")]
        failed = steps[1]
        assert isinstance(failed, FailedDocument)
        assert "lorekeeper credentials set NAME" in failed.reason
        assert not any(one.path == "/api/graphql" for one in place.asked)

    def test_a_part_that_the_token_may_not_read_fails_and_stays(self, place: FakeGithub, work: Workplace) -> None:
        place.issue("Badges")
        place.discussion("Desks")
        place.tick(5)
        stored = add_source(work.engine, kind="github", location=place.location)
        source = source_of(place)
        source = GithubSource(stored.id, place.location, secret=Secret(place.token), sleep=Waits(place))
        ingest(source, work.parts)
        refused = {"message": "Resource not accessible by personal access token"}
        forbidden = {"type": "FORBIDDEN", "path": ["repository", "discussions"], **refused}
        place.wrong = [
            Answer(status=200, body={"data": {"repository": None}, "errors": [forbidden]}, path="graphql"),
            Answer(status=403, body=refused, path="/issues"),
        ]
        for rebuild in (False, True):
            report = ingest(source, work.parts, rebuild=rebuild)
            assert [one.uri.rpartition("handbook")[2] for one in report.failed] == ["/discussions/", "/issues/"]
            assert "not accessible" in report.failed[0].reason
            assert report.deleted == 0
        assert len(work.rows("SELECT id FROM document")) == 2

    def test_parts_that_are_turned_off_are_passed_over_or_said(self, place: FakeGithub) -> None:
        number = place.issue("Badges")
        place.has_discussions = False
        steps, cursor = steps_of(source_of(place))
        assert short(steps) == [("Fetched", f"issues/{number}")]
        steps, _ = steps_of(source_of(place, "/discussions"))
        assert [step.reason for step in steps if isinstance(step, FailedDocument)] == [
            "The discussions of acme/handbook are turned off. What is known stays."
        ]
        place.has_issues, place.has_discussions = False, True
        assert short(steps_of(source_of(place), cursor)[0]) == [("Failed", "issues/")]

    def test_the_token_is_shown_nowhere(self, place: FakeGithub, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        number = place.issue("Badges")
        place.comment(number, "Yes.")
        source = source_of(place)
        _, cursor = steps_of(source)
        assert {one.token for one in place.asked} == {place.token}
        place.wrong = [Answer(status=400, body={"message": f"Bad header token {place.token}"})]
        with pytest.raises(SourceUnavailableError) as refused:
            steps_of(source)
        shown = [str(refused.value), cursor, repr(source), repr(vars(source)), caplog.text]
        assert not [one for one in shown if place.token in one]

    @pytest.mark.parametrize("token", ["two words", "line\nbreak", "é", "ghp_x\r\nX-Evil: 1"])
    def test_what_is_no_token_is_not_sent(self, place: FakeGithub, token: str) -> None:
        with pytest.raises(SourceError, match="is no token of GitHub") as refused:
            steps_of(source_of(place, secret=Secret(token)))
        assert token not in str(refused.value)
        assert place.asked == []

    def test_a_token_is_not_sent_in_the_clear(self) -> None:
        with pytest.raises(SourceError, match="https://"):
            steps_of(GithubSource("s", "http://git.example.com/a/b", secret=Secret("ghp_x")))


class TestPlaces:
    def test_a_location_tells_its_kind_and_name(self) -> None:
        found = {
            "https://github.com/acme/handbook/issues": "https://github.com/acme/handbook#issues",
            "https://www.github.com/acme/handbook/discussions/": "https://github.com/acme/handbook#discussions",
            "https://github.example.com/acme/handbook/pulls": "https://github.example.com/acme/handbook#pulls",
            "https://github.com/acme/handbook#pulls,issues": "https://github.com/acme/handbook#issues,pulls",
        }
        assert {location: whole_location(kind_of(location), location) for location in found} == found
        assert whole_location("github", "acme/handbook") == "https://github.com/acme/handbook#issues,discussions"
        assert name_of("https://github.com/acme/handbook#issues,discussions", "github") == "acme/handbook"
        assert name_of("https://git.example.com/acme/handbook#issues", "github") == "acme/handbook issues"
        others = ("https://github.com/acme/handbook", "https://github.com/acme/handbook.git", "acme/handbook")
        assert [kind_of(one) for one in others] == ["web", "git", "files"]
        assert kind_of("https://docs.example.com/guide/intro#issues") == "web"

    def test_each_server_is_asked_where_it_answers(self) -> None:
        assert parse_github("acme/handbook").api == "https://api.github.com"
        assert parse_github("https://acme.ghe.com/acme/handbook").api == "https://api.acme.ghe.com"
        assert parse_github("https://git.example.com/acme/handbook/issues").api == "https://git.example.com/api/v3"
        assert parse_github("http://[::1]:80/acme/handbook").is_encrypted

    @pytest.mark.parametrize(
        "location",
        [
            "handbook",
            "https://github.com/acme",
            "https://github.com/acme/handbook/issues/12",
            "https://github.com/acme/handbook/issues?q=is%3Aopen",
            "acme/handbook#wiki",
            "acme/..",
            "ftp://github.com/acme/handbook",
            "https://ghp_secret@github.com/acme/handbook",
            "https://github.com/acme/hand book",
        ],
    )
    def test_a_bad_location_is_refused(self, location: str) -> None:
        with pytest.raises(SourceError) as refused:
            parse_github(location)
        assert "ghp_secret" not in str(refused.value)

    def test_a_source_is_found_by_the_address_that_was_typed(self, work: Workplace) -> None:
        address = "https://github.com/acme/handbook/issues"
        stored = add_source(work.engine, kind="github", location=address)
        assert find_source(work.engine, address) == stored
        assert stored.name == "acme/handbook issues"


def test_documents_are_kept_up_to_date_by_ingest(place: FakeGithub, work: Workplace) -> None:
    number, talk, gone = place.issue("Badges", "Who?"), place.discussion("Desks"), place.issue("Gone")
    place.tick(5)
    stored = add_source(work.engine, kind="github", location=place.location)
    opened = open_source("github", SourcePlace(id=stored.id, location=stored.location, secret=Secret(place.token)))
    assert ingest(opened, work.parts).added == 3
    assert ingest(opened, work.parts).unchanged == 3
    place.comment(number, "Maria Lopez issues badges.")
    place.accept(talk, place.reply(talk, "Desk 12 is free."))
    del place.issues[gone]
    place.tick(5)
    report = ingest(opened, work.parts)
    assert (report.added, report.changed, report.deleted, report.failed) == (0, 2, 1, ())
    said = " ".join(str(row[0]) for row in work.rows("SELECT text FROM chunk"))
    assert "Maria Lopez issues badges." in said
    assert "Desk 12 is free." in said
    assert ("ada",) in work.rows("SELECT owner FROM document")
    place.rename("guide")
    report = ingest(opened, work.parts)
    assert (report.added, report.deleted) == (0, 0)
    assert {str(uri) for (uri,) in work.rows("SELECT uri FROM document")} == {
        f"{place.location}/issues/{number}", f"{place.location}/discussions/{talk}",
    }  # fmt: skip


def _collected(source: Source, cursor: str | None, into: list[object]) -> Iterator[object]:
    """Nothing; what comes is kept, also where it ends in an error."""
    for step in source.changes(cursor):
        into.append(step)
    yield from ()
