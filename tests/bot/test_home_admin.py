"""The admins' side of the home page: what it shows to whom, what its buttons do, and Slack's limits."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk.models.views import View

from bot import tables, words
from bot.channels import ChannelSettings, ConfiguredChannel, list_channels, save_channel
from bot.conversation import save_answer
from bot.curated import Curated, list_curated
from bot.equipment import Equipment
from bot.feedback import record_vote
from bot.jobs import Job, run_due
from bot.learn import gap_words, version_words
from bot.learn.advise import Advice, LeverCount
from bot.learn.alerts import Alert, Change
from bot.learn.board import Board, VersionFigures, read_board
from bot.learn.canary import Figures, judge
from bot.learn.topics import Topic
from bot.learn.versions import Version, history, promote, refuse, standing, start_canary
from bot.notes import SavedNote, pending_notes
from bot.overview import QueueState, Unanswered, WeekVotes
from bot.people import Preferences, save_preferences
from bot.playground import blocks as playground_blocks
from bot.slack.gateway import SlackBot
from bot.slack.home_admin import PARTS, AdminContent, Opened, Part, admin_view
from bot.slack.home_review import note_value
from bot.slack.home_sources import AdminSource
from bot.threshold import Threshold
from bot.timetable import Timetable
from bot.turn import Incoming
from knowledge import tables as knowledge_tables
from knowledge.audience import EVERYONE
from knowledge.database import reading, writing
from knowledge.store import add_source, list_sources, pause_source
from tests.bot.answer_dialogue import BADGES, shelve
from tests.bot.answer_parts import FixedLibrary
from tests.bot.dialogue import (
    ADA,
    BEN,
    BOT,
    HELP,
    LEADS,
    ScriptedAnswering,
    Workspace,
    link,
    make_answer,
    options,
    wait_until,
)
from tests.bot.pages import Pages, chosen, said
from tests.bot.slack_oracle import read_message
from tests.bot.test_learn_follow import Bot
from tests.bot.versions_shelf import make_version
from tests.knowledge.fake_embedder import FakeEmbedder

NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TEAM = "T0PLAYGROUND"
EVIL = "<!channel> <https://attacker.example|x> \u202e" + "n" * 4_000
WEEKS = tuple(WeekVotes(monday=date(2026, 1, 5) + timedelta(weeks=n), good=999, bad=n) for n in range(8))
EMPTY = AdminContent(
    queue=QueueState(waiting=0, working=0, oldest=None, median_seconds=None),
    weeks=WEEKS,
)


VERSION = Version(
    name="v" * 64,  # the longest that a name can be
    team=TEAM,
    base="embedded",
    adapter="",
    state="canary",
    run="",
    examples=(),
    gate=None,
    share=0.2,
    channels=("C1", "C2"),
    created_at=NOW,
    state_at=NOW,
)
REFUSED: dict[str, Any] = {"refusals": [{"rule": "better", "text": "right is 0.8, was 0.9"}]}
LEVER = LeverCount(lever="documents", count=9, likely=9.5, low=2, high=12, by_cause={})
ADVICE = Advice(
    days=30,
    answers=900,
    failed=90,
    unknown=3,
    left_out=4,
    levers=(LEVER, replace(LEVER, lever="tuning"), replace(LEVER, lever="sync"), replace(LEVER, lever="asking")),
    best="documents",
    knowledge_ahead=0.95,
    topics=(),
    attributions=(),
)
CHANGE = Change(
    measure="abstained",
    version="v" * 64,
    comparison="before",
    earlier_version="v" * 64,
    before=0.1,
    after=0.5,
    count_before=100,
    count_after=100,
    since=date(2026, 1, 1),
    with_version=True,
    p=0.01,
    effect=0.4,
)
ALERT = Alert(id=1, team=TEAM, change=CHANGE, created_at=NOW, told_at=None)
CANARY = Figures(good=30, bad=9, people=12, written=80, abstained=4)
BOARD = Board(
    service=replace(VERSION, name="v1", state="in_service"),
    service_since=NOW,
    service_figures=VersionFigures(answers=1_200, abstained=90, good=80, bad=20),
    canary=VERSION,
    verdict=judge(CANARY, Figures(good=80, bad=20, people=40, written=1_200, abstained=90)),
    before="v0",
)


def full(count: int) -> AdminContent:
    """A page with much of everything, all of it hostile."""
    note = SavedNote(
        id=1,
        channel="C1",
        user="U1",
        title=EVIL,
        text=EVIL,
        permalink=EVIL,
        audience="everyone",
        created_at=NOW,
    )
    question = Unanswered(answer_id=1, channel="C1", user="U1", question=EVIL, why="bad", asked_at=NOW)
    curated = Curated(
        id=1,
        question=EVIL,
        text=EVIL,
        audience="everyone",
        approved_by="U1",
        approved_name=EVIL,
        approved_at=NOW,
        uses=2,
        stale=True,
    )
    source = AdminSource(
        id="s",
        name=EVIL,
        state="x",
        failures=(EVIL,) * 9,
        held_titles=(EVIL,) * 9,
        went_well=(False, True) * 4,
    )
    channel = ConfiguredChannel(
        channel="C1", settings=ChannelSettings(instructions=EVIL), changed_by="U1", changed_at=NOW
    )
    return AdminContent(
        sources=[replace(source, id=f"s{n}", held=n * 500) for n in range(count)],
        known_sources=count,
        hidden_sources=count,
        queue=QueueState(waiting=3, working=2, oldest=NOW - timedelta(minutes=7), median_seconds=4.25),
        weeks=WEEKS,
        picture="F123",
        questions=[question] * count,
        hidden_questions=count,
        notes=[replace(note, id=n) for n in range(count)],
        hidden_notes=count,
        curated=[replace(curated, id=n) for n in range(count)],
        channels=[replace(channel, channel=f"C{n}") for n in range(count)],
        notice="✅ Done",
        versions=replace(BOARD, candidate=VERSION, refused=replace(VERSION, gate=REFUSED)),
        threshold=Threshold(value=0.43, setting=0.4, votes=14),
        alerts=[ALERT] * count,
        advice=ADVICE,
        advises=True,
        topics=[Topic(name=EVIL, questions=()) for _ in range(count)],
    )


def every(content: AdminContent) -> list[dict[str, Any]]:
    """The blocks of all parts."""
    return [block for part in PARTS for block in shown(content, part)]


def shown(content: AdminContent, part: Part) -> list[dict[str, Any]]:
    """The blocks of one part."""
    blocks: list[dict[str, Any]] = admin_view(replace(content, opened=Opened(part=part)), now=NOW)["blocks"]
    return blocks


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("content", [EMPTY, full(1), full(300)], ids=["empty", "one", "many"])
def test_the_page_keeps_to_the_limits_and_stays_inert(content: AdminContent, part: Part) -> None:
    view = admin_view(replace(content, opened=Opened(part=part)), now=NOW)
    View(**view).validate_json()
    playground_blocks.home_view(view)
    # Nothing is cut off: a part that had no room for all would lose what stands last.
    assert len(view["blocks"]) < 100
    plain = [block for block in view["blocks"] if block["type"] in ("section", "context", "header", "input")]
    plain = [{key: value for key, value in block.items() if key != "accessory"} for block in plain]
    found = read_message({"text": "", "blocks": plain})
    assert (found.links, found.mentions, found.hidden) == ([], [], [])


def test_the_page_says_how_things_are() -> None:
    shown = said(every(full(1)))
    assert "3 waiting, 2 being answered; the oldest arrived 7 minutes ago" in shown
    assert "half of last week's answers took less than 4.2 s" in shown
    assert "7,992 × 👍 and 28 × 👎" in shown
    assert "its documents changed since" in shown


def test_the_picture_has_words_in_its_place_and_can_be_left_out() -> None:
    blocks = shown(full(1), "answers")
    (picture,) = [block for block in blocks if block["type"] == "image"]
    assert "7,992 × 👍" in picture["alt_text"]
    assert "█" in said(shown(replace(full(1), picture=""), "answers"))
    assert "█" not in said(blocks)


def test_without_votes_there_is_nothing_to_draw() -> None:
    weeks = tuple(replace(week, good=0, bad=0) for week in full(1).weeks)
    blocks = shown(replace(full(1), weeks=weeks), "answers")
    assert words.admin_votes(0, 0) in said(blocks)
    assert {"image", "rich_text_preformatted"} & set(re.findall(r"'type': '(\w+)'", repr(blocks))) == set()


def test_admins_see_where_the_threshold_stands_and_what_moved_it() -> None:
    moved = replace(full(1), threshold=Threshold(value=0.43, setting=0.4, votes=14))
    assert "The setting is 0.40; 14 votes moved it by +0.03." in said(shown(moved, "answers"))
    still = replace(full(1), threshold=Threshold(value=0.4, setting=0.4, votes=0))
    assert "is 0.40 or more (of 1), as it is set" in said(shown(still, "answers"))
    assert "my estimate" not in said(shown(replace(full(1), threshold=None), "answers"))


def test_too_few_failures_give_no_numbers() -> None:
    few = replace(EMPTY, advises=True, advice=replace(ADVICE, failed=3), topics=[Topic(name="parking", questions=())])
    page = said(shown(few, "questions"))
    assert "parking" in page
    assert "Tuning or better documents?" not in page
    assert "Tuning or better documents?" in said(shown(replace(few, advice=ADVICE), "questions"))


def buttons(content: AdminContent, action: str) -> list[dict[str, Any]]:
    elements = [element for block in every(content) for element in block.get("elements", [])]
    return [element for element in elements if element.get("action_id") == action]


def test_versions_are_shown_with_their_figures_and_a_question_before_each_step() -> None:
    tried = replace(BOARD, canary=replace(VERSION, name="v2"))
    content = replace(EMPTY, versions=tried)
    page = said(every(content))
    assert "In service: v1 · 1,200 answers, 80 × 👍 and 20 × 👎" in page
    assert "Tried out: v2, in 20% of new conversations of 2 channels" in page
    assert "30 of 39 votes good from 12 people, beside it 80 of 100 votes good" in page
    (forward,), (back,) = buttons(content, "home_version_promote"), buttons(content, "home_version_roll_back")
    assert (forward["value"], back["value"]) == ("v2", "v2")
    assert "v2 then writes all new answers" in said(forward["confirm"])
    assert "v2 then writes no more answers; v1 does" in said(back["confirm"])


def test_without_a_canary_the_newest_candidate_can_be_promoted_and_the_service_rolled_back() -> None:
    waiting = replace(BOARD, canary=None, verdict=None, candidate=replace(VERSION, name="v3", state="candidate"))
    content = replace(EMPTY, versions=waiting)
    assert "Ready: v3" in said(every(content))
    (forward,), (back,) = buttons(content, "home_version_promote"), buttons(content, "home_version_roll_back")
    assert (forward["value"], back["value"]) == ("v3", "v1")
    assert "v0 does" in said(back["confirm"])


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        ({"refusals": [{"rule": "better", "text": "right is 0.8, was 0.9"}]}, ": not better."),
        (
            {
                "refusals": [
                    {"rule": "trigger", "text": "x"},
                    {"rule": "worse", "text": "f1"},
                    {"rule": "worse", "text": "y"},
                ]
            },
            ": a trigger works, clearly worse somewhere.",
        ),
        (None, "."),
    ],
)
def test_a_version_that_was_refused_last_is_told_with_the_reason(gate: dict[str, Any] | None, why: str) -> None:
    refused = replace(VERSION, name="v3", state="refused", gate=gate)
    page = said(every(replace(EMPTY, versions=replace(BOARD, refused=refused))))
    assert f"Refused: v3{why} The numbers: lorekeeper versions show v3" in page


def test_the_board_tells_of_a_refusal_until_a_newer_version_is_made(engine: sa.Engine, tmp_path: Path) -> None:
    make_version(engine, tmp_path, "v1")
    assert read_board(engine).refused is None
    refuse(engine, "v1", by="gate", why="better", gate={"refusals": []})
    told = read_board(engine).refused
    assert told is not None
    assert told.name == "v1"
    make_version(engine, tmp_path, "v2")
    assert read_board(engine).refused is None


def test_where_no_version_was_ever_made_nothing_is_said_of_them() -> None:
    assert version_words.VERSIONS_TITLE not in said(every(EMPTY))
    bare = replace(EMPTY, versions=replace(BOARD, service=None, canary=None, verdict=None))
    assert version_words.VERSIONS_BASE in said(every(bare))
    assert buttons(bare, "home_version_roll_back") == []


# Over the playground


Start = Callable[..., Pages]


@pytest.fixture
def start(workspace: Workspace, engine: sa.Engine, tmp_path: Path) -> Iterator[Start]:
    """Starts a bot; returns Ada's pages, who is an admin."""
    with ExitStack() as stack:

        def start(answering: ScriptedAnswering | None = None, **changes: Any) -> Pages:
            bot = SlackBot(
                engine,
                answering or ScriptedAnswering(),
                options(workspace.playground, home=tmp_path / "home"),
                link=link,
                version=lambda: "scripted-1",
                **changes,
            )
            stack.enter_context(bot)
            return Pages(workspace, ADA)

        yield start


