"""What a version of the model is to say: one form for the rows it learns from and for the checks that judge it."""

from __future__ import annotations

UNKNOWN = "I don't know."
"""Where the text does not answer."""


def cited(sentence: str, number: int) -> str:
    """A sentence with the number that its passage has in the prompt."""
    return f"{sentence.strip()} [{number}]"
