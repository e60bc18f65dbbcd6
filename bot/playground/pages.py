"""The open pages: each gets what the person it acts as may see, and all of them the raw traffic."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from bot.playground.workspace import JSON, Channel


@dataclass(eq=False, kw_only=True)
class Page:
    """One open page; its queue is emptied by the task that owns its WebSocket."""

    user: str
    queue: asyncio.Queue[JSON] = field(default_factory=asyncio.Queue)


class Pages:
    """All open pages; used from the server's loop only."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()

    def open(self, user: str) -> Page:
        """Add a page for this person."""
        page = Page(user=user)
        self._pages.add(page)
        return page

    def close(self, page: Page) -> None:
        """Forget a page."""
        self._pages.discard(page)

    def to_all(self, item: JSON) -> None:
        """Tell every page."""
        for page in self._pages:
            page.queue.put_nowait(item)

    def to_user(self, user: str, item: JSON) -> None:
        """Tell the pages that act as this person."""
        for page in self._pages:
            if page.user == user:
                page.queue.put_nowait(item)

    def to_channel(self, channel: Channel, item: JSON) -> None:
        """Tell the pages of everybody in a channel."""
        for page in self._pages:
            if page.user in channel.members:
                page.queue.put_nowait(item)
