"""A workspace that keeps changing, and the oracle: which documents may be spoken of before whom, in a few lines.

Nothing here knows how the product decides that: no audience string, no index, no SQL. Every document holds canary
words that stand nowhere else; questions never hold one.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

PlaceKind = Literal["public", "private", "mpim", "im"]
RightKind = Literal["everyone", "channel", "person", "people", "usergroup", "nobody"]
TEAM = "T1"
HOLDS_HOURS = 24.0


@dataclass(frozen=True, kw_only=True)
class Right:
    """Who may read a document."""

    kind: RightKind
    who: str = ""
    """A channel, a person or a user group."""
    people: frozenset[str] = frozenset()
    """User ids and e-mail addresses, of the permissions of a source."""


@dataclass(kw_only=True)
class Person:
    """Somebody who asks."""

    id: str
    email: str
    confirmed: bool = True
    guest: bool = False


@dataclass(kw_only=True)
class Place:
    """Where questions are asked; a direct message is named by its person."""

    id: str
    kind: PlaceKind
    members: set[str] = field(default_factory=set)
    shared: bool = False


@dataclass(kw_only=True)
class Document:
    """A document, and every canary that it ever held."""

    number: int
    uri: str
    key: str
    """A word of its own that questions may hold."""
    right: Right
    source: str
    canaries: list[str] = field(default_factory=list)
    row: int = 0
    """Its id in the database."""


@dataclass(kw_only=True)
class World:
    """All that is true now."""

    chance: random.Random
    people: dict[str, Person] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    usergroups: dict[str, set[str]] = field(default_factory=dict)
    source_hours: dict[str, float | None] = field(default_factory=dict)
    """How long ago each source told its permissions; None for never."""
    documents: dict[int, Document] = field(default_factory=dict)
    ever: dict[str, set[str]] = field(default_factory=dict)
    """The canaries that each person was shown rightly, at any time."""
    numbers: int = 0

    def may_be_told(self, document: Document, user: str, place: Place, *, gated: bool = True) -> bool:
        """The oracle: may this document be spoken of in the answer to this person in this place, now?"""
        person, right, alone = self.people[user], document.right, place.kind == "im"
        if document.number not in self.documents:
            return False
        if gated and (person.guest or (place.shared and not alone)):
            return False
        if right.kind == "everyone":
            return True
        if right.kind == "channel":
            return user in self.places[right.who].members if alone else place.id == right.who
        if not alone:
            return False
        if right.kind == "person":
            return right.who == user
        if right.kind == "usergroup":
            return user in self.usergroups[right.who]
        if right.kind == "people":
            hours = self.source_hours[document.source]
            known_as = {user, person.email} if person.confirmed else {user}
            return hours is not None and hours < HOLDS_HOURS and bool(known_as & right.people)
        return False

    def allowed(self, user: str, place: Place, *, gated: bool = True) -> set[str]:
        """The canaries that may appear before this person in this place."""
        return canaries_of(one for one in self.documents.values() if self.may_be_told(one, user, place, gated=gated))

    def public(self) -> set[str]:
        """The canaries that everybody may read."""
        return canaries_of(one for one in self.documents.values() if one.right.kind == "everyone")

    def any_right(self, source: str) -> Right:
        """A right as a document of this source may have it."""
        chance = self.chance
        kind: RightKind = chance.choices(
            ("everyone", "channel", "person", "people", "usergroup", "nobody"), (5, 6, 3, 6, 3, 1)
        )[0]
        match kind:
            case "channel":
                return Right(kind=kind, who=chance.choice(sorted(self.places)))
            case "person":
                return Right(kind=kind, who=chance.choice(sorted(self.people)))
            case "usergroup":
                return Right(kind=kind, who=chance.choice(sorted(self.usergroups)))
            case "people":
                every = [name for one in self.people.values() for name in (one.id, one.email)]
                return Right(kind=kind, people=frozenset(chance.sample(every, chance.randint(1, 5))))
            case _:
                return Right(kind=kind)

    def new_document(self) -> Document:
        """A document that is not there yet."""
        self.numbers += 1
        number, source = self.numbers, self.chance.choice(sorted(self.source_hours))
        document = Document(
            number=number,
            uri=f"file:///{source}/doc{number}.md",
            key=f"key{_letters(number)}",
            right=self.any_right(source),
            source=source,
        )
        self.new_canary(document)
        return document

    def new_canary(self, document: Document) -> str:
        """Another word for what the document says from now on."""
        self.numbers += 1
        document.canaries.append(f"canary{_letters(self.numbers)}")
        return document.canaries[-1]

    def direct(self, user: str) -> Place:
        """The direct message of a person with the bot."""
        return Place(id=f"D{user[1:]}", kind="im", members={user})

    def asks_where(self) -> tuple[str, Place]:
        """Somebody who asks, and where."""
        user = self.chance.choice(sorted(self.people))
        joined = [one for one in self.places.values() if user in one.members]
        if joined and self.chance.random() < 0.45:
            return user, self.chance.choice(joined)
        return user, self.direct(user)


def new_world(seed: int, *, documents: int) -> World:
    """A workspace with people, places, user groups and documents."""
    chance = random.Random(seed)
    world = World(chance=chance)
    for number in range(10):
        user = f"U{number:02}"
        world.people[user] = Person(id=user, email=f"p{number}@example.org", confirmed=chance.random() < 0.8)
        world.people[user].guest = chance.random() < 0.1
    kinds: list[PlaceKind] = ["public", "public", "private", "private", "private", "mpim"]
    for number, kind in enumerate(kinds):
        members = set(chance.sample(sorted(world.people), chance.randint(2, 7)))
        world.places[f"C{number}"] = Place(id=f"C{number}", kind=kind, members=members)
    world.places["C5"].shared = chance.random() < 0.3
    for number in range(3):
        world.usergroups[f"S{number}"] = set(chance.sample(sorted(world.people), chance.randint(1, 5)))
    for source in ("wiki", "drive", "tracker"):
        world.source_hours[source] = chance.choice((1.0, 23.0, 23.0, 25.0, 400.0, None))
    for _ in range(documents):
        document = world.new_document()
        world.documents[document.number] = document
    return world


def canaries_of(documents: Iterable[Document]) -> set[str]:
    """All canaries of some documents."""
    return {canary for document in documents for canary in document.canaries}


def held_in(text: str) -> Iterator[str]:
    """The canaries in a text, whatever stands around them."""
    parts = text.split("canary")
    for part in parts[1:]:
        end = next((place for place, sign in enumerate(part) if not sign.islower()), len(part))
        yield f"canary{part[:end]}"


def _letters(number: int) -> str:
    """A number as a word that no other word begins with."""
    word = ""
    while number:
        number, digit = divmod(number, 25)
        word = chr(ord("a") + digit) + word
    return f"{word}z"


def moved(document: Document, number: int) -> Document:
    """The same document in another place."""
    return replace(document, uri=f"file:///{document.source}/moved{number}.md")
