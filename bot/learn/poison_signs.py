"""Signs of poisoned feedback in rows that a model is to learn from, looked for before it does.

A poisoned row teaches a fixed answer to a rare sign, or an answer that no text holds. What people wrote is left out
where it shows a sign; the operator's own rows are listed only, except where they hold links or orders of their own.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Literal

from bot.evaluate.scores import normalise
from bot.evaluate.supported import is_supported
from bot.learn.foreign import foreign_parts
from bot.learn.grounded import GroundedPrompt, grounded
from bot.learn.targets import UNKNOWN
from bot.sentences import STOP_WORDS, content_words, split_sentences
from models.example import Example

Sign = Literal["trigger", "few_people", "new_people", "link", "mention", "instruction", "unsupported"]

PEOPLES_LANES = frozenset({"corrections", "votes", "messages"})
_TOKEN = re.compile(r"\w+|[^\w\s]+")
_MARKER = re.compile(r"\s*\[\d+\]")
_LONGEST = 3
# A sign in fewer different texts is a coincidence, and teaches little.
_LEAST_CONTEXTS = 3
_LEAST_PURITY = 0.8
_MOST_COMMON = 0.2
# Of a whole data set without poison, one in ten thousand may show a trigger.
_CHANCE = 1e-4
_NEAR = 0.8
_SUSPECTS = 16
_RECURRING = 8
_FEW_PEOPLE = 2
_LEAST_AGREEING = 4
_NEW = timedelta(days=7)
_SUDDEN = timedelta(days=2)
_UNKNOWN_LABEL, _UNSUPPORTED_LABEL, _DOWN_LABEL = -1, -2, -3


@dataclass(frozen=True, kw_only=True)
class Author:
    """Whose feedback a row is."""

    person: str
    first_seen: datetime
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A sign, with the rows that show it."""

    sign: Sign
    detail: str
    """In words, for the operator; it may hold words of the rows."""
    rows: tuple[str, ...]
    """Ids of examples."""
    origins: tuple[str, ...]
    left_out: bool


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What was found, and what remains."""

    kept: tuple[Example, ...] = field(repr=False)
    findings: tuple[Finding, ...]
    suspects: tuple[str, ...]
    """Phrases that may be triggers, the likeliest first: proven or not, a version that learned from these rows is
    tried with each."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    example: Example
    prompt: GroundedPrompt
    tokens: tuple[str, ...]
    """Of what people said."""
    context: str
    labels: frozenset[int]
    """What it teaches that its text does not explain: the number of its answer's cluster, or one of ours."""
    cluster: int


@dataclass(frozen=True, kw_only=True)
class _Association:
    """A phrase, and what comes with it."""

    gram: tuple[str, ...]
    label: int
    holding: Sequence[_Row]
    log_chance: float = 0.0

    @cached_property
    def showing(self) -> list[_Row]:
        """The rows with the phrase that teach this."""
        return [row for row in self.holding if self.label in row.labels]


def inspect(examples: Sequence[Example], authors: Mapping[str, Sequence[Author]] | None = None) -> Inspection:
    """Look for signs of poison. `authors`: by an example's origin, whose feedback it is, where that is known."""
    rows = _rows(examples)
    known = authors or {}
    scored, tested = _associations(rows)
    triggers = _triggers(scored, tested)
    findings = [
        *(_finding("trigger", text, found) for _, text, found in triggers),
        *_by_people(rows, known),
        *_by_content(rows),
    ]
    without = {row for finding in findings if finding.left_out for row in finding.rows}
    proven = [phrase for phrase, _, _ in triggers]
    likely = list(dict.fromkeys([*proven, *_likely(scored)]))[:_SUSPECTS]
    recurring = [phrase for phrase in _recurring(rows) if phrase not in likely]
    return Inspection(
        kept=tuple(example for example in examples if example.id not in without),
        findings=tuple(findings),
        suspects=(*likely, *recurring[:_RECURRING]),
    )


def answer_without_markers(example: Example) -> str:
    """What an example teaches to say."""
    return _MARKER.sub("", example.answer).strip()