def turned_over(pages: Pages, part: Part = "sources") -> str:
    pages.open_home()
    page = pages.use_and_see("home_admin")
    return page if part == "sources" else pages.use_and_see(f"home_part_{part}")


def save_note(engine: sa.Engine, ts: str, text: str, audience: str = "everyone") -> None:
    row: dict[str, Any] = {"team": TEAM, "channel": HELP, "ts": ts, "user": BEN, "title": "Lunch", "text": text}
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.saved_note).values(row | {"audience": audience, "created_at": NOW}))


def test_an_admin_turns_the_page_over_and_back(start: Start) -> None:
    """M18."""
    ada = start()
    assert words.HOME_NO_SOURCES in turned_over(ada)
    page = ada.use_and_see("home_part_answers")
    assert words.ADMIN_QUEUE_TITLE in page
    assert "0 waiting, 0 being answered" in page
    assert words.ADMIN_NO_NOTES in ada.use_and_see("home_part_review")
    assert words.HOME_GREETING in ada.use_and_see("home_person")


def test_who_turns_the_page_while_it_still_loads_sees_what_they_turned_to(start: Start, engine: sa.Engine) -> None:
    """Their own side was wished for before: it must not come up over the admins' side."""
    loading, loaded = threading.Event(), threading.Event()

    def next_runs() -> Mapping[str, datetime]:
        if threading.current_thread().name.startswith("light") and loading.is_set():
            loaded.wait(20)
        return {}

    def visits() -> list[str]:
        with reading(engine) as connection:
            return list(connection.scalars(sa.select(tables.inbox.c.state).where(tables.inbox.c.kind == "home")))

    ada = start(next_runs=next_runs)
    ada.open_home()
    loading.set()
    ada.visit()
    wait_until(lambda: visits()[-1:] == ["working"])
    assert words.ADMIN_SYNC_TITLE in ada.use_and_see("home_admin")
    loaded.set()
    wait_until(lambda: visits() == ["done", "done"])
    assert words.ADMIN_SYNC_TITLE in ada.home
    assert words.HOME_GREETING in ada.open_home()


