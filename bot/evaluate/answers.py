"""`lorekeeper eval answers`: each row's passages are indexed in a library of their own and its question is answered by
ANSWER, exactly as in Slack; what comes out is compared with what the row says."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bot.answer import Answering, AnswerOptions
from bot.app import Application, Progress, query_side, retrieval_options
from bot.errors import MisuseError
from bot.evaluate.files import read_rows, write_rows
from bot.evaluate.outcome import Judged, Outcome, as_row, outcome_of
from bot.evaluate.passages import GivenPassage, PassageSource, index_passages
from bot.evaluate.scores import contains_answer, precision_recall, token_f1
from bot.turn import Answer, Done
from knowledge.audience import Audience
from knowledge.document import HistoryTurn, Question
from knowledge.embed import Embedder
from knowledge.library import Library
from knowledge.measure import mean, percentile
from knowledge.parse import Parser
from knowledge.query_side import QuerySide
from knowledge.retrieve import RetrievalOptions
from models.generator import Generator

_URI = "passage:"
_ANSWERABLE = {"ANSWERABLE": True, "PARTIAL": True, "UNANSWERABLE": False}


@dataclass(frozen=True, kw_only=True)
class AnswerRow:
    """One row of the data set."""

    id: str
    question: Question
    answerable: bool
    passages: tuple[GivenPassage, ...]
    references: tuple[str, ...]
    gold: frozenset[int]
    group: str = ""
    """The conversation or article that it is from; empty for none but itself."""
    approved: bool = False
    """The reference is what a version said and people approved."""


@dataclass(frozen=True, kw_only=True)
class AnsweredRow:
    """What the assistant made of a row."""

    row: AnswerRow = field(repr=False)
    answer: Answer = field(repr=False)
    cited: tuple[tuple[int, int], ...]
    """Number of each citation and the position of its passage in the row."""
    seconds: float

    @property
    def outcome(self) -> Outcome:
        """Its measures."""
        row, answer = self.row, self.answer
        return outcome_of(
            Judged(
                id=row.id,
                group=row.group or row.id,
                question=row.question.text,
                answer=answer.text,
                abstained=answer.abstained,
                cited=self.cited,
                passages=tuple(f"{passage.title}\n\n{passage.text}" for passage in row.passages),
                answerable=row.answerable,
                references=row.references,
                gold=row.gold,
                seconds=self.seconds,
                approved=row.approved,
            )
        )


@dataclass(frozen=True, kw_only=True)
class SecondsPerAnswer:
    """How long answers took, from question to end."""

    mean: float
    median: float
    p95: float
    first_token_median: float


@dataclass(frozen=True, kw_only=True)
class AnswersReport:
    """The measures; shares from 0 to 1, None where nothing could be counted."""

    rows: int
    answerable: int
    unanswerable: int
    f1: float | None
    """Token F1 over the answerable rows; an abstention counts 0."""
    contains_answer: float | None
    answered_f1: float | None
    """Token F1 over the answerable rows that were answered."""
    citation_precision: float | None
    citation_recall: float | None
    abstention_precision: float | None
    abstention_recall: float | None
    abstained: int
    right: float | None
    """Over all rows: see `bot.evaluate.outcome`."""
    supported: float | None
    """Share of the answers' sentences that the passage they cite holds, over the answers that were given."""
    characters: float
    """Of an answer, on average."""
    seconds_per_answer: SecondsPerAnswer
    version: str
    embedder: str


@dataclass(frozen=True, kw_only=True)
class AnswerParts:
    """What answers are made with."""

    embedder: Embedder
    generator: Generator
    parser: Parser
    retrieval: RetrievalOptions
    options: AnswerOptions
    chunk_tokens: int
    query_side: QuerySide | None = None
    """None: weighted history."""


