"""Is a dataset lopsided? Its rows counted by topic, channel, person, language, length and lane, and what is odd said.

People are numbered and not named. Pure: it counts rows; whoever wants a picture gives the counts to `bot.chart`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from bot.chart import Bars
from bot.language import detect_language
from bot.learn.rows import Row
from bot.sentences import words

_SHOWN = 8
_MOST_OF_ONE_TOPIC = 0.3
_MOST_OF_ONE_CHANNEL = 0.6
_MOST_OF_ONE_PERSON = 0.25
_ABSTENTIONS = (0.1, 0.4)
"""With fewer the model forgets to say that it does not know; with more it says little else."""
_FEWEST_ROWS = 100
_WORDS = ((1, 5), (6, 10), (11, 20), (21, 40), (41, 80), (81, 10_000))


@dataclass(frozen=True, kw_only=True)
class Share:
    """How many rows fall to one value."""

    name: str
    rows: int
    share: float


@dataclass(frozen=True, kw_only=True)
class Balance:
    """The counts of the rows that are learned from; each list has the largest first."""

    rows: int
    topics: tuple[Share, ...]
    sources: tuple[Share, ...]
    channels: tuple[Share, ...]
    people: tuple[Share, ...]
    languages: tuple[Share, ...]
    lanes: tuple[Share, ...]
    kinds: tuple[Share, ...]
    answer_words: tuple[Share, ...]
    """By length, the shortest first."""
    median_answer_words: float
    abstentions: float
    """Share of the rows to be answered with "I don't know."."""
    warnings: tuple[str, ...] = field(default=())


def weigh(rows: Sequence[Row], person_share: float) -> Balance:
    """Count the rows and say what is lopsided."""
    answered = [row for row in rows if row.example.kind == "supervised"]
    lengths = [len(words(row.example.answer)) for row in answered if row.answerable]
    people = _shares([row.person for row in rows if row.person])
    abstaining = sum(not row.answerable for row in answered)
    balance = Balance(
        rows=len(rows),
        topics=_shares([row.topic for row in rows]),
        sources=_shares([row.source for row in rows]),
        channels=_shares([row.channel for row in rows if row.channel]),
        people=tuple(
            Share(name=f"person {number}", rows=one.rows, share=one.share) for number, one in enumerate(people, 1)
        ),
        languages=_shares([detect_language(row.question.text) or "unknown" for row in rows]),
        lanes=_shares([row.example.lane for row in rows]),
        kinds=_shares([row.example.kind for row in rows]),
        answer_words=_histogram(lengths),
        median_answer_words=float(median(lengths)) if lengths else 0.0,
        abstentions=abstaining / len(answered) if answered else 0.0,
    )
    return _with_warnings(balance, person_share)


def bars(balance: Balance) -> tuple[Bars, ...]:
    """What the picture shows, group by group."""
    groups = {
        "topics": balance.topics,
        "channels": balance.channels,
        "people": balance.people,
        "languages": balance.languages,
        "lanes": balance.lanes,
        "words of an answer": balance.answer_words,
    }
    return tuple(
        Bars(title=title, values=tuple((one.name, one.rows) for one in shares[:_SHOWN]))
        for title, shares in groups.items()
        if shares
    )


def _with_warnings(balance: Balance, person_share: float) -> Balance:
    return replace(balance, warnings=tuple(_warnings(balance, person_share)))


def _warnings(balance: Balance, person_share: float) -> list[str]:
    if not balance.rows:
        return ["There is nothing to learn from yet."]
    found = []
    if balance.rows < _FEWEST_ROWS:
        found.append(f"There are {balance.rows} rows; with fewer than {_FEWEST_ROWS} a run learns them by heart.")
    for what, shares, most in (
        ("about", balance.topics, _MOST_OF_ONE_TOPIC),
        ("from the channel", balance.channels, _MOST_OF_ONE_CHANNEL),
    ):
        if len(shares) > 1 and shares[0].share > most:
            found.append(f"{shares[0].share:.0%} of the rows are {what} {shares[0].name!r}.")
    if balance.people and balance.people[0].share > max(person_share, _MOST_OF_ONE_PERSON):
        found.append(
            f"One person's judgement is in {balance.people[0].share:.0%} of the rows that people gave: "
            f"{len(balance.people)} took part."
        )
    low, high = _ABSTENTIONS
    if not low <= balance.abstentions <= high:
        found.append(
            f"{balance.abstentions:.0%} of the rows say “I don't know.”; between {low:.0%} and {high:.0%} is healthy."
        )
    known = [one for one in balance.languages if one.name != "unknown"]
    if len(known) > 1 and known[0].share > 0.9:
        found.append(f"{known[0].share:.0%} of the questions are in one language ({known[0].name}).")
    return found


def _shares(values: Sequence[str]) -> tuple[Share, ...]:
    total = len(values)
    counted = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Share(name=name or "?", rows=rows, share=rows / total) for name, rows in counted)


def _histogram(lengths: Sequence[int]) -> tuple[Share, ...]:
    found = []
    for low, high in _WORDS:
        rows = sum(low <= length <= high for length in lengths)
        name = f"{low}-{high}" if high < 10_000 else f"{low} and more"
        found.append(Share(name=name, rows=rows, share=rows / len(lengths) if lengths else 0.0))
    return tuple(found) if lengths else ()
