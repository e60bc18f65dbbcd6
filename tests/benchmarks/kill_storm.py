"""Reading and indexing killed with SIGKILL at random moments, again and again: is anything lost, doubled or back?

    python -m tests.benchmarks.kill_storm --kills 200 --files 400 [--corpora ../shared/data/docs_corpora] [--seed 1]

In each round documents are written, changed, renamed and deleted by a seeded plan; then a child process opens the
library, reads the folder, publishes a generation of the index, opens the library anew and asks, until it is killed.
After each kill: the database and its word index are whole; every document holds the chunks of one of the texts that
it had since it was last known to be stored, and of no two; what a finished run had removed is not back; a question is
answered again, and how long after the restart; no other process is left over. In the end the folder is read to its
end and everything is compared with a database that was made from nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import psutil
import sqlalchemy as sa

from bot.cli.output import progress_bar
from knowledge.audience import Audience
from knowledge.database import open_engine, reading
from knowledge.document import Question
from knowledge.ingest import IngestParts, ingest
from knowledge.library import Library
from knowledge.parse import Parser
from knowledge.retrieve import RetrievalOptions
from knowledge.sources import FolderSource
from knowledge.store import add_source, list_sources
from knowledge.tables import chunk, create_tables, document, generation
from tests.knowledge.fake_embedder import FakeEmbedder

_OPTIONS = RetrievalOptions(exact_search_below=100, matched=0)
_PHASES = ("opening", "reading", "building", "swapping", "done")
_CHANGED_SHARE = 0.08


@dataclass(kw_only=True)
class Folder:
    """The documents as they are, and what each said since its last version that is known to be stored."""

    root: Path
    drawn: random.Random
    said: dict[str, list[str | None]] = field(default_factory=dict)
    """By name: the texts since the last finished run, None for not being there; the last is the present one."""
    made: int = 0

    def change(self) -> None:
        """Write, change, rename and delete some documents."""
        there = sorted(name for name, texts in self.said.items() if texts[-1] is not None)
        for name in self.drawn.sample(there, max(1, int(len(there) * _CHANGED_SHARE))):
            kind = self.drawn.choice(("change", "change", "rename", "delete"))
            text = self.said[name][-1]
            assert text is not None
            if kind == "change":
                self.write(name, f"{text}\n\nRevision {self.drawn.randrange(10**9)} says so.\n")
            else:
                (self.root / name).unlink()
                self.said[name].append(None)
                self.made += 1
                self.write(f"new-{self.made}.md", text if kind == "rename" else f"# New\n\nNumber {self.made}.\n")

    def write(self, name: str, text: str) -> None:
        """Put a document there."""
        (self.root / name).write_text(text, encoding="utf-8")
        self.said.setdefault(name, [None]).append(text)

    def settled(self) -> None:
        """A run ended well: only what is there now may be known from here on."""
        self.said = {name: [texts[-1]] for name, texts in self.said.items() if texts[-1] is not None}


@contextmanager
def opened(home: Path) -> Iterator[sa.Engine]:
    """The database below a folder."""
    engine = open_engine(f"sqlite:///{home / 'lorekeeper.db'}")
    create_tables(engine)
    yield engine
    engine.dispose()


def work(home: Path) -> None:
    """What the child does: all of a run, writing down which part it is at."""

    def at(phase: str) -> None:
        (home / "phase").write_text(phase, encoding="utf-8")

    at("opening")
    with opened(home) as engine, Parser() as parser:
        embedder = FakeEmbedder()
        (stored,) = list_sources(engine)
        with Library.open(engine, embedder, home / "index", _OPTIONS) as library:
            at("reading")
            ingest(
                FolderSource(stored.id, Path(stored.location)),
                _parts(engine, parser, embedder),
            )
            (home / "finished").touch()
            at("building")
            library.publish_if_due()
        at("swapping")
        with Library.open(engine, embedder, home / "index", _OPTIONS) as library:
            library.wait_for_index(30)
            library.wait_for_words(30)
            ask(library)
    at("done")


def _parts(engine: sa.Engine, parser: Parser, embedder: FakeEmbedder) -> IngestParts:
    """So much changes here that it would be held for a person to look at: nothing of it would be found any more."""
    return IngestParts(engine=engine, parser=parser, embedder=embedder, quarantine_share=100.0)


def ask(library: Library) -> int:
    """A question that many documents answer; returns how many passages came."""
    return len(library.retrieve(Question(text="How is it installed?"), Audience.everyone(), 5).passages)


def run_and_kill(home: Path, seconds: float) -> tuple[str, bool]:
    """Start the child and kill it after so long; returns the part it was at and whether it had ended before."""
    (home / "phase").write_text("starting", encoding="utf-8")
    child = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.kill_storm", "--child", str(home)])
    # The time counts from where its own work begins: starting Python is not what is tried here.
    while (phase := (home / "phase").read_text(encoding="utf-8")) == "starting" and child.poll() is None:
        time.sleep(0.005)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(seconds)
    if child.returncode is not None:
        if child.returncode:
            raise SystemExit(f"the child ended with {child.returncode}")
        return "done", True
    children = psutil.Process(child.pid).children(recursive=True)
    phase = (home / "phase").read_text(encoding="utf-8")
    child.send_signal(signal.SIGKILL)
    child.wait()
    _, left = psutil.wait_procs(children, timeout=10)
    if left:
        raise SystemExit(f"killed while {phase}: {left} is left over")
    return phase, False


def stored_texts(engine: sa.Engine) -> dict[str, list[str]]:
    """What the database holds of each document: its chunks' texts in order."""
    with reading(engine) as connection:
        found: dict[str, list[str]] = {
            uri.rpartition("/")[2]: [] for uri in connection.scalars(sa.select(document.c.uri))
        }
        rows = sa.select(document.c.uri, chunk.c.ordinal, chunk.c.text).join(
            chunk, chunk.c.document_id == document.c.id
        )
        for row in connection.execute(rows.order_by(document.c.uri, chunk.c.ordinal)):
            texts = found[row.uri.rpartition("/")[2]]
            assert row.ordinal == len(texts), f"{row.uri} has chunk {row.ordinal} twice or not"
            texts.append(row.text)
    return found