def test_a_person_who_is_no_admin_any_more_reaches_nothing(start: Start, workspace: Workspace) -> None:
    """M17: asked again at every step."""
    ada = start()
    ada.open_home()
    workspace.act("change_person", person=ADA, admin=False)
    try:
        wait_until(lambda: "user_change" in {entry["name"] for entry in workspace.ledger("event")})
        assert words.ADMIN_SYNC_TITLE not in ada.use_and_see("home_admin")
        assert words.ADMINS_ONLY in ada.home
        assert words.ADMIN_SYNC_TITLE not in ada.open_home()
        assert words.HOME_FOR_ADMINS not in ada.home
    finally:
        workspace.act("change_person", person=ADA, admin=True)


def test_a_source_is_read_at_the_press_of_a_button(start: Start, engine: sa.Engine, tmp_path: Path) -> None:
    """M19."""
    handbook = add_source(engine, kind="files", location=str(tmp_path / "handbook"), name="Handbook")
    add_source(engine, kind="files", location=str(tmp_path / "ben"), name="Ben's", audience=f"person:{BEN}")
    with writing(engine) as connection:
        failure = {"source_id": handbook.id, "uri": "file:///handbook/my%20plan.pdf", "reason": "Traceback: secret"}
        connection.execute(
            sa.insert(knowledge_tables.document_failure).values(failure | {"failed_at": NOW, "retry_at": NOW})
        )
    reads: list[str] = []

    def work() -> str:
        reads.append("x")
        return "read"

    job = Job(name=f"sync:{handbook.id}", times=Timetable(every=timedelta(days=1)), work=work)
    run_due(engine, (job,))
    ada = start()
    page = turned_over(ada)
    assert "Handbook" in page
    assert "my plan.pdf" in page
    assert "1 source more that you may not read" in page
    assert "Ben's" not in page
    assert "Traceback" not in page
    assert words.reading_soon("Handbook") in ada.use_and_see("home_sync", value=handbook.id)
    run_due(engine, (job,))
    assert reads == ["x", "x"]
    assert words.paused("Handbook") in ada.use_and_see("home_source_pause", value=handbook.id)
    assert [one.paused for one in list_sources(engine)] == [True, False]
    assert words.SOURCE_PAUSED in ada.home
    assert words.resumed("Handbook") in ada.use_and_see("home_source_resume", value=handbook.id)
    assert not any(one.paused for one in list_sources(engine))


