"""The command line, typed as a person would: what it prints, keeps and refuses."""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from bot.database import open_database
from bot.feedback import record_reason, record_vote
from knowledge.ingest_rows import only_run
from knowledge.store import list_sources
from tests.bot.slack_double import slack_double
from tests.bot.terminal import Terminal
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.feed_server import feed_served
from tests.knowledge.repository import Work, served
from tests.knowledge.site import served_site

ROOT = Path(__file__).resolve().parents[2]
BADGES = "# Badges\n\nBadges are issued by Maria Lopez at the front desk. A lost badge costs 15 euros.\n"
LEAVE = "# Leave\n\nParental leave is 16 weeks at full pay. Ask People Ops two months ahead.\n"


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(home=tmp_path / "home", capsys=capsys)


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    folder.mkdir()
    (folder / "badges.md").write_text(BADGES, encoding="utf-8")
    (folder / "leave.md").write_text(LEAVE, encoding="utf-8")
    return folder


@pytest.fixture
def informed(terminal: Terminal, handbook: Path) -> Terminal:
    """A terminal whose Lorekeeper knows the handbook."""
    assert terminal.type("sources", "add", str(handbook)).code == 0
    assert terminal.type("sync").code == 0
    return terminal


class TestSources:
    def test_a_folder_is_added_after_a_look_into_it_and_then_read(self, terminal: Terminal, handbook: Path) -> None:
        added = terminal.type("sources", "add", str(handbook))
        assert added.code == 0
        assert "Added 'handbook'" in added.out
        assert "lorekeeper sync" in added.out
        assert "handbook: 2 added" in terminal.type("sync").out
        assert "handbook: 2 unchanged" in terminal.type("sync").out or "nothing" in terminal.type("sync").out

    def test_the_list_tells_how_each_source_is_doing(self, informed: Terminal) -> None:
        (row,) = informed.type("sources", "list", "--json").json["sources"]
        assert (row["name"], row["documents"], row["failures"]) == ("handbook", 2, [])
        assert row["last_run"]["added"] == 2
        assert row["next_run"]
        assert "handbook" in informed.type("sources", "list").out

    def test_a_source_that_the_bot_is_reading_is_read_after_it(self, informed: Terminal) -> None:
        """The schedule takes up what was just added, at about the time that people type `lorekeeper sync`."""
        engine = open_database(f"sqlite:///{informed.home / 'lorekeeper.db'}")
        with ExitStack() as held:
            held.enter_context(only_run(engine, list_sources(engine)[0].id))
            threading.Timer(0.3, held.close).start()
            shown = informed.type("sync")
        engine.dispose()
        assert "Waiting for another run of handbook" in shown.err
        assert (shown.code, "handbook: 2 unchanged" in shown.out) == (0, True)

    def test_what_cannot_be_read_is_listed_with_its_reason(self, informed: Terminal, handbook: Path) -> None:
        (handbook / "broken.pdf").write_bytes(b"%PDF-1.7 not really")
        assert "could not be read" in informed.type("sync").out
        (row,) = informed.type("sources", "list", "--json").json["sources"]
        assert row["documents"] == 2
        assert row["failures"][0]["uri"].endswith("broken.pdf")
        assert "broken.pdf" in informed.type("sources", "list").out

    def test_edits_and_deletions_show_in_the_next_run(self, informed: Terminal, handbook: Path) -> None:
        (handbook / "badges.md").write_text(BADGES.replace("15", "20"), encoding="utf-8")
        (handbook / "leave.md").unlink()
        (row,) = informed.type("sync", "--json").json["sources"]
        assert (row["changed"], row["deleted"], row["error"]) == (1, 1, None)

    def test_a_folder_that_vanished_fails_alone_and_loses_nothing(
        self, informed: Terminal, handbook: Path, tmp_path: Path
    ) -> None:
        shutil.move(handbook, tmp_path / "away")
        shown = informed.type("sync")
        assert shown.code == 1
        assert "handbook: failed" in shown.out
        assert str(handbook) in shown.out
        found = informed.type("search", "badges", "--json").json["passages"]
        assert found[0]["title"] == "Badges"

    def test_a_source_is_trusted_more_or_less(self, terminal: Terminal, handbook: Path) -> None:
        terminal.type("sources", "add", str(handbook), "--trust", "informal")
        assert terminal.type("sources", "list", "--json").json["sources"][0]["trust"] == "informal"
        said = terminal.type("sources", "trust", str(handbook), "official").out
        assert said == "'handbook' counts as official; it was informal.\n"
        assert terminal.type("sources", "list", "--json").json["sources"][0]["trust"] == "official"

    def test_a_flood_is_held_until_it_is_let_in_or_forgotten(self, informed: Terminal, handbook: Path) -> None:
        for number in range(51):
            (handbook / f"{number}.md").write_text(f"Badges are issued by Person{number} for money{number}.\n")
        assert "51 held until they are let in" in informed.type("sync").out
        (row,) = informed.type("sources", "list", "--json").json["sources"]
        assert (row["documents"], row["held"]) == (53, 51)
        assert "51 documents are held" in informed.type("sources", "list").out
        assert "Person" not in repr(informed.type("search", "badges", "--json").json["passages"])
        (check,) = [one for one in informed.type("doctor", "--json").json["checks"] if one["name"] == "held texts"]
        assert "51 documents of 'handbook'" in check["detail"]
        assert informed.type("sources", "release", str(handbook)).out == "51 documents of 'handbook' are let in.\n"
        assert "Person" in repr(informed.type("search", "badges", "--json").json["passages"])
        assert "nothing held" in informed.type("sources", "discard", str(handbook)).out

    def test_code_is_read_by_choice_and_forgotten_again(self, terminal: Terminal, handbook: Path) -> None:
        (handbook / "oven.py").write_text('def heat() -> None:\n    """Warm the oven up."""\n    print("warm")\n')
        terminal.type("sources", "add", str(handbook), "--code")
        terminal.type("sync")
        assert "handbook: with its source code" in terminal.type("sources", "list").out
        assert "oven.py#L1" in terminal.type("search", "warm the oven up").out
        said = terminal.type("sources", "code", "handbook", "off").out
        assert said == "The code of 'handbook' is forgotten with the next run.\n"
        assert "1 deleted" in terminal.type("sync").out
        assert not terminal.type("sources", "list", "--json").json["sources"][0]["code"]
        refused = terminal.type("sources", "add", "https://example.com/feed.xml", "--code")
        assert (refused.code, "has no source code" in refused.err) == (1, True)

    def test_a_repository_that_cannot_be_added_leaves_no_copy(self, terminal: Terminal, tmp_path: Path) -> None:
        with served(Work(root=tmp_path / "empty").root) as url:
            failed = terminal.type("sources", "add", url)
        assert (failed.code, "no document" in failed.err) == (1, True)
        assert list(terminal.home.glob("sources/*")) == []

    def test_a_repository_is_added_read_and_removed_with_its_copy(self, terminal: Terminal, tmp_path: Path) -> None:
        work = Work(root=tmp_path / "handbook")
        work.commit({"badges.md": "# Badges\n\nBadges are issued by Maria Lopez at the front desk."})
        with served(work.root) as url:
            said = terminal.type("sources", "add", url, "--name", "book").out
            assert said.startswith("Added 'book' (")
            assert "'Badges' can be read" in said
            assert "book: 1 added" in terminal.type("sync").out
            copies = list(terminal.home.glob("sources/*"))
            work.commit({"badges.md": None, "desk/badges.md": "# Badges\n\nBadges are issued by Ben."})
            assert "1 added" in terminal.type("sync").out
        shown = terminal.type("sync")
        assert (shown.code, "cannot be fetched" in shown.out) == (1, True)
        assert terminal.type("search", "badges", "--json").json["passages"][0]["text"].endswith("Ben.")
        assert terminal.type("sources", "remove", "book").out == "Removed 'book' with 1 documents.\n"
        assert [path.exists() for path in copies] == [False]

    def test_a_web_site_is_added_read_and_removed(self, terminal: Terminal) -> None:
        with served_site() as site:
            badges = "<title>Badges</title><h1>Badges</h1><p>Badges are issued by Maria Lopez at the front desk."
            site.put("/handbook/", badges)
            said = terminal.type("sources", "add", f"{site.url}/handbook/").out
            assert said.startswith("Added 'handbook' (")
            assert "'Badges' can be read" in said
            assert "handbook: 1 added" in terminal.type("sync").out
            assert "handbook: 1 unchanged" in terminal.type("sync").out
            site.put("/handbook/", badges.replace("Maria Lopez", "Ben"))
            assert "handbook: 1 changed" in terminal.type("sync").out
        shown = terminal.type("sync")
        assert (shown.code, "cannot be read" in shown.out) == (1, True)
        (passage,) = terminal.type("search", "badges", "--json").json["passages"]
        assert passage["text"].endswith("issued by Ben at the front desk.")
        assert passage["uri"] == f"{site.url}/handbook/"
        assert (
            terminal.type("sources", "remove", f"{site.url}/handbook/").out == "Removed 'handbook' with 1 documents.\n"
        )

    def test_a_query_of_a_database_is_added_read_and_removed(self, terminal: Terminal, tmp_path: Path) -> None:
        def run(statement: str) -> None:
            with closing(sqlite3.connect(tmp_path / "faq.db")) as connection, connection:
                connection.execute(statement)

        run("CREATE TABLE faq (id, question, answer)")
        run("INSERT INTO faq VALUES (1, 'Badges', 'Issued by Maria Lopez.'), (2, 'Leave', '16 weeks.')")
        (tmp_path / "faq.sql.toml").write_text(
            'url = "sqlite:///faq.db"\nquery = "SELECT * FROM faq"\nkey = "id"\n'
            'title = "{question}"\ntext = "# {question}\\n\\n{answer}"\n'
        )
        said = terminal.type("sources", "add", str(tmp_path / "faq.sql.toml")).out
        assert said.startswith("Added 'faq' (")
        assert "'Badges' can be read" in said
        assert "faq: 2 added" in terminal.type("sync").out
        run("UPDATE faq SET answer = 'Issued by Ben.' WHERE id = 1")
        run("DELETE FROM faq WHERE id = 2")
        assert "faq: 1 changed, 1 deleted" in terminal.type("sync").out
        (tmp_path / "faq.db").unlink()
        shown = terminal.type("sync")
        assert (shown.code, "unable to open" in shown.out) == (1, True)
        found = terminal.type("search", "badges", "--json").json["passages"]
        assert [(one["uri"], one["text"]) for one in found] == [("sql://faq/1", "Issued by Ben.")]
        assert terminal.type("sources", "remove", "faq").out == "Removed 'faq' with 1 documents.\n"

    def test_a_news_feed_is_added_read_and_removed(self, terminal: Terminal) -> None:
        with feed_served() as site:
            site.entries["badges"] = "<p>Badges are issued by Maria Lopez.</p>"
            said = terminal.type("sources", "add", site.location, "--kind", "feed", "--name", "news").out
            assert said.startswith("Added 'news' (")
            assert "'badges' can be read" in said
            assert "news: 1 added" in terminal.type("sync").out
            site.entries = {"leave": "<p>Leave is 16 weeks.</p>"}
            assert "news: 1 added" in terminal.type("sync").out
            assert "news: 2 unchanged" in terminal.type("sync").out
            assert site.answered == [200, 200, 200, 304]
            site.status = 503
            shown = terminal.type("sync")
            assert (shown.code, "answered 503" in shown.out) == (1, True)
        found = terminal.type("search", "badges", "--json").json["passages"]
        assert (found[0]["uri"], found[0]["title"]) == (f"{site.url}/badges", "badges")
        assert terminal.type("sources", "remove", "news").out == "Removed 'news' with 2 documents.\n"

    def test_an_address_with_a_password_is_refused_without_showing_it(self, terminal: Terminal) -> None:
        shown = terminal.type("sources", "add", "https://ada:secret@example.com/feed.xml")
        assert (shown.code, "secret" in shown.out + shown.err) == (1, False)

    def test_a_removed_source_takes_all_that_is_known_from_it_along(self, informed: Terminal, handbook: Path) -> None:
        assert informed.type("sources", "remove", str(handbook)).out == "Removed 'handbook' with 2 documents.\n"
        assert informed.type("search", "badges", "--json").json["passages"] == []
        assert "No sources yet" in informed.type("sources", "list").out

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("sources", "add", "/nowhere/at/all"), 1, "/nowhere/at/all"),
            (("sources", "remove", "nothing"), 2, "there is no source 'nothing'"),
            (("sources", "trust", "nothing", "official"), 2, "there is no source 'nothing'"),
            (("sources", "trust", "nothing", "holy"), 2, "holy"),
            (("sync",), 2, "there are no sources yet"),
            (("sources", "add", ".", "--kind", "wishes"), 2, "wishes"),
            (("sources", "add", "/nowhere/at/all", "--kind", "git"), 1, "There is no git repository"),
            (("sources", "add", "https://ada:secret@example.com/"), 1, "holds a user or a password"),
            (("sources", "add", ".", "--every", "0"), 2, "--every"),
        ],
    )
    def test_what_cannot_work_is_refused(
        self, terminal: Terminal, arguments: tuple[str, ...], code: int, said: str
    ) -> None:
        shown = terminal.type(*arguments)
        assert shown.code == code
        assert said in shown.err

    def test_an_audience_that_is_none_is_refused(self, terminal: Terminal, handbook: Path) -> None:
        shown = terminal.type("sources", "add", str(handbook), "--audience", "managers")
        assert shown.code == 1
        assert "'managers'" in shown.err

    def test_a_name_that_is_no_source_is_refused_before_anything_is_read(self, informed: Terminal) -> None:
        shown = informed.type("sync", "handbook", "nothing")
        assert shown.code == 2
        assert "there is no source 'nothing'" in shown.err

    def test_another_embedder_is_noticed_and_a_rebuild_mends_it(self, informed: Terminal) -> None:
        informed.model = FakeEmbedder(name="other", dim=64)
        refused = informed.type("search", "badges")
        assert refused.code == 1
        assert "lorekeeper sync --rebuild" in refused.err
        assert "fake (256)" in refused.err
        assert "other (64)" in refused.err
        assert informed.type("sync").code == 1
        rebuilt = informed.type("sync", "--rebuild")
        assert rebuilt.code == 0
        assert "other now: restart the bot" in rebuilt.err
        assert "restart" not in informed.type("sync", "--rebuild").err
        assert informed.type("search", "badges", "--json").json["passages"]


