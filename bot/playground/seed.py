"""The workspace that a newcomer finds: three people, three channels, the bot in all of them."""

from __future__ import annotations

from dataclasses import replace

from bot.playground.workspace import BOT_USER_ID, User, Workspace

_PEOPLE = (
    User(id="U0ADAPARK", name="ada", real_name="Ada Park", color="9f69e7", is_admin=True),
    User(id="U0BENORTIZ", name="ben", real_name="Ben Ortiz", color="2b8a6f"),
    User(id="U0CHLOELIND", name="chloe", real_name="Chloe Lind", color="c4562f"),
)
_BOT = User(id=BOT_USER_ID, name="lorekeeper", real_name="Lorekeeper", color="3b6ea5", is_bot=True)


def seed(workspace: Workspace) -> None:
    """Fill an empty workspace."""
    for user in (*_PEOPLE, _BOT):
        workspace.users[user.id] = replace(user)
    everyone = [user.id for user in (*_PEOPLE, _BOT)]
    ada = _PEOPLE[0].id
    workspace.add_channel(
        id="C0GENERAL", name="general", kind="public", members=list(everyone), creator=ada, topic="Everybody is here"
    )
    workspace.add_channel(
        id="C0HELP", name="help", kind="public", members=list(everyone), creator=ada, topic="Ask and answer"
    )
    workspace.add_channel(
        id="C0PRIVATELEADS",
        name="private-leads",
        kind="private",
        members=[ada, BOT_USER_ID],
        creator=ada,
        topic="Only for leads",
    )
    for person in _PEOPLE:
        workspace.add_channel(
            id=f"D{person.id[1:]}", name="", kind="im", members=[person.id, BOT_USER_ID], creator=person.id
        )
