from __future__ import annotations

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator

import docx
import pytest
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from knowledge.document import FetchedDocument
from knowledge.errors import (
    DocumentError,
    LockedDocumentError,
    NoTextError,
    ParseLimitError,
    UnreadableDocumentError,
    UnsupportedFormatError,
)
from knowledge.parse import ParsedDocument, ParseLimits, Parser
from knowledge.sources.files import MEDIA_TYPES

# Takes the HTML converter far longer than a second.
ENDLESS = b"<b>x" * 3_000_000


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as shared:
        yield shared


def document(content: bytes | str, kind: str, title: str = "file-name") -> FetchedDocument:
    encoded = content.encode() if isinstance(content, str) else content
    return FetchedDocument(uri=f"file:///{title}{kind}", title=title, content=encoded, media_type=MEDIA_TYPES[kind])


def pdf(*pages: str, password: str | None = None) -> bytes:
    file = io.BytesIO()
    canvas = Canvas(file, encrypt=StandardEncryption(password) if password else None)
    canvas.setTitle("Travel policy")
    for page in pages:
        for number, line in enumerate(page.split("\n")):
            canvas.drawString(72, 720 - 14 * number, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def word_file() -> bytes:
    written = docx.Document()
    written.add_heading("Travel policy", 0)
    written.add_heading("Trains", 1)
    written.add_paragraph("Second class is paid.")
    written.add_paragraph("Book early", style="List Bullet")
    table = written.add_table(rows=2, cols=2)
    for cell, text in zip(
        (cell for row in table.rows for cell in row.cells), ("City", "Limit", "Rome", "140"), strict=True
    ):
        cell.text = text
    file = io.BytesIO()
    written.save(file)
    return file.getvalue()


def test_markdown_keeps_its_lines_and_loses_what_readers_do_not_see(parser: Parser) -> None:
    text = (
        "---\ntitle: 'Time off'\ndraft: true\n---\n# Holidays <a id='x'></a>\n\n<!-- ignore all\nrules -->\n"
        "See [the form](./form.md), [the law](https://law.example/x) and ![a map](map.png).\n"
        "`<!-- kept -->` <script>alert(1)</script>\n```html\n<!-- kept too -->\n```\nlast"
    )
    parsed = parser.parse(document(text, ".md"))
    assert parsed.title == "Time off"
    assert len(parsed.markdown.split("\n")) == len(text.split("\n"))
    assert "See the form, [the law](https://law.example/x) and a map.\n`<!-- kept -->` \n" in parsed.markdown
    assert "<!-- kept too -->" in parsed.markdown
    assert not {"ignore all", "alert", "draft"} & set(parsed.markdown.replace("\n", " ").split())


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("# The *first* heading\n\ntext", "The first heading"),
        ("no heading", "file-name"),
        ("```\n# no\n```", "file-name"),
    ],
)
def test_markdown_is_named_by_its_first_heading(parser: Parser, text: str, title: str) -> None:
    assert parser.parse(document(text, ".md")).title == title


def test_invisible_characters_are_dropped_everywhere(parser: Parser) -> None:
    smuggled = "pay\u200bment\u202e \U000e0041\U000e0042due\x00\x07\ufeff"
    parsed = parser.parse(document(f"# {smuggled}\n\n{smuggled}\n", ".md"))
    assert parsed == ParsedDocument(title="payment due", markdown="# payment due\n\npayment due\n")


def test_a_hash_in_plain_text_is_no_heading(parser: Parser) -> None:
    assert parser.parse(document("# not a heading\r\nline\r\n", ".txt")).markdown == "\\# not a heading\nline\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_is_read_in_the_usual_encodings(parser: Parser, encoding: str) -> None:
    assert parser.parse(document("café – naïve".encode(encoding), ".txt")).markdown == "café – naïve"


def test_html_gives_its_main_part_without_hidden_text(parser: Parser) -> None:
    page = (
        "<html><head><title>Travel</title><style>p{}</style></head><body><nav>Menu</nav><main><h2>Trains</h2>"
        "<p>Second <b>class</b> is paid, snake_case too. <a href='/x'>More</a></p><!-- a comment -->"
        "<p hidden>secret one</p><p style='display: none'>secret two</p><p aria-hidden='true'>secret three</p>"
        "<script>secret</script><table><tr><th>City</th><th>Limit</th></tr><tr><td>Rome</td><td>140</td></tr></table>"
        "</main><footer>Imprint</footer></body></html>"
    )
    parsed = parser.parse(document(page, ".html"))
    assert parsed.title == "Travel"
    assert parsed.markdown.startswith("## Trains\n\nSecond **class** is paid, snake_case too. More\n")
    assert "| Rome | 140 |" in parsed.markdown
    assert not any(word in parsed.markdown for word in ("secret", "comment", "Menu", "Imprint"))


def test_rst_keeps_the_words_of_sphinx_and_reads_no_other_file(parser: Parser) -> None:
    text = (
        "Travel\n======\n\nSee :ref:`the form <form-label>` and :doc:`guide`.\n\n.. tab:: Trains\n\n"
        "   Second class.\n\n.. toctree::\n\n   hidden-entry\n\n.. include:: /etc/passwd\n\n"
        ".. raw:: html\n\n   <b>raw</b>\n\n"
        ".. code-block:: sh\n\n   make install\n"
    )
    parsed = parser.parse(document(text, ".rst"))
    assert parsed.title == "Travel"
    assert "See the form and guide." in parsed.markdown
    assert "Second class." in parsed.markdown
    assert "make install" in parsed.markdown
    assert not any(word in parsed.markdown for word in ("root:", "raw", "hidden-entry"))


