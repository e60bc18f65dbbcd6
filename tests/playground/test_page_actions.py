"""Whatever a page sends, it gets an answer: every action takes anything, and refuses what it cannot use."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.playground.actions import ACTIONS
from tests.playground.site import ADA, GENERAL, Site, running

WORDS = st.sampled_from(
    [ADA, GENERAL, "U0BENORTIZ", "D0ADAPARK", "C0HELP", "1700000000.000100", "/lore", "multi", "home", "view", "it"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "view_id", "channel", "ts", "block_id", "action_id", "values", "name", "content"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
NAMES = (
    "user channel ts thread_ts text files name add container action state values view_id tab private shared pending "
    "invitee who member with guest external admin person deleted command callback_id title surface streaming value"
).split()


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """One playground for all attempts; nobody answers its interactions, so it does not wait for that."""
    with running(ack_seconds=0.01, time_scale=1000.0) as site:
        yield site


# Without the app most others would only say that it is not there.
@pytest.mark.parametrize("action", sorted(ACTIONS.keys() - {"uninstall"}))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6))
def test_every_action_answers_whatever_it_is_given(shared: Site, action: str, body: dict[str, object]) -> None:
    content = json.dumps({"user": ADA, "channel": GENERAL, **body})
    answer = shared.http.post(f"playground/api/{action}", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 200, (action, body, answer.text)
    assert answer.json()["ok"] or answer.json()["error"]
