"""The tail of an answer: what can be done with one that stands. Pure; `answer_actions` does what is chosen here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args

from bot import words
from bot.attachments import keepable
from bot.slack.limits import shorten
from bot.turn import AttachedFile, Visibility

Block = dict[str, Any]
MenuPurpose = Literal["regenerate", "shorter", "detail", "why", "escalate"]

MENU_ACTION: Final = "answer_menu"
SHARE_ACTION: Final = "answer_share"
KEEP_ACTION: Final = "answer_keep"
KEEP_FILES_ACTION: Final = "keep_files"
CHOICE_ACTION: Final = "answer_choice"
"""In front of the number of what was chosen."""
# Slack's limit for the words on a button.
_BUTTON_TEXT = 75
# With the two for what only its asker sees, and the menu, few enough to stay in one row block.
_MOST_CHOICES = 9
PURPOSES: Final[tuple[MenuPurpose, ...]] = get_args(MenuPurpose)


def menu_blocks(
    answer_id: int, visibility: Visibility, choices: Sequence[str] = (), *, keeps_files: bool = False
) -> list[Block]:
    """Build the tail of an answer; what only its asker sees can be shared or kept as well.

    `choices` are what a question back asks to choose from; `keeps_files` offers to keep what came with the question.
    """
    elements: list[Block] = [
        _choice(number, label, answer_id) for number, label in enumerate(choices[:_MOST_CHOICES], start=1)
    ]
    if visibility == "ephemeral":
        elements += [
            _button(words.MENU_SHARE, SHARE_ACTION, answer_id),
            _button(words.MENU_KEEP, KEEP_ACTION, answer_id),
        ]
    elements += [_button(words.KEEP_FILES, KEEP_FILES_ACTION, answer_id)] if keeps_files else []
    options = [
        {"text": _plain(words.MENU_PURPOSES[purpose]), "value": menu_value(purpose, answer_id)} for purpose in PURPOSES
    ]
    elements.append({"type": "overflow", "action_id": MENU_ACTION, "options": options})
    return [{"type": "actions", "block_id": f"answer_menu_{answer_id}", "elements": elements}]


def files_block(answer_id: int) -> Block:
    """Build the tail of a sentence to somebody who shared files."""
    button = _button(words.KEEP_FILES, KEEP_FILES_ACTION, answer_id)
    return {"type": "actions", "block_id": f"keep_files_{answer_id}", "elements": [button]}


def may_keep_files(channel: str, files: Sequence[AttachedFile]) -> bool:
    """Whether it is offered to keep the files of a question: they were shared with the bot alone, and can be read."""
    return channel.startswith("D") and bool(keepable(files))


def menu_value(purpose: MenuPurpose, answer_id: int) -> str:
    """Pack what is wanted and of which answer into an option's value."""
    return f"{purpose}:{answer_id}"


def parse_menu_value(value: str) -> tuple[MenuPurpose, int] | None:
    """Unpack an option's value; None where it is not one of ours."""
    name, _, key = value.partition(":")
    purpose = next((known for known in PURPOSES if known == name), None)
    return (purpose, int(key)) if purpose is not None and key.isdecimal() else None


def parse_choice(action_id: str, value: str) -> tuple[int, int] | None:
    """Read which answer a press is about, and the number of what was chosen, from 1; None where it is not ours."""
    name, _, number = action_id.rpartition("_")
    is_ours = name == CHOICE_ACTION and number.isdecimal() and value.isdecimal()
    return (int(value), int(number)) if is_ours else None


def _choice(number: int, label: str, answer_id: int) -> Block:
    return _button(shorten(f"{number}. {label}", _BUTTON_TEXT), f"{CHOICE_ACTION}_{number}", answer_id)


def _button(label: str, action: str, answer_id: int) -> Block:
    return {"type": "button", "text": _plain(label), "action_id": action, "value": str(answer_id)}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}
