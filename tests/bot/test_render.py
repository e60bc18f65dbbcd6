"""Whatever the model writes, only citations are links; and what it means well looks well."""

from __future__ import annotations

import json
import random
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block as SdkBlock

from bot.playground.blocks import message_blocks
from bot.slack.render import RenderedMessage, parse_feedback_value, render_answer, render_status, render_streaming
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation
from tests.bot.model_output import CITED, FRAGMENTS, random_output
from tests.bot.slack_oracle import over_limits, read_message

ATTACKS = Path(__file__).parents[3] / "shared" / "security" / "slack_render_attacks.jsonl"
OTHER = "https://docs.corp.example/other?a=1&b=2#L7"


def citation(n: int, uri: str, title: str = "Handbook", header: str = "") -> Citation:
    return Citation(n=n, uri=uri, title=title, header=header, source="docs", chunk_id=n, text_hash="h", quote="")


CITATIONS = (citation(1, CITED, "Handbook", "Handbook > Travel > Hotels"), citation(2, OTHER, "Other.md"))


def answer(text: str, *, abstained: bool = False, stopped: bool = False, **more: Any) -> Answer:
    more = {"citations": () if abstained else CITATIONS} | more
    seconds = AnswerSeconds(retrieve=0.1, first_token=0.2, total=1.0)
    tokens = AnswerTokens(prompt=10, completion=20)
    return Answer(text=text, abstained=abstained, stopped=stopped, version="v1", seconds=seconds, tokens=tokens, **more)


def rendered(text: str, **more: Any) -> RenderedMessage:
    return render_answer(answer(text, **more), link=lambda uri: uri, feedback_value="7")


def payloads(message: RenderedMessage) -> list[dict[str, Any]]:
    return [{"text": part.text, "blocks": part.blocks} for part in (message, *message.overflow)]


def assert_safe(message: RenderedMessage, allowed: frozenset[str] = frozenset({CITED, OTHER})) -> None:
    for payload in payloads(message):
        reading = read_message(payload)
        assert set(reading.links) <= allowed
        found = [*reading.mentions, *reading.images, *reading.dates, *reading.hidden, *reading.unknown]
        assert found == []
        assert not over_limits(payload)
        json.dumps(payload, ensure_ascii=False).encode()


