"""Guests, people of another organisation, shared channels and group messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.playground.site import ADA, BEN, BOT, CHLOE, GENERAL, HELP, Listener, Site, error_of, wait_for

OTHER_TEAM = "T0ELSEWHERE"


def events_of(app: Listener, *, without: str = "team_join") -> list[dict[str, Any]]:
    """Acknowledge all that comes and give the event callbacks, without those of people who were there before."""
    envelopes = app.read_all()
    for envelope in envelopes:
        app.acknowledge(envelope)
    return [envelope["payload"] for envelope in envelopes if envelope["payload"]["event"]["type"] != without]


def make_person(site: Site, name: str, **standing: Any) -> str:
    """Add somebody and give the id."""
    return str(site.act("create_person", user=ADA, name=name, **standing)["user"]["id"])


def test_guests_say_so_and_are_in_no_channel_by_themselves(site: Site) -> None:
    client = site.client()
    multi, single = make_person(site, "Gus Multi", guest="multi"), make_person(site, "Sue Single", guest="single")
    standing = [client.users_info(user=user)["user"] for user in (multi, single, ADA)]
    assert [(user["is_restricted"], user["is_ultra_restricted"]) for user in standing] == [
        (True, False),
        (True, True),
        (False, False),
    ]
    assert client.users_conversations(user=multi, types="public_channel,private_channel")["channels"] == []
    with site.page(multi) as page:
        snapshot = page.read()
    assert [channel["kind"] for channel in snapshot["channels"]] == ["im"]
    assert {user["id"]: user["guest"] for user in snapshot["users"]}[single] == "single"


def test_a_new_colleague_is_in_everybodys_channels_and_all_hear_of_it(site: Site) -> None:
    with site.app_connection() as app, site.page(BEN) as page:
        page.read_until("snapshot")
        person = make_person(site, "Dan Admin", admin=True)
        told = page.read_until("user")["user"]
        assert (told["id"], told["real_name"], told["is_admin"], told["external"]) == (person, "Dan Admin", True, False)
        got = [callback["event"] for callback in events_of(app, without="")]
    assert [event["type"] for event in got] == ["member_joined_channel", "member_joined_channel", "team_join"]
    assert got[2]["user"]["id"] == person
    assert person in site.client().conversations_members(channel=HELP)["members"]
    assert site.client().users_info(user=person)["user"]["is_admin"] is True


def test_somebody_from_elsewhere_comes_into_shared_channels_only(site: Site) -> None:
    client = site.client()
    stranger = make_person(site, "Eve Elsewhere", external=True)
    info = client.users_info(user=stranger, include_locale=True)["user"]
    assert (info["team_id"], info["is_stranger"], "locale" in info, "is_admin" in info) == (
        *(OTHER_TEAM, True),
        *(False, False),
    )
    refused = site.try_to("invite", user=ADA, channel=GENERAL, invitee=stranger)
    assert refused["error"] == "channel_not_shared"
    shared = site.act("create_channel", user=ADA, name="with-them", shared=True)["channel"]
    assert shared["shared"] is True
    with site.app_connection() as app:
        site.act("invite", user=ADA, channel=shared["id"], invitee=BOT)
        site.act("invite", user=ADA, channel=shared["id"], invitee=stranger)
        site.say("hello @Lorekeeper", user=stranger, channel=shared["id"])
        site.say("hello", user=ADA, channel=shared["id"])
        callbacks = events_of(app)
    assert {callback["is_ext_shared_channel"] for callback in callbacks} == {True}
    joined, message, mention, ours = (callback["event"] for callback in callbacks[1:])
    assert (joined["user"], joined["team"]) == (stranger, OTHER_TEAM)
    for event in (message, mention):
        assert (event["team"], event["user_team"], event["source_team"]) == (OTHER_TEAM, OTHER_TEAM, OTHER_TEAM)
    assert (ours["team"], "user_team" in ours) == ("T0PLAYGROUND", False)
    found = client.conversations_info(channel=shared["id"])["channel"]
    assert (found["is_ext_shared"], found["is_shared"], found["is_org_shared"]) == (True, True, False)
    assert found["shared_team_ids"] == ["T0PLAYGROUND", OTHER_TEAM]
    assert client.users_info(user=stranger)["user"]["is_stranger"] is False


def test_a_channel_can_be_shared_and_taken_back(site: Site) -> None:
    stranger = make_person(site, "Eve Elsewhere", external=True)
    with site.app_connection() as app, site.page(BEN) as page:
        page.read_until("snapshot")
        site.act("share", user=ADA, channel=HELP, shared=True)
        assert page.read_until("channel")["channel"]["shared"] is True
        site.act("share", user=ADA, channel=HELP, shared=True)
        site.act("invite", user=ADA, channel=HELP, invitee=stranger)
        site.act("share", user=ADA, channel=HELP, shared=False)
        got = [callback["event"] for callback in events_of(app)]
    assert [event["type"] for event in got] == [
        *("channel_shared", "member_joined_channel"),
        *("member_left_channel", "channel_unshared"),
    ]
    assert got[0]["connected_team_id"] == got[3]["previously_connected_team_id"] == OTHER_TEAM
    assert stranger not in site.client().conversations_members(channel=HELP)["members"]
    assert site.try_to("share", user=BEN, channel="D0BENORTIZ")["error"] == "method_not_supported_for_channel_type"


def test_a_channel_can_wait_for_the_other_organisation(site: Site) -> None:
    info = site.client().conversations_info
    site.act("share", user=ADA, channel=HELP, pending=True)
    waiting = info(channel=HELP)["channel"]
    assert (waiting["is_pending_ext_shared"], waiting["is_ext_shared"]) == (True, False)
    assert waiting["pending_shared"] == [OTHER_TEAM]
    site.act("share", user=ADA, channel=HELP)
    shared = info(channel=HELP)["channel"]
    assert (shared["is_pending_ext_shared"], shared["is_ext_shared"], shared["pending_shared"]) == (False, True, [])


def test_a_direct_message_with_somebody_from_elsewhere_is_shared(site: Site) -> None:
    stranger = make_person(site, "Eve Elsewhere", external=True)
    with site.page(stranger) as page:
        page.read_until("snapshot")
        site.act("open_home", user=stranger, tab="messages")
        assert page.read_until("channel")["channel"]["shared"] is True
    direct = site.client().conversations_open(users=stranger, return_im=True)["channel"]
    assert (direct["is_im"], direct["is_ext_shared"]) == (True, True)


def test_a_first_word_of_the_bot_opens_the_direct_message_on_the_page(site: Site) -> None:
    stranger = make_person(site, "Eve Elsewhere", external=True)
    with site.page(stranger) as page:
        assert page.read_until("snapshot")["channels"] == []
        posted = site.client().chat_postMessage(channel=stranger, text="Hello.")
        assert page.read_until("channel")["channel"]["id"] == posted["channel"]
        assert page.read_until("message")["message"]["ts"] == posted["ts"]


def test_a_group_message_with_the_bot(site: Site) -> None:
    with site.page(BEN) as page, site.app_connection() as app:
        page.read_until("snapshot")
        group = site.act("open_group", user=ADA, **{"with": [BEN]})["channel"]
        assert (group["kind"], set(group["members"])) == ("mpim", {ADA, BEN, BOT})
        assert page.read_until("channel")["channel"]["id"] == group["id"]
        again = site.act("open_group", user=BEN, **{"with": [ADA, BOT]})["channel"]
        assert again["id"] == group["id"]
        site.say("hello @Lorekeeper", user=BEN, channel=group["id"])
        got = [callback["event"] for callback in events_of(app)]
    assert [(event["type"], event.get("channel_type")) for event in got] == [
        ("message", "mpim"),
        ("app_mention", None),
    ]
    assert site.client().conversations_info(channel=group["id"])["channel"]["is_mpim"] is True
    assert site.try_to("open_group", user=ADA, **{"with": []})["error"] == "not_enough_users"
    for nobody in ("U0NOBODY", ["U0NOBODY"], None):
        assert site.try_to("open_group", user=ADA, **{"with": [nobody]})["error"] == "user_not_found"


def test_a_change_of_standing_is_an_event_and_the_removed_are_gone(site: Site) -> None:
    with site.app_connection() as app:
        site.act("change_person", user=ADA, person=BEN, guest="multi")
        site.act("remove", user=ADA, channel=HELP, member=CHLOE)
        changed, left = (callback["event"] for callback in events_of(app))
    assert (changed["type"], changed["user"]["id"], changed["user"]["is_restricted"]) == ("user_change", BEN, True)
    assert (left["type"], left["user"], left["channel"]) == ("member_left_channel", CHLOE, HELP)
    both = site.try_to("change_person", user=ADA, person=BEN, admin=True)
    assert both["error"] == "invalid_arguments"
    site.act("change_person", user=ADA, person=BEN, guest=None, deleted=True)
    assert site.client().users_info(user=BEN)["user"]["deleted"] is True
    assert site.try_to("say", user=BEN, channel=GENERAL, text="x")["error"] == "user_not_found"
    assert site.try_to("create_person", user=ADA, name=" ")["error"] == "invalid_name"
    assert site.try_to("change_person", user=ADA, person=CHLOE, external=True)["error"] == "invalid_arguments"


def test_a_channel_gets_another_id_and_keeps_what_was_said(site: Site) -> None:
    said = site.say("before", channel=HELP)
    with site.app_connection() as app, site.page(BEN) as page:
        page.read_until("snapshot")
        events_of(app)
        changed = site.act("change_channel_id", user=ADA, channel=HELP)["channel"]["id"]
        (event,) = (callback["event"] for callback in events_of(app))
        gone, new = page.read_until("channel")["channel"], page.read_until("channel")["channel"]
        assert page.read_until("message")["message"]["ts"] == said
    assert (gone["id"], gone["members"], new["id"], BEN in new["members"]) == (HELP, [], changed, True)
    assert (event["type"], event["old_channel_id"], event["new_channel_id"]) == ("channel_id_changed", HELP, changed)
    client = site.client()
    assert [m["ts"] for m in client.conversations_history(channel=changed)["messages"]] == [said]
    assert error_of(client.conversations_info, channel=HELP) == "channel_not_found"


def test_people_and_places_are_kept_over_a_restart(start: Callable[..., Site], tmp_path: Path) -> None:
    state = tmp_path / "playground.json"
    first = start(state=state)
    guest = make_person(first, "Gus Multi", guest="multi")
    first.act("share", user=ADA, channel=HELP, shared=True)
    wait_for(lambda: state.exists() and all(part in state.read_text("utf-8") for part in (guest, '"shared": true')))
    second = start(state=state)
    assert second.client().users_info(user=guest)["user"]["is_restricted"] is True
    assert second.client().conversations_info(channel=HELP)["channel"]["is_ext_shared"] is True
    assert error_of(second.client().users_info, user="U0NOBODY") == "user_not_found"


def test_people_are_found_by_their_address_where_the_app_may_see_it(site: Site) -> None:
    client = site.client()
    told = client.users_info(user=BEN)["user"]
    assert told["is_email_confirmed"] is True
    found = client.users_lookupByEmail(email=told["profile"]["email"].upper())["user"]
    assert found["id"] == BEN
    assert error_of(client.users_lookupByEmail, email="nobody@example.com") == "users_not_found"


def test_a_user_group_names_who_is_in_it(site: Site) -> None:
    client = site.client()
    group = site.act("set_usergroup", user=ADA, members=[ADA, BEN])["usergroup"]
    assert client.usergroups_users_list(usergroup=group)["users"] == [ADA, BEN]
    site.act("set_usergroup", user=ADA, usergroup=group, members=[BEN])
    assert client.usergroups_users_list(usergroup=group)["users"] == [BEN]
    assert error_of(client.usergroups_users_list, usergroup="S0NOBODY") == "no_such_subteam"
    assert site.try_to("set_usergroup", user=ADA, usergroup="S0NOBODY", members=[])["error"] == "no_such_subteam"
    assert site.try_to("set_usergroup", user=ADA, members=["U0NOBODY"])["error"] == "user_not_found"
