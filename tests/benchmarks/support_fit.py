"""Fits the weights of `bot.support` and says how well they tell answerable questions from others.

Run: python -m tests.benchmarks.support_fit ../shared/data [--sets clapnq xquad mtrag/clapnq mtrag/fiqa]
         [--features FILE.jsonl] [--picture FILE.svg] [--home FOLDER]

Half of the groups (conversations, articles) are fitted, the other half is reported, with bootstrap intervals over
groups. `--features` keeps what was measured, so that a second run embeds nothing. It does not change code: copy the
printed weights into `bot/support.py`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bot.app import open_embedder, open_parser, query_side, retrieval_options
from bot.database import open_database
from bot.evaluate.files import read_rows
from bot.evaluate.passages import GivenPassage, PassageSource, index_passages
from bot.evaluate.retrieval import corpus_database, load_corpus, load_queries
from bot.evidence import as_read, rank_evidence
from bot.greeting import small_talk
from bot.settings import Settings, load_settings
from bot.support import FITTED, SupportFeatures, SupportWeights, estimate_support, support_features
from knowledge.audience import Audience
from knowledge.document import HistoryTurn, Passage, Question
from knowledge.embed import Embedder
from knowledge.library import Library
from knowledge.parse import Parser
from knowledge.query_side import QuerySide

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
SETS = ("clapnq", "xquad", "mtrag/clapnq", "mtrag/fiqa")
# People called few of MTRAG's turns unanswerable, 35 of 423: enough to report, too few to fit on. FiQA is kept out as a
# domain that nothing was fitted on.
REPORTED_ONLY = frozenset({"mtrag/clapnq", "mtrag/fiqa", "mtrag/fiqa found"})
NAMES = tuple(field.name for field in fields(SupportFeatures))
# Enough to keep the weights of a handful of features small on a few hundred questions.
_RIDGE = 0.5
_ANSWERABLE = {"ANSWERABLE": True, "PARTIAL": True, "UNANSWERABLE": False, "CONVERSATIONAL": False}
_SEED = 7
_ROUNDS = 1_000
_BINS = 10


@dataclass(frozen=True, kw_only=True)
class Example:
    """A question's features, whether it can be answered, and what it must not be parted from."""

    set: str
    id: str
    group: str
    answerable: bool
    features: SupportFeatures

    @property
    def half(self) -> int:
        """0 to fit on, 1 to report."""
        return hashlib.sha256(self.group.encode()).digest()[0] % 2


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What questions are asked with."""

    settings: Settings
    embedder: Embedder
    query_side: QuerySide
    parser: Parser

    def measure(self, library: Library, question: Question) -> tuple[SupportFeatures, tuple[Passage, ...]]:
        """The features of one question, and the passages found."""
        found = library.retrieve(question, Audience.everyone(), self.settings.file.answer.passages)
        evidence = rank_evidence(question, as_read(found.passages), found.query_vector, self.embedder)
        return support_features(question, found.passages, evidence), found.passages

    def measure_given(self, question: Question, passages: Sequence[GivenPassage]) -> SupportFeatures:
        """The features of a question that comes with its passages."""
        options = retrieval_options(self.settings.file)
        with Library.in_memory(self.embedder, options, query_side=self.query_side) as library:
            source = PassageSource(id="row", passages=passages)
            index_passages(library, source, self.parser, chunk_tokens=self.settings.file.knowledge.chunk_tokens)
            return self.measure(library, question)[0]


def clapnq(folder: Path, bench: Bench) -> Iterator[Example]:
    """Questions with one passage of the right article: the unanswerable lack the answer, not the topic."""
    for row in read_rows(folder / "clapnq" / "answers.jsonl.xz"):
        given = [GivenPassage(uri="p", title=one["title"], text=one["text"]) for one in row["passages"]]
        features = bench.measure_given(Question(text=row["question"]), given)
        answerable = _ANSWERABLE[row["answerable"]]
        yield Example(set="clapnq", id=row["id"], group=given[0].title, answerable=answerable, features=features)


def xquad(folder: Path, bench: Bench) -> Iterator[Example]:
    """Each question with its own paragraph, and with another one of the same article."""
    rows = list(read_rows(folder / "xquad" / "en.jsonl"))
    chance = random.Random(_SEED)
    for row in rows:
        others = sorted({one["context"] for one in rows if one["title"] == row["title"]} - {row["context"]})
        for answerable, text in ((True, row["context"]), (False, chance.choice(others) if others else "")):
            if text:
                given = [GivenPassage(uri="p", title=row["title"].replace("_", " "), text=text)]
                features = bench.measure_given(Question(text=row["question"]), given)
                yield Example(set="xquad", id=row["id"], group=row["title"], answerable=answerable, features=features)


def mtrag(domain: str, folder: Path, bench: Bench) -> Iterator[Example]:
    """Turns of conversations, searched in the pool with their raw history: once with the labels that people gave, and
    once with whether a relevant passage is among those found, which is what the search makes of it."""
    place = folder / "mtrag" / domain
    gains = {query.id: query.gains for query in load_queries(place)}
    engine = open_database(f"sqlite:///{corpus_database(place, bench.settings, bench.embedder)}")
    options = retrieval_options(bench.settings.file)
    library = Library.open(engine, bench.embedder, None, options, query_side=bench.query_side)
    source = PassageSource(id="corpus", passages=load_corpus(place))
    index_passages(library, source, bench.parser, chunk_tokens=bench.settings.file.knowledge.chunk_tokens)
    for row in read_rows(place / "answers.jsonl.xz"):
        # What is taken for small talk is never estimated.
        if small_talk(row["question"]):
            continue
        history = tuple(HistoryTurn(role=turn["role"], text=turn["text"]) for turn in row["history"])
        features, passages = bench.measure(library, Question(text=row["question"], history=history))
        found = any(gains.get(row["id"], {}).get(passage.uri, 0) > 0 for passage in passages)
        group = row["id"].split("<::>")[0]
        labels = {f"mtrag/{domain}": _ANSWERABLE[row["answerable"]], f"mtrag/{domain} found": found}
        for name, answerable in labels.items():
            yield Example(set=name, id=row["id"], group=group, answerable=answerable, features=features)
    library.close()
    engine.dispose()


def fit(examples: Sequence[Example], used: Sequence[bool] = (True,) * len(NAMES)) -> SupportWeights:
    """Logistic regression with a ridge, by Newton's method; all sets weigh the same, and both classes in each."""
    kept = np.asarray(used, float)
    x = np.asarray([[1.0, *(np.asarray(astuple(example.features)) * kept)] for example in examples])
    y = np.asarray([float(example.answerable) for example in examples])
    weigh = balance(examples) * len(examples)
    ridge = np.diag([0.0] + [_RIDGE] * (x.shape[1] - 1))
    weights = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (weigh * (p - y)) + ridge @ weights
        hessian = (x * (weigh * p * (1 - p))[:, None]).T @ x + ridge
        step = np.linalg.solve(hessian, gradient)
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    bias, *others = (float(weight) for weight in weights)
    return SupportWeights(bias=bias, weights=tuple(others))


