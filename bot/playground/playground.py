"""The running playground: what happens in the workspace, and who is told about it (the pages, the app, the ledger).

Everything here runs in the server's one loop, so nothing is locked.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bot.playground import events
from bot.playground.delivery import Delivery
from bot.playground.faults import Faults
from bot.playground.features import Features, Surface
from bot.playground.files import Files
from bot.playground.http_delivery import HttpDelivery
from bot.playground.installation import Installation
from bot.playground.installed_app import InstalledApp
from bot.playground.interactivity import Interactivity
from bot.playground.ledger import Entry, Ledger
from bot.playground.options import PlaygroundOptions, Tokens
from bot.playground.pages import Pages
from bot.playground.scopes import event_subscription
from bot.playground.sessions import Sessions
from bot.playground.signs import Signs
from bot.playground.socket_mode import SocketMode
from bot.playground.state_file import load_workspace, save_workspace
from bot.playground.streams import Streams
from bot.playground.text import links, mentions
from bot.playground.viewing import Viewing
from bot.playground.workspace import (
    BOT_USER_ID,
    JSON,
    SLACKBOT_ID,
    TEAM_ID,
    Channel,
    Ephemeral,
    User,
    is_ts,
)

if TYPE_CHECKING:
    from bot.playground.methods.files import Ticket

logger = logging.getLogger(__name__)

SAVE_SECONDS = 0.2
UNFURL_SECONDS = 1.0


class Playground:
    """A workspace with its listeners."""

    def __init__(self, options: PlaygroundOptions, tokens: Tokens) -> None:
        self.options = options
        self.documents = options.documents
        self.tokens = tokens
        self.app = InstalledApp(options.manifest)
        self.workspace = load_workspace(options.state)
        self.pages = Pages()
        self.ledger = Ledger(self._show_traffic)
        self.faults = Faults(options.faults)
        self.features = Features(options.features)
        self.surface: Surface = options.surface or self.app.surface or "agent"
        self.socket = SocketMode(
            ledger=self.ledger, faults=self.faults, ack_seconds=options.ack_seconds, time_scale=options.time_scale
        )
        self.delivery: Delivery = self._http_delivery(options.events_url) if options.events_url else self.socket
        self.installation = Installation(self)
        self.interactivity = Interactivity(self)
        self.sessions = Sessions(self)
        self.streams = Streams(self)
        self.files = Files(self)
        self.viewing = Viewing(self)
        self.signs = Signs(self)
        self.upload_tickets: dict[str, Ticket] = {}
        self.url = ""
        self.tickets: dict[str, float] = {}
        self._save_timer: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Begin what needs the server's loop."""
        if isinstance(self.delivery, HttpDelivery):
            self.delivery.begin()
        self.streams.resume()

    def _http_delivery(self, url: str) -> HttpDelivery:
        return HttpDelivery(
            ledger=self.ledger,
            faults=self.faults,
            ack_seconds=self.options.ack_seconds,
            time_scale=self.options.time_scale,
            url=url,
            signing_secret=self.tokens.signing_secret,
            when_changed=self.bot_connection_changed,
        )

    @property
    def bot_is_here(self) -> bool:
        """Whether the app is installed and can be told of events."""
        return self.installation.is_there and self.delivery.connected

    async def stop(self) -> None:
        """End deliveries and write the state a last time."""
        await self.delivery.stop()
        self.signs.stop()
        if self._save_timer is not None:
            self._save_timer.cancel()
            self._save_timer = None
        if self._saving is not None:
            await self._saving
        await self._save()

    # What happens to messages

    def post(self, channel: Channel, message: JSON, *, unfurl: bool = True, quietly: bool = False) -> JSON:
        """Add a message and tell everybody; a quiet one reaches the pages only."""
        if channel.kind == "im" and not channel.messages:
            # A direct message appears on people's pages with its first message.
            self.show_channel(channel)
        self.workspace.add_message(channel, message)
        self.show_message(channel, message)
        self._parent_to_pages(channel, message)
        if message["user"] == BOT_USER_ID:
            self.signs.set_status(channel, message.get("thread_ts") or message["ts"], "", [])
        if BOT_USER_ID in channel.members and not quietly:
            self._tell_of_message(channel, message)
        if unfurl:
            self._unfurl_later(channel, message)
        self.changed()
        return message

    def _tell_of_message(self, channel: Channel, message: JSON) -> None:
        event = events.message_posted(channel, message)
        context = self.viewing.app_context(message["user"])
        if context and channel.kind == "im" and self.viewing.has_agent and self.app.hears("app_context_changed"):
            event["app_context"] = context
        self.emit(event)
        self.files.tell_of_shares(channel, message)
        mentioned = channel.kind != "im" and mentions(message["text"], BOT_USER_ID)
        if mentioned and message["user"] != BOT_USER_ID:
            self.emit(events.app_mention(channel, message))

    def change(self, channel: Channel, message: JSON, changes: JSON, *, quietly: bool = False) -> JSON:
        """Replace parts of a message; a value of None removes the part. Quiet changes reach the pages only."""
        previous = copy.deepcopy(message)
        message.update(changes)
        for key in [key for key, value in changes.items() if value is None]:
            del message[key]
        self.show_message(channel, message)
        if not quietly and message != previous and BOT_USER_ID in channel.members:
            self.emit(events.message_changed(channel, message, previous, self.workspace.next_ts()))
        self.changed()
        return message

    def delete(self, channel: Channel, message: JSON) -> None:
        """Delete a message; the parent of a thread becomes a tombstone, as in Slack."""
        if channel.replies(message["ts"]):
            kept = {key: message[key] for key in message if key.startswith(("reply_", "latest_"))}
            stone = {"type": "message", "subtype": "tombstone", "text": "This message was deleted.", "hidden": True}
            stone |= {"user": SLACKBOT_ID, "ts": message["ts"], "thread_ts": message["ts"], **kept}
            before = copy.deepcopy(message)
            self.change(channel, message, dict.fromkeys(message) | stone)
            self.files.delete_unshared(before, seen=BOT_USER_ID in channel.members)
            return
        del channel.messages[message["ts"]]
        self.workspace.streams.pop((channel.id, message["ts"]), None)
        self.pages.to_channel(channel, {"type": "message_deleted", "channel": channel.id, "ts": message["ts"]})
        self.workspace.count_replies(channel, message.get("thread_ts"))
        self._parent_to_pages(channel, message)
        if BOT_USER_ID in channel.members:
            self.emit(events.message_deleted(channel, message, self.workspace.next_ts()))
        self.files.delete_unshared(message, seen=BOT_USER_ID in channel.members)
        self.changed()

    def react(self, channel: Channel, message: JSON, *, user: str, name: str, add: bool) -> bool:
        """Add or remove a reaction; False where it was there, or was not."""
        users = {reaction["name"]: list(reaction["users"]) for reaction in message.get("reactions", [])}
        voters = users.setdefault(name, [])
        if (user in voters) == add:
            return False
        voters.append(user) if add else voters.remove(user)
        message["reactions"] = [{"name": n, "users": u, "count": len(u)} for n, u in users.items() if u]
        if not message["reactions"]:
            del message["reactions"]
        self.show_message(channel, message)
        if BOT_USER_ID in channel.members:
            kind = "reaction_added" if add else "reaction_removed"
            event_ts = self.workspace.next_ts()
            self.emit(events.reaction(kind, user=user, name=name, channel=channel, message=message, event_ts=event_ts))
        self.changed()
        return True

    def show_ephemeral(self, ephemeral: Ephemeral) -> None:
        """Show a message to one person only; nothing keeps it but that person's page."""
        message = ephemeral.message
        self.workspace.ephemerals[ephemeral.channel, message["ts"]] = ephemeral
        item = {"type": "message", "channel": ephemeral.channel, "message": message | {"ephemeral": True}}
        self.pages.to_user(ephemeral.user, item)

    def hide_ephemeral(self, ephemeral: Ephemeral) -> None:
        """Take an ephemeral message away."""
        ts = ephemeral.message["ts"]
        self.workspace.ephemerals.pop((ephemeral.channel, ts), None)
        self.pages.to_user(ephemeral.user, {"type": "message_deleted", "channel": ephemeral.channel, "ts": ts})

    # People and channels

    def join(self, channel: Channel, user: str, inviter: str) -> None:
        """Add somebody to a channel; the newcomer's pages get its history."""
        channel.members.append(user)
        item = {"type": "channel", "channel": self.channel_json(channel)}
        self.pages.to_channel(channel, item)
        for message in channel.messages.values():
            page_message = {"type": "message", "channel": channel.id, "message": self.page_message(channel, message)}
            self.pages.to_user(user, page_message)
        if BOT_USER_ID in channel.members:
            event_ts = self.workspace.next_ts()
            self.emit(
                events.member_joined_channel(
                    user=user, team=self.workspace.team_of(user), channel=channel, inviter=inviter, event_ts=event_ts
                )
            )
        self.changed()

    def leave(self, channel: Channel, user: str) -> None:
        """Take somebody out of a channel."""
        bot_hears = BOT_USER_ID in channel.members
        channel.members.remove(user)
        item = {"type": "channel", "channel": self.channel_json(channel)}
        self.pages.to_channel(channel, item)
        self.pages.to_user(user, item)
        if bot_hears:
            event_ts = self.workspace.next_ts()
            self.emit(
                events.member_left_channel(
                    user=user, team=self.workspace.team_of(user), channel=channel, event_ts=event_ts
                )
            )
        self.changed()

    def share(self, channel: Channel, *, shared: bool) -> None:
        """Share a channel with another organisation, or end that: then its people have to go."""
        channel.shared = shared
        if not shared:
            for member in [m for m in channel.members if self.workspace.users[m].external]:
                self.leave(channel, member)
        self.show_channel(channel)
        if BOT_USER_ID in channel.members:
            self.emit(events.channel_shared(channel, event_ts=self.workspace.next_ts()))

    def show_user(self, user: User, event_type: str, *, described: JSON) -> None:
        """Tell pages and app of somebody who is new or has changed."""
        self.pages.to_all({"type": "user", "user": asdict(user)})
        self.emit({"type": event_type, "user": described, "event_ts": self.workspace.next_ts()})
        self.changed()

    def show_channel(self, channel: Channel) -> None:
        """Tell the pages of a new channel's members."""
        self.pages.to_channel(channel, {"type": "channel", "channel": self.channel_json(channel)})
        self.changed()

    def publish_home(self, user: str, view: JSON) -> None:
        """Replace a person's home tab."""
        self.workspace.homes[user] = view
        self.pages.to_user(user, {"type": "home", "view": view})
        self.changed()

    def change_features(self, settings: Mapping[str, Any], surface: Surface | None) -> JSON:
        """Switch what the workspace offers, and tell all pages."""
        self.features.change(settings)
        self.surface = surface or self.surface
        state: JSON = {"features": self.features.settings.model_dump(), "surface": self.surface}
        self.pages.to_all({"type": "features", **state})
        return state

    # Telling

    def emit(self, event: JSON) -> None:
        """Send an event to the app."""
        if not self.installation.is_there or not self.app.hears(event_subscription(event)):
            return
        channel = self.workspace.channels.get(events.channel_of(event))
        shared = channel is not None and channel.shared
        callback = events.event_callback(copy.deepcopy(event), now=self.workspace.now(), shared=shared)
        self.delivery.send_event(callback)

    def bot_connection_changed(self) -> None:
        """Tell the pages whether the bot is there."""
        self.pages.to_all({"type": "bot", "connected": self.bot_is_here})

    def changed(self) -> None:
        """Note that the state is to be written soon."""
        if self.options.state is not None and self._save_timer is None:
            self._save_timer = asyncio.get_running_loop().call_later(SAVE_SECONDS, self._save_soon)

    def new_message(self, user: str, text: str, **parts: Any) -> JSON:
        """Begin a message of a person or of the bot."""
        team = self.workspace.team_of(user)
        message: JSON = {"type": "message", "user": user, "team": team, "ts": self.workspace.next_ts(), "text": text}
        if team != TEAM_ID:
            message |= {"user_team": team, "source_team": team}
        return message | {key: value for key, value in parts.items() if value is not None}

    def is_direct(self, channel: Channel) -> bool:
        """Tell whether this is somebody's direct message with the bot."""
        return channel.kind == "im" and BOT_USER_ID in channel.members

    def thread_parts(self, channel: Channel, thread_ts: str | None) -> JSON:
        """Give the fields that make a message a reply; a reply to a reply belongs to the parent."""
        if not is_ts(thread_ts):
            return {}
        root = channel.messages.get(str(thread_ts), {}).get("thread_ts", thread_ts)
        parent = channel.messages.get(str(root))
        parts: JSON = {"thread_ts": root}
        return parts if parent is None else parts | {"parent_user_id": parent["user"]}

    # What pages are shown

    def channel_json(self, channel: Channel) -> JSON:
        """Describe a channel to a page."""
        return {
            "id": channel.id,
            "name": channel.name,
            "kind": channel.kind,
            "members": list(channel.members),
            "topic": channel.topic,
            "shared": channel.shared,
        }

    def page_message(self, channel: Channel, message: JSON) -> JSON:
        """Give a message as pages want it: Slack's object, with the mark of a message that still grows."""
        stream = self.workspace.streams.get((channel.id, message["ts"]))
        return dict(message) if stream is None or stream.halted else {**message, "streaming": True}

    def show_message(self, channel: Channel, message: JSON) -> None:
        """Send a message as it is now to the pages of its channel."""
        item = {"type": "message", "channel": channel.id, "message": self.page_message(channel, message)}
        self.pages.to_channel(channel, copy.deepcopy(item))

    def _parent_to_pages(self, channel: Channel, message: JSON) -> None:
        parent = channel.messages.get(message.get("thread_ts", ""))
        if parent is not None and parent is not message:
            self.show_message(channel, parent)

    def _show_traffic(self, entry: Entry) -> None:
        self.pages.to_all({"type": "traffic", "entry": entry})

    def _unfurl_later(self, channel: Channel, message: JSON) -> None:
        found = links(message["text"])
        if found:
            loop = asyncio.get_running_loop()
            loop.call_later(UNFURL_SECONDS / self.socket.time_scale, self._unfurl, channel, message["ts"], found)

    def _unfurl(self, channel: Channel, ts: str, found: list[str]) -> None:
        """Attach previews as Slack does, without looking anything up: the text is the same, the message has changed."""
        message = channel.messages.get(ts)
        if message is None or "attachments" in message:
            return
        attachments = [
            {"id": n, "from_url": url, "original_url": url, "fallback": url, "title": url, "title_link": url}
            for n, url in enumerate(found[:5], 1)
        ]
        self.change(channel, message, {"attachments": attachments})

    def _save_soon(self) -> None:
        self._save_timer = None
        if self._saving is not None and not self._saving.done():
            self.changed()
        else:
            self._saving = asyncio.get_running_loop().create_task(self._save())

    async def _save(self) -> None:
        if self.options.state is None:
            return
        try:
            # Encoded here, where nothing else can change it; only the slow disk is left to a thread.
            text = json.dumps(self.workspace.to_json())
            await asyncio.to_thread(save_workspace, text, self.options.state)
        except OSError:
            logger.exception("The playground's state file %s could not be written", self.options.state)
