"""The stages of the learning loop as the simulated people live it; the one place where its parts are put together.

What the product can do by itself is done by its own commands, in processes of their own, as an operator would type
them: `lorekeeper dataset build`, `tune`, `gate`, `versions`, `eval`. Each stage takes the run and returns what came of
it; a result with `refused` ends the run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app import Application, build, models_folder
from bot.cli.playground import document_links
from bot.cli.serving import connected, scheduling, slack_options
from bot.learn.versions import Candidate, record_candidate, refuse
from bot.playground.process import PlaygroundProcess, start_playground
from bot.playground.workspace import TEAM_ID
from bot.settings import CLAUSE_DATE, SETTINGS_FILE, Settings, load_settings, prepare_home
from bot.slack.manifest import build_manifest
from bot.sync import sync_now
from knowledge.secret import Secret
from knowledge.store import add_source, list_sources
from tests.benchmarks.crowd import Play, move_in, play
from tests.benchmarks.deeds import summarize
from tests.benchmarks.people import HOSTILE_SHARE, Campaign, Person, make_people
from tests.benchmarks.planting import count_planted, plant
from tests.benchmarks.staged import Result
from tests.benchmarks.topics import About, Collection, load_collection, write_documents, write_held_rows

POISON_SHARE = 0.4
"""So large is the hostile group of the poisoned run: as large as the honest one and what careless people undo of it."""
CANARY_SHARE = 0.5
VERSION = "from-people"
_REFUSED = 1
"""The exit code of a gate that refuses."""
Work = Callable[["Loop"], Result]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One run of the loop: what it is made with, and where everything lies."""

    folder: Path
    people: int
    questions_each: int
    seed: int
    poison: bool
    online: int
    data: Path
    limit: int | None = None
    """Rows of each set in gate and measurement; None for all."""
    model: str = "embedded"
    """What answers in the beginning, as `model.name` calls it."""
    about: About = "unseen"
    """What people ask about, and what is held back."""
    epochs: float = 1.0
    """How often a version learns from each row."""

    @property
    def home(self) -> Path:
        """Lorekeeper's data folder."""
        return self.folder / "home"

    @property
    def documents(self) -> Path:
        """What the bot reads."""
        return self.folder / "documents"

    @property
    def dataset(self) -> Path:
        """What is learned from."""
        return self.folder / "dataset"

    @property
    def run(self) -> Path:
        """The tuning run; in the data folder, as a version's run is."""
        return self.home / "runs" / VERSION

    @property
    def held_rows(self) -> Path:
        """Questions about what nobody asked about."""
        return self.folder / "held_rows.jsonl"

    @property
    def settings(self) -> Settings:
        """As the file says now."""
        return load_settings({}, self.home)

    def collection(self) -> Collection:
        """What people ask about, and what is held back."""
        return load_collection(self.data, seed=self.seed, about=self.about)

    def crowd(self, collection: Collection) -> tuple[Person, ...]:
        """Everybody who takes part."""
        topics = [topic.name for topic in collection.asked]
        return make_people(self.people, topics, seed=self.seed, hostile=POISON_SHARE if self.poison else HOSTILE_SHARE)


def prepare(loop: Loop) -> Result:
    """Write the documents and the held-back rows, and let the bot read the documents."""
    collection = loop.collection()
    write_documents(collection.asked, loop.documents)
    held = write_held_rows(collection.held, loop.held_rows, seed=loop.seed)
    prepare_home(loop.home)
    _write_settings(loop, public_channels=())
    with build(loop.settings, with_generator=False) as application:
        if not list_sources(application.engine):
            add_source(application.engine, kind="files", location=str(loop.documents), trust="official")
        read = sync_now(application, None)
    return {"topics": len(collection.asked), "held_topics": len(collection.held), "held_rows": held, "read": read}


def measure_before(loop: Loop) -> Result:
    """Ask the version that is in service what is held back."""
    return lorekeeper(loop, "eval", "answers", loop.held_rows, "--run", loop.folder / "before.jsonl", *_limited(loop))


def ask_and_react(loop: Loop) -> Result:
    """Let everybody ask, judge and react; message text is switched on for the channels where they do."""
    return _let_people(loop, "deeds.jsonl", loop.questions_each)


def build_dataset(loop: Loop) -> Result:
    """Make the dataset; of a poisoned run count what of the planted answers got past everything."""
    made = lorekeeper(loop, "dataset", "build", "-o", loop.dataset, "--seed", loop.seed)
    made.pop("origins", None)
    return {**made, "planted_rows": count_planted(loop.dataset, Campaign())}


def plant_by_hand(loop: Loop) -> Result:
    """Of a poisoned run: put what was left out into the training part, so that the gate stands alone against it."""
    if not loop.poison:
        return {"planted_rows": 0}
    return {"planted_rows": plant(loop.dataset, Campaign(), seed=loop.seed)}


def tune(loop: Loop) -> Result:
    """Make a version from the dataset, on top of what answers now."""
    numbers = ("--seed", loop.seed, "--epochs", loop.epochs)
    return lorekeeper(loop, "tune", "--dataset", loop.dataset, "--run", loop.run, *numbers)