def balance(examples: Sequence[Example]) -> Floats:
    """What each example weighs, 1 in all: sets alike, and answerable or not alike within a set."""
    keys = [(example.set, example.answerable) for example in examples]
    counts = {key: keys.count(key) for key in set(keys)}
    return np.asarray([1 / (counts[key] * len(counts)) for key in keys])


def auroc(scores: Floats, labels: Bools) -> float:
    """The chance that an answerable question scores above another."""
    positive, negative = scores[labels], scores[~labels]
    if not len(positive) or not len(negative):
        return float("nan")
    return float(((positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)).mean())


def interval(examples: Sequence[Example], scores: Floats) -> tuple[float, float]:
    """The 95 % interval of the AUROC, drawing groups with replacement."""
    rows_of: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        rows_of.setdefault(example.group, []).append(row)
    labels = _labels(examples)
    chance = random.Random(_SEED)
    groups = list(rows_of)
    drawn = []
    for _ in range(_ROUNDS):
        rows = [row for group in chance.choices(groups, k=len(groups)) for row in rows_of[group]]
        drawn.append(auroc(scores[rows], labels[rows]))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return float(low), float(high)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Estimates that lie close together: their mean, the share that can be answered, and how much they weigh."""

    said: float
    true: float
    weight: float


def reliability(examples: Sequence[Example], scores: Floats) -> list[Bin]:
    """Tenths of the estimates from 0 to 1, both classes of a set weighing the same."""
    weigh, labels = balance(examples), _labels(examples)
    place = np.minimum((scores * _BINS).astype(int), _BINS - 1)
    found = []
    for number in range(_BINS):
        chosen = place == number
        total = float(weigh[chosen].sum())
        if total:
            said, true = (float((weigh * values)[chosen].sum() / total) for values in (scores, labels.astype(float)))
            found.append(Bin(said=said, true=true, weight=total))
    return found


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error: how far what was said is from what was true."""
    return sum(one.weight * abs(one.said - one.true) for one in bins)


