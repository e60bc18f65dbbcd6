"""Answers that are given again: to the same question only, before the same readers, while what they stand on holds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables
from bot.answer import Answering, AnswerOptions
from bot.answer_cache import AnswerCache, CacheLimits, cache_use, drop_stale
from bot.answered import load_answered
from bot.conversation import load_history, load_saved, save_answer, save_user_turn, withdraw_answer
from bot.database import open_database
from bot.feedback import record_vote, withdraw_vote
from bot.forgetting import forget_question
from bot.memory import drop_unremembered
from bot.people import Preferences, save_preferences
from bot.privacy import forget
from bot.purge import find_traces, purge_rows
from bot.turn import Answer, Brief, Done, Incoming, Status, Style
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE, Audience, channel_audience, person_audience
from knowledge.database import reading, writing
from knowledge.document import HistoryTurn, Passage, Question
from knowledge.library import Library
from tests.bot.answer_parts import FixedLibrary, passage
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

BADGES = "Badges are issued by Maria Lopez at the front desk. Lost badges cost 15 euros."
LEAVE = "Parental leave is 16 weeks at full pay. Ask People Ops two months ahead."
WHO = "Who issues badges?"
ALL = Audience.everyone()


@dataclass(kw_only=True)
class Desk:
    """A database, documents in it, and people who ask."""

    engine: sa.Engine
    home: Path
    shelf: Shelf
    answering: Answering
    generator: ScriptedGenerator
    numbers: Iterator[int]

    def ask(
        self,
        text: str,
        audience: Audience = ALL,
        *,
        user: str = "U0ASKER",
        history: tuple[HistoryTurn, ...] = (),
        **brief: Any,
    ) -> tuple[int, Answer]:
        """Ask a question in a thread of its own and save the answer, as the bot does."""
        incoming = Incoming(
            team="T1",
            channel="C1",
            channel_kind="public",
            user=user,
            ts=f"{next(self.numbers)}.0",
            thread_ts=None,
            text=text,
            mentioned=True,
        )
        save_user_turn(self.engine, incoming)
        events = self.answering.answer(Question(text=text, history=history), audience, brief=Brief(**brief))
        answer = next(event.answer for event in events if isinstance(event, Done))
        return save_answer(self.engine, incoming, answer), answer

    def is_given_again(self, text: str = WHO, audience: Audience = ALL, **more: Any) -> bool:
        """Ask, and tell whether the answer was given before."""
        return self.ask(text, audience, **more)[1].given_before is not None

    def execute(self, statement: Any) -> None:
        """Change rows."""
        with writing(self.engine) as connection:
            connection.execute(statement)

    def entries(self) -> int:
        """How many answers are kept."""
        with reading(self.engine) as connection:
            return connection.scalar(sa.select(sa.func.count()).select_from(tables.cached_answer)) or 0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    embedder = FakeEmbedder(dim=256)
    library = Library.open(engine, embedder, None)
    # Nothing that it says stands in the sources, so they are quoted.
    generator = ScriptedGenerator("Zebras everywhere.")
    answering = Answering(
        library=library,
        generator=generator,
        options=AnswerOptions(minimum_support=0.0),
        earlier=AnswerCache(engine=engine),
    )
    yield Desk(
        engine=engine,
        home=tmp_path,
        shelf=Shelf(engine, embedder),
        answering=answering,
        generator=generator,
        numbers=count(1),
    )
    library.close()
    engine.dispose()


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A desk where the question was answered once."""
    desk.shelf.put("file:///badges.md", BADGES)
    desk.shelf.put("file:///leave.md", LEAVE)
    assert not desk.is_given_again()
    return desk


def test_the_same_question_gets_the_same_answer_without_the_model(asked: Desk) -> None:
    calls = len(asked.generator.calls)
    answer_id, answer = asked.ask("who issues BADGES?", user="U0OTHER")
    assert len(asked.generator.calls) == calls
    assert answer.given_before is not None
    assert answer.reused_from == 1
    assert "Maria Lopez" in answer.text
    assert [citation.uri for citation in answer.citations] == ["file:///badges.md"]
    saved = load_saved(asked.engine, answer_id).answer
    assert saved is not None
    assert (saved.text, saved.citations, saved.version) == (answer.text, answer.citations, "scripted-1")
    assert (saved.given_before, saved.reused_from) == (answer.given_before, 1)


