"""From passages to the few sentences that speak to the question.

A small model answers far better from three right sentences than from four whole passages, and reads them sooner.
Sentences are scored by their vector and by the question's words, each word weighed by how rare it is among them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from bot.sentences import STOP_WORDS, content_words, plain, split_sentences, words
from knowledge.document import Passage, Question
from knowledge.embed import Embedder, Vectors
from knowledge.versions import LEAST_SHARED, shared

# Share of the words in a sentence's score; the rest is the vectors'. Flat between .3 and .5 on XQuAD's sentences.
WORD_SHARE = 0.4
# What a document says is known; what was answered earlier is second hand. So much less it counts, sentence by sentence:
# of the same sentence a document's always comes first, and what only was said earlier is still found.
SECOND_HAND = 0.85
EARLIER = "earlier"
"""In the place of a source's id, for what was said before."""
# A table of a thousand rows must not be embedded for one question.
_MOST_SENTENCES = 96
_SHORTEST_WORDS = 2
_LONGEST_CHARACTERS = 600
# So many sentences below a heading are read together with it.
_UNDER_HEADING = 2
_HEADING_LINE = re.compile(r"^ {0,3}#{1,6} +(.+?) *#* *$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One sentence of a passage, with how well it speaks to the question."""

    text: str = field(repr=False)
    passage: int
    """Index of its passage among those it was chosen from."""
    position: int
    """Its place in the passage, from 0."""
    score: float
    cosine: float
    word_share: float
    """Share of the question's content words that the sentence and its header hold, weighed by rarity, 0 to 1."""


def rank_evidence(
    question: Question, passages: Sequence[Passage], query_vector: Vectors, embedder: Embedder
) -> tuple[Evidence, ...]:
    """Score every sentence of the passages, the best first; empty where the passages hold no sentence."""
    asked = set(words(question.text))
    places = [place for place in _sentences(passages) if not _only_names(place.text, asked)]
    if not places:
        return ()
    cosines = _cosines(places, query_vector, embedder)
    headers = [f"{passages[place.passage].header} {place.heading}" for place in places]
    held = [f"{header} {place.text}" for header, place in zip(headers, places, strict=True)]
    shares = _word_shares(question.text, held)
    ranked = (
        Evidence(
            text=place.text,
            passage=place.passage,
            position=place.position,
            score=_mixed(cosine, share),
            cosine=cosine,
            word_share=share,
        )
        for place, cosine, share in zip(places, cosines, shares, strict=True)
    )
    return tuple(sorted(ranked, key=lambda evidence: -evidence.score))


def as_read(passages: Sequence[Passage]) -> tuple[Passage, ...]:
    """The passages with what stands beside them, each text once, in reading order within a section."""
    return tuple(part for passage in passages for part in passage.section)


def rank_together(
    question: Question,
    passages: Sequence[Passage],
    beside: Sequence[Passage],
    query_vector: Vectors,
    embedder: Embedder,
    most: int,
) -> tuple[Passage, ...]:
    """Put passages that nobody searched for among those that were found, best first.

    They come on top: what was found keeps up to `most` places, what lay beside it gets as many.
    """
    cosines = embedder.embed([f"{item.header}\n{item.text}" for item in beside]) @ query_vector
    shares = _word_shares(question.text, [f"{item.header} {item.text}" for item in (*passages, *beside)])
    scored = [
        replace(item, cosine=float(cosine), word_score=share, score=_mixed(float(cosine), share))
        for item, cosine, share in zip(beside, cosines, shares[len(passages) :], strict=True)
    ]
    chosen = [*passages[:most], *sorted(scored, key=lambda item: -item.score)[:most]]
    share_of = {id(item): share for item, share in zip(passages, shares, strict=False)}
    # The fused score of a retrieval is comparable within it only: here both are measured alike.
    return tuple(sorted(chosen, key=lambda item: -_mixed(item.cosine, share_of.get(id(item), item.word_score))))


def weigh_origins(evidence: Sequence[Evidence], passages: Sequence[Passage]) -> tuple[Evidence, ...]:
    """Of sentences that say about the same, prefer the newer document's and the trusted source's.

    What a newer version of the same passage says anew is not read from the older one. What was said in an earlier
    conversation stands behind any document.
    """
    weighed = (
        replace(item, score=item.score * _weight_of(passages[item.passage]))
        for item in evidence
        if not _is_outdated(item, evidence, passages)
    )
    return tuple(sorted(weighed, key=lambda item: -item.score))


def _is_outdated(item: Evidence, evidence: Sequence[Evidence], passages: Sequence[Passage]) -> bool:
    newer = passages[item.passage].newer_version
    if newer is None:
        return False
    said = frozenset(words(item.text))
    anew = (other.text for other in evidence if passages[other.passage].id == newer)
    return any(shared(said, frozenset(words(text))) >= LEAST_SHARED for text in anew)


def _weight_of(passage: Passage) -> float:
    return SECOND_HAND if passage.source == EARLIER else 1.0 + passage.prior


def in_reading_order(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Put chosen sentences back into the order of their passages, so that they read as text."""
    return sorted(evidence, key=lambda item: (item.passage, item.position))


def rarity(texts: int, holding: int) -> float:
    """Inverse document frequency, never zero."""
    return math.log(1 + texts / (0.5 + holding))


def _mixed(cosine: float, word_share: float) -> float:
    return (1 - WORD_SHARE) * cosine + WORD_SHARE * word_share


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A sentence where it stands."""

    passage: int
    position: int
    text: str
    heading: str
    """What it stands under, where it is among the first there: "Its answer goes along." says little without."""


def _sentences(passages: Sequence[Passage]) -> list[_Place]:
    found: dict[str, _Place] = {}
    for index, passage in enumerate(passages):
        position = 0
        for heading, body in _sections(passage):
            for place, text in enumerate(split_sentences(body)):
                if len(text.split()) >= _SHORTEST_WORDS:
                    above = heading if place < _UNDER_HEADING else ""
                    one = _Place(passage=index, position=position, text=text[:_LONGEST_CHARACTERS], heading=above)
                    found.setdefault(text, one)
                position += 1
    return list(found.values())[:_MOST_SENTENCES]


def _only_names(text: str, asked: set[str]) -> bool:
    """Tell whether a text only names what was asked about: "San Francisco." says nothing of it."""
    said = set(words(text))
    return said <= asked and not said & STOP_WORDS


def _sections(passage: Passage) -> Iterator[tuple[str, str]]:
    """The parts of a passage, each with its heading; the first one's is the last of the passage's own path."""
    heading = passage.header.rpartition(" > ")[2] if " > " in passage.header else ""
    start = 0
    for match in _HEADING_LINE.finditer(passage.text):
        yield heading, passage.text[start : match.start()]
        heading, start = plain(match.group(1)), match.end()
    yield heading, passage.text[start:]


def _cosines(places: Sequence[_Place], query_vector: Vectors, embedder: Embedder) -> list[float]:
    """How near each sentence comes to the question, alone or under its heading."""
    under = [row for row, place in enumerate(places) if place.heading]
    texts = [place.text for place in places]
    texts += [f"{places[row].heading}\n{places[row].text}" for row in under]
    found = (embedder.embed(texts) @ query_vector).tolist()
    cosines: list[float] = found[: len(places)]
    for row, cosine in zip(under, found[len(places) :], strict=True):
        cosines[row] = max(cosines[row], cosine)
    return cosines


def _word_shares(question: str, texts: Sequence[str]) -> list[float]:
    asked = set(content_words(question))
    held = [asked.intersection(content_words(text)) for text in texts]
    weights = {word: rarity(len(texts), sum(word in some for some in held)) for word in asked}
    total = sum(weights.values())
    return [sum(weights[word] for word in some) / total if total else 0.0 for some in held]
