"""What the app offers on the page: commands, shortcuts, Stop, suggestions, files, its home and its forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.scripted_bot import ScriptedBot
from tests.e2e.scripted_views import ANSWER, MANIFEST, PICTURE
from tests.e2e.test_page import message, say, thread

pytestmark = pytest.mark.slow


@pytest.fixture
def manifest() -> dict[str, Any]:
    return MANIFEST


@pytest.fixture(autouse=True)
def connected(page: Page, bot: ScriptedBot) -> None:
    expect(page.get_by_text("Lorekeeper is connected")).to_be_visible()


def open_direct(page: Page) -> None:
    page.get_by_role("button", name="Lorekeeper", exact=True).click()


def open_home(page: Page) -> None:
    open_direct(page)
    page.get_by_role("tab", name="Home").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()


def test_a_command_is_completed_and_answered_to_one_person(page: Page) -> None:
    box = page.get_by_role("textbox", name="Message #general")
    box.press_sequentially("/")
    expect(page.get_by_role("option")).to_have_count(2)
    box.press_sequentially("lor")
    expect(page.get_by_role("option", name="/lore")).to_contain_text("Ask, or see what is known")
    box.press("Enter")
    expect(page.get_by_text("/lore [ask QUESTION | status]")).to_be_visible()
    box.press_sequentially("status please")
    box.press("Enter")
    expect(message(page, "/lore heard: status please")).to_contain_text("Only visible to you")


def test_what_is_no_command_here_is_not_lost(page: Page) -> None:
    """Unknown commands and commands in threads are refused with a reason; a space in front makes a message."""
    box = page.get_by_role("textbox", name="Message #general")
    box.fill("/nothing at all")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("/nothing is not a command here")
    expect(box).to_have_value("/nothing at all")
    say(page, " /nothing at all")
    message(page, "/nothing at all").press("Enter")
    reply = page.get_by_role("textbox", name="Reply in thread")
    reply.fill("/lore status")
    reply.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="threads")).to_be_visible()
    expect(reply).to_have_value("/lore status")


def test_shortcuts_of_messages_and_of_everywhere(page: Page) -> None:
    say(page, "When is it due?")
    message(page, "When is it due?").hover()
    message(page, "When is it due?").get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Answer this").click()
    expect(message(page, "About “When is it due?”")).to_contain_text("Only visible to you")
    page.get_by_role("button", name="Shortcuts").first.click()
    page.get_by_role("menuitem", name="Ask Lorekeeper").click()
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()


def test_an_answer_can_be_stopped(page: Page, bot: ScriptedBot) -> None:
    say(page, "@Lorekeeper stop when I say so")
    stop = thread(page).get_by_role("button", name="Stop")
    expect(stop).to_be_visible()
    expect(thread(page).get_by_role("heading", name="The fifth working day")).to_be_visible()
    expect(message(thread(page), "Expense reports")).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("textbox", name="Title").fill("Deadlines")
    page.keyboard.press("Enter")
    expect(thread(page).get_by_role("heading", name="Deadlines")).to_be_visible()
    stop.click()
    expect(message(thread(page), "(stopped)")).to_have_attribute("aria-busy", "false")
    expect(stop).to_have_count(0)
    expect(page.get_by_role("textbox", name="Reply in thread")).to_be_focused()
    assert len(bot.stopped) == 1


def test_suggestions_of_the_bot_replace_the_general_ones(page: Page) -> None:
    expect(page.get_by_role("button", name="Get started")).to_be_visible()
    open_direct(page)
    cards = page.get_by_role("group", name="Suggested questions")
    expect(cards.get_by_role("button", name="Expenses")).to_be_visible()
    page.get_by_role("button", name="general", exact=True).click()
    expect(page.get_by_role("button", name="Holidays")).to_be_visible()
    expect(page.get_by_role("button", name="Get started")).to_have_count(0)
    open_direct(page)
    say(page, "Hello", field="Message Lorekeeper")
    page.get_by_role("button", name="Close thread").click()
    chip = cards.get_by_role("button", name="Security")
    chip.click()
    expect(message(page, "How do I report a lost laptop?").first).to_be_visible()
    page.get_by_role("button", name="Hide suggestions").first.click()
    expect(chip).to_have_count(0)


def test_the_bot_is_told_what_one_looks_at(page: Page, bot: ScriptedBot) -> None:
    page.get_by_role("button", name="help", exact=True).click()
    expect(page.get_by_role("log", name="Messages in #help")).to_be_visible()
    open_direct(page)
    expect(page.get_by_text("Looking at #help")).to_be_visible()
    page.get_by_role("button", name="Look at nothing").click()
    expect(page.get_by_text("Looking at #help")).to_have_count(0)
    say(page, "Hello", field="Message Lorekeeper")
    expect(thread(page).get_by_role("button", name="Good answer")).to_be_visible()
    assert bot.seen[-2:] == [["C0HELP"], []]


def test_files_go_with_a_question(page: Page, tmp_path: Path) -> None:
    notes, chart = tmp_path / "notes.md", tmp_path / "chart.png"
    notes.write_text("# Notes\n")
    chart.write_bytes(PICTURE)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Attach files").click()
    chooser.value.set_files([notes, chart])
    chosen = page.get_by_role("list", name="Files to send")
    expect(chosen.get_by_role("listitem")).to_have_count(2)
    chosen.get_by_role("button", name="Remove chart.png").click()
    say(page, "@Lorekeeper what does it say?")
    expect(message(thread(page), "I have notes.md (8 bytes).")).to_be_visible()
    with page.expect_download() as download:
        thread(page).get_by_role("link", name="Download notes.md").click()
    assert Path(download.value.path()).read_text() == "# Notes\n"


def test_files_can_be_dropped_and_sent_without_words(page: Page) -> None:
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["dropped"], "dropped.txt", { type: "text/plain" }));
          const pane = document.querySelector("#main .pane-body");
          pane.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(page.get_by_role("list", name="Files to send")).to_contain_text("dropped.txt")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Download dropped.txt")).to_be_visible()
    expect(page.get_by_role("list", name="Files to send")).to_have_count(0)


def test_pictures_of_the_bot_are_shown(page: Page) -> None:
    say(page, "@Lorekeeper picture please")
    picture = thread(page).get_by_role("img", name="answers.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") == 168


def test_the_steps_of_a_plan_and_a_table(page: Page) -> None:
    say(page, "@Lorekeeper plan it")
    answer = message(thread(page), "Looking it up")
    expect(answer.get_by_role("img", name="in progress")).to_be_visible()
    expect(answer.get_by_role("img", name="done")).to_have_count(3)
    expect(answer).to_contain_text(ANSWER)
    answer.get_by_text("Search the handbook").click()
    expect(answer.get_by_text("12 passages, 3 of them fit")).to_be_visible()
    expect(answer.get_by_role("columnheader", name="Documents")).to_be_visible()
    expect(answer.get_by_role("cell", name="890")).to_be_visible()


def test_choices_on_the_home_page(page: Page, bot: ScriptedBot) -> None:
    """Selects by keyboard and by mouse, several people, and the menu behind three dots."""
    open_home(page)
    language = page.get_by_role("combobox", name="language")
    language.click()
    language.press_sequentially("deu")
    language.press("Enter")
    expect(language).to_have_value("Deutsch")
    people = page.get_by_role("combobox", name="Who may approve")
    people.click()
    page.get_by_role("option", name="Ben Ortiz").click()
    expect(page.get_by_role("button", name="Remove Ben Ortiz")).to_be_visible()
    people.press("Escape")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("menuitem", name="Export my data").click()
    expect(page.get_by_role("menuitem")).to_have_count(0)
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    assert [next(iter(set(choice) & {"selected_option", "selected_users"})) for choice in bot.seen[-3:]] == [
        "selected_option",
        "selected_users",
        "selected_option",
    ]
    assert bot.seen[-3]["selected_option"]["value"] == "de"
    assert bot.seen[-2]["selected_users"] == ["U0BENORTIZ"]
    assert bot.seen[-1]["selected_option"]["value"] == "export"


def test_a_form_is_filled_without_a_mouse(page: Page, bot: ScriptedBot) -> None:
    open_home(page)
    page.get_by_role("button", name="Settings").press("Enter")
    form = page.get_by_role("dialog", name="Settings")
    expect(form).to_be_visible()
    form.get_by_role("button", name="Save").press("Enter")
    expect(form.get_by_text("Please complete this required field.")).to_have_count(4)
    expect(form.get_by_role("radio", name="Short")).to_be_focused()
    page.keyboard.press("Space")
    expect(form.get_by_text("Please complete this required field.")).to_have_count(3)
    page.keyboard.press("Tab")
    for key in ("ArrowDown", "Enter", "ArrowDown", "Enter", "Escape", "Tab"):
        page.keyboard.press(key)
    page.keyboard.type("hel")
    page.keyboard.press("Enter")
    form.get_by_label("Passages").fill("12")
    form.get_by_label("What to call you").fill("A")
    page.keyboard.press("Enter")
    expect(form.get_by_text("Please enter 9 or less.")).to_be_visible()
    expect(form.get_by_text("Please enter at least 2 characters.")).to_be_visible()
    form.get_by_label("Passages").fill("5")
    form.get_by_label("Since").fill("2026-03-01")
    form.get_by_label("What to call you").fill("Ada")
    page.keyboard.press("Enter")
    expect(form).to_have_count(0)
    entered = bot.seen[-1]
    assert entered["length"]["selected_option"]["value"] == "short"
    assert [option["value"] for option in entered["sources"]["selected_options"]] == ["handbook", "minutes"]
    assert entered["channel"]["selected_conversation"] == "C0HELP"
    assert entered["since"]["selected_date"] == "2026-03-01"
    assert entered["most"]["value"] == "5"
    assert entered["name"]["value"] == "Ada"


def test_features_can_be_switched_off(page: Page) -> None:
    page.get_by_role("button", name="Playground").click()
    streaming = page.get_by_role("dialog", name="Playground").get_by_role("switch", name="Streaming")
    expect(streaming).to_be_checked()
    streaming.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Traffic", exact=True).click()
    say(page, "@Lorekeeper native please")
    refused = page.get_by_role("region", name="Traffic").get_by_role("listitem").filter(has_text="chat.startStream")
    expect(refused).to_contain_text("unknown_method")


def test_the_older_container_is_a_thread(page: Page) -> None:
    page.get_by_role("button", name="Playground").click()
    page.get_by_role("radio", name="Assistant").check()
    page.keyboard.press("Escape")
    open_direct(page)
    expect(thread(page).get_by_role("heading", name="Ask Lorekeeper")).to_be_visible()
    thread(page).get_by_role("button", name="Expenses").click()
    expect(message(thread(page), "Expense reports are").get_by_role("button", name="Good answer")).to_be_visible()
    expect(page.get_by_role("textbox", name="Reply in thread")).to_be_focused()


def test_the_app_can_be_uninstalled(page: Page) -> None:
    page.get_by_role("button", name="Playground").click()
    page.get_by_role("button", name="Uninstall").click()
    page.get_by_role("dialog", name="Uninstall Lorekeeper?").get_by_role("button", name="Uninstall").click()
    expect(page.get_by_text("Lorekeeper is uninstalled.")).to_be_visible()
    expect(page.get_by_text("Lorekeeper is not connected", exact=True)).to_be_visible()
