"""What happens with an event before Slack is told that it arrived: parsed, and what matters of it committed.

Questions, votes and visits of the home page go to the inbox. A stop, an edit or a deletion takes effect here and
at once: they are about questions that may be waiting or under way.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from bot.conversation import is_asker
from bot.inbox import Inbox, Received
from bot.runs import Runs
from bot.slack.membership import Memberships
from bot.slack.parse import (
    DeletedMessage,
    EditedMessage,
    HomeOpened,
    ReactionChange,
    StopRequest,
    is_external,
    parse_event,
)
from bot.turn import Incoming

logger = logging.getLogger(__name__)

_MEMBERSHIP_EVENTS = frozenset({"member_joined_channel", "member_left_channel"})


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes events in; `accept` may be called from several threads."""

    engine: sa.Engine
    inbox: Inbox
    runs: Runs
    memberships: Memberships
    bot_user_id: str

    def accept(self, body: Mapping[str, Any]) -> None:
        """Take one event in: when this returns, nothing of it can get lost; when it raises, it may be."""
        event = body.get("event") or {}
        if event.get("type") in _MEMBERSHIP_EVENTS:
            self.memberships.forget(str(event.get("user")))
            return
        event_id = str(body["event_id"])
        match parse_event(body, self.bot_user_id):
            case Incoming() as incoming:
                self._ask(event_id, replace(incoming, external=is_external(body)))
            case StopRequest() as request:
                self._stop(request)
            case DeletedMessage() as deleted:
                self._withdraw(self.inbox.open_questions(channel=deleted.channel, ts=deleted.ts))
            case EditedMessage() as edited:
                self.inbox.amend(channel=edited.channel, ts=edited.ts, text=storable(edited.text))
            case ReactionChange() as change:
                self._keep(event_id, "reaction", change)
            case HomeOpened() as opened:
                self._keep(event_id, "home", opened)
            case None:
                pass

    def _ask(self, event_id: str, incoming: Incoming) -> None:
        if not self._is_for_us(incoming):
            return
        is_new = self.inbox.put(
            Received(
                event_id=event_id,
                kind="question",
                team=incoming.team,
                channel=incoming.channel,
                ts=incoming.ts,
                conversation=incoming.conversation,
                user=incoming.user,
                payload=asdict(incoming) | {"text": storable(incoming.text)},
            )
        )
        if is_new:
            logger.info("question %s in %s from %s", incoming.ts, incoming.channel, incoming.user)

    def _is_for_us(self, incoming: Incoming) -> bool:
        """A direct message is; a mention is; else only a message of who asked in this thread before."""
        if incoming.mentioned or incoming.channel_kind == "im":
            return True
        return incoming.thread_ts is not None and is_asker(self.engine, incoming.conversation, incoming.user)

    def _stop(self, request: StopRequest) -> None:
        open_ids = self.inbox.open_questions(channel=request.channel, conversation=request.conversation)
        running = self.runs.cancel(open_ids)
        logger.info("%s stops %d question(s) in %s", request.user, len(open_ids), request.channel)
        self.inbox.withdraw([row_id for row_id in open_ids if row_id not in running])

    def _withdraw(self, row_ids: tuple[int, ...]) -> None:
        self.inbox.withdraw(row_ids)
        self.runs.cancel(row_ids)

    def _keep(self, event_id: str, kind: str, value: ReactionChange | HomeOpened) -> None:
        self.inbox.put(
            Received(
                event_id=event_id,
                kind="reaction" if kind == "reaction" else "home",
                team=value.team,
                user=value.user,
                payload=asdict(value),
            )
        )


def storable(text: str) -> str:
    """Join what JSON escaped as surrogates, and replace half ones, which no database takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
