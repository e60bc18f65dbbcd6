"""Memory of earlier conversations: what is found, by whom, and what leaves no trace in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import tables
from bot.conversation import save_answer as save
from bot.conversation import save_user_turn, withdraw_answer, write_answer
from bot.database import open_database
from bot.earlier.reader import Reader, readable_turns, still_stands
from bot.earlier.recollect import recollect, recollect_job
from bot.earlier.search import Earlier, EarlierOptions, Exchange
from bot.forgetting import forget_question
from bot.jobs import run_due
from bot.people import Preferences, save_preferences
from bot.privacy import forget
from bot.purge import Removal, purge
from bot.remember import write_remembered
from bot.turn import Answer, Citation, Incoming
from bot.words import NOT_FOUND
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE, Audience
from knowledge.database import reading, writing
from knowledge.document import HistoryTurn, Passage, Question
from tests.bot.answer_parts import passage
from tests.bot.dialogue import make_answer
from tests.knowledge.fake_embedder import FakeEmbedder

NOW = datetime.now(UTC)
# The embedder of these tests knows nothing of meaning: any common word counts.
OPTIONS = EarlierOptions(most=5, least_cosine=0.05)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def shelve(engine: sa.Engine, *passages: Passage, source: str = "handbook") -> None:
    """Put passages into the library's tables."""
    with writing(engine) as connection:
        row = {"id": source, "kind": "files", "name": source, "location": f"/{source}", "audience": EVERYONE}
        connection.execute(sa.insert(knowledge_tables.source).values(**row, added_at=NOW))
        for one in passages:
            document = {"id": one.id, "source_id": source, "uri": one.uri, "title": "t", "content_hash": "h"}
            document |= {"audience": one.audience, "synced_at": NOW}
            connection.execute(sa.insert(knowledge_tables.document).values(document))
            chunk = {"id": one.id, "document_id": one.id, "ordinal": 0, "header": "t", "text": one.text}
            connection.execute(sa.insert(knowledge_tables.chunk).values(**chunk, text_hash=one.text_hash))


def cite(one: Passage, source: str = "handbook") -> Citation:
    return Citation(
        n=1,
        uri=one.uri,
        title=one.title,
        header=one.header,
        source=source,
        chunk_id=one.id,
        text_hash=one.text_hash,
        quote="…",
    )


TABLED = replace(passage("something on the table", number=9), id=-9)


def answered(text: str, *, on: Sequence[Passage] = (TABLED,), source: str = "thread") -> Answer:
    """An answer that stands on these passages."""
    citations = tuple(replace(cite(one, source), n=number) for number, one in enumerate(on, 1))
    return replace(make_answer(text), citations=citations, passages=tuple(on))


def asked(user: str, channel: str, ts: str, text: str, thread_ts: str | None = None, **more: Any) -> Incoming:
    kind = "im" if channel.startswith("D") else "private"
    place: dict[str, Any] = {"team": "T1", "channel": channel, "channel_kind": kind, "thread_ts": thread_ts}
    return Incoming(user=user, ts=ts, text=text, mentioned=True, **place, **more)


def converse(engine: sa.Engine, incoming: Incoming, answer: str | Answer) -> int:
    save_user_turn(engine, incoming)
    return save(engine, incoming, answered(answer) if isinstance(answer, str) else answer)


def reader(user: str = "U1", channel: str = "D1", *, channels: Sequence[str] = ("C1",), **more: Any) -> Reader:
    direct = channel.startswith("D")
    audience = Audience.of_person(user, channels) if direct else Audience.of_channel(channel)
    values: dict[str, Any] = {"team": "T1", "conversation": "T1:none:1", "audience": audience, "is_direct": direct}
    return Reader(**values | {"user": user, "channel": channel} | more)


def find(engine: sa.Engine, text: str, who: Reader | None = None, **options: Any) -> tuple[Exchange, ...]:
    earlier = Earlier(engine, FakeEmbedder(), replace(OPTIONS, **options))
    return earlier.find(Question(text=text), who or reader())


def answers(engine: sa.Engine, text: str, who: Reader | None = None) -> list[str]:
    return [one.answer or one.question for one in find(engine, text, who)]


def kept(engine: sa.Engine) -> int:
    with reading(engine) as connection:
        rows = connection.scalar(sa.select(sa.func.count()).select_from(tables.remembered_turn)) or 0
        matches = "SELECT count(*) FROM remembered_words WHERE remembered_words MATCH 'boiler OR blue OR lift'"
        return int(rows) + int(connection.exec_driver_sql(matches).scalar() or 0)


