"""The watch over answers: what it counts, that chance alone calls nobody, that a real drop does, and how it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image

from bot import tables
from bot.conversation import save_answer, save_user_turn
from bot.database import open_database
from bot.feedback import record_vote
from bot.inbox import Inbox
from bot.jobs import run_due
from bot.learn import words
from bot.learn.alerts import Change, list_alerts, mark_told, note_alerts, put_untold
from bot.learn.drift import Sample, adjusted, compare, turning_day
from bot.learn.observed import NO_VERSION, Observed, ObservedVote, read_observed
from bot.learn.panels import Bar, Panel, PanelRow, Point, draw_bars, draw_panels
from bot.learn.watch import MEASURES, find_changes, tabulate, watch, watch_job
from bot.slack.alerts import alert_message
from bot.slack.gateway import SlackBot
from bot.turn import AnswerSeconds, AnswerTokens, Incoming
from knowledge.database import writing
from tests.bot.dialogue import GENERAL, ScriptedAnswering, Workspace, link, make_answer, options, wait_until
from tests.bot.slack_oracle import read_message
from tests.bot.terminal import Terminal

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TEAM = "T0PLAYGROUND"
ASKED = Incoming(
    team=TEAM, channel="C1", channel_kind="public", user="U1", ts="1.1", thread_ts=None, text="why?", mentioned=True
)
CHANGE = Change(
    measure="good",
    version="tuned-2",
    comparison="version",
    earlier_version="tuned-1",
    before=0.82,
    after=0.58,
    count_before=210,
    count_after=64,
    since=date(2026, 5, 27),
    with_version=True,
    p=0.0001,
    effect=0.53,
)
Rate = Callable[[int], float]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'watch.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


def history(
    seed: int,
    *,
    days: int = 70,
    a_day: float = 25.0,
    good: Rate = lambda _: 0.8,
    abstained: Rate = lambda _: 0.2,
    slower: Rate = lambda _: 1.0,
    failed: Rate = lambda _: 0.01,
    version: Callable[[int], str] = lambda _: "v1",
) -> list[Observed]:
    """A team's answers: 30 people, some of whom ask much and vote kindly, and days that are busier and slower."""
    rng = np.random.default_rng(seed)
    kindness = rng.normal(0, 0.08, 30)
    asks = rng.dirichlet(np.ones(30))
    found: list[Observed] = []
    for day in range(days):
        mood, load = rng.normal(0, 0.03), rng.lognormal(0, 0.1)
        for number in range(rng.poisson(a_day)):
            person = int(rng.choice(30, p=asks))
            is_none = bool(rng.random() < abstained(day) + mood)
            votes = rng.random() < 0.3
            is_good = bool(rng.random() < good(day) + kindness[person] + mood)
            seconds = float(rng.lognormal(0.5, 0.4) * load * slower(day))
            found.append(
                Observed(
                    answer_id=len(found),
                    at=NOW - timedelta(days=days - day - 0.5) + timedelta(minutes=number),
                    version=version(day),
                    user=f"U{person}",
                    failed=bool(rng.random() < failed(day)),
                    abstained=is_none,
                    voted=bool(votes),
                    support=float(rng.beta(2, 4) if is_none else rng.beta(5, 2)),
                    score=float(rng.beta(6, 3)),
                    retrieve_seconds=float(rng.lognormal(-4, 0.3) * load),
                    first_token_seconds=None if is_none else seconds / 3,
                    total_seconds=None if is_none else seconds,
                    length=None if is_none else int(rng.lognormal(5, 0.5)),
                    votes=(ObservedVote(user=f"U{person}", good=is_good),) if votes else (),
                )
            )
    return found


def at_every_day(observed: list[Observed], days: range) -> list[Change]:
    """What a look on each of these days finds."""
    found: list[Change] = []
    for back in days:
        now = NOW - timedelta(days=back)
        found += find_changes([one for one in observed if now - timedelta(days=63) < one.at <= now], now)
    return found


# Chance and change


@pytest.mark.parametrize("seed", range(20))
def test_where_nothing_changes_nobody_is_called(seed: int) -> None:
    """Twenty teams, looked at over five weeks each, with all that makes real answers alike: people, days, load."""
    observed = history(seed, version=lambda day: "v1" if day < 40 else "v2")
    assert at_every_day(observed, range(0, 35, 7)) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_real_drop_of_good_votes_is_noticed_with_its_day(seed: int) -> None:
    observed = history(seed, good=lambda day: 0.8 if day < 63 else 0.35)
    change = next(change for change in find_changes(observed, NOW) if change.measure == "good")
    assert (change.comparison, change.version, change.rose) == ("before", "v1", False)
    assert change.before > 0.65 > 0.6 > change.after
    assert abs((change.since - (NOW - timedelta(days=7)).date()).days) <= 3