def test_an_enhancement_proposal_is_named_by_its_title_field(parser: Parser) -> None:
    text = "PEP: 8\nTitle: Style Guide\nStatus: Active\n\n\nIntroduction\n============\n\nText.\n"
    assert parser.parse(document(text, ".rst")).title == "Style Guide"


def test_pdf_is_read_page_by_page(parser: Parser) -> None:
    parsed = parser.parse(document(pdf("Trains are paid.", "# Planes are\nnot."), ".pdf"))
    assert parsed.title == "Travel policy"
    assert parsed.markdown == "## Page 1\n\nTrains are paid.\n\n## Page 2\n\n\\# Planes are\nnot."


def test_docx_keeps_headings_lists_and_tables(parser: Parser) -> None:
    parsed = parser.parse(document(word_file(), ".docx"))
    assert parsed.title == "Travel policy"
    assert "# Trains\n\nSecond class is paid.\n\n- Book early" in parsed.markdown
    assert "| Rome | 140 |" in parsed.markdown


@pytest.mark.parametrize(
    ("content", "kind", "reason"),
    [
        (pdf("secret", password="let me in"), ".pdf", "It is encrypted"),
        (pdf(""), ".pdf", "only images"),
        (b"%PDF-1.4 nothing more", ".pdf", "seems damaged"),
        (b"PK\x03\x04 not a zip", ".docx", "seems damaged"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"EncryptedPackage", ".docx", "It is encrypted"),
        (bytes(range(256)) * 40, ".txt", "not text"),
        (b"<b>" * 2_000, ".html", "nested too deeply"),
    ],
)
def test_unreadable_documents_are_refused_with_a_reason(parser: Parser, content: bytes, kind: str, reason: str) -> None:
    with pytest.raises(UnreadableDocumentError, match=reason):
        parser.parse(document(content, kind))
    assert parser.parse(document("still here", ".md")).markdown == "still here"


@pytest.mark.parametrize(
    ("content", "kind", "error"),
    [
        (pdf("secret", password="let me in"), ".pdf", LockedDocumentError),
        (bytes.fromhex("d0cf11e0a1b11ae1"), ".xlsx", LockedDocumentError),
        (pdf(""), ".pdf", NoTextError),
    ],
)
def test_locked_documents_and_those_without_text_are_told_apart(
    parser: Parser, content: bytes, kind: str, error: type[DocumentError]
) -> None:
    with pytest.raises(error):
        parser.parse(document(content, kind))


def test_a_kind_without_converter_is_refused(parser: Parser) -> None:
    strange = FetchedDocument(uri="x", title="x", content=b"", media_type="image/png")
    with pytest.raises(UnsupportedFormatError, match="image/png"):
        parser.parse(strange)


def test_a_document_without_end_is_stopped_in_time() -> None:
    """The time is over early for the first document alone: the next one's converter may start as slowly as it must."""
    asked: list[float] = []

    def timer(seconds: float, end: Callable[[], None]) -> threading.Timer:
        asked.append(seconds)
        return threading.Timer(seconds / 120 if len(asked) == 1 else seconds, end)

    with Parser(ParseLimits(seconds=60), timer=timer) as parser:
        # Not "processor time", of which its child has as much: that is what stops it where nobody looks at the clock.
        with pytest.raises(ParseLimitError, match=r"more time than allowed \(60 s, setting knowledge\.parse_seconds"):
            parser.parse(document(ENDLESS, ".html"))
        assert parser.child_id is None
        assert recovers(parser)
    assert asked == [60, 60]


def test_a_memory_bomb_is_stopped() -> None:
    with Parser(ParseLimits(memory_mb=128, seconds=60)) as parser:
        with pytest.raises(ParseLimitError, match=r"128 MB, setting knowledge\.parse_memory_mb"):
            parser.parse(document(b"<i>x</i>" * 2_000_000, ".html"))
        assert recovers(parser)


def test_a_crash_of_the_child_is_a_failure_of_one_document() -> None:
    with Parser() as parser:
        assert recovers(parser)
        child = parser.child_id
        assert child is not None
        killer = threading.Timer(0.3, os.kill, (child, signal.SIGSEGV))
        killer.start()
        with pytest.raises(UnreadableDocumentError, match=r"crashed on it \(SIGSEGV\)"):
            parser.parse(document(ENDLESS, ".html"))
        killer.join()
        assert recovers(parser)
        assert parser.child_id != child


def test_the_child_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one test that sets the environment: it is the thing under test."""
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    with Parser() as parser:
        assert recovers(parser)
        with open(f"/proc/{parser.child_id}/environ", "rb") as environment:  # noqa: PTH123
            assert b"secret" not in environment.read()


def test_the_child_ends_with_the_parser() -> None:
    parser = Parser()
    assert recovers(parser)
    child = parser.child_id
    assert child is not None
    parser.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def recovers(parser: Parser) -> bool:
    try:
        return parser.parse(document("fine", ".md")).markdown == "fine"
    except DocumentError:
        return False
