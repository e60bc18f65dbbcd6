"""How soon what changed in a large folder is in answers, and what a run costs where nothing changed.

    python -m tests.benchmarks.freshness ../shared/data/docs_corpora [--rounds 7] [--embedder embedded]

Unpacks every documentation tree, reads all of it once, and then in each round: reads it again with nothing changed;
writes one new file and reads until a question finds it; removes that file and reads until it is not found. Beside
the run that reads nothing new, the same folder is walked with `os.stat` on every file, which no run can undercut. The
embedder is the tests' own unless one is named as in the settings: then the first run is a whole one, and with 8-bit
numbers as `lorekeeper sync` does it; without, it is about reading, parsing, cutting and storing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bot.cli.output import progress_bar
from knowledge.audience import Audience
from knowledge.database import open_engine
from knowledge.document import Question
from knowledge.embed import Embedder, load_embedder
from knowledge.ingest import IngestParts, ingest
from knowledge.library import Library
from knowledge.parse import Parser
from knowledge.sources import FolderSource
from knowledge.store import add_source
from knowledge.tables import create_tables
from tests.knowledge.fake_embedder import FakeEmbedder


def main() -> None:
    """Measure and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--embedder", default="", help="as in the settings, such as `embedded`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Parser() as parsing, progress_bar() as progress:
        root = Path(name) / "documents"
        files = unpack(options.corpora, root)
        engine = open_engine(f"sqlite:///{Path(name) / 'lorekeeper.db'}")
        create_tables(engine)
        source = FolderSource(add_source(engine, kind="files", location=str(root)).id, root)
        embedder = _embedder(options.embedder, Path(name))
        with Library.open(engine, embedder, Path(name) / "index") as library:
            parts = IngestParts(engine=engine, parser=parsing, embedder=embedder, publish=library.publish_if_due)
            first = ingest(source, parts, progress=progress)
            parser_mb = peak_mb(parsing.child_id)
            # What was written a moment ago is read once more, since a clock may stand still for so long.
            time.sleep(2.5)
            ingest(source, parts)

            def found() -> bool:
                passages = library.retrieve(
                    Question(text="Where is the zanzibarian quetzal kept?"), Audience.everyone(), 5
                )
                return any("zanzibarian quetzal" in passage.text for passage in passages.passages)

            unchanged, walked, added, removed = [], [], [], []
            new = root / "new.md"
            for number in range(options.rounds):
                unchanged.append(seconds_of(lambda: ingest(source, parts)))
                walked.append(seconds_of(lambda: walk(root)))
                new.write_text(f"# News\n\nThe zanzibarian quetzal is kept in room {number}.\n", encoding="utf-8")
                added.append(seconds_of(lambda: (ingest(source, parts), until(found))))
                new.unlink()
                removed.append(seconds_of(lambda: (ingest(source, parts), until(lambda: not found()))))
                progress("Rounds", number + 1, options.rounds)
    reasons = Counter(one.reason.split("(")[0].strip() for one in first.failed)
    figures = {
        "files": files,
        "documents": first.added,
        "failed": dict(reasons),
        "chunks": first.embedded_chunks,
        "first_run_seconds": round(first.seconds, 1),
        "chunks_a_second": round(first.embedded_chunks / first.seconds, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_memory_of_the_parser_mb": parser_mb,
        "nothing_changed_seconds": summary(unchanged),
        "stat_of_every_file_seconds": summary(walked),
        "ratio_to_stat": round(median(unchanged) / median(walked), 1),
        "added_until_found_seconds": summary(added),
        "removed_until_not_found_seconds": summary(removed),
    }
    print(json.dumps(figures, indent=2))


def _embedder(setting: str, folder: Path) -> Embedder:
    return load_embedder(setting, precision="auto", made_in=folder / "embedder") if setting else FakeEmbedder()


def peak_mb(process_id: int | None) -> int | None:
    """The most memory that a process has had; Linux alone tells. What is told of ended children is not theirs alone:
    it begins with the memory of whoever started them."""
    status = Path(f"/proc/{process_id}/status")
    if process_id is None or not status.is_file():
        return None
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    return round(int(found[1]) / 1024) if found else None


def unpack(corpora: Path, root: Path) -> int:
    """Unpack every tree into a folder of its own; returns how many files there are."""
    for packed in sorted(corpora.glob("*.tar.xz")):
        with tarfile.open(packed) as opened:
            opened.extractall(root / packed.name.removesuffix(".tar.xz"), filter="data")
    return sum(path.is_file() for path in root.rglob("*"))


def walk(root: Path) -> None:
    """Look at every file below a folder, and at nothing in it."""
    folders = [str(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    entry.stat(follow_symlinks=False)


def until(is_so: Callable[[], bool], seconds: float = 30.0) -> float:
    """Ask again and again; returns what is left of the time."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"not so within {seconds:.0f} s")
        time.sleep(0.01)
    return end - time.monotonic()


def seconds_of(work: Callable[[], object]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def summary(values: list[float]) -> dict[str, float]:
    """The median and the worst."""
    return {"median": round(median(values), 3), "longest": round(max(values), 3)}


if __name__ == "__main__":
    main()
