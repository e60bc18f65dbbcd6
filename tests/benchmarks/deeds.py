"""What came of a play: how well people were answered, what they did about it, and how quick all of it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Any

from tests.benchmarks.crowd import Deed
from tests.benchmarks.people import GOOD, Person


def summarize(deeds: Sequence[Deed], people: Sequence[Person], seconds: float) -> dict[str, Any]:
    """Count, by kind of deed, judgement and kind of person; `seconds` are those that the play took."""
    kinds = {person.number: person.kind for person in people}
    asked = [deed for deed in deeds if deed.what == "ask"]
    answered = [deed for deed in deeds if deed.what in ("ask", "ask_again")]
    voted = [deed for deed in deeds if deed.vote]
    waits = sorted(deed.seconds for deed in answered)
    return {
        "people": dict(Counter(kinds.values())),
        "deeds": dict(Counter(deed.what for deed in deeds)),
        "judgements": dict(Counter(deed.judgement for deed in asked)),
        "answered_well": _share(sum(deed.judgement in GOOD for deed in asked), len(asked)),
        "votes": {
            kind: dict(Counter("good" if deed.vote > 0 else "bad" for deed in voted if kinds[deed.person] == kind))
            for kind in dict.fromkeys(kinds.values())
        },
        "votes_as_judged": _share(sum((deed.vote > 0) == (deed.judgement in GOOD) for deed in voted), len(voted)),
        "corrections": dict(Counter(kinds[deed.person] for deed in voted if deed.correction)),
        "questions_per_minute": round(60 * len(answered) / seconds, 2) if seconds else None,
        "median_wait_seconds": round(median(waits), 2) if waits else None,
        "p95_wait_seconds": round(waits[int(0.95 * (len(waits) - 1))], 2) if waits else None,
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
