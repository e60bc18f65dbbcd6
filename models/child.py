"""Text from a model in a process of its own: it may crash or hang, and the bot lives on and starts it again.

llama.cpp ends its process on a failed assertion or when memory runs out; no `try` helps against that.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.chat_format import chat_format
from models.errors import (
    GenerationError,
    GenerationTimeoutError,
    ModelFileError,
    ModelMemoryError,
    ModelProcessDiedError,
    PromptTooLongError,
)
from models.generator import ChatMessage, GenerationOptions
from models.gguf import GgufHeader, read_header
from models.hardware import free_memory_bytes, usable_cores
from models.process import DIED, Mailbox, ModelProcess
from models.waiting import CANCEL_POLL_SECONDS, WaitingLine, raise_if_stopped
from models.wire import LoadRequest, Reply

logger = logging.getLogger(__name__)

# A whole batch of a large model on a slow machine takes some seconds; longer silence is a hang.
SILENCE_SECONDS = 45.0
LOAD_SECONDS = 300.0
# Python, llama.cpp's compute buffers and the scores of one token, as measured with the embedded model.
_OVERHEAD_BYTES = 250_000_000
_STOP_SECONDS = 2.0
_SCORE_SECONDS = 120.0
_LONGEST_BACKOFF_SECONDS = 10.0
_DEATHS_PER_PROMPT = 2
_REMEMBERED_PROMPTS = 1000


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """How a model file is run."""

    context_tokens: int = 4096
    gpu_layers: int | None = None
    """None: all of them where there is a GPU, else none."""
    threads: int | None = None
    """None: as many as there are usable cores."""
    chat_format: str = "chatml"
    adapter: Path | None = None
    """A LoRA adapter's GGUF file, made for this very model."""
    tuned: bool | None = None
    """Whether it learned the form of our prompts; None: where it has an adapter."""
    silence_seconds: float = SILENCE_SECONDS
    """Without a sign of life for so long, the process hangs and is ended."""
    memory_bytes: int | None = None
    """None: what is free on this machine."""


class _DiedUnheardError(ModelProcessDiedError):
    """The process ended before it said anything about this request."""


