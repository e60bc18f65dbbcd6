"""The app as its manifest describes it: commands, shortcuts, events and scopes. Without a manifest all is allowed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.errors import SettingsError
from bot.playground.features import Surface
from bot.playground.workspace import JSON


def read_manifest(path: Path) -> JSON:
    """Read a manifest of JSON; raises SettingsError."""
    try:
        manifest = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The manifest {path} cannot be read ({error}). Give a JSON file, as `lorekeeper manifest` prints it."
        ) from error
    if not isinstance(manifest, dict):
        raise SettingsError(f"The manifest {path} is no JSON object. Give what `lorekeeper manifest` prints.")
    return manifest


class InstalledApp:
    """What the app may do and offers; read from the manifest once, at start."""

    def __init__(self, manifest: Mapping[str, Any] | None) -> None:
        self.is_described = manifest is not None
        oauth = _part(manifest or {}, "oauth_config", dict)
        self.scopes: list[str] = [str(scope) for scope in _part(_part(oauth, "scopes", dict), "bot", list)]
        self.redirect_urls = tuple(str(url) for url in _part(oauth, "redirect_urls", list))
        subscriptions = _part(_part(manifest or {}, "settings", dict), "event_subscriptions", dict)
        self.events = frozenset(str(event) for event in _part(subscriptions, "bot_events", list))
        self.has_home_tab = self.is_interactive = self.has_surface = True
        self.surface: Surface | None = None
        if manifest is not None:
            self._read_surfaces(manifest)
        features = _part(manifest or {}, "features", dict)
        self.commands: list[JSON] = [
            {
                "command": str(command.get("command", "")),
                "description": str(command.get("description", "")),
                "usage_hint": str(command.get("usage_hint", "")),
                "should_escape": bool(command.get("should_escape", False)),
            }
            for command in _part(features, "slash_commands", list)
        ]
        self.shortcuts: list[JSON] = [
            {key: str(shortcut.get(key, "")) for key in ("name", "type", "callback_id", "description")}
            for shortcut in _part(features, "shortcuts", list)
        ]

    def _read_surfaces(self, manifest: Mapping[str, Any]) -> None:
        features = _part(manifest, "features", dict)
        tabs = _part(features, "app_home", dict)
        self.has_home_tab = bool(tabs.get("home_tab_enabled", False))
        self.is_interactive = bool(
            _part(_part(manifest, "settings", dict), "interactivity", dict).get("is_enabled", False)
        )
        self.has_surface = "agent_view" in features or "assistant_view" in features
        if self.has_surface:
            self.surface = "agent" if "agent_view" in features else "assistant"

    def hears(self, event: str) -> bool:
        """Tell whether the app is subscribed to an event; without a manifest it is to every one."""
        return not self.is_described or event in self.events

    def may(self, scope: str) -> bool:
        """Tell whether the bot's token has a scope; without a manifest it has all."""
        return not self.is_described or scope in self.scopes

    def may_redirect_to(self, address: str) -> bool:
        """Tell whether an installation may lead there; without a manifest it may lead anywhere."""
        return not self.is_described or any(address.startswith(known) for known in self.redirect_urls)

    def find_command(self, name: str) -> JSON | None:
        """Find a slash command; without a manifest there is every command."""
        found = next((command for command in self.commands if command["command"] == name), None)
        return found if found is not None or self.is_described else {"command": name, "should_escape": False}

    def has_shortcut(self, callback_id: str, kind: str) -> bool:
        """Tell whether there is this `message` or `global` shortcut; without a manifest there is every one."""
        return not self.is_described or any(
            shortcut["callback_id"] == callback_id and shortcut["type"] == kind for shortcut in self.shortcuts
        )


def _part(whole: Mapping[str, Any], key: str, kind: type) -> Any:
    found = whole.get(key, kind())
    if not isinstance(found, kind):
        raise SettingsError(
            f"The manifest's {key} is {type(found).__name__}, not {kind.__name__}. Print it anew with the command "
            "that made it, or start the playground without --manifest."
        )
    return found
