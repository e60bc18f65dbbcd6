"""The tail of an answer: what can be done with one that stands. Pure; `answer_actions` does what is chosen here."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from bot import words
from bot.turn import Visibility

Block = dict[str, Any]
MenuPurpose = Literal["regenerate", "shorter", "detail", "why", "escalate"]

MENU_ACTION: Final = "answer_menu"
SHARE_ACTION: Final = "answer_share"
KEEP_ACTION: Final = "answer_keep"
PURPOSES: Final[tuple[MenuPurpose, ...]] = get_args(MenuPurpose)


def menu_blocks(answer_id: int, visibility: Visibility) -> list[Block]:
    """Build the tail of an answer; what only its asker sees can be shared or kept as well."""
    elements: list[Block] = []
    if visibility == "ephemeral":
        elements += [
            _button(words.MENU_SHARE, SHARE_ACTION, answer_id),
            _button(words.MENU_KEEP, KEEP_ACTION, answer_id),
        ]
    options = [
        {"text": _plain(words.MENU_PURPOSES[purpose]), "value": menu_value(purpose, answer_id)} for purpose in PURPOSES
    ]
    elements.append({"type": "overflow", "action_id": MENU_ACTION, "options": options})
    return [{"type": "actions", "block_id": f"answer_menu_{answer_id}", "elements": elements}]


def menu_value(purpose: MenuPurpose, answer_id: int) -> str:
    """Pack what is wanted and of which answer into an option's value."""
    return f"{purpose}:{answer_id}"


def parse_menu_value(value: str) -> tuple[MenuPurpose, int] | None:
    """Unpack an option's value; None where it is not one of ours."""
    name, _, key = value.partition(":")
    purpose = next((known for known in PURPOSES if known == name), None)
    return (purpose, int(key)) if purpose is not None and key.isdecimal() else None


def _button(label: str, action: str, answer_id: int) -> Block:
    return {"type": "button", "text": _plain(label), "action_id": action, "value": str(answer_id)}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}
