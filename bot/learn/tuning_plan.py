"""What a run of tuning begins with, from the settings: the weights in use, and the skill that they have already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

from bot.errors import MisuseError
from bot.settings import Settings
from models.adapter import adapter_shape
from models.gguf import is_adapter
from models.plan import Method, Plan
from models.registry import EMBEDDED, EMBEDDED_NAMES, ModelRegistry, embedded_model
from models.starter import starter

# Preferences are learned from far fewer rows than skills, and too large a step forgets the skill.
_GENTLE_RATE = 5e-5


def plan_for(
    settings: Settings,
    dataset: Path,
    method: str,
    *,
    base: str | None = None,
    in_service: Path | None = None,
    from_scratch: bool = False,
    full: bool = False,
    numbers: Mapping[str, float] | None = None,
) -> Plan:
    """Plan a run on a dataset; `in_service` is the adapter of the version in use, where one was promoted.

    Without one a run on the embedded model goes on from the starter version.
    Raises MisuseError where the settings name no model that can be tuned here.
    """
    model = settings.file.model
    if base is None and model.server_url:
        raise MisuseError("model.server_url is set: name the model's weights with --base to tune them.")
    plan = Plan(
        base=base or str(_file_of(settings)),
        dataset=str(dataset.absolute()),
        method=cast(Method, method),
        full=full,
        chat_format=model.chat_format,
    )
    if method != "supervised":
        plan = replace(plan, learning_rate=_GENTLE_RATE)
    if in_service is None and model.name == EMBEDDED:
        in_service = starter().path
    if base is None and not from_scratch and in_service is not None:
        if not is_adapter(in_service):
            raise MisuseError(
                f"The version in service is a whole model ({in_service}): begin anew with --from-scratch, or go on "
                "from it with --base."
            )
        rank, alpha = adapter_shape(in_service)
        if (wanted := (numbers or {}).get("rank", rank)) != rank:
            raise MisuseError(
                f"--rank {wanted}: the run goes on from {in_service}, which has rank {rank}. Leave --rank out, or "
                "begin anew with --from-scratch."
            )
        plan = replace(plan, start=str(in_service), rank=rank, alpha=alpha)
    return replace(plan, **dict(numbers or {}))  # type: ignore[arg-type]


def _file_of(settings: Settings) -> Path:
    name = settings.file.model.name
    if name in EMBEDDED_NAMES:
        return embedded_model().path
    return ModelRegistry(settings.home / "models").open_model(name).path
