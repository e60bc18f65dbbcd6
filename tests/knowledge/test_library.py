from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge.audience import Audience
from knowledge.database import open_engine, reading, writing
from knowledge.document import HistoryTurn, Question
from knowledge.errors import EmbedderMismatchError
from knowledge.generation import Generations
from knowledge.library import Library
from knowledge.retrieve import RetrievalOptions
from knowledge.tables import generation
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

ALL = Audience.everyone()
SOON = RetrievalOptions(exact_search_below=50)


@pytest.fixture
def shelf(engine: sa.Engine) -> Shelf:
    return Shelf(engine, FakeEmbedder())


def open_library(engine: sa.Engine, folder: Path | None = None) -> Library:
    return Library.open(engine, FakeEmbedder(), folder, SOON)


def texts(library: Library, question: str, audience: Audience = ALL, k: int = 5) -> list[str]:
    return [passage.text for passage in library.retrieve(Question(text=question), audience, k).passages]


def generation_files(engine: sa.Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(generation.c.file).order_by(generation.c.id)).scalars())


def fill(shelf: Shelf, count: int, prefix: str = "fact") -> None:
    shelf.put(prefix, *(f"{prefix} number{number} about topic{number % 9}" for number in range(count)))


def test_an_empty_library_finds_nothing(engine: sa.Engine) -> None:
    with open_library(engine) as library:
        retrieved = library.retrieve(Question(text="anything"), ALL, 5)
        assert retrieved.passages == ()
        assert retrieved.query_vector.shape == (64,)


@pytest.mark.parametrize("text", ["", "  \n ", "\0"])
def test_a_question_without_words_is_no_error(engine: sa.Engine, shelf: Shelf, text: str) -> None:
    shelf.put("a", "something")
    with open_library(engine) as library:
        assert isinstance(texts(library, text), list)


def test_a_passage_carries_all_that_a_citation_needs(engine: sa.Engine, shelf: Shelf) -> None:
    document_id = shelf.put("file:///a.md", "The espresso machine is descaled on Fridays.", header="Kitchen")
    with open_library(engine) as library:
        passage = library.retrieve(Question(text="When is the machine descaled?"), ALL, 1).passages[0]
    assert (passage.id, passage.document_id, passage.source, passage.uri) == (1, document_id, "Shelf", "file:///a.md")
    assert (passage.header, passage.audience, passage.word_score) == ("Kitchen", "everyone", 1.0)
    assert 0 < passage.cosine < 1
    assert [passage.score, passage.prior] == pytest.approx([1.03, 0.03])
    assert passage.modified_at is not None
    assert passage.modified_at.tzinfo is not None


def test_vectors_and_words_both_count(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "invoice approval takes two days", "holiday approval takes a week", "lunch is at noon")
    with open_library(engine) as library:
        assert texts(library, "how long does invoice approval take")[0] == "invoice approval takes two days"


def test_history_leads_a_follow_up_to_its_subject(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "the parental leave policy gives sixteen weeks", "the travel policy gives a daily allowance")
    history = (
        HistoryTurn(role="user", text="what is the parental leave policy"),
        HistoryTurn(role="assistant", text="parental leave has its own policy"),
    )
    with open_library(engine) as library:
        follow_up = library.retrieve(Question(text="how much does it give", history=history), ALL, 1)
    assert "parental" in follow_up.passages[0].text


def test_copies_appear_once(engine: sa.Engine, shelf: Shelf) -> None:
    long = "The quarterly report is due on the first working day after the quarter ends, says finance, "
    long += "and each team lead sends theirs to the office before noon."
    shelf.put("a", long, header="A")
    shelf.put("b", long.upper().replace(",", " ;"), header="B")
    shelf.put("c", "The quarterly report of last year was late.")
    with open_library(engine) as library:
        assert len(texts(library, "When is the quarterly report due?")) == 2


def test_short_texts_under_different_headings_are_not_copies(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "Yes, up to 500.", header="Do you pay for desks?")
    shelf.put("b", "Yes, up to 500.", header="Do you pay for chairs?")
    with open_library(engine) as library:
        assert len(texts(library, "do you pay for desks")) == 2


