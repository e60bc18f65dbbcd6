"""INGEST is killed at many points and started again: nothing is lost, nothing that matters is repeated."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.knowledge.ingesting import Workplace, workplace

REPOSITORY = Path(__file__).parents[2]
# More than two batches of documents.
DOCUMENTS = 450


def killed(folder: Path, steps: int) -> bool:
    """Run until the n-th step; tells whether the process was killed before it had finished."""
    command = [sys.executable, "-m", "tests.knowledge.killed_run", str(folder), str(steps)]
    status = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
    assert status in (0, -signal.SIGKILL)
    return status != 0


def embedded(folder: Path) -> list[str]:
    return (folder / "embedded").read_text().splitlines()


def fill(place: Workplace) -> None:
    for number in range(DOCUMENTS):
        place.write(f"{number:03}.md", f"text {number}")


def test_a_first_run_killed_again_and_again_ends_complete(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        fill(place)
    kills = 0
    for steps in (3, 9, 14, 215, 230, 700, 2_000, 250, 450, 1_000):
        kills += killed(tmp_path, steps)
    assert kills >= 5
    while killed(tmp_path, 100_000):
        pass
    with workplace(tmp_path) as place:
        assert place.texts() == {f"{number:03}.md": [f"text {number}"] for number in range(DOCUMENTS)}
        assert place.rows("SELECT unsettled, cursor IS NULL FROM source") == [(0, 0)]
        assert place.rows("SELECT count(*) FROM sync_run WHERE finished_at IS NULL") == [(0,)]
        report = place.sync()
        assert (report.added, report.changed, report.deleted, report.unchanged) == (0, 0, 0, DOCUMENTS)
    # Each kill may cost the batch in hand, which nobody could have stored; no more.
    repeated = len(embedded(tmp_path)) - DOCUMENTS
    assert 0 <= repeated <= kills * 200
    assert len(set(embedded(tmp_path))) == DOCUMENTS


def test_changes_made_between_killed_runs_all_show(tmp_path: Path) -> None:
    """Also those that undo what a killed run had stored, with the same file times as before."""
    with workplace(tmp_path) as place:
        fill(place)
        place.sync()
        aside = tmp_path / "aside.md"
        (place.root / "007.md").rename(aside)
        (place.root / "008.md").unlink()
        place.write("0new.md", "stored, then gone")
        for number in range(100, 400):
            place.write(f"{number}.md", f"changed once {number}")
    # Killed in the second batch: the first is stored, its cursor is not.
    assert killed(tmp_path, 2_100)
    with workplace(tmp_path) as place:
        assert place.rows("SELECT unsettled FROM source") == [(1,)]
        stored = place.texts()
        assert stored["150.md"] == ["changed once 150"]
        assert stored["399.md"] == ["text 399"]
        assert "007.md" not in stored
    for steps in (700, 40):
        assert killed(tmp_path, steps)
    with workplace(tmp_path) as place:
        aside.rename(place.root / "007.md")
        (place.root / "0new.md").unlink()
        place.write("100.md", "changed twice")
        place.sync()
        expected = {f"{number:03}.md": [f"text {number}"] for number in range(DOCUMENTS) if number != 8}
        expected |= {f"{number}.md": [f"changed once {number}"] for number in range(100, 400)}
        assert place.texts() == expected | {"100.md": ["changed twice"]}
