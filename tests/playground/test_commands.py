"""Slash commands and shortcuts: what the app gets, how it answers, and which there are with a manifest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.errors import SettingsError
from bot.playground.installed_app import InstalledApp, read_manifest
from tests.playground.site import ADA, ADA_DM, BEN, GENERAL, Listener, Site, error_of

JSON = dict[str, Any]
MANIFEST: JSON = {
    "settings": {"interactivity": {"is_enabled": True}},
    "features": {
        "slash_commands": [
            {"command": "/lore", "description": "Ask", "usage_hint": "[question]"},
            {"command": "/who", "description": "Who", "should_escape": True},
        ],
        "shortcuts": [
            {"name": "Answer this", "type": "message", "callback_id": "answer", "description": "Answer it"},
            {"name": "Ask", "type": "global", "callback_id": "ask", "description": "Ask something"},
        ],
    },
}


@contextmanager
def acting(site: Site, action: str, /, **body: Any) -> Iterator[list[JSON]]:
    """Do something on the page in a thread, because it waits for the app's acknowledgement."""
    answers: list[JSON] = []
    thread = threading.Thread(target=lambda: answers.append(site.try_to(action, **body)))
    thread.start()
    yield answers
    thread.join(10)


def slash(site: Site, app: Listener, text: str, answer: JSON | None = None, **more: Any) -> JSON:
    """Use /lore and give the payload that the app got."""
    with acting(site, "slash", **{"user": ADA, "channel": GENERAL, "command": "/lore", "text": text, **more}) as done:
        envelope = app.read_until("slash_commands")
        app.acknowledge(envelope, answer)
    assert done == [{"ok": True}]
    assert envelope["accepts_response_payload"] is True
    payload: JSON = envelope["payload"]
    return payload


def test_a_slash_command_reaches_the_app_as_slacks_do(site: Site) -> None:
    with site.app_connection() as app:
        payload = slash(site, app, " ask @ada <b> ")
        assert slash(site, app, "", channel=ADA_DM)["channel_name"] == "directmessage"
    assert payload.pop("response_url").startswith(f"{site.url}actions/T0PLAYGROUND/")
    assert payload.pop("trigger_id")
    assert payload == {
        "token": "playground",
        "team_id": "T0PLAYGROUND",
        "team_domain": "playground",
        "channel_id": GENERAL,
        "channel_name": "general",
        "user_id": ADA,
        "user_name": "ada",
        "command": "/lore",
        "text": "ask @ada <b>",
        "api_app_id": "A0LOREKEEPER",
        "is_enterprise_install": "false",
    }
    assert site.ledger("interaction")[0]["name"] == "/lore"


def test_an_acknowledgement_is_the_answer_seen_by_one_or_by_all(site: Site) -> None:
    with site.app_connection() as app, site.page(ADA) as ada, site.page(BEN) as ben:
        ada.read_until("snapshot")
        ben.read_until("snapshot")
        slash(site, app, "help", {"text": "Only you see this."})
        shown = ada.read_until("message")["message"]
        assert (shown["text"], shown["ephemeral"]) == ("Only you see this.", True)
        slash(site, app, "help", {"response_type": "in_channel", "text": "All see this."})
        assert ben.read_until("message")["message"]["text"] == "All see this."
    history = site.client().conversations_history(channel=GENERAL)["messages"]
    assert [message["text"] for message in history] == ["All see this."]


def test_the_address_of_a_command_takes_five_answers_and_replaces_the_newest(site: Site) -> None:
    with site.app_connection() as app, site.page(ADA) as page:
        page.read_until("snapshot")
        address = slash(site, app, "ask")["response_url"]
        post(address, text="Looking", replace_original=True)
        looking = page.read_until("message")["message"]
        post(address, text="Found", replace_original=True, blocks=[{"type": "divider"}])
        found = page.read_until("message")["message"]
        assert (found["ts"], found["text"], found["ephemeral"]) == (looking["ts"], "Found", True)
        post(address, text="Plain", replace_original=True)
        assert "blocks" not in page.read_until("message")["message"]
        post(address, delete_original=True)
        assert page.read_until("message_deleted")["ts"] == looking["ts"]
        post(address, text="For all", response_type="in_channel")
        assert "ephemeral" not in page.read_until("message")["message"]
        assert httpx.post(address, json={"text": "six"}).status_code == 404


