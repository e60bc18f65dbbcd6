"""Why did this answer fail? The stored question is searched for again in the library of now, and compared with what the
answer stood on then and with what people said about it.

Each thing that is found speaks for some causes and against others, in log-odds that add up; the shares that come out
say how sure it is. What stays below LEAST_SURE is said to be unknown. Figures: tests/benchmarks/README.md, "Advice".
Knows a library and rows of it; nothing of Slack.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, get_args

import sqlalchemy as sa

from bot.answer import Searcher
from bot.clarify import clarifying_options, says_too_little
from bot.evidence import Evidence, as_read, rank_evidence, weigh_origins
from bot.learn.failures import Failure
from bot.sentences import asks_for_number, content_words, names_number, words
from bot.support import estimate_support, support_features
from knowledge import tables as knowledge_tables
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Passage, Question

Cause = Literal["missing", "overlooked", "misread", "outdated", "unclear"]
"""No document says it; one does, and the search did not bring it; it was found, and ignored or misread; what was found
was old; the question said too little."""
CAUSES: tuple[Cause, ...] = get_args(Cause)
LEAST_SURE = 0.45
# A source that was not read for so long may well be behind.
STALE = timedelta(days=7)
# How common each is before anything is known: most answers that fail lack a document or were misread.
_PRIOR: Mapping[Cause, float] = {"missing": 0.0, "misread": 0.0, "overlooked": -1.5, "outdated": -1.5, "unclear": -1.0}
# So much of a correction's own words must stand in one passage for the passage to say it.
_SAYS_IT = 0.75
_ABOUT_IT = 0.5
_DEEPER = 10
_SURELY = 3.0
_LIKELY = 1.5
_HINT = 0.7


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One thing that was found, and what it says about the cause."""

    says: str
    points: Mapping[Cause, float]


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """The likeliest cause of one failure."""

    failure: Failure = field(repr=False)
    shares: Mapping[Cause, float]
    """How likely each cause is; together 1."""
    reasons: tuple[str, ...]
    """What speaks for the cause, the strongest first."""

    @property
    def cause(self) -> Cause | None:
        """The likeliest; None where none is likely enough."""
        best = max(CAUSES, key=lambda cause: self.shares[cause])
        return best if self.shares[best] >= LEAST_SURE else None

    @property
    def confidence(self) -> float:
        """How likely the likeliest cause is."""
        return max(self.shares.values())


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What a search finds now for a question that failed."""

    passages: tuple[Passage, ...]
    read: tuple[Passage, ...]
    evidence: tuple[Evidence, ...]
    support: float


def look_again(
    library: Searcher, question: Question, audience: Audience, passages: int, sources: frozenset[str] | None
) -> Looked:
    """Search for a question as ANSWER would now, for these readers."""
    found = library.retrieve(question, audience, passages, sources=sources)
    read = as_read(found.passages)
    evidence = weigh_origins(rank_evidence(question, read, found.query_vector, library.embedder), read)
    support = estimate_support(support_features(question, found.passages, evidence))
    return Looked(passages=found.passages, read=read, evidence=evidence, support=support)


@dataclass(frozen=True, kw_only=True)
class Attributor:
    """Attributes failures with one library."""

    engine: sa.Engine
    library: Searcher
    passages: int
    """How many an answer may stand on."""
    minimum_support: float

    def attribute(self, failure: Failure, *, sources: frozenset[str] | None = None) -> Attribution:
        """Say why one answer failed."""
        looked = self._look(failure.question, failure, sources)
        return weigh(failure, list(self._reasons(failure, looked, sources)))

    def _look(self, question: Question, failure: Failure, sources: frozenset[str] | None) -> Looked:
        return look_again(self.library, question, failure.audience, self.passages, sources)

    def _reasons(self, failure: Failure, looked: Looked, sources: frozenset[str] | None) -> Iterator[Reason]:
        yield from _of_question(failure, looked)
        # That little is found for "How do I get it?" says nothing of the documents.
        if not _is_vague(failure.question):
            yield from _of_search(failure, looked, self.minimum_support)
        yield from self._of_correction(failure, looked, sources)
        yield from _of_people(failure)
        if failure.outcome == "answered":
            yield from _of_answer(failure, looked)
        yield from self._of_age(failure, looked)

    def _of_correction(self, failure: Failure, looked: Looked, sources: frozenset[str] | None) -> Iterator[Reason]:
        """Does what people say would be right stand in what was found, or anywhere?"""
        for correction in failure.corrections:
            own = _own_words(correction, failure.question.text)
            if not own:
                continue
            found = _held(own, [one.text for one in looked.read])
            if found >= _SAYS_IT:
                yield _reason(
                    "the better answer stands in the passages that are found", misread=_SURELY, missing=-_LIKELY
                )
                continue
            if _says_otherwise(correction, failure.question.text, looked):
                yield _reason(
                    "a passage says nearly what the better answer says, with another number or name",
                    outdated=_SURELY,
                    misread=-_HINT,
                )
                continue
            deeper = self.library.retrieve(
                Question(text=f"{failure.question.text} {correction}"), failure.audience, _DEEPER, sources=sources
            )
            if _held(own, [one.text for one in as_read(deeper.passages)]) >= _SAYS_IT:
                yield _reason(
                    "the better answer stands in a document that the question does not find",
                    overlooked=_SURELY + _HINT,
                    missing=-_LIKELY,
                )
            else:
                yield _reason(
                    "the better answer stands in no document that is known here",
                    missing=_SURELY,
                    misread=-_LIKELY,
                    overlooked=-_LIKELY,
                )

    def _of_age(self, failure: Failure, looked: Looked) -> Iterator[Reason]:
        """Did the knowledge change since, or is it behind?"""
        with reading(self.engine) as connection:
            state = _state_of(connection, failure)
            read_at = _last_read(connection, [one.uri for one in failure.cited or failure.found])
        cited = {(one.uri, one.text_hash) for one in failure.cited}
        newer = [one for one in looked.read if one.newer_version is not None and (one.uri, one.text_hash) in cited]
        if newer:
            yield _reason("it cites a page of which there is a newer version", outdated=_SURELY)
        if state.changed:
            yield _reason("a document that it cites says something else by now", outdated=_SURELY)
        elif state.gone:
            yield _reason("a document that it cites is gone by now", outdated=_LIKELY)
        best = looked.passages[0] if looked.passages else None
        if (
            failure.outcome != "answered"
            and best is not None
            and looked.support >= self.minimum_support > failure.support
            and best.synced_at is not None
            and best.synced_at > failure.at
        ):
            yield _reason("what answers it was read after the question was asked", outdated=_SURELY, missing=-_LIKELY)
        if failure.outcome == "answered" and read_at is not None and failure.at - read_at > STALE:
            yield _reason("its source had not been read for more than a week", outdated=_LIKELY)


def weigh(failure: Failure, reasons: Sequence[Reason]) -> Attribution:
    """Add up what was found."""
    points = {cause: _PRIOR[cause] + sum(reason.points.get(cause, 0.0) for reason in reasons) for cause in CAUSES}
    most = max(points.values())
    weights = {cause: math.exp(value - most) for cause, value in points.items()}
    total = sum(weights.values())
    shares = {cause: weight / total for cause, weight in weights.items()}
    best = max(CAUSES, key=lambda cause: shares[cause])
    speaking = sorted(reasons, key=lambda reason: -reason.points.get(best, 0.0))
    said = [reason.says for reason in speaking if reason.points.get(best, 0.0) > 0]
    return Attribution(failure=failure, shares=shares, reasons=tuple(dict.fromkeys(said)))


def _of_question(failure: Failure, looked: Looked) -> Iterator[Reason]:
    """Did it say enough?"""
    if failure.outcome == "asked_back":
        yield _reason("it was asked back what was meant, and nobody said", unclear=_SURELY + _LIKELY)
    if _is_vague(failure.question):
        yield _reason("the question has hardly a telling word", unclear=_SURELY)
        if clarifying_options(failure.question, looked.read, looked.evidence):
            yield _reason("several things that are known fit it about equally well", unclear=_HINT)
    if "reworded" in failure.signs:
        yield _reason("its asker put the question in other words afterwards", unclear=_LIKELY)


def _is_vague(question: Question) -> bool:
    says_nothing = not question.history and not content_words(question.text)
    return says_nothing or says_too_little(question)


def _of_search(failure: Failure, looked: Looked, minimum: float) -> Iterator[Reason]:
    """How well does what is found fit the question? The estimate is a probability: its odds count as they are."""
    support = min(0.95, max(0.05, looked.support))
    odds = math.log(support / (1 - support))
    if odds >= 0:
        says = f"what is found fits the question well ({looked.support:.0%})"
    else:
        says = f"nothing that is found fits the question well ({looked.support:.0%})"
    yield Reason(says=says, points={"misread": odds / 2, "missing": -odds / 2, "outdated": odds / 4})
    if failure.outcome == "abstained" and failure.support < minimum:
        # The model was not asked: what it cannot have misread, votes and the threshold may still have refused.
        yield _reason("too little was found to begin an answer", missing=_LIKELY, misread=-_HINT)
    if failure.outcome == "abstained" and failure.support >= minimum:
        yield _reason("the model said that the text does not answer, and the search found that it does", misread=_HINT)
    wants_number = asks_for_number(failure.question.text)
    if wants_number and looked.evidence and not any(names_number(one.text) for one in looked.evidence[:3]):
        yield _reason("it asks for a number, and what is found names none", missing=_LIKELY)


def _of_people(failure: Failure) -> Iterator[Reason]:
    """What did people say was wrong?"""
    for reason in failure.reasons:
        if reason == "unknown":
            yield _reason("people say that it should have said that it does not know", missing=_SURELY)
        elif reason == "outdated":
            yield _reason("people say that it is outdated", outdated=_SURELY + _HINT)
        elif reason in ("incomplete", "unclear"):
            yield _reason(f"people say that the answer is {reason}", misread=_HINT)
        elif reason == "source":
            yield _reason("people say that it stands on the wrong source", misread=_HINT, overlooked=_HINT)


def _of_answer(failure: Failure, looked: Looked) -> Iterator[Reason]:
    """Did it say what the sources say best?"""
    if not looked.evidence:
        return
    said = frozenset(content_words(failure.text))
    best = frozenset(content_words(looked.evidence[0].text))
    if best and len(best & said) >= _ABOUT_IT * len(best):
        yield _reason("the answer says what fits the question best, and that did not help", missing=_HINT)
    else:
        yield _reason("the answer does not say the sentence that fits the question best", misread=_HINT)


# What a correction says


def _own_words(correction: str, question: str) -> frozenset[str]:
    """The words of a correction that its question lacks; all of them where it has no others."""
    said = frozenset(content_words(correction))
    return said - frozenset(content_words(question)) or said


def _held(own: frozenset[str], texts: Sequence[str]) -> float:
    """The largest share of these words that one text holds; its numbers must be there, all of them."""
    numbers = {word for word in own if any(sign.isdigit() for sign in word)}
    held = [frozenset(content_words(text)) for text in texts]
    return max((len(own & some) / len(own) for some in held if numbers <= some), default=0.0)


def _says_otherwise(correction: str, question: str, looked: Looked) -> bool:
    """Whether a sentence says what the correction says but for its number, or its name."""
    said = frozenset(content_words(correction))
    # A bare "24" says nothing of what it is about.
    if len(said) < 4:
        return False
    telling = _telling(correction, question)
    for one in looked.evidence:
        held = frozenset(content_words(one.text))
        rest = said - telling
        if telling and not telling & held and rest and len(rest & held) >= _SAYS_IT * len(rest):
            return bool(_telling(one.text, f"{question} {correction}"))
    return False


def _telling(text: str, beside: str) -> frozenset[str]:
    """Its numbers and names, in small letters and by stem, that are not in the other text."""
    known = frozenset(content_words(beside))
    plain_words = text.split()
    names = [word for place, word in enumerate(plain_words) if place and word[:1].isupper()]
    numbers = [word for word in words(text) if any(sign.isdigit() for sign in word)]
    return frozenset(stem for word in (*names, *numbers) for stem in content_words(word)) - known


# How old the knowledge was


@dataclass(frozen=True, kw_only=True)
class _State:
    changed: bool
    gone: bool


def _state_of(connection: sa.Connection, failure: Failure) -> _State:
    """Whether what was cited still stands as it stood: the sentence, not only the piece that it was cut into."""
    document, chunk = knowledge_tables.document.c, knowledge_tables.chunk.c
    changed = gone = False
    for one in failure.cited:
        # What lay on the table beside the library has no document here.
        texts = connection.scalars(
            sa.select(chunk.text)
            .select_from(knowledge_tables.chunk.join(knowledge_tables.document, document.id == chunk.document_id))
            .where(document.uri == one.uri)
        ).all()
        if not texts:
            gone = gone or _was_known(connection, one.uri, failure.at)
        elif not _still_says(one.quote, texts):
            changed = True
    return _State(changed=changed, gone=gone)


def _was_known(connection: sa.Connection, uri: str, at: datetime) -> bool:
    """Whether this document came from a source that is read: something was deleted there since."""
    run = knowledge_tables.sync_run.c
    deleted = sa.select(run.id).where(run.finished_at > at, run.deleted > 0)
    return not uri.startswith("slack:") and connection.execute(deleted.limit(1)).first() is not None


def _still_says(quote: str, texts: Sequence[str]) -> bool:
    said = " ".join(words(quote.removesuffix("…")))
    return not said or any(said in " ".join(words(text)) for text in texts)


def _last_read(connection: sa.Connection, uris: Sequence[str]) -> datetime | None:
    """When the source that was read least lately was read whole for the last time."""
    document, run = knowledge_tables.document.c, knowledge_tables.sync_run.c
    of = sa.select(document.source_id).where(document.uri.in_(list(uris))).distinct()
    newest = (
        sa.select(sa.func.max(run.finished_at).label("at"))
        .where(run.source_id.in_(of), run.finished_at.is_not(None), run.error.is_(None))
        .group_by(run.source_id)
    )
    moments: list[datetime] = [row.at for row in connection.execute(newest) if row.at is not None]
    return min(moments) if moments else None


def _reason(says: str, **points: float) -> Reason:
    return Reason(says=says, points={cause: points[cause] for cause in CAUSES if cause in points})
