"""The whole bot in Slack: Bolt over Socket Mode in front, the inbox behind it, the threads that answer.

The only module that builds a Bolt app. Bolt acknowledges an event when the middleware here returns, and that is
after the event is committed; interactions (buttons, forms) are small and handled at once.
"""

from __future__ import annotations

import http
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from slack_bolt import App, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.request import BoltRequest
from slack_sdk import WebClient
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.errors import SlackRefusedError, SlackSetupError, SlackSilentError
from bot.inbox import LEASE_SECONDS, FinalState, Inbox, Lease, Waiting
from bot.lanes import Lane, Lanes
from bot.runs import Runs
from bot.settings import Secret
from bot.slack import words
from bot.slack.deliver import CALL_SECONDS, Delivery, Pace, Place
from bot.slack.home import home_view, load_home
from bot.slack.intake import Intake
from bot.slack.membership import Memberships
from bot.slack.parse import HomeOpened, ReactionChange
from bot.slack.socket_mode import NotTakenError, SocketMode
from bot.slack.votes import Votes, listen
from bot.worker import MOST_ATTEMPTS, Answering, QuestionWorker, doing
from knowledge.audience import Audience
from knowledge.database import writing

logger = logging.getLogger(__name__)

# Together below the 20 s that a supervisor grants after SIGTERM.
_STOP_PATIENCE_SECONDS = 13.0


@dataclass(frozen=True, kw_only=True)
class SlackOptions:
    """How the bot connects and behaves; the settings' values."""

    bot_token: Secret
    app_token: Secret
    api_url: str
    workers: int = 2
    update_seconds: float = 1.3
    lease_seconds: float = LEASE_SECONDS
    settle_seconds: float = 2.0
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
        at_edge: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._engine = engine
        self._options = options
        self._stopping = threading.Event()
        # Repeating is our business: the SDK would post a message again whose reply was lost.
        self._client = WebClient(
            token=options.bot_token.reveal(),
            base_url=options.api_url,
            timeout=CALL_SECONDS,
            retry_handlers=[],
        )
        self._delivery = Delivery(self._client, stopping=self._stopping)
        self._memberships = Memberships(self._delivery)
        self._runs = Runs()
        self._inbox = Inbox(engine, lease_seconds=options.lease_seconds)
        self._worker = QuestionWorker(
            engine=engine,
            inbox=self._inbox,
            answering=answering,
            delivery=self._delivery,
            memberships=self._memberships,
            pace=Pace(options.update_seconds),
            runs=self._runs,
            link=link,
            settle_seconds=options.settle_seconds,
            at_edge=at_edge,
        )
        self._votes = Votes(engine=engine, delivery=self._delivery, link=link)
        self._version = version
        self._next_runs = next_runs
        self._lanes: Lanes | None = None
        self._executor: ThreadPoolExecutor | None = None
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

    def start(self) -> None:
        """Connect and begin to answer; raises SlackSetupError where Slack refuses a token or is not there."""
        identity = self._sign_in()
        self._inbox.prune()
        intake = Intake(
            engine=self._engine,
            inbox=self._inbox,
            runs=self._runs,
            memberships=self._memberships,
            bot_user_id=str(identity.bot_user_id),
        )
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="interaction")
        app = build_bolt_app(self._client, identity, self._executor, self._votes, self._guarded(intake.accept))
        self._lanes = Lanes(
            self._inbox,
            self._lane_plan(),
            announce=self._announce,
        )
        self._lanes.start()
        try:
            self._connect(SocketMode(self._client, self._options.app_token.reveal(), partial(dispatch, app)))
        except BaseException:
            self.stop()
            raise
        logger.info("working in %s as %s", self._options.api_url, identity.bot_user_id)

    def stop(self) -> None:
        """Take nothing more in, put unfinished questions back, close the connection last; within 20 s."""
        self._stopping.set()
        self._runs.shut_down()
        if self._lanes is not None:
            self._lanes.stop(patience_seconds=_STOP_PATIENCE_SECONDS)
            self._lanes = None
        if self._socket_mode is not None:
            self._socket_mode.stop()
            self._socket_mode = None
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _sign_in(self) -> AuthorizeResult:
        try:
            reply = self._delivery.repeat("auth.test", patience_seconds=self._options.connect_seconds)
        except SlackRefusedError as error:
            raise _setup_error("SLACK_BOT_TOKEN", "xoxb-", error.code) from error
        except SlackSilentError as error:
            raise self._unreachable() from error
        return AuthorizeResult(
            enterprise_id=reply.get("enterprise_id"),
            team_id=reply.get("team_id"),
            bot_user_id=str(reply["user_id"]),
            bot_id=reply.get("bot_id"),
            bot_token=self._options.bot_token.reveal(),
        )

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
                    raise self._unreachable() from error
            else:
                socket_mode.start()
                return

    def _unreachable(self) -> SlackSetupError:
        return SlackSetupError(
            f"Slack does not answer at {self._options.api_url}. Check this machine's connection, a proxy, and "
            "SLACK_API_URL if it is set."
        )

    def _guarded(self, accept: Callable[[Mapping[str, Any]], None]) -> Callable[[Mapping[str, Any]], bool]:
        def take(body: Mapping[str, Any]) -> bool:
            """Whether the event may be acknowledged; if not, Slack brings it again."""
            if self._stopping.is_set():
                return False
            try:
                accept(body)
            except Exception:
                logger.exception("event %s could not be kept; Slack will bring it again", body.get("event_id"))
                return False
            return True

        return take

    def _lane_plan(self) -> list[Lane]:
        questions = Lane(name="answer", kinds=("question",), threads=self._options.workers, work=self._worker.work)
        return [questions, Lane(name="light", kinds=("reaction", "home"), threads=1, work=self._work_light)]

    def _work_light(self, lease: Lease) -> None:
        """A vote or a visit of the home page: worth a few tries, not a queue."""
        try:
            if lease.kind == "reaction":
                self._votes.react(ReactionChange(**lease.payload))
            else:
                self._publish_home(HomeOpened(**lease.payload))
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("%s %d stays without a reply in Slack: %s", lease.kind, lease.id, error)
        except Exception:
            if lease.attempt < MOST_ATTEMPTS:
                raise
            logger.exception("%s %d failed %d times", lease.kind, lease.id, lease.attempt)
            self._finish(lease, "failed")
            return
        self._finish(lease, "done")

    def _finish(self, lease: Lease, state: FinalState) -> None:
        with writing(self._engine) as connection:
            self._inbox.finish(connection, lease, state)

    def _publish_home(self, opened: HomeOpened) -> None:
        audience = Audience.of_person(opened.user, self._memberships.channels_of(opened.user))
        content = load_home(self._engine, audience, version=self._version(), next_runs=self._next_runs())
        view = home_view(content, now=datetime.now(UTC))
        self._delivery.repeat("views.publish", patience_seconds=10.0, user_id=opened.user, view=view)

    def _announce(self, waiting: Waiting) -> None:
        place = Place(channel=waiting.channel, thread_ts=waiting.thread_ts)
        self._delivery.set_status(place, doing(words.waiting(waiting.ahead)))


