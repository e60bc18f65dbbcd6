"""Golden questions: the operator's own, which every version must go on answering; `golden.jsonl` in the data folder.

They are asked of the library as it is, for everyone to read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.curated import list_curated
from bot.errors import MisuseError
from bot.evaluate.files import read_rows
from bot.evaluate.scores import contains_answer
from bot.turn import Answer
from knowledge.audience import EVERYONE
from knowledge.database import reading

FILE = "golden.jsonl"


@dataclass(frozen=True, kw_only=True)
class GoldenQuestion:
    """A question and what its answer must do; what is empty is not asked for."""

    question: str = field(repr=False)
    must_contain: tuple[str, ...] = field(default=(), repr=False)
    """All of them, word for word."""
    must_abstain: bool = False
    must_cite: tuple[str, ...] = ()
    """Each a part of the title or address of a document that is cited."""

    @property
    def id(self) -> str:
        """The same question has the same id."""
        return hashlib.sha256(" ".join(self.question.lower().split()).encode("utf-8", "replace")).hexdigest()[:8]

    def failure_of(self, answer: Answer) -> str:
        """Say in what an answer fails; empty where it does all that it must."""
        if self.must_abstain:
            return "" if answer.abstained else "it answered, and must say that it does not know"
        if answer.abstained:
            return "it says that it does not know"
        for text in self.must_contain:
            if not contains_answer(answer.text, [text]):
                return f"“{text}” is not in the answer"
        for name in self.must_cite:
            if not any(name.lower() in f"{one.title}\n{one.uri}".lower() for one in answer.citations):
                return f"“{name}” is not cited"
        return ""


def checked(question: GoldenQuestion) -> GoldenQuestion:
    """Return a golden question that can be asked; raises MisuseError for one that asks for nothing, or too much."""
    if not question.question.strip():
        raise MisuseError("a golden question needs its words.")
    demands = bool(question.must_contain or question.must_cite)
    if question.must_abstain and demands:
        raise MisuseError("an answer cannot both say that it does not know and contain or cite something.")
    if not question.must_abstain and not demands:
        raise MisuseError("say what its answer must do: --contains TEXT, --cites TITLE or --abstains.")
    return question


def load_golden(home: Path) -> tuple[GoldenQuestion, ...]:
    """Read the file of a data folder; none is no golden questions. Raises MisuseError with the line that is wrong."""
    path = home / FILE
    if not path.is_file():
        return ()
    found: list[GoldenQuestion] = []
    for number, row in enumerate(read_rows(path), 1):
        try:
            contain, cite = tuple(map(str, row.pop("must_contain", ()))), tuple(map(str, row.pop("must_cite", ())))
            found.append(checked(GoldenQuestion(**row, must_contain=contain, must_cite=cite)))
        except (TypeError, AttributeError, MisuseError) as error:
            raise MisuseError(
                f"{path}, row {number} cannot be used: {error} Expected question and must_contain, must_abstain or "
                "must_cite."
            ) from error
    return tuple(found)


def add_golden(home: Path, questions: Iterable[GoldenQuestion]) -> int:
    """Add questions, each in the place of an earlier one with the same words; returns how many are new."""
    kept = {one.id: one for one in load_golden(home)}
    before = len(kept)
    kept |= {one.id: checked(one) for one in questions}
    _save(home, list(kept.values()))
    return len(kept) - before


def remove_golden(home: Path, golden_id: str) -> bool:
    """Remove a question; False where there is none of this id."""
    found = load_golden(home)
    kept = [one for one in found if one.id != golden_id]
    if len(kept) == len(found):
        return False
    _save(home, kept)
    return True


def golden_from_curated(engine: sa.Engine) -> list[GoldenQuestion]:
    """Make golden questions of approved answers: the model itself must find and cite the same documents.

    What is not for everyone, or stale, or cites nothing, is left out.
    """
    usable = {one.id for one in list_curated(engine) if one.audience == EVERYONE and not one.stale}
    table = tables.curated
    with reading(engine) as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.question, table.c.citations).order_by(table.c.id)).all()
    return [
        GoldenQuestion(
            question=row.question,
            must_cite=tuple(dict.fromkeys(str(one["title"] or one["uri"]) for one in row.citations)),
        )
        for row in rows
        if row.id in usable and row.citations
    ]


def _save(home: Path, questions: Sequence[GoldenQuestion]) -> None:
    path, unfinished = home / FILE, home / f".{FILE}.unfinished"
    text = "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in questions)
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise MisuseError(f"{path} cannot be written: {error.strerror}.") from error
