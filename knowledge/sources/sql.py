"""A query of a database as a source: every row is a document, made by the templates of a TOML file.

The file names the database, the query and the templates; the guide shows one. The database is only read, and only for
as long as the rows take to come: what is due is kept in a temporary file meanwhile, so that nobody waits for INGEST.
Tried with SQLite and PostgreSQL; others need their driver, and a user who may only read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import string
import tempfile
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlsplit

import sqlalchemy as sa

from knowledge.audience import EVERYONE
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.sources.files import MAX_BYTES
from knowledge.sources.source import Checkpoint, Expected, SourceStep

STATEMENT_SECONDS = 300
"""A query that runs longer is ended by the database, where that can be asked for."""
_CONNECT_SECONDS = 20
_BATCH_ROWS = 500
_MEMORY_BYTES = 8 * 1024 * 1024
# So many documents are not gone at once by somebody's wish: more likely a view or a permission broke.
_MANY_ROWS = 20
_REQUIRED = ("url", "query", "key", "title", "text")
_OPTIONAL = ("password_env", "link", "modified")
_SELECT = re.compile(r"(?:SELECT|WITH)\b", re.IGNORECASE)
_NO_PAGE = re.compile(r"[\s<>|\"\x00-\x1f]")
_READ_ONLY = {
    "postgresql": ("SET TRANSACTION READ ONLY", f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"),
    "mysql": ("SET TRANSACTION READ ONLY",),
    "mariadb": ("SET TRANSACTION READ ONLY",),
}
_TIMEOUT_OF_DRIVER = {"psycopg": "connect_timeout", "psycopg2": "connect_timeout", "pymysql": "connect_timeout"}

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Template:
    """Text with columns in it."""

    parts: tuple[tuple[str, str], ...]
    """Literal text and the column after it; no column at the end."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it shows."""
        return tuple(column for _, column in self.parts if column)

    def render(self, row: Row, encode: Callable[[str], str] = str) -> str:
        """Fill in a row's values; NULL is empty."""
        return "".join(text + (encode(_text(row[column])) if column else "") for text, column in self.parts)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the TOML file says."""

    file: Path
    url: sa.URL
    password_env: str
    query: str
    key: tuple[str, ...]
    title: Template
    text: Template
    link: Template | None
    modified: str

    @property
    def name(self) -> str:
        """The source in the URIs of rows that have no page."""
        return quote(self.file.name.removesuffix(".toml").removesuffix(".sql"))

    def check(self, columns: Sequence[str]) -> None:
        """Raise SourceError for a column that the query does not have."""
        link = self.link.columns if self.link else ()
        modified = (self.modified,) if self.modified else ()
        used = {"key": self.key, "title": self.title.columns, "text": self.text.columns, "link": link}
        for where, names in {**used, "modified": modified}.items():
            for name in names:
                if name not in columns:
                    raise SourceError(
                        f"{self.file}: {where} names the column {name!r}, which the query does not have. It has: "
                        f"{', '.join(columns)}."
                    )

    def key_of(self, row: Row) -> str | None:
        """What names a row, percent-encoded; None where a part of it is NULL."""
        values = [row[column] for column in self.key]
        return None if None in values else "/".join(quote(_text(value), safe="") for value in values)

    def page_of(self, row: Row) -> str:
        """Where people can open a row; empty where there is none."""
        if self.link is None or any(row[column] is None for column in self.link.columns):
            return ""
        # A value is part of the address, unless the address itself comes from the database.
        written = self.link.parts[0][0].startswith(("http://", "https://"))
        page = self.link.render(row, quote if written else str)
        return page if page.startswith(("http://", "https://")) and not _NO_PAGE.search(page) else ""


def read_recipe(file: Path) -> Recipe:
    """Read the TOML file; raises SourceError that names the file, the field and the value."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceUnavailableError(
            f"{file} cannot be read ({error.strerror}). What is known from it stays; bring it back."
        ) from error
    except ValueError as error:
        raise SourceError(f"{file} is not TOML in UTF-8: {error}.") from error
    for name in content:
        if name not in _REQUIRED + _OPTIONAL:
            raise SourceError(f"{file}: there is no field {name!r}; there are: {', '.join(_REQUIRED + _OPTIONAL)}.")
    for name in _REQUIRED:
        if name not in content:
            raise SourceError(f"{file}: the field {name!r} is missing; needed are: {', '.join(_REQUIRED)}.")
    keys = content["key"] if isinstance(content["key"], list) else [content["key"]]
    values = {**content, **{f"key {number}": key for number, key in enumerate(keys, 1)}}
    for name, value in values.items():
        if (name != "key" or not keys) and not (isinstance(value, str) and value.strip()):
            raise SourceError(f"{file}: {name} is {value!r}, expected text{' or texts' if name == 'key' else ''}.")
    return Recipe(
        file=file,
        url=_url(file, content["url"]),
        password_env=content.get("password_env", ""),
        query=_query(file, content["query"]),
        key=tuple(keys),
        title=_template(file, "title", content["title"]),
        text=_template(file, "text", content["text"]),
        link=_template(file, "link", content["link"]) if "link" in content else None,
        modified=content.get("modified", ""),
    )


