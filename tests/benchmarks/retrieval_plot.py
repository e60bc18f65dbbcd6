"""Latency and memory of a retrieval against the size of the collection, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The power of the size that the values grow with: 1 is proportional, 0 is constant."""
    if len(sizes) < 2:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def draw(figures: Sequence[dict[str, Any]], file: Path) -> None:
    """Draw what the benchmark measured, one line for each share of readers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sizes = [one["chunks"] for one in figures]
    canvas, (latency, memory) = pyplot.subplots(1, 2, figsize=(11, 4.5))
    for place, row in enumerate(figures[0]["rows"]):
        values = [one["rows"][place]["whole"]["work_p95"] for one in figures]
        label = f"{row['share']:.1%} readable, slope {slope(sizes, values):.2f}"
        latency.loglog(sizes, values, marker="o", label=label)
    before = [one["rows"][-1]["before"]["work_p95"] for one in figures]
    latency.loglog(sizes, before, "k--", label=f"before, all readable, slope {slope(sizes, before):.2f}")
    latency.set(xlabel="chunks", ylabel="own work of one retrieval, p95, ms")
    resident = [one["resident_megabytes"] for one in figures]
    memory.loglog(sizes, resident, marker="o", label=f"resident, slope {slope(sizes, resident):.2f}")
    memory.set(xlabel="chunks", ylabel="MB")
    for axes in (latency, memory):
        axes.grid(visible=True, which="both", alpha=0.3)
        axes.legend(fontsize=8)
    canvas.tight_layout()
    canvas.savefig(file, dpi=120)
