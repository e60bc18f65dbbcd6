"""Who answers for which workspace in HTTP mode: each one has a bot, a database and an index of its own.

Two desks: `OneTeam` for the workspace of one token, `Tenants` for all that installed the app. A request finds its
workspace by what Slack signed, and reaches nothing but that workspace's own bot.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
from slack_bolt.request import BoltRequest
from slack_sdk.oauth.installation_store import Bot
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from bot.purge import Removal, ask_for_removal, finish_removal, open_removals, purge_rows, removal_of
from bot.slack.http_mode import Reply
from bot.slack.team import TeamBot
from bot.slack.token_store import Installations
from knowledge.database import writing

logger = logging.getLogger(__name__)

TEAMS_FOLDER = "teams"
_TEAM_ID = re.compile(r"[A-Z0-9]{2,40}\Z", re.ASCII)
_IN_USE_SECONDS = 10.0
# Slack would bring it again to no purpose.
_IGNORED = Reply(headers={"x-slack-no-retry": "1"})


@dataclass(kw_only=True)
class Workspace:
    """One workspace's running bot, and what closes it."""

    team: str
    bot: TeamBot
    engine: sa.Engine
    close: Callable[[], None]
    users: int = field(default=0, init=False)
    """Requests that are being handled."""

    def handle(self, payload: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        """Let the bot take one request in. An interaction that came before has its effect once."""
        trigger = payload.get("trigger_id")
        if isinstance(trigger, str) and trigger and not _is_new(self.engine, self.team, trigger):
            logger.info("an interaction came twice; its second coming does nothing")
            return Reply()
        kept = {name: value for name, value in headers.items() if name.startswith("x-slack-retry")}
        response = self.bot.app.dispatch(BoltRequest(mode="socket_mode", body=dict(payload), headers=dict(kept)))
        body = response.body or ""
        return Reply(status=response.status, body=json.loads(body) if body.startswith("{") else body)


class OneTeam:
    """The desk of one workspace, whose token the operator gave."""

    def __init__(self, workspace: Workspace, *also: str) -> None:
        self._workspace = workspace
        self._names = {workspace.team, *also} - {""}

    @property
    def ready(self) -> bool:
        """Whether requests can be taken in now."""
        return True

    def receive(self, payload: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        """Take one request in, where it comes from this workspace."""
        if team_of(payload) not in self._names:
            logger.warning("a request of another workspace was ignored")
            return _IGNORED
        return self._workspace.handle(payload, headers)


class OpenWorkspace(Protocol):
    """Opens the bot of one installation, in a folder of its own."""

    def __call__(self, installed: Bot, folder: Path) -> Workspace:
        """Open and start it."""


class Tenants:
    """The desk of every workspace that installed the app; a context manager. All methods may be called by threads."""

    def __init__(
        self,
        home: Path,
        store: Installations,
        ledger: sa.Engine,
        *,
        open_workspace: OpenWorkspace,
        is_alive: Callable[[str], bool],
    ) -> None:
        self._home = home
        self._store = store
        self._ledger = ledger
        self._open_workspace = open_workspace
        self._is_alive = is_alive
        self._lock = threading.Condition(threading.RLock())
        self._open: dict[str, Workspace] = {}
        self._opening = threading.Lock()
        self._closed = False
        self._remover = ThreadPoolExecutor(max_workers=1, thread_name_prefix="removal")

    def __enter__(self) -> Tenants:
        for removal in open_removals(self._ledger):
            self._remove(removal)
        for installed in self._store.list_bots():
            try:
                self._find(str(installed.team_id))
            except Exception:  # one workspace's broken folder must not keep the others waiting
                logger.exception("the bot of workspace %s could not be opened", installed.team_id)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._closed = True
            workspaces = list(self._open.values())
            self._open.clear()
        self._remover.shutdown(wait=True)
        with ExitStack() as closing:
            for workspace in workspaces:
                closing.callback(workspace.close)

    @property
    def ready(self) -> bool:
        """Whether requests can be taken in now."""
        return not self._closed

    @property
    def open_teams(self) -> tuple[str, ...]:
        """The workspaces whose bots run."""
        with self._lock:
            return tuple(sorted(self._open))

    def receive(self, payload: Mapping[str, Any], headers: Mapping[str, str]) -> Reply:
        """Take one request in with the bot of its workspace."""
        team = team_of(payload)
        if not _TEAM_ID.match(team):
            return _IGNORED
        if removal := removal_of(payload, team):
            self._take_away(removal)
            return Reply()
        with self._borrowed(team) as workspace:
            if workspace is None:
                logger.warning("a request of workspace %s, which has not installed the app, was ignored", team)
                return _IGNORED
            return workspace.handle(payload, headers)

    def installed(self, team: str) -> None:
        """A workspace installed the app, perhaps again and with a new token: open its bot anew."""
        self._close_workspace(team)
        self._find(team)

    def _take_away(self, removal: Removal) -> None:
        known = self._store.count_team(removal.team) or self.folder_of(removal.team).exists()
        if known and ask_for_removal(self._ledger, removal):
            self._remover.submit(self._remove_safely, removal)

    def _remove_safely(self, removal: Removal) -> None:
        try:
            self._remove(removal)
        except Exception:
            logger.exception("workspace %s could not be removed; this is tried again at the next start", removal.team)

    def _remove(self, removal: Removal) -> None:
        """Remove all of a workspace. Where it installed again meanwhile, the new installation alone stays."""
        team = removal.team
        with self._opening:
            self._close_workspace(team)
            folder = self.folder_of(team)
            removed = _count_rows(folder, team)
            removed["file"] = removed.get("file", 0) + _count_files(folder)
            _remove_folder(folder)
            installed = self._store.find_team(team)
            stays = installed is not None and self._is_alive(str(installed.bot_token))
            if not stays:
                removed["installation"] = self._store.remove_team(team)
            finish_removal(self._ledger, removal, {name: count for name, count in removed.items() if count})
        logger.warning("workspace %s took the app away (%s): all of it is removed", team, removal.reason)
        if stays:
            self._find(team)

    def folder_of(self, team: str) -> Path:
        """Where all data of a workspace is, and of no other."""
        if not _TEAM_ID.match(team):
            raise ValueError(f"{team!r} is no workspace's id")
        return self._home / TEAMS_FOLDER / team

    def _find(self, team: str) -> Workspace | None:
        with self._lock:
            if (workspace := self._open.get(team)) is not None:
                return workspace
        with self._opening:
            with self._lock:
                if (workspace := self._open.get(team)) is not None or self._closed:
                    return workspace
            installed = self._store.find_team(team)
            if installed is None:
                return None
            workspace = self._open_workspace(installed, self.folder_of(team))
            with self._lock:
                self._open[team] = workspace
            return workspace

    @contextmanager
    def _borrowed(self, team: str) -> Iterator[Workspace | None]:
        workspace = self._find(team)
        with self._lock:
            # It may have been taken away since.
            workspace = workspace if workspace is not None and self._open.get(team) is workspace else None
            if workspace is not None:
                workspace.users += 1
        try:
            yield workspace
        finally:
            if workspace is not None:
                with self._lock:
                    workspace.users -= 1
                    self._lock.notify_all()

    def _close_workspace(self, team: str) -> None:
        with self._lock:
            workspace = self._open.pop(team, None)
            if workspace is None:
                return
            self._lock.wait_for(lambda: workspace.users == 0, _IN_USE_SECONDS)
        workspace.close()


def team_of(payload: Mapping[str, Any]) -> str:
    """The workspace where the app is installed that a request is for; empty where Slack does not say."""
    authorizations = payload.get("authorizations")
    if isinstance(authorizations, list) and authorizations:
        return _text(authorizations[0], "team_id")
    return (
        _text(payload.get("view"), "app_installed_team_id")
        or _text(payload.get("team"), "id")
        or _text(payload, "team_id")
        or _text(payload.get("user"), "team_id")
    )


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, str) else ""


def _is_new(engine: sa.Engine, team: str, trigger: str) -> bool:
    row = {
        "event_id": f"trigger:{trigger}",
        "kind": "press",
        "team": team,
        "payload": {},
        "received_at": datetime.now(UTC),
        "state": "done",
    }
    with writing(engine) as connection:
        return connection.execute(insert(tables.inbox).values(row).on_conflict_do_nothing()).rowcount > 0


def _count_rows(folder: Path, team: str) -> dict[str, int]:
    """What a workspace's database held; it is removed with its folder."""
    from bot.database import open_database

    database = folder / "lorekeeper.db"
    if not database.is_file():
        return {}
    engine = open_database(f"sqlite:///{database}")
    try:
        return purge_rows(engine, team, folder)
    finally:
        engine.dispose()


def _count_files(folder: Path) -> int:
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _remove_folder(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
