"""Agent sessions: what the app says that it is doing in a thread, and the Stop button that people have meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.playground import events
from bot.playground.errors import ApiError
from bot.playground.workspace import JSON, Channel

if TYPE_CHECKING:
    from bot.playground.playground import Playground

STATUSES = ("active", "processing", "suspended", "closed")


@dataclass(kw_only=True)
class Session:
    """One thread that an agent works in."""

    channel: str
    thread_ts: str
    status: str
    title: str


class Sessions:
    """All sessions; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._sessions: dict[tuple[str, str], Session] = {}

    def set_status(self, channel: Channel, thread_ts: str, status: str, title: str) -> Session:
        """Change a session, which begins with its first status; the title counts only then."""
        key = (channel.id, thread_ts)
        session = self._sessions.get(key)
        if session is None:
            session = Session(channel=channel.id, thread_ts=thread_ts, status=status, title=title)
            self._sessions[key] = session
        session.status = status
        self._show(channel, session)
        return session

    def rename(self, channel: Channel, thread_ts: str, title: str, *, user: str | None = None) -> Session:
        """Give a session another title; the app hears of it where a person did it."""
        session = self._find(channel, thread_ts)
        session.title = title
        self._show(channel, session)
        if user is not None:
            event_ts = self._playground.workspace.next_ts()
            self._playground.emit(
                events.agent_session_title_changed(channel, thread_ts, user=user, title=title, event_ts=event_ts)
            )
        return session

    def stop(self, channel: Channel, thread_ts: str, user: str) -> None:
        """Press Stop: Slack halts what streams in the thread and tells the app, which must do the rest."""
        session = self._find(channel, thread_ts)
        if session.status != "processing":
            raise ApiError("session_not_processing")
        if not self._playground.app.hears("agent_session_stopped"):
            raise ApiError("app_not_subscribed")
        halted = self._playground.streams.halt(channel, thread_ts)
        event_ts = self._playground.workspace.next_ts()
        self._playground.emit(
            events.agent_session_stopped(channel, thread_ts, user=user, halted=halted, event_ts=event_ts)
        )

    def shown_in(self, channels: set[str]) -> list[JSON]:
        """List the sessions of these channels as pages want them."""
        return [self._item(session) for session in self._sessions.values() if session.channel in channels]

    def _find(self, channel: Channel, thread_ts: str) -> Session:
        session = self._sessions.get((channel.id, thread_ts))
        if session is None:
            raise ApiError("session_not_found")
        return session

    def _show(self, channel: Channel, session: Session) -> None:
        self._playground.pages.to_channel(channel, self._item(session))

    def _item(self, session: Session) -> JSON:
        return {
            "type": "session",
            "channel": session.channel,
            "thread_ts": session.thread_ts,
            "status": session.status,
            "title": session.title,
            "stoppable": self._playground.app.hears("agent_session_stopped"),
        }
