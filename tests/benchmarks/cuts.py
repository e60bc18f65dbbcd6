"""Where are texts cut: between sentences, within one, or within a word? Ours against the package's Markdown splitter.

    python -m tests.benchmarks.cuts FOLDER [FOLDER ...]

A folder of .md, .rst or .txt files. Code, tables and lists are cut at their lines and count as whole there.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from semantic_text_splitter import MarkdownSplitter
from tokenizers import Tokenizer

from knowledge.chunk import CHUNK_TOKENS, Chunker
from knowledge.embed import embedded_model_folder
from knowledge.parse import ParsedDocument

Cut = Callable[[str], Sequence[str]]
_SUFFIXES = (".md", ".rst", ".txt")
_SENTENCE_END = re.compile(r"[.!?:;。！？…][\"”'’)\]*_`]*$")
_LINE_OF_ITS_OWN = re.compile(r"\s*(?:[-+*>|#`~]|\d+[.)]\s|<)")


def main(folders: Sequence[str]) -> None:
    """Cut every text both ways and print the counts."""
    texts = [path.read_text("utf-8", "replace") for folder in folders for path in _files(Path(folder))]
    tokenizer = Tokenizer.from_file(str(embedded_model_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    chunker = Chunker(tokenizer)
    peer = MarkdownSplitter.from_huggingface_tokenizer(tokenizer, CHUNK_TOKENS)

    def ours(text: str) -> list[str]:
        return [chunk.text for chunk in chunker.split(ParsedDocument(title="", markdown=text))]

    print(f"{len(texts)} texts")
    ways: dict[str, Cut] = {"the package's Markdown splitter": peer.chunks, "ours": ours}
    for name, way in ways.items():
        counts = Counter(kind for text in texts for kind in _kinds(text, way(text)))
        total = sum(counts.values())
        shares = ", ".join(f"{kind} {counts[kind]} ({counts[kind] / total:.1%})" for kind in ("word", "sentence"))
        print(f"  {name}: {total} pieces end within a text; within a {shares}")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix in _SUFFIXES and path.is_file())


def _kinds(text: str, pieces: Sequence[str]) -> Iterator[str]:
    """What each piece that stands in the text word for word ends within; the text's own end is left out."""
    start = 0
    for piece in pieces:
        found = text.find(piece, start)
        end = found + len(piece.rstrip())
        if found < 0 or not (rest := text[end:]).strip():
            continue
        start = found + 1
        if not rest[0].isspace():
            yield "word"
        elif _SENTENCE_END.search(piece.rstrip()) or _starts_anew(rest):
            yield "nothing"
        else:
            yield "sentence"


def _starts_anew(rest: str) -> bool:
    gap = rest[: len(rest) - len(rest.lstrip())]
    return gap.count("\n") > 1 or (bool(_LINE_OF_ITS_OWN.match(rest.lstrip())) and "\n" in gap)


if __name__ == "__main__":
    main(sys.argv[1:])
