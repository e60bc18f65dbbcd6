"""The short form behind 👎: what was wrong, and what would have been better. Saves nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bot import words
from bot.feedback import REASONS
from bot.slack.limits import PLAIN_TEXT_INPUT, shorten
from bot.slack.render import Block, RenderedMessage, fallback, note_block

FORM_CALLBACK: Final = "feedback_form"
OPEN_FORM_ACTION: Final = "feedback_form_open"
_REASON: Final = "reason"
_CORRECTION: Final = "correction"


@dataclass(frozen=True, kw_only=True)
class FormAnswer:
    """What a person sent with the form."""

    key: str
    """The answer's key, as given to `feedback_form`."""
    reason: str
    correction: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class FormErrors:
    """What to mend before the form can be sent: block id -> sentence, for `response_action: errors`."""

    errors: Mapping[str, str]


def feedback_form(key: str) -> Block:
    """Build the modal view; `key` names the answer and comes back with the form."""
    options = [{"text": _plain(words.REASONS[reason]), "value": reason} for reason in REASONS]
    return {
        "type": "modal",
        "callback_id": FORM_CALLBACK,
        "private_metadata": key,
        "title": _plain(words.FORM_TITLE),
        "submit": _plain(words.FORM_SEND),
        "close": _plain(words.FORM_CANCEL),
        "blocks": [
            {
                "type": "input",
                "block_id": _REASON,
                "label": _plain(words.FORM_REASON),
                "element": {"type": "radio_buttons", "action_id": _REASON, "options": options},
            },
            {
                "type": "input",
                "block_id": _CORRECTION,
                "optional": True,
                "label": _plain(words.FORM_CORRECTION),
                "hint": _plain(words.FORM_CORRECTION_HINT),
                "element": {
                    "type": "plain_text_input",
                    "action_id": _CORRECTION,
                    "multiline": True,
                    "max_length": PLAIN_TEXT_INPUT,
                },
            },
        ],
    }


def parse_form(view: Mapping[str, Any]) -> FormAnswer | FormErrors:
    """Read the `view` of a `view_submission`."""
    values = view.get("state", {}).get("values", {})
    chosen = values.get(_REASON, {}).get(_REASON, {}).get("selected_option") or {}
    reason = chosen.get("value")
    correction = str(values.get(_CORRECTION, {}).get(_CORRECTION, {}).get("value") or "").strip()
    if reason not in REASONS:
        return FormErrors(errors={_REASON: words.FORM_REASON_MISSING})
    if reason == "other" and not correction:
        return FormErrors(errors={_CORRECTION: words.FORM_CORRECTION_MISSING})
    correction = shorten(correction, PLAIN_TEXT_INPUT)
    return FormAnswer(key=str(view.get("private_metadata", "")), reason=reason, correction=correction)


def reason_request(key: str) -> RenderedMessage:
    """Confirm a 👎 reaction, visible to the voter alone, and ask what was wrong."""
    button = {
        "type": "button",
        "action_id": OPEN_FORM_ACTION,
        "text": _plain(words.TELL_MORE),
        "value": key,
    }
    blocks = [note_block(words.ASK_REASON), {"type": "actions", "elements": [button]}]
    return RenderedMessage(text=fallback(words.ASK_REASON), blocks=blocks)


def receipt_message(text: str) -> RenderedMessage:
    """A receipt, visible to the voter alone."""
    return RenderedMessage(text=fallback(text), blocks=[note_block(text)])


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}
