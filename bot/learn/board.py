"""How versions do, as figures: what the command line and the admins' page show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from bot import tables
from bot.feedback import stands
from bot.learn.canary import CanaryRules, Verdict, compare_canary
from bot.learn.versions import Version, history, list_versions, standing, version_before
from knowledge.database import reading
from models.tuned import version_prefix


@dataclass(frozen=True, kw_only=True)
class VersionFigures:
    """What a version wrote, and what people thought of it."""

    answers: int
    abstained: int
    good: int
    bad: int


@dataclass(frozen=True, kw_only=True)
class Board:
    """What is in use and how it does."""

    service: Version | None
    """None: the base model."""
    service_since: datetime | None
    service_figures: VersionFigures
    canary: Version | None = None
    verdict: Verdict | None = None
    candidate: Version | None = None
    """The newest version that waits, where there is no canary."""
    refused: Version | None = None
    """The newest version of all, where it was refused: whoever made it wants to know."""
    before: str = ""
    """What a roll-back puts in service again; empty for the base model."""


def read_board(engine: sa.Engine, rules: CanaryRules | None = None) -> Board:
    """Read it from the rows."""
    now = standing(engine)
    since = max((one.at for one in history(engine) if one.state == "in_service"), default=None)
    versions = list_versions(engine)
    waiting = [one for one in versions if one.state == "candidate"]
    return Board(
        service=now.service,
        service_since=since,
        service_figures=figures_of(engine, now.service.name if now.service else "", since=since),
        canary=now.canary,
        verdict=None if now.canary is None else compare_canary(engine, now.canary, rules),
        candidate=waiting[0] if waiting and now.canary is None else None,
        refused=versions[0] if versions and versions[0].state == "refused" else None,
        before=version_before(engine),
    )


def figures_of(engine: sa.Engine, name: str, *, since: datetime | None = None) -> VersionFigures:
    """Count what a version wrote; an empty name counts what no tuned version wrote."""
    answer, feedback = tables.answer, tables.feedback
    names = [name] if name else [one.name for one in list_versions(engine)]
    by = sa.or_(sa.false(), *(answer.c.version.startswith(version_prefix(one), autoescape=True) for one in names))
    # Small talk, a question back, a standing answer or one given before is no version's work.
    written = [by if name else ~by, answer.c.completion_tokens > 0, answer.c.version != ""]
    if since is not None:
        written.append(answer.c.created_at >= since)
    votes = sa.select(feedback.c.vote, sa.func.count()).select_from(feedback.join(answer)).where(*written, stands())
    with reading(engine) as connection:
        counted = connection.execute(
            sa.select(sa.func.count(), sa.func.count().filter(answer.c.abstained)).select_from(answer).where(*written)
        ).one()
        given = {row[0]: row[1] for row in connection.execute(votes.group_by(feedback.c.vote))}
    return VersionFigures(answers=counted[0], abstained=counted[1], good=given.get(1, 0), bad=given.get(-1, 0))
