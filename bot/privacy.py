"""Everything that is kept of one person: handed out, or forgotten.

Forgetting removes the words and who said them; what stays of an answer are its times and sizes. Knows SQL only: a
message in Slack is the person's own to delete. A table is covered by how its columns are named, see `people_columns`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.channel_ledger import leave_person_out
from bot.earlier.recollect import tidy_words
from bot.learn.tombstones import bury, bury_person, curated_origin, person_origin
from knowledge.database import reading, writing

# Columns that end in "_by" and do not name a person.
_NOT_PEOPLE = frozenset({("answer", "delivered_by"), ("answer", "approved_by")})


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """The receipt: how much of each kind was removed."""

    turns: int
    """What the person asked, and what was answered to them."""
    answers: int
    votes: int
    corrections: int
    questions_waiting: int
    revisions: int = 0
    """Earlier texts of their answers."""
    approved: int = 0
    """Standing answers whose question was in the person's own words."""
    notes: int = 0
    """What they saved as knowledge."""
    settings: int = 0
    signals: int = 0
    """That they thanked for an answer, asked again, or kept one."""
    documents: int = 0
    """Documents made of channels that are sources, with messages of theirs; what others said there is read again."""


def people_columns(table: sa.Table) -> tuple[sa.Column[Any], ...]:
    """The columns of a table that name a person: `user`, `asked_of`, and what ends in `_by`."""
    return tuple(
        column
        for column in table.columns
        if (column.name in ("user", "asked_of") or column.name.endswith("_by"))
        and (table.name, column.name) not in _NOT_PEOPLE
    )


def forget(engine: sa.Engine, user: str) -> Forgotten:
    """Remove what one person asked, was answered and voted; a question under way is withdrawn."""
    if not user:
        raise ValueError("forget needs a user id, got an empty one")
    with writing(engine) as connection:
        # Who approved and what was asked is needed before it is gone; so is what later exports must not hold.
        bury_person(connection, user, "forgotten")
        bury(connection, [person_origin(user)], "", "forgotten")
        documents = leave_person_out(connection, user)
        approved = _forget_approvals(connection, user)
        # The file of a note names its author: `bot.notes` removes it, and the next reading the document.
        notes = _delete(connection, tables.saved_note, user)
        settings = _delete(connection, tables.person, user)
        corrections = _count_corrections(connection, user)
        votes = _delete(connection, tables.feedback, user)
        signals = _delete(connection, tables.signal, user)
        _delete(connection, tables.reading_wish, user)
        _forget_cached(connection, user)
        turns = _delete(connection, tables.turn, user)
        revisions, answers = _forget_answers(connection, user)
        waiting = _forget_inbox(connection, user)
        _forget_names(connection, user)
        forgotten = Forgotten(
            turns=turns,
            answers=answers,
            votes=votes,
            corrections=corrections,
            questions_waiting=waiting,
            revisions=revisions,
            approved=approved,
            notes=notes,
            settings=settings,
            signals=signals,
            documents=documents,
        )
        write_receipt(connection, "", "person", asdict(forgotten))
    checkpoint(engine)
    return forgotten


def export(engine: sa.Engine, user: str) -> dict[str, Any]:
    """Read all rows of one person, ready for JSON."""
    answer = tables.answer
    theirs = sa.select(answer.c.id).where(answer.c.user == user)
    names = {"turn": "turns", "answer": "answers"}
    content: dict[str, Any] = {"user": user}
    with reading(engine) as connection:
        for table in tables.metadata.sorted_tables:
            if columns := people_columns(table):
                mine = sa.or_(*(column == user for column in columns))
                content[names.get(table.name, table.name)] = _rows(connection, table, mine)
        for table in (tables.answer_part, tables.citation):
            key = "citations" if table is tables.citation else table.name
            content[key] = _rows(connection, table, table.c.answer_id.in_(theirs))
        file, note = tables.saved_file, tables.saved_note
        saved = sa.select(note.c.id).where(note.c.user == user)
        content[file.name] = _rows(connection, file, file.c.note_id.in_(saved), leave_out=("content",))
        earlier = tables.answer_revision
        content[earlier.name] = _rows(connection, earlier, (earlier.c.user == user) | earlier.c.answer_id.in_(theirs))
    return content


def write_receipt(connection: sa.Connection, team: str, reason: str, removed: dict[str, int]) -> None:
    """Keep the proof of a removal, inside the caller's transaction: numbers only."""
    values = {"team": team, "reason": reason, "removed": removed, "removed_at": datetime.now(UTC)}
    connection.execute(sa.insert(tables.receipt).values(values))


