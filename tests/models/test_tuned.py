"""Files of tuned versions: only the very file that was recorded is ever opened."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from models.errors import ModelError, ModelFileError, ModelNotAllowedError
from models.load import ModelOptions, load_generator
from models.registry import embedded_model
from models.tuned import keep_tuned, list_tuned, open_tuned, remove_tuned, version_prefix


def write_adapter(path: Path, **values: str) -> Path:
    """Write the header of an adapter's file."""
    keys = {"general.type": "adapter", "adapter.type": "lora", "general.architecture": "llama"} | values

    def text(words: str) -> bytes:
        return struct.pack("<Q", len(words)) + words.encode()

    content = b"".join(text(key) + struct.pack("<I", 8) + text(value) for key, value in keys.items())
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, len(keys)) + content)
    return path


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    return write_adapter(tmp_path / "adapter.gguf")


def test_a_kept_file_is_opened_and_named_by_its_hash(tmp_path: Path, adapter: Path) -> None:
    kept = keep_tuned(tmp_path / "models", adapter, "v1", "embedded")
    adapter.unlink()
    assert open_tuned(tmp_path / "models", "v1") == kept
    assert (kept.kind, kept.base, kept.size) == ("adapter", "embedded", kept.path.stat().st_size)
    assert kept.version == f"{version_prefix('v1')}{kept.sha256[:8]}"
    assert list_tuned(tmp_path / "models") == ("v1",)


def test_a_whole_model_is_kept_as_merged(tmp_path: Path) -> None:
    kept = keep_tuned(tmp_path, embedded_model().path, "v1", "embedded")
    assert (kept.kind, kept.path.name) == ("merged", "merged.gguf")


@pytest.mark.parametrize("change", [b"x", b""], ids=["another size", "the same size"])
def test_a_file_that_changed_is_refused(tmp_path: Path, adapter: Path, change: bytes) -> None:
    kept = keep_tuned(tmp_path, adapter, "v1", "embedded")
    content = bytearray(kept.path.read_bytes() + change)
    content[-2] ^= 1
    kept.path.write_bytes(content)
    with pytest.raises(ModelNotAllowedError, match="lorekeeper versions rollback"):
        open_tuned(tmp_path, "v1")


def test_a_name_is_taken_once(tmp_path: Path, adapter: Path) -> None:
    keep_tuned(tmp_path, adapter, "v1", "embedded")
    with pytest.raises(ModelError, match="already"):
        keep_tuned(tmp_path, adapter, "v1", "embedded")
    assert list_tuned(tmp_path) == ("v1",)


@pytest.mark.parametrize("name", ["", "../v1", ".v1", "a/b", "x" * 65])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, adapter: Path, name: str) -> None:
    with pytest.raises(ModelError):
        keep_tuned(tmp_path, adapter, name, "embedded")
    with pytest.raises(ModelFileError):
        open_tuned(tmp_path, name)
    assert not remove_tuned(tmp_path, name)


@pytest.mark.parametrize("values", [{"adapter.type": "evil"}, {"general.type": "model"}])
def test_what_is_neither_an_adapter_nor_a_model_is_refused(tmp_path: Path, values: dict[str, str]) -> None:
    with pytest.raises(ModelFileError):
        keep_tuned(tmp_path, write_adapter(tmp_path / "x.gguf", **values), "v1", "embedded")
    assert list_tuned(tmp_path) == ()


@pytest.mark.parametrize("manifest", ["", "{}", '{"name": "v1"}'])
def test_a_damaged_manifest_is_said(tmp_path: Path, adapter: Path, manifest: str) -> None:
    kept = keep_tuned(tmp_path, adapter, "v1", "embedded")
    (kept.path.parent / "manifest.json").write_text(manifest)
    with pytest.raises(ModelFileError, match="manifest"):
        open_tuned(tmp_path, "v1")


def test_a_manifest_cannot_point_out_of_its_folder(tmp_path: Path, adapter: Path) -> None:
    kept = keep_tuned(tmp_path, adapter, "v1", "embedded")
    manifest = kept.path.parent / "manifest.json"
    manifest.write_text(manifest.read_text().replace("adapter.gguf", "../../adapter.gguf"))
    with pytest.raises(ModelFileError):
        open_tuned(tmp_path, "v1")


def test_removed_files_are_gone(tmp_path: Path, adapter: Path) -> None:
    kept = keep_tuned(tmp_path, adapter, "v1", "embedded")
    assert remove_tuned(tmp_path, "v1")
    assert not kept.path.exists()
    assert not remove_tuned(tmp_path, "v1")
    with pytest.raises(ModelFileError, match="missing"):
        open_tuned(tmp_path, "v1")


@pytest.mark.parametrize(
    "options", [ModelOptions(name="other"), ModelOptions(server_url="http://localhost:1")], ids=["base", "server"]
)
def test_a_version_works_with_the_model_that_it_was_made_from_only(
    tmp_path: Path, adapter: Path, options: ModelOptions
) -> None:
    tuned = keep_tuned(tmp_path, adapter, "v1", "embedded")
    with pytest.raises(ModelError, match="made from the model 'embedded'"):
        load_generator(options, tmp_path, tuned=tuned)