def problems(engine: sa.Engine, folder: Folder, expected: dict[str, list[str]]) -> Iterator[str]:
    """Hold the database against all that it may say now; `expected` caches the chunks of each text."""
    with engine.connect() as connection:
        if (said := connection.exec_driver_sql("PRAGMA quick_check").scalar()) != "ok":
            yield f"the database is broken: {said}"
        connection.exec_driver_sql("INSERT INTO chunk_words(chunk_words) VALUES ('integrity-check')")
        lost = connection.exec_driver_sql(
            "SELECT count(*) FROM chunk WHERE text_hash NOT IN (SELECT text_hash FROM vector)"
        ).scalar()
        if lost:
            yield f"{lost} chunks have no vector"
        connection.rollback()
    stored = stored_texts(engine)
    for name, texts in folder.said.items():
        if name in stored:
            allowed = [expected[text] for text in texts if text is not None]
            if stored[name] not in allowed:
                yield f"{name} says what it never said since it was last stored"
        elif None not in texts:
            yield f"{name} is lost"
    for name in stored.keys() - folder.said.keys():
        yield f"{name} is back"


def chunks_of(texts: set[str], cache: dict[str, list[str]]) -> None:
    """Cut the texts that were not cut yet, by a library of their own."""
    new = sorted(texts - cache.keys())
    if not new:
        return
    with tempfile.TemporaryDirectory() as name, Parser() as parser:
        root = Path(name) / "docs"
        root.mkdir()
        for number, text in enumerate(new):
            (root / f"{number}.md").write_text(text, encoding="utf-8")
        with opened(Path(name)) as engine:
            one = add_source(engine, kind="files", location=str(root))
            ingest(FolderSource(one.id, root), IngestParts(engine=engine, parser=parser, embedder=FakeEmbedder()))
            stored = stored_texts(engine)
    for number, text in enumerate(new):
        cache[text] = stored[f"{number}.md"]


def answered_after(home: Path) -> float:
    """Open the library as a restarted bot does and ask; returns the seconds until there was an answer."""
    started = time.perf_counter()
    with opened(home) as engine, Library.open(engine, FakeEmbedder(), home / "index", _OPTIONS) as library:
        ask(library)
        return time.perf_counter() - started


