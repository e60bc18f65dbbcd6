"""The playground as a process of its own: started, stopped, restarted with its state, refused a port."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from slack_sdk import WebClient

from bot.errors import PortInUseError, SettingsError
from bot.playground.process import PlaygroundProcess, start_playground
from tests.playground.site import wait_for

GENERAL = "C0GENERAL"


def client(playground: PlaygroundProcess) -> WebClient:
    """Give the SDK's client for a process."""
    return WebClient(playground.bot_token, base_url=playground.api_url, retry_handlers=[])


def test_a_restart_keeps_the_conversation_and_changes_the_tokens(tmp_path: Path) -> None:
    state = tmp_path / "new folder" / "playground.json"
    with start_playground(port=0, state=state) as first:
        posted = client(first).chat_postMessage(channel=GENERAL, text="remember me")
        home = {"type": "home", "blocks": [{"type": "divider"}]}
        client(first).views_publish(user_id="U0ADAPARK", view=home)
    with start_playground(port=0, state=state) as second:
        messages = client(second).conversations_history(channel=GENERAL)["messages"]
        assert [(m["ts"], m["text"]) for m in messages] == [(posted["ts"], "remember me")]
        later = client(second).chat_postMessage(channel=GENERAL, text="and me")
        assert later["ts"] > posted["ts"]
        assert first.bot_token != second.bot_token
    assert [path.name for path in state.parent.iterdir()] == ["playground.json"]
    assert "U0ADAPARK" in json.loads(state.read_text("utf-8"))["homes"]


def test_given_tokens_are_kept(tmp_path: Path) -> None:
    with start_playground(port=0, bot_token="xoxb-mine", app_token="xapp-mine") as playground:
        assert (playground.bot_token, playground.app_token) == ("xoxb-mine", "xapp-mine")
        assert client(playground).auth_test()["ok"]
        assert "xoxb" not in repr(playground)


def test_folders_are_shown_from_when_they_are_named(tmp_path: Path) -> None:
    """A folder may become a source while the playground runs, and another be none any more."""
    files = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        files.append(tmp_path / name / "page.md")
        files[-1].write_text(f"This is {name}.", encoding="utf-8")
    with start_playground(port=0, documents=[tmp_path / "one"]) as playground, httpx.Client() as http:

        def statuses() -> list[int]:
            pages = (f"{playground.url}document?{urlencode({'uri': file.as_uri()})}" for file in files)
            return [http.get(page).status_code for page in pages]

        assert statuses() == [200, 404]
        playground.show_documents([tmp_path / "two"])
        wait_for(lambda: statuses() == [404, 200] or None)
    playground.show_documents([tmp_path])


def test_a_port_in_use_is_named_with_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUseError, match=rf"127\.0\.0\.1:{port}.*playground\.port"):
            start_playground(port=port)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 99}', '{"format": 1, "users": 3}'])
def test_a_broken_state_file_is_named_and_left_alone(tmp_path: Path, content: str) -> None:
    state = tmp_path / "state.json"
    state.write_text(content, "utf-8")
    with pytest.raises(SettingsError, match=r"state\.json"):
        start_playground(port=0, state=state)
    assert state.read_text("utf-8") == content


def test_it_ends_with_the_process_that_started_it() -> None:
    playground = start_playground(port=0)
    assert httpx.get(f"{playground.url}playground/api/ledger").status_code == 200
    playground.stop()
    playground.stop()
    assert playground.process.returncode == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(playground.url)
