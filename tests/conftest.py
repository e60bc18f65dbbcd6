"""The order of the files: what takes minutes begins first, so that no process ends long after the others."""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files with a test marked `long` first, then those with slow ones, then by their number of tests."""
    tests = Counter(item.path for item in items)
    first = {item.path for item in items if item.get_closest_marker("long")}
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    # A stable sort: within a file the tests stay as they are written.
    items.sort(key=lambda item: (item.path not in first, item.path not in slow, -tests[item.path], str(item.path)))
