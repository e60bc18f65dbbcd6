"""Cited documents: shown as plain text with numbered lines, and only from the folders that were named."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.playground.site import Site


@pytest.fixture
def handbook(tmp_path: Path) -> Path:
    """A folder that may be shown, beside a file that may not."""
    folder = tmp_path / "hand book"
    folder.mkdir()
    (folder / "holidays.md").write_text("# Holidays\n<script>alert(1)</script>\nTwenty-eight & more.\n", "utf-8")
    (folder / "scan.pdf").write_bytes(b"%PDF-1.7 ...")
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    (folder / "way-out").symlink_to(tmp_path / "secret.txt")
    (folder / "inner").symlink_to(folder / "holidays.md")
    (tmp_path / "hand bookmark.txt").write_text("secret", "utf-8")
    return folder


@pytest.fixture
def library(start: Callable[..., Site], handbook: Path) -> Site:
    """A playground that may show the handbook."""
    return start(documents=(handbook,))


def test_lines_are_numbered_and_nothing_in_them_runs(library: Site, handbook: Path) -> None:
    answer = library.http.get("document", params={"uri": (handbook / "holidays.md").as_uri()})
    assert '<li id="L3">Twenty-eight &amp; more.</li>' in answer.text
    assert "<script>" not in answer.text
    assert "&lt;script&gt;alert(1)" in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script" not in policy


def test_a_link_inside_the_folder_is_followed(library: Site, handbook: Path) -> None:
    assert library.http.get("document", params={"uri": (handbook / "inner").as_uri()}).status_code == 200


def test_nothing_outside_is_shown(library: Site, handbook: Path) -> None:
    parent = handbook.parent
    wrong = [
        (parent / "secret.txt").as_uri(),
        (parent / "hand bookmark.txt").as_uri(),
        f"{handbook.as_uri()}/../secret.txt",
        f"{handbook.as_uri()}/%2e%2e/secret.txt",
        (handbook / "way-out").as_uri(),
        handbook.as_uri(),
        "file:///etc/passwd",
        f"file://elsewhere{handbook}/holidays.md",
        f"http://127.0.0.1/{handbook}/holidays.md",
        f"{handbook.as_uri()}/missing.md",
        f"{handbook.as_uri()}/holidays.md%00.txt",
        "",
    ]
    for uri in wrong:
        answer = library.http.get("document", params={"uri": uri})
        assert answer.status_code == 404, uri
        assert "secret" not in answer.text


def test_a_pipe_in_the_folder_does_not_hang_the_server(library: Site, handbook: Path) -> None:
    os.mkfifo(handbook / "pipe")
    assert library.http.get("document", params={"uri": (handbook / "pipe").as_uri()}).status_code == 404


def test_what_is_not_text_is_named_and_not_sent(library: Site, handbook: Path) -> None:
    answer = library.http.get("document", params={"uri": (handbook / "scan.pdf").as_uri()})
    assert "not plain text" in answer.text
    assert "%PDF" not in answer.text


def test_without_folders_nothing_is_shown(site: Site, handbook: Path) -> None:
    assert site.http.get("document", params={"uri": (handbook / "holidays.md").as_uri()}).status_code == 404