@pytest.mark.parametrize("seed", range(5))
def test_a_worse_version_is_told_from_the_one_before(seed: int) -> None:
    observed = history(
        seed,
        abstained=lambda day: 0.2 if day < 60 else 0.55,
        version=lambda day: "v1" if day < 60 else "v2",
    )
    changes = find_changes(observed, NOW)
    change = next(change for change in changes if change.measure == "abstained")
    assert (change.comparison, change.version, change.earlier_version) == ("version", "v2", "v1")
    assert change.rose
    assert change.since == next(one.at.date() for one in observed if one.version == "v2")
    assert change.with_version


def test_what_changed_in_the_middle_of_a_version_is_not_put_on_it() -> None:
    observed = history(
        4, abstained=lambda day: 0.2 if day < 60 else 0.6, version=lambda day: "v1" if day < 50 else "v2"
    )
    change = next(change for change in find_changes(observed, NOW) if change.measure == "abstained")
    assert not change.with_version
    assert abs((change.since - (NOW - timedelta(days=10)).date()).days) <= 2
    assert "go back" not in words.change_details(change)


def test_slower_answers_and_errors_are_noticed_and_faster_ones_are_not() -> None:
    slower = find_changes(history(1, slower=lambda day: 1.0 if day < 63 else 2.0), NOW)
    assert {"total_seconds", "first_token_seconds"} <= {change.measure for change in slower}
    faster = find_changes(history(1, slower=lambda day: 1.0 if day < 63 else 0.5), NOW)
    assert "total_seconds" not in {change.measure for change in faster}
    broken = find_changes(history(1, failed=lambda day: 0.01 if day < 63 else 0.15), NOW)
    assert [change.measure for change in broken] == ["errors"]


def test_too_few_answers_say_nothing() -> None:
    observed = history(3, a_day=3.0, good=lambda day: 0.9 if day < 63 else 0.0)
    assert find_changes(observed, NOW) == ()


def test_the_votes_of_fewer_than_four_people_say_nothing() -> None:
    observed = [
        replace(one, votes=tuple(replace(vote, user=f"U{one.answer_id % 3}") for vote in one.votes))
        for one in history(2, good=lambda day: 0.9 if day < 63 else 0.1)
    ]
    assert "good" not in {change.measure for change in find_changes(observed, NOW)}


