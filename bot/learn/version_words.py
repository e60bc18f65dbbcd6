"""What people read about versions of the model."""

from __future__ import annotations

from collections.abc import Sequence

from bot.learn.canary import Verdict, say_votes

VERSIONS_TITLE = "Model versions"
VERSIONS_BASE = "the model that Lorekeeper came with"
VERSION_PROMOTE = "Put in service"
VERSION_ROLL_BACK = "Roll back"
VERSION_CANCEL = "Cancel"
VERSION_PROMOTED = "✅ {name} is in service now. New answers come from it in a few seconds."
VERSION_ROLLED_BACK = "✅ {left} is taken back. {now} answers again in a few seconds."
VERSION_CHANGED = "That has changed in the meantime. This is how it stands now."
_REFUSED_FOR = {
    "enough": "too little to tell",
    "better": "not better",
    "worse": "clearly worse somewhere",
    "general": "general skill lost",
    "golden": "golden questions failed",
    "trigger": "a trigger works",
}
_ADVICE = {
    "go on": "Not enough is known yet.",
    "promote": "It is better: you can put it in service.",
    "roll back": "It is worse and is taken back by itself.",
}


def in_service_line(name: str, good: int, bad: int, answers: int) -> str:
    """Say what is in service, and how people like it."""
    counted = "1 answer" if answers == 1 else f"{answers:,} answers"
    return f"In service: {name or VERSIONS_BASE} · {counted}, {good:,} × 👍 and {bad:,} × 👎"


def canary_line(name: str, share: float, channels: int) -> str:
    """Say what is tried out, and where."""
    where = "" if not channels else " of 1 channel" if channels == 1 else f" of {channels} channels"
    return f"Tried out: {name}, in {share:.0%} of new conversations{where}"


def verdict_line(verdict: Verdict) -> str:
    """Say how the canary compares, with the numbers."""
    mine, service = verdict.canary, verdict.service
    return (
        f"{say_votes(mine)} from {mine.people} people, beside it {say_votes(service)}; did not know "
        f"{mine.abstained} of {mine.written} (beside it {service.abstained} of {service.written}). "
        f"{_ADVICE[verdict.decision]}"
    )


def candidate_line(name: str) -> str:
    """Say that a version waits."""
    return f"Ready: {name} passed its checks and waits for you"


def refused_for(rules: Sequence[str]) -> str:
    """Name the gate's rules that refused a version; empty for none."""
    return ", ".join(_REFUSED_FOR[rule] for rule in dict.fromkeys(rules))


def refused_line(name: str, rules: Sequence[str]) -> str:
    """Say that the newest version was refused, and by which rules of the gate; by none where somebody did it."""
    why = refused_for(rules)
    because = f": {why}" if why else ""
    return f"Refused: {name}{because}. The numbers: lorekeeper versions show {name}"


def promote_question(name: str) -> str:
    """What is asked before a version is put in service."""
    return f"{name} then writes all new answers. You can roll back at any time."


def roll_back_question(left: str, now: str) -> str:
    """What is asked before a version is taken back."""
    return f"{left} then writes no more answers; {now or VERSIONS_BASE} does."
