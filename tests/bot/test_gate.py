"""Who is answered where: every reason to refuse, what is asked of Slack, and the limits on use."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.channels import ChannelSettings, list_channels, load_channel, rename_channel, save_channel
from bot.database import open_database
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Inbox, Received
from bot.slack.admins import Admins
from bot.slack.briefing import Refusal
from bot.slack.gate import GateRules, SlackGate
from bot.slack.membership import Memberships
from bot.slack.profiles import Profiles, read_place, read_profile
from bot.turn import Incoming
from bot.use_limits import DAY, MINUTE, UseLimits, check_use
from knowledge.database import writing
from tests.bot.slack_double import slack_double

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
OPEN, CLOSED = ChannelSettings(allow_external=True), ChannelSettings()
MEMBER = {"team_id": "T1", "is_restricted": False, "is_ultra_restricted": False, "is_admin": False}
CHANNEL = {"is_channel": True, "is_private": False, "is_ext_shared": False, "is_shared": False}
ASKED = Incoming(
    team="T1", channel="C1", channel_kind="public", user="U1", ts="9.1", thread_ts=None, text="hello", mentioned=True
)
DIRECT = replace(ASKED, channel="D1", channel_kind="im", mentioned=False)
OVERHEARD = replace(ASKED, mentioned=False, visibility="if_sure")


@dataclass(kw_only=True)
class FakeProfiles(Profiles):
    """Profiles with fixed replies in Slack's place; a reply that is an error is raised."""

    replies: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.now = 0.0
        super().__init__(self, kept_seconds=60.0, monotonic=lambda: self.now)  # type: ignore[arg-type]

    def repeat(self, method: str, *, patience_seconds: float, **arguments: Any) -> dict[str, Any]:
        assert patience_seconds < 10
        (what, identifier), *_ = arguments.items()
        self.asked.append(f"{method} {identifier}")
        reply = self.replies[identifier]
        if isinstance(reply, Exception):
            raise reply
        return {"ok": True, what: reply}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def profiles() -> FakeProfiles:
    return FakeProfiles(replies={"U1": MEMBER, "C1": CHANNEL})


def gate(engine: sa.Engine, profiles: Profiles, **rules: Any) -> SlackGate:
    return SlackGate(team="T1", engine=engine, profiles=profiles, rules=GateRules(**rules))


def reason(
    engine: sa.Engine,
    profiles: Profiles,
    incoming: Incoming = ASKED,
    channel: ChannelSettings = CLOSED,
    **rules: Any,
) -> str | None:
    refusal = gate(engine, profiles, **rules)(incoming, channel)
    assert refusal is None or isinstance(refusal, Refusal)
    return None if refusal is None else refusal.text


def test_members_are_answered_in_ordinary_places(engine: sa.Engine, profiles: FakeProfiles) -> None:
    for incoming in (ASKED, DIRECT, OVERHEARD, replace(ASKED, visibility="ephemeral")):
        assert reason(engine, profiles, incoming) is None


def test_a_channel_that_is_switched_off_is_silent_but_for_who_names_the_bot(
    engine: sa.Engine, profiles: FakeProfiles
) -> None:
    off = ChannelSettings(disabled=True, allow_external=True)
    assert reason(engine, profiles, ASKED, off) == words.GATE_DISABLED
    assert reason(engine, profiles, replace(ASKED, mentioned=False, visibility="ephemeral"), off) == words.GATE_DISABLED
    assert reason(engine, profiles, OVERHEARD, off) == ""
    assert reason(engine, profiles, replace(ASKED, mentioned=False, thread_ts="8.0"), off) == ""


