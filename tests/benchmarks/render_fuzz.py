"""Throws random model outputs at the renderer and lets an independent reader of Slack's grammar look for anything live.

Run: python -m tests.benchmarks.render_fuzz --cases 2000000 [--seed 1] [--processes 2]
Ends with exit code 1 and prints the outputs when anything was live, invisible, over a limit, or slower than 50 ms.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.slack.render import RenderedMessage, render_answer, render_streaming
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation
from tests.bot.model_output import CITED, random_output
from tests.bot.slack_oracle import over_limits, read_message

SLOWEST_SECONDS = 0.05
_PORTION = 2_000
_MOST_SHOWN = 10


@dataclass(slots=True)
class Tally:
    """What a portion of the run found."""

    cases: int = 0
    slowest_seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    portions = [(options.seed, number) for number in range(-(-options.cases // _PORTION))]
    start = time.perf_counter()
    total = Tally()
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for tally in pool.imap_unordered(run_portion, portions):
            total.cases += tally.cases
            total.slowest_seconds = max(total.slowest_seconds, tally.slowest_seconds)
            total.failures += tally.failures
            print(f"\r{total.cases:,} cases, {len(total.failures)} failures", end="", file=sys.stderr)
    print(file=sys.stderr)
    seconds = time.perf_counter() - start
    print(f"seed {options.seed}: {total.cases:,} cases in {seconds:.0f} s ({total.cases / seconds:,.0f} a second)")
    print(f"failures: {len(total.failures)}; slowest render: {1000 * total.slowest_seconds:.1f} ms of processor time")
    print("\n".join(total.failures[:_MOST_SHOWN]))
    return 1 if total.failures else 0


def run_portion(portion: tuple[int, int]) -> Tally:
    """Run one portion; seed and number fix its outputs."""
    chance = random.Random(f"{portion[0]}:{portion[1]}")
    tally = Tally()
    for _ in range(_PORTION):
        output = random_output(chance)
        start = time.process_time()
        message = render_answer(_answer(output), link=str, feedback_value="1")
        seconds = time.process_time() - start
        tally.cases += 1
        tally.slowest_seconds = max(tally.slowest_seconds, seconds)
        problems = [*problems_of(message, {CITED}), *problems_of(render_streaming(output), set())]
        if seconds > SLOWEST_SECONDS:
            problems.append(f"took {1000 * seconds:.0f} ms")
        if problems:
            tally.failures.append(f"{problems}\n    {output!r}")
    return tally


def problems_of(message: RenderedMessage, allowed: Iterable[str]) -> list[str]:
    """List what is live, hidden or too large in a message."""
    problems: list[str] = []
    for part in (message, *message.overflow):
        payload = {"text": part.text, "blocks": part.blocks}
        reading = read_message(payload)
        problems += sorted(set(reading.links) - set(allowed))
        problems += [*reading.mentions, *reading.images, *reading.dates, *reading.hidden, *reading.unknown]
        problems += over_limits(payload)
    return problems


def _answer(text: str) -> Answer:
    citation = Citation(
        n=1, uri=CITED, title="Handbook", header="Handbook > Travel", source="docs", chunk_id=1, text_hash="", quote=""
    )
    return Answer(
        text=text,
        citations=(citation,),
        abstained=False,
        version="fuzz",
        seconds=AnswerSeconds(retrieve=0.0, first_token=0.0, total=0.0),
        tokens=AnswerTokens(prompt=0, completion=0),
    )


if __name__ == "__main__":
    sys.exit(main())
