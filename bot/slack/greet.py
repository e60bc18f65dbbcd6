"""What the bot says without being asked: a greeting, once to each person, suggested prompts, and a goodbye.

Every part does without the others: a workspace without prompts gets the examples in the greeting instead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slack_bolt import App

from bot import words
from bot.errors import SlackRefusedError, SlackSilentError
from bot.inbox import Kind, Lease
from bot.people import note_greeting
from bot.slack.features import TeamParts
from bot.slack.gate import reach_of
from bot.slack.inert import clean, inert
from bot.slack.limits import shorten
from bot.slack.render import POST_OPTIONS, RenderedMessage
from bot.slack.reply import lines
from bot.slack.standing import refusal_for
from bot.suggestions import known_sources, suggest
from knowledge.audience import Audience

logger = logging.getLogger(__name__)

_UNSUPPORTED = frozenset(
    {
        "unknown_method",
        "not_agent_app",
        "feature_disabled",
        "feature_not_enabled",
        "missing_scope",
        "not_allowed_token_type",
        "access_denied",
        "not_allowed",
    }
)
# What a workspace lacks today it may have after its plan or the app's manifest changed.
_ASK_AGAIN_SECONDS = 3600.0
_LONGEST_PROMPT_TITLE, _LONGEST_TITLE = 75, 120
_NAMED_SOURCES = 3


class Greeter:
    """Works off `greeting` rows; thread-safe."""

    def __init__(self, parts: TeamParts, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._unsupported_until: dict[str, float] = {}

    def listen(self, app: App) -> None:
        """All that concerns it comes as events."""

    def works(self) -> dict[Kind, Callable[[Lease], None]]:
        """Greetings and goodbyes wait in the inbox."""
        return {"greeting": lambda lease: self.greet(lease.payload)}

    def greet(self, payload: Mapping[str, Any]) -> None:
        """Do what one row asks for."""
        user = str(payload["user"])
        channel, thread_ts = str(payload.get("channel") or ""), str(payload.get("thread_ts") or "")
        if payload["what"] != "goodbye" and refusal_for(self._parts, user):
            # Whoever is not answered learns of no source and of no heading, either.
            return
        match payload["what"]:
            case "goodbye":
                self._post(channel, thread_ts, lines(words.GOODBYE))
            case "title":
                self._set_title(channel, thread_ts, str(payload.get("text") or ""))
            case "assistant":
                questions = self._questions(user)
                prompted = self._set_prompts(channel, questions, thread_ts)
                note_greeting(self._parts.engine, self._parts.team, user)
                self._post(channel, thread_ts, self._greeting(user, () if prompted else questions))
            case "messages":
                self._open_messages(user, channel)
            case _:
                self._set_prompts(channel, self._questions(user), thread_ts)

    def _open_messages(self, user: str, channel: str) -> None:
        questions = self._questions(user)
        prompted = self._set_prompts(channel, questions, "")
        greeting = self._greeting(user, () if prompted else questions)
        # Noted first: a greeting that got lost is better than one that comes again and again.
        if note_greeting(self._parts.engine, self._parts.team, user):
            self._post(channel or user, "", greeting)

    def _audience(self, user: str) -> Audience:
        return reach_of(self._parts.memberships, self._parts.team, user)

    def _questions(self, user: str) -> tuple[str, ...]:
        return tuple(clean(question) for question in suggest(self._parts.engine, self._audience(user)))

    def _greeting(self, user: str, examples: Sequence[str]) -> RenderedMessage:
        sources = known_sources(self._parts.engine, self._audience(user))
        if not sources:
            return lines(words.GREETING, words.GREETING_NO_SOURCES)
        names = [inert(" ".join(source.name.split())) for source in sources[:_NAMED_SOURCES]]
        rest = len(sources) - len(names)
        documents = sum(source.documents for source in sources)
        told = [words.GREETING, words.knows(documents, words.named(names, more=rest))]
        if examples:
            told += [words.GREETING_EXAMPLES, *(f"• {inert(example)}" for example in examples)]
        return lines(*told)

    def _set_prompts(self, channel: str, questions: Sequence[str], thread_ts: str) -> bool:
        """Offer questions to press; False where there are none or they cannot be shown."""
        if not (channel and questions):
            return False
        prompts = [{"title": shorten(question, _LONGEST_PROMPT_TITLE), "message": question} for question in questions]
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        return self._try(
            "assistant.threads.setSuggestedPrompts",
            channel_id=channel,
            title=words.PROMPTS_TITLE,
            prompts=prompts,
            **thread,
        )

    def _set_title(self, channel: str, thread_ts: str, question: str) -> None:
        if title := shorten(" ".join(clean(question).split()), _LONGEST_TITLE):
            self._try("assistant.threads.setTitle", channel_id=channel, thread_ts=thread_ts, title=title)

    def _post(self, channel: str, thread_ts: str, message: RenderedMessage) -> None:
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        self._parts.delivery.call(
            "chat.postMessage",
            wait_seconds=30.0,
            channel=channel,
            text=message.text,
            blocks=message.blocks,
            **thread,
            **POST_OPTIONS,
        )

    def _try(self, method: str, **arguments: Any) -> bool:
        """Call what not every workspace has; what it lacks is not asked for again for a while."""
        with self._lock:
            if self._monotonic() < self._unsupported_until.get(method, 0.0):
                return False
        try:
            self._parts.delivery.call(method, wait_seconds=5.0, **arguments)
        except SlackSilentError as error:
            logger.info("%s was not shown: %s", method, error)
            return False
        except SlackRefusedError as error:
            logger.info("%s was not shown: %s", method, error)
            if error.code in _UNSUPPORTED:
                with self._lock:
                    self._unsupported_until[method] = self._monotonic() + _ASK_AGAIN_SECONDS
            return False
        return True
