"""How many questions could an answer cache answer, and how many of its hits would be right?

Run: python -m tests.benchmarks.answer_cache DIR [--evidence DIR ...] [--speed] [--vectors FILE.npy] [--fit]

DIR holds clinc150's `data_full.json`: short requests, each with an intent. The requests come as a stream in a random
order. Each looks the earlier ones up that were not answered from the cache; a hit is right where both have one intent;
a request out of scope is right for nobody. Hit rate: hits of all requests. Half of the intents (seeded) is tuned on, the
other half reported; intervals are bootstrapped over intents. What an answer stood on is, for clinc150, its intent,
which the product sees of an earlier request only where that was answered anew: "learning" uses that, "no learning"
uses words and vectors alone. It does not change code: copy the printed weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.same_meaning import (
    NEIGHBOURS,
    EarlierQuestions,
    MeaningFeatures,
    MeaningWeights,
    contradicts,
    estimate_same,
)
from bot.same_question import asks_the_same
from bot.sentences import words
from knowledge.embed import Vectors, load_embedder

Floats = npt.NDArray[np.float64]
_SEED = 7
_OUT_OF_SCOPE = "oos"
_MOST_COMPARED = 3
_RIDGE = 1.0
_PRECISION = 0.99
_SAMPLES = 400


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request of the stream; `meaning` tells which others ask the same."""

    text: str = field(repr=False)
    intent: str
    meaning: str
    row: int
    """Of its vector."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An earlier request that may be given for one that is asked."""

    features: MeaningFeatures
    contradicts: bool
    words_agree: bool
    """By `bot.same_question`."""
    identical: bool
    right: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one request."""

    intent: str
    hit: bool
    right: bool


Judge = Callable[[Candidate], float]
"""How sure a hit would be."""


def by_cosine(candidate: Candidate) -> float:
    """A fixed threshold of the cosine."""
    return candidate.features.cosine


def by_cosine_and_words(candidate: Candidate) -> float:
    """The same, where the words agree as well."""
    return candidate.features.cosine if candidate.words_agree else -1.0


def by_estimate(weights: MeaningWeights) -> Judge:
    """The product's verifier with these weights."""

    def judge(candidate: Candidate) -> float:
        if candidate.contradicts:
            return -1.0
        return 1.0 if candidate.identical else estimate_same(candidate.features, weights)

    return judge


def load_requests(folder: Path, limit: int | None) -> list[Request]:
    """All requests of clinc150 in a seeded order, so that the first ones are a fair sample."""
    content = json.loads((folder / "data_full.json").read_text(encoding="utf-8"))
    rows = [(text, intent) for part in sorted(content) for text, intent in content[part]]
    order = np.random.default_rng(5).permutation(len(rows))
    chosen = [rows[index] for index in order][:limit]
    return [
        Request(
            text=text,
            intent=intent,
            # Nobody else asks what is out of scope, but for the same words.
            meaning=intent if intent != _OUT_OF_SCOPE else f"{intent}: {' '.join(words(text))}",
            row=row,
        )
        for row, (text, intent) in enumerate(chosen)
    ]


def halves(requests: Sequence[Request]) -> tuple[list[Request], list[Request]]:
    """Split by intent, seeded; requests out of scope are shared out."""
    chance = np.random.default_rng(_SEED)
    intents = sorted({one.intent for one in requests} - {_OUT_OF_SCOPE})
    tuned = set(chance.permutation(intents)[: len(intents) // 2].tolist())
    first: list[Request] = []
    second: list[Request] = []
    outside = 0
    for one in requests:
        outside += one.intent == _OUT_OF_SCOPE
        is_first = outside % 2 == 0 if one.intent == _OUT_OF_SCOPE else one.intent in tuned
        (first if is_first else second).append(one)
    return first, second


def stream(
    requests: Sequence[Request],
    vectors: Vectors,
    *,
    judge: Judge | None = None,
    threshold: float = 2.0,
    blind: bool = False,
    noise: float = 0.0,
) -> tuple[list[Outcome], list[Candidate]]:
    """Let the requests come one after the other; without a judge nothing hits, and all candidates come back.

    `blind`: nothing is known of what answers stood on. `noise`: a share of the answers stood on something of their own.
    """
    chance = np.random.default_rng(_SEED)
    earlier = EarlierQuestions()
    kept: list[Request] = []
    held = np.empty((len(requests), vectors.shape[1]), np.float32)
    outcomes: list[Outcome] = []
    candidates: list[Candidate] = []
    for number, one in enumerate(requests):
        best, right = -2.0, False
        if kept:
            cosines = held[: len(kept)] @ vectors[one.row]
            around = min(NEIGHBOURS, len(kept))
            nearest = np.argpartition(-cosines, around - 1)[:around]
            nearest = nearest[np.argsort(-cosines[nearest])].tolist()
            for place, index in enumerate(nearest[:_MOST_COMPARED]):
                found = _candidate(one, kept[index], earlier.features(one.text, cosines, nearest, index))
                if judge is None and place == 0:
                    candidates.append(found)
                elif judge is not None and (sure := judge(found)) > best:
                    best, right = sure, found.right
        hit = best >= threshold
        outcomes.append(Outcome(intent=one.intent, hit=hit, right=hit and right))
        if not hit:
            held[len(kept)] = vectors[one.row]
            kept.append(one)
            own = chance.random() < noise
            earlier.add(one.text, ("",) if blind else (f"{number}" if own else one.meaning,))
    return outcomes, candidates


def _candidate(asked: Request, other: Request, features: MeaningFeatures) -> Candidate:
    return Candidate(
        features=features,
        contradicts=contradicts(asked.text, other.text),
        words_agree=asks_the_same(asked.text, other.text),
        identical=words(asked.text) == words(other.text),
        right=asked.meaning == other.meaning,
    )


def fit(candidates: Sequence[Candidate], *, blind: bool) -> MeaningWeights:
    """Logistic regression with a ridge, by Newton's method, on the nearest candidates."""
    chosen = [one for one in candidates if not one.contradicts and not one.identical]
    x = np.asarray([[1.0, *astuple(one.features)] for one in chosen])
    if blind:
        # Agreement and gap say nothing where nothing is known.
        x[:, -2:] = 0.0
    y = np.asarray([float(one.right) for one in chosen])
    ridge = np.diag([0.0] + [_RIDGE] * (x.shape[1] - 1))
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -50, 50)))
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, x.T @ (p - y) + ridge @ weights)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    names = [one.name for one in fields(MeaningWeights)]
    return MeaningWeights(**dict(zip(names, (float(weight) for weight in weights), strict=True)))


