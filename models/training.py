"""Training itself: the one module that imports torch, peft and trl. It runs in the tuning process only.

`python -m models.training RUN` reads `RUN/plan.json`, trains, and says on its standard output how far it is, one JSON
object a line. A run that was ended goes on from its last checkpoint when it is started again.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import EarlyStoppingCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.dpo_trainer import DPOTrainer
from trl.trainer.kto_config import KTOConfig
from trl.trainer.kto_trainer import KTOTrainer
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from models.adapter import read_adapter
from models.chat_format import chat_format, write_prompt
from models.errors import ModelError, TuningError
from models.example import Example, read_examples
from models.packing import Pack, Row, pack_rows, total_tokens
from models.plan import REFUSED, Plan, read_plan
from models.verify import PROBE_TOKENS, PROBES_FILE, probe_rows
from models.weights import Weights, load_weights

_MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def say(**what: Any) -> None:
    """Tell the parent process."""
    print(json.dumps(what), flush=True)  # noqa: T201  the pipe to the parent


class PackedTrainer(SFTTrainer):
    """trl's supervised trainer over packs; the loss is the mean over the answers' tokens only."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weighted cross-entropy of what is to be said."""
        labels, weights, at = inputs["labels"][0], inputs["weights"], inputs["at"]
        outputs = model(
            input_ids=inputs["input_ids"],
            position_ids=inputs["position_ids"],
            attention_mask=inputs["attention_mask"],
            logits_to_keep=at,
            use_cache=False,
        )
        losses = functional.cross_entropy(outputs.logits[0].float(), labels, reduction="none") * weights
        count = losses.numel() if num_items_in_batch is None else num_items_in_batch
        loss = losses.sum() / count
        return (loss, outputs) if return_outputs else loss

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """The loss alone."""
        del prediction_loss_only, ignore_keys
        with torch.no_grad():
            inputs = self._prepare_inputs(inputs)
            return self.compute_loss(model, inputs).detach(), None, None


