"""The parts that the bot's pages and forms are made of. Every text is plain or rich text: nothing in it is parsed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.slack.inert import BROADCAST, break_address, clean, linkish
from bot.slack.limits import HEADER, TEXT_OBJECT, shorten
from bot.slack.render import Block

OPTION = 75
"""Most characters of an option's text and of a button's."""
_TITLE, _CONFIRM_TITLE, _CONFIRM_TEXT, _CONFIRM_BUTTON = 24, 100, 300, 30
_PLACEHOLDER = 150
DIVIDER: Mapping[str, Any] = {"type": "divider"}


def one_line(text: str, limit: int) -> str:
    """A text of others on one line: without what hides or steers, and no longer than this."""
    return shorten(" ".join(clean(text).split()), limit)


def harmless(said: str, limit: int) -> str:
    """The words of others on one line, in which nothing is an address or calls anybody, wherever it is shown."""
    shown = (break_address(word) if linkish(word) else word for word in one_line(said, limit).split())
    return BROADCAST.sub("[@]", " ".join(shown))


def plain(text: str, limit: int = TEXT_OBJECT) -> Block:
    """A plain text object."""
    return {"type": "plain_text", "text": shorten(text, limit), "emoji": True}


def header(text: str) -> Block:
    """A headline."""
    return {"type": "header", "text": plain(text, HEADER)}


def section(text: str, accessory: Block | None = None) -> Block:
    """A paragraph, with a button or a choice beside it."""
    block: Block = {"type": "section", "text": plain(text)}
    return block if accessory is None else block | {"accessory": accessory}


def paragraph(*runs: Block) -> Block:
    """A paragraph of rich text, from `text`, `person`, `channel` and `usergroup`."""
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": list(runs)}]}


def text(words: str, *, bold: bool = False) -> Block:
    """A run of rich text."""
    run: Block = {"type": "text", "text": words or " "}
    return run | {"style": {"bold": True}} if bold else run


def person(user: str) -> Block:
    """A person's name; in a page it calls nobody."""
    return {"type": "user", "user_id": user}


def channel(channel_id: str) -> Block:
    """A channel's name, for those who may see it."""
    return {"type": "channel", "channel_id": channel_id}


def usergroup(usergroup_id: str) -> Block:
    """A user group's name; in a page it calls nobody."""
    return {"type": "usergroup", "usergroup_id": usergroup_id}


def preformatted(words: str) -> Block:
    """Lines whose characters stand below each other."""
    inner = {"type": "rich_text_preformatted", "elements": [text(words)]}
    return {"type": "rich_text", "elements": [inner]}


def bullets(lines: Iterable[str]) -> Block:
    """A list."""
    items = [{"type": "rich_text_section", "elements": [text(line)]} for line in lines]
    return {"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "bullet", "elements": items}]}


def button(label: str, action: str, value: str = "", *, style: str = "", confirm: Block | None = None) -> Block:
    """A button."""
    made: Block = {"type": "button", "text": plain(label, OPTION), "action_id": action}
    made |= {"value": value} if value else {}
    made |= {"style": style} if style else {}
    return made | ({"confirm": confirm} if confirm else {})


def confirmation(title: str, question: str, yes: str, no: str) -> Block:
    """What is asked before a button acts."""
    return {
        "title": plain(title, _CONFIRM_TITLE),
        "text": plain(question, _CONFIRM_TEXT),
        "confirm": plain(yes, _CONFIRM_BUTTON),
        "deny": plain(no, _CONFIRM_BUTTON),
    }


def actions(*elements: Block, block_id: str = "") -> Block:
    """A row of buttons and choices."""
    block: Block = {"type": "actions", "elements": list(elements)}
    return block | {"block_id": block_id} if block_id else block


def option(label: str, value: str, description: str = "") -> Block:
    """One of several choices."""
    made: Block = {"text": plain(label, OPTION), "value": value}
    return made | {"description": plain(description, OPTION)} if description else made


def choice(kind: str, action: str, options: Sequence[Block], chosen: str, placeholder: str = "") -> Block:
    """A choice of one: `static_select` or `radio_buttons`."""
    made: Block = {"type": kind, "action_id": action, "options": list(options)}
    initial = next((one for one in options if one["value"] == chosen), None)
    made |= {"initial_option": initial} if initial else {}
    return made | ({"placeholder": plain(placeholder, _PLACEHOLDER)} if placeholder else {})


def choices(kind: str, action: str, options: Sequence[Block], chosen: Iterable[str], placeholder: str = "") -> Block:
    """A choice of several: `checkboxes` or `multi_static_select`."""
    made: Block = {"type": kind, "action_id": action, "options": list(options)}
    wanted = frozenset(chosen)
    initial = [one for one in options if one["value"] in wanted]
    made |= {"initial_options": initial} if initial else {}
    return made | ({"placeholder": plain(placeholder, _PLACEHOLDER)} if placeholder else {})


def field(block_id: str, label: str, element: Block, *, hint: str = "", optional: bool = True) -> Block:
    """A labelled field of a form; its element has the block's id as its own."""
    block: Block = {"type": "input", "block_id": block_id, "label": plain(label), "optional": optional}
    block |= {"hint": plain(hint, 2_000)} if hint else {}
    return block | {"element": element | {"action_id": block_id}}


def modal(
    title: str,
    blocks: Sequence[Block],
    *,
    close: str,
    submit: str = "",
    callback: str = "",
    metadata: str = "",
) -> Block:
    """A form, or a page in front of the others where there is nothing to submit."""
    view: Block = {
        "type": "modal",
        "title": plain(title, _TITLE),
        "close": plain(close, _TITLE),
        "blocks": list(blocks),
    }
    view |= {"submit": plain(submit, _TITLE)} if submit else {}
    view |= {"callback_id": callback} if callback else {}
    return view | ({"private_metadata": metadata} if metadata else {})


def given(view: Mapping[str, Any], block_id: str) -> Mapping[str, Any]:
    """What a person gave in one field of a submitted form."""
    values = view.get("state", {}).get("values", {})
    found = values.get(block_id, {}).get(block_id, {})
    return found if isinstance(found, Mapping) else {}


def given_option(view: Mapping[str, Any], block_id: str) -> str:
    """The value of the option that was chosen; empty for none."""
    return str((given(view, block_id).get("selected_option") or {}).get("value") or "")


def given_options(view: Mapping[str, Any], block_id: str) -> frozenset[str]:
    """The values of the options that were chosen."""
    return frozenset(str(one.get("value")) for one in given(view, block_id).get("selected_options") or [])


def given_text(view: Mapping[str, Any], block_id: str) -> str:
    """The text that was typed."""
    return str(given(view, block_id).get("value") or "").strip()
