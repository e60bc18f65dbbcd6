"""What happened, as rows to learn from: answers with what they stood on, votes about them, corrections, approvals.

What is buried never comes in, nor do bots. Votes weigh 1, less where one person cast very many: nobody's taste becomes
everybody's. Knows SQL only; who may be learned from is `bot.learn.policy`'s to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.feedback import stands
from bot.learn.tombstones import (
    answer_origin,
    buried_subjects,
    bury,
    bury_answers,
    bury_person,
    curated_origin,
    document_origin,
    feedback_origin,
    versions_that_learned,
)
from bot.people import is_unremembered
from bot.turn import Citation
from knowledge.database import reading

__all__ = [
    "Ledger",
    "LedgerAnswer",
    "LedgerCurated",
    "LedgerPassage",
    "LedgerTurn",
    "LedgerVote",
    "answer_origin",
    "bury",
    "bury_answers",
    "bury_person",
    "curated_origin",
    "document_origin",
    "feedback_origin",
    "is_bot_id",
    "most_of_one_person",
    "read_ledger",
    "versions_that_learned",
]

PERSON_SHARE = 0.1


@dataclass(frozen=True, kw_only=True)
class LedgerTurn:
    """One earlier message of a conversation, with whose it is."""

    role: str
    user: str
    """Who wrote it; of an answer, who had asked."""
    text: str = field(repr=False)
    audience: str = ""
    """Of an answer: the document audiences that it came from, comma-separated."""


@dataclass(frozen=True, kw_only=True)
class LedgerPassage:
    """A passage that an answer looked at, as it was noted then."""

    chunk_id: int
    text_hash: str
    uri: str
    score: float
    cosine: float
    word_score: float
    prior: float = 0.0
    trust: str = "usual"

    @property
    def is_said(self) -> bool:
        """Whether it comes from an earlier conversation or a file of this one; such have no place in the library."""
        return self.chunk_id < 0


@dataclass(frozen=True, kw_only=True)
class LedgerVote:
    """What one person said about one answer."""

    id: int
    answer_id: int
    user: str
    vote: int
    weight: float
    reason: str | None
    correction: str = field(repr=False)
    is_live: bool
    """False: it was about a text that was made again since."""
    created_at: datetime

    @property
    def origin(self) -> str:
        """As tombstones name it."""
        return feedback_origin(self.id)


@dataclass(frozen=True, kw_only=True)
class LedgerAnswer:
    """One question with its answer, and everything that is known of both."""

    id: int
    team: str
    channel: str
    conversation: str
    user: str
    """Who asked."""
    question: str = field(repr=False)
    history: tuple[LedgerTurn, ...] = field(repr=False)
    """What was said before it, oldest first."""
    text: str = field(repr=False)
    outcome: str
    abstained: bool
    support: float
    version: str
    approved_by: str
    audiences: frozenset[str]
    """The document audiences that its passages came from."""
    passages: tuple[LedgerPassage, ...] = field(repr=False)
    citations: tuple[Citation, ...] = field(repr=False)
    revision: int
    purpose: str
    """Why it was made again last; empty for the first text."""
    length: str
    """How long this person wants answers."""
    language: str
    remembered: bool
    """False: the person switched their memory off."""
    retrieve_seconds: float
    total_seconds: float
    created_at: datetime
    votes: tuple[LedgerVote, ...] = ()

    @property
    def origin(self) -> str:
        """As tombstones name it."""
        return answer_origin(self.id)

    @property
    def live_votes(self) -> tuple[LedgerVote, ...]:
        """The votes about what it says now."""
        return tuple(vote for vote in self.votes if vote.is_live)

    @property
    def approval(self) -> float:
        """The weighed votes about what it says now: above 0 it is good."""
        return sum(vote.vote * vote.weight for vote in self.live_votes)


@dataclass(frozen=True, kw_only=True)
class LedgerCurated:
    """An answer that an admin approved for a recurring question."""

    id: int
    team: str
    question: str = field(repr=False)
    text: str = field(repr=False)
    audience: str
    approved_by: str
    asked_by: str
    """Whose words the question is in: the asker's, where the admin left it as it was; empty where reworded."""
    channel: str
    approved_at: datetime

    @property
    def origin(self) -> str:
        """As tombstones name it."""
        return curated_origin(self.id)


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """All rows as of one moment."""

    answers: tuple[LedgerAnswer, ...]
    curated: tuple[LedgerCurated, ...]
    consenting: frozenset[tuple[str, str]]
    """Team and user of everyone who lets their words be used for tuning."""
    buried: int
    """So many answers, votes and approvals did not come in because they are buried."""
    bots: int
    """So many votes and answers did not come in because they are bots'."""


