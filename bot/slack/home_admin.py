"""The other side of the home page, for admins, in parts that one turns to: sources, who sees what, answers, and so on.

Pure: what is known comes in, a view within Slack's limits goes out. Who may see which row was decided before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, get_args

from bot import words
from bot.channels import ConfiguredChannel
from bot.chart import votes_as_text
from bot.curated import Curated
from bot.learn import gap_words, version_words
from bot.learn import words as learning
from bot.learn.advise import LEAST_FAILURES, Advice
from bot.learn.alerts import Alert
from bot.learn.board import Board
from bot.learn.topics import Topic
from bot.notes import SavedNote
from bot.overview import QueueState, Unanswered, WeekVotes
from bot.slack.gaps import WRITE_ACTION
from bot.slack.home_review import review_part
from bot.slack.home_sources import AdminSource, sources_part
from bot.slack.limits import BLOCKS_OF_VIEW
from bot.slack.render import Block, note_block
from bot.slack.view_parts import (
    DIVIDER,
    actions,
    bullets,
    button,
    confirmation,
    header,
    one_line,
    paragraph,
    person,
    plain,
    preformatted,
    section,
    text,
)
from bot.slack.view_parts import channel as channel_name
from bot.slack.view_parts import field as form_field
from bot.threshold import Threshold

PERSON_ACTION: Final = "home_person"
PART_ACTION: Final = "home_part"
"""With the part behind it: what is pressed in one row has an id of its own."""
DOCUMENT_ACTION: Final = "home_who_sees"
READER_ACTION: Final = "home_sees_what"
CHANNEL_ACTION: Final = "home_channel"
CHANNEL_EDIT_ACTION: Final = "home_channel_edit"
PROMOTE_ACTION: Final = "home_version_promote"
ROLL_BACK_ACTION: Final = "home_version_roll_back"
MOST_QUESTIONS, MOST_CHANNELS = 10, 20
MOST_ALERTS, MOST_TOPICS = 3, 8
_LONGEST_LINE = 200
_LONGEST_TEXT = 600
_LONGEST_TITLE_ASKED = 200
Part = Literal["sources", "readers", "answers", "questions", "review", "channels"]
PARTS: Final[tuple[Part, ...]] = get_args(Part)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Where on this side of the page somebody is; the page carries it from press to press."""

    part: Part = "sources"
    first: int = 0
    """The place of the first source that is shown."""

    @property
    def as_metadata(self) -> str:
        """As the page carries it."""
        return f"{self.part}:{self.first}"

    @classmethod
    def parse(cls, metadata: str) -> Opened:
        """Read what a page carried; the beginning where it is none of ours."""
        name, _, first = metadata.partition(":")
        part: Part = next((one for one in PARTS if one == name), "sources")
        return cls(part=part, first=int(first) if first.isdecimal() else 0)


@dataclass(frozen=True, kw_only=True)
class AdminContent:
    """Everything that the opened part says, and what waits in the others."""

    opened: Opened = Opened()
    waiting: Mapping[Part, int] = field(default_factory=dict)
    """How much waits for an admin, by part."""
    sources: Sequence[AdminSource] = ()
    """Those that are shown."""
    known_sources: int = 0
    """All that this admin may read."""
    hidden_sources: int = 0
    """Sources that this admin may not read."""
    queue: QueueState | None = None
    weeks: Sequence[WeekVotes] = ()
    picture: str = ""
    """The id of the picture of `weeks`, where there is one."""
    questions: Sequence[Unanswered] = ()
    writable: frozenset[int] = frozenset()
    """Questions, by their answers, that may be quoted to everybody: whoever knows can write it down."""
    hidden_questions: int = 0
    notes: Sequence[SavedNote] = ()
    hidden_notes: int = 0
    curated: Sequence[Curated] = ()
    channels: Sequence[ConfiguredChannel] = ()
    notice: str = ""
    notice_at: str = ""
    """The source that was pressed: the notice stands with it, where whoever pressed looks; else on top."""
    threshold: Threshold | None = None
    """From which estimate on there is an answer; None where nobody knows."""
    versions: Board | None = None
    """What is in use of the model's versions; None where none was ever made."""
    alerts: Sequence[Alert] = ()
    advice: Advice | None = None
    """None where it is not worked out yet."""
    advises: bool = False
    """Whether somebody works it out."""
    topics: Sequence[Topic] = ()
    """The unanswered topics, as this admin may see them."""


def admin_view(content: AdminContent, *, now: datetime) -> Block:
    """Build the view for `views.publish`."""
    opened = content.opened
    on_top = content.notice and content.notice_at not in {source.id for source in content.sources}
    blocks = [
        *([note_block(content.notice)] if on_top else []),
        header(words.ADMIN_TITLE),
        section(words.ADMIN_INTRODUCTION, button(words.HOME_BACK, PERSON_ACTION)),
        actions(*(_part_button(part, content) for part in PARTS)),
        *_PARTS[opened.part](content, now),
    ]
    return {"type": "home", "private_metadata": opened.as_metadata, "blocks": blocks[:BLOCKS_OF_VIEW]}


