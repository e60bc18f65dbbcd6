"""Places that people keep documents in, one of each kind of source, on this machine: something is put there, changed,
and taken away.

Services are the tests' own servers, which answer over HTTP as the real ones do. Knows nothing of the bot.
"""

from __future__ import annotations

import base64
import itertools
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.people_page import MOMENT_SECONDS, PersonsPage
from tests.knowledge.atlassian_server import Issue, Tracker, Wiki, WikiPage, atlassian_served
from tests.knowledge.drive_server import Item, drive_served
from tests.knowledge.feed_server import feed_served
from tests.knowledge.github_server import github_served
from tests.knowledge.notion_server import TOKEN as NOTION_TOKEN
from tests.knowledge.notion_server import block, id_of, notion_served
from tests.knowledge.repository import Work, served
from tests.knowledge.site import served_site

HELP, GENERAL = "C0HELP", "C0GENERAL"
"""Channels that every playground begins with; the first is talked in, files are dropped into the second."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something made up that one document says, and what it says instead later."""

    question: str
    title: str
    sentence: str
    first: str
    second: str

    def said(self, value: str) -> str:
        """The sentence with a value in it."""
        return self.sentence.format(value)


@dataclass(frozen=True, kw_only=True)
class Origin:
    """One place with the fact in it."""

    location: str
    put: Callable[[str], str]
    """Writes the document, or writes it anew; returns the address that a citation should lead to."""
    take_away: Callable[[], object]
    arguments: tuple[str, ...] = ()
    """Of `lorekeeper sources add`, behind the location."""
    credential: str = ""
    last_sync: tuple[str, ...] = ()
    """Of the run that is to notice that the document is gone."""
    can_be_opened: bool = False
    """Whether the address leads to a server of this machine."""


@dataclass(frozen=True, kw_only=True)
class World:
    """What an origin is made from."""

    folder: Path
    """Empty, for this origin alone."""
    writer: PersonsPage
    """Somebody who writes into channels."""
    url: str
    """Of the playground."""


Opens = Callable[[Fact, World], AbstractContextManager[Origin]]


@contextmanager
def folder(fact: Fact, world: World) -> Iterator[Origin]:
    """Files of a folder."""
    (world.folder / "opening.md").write_text("# Opening\n\nThe canteen opens at seven.\n", encoding="utf-8")
    file = world.folder / "printers and copiers.md"

    def put(text: str) -> str:
        file.write_text(f"# {fact.title}\n\n{text}\n", encoding="utf-8")
        return file.as_uri()

    yield Origin(location=str(world.folder), put=put, take_away=file.unlink, can_be_opened=True)


@contextmanager
def git(fact: Fact, world: World) -> Iterator[Origin]:
    """A repository that is fetched over HTTP."""
    work = Work(root=world.folder / "handbook")
    work.commit({"welcome.md": "# Welcome\n\nThe gate opens with a badge.\n"})
    with served(work.root) as url:

        def put(text: str) -> str:
            work.commit({"build/servers.md": f"# {fact.title}\n\n{text}\n"})
            return f"{url.removesuffix('.git')}#build/servers.md"

        yield Origin(location=url, put=put, take_away=lambda: work.commit({"build/servers.md": None}))


@contextmanager
def web(fact: Fact, world: World) -> Iterator[Origin]:
    """Pages of a site with a sitemap."""
    page = "<html><head><title>{0}</title></head><body><main><h1>{0}</h1><p>{1}</p></main></body></html>"
    with served_site() as site:
        site.put("/intranet/", page.format("Intranet", "Here is what colleagues wrote down about the building."))
        site.list_pages("/intranet/", "/intranet/parcels.html")

        def put(text: str) -> str:
            return site.put("/intranet/parcels.html", page.format(fact.title, text))

        def take_away() -> None:
            site.put("/intranet/parcels.html", status=404)
            site.list_pages("/intranet/")

        yield Origin(location=f"{site.url}/intranet/", put=put, take_away=take_away, can_be_opened=True)


@contextmanager
def feed(fact: Fact, world: World) -> Iterator[Origin]:
    """Entries of a news feed. One that is no longer in it stays known, as feeds are windows, until it is read anew."""
    with feed_served() as site:
        site.entries["canteen"] = "<p>The canteen has a new menu.</p>"

        def put(text: str) -> str:
            site.entries[fact.title] = f"<p>{text}</p>"
            return f"{site.url}/{fact.title}"

        yield Origin(
            location=site.location,
            put=put,
            take_away=lambda: site.entries.pop(fact.title),
            last_sync=("--rebuild",),
            can_be_opened=True,
        )