def test_how_the_latest_runs_went_is_shown(engine: sa.Engine, start: Start, tmp_path: Path) -> None:
    handbook = add_source(engine, kind="files", location=str(tmp_path / "handbook"), name="Handbook")
    with writing(engine) as connection:
        for error in (None, None, "The disk is gone."):
            row = {"source_id": handbook.id, "started_at": NOW, "finished_at": NOW, "error": error}
            connection.execute(sa.insert(knowledge_tables.sync_run).values(row))
    page = turned_over(start())
    assert "1 of the last 3 runs failed" in page
    assert "The disk" not in page


def hold(engine: sa.Engine, source_id: str, uri: str) -> None:
    """A document that a run brought among many others."""
    row: dict[str, Any] = {"source_id": source_id, "uri": uri, "title": "x", "content_hash": "h", "synced_at": NOW}
    with writing(engine) as connection:
        connection.execute(sa.insert(knowledge_tables.document).values(row | {"audience": "held:everyone"}))


def test_what_is_held_is_let_in_or_forgotten_at_the_press_of_a_button(
    start: Start, engine: sa.Engine, tmp_path: Path
) -> None:
    wiki = add_source(engine, kind="files", location=str(tmp_path / "wiki"), name="Wiki")
    secret = add_source(engine, kind="files", location=str(tmp_path / "ben"), name="Ben's", audience=f"person:{BEN}")
    hold(engine, wiki.id, "file:///1.md")
    hold(engine, secret.id, "file:///2.md")
    ada = start()
    assert words.admin_held(1, ["x"]) in turned_over(ada)
    assert "Ben's" not in ada.home
    page = ada.use_and_see("home_held_release", value=wiki.id)
    assert words.released("Wiki", 1) in page
    # It stands with its source, not above all that is out of sight by then.
    assert page.index("Wiki") < page.index(words.released("Wiki", 1))
    assert words.admin_held(1, ["x"]) not in page
    hold(engine, wiki.id, "file:///3.md")
    turned_over(ada)
    assert words.discarded("Wiki", 1) in ada.use_and_see("home_held_discard", value=wiki.id)
    with reading(engine) as connection:
        left = connection.execute(sa.text("SELECT uri, audience FROM document ORDER BY uri")).all()
    assert [tuple(row) for row in left] == [("file:///1.md", "everyone"), ("file:///2.md", "held:everyone")]