class TestSearch:
    def test_the_json_form_is_fixed(self, informed: Terminal) -> None:
        found = informed.type("search", "who issues badges", "-k", "1", "--json").json
        assert set(found) == {"passages", "seconds"}
        (passage,) = found["passages"]
        assert set(passage) == {"id", "uri", "title", "line", "text", "score"}
        assert passage["title"] == "Badges"
        assert "Maria Lopez" in passage["text"]
        assert found["seconds"]["total"] >= 0

    def test_people_see_title_link_and_beginning(self, informed: Terminal) -> None:
        shown = informed.type("search", "who issues badges").out
        assert "1. Badges" in shown
        assert "badges.md" in shown
        assert "Maria Lopez" in shown

    def test_only_what_the_reader_may_read_is_found(self, terminal: Terminal, handbook: Path) -> None:
        terminal.type("sources", "add", str(handbook), "--audience", "channel:C1")
        terminal.type("sync")

        def found(*reader: str) -> int:
            return len(terminal.type("search", "badges", "--json", *reader).json["passages"])

        assert found("--in", "C1") > 0
        assert found() == 0
        assert found("--in", "C2") == 0
        assert found("--as", "U1") == 0
        assert found("--as", "U1", "--in", "C1") > 0

    def test_nothing_known_is_said(self, terminal: Terminal) -> None:
        shown = terminal.type("search", "anything")
        assert shown.code == 0
        assert "Nothing found" in shown.err

    def test_a_huge_question_is_searched_for_and_odd_ones_do_no_harm(self, informed: Terminal) -> None:
        for question in ("badges " * 14_000, "\"'*():^ NEAR AND OR", "?", "\0badges"):
            assert informed.type("search", question, "--json").code == 0