def test_it_is_told_as_found_after_searching_and_is_no_entry_of_its_own(asked: Desk) -> None:
    events = list(asked.answering.answer(Question(text=WHO), ALL))
    assert [type(event) for event in events] == [Status, Done]
    assert asked.is_given_again()
    assert asked.entries() == 1


@pytest.mark.parametrize(
    "other",
    [
        "What do lost badges cost?",
        "Who does not issue badges?",
        "Who issues 2 badges?",
        "How long is parental leave?",
        "Who issues badges in Berlin?",
    ],
)
def test_another_question_is_answered_anew(asked: Desk, other: str) -> None:
    assert not asked.is_given_again(other)


@pytest.mark.parametrize(
    "audience",
    [
        Audience.of_channel("C1"),
        Audience.of_person("U0ASKER"),
        Audience.of_person("U0ASKER", ["C1"]),
        Audience(readable=frozenset()),
    ],
)
def test_other_readers_get_an_answer_of_their_own(asked: Desk, audience: Audience) -> None:
    assert not asked.is_given_again(WHO, audience)


@pytest.mark.parametrize(
    "brief",
    [
        {"style": Style(length="short")},
        {"style": Style(language="de")},
        {"style": Style(instructions="Speak like a pirate.")},
        {"sources": frozenset({"s1"})},
        {"replaces": "What was said before."},
    ],
)
def test_another_manner_other_sources_or_another_try_go_around_it(asked: Desk, brief: dict[str, Any]) -> None:
    assert not asked.is_given_again(**brief)


def test_what_lies_on_the_table_is_neither_looked_up_nor_kept(asked: Desk) -> None:
    beside = Passage(
        id=99,
        document_id=99,
        source="thread",
        uri="slack:thread",
        title="Thread",
        header="Thread",
        text="Badges are issued by Tom now.",
        text_hash="beside",
        audience=EVERYONE,
        score=1.0,
        cosine=1.0,
        word_score=1.0,
    )
    assert not asked.is_given_again(context=(beside,))
    assert asked.entries() == 1


def said_earlier(text: str) -> Passage:
    return Passage(
        id=-1,
        document_id=0,
        source="earlier",
        uri="https://slack.example/p1",
        title="From your earlier thread",
        header=f"From your earlier thread > {WHO}",
        text=text,
        text_hash="e",
        audience=EVERYONE,
        score=0.0,
        cosine=0.0,
        word_score=0.0,
    )


def test_who_asks_again_has_the_first_answer_among_what_was_said_earlier_and_gets_it_again(asked: Desk) -> None:
    assert asked.is_given_again(earlier=(said_earlier("Badges are issued by Maria Lopez at the front desk."),))
    assert asked.is_given_again(earlier=(said_earlier("By Maria Lopez at the front desk are badges issued."),))


def test_what_was_said_since_is_not_passed_over(asked: Desk) -> None:
    told = said_earlier("Who issues badges has changed: Zoe issues badges.")
    _, answer = asked.ask(WHO, earlier=(told,))
    assert answer.given_before is None
    assert "Zoe" in answer.text


def test_what_was_written_from_an_earlier_conversation_is_not_kept(desk: Desk) -> None:
    desk.shelf.put("file:///leave.md", LEAVE)
    _, answer = desk.ask(WHO, earlier=(said_earlier("Badges are issued by Zoe."),))
    assert "Zoe" in answer.text
    assert desk.entries() == 0
    desk.shelf.put("file:///badges.md", BADGES)
    _, answer = desk.ask(WHO, earlier=(said_earlier("In the evening Zoe issues badges."),))
    assert answer.given_before is None
    assert desk.entries() == 0


def test_another_model_or_other_house_rules_write_anew(asked: Desk) -> None:
    newer = replace(asked, answering=replace(asked.answering, generator=ScriptedGenerator("Hm.", version="newer-2")))
    assert not newer.is_given_again()
    ruled = replace(asked.answering, options=replace(asked.answering.options, house_rules="Be formal."))
    assert not replace(asked, answering=ruled).is_given_again()


