"""The bot's token goes to Slack and to nobody else."""

from __future__ import annotations

import pytest

from bot.slack.download import DownloadError, download, is_slacks

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
