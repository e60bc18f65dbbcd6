"""An answer that only its asker sees: shared with the channel, or kept in the asker's direct messages.

Each once. It is shared only where everybody in the channel may read all that it stands on, now as well as then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot import words
from bot.answered import Answered, load_answered
from bot.conversation import load_saved
from bot.copies import CopyKind, adopt_shared, begin_copy, copy_of, set_copy
from bot.errors import SlackRefusedError, SlackSilentError
from bot.learn.signals import write_signal
from bot.slack.answer_menu import menu_blocks
from bot.slack.deliver import Mark
from bot.slack.features import TeamParts
from bot.slack.feedback_form import receipt_message
from bot.slack.limits import shorten
from bot.slack.posting import open_direct_message, post_once, thread_of
from bot.slack.presses import PressWork, whisper
from bot.slack.render import Block, RenderedMessage, note_block, render_answer
from bot.why import may_all_be_read
from knowledge.audience import Audience
from knowledge.database import writing

logger = logging.getLogger(__name__)

_LONGEST_QUESTION = 300


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Puts an answer that only its asker sees where others, or they themselves later, can read it."""

    parts: TeamParts

    def presses(self) -> Mapping[str, PressWork]:
        """What is done with presses that waited."""
        return {"share": self.share, "keep": self.keep}

    def share(self, payload: Mapping[str, Any]) -> None:
        """Post the answer into the thread it belongs to, or into the channel where there is none."""
        answered = load_answered(self.parts.engine, int(payload["answer_id"]))
        if reason := _refusal(answered, payload):
            self._tell(payload, reason)
            return
        assert answered is not None
        if answered.visibility != "ephemeral":
            self._tell(payload, words.SHARED_ALREADY)
            return
        everybody_here = Audience.of_channel(answered.channel)
        if not answered.may_be_read_by(everybody_here) or not may_all_be_read(
            self.parts.engine, answered.id, everybody_here
        ):
            self._tell(payload, words.SHARE_PRIVATE)
            return
        note = note_block(words.shared(shorten(" ".join(answered.question.split()), _LONGEST_QUESTION)))
        message = self._render(answered, tail=menu_blocks(answered.id, "thread"))
        message = replace(message, blocks=[note, *message.blocks])
        # What a command asked has no message and so no thread.
        thread_ts = str(payload["thread_ts"]) or thread_of(self.parts.delivery, answered.channel, answered.thread_ts)
        if self._post(answered, "shared", answered.channel, thread_ts, message, payload):
            adopt_shared(self.parts.engine, answered.id)
            self._tell(payload, words.SHARED)

    def keep(self, payload: Mapping[str, Any]) -> None:
        """Send the answer to its asker's direct messages."""
        answered = load_answered(self.parts.engine, int(payload["answer_id"]))
        if reason := _refusal(answered, payload):
            self._tell(payload, reason)
            return
        assert answered is not None
        if copy_of(self.parts.engine, answered.id, "kept", 0):
            self._tell(payload, words.KEPT_ALREADY)
            return
        try:
            channel = open_direct_message(self.parts.delivery, answered.user)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("answer %d could not be kept: %s", answered.id, error)
            self._tell(payload, words.SOMETHING_WRONG)
            return
        if self._post(answered, "kept", channel, "", self._render(answered), payload):
            self._tell(payload, words.KEPT)

    def _post(
        self,
        answered: Answered,
        kind: CopyKind,
        channel: str,
        thread_ts: str,
        message: RenderedMessage,
        payload: Mapping[str, Any],
    ) -> bool:
        """Post all messages of a copy, each exactly once; what is longer than one message goes on in its thread."""
        engine = self.parts.engine
        for part, one in enumerate((message, *message.overflow)):
            if ts := copy_of(engine, answered.id, kind, part):
                thread_ts = thread_ts or ts
                continue
            is_new = begin_copy(engine, answered.id, kind, part, user=answered.user, channel=channel)
            mark = Mark(nonce=f"{answered.nonce}-{kind}", part=part)
            try:
                ts = post_once(self.parts.delivery, channel, thread_ts, one, mark=mark, look_first=not is_new)
            except (SlackSilentError, SlackRefusedError) as error:
                logger.warning("answer %d could not be %s: %s", answered.id, kind, error)
                self._tell(payload, words.SOMETHING_WRONG)
                return False
            set_copy(engine, answered.id, kind, part, ts)
            thread_ts = thread_ts or ts
        with writing(engine) as connection:
            write_signal(connection, answered.id, str(payload["user"]), "copied")
        return True

    def _render(self, answered: Answered, *, tail: list[Block] | None = None) -> RenderedMessage:
        saved = load_saved(self.parts.engine, answered.id)
        assert saved.answer is not None
        return render_answer(
            saved.answer, link=self.parts.link, feedback_value=str(answered.id), tail=tail if tail is not None else ()
        )

    def _tell(self, payload: Mapping[str, Any], text: str) -> None:
        whisper(
            self.parts.delivery,
            str(payload["channel"]),
            str(payload["thread_ts"]),
            str(payload["user"]),
            receipt_message(text),
        )


def _refusal(answered: Answered | None, payload: Mapping[str, Any]) -> str:
    """Why this is not done; empty where it is."""
    if answered is None or answered.outcome not in ("answered", "abstained", "stopped"):
        return words.ANSWER_GONE
    return words.NOT_YOUR_ANSWER if answered.user != payload["user"] else ""
