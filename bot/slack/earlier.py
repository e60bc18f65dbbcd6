"""What was said before, as passages for one question, each with a link to its Slack thread. A question is answered
without rather than not at all."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from bot import words
from bot.attachments import Origin, passage_of
from bot.cite import without_markers
from bot.conversation import load_history
from bot.earlier.reader import reader_of
from bot.earlier.search import Earlier, Exchange
from bot.evidence import EARLIER
from bot.greeting import small_talk
from bot.remember import wish_to_remember
from bot.sentences import split_sentences
from bot.slack.briefing import Recall
from bot.slack.features import TeamParts
from bot.slack.limits import shorten
from bot.slack.thread import permalink, permalink_beside
from bot.turn import Incoming
from knowledge.audience import Audience, channel_audience, person_audience
from knowledge.document import Passage, Question

logger = logging.getLogger(__name__)

_HISTORY_TURNS = 4
_LONGEST_NAME = 100
_OUR_OWN = (words.QUOTING, words.QUOTING_MORE, words.NOTHING_ELSE)


@dataclass(kw_only=True)
class EarlierRecall:
    """Looks for one question at a time; may be used from several threads."""

    parts: TeamParts
    earlier: Earlier
    _known_link: str = field(default="", repr=False)
    """The address of some message: those of others are made like it, without asking Slack each time."""

    def __call__(self, incoming: Incoming, audience: Audience, sources: frozenset[str] | None) -> tuple[Passage, ...]:
        """The best exchanges of earlier conversations that everybody who reads this answer may read."""
        if small_talk(incoming.text) or wish_to_remember(incoming.text):
            return ()
        try:
            history = load_history(
                self.parts.engine, incoming.conversation, _HISTORY_TURNS, audience=audience, before=incoming.ts
            )
            question = Question(text=incoming.text, history=history)
            found = self.earlier.find(question, reader_of(incoming, audience, sources))
            return tuple(filter(None, (self._passage(one, incoming) for one in found)))
        except Exception:
            # The outermost edge of memory.
            logger.exception("an answer does without what was said before")
        return ()

    def _passage(self, exchange: Exchange, incoming: Incoming) -> Passage | None:
        """One exchange as a passage: what was said in it, under what was asked; None where it says nothing."""
        said = told_in(exchange)
        if not said:
            return None
        title = _title(exchange, incoming)
        about = f"{exchange.at:%Y-%m-%d}" if exchange.is_request else exchange.question
        own = incoming.channel_kind == "im"
        origin = Origin(
            kind=EARLIER,
            title=title,
            uri=self._link(exchange),
            audience=person_audience(incoming.user) if own else channel_audience(incoming.channel),
        )
        name = shorten(" ".join(about.replace(">", " ").split()), _LONGEST_NAME)
        return replace(passage_of(origin, said, header=f"{title} > {name}"), grounds=exchange.grounds)

    def _link(self, exchange: Exchange) -> str:
        if not self._known_link:
            self._known_link = permalink(self.parts, exchange.channel, exchange.ts)
        return permalink_beside(self._known_link, exchange.channel, exchange.ts, exchange.thread_ts)


def told_in(exchange: Exchange) -> str:
    """What an exchange says: the answer, and what the person stated. A question itself answers nothing."""
    if exchange.is_request:
        return _ended(exchange.question)
    stated = [sentence for sentence in split_sentences(exchange.question) if not sentence.endswith("?")]
    # A question without its mark states nothing: only what stands beside a real one is taken for a statement.
    asked = "?" in exchange.question
    return "\n\n".join(filter(None, [" ".join(stated) if asked else "", _without_our_own(exchange.answer)]))


def earlier_recall(parts: TeamParts) -> Recall | None:
    """What looks for one team's bot; None where nothing is remembered."""
    earlier = parts.equipment.earlier
    return None if earlier is None else EarlierRecall(parts=parts, earlier=earlier)


def _title(exchange: Exchange, incoming: Incoming) -> str:
    direct = incoming.channel_kind == "im"
    if not exchange.is_request:
        return words.EARLIER_OWN if direct else words.EARLIER_HERE
    if not direct:
        return words.REMEMBERED_HERE
    return words.REMEMBERED_OWN if exchange.user == incoming.user else words.REMEMBERED_CHANNEL


def _without_our_own(answer: str) -> str:
    """The answer without its citation marks and without the words that we put around quotes."""
    text = without_markers(answer)
    for words_of_ours in _OUR_OWN:
        text = text.replace(words_of_ours.strip(), "")
    return text.replace("“", "").replace("”", "").strip()


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?", "。")) else f"{text}."
