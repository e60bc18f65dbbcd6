"""Every call to Slack that an answer needs: posted once, then only updated, at a pace that Slack allows.

`chat.postMessage` is the one call that must not happen twice, so nothing here repeats it by itself: after
a lost reply `find` tells by our metadata whether the message is there. All else may be repeated and is.
Knows messages, not questions; all methods may be called from several threads.
"""

from __future__ import annotations

import http.client
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.errors import SlackBusyError, SlackRefusedError, SlackSilentError
from bot.slack.allowance import Allowance, Capability
from bot.slack.render import POST_OPTIONS, UPDATE_OPTIONS, Block, RenderedMessage

logger = logging.getLogger(__name__)

Reply = TypeVar("Reply")

METADATA_TYPE = "lorekeeper_answer"
CALL_SECONDS = 10
# What Slack itself calls a fault on its side; the call may have been carried out in part.
_SLACK_FAULTS = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
# Slack takes JSON for methods that write, and forms only for those that read.
_FORM_METHODS = frozenset(
    {
        "chat.getPermalink",
        "conversations.info",
        "conversations.members",
        "files.getUploadURLExternal",
        "conversations.replies",
        "files.info",
        "usergroups.users.list",
        "users.conversations",
        "users.info",
        "users.lookupByEmail",
    }
)
# What a message that cannot be shown as it is looks like.
_UNSHOWABLE = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "block_mismatch"}
)
# `chat.update` is refused while a message streams.
_GROWING = "streaming_state_conflict"
_PAGE = 200
_DEFAULT_RETRY_SECONDS = 5.0
# A workspace, or this app in it, lacks what was asked for.
UNSUPPORTED = frozenset(
    {
        "unknown_method",
        "feature_disabled",
        "missing_scope",
        "access_denied",
        "not_allowed",
        "not_allowed_token_type",
        "not_agent_app",
        "method_deprecated",
        "not_subscribed_to_message_stream_stopped",
    }
)
# Tier 3: 50 a minute, and every session that begins must be able to end.
_SESSIONS_A_MINUTE = 22


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a message goes: a thread of a channel."""

    channel: str
    thread_ts: str


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """For whom a message streams: Slack wants to know in channels."""

    user: str
    team: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What tells our messages apart: the answer's nonce and the number of the message."""

    nonce: str
    part: int

    def as_metadata(self) -> dict[str, Any]:
        """Write it as Slack's metadata, which everybody in the workspace may read."""
        return {"event_type": METADATA_TYPE, "event_payload": {"nonce": self.nonce, "part": self.part}}


