"""A channel as a source, against the playground: what becomes a document, what goes again, and who may read it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bot import tables
from bot.channel_ledger import note_message
from bot.people import Preferences, save_preferences
from bot.playground.process import PlaygroundProcess
from bot.playground.workspace import BOT_USER_ID
from bot.privacy import forget
from bot.slack.deliver import Delivery
from bot.slack.gateway import connect_client
from bot.slack.membership import Memberships
from knowledge.audience import Audience, channel_audience
from knowledge.database import reading, writing
from knowledge.document import DeletedDocument, FetchedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.parse import Parser
from knowledge.secret import Secret
from knowledge.sources import Checkpoint, Source
from tests.bot.channel_world import ChannelWorld, Clock, RealClock, channel_world
from tests.bot.dialogue import ADA, BEN, BOT, CHLOE, HELP
from tests.contracts.source import SourceContract

TEAM = "T0PLAYGROUND"


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as parser:
        yield parser


@pytest.fixture
def world(playground: PlaygroundProcess, engine: sa.Engine, parser: Parser) -> Iterator[ChannelWorld]:
    with channel_world(playground, engine, parser) as world:
        yield world


class TestContract(SourceContract):
    """Each document is a thread of two messages."""

    @pytest.fixture(autouse=True)
    def _place(self, world: ChannelWorld) -> None:
        self.world = world
        self.roots: dict[str, str] = {}
        world.options = {"rechecks": 0}

    def build(self) -> Source:
        return self.world.source()

    def put(self, name: str, text: str) -> str:
        if name in self.roots:
            self.world.workspace.act(
                "edit", user=ADA, channel=self.world.channel, ts=self.roots[name], text=f"{name}: {text}"
            )
        else:
            self.roots[name] = self.world.say(ADA, f"{name}: {text}")
            self.world.say(BEN, "Agreed.", self.roots[name])
        link = f"archives/{self.world.channel}/p{self.roots[name].replace('.', '')}"
        return f"{self.world.workspace.playground.url}{link}"

    def take_away(self, name: str) -> None:
        # The reply first: of a parent with replies a stone would stay.
        for ts in self._replies(self.roots[name]):
            self.world.delete(BEN, ts)
        self.world.delete(ADA, self.roots[name])

    def _replies(self, root: str) -> list[str]:
        client = connect_client(
            Secret(self.world.workspace.playground.bot_token), self.world.workspace.playground.api_url
        )
        reply = client.conversations_replies(channel=self.world.channel, ts=root)
        return [str(one["ts"]) for one in reply["messages"] if one["ts"] != root]

    def lose_place(self) -> None:
        self.world.workspace.act("faults", error={"conversations.info": {"status": 503, "count": 99}})

    def settle(self) -> None:
        """Slack's clock tells any two messages apart."""


def test_a_thread_is_a_document_with_names_and_dates_for_the_channel_alone(world: ChannelWorld) -> None:
    root = world.say(ADA, f"How do we rotate keys, @ben? See keys.example/how, {BOT} and @channel")
    world.say(BEN, "Run `rotate <KEY>` on each host.", root)
    world.say(ADA, "# Thanks, see https://keys.example/more", root)
    assert world.sync().added == 1
    (row,) = world.documents()
    assert row.title.startswith("How do we rotate keys, ben? See keys.example/how, and channel (#")
    assert row.title.endswith(f" (#{world.name})")
    assert row.uri.endswith(f"/archives/{world.channel}/p{root.replace('.', '')}")
    assert (row.owner, row.audience) == ("ada", channel_audience(world.channel))
    assert row.modified_at is not None
    (text,) = world.texts().values()
    assert "ada (20" in text
    assert "): How do we rotate keys, ben?" in text
    assert "): Run `rotate <KEY>` on each host." in text
    assert "# Thanks, see https://keys.example/more" in text
    for sign in ("<@", "@channel", "<!", ADA, BEN):
        assert sign not in text


