"""Tokens: asked of Slack before anything starts, and named when they are not good."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import SlackSetupError
from bot.settings import Settings, load_settings
from bot.slack.credentials import check_credentials, require_tokens
from bot.slack.manifest import SCOPES
from tests.bot.slack_double import slack_double

GOOD = {
    "auth.test": {"ok": True, "team": "Acme", "user": "lorekeeper", "user_id": "U1"},
    "apps.connections.open": {"ok": True, "url": "wss://example.invalid/"},
}


def settings(tmp_path: Path, url: str = "", bot: str = "xoxb-1", app: str = "xapp-1") -> Settings:
    return load_settings({"SLACK_BOT_TOKEN": bot, "SLACK_APP_TOKEN": app, "SLACK_API_URL": url}, tmp_path)


def test_good_tokens_name_the_team_and_the_bot(tmp_path: Path) -> None:
    with slack_double(GOOD, scopes=",".join(SCOPES)) as slack:
        installation = check_credentials(settings(tmp_path, slack.url))
    assert (installation.team, installation.bot, installation.missing_scopes) == ("Acme", "lorekeeper", ())
    assert slack.asked == [("auth.test", "xoxb-1"), ("apps.connections.open", "xapp-1")]


def test_missing_scopes_are_listed(tmp_path: Path) -> None:
    granted = ",".join(sorted(set(SCOPES) - {"reactions:read"}))
    with slack_double(GOOD, scopes=granted) as slack:
        assert check_credentials(settings(tmp_path, slack.url)).missing_scopes == ("reactions:read",)


@pytest.mark.parametrize(
    ("method", "variable"), [("auth.test", "SLACK_BOT_TOKEN"), ("apps.connections.open", "SLACK_APP_TOKEN")]
)
def test_a_token_that_slack_refuses_is_named(tmp_path: Path, method: str, variable: str) -> None:
    replies = {**GOOD, method: {"ok": False, "error": "invalid_auth"}}
    with (
        slack_double(replies) as slack,
        pytest.raises(SlackSetupError, match=rf"refuses {variable} \({method}: invalid_auth\)") as caught,
    ):
        check_credentials(settings(tmp_path, slack.url))
    assert "xoxb" not in str(caught.value)
    assert "xapp" not in str(caught.value)


def test_an_address_where_nothing_answers_is_named(tmp_path: Path) -> None:
    with slack_double(GOOD) as slack:
        gone = slack.url
    with pytest.raises(SlackSetupError, match="does not answer"):
        check_credentials(settings(tmp_path, gone))


def test_a_token_that_is_not_set_is_named_with_where_it_is_found(tmp_path: Path) -> None:
    with pytest.raises(SlackSetupError, match="SLACK_APP_TOKEN is not set"):
        require_tokens(settings(tmp_path, app=""))


def test_swapped_tokens_are_noticed_without_asking_slack(tmp_path: Path) -> None:
    with pytest.raises(SlackSetupError, match="SLACK_BOT_TOKEN is not a token of the right kind"):
        require_tokens(settings(tmp_path, bot="xapp-1", app="xoxb-1"))
