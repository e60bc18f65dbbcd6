"""LEARN: from a dataset to a version of the language model, top to bottom; the training itself is another process.

A run is a folder: `plan.json` (all that is needed to do it again), `log.jsonl` (the losses), `checkpoints`,
`adapter.gguf` and `run.json` (what came out). A run that was ended goes on from its last checkpoint when it is called
again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.adapter import read_learned, write_adapter, write_merged, write_trained
from models.errors import DatasetError, TuningError
from models.example import PARTS, read_examples, write_examples
from models.plan import PLAN_FILE, REFUSED, Plan, read_plan, write_plan
from models.process import clean_environment
from models.verify import PROBES_FILE, Verified, verify

Progress = Callable[[str, int, int | None], None]
"""What is being done, how much of it is done, and of how much (None: nobody knows)."""
ADAPTER_FILE = "adapter.gguf"
MERGED_FILE = "merged.gguf"
RUN_FILE = "run.json"
LOG_FILE = "log.jsonl"
PEFT_FOLDER = "peft"
_ERRORS_SHOWN = 1500
_FEWEST_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class TunedRun:
    """What came out of a run."""

    run: Path
    file: Path
    """The adapter, or the merged model of a full fine-tuning, as GGUF.

    Of a base that is no GGUF file, the folder that was saved: llama.cpp's own converter makes a GGUF of it.
    """
    data_hash: str
    seed: int
    rows: int
    tokens: int
    steps: int
    seconds: float
    """Of training, over all its beginnings."""
    first_loss: float | None
    last_loss: float | None
    validation_loss: float | None
    """The best one, which is the version that was kept; None without validation rows."""
    verified: Verified | None = None
    log: tuple[dict[str, float], ...] = field(default=(), repr=False)


def tune(plan: Plan, run: Path, progress: Progress = lambda *_: None) -> TunedRun:
    """Do a run, or go on with it where it was ended; a finished one is returned as it is.

    Raises DatasetError, TuningError or ModelFileError; each message says what to mend.
    """
    plan = replace(plan, data_hash=hash_dataset(Path(plan.dataset)))
    _begin(plan, run)
    if (run / RUN_FILE).exists():
        return read_run(run)
    started = time.monotonic()
    _train(run, progress)
    file = _write_gguf(plan, run, progress)
    progress("Comparing with what was trained", 0, None)
    verified = verify(run, Path(plan.base), file, plan) if file.suffix == ".gguf" else None
    if file.name == ADAPTER_FILE:
        # Made for the comparison only, and as large as the base model in 16 bits.
        (run / MERGED_FILE).unlink()
    # Words of the dataset: what is deleted there must not stay here.
    (run / PROBES_FILE).unlink(missing_ok=True)
    return _record(plan, run, file, verified, time.monotonic() - started)


def cross_validate(
    plan: Plan, run: Path, folds: int, progress: Progress = lambda *_: None
) -> tuple[tuple[TunedRun, ...], float, float]:
    """Train on all but one fold of the training groups, for each fold; for sets too small for one validation part.

    Returns the runs with the mean and the standard deviation of their validation losses.
    """
    examples = [row for part in ("train", "validation") for row in _read(Path(plan.dataset) / f"{part}.jsonl")]
    groups = sorted({row.group for row in examples}, key=lambda group: hashlib.sha256(group.encode()).digest())
    if not 2 <= folds <= len(groups):
        raise DatasetError(f"{len(groups)} groups cannot be cut into {folds} folds; choose from 2 to {len(groups)}.")
    runs = []
    for number in range(folds):
        held = set(groups[number::folds])
        folder = run / f"fold-{number + 1}" / "dataset"
        folder.mkdir(parents=True, exist_ok=True)
        write_examples(folder / "train.jsonl", (row for row in examples if row.group not in held))
        write_examples(folder / "validation.jsonl", (row for row in examples if row.group in held))

        def fold_progress(text: str, done: int, of: int | None, number: int = number) -> None:
            progress(f"Fold {number + 1} of {folds}: {text}", done, of)

        runs.append(tune(replace(plan, dataset=str(folder)), folder.parent / "run", fold_progress))
    losses = [one.validation_loss for one in runs if one.validation_loss is not None]
    return tuple(runs), statistics.fmean(losses), statistics.stdev(losses) if len(losses) > 1 else 0.0


def hash_dataset(dataset: Path) -> str:
    """SHA-256 over the files of a dataset, in their order; raises DatasetError where there is nothing to learn from."""
    if sum(1 for _ in _read(dataset / "train.jsonl")) < _FEWEST_ROWS:
        raise DatasetError(f"{dataset} has fewer than {_FEWEST_ROWS} rows to learn from; gather more feedback first.")
    digest = hashlib.sha256()
    for part in PARTS:
        path = dataset / f"{part}.jsonl"
        if path.exists():
            digest.update(part.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read_run(run: Path) -> TunedRun:
    """Read what came out of a run; raises TuningError."""
    try:
        content = json.loads((run / RUN_FILE).read_text(encoding="utf-8"))
        verified = content.pop("verified")
        kept = {key: content[key] for key in content if key not in ("run", "file")}
        return TunedRun(
            run=run,
            file=run / content["file"],
            log=tuple(read_log(run)),
            verified=None if verified is None else Verified(**verified),
            **kept,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TuningError(f"{run / RUN_FILE} cannot be read ({error}); run the tuning again.") from error


def read_log(run: Path) -> Iterator[dict[str, float]]:
    """The figures that training told of, in order; a step that was trained twice counts the second time."""
    path = run / LOG_FILE
    if not path.exists():
        return
    found: dict[tuple[int, bool], dict[str, float]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[(row["step"], "validation_loss" in row)] = row
    yield from (found[key] for key in sorted(found))


def _begin(plan: Plan, run: Path) -> None:
    """A folder belongs to one plan: going on with other data or numbers would give a version that nobody can name."""
    if not (run / PLAN_FILE).exists():
        write_plan(run, plan)
        return
    before = read_plan(run)
    changed = [key for key, value in asdict(plan).items() if getattr(before, key) != value]
    if changed:
        raise TuningError(
            f"{run} was begun with other {', '.join(changed)}. Name another folder, or remove this one to begin anew."
        )


def _train(run: Path, progress: Progress) -> None:
    """Run the training process and pass on what it says; raises TuningError with its last words where it fails."""
    if (run / "trained").exists():
        return
    progress("Loading the weights", 0, None)
    # Without a name to look up, nothing asks the model hub.
    environment = {**clean_environment(os.environ), "TOKENIZERS_PARALLELISM": "false"}
    if Path(read_plan(run).base).exists():
        environment["HF_HUB_OFFLINE"] = "1"
    command = [sys.executable, "-P", "-W", "ignore", "-m", "models.training", str(run)]
    with tempfile.TemporaryFile() as noise, (run / LOG_FILE).open("a", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, env=environment)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                _told(line, run, log.write, progress)
                log.flush()
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            code = process.wait()
        if code:
            noise.seek(0)
            said = noise.read().decode("utf-8", "replace").strip()[-_ERRORS_SHOWN:]
            if code == REFUSED:
                raise TuningError(said.rpartition("\n")[2])
            raise TuningError(f"Training ended with code {code}; call it again to go on. It had printed: {said}")
    (run / "trained").touch()


def _told(line: bytes, run: Path, write: Callable[[str], int], progress: Progress) -> None:
    try:
        said: dict[str, Any] = json.loads(line)
        kind = said.pop("kind")
    except (ValueError, KeyError, AttributeError, TypeError):
        return  # a library's own word
    if kind == "data":
        (run / "data.json").write_text(json.dumps(said), encoding="utf-8")
    elif kind == "log":
        if "eval_loss" in said:
            said["validation_loss"] = said.pop("eval_loss")
        write(json.dumps(said) + "\n")
    elif kind == "step":
        progress("Training", said["step"], said["of"])


def _write_gguf(plan: Plan, run: Path, progress: Progress) -> Path:
    base = Path(plan.base)
    if base.suffix != ".gguf":
        return run / PEFT_FOLDER
    progress("Writing the GGUF", 0, None)
    name = f"{base.stem} {run.name}"
    if plan.full:
        write_trained(run / PEFT_FOLDER, base, run / MERGED_FILE, name=name)
        return run / MERGED_FILE
    learned = read_learned(run / PEFT_FOLDER, base)
    write_adapter(learned, run / ADAPTER_FILE, name=name)
    write_merged(learned, base, run / MERGED_FILE, name=name)
    return run / ADAPTER_FILE


def _record(plan: Plan, run: Path, file: Path, verified: Verified | None, seconds: float) -> TunedRun:
    log = tuple(read_log(run))
    losses = [row["loss"] for row in log if "loss" in row]
    validation = [row["validation_loss"] for row in log if "validation_loss" in row]
    data = json.loads((run / "data.json").read_text(encoding="utf-8"))
    done = TunedRun(
        run=run,
        file=file,
        data_hash=plan.data_hash,
        seed=plan.seed,
        rows=data["rows"],
        tokens=data["tokens"],
        steps=int(max((row["step"] for row in log), default=0)),
        seconds=round(seconds, 1),
        first_loss=losses[0] if losses else None,
        last_loss=losses[-1] if losses else None,
        validation_loss=min(validation) if validation else None,
        verified=verified,
        log=log,
    )
    content = {**asdict(done), "run": run.name, "file": file.name}
    content.pop("log")
    unfinished = run / f"{RUN_FILE}.unfinished"
    unfinished.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    unfinished.replace(run / RUN_FILE)
    shutil.rmtree(run / "checkpoints", ignore_errors=True)
    return done


def _read(path: Path) -> Iterator[Any]:
    return read_examples(path) if path.exists() else iter(())
