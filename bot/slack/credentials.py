"""Are the tokens any good: asked of Slack before anything starts, with words that say which one to mend."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from bot.errors import SlackSetupError
from bot.settings import Secret, Settings
from bot.slack.manifest import SCOPES

_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What Slack says about the tokens."""

    team: str
    bot: str
    missing_scopes: tuple[str, ...]


def check_credentials(settings: Settings) -> Installation:
    """Ask Slack about both tokens; raises SlackSetupError that names the token and the next step."""
    require_tokens(settings)
    identity = _ask(settings, "SLACK_BOT_TOKEN", settings.slack_bot_token, "auth.test")
    _ask(settings, "SLACK_APP_TOKEN", settings.slack_app_token, "apps.connections.open")
    granted = str(identity.headers.get("x-oauth-scopes") or "")
    missing = sorted(set(SCOPES) - {scope.strip() for scope in granted.split(",")}) if granted else []
    return Installation(
        team=str(identity.get("team", "")), bot=str(identity.get("user", "")), missing_scopes=tuple(missing)
    )


def require_tokens(settings: Settings) -> None:
    """Raise SlackSetupError where a token is not set or is one of another kind."""
    _require("SLACK_BOT_TOKEN", settings.slack_bot_token, "xoxb-", "OAuth & Permissions")
    _require("SLACK_APP_TOKEN", settings.slack_app_token, "xapp-", "Basic Information > App-Level Tokens")


def _require(name: str, token: Secret, prefix: str, page: str) -> None:
    where = f"It is on the app's page {page} and begins with {prefix}"
    if not token:
        raise SlackSetupError(
            f"{name} is not set. {where}; `lorekeeper manifest` prints what makes the app, and "
            "`lorekeeper playground` needs no token at all."
        )
    if not token.reveal().startswith(prefix):
        raise SlackSetupError(f"{name} is not a token of the right kind. {where}.")


def _ask(settings: Settings, name: str, token: Secret, method: str) -> SlackResponse:
    client = WebClient(token=token.reveal(), base_url=settings.slack_api_url, timeout=_SECONDS, retry_handlers=[])
    try:
        return client.api_call(method)
    except SlackApiError as error:
        code = error.response.get("error", "unknown_error")
        raise SlackSetupError(
            f"Slack refuses {name} ({method}: {code}). Copy it again from the app's page, "
            "and reinstall the app if its scopes have changed."
        ) from error
    except (SlackClientError, OSError, HTTPException) as error:
        raise SlackSetupError(
            f"{settings.slack_api_url} does not answer ({error}). Check the network, a proxy, and SLACK_API_URL."
        ) from error
