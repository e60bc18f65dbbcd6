"""Text from a server that speaks the OpenAI chat protocol: llama-server, vLLM, Ollama, or one in the next room.

It sends only what that protocol has, so `repeat_penalty` stays behind. A thread of its own reads each answer,
because a read from the network cannot be interrupted otherwise.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import math
import queue
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from models.errors import GenerationError, GenerationTimeoutError, ModelError, PromptTooLongError
from models.generator import ChatMessage, GenerationOptions
from models.waiting import CANCEL_POLL_SECONDS, raise_if_stopped

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_COUNT_SECONDS = 5.0
_LONGEST_LINE = 1_000_000
# English is about four bytes a token; three errs towards counting too many, which never overfills a context.
_BYTES_PER_TOKEN = 3
_DONE = "[DONE]"


@dataclass(frozen=True, kw_only=True)
class Server:
    """Where the server is and how it is asked."""

    url: str
    """Base URL, as in http://127.0.0.1:8080/v1."""
    model: str
    key: str = field(default="", repr=False)
    context_tokens: int = 4096

    def connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        """Make a connection that is not open yet."""
        address = urlsplit(self.url)
        form = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        return form(address.hostname or "", address.port, timeout=timeout_seconds)

    def headers(self) -> dict[str, str]:
        """Write the headers of every request."""
        authorization = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"Content-Type": "application/json", "Accept": "text/event-stream", **authorization}

    @property
    def path(self) -> str:
        """The path of the base URL, without a slash at its end."""
        return urlsplit(self.url).path.rstrip("/")


@dataclass(frozen=True, kw_only=True)
class _Event:
    kind: Literal["text", "end", "failed", "too_long"]
    text: str = field(default="", repr=False)


