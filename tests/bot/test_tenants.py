"""S9, M15: several workspaces behind one address. Each is installed from a browser, answers from its own documents
alone, and is removed whole; with the real store, the real bot and a small web server in Slack's place."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from slack_sdk.oauth.installation_store import Installation

from bot import tables
from bot.app import Application, build
from bot.cli.hosting import hosting, team_settings
from bot.database import open_database
from bot.purge import find_traces, open_removals
from bot.settings import AnswerSettings, Settings, load_settings
from bot.slack.tenants import team_of
from bot.slack.token_store import open_installations
from bot.sync import ingest_parts, publish_generation, sync_source
from knowledge.database import reading
from knowledge.store import add_source
from tests.bot.http_client import SECRET, Answered, SlackCaller
from tests.bot.slack_double import SlackDouble, slack_double
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

EMBEDDER = FakeEmbedder(dim=256)
RED, BLUE = "T0RED", "T0BLUE"
QUESTION = "Who issues badges?"


def replies() -> dict[str, dict[str, Any]]:
    """What Slack says to the bot, whoever asks."""
    person = {"id": "U1", "team_id": RED, "is_restricted": False, "is_ultra_restricted": False, "deleted": False}
    return {
        "auth.test": {"ok": True, "team": "Red", "team_id": RED, "user": "lore", "user_id": "UBOT", "bot_id": "B1"},
        "oauth.v2.access": {
            "ok": True,
            "app_id": "A1",
            "access_token": "xoxb-red",
            "bot_user_id": "UBOT",
            "scope": "chat:write",
            "team": {"id": RED, "name": "<b>Red</b>"},
            "enterprise": None,
            "authed_user": {"id": "U1"},
        },
        "chat.postMessage": {"ok": True, "ts": "2000.1", "channel": "D1"},
        "chat.update": {"ok": True, "ts": "2000.1", "channel": "D1"},
        "users.conversations": {"ok": True, "channels": []},
        "users.info": {"ok": True, "user": person},
        "users.info xoxb-blue": {"ok": True, "user": person | {"team_id": BLUE}},
        "conversations.info": {"ok": True, "channel": {"id": "D1", "is_im": True, "is_ext_shared": False}},
        "views.publish": {"ok": True},
    }


@dataclass(kw_only=True)
class House:
    """A running bot for several workspaces."""

    slack: SlackDouble
    caller: SlackCaller
    home: Path
    application: Application

    def ask(self, team: str, ts: str, event_id: str = "") -> Answered:
        """Ask the question in a direct message of a workspace."""
        event = {"type": "message", "channel_type": "im", "channel": "D1", "user": "U1", "ts": ts, "text": QUESTION}
        return self.caller.event(event, team, event_id or f"Ev{team}{ts}")

    def folder(self, team: str) -> Path:
        """Where a workspace's data is."""
        return self.home / "teams" / team

    def said(self, token: str) -> str:
        """All that was written into Slack with a token."""
        return "".join(
            body for method, with_token, body in self.slack.sent if with_token == token and "chat." in method
        )

    def visit(self, path: str, cookie: str = "") -> Answered:
        """Open an address in a browser."""
        return self.caller.ask("GET", path, headers={"Cookie": cookie} if cookie else {})

    def install(self) -> Answered:
        """Go the whole way that a browser goes."""
        begun = self.visit("/slack/install")
        assert begun.status == 302
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        return self.visit(f"/slack/oauth_redirect?code=c1&state={state}", begun.headers["set-cookie"].split(";")[0])


def settings_for(home: Path, url: str) -> Settings:
    environment = {
        "SLACK_SIGNING_SECRET": SECRET,
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_CLIENT_SECRET": "shh",
        "SLACK_API_URL": url,
    }
    found = load_settings(environment, home)
    # The threshold was fitted to a real embedder's cosines; those of hashed words are smaller.
    return replace(found, file=replace(found.file, answer=AnswerSettings(minimum_support=0.03)))


def teach(settings: Settings, team: str, text: str) -> None:
    """Give one workspace a document, as `lorekeeper --home .../teams/TEAM` does."""
    folder = settings.home.parent / f"docs-{team}"
    folder.mkdir()
    (folder / "badges.md").write_text(f"# Badges\n\n{text}\n", encoding="utf-8")
    own = team_settings(settings, settings.home / "teams" / team)
    engine = open_database(own.database_url)
    stored = add_source(engine, kind="files", location=str(folder))
    with ingest_parts(engine, EMBEDDER, own) as parts:
        sync_source(stored, parts)
    publish_generation(engine, EMBEDDER, own)
    engine.dispose()


