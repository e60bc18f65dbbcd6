"""Votes over time, as a picture and as lines of text; the only module that knows Pillow."""

from __future__ import annotations

import io
from collections.abc import Sequence
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


def _font() -> ImageFont | FreeTypeFont:
    from PIL import ImageFont as Fonts

    return Fonts.load_default(_TEXT_SIZE)
