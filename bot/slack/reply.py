"""Words for one person alone, where they used a command or a shortcut: by the address that came with it.

Slack's address works half an hour and five times; after that, or where there is none, it is a direct message.
"""

from __future__ import annotations

import http.client
import logging
from dataclasses import asdict, dataclass
from typing import Any

from slack_sdk.errors import SlackClientError
from slack_sdk.webhook import WebhookClient

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import CALL_SECONDS, Delivery
from bot.slack.limits import TEXT_OBJECT, shorten
from bot.slack.render import POST_OPTIONS, RenderedMessage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class ReplyTo:
    """Who is told something, and where."""

    user: str
    response_url: str = ""

    def as_payload(self) -> dict[str, str]:
        """The form in which it is kept; read back with `ReplyTo(**...)`."""
        return asdict(self)


def reply(delivery: Delivery, to: ReplyTo, message: RenderedMessage) -> None:
    """Tell one person something; that it does not arrive is logged and no failure."""
    if to.response_url and _answered(to.response_url, message):
        return
    try:
        post_directly(delivery, to.user, message)
    except (SlackSilentError, SlackRefusedError) as error:
        logger.warning("a reply to %s was not shown: %s", to.user, error)


def post_directly(delivery: Delivery, user: str, message: RenderedMessage, **more: Any) -> tuple[str, str]:
    """Write a direct message of its own, once; returns its channel and ts."""
    sent = delivery.call(
        "chat.postMessage",
        wait_seconds=30.0,
        channel=user,
        text=message.text,
        **({"blocks": message.blocks} if message.blocks else {}),
        **POST_OPTIONS,
        **more,
    )
    return str(sent["channel"]), str(sent["ts"])


def _answered(url: str, message: RenderedMessage) -> bool:
    try:
        response = WebhookClient(url, timeout=CALL_SECONDS, retry_handlers=[]).send(
            text=message.text,
            blocks=message.blocks or None,
            response_type="ephemeral",
            replace_original=False,
            unfurl_links=False,
            unfurl_media=False,
        )
    except (SlackClientError, OSError, http.client.HTTPException, ValueError) as error:
        logger.info("an answer address did not reply (%s)", type(error).__name__)
        return False
    if response.status_code != http.client.OK:
        logger.info("an answer address refused (%s)", response.status_code)
    return response.status_code == http.client.OK


def lines(*said: str) -> RenderedMessage:
    """Lines of our own words, in Slack's markup; what comes from documents or people in them is `inert` already."""
    text = shorten("\n".join(said), TEXT_OBJECT)
    return RenderedMessage(text=text, blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": text}}])
