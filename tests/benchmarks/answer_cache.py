"""How many questions could an answer cache answer, and how many of its hits would be right?

Run: python -m tests.benchmarks.answer_cache DIR [--limit N] [--vectors FILE.npy]

DIR holds clinc150's `data_full.json`: short requests, each with an intent. The requests come as a stream in a random
order. Each looks the earlier ones up; a hit is right where both have one intent;
a request out of scope is right for nobody. Hit rate: hits of all requests. Half of the intents (seeded) is tuned on,
the other half reported; intervals are bootstrapped over intents. What an answer stood on is, for clinc150, its intent:
the product sees that of earlier requests, never of the one that is asked. "Learning" uses it, "no learning" uses words
and vectors alone. It does not change code: copy the printed weights.
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
    how_sure,
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
    words_agree: bool
    """By `bot.same_question`."""
    asked: str = field(repr=False)
    earlier: str = field(repr=False)
    right: bool


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one request."""

    intent: str
    hit: bool
    right: bool


Judge = Callable[[Candidate], float]
"""How sure a hit would be."""


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One request with the nearest earlier ones."""

    intent: str
    candidates: tuple[Candidate, ...]

    def judged(self, judge: Judge) -> Judged:
        """The surest of them."""
        scored = [(judge(one), one.right) for one in self.candidates]
        sure, right = max(scored, key=lambda item: item[0], default=(-1.0, False))
        return Judged(intent=self.intent, sure=sure, right=right)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One request with how sure its surest hit would be, and whether it would be right."""

    intent: str
    sure: float
    right: bool

    def outcome(self, threshold: float) -> Outcome:
        """What becomes of it."""
        hit = self.sure >= threshold
        return Outcome(intent=self.intent, hit=hit, right=hit and self.right)


def by_cosine(candidate: Candidate) -> float:
    """A fixed threshold of the cosine."""
    return candidate.features.cosine


def by_cosine_and_words(candidate: Candidate) -> float:
    """The same, where the words agree as well."""
    return candidate.features.cosine if candidate.words_agree else -1.0


def by_estimate(weights: MeaningWeights) -> Judge:
    """The product's verifier with these weights."""

    def judge(candidate: Candidate) -> float:
        return how_sure(candidate.asked, candidate.earlier, candidate.features, weights)

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


def stream(requests: Sequence[Request], vectors: Vectors, *, blind: bool = False, noise: float = 0.0) -> list[Looked]:
    """Let the requests come one after the other, each looking up all earlier ones.

    `blind`: nothing is known of what answers stood on. `noise`: a share of the answers stood on something of their own.
    """
    earlier = _Earlier(requests, vectors, blind=blind, noise=noise)
    found = []
    for one in requests:
        found.append(Looked(intent=one.intent, candidates=earlier.look_up(one)))
        earlier.keep(one)
    return found


def live_stream(
    requests: Sequence[Request], vectors: Vectors, judge: Judge, threshold: float, *, blind: bool = False
) -> list[Outcome]:
    """The same as the product does it: what was answered from the cache is no entry of its own."""
    earlier = _Earlier(requests, vectors, blind=blind)
    outcomes = []
    for one in requests:
        outcome = Looked(intent=one.intent, candidates=earlier.look_up(one)).judged(judge).outcome(threshold)
        outcomes.append(outcome)
        if not outcome.hit:
            earlier.keep(one)
    return outcomes


class _Earlier:
    """The requests that were kept so far."""

    def __init__(self, requests: Sequence[Request], vectors: Vectors, *, blind: bool, noise: float = 0.0) -> None:
        self._chance = np.random.default_rng(_SEED)
        self._questions = EarlierQuestions()
        self._kept: list[Request] = []
        self._vectors = vectors
        self._held = np.empty((len(requests), vectors.shape[1]), np.float32)
        self._blind, self._noise = blind, noise

    def look_up(self, one: Request) -> tuple[Candidate, ...]:
        """The few nearest."""
        if not self._kept:
            return ()
        cosines = self._held[: len(self._kept)] @ self._vectors[one.row]
        around = min(NEIGHBOURS, len(self._kept))
        found = np.argpartition(-cosines, around - 1)[:around]
        nearest = found[np.argsort(-cosines[found])].tolist()
        return tuple(
            _candidate(one, self._kept[index], self._questions.features(one.text, cosines, nearest, index))
            for index in nearest[:_MOST_COMPARED]
        )

    def keep(self, one: Request) -> None:
        """Keep an answered one, with what its answer stood on."""
        self._held[len(self._kept)] = self._vectors[one.row]
        self._kept.append(one)
        own = self._chance.random() < self._noise
        self._questions.add(one.text, ("",) if self._blind else (f"own {one.row}" if own else one.meaning,))


