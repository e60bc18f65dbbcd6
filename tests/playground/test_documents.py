"""Cited documents: shown as plain text with numbered lines, and only from the folders that were named."""

from __future__ import annotations

import html
import os
import re
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


def test_the_cited_words_are_marked_and_the_page_opens_there(library: Site, handbook: Path) -> None:
    text = "# Heating\n\nThe boiler is\n*serviced* in May.\n\nCall Ben.\n"
    (handbook / "heating.md").write_text(text, "utf-8")
    uri = (handbook / "heating.md").as_uri()
    answer = library.http.get("document", params={"uri": uri, "quote": "boiler is serviced in May by nobody"})
    assert '<li id="L3"><a id="quote"></a><mark>The boiler is</mark></li>' in answer.text
    assert '<li id="L4"><mark>*serviced* in May.</mark></li>' in answer.text
    assert answer.text.count("<mark>") == 2


@pytest.mark.parametrize("quote", ["", "nothing of this stands there", "boiler"])
def test_nothing_is_marked_where_the_words_are_not_found(library: Site, handbook: Path, quote: str) -> None:
    answer = library.http.get("document", params={"uri": (handbook / "holidays.md").as_uri(), "quote": quote})
    assert "<mark>" not in answer.text
    assert 'id="quote"' not in answer.text


def test_a_pdf_is_shown_by_the_browser(library: Site, handbook: Path) -> None:
    answer = library.http.get("document", params={"uri": (handbook / "scan.pdf").as_uri()})
    assert answer.headers["Content-Type"] == "application/pdf"
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert answer.content == b"%PDF-1.7 ..."


def test_what_is_not_text_is_to_be_saved(library: Site, handbook: Path) -> None:
    (handbook / "a & b.docx").write_bytes(b"PK\3\4\0\0")
    page = library.http.get("document", params={"uri": (handbook / "a & b.docx").as_uri()})
    assert "not plain text" in page.text
    address = html.unescape(re.findall(r'href="([^"]+)"', page.text)[0])
    answer = library.http.get(address)
    assert answer.content == b"PK\3\4\0\0"
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


def test_nothing_outside_can_be_saved(library: Site, handbook: Path) -> None:
    answer = library.http.get("document", params={"uri": (handbook.parent / "secret.txt").as_uri(), "whole": "yes"})
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_without_folders_nothing_is_shown(site: Site, handbook: Path) -> None:
    assert site.http.get("document", params={"uri": (handbook / "holidays.md").as_uri()}).status_code == 404
