"""axe looks at every part of the page, light and dark, wide and narrow: who sees badly must be able to use it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.scripted_bot import ScriptedBot
from tests.e2e.scripted_views import MANIFEST
from tests.e2e.test_page import message, say, thread

pytestmark = pytest.mark.slow


@pytest.fixture
def manifest() -> dict[str, Any]:
    return MANIFEST


def _channel(page: Page) -> None:
    say(page, "Good morning, *everybody*. See <https://example.org> and `code`.")
    expect(message(page, "Good morning")).to_be_visible()


def _thread(page: Page) -> None:
    say(page, "@Lorekeeper kitchen")
    expect(thread(page).get_by_role("heading", name="Kitchen sink")).to_be_visible()
    say(page, "and an answer", field="Reply in thread")
    expect(thread(page).get_by_role("button", name="Good answer")).to_be_visible()


def _direct(page: Page) -> None:
    page.get_by_role("button", name="Lorekeeper", exact=True).click()
    expect(page.get_by_role("button", name="Expenses")).to_be_visible()


def _home(page: Page) -> None:
    _direct(page)
    page.get_by_role("tab", name="Home").click()
    expect(page.get_by_role("heading", name="Hello")).to_be_visible()


def _modal(page: Page) -> None:
    _thread(page)
    thread(page).get_by_role("button", name="Bad answer").click()
    form = page.get_by_role("dialog", name="What was wrong?")
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_be_visible()


def _traffic(page: Page) -> None:
    _direct(page)
    page.get_by_role("button", name="Traffic", exact=True).click()
    panel = page.get_by_role("region", name="Traffic")
    panel.get_by_role("button", name="Faults").click()
    panel.get_by_role("listitem").filter(has_text="setSuggestedPrompts").first.click()
    expect(panel.get_by_role("heading", name="Request")).to_be_visible()


def _commands(page: Page) -> None:
    page.get_by_role("textbox", name="Message #general").press_sequentially("/l")
    expect(page.get_by_role("option", name="/lore")).to_be_visible()


def _menus(page: Page) -> None:
    _channel(page)
    message(page, "Good morning").hover()
    message(page, "Good morning").get_by_role("button", name="More actions").click()
    expect(page.get_by_role("menuitem", name="Answer this")).to_be_visible()


def _work(page: Page) -> None:
    say(page, "@Lorekeeper plan it")
    expect(thread(page).get_by_role("cell", name="890")).to_be_visible()
    say(page, "a picture", field="Reply in thread")
    expect(thread(page).get_by_role("img", name="answers.png")).to_be_visible()
    say(page, "stop when I say so", field="Reply in thread")
    expect(thread(page).get_by_role("button", name="Stop")).to_be_visible()


def _chips(page: Page) -> None:
    _direct(page)
    say(page, "Hello", field="Message Lorekeeper")
    expect(page.get_by_role("button", name="Hide suggestions").first).to_be_visible()


def _choices(page: Page) -> None:
    _home(page)
    page.get_by_role("combobox", name="Who may approve").click()
    page.get_by_role("option", name="Ben Ortiz").click()
    expect(page.get_by_role("option", name="Ben Ortiz")).to_have_attribute("aria-selected", "true")


def _form(page: Page) -> None:
    _home(page)
    page.get_by_role("button", name="Settings").click()
    form = page.get_by_role("dialog", name="Settings")
    form.get_by_role("button", name="Save").click()
    form.get_by_role("combobox", name="Sources").click()
    expect(form.get_by_role("option", name="Wiki")).to_be_visible()


def _workspace(page: Page) -> None:
    page.get_by_role("button", name="Playground").click()
    dialog = page.get_by_role("dialog", name="Playground")
    dialog.get_by_role("textbox", name="Name").fill("Dana Reyes")
    dialog.get_by_role("combobox", name="Kind").select_option("From another organisation")
    dialog.get_by_role("button", name="Add person").click()
    expect(dialog.get_by_role("button", name="Act as Dana Reyes")).to_be_visible()


def _members(page: Page) -> None:
    page.get_by_role("button", name="Channel actions").click()
    page.get_by_role("menuitem", name="Share with another organisation").click()
    page.get_by_role("button", name="4 members").click()
    expect(page.get_by_role("button", name="Remove Ben Ortiz")).to_be_visible()


def _keyboard(page: Page) -> None:
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


PLACES: dict[str, Callable[[Page], None]] = {
    "channel": _channel,
    "thread": _thread,
    "direct message": _direct,
    "home": _home,
    "modal": _modal,
    "traffic": _traffic,
    "commands": _commands,
    "menus": _menus,
    "work": _work,
    "chips": _chips,
    "choices": _choices,
    "form": _form,
    "workspace": _workspace,
    "members": _members,
    "keyboard": _keyboard,
}


@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing(page: Page, bot: ScriptedBot, place: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    expect(page.get_by_text("Lorekeeper is connected")).to_be_visible()
    PLACES[place](page)
    for theme, width in (("light", 1280), ("dark", 1280), ("dark", 400), ("light", 400)):
        page.set_viewport_size({"width": width, "height": 800})
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{theme}, {width} px wide: {found.generate_report()}"