class TestAsk:
    def test_the_json_form_is_fixed(self, informed: Terminal) -> None:
        answer = informed.type("ask", "Who issues badges?", "--json").json
        assert set(answer) == {"answer", "note", "citations", "abstained", "version", "seconds", "tokens"}
        assert set(answer["seconds"]) == {"retrieve", "first_token", "total"}
        assert "Maria Lopez" in answer["answer"]
        assert set(answer["citations"][0]) == {"n", "uri", "title", "dated", "owner", "trust"}
        assert answer["citations"][0]["title"] == "Badges"
        assert answer["abstained"] is False

    def test_people_see_the_answer_its_sources_and_how_to_go_on(self, informed: Terminal) -> None:
        shown = informed.type("ask", "Who issues badges?", "--thread", "desk").out
        assert "Maria Lopez" in shown
        assert "Sources:\n  1. Badges" in shown
        assert "--thread desk" in shown

    def test_what_is_not_known_is_said(self, informed: Terminal) -> None:
        answer = informed.type("ask", "What is the capital of Mongolia?", "--json").json
        assert answer["abstained"] is True
        assert answer["citations"] == []

    def test_the_same_key_continues_the_conversation(self, informed: Terminal) -> None:
        informed.type("ask", "Who issues badges?", "--thread", "desk")
        informed.type("ask", "And what does a lost badge cost?", "--thread", "desk")
        turns = informed.type("history", "desk", "--json").json["turns"]
        assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant"]
        assert turns[1]["citations"][0]["title"] == "Badges"

    def test_conversations_of_two_people_or_channels_never_mix(self, informed: Terminal) -> None:
        for reader in ((), ("--as", "U1"), ("--as", "U2"), ("--as", "U1", "--in", "C1")):
            informed.type("ask", "Who issues badges?", "--thread", "desk", *reader)
        listed = informed.type("history", "--json").json["conversations"]
        assert [one["turns"] for one in listed] == [2, 2, 2, 2]
        assert "may be any of" in informed.type("history", "desk").err

    def test_an_empty_question_is_misuse(self, terminal: Terminal) -> None:
        for command in ("ask", "search"):
            shown = terminal.type(command, "  ")
            assert shown.code == 2
            assert "the question is empty" in shown.err

    def test_a_huge_question_is_refused_with_the_limit_and_nothing_is_kept(self, informed: Terminal) -> None:
        shown = informed.type("ask", "why? " * 20_000)
        assert shown.code == 1
        assert "100,000" in shown.err or "99,999" in shown.err
        assert informed.type("history", "--json").json["conversations"] == []


