"""Renders an answer once, on its way out, as a Slack message: text, sources, feedback buttons.

Whatever the model wrote: the only live links are the citations', and there is no mention, image or date,
neither in the blocks nor in the top-level text. To be sent with POST_OPTIONS or UPDATE_OPTIONS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from bot import words
from bot.slack.inert import citable_url, clean, escape, inert
from bot.slack.limits import MESSAGE_TEXT, PAGE, TEXT_OBJECT, UPDATE_TEXT, paginate, shorten, text_of_blocks
from bot.slack.markdown import Links, parse_markdown
from bot.slack.rich_text import Piece, Run, Section, plain_text, to_block
from bot.turn import Answer, Citation
from knowledge.lines import at_passage

Block = dict[str, Any]

POST_OPTIONS: Final[dict[str, Any]] = {
    "unfurl_links": False,
    "unfurl_media": False,
    "link_names": False,
    "parse": "none",
}
"""For `chat.postMessage`; `chat.update` and `chat.postEphemeral` take UPDATE_OPTIONS."""
UPDATE_OPTIONS: Final[dict[str, Any]] = {"link_names": False, "parse": "none"}

FEEDBACK_ACTION: Final = "answer_feedback"
GOOD_ACTION: Final = "answer_feedback_good"
BAD_ACTION: Final = "answer_feedback_bad"
FEEDBACK_ACTIONS: Final = (FEEDBACK_ACTION, GOOD_ACTION, BAD_ACTION)

MOST_MESSAGES = 4
"""Of one answer in a thread; what is longer goes into a file, or is cut with a note."""
_LONGEST_TEXT = PAGE * MOST_MESSAGES
# What is longer is not read as Markdown to its end.
_LONGEST_MARKDOWN = 100_000
# Of a message, for all sources together, and kept free for notes and what can be pressed.
_SOURCES_TEXT = 6_000
_RESERVE = 1_500
_LONGEST_TITLE = 160
_LONGEST_FACTS, _LONGEST_NOTE = 80, 700
_MOST_SOURCES = 12
_NO_MARKS = {ord(mark): None for mark in "*_~`"}
_PARTIAL_ESCAPE = re.compile(r"&[a-z]{0,3}$")
_UNFINISHED = re.compile(r"(?:\[[\d, ]{0,8}|[*_~`]+|\n[-+#>\d.]+ ?)$")


@dataclass(frozen=True, kw_only=True)
class RenderedMessage:
    """One Slack message; `overflow` holds the messages that follow it when it is too long for one."""

    text: str
    blocks: list[Block] = field(default_factory=list)
    overflow: tuple[RenderedMessage, ...] = ()
    rest: str = field(default="", repr=False)
    """Plain text of what all these messages have no room for."""

    def forms(self) -> list[RenderedMessage]:
        """The forms in which to try it: as it is, without Slack's own feedback buttons, and as text alone."""
        plain = [_plain_feedback(block) if block.get("type") == "context_actions" else block for block in self.blocks]
        forms = [self, RenderedMessage(text=self.text, blocks=plain), RenderedMessage(text=self.text)]
        return [form for number, form in enumerate(forms) if not number or form.blocks != forms[number - 1].blocks]


def render_answer(
    answer: Answer,
    *,
    link: Callable[[str], str],
    feedback_value: str,
    vote: int | None = None,
    plain_buttons: bool = False,
    tail: Sequence[Block] = (),
    rest_follows: bool = False,
    most_messages: int = MOST_MESSAGES,
) -> RenderedMessage:
    """Render a finished answer; `tail` is what further can be done with it.

    `link` turns a citation's uri into the address that people can open; without an http(s) address it is
    named but not linked. `vote` shows the receipt for it; `plain_buttons` is for workspaces that have no
    feedback buttons. `rest_follows` says that what has no room follows as a file.
    """
    shown = answer.nearest if answer.abstained and not answer.citations else answer.citations
    title = words.NEAREST if shown is answer.nearest else words.SOURCES
    sources = _source_blocks(title, shown, link)
    room = MESSAGE_TEXT - _RESERVE - text_of_blocks(sources)
    pages, rest = _pages(_words_of(answer), _links(answer.citations, link), room, most_messages, rest_follows)
    notes = [words.CONTINUED] if len(pages) > 1 else []
    notes += [words.STOPPED] if answer.stopped else []
    notes += [words.approved(answer.approved_by)] if answer.approved_by else []
    notes += [shorten(answer.note, _LONGEST_NOTE)] if answer.note else []
    notes += [words.given_before(answer.given_before)] if answer.given_before else []
    blocks = [
        to_block(pages[0]),
        *map(note_block, notes),
        *sources,
        *([note_block(receipt(vote))] if vote else []),
        feedback_block(feedback_value, plain_buttons=plain_buttons),
        *tail,
    ]
    names = [f"{citation.n}. {_name(citation)}" for citation in shown[:_MOST_SOURCES]]
    said = [shorten(clean(answer.note), _LONGEST_NOTE)] if answer.note else []
    text = "\n".join([plain_text(pages[0]), *said, *([f"{title}: {'; '.join(names)}"] if names else [])])
    overflow = tuple(RenderedMessage(text=fallback(plain_text(page)), blocks=[to_block(page)]) for page in pages[1:])
    return RenderedMessage(text=fallback(text), blocks=blocks, overflow=overflow, rest=rest)


