"""What each person looks at, and how the app is told: by the agent's surface, or by the older assistant's container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.playground import events
from bot.playground.workspace import APP_ID, BOT_ID, BOT_USER_ID, JSON, TEAM_ID, Channel

if TYPE_CHECKING:
    from bot.playground.playground import Playground

THREAD_SUBTYPE = "assistant_app_thread"
NEW_THREAD_TITLE = "New Assistant Thread"


class Viewing:
    """Who looks at which channel; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._channels: dict[str, str] = {}

    @property
    def has_agent(self) -> bool:
        """Whether people see the agent's surface."""
        return self._playground.surface == "agent" and self._is_offered

    @property
    def has_container(self) -> bool:
        """Whether people see the assistant's container."""
        return self._playground.surface == "assistant" and self._is_offered

    @property
    def _is_offered(self) -> bool:
        return self._playground.features.settings.agent and self._playground.app.has_surface

    def look_at(self, user: str, channel: Channel | None) -> None:
        """Note what a person looks at; the app's own direct message is no news to the app."""
        direct = self._playground.workspace.direct_channel(user, BOT_USER_ID)
        viewed = "" if channel is None else channel.id
        if (direct is not None and viewed == direct.id) or self._channels.get(user, "") == viewed:
            return
        self._channels[user] = viewed
        event_ts = self._playground.workspace.next_ts()
        if direct is None:
            return
        if self.has_agent:
            context = self.app_context(user)
            self._playground.emit(
                events.app_context_changed(user=user, channel=direct, context=context, event_ts=event_ts)
            )
        thread_ts = self.current_thread(direct)
        if self.has_container and thread_ts:
            self._tell_of_thread("assistant_thread_context_changed", user, direct, thread_ts)

    def app_context(self, user: str) -> JSON:
        """Give what a person looks at as the agent's surface has it."""
        viewed = self._channels.get(user)
        if not viewed:
            return {}
        return {"entities": [{"type": "slack#/types/channel_id", "value": viewed, "team_id": TEAM_ID}]}

    def open_container(self, user: str, channel: Channel) -> str:
        """Open the container: in its newest thread while that is empty, else in a new one."""
        thread_ts = self.current_thread(channel)
        if not thread_ts or channel.replies(thread_ts):
            thread_ts = self._begin_thread(channel)
        self._tell_of_thread("assistant_thread_started", user, channel, thread_ts)
        return thread_ts

    def thread_for(self, user: str, channel: Channel) -> str:
        """Give the thread that a message typed into the container belongs to."""
        return self.current_thread(channel) or self.open_container(user, channel)

    def current_thread(self, channel: Channel) -> str:
        """Give the newest thread of the container, or nothing."""
        roots = [message["ts"] for message in channel.messages.values() if message.get("subtype") == THREAD_SUBTYPE]
        return roots[-1] if roots else ""

    def set_title(self, channel: Channel, thread_ts: str, title: str) -> None:
        """Give a thread of the container a title; Slack changes the thread's root for that."""
        root = channel.messages[thread_ts]
        if root.get("subtype") == THREAD_SUBTYPE:
            changes: JSON = {"text": title, THREAD_SUBTYPE: root[THREAD_SUBTYPE] | {"title": title}}
            self._playground.change(channel, root, changes)

    def _begin_thread(self, channel: Channel) -> str:
        thread = {"title": NEW_THREAD_TITLE, "title_blocks": [], "artifacts": []}
        parts = {"subtype": THREAD_SUBTYPE, THREAD_SUBTYPE: thread, "bot_id": BOT_ID, "app_id": APP_ID}
        root = self._playground.new_message(BOT_USER_ID, NEW_THREAD_TITLE, **parts)
        self._playground.post(channel, root, unfurl=False, quietly=True)
        return str(root["ts"])

    def _tell_of_thread(self, event_type: str, user: str, channel: Channel, thread_ts: str) -> None:
        viewed = self._channels.get(user)
        context = {"channel_id": viewed, "team_id": TEAM_ID, "enterprise_id": None} if viewed else {}
        thread = {"user_id": user, "context": context, "channel_id": channel.id, "thread_ts": thread_ts}
        event_ts = self._playground.workspace.next_ts()
        self._playground.emit({"type": event_type, "assistant_thread": thread, "event_ts": event_ts})
