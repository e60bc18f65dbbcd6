"""The product over a world of `audience_world`: its database follows what happens there, and people ask.

Everything that decides who may read what is the product's own; only Slack's replies come from the world. A fault, by
name, breaks one of these parts on purpose: what finds no leak then proves nothing.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from slack_sdk import WebClient

from bot import tables
from bot.answer import Answering, AnswerOptions
from bot.answer_cache import AnswerCache, CacheLimits
from bot.composing import Composed, Composing
from bot.conversation import load_history, save_answer, save_user_turn
from bot.database import open_database
from bot.earlier.reader import reader_of
from bot.earlier.search import Earlier, EarlierOptions
from bot.inbox import Lease
from bot.reuse import Asked
from bot.runs import Run, Runs
from bot.slack.briefing import Briefed, Briefing
from bot.slack.deliver import Delivery
from bot.slack.earlier import EarlierRecall
from bot.slack.features import TeamParts
from bot.slack.gate import GateRules, SlackGate
from bot.slack.live import Pace
from bot.slack.membership import Memberships
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Incoming
from bot.turn import Answer as Given
from knowledge.audience import (
    EVERYONE,
    Audience,
    channel_audience,
    group_audience,
    nobody_audience,
    person_audience,
    usergroup_audience,
)
from knowledge.database import open_engine, reading, writing
from knowledge.document import Grounds, Passage, Question, Readers
from knowledge.embed import Role, Vectors
from knowledge.library import Library
from knowledge.readers import groups_of, save_readers, usergroups_named
from knowledge.retrieve import Retrieved
from knowledge.tables import document as document_table
from knowledge.tables import source as source_table
from models.generator import ChatMessage, GenerationOptions
from tests.benchmarks.audience_world import HOLDS_HOURS, TEAM, Document, Place, Right, World, moved
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.shelf import Shelf

FAULTS = (
    "the index ignores who may read",
    "in a channel what its asker may read is used",
    "membership is remembered for an hour",
    "events of Slack are not heeded",
    "permissions never get too old",
    "an e-mail address need not be confirmed",
    "permissions changed at a source are not taken over",
    "deleted documents stay",
    "the cache knows no audience",
    "nobody looks again before an answer is shown",
    "the conversation so far is not checked",
    "memory is searched for everybody",
    "why is explained to everybody",
    "guests are answered",
    "user groups are remembered for ever",
    "a copy for the person holds the rows of everybody",
)
_MINUTE = 61.0
_WORDS = (
    "badge boiler window ladder garden printer travel budget lunch server backup invoice holiday parking kitchen "
    "meeting release password contract laptop desk phone coffee heating visitor"
).split()


class QuickEmbedder(FakeEmbedder):
    """Remembers the vectors of texts: the same few come again and again."""

    def __init__(self, dim: int = 64) -> None:
        super().__init__(dim=dim)
        self._of_text: dict[str, Vectors] = {}

    def embed(self, texts: Sequence[str], role: Role = "passage") -> Vectors:
        """As the plain one, without keeping what was embedded."""
        found = super().embed(texts, role)
        self.embedded_texts.clear()
        return found

    def _vector(self, text: str) -> Vectors:
        known = self._of_text.get(text)
        if known is None:
            if len(self._of_text) > 50_000:
                self._of_text.clear()
            known = self._of_text[text] = super()._vector(text)
        return known


class WorldSlack(Delivery):
    """Slack, as far as it is asked who is where, answered from the world."""

    def __init__(self, world: World, fault: str) -> None:
        super().__init__(WebClient(token="xoxb-world"), stopping=threading.Event())
        self._world, self._fault = world, fault

    def repeat(self, method: str, *, patience_seconds: float = 60.0, **arguments: Any) -> dict[str, Any]:
        """Reply in the shape that Slack has."""
        world = self._world
        match method:
            case "users.conversations":
                joined = [one.id for one in world.places.values() if arguments["user"] in one.members]
                return {"channels": [{"id": one} for one in joined], "response_metadata": {"next_cursor": ""}}
            case "usergroups.users.list":
                return {"users": sorted(world.usergroups[arguments["usergroup"]])}
            case "users.info":
                person = world.people[arguments["user"]]
                confirmed = person.confirmed or self._fault == "an e-mail address need not be confirmed"
                told = {"id": person.id, "team_id": TEAM, "is_restricted": person.guest, "is_ultra_restricted": False}
                told |= {"profile": {"email": person.email}, "is_email_confirmed": confirmed}
                return {"user": told}
            case "conversations.info":
                place = world.places.get(arguments["channel"])
                shared = place is not None and place.shared
                return {"channel": {"id": arguments["channel"], "is_channel": True, "is_ext_shared": shared}}
        raise AssertionError(f"{method} is not asked here")

    def call(self, method: str, *, wait_seconds: float, **arguments: Any) -> dict[str, Any]:
        """The address of a message."""
        assert method == "chat.getPermalink"
        return {"permalink": f"https://w.example/archives/{arguments['channel']}/p1"}


class _OpenLibrary(Library):
    """The fault: whoever asks, everything is found."""

    def retrieve(
        self, question: Question, audience: Audience, k: int, *, sources: frozenset[str] | None = None
    ) -> Retrieved:
        return super().retrieve(question, everything(self.engine), k, sources=sources)


class _KeylessCache(AnswerCache):
    """The fault: what was kept is given again to whoever asks anything."""

    def find(self, asked: Asked) -> Answer | None:
        answer = tables.answer
        kept = sa.select(answer.c.text).join(tables.cached_answer, tables.cached_answer.c.answer_id == answer.c.id)
        with reading(self.engine) as connection:
            text = connection.scalar(kept.order_by(answer.c.id.desc()).limit(1))
        return None if text is None else plain_answer(str(text))


class _Careless(Composing):
    """The fault: the answer is shown as it was made."""

    def _may_be_shown(self, grounds: Grounds, incoming: Incoming) -> bool:
        return True


class _Remembering(Composing):
    """The fault: everything that was said in a conversation is history."""

    def _events(
        self,
        run: Run,
        question: Question,
        briefed: Briefed,
        status: Callable[[str], None],
        show: Callable[[str], None],
    ) -> Given:
        said = load_history(self.engine, briefed.brief.conversation, 12)
        return super()._events(run, replace(question, history=said), briefed, status, show)


class _OpenRecall(EarlierRecall):
    """The fault: memory is searched as if everything might be read."""

    def __call__(self, incoming: Incoming, audience: Audience, sources: frozenset[str] | None) -> tuple[Passage, ...]:
        found = super().__call__(incoming, everything(self.parts.engine), sources)
        return tuple(one for one in found if audience.may_read(one.audience))


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What became of one question."""

    composed: Composed
    answer_id: int | None
    statuses: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Desk:
    """A database that follows a world, and the product on it. Used by one thread."""

    world: World
    folder: Path
    fault: str = ""
    echo_all: bool = True
    clock: float = 0.0
    during: Callable[[], None] = lambda: None
    """What happens while an answer is generated."""
    numbers: Any = field(default_factory=lambda: count(1))
    resources: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        path = self.folder / "lorekeeper.db"
        path.write_bytes(_empty_database())
        self.engine = open_engine(f"sqlite:///{path}")
        self.resources.callback(self.engine.dispose)
        self.embedder = QuickEmbedder()
        self.shelf = Shelf(self.engine, self.embedder)
        for source in self.world.source_hours:
            self.shelf.add_source(source, source.title())
            self.tell_age(source)
        for document in self.world.documents.values():
            self.put(document)
        kind = _OpenLibrary if self.fault == "the index ignores who may read" else Library
        self.library = self.resources.enter_context(kind.open(self.engine, self.embedder, None))
        self.library.wait_for_words(30.0)
        holds = (
            timedelta(days=36_500) if self.fault == "permissions never get too old" else timedelta(hours=HOLDS_HOURS)
        )
        kept = 3_600.0 if self.fault == "membership is remembered for an hour" else 60.0
        self.memberships = Memberships(
            WorldSlack(self.world, self.fault),
            groups=partial(groups_of, self.engine, holds=holds),
            usergroups=partial(usergroups_named, self.engine),
            kept_seconds=kept,
            monotonic=lambda: self.clock,
        )
        self.earlier = Earlier(self.engine, self.embedder, EarlierOptions(most=4, least_cosine=0.01))
        self.cache = (_KeylessCache if self.fault == "the cache knows no audience" else AnswerCache)(
            engine=self.engine, limits=CacheLimits()
        )
        self.generator = ScriptedGenerator(self._says, context_size=200_000, tuned=True)
        self.composing = self._composing()

    def close(self) -> None:
        """End it."""
        self.resources.close()

    # What happens in the world

    def put(self, document: Document) -> None:
        """Index a document."""
        audience = audience_string(document.right, document.source)
        if document.right.kind == "people":
            with writing(self.engine) as connection:
                save_readers(connection, document.source, [Readers(audience=audience, members=document.right.people)])
        document.row = self.shelf.put(
            document.uri,
            *text_of(document, self.world),
            header=f"Note {document.key} {document.canaries[-1]}",
            audience=audience,
            source_id=document.source,
        )

    def tell_age(self, source: str) -> None:
        """Write down when a source told its permissions."""
        hours = self.world.source_hours[source]
        at = None if hours is None else datetime.now(UTC) - timedelta(hours=hours)
        with writing(self.engine) as connection:
            connection.execute(sa.update(source_table).where(source_table.c.id == source).values(permissions_at=at))

    def happen(self, *, silently: bool = False) -> None:
        """Let something change. `silently`: no event tells of it, and no time goes by."""
        world, chance = self.world, self.world.chance
        documents = list(world.documents.values())
        choice = chance.choice(("place", "place", "group", "person", "right", "right", "gone", "new", "edit", "age"))
        if choice in ("gone", "edit", "right") and not documents:
            choice = "new"
        match choice:
            case "place":
                self._move_person(silently)
            case "group":
                chance.choice(sorted(world.usergroups.values(), key=sorted)).symmetric_difference_update(
                    chance.sample(sorted(world.people), 2)
                )
                self._pass_minute(silently, "user groups are remembered for ever")
            case "person":
                person = world.people[chance.choice(sorted(world.people))]
                if chance.random() < 0.5:
                    person.confirmed = not person.confirmed
                else:
                    person.guest = not person.guest
                self._tell({"type": "user_change", "user": {"id": person.id}}, silently)
            case "right":
                self._change_right(chance.choice(documents))
            case "gone":
                self._remove(chance.choice(documents))
            case "new":
                document = world.new_document()
                world.documents[document.number] = document
                self.put(document)
            case "edit":
                self._edit(chance.choice(documents))
            case _:
                source = chance.choice(sorted(world.source_hours))
                world.source_hours[source] = chance.choice((0.5, 12.0, 23.5, 24.5, 100.0))
                self.tell_age(source)

    def _move_person(self, silently: bool) -> None:
        chance = self.world.chance
        place, user = chance.choice(list(self.world.places.values())), chance.choice(sorted(self.world.people))
        joins = user not in place.members
        place.members.symmetric_difference_update({user})
        name = "member_joined_channel" if joins else "member_left_channel"
        self._tell({"type": name, "user": user, "channel": place.id}, silently)

    def _tell(self, event: Mapping[str, Any], silently: bool) -> None:
        """Slack's event arrives, or it is lost and a minute goes by."""
        if silently:
            return
        if self.world.chance.random() < 0.5:
            if self.fault != "events of Slack are not heeded":
                self.memberships.heed(event)
            return
        self.clock += _MINUTE

    def _pass_minute(self, silently: bool, fault: str) -> None:
        if not silently and self.fault != fault:
            self.clock += _MINUTE

    def _change_right(self, document: Document) -> None:
        document.right = self.world.any_right(document.source)
        if self.fault == "permissions changed at a source are not taken over":
            return
        audience = audience_string(document.right, document.source)
        if document.right.kind == "people":
            with writing(self.engine) as connection:
                save_readers(connection, document.source, [Readers(audience=audience, members=document.right.people)])
        self.shelf.hand_over(document.row, audience)

    def _remove(self, document: Document) -> None:
        del self.world.documents[document.number]
        if self.fault != "deleted documents stay":
            self.shelf.remove(document.row)

    def _edit(self, document: Document) -> None:
        """Other words, or another name."""
        if self.world.chance.random() < 0.4:
            document.uri = moved(document, next(self.numbers)).uri
            change = sa.update(document_table).where(document_table.c.id == document.row).values(uri=document.uri)
            with writing(self.engine) as connection:
                connection.execute(change)
            return
        self.world.new_canary(document)
        self.shelf.remove(document.row)
        self.put(document)

    # What people ask

    def question(self) -> str:
        """A question about a few documents, whoever may read them."""
        chance = self.world.chance
        documents = list(self.world.documents.values())
        named = chance.sample(documents, min(len(documents), chance.randint(1, 3)))
        topic = chance.choice(_WORDS)
        return f"what does note {' '.join(one.key for one in named)} say about the {topic}?"

    def message(self, user: str, place: Place, text: str, thread_ts: str | None = None) -> Incoming:
        """A person's message; its answer is shown in one piece."""
        kind: Any = place.kind
        return Incoming(
            team=TEAM,
            channel=place.id,
            channel_kind=kind,
            user=user,
            ts=f"{next(self.numbers):06d}.0",
            thread_ts=thread_ts,
            text=text,
            mentioned=True,
            visibility="ephemeral",
        )

    def audience_of(self, incoming: Incoming) -> Audience:
        """As the product works it out."""
        if self.fault == "in a channel what its asker may read is used":
            return self.memberships.audience_of_person(incoming.user)
        return self.memberships.audience_of(incoming)

    def ask(self, incoming: Incoming) -> Reply:
        """The whole way of a question, to the answer that is shown and kept."""
        save_user_turn(self.engine, incoming)
        lease = Lease(
            id=next(self.numbers),
            token="t",
            kind="question",
            payload={},
            attempt=1,
            withdrawn=False,
            received_at=datetime.now(UTC),
        )
        row = cast(Any, _NoRow())
        composed = self.composing.compose(lease, row, incoming)
        answer_id = None
        if composed.answer is not None:
            # Shown where everybody sees it: what only its asker saw is not remembered in a channel.
            answer_id = save_answer(self.engine, replace(incoming, visibility="thread"), composed.answer)
        return Reply(composed=composed, answer_id=answer_id)

    def remembered(self, incoming: Incoming, audience: Audience) -> str:
        """All that memory and the conversation hold for this reader."""
        question = Question(text=incoming.text)
        found = self.earlier.find(question, reader_of(incoming, audience))
        said = load_history(self.engine, incoming.conversation, 12, audience=audience, before=incoming.ts)
        return "\n".join([*(f"{one.question} {one.answer}" for one in found), *(turn.text for turn in said)])

    def reach(self, user: str) -> Audience:
        """What one person is told of beside an answer."""
        if self.fault == "why is explained to everybody":
            return everything(self.engine)
        return self.memberships.audience_of_person(user)

    def _composing(self) -> Composing:
        parts = cast(TeamParts, _Parts(engine=self.engine, delivery=WorldSlack(self.world, self.fault)))
        recall = (_OpenRecall if self.fault == "memory is searched for everybody" else EarlierRecall)(
            parts=parts, earlier=self.earlier
        )
        gate = SlackGate(team=TEAM, engine=self.engine, profiles=self.memberships.profiles, rules=GateRules())
        briefing = Briefing(
            engine=self.engine,
            memberships=cast(Memberships, _ByPlace(self)),
            gate=(lambda _incoming, _channel: None) if self.fault == "guests are answered" else gate,
            recall=recall,
        )
        kinds: dict[str, type[Composing]] = {
            "nobody looks again before an answer is shown": _Careless,
            "the conversation so far is not checked": _Remembering,
        }
        options = AnswerOptions(
            passages=12,
            evidence_sentences=24,
            minimum_support=0.0,
            unsupported="keep" if self.echo_all else "drop",
            generation=GenerationOptions(max_tokens=8_000, timeout_seconds=60.0),
        )
        return kinds.get(self.fault, Composing)(
            engine=self.engine,
            answering=Answering(library=self.library, generator=self.generator, options=options, earlier=self.cache),
            sending=cast(Any, None),
            briefing=briefing,
            pace=Pace(1.0),
            runs=Runs(),
        )

    def _says(self, messages: Sequence[ChatMessage]) -> str:
        """Everything that the model is given, or its text alone."""
        self.during()
        asked = messages[-1].content
        if self.echo_all:
            return "\n".join(message.content.replace("?", ".") for message in messages)
        return asked.partition("Text: ")[2].partition("\n\nEarlier:")[0].partition("\n\nQuestion:")[0]


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """What memory needs of a team's bot."""

    engine: sa.Engine
    delivery: Delivery