BOILER = asked("U1", "D1", "1.1", "When is the boiler serviced?")


# What is found


def test_an_exchange_of_another_conversation_is_found_whole(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    converse(engine, asked("U1", "D1", "2.1", "Who feeds the cat?"), "Ben does it every morning.")
    (first, *_) = find(engine, "which month was the boiler in?")
    assert (first.question, first.answer) == ("When is the boiler serviced?", "The boiler is serviced in March.")
    assert (first.channel, first.thread_ts, first.ts) == ("D1", "1.1", "1.1")
    assert find(engine, "boiler", most=0) == ()
    assert find(engine, "   ") == ()


def test_an_exchange_is_found_once_by_question_and_answer(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    assert answers(engine, "boiler serviced") == ["The boiler is serviced in March."]


def test_an_answer_is_found_by_its_question_s_words_and_by_its_day(engine: sa.Engine) -> None:
    converse(engine, BOILER, "Yes, Ben takes care.")
    assert recollect(engine, FakeEmbedder()) == 2
    with reading(engine) as connection:
        texts = list(connection.scalars(sa.select(tables.remembered_turn.c.text)))
    day = f"{NOW.day} {NOW:%B %Y}"
    assert sorted(texts) == sorted(
        [f"{day}\nWhen is the boiler serviced?", f"{day}\nWhen is the boiler serviced?\nYes, Ben takes care."]
    )


def test_what_is_too_far_from_the_question_is_left_out(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    assert find(engine, "boiler", least_cosine=1.1) == ()


def test_the_conversation_that_goes_on_is_history_and_not_memory(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    assert answers(engine, "boiler", reader(conversation=BOILER.conversation)) == []


def test_a_follow_up_is_understood_with_what_was_said_before_it(engine: sa.Engine) -> None:
    converse(engine, BOILER, "Ben takes care.")
    earlier = Earlier(engine, FakeEmbedder(dim=4096), replace(OPTIONS, least_cosine=0.06))
    history = (HistoryTurn(role="user", text="boiler"),)
    assert earlier.find(Question(text="and last year?"), reader()) == ()
    assert len(earlier.find(Question(text="and last year?", history=history), reader())) == 1


def test_what_was_just_said_is_found_before_the_schedule_came_to_it(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        told = asked("U1", "D1", "1.1", "remember that the lift is blue")
        write_remembered(connection, told, "the lift is blue", "person:U1")
    (found,) = find(engine, "what colour is the lift?")
    assert found.is_request
    assert (found.question, found.audience) == ("the lift is blue", "person:U1")


def test_the_schedule_makes_turns_findable(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    job = recollect_job(engine, FakeEmbedder())
    assert run_due(engine, (job,)) == ("recollect",)
    assert kept(engine) == 4
    assert job.work() == "0 turns made findable"


def test_another_embedder_s_vectors_are_made_again(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    assert recollect(engine, FakeEmbedder("old", dim=32)) == 2
    assert answers(engine, "boiler") == ["The boiler is serviced in March."]
    with reading(engine) as connection:
        assert set(connection.scalars(sa.select(tables.remembered_turn.c.embedder))) == {"fake"}


def test_with_many_turns_a_graph_finds_the_same(engine: sa.Engine) -> None:
    for number in range(60):
        words = f"topic{number} is about thing{number} and stuff{number % 7}"
        converse(engine, asked("U1", "D1", f"{number + 1}.1", f"what is topic{number}?"), words)
    recollect(engine, FakeEmbedder())
    exact = Earlier(engine, FakeEmbedder(), OPTIONS)
    graph = Earlier(engine, FakeEmbedder(), replace(OPTIONS, exact_below=10, candidates=20))
    question = Question(text="topic7 and thing11")
    before = graph.find(question, reader())
    graph.wait_for_graphs()
    found = graph.find(question, reader())
    assert before == exact.find(question, reader())
    assert found[:2] == before[:2]
    # Newer turns are compared beside the graph, and removed ones leave it.
    converse(engine, asked("U1", "D1", "99.1", "what is thing11?"), "thing11 is new")
    assert "thing11 is new" in [one.answer for one in graph.find(question, reader())]
    gone = found[0]
    forget_question(engine, "T1", gone.channel, gone.ts)
    assert gone not in graph.find(question, reader())


# Who may read


def test_a_direct_message_is_never_found_in_a_channel_nor_by_others(engine: sa.Engine) -> None:
    """M6."""
    converse(engine, BOILER, "The boiler is serviced in March.")
    assert answers(engine, "boiler", reader("U1", "C1")) == []
    assert answers(engine, "boiler", reader("U2", "D2")) == []
    assert answers(engine, "boiler", reader(team="T2")) == []


def test_a_channel_s_threads_are_found_in_it_and_in_no_other(engine: sa.Engine) -> None:
    """M6."""
    converse(engine, asked("U2", "C1", "1.1", "When is the boiler serviced?"), "In March.")
    assert answers(engine, "boiler", reader("U1", "C1")) == ["In March."]
    assert answers(engine, "boiler", reader("U1", "C2")) == []
    # What somebody else asked there is not one's own.
    assert answers(engine, "boiler", reader("U1", "D1", channels=["C1"])) == []
    assert answers(engine, "boiler", reader("U2", "D2", channels=["C1"])) == ["In March."]


def test_whoever_left_a_channel_finds_nothing_of_it_any_more(engine: sa.Engine) -> None:
    converse(engine, asked("U1", "C1", "1.1", "When is the boiler serviced?"), "In March.")
    secret = replace(TABLED, audience="channel:C2")
    converse(engine, asked("U1", "D1", "2.1", "Who has the boiler's key?"), answered("Ben.", on=[secret]))
    assert len(answers(engine, "boiler", reader(channels=["C1", "C2"]))) == 2
    assert answers(engine, "boiler", reader(channels=["C1"])) == ["In March."]
    assert answers(engine, "boiler", reader(channels=[])) == []


def test_what_only_its_asker_saw_is_not_found_by_the_channel(engine: sa.Engine) -> None:
    incoming = asked("U1", "C1", "1.1", "When is the boiler serviced?", visibility="ephemeral")
    converse(engine, incoming, "In March.")
    assert answers(engine, "boiler", reader("U2", "C1")) == []
    assert answers(engine, "boiler", reader("U1", "C1")) == []
    assert answers(engine, "boiler", reader("U1", "D1")) == ["In March."]


def test_what_a_channel_is_to_remember_is_read_by_its_members(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        told = asked("U1", "C1", "1.1", "remember that the lift is blue")
        write_remembered(connection, told, "the lift is blue", "channel:C1")
    assert answers(engine, "lift", reader("U2", "C1")) == ["the lift is blue"]
    assert answers(engine, "lift", reader("U2", "D2", channels=["C1"])) == ["the lift is blue"]
    assert answers(engine, "lift", reader("U2", "D2", channels=[])) == []
    assert answers(engine, "lift", reader("U1", "C2")) == []


def test_it_is_known_in_the_very_thread_as_well(engine: sa.Engine) -> None:
    told = asked("U1", "D1", "1.1", "remember that the lift is blue")
    with writing(engine) as connection:
        write_remembered(connection, told, "the lift is blue", "person:U1")
    assert answers(engine, "lift", reader(conversation=told.conversation)) == ["the lift is blue"]


# What is not found any more


def test_our_own_abstentions_and_what_stands_on_nothing_are_not_remembered(engine: sa.Engine) -> None:
    nothing = replace(answered(NOT_FOUND), abstained=True, citations=())
    converse(engine, BOILER, nothing)
    converse(engine, asked("U1", "D1", "2.1", "hello boiler"), answered("Hello!", on=()))
    converse(engine, asked("U1", "D1", "3.1", "the boiler?"), replace(answered("The boiler is"), stopped=True))
    assert answers(engine, "boiler") == []
    assert kept(engine) == 0


def test_what_stands_on_an_earlier_conversation_is_not_remembered_itself(engine: sa.Engine) -> None:
    converse(engine, BOILER, answered("In March, as you heard.", source="earlier"))
    assert answers(engine, "boiler") == []
    assert kept(engine) == 0


def test_a_deleted_question_leaves_nothing(engine: sa.Engine) -> None:
    """M15."""
    converse(engine, BOILER, "The boiler is serviced in March.")
    follow_up = asked("U1", "D1", "1.2", "and the lift?", thread_ts="1.1")
    converse(engine, follow_up, "In May.")
    assert recollect(engine, FakeEmbedder()) == 4
    forget_question(engine, "T1", "D1", "1.1")
    with reading(engine) as connection:
        assert "boiler" not in repr(connection.execute(sa.select(tables.remembered_turn)).all()).lower()
    assert answers(engine, "boiler lift") == ["In May."]


def test_a_withdrawn_answer_leaves_nothing(engine: sa.Engine) -> None:
    answer_id = converse(engine, BOILER, "The boiler is serviced in March.")
    recollect(engine, FakeEmbedder())
    with writing(engine) as connection:
        withdraw_answer(connection, answer_id, BOILER)
    assert answers(engine, "boiler") == []
    assert kept(engine) == 0


def test_an_edited_question_and_an_answer_made_again_are_found_by_their_new_words(engine: sa.Engine) -> None:
    answer_id = converse(engine, BOILER, "The boiler is serviced in March.")
    recollect(engine, FakeEmbedder())
    save_user_turn(engine, replace(BOILER, text="When is the lift serviced?"))
    assert kept(engine) == 0
    recollect(engine, FakeEmbedder())
    with writing(engine) as connection:
        write_answer(connection, answer_id, BOILER, answered("The lift is serviced in May."))
        connection.execute(sa.update(tables.answer).values(state="final_sent"))
    assert answers(engine, "lift") == ["The lift is serviced in May."]
    with reading(engine) as connection:
        assert "March" not in repr(connection.execute(sa.select(tables.remembered_turn)).all())


def test_a_forgotten_person_leaves_nothing_in_any_file(engine: sa.Engine, tmp_path: Path) -> None:
    """M15."""
    word = "zygomorphic"
    converse(engine, asked("U1", "D1", "1.1", f"Is the boiler {word}?"), f"It is {word}.")
    converse(engine, asked("U2", "D2", "2.1", "Who feeds the cat?"), "Ben.")
    recollect(engine, FakeEmbedder())
    assert word[2:9].encode() in b"".join(path.read_bytes() for path in tmp_path.glob("lorekeeper.db*"))
    forget(engine, "U1")
    assert answers(engine, "boiler") == []
    assert answers(engine, "cat", reader("U2", "D2")) == ["Ben."]
    engine.dispose()
    assert word[2:9].encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("lorekeeper.db*"))


def test_whoever_switches_memory_off_finds_nothing_and_has_no_vectors(engine: sa.Engine) -> None:
    converse(engine, BOILER, "The boiler is serviced in March.")
    converse(engine, asked("U1", "C1", "2.1", "And the boiler here?"), "In May.")
    converse(engine, asked("U2", "C1", "2.2", "Who has the boiler's key?", thread_ts="2.1"), "Ben.")
    recollect(engine, FakeEmbedder())
    save_preferences(engine, "T1", "U1", Preferences(memory=False))
    with reading(engine) as connection:
        assert connection.execute(sa.select(tables.remembered_turn)).all() == []
    assert answers(engine, "boiler", reader("U1", "D1")) == []
    assert answers(engine, "boiler", reader("U1", "C1")) == []
    # Others in the channel find their own, and nothing of that person.
    assert answers(engine, "boiler key", reader("U2", "C1")) == ["Ben."]
    with reading(engine) as connection:
        assert "here" not in repr(connection.scalars(sa.select(tables.remembered_turn.c.text)).all())
    save_preferences(engine, "T1", "U1", Preferences(memory=True))
    assert len(answers(engine, "boiler", reader("U1", "D1", channels=["C1"]))) == 2


def test_without_a_memory_from_the_beginning_nothing_is_written(engine: sa.Engine) -> None:
    save_preferences(engine, "T1", "U1", Preferences(memory=False))
    converse(engine, BOILER, "The boiler is serviced in March.")
    assert recollect(engine, FakeEmbedder()) == 0
    assert kept(engine) == 0


def test_a_workspace_that_took_the_app_away_leaves_nothing(engine: sa.Engine, tmp_path: Path) -> None:
    """M15."""
    converse(engine, BOILER, "The boiler is serviced in March.")
    recollect(engine, FakeEmbedder())
    purge(engine, Removal(event_id="E1", team="T1", reason="app_uninstalled", at=NOW), tmp_path)
    assert answers(engine, "boiler") == []
    assert kept(engine) == 0


def test_an_answer_counts_only_while_its_documents_are_there_unchanged_and_readable(engine: sa.Engine) -> None:
    document = passage("The boiler is serviced in March.", number=3)
    shelve(engine, document)
    converse(engine, BOILER, answered("The boiler is serviced in March.", on=[document], source="handbook"))
    assert len(find(engine, "boiler")) == 1
    assert find(engine, "boiler", reader(sources=frozenset({"other"}))) == ()
    assert len(find(engine, "boiler", reader(sources=frozenset({"handbook"})))) == 1
    row, chunk = knowledge_tables.document, knowledge_tables.chunk
    for table, change, back in (
        (row, {"audience": "channel:C9"}, {"audience": EVERYONE}),
        (chunk, {"text_hash": "changed"}, {"text_hash": document.text_hash}),
    ):
        with writing(engine) as connection:
            connection.execute(sa.update(table).values(change))
        assert find(engine, "boiler") == ()
        with writing(engine) as connection:
            connection.execute(sa.update(table).values(back))
    with writing(engine) as connection:
        connection.execute(sa.delete(knowledge_tables.source))
    assert find(engine, "boiler") == ()


# Who may read, against everything that could be said about it


@dataclass(frozen=True, kw_only=True)
class Row:
    """One exchange or one thing to remember, as it may be in a database."""

    user: str
    channel: str
    audiences: frozenset[str]
    outcome: str
    visibility: str
    stands_on: str
    remembers: bool


PEOPLE, CHANNELS = ("U1", "U2", ""), ("D1", "D2", "C1", "C2")
AUDIENCES = (EVERYONE, "channel:C1", "channel:C2", "person:U1", "person:U2")
ROWS = st.builds(
    Row,
    user=st.sampled_from(PEOPLE),
    channel=st.sampled_from(CHANNELS),
    audiences=st.frozensets(st.sampled_from(AUDIENCES), max_size=2),
    outcome=st.sampled_from(("answered", "answered", "abstained", "stopped")),
    visibility=st.sampled_from(("thread", "ephemeral")),
    stands_on=st.sampled_from(("table", "document", "lost", "earlier", "nothing")),
    remembers=st.booleans(),
)
READERS = st.builds(
    reader,
    st.sampled_from(PEOPLE[:2]),
    st.sampled_from(CHANNELS),
    channels=st.lists(st.sampled_from(CHANNELS[2:]), unique=True),
    conversation=st.sampled_from(("T1:none:1", "T1:C1:1.0", "T1:D1:0.0")),
)


def may_be_found(row: Row, number: int, who: Reader, forgetful: frozenset[str]) -> bool:
    """The rule in plain words, without SQL."""
    if who.user in forgetful or row.user in forgetful or not row.user:
        return False
    if row.remembers:
        return row.audiences <= who.audience.readable and len(row.audiences) == 1
    if row.outcome != "answered" or row.stands_on in ("lost", "earlier", "nothing"):
        return False
    if f"T1:{row.channel}:{number}.0" == who.conversation or not row.audiences <= who.audience.readable:
        return False
    if who.is_direct:
        own = row.user == who.user
        return own and (row.channel == who.channel or f"channel:{row.channel}" in who.audience.readable)
    return row.channel == who.channel and row.visibility == "thread"


def put(engine: sa.Engine, row: Row, number: int, document: Passage) -> None:
    incoming = asked(row.user, row.channel, f"{number}.0", "When?", visibility=row.visibility)
    if row.remembers:
        if len(row.audiences) == 1:
            with writing(engine) as connection:
                write_remembered(connection, incoming, "It is so.", next(iter(row.audiences)))
        return
    on = {"document": [document], "lost": [replace(document, uri="file:///gone.md")], "nothing": []}
    stands_on = on.get(row.stands_on, [TABLED])
    answer = answered("Now.", on=stands_on, source="earlier" if row.stands_on == "earlier" else "thread")
    seen = tuple(replace(TABLED, audience=one) for one in sorted(row.audiences))
    abstained, stopped = row.outcome == "abstained", row.outcome == "stopped"
    converse(engine, incoming, replace(answer, passages=seen, abstained=abstained, stopped=stopped))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROWS, max_size=6), who=READERS, forgetful=st.frozensets(st.sampled_from(PEOPLE[:2]), max_size=1))
def test_exactly_what_the_rule_says_is_found(
    engine: sa.Engine, rows: list[Row], who: Reader, forgetful: frozenset[str]
) -> None:
    """M6."""
    document = passage("Now.", number=3)
    with writing(engine) as connection:
        for table in (tables.turn, tables.answer, tables.person, knowledge_tables.source):
            connection.execute(sa.delete(table))
    shelve(engine, document)
    for number, row in enumerate(rows):
        put(engine, row, number, document)
    for user in forgetful:
        save_preferences(engine, "T1", user, Preferences(memory=False))
    with reading(engine) as connection:
        found = {
            int(float(row.ts))
            for row in readable_turns(connection, who)
            if still_stands(connection, row.conversation, row.ts, who)
        }
    assert found == {number for number, row in enumerate(rows) if may_be_found(row, number, who, forgetful)}
    shown = Earlier(engine, FakeEmbedder(), replace(OPTIONS, most=10, least_cosine=-1.0))
    assert {int(float(one.ts)) for one in shown.find(Question(text="When is it so now?"), who)} == found
