"""What admins review on their side of the home page: notes with their files, and approved answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from bot import words
from bot.curated import Curated
from bot.notes import SavedFile, SavedNote
from bot.slack.inert import clean
from bot.slack.limits import BLOCKS_OF_VIEW, TEXT_OBJECT, length, pieces, shorten
from bot.slack.render import Block, note_block
from bot.slack.view_parts import (
    DIVIDER,
    actions,
    button,
    confirmation,
    header,
    modal,
    one_line,
    paragraph,
    person,
    section,
    text,
)
from bot.slack.view_parts import channel as channel_name
from knowledge.audience import EVERYONE

APPROVE_ACTION: Final = "home_note_approve"
REJECT_ACTION: Final = "home_note_reject"
READ_ACTION: Final = "home_note_read"
CURATED_ACTION: Final = "home_curated_remove"
MOST_NOTES, MOST_CURATED = 10, 15
_LONGEST_LINE = 200
_LONGEST_TEXT = 600
_LONGEST_BEGINNING = 400
"""Of a file that waits for its review."""
_LONGEST_PAGE = 30_000
_MOST_FILES = 5
_BLANK_LINES, _MARKS = re.compile(r"\n\s*\n"), re.compile(r"^#{1,6} +", re.MULTILINE)


def review_part(notes: Sequence[SavedNote], hidden: int, curated: Sequence[Curated]) -> list[Block]:
    """What waits for a decision, and what was decided to stand; so many notes besides are for others."""
    return [*_notes(notes, hidden), *_curated(curated)]


def _notes(notes: Sequence[SavedNote], hidden: int) -> list[Block]:
    blocks: list[Block] = [dict(DIVIDER), header(words.ADMIN_NOTES_TITLE)]
    for note in notes[:MOST_NOTES]:
        blocks.append(_note(note))
        value = note_value(note)
        approve = button(words.ADMIN_NOTE_APPROVE, APPROVE_ACTION, value, style="primary")
        read = [button(words.ADMIN_NOTE_READ, READ_ACTION, value)] if any(map(_is_long, note.files)) else []
        blocks.append(actions(approve, button(words.ADMIN_NOTE_REJECT, REJECT_ACTION, value), *read))
    rest = len(notes) - MOST_NOTES
    if rest > 0:
        blocks.append(note_block(words.HOME_MORE_SOURCES.format(count=rest)))
    if not notes:
        blocks.append(note_block(words.ADMIN_NO_NOTES))
    if hidden:
        blocks.append(note_block(words.admin_hidden(hidden)))
    return blocks


def _note(note: SavedNote) -> Block:
    """What a note says, whose it is and for whom, and how its files begin."""
    title = one_line(note.title, _LONGEST_LINE) or words.UNTITLED
    said = shorten(clean(note.text).strip(), _LONGEST_TEXT)
    readers = (text(f" · {words.ADMIN_NOTE_FOR} "), *_may_read(note.audience))
    place = text(words.ADMIN_NOTE_DIRECT) if note.channel.startswith("D") else channel_name(note.channel)
    origin = (text(f"{words.ADMIN_NOTE_BY} "), person(note.user), text(" · "), place, *readers)
    runs = [text(f"{title}\n", bold=True), *([text(f"{said}\n")] if said else []), *origin]
    elements: list[Block] = [{"type": "rich_text_section", "elements": runs}]
    for file in note.files[:_MOST_FILES]:
        named = text(f"{one_line(file.name, _LONGEST_LINE)} · {words.file_size(file.size)}", bold=True)
        elements.append({"type": "rich_text_section", "elements": [named]})
        beginning = text(shorten(_as_read(file.text), _LONGEST_BEGINNING))
        elements.append({"type": "rich_text_quote", "elements": [beginning]})
    return {"type": "rich_text", "elements": elements}


def _may_read(audience: str) -> list[Block]:
    kind, _, identifier = audience.partition(":")
    if kind == "channel":
        return [channel_name(identifier)]
    return [text(words.ADMIN_NOTE_EVERYONE if audience == EVERYONE else words.ADMIN_NOTE_ONE)]


def _is_long(file: SavedFile) -> bool:
    return length(_as_read(file.text)) > _LONGEST_BEGINNING


def _as_read(markdown: str) -> str:
    """The text of a file without the marks of headings and the lines between paragraphs: there is little room."""
    return _MARKS.sub("", _BLANK_LINES.sub("\n", markdown)).strip()


def note_view(note: SavedNote) -> Block:
    """A page with more of the files of a note."""
    blocks: list[Block] = []
    room = _LONGEST_PAGE
    for file in note.files[:_MOST_FILES]:
        blocks.append(header(one_line(file.name, _LONGEST_LINE)))
        rest = shorten(_as_read(file.text), max(room, _LONGEST_BEGINNING))
        room -= length(rest)
        blocks += [paragraph(text(part)) for part in pieces(rest, TEXT_OBJECT)]
    return modal(one_line(note.title, _LONGEST_LINE) or words.UNTITLED, blocks[:BLOCKS_OF_VIEW], close=words.FORM_CLOSE)


def note_value(note: SavedNote) -> str:
    """What names a note, as it was shown, in its buttons."""
    return f"{note.id}:{note.version}"


def _curated(entries: Sequence[Curated]) -> list[Block]:
    blocks: list[Block] = [dict(DIVIDER), header(words.ADMIN_CURATED_TITLE)]
    asked = confirmation(
        words.ADMIN_CURATED_REMOVE, words.ADMIN_CURATED_QUESTION, words.ADMIN_CURATED_REMOVE, words.FORM_CANCEL
    )
    for entry in entries[:MOST_CURATED]:
        said = one_line(entry.question, _LONGEST_LINE) or words.UNTITLED
        remove = button(words.ADMIN_CURATED_REMOVE, CURATED_ACTION, str(entry.id), confirm=asked)
        blocks.append(section(f"{said}\n{words.curated_facts(entry.uses, stale=entry.stale)}", remove))
    rest = len(entries) - MOST_CURATED
    if rest > 0:
        blocks.append(note_block(words.HOME_MORE_SOURCES.format(count=rest)))
    if not entries:
        blocks.append(note_block(words.ADMIN_NO_CURATED))
    return blocks
