"""The wheel: everything is in it, and the command works where the repository is far away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bot", "knowledge", "models")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as a release would, with the backend that is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("lorekeeper-*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel and sees this environment's libraries, outside the repository."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", wheel], check=True, cwd=folder
    )
    # A plain path line makes the libraries visible, but not the editable install of the repository beside them.
    site = next((folder / "venv" / "lib").glob("python*/site-packages"))
    (site / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return folder


def run_there(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run one of the fresh environment's commands in its own folder, without our environment."""
    environment = {
        "HOME": str(folder),
        "PATH": os.defpath,
        "LOREKEEPER_HOME": str(folder / "data"),
        "LANG": "C.UTF-8",
    }
    program = str(folder / "venv" / "bin" / command[0])
    return subprocess.run(
        [program, *command[1:]], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
    )


def shipped_files() -> Iterator[str]:
    """Every file of the packages, as the repository has them."""
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix not in (".pyc", ".gguf"):
                yield file.relative_to(ROOT).as_posix()


def test_the_wheel_holds_every_module_and_data_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    assert set(shipped_files()) - packed == set()


def test_the_wheel_holds_the_page_the_guide_the_migrations_and_the_type_markers(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.namelist()
    for package in PACKAGES:
        assert f"{package}/py.typed" in packed
    assert "bot/playground/page/index.html" in packed
    assert "bot/migrations/env.py" in packed
    assert [name for name in packed if name.startswith("bot/guide/") and name.endswith(".md")]
    assert [name for name in packed if name.endswith("/licenses/LICENSE")]


def test_the_wheel_holds_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_the_installed_command_shows_its_help(elsewhere: Path) -> None:
    done = run_there(elsewhere, "lorekeeper", "--help")
    assert done.returncode == 0, done.stderr
    assert "playground" in done.stdout


def test_the_installed_package_is_not_the_repository(elsewhere: Path) -> None:
    done = run_there(elsewhere, "python", "-c", "import bot; print(bot.__file__)")
    assert Path(done.stdout.strip()).is_relative_to(elsewhere)


def test_doctor_finds_everything_in_place_far_from_the_repository(elsewhere: Path) -> None:
    done = run_there(elsewhere, "lorekeeper", "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["ok"], report
    assert {"packages", "database", "embedder", "model"} <= {check["name"] for check in report["checks"]}
