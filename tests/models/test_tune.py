"""LEARN on a model of two layers: what comes out is what was trained, and a run that is ended goes on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.adapter import permute, permute_back, read_adapter, read_learned, write_adapter
from models.child import ChildGenerator, Runtime
from models.errors import DatasetError, ModelFileError, TuningError
from models.example import Example, Kind, write_examples
from models.generator import ChatMessage, GenerationOptions
from models.plan import Method, Plan, read_plan, write_plan
from models.tune import ADAPTER_FILE, RUN_FILE, TunedRun, cross_validate, hash_dataset, read_run, tune
from tests.models.shapes import SHAPES, write_shape
from tests.models.small_model import write_small_model

# Each trains in a process that loads torch first: on a machine that is busy with other tests that takes its time.
pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(900)]
WORDS = "amber birch cedar daisy ember fern grove hazel iris jade".split()


def example(number: int, kind: Kind = "supervised") -> Example:
    word, other = WORDS[number % len(WORDS)], WORDS[(number + 3) % len(WORDS)]
    asked = f"Text: The code of room {number} is {word}.\n\nQuestion: What is the code of room {number}?"
    return Example(
        kind=kind,
        lane="documents",
        origin=f"document:{number}",
        group=f"room-{number}",
        messages=(ChatMessage(role="user", content=asked),),
        answer=f"The code is {word}. [1]",
        rejected=f"The code is {other}." if kind == "preference" else "",
        vote=(1 if number % 2 else -1) if kind == "vote" else 0,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_model(tmp_path_factory.mktemp("small") / "small.gguf")


@pytest.fixture(scope="module")
def first(base: Path, tmp_path_factory: pytest.TempPathFactory) -> TunedRun:
    """A version that others go on from."""
    folder = tmp_path_factory.mktemp("first")
    return tune(plan(base, make_dataset(folder / "dataset", "supervised")), folder / "run")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "dataset", "supervised")


def make_dataset(folder: Path, kind: Kind) -> Path:
    folder.mkdir()
    write_examples(folder / "train.jsonl", (example(number, kind) for number in range(20)))
    write_examples(folder / "validation.jsonl", (example(number, kind) for number in range(20, 26)))
    return folder


def plan(base: Path, dataset: Path) -> Plan:
    return Plan(
        base=str(base), dataset=str(dataset), rank=4, alpha=8, frozen_layers=0.0, most_steps=4, warmup_steps=0,
        learning_rate=1e-3, log_every=1, save_every=2, threads=1,
    )  # fmt: skip


def test_what_was_trained_is_what_llama_cpp_says(base: Path, dataset: Path, tmp_path: Path) -> None:
    """Merged, the same greedy tokens; as an adapter, another model than the base."""
    told: list[tuple[str, int, int | None]] = []
    done = tune(plan(base, dataset), tmp_path / "run", lambda *said: told.append(said))
    assert done.verified is not None
    assert done.verified.same_text == done.verified.probes > 0
    assert done.verified.loss_quantized == pytest.approx(done.verified.loss, rel=0.02)
    assert (done.steps, done.rows, done.data_hash) == (4, 20, hash_dataset(dataset))
    assert done.last_loss is not None
    assert done.first_loss is not None
    assert done.last_loss < done.first_loss
    assert [row["step"] for row in done.log if "validation_loss" in row] == [2, 4]
    assert done.validation_loss == min(row["validation_loss"] for row in done.log if "validation_loss" in row)
    assert ("Training", 4, 4) in told
    row = example(22)
    scores = []
    for adapter in (None, done.file):
        with closing(ChildGenerator(base, "small", Runtime(adapter=adapter, context_tokens=512))) as generator:
            scores.append(sum(generator.score(row.messages, row.answer)))
    assert scores[1] > scores[0] + 1
    assert tune(plan(base, dataset), tmp_path / "run") == read_run(tmp_path / "run") == done


@pytest.mark.parametrize("shape", SHAPES)
def test_other_shapes_than_llama_are_tuned_too(dataset: Path, tmp_path: Path, shape: str) -> None:
    form = "gemma" if shape.startswith("gemma") else "chatml"
    base = write_shape(tmp_path / f"{shape}.gguf", shape)
    done = tune(replace(plan(base, dataset), chat_format=form), tmp_path / "run")
    assert done.verified is not None
    assert done.verified.same_text == done.verified.probes > 0
    # The same numbers from torch and from llama.cpp: what is noise may say the same by chance.
    assert done.verified.loss == pytest.approx(done.log[-1]["validation_loss"], rel=1e-3)
    assert done.verified.loss_quantized == pytest.approx(done.verified.loss, rel=0.01)


def test_a_model_that_transformers_reads_otherwise_is_refused_in_words(dataset: Path, tmp_path: Path) -> None:
    """Its heads are narrower than those of every Qwen 3 that transformers knows."""
    base = write_shape(tmp_path / "odd.gguf", "qwen3", head=16)
    with pytest.raises(TuningError, match="cannot be read for tuning"):
        tune(plan(base, dataset), tmp_path / "run")


def test_a_killed_run_goes_on_from_its_last_checkpoint(base: Path, dataset: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    many = replace(plan(base, dataset), most_steps=8, data_hash=hash_dataset(dataset))
    write_plan(run, many)
    command = [sys.executable, "-W", "ignore", "-m", "models.training", str(run)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 600
        while not list(run.glob("checkpoints/checkpoint-*/trainer_state.json")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    steps: list[int] = []
    done = tune(many, run, lambda what, step, _of: steps.append(step) if what == "Training" else None)
    assert done.steps == 8
    assert min(steps) > 2, "it began anew"


@pytest.mark.parametrize(("method", "kind"), [("dpo", "preference"), ("kto", "vote")])
def test_preferences_and_votes_train_an_adapter(
    base: Path, first: TunedRun, tmp_path: Path, method: Method, kind: Kind
) -> None:
    """It goes on from a version, and what comes out differs from that."""
    dataset = make_dataset(tmp_path / "dataset", kind)
    write_examples(dataset / "validation.jsonl", ())
    chosen = replace(plan(base, dataset), most_steps=2, method=method, start=str(first.file))
    second = tune(chosen, tmp_path / "run")
    weight = "model.layers.0.self_attn.q_proj"
    before, after = read_adapter(first.file, base)(weight), read_adapter(second.file, base)(weight)
    assert before is not None
    assert after is not None
    assert not np.array_equal(before[0], after[0])
    assert np.allclose(before[0], after[0], atol=0.05), "it did not go on from where the first had come"


def test_what_the_training_process_refuses_is_said_in_its_own_words(
    base: Path, dataset: Path, first: TunedRun, tmp_path: Path
) -> None:
    with pytest.raises(TuningError, match=r"^\S+ has rank 4, this run 2: give the run the same rank\.$"):
        tune(replace(plan(base, dataset), rank=2, start=str(first.file)), tmp_path / "run")


def test_all_weights_of_a_small_model_can_be_trained(base: Path, dataset: Path, tmp_path: Path) -> None:
    done = tune(replace(plan(base, dataset), full=True, learning_rate=1e-4), tmp_path / "run")
    assert done.file.name == "merged.gguf"
    assert done.verified is not None
    assert done.verified.same_text == done.verified.probes
    with closing(ChildGenerator(done.file, "full", Runtime(context_tokens=512))) as generator:
        assert "".join(generator.stream(example(1).messages, GenerationOptions(max_tokens=4)))


def test_folds_are_trained_apart(base: Path, dataset: Path, tmp_path: Path) -> None:
    runs, mean, deviation = cross_validate(replace(plan(base, dataset), most_steps=1), tmp_path / "folds", 2)
    assert len(runs) == 2
    assert {run.rows for run in runs} == {13}
    assert mean > 0
    assert deviation >= 0


def test_a_folder_belongs_to_one_plan(base: Path, dataset: Path, tmp_path: Path) -> None:
    chosen = replace(plan(base, dataset), data_hash=hash_dataset(dataset))
    write_plan(tmp_path / "run", replace(chosen, seed=1))
    with pytest.raises(TuningError, match="begun with other seed"):
        tune(chosen, tmp_path / "run")
    assert read_plan(tmp_path / "run").seed == 1


def test_too_few_rows_and_damaged_ones_are_refused(base: Path, tmp_path: Path) -> None:
    write_examples(tmp_path / "train.jsonl", [example(1)])
    with pytest.raises(DatasetError, match="fewer than 8 rows"):
        tune(plan(base, tmp_path), tmp_path / "run")
    (tmp_path / "train.jsonl").write_text('{"kind": "supervised"}\n')
    with pytest.raises(DatasetError, match="line 1 is no example"):
        tune(plan(base, tmp_path), tmp_path / "run")


def test_a_model_that_is_none_ends_with_what_it_printed(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "noise.gguf").write_bytes(b"noise")
    with pytest.raises(TuningError, match=r"noise\.gguf cannot be read for tuning"):
        tune(plan(tmp_path / "noise.gguf", dataset), tmp_path / "run")
    assert not (tmp_path / "run" / RUN_FILE).exists()


def test_an_adapter_of_another_model_is_no_beginning(base: Path, dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        read_adapter(tmp_path / ADAPTER_FILE, base)
    with pytest.raises(TuningError, match="no LoRA adapter"):
        read_adapter(base, base)


def test_rows_are_permuted_there_and_back() -> None:
    rows = np.arange(6 * 8 * 2, dtype=np.float32).reshape(48, 2)
    for heads in (1, 3, 6):
        assert np.array_equal(permute_back(permute(rows, heads), heads), rows)
    assert not np.array_equal(permute(rows, 3), rows)


def test_a_written_adapter_is_read_back_as_it_was(base: Path, first: TunedRun, tmp_path: Path) -> None:
    write_adapter(read_learned(first.run / "peft", base), tmp_path / "again.gguf", name="again")
    weight = "model.layers.1.self_attn.k_proj"
    before, after = read_adapter(first.file, base)(weight), read_adapter(tmp_path / "again.gguf", base)(weight)
    assert before is not None
    assert after is not None
    assert np.array_equal(before[1], after[1])
    config = json.loads((first.run / "peft" / "adapter_config.json").read_text())
    assert config["r"] == before[0].shape[0]
