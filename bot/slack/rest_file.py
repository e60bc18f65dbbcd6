"""Puts what no message has room for into a file below them: uploaded first, where nobody sees it, and shared last."""

from __future__ import annotations

import http.client
import logging
import urllib.request

from bot import words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.deliver import CALL_SECONDS, Delivery, Place

logger = logging.getLogger(__name__)


def stage(delivery: Delivery, name: str, text: str) -> str | None:
    """Upload a text and return the file's id; None where this app may not, or Slack does not take it now."""
    content = text.encode()
    try:
        ticket = delivery.repeat(
            "files.getUploadURLExternal", patience_seconds=20.0, filename=name, length=len(content)
        )
        _send(str(ticket["upload_url"]), content)
    except (SlackRefusedError, SlackSilentError) as error:
        logger.warning("the rest of an answer could not be put into a file: %s", error)
        return None
    return str(ticket["file_id"])


def share(delivery: Delivery, place: Place, file_id: str) -> None:
    """Show an uploaded file in a thread, once: SlackSilentError when nobody knows whether it is there."""
    delivery.call(
        "files.completeUploadExternal",
        wait_seconds=60.0,
        files=[{"id": file_id, "title": words.REST_TITLE}],
        channel_id=place.channel,
        thread_ts=place.thread_ts,
    )


def _send(url: str, content: bytes) -> None:
    if not url.startswith(("https://", "http://")):
        raise SlackSilentError(f"Slack gave an address for an upload that is none: {url[:40]}.")
    request = urllib.request.Request(url, data=content, method="POST")  # noqa: S310  checked above
    request.add_header("Content-Type", "application/octet-stream")
    try:
        with urllib.request.urlopen(request, timeout=CALL_SECONDS):  # noqa: S310  checked above
            pass
    except (OSError, http.client.HTTPException) as error:
        raise SlackSilentError(f"Slack did not take an upload ({type(error).__name__}).") from error
