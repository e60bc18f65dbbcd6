"""What lies on the table beside the library for one question: its attachments, the thread so far, the channel it means.

All of it is data from people who may be answered here, and only what the readers of the answer may read. Whatever
cannot be had is left out; a file that cannot be read is named to the person who sent it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import sqlalchemy as sa

from bot import tables, words
from bot.attachments import ATTACHMENT, AttachmentLimits, Cutter, Origin, passage_of
from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.download import NotNowError
from bot.slack.features import TeamParts
from bot.slack.limits import shorten
from bot.slack.presses import whisper
from bot.slack.render import render_sentence
from bot.slack.shared_files import SharedFiles, UnreadFileError
from bot.slack.thread import Said, permalink, permalink_beside, read_recent, read_thread
from bot.slack.view_parts import one_line
from bot.turn import Incoming
from knowledge.audience import Audience, channel_audience, person_audience
from knowledge.database import reading
from knowledge.document import Passage

logger = logging.getLogger(__name__)

_THIS_CHANNEL = re.compile(
    r"\b(?:this|the current) (?:channel|conversation|room|group)\b|\b(?:in|around|on|over) here\b"
    r"|\bhere (?:today|lately|recently)\b"
    r"|\b(?:discussed|decided|said|talked about|agreed|happened|going on|new) here\b",
    re.IGNORECASE,
)
_RECENT_MESSAGES = 60
_MOST_PASSAGES = 24
# A message of less says nothing that an answer could stand on.
_FEWEST_CHARACTERS = 12
_LONGEST_MESSAGE = 1_500
_LONGEST_NAME = 100
Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class ContextGatherer:
    """Gathers for one question at a time; may be used from several threads."""

    parts: TeamParts
    limits: AttachmentLimits = field(default_factory=AttachmentLimits)
    cutter: Cutter | None = None
    """None where the bot has no embedder; then attachments are not read."""

    @property
    def files(self) -> SharedFiles:
        """What reads attachments."""
        return SharedFiles(parts=self.parts, limits=self.limits)

    def __call__(self, incoming: Incoming, audience: Audience) -> tuple[Passage, ...]:
        """Everything on the table, what is nearest to the question first where there is much."""
        earlier: tuple[Said, ...] = ()
        found: list[Passage] = []
        if incoming.thread_ts is not None:
            earlier = self._quietly(lambda: self._earlier(incoming))
        found += self._quietly(lambda: self._attached(incoming, earlier))
        found += self._quietly(lambda: self._thread(incoming, earlier))
        found += self._quietly(lambda: self._channel(incoming, audience))
        readable = [passage for passage in found if audience.may_read(passage.audience)]
        return self._nearest(incoming.text, readable)

    def _quietly(self, gather: Callable[[], tuple[Found, ...]]) -> tuple[Found, ...]:
        try:
            return gather()
        except (SlackSilentError, SlackRefusedError) as error:
            logger.warning("an answer does without its context: %s", error)
        except Exception:
            # The outermost edge of the context: a question is answered without it rather than not at all.
            logger.exception("an answer does without its context")
        return ()

    def _earlier(self, incoming: Incoming) -> tuple[Said, ...]:
        said = read_thread(self.parts, incoming.channel, str(incoming.thread_ts))
        return tuple(one for one in said if _before(one.ts, incoming.ts))

    # Attachments

    def _attached(self, incoming: Incoming, earlier: Sequence[Said]) -> tuple[Passage, ...]:
        """The question's files; for a follow-up those of the same person in its thread as well."""
        named = [*incoming.files, *(file for one in earlier if one.user == incoming.user for file in one.files)]
        files = tuple({file.id: file for file in named}.values())
        if not files or self.parts.equipment.parser is None or self.cutter is None:
            return ()
        found: list[Passage] = []
        unread: dict[str, str] = {}
        asked = {file.id for file in incoming.files}
        room = self.limits.bytes_of_all
        for file in files[: self.limits.files]:
            try:
                content, document = self.files.read(file, room)
            except (UnreadFileError, NotNowError, SlackSilentError, SlackRefusedError) as error:
                logger.warning("attachment %s was not read: %s", file.id, error)
                if file.id in asked:
                    why = str(error) if isinstance(error, UnreadFileError) else words.FILE_MISSING
                    unread[one_line(file.name, _LONGEST_NAME)] = why
                continue
            room -= len(content)
            origin = Origin(kind=ATTACHMENT, title=file.name, uri=file.url, audience=_own_audience(incoming))
            found += self.cutter.cut(replace(document, title=file.name), origin)
        self._tell_unread(incoming, unread, len(files))
        return tuple(found)

    def _tell_unread(self, incoming: Incoming, unread: Mapping[str, str], count: int) -> None:
        told = [words.unread_files(unread)] if unread else []
        if count > self.limits.files and incoming.files:
            told.append(words.too_many_files(self.limits.files))
        if told:
            thread_ts = "" if incoming.visibility == "ephemeral" else incoming.thread_ts or incoming.ts
            whisper(self.parts.delivery, incoming.channel, thread_ts, incoming.user, render_sentence("\n".join(told)))

    # What people said

    def _thread(self, incoming: Incoming, earlier: Sequence[Said]) -> tuple[Passage, ...]:
        """What people said in the thread before; what they asked the bot is the conversation's history already."""
        asked = self._turns(incoming.conversation)
        others = [one for one in earlier if one.ts not in asked]
        return self._as_passages(
            others, words.CONTEXT_THREAD, "thread", incoming.channel, _own_audience(incoming), incoming.thread_ts
        )

    def _channel(self, incoming: Incoming, audience: Audience) -> tuple[Passage, ...]:
        """The newest messages of the channel that "here" means, where this person is in it and the bot is."""
        channel = incoming.viewing if incoming.channel_kind == "im" else incoming.channel
        if not channel or incoming.visibility == "if_sure" or not _THIS_CHANNEL.search(incoming.text):
            return ()
        if not (audience.may_read(channel_audience(channel)) and self.parts.directory.is_member(channel)):
            return ()
        recent = read_recent(self.parts, channel, _RECENT_MESSAGES)
        said = [one for one in recent if one.ts != incoming.ts]
        return self._as_passages(said, words.CONTEXT_CHANNEL, "channel", channel, channel_audience(channel), None)

    def _turns(self, conversation: str) -> frozenset[str]:
        query = sa.select(tables.turn.c.ts).where(tables.turn.c.conversation == conversation)
        with reading(self.parts.engine) as connection:
            return frozenset(connection.scalars(query))

    def _as_passages(
        self, said: Iterable[Said], title: str, kind: str, channel: str, audience: str, thread_ts: str | None
    ) -> tuple[Passage, ...]:
        telling = [one for one in said if len(one.text) >= _FEWEST_CHARACTERS]
        if not telling:
            return ()
        known = permalink(self.parts, channel, telling[0].ts)
        found = []
        for one in telling:
            uri = permalink_beside(known, channel, one.ts, thread_ts)
            origin = Origin(kind=kind, title=title, uri=uri, audience=audience)
            found.append(passage_of(origin, shorten(one.text, _LONGEST_MESSAGE), header=f"{title} > {one.name}"))
        return tuple(found)

    def _nearest(self, question: str, passages: Sequence[Passage]) -> tuple[Passage, ...]:
        embedder = self.parts.equipment.embedder
        if not passages or embedder is None:
            return tuple(passages[:_MOST_PASSAGES])
        asked = embedder.embed([question], role="question")[0]
        cosines = embedder.embed([f"{passage.header}\n{passage.text}" for passage in passages]) @ asked
        scored = [replace(one, cosine=float(cosine)) for one, cosine in zip(passages, cosines, strict=True)]
        return tuple(sorted(scored, key=lambda passage: -passage.cosine)[:_MOST_PASSAGES])


def context_gatherer(parts: TeamParts) -> ContextGatherer:
    """The gatherer of one team's bot."""
    embedder = parts.equipment.embedder
    return ContextGatherer(parts=parts, cutter=None if embedder is None else Cutter(embedder))


def _own_audience(incoming: Incoming) -> str:
    """Who reads what is said in this place."""
    return person_audience(incoming.user) if incoming.channel_kind == "im" else channel_audience(incoming.channel)


def _before(ts: str, other: str) -> bool:
    return float(ts) < float(other)