def test_the_list_of_channels_holds_for_every_channel_and_no_direct_message(
    engine: sa.Engine, profiles: FakeProfiles
) -> None:
    listed = frozenset({"C7"})
    assert reason(engine, profiles, channels=listed) == words.GATE_NOT_LISTED
    # What an admin sets in Slack does not widen it.
    assert reason(engine, profiles, ASKED, OPEN, channels=listed) == words.GATE_NOT_LISTED
    assert reason(engine, profiles, OVERHEARD, channels=listed) == ""
    assert reason(engine, profiles, channels=frozenset({"C1"})) is None
    assert reason(engine, profiles, DIRECT, channels=listed) is None


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ({**MEMBER, "is_restricted": True}, words.GATE_GUEST),
        ({**MEMBER, "is_ultra_restricted": True}, words.GATE_GUEST),
        ({**MEMBER, "team_id": "T9"}, words.GATE_STRANGER),
        ({**MEMBER, "is_stranger": True}, words.GATE_STRANGER),
        ({"is_stranger": True}, words.GATE_STRANGER),
        ({"team_id": "T9"}, words.GATE_STRANGER),
        ({"team_id": "T1"}, words.GATE_UNKNOWN_PERSON),
        ({"team_id": "T1", "is_restricted": False}, words.GATE_UNKNOWN_PERSON),
        ({}, words.GATE_UNKNOWN_PERSON),
        (SlackSilentError("no reply"), words.GATE_UNKNOWN_PERSON),
        (SlackRefusedError("users.info", "missing_scope"), words.GATE_UNKNOWN_PERSON),
        ({**MEMBER, "team_id": "T2", "enterprise_user": {"enterprise_id": "E1", "teams": ["T1", "T2"]}}, None),
    ],
)
def test_guests_strangers_and_the_unknown_are_refused_with_a_reason(
    engine: sa.Engine, profiles: FakeProfiles, person: Any, expected: str | None
) -> None:
    """M14."""
    profiles.replies["U1"] = person
    for incoming in (ASKED, DIRECT):
        assert reason(engine, profiles, incoming) == expected
    assert reason(engine, profiles, OVERHEARD) == (None if expected is None else "")
    # An admin may open a single channel.
    assert reason(engine, profiles, ASKED, OPEN) is None


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({**CHANNEL, "is_ext_shared": True}, words.SHARED_CHANNEL),
        ({**CHANNEL, "is_pending_ext_shared": True}, words.SHARED_CHANNEL),
        ({**CHANNEL, "pending_shared": ["T9"]}, words.SHARED_CHANNEL),
        ({"is_channel": True}, words.GATE_UNKNOWN_PLACE),
        ({}, words.GATE_UNKNOWN_PLACE),
        (SlackRefusedError("conversations.info", "missing_scope"), words.GATE_UNKNOWN_PLACE),
        ({"is_mpim": True, "is_shared": False}, None),
    ],
)
def test_shared_and_unknown_places_are_refused_with_a_reason(
    engine: sa.Engine, profiles: FakeProfiles, place: Any, expected: str | None
) -> None:
    """M14."""
    profiles.replies["C1"] = place
    assert reason(engine, profiles) == expected
    assert reason(engine, profiles, ASKED, OPEN) is None
    assert reason(engine, profiles, DIRECT) is None


def test_what_the_event_says_of_another_organisation_is_enough(engine: sa.Engine, profiles: FakeProfiles) -> None:
    assert reason(engine, profiles, replace(ASKED, external=True)) == words.SHARED_CHANNEL
    assert reason(engine, profiles, replace(DIRECT, external=True)) == words.GATE_STRANGER
    assert reason(engine, profiles, replace(ASKED, external=True), OPEN) is None


def test_slack_is_asked_once_a_minute_and_after_a_change(engine: sa.Engine, profiles: FakeProfiles) -> None:
    for _ in range(3):
        assert reason(engine, profiles) is None
    assert sorted(profiles.asked) == ["conversations.info C1", "users.info U1"]
    profiles.replies |= {"U1": {**MEMBER, "is_restricted": True}, "C1": {**CHANNEL, "is_ext_shared": True}}
    assert reason(engine, profiles) is None
    profiles.forget("U1")
    assert reason(engine, profiles) == words.GATE_GUEST
    profiles.forget("C1")
    assert reason(engine, profiles) == words.SHARED_CHANNEL
    profiles.replies |= {"U1": MEMBER, "C1": CHANNEL}
    profiles.now = 61.0
    assert reason(engine, profiles) is None