@contextmanager
def sql(fact: Fact, world: World) -> Iterator[Origin]:
    """Rows of a query, with pages of their own on a site."""
    database, recipe = world.folder / "faq.db", world.folder / "faq.sql.toml"

    def run(statement: str, *values: str) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(statement, values)

    with served_site() as site:
        fields = {
            "url": "sqlite:///faq.db",
            "query": "SELECT id, question, answer FROM faq",
            "key": "id",
            "title": "{question}",
            "text": "{answer}",
            "link": f"{site.url}/faq/{{id}}",
        }
        recipe.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in fields.items()), "utf-8")
        run("CREATE TABLE faq (id TEXT PRIMARY KEY, question TEXT, answer TEXT)")
        run("INSERT INTO faq VALUES ('1', 'Lost keys', 'Lost keys are kept at the reception.')")

        def put(text: str) -> str:
            run("INSERT OR REPLACE INTO faq VALUES ('2', ?, ?)", fact.title, text)
            return site.put("/faq/2", text)

        yield Origin(
            location=str(recipe),
            put=put,
            take_away=lambda: run("DELETE FROM faq WHERE id = '2'"),
            can_be_opened=True,
        )


@contextmanager
def confluence(fact: Fact, world: World) -> Iterator[Origin]:
    """Pages of a space."""
    wiki, versions = Wiki(), itertools.count(1)
    with atlassian_served(wiki):
        wiki.put(WikiPage(id="1", title="Welcome", body="<p>Welcome to the space of the team.</p>"))

        def put(text: str) -> str:
            return wiki.put(WikiPage(id="2", title=fact.title, body=f"<p>{text}</p>", version=next(versions)))

        def take_away() -> None:
            wiki.pages["2"].status = "trashed"

        yield Origin(
            location=wiki.location,
            put=put,
            take_away=take_away,
            arguments=("--kind", "confluence"),
            credential=wiki.credential,
        )


@contextmanager
def jira(fact: Fact, world: World) -> Iterator[Origin]:
    """Issues of a project."""
    tracker, days = Tracker(), itertools.count(1)
    with atlassian_served(tracker):
        tracker.put(Issue(id="1", key="TEAM-1", summary="Lamp in the corridor", description="<p>It flickers.</p>"))

        def put(text: str) -> str:
            day = f"2026-02-{next(days):02}T03:04:05.000+0000"
            told = f"<p>{text}</p>"
            return tracker.put(Issue(id="2", key="TEAM-2", summary=fact.title, description=told, updated=day))

        yield Origin(
            location=tracker.location,
            put=put,
            take_away=lambda: tracker.issues.pop("2"),
            arguments=("--kind", "jira"),
            credential=tracker.credential,
        )


@contextmanager
def notion(fact: Fact, world: World) -> Iterator[Origin]:
    """Pages below a page."""
    days = itertools.count(1)
    with notion_served() as place:
        place.put("Handbook", {**block("child_page", title=fact.title), "id": id_of(fact.title)})

        def put(text: str) -> str:
            edited = f"2026-02-{next(days):02}T00:00:00.000Z"
            return place.put(fact.title, block("paragraph", text), above="Handbook", edited=edited)

        def take_away() -> None:
            place.pages[id_of(fact.title)].in_trash = True
            place.put(
                "Handbook", block("paragraph", "Nothing is below this any more."), edited="2026-03-01T00:00:00.000Z"
            )

        yield Origin(location=place.location("Handbook"), put=put, take_away=take_away, credential=NOTION_TOKEN)


@contextmanager
def drive(fact: Fact, world: World) -> Iterator[Origin]:
    """Files of a shared folder."""
    with drive_served() as place:
        place.put("a", Item(name="Welcome.txt", content=b"Welcome to the folder of the team."))

        def put(text: str) -> str:
            return place.put("b", Item(name=f"{fact.title}.md", content=f"# {fact.title}\n\n{text}\n".encode()))

        def take_away() -> None:
            place.items["b"].trashed = True

        yield Origin(location=place.location, put=put, take_away=take_away, credential=place.key)


@contextmanager
def github_issue(fact: Fact, world: World) -> Iterator[Origin]:
    """A comment of an issue."""
    with github_served() as place:
        place.issue("Readme", "The readme has a typo.")
        number = place.issue(fact.title, "Does anybody know?")
        said: list[dict[str, object]] = []

        def put(text: str) -> str:
            if said:
                moment = place.tick()
                said[0] |= {"body": text, "updated_at": moment}
                place.issues[number]["updated_at"] = moment
            else:
                said.append(place.comment(number, text))
            place.tick(5)
            return f"{place.location}/issues/{number}"

        def take_away() -> None:
            del place.issues[number], place.comments[number]
            place.tick(5)

        yield Origin(
            location=f"{place.location}/issues",
            put=put,
            take_away=take_away,
            arguments=("--kind", "github"),
        )


@contextmanager
def github_discussion(fact: Fact, world: World) -> Iterator[Origin]:
    """The accepted answer of a discussion; discussions are for those with a token alone."""
    with github_served() as place:
        place.discussion("Welcome", "Say hello here.")
        number = place.discussion(fact.title, "Does anybody know?")
        said: list[dict[str, object]] = []

        def put(text: str) -> str:
            if said:
                said[0] |= {"body": text, "updatedAt": place.tick()}
                place.touch(number)
            else:
                said.append(place.reply(number, text))
                place.accept(number, said[0])
            place.tick(5)
            return f"{place.location}/discussions/{number}"

        def take_away() -> None:
            del place.discussions[number]
            place.tick(5)

        yield Origin(
            location=f"{place.location}/discussions",
            put=put,
            take_away=take_away,
            arguments=("--kind", "github"),
            credential=place.token,
        )


