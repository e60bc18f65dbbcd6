"""What people do with the bot's home page and forms in a playground, and what they see there."""

from __future__ import annotations

from typing import Any

from tests.bot.dialogue import Workspace, wait_until


def said(value: object) -> str:
    """Every text of a view or block, joined."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return " ".join(own + [said(inner) for inner in value.values() if isinstance(inner, dict | list)])
    return " ".join(said(inner) for inner in value) if isinstance(value, list) else ""


class Pages:
    """The pages that one person sees."""

    def __init__(self, workspace: Workspace, user: str) -> None:
        self._workspace = workspace
        self._user = user

    def open_home(self) -> str:
        """Look at the home page; returns what it says once it is there."""
        before = len(self._published())
        self.visit()
        wait_until(lambda: len(self._published()) > before)
        return self.home

    def visit(self) -> None:
        """Go to the home page, and do not wait for what it says."""
        self._workspace.act("open_home", user=self._user, tab="home")

    @property
    def home(self) -> str:
        """What the home page says now."""
        return said(self.home_blocks)

    @property
    def home_blocks(self) -> list[dict[str, Any]]:
        """The blocks of the home page as Slack keeps them."""
        blocks: list[dict[str, Any]] = self._published()[-1]["response"]["view"]["blocks"]
        return blocks

    def use(self, action_id: str, **chosen: Any) -> None:
        """Press a button or choose something on the home page; `value` tells buttons with one id apart."""
        block_id, _ = self._element(self.home_blocks, action_id, chosen.get("value"))
        action = {"block_id": block_id, "action_id": action_id, **chosen}
        self._workspace.act("block_action", user=self._user, container={"type": "home"}, action=action)

    def enter(self, action_id: str, value: str) -> None:
        """Type into a field of the home page and press Enter."""
        block_id, _ = self._element(self.home_blocks, action_id, None)
        action = {"block_id": block_id, "action_id": action_id, "value": value}
        self._workspace.act("block_action", user=self._user, container={"type": "home"}, action=action)

    def use_and_see(self, action_id: str, **chosen: Any) -> str:
        """Do so, and wait until the home page is there anew."""
        before = len(self._published())
        self.use(action_id, **chosen)
        wait_until(lambda: len(self._published()) > before)
        return self.home

    def choose(self, action_id: str, value: str) -> str:
        """Choose an option on the home page; returns what it says after that."""
        _, element = self._element(self.home_blocks, action_id, None)
        option = next(one for one in element["options"] if one["value"] == value)
        return self.use_and_see(action_id, selected_option=option)

    def opened(self, count: int = 1) -> dict[str, Any]:
        """Wait for the form that opened as the `count`th; returns it."""
        wait_until(lambda: len(self._workspace.ledger("call", "views.open")) >= count)
        call = self._workspace.ledger("call", "views.open")[count - 1]
        assert call["status"] == "ok", call
        view: dict[str, Any] = call["response"]["view"]
        return view

    def submit(self, view: dict[str, Any], **values: dict[str, Any]) -> dict[str, str]:
        """Send a form; `values` are by field. Returns the errors that it shows."""
        state = {name: {name: {"type": "x", **value}} for name, value in values.items()}
        answer = self._workspace.act("view_submit", user=self._user, view_id=view["id"], values=state)
        errors: dict[str, str] = answer.get("errors") or {}
        return errors

    def acknowledged(self) -> str:
        """What the last acknowledgement that carried a view says."""
        views = [(entry["request"].get("payload") or {}).get("view") for entry in self._workspace.ledger("ack")]
        return said([view for view in views if view][-1:])

    def _published(self) -> list[dict[str, Any]]:
        calls = self._workspace.ledger("call", "views.publish")
        return [call for call in calls if call["status"] == "ok" and call["request"]["user_id"] == self._user]

    @staticmethod
    def _element(blocks: list[dict[str, Any]], action_id: str, value: str | None) -> tuple[str, dict[str, Any]]:
        for block in blocks:
            for element in [*block.get("elements", []), block.get("accessory") or {}, block.get("element") or {}]:
                if element.get("action_id") == action_id and value in (None, element.get("value")):
                    return str(block["block_id"]), element
        raise AssertionError(f"nothing on the page has the action {action_id}")


def chosen(block: dict[str, Any], *values: str) -> list[dict[str, Any]]:
    """The options of a form's field with these values."""
    return [one for one in block["element"]["options"] if one["value"] in values]
