"""The sources on the admins' side of the home page: how each is doing, and what can be done about it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bot import words
from bot.slack.render import Block, note_block
from bot.slack.view_parts import DIVIDER, actions, button, confirmation, header, one_line, paragraph, section, text

SYNC_ACTION: Final = "home_sync"
PAUSE_ACTION: Final = "home_source_pause"
RESUME_ACTION: Final = "home_source_resume"
RELEASE_ACTION: Final = "home_held_release"
DISCARD_ACTION: Final = "home_held_discard"
EARLIER_ACTION: Final = "home_sources_earlier"
LATER_ACTION: Final = "home_sources_later"
# Four blocks each at most: a view has room for them and a dozen more.
MOST_SOURCES: Final = 20
MOST_NAMED: Final = 5
"""Documents of one source that are named: those that are held, and those that could not be read."""
_LONGEST_NAME, _LONGEST_TITLE = 200, 100
# Of a name in a question: such a text has 300 characters.
_LONGEST_ASKED = 60
_NONE: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class AdminSource:
    """One source with how its reading goes."""

    id: str
    name: str
    state: str
    failures: tuple[str, ...] = ()
    """Names of documents that could not be read."""
    held: int = 0
    """Documents that wait to be let in."""
    held_titles: tuple[str, ...] = ()
    """The first of them that this admin may read once they are in."""
    paused: bool = False
    went_well: tuple[bool, ...] = ()
    """How the latest runs ended, the newest first."""


def sources_part(
    sources: Sequence[AdminSource], *, first: int, known: int, hidden: int, notices: Mapping[str, str] = _NONE
) -> list[Block]:
    """List sources; `first` is the place of the first of them among all `known`, `hidden` are not to be named.

    `notices` say what came of a press, by source.
    """
    shown = sources[:MOST_SOURCES]
    blocks: list[Block] = [dict(DIVIDER), header(words.ADMIN_SYNC_TITLE)]
    for source in shown:
        notice = notices.get(source.id, "")
        blocks += [*_said(source), *([note_block(notice)] if notice else []), actions(*_buttons(source))]
    blocks += [actions(*turns)] if (turns := _turns(first, len(shown), known)) else []
    if known > len(shown):
        blocks.append(note_block(words.sources_shown(first + 1, first + len(shown), known)))
    if hidden or not shown:
        blocks.append(note_block(words.hidden_sources(hidden)))
    return blocks


def _said(source: AdminSource) -> list[Block]:
    name = one_line(source.name, _LONGEST_NAME) or words.UNTITLED
    failed = words.could_not_be_read(_named(source.failures), len(source.failures)) if source.failures else ""
    lines = filter(None, (source.state, words.runs_line(source.went_well), failed))
    blocks = [paragraph(text(name, bold=True)), note_block("\n".join(lines))]
    # Names of documents stand in plain text only: nothing in it becomes a link.
    held = [section(words.admin_held(source.held, _named(source.held_titles)))] if source.held else []
    return [*blocks, *held]


def _named(names: Sequence[str]) -> list[str]:
    return [one_line(name, _LONGEST_TITLE) or words.UNTITLED for name in names[:MOST_NAMED]]


def _buttons(source: AdminSource) -> list[Block]:
    """What can be done: what is held is decided on after a question."""
    turn = (words.ADMIN_RESUME, RESUME_ACTION) if source.paused else (words.ADMIN_PAUSE, PAUSE_ACTION)
    buttons = [button(words.ADMIN_SYNC_NOW, SYNC_ACTION, source.id), button(*turn, source.id)]
    if not source.held:
        return buttons
    name = one_line(source.name, _LONGEST_ASKED) or words.UNTITLED
    let_in, discard = words.ADMIN_HELD_RELEASE, words.ADMIN_HELD_DISCARD
    asked = confirmation(let_in, words.release_question(name, source.held), let_in, words.FORM_CANCEL)
    warned = confirmation(discard, words.discard_question(name, source.held), discard, words.FORM_CANCEL)
    return [
        *buttons,
        button(let_in, RELEASE_ACTION, source.id, confirm=asked),
        button(discard, DISCARD_ACTION, source.id, style="danger", confirm=warned),
    ]


def _turns(first: int, shown: int, known: int) -> list[Block]:
    buttons = []
    if first:
        buttons.append(button(words.ADMIN_EARLIER, EARLIER_ACTION, str(max(0, first - MOST_SOURCES))))
    if first + shown < known:
        buttons.append(button(words.ADMIN_LATER, LATER_ACTION, str(first + shown)))
    return buttons
