"""Forms and home tabs in use: what is chosen, the whole state beside it, and what has to be mended first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.playground.site import ADA, BEN, GENERAL, HELP, Listener, Site

JSON = dict[str, Any]


def plain(text: str) -> JSON:
    """Give a plain text object."""
    return {"type": "plain_text", "text": text}


def option(value: str) -> JSON:
    """Give an option."""
    return {"text": plain(value.title()), "value": value}


def field(block_id: str, element: JSON, **more: Any) -> JSON:
    """Give an input block whose element has the same id."""
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(block_id),
        "element": element | {"action_id": "it"},
    } | more


FIELDS = [
    field("tone", {"type": "static_select", "options": [option("short"), option("long")]}),
    field("sources", {"type": "multi_static_select", "options": [option("a"), option("b")], "max_selected_items": 1}),
    field("who", {"type": "users_select"}, optional=True),
    field("where", {"type": "multi_channels_select"}, optional=True),
    field("day", {"type": "datepicker", "initial_date": "2026-01-31"}),
    field("at", {"type": "timepicker"}, optional=True),
    field("least", {"type": "number_input", "is_decimal_allowed": False, "min_value": "1", "max_value": "9"}),
    field("words", {"type": "plain_text_input", "min_length": 3, "max_length": 5}),
    field("sure", {"type": "checkboxes", "options": [option("yes")]}, optional=True),
]
GOOD: JSON = {
    "tone": {"it": {"selected_option": option("long")}},
    "sources": {"it": {"selected_options": [option("a")]}},
    "who": {"it": {"selected_user": BEN}},
    "where": {"it": {"selected_channels": [GENERAL, HELP]}},
    "at": {"it": {"selected_time": ""}},
    "least": {"it": {"value": "3"}},
    "words": {"it": {"value": "four"}},
}


@contextmanager
def acting(site: Site, action: str, /, **body: Any) -> Iterator[list[JSON]]:
    """Do something on the page in a thread, because it waits for the app's acknowledgement."""
    answers: list[JSON] = []
    thread = threading.Thread(target=lambda: answers.append(site.try_to(action, **body)))
    thread.start()
    yield answers
    thread.join(10)


def open_modal(site: Site, app: Listener, blocks: list[JSON]) -> str:
    """Open a modal of these blocks for Ada and give its id."""
    with acting(site, "shortcut", user=ADA, callback_id="form"):
        envelope = app.read_until("interactive")
        app.acknowledge(envelope)
    view = {"type": "modal", "title": plain("Form"), "submit": plain("Save"), "blocks": blocks}
    opened = site.client().views_open(trigger_id=envelope["payload"]["trigger_id"], view=view)
    return str(opened["view"]["id"])


def test_a_submission_carries_every_field_with_its_type(site: Site) -> None:
    with site.app_connection() as app:
        view_id = open_modal(site, app, FIELDS)
        with acting(site, "view_submit", user=ADA, view_id=view_id, values=GOOD) as done:
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
        assert done == [{"ok": True}]
    values = envelope["payload"]["view"]["state"]["values"]
    assert {block: fields["it"] for block, fields in values.items()} == {
        "tone": {"type": "static_select", "selected_option": option("long")},
        "sources": {"type": "multi_static_select", "selected_options": [option("a")]},
        "who": {"type": "users_select", "selected_user": BEN},
        "where": {"type": "multi_channels_select", "selected_channels": [GENERAL, HELP]},
        "day": {"type": "datepicker", "selected_date": "2026-01-31"},
        "at": {"type": "timepicker", "selected_time": None},
        "least": {"type": "number_input", "value": "3"},
        "words": {"type": "plain_text_input", "value": "four"},
        "sure": {"type": "checkboxes", "selected_options": []},
    }


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"tone": {"it": {"selected_option": None}}}, {"tone": "Please complete this required field."}),
        ({"sources": {"it": {"selected_options": []}}}, {"sources": "Please complete this required field."}),
        ({"least": {"it": {"value": "2.5"}}}, {"least": "Please enter a whole number."}),
        ({"least": {"it": {"value": "0"}}}, {"least": "Please enter 1 or more."}),
        ({"least": {"it": {"value": "10"}}}, {"least": "Please enter 9 or less."}),
        ({"words": {"it": {"value": "no"}}}, {"words": "Please enter at least 3 characters."}),
        ({"words": {"it": {"value": "too long"}}}, {"words": "Please enter at most 5 characters."}),
    ],
)
def test_what_a_person_has_to_mend_never_reaches_the_app(site: Site, changes: JSON, errors: JSON) -> None:
    with site.app_connection() as app:
        view_id = open_modal(site, app, FIELDS)
        assert site.act("view_submit", user=ADA, view_id=view_id, values=GOOD | changes)["errors"] == errors
        assert app.is_quiet()