def render_streaming(text: str) -> RenderedMessage:
    """Render an answer that is still being written: any prefix of it, under the same guarantee."""
    settled = _settle(text[:_LONGEST_TEXT])
    pages = paginate(parse_markdown(settled, Links()))
    if not pages:
        return render_status(words.WRITING)
    # The newest page is the one that people read while it grows.
    page = pages[-1]
    return RenderedMessage(text=fallback(plain_text(page)), blocks=[to_block(page), note_block(words.WRITING)])


def render_status(text: str) -> RenderedMessage:
    """Render what is happening now, for the person who waits."""
    return RenderedMessage(text=fallback(text), blocks=[note_block(text)])


def render_sentence(text: str) -> RenderedMessage:
    """Render a sentence of ours (a refusal, a failure with its reference) as a message without buttons."""
    return RenderedMessage(text=fallback(text), blocks=[to_block([Section((Run(clean(text)),))])])


def receipt(vote: int) -> str:
    """The sentence that confirms a vote."""
    return words.RECEIPT_GOOD if vote > 0 else words.RECEIPT_BAD


def feedback_block(value: str, *, plain_buttons: bool = False) -> Block:
    """Build the block that asks how the answer was."""
    good, bad = feedback_value(1, value), feedback_value(-1, value)
    if plain_buttons:
        buttons = [
            _button("👍", words.GOOD_ANSWER, GOOD_ACTION, good),
            _button("👎", words.BAD_ANSWER, BAD_ACTION, bad),
        ]
        return {"type": "actions", "block_id": FEEDBACK_ACTION, "elements": buttons}
    element = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK_ACTION,
        "positive_button": _feedback_button(words.GOOD_ANSWER, good),
        "negative_button": _feedback_button(words.BAD_ANSWER, bad),
    }
    return {"type": "context_actions", "block_id": FEEDBACK_ACTION, "elements": [element]}


def _plain_feedback(block: Block) -> Block:
    parsed = parse_feedback_value(str(block["elements"][0].get("positive_button", {}).get("value") or ""))
    return feedback_block(parsed[1], plain_buttons=True) if parsed else block


def feedback_value(vote: int, key: str) -> str:
    """Pack a vote and the answer's key into a button's value."""
    return f"{'good' if vote > 0 else 'bad'}:{key}"


def parse_feedback_value(value: str) -> tuple[int, str] | None:
    """Unpack a button's value into the vote and the answer's key; None where it is not one of ours."""
    kind, _, key = value.partition(":")
    return ({"good": 1, "bad": -1}[kind], key) if kind in ("good", "bad") and key else None


def note_block(text: str) -> Block:
    """Build a small line of ours; plain text, so that nothing in it is parsed."""
    line = shorten(clean(text).strip(), TEXT_OBJECT) or " "
    return {"type": "context", "elements": [{"type": "plain_text", "text": line, "emoji": True}]}


def fallback(text: str) -> str:
    """Make a top-level text: inert, and short enough for `chat.update`."""
    safe = inert(shorten(text, UPDATE_TEXT - 500))
    if len(safe) > UPDATE_TEXT - 100:
        safe = _PARTIAL_ESCAPE.sub("", shorten(safe, UPDATE_TEXT - 100).removesuffix("…")) + "…"
    return safe or " "


def _words_of(answer: Answer) -> str:
    text = answer.text.strip()
    if text:
        return text
    return words.ABSTAINED if answer.abstained else words.STOPPED if answer.stopped else words.EMPTY_ANSWER


def _pages(text: str, links: Links, room: int, most: int, rest_follows: bool) -> tuple[list[list[Piece]], str]:
    """Cut the text into messages; what is too much for the last of them is returned as plain text."""
    end = len(text) if len(text) <= _LONGEST_MARKDOWN else text.rfind("\n", 0, _LONGEST_MARKDOWN) + 1
    end = end or _LONGEST_MARKDOWN
    pages = paginate(parse_markdown(text[:end], links), first=room) or [[Section((Run(words.EMPTY_ANSWER),))]]
    if len(pages) <= most and end == len(text):
        return pages, ""
    rest = "\n".join([*map(plain_text, pages[most:]), clean(text[end:])]).strip("\n")
    note = words.REST_FOLLOWS if rest_follows else words.CUT
    last = [*pages[most - 1], Section((Run(f"\n{note}", frozenset({"italic"})),))]
    return [*pages[: most - 1], last], rest


