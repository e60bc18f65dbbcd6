"""Answers of every kind and length arrive whole, within Slack's limits, with feedback buttons."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.playground.process import PlaygroundProcess, start_playground
from tests.benchmarks.long_answers import Tally, first_missing, generated, judge, plain_text, send_all, send_one, sender
from tests.bot.dialogue import HELP


@pytest.fixture(scope="module")
def playground() -> Iterator[PlaygroundProcess]:
    with start_playground(port=0) as process:
        yield process


def test_a_slice_of_the_long_run(playground: PlaygroundProcess, tmp_path: Path) -> None:
    """M11."""
    tally = Tally()
    send_all(tally, playground, tmp_path, 7, range(20))
    assert tally.failures == []
    assert tally.cases == 20


def test_what_four_messages_cannot_hold_follows_as_a_file(playground: PlaygroundProcess, tmp_path: Path) -> None:
    """M11."""
    markdown = "A sentence of some length, said once more.\n\n" * 1_400
    with sender(playground, tmp_path) as (sending, inbox, workspace):
        workspace.act("clear_traffic")
        ts = send_one(sending, inbox, workspace, markdown)
        messages = workspace.bot_messages(HELP, ts)
        assert judge(Tally(), workspace, playground, ts, markdown) == []
    assert [len(message.get("files", [])) for message in messages] == [0, 0, 0, 0, 1]
    assert "file below" in repr(messages[3]["blocks"])


def test_without_the_right_to_upload_the_end_says_that_it_is_cut(playground: PlaygroundProcess, tmp_path: Path) -> None:
    markdown = "A sentence of some length, said once more.\n\n" * 1_400
    with sender(playground, tmp_path) as (sending, inbox, workspace):
        workspace.act("faults", error={"files.getUploadURLExternal": "missing_scope"})
        ts = send_one(sending, inbox, workspace, markdown)
        workspace.act("faults", clear=True)
        messages = workspace.bot_messages(HELP, ts)
    assert len(messages) == 4
    assert "too long for Slack" in repr(messages[3]["blocks"])


@pytest.mark.parametrize("lost", [1, 2])
def test_a_file_whose_sharing_nobody_confirmed_is_there_once(
    playground: PlaygroundProcess, tmp_path: Path, lost: int
) -> None:
    markdown = "A sentence of some length, said once more.\n\n" * 1_400
    with sender(playground, tmp_path) as (sending, inbox, workspace):
        workspace.act("faults", lost_replies={"files.completeUploadExternal": lost})
        ts = send_one(sending, inbox, workspace, markdown)
        workspace.act("faults", clear=True)
        messages = workspace.bot_messages(HELP, ts)
    assert sum(len(message.get("files", [])) for message in messages) == 1


def test_a_refused_sharing_says_that_the_answer_is_cut(playground: PlaygroundProcess, tmp_path: Path) -> None:
    markdown = "A sentence of some length, said once more.\n\n" * 1_400
    with sender(playground, tmp_path) as (sending, inbox, workspace):
        workspace.act("faults", error={"files.completeUploadExternal": "file_not_found"})
        ts = send_one(sending, inbox, workspace, markdown)
        workspace.act("faults", clear=True)
        messages = workspace.bot_messages(HELP, ts)
    assert len(messages) == 4
    assert "too long for Slack" in repr(messages[3]["blocks"])


def test_the_judge_sees_what_is_lost() -> None:
    assert first_missing("a b c d", "abd") == "cd"
    assert first_missing("a b c", "a • b ─ c") == ""
    assert plain_text("**a** `b`\n\n```\nc\n```\n") == "a bc\n"


def test_the_generator_makes_short_and_very_long_answers() -> None:
    lengths = [len(generated(random.Random(number))) for number in range(200)]
    assert min(lengths) < 10
    assert max(lengths) > 40_000
