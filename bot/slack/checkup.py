"""Is the connection to Slack in order: tokens, scopes, events, lines, secrets, clock; each with how to mend it.

Asks Slack only where tokens are set. What Slack tells nobody (which events an app hears) is judged by what arrived.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from bot import tables
from bot.errors import BotError, SlackSetupError
from bot.settings import SLACK_FILE, Settings
from bot.slack.credentials import (
    Installation,
    ask_for_line,
    check_bot_token,
    check_http_credentials,
    require_signing_secret,
    require_tokens,
)
from bot.slack.manifest import EVENTS, scopes_of
from knowledge.database import reading
from knowledge.secret import Secret

_LINE_SECONDS = 10.0
# Slack refuses nothing by our clock, but we refuse what looks older than five minutes.
_SKEW_NOTED, _SKEW_TOO_MUCH = 30.0, 240.0
_KINDS = {"question": "message.im", "reaction": "reaction_added", "home": "app_home_opened"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str
    next_step: str = ""


def examine_slack(settings: Settings, engine: sa.Engine | None) -> Iterator[Finding]:
    """Look at everything about Slack; `engine` is the database, where it could be opened."""
    by_http = settings.file.slack.mode == "http"
    if not (settings.slack_bot_token or settings.slack_app_token or settings.slack_client_id):
        yield Finding(name="slack", ok=True, detail="no tokens set; the playground needs none, `setup` sets them")
        return
    installation: Installation | None = None
    try:
        installation = _installation(settings, by_http)
    except SlackSetupError as error:
        yield Finding(name="slack", ok=False, detail=str(error), next_step="`lorekeeper setup` asks for it again.")
    else:
        yield _identity(settings, installation)
    if installation is not None:
        yield _scopes(installation)
        yield _clock(installation, by_http)
        if engine is not None:
            yield _events(engine, installation)
        if not by_http:
            yield _line(settings)
    if by_http:
        yield _checked("signing secret", lambda: _signing_secret(settings))
    if by_http and settings.slack_client_id:
        key = _checked("token key", lambda: _key(settings))
        yield key
        if key.ok or settings.token_key:
            yield _checked("workspaces", lambda: _workspaces(settings))
    if (path := settings.home / SLACK_FILE).is_file():
        yield _private(path, SLACK_FILE)


def _installation(settings: Settings, by_http: bool) -> Installation | None:
    if by_http:
        return check_http_credentials(settings)
    require_tokens(settings)
    return check_bot_token(settings)


def _checked(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (BotError, OSError) as error:
        return Finding(name=name, ok=False, detail=str(error))


def _identity(settings: Settings, installation: Installation | None) -> Finding:
    if installation is not None:
        return Finding(name="slack", ok=True, detail=f"{installation.bot} in {installation.team}")
    address = settings.file.slack.public_url
    return Finding(
        name="slack",
        ok=bool(address),
        detail=f"workspaces install the app at {address or '(slack.public_url is not set)'}/slack/install",
        next_step=""
        if address
        else "Set slack.public_url to the https address under which Slack reaches this machine.",
    )


def _scopes(installation: Installation) -> Finding:
    without = scopes_of()
    missing, optional = installation.missing_scopes, installation.optional_scopes
    lines = [f"{scope} (without it: no {without[scope]})" for scope in missing]
    lines += [f"{scope} (optional; without it: no {without[scope]})" for scope in optional]
    return Finding(
        name="slack scopes",
        ok=not missing,
        detail=f"without {'; '.join(lines)}" if lines else f"all {len(without)} granted",
        next_step=(
            "Add them on the app's page OAuth & Permissions (or paste what `lorekeeper manifest` prints into App "
            "Manifest), then reinstall the app."
        )
        if missing
        else "",
    )


def _clock(installation: Installation, by_http: bool) -> Finding:
    skew = installation.clock_skew_seconds
    direction = "ahead of" if skew > 0 else "behind"
    too_much = by_http and abs(skew) > _SKEW_TOO_MUCH
    detail = "as Slack's" if abs(skew) < _SKEW_NOTED else f"{abs(skew):.0f} s {direction} Slack's"
    return Finding(
        name="clock",
        ok=not too_much,
        detail=detail,
        next_step="Set this machine's clock (NTP): requests that look older than 5 minutes are refused."
        if too_much
        else "",
    )


def _events(engine: sa.Engine, installation: Installation) -> Finding:
    """Nobody can ask Slack which events an app hears; what came in tells."""
    inbox = tables.inbox
    with reading(engine) as connection:
        seen = set(connection.scalars(sa.select(inbox.c.kind).where(inbox.c.team == installation.team_id).distinct()))
    heard = sorted(event for kind, event in _KINDS.items() if kind in seen)
    unheard = sorted(event for kind, event in _KINDS.items() if kind not in seen)
    detail = f"arrived so far: {', '.join(heard) or 'none'}"
    if unheard:
        detail += "; not yet: " + ", ".join(f"{event} ({EVENTS[event]})" for event in unheard)
    next_step = ""
    if not heard:
        next_step = (
            "`lorekeeper setup` waits for a message and tells whether it arrives. The app's page Event Subscriptions "
            "must list what `lorekeeper manifest` prints."
        )
    return Finding(name="slack events", ok=True, detail=detail, next_step=next_step)


def _line(settings: Settings) -> Finding:
    try:
        address = ask_for_line(settings)
        with connect(address, open_timeout=_LINE_SECONDS, close_timeout=1) as line:
            line.recv(timeout=_LINE_SECONDS)
    except SlackSetupError as error:
        return Finding(name="slack connection", ok=False, detail=str(error))
    except (WebSocketException, OSError, TimeoutError, ValueError) as error:
        reason = str(error) or type(error).__name__
        return Finding(
            name="slack connection",
            ok=False,
            detail=f"Slack gives an address, but no line to it opens ({reason})",
            next_step="Let this machine open wss:// connections to wss-primary.slack.com, past firewall and proxy.",
        )
    return Finding(name="slack connection", ok=True, detail="a line opens and Slack greets")


def _signing_secret(settings: Settings) -> Finding:
    require_signing_secret(settings)
    return Finding(name="signing secret", ok=True, detail="set")


def _key(settings: Settings) -> Finding:
    from bot.keys import KEY_FILE, load_keys

    count = len(load_keys(settings))
    if settings.token_key:
        return Finding(name="token key", ok=True, detail=f"{count} from LOREKEEPER_TOKEN_KEY")
    return _private(settings.home / KEY_FILE, "token key")


def _workspaces(settings: Settings) -> Finding:
    """Ask Slack about the token of every workspace that installed the app."""
    from bot.slack.token_store import open_installations

    store, _ = open_installations(settings)
    try:
        bots = store.list_bots()
    finally:
        store.engine.dispose()
    refused = []
    for bot in bots:
        try:
            check_bot_token(replace(settings, slack_bot_token=Secret(str(bot.bot_token))))
        except SlackSetupError as error:
            refused.append(f"{bot.team_id}: {error}")
    return Finding(
        name="workspaces",
        ok=not refused,
        detail="; ".join(refused) or f"{len(bots)} installed the app, and each token is good",
        next_step="Let an admin of that workspace open /slack/install again." if refused else "",
    )


def _private(path: Path, name: str) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    private = not mode & 0o077
    return Finding(
        name=name,
        ok=private,
        detail=f"{path} can be read by {'its owner alone' if private else f'others ({mode:o})'}",
        next_step="" if private else f"chmod 600 {path}",
    )
