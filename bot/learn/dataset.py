"""DATASET: what people thought of answers, and what the documents say -> a folder that a version can be made from.

ledger and documents -> rows, each with its prompt in service and the lane that lets it in -> each once, nobody too
often -> parts, split so that what belongs together stays together -> files with a manifest. Whatever is left out is
counted, with the reason. Only this flow writes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from bot.app import answer_options, query_side, retrieval_options
from bot.learn.authors import authors_of
from bot.learn.balance import weigh
from bot.learn.export import Content, DatasetReport, write_dataset
from bot.learn.ledger import Ledger, is_bot_id, read_ledger
from bot.learn.poison_signs import inspect
from bot.learn.policy import Permissions
from bot.learn.questions import (
    Candidate,
    answerable_row,
    asked_by_rule,
    generated_candidate,
    is_asked_unanswerably,
    owned_chunks,
    plain_candidates,
    unanswerable_row,
)
from bot.learn.rehearsal import rehearsal_tasks, rehearse
from bot.learn.rows import Omitted, Outcome, Row, row_of_curated, rows_of_answer
from bot.learn.served import Serving
from bot.learn.signals import count_signals
from bot.learn.split import Kept, each_once, nobody_too_often, split
from bot.learn.texts import TextRow, text_rows
from bot.settings import Settings
from bot.threshold import REACH
from knowledge.embed import Embedder
from knowledge.library import Library
from models.example import Example, Part
from models.generator import Generator

Progress = Callable[[str, int, int | None], None]
Item = TypeVar("Item")
_WORDS_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class DatasetOptions:
    """How a dataset is made."""

    seed: int = 0
    """The same seed puts the same conversations and documents into the same parts."""
    most_questions: int = 1_000
    """The most questions made from documents."""
    by_rule: int = 300
    """The most of them that are asked by rule for a word of a sentence: many, but clumsy."""
    generated: int = 200
    """So many of them the language model in service may ask, where one is given."""
    unanswerable: float = 0.35
    """Share of them that is also asked where only other passages are read."""
    rehearsal: float = 0.4
    """For each answer to learn, so many tasks without a text, where a version is there to answer them."""
    texts: bool = False
    """The documents' plain text, too."""
    most_texts: int = 5_000
    """So many pieces of it."""


def build_dataset(
    engine: sa.Engine,
    embedder: Embedder,
    settings: Settings,
    folder: Path,
    *,
    generator: Generator | None = None,
    open_rehearsing: Callable[[], Generator] | None = None,
    options: DatasetOptions | None = None,
    operators: frozenset[str] = frozenset(),
    is_public: Callable[[str], bool] | None = None,
    is_bot: Callable[[str], bool] = is_bot_id,
    progress: Progress = lambda *_: None,
) -> DatasetReport:
    """Make a dataset of everything that may be learned from, as of now.

    `operators` are admins besides those whom the settings name. `is_public` tells channels that everybody may read;
    the settings' list does where it is not given. `open_rehearsing` starts the version that goes on learning: what it
    can do besides is rehearsed. Raises MisuseError where the folder cannot be written.
    """
    started = time.perf_counter()
    options = options or DatasetOptions()
    tuning = settings.file.tuning
    ledger = read_ledger(engine, is_bot=is_bot, person_share=tuning.person_share)
    permissions = Permissions(
        message_text=tuning.message_text,
        operators=operators | frozenset(settings.file.slack.admins),
        consenting=ledger.consenting,
        is_public=is_public or frozenset(tuning.public_channels).__contains__,
    )
    with open_serving(engine, embedder, settings, generator) as serving:
        outcomes = [
            *_of_people(ledger, serving, permissions, progress),
            *_of_documents(serving, generator, options, progress),
        ]
    progress("Leaving out copies", 0, None)
    once = each_once([one for one in outcomes if isinstance(one, Row)])
    progress("Looking for poisoned feedback", 0, None)
    clean = unsuspicious(engine, once.rows)
    fair = nobody_too_often(clean.rows, tuning.person_share)
    parts, never_asked = without_never_asked(split(fair.rows, options.seed), settings.file.answer.minimum_support)
    pieces = evenly(owned_chunks(engine), options.most_texts if options.texts else 0)
    texts = list(text_rows(pieces, options.seed))
    content = Content(
        parts=parts,
        rehearsal=_rehearsed(open_rehearsing, round(options.rehearsal * _answers(parts["train"])), progress),
        texts=[one for one in texts if isinstance(one, TextRow)],
        omitted=[
            *(one for one in (*outcomes, *texts) if isinstance(one, Omitted)),
            *(*once.omitted, *clean.omitted, *fair.omitted, *never_asked),
        ],
        ledger=ledger,
        balance=weigh(fair.rows, tuning.person_share),
        signals=count_signals(engine),
        seed=options.seed,
        conditions={
            "embedder": embedder.name,
            "person_share": tuning.person_share,
            "message_text": tuning.message_text,
            "message_text_acknowledged": tuning.message_text_acknowledged,
            "public_channels": list(tuning.public_channels),
        },
    )
    return write_dataset(folder, content, time.perf_counter() - started)


