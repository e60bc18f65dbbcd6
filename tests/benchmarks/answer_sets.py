"""Turns XQuAD's paragraphs and questions into rows for `lorekeeper eval answers`.

Run: python -m tests.benchmarks.answer_sets ../shared/data/xquad/en.jsonl --out xquad.jsonl
Each row has three paragraphs of the same article, in random order; an unanswerable row lacks the one with the answer.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path
from typing import Any


def build_rows(path: Path, *, rows: int, unanswerable: float, passages: int = 3, seed: int = 7) -> list[dict[str, Any]]:
    """Sample rows with a fixed seed: the same file and numbers give the same rows."""
    chance = random.Random(seed)
    questions = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    paragraphs: dict[str, list[str]] = defaultdict(list)
    for question in questions:
        if question["context"] not in paragraphs[question["title"]]:
            paragraphs[question["title"]].append(question["context"])
    usable = [question for question in questions if len(paragraphs[question["title"]]) > passages]
    sample = chance.sample(usable, min(rows, len(usable)))
    without_answer = round(unanswerable * len(sample))
    return [
        _row(question, paragraphs[question["title"]], position >= without_answer, passages, chance)
        for position, question in enumerate(sample)
    ]


def _row(
    question: dict[str, Any], paragraphs: list[str], answerable: bool, passages: int, chance: random.Random
) -> dict[str, Any]:
    others = [text for text in paragraphs if text != question["context"]]
    texts = chance.sample(others, passages - answerable) + [question["context"]] * answerable
    chance.shuffle(texts)
    title = question["title"].replace("_", " ")
    return {
        "id": question["id"],
        "history": [],
        "question": question["question"],
        "answerable": answerable,
        "passages": [{"title": title, "text": text} for text in texts],
        "answers": question["answers"] if answerable else [],
        "gold": [texts.index(question["context"])] if answerable else [],
    }


def main() -> None:
    """Write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("xquad", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=80)
    parser.add_argument("--unanswerable", type=float, default=0.25)
    options = parser.parse_args()
    rows = build_rows(options.xquad, rows=options.rows, unanswerable=options.unanswerable)
    options.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
