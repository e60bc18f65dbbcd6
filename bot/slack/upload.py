"""Sends a file to Slack, for one person or for a picture on a page; the only module that does."""

from __future__ import annotations

import http.client
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.errors import SlackRefusedError, SlackSilentError

_METHOD = "files.completeUploadExternal"
# A later try may work.
_NOT_NOW = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited"})


def upload(client: WebClient, *, name: str, content: bytes, title: str, to: str = "", alt_text: str = "") -> str:
    """Upload a file and return its id; `to` is the person or channel that gets it, empty for nobody yet.

    Raises SlackRefusedError where the app may not, SlackSilentError where no usable reply came.
    """
    whom: dict[str, Any] = {"channels": [to]} if to else {}
    try:
        reply = client.files_upload_v2(
            filename=name, content=content, title=title, alt_txt=alt_text or None, request_file_info=False, **whom
        )
    except SlackApiError as error:
        code = str(error.response.get("error") or "")
        if not code or code in _NOT_NOW:
            raise SlackSilentError(f"Slack did not take the file {name} ({code or 'no reason given'}).") from error
        raise SlackRefusedError(_METHOD, code) from error
    except (SlackClientError, OSError, http.client.HTTPException, ValueError) as error:
        raise SlackSilentError(f"Slack did not take the file {name} ({type(error).__name__}).") from error
    files = reply.get("files") or []
    if not files:
        raise SlackSilentError(f"Slack took the file {name} but did not say under which id.")
    return str(files[0]["id"])