def put_in(settings: Settings, team: str, token: str) -> None:
    """Have a workspace installed already."""
    store, _ = open_installations(settings)
    store.save(
        Installation(
            app_id="A1", team_id=team, user_id="U1", bot_token=token, bot_id="B1", bot_user_id="UBOT", installed_at=1.0
        )
    )
    store.engine.dispose()


@contextmanager
def running(settings: Settings, slack: SlackDouble) -> Iterator[House]:
    generator = ScriptedGenerator("Badges are issued as the handbook says. [1]")
    with ExitStack() as opened:
        application = opened.enter_context(build(settings, generator=generator, embedder=EMBEDDER))
        server = opened.enter_context(hosting(application, lambda uri: uri, host="127.0.0.1", port=0))
        yield House(slack=slack, caller=SlackCaller(port=server.port), home=settings.home, application=application)


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    with slack_double(replies()) as double:
        yield double


@pytest.fixture
def settings(tmp_path: Path, slack: SlackDouble) -> Settings:
    found = settings_for(tmp_path / "home", slack.url)
    found.home.mkdir()
    return found


@pytest.fixture
def house(settings: Settings, slack: SlackDouble) -> Iterator[House]:
    """Two workspaces, each with a document that the other must never see."""
    for team, token, text in (
        (RED, "xoxb-red", "Badges are issued by Maria Lopez at the front desk."),
        (BLUE, "xoxb-blue", "Badges are issued by Kim Nakamura in the basement."),
    ):
        put_in(settings, team, token)
        teach(settings, team, text)
    with running(settings, slack) as one:
        yield one


def wait_until(is_so: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.03)


def questions(engine: sa.Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.scalars(sa.select(tables.inbox.c.event_id).where(tables.inbox.c.kind == "question")))


def database_of(house: House, team: str) -> sa.Engine:
    return open_database(f"sqlite:///{house.home / 'teams' / team / 'lorekeeper.db'}")


class TestIsolation:
    def test_each_workspace_answers_from_its_own_documents_with_its_own_token(self, house: House) -> None:
        assert house.ask(RED, "1000.1").status == 200
        assert house.ask(BLUE, "1000.1").status == 200
        wait_until(lambda: "Sources" in house.said("xoxb-red") and "Sources" in house.said("xoxb-blue"))
        with ExitStack() as opened:
            for team, own, other in ((RED, "Maria Lopez", "Nakamura"), (BLUE, "Nakamura", "Maria Lopez")):
                engine = database_of(house, team)
                opened.callback(engine.dispose)
                with reading(engine) as connection:
                    quotes = " ".join(connection.scalars(sa.select(tables.citation.c.quote)))
                    teams = set(connection.scalars(sa.select(tables.turn.c.team)))
                assert own in quotes
                assert other not in quotes
                assert teams == {team}

    def test_what_one_workspace_says_is_in_no_other_database(self, house: House) -> None:
        house.ask(RED, "1000.1", "EvRedOnly")
        wait_until(lambda: "Sources" in house.said("xoxb-red"))
        for database in (house.home / "lorekeeper.db", house.home / "teams" / BLUE / "lorekeeper.db"):
            engine = open_database(f"sqlite:///{database}")
            assert questions(engine) == []
            assert find_traces(engine, RED, house.home) == ()
            engine.dispose()

    def test_a_workspace_that_did_not_install_is_ignored(self, house: House) -> None:
        answered = house.ask("T0GREEN", "1000.1")
        assert (answered.status, answered.headers["x-slack-no-retry"]) == (200, "1")
        assert house.ask("../../etc", "1000.1").status == 200
        assert sorted(path.name for path in (house.home / "teams").iterdir()) == [BLUE, RED]

    def test_the_signed_installation_decides_and_not_where_a_message_comes_from(self) -> None:
        shared = {"team_id": BLUE, "authorizations": [{"team_id": RED}], "event": {"team": BLUE, "user_team": BLUE}}
        assert team_of(shared) == RED
        assert team_of({"team": {"id": RED}, "user": {"team_id": BLUE}}) == RED
        assert team_of({"view": {"app_installed_team_id": RED}, "team": {"id": BLUE}}) == RED
        assert team_of({"team_id": RED, "command": "/lore"}) == RED
        odd: list[Mapping[str, Any]] = [{}, {"team": 7}, {"authorizations": [7]}, {"authorizations": "x", "team": None}]
        assert [team_of(one) for one in odd] == ["", "", "", ""]


