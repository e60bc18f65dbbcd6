"""The oracle itself sees what is live: an attack shown raw must be found, or its silence would prove nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.bot.model_output import LINKS, MENTIONS
from tests.bot.slack_oracle import read_message
from tests.bot.test_render import ATTACKS

# Markdown hides these from Slack's mrkdwn reader until it is rendered; `test_render` covers them as they come out.
_HARMLESS_RAW = ("https:\n//", "&colon;", "&#x200b;", "https\\:", "&lt;!", "&#60;!", "&amp;lt;!")


@pytest.mark.parametrize("text", [text for text in LINKS if not any(part in text for part in _HARMLESS_RAW)])
def test_a_raw_link_is_found(text: str) -> None:
    assert read_message({"text": text}).links


@pytest.mark.parametrize("text", [text for text in MENTIONS if not any(part in text for part in _HARMLESS_RAW)])
def test_a_raw_mention_is_found(text: str) -> None:
    reading = read_message({"text": text})
    assert reading.mentions or reading.dates


def test_every_raw_attack_of_the_collection_is_found() -> None:
    if not ATTACKS.exists():
        pytest.skip(f"{ATTACKS} is not there: check the project's shared folder out beside the repository")
    missed = []
    for line in ATTACKS.read_text(encoding="utf-8").split("\n"):
        row: dict[str, Any] = json.loads(line) if line else {"forbid": "", "payload": ""}
        reading = read_message({"text": row["payload"]})
        found = {
            "live_link": reading.links or reading.dates,
            "live_mention": reading.mentions,
            "control_chars": reading.hidden,
        }
        if not any(part in row["payload"] for part in _HARMLESS_RAW) and not found.get(row["forbid"], True):
            missed.append(row["id"])
    assert missed == []


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "image_url": "https://attacker.example/x.png", "alt_text": "x"},
        {"type": "context", "elements": [{"type": "image", "image_url": "https://attacker.example"}]},
        {"type": "section", "text": {"type": "mrkdwn", "text": "<!channel>"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": "<https://attacker.example|x>"}},
        {"type": "markdown", "text": "[x](https://attacker.example)"},
        {"type": "actions", "elements": [{"type": "button", "url": "https://attacker.example"}]},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "broadcast"}]}]},
        {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_preformatted", "elements": [{"type": "link", "url": "https://attacker.example"}]}
            ],
        },
        {
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_section",
                    "elements": [
                        {"type": "text", "text": "https:"},
                        {"type": "text", "text": "//attacker.example", "style": {"bold": True}},
                    ],
                }
            ],
        },
    ],
)
def test_a_live_block_is_found(block: dict[str, Any]) -> None:
    reading = read_message({"text": "x", "blocks": [block]})
    assert reading.links or reading.mentions or reading.images or reading.unknown
