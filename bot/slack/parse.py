"""Parses Slack's events once, on their way in, into values; nothing behind this module sees a payload.

Pure: no network, no database, no clock. What is not for the bot is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from bot.slack.markup import plain_text
from bot.slack.said import is_leave, is_stop, looks_like_question
from bot.turn import AttachedFile, ChannelKind, Incoming, conversation_key

Body = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class StopRequest:
    """Somebody wants the answer in this conversation to stop."""

    team: str
    channel: str
    user: str
    ts: str
    thread_ts: str | None
    """None for a word written straight into a direct message: it stops whatever is under way there."""

    @property
    def conversation(self) -> str | None:
        """The key of the conversation meant; None where any in this channel is."""
        return conversation_key(self.team, self.channel, self.thread_ts) if self.thread_ts else None


@dataclass(frozen=True, kw_only=True)
class ReactionChange:
    """A 👍 or 👎, put on a message or taken off it again."""

    team: str
    channel: str
    message_ts: str
    user: str
    vote: Literal[1, -1]
    added: bool


@dataclass(frozen=True, kw_only=True)
class HelpWanted:
    """An :sos: was put on a message: a person is asked for."""

    team: str
    channel: str
    message_ts: str
    user: str


@dataclass(frozen=True, kw_only=True)
class EditedMessage:
    """A person changed the words of a message; previews and other decoration are no edits."""

    team: str
    channel: str
    user: str
    ts: str
    thread_ts: str | None
    text: str = field(repr=False)
    mentioned: bool
    lost_mention: bool = False
    """The bot was mentioned before and is no longer."""


@dataclass(frozen=True, kw_only=True)
class DeletedMessage:
    """A person deleted a message."""

    team: str
    channel: str
    ts: str
    user: str = ""
    """Whose message it was; empty where Slack does not say."""


@dataclass(frozen=True, kw_only=True)
class HomeOpened:
    """A person opened the bot's home page or its direct messages."""

    team: str
    user: str
    tab: Literal["home", "messages"]
    channel: str = ""
    """The person's direct messages with the bot, where Slack says."""


@dataclass(frozen=True, kw_only=True)
class Overheard:
    """A question that a person put to nobody in particular, in a channel."""

    incoming: Incoming


@dataclass(frozen=True, kw_only=True)
class LeaveRequest:
    """Somebody wants the bot to be silent in this thread."""

    incoming: Incoming
    """The message that says so."""


@dataclass(frozen=True, kw_only=True)
class ViewChanged:
    """A person looks at another channel now, beside the conversation with the bot."""

    team: str
    user: str
    channel: str | None
    """None where it is no channel."""


@dataclass(frozen=True, kw_only=True)
class AssistantThread:
    """The older assistant pane: a person opened it, or looks at another channel beside it."""

    team: str
    user: str
    channel: str
    thread_ts: str
    viewing: str | None
    started: bool


Parsed = (
    Incoming
    | StopRequest
    | LeaveRequest
    | Overheard
    | ReactionChange
    | HelpWanted
    | EditedMessage
    | DeletedMessage
    | HomeOpened
    | ViewChanged
    | AssistantThread
)

_KINDS: Mapping[str, ChannelKind] = {"channel": "public", "group": "private", "im": "im", "mpim": "mpim"}
# The id tells what a mention's event leaves out. C may be public or private: private is the careful reading.
_KINDS_BY_LETTER: Mapping[str, ChannelKind] = {"D": "im", "G": "private"}
_GONE = ("tombstone", "hidden_by_limit")
_QUESTION_SUBTYPES = frozenset({"", "file_share", "thread_broadcast"})
_VOTES: Mapping[str, Literal[1, -1]] = {"+1": 1, "thumbsup": 1, "-1": -1, "thumbsdown": -1}
_ADDRESSED = re.compile(r"<@[UW]|<!subteam\^")
_CHANNEL_ENTITY, _MESSAGE_ENTITY = "slack#/types/channel_id", "slack#/types/message_context"


def parse_event(body: Body, bot_user_id: str) -> Parsed | None:
    """Parse the envelope of one event ("event_callback"); None where there is nothing to do."""
    event = _mapping(body.get("event"))
    team = _team(body, event)
    match _string(event, "type"):
        case "app_mention" | "message":
            return _message(event, team, bot_user_id)
        case "reaction_added" | "reaction_removed":
            return _reaction(event, team, bot_user_id)
        case "app_home_opened":
            tab: Literal["home", "messages"] = "messages" if event.get("tab") == "messages" else "home"
            user = _string(event, "user")
            channel = _string(event, "channel")
            return HomeOpened(team=team, user=user, tab=tab, channel=channel) if user else None
        case "agent_session_stopped":
            return _stop_button(event, team)
        case "app_context_changed":
            return _view_changed(event, team)
        case "assistant_thread_started" | "assistant_thread_context_changed":
            return _assistant_thread(event, team)
        case _:
            return None