def test_each_audience_finds_what_it_may_read_and_nothing_else(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "salary bands are public")
    shelf.put("b", "salary of the leads", audience="channel:C1")
    shelf.put("c", "salary letter for Ben", audience="person:U2")
    with open_library(engine) as library:
        assert texts(library, "salary") == ["salary bands are public"]
        assert sorted(texts(library, "salary", Audience.of_channel("C1"))) == [
            "salary bands are public",
            "salary of the leads",
        ]
        assert len(texts(library, "salary", Audience.of_person("U2", ["C1"]))) == 3
        assert texts(library, "salary", Audience(readable=frozenset())) == []


def test_a_chunk_taken_away_in_sql_is_not_returned_from_memory(engine: sa.Engine, shelf: Shelf) -> None:
    document = shelf.put("a", "secret plan")
    with open_library(engine) as library:
        assert texts(library, "secret plan") == ["secret plan"]
        shelf.hand_over(document, "person:U1")
        assert texts(library, "secret plan") == []
        assert texts(library, "secret plan", Audience.of_person("U1")) == ["secret plan"]
        shelf.remove(document)
        assert texts(library, "secret plan", Audience.of_person("U1")) == []


def test_what_another_process_commits_is_found_at_once(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    with open_library(engine) as library:
        other = open_engine(f"sqlite:///{tmp_path / 'test.db'}")
        Shelf(other, FakeEmbedder()).put("a", "news from elsewhere")
        other.dispose()
        assert texts(library, "news") == ["news from elsewhere"]


def test_a_large_collection_gets_a_generation_and_finds_the_same(
    engine: sa.Engine, shelf: Shelf, tmp_path: Path
) -> None:
    fill(shelf, 300)
    with open_library(engine) as exact, open_library(engine, tmp_path / "index") as library:
        assert library.wait_for_index(60)
        assert library.state.graph_chunks == 300
        assert not library.publish_if_due()
        for question in ("fact number17 about topic8", "topic3", "number250"):
            assert texts(library, question) == texts(exact, question)


def test_a_small_collection_is_searched_exactly(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    fill(shelf, 20)
    with open_library(engine, tmp_path / "index") as library:
        assert library.wait_for_index(60)
        assert not library.publish_if_due()
        assert library.state.graph_chunks == 0


def test_a_new_generation_follows_enough_new_chunks_and_two_are_kept(
    engine: sa.Engine, shelf: Shelf, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    fill(shelf, 100, "first")
    with open_library(engine, folder) as library:
        assert library.wait_for_index(60)
        for round_ in ("second", "third"):
            fill(shelf, 30, round_)
            assert library.publish_if_due()
        assert library.state.graph_chunks == 160
    kept = generation_files(engine)
    assert len(kept) == 2
    assert sorted(file.name for file in folder.glob("*.hnsw")) == sorted(kept)


def test_a_generation_published_elsewhere_is_picked_up(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    with open_library(engine, tmp_path / "index") as reader, open_library(engine, tmp_path / "index") as writer:
        fill(shelf, 100)
        assert writer.publish_if_due()
        assert texts(reader, "number7")[0] == "fact number7 about topic7"
        assert reader.wait_for_index(60)
        assert reader.state.graph_chunks == 100


@pytest.mark.parametrize(
    "other",
    [FakeEmbedder(max_tokens=128), FakeEmbedder(prefixes={"passage": "passage: ", "question": "query: "})],
    ids=["length", "prefixes"],
)
def test_a_generation_made_with_another_length_or_prefix_is_not_used(
    engine: sa.Engine, shelf: Shelf, tmp_path: Path, other: FakeEmbedder
) -> None:
    folder = tmp_path / "index"
    fill(shelf, 100)
    with open_library(engine, folder) as library:
        assert library.wait_for_index(60)
    with Library.open(engine, other, folder, SOON) as library:
        assert library.wait_for_index(60)
        assert library.state.graph_chunks == 100
    assert len(generation_files(engine)) == 2


def test_a_damaged_generation_is_replaced_while_search_goes_on(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    fill(shelf, 100)
    with open_library(engine, folder) as library:
        assert library.wait_for_index(60)
    damaged = generation_files(engine)
    for name in damaged:
        (folder / name).write_bytes(b"\xff" * 1_000)
    with open_library(engine, folder) as library:
        assert texts(library, "number7")[0] == "fact number7 about topic7"
        assert library.wait_for_index(60)
        assert (library.state.graph_chunks, library.state.problem) == (100, "")
    assert generation_files(engine)[-1] not in damaged


def test_a_damaged_generation_falls_back_to_the_one_before(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    folder = tmp_path / "index"
    fill(shelf, 100, "first")
    with open_library(engine, folder) as library:
        assert library.wait_for_index(60)
        fill(shelf, 30, "second")
        assert library.publish_if_due()
    (folder / generation_files(engine)[-1]).unlink()
    with open_library(engine, folder) as library:
        assert library.wait_for_index(60)
        assert library.state.graph_chunks == 100
        assert texts(library, "second number7")[0] == "second number7 about topic7"


def test_a_folder_that_cannot_be_written_leaves_exact_search_and_says_why(
    engine: sa.Engine, shelf: Shelf, tmp_path: Path
) -> None:
    (tmp_path / "index").write_text("a file where the folder should be")
    fill(shelf, 100)
    with open_library(engine, tmp_path / "index") as library:
        assert library.wait_for_index(60)
        assert not library.publish_if_due()
        assert "could not be written" in library.state.problem
        assert texts(library, "number7")[0] == "fact number7 about topic7"


def test_closing_ends_a_build_in_the_background(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    fill(shelf, 2_000)
    library = open_library(engine, tmp_path / "index")
    library.close()
    assert library.wait_for_index(0)


def test_another_embedder_is_refused_with_both_names(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "text")
    with pytest.raises(EmbedderMismatchError, match=r"fake \(64\), the settings ask for other \(32\): run `lorekeeper"):
        Library.open(engine, FakeEmbedder("other", 32), None)


def test_a_library_in_memory_is_empty_and_its_own() -> None:
    with Library.in_memory(FakeEmbedder()) as one, Library.in_memory(FakeEmbedder()) as two:
        Shelf(one.engine, FakeEmbedder()).put("a", "only here")
        assert texts(one, "only here") == ["only here"]
        assert texts(two, "only here") == []


def test_questions_and_a_sync_run_side_by_side(engine: sa.Engine, shelf: Shelf, tmp_path: Path) -> None:
    """Eight threads ask while documents come, change hands and go, and generations are published."""
    fill(shelf, 100)
    stop = threading.Event()
    with open_library(engine, tmp_path / "index") as library, ThreadPoolExecutor(8) as threads:

        def ask(number: int) -> int:
            asked = 0
            while not stop.is_set():
                found = library.retrieve(Question(text=f"fact number{number} topic{number}"), ALL, 5).passages
                assert found[0].text == f"fact number{number} about topic{number}"
                assert all(passage.audience == "everyone" for passage in found)
                asked += 1
            return asked

        asking = [threads.submit(ask, number) for number in range(8)]
        try:
            for round_ in range(40):
                document = shelf.put(f"round{round_}", *(f"round{round_} text{part}" for part in range(5)))
                assert f"round{round_} text3" in texts(library, f"round{round_} text3")
                if round_ % 3 == 0:
                    shelf.hand_over(document, "person:U9")
                elif round_ % 3 == 1:
                    shelf.remove(document)
                if round_ % 10 == 9:
                    library.publish_if_due()
        finally:
            stop.set()
        assert all(future.result(60) > 0 for future in asking)


def test_a_rebuild_with_another_embedder_starts_from_nothing(engine: sa.Engine, shelf: Shelf) -> None:
    document = shelf.put("a", "text")
    shelf.remove(document)
    with Library.open(engine, FakeEmbedder("other", 32), None) as library:
        Shelf(engine, FakeEmbedder("other", 32)).put("a", "text again")
        assert texts(library, "text") == ["text again"]


def test_a_hundred_thousand_characters_are_answered(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "the espresso machine", "a bicycle")
    with open_library(engine) as library:
        question = "espresso " + " ".join(f"word{number}" for number in range(12_000))
        assert "the espresso machine" in texts(library, question[:100_000])


def test_reading_while_a_writer_holds_the_lock(engine: sa.Engine, shelf: Shelf) -> None:
    shelf.put("a", "already there")
    with open_library(engine) as library, writing(engine):
        assert texts(library, "already there") == ["already there"]


def test_one_process_builds_and_the_other_takes_up_what_it_made(
    engine: sa.Engine, shelf: Shelf, tmp_path: Path
) -> None:
    folder = tmp_path / "index"
    with open_library(engine, folder) as library:
        fill(shelf, 100)
        with Generations(folder).only_builder() as other_may_build:
            assert other_may_build
            assert not library.publish_if_due()
        assert library.publish_if_due()
