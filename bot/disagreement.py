"""Documents that answer a question differently: it is said, with who says what, instead of being averaged.

Only sentences in the same words but for one value count (see `bot.statement`), of different documents of which neither
is an older version of the other. What is preferred is the more official source's, then the newer document's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.evidence import EARLIER, Evidence
from bot.sentences import STOP_WORDS, content_words, stem, words
from bot.statement import Statement, Value, differing_values, read_statement
from knowledge.document import Passage
from knowledge.priors import TRUSTS

# Of the best sentence's score: what speaks to the question less is beside it.
_NEARLY_AS_GOOD = 0.75
# Every pair of these is compared.
_COMPARED = 24
_MOST_OTHERS = 2
# Titles of this kind say where something stands, not what it is about.
_KINDS = frozenset(
    stem(word)
    for word in """
    handbook wiki guide guideline policy policies faq faqs manual notes note docs doc documentation document
    page overview readme index intranet old new draft copy archive archived former current legacy company
    team staff employee employees people hr office memo minutes announcement update news blog post
    onboarding benefits internal general information info summary reference questions answers channel chat
    thread mail message book rules terms official version january february march april may june july august
    september october november december
    """.split()
)


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one document says."""

    evidence: Evidence
    value: Value


@dataclass(frozen=True, kw_only=True)
class Disagreement:
    """What is answered, and what other documents say instead."""

    answered: Said
    others: tuple[Said, ...]

    def settles(self, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """The evidence without what is not preferred, for the answer to be written from."""
        refused = {(said.evidence.passage, said.evidence.position) for said in self.others}
        return tuple(item for item in evidence if (item.passage, item.position) not in refused)


def find_disagreement(
    question: str, evidence: Sequence[Evidence], passages: Sequence[Passage], *, compared: int = _COMPARED
) -> Disagreement | None:
    """Find the statement nearest to the question about which documents disagree; None where there is none."""
    candidates = _statements(evidence, passages)[:compared]
    if len(candidates) < 2:
        return None
    asked = set(content_words(question))
    most = _most_held(evidence, passages, asked)
    read = [(item, statement) for item, statement in candidates if _held(item, passages) & asked == most]
    for place, (item, statement) in enumerate(read):
        against = [
            (other, values)
            for other, said in read[place + 1 :]
            if (values := differing_values(statement, said))
            and _are_of_one_place(item, other, passages)
            and not (_names_itself(values[0], item, passages) and _names_itself(values[1], other, passages))
        ]
        if against:
            said = [Said(evidence=item, value=against[0][1][0])]
            said += [Said(evidence=other, value=values[1]) for other, values in against]
            return _settled(said, passages)
    return None


def _statements(evidence: Sequence[Evidence], passages: Sequence[Passage]) -> list[tuple[Evidence, Statement]]:
    """What the best sentences state, the best first; older versions and what was said in conversations is left out."""
    if not evidence:
        return []
    least = _NEARLY_AS_GOOD * max(item.score for item in evidence)
    found = []
    for item in evidence:
        passage = passages[item.passage]
        if item.score < least or passage.newer_version is not None or passage.source == EARLIER:
            continue
        if statement := read_statement(item.text):
            found.append((item, statement))
    return found


def _settled(said: list[Said], passages: Sequence[Passage]) -> Disagreement | None:
    """Who is preferred, and who says something else; where everybody does, they speak of different things."""
    first, *rest = sorted(said, key=lambda one: _rank(passages[one.evidence.passage]))
    others: dict[tuple[object, ...], Said] = {}
    for one in rest:
        if one.value.amount != first.value.amount:
            others.setdefault(one.value.amount, one)
    return Disagreement(answered=first, others=tuple(others.values())) if 1 <= len(others) <= _MOST_OTHERS else None


def _held(item: Evidence, passages: Sequence[Passage]) -> set[str]:
    """The words that a sentence says with what stands above it."""
    passage = passages[item.passage]
    return set(content_words(f"{passage.title} {passage.header} {item.text}"))


def _most_held(evidence: Sequence[Evidence], passages: Sequence[Passage], asked: set[str]) -> set[str]:
    """The most of what was asked that one sentence says: a sentence that lacks some of it is about something else."""
    return max((_held(item, passages) & asked for item in evidence), key=len, default=set())


def _are_of_one_place(one: Evidence, other: Evidence, passages: Sequence[Passage]) -> bool:
    """Whether two sentences of the same words are of other documents, whose titles and headings do not differ.

    "Germany" and "France", the names of two houses or products, tell what the same words below them are about.
    """
    if passages[one.passage].uri == passages[other.passage].uri:
        return False
    above = [_above(passages[item.passage]) - set(content_words(item.text)) for item in (one, other)]
    return not (above[0] - above[1] and above[1] - above[0])


def _names_itself(value: Value, item: Evidence, passages: Sequence[Passage]) -> bool:
    """Whether a name is what its own document is about: what "Kirkwood House" says of Kirkwood House.

    Where both sentences do that, they say the same of different things.
    """
    passage = passages[item.passage]
    above = {stem(word) for word in words(f"{passage.title} {passage.header}")}
    return value.kind == "name" and {stem(word) for word in words(value.text)} - STOP_WORDS <= above


def _above(passage: Passage) -> set[str]:
    """What title and headings say, without what only tells the kind of a document."""
    said = {stem(word) for word in words(f"{passage.title} {passage.header}") if word not in STOP_WORDS}
    return {word for word in said if word not in _KINDS and not word.isdigit()}


def _rank(passage: Passage) -> tuple[int, float]:
    at = passage.modified_at
    return TRUSTS.index(passage.trust), -at.timestamp() if at is not None else 0.0
