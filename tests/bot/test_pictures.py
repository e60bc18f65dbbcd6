"""Pictures are drawn from what was measured, also where little or nothing was."""

from __future__ import annotations

import struct
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.errors import MisuseError
from bot.learn.pictures import Bar, draw_curves, draw_differences, draw_feedback
from bot.overview import VersionWeek

MONDAY = date(2026, 5, 4)


def size_of(file: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    content = file.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def bars(count: int) -> list[Bar]:
    return [Bar(name=f"m{n}", mean=0.1, low=-0.1 * n, high=0.3, note="x", verdict="worse") for n in range(count)]


def test_a_picture_of_more_measures_is_taller_and_nothing_unfinished_stays(tmp_path: Path) -> None:
    draw_differences(bars(2), title="t", beneath="b", file=tmp_path / "two.png")
    draw_differences(bars(9), title="t", beneath="b", file=tmp_path / "nine.png")
    assert size_of(tmp_path / "nine.png")[1] > size_of(tmp_path / "two.png")[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nine.png", "two.png"]


@pytest.mark.parametrize(
    "logged",
    [
        [],
        [{"step": 1, "loss": 2.0}],
        [{"step": 10, "validation_loss": 1.0, "learning_rate": None}],
        [{"step": n, "loss": 2 / n, "learning_rate": 1e-4} for n in range(1, 90)],
    ],
)
def test_a_run_is_drawn_from_whatever_it_logged(tmp_path: Path, logged: list[dict[str, Any]]) -> None:
    draw_curves(logged, tmp_path / "curves.png")
    assert size_of(tmp_path / "curves.png")[0] > 1000


def test_votes_are_drawn_also_where_there_are_none(tmp_path: Path) -> None:
    weeks = [
        VersionWeek(monday=MONDAY + timedelta(weeks=n), version=version, good=n, bad=1)
        for n in range(3)
        for version in ("base", "tuned")
    ]
    draw_feedback(weeks, tmp_path / "votes.png")
    draw_feedback([], tmp_path / "none.png")
    assert (tmp_path / "votes.png").read_bytes() != (tmp_path / "none.png").read_bytes()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="Name another file"):
        draw_curves([], tmp_path / "nowhere" / "curves.png")
