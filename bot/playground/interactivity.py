"""What people do with buttons and forms: triggers, modals, response addresses, and the payloads the app gets."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.playground.elements import chosen_value, find_element, missing_inputs
from bot.playground.errors import ApiError
from bot.playground.events import interaction
from bot.playground.workspace import APP_ID, BOT_ID, JSON, TEAM_ID, Channel, new_id

if TYPE_CHECKING:
    from bot.playground.delivery import Acknowledgement
    from bot.playground.playground import Playground

TRIGGER_SECONDS = 3.0
RESPONSE_URL_SECONDS = 1800.0
RESPONSE_URL_USES = 5
MOST_STACKED_VIEWS = 3


@dataclass(kw_only=True)
class Trigger:
    """The right to open one modal for a person, for three seconds."""

    user: str
    created_at: float
    from_modal: bool
    used: bool = False


@dataclass(kw_only=True)
class ResponseUrl:
    """The right to answer an interaction a few times."""

    channel: str
    user: str
    message_ts: str
    """What `replace_original` replaces: the message with the button, or else the newest answer given here."""
    thread_ts: str | None
    created_at: float
    follows_answers: bool
    """Without a message of the app's to begin with, each new answer becomes the original of the next."""
    uses_left: int = RESPONSE_URL_USES


@dataclass(kw_only=True)
class OpenView:
    """A modal that somebody looks at."""

    user: str
    body: JSON = field(repr=False)


