"""Asks Slack what was said in one channel, at a pace that it allows. Knows nothing of documents or of what is stored.

Everything that Slack says no to is told in the words of sources: a channel that is not ours to read (any more) is a
`ChannelClosedError`, a Slack that is silent or too busy a `SourceUnavailableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.channel_text import Said, SharedFile, before, one_line, readable, shared_files
from bot.slack.deliver import Delivery
from bot.slack.download import DownloadError, download
from bot.slack.limits import shorten
from bot.slack.pace import Pace
from bot.slack.parse import is_persons_message
from bot.slack.profiles import read_place, read_profile
from knowledge.errors import SourceUnavailableError
from knowledge.secret import Secret

SMALL_PAGE, LARGE_PAGE = 15, 200
"""Where Slack allows one request a minute it gives no more than fifteen messages, and may refuse to give more."""
_SLOW = 5
"""Requests a minute up to which that is so, as far as we know."""
_PATIENCE_SECONDS = 150.0
_MOST_REPLIES = 2_000
_LONGEST_NAME = 60
NOBODY = "somebody"
_GONE = frozenset({"channel_not_found", "not_in_channel", "is_archived", "channel_is_archived", "access_denied"})
_SLACKBOT = "USLACKBOT"


class ChannelClosedError(SourceUnavailableError):
    """The channel is not the bot's to read: what is known from it must go."""


