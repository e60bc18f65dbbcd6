"""axe looks at every part of the page, in light and in dark: who cannot see it well must be able to use it."""

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


PLACES: dict[str, Callable[[Page], None]] = {
    "channel": _channel,
    "thread": _thread,
    "direct message": _direct,
    "home": _home,
    "modal": _modal,
    "traffic": _traffic,
}


@pytest.mark.parametrize("place", PLACES)
def test_axe_finds_nothing(page: Page, bot: ScriptedBot, place: str) -> None:
    page.emulate_media(reduced_motion="reduce")
    expect(page.get_by_text("Lorekeeper is connected")).to_be_visible()
    PLACES[place](page)
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.dataset.theme = theme", theme)
        found = Axe().run(page)
        assert found.violations_count == 0, f"{theme}: {found.generate_report()}"
