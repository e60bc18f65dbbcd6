"""ANSWER, the spine: a question and an audience in; statuses, text and the finished answer out.

question + conversation -> passages for this audience -> evidence -> enough to answer? -> prompt within the token budget
-> the model's text, sentence by sentence, each checked against the evidence -> answer with citations.
It knows neither Slack nor SQL: who asks saves what comes out.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from bot.cite import Citer, SentenceStream, citation_of, says_not_answered, without_markers
from bot.errors import QuestionError
from bot.evidence import Evidence, in_reading_order, rank_evidence
from bot.greeting import REPLIES, SmallTalk, small_talk
from bot.prompt import Budget, Prompt, prompt_from_passages, prompt_from_sentences
from bot.support import estimate_support, support_features
from bot.turn import Answer, AnswerEvent, AnswerSeconds, AnswerTokens, Brief, Citation, Delta, Done, Status
from knowledge.audience import Audience
from knowledge.document import Passage, Question
from knowledge.embed import Embedder
from knowledge.retrieve import Retrieved
from models.errors import GenerationStopped
from models.generator import GenerationOptions, Generator

logger = logging.getLogger(__name__)

NOT_FOUND = "I could not find an answer to that in my sources."
STOPPED = "Stopped."
SEARCHING = "Searching the team's knowledge…"
READING = "Reading {count} passages…"
_QUOTING = "The sources say: "
_MOST_QUOTED = 500
_NEARLY_AS_GOOD = 0.85
_NEAREST = 3
# A small model says "the text does not say" of texts that do: it is believed only where retrieval has doubts, too.
_SURE_SUPPORT = 0.7
# A sentence with less of itself in any sentence of the sources is the model's own idea: measured in
# tests/benchmarks/README.md, "Grounding".
_LEAST_SHARE = 0.6
_LEAST_RELEVANCE = 0.7


class Searcher(Protocol):
    """What ANSWER needs of the library."""

    @property
    def embedder(self) -> Embedder:
        """The embedder that the library searches with."""

    def retrieve(self, question: Question, audience: Audience, k: int) -> Retrieved:
        """Find up to `k` passages that this audience may read, the best first."""


@dataclass(frozen=True, kw_only=True)
class AnswerOptions:
    """How answers are made; `bot.settings.AnswerSettings` explains each."""

    passages: int = 4
    evidence_sentences: int = 3
    """0 hands whole passages to the model."""
    minimum_support: float = 0.4
    unsupported: Literal["drop", "keep"] = "drop"
    house_rules: str = ""
    max_question_characters: int = 8_000
    generation: GenerationOptions = field(default_factory=GenerationOptions)


@dataclass(frozen=True, kw_only=True)
class Answering:
    """ANSWER with everything it needs; safe to use from several threads."""

    library: Searcher
    generator: Generator
    options: AnswerOptions = AnswerOptions()

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
        return answer(question, audience, self.library, self.generator, self.options, brief or Brief(), cancel)


def answer(
    question: Question,
    audience: Audience,
    library: Searcher,
    generator: Generator,
    options: AnswerOptions,
    brief: Brief,
    cancel: threading.Event | None = None,
) -> Iterator[AnswerEvent]:
    """The spine; see `Answering.answer`."""
    started = time.perf_counter()
    _check(question, options)
    options = replace(options, house_rules="\n".join(filter(None, (options.house_rules, brief.style.instructions))))
    if talk := small_talk(question.text):
        yield Done(answer=_chat(talk, generator.version, started))
        return
    yield Status(text=SEARCHING)
    question = without_abstentions(question)
    retrieved = library.retrieve(question, audience, options.passages)
    evidence = rank_evidence(question, retrieved.passages, retrieved.query_vector, library.embedder)
    support = estimate_support(support_features(question, retrieved.passages, evidence))
    draft = Draft(
        question=question,
        passages=retrieved.passages,
        evidence=evidence,
        support=support,
        started=started,
        retrieve_seconds=time.perf_counter() - started,
    )
    if not evidence or support < options.minimum_support:
        yield Done(answer=draft.abstention(generator.version))
        return
    yield Status(text=READING.format(count=len(retrieved.passages)))
    prompt = _prompt(draft, generator, options)
    yield from _write(draft, prompt, generator, options, cancel)


@dataclass(kw_only=True)
class Draft:
    """An answer while it is being written; used by one thread."""

    question: Question
    passages: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]
    support: float
    started: float
    retrieve_seconds: float
    first_token_seconds: float = 0.0
    written: list[str] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    def said_before(self) -> list[str]:
        """What we said in this answer and in the last one: a small model likes to say it again."""
        answers = [turn.text for turn in self.question.history if turn.role == "assistant"]
        return [*self.written, *answers[-1:]]

    def text(self) -> str:
        """What was written so far."""
        return "".join(self.written).strip()

    def finished(
        self, version: str, citations: tuple[Citation, ...], tokens: AnswerTokens, *, stopped: bool = False
    ) -> Answer:
        """The answer as it stands."""
        return Answer(
            text=self.text() or STOPPED,
            citations=citations,
            abstained=False,
            passages=self.passages,
            support=self.support,
            version=version,
            seconds=self._seconds(),
            tokens=tokens,
            stopped=stopped,
        )

    def abstention(self, version: str, tokens: AnswerTokens | None = None) -> Answer:
        """The honest other answer: not found, and what came nearest."""
        return Answer(
            text=NOT_FOUND,
            citations=(),
            abstained=True,
            nearest=_nearest(self.passages, self.evidence),
            passages=self.passages,
            support=self.support,
            version=version,
            seconds=self._seconds(),
            tokens=tokens or AnswerTokens(prompt=0, completion=0),
        )

    def _seconds(self) -> AnswerSeconds:
        total = time.perf_counter() - self.started
        return AnswerSeconds(retrieve=self.retrieve_seconds, first_token=self.first_token_seconds or total, total=total)


def _write(
    draft: Draft, prompt: Prompt, generator: Generator, options: AnswerOptions, cancel: threading.Event | None
) -> Iterator[AnswerEvent]:
    citer = Citer(draft.passages, draft.evidence, draft.question.text)
    stopped = False
    try:
        for sentence in _sentences(draft, prompt, generator, options, cancel):
            if says_not_answered(sentence) and not draft.written:
                if draft.support >= _SURE_SUPPORT and options.unsupported == "drop":
                    break
                yield Done(answer=draft.abstention(generator.version, _tokens(draft, prompt, generator)))
                return
            if (text := _checked(sentence, draft, citer, options)) is not None:
                draft.written.append(text)
                yield Delta(text=text)
    except GenerationStopped:
        stopped = True
    if not draft.written and not stopped:
        # Nothing that the model wrote stands in the sources: let the sources speak themselves.
        text = _quote(draft, citer)
        draft.written.append(text)
        yield Delta(text=text)
    tokens = _tokens(draft, prompt, generator)
    yield Done(answer=draft.finished(generator.version, citer.citations, tokens, stopped=stopped))


def _sentences(
    draft: Draft, prompt: Prompt, generator: Generator, options: AnswerOptions, cancel: threading.Event | None
) -> Iterator[str]:
    stream = SentenceStream()
    for piece in generator.stream(prompt.messages, options.generation, cancel):
        draft.first_token_seconds = draft.first_token_seconds or time.perf_counter() - draft.started
        draft.raw.append(piece)
        yield from stream.add(piece)
    if rest := stream.rest():
        yield rest


def _checked(sentence: str, draft: Draft, citer: Citer, options: AnswerOptions) -> str | None:
    """The sentence with its citation, or None where it may not be said.

    That is: a repetition, a question back, what no passage holds, what holds but speaks of something else.
    """
    clean = without_markers(sentence)
    if not clean.strip():
        return clean if draft.written else None
    if clean.rstrip().endswith("?") or any(clean.strip() in earlier for earlier in draft.said_before()):
        return None
    support = citer.support(clean)
    if support is None or support.share < _LEAST_SHARE:
        logger.debug("a sentence stands on no passage (share %.2f)", support.share if support else 0.0)
        return None if options.unsupported == "drop" else clean
    if options.unsupported == "drop" and _beside_the_point(support.evidence, draft):
        return None
    return f"{clean.rstrip()} [{citer.cite(support.evidence)}]"


def _beside_the_point(evidence: Evidence, draft: Draft) -> bool:
    """A small model likes to copy a true sentence that answers nothing; the sources' best one is better then."""
    return evidence.score < _LEAST_RELEVANCE * draft.evidence[0].score


