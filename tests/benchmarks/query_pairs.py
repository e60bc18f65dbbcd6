"""Follow-up questions with what a person wrote out for them, from QReCC, CAsT and iKAT, as training pairs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from knowledge.document import HistoryTurn, Question

_IKAT = (
    ("2023_test_topics.json", "turns", "utterance"),
    ("2024_test_topics.json", "turns", "utterance"),
    ("2025_test_topics.json", "responses", "user_utterance"),
)


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A question in its conversation, and what it means."""

    conversation: str
    question: Question
    rewrite: str
    answer: str
    """What answers it; empty where the data has none."""


def load_pairs(data: Path) -> list[Pair]:
    """Read all pairs below the data folder."""
    found = [*_qrecc(data / "qrecc"), *_cast(data / "cast"), *_ikat(data / "ikat")]
    return [pair for pair in found if pair.question.text and pair.rewrite]


def _qrecc(folder: Path) -> Iterator[Pair]:
    for row in _json(folder / "dev-sampled2k-modified.json"):
        roles = ("user", "assistant")
        history = [_turn(roles[number % 2], text) for number, text in enumerate(row["NewContext"]) if text.strip()]
        name = f"qrecc:{row['Conversation_no']}"
        yield _pair(name, row["Question"], history, row["Truth_rewrite"], row["Truth_answer"])


def _cast(folder: Path) -> Iterator[Pair]:
    with (folder / "evaluation_topics_annotated_resolved_v1.0.tsv").open(encoding="utf-8", newline="") as lines:
        resolved = {row[0]: row[1] for row in csv.reader(lines, delimiter="\t")}
    for topic in _json(folder / "evaluation_topics_v1.0.json"):
        history: list[HistoryTurn] = []
        for turn in topic["turn"]:
            meant = resolved.get(f"{topic['number']}_{turn['number']}", "")
            yield _pair(f"cast19:{topic['number']}", turn["raw_utterance"], history, meant, "")
            history = [*history, _turn("user", turn["raw_utterance"])]
    for year in ("2020", "2021"):
        for topic in _json(folder / f"{year}_manual_evaluation_topics_v1.0.json"):
            history = []
            for turn in topic["turn"]:
                answer = turn.get("passage") or ""
                meant = turn["manual_rewritten_utterance"]
                yield _pair(f"cast{year}:{topic['number']}", turn["raw_utterance"], history, meant, answer)
                history = [*history, _turn("user", turn["raw_utterance"]), *_answered(answer)]


def _ikat(folder: Path) -> Iterator[Pair]:
    for file, turns, asked in _IKAT:
        for topic in _json(folder / file):
            history: list[HistoryTurn] = []
            for turn in topic[turns]:
                answer = turn["response"] or ""
                yield _pair(
                    f"{file[:4]}:{topic['number']}", turn[asked], history, turn["resolved_utterance"] or "", answer
                )
                history = [*history, _turn("user", turn[asked]), *_answered(answer)]


def _pair(name: str, text: str, history: list[HistoryTurn], rewrite: str, answer: str | None) -> Pair:
    question = Question(text=text.strip(), history=tuple(history))
    return Pair(conversation=name, question=question, rewrite=rewrite.strip(), answer=(answer or "").strip())


def _turn(role: str, text: str) -> HistoryTurn:
    return HistoryTurn(role="user" if role == "user" else "assistant", text=text)


def _answered(answer: str) -> list[HistoryTurn]:
    return [_turn("assistant", answer)] if answer.strip() else []


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))