def test_what_slack_did_not_say_is_asked_again_at_once(engine: sa.Engine, profiles: FakeProfiles) -> None:
    profiles.replies["U1"] = SlackSilentError("no reply")
    assert reason(engine, profiles) == words.GATE_UNKNOWN_PERSON
    profiles.replies["U1"] = MEMBER
    assert reason(engine, profiles) is None


def test_events_end_what_is_remembered() -> None:
    delivery: Any = None
    memberships = Memberships(delivery)
    forgotten: list[str] = []
    memberships.profiles = FakeProfiles()
    forget = memberships.profiles.forget
    memberships.profiles.forget = lambda identifier: (forgotten.append(identifier), forget(identifier))[1]  # type: ignore[method-assign, func-returns-value]
    memberships.heed({"type": "channel_shared", "channel": "C1", "connected_team_id": "T9"})
    memberships.heed({"type": "channel_unshared", "channel": "C2"})
    memberships.heed({"type": "user_change", "user": {"id": "U3"}})
    memberships.heed({"type": "member_joined_channel", "user": "U4", "channel": "C1"})
    assert forgotten == ["C1", "C2", "U3", "U4"]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({**MEMBER, "is_admin": True}, True),
        ({**MEMBER, "is_owner": True}, True),
        (MEMBER, False),
        ({**MEMBER, "is_admin": True, "deleted": True}, False),
        ({**MEMBER, "is_admin": True, "team_id": "T9"}, False),
        ({"team_id": "T1", "is_admin": True}, False),
        (SlackSilentError("no reply"), False),
    ],
)
def test_admins_are_the_workspaces_own_and_the_named(told: Any, expected: bool) -> None:
    profiles = FakeProfiles(replies={"U1": told})
    admins = Admins(team="T1", profiles=profiles, named=frozenset({"U9"}))
    assert admins.is_admin("U1") is expected
    assert admins.is_admin("U9")
    assert not admins.is_admin("")


def test_profiles_read_what_slack_sends() -> None:
    assert read_profile({}).guest is None
    assert read_place({**CHANNEL, "is_private": True}).public is False
    assert read_place(CHANNEL).public is True


def test_profiles_ask_slack_itself() -> None:
    from slack_sdk import WebClient

    from bot.slack.deliver import Delivery

    replies: Mapping[str, Mapping[str, Any]] = {"users.info": {"ok": True, "user": MEMBER}}
    with slack_double(replies) as double:
        client = WebClient(token="xoxb-1", base_url=double.url, retry_handlers=[])
        profiles = Profiles(Delivery(client, stopping=threading.Event()))
        person = profiles.person("U1")
        assert person is not None
        assert person.is_of("T1")
        assert profiles.place("C1") is None
        assert [method for method, _ in double.asked] == ["users.info", "conversations.info"]


Put = Callable[..., Incoming]


@pytest.fixture
def put(engine: sa.Engine) -> Put:
    """Puts a question into the inbox, so many seconds before or after NOW."""
    clock = [NOW]
    inbox = Inbox(engine, now=lambda: clock[0])

    def put(
        ts: str, seconds: float = 0.0, *, outcome: str | None = None, visibility: str = "thread", **more: Any
    ) -> Incoming:
        clock[0] = NOW + timedelta(seconds=seconds)
        incoming = replace(ASKED, ts=ts, **more)
        payload = asdict(incoming)
        row = Received(
            event_id=f"E{ts}",
            kind="question",
            team="T1",
            channel=incoming.channel,
            ts=ts,
            conversation=incoming.conversation,
            user=incoming.user,
            payload=payload,
        )
        assert inbox.put(row)
        if outcome or visibility != "thread":
            answer: dict[str, Any] = {
                "team": "T1",
                "channel": incoming.channel,
                "thread_ts": ts,
                "question_ts": ts,
                "nonce": ts,
            }
            answer |= {"conversation": incoming.conversation, "user": "U1", "state": "final_sent"}
            answer |= {"outcome": outcome, "visibility": visibility}
            with writing(engine) as connection:
                connection.execute(sa.insert(tables.answer).values(answer | {"state_at": NOW, "created_at": NOW}))
        return incoming

    return put


