"""A small team with documents, answers and votes in one database: what tests of the learning loop read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.answer import Answering
from bot.app import answer_options, query_side, retrieval_options
from bot.conversation import load_history, save_answer, save_user_turn
from bot.database import open_database
from bot.learn.dataset import DatasetOptions, build_dataset
from bot.learn.export import DatasetReport
from bot.learn.targets import UNKNOWN
from bot.people import Preferences, save_preferences
from bot.settings import FileSettings, Settings, SlackSettings, TuningSettings, load_settings
from bot.turn import Done, Incoming
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.document import Question
from knowledge.ingest import IngestParts, ingest
from knowledge.library import Library
from knowledge.parse import Parser
from knowledge.sources import SourcePlace, open_source
from knowledge.store import add_source, find_source, remove_source
from knowledge.tables import source
from models.example import Example, read_examples
from models.generator import ChatMessage
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

TEAM, PLACE = "T1", "C0HELP"
ADA, BEN, CHLOE = "U0ADA", "U0BEN", "U0CHLOE"
MESSAGES = TuningSettings(
    message_text=True, message_text_acknowledged="2024-12-10", public_channels=[PLACE], person_share=1.0
)
BADGES = "Badges are issued by Maria Lopez at the front desk. Lost badges cost 15 euros."
LEAVE = "Parental leave is 16 weeks at full pay. Ask People Ops two months ahead."


@dataclass(kw_only=True)
class World:
    """The database, and who lives in it."""

    engine: sa.Engine
    embedder: FakeEmbedder
    settings: Settings
    asked: int = 0
    prompts: list[tuple[ChatMessage, ...]] = field(default_factory=list)
    """What the model got for each question."""

    def learn_documents(self, *texts: str, audience: str = "everyone", kind: str = "files", name: str = "docs") -> None:
        """Index one document for each text."""
        folder = self.settings.home / "pages" / name
        folder.mkdir(parents=True)
        for number, text in enumerate(texts):
            (folder / f"{number}.md").write_text(text)
        stored = add_source(self.engine, kind="files", location=str(folder), audience=audience, name=name)
        with Parser() as parser:
            parts = IngestParts(engine=self.engine, parser=parser, embedder=self.embedder)
            ingest(
                open_source(stored.kind, SourcePlace(id=stored.id, location=stored.location, audience=audience)), parts
            )
        with writing(self.engine) as connection:
            connection.execute(sa.update(source).where(source.c.id == stored.id).values(kind=kind))

    def forget_documents(self, name: str) -> None:
        """Take a source away."""
        found = find_source(self.engine, name)
        assert found is not None
        remove_source(self.engine, found.id)

    def ask(
        self,
        text: str,
        *,
        says: str = "Badges are issued by Maria Lopez at the front desk.",
        user: str = BEN,
        channel: str = PLACE,
        thread: str = "",
        audience: Audience | None = None,
    ) -> int:
        """Ask a question as ANSWER answers it, and keep both; returns the answer's id."""
        self.asked += 1
        ts = f"{self.asked:06d}.1"
        incoming = Incoming(
            team=TEAM,
            channel=channel,
            channel_kind="public",
            user=user,
            ts=ts,
            thread_ts=thread or ts,
            text=text,
            mentioned=True,
        )
        with self._library() as library:
            # A tuned model's own doubt is not believed: who does not know has too little support to be asked.
            options = replace(answer_options(self.settings.file), minimum_support=1.0 if says == UNKNOWN else 0.0)
            generator = ScriptedGenerator(says, tuned=True)
            answering = Answering(library=library, generator=generator, options=options)
            before = load_history(self.engine, incoming.conversation, 12, before=ts)
            events = answering.answer(Question(text=text, history=before), audience or Audience.everyone())
            answer = next(event.answer for event in events if isinstance(event, Done))
        self.prompts.append(generator.calls[-1] if generator.calls else ())
        save_user_turn(self.engine, incoming)
        return save_answer(self.engine, incoming, answer)

    def also_saw(self, answer_id: int, said: str, channel: str = PLACE) -> None:
        """Let an answer have been chosen from what an earlier conversation of a channel said, too."""
        answer = tables.answer
        seen = {"chunk_id": -7, "text_hash": said, "uri": "https://x.example/p7", "score": 0.3, "cosine": 0.3}
        with writing(self.engine) as connection:
            row = connection.execute(sa.select(answer).where(answer.c.id == answer_id)).one()
            values = {"passages": [*row.passages, seen], "audience": f"{row.audience},channel:{channel}"}
            connection.execute(sa.update(answer).where(answer.c.id == answer_id).values(values))

    def consent(self, *users: str) -> None:
        """Let the words of these people be used."""
        for user in users:
            save_preferences(self.engine, TEAM, user, Preferences(tuning=True))

    def build(self, folder: Path, **changes: Any) -> DatasetReport:
        """Make a dataset."""
        options = DatasetOptions(seed=changes.pop("seed", 0), texts=changes.pop("texts", False))
        return build_dataset(self.engine, self.embedder, self.settings, folder, options=options, **changes)

    def with_tuning(self, tuning: TuningSettings, admins: Sequence[str] = ()) -> World:
        """The same with other settings."""
        file = replace(self.settings.file, tuning=tuning, slack=replace(SlackSettings(), admins=list(admins)))
        return replace(self, settings=replace(self.settings, file=file))

    def subjects(self) -> dict[str, str]:
        """Every tombstone with its reason."""
        with reading(self.engine) as connection:
            rows = connection.execute(sa.select(tables.tombstone.c.subject, tables.tombstone.c.reason)).all()
        return {row.subject: row.reason for row in rows}

    def version(self, name: str, *origins: str) -> None:
        """A version that learned from these."""
        now = datetime.now(UTC)
        row = {"name": name, "team": TEAM, "base": "b", "adapter": "a", "state": "candidate"}
        with writing(self.engine) as connection:
            values = row | {"examples": list(origins), "created_at": now, "state_at": now}
            connection.execute(sa.insert(tables.model_version).values(values))

    def _library(self) -> Library:
        side = query_side(self.settings, self.embedder)
        return Library.open(self.engine, self.embedder, None, retrieval_options(self.settings.file), query_side=side)


def open_world(folder: Path) -> World:
    """An empty database beside its settings."""
    settings = load_settings({}, folder)
    engine = open_database(settings.database_url)
    return World(engine=engine, embedder=FakeEmbedder(dim=256), settings=replace(settings, file=FileSettings()))


def examples(folder: Path) -> dict[str, list[Example]]:
    """What a dataset holds, by part."""
    return {part: list(read_examples(folder / f"{part}.jsonl")) for part in ("train", "validation", "test", "general")}


def everything(folder: Path) -> list[Example]:
    """All rows but the general ones."""
    found = examples(folder)
    return [*found["train"], *found["validation"], *found["test"]]
