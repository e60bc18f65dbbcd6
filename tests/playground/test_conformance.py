"""The methods against Slack's reference: the same names, the same required arguments, only errors that Slack knows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.playground.methods import HANDLERS
from bot.playground.methods.arguments import METHODS
from tests.playground import reference
from tests.playground.site import Site, running

pytestmark = pytest.mark.skipif(not reference.REFERENCE.exists(), reason=reference.MISSING)

# The reference calls this required, and the SDK's own stream leaves it out: Slack takes `chunks` in its place.
NOT_REALLY_REQUIRED = {("chat.appendStream", "markdown_text")}
SOMETHING_WRONG = {
    "blocks": [{"type": "nonsense"}],
    "view": {"type": "nonsense"},
    "metadata": {"event_type": 3},
    "chunks": [{"type": "nonsense"}],
    "prompts": [],
    "loading_messages": [],
    "limit": -1,
    "types": "nonsense",
    "cursor": "nonsense",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[Site]:
    """One playground for all refusals; what it answered is held against the reference at the end."""
    with running() as site:
        yield site
        assert not [line for entry in site.ledger("call") for line in reference.problems(entry)]


def test_every_method_has_a_handler_and_every_handler_a_method() -> None:
    assert HANDLERS.keys() == METHODS.keys()


@pytest.mark.parametrize("name", METHODS)
def test_the_arguments_are_slacks(name: str) -> None:
    method = METHODS[name]
    required = {
        argument for argument in reference.required_arguments(name) if (name, argument) not in NOT_REALLY_REQUIRED
    }
    assert method.names == reference.argument_names(name)
    assert set(method.required.split()) == required
    assert method.tier == reference.method(name)["rate_limits"]
    assert method.takes_json == reference.method(name).get("json_input_supported", False)


@pytest.mark.parametrize("name", METHODS)
def test_a_missing_required_argument_is_refused(shared: Site, name: str) -> None:
    required = reference.required_arguments(name)
    for left_out in required:
        given = dict.fromkeys(required - {left_out}, "C0GENERAL")
        answer = shared.http.post(f"api/{name}", data={"token": shared.tokens.bot, **given}).json()
        assert not answer["ok"]
        assert answer["error"] in reference.GENERAL_ERRORS | reference.method(name)["errors"].keys()


@pytest.mark.parametrize("name", METHODS)
def test_wrong_values_are_refused_with_errors_that_slack_knows(shared: Site, name: str) -> None:
    """The fixture holds every answer against the reference."""
    names = sorted(reference.argument_names(name))
    for wrong in names:
        given = dict.fromkeys(reference.required_arguments(name), "1700000000.000100")
        shared.call(name, **{**given, wrong: SOMETHING_WRONG.get(wrong, "nonsense")})
        shared.call(name, **{**given, wrong: ["nonsense"]})
        shared.call(name, **{**given, wrong: 7})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.sampled_from(
        ["C0GENERAL", "D0ADAPARK", "U0ADAPARK", "1700000000.000100", "modal", "home", "section", "rich_text", "mrkdwn"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "blocks", "elements", "event_type", "view", "id"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_sent_the_answer_is_one_of_slacks(shared: Site, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(METHODS.keys() - {"api.test", "auth.revoke"})))
    names = sorted(reference.argument_names(name))
    arguments = data.draw(st.dictionaries(st.sampled_from(names), VALUES)) if names else {}
    given_channel = {"channel": "C0GENERAL"} if "channel" in names else {}
    content = json.dumps(given_channel | arguments)
    headers = {"Authorization": f"Bearer {shared.tokens.bot}", "Content-Type": "application/json"}
    answer = shared.http.post(f"api/{name}", content=content, headers=headers)
    assert answer.status_code == 200, (name, arguments, answer.text)


def test_the_answers_of_every_method_are_complete(site: Site) -> None:
    """One good call of each; the fixture compares the answers with the parts that the reference requires."""
    client = site.client()
    client.api_test()
    client.auth_test()
    client.apps_connections_open(app_token=site.tokens.app)
    client.bots_info(bot="B0LOREKEEPER")
    client.team_info()
    posted = client.chat_postMessage(channel="C0GENERAL", text="one")
    client.chat_getPermalink(channel="C0GENERAL", message_ts=posted["ts"])
    client.chat_update(channel="C0GENERAL", ts=posted["ts"], text="two")
    client.chat_postEphemeral(channel="C0GENERAL", user="U0ADAPARK", text="psst")
    client.reactions_add(channel="C0GENERAL", timestamp=posted["ts"], name="eyes")
    client.reactions_get(channel="C0GENERAL", timestamp=posted["ts"])
    client.reactions_remove(channel="C0GENERAL", timestamp=posted["ts"], name="eyes")
    client.conversations_info(channel="C0GENERAL", include_num_members=True)
    client.conversations_list(types="public_channel,private_channel,im,mpim")
    client.conversations_members(channel="C0GENERAL")
    client.conversations_history(channel="C0GENERAL")
    client.conversations_replies(channel="C0GENERAL", ts=posted["ts"])
    client.conversations_open(users="U0ADAPARK", return_im=True)
    client.users_info(user="U0ADAPARK")
    client.users_list()
    client.users_lookupByEmail(email=client.users_info(user="U0ADAPARK")["user"]["profile"]["email"])
    group = site.act("set_usergroup", user="U0ADAPARK", members=["U0ADAPARK"])["usergroup"]
    client.usergroups_users_list(usergroup=group)
    client.users_conversations(user="U0ADAPARK", types="public_channel,private_channel")
    client.assistant_threads_setStatus(channel_id="C0GENERAL", thread_ts=posted["ts"], status="is thinking...")
    client.assistant_threads_setTitle(channel_id="C0GENERAL", thread_ts=posted["ts"], title="A question")
    client.agents_sessions_setStatus(channel_id="C0GENERAL", thread_ts=posted["ts"], status="processing", title="A")
    client.agents_sessions_rename(channel_id="C0GENERAL", thread_ts=posted["ts"], title="B")
    prompts = [{"title": "Holidays", "message": "How many holidays do I have?"}]
    client.assistant_threads_setSuggestedPrompts(channel_id="D0ADAPARK", thread_ts=None, prompts=prompts)
    client.views_publish(user_id="U0ADAPARK", view={"type": "home", "blocks": []})
    client.chat_delete(channel="C0GENERAL", ts=posted["ts"])
    client.files_upload_v2(
        channel=client.conversations_open(users="U0ADAPARK")["channel"]["id"], content="a", title="A"
    )
    shared = client.conversations_history(channel="D0ADAPARK")["messages"][0]["files"][0]["id"]
    client.files_info(file=shared)
    client.files_delete(file=shared)
    stream = client.chat_startStream(channel="D0ADAPARK", thread_ts=posted["ts"], markdown_text="a")
    client.chat_appendStream(channel="D0ADAPARK", ts=stream["ts"], markdown_text="b")
    client.chat_stopStream(channel="D0ADAPARK", ts=stream["ts"])
    secret = {"client_id": site.tokens.client_id, "client_secret": site.tokens.client_secret}
    asked = {
        "client_id": secret["client_id"],
        "scope": "chat:write",
        "redirect_uri": "http://127.0.0.1/",
        "answer": "yes",
    }
    back = site.http.get("oauth/v2/authorize", params={**asked, "user": "U0ADAPARK"})
    code = parse_qs(urlsplit(back.headers["location"]).query)["code"][0]
    client.oauth_v2_access(**secret, code=code, redirect_uri="http://127.0.0.1/")
    assert client.auth_revoke(test=True)["revoked"] is False
    client.apps_uninstall(**secret)
    served = {entry["name"] for entry in site.ledger("call")}
    assert METHODS.keys() - served == {"views.open", "views.push", "views.update"}
