"""The app manifest: what Slack's rules for manifests ask of it, and no scope and no event without a use.

The rules and the scopes of events and methods stand in `slack_reference`, taken from Slack's own reference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bot.errors import MisuseError
from bot.slack.manifest import (
    OPTIONAL_SCOPES,
    Surface,
    build_manifest,
    create_app_link,
    events_of,
    public_address,
    scopes_of,
)
from tests.bot.slack_reference import (
    FEWEST_CHARACTERS,
    KNOWN_KEYS,
    MOST_CHARACTERS,
    MOST_ENTRIES,
    SCOPES_OF_EVENTS,
    SCOPES_OF_METHODS,
)

SURFACES: tuple[Surface, ...] = ("agent", "assistant", "none")
PUBLIC = "https://lore.example.com"
BOT = Path(__file__).resolve().parents[2] / "bot"


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    for surface in SURFACES:
        yield f"{surface} over Socket Mode", build_manifest(surface=surface)
        yield f"{surface} over HTTP", build_manifest(surface=surface, http=PUBLIC)


ALL = pytest.mark.parametrize("manifest", [pytest.param(one, id=name) for name, one in manifests()])


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every mapping and every plain value with its path; entries of a list have the list's path."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def called_methods() -> set[str]:
    """The Web API methods that the bot's own source names, by dotted name or as a method of the SDK's client."""
    by_sdk_name = {name.replace(".", "_").lower(): name for name in SCOPES_OF_METHODS}
    found: set[str] = set()
    for path in (*BOT.glob("*.py"), *BOT.glob("slack/*.py")):
        text = path.read_text(encoding="utf-8")
        found |= {name for name in re.findall(r'"([a-z]+(?:\.[A-Za-z0-9]+)+)"', text) if name in SCOPES_OF_METHODS}
        sdk_names = re.findall(r"client\.([a-zA-Z0-9_]+)\(", text)
        found |= {by_sdk_name[name.lower()] for name in sdk_names if name.lower() in by_sdk_name}
    return found


@ALL
def test_it_has_no_key_that_slack_does_not_know(manifest: dict[str, Any]) -> None:
    for path, value in leaves(manifest):
        if isinstance(value, dict):
            assert set(value) <= KNOWN_KEYS[path], path


@ALL
def test_every_text_is_within_slacks_limits(manifest: dict[str, Any]) -> None:
    seen = set()
    for path, value in leaves(manifest):
        if path in MOST_CHARACTERS:
            seen.add(path)
            assert FEWEST_CHARACTERS.get(path, 1) <= len(value) <= MOST_CHARACTERS[path], path
    assert seen == set(MOST_CHARACTERS)


@ALL
def test_no_list_is_longer_than_slack_takes_or_says_a_thing_twice(manifest: dict[str, Any]) -> None:
    for path, most in MOST_ENTRIES.items():
        found: Any = manifest
        for key in path.split("."):
            found = found.get(key, [])
        assert len(found) <= most
        texts = [json.dumps(one, sort_keys=True) for one in found]
        assert len(set(texts)) == len(texts)


@ALL
def test_every_event_exists_and_has_a_scope_that_lets_it_through(manifest: dict[str, Any]) -> None:
    granted = set(manifest["oauth_config"]["scopes"]["bot"])
    for event in manifest["settings"]["event_subscriptions"]["bot_events"]:
        needed = SCOPES_OF_EVENTS[event]
        assert not needed or granted & set(needed), event


@ALL
def test_every_method_that_the_bot_calls_has_a_scope_that_allows_it(manifest: dict[str, Any]) -> None:
    granted = set(manifest["oauth_config"]["scopes"]["bot"])
    called = called_methods()
    assert {"chat.postMessage", "views.publish", "users.conversations"} <= called
    for method in called - {"assistant.threads.setSuggestedPrompts", "assistant.threads.setTitle"}:
        needed = SCOPES_OF_METHODS[method]
        assert not needed or granted & set(needed), f"{method} needs one of {needed}"


@pytest.mark.parametrize("surface", SURFACES)
def test_no_scope_is_asked_for_without_a_use(surface: Surface) -> None:
    used = {scope for event in events_of(surface) for scope in SCOPES_OF_EVENTS[event]}
    used |= {scope for method in called_methods() for scope in SCOPES_OF_METHODS[method]}
    used |= {"commands"}  # the slash command and the shortcuts
    used |= {"files:read"}  # an attachment is fetched from its own address, not by a method
    used |= {"users:read.email"}  # without it `users.info` leaves the address out
    assert set(scopes_of(surface)) <= used


def test_the_agent_surface_has_what_its_calls_and_events_need() -> None:
    assert "assistant:write" in scopes_of("agent")
    assert "assistant:write" in scopes_of("assistant")
    assert "assistant:write" not in scopes_of("none")
    assert {"app_context_changed", "agent_session_stopped"} <= set(events_of("agent"))
    assert "assistant_thread_started" not in events_of("agent")
    assert "assistant_thread_started" in events_of("assistant")


@ALL
def test_optional_scopes_are_among_those_asked_for(manifest: dict[str, Any]) -> None:
    scopes = manifest["oauth_config"]["scopes"]
    assert set(scopes["bot_optional"]) == set(OPTIONAL_SCOPES)
    assert set(scopes["bot"]) > OPTIONAL_SCOPES


@ALL
def test_people_can_write_to_it_and_everything_is_in_a_stable_order(manifest: dict[str, Any]) -> None:
    home = manifest["features"]["app_home"]
    assert home["home_tab_enabled"] is True
    assert home["messages_tab_enabled"] is True
    assert home["messages_tab_read_only_enabled"] is False
    assert manifest["settings"]["interactivity"]["is_enabled"] is True
    for names in (
        manifest["oauth_config"]["scopes"]["bot"],
        manifest["settings"]["event_subscriptions"]["bot_events"],
    ):
        assert names == sorted(names)


def test_the_command_and_the_shortcuts_are_there() -> None:
    features = build_manifest()["features"]
    (command,) = features["slash_commands"]
    assert re.fullmatch(r"/[a-z0-9_-]{1,31}", command["command"])
    assert "url" not in command
    by_kind = {(one["type"], one["callback_id"]) for one in features["shortcuts"]}
    assert by_kind == {
        ("message", "answer_this"),
        ("message", "summarise_thread"),
        ("message", "save_as_knowledge"),
        ("global", "ask_lorekeeper"),
    }


def test_socket_mode_has_no_address_and_http_mode_has_all() -> None:
    assert "https://" not in json.dumps(build_manifest())
    assert build_manifest()["settings"]["socket_mode_enabled"] is True
    manifest = build_manifest(http=f"{PUBLIC}/")
    settings = manifest["settings"]
    assert settings["socket_mode_enabled"] is False
    assert settings["event_subscriptions"]["request_url"] == f"{PUBLIC}/slack/events"
    assert settings["interactivity"]["request_url"] == f"{PUBLIC}/slack/events"
    assert manifest["features"]["slash_commands"][0]["url"] == f"{PUBLIC}/slack/events"
    assert manifest["oauth_config"]["redirect_urls"] == [f"{PUBLIC}/slack/oauth_redirect"]


@pytest.mark.parametrize(
    "address", ["http://lore.example.com", "lore.example.com", "https://", "https://x?y=1", "https://a b", ""]
)
def test_an_address_that_slack_would_not_call_is_misuse(address: str) -> None:
    with pytest.raises(MisuseError, match="no address that Slack would call"):
        public_address(address)


def test_the_link_makes_the_very_same_app() -> None:
    manifest = build_manifest(http=PUBLIC)
    link = urlsplit(create_app_link(manifest))
    assert (link.scheme, link.netloc, link.path) == ("https", "api.slack.com", "/apps")
    query = parse_qs(link.query)
    assert query["new_app"] == ["1"]
    assert json.loads(query["manifest_json"][0]) == manifest
    assert len(create_app_link(manifest)) < 8_000
