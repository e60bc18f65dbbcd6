"""What people do with buttons and forms: triggers, modals, response addresses, and the payloads the app gets."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bot.playground.blocks import modal_view
from bot.playground.elements import chosen_value, complete_state, find_element, form_errors
from bot.playground.errors import ApiError
from bot.playground.events import interaction
from bot.playground.rights import ResponseUrl, Rights
from bot.playground.workspace import APP_ID, BOT_ID, JSON, TEAM_ID, Channel, new_id

if TYPE_CHECKING:
    from bot.playground.delivery import Acknowledgement
    from bot.playground.playground import Playground

MOST_STACKED_VIEWS = 3


@dataclass(kw_only=True)
class OpenView:
    """A modal that somebody looks at."""

    user: str
    body: JSON = field(repr=False)


class Interactivity:
    """Triggers, open modals and response addresses; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        self.rights = Rights(playground)
        self._views: dict[str, OpenView] = {}
        self._stacks: dict[str, list[str]] = {}

    # Modals, called by the views methods

    def open(self, trigger_id: str, view: JSON) -> JSON:
        """Open a modal in front of the person who gave the trigger."""
        trigger = self.rights.exchange(trigger_id)
        body = self._new_body(view, root=None, previous=None)
        self._stacks[trigger.user] = [body["id"]]
        return self._show("open", trigger.user, body)

    def push(self, trigger_id: str, view: JSON) -> JSON:
        """Put a modal on top of the one that gave the trigger."""
        trigger = self.rights.exchange(trigger_id)
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

    async def block_action(self, user: str, container: JSON, action: JSON, values: JSON) -> Acknowledgement:
        """Send block_actions for an element that the person may see; raises ApiError where there is no such element."""
        blocks, content = self._place(user, container)
        workspace = self._playground.workspace
        sent = self._action(blocks, action)
        state = complete_state(blocks, values, workspace)
        if "view" in content:
            content["view"]["state"] = state
        else:
            content["state"] = state
        payload = interaction(
            "block_actions",
            user=workspace.users[user],
            workspace=workspace,
            trigger_id=self.rights.new_trigger(user, from_modal=container["type"] == "view"),
            **content,
            actions=[sent],
        )
        return await self._playground.delivery.send_interaction(payload, accepts_response=False)

    async def suggest(self, user: str, container: JSON, action: JSON, typed: str) -> JSON:
        """Ask the app for the options of an external select; gives its `options` or `option_groups`."""
        blocks, content = self._place(user, container)
        element = find_element(blocks, str(action.get("block_id")), str(action.get("action_id")))
        if element is None or element["type"] not in ("external_select", "multi_external_select"):
            raise ApiError("element_not_found")
        workspace = self._playground.workspace
        content.pop("response_url", None)
        named = {"block_id": action["block_id"], "action_id": action["action_id"], "value": typed}
        payload = interaction("block_suggestion", user=workspace.users[user], workspace=workspace, **content, **named)
        answer = await self._playground.delivery.send_interaction(payload, accepts_response=True)
        if not answer.received:
            raise ApiError("operation_timed_out")
        return {key: value for key, value in (answer.payload or {}).items() if key in ("options", "option_groups")}

    async def submit(self, user: str, view_id: str, values: JSON) -> JSON:
        """Send view_submission and do what the app's acknowledgement says; gives the errors to show, if any."""
        view = self._owned(user, view_id)
        workspace = self._playground.workspace
        state = complete_state(view.body["blocks"], values, workspace)
        errors = form_errors(view.body, state)
        if errors:
            return self._show_errors(user, view.body, errors)
        view.body["state"] = state
        payload = interaction(
            "view_submission",
            user=workspace.users[user],
            workspace=workspace,
            trigger_id=self.rights.new_trigger(user, from_modal=True),
            view=copy.deepcopy(view.body),
            response_urls=[],
        )
        answer = await self._playground.delivery.send_interaction(payload, accepts_response=True)
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
        await self._playground.delivery.send_interaction(payload, accepts_response=False)

    async def slash(self, user: str, channel: Channel, command: str, text: str) -> tuple[ResponseUrl, JSON | None]:
        """Send a slash command; gives where answers go, and what the app's acknowledgement says, if anything."""
        workspace = self._playground.workspace
        address, target = self.rights.new_address(channel, user)
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
            "trigger_id": self.rights.new_trigger(user, from_modal=False),
        }
        answer = await self._playground.delivery.send_command(payload)
        if not answer.received:
            raise ApiError("operation_timed_out")
        return target, answer.payload

    async def shortcut(self, user: str, callback_id: str, place: tuple[Channel, JSON] | None) -> None:
        """Send a shortcut: one of a message, or a global one, which has no address to answer to."""
        workspace = self._playground.workspace
        content: JSON = {
            "callback_id": callback_id,
            "trigger_id": self.rights.new_trigger(user, from_modal=False),
            "action_ts": workspace.next_ts(),
        }
        if place is not None:
            channel, message = place
            content |= {
                "message_ts": message["ts"],
                "message": copy.deepcopy(message),
                "channel": {"id": channel.id, "name": channel.name or "directmessage"},
                "response_url": self.rights.new_address(channel, user, thread_ts=message.get("thread_ts"))[0],
            }
        kind = "shortcut" if place is None else "message_action"
        payload = interaction(kind, user=workspace.users[user], workspace=workspace, **content)
        answer = await self._playground.delivery.send_interaction(payload, accepts_response=False)
        if not answer.received:
            raise ApiError("operation_timed_out")

    # Where an action happened

    def _place(self, user: str, container: JSON) -> tuple[list[JSON], JSON]:
        """Give the blocks that a person sees in a place, and what a payload says of the place."""
        kind = container.get("type")
        if kind == "message":
            return self._in_message(user, container)
        if kind == "view":
            return self._in_view(self._owned(user, str(container.get("view_id"))).body)
        if kind != "home":
            raise ApiError("invalid_arguments", "container.type is message, view or home")
        home = self._playground.workspace.homes.get(user)
        if home is None:
            raise ApiError("view_not_found")
        return self._in_view(home)

    def _in_message(self, user: str, container: JSON) -> tuple[list[JSON], JSON]:
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
        thread_ts = message.get("thread_ts")
        if thread_ts is not None:
            place["thread_ts"] = thread_ts
        content: JSON = {
            "container": place,
            "channel": {"id": channel.id, "name": channel.name or "directmessage"},
            "response_url": self.rights.new_address(channel, user, message_ts=ts, thread_ts=thread_ts)[0],
        }
        blocks: list[JSON] = message.get("blocks", [])
        return blocks, content if ephemeral else content | {"message": copy.deepcopy(message)}

    def _in_view(self, body: JSON) -> tuple[list[JSON], JSON]:
        return body["blocks"], {"container": {"type": "view", "view_id": body["id"]}, "view": copy.deepcopy(body)}

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
        return sent | chosen_value(element, action, self._playground.workspace)

    # Small steps

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
            self._replace(view, modal_view(response.get("view")))
        elif action == "push":
            stack = self._stacks[user]
            if len(stack) >= MOST_STACKED_VIEWS:
                raise ApiError("push_limit_reached")
            body = self._new_body(modal_view(response.get("view")), root=stack[0], previous=stack[-1])
            stack.append(body["id"])
            self._show("push", user, body)
        else:
            self._drop(user, view.body["id"], whole_stack=action == "clear")
        return {}

    def _show_errors(self, user: str, body: JSON, errors: JSON) -> JSON:
        self._playground.pages.to_user(user, {"type": "view", "action": "errors", "view": body, "errors": errors})
        return errors