def assert_valid(message: RenderedMessage) -> None:
    """Slack's own SDK reads every block back as what it is, and the playground takes the message."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for payload in payloads(message):
            for block in payload["blocks"]:
                parsed = SdkBlock.parse(block)
                assert parsed is not None
                assert parsed.to_dict() == block
            message_blocks(payload["blocks"], too_long="msg_blocks_too_long")


def section_runs(message: RenderedMessage) -> list[dict[str, Any]]:
    (section,) = message.blocks[0]["elements"]
    assert section["type"] == "rich_text_section"
    runs: list[dict[str, Any]] = section["elements"]
    return runs


def attacks() -> list[Any]:
    if not ATTACKS.exists():
        reason = f"{ATTACKS} is not there: check the project's shared folder out beside the repository"
        return [pytest.param("", id="none", marks=pytest.mark.skip(reason=reason))]
    rows = [json.loads(line) for line in ATTACKS.read_text(encoding="utf-8").split("\n") if line]
    return [pytest.param(row["payload"].replace("{S}", "CANARY"), id=row["id"]) for row in rows]


@pytest.mark.parametrize("payload", attacks())
def test_an_evil_model_gets_nothing_live_through(payload: str) -> None:
    message = rendered(payload)
    assert_safe(message)
    assert_valid(message)
    assert_safe(rendered(f"Before [1] {payload} after **bold**"))


@pytest.mark.parametrize("payload", attacks())
def test_no_prefix_of_an_attack_is_live_while_it_streams(payload: str) -> None:
    """Every split into pieces shows prefixes and nothing else."""
    steps = range(len(payload) + 1) if len(payload) < 400 else range(0, len(payload), len(payload) // 20)
    for end in steps:
        assert_safe(render_streaming(payload[:end]), allowed=frozenset())


# Not a claim about speed, which is benchmarked (a few milliseconds): what goes wrong here takes minutes.
_TOO_LONG_SECONDS = 0.5


@pytest.mark.parametrize("payload", attacks())
def test_no_attack_takes_for_ever(payload: str) -> None:
    assert min(_seconds_of(payload[:10_000]) for _ in range(5)) < _TOO_LONG_SECONDS


@given(st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.text(max_size=12)), max_size=30).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_output_is_safe_final_and_streaming(output: str) -> None:
    message = rendered(output)
    assert_safe(message)
    assert_valid(message)
    assert_safe(render_streaming(output), allowed=frozenset())


@pytest.mark.parametrize("seed", range(4))
def test_a_slice_of_the_long_fuzz_run(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(250):
        assert_safe(rendered(random_output(chance)))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=30))
@settings(max_examples=200, deadline=None)
def test_titles_and_headings_of_documents_are_inert_too(title: str, header: str, end: str) -> None:
    evil = (
        citation(1, CITED, f"{title}<!channel> https://attacker.example", header),
        citation(2, f"file:///{end}", end),
    )
    message = rendered("See [1] and [2].", citations=evil)
    assert_safe(message)
    assert_valid(message)


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "https://x|<!channel>",
        "https://docs.example/a b",
        "file:///etc/passwd",
        "https://e\u202ex",
        "HTTPS://",
        "https://a>b",
        "",
    ],
)
def test_a_citation_without_a_clean_web_address_is_named_but_not_linked(uri: str) -> None:
    message = rendered("As said [1].", citations=(citation(1, uri),))
    assert_safe(message, allowed=frozenset())
    assert "1. Handbook" in json.dumps(message.blocks)


@pytest.mark.parametrize(
    "unit", ["[", "![[", "- a\n", "*a", "**a ", "[1]", "> ", "a.bb ", "`", "&a;", "a", "\n", "|a", "_*"]
)
def test_ten_thousand_characters_of_anything_do_not_take_for_ever(unit: str) -> None:
    assert min(_seconds_of((unit * 10_000)[:10_000]) for _ in range(5)) < _TOO_LONG_SECONDS


def test_a_long_honest_answer_does_not_take_for_ever() -> None:
    text = "## Part\n\nSome **bold** words about `code` [1] and README.md, see https://x.example/y.\n\n- one\n- two\n\n"
    assert min(_seconds_of((text * 100)[:10_000]) for _ in range(5)) < _TOO_LONG_SECONDS


def _seconds_of(text: str) -> float:
    start = time.process_time()
    rendered(text)
    return time.process_time() - start


# How an answer looks


def test_sources_say_of_when_and_whose_they_are_and_how_official() -> None:
    known = replace(CITATIONS[0], dated="2021-05-03", owner="Ana Ruiz", trust="official")
    message = rendered("Book early [1].", citations=(known, replace(citation(2, "file:///x"), dated="2020-01-02")))
    said = [element["text"] for block in message.blocks[1:3] for element in block["elements"]]
    assert said[0].endswith("|Handbook › Travel › Hotels · official · Ana Ruiz · 3 May 2021>")
    assert said[1].endswith("2. Handbook · 2 January 2020")


def test_an_owner_can_neither_ping_nor_format_nor_link() -> None:
    evil = "<!channel> *_~` <https://attacker.example|x> @here \u202e" + "n" * 4_000
    many = tuple(replace(citation(n, f"{CITED}{n}"), owner=evil, dated="2020-01-02") for n in range(1, 30))
    message = rendered("So it is [1].", citations=many, note=evil)
    assert_safe(message, allowed=frozenset(one.uri for one in many))
    assert_valid(message)


def test_what_is_said_beside_an_answer_stands_below_it_in_small_type() -> None:
    message = rendered("Book early [1].", note="⚠️ My sources disagree.")
    assert message.blocks[1] == {
        "type": "context",
        "elements": [{"type": "plain_text", "text": "⚠️ My sources disagree.", "emoji": True}],
    }
    assert "My sources disagree." in message.text


def test_markers_lead_to_their_citations_and_sources_follow_in_small_type() -> None:
    message = rendered("Book early [1][2], or late [3].")
    assert section_runs(message) == [
        {"type": "text", "text": "Book early "},
        {"type": "link", "url": CITED, "text": "[1]"},
        {"type": "link", "url": OTHER, "text": "[2]"},
        {"type": "text", "text": ", or late [3]."},
    ]
    (text,) = (element["text"] for element in message.blocks[1]["elements"])
    assert text == (
        f"*Sources*\n1. <{CITED}|Handbook › Travel › Hotels>\n"
        "2. <https://docs.corp.example/other?a=1&amp;b=2#L7|Other.md>"
    )


def test_markdown_becomes_slack_formatting() -> None:
    elements = rendered(
        "# Title\nSome **bold**, *it*, ~~no~~ and `code`.\n\n- a\n  - b\n- c\n\n1. x\n2. y\n\n> said\n\n```\nrun\n```"
    ).blocks[0]["elements"]
    assert [element["type"] for element in elements] == [
        "rich_text_section",
        *["rich_text_list"] * 4,
        "rich_text_quote",
        "rich_text_preformatted",
    ]
    styles = [run.get("style") for run in elements[0]["elements"] if run.get("style")]
    assert styles == [{"bold": True}, {"bold": True}, {"italic": True}, {"strike": True}, {"code": True}]
    assert [(element["style"], element["indent"]) for element in elements[1:5]] == [
        ("bullet", 0),
        ("bullet", 1),
        ("bullet", 0),
        ("ordered", 0),
    ]


def test_numbers_go_on_after_an_interruption() -> None:
    elements = rendered("1. a\n   ```\n   x\n   ```\n2. b").blocks[0]["elements"]
    assert [element.get("offset") for element in elements] == [None, None, 1]


def test_a_table_is_drawn_in_columns() -> None:
    (table,) = rendered("| Name | Days |\n|---|---|\n| **Ada** | 30 |").blocks[0]["elements"]
    assert table["elements"][0]["text"] == "Name  Days\n────  ────\nAda   30"


def test_an_address_is_shown_as_code_and_a_file_name_too() -> None:
    runs = section_runs(rendered("Open https://elsewhere.example/a, then README.md. Done.Next"))
    assert [run["text"] for run in runs if run.get("style") == {"code": True}] == [
        "https://elsewhere.example/a",
        "README.md",
    ]


def test_a_cited_address_in_the_text_is_a_link() -> None:
    assert [run["url"] for run in section_runs(rendered(f"See {CITED} or [it]({CITED}).")) if "url" in run] == [
        CITED
    ] * 2


def test_an_abstention_is_kind_and_names_what_came_closest() -> None:
    message = rendered("", abstained=True, nearest=CITATIONS)
    assert "rather not guess" in section_runs(message)[0]["text"]
    assert message.blocks[1]["elements"][0]["text"].startswith("*These came closest*\n1. <")
    assert "These came closest: 1. Handbook" in message.text
    assert_safe(message)
    assert_valid(message)


@pytest.mark.parametrize(
    "text", ["short", "", "x" * 200_000, "word " * 30_000, "- a b c d e f g h\n" * 400, "😀" * 9_000]
)
def test_every_answer_ends_with_feedback_and_keeps_to_slack_s_limits(text: str) -> None:
    message = rendered(text)
    assert message.blocks[-1]["type"] == "context_actions"
    assert_safe(message)
    assert_valid(message)


def test_a_long_answer_goes_on_in_further_messages_and_loses_nothing() -> None:
    text = "\n\n".join(f"Paragraph {n} says what it says." for n in range(700))
    message = rendered(text)
    words = json.dumps([part.blocks for part in (message, *message.overflow)])
    assert len(message.overflow) == 2
    assert all(f"Paragraph {n} " in words for n in range(700))
    assert "next message" in json.dumps(message.blocks)


def test_an_endless_answer_is_cut_with_a_note() -> None:
    message = rendered("word " * 100_000)
    assert len(message.overflow) == 3
    assert "too long for Slack" in json.dumps(message.overflow[-1].blocks)


def test_a_vote_shows_its_receipt_and_the_value_tells_vote_and_answer() -> None:
    message = render_answer(answer("Yes."), link=lambda uri: uri, feedback_value="7", vote=1)
    assert "Thanks, noted" in json.dumps(message.blocks[-2])
    buttons = message.blocks[-1]["elements"][0]
    assert parse_feedback_value(buttons["positive_button"]["value"]) == (1, "7")
    assert parse_feedback_value(buttons["negative_button"]["value"]) == (-1, "7")
    assert parse_feedback_value("up:7") is None


def test_two_plain_buttons_take_the_place_of_feedback_buttons() -> None:
    message = render_answer(answer("Yes."), link=lambda uri: uri, feedback_value="7", plain_buttons=True)
    assert [button["value"] for button in message.blocks[-1]["elements"]] == ["good:7", "bad:7"]
    assert_valid(message)


def test_a_stopped_answer_says_so() -> None:
    assert "Stopped as you asked" in json.dumps(rendered("Half a sent", stopped=True).blocks[1])


def test_a_growing_answer_shows_no_half_written_marks() -> None:
    for text in ("The **bo", "The **bold** and `co", "The **", "As said [", "As said [1", "One\n- "):
        words = json.dumps(render_streaming(text).blocks[0])
        assert not any(mark in words for mark in ("*", "`", "[1", "- ")), text


def test_a_status_is_a_small_line() -> None:
    message = render_status("Searching…")
    assert message.text == "Searching…"
    assert message.blocks == [
        {"type": "context", "elements": [{"type": "plain_text", "text": "Searching…", "emoji": True}]}
    ]
    assert_valid(message)
