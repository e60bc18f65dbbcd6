"""A real browser on a real playground server. Without Debian's chromium these tests are skipped, and say so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from bot.playground.process import PlaygroundProcess, start_playground
from tests.e2e.scripted_bot import ScriptedBot, scripted_bot

CHROMIUM = Path("/usr/bin/chromium")
# The new headless mode is the real browser; the rest keeps it from talking to anybody but the playground.
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Nothing here says how fast a page is: on a machine that trains a model beside it, five seconds are not much.
expect.set_options(timeout=20_000)
DOCUMENT = "# Expenses\n\n## Deadlines\n\nExpense reports are due on the fifth working day of the month.\n"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "expenses.md").write_text(DOCUMENT)
    return folder


@pytest.fixture
def manifest() -> dict[str, Any] | None:
    """The manifest of the installed app; tests of one app have their own. Without one all is allowed."""
    return None


@pytest.fixture
def playground(documents: Path, manifest: dict[str, Any] | None) -> Iterator[PlaygroundProcess]:
    # Here, too: what is tried is the page, not how soon a bot beside four others is given a processor.
    with start_playground(port=0, documents=[documents], manifest=manifest, ack_seconds=30.0) as process:
        yield process


@pytest.fixture
def bot(playground: PlaygroundProcess, documents: Path) -> Iterator[ScriptedBot]:
    link = f"{playground.url}document?uri={(documents / 'expenses.md').as_uri()}#L5"
    with scripted_bot(playground.api_url, playground.bot_token, playground.app_token, link=link) as connected:
        yield connected


@pytest.fixture
def window(chromium: Browser, playground: PlaygroundProcess) -> Iterator[BrowserContext]:
    """A browser window; the test fails when a page in it logs an error or asks any other server for anything."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(10_000)
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda sent: None if sent.url.startswith(playground.url) else complaints.append(sent.url))
    yield context
    context.close()
    assert complaints == []


@pytest.fixture
def page(window: BrowserContext, playground: PlaygroundProcess) -> Page:
    """The playground as Ada sees it."""
    page = window.new_page()
    page.goto(playground.url)
    page.get_by_role("log", name="Messages in #general").wait_for()
    return page