def checkpoint(engine: sa.Engine) -> None:
    """Make sure that what was removed leaves the word index, and overwritten pages the log as well."""
    with writing(engine) as connection:
        tidy_words(connection)
    with engine.connect() as plain:
        plain.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def delete_own_words(connection: sa.Connection, answer_ids: sa.Select[int]) -> int:
    """Remove standing answers whose question is still in the words of these answers' askers; others lose the link.

    Inside the caller's transaction, while the turns are still there; returns how many went.
    """
    curated, answer, turn = tables.curated, tables.answer, tables.turn
    asked = (
        sa.select(turn.c.id)
        .join(answer, (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts))
        .where(answer.c.id == curated.c.from_answer, turn.c.role == "user")
        .where(sa.func.lower(sa.func.trim(turn.c.text)) == sa.func.lower(sa.func.trim(curated.c.question)))
        .exists()
    )
    theirs = curated.c.from_answer.in_(answer_ids)
    gone = connection.execute(sa.delete(curated).where(theirs, asked).returning(curated.c.id, curated.c.team)).all()
    for row in gone:
        bury(connection, [curated_origin(row.id)], row.team, "deleted")
    connection.execute(sa.update(curated).where(theirs).values(from_answer=None))
    return len(gone)


def _forget_approvals(connection: sa.Connection, user: str) -> int:
    curated, answer = tables.curated, tables.answer
    names = sa.select(curated.c.approved_name).where(curated.c.approved_by == user, curated.c.approved_name != "")
    shown = connection.scalars(names).all()
    connection.execute(sa.update(answer).where(answer.c.approved_by.in_(shown)).values(approved_by="?"))
    connection.execute(sa.update(curated).where(curated.c.approved_by == user).values(approved_name=""))
    return delete_own_words(connection, sa.select(answer.c.id).where(answer.c.user == user))


def _forget_cached(connection: sa.Connection, user: str) -> None:
    """The vector of a question is made of its words."""
    cached, answer = tables.cached_answer, tables.answer
    theirs = sa.select(answer.c.id).where(answer.c.user == user)
    connection.execute(sa.delete(cached).where(cached.c.answer_id.in_(theirs)))


def _forget_answers(connection: sa.Connection, user: str) -> tuple[int, int]:
    """Returns how many earlier texts were removed, and how many answers were emptied."""
    answer, citation, earlier = tables.answer, tables.citation, tables.answer_revision
    theirs = sa.select(answer.c.id).where(answer.c.user == user)
    connection.execute(sa.delete(citation).where(citation.c.answer_id.in_(theirs)))
    revisions = connection.execute(sa.delete(earlier).where(earlier.c.answer_id.in_(theirs))).rowcount
    answers = connection.execute(
        sa.update(answer)
        .where(answer.c.user == user)
        .values(
            user="", text="", understood="", note="", approved_by="", passages=[], files=[], audience="", error=None
        )
    ).rowcount
    return revisions, answers


def _forget_inbox(connection: sa.Connection, user: str) -> int:
    inbox = tables.inbox
    is_open = inbox.c.state.in_(("waiting", "working"))
    waiting = connection.execute(
        sa.update(inbox)
        .where(inbox.c.user == user, inbox.c.state == "waiting", inbox.c.attempts == 0)
        .values(state="dropped")
    ).rowcount
    # Whoever works on a row still needs its payload to remove what is visible; it is emptied at the end.
    connection.execute(sa.update(inbox).where(inbox.c.user == user, is_open).values(withdrawn=True, not_before=None))
    connection.execute(
        sa.update(inbox).where(inbox.c.user == user, ~is_open).values(user="", conversation="", payload={}, error=None)
    )
    return waiting


def _forget_names(connection: sa.Connection, user: str) -> None:
    """Blank the person wherever a row stays that names them."""
    for table in tables.metadata.sorted_tables:
        if table is tables.inbox:
            continue
        for column in people_columns(table):
            connection.execute(sa.update(table).where(column == user).values({column.name: ""}))


def _delete(connection: sa.Connection, table: sa.Table, user: str) -> int:
    return connection.execute(sa.delete(table).where(table.c.user == user)).rowcount


def _count_corrections(connection: sa.Connection, user: str) -> int:
    feedback = tables.feedback
    mine = sa.select(sa.func.count()).where(feedback.c.user == user, feedback.c.correction.is_not(None))
    return connection.scalar(mine) or 0


def _rows(
    connection: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool], leave_out: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    key = next(iter(table.primary_key.columns))
    columns = [column for column in table.c if column.name not in leave_out]
    rows = connection.execute(sa.select(*columns).where(condition).order_by(key)).mappings()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else value