def _answers(rows: Sequence[Row]) -> int:
    """How many rows say an answer that is to be given: votes and pairs are learned from in runs of their own."""
    return sum(row.example.kind == "supervised" for row in rows)


def _rehearsed(start: Callable[[], Generator] | None, count: int, progress: Progress) -> tuple[Example, ...]:
    tasks = evenly(rehearsal_tasks(), count)
    if start is None or not tasks:
        return ()
    with closing(start()) as generator:
        return tuple(rehearse(generator, tasks, lambda done, of: progress("Rehearsing", done, of)))


def without_never_asked(
    parts: Mapping[Part, Sequence[Row]], setting: float
) -> tuple[dict[Part, tuple[Row, ...]], tuple[Omitted, ...]]:
    """Leave out what would teach "I don't know" where no model is ever asked; the test part keeps it.

    Below the threshold ANSWER says so itself. Rows of such prompts are most of what people approve of a silent
    answer, and a version that learns from them is silent where it should not be. What votes may still move the
    threshold to is learned from.
    """
    least = max(0.0, setting - REACH)
    kept: dict[Part, tuple[Row, ...]] = {}
    omitted: list[Omitted] = []
    for part, rows in parts.items():
        never = set() if part == "test" else {row.example.id for row in rows if _is_never_asked(row, least)}
        kept[part] = tuple(row for row in rows if row.example.id not in never)
        omitted += [Omitted(origin=row.example.origin, reason="not_asked") for row in rows if row.example.id in never]
    return kept, tuple(omitted)


def _is_never_asked(row: Row, least: float) -> bool:
    return row.support < least and not row.answerable and row.example.kind != "preference"


def unsuspicious(engine: sa.Engine, rows: Sequence[Row]) -> Kept:
    """Leave out what bears a sign of poison; see `bot.learn.poison_signs`."""
    examples = [row.example for row in rows if row.example.kind != "vote"]
    kept = {example.id for example in inspect(examples, authors_of(engine, examples)).kept}
    bad = {example.id for example in examples} - kept
    return Kept(
        rows=tuple(row for row in rows if row.example.id not in bad),
        omitted=tuple(Omitted(origin=row.example.origin, reason="suspicious") for row in rows if row.example.id in bad),
    )


@contextmanager
def open_serving(
    engine: sa.Engine, embedder: Embedder, settings: Settings, generator: Generator | None = None
) -> Iterator[Serving]:
    """Open what prompts are made with, as the bot has it.

    Without the language model tokens are counted by the embedder: that matters only where the context is small.
    """
    retrieval = retrieval_options(settings.file)
    side = query_side(settings, embedder)
    with Library.open(engine, embedder, None, retrieval, query_side=side) as library:
        # The background reading must have ended: a search without it would find something else.
        library.wait_for_words(_WORDS_SECONDS)
        yield Serving(
            engine=engine,
            library=library,
            query_side=side,
            options=answer_options(settings.file),
            beside_characters=retrieval.beside_characters,
            context_size=settings.file.model.context_tokens if generator is None else generator.context_size,
            count_tokens=embedder.count_tokens if generator is None else generator.count_tokens,
        )


def _of_people(ledger: Ledger, serving: Serving, permissions: Permissions, progress: Progress) -> Iterator[Outcome]:
    total = len(ledger.answers)
    for number, answer in enumerate(ledger.answers, 1):
        yield from rows_of_answer(answer, serving, permissions)
        progress("Reading answers and votes", number, total)
    for curated in ledger.curated:
        yield row_of_curated(curated, serving, permissions, curated.id)


def _of_documents(
    serving: Serving, generator: Generator | None, options: DatasetOptions, progress: Progress
) -> Iterator[Outcome]:
    candidates = _candidates(serving, generator, options, progress)
    for number, candidate in enumerate(candidates, 1):
        row = answerable_row(candidate, serving)
        yield row
        # Only what is answerable is worth asking elsewhere: there the right answer is known to be missing.
        if isinstance(row, Row) and is_asked_unanswerably(candidate, options.unanswerable):
            yield unanswerable_row(candidate, serving)
        progress("Asking documents", number, len(candidates))


def _candidates(
    serving: Serving, generator: Generator | None, options: DatasetOptions, progress: Progress
) -> Sequence[Candidate]:
    """Questions from all documents alike: where there are too many, every so many pieces are asked."""
    pieces = owned_chunks(serving.engine)
    found = [candidate for piece in pieces for candidate in plain_candidates(piece)]
    found = evenly(found, options.most_questions)
    by_rule = [candidate for piece in pieces for candidate in asked_by_rule(piece)]
    found += evenly(by_rule, min(options.by_rule, options.most_questions - len(found)))
    if generator is None:
        return found
    asked = evenly(pieces, min(options.generated, options.most_questions - len(found)))
    for number, piece in enumerate(asked, 1):
        if (candidate := generated_candidate(piece, generator)) is not None:
            found.append(candidate)
        progress("Letting the model ask", number, len(asked))
    return found


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """So many of the items, from the beginning to the end."""
    if len(items) <= most:
        return list(items)
    return [items[place * len(items) // most] for place in range(max(0, most))]