def _url(file: Path, value: str) -> sa.URL:
    try:
        url = sa.make_url(value)
    except (sa.exc.ArgumentError, ValueError):
        # Neither the value nor what was said of it is shown: a password may stand in both.
        raise SourceError(f"{file}: url cannot be read. Expected DIALECT+DRIVER://USER@HOST/DATABASE.") from None
    if url.password is not None or any("pass" in name.lower() or name.lower() == "pwd" for name in url.query):
        raise SourceError(
            f"{file}: url holds a password. Take it out, put it into an environment variable, and name that variable: "
            'password_env = "NAME".'
        )
    if url.get_backend_name() != "sqlite":
        return url
    if url.database in (None, "", ":memory:"):
        raise SourceError(f"{file}: url is {value!r}, which names no file. Expected sqlite:///FILE.")
    place = quote(str(file.parent / Path(str(url.database)).expanduser()))
    return url.set(database=f"file:{place}", query={"mode": "ro", "uri": "true"})


def _query(file: Path, value: str) -> str:
    query = value.strip().removesuffix(";").strip()
    if not _SELECT.match(query):
        raise SourceError(f"{file}: query is {_short(value)!r}, expected one SELECT (or WITH ... SELECT).")
    # Some drivers send several statements as one, and a COMMIT among them would end the reading transaction.
    if ";" in query:
        raise SourceError(
            f"{file}: query is {_short(value)!r}, with a semicolon inside. Expected one SELECT; put one that needs a "
            "semicolon into a view."
        )
    return query


def _template(file: Path, name: str, value: str) -> Template:
    try:
        parts = list(string.Formatter().parse(value))
    except ValueError as error:
        raise SourceError(f"{file}: {name} is {_short(value)!r}: {error}. A brace as such is written twice.") from error
    for _, column, form, conversion in parts:
        if column is not None and (form or conversion or not column.isidentifier()):
            shown = f"{column}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}"
            raise SourceError(
                f"{file}: {name} has {{{shown}}}, expected the name of a column in braces and nothing else. "
                "Shape the value in the query instead, with AS and a name."
            )
    return Template(parts=tuple((text, column or "") for text, column, _, _ in parts))


@dataclass(frozen=True, kw_only=True)
class _Known:
    hash: str
    uri: str


@dataclass(kw_only=True)
class _Reading:
    """What one run over the rows found; the due documents are in the temporary file."""

    rows: dict[str, _Known] = field(default_factory=dict)
    """Key -> what is known of its row."""
    uris: set[str] = field(default_factory=set)
    moved: dict[str, str] = field(default_factory=dict)
    """URI now -> before."""
    due: int = 0