def test_one_busy_person_weighs_less_than_many() -> None:
    days = tuple(date(2026, 5, 1 + number // 10) for number in range(200))
    many = tuple(f"U{number}" for number in range(200))
    half = np.asarray([number % 4 != 0 for number in range(200)], np.float64)
    worse = np.asarray([number % 4 < 2 for number in range(200)], np.float64)
    # The same numbers, once from as many people, once from five who each are always of one opinion.
    few_before = Sample(values=np.sort(half), people=tuple(f"U{number // 40}" for number in range(200)), days=days)
    few_after = Sample(values=np.sort(worse), people=few_before.people, days=days)
    by_many = compare(
        "share", Sample(values=half, people=many, days=days), Sample(values=worse, people=many, days=days)
    )
    by_few = compare("share", few_before, few_after)
    assert (by_many.before, by_many.after) == (by_few.before, by_few.after) == (0.75, 0.5)
    assert by_many.p < 0.001 < 0.1 < by_few.p


def test_several_looks_are_corrected_together() -> None:
    assert adjusted([]) == ()
    assert adjusted([0.01]) == (0.01,)
    assert adjusted([0.01, 0.5, 0.5, 0.5, 0.5])[0] == pytest.approx(0.05)


def test_the_turning_day_parts_the_values_best() -> None:
    days = tuple(date(2026, 5, 1) + timedelta(days=number // 4) for number in range(80))
    values = np.asarray([float(number % 4) + (10.0 if number >= 48 else 0.0) for number in range(80)])
    before = Sample(values=values[:60], people=("U1",) * 60, days=days[:60])
    after = Sample(values=values[60:], people=("U1",) * 20, days=days[60:])
    assert turning_day(before, after) == days[48]


# What is counted


def answer_row(engine: sa.Engine, ts: str, at: datetime, *, user: str = "U1", **columns: Any) -> int:
    incoming = replace(ASKED, ts=ts, user=user)
    answer = replace(
        make_answer("A fine answer."),
        seconds=AnswerSeconds(retrieve=0.02, first_token=0.5, total=2.0),
        tokens=AnswerTokens(prompt=90, completion=5),
    )
    save_user_turn(engine, incoming)
    answer_id = save_answer(engine, incoming, answer)
    with writing(engine) as connection:
        values = {"created_at": at} | columns
        connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(values))
    return answer_id


def vote(engine: sa.Engine, answer_id: int, user: str, value: Any, at: datetime) -> None:
    record_vote(engine, answer_id, user, value, "button")
    with writing(engine) as connection:
        mine = (tables.feedback.c.answer_id == answer_id, tables.feedback.c.user == user)
        connection.execute(sa.update(tables.feedback).where(*mine).values(created_at=at))


def test_each_answer_is_read_as_numbers(engine: sa.Engine) -> None:
    old = NOW - timedelta(days=3)
    first = answer_row(engine, "1.1", old, passages=[{"score": 0.4}, {"score": 0.7}])
    vote(engine, first, "U2", 1, old + timedelta(hours=2))
    vote(engine, first, "U3", -1, old + timedelta(days=2))
    late = answer_row(engine, "1.2", old + timedelta(minutes=1))
    vote(engine, late, "U2", 1, old + timedelta(days=2))
    answer_row(engine, "1.3", old + timedelta(minutes=2), outcome="failed", version="")
    answer_row(engine, "1.4", old + timedelta(minutes=3), outcome="abstained", abstained=True)
    answer_row(engine, "1.5", old + timedelta(minutes=4), reused_from=first)
    answer_row(engine, "1.6", NOW - timedelta(hours=1))
    # Small talk, overheard, and before the window.
    answer_row(engine, "1.7", old, support=0.0)
    answer_row(engine, "1.8", old, visibility="if_sure")
    answer_row(engine, "1.9", NOW - timedelta(days=20))
    found = read_observed(engine, NOW, NOW - timedelta(days=10), TEAM)
    by_id = {one.answer_id: one for one in found}
    assert len(found) == 6
    assert (by_id[first].score, by_id[first].total_seconds, by_id[first].length) == (0.7, 2.0, 14)
    assert sorted(one.good for one in by_id[first].votes) == [False, True]
    # Votes that come late count as votes, and not for the rate: the newest answers could not have them yet.
    assert [one.voted for one in found] == [True, False, None, False, False, None]
    assert [one.failed for one in found] == [False, False, True, False, False, False]
    assert [one.abstained for one in found] == [False, False, None, True, False, False]
    assert {one.version for one in found} == {"scripted-1"}
    assert found[4].total_seconds is None
    assert read_observed(engine, NOW, NOW - timedelta(days=10), "T2") == ()


def test_a_failure_before_any_answer_belongs_to_no_version(engine: sa.Engine) -> None:
    answer_row(engine, "1.1", NOW, outcome="failed", version="")
    assert [one.version for one in read_observed(engine, NOW, NOW - timedelta(days=1))] == [NO_VERSION]


def test_the_table_has_a_row_for_each_version_and_week() -> None:
    rows = tabulate(history(1, days=14, version=lambda day: "v1" if day < 10 else "v2"), "week")
    assert next(row.begins.weekday() for row in rows if row.version == "v2") == 0
    assert sum(row.answers for row in rows) == len(history(1, days=14))
    whole = tabulate(history(1, days=1), "day")[0]
    assert whole.support_quartiles is not None
    assert whole.support is not None
    assert whole.support_quartiles[0] < whole.support < whole.support_quartiles[1]
    assert whole.total_seconds is not None
    assert whole.slow_seconds is not None
    assert whole.slow_seconds > whole.total_seconds


# Alerts


def test_a_change_is_kept_once_and_again_when_it_is_another(engine: sa.Engine) -> None:
    (first,) = note_alerts(engine, TEAM, [CHANGE], NOW)
    assert first.change == CHANGE
    assert note_alerts(engine, TEAM, [replace(CHANGE, after=0.5)], NOW + timedelta(days=1)) == ()
    assert len(note_alerts(engine, TEAM, [replace(CHANGE, version="tuned-3")], NOW + timedelta(days=1))) == 1
    assert len(note_alerts(engine, TEAM, [CHANGE], NOW + timedelta(days=40))) == 1
    assert len(note_alerts(engine, "T2", [CHANGE], NOW)) == 1
    assert [alert.change.version for alert in list_alerts(engine, TEAM, NOW - timedelta(days=1))] == [
        "tuned-2",
        "tuned-3",
        "tuned-2",
    ]


def test_what_is_not_told_is_put_again_the_next_day_and_no_longer_than_a_week(engine: sa.Engine) -> None:
    (alert,) = note_alerts(engine, TEAM, [CHANGE], NOW)
    inbox = Inbox(engine)
    assert put_untold(engine, inbox, GENERAL, NOW) == 1
    assert put_untold(engine, inbox, GENERAL, NOW + timedelta(hours=1)) == 0
    assert put_untold(engine, inbox, GENERAL, NOW + timedelta(days=1)) == 1
    assert put_untold(engine, inbox, GENERAL, NOW + timedelta(days=8)) == 0
    mark_told(engine, alert.id, NOW)
    assert put_untold(engine, inbox, GENERAL, NOW + timedelta(days=2)) == 0


def store_drop(engine: sa.Engine, now: datetime) -> None:
    """Five weeks of good votes and one of bad ones, by ten people."""
    rows, votes = [], []
    for number in range(420):
        at = now - timedelta(days=42) + timedelta(hours=2.4 * number)
        key = f"{TEAM}:C1:{number}"
        rows.append(
            {
                "id": number + 1,
                "team": TEAM,
                "channel": "C1",
                "thread_ts": str(number),
                "question_ts": str(number),
                "conversation": key,
                "user": f"U{number % 10}",
                "nonce": key,
                "state": "final_sent",
                "state_at": at,
                "outcome": "answered",
                "version": "v1",
                "support": 0.5,
                "created_at": at,
            }
        )
        value = 1 if number < 350 and number % 7 else -1
        votes.append({"answer_id": number + 1, "user": f"U{number % 10}", "vote": value, "via": "button"})
        votes[-1]["created_at"] = at
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.answer), rows)
        connection.execute(sa.insert(tables.feedback), votes)


def test_the_job_finds_a_drop_once_and_tells_it_where_there_is_a_channel(engine: sa.Engine) -> None:
    store_drop(engine, NOW)
    quiet = watch_job(engine, now=lambda: NOW)
    assert quiet.work() == "1 new alerts, 0 to be told"
    (alert,) = list_alerts(engine, TEAM, NOW - timedelta(days=1))
    assert (alert.change.measure, alert.change.rose, alert.told_at) == ("good", False, None)
    told = watch_job(engine, GENERAL, now=lambda: NOW)
    assert told.work() == "0 new alerts, 1 to be told"
    assert told.work() == "nothing changed"
    assert run_due(engine, [told], lambda: NOW) == ("watch",)


def test_what_the_operator_tried_in_the_terminal_calls_nobody(engine: sa.Engine) -> None:
    store_drop(engine, NOW)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).values(team="terminal"))
    assert watch_job(engine, now=lambda: NOW).work() == "nothing changed"
    assert len(watch(engine, NOW).changes) == 1


