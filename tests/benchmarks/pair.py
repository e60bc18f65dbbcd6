"""Fine-tuning and retrieval together against each alone, on articles that the starter version never saw.

Run: python -m tests.benchmarks.pair --data ../shared/data --out FOLDER [--rows 216]
Each row has three paragraphs of one held-out XQuAD article; a quarter lacks the one with the answer. Asked are the
starter version without any text (what it knows by heart), the model as it comes with the text (the same instructions
and an example, as `tests.benchmarks.starter` writes them), the two together, and both models in the product, with its
choice of evidence and its checks. An answer is right where the gold words stand in it, or where it is rightly none.
Differences are paired, with 95 % intervals over articles; FOLDER/pair.png shows them.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.app import build
from bot.cli.output import print_table, progress_bar
from bot.evaluate.answers import evaluate_answers
from bot.evaluate.files import read_rows, write_rows
from bot.learn.intervals import Difference, bootstrap, compare
from bot.learn.pictures import Bar, draw_differences
from bot.settings import SETTINGS_FILE, load_settings, prepare_home
from models.child import ChildGenerator, Runtime
from models.registry import EMBEDDED, EMBEDDED_PLAIN, embedded_model
from models.starter import starter
from tests.benchmarks.starter import ask, held_out_rows, judge

Right = Mapping[str, bool]
"""Whether a row was answered rightly, by its id."""


@dataclass(frozen=True, kw_only=True)
class Alone:
    """A model asked by itself."""

    tuned: bool
    closed_book: bool


ALONE: Mapping[str, Alone] = {
    "tuned, no text": Alone(tuned=True, closed_book=True),
    "as it comes, no text": Alone(tuned=False, closed_book=True),
    "as it comes, with the text": Alone(tuned=False, closed_book=False),
    "tuned, with the text": Alone(tuned=True, closed_book=False),
}
IN_PRODUCT: Mapping[str, str] = {"product, as it comes": EMBEDDED_PLAIN, "product, tuned": EMBEDDED}
# Who is compared with whom: the pair with each alone, then in the product.
PAIRS = (
    ("tuned, with the text", "tuned, no text"),
    ("tuned, with the text", "as it comes, with the text"),
    ("product, tuned", "tuned, no text"),
    ("product, tuned", "tuned, with the text"),
    ("product, tuned", "product, as it comes"),
)


def alone(how: Alone, rows: Sequence[dict[str, Any]], file: Path, name: str) -> Right:
    """Ask one model by itself, once: what is in the file is not asked again."""
    if not file.exists():
        adapter = starter().path if how.tuned else None
        runtime = Runtime(adapter=adapter, context_tokens=2048)
        judged: list[dict[str, Any]] = []
        with closing(ChildGenerator(embedded_model().path, "pair", runtime)) as generator, progress_bar() as progress:
            for row in rows:
                progress(name, len(judged), len(rows))
                judged.append(judge(row, ask(generator, row, tuned=how.tuned, closed_book=how.closed_book)))
            progress(name, len(rows), len(rows))
        write_rows(file, judged)
    return {str(one["id"]): bool(one["contains"] if one["answerable"] else one["abstained"]) for one in read_rows(file)}


def in_product(model: str, rows: Path, folder: Path, file: Path) -> Right:
    """Ask the product with one model, once."""
    if not file.exists():
        home = folder / f"home-{model}"
        prepare_home(home)
        (home / SETTINGS_FILE).write_text(f"[model]\nname = {json.dumps(model)}\n", encoding="utf-8")
        with build(load_settings({}, home)) as application, progress_bar() as progress:
            evaluate_answers(rows, application, run_file=file, progress=progress)
    outcomes = [one["outcome"] for one in read_rows(file)]
    return {
        str(one["id"]): bool(one["abstained_rightly"] if one["contains_gold"] is None else one["contains_gold"])
        for one in outcomes
    }


def main() -> None:
    """Ask everybody, compare, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=216)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = held_out_rows(options.data, options.rows, 0.25, seed=17)
    for row in rows:
        row["group"] = row["id"].rpartition(":")[0]
    asked = options.out / "rows.jsonl"
    write_rows(asked, rows)
    right: dict[str, Right] = {}
    for name, how in ALONE.items():
        right[name] = alone(how, rows, options.out / f"{_file(name)}.jsonl", name)
    for name, model in IN_PRODUCT.items():
        right[name] = in_product(model, asked, options.out, options.out / f"{_file(name)}.jsonl")
    groups = {row["id"]: row["group"] for row in rows}
    print_table(
        ("right answers of", "share", "95 %", "rows", "articles"), [_share(name, right[name], groups) for name in right]
    )
    bars = []
    for first, second in PAIRS:
        found = _difference(right[first], right[second], groups)
        print(f"{first} minus {second}: {found}")
        verdict = "better" if found.low > 0 else "worse" if found.high < 0 else ""
        note = f"{_mean(right[second]):.2f} → {_mean(right[first]):.2f}"
        name = f"{first}\nagainst {second}"
        bars.append(Bar(name=name, mean=found.mean, low=found.low, high=found.high, note=note, verdict=verdict))
    draw_differences(
        bars,
        title="Fine-tuning and retrieval together, against each alone",
        beneath=f"{len(rows)} questions to {len(set(groups.values()))} articles that nothing was trained on",
        file=options.out / "pair.png",
    )


def _share(name: str, right: Right, groups: Mapping[str, str]) -> tuple[object, ...]:
    interval = bootstrap([float(value) for value in right.values()], [groups[one] for one in right])
    return (
        name,
        f"{_mean(right):.2f}",
        f"{interval.low:.2f} to {interval.high:.2f}",
        len(right),
        len({*groups.values()}),
    )


def _difference(ours: Right, others: Right, groups: Mapping[str, str]) -> Difference:
    both = [one for one in ours if one in others]
    return compare(
        [float(ours[one]) for one in both], [float(others[one]) for one in both], [groups[one] for one in both]
    )


def _mean(right: Right) -> float:
    return sum(right.values()) / len(right)


def _file(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "_")


if __name__ == "__main__":
    main()
