"""Finds the element of a block that somebody used, and gives the value that Slack would send for it."""

from __future__ import annotations

from bot.playground.errors import ApiError
from bot.playground.workspace import JSON


def find_element(blocks: list[JSON], block_id: str, action_id: str) -> JSON | None:
    """Find the interactive element that a page names."""
    for block in blocks:
        if block.get("block_id") != block_id:
            continue
        elements = [*block.get("elements", []), block.get("accessory"), block.get("element")]
        return next((e for e in elements if isinstance(e, dict) and e.get("action_id") == action_id), None)
    return None


def chosen_value(element: JSON, action: JSON) -> JSON:
    """Give what Slack sends for a use of this element; raises ApiError for a choice it does not offer."""
    kind = element["type"]
    if kind == "feedback_buttons":
        for side in (element["positive_button"], element["negative_button"]):
            if side["value"] == action.get("value"):
                return {"value": side["value"], "text": side["text"]}
        raise ApiError("invalid_arguments", "value is neither button's")
    if kind in ("button", "icon_button", "workflow_button"):
        return {key: element[key] for key in ("text", "value", "style", "url") if key in element}
    if "options" in element or "option_groups" in element:
        return _chosen_options(element, action)
    return {"value": action.get("value")}


def _chosen_options(element: JSON, action: JSON) -> JSON:
    groups = element.get("option_groups", [{"options": element.get("options", [])}])
    offered = [option["value"] for group in groups for option in group["options"]]
    key = "selected_options" if element["type"] in ("checkboxes", "multi_static_select") else "selected_option"
    chosen = action.get(key)
    for option in chosen if isinstance(chosen, list) else [chosen]:
        if option is not None and option.get("value") not in offered:
            raise ApiError("invalid_arguments", f"{key} is not one of the options")
    return {key: chosen}


def missing_inputs(body: JSON, values: JSON) -> JSON:
    """Say which required fields of a form are empty, by block."""
    errors = {}
    for block in body["blocks"]:
        if block["type"] != "input" or block.get("optional"):
            continue
        given = values.get(block["block_id"], {}).get(block["element"]["action_id"], {})
        if not any(given.get(key) for key in ("value", "selected_option", "selected_options", "selected_date")):
            errors[block["block_id"]] = "Please complete this required field."
    return errors
