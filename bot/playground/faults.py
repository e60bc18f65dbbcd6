"""Switches for what goes wrong: they are set over HTTP or at start, and count themselves down as they are used."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.playground.errors import ApiError

# Requests a minute that each tier of the Web API stands for; "t5" is the special tier of posting.
TIER_LIMITS = {"t1": 1, "t2": 20, "t3": 50, "t4": 100, "t5": 100}
DisconnectReason = Literal["warning", "refresh_requested", "too_many_websockets", "link_disabled", "abrupt"]
_Count = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class RateLimit(_Strict):
    """After so many more calls a method answers 429, until `retry_after` seconds have passed."""

    after_calls: _Count = 0
    retry_after: Annotated[int, Field(ge=1)] = 1


class Failure(_Strict):
    """A method fails so many times with this error code, or with this HTTP status."""

    code: str = "internal_error"
    status: int = 200
    count: _Count = 1


class SlowAcks(_Strict):
    """So many acknowledgements count only after this many seconds."""

    count: _Count = 1
    seconds: _Seconds = 4.0


class FaultSettings(_Strict):
    """All switches; what is not named is off."""

    lost_replies: dict[str, _Count] = Field(default_factory=dict)
    """Method: how many replies are lost after the call took effect."""
    slow_replies: dict[str, _Seconds] = Field(default_factory=dict)
    duplicates: _Count = 0
    """How many of the next events arrive twice."""
    reordered: _Count = 0
    """How many of the next events are held back until the one after them was sent."""
    slow_acks: SlowAcks = Field(default_factory=lambda: SlowAcks(count=0))
    rate_limit: dict[str, RateLimit] = Field(default_factory=dict)
    error: dict[str, str | Failure] = Field(default_factory=dict)
    tiers: bool = False
    """Enforce the documented number of calls a minute of every method."""
    silent: bool = False
    """Connections stay open but carry no events: a half-open line."""
    time_scale: Annotated[float, Field(gt=0)] | None = None
    ack_seconds: Annotated[float, Field(gt=0)] | None = None


@dataclass(frozen=True, kw_only=True)
class CallFaults:
    """What is to go wrong with one call after it took effect."""

    lose_reply: bool
    delay_seconds: float


class Faults:
    """The switches with their counters; used from the server's loop only."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = FaultSettings()
        self._limited_until: dict[str, float] = {}
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self.change(settings)

    def change(self, settings: Mapping[str, Any]) -> None:
        """Set the given switches and leave the others; raises ApiError for an unknown one."""
        try:
            given = FaultSettings.model_validate(dict(settings))
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise ApiError("invalid_arguments", *lines) from error
        self.settings = self.settings.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

    def clear(self) -> None:
        """Switch everything off, except the speed of the clocks."""
        kept = {"time_scale": self.settings.time_scale, "ack_seconds": self.settings.ack_seconds}
        self.settings = FaultSettings.model_validate(kept)
        self._limited_until.clear()
        self._calls.clear()

    def before_call(self, method: str, tier: str, now: float) -> None:
        """Raise the refusal that is due for this call, if any."""
        self._refuse_rate(method, tier, now)
        failure = self.settings.error.get(method)
        if isinstance(failure, str):
            raise ApiError(failure)
        if failure is not None and failure.count > 0:
            failure.count -= 1
            raise ApiError(failure.code, status=failure.status)

    def after_call(self, method: str) -> CallFaults:
        """Say what happens to the reply."""
        lose = self._take(self.settings.lost_replies, method)
        return CallFaults(lose_reply=lose, delay_seconds=self.settings.slow_replies.get(method, 0.0))

    def take_duplicate(self) -> bool:
        """Tell whether this event is to arrive twice."""
        if self.settings.duplicates == 0:
            return False
        self.settings.duplicates -= 1
        return True

    def take_reordered(self) -> bool:
        """Tell whether this event is to be overtaken by the next one."""
        if self.settings.reordered == 0:
            return False
        self.settings.reordered -= 1
        return True

    def take_ack_delay(self) -> float:
        """Give the seconds by which this acknowledgement is late."""
        if self.settings.slow_acks.count == 0:
            return 0.0
        self.settings.slow_acks.count -= 1
        return self.settings.slow_acks.seconds

    def _refuse_rate(self, method: str, tier: str, now: float) -> None:
        left = self._limited_until.get(method, 0.0) - now
        if left > 0:
            raise _too_many(left)
        limit = self.settings.rate_limit.get(method)
        if limit is not None:
            if limit.after_calls == 0:
                self._limited_until[method] = now + limit.retry_after
                del self.settings.rate_limit[method]
                raise _too_many(limit.retry_after)
            limit.after_calls -= 1
        if self.settings.tiers:
            self._refuse_tier(method, tier, now)

    def _refuse_tier(self, method: str, tier: str, now: float) -> None:
        calls = self._calls[method]
        while calls and calls[0] <= now - 60:
            calls.popleft()
        if len(calls) >= TIER_LIMITS[tier]:
            raise _too_many(calls[0] + 60 - now)
        calls.append(now)

    @staticmethod
    def _take(counts: dict[str, int], key: str) -> bool:
        if counts.get(key, 0) == 0:
            return False
        counts[key] -= 1
        return True


def _too_many(seconds: float) -> ApiError:
    return ApiError("ratelimited", status=429, retry_after=max(1, round(seconds)))