def test_a_command_opens_a_modal_with_its_trigger(site: Site) -> None:
    with site.app_connection() as app:
        trigger_id = slash(site, app, "ask")["trigger_id"]
    title = {"type": "plain_text", "text": "Ask"}
    assert site.client().views_open(trigger_id=trigger_id, view={"type": "modal", "title": title, "blocks": []})["ok"]


def test_a_command_that_nobody_takes_says_so(start: Callable[..., Site]) -> None:
    site = start(ack_seconds=0.1)
    body = {"user": ADA, "channel": GENERAL, "command": "/lore"}
    assert site.try_to("slash", **body)["error"] == "operation_timed_out"
    with site.app_connection():
        assert site.try_to("slash", **body)["error"] == "operation_timed_out"
    assert site.try_to("slash", **body, thread_ts="1700000000.000100")["error"] == "command_not_in_threads"


def test_with_a_manifest_there_are_its_commands_and_no_others(start: Callable[..., Site]) -> None:
    site = start(manifest=MANIFEST)
    with site.page(ADA) as page:
        snapshot = page.read()
    assert snapshot["commands"][0] == {"command": "/lore", "description": "Ask", "usage_hint": "[question]"}
    assert snapshot["shortcuts"] == MANIFEST["features"]["shortcuts"]
    with site.app_connection() as app:
        assert slash(site, app, "ask @ben")["text"] == "ask @ben"
        assert slash(site, app, "@ben", command="/who")["text"] == f"<@{BEN}>"
    body = {"user": ADA, "channel": GENERAL}
    assert site.try_to("slash", **body, command="/other")["error"] == "unknown_command"
    assert site.try_to("slash", **body, command="lore")["error"] == "unknown_command"
    assert site.try_to("shortcut", user=ADA, callback_id="answer")["error"] == "unknown_shortcut"


def test_a_message_shortcut_carries_the_message_and_an_address(site: Site) -> None:
    question = site.say("how many?", user=BEN)
    with site.app_connection() as app:
        with acting(site, "shortcut", user=ADA, callback_id="answer", channel=GENERAL, ts=question) as done:
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
        assert done == [{"ok": True}]
        payload = envelope["payload"]
        assert (payload["type"], payload["callback_id"], payload["message_ts"]) == (
            "message_action",
            "answer",
            question,
        )
        assert (payload["message"]["text"], payload["message"]["user"]) == ("how many?", BEN)
        assert (payload["channel"], payload["user"]["id"]) == ({"id": GENERAL, "name": "general"}, ADA)
        assert payload["action_ts"]
        with site.page(ADA) as page:
            page.read_until("snapshot")
            post(payload["response_url"], text="Noted.")
            assert page.read_until("message")["message"]["ephemeral"] is True
    body = {"user": ADA, "callback_id": "answer", "channel": GENERAL, "ts": "1700000000.000100"}
    assert site.try_to("shortcut", **body)["error"] == "message_not_found"


def test_a_global_shortcut_has_a_trigger_and_no_address(start: Callable[..., Site]) -> None:
    site = start(manifest=MANIFEST)
    with site.app_connection() as app:
        with acting(site, "shortcut", user=ADA, callback_id="ask"):
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
        payload = envelope["payload"]
    assert (payload["type"], payload["callback_id"]) == ("shortcut", "ask")
    assert payload.keys() & {"response_url", "channel", "message"} == set()
    title = {"type": "plain_text", "text": "Ask"}
    view = {"type": "modal", "title": title, "blocks": []}
    assert site.client().views_open(trigger_id=payload["trigger_id"], view=view)["ok"]
    assert error_of(site.client().views_open, trigger_id=payload["trigger_id"], view=view) == "exchanged_trigger_id"


def post(address: str, **body: Any) -> None:
    """Answer at an address that must take it."""
    assert httpx.post(address, json=body).text == "ok"


@pytest.mark.parametrize("content", ["{", "[]", '{"features": 3}', '{"features": {"shortcuts": "x"}}'])
def test_a_broken_manifest_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=r"manifest"):
        InstalledApp(read_manifest(tmp_path / "manifest.json"))
