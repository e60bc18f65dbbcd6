"""The front door of the Web API: tokens, bodies, arguments, and switches for what goes wrong."""

from __future__ import annotations

import time

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.playground.site import ADA, GENERAL, Site, error_of, wait_for


def test_auth_test_says_who_the_bot_is(site: Site) -> None:
    answer = site.client().auth_test()
    assert (answer["user"], answer["user_id"], answer["bot_id"]) == ("lorekeeper", "U0LOREKEEPER", "B0LOREKEEPER")


@pytest.mark.parametrize(
    ("token", "method", "error"),
    [
        (None, "auth.test", "not_authed"),
        ("xoxb-wrong", "auth.test", "invalid_auth"),
        ("app", "auth.test", "not_allowed_token_type"),
        ("bot", "apps.connections.open", "not_allowed_token_type"),
        ("bot", "chat.explode", "unknown_method"),
    ],
)
def test_a_wrong_token_or_method_is_refused(site: Site, token: str | None, method: str, error: str) -> None:
    token = {"app": site.tokens.app, "bot": site.tokens.bot}.get(token or "", token)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    assert site.http.post(f"api/{method}", headers=headers).json() == {"ok": False, "error": error}


def test_arguments_come_as_json_as_a_form_or_in_the_address(site: Site) -> None:
    arguments = {"channel": GENERAL, "text": "hello", "token": site.tokens.bot}
    assert site.http.post("api/chat.postMessage", json=arguments).json()["ok"]
    assert site.http.post("api/chat.postMessage", data=arguments).json()["ok"]
    assert site.http.get("api/chat.postMessage", params=arguments).json()["ok"]


def test_a_method_that_takes_no_json_ignores_it(site: Site) -> None:
    """Slack does the same, and it is the commonest reason why a call works in a test and not in Slack."""
    answer = site.call("users.info", user=ADA)
    assert answer["error"] == "invalid_arguments"
    assert answer["response_metadata"]["messages"] == ["[ERROR] missing required field: user"]


BROKEN = [
    (b"{", "invalid_json"),
    (b"[]", "json_not_object"),
    (b'{"a": NaN}', "invalid_json"),
    (b'{"a": 1e999}', "invalid_json"),
    (b"[" * 100_000, "invalid_json"),
]


def test_bodies_that_are_not_what_they_say_are_refused(site: Site) -> None:
    headers = {"Authorization": f"Bearer {site.tokens.bot}", "Content-Type": "application/json"}
    for content, error in BROKEN:
        assert site.http.post("api/auth.test", content=content, headers=headers).json()["error"] == error
    headers["Content-Type"] = "text/csv"
    assert site.http.post("api/auth.test", content=b"a", headers=headers).json()["error"] == "invalid_post_type"


def test_a_misspelt_argument_is_ignored_and_shows_in_the_ledger(start_lenient: Site) -> None:
    start_lenient.call("chat.postMessage", channel=GENERAL, text="x", tread_ts="1")
    assert start_lenient.ledger("call")[-1]["unknown_arguments"] == ["tread_ts"]
    start_lenient.act("clear_traffic")


@pytest.fixture
def start_lenient(site: Site) -> Site:
    """The same playground; the test clears its ledger because it breaks the reference on purpose."""
    return site


def test_tokens_never_show_in_the_ledger(site: Site) -> None:
    site.http.post("api/auth.test", data={"token": site.tokens.bot})
    site.client().auth_test()
    assert site.tokens.bot not in site.http.get("playground/api/ledger").text


def test_rate_limits_answer_429_with_retry_after_until_the_time_is_over(site: Site) -> None:
    site.faults(rate_limit={"auth.test": {"after_calls": 1, "retry_after": 1}})
    client = site.client()
    client.auth_test()
    with pytest.raises(SlackApiError) as refused:
        client.auth_test()
    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "1"
    assert refused.value.response["error"] == "ratelimited"
    time.sleep(1.05)
    client.auth_test()


def test_tiers_are_enforced_where_that_is_switched_on(site: Site) -> None:
    site.faults(tiers=True)
    client = site.client()
    for _ in range(20):
        client.users_list()
    assert error_of(client.users_list) == "ratelimited"
    client.users_info(user=ADA)


def test_a_method_fails_as_often_as_asked(site: Site) -> None:
    site.faults(error={"auth.test": {"code": "fatal_error", "status": 503, "count": 1}})
    with pytest.raises(SlackApiError) as refused:
        site.client().auth_test()
    assert refused.value.response.status_code == 503
    site.client().auth_test()


def test_a_lost_reply_posts_and_says_nothing(site: Site) -> None:
    site.faults(lost_replies={"chat.postMessage": 1})
    with pytest.raises((OSError, httpx.RemoteProtocolError)):
        site.client().chat_postMessage(channel=GENERAL, text="once")
    history = site.client().conversations_history(channel=GENERAL)["messages"]
    assert [message["text"] for message in history] == ["once"]


def test_the_sdk_with_its_default_retries_posts_twice_when_a_reply_is_lost(site: Site) -> None:
    """The reason why the bot turns them off."""
    site.faults(lost_replies={"chat.postMessage": 1})
    WebClient(site.tokens.bot, base_url=site.api_url).chat_postMessage(channel=GENERAL, text="twice")
    history = site.client().conversations_history(channel=GENERAL)["messages"]
    assert [message["text"] for message in history] == ["twice", "twice"]


def test_a_reply_can_be_slow(site: Site) -> None:
    site.faults(slow_replies={"auth.test": 0.3})
    started = time.monotonic()
    site.client().auth_test()
    assert time.monotonic() - started >= 0.3


def test_an_unknown_switch_is_refused_and_clear_turns_all_off(site: Site) -> None:
    assert site.try_to("faults", gremlins=3)["error"] == "invalid_arguments"
    site.faults(error={"auth.test": "fatal_error"})
    assert error_of(site.client().auth_test) == "fatal_error"
    site.faults(clear=True)
    site.client().auth_test()


def test_faults_can_be_set_at_start(start: object) -> None:
    assert callable(start)
    site = start(faults={"error": {"auth.test": {"code": "internal_error"}}})
    assert error_of(site.client().auth_test) == "internal_error"
    wait_for(lambda: site.ledger("call", "auth.test"))


def test_half_a_character_is_replaced_as_slack_would(site: Site) -> None:
    r"""JSON can say `\ud83d` alone, which no encoder takes; both of its halves together are a whole character."""
    headers = {"Authorization": f"Bearer {site.tokens.bot}", "Content-Type": "application/json; charset=utf-8"}
    with site.page(ADA) as page:
        page.read_until("snapshot")
        for text, stored in ((r"a\ud83db", "a\ufffdb"), (r"\ud83d\ude00", "\U0001f600"), (r"\\ud83d", r"\ud83d")):
            content = f'{{"channel": "C0GENERAL", "text": "{text}"}}'
            answer = site.http.post("api/chat.postMessage", content=content, headers=headers).json()
            assert answer["message"]["text"] == stored
            assert page.read_until("message")["message"]["text"] == stored
    blocks = r'[{"type": "markdown", "text": "x\udc00"}]'
    answer = site.http.post(
        "api/chat.postMessage",
        data={"channel": "C0GENERAL", "blocks": blocks, "token": site.tokens.bot},
    ).json()
    assert answer["message"]["blocks"][0]["text"] == "x\ufffd"