class ChildGenerator:
    """A GGUF model in a child process. All methods may be called from several threads."""

    def __init__(self, path: Path, version: str, runtime: Runtime | None = None) -> None:
        """Check that the model fits, and start to load it; the first use waits. Raises ModelError."""
        self._runtime = runtime or Runtime()
        chat_format(self._runtime.chat_format)  # an unknown name is said here, not by a process that ends
        header = read_header(path)
        self._version = version
        self._context_size = min(self._runtime.context_tokens, header.context_length)
        _require_memory(path, header, self._context_size, self._runtime.memory_bytes)
        self._load = LoadRequest(
            path=str(path),
            context_tokens=self._context_size,
            gpu_layers=self._runtime.gpu_layers,
            threads=self._runtime.threads or usable_cores(),
            chat_format=self._runtime.chat_format,
            adapter=str(self._runtime.adapter or ""),
        )
        self._line = WaitingLine()
        self._lock = threading.Lock()
        self._closed = False
        self._deaths_in_a_row = 0
        self._not_before = 0.0
        self._deaths_by_prompt: dict[bytes, int] = {}
        self._process = ModelProcess(self._load)

    @property
    def version(self) -> str:
        """The version in service."""
        return self._version

    @property
    def context_size(self) -> int:
        """Tokens of prompt and answer together; no more than the model was trained for."""
        return self._context_size

    @property
    def tuned(self) -> bool:
        """Whether it learned the form of our prompts; see Generator."""
        return self._runtime.adapter is not None if self._runtime.tuned is None else self._runtime.tuned

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def process_id(self) -> int:
        """The id of the present model process, for measurements."""
        return self._process.pid

    def wait_until_ready(self, cancel: threading.Event | None = None) -> None:
        """Wait until the model is loaded; raises ModelFileError where it cannot be."""
        self._ready_process(time.monotonic() + LOAD_SECONDS, cancel)

    def stream(
        self,
        messages: Sequence[ChatMessage],
        options: GenerationOptions,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        """Yield the text piece by piece; see Generator. The time-out counts from this call's turn."""
        prompt = _fingerprint(messages)
        with self._line.turn(cancel):
            deadline = time.monotonic() + options.timeout_seconds
            try:
                yield from self._attempt(prompt, messages, options, deadline, cancel)
            except _DiedUnheardError:
                # It may have been dead before the request came; nobody has seen any text yet.
                yield from self._attempt(prompt, messages, options, deadline, cancel)
            self._deaths_in_a_row = 0
            self._deaths_by_prompt.pop(prompt, None)

    def score(
        self, messages: Sequence[ChatMessage], answer: str, *, timeout_seconds: float = _SCORE_SECONDS
    ) -> tuple[float, ...]:
        """The natural log-probability of each token of an answer to these messages, the end of it included.

        Waits its turn. Raises PromptTooLongError or GenerationError.
        """
        with self._line.turn(None):
            deadline = time.monotonic() + timeout_seconds
            process = self._ready_process(deadline, None)
            mailbox = process.score(messages, answer)
            try:
                numbers: tuple[float, ...] = ()
                for reply in self._replies(process, mailbox, deadline, None):
                    if reply.kind == "end":
                        return numbers
                    if reply.kind == "too_long":
                        raise self._too_long(reply.number)
                    if reply.kind == "error":
                        raise GenerationError(reply.text)
                    numbers = reply.numbers or numbers
                raise GenerationError("The model process said nothing.")
            except ModelProcessDiedError:
                self._bury(process)
                raise
            finally:
                process.cancel(mailbox)
                process.forget(mailbox)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text; does not wait for a generation that is going on."""
        process = self._ready_process(time.monotonic() + LOAD_SECONDS, None)
        mailbox = process.count(text)
        try:
            reply = mailbox.replies.get(timeout=self._runtime.silence_seconds)
        except queue.Empty:
            reply = DIED
        finally:
            process.forget(mailbox)
        if reply.kind != "count":
            raise ModelProcessDiedError(reply.text or "The model process ended while it counted tokens; try again.")
        return reply.number

    def close(self) -> None:
        """End the process; harmless when called again."""
        with self._lock:
            self._closed = True
            self._process.close()

    def _attempt(
        self,
        prompt: bytes,
        messages: Sequence[ChatMessage],
        options: GenerationOptions,
        deadline: float,
        cancel: threading.Event | None,
    ) -> Iterator[str]:
        self._refuse_deadly(prompt)
        process = self._ready_process(deadline, cancel)
        mailbox = process.generate(messages, options)
        try:
            yield from self._texts(self._replies(process, mailbox, deadline, cancel))
        except _DiedUnheardError:
            self._bury(process)
            raise
        except ModelProcessDiedError:
            self._bury(process)
            self._suspect(prompt)
            raise
        except GenerationTimeoutError:
            if not _stops(process, mailbox):
                self._bury(process)
                self._suspect(prompt)
            raise
        finally:
            # Harmless after the end; on every other way out it is what stops the work.
            process.cancel(mailbox)
            process.forget(mailbox)

    def _texts(self, replies: Iterator[Reply]) -> Iterator[str]:
        for reply in replies:
            match reply.kind:
                case "text":
                    yield reply.text
                case "end":
                    return
                case "too_long":
                    raise self._too_long(reply.number)
                case "error":
                    raise GenerationError(reply.text)
                case _:
                    continue

    def _too_long(self, tokens: int) -> PromptTooLongError:
        return PromptTooLongError(
            f"The prompt has {tokens} tokens, the context {self._context_size}; "
            "shorten the question, or set model.context_tokens higher."
        )

    def _replies(
        self, process: ModelProcess, mailbox: Mailbox, deadline: float, cancel: threading.Event | None
    ) -> Iterator[Reply]:
        """Yield replies as they come, and notice within a moment that somebody stopped it or nothing comes."""
        silent_until = time.monotonic() + self._runtime.silence_seconds
        heard = False
        while True:
            raise_if_stopped(cancel)
            now = time.monotonic()
            if now > min(deadline, silent_until):
                raise GenerationTimeoutError(
                    f"The model {self._version} did not finish in time; ask for fewer tokens or allow it longer."
                )
            try:
                reply = mailbox.replies.get(timeout=CANCEL_POLL_SECONDS)
            except queue.Empty:
                continue
            if reply is DIED:
                death = ModelProcessDiedError if heard else _DiedUnheardError
                raise death(self._obituary(process))
            heard = True
            silent_until = time.monotonic() + self._runtime.silence_seconds
            yield reply

    def _obituary(self, process: ModelProcess) -> str:
        if self._closed:
            return f"The model {self._version} was closed while it worked."
        logger.warning(
            "model process %d: %s; it had printed: %s", process.pid, process.ending(), process.last_words() or "nothing"
        )
        return f"The model process ended with {process.ending()} while it worked; it is started again."

    def _bury(self, process: ModelProcess) -> None:
        """End a process that died or hangs; the more often that happens, the later comes the next."""
        process.kill()
        self._deaths_in_a_row += 1
        backoff = 0.25 * 2 ** (self._deaths_in_a_row - 1) if self._deaths_in_a_row > 1 else 0.0
        self._not_before = time.monotonic() + min(backoff, _LONGEST_BACKOFF_SECONDS)

    def _suspect(self, prompt: bytes) -> None:
        """Remember that a process ended while it worked on this prompt."""
        self._deaths_by_prompt[prompt] = self._deaths_by_prompt.pop(prompt, 0) + 1
        if len(self._deaths_by_prompt) > _REMEMBERED_PROMPTS:
            del self._deaths_by_prompt[next(iter(self._deaths_by_prompt))]

    def _refuse_deadly(self, prompt: bytes) -> None:
        if self._deaths_by_prompt.get(prompt, 0) >= _DEATHS_PER_PROMPT:
            raise GenerationError(
                f"This prompt ended the model process {_DEATHS_PER_PROMPT} times and is not tried again."
            )

    def _ready_process(self, deadline: float, cancel: threading.Event | None) -> ModelProcess:
        """Return a process with a loaded model, a new one where the last has died."""
        process = self._living_process(deadline, cancel)
        while not process.settled.wait(CANCEL_POLL_SECONDS):
            raise_if_stopped(cancel)
            if time.monotonic() > deadline:
                raise GenerationTimeoutError(f"The model {self._version} was not loaded in time.")
        process.raise_if_failed()
        return process

    def _living_process(self, deadline: float, cancel: threading.Event | None) -> ModelProcess:
        while (pause := self._not_before - time.monotonic()) > 0 and time.monotonic() < deadline:
            raise_if_stopped(cancel)
            time.sleep(min(pause, CANCEL_POLL_SECONDS))
        with self._lock:
            if self._closed:
                raise GenerationError(f"The model {self._version} is closed.")
            if not self._process.alive:
                self._process.close()
                self._process = ModelProcess(self._load)
            return self._process


def _stops(process: ModelProcess, mailbox: Mailbox) -> bool:
    """Ask a process that is late to stop, and tell whether it does; one that hangs does not."""
    process.cancel(mailbox)
    give_up = time.monotonic() + _STOP_SECONDS
    while (left := give_up - time.monotonic()) > 0:
        try:
            reply = mailbox.replies.get(timeout=left)
        except queue.Empty:
            return False
        if reply.kind in ("end", "error") or reply is DIED:
            return reply is not DIED
    return False


def _fingerprint(messages: Sequence[ChatMessage]) -> bytes:
    digest = hashlib.sha256()
    for message in messages:
        digest.update(f"{message.role}\0{len(message.content)}\0{message.content}".encode("utf-8", "replace"))
    return digest.digest()


def _require_memory(path: Path, header: GgufHeader, context_tokens: int, memory_bytes: int | None) -> None:
    try:
        needed = path.stat().st_size + header.cache_bytes(context_tokens) + _OVERHEAD_BYTES
    except OSError as error:
        raise ModelFileError(f"The model file {path} cannot be read: {error.strerror}.") from error
    free = free_memory_bytes() if memory_bytes is None else memory_bytes
    if needed > free:
        raise ModelMemoryError(
            f"{path.name} needs about {needed / 1e9:.1f} GB with a context of {context_tokens} tokens, and "
            f"{free / 1e9:.1f} GB are free. Choose a smaller model, or set model.context_tokens lower."
        )
