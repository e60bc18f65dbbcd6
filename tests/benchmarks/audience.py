"""Does anything reach anybody who may not read it? Random worlds against an oracle, and recall under filters.

Run: python -m tests.benchmarks.audience --cases 1000000 --seed 1 [--seconds 900] [--faults] [--recall]

A case is one question by one person in one place while people join and leave, documents come, go, and change hands and
permissions grow old; each decides about every document that there is. Most cases (wide) look at what retrieval, the
cache and memory give; some (deep) go the whole way to the shown answer, with a model that repeats all that it is given,
and look at citations, the explanation of an answer, the copy that a person can ask for, and what a version would learn
from. A leak is a word of a document that the oracle of `audience_world` does not allow there. `--faults` breaks one
part after the other on purpose, and says how soon that is noticed.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from bot.answer_options import AnswerOptions
from bot.cite import citation_of
from bot.cli.output import print_table, progress_bar
from bot.conversation import save_answer, save_user_turn
from bot.feedback import record_vote
from bot.learn.dataset import DatasetOptions, build_dataset
from bot.people import Preferences, save_preferences
from bot.privacy import export
from bot.reuse import Asked, Same, digest
from bot.settings import FileSettings, TuningSettings, load_settings
from bot.slack.why_form import why_view
from bot.turn import Answer, Incoming
from bot.why import load_why
from knowledge.audience import Audience
from knowledge.document import Passage, Question
from knowledge.embed import Vectors
from knowledge.index import HnswIndex
from knowledge.signs import SignCodes, sign_words
from knowledge.snapshot import Snapshot
from knowledge.vector_search import SnapshotSearch
from tests.benchmarks.audience_desk import FAULTS, Desk, plain_answer
from tests.benchmarks.audience_world import TEAM, Place, canaries_of, held_in, new_world

_ALL = 400
_RULE_OF_THREE = 3.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How much of what a run does."""

    documents: int = 24
    cases_a_world: int = 4_000
    deep_share: float = 0.01
    happen_share: float = 0.06
    cache_share: float = 0.04
    memory_share: float = 0.02
    datasets: bool = True


@dataclass(kw_only=True)
class Tally:
    """What was looked at, and what was found."""

    cases: int = 0
    deep: int = 0
    decisions: int = 0
    """May this person be told of this document here, now: one for each document that there is at a case."""
    seconds: float = 0.0
    looked: Counter[str] = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    lost: int = 0
    """Readable documents that an exhaustive search did not give."""
    expected: int = 0

    def check(self, where: str, text: str, allowed: Set[str], case: str) -> set[str]:
        """Compare what stands in a text with what may; returns what stands there."""
        self.looked[where] += 1
        held = set(held_in(text)) if "canary" in text else set()
        if wrong := held - allowed:
            self.leaks.append(f"{where}: {sorted(wrong)[:3]} ({case})")
        return held


