"""Tells admins in their channel what the watch over answers noticed: each alert once, through the inbox."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_bolt import App

from bot.inbox import Lease
from bot.learn import words
from bot.learn.alerts import Alert, find_alert, mark_told
from bot.slack.deliver import Mark
from bot.slack.features import TeamParts, Works
from bot.slack.posting import post_once
from bot.slack.render import RenderedMessage, fallback, note_block
from bot.slack.view_parts import paragraph, text

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """Posts alerts that wait in the inbox."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """Nothing of an alert can be pressed."""

    def works(self) -> Works:
        """The watch puts them there."""
        return {"alert": self.tell}

    def tell(self, lease: Lease) -> None:
        """Post one alert, and note that it stands there."""
        alert = find_alert(self.parts.engine, int(lease.payload["alert_id"]))
        if alert is None or alert.told_at is not None:
            return
        mark = Mark(nonce=f"alert-{alert.id}", part=0)
        # An earlier try, or an earlier day's row, may have posted it without hearing of it.
        post_once(
            self.parts.delivery, str(lease.payload["channel"]), "", alert_message(alert), mark=mark, look_first=True
        )
        mark_told(self.parts.engine, alert.id, datetime.now(UTC))
        logger.info("alert %d about %s was told", alert.id, alert.change.measure)


def alert_message(alert: Alert) -> RenderedMessage:
    """The message about one alert."""
    headline, details = words.change_headline(alert.change), words.change_details(alert.change)
    blocks = [
        paragraph(text("📉 " if not alert.change.rose else "📈 "), text(headline, bold=True)),
        note_block(details),
    ]
    return RenderedMessage(text=fallback(f"{headline} {details}"), blocks=blocks)
