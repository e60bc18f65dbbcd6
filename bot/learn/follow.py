"""Runs what the rows say: the version in service, and the canary beside it; notices within seconds when they change.

Whoever changed them, this process or another one, every running bot follows. What cannot be loaded is taken out again,
with the reason in its history.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa

from bot.errors import VersionError
from bot.learn.canary import answers_with_canary
from bot.learn.versions import BASE, Version, note, roll_back, standing
from bot.turn import Brief
from models.errors import ModelError, ModelFileError, ModelMemoryError
from models.generator import Generator
from models.switching import SwapReport, SwitchingGenerator

logger = logging.getLogger(__name__)

Load = Callable[[str], Generator]
"""Loads a version by name, the base model by an empty one, and returns it when it is ready; raises ModelError."""
FOLLOWER = "lorekeeper"
"""Who decided, in a version's history."""
LOOK_SECONDS = 2.0
_TRY_AGAIN_SECONDS = 60.0
_STOP_SECONDS = 10.0


class VersionFollower:
    """Keeps one generator as the rows of one database say. `hold` may be called from several threads."""

    def __init__(
        self,
        engine: sa.Engine,
        switching: SwitchingGenerator,
        load: Load,
        *,
        base: str,
        loaded: str = BASE,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """`base`: the model of the settings; `loaded`: the version that `switching` has in service."""
        self._engine = engine
        self._switching = switching
        self._load = load
        self._base = base
        self._service = loaded
        self._canary: Version | None = None
        self._not_before: dict[str, float] = {}
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._looking = threading.Lock()
        self._thread: threading.Thread | None = None

    def hold(self, brief: Brief, cancel: threading.Event | None = None) -> AbstractContextManager[Generator]:
        """The generator for one answer: a conversation that is the canary's stays the canary's."""
        canary = self._canary
        is_canarys = canary is not None and answers_with_canary(canary, brief.channel, brief.conversation)
        return self._switching.hold(canary=is_canarys, cancel=cancel)

    def put_base_in_service(self) -> None:
        """Leave whatever version was loaded at the start; raises ModelError where the base model cannot be loaded."""
        with self._looking:
            if self._service != BASE:
                self._put_in_service(BASE)
                self._service = BASE

    def look(self) -> SwapReport | None:
        """Read the rows once and do what they ask for; returns how a swap went, where there was one."""
        with self._looking:
            wanted = standing(self._engine)
            report = self._follow_service(self._usable(wanted.service))
            self._follow_canary(self._usable(wanted.canary))
            return report

    def __enter__(self) -> VersionFollower:
        self._thread = threading.Thread(target=self._watch, name="versions", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_SECONDS)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:
                logger.exception("could not look which version is in service; trying again")
            self._stopping.wait(self._look_seconds)

    def _usable(self, version: Version | None) -> Version | None:
        """A version of another base model would not even load: it waits until the settings name its base again."""
        return version if version is not None and version.base == self._base else None

    def _follow_service(self, wanted: Version | None) -> SwapReport | None:
        name = BASE if wanted is None else wanted.name
        if name == self._service or self._is_too_soon(name):
            return None
        try:
            report = self._put_in_service(name)
        except ModelFileError as error:
            logger.error("version %s cannot be put in service: %s", name or "of the base model", error)
            self._take_out(name, str(error))
            return None
        except ModelError as error:
            self._try_later(name, error)
            return None
        self._service = name
        logger.info("%s is in service after %s (%s)", report.after, report.before, report.way)
        if report.way == "drained" and name:
            said = (
                f"two models do not fit into memory: nothing was answered for {report.pause_seconds:.1f} s, "
                f"{report.answers_that_waited} answers waited"
            )
            note(self._engine, name, by=FOLLOWER, why=said)
        return report

    def _put_in_service(self, name: str) -> SwapReport:
        canary = self._canary
        if canary is not None and canary.name == name and self._switching.canary_version:
            # New answers of its conversations find it in service.
            self._canary = None
            return self._switching.promote_canary()
        return self._switching.swap(lambda: self._load(name))

    def _follow_canary(self, wanted: Version | None) -> None:
        running = self._canary
        if wanted == running:
            return
        if running is not None and (wanted is None or wanted.name != running.name):
            self._canary = None
            self._switching.stop_canary()
        if wanted is None:
            return
        if running is None or running.name != wanted.name:
            try:
                self._switching.start_canary(lambda: self._load(wanted.name))
            except ModelError as error:
                self._give_up_canary(wanted, error)
                return
            logger.info("%s answers %.0f %% of new conversations", wanted.name, 100 * wanted.share)
        self._canary = wanted

    def _give_up_canary(self, canary: Version, error: ModelError) -> None:
        logger.error("the canary %s cannot be loaded: %s", canary.name, error)
        why = str(error)
        if isinstance(error, ModelMemoryError):
            why = f"a canary needs memory for two models at once: {error}"
        self._take_out(canary.name, why, for_good=isinstance(error, ModelFileError))

    def _take_out(self, name: str, why: str, *, for_good: bool = True) -> None:
        if not name:
            self._not_before[name] = time.monotonic() + _TRY_AGAIN_SECONDS
            return
        try:
            roll_back(self._engine, by=FOLLOWER, why=why, of=name, to="refused" if for_good else "retired")
        except VersionError:
            logger.info("%s was taken out by somebody else meanwhile", name)

    def _try_later(self, name: str, error: ModelError) -> None:
        """A busy machine, or one that is being shut down, says nothing against the version."""
        is_first = name not in self._not_before
        self._not_before[name] = time.monotonic() + _TRY_AGAIN_SECONDS
        logger.warning("%s is not put in service for now: %s", name or "the base model", error)
        if is_first and name and not self._stopping.is_set():
            note(self._engine, name, by=FOLLOWER, why=f"not loaded yet, tried again: {error}")

    def _is_too_soon(self, name: str) -> bool:
        return time.monotonic() < self._not_before.get(name, 0.0)