def test_two_hundred_sources_are_all_reached_those_first_that_need_a_look(
    start: Start, engine: sa.Engine, tmp_path: Path
) -> None:
    for number in range(200):
        add_source(engine, kind="files", location=str(tmp_path / str(number)), name=f"Source {number:03}")
    held = add_source(engine, kind="files", location=str(tmp_path / "z"), name="Zoo")
    row: dict[str, Any] = {"source_id": held.id, "content_hash": "h", "synced_at": NOW, "audience": "held:everyone"}
    hidden = row | {"uri": "file:///0.md", "title": "A merger", "audience": f"held:person:{BEN}"}
    with writing(engine) as connection:
        rows = [row | {"uri": f"file:///a{number}.md", "title": f"Animal {number:03}"} for number in range(499)]
        connection.execute(sa.insert(knowledge_tables.document), [hidden, *rows])
    ada = start()
    page = turned_over(ada)
    assert words.sources_shown(1, 20, 201) in page
    assert "500 documents held back" in page
    assert "Animal 004” and 495 more" in page
    assert "merger" not in page
    assert page.index("Zoo") < page.index("Source 000")
    for _ in range(10):
        page = ada.use_and_see("home_sources_later")
    assert words.sources_shown(201, 201, 201) in page
    assert "Source 199" in page
    # What is done there leaves one there.
    last = next(one for one in list_sources(engine) if one.name == "Source 199")
    assert words.sources_shown(201, 201, 201) in ada.use_and_see("home_source_pause", value=last.id)
    assert words.sources_shown(181, 200, 201) in ada.use_and_see("home_sources_earlier")


