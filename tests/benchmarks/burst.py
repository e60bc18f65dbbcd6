"""Sends many mentions at once to a whole bot in the playground, and tells how soon each event was acknowledged.

Run: python -m tests.benchmarks.burst [--mentions 100] [--workers 2]
The answers are scripted, so what is measured is the way from Slack to the disk and back, while answers are delivered.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

from bot.database import open_database
from bot.playground.process import start_playground
from bot.slack.gateway import SlackBot
from tests.bot.dialogue import BEN, BOT, HELP, ScriptedAnswering, Workspace, link, options, wait_until

SLACK_SECONDS = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mentions", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parsed = parser.parse_args()
    seconds = burst(parsed.mentions, parsed.workers)
    cut = quantiles(seconds, n=20)[-1]
    print(f"{parsed.mentions} mentions, {len(seconds)} events acknowledged")
    print(f"median {median(seconds):.2f} s, p95 {cut:.2f} s, longest {max(seconds):.2f} s")
    return 0 if max(seconds) < SLACK_SECONDS else 1


def burst(mentions: int, workers: int) -> list[float]:
    """Seconds from each event's delivery to its acknowledgement, while the bot answers."""
    answering = ScriptedAnswering(reply=lambda *_: "word " * 20, seconds_per_word=0.05)
    with tempfile.TemporaryDirectory() as folder, start_playground(port=0) as playground:
        workspace = Workspace(playground)
        engine = open_database(f"sqlite:///{Path(folder) / 'lorekeeper.db'}")
        settings = options(playground, workers=workers)
        with SlackBot(engine, answering, settings, link=link, version=lambda: "scripted-1") as bot:
            wait_until(lambda: bot.ready)
            with ThreadPoolExecutor(16) as people:
                for number in range(mentions):
                    people.submit(workspace.say, BEN, HELP, f"{BOT} question {number}")
            # A mention is two events.
            wait_until(lambda: len(workspace.ledger("ack")) >= 2 * mentions, 60)
            time.sleep(1.0)
            # Listed backwards: where an event came twice, its first delivery and acknowledgement count.
            sent = {e["request"]["envelope_id"]: e["time"] for e in reversed(workspace.ledger("event")) if e["request"]}
            acks = {e["request"]["envelope_id"]: e["time"] for e in reversed(workspace.ledger("ack")) if e["request"]}
        engine.dispose()
    return [acks[envelope] - sent[envelope] for envelope in acks if envelope in sent]


if __name__ == "__main__":
    sys.exit(main())