class TestHistoryAndFeedback:
    def test_the_newest_conversation_comes_first(self, informed: Terminal) -> None:
        informed.type("ask", "Who issues badges?", "--thread", "one")
        informed.type("ask", "How long is parental leave?", "--thread", "two")
        listed = informed.type("history", "--json").json["conversations"]
        assert [one["conversation"].rpartition(":")[2] for one in listed] == ["two", "one"]
        assert listed[0]["first_question"] == "How long is parental leave?"
        assert len(informed.type("history", "--limit", "1", "--json").json["conversations"]) == 1
        assert "How long is parental leave?" in informed.type("history").out

    def test_one_conversation_is_shown_with_sources_and_votes(self, informed: Terminal) -> None:
        informed.type("ask", "Who issues badges?", "--thread", "one")
        self.vote(informed, 1, "U1")
        shown = informed.type("history", "one").out
        assert "Who issues badges?" in shown
        assert "1. Badges" in shown
        assert "1 👍 0 👎" in shown

    def test_an_unknown_conversation_is_misuse(self, terminal: Terminal) -> None:
        shown = terminal.type("history", "nothing")
        assert shown.code == 2
        assert "there is no conversation 'nothing'" in shown.err

    def test_votes_are_listed_and_exported(self, informed: Terminal, tmp_path: Path) -> None:
        informed.type("ask", "Who issues badges?", "--thread", "one")
        self.vote(informed, 1, "U1")
        self.vote(informed, -1, "U2", "incomplete", "At the front desk, by Maria Lopez.")
        listed = informed.type("feedback", "list", "--json").json["feedback"]
        assert [(one["user"], one["vote"]) for one in listed] == [("U2", -1), ("U1", 1)]
        assert "incomplete" in informed.type("feedback", "list", "--vote", "down").out
        assert len(informed.type("feedback", "list", "--vote", "up", "--json").json["feedback"]) == 1
        exported = informed.type("feedback", "export").out.splitlines()
        assert [json.loads(line)["user"] for line in exported] == ["U1", "U2"]
        informed.type("feedback", "export", "--output", str(tmp_path / "votes.jsonl"))
        assert (tmp_path / "votes.jsonl").read_text(encoding="utf-8").splitlines() == exported

    def test_a_person_is_exported_and_forgotten(self, informed: Terminal, tmp_path: Path) -> None:
        informed.type("ask", "Who issues badges?", "--as", "U1", "--thread", "one")
        self.vote(informed, 1, "U1")
        kept = informed.type("export", "U1").json
        assert kept["turns"][0]["text"] == "Who issues badges?"
        informed.type("export", "U1", "--output", str(tmp_path / "u1.json"))
        assert json.loads((tmp_path / "u1.json").read_text(encoding="utf-8")) == kept
        receipt = informed.type("forget", "U1", "--yes", "--json").json
        assert receipt["removed"]["turns"] == 2
        assert receipt["removed"]["votes"] == 1
        assert informed.type("export", "U1").json["turns"] == []
        assert "Removed of U1" in informed.type("forget", "U1", "--yes").out

    def vote(
        self, terminal: Terminal, vote: int, user: str, reason: str | None = None, correction: str | None = None
    ) -> None:
        engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
        assert record_vote(engine, 1, user, 1 if vote > 0 else -1, "button")
        if reason is not None:
            assert record_reason(engine, 1, user, reason, correction)
        engine.dispose()


