"""The part of the home page that is one person's own: how they are answered, and what is kept about them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, get_args

from bot import words
from bot.language import NAMES
from bot.people import Preferences
from bot.remember import Remembered
from bot.slack.inert import clean
from bot.slack.limits import shorten
from bot.slack.render import Block, note_block
from bot.slack.view_parts import (
    DIVIDER,
    actions,
    bullets,
    button,
    choice,
    choices,
    header,
    modal,
    one_line,
    option,
    section,
)
from bot.turn import Length

LANGUAGE_ACTION: Final = "home_language"
LENGTH_ACTION: Final = "home_length"
SWITCHES_ACTION: Final = "home_switches"
SEE_ACTION: Final = "home_data_see"
EXPORT_ACTION: Final = "home_data_export"
DELETE_ACTION: Final = "home_data_delete"
FORGET_ONE_ACTION: Final = "home_data_forget_one"
DELETE_CALLBACK: Final = "home_data_delete"
_AS_ASKED: Final = "as_asked"
_MOST_QUESTIONS = 10
_LONGEST_QUESTION = 300
_MOST_REMEMBERED = 30


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """What is kept about one person: how many rows of each kind, and what they asked last."""

    counts: Mapping[str, int]
    questions: Sequence[str] = field(default=(), repr=False)
    remembered: Sequence[Remembered] = ()
    """What they asked to be remembered, the newest first."""


def settings_blocks(preferences: Preferences, notice: str = "") -> list[Block]:
    """How this person is answered, and their data; a notice stands here, where they pressed."""
    languages = [option(words.SETTINGS_LANGUAGE_AS_ASKED, _AS_ASKED)]
    languages += [option(name, code) for code, name in sorted(NAMES.items(), key=lambda item: item[1])]
    lengths = [option(words.SETTINGS_LENGTHS[length], length) for length in get_args(Length)]
    switches = [option(words.SETTINGS_SWITCHES[name][0], name, words.SETTINGS_SWITCHES[name][1]) for name in _SWITCHES]
    chosen = [name for name in _SWITCHES if getattr(preferences, name)]
    return [
        header(words.SETTINGS_TITLE),
        *([note_block(notice)] if notice else []),
        actions(
            choice("static_select", LANGUAGE_ACTION, languages, preferences.language or _AS_ASKED),
            choice("static_select", LENGTH_ACTION, lengths, preferences.length),
        ),
        actions(choices("checkboxes", SWITCHES_ACTION, switches, chosen)),
        note_block(words.SETTINGS_TUNING_NOTICE),
        dict(DIVIDER),
        header(words.DATA_TITLE),
        section(words.DATA_INTRODUCTION),
        actions(
            button(words.DATA_SEE, SEE_ACTION),
            button(words.DATA_EXPORT, EXPORT_ACTION),
            button(words.DATA_DELETE, DELETE_ACTION, style="danger"),
        ),
    ]


def changed(preferences: Preferences, action: Mapping[str, Any]) -> Preferences | None:
    """The settings after a choice on the page; None for a choice that the page does not offer."""
    value = str((action.get("selected_option") or {}).get("value") or "")
    match action.get("action_id"):
        case "home_language" if value == _AS_ASKED or value in NAMES:
            return replace(preferences, language="" if value == _AS_ASKED else value)
        case "home_length":
            length = next((known for known in _lengths() if known == value), None)
            return None if length is None else replace(preferences, length=length)
        case "home_switches":
            on = {str(one.get("value")) for one in action.get("selected_options") or []}
            return replace(preferences, memory="memory" in on, tuning="tuning" in on)
        case _:
            return None


def data_view(data: OwnData) -> Block:
    """The page that shows a person what is kept about them."""
    counts = [words.data_count(kind, count) for kind, count in data.counts.items() if count]
    blocks = [section(words.DATA_KEPT), bullets(counts)] if counts else [section(words.DATA_NOTHING)]
    questions = [" ".join(clean(text).split()) for text in data.questions[:_MOST_QUESTIONS]]
    if questions:
        blocks += [section(words.DATA_LAST_QUESTIONS), bullets(shorten(one, _LONGEST_QUESTION) for one in questions)]
    blocks += _remembered_blocks(data.remembered)
    return modal(words.DATA_TITLE, blocks, close=words.CLOSE)


def _remembered_blocks(remembered: Sequence[Remembered]) -> list[Block]:
    """What they asked to be remembered, each with a button that forgets it."""
    if not remembered:
        return []
    shown = remembered[:_MOST_REMEMBERED]
    rows = [
        section(one_line(one.text, _LONGEST_QUESTION), button(words.DATA_FORGET_ONE, FORGET_ONE_ACTION, str(one.id)))
        for one in shown
    ]
    more = len(remembered) - len(shown)
    notes = [note_block(words.DATA_MORE_REMEMBERED.format(count=more))] if more else []
    return [section(words.DATA_REMEMBERED), *rows, *notes]


def delete_form() -> Block:
    """The form that asks before everything is deleted."""
    return modal(
        words.DATA_DELETE_TITLE,
        [section(words.DATA_DELETE_QUESTION)],
        close=words.FORM_CANCEL,
        submit=words.DATA_DELETE_CONFIRM,
        callback=DELETE_CALLBACK,
    )


def deleted_view(removed: Mapping[str, int]) -> Block:
    """The receipt."""
    counts = [words.data_count(kind, count) for kind, count in removed.items() if count]
    blocks = [section(words.DATA_DELETED), bullets(counts)] if counts else [section(words.DATA_NOTHING)]
    return modal(words.DATA_DELETE_TITLE, [*blocks, note_block(words.DATA_DELETED_NOTE)], close=words.CLOSE)


_SWITCHES: Final = ("memory", "tuning")


def _lengths() -> tuple[Length, ...]:
    return get_args(Length)
