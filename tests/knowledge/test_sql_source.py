"""A query of a database as a source: SQLite files, with the templates that people write."""

from __future__ import annotations

import json
import sqlite3
import traceback
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument, SourceChange
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import ingest
from knowledge.sources import Checkpoint, Source, kind_of, name_of, whole_location
from knowledge.sources.sql import SqlSource, read_recipe
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.ingesting import workplace

USUAL = {
    "url": "sqlite:///faq.db",
    "query": "SELECT id, question, answer, slug, updated_at FROM faq WHERE published ORDER BY rowid",
    "key": "id",
    "title": "{question}",
    "text": "# {question}\n\n{answer}",
}
Value = str | int | bytes | None


class Faq:
    """A database that people write to, and the file that tells how it is read."""

    def __init__(self, folder: Path, **fields: str | list[str] | None) -> None:
        self.folder, self.file, self.database = folder, folder / "faq.sql.toml", folder / "faq.db"
        self.run("CREATE TABLE faq (id, question, answer, slug, updated_at, published DEFAULT 1)")
        self.tell(**fields)

    def tell(self, **fields: str | list[str] | None) -> None:
        """Write the TOML file: the usual one with these fields; None leaves one out."""
        told = {name: value for name, value in {**USUAL, **fields}.items() if value is not None}
        self.file.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items()))

    def run(self, statement: str, *values: Value) -> None:
        """Change the database."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute(statement, values)

    def put(self, key: Value, question: Value = "Who?", answer: Value = "Maria.", slug: Value = None) -> None:
        """Add a row."""
        self.run("INSERT INTO faq (id, question, answer, slug) VALUES (?, ?, ?, ?)", key, question, answer, slug)

    def source(self) -> SqlSource:
        """The source over it."""
        return SqlSource("s", self.file)

    def steps(self, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceChange], str]:
        """What a run tells, and its cursor."""
        *steps, last = self.source().changes(cursor, retry)
        assert isinstance(last, Checkpoint)
        told = [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument | FailedDocument)]
        return told, last.cursor

    def reasons(self) -> dict[str, str]:
        """The failures of a first run, by URI."""
        return {step.uri: step.reason for step in self.steps()[0] if isinstance(step, FailedDocument)}


@pytest.fixture
def faq(tmp_path: Path) -> Faq:
    return Faq(tmp_path)


class TestSqlite(SourceContract):
    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.faq = Faq(tmp_path)

    def build(self) -> Source:
        return self.faq.source()

    def put(self, name: str, text: str) -> str:
        self.faq.run("DELETE FROM faq WHERE id = ?", name)
        self.faq.put(name, name, text)
        return f"sql://faq/{name}"

    def take_away(self, name: str) -> None:
        self.faq.run("DELETE FROM faq WHERE id = ?", name)

    def lose_place(self) -> None:
        self.faq.database.unlink()

    def settle(self) -> None:
        """A row is told from its next version by its content."""


def test_a_row_becomes_a_document_by_its_templates(faq: Faq) -> None:
    faq.tell(link="https://faq.example.com/{slug}", modified="updated_at", text="# {question}\n\n{{{answer}}} {id}")
    faq.put(1, "Who issues badges?", "Maria", "badges & desk/1")
    faq.run("UPDATE faq SET updated_at = '2026-01-02 03:04:05'")
    faq.put(2, "Hidden?")
    faq.run("UPDATE faq SET published = 0 WHERE id = 2")
    ((row,), _) = faq.steps()
    assert isinstance(row, FetchedDocument)
    assert (row.uri, row.title) == ("https://faq.example.com/badges%20%26%20desk/1", "Who issues badges?")
    assert (row.content, row.media_type) == (b"# Who issues badges?\n\n{Maria} 1", "text/markdown")
    assert row.modified_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_row_is_for_the_audience_of_its_source(faq: Faq) -> None:
    faq.put(1)
    told = list(SqlSource("s", faq.file, "channel:C1").changes(None))
    assert [step.audience for step in told if isinstance(step, FetchedDocument)] == ["channel:C1"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        (1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("last week", None),
        (10**17, None),
        (None, None),
    ],
)
def test_a_date_is_read_as_databases_keep_it_or_left_out(faq: Faq, value: Value, expected: datetime | None) -> None:
    faq.tell(modified="updated_at")
    faq.put(1)
    faq.run("UPDATE faq SET updated_at = ?", value)
    ((row,), _) = faq.steps()
    assert isinstance(row, FetchedDocument)
    assert row.modified_at == expected


def test_null_is_empty_and_a_row_without_text_fails_with_its_reason(faq: Faq) -> None:
    faq.put(1, None, "Only an answer.")
    faq.put(2, "Only a question?", None)
    faq.put(3, None, "  ")
    faq.put(4, b"Bytes?", b"\xff")
    told, _ = faq.steps()
    documents = [(step.title, step.content) for step in told if isinstance(step, FetchedDocument)]
    assert documents == [
        ("1", b"# \n\nOnly an answer."),
        ("Only a question?", b"# Only a question?\n\n"),
        ("Bytes?", "# Bytes?\n\n\ufffd".encode()),
    ]
    assert list(faq.reasons()) == ["sql://faq/3"]
    assert "no text" in faq.reasons()["sql://faq/3"]


def test_rows_with_one_key_or_none_are_told_once_each(faq: Faq) -> None:
    faq.put(1, "First")
    for key in (1, 1, None, None):
        faq.put(key, "Later")
    told, cursor = faq.steps()
    assert [step.title for step in told if isinstance(step, FetchedDocument)] == ["First"]
    reasons = faq.reasons()
    assert list(reasons) == ["sql://faq/1#again", "sql://faq/#NULL"]
    assert "the same key (id): 1" in reasons["sql://faq/1#again"]
    assert "is NULL" in reasons["sql://faq/#NULL"]
    assert len(faq.steps(cursor)[0]) == 2


def test_a_key_of_several_columns_is_percent_encoded(faq: Faq) -> None:
    faq.tell(key=["id", "slug"])
    faq.put("a/b", slug="c d")
    faq.put("a", slug="b/c d")
    assert [step.uri for step in faq.steps()[0]] == ["sql://faq/a%2Fb/c%20d", "sql://faq/a/b%2Fc%20d"]


def test_a_row_too_large_fails(faq: Faq) -> None:
    faq.put(1, answer="x" * 2000)
    (failed,) = [
        step for step in SqlSource("s", faq.file, max_bytes=1024).changes(None) if isinstance(step, FailedDocument)
    ]
    assert "larger than" in failed.reason


@pytest.mark.parametrize(
    ("link", "slug", "uri"),
    [
        ("{slug}", "https://example.com/a?b=c%20d", "https://example.com/a?b=c%20d"),
        ("{slug}", "javascript:alert(1)", "sql://faq/1"),
        ("{slug}", "https://example.com/ <b>", "sql://faq/1"),
        ("ftp://example.com/{slug}", "a", "sql://faq/1"),
        ("https://example.com/{slug}", None, "sql://faq/1"),
        ("https://example.com/{slug}", "../?x=#y", "https://example.com/../%3Fx%3D%23y"),
    ],
)
def test_only_a_web_address_is_a_link(faq: Faq, link: str, slug: str | None, uri: str) -> None:
    faq.tell(link=link)
    faq.put(1, slug=slug)
    assert [step.uri for step in faq.steps()[0]] == [uri]


def test_rows_of_one_page_are_told_apart_and_keep_their_addresses_in_any_order(faq: Faq) -> None:
    faq.tell(link="https://example.com/{slug}")
    faq.put(2, slug="page")
    faq.put(3, slug="page")
    told, cursor = faq.steps()
    assert [step.uri for step in told] == ["https://example.com/page", "https://example.com/page#3"]
    faq.put(1, slug="page")
    faq.tell(link="https://example.com/{slug}", query=USUAL["query"].replace("rowid", "id DESC"))
    told, cursor = faq.steps(cursor)
    assert [step.uri for step in told] == ["https://example.com/page#1"]
    faq.run("DELETE FROM faq WHERE id = 2")
    assert faq.steps(cursor)[0] == [DeletedDocument(uri="https://example.com/page")]


def test_a_row_whose_link_changes_stays_the_same_document(faq: Faq) -> None:
    faq.tell(link="https://example.com/{slug}")
    for key in (1, 2, 3):
        faq.put(key, slug=f"page-{key}")
    _, cursor = faq.steps()
    faq.run("UPDATE faq SET slug = 'new' WHERE id = 1")
    faq.run("UPDATE faq SET slug = 'empty', question = NULL, answer = NULL WHERE id = 2")
    told, _ = faq.steps(cursor)
    assert isinstance(told[0], FetchedDocument)
    assert (told[0].uri, told[0].moved_from) == ("https://example.com/new", "https://example.com/page-1")
    assert told[1] == DeletedDocument(uri="https://example.com/page-2")
    assert isinstance(told[2], FailedDocument)


def test_rows_that_swap_their_links_are_both_kept(faq: Faq) -> None:
    faq.tell(link="https://example.com/{slug}")
    with workplace(faq.folder) as work:
        stored = add_source(work.engine, kind="sql", location=str(faq.file))
        faq.put(1, "One?", "one", "a")
        faq.put(2, "Two?", "two", "b")
        ingest(SqlSource(stored.id, faq.file), work.parts)
        faq.run("UPDATE faq SET slug = CASE slug WHEN 'a' THEN 'b' ELSE 'a' END")
        ingest(SqlSource(stored.id, faq.file), work.parts)
        assert sorted(str(text) for (text,) in work.rows("SELECT text FROM chunk")) == ["one", "two"]


def test_a_query_that_returns_nothing_deletes_only_a_few(faq: Faq) -> None:
    for key in range(21):
        faq.put(key)
    _, many = faq.steps()
    faq.run("DELETE FROM faq WHERE id > 19")
    _, few = faq.steps(many)
    faq.run("UPDATE faq SET published = 0")
    with pytest.raises(SourceUnavailableError, match=r"returned 21 before.*add it again"):
        faq.steps(many)
    assert len(faq.steps(few)[0]) == 20
    with pytest.raises(SourceUnavailableError, match="returns no row"):
        faq.steps()


def test_nothing_is_told_of_a_query_that_breaks_on_its_way(faq: Faq) -> None:
    faq.put(1)
    _, cursor = faq.steps()
    faq.run("UPDATE faq SET answer = 'changed'")
    faq.run("INSERT INTO faq (id, answer) VALUES (2, CAST(x'ff' AS TEXT))")
    seen: list[object] = []
    with pytest.raises(SourceUnavailableError, match="failed"):
        seen.extend(faq.source().changes(cursor))
    assert seen == []


def test_the_database_is_free_while_documents_are_worked_on(faq: Faq) -> None:
    for key in range(600):
        faq.put(key)
    steps = faq.source().changes(None)
    while not isinstance(next(steps), FetchedDocument):
        pass
    faq.run("DELETE FROM faq")
    assert sum(isinstance(step, FetchedDocument) for step in steps) == 599


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("DELETE FROM faq RETURNING *", "expected one SELECT"),
        ("PRAGMA query_only = OFF", "expected one SELECT"),
        ("SELECT * FROM faq; DELETE FROM faq", "semicolon"),
        ("WITH gone AS (SELECT 1) DELETE FROM faq RETURNING *", "readonly"),
        ("WITH new AS (SELECT 9) INSERT INTO faq (id) SELECT * FROM new RETURNING *", "readonly"),
        ("SELECT * FROM nowhere", "no such table"),
    ],
)
def test_a_query_changes_nothing(faq: Faq, query: str, said: str) -> None:
    faq.put(1)
    faq.tell(query=query)
    with pytest.raises(SourceError, match=said):
        faq.steps()
    faq.tell()
    assert len(faq.steps()[0]) == 1


def test_percent_signs_and_colons_in_a_query_mean_themselves(faq: Faq) -> None:
    faq.put(1, answer="50 % of :all")
    faq.tell(query="SELECT * FROM faq WHERE answer LIKE '%50 \\% of :all' ESCAPE '\\' AND question <> ':x';")
    assert len(faq.steps()[0]) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"titel": "x"}, "'titel'"),
        ({"text": None}, "'text' is missing"),
        ({"title": ""}, "title is ''"),
        ({"key": []}, "key is []"),
        ({"key": ["id", ""]}, "key 2 is ''"),
        ({"title": "{question.__class__}"}, "title has {question.__class__}"),
        ({"text": "{answer[0]}"}, "text has {answer[0]}"),
        ({"link": "https://example.com/{id!r}"}, "link has {id!r}"),
        ({"text": "{answer:>99999}"}, "text has {answer:>99999}"),
        ({"text": "{}"}, "text has {}"),
        ({"text": "{answer"}, "A brace as such is written twice"),
        ({"text": "{anwser}"}, "text names the column 'anwser'"),
        ({"key": "uid"}, "key names the column 'uid'"),
        ({"modified": "changed"}, "It has: id, question, answer, slug, updated_at."),
        ({"url": "faq.db"}, "Expected DIALECT+DRIVER"),
        ({"url": "sqlite://"}, "names no file"),
        ({"url": "nosuch://localhost/faq"}, "'nosuch', which cannot be used"),
        ({"password_env": "NOT_SET"}, "password_env is 'NOT_SET'"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(faq: Faq, fields: dict[str, str | list[str] | None], said: str) -> None:
    faq.put(1)
    faq.tell(**fields)
    with pytest.raises(SourceError) as refused:
        next(SqlSource("s", faq.file, environment={}).changes(None))
    assert said in str(refused.value)
    assert "faq.sql.toml" in str(refused.value)


def test_a_file_that_is_gone_or_no_toml_deletes_nothing(faq: Faq) -> None:
    faq.file.write_text("url = ")
    with pytest.raises(SourceError, match="is not TOML"):
        faq.steps()
    faq.file.unlink()
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        faq.steps()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://reader:hunter2@db.example.com/faq",
        "postgresql://db.example.com/faq?password=hunter2",
        "postgresql://reader:hunter2@db.example.com:hunter2/faq",
        "hunter2",
    ],
)
def test_a_password_in_the_file_is_refused_and_not_shown(faq: Faq, url: str) -> None:
    faq.tell(url=url)
    with pytest.raises(SourceError) as refused:
        read_recipe(faq.file)
    assert "hunter2" not in _all_said(refused.value)


def test_what_a_driver_says_of_a_password_is_hidden(faq: Faq) -> None:
    secret = "p@ss/word"
    # The name of a table that is not there is what SQLite repeats.
    faq.tell(query=f'SELECT * FROM "no {secret} here, also p%40ss%2Fword"', password_env="FAQ_PASSWORD")
    with pytest.raises(SourceError) as refused:
        next(SqlSource("s", faq.file, environment={"FAQ_PASSWORD": secret}).changes(None))
    assert "no *** here, also ***" in str(refused.value)
    assert secret not in _all_said(refused.value)


def _all_said(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_location_tells_its_kind_and_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [kind_of("faq.sql.toml"), kind_of("faq.toml")] == ["sql", "files"]
    assert [name_of("/srv/faq.sql.toml"), name_of("faq.toml", "sql")] == ["faq", "faq"]
    monkeypatch.chdir(tmp_path)
    assert whole_location("sql", "faq.toml") == str(tmp_path.resolve() / "faq.toml")
