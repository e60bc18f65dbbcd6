"""Slots: by interval and by cron line, in time zones and over changes of the clock."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.errors import MisuseError
from bot.timetable import Timetable

FRIDAY = datetime(2026, 11, 20, 10, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def cron(line: str, zone: str = "UTC", quiet: str = "") -> Timetable:
    return Timetable(cron=line, zone=zone, quiet=quiet)


def test_a_slot_starts_at_a_multiple_of_the_interval() -> None:
    times = Timetable(every=timedelta(minutes=30))
    assert times.due_slot("j", FRIDAY) == datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert times.due_slot("j", datetime(2026, 11, 20, 10, 30, tzinfo=UTC)) == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "zone", "last", "following"),
    [
        ("30 6 * * MON-FRI", "Europe/Berlin", (20, 5, 30), (23, 5, 30)),
        ("0 */4 * * *", "UTC", (20, 8, 0), (20, 12, 0)),
        ("0 9 * * 0", "UTC", (15, 9, 0), (22, 9, 0)),  # a Sunday is 0, as cron has it
        ("0 9 * * 7", "UTC", (15, 9, 0), (22, 9, 0)),
        ("15 10 L * *", "Asia/Kolkata", None, (30, 4, 45)),
    ],
)
def test_cron_lines_are_read_as_cron_reads_them(
    line: str, zone: str, last: tuple[int, int, int] | None, following: tuple[int, int, int]
) -> None:
    times = cron(line, zone)
    slot = times.due_slot("j", FRIDAY)
    if last is not None:
        assert slot == datetime(2026, 11, *last, tzinfo=UTC)
    assert times.next_due("j", FRIDAY, slot) == datetime(2026, 11, *following, tzinfo=UTC)


def test_an_hour_that_a_clock_leaves_out_or_repeats_is_one_slot() -> None:
    berlin = cron("30 2 * * *", "Europe/Berlin")
    spring, autumn = datetime(2026, 3, 29, 12, tzinfo=UTC), datetime(2026, 10, 25, 12, tzinfo=UTC)
    assert berlin.due_slot("j", spring) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    assert berlin.due_slot("j", autumn) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_day_that_comes_once_in_eight_years_is_found() -> None:
    assert cron("0 0 29 2 *").due_slot("j", datetime(2104, 2, 28, tzinfo=UTC)) == datetime(2096, 2, 29, tzinfo=UTC)


def test_quiet_hours_over_midnight_and_within_a_day() -> None:
    night = Timetable(every=timedelta(minutes=30), quiet="22:00-06:00", zone="Europe/Berlin")
    assert night.due_slot("j", datetime(2026, 11, 20, 21, 0, tzinfo=UTC)) is None
    assert night.due_slot("j", datetime(2026, 11, 20, 4, 59, tzinfo=UTC)) is None
    assert night.due_slot("j", datetime(2026, 11, 20, 5, 0, tzinfo=UTC)) == datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    late = datetime(2026, 11, 20, 22, 15, tzinfo=UTC)
    assert night.next_due("j", late, None) == datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
    noon = cron("30 12 * * *", quiet="12:00-14:00")
    assert noon.next_due("j", FRIDAY, FRIDAY) == datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
    assert noon.due_slot("j", datetime(2026, 11, 20, 14, 0, tzinfo=UTC)) == datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def test_jitter_delays_each_slot_differently_and_the_same_for_all_processes() -> None:
    times = Timetable(every=timedelta(hours=1), jitter=timedelta(minutes=20))
    begins = []
    for hour in range(24):
        slot = datetime(2026, 11, 20, hour, tzinfo=UTC)
        moment = next(one for one in (slot + MINUTE * step for step in range(60)) if times.due_slot("j", one) == slot)
        assert times.next_due("j", slot, slot - timedelta(hours=1)) == pytest.approx(moment, abs=MINUTE)
        begins.append(moment - slot)
    assert max(begins) <= timedelta(minutes=20)
    assert len(set(begins)) > 8
    assert {times.due_slot(f"source {n}", datetime(2026, 11, 20, 10, 10, tzinfo=UTC)) for n in range(20)} == {
        datetime(2026, 11, 20, 10, tzinfo=UTC),
        datetime(2026, 11, 20, 9, tzinfo=UTC),
    }


def test_paused_is_never_due() -> None:
    paused = Timetable(every=timedelta(hours=1), paused=True)
    assert paused.due_slot("j", FRIDAY) is None
    assert paused.next_due("j", FRIDAY, None) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "either an interval or a cron line"),
        ({"every": timedelta(hours=1), "cron": "* * * * *"}, "either an interval or a cron line"),
        ({"every": timedelta(0)}, "at least a minute"),
        ({"cron": "* * * *"}, "cannot be read"),
        ({"cron": "* * * * * *"}, "cannot be read"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "0 0 31 2 *"}, "cannot be read"),
        ({"cron": "0 0 * * *", "zone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"cron": "0 0 * * *", "quiet": "22-6"}, "quiet hours"),
        ({"cron": "0 0 * * *", "quiet": "06:00-06:00"}, "quiet hours"),
        ({"every": timedelta(minutes=5), "jitter": timedelta(minutes=5)}, "shorter than the interval"),
        ({"cron": "0 0 * * *", "jitter": timedelta(days=1)}, "0 to 720 minutes"),
    ],
)
def test_what_no_timetable_can_hold_is_named(values: dict[str, Any], said: str) -> None:
    with pytest.raises(MisuseError, match=said):
        Timetable(**values)


@pytest.mark.parametrize("seed", range(12))
def test_the_last_slot_is_the_same_wherever_it_is_looked_for_from(seed: int) -> None:
    """Around changed clocks: what is due must not depend on how far back the search began."""
    drawn = random.Random(seed)
    zone = drawn.choice(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago"]
    )
    line = drawn.choice(["30 2 * * *", "0 0 * * *", "*/15 * * * *", "5 1-3 * * *", "0 2 * * SUN", "45 23 1,25,29 * *"])
    times = cron(line, zone)
    begin = drawn.choice([datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 10, 23, tzinfo=UTC)])
    slots = []
    for slot in times.slots_after(begin - timedelta(days=40)):
        if slot > begin + timedelta(days=40):
            break
        slots.append(slot)
    assert slots == sorted(set(slots))
    for _ in range(40):
        moment = begin + timedelta(minutes=drawn.randrange(60 * 24 * 30))
        expected = max((one for one in slots if one <= moment), default=None)
        if expected is not None:
            assert times.due_slot("j", moment) == expected, (zone, line, moment)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_slots_agree_with_a_clock_that_walks_through_the_change(zone: str) -> None:
    """Outside the hours around a change, a slot is where the local clock shows its time."""
    times, place = cron("20 4 * * *", zone), ZoneInfo(zone)
    walked = []
    for day in range(380):
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day)
        local = moment.astimezone(place).replace(hour=4, minute=20, second=0)
        walked.append(local.astimezone(UTC))
    slots = []
    for slot in times.slots_after(walked[0] - MINUTE):
        if slot > walked[-1]:
            break
        slots.append(slot)
    assert slots == walked
