"""One generator in service, replaced while answers keep flowing, and beside it perhaps a canary.

Whoever writes an answer holds one generator for all of it, so the version written on the answer is the one that wrote
it; a generator that was replaced is closed when the last answer that holds it has ended. Knows generators, not which
version is good.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from models.errors import GenerationError, ModelError, ModelMemoryError
from models.generator import ChatMessage, GenerationOptions, Generator
from models.waiting import CANCEL_POLL_SECONDS, raise_if_stopped

logger = logging.getLogger(__name__)

Make = Callable[[], Generator]
"""Loads a generator and returns it when it is ready; raises ModelError, ModelMemoryError where it does not fit."""
Way = Literal["beside", "drained", "canary"]
"""Loaded beside the old one; after the old one had ended its answers and was closed; or it was loaded already."""


@dataclass(frozen=True, kw_only=True)
class SwapReport:
    """What a swap came to, as people had it."""

    before: str
    after: str
    """Versions."""
    way: Way
    load_seconds: float
    pause_seconds: float = 0.0
    """So long nothing could be answered: while running answers ended, and while the new model was loaded."""
    answers_that_waited: int = 0
    """Counted where the pause ended; none was dropped."""


class _Slot:
    """A loaded generator with those who hold it; all fields belong to the lock of the SwitchingGenerator."""

    def __init__(self, generator: Generator, make: Make) -> None:
        self.generator = generator
        self.make = make
        self.holders = 0
        self.leaving = False


class SwitchingGenerator:
    """Passes everything on to the generator in service. All methods may be called from several threads."""

    def __init__(self, first: Generator, make: Make) -> None:
        """`first` may still be loading; `make` loads it again, for when what should replace it cannot be loaded."""
        self._service: _Slot | None = _Slot(first, make)
        self._canary: _Slot | None = None
        self._changed = threading.Condition()
        self._one_swap = threading.Lock()
        self._paused = False
        self._closed = False
        self._waited = 0
        self._version, self._context_size, self._tuned = first.version, first.context_size, first.tuned

    @property
    def version(self) -> str:
        """The version in service; during a pause the one that was."""
        return self._version

    @property
    def context_size(self) -> int:
        """Tokens of prompt and answer together."""
        return self._context_size

    @property
    def tuned(self) -> bool:
        """Whether it learned the form of our prompts; see Generator."""
        return self._tuned

    @property
    def canary_version(self) -> str:
        """The canary that is loaded; empty for none."""
        slot = self._canary
        return "" if slot is None else slot.generator.version

    @property
    def is_paused(self) -> bool:
        """Whether requests wait for a swap now."""
        return self._paused

    @property
    def waiting(self) -> int:
        """How many requests have waited for the swap that pauses them now, or for the last one that did."""
        return self._waited

    @contextmanager
    def hold(self, *, canary: bool = False, cancel: threading.Event | None = None) -> Iterator[Generator]:
        """Give one generator for a whole answer; the canary where it is wanted and there is one.

        Waits while a swap pauses the service. Do not ask this object for anything else inside of the block: use the
        generator that it gives. Raises GenerationStopped once `cancel` is set while it waits, GenerationError.
        """
        slot = self._take(canary, cancel)
        try:
            yield slot.generator
        finally:
            self._give_back(slot)

    def stream(
        self,
        messages: Sequence[ChatMessage],
        options: GenerationOptions,
        cancel: threading.Event | None = None,
    ) -> Iterator[str]:
        """Yield the text of the generator in service piece by piece; see Generator."""
        with self.hold(cancel=cancel) as generator:
            yield from generator.stream(messages, options, cancel)

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a plain text."""
        with self.hold() as generator:
            return generator.count_tokens(text)

    def swap(self, make_next: Make) -> SwapReport:
        """Put another generator in service; answers that run now end with the one that they began with.

        It is loaded beside the present one. Where two do not fit into memory, requests wait: the running answers end,
        the present one is closed, and the next is loaded. Raises ModelError where it cannot be loaded: the present one
        is in service then.
        """
        with self._one_swap:
            started = time.monotonic()
            try:
                following = make_next()
            except ModelMemoryError as error:
                logger.info("two models do not fit into memory, so answers wait for the swap: %s", error)
                return self._drain_and_load(make_next, started)
            loaded = time.monotonic() - started
            before = self._put_in_service(_Slot(following, make_next))
            return SwapReport(before=before, after=following.version, way="beside", load_seconds=loaded)

    def start_canary(self, make: Make) -> str:
        """Load a canary beside the generator in service, instead of an earlier one; returns its version.

        Raises ModelMemoryError where two do not fit: a canary is worth no pause.
        """
        with self._one_swap:
            slot = _Slot(make(), make)
            with self._changed:
                self._refuse_closed(slot)
                before, self._canary = self._canary, slot
                done = self._leave(before)
            _close(done)
            return slot.generator.version

    def stop_canary(self) -> None:
        """Let the canary go when its last answer has ended; harmless where there is none."""
        with self._one_swap:
            with self._changed:
                before, self._canary = self._canary, None
                done = self._leave(before)
            _close(done)

    def promote_canary(self) -> SwapReport:
        """Put the canary in service: it is loaded already. Raises GenerationError where there is none."""
        with self._one_swap:
            with self._changed:
                slot, self._canary = self._canary, None
            if slot is None:
                raise GenerationError("There is no canary that could be put in service: start one first.")
            before = self._put_in_service(slot)
            return SwapReport(before=before, after=slot.generator.version, way="canary", load_seconds=0.0)

    def close(self) -> None:
        """Free all models, also under running answers; harmless when called again."""
        with self._changed:
            self._closed = True
            slots, self._service, self._canary = (self._service, self._canary), None, None
            self._changed.notify_all()
        for slot in slots:
            _close(slot)

    def _take(self, canary: bool, cancel: threading.Event | None) -> _Slot:
        counted = False
        with self._changed:
            while True:
                raise_if_stopped(cancel)
                if self._closed:
                    raise GenerationError(f"The model {self._version} is closed.")
                slot = self._canary if canary and self._canary is not None else self._service
                if slot is not None and not (self._paused and slot is self._service):
                    slot.holders += 1
                    return slot
                if not self._paused:
                    raise GenerationError(
                        f"No model is loaded: neither the new one nor {self._version} could be. See the log, then "
                        "start Lorekeeper again."
                    )
                self._waited += not counted
                counted = True
                self._changed.wait(CANCEL_POLL_SECONDS if cancel is not None else None)

    def _give_back(self, slot: _Slot) -> None:
        with self._changed:
            slot.holders -= 1
            is_done = slot.leaving and not slot.holders
            self._changed.notify_all()
        if is_done:
            slot.generator.close()

    def _leave(self, slot: _Slot | None) -> _Slot | None:
        """Mark a slot as replaced; returns it where nobody holds it and it can be closed, outside of the lock."""
        if slot is None:
            return None
        slot.leaving = True
        return None if slot.holders else slot

    def _put_in_service(self, slot: _Slot) -> str:
        """Let new requests go to this one from now on; returns the version that was in service."""
        with self._changed:
            self._refuse_closed(slot)
            before, replaced = self._version, self._service
            self._service = slot
            self._version, self._context_size = slot.generator.version, slot.generator.context_size
            self._tuned = slot.generator.tuned
            done = self._leave(replaced)
            self._changed.notify_all()
        _close(done)
        return before

    def _refuse_closed(self, slot: _Slot) -> None:
        """Whoever closed everything while this one was loaded did not want it either."""
        if self._closed:
            slot.generator.close()
            raise GenerationError(f"The model {slot.generator.version} was loaded when everything was closed already.")

    def _drain_and_load(self, make_next: Make, started: float) -> SwapReport:
        present = self._service
        if present is None:
            raise GenerationError("No model is loaded, and the new one does not fit into memory.")
        began = time.monotonic()
        with self._changed:
            self._paused, self._waited = True, 0
            while present.holders and not self._closed:
                self._changed.wait()
        try:
            present.generator.close()
            try:
                slot = _Slot(make_next(), make_next)
            except Exception:
                self._restore(present)
                raise
            before = self._put_in_service(slot)
        finally:
            pause = time.monotonic() - began
            with self._changed:
                self._paused = False
                waited = self._waited
                self._changed.notify_all()
        return SwapReport(
            before=before,
            after=slot.generator.version,
            way="drained",
            load_seconds=time.monotonic() - started,
            pause_seconds=pause,
            answers_that_waited=waited,
        )

    def _restore(self, present: _Slot) -> None:
        """Load what was in service again; where even that fails, nothing can be answered, and every answer says so."""
        if self._closed:
            return
        try:
            self._put_in_service(_Slot(present.make(), present.make))
        except ModelError:
            logger.exception("%s could not be loaded again", self._version)
            with self._changed:
                self._service = None


def _close(slot: _Slot | None) -> None:
    if slot is not None:
        slot.generator.close()
