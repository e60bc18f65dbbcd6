"""From evidence to text: the model writes, and each sentence is checked against the sources before it is passed on.

Knows passages and a generator; not how the passages were found, nor for whom.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_

from bot.answer_options import AnswerOptions
from bot.cite import Citer, SentenceStream, Support, citation_of, says_not_answered, without_markers
from bot.clarify import clarification
from bot.evidence import Evidence, in_reading_order
from bot.prompt import Budget, Manner, Prompt, numbers_of, prompt_from_passages, prompt_from_sentences
from bot.quote import quote_grammar
from bot.sentences import asks_at_length, asks_for_number, is_negated, names_number
from bot.turn import Answer, AnswerEvent, AnswerSeconds, AnswerTokens, Citation, Delta, Done
from bot.words import ANSWER_STOPPED, NOT_FOUND, QUOTING, QUOTING_MORE, WITH_QUOTE
from knowledge.document import Grounds, Passage, Question
from knowledge.embed import Embedder, Vectors
from models.errors import GenerationStopped
from models.generator import GenerationOptions, Generator

logger = logging.getLogger(__name__)

_MOST_QUOTED = 500
_NEARLY_AS_GOOD = 0.85
# An answer to what asks for more than a few words is filled up to so many sentences: one that was written as sentences,
# and one of a few words with the sentence that they stand in. Each fits so nearly as well as the best one.
_COMPLETE, _COMPLETE_FEW = 3, 2
_LEAST_FITTING = 0.6
# Texts have brackets of their own, such as "[sic]".
_MARK = re.compile(r" \[\d+\]")
_SHOWN_QUOTE = WITH_QUOTE.format(answer="", quote="").rstrip("”")
_NEAREST = 3
_SIGNS_OF_CODE = "={}[]<>|\\"
# A small model says "the text does not say" of texts that do: it is believed only where retrieval has doubts, too.
_SURE_SUPPORT = 0.7
# A tuned one learned to say so, above all of texts that explain at length. Where it is asked at all, two of three such
# texts do answer (tests/benchmarks/README.md, "When is a tuned model's own doubt believed?"): they are quoted.
# A sentence with less of itself in any sentence of the sources is the model's own idea: measured in
# tests/benchmarks/README.md, "Grounding".
LEAST_SHARE = 0.6
_LEAST_RELEVANCE = 0.7
# Up to here an answer is a name, a number or a phrase, which nobody can judge without the sentence that it stands in.
_MOST_FRAGMENT_WORDS = 8


@dataclass(frozen=True, kw_only=True)
class Writer:
    """What an answer is written with."""

    generator: Generator
    embedder: Embedder
    options: AnswerOptions
    manner: Manner
    stands: bool = False
    """An answer stood here already: a model that now says the text does not answer is not believed."""
    crosses_languages: bool = False
    """The answer is wanted in another language than the sources': words cannot be compared then, meanings can."""


@dataclass(kw_only=True)
class Draft:
    """An answer while it is being written; used by one thread."""

    question: Question
    passages: tuple[Passage, ...]
    """What was found."""
    read: tuple[Passage, ...]
    """That, and what stands beside it; the evidence counts its passages here."""
    evidence: tuple[Evidence, ...]
    vector: Vectors
    """The question's, as it was searched for."""
    support: float
    started: float
    retrieve_seconds: float
    understood: str = ""
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
            text=self.text() or ANSWER_STOPPED,
            citations=citations,
            abstained=False,
            passages=self.passages_with(citations),
            support=self.support,
            version=version,
            seconds=self._seconds(),
            tokens=tokens,
            stopped=stopped,
            understood=self.understood,
            beneath=self._beneath(),
        )

    def abstention(self, version: str, tokens: AnswerTokens | None = None) -> Answer:
        """The honest other answer: not found, and what came nearest."""
        return Answer(
            text=NOT_FOUND,
            citations=(),
            abstained=True,
            nearest=_nearest(self.read, self.evidence),
            passages=self.passages,
            support=self.support,
            version=version,
            seconds=self._seconds(),
            tokens=tokens or AnswerTokens(prompt=0, completion=0),
            understood=self.understood,
            beneath=self._beneath(),
        )

    def passages_with(self, citations: tuple[Citation, ...]) -> tuple[Passage, ...]:
        """What was found, and what is cited from beside it."""
        cited = {citation.chunk_id for citation in citations} - {passage.id for passage in self.passages}
        return (*self.passages, *(passage for passage in self.read if passage.id in cited))

    def timed(self, answer: Answer) -> Answer:
        """An answer that stood ready, as one to this question."""
        return replace(answer, seconds=self._seconds(), support=self.support, understood=self.understood)

    def asking_back(self, version: str, options: Sequence[str]) -> Answer:
        """The question back: which of these was meant?"""
        return replace(self.abstention(version), text=clarification(options), nearest=(), asks_back=True)

    def _beneath(self) -> Grounds:
        """What the answers stand on that were said before in this conversation."""
        return reduce(or_, (turn.grounds for turn in self.question.history), Grounds())

    def _seconds(self) -> AnswerSeconds:
        total = time.perf_counter() - self.started
        return AnswerSeconds(retrieve=self.retrieve_seconds, first_token=self.first_token_seconds or total, total=total)


