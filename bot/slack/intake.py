"""What happens with an event before Slack is told that it arrived: parsed, and what matters of it committed.

Questions, votes, visits, edits and deletions of what was answered go to the inbox. A stop, a word to leave, an edit or
a deletion of what still waits takes effect here and at once: they are about questions that may be under way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.channels import leave_thread, load_channel, rejoin_thread, rename_channel
from bot.conversation import begin_answer
from bot.follow_ups import is_follow_up
from bot.inbox import Inbox, Kind, Received
from bot.people import note_viewing, viewing_of
from bot.runs import Runs
from bot.slack.membership import EVENTS as MEMBERSHIP_EVENTS
from bot.slack.membership import Memberships
from bot.slack.parse import (
    AssistantThread,
    DeletedMessage,
    EditedMessage,
    HelpWanted,
    HomeOpened,
    LeaveRequest,
    Overheard,
    ReactionChange,
    StopRequest,
    ViewChanged,
    is_external,
    parse_event,
)
from bot.turn import ChannelKind, Incoming, Revision, conversation_key, incoming_of
from knowledge.database import reading, writing

logger = logging.getLogger(__name__)


def _kept_private(_channel: str) -> ChannelKind:
    return "private"


def _heed_nothing(_event: Mapping[str, Any]) -> None:
    """Where no channel is a source."""


@dataclass(frozen=True, kw_only=True)
class Intake:
    """Takes events in; `accept` may be called from several threads."""

    engine: sa.Engine
    inbox: Inbox
    runs: Runs
    memberships: Memberships
    bot_user_id: str
    kind_of: Callable[[str], ChannelKind] = _kept_private
    """Says what kind of place a channel is where the event does not."""
    watch: Callable[[Mapping[str, Any]], None] = _heed_nothing
    """Takes in what an event tells of channels that are sources."""

    def accept(self, body: Mapping[str, Any]) -> None:
        """Take one event in: when this returns, nothing of it can get lost; when it raises, it may be."""
        event = body.get("event") or {}
        self.watch(event)
        if event.get("type") in MEMBERSHIP_EVENTS:
            self.memberships.heed(event)
            return
        if event.get("type") == "channel_id_changed":
            rename_channel(self.engine, str(event.get("old_channel_id")), str(event.get("new_channel_id")))
            return
        event_id = str(body["event_id"])
        if event.get("type") == "file_deleted":
            self._withdraw_file(event_id, str(event.get("file_id") or ""))
            return
        external = is_external(body)
        match parse_event(body, self.bot_user_id):
            case Incoming() as incoming:
                self._ask(event_id, self._whole(incoming, event, external))
            case Overheard(incoming=incoming):
                self._overhear(event_id, self._whole(incoming, event, external))
            case LeaveRequest(incoming=incoming):
                self._leave(incoming)
            case StopRequest() as request:
                self._stop(request)
            case DeletedMessage() as deleted:
                self._withdraw(event_id, deleted)
            case EditedMessage() as edited:
                self._edit(event_id, edited)
            case ReactionChange() as change:
                self._keep(event_id, "reaction", change)
            case HelpWanted() as wanted:
                self._want_help(event_id, wanted)
            case HomeOpened() as opened:
                self._keep(event_id, "home", opened)
                self._greet(f"{event_id}:greeting", opened.team, opened.user, what=opened.tab, channel=opened.channel)
            case ViewChanged() as view:
                note_viewing(self.engine, view.team, view.user, view.channel)
            case AssistantThread() as thread:
                self._assist(event_id, thread)
            case None:
                pass

    def catch_up(self, body: Mapping[str, Any]) -> bool:
        """Take a message in that was missed; True where it is a question that nobody knew of.

        What was overheard, stopped or edited meanwhile is over.
        """
        parsed = parse_event(body, self.bot_user_id)
        if not isinstance(parsed, Incoming):
            return False
        return self._ask(str(body["event_id"]), replace(parsed, external=is_external(body)))

    def _whole(self, incoming: Incoming, event: Mapping[str, Any], external: bool) -> Incoming:
        """Add what the event alone does not tell."""
        if not event.get("channel_type") and incoming.channel_kind == "private":
            incoming = replace(incoming, channel_kind=self.kind_of(incoming.channel))
        return replace(incoming, external=external)

    def _ask(self, event_id: str, incoming: Incoming) -> bool:
        direct = incoming.channel_kind == "im"
        if not (incoming.mentioned or direct or is_follow_up(self.engine, incoming)):
            return False
        if incoming.mentioned:
            rejoin_thread(self.engine, incoming.conversation)
        if direct and incoming.viewing is None:
            incoming = replace(incoming, viewing=viewing_of(self.engine, incoming.team, incoming.user))
        is_new = self._put_question(event_id, incoming)
        if is_new and direct and incoming.thread_ts:
            self._name_thread(incoming)
        return is_new

    def _put_question(self, event_id: str, incoming: Incoming) -> bool:
        is_new = self.inbox.put(
            Received(
                event_id=event_id,
                kind="question",
                team=incoming.team,
                channel=incoming.channel,
                ts=incoming.ts,
                conversation=incoming.conversation,
                user=incoming.user,
                payload=_storable(asdict(incoming)),
            )
        )
        if is_new:
            logger.info("question %s in %s from %s", incoming.ts, incoming.channel, incoming.user)
        return is_new

    def _overhear(self, event_id: str, incoming: Incoming) -> None:
        """A question that nobody put to the bot, where an admin wants such questions answered."""
        if load_channel(self.engine, incoming.team, incoming.channel).auto_answer:
            self._put_question(event_id, replace(incoming, visibility="if_sure"))

    def _leave(self, incoming: Incoming) -> None:
        """Be silent in a thread, said once; only whoever the bot would listen to there can send it away."""
        if not (incoming.mentioned or is_follow_up(self.engine, incoming)):
            return
        leave_thread(self.engine, incoming.conversation, incoming.user)
        self._stop_open(self.inbox.open_questions(channel=incoming.channel, conversation=incoming.conversation))
        self._greet(
            f"goodbye:{incoming.team}:{incoming.channel}:{incoming.ts}",
            incoming.team,
            incoming.user,
            what="goodbye",
            channel=incoming.channel,
            thread_ts=incoming.thread_ts,
        )

    def _edit(self, event_id: str, edited: EditedMessage) -> None:
        """Amend a question that waits; make the answer to one that was worked on again."""
        if reason := _leaves_alone(edited):
            logger.info("the edit of %s in %s changes no answer: %s", edited.ts, edited.channel, reason)
            return
        text = storable(edited.text)
        if self.inbox.amend(channel=edited.channel, ts=edited.ts, text=text):
            return
        answer_id = self._answer_to(edited)
        if answer_id is None:
            return
        key = conversation_key(edited.team, edited.channel, edited.thread_ts or edited.ts)
        revision = Revision(answer_id=answer_id, purpose="edit", user=edited.user, text=text)
        self.inbox.put(
            Received(
                event_id=event_id,
                kind="revision",
                team=edited.team,
                channel=edited.channel,
                ts=edited.ts,
                conversation=key,
                user=edited.user,
                payload=asdict(revision),
            )
        )

    def _answer_to(self, edited: EditedMessage) -> int | None:
        """The answer to a message of this person; begun here where its question is only just being taken up."""
        working = sa.select(tables.inbox.c.payload).where(
            tables.inbox.c.channel == edited.channel,
            tables.inbox.c.ts == edited.ts,
            tables.inbox.c.kind == "question",
            tables.inbox.c.state.in_(("waiting", "working")),
        )
        table = tables.answer
        known = sa.select(table.c.id).where(
            table.c.team == edited.team,
            table.c.channel == edited.channel,
            table.c.question_ts == edited.ts,
            table.c.user == edited.user,
            table.c.state != "withdrawn",
            (table.c.visibility != "if_sure") | table.c.message_ts.is_not(None),
        )
        with writing(self.engine) as connection:
            if payload := connection.scalar(working):
                begin_answer(connection, incoming_of(payload))
            return connection.scalar(known)

    def _withdraw(self, event_id: str, deleted: DeletedMessage) -> None:
        """Drop a question that waits or is worked on; have everything of one that was answered forgotten."""
        row_ids = self.inbox.open_questions(channel=deleted.channel, ts=deleted.ts)
        if row_ids:
            self.inbox.withdraw(row_ids)
            self.runs.cancel(row_ids)
            # Its worker may have finished in between; where it has not, it finds the mark and cleans up.
            if self.inbox.open_questions(channel=deleted.channel, ts=deleted.ts):
                return
        table = tables.answer
        answered = sa.select(table.c.id).where(
            table.c.team == deleted.team, table.c.channel == deleted.channel, table.c.question_ts == deleted.ts
        )
        note = tables.saved_note
        saved = sa.select(note.c.id).where(note.c.channel == deleted.channel, note.c.ts == deleted.ts)
        with reading(self.engine) as connection:
            if not connection.scalar(sa.select(answered.exists() | saved.exists())):
                return
        self.inbox.put(
            Received(
                event_id=event_id,
                kind="deletion",
                team=deleted.team,
                channel=deleted.channel,
                ts=deleted.ts,
                user=deleted.user,
                payload=asdict(deleted),
            )
        )

    def _withdraw_file(self, event_id: str, file: str) -> None:
        """Have a file that was deleted taken out of what was saved."""
        kept = tables.saved_file
        with reading(self.engine) as connection:
            team = connection.scalar(sa.select(kept.c.team).where(kept.c.file == file).limit(1))
        if team is None:
            return
        self.inbox.put(Received(event_id=event_id, kind="deletion", team=team, payload={"team": team, "file": file}))

    def _want_help(self, event_id: str, wanted: HelpWanted) -> None:
        self.inbox.put(
            Received(
                event_id=event_id,
                kind="press",
                team=wanted.team,
                channel=wanted.channel,
                user=wanted.user,
                payload={"press": "help_wanted", **asdict(wanted)},
            )
        )

    def _stop(self, request: StopRequest) -> None:
        open_ids = self.inbox.open_questions(channel=request.channel, conversation=request.conversation)
        logger.info("%s stops %d question(s) in %s", request.user, len(open_ids), request.channel)
        self._stop_open(open_ids)

    def _stop_open(self, open_ids: tuple[int, ...]) -> None:
        running = self.runs.cancel(open_ids)
        self.inbox.withdraw([row_id for row_id in open_ids if row_id not in running])

    def _assist(self, event_id: str, thread: AssistantThread) -> None:
        """The older assistant pane: note what the person looks at, and greet in a new thread."""
        note_viewing(self.engine, thread.team, thread.user, thread.viewing)
        what = "assistant" if thread.started else "prompts"
        self._greet(event_id, thread.team, thread.user, what=what, channel=thread.channel, thread_ts=thread.thread_ts)

    def _name_thread(self, incoming: Incoming) -> None:
        """A thread of the older assistant pane is named after its first question."""
        table = tables.inbox
        opened = sa.select(table.c.id).where(
            table.c.kind == "greeting", table.c.channel == incoming.channel, table.c.ts == incoming.thread_ts
        )
        with reading(self.engine) as connection:
            if connection.scalar(opened.limit(1)) is None:
                return
        self._greet(
            f"title:{incoming.conversation}",
            incoming.team,
            incoming.user,
            what="title",
            channel=incoming.channel,
            thread_ts=incoming.thread_ts,
            text=storable(incoming.text),
        )

    def _greet(self, event_id: str, team: str, user: str, *, what: str, **more: Any) -> None:
        self.inbox.put(
            Received(
                event_id=event_id,
                kind="greeting",
                team=team,
                channel=str(more.get("channel") or ""),
                ts=str(more.get("thread_ts") or ""),
                user=user,
                payload={"what": what, "team": team, "user": user, **more},
            )
        )

    def _keep(self, event_id: str, kind: Kind, value: ReactionChange | HomeOpened) -> None:
        self.inbox.put(Received(event_id=event_id, kind=kind, team=value.team, user=value.user, payload=asdict(value)))


def _leaves_alone(edited: EditedMessage) -> str:
    """Why an edit changes no answer; empty where it may."""
    if not edited.text.strip():
        return "it left no words"
    return "it took the mention away" if edited.lost_mention else ""


def storable(text: str) -> str:
    """Join what JSON escaped as surrogates, and replace half ones, which no database takes."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _storable(payload: dict[str, Any]) -> dict[str, Any]:
    files = [
        {key: storable(value) if isinstance(value, str) else value for key, value in file.items()}
        for file in payload["files"]
    ]
    return payload | {"text": storable(payload["text"]), "files": files}