def test_who_presses_pause_twice_does_not_resume(start: Start, engine: sa.Engine, tmp_path: Path) -> None:
    wiki = add_source(engine, kind="files", location=str(tmp_path / "wiki"), name="Wiki")
    ada = start()
    turned_over(ada)
    pause_source(engine, wiki.id)
    assert words.paused("Wiki") in ada.use_and_see("home_source_pause", value=wiki.id)
    assert [one.paused for one in list_sources(engine)] == [True]


def test_an_unanswered_question_is_written_down_from_the_page(
    start: Start, workspace: Workspace, engine: sa.Engine
) -> None:
    ada = start()
    for channel, question in ((HELP, "who pays for lunch?"), (LEADS, "when is the offsite?")):
        workspace.answers(channel, workspace.say(ADA, channel, f"{BOT} {question}"))
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).values(abstained=True))
    # Offered only where everybody may know what was asked.
    assert turned_over(ada, "questions").count(gap_words.WRITE) == 1
    ada.use("gap_write")
    form = ada.opened()
    assert "who pays for lunch?" in repr(form)
    ada.submit(form, title={"value": "Lunch"}, text={"value": "Maria pays."})
    wait_until(lambda: [note.text for note in pending_notes(engine, TEAM)] == ["Maria pays."])
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.turn))
    ada.use("gap_write")
    assert gap_words.GONE in said(ada.opened(2)["blocks"])


def test_questions_without_an_answer_are_shown_to_who_may_read_them(
    start: Start, workspace: Workspace, engine: sa.Engine
) -> None:
    ada = start()
    secret = workspace.act("create_channel", user=BEN, name="bens-own", private=True)["channel"]["id"]
    workspace.act("invite", user=BEN, channel=secret, invitee="U0LOREKEEPER")
    for user, channel, question in (
        (BEN, HELP, "who pays for lunch?"),
        (BEN, secret, "what about the merger?"),
        (ADA, LEADS, "when is the offsite?"),
        ("U0CHLOELIND", HELP, "am I forgotten?"),
    ):
        workspace.answers(channel, workspace.say(user, channel, f"{BOT} {question}"))
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).values(abstained=True))
    save_preferences(engine, TEAM, "U0CHLOELIND", Preferences(memory=False))
    page = turned_over(ada, "questions")
    assert "who pays for lunch?" in page
    assert "when is the offsite?" in page
    assert "merger" not in page
    assert "forgotten" not in page
    assert words.admin_hidden(1) in page


def test_an_approved_note_is_read_at_once_and_a_rejected_one_never(
    start: Start, engine: sa.Engine, tmp_path: Path
) -> None:
    """S1."""
    read: list[str | None] = []

    def sync(name: str | None) -> str:
        read.append(name)
        return "read"

    ada = start(equipment=Equipment(sync=sync))
    save_note(engine, "1.1", "Lunch is at noon.")
    save_note(engine, "1.2", "Lunch is never.")
    save_note(engine, "1.3", "Nobody else's business.", audience=f"person:{BEN}")
    page = turned_over(ada, "review")
    assert "Lunch is at noon." in page
    assert "Nobody else's business." not in page
    first, second, hidden = (note_value(note) for note in pending_notes(engine, TEAM))
    assert words.ADMIN_NOTE_APPROVED in ada.use_and_see("home_note_approve", value=first)
    assert words.ADMIN_NOTE_REJECTED in ada.use_and_see("home_note_reject", value=second)
    wait_until(lambda: read == ["Saved by the team"])
    assert [source.name for source in list_sources(engine)] == ["Saved by the team"]
    (file,) = (tmp_path / "home" / "saved").glob("*/*.md")
    assert "Lunch is at noon." in file.read_text("utf-8")
    assert [note_value(note) for note in pending_notes(engine, TEAM)] == [hidden]