def report(examples: Sequence[Example], fitted: SupportWeights) -> None:
    """Print the figures of each set, and what thresholds would do."""
    print(f"{'set':22}    n answerable AUROC  (95 %)        Brier  ECE | thresholds: answered/refused rightly")
    for name in [*dict.fromkeys(example.set for example in examples), "all"]:
        chosen = [example for example in examples if name in (example.set, "all")]
        scores, labels, weigh = _scores(chosen, fitted), _labels(chosen), balance(chosen)
        low, high = interval(chosen, scores)
        brier = float((weigh * (scores - labels) ** 2).sum())
        error = calibration_error(reliability(chosen, scores))
        cuts = " ".join(
            f".{cut}: {(scores >= cut / 10)[labels].mean():.2f}/{(scores < cut / 10)[~labels].mean():.2f}"
            for cut in (3, 4, 5, 6)
        )
        figures = f"{auroc(scores, labels):.3f} ({low:.3f}-{high:.3f})  {brier:.3f}  {error:.3f}"
        print(f"{name:22} {len(chosen):4} {labels.mean():10.2f} {figures} | {cuts}")


def compare(fitting: Sequence[Example], held: Sequence[Example]) -> None:
    """Print what each feature does alone, and what is lost without it."""
    names = list(dict.fromkeys(example.set for example in held))
    print(f"\n{'AUROC on the held half':34}", *(f"{name:>20}" for name in names))

    def line(title: str, score: Callable[[Sequence[Example]], Floats]) -> None:
        parts = [[example for example in held if example.set == name] for name in names]
        print(f"{title:34}", *(f"{auroc(score(part), _labels(part)):20.3f}" for part in parts))

    for place, name in enumerate(NAMES):
        line(f"{name} alone", _by_feature(place))
    for place, name in enumerate(NAMES):
        fitted = fit(fitting, [number != place for number in range(len(NAMES))])
        line(f"all without {name}", _by_fit(fitted))
    fitted = fit(fitting)
    line("all", _by_fit(fitted))
    line("the weights in the code", _by_fit(FITTED))
    for share in (8, 4, 2):
        fewer = [one for one in fitting if hashlib.sha256(one.group.encode()).digest()[1] % share == 0]
        part_fit = fit(fewer)
        line(f"all, fitted on 1/{share} of that half", _by_fit(part_fit))


