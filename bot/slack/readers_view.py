"""Pages that tell admins who can see a document, and what a person can see. Pure: what is known comes in."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot import words
from bot.slack.render import Block, note_block
from bot.slack.view_parts import DIVIDER, bullets, channel, harmless, modal, paragraph, person, text, usergroup
from bot.visible import DocumentReaders, VisibleSource

MOST_DOCUMENTS, MOST_SOURCES = 10, 15
"""Of one page: a document takes two blocks, a source two."""
MOST_TITLES = 5
_MOST_PEOPLE = 20
_LONGEST_TITLE, _LONGEST_NAME, _LONGEST_PERSON = 200, 100, 80
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w.-]{1,120}")
_USER = re.compile(r"[UW][A-Z0-9]{5,}")


def message_view(said: str) -> Block:
    """A page with a sentence."""
    return _page([note_block(said)])


def document_view(found: Sequence[DocumentReaders]) -> Block:
    """Tell who can see each of these documents, and why."""
    if not found:
        return message_view(words.READERS_NONE)
    blocks: list[Block] = []
    for one in found[:MOST_DOCUMENTS]:
        title = harmless(one.title, _LONGEST_TITLE) or words.UNTITLED
        source = harmless(one.source, _LONGEST_NAME)
        blocks.append(paragraph(text(title, bold=True), text(f" · {source}\n"), *_who(one)))
        blocks.append(note_block(one.reason if one.kind == "nobody" else words.READERS_WHY[one.set_by]))
    if len(found) > MOST_DOCUMENTS:
        blocks += [dict(DIVIDER), note_block(words.READERS_MORE)]
    return _page(blocks)


def person_view(user: str, found: Sequence[VisibleSource], notes: Sequence[str]) -> Block:
    """Tell what a person can see, source by source; `notes` say what is not known of them."""
    count = sum(one.documents for one in found)
    named = [one for one in found if one.source]
    blocks = [paragraph(person(user), text(words.sees(count)))]
    blocks += [note_block(note) for note in notes]
    for one in named[:MOST_SOURCES]:
        blocks += _source(one)
    if rest := named[MOST_SOURCES:]:
        blocks.append(note_block(words.sees_more(len(rest), sum(one.documents for one in rest))))
    if unnamed := sum(one.documents for one in found if not one.source):
        blocks.append(note_block(f"{words.SEES_ELSEWHERE}: {words.documents(unnamed)}"))
    return _page([*blocks, dict(DIVIDER), note_block(words.SEES_TITLES)])


def _source(one: VisibleSource) -> list[Block]:
    name = harmless(one.source, _LONGEST_NAME) or words.UNTITLED
    counted = words.sees_of_source(one.documents, one.unnamed)
    head = paragraph(text(name, bold=True), text(f" · {counted}"))
    titles = [harmless(title, _LONGEST_TITLE) or words.UNTITLED for title in one.titles[:MOST_TITLES]]
    rest = one.documents - one.unnamed - len(titles)
    titles += [words.HOME_MORE_SOURCES.format(count=f"{rest:,}")] if titles and rest > 0 else []
    return [head, bullets(titles)] if titles else [head]


def _who(one: DocumentReaders) -> list[Block]:
    match one.kind:
        case "everyone":
            return [text(words.READERS_EVERYONE)]
        case "channel":
            before, after = words.READERS_CHANNEL
            return [text(before), channel(one.who), text(after)]
        case "usergroup":
            before, after = words.READERS_USERGROUP
            return [text(before), usergroup(one.who), text(after)]
        case "person":
            return [person(one.who)]
        case "group":
            return [text(f"{words.readers_people(len(one.members))}: "), *_people(one.members)]
        case "nobody":
            return [text(words.READERS_NOBODY)]


def _people(members: Sequence[str]) -> list[Block]:
    runs: list[Block] = []
    for place, one in enumerate(members[:_MOST_PEOPLE]):
        runs += [text(", ")] if place else []
        runs.append(person(one) if _USER.fullmatch(one) else text(_named(one)))
    rest = len(members) - _MOST_PEOPLE
    return [*runs, text(words.readers_more(rest))] if rest > 0 else runs


def _named(member: str) -> str:
    """An e-mail address, as a source knows a person; nothing else becomes one."""
    return member if _MAIL.fullmatch(member) else harmless(member, _LONGEST_PERSON)


def _page(blocks: Sequence[Block]) -> Block:
    return modal(words.READERS_TITLE, blocks, close=words.FORM_CLOSE)
