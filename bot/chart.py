"""Votes over time and counts, as pictures and as lines of text; the only module that knows Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.overview import WeekVotes

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

_WIDTH, _HEIGHT, _MARGIN, _FOOT, _HEAD = 960, 360, 40, 56, 64
# Told apart by brightness as well as by colour.
_GOOD, _BAD, _INK, _LINE, _PAPER = "#1d7a52", "#f2a65a", "#1d1c1d", "#d5d5d8", "#ffffff"
_TEXT_SIZE = 20
_LONGEST_BAR = 12
_LABEL_WIDTH, _ROW_HEIGHT, _TITLE_HEIGHT = 300, 30, 44


@dataclass(frozen=True, kw_only=True)
class Bars:
    """One group of counts."""

    title: str
    values: Sequence[tuple[str, int]]


def draw_votes(weeks: Sequence[WeekVotes], good: str, bad: str) -> bytes:
    """Draw two bars a week, each with its number, as a PNG; `good` and `bad` name them."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(image)
    _legend(draw, good, bad)
    floor, room = _HEIGHT - _FOOT, _HEIGHT - _FOOT - _HEAD
    draw.line([(_MARGIN, floor), (_WIDTH - _MARGIN, floor)], fill=_LINE, width=2)
    most = max([1, *(max(week.good, week.bad) for week in weeks)])
    step = (_WIDTH - 2 * _MARGIN) / max(1, len(weeks))
    for place, week in enumerate(weeks):
        middle = _MARGIN + step * (place + 0.5)
        width = step * 0.3
        for count, color, left in ((week.good, _GOOD, middle - width), (week.bad, _BAD, middle)):
            top = floor - room * count / most
            if count:
                draw.rectangle([(left + 2, top), (left + width - 2, floor - 1)], fill=color)
                _write(draw, (left + width / 2, top - 4), str(count), anchor="mb")
        _write(draw, (middle, floor + 8), f"{week.monday:%d %b}", anchor="mt")
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def draw_bars(groups: Sequence[Bars]) -> bytes:
    """Draw groups of lying bars below each other, each bar with its number, as a PNG."""
    from PIL import Image, ImageDraw

    height = 2 * _MARGIN + sum(_TITLE_HEIGHT + _ROW_HEIGHT * len(group.values) for group in groups)
    image = Image.new("RGB", (_WIDTH, max(height, 2 * _MARGIN)), _PAPER)
    draw = ImageDraw.Draw(image)
    top = float(_MARGIN)
    room = _WIDTH - 2 * _MARGIN - _LABEL_WIDTH - 80
    for group in groups:
        _write(draw, (_MARGIN, top + _TITLE_HEIGHT / 2), group.title, anchor="lm")
        draw.line(
            [(_MARGIN, top + _TITLE_HEIGHT - 6), (_WIDTH - _MARGIN, top + _TITLE_HEIGHT - 6)], fill=_LINE, width=2
        )
        top += _TITLE_HEIGHT
        most = max([1, *(count for _, count in group.values)])
        for name, count in group.values:
            middle, left = top + _ROW_HEIGHT / 2, _MARGIN + _LABEL_WIDTH
            _write(draw, (left - 12, middle), _fitting(draw, name), anchor="rm")
            width = room * count / most
            draw.rectangle([(left, top + 5), (left + max(width, 1), top + _ROW_HEIGHT - 5)], fill=_GOOD)
            _write(draw, (left + width + 10, middle), str(count), anchor="lm")
            top += _ROW_HEIGHT
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()


def votes_as_text(weeks: Sequence[WeekVotes]) -> str:
    """Write one line a week, with bars of characters."""
    most = max([1, *(max(week.good, week.bad) for week in weeks)])
    digits = len(str(most))
    return "\n".join(
        f"{week.monday:%d %b}  +{week.good:>{digits}} {_bar(week.good, most, '█'):<{_LONGEST_BAR}}"
        f"  -{week.bad:>{digits}} {_bar(week.bad, most, '▒')}".rstrip()
        for week in weeks
    )


def _bar(count: int, most: int, mark: str) -> str:
    return mark * max(1 if count else 0, round(_LONGEST_BAR * count / most))


def _legend(draw: ImageDraw, good: str, bad: str) -> None:
    left = float(_MARGIN)
    for color, label in ((_GOOD, good), (_BAD, bad)):
        draw.rectangle([(left, 18), (left + 18, 36)], fill=color)
        _write(draw, (left + 26, 27), label, anchor="lm")
        left += 26 + draw.textlength(label, font=_font()) + 32


def _write(draw: ImageDraw, at: tuple[float, float], words: str, *, anchor: str) -> None:
    draw.text(at, words, fill=_INK, font=_font(), anchor=anchor)


def _fitting(draw: ImageDraw, label: str) -> str:
    """As much of a label as there is room for."""
    cut = " ".join(label.split())
    while cut and draw.textlength(cut, font=_font()) > _LABEL_WIDTH - 24:
        cut = cut[:-2].rstrip("…") + "…" if len(cut) > 2 else ""
    return cut


def _font() -> ImageFont | FreeTypeFont:
    from PIL import ImageFont as Fonts

    return Fonts.load_default(_TEXT_SIZE)
