"""One run of INGEST that kills its own process at the n-th step: python -m tests.knowledge.killed_run FOLDER N.

A step is an SQL statement, a commit, or a call of the embedder. What was embedded is noted in FOLDER/embedded.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from knowledge.embed import Role, Vectors
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.ingesting import workplace


class Countdown:
    """Kills the process when it reaches zero."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def step(self, *_event: object) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class NotingEmbedder(FakeEmbedder):
    """Writes down each text that it embeds."""

    def __init__(self, file: Path, countdown: Countdown) -> None:
        super().__init__()
        self._file = file
        self._countdown = countdown

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        self._countdown.step()
        with self._file.open("a") as file:
            file.writelines(f"{text.splitlines()[-1]}\n" for text in texts)
        return super().embed(texts, role)


def main() -> None:
    folder, countdown = Path(sys.argv[1]), Countdown(int(sys.argv[2]))
    with workplace(folder, NotingEmbedder(folder / "embedded", countdown)) as place:
        sa.event.listen(place.engine, "before_cursor_execute", countdown.step)
        sa.event.listen(place.engine, "commit", countdown.step)
        place.sync()


if __name__ == "__main__":
    main()
