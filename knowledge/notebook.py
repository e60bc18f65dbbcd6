"""Jupyter notebooks to Markdown: texts as they are, code fenced, of the results what is text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from knowledge.converted import Converted, decode
from knowledge.errors import UnreadableDocumentError

_LONGEST_RESULT = 2_000


def from_notebook(content: bytes, markdown: Callable[[bytes], Converted]) -> Converted:
    """The cells in their order; `markdown` converts the texts between the code."""
    try:
        book = json.loads(decode(content))
        cells = book["cells"]
        language = str(book.get("metadata", {}).get("language_info", {}).get("name", ""))
        parts = [part for cell in cells for part in _of_cell(cell, language)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableDocumentError("It is no notebook of format 4. Open it in Jupyter and save it again.") from error
    return markdown("\n\n".join(parts).encode())


def _of_cell(cell: Mapping[str, Any], language: str) -> Iterator[str]:
    source = _joined(cell.get("source", "")).strip()
    if cell["cell_type"] == "markdown" and source:
        yield source
    elif cell["cell_type"] == "code" and source:
        yield f"```{language}\n{source}\n```"
        for output in cell.get("outputs", ()):
            said = _joined(output.get("text") or output.get("data", {}).get("text/plain") or "").strip()
            if said:
                yield f"```\n{said[:_LONGEST_RESULT]}\n```"


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
