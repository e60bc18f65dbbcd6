"""Takes a question, or the wish to have an answer made again, from its lease to its end, whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from bot.asking import Asking
from bot.composing import MOST_ATTEMPTS, Answering, Composing, doing
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Inbox, Lease, LeaseLostError, WithdrawnError
from bot.revising import Revising
from bot.runs import Runs, ShutDownError
from bot.sending import Sending
from bot.turn import Revision, incoming_of
from knowledge.database import writing

__all__ = ["MOST_ATTEMPTS", "Answering", "QuestionWorker", "doing"]

logger = logging.getLogger(__name__)

_SHORTEST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS = 1.0, 60.0
_GIVE_UP_AFTER = timedelta(hours=24)
# What a token that does not work now looks like.
_TOKEN_TROUBLE = frozenset({"invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive"})


class Steps(Protocol):
    """What is to be done for one row of the inbox."""

    def advance(self) -> None:
        """Go on from wherever an earlier try came to."""

    def clean_up(self) -> None:
        """Nobody wants it any more: remove what is visible of it, and finish."""


@dataclass(frozen=True, kw_only=True)
class QuestionWorker:
    """Works one row off; `work` may run in several threads at once."""

    engine: sa.Engine
    inbox: Inbox
    composing: Composing
    sending: Sending
    runs: Runs
    at_edge: Callable[[str], None] = lambda _name: None
    """Called at every edge between two states; a test ends the process there."""

    def work(self, lease: Lease) -> None:
        """Bring one row to its end, or put it back, or end it with a reason."""
        steps = self._steps(lease)
        try:
            self._go(steps)
        except (LeaseLostError, ShutDownError) as error:
            logger.info("question %d is left to others: %s", lease.id, type(error).__name__)
            self.inbox.give_back(lease)
        except SlackSilentError as error:
            self._try_later(lease, str(error))
        except SlackRefusedError as error:
            self._refused(lease, error)
        except Exception as error:
            # A fault that comes again with every try must not go round for ever.
            if lease.attempt <= MOST_ATTEMPTS:
                raise
            logger.exception("question %d fails every time", lease.id)
            self._end_failed(lease, type(error).__name__)

    def _go(self, steps: Steps) -> None:
        try:
            steps.advance()
        except WithdrawnError:
            steps.clean_up()

    def _steps(self, lease: Lease) -> Steps:
        if lease.kind == "revision":
            return Revising(
                lease=lease,
                revision=Revision(**lease.payload),
                inbox=self.inbox,
                composing=self.composing,
                sending=self.sending,
                at_edge=self.at_edge,
            )
        return Asking(
            lease=lease,
            incoming=incoming_of(lease.payload),
            inbox=self.inbox,
            composing=self.composing,
            sending=self.sending,
            at_edge=self.at_edge,
        )

    def _try_later(self, lease: Lease, reason: str) -> None:
        age = datetime.now(UTC) - lease.received_at
        if age > _GIVE_UP_AFTER:
            self._end_failed(lease, reason)
            return
        # Half its age: soon at first, rarely when Slack stays away.
        delay = min(_LONGEST_RETRY_SECONDS, max(_SHORTEST_RETRY_SECONDS, age.total_seconds() / 2))
        logger.warning("question %d waits %.0f s: %s", lease.id, delay, reason)
        self.inbox.give_back(lease, delay_seconds=0.0 if self.runs.is_shut_down else delay)

    def _refused(self, lease: Lease, error: SlackRefusedError) -> None:
        if error.code in _TOKEN_TROUBLE:
            self._try_later(lease, str(error))
        else:
            self._end_failed(lease, str(error))

    def _end_failed(self, lease: Lease, reason: str) -> None:
        logger.error("question %d cannot be answered: %s", lease.id, reason)
        with writing(self.engine) as connection:
            self.inbox.finish(connection, lease, "failed", error=reason)
