"""What the scripted bot shows: an answer, one of every block, its home and its forms; and the manifest of its app."""

from __future__ import annotations

import struct
import zlib
from typing import Any

Block = dict[str, Any]

ANSWER = (
    "Expense reports are due on the fifth working day of the month. Attach a receipt to everything above 20 euros, "
    "and name the project it belongs to."
)

PROMPTS = [
    {"title": "Expenses", "message": "When are expense reports due?"},
    {"title": "Holidays", "message": "How many days of leave do I have?"},
    {"title": "Security", "message": "How do I report a lost laptop?"},
]


def _text(text: str, **style: bool) -> Block:
    return {"type": "text", "text": text} | ({"style": style} if style else {})


def _section(*elements: Block) -> Block:
    return {"type": "rich_text_section", "elements": list(elements)}


def _list(style: str, *items: str, indent: int = 0) -> Block:
    return {
        "type": "rich_text_list",
        "style": style,
        "indent": indent,
        "elements": [_section(_text(i)) for i in items],
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text}


def _mrkdwn(text: str) -> Block:
    return {"type": "mrkdwn", "text": text}


def answer_blocks(link: str, receipt: str = "") -> list[Block]:
    """A finished answer: text with a citation, its source, and the feedback buttons."""
    words, rest = ANSWER.split(". ", 1)
    notes = [{"type": "context", "elements": [_plain(receipt)]}] if receipt else []
    feedback = {
        "type": "feedback_buttons",
        "action_id": "feedback",
        "positive_button": {"text": _plain("Good answer"), "value": "good"},
        "negative_button": {"text": _plain("Bad answer"), "value": "bad"},
    }
    return [
        {
            "type": "rich_text",
            "elements": [
                _section(_text(f"{words} "), {"type": "link", "url": link, "text": "[1]"}, _text(f". {rest}"))
            ],
        },
        {"type": "context", "elements": [_mrkdwn(f"*Sources*\n1. <{link}|Expenses › Deadlines>")]},
        *notes,
        {"type": "context_actions", "elements": [feedback]},
    ]


def kitchen_blocks() -> list[Block]:
    """One of every block that the page draws."""
    cite = {"type": "link", "url": "https://example.org/guide", "text": "the guide"}
    rich = [
        _section(
            _text("Bold", bold=True),
            _text(", "),
            _text("italic", italic=True),
            _text(", "),
            _text("gone", strike=True),
            _text(", "),
            _text("code()", code=True),
            _text(", "),
            cite,
            _text(", "),
            {"type": "emoji", "name": "tada"},
            _text(" "),
            {"type": "user", "user_id": "U0BENORTIZ"},
            _text(" "),
            {"type": "channel", "channel_id": "C0HELP"},
            _text(" "),
            {"type": "broadcast", "range": "here"},
        ),
        _list("ordered", "First step", "Second step"),
        _list("bullet", "a detail of the second", "another detail", indent=1),
        _list("ordered", "deeper", indent=2),
        {"type": "rich_text_quote", "elements": [_text("Well begun is half done.")]},
        {"type": "rich_text_preformatted", "elements": [_text("lorekeeper sync --json\n<b>not bold</b>")]},
    ]
    button = {"type": "button", "text": _plain("Delete all"), "action_id": "delete", "style": "danger", "value": "all"}
    confirm = {
        "title": _plain("Really?"),
        "text": _plain("All of it goes."),
        "confirm": _plain("Yes, delete"),
        "deny": _plain("Keep"),
    }
    table = "## Formats\n\n| Format | Reader |\n|---|---|\n| PDF | pypdf |\n| DOCX | *mammoth* |\n\n- one\n  - two\n"
    return [
        {"type": "header", "text": _plain("Kitchen sink")},
        {"type": "rich_text", "elements": rich},
        {"type": "divider"},
        {
            "type": "section",
            "text": _mrkdwn(
                "*bold* _it_ ~no~ `x &lt; y` <https://example.org/?a=1&amp;b=2|a link> :wave: <@U0ADAPARK>\n"
                "&gt; quoted <javascript:alert(1)|not a link>\n• one\n• two\n```\ncode <https://example.org|example.org>\n"
                f"{'far to the right ' * 12}\n```"
            ),
            "accessory": {"type": "button", "text": _plain("Details"), "action_id": "details", "value": "d"},
        },
        {"type": "section", "fields": [_mrkdwn("*Owner*\nAda"), _mrkdwn("*Due*\nFriday")]},
        {"type": "markdown", "text": table},
        table_block(),
        {
            "type": "actions",
            "elements": [
                {
                    "type": "button",
                    "text": _plain("Approve"),
                    "action_id": "approve",
                    "style": "primary",
                    "value": "yes",
                },
                button | {"confirm": confirm},
            ],
        },
        {"type": "context", "elements": [_mrkdwn("Edited *today* by <@U0CHLOELIND>"), _plain("v1.2")]},
    ]


def form_view() -> Block:
    """The form behind a thumbs down."""
    reasons = [("wrong", "It is wrong"), ("outdated", "It is outdated"), ("other", "Something else")]
    options = [{"text": _plain(label), "value": value} for value, label in reasons]
    radio = {"type": "radio_buttons", "action_id": "reason", "options": options}
    text = {
        "type": "plain_text_input",
        "action_id": "better",
        "multiline": True,
        "placeholder": _plain("What should it say?"),
    }
    return {
        "type": "modal",
        "callback_id": "bad_answer",
        "title": _plain("What was wrong?"),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "input", "block_id": "reason", "label": _plain("Reason"), "element": radio},
            {
                "type": "input",
                "block_id": "better",
                "label": _plain("A better answer"),
                "element": text,
                "optional": True,
            },
        ],
    }