def _candidate(asked: Request, other: Request, features: MeaningFeatures) -> Candidate:
    return Candidate(
        features=features,
        words_agree=asks_the_same(asked.text, other.text),
        asked=asked.text,
        earlier=other.text,
        right=asked.meaning == other.meaning,
    )


def fit(candidates: Sequence[Candidate], *, blind: bool) -> MeaningWeights:
    """Logistic regression with a ridge, by Newton's method, on the nearest candidates."""
    chosen = [one for one in candidates if 0.0 < how_sure(one.asked, one.earlier, one.features) < 1.0]
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


def measure(way: Way, tuned: Half, reported: Half) -> None:
    """Choose the threshold on the one half; print the curve and the result of the other."""

    here = [one.judged(way.judge) for one in tuned.looked(way)]
    there_judged = [one.judged(way.judge) for one in reported.looked(way)]

    def run(judged: Sequence[Judged], threshold: float) -> list[Outcome]:
        return [one.outcome(threshold) for one in judged]

    on_tuned = [point(run(here, threshold), threshold) for threshold in way.thresholds]
    good = [one for one in on_tuned if one.precision >= _PRECISION]
    chosen = max(good, key=lambda one: one.hit_rate) if good else on_tuned[-1]
    print(f"\n{way.name}\n  threshold   tuned: hit rate, precision   reported: hit rate, precision, hits")
    for one in on_tuned:
        there = point(run(there_judged, one.threshold), one.threshold)
        mark = "  <- chosen" if one is chosen else ""
        print(
            f"  {one.threshold:9.4f}   {one.hit_rate:.3f} {one.precision:.4f}"
            f"   {there.hit_rate:.3f} {there.precision:.4f} {there.hits:5d}{mark}"
        )
    print(f"  chosen: {intervals(run(there_judged, chosen.threshold))}")
    if not way.noise:
        live = live_stream(reported.requests, reported.vectors, way.judge, chosen.threshold, blind=way.blind)
        there = point(live, chosen.threshold)
        print(f"  hits not kept: {there.hit_rate:.3f} {there.precision:.4f}; {intervals(live)}", flush=True)


@dataclass(kw_only=True)
class Half:
    """One half of the intents, with the streams that were looked through already."""

    requests: list[Request]
    vectors: Vectors
    _streams: dict[tuple[bool, float], list[Looked]] = field(default_factory=dict)

    def looked(self, way: Way) -> list[Looked]:
        """The stream as this way sees it."""
        return self.stream(blind=way.blind, noise=way.noise)

    def stream(self, *, blind: bool, noise: float = 0.0) -> list[Looked]:
        """The stream; the same one is looked through once."""
        if (blind, noise) not in self._streams:
            self._streams[blind, noise] = stream(self.requests, self.vectors, blind=blind, noise=noise)
        return self._streams[blind, noise]

    def nearest(self, *, blind: bool) -> list[Candidate]:
        """The nearest earlier request of each, to fit on."""
        return [one.candidates[0] for one in self.stream(blind=blind) if one.candidates]


def main() -> None:
    """Fit on one half of the intents, report on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, help="requests, of a seeded order; all of them unless given")
    parser.add_argument("--vectors", type=Path, help="where the vectors are kept from run to run")
    options = parser.parse_args()
    requests = load_requests(options.folder, options.limit)
    vectors = _vectors(requests, options.vectors)
    tuned, reported = (Half(requests=half, vectors=vectors) for half in halves(requests))
    print(f"{len(tuned.requests)} requests tuned on, {len(reported.requests)} reported", flush=True)
    seen = fit(tuned.nearest(blind=False), blind=False)
    unseen = fit(tuned.nearest(blind=True), blind=True)
    for name, weights in (("learning", seen), ("no learning", unseen)):
        rounded = {one.name: round(getattr(weights, one.name), 2) for one in fields(weights)}
        print(f"{name}: {json.dumps(rounded)}", flush=True)
    cosines = (0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98)
    estimates = (*(round(0.8 + 0.01 * step, 2) for step in range(20)), 0.993, 0.995, 0.997)
    noisy = "verifier, learning, 10 % of what was learned is wrong"
    ways = (
        Way(name="fixed cosine", judge=by_cosine, thresholds=cosines, blind=True),
        Way(name="cosine and bot.same_question", judge=by_cosine_and_words, thresholds=cosines, blind=True),
        Way(name="verifier, no learning", judge=by_estimate(unseen), thresholds=estimates, blind=True),
        Way(name="verifier, learning", judge=by_estimate(seen), thresholds=estimates),
        Way(name=noisy, judge=by_estimate(seen), thresholds=estimates, noise=0.1),
    )
    for way in ways:
        measure(way, tuned, reported)


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
