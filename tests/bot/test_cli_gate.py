"""The gate, golden questions and comparisons from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.evaluate.files import write_rows
from bot.evaluate.outcome import as_row, outcome_of
from bot.learn.versions import promote
from knowledge.database import writing
from models.example import write_examples
from tests.bot import learn_facts as world
from tests.bot.terminal import Terminal
from tests.bot.test_learn_compare import RIGHT, SILENT
from tests.bot.versions_shelf import make_version


@pytest.fixture
def terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """The model itself answers nothing; with an adapter it reads well."""
    versions = {"": world.never_knows, "adapter.gguf": world.reads_well}
    return Terminal(home=tmp_path / "home", capsys=capsys, versions=versions)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    folder.mkdir()
    write_examples(folder / "train.jsonl", world.clean_examples(1))
    write_examples(folder / "test.jsonl", world.clean_examples(2))
    write_examples(folder / "general.jsonl", world.general_examples())
    write_rows(folder / "test_rows.jsonl", [world.as_json(row) for row in world.answer_rows()])
    return folder


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    run = tmp_path / "runs" / "tuned-1"
    run.mkdir(parents=True)
    (run / "adapter.gguf").write_bytes(b"GGUF")
    return run / "adapter.gguf"


def put_in_service(home: Path, name: str) -> Path:
    """A version that was promoted; returns its file."""
    engine = open_database(f"sqlite:///{home / 'lorekeeper.db'}")
    made = make_version(engine, home, name)
    promote(engine, name, by="test")
    engine.dispose()
    return home / "models" / made.adapter


def test_a_better_version_passes_and_is_drawn(
    terminal: Terminal, dataset: Path, candidate: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "gate.png"
    arguments = ("--candidate", str(candidate), "--dataset", str(dataset), "--plot", str(picture))
    shown = terminal.type("gate", *arguments, "--json")
    assert shown.code == 0
    assert (shown.json["candidate"], shown.json["incumbent"], shown.json["promoted"]) == ("tuned-1", "embedded", True)
    assert picture.is_file()


def test_what_is_no_better_than_the_version_in_service_is_refused(
    terminal: Terminal, dataset: Path, candidate: Path
) -> None:
    terminal.type("golden", "list")
    put_in_service(terminal.home, "tuned-0")
    shown = terminal.type("gate", "--candidate", str(candidate), "--dataset", str(dataset))
    assert shown.code == 1
    assert "Refused (better): right is" in shown.out
    assert "tuned-0" in shown.out


def test_a_version_in_service_whose_file_is_gone_is_named(terminal: Terminal, dataset: Path, candidate: Path) -> None:
    terminal.type("golden", "list")
    put_in_service(terminal.home, "tuned-0").unlink()
    shown = terminal.type("gate", "--candidate", str(candidate), "--dataset", str(dataset))
    assert shown.code == 1
    assert "tuned-0" in shown.err


def test_a_folder_that_is_no_dataset_is_refused(terminal: Terminal, candidate: Path, tmp_path: Path) -> None:
    shown = terminal.type("gate", "--candidate", str(candidate), "--dataset", str(tmp_path))
    assert shown.code == 2
    assert "test_rows.jsonl" in shown.err


def test_golden_questions_are_added_listed_and_removed(terminal: Terminal) -> None:
    added = terminal.type("golden", "add", "Who issues badges?", "--contains", "Maria", "--cites", "Badges")
    assert added.out.startswith("Added ")
    (row,) = terminal.type("golden", "list", "--json").json["golden"]
    assert (row["question"], row["must_contain"], row["must_cite"]) == ("Who issues badges?", ["Maria"], ["Badges"])
    assert "Changed" in terminal.type("golden", "add", "Who issues badges?", "--abstains").out
    assert "says that it does not know" in terminal.type("golden", "list").out
    assert terminal.type("golden", "remove", row["id"]).out == f"Removed {row['id']}.\n"
    assert terminal.type("golden", "remove", row["id"]).code == 2


@pytest.mark.parametrize(
    "arguments", [("Who?",), (), ("Who?", "--from-curated"), ("Who?", "--abstains", "--cites", "x")]
)
def test_a_golden_question_that_asks_for_nothing_or_too_much_is_misuse(
    terminal: Terminal, arguments: tuple[str, ...]
) -> None:
    assert terminal.type("golden", "add", *arguments).code == 2


def test_approved_answers_become_golden_questions(terminal: Terminal) -> None:
    assert terminal.type("golden", "add", "--from-curated").out == "0 of 0 approved answers added.\n"
    engine = open_database(f"sqlite:///{terminal.home / 'lorekeeper.db'}")
    row = {"team": "T1", "text": "x", "approved_by": "U1", "embedder": "e", "vector": b"", "citations": []}
    with writing(engine) as connection:
        for question, audience in (("Cites nothing?", "everyone"), ("For one channel?", "channel:C1")):
            values = {**row, "question": question, "audience": audience, "approved_at": datetime.now(UTC)}
            connection.execute(sa.insert(tables.curated).values(values))
    engine.dispose()
    assert terminal.type("golden", "add", "--from-curated").out == "0 of 0 approved answers added.\n"


def test_two_runs_are_compared_and_drawn(terminal: Terminal, tmp_path: Path) -> None:
    for name, judged in (("new", RIGHT), ("old", SILENT)):
        outcomes = [outcome_of(replace(judged, id=str(number), group=str(number))) for number in range(5)]
        write_rows(tmp_path / f"{name}.jsonl", [{"id": one.id, "outcome": as_row(one)} for one in outcomes])
    files = (str(tmp_path / "new.jsonl"), str(tmp_path / "old.jsonl"))
    shown = terminal.type("eval", "compare", *files, "--plot", str(tmp_path / "c.png"), "--json")
    first = shown.json["measures"][0]
    assert (first["measure"], first["first"], first["second"], first["difference"]["low"]) == ("right", 1.0, 0.0, 1.0)
    assert (tmp_path / "c.png").is_file()
    assert "abstained_wrongly (less is better)" in terminal.type("eval", "compare", *files).out


def test_answers_are_compared_with_an_earlier_run_where_one_is_given(terminal: Terminal, tmp_path: Path) -> None:
    rows, run = tmp_path / "rows.jsonl", tmp_path / "run.jsonl"
    write_rows(rows, [world.as_json(row) for row in world.answer_rows()[:3]])
    first = terminal.type("eval", "answers", str(rows), "--run", str(run), "--json").json
    assert "compared" not in first
    assert json.loads(run.read_text(encoding="utf-8").splitlines()[0])["outcome"]["group"] == "badge"
    again = terminal.type("eval", "answers", str(rows), "--against", str(run), "--json").json
    assert again["supported"] == first["supported"]
    by_name = {one["measure"]: one["difference"] for one in again["compared"]["measures"]}
    assert (by_name["right"]["mean"], by_name["right"]["rows"]) == (0.0, 3)
    assert "this" in terminal.type("eval", "answers", str(rows), "--against", str(run)).out


def test_votes_are_drawn(terminal: Terminal, tmp_path: Path) -> None:
    assert "0 votes drawn" in terminal.type("feedback", "plot", str(tmp_path / "votes.png")).out
    assert (tmp_path / "votes.png").is_file()
