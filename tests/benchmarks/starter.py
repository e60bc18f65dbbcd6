"""What the starter version can do on articles that it never saw: the model alone, over three whole passages.

Run: python -m tests.benchmarks.starter --data ../shared/data [--adapter FILE] [--rows 160] [--out run.jsonl]
Each row has three paragraphs of one held-out XQuAD article in random order; a quarter lacks the one with the answer.
The base model gets the same text with the instructions and the example that serve it best, the tuned one its own form.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from bot.cite import says_not_answered, without_markers
from bot.evaluate.scores import contains_answer
from bot.prompt import EXAMPLE, Manner, numbered_passages
from models.child import ChildGenerator, Runtime
from models.generator import ChatMessage, GenerationOptions
from models.registry import embedded_model
from tests.benchmarks.starter_data import Asked, conversation_of, part_of, read_lines, read_xquad

_NUMBER = re.compile(r"\[(\d+)\]")
_OPTIONS = GenerationOptions(max_tokens=96, repeat_penalty=1.0)


def held_out_rows(data: Path, rows: int, unanswerable: float, seed: int) -> list[dict[str, Any]]:
    """Questions to articles that are in no other part."""
    chance = random.Random(seed)
    found: list[tuple[str, list[str], Asked]] = []
    for title, (paragraphs, asked) in read_xquad(data / "xquad/en.jsonl").items():
        if part_of("xquad", title) == "test" and len(paragraphs) > 3:
            found += [(title, paragraphs, one) for one in asked]
    chance.shuffle(found)
    made = []
    for number, (title, paragraphs, one) in enumerate(found[:rows]):
        answerable = number >= round(unanswerable * min(rows, len(found)))
        others = [text for at, text in enumerate(paragraphs) if at != one.paragraph and one.answer not in text]
        if len(others) < 3 - answerable:
            continue
        texts = chance.sample(others, 3 - answerable) + [paragraphs[one.paragraph]] * answerable
        chance.shuffle(texts)
        made.append(
            {
                "id": f"{title}:{number}",
                "history": [],
                "question": one.text,
                "answerable": answerable,
                "passages": [{"title": title.replace("_", " "), "text": text} for text in texts],
                "answers": [one.answer] if answerable else [],
                "gold": [texts.index(paragraphs[one.paragraph])] if answerable else [],
            }
        )
    return made


def held_out_answers(data: Path, corpus: str, rows: int, seed: int) -> list[dict[str, Any]]:
    """Questions with long answers that are in no other part: CLAPNQ's own, or turns of MTRAG's conversations."""
    if corpus == "clapnq":
        found = read_lines(data / "clapnq/answers.jsonl.xz")
        found = [row for row in found if part_of(corpus, row["id"]) == "test"]
    else:
        found = [row for name in ("clapnq", "fiqa") for row in read_lines(data / f"mtrag/{name}/answers.jsonl.xz")]
        found = [row for row in found if part_of(corpus, conversation_of(row)) == "test"]
    found = [row for row in found if row["answerable"] in ("ANSWERABLE", "UNANSWERABLE")]
    return random.Random(seed).sample(found, min(rows, len(found)))


def ask(generator: ChildGenerator, row: dict[str, Any], *, tuned: bool, closed_book: bool = False) -> str:
    """The model's own words, unchecked; of a closed book, what it knows by heart."""
    if closed_book:
        knows_by_heart = (ChatMessage(role="user", content=row["question"]),)
        return "".join(generator.stream(knows_by_heart, _OPTIONS)).strip()
    text = numbered_passages([passage["text"] for passage in row["passages"]])
    cite = "" if tuned else " Name the number of the passage that you used, like [1]."
    messages = (
        ChatMessage(role="system", content=Manner(tuned=tuned).instructions + cite),
        *(() if tuned else EXAMPLE),
        ChatMessage(role="user", content=f"Text: {text}\n\nQuestion: {row['question']}"),
    )
    return "".join(generator.stream(messages, _OPTIONS)).strip()


def judge(row: dict[str, Any], said: str) -> dict[str, Any]:
    """What became of one row."""
    abstained = says_not_answered(said)
    cited = {int(number) - 1 for number in _NUMBER.findall(said)}
    return {
        "id": row["id"],
        "answerable": row["answerable"],
        "said": said,
        "abstained": abstained,
        "contains": row["answerable"] and contains_answer(without_markers(said), row["answers"]),
        "cited_right": row["answerable"] and cited == set(row["gold"]),
    }


def share(values: Iterable[bool]) -> float:
    """How many of them hold."""
    kept = list(values)
    return sum(kept) / len(kept) if kept else float("nan")


def main() -> None:
    """Measure one model and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--rows", type=int, default=160)
    parser.add_argument("--unanswerable", type=float, default=0.25)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--closed-book", action="store_true", help="without any text: what the model knows by itself")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--corpus", choices=["xquad", "clapnq", "mtrag"], default="xquad", help="of --write-rows")
    parser.add_argument("--write-rows", type=Path, help="only write the rows, for `lorekeeper eval answers`")
    options = parser.parse_args()
    rows = held_out_rows(options.data, options.rows, options.unanswerable, seed=17)
    if options.corpus != "xquad":
        rows = held_out_answers(options.data, options.corpus, options.rows, seed=17)
    if options.write_rows:
        options.write_rows.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return
    runtime = Runtime(adapter=options.adapter, threads=options.threads, context_tokens=2048)
    tuned = options.adapter is not None
    started = time.monotonic()
    with closing(ChildGenerator(embedded_model().path, "starter", runtime)) as generator:
        judged = [judge(row, ask(generator, row, tuned=tuned, closed_book=options.closed_book)) for row in rows]
    if options.out:
        options.out.write_text("".join(json.dumps(row) + "\n" for row in judged), encoding="utf-8")
    can = [row for row in judged if row["answerable"]]
    cannot = [row for row in judged if not row["answerable"]]
    print(f"{len(can)} answerable, {len(cannot)} not; {(time.monotonic() - started) / len(rows):.2f} s a question")
    print(f"contains the gold text       {share(row['contains'] for row in can):.2f}")
    print(f"cites the right passage only {share(row['cited_right'] for row in can):.2f}")
    print(f"says so when it cannot       {share(row['abstained'] for row in cannot):.2f}")
    print(f"says so wrongly              {share(row['abstained'] for row in can):.2f}")


if __name__ == "__main__":
    main()