class TestModels:
    def test_the_embedded_model_is_on_the_list_and_in_use(self, terminal: Terminal) -> None:
        (model,) = terminal.type("models", "list", "--json").json["models"]
        assert (model["name"], model["origin"], model["in_use"]) == ("embedded", "embedded", True)
        assert len(model["sha256"]) == 64
        assert "embedded" in terminal.type("models", "list").out

    def test_a_file_that_is_no_model_is_refused(self, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "fake.gguf").write_bytes(b"not a model")
        shown = terminal.type("models", "add", str(tmp_path / "fake.gguf"))
        assert shown.code == 1
        assert "fake.gguf" in shown.err
        assert len(terminal.type("models", "list", "--json").json["models"]) == 1

    def test_a_file_that_is_missing_is_refused(self, terminal: Terminal) -> None:
        shown = terminal.type("models", "add", "/nowhere/model.gguf")
        assert shown.code == 1
        assert "/nowhere/model.gguf" in shown.err


class TestStart:
    def test_unknown_settings_stop_every_command_with_their_name(self, terminal: Terminal) -> None:
        terminal.home.mkdir()
        (terminal.home / "lorekeeper.toml").write_text("[model]\nthread = 1\n", encoding="utf-8")
        for command in (("search", "x"), ("sources", "list"), ("models", "list"), ("run",), ("playground",)):
            shown = terminal.type(*command)
            assert shown.code == 1
            assert "model.thread: unknown setting (did you mean model.threads?)" in shown.err

    def test_a_database_of_another_kind_is_refused(self, terminal: Terminal) -> None:
        terminal.environment = {"LOREKEEPER_DATABASE_URL": "mysql://localhost/lore"}
        shown = terminal.type("history")
        assert shown.code == 1
        assert "LOREKEEPER_DATABASE_URL" in shown.err

    def test_a_place_where_no_database_can_be_made_is_refused(self, terminal: Terminal, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        terminal.environment = {"LOREKEEPER_DATABASE_URL": f"sqlite:///{tmp_path / 'file' / 'lore.db'}"}
        shown = terminal.type("history")
        assert shown.code == 1
        assert "cannot be made" in shown.err

    def test_a_file_that_is_no_database_is_refused_and_left_alone(self, terminal: Terminal) -> None:
        terminal.home.mkdir()
        file = terminal.home / "lorekeeper.db"
        file.write_bytes(b"a shopping list, not a database\n" * 64)
        shown = terminal.type("history")
        assert shown.code == 1
        assert str(file) in shown.err
        assert file.read_bytes().startswith(b"a shopping list")

    def test_a_data_folder_that_is_a_file_is_refused(self, terminal: Terminal) -> None:
        terminal.home.write_text("", encoding="utf-8")
        shown = terminal.type("history")
        assert shown.code == 1
        assert "cannot be made" in shown.err

    def test_a_full_disk_is_named(self, tmp_path: Path) -> None:
        def no_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

        program = "from bot.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "--home", str(tmp_path / "home"), "history"],
            preexec_fn=no_room,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "lorekeeper.db" in done.stderr
        assert "disk" in done.stderr

    def test_running_in_slack_needs_tokens_and_says_where_they_are(self, terminal: Terminal) -> None:
        shown = terminal.type("run")
        assert shown.code == 1
        assert "SLACK_BOT_TOKEN is not set" in shown.err
        assert "lorekeeper playground" in shown.err

    def test_tokens_that_slack_refuses_stop_the_start(self, terminal: Terminal) -> None:
        with slack_double({"auth.test": {"ok": False, "error": "invalid_auth"}}) as slack:
            terminal.environment = {
                "SLACK_BOT_TOKEN": "xoxb-bad",
                "SLACK_APP_TOKEN": "xapp-bad",
                "SLACK_API_URL": slack.url,
            }
            shown = terminal.type("run")
        assert shown.code == 1
        assert "Slack refuses SLACK_BOT_TOKEN" in shown.err
        assert "xoxb-bad" not in shown.err

    def test_the_manifest_is_json(self, terminal: Terminal) -> None:
        assert terminal.type("manifest").json["settings"]["socket_mode_enabled"] is True
        assert terminal.type("manifest", "--json").json["display_information"]["name"] == "Lorekeeper"

    def test_the_version_is_the_packages(self, terminal: Terminal) -> None:
        assert terminal.type("--version").out.startswith("lorekeeper ")

    @pytest.mark.parametrize(
        "arguments", [("dance",), ("search",), ("search", "x", "-k", "0"), ("eval", "retrieval", "/no")]
    )
    def test_misuse_ends_with_two(self, terminal: Terminal, arguments: tuple[str, ...]) -> None:
        assert terminal.type(*arguments).code == 2
