"""How soon the bot answers again after it was killed, with Slack there all the time.

    python -m tests.benchmarks.restart FOLDER "A question that the folder answers?" [--rounds 5]

A playground stands for Slack and keeps running. `lorekeeper run` is started in a data folder that has read FOLDER, with
the embedded models, and killed with SIGKILL in each round; then somebody asks while nobody is there, and it is started
again. Told are the seconds from that start to the first words of the answer and to its end. No answer is given again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

from bot.cli.output import progress_bar
from bot.playground.process import PlaygroundProcess, start_playground
from bot.settings import SETTINGS_FILE
from bot.slack.manifest import build_manifest
from tests.benchmarks.people_page import JSON, PersonsPage, is_answer, open_page

ASKS, DIRECT = "U0ADAPARK", "D0ADAPARK"
_SECONDS = 120.0


def main() -> None:
    """Measure and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("question")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    begun, finished = [], []
    with (
        tempfile.TemporaryDirectory() as name,
        start_playground(port=0, manifest=build_manifest()) as playground,
        open_page(playground.url, ASKS) as page,
        progress_bar() as progress,
    ):
        home = Path(name) / "home"
        home.mkdir()
        (home / SETTINGS_FILE).write_text("[answer]\ncache = false\n", encoding="utf-8")
        for words in (["sources", "add", str(options.folder.resolve())], ["sync"]):
            subprocess.run(_command(home, *words), check=True, capture_output=True)
        # Once whole, so that what is prepared for this processor is there.
        bot = _start(home, playground)
        _answered(page, page.say(DIRECT, options.question))
        for number in range(options.rounds):
            bot.send_signal(signal.SIGKILL)
            bot.wait()
            ts = page.say(DIRECT, f"{options.question} ({number})")
            started = time.perf_counter()
            bot = _start(home, playground)
            page.wait_for(partial(_words_below, page, ts), _SECONDS)
            begun.append(time.perf_counter() - started)
            _answered(page, ts)
            finished.append(time.perf_counter() - started)
            progress("Restarts", number + 1, options.rounds)
        bot.send_signal(signal.SIGTERM)
        bot.wait(60)
    figures = {
        "first_words_seconds": {"median": round(median(begun), 2), "longest": round(max(begun), 2)},
        "answer_seconds": {"median": round(median(finished), 2), "longest": round(max(finished), 2)},
    }
    print(json.dumps(figures, indent=2))


def _command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", "from bot.cli import main; main()", "--home", str(home), *words]


def _start(home: Path, playground: PlaygroundProcess) -> subprocess.Popen[bytes]:
    told = {
        "SLACK_BOT_TOKEN": playground.bot_token,
        "SLACK_APP_TOKEN": playground.app_token,
        "SLACK_API_URL": playground.api_url,
    }
    return subprocess.Popen(
        _command(home, "run"), env={**os.environ, **told}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _answered(page: PersonsPage, ts: str) -> JSON:
    return page.wait_for_answer(DIRECT, ts, ts)


def _words_below(page: PersonsPage, ts: str) -> bool | None:
    below = (one for one in page.thread(DIRECT, ts) if one["ts"] != ts)
    return any(one.get("text") or is_answer(one) for one in below) or None


if __name__ == "__main__":
    main()
