"""Finds the element of a block that somebody used, and gives the values and states that Slack would send for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.playground.block_elements import DATE, TIME
from bot.playground.errors import ApiError
from bot.playground.workspace import JSON, Workspace

# Element -> the field that holds what is chosen in it; these keep a state, buttons do not.
STATE_FIELDS = {
    "plain_text_input": "value",
    "number_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_REQUIRED = "Please complete this required field."


def find_element(blocks: list[JSON], block_id: str, action_id: str) -> JSON | None:
    """Find the interactive element that a page names."""
    for block in blocks:
        if block.get("block_id") == block_id:
            return next((each for each in _elements(block) if each.get("action_id") == action_id), None)
    return None


def chosen_value(element: JSON, action: JSON, workspace: Workspace) -> JSON:
    """Give what Slack sends for a use of this element; raises ApiError for a choice it does not offer."""
    kind = element["type"]
    if kind == "feedback_buttons":
        for side in (element["positive_button"], element["negative_button"]):
            if side["value"] == action.get("value"):
                return {"value": side["value"], "text": side["text"]}
        raise ApiError("invalid_arguments", "value is neither button's")
    if kind in ("button", "icon_button", "workflow_button"):
        return {key: element[key] for key in ("text", "value", "style", "url") if key in element}
    field = "selected_option" if kind == "overflow" else STATE_FIELDS[kind]
    value = action.get(field)
    _check_choice(element, field, value, workspace)
    return {field: value}


def complete_state(blocks: list[JSON], values: Mapping[str, Any], workspace: Workspace) -> JSON:
    """Give the state of every element that keeps one: what the page says, or else what the element begins with."""
    state: JSON = {}
    for block in blocks:
        for element in _elements(block):
            field = STATE_FIELDS.get(element["type"])
            if field is None:
                continue
            given = values.get(block["block_id"])
            given = given.get(element["action_id"]) if isinstance(given, dict) else None
            value = given.get(field) if isinstance(given, dict) else _initial(element, field)
            value = None if value == "" else value
            _check_choice(element, field, value, workspace)
            entry = {"type": element["type"], field: value}
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry
    return {"values": state}


def form_errors(body: JSON, state: JSON) -> JSON:
    """Say what a person still has to mend before Slack sends a form, by block."""
    errors = {}
    for block in body["blocks"]:
        if block["type"] != "input":
            continue
        element = block["element"]
        value = state["values"][block["block_id"]][element["action_id"]][STATE_FIELDS[element["type"]]]
        empty = value in (None, "", [])
        problem = ("" if block.get("optional") else _REQUIRED) if empty else _problem(element, value)
        if problem:
            errors[block["block_id"]] = problem
    return errors


def _elements(block: JSON) -> Iterator[JSON]:
    inside = block.get("elements", []) if block["type"] in ("actions", "context_actions") else []
    for element in [*inside, block.get("accessory"), block.get("element")]:
        if isinstance(element, dict) and "action_id" in element:
            yield element


def _initial(element: JSON, field: str) -> Any:
    name = field.replace("selected_", "initial_") if field != "value" else "initial_value"
    return element.get(name, [] if field.endswith("s") else None)


def _check_choice(element: JSON, field: str, value: Any, workspace: Workspace) -> None:
    several = field.endswith("s")
    if value is None and not several:
        return
    chosen = value if several else [value]
    if not isinstance(chosen, list):
        raise ApiError("invalid_arguments", f"{field} must be a list")
    if len(chosen) > element.get("max_selected_items", len(chosen)):
        raise ApiError("invalid_arguments", f"{field} has more than {element['max_selected_items']} items")
    if not all(_is_offered(element, field, each, workspace) for each in chosen):
        raise ApiError("invalid_arguments", f"{field} is not one of the options")


def _is_offered(element: JSON, field: str, value: Any, workspace: Workspace) -> bool:
    if field.startswith("selected_option"):
        if not isinstance(value, dict) or ("options" not in element and "option_groups" not in element):
            return isinstance(value, dict) and isinstance(value.get("value"), str)
        groups = element.get("option_groups", [{"options": element.get("options", [])}])
        return any(option["value"] == value.get("value") for group in groups for option in group["options"])
    if field.startswith("selected_user"):
        return value in workspace.users
    if field.startswith(("selected_conversation", "selected_channel")):
        return value in workspace.channels
    if field == "selected_date_time":
        return isinstance(value, int)
    pattern = {"selected_date": DATE, "selected_time": TIME}.get(field)
    return isinstance(value, str) and (pattern is None or re.fullmatch(pattern, value) is not None)


def _problem(element: JSON, value: Any) -> str:
    if element["type"] == "number_input":
        return _number_problem(element, value)
    if element["type"] != "plain_text_input":
        return ""
    if len(value) < element.get("min_length", 0):
        return f"Please enter at least {element['min_length']} characters."
    if len(value) > element.get("max_length", 3000):
        return f"Please enter at most {element.get('max_length', 3000)} characters."
    return ""


def _number_problem(element: JSON, value: str) -> str:
    pattern = r"-?\d+(?:\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if re.fullmatch(pattern, value) is None:
        return "Please enter a number." if element["is_decimal_allowed"] else "Please enter a whole number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Please enter {element['min_value']} or more."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Please enter {element['max_value']} or less."
    return ""
