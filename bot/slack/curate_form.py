"""The form in which an admin approves an answer as the standing one: question and text, both may be mended. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bot import words
from bot.slack.limits import PLAIN_TEXT_INPUT
from bot.slack.render import Block, note_block

CURATE_CALLBACK: Final = "curate_form"
_QUESTION: Final = "question"
_TEXT: Final = "text"


@dataclass(frozen=True, kw_only=True)
class CurateAnswer:
    """What an admin sent with the form."""

    answer_id: int
    question: str = field(repr=False)
    text: str = field(repr=False)


def curate_form(answer_id: int, *, question: str, text: str, audience: str) -> Block:
    """Build the form; `audience` says in words who will get this answer."""
    return {
        "type": "modal",
        "callback_id": CURATE_CALLBACK,
        "private_metadata": str(answer_id),
        "title": _plain(words.CURATE_TITLE),
        "submit": _plain(words.CURATE_SEND),
        "close": _plain(words.FORM_CANCEL),
        "blocks": [
            note_block(words.CURATE_NOTE),
            _input(_QUESTION, words.CURATE_QUESTION, question[:PLAIN_TEXT_INPUT], words.CURATE_QUESTION_HINT),
            _input(_TEXT, words.CURATE_TEXT, text[:PLAIN_TEXT_INPUT], words.CURATE_TEXT_HINT),
            note_block(audience),
        ],
    }


def curate_refusal(reason: str) -> Block:
    """Say in a form why this answer cannot be approved."""
    return {
        "type": "modal",
        "title": _plain(words.CURATE_TITLE),
        "close": _plain(words.FORM_CLOSE),
        "blocks": [note_block(reason)],
    }


def parse_curate_form(view: Mapping[str, Any]) -> CurateAnswer | Mapping[str, str]:
    """Read the `view` of a `view_submission`; a mapping of block ids to sentences says what is missing."""
    values = view.get("state", {}).get("values", {})
    question, text = (
        str((values.get(key, {}).get(key) or {}).get("value") or "").strip() for key in (_QUESTION, _TEXT)
    )
    missing = {key: words.CURATE_MISSING for key, value in ((_QUESTION, question), (_TEXT, text)) if not value}
    key = str(view.get("private_metadata") or "")
    if missing or not key.isdecimal():
        return missing or {_QUESTION: words.ANSWER_GONE}
    return CurateAnswer(answer_id=int(key), question=question, text=text)


def _input(key: str, label: str, value: str, hint: str) -> Block:
    element: Block = {
        "type": "plain_text_input",
        "action_id": key,
        "multiline": True,
        "max_length": PLAIN_TEXT_INPUT,
    }
    if value:
        element["initial_value"] = value
    return {"type": "input", "block_id": key, "label": _plain(label), "hint": _plain(hint), "element": element}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}
