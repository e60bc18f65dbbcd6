"""Pictures of the watch and of the advice: small multiples over time, and bars with their intervals. Drawn by Pillow.

Knows numbers and labels, not where they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from bot.errors import MisuseError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

_INK, _SOFT, _LINE, _PAPER, _GRID = "#1d1c1d", "#6b6b70", "#1d5f8a", "#ffffff", "#e4e4e7"
_BAND, _MARK, _BAR, _WHISKER = "#cfe1ec", "#c2410c", "#7fb0cc", "#1d1c1d"
_PANEL_WIDTH, _PANEL_HEIGHT, _GAP = 300, 120, 18
_LABELS, _HEAD, _FOOT, _AXIS = 190, 74, 40, 62
_BAR_WIDTH, _BAR_HEIGHT, _BAR_LABELS, _BAR_NUMBERS = 620, 46, 330, 170
_TEXT, _SMALL, _TITLE = 17, 14, 21
_SHADES = 0.08
"""So much of the height stays free above and below a line."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """One value at one day, with what most values lie between."""

    day: date
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One line over time."""

    points: tuple[Point, ...]
    marked: date | None = None
    """The day of a change."""


@dataclass(frozen=True, kw_only=True)
class PanelRow:
    """The panels of one measure, side by side, on one scale."""

    label: str
    panels: tuple[Panel, ...]
    written: Callable[[float], str]
    """How a value of it is written."""
    is_share: bool = False
    """From 0 to at most 1."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One number with its interval."""

    label: str
    value: float
    low: float
    high: float
    note: str


def draw_panels(title: str, columns: Sequence[str], rows: Sequence[PanelRow], path: Path) -> None:
    """Draw one row a measure and one column a version; days run alike everywhere. Raises MisuseError."""
    days = sorted({point.day for row in rows for panel in row.panels for point in panel.points})
    width = _LABELS + _AXIS + len(columns) * (_PANEL_WIDTH + _GAP)
    image, draw = _sheet(width, _HEAD + _FOOT + len(rows) * (_PANEL_HEIGHT + _GAP), title)
    for place, name in enumerate(columns):
        left = _LABELS + _AXIS + place * (_PANEL_WIDTH + _GAP)
        _write(draw, (left, _HEAD - 8), _fitted(draw, name, _PANEL_WIDTH), anchor="ls", size=_TEXT)
    for number, row in enumerate(rows):
        top = _HEAD + number * (_PANEL_HEIGHT + _GAP)
        _write(draw, (16, top + _PANEL_HEIGHT / 2), row.label, anchor="lm", size=_TEXT)
        low, high = _range(row)
        for value, height in ((high, top), (low, top + _PANEL_HEIGHT)):
            anchor = "rt" if value == high else "rb"
            _write(draw, (_LABELS + _AXIS - 8, height), row.written(value), anchor=anchor, size=_SMALL, color=_SOFT)
        for place, panel in enumerate(row.panels):
            left = _LABELS + _AXIS + place * (_PANEL_WIDTH + _GAP)
            _draw_panel(draw, panel, (left, top), days, (low, high))
    if days:
        _draw_days(draw, len(columns), _HEAD + len(rows) * (_PANEL_HEIGHT + _GAP), days)
    _save(image, path)


def draw_bars(title: str, bars: Sequence[Bar], path: Path) -> None:
    """Draw one bar a line, each with its interval. Raises MisuseError."""
    width = _BAR_LABELS + _BAR_WIDTH + _BAR_NUMBERS
    image, draw = _sheet(width, _HEAD + _FOOT + max(1, len(bars)) * _BAR_HEIGHT, title)
    most = max([1.0, *(bar.high for bar in bars)])
    for number, bar in enumerate(bars):
        top = _HEAD + number * _BAR_HEIGHT
        middle = top + _BAR_HEIGHT / 2 - 4
        _write(draw, (_BAR_LABELS - 12, middle), bar.label, anchor="rm", size=_TEXT)
        right, low, high = (_BAR_LABELS + _BAR_WIDTH * value / most for value in (bar.value, bar.low, bar.high))
        if bar.value > 0:
            draw.rectangle([(_BAR_LABELS, top + 4), (right, top + _BAR_HEIGHT - 12)], fill=_BAR)
        draw.line([(low, middle), (high, middle)], fill=_WHISKER, width=2)
        for end in (low, high):
            draw.line([(end, middle - 6), (end, middle + 6)], fill=_WHISKER, width=2)
        _write(draw, (_BAR_LABELS + _BAR_WIDTH + 12, middle), bar.note, anchor="lm", size=_TEXT)
    _save(image, path)


