"""Documents to Markdown, in a child process: a hostile file may hurt that one, never this one.

It knows no format; the converters are in `knowledge.convert`, which only the child runs.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import knowledge
from knowledge.code import Code, Part
from knowledge.document import FetchedDocument
from knowledge.errors import (
    DocumentError,
    LockedDocumentError,
    NoTextError,
    ParseLimitError,
    UnreadableDocumentError,
    UnsupportedFormatError,
)
from knowledge.parse_child import LENGTH

# A document that long is a data dump: embedding it would take hours and drown everything else.
MAX_CHARACTERS = 5_000_000
_MAX_REPLY_BYTES = 64 * 1024 * 1024
_PROBLEMS: dict[str, type[DocumentError]] = {
    "unsupported": UnsupportedFormatError,
    "locked": LockedDocumentError,
    "no text": NoTextError,
}
"""What the child calls them; all else is an unreadable document."""


@dataclass(frozen=True, kw_only=True)
class ParsedDocument:
    """A document as Markdown."""

    title: str
    markdown: str = field(repr=False)
    owner: str = ""
    """Whoever wrote it, where the document itself says so."""
    code: Code | None = None
    """Of source code, which is no Markdown: the text is the file's own then."""


@dataclass(frozen=True, kw_only=True)
class ParseLimits:
    """What one document may cost."""

    seconds: int = 20
    memory_mb: int = 768


@dataclass(frozen=True, kw_only=True)
class _Child:
    process: subprocess.Popen[bytes]
    requests: IO[bytes]
    replies: IO[bytes]


class Parser:
    """Converts documents one after another, in a child started on first use and again after it died.

    May be called from several threads; they take turns.
    """

    def __init__(
        self,
        limits: ParseLimits | None = None,
        *,
        timer: Callable[[float, Callable[[], None]], threading.Timer] = threading.Timer,
    ) -> None:
        self._limits = limits or ParseLimits()
        self._timer = timer
        self._child: _Child | None = None
        self._turn = threading.Lock()

    def __enter__(self) -> Parser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child; a later call starts another."""
        with self._turn:
            self._end()

    @property
    def child_id(self) -> int | None:
        """Process id of the child that is running now."""
        return self._child.process.pid if self._child else None

    def parse(self, document: FetchedDocument) -> ParsedDocument:
        """Convert one document. Raises DocumentError with a reason for people."""
        with self._turn:
            reply = self._ask(document)
        problem = reply.get("problem")
        if problem == "memory":
            raise ParseLimitError(self._over("memory", f"{self._limits.memory_mb} MB", "parse_memory_mb"))
        if problem:
            raise _PROBLEMS.get(problem, UnreadableDocumentError)(reply["reason"])
        if len(reply["markdown"]) > MAX_CHARACTERS:
            raise ParseLimitError(
                f"Its text has {len(reply['markdown']):,} characters, more than {MAX_CHARACTERS:,}. Split it."
            )
        return ParsedDocument(
            title=reply["title"] or document.title,
            markdown=reply["markdown"],
            owner=reply["owner"],
            code=_code(reply["code"]) if "code" in reply else None,
        )

    def _ask(self, document: FetchedDocument) -> dict[str, Any]:
        if self._child is None:
            self._child = _start(self._limits)
        child = self._child
        late = threading.Event()

        def end() -> None:
            late.set()
            child.process.kill()

        timer = self._timer(self._limits.seconds, end)
        timer.start()
        request = json.dumps({"media_type": document.media_type, "size": len(document.content)}).encode()
        try:
            child.requests.write(LENGTH.pack(len(request)) + request + document.content)
            child.requests.flush()
            reply = _read_reply(child.replies)
        except (OSError, EOFError, ValueError) as error:
            raise self._explain(child, late) from error
        finally:
            timer.cancel()
            timer.join()
        if reply["last"] or late.is_set():
            self._end()
        return reply

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.process.kill()
        child.process.wait()
        child.replies.close()
        # Closing flushes bytes that still wait for the dead child.
        with contextlib.suppress(OSError):
            child.requests.close()

    def _explain(self, child: _Child, late: threading.Event) -> DocumentError:
        try:
            status: int | None = child.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            status = None  # still running: what it said made no sense
        self._end()
        if late.is_set():
            return ParseLimitError(self._over("time", f"{self._limits.seconds} s", "parse_seconds"))
        if status == -signal.SIGXCPU:
            return ParseLimitError(self._over("processor time", f"{self._limits.seconds} s", "parse_seconds"))
        if status is None:
            return UnreadableDocumentError("Its conversion gave no usable text.")
        cause = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return UnreadableDocumentError(f"The converter crashed on it ({cause}).")

    def _over(self, what: str, limit: str, setting: str) -> str:
        return f"Converting it took more {what} than allowed ({limit}, setting knowledge.{setting})."


def _code(told: dict[str, Any]) -> Code:
    parts = [Part(path=tuple(one["path"]), first=one["first"], last=one["last"]) for one in told["parts"]]
    return Code(language=told["language"], parts=tuple(parts))


def _start(limits: ParseLimits) -> _Child:
    process = subprocess.Popen(
        [sys.executable, "-B", "-P", "-m", "knowledge.parse_child", str(limits.memory_mb), str(limits.seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Nothing of ours goes along, least of all tokens; only what Python needs to find its modules.
        env={"PYTHONPATH": str(Path(knowledge.__path__[0]).parent), "PATH": os.environ.get("PATH", "")},
        # Ctrl-C in the terminal is for us; the child ends when its pipe closes.
        start_new_session=True,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a process started with pipes has none")
    return _Child(process=process, requests=process.stdin, replies=process.stdout)


def _read_reply(replies: IO[bytes]) -> dict[str, Any]:
    size = LENGTH.unpack(_read_exactly(replies, LENGTH.size))[0]
    if size > _MAX_REPLY_BYTES:
        raise ValueError(f"a reply of {size} bytes")
    reply: dict[str, Any] = json.loads(_read_exactly(replies, size))
    return reply


def _read_exactly(replies: IO[bytes], size: int) -> bytes:
    content = replies.read(size)
    if len(content) < size:
        raise EOFError
    return content
