"""A bot that kills its own process at one edge between two states: `python -m tests.bot.crash_child JSON`."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from bot.database import open_database
from bot.slack.gateway import SlackBot, SlackOptions
from knowledge.secret import Secret
from tests.bot.dialogue import LONG, ScriptedAnswering, link


def main() -> None:
    """Run until the edge."""
    order = json.loads(sys.argv[1])

    def at_edge(name: str) -> None:
        if name == order["edge"]:
            os.kill(os.getpid(), signal.SIGKILL)

    slack = SlackOptions(
        bot_token=Secret(order["bot_token"]),
        app_token=Secret(order["app_token"]),
        api_url=order["api_url"],
        update_seconds=0.2,
        stream_seconds=0.2,
        lease_seconds=1.0,
        settle_seconds=0.3,
    )
    bot = SlackBot(
        open_database(order["database_url"]),
        # The end of the text must still be to come when the stream goes on in its next message, on a busy machine, too.
        ScriptedAnswering(reply=lambda *_: LONG, seconds_per_word=0.001 if "roll" in order["edge"] else 0.0005),
        slack,
        link=link,
        version=lambda: "scripted-1",
        at_edge=at_edge,
    )
    with bot:
        while not bot.ready:
            time.sleep(0.01)
        print("ready", flush=True)
        time.sleep(60)


if __name__ == "__main__":
    main()