class Teller(TrainerCallback):
    """Says how far training is."""

    def __init__(self) -> None:
        self._started = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: Any = None, **_: Any
    ) -> None:
        """Pass the trainer's figures on."""
        del args, control
        figures = {key: value for key, value in (logs or {}).items() if isinstance(value, int | float)}
        seconds = time.monotonic() - self._started
        say(kind="log", step=state.global_step, of=state.max_steps, seconds=round(seconds, 1), **figures)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count."""
        del args, control
        say(kind="step", step=state.global_step, of=state.max_steps)


def rows_of(examples: Iterable[Example], tokenizer: Any, form_name: str) -> list[Row]:
    """Turn examples into tokens, exactly as the model process does."""
    form = chat_format(form_name)
    rows = []
    for example in examples:
        prompt: list[int] = []
        for section in write_prompt(form, example.messages) if example.kind != "text" else ():
            for piece in section:
                prompt += _tokens(tokenizer, piece.text, control=piece.control)
        if not prompt:
            # Plain text goes on from nothing but the token that documents begin with.
            prompt = [tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id]
        end = _tokens(tokenizer, form.ends[0], control=True)
        answer = _tokens(tokenizer, example.answer, control=False) + end
        rows.append(Row(prompt=tuple(prompt), answer=tuple(answer), weight=example.weight))
    return rows


def _tokens(tokenizer: Any, text: str, *, control: bool) -> list[int]:
    tokens: list[int] = tokenizer.encode(text, add_special_tokens=False, split_special_tokens=not control)
    return tokens


def collate(packs: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """One pack as tensors, with the mask that keeps its rows apart."""
    (pack,) = packs
    branch = torch.tensor(pack["branch"])
    length = len(branch)
    causal = torch.ones(length, length, dtype=torch.bool).tril()
    seen = causal & ((branch[None, :] == 0) | (branch[None, :] == branch[:, None]))
    mask = torch.zeros(length, length).masked_fill(~seen, torch.finfo(torch.float32).min)
    return {
        "input_ids": torch.tensor([pack["input_ids"]]),
        "position_ids": torch.tensor([pack["position_ids"]]),
        "attention_mask": mask[None, None],
        "at": torch.tensor(pack["at"]),
        "labels": torch.tensor([pack["labels"]]),
        "weights": torch.tensor(pack["weights"]),
    }


def _dataset(packs: Sequence[Pack]) -> Dataset:
    return Dataset.from_list([vars(pack) for pack in packs])


def prepared(weights: Weights, plan: Plan) -> Any:
    """The model as it is trained: all of it, or with a LoRA adapter (Hu et al., 2021) that may go on from another."""
    if plan.full:
        return weights.model
    layers = int(weights.model.config.num_hidden_layers)
    config = LoraConfig(
        r=plan.rank,
        lora_alpha=plan.alpha,
        lora_dropout=plan.dropout,
        target_modules=_MODULES,
        layers_to_transform=list(range(math.ceil(plan.frozen_layers * layers), layers)),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(weights.model, config)
    if plan.start:
        _go_on_from(Path(plan.start), model, plan)
    return model


def _go_on_from(adapter: Path, model: Any, plan: Plan) -> None:
    matrices = read_adapter(adapter, Path(plan.base))
    taken = 0
    for name, module in model.named_modules():
        weight = name.removeprefix("base_model.model.")
        if not hasattr(module, "lora_A") or (found := matrices(weight)) is None:
            continue
        a, b = map(torch.from_numpy, found)
        if module.lora_A["default"].weight.shape != a.shape:
            raise TuningError(f"{adapter} has rank {a.shape[0]}, this run {plan.rank}: give the run the same rank.")
        with torch.no_grad():
            # The scale of both is alpha / rank, and the runs of one lineage share it.
            module.lora_A["default"].weight.copy_(a)
            module.lora_B["default"].weight.copy_(b)
        taken += 1
    if not taken:
        raise TuningError(f"{adapter} fits no weight of {plan.base}: it was made for another model.")


def train_supervised(plan: Plan, run: Path, weights: Weights) -> Any:
    """Train on what is to be said, or on plain text."""
    dataset = Path(plan.dataset)
    train = pack_rows(_supervised(dataset / "train.jsonl", weights, plan), plan.pack_tokens)
    validation = pack_rows(_supervised(dataset / "validation.jsonl", weights, plan), plan.pack_tokens)
    say(
        kind="data",
        packs=len(train),
        rows=sum(pack.rows for pack in train),
        tokens=total_tokens(train),
        validation_rows=sum(pack.rows for pack in validation),
    )
    model = prepared(weights, plan)
    trainer = PackedTrainer(
        model=model,
        args=SFTConfig(
            **shared_settings(plan, run, evaluates=bool(validation)), dataset_kwargs={"skip_prepare_dataset": True}
        ),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(validation) if validation else None,
        data_collator=collate,
        processing_class=weights.tokenizer,
        callbacks=callbacks(plan, evaluates=bool(validation)),
    )
    trainer.train(resume_from_checkpoint=bool(list(run.glob("checkpoints/checkpoint-*"))))
    return model


def _supervised(path: Path, weights: Weights, plan: Plan) -> list[Row]:
    if not path.exists():
        return []
    kind = "text" if plan.method == "text" else "supervised"
    examples = [example for example in read_examples(path) if example.kind == kind]
    rows = rows_of(examples, weights.tokenizer, plan.chat_format)
    return [row for row in rows if len(row.tokens) <= plan.most_tokens]


class TokenizedDPO(DPOTrainer):
    """trl's DPO trainer (Rafailov et al., 2023) over our own tokens, which cannot smuggle a control token in."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


