"""The playground's page as one simulated person has it open: what it shows them, and what they can press and type.

It knows the page's own socket and actions and nothing else: no token, no database, no bot. One thread each.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from websockets.sync.client import ClientConnection, connect

from bot.sentences import plain

JSON = dict[str, Any]
Found = TypeVar("Found")
ANSWER_SECONDS = 180.0
"""So long a person waits for an answer before they give up."""
# The server ends an idle connection after five seconds; a request that meets that is lost.
_SHORT_LIVED = httpx.Limits(keepalive_expiry=1.0)
MOMENT_SECONDS = 10.0


class NothingCameError(Exception):
    """The page did not show what a person waited for."""


class RefusedError(Exception):
    """The workspace refused what a person did."""


@contextmanager
def open_page(url: str, user: str) -> Iterator[PersonsPage]:
    """Open the page as this person."""
    address = url.replace("http", "ws", 1)
    with (
        httpx.Client(base_url=url, timeout=30, limits=_SHORT_LIVED) as http,
        # A snapshot holds all that the person may see: larger than a socket's usual limit. What nobody has read yet
        # must not stand in the way of closing it, either.
        connect(
            f"{address}playground/socket?user={user}", max_size=None, max_queue=None, proxy=None, compression=None
        ) as socket,
    ):
        page = PersonsPage(http, socket, user)
        page.wait_for(lambda: page.messages or None, MOMENT_SECONDS)
        yield page


class PersonsPage:
    """An open page. What comes in is read while the person waits for something."""

    def __init__(self, http: httpx.Client, socket: ClientConnection, user: str) -> None:
        self._http = http
        self._socket = socket
        self.user = user
        self.messages: dict[str, dict[str, JSON]] = {}
        self.views: list[JSON] = []
        self.home: JSON | None = None

    def act(self, what: str, /, **body: Any) -> JSON:
        """Do something as this person; raises RefusedError."""
        answer: JSON = self._http.post(f"playground/api/{what}", json={"user": self.user, **body}).json()
        if not answer["ok"]:
            raise RefusedError(f"{what} of {self.user}: {answer.get('error')}")
        return answer

    def say(self, channel: str, text: str, thread_ts: str = "") -> str:
        """Type a message; returns its ts."""
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        return str(self.act("say", channel=channel, text=text, **thread)["ts"])

    def wait_for(self, look: Callable[[], Found | None], seconds: float) -> Found:
        """Read what comes in until there is something to see; raises NothingCameError."""
        deadline = time.monotonic() + seconds
        while (found := look()) is None:
            left = deadline - time.monotonic()
            try:
                item = json.loads(self._socket.recv(max(0.0, left)))
            except TimeoutError:
                raise NothingCameError(f"{self.user} waited {seconds:.0f} s in vain") from None
            self._take(item)
        return found

    def thread(self, channel: str, thread_ts: str) -> list[JSON]:
        """The messages of a thread as the page shows them, oldest first."""
        shown = self.messages.get(channel, {}).values()
        return sorted((one for one in shown if thread_ts in (one["ts"], one.get("thread_ts"))), key=lambda m: m["ts"])

    def threads(self, channel: str) -> list[JSON]:
        """The messages that others can be found under, oldest first."""
        shown = self.messages.get(channel, {}).values()
        return sorted((one for one in shown if one.get("reply_count")), key=lambda message: str(message["ts"]))

    def wait_for_answer(self, channel: str, question_ts: str, thread_ts: str) -> JSON:
        """Wait until the bot's finished answer to a question stands below it."""

        def look() -> JSON | None:
            below = self.thread(channel, thread_ts)
            return next((m for m in below if m["ts"] > question_ts and is_answer(m)), None)

        return self.wait_for(look, ANSWER_SECONDS)

    def press_vote(self, channel: str, message: JSON, vote: int) -> None:
        """Press 👍 or 👎 below an answer."""
        block, element = find_element(message["blocks"], "feedback_buttons")
        side = element["positive_button" if vote > 0 else "negative_button"]
        action = {"type": "feedback_buttons", "block_id": block["block_id"], "action_id": element["action_id"]}
        container = {"type": "message", "channel": channel, "ts": message["ts"]}
        self.act("block_action", container=container, action=action | {"value": side["value"]})

    def press(self, container: JSON, blocks: list[JSON], action_id: str, **chosen: Any) -> None:
        """Press a button, or choose something, by its action."""
        block, element = find_element(blocks, action_id)
        action = {"type": element["type"], "block_id": block["block_id"], "action_id": element["action_id"]}
        self.act("block_action", container=container, action=action | chosen)

    def wait_for_view(self) -> JSON:
        """Wait until a form stands open."""
        return self.wait_for(lambda: self.views[-1] if self.views else None, MOMENT_SECONDS)

    def wait_for_home(self) -> JSON:
        """Open the bot's home page and wait for it."""
        self.act("open_home")
        return self.wait_for(lambda: self.home, MOMENT_SECONDS)

    def _take(self, item: JSON) -> None:
        match item["type"]:
            case "snapshot":
                self.messages = {place: {m["ts"]: m for m in shown} for place, shown in item["messages"].items()}
                self.views, self.home = list(item["views"]), item["home"]
            case "message":
                message = item["message"]
                self.messages.setdefault(item["channel"], {})[message["ts"]] = message
            case "message_deleted":
                self.messages.get(item["channel"], {}).pop(item["ts"], None)
            case "home":
                self.home = item["view"]
            case "view":
                self._take_view(item["action"], item["view"])
            case _:
                # Traffic, statuses and new people: nothing that a person in this play acts on.
                pass

    def _take_view(self, action: str, view: JSON) -> None:
        kept = [one for one in self.views if one["id"] != view["id"]]
        self.views = kept if action == "close" else [*kept, view]


def is_answer(message: JSON) -> bool:
    """Whether this is a finished answer: it asks how it was."""
    return not message.get("streaming") and any(
        block["type"] == "context_actions" for block in message.get("blocks", [])
    )


def read_text(message: JSON) -> str:
    """The words of an answer as a person reads them, without the list of its sources.

    A streamed answer is one block of Markdown until the bot puts links to its sources into it.
    """
    parts: list[str] = []
    for block in message.get("blocks", []):
        if block["type"] == "markdown":
            parts.append(plain(block["text"]))
        elif block["type"] == "rich_text":
            parts += _texts([block])
    return " ".join("".join(parts).split())


def find_element(blocks: Iterable[JSON], wanted: str) -> tuple[JSON, JSON]:
    """Find an element by its action or its kind, with the block that it stands in; raises NothingCameError."""
    for block in blocks:
        for element in block.get("elements", []):
            if wanted in (element.get("action_id"), element.get("type")):
                return block, element
    raise NothingCameError(f"there is no {wanted} to press")


def _texts(parts: Iterable[JSON]) -> Iterator[str]:
    for part in parts:
        if "elements" in part:
            yield from _texts(part["elements"])
            yield "\n"
        elif part.get("type") in ("text", "link"):
            yield str(part.get("text") or part.get("url") or "")
