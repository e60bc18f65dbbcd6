"""What a run of tuning begins with: the version that is in use, and its adapter's shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.errors import MisuseError
from bot.learn.tuning_plan import plan_for
from bot.settings import Settings, load_settings
from models.registry import embedded_model
from models.starter import starter


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, tmp_path)


def test_a_run_on_the_embedded_model_goes_on_from_the_starter_in_its_shape(settings: Settings, tmp_path: Path) -> None:
    plan = plan_for(settings, tmp_path, "supervised")
    assert (plan.start, plan.rank, plan.alpha) == (str(starter().path), 16, 32)
    assert plan_for(settings, tmp_path, "supervised", numbers={"rank": 16}) == plan


def test_another_rank_is_refused_at_once_unless_the_run_begins_anew(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match=r"--rank 8: .* has rank 16\. Leave --rank out, or .* --from-scratch"):
        plan_for(settings, tmp_path, "supervised", numbers={"rank": 8})
    anew = plan_for(settings, tmp_path, "supervised", from_scratch=True, numbers={"rank": 8})
    assert (anew.start, anew.rank) == ("", 8)


def test_another_base_begins_without_the_starter(settings: Settings, tmp_path: Path) -> None:
    assert plan_for(settings, tmp_path, "supervised", base="somewhere/else").start == ""


def test_a_version_that_is_a_whole_model_cannot_be_gone_on_from(settings: Settings, tmp_path: Path) -> None:
    whole = embedded_model().path
    with pytest.raises(MisuseError, match=r"is a whole model \(.*\): begin anew with --from-scratch"):
        plan_for(settings, tmp_path, "supervised", in_service=whole)
