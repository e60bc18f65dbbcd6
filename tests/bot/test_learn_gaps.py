"""What was asked in vain: grouped by topic, counted, compared with the week before, quoted only where all may read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.errors import SettingsError
from bot.feedback import record_reason, record_vote
from bot.inbox import Inbox
from bot.jobs import run_due
from bot.learn import gap_words
from bot.learn.gap_rows import AskedQuestion, find_asked
from bot.learn.gaps import GapFinder, GapReport, GapTopic, NearDocument, gaps_job, renew_reports
from bot.people import Preferences, save_preferences
from bot.privacy import forget
from bot.settings import load_settings
from bot.slack.gaps import gaps_message
from bot.slack.limits import BLOCKS_OF_MESSAGE, MESSAGE_TEXT, text_of_blocks
from bot.timetable import Timetable
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.library import Library
from tests.bot.dialogue import ADA, ADAS_DM, BEN, CHLOE, GENERAL, HELP, LEADS
from tests.bot.gap_world import BEFORE, LATELY, NOW, TEAM, ask
from tests.bot.learn_world import World, open_world
from tests.bot.slack_oracle import read_message
from tests.bot.terminal import Terminal

OPEN = {HELP, GENERAL}
LEAVE = "---\nowner: Ana Ruiz\n---\n\n# Handbook\n\n## Leave\n\nParental leave is 16 weeks at full pay for everybody."
DESK = "# Desk\n\n## Badges\n\nBadges are issued by Maria Lopez at the front desk. Lost badges cost 15 euros."
BICYCLES = (
    "Where can I park my bicycle at the office?",
    "May I park a bicycle at the office?",
    "Is there a place at the office to park my bicycle?",
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = open_world(tmp_path / "world")
    yield world
    world.engine.dispose()


@pytest.fixture
def engine(world: World) -> sa.Engine:
    return world.engine


def quotable(question: AskedQuestion) -> bool:
    return question.in_the_open and question.channel in OPEN


def report(world: World, *, until: datetime = NOW, audience: Audience | None = None) -> GapReport:
    with Library.open(world.engine, world.embedder, None) as library:
        library.wait_for_words(5.0)
        finder = GapFinder(engine=world.engine, library=library, minimum_support=lambda: 0.03)
        return finder.report(until, audience=audience or Audience.everyone(), may_quote=quotable, team=TEAM)


def everything_said(found: GapReport) -> str:
    message = gaps_message(found, [topic.ask.owner if topic.ask else "" for topic in found.topics])
    return f"{message.text}\n{json.dumps(message.blocks)}"


def test_what_should_have_stayed_unanswered_counts_as_unanswered(world: World) -> None:
    for number, text in enumerate(BICYCLES):
        made_up = ask(world.engine, text, user=(ADA, BEN, CHLOE)[number], abstained=False)
        record_reason(world.engine, made_up, CHLOE, "unknown" if number else "wrong")
    (topic,) = report(world).topics
    assert (topic.asked, topic.unanswered, topic.bad) == (3, 2, 1)


@pytest.mark.parametrize(("reason", "counts"), [("wrong", (3, 0, 3)), ("unknown", (3, 3, 0))])
def test_who_writes_the_better_answer_says_that_there_is_one(
    world: World, reason: str, counts: tuple[int, int, int]
) -> None:
    for number, text in enumerate(BICYCLES):
        made_up = ask(world.engine, text, user=(ADA, BEN, CHLOE)[number], abstained=False)
        record_reason(world.engine, made_up, CHLOE, "unknown" if number else "wrong")
        record_reason(world.engine, made_up, ADA if number else BEN, reason, "Bicycles stand behind the canteen.")
    (topic,) = report(world).topics
    assert (topic.asked, topic.unanswered, topic.bad) == counts


def test_a_topic_counts_who_asked_and_how_it_ended(world: World) -> None:
    ask(world.engine, BICYCLES[0])
    ask(world.engine, BICYCLES[1], user=ADA)
    liked = ask(world.engine, BICYCLES[2], user=ADA, abstained=False)
    bad = ask(world.engine, BICYCLES[2], user=CHLOE, abstained=False)
    record_vote(world.engine, liked, BEN, 1, "button")
    record_vote(world.engine, bad, CHLOE, -1, "button")
    ask(world.engine, "Who gives out badges?", abstained=False)
    found = report(world)
    (topic,) = found.topics
    assert (topic.asked, topic.people, topic.unanswered, topic.bad, topic.unquoted) == (4, 3, 2, 1, 0)
    assert (found.asked, found.unanswered, found.bad) == (5, 2, 1)
    assert "bicycle" in topic.name
    assert sorted(one.text for one in topic.examples) == sorted(BICYCLES)
    assert topic.is_new
    assert gap_words.advice(topic, "").startswith("No document comes near")


def test_the_likely_owner_is_who_answers_for_the_nearest_document(world: World) -> None:
    world.learn_documents(LEAVE, name="handbook")
    world.learn_documents(DESK, name="desk")
    ask(world.engine, "Is parental leave longer for twins?")
    ask(world.engine, "What do lost badges weigh at the front desk?", user=ADA)
    topics = {topic.nearest[0].path: topic for topic in report(world).topics}
    leave, badges = topics["Handbook > Leave"], topics["Desk > Badges"]
    assert leave.ask is not None
    assert gap_words.advice(replace(leave, answered_now=0), "Ana Ruiz") == (
        "Ask Ana Ruiz, who answers for “Handbook > Leave”."
    )
    nobody = replace(badges, answered_now=0, nearest=tuple(one for one in badges.nearest if not one.owner))
    assert gap_words.advice(nobody, "") == (
        "Nobody is named for it. The nearest is “Desk > Badges” of the source “desk”."
    )


def test_a_document_with_one_of_the_words_is_not_near(world: World) -> None:
    world.learn_documents("# Handbook\n\nAsk People Ops about " + "holidays and leave and pay and tea. " * 9, name="h")
    ask(world.engine, "Who do I ask about a broken wooden chair?")
    (topic,) = report(world).topics
    assert topic.nearest == ()


def test_documents_that_the_channel_may_not_read_are_not_named(world: World) -> None:
    world.learn_documents(LEAVE, name="secret", audience=f"channel:{LEADS}")
    world.learn_documents(DESK, name="own", audience=f"channel:{HELP}")
    ask(world.engine, "Is parental leave longer for twins?")
    ask(world.engine, "Why do badges cost 15 euros?", channel=GENERAL)
    ask(world.engine, "How much do lost badges weigh?", at=BEFORE)
    for audience in (Audience.of_channel(GENERAL), Audience.everyone()):
        found = report(world, audience=audience)
        assert [topic.nearest for topic in found.topics] == [(), ()]
        assert found.answered_now == ()
    # Asked in the channel that is told, its own documents may be named.
    assert [one.document.source for one in report(world, audience=Audience.of_channel(HELP)).answered_now] == ["own"]
    # The leads may read it, those who asked could not.
    assert [topic.nearest for topic in report(world, audience=Audience.of_channel(LEADS)).topics] == [(), ()]


def test_what_changed_since_the_week_before_is_said(world: World) -> None:
    ask(world.engine, BICYCLES[0], at=BEFORE)
    ask(world.engine, BICYCLES[1], user=ADA)
    ask(world.engine, "When does the sauna open?")
    ask(world.engine, "Who issues badges at the front desk?", at=BEFORE)
    ask(world.engine, "Which rocket flies to the moon?", at=BEFORE)
    ask(world.engine, "Too old to count?", at=NOW - timedelta(days=20))
    world.learn_documents(DESK, name="desk")
    found = report(world)
    by_new = {topic.is_new: topic for topic in found.topics}
    assert "sauna" in by_new[True].name
    assert (by_new[False].before, by_new[False].asked) == (1, 1)
    assert found.asked_again == 3
    assert [one.question.text for one in found.answered_now] == ["Who issues badges at the front desk?"]
    said = everything_said(found)
    assert "New: " in said
    assert "Of 3 unanswered questions of the time before, 1 would be answered now." in said
    assert "Desk > Badges" in said
    assert "Too old" not in said


def test_a_gap_that_was_filled_since_is_said_to_be(world: World) -> None:
    ask(world.engine, "Who issues badges at the front desk?")
    world.learn_documents(DESK, name="desk")
    (topic,) = report(world).topics
    assert topic.answered_now == 1
    assert gap_words.advice(topic, "") == "Would be answered now, from “Desk > Badges”."


def test_private_words_are_counted_and_never_quoted(world: World) -> None:
    """M6: neither in names nor examples, nor is anything searched for with them."""
    engine = world.engine
    world.learn_documents("# Mergers\n\n## Talks\n\nThe merger with Initech is talked about.", name="board")
    ask(engine, "Who leads after the merger with Initech?", channel=LEADS, user=ADA)
    ask(engine, "When is my secret surgery?", channel=ADAS_DM, user=ADA)
    ask(engine, "How do I resign quietly?", visibility="ephemeral", user=CHLOE)
    ask(engine, "What did the merger cost last week?", channel=LEADS, user=ADA, at=BEFORE)
    ask(engine, BICYCLES[0])
    ask(engine, BICYCLES[1].replace("bicycle", "bicycle zanzibar"), channel=LEADS, user=ADA)
    found = report(world, audience=Audience.of_channel(LEADS))
    said = everything_said(found).lower()
    for word in ("merger", "initech", "surgery", "resign", "zanzibar", "talks"):
        assert word not in said
    (topic,) = found.topics
    assert (topic.asked, topic.people, topic.unanswered, topic.unquoted) == (2, 2, 2, 1)
    assert (found.hidden_topics, found.hidden_failed, found.unanswered, found.asked_again) == (3, 3, 5, 0)
    assert "3 more questions without a good answer (3 topics) came from private places" in gap_words.rest(found, 9)[0]


def test_whoever_is_not_remembered_and_what_was_deleted_is_not_quoted(world: World) -> None:
    """M15."""
    engine = world.engine
    ask(engine, "Why is the sauna closed?", user=CHLOE)
    save_preferences(engine, TEAM, CHLOE, Preferences(memory=False))
    deleted = ask(engine, "Where is the harpsichord kept?")
    withdrawn = ask(engine, "Where is the trombone kept?")
    ask(engine, "Where is the theremin kept?", user=ADA)
    forget(engine, ADA)
    with writing(engine) as connection:
        turn, answer = tables.turn.c, tables.answer.c
        connection.execute(sa.delete(tables.turn).where(turn.text.contains("harpsichord")))
        connection.execute(sa.update(tables.answer).where(answer.id == withdrawn).values(state="withdrawn"))
    ask(engine, BICYCLES[0])
    found = report(world)
    assert [topic.examples[0].text for topic in found.topics] == [BICYCLES[0]]
    assert found.left_out == 3
    for word in ("sauna", "harpsichord", "trombone", "theremin"):
        assert word not in everything_said(found)
    assert find_asked(engine, deleted) is None
    assert find_asked(engine, withdrawn) is None
    assert find_asked(engine, 9_999) is None


def test_what_nobody_asked_the_bot_and_other_teams_do_not_count(world: World) -> None:
    ask(world.engine, BICYCLES[0], visibility="if_sure")
    ask(world.engine, BICYCLES[1], team="T9")
    found = report(world)
    assert (found.is_empty, found.asked, found.topics) == (True, 0, ())


# The message


def made_topic(number: int, **changes: object) -> GapTopic:
    question = AskedQuestion(
        answer_id=number,
        team=TEAM,
        channel=HELP,
        user=BEN,
        visibility="thread",
        at=LATELY,
        text=f"<!channel> @here <@U0ADAPARK> https://evil.example/{'x' * 400} {number}",
        unanswered=True,
        bad=False,
    )
    near = NearDocument(uri="u", path="<!here> Page", source="s", owner="<@U0ADAPARK> @channel " + "o" * 200)
    values: dict[str, Any] = {
        "name": f"<!everyone> topic {number} {'y' * 200}",
        "asked": 4,
        "people": 1,
        "unanswered": 1,
        "bad": 2,
        "unquoted": 1,
        "before": 0,
        "answered_now": 0,
        "examples": (question,) * 3,
        "nearest": (near,) * 3,
    }
    return GapTopic(**values | changes)


def made_report(topics: tuple[GapTopic, ...]) -> GapReport:
    return GapReport(
        since=datetime(2026, 5, 25, 9, tzinfo=UTC),
        until=datetime(2026, 6, 1, 9, tzinfo=UTC),
        asked=90,
        unanswered=40,
        bad=3,
        topics=topics,
        hidden_topics=1,
        hidden_failed=2,
        left_out=1,
        asked_again=5,
        answered_now=(),
    )


def test_a_full_report_keeps_the_limits_and_calls_nobody() -> None:
    found = made_report(tuple(map(made_topic, range(1, 21))))
    message = gaps_message(found, [topic.nearest[0].owner for topic in found.topics[:8]])
    assert len(message.blocks) <= BLOCKS_OF_MESSAGE
    assert text_of_blocks(message.blocks) <= MESSAGE_TEXT
    read = read_message({"text": message.text, "blocks": message.blocks})
    assert (read.links, read.mentions, read.hidden) == ([], [], [])
    assert "Questions without a good answer, 25 May to 1 June" in message.text
    assert "And 12 more topics with 36 questions" in message.text


def test_numbers_are_said_as_people_say_them() -> None:
    once = made_topic(1, asked=1, bad=0, unquoted=0, before=3)
    assert gap_words.counts(once) == "asked once by 1 person, 1 without an answer, 3 in the time before"
    named = gap_words.changes(made_report(tuple(made_topic(n, name=f"t{n}") for n in range(5))))
    assert named[0] == "New: t0; t1; t2; and 2 more"


# The job


def test_the_job_puts_each_week_into_the_inbox_once(engine: sa.Engine) -> None:
    """Over two processes, and where a slot is run again."""
    monday = datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
    ask(engine, BICYCLES[0], at=monday - timedelta(days=2))
    ask(engine, BICYCLES[1], at=monday - timedelta(days=2), team="terminal")
    times = Timetable(cron="0 9 * * MON")
    here, there = (gaps_job(engine, GENERAL, times, now=lambda: monday) for _ in range(2))
    assert run_due(engine, (here,), lambda: monday) == ("gaps",)
    assert run_due(engine, (there,), lambda: monday) == ()
    assert there.work() == "nothing to tell"
    lease = Inbox(engine).claim(["gaps"])
    assert lease is not None
    assert lease.payload == {"team": TEAM, "channel": GENERAL, "until": "2026-06-01T09:00:00+00:00"}
    assert Inbox(engine).claim(["gaps"]) is None
    later = monday + timedelta(days=7)
    ask(engine, BICYCLES[2], at=later - timedelta(days=1))
    assert gaps_job(engine, GENERAL, times, now=lambda: later).work() == "1 to be told"
    quiet = monday + timedelta(days=28)
    assert gaps_job(engine, GENERAL, times, now=lambda: quiet).work() == "nothing to tell"


def test_reports_that_may_quote_what_was_deleted_are_made_anew_once(engine: sa.Engine) -> None:
    monday = datetime(2026, 6, 1, 9, tzinfo=UTC)
    inbox = Inbox(engine)
    for week in (0, 1, 4):
        until = monday + timedelta(weeks=week)
        ask(engine, BICYCLES[0], at=until - timedelta(days=1))
        gaps_job(engine, GENERAL, Timetable(cron="0 9 * * MON"), now=lambda until=until: until).work()  # type: ignore[misc]
    asked_at = monday - timedelta(days=2)
    assert renew_reports(engine, inbox, "T9", asked_at, "x") == 0
    # As a failure of its own week, and as one of the week before that is asked again.
    assert renew_reports(engine, inbox, TEAM, asked_at, "x") == 2
    assert renew_reports(engine, inbox, TEAM, asked_at, "x") == 0
    with reading(engine) as connection:
        rows = connection.execute(sa.select(tables.inbox.c.payload).where(tables.inbox.c.event_id.endswith(":x")))
        assert [row.payload["until"][:10] for row in rows] == ["2026-06-01", "2026-06-08"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('gaps_at = "every monday"', "knowledge.gaps_at = 'every monday': expected a cron line of five fields"),
        ('gaps_zone = "Berlin"', "knowledge.gaps_zone = 'Berlin': expected the name of a time zone"),
        ('gaps_to = "#admins"', "knowledge.gaps_to = '#admins'"),
    ],
)
def test_times_and_places_that_cannot_be_stop_the_start(tmp_path: Path, line: str, expected: str) -> None:
    (tmp_path / "lorekeeper.toml").write_text(f"[knowledge]\n{line}\n")
    with pytest.raises(SettingsError) as raised:
        load_settings({}, tmp_path)
    assert expected in str(raised.value)


# The command


def test_the_command_prints_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    terminal = Terminal(home=tmp_path / "home", capsys=capsys)
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "leave.md").write_text(LEAVE)
    assert "nothing" not in terminal.type("sources", "add", str(folder)).err
    terminal.type("sync")
    engine = open_database(f"sqlite:///{tmp_path / 'home' / 'lorekeeper.db'}")
    ask(engine, "Is the sauna for twins in parental leave?", channel=LEADS)
    ask(engine, "Why is the lift red?", channel="terminal", team="terminal")
    engine.dispose()
    shown = terminal.type("gaps")
    assert shown.code == 0
    # Without Slack nobody can say which channels are open.
    assert "sauna" not in shown.out
    assert "lift" in shown.out
    assert "1 more question without a good answer (1 topic) came from private places" in shown.out
    all_of_it = terminal.type("gaps", "--private")
    assert "sauna" in all_of_it.out
    assert "Handbook > Leave" in all_of_it.out
    found = terminal.type("gaps", "--private", "--json", "--days", "3").json
    topic = next(one for one in found["topics"] if "sauna" in one["examples"][0]["question"])
    assert topic["nearest"][0]["owner"] == "Ana Ruiz"
    assert (found["unanswered"], found["bad"], topic["is_new"]) == (2, 0, True)


def test_nothing_is_kept_of_a_report(world: World) -> None:
    """The inbox row of a report holds no words."""
    ask(world.engine, BICYCLES[0])
    gaps_job(world.engine, GENERAL, Timetable(every=timedelta(days=7)), now=lambda: NOW + timedelta(days=7)).work()
    with reading(world.engine) as connection:
        rows = connection.execute(sa.select(tables.inbox.c.payload)).scalars().all()
    assert "bicycle" not in json.dumps(list(rows))
