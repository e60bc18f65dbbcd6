"""Is a function found by what its docstring says, where the docstring itself is not indexed?

    python -m tests.benchmarks.code_search [FOLDER] [--functions 300]

Every documented function of a folder of Python files (this project's `knowledge` unless one is named) is asked for by
the first sentence of its docstring. All docstrings are taken out of the indexed files first, so that the code and its
names must answer. Found is a function where a passage holds at least half of its lines, or lies by half in it.
Beside the product's cuts: windows of whole lines of the same size, under the file's path and without it.
"""

from __future__ import annotations

import argparse
import ast
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.learn.intervals import compare
from knowledge.audience import Audience
from knowledge.chunk import CHUNK_TOKENS, Chunker
from knowledge.code import Code
from knowledge.document import Chunk, Question
from knowledge.library import Library
from knowledge.measure import mean
from knowledge.outline import outline_of
from knowledge.parse import ParsedDocument
from knowledge.query_side import QuerySide
from tests.benchmarks.kept_vectors import DEFAULT_FILE, KeptVectors, open_kept
from tests.knowledge.shelf import Shelf

_TOP = 5
_OURS = "functions (the product)"
_PEER = "windows of lines, under the path"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A function and the sentence that describes it."""

    path: str
    first: int
    last: int
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Stripped:
    """A file without docstrings, and the functions that had one."""

    text: str
    asked: Sequence[Asked]


def strip(path: str, text: str) -> Stripped:
    """Take the docstrings out; line numbers are those of what is left."""
    nodes = [one for one in ast.walk(ast.parse(text)) if isinstance(one, ast.FunctionDef | ast.ClassDef | ast.Module)]
    gone: set[int] = set()
    for node in nodes:
        first = node.body[0] if node.body else None
        # A body that is nothing but its docstring keeps its lines: it would be no code any more.
        if ast.get_docstring(node) and len(node.body) > 1 and first is not None:
            gone.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = text.split("\n")
    kept = [number for number in range(1, len(lines) + 1) if number not in gone]
    place = {number: at for at, number in enumerate(kept, start=1)}
    asked = [
        Asked(path=path, first=place[node.lineno], last=place[node.end_lineno or node.lineno], sentence=sentence)
        for node in nodes
        if isinstance(node, ast.FunctionDef)
        and len(node.body) > 1
        and (sentence := _first_sentence(ast.get_docstring(node) or ""))
        and node.end_lineno in place
    ]
    return Stripped(text="\n".join(lines[number - 1] for number in kept), asked=asked)


def _first_sentence(docstring: str) -> str:
    sentence = " ".join(docstring.split("\n\n")[0].split()).split(". ")[0]
    return sentence if len(sentence.split()) >= 4 else ""


def functions(path: str, text: str, chunker: Chunker) -> Iterator[Chunk]:
    """As the bot cuts."""
    code = Code(language="python", parts=outline_of(text, "python"))
    yield from chunker.split(ParsedDocument(title=path, markdown=text, code=code))


def windows(path: str, text: str, embedder: KeptVectors, header: str) -> Iterator[Chunk]:
    """As many whole lines as fit, one window after another."""
    room = CHUNK_TOKENS - embedder.count_tokens(header)
    held: list[str] = []
    used, line, ordinal = 0, 1, 0
    for number, one in enumerate(text.split("\n"), start=1):
        size = len(embedder.tokenizer.encode(one, add_special_tokens=False).ids)
        if held and used + size > room:
            yield Chunk(ordinal=ordinal, header=header, text="\n".join(held), line=line)
            held, used, line, ordinal = [], 0, number, ordinal + 1
        held.append(one)
        used += size
    if any(map(str.strip, held)):
        yield Chunk(ordinal=ordinal, header=header, text="\n".join(held), line=line)


def hits(
    files: Mapping[str, Stripped], asked: Sequence[Asked], way: str, embedder: KeptVectors, side: QuerySide
) -> list[int | None]:
    """The rank (from 0) at which each function is found, within the first five."""
    chunker = Chunker(embedder.tokenizer, CHUNK_TOKENS)
    cut: dict[str, list[Chunk]] = {}
    for path, file in files.items():
        if way == _OURS:
            cut[path] = list(functions(path, file.text, chunker))
        else:
            cut[path] = list(windows(path, file.text, embedder, path if way == _PEER else ""))
    # Many at once: the shelf asks for each again, and finds it kept.
    embedder.embed([chunk.embedded_text for chunks in cut.values() for chunk in chunks])
    places: dict[tuple[str, str], tuple[int, int]] = {}
    with Library.in_memory(embedder, query_side=side) as library:
        shelf = Shelf(library.engine, embedder)
        for path, chunks in cut.items():
            for chunk in chunks:
                uri = f"{path}:{chunk.ordinal}"
                shelf.put(uri, chunk.text, header=chunk.header)
                fences = 2 if way == _OURS else 0
                lines = chunk.text.count("\n") + 1 - fences
                places[uri, chunk.text] = (chunk.line or 1, (chunk.line or 1) + lines - 1)
        library.refresh()
        library.wait_for_words(timeout_seconds=60)
        print(f"{way}: {len(places)} passages", flush=True)
        return [_rank(one, library, places) for one in asked]


def _rank(asked: Asked, library: Library, places: Mapping[tuple[str, str], tuple[int, int]]) -> int | None:
    found = library.retrieve(Question(text=asked.sentence), Audience.everyone(), _TOP).passages
    for rank, passage in enumerate(found):
        first, last = places[passage.uri, passage.text]
        shared = min(last, asked.last) - max(first, asked.first) + 1
        least = min(last - first, asked.last - asked.first) + 1
        if passage.uri.rpartition(":")[0] == asked.path and shared >= least / 2:
            return rank
    return None


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parents[2] / "knowledge")
    parser.add_argument("--functions", type=int, default=300)
    parser.add_argument("--vectors", type=Path, default=DEFAULT_FILE, help="where embedded texts are kept")
    chosen = parser.parse_args(arguments)
    files = {}
    for path in sorted(chosen.folder.rglob("*.py")):
        name = path.relative_to(chosen.folder.parent).as_posix()
        files[name] = strip(name, path.read_text(encoding="utf-8"))
    everything = [one for file in files.values() for one in file.asked]
    asked = random.Random(1).sample(everything, min(chosen.functions, len(everything)))
    embedder, side = open_kept(chosen.vectors)
    print(f"{len(files)} files, {len(everything)} documented functions, {len(asked)} asked for")
    ranks = {way: hits(files, asked, way, embedder, side) for way in (_OURS, _PEER, "windows of lines, bare")}
    for way, some in ranks.items():
        scores = [[float(rank is not None and rank < most) for rank in some] for most in (1, _TOP)]
        peer = [[float(rank is not None and rank < most) for rank in ranks[_PEER]] for most in (1, _TOP)]
        print(f"{way:36} hit@1 {mean(scores[0]):.3f}  hit@5 {mean(scores[1]):.3f}")
        if way == _OURS:
            for most, ours, theirs in zip((1, _TOP), scores, peer, strict=True):
                print(f"    hit@{most} beside {_PEER}: {compare(ours, theirs)}")


if __name__ == "__main__":
    main(sys.argv[1:])