def run(
    cases: int,
    seed: int,
    *,
    shape: Shape | None = None,
    fault: str = "",
    seconds: float = float("inf"),
    until_leak: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> Tally:
    """Look at so many cases, or as many as fit; `until_leak` ends with the first leak."""
    shape, tally, started = shape or Shape(), Tally(), time.monotonic()
    chance = random.Random(seed)

    def is_over() -> bool:
        late = time.monotonic() - started > seconds
        return tally.cases >= cases or late or (until_leak and bool(tally.leaks))

    while not is_over():
        world_seed = chance.getrandbits(40)
        with _desk(world_seed, shape, fault) as desk:
            pool = [desk.question() for _ in range(10)]
            threads: dict[tuple[str, str], list[Incoming]] = {}
            answers: list[tuple[int, Place, set[str]]] = []
            for number in range(shape.cases_a_world):
                if is_over():
                    break
                case = f"seed {world_seed}, case {number}"
                if desk.world.chance.random() < shape.happen_share:
                    desk.happen()
                if desk.world.chance.random() < shape.deep_share:
                    _deep(desk, tally, case, threads, answers)
                else:
                    _wide(desk, tally, case, pool, shape)
                tally.cases += 1
                tally.decisions += len(desk.world.documents)
                if tally.cases % 200 == 0:
                    progress(tally.cases)
            if not (until_leak and tally.leaks):
                _afterwards(desk, tally, f"seed {world_seed}", shape)
    progress(tally.cases)
    tally.seconds = time.monotonic() - started
    return tally


@contextmanager
def _desk(seed: int, shape: Shape, fault: str) -> Iterator[Desk]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        world = new_world(seed, documents=shape.documents)
        desk = Desk(world=world, folder=Path(folder), fault=fault, echo_all=seed % 2 == 0)
        try:
            yield desk
        finally:
            desk.close()


def _wide(desk: Desk, tally: Tally, case: str, pool: list[str], shape: Shape) -> None:
    """What retrieval gives; sometimes the cache and memory, too."""
    world = desk.world
    user, place = world.asks_where()
    chance = world.chance.random()
    text = world.chance.choice(pool) if chance < 0.5 else desk.question()
    incoming = desk.message(user, place, text)
    audience = desk.audience_of(incoming)
    found = desk.library.retrieve(Question(text=text), audience, _ALL).passages
    allowed = world.allowed(user, place, gated=False)
    held = tally.check("retrieved passages", _told(found), allowed, case)
    readable = [one for one in world.documents.values() if one.canaries[-1] in allowed]
    tally.expected += len(readable)
    tally.lost += sum(one.canaries[-1] not in held for one in readable)
    if chance < shape.cache_share:
        _cached(desk, tally, case, incoming, audience, found, allowed)
    elif chance < shape.cache_share + shape.memory_share:
        tally.check("memory and history", desk.remembered(incoming, audience), allowed, case)


def _cached(
    desk: Desk,
    tally: Tally,
    case: str,
    incoming: Incoming,
    audience: Audience,
    found: tuple[Passage, ...],
    allowed: set[str],
) -> None:
    """Look for an earlier answer; where there is none, keep one that says all that was found."""
    asked = Asked(
        question=Question(text=incoming.text),
        same=Same(
            audience=audience,
            sources=None,
            language="en",
            length="normal",
            options=AnswerOptions(),
            version="scripted-1",
            embedder=desk.embedder.name,
        ),
        vector=desk.embedder.embed([incoming.text], role="question")[0],
        passages=found,
        evidence=tuple(digest(one.text) for one in found[:3]),
    )
    if (given := desk.cache.find(asked)) is not None:
        tally.check("cached answers", _shown(given), allowed, case)
    elif found:
        citations = tuple(citation_of(one, number, one.text) for number, one in enumerate(found[:2], 1))
        said = " ".join(f"{one.text} [1]" for one in found[:2])
        answer = replace(plain_answer(said), given_before=None, citations=citations, passages=found[:2])
        incoming = replace(incoming, visibility="thread")
        desk.world.ever.setdefault(f"cache {incoming.user}", set()).update(allowed)
        save_user_turn(desk.engine, incoming)
        save_answer(desk.engine, incoming, replace(answer, support=0.9, reusable=asked.reusable()))


def _deep(
    desk: Desk,
    tally: Tally,
    case: str,
    threads: dict[tuple[str, str], list[Incoming]],
    answers: list[tuple[int, Place, set[str]]],
) -> None:
    """The whole way to the shown answer, while things change; then what can be read about an earlier one."""
    world, chance = desk.world, desk.world.chance
    user, place = world.asks_where()
    begun = threads.setdefault((user if place.kind == "im" else "", place.id), [])
    thread_ts = chance.choice(begun[-4:]).ts if begun and chance.random() < 0.6 else None
    incoming = desk.message(user, place, desk.question(), thread_ts)
    if thread_ts is None:
        begun.append(incoming)
    changes = [chance.random() < 0.3]
    desk.during = lambda: desk.happen(silently=True) if changes and changes.pop() else None
    reply = desk.ask(incoming)
    desk.during = lambda: None
    allowed = world.allowed(user, place)
    shown = reply.composed.text if reply.composed.answer is None else _shown(reply.composed.answer)
    held = tally.check("shown answers", shown, allowed, case)
    # What changed without a sign counts from the next minute on.
    desk.clock += 61.0
    tally.deep += 1
    world.ever.setdefault(user, set()).update(allowed)
    if reply.answer_id is not None:
        answers.append((reply.answer_id, place, held))
        if chance.random() < 0.5:
            record_vote(desk.engine, reply.answer_id, user, 1, "button")
    if answers:
        _explain(desk, tally, case, *chance.choice(answers))


def _explain(desk: Desk, tally: Tally, case: str, answer_id: int, place: Place, held: set[str]) -> None:
    world = desk.world
    readers = sorted(world.places[place.id].members if place.id in world.places else place.members)
    if not readers:
        return
    user = world.chance.choice(readers)
    why = load_why(desk.engine, answer_id, desk.reach(user))
    if why is None:
        return
    # Of a document that is gone, what stands under the answer is named and no more. One that has another address and
    # other words by now cannot be known again, so that the one that was cited is gone.
    addresses = {passage.uri for passage in why.passages}
    known = [one for one in world.documents.values() if one.uri in addresses or one.canaries[-1] in held]
    gone = held - canaries_of(known)
    allowed = world.allowed(user, world.direct(user), gated=False) | gone
    view = why_view(why, link=lambda uri: f"https://w.example/{uri}", threshold=None, now=why.created_at)
    tally.check("explanations", f"{asdict(why)}{json.dumps(view)}", allowed, case)


def _afterwards(desk: Desk, tally: Tally, case: str, shape: Shape) -> None:
    """What leaves the bot: the copies that people can ask for, and what a version would learn from."""
    world = desk.world
    for user in world.people:
        users = world.people if desk.fault == "a copy for the person holds the rows of everybody" else (user,)
        told = " ".join(json.dumps(export(desk.engine, one)) for one in users)
        tally.check("copies for people", told, world.ever.get(user, set()) | _asked_widely(desk, user), case)
    if not shape.datasets:
        return
    for user in world.people:
        save_preferences(desk.engine, TEAM, user, Preferences(tuning=True))
    tuning = TuningSettings(
        message_text=True,
        message_text_acknowledged="2024-12-10",
        public_channels=[one.id for one in world.places.values() if one.kind == "public"],
        person_share=1.0,
    )
    settings = load_settings({}, desk.folder / "home")
    settings = replace(settings, file=replace(FileSettings(), tuning=tuning))
    folder = desk.folder / "dataset"
    build_dataset(desk.engine, desk.embedder, settings, folder, options=DatasetOptions(texts=True, generated=0))
    for file in sorted(folder.glob("*.json*")):
        tally.check("tuning rows", file.read_text(encoding="utf-8"), world.public(), f"{case}, {file.name}")


def _asked_widely(desk: Desk, user: str) -> set[str]:
    """What was rightly kept for the cache in the name of this person."""
    return desk.world.ever.get(f"cache {user}", set())


def _told(passages: tuple[Passage, ...]) -> str:
    parts = [part for passage in passages for part in (passage, *passage.beside)]
    return "\n".join(f"{one.title} {one.header} {one.text} {one.uri}" for one in parts)


def _shown(answer: Answer) -> str:
    cited = (f"{one.title} {one.header} {one.quote} {one.uri}" for one in (*answer.citations, *answer.nearest))
    return "\n".join([answer.text, answer.understood, *cited, _told(answer.passages)])


# Recall under filters


@dataclass(frozen=True, kw_only=True)
class RecallRow:
    """How much of the exact ten is found where this share of all chunks may be read."""

    size: int
    share: float
    recall: float
    milliseconds: float


def measure_recall(size: int, shares: tuple[float, ...], *, questions: int = 100, seed: int = 1) -> Iterator[RecallRow]:
    """Compare the product's filtered search with an exact one, on clustered vectors of 384 numbers."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((max(8, size // 100), 384)).astype(np.float32)

    def near(count: int) -> Vectors:
        found = centres[rng.integers(0, len(centres), count)] + 0.7 * rng.standard_normal((count, 384))
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)

    vectors, asked = near(size), near(questions)
    ids = np.arange(1, size + 1, dtype=np.int64)
    graph = HnswIndex.build(ids, vectors)
    order = rng.permutation(size)
    for share in shares:
        count = max(10, round(size * share))
        permitted = np.zeros(size, np.int32)
        permitted[order[:count]] = 1
        mean = vectors[:2_000].mean(axis=0)
        snapshot = Snapshot(
            ids=ids,
            vectors=vectors,
            codes=SignCodes(mean=mean, words=sign_words(vectors, mean)),
            texts=ids.copy(),
            audiences=permitted,
            audience_names=("channel:C1", "everyone"),
            sources=np.zeros(size, np.int32),
            source_ids=("s",),
            live=np.ones(size, np.bool_),
        )
        search = SnapshotSearch(snapshot, graph)
        readable = snapshot.readable(Audience.everyone())
        allowed = np.flatnonzero(permitted)
        found, started = 0, time.perf_counter()
        hits = [search.search(one, 10, readable) for one in asked]
        spent = time.perf_counter() - started
        for one, hit in zip(asked, hits, strict=True):
            exact = ids[allowed[np.argsort(-(vectors[allowed] @ one), kind="stable")[:10]]]
            assert set(hit.ids.tolist()) <= set(ids[allowed].tolist())
            found += len(set(exact.tolist()) & set(hit.ids.tolist()))
        yield RecallRow(
            size=size,
            share=count / size,
            recall=found / (10 * questions),
            milliseconds=1_000 * spent / questions,
        )


def caught(fault: str, seed: int, *, most: int = 1_500) -> Tally:
    """Break one part, and look until that is noticed."""
    shape = Shape(documents=16, cases_a_world=150, deep_share=0.3, happen_share=0.3, memory_share=0.1, cache_share=0.2)
    return run(most, seed, shape=replace(shape, datasets=False), fault=fault, until_leak=True)


def main() -> None:
    """Run it and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so long with what was done")
    parser.add_argument("--deep", type=float, default=Shape.deep_share, help="share of cases that go the whole way")
    parser.add_argument("--faults", nargs="*", metavar="PART", help="break one part after the other; those named alone")
    parser.add_argument("--recall", action="store_true", help="measure recall under filters")
    arguments = parser.parse_args()
    if arguments.recall:
        rows = [row for size in (2_000, 50_000) for row in measure_recall(size, (0.001, 0.01, 0.1, 0.5, 1.0))]
        cells = [(one.size, f"{one.share:.1%}", f"{one.recall:.3f}", f"{one.milliseconds:.2f}") for one in rows]
        print_table(("chunks", "readable", "recall@10", "ms"), cells)
        return
    if arguments.faults is not None:
        faults = [one for one in FAULTS if not arguments.faults or any(part in one for part in arguments.faults)]
        noticed: list[tuple[str, int, str]] = []
        with progress_bar() as report:
            for number, fault in enumerate(faults, 1):
                one = caught(fault, arguments.seed)
                noticed.append((fault, one.cases, one.leaks[0] if one.leaks else "NOT NOTICED"))
                report(f"faults; {fault}: {one.cases} cases, {len(one.leaks)} leaks", number, len(faults))
        print_table(("fault", "cases", "first leak"), noticed)
        return
    with progress_bar() as report:
        tally = run(
            arguments.cases,
            arguments.seed,
            shape=Shape(deep_share=arguments.deep),
            seconds=arguments.seconds,
            progress=lambda done: report("cases", done, arguments.cases),
        )
    print_table(("looked at", "texts"), sorted(tally.looked.items()))
    bound = _RULE_OF_THREE / max(1, tally.cases)
    print(
        f"{tally.cases:,} cases ({tally.deep:,} of them the whole way), {tally.decisions:,} decisions about documents, "
        f"{len(tally.leaks)} leaks"
        + (f", with 95 % confidence fewer than {bound:.1e} of cases leak" if not tally.leaks else "")
        + f"; {tally.lost} of {tally.expected:,} readable documents not found; {tally.seconds:.0f} s"
    )
    for leak in tally.leaks[:20]:
        print(leak)


if __name__ == "__main__":
    main()
