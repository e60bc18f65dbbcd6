"""Puts together what people can do with answers, from the parts of a team's bot."""

from __future__ import annotations

from bot.answer import Answering
from bot.curated import CuratedAnswers
from bot.slack.admins import admins_of
from bot.slack.answer_actions import AnswerActions
from bot.slack.curate import Curating
from bot.slack.escalate import Escalations
from bot.slack.features import Feature, TeamParts
from bot.slack.forget import DeletedQuestions
from bot.slack.share import Sharing


def answer_features(parts: TeamParts) -> tuple[Feature, ...]:
    """The menu of an answer and all that follows from it."""
    answering = parts.answering if isinstance(parts.answering, Answering) else None

    def threshold() -> float | None:
        return None if answering is None else answering.minimum_support

    admins = admins_of(parts)
    escalations = Escalations(parts=parts, is_admin=admins.is_admin)
    curated = answering.approved if answering is not None else None
    curating = (
        (Curating(parts=parts, curated=curated, is_admin=admins.is_admin),)
        if isinstance(curated, CuratedAnswers)
        else ()
    )
    return (
        AnswerActions(
            parts=parts,
            is_admin=admins.is_admin,
            threshold=threshold,
            may_approve=bool(curating),
            presses={**Sharing(parts=parts).presses(), **escalations.presses()},
        ),
        escalations,
        *curating,
        DeletedQuestions(parts=parts),
    )
