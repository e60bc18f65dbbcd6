"""The canary's test, simulated: how often it is wrong with a look after every vote, and how soon it is right.

Run: python -m tests.benchmarks.canary [--runs 2000] [--seed 1]

People differ in how readily they vote 👍, and a few vote much more than others. The canary is as good, worse or better
than the service; each run looks after every single vote, until a verdict or the last vote. The 2,000 runs take
about twenty minutes on one idle core.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate
from statistics import median

from bot.learn.canary import CanaryRules, Decision, Figures, judge

RULES = CanaryRules()
# How far people's own rates lie around the version's, as of a beta distribution of so many earlier votes.
_LIKENESS = 8.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is simulated."""

    service: float
    """Chance of a 👍."""
    canary: float
    share: float = 0.2
    people: int = 60
    votes: int = 600
    abstains: tuple[float, float] = (0.1, 0.1)
    """Chance that an answer of the canary, and of the service, says that it does not know."""
    fails: tuple[float, float] = (0.01, 0.01)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one run ended."""

    decision: Decision
    votes: int
    """Given until then."""


def run(scene: Scene, seed: int) -> Outcome:
    """Give votes one by one, look after each, and end with the first verdict."""
    number = 0
    for number, (canary, service) in enumerate(simulate(scene, seed), 1):
        decision = judge(canary, service, RULES).decision
        if decision != "go on":
            return Outcome(decision=decision, votes=number)
    return Outcome(decision="go on", votes=number)


def simulate(scene: Scene, seed: int) -> Iterator[tuple[Figures, Figures]]:
    """Yield the figures of both sides after each vote; each vote has an answer, each answer has none or one."""
    draw = random.Random(seed)
    moods = [draw.betavariate(_LIKENESS / 2, _LIKENESS / 2) - 0.5 for _ in range(scene.people)]
    # The busiest votes about as often as the next two together.
    busy = list(accumulate(1 / (rank + 1) for rank in range(scene.people)))
    sides = {True: Figures(), False: Figures()}
    given: Counter[tuple[bool, int]] = Counter()
    for _ in range(scene.votes):
        mine = draw.random() < scene.share
        person = draw.choices(range(scene.people), cum_weights=busy)[0]
        rate = min(0.98, max(0.02, (scene.canary if mine else scene.service) + 0.5 * moods[person]))
        side = sides[mine]
        side = replace(
            side,
            asked=side.asked + 1,
            failed=side.failed + (draw.random() < scene.fails[not mine]),
            written=side.written + 1,
            abstained=side.abstained + (draw.random() < scene.abstains[not mine]),
        )
        given[mine, person] += 1
        if given[mine, person] <= RULES.votes_each:
            good = draw.random() < rate
            side = replace(
                side,
                good=side.good + good,
                bad=side.bad + (not good),
                people=side.people + (given[mine, person] == 1),
            )
        sides[mine] = side
        yield sides[True], sides[False]


def main() -> None:
    """Print a table of scenes."""
    parser = argparse.ArgumentParser(description="Simulate the canary's test.")
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    scenes = {
        "no difference, .7": Scene(service=0.7, canary=0.7),
        "no difference, .5, half": Scene(service=0.5, canary=0.5, share=0.5),
        "no difference, .9": Scene(service=0.9, canary=0.9),
        "worse, .7 -> .3": Scene(service=0.7, canary=0.3),
        "worse, .8 -> .5, half": Scene(service=0.8, canary=0.5, share=0.5),
        "better, .5 -> .85, half": Scene(service=0.5, canary=0.85, share=0.5),
        "abstains, .1 -> .5": Scene(service=0.7, canary=0.7, abstains=(0.5, 0.1)),
        "fails, .01 -> .2": Scene(service=0.7, canary=0.7, fails=(0.2, 0.01)),
    }
    print(f"{'scene':26} {'promote':>8} {'roll back':>10} {'go on':>8} {'votes until a verdict (median)':>32}")
    for name, scene in scenes.items():
        outcomes = [run(scene, chosen.seed + number) for number in range(chosen.runs)]
        shares = Counter(outcome.decision for outcome in outcomes)
        decided = [outcome.votes for outcome in outcomes if outcome.decision != "go on"]
        row = [shares[one] / chosen.runs for one in ("promote", "roll back", "go on")]
        soon = f"{median(decided):.0f}" if decided else "-"
        print(f"{name:26} {row[0]:8.3f} {row[1]:10.3f} {row[2]:8.3f} {soon:>32}", flush=True)


if __name__ == "__main__":
    main()
