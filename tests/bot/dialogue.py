"""What dialogue tests need: a workspace to talk in, and something that answers as it is told to."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from slack_sdk import WebClient

from bot.playground.process import PlaygroundProcess
from bot.slack.gateway import SlackBot, SlackOptions
from bot.turn import Answer, AnswerEvent, AnswerSeconds, AnswerTokens, Brief, Citation, Delta, Done, Status
from knowledge.audience import Audience
from knowledge.document import Question
from knowledge.secret import Secret

ADA, BEN, CHLOE = "U0ADAPARK", "U0BENORTIZ", "U0CHLOELIND"
HELP, GENERAL, LEADS, ADAS_DM = "C0HELP", "C0GENERAL", "C0PRIVATELEADS", "D0ADAPARK"
BOT = "@Lorekeeper"
# Longer than one message holds.
LONG = "A sentence of some length, said once more. " * 300
Reply = Callable[[Question, Audience], str]
StartBot = Callable[..., SlackBot]


def options(playground: PlaygroundProcess, **changes: Any) -> SlackOptions:
    """Options for a bot in this playground, with short waits."""
    values: dict[str, Any] = {
        "bot_token": Secret(playground.bot_token),
        "app_token": Secret(playground.app_token),
        "api_url": playground.api_url,
        "update_seconds": 0.2,
        "stream_seconds": 0.2,
        "lease_seconds": 3.0,
        "settle_seconds": 0.3,
        "connect_seconds": 20.0,
    }
    return SlackOptions(**values | changes)


def link(uri: str) -> str:
    """Where a citation can be opened."""
    return f"https://docs.example/{uri.removeprefix('file:///')}"


class Workspace:
    """The people of a playground: they say and do things, and see what is there."""

    def __init__(self, playground: PlaygroundProcess) -> None:
        self.playground = playground
        self._client = WebClient(token=playground.bot_token, base_url=playground.api_url, retry_handlers=[])

    def act(self, what: str, /, **body: Any) -> dict[str, Any]:
        """Do what a person can do on the page."""
        request = urllib.request.Request(
            f"{self.playground.url}playground/api/{what}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:
            answer: dict[str, Any] = json.load(reply)
        assert answer["ok"], answer
        return answer

    def begin(self, **features: bool) -> None:
        """A day without faults; what the last test's bot did not confirm is not for this one's."""
        self.act("faults", clear=True, give_up=True)
        if features:
            self.act("features", **features)
        self.act("clear_traffic")

    def say(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> str:
        """Say something; returns its ts."""
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        return str(self.act("say", user=user, channel=channel, text=text, **thread)["ts"])

    def ledger(self, kind: str, name: str | None = None) -> list[dict[str, Any]]:
        """What the playground wrote down."""
        with urllib.request.urlopen(f"{self.playground.url}playground/api/ledger?kind={kind}", timeout=10) as reply:
            entries: list[dict[str, Any]] = json.load(reply)["entries"]
        return [entry for entry in entries if name in (None, entry["name"])]

    def bot_messages(self, channel: str, thread_ts: str) -> list[dict[str, Any]]:
        """The bot's messages in a thread."""
        reply = self._client.conversations_replies(channel=channel, ts=thread_ts, limit=200, include_all_metadata=True)
        return [message for message in reply["messages"] if message.get("bot_id")]

    def channel_messages(self, channel: str) -> list[dict[str, Any]]:
        """The newest messages of a channel itself."""
        found: list[dict[str, Any]] = self._client.conversations_history(channel=channel, limit=100)["messages"]
        return found

    def answers(self, channel: str, thread_ts: str, count: int = 1, seconds: float = 20.0) -> list[str]:
        """Wait until so many finished answers stand in a thread; returns the texts of all the bot's messages."""

        def stand() -> bool:
            finished = sum(map(is_finished, self.bot_messages(channel, thread_ts)))
            return finished >= count and self.is_quiet(thread_ts)

        wait_until(stand, seconds)
        return [str(message["text"]) for message in self.bot_messages(channel, thread_ts)]

    def is_quiet(self, thread_ts: str) -> bool:
        """Whether the bot does nothing in a thread any more: it takes its status away after the last change of all.

        A message that looks finished may be changed once more before, as for links, or be followed by another.
        """
        calls = self.ledger("call", "assistant.threads.setStatus")
        if any(not call["response"].get("ok") for call in calls):
            return True  # where statuses are refused, the bot asks for none any more
        said = [call["request"]["status"] for call in calls if call["request"]["thread_ts"] == thread_ts]
        return bool(said) and said[-1] == ""

    def direct_messages(self, user: str) -> str:
        """The channel of somebody's direct messages with the bot."""
        opened: dict[str, Any] = self._client.conversations_open(users=user)["channel"]
        return str(opened["id"])

    def whispers(self, user: str) -> list[str]:
        """What was said to one person alone."""
        calls = self.ledger("call", "chat.postEphemeral")
        return [str(call["request"]["text"]) for call in calls if call["request"]["user"] == user]


def is_finished(message: dict[str, Any]) -> bool:
    """An answer is finished when it asks for feedback; a sentence instead of one when it is rich text alone."""
    kinds = [block["type"] for block in message.get("blocks", [])]
    return "context_actions" in kinds or kinds == ["rich_text"]


def all_acknowledged(workspace: Workspace, name: str) -> bool:
    """Whether the bot has confirmed all events of this name, one at least: they have taken effect then."""
    envelopes = {entry["request"]["envelope_id"] for entry in workspace.ledger("event", name)}
    return bool(envelopes) and envelopes <= {entry["request"]["envelope_id"] for entry in workspace.ledger("ack")}


def wait_until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so, or fail."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.03)


@dataclass(kw_only=True)
class ScriptedAnswering:
    """Answers with what a function says, word by word; keeps what it was asked."""

    reply: Reply = lambda question, _audience: f"You asked: {question.text} [1]"
    seconds_per_word: float = 0.0
    asked: list[Question] = field(default_factory=list)
    audiences: list[Audience] = field(default_factory=list)
    briefs: list[Brief] = field(default_factory=list)

    def answer(
        self,
        question: Question,
        audience: Audience,
        *,
        brief: Brief | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[AnswerEvent]:
        """Yield a status, the words, and the finished answer."""
        self.asked.append(question)
        self.audiences.append(audience)
        self.briefs.append(brief or Brief())
        cancel = cancel or threading.Event()
        yield Status(text="Searching…")
        written = ""
        for word in self.reply(question, audience).split(" "):
            if cancel.wait(self.seconds_per_word) or cancel.is_set():
                yield Done(answer=make_answer(written, stopped=True))
                return
            piece = f" {word}" if written else word
            written += piece
            yield Delta(text=piece)
        yield Done(answer=make_answer(written))


def make_answer(text: str, *, stopped: bool = False) -> Answer:
    """An answer with one citation."""
    citation = Citation(
        n=1,
        uri="file:///guide.md",
        title="Guide",
        header="Guide > Asking",
        source="s",
        chunk_id=1,
        text_hash="h",
        quote="…",
    )
    return Answer(
        text=text,
        citations=(citation,),
        abstained=False,
        support=0.9,
        version="scripted-1",
        seconds=AnswerSeconds(retrieve=0.0, first_token=0.0, total=0.0),
        tokens=AnswerTokens(prompt=1, completion=1),
        stopped=stopped,
    )