def _quote(draft: Draft, citer: Citer) -> str:
    """The best sentence, and the next best where it is nearly as good and both are short."""
    best, *others = draft.evidence
    quoted = [best]
    others = [item for item in others if item.text not in best.text and best.text not in item.text]
    if others and others[0].score >= _NEARLY_AS_GOOD * best.score:
        quoted += others[:1] if len(best.text) + len(others[0].text) <= _MOST_QUOTED else []
    return _QUOTING + " ".join(f"“{item.text}” [{citer.cite(item)}]" for item in in_reading_order(quoted))


def _prompt(draft: Draft, generator: Generator, options: AnswerOptions) -> Prompt:
    budget = Budget(
        context_size=generator.context_size,
        answer_tokens=options.generation.max_tokens,
        count_tokens=generator.count_tokens,
    )
    if options.evidence_sentences == 0:
        return prompt_from_passages(draft.question, draft.passages, options.house_rules, budget)
    chosen = draft.evidence[: options.evidence_sentences]
    return prompt_from_sentences(draft.question, chosen, options.house_rules, budget)


def _tokens(draft: Draft, prompt: Prompt, generator: Generator) -> AnswerTokens:
    return AnswerTokens(prompt=prompt.tokens, completion=generator.count_tokens("".join(draft.raw)))


def _nearest(passages: Sequence[Passage], evidence: Sequence[Evidence]) -> tuple[Citation, ...]:
    """The documents that came nearest, one citation each."""
    found: dict[str, Citation] = {}
    for item in evidence:
        passage = passages[item.passage]
        if passage.uri not in found and len(found) < _NEAREST:
            found[passage.uri] = citation_of(passage, len(found) + 1, item.text)
    return tuple(found.values())


def without_abstentions(question: Question) -> Question:
    """The question without our own "not found" among what was said before: it would only pull the search."""
    kept = tuple(turn for turn in question.history if not turn.text.startswith(NOT_FOUND))
    return replace(question, history=kept)


def _check(question: Question, options: AnswerOptions) -> None:
    if not question.text.strip():
        raise QuestionError("The question is empty. Write what you would like to know.")
    if len(question.text) > options.max_question_characters:
        raise QuestionError(
            f"The question has {len(question.text):,} characters; I read up to {options.max_question_characters:,}. "
            "Shorten it, or put the text into a document and ask about that."
        )


def _chat(talk: SmallTalk, version: str, started: float) -> Answer:
    seconds = time.perf_counter() - started
    return Answer(
        text=REPLIES[talk],
        citations=(),
        abstained=False,
        version=version,
        seconds=AnswerSeconds(retrieve=0.0, first_token=seconds, total=seconds),
        tokens=AnswerTokens(prompt=0, completion=0),
    )
