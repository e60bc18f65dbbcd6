"""The playground's page in a real browser, with a small scripted Bolt app behind it.

What people see and do is found by role and name, so that these tests also say that the page can be used without eyes.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from bot.playground.process import PlaygroundProcess
from tests.e2e.scripted_bot import ScriptedBot
from tests.e2e.scripted_views import ANSWER, MANIFEST

pytestmark = pytest.mark.slow

HOSTILE = (
    "<img src=x onerror=alert(1)> <script>alert(2)</script> &lt;b&gt; javascript:alert(3) [x](javascript:alert(4))"
)


@pytest.fixture
def manifest() -> dict[str, Any]:
    return MANIFEST


def say(page: Page, text: str, field: str = "Message #general") -> None:
    """Type and send."""
    box = page.get_by_role("textbox", name=field)
    box.fill(text)
    box.press("Enter")
    expect(box).to_have_value("")


def thread(page: Page) -> Locator:
    return page.get_by_role("complementary", name="Thread")


def message(place: Page | Locator, text: str) -> Locator:
    return place.get_by_role("article").filter(has_text=text)


@pytest.fixture
def answered(page: Page, bot: ScriptedBot) -> Locator:
    """The finished answer to a question that was just asked in #general."""
    expect(page.get_by_text("Lorekeeper is connected")).to_be_visible()
    say(page, "@Lorekeeper when are expense reports due?")
    answer = message(thread(page), "Expense reports are").first
    expect(answer.get_by_role("button", name="Good answer")).to_be_visible()
    return answer


def test_a_question_is_answered_in_a_thread_that_opens_and_streams(page: Page, bot: ScriptedBot) -> None:
    """Mention with completion, status, growing text, finished text with its source."""
    bot.pause = 0.3
    expect(page.get_by_text("Lorekeeper is connected")).to_be_visible()
    box = page.get_by_role("textbox", name="Message #general")
    box.press_sequentially("@lor")
    expect(page.get_by_role("option", name="Lorekeeper")).to_be_visible()
    box.press("Enter")
    box.press_sequentially("when are expense reports due?")
    box.press("Enter")

    expect(message(page, "when are expense").get_by_text("Lorekeeper is searching the documents")).to_be_visible()
    answer = message(thread(page), "Expense reports are").last
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(answer).not_to_contain_text("belongs to")
    expect(answer).to_contain_text("belongs to.")
    expect(answer.get_by_role("button", name="Good answer")).to_be_visible()
    expect(answer).to_have_attribute("aria-busy", "false")
    expect(page.get_by_text("Lorekeeper is searching the documents")).to_have_count(0)
    expect(page.get_by_role("button", name="1 reply")).to_be_visible()


def test_native_streaming_is_drawn_as_it_comes(page: Page, bot: ScriptedBot) -> None:
    """chat.startStream, appendStream and stopStream give a growing message too."""
    bot.pause = 0.4
    say(page, "@Lorekeeper native please")
    answer = message(thread(page), "Expense reports are").last
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(answer).to_contain_text(ANSWER)
    expect(answer).to_have_attribute("aria-busy", "false")


def test_a_citation_opens_the_cited_document(page: Page, window: BrowserContext, answered: Locator) -> None:
    # A browser that opens a window of its own starts a process: on a busy machine that takes long.
    with window.expect_page(timeout=60_000) as opened:
        answered.get_by_role("link", name="Expenses › Deadlines").click()
    expect(opened.value.get_by_text("due on the fifth working day")).to_be_visible()
    link = answered.get_by_role("link", name="[1]")
    assert link.get_attribute("rel") == "noopener noreferrer"
    assert link.get_attribute("target") == "_blank"


def test_a_follow_up_in_the_thread_needs_no_mention(page: Page, answered: Locator) -> None:
    say(page, "And where do I send them?", field="Reply in thread")
    expect(thread(page).get_by_role("button", name="Good answer")).to_have_count(2)
    expect(thread(page).get_by_text("3 replies")).to_be_visible()


def test_a_reaction_is_counted_and_gets_a_receipt(page: Page, bot: ScriptedBot, answered: Locator) -> None:
    answered.hover()
    answered.get_by_role("button", name="React with 👍").click()
    mine = answered.get_by_role("button", name="👍 1, remove your reaction")
    expect(mine).to_be_visible()
    expect(message(thread(page), "Thanks, noted")).to_contain_text("Only visible to you")
    mine.click()
    expect(answered.get_by_role("button", name="👍 1")).to_have_count(0)
    message(thread(page), "Thanks, noted").get_by_role("button", name="Dismiss").click()
    expect(message(thread(page), "Thanks, noted")).to_have_count(0)
    assert bot.votes == ["+1"]