class Delivery:
    """Slack's Web API as the bot uses it; `stopping` ends every wait."""

    def __init__(
        self,
        client: WebClient,
        *,
        stopping: threading.Event,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._stopping = stopping
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._closed_until: dict[str, float] = {}
        self._statuses = Capability(monotonic=monotonic)
        self._sessions = Capability(monotonic=monotonic)
        self._session_starts = Allowance(_SESSIONS_A_MINUTE, monotonic=monotonic)
        self.streams = Capability(monotonic=monotonic)

    def post(self, place: Place, message: RenderedMessage, *, mark: Mark) -> str:
        """Post a message into a thread, once, and return its ts; SlackSilentError when nobody knows."""
        where = {"channel": place.channel, "thread_ts": place.thread_ts, "metadata": mark.as_metadata()}

        def attempt(form: RenderedMessage) -> str:
            content = {"text": form.text, "blocks": form.blocks, **POST_OPTIONS}
            return str(self.call("chat.postMessage", wait_seconds=60.0, **where, **content)["ts"])

        return _in_some_form(message, attempt)

    def find(self, place: Place, *, mark: Mark) -> str | None:
        """Look through the thread for the message with this mark."""
        for message in self._thread(place):
            if message.get("metadata") and _carries(message["metadata"], mark):
                return str(message["ts"])
        return None

    def find_file(self, place: Place, name: str) -> str | None:
        """Look through the thread for a message with a file of this name."""
        for message in self._thread(place):
            if any(file.get("name") == name for file in message.get("files") or []):
                return str(message["ts"])
        return None

    def find_orphan(self, place: Place, *, author: str, after: str, known: Collection[str]) -> str | None:
        """Look for a stream of ours that nobody knows of: it carries no mark before it is stopped."""
        for message in self._thread(place):
            ours = message.get("user") == author and message.get("bot_id")
            if ours and str(message["ts"]) > after and message["ts"] not in known and _is_unfinished(message):
                return str(message["ts"])
        return None

    def _thread(self, place: Place) -> Iterator[dict[str, Any]]:
        """All messages of a thread: the newest pages matter, so all are read."""
        cursor = ""
        while True:
            page: dict[str, Any] = {"limit": _PAGE, "cursor": cursor} if cursor else {"limit": _PAGE}
            page |= {"channel": place.channel, "ts": place.thread_ts, "include_all_metadata": True}
            reply = self.repeat("conversations.replies", **page)
            yield from reply.get("messages") or []
            cursor = (reply.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return

    def start_stream(self, place: Place, text: str, recipient: Recipient) -> str:
        """Open a message that grows and return its ts; SlackSilentError when nobody knows whether it is there."""
        for_whom = {} if place.channel.startswith("D") else _for_whom(recipient)
        try:
            reply = self.call(
                "chat.startStream",
                wait_seconds=0.0,
                channel=place.channel,
                thread_ts=place.thread_ts,
                markdown_text=text,
                **for_whom,
            )
        except SlackRefusedError as error:
            if error.code in UNSUPPORTED:
                self.streams.refused()
            raise
        return str(reply["ts"])

    def append_stream(self, channel: str, ts: str, text: str) -> None:
        """Add text to a message that grows, once: nobody knows after SlackSilentError whether it is there."""
        self.call("chat.appendStream", wait_seconds=0.0, channel=channel, ts=ts, markdown_text=text)

    def stop_stream(
        self, channel: str, ts: str, *, text: str = "", blocks: Sequence[Block] = (), mark: Mark | None = None
    ) -> None:
        """End the growing of a message; text and blocks come below what it says already."""
        more: dict[str, Any] = {"markdown_text": text} if text else {}
        more |= {"blocks": list(blocks)} if blocks else {}
        more |= {"metadata": mark.as_metadata()} if mark else {}
        self.repeat("chat.stopStream", channel=channel, ts=ts, **more)

    def update(self, channel: str, ts: str, message: RenderedMessage, *, mark: Mark | None = None) -> None:
        """Put this content into a message, however often it takes; one that grows is stopped first."""
        more: dict[str, Any] = {"metadata": mark.as_metadata()} if mark else {}

        def attempt(form: RenderedMessage) -> dict[str, Any]:
            return self.repeat("chat.update", **_content(channel, ts, form), **more)

        try:
            _in_some_form(message, attempt)
        except SlackRefusedError as error:
            if error.code != _GROWING:
                raise
            self._end_stream(channel, ts)
            _in_some_form(message, attempt)

    def try_update(self, channel: str, ts: str, message: RenderedMessage) -> None:
        """Put this content into a message if that works now; newer content is on its way anyway."""
        if self.wait_for("chat.update") > 0:
            return
        try:
            self.call("chat.update", wait_seconds=0.0, **_content(channel, ts, message))
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("an interim update of %s in %s was not shown: %s", ts, channel, error)
            if isinstance(error, SlackRefusedError) and error.code == _GROWING:
                self._end_stream(channel, ts)

    def _end_stream(self, channel: str, ts: str) -> None:
        try:
            self.stop_stream(channel, ts)
        except SlackRefusedError as error:
            # It has ended meanwhile, by itself or by a call whose reply was lost.
            logger.info("the stream %s in %s was not stopped: %s", ts, channel, error)

    def delete(self, channel: str, ts: str) -> None:
        """Remove one of our messages; that it is gone already is fine."""
        try:
            self.repeat("chat.delete", channel=channel, ts=ts)
        except SlackRefusedError as error:
            if error.code != "message_not_found":
                raise

    def whisper(self, place: Place, user: str, message: RenderedMessage) -> None:
        """Say something to one person alone. It is not kept by Slack, so losing it is no failure."""
        try:
            self.call(
                "chat.postEphemeral",
                wait_seconds=5.0,
                channel=place.channel,
                thread_ts=place.thread_ts,
                user=user,
                text=message.text,
                blocks=message.blocks,
                **UPDATE_OPTIONS,
            )
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("a receipt for %s in %s was not shown: %s", user, place.channel, error)

    def whisper_surely(self, channel: str, thread_ts: str | None, user: str, message: RenderedMessage) -> None:
        """Say something to one person alone, a few times rather than not at all."""
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        self.repeat(
            "chat.postEphemeral",
            patience_seconds=4.0,
            channel=channel,
            user=user,
            text=message.text,
            blocks=message.blocks,
            **thread,
            **UPDATE_OPTIONS,
        )

    def set_status(self, place: Place, text: str) -> bool:
        """Say below the thread what is happening; an empty text clears it. False when that was not to be seen."""
        return self._say_if_possible(
            self._statuses,
            "assistant.threads.setStatus",
            channel_id=place.channel,
            thread_ts=place.thread_ts,
            status=text,
        )

    def begin_session(self, place: Place, user: str) -> bool:
        """Show that the bot works in a thread, with Slack's own Stop button where there is one."""
        if not self._session_starts.take():
            return False
        return self._set_session(place, "processing", initiator_user_id=user)

    def end_session(self, place: Place, *, closed: bool = False) -> None:
        """Show that the bot works there no more; `closed`: nothing was said, and nothing follows."""
        self._set_session(place, "closed" if closed else "active")

    def _set_session(self, place: Place, status: str, **more: str) -> bool:
        return self._say_if_possible(
            self._sessions,
            "agents.sessions.setStatus",
            channel_id=place.channel,
            thread_ts=place.thread_ts,
            status=status,
            **more,
        )

    def _say_if_possible(self, capability: Capability, method: str, **arguments: str) -> bool:
        """Call what only adorns: losing it is no failure, and where it is not supported it is left alone."""
        if not capability.works:
            return False
        try:
            self.call(method, wait_seconds=0.0, **arguments)
        except SlackSilentError as error:
            logger.info("%s in %s was not shown: %s", method, arguments["channel_id"], error)
            return False
        except SlackRefusedError as error:
            logger.info("%s in %s was not shown: %s", method, arguments["channel_id"], error)
            if error.code in UNSUPPORTED:
                capability.refused()
            return False
        return True

    def repeat(self, method: str, *, patience_seconds: float = 60.0, **arguments: Any) -> dict[str, Any]:
        """Call a method that may safely happen twice; try again while Slack is silent, then raise."""
        deadline = self._monotonic() + patience_seconds
        pause = 0.5
        while True:
            try:
                remaining = max(0.0, deadline - self._monotonic())
                return self.call(method, wait_seconds=remaining, **arguments)
            except SlackSilentError:
                if self._monotonic() + pause >= deadline or self._stopping.wait(pause):
                    raise
                pause = min(pause * 2, 8.0)

    def call(self, method: str, *, wait_seconds: float, **arguments: Any) -> dict[str, Any]:
        """Call a method once; a rate limit is not a call, so it is waited for up to `wait_seconds`.

        Raises SlackSilentError when no usable reply came, SlackRefusedError when Slack said no.
        """
        deadline = self._monotonic() + wait_seconds
        while True:
            pause = self.wait_for(method)
            if pause > 0:
                if self._monotonic() + pause > deadline or self._stopping.wait(pause):
                    raise SlackBusyError(f"{method} is rate limited for {pause:.0f} s more; try again then.")
                continue
            retry_after = self._attempt(method, arguments)
            if isinstance(retry_after, dict):
                return retry_after
            with self._lock:
                self._closed_until[method] = self._monotonic() + retry_after
            logger.warning("Slack asks to wait %.0f s before %s", retry_after, method)

    def wait_for(self, method: str) -> float:
        """Seconds until Slack accepts this method again."""
        with self._lock:
            return self._closed_until.get(method, 0.0) - self._monotonic()

    def _attempt(self, method: str, arguments: dict[str, Any]) -> dict[str, Any] | float:
        """The reply, or the seconds to wait where Slack limits the rate."""
        try:
            if method in _FORM_METHODS:
                data = self._client.api_call(method, params=arguments).data
            else:
                data = self._client.api_call(method, json=arguments).data
        except SlackApiError as error:
            return _judge(method, error)
        except (SlackClientError, OSError, http.client.HTTPException, ValueError) as error:
            raise SlackSilentError(f"Slack did not reply to {method} ({type(error).__name__}).") from error
        if not isinstance(data, dict):
            raise SlackSilentError(f"Slack's reply to {method} is not JSON.")
        return data


def _content(channel: str, ts: str, message: RenderedMessage) -> dict[str, Any]:
    # `parse` and `link_names` fall back to Slack's own choice on every update that leaves them out; blocks
    # that are left out stay as they were.
    return {
        "channel": channel,
        "ts": ts,
        "text": message.text,
        "blocks": message.blocks,
        **UPDATE_OPTIONS,
    }


def _in_some_form(message: RenderedMessage, attempt: Callable[[RenderedMessage], Reply]) -> Reply:
    """Silence would be worse than a message without its form."""
    *forms, last = message.forms()
    for form in forms:
        try:
            return attempt(form)
        except SlackRefusedError as error:
            if error.code not in _UNSHOWABLE:
                raise
            logger.warning("Slack cannot show a message as it is: %s", error)
    return attempt(last)


def _carries(metadata: dict[str, Any], mark: Mark) -> bool:
    payload = metadata.get("event_payload") or {}
    ours = metadata.get("event_type") == METADATA_TYPE
    return ours and payload.get("nonce") == mark.nonce and payload.get("part") == mark.part


def _is_unfinished(message: dict[str, Any]) -> bool:
    """Whether a message can be a stream that was never stopped by us: no mark, and nothing to press."""
    kinds = {block.get("type") for block in message.get("blocks") or []}
    return not message.get("metadata") and not kinds & {"actions", "context_actions"}


def _for_whom(recipient: Recipient) -> dict[str, str]:
    return {"recipient_user_id": recipient.user, "recipient_team_id": recipient.team}


def _judge(method: str, error: SlackApiError) -> float:
    response: Any = error.response
    status = int(getattr(response, "status_code", None) or response.get("status") or 0)
    headers = getattr(response, "headers", None) or response.get("headers") or {}
    code = str(response.get("error") or "")
    if status == http.HTTPStatus.TOO_MANY_REQUESTS or code == "ratelimited":
        return _seconds(headers.get("Retry-After"))
    if not code or code in _SLACK_FAULTS or status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise SlackSilentError(f"Slack failed at {method} (status {status}, {code or 'no JSON'}).") from error
    raise SlackRefusedError(method, code) from error


def _seconds(header: object) -> float:
    try:
        return max(0.1, float(str(header)))
    except ValueError:
        return _DEFAULT_RETRY_SECONDS