def pass_gate(loop: Loop) -> Result:
    """Record the version as a candidate, and ask the gate whether it may take its place."""
    adapter, picture = loop.run / "adapter.gguf", loop.folder / "gate.png"
    verdict = lorekeeper(
        loop,
        "gate",
        *("--candidate", adapter, "--dataset", loop.dataset, "--plot", picture),
        *_limited(loop),
        may_end_with=_REFUSED,
    )
    reasons = [f"{one['rule']}: {one['text']}" for one in verdict["refusals"]]
    settings = loop.settings
    origins = json.loads((loop.dataset / "manifest.json").read_text(encoding="utf-8")).get("origins", [])
    candidate = Candidate(
        name=VERSION,
        team=TEAM_ID,
        base=settings.file.model.name,
        run=str(loop.run.relative_to(loop.home)),
        examples=tuple(origins),
        gate=verdict,
    )
    with build(settings, with_generator=False) as application:
        record_candidate(application.engine, models_folder(settings), adapter, candidate, by="loop")
        if reasons:
            refuse(application.engine, VERSION, by="gate", why="; ".join(reasons), gate=verdict)
    return {**verdict, **({"refused": reasons} if reasons else {})}


def try_canary(loop: Loop) -> Result:
    """Let it answer a share of the conversations, while people go on asking."""
    lorekeeper(loop, "versions", "canary", VERSION, "--share", CANARY_SHARE)
    lived = _let_people(loop, "canary_deeds.jsonl", max(1, loop.questions_each // 4), part="canary")
    shown = lorekeeper(loop, "versions", "show", VERSION)
    if shown["state"] != "canary":
        return {**lived, "version": shown, "refused": [event["why"] for event in shown["history"][-1:]]}
    return {**lived, "version": shown}


def promote(loop: Loop) -> Result:
    """Put it in service."""
    return lorekeeper(loop, "versions", "promote", VERSION, "--why", "the gate let it pass, and its canary went well")


def measure_after(loop: Loop) -> Result:
    """Ask the promoted version what is held back, and compare it with the version before, question by question."""
    before, after = loop.folder / "before.jsonl", loop.folder / "after.jsonl"
    measured = lorekeeper(loop, "eval", "answers", loop.held_rows, "--run", after, *_limited(loop))
    compared = lorekeeper(loop, "eval", "compare", after, before, "--plot", loop.folder / "held.png")
    return {**measured, "compared": compared}


STAGES: Mapping[str, Work] = {
    "prepare": prepare,
    "measure_before": measure_before,
    "people": ask_and_react,
    "dataset": build_dataset,
    "plant": plant_by_hand,
    "tune": tune,
    "gate": pass_gate,
    "canary": try_canary,
    "promote": promote,
    "measure_after": measure_after,
}


@contextmanager
def serving(loop: Loop) -> Iterator[tuple[PlaygroundProcess, Application]]:
    """The playground with the real bot in it, as `lorekeeper playground` puts them together."""
    settings = loop.settings
    with start_playground(
        port=0,
        state=loop.home / "playground.json",
        documents=[loop.documents],
        manifest=build_manifest(),
        # Two busy cores are slower than Slack allows an app to be.
        ack_seconds=10.0,
    ) as playground:
        options = slack_options(
            settings, Secret(playground.bot_token), Secret(playground.app_token), playground.api_url
        )
        with (
            build(settings) as application,
            connected(application, options, link=document_links(playground.url)) as bot,
            scheduling(application),
        ):
            _wait_until(lambda: bot.ready, 30.0)
            yield playground, application


class CommandFailedError(Exception):
    """A command of the product ended badly."""


def lorekeeper(loop: Loop, *words: object, may_end_with: int = 0) -> dict[str, Any]:
    """Run one of the product's commands, and read what it says as JSON; raises CommandFailedError."""
    command = [*map(str, words), "--json"]
    print(f"  lorekeeper {' '.join(command)}", file=sys.stderr)
    ended = subprocess.run(lorekeeper_command(loop, *command), stdout=subprocess.PIPE, text=True, check=False)
    if ended.returncode not in (0, may_end_with):
        raise CommandFailedError(f"`lorekeeper {' '.join(command)}` ended with {ended.returncode}")
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


def lorekeeper_command(loop: Loop, *words: object) -> list[str]:
    """The words that run one of the product's commands, with the code that is being tried here."""
    return [sys.executable, "-c", "from bot.cli import main; main()", "--home", str(loop.home), *map(str, words)]


def _let_people(loop: Loop, log: str, questions_each: int, *, part: str = "") -> Result:
    collection = loop.collection()
    people = loop.crowd(collection)
    with serving(loop) as (playground, _):
        started = time.monotonic()
        places = move_in(playground.url, people, collection.asked, loop.folder / "places.json")
        moved = time.monotonic() - started
        _write_settings(loop, public_channels=tuple(places.channels.values()))
        what = Play(
            url=playground.url,
            people=people,
            topics=collection.asked,
            questions_each=questions_each,
            seed=loop.seed,
            log=loop.folder / log,
            online=loop.online,
            part=part,
        )
        started = time.monotonic()
        deeds = play(what, places, progress=_tell)
        seconds = time.monotonic() - started
    return {
        "moving_in_seconds": round(moved, 1),
        "asking_seconds": round(seconds, 1),
        **summarize(deeds, people, seconds),
    }


def _write_settings(loop: Loop, *, public_channels: tuple[str, ...]) -> None:
    lines = [
        f"[model]\nname = {json.dumps(loop.model)}",
        "[slack]\nquestions_per_minute = 0\nquestions_per_day = 0",
        # What an operator of a workspace of their own may decide: nothing here has ever been in Slack.
        f"[tuning]\nmessage_text = true\nmessage_text_acknowledged = {json.dumps(CLAUSE_DATE)}",
        f"public_channels = {json.dumps(public_channels)}",
    ]
    (loop.home / SETTINGS_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _limited(loop: Loop) -> tuple[object, ...]:
    return () if loop.limit is None else ("--limit", loop.limit)


def _tell(task: str, done: int, of: int | None) -> None:
    print(f"\r{task}: {done} of {of}", end="" if done != of else "\n", file=sys.stderr, flush=True)


def _wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the bot did not connect within {seconds:.0f} s")
        time.sleep(0.05)