def test_messages_outside_threads_that_follow_each_other_are_one_document(world: ChannelWorld) -> None:
    first = world.say(ADA, "The van comes at nine.")
    world.say(BEN, "I bring the boxes.")
    world.sync()
    (row,) = world.documents()
    assert row.uri.endswith(first.replace(".", ""))
    assert "van comes" in world.everything
    assert "boxes" in world.everything
    # What goes on joins; what becomes a thread leaves.
    later = world.say(ADA, "Who has the cellar key?")
    report = world.sync()
    assert (report.added, report.changed) == (0, 1)
    world.say(BEN, "Chloe has it.", later)
    report = world.sync()
    assert (report.added, report.changed) == (1, 1)
    assert sorted(len(text.splitlines()) for text in world.texts().values()) == [3, 3]


def test_posts_of_bots_our_own_answers_and_notices_are_left_out(world: ChannelWorld) -> None:
    playground = world.workspace.playground
    client = connect_client(Secret(playground.bot_token), playground.api_url)
    root = world.say(ADA, "Who issues badges?")
    client.chat_postMessage(channel=world.channel, text="An answer of the bot's", thread_ts=root)
    client.chat_postMessage(channel=world.channel, text="A post of the bot's")
    world.say(BEN, "Maria does.", root)
    world.sync()
    assert "Maria does." in world.everything
    assert "bot's" not in world.everything


def test_another_workspace_that_does_not_know_the_channel_deletes_nothing(world: ChannelWorld) -> None:
    """A data folder is used in the playground, and then with Slack."""
    world.say(ADA, "The van comes at nine.")
    world.sync()
    with writing(world.engine) as connection:
        connection.execute(sa.update(tables.channel_message).values(team="T0ELSEWHERE"))
    world.workspace.act("faults", error={"conversations.info": "channel_not_found"})
    with pytest.raises(SourceUnavailableError, match=r"is one of the workspace T0ELSEWHERE.*opens T0PLAYGROUND"):
        world.sync()
    assert len(world.documents()) == 1


