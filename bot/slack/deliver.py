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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.render import POST_OPTIONS, UPDATE_OPTIONS, RenderedMessage

logger = logging.getLogger(__name__)

METADATA_TYPE = "lorekeeper_answer"
CALL_SECONDS = 10
# What Slack itself calls a fault on its side; the call may have been carried out in part.
_SLACK_FAULTS = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
# Slack takes JSON for methods that write, and forms only for those that read.
_FORM_METHODS = frozenset({"conversations.replies", "users.conversations", "users.info"})
_PAGE = 200
_DEFAULT_RETRY_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a message goes: a thread of a channel."""

    channel: str
    thread_ts: str


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
        self._statuses_work = True

    def post(self, place: Place, message: RenderedMessage, *, nonce: str, part: int = 0) -> str:
        """Post a message into a thread, once, and return its ts; SlackSilentError when nobody knows."""
        reply = self.call(
            "chat.postMessage",
            wait_seconds=60.0,
            channel=place.channel,
            thread_ts=place.thread_ts,
            text=message.text,
            blocks=message.blocks,
            metadata={"event_type": METADATA_TYPE, "event_payload": {"nonce": nonce, "part": part}},
            **POST_OPTIONS,
        )
        return str(reply["ts"])

    def find(self, place: Place, *, nonce: str, part: int = 0) -> str | None:
        """Look through the thread for the message with this nonce; newest pages matter, so all are read."""
        cursor = ""
        while True:
            page: dict[str, Any] = {"limit": _PAGE, "cursor": cursor} if cursor else {"limit": _PAGE}
            page |= {"channel": place.channel, "ts": place.thread_ts, "include_all_metadata": True}
            reply = self.repeat("conversations.replies", **page)
            for message in reply.get("messages") or []:
                if _carries(message.get("metadata") or {}, nonce, part):
                    return str(message["ts"])
            cursor = (reply.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return None

    def update(self, channel: str, ts: str, message: RenderedMessage) -> None:
        """Put this content into a message, however often it takes."""
        self.repeat("chat.update", **_content(channel, ts, message))

    def try_update(self, channel: str, ts: str, message: RenderedMessage) -> None:
        """Put this content into a message if that works now; newer content is on its way anyway."""
        if self.wait_for("chat.update") > 0:
            return
        try:
            self.call("chat.update", wait_seconds=0.0, **_content(channel, ts, message))
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("an interim update of %s in %s was not shown: %s", ts, channel, error)

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

    def set_status(self, place: Place, text: str) -> None:
        """Say below the thread what is happening; an empty text clears it. Quietly off where unsupported."""
        if not self._statuses_work:
            return
        try:
            self.call(
                "assistant.threads.setStatus",
                wait_seconds=0.0,
                channel_id=place.channel,
                thread_ts=place.thread_ts,
                status=text,
            )
        except SlackSilentError as error:
            logger.info("a status in %s was not shown: %s", place.channel, error)
        except SlackRefusedError as error:
            logger.info("a status in %s was not shown: %s", place.channel, error)
            if error.code in (
                "unknown_method",
                "missing_scope",
                "not_allowed_token_type",
                "feature_disabled",
            ):
                self._statuses_work = False

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
                    raise SlackSilentError(f"{method} is rate limited for {pause:.0f} s more; try again then.")
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


class Pace:
    """How often one live message may change: the budget is shared by all that are live."""

    def __init__(self, update_seconds: float) -> None:
        self._update_seconds = update_seconds
        self._lock = threading.Lock()
        self._live = 0

    @property
    def seconds(self) -> float:
        """Least time between two updates of one message."""
        with self._lock:
            return self._update_seconds * max(1, self._live)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Count one more live message."""
        with self._lock:
            self._live += 1
        try:
            yield
        finally:
            with self._lock:
                self._live -= 1


class LiveMessage:
    """Shows a message while it changes: the newest only, one call under way at most, in a thread of its own.

    The spine never waits for Slack while the model writes. Leave the context before the final update: then no
    older text can arrive after it.
    """

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._news = threading.Condition()
        self._newest: Callable[[], None] | None = None
        self._over = False
        self._thread = threading.Thread(target=self._run, name="live-message", daemon=True)

    def __enter__(self) -> LiveMessage:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._over = True
            self._news.notify()
        self._thread.join()

    def offer(self, show: Callable[[], None]) -> None:
        """Take what shows the message as it is now: called when its turn comes, or never if newer comes."""
        with self._news:
            self._newest = show
            self._news.notify()

    def _run(self) -> None:
        with self._pace.live():
            while (show := self._next()) is not None:
                try:
                    show()
                except Exception:
                    logger.exception("an interim text could not be shown")
                with self._news:
                    self._news.wait_for(lambda: self._over, timeout=self._pace.seconds)

    def _next(self) -> Callable[[], None] | None:
        with self._news:
            self._news.wait_for(lambda: self._over or self._newest is not None)
            show, self._newest = self._newest, None
            return None if self._over else show


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


def _carries(metadata: dict[str, Any], nonce: str, part: int) -> bool:
    payload = metadata.get("event_payload") or {}
    return metadata.get("event_type") == METADATA_TYPE and payload.get("nonce") == nonce and payload.get("part") == part


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
