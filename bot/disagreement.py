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
    read = _statements(evidence, passages)[:compared]
    asked = set(content_words(question))
    for place, (item, statement) in enumerate(read):
        against = [
            (other, values)
            for other, said in read[place + 1 :]
            if (values := differing_values(statement, said))
            and _speaks_of_the_same(passages[item.passage], item, passages[other.passage], other, asked)
        ]
        if against:
            said = [Said(evidence=item, value=against[0][1][0])]
            said += [Said(evidence=other, value=values[1]) for other, values in against]
            said.sort(key=lambda one: _rank(passages[one.evidence.passage]))
            differing = [one for one in said[1:] if one.value.amount != said[0].value.amount]
            return Disagreement(answered=said[0], others=tuple(differing[:_MOST_OTHERS])) if differing else None
    return None


def _statements(
    evidence: Sequence[Evidence], passages: Sequence[Passage]
) -> list[tuple[Evidence, Statement]]:
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


def _speaks_of_the_same(one: Passage, item: Evidence, other: Passage, other_item: Evidence, asked: set[str]) -> bool:
    """Whether two sentences of the same words are about the same: in other documents, of the same of what was asked."""
    if one.uri == other.uri:
        return False
    around = [set(content_words(f"{passage.header} {passage.title}")) for passage in (one, other)]
    said = [set(content_words(each.text)) for each in (item, other_item)]
    if asked & (around[0] | said[0]) != asked & (around[1] | said[1]):
        return False
    places = [_headings(passage) - words_said for passage, words_said in zip((one, other), said, strict=True)]
    return not (places[0] - places[1] and places[1] - places[0])


def _headings(passage: Passage) -> set[str]:
    """What the headings below the title say: "Germany" and "France" tell what the same words below them are about."""
    below = passage.header.removeprefix(passage.title)
    return {stem(word) for word in words(below) if word not in STOP_WORDS}


def _rank(passage: Passage) -> tuple[int, float]:
    at = passage.modified_at
    return TRUSTS.index(passage.trust), -at.timestamp() if at is not None else 0.0