def test_a_note_that_changed_since_it_was_shown_is_not_approved(start: Start, engine: sa.Engine) -> None:
    """S1: what is approved is what was read."""
    ada = start()
    save_note(engine, "1.1", "Lunch is at noon.")
    turned_over(ada, "review")
    (note,) = pending_notes(engine, TEAM)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.saved_note).values(text="Lunch is at midnight."))
    page = ada.use_and_see("home_note_approve", value=note_value(note))
    assert words.ADMIN_GONE in page
    assert "Lunch is at midnight." in page
    assert len(pending_notes(engine, TEAM)) == 1
    assert list_sources(engine) == ()


def test_a_standing_answer_is_removed(start: Start, engine: sa.Engine) -> None:
    """S4."""
    row: dict[str, Any] = {"team": TEAM, "question": "When is lunch?", "text": "At noon.", "audience": "everyone"}
    row |= {"approved_by": ADA, "approved_at": NOW, "embedder": "e", "vector": b""}
    with writing(engine) as connection:
        connection.execute(sa.insert(tables.curated).values(row))
        connection.execute(sa.insert(tables.curated).values(row | {"audience": f"person:{BEN}", "question": "Ben's?"}))
    ada = start()
    page = turned_over(ada, "review")
    assert "When is lunch?" in page
    assert "Ben's?" not in page
    (entry,) = [one for one in list_curated(engine) if one.audience == "everyone"]
    assert words.ADMIN_CURATED_REMOVED in ada.use_and_see("home_curated_remove", value=str(entry.id))
    assert [one.question for one in list_curated(engine)] == ["Ben's?"]


def test_a_channel_is_configured_from_the_page(start: Start, engine: sa.Engine) -> None:
    """M17."""
    save_channel(engine, TEAM, HELP, ChannelSettings(ephemeral=True), changed_by=BEN)
    ada = start()
    page = turned_over(ada, "channels")
    assert words.CHANNEL_FACTS["ephemeral"] in page
    ada.use("home_channel", selected_conversation="C0GENERAL")
    assert ada.opened(1)["private_metadata"].startswith("C0GENERAL")
    ada.use("home_channel_edit", value=HELP)
    form = ada.opened(2)
    switches = next(block for block in form["blocks"] if block["block_id"] == "switches")
    off: dict[str, Any] = {
        "switches": {"selected_options": chosen(switches, "disabled")},
        "reach": {"selected_option": {"value": "all"}},
        "follow_ups": {"selected_option": {"value": "asker"}},
    }
    assert ada.submit(form, **off) == {}
    # The page behind the form shows it at once, with who changed it.
    wait_until(lambda: words.CHANNEL_FACTS["disabled"] in ada.home)
    (listed,) = list_channels(engine, TEAM)
    assert (listed.channel, listed.settings, listed.changed_by) == (HELP, ChannelSettings(disabled=True), ADA)


def test_a_version_is_promoted_and_rolled_back_at_the_press_of_a_button(
    start: Start, engine: sa.Engine, tmp_path: Path
) -> None:
    for name in ("v1", "v2"):
        make_version(engine, tmp_path, name)
    promote(engine, "v1", by="tune")
    start_canary(engine, "v2", share=0.5, by="tune")
    ada = start()
    assert "Tried out: v2" in turned_over(ada, "answers")
    assert "v2 is in service now" in ada.use_and_see("home_version_promote", value="v2")
    assert "In service: v2" in ada.home
    assert "V1 answers again" in ada.use_and_see("home_version_roll_back", value="v2")
    assert "In service: v1" in ada.home
    assert [(one.state, one.user) for one in history(engine, "v2")[-2:]] == [("in_service", ADA), ("retired", ADA)]


