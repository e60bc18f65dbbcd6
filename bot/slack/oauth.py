"""Installing the app from a browser: two addresses, Bolt's own OAuth flow between them, and plain pages.

Nothing that a visitor sends decides where they are led: the only way out goes to Slack.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Callable
from http.client import HTTPException
from urllib.parse import urlencode, urljoin

from slack_bolt.error import BoltError
from slack_bolt.oauth import OAuthFlow
from slack_bolt.oauth.callback_options import CallbackOptions, FailureArgs, SuccessArgs
from slack_bolt.oauth.oauth_settings import OAuthSettings
from slack_bolt.request import BoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.oauth.installation_store import Installation
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from bot import words
from bot.settings import Settings
from bot.slack.gateway import connect_client
from bot.slack.manifest import INSTALL_PATH, REDIRECT_PATH, public_address, scopes_of
from bot.slack.token_store import STATE_SECONDS, Installations, States
from knowledge.secret import Secret

logger = logging.getLogger(__name__)
# Bolt would name the code of a failed installation.
_quiet = logging.getLogger(f"{__name__}.bolt")
_quiet.setLevel(logging.ERROR)

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title><style>body{{font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em}}
@media(prefers-color-scheme:dark){{body{{background:#1a1d21;color:#e8e8e8}}a{{color:#6cb6ff}}}}</style></head>
<body><main><h1>{title}</h1><p>{text}</p><p><a href="{link}">{label}</a></p></main></body></html>"""
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
_REASONS = {
    "access_denied": words.INSTALL_CANCELLED,
    "invalid_browser": words.INSTALL_OTHER_BROWSER,
    "invalid_state": words.INSTALL_TOO_LATE,
    "missing_code": words.INSTALL_REFUSED,
    "invalid_code": words.INSTALL_REFUSED,
}


class WholeOrganisationError(BoltError):
    """An installation for all workspaces of an organisation at once: their knowledge would be in one place."""


class _Flow(OAuthFlow):
    def store_installation(self, request: BoltRequest, installation: Installation) -> None:
        if installation.is_enterprise_install or not installation.team_id or not installation.bot_token:
            raise WholeOrganisationError
        super().store_installation(request, installation)


def install_routes(
    settings: Settings, store: Installations, states: States, installed: Callable[[str], None]
) -> tuple[Route, ...]:
    """The two addresses of the installation; `installed` hears of every workspace that came or came back."""
    flow = _build_flow(settings, store, states, installed)

    async def begin(_request: Request) -> Response:
        # What the visitor's query says is not handed on.
        return await run_in_threadpool(_answer, flow.handle_installation, BoltRequest(body=""))

    async def finish(request: Request) -> Response:
        headers = {"cookie": request.headers.get("cookie", "")}
        bolt = BoltRequest(body="", query=request.url.query, headers=dict(headers))
        return await run_in_threadpool(_answer, flow.handle_callback, bolt)

    return Route(INSTALL_PATH, begin, methods=["GET"]), Route(REDIRECT_PATH, finish, methods=["GET"])


def _build_flow(
    settings: Settings, store: Installations, states: States, installed: Callable[[str], None]
) -> OAuthFlow:
    def succeed(arguments: SuccessArgs) -> BoltResponse:
        installation = arguments.installation
        installed(str(installation.team_id))
        logger.warning("workspace %s installed the app", installation.team_id)
        return _installed_page(installation)

    def fail(arguments: FailureArgs) -> BoltResponse:
        text = _REASONS.get(arguments.reason, words.INSTALL_FAILED)
        status = arguments.suggested_status_code
        if isinstance(arguments.error, WholeOrganisationError):
            text, status = words.INSTALL_WHOLE_ORGANISATION, 400
        return _failure(status, text)

    public = settings.file.slack.public_url
    return _Flow(
        client=connect_client(Secret(""), settings.slack_api_url),
        logger=_quiet,
        settings=OAuthSettings(
            client_id=settings.slack_client_id,
            client_secret=settings.slack_client_secret.reveal(),
            scopes=sorted(scopes_of()),
            redirect_uri=f"{public_address(public, own_machine=True)}{REDIRECT_PATH}" if public else None,
            install_path=INSTALL_PATH,
            install_page_rendering_enabled=False,
            redirect_uri_path=REDIRECT_PATH,
            callback_options=CallbackOptions(success=succeed, failure=fail),
            authorization_url=urljoin(settings.slack_api_url, "../oauth/v2/authorize"),
            installation_store=store,
            state_store=states,
            state_expiration_seconds=STATE_SECONDS,
            logger=_quiet,
        ),
    )


def _answer(handle: Callable[[BoltRequest], BoltResponse], request: BoltRequest) -> Response:
    try:
        reply = handle(request)
    except (SlackClientError, OSError, HTTPException) as error:
        logger.warning("Slack did not answer during an installation (%s)", type(error).__name__)
        reply = _failure(502, words.INSTALL_SLACK_SILENT)
    except Exception:
        logger.exception("an installation failed")
        reply = _failure(500, words.INSTALL_FAILED)
    response = HTMLResponse(reply.body, reply.status, dict(_PAGE_HEADERS))
    for name, values in reply.headers.items():
        if name.lower() in ("location", "set-cookie"):
            for value in values:
                response.headers.append(name, value)
    return response


def _installed_page(installation: Installation) -> BoltResponse:
    link = f"https://slack.com/app_redirect?{urlencode({'app': installation.app_id, 'team': installation.team_id})}"
    text = words.INSTALLED.format(team=installation.team_name or installation.team_id)
    return _page(200, words.INSTALLED_TITLE, text, link, words.OPEN_SLACK)


def _failure(status: int, text: str) -> BoltResponse:
    return _page(status, words.NOT_INSTALLED_TITLE, text, INSTALL_PATH, words.INSTALL_AGAIN)


def _page(status: int, title: str, text: str, link: str, label: str) -> BoltResponse:
    shown = {"title": title, "text": text, "link": link, "label": label}
    body = _PAGE.format(**{name: html.escape(value) for name, value in shown.items()})
    return BoltResponse(status=status, body=body)
