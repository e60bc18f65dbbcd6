"""The bot's token goes to Slack and to nobody else."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from bot.slack.download import DownloadError, NotNowError, download, is_slacks

SLACK = "https://slack.com/api/"
LOCAL = "http://127.0.0.1:3939/api/"


@pytest.mark.parametrize(
    ("url", "api_url"),
    [
        ("https://files.slack.com/files-pri/T1-F1/plan.md", SLACK),
        ("https://slack.com/files/plan.md", SLACK),
        ("http://127.0.0.1:3939/files-pri/T1-F1/plan.md", LOCAL),
        ("https://files.slack.com/files-pri/T1-F1/plan.md", LOCAL),
    ],
)
def test_slack_s_own_hosts(url: str, api_url: str) -> None:
    assert is_slacks(url, api_url)


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/plan.md",
        "https://slack.com.evil.example/plan.md",
        "https://evilslack.com/plan.md",
        "http://files.slack.com/plan.md",
        "https://files.slack.com:8443/plan.md",
        "https://files.slack.com@evil.example/plan.md",
        "https://me:word@files.slack.com/plan.md",
        "file:///etc/passwd",
        "ftp://files.slack.com/plan.md",
        "https://files.slack.com\\@evil.example/",
        "http://127.0.0.1:3940/plan.md",
        "",
    ],
)
def test_everybody_else(url: str) -> None:
    for api_url in (SLACK, LOCAL):
        assert not is_slacks(url, api_url)
        with pytest.raises(DownloadError, match="the token stays here"):
            download(url, token="xoxb-1", api_url=api_url, most_bytes=10)


class _Refusing(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def refusing() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize(("status", "passing"), [(302, False), (403, False), (404, False), (429, True), (503, True)])
def test_what_may_work_later_is_told_from_what_does_not(refusing: str, status: int, passing: bool) -> None:
    with pytest.raises(DownloadError) as refused:
        download(f"{refusing}{status}", token="xoxb-1", api_url=refusing, most_bytes=10)
    assert isinstance(refused.value, NotNowError) is passing


def test_a_server_that_is_not_there_may_be_there_later() -> None:
    with pytest.raises(NotNowError):
        download("http://127.0.0.1:9/x", token="xoxb-1", api_url="http://127.0.0.1:9/api/", most_bytes=10)
