"""Installing over OAuth, and the end of an installation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.playground.site import ADA, BEN, GENERAL, Site, error_of

BACK = "http://127.0.0.1:9/slack/oauth_redirect"


def asked(site: Site, **changes: str) -> dict[str, str]:
    """Give the parameters of a good question."""
    good = {"client_id": site.tokens.client_id, "scope": "chat:write,im:history", "redirect_uri": BACK, "state": "s1"}
    return {**good, **changes}


def allow(site: Site, **changes: str) -> dict[str, str]:
    """Press Allow, and give what comes back to the app."""
    page = site.http.get("oauth/v2/authorize", params=asked(site, **changes))
    assert page.status_code == 200
    link = page.text.partition("<a class='allow' href='")[2].partition("'")[0].replace("&amp;", "&")
    answer = site.http.get(f"oauth/v2/authorize{link}")
    location = answer.headers["location"]
    assert (answer.status_code, location.partition("?")[0]) == (302, BACK)
    return {key: values[0] for key, values in parse_qs(urlsplit(location).query).items()}


def access(site: Site, **arguments: Any) -> Any:
    """Exchange a code as the SDK does, with the client's id and secret in a header."""
    secret = {"client_id": site.tokens.client_id, "client_secret": site.tokens.client_secret}
    return site.client().oauth_v2_access(**{**secret, "redirect_uri": BACK, **arguments})


def test_an_app_is_allowed_and_gets_the_token_of_the_team(site: Site) -> None:
    back = allow(site)
    assert back["state"] == "s1"
    answer = access(site, code=back["code"])
    assert answer["access_token"] == site.tokens.bot
    assert (answer["team"], answer["enterprise"]) == ({"id": "T0PLAYGROUND", "name": "Playground"}, None)
    assert (answer["bot_user_id"], answer["app_id"], answer["authed_user"]["id"]) == (
        *("U0LOREKEEPER", "A0LOREKEEPER"),
        ADA,
    )
    assert error_of(access, site=site, code=back["code"]) == "invalid_code"
    seen = str(site.ledger("call", "oauth.v2.access"))
    for secret in (site.tokens.bot, site.tokens.client_secret, back["code"]):
        assert secret not in seen


def test_a_person_can_say_no_and_only_admins_can_say_yes(site: Site) -> None:
    no = site.http.get("oauth/v2/authorize", params=asked(site, answer="no"))
    assert parse_qs(urlsplit(no.headers["location"]).query) == {"error": ["access_denied"], "state": ["s1"]}
    assert site.http.get("oauth/v2/authorize", params=asked(site, answer="yes", user=BEN)).status_code == 403


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_id": "1.2"}, "invalid_client_id"),
        ({"redirect_uri": "javascript:alert(1)"}, "bad_redirect_uri"),
        ({"scope": ""}, "no_scopes"),
    ],
)
def test_a_wrong_question_is_not_put(site: Site, changes: dict[str, str], said: str) -> None:
    page = site.http.get("oauth/v2/authorize", params=asked(site, **changes))
    assert page.status_code == 400
    assert said in page.text


def test_a_manifest_names_scopes_and_addresses(start: Callable[..., Site]) -> None:
    oauth = {"scopes": {"bot": ["chat:write"]}, "redirect_urls": ["http://127.0.0.1:9/slack"]}
    site = start(manifest={"oauth_config": oauth})
    assert "invalid_scope" in site.http.get("oauth/v2/authorize", params=asked(site)).text
    elsewhere = asked(site, scope="chat:write", redirect_uri="http://a.example/")
    assert "bad_redirect_uri" in site.http.get("oauth/v2/authorize", params=elsewhere).text
    assert access(site, code=allow(site, scope="chat:write")["code"])["scope"] == "chat:write"


def test_what_an_exchange_refuses(site: Site) -> None:
    code = allow(site)["code"]
    assert error_of(access, site=site, code=code, client_id="1.2") == "invalid_client_id"
    assert error_of(access, site=site, code=code, client_secret="x") == "bad_client_secret"
    assert error_of(access, site=site, code=code, grant_type="password") == "invalid_grant_type"
    assert error_of(access, site=site, code="nonsense") == "invalid_code"
    assert error_of(access, site=site, code=code, redirect_uri="http://a.example/") == "bad_redirect_uri"


@pytest.mark.parametrize("how", ["by a person", "apps.uninstall", "auth.revoke"])
def test_an_uninstalled_app_hears_of_it_and_its_token_is_dead(site: Site, how: str) -> None:
    file = site.act("say", user=ADA, channel=GENERAL, text="x", files=[{"name": "a.md", "content": "YQ=="}])["ts"]
    address = site.client().conversations_history(channel=GENERAL)["messages"][0]["files"][0]["url_private"]
    assert file
    with site.app_connection() as app, site.page(ADA) as page:
        assert page.read()["bot_connected"] is True
        for envelope in app.read_all():
            app.acknowledge(envelope)
        end: dict[str, Callable[[], Any]] = {
            "by a person": lambda: site.act("uninstall", user=ADA),
            "apps.uninstall": lambda: site.client().apps_uninstall(
                client_id=site.tokens.client_id, client_secret=site.tokens.client_secret
            ),
            "auth.revoke": lambda: site.client().auth_revoke(),
        }
        end[how]()
        revoked, uninstalled = app.read(), app.read()
        for envelope in (revoked, uninstalled):
            app.acknowledge(envelope)
        assert page.read_until("bot")["connected"] is False
        site.say("is anybody there?")
        assert app.is_quiet()
    assert revoked["payload"]["event"]["tokens"] == {"oauth": [], "bot": ["U0LOREKEEPER"]}
    assert uninstalled["payload"]["event"]["type"] == "app_uninstalled"
    assert error_of(site.client().auth_test) == "account_inactive"
    assert httpx.get(address, headers={"Authorization": f"Bearer {site.tokens.bot}"}).status_code == 302
    slash = {"user": ADA, "channel": GENERAL, "command": "/lore"}
    assert site.try_to("slash", **slash)["error"] == "app_not_installed"
    assert site.try_to("uninstall", user=ADA)["error"] == "app_not_installed"


def test_an_app_that_comes_back_gets_another_token(site: Site) -> None:
    site.act("uninstall", user=ADA)
    token = access(site, code=allow(site)["code"])["access_token"]
    assert token != site.tokens.bot
    assert site.client(token).auth_test()["ok"]
    assert error_of(site.client().auth_test) == "account_inactive"
