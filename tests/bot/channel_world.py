"""A channel of the playground as a source: people talk in it, and INGEST reads it with an embedder without a model."""

from __future__ import annotations

import base64
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from bot.channel_ledger import KIND, SCHEME, ChannelLedger
from bot.learn.tombstones import person_origin
from bot.playground.process import PlaygroundProcess
from bot.playground.workspace import BOT_USER_ID
from bot.slack.channel_reader import ChannelReader, SlackLine
from bot.slack.channel_source import ChannelOptions, ChannelSource
from bot.slack.deliver import Delivery
from bot.slack.gateway import connect_client
from bot.slack.pace import Pace
from knowledge.audience import Audience, channel_audience
from knowledge.database import reading
from knowledge.document import Question
from knowledge.ingest import IngestParts, SyncReport, ingest
from knowledge.library import Library
from knowledge.parse import Parser
from knowledge.retrieve import RetrievalOptions
from knowledge.secret import Secret
from knowledge.store import StoredSource, add_source
from knowledge.tables import chunk, document
from tests.bot.dialogue import ADA, BEN, Workspace
from tests.knowledge.fake_embedder import FakeEmbedder

NO_TIME = timedelta(0)
_NUMBERS = itertools.count(1)


class Clock(threading.Event):
    """A clock that goes on only while somebody waits for it: no minute of a test is real."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass at once."""
        self.seconds += timeout or 0.0
        return self.is_set()


class RealClock(Clock):
    """The clock on the wall."""

    def __call__(self) -> float:
        return time.monotonic()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait."""
        return threading.Event.wait(self, timeout)


@dataclass(kw_only=True)
class ChannelWorld:
    """One channel that is a source."""

    workspace: Workspace
    engine: sa.Engine
    parts: IngestParts
    channel: str
    name: str
    stored: StoredSource
    clock: Clock = field(default_factory=Clock)
    calls_a_minute: int = 100
    options: Mapping[str, Any] = field(default_factory=dict)

    def source(self) -> ChannelSource:
        """The source, as each run opens it anew; it looks back each time."""
        playground = self.workspace.playground
        line = SlackLine(
            delivery=Delivery(
                connect_client(Secret(playground.bot_token), playground.api_url),
                stopping=self.clock,
                monotonic=self.clock,
            ),
            pace=Pace(self.calls_a_minute, stopping=self.clock, monotonic=self.clock),
            token=Secret(playground.bot_token),
            api_url=playground.api_url,
        )
        values = {"look_again": NO_TIME, "monotonic": self.clock, **self.options}
        return ChannelSource(
            self.stored.id,
            ChannelReader(line, self.channel, person_origin),
            ChannelLedger(self.engine, self.stored.id),
            ChannelOptions(**values),
        )

    def sync(self, *, rebuild: bool = False) -> SyncReport:
        """One run."""
        return ingest(self.source(), self.parts, rebuild=rebuild)

    def say(self, user: str, text: str, thread_ts: str | None = None, **files: bytes) -> str:
        """Say something, perhaps with files (`plan_md=...` is plan.md)."""
        shared = [
            {"name": name.replace("_", "."), "content": base64.b64encode(content).decode()}
            for name, content in files.items()
        ]
        more: dict[str, Any] = {"thread_ts": thread_ts} if thread_ts else {}
        more |= {"files": shared} if shared else {}
        return str(self.workspace.act("say", user=user, channel=self.channel, text=text, **more)["ts"])

    def delete(self, user: str, ts: str) -> None:
        """Delete one's own message."""
        self.workspace.act("delete", user=user, channel=self.channel, ts=ts)

    def texts(self) -> dict[str, str]:
        """What is known, by title."""
        query = (
            sa.select(document.c.title, chunk.c.text)
            .join(chunk, chunk.c.document_id == document.c.id)
            .where(document.c.source_id == self.stored.id)
            .order_by(chunk.c.id)
        )
        found: dict[str, str] = {}
        with reading(self.engine) as connection:
            for title, text in connection.execute(query):
                found[title] = f"{found[title]}\n{text}" if title in found else text
        return found

    @property
    def everything(self) -> str:
        """All words that are known."""
        return "\n".join(self.texts().values())

    def documents(self) -> list[Any]:
        """The rows of the documents, in the order of their addresses."""
        query = sa.select(document).where(document.c.source_id == self.stored.id).order_by(document.c.uri)
        with reading(self.engine) as connection:
            return list(connection.execute(query))

    def found(self, question: str, audience: Audience) -> str:
        """What a question finds for these readers."""
        with Library.open(self.engine, FakeEmbedder(), None, RetrievalOptions()) as library:
            passages = library.retrieve(Question(text=question), audience, 5).passages
        return "\n".join(passage.text for passage in passages)


@contextmanager
def channel_world(
    playground: PlaygroundProcess, engine: sa.Engine, parser: Parser, *, private: bool = False
) -> Iterator[ChannelWorld]:
    """A new channel with Ada, Ben and the bot in it, and a row for it as a source."""
    workspace = Workspace(playground)
    workspace.begin()
    name = f"talk-{next(_NUMBERS)}"
    channel = str(workspace.act("create_channel", user=ADA, name=name, private=private)["channel"]["id"])
    for invitee in (BEN, BOT_USER_ID):
        workspace.act("invite", user=ADA, channel=channel, invitee=invitee)
    stored = add_source(
        engine, kind=KIND, location=f"{SCHEME}{channel}", audience=channel_audience(channel), name=f"#{name}"
    )
    parts = IngestParts(engine=engine, parser=parser, embedder=FakeEmbedder())
    yield ChannelWorld(workspace=workspace, engine=engine, parts=parts, channel=channel, name=name, stored=stored)