def evaluate_answers(
    file: Path,
    application: Application,
    *,
    run_file: Path | None = None,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> AnswersReport:
    """Measure with the models and options of an application; see `measure_answers`."""
    answering, settings = application.answering, application.settings
    with application.parser() as parser:
        parts = AnswerParts(
            embedder=answering.library.embedder,
            generator=answering.generator,
            parser=parser,
            retrieval=retrieval_options(settings.file),
            options=answering.options,
            query_side=query_side(settings, answering.library.embedder),
            chunk_tokens=settings.file.knowledge.chunk_tokens,
        )
        return measure_answers(file, parts, run_file=run_file, limit=limit, progress=progress)


def measure_answers(
    file: Path,
    parts: AnswerParts,
    *,
    run_file: Path | None = None,
    limit: int | None = None,
    progress: Progress = lambda *_: None,
) -> AnswersReport:
    """Answer every row of a file and score the answers. Raises MisuseError for a row that cannot be used."""
    rows = list(islice(load_answer_rows(file), limit))
    if not rows:
        raise MisuseError(f"{file} holds no rows; see `lorekeeper eval answers --help` for the format.")
    answered = answer_rows(rows, parts, progress)
    if run_file is not None:
        write_rows(run_file, [_run_row(item) for item in answered])
    return score(answered, parts)


def load_answer_rows(file: Path) -> Iterator[AnswerRow]:
    """Read the rows; conversational ones, which are neither answerable nor not, are left out."""
    for number, row in enumerate(read_rows(file), 1):
        try:
            if row.get("answerable") != "CONVERSATIONAL":
                yield _parse_row(row)
        except (KeyError, TypeError, ValueError) as error:
            raise MisuseError(
                f"{file}, row {number} lacks or has a bad {error}; expected id, question, answerable, passages and "
                "answers or answer."
            ) from error


def answer_rows(
    rows: Sequence[AnswerRow], parts: AnswerParts, progress: Progress = lambda *_: None
) -> list[AnsweredRow]:
    """Answer each row, in order."""
    answered: list[AnsweredRow] = []
    for row in rows:
        progress("Answering", len(answered), len(rows))
        answered.append(answer_row(row, parts))
    progress("Answering", len(rows), len(rows))
    return answered


def answer_row(row: AnswerRow, parts: AnswerParts) -> AnsweredRow:
    """Answer one row from its own passages only."""
    with Library.in_memory(parts.embedder, parts.retrieval, query_side=parts.query_side) as library:
        source = PassageSource(id="row", passages=row.passages)
        index_passages(library, source, parts.parser, chunk_tokens=parts.chunk_tokens)
        answering = Answering(library=library, generator=parts.generator, options=parts.options)
        started = time.perf_counter()
        answer = _finished(answering, row.question)
        seconds = time.perf_counter() - started
    cited = tuple((item.n, int(item.uri.removeprefix(_URI))) for item in answer.citations)
    return AnsweredRow(row=row, answer=answer, cited=cited, seconds=seconds)


def score(answered: Sequence[AnsweredRow], parts: AnswerParts) -> AnswersReport:
    """Work the measures out."""
    answerable = [item for item in answered if item.row.answerable]
    referenced = [item for item in answerable if item.row.references]
    known = [item for item in answerable if item.row.gold and not item.answer.abstained]
    f1 = [0.0 if item.answer.abstained else token_f1(item.answer.text, item.row.references) for item in referenced]
    citations = precision_recall(
        [{index for _, index in item.cited} for item in known], [item.row.gold for item in known]
    )
    abstentions = precision_recall(
        [{"no"} if item.answer.abstained else set() for item in answered],
        [set() if item.row.answerable else {"no"} for item in answered],
    )
    outcomes = [item.outcome for item in answered]
    return AnswersReport(
        rows=len(answered),
        answerable=len(answerable),
        unanswerable=len(answered) - len(answerable),
        f1=_mean(f1),
        contains_answer=_mean([float(contains_answer(item.answer.text, item.row.references)) for item in referenced]),
        answered_f1=_mean([value for value, item in zip(f1, referenced, strict=True) if not item.answer.abstained]),
        citation_precision=citations.precision,
        citation_recall=citations.recall,
        abstention_precision=abstentions.precision,
        abstention_recall=abstentions.recall,
        abstained=sum(item.answer.abstained for item in answered),
        right=_mean([one.right for one in outcomes if one.right is not None]),
        supported=_mean([one.supported for one in outcomes if one.supported is not None]),
        characters=mean([one.characters for one in outcomes]),
        seconds_per_answer=_seconds(answered),
        version=parts.generator.version,
        embedder=parts.embedder.name,
    )


def _parse_row(row: dict[str, Any]) -> AnswerRow:
    answerable = row["answerable"]
    references = row.get("answers") or ([row["answer"]] if row.get("answer") else [])
    history = tuple(HistoryTurn(role=turn["role"], text=turn["text"]) for turn in row.get("history") or [])
    given = row["passages"]
    gold = row.get("gold")
    if gold is None:
        gold = [index for index, passage in enumerate(given) if passage.get("relevant")]
    return AnswerRow(
        id=str(row["id"]),
        question=Question(text=row["question"], history=history),
        answerable=answerable if isinstance(answerable, bool) else _ANSWERABLE[str(answerable)],
        passages=tuple(
            GivenPassage(uri=f"{_URI}{index}", title=passage.get("title", ""), text=passage["text"])
            for index, passage in enumerate(given)
        ),
        references=tuple(references),
        gold=frozenset(gold),
        # The turns of one conversation of MTRAG share what stands before this sign.
        group=str(row.get("group") or str(row["id"]).partition("<::>")[0]),
        approved=row.get("approved") is True,
    )


def _finished(answering: Answering, question: Question) -> Answer:
    *_, last = answering.answer(question, Audience.everyone())
    assert isinstance(last, Done)
    return last.answer


def _run_row(item: AnsweredRow) -> dict[str, Any]:
    return {
        "id": item.row.id,
        "answer": item.answer.text,
        "citations": [{"n": n, "index": index} for n, index in item.cited],
        "abstained": item.answer.abstained,
        "support": round(item.answer.support, 4),
        "seconds": {"total": item.seconds, **asdict(item.answer.seconds)},
        "outcome": as_row(item.outcome),
    }


def _mean(values: Sequence[float]) -> float | None:
    return mean(values) if values else None


def _seconds(answered: Sequence[AnsweredRow]) -> SecondsPerAnswer:
    seconds = [item.seconds for item in answered]
    written = [item.answer.seconds.first_token for item in answered if item.answer.tokens.completion]
    return SecondsPerAnswer(
        mean=mean(seconds),
        median=statistics.median(seconds),
        p95=percentile(seconds, 0.95),
        first_token_median=statistics.median(written) if written else float("nan"),
    )
