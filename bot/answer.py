"""ANSWER, the spine: a question and an audience in; statuses, text and the finished answer out.

question + conversation -> an approved answer, or passages for this audience -> evidence -> enough to answer? -> an
answer that was given before to this very question, or a prompt within the token budget -> the model's text, sentence by
sentence, each checked against the evidence -> answer with citations. It knows neither Slack nor SQL: who asks saves
what comes out.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from bot.answer_options import AnswerOptions as AnswerOptions
from bot.answer_options import styled
from bot.caveats import Caveats
from bot.cite import without_markers
from bot.clarify import clarifying_options, completed, with_clarification
from bot.disagreement import Disagreement, find_disagreement
from bot.draft import Draft, Writer, write
from bot.errors import QuestionError
from bot.evidence import EARLIER, Evidence, as_read, rank_evidence, rank_together, weigh_origins
from bot.greeting import SmallTalk, small_talk
from bot.language import NAMES, detect_language
from bot.prompt import Manner
from bot.reuse import Asked, Same, digest, is_personal, kept_for_reuse
from bot.rewrite import both, rewrite
from bot.sentences import words
from bot.support import estimate_support, support_features
from bot.threshold import Threshold
from bot.turn import Answer, AnswerEvent, AnswerSeconds, AnswerTokens, Brief, Delta, Done, Status, Style
from bot.words import (
    ANSWER_READING,
    ANSWER_SEARCHING,
    NO_QUESTION,
    NOT_FOUND,
    NOTHING_ELSE,
    SMALL_TALK,
    question_too_long,
)
from knowledge.audience import Audience
from knowledge.document import Passage, Question
from knowledge.embed import Embedder, Vectors
from knowledge.retrieve import Retrieved
from models.generator import Generator

# Where an answer is to differ, evidence this much weaker than the best will still do.
_GOOD_ENOUGH = 0.7
_TRIES = 2
# So little above the threshold an answer is as likely beside the point as right where a request says too little.
UNSURE_ABOVE = 0.3
_WARMTH = 0.7
_ENGLISH = "en"
_LANGUAGE_SENTENCES = 5


class Searcher(Protocol):
    """What ANSWER needs of the library."""

    @property
    def embedder(self) -> Embedder:
        """The embedder that the library searches with."""

    def retrieve(
        self, question: Question, audience: Audience, k: int, *, sources: frozenset[str] | None = None
    ) -> Retrieved:
        """Find up to `k` passages that this audience may read, the best first; `sources` narrows where to look."""


class ApprovedAnswers(Protocol):
    """Answers that a person approved for recurring questions."""

    def find(self, question: Question, audience: Audience, sources: frozenset[str] | None) -> Answer | None:
        """The approved answer to such a question that this audience may read; None where there is none."""


class EarlierAnswers(Protocol):
    """Answers that were given before."""

    def find(self, asked: Asked) -> Answer | None:
        """The earlier answer that may be given again to this question; None where there is none."""


class AnswerThreshold(Protocol):
    """Says from which estimate of support on there is an answer."""

    def current(self) -> Threshold:
        """The threshold that holds now."""


class VersionChoice(Protocol):
    """Says which version of the model writes an answer."""

    def hold(self, brief: Brief, cancel: threading.Event | None = None) -> AbstractContextManager[Generator]:
        """Give the generator for one answer, which stays as it is until the answer has ended."""


@dataclass(frozen=True, kw_only=True)
class Answering:
    """ANSWER with everything it needs; safe to use from several threads."""

    library: Searcher
    generator: Generator
    options: AnswerOptions = field(default_factory=AnswerOptions)
    approved: ApprovedAnswers | None = None
    earlier: EarlierAnswers | None = None
    threshold: AnswerThreshold | None = None
    """Where the votes move it; the options' own holds where there is none."""
    versions: VersionChoice | None = None
    """Which generator writes each answer; `generator` writes them all where there is none."""
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def minimum_support(self) -> float:
        """The estimate of support from which on there is an answer."""
        return self.options.minimum_support if self.threshold is None else self.threshold.current().value

    def answer(
        self,
        question: Question,
        audience: Audience,
        *,
        brief: Brief | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Answer one question. Setting `cancel` ends it soon with what was written so far.

        Raises QuestionError for a question that is empty or too long, KnowledgeError and ModelError.
        """
        brief = brief or Brief()
        if self.versions is None:
            return answer(question, audience, self, brief, cancel)
        return _answer_held(question, audience, self, self.versions.hold(brief, cancel), brief, cancel)


def _answer_held(
    question: Question,
    audience: Audience,
    parts: Answering,
    holding: AbstractContextManager[Generator],
    brief: Brief,
    cancel: threading.Event | None,
) -> Iterator[AnswerEvent]:
    """Answer with one generator from the first step to the last, whatever is put in service meanwhile."""
    with holding as generator:
        yield from answer(question, audience, replace(parts, generator=generator, versions=None), brief, cancel)


def answer(
    question: Question, audience: Audience, parts: Answering, brief: Brief, cancel: threading.Event | None = None
) -> Iterator[AnswerEvent]:
    """The spine; see `Answering.answer`."""
    started = time.perf_counter()
    _check(question, parts.options)
    if talk := small_talk(question.text):
        yield Done(answer=_chat(talk, parts.generator.version, started))
        return
    yield Status(text=ANSWER_SEARCHING)
    said = question.text
    question = with_clarification(without_abstentions(question))
    if brief.chosen:
        question = completed(question, brief.chosen)
    if approved := _approved(question, audience, parts, brief):
        yield Done(answer=approved)
        return
    options = styled(parts.options, brief.style, parts.generator.context_size)
    draft = _gather(question, audience, parts, options, brief, started)
    if question.text != said:
        draft.understood = draft.understood or question.text
    threshold = parts.minimum_support
    if choices := _choices(draft, brief, threshold):
        yield Done(answer=draft.asking_back(parts.generator.version, choices))
        return
    if not draft.evidence or draft.support < threshold:
        yield Done(answer=draft.abstention(parts.generator.version))
        return
    disagreement = find_disagreement(question.text, draft.evidence, draft.read)
    asked = _asked(draft, audience, brief, options, parts, disagreement)
    if parts.earlier and asked and (given := parts.earlier.find(asked)):
        yield Done(answer=draft.timed(given))
        return
    yield Status(text=ANSWER_READING.format(count=len(draft.passages)))
    if disagreement is not None:
        # One of them is answered, the other named beside it: a model that reads both makes something third of them.
        draft.evidence = disagreement.settles(draft.evidence)
    writer = _writer(draft, parts, options, brief.style)
    caveats = Caveats(disagreement=disagreement, stale_days=options.stale_days, now=parts.now())
    if brief.replaces:
        yield from caveats.beside(_write_differently(draft, writer, brief.replaces, cancel), draft)
    elif asked is not None and not asked.said_earlier:
        yield from kept_for_reuse(caveats.beside(write(draft, writer, cancel), draft), asked)
    else:
        yield from caveats.beside(write(draft, writer, cancel), draft)


def _approved(question: Question, audience: Audience, parts: Answering, brief: Brief) -> Answer | None:
    """An approved answer comes first, unless the person wants another one, or asks about what lies on the table."""
    if parts.approved is None or brief.replaces or brief.context or brief.style.length != "normal":
        return None
    return parts.approved.find(question, audience, brief.sources)


def _asked(
    draft: Draft,
    audience: Audience,
    brief: Brief,
    options: AnswerOptions,
    parts: Answering,
    disagreement: Disagreement | None,
) -> Asked | None:
    """What an earlier answer must agree with; None where none may be given, and this one is not to be kept."""
    # The vector of a question with a conversation leans on that: asked alone, the question has another one.
    if parts.earlier is None or brief.replaces or brief.context or is_personal(draft.question.text):
        return None
    vector = draft.vector
    if draft.question.history:
        vector = _vector_of(draft.question.text, parts.library.embedder)
    same = Same(
        audience=audience,
        sources=brief.sources,
        language=brief.style.language or detect_language(draft.question.text),
        length=brief.style.length,
        options=options,
        version=parts.generator.version,
        embedder=parts.library.embedder.name,
    )
    passages = tuple(passage for passage in draft.passages if passage.source != EARLIER)
    documents = [item for item in draft.evidence if draft.read[item.passage].source != EARLIER]
    chosen = [item.text for item in documents[: options.evidence_sentences]]
    against = [one.evidence.text for one in disagreement.others] if disagreement is not None else []
    return Asked(
        question=draft.question,
        same=same,
        vector=vector,
        passages=passages,
        evidence=tuple(map(digest, [*(chosen or [passage.text for passage in passages]), *against])),
        against=frozenset(map(digest, against)),
        said_earlier=_said_earlier(draft, options),
    )


def _said_earlier(draft: Draft, options: AnswerOptions) -> tuple[str, ...]:
    """What the model would read of earlier conversations."""
    if not options.evidence_sentences:
        return tuple(passage.text for passage in draft.passages if passage.source == EARLIER)
    chosen = draft.evidence[: options.evidence_sentences]
    return tuple(item.text for item in chosen if draft.read[item.passage].source == EARLIER)


def _retrieve(
    question: Question, audience: Audience, parts: Answering, options: AnswerOptions, brief: Brief
) -> Retrieved:
    """Search with the question as asked and, where the operator wishes so, as the language model writes it out."""
    written = rewrite(question, parts.generator, options.rewrite_seconds)
    depth = 2 * options.passages if written else options.passages
    found = parts.library.retrieve(question, audience, depth, sources=brief.sources)
    if not written:
        return found
    as_written = parts.library.retrieve(Question(text=written), audience, depth, sources=brief.sources)
    return both(found, as_written, options.passages)


def _gather(
    question: Question, audience: Audience, parts: Answering, options: AnswerOptions, brief: Brief, started: float
) -> Draft:
    """Find passages and evidence: in the library, and in what lies on the table beside it."""
    library = parts.library
    retrieved = _retrieve(question, audience, parts, options, brief)
    # Whoever put it on the table: what not everybody who reads the answer may read stays out of it.
    beside = tuple(passage for passage in brief.context if audience.may_read(passage.audience))
    vector, passages = retrieved.query_vector, retrieved.passages
    if beside:
        vector = _question_vector(question, vector, library.embedder)
        passages = rank_together(question, passages, beside, vector, library.embedder, options.passages)
    if before := tuple(passage for passage in brief.earlier if audience.may_read(passage.audience)):
        vector = _question_vector(question, vector, library.embedder)
        passages = (*passages, *rank_together(question, (), before, vector, library.embedder, len(before)))
    read = as_read(passages)
    evidence = weigh_origins(rank_evidence(question, read, vector, library.embedder), read)
    return Draft(
        question=question,
        passages=passages,
        read=read,
        evidence=evidence,
        vector=vector,
        support=estimate_support(support_features(question, passages, evidence)),
        started=started,
        retrieve_seconds=time.perf_counter() - started,
        understood=_understood(question, beside),
    )


def _choices(draft: Draft, brief: Brief, threshold: float) -> tuple[str, ...]:
    """What may have been meant, where we are not sure and the request says too little.

    Whoever wants another answer was understood, and who put something on the table asks about that. An operator whose
    threshold is 0 wants an answer to everything.
    """
    if not threshold or draft.support >= threshold + UNSURE_ABOVE or brief.replaces or brief.context or brief.chosen:
        return ()
    return clarifying_options(draft.question, draft.read, draft.evidence)


def _question_vector(question: Question, vector: Vectors, embedder: Embedder) -> Vectors:
    """The retrieval's vector; where there was nothing to search in, it made none."""
    return vector if np.any(vector) else _vector_of(question.text, embedder)


def _vector_of(text: str, embedder: Embedder) -> Vectors:
    return np.asarray(embedder.embed([text], role="question")[0], np.float32)


def _understood(question: Question, beside: tuple[Passage, ...]) -> str:
    """The question with what was taken into account besides its words; empty where that is nothing."""
    earlier = next((turn.text for turn in reversed(question.history) if turn.role == "user"), "")
    titles = list(dict.fromkeys(passage.title for passage in beside))
    after = f"after “{' '.join(earlier.split())}”" if earlier else ""
    together = f"together with {', '.join(f'“{title}”' for title in titles)}" if titles else ""
    notes = "; ".join(filter(None, (after, together)))
    return f"{question.text} ({notes})" if notes else ""


def manner_of(asked: str, evidence: Sequence[Evidence], style: Style, options: AnswerOptions, *, tuned: bool) -> Manner:
    """How the answer to a question is wanted from this evidence."""
    wanted, held = _languages(asked, evidence, style)
    # A model answers in the language of what it reads: it is told only where that may not be the one that is wanted.
    named = wanted != _ENGLISH or held not in ("", _ENGLISH)
    return Manner(
        tuned=tuned or bool(options.examples),
        examples=options.examples,
        length=style.length,
        language=NAMES.get(wanted, "") if named else "",
        house_rules=options.house_rules,
    )


def _writer(draft: Draft, parts: Answering, options: AnswerOptions, style: Style) -> Writer:
    wanted, held = _languages(draft.question.text, draft.evidence, style)
    if parts.generator.tuned:
        # It repeats its sources word for word, where the same word may come twice; and it does not loop.
        options = replace(options, generation=replace(options.generation, repeat_penalty=1.0))
    return Writer(
        generator=parts.generator,
        embedder=parts.library.embedder,
        options=options,
        manner=manner_of(draft.question.text, draft.evidence, style, options, tuned=parts.generator.tuned),
        crosses_languages=bool(wanted and held and wanted != held),
    )


def _languages(asked: str, evidence: Sequence[Evidence], style: Style) -> tuple[str, str]:
    """The language that is wanted, the one that is set or else the question's; and the evidence's. Empty: unknown."""
    wanted = style.language or detect_language(asked)
    return wanted, detect_language(" ".join(item.text for item in evidence[:_LANGUAGE_SENTENCES]))


def _write_differently(
    draft: Draft, writer: Writer, before: str, cancel: threading.Event | None
) -> Iterator[AnswerEvent]:
    """Write until it differs from what stood there; where it honestly cannot, say so.

    Nothing of it is shown before it is known to differ.
    """
    made: Answer | None = None
    for number in range(_TRIES):
        warm = replace(writer.options.generation, temperature=_WARMTH, seed=secrets.randbelow(2**31))
        attempt = replace(draft, evidence=_other_evidence(draft.evidence, before) if number else draft.evidence)
        attempt.written, attempt.raw = [], []
        again = replace(
            writer, options=replace(writer.options, generation=warm), stands=not before.startswith(NOT_FOUND)
        )
        made = _finished(write(attempt, again, cancel))
        if made.stopped or made.abstained or not _says_the_same(made.text, before):
            yield Delta(text=made.text)
            yield Done(answer=made)
            return
    assert made is not None
    text = f"{NOTHING_ELSE} {made.text}"
    yield Delta(text=text)
    yield Done(answer=replace(made, text=text))


def _finished(events: Iterator[AnswerEvent]) -> Answer:
    return next(event.answer for event in events if isinstance(event, Done))


def _other_evidence(evidence: tuple[Evidence, ...], before: str) -> tuple[Evidence, ...]:
    """Put what was not said before first, as far as it speaks to the question well enough."""
    said = set(words(without_markers(before)))
    good = [item for item in evidence if item.score >= _GOOD_ENOUGH * evidence[0].score]
    new = [item for item in good if not set(words(item.text)) <= said]
    return (*new, *(item for item in evidence if item not in new))


def _says_the_same(text: str, before: str) -> bool:
    earlier = without_markers(before).removeprefix(NOTHING_ELSE)
    return words(without_markers(text)) == words(earlier)


def without_abstentions(question: Question) -> Question:
    """The question without our own "not found" among what was said before: it would only pull the search."""
    kept = tuple(turn for turn in question.history if not turn.text.startswith(NOT_FOUND))
    return replace(question, history=kept)


def _check(question: Question, options: AnswerOptions) -> None:
    if not question.text.strip():
        raise QuestionError(NO_QUESTION)
    if len(question.text) > options.max_question_characters:
        raise QuestionError(question_too_long(len(question.text), options.max_question_characters))


def _chat(talk: SmallTalk, version: str, started: float) -> Answer:
    seconds = time.perf_counter() - started
    return Answer(
        text=SMALL_TALK[talk],
        citations=(),
        abstained=False,
        version=version,
        seconds=AnswerSeconds(retrieve=0.0, first_token=seconds, total=seconds),
        tokens=AnswerTokens(prompt=0, completion=0),
    )
