"""One person's own side of the home page: settings at once, and their data seen, exported and deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk.models.views import View

from bot import privacy, tables, words
from bot.people import Preferences, load_preferences
from bot.playground import blocks as playground_blocks
from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot
from bot.slack.home_person import OwnData, changed, data_view, delete_form, deleted_view, settings_blocks
from knowledge.database import reading
from knowledge.store import add_source
from tests.bot.dialogue import ADA, BEN, BOT, HELP, ScriptedAnswering, Workspace, link, options, wait_until
from tests.bot.pages import Pages, said

TEAM = "T0PLAYGROUND"


def option(value: str) -> dict[str, Any]:
    return {"selected_option": {"value": value}}


@pytest.mark.parametrize("preferences", [Preferences(), Preferences(language="no", length="short", tuning=True)])
def test_the_settings_are_valid_and_show_what_holds(preferences: Preferences) -> None:
    blocks = settings_blocks(preferences)
    playground_blocks.home_view({"type": "home", "blocks": blocks})
    language, length = blocks[1]["elements"]
    assert language["initial_option"]["value"] == (preferences.language or "as_asked")
    assert length["initial_option"]["value"] == preferences.length
    on = {one["value"] for one in blocks[2]["elements"][0].get("initial_options", [])}
    assert on == {name for name in ("memory", "tuning") if getattr(preferences, name)}


def test_a_choice_changes_one_setting_and_nothing_that_is_not_offered() -> None:
    start = Preferences(language="de")
    assert changed(start, {"action_id": "home_language", **option("fr")}) == Preferences(language="fr")
    assert changed(start, {"action_id": "home_language", **option("as_asked")}) == Preferences()
    assert changed(start, {"action_id": "home_length", **option("short")}) == Preferences(language="de", length="short")
    switches = {"action_id": "home_switches", "selected_options": [{"value": "tuning"}]}
    assert changed(start, switches) == Preferences(language="de", memory=False, tuning=True)
    assert changed(start, {"action_id": "home_language", **option("tlh")}) is None
    assert changed(start, {"action_id": "home_length", **option("endless")}) is None
    assert changed(start, {"action_id": "other"}) is None


def test_the_pages_about_data_are_valid_and_inert() -> None:
    evil = "<!channel> see https://attacker.example \u202e" + "x" * 5_000
    full = OwnData(counts={"turns": 3, "answers": 1, "new_kind": 2, "citations": 0}, questions=[evil] * 50)
    for view in (
        data_view(full),
        data_view(OwnData(counts={})),
        delete_form(),
        deleted_view({"votes": 1}),
        deleted_view({}),
    ):
        View(**view).validate_json()
        playground_blocks.modal_view(view)
        assert "\u202e" not in said(view)
    assert "3 things that were said" in said(data_view(full))
    assert words.DATA_NOTHING in said(data_view(OwnData(counts={"turns": 0})))


# Over the playground


@pytest.fixture
def answering(playground: PlaygroundProcess, engine: sa.Engine) -> Iterator[ScriptedAnswering]:
    answering = ScriptedAnswering()
    with ExitStack() as stack:
        bot = SlackBot(engine, answering, options(playground), link=link, version=lambda: "scripted-1")
        stack.enter_context(bot)
        yield answering


@pytest.fixture
def ben(workspace: Workspace, answering: ScriptedAnswering) -> Pages:
    assert answering.asked == []
    return Pages(workspace, BEN)


def test_settings_hold_at_once_and_the_page_confirms_it(
    ben: Pages, workspace: Workspace, engine: sa.Engine, answering: ScriptedAnswering
) -> None:
    """M18."""
    page = ben.open_home()
    assert "scripted-1" in page
    assert words.HOME_FOR_ADMINS not in page
    assert words.SETTINGS_SAVED in ben.choose("home_language", "fr")
    assert words.SETTINGS_SAVED in ben.choose("home_length", "short")
    tuning = {"selected_options": [{"value": "tuning", "text": {"type": "plain_text", "text": "x"}}]}
    assert words.SETTINGS_SAVED in ben.use_and_see("home_switches", **tuning)
    assert load_preferences(engine, TEAM, BEN) == Preferences(language="fr", length="short", memory=False, tuning=True)
    with reading(engine) as connection:
        assert connection.scalar(sa.select(tables.person.c.tuning_at)) is not None
    assert words.SETTINGS_SAVED not in ben.open_home()
    workspace.answers(HELP, workspace.say(BEN, HELP, f"{BOT} bonjour"))
    assert (answering.briefs[0].style.language, answering.briefs[0].style.length) == ("fr", "short")


def test_a_person_sees_what_is_kept_about_them_and_only_them(ben: Pages, workspace: Workspace) -> None:
    """M18."""
    for user, question in ((BEN, "who pays for lunch?"), (ADA, "what does Ben earn?")):
        workspace.answers(HELP, workspace.say(user, HELP, f"{BOT} {question}"))
    ben.open_home()
    ben.use("home_data_see")
    shown = said(ben.opened())
    assert "2 things that were said" in shown
    assert "who pays for lunch?" in shown
    assert "earn" not in shown


def test_a_person_gets_a_file_with_all_of_it(ben: Pages, workspace: Workspace, engine: sa.Engine) -> None:
    """M18."""
    workspace.answers(HELP, workspace.say(BEN, HELP, f"{BOT} who pays for lunch?"))
    ben.open_home()
    assert words.DATA_EXPORTED in ben.use_and_see("home_data_export")
    (complete,) = workspace.ledger("call", "files.completeUploadExternal")
    assert complete["status"] == "ok"
    assert complete["request"]["channels"] == BEN
    (ticket,) = workspace.ledger("call", "files.getUploadURLExternal")
    kept = json.dumps(privacy.export(engine, BEN), ensure_ascii=False, indent=2).encode()
    assert abs(int(ticket["request"]["length"]) - len(kept)) < 600
    assert ticket["request"]["filename"] == f"lorekeeper-{BEN}.json"


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [("missing_scope", f"lorekeeper export {BEN}"), ("internal_error", words.DATA_EXPORT_FAILED)],
)
def test_where_no_file_can_be_sent_the_person_hears_what_to_do(
    ben: Pages, workspace: Workspace, fault: str, sentence: str
) -> None:
    """M18: it works without files:write."""
    ben.open_home()
    workspace.act("faults", error={"files.getUploadURLExternal": fault})
    assert sentence in ben.use_and_see("home_data_export")


def test_a_person_deletes_everything_after_being_asked(ben: Pages, workspace: Workspace, engine: sa.Engine) -> None:
    """M15, M18."""
    workspace.answers(HELP, workspace.say(BEN, HELP, f"{BOT} who pays for lunch?"))
    workspace.answers(HELP, workspace.say(ADA, HELP, f"{BOT} and for dinner?"))
    ben.open_home()
    ben.use("home_data_delete")
    form = ben.opened()
    assert words.DATA_DELETE_QUESTION in said(form)
    with reading(engine) as connection:
        assert BEN in list(connection.scalars(sa.select(tables.turn.c.user)))
    assert ben.submit(form) == {}
    wait_until(lambda: "2 things that were said" in ben.acknowledged())
    with reading(engine) as connection:
        assert set(connection.scalars(sa.select(tables.turn.c.user))) == {ADA}
        assert BEN not in repr(connection.execute(sa.select(tables.answer)).all())


def test_only_an_admin_is_offered_the_other_side_of_the_page(ben: Pages, workspace: Workspace) -> None:
    assert words.HOME_FOR_ADMINS not in ben.open_home()
    assert words.HOME_FOR_ADMINS in Pages(workspace, ADA).open_home()


def test_guests_and_the_unknown_are_not_told_what_the_bot_knows(
    ben: Pages, workspace: Workspace, engine: sa.Engine, tmp_path: Path
) -> None:
    """M14."""
    add_source(engine, kind="files", location=str(tmp_path / "handbook"), name="Handbook")
    guest = workspace.act("create_person", name="Gil Guest", guest="single")["user"]["id"]
    page = Pages(workspace, guest).open_home()
    assert words.GATE_GUEST in page
    assert "Handbook" not in page
    assert words.DATA_SEE in page
    assert "Handbook" in ben.open_home()
    workspace.act("faults", error={"users.info": "missing_scope"})
    other = workspace.act("create_person", name="Una Known")["user"]["id"]
    page = Pages(workspace, other).open_home()
    assert words.GATE_UNKNOWN_PERSON in page
    assert "Handbook" not in page
