"""A playground in a thread of the test, with the few moves that the tests make on it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from websockets.sync.client import ClientConnection, connect

from bot.playground.options import PlaygroundOptions, Tokens
from bot.playground.playground import Playground
from bot.playground.serving import PlaygroundServer, address, listen

ADA, BEN, CHLOE, BOT = "U0ADAPARK", "U0BENORTIZ", "U0CHLOELIND", "U0LOREKEEPER"
GENERAL, HELP, PRIVATE = "C0GENERAL", "C0HELP", "C0PRIVATELEADS"
ADA_DM, BEN_DM = "D0ADAPARK", "D0BENORTIZ"
JSON = dict[str, Any]
Found = TypeVar("Found")


class Site:
    """A running playground as a test sees it: from outside, over HTTP and WebSocket."""

    def __init__(self, url: str, tokens: Tokens) -> None:
        self.url = url
        self.api_url = f"{url}api/"
        self.tokens = tokens
        self.http = httpx.Client(base_url=url, timeout=10)

    def client(self, token: str | None = None) -> WebClient:
        """Give the real SDK's client, without its retries."""
        return WebClient(token or self.tokens.bot, base_url=self.api_url, retry_handlers=[])

    def act(self, action: str, /, **body: Any) -> JSON:
        """Do something on the page, which must succeed."""
        answer = self.try_to(action, **body)
        assert answer["ok"], answer
        return answer

    def try_to(self, action: str, /, **body: Any) -> JSON:
        """Do something on the page, which may be refused."""
        found: JSON = self.http.post(f"playground/api/{action}", json=body).json()
        return found

    def say(self, text: str, *, user: str = ADA, channel: str = GENERAL, **more: Any) -> str:
        """Type a message and give its ts."""
        return str(self.act("say", user=user, channel=channel, text=text, **more)["ts"])

    def call(self, method: str, **arguments: Any) -> JSON:
        """Call a method with a JSON body and the bot's token, without any SDK between."""
        headers = {"Authorization": f"Bearer {self.tokens.bot}"}
        answer: JSON = self.http.post(f"api/{method}", json=arguments, headers=headers).json()
        return answer

    def ledger(self, kind: str | None = None, name: str | None = None) -> list[JSON]:
        """List what happened, oldest first."""
        query = {"kind": kind} if kind else {}
        entries: list[JSON] = self.http.get("playground/api/ledger", params=query).json()["entries"]
        return [entry for entry in entries if name in (None, entry["name"])]

    def faults(self, **settings: Any) -> JSON:
        """Set switches for what goes wrong."""
        return self.act("faults", **settings)

    @contextmanager
    def page(self, user: str = ADA) -> Iterator[Listener]:
        """Open the page's socket as this person."""
        address = self.url.replace("http", "ws", 1)
        with connect(f"{address}playground/socket?user={user}") as socket:
            yield Listener(socket)

    @contextmanager
    def app_connection(self) -> Iterator[Listener]:
        """Open one Socket Mode connection by hand and read its greeting."""
        opened = self.client(self.tokens.app).apps_connections_open(app_token=self.tokens.app)
        with connect(opened["url"]) as socket:
            listener = Listener(socket)
            assert listener.read()["type"] == "hello"
            yield listener


class Listener:
    """One WebSocket of a test."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def read(self, timeout: float = 5.0) -> JSON:
        """Read the next message."""
        found: JSON = json.loads(self.socket.recv(timeout))
        return found

    def read_until(self, kind: str, *, timeout: float = 5.0) -> JSON:
        """Read on until a message of this type comes."""
        while True:
            found = self.read(timeout)
            if found["type"] == kind:
                return found

    def acknowledge(self, envelope: JSON, payload: JSON | None = None) -> None:
        """Acknowledge an envelope, with an answer where one is expected."""
        self.socket.send(
            json.dumps({"envelope_id": envelope["envelope_id"]} | ({"payload": payload} if payload else {}))
        )

    def read_all(self, seconds: float = 0.3) -> list[JSON]:
        """Read until nothing more comes."""
        found = []
        while True:
            try:
                found.append(self.read(seconds))
            except TimeoutError:
                return found

    def is_quiet(self, seconds: float = 0.3) -> bool:
        """Tell whether nothing comes for a while."""
        try:
            self.socket.recv(seconds)
        except TimeoutError:
            return True
        return False


@contextmanager
def running(**options: Any) -> Iterator[Site]:
    """Run a playground for the length of a test."""
    settings = PlaygroundOptions(**{"port": 0, **options})
    listener = listen(settings)
    playground = Playground(settings, Tokens.create())
    playground.url = address(settings.host, listener)
    ready = threading.Event()
    server = PlaygroundServer(playground, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    site = Site(playground.url, playground.tokens)
    try:
        assert ready.wait(10)
        yield site
    finally:
        site.http.close()
        server.should_exit = True
        thread.join(10)


def wait_for(look: Callable[[], Found | None], *, seconds: float = 5.0) -> Found:
    """Look again and again until there is something to see."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("nothing came")


def error_of(call: Callable[..., Any], **arguments: Any) -> str:
    """Call a method of the SDK that must be refused, and give Slack's error."""
    try:
        answer = call(**arguments)
    except SlackApiError as error:
        return str(error.response["error"])
    raise AssertionError(f"not refused: {answer}")
