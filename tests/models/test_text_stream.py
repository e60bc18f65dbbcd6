"""Bytes become text that may be shown: whole characters, nothing of a stop text, nothing lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.text_stream import TextStream


def run(pieces: list[bytes], stops: tuple[str, ...] = ()) -> list[str]:
    stream = TextStream(stops)
    return [*(stream.push(piece) for piece in pieces), stream.finish()]


def test_a_character_in_two_tokens_appears_once_it_is_whole() -> None:
    assert run([b"caf\xc3", b"\xa9 \xf0\x9f\x98", b"\x80"]) == ["caf", "é ", "😀", ""]


def test_half_a_character_at_the_end() -> None:
    assert run([b"ok \xf0\x9f"]) == ["ok ", "\N{REPLACEMENT CHARACTER}"]


def test_what_may_become_a_stop_text_is_held_back() -> None:
    assert run([b"Yes.\nQ", b"ue", b"stion: why"], ("\nQuestion:",)) == ["Yes.", "", "", ""]
    assert run([b"Yes.\nQ", b"uite"], ("\nQuestion:",)) == ["Yes.", "\nQuite", ""]


def test_the_earliest_of_several_stop_texts_counts() -> None:
    stream = TextStream(("BBB", "A", ""))
    assert stream.push(b"xAyBBB") == "x"
    assert stream.stopped
    assert stream.push(b"more") == stream.finish() == ""


@given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=3), st.integers(1, 5))
def test_the_pieces_never_matter(text: str, stops: list[str], size: int) -> None:
    content = text.encode("utf-8", "replace")
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    whole = content.decode("utf-8")
    ends = [whole.find(stop) for stop in stops if stop in whole]
    assert "".join(run(pieces, tuple(stops))) == (whole[: min(ends)] if ends else whole)