@pytest.mark.parametrize(
    "changes",
    [
        {"tone": {"it": {"selected_option": option("loud")}}},
        {"sources": {"it": {"selected_options": [option("a"), option("b")]}}},
        {"who": {"it": {"selected_user": "U0NOBODY"}}},
        {"where": {"it": {"selected_channels": ["C0NOWHERE"]}}},
        {"day": {"it": {"selected_date": "tomorrow"}}},
        {"words": {"it": {"value": 7}}},
    ],
)
def test_no_page_can_choose_what_is_not_offered(site: Site, changes: JSON) -> None:
    with site.app_connection() as app:
        view_id = open_modal(site, app, FIELDS)
        refused = site.try_to("view_submit", user=ADA, view_id=view_id, values=GOOD | changes)
        assert refused["error"] == "invalid_arguments"


def test_a_choice_on_the_home_tab_comes_with_the_state_of_the_view(site: Site) -> None:
    menu = {"type": "static_select", "action_id": "language", "options": [option("en"), option("de")]}
    people = {"type": "multi_users_select", "action_id": "people", "initial_users": [ADA]}
    more = {"type": "overflow", "action_id": "more", "options": [option("export"), option("delete")]}
    blocks = [
        {"type": "actions", "block_id": "menus", "elements": [menu, more]},
        {"type": "section", "block_id": "team", "text": plain("Team"), "accessory": people},
    ]
    site.client().views_publish(user_id=ADA, view={"type": "home", "blocks": blocks})
    german = {"menus": {"language": {"type": "static_select", "selected_option": option("de")}}}
    press = {"block_id": "menus", "action_id": "language", "selected_option": option("de")}
    with site.app_connection() as app:
        place = {"user": ADA, "container": {"type": "home"}, "state": {"values": german}}
        with acting(site, "block_action", **place, action=press):
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
        payload = envelope["payload"]
        assert payload["actions"][0]["selected_option"] == option("de")
        assert payload["view"]["state"]["values"] == german | {
            "team": {"people": {"type": "multi_users_select", "selected_users": [ADA]}}
        }
        assert payload.keys() & {"state", "response_url", "message"} == set()
        press = {"block_id": "menus", "action_id": "more", "selected_option": option("export")}
        with acting(site, "block_action", user=ADA, container={"type": "home"}, action=press):
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
        assert envelope["payload"]["actions"][0]["selected_option"]["value"] == "export"


def test_a_choice_in_a_message_comes_with_the_state_beside_the_message(site: Site) -> None:
    menu = {"type": "channels_select", "action_id": "channel"}
    blocks = [{"type": "actions", "block_id": "menus", "elements": [menu]}]
    ts = site.client().chat_postMessage(channel=GENERAL, text="where?", blocks=blocks)["ts"]
    container = {"type": "message", "channel": GENERAL, "ts": ts}
    press = {"block_id": "menus", "action_id": "channel", "selected_channel": HELP}
    state = {"values": {"menus": {"channel": {"selected_channel": HELP}}}}
    with site.app_connection() as app:
        for envelope in app.read_all():
            app.acknowledge(envelope)
        with acting(site, "block_action", user=ADA, container=container, action=press, state=state):
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
    payload = envelope["payload"]
    assert payload["actions"][0]["selected_channel"] == HELP
    chosen = {"type": "channels_select", "selected_channel": HELP}
    assert payload["state"] == {"values": {"menus": {"channel": chosen}}}


def test_an_external_select_asks_the_app_for_its_options(site: Site) -> None:
    find = field("find", {"type": "external_select", "min_query_length": 1})
    with site.app_connection() as app:
        view_id = open_modal(site, app, [find])
        place = {"user": ADA, "container": {"type": "view", "view_id": view_id}}
        named = {"block_id": "find", "action_id": "it"}
        with acting(site, "block_suggestion", **place, action=named, value="han") as done:
            envelope = app.read_until("interactive")
            app.acknowledge(envelope, {"options": [option("handbook")]})
        assert done == [{"ok": True, "options": [option("handbook")]}]
        payload = envelope["payload"]
        assert (payload["type"], payload["value"], payload["action_id"]) == ("block_suggestion", "han", "it")
        chosen = {"find": {"it": {"selected_option": option("handbook")}}}
        with acting(site, "view_submit", user=ADA, view_id=view_id, values=chosen) as done:
            envelope = app.read_until("interactive")
            app.acknowledge(envelope)
        assert done == [{"ok": True}]
    missing = site.try_to("block_suggestion", **place, action={"block_id": "no", "action_id": "it"}, value="")
    assert missing["error"] == "view_not_found"


def test_an_acknowledgement_with_a_broken_view_is_refused(site: Site) -> None:
    with site.app_connection() as app:
        view_id = open_modal(site, app, [{"type": "divider"}])
        broken = {"response_action": "update", "view": {"type": "modal", "blocks": []}}
        with acting(site, "view_submit", user=ADA, view_id=view_id, values={}) as done:
            app.acknowledge(app.read_until("interactive"), broken)
        assert done[0]["error"] == "invalid_arguments"
