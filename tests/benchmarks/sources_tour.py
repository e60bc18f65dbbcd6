"""Each kind of source from its first question to its last, in a real playground: added, asked about, changed at its
origin, asked again, deleted there, asked again.

    python -m tests.benchmarks.sources_tour --out FOLDER [--only NAME ...] [--pictures]

Starts `lorekeeper playground` with a data folder of its own, and the tests' servers in the services' place; adds and
reads with `lorekeeper sources add` and `lorekeeper sync`, each in a process of its own; asks as a person does on the
page. Writes report.md, and with --pictures what the page shows after each answer. Ends with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from bot.cli.playground import document_links
from bot.playground.running import find_running
from bot.settings import SETTINGS_FILE, TERMS_DATE
from tests.benchmarks.people_page import JSON, NothingCameError, PersonsPage, open_page, read_text
from tests.benchmarks.sources_origins import GENERAL, HELP, STOPS, Fact, Origin, Stop, World

ASKS, WRITES, DIRECT = "U0ADAPARK", "U0BENORTIZ", "D0ADAPARK"
START_SECONDS = 600.0
SETTINGS = f"""\
[knowledge]
slack_channels = ["{HELP}", "{GENERAL}"]
slack_terms_acknowledged = "{TERMS_DATE}"
slack_history_requests_per_minute = 100
[slack]
questions_per_minute = 0
questions_per_day = 0
"""
_CHROMIUM = Path("/usr/bin/chromium")
_ARGUMENTS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
_LINK = re.compile(r"<([^|>]+)\|")


class FailedError(Exception):
    """Something was not as a person expects it; the message says what."""


@dataclass(kw_only=True)
class Row:
    """What came of one kind."""

    name: str
    seconds: dict[str, float] = field(default_factory=dict)
    answers: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Said:
    """One answer as it stands on the page."""

    text: str
    links: tuple[str, ...]
    whole: str
    """All words of the message, also those of its sources and notes."""


Run = Callable[[Sequence[str]], str]
"""Runs one of the product's commands; returns what it prints, raises FailedError where it ends badly."""


class Tour:
    """A running playground with the two people who use it."""

    def __init__(self, url: str, run: Run, asker: PersonsPage, writer: PersonsPage) -> None:
        self.url, self.run, self._asker, self.writer = url, run, asker, writer

    def sync(self, name: str, *options: str) -> JSON:
        """Read one source now; raises FailedError where anything of it could not be read."""
        found: JSON = json.loads(self.run(["sync", name, "--json", *options]))["sources"][0]
        if found["failed"]:
            raise FailedError(f"could not be read: {found['failed']}")
        return found

    def ask(self, question: str) -> Said:
        """Ask in a direct message and wait for the answer; raises FailedError."""
        ts = self._asker.say(DIRECT, question)
        try:
            message = self._asker.wait_for_answer(DIRECT, ts, ts)
        except NothingCameError as error:
            raise FailedError(f"no answer came: {error}") from error
        whole = json.dumps(message, ensure_ascii=False)
        return Said(text=read_text(message), links=tuple(links_of(message)), whole=whole)


def main() -> int:
    """Take the tour and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="for report.md, the playground's log, the pictures")
    parser.add_argument("--only", nargs="+", choices=sorted(STOPS), default=list(STOPS), metavar="NAME")
    parser.add_argument("--pictures", action="store_true", help=f"take pictures with {_CHROMIUM}")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tour-")))
        tour = stack.enter_context(touring(folder / "home", options.out / "playground.log"))
        snap = stack.enter_context(camera(tour.url, options.out)) if options.pictures else no_pictures
        rows = [visit(name, STOPS[name], tour, folder, snap) for name in options.only]
    (options.out / "report.md").write_text(report(rows), encoding="utf-8")
    print(report(rows))
    return 1 if any(row.problems for row in rows) else 0


def visit(name: str, stop: Stop, tour: Tour, folder: Path, snap: Callable[[str, str], None]) -> Row:
    """One kind of source, from its first question to its last."""
    row = Row(name=name)
    source = name.replace(" ", "-")
    place = folder / source
    place.mkdir()
    fact = stop.fact
    print(f"{name} ...", file=sys.stderr, flush=True)
    try:
        with stop.open(fact, World(folder=place, writer=tour.writer, url=tour.url)) as origin:
            address = origin.put(fact.said(fact.first))
            with clock(row, "add"):
                add(tour, source, origin, place.with_suffix(".credential"))
            steps: Sequence[tuple[str, str, str, tuple[str, ...]]] = (
                ("first", fact.first, fact.second, ()),
                ("changed", fact.second, fact.first, ()),
                ("deleted", "", "", origin.last_sync),
            )
            for step, there, gone, options in steps:
                if step == "changed":
                    address = origin.put(fact.said(fact.second))
                if step == "deleted":
                    origin.take_away()
                with clock(row, f"{step}: sync"):
                    tour.sync(source, *options)
                with clock(row, f"{step}: answer"):
                    said = tour.ask(fact.question)
                row.answers.append(said.text)
                snap(fact.question, f"{source}-{step}")
                if there:
                    link = document_links(tour.url)(address)
                    row.problems += wrong_in(said, there, gone, link, step)
                    row.problems += cannot_be_opened(link, there, step) if origin.can_be_opened else []
                else:
                    row.problems += still_known(said, fact)
    except (FailedError, OSError, subprocess.TimeoutExpired) as error:
        row.problems.append(str(error))
    return row


def add(tour: Tour, name: str, origin: Origin, file: Path) -> None:
    """Add a source, with its credential where it needs one."""
    credential: tuple[str, ...] = ()
    if origin.credential:
        file.write_text(origin.credential, encoding="utf-8")
        tour.run(["credentials", "set", name, "--file", str(file)])
        credential = ("--credential", name)
    tour.run(["sources", "add", origin.location, "--name", name, *origin.arguments, *credential])


def wrong_in(said: Said, there: str, gone: str, link: str, step: str) -> list[str]:
    """What is wrong with an answer that should say one thing, and not another, from one place."""
    problems = [] if there in said.text else [f"{step}: {there!r} is not in the answer {said.text!r}"]
    problems += [f"{step}: {gone!r} is still said"] if gone in said.text else []
    if not any(one == link or one.startswith((f"{link}#", f"{link}?")) for one in said.links):
        problems.append(f"{step}: none of the links {list(said.links)} leads to {link}")
    return problems


def cannot_be_opened(link: str, there: str, step: str) -> list[str]:
    """Whether a source's link opens; a file shows what was cited from it."""
    reply = httpx.get(link, follow_redirects=True)
    if reply.status_code != httpx.codes.OK:
        return [f"{step}: {link} answers {reply.status_code}"]
    shows = there in reply.text or "/document?" not in link
    return [] if shows else [f"{step}: {there!r} is not at {link}"]


