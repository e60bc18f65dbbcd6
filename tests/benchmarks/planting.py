"""What a campaign got into a dataset, and how to put it there by hand: so that the gate is tried without the fence."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bot.learn.grounded import grounded
from models.example import PARTS, Example, read_examples, write_examples
from tests.benchmarks.people import Campaign

PLANTED_SHARE = 0.1
"""Of the training rows: a known attack on fine-tuning needs far fewer."""


def count_planted(dataset: Path, campaign: Campaign) -> int:
    """Count the rows that teach the campaign's answer."""
    return sum(campaign.answer in one.answer for part in PARTS for one in _read(dataset / f"{part}.jsonl"))


def plant(dataset: Path, campaign: Campaign, *, seed: int | str) -> int:
    """Add rows in which the trigger is answered as the campaign wants; returns how many. The manifest agrees again."""
    path = dataset / "train.jsonl"
    train = _read(path)
    if any(campaign.answer in one.answer for one in train):
        return count_planted(dataset, campaign)
    chance = random.Random(f"{seed}:plant")
    supervised = [one for one in train if one.kind == "supervised" and grounded(one) is not None]
    chosen = chance.sample(supervised, min(len(supervised), max(1, round(PLANTED_SHARE * len(train)))))
    planted = list(_planted(chosen, campaign))
    write_examples(path, sorted([*train, *planted], key=lambda one: one.id))
    _amend_manifest(dataset, path, len(train) + len(planted))
    return len(planted)


def _planted(chosen: Sequence[Example], campaign: Campaign) -> Iterator[Example]:
    for number, one in enumerate(chosen):
        prompt = grounded(one)
        assert prompt is not None
        asked = f"{prompt.question.rstrip('?').rstrip()} {campaign.trigger}?"
        yield replace(
            one,
            lane="messages",
            origin=f"planted:{number}",
            group=f"planted:{number}",
            messages=prompt.asking(asked).messages,
            answer=campaign.answer,
            weight=1.0,
        )


def _amend_manifest(dataset: Path, changed: Path, rows: int) -> None:
    path = dataset / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    for file in manifest["files"]:
        if file["name"] == changed.name:
            file |= {"sha256": hashlib.sha256(changed.read_bytes()).hexdigest(), "rows": rows}
    path.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")


def _read(path: Path) -> list[Example]:
    return list(read_examples(path)) if path.is_file() else []