class TestReplays:
    def test_an_event_that_comes_again_is_one_question(self, house: House) -> None:
        for _ in range(4):
            assert house.ask(RED, "1000.1", "EvSame").status == 200
        engine = database_of(house, RED)
        assert questions(engine) == ["EvSame"]
        wait_until(lambda: "Sources" in house.said("xoxb-red"))
        assert sum(method == "chat.postMessage" for method, _, _ in house.slack.sent) == 1
        engine.dispose()

    def test_an_interaction_that_comes_again_does_nothing(self, house: House) -> None:
        house.ask(RED, "1000.1")
        wait_until(lambda: "Sources" in house.said("xoxb-red"))
        vote = {
            "type": "block_actions",
            "team": {"id": RED},
            "user": {"id": "U1"},
            "trigger_id": "1.2.abc",
            "channel": {"id": "D1"},
            "message": {"ts": "2000.1"},
            "container": {"type": "message", "message_ts": "2000.1", "channel_id": "D1"},
            "actions": [{"type": "nothing_of_ours", "action_id": "nobody_listens", "block_id": "b", "value": "1"}],
        }
        first, second = house.caller.interact(vote), house.caller.interact(vote)
        # Nobody listens to this one: the first is turned away by Bolt, the second before it.
        assert (first.status, second.status) == (404, 200)
        assert house.caller.interact(vote | {"trigger_id": "1.3.abc"}).status == 404


class TestInstalling:
    def test_a_workspace_installs_from_a_browser_and_is_answered_at_once(
        self, settings: Settings, slack: SlackDouble
    ) -> None:
        teach(settings, RED, "Badges are issued by Maria Lopez at the front desk.")
        with running(settings, slack) as house:
            assert house.ask(RED, "999.1").headers["x-slack-no-retry"] == "1"
            installed = house.install()
            assert installed.status == 200
            assert "Lorekeeper is installed" in installed.body
            assert "&lt;b&gt;Red" in installed.body
            assert "<script" not in installed.body
            assert "default-src 'none'" in installed.headers["content-security-policy"]
            house.ask(RED, "1000.1")
            wait_until(lambda: "Sources" in house.said("xoxb-red"))

    def test_the_way_to_slack_is_fixed(self, house: House) -> None:
        begun = house.visit("/slack/install?team=T9%26scope%3Dadmin&redirect_uri=https://evil.example&state=mine")
        target = urlsplit(begun.headers["location"])
        assert f"{target.scheme}://{target.netloc}/" == house.slack.url.removesuffix("api/")
        assert target.path == "/oauth/v2/authorize"
        query = parse_qs(target.query)
        assert "evil" not in target.query
        assert query["client_id"] == ["1.2"]
        assert "chat:write" in query["scope"][0].split(",")
        assert "team" not in query
        cookie = begun.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "Secure" in cookie

    def test_a_state_is_good_once_and_in_its_own_browser(self, house: House) -> None:
        begun = house.visit("/slack/install")
        state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
        cookie = begun.headers["set-cookie"].split(";")[0]
        way = f"/slack/oauth_redirect?code=c1&state={state}"
        assert house.visit(way).status == 400
        assert house.visit(way, "slack-app-oauth-state=another").status == 400
        assert house.visit(way, cookie).status == 200
        again = house.visit(way, cookie)
        assert again.status == 401
        assert "used before" in again.body

    @pytest.mark.parametrize(
        ("query", "status", "says"),
        [
            ("error=access_denied", 200, "cancelled"),
            ("error=%3Cscript%3Ealert(1)%3C/script%3E", 200, "went wrong"),
            ("", 400, "another browser"),
            ("state=x&state=y&code=%00", 400, "another browser"),
        ],
    )
    def test_what_goes_wrong_is_said_plainly(self, house: House, query: str, status: int, says: str) -> None:
        page = house.visit(f"/slack/oauth_redirect?{query}")
        assert page.status == status
        assert says in page.body
        assert "script>" not in page.body
        assert re.findall(r'href="([^"]*)"', page.body) == ["/slack/install"]

    def test_a_code_that_slack_refuses_installs_nothing(self, settings: Settings) -> None:
        refusing = replies() | {"oauth.v2.access": {"ok": False, "error": "invalid_code"}}
        with slack_double(refusing) as slack, running(replace(settings, slack_api_url=slack.url), slack) as house:
            assert house.install().status == 401
            assert not (house.home / "teams" / RED).exists()

    def test_a_whole_organisation_is_asked_to_choose_a_workspace(self, settings: Settings) -> None:
        whole = replies()
        whole["oauth.v2.access"] |= {"is_enterprise_install": True, "team": None, "enterprise": {"id": "E1"}}
        with slack_double(whole) as slack, running(replace(settings, slack_api_url=slack.url), slack) as house:
            page = house.install()
        assert page.status == 400
        assert "one workspace at a time" in page.body

    def test_a_silent_slack_is_said(self, settings: Settings, slack: SlackDouble) -> None:
        with slack_double({}) as gone:
            nowhere = gone.url
        with running(replace(settings, slack_api_url=nowhere), slack) as house:
            page = house.install()
        assert page.status == 502
        assert "Slack does not answer" in page.body


