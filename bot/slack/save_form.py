"""The form for what is to be kept as knowledge: a title, words, files, and who may read it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot import words
from bot.slack.limits import PLAIN_TEXT_INPUT, shorten
from bot.slack.render import Block, note_block
from bot.slack.view_parts import choice, field, given_option, given_text, modal, one_line, option
from bot.turn import AttachedFile
from knowledge.audience import EVERYONE, channel_audience

SAVE_CALLBACK: Final = "save_as_knowledge_form"
_TITLE, _TEXT, _READERS = "title", "text", "readers"
_LONGEST_TITLE, _LONGEST_PREFILLED_TITLE = 150, 80
_LONGEST_NAME = 60
_MOST_OPTIONS = 100
# A hyphen between digits is part of a date.
_GAPS = re.compile(r"_|(?<!\d)-|-(?!\d)")


@dataclass(frozen=True, kw_only=True)
class ReaderChoice:
    """Whom a person may choose as readers of what they save."""

    here: str
    """The document audience of the place: what is chosen where nobody chooses otherwise; empty where nobody but the
    person reads there, so that they have to choose."""
    channels: Sequence[tuple[str, str]] = ()
    """Id and name of the channels that the person and the bot are both in."""


@dataclass(frozen=True, kw_only=True)
class SaveRequest:
    """What a submitted form says."""

    title: str
    text: str
    readers: str
    """A document audience; empty where the form did not ask."""


def save_form(
    text: str,
    meta: str,
    *,
    title: str = "",
    files: Sequence[AttachedFile] = (),
    readers: ReaderChoice | None = None,
) -> Block:
    """The form for a note, filled with what the message says; its first line is the title where there is none.

    Where there are files, words of one's own are not needed.
    """
    title = title or next((line.strip() for line in text.splitlines() if line.strip()), "")
    title = title or next((stem_of(file.name) for file in files), "")
    label = words.KEEP_NOTE_TEXT if files and not text else words.SAVE_NOTE_TEXT
    return modal(
        words.KEEP_FILES_TITLE if files and not text else words.SAVE_TITLE,
        [
            *(note_block(f"{shown_name(file.name)} · {words.file_size(file.size)}") for file in files),
            text_field(_TITLE, words.SAVE_NOTE_TITLE, shorten(title, _LONGEST_PREFILLED_TITLE), most=_LONGEST_TITLE),
            *([_readers_field(readers)] if readers is not None else []),
            text_field(_TEXT, label, text, words.SAVE_NOTE_HINT, multiline=True, optional=bool(files)),
        ],
        close=words.SAVE_CANCEL,
        submit=words.SAVE_SEND,
        callback=SAVE_CALLBACK,
        metadata=meta,
    )


def parse_save_form(view: Mapping[str, Any]) -> SaveRequest:
    """Read the `view` of a `view_submission`."""
    return SaveRequest(
        title=given_text(view, _TITLE), text=given_text(view, _TEXT), readers=given_option(view, _READERS)
    )


def text_field(
    name: str,
    label: str,
    value: str,
    hint: str = "",
    *,
    multiline: bool = False,
    optional: bool = False,
    most: int = PLAIN_TEXT_INPUT,
) -> Block:
    """A field for words."""
    element: Block = {"type": "plain_text_input", "multiline": multiline, "max_length": most}
    if value:
        element["initial_value"] = shorten(value, most)
    return field(name, label, element, hint=hint, optional=optional)


def shown_name(name: str) -> str:
    """A file's name as it is shown, and kept beside its id."""
    return one_line(name, _LONGEST_NAME) or words.UNTITLED


def stem_of(name: str) -> str:
    """A file's name as a title: without its ending, in words."""
    stem, dot, _ = shown_name(name).rpartition(".")
    title = " ".join(_GAPS.sub(" ", stem if dot and stem else shown_name(name)).split())
    return title[:1].upper() + title[1:]


def _readers_field(readers: ReaderChoice) -> Block:
    names = {channel_audience(channel): words.members_of(name) for channel, name in readers.channels}
    first = {readers.here: names.get(readers.here, words.SAVE_HERE)} if readers.here not in ("", EVERYONE) else {}
    labels = first | {EVERYONE: words.SAVE_EVERYONE} | names
    options = [option(label, audience) for audience, label in labels.items()][:_MOST_OPTIONS]
    element = choice("static_select", _READERS, options, readers.here, words.SAVE_READERS_CHOOSE)
    return field(_READERS, words.SAVE_READERS, element, hint=words.SAVE_READERS_HINT, optional=False)