def test_a_follow_up_gets_an_answer_of_the_same_conversation_only(asked: Desk) -> None:
    def said(text: str) -> tuple[HistoryTurn, ...]:
        return (HistoryTurn(role="user", text=text), HistoryTurn(role="assistant", text="Maria Lopez. [1]"))

    leaning = "And who issues them there?"
    assert not asked.is_given_again(leaning, history=said("What about badges?"))
    assert not asked.is_given_again(leaning, history=said("What about laptops?"))
    assert asked.is_given_again(leaning, history=said("What about badges?"))


def test_what_was_answered_within_a_conversation_is_not_given_to_those_who_ask_outside(desk: Desk) -> None:
    desk.shelf.put("file:///badges.md", BADGES)
    long = "Who issues badges at the front desk?"
    history = (HistoryTurn(role="user", text="I am Zoe and badly paid."), HistoryTurn(role="assistant", text="Oh."))
    assert not desk.is_given_again(long, history=history)
    assert not desk.is_given_again(long)
    assert desk.is_given_again(long)


@pytest.mark.parametrize(
    "text",
    ["Who issues badges to <@U0ZOE>?", "Who issues badges? Write to zoe@example.org", "Who issues badge 1234567?"],
)
def test_a_question_about_somebodys_own_things_is_not_kept(desk: Desk, text: str) -> None:
    desk.shelf.put("file:///badges.md", BADGES)
    desk.ask(text)
    assert desk.entries() == 0


def test_an_answer_that_names_what_its_passages_do_not_is_not_kept(desk: Desk) -> None:
    desk.shelf.put("file:///badges.md", BADGES)
    for reply, kept in (("Zoe, badges are issued by Maria Lopez.", 0), ("Badges are issued by Maria Lopez.", 1)):
        talking = replace(desk, answering=replace(desk.answering, generator=ScriptedGenerator(reply, version=reply)))
        assert reply in talking.ask("Who issues badges, I am Zoe?")[1].text.replace(" [1]", "")
        assert desk.entries() == kept


def test_a_changed_moved_or_removed_document_ends_it(asked: Desk) -> None:
    chunk, document = knowledge_tables.chunk, knowledge_tables.document
    with reading(asked.engine) as connection:
        row = connection.execute(sa.select(chunk).where(chunk.c.text == BADGES)).one()
    asked.shelf.hand_over(row.document_id, channel_audience("C2"))
    assert not asked.is_given_again()
    asked.shelf.hand_over(row.document_id, EVERYONE)
    assert asked.is_given_again()
    asked.execute(sa.delete(document).where(document.c.id == row.document_id))
    asked.shelf.put("file:///badges.md", BADGES.replace("Maria Lopez", "Tom Berg"))
    answer = asked.ask(WHO)[1]
    assert answer.given_before is None
    assert "Tom Berg" in answer.text


def test_a_better_document_ends_it(asked: Desk) -> None:
    asked.shelf.put("file:///news.md", "Who issues badges? Badges are issued by Tom Berg from today.")
    assert not asked.is_given_again()


def test_a_document_that_says_otherwise_ends_it(desk: Desk) -> None:
    """Also where the sentence that was answered is the best one still."""
    weeks = "How many weeks is the parental leave of the staff?"
    handbook = passage("Parental leave of the staff is 16 weeks.", number=1, title="Handbook")
    wiki = passage("Parental leave of the staff is 12 weeks.", number=2, title="Old wiki")
    desk.answering = replace(desk.answering, library=FixedLibrary([handbook]))
    desk.ask(weeks)
    assert desk.is_given_again(weeks)
    desk.answering = replace(desk.answering, library=FixedLibrary([handbook, wiki]))
    answer = desk.ask(weeks)[1]
    assert answer.given_before is None
    assert "12 weeks" in answer.note
    assert desk.is_given_again(weeks)