def test_a_bad_answer_opens_a_form_that_says_what_is_missing(page: Page, bot: ScriptedBot, answered: Locator) -> None:
    answered.get_by_role("button", name="Bad answer").click()
    form = page.get_by_role("dialog", name="What was wrong?")
    expect(form).to_be_visible()
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_text("Please complete this required field.")).to_be_visible()
    form.get_by_role("radio", name="Something else").check()
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_have_text("Please say what it should be.")
    expect(form.get_by_role("radio", name="Something else")).to_be_checked()
    form.get_by_role("textbox", name="A better answer").fill("On the third working day.")
    form.get_by_role("button", name="Send").click()
    expect(form).to_have_count(0)
    expect(answered).to_contain_text("Thanks for telling us")
    expect(answered.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")
    assert bot.votes == ["bad", "other: On the third working day."]


def test_a_form_keeps_the_focus_inside_and_closes_on_escape(page: Page, answered: Locator) -> None:
    opener = answered.get_by_role("button", name="Bad answer")
    opener.click()
    form = page.get_by_role("dialog", name="What was wrong?")
    expect(form).to_be_visible()
    for _ in range(12):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(form).to_have_count(0)
    expect(opener).to_be_focused()


def test_every_kind_of_block_is_drawn(page: Page, bot: ScriptedBot) -> None:
    say(page, "@Lorekeeper kitchen")
    shown = message(thread(page), "Kitchen sink").last
    expect(shown.get_by_role("heading", name="Kitchen sink")).to_be_visible()
    expect(shown.locator("strong").first).to_have_text("Bold")
    expect(shown.locator("code").first).to_have_text("code()")
    expect(shown.locator("ol > li")).to_have_count(3)
    expect(shown.locator("ol li ul li ol li")).to_have_text("deeper")
    expect(shown.locator("pre").first).to_have_text("lorekeeper sync --json\n<b>not bold</b>")
    expect(shown.locator("blockquote").first).to_have_text("Well begun is half done.")
    expect(shown.get_by_text("@Ben Ortiz")).to_be_visible()
    expect(shown.get_by_role("link", name="a link")).to_have_attribute("href", "https://example.org/?a=1&b=2")
    expect(shown.get_by_role("link", name="not a link")).to_have_count(0)
    expect(shown.get_by_role("cell", name="mammoth")).to_be_visible()
    shown.get_by_role("button", name="Delete all").click()
    expect(page.get_by_role("dialog", name="Really?")).to_be_visible()
    page.get_by_role("button", name="Keep", exact=True).click()
    shown.get_by_role("button", name="#help").click()
    expect(page.get_by_role("log", name="Messages in #help")).to_be_visible()


def test_hostile_text_stays_text(page: Page) -> None:
    """Nothing that anybody types becomes an element, a script or a link to one."""
    say(page, HOSTILE)
    shown = message(page, "onerror=alert(1)")
    expect(shown).to_contain_text("<img src=x onerror=alert(1)> <script>alert(2)</script> &lt;b&gt;")
    assert shown.locator("img, script, b, a").count() == 0


def test_home_and_messages_of_the_bot(page: Page, bot: ScriptedBot) -> None:
    """The bot's home, its suggested questions, and asking one with a click."""
    page.get_by_role("button", name="Lorekeeper", exact=True).click()
    page.get_by_role("tab", name="Home").click()
    expect(page.get_by_role("tabpanel", name="Home")).to_contain_text("890 documents")
    page.get_by_role("tab", name="Messages").click()
    page.get_by_role("button", name="How do I report a lost laptop?").click()
    expect(thread(page).get_by_role("button", name="Good answer")).to_be_visible()


def test_acting_as_another_person_shows_their_workspace(page: Page) -> None:
    sidebar = page.get_by_role("navigation", name="Workspace")
    expect(sidebar.get_by_role("button", name="private-leads")).to_be_visible()
    page.get_by_role("button", name="Acting as Ada Park").click()
    page.get_by_role("menuitemradio", name="Ben Ortiz").click()
    expect(sidebar.get_by_role("button", name="Acting as Ben Ortiz")).to_be_visible()
    expect(sidebar.get_by_role("button", name="private-leads")).to_have_count(0)
    say(page, "Ben was here")
    expect(message(page, "Ben was here")).to_contain_text("Ben Ortiz")


def test_unread_messages_show_in_the_sidebar_and_where_they_begin(
    page: Page, window: BrowserContext, playground: PlaygroundProcess
) -> None:
    ben = window.new_page()
    ben.goto(f"{playground.url}?user=U0BENORTIZ#C0HELP")
    expect(ben.get_by_role("log", name="Messages in #help")).to_be_visible()
    say(page, "Good morning")
    say(page, "Are you there, @Ben Ortiz?")
    unread = ben.get_by_role("button", name="general, 2 unread")
    expect(unread).to_contain_text("1")
    unread.click()
    expect(ben.get_by_role("separator", name="New")).to_be_visible()
    expect(ben.get_by_role("button", name="general", exact=True)).to_be_visible()


def test_own_messages_can_be_edited_and_deleted(page: Page) -> None:
    say(page, "Helo *world*")
    expect(message(page, "Helo world")).to_be_visible()
    page.get_by_role("textbox", name="Message #general").press("ArrowUp")
    field = page.get_by_role("textbox", name="Edit message")
    expect(field).to_have_value("Helo *world*")
    field.fill("Hello *world*")
    field.press("Enter")
    expect(message(page, "Hello world")).to_contain_text("(edited)")
    message(page, "Hello world").hover()
    message(page, "Hello world").get_by_role("button", name="More actions").click()
    page.get_by_role("menuitem", name="Delete message").click()
    page.get_by_role("dialog", name="Delete this message?").get_by_role("button", name="Delete").click()
    expect(message(page, "Hello world")).to_have_count(0)


def test_the_keyboard_reaches_everything(page: Page) -> None:
    say(page, "first")
    say(page, "second")
    expect(message(page, "second")).to_be_visible()
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Jump to a channel").fill("hel")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log", name="Messages in #help")).to_be_visible()
    page.keyboard.press("Alt+ArrowUp")
    expect(page.get_by_role("log", name="Messages in #general")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    expect(message(page, "second")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(message(page, "first")).to_be_focused()
    page.keyboard.press("Enter")
    expect(thread(page)).to_be_visible()
    expect(page.get_by_role("textbox", name="Reply in thread")).to_be_focused()
    page.keyboard.press("Escape")
    expect(thread(page)).to_have_count(0)
    page.keyboard.press("Control+/")
    expect(page.get_by_role("dialog", name="Keyboard").get_by_role("definition").first).to_have_text("CtrlK")
    page.keyboard.press("Escape")


def test_what_cannot_be_sent_is_not_lost(page: Page, playground: PlaygroundProcess) -> None:
    """The server is gone: an alert says so, the text is back in its field."""
    page.get_by_role("textbox", name="Message #general").fill("Do not lose me")
    page.route("**/playground/api/say", lambda route: route.fulfill(json={"ok": False, "error": "msg_too_long"}))
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("too long")
    expect(page.get_by_role("textbox", name="Message #general")).to_have_value("Do not lose me")


def test_traffic_shows_what_is_said_and_faults_can_be_set(page: Page, bot: ScriptedBot, answered: Locator) -> None:
    page.get_by_role("button", name="Traffic", exact=True).click()
    panel = page.get_by_role("region", name="Traffic")
    entry = panel.get_by_role("listitem").filter(has_text="chat.postMessage").first
    entry.get_by_text("chat.postMessage").click()
    expect(entry.get_by_role("heading", name="Request")).to_be_visible()
    expect(entry.get_by_text('"Reading…"').first).to_be_visible()
    panel.get_by_role("searchbox", name="Filter traffic").fill("app_mention")
    expect(panel.get_by_role("listitem")).to_have_count(1)
    panel.get_by_role("button", name="Faults").click()
    panel.get_by_role("button", name="Rate limit edits").click()
    panel.get_by_role("searchbox", name="Filter traffic").fill("chat.update")
    say(page, "Once more?", field="Reply in thread")
    expect(panel.get_by_text("ratelimited")).to_be_visible()
    panel.get_by_role("button", name="Clear traffic").click()
    expect(panel.get_by_role("listitem")).to_have_count(0)


def test_a_new_channel_invites_the_bot(page: Page, bot: ScriptedBot) -> None:
    page.get_by_role("button", name="Create a channel").click()
    page.get_by_role("textbox", name="Name").fill("On Boarding")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log", name="Messages in #on-boarding")).to_be_visible()
    page.get_by_role("button", name="Invite Lorekeeper").click()
    expect(page.get_by_role("button", name="2 members")).to_be_visible()
    expect(page.get_by_role("group", name="Suggested questions")).to_be_visible()


def test_a_reload_comes_back_to_the_same_thread_and_theme(page: Page, answered: Locator) -> None:
    page.get_by_role("button", name="Theme").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    expect(thread(page).get_by_role("button", name="Good answer")).to_be_visible()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()


def test_a_narrow_window_shows_one_thing_at_a_time(page: Page, answered: Locator) -> None:
    page.set_viewport_size({"width": 400, "height": 780})
    expect(page.get_by_role("main", name="Thread")).to_be_visible()
    expect(page.get_by_role("log", name="Messages in #general")).to_have_count(0)
    page.get_by_role("button", name="Close thread").click()
    expect(page.get_by_role("log", name="Messages in #general")).to_be_visible()
    expect(page.get_by_role("navigation", name="Workspace")).to_have_count(0)
    page.get_by_role("button", name="Channels").click()
    page.get_by_role("button", name="help", exact=True).click()
    expect(page.get_by_role("log", name="Messages in #help")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
