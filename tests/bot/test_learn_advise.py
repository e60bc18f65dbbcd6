"""Advice: each failed answer is attributed to what made it fail, counted with intervals, shown to who may see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from bot import tables
from bot.conversation import save_answer, save_user_turn
from bot.database import open_database
from bot.equipment import Equipment
from bot.escalation import begin_escalation
from bot.feedback import Vote, record_reason, record_vote
from bot.learn import words
from bot.learn.advise import LEAST_FAILURES, Advice, LeverCount, advise
from bot.learn.attribute import CAUSES, LEAST_SURE, Attribution, Attributor, Cause, Reason, weigh
from bot.learn.failures import Failure, read_failures
from bot.learn.latest import FRESH, LatestAdvice
from bot.learn.topics import Topic, TopicQuestion, find_topics, named, visible
from bot.people import Preferences, save_preferences
from bot.playground import blocks as playground_blocks
from bot.slack.gateway import SlackBot
from bot.slack.home_admin import AdminContent, Opened, admin_view
from bot.turn import Answer, Citation, Incoming
from knowledge import tables as knowledge_tables
from knowledge.database import writing
from knowledge.document import Question
from knowledge.library import Library
from knowledge.store import add_source
from tests.bot.answer_parts import BADGES, LEAVE, FixedLibrary, passage
from tests.bot.dialogue import (
    ADA,
    BEN,
    HELP,
    ScriptedAnswering,
    Workspace,
    link,
    make_answer,
    options,
    wait_until,
)
from tests.bot.pages import Pages, said
from tests.bot.terminal import Terminal
from tests.bot.test_home_admin import EMPTY
from tests.knowledge.fake_embedder import FakeEmbedder

NOW = datetime.now(UTC)
TEAM = "T0PLAYGROUND"
ASKED = Incoming(
    team=TEAM,
    channel=HELP,
    channel_kind="public",
    user=BEN,
    ts="1.1",
    thread_ts=None,
    text="Who gives out badges at the front desk?",
    mentioned=True,
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'advise.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


def answered(
    engine: sa.Engine,
    text: str = "Badges come by post.",
    *,
    incoming: Incoming = ASKED,
    abstained: bool = False,
    support: float = 0.8,
    cited: tuple[Citation, ...] = (),
    **columns: Any,
) -> int:
    """One question with its answer, ten days ago."""
    answer: Answer = replace(make_answer(text), abstained=abstained, support=support, citations=cited)
    save_user_turn(engine, incoming)
    answer_id = save_answer(engine, incoming, answer)
    with writing(engine) as connection:
        values = {"created_at": NOW - timedelta(days=10)} | columns
        connection.execute(sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(values))
    return answer_id


def attributed(engine: sa.Engine, library: Any, *, minimum_support: float = 0.4) -> Attribution:
    """The attribution of the one failure that there is."""
    (failure,) = read_failures(engine, NOW - timedelta(days=30)).failed
    return Attributor(engine=engine, library=library, passages=4, minimum_support=minimum_support).attribute(failure)


def library_of(*texts: str) -> FixedLibrary:
    return FixedLibrary([passage(text, number=number) for number, text in enumerate(texts, 1)])


# Which answers failed


def test_good_answers_and_those_without_a_word_did_not_fail(engine: sa.Engine) -> None:
    liked = answered(engine)
    record_vote(engine, liked, ADA, 1, "button")
    answered(engine, incoming=replace(ASKED, ts="1.2"))
    contested = answered(engine, incoming=replace(ASKED, ts="1.3"))
    votes: tuple[tuple[str, Vote], ...] = ((ADA, 1), ("U1", 1), ("U2", -1))
    for user, vote in votes:
        record_vote(engine, contested, user, vote, "button")
    found = read_failures(engine, NOW - timedelta(days=30))
    assert (found.answers, found.failed, found.left_out) == (3, (), 0)


def test_every_way_of_failing_is_seen(engine: sa.Engine) -> None:
    ids = [answered(engine, incoming=replace(ASKED, ts=f"1.{n}")) for n in range(5)]
    record_vote(engine, ids[0], ADA, -1, "button")
    record_reason(engine, ids[1], ADA, "outdated", "Badges are at the gate now.")
    with writing(engine) as connection:
        row = {"answer_id": ids[2], "user": ADA, "kind": "asked_again", "created_at": NOW}
        connection.execute(sa.insert(tables.signal).values(row))
        connection.execute(sa.insert(tables.signal).values(row | {"answer_id": ids[0], "kind": "thanked"}))
    begin_escalation(engine, ids[3], asked_by=BEN, asked_of=ADA)
    revision = {"revision": 0, "user": BEN, "question": "?", "text": "so", "version": "v", "replaced_at": NOW}
    with writing(engine) as connection:
        for answer_id, purpose in ((ids[4], "regenerate"), (ids[3], "edit")):
            row = {"answer_id": answer_id, "purpose": purpose} | revision
            connection.execute(sa.insert(tables.answer_revision).values(row))
    answered(engine, incoming=replace(ASKED, ts="2.1"), abstained=True)
    answered(engine, incoming=replace(ASKED, ts="2.2"), abstained=True, outcome="asked_back")
    answered(engine, incoming=replace(ASKED, ts="2.3"), abstained=True, visibility="if_sure")
    answered(engine, incoming=replace(ASKED, ts="2.4"), abstained=True, created_at=NOW - timedelta(days=40))
    found = read_failures(engine, NOW - timedelta(days=30))
    assert [one.signs for one in found.failed] == [
        ("asked_back",),
        ("abstained",),
        ("asked_again",),
        ("reworded", "escalated"),
        ("asked_again",),
        ("downvoted", "corrected"),
        ("downvoted",),
    ]
    assert found.failed[5].reasons == ("outdated",)
    assert found.failed[5].corrections == ("Badges are at the gate now.",)


def test_a_question_that_was_only_reworded_did_not_fail(engine: sa.Engine) -> None:
    answer_id = answered(engine)
    revision = {"revision": 0, "user": BEN, "question": "?", "text": "so", "version": "v", "replaced_at": NOW}
    with writing(engine) as connection:
        row = {"answer_id": answer_id, "purpose": "edit"} | revision
        connection.execute(sa.insert(tables.answer_revision).values(row))
    assert read_failures(engine, NOW - timedelta(days=30)).failed == ()


def test_the_words_of_people_who_are_not_remembered_are_not_read(engine: sa.Engine) -> None:
    answered(engine, abstained=True)
    other = answered(engine, incoming=replace(ASKED, ts="1.2", user="U2"))
    record_reason(engine, other, BEN, None, "A secret correction.")
    save_preferences(engine, TEAM, BEN, Preferences(memory=False))
    found = read_failures(engine, NOW - timedelta(days=30))
    assert found.left_out == 1
    assert [(one.user, one.corrections) for one in found.failed] == [("U2", ())]


def test_the_search_sees_what_the_asker_could_read() -> None:
    failure = made_failure()
    assert failure.audience.readable == {"everyone", f"channel:{HELP}"}
    direct = replace(failure, channel="D1", audiences=frozenset({"channel:C7"}))
    assert direct.audience.readable == {"everyone", f"person:{BEN}", "channel:C7"}


def made_failure(**changes: Any) -> Failure:
    values: dict[str, Any] = {
        "answer_id": 1,
        "team": TEAM,
        "channel": HELP,
        "conversation": "c",
        "user": BEN,
        "visibility": "thread",
        "at": NOW,
        "version": "v1",
        "signs": ("downvoted",),
        "reasons": (),
        "corrections": (),
        "question": Question(text=ASKED.text),
        "text": "Badges come by post.",
        "outcome": "answered",
        "support": 0.8,
        "found": (),
        "cited": (),
        "audiences": frozenset(),
    }
    return Failure(**values | changes)


# Why they failed


def test_a_better_answer_that_was_found_means_misread(engine: sa.Engine) -> None:
    record_reason(engine, answered(engine), ADA, "wrong", "Badges are issued by Maria Lopez.")
    found = attributed(engine, library_of(BADGES, LEAVE))
    assert found.cause == "misread"
    assert found.confidence > 0.7
    assert "the better answer stands in the passages that are found" in found.reasons


def test_a_better_answer_that_no_document_holds_means_missing(engine: sa.Engine) -> None:
    record_reason(engine, answered(engine), ADA, "wrong", "Security hands them out in the basement.")
    found = attributed(engine, library_of(LEAVE))
    assert found.cause == "missing"
    assert "the better answer stands in no document that is known here" in found.reasons


def test_a_better_answer_in_a_document_that_was_not_found_means_overlooked(engine: sa.Engine) -> None:
    record_reason(engine, answered(engine), ADA, "wrong", "Maria Lopez issues them, at the front desk.")
    # The fifth passage is beyond what an answer stands on.
    others = [f"{LEAVE} Part {number}." for number in range(4)]
    assert attributed(engine, library_of(*others, BADGES)).cause == "overlooked"


def test_a_passage_with_another_number_than_the_better_answer_is_old(engine: sa.Engine) -> None:
    incoming = replace(ASKED, text="How much do lost badges cost?")
    record_reason(engine, answered(engine, incoming=incoming), ADA, None, "Lost badges cost 25 euros.")
    found = attributed(engine, library_of(BADGES))
    assert found.cause == "outdated"
    assert "a passage says nearly what the better answer says, with another number or name" in found.reasons


def test_people_who_say_outdated_are_believed(engine: sa.Engine) -> None:
    record_reason(engine, answered(engine), ADA, "outdated")
    assert attributed(engine, library_of(BADGES)).cause == "outdated"


def test_people_who_say_that_it_should_not_know_mean_missing(engine: sa.Engine) -> None:
    record_reason(engine, answered(engine), ADA, "unknown")
    found = attributed(engine, library_of(BADGES))
    assert found.cause == "missing"
    assert "people say that it should have said that it does not know" in found.reasons


def test_nothing_found_means_missing(engine: sa.Engine) -> None:
    answered(engine, abstained=True, support=0.05)
    found = attributed(engine, library_of(LEAVE))
    assert found.cause == "missing"
    assert found.failure.signs == ("abstained",)


def test_a_request_with_hardly_a_word_is_unclear(engine: sa.Engine) -> None:
    answered(engine, incoming=replace(ASKED, text="How do I get it?"), abstained=True, support=0.3)
    assert attributed(engine, library_of(BADGES, LEAVE)).cause == "unclear"


def test_a_question_back_that_nobody_answered_is_unclear(engine: sa.Engine) -> None:
    answered(engine, abstained=True, outcome="asked_back", support=0.5)
    assert attributed(engine, library_of(BADGES)).cause == "unclear"


def stored_document(engine: sa.Engine, text: str, *, synced_at: datetime) -> Library:
    """A library with one document of the source "s"."""
    source = add_source(engine, kind="files", location="/s", name="s")
    with writing(engine) as connection:
        connection.execute(
            sa.insert(knowledge_tables.document).values(
                id=1,
                source_id=source.id,
                uri="file:///s/badges.md",
                title="Badges",
                content_hash="h",
                audience="everyone",
                synced_at=synced_at,
            )
        )
        chunk = {"document_id": 1, "ordinal": 0, "header": "Badges", "text": text, "text_hash": "hash1"}
        connection.execute(sa.insert(knowledge_tables.chunk).values(chunk))
        connection.execute(
            sa.insert(knowledge_tables.vector).values(
                text_hash="hash1", embedder="fake", vector=FakeEmbedder(dim=256).embed([f"Badges\n{text}"])[0].tobytes()
            )
        )
    return Library.open(engine, FakeEmbedder(dim=256), Path("/nowhere"))


def cited(quote: str) -> Citation:
    return replace(make_answer("so").citations[0], uri="file:///s/badges.md", quote=quote)


def test_a_cited_sentence_that_changed_since_was_old(engine: sa.Engine) -> None:
    answer_id = answered(engine, cited=(cited("Badges are issued by Ben at the gate."),))
    record_vote(engine, answer_id, ADA, -1, "button")
    with stored_document(engine, BADGES, synced_at=NOW) as library:
        found = attributed(engine, library)
    assert found.cause == "outdated"
    assert "a document that it cites says something else by now" in found.reasons


def test_a_cited_sentence_that_still_stands_was_not_old(engine: sa.Engine) -> None:
    answer_id = answered(engine, cited=(cited("Badges are issued by Maria Lopez at the front desk."),))
    record_vote(engine, answer_id, ADA, -1, "button")
    with stored_document(engine, BADGES, synced_at=NOW) as library:
        assert attributed(engine, library).cause != "outdated"


def test_what_was_read_after_the_question_was_late(engine: sa.Engine) -> None:
    answered(engine, abstained=True, support=0.01)
    with stored_document(engine, BADGES, synced_at=NOW) as library:
        found = attributed(engine, library, minimum_support=0.03)
    assert found.cause == "outdated"
    assert "what answers it was read after the question was asked" in found.reasons


def test_shares_add_up_and_doubt_is_said() -> None:
    unsure = weigh(made_failure(), [])
    assert sum(unsure.shares.values()) == pytest.approx(1.0)
    assert unsure.cause is None
    assert unsure.confidence < LEAST_SURE
    sure = weigh(
        made_failure(), [Reason(says="so", points={"outdated": 9.0}), Reason(says="not", points={"missing": -1})]
    )
    assert (sure.cause, sure.reasons) == ("outdated", ("so",))


# Topics


def question(
    number: int, text: str, *, channel: str = HELP, user: str = BEN, visibility: str = "thread"
) -> TopicQuestion:
    return TopicQuestion(answer_id=number, channel=channel, user=user, visibility=visibility, text=text)


QUESTIONS = (
    question(1, "How much parental leave do fathers get?"),
    question(2, "Is parental leave paid?"),
    question(3, "How long is parental leave?"),
    question(4, "Where is the bicycle cellar?"),
    question(5, "When is the bicycle cellar open?"),
    question(6, "What about the merger?", channel="C0SECRET"),
)


def test_alike_questions_are_one_topic_named_by_its_telling_words() -> None:
    topics = find_topics(QUESTIONS, FakeEmbedder(dim=256))
    assert [topic.count for topic in topics] == [3, 2, 1]
    assert {"parental", "leave"} <= set(topics[0].name.split(", "))
    assert {"bicycle", "cellar"} <= set(topics[1].name.split(", "))
    assert find_topics((), FakeEmbedder()) == ()
    assert [topic.name for topic in find_topics(QUESTIONS[5:], FakeEmbedder())] == ["merger"]


def test_a_topic_shows_nothing_of_questions_that_somebody_may_not_read() -> None:
    mixed = named([[*QUESTIONS[:2], question(7, "parental leave of the Wolpertinger project", channel="C0SECRET")]])
    assert "wolpertinger" in repr([one.text.lower() for one in mixed[0].questions])
    shown = visible((*mixed, *named([QUESTIONS[5:]])), lambda one: one.channel == HELP)
    assert [topic.count for topic in shown] == [2]
    assert "wolpertinger" not in shown[0].name
    assert visible(mixed, lambda _: False) == ()


# The summary


def failing(engine: sa.Engine, missing: int, misread: int) -> None:
    for number in range(missing):
        incoming = replace(ASKED, ts=f"3.{number}", text=f"Where is the bicycle cellar number {number}?")
        record_reason(engine, answered(engine, incoming=incoming), ADA, "wrong", "In the northern yard, behind a gate.")
    for number in range(misread):
        answer_id = answered(engine, incoming=replace(ASKED, ts=f"4.{number}"))
        record_reason(engine, answer_id, ADA, "wrong", "Badges are issued by Maria Lopez.")


def test_the_summary_counts_with_intervals_and_names_what_is_ahead(engine: sa.Engine) -> None:
    failing(engine, missing=14, misread=3)
    advice = advise(engine, library_of(BADGES, LEAVE), NOW)
    first, second = advice.levers[:2]
    assert (first.lever, first.count, second.lever, second.count) == ("documents", 14, "tuning", 3)
    assert first.low < first.likely < first.high <= 17
    assert advice.best == "documents"
    assert advice.knowledge_ahead > 0.95
    assert (advice.answers, advice.failed, advice.unknown, advice.left_out) == (17, 17, 0, 0)
    assert sum(one.likely for one in advice.levers) == pytest.approx(17)
    assert {"bicycle", "cellar"} <= set(advice.topics[0].name.split(", "))
    assert advice.topics[0].count == 14


def test_tuning_is_ahead_where_answers_were_there(engine: sa.Engine) -> None:
    failing(engine, missing=1, misread=13)
    advice = advise(engine, library_of(BADGES, LEAVE), NOW)
    assert advice.best == "tuning"
    assert advice.knowledge_ahead < 0.05


def test_nothing_is_called_best_of_few_or_of_equals(engine: sa.Engine) -> None:
    failing(engine, missing=LEAST_FAILURES - 1, misread=0)
    assert advise(engine, library_of(BADGES), NOW).best is None
    failing(engine, missing=0, misread=LEAST_FAILURES - 1)
    advice = advise(engine, library_of(BADGES), NOW)
    assert advice.best is None
    assert 0.1 < advice.knowledge_ahead < 0.9
    assert advise(engine, library_of(BADGES), NOW, days=5).failed == 0


@pytest.mark.parametrize("best", [None, "documents", "tuning", "sync", "asking"])
def test_every_lever_has_its_words(best: str | None) -> None:
    assert words.advice_headline(best, 20, LEAST_FAILURES)
    assert words.advice_headline(best, 3, LEAST_FAILURES) == words.TOO_FEW
    assert words.advice_headline(best, 0, LEAST_FAILURES) == words.NO_FAILURES
    assert best is None or words.NEXT_STEPS[best]
    assert set(words.CAUSE_NAMES) == set(CAUSES)


def test_the_command_says_what_to_do_and_shows_no_words_of_the_forgotten(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "badges.md").write_text(f"# Badges\n\n{BADGES}\n", encoding="utf-8")
    assert "No answer failed" in terminal.type("advise").out
    terminal.type("sources", "add", str(folder))
    terminal.type("sync")
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    failing(engine, missing=12, misread=2)
    answered(engine, incoming=replace(ASKED, ts="5.1", user="U7", text="Where is my secret diary?"), abstained=True)
    save_preferences(engine, TEAM, "U7", Preferences(memory=False))
    engine.dispose()
    shown = terminal.type("advise", "--plot", str(tmp_path / "advice.png"))
    assert shown.code == 0, shown.err
    assert "Add documents: no document that I know answers these." in shown.out
    assert "bicycle" in shown.out
    assert "diary" not in shown.out
    assert "1 were left out" in shown.out
    with Image.open(tmp_path / "advice.png") as image:
        assert image.format == "PNG"
    found = terminal.type("advise", "--json")
    assert "diary" not in found.out
    assert found.json["best"] == "documents"
    assert {"cause", "confidence", "evidence", "signs"} <= set(found.json["answers_looked_at"][0])
    assert json.loads(found.out)["levers"][0]["lever"] == "documents"


# On the admins' page

ON_QUESTIONS = replace(EMPTY, opened=Opened(part="questions"))


def made_advice(topics: tuple[Topic, ...] = (), failed: int = 20) -> Advice:
    cause: Cause = "missing"
    lever = LeverCount(lever="documents", count=12, likely=12.4, low=8, high=16, by_cause={cause: 12})
    return Advice(
        days=30,
        answers=90,
        failed=failed,
        unknown=2,
        left_out=1,
        levers=(lever,),
        best="documents",
        knowledge_ahead=0.97,
        topics=topics,
        attributions=(),
    )


def test_the_page_says_what_helps_most_in_short() -> None:
    content = replace(ON_QUESTIONS, advises=True, advice=made_advice(), topics=named([QUESTIONS[:3]]))
    view = admin_view(content, now=NOW)
    playground_blocks.home_view(view)
    shown = said(view["blocks"])
    assert "Add documents: no document that I know answers these." in shown
    assert "12 of 20 answers that failed (between 8 and 16)" in shown
    assert "97% sure" in shown
    assert "2 could not be attributed; 1 were left out" in shown
    assert "3 × " in shown


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (replace(ON_QUESTIONS, advises=True), words.ADVICE_COMING),
        (replace(ON_QUESTIONS, advises=True, advice=made_advice(failed=0)), words.NO_FAILURES),
    ],
)
def test_the_page_says_where_there_is_no_advice_yet(content: AdminContent, expected: str) -> None:
    assert expected in said(admin_view(content, now=NOW)["blocks"])
    assert words.ADVICE_TITLE not in said(admin_view(ON_QUESTIONS, now=NOW)["blocks"])


def test_advice_is_worked_out_in_the_background_and_anew_when_it_is_old() -> None:
    clock, made = [NOW], []

    def work_out() -> Advice:
        made.append("x")
        return made_advice()

    latest = LatestAdvice(work_out, now=lambda: clock[0])
    latest.current()
    latest.wait(5.0)
    assert latest.current() == made_advice()
    assert latest.current() is not None
    clock[0] += FRESH + timedelta(minutes=1)
    assert latest.current() is not None
    latest.wait(5.0)
    assert made == ["x", "x"]


def test_advice_that_cannot_be_worked_out_is_none_and_is_not_tried_at_every_look(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried: list[str] = []

    def work_out() -> Advice:
        tried.append("x")
        raise OSError("no disk")

    latest = LatestAdvice(work_out)
    latest.current()
    latest.wait(5.0)
    assert latest.current() is None
    latest.wait(5.0)
    assert tried == ["x"]
    assert "advice could not be worked out" in caplog.text


def test_admins_see_topics_of_places_that_they_may_read(workspace: Workspace, engine: sa.Engine) -> None:
    secret = workspace.act("create_channel", user=BEN, name="bens-advice", private=True)["channel"]["id"]
    workspace.act("invite", user=BEN, channel=secret, invitee="U0LOREKEEPER")
    hidden = question(9, "Who will lead after the merger?", channel=secret)
    forgotten = question(10, "Why is the sauna closed?", user="U0CHLOELIND")
    save_preferences(engine, TEAM, "U0CHLOELIND", Preferences(memory=False))
    topics = named([QUESTIONS[:3], [hidden], [forgotten]])
    latest = LatestAdvice(lambda: made_advice(topics))
    latest.current()
    latest.wait(5.0)
    with ExitStack() as stack:
        bot = SlackBot(
            engine,
            ScriptedAnswering(),
            options(workspace.playground),
            link=link,
            version=lambda: "scripted-1",
            equipment=Equipment(advice=latest),
        )
        stack.enter_context(bot)
        ada = Pages(workspace, ADA)
        ada.open_home()
        ada.use_and_see("home_admin")
        page = ada.use_and_see("home_part_questions")
        wait_until(lambda: words.TOPICS_TITLE in page)
    assert "parental" in page
    assert "merger" not in page
    assert "sauna" not in page
