"""How long the right to open a modal lasts: as long as the workspace waits for its app, and three seconds at least."""

from __future__ import annotations

import pytest

from bot.playground.errors import ApiError
from bot.playground.options import PlaygroundOptions, Tokens
from bot.playground.playground import Playground
from tests.playground.site import ADA


@pytest.mark.parametrize(("ack_seconds", "lasts"), [(0.2, 3.0), (3.0, 3.0), (30.0, 30.0)])
def test_a_modal_may_be_opened_as_long_as_the_workspace_waits_for_its_app(ack_seconds: float, lasts: float) -> None:
    playground = Playground(PlaygroundOptions(ack_seconds=ack_seconds), Tokens.create())
    seconds = [1_000_000.0]
    playground.workspace.now = lambda: seconds[0]
    rights = playground.interactivity.rights
    in_time, late = (rights.new_trigger(ADA, from_modal=False) for _ in range(2))
    seconds[0] += lasts - 0.1
    assert rights.exchange(in_time).user == ADA
    seconds[0] += 0.2
    with pytest.raises(ApiError, match="expired_trigger_id"):
        rights.exchange(late)