def first_texts(corpora: Path | None, count: int, drawn: random.Random) -> list[str]:
    """Texts to begin with: pages of real documentation where they are there, else made ones."""
    texts: list[str] = []
    for packed in sorted(corpora.glob("*.tar.xz")) if corpora else []:
        with tarfile.open(packed) as tree:
            for member in tree:
                read = tree.extractfile(member) if member.name.endswith(".md") and member.size < 40_000 else None
                if read is not None:
                    texts.append(read.read().decode("utf-8", "replace").replace("\r", ""))
    texts = sorted({text for text in texts if text.strip()})
    drawn.shuffle(texts)
    made = [f"# Page {n}\n\nIt is installed by hand number {n}.\n" for n in range(max(0, count - len(texts)))]
    return [*texts[:count], *made]


def storm(home: Path, options: argparse.Namespace) -> dict[str, object]:
    """Kill and check, and compare in the end; raises SystemExit where something is wrong."""
    drawn = random.Random(options.seed)
    folder = Folder(root=home / "docs", drawn=drawn)
    folder.root.mkdir()
    for number, text in enumerate(first_texts(options.corpora, options.files, drawn)):
        folder.write(f"{number}.md", text)
    phases: Counter[str] = Counter()
    cut: dict[str, list[str]] = {}
    restarts: list[float] = []
    whole = 20.0
    with opened(home) as engine, progress_bar() as progress:
        add_source(engine, kind="files", location=str(folder.root))
        kills = 0
        while kills < options.kills:
            began = time.perf_counter()
            phase, ended = run_and_kill(home, drawn.uniform(0, whole))
            if ended:
                # Most kills shall hit the work, wherever this machine is slow today.
                whole = 0.7 * whole + 0.3 * (time.perf_counter() - began)
            else:
                phases[phase] += 1
                kills += 1
            finished = home / "finished"
            if finished.exists():
                finished.unlink()
                folder.settled()
            restarts.append(answered_after(home))
            chunks_of({text for texts in folder.said.values() for text in texts if text is not None}, cut)
            wrong = list(problems(engine, folder, cut))
            if wrong:
                raise SystemExit(f"after kill {kills}, while {phase}: {wrong[:5]}")
            progress("Kills", kills, options.kills)
            folder.change()
        run_and_kill(home, 600)
        folder.settled()
        chunks_of({text for texts in folder.said.values() for text in texts if text is not None}, cut)
        with reading(engine) as connection:
            generations = connection.scalar(sa.select(sa.func.max(generation.c.id)))
        wrong = [*problems(engine, folder, cut), *differences(home, folder, engine)]
    if wrong:
        raise SystemExit(f"in the end: {wrong[:5]}")
    return {
        "kills": kills,
        "killed while": {phase: phases[phase] for phase in _PHASES if phases[phase]},
        "documents in the end": len(folder.said),
        "generations published": generations,
        "answer after restart, seconds": {"median": round(median(restarts), 2), "longest": round(max(restarts), 2)},
        "wrong": 0,
    }


def differences(home: Path, folder: Folder, engine: sa.Engine) -> Iterator[str]:
    """Read the same folder into a database made from nothing, and compare all that is stored and found."""
    with tempfile.TemporaryDirectory() as name, opened(Path(name)) as anew, Parser() as parser:
        one = add_source(anew, kind="files", location=str(folder.root))
        embedder = FakeEmbedder()
        ingest(FolderSource(one.id, folder.root), _parts(anew, parser, embedder))
        if stored_texts(engine) != stored_texts(anew):
            yield "the texts differ from those of a database made from nothing"
        with (
            Library.open(engine, embedder, home / "index", _OPTIONS) as storm_library,
            Library.open(anew, embedder, None, _OPTIONS) as library,
        ):
            for library_ in (storm_library, library):
                library_.wait_for_index(60)
                library_.wait_for_words(60)
            for text in sorted(texts[-1] or "" for texts in folder.said.values())[::7]:
                question = Question(text=text[:200])
                stormed, clean = (
                    one_.retrieve(question, Audience.everyone(), 3).passages for one_ in (storm_library, library)
                )
                if [one_.text for one_ in stormed[:1]] != [one_.text for one_ in clean[:1]]:
                    ranks = [f"{one_.score:.4f} {one_.header} {one_.text[:120]!r}" for one_ in (*stormed, *clean)]
                    yield f"another passage is found first for {text[:60]!r}: {ranks}"


def main() -> None:
    """Run the storm, or be its child."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--files", type=int, default=400)
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        work(options.child)
        return
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(storm(Path(name), options), indent=2))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
