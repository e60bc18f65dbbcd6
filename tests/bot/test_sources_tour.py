"""A slice of the sources' tour, with a scripted model; `python -m tests.benchmarks.sources_tour` takes it whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.app import build
from bot.cli.playground import document_links
from bot.cli.serving import connected, slack_options
from bot.playground.process import PlaygroundProcess
from bot.playground.running import announced
from bot.settings import AnswerSettings, load_settings, of_workspace
from models.generator import ChatMessage
from tests.benchmarks.people_page import open_page
from tests.benchmarks.sources_origins import STOPS
from tests.benchmarks.sources_tour import ASKS, SETTINGS, WRITES, FailedError, Tour, no_pictures, visit
from tests.bot.dialogue import Workspace
from tests.bot.terminal import Terminal
from tests.fakes import ScriptedGenerator


def read_aloud(messages: Sequence[ChatMessage]) -> str:
    """What a model says that finds the sentence about the asked thing, the only one with a name in it."""
    text = "\n".join(message.content for message in messages)
    found = re.findall(r"[^\n]*(?:Bittern|Wigeon)[^\n?]*\.", text)
    return f"{found[0]} [1]" if found else "I do not know."


@pytest.fixture
def tour(
    workspace: Workspace, playground: PlaygroundProcess, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Tour]:
    """A playground with a bot in it, and a terminal beside it, all with one data folder."""
    terminal = Terminal(home=tmp_path / "home", capsys=capsys)
    terminal.home.mkdir()
    (terminal.home / "lorekeeper.toml").write_text(SETTINGS, encoding="utf-8")

    def run(words: Sequence[str]) -> str:
        shown = terminal.type(*words)
        if shown.code:
            raise FailedError(f"{words}: {shown.err}")
        return shown.out

    line, loaded = playground.line, load_settings({}, terminal.home)
    loaded = replace(loaded, file=replace(loaded.file, answer=AnswerSettings(minimum_support=0.03)))
    settings = of_workspace(loaded, bot_token=line.bot_token, app_token=line.app_token, api_url=line.api_url)
    options = slack_options(settings, settings.slack_bot_token, settings.slack_app_token, line.api_url)
    with (
        announced(line, terminal.home),
        build(settings, generator=ScriptedGenerator(read_aloud), embedder=terminal.model) as application,
        connected(application, options, link=document_links(playground.url)),
        open_page(playground.url, ASKS) as asker,
        open_page(playground.url, WRITES) as writer,
    ):
        yield Tour(playground.url, run, asker, writer)


@pytest.mark.parametrize("name", ["confluence", "slack message"])
def test_a_source_is_followed_from_its_first_question_to_its_last(tour: Tour, name: str, tmp_path: Path) -> None:
    row = visit(name, STOPS[name], tour, tmp_path, no_pictures)
    assert row.problems == []
    assert [STOPS[name].fact.first in row.answers[0], STOPS[name].fact.second in row.answers[1]] == [True, True]
    assert len(row.answers) == 3


def test_the_tour_notices_a_change_that_nobody_reads(tour: Tour, tmp_path: Path) -> None:
    """A check that cannot fail shows nothing: the second and the third run do not take place."""
    run, reads = tour.run, []

    def run_once(words: Sequence[str]) -> str:
        if words[0] == "sync":
            reads.append(words)
        return '{"sources": [{"failed": []}]}' if len(reads) > 1 else run(words)

    tour.run = run_once
    problems = visit("confluence", STOPS["confluence"], tour, tmp_path, no_pictures).problems
    for told in (
        "changed: 'Tom Adeyemi' is not in",
        "changed: 'Maria Lopez' is still",
        "deleted: 'Maria Lopez' is still",
    ):
        assert any(problem.startswith(told) for problem in problems), problems