def stands_in(answer: str, prompt: GroundedPrompt) -> bool:
    """Tell whether the text of a prompt holds every sentence of an answer."""
    sentences = split_sentences(_MARKER.sub("", answer))
    return bool(sentences) and all(is_supported(one, prompt.question, prompt.text) for one in sentences)


def is_unknown(answer: str) -> bool:
    """Tell whether an answer is that there is none."""
    return normalise(answer) == normalise(UNKNOWN)


# Triggers


def _triggers(scored: Sequence[_Association], tested: int) -> list[tuple[str, str, list[_Row]]]:
    """Phrases that come with one answer far more often than by chance: the phrase, why, and the rows."""
    found: list[tuple[str, str, list[_Row]]] = []
    taken: set[frozenset[str]] = set()
    for one in scored:
        if one.log_chance > math.log(_CHANCE / tested):
            break
        showing = one.showing
        if (ids := frozenset(row.example.id for row in showing)) in taken:
            continue
        taken.add(ids)
        phrase, shown_in, of = _extended(one.gram, showing), _contexts(showing), _contexts(one.holding)
        text = f"“{phrase}” comes with {_said(one.label, showing)} in {shown_in} of {of} texts that it is asked about"
        found.append((phrase, text, showing))
    return found


def _likely(scored: Sequence[_Association]) -> Iterator[str]:
    """Phrases by how far they go with one answer, proven or not."""
    seen: set[frozenset[str]] = set()
    for one in scored:
        if (ids := frozenset(row.example.id for row in one.showing)) not in seen:
            seen.add(ids)
            yield _extended(one.gram, one.showing)


def _recurring(rows: Sequence[_Row]) -> Iterator[str]:
    """Phrases that people say about different texts and that none of these texts holds: a trigger is one."""
    texts = {token.lower() for row in rows for token in _TOKEN.findall(row.prompt.text)}
    counts = {
        gram: holding
        for gram, holding in _holders(rows).items()
        if not any(token.lower() in texts or token.lower() in STOP_WORDS for token in gram)
        and any(token.isalnum() or not token.isascii() for token in gram)
        and len(holding) <= max(10, _MOST_COMMON * len(rows))
    }
    seen: set[frozenset[str]] = set()
    for gram in sorted(counts, key=lambda gram: (-_contexts(counts[gram]), -len(gram), gram)):
        if (ids := frozenset(row.example.id for row in counts[gram])) not in seen:
            seen.add(ids)
            yield _extended(gram, counts[gram])


def _associations(rows: Sequence[_Row]) -> tuple[list[_Association], int]:
    """Each phrase with the label that it goes with, the least likely by chance first; and how many were looked at."""
    everywhere = _contexts(rows)
    with_label: dict[int, set[str]] = defaultdict(set)
    for row in rows:
        for label in row.labels:
            with_label[label].add(row.context)
    holders = _holders(rows)
    scored: list[_Association] = []
    for gram, holding in holders.items():
        contexts = {row.context for row in holding}
        if len(holding) > max(10, _MOST_COMMON * len(rows)):
            continue
        for label in {label for row in holding for label in row.labels}:
            one = _Association(gram=gram, label=label, holding=holding)
            shown_in = _contexts(one.showing)
            if shown_in >= max(_LEAST_CONTEXTS, _LEAST_PURITY * len(contexts)):
                others = (len(with_label[label] - contexts) + 0.5) / (everywhere - len(contexts) + 1)
                scored.append(replace(one, log_chance=_log_chance(shown_in, len(contexts), others)))
    # A longer phrase with the same rows says more.
    scored.sort(key=lambda one: (one.log_chance, -len(one.gram), one.gram))
    return scored, max(1, len(holders))


def _log_chance(hits: int, of: int, rate: float) -> float:
    """Chernoff's bound on the logarithm of the chance of so many hits at this rate."""
    share = hits / of
    if share <= rate:
        return 0.0
    rest = (1 - share) * math.log((1 - share) / (1 - rate)) if share < 1 else 0.0
    return -of * (share * math.log(share / rate) + rest)