def write(draft: Draft, writer: Writer, cancel: threading.Event | None) -> Iterator[AnswerEvent]:
    """Write the answer, sentence by sentence, and end with Done."""
    options, generator = writer.options, writer.generator
    prompt = _prompt(draft, writer)
    citer = Citer(draft.read, draft.evidence, draft.question.text)
    stopped = False
    try:
        for sentence in _sentences(draft, prompt, writer, cancel):
            if says_not_answered(sentence) and not draft.written:
                sure = writer.stands or generator.tuned or draft.support >= _SURE_SUPPORT
                if sure and options.unsupported == "drop":
                    break
                yield Done(answer=draft.abstention(generator.version, _tokens(draft, prompt, generator)))
                return
            if (text := _checked(sentence, draft, citer, writer)) is not None:
                draft.written.append(text)
                yield Delta(text=text)
            if options.most_sentences and len(draft.written) >= options.most_sentences:
                break
    except GenerationStopped:
        stopped = True
    if not draft.written and not stopped:
        # Nothing that the model wrote stands in the sources: let the sources speak themselves.
        yield _append(draft, _quote(draft, citer))
    if not stopped and (more := _quote_more(draft, citer, writer)):
        yield _append(draft, more)
    tokens = _tokens(draft, prompt, generator)
    yield Done(answer=draft.finished(generator.version, citer.citations, tokens, stopped=stopped))


def _append(draft: Draft, text: str) -> Delta:
    draft.written.append(text)
    return Delta(text=text)


def _sentences(draft: Draft, prompt: Prompt, writer: Writer, cancel: threading.Event | None) -> Iterator[str]:
    stream = SentenceStream()
    for piece in writer.generator.stream(prompt.messages, _generation(draft, writer), cancel):
        draft.first_token_seconds = draft.first_token_seconds or time.perf_counter() - draft.started
        draft.raw.append(piece)
        yield from stream.add(piece)
    if rest := stream.rest():
        yield rest


def _checked(sentence: str, draft: Draft, citer: Citer, writer: Writer) -> str | None:
    """The sentence with its citation, or None where it may not be said.

    That is: a repetition, a question back, what no passage holds, what holds but speaks of something else.
    """
    drops = writer.options.unsupported == "drop"
    clean = without_markers(sentence)
    if not clean.strip():
        return clean if draft.written else None
    if clean.rstrip().endswith("?") or any(clean.strip() in earlier for earlier in draft.said_before()):
        return None
    support = _support(clean, citer, writer)
    if support is None:
        return None if drops else clean
    source = support.evidence
    fragment = writer.generator.tuned and _is_fragment(clean, source)
    if drops and (
        _beside_the_point(source, draft)
        or (not fragment and _turned_round(clean, source.text, writer))
        or _is_code(clean, source.text)
    ):
        return None
    if fragment and writer.manner.length != "short":
        clean = WITH_QUOTE.format(answer=clean.rstrip(" ."), quote=source.text)
    return f"{clean.rstrip()} [{citer.cite(source)}]"


def _support(sentence: str, citer: Citer, writer: Writer) -> Support | None:
    support = citer.support(sentence)
    if support is not None and support.share >= LEAST_SHARE:
        return support
    logger.debug("a sentence stands on no passage (share %.2f)", support.share if support else 0.0)
    return citer.support_across(sentence, writer.embedder) if writer.crosses_languages else None


def _is_fragment(sentence: str, source: Evidence) -> bool:
    """A tuned model answers with the words that are asked for; the sentence around them shows that they are right."""
    said = len(sentence.split())
    return said <= _MOST_FRAGMENT_WORDS and 2 * said <= len(source.text.split()) and len(source.text) <= _MOST_QUOTED


def _is_code(sentence: str, source: str) -> bool:
    """A small model that is to be brief sometimes writes code instead, which shares a word with the source."""
    return any(sign in sentence and sign not in source for sign in _SIGNS_OF_CODE)