def home_view(picture: str = "") -> Block:
    """A home page with something of everything that acts."""
    languages = [
        _option("As I ask", "auto"),
        _option("English", "en"),
        _option("Deutsch", "de"),
        _option("Français", "fr"),
    ]
    image = {"type": "image", "slack_file": {"id": picture}, "alt_text": "Answers per week, rising from 3 to 9"}
    return {
        "type": "home",
        "blocks": [
            {"type": "header", "text": _plain("Hello 👋")},
            {"type": "section", "text": _plain("I answer from your team's documents.")},
            {"type": "divider"},
            {"type": "rich_text", "elements": [_section(_text("Handbook", bold=True))]},
            {"type": "context", "elements": [_plain("890 documents · read 5 minutes ago · next in 55 minutes")]},
            {"type": "divider"},
            {
                "type": "section",
                "text": _mrkdwn("*Language of my answers*"),
                "accessory": {
                    "type": "static_select",
                    "action_id": "language",
                    "options": languages,
                    "initial_option": languages[0],
                },
            },
            {
                "type": "actions",
                "elements": [
                    {"type": "button", "text": _plain("Settings"), "action_id": "settings", "style": "primary"},
                    {"type": "button", "text": _plain("Forget me"), "action_id": "forget", "style": "danger"},
                    {
                        "type": "overflow",
                        "action_id": "more",
                        "options": [_option("Export my data", "export"), _option("Read again", "sync")],
                    },
                    {
                        "type": "multi_users_select",
                        "action_id": "experts",
                        "placeholder": _plain("Who may approve"),
                    },
                ],
            },
            *([image] if picture else []),
        ],
    }


def settings_view() -> Block:
    """A form with one of every input."""
    lengths = [_option("Short", "short"), _option("As long as it takes", "long")]
    folders = [{"label": _plain("Local"), "options": [_option("Handbook", "handbook"), _option("Minutes", "minutes")]}]
    folders.append({"label": _plain("Elsewhere"), "options": [_option("Wiki", "wiki")]})
    inputs: list[tuple[str, str, Block]] = [
        ("length", "Length", {"type": "radio_buttons", "options": lengths}),
        ("sources", "Sources", {"type": "multi_static_select", "option_groups": folders}),
        ("channel", "Where to announce", {"type": "conversations_select", "placeholder": _plain("A channel")}),
        ("expert", "Whom to ask", {"type": "users_select", "placeholder": _plain("A person")}),
        ("since", "Since", {"type": "datepicker"}),
        ("most", "Passages", {"type": "number_input", "is_decimal_allowed": False, "min_value": "1", "max_value": "9"}),
        ("name", "What to call you", {"type": "plain_text_input", "min_length": 2}),
    ]
    return {
        "type": "modal",
        "callback_id": "settings",
        "title": _plain("Settings"),
        "submit": _plain("Save"),
        "blocks": [
            {
                "type": "input",
                "block_id": name,
                "label": _plain(label),
                "element": element | {"action_id": name},
                "optional": name in ("since", "most", "expert"),
            }
            for name, label, element in inputs
        ],
    }


def table_block() -> Block:
    """A table of three columns."""
    rows = [("Source", "Documents", "Read"), ("Handbook", "890", "5 minutes ago"), ("Minutes", "64", "yesterday")]
    return {
        "type": "table",
        "column_settings": [{}, {"align": "right"}, {"is_wrapped": True}],
        "rows": [[{"type": "raw_text", "text": cell} for cell in row] for row in rows],
    }


def _option(text: str, value: str) -> Block:
    return {"text": _plain(text), "value": value}


MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Lorekeeper"},
    "features": {
        "agent_view": {"agent_description": "Answers from documents"},
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "slash_commands": [
            {"command": "/lore", "description": "Ask, or see what is known", "usage_hint": "[ask QUESTION | status]"},
            {"command": "/later", "description": "Be reminded of an answer", "usage_hint": "[when]"},
        ],
        "shortcuts": [
            {"type": "message", "name": "Answer this", "callback_id": "answer_this", "description": "From documents"},
            {"type": "global", "name": "Ask Lorekeeper", "callback_id": "ask_lorekeeper", "description": "Anywhere"},
        ],
    },
    "oauth_config": {
        "scopes": {
            "bot": [
                "app_mentions:read",
                "assistant:write",
                "channels:history",
                "channels:read",
                "chat:write",
                "commands",
                "files:read",
                "files:write",
                "groups:history",
                "groups:read",
                "im:history",
                "im:read",
                "im:write",
                "mpim:history",
                "mpim:read",
                "reactions:read",
                "reactions:write",
                "users:read",
            ]
        }
    },
    "settings": {
        "event_subscriptions": {
            "bot_events": [
                "agent_session_stopped",
                "app_context_changed",
                "app_home_opened",
                "app_mention",
                "assistant_thread_context_changed",
                "assistant_thread_started",
                "message.channels",
                "message.groups",
                "message.im",
                "message.mpim",
                "reaction_added",
                "reaction_removed",
            ]
        },
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def _chart(heights: list[int], width: int = 24, height: int = 100) -> bytes:
    """Draw bars as a PNG, by hand: tests need no drawing library."""
    bar, paper = b"\x0d\x73\x62", b"\xf2\xf6\xf4"
    rows = []
    for y in range(height):
        cells = [(bar if height - y <= h * 10 else paper) * (width - 6) + paper * 6 for h in heights]
        rows.append(b"\x00" + b"".join(cells))
    size = struct.pack(">IIBBBBB", width * len(heights), height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


PICTURE = _chart([3, 4, 4, 6, 5, 7, 9])
