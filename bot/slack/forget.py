"""A deleted question: its words go first, then our messages in Slack, then the person is told what went."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from slack_bolt import App

from bot import words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.forgetting import ForgottenQuestion, forget_file, forget_question, remove_note_documents, remove_rows
from bot.learn.gaps import renew_reports
from bot.slack.features import TeamParts, Works
from bot.slack.feedback_form import receipt_message
from bot.slack.presses import whisper

logger = logging.getLogger(__name__)


class StillThereError(Exception):
    """Messages of ours stand in Slack although their question was deleted: try again."""


@dataclass(frozen=True, kw_only=True)
class DeletedQuestions:
    """Takes along what came of deleted questions."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """Deletions come as events."""

    def works(self) -> Works:
        """Deletions wait in the inbox."""
        return {"deletion": lambda lease: self.work(lease.payload)}

    def work(self, payload: Mapping[str, Any]) -> None:
        """Take along what came of a deleted message, or of a deleted file."""
        if file := str(payload.get("file") or ""):
            count = forget_file(self.parts.engine, file, self.parts.home)
            logger.info("file %s was deleted in Slack; it was saved in %d notes", file, count)
            return
        self.forget(payload)

    def forget(self, payload: Mapping[str, Any]) -> None:
        """Remove all that came of one deleted message. Raises StillThereError where Slack has to be asked again."""
        channel, ts = str(payload["channel"]), str(payload["ts"])
        found = forget_question(self.parts.engine, str(payload["team"]), channel, ts)
        if found is None or not (found.answer_ids or found.removed.anything):
            return
        self.parts.runs.cancel(found.runs)
        if found.notes and self.parts.home is not None:
            remove_note_documents(self.parts.engine, self.parts.home, found.notes)
        self._remove_messages(found)
        remove_rows(self.parts.engine, found.answer_ids)
        # A report may quote it.
        asked_at = datetime.fromtimestamp(float(ts), UTC)
        renew_reports(self.parts.engine, self.parts.inbox, self.parts.team, asked_at, f"{channel}:{ts}")
        logger.info("question %s in %s was deleted; removed: %s", ts, channel, asdict(found.removed))
        if user := str(payload.get("user") or ""):
            thread_ts = str(payload.get("thread_ts") or "")
            receipt = receipt_message(words.forgot(asdict(found.removed)))
            whisper(self.parts.delivery, channel, thread_ts if thread_ts != ts else "", user, receipt)

    def _remove_messages(self, found: ForgottenQuestion) -> None:
        for channel, ts in found.messages:
            try:
                self.parts.delivery.delete(channel, ts)
            except SlackSilentError as error:
                raise StillThereError(f"message {ts} in {channel}: {error}") from error
            except SlackRefusedError as error:
                logger.warning("message %s in %s stays in Slack: %s", ts, channel, error)