def test_a_person_asks_so_often_in_a_minute_and_in_a_day(engine: sa.Engine, put: Put) -> None:
    """M21."""
    limits = UseLimits(per_minute=2, per_day=4)
    assert check_use(engine, put("1.1"), limits) is None
    assert check_use(engine, put("1.2", 30), limits) is None
    third = check_use(engine, put("1.3", 40, outcome="refused"), limits)
    assert third is not None
    assert (third.limit, third.window, third.again_at) == (2, MINUTE, NOW + timedelta(seconds=60))
    # Whoever comes back when told to is answered; the refused one does not count.
    assert check_use(engine, put("1.4", 61), limits) is None
    assert check_use(engine, put("1.5", 200), limits) is None
    fifth = check_use(engine, put("1.6", 400, outcome="refused"), limits)
    assert fifth is not None
    assert (fifth.limit, fifth.window, fifth.again_at) == (4, DAY, NOW + timedelta(days=1))
    assert check_use(engine, put("1.7", 86_401), limits) is None


def test_the_same_question_gets_the_same_verdict_again(engine: sa.Engine, put: Put) -> None:
    limits = UseLimits(per_minute=1)
    first, second = put("1.1"), put("1.2", 1)
    for _ in range(2):
        assert check_use(engine, first, limits) is None
        assert check_use(engine, second, limits) is not None


def test_others_what_was_overheard_and_what_was_taken_back_do_not_count(engine: sa.Engine, put: Put) -> None:
    limits = UseLimits(per_minute=1)
    put("1.1", user="U2")
    put("1.2", visibility="if_sure")
    taken_back = put("1.3")
    inbox = Inbox(engine)
    inbox.withdraw(inbox.open_questions(channel=taken_back.channel, ts="1.3"))
    assert check_use(engine, put("1.4", 1), limits) is None


def test_no_limit_asks_no_database(engine: sa.Engine) -> None:
    assert check_use(engine, ASKED, UseLimits()) is None
    # A question that is in no inbox is judged as of now.
    assert check_use(engine, ASKED, UseLimits(per_minute=1)) is None


def test_too_much_use_is_refused_with_the_time_to_come_back(
    engine: sa.Engine, profiles: FakeProfiles, put: Put
) -> None:
    """M21."""
    seconds = (datetime.now(UTC) - NOW).total_seconds()
    put("1.1", seconds - 10)
    said = reason(engine, profiles, put("1.2", seconds), limits=UseLimits(per_minute=1))
    assert said is not None
    assert said.startswith("I answer up to 1 questions a minute for each person. Please ask again in ")
    overheard = put("1.3", seconds, mentioned=False, visibility="if_sure")
    assert reason(engine, profiles, replace(overheard, visibility="if_sure"), limits=UseLimits(per_minute=1)) == ""


def test_the_sentence_names_minutes_and_hours() -> None:
    said = words.asked_too_much(200, per_minute=False, wait=timedelta(hours=3, minutes=2))
    assert said.endswith("Please ask again in 3 hours.")
    assert words.asked_too_much(5, per_minute=True, wait=timedelta(seconds=-3)).endswith("in 1 s.")


def test_a_channel_keeps_its_settings_under_its_new_id(engine: sa.Engine) -> None:
    changed = ChannelSettings(disabled=True, sources=frozenset({"s1"}))
    save_channel(engine, "T1", "G1", changed, changed_by="U1")
    rename_channel(engine, "G1", "C1")
    assert load_channel(engine, "T1", "C1") == changed
    assert load_channel(engine, "T1", "G1") == ChannelSettings()
    (listed,) = list_channels(engine, "T1")
    assert (listed.channel, listed.settings, listed.changed_by) == ("C1", changed, "U1")
    assert list_channels(engine, "T2") == ()
