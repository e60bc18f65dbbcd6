"""The app's installation in this workspace: who allowed it, which tokens work, and how it ends."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bot.playground.errors import ApiError
from bot.playground.workspace import BOT_USER_ID, JSON

if TYPE_CHECKING:
    from bot.playground.playground import Playground

CODE_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Grant:
    """That a person allowed the app, to be exchanged for a token once."""

    user: str
    redirect_uri: str
    until: float


class Installation:
    """Whether the app is installed; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._grants: dict[str, Grant] = {}
        self._ended: set[str] = set()
        self.is_there = True

    def allow(self, user: str, redirect_uri: str) -> str:
        """Note that a person allowed the app; gives the code for its address."""
        code = secrets.token_urlsafe(24)
        until = self._playground.workspace.now() + CODE_SECONDS / self._playground.socket.time_scale
        self._grants[code] = Grant(user=user, redirect_uri=redirect_uri, until=until)
        return code

    def exchange(self, code: str, redirect_uri: str | None) -> Grant:
        """Exchange a code, which installs the app where it was not; raises ApiError."""
        grant = self._grants.pop(code, None)
        if grant is None or grant.until < self._playground.workspace.now():
            raise ApiError("invalid_code")
        if redirect_uri is not None and redirect_uri != grant.redirect_uri:
            raise ApiError("bad_redirect_uri")
        if not self.is_there:
            token = f"xoxb-playground-{secrets.token_hex(16)}"
            self._playground.tokens = replace(self._playground.tokens, bot=token)
            self.is_there = True
            self._playground.bot_connection_changed()
        return grant

    def end(self) -> None:
        """Uninstall: the app hears of it, and its token works no more."""
        if not self.is_there:
            raise ApiError("app_not_installed")
        now = self._playground.workspace.next_ts
        ended: list[JSON] = [
            {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [BOT_USER_ID]}, "event_ts": now()},
            {"type": "app_uninstalled", "event_ts": now()},
        ]
        for event in ended:
            self._playground.emit(event)
        self._ended.add(self._playground.tokens.bot)
        self.is_there = False
        self._playground.bot_connection_changed()

    def check_token(self, token: str) -> None:
        """Refuse a token of an installation that has ended."""
        if any(hmac.compare_digest(token.encode(), ended.encode()) for ended in self._ended):
            raise ApiError("account_inactive")
