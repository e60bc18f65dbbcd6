"""Who may read what: one rule, used by retrieval and by everything that remembers.

A document carries one document audience, a string: `everyone`, `channel:<id>`, `person:<id>`, `usergroup:<id>` or
`group:<id>`. An answer has an `Audience`: the set of document audiences that *everyone who can read the answer* may
read. `held:` in front of one says that a person has to let the document in first: no `Audience` contains it; see
`knowledge.quarantine`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

EVERYONE = "everyone"
_KINDS = frozenset({"channel", "person", "usergroup", "group"})
HELD = "held:"


def channel_audience(channel_id: str) -> str:
    """Name the document audience "the members of this channel"."""
    return f"channel:{channel_id}"


def person_audience(user_id: str) -> str:
    """Name the document audience "this one person"."""
    return f"person:{user_id}"


def usergroup_audience(usergroup_id: str) -> str:
    """Name the document audience "the members of this user group", each of them alone."""
    return f"usergroup:{usergroup_id}"


def group_audience(source_id: str, members: Collection[str]) -> str:
    """Name the document audience "these people", as the permissions of a source list them.

    Its name follows from its members: a group never changes, a document whose permissions change gets another one.
    """
    listed = "\n".join([source_id, *sorted(members)])
    return f"group:{hashlib.sha256(listed.encode()).hexdigest()[:24]}"


def nobody_audience(source_id: str) -> str:
    """Name the document audience of a source that has no members."""
    return group_audience(source_id, ())


def held_audience(audience: str) -> str:
    """Name the document audience of what is held, by the one that it is to have."""
    return audience if is_held(audience) else f"{HELD}{audience}"


def is_held(audience: str) -> bool:
    """Tell whether a document with this audience waits to be let in."""
    return audience.startswith(HELD)


def is_document_audience(text: str) -> bool:
    """Tell whether a string names a document audience."""
    kind, _, identifier = text.partition(":")
    return text == EVERYONE or (kind in _KINDS and bool(identifier))


@dataclass(frozen=True, kw_only=True)
class Audience:
    """Who will read an answer, as the document audiences it may draw on."""

    readable: frozenset[str]

    @classmethod
    def everyone(cls) -> Audience:
        """The whole workspace: public documents only."""
        return cls(readable=frozenset({EVERYONE}))

    @classmethod
    def of_channel(cls, channel_id: str) -> Audience:
        """The members of one channel, public or private: public documents and that channel's own."""
        return cls(readable=frozenset({EVERYONE, channel_audience(channel_id)}))

    @classmethod
    def of_person(cls, user_id: str, channel_ids: Iterable[str] = (), groups: Iterable[str] = ()) -> Audience:
        """One person alone (a direct message): all that this person may read, given their channels and groups."""
        own = {EVERYONE, person_audience(user_id), *groups}
        return cls(readable=frozenset(own | {channel_audience(channel_id) for channel_id in channel_ids}))

    def may_read(self, document_audience: str) -> bool:
        """Tell whether a document with this audience may appear in the answer."""
        return document_audience in self.readable

    @property
    def key(self) -> str:
        """A stable text for cache keys and rows."""
        return ",".join(sorted(self.readable))