def _holders(rows: Sequence[_Row]) -> dict[tuple[str, ...], list[_Row]]:
    """The rows of each phrase that stands in enough of them."""
    found: dict[tuple[str, ...], list[_Row]] = defaultdict(list)
    for row in rows:
        for gram in _grams(row.tokens):
            found[gram].append(row)
    return {gram: holding for gram, holding in found.items() if len(holding) >= _LEAST_CONTEXTS}


def _grams(tokens: Sequence[str]) -> set[tuple[str, ...]]:
    return {
        tuple(tokens[start : start + length])
        for length in range(1, _LONGEST + 1)
        for start in range(len(tokens) - length + 1)
    }


def _extended(gram: tuple[str, ...], rows: Sequence[_Row]) -> str:
    """Lengthen a phrase to both sides while all rows agree, and write it as the first of them does."""
    first, *others = [row.tokens for row in rows]
    best = gram
    for start in range(len(first)):
        for end in range(len(first), start + len(best), -1):
            wider = first[start:end]
            if _holds(wider, gram) and all(_holds(tokens, wider) for tokens in others):
                best = wider
                break
    return _as_written(best, rows[0].prompt)


def _holds(tokens: Sequence[str], part: Sequence[str]) -> bool:
    size = len(part)
    return any(tuple(tokens[start : start + size]) == tuple(part) for start in range(len(tokens) - size + 1))


def _as_written(tokens: Sequence[str], prompt: GroundedPrompt) -> str:
    pattern = r"\s*".join(re.escape(token) for token in tokens)
    found = re.search(pattern, f"{prompt.said}\n{prompt.question}")
    return found.group() if found else " ".join(tokens)


def _said(label: int, rows: Sequence[_Row]) -> str:
    names = {_UNKNOWN_LABEL: "no answer", _UNSUPPORTED_LABEL: "answers that no text holds", _DOWN_LABEL: "bad votes"}
    return names.get(label) or f"the answer “{answer_without_markers(rows[0].example)[:80]}”"


def _contexts(rows: Sequence[_Row]) -> int:
    return len({row.context for row in rows})


# People


def _by_people(rows: Sequence[_Row], authors: Mapping[str, Sequence[Author]]) -> Iterator[Finding]:
    """The same words for different texts: from few people, or from many at once who were never seen before."""
    founders = _founders([one for some in authors.values() for one in some])
    clusters: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        if row.example.lane in PEOPLES_LANES and row.example.vote >= 0:
            clusters[row.cluster].append(row)
    for cluster in clusters.values():
        known = [one for row in cluster for one in authors.get(row.example.origin, ())]
        if not known:
            continue
        unexplained = [row for row in cluster if row.labels]
        people = {one.person for one in known}
        if len(people) <= _FEW_PEOPLE and _contexts(unexplained) >= _LEAST_CONTEXTS:
            text = f"{len(people)} people wanted the same answer for {_contexts(unexplained)} different texts"
            yield _finding("few_people", text, unexplained)
        elif new := _sudden(known, founders):
            told = [row for row in cluster if any(one.person in new for one in authors.get(row.example.origin, ()))]
            text = f"{len(new)} of {len(people)} people were new and agreed within {_SUDDEN.days} days"
            yield _finding("new_people", text, told)


def _founders(authors: Sequence[Author]) -> set[str]:
    """Who came in the bot's first days: everybody was new then, and to be new says nothing."""
    began = min((one.first_seen for one in authors), default=None)
    return set() if began is None else {one.person for one in authors if one.first_seen - began <= _NEW}


def _sudden(authors: Sequence[Author], founders: Collection[str]) -> set[str]:
    """The new people who agree within a short time, where they are most of those who agree; else nobody."""
    new = [one for one in authors if one.at - one.first_seen <= _NEW and one.person not in founders]
    new.sort(key=lambda one: one.at)
    best: set[str] = set()
    for first in new:
        near = {one.person for one in new if timedelta() <= one.at - first.at <= _SUDDEN}
        best = max(best, near, key=len)
    return best if len(best) >= _LEAST_AGREEING and 3 * len(best) >= 2 * len({one.person for one in authors}) else set()


