"""Choosing the form of the embedded model: timed once, and never in the way of a start."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import GenerationTimeoutError
from models.registry import ModelFile, ModelRegistry
from models.requantize import fastest_embedded

pytestmark = pytest.mark.slow


def seconds_of(files: list[ModelFile]) -> dict[str, float]:
    """Say that what was made here is the fastest."""
    return {file.name: 1.0 if file.origin == "requantized" else 2.0 for file in files}


def test_the_fastest_form_is_chosen_and_remembered(tmp_path: Path) -> None:
    registry, told = ModelRegistry(tmp_path), list[str]()
    chosen = fastest_embedded(registry, told.append, seconds_of)
    assert chosen.origin == "requantized"
    assert len(told) == 2
    again = fastest_embedded(registry, told.append, lambda _files: pytest.fail("it was timed already"))
    assert again == chosen
    assert len(told) == 2


def test_a_machine_too_busy_to_be_timed_on_starts_with_the_model_as_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def too_busy(_files: list[ModelFile]) -> dict[str, float]:
        raise GenerationTimeoutError("did not finish in time")

    registry = ModelRegistry(tmp_path)
    assert fastest_embedded(registry, lambda _text: None, too_busy).origin == "embedded"
    assert "did not finish in time" in caplog.text
    assert registry.fastest() is None
