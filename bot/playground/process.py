"""Starts a playground as a process of its own and stops it again; used by the command line and by tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from bot.errors import BotError, PortInUseError, SettingsError
from bot.playground.running import RunningPlayground

STOP_SECONDS = 5.0
_ERRORS: Mapping[str, type[BotError]] = {"PortInUseError": PortInUseError, "SettingsError": SettingsError}


@dataclass(frozen=True, kw_only=True)
class PlaygroundProcess:
    """A running playground; ends with its context, or with the process that started it."""

    url: str
    api_url: str
    bot_token: str = field(repr=False)
    app_token: str = field(repr=False)
    signing_secret: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    process: subprocess.Popen[str] = field(repr=False)
    speaking: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Held by whoever writes to the process: answers are shown by several threads."""

    @property
    def line(self) -> RunningPlayground:
        """What an app needs to speak with it."""
        return RunningPlayground(api_url=self.api_url, bot_token=self.bot_token, app_token=self.app_token)

    def __enter__(self) -> PlaygroundProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def show_documents(self, folders: Sequence[Path]) -> None:
        """Let the files of these folders be opened, and no others; one that ended meanwhile shows nothing anyway."""
        if self.process.stdin is not None:
            with self.speaking, suppress(OSError, ValueError):
                self.process.stdin.write(json.dumps([str(folder.absolute()) for folder in folders]) + "\n")
                self.process.stdin.flush()

    def stop(self) -> None:
        """End it; the state is written first. May be called twice."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


def start_playground(
    host: str = "127.0.0.1",
    port: int = 3939,
    state: Path | None = None,
    *,
    documents: Sequence[Path] = (),
    bot_token: str | None = None,
    app_token: str | None = None,
    ack_seconds: float = 3.0,
    time_scale: float = 1.0,
    faults: Mapping[str, Any] | None = None,
    features: Mapping[str, Any] | None = None,
    surface: Literal["agent", "assistant"] | None = None,
    events_url: str | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> PlaygroundProcess:
    """Start a playground and wait until it answers; raises PortInUseError, or SettingsError for a broken state file."""
    options = {
        "host": host,
        "port": port,
        "state": None if state is None else state.absolute(),
        "bot-token": bot_token,
        "app-token": app_token,
        "ack-seconds": ack_seconds,
        "time-scale": time_scale,
        "faults": json.dumps(faults or {}),
        "features": json.dumps(features or {}),
        "surface": surface,
        "events-url": events_url,
    }
    command = [sys.executable, "-m", "bot.playground", "--until-stdin-closes"]
    for name, value in options.items():
        command += [] if value is None else [f"--{name}", str(value)]
    for documents_folder in documents:
        command += ["--documents", str(documents_folder.absolute())]
    return _start(command, manifest)


def _start(command: list[str], manifest: Mapping[str, Any] | None) -> PlaygroundProcess:
    with tempfile.TemporaryDirectory(prefix="playground-") as folder:
        if manifest is not None:
            described = Path(folder) / "manifest.json"
            described.write_text(json.dumps(manifest), "utf-8")
            command += ["--manifest", str(described)]
        process = _spawn(command)
        # Once it says that it is ready, it has read the file.
        line = process.stdout.readline() if process.stdout else ""
    ready = json.loads(line) if line else {"error": "The playground ended before it was ready.", "kind": ""}
    if "error" in ready:
        process.communicate()
        raise _ERRORS.get(ready["kind"], BotError)(ready["error"])
    return PlaygroundProcess(process=process, **ready)


def _spawn(command: Sequence[str]) -> subprocess.Popen[str]:
    # It hands out tokens of its own; the real ones are none of its business.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLACK_", "LOREKEEPER_"))}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        # Ctrl-C on the terminal ends the bot first, which may still have something to say.
        start_new_session=True,
    )
