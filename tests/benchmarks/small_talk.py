"""How much small talk is answered without a search, and how many real questions would be missed by that?

Run: python -m tests.benchmarks.small_talk ../shared/data

A missed question is worse than a needless search: precision comes first. `clinc150`: short requests by intent, the
validation and test parts. `dstc11t5`: the last turn of each dialogue, and whether its reply needed knowledge.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.greeting import small_talk

_TALK = frozenset({"greeting", "thank_you", "goodbye", "what_can_i_ask_you", "are_you_a_bot"})
# Neither a question to the library nor plainly small talk: who made the bot, a yes, a joke.
_NEITHER = frozenset(
    """yes no maybe cancel who_made_you what_is_your_name how_old_are_you where_are_you_from who_do_you_work_for
    do_you_have_pets what_are_your_hobbies tell_joke meaning_of_life fun_fact repeat""".split()
)


def main() -> None:
    """Print what is taken for small talk in both data sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    report_intents(json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8")))
    logs = json.loads((data / "dstc11t5" / "val_logs.json").read_text(encoding="utf-8"))
    labels = json.loads((data / "dstc11t5" / "val_labels.json").read_text(encoding="utf-8"))
    report_turns([log[-1]["text"] for log in logs], [bool(label["target"]) for label in labels])


def report_intents(rows: dict[str, list[list[str]]]) -> None:
    """Recall for each intent of small talk, and everything else that is taken for it."""
    held: list[Any] = [*rows["val"], *rows["test"], *rows["oos_val"], *rows["oos_test"]]
    found = {intent: [bool(small_talk(text)) for text, its in held if its == intent] for intent in sorted(_TALK)}
    for intent, hits in found.items():
        print(f"clinc150 {intent:20} {sum(hits):3} of {len(hits)}")
    others = [text for text, intent in held if intent not in _TALK | _NEITHER]
    wrong = [text for text in others if small_talk(text)]
    every = [hit for hits in found.values() for hit in hits]
    print(f"clinc150 recall {sum(every)} of {len(every)}; other requests taken for small talk {len(wrong)}", end=" ")
    print(f"of {len(others)}", wrong[:10])


def report_turns(turns: Sequence[str], needs: Sequence[bool]) -> None:
    """What is skipped of turns that need knowledge (none should be) and of those that do not."""
    skipped = [bool(small_talk(turn)) for turn in turns]
    wrong = [turn for turn, skip, need in zip(turns, skipped, needs, strict=True) if skip and need]
    print(f"dstc11t5 skipped {sum(skipped)} of {len(turns) - sum(needs)} turns that need no knowledge", end=", ")
    print(f"{len(wrong)} of {sum(needs)} that do", wrong[:10])


if __name__ == "__main__":
    main()
