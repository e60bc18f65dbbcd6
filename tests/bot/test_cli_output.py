"""How commands speak: exit codes, one-line errors, JSON, tables, progress."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
import pytest

from bot.cli import execute
from bot.cli.output import (
    in_minutes,
    moment,
    plain,
    plain_reporter,
    print_table,
    progress_bar,
    question_text,
    short,
    to_json,
    write_file,
)
from bot.errors import MisuseError, SettingsError
from knowledge.errors import DatabaseError
from models.errors import ModelFileError


def command_that_raises(error: BaseException) -> click.Command:
    @click.command()
    def fail() -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SettingsError("the key x"), 1, "Error: the key x"),
        (DatabaseError("the disk is full"), 1, "Error: the disk is full"),
        (ModelFileError("no such file"), 1, "Error: no such file"),
        (MisuseError("the question is empty"), 2, "Error: the question is empty"),
        (click.UsageError("no such option"), 2, "no such option"),
        (KeyboardInterrupt(), 130, "Stopped."),
        (ZeroDivisionError("division by zero"), 1, "unexpected ZeroDivisionError: division by zero"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(command_that_raises(error), []) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err


def test_a_command_that_works_ends_with_zero() -> None:
    assert execute(click.Command("fine", callback=lambda: None), []) == 0


def test_help_ends_with_zero_and_an_unknown_option_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    command = click.Command("fine", callback=lambda: None)
    assert execute(command, ["--help"]) == 0
    assert execute(command, ["--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err


def test_json_knows_moments_paths_and_numpy_numbers() -> None:
    value = {"at": datetime(2026, 11, 20, tzinfo=UTC), "file": Path("a/b"), "score": np.float32(0.5), "text": "ü"}
    expected = {"at": "2026-11-20T00:00:00+00:00", "file": "a/b", "score": 0.5, "text": "ü"}
    assert json.loads(to_json(value)) == expected
    assert "ü" in to_json(value)


def test_what_json_does_not_know_is_an_error() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json(object())


def test_a_table_keeps_long_cells_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "note"), [("handbook", "x" * 150), (None, 3)])
    assert "x" * 150 in capsys.readouterr().out


def test_text_from_elsewhere_cannot_move_the_cursor_or_turn_the_writing_around() -> None:
    assert plain("a\x1b[31mb\u202ec\u200bd\ne\tf") == "a[31mbcd\ne\tf"


def test_a_question_is_trimmed_and_must_not_be_empty() -> None:
    assert question_text("  How? ") == "How?"
    with pytest.raises(MisuseError, match="the question is empty"):
        question_text(" \n ")


def test_long_text_is_shortened_on_one_line() -> None:
    assert short("a\nb") == "a b"
    assert short("word " * 30, 20) == "word word word word…"


def test_moments_are_told_for_people() -> None:
    now = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
    assert moment(None) == "never"
    assert moment(now) == now.astimezone().strftime("%Y-%m-%d %H:%M")
    assert in_minutes(now + timedelta(minutes=12), now) == "in 12 min"
    assert in_minutes(now - timedelta(minutes=12), now) == "due now"
    assert in_minutes(None) == "-"


def test_where_nobody_watches_progress_is_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    time = [0.0]
    report = plain_reporter(lambda: time[0])
    for done in range(100):
        report("Embedding", done + 1, 100)
        time[0] += 0.5
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "Embedding: 1 of 100"
    assert said[-1] == "Embedding: 100 of 100"
    assert len(said) < 10


def test_progress_without_a_total_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(watched=False) as report:
        report("Reading", 3, None)
    assert capsys.readouterr().err == "Reading: 3\n"


def test_on_a_terminal_there_is_a_bar_for_each_task(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(watched=True) as report:
        report("Reading", 1, None)
        report("Reading", 2, 2)
        report("Embedding", 1, 4)
    shown = capsys.readouterr()
    assert "Reading" in shown.err
    assert "1/4" in shown.err
    assert shown.out == ""


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    def lines() -> list[str]:
        return ["one\n", "two\n"]

    assert write_file(tmp_path / "out.jsonl", lines()) == 2
    assert (tmp_path / "out.jsonl").read_text(encoding="utf-8") == "one\ntwo\n"
    with pytest.raises(MisuseError, match="cannot be written"):
        write_file(tmp_path / "missing" / "out.jsonl", lines())
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]
