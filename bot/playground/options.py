"""What a playground is started with, and the tokens it hands out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.playground.features import Surface

HANDSHAKE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """What an app has to prove itself with; random for each start unless given."""

    bot: str = field(repr=False)
    app: str = field(repr=False)
    signing_secret: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)

    @classmethod
    def create(cls, *, bot: str | None = None, app: str | None = None) -> Tokens:
        """Make what is not given."""
        return cls(
            bot=bot or f"xoxb-playground-{secrets.token_hex(16)}",
            app=app or f"xapp-1-A0PLAYGROUND-{secrets.token_hex(16)}",
            signing_secret=secrets.token_hex(16),
            client_id=f"{secrets.randbelow(10**12):012}.{secrets.randbelow(10**12):012}",
            client_secret=secrets.token_hex(16),
        )


@dataclass(frozen=True, kw_only=True)
class PlaygroundOptions:
    """Where it listens, what it keeps and how fast its long clocks run."""

    host: str = "127.0.0.1"
    port: int = 3939
    state: Path | None = None
    """The file that keeps the conversation over a restart; None keeps it in memory."""
    documents: tuple[Path, ...] = ()
    """Folders whose files `/document` may show at first, and no others."""
    allowed_hosts: tuple[str, ...] = ()
    """Names besides localhost under which a browser may reach it."""
    ack_seconds: float = 3.0
    """So long it waits for its app; Slack waits three seconds. With a longer wait, modals may be opened as late."""
    time_scale: float = 1.0
    """Divides every long wait (retries, the life of a stream, a status): 60 makes a minute a second."""
    faults: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, Any] = field(default_factory=dict)
    """Switches for what the workspace lacks, as the page's own dialog sets them."""
    surface: Surface | None = None
    """How people see the bot's direct message: the agent's surface, or the older assistant's container; None takes
    what the manifest says, else the agent's."""
    events_url: str | None = None
    """Where events go over HTTP; None delivers them over Socket Mode."""
    manifest: Mapping[str, Any] | None = field(default=None, repr=False)
    """The app that is installed; without one, every event is delivered and every call is allowed."""