def _links(citations: Iterable[Citation], link: Callable[[str], str]) -> Links:
    found = [(citation, url) for citation in citations if (url := citable_url(_page(citation, link)))]
    by_address = {url: url for _, url in found}
    by_address |= {citation.uri: url for citation, url in found if citable_url(citation.uri)}
    return Links(by_number={citation.n: url for citation, url in found}, by_address=by_address)


def _page(citation: Citation, link: Callable[[str], str]) -> str:
    return at_passage(
        link(citation.uri), uri=citation.uri, line=citation.line, header=citation.header, quote=citation.quote
    )


def _source_blocks(title: str, citations: Sequence[Citation], link: Callable[[str], str]) -> list[Block]:
    """List sources in small type, each a link where it has an address; runs of one kind share a block."""
    if not citations:
        return []
    rows = [(citable_url(_page(citation, link)), citation) for citation in citations[:_MOST_SOURCES]]
    blocks: list[Block] = []
    for linked, group in groupby(_affordable(rows), key=lambda row: row[0] is not None):
        lines = [_linked_row(url, citation) if url else _plain_row(citation) for url, citation in group]
        if not blocks:
            lines.insert(0, f"*{escape(title)}*" if linked else title)
        blocks += [_context(part, mrkdwn=linked) for part in _bundles(lines)]
    return blocks


def _affordable(rows: Iterable[tuple[str | None, Citation]]) -> list[tuple[str | None, Citation]]:
    """Leave out the addresses for which there is no room: the source is named all the same."""
    room, kept = _SOURCES_TEXT, []
    for url, citation in rows:
        size = len(escape(url)) + 2 * (_LONGEST_TITLE + _LONGEST_FACTS) if url else 0
        kept.append((url if size <= room else None, citation))
        room -= size if size <= room else 0
    return kept


def _linked_row(url: str, citation: Citation) -> str:
    # "|" would end the label; the marks that mrkdwn gives a meaning are not ours to format with.
    # What is known of it stands in the label, too: outside, an address in an owner's name would become a link.
    label = escape(f"{_name(citation)}{_facts(citation)}".replace("|", "/")).translate(_NO_MARKS)
    return f"{citation.n}. <{escape(url)}|{label.strip() or words.UNTITLED}>"


def _plain_row(citation: Citation) -> str:
    return f"{citation.n}. {_name(citation)}{_facts(citation)}"


def _facts(citation: Citation) -> str:
    """Who answers for a source, and of when it is."""
    facts = words.citation_facts(citation.trust, clean(citation.owner), citation.dated)
    return f" · {shorten(facts, _LONGEST_FACTS)}" if facts else ""


def _name(citation: Citation) -> str:
    """Title and heading path of a citation on one line."""
    title = " ".join(clean(citation.title).split()) or words.UNTITLED
    path = [" ".join(part.split()) for part in clean(citation.header).split(">")]
    path = [part for part in path if part]
    if path[:1] != [title]:
        path.insert(0, title)
    return shorten(" › ".join(path), _LONGEST_TITLE)


def _bundles(lines: Iterable[str]) -> list[str]:
    """Join lines to as few texts as Slack's limit on a text allows."""
    bundles: list[str] = []
    for line in lines:
        if bundles and len(bundles[-1]) + len(line) < TEXT_OBJECT - 100:
            bundles[-1] += f"\n{line}"
        else:
            bundles.append(line)
    return bundles


def _context(text: str, *, mrkdwn: bool) -> Block:
    element: Block = {"type": "plain_text", "text": text, "emoji": False}
    if mrkdwn:
        element = {"type": "mrkdwn", "text": text, "verbatim": True}
    return {"type": "context", "elements": [element]}


def _feedback_button(label: str, value: str) -> Block:
    return {"text": {"type": "plain_text", "text": label}, "accessibility_label": label, "value": value}


def _button(sign: str, label: str, action: str, value: str) -> Block:
    text = {"type": "plain_text", "text": sign, "emoji": True}
    return {"type": "button", "text": text, "action_id": action, "value": value, "accessibility_label": label}


def _settle(text: str) -> str:
    """Hide a mark that has only begun, so that the text does not flicker while it grows."""
    settled = _UNFINISHED.sub("", text.rstrip())
    last = settled[settled.rfind("\n\n") + 1 :]
    for mark in ("**", "`"):
        if last.count(mark) % 2 and "```" not in last:
            settled += mark
    return settled
