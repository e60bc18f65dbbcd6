"""A dataset's folder: written whole, described by a manifest that says where every row comes from, and read again.

Files of examples are those of `models.example`. Beside them: `votes.jsonl`, every vote without a word of anybody's, for
retrieval, the threshold and evaluation; `test_rows.jsonl` for `lorekeeper eval answers`; `balance.json` and `.png`.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from bot.chart import draw_bars
from bot.cite import without_markers
from bot.errors import MisuseError
from bot.learn.balance import Balance, bars
from bot.learn.ledger import Ledger
from bot.learn.policy import REASONS, LeftOut
from bot.learn.rows import Omitted, Row
from bot.learn.texts import TextRow
from bot.sentences import words
from models.example import Example, Part, write_examples
from models.generator import ChatMessage
from models.registry import sha256_of

MANIFEST = "manifest.json"
BALANCE = "balance.json"
PICTURE = "balance.png"
VOTES = "votes.jsonl"
TEST_ROWS = "test_rows.jsonl"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class DatasetFile:
    """One file of a dataset, as its manifest describes it."""

    name: str
    sha256: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class DatasetReport:
    """What a dataset holds, and what it does not."""

    folder: Path
    made_at: datetime
    data_sha256: str
    """Of all files: the same rows have the same."""
    seed: int
    files: tuple[DatasetFile, ...]
    parts: Mapping[str, int]
    lanes: Mapping[str, int]
    kinds: Mapping[str, int]
    left_out: Mapping[str, int]
    """By reason, see `bot.learn.policy.REASONS`."""
    origins: tuple[str, ...] = field(repr=False)
    """What a version made from it will have learned from."""
    rehearsed: int
    """Rows against forgetting in the training part, which `parts` does not count."""
    texts: int
    """Pieces of the documents' plain text, which `parts` does not count."""
    votes: int
    signals: Mapping[str, int]
    warnings: tuple[str, ...]
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that goes into a dataset's folder."""

    parts: Mapping[Part, Sequence[Row]] = field(repr=False)
    omitted: Sequence[Omitted] = field(repr=False)
    ledger: Ledger = field(repr=False)
    balance: Balance
    signals: Mapping[str, int]
    seed: int
    conditions: Mapping[str, Any]
    """Under which settings, with which embedder it was made."""
    rehearsal: Sequence[Example] = field(default=(), repr=False)
    """What goes into the training part against forgetting."""
    texts: Sequence[TextRow] = field(default=(), repr=False)
    """The documents' plain text."""

    def besides(self, part: Part) -> tuple[Example, ...]:
        """What a part holds besides its rows of questions."""
        rehearsal = self.rehearsal if part == "train" else ()
        return (*rehearsal, *(one.example for one in self.texts if one.part == part))


def write_dataset(folder: Path, content: Content, seconds: float) -> DatasetReport:
    """Write all files, the manifest last: a folder without one is not finished."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        written = [*_write_parts(folder, content), *_write_lines(folder, content)]
        _write(folder / BALANCE, json.dumps(asdict(content.balance), ensure_ascii=False, indent=1).encode())
        _write(folder / PICTURE, draw_bars(bars(content.balance)))
        report = _report(folder, content, written, seconds)
        _write(folder / MANIFEST, json.dumps(_manifest(report, content), ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise MisuseError(f"{folder} cannot be written ({error.strerror}). Name another folder with -o.") from error
    return report


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read what a dataset says of itself; raises MisuseError where there is none or a file is not as it says."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        listed = [DatasetFile(**file) for file in manifest["files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MisuseError(
            f"{path} cannot be read ({error}): it is no finished dataset. Make one with `lorekeeper dataset build`."
        ) from error
    for file in listed:
        if not (folder / file.name).is_file() or sha256_of(folder / file.name) != file.sha256:
            raise MisuseError(
                f"{folder / file.name} is not the file that the manifest describes: make the dataset anew with "
                "`lorekeeper dataset build`."
            )
    return manifest


def general_examples() -> Iterator[Example]:
    """What a version must not forget: short tasks that have nothing to do with documents."""
    text = files(__package__).joinpath("general.jsonl").read_text(encoding="utf-8")
    for line in text.splitlines():
        row = json.loads(line)
        yield Example(
            kind="supervised",
            lane="starter",
            origin=row["id"],
            group=row["task"],
            messages=(ChatMessage(role="user", content=row["question"]),),
            answer=row["answer"],
        )


def _write_parts(folder: Path, content: Content) -> Iterator[DatasetFile]:
    for part, rows in content.parts.items():
        yield _examples(folder, part, (*(_without_place(row.example) for row in rows), *content.besides(part)))
    yield _examples(folder, "general", general_examples())


def _without_place(example: Example) -> Example:
    """A conversation's key names channel and team: for what belongs together a digest does as well."""
    if not example.group.startswith("conversation:"):
        return example
    return replace(example, group=f"conversation:{hashlib.sha256(example.group.encode()).hexdigest()[:16]}")


