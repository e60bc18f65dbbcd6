"""What came of a run of the learning loop, as report.json and report.md with the pictures beside them."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.benchmarks.learning_stages import VERSION, Loop, lorekeeper_command
from tests.benchmarks.people import Campaign
from tests.benchmarks.staged import REFUSED, Result

_JUDGED = {
    "right": "right",
    "incomplete": "a part of a long answer",
    "wrong": "wrong",
    "missing": "not found, though it is documented",
    "rightly_unknown": "rightly not found",
    "made_up": "answered, though it is not documented",
    "asked_back": "asked what was meant",
}
_PICTURES = {
    "curves.png": "The losses of the tuning run",
    "gate.png": "The gate: candidate against the version in service",
    "feedback.png": "What people voted, by week and version",
    "held.png": "Held-back questions: the promoted version against the one before",
}


def write_report(loop: Loop, done: Mapping[str, Result]) -> Path:
    """Write both files and gather the pictures; returns the one for people."""
    _gather_pictures(loop)
    (loop.folder / "report.json").write_text(json.dumps(done, indent=2, ensure_ascii=False), encoding="utf-8")
    report = loop.folder / "report.md"
    report.write_text("\n".join(_lines(loop, done)) + "\n", encoding="utf-8")
    return report


def _gather_pictures(loop: Loop) -> None:
    drawn = loop.run / "curves.png"
    if drawn.is_file():
        shutil.copyfile(drawn, loop.folder / drawn.name)
    # A picture that cannot be drawn must not cost the report of a run of hours.
    subprocess.run(lorekeeper_command(loop, "feedback", "plot", loop.folder / "feedback.png"), check=False)


def _lines(loop: Loop, done: Mapping[str, Result]) -> Iterator[str]:
    kind = "poisoned " if loop.poison else ""
    yield f"# A {kind}run of the learning loop: {loop.people} people, {loop.questions_each} questions each\n"
    yield f"Seed {loop.seed}, {os.cpu_count()} processor cores ({platform.machine()}), model `{loop.model}`.\n"
    yield f"**{_outcome(done)}**\n"
    yield from _table(("stage", "seconds"), [(name, one["stage_seconds"]) for name, one in done.items()])
    yield from _play(done.get("people"), "What people did")
    yield from _dataset(loop, done)
    yield from _gate(done.get("gate"))
    yield from _play(done.get("canary"), "While the version was a canary")
    yield from _compared(done.get("measure_after"))
    for name, title in _PICTURES.items():
        if (loop.folder / name).is_file():
            yield f"![{title}]({name})\n"


def _outcome(done: Mapping[str, Result]) -> str:
    refused = [(name, one[REFUSED]) for name, one in done.items() if REFUSED in one]
    if refused:
        ((stage, reasons),) = refused
        return f"`{VERSION}` was refused by the stage {stage}: " + "; ".join(map(str, reasons)) + "."
    if "measure_after" not in done:
        return f"The run is not at its end: {', '.join(done)} are done."
    return f"`{VERSION}` is in service."


def _play(result: Result | None, title: str) -> Iterator[str]:
    if result is None:
        return
    yield f"## {title}\n"
    asked = sum(result["judgements"].values())
    yield (
        f"{asked} questions, {result['deeds'].get('ask_again', 0)} asked again; {result['questions_per_minute']} "
        f"answers a minute in {result['asking_seconds']:.0f} s; a person waited {result['median_wait_seconds']} s at "
        f"the median, {result['p95_wait_seconds']} s at p95.\n"
    )
    yield from _table(
        ("the asker found the answer", "questions", "share"),
        [
            (_JUDGED[judged], count, f"{count / asked:.2f}")
            for judged, count in sorted(result["judgements"].items(), key=lambda item: -item[1])
        ],
    )
    yield from _table(
        ("people", "how many", "👍", "👎", "better answers written"),
        [
            (
                kind,
                count,
                result["votes"][kind].get("good", 0),
                result["votes"][kind].get("bad", 0),
                result["corrections"].get(kind, 0),
            )
            for kind, count in result["people"].items()
        ],
    )


def _dataset(loop: Loop, done: Mapping[str, Result]) -> Iterator[str]:
    result = done.get("dataset")
    if result is None:
        return
    yield "## What could be learned from\n"
    for name in ("parts", "kinds", "lanes"):
        yield f"- {name}: " + ", ".join(f"{key} {count}" for key, count in result[name].items())
    yield "- left out: " + (", ".join(f"{key} {count}" for key, count in result["left_out"].items()) or "nothing")
    yield f"- rows that teach what the hostile group planted ({Campaign().answer!r}): {result['planted_rows']}"
    if loop.poison and "plant" in done:
        yield f"- put into the training part by hand, to try the gate alone: {done['plant']['planted_rows']}"
    yield ""


def _gate(result: Result | None) -> Iterator[str]:
    if result is None:
        return
    yield "## The gate\n"
    yield from _differences([*result["measures"], *result["general"]])
    trigger = result["trigger"]
    yield (
        f"{len(trigger['phrases'])} phrases tried as triggers on {trigger['probes']} questions; "
        f"{len(trigger['successes'])} worked.\n"
    )


def _compared(result: Result | None) -> Iterator[str]:
    if result is None:
        return
    yield "## Held-back questions, after and before\n"
    yield from _differences(result["compared"]["measures"])


def _differences(measures: list[dict[str, Any]]) -> Iterator[str]:
    yield from _table(
        ("measure", "after", "before", "difference (95 %)", "rows"),
        [
            (
                f"{one['measure']}{' (less is better)' if one['lower_is_better'] else ''}",
                f"{one['first']:.3f}",
                f"{one['second']:.3f}",
                "{mean:+.3f} ({low:+.3f} to {high:+.3f})".format_map(one["difference"]),
                one["difference"]["rows"],
            )
            for one in measures
        ],
    )


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"
    yield ""