def is_external(body: Body) -> bool:
    """Tell whether the event comes from a channel shared with another organisation, or one of its people."""
    event = _mapping(body.get("event"))
    home, author = _string(event, "team"), _string(event, "user_team") or _string(event, "source_team")
    return bool(body.get("is_ext_shared_channel")) or bool(home and author and home != author)


def is_persons_message(message: Body, bot_user_id: str) -> bool:
    """Tell whether a person wrote this message; notices about joining and the like are nobody's words."""
    return (
        _string(message, "subtype") in _QUESTION_SUBTYPES
        and bool(_string(message, "user"))
        and not _is_a_bot(message, bot_user_id)
    )


def _message(event: Body, team: str, bot_user_id: str) -> Parsed | None:
    channel = _string(event, "channel")
    match _string(event, "subtype"):
        case "message_changed":
            return _changed(event, team, channel, bot_user_id)
        case "message_deleted":
            return _deleted(
                _mapping(event.get("previous_message")),
                team,
                channel,
                _string(event, "deleted_ts"),
                bot_user_id,
            )
        case subtype if subtype in _QUESTION_SUBTYPES:
            return _question(event, team, channel, bot_user_id)
        case _:
            return None


def _question(
    event: Body, team: str, channel: str, bot_user_id: str
) -> Incoming | StopRequest | LeaveRequest | Overheard | None:
    user, ts, raw = _string(event, "user"), _string(event, "ts"), _string(event, "text")
    if not (user and ts and channel) or _is_a_bot(event, bot_user_id):
        return None
    thread_ts = _thread(event, ts)
    kind = channel_kind(event, channel)
    text = plain_text(raw, bot_user_id)
    if (thread_ts or kind == "im") and is_stop(text):
        return StopRequest(team=team, channel=channel, user=user, ts=ts, thread_ts=thread_ts)
    incoming = Incoming(
        team=team,
        channel=channel,
        channel_kind=kind,
        user=user,
        ts=ts,
        thread_ts=thread_ts,
        text=text,
        mentioned=event.get("type") == "app_mention" or _mentions(raw, bot_user_id),
        user_team=_string(event, "user_team") or _string(event, "source_team"),
        files=attached_files(event),
        viewing=_viewed(event.get("app_context")) if kind == "im" else None,
    )
    if thread_ts and kind != "im" and is_leave(text):
        return LeaveRequest(incoming=incoming)
    if incoming.mentioned or kind == "im" or (thread_ts and not _addresses_another(raw)):
        return incoming
    if thread_ts is None and kind in ("public", "private") and not _ADDRESSED.search(raw):
        return Overheard(incoming=incoming) if looks_like_question(text) else None
    return None


def attached_files(message: Body) -> tuple[AttachedFile, ...]:
    """The files of a message, but those that were removed or are hidden; of some, Slack tells the address later."""
    listed = message.get("files")
    found = []
    for file in listed if isinstance(listed, list) else ():
        told = _mapping(file)
        if not _string(told, "id") or _string(told, "mode") in _GONE:
            continue
        url = _string(told, "url_private") or _string(told, "url_private_download")
        size = told.get("size")
        found.append(
            AttachedFile(
                id=_string(told, "id"),
                name=_string(told, "name") or _string(told, "title") or _string(told, "id"),
                mimetype=_string(told, "mimetype"),
                size=size if isinstance(size, int) else 0,
                url=url,
            )
        )
    return tuple(found)


def _changed(event: Body, team: str, channel: str, bot_user_id: str) -> EditedMessage | DeletedMessage | None:
    message, before = _mapping(event.get("message")), _mapping(event.get("previous_message"))
    ts = _string(message, "ts")
    if _string(message, "subtype") == "tombstone":
        return _deleted(before, team, channel, ts, bot_user_id)
    if _string(message, "subtype") not in _QUESTION_SUBTYPES or _is_a_bot(message, bot_user_id):
        return None
    user, raw, raw_before = _string(message, "user"), _string(message, "text"), _string(before, "text")
    text = plain_text(raw, bot_user_id)
    mentioned = _mentions(raw, bot_user_id)
    lost_mention = _mentions(raw_before, bot_user_id) and not mentioned
    if not (user and ts) or _same_words(text, plain_text(raw_before, bot_user_id)):
        return None
    return EditedMessage(
        team=team,
        channel=channel,
        user=user,
        ts=ts,
        thread_ts=_thread(message, ts),
        text=text,
        mentioned=mentioned,
        lost_mention=lost_mention,
    )


