"""What this machine has for a model: cores and memory, as far as this process may use them."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """Count physical cores, no more than this process may run on; a second thread on a core slows llama.cpp."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, min(cores, _quota_cores(_CGROUP / "cpu.max") or cores))


def free_memory_bytes() -> int:
    """Tell how much memory can still be taken, in the container where there is one."""
    free = int(psutil.virtual_memory().available)
    limit, used = _number_in(_CGROUP / "memory.max"), _number_in(_CGROUP / "memory.current")
    return free if limit is None or used is None else max(0, min(free, limit - used))


def processor_name() -> str:
    """Name the processor, so that a measurement made on another one is noticed."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _quota_cores(path: Path) -> int | None:
    """Read a container's processor quota: "200000 100000" is two cores, "max 100000" is no limit."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError, ZeroDivisionError):
        return None


def _number_in(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
