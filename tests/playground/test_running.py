"""The file that says where a data folder's playground runs: for its owner alone, gone with it, never just believed."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bot.playground.process import start_playground
from bot.playground.running import FILE, RunningPlayground, announced, find_running

NOBODY = RunningPlayground(api_url="http://127.0.0.1:9/api/", bot_token="xoxb-gone", app_token="xapp-gone")


def test_it_is_found_while_it_runs_by_its_owner_alone_and_not_after(tmp_path: Path) -> None:
    with start_playground(port=0) as process, announced(process.line, tmp_path):
        assert find_running(tmp_path) == process.line
        assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600
        assert "xoxb" not in repr(process.line)
        # Another one, or another program, listens where it listened.
        (tmp_path / FILE).write_text(json.dumps(asdict(replace(process.line, bot_token="xoxb-other"))), "utf-8")
        assert find_running(tmp_path) is None
    # That of the other one stays; its own would have gone.
    assert list(tmp_path.iterdir()) == [tmp_path / FILE]


def test_what_a_killed_one_left_counts_as_nothing(tmp_path: Path) -> None:
    with announced(NOBODY, tmp_path):
        assert find_running(tmp_path) is None
    assert find_running(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"api_url": "http://127.0.0.1:9/api/"}', '{"token": 1}'])
def test_a_broken_file_counts_as_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    assert find_running(tmp_path) is None
