"""Shortcuts: answer this message, sum this thread up, save it as knowledge, and ask from anywhere; and the button that
keeps files as knowledge which somebody shared with the bot.

A shortcut is kept in the inbox before it is acknowledged; a form opens at once, as its trigger lives three seconds.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_bolt import Ack, App

from bot import words
from bot.answered import load_answered
from bot.attachments import keepable
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Kind, Lease, Received
from bot.note_suggestions import MOST_WAITING_FILES, Note, suggest_note, waiting_files, withdraw_note
from bot.slack.answer_menu import KEEP_FILES_ACTION
from bot.slack.commands import ask_directly, put_question
from bot.slack.features import TeamParts
from bot.slack.inert import inert
from bot.slack.intake import storable
from bot.slack.limits import TEXT_OBJECT, shorten
from bot.slack.markup import plain_text
from bot.slack.parse import attached_files, is_persons_message
from bot.slack.presses import whisper_at
from bot.slack.render import Block, RenderedMessage, render_sentence
from bot.slack.reply import ReplyTo, lines, reply
from bot.slack.save_form import (
    SAVE_CALLBACK,
    ReaderChoice,
    parse_save_form,
    save_form,
    shown_name,
    stem_of,
    text_field,
)
from bot.slack.shared_files import FilesToKeep, SharedFiles, UnreadFileError
from bot.slack.standing import refusal_for
from bot.slack.thread import permalink, read_thread, with_names
from bot.summary import Remark, Summary, summarise
from bot.turn import AttachedFile, ChannelKind, Incoming
from knowledge.audience import EVERYONE, channel_audience, person_audience
from models.generator import GenerationOptions

logger = logging.getLogger(__name__)

ANSWER_SHORTCUT, SUMMARY_SHORTCUT = "answer_this", "summarise_thread"
SAVE_SHORTCUT, ASK_SHORTCUT = "save_as_knowledge", "ask_lorekeeper"
ASK_CALLBACK = "ask_lorekeeper_form"
_QUESTION = "question"
_SUMMARY_TOKENS = 260
# A row is tried for an hour: before that is over, whoever waits is told that their files do not come.
_PATIENCE = timedelta(minutes=35)


class Shortcuts:
    """Takes shortcuts; thread-safe."""

    def __init__(self, parts: TeamParts) -> None:
        self._parts = parts
        self._files = SharedFiles(parts=parts)

    def listen(self, app: App) -> None:
        """Connect the shortcuts and their forms."""
        for name in (ANSWER_SHORTCUT, SUMMARY_SHORTCUT):
            app.shortcut(name)(self._on_message)
        app.shortcut(SAVE_SHORTCUT)(self._on_save)
        app.shortcut(ASK_SHORTCUT)(self._on_ask)
        app.action(KEEP_FILES_ACTION)(self._on_keep_files)
        app.view(SAVE_CALLBACK)(self._on_saved)
        app.view(ASK_CALLBACK)(self._on_asked)

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """What was asked for waits in the inbox."""
        return {"shortcut": lambda lease: self.work(lease.payload, waited=datetime.now(UTC) - lease.received_at)}

    def work(self, payload: Mapping[str, Any], *, waited: timedelta = timedelta(0)) -> None:
        """Do what one row asks for, and say what came of it; `waited` is how long it has been there."""
        to = ReplyTo(**payload["to"])
        match payload["shortcut"]:
            case "answer_this":
                self._answer(to, payload)
            case "summarise_thread":
                self._say(to, self._summary(to, payload))
            case "save_as_knowledge":
                self._save(to, payload, waited)
            case "ask_lorekeeper":
                ask_directly(self._parts, to.user, str(payload["text"]))

    # Bolt reads the names of a listener's parameters.

    def _on_message(self, ack: Ack, body: dict[str, Any]) -> None:
        message = body["message"]
        ts = str(message.get("ts") or body.get("message_ts") or "")
        payload = {
            "shortcut": body["callback_id"],
            "to": _reply_to(body).as_payload(),
            "channel": str(body["channel"]["id"]),
            "ts": ts,
            "thread_ts": str(message.get("thread_ts") or ""),
            "text": storable(str(message.get("text") or "")),
            "files": [_as_json(file) for file in attached_files(message)],
            "by_person": is_persons_message(message, self._parts.bot_user_id),
        }
        self._keep(f"shortcut:{body['trigger_id']}", _reply_to(body).user, payload)
        ack()

    def _on_save(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        message, channel = body["message"], str(body["channel"]["id"])
        text = with_names(self._parts, str(message.get("text") or ""), at_once=True)
        files = keepable(attached_files(message))
        self._open_save_form(body, channel, str(message["ts"]), text, files)

    def _on_keep_files(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        value = str(body["actions"][0].get("value") or "")
        answered = load_answered(self._parts.engine, int(value)) if value.isdecimal() else None
        files = keepable(answered.files) if answered is not None else ()
        if answered is None or not files or answered.user != str(body["user"]["id"]):
            whisper_at(self._parts.delivery, body, render_sentence(words.KEEP_GONE))
            return
        self._open_save_form(body, answered.channel, answered.question_ts, "", files)

    def _open_save_form(
        self, body: Mapping[str, Any], channel: str, ts: str, text: str, files: Sequence[AttachedFile]
    ) -> None:
        place = {"channel": channel, "ts": ts, "files": [[file.id, shown_name(file.name)] for file in files]}
        meta = json.dumps(place | _reply_to(body).as_payload())
        readers = self._reader_choice(channel, _reply_to(body).user)
        self._open(body, save_form(text, meta, files=files, readers=readers))

    def _reader_choice(self, channel: str, user: str) -> ReaderChoice:
        own = "" if self._kind(channel) == "im" else self._audience(channel, user)
        return ReaderChoice(here=own, channels=self._parts.directory.shared_channels(user))

    def _on_ask(self, ack: Ack, body: dict[str, Any]) -> None:
        ack()
        self._open(body, ask_form())

    def _on_saved(self, ack: Ack, body: dict[str, Any]) -> None:
        view = body["view"]
        meta = json.loads(view["private_metadata"])
        to = ReplyTo(user=str(body["user"]["id"]), response_url=meta["response_url"])
        request = parse_save_form(view)
        payload = {
            "shortcut": SAVE_SHORTCUT,
            "to": to.as_payload(),
            "channel": meta["channel"],
            "ts": meta["ts"],
            "files": meta.get("files", []),
            "title": storable(request.title),
            "text": storable(request.text),
            "readers": request.readers,
        }
        self._keep(f"shortcut:{view['id']}", to.user, payload)
        ack()

    def _on_asked(self, ack: Ack, body: dict[str, Any]) -> None:
        view, to = body["view"], ReplyTo(user=str(body["user"]["id"]))
        question = storable(_value(view, _QUESTION))
        if not question:
            ack(response_action="errors", errors={_QUESTION: words.ASK_NO_QUESTION})
            return
        payload = {"shortcut": ASK_SHORTCUT, "to": to.as_payload(), "text": question}
        self._keep(f"shortcut:{view['id']}", to.user, payload)
        ack()

    def _answer(self, to: ReplyTo, payload: Mapping[str, Any]) -> None:
        """Answer a message in its thread, for all who read there; where the bot is not, in a direct message."""
        question = plain_text(str(payload["text"]), self._parts.bot_user_id)
        if not (question and payload["by_person"]):
            self._say(to, lines(words.SHORTCUT_NO_WORDS if payload["by_person"] else words.SHORTCUT_BOTS))
            return
        channel, ts, thread_ts = (str(payload[key]) for key in ("channel", "ts", "thread_ts"))
        if not self._parts.directory.is_member(channel):
            self._say(to, lines(words.COMMAND_ASKING_DIRECTLY))
            ask_directly(self._parts, to.user, question)
            return
        incoming = Incoming(
            team=self._parts.team,
            channel=channel,
            channel_kind=self._kind(channel),
            user=to.user,
            ts=ts,
            thread_ts=thread_ts if thread_ts and thread_ts != ts else None,
            text=question,
            mentioned=True,
            files=tuple(AttachedFile(**file) for file in payload["files"]),
        )
        is_new = put_question(self._parts, incoming)
        self._say(to, lines(words.SHORTCUT_ANSWERING if is_new else words.SHORTCUT_KNOWN))

    def _summary(self, to: ReplyTo, payload: Mapping[str, Any]) -> RenderedMessage:
        channel, root = str(payload["channel"]), str(payload["thread_ts"] or payload["ts"])
        if not self._parts.directory.is_member(channel):
            return lines(words.SHORTCUT_NOT_A_MEMBER)
        if refusal := self._refusal(to.user, channel, root):
            return lines(refusal)
        try:
            said = read_thread(self._parts, channel, root)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the thread %s in %s cannot be read: %s", root, channel, error)
            return lines(words.SHORTCUT_UNREADABLE)
        remarks = [Remark(name=one.name, text=one.text) for one in said if one.text]
        if not remarks:
            return lines(words.SUMMARY_EMPTY)
        tools = self._parts.equipment
        summary = summarise(remarks, tools.generator, tools.embedder, GenerationOptions(max_tokens=_SUMMARY_TOKENS))
        return summary_message(summary)

    def _refusal(self, user: str, channel: str, ts: str) -> str:
        """Why this person gets nothing here; who may not be answered may not have the thread read, either."""
        return refusal_for(self._parts, user, channel=channel, kind=self._kind(channel), ts=ts)

    def _save(self, to: ReplyTo, payload: Mapping[str, Any], waited: timedelta) -> None:
        channel, ts = str(payload["channel"]), str(payload["ts"])
        if refusal := self._refusal(to.user, channel, ts):
            self._say(to, lines(refusal))
            return
        own = self._audience(channel, to.user)
        audience = str(payload.get("readers") or own)
        if not self._may_choose(audience, own, to.user):
            self._say(to, render_sentence(words.SAVE_NOT_THERE))
            return
        found = self._files_of(to.user, payload, waited)
        # Readers who were not there cannot open the message: a link would lead them nowhere.
        is_open = own in (audience, EVERYONE)
        note = Note(
            team=self._parts.team,
            channel=channel,
            ts=ts,
            user=to.user,
            title=str(payload["title"]) or next((stem_of(file.name) for file in found.files), words.UNTITLED),
            text=str(payload["text"]),
            permalink=permalink(self._parts, channel, ts) if is_open else "",
            audience=audience,
        )
        # As rich text: a file's name may look like an address, and must neither be linked nor be broken up.
        self._say(to, render_sentence(self._suggest(note, found)))

    def _suggest(self, note: Note, found: FilesToKeep) -> str:
        """Keep a note where there is anything to keep; returns what is said about it."""
        told = words.files_not_kept(found.problems)
        if not (note.text.strip() or found.files):
            return told or words.SAVE_NOTHING
        if not suggest_note(self._parts.engine, note, found.files):
            return words.SAVE_KNOWN
        if self._is_gone(note, found):
            withdraw_note(self._parts.engine, note.channel, note.ts)
            return words.SAVE_GONE
        names = [shown_name(file.name) for file in found.files]
        kept = words.files_kept(note.title, names) if names else words.SAVE_DONE.format(title=note.title)
        return f"{kept}\n{told}".strip()

    def _is_gone(self, note: Note, found: FilesToKeep) -> bool:
        """Whether the message or a file was deleted while they were read: its event found nothing to withdraw then."""
        try:
            call = self._parts.delivery.call
            call("chat.getPermalink", wait_seconds=2.0, channel=note.channel, message_ts=note.ts)
            for file in found.files:
                self._files.describe(file.id)
        except UnreadFileError:
            return True
        except SlackRefusedError as error:
            return error.code == "message_not_found"
        except SlackSilentError as error:
            logger.warning("whether %s in %s is still there is not known: %s", note.ts, note.channel, error)
        return False

    def _files_of(self, user: str, payload: Mapping[str, Any], waited: timedelta) -> FilesToKeep:
        named = [(str(file_id), str(name)) for file_id, name in payload.get("files") or ()]
        message = (str(payload["channel"]), str(payload["ts"]))
        if waiting_files(self._parts.engine, user, besides=message) + len(named) > MOST_WAITING_FILES:
            return FilesToKeep(files=(), problems={name: words.FILES_WAITING for _, name in named})
        try:
            return self._files.to_keep(named)
        except SlackSilentError:
            if waited < _PATIENCE:
                raise
            return FilesToKeep(files=(), problems={name: words.FILE_MISSING for _, name in named})

    def _may_choose(self, audience: str, own: str, user: str) -> bool:
        """Whether a person may have this audience read what they save: asked again, whatever the form offered."""
        if audience in (own, EVERYONE):
            return True
        kind, _, channel = audience.partition(":")
        is_there = kind == "channel" and channel in self._parts.memberships.channels_of(user)
        return is_there and self._parts.directory.is_member(channel)

    def _audience(self, channel: str, user: str) -> str:
        """Who could read the message: the whole workspace only where Slack says that the channel is public."""
        kind = self._kind(channel)
        if kind == "im":
            return person_audience(user)
        return EVERYONE if kind == "public" else channel_audience(channel)

    def _kind(self, channel: str) -> ChannelKind:
        return "im" if channel.startswith("D") else self._parts.directory.kind_of(channel)

    def _keep(self, event_id: str, user: str, payload: dict[str, Any]) -> None:
        row = Received(event_id=event_id, kind="shortcut", team=self._parts.team, user=user, payload=payload)
        self._parts.inbox.put(row)

    def _say(self, to: ReplyTo, message: RenderedMessage) -> None:
        reply(self._parts.delivery, to, message)

    def _open(self, body: Mapping[str, Any], view: Block) -> None:
        try:
            self._parts.delivery.call("views.open", wait_seconds=0.0, trigger_id=str(body["trigger_id"]), view=view)
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("the form of %s did not open: %s", body.get("callback_id"), error)
            self._say(_reply_to(body), lines(words.COMMAND_NOT_KEPT))


def summary_message(summary: Summary) -> RenderedMessage:
    """What the person who asked is shown; names and words in it mention and link nothing."""
    if summary.sentences:
        return lines(words.SUMMARY_TITLE, *(f"• {inert(sentence)}" for sentence in summary.sentences))
    quotes = [f"• {inert(quote.name)}: {inert(shorten(quote.text, TEXT_OBJECT // 5))}" for quote in summary.quotes]
    return lines(words.SUMMARY_QUOTES_TITLE, *quotes)


def ask_form() -> Block:
    """The form for a question from anywhere."""
    return {
        "type": "modal",
        "callback_id": ASK_CALLBACK,
        "title": {"type": "plain_text", "text": words.ASK_TITLE},
        "submit": {"type": "plain_text", "text": words.ASK_SEND},
        "close": {"type": "plain_text", "text": words.SAVE_CANCEL},
        "blocks": [text_field(_QUESTION, words.ASK_QUESTION, "", words.ASK_HINT, multiline=True)],
    }


def _value(view: Mapping[str, Any], name: str) -> str:
    return str(view["state"]["values"].get(name, {}).get(name, {}).get("value") or "").strip()


def _reply_to(body: Mapping[str, Any]) -> ReplyTo:
    return ReplyTo(user=str(body["user"]["id"]), response_url=str(body.get("response_url") or ""))


def _as_json(file: AttachedFile) -> dict[str, Any]:
    return {"id": file.id, "name": storable(file.name), "mimetype": file.mimetype, "size": file.size, "url": file.url}