@pytest.mark.parametrize("measure", [measure.name for measure in MEASURES])
@pytest.mark.parametrize("rose", [True, False])
def test_every_change_has_its_words(measure: str, rose: bool) -> None:
    change = replace(CHANGE, measure=measure, before=0.4, after=0.6 if rose else 0.2, comparison="before")
    headline, details = words.change_headline(change), words.change_details(change)
    assert ("rose" in headline) is rose
    assert "since 27 May" in headline
    assert "64" in details
    assert "210" in details
    worse = next(one.worse for one in MEASURES if one.name == measure)
    if worse in ("either", "up" if rose else "down"):
        # What to do stands behind what was compared.
        compared = "The last days compared with the weeks before (version tuned-2): 64 answers against 210."
        assert len(details) > len(compared) + 20


def test_an_alert_says_what_by_how_much_since_when_and_what_to_do() -> None:
    message = alert_message(note(CHANGE))
    found = read_message({"text": message.text, "blocks": message.blocks})
    assert (found.links, found.mentions, found.hidden) == ([], [], [])
    assert "fell from 82% to 58% since 27 May" in message.text
    assert "64 votes against 210" in message.text
    assert "go back to the one before" in message.text


def note(change: Change) -> Any:
    from bot.learn.alerts import Alert

    return Alert(id=1, team=TEAM, change=change, created_at=NOW, told_at=None)


