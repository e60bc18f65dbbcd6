"""What came of one row, as numbers that two systems can be compared by."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bot.errors import MisuseError
from bot.evaluate.scores import contains_answer, token_f1
from bot.evaluate.supported import is_said, supported_share


@dataclass(frozen=True, kw_only=True)
class Judged:
    """An answer with what is known to be right."""

    id: str
    group: str
    question: str
    answer: str
    abstained: bool
    cited: tuple[tuple[int, int], ...]
    """Number of each citation and the position of its passage in the row."""
    passages: tuple[str, ...]
    answerable: bool
    references: tuple[str, ...]
    gold: frozenset[int]
    seconds: float
    approved: bool = False
    """The reference is what a version said and people approved: whoever says it otherwise is not wrong."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The measures of one row, 0 to 1; None where the row cannot tell."""

    id: str
    group: str
    """Rows of one conversation or article are alike and are drawn together."""
    right: float | None
    """The one figure for a row: of an answerable one, 1 where a reference stands in the answer word for word, or where
    it is a sentence that the answer says in other words, else the token F1; of an unanswerable one, whether it was said
    that there is no answer."""
    contains_gold: float | None
    f1: float | None
    """This and `contains_gold` are None, too, where the reference is a version's own words: they would tell who sounds
    like that version."""
    abstained_rightly: float | None
    """Of the unanswerable."""
    abstained_wrongly: float | None
    """Of the answerable."""
    cited_right: float | None
    """It cites, and only passages that hold the answer; an abstention cites nothing."""
    supported: float | None
    """Share of the answer's sentences that the passage they cite holds; see bot.evaluate.supported."""
    characters: int
    seconds: float


def outcome_of(judged: Judged) -> Outcome:
    """Work one row's measures out."""
    contains = f1 = right = cited = supported = None
    if judged.answerable and judged.references:
        contains = float(not judged.abstained and contains_answer(judged.answer, judged.references))
        f1 = 0.0 if judged.abstained else token_f1(judged.answer, judged.references)
        right = max(contains, f1, float(_says(judged)))
    if judged.answerable and judged.gold:
        positions = {position for _, position in judged.cited}
        cited = float(bool(positions) and positions <= judged.gold)
    if not judged.abstained:
        texts = {number: judged.passages[position] for number, position in judged.cited}
        supported = supported_share(judged.answer, judged.question, texts)
    abstained = float(judged.abstained)
    return Outcome(
        id=judged.id,
        group=judged.group,
        right=right if judged.answerable else abstained,
        contains_gold=None if judged.approved else contains,
        f1=None if judged.approved else f1,
        abstained_rightly=None if judged.answerable else abstained,
        abstained_wrongly=abstained if judged.answerable else None,
        cited_right=cited,
        supported=supported,
        characters=len(judged.answer),
        seconds=judged.seconds,
    )


def outcome_from(row: dict[str, Any], place: str) -> Outcome:
    """Read back what a run file keeps; raises MisuseError for a row of another kind."""
    try:
        return Outcome(**row["outcome"])
    except (KeyError, TypeError) as error:
        raise MisuseError(
            f"{place} holds no outcome ({error}): it is not a file of `lorekeeper eval answers --run`, or of an older "
            "version. Make it again."
        ) from error


def as_row(outcome: Outcome) -> dict[str, Any]:
    """The form in which a run file keeps it."""
    return asdict(outcome)


def _says(judged: Judged) -> bool:
    """Whether a reference that is a sentence is said; of a few words there are too few to go by."""
    sentences = (one for one in judged.references if one.rstrip().endswith((".", "!", "?")))
    return not judged.abstained and any(is_said(one, judged.question, judged.answer) for one in sentences)