def test_a_newer_version_of_what_it_stands_on_ends_it(asked: Desk) -> None:
    later = datetime(2030, 1, 1, tzinfo=UTC)
    asked.shelf.put("file:///copy/badges.md", BADGES.replace("Maria Lopez", "Tom Berg"), modified_at=later)
    assert "Tom Berg" in asked.ask(WHO)[1].text


def test_a_vote_against_it_ends_it_wherever_it_was_given(asked: Desk) -> None:
    copy, _ = asked.ask(WHO)
    assert record_vote(asked.engine, copy, "U0CRITIC", -1, "button")
    again, answer = asked.ask(WHO)
    assert answer.given_before is None
    # The same words were voted down: they are not kept again.
    assert not asked.is_given_again()
    withdraw_vote(asked.engine, copy, "U0CRITIC")
    assert asked.is_given_again()
    assert again > copy


def test_an_answer_that_was_made_again_takes_its_entry_along(asked: Desk) -> None:
    asked.execute(sa.update(tables.answer).where(tables.answer.c.id == 1).values(revision=1))
    assert not asked.is_given_again()


def test_words_that_go_are_not_given_again(asked: Desk) -> None:
    with reading(asked.engine) as connection:
        ts = connection.scalar(sa.select(tables.answer.c.question_ts).where(tables.answer.c.id == 1))
    assert forget_question(asked.engine, "T1", "C1", str(ts)) is not None
    assert asked.entries() == 0
    assert not asked.is_given_again()
    forget(asked.engine, "U0ASKER")
    assert asked.entries() == 0
    assert not asked.is_given_again()
    purge_rows(asked.engine, "T1", asked.home)
    assert asked.entries() == 0
    assert find_traces(asked.engine, "T1", asked.home) == ()


def test_a_withdrawn_question_takes_its_entry_along(asked: Desk) -> None:
    answered = load_answered(asked.engine, 1)
    assert answered is not None
    incoming = Incoming(
        team="T1",
        channel="C1",
        channel_kind="public",
        user="U0ASKER",
        ts=answered.question_ts,
        thread_ts=None,
        text=WHO,
        mentioned=True,
    )
    with writing(asked.engine) as connection:
        withdraw_answer(connection, 1, incoming)
    assert asked.entries() == 0


def test_people_without_memory_give_nothing_and_may_be_given(asked: Desk) -> None:
    save_preferences(asked.engine, "T1", "U0ASKER", Preferences(memory=False))
    assert not asked.is_given_again(user="U0ASKER")
    assert asked.entries() == 1
    assert not asked.is_given_again(user="U0OTHER")
    assert asked.is_given_again(user="U0ASKER")
    drop_unremembered(asked.engine, datetime.now(UTC) + timedelta(days=2))
    assert asked.entries() == 1


def test_stopped_and_abstaining_answers_are_not_kept(desk: Desk) -> None:
    desk.shelf.put("file:///badges.md", BADGES)
    strict = replace(desk.answering, options=replace(desk.answering.options, minimum_support=1.0))
    assert replace(desk, answering=strict).ask(WHO)[1].abstained
    assert desk.entries() == 0


def test_the_job_drops_what_is_old_unused_or_stands_on_nothing(asked: Desk) -> None:
    now = datetime.now(UTC)
    limits = CacheLimits(most=2, max_age=timedelta(days=1))
    asked.ask("How long is parental leave?")
    asked.ask("What do lost badges cost?")
    assert asked.entries() == 3
    assert asked.is_given_again(WHO)
    assert drop_stale(asked.engine, limits, now) == 1
    assert asked.is_given_again(WHO)
    chunk = knowledge_tables.chunk
    asked.execute(sa.delete(chunk).where(chunk.c.text == BADGES))
    assert drop_stale(asked.engine, limits, now) == 2
    assert asked.entries() == 0
    asked.ask("How long is parental leave?")
    assert drop_stale(asked.engine, limits, now) == 0
    assert drop_stale(asked.engine, limits, now + timedelta(days=2)) == 1


