"""When a job is due: slots by an interval or a cron line, quiet hours, jitter, and pauses.

A slot is named by the moment that it was planned for, the same for all processes and restarts. Everything here is
arithmetic on moments: who runs a slot is decided in `bot.jobs`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from bot.errors import MisuseError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUIET = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_LONGEST_JITTER = timedelta(hours=12)
# How far back the last slot of a cron line is looked for: first near, as most are. A 29th of February may be eight
# years ago.
_LOOK_BACK = tuple(timedelta(days=days) for days in (1 / 24, 1, 8, 32, 367, 9 * 366))
_AGO = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """When something is due. Raises MisuseError for what no timetable can hold."""

    every: timedelta | None = None
    cron: str = ""
    """Five fields as cron reads them, in `zone`; instead of `every`."""
    zone: str = "UTC"
    quiet: str = ""
    """Hours of `zone` in which nothing begins, like 22:00-06:00; what would have been due is made up for after them."""
    jitter: timedelta = timedelta(0)
    """Each slot begins up to so much later, differently for each job: not all ask one server at the full hour."""
    paused: bool = False

    def __post_init__(self) -> None:
        if (self.every is None) == (not self.cron):
            raise MisuseError("a timetable has either an interval or a cron line: give one of them.")
        if self.every is not None and self.every <= timedelta(0):
            raise MisuseError(f"an interval of {self.every} is none: give at least a minute.")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise MisuseError(
                f"there is no time zone {self.zone!r}. Expected a name like Europe/Berlin or UTC."
            ) from error
        if self.quiet and (_QUIET.fullmatch(self.quiet) is None or len(set(self._quiet_hours)) == 1):
            raise MisuseError(f"the quiet hours are {self.quiet!r}, expected two times of a day like 22:00-06:00.")
        if not timedelta(0) <= self.jitter <= _LONGEST_JITTER:
            raise MisuseError(f"a jitter of {self.jitter} cannot be had: give 0 to 720 minutes.")
        if self.every is not None and self.jitter >= self.every:
            raise MisuseError(f"the jitter ({self.jitter}) must be shorter than the interval ({self.every}).")
        if self.cron:
            self._check_cron()

    def due_slot(self, name: str, moment: datetime) -> datetime | None:
        """The newest slot of the job that may begin at that moment; None while paused and in quiet hours."""
        if self.paused or self._is_quiet(moment):
            return None
        slot = self._last_slot(moment)
        if slot is not None and moment < slot + self._delay(name, slot):
            slot = self._last_slot(slot - _AGO)
        return slot

    def next_due(self, name: str, moment: datetime, taken: datetime | None) -> datetime | None:
        """When the job begins next, where the slots up to `taken` are; None while paused, or where there is no more."""
        if self.paused:
            return None
        due = self.due_slot(name, moment)
        if due is not None and (taken is None or due > taken):
            return moment
        # Slots before the last one do not begin any more: the newest makes up for them.
        last = self._last_slot(moment)
        after = max((one for one in (taken, last and last - _AGO) if one is not None), default=moment)
        slot = next(self.slots_after(after), None)
        return None if slot is None else self._after_quiet(max(moment, slot + self._delay(name, slot)))

    def slots_after(self, after: datetime) -> Iterator[datetime]:
        """The slots after a moment, in UTC. Only forward: what a changed clock leaves out is told in one direction."""
        if self.every is not None:
            slot = after - (after - _EPOCH) % self.every
            while True:
                slot += self.every
                yield slot
        for local in CronSim(self.cron, after.astimezone(self._place)):
            yield local.astimezone(UTC)

    @property
    def said(self) -> str:
        """The timetable in a few words."""
        if self.every is not None:
            minutes = round(self.every.total_seconds() / 60)
            said = f"every {minutes} min"
        else:
            said = f"cron {self.cron}"
        if self.zone != "UTC" and (self.cron or self.quiet):
            said += f" ({self.zone})"
        if self.quiet:
            said += f", not {self.quiet}"
        return f"{said}, paused" if self.paused else said

    def _check_cron(self) -> None:
        try:
            if len(self.cron.split()) != 5:
                raise CronSimError("not five fields")
            if next(self.slots_after(_EPOCH), None) is None:
                raise CronSimError("no such day")
        except CronSimError as error:
            raise MisuseError(
                f"the cron line {self.cron!r} cannot be read ({error}). Expected minute, hour, day of the month, month "
                "and weekday, like '30 6 * * MON-FRI'."
            ) from error

    @cached_property
    def _place(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def _quiet_hours(self) -> tuple[time, time]:
        begin, _, end = self.quiet.partition("-")
        return time.fromisoformat(begin), time.fromisoformat(end)

    def _last_slot(self, moment: datetime) -> datetime | None:
        """The newest slot at or before a moment."""
        if self.every is not None:
            return moment - (moment - _EPOCH) % self.every
        for back in _LOOK_BACK:
            last = None
            for slot in self.slots_after(moment - back):
                if slot > moment:
                    break
                last = slot
            if last is not None:
                return last
        return None

    def _delay(self, name: str, slot: datetime) -> timedelta:
        if not self.jitter:
            return timedelta(0)
        drawn = hashlib.sha256(f"{name}\0{slot.isoformat()}".encode()).digest()[:8]
        return self.jitter * (int.from_bytes(drawn) / 2**64)

    def _is_quiet(self, moment: datetime) -> bool:
        if not self.quiet:
            return False
        begin, end = self._quiet_hours
        now = moment.astimezone(self._place).time()
        return begin <= now < end if begin < end else now >= begin or now < end

    def _after_quiet(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours that it falls into."""
        if not self._is_quiet(moment):
            return moment
        local = moment.astimezone(self._place)
        _, end = self._quiet_hours
        ends = [datetime.combine(local.date() + timedelta(days=day), end, self._place) for day in (0, 1)]
        return next(found for found in (one.astimezone(UTC) for one in ends) if found > moment)
