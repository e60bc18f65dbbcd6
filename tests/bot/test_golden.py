"""Golden questions are kept in a file that people may edit, and say what their answers must do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import MisuseError
from bot.learn.golden import FILE, GoldenQuestion, add_golden, load_golden, remove_golden
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation


def answer(text: str, *titles: str, abstained: bool = False) -> Answer:
    citations = tuple(
        Citation(n=n, uri=f"file:///{n}.md", title=title, header="", source="s", chunk_id=n, text_hash="", quote="")
        for n, title in enumerate(titles, 1)
    )
    seconds, tokens = AnswerSeconds(retrieve=0, first_token=0, total=0), AnswerTokens(prompt=0, completion=0)
    return Answer(text=text, citations=citations, abstained=abstained, version="v", seconds=seconds, tokens=tokens)


BADGES = GoldenQuestion(question="Who issues badges?", must_contain=("Maria Lopez",), must_cite=("badges",))


def test_a_question_is_added_changed_and_removed(tmp_path: Path) -> None:
    assert add_golden(tmp_path, [BADGES]) == 1
    assert load_golden(tmp_path) == (BADGES,)
    changed = GoldenQuestion(question="who issues  Badges?", must_abstain=True)
    assert add_golden(tmp_path, [changed]) == 0
    assert load_golden(tmp_path) == (changed,)
    assert remove_golden(tmp_path, changed.id)
    assert not remove_golden(tmp_path, changed.id)
    assert load_golden(tmp_path) == ()


@pytest.mark.parametrize(
    ("given", "failure"),
    [
        (answer("It is Maria Lopez. [1]", "Badges"), ""),
        (answer("It is Maria Lopez.", "Canteen"), "“badges” is not cited"),
        (answer("It is Peter.", "Badges"), "“Maria Lopez” is not in the answer"),
        (answer("", abstained=True), "it says that it does not know"),
    ],
)
def test_an_answer_is_held_against_all_that_it_must_do(given: Answer, failure: str) -> None:
    assert BADGES.failure_of(given) == failure


def test_silence_can_be_what_is_wanted() -> None:
    secret = GoldenQuestion(question="What does the CEO earn?", must_abstain=True)
    assert secret.failure_of(answer("", abstained=True)) == ""
    assert "it answered" in secret.failure_of(answer("Much."))


@pytest.mark.parametrize(
    "question",
    [
        GoldenQuestion(question=" ", must_abstain=True),
        GoldenQuestion(question="Who?"),
        GoldenQuestion(question="Who?", must_abstain=True, must_contain=("x",)),
    ],
)
def test_a_question_that_asks_for_nothing_or_too_much_is_refused(tmp_path: Path, question: GoldenQuestion) -> None:
    with pytest.raises(MisuseError):
        add_golden(tmp_path, [question])


@pytest.mark.parametrize(
    "line", ['{"question": "Who?"}', '{"wish": 1}', '{"question": "Who?", "must_contain": 3}', "[]"]
)
def test_a_line_that_cannot_be_used_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE).write_text(line, encoding="utf-8")
    with pytest.raises(MisuseError, match=FILE.replace(".", r"\.")):
        load_golden(tmp_path)
