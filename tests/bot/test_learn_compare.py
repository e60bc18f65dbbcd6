"""Two runs over the same rows are compared pair by pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import MisuseError
from bot.evaluate.files import write_rows
from bot.evaluate.outcome import Judged, Outcome, as_row, outcome_of
from bot.learn.compare import compare_files, compare_outcomes

RIGHT = Judged(
    id="1",
    group="article",
    question="Who issues badges?",
    answer="Badges are issued by Maria Lopez. [1]",
    abstained=False,
    cited=((1, 0),),
    passages=("Badges are issued by Maria Lopez.", "The canteen opens at noon."),
    answerable=True,
    references=("Maria Lopez",),
    gold=frozenset({0}),
    seconds=1.0,
)
SILENT = replace(RIGHT, answer="I do not know.", abstained=True, cited=())


def write(path: Path, outcomes: list[Outcome]) -> Path:
    write_rows(path, [{"id": one.id, "outcome": as_row(one)} for one in outcomes])
    return path


def test_a_right_answer_is_right_in_all_measures() -> None:
    found = outcome_of(RIGHT)
    assert (found.right, found.contains_gold, found.cited_right, found.supported) == (1.0, 1.0, 1.0, 1.0)
    assert (found.abstained_wrongly, found.abstained_rightly) == (0.0, None)


def test_silence_is_wrong_where_there_is_an_answer_and_right_where_there_is_none() -> None:
    found = outcome_of(SILENT)
    assert (found.right, found.abstained_wrongly, found.cited_right, found.supported) == (0.0, 1.0, 0.0, None)
    found = outcome_of(replace(SILENT, answerable=False, references=(), gold=frozenset()))
    assert (found.right, found.abstained_rightly, found.abstained_wrongly) == (1.0, 1.0, None)


def test_citing_a_wrong_passage_beside_the_right_one_is_not_right() -> None:
    assert outcome_of(replace(RIGHT, cited=((1, 0), (2, 1)))).cited_right == 0.0


def test_a_long_reference_counts_by_its_words() -> None:
    found = outcome_of(replace(RIGHT, references=("Maria Lopez issues the badges at the desk",)))
    assert found.contains_gold == 0.0
    assert found.right == found.f1
    assert 0.0 < (found.f1 or 0.0) < 1.0


@pytest.mark.parametrize(
    ("reference", "answer", "said"),
    [
        ("It is Maria Lopez.", "The sources say: “Badges are issued by Maria Lopez.” [1]", True),
        ("Maria Lopez at the desk issues badges.", "At the desk Maria Lopez does it. [1]", True),
        ("It is Maria Lopez.", "Badges are issued by Maria Garcia. [1]", False),
        ("It is not Maria Lopez.", "Badges are issued by Maria Lopez. [1]", False),
        ("They have issued 20 since 2019.", "Since 2019 they have issued 30. [1]", False),
        ("Maria Lopez does. She has done so for nine years.", "Maria Lopez does. [1]", False),
    ],
)
def test_a_sentence_in_other_words_is_right(reference: str, answer: str, said: bool) -> None:
    found = outcome_of(replace(RIGHT, references=(reference,), answer=answer))
    assert found.contains_gold == 0.0
    assert (found.right == 1.0) is said


def test_of_a_few_words_one_that_the_question_holds_is_not_enough() -> None:
    asked = replace(RIGHT, question="What type of Lord is the Doctor?", references=("Time Lord",))
    assert outcome_of(replace(asked, answer="The Doctor has appeared many times. [1]")).right == 0.0


def test_who_says_what_was_approved_in_other_words_does_not_lose_for_the_words() -> None:
    approved = replace(RIGHT, references=("Maria Lopez at the desk issues the badges of all visitors.",), approved=True)
    found = outcome_of(replace(approved, answer="All visitors get theirs at the desk from Maria Lopez. [1]"))
    assert (found.right, found.contains_gold, found.f1) == (1.0, None, None)
    assert outcome_of(replace(approved, answer="Nobody does. [1]")).right == 0.0
    assert outcome_of(replace(approved, answer="I do not know.", abstained=True)).abstained_wrongly == 1.0


def test_rows_are_matched_by_id_and_the_rest_is_said(tmp_path: Path) -> None:
    ours = [outcome_of(replace(RIGHT, id=str(number), group=str(number))) for number in range(6)]
    others = [outcome_of(replace(SILENT, id=str(number), group=str(number))) for number in (5, 4, 3, 2, 9)]
    found = compare_files(write(tmp_path / "new.jsonl", ours), write(tmp_path / "old.jsonl", others))
    assert (found.first, found.second, found.rows, found.left_out) == ("new", "old", 4, 3)
    by_name = {one.measure: one for one in found.measures}
    assert by_name["right"].difference.mean == 1.0
    assert by_name["abstained_wrongly"].difference.mean == -1.0
    assert by_name["abstained_wrongly"].gain.low == 1.0
    assert "abstained_rightly" not in by_name
    assert "supported" not in by_name, "silence supports nothing, so there is no pair"


def test_rows_of_one_conversation_are_drawn_together() -> None:
    ours = [outcome_of(replace(RIGHT, id=str(number))) for number in range(6)]
    found = compare_outcomes(ours, ours, "a", "b")
    assert {one.difference.groups for one in found.measures} == {1}


@pytest.mark.parametrize(
    ("rows", "said"),
    [([{"id": "1", "answer": "x"}], "Make it again"), ([{"id": "x", "outcome": {"id": "x"}}], "row 1")],
)
def test_files_of_another_kind_are_named(tmp_path: Path, rows: list[dict[str, object]], said: str) -> None:
    write_rows(tmp_path / "run.jsonl", rows)
    with pytest.raises(MisuseError, match=said):
        compare_files(tmp_path / "run.jsonl", tmp_path / "run.jsonl")


def test_runs_without_a_common_row_cannot_be_compared(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", [outcome_of(RIGHT)])
    second = write(tmp_path / "b.jsonl", [outcome_of(replace(RIGHT, id="2"))])
    with pytest.raises(MisuseError, match="no row in common"):
        compare_files(first, second)
    with pytest.raises(MisuseError, match="a row twice"):
        compare_files(write(tmp_path / "c.jsonl", [outcome_of(RIGHT)] * 2), first)
