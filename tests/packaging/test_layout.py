"""The shape of the repository: few names at the root, each heavy library in one place, a light command line."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ROOT_NAMES = {
    *("pyproject.toml", "bot", "knowledge", "models", "tests", "README.md"),
    *("LICENSE", "CHANGELOG.md", "Makefile", "constraints.txt", "Dockerfile", "compose.yaml"),
}
OWNERS = {
    "llama_cpp": ("models/llama.py",),
    "hnswlib": ("knowledge/index.py",),
    "sentence_transformers": ("knowledge/embed.py",),
    "onnxruntime": ("knowledge/embed_onnx.py",),
    "onnx": ("knowledge/quantize.py",),
    "apscheduler": ("bot/jobs.py",),
    "datasketch": ("bot/learn/near.py",),
    "slack_bolt": ("bot/slack/",),
}
# sentence-transformers stands on these three and hands their objects out.
INDIRECT = {"huggingface_hub", "tokenizers", "transformers"}
BANNED = {"utils", "helpers", "common", "misc", "base", "manager", "service", "models"}
HEAVY = (
    "torch",
    "matplotlib",
    "sentence_transformers",
    "onnxruntime",
    "onnx",
    "llama_cpp",
    "hnswlib",
    "slack_bolt",
    "sqlalchemy",
    "pydantic",
    "rich",
)


def modules() -> Iterator[Path]:
    for package in ("bot", "knowledge", "models"):
        yield from (ROOT / package).rglob("*.py")


def imported_by(module: Path) -> set[str]:
    """The top-level packages that a module imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def test_the_root_holds_only_the_names_that_were_agreed_on() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: nothing tells which files belong to it")
    tops = {name.partition("/")[0] for name in listed.stdout.splitlines()}
    assert {top for top in tops if not top.startswith(".")} - ROOT_NAMES == set()


@pytest.mark.parametrize("library", sorted(OWNERS))
def test_each_heavy_library_is_imported_in_one_place(library: str) -> None:
    importers = {module.relative_to(ROOT).as_posix() for module in modules() if library in imported_by(module)}
    assert {name for name in importers if not name.startswith(OWNERS[library])} == set()


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [module for module in modules() if module.stem in BANNED] == []


def test_every_module_says_what_it_is_for() -> None:
    texts = {module: module.read_text(encoding="utf-8") for module in modules()}
    silent = [module for module, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))]
    assert silent == []


def test_help_loads_nothing_heavy() -> None:
    program = f"import sys, bot.cli.root; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_imported_library_is_declared() -> None:
    """What is only installed by luck, as a dependency of a dependency, is declared or not imported."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    owners = packages_distributions()
    imported = set[str]().union(*(imported_by(module) for module in modules()))
    libraries = imported - sys.stdlib_module_names - {"bot", "knowledge", "models"}
    undeclared = {
        name for name in libraries if not declared & {canonicalize_name(owner) for owner in owners.get(name, [name])}
    }
    assert undeclared - INDIRECT == set()
