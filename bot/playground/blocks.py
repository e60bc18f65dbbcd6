"""Checks blocks and views as Slack does, and gives blocks and elements the ids that Slack gives.

Limits that Slack counts over a whole message are here: 50 blocks, and about 13,200 characters in all.
"""

from __future__ import annotations

import copy
import json
import secrets
from collections.abc import Iterator
from typing import Any

from markdown_it import MarkdownIt
from pydantic import TypeAdapter, ValidationError

from bot.playground.block_kit import AnyBlock, Home, Modal
from bot.playground.errors import ApiError
from bot.playground.workspace import JSON

MESSAGE_BLOCKS = 50
# Measured by others against the live service (13,202 and 13,297 characters); it is in no document.
MESSAGE_BLOCK_CHARACTERS = 13_200
MARKDOWN_CHARACTERS = 12_000
VIEW_BYTES = 250_000
TABLE_CHARACTERS = 10_000
_MESSAGE_ONLY = frozenset({"markdown", "context_actions", "table", "task_card", "plan"})
_BLOCKS: TypeAdapter[list[AnyBlock]] = TypeAdapter(list[AnyBlock])


def message_blocks(blocks: Any, *, too_long: str, too_many: str = "invalid_blocks") -> list[JSON]:
    """Check the blocks of a message and complete their ids; raises ApiError."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise ApiError("invalid_blocks_format", "[ERROR] must provide an array of objects [json-pointer:/blocks]")
    lines = list(_wrong(_BLOCKS, blocks, "/blocks")) or list(_repeated_ids(blocks, "/blocks"))
    if lines:
        raise ApiError("invalid_blocks", *lines)
    tables = [block for block in blocks if block["type"] == "table"]
    if len(tables) > 1:
        raise ApiError("invalid_blocks", "[ERROR] only one table is allowed [json-pointer:/blocks]")
    if sum(map(len, _texts(tables))) > TABLE_CHARACTERS:
        raise ApiError("invalid_blocks", f"[ERROR] a table has {TABLE_CHARACTERS} characters at most")
    if sum(_expanded(block) for block in blocks) > MESSAGE_BLOCKS:
        raise ApiError(too_many, f"[ERROR] no more than {MESSAGE_BLOCKS} items allowed [json-pointer:/blocks]")
    markdown = sum(len(block["text"]) for block in blocks if block["type"] == "markdown")
    if markdown > MARKDOWN_CHARACTERS or sum(map(len, _texts(blocks))) > MESSAGE_BLOCK_CHARACTERS:
        raise ApiError(too_long)
    return _with_ids(blocks)


def modal_view(view: Any) -> JSON:
    """Check a modal; raises ApiError."""
    return _view(view, TypeAdapter(Modal), "modal")


def home_view(view: Any) -> JSON:
    """Check a home tab; raises ApiError."""
    return _view(view, TypeAdapter(Home), "home")


def _view(view: Any, shape: TypeAdapter[Any], kind: str) -> JSON:
    if not isinstance(view, dict):
        raise ApiError("invalid_arguments", "[ERROR] must provide an object [json-pointer:/view]")
    if view.get("type") != kind:
        raise ApiError("invalid_arguments", f"[ERROR] unsupported type: {view.get('type')} [json-pointer:/view/type]")
    if len(json.dumps(view)) > VIEW_BYTES:
        raise ApiError("view_too_large")
    lines = list(_wrong(shape, view, "/view")) or list(_repeated_ids(view["blocks"], "/view/blocks"))
    lines += [
        f"[ERROR] unsupported type: {block['type']} [json-pointer:/view/blocks/{n}]"
        for n, block in enumerate(view.get("blocks", []))
        if isinstance(block, dict) and block.get("type") in _MESSAGE_ONLY
    ]
    if lines:
        raise ApiError("invalid_arguments", *lines)
    return {**view, "blocks": _with_ids(view["blocks"])}


def _wrong(shape: TypeAdapter[Any], value: Any, pointer: str) -> Iterator[str]:
    try:
        shape.validate_python(value)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            yield f"[ERROR] {_sentence(problem)} [json-pointer:{pointer}{_pointer(problem['loc'], value)}]"


def _sentence(problem: Any) -> str:
    name = problem["loc"][-1] if problem["loc"] else ""
    if problem["type"] == "missing":
        return f"missing required field: {name}"
    if problem["type"] == "extra_forbidden":
        return f"invalid additional property: {name}"
    if problem["type"] == "union_tag_invalid":
        return f"unsupported type: {problem['ctx']['tag']}"
    if problem["type"] == "string_too_long":
        return f"must be less than {problem['ctx']['max_length'] + 1} characters"
    if problem["type"] == "string_too_short":
        return f"must be more than {problem['ctx']['min_length'] - 1} characters"
    if problem["type"] == "too_long":
        return f"no more than {problem['ctx']['max_length']} items allowed"
    return str(problem["msg"]).removeprefix("Value error, ")


def _pointer(location: tuple[int | str, ...], value: Any) -> str:
    """Write a place as Slack does; the library names the kind of each union as well, which is no part of the JSON."""
    steps = []
    for step in location:
        inside = (isinstance(value, dict) and step in value) or (isinstance(value, list) and isinstance(step, int))
        if inside:
            value = value[step]
            steps.append(f"/{step}")
    return "".join(steps)


def _repeated_ids(blocks: list[JSON], pointer: str) -> Iterator[str]:
    block_ids: set[str] = set()
    for n, block in enumerate(blocks):
        block_id = block.get("block_id")
        if block_id and block_id in block_ids:
            yield f"[ERROR] `block_id` {block_id} already exists [json-pointer:{pointer}/{n}/block_id]"
        block_ids.add(block_id or "")
        action_ids: set[str] = set()
        for element in _elements(block):
            action_id = element.get("action_id")
            if action_id and action_id in action_ids:
                yield f"[ERROR] `action_id` {action_id} already exists [json-pointer:{pointer}/{n}/elements]"
            action_ids.add(action_id or "")


def _with_ids(blocks: list[JSON]) -> list[JSON]:
    completed = copy.deepcopy(blocks)
    for block in completed:
        block["block_id"] = block.get("block_id") or secrets.token_urlsafe(4)[:5]
        for element in _elements(block):
            if element["type"] != "image":
                element["action_id"] = element.get("action_id") or secrets.token_urlsafe(4)[:5]
    return completed


def _elements(block: JSON) -> list[JSON]:
    """List the interactive elements of a block."""
    if block["type"] in ("actions", "context_actions"):
        return list(block["elements"])
    found = block.get("accessory") if block["type"] == "section" else block.get("element")
    return [found] if isinstance(found, dict) else []


def _expanded(block: JSON) -> int:
    """Count a block as Slack does: a markdown block becomes one for each heading, list, table, and so on."""
    if block["type"] != "markdown":
        return 1
    tokens = MarkdownIt("commonmark").enable("table").parse(block["text"])
    kinds = [token.type for token in tokens if token.level == 0 and token.nesting >= 0]
    # Paragraphs that follow each other stay in one block.
    return max(1, sum(kind != "paragraph_open" or n == 0 or kinds[n - 1] != kind for n, kind in enumerate(kinds)))


def _texts(value: Any) -> Iterator[str]:
    """List all that a reader sees in blocks."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "text" and isinstance(item, str):
                yield item
            else:
                yield from _texts(item)