def test_an_old_answer_is_not_given_even_before_the_job(asked: Desk) -> None:
    late = AnswerCache(
        engine=asked.engine, limits=CacheLimits(max_age=timedelta(days=7)), now=lambda: datetime.now(UTC) + timedelta(8)
    )
    assert not replace(asked, answering=replace(asked.answering, earlier=late)).is_given_again()


def test_what_is_given_again_is_counted(asked: Desk) -> None:
    asked.ask(WHO)
    use = cache_use(asked.engine, datetime.now(UTC) - timedelta(days=1))
    assert (use.entries, use.given_again, use.answers) == (1, 1, 2)


def test_without_a_cache_nothing_is_kept(asked: Desk) -> None:
    plain = replace(asked, answering=replace(asked.answering, earlier=None))
    assert not plain.is_given_again("How long is parental leave?")
    assert asked.entries() == 1


AUDIENCES = (EVERYONE, channel_audience("CA"), channel_audience("CB"), person_audience("UX"))
TOPICS = ("badges", "leave", "laptops")


@pytest.mark.parametrize("seed", range(4))
def test_no_answer_crosses_audiences_whatever_happens_to_documents_and_people(desk: Desk, seed: int) -> None:
    """Random documents, edits, joins and questions; what is given again is compared with the rows by brute force."""
    chance = random.Random(seed)
    documents: dict[int, str] = {}
    channels: set[str] = set()
    asked_before: dict[int, frozenset[str]] = {}
    given = 0
    for step in range(50):
        match chance.choice(["put", "edit", "remove", "hand over", "join", *["ask"] * 12]):
            case "put" | "edit":
                topic, owner = chance.choice(TOPICS), chance.choice(AUDIENCES)
                text = f"The office for {topic} is run by person {step} of {owner.replace(':', ' ')}."
                documents[desk.shelf.put(f"file:///{step}.md", text, audience=owner)] = owner
            case "remove" if documents:
                gone = chance.choice(sorted(documents))
                desk.shelf.remove(gone)
                del documents[gone]
            case "hand over" if documents:
                desk.shelf.hand_over(chance.choice(sorted(documents)), chance.choice(AUDIENCES))
            case "join":
                channels ^= {chance.choice(("CA", "CB"))}
            case "ask":
                audience = chance.choice(
                    [ALL, Audience.of_channel("CA"), Audience.of_channel("CB"), Audience.of_person("UX", channels)]
                )
                answer_id, answer = desk.ask(f"Who runs the office for {chance.choice(TOPICS)}?", audience)
                asked_before[answer_id] = audience.readable
                if answer.reused_from is not None:
                    given += 1
                    assert asked_before[answer.reused_from] == audience.readable
                    assert_all_readable(desk, answer, audience)
            case _:
                pass
    assert given > 0


def assert_all_readable(desk: Desk, answer: Answer, audience: Audience) -> None:
    """Every citation stands in SQL today, word for word, in a document that these readers may read."""
    chunk, document = knowledge_tables.chunk, knowledge_tables.document
    assert answer.citations
    with reading(desk.engine) as connection:
        for citation in answer.citations:
            query = (
                sa.select(document.c.audience, chunk.c.text)
                .join(chunk, chunk.c.document_id == document.c.id)
                .where(document.c.uri == citation.uri, chunk.c.text_hash == citation.text_hash)
            )
            rows = connection.execute(query).all()
            assert any(row.audience in audience.readable and citation.quote in row.text for row in rows)
            assert citation.quote in answer.text
        stored = connection.scalars(sa.select(tables.answer.c.audience).where(tables.answer.c.id == answer.reused_from))
        assert set(filter(None, stored.one().split(","))) <= audience.readable


def test_a_conversation_remembers_for_whom_it_was_given_again(desk: Desk) -> None:
    desk.shelf.put("file:///badges.md", BADGES, audience=channel_audience("C1"))
    members = Audience.of_channel("C1")
    desk.ask(WHO, members)
    answer_id, answer = desk.ask(WHO, members)
    assert answer.given_before is not None
    conversation = f"T1:C1:{answer_id}.0"
    assert len(load_history(desk.engine, conversation, 5, audience=members)) == 2
    assert len(load_history(desk.engine, conversation, 5, audience=ALL)) == 1
