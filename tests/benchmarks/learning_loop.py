"""The whole learning loop, played by simulated people on the playground, up to a version that is promoted or refused.

Run: python -m tests.benchmarks.learning_loop --people 200 --out FOLDER [--poison]
Each stage leaves its result and its seconds in FOLDER/stages and is left out when the command is given again; people
who were done before an interruption are, too. The report is FOLDER/report.md, with its pictures beside it.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import get_args

from tests.benchmarks.learning_report import write_report
from tests.benchmarks.learning_stages import STAGES, Loop
from tests.benchmarks.staged import REFUSED, run_stages
from tests.benchmarks.topics import About

DATA = Path("../shared/data")


def main() -> int:
    """Run the loop from the command line; ends with 1 where a version was refused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--questions", type=int, default=4, help="of each of them")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--poison", action="store_true", help="a large group plants a trigger")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--online", type=int, default=3, help="people at their pages at once")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--limit", type=int, help="only so many rows in the gate and the measurements")
    parser.add_argument("--model", default="embedded", help="what answers in the beginning: embedded, or a name")
    parser.add_argument(
        "--about", choices=get_args(About), default="unseen", help="what the starter never saw, or more"
    )
    parser.add_argument("--epochs", type=float, default=1.0, help="of tuning")
    parser.add_argument("--until", choices=list(STAGES), help="the last stage to run")
    given = parser.parse_args()
    loop = Loop(
        folder=given.out.absolute(),
        people=given.people,
        questions_each=given.questions,
        seed=given.seed,
        poison=given.poison,
        online=given.online,
        data=given.data,
        limit=given.limit,
        model=given.model,
        about=given.about,
        epochs=given.epochs,
    )
    names = list(STAGES)
    chosen = names[: names.index(given.until) + 1] if given.until else names
    done = run_stages(loop.folder / "stages", {name: partial(STAGES[name], loop) for name in chosen})
    print(write_report(loop, done))
    return int(any(REFUSED in result for result in done.values()))


if __name__ == "__main__":
    sys.exit(main())