def picture(curves: Mapping[str, Sequence[Bin]]) -> str:
    """Draw the reliability of each set: said against true, the size of a point by its weight."""
    size, edge, colors = 360, 50, ("#1d7a52", "#b3541e", "#3566a8", "#7a3d8f", "#8a7a1d", "#1d1c1d", "#a03050")
    dots, names = [], []
    for place, (name, bins) in enumerate(curves.items()):
        color = colors[place % len(colors)]
        points = [(edge + one.said * size, edge + (1 - one.true) * size, 2 + 14 * one.weight**0.5) for one in bins]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y, _ in points)
        dots.append(f'<polyline points="{path}" fill="none" stroke="{color}"/>')
        dots += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{r:.1f}" fill="{color}" opacity=".6"/>' for x, y, r in points]
        names.append(f'<text x="{size + edge + 16}" y="{edge + 20 * (place + 1)}" fill="{color}">{name}</text>')
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{size + 240}" height="{size + 2 * edge}" '
            'font-family="sans-serif" font-size="14"><rect width="100%" height="100%" fill="#fff"/>',
            f'<rect x="{edge}" y="{edge}" width="{size}" height="{size}" fill="none" stroke="#999"/>',
            f'<line x1="{edge}" y1="{edge + size}" x2="{edge + size}" y2="{edge}" stroke="#999"/>',
            *dots,
            *names,
            f'<text x="{edge}" y="{size + edge + 24}">estimate, 0 to 1</text>',
            f'<text x="{edge}" y="{edge - 12}">share that can be answered, 0 to 1</text></svg>',
        )
    )


def main() -> None:
    """Collect, fit on one half, report on the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS)
    parser.add_argument("--features", type=Path)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    examples = _kept(options.features) if options.features and options.features.is_file() else []
    if not examples:
        examples = _collect(options.data, options.sets, options.home)
        if options.features:
            lines = (json.dumps(asdict(example)) for example in examples)
            options.features.write_text("\n".join(lines), encoding="utf-8")
    fitting, held = ([example for example in examples if example.half == half] for half in (0, 1))
    fitting = [example for example in fitting if example.set not in REPORTED_ONLY]
    fitted = fit(fitting)
    rounded = SupportWeights(bias=round(fitted.bias, 2), weights=tuple(round(one, 2) for one in fitted.weights))
    print(rounded, dict(zip(NAMES, rounded.weights, strict=True)), sep="\n", end="\n\n")
    report(held, rounded)
    compare(fitting, held)
    if options.picture:
        sets = {name: [one for one in held if one.set == name] for name in dict.fromkeys(one.set for one in held)}
        curves = {name: reliability(part, _scores(part, rounded)) for name, part in sets.items()}
        options.picture.write_text(picture(curves), encoding="utf-8")


def _collect(data: Path, sets: Sequence[str], home: Path | None) -> list[Example]:
    settings = load_settings(os.environ, home)
    with open_parser(settings.file) as documents:
        embedder = open_embedder(settings, None)
        side = query_side(settings, embedder)
        bench = Bench(settings=settings, embedder=embedder, query_side=side, parser=documents)
        makers: dict[str, Callable[[Path, Bench], Iterator[Example]]] = {"clapnq": clapnq, "xquad": xquad}
        makers |= {f"mtrag/{domain}": _mtrag(domain) for domain in ("clapnq", "fiqa")}
        return [example for name in sets for example in makers[name](data, bench)]


def _mtrag(domain: str) -> Callable[[Path, Bench], Iterator[Example]]:
    return lambda folder, bench: mtrag(domain, folder, bench)


def _kept(file: Path) -> list[Example]:
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [Example(**{**row, "features": SupportFeatures(**row["features"])}) for row in rows]


def _by_feature(place: int) -> Callable[[Sequence[Example]], Floats]:
    return lambda part: np.asarray([astuple(one.features)[place] for one in part])


def _by_fit(fitted: SupportWeights) -> Callable[[Sequence[Example]], Floats]:
    return lambda part: _scores(part, fitted)


def _scores(examples: Sequence[Example], fitted: SupportWeights) -> Floats:
    return np.asarray([estimate_support(example.features, fitted) for example in examples])


def _labels(examples: Sequence[Example]) -> Bools:
    return np.asarray([example.answerable for example in examples], bool)


if __name__ == "__main__":
    main()