def _turned_round(sentence: str, source: str, writer: Writer) -> bool:
    """A small model likes to add a "not", or to lose one: nearly all words agree then, and the meaning is gone."""
    return not writer.crosses_languages and is_negated(sentence) != is_negated(source)


def _beside_the_point(evidence: Evidence, draft: Draft) -> bool:
    """A small model likes to copy a true sentence that answers nothing; the sources' best one is better then."""
    best = max(draft.evidence, key=lambda item: item.score)
    if asks_for_number(draft.question.text) and names_number(best.text) and not names_number(evidence.text):
        return True
    return evidence.score < _LEAST_RELEVANCE * best.score


def _quote(draft: Draft, citer: Citer) -> str:
    """The best sentence, and the next best where it is nearly as good and both are short."""
    best, *others = draft.evidence
    quoted = [best]
    others = [item for item in others if item.text not in best.text and best.text not in item.text]
    if others and others[0].score >= _NEARLY_AS_GOOD * best.score:
        quoted += others[:1] if len(best.text) + len(others[0].text) <= _MOST_QUOTED else []
    return QUOTING + _in_quotes(quoted, citer)


def _quote_more(draft: Draft, citer: Citer, writer: Writer) -> str:
    """What the sources say besides, where more is wanted than was said."""
    options = writer.options
    if options.quotes_beside:
        return _quote_beside(draft, citer, options.quotes_beside)
    # A tuned model says what stands there, and one sentence of it as a rule; another one has said what it had to say.
    if not (options.completes and writer.generator.tuned and asks_at_length(draft.question.text)):
        return ""
    said, best = draft.text(), draft.evidence[0]
    # Who was told a few words with their sentence knows what was asked for: little is missing then.
    most = _COMPLETE_FEW if _SHOWN_QUOTE in said.removeprefix(QUOTING) else _COMPLETE
    room = most - len(_MARK.findall(said))
    fresh: list[Evidence] = []
    for item in draft.evidence:
        # From the passages that the answer stands on already: what another one says may be about something else.
        fits = item.passage in citer.cited_passages and item.score >= _LEAST_FITTING * best.score
        if len(fresh) < room and fits and not citer.is_said(item, said):
            fresh.append(item)
            said = f"{said} {item.text}"
    return f" {QUOTING_MORE}{_in_quotes(fresh, citer)}" if fresh else ""


def _quote_beside(draft: Draft, citer: Citer, most: int) -> str:
    """What the sources say besides: what speaks to the question nearly as well, then what stands next to the best."""
    said = draft.text()
    best = draft.evidence[0]
    fitting = [item for item in draft.evidence if item.score >= _LEAST_RELEVANCE * best.score]
    near = [item for item in in_reading_order(draft.evidence) if item.passage == best.passage and item not in fitting]
    near = [item for item in near if abs(item.position - best.position) <= most]
    fresh: list[Evidence] = []
    for item in (*fitting, *near):
        if len(fresh) < most and not citer.is_said(item, said) and not any(item.text in one.text for one in fresh):
            fresh.append(item)
    return f" {QUOTING_MORE}{_in_quotes(fresh, citer)}" if fresh else ""


def _in_quotes(quoted: Sequence[Evidence], citer: Citer) -> str:
    return " ".join(f"“{item.text}” [{citer.cite(item)}]" for item in in_reading_order(quoted))


def prompt_in_service(
    question: Question,
    passages: Sequence[Passage],
    evidence: Sequence[Evidence],
    options: AnswerOptions,
    manner: Manner,
    budget: Budget,
) -> Prompt:
    """Build what the model reads for a question: the best sentences, or the whole passages where that is set."""
    if options.evidence_sentences == 0:
        return prompt_from_passages(question, passages, manner, budget)
    return prompt_from_sentences(question, evidence[: options.evidence_sentences], manner, budget)


def _prompt(draft: Draft, writer: Writer) -> Prompt:
    options, generator = writer.options, writer.generator
    budget = Budget(
        context_size=generator.context_size,
        answer_tokens=options.generation.max_tokens,
        count_tokens=generator.count_tokens,
    )
    return prompt_in_service(draft.question, draft.passages, draft.evidence, options, writer.manner, budget)


def _generation(draft: Draft, writer: Writer) -> GenerationOptions:
    """How the text is generated: where only quotes are wanted, held to the sentences in the prompt."""
    options = writer.options
    if options.wording == "own" or options.evidence_sentences == 0:
        return options.generation
    chosen = draft.evidence[: options.evidence_sentences]
    return replace(options.generation, repeat_penalty=1.0, grammar=quote_grammar(chosen, numbers_of(chosen)))


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