def _deleted(before: Body, team: str, channel: str, ts: str, bot_user_id: str) -> DeletedMessage | None:
    if not ts or _is_a_bot(before, bot_user_id):
        return None
    return DeletedMessage(team=team, channel=channel, ts=ts, user=_string(before, "user"))


def _reaction(event: Body, team: str, bot_user_id: str) -> ReactionChange | HelpWanted | None:
    item = _mapping(event.get("item"))
    name, _, tone = _string(event, "reaction").partition("::")
    vote = _VOTES.get(name) if not tone or tone.startswith("skin-tone-") else None
    user, channel, ts = _string(event, "user"), _string(item, "channel"), _string(item, "ts")
    ours = _string(event, "item_user") in ("", bot_user_id)
    wants_help = name == "sos" and _string(event, "type") == "reaction_added"
    known = vote is not None or wants_help
    if not known or _string(item, "type") != "message" or not (user and channel and ts and ours):
        return None
    if user == bot_user_id:
        return None
    if vote is None:
        return HelpWanted(team=team, channel=channel, message_ts=ts, user=user)
    added = _string(event, "type") == "reaction_added"
    return ReactionChange(team=team, channel=channel, message_ts=ts, user=user, vote=vote, added=added)


def _stop_button(event: Body, team: str) -> StopRequest | None:
    channel, user = _string(event, "channel"), _string(event, "user")
    thread_ts = _string(event, "thread_ts") or None
    ts = _string(event, "event_ts") or thread_ts or ""
    if not (channel and user and thread_ts):
        return None
    return StopRequest(team=team, channel=channel, user=user, ts=ts, thread_ts=thread_ts)


def _view_changed(event: Body, team: str) -> ViewChanged | None:
    user = _string(event, "user") or _string(_mapping(event.get("context")), "user_id")
    return ViewChanged(team=team, user=user, channel=_viewed(event.get("context"))) if user else None


def _viewed(context: object) -> str | None:
    entities = _mapping(context).get("entities")
    found = (_viewed_channel(_mapping(entity)) for entity in (entities if isinstance(entities, list) else ()))
    # Ordered by relevance: the first that is a channel is what "here" means.
    return next(filter(None, found), None)


def _viewed_channel(entity: Body) -> str:
    value, kind = entity.get("value"), _string(entity, "type")
    if kind == _CHANNEL_ENTITY:
        return value if isinstance(value, str) else _string(entity, "channel_id")
    if kind == _MESSAGE_ENTITY:
        return _string(_mapping(value), "channel_id") or _string(entity, "channel_id")
    return ""


def _assistant_thread(event: Body, team: str) -> AssistantThread | None:
    thread = _mapping(event.get("assistant_thread"))
    user, channel, thread_ts = (_string(thread, key) for key in ("user_id", "channel_id", "thread_ts"))
    if not (user and channel and thread_ts):
        return None
    return AssistantThread(
        team=team,
        user=user,
        channel=channel,
        thread_ts=thread_ts,
        viewing=_string(_mapping(thread.get("context")), "channel_id") or None,
        started=event.get("type") == "assistant_thread_started",
    )


def _team(body: Body, event: Body) -> str:
    authorizations = body.get("authorizations")
    first = _mapping(authorizations[0]) if isinstance(authorizations, list) and authorizations else {}
    # In an organisation the envelope's team may be another one than that where the app is installed.
    return (
        _string(first, "team_id")
        or _string(body, "team_id")
        or _string(event, "team")
        or _string(first, "enterprise_id")
    )


def channel_kind(event: Body, channel: str) -> ChannelKind:
    """What kind of place a message stands in, as far as its event tells; the careful reading where it does not."""
    named = _KINDS.get(_string(event, "channel_type"))
    return named or _KINDS_BY_LETTER.get(channel[:1], "private")


def _thread(event: Body, ts: str) -> str | None:
    thread_ts = _string(event, "thread_ts")
    # The first message of a thread carries its own ts as thread_ts.
    return thread_ts if thread_ts and thread_ts != ts else None


def _is_a_bot(event: Body, bot_user_id: str) -> bool:
    """Posts of any bot are no questions: two bots would talk with each other for ever."""
    return bool(event.get("bot_id")) or _string(event, "user") == bot_user_id or event.get("subtype") == "bot_message"


def _mentions(raw: str, user_id: str) -> bool:
    return f"<@{user_id}>" in raw or f"<@{user_id}|" in raw


def _addresses_another(raw: str) -> bool:
    """Tell whether a message in a thread begins with somebody else's name: it is not for the bot then."""
    return raw.lstrip().startswith(("<@", "<!subteam^"))


def _same_words(text: str, before: str) -> bool:
    return " ".join(text.split()) == " ".join(before.split())


def _mapping(value: object) -> Body:
    return value if isinstance(value, Mapping) else {}


def _string(values: Body, key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""
