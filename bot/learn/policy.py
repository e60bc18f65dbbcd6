"""By which permission a row may train, if at all: the lanes.

Votes never train text: they tune retrieval, thresholds and evaluation, as rows without words. Documents that the
operator owns, and what operators wrote themselves, may train. What other people wrote trains only where the operator
switched that on after reading the clause, in channels that everybody can read, and everybody whose words they are
consented. What everyone is answered by learns from what everyone may read. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from knowledge.audience import EVERYONE, channel_audience
from models.example import Lane

LeftOut = Literal[
    "not_public",
    "not_owned",
    "message_text_off",
    "place_not_public",
    "no_consent",
    "not_remembered",
    "no_vote",
    "voted_down",
    "disputed",
    "no_question",
    "passages_gone",
    "other_prompt",
    "not_cited",
    "not_supported",
    "written_by_person",
    "empty",
    "too_long",
    "command",
    "small_talk",
    "secret",
    "duplicate",
    "person_share",
    "not_found_first",
    "suspicious",
    "not_asked",
]

REASONS: Final[dict[LeftOut, str]] = {
    "not_public": "stands on documents that not everyone may read",
    "not_owned": "stands on documents that were read out of Slack or saved from it",
    "message_text_off": "is a person's message, and tuning.message_text is off",
    "place_not_public": "was written where not everyone reads: its channel is not among tuning.public_channels",
    "no_consent": "is in the words of somebody who did not consent",
    "not_remembered": "is in the words of somebody who switched their memory off",
    "no_vote": "nobody said whether it was good",
    "voted_down": "was voted down, and nobody said what would be better",
    "disputed": "one person says that there is no answer, others like it or wrote one",
    "no_question": "its question is not there any more",
    "passages_gone": "a passage that it stood on is gone or was changed",
    "other_prompt": "its prompt cannot be made again (a question back, a word of ours, a stopped or failed answer)",
    "not_cited": "says something without a source in its prompt",
    "not_supported": "the better answer says what no passage that was found holds: a document is missing",
    "written_by_person": "no model wrote it: an approved answer stands in its own row",
    "empty": "holds no words",
    "too_long": "is longer than what is learned from",
    "command": "is a command or code and no question",
    "small_talk": "is small talk",
    "secret": "holds what looks like a password, a key or an account number",
    "duplicate": "says nearly the same as another row",
    "person_share": "its person gave more than their share of the rows",
    "suspicious": "bears a sign of poisoned feedback",
    "not_asked": "says that it does not know where so little was found that no model is asked",
    "not_found_first": "a question made from a document does not find its own sentence first",
}


class NotUsableError(Exception):
    """A row that is not learned from; `reason` says why."""

    def __init__(self, reason: LeftOut) -> None:
        super().__init__(reason)
        self.reason = reason


OWNED_KINDS_NOT = frozenset({"slack"})
"""Kinds of sources whose documents are people's messages."""


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """What was allowed, by the operator and by people."""

    message_text: bool = False
    operators: frozenset[str] = frozenset()
    """Ids of people whose own words are the operator's."""
    consenting: frozenset[tuple[str, str]] = frozenset()
    """Team and user."""
    is_public: Callable[[str], bool] = lambda _channel: False
    """Tells channels that everybody in the workspace may read; not knowing means no."""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Where the words of a row come from."""

    team: str
    channel: str
    asked_by: frozenset[str] = frozenset()
    """Whose messages stand in the prompt; empty where none does."""
    answered_by: str = ""
    """Who wrote what is to be said; empty where a model or a document did."""
    audiences: frozenset[str] = frozenset({EVERYONE})
    """Of what stands in its prompt."""
    found: frozenset[str] = frozenset({EVERYONE})
    """Of all that was looked at for it. What its own channel said before may be among that, where everybody reads the
    channel; it does not stand in the prompt, and no word of the row comes from it."""
    owned: bool = True
    """Whether all of these documents are the operator's own."""
    remembered: bool = True


def lane_of(row: Provenance, permissions: Permissions) -> Lane:
    """Say by which permission a row may train; raises NotUsableError where it may not."""
    own = {channel_audience(row.channel)} if permissions.is_public(row.channel) else set()
    if row.audiences - {EVERYONE} or row.found - {EVERYONE} - own:
        raise NotUsableError("not_public")
    if not row.owned:
        raise NotUsableError("not_owned")
    people = row.asked_by | ({row.answered_by} if row.answered_by else set())
    if not people:
        return "documents"
    # A model's answer is nobody's correction: whoever asked for it wrote a message, operators too.
    if row.answered_by and people <= permissions.operators:
        return "corrections"
    if not permissions.message_text:
        raise NotUsableError("message_text_off")
    if not row.remembered:
        raise NotUsableError("not_remembered")
    if not permissions.is_public(row.channel):
        raise NotUsableError("place_not_public")
    theirs = people - (permissions.operators if row.answered_by else frozenset())
    if any((row.team, person) not in permissions.consenting for person in theirs):
        raise NotUsableError("no_consent")
    return "messages"
