"""The workspace itself: people, channels, messages, home views. Knows no HTTP, no events and no pages.

Messages are kept as Slack's own JSON objects, because that is what every reader of them wants.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

JSON = dict[str, Any]
Guest = Literal["multi", "single"]
ChannelKind = Literal["public", "private", "im", "mpim"]

EMAIL_DOMAIN = "example.com"
TEAM_ID = "T0PLAYGROUND"
OTHER_TEAM_ID = "T0ELSEWHERE"
APP_ID = "A0LOREKEEPER"
BOT_ID = "B0LOREKEEPER"
BOT_USER_ID = "U0LOREKEEPER"
SLACKBOT_ID = "USLACKBOT"
STATE_FORMAT = 1
_TS = re.compile(r"\d{10}\.\d{6}")


@dataclass(kw_only=True)
class User:
    """A person, or the bot."""

    id: str
    name: str
    real_name: str
    color: str
    is_bot: bool = False
    is_admin: bool = False
    guest: Guest | None = None
    external: bool = False
    """Of another organisation, seen through shared channels."""
    deleted: bool = False

    @property
    def team_id(self) -> str:
        """The team that the person belongs to."""
        return OTHER_TEAM_ID if self.external else TEAM_ID

    @property
    def email(self) -> str:
        """Where mail would reach the person."""
        return f"{self.name}@{EMAIL_DOMAIN}"


@dataclass(kw_only=True)
class Channel:
    """A conversation with its messages in the order of their ts."""

    id: str
    name: str
    kind: ChannelKind
    members: list[str]
    creator: str
    created: int
    topic: str = ""
    shared: bool = False
    """With another organisation (Slack Connect)."""
    share_pending: bool = False
    """The other organisation was invited and has not answered."""
    archived: bool = False
    messages: dict[str, JSON] = field(default_factory=dict)

    @property
    def channel_type(self) -> str:
        """The word that events use for the kind."""
        return {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}[self.kind]

    def replies(self, thread_ts: str) -> list[JSON]:
        """List the replies of a thread without its parent."""
        return [m for m in self.messages.values() if m.get("thread_ts") == thread_ts and m["ts"] != thread_ts]


@dataclass(kw_only=True)
class Stream:
    """A message that is still being streamed."""

    channel: str
    ts: str
    started_at: float
    text: str = ""
    extra_blocks: list[JSON] = field(default_factory=list)
    as_plan: bool = False
    """Its tasks stand together in a plan, and not one after the other."""
    halted: bool = False
    """A person pressed Stop: it takes no more text, and only has to be finished."""


@dataclass(kw_only=True)
class Ephemeral:
    """A message that one person sees and no history keeps."""

    user: str
    channel: str
    message: JSON


class Workspace:
    """All state that outlives a request; used from the server's loop only."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.team_name = "Playground"
        self.domain = "playground"
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.usergroups: dict[str, list[str]] = {}
        """Ids of user groups and of the people in each."""
        self.homes: dict[str, JSON] = {}
        self.streams: dict[tuple[str, str], Stream] = {}
        self.files: dict[str, JSON] = {}
        self.ephemerals: dict[tuple[str, str], Ephemeral] = {}
        self._last_ts = 0

    @property
    def bot(self) -> User:
        """The app's bot user."""
        return self.users[BOT_USER_ID]

    def next_ts(self) -> str:
        """Give a message id: the time in microseconds, never the same twice."""
        self._last_ts = max(int(self.now() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def channels_of(self, user_id: str) -> Iterator[Channel]:
        """List the conversations that a person is in."""
        return (channel for channel in self.channels.values() if user_id in channel.members)

    def find_channel(self, value: str) -> Channel | None:
        """Find a channel by id, or by name with or without the hash sign."""
        if value in self.channels:
            return self.channels[value]
        name = value.removeprefix("#")
        return next((c for c in self.channels.values() if c.name == name and c.kind in ("public", "private")), None)

    def direct_channel(self, *user_ids: str) -> Channel | None:
        """Find the direct message that exactly these people share."""
        wanted = set(user_ids)
        return next((c for c in self.channels.values() if c.kind in ("im", "mpim") and set(c.members) == wanted), None)

    def open_direct(self, *user_ids: str) -> Channel:
        """Find or make the direct message between these people."""
        found = self.direct_channel(*user_ids)
        if found is not None:
            return found
        kind: ChannelKind = "im" if len(user_ids) == 2 else "mpim"
        names = "--".join(self.users[user].name for user in user_ids)
        return self.add_channel(
            id=new_id("D" if kind == "im" else "C"),
            name="" if kind == "im" else f"mpdm-{names}-1",
            kind=kind,
            members=list(user_ids),
            creator=user_ids[0],
            shared=any(self.users[user].external for user in user_ids),
        )

    def team_of(self, user_id: str) -> str:
        """Give the team of a person; Slackbot and whoever is gone belong to ours."""
        user = self.users.get(user_id)
        return TEAM_ID if user is None else user.team_id

    def add_channel(
        self,
        *,
        id: str,
        name: str,
        kind: ChannelKind,
        members: list[str],
        creator: str,
        topic: str = "",
        shared: bool = False,
    ) -> Channel:
        """Add a channel."""
        channel = Channel(
            id=id,
            name=name,
            kind=kind,
            members=members,
            creator=creator,
            topic=topic,
            created=int(self.now()),
            shared=shared,
        )
        self.channels[id] = channel
        return channel

    def add_message(self, channel: Channel, message: JSON) -> None:
        """Store a message; a reply is counted on its parent."""
        channel.messages[message["ts"]] = message
        self.count_replies(channel, message.get("thread_ts"))

    def count_replies(self, channel: Channel, thread_ts: str | None) -> JSON | None:
        """Bring a parent's reply count up to date and give the parent back."""
        parent = channel.messages.get(thread_ts or "")
        if parent is None:
            return None
        replies = channel.replies(parent["ts"])
        if not replies:
            for key in ("thread_ts", "reply_count", "reply_users", "reply_users_count", "latest_reply"):
                parent.pop(key, None)
            return parent
        users = list(dict.fromkeys(reply["user"] for reply in replies))
        parent.update(
            thread_ts=parent["ts"],
            reply_count=len(replies),
            reply_users=users,
            reply_users_count=len(users),
            latest_reply=replies[-1]["ts"],
        )
        return parent

    def to_json(self) -> JSON:
        """Give everything a restart needs; ephemeral messages are gone with a restart, as in Slack."""
        return {
            "format": STATE_FORMAT,
            "last_ts": self._last_ts,
            "users": [asdict(user) for user in self.users.values()],
            "channels": [asdict(channel) for channel in self.channels.values()],
            "usergroups": self.usergroups,
            "homes": self.homes,
            "files": self.files,
            "streams": [asdict(stream) for stream in self.streams.values()],
        }

    def load(self, state: JSON) -> None:
        """Take over what `to_json` gave; raises KeyError, TypeError or ValueError for anything else."""
        if state["format"] != STATE_FORMAT:
            raise ValueError(f"format {state['format']!r}")
        self._last_ts = int(state["last_ts"])
        self.users = {user["id"]: User(**user) for user in state["users"]}
        self.channels = {channel["id"]: Channel(**channel) for channel in state["channels"]}
        self.usergroups = dict(state.get("usergroups", {}))
        self.homes = dict(state["homes"])
        self.files = dict(state.get("files", {}))
        self.streams = {(s["channel"], s["ts"]): Stream(**s) for s in state["streams"]}


def new_id(prefix: str) -> str:
    """Make an id as Slack's look: a letter for the kind, then ten capitals and digits."""
    return prefix + "".join(secrets.choice("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789") for _ in range(10))


def is_ts(value: object) -> bool:
    """Tell whether this is a well-formed message id."""
    return isinstance(value, str) and _TS.fullmatch(value) is not None
