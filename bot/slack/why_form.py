"""The form that explains an answer: what was understood, what was found and why, how sure, by whom and how fresh.

Pure. Titles of documents are shown as they are and can ping nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from bot import words
from bot.slack.inert import citable_url, clean
from bot.slack.limits import BLOCKS_OF_VIEW, TEXT_OBJECT, shorten
from bot.slack.render import note_block
from bot.slack.rich_text import Run, Section, to_block
from bot.slack.view_parts import channel, text, usergroup
from bot.why import Why, WhyPassage
from knowledge.lines import at_passage

Block = dict[str, Any]

WHY_CALLBACK: Final = "why_answer"
APPROVE_ACTION: Final = "curate_open"
_LONGEST_QUESTION = 1_000
_LONGEST_TITLE = 200
# Two blocks for each passage; the rest of the view needs a dozen.
_MOST_PASSAGES = (BLOCKS_OF_VIEW - 20) // 2
_UNKNOWN: Mapping[str, int] = {}


def why_loading() -> Block:
    """The form while it is not known yet what this person may read."""
    return _modal([note_block(words.WHY_LOADING)])


def why_gone() -> Block:
    """The form where the answer is not kept any more."""
    return _modal([note_block(words.WHY_GONE)])


def why_view(
    why: Why,
    *,
    link: Callable[[str], str],
    threshold: float | None,
    now: datetime,
    may_approve: bool = False,
    usergroups: Mapping[str, int] = _UNKNOWN,
) -> Block:
    """Build the form; `threshold` is the estimate from which on there is an answer, where that is known.

    `usergroups` says how many people are in each user group, where Slack tells.
    """
    understood = why.understood or why.question
    # Nothing was estimated or weighed for a text that a person approved.
    told = words.WHY_APPROVED if why.approved_by else words.why_estimate(why.outcome, why.support, threshold)
    blocks = [
        _bold(words.WHY_UNDERSTOOD),
        _text(shorten(clean(understood), _LONGEST_QUESTION) or words.WHY_NO_QUESTION),
        {"type": "divider"},
        _bold(words.WHY_ESTIMATE),
        note_block(told),
        {"type": "divider"},
        _bold(words.why_passages(len(why.passages))),
        *(
            block
            for passage in why.passages[:_MOST_PASSAGES]
            for block in _passage(why, passage, link, now, _seen_by(passage, usergroups))
        ),
        *([note_block(words.why_hidden(why.hidden))] if why.hidden else []),
        {"type": "divider"},
        *(note_block(fact) for fact in _facts(why, now) if fact),
    ]
    if may_approve:
        button = {"type": "button", "action_id": APPROVE_ACTION, "value": str(why.answer_id)}
        blocks.append({"type": "actions", "elements": [button | {"text": _plain(words.CURATE_OPEN)}]})
    return _modal(blocks)


def named_usergroups(why: Why) -> frozenset[str]:
    """The user groups whose documents the answer stands on."""
    cited = (passage.audience.partition(":") for passage in why.passages if passage.cited_as is not None)
    return frozenset(who for kind, _, who in cited if kind == "usergroup")


def _passage(
    why: Why, passage: WhyPassage, link: Callable[[str], str], now: datetime, seen_by: list[Block]
) -> list[Block]:
    title = " ".join(clean(passage.title).split())
    path = [part for part in (" ".join(part.split()) for part in clean(passage.header).split(">")) if part]
    name = shorten(" › ".join(path if path[:1] == [title] else [title, *path]), _LONGEST_TITLE) or words.UNTITLED
    mark = "" if passage.cited_as is None else f"[{passage.cited_as}] "
    url = None if passage.gone else citable_url(_address(passage, link))
    scores = [
        words.WHY_REASONS[passage.reason],
        words.why_scores(passage.score, passage.cosine, passage.word_score, passage.prior),
        words.WHY_TRUST[passage.trust],
    ]
    lines = [
        words.why_cited(passage.cited_as),
        *([] if why.approved_by else scores),
        words.why_age(passage.modified_at, passage.synced_at, now),
        words.WHY_SOURCE_GONE if passage.gone else words.WHY_SOURCE_CHANGED if passage.changed else "",
    ]
    bold = frozenset({"bold"})
    runs = (*((Run(mark, bold),) if mark else ()), Run(name, bold, url=url))
    block = to_block([Section(runs)])
    block["elements"][0]["elements"] += seen_by
    return [block, note_block(" · ".join(filter(None, lines)))]


def _seen_by(passage: WhyPassage, usergroups: Mapping[str, int]) -> list[Block]:
    """Who else can see a document that the answer stands on; its reader is told of nobody by name."""
    kind, _, who = passage.audience.partition(":")
    match kind:
        case _ if passage.cited_as is None or not kind:
            return []
        case "everyone":
            said = [text(words.SEEN_BY_EVERYONE)]
        case "channel":
            said = [text(words.SEEN_BY_MEMBERS), channel(who)]
        case "usergroup":
            people = usergroups.get(who, 0)
            # Slack shows the group's name; not everywhere, and to nobody who cannot see it.
            counted = [text(f" ({words.seen_by(people)})")] if people else []
            said = [text(words.SEEN_BY_MEMBERS), usergroup(who), *counted]
        case "group":
            said = [text(words.seen_by(passage.people))]
        case _:
            said = [text(words.SEEN_BY_YOU)]
    return [text(f"\n{words.SEEN_BY}"), *said]


def _address(passage: WhyPassage, link: Callable[[str], str]) -> str:
    return at_passage(link(passage.uri), uri=passage.uri, line=None, header=passage.header, quote="")


def _facts(why: Why, now: datetime) -> list[str]:
    return [
        words.why_given_before(why.given_before) if why.given_before else "",
        words.model_line(why.version) if why.version else "",
        words.why_times(why.retrieve_seconds, why.first_token_seconds, why.total_seconds),
        words.why_tokens(why.prompt_tokens, why.completion_tokens) if why.prompt_tokens else "",
        words.why_sync(why.last_sync, now),
        words.why_revisions(why.revisions),
    ]


def _modal(blocks: list[Block]) -> Block:
    return {
        "type": "modal",
        "callback_id": WHY_CALLBACK,
        "title": _plain(words.WHY_TITLE),
        "close": _plain(words.FORM_CLOSE),
        "blocks": blocks,
    }


def _bold(text: str) -> Block:
    return to_block([Section((Run(text, frozenset({"bold"})),))])


def _text(text: str) -> Block:
    return {"type": "section", "text": _plain(shorten(text, TEXT_OBJECT))}


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}