class SqlSource:
    """All rows of a query; a database is opened anew in each run."""

    def __init__(
        self,
        source_id: str,
        file: Path,
        audience: str = EVERYONE,
        max_bytes: int = MAX_BYTES,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._id = source_id
        self._file = file.expanduser().resolve()
        self._audience = audience
        self._max_bytes = max_bytes
        self._environment = os.environ if environment is None else environment

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        recipe = read_recipe(self._file)
        known_uris = {known.uri for known in before.values()}
        with tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES, mode="w+", encoding="utf-8") as kept:
            found = self._read(recipe, before, retry, kept)
            if not found.uris and (cursor is None or len(before) > _MANY_ROWS):
                raise SourceUnavailableError(_nothing(self._file, len(before)))
            gone = known_uris - found.uris
            moved = {now: was for now, was in found.moved.items() if was in gone and now not in known_uris}
            for uri in sorted(gone.difference(moved.values())):
                yield DeletedDocument(uri=uri)
            yield Expected(documents=found.due)
            kept.seek(0)
            for line in kept:
                step = self._step(json.loads(line), moved)
                if isinstance(step, FailedDocument) and step.uri in moved:
                    yield DeletedDocument(uri=moved[step.uri])
                yield step
        rows = {key: [known.hash, known.uri] for key, known in found.rows.items()}
        yield Checkpoint(cursor=json.dumps({"rows": rows}))

    def _read(self, recipe: Recipe, before: Mapping[str, _Known], retry: Collection[str], kept: IO[str]) -> _Reading:
        found = _Reading()
        owners = {known.uri: key for key, known in before.items()}
        with self._opened(recipe) as connection:
            for row in _rows(connection, recipe):
                key = recipe.key_of(row)
                if key is None or key in found.rows:
                    # Once for each key: a column that names no row would fill the list of failures.
                    uri = f"sql://{recipe.name}/#NULL" if key is None else f"sql://{recipe.name}/{key}#again"
                    content = {"uri": uri, "failed": _not_named(recipe, key)}
                    due = uri not in found.uris
                else:
                    old = before.get(key)
                    uri = _address(recipe, row, key, old.uri if old else "", owners, found.uris)
                    content = {"uri": uri, **self._rendered(recipe, row, key)}
                    found.rows[key] = _Known(hash=hashlib.sha256(json.dumps(content).encode()).hexdigest(), uri=uri)
                    due = old != found.rows[key] or uri in retry
                    if old is not None and old.uri != uri:
                        found.moved[uri] = old.uri
                found.uris.add(uri)
                if due:
                    found.due += 1
                    kept.write(json.dumps(content) + "\n")
        return found

    def _rendered(self, recipe: Recipe, row: Row, key: str) -> dict[str, str]:
        text = recipe.text.render(row)
        columns = recipe.text.columns
        if not text.strip() or (columns and not any(_text(row[column]).strip() for column in columns)):
            return {"failed": "The row has no text: all columns of the template are empty."}
        if len(text.encode("utf-8", "replace")) > self._max_bytes:
            limit = self._max_bytes / 1024 / 1024
            return {"failed": f"The row's text is larger than {limit:g} MB. Leave it out of the query."}
        modified = _moment(row[recipe.modified]) if recipe.modified else ""
        return {"title": recipe.title.render(row).strip() or key, "text": text, "modified": modified}

    def _step(self, content: Mapping[str, str], moved: Mapping[str, str]) -> FetchedDocument | FailedDocument:
        if "failed" in content:
            return FailedDocument(uri=content["uri"], reason=content["failed"])
        return FetchedDocument(
            uri=content["uri"],
            title=content["title"],
            content=content["text"].encode("utf-8", "replace"),
            media_type="text/markdown",
            audience=self._audience,
            modified_at=datetime.fromisoformat(content["modified"]) if content["modified"] else None,
            moved_from=moved.get(content["uri"]),
        )

    @contextmanager
    def _opened(self, recipe: Recipe) -> Iterator[sa.Connection]:
        """A connection that only reads: its transaction is never committed. What its driver raises is explained."""
        url, secret = recipe.url, ""
        if recipe.password_env:
            secret = self._environment.get(recipe.password_env, "")
            if not secret:
                raise SourceError(
                    f"{recipe.file}: password_env is {recipe.password_env!r}, and there is no such environment "
                    "variable. Set it for the process that reads."
                )
            # SQLite knows no password, and would refuse one.
            url = url if url.get_backend_name() == "sqlite" else url.set(password=secret)
        try:
            timeout = _TIMEOUT_OF_DRIVER.get(url.get_driver_name())
            arguments: dict[str, Any] = {timeout: _CONNECT_SECONDS} if timeout and timeout not in url.query else {}
            engine = sa.create_engine(url, poolclass=sa.NullPool, hide_parameters=True, connect_args=arguments)
            with engine.connect() as connection:
                for statement in _READ_ONLY.get(engine.dialect.name, ()):
                    connection.exec_driver_sql(statement)
                yield connection
        # `from None`, here only: a driver's own words, and what is chained to them, may hold the password.
        except (ImportError, sa.exc.ArgumentError) as error:
            raise SourceError(
                f"{recipe.file}: url names {recipe.url.drivername!r}, which cannot be used ({_said(error, secret)}). "
                "Check its name, and that its driver is installed beside Lorekeeper."
            ) from None
        except sa.exc.SQLAlchemyError as error:
            raise SourceUnavailableError(
                f"{recipe.file}: the query of {recipe.url.render_as_string()} failed ({_said(error, secret)}). Check "
                "the database, url and query; what is known from it stays."
            ) from None


