"""The views methods: open, push and update a modal, publish a home tab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.playground.blocks import home_view, modal_view
from bot.playground.errors import ApiError
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON


def open_view(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """views.open."""
    view = modal_view(arguments["view"])
    return {"view": playground.interactivity.open(_trigger_id(arguments), view)}


def push(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """views.push."""
    view = modal_view(arguments["view"])
    return {"view": playground.interactivity.push(_trigger_id(arguments), view)}


def update(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """views.update."""
    view_id, external_id = arguments.get("view_id"), arguments.get("external_id")
    if not view_id and not external_id:
        raise ApiError("invalid_arguments", "[ERROR] missing required field: view_id or external_id")
    updated = playground.interactivity.update(
        view_id=view_id,
        external_id=external_id,
        view=modal_view(arguments["view"]),
        expected_hash=arguments.get("hash"),
    )
    return {"view": updated}


def publish(playground: Playground, arguments: Mapping[str, Any]) -> JSON:
    """views.publish."""
    if not playground.app.has_home_tab:
        raise ApiError("not_enabled")
    user = arguments["user_id"]
    if user not in playground.workspace.users or user == BOT_USER_ID:
        raise ApiError("invalid_arguments", "[ERROR] invalid `user_id`")
    view = home_view(arguments["view"])
    before = playground.workspace.homes.get(user)
    if "hash" in arguments and (before is None or before["hash"] != arguments["hash"]):
        raise ApiError("hash_conflict")
    body = playground.interactivity.home_body(view, previous=before)
    playground.publish_home(user, body)
    return {"view": body}


def _trigger_id(arguments: Mapping[str, Any]) -> str:
    trigger_id = arguments.get("trigger_id") or arguments.get("interactivity_pointer")
    if not trigger_id:
        raise ApiError("invalid_arguments", "[ERROR] missing required field: trigger_id")
    return str(trigger_id)