class OpenAIServerGenerator:
    """A model behind a server. All methods may be called from several threads; the server decides who waits."""

    def __init__(self, server: Server) -> None:
        """Check the address; nothing is sent before the first use."""
        address = urlsplit(server.url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ModelError(
                f"model.server_url is {server.url!r}, expected a base URL such as http://127.0.0.1:8080/v1"
            )
        self._server = server
        self._closed = False
        self._counts_tokens = True

    @property
    def version(self) -> str:
        """The version in service."""
        return f"{self._server.model}@{urlsplit(self._server.url).netloc}"

    @property
    def context_size(self) -> int:
        """Tokens of prompt and answer together, as the settings say: the protocol has no way to ask."""
        return self._server.context_tokens

    @property
    def tuned(self) -> bool:
        """Whether it learned the form of our prompts; see Generator."""
        return False

    def stream(
        self,
        messages: Sequence[ChatMessage],
        options: GenerationOptions,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        """Yield the text piece by piece; see Generator."""
        raise_if_stopped(cancel)
        if self._closed:
            raise GenerationError(f"The model {self.version} is closed.")
        call = _Call(self._server, _body(self._server.model, messages, options), options.timeout_seconds)
        deadline = time.monotonic() + options.timeout_seconds
        try:
            while (event := call.next_event(deadline, cancel)).kind == "text":
                yield event.text
        finally:
            call.abort()
        if event.kind == "too_long":
            raise PromptTooLongError(f"The prompt does not fit into the model's context: {event.text}")
        if event.kind == "failed":
            raise GenerationError(f"The model server {self._server.url} did not answer: {event.text}")

    def count_tokens(self, text: str) -> int:
        """Count tokens where the server can (llama-server, vLLM); estimate from the length elsewhere."""
        if not text:
            return 0
        if self._counts_tokens:
            try:
                return self._ask_for_count(text)
            except (OSError, http.client.HTTPException, ValueError) as error:
                logger.info("%s does not count tokens (%s); they are estimated", self._server.url, error)
                self._counts_tokens = False
        return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)

    def close(self) -> None:
        """Refuse further calls."""
        self._closed = True

    def _ask_for_count(self, text: str) -> int:
        # llama-server takes `content` and gives `tokens`; vLLM takes `prompt` and gives `count`.
        plain = text.encode("utf-8", "replace").decode("utf-8")
        body = json.dumps({"model": self._server.model, "content": plain, "prompt": plain})
        with contextlib.closing(self._server.connect(_COUNT_SECONDS)) as connection:
            path = f"{self._server.path.removesuffix('/v1')}/tokenize"
            connection.request("POST", path, body, self._server.headers())
            reply = json.loads(connection.getresponse().read())
        if isinstance(reply, dict) and isinstance(reply.get("count"), int):
            return int(reply["count"])
        if isinstance(reply, dict) and isinstance(reply.get("tokens"), list):
            return len(reply["tokens"])
        raise ValueError("its reply has no count")


class _Call:
    """One request, read in a thread; what it says comes out of `next_event`."""

    def __init__(self, server: Server, body: str, timeout_seconds: float) -> None:
        self._server = server
        self._body = body
        self._timeout_seconds = timeout_seconds
        self._events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self._socket: socket.socket | None = None
        self._aborted = False
        threading.Thread(target=self._work, name="model server", daemon=True).start()

    def next_event(self, deadline: float, cancel: threading.Event | None) -> _Event:
        """Wait for the next event; raises GenerationStopped or GenerationTimeoutError."""
        while True:
            raise_if_stopped(cancel)
            with contextlib.suppress(queue.Empty):
                return self._events.get(timeout=CANCEL_POLL_SECONDS)
            if time.monotonic() > deadline:
                raise GenerationTimeoutError(
                    f"The model server {self._server.url} did not finish within {self._timeout_seconds:.0f} seconds."
                )

    def abort(self) -> None:
        """End the request from outside; the server notices and stops its work."""
        self._aborted = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _work(self) -> None:
        try:
            with contextlib.closing(self._server.connect(_CONNECT_SECONDS)) as connection:
                self._request(connection)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._events.put(_Event(kind="failed", text=str(error) or type(error).__name__))
        else:
            self._events.put(_Event(kind="end"))

    def _request(self, connection: http.client.HTTPConnection) -> None:
        connection.connect()
        self._socket = connection.sock
        # Whoever waits gives up first, and says why; this only ends the thread should nobody do so.
        self._socket.settimeout(self._timeout_seconds + _CONNECT_SECONDS)
        if self._aborted:
            return
        connection.request("POST", f"{self._server.path}/chat/completions", self._body, self._server.headers())
        with contextlib.closing(connection.getresponse()) as response:
            if response.status != http.HTTPStatus.OK:
                self._events.put(_refusal(response.status, response.read(_LONGEST_LINE)))
                return
            for text in _texts(response):
                self._events.put(_Event(kind="text", text=text))


def _texts(response: http.client.HTTPResponse) -> Iterator[str]:
    """Read server-sent events until the last; raises ValueError for what is none."""
    while line := response.readline(_LONGEST_LINE):
        name, _, value = line.decode("utf-8").strip().partition(":")
        if name != "data":
            continue
        if value.strip() == _DONE:
            return
        chunk: dict[str, Any] = json.loads(value)
        if "error" in chunk:
            raise ValueError(str(chunk["error"]))
        for choice in chunk.get("choices", ()):
            if text := (choice.get("delta") or {}).get("content"):
                yield str(text)
    raise ValueError("it ended the answer in the middle")


def _refusal(status: int, content: bytes) -> _Event:
    text = content.decode("utf-8", "replace")[:500]
    too_long = status in (400, 413) and "context" in text.lower()
    return _Event(kind="too_long" if too_long else "failed", text=f"{status} {text}")


def _body(model: str, messages: Sequence[ChatMessage], options: GenerationOptions) -> str:
    # A lone surrogate is no text that JSON parsers elsewhere accept.
    contents = [message.content.encode("utf-8", "replace").decode("utf-8") for message in messages]
    stop = {"stop": list(options.stop)} if options.stop else {}
    return json.dumps(
        {
            "model": model,
            "messages": [
                {"role": message.role, "content": content} for message, content in zip(messages, contents, strict=True)
            ],
            "max_tokens": options.max_tokens,
            "temperature": options.temperature,
            "seed": options.seed,
            "stream": True,
            **stop,
        }
    )
