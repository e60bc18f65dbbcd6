"""The whole bot in one Slack workspace: Bolt over Socket Mode in front, the team's bot behind it."""

from __future__ import annotations

import http
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from slack_bolt import App
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request import BoltRequest
from slack_sdk import WebClient
from slack_sdk.oauth.installation_store import Bot
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.equipment import Equipment
from bot.errors import SlackRefusedError, SlackSetupError, SlackSilentError
from bot.purge import Removal
from bot.slack.deliver import CALL_SECONDS, Delivery
from bot.slack.socket_mode import NotTakenError, SocketMode
from bot.slack.team import TeamBot, TeamOptions
from bot.worker import Answering
from knowledge.secret import Secret

logger = logging.getLogger(__name__)

Identity = AuthorizeResult
"""Who the bot is in one workspace."""


@dataclass(frozen=True, kw_only=True)
class SlackOptions(TeamOptions):
    """How the bot connects and behaves; the settings' values."""

    bot_token: Secret
    app_token: Secret
    api_url: str
    connect_seconds: float = 30.0


class SlackBot:
    """A running bot; a context manager that starts and stops it. `start` and `stop` belong to one thread."""

    def __init__(
        self,
        engine: sa.Engine,
        answering: Answering,
        options: SlackOptions,
        *,
        link: Callable[[str], str],
        version: Callable[[], str],
        next_runs: Callable[[], Mapping[str, datetime]] = dict,
        equipment: Equipment = Equipment(),  # noqa: B008  it cannot be changed
        at_edge: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._options = options
        self._stopping = threading.Event()
        self._removal: Removal | None = None
        self._client = connect_client(options.bot_token, options.api_url)
        self._delivery = Delivery(self._client, stopping=self._stopping)
        self._build_team = partial(
            TeamBot,
            engine,
            answering,
            self._client,
            options=options,
            link=link,
            version=version,
            next_runs=next_runs,
            equipment=equipment,
            at_edge=at_edge,
            stopping=self._stopping,
            removed=self._note_removal,
        )
        self._team: TeamBot | None = None
        self._socket_mode: SocketMode | None = None

    def __enter__(self) -> SlackBot:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def ready(self) -> bool:
        """Whether events can arrive now."""
        return self._socket_mode is not None and self._socket_mode.connected

    @property
    def removal(self) -> Removal | None:
        """Set once the workspace took the app away: stop, then purge."""
        return self._removal

    def start(self) -> None:
        """Connect and begin to answer; raises SlackSetupError where Slack refuses a token or is not there."""
        identity = sign_in(self._delivery, self._options.bot_token, self._options)
        self._team = self._build_team(identity=identity)
        self._team.start()
        try:
            dispatcher = partial(dispatch, self._team.app)
            app_token = self._options.app_token.reveal()
            self._connect(SocketMode(self._client, app_token, dispatcher, opened=self._team.catch_up))
        except BaseException:
            self.stop()
            raise
        logger.info("working in %s as %s", self._options.api_url, identity.bot_user_id)

    def stop(self) -> None:
        """Take nothing more in, put unfinished questions back, close the connection last; within 20 s."""
        self._stopping.set()
        if self._team is not None:
            self._team.stop()
            self._team = None
        if self._socket_mode is not None:
            self._socket_mode.stop()
            self._socket_mode = None

    def _note_removal(self, removal: Removal) -> None:
        self._removal = removal

    def _connect(self, socket_mode: SocketMode) -> None:
        self._socket_mode = socket_mode
        deadline = time.monotonic() + self._options.connect_seconds
        while True:
            try:
                socket_mode.check()
            except SlackRefusedError as error:
                raise _setup_error("SLACK_APP_TOKEN", "xapp-", error.code) from error
            except SlackSilentError as error:
                if time.monotonic() > deadline or self._stopping.wait(1.0):
                    raise _unreachable(self._options.api_url) from error
            else:
                socket_mode.start()
                return


def sign_in(delivery: Delivery, token: Secret, options: SlackOptions) -> Identity:
    """Ask Slack who we are; raises SlackSetupError where it refuses the token or is not there."""
    try:
        reply = delivery.repeat("auth.test", patience_seconds=options.connect_seconds)
    except SlackRefusedError as error:
        raise _setup_error("SLACK_BOT_TOKEN", "xoxb-", error.code) from error
    except SlackSilentError as error:
        raise _unreachable(options.api_url) from error
    return AuthorizeResult(
        enterprise_id=reply.get("enterprise_id"),
        team_id=reply.get("team_id"),
        bot_user_id=str(reply["user_id"]),
        bot_id=reply.get("bot_id"),
        bot_token=token.reveal(),
    )


def identity_of(installed: Bot) -> Identity:
    """Who we are in a workspace that installed the app, without asking Slack again."""
    return AuthorizeResult(
        enterprise_id=installed.enterprise_id,
        team_id=installed.team_id,
        bot_user_id=installed.bot_user_id,
        bot_id=installed.bot_id,
        bot_token=installed.bot_token,
    )


def connect_client(token: Secret, api_url: str) -> WebClient:
    """A client that never repeats by itself: the SDK would post a message again whose reply was lost."""
    return WebClient(token=token.reveal(), base_url=api_url, timeout=CALL_SECONDS, retry_handlers=[])


def dispatch(app: App, request: SocketModeRequest) -> dict[str, Any] | None:
    """Let Bolt handle one envelope; returns what the acknowledgement carries, raises NotTakenError for none."""
    response = app.dispatch(BoltRequest(mode="socket_mode", body=request.payload))
    if response.status != http.HTTPStatus.OK:
        raise NotTakenError
    if not response.body:
        return None
    return dict(json.loads(response.body))


def _unreachable(api_url: str) -> SlackSetupError:
    return SlackSetupError(
        f"Slack does not answer at {api_url}. Check this machine's connection, a proxy, and SLACK_API_URL if it is set."
    )


def _setup_error(variable: str, prefix: str, code: str) -> SlackSetupError:
    return SlackSetupError(
        f"Slack refuses {variable} ({code}). It begins with {prefix}: copy it again from the app's settings page "
        "and run `lorekeeper doctor`."
    )
