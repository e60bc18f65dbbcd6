from __future__ import annotations

import textwrap
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from knowledge.chunk import CHUNK_TOKENS, Chunker
from knowledge.document import Chunk
from knowledge.embed import embedded_model_folder
from knowledge.parse import ParsedDocument

REPOSITORY = Path(__file__).parents[2]


@cache
def word_pieces() -> Tokenizer:
    """The embedder's real tokenizer, which needs no model."""
    tokenizer = Tokenizer.from_file(str(embedded_model_folder() / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def split(markdown: str, title: str = "Guide", limit: int = CHUNK_TOKENS) -> tuple[Chunk, ...]:
    return split_document(ParsedDocument(title=title, markdown=markdown), limit)


def split_document(document: ParsedDocument, limit: int = CHUNK_TOKENS) -> tuple[Chunk, ...]:
    return Chunker(word_pieces(), limit).split(document)


def tokens(chunk: Chunk) -> int:
    return len(word_pieces().encode(chunk.embedded_text, add_special_tokens=False).ids)


def prose(words: int) -> str:
    return " ".join(f"word{number % 97}." if number % 11 == 0 else "plain" for number in range(words))


def test_a_header_leads_to_the_text() -> None:
    chunks = split(f"# Travel\n\n## Trains\n\n{prose(90)}\n\n## Planes\n\n{prose(90)}\n")
    assert [(chunk.header, chunk.line) for chunk in chunks] == [
        ("Guide > Travel > Trains", 5),
        ("Guide > Travel > Planes", 9),
    ]
    assert chunks[0].embedded_text.startswith("Guide > Travel > Trains\nword0.")


def test_the_title_is_not_said_twice() -> None:
    assert [chunk.header for chunk in split("# Guide\n\nText.")] == ["Guide"]


def test_small_sections_are_joined_under_what_they_share() -> None:
    (chunk,) = split("# Travel\n\n## Trains\n\nBook early.\n\n## Planes\n\nBook late.\n")
    assert chunk.header == "Guide > Travel"
    assert chunk.text == "### Trains\n\nBook early.\n\n### Planes\n\nBook late."


def test_headings_in_code_are_not_headings() -> None:
    (chunk,) = split("# Setup\n\n```sh\n# install it\nmake install\n```\n")
    assert chunk.header == "Guide > Setup"
    assert "# install it" in chunk.text


def test_underlined_headings_are_headings() -> None:
    (chunk,) = split("Setup\n=====\n\nRun it.\n")
    assert (chunk.header, chunk.text, chunk.line) == ("Guide > Setup", "Run it.", 4)


def test_a_heading_without_text_is_kept_where_nothing_follows_below_it() -> None:
    (chunk,) = split("# Travel\n\n## Boats are not paid\n")
    assert "Boats are not paid" in chunk.embedded_text


def test_blocks_that_fit_stay_whole() -> None:
    code = "```python\n" + "\n".join(f"value_{number} = {number}" for number in range(20)) + "\n```"
    chunks = split(f"{prose(150)}\n\n{code}\n\n{prose(150)}")
    assert any(code in chunk.text for chunk in chunks)


def test_a_sentence_that_leads_over_goes_along() -> None:
    items = "\n".join(f"- item number {number} of the list" for number in range(20))
    chunks = split(f"{prose(150)}\n\nThese are the items:\n\n{items}\n")
    assert any("These are the items:\n\n- item number 0" in chunk.text for chunk in chunks)


def test_a_long_table_repeats_its_head() -> None:
    rows = "\n".join(f"| server {number} | region {number} | {number * 7} |" for number in range(80))
    chunks = split(f"| name | place | size |\n|---|---|---|\n{rows}\n")
    assert len(chunks) > 2
    assert all(chunk.text.startswith("| name | place | size |\n|---|---|---|\n| server") for chunk in chunks)


def test_identical_chunks_of_a_document_are_stored_once() -> None:
    section = f"# Same\n\n{prose(120)}\n\n"
    assert len(split(section * 3)) == 1


@pytest.mark.parametrize("markdown", ["", "\n\n \n", "---", "```\n```"])
def test_no_chunk_is_blank(markdown: str) -> None:
    assert all(chunk.text.strip() for chunk in split(markdown))


def test_encoded_data_is_not_taken_for_a_short_text() -> None:
    """The tokenizer counts a picture of 50,000 characters as one unknown word."""
    (chunk,) = split(f"A picture: {'iVBORw0KGgo' * 5000} and its caption.")
    assert chunk.text == "A picture: … and its caption."


@pytest.mark.parametrize(
    "markdown",
    [
        f"# {'long heading ' * 80}\n\n{prose(400)}",
        "\n".join(
            f"{'#' * (1 + depth % 6)} level {depth} {'of many words ' * 20}\n\n{prose(60)}" for depth in range(12)
        ),
        "汉字" * 3000,
        "a" * 190 + " " + "é" * 9000,
        "| a |\n|---|\n| " + "cell " * 2000 + "|",
        "- " + "\n- ".join(["item " * 40] * 30),
        "> " * 200 + "quote",
    ],
)
def test_no_embedded_text_is_over_the_limit(markdown: str) -> None:
    chunks = split(markdown)
    assert chunks
    assert max(tokens(chunk) for chunk in chunks) <= CHUNK_TOKENS


@given(
    st.lists(
        st.sampled_from(
            [
                "# H\n",
                "## Sub\n",
                "text ",
                "\n\n",
                "```\n",
                "| a | b |\n|---|---|\n",
                "- x\n",
                "漢字",
                "`",
                "1. y\n",
                "word " * 60,
            ]
        ),
        max_size=60,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_markdown_gives_chunks_within_the_limit(parts: list[str]) -> None:
    chunks = split("".join(parts), limit=64)
    assert all(tokens(chunk) <= 64 and chunk.text.strip() for chunk in chunks)
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))


def test_lines_point_at_the_text() -> None:
    markdown = f"# A\n\n{prose(300)}\n\nThe needle is here.\n\n{prose(300)}\n\n## B\n\nThe thread is here."
    lines = markdown.split("\n")
    for chunk in split(markdown):
        assert chunk.line is not None
        first = chunk.text.split("\n")[0]
        assert first in lines[chunk.line - 1] or first.startswith("#")


SAID = (
    "The city's own \"wall\" cost $20 and $30 (see 4.5) in the second year's end, and nobody's neighbour paid for it."
)


def is_whole(sentences: str, chunk: Chunk) -> bool:
    text = " ".join(chunk.text.split())
    return text.endswith("for it.") and text.startswith("The city's") and chunk.text in sentences


def test_a_long_paragraph_is_cut_between_its_sentences_and_nowhere_else() -> None:
    """At apostrophes, quotation marks and dollar signs half a sentence would be left on either side."""
    paragraph = " ".join([SAID] * 30)
    chunks = split(f"{paragraph}\n\n{prose(20)}", limit=100)
    assert len(chunks) > 1
    assert all(is_whole(paragraph, chunk) for chunk in chunks[:-1])


def test_lines_that_an_editor_broke_are_no_places_to_cut_at() -> None:
    paragraph = "\n".join(textwrap.wrap(" ".join([SAID] * 30), 70))
    chunks = split(paragraph, limit=100)
    assert len(chunks) > 1
    assert all(is_whole(paragraph, chunk) for chunk in chunks)


def test_a_long_list_is_cut_between_its_items() -> None:
    items = [f"- Item {number} says: ask first. Then wait" for number in range(60)]
    chunks = split("\n".join(items), limit=100)
    assert len(chunks) > 1
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == items


def test_items_that_an_editor_broke_are_cut_between_sentences_too() -> None:
    items = [textwrap.fill(f"- Of {name}: {SAID} {SAID}", 70, subsequent_indent="  ") for name in range(20)]
    chunks = split("\n".join(items), limit=100)
    assert len(chunks) > 1
    assert all(" ".join(chunk.text.split()).endswith("for it.") for chunk in chunks)


def test_lines_that_nobody_broke_stay_lines() -> None:
    lines = [f"Ann {number}: the {'very ' * (number % 9)}same question as everybody asks here" for number in range(60)]
    chunks = split("\n".join(lines), limit=100)
    assert len(chunks) > 1
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == lines
