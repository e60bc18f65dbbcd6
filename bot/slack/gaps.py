"""Tells a channel each week what was asked in vain, and lets whoever knows write it down.

Once for each week, through the inbox. Quoted is only what was asked in open channels, by people who are remembered;
names are plain text, nobody is called.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from slack_bolt import Ack, App

from bot import words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Lease
from bot.learn import gap_words
from bot.learn.gap_rows import AskedQuestion, find_asked
from bot.learn.gaps import GapReport, GapTopic
from bot.slack.channel_config import open_view
from bot.slack.deliver import Mark
from bot.slack.features import TeamParts, Works
from bot.slack.people_names import name_of
from bot.slack.posting import find_marked, post_once
from bot.slack.presses import container_of, whisper_at
from bot.slack.profiles import is_open, read_place
from bot.slack.render import Block, RenderedMessage, fallback, note_block, render_sentence
from bot.slack.reply import ReplyTo
from bot.slack.save_form import save_form
from bot.slack.view_parts import actions, bullets, button, harmless, header, modal, one_line, paragraph, text
from knowledge.audience import Audience

logger = logging.getLogger(__name__)

WRITE_ACTION: Final = "gap_write"
# With their examples eight topics stay well below what one message holds.
_MOST_TOPICS, _MOST_ANSWERED = 8, 5
_LONGEST_QUESTION, _LONGEST_NAME, _LONGEST_LINE = 200, 80, 400
# Each is a question to Slack, and there are only so many a minute: the others count as private.
_MOST_PLACES = 40
_USER = re.compile(r"[UW][A-Z0-9]{5,}")


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """Posts reports that wait in the inbox, and opens the form for a page that is missing."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """Connect the button."""
        app.action(WRITE_ACTION)(self._on_write)

    def works(self) -> Works:
        """The schedule puts them there."""
        return {"gaps": self.tell}

    def tell(self, lease: Lease) -> None:
        """Post one report where there is something to report, or bring one up to date that stands."""
        finder, channel = self.parts.equipment.gaps, str(lease.payload["channel"])
        if finder is None or lease.payload["team"] != self.parts.team or not self._may_be_told(channel):
            return
        until = str(lease.payload["until"])
        report = finder.report(
            datetime.fromisoformat(until),
            audience=Audience.of_channel(channel),
            may_quote=quoting(self.parts),
            team=self.parts.team,
        )
        owners = [self._owner(topic) for topic in report.topics[:_MOST_TOPICS]]
        message, mark = gaps_message(report, owners), Mark(nonce=f"gaps-{until}", part=0)
        if lease.payload.get("again"):
            self._renew(channel, None if report.is_empty else message, mark)
            return
        if report.is_empty:
            logger.info("no gaps to tell in %s", channel)
            return
        # An earlier try may have posted it without hearing of it.
        post_once(self.parts.delivery, channel, "", message, mark=mark, look_first=True)
        logger.info("%d topics were told in %s", len(report.topics), channel)

    def _renew(self, channel: str, message: RenderedMessage | None, mark: Mark) -> None:
        """Put a report that stands as it is now; what was deleted since is in it no more."""
        ts = find_marked(self.parts.delivery, channel, "", mark)
        if ts is None:
            logger.info("the report %s is not among the newest messages of %s", mark.nonce, channel)
        elif message is None:
            self.parts.delivery.delete(channel, ts)
        else:
            self.parts.delivery.update(channel, ts, message, mark=mark)

    # Bolt reads the names of a listener's parameters.

    def _on_write(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        value = str(body["actions"][0].get("value") or "")
        found = find_asked(self.parts.engine, int(value)) if value.isdecimal() else None
        # Asked again: since the report it may have been deleted, or its channel closed.
        if found is None or not quoting(self.parts)(found[0]):
            if container_of(body).get("channel_id"):
                whisper_at(self.parts.delivery, body, render_sentence(gap_words.GONE))
            else:
                open_view(self.parts, str(body["trigger_id"]), _gone_view())
            return
        question, ts = found
        to = ReplyTo(user=str(body["user"]["id"]), response_url=str(body.get("response_url") or ""))
        meta = json.dumps({"channel": question.channel, "ts": ts} | to.as_payload())
        view = save_form("", meta, title=one_line(question.text, _LONGEST_QUESTION))
        try:
            self.parts.delivery.call("views.open", wait_seconds=0.0, trigger_id=str(body["trigger_id"]), view=view)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the form for question %s did not open: %s", value, error)

    def _may_be_told(self, channel: str) -> bool:
        """Whether only the workspace's own people read a channel; raises where Slack is silent, or knows no such."""
        told = self.parts.delivery.repeat("conversations.info", channel=channel).get("channel")
        if isinstance(told, Mapping) and read_place(told).shared is False:
            return True
        logger.warning("others may read along in %s: gaps are not told there (knowledge.gaps_to)", channel)
        return False

    def _owner(self, topic: GapTopic) -> str:
        """The name of who answers for the nearest document, where somebody does."""
        owner = topic.ask.owner if topic.ask is not None else ""
        return name_of(self.parts, owner) if _USER.fullmatch(owner) else owner


def quoting(parts: TeamParts) -> Callable[[AskedQuestion], bool]:
    """Make the test whether a question's words may be shown to everybody in the workspace."""
    known: dict[str, bool] = {}

    def may_quote(question: AskedQuestion) -> bool:
        if not question.in_the_open or question.team != parts.team:
            return False
        if question.channel not in known:
            asked = len(known) < _MOST_PLACES
            known[question.channel] = asked and is_open(parts.memberships.profiles, question.channel)
        return known[question.channel]

    return may_quote


def gaps_message(report: GapReport, owners: Sequence[str]) -> RenderedMessage:
    """The message about a report; `owners` are the names for its topics, as many as are shown."""
    title, summary = gap_words.headline(report), gap_words.summary(report)
    blocks: list[Block] = [header(title), paragraph(text(summary))]
    lines = [title, summary]
    for topic, owner in zip(report.topics, owners, strict=False):
        blocks += _topic_blocks(topic, owner)
        lines.append(f"{harmless(topic.name, _LONGEST_NAME)}: {gap_words.counts(topic)}")
    changed = [harmless(line, _LONGEST_LINE) for line in gap_words.changes(report)]
    changed += [harmless(gap_words.answered_now(one), _LONGEST_LINE) for one in report.answered_now[:_MOST_ANSWERED]]
    if changed:
        blocks += [paragraph(text(gap_words.SINCE_BEFORE, bold=True)), bullets(changed)]
    rest = gap_words.rest(report, len(owners))
    blocks += [note_block(" ".join(rest))] if rest else []
    return RenderedMessage(text=fallback("\n".join([*lines, *changed, *rest])), blocks=blocks)


def _topic_blocks(topic: GapTopic, owner: str) -> list[Block]:
    mark = f" ({gap_words.NEW})" if topic.is_new else ""
    name = harmless(topic.name, _LONGEST_NAME)
    said = gap_words.advice(topic, harmless(owner, _LONGEST_NAME)) + gap_words.also_near(topic)
    example = str(topic.examples[0].answer_id)
    return [
        paragraph(text(f"{name}{mark}", bold=True), text(f"\n{gap_words.counts(topic)}")),
        bullets(harmless(one.text, _LONGEST_QUESTION) for one in topic.examples),
        note_block(harmless(said, _LONGEST_LINE)),
        actions(button(gap_words.WRITE, WRITE_ACTION, example), block_id=f"gap_{example}"),
    ]


def _gone_view() -> Block:
    return modal(gap_words.WRITE, [note_block(gap_words.GONE)], close=words.FORM_CLOSE)
