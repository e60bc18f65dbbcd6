"""The generator behind a server, against a real HTTP server on this machine whose model is scripted."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from models.errors import GenerationError, GenerationStopped, GenerationTimeoutError, ModelError, PromptTooLongError
from models.generator import ChatMessage, GenerationOptions, Generator
from models.openai_server import OpenAIServerGenerator, Server
from tests.contracts.generator import LONG_ANSWER, SHORT, STOPS_WITHIN_SECONDS, GeneratorContract, ask
from tests.fakes import ScriptedGenerator

Answer = Callable[["ChatHandler", dict[str, Any]], None]


class ChatServer(ThreadingHTTPServer):
    """Keeps what was asked; `answer` decides what is said."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), ChatHandler)
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any], str | None]] = []


class ChatHandler(BaseHTTPRequestHandler):
    """Speaks just enough HTTP."""

    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers["Authorization"]))
        with contextlib.suppress(OSError):
            self.server.answer(self, body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def reply(self, status: int, content: str, kind: str = "application/json") -> None:
        """Send a whole reply."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(content.encode())

    def send_piece(self, text: str | None) -> None:
        """Send one event of the stream."""
        chunk = {"choices": [{"delta": {"content": text}}]}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


def scripted(model: ScriptedGenerator) -> Answer:
    """Let a scripted generator answer, as llama-server would."""

    def answer(handler: ChatHandler, body: dict[str, Any]) -> None:
        if handler.path == "/tokenize":
            handler.reply(200, json.dumps({"tokens": [0] * model.count_tokens(body["content"])}))
            return
        messages = [ChatMessage(**message) for message in body["messages"]]
        options = GenerationOptions(max_tokens=body["max_tokens"], stop=tuple(body.get("stop", ())))
        try:
            with contextlib.closing(model.stream(messages, options)) as pieces:  # type: ignore[type-var]
                first = next(pieces, None)
                handler.reply(200, "", "text/event-stream")
                handler.send_piece(None)
                handler.send_piece(first)
                for piece in pieces:
                    handler.send_piece(piece)
        except PromptTooLongError as error:
            handler.reply(400, json.dumps({"error": {"message": f"exceeds the context: {error}"}}))
            return
        handler.wfile.write(b"data: [DONE]\n\n")

    return answer


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[ChatServer]:
    """Run a server for the length of a test."""
    with ChatServer(answer) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def client(server: ChatServer, key: str = "") -> OpenAIServerGenerator:
    """Connect to it."""
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    return OpenAIServerGenerator(Server(url=url, model="tiny", key=key))


class TestContract(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Iterator[Generator]:
        with serving(scripted(ScriptedGenerator("Once upon a time " * 200, seconds_per_token=0.01))) as server:
            yield client(server)


def test_what_is_sent() -> None:
    with serving(scripted(ScriptedGenerator("yes"))) as server:
        options = GenerationOptions(max_tokens=5, temperature=0.5, seed=7, stop=("END",))
        assert "".join(client(server, key="secret").stream(ask("really?"), options)) == "yes"
        ((path, body, authorization),) = server.asked
    assert (path, authorization) == ("/v1/chat/completions", "Bearer secret")
    assert body["messages"][-1] == {"role": "user", "content": "really?"}
    assert (body["max_tokens"], body["temperature"], body["seed"], body["stop"]) == (5, 0.5, 7, ["END"])


def test_stopping_reaches_a_server_that_is_still_silent() -> None:
    """It reads a long prompt and has sent nothing, not even headers."""
    hung_up = threading.Event()

    def silent(handler: ChatHandler, _body: dict[str, Any]) -> None:
        handler.connection.recv(1)
        hung_up.set()

    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    with serving(silent) as server:
        started = time.monotonic()
        with pytest.raises(GenerationStopped):
            next(client(server).stream(LONG_ANSWER, SHORT, cancel))
        assert time.monotonic() - started < 0.1 + STOPS_WITHIN_SECONDS
        assert hung_up.wait(5)


def test_a_server_that_takes_too_long() -> None:
    def wait(handler: ChatHandler, _body: dict[str, Any]) -> None:
        handler.connection.recv(1)

    with serving(wait) as server, pytest.raises(GenerationTimeoutError):
        next(client(server).stream(LONG_ANSWER, GenerationOptions(timeout_seconds=0.2)))


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, "broken"),
        (401, "who are you"),
        (200, 'data: {"error": "out of memory"}\n\n'),
        (200, "data: nonsense\n\n"),
        (200, 'data: {"choices": []}\n\n'),
    ],
)
def test_a_server_that_fails(status: int, content: str) -> None:
    with (
        serving(lambda handler, _body: handler.reply(status, content)) as server,
        pytest.raises(GenerationError, match="did not answer"),
    ):
        list(client(server).stream(LONG_ANSWER, SHORT))


def test_a_server_that_is_not_there() -> None:
    with serving(scripted(ScriptedGenerator())) as server:
        generator = client(server)
    with pytest.raises(GenerationError, match="did not answer"):
        list(generator.stream(LONG_ANSWER, SHORT))
    assert generator.count_tokens("twelve bytes") == 4


def test_a_server_that_counts_as_vllm_does() -> None:
    with serving(lambda handler, _body: handler.reply(200, '{"count": 42}')) as server:
        assert client(server).count_tokens("whatever") == 42


def test_an_address_that_is_none() -> None:
    with pytest.raises(ModelError, match="localhost:8080"):
        OpenAIServerGenerator(Server(url="localhost:8080", model="tiny"))
