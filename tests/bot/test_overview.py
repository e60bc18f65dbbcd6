"""What admins are told: the waiting line, votes by week as text and picture, questions without a good answer."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from bot import tables
from bot.chart import draw_votes, votes_as_text
from bot.conversation import save_answer, save_user_turn
from bot.database import open_database
from bot.feedback import record_vote, withdraw_vote
from bot.inbox import Inbox, Received
from bot.jobs import Job, job_state, run_due, run_soon
from bot.overview import QueueState, WeekVotes, queue_state, unanswered, votes_by_week
from bot.timetable import Timetable
from bot.turn import Incoming
from knowledge.database import writing
from tests.bot.dialogue import make_answer

NOW = datetime.now(UTC)
ASKED = Incoming(
    team="T1", channel="C1", channel_kind="public", user="U1", ts="1.1", thread_ts=None, text="why?", mentioned=True
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def converse(engine: sa.Engine, incoming: Incoming, *, abstained: bool = False, **columns: Any) -> int:
    save_user_turn(engine, incoming)
    answer_id = save_answer(engine, incoming, replace(make_answer("so"), abstained=abstained))
    if columns:
        with writing(engine) as connection:
            connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(columns))
    return answer_id


def test_an_empty_line(engine: sa.Engine) -> None:
    assert queue_state(engine, "T1", NOW) == QueueState(waiting=0, working=0, oldest=None, median_seconds=None)


def test_the_line_of_one_team_is_counted_with_its_oldest_and_the_median(engine: sa.Engine) -> None:
    clock = [NOW - timedelta(minutes=5)]
    inbox = Inbox(engine, now=lambda: clock[0])
    for number, team in enumerate(("T1", "T1", "T1", "T2")):
        inbox.put(Received(event_id=f"E{number}", kind="question", team=team, channel="C1", ts=f"9.{number}"))
        clock[0] += timedelta(minutes=1)
    assert inbox.claim(("question",)) is not None
    for number, seconds in enumerate((1.0, 9.0, 2.0)):
        converse(engine, replace(ASKED, ts=f"1.{number}"), total_seconds=seconds)
    converse(engine, replace(ASKED, ts="2.1"), total_seconds=99.0, created_at=NOW - timedelta(days=8))
    converse(engine, replace(ASKED, ts="2.2", team="T2"), total_seconds=99.0)
    assert queue_state(engine, "T1", NOW) == QueueState(
        waiting=2, working=1, oldest=NOW - timedelta(minutes=4), median_seconds=2.0
    )


def test_votes_that_count_are_counted_by_week(engine: sa.Engine) -> None:
    today = date(2026, 1, 7)
    ids = [converse(engine, replace(ASKED, ts=f"1.{number}")) for number in range(5)]
    days = [date(2026, 1, 7), date(2026, 1, 5), date(2026, 1, 4), date(2025, 11, 17), date(2025, 11, 16)]
    for answer_id, day in zip(ids, days, strict=True):
        record_vote(engine, answer_id, "U1", 1, "button")
        record_vote(engine, answer_id, "U2", -1, "button")
        with writing(engine) as connection:
            moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
            connection.execute(
                sa.update(tables.feedback).where(tables.feedback.c.answer_id == answer_id).values(created_at=moment)
            )
    withdraw_vote(engine, ids[0], "U2")
    weeks = votes_by_week(engine, "T1", today)
    assert [week.monday for week in weeks] == [date(2025, 11, 17) + timedelta(weeks=n) for n in range(8)]
    assert (weeks[-1].good, weeks[-1].bad) == (2, 1)
    assert (weeks[-2].good, weeks[-2].bad) == (1, 1)
    assert (weeks[0].good, weeks[0].bad) == (1, 1)
    assert sum(week.good + week.bad for week in votes_by_week(engine, "T2", today)) == 0


def test_unanswered_questions_are_those_that_everybody_there_saw(engine: sa.Engine) -> None:
    converse(engine, ASKED)
    abstained = converse(engine, replace(ASKED, ts="1.2", text="who?"), abstained=True)
    bad = converse(engine, replace(ASKED, ts="1.3", text="when?"))
    record_vote(engine, bad, "U2", -1, "button")
    liked = converse(engine, replace(ASKED, ts="1.4", text="where?"))
    record_vote(engine, liked, "U2", 1, "button")
    converse(engine, replace(ASKED, ts="1.5", text="seen by me alone"), abstained=True, visibility="ephemeral")
    converse(engine, replace(ASKED, ts="1.6", text="overheard"), abstained=True, visibility="if_sure")
    converse(engine, replace(ASKED, ts="1.7", text="of a forgetful one", user="U7"), abstained=True)
    converse(engine, replace(ASKED, ts="1.8", team="T2"), abstained=True)
    found = unanswered(engine, "T1", without={"U7"}, limit=10)
    assert [(one.answer_id, one.question, one.why) for one in found] == [
        (bad, "when?", "bad"),
        (abstained, "who?", "abstained"),
    ]
    assert len(unanswered(engine, "T1", without=(), limit=1)) == 1


WEEKS = tuple(WeekVotes(monday=date(2026, 1, 5) + timedelta(weeks=n), good=n * 3, bad=n % 2) for n in range(8))


def test_the_picture_is_a_png_that_shows_more_where_there_is_more() -> None:
    image = Image.open(io.BytesIO(draw_votes(WEEKS, "Good answers", "Bad answers")))
    assert (image.format, image.size) == ("PNG", (960, 360))
    green = (0x1D, 0x7A, 0x52)
    columns = [sum(image.getpixel((x, y)) == green for y in range(64, 303)) for x in range(40, 920)]
    assert max(columns[-110:]) > max(columns[220:330]) > 0
    assert draw_votes((), "Good", "Bad")[:4] == b"\x89PNG"
    nothing = tuple(replace(week, good=0, bad=0) for week in WEEKS)
    assert draw_votes(nothing, "Good", "Bad")[:4] == b"\x89PNG"


def test_the_text_says_the_same_numbers() -> None:
    lines = votes_as_text(WEEKS).splitlines()
    assert lines[0] == "05 Jan  + 0               - 0"
    assert lines[7] == f"23 Feb  +21 {'█' * 12}  - 1 ▒"
    assert len(lines) == 8


def test_a_job_can_be_made_due_at_once(engine: sa.Engine) -> None:
    done: list[str] = []

    def work() -> str:
        done.append("x")
        assert not run_soon(engine, "j")
        return ""

    job = Job(name="j", times=Timetable(every=timedelta(days=30)), work=work)
    assert run_soon(engine, "j")
    run_due(engine, (job,))
    run_due(engine, (job,))
    assert done == ["x"]
    assert run_soon(engine, "j")
    next_at = job_state(engine, "j", job.times).next_at
    assert next_at is not None
    assert next_at <= datetime.now(UTC)
    run_due(engine, (job,))
    assert done == ["x", "x"]
    assert job_state(engine, "j", job.times).error is None