class _ByPlace:
    """The memberships, with the fault of the desk where there is one."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.look_again = desk.memberships.look_again

    def audience_of(self, incoming: Incoming) -> Audience:
        return self._desk.audience_of(incoming)


class _NoRow:
    """An answer of which no message stands."""

    id = 0
    message_ts = None


@cache
def _empty_database() -> bytes:
    """Made once: the migrations take longer than a world's first hundred questions."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        engine = open_database(f"sqlite:///{path}")
        with engine.connect() as plain:
            plain.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        engine.dispose()
        return path.read_bytes()


def audience_string(right: Right, source: str) -> str:
    """A right, as a source would name it."""
    match right.kind:
        case "everyone":
            return EVERYONE
        case "channel":
            return channel_audience(right.who)
        case "person":
            return person_audience(right.who)
        case "usergroup":
            return usergroup_audience(right.who)
        case "people":
            return group_audience(source, right.people)
        case _:
            return nobody_audience(source)


def text_of(document: Document, world: World) -> list[str]:
    """Two pieces of text that no other document holds."""
    chance, canary = world.chance, document.canaries[-1]

    def piece(name: str) -> str:
        words = " ".join(chance.choices(_WORDS, k=9))
        return f"Note {document.key} {name} says {canary} about the {words} of number{document.number}."

    return [piece("first"), f"{piece('second')} {piece('third')}"]


def everything(engine: sa.Engine) -> Audience:
    """Somebody who may read all there is (faults)."""
    with reading(engine) as connection:
        named = frozenset(connection.scalars(sa.select(document_table.c.audience).distinct()))
        of_answers = connection.scalars(sa.select(tables.answer.c.audience).distinct())
        return Audience(readable=named.union(*(text.split(",") for text in of_answers)))


def plain_answer(text: str) -> Answer:
    """An answer of which no more is known than its text."""
    return Answer(
        text=text,
        citations=(),
        abstained=False,
        version="scripted-1",
        seconds=AnswerSeconds(retrieve=0.0, first_token=0.0, total=0.0),
        tokens=AnswerTokens(prompt=0, completion=0),
        given_before=datetime.now(UTC),
    )