def _examples(folder: Path, part: Part, examples: Iterable[Example]) -> DatasetFile:
    path = folder / f"{part}.jsonl"
    rows = write_examples(path, examples)
    return DatasetFile(name=path.name, sha256=sha256_of(path), rows=rows)


def _write_lines(folder: Path, content: Content) -> Iterator[DatasetFile]:
    for name, rows in ((VOTES, _votes(content.ledger)), (TEST_ROWS, map(_test_row, _testable(content)))):
        lines = [f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows]
        _write(folder / name, "".join(lines).encode())
        yield DatasetFile(name=name, sha256=sha256_of(folder / name), rows=len(lines))


def _votes(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Votes as figures: neither words nor who cast them."""
    for answer in ledger.answers:
        for vote in answer.live_votes:
            yield {
                "origin": vote.origin,
                "answer": answer.origin,
                "lane": "votes",
                "vote": vote.vote,
                "weight": round(vote.weight, 4),
                "reason": vote.reason,
                "corrected": bool(vote.correction),
                "abstained": answer.abstained,
                "support": answer.support,
                "version": answer.version,
                "passages": [{"chunk_id": one.chunk_id, "score": one.score} for one in answer.passages],
                "cited": [citation.chunk_id for citation in answer.citations],
                "answer_words": len(words(answer.text)),
                "retrieve_seconds": answer.retrieve_seconds,
                "total_seconds": answer.total_seconds,
            }


def _testable(content: Content) -> Iterator[Row]:
    rows = content.parts.get("test", ())
    return (row for row in rows if row.example.kind == "supervised" and not row.by_rule)


def _test_row(row: Row) -> dict[str, Any]:
    return {
        "id": row.example.id,
        "origin": row.example.origin,
        "lane": row.example.lane,
        "group": _without_place(row.example).group,
        "history": [{"role": turn.role, "text": turn.text} for turn in row.question.history],
        "question": row.question.text,
        "answerable": row.answerable,
        "passages": [{"title": one.title, "text": one.text} for one in row.passages],
        "answers": [without_markers(row.example.answer)] if row.answerable else [],
        "gold": [place for place, one in enumerate(row.passages) if one.gold] if row.answerable else [],
        "approved": row.approved,
    }


def _report(folder: Path, content: Content, written: Sequence[DatasetFile], seconds: float) -> DatasetReport:
    rows = [row for part in content.parts.values() for row in part]
    digests = json.dumps(sorted((file.name, file.sha256) for file in written))
    empty = [part for part, found in content.parts.items() if not found and rows]
    warnings = [f"No row falls into the part {part!r}: more conversations or documents are needed." for part in empty]
    return DatasetReport(
        folder=folder,
        made_at=datetime.now(UTC),
        data_sha256=hashlib.sha256(digests.encode()).hexdigest(),
        seed=content.seed,
        files=tuple(written),
        parts={part: len(found) for part, found in content.parts.items()},
        lanes=dict(Counter(row.example.lane for row in rows)),
        kinds=dict(Counter(row.example.kind for row in rows)),
        left_out=dict(Counter(one.reason for one in content.omitted).most_common()),
        origins=tuple(sorted({row.example.origin for row in rows} | {one.example.origin for one in content.texts})),
        rehearsed=len(content.rehearsal),
        texts=len(content.texts),
        votes=sum(len(answer.live_votes) for answer in content.ledger.answers),
        signals=dict(content.signals),
        warnings=(*content.balance.warnings, *warnings),
        seconds=seconds,
    )


def _manifest(report: DatasetReport, content: Content) -> dict[str, Any]:
    told = asdict(report)
    del told["folder"]
    omitted: dict[LeftOut, list[str]] = {}
    for one in content.omitted:
        omitted.setdefault(one.reason, []).append(one.origin)
    return told | {
        "format": FORMAT,
        "made_at": report.made_at.isoformat(),
        "conditions": dict(content.conditions),
        "buried": content.ledger.buried,
        "bots": content.ledger.bots,
        "left_out": [
            {"reason": reason, "says": REASONS[reason], "rows": len(found), "origins": sorted(set(found))}
            for reason, found in sorted(omitted.items(), key=lambda item: -len(item[1]))
        ],
        "rows": [
            {"id": one.id, "part": part, "kind": one.kind, "lane": one.lane, "origin": one.origin}
            for part, found in content.parts.items()
            for one in (*(row.example for row in found), *content.besides(part))
        ],
    }


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_bytes(content)
    unfinished.replace(path)
