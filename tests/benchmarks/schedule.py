"""Does every slot run exactly once, whatever the clocks do?

Run: python -m tests.benchmarks.schedule --slots 100000 --replicas 4 --seed 1

First the arithmetic: cron lines in every time zone there is, around every change of its clock in three years; the slot
that is due must be the newest of those that the line has. Then the claims: several processes tick at the same simulated
moments and share one database. In some spells their clocks are up to an hour off, each differently, and all but one may
sleep. No slot may run twice; outside such spells each slot must run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from bot.cli.output import progress_bar
from bot.database import open_database
from bot.jobs import Job, run_due
from bot.timetable import Timetable

_BEGIN, _END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2029, 1, 1, tzinfo=UTC)
_LINES = ("30 2 * * *", "0 0 * * *", "*/20 * * * *", "5 1-3 * * *", "0 2 * * SUN")
_AROUND = timedelta(hours=30)
_EVERY = timedelta(minutes=5)
_JOBS = 10
_SPELL = timedelta(hours=8)
"""Clocks are off in every fifth such spell."""
_LEFT_OUT = timedelta(hours=2)
Say = Callable[[str, int, int], None]


def changes_of(zone: str) -> Iterator[datetime]:
    """The moments at which the clock of a zone is changed, to the hour."""
    place, moment = ZoneInfo(zone), _BEGIN
    while moment < _END:
        following = moment + timedelta(hours=12)
        if moment.astimezone(place).utcoffset() != following.astimezone(place).utcoffset():
            yield moment
        moment = following


def check_zones(say: Say) -> tuple[int, int]:
    """Compare the slot that is due with all that a line has; returns how many were compared and how many differed."""
    zones = sorted(available_timezones())
    compared = wrong = 0
    for number, zone in enumerate(zones):
        say("Zones", number, len(zones))
        for change in changes_of(zone):
            for line in _LINES:
                times = Timetable(cron=line, zone=zone)
                slots = []
                for slot in times.slots_after(change - timedelta(days=9)):
                    if slot > change + _AROUND:
                        break
                    slots.append(slot)
                moment = change - _AROUND
                while moment < change + _AROUND:
                    compared += 1
                    wrong += times.due_slot("j", moment) != max(one for one in slots if one <= moment)
                    moment += timedelta(minutes=47)
                wrong += slots != sorted(set(slots))
    return compared, wrong


@dataclass(frozen=True, kw_only=True)
class Walk:
    """What all replicas walk through together."""

    url: str
    ticks: tuple[datetime, ...]
    seed: int

    def is_off(self, tick: datetime) -> bool:
        """Tell whether clocks are wrong in this spell."""
        return (tick - _BEGIN) // _SPELL % 5 == 4


def walk(number: int, plan: Walk, log: Path, barrier: Barrier, reached: Path) -> None:
    """One replica: tick when all do, by a clock of its own."""
    drawn = random.Random(f"{plan.seed}/{number}")
    engine = open_database(plan.url)
    times = Timetable(every=_EVERY)
    spell, off, sleeps = -1, timedelta(0), False
    with log.open("w", encoding="utf-8") as ran:
        for index, tick in enumerate(plan.ticks):
            if (now_spell := (tick - _BEGIN) // _SPELL) != spell:
                spell, off = now_spell, timedelta(minutes=drawn.randrange(-60, 61))
                sleeps = number > 0 and drawn.random() < 0.3
            now = tick + (off if plan.is_off(tick) else timedelta(0))
            if not sleeps:

                def work(name: str, now: datetime = now) -> str:
                    ran.write(f"{name} {times.due_slot(name, now)}\n")
                    return ""

                jobs = [Job(name=f"j{n}", times=times, work=partial(work, f"j{n}")) for n in range(_JOBS)]
                run_due(engine, jobs, partial(_same, now))
            barrier.wait()
            if number == 0 and index % 20 == 0:
                reached.write_text(str(index), encoding="utf-8")
    engine.dispose()


def _same(moment: datetime) -> datetime:
    return moment


def check_claims(slots: int, replicas: int, seed: int, say: Say) -> dict[str, int]:
    """Let replicas walk; returns how many slots had to run, ran, were missed and ran twice."""
    drawn = random.Random(seed)
    end = _BEGIN + _EVERY * (slots // _JOBS)
    ticks, moment = [], _BEGIN
    while moment < end:
        ticks.append(moment)
        moment += timedelta(seconds=drawn.randrange(60, 200))
    with tempfile.TemporaryDirectory() as folder:
        plan = Walk(url=f"sqlite:///{folder}/lorekeeper.db", ticks=tuple(ticks), seed=seed)
        open_database(plan.url).dispose()
        logs, reached = [Path(folder) / f"{n}.log" for n in range(replicas)], Path(folder) / "reached"
        context = multiprocessing.get_context("spawn")
        barrier = context.Barrier(replicas)
        processes = [context.Process(target=walk, args=(n, plan, log, barrier, reached)) for n, log in enumerate(logs)]
        for process in processes:
            process.start()
        while any(process.is_alive() for process in processes):
            say("Ticks", int(reached.read_text(encoding="utf-8") or 0) if reached.exists() else 0, len(ticks))
            time.sleep(0.5)
        if any(process.exitcode for process in processes):
            raise SystemExit("a replica failed")
        ran = Counter(line for log in logs for line in log.read_text(encoding="utf-8").splitlines())
    must = {
        f"j{n} {slot}"
        for n in range(_JOBS)
        for slot in (_BEGIN + _EVERY * step for step in range(slots // _JOBS - 1))
        if not any(plan.is_off(slot + shift) for shift in (timedelta(0), -_LEFT_OUT, _LEFT_OUT))
    }
    return {
        "had to run": len(must),
        "ran": len(ran),
        "missed": len(must - ran.keys()),
        "ran twice": sum(count > 1 for count in ran.values()),
    }


def main() -> int:
    """Run both from the command line; ends with 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, default=100_000)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started = time.monotonic()
    with progress_bar() as report:
        compared, wrong = check_zones(report)
        claims = check_claims(given.slots, given.replicas, given.seed, report)
    print(f"zones: {compared} moments compared, {wrong} wrong")
    print(f"claims by {given.replicas} processes: {', '.join(f'{count} {what}' for what, count in claims.items())}")
    print(f"{time.monotonic() - started:.0f} s")
    return int(bool(wrong or claims["missed"] or claims["ran twice"]))


if __name__ == "__main__":
    sys.exit(main())