class TokenizedKTO(KTOTrainer):
    """trl's KTO trainer (Ethayarajh et al., 2024), likewise."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset


def train_preferences(plan: Plan, run: Path, weights: Weights) -> Any:
    """Train on pairs of a better and a worse answer, or on votes; the model that it began as holds it back."""
    dataset = Path(plan.dataset)
    rows = _preferred if plan.method == "dpo" else _voted
    train, validation = rows(dataset / "train.jsonl", weights, plan), rows(dataset / "validation.jsonl", weights, plan)
    if not train:
        raise TuningError(
            f"{dataset / 'train.jsonl'} holds no rows for {plan.method}: gather corrections or votes first."
        )
    tokens = sum(len(ids) for row in train for key, ids in row.items() if key != "label")
    say(kind="data", packs=len(train), rows=len(train), tokens=tokens, validation_rows=len(validation))
    settings = shared_settings(plan, run, evaluates=bool(validation))
    settings |= {"beta": plan.beta, "max_length": plan.most_tokens}
    model = prepared(weights, plan)
    given: dict[str, Any] = {
        "model": model,
        "train_dataset": Dataset.from_list(train),
        "eval_dataset": Dataset.from_list(validation) if validation else None,
        "processing_class": weights.tokenizer,
        "callbacks": callbacks(plan, evaluates=bool(validation)),
    }
    # KTO compares rows within a batch; one alone has nothing to be compared with.
    settings["per_device_train_batch_size"] = settings["per_device_eval_batch_size"] = 2 if plan.method == "kto" else 1
    trainer: DPOTrainer | KTOTrainer
    if plan.method == "dpo":
        trainer = TokenizedDPO(args=DPOConfig(**settings), **given)
    else:
        trainer = TokenizedKTO(args=KTOConfig(**settings), **given)
    trainer.train(resume_from_checkpoint=bool(list(run.glob("checkpoints/checkpoint-*"))))
    return model


def _preferred(path: Path, weights: Weights, plan: Plan) -> list[dict[str, Any]]:
    examples = [one for one in read_examples(path) if one.kind == "preference"] if path.exists() else []
    better = rows_of(examples, weights.tokenizer, plan.chat_format)
    worse = rows_of([replace(one, answer=one.rejected) for one in examples], weights.tokenizer, plan.chat_format)
    return [
        {"prompt_ids": list(good.prompt), "chosen_ids": list(good.answer), "rejected_ids": list(bad.answer)}
        for good, bad in zip(better, worse, strict=True)
        if max(len(good.tokens), len(bad.tokens)) <= plan.most_tokens
    ]


def _voted(path: Path, weights: Weights, plan: Plan) -> list[dict[str, Any]]:
    examples = [one for one in read_examples(path) if one.kind == "vote"] if path.exists() else []
    rows = rows_of(examples, weights.tokenizer, plan.chat_format)
    # KTO compares with what is said to another question: the next row's answer.
    return [
        {
            "prompt_ids": list(row.prompt),
            "completion_ids": list(row.answer),
            "KL_completion_ids": list(rows[(number + 1) % len(rows)].answer),
            "label": example.vote > 0,
        }
        for number, (example, row) in enumerate(zip(examples, rows, strict=True))
        if len(row.tokens) <= plan.most_tokens
    ]


def shared_settings(plan: Plan, run: Path, *, evaluates: bool) -> dict[str, Any]:
    """The settings that all of trl's trainers know."""
    return {
        "output_dir": str(run / "checkpoints"),
        "per_device_train_batch_size": 1,
        "per_device_eval_batch_size": 1,
        "gradient_accumulation_steps": plan.accumulate,
        "learning_rate": plan.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": plan.warmup_steps,
        "num_train_epochs": plan.epochs,
        "max_steps": plan.most_steps,
        "weight_decay": 0.01,
        "logging_steps": plan.log_every,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": plan.save_every,
        "save_strategy": "steps",
        "save_steps": plan.save_every,
        "save_total_limit": 2,
        "load_best_model_at_end": evaluates,
        "metric_for_best_model": "eval_loss",
        "seed": plan.seed,
        "data_seed": plan.seed,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": False,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
        "remove_unused_columns": False,
        "report_to": [],
        "disable_tqdm": True,
    }


def callbacks(plan: Plan, *, evaluates: bool) -> list[TrainerCallback]:
    """What listens while training goes on."""
    listening: list[TrainerCallback] = [Teller()]
    if evaluates:
        listening.append(EarlyStoppingCallback(early_stopping_patience=plan.patience))
    return listening


def main() -> None:
    """Do the run that is planned in a folder."""
    try:
        _do(Path(sys.argv[1]))
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(REFUSED)


def _do(run: Path) -> None:
    plan = read_plan(run)
    torch.manual_seed(plan.seed)
    if plan.threads:
        torch.set_num_threads(plan.threads)
    weights = load_weights(plan.base)
    train = train_supervised if plan.method in ("supervised", "text") else train_preferences
    model = train(plan, run, weights)
    model.save_pretrained(str(run / "peft"))
    write_probes(plan, run, model, weights.tokenizer)
    say(kind="done")


def write_probes(plan: Plan, run: Path, model: Any, tokenizer: Any) -> None:
    """Let the trained model answer the probes, greedily: what the GGUF must say as well."""
    model.eval()
    probes = []
    for example, row in zip(
        rows := probe_rows(Path(plan.dataset)), rows_of(rows, tokenizer, plan.chat_format), strict=True
    ):
        prompt = torch.tensor([row.prompt])
        with torch.no_grad():
            said = model.generate(
                input_ids=prompt,
                attention_mask=torch.ones_like(prompt),
                max_new_tokens=PROBE_TOKENS,
                do_sample=False,
                eos_token_id=row.answer[-1],
                pad_token_id=row.answer[-1],
            )[0, prompt.shape[1] :]
        text = tokenizer.decode([token for token in said.tolist() if token != row.answer[-1]]).strip()
        messages = json.dumps([vars(message) for message in example.messages])
        probes.append({"messages": messages, "text": text})
    (run / PROBES_FILE).write_text(json.dumps(probes), encoding="utf-8")


if __name__ == "__main__":
    main()
