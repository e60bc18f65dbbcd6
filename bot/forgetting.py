"""A question that was deleted takes along all that came of it; what went is told in numbers.

The words go in one transaction. The answer's row stays behind without them until its messages in Slack are gone, so
that a second try knows where they stand. Knows SQL, not Slack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bot import tables
from bot.learn.tombstones import bury_answers
from bot.notes import documents_of, remove_orphans
from bot.privacy import checkpoint, delete_own_words, write_receipt
from knowledge import tables as knowledge_tables
from knowledge.database import writing
from knowledge.store import drop_unused_vectors


@dataclass(frozen=True, kw_only=True)
class Removed:
    """How much of each kind went."""

    messages: int = 0
    """Messages of ours in Slack."""
    turns: int = 0
    answers: int = 0
    earlier_texts: int = 0
    citations: int = 0
    passages: int = 0
    """What was noted of the passages that an answer looked at."""
    votes: int = 0
    corrections: int = 0
    requests: int = 0
    """Requests for a person."""
    approved: int = 0
    notes: int = 0

    @property
    def anything(self) -> bool:
        """Whether there was anything to remove."""
        return any(asdict(self).values())


@dataclass(frozen=True, kw_only=True)
class ForgottenQuestion:
    """One deleted question: what went, and which messages have to go in Slack."""

    answer_ids: tuple[int, ...]
    messages: tuple[tuple[str, str], ...]
    """Channel and ts of each."""
    runs: tuple[int, ...]
    """Inbox rows that are worked on for it right now."""
    notes: tuple[int, ...]
    """Ids of the notes that were saved from it."""
    removed: Removed


def forget_question(engine: sa.Engine, team: str, channel: str, ts: str) -> ForgottenQuestion | None:
    """Remove the words of a question and all that came of it; None while the question is still worked on.

    A question under way is withdrawn by who took the deletion in, and cleaned up by its worker.
    """
    with writing(engine) as connection:
        if _is_open(connection, team, channel, ts):
            return None
        answer = tables.answer
        found = connection.execute(
            sa.select(answer).where(answer.c.team == team, answer.c.channel == channel, answer.c.question_ts == ts)
        ).all()
        ids = [row.id for row in found]
        messages = _messages(connection, ids, found)
        runs = _withdraw_revisions(connection, ids)
        notes = _remove_notes(connection, channel, ts, ids)
        removed = _remove(connection, channel, ts, ids, messages=len(messages), notes=len(notes))
        if removed.turns or removed.notes or any(row.state != "withdrawn" for row in found):
            write_receipt(connection, team, "question", asdict(removed))
        else:
            removed = Removed()
    checkpoint(engine)
    return ForgottenQuestion(answer_ids=tuple(ids), messages=messages, runs=runs, notes=tuple(notes), removed=removed)


def remove_rows(engine: sa.Engine, answer_ids: Sequence[int]) -> None:
    """Remove the emptied rows once their messages are gone from Slack."""
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.answer).where(tables.answer.c.id.in_(answer_ids)))
    checkpoint(engine)


def remove_note_documents(engine: sa.Engine, home: Path, note_ids: Sequence[int]) -> int:
    """Remove the files and documents that approved notes had become, with chunks and vectors; returns how many."""
    return _remove_documents(engine, home, documents_of(home, note_ids))


def forget_file(engine: sa.Engine, file: str, home: Path | None) -> int:
    """Remove a file that was deleted in Slack from all notes, with the documents that it had become; returns from how
    many. A note that has nothing else goes with it.
    """
    kept, note = tables.saved_file, tables.saved_note
    with writing(engine) as connection:
        found = connection.execute(
            sa.select(kept.c.note_id, kept.c.stored, kept.c.team).where(kept.c.file == file)
        ).all()
        connection.execute(sa.delete(kept).where(kept.c.file == file))
        rest = sa.select(kept.c.id).where(kept.c.note_id == note.c.id).exists()
        empty = note.c.id.in_([row.note_id for row in found]) & (sa.func.trim(note.c.text) == "") & ~rest
        notes = connection.scalars(sa.delete(note).where(empty).returning(note.c.id)).all()
        if found:
            write_receipt(connection, found[0].team, "file", {"files": len(found), "notes": len(notes)})
    if home is not None and found:
        named = {(row.note_id, row.stored) for row in found}
        paths = [(note_id, path) for note_id, _ in named for path in documents_of(home, [note_id])]
        _remove_documents(engine, home, [path for note_id, path in paths if (note_id, path.name) in named])
    elif found:
        checkpoint(engine)
    return len(found)


def _remove_documents(engine: sa.Engine, home: Path, files: Sequence[Path]) -> int:
    uris = [path.resolve().as_uri() for path in files]
    for path in files:
        path.unlink(missing_ok=True)
    # Folders that notes leave behind empty, and whatever else no row knows of.
    remove_orphans(engine, home)
    document = knowledge_tables.document
    with writing(engine) as connection:
        removed = connection.execute(sa.delete(document).where(document.c.uri.in_(uris))).rowcount
        drop_unused_vectors(connection)
    checkpoint(engine)
    return removed


def _is_open(connection: sa.Connection, team: str, channel: str, ts: str) -> bool:
    inbox = tables.inbox
    query = sa.select(inbox.c.id).where(
        inbox.c.kind == "question",
        inbox.c.state.in_(("waiting", "working")),
        inbox.c.team == team,
        inbox.c.channel == channel,
        inbox.c.ts == ts,
    )
    return connection.execute(query).first() is not None


def _messages(
    connection: sa.Connection, ids: Sequence[int], answers: Sequence[sa.Row[tuple[object, ...]]]
) -> tuple[tuple[str, str], ...]:
    part, copy, escalation = tables.answer_part, tables.answer_copy, tables.escalation
    own = [(row.channel, row.message_ts) for row in answers if row.message_ts]
    parts = connection.execute(sa.select(part.c.channel, part.c.message_ts).where(part.c.answer_id.in_(ids))).all()
    copies = connection.execute(sa.select(copy.c.channel, copy.c.message_ts).where(copy.c.answer_id.in_(ids))).all()
    asked = connection.execute(
        sa.select(escalation.c.message_channel, escalation.c.message_ts).where(escalation.c.answer_id.in_(ids))
    ).all()
    further = [
        (str(channel), str(message_ts)) for channel, message_ts in (*parts, *copies, *asked) if channel and message_ts
    ]
    return tuple(dict.fromkeys([*own, *further]))


def _withdraw_revisions(connection: sa.Connection, ids: Sequence[int]) -> tuple[int, ...]:
    """Nobody wants these answers made again; returns the rows that are worked on right now."""
    inbox = tables.inbox
    theirs = (inbox.c.kind.in_(("revision", "press")), inbox.c.payload["answer_id"].as_integer().in_(ids))
    working = (*theirs, inbox.c.state == "working")
    running = tuple(connection.scalars(sa.select(inbox.c.id).where(*working)))
    connection.execute(sa.update(inbox).where(*working).values(withdrawn=True))
    connection.execute(sa.update(inbox).where(*theirs, inbox.c.state == "waiting").values(state="dropped", payload={}))
    connection.execute(sa.update(inbox).where(*theirs, inbox.c.state != "working").values(payload={}, error=None))
    return running


def _remove(
    connection: sa.Connection, channel: str, ts: str, ids: Sequence[int], *, messages: int, notes: int
) -> Removed:
    answer, turn, feedback = tables.answer, tables.turn, tables.feedback
    of_ids = sa.select(answer.c.id).where(answer.c.id.in_(ids))
    bury_answers(connection, answer.c.id.in_(ids), "deleted")
    conversations = sa.select(answer.c.conversation).where(answer.c.id.in_(ids))
    spoken = turn.c.conversation.in_(conversations) | (turn.c.channel == channel)
    approved = delete_own_words(connection, of_ids)
    passages = sum(len(row) for row in connection.scalars(sa.select(answer.c.passages).where(answer.c.id.in_(ids))))
    texts = connection.scalar(sa.select(sa.func.count()).where(answer.c.id.in_(ids), answer.c.state != "withdrawn"))
    corrections = connection.scalar(
        sa.select(sa.func.count()).where(feedback.c.answer_id.in_(ids), feedback.c.correction.is_not(None))
    )
    # What later questions were understood as may hold the words of this one.
    connection.execute(sa.update(answer).where(answer.c.conversation.in_(conversations)).values(understood=""))
    _delete(connection, tables.cached_answer, ids)
    _delete(connection, tables.signal, ids)
    removed = Removed(
        messages=messages,
        turns=connection.execute(sa.delete(turn).where(spoken, turn.c.ts == ts)).rowcount,
        answers=texts or 0,
        earlier_texts=_delete(connection, tables.answer_revision, ids),
        citations=_delete(connection, tables.citation, ids),
        passages=passages,
        corrections=corrections or 0,
        votes=_delete(connection, feedback, ids),
        requests=_count(connection, tables.escalation, ids),
        approved=approved,
        notes=notes,
    )
    connection.execute(
        sa.update(answer)
        .where(answer.c.id.in_(ids))
        .values(state="withdrawn", state_at=datetime.now(UTC), outcome=None, user="", text="")
        .values(understood="", note="", approved_by="", passages=[], files=[], audience="", error=None)
    )
    inbox = tables.inbox
    # The question's own row stays, so that a late duplicate of it is recognised.
    connection.execute(
        sa.update(inbox)
        .where(inbox.c.channel == channel, inbox.c.ts == ts, inbox.c.kind.in_(("question", "revision")))
        .where(inbox.c.state.not_in(("waiting", "working")))
        .values(payload={}, user="", error=None)
    )
    return removed


def _remove_notes(connection: sa.Connection, channel: str, ts: str, ids: Sequence[int]) -> Sequence[int]:
    """Remove what was saved as knowledge from the question's message, or from a message of its answer."""
    note, answer, part = tables.saved_note, tables.answer, tables.answer_part
    own = sa.select(answer.c.message_ts).where(answer.c.id.in_(ids), answer.c.message_ts.is_not(None))
    parts = sa.select(part.c.message_ts).where(part.c.answer_id.in_(ids), part.c.message_ts.is_not(None))
    saved = (note.c.ts == ts) | note.c.ts.in_(own) | note.c.ts.in_(parts)
    return connection.scalars(sa.delete(note).where(note.c.channel == channel, saved).returning(note.c.id)).all()


def _delete(connection: sa.Connection, table: sa.Table, ids: Sequence[int]) -> int:
    return connection.execute(sa.delete(table).where(table.c.answer_id.in_(ids))).rowcount


def _count(connection: sa.Connection, table: sa.Table, ids: Sequence[int]) -> int:
    return connection.scalar(sa.select(sa.func.count()).where(table.c.answer_id.in_(ids))) or 0
