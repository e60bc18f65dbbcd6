"""The slash command /lore: ask, sources, sync, status, forget me, help; all of it seen by who used it alone.

What needs more than a moment is kept in the inbox before it is acknowledged, and worked off from there.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa
from slack_bolt import Ack, App

from bot import tables, words
from bot.errors import BotError, SlackRefusedError, SlackSilentError
from bot.inbox import Kind, Lease, Received
from bot.privacy import forget
from bot.slack.admins import admins_of
from bot.slack.channel_config import open_channel_form
from bot.slack.features import TeamParts
from bot.slack.gate import reach_of
from bot.slack.inert import inert
from bot.slack.intake import storable
from bot.slack.limits import TEXT_OBJECT, shorten
from bot.slack.manifest import COMMAND
from bot.slack.readings import ask_reading
from bot.slack.render import Block, RenderedMessage
from bot.slack.reply import ReplyTo, lines, post_directly, reply
from bot.slack.standing import refusal_for
from bot.suggestions import known_sources
from bot.turn import Incoming
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.errors import KnowledgeError
from knowledge.store import list_sources
from models.errors import ModelError

logger = logging.getLogger(__name__)

FORGET_CALLBACK = "forget_me"
_MOST_SOURCES = 30
Subcommand = Literal["ask", "sources", "sync", "status", "config", "forget", "help"]
_ALONE: Mapping[str, Subcommand] = {
    "": "help",
    "help": "help",
    "sources": "sources",
    "status": "status",
    "sync": "sync",
    "config": "config",
    "forget me": "forget",
    "forget": "help",
}


@dataclass(frozen=True, kw_only=True)
class Command:
    """What somebody typed after /lore."""

    name: Subcommand
    argument: str = ""


def parse_command(text: str) -> Command:
    """Read what was typed; more than one word that is no subcommand is a question."""
    said = " ".join(text.split())
    first, _, rest = said.partition(" ")
    if found := _ALONE.get(said.lower().rstrip(".!")):
        return Command(name=found)
    if first.lower() == "ask":
        return Command(name="ask", argument=text.strip()[len(first) :].strip())
    if first.lower() == "sync" and not rest.endswith("?"):
        return Command(name="sync", argument=rest)
    if rest or said.endswith("?"):
        return Command(name="ask", argument=text.strip())
    return Command(name="help")


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Takes /lore; all methods may be called from several threads."""

    parts: TeamParts

    def listen(self, app: App) -> None:
        """Connect the command and the form that asks before forgetting."""
        app.command(COMMAND)(self._on_command)
        app.view(FORGET_CALLBACK)(self._on_forget)

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """What was asked for waits in the inbox."""
        return {"command": self.work}

    # Bolt reads the names of a listener's parameters.

    def _on_command(self, ack: Ack, body: dict[str, Any]) -> None:
        command = parse_command(str(body.get("text") or ""))
        if command.name == "help":
            ack(_as_text(help_message()))
        elif command.name == "ask" and not command.argument:
            ack(words.COMMAND_NO_QUESTION)
        elif command.name == "forget":
            ack()
            self._open_form(body)
        elif command.name == "config":
            ack()
            open_channel_form(
                self.parts, str(body["trigger_id"]), str(body.get("channel_id") or ""), str(body["user_id"])
            )
        else:
            self._keep(body, command)
            ack()

    def _on_forget(self, ack: Ack, body: dict[str, Any]) -> None:
        view, user = body["view"], str(body["user"]["id"])
        to = ReplyTo(user=user, response_url=str(view.get("private_metadata") or ""))
        # No user in the row itself: it would be withdrawn with all else that is open of this person.
        row = Received(
            event_id=f"forget:{view['id']}",
            kind="command",
            team=self.parts.team,
            payload={"command": "forget", "argument": "", "to": to.as_payload()},
        )
        self.parts.inbox.put(row)
        ack(response_action="update", view=_forget_view(words.FORGET_UNDER_WAY))

    def work(self, lease: Lease) -> None:
        """Do what one row asks for, and say what came of it."""
        payload = lease.payload
        to, argument = ReplyTo(**payload["to"]), str(payload["argument"])
        told_by_gate = payload["command"] in ("sources", "status", "sync")
        if told_by_gate and (refusal := refusal_for(self.parts, to.user)):
            self._say(to, lines(refusal))
            return
        match payload["command"]:
            case "ask":
                self._ask(to, argument, payload)
            case "sources":
                self._say(to, self._sources(to.user))
            case "status":
                self._say(to, self._status(to.user))
            case "sync":
                self._sync(to, argument, f"command-{lease.id}")
            case "forget":
                done = forget(self.parts.engine, to.user)
                self._say(to, lines(words.forgotten(done.turns, done.votes, done.notes)))

    def _keep(self, body: Mapping[str, Any], command: Command) -> None:
        to = ReplyTo(user=str(body["user_id"]), response_url=str(body.get("response_url") or ""))
        payload = {
            "command": command.name,
            "argument": storable(command.argument),
            "to": to.as_payload(),
            "channel": str(body.get("channel_id") or ""),
            "ts": f"{time.time():.6f}",
        }
        row = Received(
            event_id=f"command:{body['trigger_id']}",
            kind="command",
            team=self.parts.team,
            user=to.user,
            payload=payload,
        )
        self.parts.inbox.put(row)

    def _ask(self, to: ReplyTo, question: str, payload: Mapping[str, Any]) -> None:
        """Answer for this person alone: in the channel where the bot is, else in their direct messages."""
        channel = str(payload["channel"])
        if not channel or channel.startswith("D") or not self.parts.directory.is_member(channel):
            self._say(to, lines(words.COMMAND_ASKING_DIRECTLY))
            ask_directly(self.parts, to.user, question)
            return
        self._say(to, lines(words.COMMAND_ASKING.format(question=inert(shorten(question, TEXT_OBJECT // 4)))))
        put_question(
            self.parts,
            Incoming(
                team=self.parts.team,
                channel=channel,
                channel_kind=self.parts.directory.kind_of(channel),
                user=to.user,
                ts=str(payload["ts"]),
                thread_ts=None,
                text=question,
                mentioned=True,
                visibility="ephemeral",
            ),
        )

    def _sources(self, user: str) -> RenderedMessage:
        now = datetime.now(UTC)
        sources = known_sources(self.parts.engine, self._audience(user))
        if not sources:
            return lines(words.GREETING_NO_SOURCES)
        told = []
        for source in sources[:_MOST_SOURCES]:
            age = words.last_read(source.last_run, now) if source.last_run else words.HOME_NEVER_READ
            told.append(f"• {_name(source.name)}: {words.documents(source.documents)}, {age}")
        rest = len(sources) - len(told)
        return lines(*told, *([words.HOME_MORE_SOURCES.format(count=rest)] if rest else []))

    def _status(self, user: str) -> RenderedMessage:
        waiting = sa.select(sa.func.count()).where(
            tables.inbox.c.kind == "question", tables.inbox.c.state == "waiting", tables.inbox.c.team == self.parts.team
        )
        with reading(self.parts.engine) as connection:
            count = connection.scalar(waiting) or 0
        sources = known_sources(self.parts.engine, self._audience(user))
        documents = sum(source.documents for source in sources)
        read = [source.last_run for source in sources if source.last_run]
        known = [words.documents(documents), *([words.last_read(max(read), datetime.now(UTC))] if read else [])]
        told = (words.STATUS_WORKING, words.model_line(inert(self.parts.version())), words.status_queue(count))
        return lines(*told, ", ".join(known))

    def _sync(self, to: ReplyTo, name: str, request: str) -> None:
        if not admins_of(self.parts).is_admin(to.user):
            self._say(to, lines(words.COMMAND_SYNC_ADMINS))
            return
        sync, known = self.parts.equipment.sync, list_sources(self.parts.engine)
        wanted = next((stored for stored in known if stored.name.casefold() == name.casefold()), None)
        if sync is None:
            self._say(to, lines(words.COMMAND_SYNC_UNABLE))
        elif name and wanted is None:
            self._say(to, lines(words.COMMAND_SYNC_UNKNOWN.format(name=inert(shorten(name, TEXT_OBJECT // 4)))))
        elif not known:
            self._say(to, lines(words.COMMAND_SYNC_NONE))
        elif not ask_reading(self.parts, to.user, [one.id for one in (known if wanted is None else [wanted])], request):
            self._say(to, lines(words.COMMAND_SYNC_AGAIN))
        else:
            what = _name(wanted.name) if wanted else words.COMMAND_SYNC_ALL
            self._say(to, lines(words.COMMAND_SYNC_BEGUN.format(what=what)))
            _read(sync, wanted.name if wanted else None)

    def _audience(self, user: str) -> Audience:
        return reach_of(self.parts.memberships, self.parts.team, user)

    def _say(self, to: ReplyTo, message: RenderedMessage) -> None:
        reply(self.parts.delivery, to, message)

    def _open_form(self, body: Mapping[str, Any]) -> None:
        view = _forget_view(words.FORGET_EXPLANATION, response_url=str(body.get("response_url") or ""))
        try:
            self.parts.delivery.call("views.open", wait_seconds=0.0, trigger_id=str(body["trigger_id"]), view=view)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the form before forgetting did not open: %s", error)
            to = ReplyTo(user=str(body["user_id"]), response_url=str(body.get("response_url") or ""))
            self._say(to, lines(words.COMMAND_NOT_KEPT))


def put_question(parts: TeamParts, incoming: Incoming) -> bool:
    """Put a question into the inbox that no message in Slack asked."""
    row = Received(
        event_id=f"asked:{incoming.team}:{incoming.channel}:{incoming.ts}",
        kind="question",
        team=incoming.team,
        channel=incoming.channel,
        ts=incoming.ts,
        conversation=incoming.conversation,
        user=incoming.user,
        payload=asdict(incoming),
    )
    return parts.inbox.put(row)


def ask_directly(parts: TeamParts, user: str, question: str) -> None:
    """Repeat a question in the person's direct messages, and answer it there in its thread."""
    said = words.YOU_ASKED.format(question=inert(shorten(question, TEXT_OBJECT - 100)))
    channel, ts = post_directly(parts.delivery, user, lines(said))
    put_question(
        parts,
        Incoming(
            team=parts.team,
            channel=channel,
            channel_kind="im",
            user=user,
            ts=ts,
            thread_ts=None,
            text=question,
            mentioned=True,
        ),
    )


def help_message() -> RenderedMessage:
    """What /lore can do."""
    return lines(words.COMMAND_HELP_TITLE, *(f"• {line}" for line in words.COMMAND_HELP))


def _read(sync: Callable[[str | None], str], wanted: str | None) -> None:
    """Read at once; `bot.slack.readings` tells of it, and has the schedule do what is not done."""
    try:
        sync(wanted)
    except (BotError, KnowledgeError, ModelError) as error:
        logger.warning("a sync that was asked for in Slack failed: %s", error)


def _name(name: str) -> str:
    return inert(shorten(" ".join(name.split()), 200)) or words.UNTITLED


def _as_text(message: RenderedMessage) -> dict[str, Any]:
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}


def _forget_view(text: str, *, response_url: str | None = None) -> Block:
    """The form that asks before forgetting; without an address, what it says once it was sent."""
    view: Block = {
        "type": "modal",
        "callback_id": FORGET_CALLBACK,
        "title": {"type": "plain_text", "text": words.FORGET_TITLE},
        "close": {
            "type": "plain_text",
            "text": words.FORGET_CANCEL if response_url is not None else words.FORGET_CLOSE,
        },
        "blocks": [{"type": "section", "text": {"type": "plain_text", "text": text}}],
    }
    if response_url is not None:
        view |= {
            "submit": {"type": "plain_text", "text": words.FORGET_CONFIRM},
            "private_metadata": response_url,
        }
    return view
