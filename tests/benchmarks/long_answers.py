"""Sends generated answers of every kind and length through the playground, and looks whether all of each arrives.

Run: python -m tests.benchmarks.long_answers --cases 1000 [--seed 1]
Ends with exit code 1 and prints what went wrong: a payload over a limit, a call that Slack would refuse, characters
that are in no message and no file, an answer without feedback buttons.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from markdown_it import MarkdownIt
from slack_sdk import WebClient

from bot.conversation import begin_answer, write_answer
from bot.database import open_database
from bot.inbox import Inbox, Received
from bot.playground.process import PlaygroundProcess, start_playground
from bot.sending import Sending
from bot.slack.answer_menu import menu_blocks
from bot.slack.deliver import Delivery
from bot.turn import Answer, AnswerSeconds, AnswerTokens, Citation, Incoming
from knowledge.database import writing
from tests.bot.dialogue import BEN, HELP, Workspace
from tests.bot.slack_oracle import over_limits

LONGEST = 60_000
_BATCH = 50
_WORDS = (
    "the deployment waits until every replica answers",
    "Größe und Überprüfung ändern sich täglich",
    "les réponses sont vérifiées à l'aide des sources",
    "система проверяет каждый ответ перед отправкой",
    "質問には資料に基づいて答えます",
    "يجيب النظام عن كل سؤال من المصادر",
    "उत्तर हमेशा स्रोतों से आता है",
    "👍 🎉 ok",
)
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable(["reference"])


@dataclass(slots=True)
class Tally:
    """What a run found."""

    cases: int = 0
    messages: int = 0
    files: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    total = Tally()
    for first in range(0, options.cases, _BATCH):
        with tempfile.TemporaryDirectory() as folder, start_playground(port=0) as playground:
            send_all(total, playground, Path(folder), options.seed, range(first, min(first + _BATCH, options.cases)))
        print(f"\r{total.cases:,} answers, {len(total.failures)} failures", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(f"seed {options.seed}: {total.cases:,} answers in {time.perf_counter() - started:.0f} s")
    print(f"{total.messages:,} messages, {total.files:,} files, calls: {dict(total.calls)}")
    print(f"failures: {len(total.failures)}")
    print("\n".join(total.failures[:10]))
    return 1 if total.failures else 0


def send_all(total: Tally, playground: PlaygroundProcess, folder: Path, seed: int, numbers: range) -> None:
    """Send the answers with these numbers, each into a thread of its own."""
    with sender(playground, folder) as (sending, inbox, workspace):
        for number in numbers:
            markdown = generated(random.Random(f"{seed}:{number}"))
            workspace.act("clear_traffic")
            thread_ts = send_one(sending, inbox, workspace, markdown)
            total.cases += 1
            problems = judge(total, workspace, playground, thread_ts, markdown)
            total.failures += [f"answer {number} ({len(markdown):,} characters): {problem}" for problem in problems]


@contextmanager
def sender(playground: PlaygroundProcess, folder: Path) -> Iterator[tuple[Sending, Inbox, Workspace]]:
    """What sends answers, with a database of its own."""
    engine = open_database(f"sqlite:///{folder / 'lorekeeper.db'}")
    client = WebClient(token=playground.bot_token, base_url=playground.api_url, retry_handlers=[])
    delivery = Delivery(client, stopping=threading.Event())
    inbox = Inbox(engine)
    author = str(delivery.repeat("auth.test")["user_id"])
    sending = Sending(
        engine=engine, inbox=inbox, delivery=delivery, link=str, author=author, tail=menu_blocks, settle_seconds=0.0
    )
    yield sending, inbox, Workspace(playground)
    engine.dispose()


def send_one(sending: Sending, inbox: Inbox, workspace: Workspace, markdown: str) -> str:
    """Send one answer; returns its thread."""
    ts = workspace.say(BEN, HELP, "and?")
    incoming = Incoming(
        team="T1",
        channel=HELP,
        channel_kind="public",
        user=BEN,
        ts=ts,
        thread_ts=None,
        text="and?",
        mentioned=True,
    )
    payload = asdict(incoming)
    inbox.put(Received(event_id=ts, kind="question", team="T1", channel=HELP, ts=ts, user=BEN, payload=payload))
    lease = inbox.claim(["question"])
    assert lease is not None
    with writing(sending.engine) as connection:
        row = begin_answer(connection, incoming)
        write_answer(connection, row.id, incoming, make_answer(markdown))
    sending.send(lease, sending.settle(lease, row, incoming), incoming)
    return ts


def make_answer(markdown: str) -> Answer:
    """An answer with a few sources, one of them with a very long address."""
    addresses = ["https://docs.example/guide", f"https://docs.example/{'long/' * 500}end", "file:///notes.md"]
    citations = tuple(
        Citation(
            n=n, uri=uri, title=f"Guide {n}", header="Guide > Part", source="s", chunk_id=n, text_hash="", quote=""
        )
        for n, uri in enumerate(addresses, start=1)
    )
    return Answer(
        text=markdown,
        citations=citations,
        abstained=False,
        support=0.9,
        version="generated",
        seconds=AnswerSeconds(retrieve=0.0, first_token=0.0, total=0.0),
        tokens=AnswerTokens(prompt=0, completion=0),
    )


def judge(
    total: Tally, workspace: Workspace, playground: PlaygroundProcess, thread_ts: str, markdown: str
) -> list[str]:
    """What is wrong with how an answer arrived."""
    problems = []
    for call in workspace.ledger("call"):
        total.calls[call["name"]] += 1
        if call["status"] != "ok":
            problems.append(f"{call['name']} was refused: {call['response']}")
        if call["name"] == "chat.postMessage":
            payload = {"text": call["request"]["text"], "blocks": call["request"]["blocks"]}
            problems += [f"over a limit: {limit}" for limit in over_limits(payload)]
    messages = workspace.bot_messages(HELP, thread_ts)
    files = [file for message in messages for file in message.get("files", [])]
    total.messages += len(messages)
    total.files += len(files)
    if "context_actions" not in [block["type"] for block in messages[0]["blocks"]]:
        problems.append("no feedback buttons")
    shown = [text for message in messages for block in message.get("blocks", [])[:1] for text in texts(block)]
    shown += [download(file["url_private"], playground.bot_token) for file in files]
    # The wrapped cells of a table stand side by side: then every character counts, but not its place.
    compare = missing_letters if "|---" in markdown else first_missing
    missing = compare(plain_text(markdown), "".join(shown))
    return [*problems, f"lost: …{missing!r}"] if missing else problems


def texts(value: object) -> Iterator[str]:
    """Everything that a block shows."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def plain_text(markdown: str) -> str:
    """What a reader of the Markdown reads."""
    return "".join(
        part.content
        for token in _PARSER.parse(markdown.strip())
        for part in (token.children if token.children is not None else [token])
        if token.type in ("inline", "fence", "code_block")
    )


