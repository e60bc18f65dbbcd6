"""Dialogues with files that are to be kept as knowledge: offered, reviewed, withdrawn, and what cannot be kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot import tables, words
from bot.equipment import Equipment
from bot.note_suggestions import MOST_WAITING_FILES, Note, NoteFile, suggest_note
from bot.notes import approve_note, documents_of, pending_notes
from bot.playground.process import PlaygroundProcess
from bot.playground.workspace import BOT_USER_ID
from bot.slack.answer_menu import KEEP_FILES_ACTION
from bot.slack.gateway import SlackBot
from bot.slack.home_review import READ_ACTION
from knowledge.audience import EVERYONE, channel_audience
from knowledge.database import reading
from knowledge.parse import Parser
from tests.bot.answer_dialogue import choose
from tests.bot.dialogue import (
    ADA,
    ADAS_DM,
    BEN,
    HELP,
    LEADS,
    ScriptedAnswering,
    StartBot,
    Workspace,
    link,
    options,
    wait_until,
)
from tests.bot.pages import Pages, said
from tests.knowledge.fake_embedder import FakeEmbedder

TEAM = "T0PLAYGROUND"
PLAN = b"# Moving plan\n\nThe office moves to Harbour Street on 3 June. Boxes are in the cellar.\n"
LOCKED = bytes.fromhex("d0cf11e0a1b11ae1") + b"EncryptedPackage" * 40


@pytest.fixture(scope="module")
def equipment() -> Iterator[Equipment]:
    with Parser() as parser:
        yield Equipment(embedder=FakeEmbedder(dim=64), parser=parser)


@pytest.fixture
def start_bot(
    playground: PlaygroundProcess, engine: sa.Engine, equipment: Equipment, tmp_path: Path
) -> Iterator[StartBot]:
    with ExitStack() as stack:

        def start(answering: ScriptedAnswering, **changes: Any) -> SlackBot:
            bot = SlackBot(
                engine,
                answering,
                options(playground, home=tmp_path, **changes),
                link=link,
                version=lambda: "scripted-1",
                equipment=equipment,
            )
            stack.enter_context(bot)
            wait_until(lambda: bot.ready)
            return bot

        yield start


def share(workspace: Workspace, user: str, channel: str, text: str, files: dict[str, bytes]) -> str:
    attached = [
        {"name": name, "mimetype": "application/octet-stream", "content": base64.b64encode(content).decode()}
        for name, content in files.items()
    ]
    return str(workspace.act("say", user=user, channel=channel, text=text, files=attached)["ts"])


def keep_button(message: dict[str, Any]) -> dict[str, Any] | None:
    elements = [element for block in message.get("blocks", []) for element in block.get("elements", [])]
    return next((element for element in elements if element.get("action_id") == KEEP_FILES_ACTION), None)


def offered(workspace: Workspace, ts: str, channel: str = ADAS_DM) -> dict[str, Any]:
    wait_until(lambda: any(keep_button(message) for message in workspace.bot_messages(channel, ts)))
    return next(message for message in workspace.bot_messages(channel, ts) if keep_button(message))


def press(workspace: Workspace, user: str, message: dict[str, Any], channel: str = ADAS_DM) -> dict[str, Any]:
    """Press the button; returns the form that opens."""
    workspace.act("clear_traffic")
    button = keep_button(message)
    assert button is not None
    block = next(block for block in message["blocks"] if button in block.get("elements", []))
    action = {
        "type": "button",
        "action_id": KEEP_FILES_ACTION,
        "block_id": block["block_id"],
        "value": button["value"],
    }
    container = {"type": "message", "ts": message["ts"], "channel": channel}
    workspace.act("block_action", user=user, container=container, action=action)
    wait_until(lambda: bool(workspace.ledger("call", "views.open")))
    call = workspace.ledger("call", "views.open")[-1]
    assert call["status"] == "ok", call
    view: dict[str, Any] = call["response"]["view"]
    return view


def shortcut(workspace: Workspace, user: str, channel: str, ts: str) -> dict[str, Any]:
    workspace.act("clear_traffic")
    workspace.act("shortcut", user=user, callback_id="save_as_knowledge", channel=channel, ts=ts)
    wait_until(lambda: bool(workspace.ledger("call", "views.open")))
    call = workspace.ledger("call", "views.open")[-1]
    assert call["status"] == "ok", call
    view: dict[str, Any] = call["response"]["view"]
    return view


def submit(
    workspace: Workspace, user: str, view: dict[str, Any], *, title: str, text: str = "", readers: str = EVERYONE
) -> None:
    values = {
        "title": {"title": {"type": "plain_text_input", "value": title}},
        "text": {"text": {"type": "plain_text_input", "value": text or None}},
        "readers": {"readers": {"type": "static_select", "selected_option": {"value": readers}}},
    }
    workspace.act("view_submit", user=user, view_id=view["id"], values=values)


def replies(workspace: Workspace) -> list[str]:
    return [said(call["request"]["blocks"]) for call in workspace.ledger("call", "response_url")]


def wait_for_reply(workspace: Workspace, text: str) -> None:
    wait_until(lambda: any(text in reply for reply in replies(workspace)))


def rows(engine: sa.Engine, table: sa.Table) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(sa.select(table)).mappings())


def keep_plan(workspace: Workspace, ts: str, readers: str = EVERYONE) -> None:
    submit(workspace, ADA, press(workspace, ADA, offered(workspace, ts)), title="The move", readers=readers)
    wait_for_reply(workspace, "The move")


def test_a_file_in_a_direct_message_is_kept_for_whom_its_person_chooses(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine, tmp_path: Path
) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    view = press(workspace, ADA, offered(workspace, ts))
    fields = {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}
    assert fields["title"]["element"]["initial_value"] == "Moving plan"
    assert fields["text"]["optional"]
    readers = fields["readers"]["element"]
    assert "initial_option" not in readers
    values = [option["value"] for option in readers["options"]]
    assert values[0] == EVERYONE
    assert {channel_audience(LEADS), channel_audience(HELP)} <= set(values)
    submit(workspace, ADA, view, title="The move")
    wait_for_reply(workspace, "“moving-plan.md”")
    assert words.SAVE_DONE.format(title="The move") in replies(workspace)[-1]
    (note,) = pending_notes(engine, TEAM)
    assert (note.title, note.text, note.user, note.audience, note.permalink) == ("The move", "", ADA, EVERYONE, "")
    assert [(one.name, one.size) for one in note.files] == [("moving-plan.md", len(PLAN))]
    assert "Harbour Street" in note.files[0].text
    # Nothing counts before the review.
    assert not (tmp_path / "saved").exists()


def test_a_file_without_a_word_is_answered_with_what_can_be_done(workspace: Workspace, start_bot: StartBot) -> None:
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = share(workspace, ADA, ADAS_DM, "", {"moving-plan.md": PLAN})
    assert "“moving-plan.md”" in said(offered(workspace, ts)["blocks"])
    assert answering.asked == []


def test_the_offer_stays_after_a_vote(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    message = offered(workspace, ts)
    (block,) = [block for block in message["blocks"] if block["type"] == "context_actions"]
    element = block["elements"][0]
    action = {"type": "feedback_buttons", "action_id": element["action_id"], "block_id": block["block_id"]}
    container = {"type": "message", "ts": message["ts"], "channel": ADAS_DM}
    pressed = action | {"value": element["positive_button"]["value"]}
    workspace.act("block_action", user=ADA, container=container, action=pressed)
    wait_until(lambda: words.RECEIPT_GOOD in json.dumps(workspace.bot_messages(ADAS_DM, ts), ensure_ascii=False))
    assert keep_button(offered(workspace, ts)) is not None


def test_an_answer_made_again_reads_the_files_of_its_question_again(workspace: Workspace, start_bot: StartBot) -> None:
    answering = ScriptedAnswering()
    start_bot(answering)
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    choose(workspace, ADA, ADAS_DM, offered(workspace, ts), "regenerate")
    wait_until(lambda: len(answering.briefs) == 2)
    assert [[passage.title for passage in brief.context] for brief in answering.briefs] == [["moving-plan.md"]] * 2


def test_one_person_has_only_so_many_files_waiting(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    note = Note(team=TEAM, channel="C1", ts="1.0", user=ADA, title="t", text="", permalink="", audience=EVERYONE)
    one = NoteFile(id="F1", name="a.md", stored="a.md", content=b"a", text="a")
    suggest_note(engine, note, [one] * MOST_WAITING_FILES)
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    submit(workspace, ADA, press(workspace, ADA, offered(workspace, ts)), title="The move")
    wait_for_reply(workspace, words.FILES_WAITING)
    assert len(pending_notes(engine, TEAM)) == 1


def test_nothing_is_offered_in_a_channel_or_for_what_cannot_be_read(workspace: Workspace, start_bot: StartBot) -> None:
    start_bot(ScriptedAnswering())
    in_channel = share(workspace, ADA, HELP, "@Lorekeeper when do we move?", {"moving-plan.md": PLAN})
    picture = share(workspace, ADA, ADAS_DM, "what is this?", {"cat.png": b"\x89PNG"})
    for channel, ts in ((HELP, in_channel), (ADAS_DM, picture)):
        workspace.answers(channel, ts)
        assert not any(keep_button(message) for message in workspace.bot_messages(channel, ts))
    wait_until(lambda: any(words.FILE_KIND in text for text in workspace.whispers(ADA)))


def test_a_guest_is_offered_nothing(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(ScriptedAnswering())
    guest = workspace.act("create_person", name="Gil Guest", guest="multi")["user"]["id"]
    direct = workspace.direct_messages(guest)
    ts = share(workspace, guest, direct, "", {"moving-plan.md": PLAN})
    wait_until(lambda: bool(workspace.bot_messages(direct, ts)))
    assert not any(keep_button(message) for message in workspace.bot_messages(direct, ts))
    assert all(row["files"] == [] for row in rows(engine, tables.answer))


def test_the_shortcut_keeps_the_files_of_a_message_for_its_readers(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, LEADS, "Here is the plan.", {"plan.md": PLAN, "more.txt": b"Bring your own boxes."})
    view = shortcut(workspace, ADA, LEADS, ts)
    fields = {block["block_id"]: block["element"] for block in view["blocks"] if block["type"] == "input"}
    assert fields["readers"]["initial_option"]["value"] == channel_audience(LEADS)
    assert fields["text"]["initial_value"] == "Here is the plan."
    submit(workspace, ADA, view, title="Plan", text="Here is the plan.", readers=channel_audience(LEADS))
    wait_for_reply(workspace, "“plan.md”, “more.txt”")
    (note,) = pending_notes(engine, TEAM)
    assert [file.name for file in note.files] == ["plan.md", "more.txt"]
    assert (note.audience, note.text) == (channel_audience(LEADS), "Here is the plan.")
    assert note.permalink.endswith(f"/archives/{LEADS}/p{ts.replace('.', '')}")


def test_readers_must_be_a_channel_that_the_person_and_the_bot_are_in(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    channel = workspace.act("create_channel", user=ADA, name="movers", private=True)["channel"]["id"]
    workspace.act("invite", user=ADA, channel=channel, invitee=BOT_USER_ID)
    workspace.act("invite", user=ADA, channel=channel, invitee=BEN)
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    view = press(workspace, ADA, offered(workspace, ts))
    workspace.act("leave", user=ADA, channel=channel)
    submit(workspace, ADA, view, title="The move", readers=channel_audience(channel))
    wait_for_reply(workspace, words.SAVE_NOT_THERE)
    assert rows(engine, tables.saved_note) == []


def test_what_cannot_be_kept_is_said_at_once(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(ScriptedAnswering())
    files = {"locked.docx": LOCKED, "broken.xlsx": b"no zip at all", "empty.md": b"\n\n", "fine.md": PLAN}
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", files)
    submit(workspace, ADA, press(workspace, ADA, offered(workspace, ts)), title="All")
    wait_for_reply(workspace, "“fine.md”")
    told = replies(workspace)[-1]
    for name, why in (
        ("locked.docx", words.FILE_LOCKED),
        ("broken.xlsx", words.FILE_DAMAGED),
        ("empty.md", words.FILE_NO_TEXT),
    ):
        assert f"“{name}”: {why}" in told
    (note,) = pending_notes(engine, TEAM)
    assert [file.name for file in note.files] == ["fine.md"]
    # With nothing that can be kept, nothing is.
    ts = share(workspace, ADA, ADAS_DM, "and this?", {"locked.docx": LOCKED})
    submit(workspace, ADA, press(workspace, ADA, offered(workspace, ts)), title="Locked")
    wait_for_reply(workspace, words.FILE_LOCKED)
    assert "Thank you" not in replies(workspace)[-1]
    assert len(pending_notes(engine, TEAM)) == 1


def test_two_forms_make_one_note_and_the_last_words_count(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    message = offered(workspace, ts)
    for title in ("One", "Two"):
        submit(workspace, ADA, press(workspace, ADA, message), title=title)
        wait_for_reply(workspace, title)
    (note,) = pending_notes(engine, TEAM)
    assert note.title == "Two"
    assert len(rows(engine, tables.saved_file)) == 1


def test_what_was_accepted_is_not_lost_while_slack_gives_no_file(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    view = press(workspace, ADA, offered(workspace, ts))
    workspace.act("faults", error={"files.info": "internal_error"})
    submit(workspace, ADA, view, title="The move")
    wait_until(lambda: bool(workspace.ledger("call", "files.info")))
    assert rows(engine, tables.saved_note) == []
    workspace.act("faults", clear=True)
    wait_until(lambda: len(pending_notes(engine, TEAM)) == 1)


def test_what_is_deleted_while_its_form_is_open_is_not_kept(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    """The event came before there was anything to withdraw."""
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, LEADS, "Here is the plan.", {"plan.md": PLAN})
    view = shortcut(workspace, ADA, LEADS, ts)
    workspace.act("delete", user=ADA, channel=LEADS, ts=ts)
    submit(workspace, ADA, view, title="Plan", text="Here is the plan.")
    wait_for_reply(workspace, words.SAVE_GONE)
    assert rows(engine, tables.saved_note) == rows(engine, tables.saved_file) == []


def test_a_deleted_message_or_file_withdraws_the_note(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine
) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": PLAN})
    keep_plan(workspace, ts)
    workspace.act("delete", user=ADA, channel=ADAS_DM, ts=ts)
    wait_until(lambda: rows(engine, tables.saved_note) == [])
    assert rows(engine, tables.saved_file) == []


def test_a_deleted_message_takes_the_documents_of_its_files_along(
    workspace: Workspace, start_bot: StartBot, engine: sa.Engine, tmp_path: Path
) -> None:
    start_bot(ScriptedAnswering())
    ts = share(workspace, ADA, LEADS, "Here is the plan.", {"plan.md": PLAN, "more.txt": b"Bring your own boxes."})
    submit(workspace, ADA, shortcut(workspace, ADA, LEADS, ts), title="Plan", text="Here is the plan.")
    wait_for_reply(workspace, "“plan.md”")
    (note,) = pending_notes(engine, TEAM)
    approve_note(engine, tmp_path, note, by=ADA, now=note.created_at)
    assert sorted(path.name for path in documents_of(tmp_path, [note.id])) == [
        "more.txt",
        f"note-{note.id}.md",
        "plan.md",
    ]
    workspace.act("delete", user=ADA, channel=LEADS, ts=ts)
    wait_until(lambda: rows(engine, tables.saved_note) == [])
    wait_until(lambda: documents_of(tmp_path, [note.id]) == [])


def test_an_admin_sees_the_file_and_how_it_begins(workspace: Workspace, start_bot: StartBot, engine: sa.Engine) -> None:
    start_bot(ScriptedAnswering(), admins=frozenset({ADA}))
    long = (
        b"# Moving plan\n\n" + b"The office moves to Harbour Street on 3 June. " * 60 + b"The last word is heliotrope."
    )
    ts = share(workspace, ADA, ADAS_DM, "when do we move?", {"moving-plan.md": long})
    keep_plan(workspace, ts)
    pages = Pages(workspace, ADA)
    pages.open_home()
    pages.use_and_see("home_admin")
    shown = pages.use_and_see("home_part_review")
    for text in ("moving-plan.md · 3 kB", "Harbour Street", words.ADMIN_NOTE_EVERYONE, words.ADMIN_NOTE_DIRECT):
        assert text in shown
    assert "heliotrope" not in shown
    pages.use(READ_ACTION)
    wait_until(lambda: "heliotrope" in json.dumps(workspace.ledger("call", "views.open")))