def is_bot_id(user: str) -> bool:
    """Tell bots by their id where nobody can be asked: a bot's begins with B, and Slackbot has its own."""
    return user.startswith("B") or user == "USLACKBOT"


def read_ledger(
    engine: sa.Engine,
    *,
    is_bot: Callable[[str], bool] = is_bot_id,
    person_share: float = PERSON_SHARE,
) -> Ledger:
    """Read everything that may be looked at; each vote weighs so that nobody has more than their share."""
    with reading(engine) as connection:
        buried = buried_subjects(connection)
        answer_rows = connection.execute(_answers()).all()
        turns = _turns(connection)
        citations = _citations(connection)
        purposes = _purposes(connection)
        vote_rows = connection.execute(_votes()).all()
        curated_rows = connection.execute(_curated()).all()
        person = tables.person
        consents = sa.select(person.c.team, person.c.user).where(person.c.tuning, person.c.memory)
        consenting = frozenset((row.team, row.user) for row in connection.execute(consents))
    people_votes = [row for row in vote_rows if not is_bot(row.user)]
    kept_votes = [row for row in people_votes if feedback_origin(row.id) not in buried]
    weights = vote_weights([row.user for row in kept_votes], person_share)
    votes: dict[int, list[LedgerVote]] = {}
    for row in kept_votes:
        votes.setdefault(row.answer_id, []).append(_vote(row, weights[row.user]))
    people_answers = [row for row in answer_rows if not is_bot(row.user)]
    kept_answers = [row for row in people_answers if answer_origin(row.id) not in buried]
    kept_curated = [row for row in curated_rows if curated_origin(row.id) not in buried]
    return Ledger(
        answers=tuple(
            _answer(row, turns, citations.get(row.id, ()), purposes.get(row.id, ""), votes.get(row.id, ()))
            for row in kept_answers
        ),
        curated=tuple(LedgerCurated(**row._mapping) for row in kept_curated),
        consenting=consenting,
        buried=len(people_votes)
        - len(kept_votes)
        + len(people_answers)
        - len(kept_answers)
        + len(curated_rows)
        - len(kept_curated),
        bots=len(vote_rows) - len(people_votes) + len(answer_rows) - len(people_answers),
    )


def vote_weights(users: Iterable[str], share: float) -> dict[str, float]:
    """What one vote of each person weighs: 1, or less where theirs would be more than their share of all."""
    counts = Counter(users)
    most = most_of_one_person(list(counts.values()), share)
    return {user: min(count, most) / count for user, count in counts.items()}


def most_of_one_person(counts: Sequence[int], share: float, others: int = 0) -> int:
    """The largest number of rows for one person that is at most this share of what is kept then, and at least 1.

    `counts`: the rows of each person; `others`: further rows that nobody in particular gave.
    """
    for most in range(max(counts, default=1), 1, -1):
        if most <= share * (others + sum(min(count, most) for count in counts)):
            return most
    return 1


def _answers() -> sa.Select[Any]:
    answer, turn = tables.answer, tables.turn
    # Another name: whether somebody is remembered is asked of the same table.
    person = tables.person.alias("asker")
    asked = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    theirs = (person.c.team == answer.c.team) & (person.c.user == answer.c.user)
    joined = answer.outerjoin(turn, asked & (turn.c.role == "user")).outerjoin(person, theirs)
    return (
        sa.select(
            answer,
            sa.func.coalesce(turn.c.text, "").label("question"),
            sa.func.coalesce(person.c.length, "normal").label("length"),
            sa.func.coalesce(person.c.language, "").label("language"),
            (~is_unremembered(answer.c.team, answer.c.user)).label("remembered"),
        )
        .select_from(joined)
        .where(answer.c.state != "withdrawn", answer.c.user != "", answer.c.outcome.is_not(None))
        .order_by(answer.c.id)
    )


