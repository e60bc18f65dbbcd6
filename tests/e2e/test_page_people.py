"""People and places on the page: guests, other organisations, shared channels, group messages, members."""

from __future__ import annotations

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from bot.playground.process import PlaygroundProcess
from tests.e2e.test_page import message, say

pytestmark = pytest.mark.slow


def add_person(page: Page, name: str, kind: str) -> None:
    page.get_by_role("button", name="Playground").click()
    dialog = page.get_by_role("dialog", name="Playground")
    dialog.get_by_role("textbox", name="Name").fill(name)
    dialog.get_by_role("combobox", name="Kind").select_option(kind)
    dialog.get_by_role("button", name="Add person").click()
    expect(dialog.get_by_role("button", name=f"Act as {name}")).to_be_visible()
    page.keyboard.press("Escape")


def test_somebody_from_elsewhere_needs_a_shared_channel(page: Page) -> None:
    add_person(page, "Dana Reyes", "From another organisation")
    page.get_by_role("button", name="4 members").click()
    members = page.get_by_role("dialog", name="Members of #general")
    members.get_by_role("button", name="Invite Dana Reyes").click()
    expect(members.get_by_role("alert")).to_contain_text("only be in shared channels")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Channel actions").click()
    page.get_by_role("menuitem", name="Invite another organisation").click()
    expect(page.get_by_text("has not answered yet")).to_be_visible()
    page.get_by_role("button", name="Channel actions").click()
    page.get_by_role("menuitem", name="Share with another organisation").click()
    expect(page.get_by_role("main").get_by_role("img", name="Shared with another organisation")).to_be_visible()
    page.get_by_role("button", name="4 members").click()
    members.get_by_role("button", name="Invite Dana Reyes").click()
    expect(members.get_by_role("button", name="Remove Dana Reyes")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Acting as").click()
    page.get_by_role("menuitemradio", name="Dana Reyes").click()
    expect(page.get_by_role("button", name="Acting as Dana Reyes")).to_be_visible()
    say(page, "Hello from elsewhere")
    expect(message(page, "Hello from elsewhere")).to_contain_text("EXTERNAL")


def test_guests_are_marked(page: Page) -> None:
    add_person(page, "Eve Moss", "Guest in one channel")
    page.get_by_role("button", name="4 members").click()
    members = page.get_by_role("dialog", name="Members of #general")
    row = members.get_by_role("listitem").filter(has_text="Eve Moss")
    expect(row).to_contain_text("GUEST")
    expect(row).to_contain_text("guest in one channel")


def test_a_group_has_its_own_conversation(page: Page, window: BrowserContext, playground: PlaygroundProcess) -> None:
    page.get_by_role("button", name="Write to a group").click()
    dialog = page.get_by_role("dialog", name="Write to a group")
    expect(dialog.get_by_role("button", name="Start")).to_be_disabled()
    dialog.get_by_role("checkbox", name="Ben Ortiz").check()
    dialog.get_by_role("checkbox", name="Chloe Lind").check()
    dialog.get_by_role("button", name="Start").click()
    say(page, "Only us", field="Message Ben Ortiz, Chloe Lind, Lorekeeper")
    ben = window.new_page()
    ben.goto(f"{playground.url}?user=U0BENORTIZ")
    ben.get_by_role("button", name="Ada Park, Chloe Lind, Lorekeeper").click()
    expect(message(ben, "Only us")).to_be_visible()


def test_members_come_and_go(page: Page, window: BrowserContext, playground: PlaygroundProcess) -> None:
    """Somebody who is taken out looks at another channel; who leaves is asked first."""
    ben = window.new_page()
    ben.goto(f"{playground.url}?user=U0BENORTIZ#C0GENERAL")
    expect(ben.get_by_role("log", name="Messages in #general")).to_be_visible()
    page.get_by_role("button", name="4 members").click()
    page.get_by_role("button", name="Remove Ben Ortiz").click()
    expect(page.get_by_role("button", name="Invite Ben Ortiz")).to_be_visible()
    expect(ben.get_by_role("log", name="Messages in #help")).to_be_visible()
    expect(ben.get_by_role("button", name="general", exact=True)).to_have_count(0)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Channel actions").click()
    page.get_by_role("menuitem", name="Leave channel").click()
    page.get_by_role("dialog", name="Leave #general?").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("log", name="Messages in #help")).to_be_visible()


def test_what_somebody_is_can_change(page: Page) -> None:
    page.get_by_role("button", name="Playground").click()
    dialog = page.get_by_role("dialog", name="Playground")
    row = dialog.get_by_role("listitem").filter(has_text="Chloe Lind")
    row.get_by_role("button", name="Change Chloe Lind").click()
    expect(page.get_by_role("menuitemradio", name="Member", exact=True)).to_be_checked()
    page.get_by_role("menuitemradio", name="Guest in several channels").click()
    expect(row).to_contain_text("guest in several channels")
    row.get_by_role("button", name="Change Chloe Lind").click()
    page.get_by_role("menuitem", name="Deactivate").click()
    expect(row).to_contain_text("deactivated")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Acting as").click()
    expect(page.get_by_role("menuitemradio")).to_have_count(2)