@contextmanager
def slack_message(fact: Fact, world: World) -> Iterator[Origin]:
    """What somebody says in a channel, edits and deletes."""
    writer, said = world.writer, ""

    def put(text: str) -> str:
        nonlocal said
        if said:
            writer.act("edit", channel=HELP, ts=said, text=text)
        else:
            said = writer.say(HELP, text)
        return f"{world.url}archives/{HELP}/p{said.replace('.', '')}"

    yield Origin(
        location=f"slack:{HELP}",
        put=put,
        take_away=lambda: writer.act("delete", channel=HELP, ts=said),
        can_be_opened=True,
    )


@contextmanager
def slack_file(fact: Fact, world: World) -> Iterator[Origin]:
    """A file that somebody drops into a channel, and later another one in its place."""
    writer, said = world.writer, ""

    def take_away() -> None:
        nonlocal said
        writer.act("delete", channel=GENERAL, ts=said)
        said = ""

    def put(text: str) -> str:
        nonlocal said
        if said:
            take_away()
        content = base64.b64encode(f"# {fact.title}\n\n{text}\n".encode()).decode()
        files = [{"name": "doors.md", "content": content}]
        said = str(writer.act("say", channel=GENERAL, text="", files=files)["ts"])
        message = writer.wait_for(lambda: writer.messages[GENERAL].get(said), MOMENT_SECONDS)
        return str(message["files"][0]["permalink"])

    yield Origin(location=f"slack:{GENERAL}", put=put, take_away=take_away, can_be_opened=True)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """One kind on the tour."""

    fact: Fact
    open: Opens


def _stop(opens: Opens, question: str, title: str, sentence: str, first: str, second: str) -> Stop:
    fact = Fact(question=question, title=title, sentence=sentence, first=first, second=second)
    return Stop(fact=fact, open=opens)


# Each tells of something else, so that an answer cannot come from another kind.
STOPS: Mapping[str, Stop] = {
    "folder": _stop(
        folder,
        "Where does the Heron printer stand?",
        "Printers",
        "The Heron printer stands in room {}.",
        "4.17",
        "5.23",
    ),
    "git": _stop(
        git,
        "When is the Osprey build server restarted?",
        "Build servers",
        "The Osprey build server is restarted every {}.",
        "Tuesday at 06:40",
        "Friday at 21:15",
    ),
    "web": _stop(
        web,
        "Which gate do parcels for the Lapwing team go to?",
        "Parcels",
        "Parcels for the Lapwing team go to the {} gate.",
        "Linden",
        "Maple",
    ),
    "feed": _stop(
        feed,
        "When does the Kestrel release ship?",
        "kestrel-release",
        "The Kestrel release ships on {}.",
        "14 May",
        "3 June",
    ),
    "sql": _stop(
        sql,
        "How much does the Magpie licence cost a year?",
        "Magpie licence",
        "The Magpie licence costs {} euros a year.",
        "340",
        "415",
    ),
    "confluence": _stop(
        confluence,
        "Who issues the badges of the Bittern lab?",
        "Badges of the Bittern lab",
        "Badges of the Bittern lab are issued by {}.",
        "Maria Lopez",
        "Tom Adeyemi",
    ),
    "jira": _stop(
        jira,
        "Which disk size does the Sandpiper backup need?",
        "Sandpiper backup",
        "The Sandpiper backup needs a disk of {} GB.",
        "870",
        "1200",
    ),
    "notion": _stop(
        notion,
        "Where does the Curlew meeting take place?",
        "Curlew meeting",
        "The Curlew meeting takes place in the {} room.",
        "Alder",
        "Birch",
    ),
    "drive": _stop(
        drive,
        "How large is the Plover budget?",
        "Plover budget",
        "The Plover budget is {} euros.",
        "58,000",
        "64,000",
    ),
    "github issue": _stop(
        github_issue,
        "Which timeout does the Dunlin client need?",
        "Dunlin client hangs",
        "The Dunlin client needs a timeout of {} milliseconds.",
        "4500",
        "7250",
    ),
    "github discussion": _stop(
        github_discussion,
        "Who books the Avocet desk?",
        "Avocet desk",
        "The Avocet desk is booked by {}.",
        "Priya Nair",
        "Jonas Weber",
    ),
    "slack message": _stop(
        slack_message,
        "Where is the Wigeon van parked?",
        "",
        "The Wigeon van is parked in the {} yard.",
        "northern",
        "river",
    ),
    "slack file": _stop(
        slack_file,
        "How often does the Garganey door code change?",
        "Door codes",
        "The Garganey door code changes every {} weeks.",
        "six",
        "ten",
    ),
}
