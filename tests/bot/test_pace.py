"""A pace lets so many calls through in any minute, and no more."""

from __future__ import annotations

import pytest

from bot.slack.pace import Pace
from tests.bot.channel_world import Clock


@pytest.mark.parametrize("calls", [1, 3])
def test_no_minute_has_more_calls_than_it_may(calls: int) -> None:
    clock = Clock()
    pace = Pace(calls, stopping=clock, monotonic=clock)
    moments = []
    for _ in range(4 * calls):
        assert pace.wait()
        moments.append(clock.seconds)
    assert all(later - earlier >= 60 for earlier, later in zip(moments, moments[calls:], strict=False))
    assert moments[-1] - moments[0] == 180


def test_a_stop_ends_the_wait() -> None:
    clock = Clock()
    pace = Pace(1, stopping=clock, monotonic=clock)
    assert pace.wait()
    clock.set()
    assert not pace.wait()
