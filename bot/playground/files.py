"""Files that people and the bot share: Slack's description of each, and its bytes, kept beside the state file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from bot.playground import events
from bot.playground.errors import ApiError
from bot.playground.workspace import BOT_USER_ID, JSON, TEAM_ID, Channel, new_id

if TYPE_CHECKING:
    from bot.playground.playground import Playground

MOST_BYTES = 20_000_000
_TYPES = {
    "md": ("markdown", "Markdown (raw)"),
    "txt": ("text", "Plain Text"),
    "csv": ("csv", "CSV"),
    "json": ("json", "JSON"),
    "html": ("html", "HTML"),
    "pdf": ("pdf", "PDF"),
    "png": ("png", "PNG"),
    "jpg": ("jpg", "JPEG"),
    "jpeg": ("jpg", "JPEG"),
    "gif": ("gif", "GIF"),
    "docx": ("docx", "Word Document"),
    "xlsx": ("xlsx", "Excel Spreadsheet"),
    "pptx": ("pptx", "PowerPoint Presentation"),
    "zip": ("zip", "Zip"),
}


class Files:
    """All files; used from the server's loop only."""

    def __init__(self, playground: Playground) -> None:
        self._playground = playground
        state = playground.options.state
        self._folder = None if state is None else state.with_name(f"{state.name}.files")
        self._contents: dict[str, bytes] = {}

    def add(self, *, user: str, name: str, mimetype: str, content: bytes, file_id: str | None = None) -> JSON:
        """Keep a file and give its description."""
        file_id = file_id or new_id("F")
        if self._folder is None:
            self._contents[file_id] = content
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / file_id).write_bytes(content)
        described = self._describe(file_id, user=user, name=name, mimetype=mimetype, size=len(content))
        self._playground.workspace.files[file_id] = described
        self._playground.changed()
        return described

    def find(self, file_id: str) -> JSON | None:
        """Find a file's description."""
        return self._playground.workspace.files.get(file_id)

    def content(self, file_id: str) -> bytes | None:
        """Read a file's bytes; None where there is no such file."""
        if self.find(file_id) is None:
            return None
        if self._folder is None:
            return self._contents.get(file_id)
        path = self._folder / file_id
        return path.read_bytes() if path.exists() else None

    def is_visible_to_bot(self, file: Mapping[str, Any]) -> bool:
        """Tell whether the bot may see a file: its own, or one shared where it is, or in a public channel."""
        places = [channel for channel, _ in self.shares(str(file["id"]))]
        return file["user"] == BOT_USER_ID or any(c.kind == "public" or BOT_USER_ID in c.members for c in places)

    def shares(self, file_id: str) -> Iterator[tuple[Channel, JSON]]:
        """List the messages that show a file."""
        for channel in self._playground.workspace.channels.values():
            for message in channel.messages.values():
                if any(file["id"] == file_id for file in message.get("files", [])):
                    yield channel, message

    def tell_of_shares(self, channel: Channel, message: JSON) -> None:
        """Send file_shared for each file of a new message."""
        for file in message.get("files", []):
            event_ts = self._playground.workspace.next_ts()
            self._playground.emit(events.file_shared(file, channel, user=message["user"], event_ts=event_ts))

    def delete(self, file_id: str, *, seen: bool) -> None:
        """Delete a file; messages keep a stone in its place, and the app hears of it where it could see it."""
        shares = list(self.shares(file_id))
        del self._playground.workspace.files[file_id]
        self._contents.pop(file_id, None)
        if self._folder is not None:
            (self._folder / file_id).unlink(missing_ok=True)
        stone = {"id": file_id, "mode": "tombstone"}
        for channel, message in shares:
            files = [stone if each["id"] == file_id else each for each in message["files"]]
            self._playground.change(channel, message, {"files": files})
        if seen:
            event_ts = self._playground.workspace.next_ts()
            self._playground.emit({"type": "file_deleted", "file_id": file_id, "event_ts": event_ts})
        self._playground.changed()

    def delete_unshared(self, message: JSON, *, seen: bool) -> None:
        """Delete the files of a message that is gone, where no other message shows them."""
        for file in message.get("files", []):
            if self.find(file["id"]) is not None and not any(self.shares(file["id"])):
                self.delete(file["id"], seen=seen)

    def check_blocks(self, arguments: Mapping[str, Any]) -> None:
        """Refuse images of files that the bot cannot see."""
        for argument, refusal in (("blocks", "invalid_blocks"), ("view", "invalid_arguments")):
            for file_id in _slack_files(arguments.get(argument)):
                file = self.find(file_id)
                if file is None or not self.is_visible_to_bot(file):
                    raise ApiError(refusal, f"[ERROR] invalid slack file: {file_id} [json-pointer:/{argument}]")

    def _describe(self, file_id: str, *, user: str, name: str, mimetype: str, size: int) -> JSON:
        filetype, pretty = _TYPES.get(PurePosixPath(name).suffix.removeprefix(".").lower(), ("binary", "Binary"))
        workspace, url = self._playground.workspace, self._playground.url
        now = int(workspace.now())
        return {
            "id": file_id,
            "created": now,
            "timestamp": now,
            "name": name,
            "title": name,
            "mimetype": mimetype,
            "filetype": filetype,
            "pretty_type": pretty,
            "user": user,
            "user_team": workspace.team_of(user),
            "editable": False,
            "size": size,
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": False,
            "public_url_shared": False,
            "display_as_bot": False,
            "username": "",
            "url_private": f"{url}files-pri/{TEAM_ID}-{file_id}/{_in_address(name)}",
            "url_private_download": f"{url}files-pri/{TEAM_ID}-{file_id}/download/{_in_address(name)}",
            "permalink": f"{url}playground/file/{file_id}",
            "has_rich_preview": False,
            "file_access": "visible",
        }


def clean_name(name: object) -> str:
    """Give a file's name without folders; empty where there is none."""
    return PurePosixPath(str(name or "").replace("\\", "/")).name.strip()[:255]


def _in_address(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name).lower() or "file"


def _slack_files(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _slack_files(item)
    elif isinstance(value, dict):
        found = value.get("slack_file")
        if isinstance(found, dict):
            yield str(found.get("id") or str(found.get("url")).rpartition("/")[2])
        for item in value.values():
            yield from _slack_files(item)
