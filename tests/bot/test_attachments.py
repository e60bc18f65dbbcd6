"""Which files can become knowledge, what they are called then, and what is said of those that cannot."""

from __future__ import annotations

import pytest

from bot import words
from bot.attachments import AttachmentLimits, keepable, stored_name, why_unread
from bot.turn import AttachedFile
from knowledge.errors import (
    DocumentError,
    LockedDocumentError,
    NoTextError,
    ParseLimitError,
    UnreadableDocumentError,
    UnsupportedFormatError,
)


def file(name: str, mimetype: str = "", size: int = 10) -> AttachedFile:
    return AttachedFile(id=f"F{name}", name=name, mimetype=mimetype, size=size, url="")


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("Travel policy.PDF", "Travel policy.PDF"),
        ("Übersicht (neu).docx", "Übersicht (neu).docx"),
        ("run.log", "run.log.txt"),
        ("Makefile", "Makefile.txt"),
        ("../../etc/passwd.md", "passwd.md"),
        ("a\\b\n<c>.md", "a_b_c_.md"),
        (".lorekeeper-audience", "lorekeeper-audience.txt"),
        ("....md", "file.md"),
        ("x" * 300 + ".pdf", "x" * 120 + ".pdf"),
        ("ä" * 300 + ".pdf", "ä" * 60 + ".pdf"),
    ],
)
def test_a_file_is_stored_under_a_harmless_name(name: str, stored: str) -> None:
    assert stored_name(name, ()) == stored


def test_two_files_of_one_name_are_stored_under_two() -> None:
    assert stored_name("plan.md", ["PLAN.md", "plan 1.md"]) == "plan 2.md"


def test_files_that_cannot_be_read_are_not_offered_to_be_kept() -> None:
    offered = [
        file("plan.pdf"),
        file("cat.png", "image/png"),
        file("main.py", "text/x-python"),
        file("huge.pdf", size=AttachmentLimits().bytes_of_one + 1),
    ]
    assert [one.name for one in keepable(offered)] == ["plan.pdf", "main.py"]
    assert len(keepable([file(f"{number}.md") for number in range(9)])) == AttachmentLimits().files


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnsupportedFormatError("x"), words.FILE_KIND),
        (LockedDocumentError("x"), words.FILE_LOCKED),
        (NoTextError("x"), words.FILE_NO_TEXT),
        (ParseLimitError("x"), words.FILE_TOO_MUCH),
        (UnreadableDocumentError("x"), words.FILE_DAMAGED),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_our_own_words(error: DocumentError, said: str) -> None:
    assert why_unread(error) == said