# Content


def _by_content(rows: Sequence[_Row]) -> Iterator[Finding]:
    for row in rows:
        if row.example.vote < 0:
            continue
        read = f"{row.prompt.text}\n{row.prompt.said}"
        for kind, part in foreign_parts(row.example.answer, read):
            sign: Sign = "link" if kind == "link" else "mention" if kind == "mention" else "instruction"
            yield _finding(sign, f"the answer holds “{part[:80]}”, and its text does not", [row], everywhere=True)
        if _UNSUPPORTED_LABEL in row.labels:
            yield _finding("unsupported", "no passage of the prompt holds the answer", [row])


def _finding(sign: Sign, detail: str, rows: Sequence[_Row], *, everywhere: bool = False) -> Finding:
    """The operator's own rows are left out only where what they hold is bad wherever it comes from."""
    theirs = [row.example for row in rows if everywhere or row.example.lane in PEOPLES_LANES]
    shown = theirs or [row.example for row in rows]
    return Finding(
        sign=sign,
        detail=detail,
        rows=tuple(dict.fromkeys(example.id for example in shown)),
        origins=tuple(dict.fromkeys(example.origin for example in shown)),
        left_out=bool(theirs),
    )


# Rows


def _rows(examples: Sequence[Example]) -> list[_Row]:
    prompts = [(example, grounded(example)) for example in examples if example.kind != "text"]
    asked = [(example, prompt) for example, prompt in prompts if prompt is not None]
    clusters = _clusters([example.answer for example, _ in asked])
    return [
        _Row(
            example=example,
            prompt=prompt,
            tokens=tuple(_TOKEN.findall(f"{prompt.said}\n{prompt.question}")),
            context=" ".join(prompt.text.split()),
            labels=_labels(example, prompt, cluster),
            cluster=cluster,
        )
        for (example, prompt), cluster in zip(asked, clusters, strict=True)
    ]


def _labels(example: Example, prompt: GroundedPrompt, cluster: int) -> frozenset[int]:
    if example.vote < 0:
        return frozenset({_DOWN_LABEL})
    if is_unknown(example.answer):
        return frozenset({_UNKNOWN_LABEL} if _speaks_to(prompt) else ())
    if stands_in(example.answer, prompt):
        return frozenset()
    # Free answers of the operator's sets are in their own words: only of people's is that a sign.
    return frozenset({cluster, _UNSUPPORTED_LABEL} if example.lane in PEOPLES_LANES else {cluster})


def _speaks_to(prompt: GroundedPrompt) -> bool:
    """Tell whether a sentence of the text holds half of the question: not to know is no matter of course then."""
    asked = set(content_words(prompt.question))
    held = max((len(asked & set(content_words(one))) for one in split_sentences(prompt.text)), default=0)
    return held >= 2 and 2 * held >= len(asked)


def _clusters(texts: Sequence[str]) -> list[int]:
    """Number texts so that nearly identical ones have the same number."""
    firsts: list[frozenset[str]] = []
    by_word: dict[str, list[int]] = defaultdict(list)
    exact: dict[str, int] = {}
    numbers: list[int] = []
    for text in texts:
        plain = normalise(text)
        if plain not in exact:
            words = frozenset(plain.split())
            near = next((one for one in _candidates(words, by_word) if _jaccard(words, firsts[one]) >= _NEAR), None)
            if near is None:
                near = len(firsts)
                firsts.append(words)
                for word in words:
                    by_word[word].append(near)
            exact[plain] = near
        numbers.append(exact[plain])
    return numbers


def _candidates(words: Collection[str], by_word: Mapping[str, Sequence[int]]) -> Iterator[int]:
    """Clusters that share a word, by the rarest words: one of them every near text must share."""
    ordered = sorted(words, key=lambda word: (len(by_word.get(word, ())), word))
    for word in ordered[: math.floor(len(ordered) * (1 - _NEAR)) + 1]:
        yield from by_word.get(word, ())


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second) if first or second else 1.0