def _draw_panel(
    draw: ImageDraw, panel: Panel, corner: tuple[float, float], days: Sequence[date], scale: tuple[float, float]
) -> None:
    left, top = corner
    low, high = scale
    draw.rectangle([corner, (left + _PANEL_WIDTH, top + _PANEL_HEIGHT)], outline=_GRID)
    span = max(1, (days[-1] - days[0]).days) if days else 1

    def at(day: date, value: float) -> tuple[float, float]:
        across = left + 6 + (_PANEL_WIDTH - 12) * ((day - days[0]).days / span)
        return across, top + _PANEL_HEIGHT - _PANEL_HEIGHT * (value - low) / (high - low)

    banded = [point for point in panel.points if point.low is not None and point.high is not None]
    if len(banded) > 1:
        upper = [at(point.day, point.high) for point in banded if point.high is not None]
        lower = [at(point.day, point.low) for point in reversed(banded) if point.low is not None]
        draw.polygon([*upper, *lower], fill=_BAND)
    if panel.marked is not None and days and days[0] <= panel.marked <= days[-1]:
        across = at(panel.marked, low)[0]
        draw.line([(across, top), (across, top + _PANEL_HEIGHT)], fill=_MARK, width=2)
    line = [at(point.day, point.value) for point in panel.points]
    if len(line) > 1:
        draw.line(line, fill=_LINE, width=3, joint="curve")
    for x, y in line:
        draw.ellipse([(x - 3, y - 3), (x + 3, y + 3)], fill=_LINE)
    if not line:
        _write(draw, (left + _PANEL_WIDTH / 2, top + _PANEL_HEIGHT / 2), "–", anchor="mm", size=_TEXT, color=_SOFT)


def _draw_days(draw: ImageDraw, columns: int, top: float, days: Sequence[date]) -> None:
    for place in range(columns):
        left = _LABELS + _AXIS + place * (_PANEL_WIDTH + _GAP)
        _write(draw, (left, top), f"{days[0]:%d %b}", anchor="lt", size=_SMALL, color=_SOFT)
        _write(draw, (left + _PANEL_WIDTH, top), f"{days[-1]:%d %b}", anchor="rt", size=_SMALL, color=_SOFT)


def _range(row: PanelRow) -> tuple[float, float]:
    points = [point for panel in row.panels for point in panel.points]
    values = [value for point in points for value in (point.value, point.low, point.high) if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low or abs(high) or 1.0) * _SHADES
    if row.is_share:
        return 0.0, min(1.0, high + room)
    # Nothing that is watched goes below 0.
    return max(0.0, low - room), high + room


def _sheet(width: int, height: int, title: str) -> tuple[Image, ImageDraw]:
    from PIL import Image as Images
    from PIL import ImageDraw as Draws

    image = Images.new("RGB", (width, height), _PAPER)
    draw = Draws.Draw(image)
    _write(draw, (16, 24), title, anchor="lm", size=_TITLE)
    return image, draw


def _fitted(draw: ImageDraw, words: str, width: int) -> str:
    while words and draw.textlength(words, font=_font(_TEXT)) > width:
        words = f"{words[:-2].rstrip('…')}…"
    return words


def _write(draw: ImageDraw, at: tuple[float, float], words: str, *, anchor: str, size: int, color: str = _INK) -> None:
    draw.text(at, words, fill=color, font=_font(size), anchor=anchor)


def _font(size: int) -> ImageFont | FreeTypeFont:
    from PIL import ImageFont as Fonts

    return Fonts.load_default(size)


def _save(image: Image, path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        image.save(unfinished, "PNG", optimize=True)
        unfinished.replace(path)
    except OSError as error:
        raise MisuseError(f"{path} cannot be written ({error.strerror}). Name another file.") from error
    finally:
        unfinished.unlink(missing_ok=True)