def _rows(connection: sa.Connection, recipe: Recipe) -> Iterator[Row]:
    # Without parameters a percent sign and a colon in the query mean themselves.
    told = connection.execution_options(stream_results=True, yield_per=_BATCH_ROWS, no_parameters=True)
    result = told.exec_driver_sql(recipe.query)
    columns = list(result.keys())
    recipe.check(columns)
    for row in result:
        yield dict(zip(columns, row, strict=True))


def _address(recipe: Recipe, row: Row, key: str, old: str, owners: Mapping[str, str], taken: Collection[str]) -> str:
    """The row's page, or its place in the source: unlike all other rows', and as before where that still fits."""
    page, place = recipe.page_of(row), f"sql://{recipe.name}/{key}"
    pages = [page, f"{page}{'-' if urlsplit(page).fragment else '#'}{key}"] if page else []
    wanted = [old, *pages] if old in pages else pages
    return next((uri for uri in wanted if uri not in taken and owners.get(uri, key) == key), place)


def _not_named(recipe: Recipe, key: str | None) -> str:
    columns = ", ".join(recipe.key)
    if key is None:
        return f"The key ({columns}) of this row is NULL. Leave it out of the query, or name another key."
    return f"Another row has the same key ({columns}): {key}. Only the first is read; name a key that tells rows apart."


def _nothing(file: Path, before: int) -> str:
    if not before:
        return f"The query of {file} returns no row. Check the query and what its user may read; nothing was deleted."
    return (
        f"The query of {file} returns no row, and returned {before} before. Nothing was deleted. Check the query; if "
        "it is right, `lorekeeper sources remove` the source and add it again."
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)


def _moment(value: object) -> str:
    """A time in any form that databases keep it in; empty for what is none, as a wrong date is worse than no date."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).isoformat()
        if isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value).strip())
    except (ValueError, OverflowError, OSError):
        return ""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _said(error: Exception, secret: str) -> str:
    said = str(getattr(error, "orig", None) or error)
    for form in {secret, quote(secret, safe="")} - {""}:
        said = said.replace(form, "***")
    return _short(said)


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 200 else f"{one_line[:199]}…"


def _read_cursor(cursor: str | None) -> dict[str, _Known]:
    if cursor is None:
        return {}
    return {key: _Known(hash=kept[0], uri=kept[1]) for key, kept in json.loads(cursor)["rows"].items()}