def test_an_unchanged_channel_is_no_work(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    report = world.sync()
    assert (report.added, report.changed, report.deleted, report.embedded_chunks) == (0, 0, 0, 0)


def test_edits_and_deletions_that_no_event_told_of_are_found_by_looking_back(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    reply = world.say(BEN, "Maria does, with the quetzal stamp.", root)
    lonely = world.say(ADA, "The okapi is in room four.")
    world.sync()
    world.workspace.act("edit", user=BEN, channel=world.channel, ts=reply, text="Peter does.")
    world.delete(ADA, lonely)
    world.sync()
    assert "Peter does." in world.everything
    assert "quetzal" not in world.everything
    assert "okapi" not in world.everything
    world.delete(BEN, reply)
    world.delete(ADA, root)
    world.sync()
    assert world.documents() == []


def test_the_rest_of_a_thread_whose_first_message_was_deleted_stays(world: ChannelWorld) -> None:
    root = world.say(ADA, "An okapi asks?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    world.delete(ADA, root)
    world.sync()
    assert "Maria does." in world.everything
    assert "okapi" not in world.everything


def test_what_an_event_told_to_be_deleted_is_gone_before_the_next_run(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    reply = world.say(BEN, "Maria does, with the quetzal stamp.", root)
    run = world.say(ADA, "The van comes at nine.")
    world.sync()
    world.delete(BEN, reply)
    assert note_message(world.engine, world.channel, reply, thread_ts=root, gone=True)
    assert "quetzal" not in world.everything
    assert "van comes" in world.everything
    world.say(BEN, "Peter does.", root)
    world.delete(ADA, run)
    note_message(world.engine, world.channel, run, gone=True)
    assert world.texts() == {}
    world.sync()
    assert "Peter does." in world.everything
    assert "quetzal" not in world.everything
    assert "van" not in world.everything
    assert not note_message(world.engine, HELP, reply, gone=True)


def test_a_message_deleted_while_the_run_that_read_it_goes_on_does_not_stay(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    reply = world.say(BEN, "Maria does, with the quetzal stamp.", root)
    stored: list[object] = []
    for step in world.source().changes(None):
        stored.append(step)
        if isinstance(step, FetchedDocument) and b"quetzal" in step.content:
            world.delete(BEN, reply)
            note_message(world.engine, world.channel, reply, thread_ts=root, gone=True)
    fetched = [step for step in stored if isinstance(step, FetchedDocument)]
    assert [b"quetzal" in step.content for step in fetched] == [True, False]


def test_a_reply_to_a_thread_too_old_to_look_back_at_is_read_by_its_event(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    world.options = {"rechecks": 0}
    reply = world.say(ADA, "Thanks.", root)
    note_message(world.engine, world.channel, root, thread_ts=root, gone=False)
    del reply
    world.sync()
    assert "Thanks." in world.everything


def test_files_are_documents_of_their_own_and_go_with_their_message(world: ChannelWorld) -> None:
    ts = world.say(BEN, "The plan", plan_md=b"# Moving\n\nThe office moves to Harbour Street.", photo_png=b"\x89PNG")
    world.sync()
    rows = {row.title: row for row in world.documents()}
    assert "Moving" in rows
    assert "/file/" in rows["Moving"].uri
    assert (rows["Moving"].owner, rows["Moving"].audience) == ("ben", channel_audience(world.channel))
    assert "Harbour Street" in world.everything
    world.workspace.act("clear_traffic")
    world.sync()
    assert world.workspace.ledger("file", "download") == []
    world.delete(BEN, ts)
    world.sync()
    assert world.documents() == []


def test_a_file_that_is_too_large_or_broken_is_listed_with_its_reason(world: ChannelWorld) -> None:
    world.options = {"most_bytes": 1_000}
    world.say(BEN, "Two files", big_txt=b"x" * 1_001, broken_pdf=b"%PDF-1.4 nothing")
    report = world.sync()
    reasons = " ".join(failure.reason for failure in report.failed)
    assert "1,001 bytes, more than 1,000" in reasons
    assert len(report.failed) == 2
    world.options = {}
    report = world.sync()
    assert [failure.reason for failure in report.failed if "bytes" in failure.reason] == []
    assert "big.txt" in world.texts()


@pytest.mark.parametrize("how", ["removed", "archived", "shared", "switched off"])
def test_all_of_a_channel_that_is_not_to_be_read_any_more_goes(world: ChannelWorld, how: str) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    assert world.documents()
    place = {"user": ADA, "channel": world.channel}
    if how == "removed":
        world.workspace.act("remove", **place, member=BOT_USER_ID)
    elif how == "archived":
        world.workspace.act("archive", **place)
    elif how == "shared":
        world.workspace.act("share", **place)
    else:
        world.options = {"refusal": "The settings do not name it."}
    assert world.sync().deleted == 1
    assert world.documents() == []
    for table in (tables.channel_message, tables.channel_change):
        with reading(world.engine) as connection:
            assert connection.execute(sa.select(table)).all() == []
    with pytest.raises(SourceUnavailableError, match=r"settings|invite it there|archived|another organisation"):
        world.sync()


def test_a_silent_slack_deletes_nothing(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    for method in ("conversations.info", "conversations.history"):
        world.workspace.act("faults", error={method: {"status": 503, "count": 99}})
        with pytest.raises(SourceUnavailableError, match="stays"):
            world.sync()
        assert "Maria does." in world.everything
    world.workspace.act("faults", clear=True)
    world.sync()
    assert "Maria does." in world.everything


@pytest.mark.parametrize("how", ["forgotten", "opted out"])
def test_whoever_is_forgotten_or_not_to_be_remembered_is_left_out_at_once(world: ChannelWorld, how: str) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does, with the quetzal stamp.", root)
    world.say(ADA, "Thanks, @ben.", root)
    world.sync()
    if how == "forgotten":
        assert forget(world.engine, BEN).documents == 1
    else:
        save_preferences(world.engine, TEAM, BEN, Preferences(memory=False))
    assert world.documents() == []
    world.say(BEN, "The okapi again.", root)
    world.sync()
    assert "Thanks, somebody." in world.everything
    assert "quetzal" not in world.everything
    assert "okapi" not in world.everything
    world.sync(rebuild=True)
    assert "Who issues badges?" in world.everything
    assert "quetzal" not in world.everything


def test_only_members_of_the_channel_find_what_was_said_in_it(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.sync()
    playground = world.workspace.playground
    client = connect_client(Secret(playground.bot_token), playground.api_url)
    memberships = Memberships(Delivery(client, stopping=threading.Event()))
    question = "Who issues badges?"
    assert "Maria" in world.found(question, Audience.of_channel(world.channel))
    assert "Maria" in world.found(question, memberships.audience_of_person(BEN))
    for audience in (Audience.everyone(), Audience.of_channel(HELP), memberships.audience_of_person(CHLOE)):
        assert world.found(question, audience) == ""


def test_one_request_a_minute_is_enough_and_each_run_goes_on_where_the_last_one_ended(world: ChannelWorld) -> None:
    roots = [world.say(ADA, f"Question number{number}?") for number in range(20)]
    for number, root in enumerate(roots):
        if number % 4 == 0:
            world.say(BEN, f"Answer number{number}.", root)
    world.clock, world.calls_a_minute = Clock(), 1
    world.options = {"most_seconds": 120.0, "rechecks": 1}
    world.workspace.act("clear_traffic")
    begun, runs = world.clock.seconds, 0
    while runs < 30 and not all(f"number{number}" in world.everything for number in range(20)):
        world.sync()
        world.clock.seconds += 1_800.0
        runs += 1
    calls = world.workspace.ledger("call", "conversations.history") + world.workspace.ledger(
        "call", "conversations.replies"
    )
    assert 1 < runs < 30
    assert {int(call["request"]["limit"]) for call in calls} == {15}
    assert world.clock.seconds - begun - 1_800.0 * runs >= 60.0 * (len(calls) - 1 - runs)
    for number in range(0, 20, 4):
        assert f"Answer number{number}." in world.everything
    for _ in range(3):
        world.sync()
    assert sum(len(text.split("Question")) - 1 for text in world.texts().values()) == 20


def test_a_talk_of_many_pages_is_read_however_short_a_run_may_be(world: ChannelWorld) -> None:
    for number in range(50):
        world.say(ADA, f"Remark number{number} and no more.")
    world.clock, world.calls_a_minute, world.options = Clock(), 1, {"most_seconds": 0.0}
    for _ in range(4):
        world.sync()
    for number in range(50):
        assert f"number{number} " in world.everything
    assert len(world.documents()) == 2


def test_a_rate_limit_is_waited_for(world: ChannelWorld) -> None:
    world.say(ADA, "The van comes at nine.")
    world.clock = RealClock()
    world.workspace.act("faults", rate_limit={"conversations.history": {"after_calls": 0, "retry_after": 1}})
    world.sync()
    assert "van" in world.everything


def test_a_run_that_is_ended_anywhere_loses_and_repeats_nothing(world: ChannelWorld) -> None:
    for number in range(6):
        root = world.say(ADA, f"Question number{number}?")
        world.say(BEN, f"Answer number{number}.", root)
    world.options = {"rechecks": 0}
    told: list[str] = []
    cursor = None
    for _ in range(40):
        for step in world.source().changes(cursor):
            if isinstance(step, FetchedDocument):
                told.append(step.uri)
            assert not isinstance(step, DeletedDocument)
            if isinstance(step, Checkpoint) and step.cursor != cursor:
                cursor = step.cursor
                break
    assert len(set(told)) == 6
    assert len(told) <= 12


def test_a_rebuild_reads_everything_again(world: ChannelWorld) -> None:
    root = world.say(ADA, "Who issues badges?")
    world.say(BEN, "Maria does.", root)
    world.say(ADA, "A note", note_txt=b"The cellar is dry.")
    world.sync()
    before = world.texts()
    report = world.sync(rebuild=True)
    assert report.deleted == 0
    assert world.texts() == before
