"""A running bot follows the rows: it swaps, tries a canary, and takes out what cannot be loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.answer import Answering, AnswerOptions
from bot.answer_cache import AnswerCache
from bot.app import build
from bot.doctor import Check, examine
from bot.learn.canary import answers_with_canary
from bot.learn.follow import VersionFollower
from bot.learn.versions import (
    Candidate,
    find_version,
    history,
    promote,
    record_candidate,
    roll_back,
    standing,
    start_canary,
)
from bot.settings import load_settings
from bot.turn import Answer, Brief, Done
from knowledge.audience import Audience
from knowledge.document import Question
from models.errors import ModelFileError, ModelMemoryError
from models.generator import Generator
from models.hardware import processor_name
from models.registry import EMBEDDED, FastestChoice, ModelRegistry, embedded_model
from models.starter import starter
from models.switching import SwitchingGenerator
from models.tuned import open_tuned
from tests.bot.answer_parts import BADGES, FixedLibrary, passage
from tests.bot.dialogue import wait_until
from tests.bot.versions_shelf import make_version
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

QUESTION = Question(text="Who issues badges?")
REPLY = "Badges are issued by Maria Lopez at the front desk."


class Loader:
    """Loads scripted models by name, as many at a time as fit; some cannot be loaded."""

    def __init__(self, most: int = 9) -> None:
        self.most = most
        self.broken: set[str] = set()
        self.loaded: list[ScriptedGenerator] = []

    def __call__(self, name: str) -> Generator:
        if sum(not one.closed for one in self.loaded) >= self.most:
            raise ModelMemoryError(f"{name} does not fit")
        if name in self.broken:
            raise ModelFileError(f"{name} was changed")
        self.loaded.append(ScriptedGenerator(REPLY, version=f"{name or 'base'}@abc"))
        return self.loaded[-1]


class Bot:
    """A follower with what it stands on."""

    def __init__(self, engine: sa.Engine, most: int = 9) -> None:
        self.load = Loader(most)
        self.switching = SwitchingGenerator(self.load(""), lambda: self.load(""))
        self.follower = VersionFollower(engine, self.switching, self.load, base="embedded", look_seconds=0.02)
        self.answering = Answering(
            library=FixedLibrary([passage(BADGES)], FakeEmbedder(dim=256)),
            generator=self.switching,
            versions=self.follower,
            options=AnswerOptions(minimum_support=0.0),
            earlier=AnswerCache(engine=engine),
        )

    def answer(self, conversation: str = "", channel: str = "C1") -> Answer:
        """One answer in a conversation."""
        brief = Brief(conversation=conversation, channel=channel)
        *_, last = self.answering.answer(QUESTION, Audience.everyone(), brief=brief)
        assert isinstance(last, Done)
        return last.answer


@pytest.fixture
def make(engine: sa.Engine, tmp_path: Path) -> Callable[..., None]:
    """Makes candidates."""

    def make(*names: str, base: str = "embedded") -> None:
        for name in names:
            make_version(engine, tmp_path, name, base=base)

    return make


def test_what_another_process_put_in_service_answers_within_moments(
    engine: sa.Engine, make: Callable[..., None]
) -> None:
    make("v1", "v2")
    bot = Bot(engine)
    assert bot.answer().version == "base@abc"
    with bot.follower:
        promote(engine, "v1", by="U1")
        wait_until(lambda: bot.answer().version == "v1@abc")
        promote(engine, "v2", by="U1")
        wait_until(lambda: bot.answer().version == "v2@abc")
        roll_back(engine, by="U1")
        wait_until(lambda: bot.answer().version == "v1@abc")
        roll_back(engine, by="U1")
        wait_until(lambda: bot.answer().version == "base@abc")
    assert [one.closed for one in bot.load.loaded] == [True, True, True, True, False]


def test_no_answer_is_lost_and_each_names_who_wrote_it_while_versions_change(
    engine: sa.Engine, make: Callable[..., None]
) -> None:
    make("v1", "v2")
    bot = Bot(engine)
    stop = threading.Event()

    def ask() -> list[str]:
        versions = []
        while not stop.is_set():
            answer = bot.answer()
            assert REPLY[:-1] in answer.text
            versions.append(answer.version)
        return versions

    with ThreadPoolExecutor(4) as pool:
        asking = [pool.submit(ask) for _ in range(4)]
        for name in ("v1", "v2") * 3:
            promote(engine, name, by="U1")
            report = bot.follower.look()
            assert report is not None
            assert report.after == f"{name}@abc"
        stop.set()
        versions = [version for one in asking for version in one.result()]
    written = {one.version: 0 for one in bot.load.loaded}
    for one in bot.load.loaded:
        written[one.version] += len(one.calls)
    assert {version: versions.count(version) for version in written} == written


def test_a_canary_answers_its_conversations_and_is_put_in_service_as_it_is(
    engine: sa.Engine, make: Callable[..., None]
) -> None:
    make("v1", "v2")
    promote(engine, "v1", by="U1")
    start_canary(engine, "v2", share=0.5, by="U1")
    canary = find_version(engine, "v2")
    bot = Bot(engine)
    bot.follower.look()
    begun = canary.state_at + timedelta(seconds=1)
    conversations = [f"T1:C1:{begun.timestamp() + number:.6f}" for number in range(40)]
    expected = [
        "v2@abc" if answers_with_canary(canary, "C1", conversation) else "v1@abc" for conversation in conversations
    ]
    assert set(expected) == {"v1@abc", "v2@abc"}
    for _ in range(2):
        assert [bot.answer(conversation).version for conversation in conversations] == expected
    assert bot.answer().version == "v1@abc"
    promote(engine, "v2", by="U1")
    report = bot.follower.look()
    assert report is not None
    assert report.way == "canary"
    assert {bot.answer(conversation).version for conversation in conversations} == {"v2@abc"}
    assert [one.version for one in bot.load.loaded] == ["base@abc", "v1@abc", "v2@abc"]


def test_a_canary_that_is_taken_back_answers_nothing_more(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1")
    start_canary(engine, "v1", share=1.0, by="U1")
    bot = Bot(engine)
    bot.follower.look()
    conversation = f"T1:C1:{find_version(engine, 'v1').state_at.timestamp() + 1:.6f}"
    assert bot.answer(conversation).version == "v1@abc"
    roll_back(engine, by="U1")
    bot.follower.look()
    assert bot.answer(conversation).version == "base@abc"
    assert [one.closed for one in bot.load.loaded] == [False, True]


def test_a_version_whose_file_is_not_the_one_that_was_made_is_refused_and_the_one_before_stays(
    engine: sa.Engine, make: Callable[..., None]
) -> None:
    make("v1", "v2")
    bot = Bot(engine)
    promote(engine, "v1", by="U1")
    bot.follower.look()
    bot.load.broken.add("v2")
    promote(engine, "v2", by="U1")
    bot.follower.look()
    assert bot.answer().version == "v1@abc"
    assert find_version(engine, "v2").state == "refused"
    service = standing(engine).service
    assert service is not None
    assert service.name == "v1"
    refused = history(engine, "v2")[-1]
    assert (refused.user, refused.why) == ("lorekeeper", "v2 was changed")


def test_a_canary_needs_memory_for_two_and_says_so(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1")
    start_canary(engine, "v1", share=0.5, by="U1")
    bot = Bot(engine, most=1)
    bot.follower.look()
    assert find_version(engine, "v1").state == "retired"
    assert "memory for two models" in history(engine, "v1")[-1].why
    assert bot.answer().version == "base@abc"


def test_where_one_model_fits_the_pause_is_written_down(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1")
    promote(engine, "v1", by="U1")
    bot = Bot(engine, most=1)
    report = bot.follower.look()
    assert report is not None
    assert report.way == "drained"
    assert bot.answer().version == "v1@abc"
    assert "nothing was answered for" in history(engine, "v1")[-1].why


def test_a_version_of_another_model_is_left_alone(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1", base="other")
    promote(engine, "v1", by="U1")
    bot = Bot(engine)
    bot.follower.look()
    assert bot.answer().version == "base@abc"
    service = standing(engine).service
    assert service is not None
    assert service.name == "v1"


def test_a_model_that_all_workspaces_share_is_the_base_model(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1")
    promote(engine, "v1", by="U1")
    bot = Bot(engine)
    bot.follower.look()
    bot.follower.put_base_in_service()
    assert bot.answer().version == "base@abc"


def test_an_answer_is_given_again_only_while_the_same_version_answers(
    engine: sa.Engine, make: Callable[..., None]
) -> None:
    make("v1")
    bot = Bot(engine)
    scopes = set()
    for _ in range(2):
        reusable = bot.answer().reusable
        assert reusable is not None
        scopes.add(reusable.scope)
    promote(engine, "v1", by="U1")
    bot.follower.look()
    reusable = bot.answer().reusable
    assert reusable is not None
    assert len(scopes) == 1
    assert reusable.scope not in scopes


# With the embedded model


def doctor_says(home: Path) -> Check:
    report = examine({"SLACK_API_URL": "http://127.0.0.1:1/"}, home, lambda _settings, _engine: FakeEmbedder())
    return next(one for one in report.checks if one.name == "version")


def as_it_comes(home: Path) -> None:
    """Have the embedded model used as it comes: making its quickest form takes long."""
    choice = FastestChoice(name=EMBEDDED, processor=processor_name(), seconds={})
    ModelRegistry(home / "models").record_fastest(choice)


@pytest.mark.slow
def test_the_version_in_service_is_loaded_at_start_and_swapped_while_the_application_runs(
    engine: sa.Engine, tmp_path: Path
) -> None:
    as_it_comes(tmp_path)
    candidate = Candidate(name="v1", team="T1", base="embedded")
    record_candidate(engine, tmp_path / "models", embedded_model().path, candidate, by="tune")
    settings = load_settings({}, tmp_path)
    promote(engine, "v1", by="U1")
    version = open_tuned(tmp_path / "models", "v1").version
    assert doctor_says(tmp_path).detail == f"{version} (in service)"
    with build(settings, embedder=FakeEmbedder()) as application:
        assert application.versions is not None
        assert application.answering.generator.version == version
        assert application.answering.generator.count_tokens("one two three") > 0
        roll_back(engine, by="U1")
        report = application.versions.look()
        assert report is not None
        assert (report.before, report.way) == (version, "beside")
        assert application.answering.generator.version == starter().version
        assert application.answering.generator.count_tokens("one two three") > 0
    assert doctor_says(tmp_path).detail == "the model 'embedded' itself is in service"


@pytest.mark.slow
def test_a_changed_file_is_never_loaded_and_the_bot_starts_with_the_base_model(
    engine: sa.Engine, tmp_path: Path
) -> None:
    as_it_comes(tmp_path)
    make_version(engine, tmp_path, "v1")
    promote(engine, "v1", by="U1")
    file = open_tuned(tmp_path / "models", "v1").path
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert not doctor_says(tmp_path).ok
    with build(load_settings({}, tmp_path), embedder=FakeEmbedder()) as application:
        assert application.versions is not None
        assert application.answering.generator.version == starter().version
        application.versions.look()
    assert find_version(engine, "v1").state == "refused"
    assert standing(engine).service is None
