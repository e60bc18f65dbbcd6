"""CSV and XLSX to Markdown: each row a sentence that names its columns, so that a row found alone says what it is."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time

from knowledge.converted import Converted, as_prose, decode
from knowledge.errors import NoTextError

_SAMPLE_CHARACTERS = 20_000
_DELIMITERS = ",;\t|"
# Titles and remarks above a table are no header: the first of so many rows that fills the table's width is.
_HEADER_WITHIN = 10

Row = Sequence[str]


def from_csv(content: bytes) -> Converted:
    """Values that some sign separates, which is told from the beginning."""
    text = decode(content)
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(text[:_SAMPLE_CHARACTERS], _DELIMITERS)
    except csv.Error:
        dialect = csv.excel
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    return Converted(title="", markdown="\n\n".join(rows_as_text(csv.reader(io.StringIO(text), dialect))))


def from_xlsx(content: bytes) -> Converted:
    """Every visible sheet under its name, with the values that formulas had when the file was saved."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    parts = []
    for sheet in book.worksheets:
        if sheet.sheet_state != "visible":
            continue
        # What a damaged file says of its size makes a reader see one cell only.
        sheet.reset_dimensions()
        told = "\n\n".join(rows_as_text([_said(value) for value in row] for row in sheet.iter_rows(values_only=True)))
        if told:
            parts.append(f"## {' '.join(sheet.title.split())}\n\n{told}")
    if not parts:
        raise NoTextError("No visible sheet of it holds a value.")
    return Converted(title=str(book.properties.title or ""), markdown="\n\n".join(parts))


def rows_as_text(rows: Iterable[Row]) -> Iterator[str]:
    """One sentence for each row that says something: `Name: Ada; Room: 12.` What is quoted of it is all of it."""
    cleaned = ([" ".join(value.split()) for value in row] for row in rows)
    some = (row for row in cleaned if any(row))
    first = list(itertools.islice(some, _HEADER_WITHIN))
    at = _header(first)
    if at is None:
        names: Row = ()
        body = itertools.chain(first, some)
    else:
        names = first[at]
        yield from (as_prose(" ".join(filter(None, row))) for row in first[:at])
        body = itertools.chain(first[at + 1 :], some)
    for row in body:
        said = [f"{_name(names, place)}: {value}" for place, value in enumerate(row) if value]
        yield as_prose("; ".join(part.rstrip(".;") for part in said) + ".")


def _header(rows: Sequence[Row]) -> int | None:
    """The row that names the columns: the first as wide as any, of words that differ; None where there is none."""
    width = max((sum(map(bool, row)) for row in rows), default=0)
    for place, row in enumerate(rows[:-1]):
        named = [value for value in row if value]
        if len(named) == width:
            is_header = len(set(named)) == len(named) and not any(_is_number(value) for value in named)
            return place if is_header else None
    return None


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", ".").rstrip("%"))
    except ValueError:
        return False
    return True


def _name(names: Row, place: int) -> str:
    return names[place] if place < len(names) and names[place] else f"Column {place + 1}"


def _said(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d" if value.time() == time() else "%Y-%m-%d %H:%M")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