def first_missing(wanted: str, shown: str) -> str:
    """The first characters that do not appear in their order; spaces, and what was added, do not count."""
    rest = iter("".join(shown.split()))
    letters = "".join(wanted.split())
    for place, letter in enumerate(letters):
        if not any(letter == there for there in rest):
            return letters[place : place + 40]
    return ""


def missing_letters(wanted: str, shown: str) -> str:
    """The characters that appear less often than they should."""
    missing = Counter("".join(wanted.split())) - Counter("".join(shown.split()))
    return "".join(missing.elements())[:40]


def download(url: str, token: str) -> str:
    """Read a file as the bot may."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return str(reply.read().decode())


def generated(chance: random.Random) -> str:
    """One answer: short ones are as frequent as very long ones."""
    length = int(10 ** chance.uniform(0, 4.78))
    parts: list[str] = []
    while sum(map(len, parts)) < length:
        parts.append(_part(chance, max(1, length // 4)))
    return "\n\n".join(parts)[: min(length, LONGEST)]


def _part(chance: random.Random, most: int) -> str:
    def words(least: int, many: int) -> str:
        return " ".join(chance.choice(_WORDS) for _ in range(chance.randint(least, max(least, many))))

    def lines(many: int) -> range:
        return range(chance.randint(1, max(1, min(many, most // 20 + 1))))

    match chance.randrange(10):
        case 0:
            return f"{'#' * chance.randint(1, 4)} {words(1, 1)}"
        case 1:
            return "\n".join(f"{'  ' * chance.randint(0, 2)}- **{words(1, 1)}** {words(0, 3)}" for _ in lines(80))
        case 2:
            return "\n".join(f"{n}. {words(1, 3)} [1]" for n in lines(80))
        case 3:
            code = "\n".join(f"    if value_{n} < {n}:  # {words(1, 1)}" for n in lines(400))
            return f"```{chance.choice(['python', '', 'c++'])}\n{code}\n```"
        case 4:
            columns = chance.randint(1, 6)
            rows = ["| " + " | ".join(words(0, 4) for _ in range(columns)) + " |" for _ in lines(200)]
            return "\n".join(["| h " * columns + "|", "|---" * columns + "|", *rows])
        case 5:
            return "\n".join(f"> {words(1, 4)}" for _ in lines(60))
        case 6:
            return chance.choice(["x" * min(most, 20_000), "無" * min(most, 9_000), f"`{'y' * min(most, 4_000)}`"])
        case 7:
            return (
                f"See README.md, https://docs.example/guide, *{words(1, 1)}* and ~~{words(1, 1)}~~ <tag> & more [2][3]."
            )
        case _:
            return words(5, 120)


if __name__ == "__main__":
    sys.exit(main())
