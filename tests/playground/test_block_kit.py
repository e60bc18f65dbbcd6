"""Block Kit: what Slack takes, and the lines it answers with for what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from bot.playground.blocks import home_view, message_blocks, modal_view
from bot.playground.errors import ApiError

JSON = dict[str, Any]


def plain(text: str) -> JSON:
    """Give a plain text object."""
    return {"type": "plain_text", "text": text}


def button(**more: Any) -> JSON:
    """Give a button."""
    return {"type": "button", "text": plain("Go"), "action_id": "go", **more}


def options(count: int) -> list[JSON]:
    """Give that many options."""
    return [{"text": plain(f"Option {n}"), "value": str(n)} for n in range(count)]


def field(element: JSON) -> JSON:
    """Give an input block around an element."""
    return {"type": "input", "label": plain("Label"), "element": element}


GOOD: list[JSON] = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*a*"}, "accessory": button(style="primary", value="v")},
    {"type": "section", "fields": [plain("a"), {"type": "mrkdwn", "text": "b"}]},
    {"type": "header", "text": plain("Title")},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "1. <https://a.example|Handbook>"}]},
    {"type": "actions", "elements": [button(), button(action_id="other", url="https://a.example")]},
    {"type": "image", "alt_text": "a", "image_url": "https://a.example/a.png"},
    {"type": "markdown", "text": "# Title\n\n- a\n- b"},
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "vote",
                "positive_button": {"text": plain("👍"), "value": "+1", "accessibility_label": "Good answer"},
                "negative_button": {"text": plain("👎"), "value": "-1"},
            },
            {"type": "icon_button", "icon": "trash", "text": plain("Delete"), "action_id": "delete", "value": "1"},
        ],
    },
    field({"type": "plain_text_input", "action_id": "a", "multiline": True, "max_length": 3000}),
    field({"type": "radio_buttons", "action_id": "b", "options": options(10)}),
    field({"type": "checkboxes", "action_id": "c", "options": options(2), "initial_options": options(1)}),
    field({"type": "static_select", "action_id": "d", "placeholder": plain("Choose"), "options": options(100)}),
    field({"type": "static_select", "option_groups": [{"label": plain("One"), "options": options(2)}]}),
    field({"type": "multi_static_select", "options": options(3), "initial_options": options(2)}),
    field({"type": "external_select", "min_query_length": 0}),
    field({"type": "users_select", "initial_user": "U0ADAPARK"}),
    field({"type": "multi_users_select", "max_selected_items": 2}),
    field({"type": "conversations_select", "default_to_current_conversation": True, "filter": {"include": ["im"]}}),
    field({"type": "multi_conversations_select", "initial_conversations": ["C0GENERAL"]}),
    field({"type": "channels_select", "initial_channel": "C0GENERAL"}),
    field({"type": "multi_channels_select", "placeholder": plain("Channels")}),
    field({"type": "number_input", "is_decimal_allowed": True, "initial_value": "2.5", "min_value": "-1"}),
    field({"type": "datepicker", "initial_date": "2026-02-28"}),
    field({"type": "timepicker", "initial_time": "23:59"}),
    field({"type": "datetimepicker", "initial_date_time": 1_700_000_000}),
    field({"type": "email_text_input"}),
    {"type": "section", "text": plain("a"), "accessory": {"type": "multi_users_select", "action_id": "m"}},
    {"type": "actions", "elements": [{"type": "overflow", "options": options(5)}, {"type": "datepicker"}]},
    {"type": "image", "alt_text": "a", "slack_file": {"id": "F0NO"}, "title": plain("Votes")},
    {
        "type": "table",
        "rows": [
            [{"type": "raw_text", "text": "Days"}, {"type": "raw_number", "value": 28}],
            [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}],
        ],
        "column_settings": [None, {"align": "right", "is_wrapped": True}],
    },
    {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": "bold", "style": {"bold": True, "code": True}},
                    {"type": "link", "url": "https://a.example", "text": "[1]"},
                    {"type": "user", "user_id": "U0ADAPARK"},
                    {"type": "emoji", "name": "tada"},
                ],
            },
            {
                "type": "rich_text_list",
                "style": "ordered",
                "indent": 1,
                "offset": 2,
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "item"}]}],
            },
            {"type": "rich_text_quote", "elements": [{"type": "text", "text": "quote"}]},
            {"type": "rich_text_preformatted", "border": 0, "elements": [{"type": "text", "text": "code"}]},
        ],
    },
]


@pytest.mark.parametrize("block", GOOD, ids=lambda block: block["type"])
def test_good_blocks_are_taken_and_completed_with_ids(block: JSON) -> None:
    [completed] = message_blocks([block], too_long="msg_blocks_too_long")
    assert completed["block_id"]
    assert {key: value for key, value in completed.items() if key in ("type", "text")} == {
        key: value for key, value in block.items() if key in ("type", "text")
    }
    for element in completed.get("elements", []):
        assert element["type"] not in ("button", "feedback_buttons") or element["action_id"]


@pytest.mark.parametrize(
    ("block", "line"),
    [
        ({"type": "sektion"}, "unsupported type: sektion [json-pointer:/blocks/0]"),
        ({"type": "section"}, "must have text or fields [json-pointer:/blocks/0]"),
        (
            {"type": "section", "text": plain(""), "block_id": "a"},
            "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            {"type": "section", "text": plain("a" * 3001)},
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        ),
        (
            {"type": "section", "text": {"type": "html", "text": "a"}},
            "unsupported type: html [json-pointer:/blocks/0/text]",
        ),
        (
            {"type": "section", "fields": [plain("a")] * 11},
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        ({"type": "section", "text": plain("a"), "colour": "red"}, "invalid additional property: colour"),
        (
            {"type": "header", "text": plain("a" * 151)},
            "must be less than 151 characters [json-pointer:/blocks/0/text]",
        ),
        ({"type": "header", "text": {"type": "mrkdwn", "text": "a"}}, "[json-pointer:/blocks/0/text"),
        ({"type": "context", "elements": []}, "[json-pointer:/blocks/0/elements]"),
        ({"type": "context", "elements": [plain("a")] * 11}, "no more than 10 items allowed"),
        (
            {"type": "actions", "elements": [button(action_id=str(n)) for n in range(26)]},
            "no more than 25 items allowed",
        ),
        ({"type": "actions", "elements": [button(), button()]}, "`action_id` go already exists"),
        ({"type": "actions", "elements": [{"type": "button", "action_id": "a"}]}, "missing required field: text"),
        ({"type": "actions", "elements": [button(value=3)]}, "[json-pointer:/blocks/0/elements/0/value]"),
        ({"type": "actions", "elements": [button(style="loud")]}, "[json-pointer:/blocks/0/elements/0/style]"),
        ({"type": "context_actions", "elements": [button()]}, "unsupported type: button"),
        ({"type": "markdown", "text": "a" * 12_001}, "must be less than 12001 characters"),
        ({"type": "image", "alt_text": "a"}, "must have either image_url or slack_file"),
        (field({"type": "radio_buttons", "options": options(11)}), "no more than 10 items allowed"),
        (field({"type": "static_select"}), "must have either options or option_groups"),
        ({"type": "divider", "block_id": "a" * 256}, "must be less than 256 characters"),
        (
            {
                "type": "rich_text",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": ""}]}],
            },
            "must be more than 0 characters [json-pointer:/blocks/0/elements/0/elements/0/text]",
        ),
        (
            field({"type": "static_select", "options": options(2), "initial_option": options(3)[2]}),
            "initial option is not one of the options [json-pointer:/blocks/0/element]",
        ),
        (field({"type": "number_input"}), "missing required field: is_decimal_allowed"),
        (
            field({"type": "number_input", "is_decimal_allowed": False, "min_value": "3", "max_value": "2"}),
            "min_value is greater than max_value",
        ),
        (field({"type": "datepicker", "initial_date": "2026-13-01"}), "[json-pointer:/blocks/0/element/initial_date]"),
        (field({"type": "timepicker", "initial_time": "24:00"}), "[json-pointer:/blocks/0/element/initial_time]"),
        ({"type": "actions", "elements": [{"type": "number_input"}]}, "unsupported type: number_input"),
        (
            {
                "type": "section",
                "text": plain("a"),
                "accessory": {
                    "type": "overflow",
                    "options": [{"text": {"type": "mrkdwn", "text": "*a*"}, "value": "a"}],
                },
            },
            "[json-pointer:/blocks/0/accessory/options/0/text",
        ),
        ({"type": "table", "rows": [[{"type": "raw_text", "text": "a"}] * 21]}, "no more than 20 items allowed"),
        ({"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]] * 101}, "no more than 100 items allowed"),
        ({"type": "table", "rows": [[{"type": "raw_text", "text": "a" * 10_001}]]}, "10000 characters at most"),
        ({"type": "task_card", "task_id": "1", "title": "a", "status": "done"}, "[json-pointer:/blocks/0/status]"),
        ({"type": "rich_text", "elements": []}, "[json-pointer:/blocks/0/elements]"),
    ],
)
def test_bad_blocks_are_refused_with_a_line_that_points_at_the_place(block: JSON, line: str) -> None:
    with pytest.raises(ApiError) as refused:
        message_blocks([block], too_long="msg_blocks_too_long")
    assert refused.value.code == "invalid_blocks"
    assert any(line in message for message in refused.value.messages), refused.value.messages


def test_block_ids_are_unique_in_a_message() -> None:
    with pytest.raises(ApiError, match="already exists"):
        message_blocks([{"type": "divider", "block_id": "a"}] * 2, too_long="x")


def test_a_message_has_one_table() -> None:
    table = {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]}
    message_blocks([table], too_long="x")
    with pytest.raises(ApiError, match="only one table"):
        message_blocks([table, table], too_long="x")


@pytest.mark.parametrize("kind", ["table", "task_card", "plan"])
def test_some_blocks_are_for_messages_only(kind: str) -> None:
    blocks = {
        "table": {"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]},
        "task_card": {"type": "task_card", "task_id": "1", "title": "a", "status": "pending"},
        "plan": {"type": "plan", "title": "a"},
    }
    with pytest.raises(ApiError, match=f"unsupported type: {kind}"):
        home_view({"type": "home", "blocks": [blocks[kind]]})


def test_markdown_counts_over_the_whole_message() -> None:
    with pytest.raises(ApiError, match="msg_blocks_too_long"):
        message_blocks([{"type": "markdown", "text": "a" * 6_001}] * 2, too_long="msg_blocks_too_long")


def modal(**changes: Any) -> JSON:
    """Give a modal with changes."""
    view = {"type": "modal", "title": plain("Title"), "blocks": [{"type": "divider"}]}
    return {key: value for key, value in {**view, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"title": None}, "missing required field: title [json-pointer:/view"),
        ({"title": plain("a" * 25)}, "must be less than 25 characters"),
        ({"blocks": [field({"type": "plain_text_input"})]}, "missing required field: submit"),
        ({"blocks": [{"type": "divider"}] * 101}, "no more than 100 items allowed"),
        ({"blocks": [{"type": "markdown", "text": "a"}]}, "unsupported type: markdown [json-pointer:/view/blocks/0]"),
        ({"private_metadata": "a" * 3001}, "must be less than 3001 characters"),
        ({"type": "popup"}, "unsupported type: popup"),
    ],
)
def test_bad_modals_are_refused(changes: JSON, line: str) -> None:
    with pytest.raises(ApiError) as refused:
        modal_view(modal(**changes))
    assert refused.value.code == "invalid_arguments"
    assert any(line in message for message in refused.value.messages), refused.value.messages


def test_a_huge_view_is_too_large() -> None:
    section = {"type": "section", "text": plain("a" * 2_990)}
    with pytest.raises(ApiError, match="view_too_large"):
        home_view({"type": "home", "blocks": [section] * 100})


def test_a_home_is_not_a_modal() -> None:
    with pytest.raises(ApiError, match="unsupported type: modal"):
        home_view(modal())
