"""The life of a version: what may follow what, one in service at most, and everything written down."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot.errors import VersionError
from bot.learn.versions import (
    Candidate,
    find_version,
    history,
    list_versions,
    note,
    promote,
    record_candidate,
    refuse,
    roll_back,
    standing,
    start_canary,
    version_before,
)
from bot.purge import Removal, find_traces, purge
from models.errors import ModelError
from models.tuned import keep_tuned, list_tuned, open_tuned
from tests.bot.test_purge import removal
from tests.bot.versions_shelf import TEAM, make_version
from tests.models.test_tuned import write_adapter


@pytest.fixture
def make(engine: sa.Engine, tmp_path: Path) -> Callable[..., None]:
    """Makes candidates."""

    def make(*names: str) -> None:
        for name in names:
            make_version(engine, tmp_path / "home", name)

    return make


def in_service(engine: sa.Engine) -> str:
    service = standing(engine).service
    return service.name if service else ""


def test_a_candidate_is_kept_with_its_file_and_where_it_comes_from(engine: sa.Engine, tmp_path: Path) -> None:
    version = make_version(engine, tmp_path, "v1", run="runs/1", gate={"better": True})
    assert (version.state, version.base, version.examples) == ("candidate", "embedded", ("feedback:1",))
    assert (version.run, version.gate) == ("runs/1", {"better": True})
    assert tmp_path / "models" / version.adapter == open_tuned(tmp_path / "models", "v1").path
    assert standing(engine).service is None
    (event,) = history(engine, "v1")
    assert (event.state, event.user, event.why) == ("candidate", "tune", "made")


def test_a_name_that_is_taken_leaves_everything_as_it_was(engine: sa.Engine, tmp_path: Path) -> None:
    before = make_version(engine, tmp_path, "v1")
    with pytest.raises(ModelError, match="already"):
        make_version(engine, tmp_path, "v1")
    (tmp_path / "models" / before.adapter).parent.rename(tmp_path / "away")
    with pytest.raises(VersionError, match="already"):
        make_version(engine, tmp_path, "v1")
    assert list_versions(engine) == (before,)
    assert list_tuned(tmp_path / "models") == ()


def test_the_whole_life_is_written_down_with_who_and_why(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1", "v2")
    promote(engine, "v1", by="U1", why="first")
    start_canary(engine, "v2", share=0.2, channels=["C1"], by="U2", why="try")
    note(engine, "v2", by="lorekeeper", why="seen")
    assert promote(engine, "v2", by="U3", why="better") == "v1"
    assert [(one.state, one.user, one.why) for one in history(engine, "v2")] == [
        ("candidate", "tune", "made"),
        ("canary", "U2", "try"),
        ("canary", "lorekeeper", "seen"),
        ("in_service", "U3", "better"),
    ]
    assert history(engine, "v1")[-1].why == "v2 took its place"
    assert [(one.name, one.state) for one in list_versions(engine)] == [("v2", "in_service"), ("v1", "retired")]
    assert len(history(engine)) == 7


def test_back_to_the_one_before_again_and_again_down_to_the_base_model(
    engine: sa.Engine, make: Callable[..., None]
) -> None:
    make("v1", "v2", "v3")
    for name in ("v1", "v2", "v3"):
        promote(engine, name, by="U1")
    for now in ("v2", "v1", ""):
        assert version_before(engine) == now
        done = roll_back(engine, by="U1", why="worse")
        assert (done.now, done.was_canary, in_service(engine)) == (now, False, now)
    with pytest.raises(VersionError, match="Nothing can be rolled back"):
        roll_back(engine, by="U1")
    assert (history(engine)[-1].version, history(engine)[-1].state) == ("", "in_service")


def test_what_was_rolled_back_is_not_gone_back_to(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1", "v2", "v3")
    promote(engine, "v1", by="U1")
    promote(engine, "v2", by="U1")
    roll_back(engine, by="U1")
    promote(engine, "v3", by="U1")
    assert roll_back(engine, by="U1").now == "v1"
    roll_back(engine, by="U1")
    promote(engine, "v2", by="U1")
    assert roll_back(engine, by="U1").now == ""


def test_a_roll_back_ends_the_canary_first(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1", "v2")
    promote(engine, "v1", by="U1")
    start_canary(engine, "v2", share=1.0, by="U1")
    done = roll_back(engine, by="canary", why="worse", to="refused")
    assert (done.left, done.now, done.was_canary) == ("v2", "v1", True)
    assert find_version(engine, "v2").state == "refused"
    assert roll_back(engine, by="U1").left == "v1"


def test_only_what_was_meant_is_rolled_back(engine: sa.Engine, make: Callable[..., None]) -> None:
    make("v1", "v2", "v3")
    promote(engine, "v1", by="U1")
    start_canary(engine, "v2", share=0.5, by="U1")
    with pytest.raises(VersionError, match="neither"):
        roll_back(engine, by="U1", of="v3")
    assert roll_back(engine, by="U1", of="v1").now == ""
    canary = standing(engine).canary
    assert canary is not None
    assert canary.name == "v2"


@pytest.mark.parametrize(
    "forbidden",
    [
        lambda engine: promote(engine, "refused", by="U1"),
        lambda engine: start_canary(engine, "refused", share=0.2, by="U1"),
        lambda engine: promote(engine, "in_service", by="U1"),
        lambda engine: refuse(engine, "in_service", by="U1", why="x"),
        lambda engine: start_canary(engine, "candidate", share=0.2, by="U1"),
        lambda engine: start_canary(engine, "candidate", share=0.0, by="U1"),
        lambda engine: start_canary(engine, "candidate", share=1.5, by="U1"),
        lambda engine: promote(engine, "nobody", by="U1"),
        lambda engine: find_version(engine, "nobody"),
    ],
)
def test_what_may_not_follow_is_refused_and_changes_nothing(
    engine: sa.Engine, make: Callable[..., None], forbidden: Callable[[sa.Engine], None]
) -> None:
    make("candidate", "refused", "canary", "in_service")
    refuse(engine, "refused", by="gate", why="worse", gate={"better": False})
    start_canary(engine, "canary", share=0.2, by="U1")
    promote(engine, "in_service", by="U1")
    before = history(engine), list_versions(engine)
    with pytest.raises(VersionError):
        forbidden(engine)
    assert (history(engine), list_versions(engine)) == before
    assert find_version(engine, "refused").gate == {"better": False}


def test_many_callers_at_once_leave_one_in_service(engine: sa.Engine, make: Callable[..., None]) -> None:
    names = [f"v{number}" for number in range(8)]
    make(*names)

    def press(name: str) -> None:
        try:
            promote(engine, name, by="U1")
            roll_back(engine, by="U1")
            promote(engine, name, by="U1")
        except VersionError:
            pass

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(press, names))
    assert [one.state for one in list_versions(engine)].count("in_service") == 1


def test_files_go_with_their_workspace_and_others_stay(engine: sa.Engine, tmp_path: Path) -> None:
    make_version(engine, tmp_path, "mine", run="runs/mine")
    (tmp_path / "v1.gguf").unlink(missing_ok=True)
    theirs = write_adapter(tmp_path / "theirs.gguf")
    record_candidate(
        engine, tmp_path / "models", theirs, Candidate(name="theirs", team="T2", base="embedded"), by="tune"
    )
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    for run in (tmp_path / "runs" / "mine", outside):
        run.mkdir(parents=True, exist_ok=True)
        (run / "curves.png").write_bytes(b"x")
    make_version(engine, tmp_path, "elsewhere", run=str(outside))
    gone: Removal = removal(team=TEAM)
    assert purge(engine, gone, tmp_path)["tuned file"] == 2
    assert list_tuned(tmp_path / "models") == ("theirs",)
    assert not (tmp_path / "runs" / "mine").exists()
    assert (outside / "curves.png").exists()
    assert [one.name for one in list_versions(engine)] == ["theirs"]
    assert find_traces(engine, TEAM, tmp_path) == ()


def test_a_file_that_no_version_knows_is_a_trace(engine: sa.Engine, tmp_path: Path) -> None:
    keep_tuned(tmp_path / "models", write_adapter(tmp_path / "x.gguf"), "left", "embedded")
    assert [(one.place, one.count) for one in find_traces(engine, TEAM, tmp_path)] == [
        ("files of tuned versions without a row", 1)
    ]
