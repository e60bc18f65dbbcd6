"""What an assistant must be able to do in Slack, and that a test over the playground proves each of it.

A test says at the beginning of its docstring which of these it proves, by number; `python -m tests.bot.test_must`
prints the table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

MUST = {
    "M1": "An event is stored before it is acknowledged; exactly one answer per question, also after a crash",
    "M2": "Duplicates are recognised: retries, and the pair of mention and message",
    "M3": "Mention, direct message, thread follow-up by the channel's policy, a word to leave",
    "M4": "Conversational retrieval, and an honest no where the sources do not answer",
    "M5": "Numbered citations that people can open, from the bot's own store",
    "M6": "An answer stands only on what everyone who can read it may read",
    "M7": "Streaming with a late start, a shared budget, rollover and recovery; nothing lost",
    "M8": "A status while waiting and working; always an answer or a reason",
    "M9": "Stop, by button and by word, ends the model's work",
    "M10": "One model, one line: several people at once are served one after the other",
    "M11": "Long answers within Slack's limits, in a file where nothing else holds them; buttons on all of them",
    "M12": "Nobody is pinged, nothing unfurls, no address but a citation's is a link",
    "M13": "Feedback by button and reaction, put on and taken off, a form after 👎, a receipt",
    "M14": "Shared channels, strangers and guests are refused unless an admin opened the channel; unknown is a no",
    "M15": "Deleting forgets; uninstalling purges, with proof",
    "M16": "Connections and rate limits come and go without loss",
    "M17": "Allow-list and settings of each channel, which chat cannot widen",
    "M18": "Suggested prompts and a home page with what is known, own settings and own data",
    "M19": "Knowledge is read on a schedule and on demand, with what failed",
    "M20": "A manifest, and a doctor that checks tokens, scopes, events and the line",
    "M21": "Limits for each person, by minute and by day",
    "M22": "What stands in threads and documents is data, and only of people who may be read",
}
TESTS = Path(__file__).parent.parent
_NUMBER = re.compile(r"\bM(\d+)\b")


def proofs() -> dict[str, list[str]]:
    """The tests that say what they prove, by number."""
    found: dict[str, list[str]] = {number: [] for number in MUST}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, text in _documented(path):
            for number in _NUMBER.findall(text.partition("\n")[0]):
                found.setdefault(f"M{number}", []).append(f"{path.relative_to(TESTS.parent)}::{name}")
    return found


def _documented(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield node.name, ast.get_docstring(node) or ""


@pytest.mark.parametrize("number", MUST)
def test_each_is_proved_over_the_playground(number: str) -> None:
    dialogues = [proof for proof in proofs()[number] if re.search(r"dialogues|e2e|crashes|test_setup|first_day", proof)]
    assert dialogues, f"no dialogue proves {number}: {MUST[number]}"


def test_no_test_proves_what_is_not_on_the_list() -> None:
    assert set(proofs()) == set(MUST)


if __name__ == "__main__":
    for number, names in proofs().items():
        print(f"{number:4} {MUST[number]}")
        for name in names:
            print(f"     {name}")