def _part_button(part: Part, content: AdminContent) -> Block:
    name, count = words.ADMIN_PARTS[part], content.waiting.get(part, 0)
    style = "primary" if part == content.opened.part else ""
    return button(f"{name} ({count:,})" if count else name, f"{PART_ACTION}_{part}", style=style)


def _sources(content: AdminContent, _now: datetime) -> list[Block]:
    return sources_part(
        content.sources,
        first=content.opened.first,
        known=content.known_sources,
        hidden=content.hidden_sources,
        notices={content.notice_at: content.notice},
    )


def _readers(_content: AdminContent, _now: datetime) -> list[Block]:
    """Two questions: who can see a document, and what a person can see. The answers open in front of the page."""
    title: Block = {
        "type": "plain_text_input",
        "placeholder": plain(words.READERS_DOCUMENT_EXAMPLE, 150),
        "max_length": _LONGEST_TITLE_ASKED,
        "dispatch_action_config": {"trigger_actions_on": ["on_enter_pressed"]},
    }
    someone: Block = {"type": "users_select", "placeholder": plain(words.READERS_PERSON_CHOOSE, 150)}
    return [
        dict(DIVIDER),
        header(words.READERS_TITLE),
        _asked(DOCUMENT_ACTION, words.READERS_DOCUMENT_LABEL, title, words.READERS_DOCUMENT_HINT),
        _asked(READER_ACTION, words.READERS_PERSON_LABEL, someone, words.READERS_PERSON_HINT),
        note_block(words.READERS_LIMITS),
    ]


def _asked(action: str, label: str, element: Block, hint: str) -> Block:
    """A field that acts as soon as it is filled."""
    return form_field(action, label, element, hint=hint, optional=False) | {"dispatch_action": True}


def _answers(content: AdminContent, now: datetime) -> list[Block]:
    return [
        *([] if content.queue is None else _queue(content.queue, now)),
        *_votes(content),
        *_threshold(content.threshold),
        *_versions(content.versions),
        *_alerts(content.alerts, now),
    ]


def _open_questions(content: AdminContent, now: datetime) -> list[Block]:
    return [*_questions(content, now), *_advice(content)]


def _review(content: AdminContent, _now: datetime) -> list[Block]:
    return review_part(content.notes, content.hidden_notes, content.curated)


def _queue(queue: QueueState, now: datetime) -> list[Block]:
    return [dict(DIVIDER), header(words.ADMIN_QUEUE_TITLE), section(words.admin_queue(queue, now))]


def _votes(content: AdminContent) -> list[Block]:
    blocks: list[Block] = [dict(DIVIDER), header(words.ADMIN_VOTES_TITLE)]
    good, bad = sum(week.good for week in content.weeks), sum(week.bad for week in content.weeks)
    summary = words.admin_votes(good, bad)
    if not good + bad:
        return [*blocks, section(summary)]
    if content.picture:
        picture: Block = {"type": "image", "alt_text": summary, "slack_file": {"id": content.picture}}
        return [*blocks, picture, section(summary)]
    return [*blocks, section(summary), preformatted(votes_as_text(content.weeks))]


def _threshold(threshold: Threshold | None) -> list[Block]:
    if threshold is None:
        return []
    return [note_block(words.threshold_line(threshold.value, threshold.setting, threshold.votes))]


def _versions(board: Board | None) -> list[Block]:
    """What is in service and what is tried out, with their figures, and one button each for forward and back."""
    if board is None:
        return []
    figures, service = board.service_figures, board.service.name if board.service else ""
    said = version_words.in_service_line(service, figures.good, figures.bad, figures.answers)
    blocks: list[Block] = [dict(DIVIDER), header(version_words.VERSIONS_TITLE), section(one_line(said, _LONGEST_TEXT))]
    if board.canary is not None and board.verdict is not None:
        tried = version_words.canary_line(board.canary.name, board.canary.share, len(board.canary.channels))
        blocks.append(section(f"{tried}\n{version_words.verdict_line(board.verdict)}"))
    if board.candidate is not None:
        blocks.append(section(version_words.candidate_line(board.candidate.name)))
    if (refused := board.refused) is not None:
        rules = [str(one["rule"]) for one in (refused.gate or {}).get("refusals", ())]
        blocks.append(note_block(version_words.refused_line(refused.name, rules)))
    buttons = [*_promote_button(board), *_roll_back_button(board)]
    return [*blocks, *([actions(*buttons)] if buttons else [])]


def _promote_button(board: Board) -> list[Block]:
    version = board.canary or board.candidate
    if version is None:
        return []
    title = version_words.VERSION_PROMOTE
    asked = confirmation(title, version_words.promote_question(version.name), title, version_words.VERSION_CANCEL)
    return [button(title, PROMOTE_ACTION, version.name, style="primary", confirm=asked)]


