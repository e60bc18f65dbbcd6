"""PPTX to Markdown: every slide under its number and title, with its tables and the speaker's notes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from knowledge.converted import Converted, as_prose
from knowledge.errors import NoTextError


def from_pptx(content: bytes) -> Converted:
    """What stands on the slides that are shown."""
    import pptx

    show: Any = pptx.Presentation(io.BytesIO(content))
    parts = []
    for number, slide in enumerate(show.slides, 1):
        if slide.element.get("show") == "0":
            continue
        title = " ".join((slide.shapes.title.text_frame.text if slide.shapes.title is not None else "").split())
        said = "\n\n".join(filter(None, _of_shapes(slide.shapes, slide.shapes.title)))
        notes = slide.notes_slide.notes_text_frame.text.strip() if slide.has_notes_slide else ""
        said = "\n\n".join(filter(None, (said, f"Notes: {as_prose(notes)}" if notes else "")))
        if title or said:
            parts.append(f"## Slide {number}{f': {title}' if title else ''}\n\n{said}".strip())
    if not parts:
        raise NoTextError("Its slides hold no text, only pictures.")
    return Converted(title=str(show.core_properties.title or ""), markdown="\n\n".join(parts))


def _of_shapes(shapes: Any, title: Any) -> Iterator[str]:
    for shape in shapes:
        if title is not None and shape.shape_id == title.shape_id:
            continue
        if hasattr(shape, "shapes"):
            yield from _of_shapes(shape.shapes, None)
        elif getattr(shape, "has_table", False):
            yield _table([[" ".join(cell.text.split()) for cell in row.cells] for row in shape.table.rows])
        elif shape.has_text_frame:
            yield _paragraphs(shape.text_frame)


def _paragraphs(frame: Any) -> str:
    lines = [(paragraph.level, " ".join(paragraph.text.split())) for paragraph in frame.paragraphs]
    lines = [(level, text) for level, text in lines if text]
    if len(lines) < 2:
        return "".join(as_prose(text) for _, text in lines)
    return "\n".join(f"{'  ' * level}- {text}" for level, text in lines)


def _table(rows: list[list[str]]) -> str:
    head, *body = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([head, f"|{'---|' * len(rows[0])}", *body])
