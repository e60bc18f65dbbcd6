"""How often documents are said to disagree where they do not, and how often a disagreement is seen.

Run: python -m tests.benchmarks.disagreement ../shared/data [--show 20]
False alarms: ordinary questions over collections in which nobody planted anything. MTRAG's conversational questions,
each over the ten passages that the best published search found; questions to hotels and restaurants, each over the ten
answers of other houses to the most similar questions, with the house's name in the question and without; and all
sentences of eight documentation trees that share their words with one in another file, each asked for by its heading.
No vector is made: every sentence counts as the best, so that this is the most that could be said. Seen: a value is
changed in a sentence of a passage that answers, in an older document beside it.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import re
import tarfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.disagreement import Disagreement, find_disagreement
from bot.evidence import Evidence
from bot.sentences import content_words, split_sentences
from bot.statement import read_statement
from knowledge.audience import EVERYONE
from knowledge.document import Passage

_SEED = 7
_PARTS = ("conversations", "houses", "trees", "seen")
_FOUND = 10
_BEST_RUN = re.compile(r"elser.*rewrite", re.IGNORECASE)
_HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$", re.MULTILINE)
_NUMBER = re.compile(r"(?<![\w.,/:-])[1-9]\d{0,3}(?![\w.,/:-]*\d)")


@dataclass(kw_only=True)
class Count:
    """Questions asked, and those with an alarm."""

    name: str
    asked: int = 0
    alarms: int = 0

    def add(self, question: str, found: Disagreement | None, passages: Sequence[Passage], shown: list[str]) -> None:
        """Count one question."""
        self.asked += 1
        if found is not None:
            self.alarms += 1
            said = [f"{passages[one.evidence.passage].header}: {one.evidence.text}" for one in _all(found)]
            shown.append(f"[{self.name}] {question}\n    " + "\n    ".join(said))

    def row(self) -> str:
        """A row of the table."""
        return f"| {self.name} | {self.asked} | {self.alarms} | {100 * self.alarms / max(1, self.asked):.2f} % |"


def main() -> None:
    """Print both tables, and some alarms to look at."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--show", type=int, default=0, help="so many alarms of each set")
    parser.add_argument("--only", nargs="+", choices=_PARTS, default=_PARTS)
    arguments = parser.parse_args()
    print("| ordinary questions | asked | alarms | share |\n|---|---|---|---|", flush=True)
    shown: list[list[str]] = []
    for count, alarms in _ordinary(arguments.data, arguments.only):
        print(count.row(), flush=True)
        shown.append(alarms)
    print("\n| a value changed in an older document | sentences | read | seen |\n|---|---|---|---|")
    for name in ("clapnq", "fiqa") if "seen" in arguments.only else ():
        print(_seen(name, arguments.data / "mtrag" / name), flush=True)
    chance = random.Random(_SEED)
    for alarms in shown:
        print(*chance.sample(alarms, min(arguments.show, len(alarms))), sep="\n")


def _ordinary(data: Path, only: Sequence[str]) -> Iterator[tuple[Count, list[str]]]:
    for name in ("clapnq", "fiqa") if "conversations" in only else ():
        yield _conversations(name, data / "mtrag" / name)
    if "houses" in only:
        houses = json.loads((data / "dstc11t5" / "knowledge.json").read_text())
        yield _houses("hotels and restaurants, named", houses, named=True)
        yield _houses("hotels and restaurants, not named", houses, named=False)
    for archive in sorted((data / "docs_corpora").glob("*.tar.xz")) if "trees" in only else ():
        yield _tree(archive)


def _conversations(name: str, folder: Path) -> tuple[Count, list[str]]:
    corpus = {row["_id"]: row for row in _lines(folder / "corpus.jsonl.xz")}
    run = next(row for row in _lines(folder / "published_runs.jsonl.xz") if _BEST_RUN.search(row["run"]))
    queries = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    count, shown = Count(name=f"MTRAG {name}"), list[str]()
    for query in queries:
        found = [corpus[key] for key, _ in run["results"].get(query["_id"], [])[:_FOUND] if key in corpus]
        passages = [
            _passage(number, row["_id"].partition("_")[0], row["title"], row["title"], row["text"])
            for number, row in enumerate(found)
        ]
        count.add(query["rewrite"], _find(query["rewrite"], passages), passages, shown)
    return count, shown


