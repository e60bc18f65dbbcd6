"""Reads JSON as the standard has it: Python's own reader also takes NaN and Infinity, which no answer may contain."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


def read_json(text: str | bytes) -> Any:
    """Read a JSON text; raises ValueError, also for numbers out of range and for nesting without end."""
    try:
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        escaped = "\\u" in text if isinstance(text, str) else b"\\u" in text
        return _without_lone_surrogates(value) if escaped else value
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _without_lone_surrogates(value: Any) -> Any:
    r"""Replace halves of characters (`"\ud83d"` alone), which JSON can write and nobody can encode again."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_without_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_lone_surrogates(key): _without_lone_surrogates(item) for key, item in value.items()}
    return value


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits} is out of range")
    return number
