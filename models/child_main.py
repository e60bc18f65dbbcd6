"""The model process: `python -m models.child_main` reads requests on its standard input, answers on its output.

It knows nothing of Slack, documents or the database, and has no credentials. It ends when its input ends, so it
cannot outlive the bot.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from models.errors import GenerationStopped, ModelError
from models.llama import LlamaModel, requantize
from models.wire import (
    LONGEST_LINE,
    CancelRequest,
    CountRequest,
    GenerateRequest,
    LoadRequest,
    Reply,
    Request,
    ScoreRequest,
    decode_request,
    encode_reply,
)

# Every reply wakes two threads of the bot on the cores that llama.cpp computes on. Nobody reads 20 pieces a second.
_SAY_EVERY_SECONDS = 0.05


class ModelServer:
    """Works off requests one after another; a second thread listens, so that stopping and counting need not wait."""

    def __init__(self, model: LlamaModel, requests: BinaryIO, replies: BinaryIO) -> None:
        self._model = model
        self._requests = requests
        self._replies = replies
        self._sending = threading.Lock()
        self._waiting: queue.SimpleQueue[GenerateRequest | ScoreRequest] = queue.SimpleQueue()
        self._cancelling = threading.Lock()
        self._cancelled: set[int] = set()
        self._working_on = 0

    def run(self) -> None:
        """Serve until the input ends."""
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        while True:
            request = self._waiting.get()
            try:
                self._work(request)
            except GenerationStopped:
                self.send(Reply(kind="end", id=request.id))
            except ModelError as error:
                self.send(Reply(kind="error", id=request.id, text=str(error)))

    def send(self, reply: Reply) -> None:
        """Write one reply; from any thread."""
        with self._sending:
            self._replies.write(encode_reply(reply))
            self._replies.flush()

    def _work(self, request: GenerateRequest | ScoreRequest) -> None:
        self._begin(request.id)
        self.send(Reply(kind="alive", id=request.id))
        prompt = self._model.prompt_batches(request.messages)
        answer = self._model.answer_tokens(request.answer) if isinstance(request, ScoreRequest) else []
        length = sum(map(len, prompt)) + len(answer)
        if length >= self._model.context_size:
            self.send(Reply(kind="too_long", id=request.id, number=length))
        elif isinstance(request, ScoreRequest):
            self._score(request, prompt, answer)
        else:
            self._generate(request, prompt)

    def _score(self, request: ScoreRequest, prompt: list[list[int]], answer: list[int]) -> None:
        for scores in self._model.score(prompt, answer):
            if scores is None:
                self.send(Reply(kind="alive", id=request.id))
            else:
                self.send(Reply(kind="scores", id=request.id, numbers=scores))
        self.send(Reply(kind="end", id=request.id))

    def _generate(self, request: GenerateRequest, prompt: list[list[int]]) -> None:
        said, said_at = "", 0.0
        for text in self._model.generate(prompt, request.options):
            said += text
            if not said:
                self.send(Reply(kind="alive", id=request.id))
            elif (now := time.monotonic()) - said_at > _SAY_EVERY_SECONDS:
                self.send(Reply(kind="text", id=request.id, text=said))
                said, said_at = "", now
        if said:
            self.send(Reply(kind="text", id=request.id, text=said))
        self.send(Reply(kind="end", id=request.id))

    def _count(self, request: CountRequest) -> None:
        try:
            number = self._model.count_tokens(request.text)
        except ModelError as error:
            self.send(Reply(kind="error", id=request.id, text=str(error)))
        else:
            self.send(Reply(kind="count", id=request.id, number=number))

    def _begin(self, request_id: int) -> None:
        with self._cancelling:
            self._working_on = request_id
            self._model.allow()
            if request_id in self._cancelled:
                self._model.stop()
            self._cancelled = {cancelled for cancelled in self._cancelled if cancelled > request_id}

    def _cancel(self, request_id: int) -> None:
        with self._cancelling:
            if request_id == self._working_on:
                self._model.stop()
            elif request_id > self._working_on:
                self._cancelled.add(request_id)

    def _listen(self) -> None:
        try:
            while line := self._requests.readline(LONGEST_LINE):
                self._accept(decode_request(line))
        finally:
            os._exit(0)  # the bot is gone or talks nonsense; the other thread may be deep inside llama.cpp

    def _accept(self, request: Request) -> None:
        match request:
            case GenerateRequest() | ScoreRequest():
                self._waiting.put(request)
            case CancelRequest():
                self._cancel(request.id)
            case CountRequest():
                self._count(request)
            case LoadRequest():
                os._exit(2)  # a process loads one model


def main() -> None:
    """Load what the first line says, then serve; or, given `requantize SOURCE TARGET TYPE THREADS`, do that."""
    if sys.argv[1:2] == ["requantize"]:
        source, target, quantization, threads = sys.argv[2:]
        requantize(Path(source), Path(target), quantization, int(threads))
        return
    requests = sys.stdin.buffer
    # What a C library prints must not get between the replies: they have a descriptor of their own from here on.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    load = decode_request(requests.readline(LONGEST_LINE))
    if not isinstance(load, LoadRequest):
        sys.exit(2)
    try:
        model = LlamaModel(load)
    except ModelError as error:
        replies.write(encode_reply(Reply(kind="failed", text=str(error))))
        replies.flush()
        sys.exit(1)
    server = ModelServer(model, requests, replies)
    server.send(Reply(kind="ready", number=model.context_size))
    server.run()


if __name__ == "__main__":
    main()
