"""The evaluations run the bot's own code over small data sets and count right."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.answer import AnswerOptions
from bot.errors import MisuseError
from bot.evaluate.answers import AnswerParts, load_answer_rows, measure_answers
from bot.evaluate.retrieval import RetrievalParts, measure_retrieval
from knowledge.parse import Parser
from knowledge.retrieve import RetrievalOptions
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

CORPUS: list[dict[str, Any]] = [
    {"_id": "badges", "title": "Badges", "text": "Badges are issued by Maria Lopez at the front desk."},
    {"_id": "leave", "title": "Leave", "text": "Parental leave is 16 weeks at full pay."},
    {"_id": "coffee", "title": "Kitchen", "text": "The coffee machine is cleaned on Fridays."},
]
QUERIES: list[dict[str, Any]] = [
    {"_id": "q1", "text": "Who issues badges?", "history": []},
    {"_id": "q2", "text": "How long is it?", "history": [{"role": "user", "text": "Is there parental leave?"}]},
    {"_id": "unjudged", "text": "Anything?", "history": []},
]
ROWS: list[dict[str, Any]] = [
    {
        "id": "a",
        "history": [],
        "question": "Who issues badges?",
        "answerable": True,
        "passages": [{"title": "Leave", "text": CORPUS[1]["text"]}, {"title": "Badges", "text": CORPUS[0]["text"]}],
        "answers": ["Maria Lopez"],
        "gold": [1],
    },
    {
        "id": "b",
        "question": "Who won the cup in Paris?",
        "answerable": "UNANSWERABLE",
        "passages": [{"title": "Badges", "text": CORPUS[0]["text"]}],
        "answer": "",
    },
]


@pytest.fixture
def parser() -> Iterator[Parser]:
    """A real parser, shared by the rows of one test."""
    with Parser() as opened:
        yield opened


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    """One JSON object a line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A judged collection, its corpus compressed."""
    folder = tmp_path / "set"
    folder.mkdir()
    with lzma.open(folder / "corpus.jsonl.xz", "wt", encoding="utf-8") as corpus:
        corpus.writelines(json.dumps(row) + "\n" for row in CORPUS)
    write_lines(folder / "queries.jsonl", QUERIES)
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tbadges\t1\nq2\tleave\t1\n", encoding="utf-8")
    return folder


def retrieval_parts(tmp_path: Path, parser: Parser, embedder: FakeEmbedder) -> RetrievalParts:
    """Parts that keep their index in the test's folder."""
    return RetrievalParts(
        embedder=embedder, parser=parser, options=RetrievalOptions(), chunk_tokens=230, folder=tmp_path / "eval"
    )


def test_retrieval_is_scored_over_the_judged_queries(collection: Path, tmp_path: Path, parser: Parser) -> None:
    run = tmp_path / "run.jsonl"
    report = measure_retrieval(collection, retrieval_parts(tmp_path, parser, FakeEmbedder(dim=256)), run_file=run)
    assert (report.documents, report.queries) == (3, 2)
    assert report.recall_at_5 == 1.0
    assert report.mrr == 1.0
    lines = [json.loads(line) for line in run.read_text(encoding="utf-8").splitlines()]
    assert [line["query"] for line in lines] == ["q1", "q2"]
    assert lines[0]["documents"][0]["id"] == "badges"


def test_a_second_run_embeds_no_passage_again(collection: Path, tmp_path: Path, parser: Parser) -> None:
    measure_retrieval(collection, retrieval_parts(tmp_path, parser, FakeEmbedder(dim=256)))
    again = FakeEmbedder(dim=256)
    measure_retrieval(collection, retrieval_parts(tmp_path, parser, again))
    assert not [text for text in again.embedded_texts if "Maria" in text]


def test_a_folder_without_a_corpus_is_named(tmp_path: Path, parser: Parser) -> None:
    with pytest.raises(MisuseError, match=r"qrels\.tsv"):
        measure_retrieval(tmp_path, retrieval_parts(tmp_path, parser, FakeEmbedder()))


def test_bad_judgements_name_the_line(collection: Path, tmp_path: Path, parser: Parser) -> None:
    (collection / "qrels.tsv").write_text("q1\tbadges\tmuch\n", encoding="utf-8")
    with pytest.raises(MisuseError, match="line 1"):
        measure_retrieval(collection, retrieval_parts(tmp_path, parser, FakeEmbedder()))


def answer_parts(parser: Parser, options: AnswerOptions) -> AnswerParts:
    """A model that always says the same."""
    return AnswerParts(
        embedder=FakeEmbedder(dim=256),
        generator=ScriptedGenerator("Badges are issued by Maria Lopez."),
        parser=parser,
        retrieval=RetrievalOptions(),
        options=options,
        chunk_tokens=230,
    )


def test_answers_citations_and_abstentions_are_scored(tmp_path: Path, parser: Parser) -> None:
    run = tmp_path / "run.jsonl"
    file = write_lines(tmp_path / "rows.jsonl", ROWS)
    report = measure_answers(file, answer_parts(parser, AnswerOptions(minimum_support=0.0)), run_file=run)
    assert (report.rows, report.answerable, report.unanswerable) == (2, 1, 1)
    assert report.contains_answer == 1.0
    assert report.citation_precision == 1.0
    assert report.citation_recall == 1.0
    assert report.abstained == 0
    assert report.abstention_recall == 0.0
    first = json.loads(run.read_text(encoding="utf-8").splitlines()[0])
    assert first["citations"] == [{"n": 1, "index": 1}]
    assert first["id"] == "a"
    assert first["outcome"]["contains_gold"] == 1.0
    assert report.right == 0.5
    assert report.supported is not None


def test_an_abstention_counts_against_answers_and_for_honesty(tmp_path: Path, parser: Parser) -> None:
    file = write_lines(tmp_path / "rows.jsonl", ROWS)
    report = measure_answers(file, answer_parts(parser, AnswerOptions(minimum_support=1.0)))
    assert report.abstained == 2
    assert report.f1 == 0.0
    assert report.abstention_precision == 0.5
    assert report.abstention_recall == 1.0


def test_relevant_marks_count_as_gold_and_conversational_rows_are_left_out(tmp_path: Path) -> None:
    rows = [
        {**ROWS[0], "gold": None, "passages": [{"text": "x"}, {"text": "y", "relevant": True}]},
        {**ROWS[0], "answerable": "CONVERSATIONAL"},
    ]
    (row,) = load_answer_rows(write_lines(tmp_path / "rows.jsonl", rows))
    assert row.gold == frozenset({1})


def test_a_row_without_a_question_is_named(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "rows.jsonl", [{"id": "x"}])
    with pytest.raises(MisuseError, match="row 1"):
        list(load_answer_rows(file))


def test_a_line_that_is_not_json_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("not json\n", encoding="utf-8")
    with pytest.raises(MisuseError, match="line 1"):
        list(load_answer_rows(file))
