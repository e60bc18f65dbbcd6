"""How commands speak: JSON for machines, tables for people, progress bars only where somebody watches."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

Report = Callable[[str, int, int | None], None]
"""What is being done, how much of it is done, and of how much (None: nobody knows)."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a machine to read.")

# A log line every so often is enough where nobody watches a bar.
_PLAIN_EVERY_SECONDS = 10.0
# Control, format (zero-width, direction) and surrogate characters.
_UNSAFE = frozenset({"Cc", "Cf", "Cs"})


def print_json(value: object) -> None:
    """Print one JSON value; moments are ISO 8601, paths are text."""
    click.echo(to_json(value, indent=2))


def to_json(value: object, indent: int | None = None) -> str:
    """Turn rows and dataclass dicts into JSON text."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_plain)


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):  # a NumPy scalar
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under headings, as wide as the terminal and wrapped, never cut."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if cell is None else plain(str(cell))) for cell in row))
    # Not on a terminal there is no width to respect: one row stays one line.
    Console(width=None if sys.stdout.isatty() else 400, highlight=False).print(table)


def question_text(argument: str) -> str:
    """The question as it was given; `-` means that it comes on stdin. Raises MisuseError where there is none."""
    from bot.errors import MisuseError

    text = (sys.stdin.read() if argument == "-" else argument).strip()
    if not text:
        raise MisuseError('the question is empty. Write it in quotes: lorekeeper ask "How do I …?"')
    return text


def ask_person(text: str, hidden: bool) -> str:
    """Ask on the terminal; what is hidden does not show while it is typed."""
    if not sys.stdin.isatty():
        line = sys.stdin.readline()
        if not line:
            raise click.Abort
        return line.strip()
    return str(click.prompt(text, default="", show_default=False, hide_input=hidden))


def plain(text: str) -> str:
    """Text from elsewhere, without the characters that a terminal would obey or show in another order."""
    return "".join(one for one in text if one in "\n\t" or unicodedata.category(one) not in _UNSAFE)


def short(text: str, characters: int = 80) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= characters else f"{line[:characters].rstrip()}…"


def write_file(path: Path, lines: Iterable[str]) -> int:
    """Write lines to a file, whole or not at all, and count them; raises MisuseError where it cannot be written."""
    from bot.errors import MisuseError

    unfinished = path.with_name(f".{path.name}.unfinished")
    count = 0
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(line)
                count += 1
        unfinished.replace(path)
    except OSError as error:
        raise MisuseError(f"{path} cannot be written ({error.strerror}). Name another file.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def moment(when: datetime | None) -> str:
    """A moment as people read it, in this machine's time zone."""
    return "never" if when is None else when.astimezone().strftime("%Y-%m-%d %H:%M")


def in_minutes(when: datetime | None, now: datetime | None = None) -> str:
    """How long until then."""
    if when is None:
        return "-"
    minutes = round((when - (now or datetime.now(UTC))).total_seconds() / 60)
    return "due now" if minutes <= 0 else f"in {minutes} min"


@contextmanager
def progress_bar(*, watched: bool | None = None) -> Iterator[Report]:
    """Show progress on stderr: a bar on a terminal, otherwise a plain line now and then."""
    if watched if watched is not None else sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield plain_reporter()


def plain_reporter(clock: Callable[[], float] | None = None) -> Report:
    """Report in lines: the first of each task, then one every few seconds, then the last."""
    import time

    tell_time = clock or time.monotonic
    said: dict[str, float] = {}

    def report(task: str, done: int, total: int | None) -> None:
        now = tell_time()
        finished = total is not None and done >= total
        if task in said and now - said[task] < _PLAIN_EVERY_SECONDS and not finished:
            return
        said[task] = now
        click.echo(task + _count(done, total), err=True)

    return report


def task_of(report: Report, task: str) -> Report:
    """Report all steps as one task, whatever each step calls itself."""
    return lambda _step, done, total: report(task, done if total is None else min(done, total), total)


def _count(done: int, total: int | None) -> str:
    if total is not None:
        return f": {done} of {total}"
    return f": {done}" if done else " …"


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def report(task: str, done: int, total: int | None) -> None:
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=total)
            bars.update(tasks[task], completed=done, total=total)

        yield report
