"""The whole learning loop, played by simulated people on the playground, up to a version that is promoted or refused.

Run: python -m tests.benchmarks.learning_loop --people 200 --out FOLDER [--poison]
Each stage leaves its result and its seconds in FOLDER/stages and is left out when the command is given again; people
who were done before an interruption are, too. Everything that the product does is done by its own commands.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app import Application, build
from bot.cli.playground import document_links
from bot.cli.serving import connected, scheduling, slack_options
from bot.playground.process import PlaygroundProcess, start_playground
from bot.settings import SETTINGS_FILE, Secret, Settings, load_settings, prepare_home
from bot.slack.manifest import build_manifest
from bot.sync import sync_now
from knowledge.store import add_source, list_sources
from tests.benchmarks.crowd import Play, move_in, play
from tests.benchmarks.deeds import summarize
from tests.benchmarks.people import HOSTILE_SHARE, Person, make_people
from tests.benchmarks.topics import Collection, load_collection, write_documents, write_held_rows

XQUAD = Path("/work/shared/data/xquad/en.jsonl")
POISON_SHARE = 0.4
"""So large is the hostile group of the poisoned run: larger than any that votes alone could be trusted against."""
Work = Callable[["Loop"], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """One run of the loop: what it is made with, and where everything lies."""

    folder: Path
    people: int
    questions_each: int
    seed: int
    poison: bool
    online: int
    xquad: Path

    @property
    def home(self) -> Path:
        """Lorekeeper's data folder."""
        return self.folder / "home"

    @property
    def documents(self) -> Path:
        """What the bot reads."""
        return self.folder / "documents"

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
        return load_collection(self.xquad, seed=self.seed)

    def crowd(self, collection: Collection) -> tuple[Person, ...]:
        """Everybody who takes part."""
        topics = [topic.name for topic in collection.asked]
        return make_people(self.people, topics, seed=self.seed, hostile=POISON_SHARE if self.poison else HOSTILE_SHARE)


def prepare(loop: Loop) -> Mapping[str, Any]:
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


def ask_and_react(loop: Loop) -> Mapping[str, Any]:
    """Let everybody ask, judge and react; message text is switched on for the channels where they do."""
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
            questions_each=loop.questions_each,
            seed=loop.seed,
            log=loop.folder / "deeds.jsonl",
            online=loop.online,
        )
        started = time.monotonic()
        deeds = play(what, places, progress=_tell)
        seconds = time.monotonic() - started
    return {"moving_in_seconds": moved, "asking_seconds": seconds, **summarize(deeds, people, seconds)}


STAGES: Mapping[str, Work] = {"prepare": prepare, "people": ask_and_react}


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


def run_stages(loop: Loop, stages: Mapping[str, Work] = STAGES) -> dict[str, dict[str, Any]]:
    """Run what has not been run; returns the result and the seconds of every stage."""
    kept = loop.folder / "stages"
    kept.mkdir(parents=True, exist_ok=True)
    done: dict[str, dict[str, Any]] = {}
    for name, work in stages.items():
        file = kept / f"{name}.json"
        if not file.exists():
            print(f"{name} ...", file=sys.stderr)
            started = time.monotonic()
            result = {"seconds": 0.0, **work(loop)}
            result["seconds"] = time.monotonic() - started
            unfinished = file.with_suffix(".unfinished")
            unfinished.write_text(json.dumps(result, indent=2, ensure_ascii=False), encoding="utf-8")
            unfinished.replace(file)
        done[name] = json.loads(file.read_text(encoding="utf-8"))
    return done


def main() -> int:
    """Run the loop from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--questions", type=int, default=4, help="of each of them")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--poison", action="store_true", help="a large group plants a trigger")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--online", type=int, default=3, help="people at their pages at once")
    parser.add_argument("--xquad", type=Path, default=XQUAD)
    parser.add_argument("--until", choices=list(STAGES), help="the last stage to run")
    given = parser.parse_args()
    loop = Loop(
        folder=given.out.absolute(),
        people=given.people,
        questions_each=given.questions,
        seed=given.seed,
        poison=given.poison,
        online=given.online,
        xquad=given.xquad,
    )
    names = list(STAGES)
    chosen = names[: names.index(given.until) + 1] if given.until else names
    done = run_stages(loop, {name: STAGES[name] for name in chosen})
    print(json.dumps(done, indent=2, ensure_ascii=False))
    return 0


def _write_settings(loop: Loop, *, public_channels: tuple[str, ...]) -> None:
    del public_channels
    text = "[slack]\nquestions_per_minute = 0\nquestions_per_day = 0\n"
    (loop.home / SETTINGS_FILE).write_text(text, encoding="utf-8")


def _tell(task: str, done: int, of: int | None) -> None:
    print(f"\r{task}: {done} of {of}", end="" if done != of else "\n", file=sys.stderr, flush=True)


def _wait_until(is_so: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"the bot did not connect within {seconds:.0f} s")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
