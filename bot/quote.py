"""Quoting as the only way to answer: a grammar that holds the model to the sentences of its sources.

A grammar in GBNF lets the model choose which sentences it says, one or two of them, or that it does not know; not a
word can come that stands in no passage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.evidence import Evidence, in_reading_order
from bot.learn.targets import UNKNOWN, cited

# More would make the grammar of a long answer slow to follow, token by token.
_MOST_SENTENCES = 24
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": " ", "\r": " ", "\t": " "})


def quote_grammar(evidence: Sequence[Evidence], numbers: Mapping[int, int], *, most: int = 2) -> str:
    """The grammar over the sentences in a prompt, each with the number of its passage; `most` of them in an answer."""
    chosen = in_reading_order(evidence[:_MOST_SENTENCES])
    sentences = [cited(item.text, numbers[item.passage]) for item in chosen if item.passage in numbers]
    quote = " | ".join(_literal(text) for text in dict.fromkeys(sentences))
    if not quote:
        return f"root ::= {_literal(UNKNOWN)}"
    more = ""
    for _ in range(most - 1):
        more = f' (" " quote{more})?'
    return f"root ::= {_literal(UNKNOWN)} | quote{more}\nquote ::= {quote}"


def _literal(text: str) -> str:
    plain = "".join(letter for letter in text.translate(_ESCAPES) if letter.isprintable())
    return f'"{plain}"'
