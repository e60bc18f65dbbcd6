"""The adapter that comes with the package: it is the very file that was measured, or it is not used."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from models.errors import ModelFileError, ModelNotAllowedError
from models.gguf import is_adapter
from models.starter import starter


def test_the_package_brings_the_adapter_that_was_measured() -> None:
    found = starter()
    assert is_adapter(found.path)
    assert found.version.startswith("starter@")
    assert (found.path.parent / "README.md").is_file()


def test_another_file_in_its_place_is_refused(tmp_path: Path) -> None:
    changed = Path(shutil.copy(starter().path, tmp_path / "adapter.gguf"))
    with changed.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(ModelNotAllowedError, match="embedded-plain"):
        starter(changed)
    with pytest.raises(ModelFileError, match="Install Lorekeeper again"):
        starter(tmp_path / "missing.gguf")
