"""Questions that the library can answer, made from what is indexed and what one reader may read.

A heading that is a question is asked as it is; of the others the question is "What does … say about …?". Knows SQL and
audiences, not Slack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest

import sqlalchemy as sa

from bot import words
from knowledge import tables
from knowledge.audience import Audience
from knowledge.database import reading

MOST_SUGGESTIONS = 4
# A heading with less below it answers little.
_LEAST_TEXT = 80
_MOST_DOCUMENTS = 60
_SHORTEST, _LONGEST = 3, 80
_NAMES_NOTHING = frozenset(
    {
        "introduction", "intro", "overview", "contents", "table of contents", "summary", "notes", "note", "references",
        "changelog", "release notes", "faq", "appendix", "index", "readme", "see also", "license", "links", "todo",
        "misc", "other", "more", "general", "about", "usage", "examples", "example", "background", "conclusion",
    }
)  # fmt: skip
_NUMBERING = re.compile(r"^\s*(?:[\divxIVX]{1,4}[.)]|\d+(?:\.\d+)+)\s+")
_HEADING = re.compile(r"^#{2,6} +(.+)$", re.MULTILINE)
# What a page of a PDF is headed with.
_PAGE = re.compile(r"page \d+", re.IGNORECASE)
_MARKS = re.compile(r"[*_`#\[\]<>|\\]+")


@dataclass(frozen=True, kw_only=True)
class KnownSource:
    """A source with what one reader may read of it."""

    name: str
    documents: int
    last_run: datetime | None
    """When it was last read to the end."""


def known_sources(engine: sa.Engine, audience: Audience) -> tuple[KnownSource, ...]:
    """The sources that hold something for this audience, those with most documents first."""
    source, document, run = tables.source, tables.document, tables.sync_run
    count = sa.func.count(document.c.id)
    last_run = (
        sa.select(sa.func.max(run.c.finished_at))
        .where(run.c.source_id == source.c.id, run.c.error.is_(None))
        .scalar_subquery()
    )
    query = (
        sa.select(source.c.name, count.label("documents"), last_run.label("last_run"))
        .join(document, document.c.source_id == source.c.id)
        .where(_readable(audience))
        .group_by(source.c.id)
        .order_by(count.desc(), source.c.name)
    )
    with reading(engine) as connection:
        return tuple(KnownSource(**row) for row in connection.execute(query).mappings())


def suggest(engine: sa.Engine, audience: Audience, *, most: int = MOST_SUGGESTIONS) -> tuple[str, ...]:
    """Up to `most` questions: the newest documents first, the sources by turns, one question of each document.

    Where there are fewer documents than that, each is asked more.
    """
    of_documents = list(_questions_by_document(engine, audience))
    known: set[str] = set()
    found: list[str] = []
    while len(found) < most:
        source_turns: dict[str, list[str]] = {}
        for source_id, questions in of_documents:
            question = next((one for one in questions if one.casefold() not in known), None)
            if question is not None:
                known.add(question.casefold())
                source_turns.setdefault(source_id, []).append(question)
        if not source_turns:
            break
        found += [question for round_ in zip_longest(*source_turns.values()) for question in round_ if question]
    return tuple(found[:most])


def _questions_by_document(engine: sa.Engine, audience: Audience) -> Iterator[tuple[str, list[str]]]:
    document, chunk = tables.document, tables.chunk
    newest = (
        sa.select(document.c.id, document.c.source_id, document.c.title)
        .where(_readable(audience))
        .order_by(sa.func.coalesce(document.c.modified_at, document.c.synced_at).desc(), document.c.id.desc())
        .limit(_MOST_DOCUMENTS)
    )
    with reading(engine) as connection:
        documents = connection.execute(newest).all()
        chunks = connection.execute(
            sa.select(chunk.c.document_id, chunk.c.header, chunk.c.text)
            .where(chunk.c.document_id.in_([row.id for row in documents]), sa.func.length(chunk.c.text) >= _LEAST_TEXT)
            .order_by(chunk.c.document_id, chunk.c.ordinal)
        ).all()
    of_document: dict[int, list[str]] = {}
    for row in chunks:
        # A short document is one chunk, with its headings inside.
        inside = [f"{row.header} > {heading}" for heading in _HEADING.findall(row.text)]
        of_document.setdefault(row.document_id, []).extend([row.header, *inside])
    for row in documents:
        if row.id in of_document:
            yield row.source_id, _questions(row.title, of_document[row.id])


def _questions(title: str, headers: list[str]) -> list[str]:
    """What can be asked of one document: its own questions first, then its headings, then its title."""
    title = _plain(title)
    headings = list(dict.fromkeys(_plain(header.rsplit(" > ", 1)[-1]) for header in headers if " > " in header))
    own = [heading for heading in headings if heading.endswith("?") and len(heading.split()) > 2]
    made = [
        words.SUGGEST_HEADING.format(title=title, heading=_in_sentence(heading))
        for heading in headings
        if heading not in own and _says_something(heading) and heading.casefold() != title.casefold()
    ]
    about = [words.SUGGEST_TITLE.format(title=title)] if _says_something(title) else []
    return [*own, *(made if _says_something(title) else []), *about]


def _readable(audience: Audience) -> sa.ColumnElement[bool]:
    # Both must be readable: a source's own audience may be narrower than a document says.
    allowed = sorted(audience.readable)
    narrow = sa.select(tables.source.c.id).where(tables.source.c.audience.not_in(allowed))
    return tables.document.c.audience.in_(allowed) & tables.document.c.source_id.not_in(narrow)


def _plain(text: str) -> str:
    return " ".join(_MARKS.sub(" ", _NUMBERING.sub("", text)).split())


def _says_something(text: str) -> bool:
    fits = _SHORTEST <= len(text) <= _LONGEST and any(letter.isalpha() for letter in text)
    return fits and text.casefold().rstrip(":.") not in _NAMES_NOTHING and not _PAGE.fullmatch(text)


def _in_sentence(heading: str) -> str:
    """A heading within a sentence: "Parental leave" becomes "parental leave", and names keep their letters."""
    first, _, rest = heading.rstrip(":.").partition(" ")
    ordinary = first[:1].isupper() and first[1:].islower() and rest == rest.lower() and rest
    return f"{first.lower()} {rest}" if ordinary else heading.rstrip(":.")