@dataclass(frozen=True, kw_only=True)
class SlackLine:
    """A workspace as its bot's token opens it."""

    delivery: Delivery
    pace: Pace
    token: Secret
    api_url: str


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who the bot is, and where its workspace is to be found."""

    team: str
    user: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Page:
    """A stretch of history, newest first."""

    messages: tuple[Mapping[str, Any], ...]
    has_more: bool


class ChannelReader:
    """Reads one channel for one run."""

    def __init__(self, line: SlackLine, channel: str, digest: Callable[[str], str]) -> None:
        """`digest` names people as `leave_out` does."""
        self._line = line
        self.channel = channel
        self._left_out: frozenset[str] = frozenset()
        self._digest = digest
        self._identity: Identity | None = None
        self._people: dict[str, str] = {}
        self._limit = SMALL_PAGE if line.pace.calls_a_minute <= _SLOW else LARGE_PAGE

    @property
    def identity(self) -> Identity:
        """Who the bot is; asked once."""
        if self._identity is None:
            told = self._ask("auth.test")
            self._identity = Identity(
                team=str(told.get("team_id") or ""), user=str(told.get("user_id") or ""), url=str(told.get("url") or "")
            )
        return self._identity

    def leave_out(self, left_out: frozenset[str]) -> None:
        """Whose messages are not read from now on."""
        self._left_out = left_out

    def name(self) -> str:
        """What the channel is called. Raises ChannelClosedError where the bot must not read it, and
        SourceUnavailableError where nobody knows whether it may."""
        told = self._ask("conversations.info", channel=self.channel).get("channel") or {}
        if told.get("is_im") or told.get("is_mpim"):
            raise self._closed("is a direct message, and those are never read")
        if told.get("is_archived"):
            raise self._closed("is archived")
        if not told.get("is_member"):
            raise self._closed("does not have the bot in it (any more); invite it there")
        shared = read_place(told).shared
        if shared:
            raise self._closed("is shared with another organisation, and such channels are never read")
        if shared is None:
            raise SourceUnavailableError(
                f"Slack does not say whether the channel {self.channel} is shared with another organisation, so it is "
                "not read. Check the scopes channels:read and groups:read; what is known from it stays."
            )
        return one_line(str(told.get("name") or self.channel))

    def history(self, *, oldest: str, latest: str) -> Page:
        """Messages from `oldest` on and before `latest`, the newest ones first; replies in threads are not among
        them."""
        reply = self._ask_slowly(
            "conversations.history",
            channel=self.channel,
            oldest=before(oldest),
            latest=latest,
            inclusive=False,
            limit=self._limit,
        )
        messages = tuple(one for one in reply.get("messages") or [] if isinstance(one, Mapping) and one.get("ts"))
        return Page(messages=messages, has_more=bool(reply.get("has_more")) and bool(messages))

    def thread(self, root: str) -> tuple[Mapping[str, Any], ...]:
        """All messages of a thread, oldest first; none where it is gone."""
        found: list[Mapping[str, Any]] = []
        page: dict[str, Any] = {}
        while True:
            try:
                reply = self._ask_slowly(
                    "conversations.replies", channel=self.channel, ts=root, limit=self._limit, **page
                )
            except SlackRefusedError as error:
                if error.code in ("thread_not_found", "message_not_found"):
                    return ()
                raise self._refused(error) from error
            found += [one for one in reply.get("messages") or [] if isinstance(one, Mapping) and one.get("ts")]
            cursor = (reply.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor or len(found) >= _MOST_REPLIES:
                # With each page the parent comes again.
                return tuple({str(one["ts"]): one for one in found}.values())
            page = {"cursor": cursor}

    def said(self, message: Mapping[str, Any]) -> Said | None:
        """What a person of this workspace said; None for what is nobody's word, or not to be read."""
        me = self.identity
        user = str(message.get("user") or "")
        if not is_persons_message(message, me.user) or user == _SLACKBOT or message.get("subtype") == "tombstone":
            return None
        if any(message.get(key) not in (None, "", me.team) for key in ("user_team", "source_team")):
            return None
        if self._digest(user) in self._left_out or not self._name_of(user):
            return None
        text = readable(str(message.get("text") or ""), self.name_of, me.user)
        files = shared_files(message)
        if not (text or files):
            return None
        return Said(ts=str(message["ts"]), user=user, name=self._name_of(user), text=text, files=files)

    def name_of(self, user: str) -> str:
        """The name of whoever is mentioned; nobody's who is left out, or not of this workspace."""
        return NOBODY if self._digest(user) in self._left_out else self._name_of(user) or NOBODY

    def permalink(self, ts: str) -> str:
        """The address of a message."""
        return f"{self.identity.url.rstrip('/')}/archives/{self.channel}/p{ts.replace('.', '')}"

    def content(self, file: SharedFile, most_bytes: int) -> bytes:
        """The bytes of a file; raises DownloadError."""
        url = file.url or self._address(file)
        token = self._line.token.reveal()
        return download(url, token=token, api_url=self._line.api_url, most_bytes=most_bytes)

    def _address(self, file: SharedFile) -> str:
        try:
            told = self._line.delivery.repeat("files.info", patience_seconds=_PATIENCE_SECONDS, file=file.id)
        except (SlackSilentError, SlackRefusedError) as error:
            raise DownloadError(f"Slack does not say where the file is ({error}).") from error
        return str((told.get("file") or {}).get("url_private") or "")

    def _name_of(self, user: str) -> str:
        """What people call somebody; empty for a bot, and for whoever is not of this workspace."""
        if user not in self._people:
            try:
                told = self._call("users.info", user=user).get("user") or {}
            except SlackRefusedError as error:
                if error.code not in ("user_not_found", "user_not_visible"):
                    raise self._refused(error) from error
                told = {}
            ours = bool(told) and not told.get("is_bot") and read_profile(told).is_of(self.identity.team)
            profile = told.get("profile") or {}
            named = profile.get("display_name") or told.get("real_name") or profile.get("real_name") or told.get("name")
            self._people[user] = shorten(one_line(str(named or NOBODY)), _LONGEST_NAME) if ours else ""
        return self._people[user]

    def _ask_slowly(self, method: str, **arguments: Any) -> dict[str, Any]:
        if not self._line.pace.wait():
            raise SourceUnavailableError(f"The channel {self.channel} is not read further now: the program stops.")
        if method == "conversations.replies":
            return self._call(method, **arguments)
        return self._ask(method, **arguments)

    def _ask(self, method: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._call(method, **arguments)
        except SlackRefusedError as error:
            raise self._refused(error) from error

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        try:
            return self._line.delivery.repeat(method, patience_seconds=_PATIENCE_SECONDS, **arguments)
        except SlackSilentError as error:
            raise SourceUnavailableError(
                f"The channel {self.channel} cannot be read now: {error} What is known from it stays."
            ) from error

    def _refused(self, error: SlackRefusedError) -> SourceUnavailableError:
        if error.code in _GONE:
            return self._closed(f"is not the bot's to read ({error.code}); invite it there")
        return SourceUnavailableError(
            f"The channel {self.channel} cannot be read: {error} What is known from it stays."
        )

    def _closed(self, why: str) -> ChannelClosedError:
        return ChannelClosedError(
            f"The channel {self.channel} {why}. What was known from it is removed; `lorekeeper sources remove` takes "
            "the source away."
        )
