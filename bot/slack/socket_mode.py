"""Lines to Slack over Socket Mode: kept open, watched, and opened again when they end or fall silent.

Slack delivers each envelope over one of the open lines; with two of them nothing waits while one is replaced. The
SDK's own client notices a line that was cut only after 50 seconds, so this one stands on `websockets`.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode.request import SocketModeRequest
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from bot.errors import SlackRefusedError, SlackSilentError

logger = logging.getLogger(__name__)

LINES = 2
_OPEN_SECONDS = 10.0
# A line that answers no ping for this long is dead, though it may look open.
_PING_SECONDS = 5.0
_PONG_SECONDS = 10.0
_CLOSE_SECONDS = 1.0
_MOST_BYTES = 16 * 1024 * 1024
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.2, 15.0

Handle = Callable[[SocketModeRequest], dict[str, Any] | None]


class NotTakenError(Exception):
    """The envelope was not taken in: it must not be acknowledged, so that Slack brings it again."""


class SocketMode:
    """The lines of one app; a context of threads that `start` and `stop` begin and end."""

    def __init__(
        self,
        client: WebClient,
        app_token: str,
        handle: Handle,
        *,
        opened: Callable[[datetime | None], None] = lambda _lost_at: None,
        lines: int = LINES,
    ) -> None:
        self._client = client
        self._app_token = app_token
        self._handle = handle
        self._opened = opened
        self._lost_at: datetime | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._open: set[ClientConnection] = set()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="envelope")
        self._threads = [
            threading.Thread(target=self._keep_line, name=f"slack-line-{number}", daemon=True)
            for number in range(lines)
        ]

    @property
    def connected(self) -> bool:
        """Whether envelopes can arrive now."""
        with self._lock:
            return bool(self._open)

    def check(self) -> None:
        """Ask Slack whether the app token is good; raises SlackRefusedError or SlackSilentError."""
        self._ask_address()

    def start(self) -> None:
        """Open the lines, in the background."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Close all lines and wait until what was received is handled."""
        self._stopping.set()
        with self._lock:
            lines = list(self._open)
        for line in lines:
            line.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_CLOSE_SECONDS * 3)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _keep_line(self) -> None:
        pause = _SHORTEST_PAUSE
        while not self._stopping.is_set():
            try:
                self._live()
                pause = _SHORTEST_PAUSE
            except (SlackSilentError, SlackRefusedError, WebSocketException, OSError) as error:
                logger.warning("no line to Slack (%s); again in %.1f s", error, pause)
                # Many bots cut at once must not all come back at once.
                self._stopping.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  not a secret
                pause = min(pause * 2, _LONGEST_PAUSE)
            except Exception:
                logger.exception("a line to Slack stumbled; opening another")
                self._stopping.wait(1.0)

    def _live(self) -> None:
        """Open one line and listen until it ends; a line that never worked raises."""
        with connect(
            self._ask_address(),
            open_timeout=_OPEN_SECONDS,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PONG_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            max_size=_MOST_BYTES,
        ) as line:
            try:
                for text in line:
                    message = json.loads(text)
                    if message.get("type") == "hello":
                        self._greeted(line)
                    elif message.get("type") == "disconnect":
                        logger.info("Slack ends a line (%s)", message.get("reason"))
                        return
                    else:
                        self._pool.submit(self._take, line, message)
                    if self._stopping.is_set():
                        return
            finally:
                with self._lock:
                    self._open.discard(line)
                    if not self._open:
                        self._lost_at = datetime.now(UTC)

    def _greeted(self, line: ClientConnection) -> None:
        with self._lock:
            was_deaf = not self._open
            self._open.add(line)
        logger.info("a line to Slack is open")
        if was_deaf:
            self._opened(self._lost_at)

    def _take(self, line: ClientConnection, message: dict[str, Any]) -> None:
        request = SocketModeRequest.from_dict(message)
        if request is None:
            logger.info("Slack sent a message of an unknown kind (%s)", message.get("type"))
            return
        try:
            payload = self._handle(request)
            acknowledgement = {"envelope_id": request.envelope_id} | ({"payload": payload} if payload else {})
            line.send(json.dumps(acknowledgement))
        except NotTakenError:
            logger.warning("envelope %s was not taken in; Slack will bring it again", request.envelope_id)
        except (WebSocketException, OSError) as error:
            # It is taken in, and when Slack brings it again it is recognised.
            logger.info("envelope %s could not be acknowledged: %s", request.envelope_id, type(error).__name__)
        except Exception:
            logger.exception("envelope %s failed", request.envelope_id)

    def _ask_address(self) -> str:
        try:
            reply = self._client.apps_connections_open(app_token=self._app_token)
        except SlackApiError as error:
            code = str(error.response.get("error") or "")
            if not code or code == "ratelimited" or code.endswith("_error"):
                raise SlackSilentError(f"Slack opens no line now ({code or 'no JSON'})") from error
            raise SlackRefusedError("apps.connections.open", code) from error
        except (SlackClientError, OSError, ValueError) as error:
            raise SlackSilentError(f"Slack did not reply to apps.connections.open ({type(error).__name__})") from error
        return str(reply["url"])