def _houses(name: str, houses: dict[str, Any], *, named: bool) -> tuple[Count, list[str]]:
    """Each question to a house, over what the houses say to the questions most like it."""
    answers = [
        (house["name"], one["question"], one["answer"])
        for domain in houses.values()
        for house in domain.values()
        for one in house.get("faqs", {}).values()
    ]
    words = [frozenset(content_words(question)) for _, question, _ in answers]
    holding: defaultdict[str, set[int]] = defaultdict(set)
    for number, said in enumerate(words):
        for word in said:
            holding[word].add(number)
    count, shown = Count(name=name), list[str]()
    for number, (house, question, _) in enumerate(answers):
        near = Counter(other for word in words[number] for other in holding[word])
        best = sorted(near, key=lambda other: (-near[other] / len(words[other] | words[number]), other))[:_FOUND]
        passages = [
            _passage(
                place,
                answers[other][0],
                answers[other][0],
                f"{answers[other][0]} > {answers[other][1]}",
                answers[other][2],
            )
            for place, other in enumerate({number: None, **dict.fromkeys(best)})
        ]
        asked = f"{question} ({house})" if named else question
        count.add(asked, _find(asked, passages), passages, shown)
    return count, shown


def _tree(archive: Path) -> tuple[Count, list[str]]:
    """All sentences of a tree that share their words, each asked for by its heading together with the other files'."""
    sections = list(_sections(archive))
    groups: defaultdict[tuple[object, ...], list[tuple[int, str]]] = defaultdict(list)
    total = 0
    for number, passage in enumerate(sections):
        for text in split_sentences(passage.text):
            statement = read_statement(text)
            if statement is not None:
                total += 1
                kinds = tuple(value.kind for value in statement.values)
                groups[frozenset(statement.words.items()), kinds].append((number, text))
    count, shown = Count(name=archive.name.removesuffix(".tar.xz")), list[str]()
    for members in groups.values():
        for number, text in members:
            near = [sections[other] for other, _ in members if other != number][: _FOUND - 1]
            passages = [replace(one, id=place) for place, one in enumerate((sections[number], *near))]
            texts = [text, *(said for other, said in members if other != number)][:_FOUND]
            held = [replace(one, text=said) for one, said in zip(passages, texts, strict=False)]
            question = " ".join(sections[number].header.split(" > ")[-2:])
            count.add(question, _find(question, held), held, shown)
    count.asked = total
    return count, shown


def _sections(archive: Path) -> Iterator[Passage]:
    number = 0
    with tarfile.open(archive) as files:
        for member in files:
            file = files.extractfile(member) if member.isfile() and member.name.endswith((".md", ".rst")) else None
            if file is None:
                continue
            text = file.read().decode("utf-8", "replace")
            marks = [(0, ""), *((match.end(), match.group(2)) for match in _HEADING.finditer(text))]
            title = next((heading for _, heading in marks if heading), Path(member.name).stem)
            for (start, heading), (end, _) in zip(marks, [*marks[1:], (len(text), "")], strict=True):
                header = f"{title} > {heading}" if heading and heading != title else title
                yield _passage(number, member.name, title, header, text[start:end])
                number += 1


def _seen(name: str, folder: Path) -> str:
    """Change a value in sentences of passages that answer; how many of those does the detector read, and see?"""
    chance = random.Random(_SEED)
    asked = read = seen = 0
    for row in _lines(folder / "answers.jsonl.xz"):
        for passage in row["passages"][:1]:
            for text in split_sentences(passage["text"])[1:]:
                numbers = list(_NUMBER.finditer(text))
                if not numbers:
                    continue
                asked += 1
                changed = chance.choice(numbers)
                other = str(int(changed.group()) + chance.choice((1, 2, 3, 5, 10)))
                now = _passage(0, "now", "Handbook", "Handbook", text)
                before = f"{text[: changed.start()]}{other}{text[changed.end() :]}"
                then = replace(
                    _passage(1, "then", "Old wiki", "Old wiki", before), modified_at=datetime(2019, 1, 1, tzinfo=UTC)
                )
                now = replace(now, modified_at=datetime(2026, 1, 1, tzinfo=UTC))
                read += read_statement(text) is not None
                found = _find(row["question"], [then, now])
                seen += found is not None and found.answered.evidence.passage == 1
    return f"| MTRAG {name} | {asked} | {read} | {seen} ({100 * seen / max(1, asked):.0f} %) |"


def _find(question: str, passages: Sequence[Passage]) -> Disagreement | None:
    evidence = [
        Evidence(text=text, passage=number, position=position, score=1.0, cosine=1.0, word_share=1.0)
        for number, passage in enumerate(passages)
        for position, text in enumerate(split_sentences(passage.text))
    ]
    return find_disagreement(question, evidence, passages, compared=10_000)


def _all(found: Disagreement) -> Iterator[Any]:
    yield found.answered
    yield from found.others


def _passage(number: int, uri: str, title: str, header: str, text: str) -> Passage:
    return Passage(
        id=number,
        document_id=number,
        source="s",
        uri=uri,
        title=title,
        header=header,
        text=text,
        text_hash=str(number),
        audience=EVERYONE,
        score=1.0,
        cosine=1.0,
        word_score=1.0,
    )


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


if __name__ == "__main__":
    main()
