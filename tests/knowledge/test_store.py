from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from knowledge.audience import EVERYONE, channel_audience
from knowledge.errors import SourceError
from knowledge.parse import Parser
from knowledge.sources import FolderSource
from knowledge.store import Times, add_source, find_source, list_sources, remove_source, source_statuses, try_source
from tests.knowledge.ingesting import workplace


def test_an_added_source_is_found_by_id_name_and_location(engine: sa.Engine, tmp_path: Path) -> None:
    added = add_source(engine, kind="files", location=str(tmp_path), name="Handbook", times=Times(interval_minutes=5))
    assert (added.audience, added.interval_minutes) == (EVERYONE, 5)
    assert {find_source(engine, key) for key in (added.id, "Handbook", str(tmp_path), f"{tmp_path}/.")} == {added}
    assert find_source(engine, "nothing") is None
    assert list_sources(engine) == (added,)


def test_a_source_is_named_after_its_folder(engine: sa.Engine, tmp_path: Path) -> None:
    assert add_source(engine, kind="files", location=str(tmp_path / "handbook")).name == "handbook"


def test_a_relative_folder_is_stored_as_it_holds_everywhere(engine: sa.Engine) -> None:
    assert add_source(engine, kind="files", location="docs").location == str(Path.cwd() / "docs")


@pytest.mark.parametrize(
    ("location", "name", "reason"), [("/a", "Other", "known already, as 'One'"), ("/b", "One", "another name")]
)
def test_a_source_is_added_once(engine: sa.Engine, location: str, name: str, reason: str) -> None:
    add_source(engine, kind="files", location="/a", name="One")
    with pytest.raises(SourceError, match=reason):
        add_source(engine, kind="files", location=location, name=name)


def test_an_audience_that_is_none_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(SourceError, match="'managers'"):
        add_source(engine, kind="files", location="/a", audience="managers")
    assert add_source(engine, kind="files", location="/a", audience=channel_audience("C1")).audience == "channel:C1"


def test_removing_what_is_not_there_is_an_error(engine: sa.Engine) -> None:
    with pytest.raises(SourceError, match="sources list"):
        remove_source(engine, "nothing")


def test_the_status_counts_documents_and_chunks(tmp_path: Path) -> None:
    with workplace(tmp_path) as place:
        (status,) = source_statuses(place.engine)
        assert (status.documents, status.chunks, status.last_run) == (0, 0, None)
        place.write("a.md", f"# One\n\n{'words here. ' * 50}\n\n# Two\n\n{'more words. ' * 50}")
        place.sync()
        (status,) = source_statuses(place.engine)
        assert (status.documents, status.chunks) == (1, 2)
        assert status.last_run is not None
        assert status.last_run.added == 1
        assert status.last_run.finished_at is not None
        assert status.last_run.started_at <= status.last_run.finished_at


def test_trying_a_source_reads_one_document(tmp_path: Path) -> None:
    (tmp_path / "bad.pdf").write_text("no PDF")
    (tmp_path / "good.md").write_text("# Good\n\ntext")
    with Parser() as parser:
        assert try_source(FolderSource("s", tmp_path), parser).title == "Good"
        (tmp_path / "good.md").unlink()
        with pytest.raises(SourceError, match="seems damaged"):
            try_source(FolderSource("s", tmp_path), parser)
        (tmp_path / "bad.pdf").unlink()
        with pytest.raises(SourceError, match="no document in it"):
            try_source(FolderSource("s", tmp_path), parser)