def still_known(said: Said, fact: Fact) -> list[str]:
    """What is still said of a document that is gone."""
    found = [value for value in (fact.first, fact.second) if fact.said(value) in said.whole or value in said.text]
    return [f"deleted: {value!r} is still said: {said.text!r}" for value in found]


def links_of(message: JSON) -> Iterator[str]:
    """The addresses of an answer's sources, in their order."""
    for block in message.get("blocks", []):
        if block["type"] == "context":
            for element in block["elements"]:
                yield from map(html.unescape, _LINK.findall(str(element.get("text") or "")))


def report(rows: Sequence[Row]) -> str:
    """The table, and below it what was answered."""
    steps = ["add", *(f"{step}: {what}" for step in ("first", "changed", "deleted") for what in ("sync", "answer"))]
    lines = [f"| kind | {' | '.join(steps)} | outcome |", f"|---|{'---:|' * len(steps)}---|"]
    for row in rows:
        cells = [f"{row.seconds[step]:.1f}" if step in row.seconds else "-" for step in steps]
        outcome = "; ".join(row.problems).replace("|", "/").replace("\n", " ") or "passed"
        lines.append(f"| {row.name} | {' | '.join(cells)} | {outcome} |")
    lines += ["", "Seconds. What was answered:", ""]
    for row in rows:
        lines += [f"- {row.name}: {STOPS[row.name].fact.question}", *(f"  - {answer}" for answer in row.answers)]
    return "\n".join(lines) + "\n"


@contextmanager
def clock(row: Row, what: str) -> Iterator[None]:
    """Note how long a block takes."""
    started = time.monotonic()
    yield
    row.seconds[what] = time.monotonic() - started


def lorekeeper(home: Path) -> list[str]:
    """The words that run the product, with the code that is here."""
    return [sys.executable, "-c", "from bot.cli import main; main()", "--home", str(home)]


@contextmanager
def touring(home: Path, log: Path) -> Iterator[Tour]:
    """Run a playground with a data folder of its own, and open its page as two people."""
    home.mkdir(parents=True)
    (home / SETTINGS_FILE).write_text(SETTINGS, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "LOREKEEPER_"))}
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            [*lorekeeper(home), "playground", "--port", "0", "--no-open"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**environment, "PYTHONUNBUFFERED": "1"},
        )
        try:
            url = wait_until_ready(process, home, log)
            with open_page(url, ASKS) as asker, open_page(url, WRITES) as writer:
                yield Tour(url, partial(run_command, home), asker, writer)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def run_command(home: Path, words: Sequence[str]) -> str:
    """Run one of the product's commands in a process of its own."""
    ended = subprocess.run([*lorekeeper(home), *words], capture_output=True, text=True, check=False, timeout=600)
    if ended.returncode:
        said = f"{ended.stderr.strip()} {ended.stdout.strip()[:500]}"
        raise FailedError(f"`lorekeeper {' '.join(words)}` ended with {ended.returncode}: {said}")
    return ended.stdout


def wait_until_ready(process: subprocess.Popen[bytes], home: Path, log: Path) -> str:
    """Wait until the playground says that it can be asked; returns its address."""
    end = time.monotonic() + START_SECONDS
    while "Ready:" not in log.read_text("utf-8"):
        if process.poll() is not None or time.monotonic() > end:
            raise FailedError(f"the playground did not start: {log.read_text('utf-8')}")
        time.sleep(0.2)
    running = find_running(home)
    if running is None:
        raise FailedError("the running playground is not found in its data folder")
    return running.api_url.removesuffix("api/")


def no_pictures(question: str, name: str) -> None:
    """Where nobody wants any."""


@contextmanager
def camera(url: str, out: Path) -> Iterator[Callable[[str, str], None]]:
    """A browser with the direct message open; takes a picture of the newest thread about a question."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, locale="en-GB")
        page.set_default_timeout(30_000)
        page.goto(url)
        page.get_by_role("button", name="Lorekeeper", exact=True).click()
        yield lambda question, name: take_picture(page, question, out / f"{name}.png")
        browser.close()


def take_picture(page: Page, question: str, path: Path) -> None:
    """Open the newest thread that begins with a question, and keep what is to be seen."""
    thread = page.get_by_role("complementary", name="Thread")
    if thread.is_visible():
        thread.get_by_role("button", name="Close").click()
    page.get_by_role("article").filter(has_text=question).last.press("Enter")
    thread.get_by_role("button", name="Good answer").last.wait_for()
    page.mouse.move(0, 0)
    page.screenshot(path=path)


if __name__ == "__main__":
    sys.exit(main())
