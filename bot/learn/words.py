"""What people read about learning: plain words, no markup."""

from __future__ import annotations

from collections.abc import Mapping

from bot.learn.alerts import Change

ALERTS_TITLE = "What changed in my answers"
NO_ALERTS = "Nothing that stands out. I look once a day."

MEASURE_NAMES: Mapping[str, str] = {
    "good": "The share of 👍 among votes",
    "feedback": "The share of answers that people vote on",
    "abstained": "The share of questions that I find no answer to",
    "errors": "The share of questions that end in an error",
    "support": "How well what I find fits the questions (0 to 1)",
    "score": "The score of the best passage that I find (0 to 1)",
    "retrieve_seconds": "The time that a search takes",
    "first_token_seconds": "The time until an answer begins",
    "total_seconds": "The time until an answer is ready",
    "length": "The length of answers, in characters",
}
PLOT_LABELS: Mapping[str, str] = {
    "good": "good among votes",
    "feedback": "voted on",
    "abstained": "no answer found",
    "errors": "errors",
    "support": "support (quartiles)",
    "score": "best score (quartiles)",
    "first_token_seconds": "first word",
    "total_seconds": "ready (19 of 20)",
    "length": "length",
}
SHARES = frozenset({"good", "feedback", "abstained", "errors"})
_ADVISE = "`lorekeeper advise` says what the failed answers lack."
_TO_DO: Mapping[tuple[str, bool], str] = {
    ("good", False): f"Look at the questions I did not answer well; {_ADVISE}",
    ("feedback", False): "Fewer votes teach me less: a reminder in the channels helps. If answers go without their "
    "buttons, `lorekeeper doctor` says why.",
    ("feedback", True): "Nothing is wrong with that; look whether the new votes are good or bad ones.",
    ("abstained", True): f"People may ask about something new, or a source may be gone: look at the sources' state. "
    f"{_ADVISE}",
    ("abstained", False): "Good where documents were added. If not, look at some answers: do they stand on the right "
    "passages?",
    ("errors", True): "`lorekeeper doctor` looks for the cause; the log names each error.",
    ("support", False): f"People may ask about something new, or a source may be gone or stale. {_ADVISE}",
    ("score", False): f"A source may be gone, or much was added that lies close to everything. {_ADVISE}",
    ("retrieve_seconds", True): "Look at the load of the machine and at the size of the index (`lorekeeper doctor`).",
    ("first_token_seconds", True): "Look at the load of the machine; a smaller model or fewer passages answer sooner.",
    ("total_seconds", True): "Look at the load of the machine, and whether answers grew longer.",
    ("length", True): "Look at some answers: do they say more, or ramble?",
    ("length", False): "Look at some answers: are they cut short?",
}
_OF_VERSION = "It came with the version: if answers are not what you want, go back to the one before."


def change_headline(change: Change) -> str:
    """Say what changed, by how much and since when, in a sentence."""
    went = "rose" if change.rose else "fell"
    before, after = measured(change.measure, change.before), measured(change.measure, change.after)
    return f"{MEASURE_NAMES[change.measure]} {went} from {before} to {after} since {_day(change)}."


def change_details(change: Change) -> str:
    """Say what was compared with what, and what to do."""
    what = "votes" if change.measure == "good" else "answers"
    counts = f"{change.count_after:,} {what} against {change.count_before:,}"
    if change.comparison == "version":
        compared = f"Version {change.version} compared with {change.earlier_version}: {counts}."
    else:
        compared = f"The last days compared with the weeks before (version {change.version}): {counts}."
    advice = _TO_DO.get((change.measure, change.rose), "")
    return " ".join(filter(None, (compared, advice, _OF_VERSION if change.with_version else "")))


def measured(measure: str, value: float) -> str:
    """A value with its unit."""
    if measure in SHARES:
        return f"{value:.0%}" if value >= 0.1 or not value else f"{value:.1%}"
    if measure.endswith("_seconds"):
        return f"{value * 1_000:,.0f} ms" if value < 1 else f"{value:,.1f} s"
    return f"{value:,.0f}" if measure == "length" else f"{value:.2f}"


def _day(change: Change) -> str:
    return f"{change.since.day} {change.since:%B}"


# What would help


LEVER_NAMES: Mapping[str, str] = {
    "documents": "Add documents",
    "tuning": "Tune",
    "sync": "Read sources again, or mend them",
    "asking": "Ask back, or ask better",
}
LEVER_WHY: Mapping[str, str] = {
    "documents": "no document that I know answers these",
    "tuning": "the answer was there, and I did not find it or misread it",
    "sync": "what I found was old",
    "asking": "the questions said too little",
}
CAUSE_NAMES: Mapping[str, str] = {
    "missing": "a document is missing",
    "overlooked": "there, and not found",
    "misread": "found, and ignored or misread",
    "outdated": "found, and old",
    "unclear": "asked unclearly",
}
UNKNOWN_CAUSE = "cannot be told"
NEXT_STEPS: Mapping[str, str] = {
    "documents": "Write down what the topics below lack, or add the source that says it "
    "(`lorekeeper sources add`). Tuning cannot help here: a model that learns answers by heart makes them up.",
    "tuning": "The knowledge is there: let people vote and correct, then tune. More documents would not help these.",
    "sync": "Read the sources more often (`schedule.sync_minutes`), and look at those that fail to be read "
    "(`lorekeeper sources list`).",
    "asking": "Nothing is wrong with documents or model: a line in the channel on how to ask helps.",
}
NO_FAILURES = "No answer failed in this time, as far as anybody told me."
NOT_CLEAR = "No lever is clearly ahead of the others; what helps most comes first."
TOO_FEW = "Too few answers failed to say what would help most."
TOPICS_TITLE = "Topics that no document answers"
ADVICE_TITLE = "What would help most"
ADVICE_COMING = "I am looking into the answers that failed. Open this page again in a minute."


def lever_line(count: float, failed: int, low: float, high: float) -> str:
    """How many answers a lever would help."""
    return f"{round(count):,} of {failed:,} answers that failed (between {low:,.0f} and {high:,.0f})"


def advice_headline(best: str | None, failed: int, least: int) -> str:
    """What to do next, in a sentence."""
    if not failed:
        return NO_FAILURES
    if failed < least:
        return TOO_FEW
    return NOT_CLEAR if best is None else f"{LEVER_NAMES[best]}: {LEVER_WHY[best]}."


def tuning_or_knowledge(ahead: float) -> str:
    """The question of the field, answered from what was counted."""
    if 0.1 < ahead < 0.9:
        return f"Tuning or better documents? Neither is clearly ahead ({ahead:.0%} for documents and syncing)."
    which = "Better documents and syncing help" if ahead >= 0.9 else "Tuning helps"
    other = "tuning" if ahead >= 0.9 else "better documents and syncing"
    return f"Tuning or better documents? {which} more answers than {other} ({max(ahead, 1 - ahead):.0%} sure)."


def unexplained(unknown: int, left_out: int) -> str:
    """What the counts do not hold."""
    parts = [f"{unknown:,} could not be attributed"] if unknown else []
    parts += [f"{left_out:,} were left out: their words are not kept, or not to be read"] if left_out else []
    return f"{'; '.join(parts)}." if parts else ""
