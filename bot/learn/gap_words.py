"""What people read about questions that were asked in vain."""

from __future__ import annotations

from datetime import datetime

from bot.learn.gaps import AnsweredNow, GapReport, GapTopic, NearDocument

TITLE = "Questions without a good answer"
WRITE = "Write it down"
SINCE_BEFORE = "What changed since the time before"
GONE = "That question is not there any more."
NEW = "new"
_MOST_NAMED = 3


def headline(report: GapReport) -> str:
    """The title with the days."""
    return f"{TITLE}, {_day(report.since)} to {_day(report.until)}"


def summary(report: GapReport) -> str:
    """The numbers of the whole time."""
    return (
        f"{_count(report.asked, 'question')} asked: {report.unanswered:,} without an answer, "
        f"{report.bad:,} answered badly."
    )


def counts(topic: GapTopic) -> str:
    """The numbers of one topic."""
    said = [f"asked {_times(topic.asked)} by {_people(topic.people)}"]
    said += [f"{topic.unanswered:,} without an answer"] if topic.unanswered else []
    said += [f"{topic.bad:,} answered badly"] if topic.bad else []
    said += [f"{topic.before:,} in the time before"] if topic.before else []
    said += [f"{topic.unquoted:,} of them in private, only counted"] if topic.unquoted else []
    return ", ".join(said)


def advice(topic: GapTopic, owner: str) -> str:
    """Whom to ask for the page that is missing; `owner` is the name of who answers for the document of `topic.ask`."""
    if topic.answered_now and topic.answered_now >= topic.unanswered and not topic.bad:
        return (
            f"Would be answered now, from “{_path(topic.nearest[0])}”." if topic.nearest else "Would be answered now."
        )
    document = topic.ask
    if document is not None and owner:
        return f"Ask {owner}, who answers for “{_path(document)}”."
    if topic.nearest:
        near = topic.nearest[0]
        return f"Nobody is named for it. The nearest is “{_path(near)}” of the source “{near.source}”."
    return "No document comes near: this page is missing altogether."


def near(topic: GapTopic) -> str:
    """The nearest documents; empty where there are none."""
    return "; ".join(_path(document) for document in topic.nearest)


def also_near(topic: GapTopic) -> str:
    """The nearest documents, where they are several; one is named by the advice."""
    return f" Nearest: {near(topic)}." if len(topic.nearest) > 1 else ""


def changes(report: GapReport) -> list[str]:
    """What changed since the time before; empty where nothing did, as far as one can tell."""
    new = [topic.name for topic in report.topics if topic.is_new]
    said = [f"New: {_listed(new)}"] if new else []
    if report.asked_again:
        answered = len(report.answered_now)
        said.append(
            f"Of {_count(report.asked_again, 'unanswered question')} of the time before, {answered:,} would be "
            "answered now."
        )
    return said


def answered_now(one: AnsweredNow) -> str:
    """One question that would be answered now."""
    return f"“{' '.join(one.question.text.split())}” → {_path(one.document)}"


def rest(report: GapReport, topics: int) -> list[str]:
    """What is only counted, where so many topics are shown."""
    said = []
    if more := report.topics[topics:]:
        failed = sum(topic.unanswered + topic.bad for topic in more)
        said.append(
            f"And {_count(len(more), 'more topic')} with {_count(failed, 'question')} (lorekeeper gaps lists them)."
        )
    if report.hidden_failed:
        said.append(
            f"{_count(report.hidden_failed, 'more question')} without a good answer "
            f"({_count(report.hidden_topics, 'topic')}) came from private places and are only counted."
        )
    if report.left_out:
        said.append(
            f"{_count(report.left_out, 'question')} were left out: they were deleted, or are of people who are not "
            "remembered."
        )
    return said


def _path(document: NearDocument) -> str:
    return " ".join(document.path.split())


def _listed(names: list[str]) -> str:
    shown = "; ".join(names[:_MOST_NAMED])
    return shown if len(names) <= _MOST_NAMED else f"{shown}; and {len(names) - _MOST_NAMED:,} more"


def _day(moment: datetime) -> str:
    return f"{moment.day} {moment:%B}"


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count:,} times"


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count:,} people"


def _count(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"