def _roll_back_button(board: Board) -> list[Block]:
    version = board.canary or board.service
    if version is None:
        return []
    service = board.service.name if board.service else ""
    now = service if board.canary is not None else board.before
    title = version_words.VERSION_ROLL_BACK
    question = version_words.roll_back_question(version.name, now)
    asked = confirmation(title, question, title, version_words.VERSION_CANCEL)
    return [button(title, ROLL_BACK_ACTION, version.name, style="danger", confirm=asked)]


def _alerts(alerts: Sequence[Alert], now: datetime) -> list[Block]:
    if not alerts:
        return []
    blocks: list[Block] = [header(learning.ALERTS_TITLE)]
    for alert in alerts[:MOST_ALERTS]:
        said = f"{learning.change_details(alert.change)} · {words.ago(alert.created_at, now)}"
        blocks.append(paragraph(text(f"{learning.change_headline(alert.change)}\n", bold=True), text(said)))
    return blocks


def _advice(content: AdminContent) -> list[Block]:
    if not content.advises:
        return []
    blocks: list[Block] = [dict(DIVIDER), header(learning.ADVICE_TITLE)]
    advice = content.advice
    if advice is None:
        return [*blocks, note_block(learning.ADVICE_COMING)]
    blocks.append(section(learning.advice_headline(advice.best, advice.failed, LEAST_FAILURES)))
    if advice.failed < LEAST_FAILURES:
        # What so few say would read as more than it is.
        return [*blocks, *_topics(content.topics)]
    lines = [
        f"{learning.LEVER_NAMES[one.lever]}: {learning.lever_line(one.likely, advice.failed, one.low, one.high)}"
        for one in advice.levers
    ]
    blocks.append(bullets(lines))
    rest = learning.unexplained(advice.unknown, advice.left_out)
    blocks.append(note_block(" ".join(filter(None, (learning.tuning_or_knowledge(advice.knowledge_ahead), rest)))))
    return [*blocks, *_topics(content.topics)]


def _topics(topics: Sequence[Topic]) -> list[Block]:
    if not topics:
        return []
    named = [f"{topic.count} × {one_line(topic.name, _LONGEST_LINE)}" for topic in topics[:MOST_TOPICS]]
    return [paragraph(text(learning.TOPICS_TITLE, bold=True)), bullets(named)]


def _questions(content: AdminContent, now: datetime) -> list[Block]:
    blocks: list[Block] = [dict(DIVIDER), header(words.ADMIN_QUESTIONS_TITLE)]
    for question in content.questions[:MOST_QUESTIONS]:
        said = one_line(question.question, _LONGEST_LINE) or words.UNTITLED
        why = f"{words.ADMIN_WHY[question.why]} · {words.ago(question.asked_at, now)} · "
        blocks.append(paragraph(text(f"{said}\n", bold=True), text(why), channel_name(question.channel)))
        if question.answer_id in content.writable:
            blocks.append(actions(button(gap_words.WRITE, WRITE_ACTION, str(question.answer_id))))
    if not content.questions:
        blocks.append(note_block(words.ADMIN_NO_QUESTIONS))
    if content.hidden_questions:
        blocks.append(note_block(words.admin_hidden(content.hidden_questions)))
    return blocks


def _channels(content: AdminContent, now: datetime) -> list[Block]:
    channels = content.channels
    pick: Block = {
        "type": "conversations_select",
        "action_id": CHANNEL_ACTION,
        "placeholder": plain(words.ADMIN_CHANNEL_CHOOSE, 150),
        "filter": {"include": ["public", "private"]},
    }
    title = [dict(DIVIDER), header(words.ADMIN_CHANNELS_TITLE)]
    blocks: list[Block] = [*title, section(words.ADMIN_CHANNELS_ABOUT), actions(pick)]
    for one in channels[:MOST_CHANNELS]:
        when = words.ago(one.changed_at, now) if one.changed_at else ""
        facts = [text(f"  {words.channel_facts(one.settings)} · {words.ADMIN_CHANGED_BY} ")]
        facts += [person(one.changed_by)] if one.changed_by else [text("?")]
        blocks.append(paragraph(channel_name(one.channel), *facts, text(f" {when}")))
        blocks.append(actions(button(words.ADMIN_CHANNEL_EDIT, CHANNEL_EDIT_ACTION, one.channel)))
    rest = len(channels) - MOST_CHANNELS
    return [*blocks, *([note_block(words.HOME_MORE_SOURCES.format(count=rest))] if rest > 0 else [])]


_PARTS: Mapping[Part, Callable[[AdminContent, datetime], list[Block]]] = {
    "sources": _sources,
    "readers": _readers,
    "answers": _answers,
    "questions": _open_questions,
    "review": _review,
    "channels": _channels,
}
