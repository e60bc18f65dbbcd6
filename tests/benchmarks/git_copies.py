"""How large does the kept copy of a repository grow, fetch by fetch?

    python -m tests.benchmarks.git_copies [--commits 300]

A handbook of twenty pages on a real local server; each commit changes a paragraph of one page and is fetched by
itself, as a team's repository is from hour to hour. Beside the kept copy a fresh one of the same history is measured.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from knowledge.sources import Checkpoint
from knowledge.sources.git.source import GitSource
from tests.knowledge.repository import Work, served


def size_of(folder: Path) -> tuple[int, int]:
    """Bytes of a copy, and its packs."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(path.stat().st_size for path in files), sum(path.suffix == ".pack" for path in files)


def main(arguments: Sequence[str]) -> None:
    """Commit, fetch and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commits", type=int, default=300)
    commits = parser.parse_args(arguments).commits
    chance = random.Random(1)
    words = [f"{chance.choice('bdfgklmnprst')}{chance.choice('aeiou')}{number}" for number in range(2_000)]

    def paragraph() -> str:
        return " ".join(chance.choices(words, k=60)) + "."

    pages = {f"page{number}.md": [paragraph() for _ in range(30)] for number in range(20)}
    with tempfile.TemporaryDirectory() as folder:
        work = Work(root=Path(folder) / "handbook")
        work.commit({name: "\n\n".join(text) for name, text in pages.items()})
        keep, cursor, slowest = Path(folder) / "keep", None, 0.0
        with served(work.root) as url:
            for number in range(1, commits + 1):
                name = chance.choice(list(pages))
                pages[name][chance.randrange(30)] = paragraph()
                work.commit({name: "\n\n".join(pages[name])})
                began = time.monotonic()
                *_, last = GitSource("s", url, keep).changes(cursor)
                slowest = max(slowest, time.monotonic() - began)
                assert isinstance(last, Checkpoint)
                cursor = last.cursor
                if number % 25 == 0 or number == 1:
                    size, packs = size_of(keep / "s")
                    print(
                        f"{number:4} fetches: {size / 1024:8.0f} KB in {packs:3} packs; slowest {slowest:.2f} s",
                        flush=True,
                    )
                    slowest = 0.0
            list(GitSource("fresh", url, keep).changes(None))
            print(f"a fresh copy: {size_of(keep / 'fresh')[0] / 1024:.0f} KB")


if __name__ == "__main__":
    main(sys.argv[1:])