class Interactivity:
    """Triggers, open modals and response addresses; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self._triggers: dict[str, Trigger] = {}
        self._views: dict[str, OpenView] = {}
        self._stacks: dict[str, list[str]] = {}
        self.response_urls: dict[str, ResponseUrl] = {}

    # Modals, called by the views methods

    def open(self, trigger_id: str, view: JSON) -> JSON:
        """Open a modal in front of the person who gave the trigger."""
        trigger = self._exchange(trigger_id)
        body = self._new_body(view, root=None, previous=None)
        self._stacks[trigger.user] = [body["id"]]
        return self._show("open", trigger.user, body)

    def push(self, trigger_id: str, view: JSON) -> JSON:
        """Put a modal on top of the one that gave the trigger."""
        trigger = self._exchange(trigger_id)
        stack = self._stacks.get(trigger.user, [])
        if not stack:
            raise ApiError("not_found")
        if len(stack) >= MOST_STACKED_VIEWS:
            raise ApiError("push_limit_reached")
        body = self._new_body(view, root=stack[0], previous=stack[-1])
        stack.append(body["id"])
        return self._show("push", trigger.user, body)

    def update(self, *, view_id: str | None, external_id: str | None, view: JSON, expected_hash: str | None) -> JSON:
        """Replace the content of an open modal."""
        found = self._find(view_id, external_id)
        if expected_hash is not None and expected_hash != found.body["hash"]:
            raise ApiError("hash_conflict")
        return self._replace(found, view)

    def open_views(self, user: str) -> list[JSON]:
        """List the modals that a person has open, lowest first."""
        return [self._views[view_id].body for view_id in self._stacks.get(user, [])]

    def check_external_id(self, external_id: str | None, *, besides: str | None = None) -> None:
        """Refuse an external id that another view has."""
        taken = any(
            external_id and view.body["external_id"] == external_id and view.body["id"] != besides
            for view in self._views.values()
        )
        if taken:
            raise ApiError("duplicate_external_id")

    def home_body(self, view: JSON, *, previous: JSON | None) -> JSON:
        """Complete a home view; it keeps its id while its content changes."""
        body = self._new_body(view, root=None, previous=None)
        if previous is not None:
            body |= {"id": previous["id"], "root_view_id": previous["id"]}
        return body

    # What people do, called by the page

    async def block_action(self, user: str, container: JSON, action: JSON, state: JSON | None) -> Acknowledgement:
        """Send block_actions for an element that the person may see; raises ApiError where there is no such element."""
        where = {"message": self._in_message, "view": self._in_view, "home": self._in_home}
        build = where.get(str(container.get("type")))
        if build is None:
            raise ApiError("invalid_arguments", "container.type is message, view or home")
        content = build(user, container, action)
        if state is not None:
            content["state"] = state
            if "view" in content:
                content["view"]["state"] = state
        workspace = self._playground.workspace
        from_modal = container["type"] == "view"
        payload = interaction(
            "block_actions",
            user=workspace.users[user],
            workspace=workspace,
            trigger_id=self._new_trigger(user, from_modal=from_modal),
            **content,
        )
        return await self._playground.socket.send_interaction(payload, accepts_response=False)

    async def submit(self, user: str, view_id: str, values: JSON) -> JSON:
        """Send view_submission and do what the app's acknowledgement says; gives the errors to show, if any."""
        view = self._owned(user, view_id)
        missing = missing_inputs(view.body, values)
        if missing:
            return self._show_errors(user, view.body, missing)
        view.body["state"] = {"values": values}
        workspace = self._playground.workspace
        payload = interaction(
            "view_submission",
            user=workspace.users[user],
            workspace=workspace,
            trigger_id=self._new_trigger(user, from_modal=True),
            view=copy.deepcopy(view.body),
            response_urls=[],
        )
        answer = await self._playground.socket.send_interaction(payload, accepts_response=True)
        if not answer.received:
            raise ApiError("operation_timed_out")
        return self._apply(user, view, answer.payload or {})

    async def close(self, user: str, view_id: str) -> None:
        """Close the top modal; the app is told where it asked for that."""
        view = self._owned(user, view_id)
        self._drop(user, view_id)
        if not view.body["notify_on_close"]:
            return
        workspace = self._playground.workspace
        payload = interaction(
            "view_closed",
            user=workspace.users[user],
            workspace=workspace,
            view=copy.deepcopy(view.body),
            is_cleared=False,
        )
        await self._playground.socket.send_interaction(payload, accepts_response=False)

    async def slash(self, user: str, channel: Channel, command: str, text: str) -> tuple[ResponseUrl, JSON | None]:
        """Send a slash command; gives where answers go, and what the app's acknowledgement says, if anything."""
        workspace = self._playground.workspace
        address = self._new_response_url(channel, user)
        payload = {
            "token": "playground",
            "team_id": TEAM_ID,
            "team_domain": workspace.domain,
            "channel_id": channel.id,
            "channel_name": channel.name or "directmessage",
            "user_id": user,
            "user_name": workspace.users[user].name,
            "command": command,
            "text": text,
            "api_app_id": APP_ID,
            "is_enterprise_install": "false",
            "response_url": address,
            "trigger_id": self._new_trigger(user, from_modal=False),
        }
        answer = await self._playground.socket.send_command(payload)
        if not answer.received:
            raise ApiError("operation_timed_out")
        return self.response_urls[address.rpartition("/")[2]], answer.payload

    async def shortcut(self, user: str, callback_id: str, place: tuple[Channel, JSON] | None) -> None:
        """Send a shortcut: one of a message, or a global one, which has no address to answer to."""
        workspace = self._playground.workspace
        content: JSON = {
            "callback_id": callback_id,
            "trigger_id": self._new_trigger(user, from_modal=False),
            "action_ts": workspace.next_ts(),
        }
        if place is not None:
            channel, message = place
            content |= {
                "message_ts": message["ts"],
                "message": copy.deepcopy(message),
                "channel": {"id": channel.id, "name": channel.name or "directmessage"},
                "response_url": self._new_response_url(channel, user, thread_ts=message.get("thread_ts")),
            }
        kind = "shortcut" if place is None else "message_action"
        payload = interaction(kind, user=workspace.users[user], workspace=workspace, **content)
        answer = await self._playground.socket.send_interaction(payload, accepts_response=False)
        if not answer.received:
            raise ApiError("operation_timed_out")

    def take_response_url(self, key: str) -> ResponseUrl:
        """Use a response address once; raises ApiError where it is unknown, used up or too old."""
        found = self.response_urls.get(key)
        if found is None:
            raise ApiError("invalid_url", status=404)
        age = self._playground.workspace.now() - found.created_at
        if age > RESPONSE_URL_SECONDS / self._playground.socket.time_scale:
            raise ApiError("expired_url", status=404)
        if found.uses_left == 0:
            raise ApiError("used_url", status=404)
        found.uses_left -= 1
        return found

    # Where an action happened

    def _in_message(self, user: str, container: JSON, action: JSON) -> JSON:
        workspace = self._playground.workspace
        channel = workspace.channels.get(str(container.get("channel")))
        ts = str(container.get("ts"))
        if channel is None or user not in channel.members:
            raise ApiError("channel_not_found")
        ephemeral = workspace.ephemerals.get((channel.id, ts))
        if ephemeral is not None and ephemeral.user != user:
            ephemeral = None
        message = ephemeral.message if ephemeral else channel.messages.get(ts)
        if message is None:
            raise ApiError("message_not_found")
        place = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral is not None}
        if "thread_ts" in message:
            place["thread_ts"] = message["thread_ts"]
        content: JSON = {
            "container": place,
            "channel": {"id": channel.id, "name": channel.name or "directmessage"},
            "actions": [self._action(message.get("blocks", []), action)],
            "state": {"values": {}},
            "response_url": self._new_response_url(
                channel, user, message_ts=message["ts"], thread_ts=message.get("thread_ts")
            ),
        }
        return content if ephemeral else content | {"message": copy.deepcopy(message)}

    def _in_view(self, user: str, container: JSON, action: JSON) -> JSON:
        view = self._owned(user, str(container.get("view_id")))
        return self._view_content(view.body, action)

    def _in_home(self, user: str, container: JSON, action: JSON) -> JSON:
        del container
        home = self._playground.workspace.homes.get(user)
        if home is None:
            raise ApiError("view_not_found")
        return self._view_content(home, action)

    def _view_content(self, body: JSON, action: JSON) -> JSON:
        return {
            "container": {"type": "view", "view_id": body["id"]},
            "view": copy.deepcopy(body),
            "actions": [self._action(body["blocks"], action)],
        }

    def _action(self, blocks: list[JSON], action: JSON) -> JSON:
        element = find_element(blocks, str(action.get("block_id")), str(action.get("action_id")))
        if element is None:
            raise ApiError("element_not_found")
        sent: JSON = {
            "type": element["type"],
            "block_id": action["block_id"],
            "action_id": element["action_id"],
            "action_ts": self._playground.workspace.next_ts(),
        }
        return sent | chosen_value(element, action)

    # Small steps

    def _new_trigger(self, user: str, *, from_modal: bool) -> str:
        trigger_id = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**10)}.{secrets.token_hex(16)}"
        now = self._playground.workspace.now()
        # Old ones are kept for a minute, so that a late use hears that it came too late.
        self._triggers = {key: trigger for key, trigger in self._triggers.items() if trigger.created_at > now - 60}
        self._triggers[trigger_id] = Trigger(user=user, created_at=now, from_modal=from_modal)
        return trigger_id

    def _exchange(self, trigger_id: str) -> Trigger:
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise ApiError("invalid_trigger_id")
        if trigger.used:
            raise ApiError("exchanged_trigger_id")
        if self._playground.workspace.now() - trigger.created_at > TRIGGER_SECONDS:
            raise ApiError("expired_trigger_id")
        trigger.used = True
        return trigger

    def _new_response_url(
        self, channel: Channel, user: str, *, message_ts: str = "", thread_ts: str | None = None
    ) -> str:
        """Make an address for answers; the newest is the last in `response_urls`."""
        key = secrets.token_urlsafe(24)
        self.response_urls[key] = ResponseUrl(
            channel=channel.id,
            user=user,
            message_ts=message_ts,
            thread_ts=thread_ts,
            follows_answers=not message_ts,
            created_at=self._playground.workspace.now(),
        )
        return f"{self._playground.url}actions/{TEAM_ID}/{key}"

    def _new_body(self, view: JSON, *, root: str | None, previous: str | None) -> JSON:
        self.check_external_id(view.get("external_id"))
        view_id = new_id("V")
        body = {
            "id": view_id,
            "team_id": TEAM_ID,
            "app_id": APP_ID,
            "app_installed_team_id": TEAM_ID,
            "bot_id": BOT_ID,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "title": None,
            "close": None,
            "submit": None,
            "clear_on_close": False,
            "notify_on_close": False,
            "state": {"values": {}},
            "root_view_id": root or view_id,
            "previous_view_id": previous,
            **view,
        }
        return body | {"hash": f"{int(self._playground.workspace.now())}.{secrets.token_hex(4)}"}

    def _show(self, action: str, user: str, body: JSON) -> JSON:
        self._views[body["id"]] = OpenView(user=user, body=body)
        self._playground.pages.to_user(user, {"type": "view", "action": action, "view": body})
        return copy.deepcopy(body)

    def _replace(self, found: OpenView, view: JSON) -> JSON:
        old = found.body
        self.check_external_id(view.get("external_id"), besides=old["id"])
        kept = {key: old[key] for key in ("id", "root_view_id", "previous_view_id")}
        found.body = self._new_body(view | {"external_id": ""}, root=None, previous=None) | kept
        found.body["external_id"] = view.get("external_id", "")
        return self._show("update", found.user, found.body)

    def _find(self, view_id: str | None, external_id: str | None) -> OpenView:
        for view in self._views.values():
            if view.body["id"] == view_id or (external_id and view.body["external_id"] == external_id):
                return view
        raise ApiError("not_found")

    def _owned(self, user: str, view_id: str) -> OpenView:
        view = self._views.get(view_id)
        if view is None or view.user != user:
            raise ApiError("view_not_found")
        return view

    def _drop(self, user: str, view_id: str, *, whole_stack: bool = False) -> None:
        stack = self._stacks.get(user, [])
        gone = list(stack) if whole_stack else [view_id]
        self._stacks[user] = [kept for kept in stack if kept not in gone]
        for each in reversed(gone):
            view = self._views.pop(each, None)
            if view is not None:
                self._playground.pages.to_user(user, {"type": "view", "action": "close", "view": view.body})

    def _apply(self, user: str, view: OpenView, response: JSON) -> JSON:
        action = response.get("response_action")
        if action == "errors":
            return self._show_errors(user, view.body, response.get("errors", {}))
        if action == "update":
            self._replace(view, response["view"])
        elif action == "push":
            stack = self._stacks[user]
            body = self._new_body(response["view"], root=stack[0], previous=stack[-1])
            stack.append(body["id"])
            self._show("push", user, body)
        else:
            self._drop(user, view.body["id"], whole_stack=action == "clear")
        return {}

    def _show_errors(self, user: str, body: JSON, errors: JSON) -> JSON:
        self._playground.pages.to_user(user, {"type": "view", "action": "errors", "view": body, "errors": errors})
        return errors
