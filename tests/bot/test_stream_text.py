"""Text that goes into a stream: inert for any reader of Markdown, the same however it is cut, and nothing is lost."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bot.slack.stream_text import InertMarkdown, blocks_of
from tests.bot.model_output import FRAGMENTS, random_output
from tests.bot.slack_oracle import read_message
from tests.bot.test_render import attacks

PARSER = MarkdownIt("gfm-like", {"html": True, "linkify": False})


def streamed(text: str, pieces: list[int] | None = None) -> tuple[str, bool]:
    """Send a text through in pieces of these sizes; what went out, and whether it differs."""
    inert, out, start = InertMarkdown(), [], 0
    for size in pieces or []:
        out.append(inert.feed(text[start : start + size]))
        start += size
    out.append(inert.feed(text[start:]))
    out.append(inert.feed("", last=True))
    return "".join(out), inert.altered


def live_parts(markdown: str) -> list[str]:
    """What some reader could make live: links and images of the tree, and Slack's own grammar in all the rest."""
    found = re.findall(r"<[@#!][^>\s]*|<\w+:[^>\s]*", markdown)
    for token in _tokens(PARSER.parse(markdown)):
        if token.type in ("link_open", "image", "html_inline", "html_block"):
            found.append(f"{token.type} {token.attrs} {token.content}")
        elif token.type == "inline":
            # Code shows what it says; around it stands what is read as one text.
            shown = "".join(" " if part.type == "code_inline" else part.content or " " for part in token.children or [])
            reading = read_message({"text": shown.replace("<", "(").replace(">", ")")})
            found += [*reading.links, *reading.mentions]
        elif token.type in ("fence", "code_block", "code_inline"):
            found += re.findall(r"\w://\S*|www\.\w", token.content)
    return found


def _tokens(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or [])


@pytest.mark.parametrize("payload", attacks())
def test_no_attack_is_live_however_it_is_cut(payload: str) -> None:
    payload = payload[:3_000]
    whole, _ = streamed(payload)
    assert live_parts(whole) == []
    for size in (1, 2, 3, 7):
        assert streamed(payload, [size] * (len(payload) // size))[0] == whole


@pytest.mark.parametrize("payload", attacks())
def test_no_beginning_of_an_attack_is_live(payload: str) -> None:
    payload = payload[:3_000]
    inert, out, shown = InertMarkdown(), "", 0
    size = max(1, len(payload) // 30)
    for start in range(0, len(payload), size):
        out += inert.feed(payload[start : start + size])
        if len(out) > shown:
            shown = len(out)
            assert live_parts(out) == []


@pytest.mark.parametrize("seed", range(8))
def test_no_random_output_is_live(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(300):
        output = random_output(chance)
        whole, _ = streamed(output)
        assert live_parts(whole) == [], output


@given(
    st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)), max_size=20).map("".join),
    st.lists(st.integers(1, 9), max_size=60),
)
@settings(max_examples=300, deadline=None)
def test_the_cuts_do_not_matter(output: str, pieces: list[int]) -> None:
    whole, altered = streamed(output)
    assert streamed(output, pieces) == (whole, altered)


@pytest.mark.parametrize(
    "text",
    [
        "A **bold** word, `code` and a list:\n\n- one\n- two\n\n1. first\n\n> said [1]\n",
        "```python\nif a < b and c.d & e:\n    print('<b>')\n```\n\nDone.",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "Größe 日本語。次 👩\u200d💻 100 % & more, 3 < 4",
        "## Title\ntext with `a.b and c.d` inside",
    ],
)
def test_honest_markdown_goes_through_as_it_is(text: str) -> None:
    assert streamed(text) == (text, False)


def test_a_file_name_is_shown_as_code_as_in_the_finished_message() -> None:
    assert streamed('See README.md, or "config.yaml".') == ('See `README.md`, or "`config.yaml`".', False)


@pytest.mark.parametrize(
    "text", ["```\na.b\n", "a `b", "a `b c.d\nmore", "word", "``` x", "~~~\nx.yy", "<", "[x](", "\\"]
)
def test_nothing_stays_in_the_buffer(text: str) -> None:
    out, _ = streamed(text, [1] * len(text))
    letters = re.sub(r"\W", "", text)
    assert re.sub(r"\W", "", out) == letters


@pytest.mark.parametrize("text", ["見る.日本語。次", "次.日本語", "日本語.example", "例え.テスト"])
def test_an_address_is_broken_in_scripts_without_spaces_too(text: str) -> None:
    assert live_parts(streamed(text)[0]) == []
    assert streamed(text, [1] * len(text)) == streamed(text)


@pytest.mark.parametrize("text", ["_to @here_", "**@channel**", "@everyone,", "＠here"])
def test_nobody_is_called_whatever_stands_around_it(text: str) -> None:
    assert live_parts(streamed(text)[0]) == []
    assert streamed(text)[1]


def test_a_code_span_and_a_fence_go_out_whole() -> None:
    inert = InertMarkdown()
    assert inert.feed("see `a b") == "see "
    assert inert.feed(" c` now ") == "`a b c` now "
    assert inert.feed("\n``") == "\n"
    assert inert.feed("`py") == ""
    assert inert.feed("\nx") == "```py\n"


def test_blocks_are_counted_rather_too_high() -> None:
    text = "# a\ntext\n\n- x\n- y\n\nmore\n\n| a |\n|--|\n\n```\nx\n```\n"
    assert blocks_of(text) >= 6