def _votes() -> sa.Select[Any]:
    feedback = tables.feedback
    live = feedback.c.removed_at.is_(None).label("is_live")
    return sa.select(feedback, live).where(stands(), feedback.c.user != "").order_by(feedback.c.id)


def _curated() -> sa.Select[Any]:
    curated, answer, turn = tables.curated.c, tables.answer, tables.turn
    same = sa.func.lower(sa.func.trim(turn.c.text)) == sa.func.lower(sa.func.trim(curated.question))
    said = (turn.c.conversation == answer.c.conversation) & (turn.c.ts == answer.c.question_ts)
    joined = tables.curated.outerjoin(answer, answer.c.id == curated.from_answer).outerjoin(
        turn, said & (turn.c.role == "user") & same
    )
    return (
        sa.select(
            *(curated.id, curated.team, curated.question, curated.text, curated.audience),
            *(curated.approved_by, curated.approved_at),
            sa.func.coalesce(turn.c.user, "").label("asked_by"),
            sa.func.coalesce(answer.c.channel, "").label("channel"),
        )
        .select_from(joined)
        .order_by(curated.id)
    )


def _turns(connection: sa.Connection) -> dict[str, list[sa.Row[Any]]]:
    turn = tables.turn
    query: sa.Select[Any] = sa.select(
        turn.c.conversation, turn.c.ts, turn.c.role, turn.c.user, turn.c.text, turn.c.audience
    )
    # An assistant's turn carries its question's ts, and is read after it.
    query = query.where(turn.c.role.in_(("user", "assistant"))).order_by(turn.c.ts, turn.c.role.desc())
    found: dict[str, list[sa.Row[Any]]] = {}
    for row in connection.execute(query):
        found.setdefault(row.conversation, []).append(row)
    return found


def _citations(connection: sa.Connection) -> dict[int, tuple[Citation, ...]]:
    citation = tables.citation
    query = sa.select(citation).where(citation.c.kind == "cited").order_by(citation.c.answer_id, citation.c.n)
    found: dict[int, tuple[Citation, ...]] = {}
    for row in connection.execute(query).mappings():
        one = Citation(**{name: row[name] for name in Citation.__dataclass_fields__})
        found[row["answer_id"]] = (*found.get(row["answer_id"], ()), one)
    return found


def _purposes(connection: sa.Connection) -> dict[int, str]:
    """Why each answer was made again last."""
    revision = tables.answer_revision
    query = sa.select(revision.c.answer_id, revision.c.purpose).order_by(revision.c.revision)
    return {row.answer_id: row.purpose for row in connection.execute(query)}


def _answer(
    row: sa.Row[Any],
    turns: dict[str, list[sa.Row[Any]]],
    citations: Sequence[Citation],
    purpose: str,
    votes: Sequence[LedgerVote],
) -> LedgerAnswer:
    before = [turn for turn in turns.get(row.conversation, ()) if turn.ts < row.question_ts]
    names = [name for name in LedgerAnswer.__dataclass_fields__ if name in row._mapping and name != "passages"]
    return LedgerAnswer(
        **{name: row._mapping[name] for name in names},
        history=tuple(LedgerTurn(role=one.role, user=one.user, text=one.text, audience=one.audience) for one in before),
        audiences=frozenset(filter(None, row.audience.split(","))),
        passages=tuple(_passage(one) for one in row.passages or ()),
        citations=tuple(citations),
        purpose=purpose,
        votes=tuple(votes),
    )


def _passage(stored: dict[str, Any]) -> LedgerPassage:
    known = {name: stored[name] for name in LedgerPassage.__dataclass_fields__ if name in stored}
    blank: dict[str, Any] = {"text_hash": "", "uri": "", "score": 0.0, "cosine": 0.0, "word_score": 0.0}
    return LedgerPassage(**blank | known)


def _vote(row: sa.Row[Any], weight: float) -> LedgerVote:
    return LedgerVote(
        id=row.id,
        answer_id=row.answer_id,
        user=row.user,
        vote=row.vote,
        weight=weight,
        reason=row.reason,
        correction=row.correction or "",
        is_live=bool(row.is_live),
        created_at=row.created_at,
    )
