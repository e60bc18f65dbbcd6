"""The whole of Lorekeeper as a newcomer meets it: documents, the bot, the playground and a person at a browser.

Everything is real but the two models: the embedder counts words, and the generator says what it is told to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from playwright.sync_api import BrowserContext, Locator, Page, expect

from bot import tables
from bot.app import Application, build
from bot.playground.process import PlaygroundProcess
from bot.settings import AnswerSettings, FileSettings, Settings
from bot.slack.gateway import SlackBot, SlackOptions
from bot.sync import ingest_parts, sync_source
from knowledge.database import reading
from knowledge.secret import Secret
from knowledge.store import add_source
from models.generator import ChatMessage
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

pytestmark = pytest.mark.slow

DUE = "Expense reports are due on the fifth working day of the month."
RECEIPTS = "Receipts are needed for everything above 20 euros."


def reply(messages: Sequence[ChatMessage]) -> str:
    """What the model says: an answer in two sentences, or one to the follow-up."""
    asked = messages[-1].content.lower()
    return RECEIPTS if "receipts" in asked.rsplit("\n", 1)[-1] else f"{DUE} {RECEIPTS}"


@pytest.fixture
def application(tmp_path: Path, documents: Path) -> Iterator[Application]:
    (documents / "expenses.md").write_text(f"# Expenses\n\n## Deadlines\n\n{DUE}\n\n## Receipts\n\n{RECEIPTS}\n")
    home = tmp_path / "home"
    home.mkdir()
    settings = Settings(
        home=home,
        database_url=f"sqlite:///{home / 'lorekeeper.db'}",
        slack_bot_token=Secret(""),
        slack_app_token=Secret(""),
        slack_signing_secret=Secret(""),
        slack_api_url="",
        file=FileSettings(answer=AnswerSettings(minimum_support=0.03)),
    )
    generator = ScriptedGenerator(reply, seconds_per_token=0.12)
    with build(settings, generator=generator, embedder=FakeEmbedder(dim=256)) as built:
        with ingest_parts(built.engine, built.library.embedder, settings) as parts:
            sync_source(add_source(built.engine, kind="files", location=str(documents)), parts)
        yield built


@pytest.fixture
def connected(application: Application, playground: PlaygroundProcess) -> Iterator[None]:
    options = SlackOptions(
        bot_token=Secret(playground.bot_token),
        app_token=Secret(playground.app_token),
        api_url=playground.api_url,
        update_seconds=0.3,
    )

    def link(uri: str) -> str:
        return f"{playground.url}document?{urlencode({'uri': uri})}"

    with SlackBot(application.engine, application.answering, options, link=link, version=lambda: "scripted-1"):
        yield


def votes(engine: sa.Engine) -> list[tuple[int, str, str | None, str | None]]:
    """The votes that count now: vote, how it came, reason, better answer."""
    table = tables.feedback
    with reading(engine) as connection:
        rows = connection.execute(
            sa.select(table.c.vote, table.c.via, table.c.reason, table.c.correction)
            .where(table.c.removed_at.is_(None))
            .order_by(table.c.id)
        )
        return [tuple(row) for row in rows]


def thread(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Thread")


def test_ask_follow_up_and_rate(page: Page, window: BrowserContext, connected: None, application: Application) -> None:
    """One newcomer's first five minutes."""
    expect(page.get_by_text("Lorekeeper is connected")).to_be_visible()

    # Ask in a channel, and watch the answer come in.
    box = page.get_by_role("textbox", name="Message #general")
    box.press_sequentially("@lore")
    box.press("Enter")
    box.press_sequentially("When are expense reports due?")
    box.press("Enter")
    answer = thread(page).get_by_role("article").nth(1)
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(answer).to_contain_text("due on the fifth working day")
    expect(answer.get_by_role("button", name="Good answer")).to_be_visible()
    expect(answer).to_have_attribute("aria-busy", "false")

    # Open what it cites.
    with window.expect_page() as opened:
        answer.get_by_role("link", name="[1]").first.click()
    expect(opened.value.get_by_text(DUE)).to_be_visible()
    opened.value.close()

    # Follow up in the thread, without a mention.
    box = page.get_by_role("textbox", name="Reply in thread")
    box.fill("And what about receipts?")
    box.press("Enter")
    second = thread(page).get_by_role("article").nth(3)
    expect(second).to_contain_text("everything above 20 euros")
    expect(second.get_by_role("button", name="Good answer")).to_be_visible()

    # 👍 by reaction: counted, with a receipt.
    answer.hover()
    answer.get_by_role("button", name="React with 👍").click()
    expect(answer.get_by_role("button", name="👍 1")).to_be_visible()
    receipt = thread(page).get_by_role("article").filter(has_text="Only visible to you")
    expect(receipt).to_contain_text("Thanks, noted")
    assert votes(application.engine) == [(1, "reaction", None, None)]

    # 👎 by button: a form, and a receipt on the answer.
    second.get_by_role("button", name="Bad answer").click()
    form = page.get_by_role("dialog", name="What was wrong?")
    form.get_by_role("radio", name="It is outdated").check()
    form.get_by_role("textbox", name="What would have been a better answer?").fill("Above 50 euros.")
    form.get_by_role("button", name="Send").click()
    expect(form).to_have_count(0)
    expect(second).to_contain_text("👎 Thanks, noted.")
    expect(thread(page).get_by_text("Your note is kept with the answer")).to_be_visible()
    assert votes(application.engine)[1] == (-1, "button", "outdated", "Above 50 euros.")


def test_the_home_page_says_what_the_bot_knows(page: Page, connected: None) -> None:
    page.get_by_role("button", name="Lorekeeper", exact=True).click()
    page.get_by_role("tab", name="Home").click()
    home = page.get_by_role("tabpanel", name="Home")
    expect(home.get_by_role("heading", name="What I know")).to_be_visible()
    expect(home).to_contain_text("1 document")
    expect(home).to_contain_text("scripted-1")