def build_bolt_app(
    client: WebClient,
    identity: AuthorizeResult,
    executor: ThreadPoolExecutor,
    votes: Votes,
    take: Callable[[Mapping[str, Any]], bool],
) -> App:
    """Build the Bolt app: events end in `take`, and are acknowledged only where it returns True."""
    # Who we are is known: Bolt need not ask Slack again before the first acknowledgement. It would warn that a token
    # in the environment is not used then, and of every press on a button that only opens a link.
    bolt_logger = logging.getLogger(f"{__name__}.bolt")
    bolt_logger.setLevel(logging.ERROR)
    app = App(client=client, authorize=lambda: identity, listener_executor=executor, logger=bolt_logger)

    @app.middleware
    def keep_before_acknowledging(body: dict[str, Any], next: Callable[[], None]) -> BoltResponse | None:
        if body.get("type") != "event_callback":
            next()
            return None
        return BoltResponse(status=200, body="") if take(body) else BoltResponse(status=503, body="")

    listen(app, votes)
    return app


def dispatch(app: App, request: SocketModeRequest) -> dict[str, Any] | None:
    """Let Bolt handle one envelope; returns what the acknowledgement carries, raises NotTakenError for none."""
    response = app.dispatch(BoltRequest(mode="socket_mode", body=request.payload))
    if response.status != http.HTTPStatus.OK:
        raise NotTakenError
    if not response.body:
        return None
    return dict(json.loads(response.body))


def _setup_error(variable: str, prefix: str, code: str) -> SlackSetupError:
    return SlackSetupError(
        f"Slack refuses {variable} ({code}). It begins with {prefix}: copy it again from the app's settings page "
        "and run `lorekeeper doctor`."
    )