@dataclass(frozen=True, kw_only=True)
class Point:
    """Hit rate and precision at one threshold."""

    threshold: float
    hit_rate: float
    precision: float
    hits: int


def point(outcomes: Sequence[Outcome], threshold: float) -> Point:
    """Count."""
    hits = sum(one.hit for one in outcomes)
    right = sum(one.right for one in outcomes)
    return Point(threshold=threshold, hit_rate=hits / len(outcomes), precision=right / hits if hits else 1.0, hits=hits)


def intervals(outcomes: Sequence[Outcome]) -> str:
    """95 % intervals of hit rate and precision, intents drawn with replacement."""
    names = sorted({one.intent for one in outcomes})
    rows = {name: np.zeros(3) for name in names}
    for one in outcomes:
        rows[one.intent] += (1, one.hit, one.right)
    table = np.stack([rows[name] for name in names])
    chance = np.random.default_rng(_SEED)
    drawn = np.stack([table[chance.integers(len(names), size=len(names))].sum(axis=0) for _ in range(_SAMPLES)])
    rates = np.percentile(drawn[:, 1] / drawn[:, 0], [2.5, 97.5])
    precisions = np.percentile(drawn[:, 2] / np.maximum(drawn[:, 1], 1), [2.5, 97.5])
    return f"hit rate [{rates[0]:.3f}, {rates[1]:.3f}], precision [{precisions[0]:.4f}, {precisions[1]:.4f}]"


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way of deciding, with the thresholds that are tried."""

    name: str
    judge: Judge
    thresholds: Sequence[float]
    blind: bool = False
    noise: float = 0.0


def measure(way: Way, tuned: Sequence[Request], reported: Sequence[Request], vectors: Vectors) -> float:
    """Choose the threshold on the one half, print the curve and the result of the other; returns the threshold."""

    def run(requests: Sequence[Request], threshold: float) -> list[Outcome]:
        return stream(requests, vectors, judge=way.judge, threshold=threshold, blind=way.blind, noise=way.noise)[0]

    on_tuned = [point(run(tuned, threshold), threshold) for threshold in way.thresholds]
    good = [one for one in on_tuned if one.precision >= _PRECISION]
    chosen = max(good, key=lambda one: one.hit_rate) if good else on_tuned[-1]
    print(f"\n{way.name}\n  threshold   tuned: hit rate, precision   reported: hit rate, precision, hits")
    for one in on_tuned:
        outcomes = run(reported, one.threshold)
        there = point(outcomes, one.threshold)
        mark = f"  <- chosen; {intervals(outcomes)}" if one is chosen else ""
        print(
            f"  {one.threshold:9.4f}   {one.hit_rate:.3f} {one.precision:.4f}"
            f"   {there.hit_rate:.3f} {there.precision:.4f} {there.hits:5d}{mark}",
            flush=True,
        )
    return chosen.threshold


def main() -> None:
    """Fit on one half of the intents, report on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="requests, of a seeded order; all of them unless given")
    parser.add_argument("--vectors", type=Path, help="where the vectors are kept from run to run")
    options = parser.parse_args()
    requests = load_requests(options.folder, options.limit)
    vectors = _vectors(requests, options.vectors)
    tuned, reported = halves(requests)
    print(f"{len(tuned)} requests tuned on, {len(reported)} reported")
    seen = fit(stream(tuned, vectors)[1], blind=False)
    unseen = fit(stream(tuned, vectors, blind=True)[1], blind=True)
    for name, weights in (("learning", seen), ("no learning", unseen)):
        rounded = {one.name: round(getattr(weights, one.name), 2) for one in fields(weights)}
        print(f"{name}: {json.dumps(rounded)}")
    cosines = (0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)
    estimates = (0.8, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995)
    noisy = "verifier, learning, 10 % of what was learned is wrong"
    ways = (
        Way(name="fixed cosine", judge=by_cosine, thresholds=cosines, blind=True),
        Way(name="cosine and bot.same_question", judge=by_cosine_and_words, thresholds=cosines, blind=True),
        Way(name="verifier, no learning", judge=by_estimate(unseen), thresholds=estimates, blind=True),
        Way(name="verifier, learning", judge=by_estimate(seen), thresholds=estimates),
        Way(name=noisy, judge=by_estimate(seen), thresholds=estimates, noise=0.1),
    )
    for way in ways:
        measure(way, tuned, reported, vectors)


def _vectors(requests: Sequence[Request], file: Path | None) -> Vectors:
    if file is not None and file.is_file():
        kept: Vectors = np.load(file)
        if len(kept) >= len(requests):
            return kept
    vectors = load_embedder("embedded").embed([one.text for one in requests], role="question")
    if file is not None:
        np.save(file, vectors)
    return vectors


if __name__ == "__main__":
    main()
