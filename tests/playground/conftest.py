"""One playground for each test, whose ledger is held against Slack's reference when the test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.playground import reference
from tests.playground.site import Site, running

EVENTS = frozenset(
    "message app_mention reaction_added reaction_removed app_home_opened member_joined_channel "
    "member_left_channel agent_session_stopped agent_session_title_changed channel_shared "
    "channel_unshared channel_id_changed team_join user_change app_context_changed "
    "assistant_thread_started assistant_thread_context_changed file_shared file_deleted app_uninstalled "
    "tokens_revoked".split()
)


@pytest.fixture
def start() -> Iterator[Callable[..., Site]]:
    """Start playgrounds with options; every call that they get must be one of Slack's, and so must the answer."""
    with ExitStack() as sites:
        started: list[Site] = []

        def start_one(**options: Any) -> Site:
            started.append(sites.enter_context(running(**options)))
            return started[-1]

        yield start_one
        assert not {name for site in started for name in _event_names(site)} - _known_events()
        wrong = [line for site in started for entry in site.ledger("call") for line in _problems(entry)]
        assert not wrong


@pytest.fixture
def site(start: Callable[..., Site]) -> Site:
    """A playground whose long clocks run a hundred times as fast."""
    return start(time_scale=100.0)


def _event_names(site: Site) -> set[str]:
    return {entry["name"].partition("/")[0] for entry in site.ledger("event")}


def _known_events() -> frozenset[str]:
    return reference.event_names() if reference.REFERENCE.exists() else EVENTS


def _problems(entry: dict[str, Any]) -> list[str]:
    return reference.problems(entry) if reference.REFERENCE.exists() else []