def test_an_alert_is_posted_once_in_the_admins_channel(workspace: Workspace, engine: sa.Engine) -> None:
    """Also where it lies in the inbox twice, as after a crash between posting and noting."""
    now = datetime.now(UTC)
    (alert,) = note_alerts(engine, TEAM, [CHANGE], now)
    with ExitStack() as stack:
        bot = SlackBot(
            engine, ScriptedAnswering(), options(workspace.playground), link=link, version=lambda: "scripted-1"
        )
        stack.enter_context(bot)
        assert put_untold(engine, Inbox(engine), GENERAL, now) == 1
        wait_until(lambda: list_alerts(engine, TEAM, now - timedelta(days=1))[0].told_at is not None)
        with writing(engine) as connection:
            connection.execute(sa.update(tables.alert).values(told_at=None))
        assert put_untold(engine, Inbox(engine), GENERAL, now + timedelta(days=1)) == 1
        wait_until(lambda: list_alerts(engine, TEAM, now - timedelta(days=1))[0].told_at is not None)
    posts = [call for call in workspace.ledger("call", "chat.postMessage") if call["request"]["channel"] == GENERAL]
    assert len(posts) == 1
    assert words.change_headline(alert.change) in posts[0]["request"]["text"]


def test_an_alert_that_slack_refuses_stays_to_be_told(workspace: Workspace, engine: sa.Engine) -> None:
    now = datetime.now(UTC)
    note_alerts(engine, TEAM, [CHANGE], now)
    with SlackBot(engine, ScriptedAnswering(), options(workspace.playground), link=link, version=lambda: "scripted-1"):
        put_untold(engine, Inbox(engine), "C0NOWHERE", now)
        wait_until(lambda: _state_of_alert(engine) == "done")
    assert list_alerts(engine, TEAM, now - timedelta(days=1))[0].told_at is None
    assert put_untold(engine, Inbox(engine), GENERAL, now + timedelta(days=1)) == 1


def _state_of_alert(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return connection.scalar(sa.select(tables.inbox.c.state).where(tables.inbox.c.kind == "alert"))


# The command and its picture


def test_the_command_prints_the_table_and_what_changed(terminal: Terminal, tmp_path: Path) -> None:
    assert "No answers in this time" in terminal.type("watch").err
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    store_drop(engine, datetime.now(UTC))
    engine.dispose()
    shown = terminal.type("watch", "--plot", str(tmp_path / "watch.png"))
    assert shown.code == 0
    assert "The share of 👍 among votes fell from" in shown.out
    assert "lorekeeper advise" in shown.out
    with Image.open(tmp_path / "watch.png") as image:
        assert image.format == "PNG"
    rows = terminal.type("watch", "--by", "day", "--days", "14", "--json").json
    assert {row["version"] for row in rows["rows"]} == {"v1"}
    assert len(rows["rows"]) in (14, 15)
    assert rows["changes"][0]["measure"] == "good"


def test_a_picture_that_cannot_be_written_is_said(terminal: Terminal, tmp_path: Path) -> None:
    shown = terminal.type("watch", "--plot", str(tmp_path / "nowhere" / "watch.png"))
    assert shown.code == 2
    assert "cannot be written" in shown.err


def test_pictures_show_more_where_there_is_more(tmp_path: Path) -> None:
    points = tuple(Point(day=date(2026, 5, 1 + n), value=float(n), low=n / 2, high=2.0 * n) for n in range(9))
    full = Panel(points=points, marked=date(2026, 5, 4))
    row = PanelRow(label="length", panels=(full, Panel(points=())), written=str)
    draw_panels("Title", ("v1", "a very long name of a version " * 5), (row,), tmp_path / "panels.png")
    with Image.open(tmp_path / "panels.png") as image:
        pixels = image.convert("RGB")
    colors = {color for _, color in pixels.getcolors(1 << 24) or []}
    assert {(0x1D, 0x5F, 0x8A), (0xC2, 0x41, 0x0C), (0xCF, 0xE1, 0xEC)} <= colors
    bars = [Bar(label=name, value=n, low=n - 1, high=n + 1, note=f"{n}") for name, n in (("one", 2), ("two", 9))]
    draw_bars("Title", bars, tmp_path / "bars.png")
    draw_bars("Title", (), tmp_path / "none.png")
    with Image.open(tmp_path / "bars.png") as two, Image.open(tmp_path / "none.png") as none:
        assert two.height > none.height
