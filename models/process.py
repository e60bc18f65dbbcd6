"""One running model process, seen from the bot: requests go in, replies come back to whoever asked.

It does not start itself again; that is the business of `models.child`. Its threads end with the process.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from models.errors import ModelFileError
from models.generator import ChatMessage, GenerationOptions
from models.wire import (
    LONGEST_LINE,
    CancelRequest,
    CountRequest,
    GenerateRequest,
    LoadRequest,
    Reply,
    Request,
    ScoreRequest,
    WireError,
    decode_reply,
    encode_request,
)

logger = logging.getLogger(__name__)

# The process gets these and nothing else: no token, no database address.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT")
_PASSED_ON_PREFIXES = ("CUDA_", "GGML_", "HIP_", "NVIDIA_", "OMP_", "GOMP_", "ROCR_", "VK_")
# llama.cpp's threads wait for each other hundreds of times per token. OpenMP's default is to wait awake, which starves
# whoever else needs the processor and then llama.cpp itself: on two cores with six other busy processes, it wrote 9
# tokens a second that way, 17 with this count and 28 with sleeping at once; with the cores to itself 70, 85 and 33.
_SPIN_COUNT = "1000"
_TAIL_BYTES = 2000
DIED = Reply(kind="failed")
"""What everybody who waits for a reply gets when the process is gone."""


class Mailbox:
    """Where the replies to one request arrive."""

    def __init__(self, request_id: int) -> None:
        self.id = request_id
        self.replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()


class ModelProcess:
    """A child process with one model. All methods may be called from several threads."""

    def __init__(self, load: LoadRequest, command: tuple[str, ...] = ("-P", "-m", "models.child_main")) -> None:
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._mailboxes: dict[int, Mailbox] = {}
        self._outgoing: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._failure = ""
        self._gone = False
        self.settled = threading.Event()
        """Set once the model is loaded, or once it is clear that it will not be."""
        self._noise: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self._child = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._noise,
            env=clean_environment(os.environ),
            start_new_session=True,  # Ctrl-C in the terminal is the bot's to handle
        )
        self._outgoing.put(load)
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for work, name in ((self._read, "model replies"), (self._write, "model requests"))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        return not self._gone and self._child.poll() is None

    def raise_if_failed(self) -> None:
        """Raise ModelFileError where the model could not be loaded; to be asked once `settled` is set."""
        if self._failure:
            raise ModelFileError(self._failure)

    def generate(self, messages: Sequence[ChatMessage], options: GenerationOptions) -> Mailbox:
        """Ask for a text."""
        mailbox = self._open_mailbox()
        self._outgoing.put(GenerateRequest(id=mailbox.id, messages=tuple(messages), options=options))
        return mailbox

    def score(self, messages: Sequence[ChatMessage], answer: str) -> Mailbox:
        """Ask how likely an answer is."""
        mailbox = self._open_mailbox()
        self._outgoing.put(ScoreRequest(id=mailbox.id, messages=tuple(messages), answer=answer))
        return mailbox

    def count(self, text: str) -> Mailbox:
        """Ask for the number of tokens of a text."""
        mailbox = self._open_mailbox()
        self._outgoing.put(CountRequest(id=mailbox.id, text=text))
        return mailbox

    def cancel(self, mailbox: Mailbox) -> None:
        """Ask to stop working for a mailbox; does not wait."""
        self._outgoing.put(CancelRequest(id=mailbox.id))

    def forget(self, mailbox: Mailbox) -> None:
        """Throw away what still comes for a mailbox."""
        with self._lock:
            self._mailboxes.pop(mailbox.id, None)

    def kill(self) -> None:
        """End it at once."""
        self._child.kill()
        self._child.wait()

    def close(self) -> None:
        """End it and free everything; harmless when called again."""
        self._outgoing.put(None)
        try:
            self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self.kill()
        for thread in self._threads:
            thread.join(timeout=5)
        self._noise.close()

    def ending(self) -> str:
        """Say how it ended, for a log or an error message."""
        code = self._child.poll()
        if code is None:
            return "no exit code yet"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def last_words(self) -> str:
        """Return the end of what llama.cpp printed; for the log, never for people in Slack."""
        if self._noise.closed:
            return ""
        size = self._noise.seek(0, os.SEEK_END)
        self._noise.seek(max(0, size - _TAIL_BYTES))
        return self._noise.read().decode("utf-8", "replace").strip()

    def _open_mailbox(self) -> Mailbox:
        mailbox = Mailbox(next(self._ids))
        with self._lock:
            if self._gone:
                mailbox.replies.put(DIED)
            else:
                self._mailboxes[mailbox.id] = mailbox
        return mailbox

    def _write(self) -> None:
        """Send requests, in a thread of its own: a process that hangs must not block whoever asks."""
        pipe = self._child.stdin
        # A broken pipe needs no handling here: the reader sees the end as well, and tells everybody.
        with contextlib.suppress(OSError), contextlib.closing(pipe or io.BytesIO()) as sink:
            while (request := self._outgoing.get()) is not None:
                sink.write(encode_request(request))
                sink.flush()

    def _read(self) -> None:
        output = self._child.stdout or io.BytesIO()
        try:
            while line := output.readline(LONGEST_LINE):
                self._deliver(decode_reply(line))
        except WireError as error:
            logger.warning("The model process said something that is not a reply: %s", error)
        finally:
            self.kill()  # without its pipe it is of no use
            output.close()
            self._outgoing.put(None)
            self._tell_everybody()

    def _tell_everybody(self) -> None:
        with self._lock:
            self._gone = True
            waiting = list(self._mailboxes.values())
            self._mailboxes.clear()
        for mailbox in waiting:
            mailbox.replies.put(DIED)
        if not self.settled.is_set():
            self._failure = self._failure or f"The model process ended with {self.ending()} while it loaded."
            self.settled.set()

    def _deliver(self, reply: Reply) -> None:
        if reply.id == 0:
            self._failure = reply.text if reply.kind == "failed" else ""
            if reply.kind == "ready":
                self.settled.set()
            return
        with self._lock:
            mailbox = self._mailboxes.get(reply.id)
        if mailbox is not None:
            mailbox.replies.put(reply)


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Keep what a model process needs of an environment; secrets and addresses stay behind."""
    kept = {
        name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    kept.setdefault("GOMP_SPINCOUNT", _SPIN_COUNT)
    kept["PYTHONPATH"] = str(Path(__file__).resolve().parent.parent)
    kept["PYTHONIOENCODING"] = "utf-8"
    return kept
