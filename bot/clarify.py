"""One question back, where a request may mean several things that the sources hold.

No model is asked: what can be meant are the headings of the passages that fit about equally well. It knows passages and
the conversation; not who asks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import unescape

from bot.evidence import Evidence
from bot.sentences import content_words, plain, words
from bot.turn import Answer
from bot.words import CLARIFY, CLARIFY_REPLY
from knowledge.document import HistoryTurn, Passage, Question

# A request says too little with so few telling words: "How do I book?", "How do I get a card?". With two it names what
# is to be done with what: "How do I vote on an answer?" was asked back for nothing.
_FEW_WORDS = 1
# With a word that points at something unnamed, one more says too little, too: "How long does it take to arrive?".
_FEW_WORDS_POINTING = 3
_POINTING = frozenset("it its this that these those they them their one ones he she him her there".split())
_OPTIONS = range(2, 5)
# So much of the best passage's score: what is clearly better is meant.
_NEARLY_AS_GOOD = 0.85
_LONGEST_OPTION = 80
# A reply with so many telling words that is a question of its own is a new one.
_WHOLE_QUESTION = 3
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_OPTION_LINE = re.compile(r"^(\d)\. (.+)$", re.MULTILINE)
_NUMBERS = {
    word: str(number)
    for number, spoken in enumerate(("one first 1st", "two second 2nd", "three third 3rd", "four fourth 4th"), start=1)
    for word in (*spoken.split(), str(number))
}
_AROUND_NUMBER = frozenset("the a number option no nr please i mean meant one it s is was that".split())
_ASKING = frozenset("what when where who whom whose why how which is are was can could do does did will should".split())


@dataclass(frozen=True, kw_only=True)
class _Topic:
    """What one document or section is about, with how well its best sentence fits."""

    label: str
    score: float


def clarifying_options(
    question: Question, passages: Sequence[Passage], evidence: Sequence[Evidence]
) -> tuple[str, ...]:
    """What the request may mean, best first; empty where it says enough, or was asked back before.

    The caller asks only where it is not sure of an answer.
    """
    asked = set(content_words(question.text))
    if not says_too_little(question) or any(map(is_clarification, question.history)):
        return ()
    topics = _topics(asked, passages, evidence)
    good = [topic for topic in topics if topic.score >= _NEARLY_AS_GOOD * topics[0].score]
    return tuple(topic.label for topic in good) if len(good) in _OPTIONS else ()


def clarification(options: Sequence[str]) -> str:
    """The question back, with its options as a numbered list."""
    listed = "\n".join(f"{number}. {option}" for number, option in enumerate(options, start=1))
    return f"{CLARIFY}\n\n{listed}\n\n{CLARIFY_REPLY}"


def is_clarification(turn: HistoryTurn) -> bool:
    """Tell whether we asked back in this turn."""
    return turn.role == "assistant" and turn.text.startswith(CLARIFY)


def with_clarification(question: Question) -> Question:
    """The question that a reply to our question back completes; any other question as it is.

    Our own list of options goes out of the history: it would pull the search to all of them.
    """
    *earlier, back = question.history or (HistoryTurn(role="user", text=""),)
    history = tuple(turn for turn in question.history if not is_clarification(turn))
    if not is_clarification(back) or not earlier or earlier[-1].role != "user" or _is_whole(question.text):
        return replace(question, history=history)
    return completed(Question(text=earlier[-1].text, history=history[:-1]), _chosen(question.text, back.text))


def completed(question: Question, meant: str) -> Question:
    """A request together with what was meant by it: it goes in front and says what is wanted, the other of what."""
    return replace(question, text=f"{question.text.strip()} {meant}")


def choices_of(answer: Answer) -> tuple[str, ...]:
    """What an answer asks to choose from; empty where it does not ask back."""
    return tuple(label for _, label in _OPTION_LINE.findall(answer.text)) if answer.asks_back else ()


def says_too_little(question: Question) -> bool:
    """Tell whether a request has so few telling words that it may mean many things; none at all is no request."""
    asked = set(content_words(question.text))
    if not asked:
        return False
    if len(asked) <= _FEW_WORDS:
        # What was talked about before may complete it.
        return not question.history
    points = not question.history and bool(_POINTING.intersection(words(question.text)))
    return points and len(asked) <= _FEW_WORDS_POINTING


def _topics(asked: set[str], passages: Sequence[Passage], evidence: Sequence[Evidence]) -> list[_Topic]:
    """The topics of the passages that hold as many of the question's words as any does, best first."""
    held = [len(asked.intersection(content_words(f"{one.header} {one.text}"))) for one in passages]
    best: dict[str, _Topic] = {}
    for item in evidence:
        if held[item.passage] < max(held):
            continue
        label = _label(asked, passages[item.passage])
        key = " ".join(sorted(set(content_words(label))))
        if key and (key not in best or item.score > best[key].score):
            best[key] = _Topic(label=label, score=item.score)
    return sorted(best.values(), key=lambda topic: -topic.score)


def _label(asked: set[str], passage: Passage) -> str:
    """The nearest heading that speaks of what was asked; the document's title where none does."""
    # Headings may hold HTML: "Set up <em>before</em> you travel &amp; work".
    parts = (unescape(_TAG.sub("", plain(part))).strip() for part in (passage.title, *passage.header.split(" > ")))
    path = [part for part in parts if part]
    fitting = [part for part in path if asked.intersection(content_words(part))]
    label = " ".join((fitting[-1] if fitting else path[0] if path else "").split())
    return label if len(label) <= _LONGEST_OPTION else f"{label[:_LONGEST_OPTION].rsplit(' ', 1)[0]} …"


def _is_whole(reply: str) -> bool:
    """Tell whether a reply is a question of its own."""
    said = words(reply)
    is_question = reply.rstrip().endswith("?") or (bool(said) and said[0] in _ASKING)
    return is_question and len(set(content_words(reply))) >= _WHOLE_QUESTION


def _chosen(reply: str, asked_back: str) -> str:
    """The option that a number stands for; else the reply as it is."""
    options: dict[str, str] = dict(_OPTION_LINE.findall(asked_back))
    said = [word.rstrip(".") for word in words(reply)]
    telling = [word for word in said if word not in _AROUND_NUMBER] or said
    number = _NUMBERS.get(telling[0], "") if len(telling) == 1 else ""
    return options.get(number, reply)
