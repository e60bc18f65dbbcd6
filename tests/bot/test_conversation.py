"""Turns and answers are saved once, read back as they were, and remembered only before those who may read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.conversation import (
    begin_answer,
    load_history,
    load_saved,
    save_answer,
    save_user_turn,
    write_sentence,
)
from bot.database import open_database
from bot.follow_ups import takes_part
from bot.privacy import export, forget
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation, Incoming
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Passage
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


def asks(text: str, ts: str, *, thread: str | None = "1.0", user: str = "U1") -> Incoming:
    return Incoming(
        team="T1",
        channel="C1",
        channel_kind="public",
        user=user,
        ts=ts,
        thread_ts=thread,
        text=text,
        mentioned=True,
    )


def passage(audience: str = "everyone") -> Passage:
    return Passage(
        id=7,
        document_id=3,
        source="s",
        uri=f"file:///{audience}.md",
        title="A",
        header="A > B",
        text="secret text",
        text_hash="h",
        audience=audience,
        score=0.9,
        cosine=0.8,
        word_score=0.7,
    )


def citation(n: int) -> Citation:
    return Citation(
        n=n,
        uri="file:///a.md",
        title="A",
        header="A > B",
        source="s",
        chunk_id=7,
        text_hash="h",
        quote="quoted",
    )


def answer(text: str, *, audience: str = "everyone") -> Answer:
    return Answer(
        text=text,
        citations=(citation(1), citation(2)),
        abstained=False,
        nearest=(citation(3),),
        passages=(passage(audience),),
        support=0.75,
        version="tiny-1",
        seconds=AnswerSeconds(retrieve=0.1, first_token=0.5, total=2.0),
        tokens=AnswerTokens(prompt=300, completion=20),
    )


def converse(engine: sa.Engine, *, audience: str = "everyone") -> None:
    save_user_turn(engine, asks("first", "1.0", thread=None))
    save_answer(engine, asks("first", "1.0", thread=None), answer("one", audience=audience))
    save_user_turn(engine, asks("second", "2.0"))
    save_answer(engine, asks("second", "2.0"), answer("two"))


def texts(
    engine: sa.Engine, limit: int = 10, *, audience: Audience | None = None, before: str | None = None
) -> list[str]:
    return [turn.text for turn in load_history(engine, "T1:C1:1.0", limit, audience=audience, before=before)]


def test_a_conversation_reads_in_pairs_oldest_first(engine: sa.Engine) -> None:
    converse(engine)
    assert texts(engine) == ["first", "one", "second", "two"]
    assert texts(engine, limit=2) == ["second", "two"]


def test_the_question_itself_is_not_its_history(engine: sa.Engine) -> None:
    converse(engine)
    assert texts(engine, before="2.0") == ["first", "one"]


def test_saving_twice_changes_nothing(engine: sa.Engine) -> None:
    converse(engine)
    converse(engine)
    assert texts(engine) == ["first", "one", "second", "two"]
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(tables.answer)) == 2


def test_an_answer_is_not_remembered_before_people_who_may_not_read_its_documents(engine: sa.Engine) -> None:
    shelf = Shelf(engine, FakeEmbedder())
    shelf.put("file:///everyone.md", "secret text")
    shelf.put("file:///channel:C9.md", "secret text", audience="channel:C9")
    converse(engine, audience="channel:C9")
    assert texts(engine, audience=Audience.of_channel("C1")) == ["first", "second", "two"]
    assert texts(engine, audience=Audience.of_channel("C9")) == ["first", "one", "second", "two"]


def test_an_answer_is_not_remembered_once_its_document_is_gone_or_for_others(engine: sa.Engine) -> None:
    shelf = Shelf(engine, FakeEmbedder())
    document_id = shelf.put("file:///everyone.md", "secret text")
    everyone = Audience.everyone()
    converse(engine)
    assert texts(engine, audience=everyone) == ["first", "one", "second", "two"]
    shelf.hand_over(document_id, "person:U9")
    assert texts(engine, audience=everyone) == ["first", "second"]
    shelf.hand_over(document_id, "everyone")
    assert texts(engine, audience=everyone) == ["first", "one", "second", "two"]
    shelf.remove(document_id)
    assert texts(engine, audience=everyone) == ["first", "second"]


def test_an_answer_comes_back_as_it_was_saved(engine: sa.Engine) -> None:
    given = answer("one")
    answer_id = save_answer(engine, asks("first", "1.0", thread=None), given)
    assert load_saved(engine, answer_id).answer == replace(given, passages=())


def test_passages_are_kept_by_reference_without_their_text(engine: sa.Engine) -> None:
    save_answer(engine, asks("first", "1.0"), answer("one"))
    with reading(engine) as connection:
        kept = connection.scalar(sa.select(tables.answer.c.passages))
    assert kept == [
        {
            "chunk_id": 7,
            "text_hash": "h",
            "uri": "file:///everyone.md",
            "score": 0.9,
            "cosine": 0.8,
            "word_score": 0.7,
            "prior": 0.0,
            "trust": "usual",
        }
    ]


def test_a_sentence_instead_of_an_answer_is_no_turn(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        row = begin_answer(connection, asks("first", "1.0", thread=None))
        write_sentence(connection, row.id, "Sorry.", outcome="failed", error="ab12")
    saved = load_saved(engine, row.id)
    assert (saved.answer, saved.sentence) == (None, "Sorry.")
    assert texts(engine) == []


def test_only_who_asked_in_a_thread_is_its_asker(engine: sa.Engine) -> None:
    save_user_turn(engine, asks("first", "1.0", thread=None))
    assert takes_part(engine, "T1:C1:1.0", user="U1")
    assert not takes_part(engine, "T1:C1:1.0", user="U2")
    assert not takes_part(engine, "T1:C1:9.0", user="U1")


def test_forgetting_a_person_removes_their_words_from_the_file(engine: sa.Engine) -> None:
    save_user_turn(engine, asks("canary-question", "1.0", user="U1"))
    answer_id = save_answer(engine, asks("canary-question", "1.0", user="U1"), answer("canary-answer"))
    save_user_turn(engine, asks("other", "2.0", user="U2"))
    vote = {"user": "U1", "vote": -1, "via": "button", "correction": "canary-correction"}
    with writing(engine) as connection:
        row = connection.execute(sa.select(tables.answer.c.created_at)).one()
        connection.execute(sa.insert(tables.feedback).values(answer_id=answer_id, created_at=row.created_at, **vote))
    receipt = forget(engine, "U1")
    assert (receipt.turns, receipt.answers, receipt.votes, receipt.corrections) == (2, 1, 1, 1)
    folder = Path(str(engine.url.database)).parent
    for file in folder.iterdir():
        assert b"canary" not in file.read_bytes(), file.name
    assert texts(engine) == ["other"]
    assert forget(engine, "U1").turns == 0


def test_an_export_holds_all_of_one_person_and_nothing_of_others(engine: sa.Engine) -> None:
    save_user_turn(engine, asks("mine", "1.0", user="U1"))
    save_answer(engine, asks("mine", "1.0", user="U1"), answer("to me"))
    save_user_turn(engine, asks("theirs", "2.0", user="U2"))
    exported = export(engine, "U1")
    assert [turn["text"] for turn in exported["turns"]] == ["mine", "to me"]
    assert len(exported["citations"]) == 3
    assert "theirs" not in repr(exported)