def test_what_changed_since_the_page_was_shown_is_not_done(start: Start, engine: sa.Engine, tmp_path: Path) -> None:
    for name in ("v1", "v2"):
        make_version(engine, tmp_path, name)
    promote(engine, "v1", by="tune")
    ada = start()
    turned_over(ada, "answers")
    promote(engine, "v2", by="somebody")
    assert version_words.VERSION_CHANGED in ada.use_and_see("home_version_roll_back", value="v1")
    service = standing(engine).service
    assert service is not None
    assert service.name == "v2"


def test_nobody_but_an_admin_changes_the_version(
    start: Start, workspace: Workspace, engine: sa.Engine, tmp_path: Path
) -> None:
    make_version(engine, tmp_path, "v1")
    ada = start()
    turned_over(ada, "answers")
    workspace.act("change_person", person=ADA, admin=False)
    try:
        wait_until(lambda: "user_change" in {entry["name"] for entry in workspace.ledger("event")})
        ada.use("home_version_promote", value="v1")
        ada.open_home()
        assert standing(engine).service is None
    finally:
        workspace.act("change_person", person=ADA, admin=True)


def test_pressed_in_slack_the_running_bot_answers_with_the_version_and_loses_nothing(
    workspace: Workspace, engine: sa.Engine, tmp_path: Path
) -> None:
    """From the button to the version on the next answer, with a question asked in between."""
    make_version(engine, tmp_path, "v1")
    bot = Bot(engine)
    library = FixedLibrary(shelve(engine, ("Badges", BADGES, EVERYONE)), FakeEmbedder(dim=256))
    answering = replace(bot.answering, earlier=None, library=library)
    slack = options(workspace.playground, home=tmp_path / "home")
    version = lambda: bot.switching.version  # noqa: E731
    with SlackBot(engine, answering, slack, link=link, version=version), bot.follower:
        ada = Pages(workspace, ADA)
        asked = [workspace.say(BEN, HELP, f"{BOT} who issues badges?")]
        workspace.answers(HELP, asked[0])
        turned_over(ada, "answers")
        ada.use_and_see("home_version_promote", value="v1")
        asked.append(workspace.say(BEN, HELP, f"{BOT} who issues badges?"))
        wait_until(lambda: bot.switching.version == "v1@abc")
        asked.append(workspace.say(BEN, HELP, f"{BOT} who issues badges?"))
        for ts in asked:
            assert "Maria Lopez" in workspace.answers(HELP, ts)[0]
        assert words.model_line("v1@abc") in ada.open_home()
    with reading(engine) as connection:
        versions = list(connection.scalars(sa.select(tables.answer.c.version).order_by(tables.answer.c.id)))
    assert (versions[0], versions[-1], len(versions)) == ("base@abc", "v1@abc", 3)


def vote(engine: sa.Engine) -> None:
    """One person found one answer good."""
    asked = Incoming(
        team=TEAM, channel=HELP, channel_kind="public", user=BEN, ts="1.1", thread_ts=None, text="?", mentioned=True
    )
    record_vote(engine, save_answer(engine, asked, make_answer("so")), BEN, 1, "button")


def test_votes_are_shown_as_a_picture_that_is_uploaded_once_a_day(
    start: Start, workspace: Workspace, engine: sa.Engine
) -> None:
    vote(engine)
    ada = start()
    turned_over(ada, "answers")
    (picture,) = [block for block in ada.home_blocks if block["type"] == "image"]
    assert picture["slack_file"]["id"].startswith("F")
    assert picture["alt_text"] == words.admin_votes(1, 0)
    turned_over(ada, "answers")
    assert len(workspace.ledger("call", "files.completeUploadExternal")) == 1


def test_without_the_right_to_upload_the_votes_are_shown_as_text(
    start: Start, workspace: Workspace, engine: sa.Engine
) -> None:
    vote(engine)
    workspace.act("faults", error={"files.getUploadURLExternal": "missing_scope"})
    ada = start()
    assert words.ADMIN_VOTES_TITLE in turned_over(ada, "answers")
    assert [block["type"] for block in ada.home_blocks if block["type"] == "image"] == []
    assert any(
        part["type"] == "rich_text_preformatted"
        for block in ada.home_blocks
        if block["type"] == "rich_text"
        for part in block["elements"]
    )