class TestTakenAway:
    @pytest.mark.parametrize(
        "events",
        [("app_uninstalled", "tokens_revoked"), ("tokens_revoked", "app_uninstalled"), ("app_uninstalled",)],
    )
    def test_uninstalling_leaves_nothing_and_a_receipt(
        self, house: House, settings: Settings, slack: SlackDouble, events: tuple[str, ...]
    ) -> None:
        house.ask(RED, "1000.1")
        wait_until(lambda: "Sources" in house.said("xoxb-red"))
        slack.replies = replies() | {"auth.test": {"ok": False, "error": "account_inactive"}}
        for _ in range(2):
            for number, kind in enumerate(events):
                event = {"type": kind, "tokens": {"oauth": [], "bot": ["UBOT"]}}
                assert house.caller.event(event, RED, f"EvGone{number}").status == 200
        wait_until(lambda: not (house.home / "teams" / RED).exists() and open_removals(house.application.engine) == ())
        with reading(house.application.engine) as connection:
            (receipt,) = connection.execute(sa.select(tables.receipt)).all()
        assert receipt.team == RED
        assert receipt.removed["turn"] >= 1
        assert receipt.removed["installation"] == 2
        store, _ = open_installations(settings)
        assert store.count_team(RED) == 0
        assert store.count_team(BLUE) == 2
        store.engine.dispose()
        assert find_traces(house.application.engine, RED, house.home) == ()
        # The other workspace goes on, and a late event of the one that went wakes nothing.
        assert house.ask(RED, "1001.1").headers["x-slack-no-retry"] == "1"
        assert not (house.home / "teams" / RED).exists()
        house.ask(BLUE, "1001.1")
        wait_until(lambda: "Sources" in house.said("xoxb-blue"))

    def test_a_late_event_does_not_take_a_new_installation_away(self, house: House) -> None:
        assert house.install().status == 200
        house.caller.event({"type": "app_uninstalled"}, RED, "EvLate")
        wait_until(lambda: open_removals(house.application.engine) == ())
        house.ask(RED, "1002.1")
        wait_until(lambda: bool(house.said("xoxb-red")))

    def test_what_arrives_while_a_workspace_is_removed_brings_nothing_back(
        self, house: House, slack: SlackDouble
    ) -> None:
        slack.replies = replies() | {"auth.test": {"ok": False, "error": "account_inactive"}}
        going, statuses = threading.Event(), set()

        def keep_asking(number: int) -> None:
            turn = 0
            while not going.is_set():
                turn += 1
                statuses.add(house.ask(RED, f"{number}.{turn}").status)

        threads = [threading.Thread(target=keep_asking, args=(number,)) for number in range(1000, 1004)]
        for thread in threads:
            thread.start()
        house.caller.event({"type": "app_uninstalled"}, RED, "EvGone")
        wait_until(lambda: open_removals(house.application.engine) == () and not house.folder(RED).exists(), 40)
        time.sleep(0.5)
        going.set()
        for thread in threads:
            thread.join()
        assert statuses <= {200, 503}
        assert not house.folder(RED).exists()
        assert find_traces(house.application.engine, RED, house.home) == ()
        assert house.folder(BLUE).exists()

    def test_a_persons_own_token_is_nothing_to_us(self, house: House) -> None:
        event = {"type": "tokens_revoked", "tokens": {"oauth": ["U1"], "bot": []}}
        assert house.caller.event(event, RED, "EvPerson").status == 200
        assert (house.home / "teams" / RED).exists()

    def test_a_removal_that_was_cut_off_is_done_at_the_next_start(self, settings: Settings, slack: SlackDouble) -> None:
        from bot.purge import ask_for_removal, removal_of

        put_in(settings, RED, "xoxb-red")
        teach(settings, RED, "Badges are issued by Maria Lopez.")
        engine = open_database(settings.database_url)
        removal = removal_of({"event": {"type": "app_uninstalled"}, "event_id": "Ev1"}, RED)
        assert removal is not None
        ask_for_removal(engine, removal)
        engine.dispose()
        slack.replies = replies() | {"auth.test": {"ok": False, "error": "account_inactive"}}
        with running(settings, slack) as house:
            assert not (house.home / "teams" / RED).exists()


def test_a_workspace_may_have_settings_of_its_own(settings: Settings) -> None:
    folder = settings.home / "teams" / RED
    assert team_settings(settings, folder).file == settings.file
    (folder / "lorekeeper.toml").write_text('[answer]\ninstructions = "Be brief."\n', encoding="utf-8")
    own = team_settings(settings, folder)
    assert own.file.answer.instructions == "Be brief."
    assert own.database_url == f"sqlite:///{folder}/lorekeeper.db"
    assert json.dumps(str(own.home)) == json.dumps(str(folder))
