"""Bytes of a document to Markdown, one function per format. Runs in the parsing child only.

Lines of Markdown and text keep their numbers. What a reader would not see (comments, hidden elements,
invisible characters) is dropped, so that it can neither be found nor speak to the model.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from knowledge.code import Code
from knowledge.converted import Converted, as_prose, decode
from knowledge.document import STORAGE_PAGE, WEB_PAGE
from knowledge.errors import LockedDocumentError, NoTextError, UnsupportedFormatError
from knowledge.sources.code_files import language_of
from knowledge.sources.files import MEDIA_TYPES

if TYPE_CHECKING:
    import bs4

_TITLE_CHARACTERS = 200
# Tags (used to smuggle text), direction overrides, zero-width characters, variation selectors beyond the
# emoji one, and control characters other than tab and newline.
_INVISIBLE = re.compile(
    "[\U000e0000-\U000e007f\U000e0100-\U000e01ef\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u00ad\u180e"
    "\ufff9-\ufffb\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$")
_FRONT_MATTER_TITLE = re.compile(r"^title:[ \t]*(['\"]?)(.+?)\1[ \t]*$", re.IGNORECASE | re.MULTILINE)
_RFC_TITLE = re.compile(r"^Title:[ \t]*(\S.*)$", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\]\n]*)\]\([^)\n]*\)")
# Where a relative link leads means nothing outside its own site; its words do.
_RELATIVE_LINK = re.compile(r"(?<!!)\[([^\[\]\n]+)\]\((?![a-z][a-z0-9+.-]*:)[^()\n]*\)", re.IGNORECASE)
_CODE_OR_COMMENT = re.compile(r"`[^`\n]*`|<!--")
_HTML_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|br|center|code|dd|del|details|div|dl|dt|em|figcaption|figure|font|h[1-6]|hr|i|"
    r"iframe|img|ins|kbd|li|link|mark|meta|ol|p|picture|pre|s|section|small|source|span|strong|sub|summary|sup|"
    r"table|tbody|td|tfoot|th|thead|tr|u|ul|video)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_PARTING_TAG = re.compile(r"</?(?:br|dd|div|dt|hr|li|p|td|th|tr)\b", re.IGNORECASE)
_SCRIPT = re.compile(r"<(script|style)\b[^>]*>.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
_HIDING_STYLE = re.compile(r"display:none|visibility:hidden|opacity:0(?![.\d])|font-size:0(?![.\d])", re.IGNORECASE)
# What programs write into a title field that nobody filled in.
_PROGRAM_TITLE = re.compile(r"^(title|untitled.*|slide 1|document\d*)$|\.\w{2,4}$|^microsoft \w+ - ", re.IGNORECASE)
_CONTAINERS = ("div", "main", "article", "section", "center")
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_WORD = re.compile(r"\w+")
# What leads to a heading itself, behind it on most sites of documentation.
_ANCHOR = re.compile(r"^\s*[¶#§🔗]\s*$")
# How Office wraps a document with a password, and how it wrote documents until 2003.
_OLD_OFFICE = bytes.fromhex("d0cf11e0a1b11ae1")
_NEW_OFFICE = "application/vnd.openxmlformats-officedocument."
_NOT_CONTENT = ("script", "style", "template", "noscript", "iframe", "object", "svg", "nav", "form", "button")


def convert(content: bytes, media_type: str) -> Converted:
    """Convert one document. Raises DocumentError; a damaged file may raise what its converter raises."""
    if (language := language_of(media_type)) is not None:
        return _from_code(content, language)
    converter = _CONVERTERS.get(media_type)
    if converter is None:
        known = ", ".join(sorted(MEDIA_TYPES))
        raise UnsupportedFormatError(f"There is no converter for {media_type}. These can be read: {known}.")
    if content.startswith(_OLD_OFFICE) and media_type.startswith(_NEW_OFFICE):
        raise LockedDocumentError(
            "It is encrypted, or of an older kind than its name says. Save a copy without a password in Office's "
            "present format."
        )
    converted = converter(content)
    title = " ".join(_visible(converted.title).split())[:_TITLE_CHARACTERS]
    return Converted(title=title, markdown=_visible(converted.markdown), owner=_visible(converted.owner))


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _from_markdown(content: bytes) -> Converted:
    text = decode(content)
    title = ""
    if text.startswith("---\n") and (end := text.find("\n---", 3)) > 0:
        front, text = text[: end + 4], text[end + 4 :]
        named = _FRONT_MATTER_TITLE.search(front)
        title = named.group(2) if named else ""
        text = "\n" * front.count("\n") + text
    prose_or_code = []
    for is_code, block in _blocks(text):
        prose_or_code.append(block if is_code else _plain_prose(block))
        if not title and not is_code:
            title = _first_heading(prose_or_code[-1])
    return Converted(title=title, markdown="".join(prose_or_code))


def _blocks(text: str) -> list[tuple[bool, str]]:
    """Split into prose and fenced code, in order, every line kept."""
    blocks: list[tuple[bool, str]] = []
    current: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if not fence and mark:
            blocks.append((False, "".join(current)))
            current, fence = [line], mark.group(1)
        elif fence and mark and mark.group(1).startswith(fence) and not line.strip(" `~\n"):
            blocks.append((True, "".join([*current, line])))
            current, fence = [], ""
        else:
            current.append(line)
    blocks.append((bool(fence), "".join(current)))
    return blocks


def _plain_prose(text: str) -> str:
    text = _without_comments(text)
    if "<" in text:
        text = _SCRIPT.sub(_only_newlines, text)
        text = _HTML_TAG.sub(_tag_gap, text)
    return _plain_links(text)


def _plain_links(text: str) -> str:
    return _RELATIVE_LINK.sub(r"\1", _IMAGE.sub(r"\1", text))


def _without_comments(text: str) -> str:
    kept = []
    position = 0
    while found := _CODE_OR_COMMENT.search(text, position):
        end = found.end()
        if found.group() == "<!--":
            closing = text.find("-->", end)
            if closing < 0:
                break
            kept += [text[position : found.start()], "\n" * text.count("\n", end, closing)]
            end = closing + 3
        else:
            kept.append(text[position:end])
        position = end
    return "".join([*kept, text[position:]])


def _only_newlines(match: re.Match[str]) -> str:
    return "\n" * match.group().count("\n")


def _tag_gap(match: re.Match[str]) -> str:
    # Cells, items and lines must not grow together.
    return _only_newlines(match) or (" " if _PARTING_TAG.match(match.group()) else "")


def _first_heading(markdown: str) -> str:
    for line in markdown.splitlines():
        if heading := _HEADING.match(line):
            return re.sub(r"[*`]|\{#[^}]*\}", "", heading.group(1)).strip()
    return ""


def _from_text(content: bytes) -> Converted:
    return Converted(title="", markdown=as_prose(decode(content)))


def _from_code(content: bytes, language: str) -> Converted:
    from knowledge.outline import outline_of

    text = _visible(decode(content))
    return Converted(title="", markdown=text, code=Code(language=language, parts=outline_of(text, language)))


def _from_html(content: bytes | str) -> Converted:
    import bs4

    soup = bs4.BeautifulSoup(content, "html.parser")
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    root = soup.find("main") or soup.find("article") or soup.body or soup
    _drop_unseen(root)
    markdown = _markdown(root)
    return Converted(title=title or _first_heading(markdown), markdown=markdown)


def _from_web_page(content: bytes) -> Converted:
    """Only the main content, where it can be told from what stands around it on every page.

    Trafilatura finds it; headings, tables and code are kept better by our own conversion.
    """
    import bs4
    import trafilatura

    soup = bs4.BeautifulSoup(content, "html.parser")
    for anchor in soup.find_all("a", string=_ANCHOR):
        anchor.decompose()
    title = _page_title(soup)
    _drop_unseen(soup.body or soup)
    # A menu line too many is found by nobody; a paragraph that is missing is missed.
    main = trafilatura.extract(str(soup), include_comments=False, favor_recall=True)
    if not main:
        return _from_html(content)
    markdown = _markdown(_main_part(soup.body or soup, main))
    return Converted(title=title or _first_heading(markdown), markdown=markdown)


def _main_part(page: bs4.Tag, text: str) -> bs4.Tag:
    """The smallest part of a page with as good as all words of a text, without what stands before and after them."""
    wanted = _words(text)
    part = page
    while inner := next((one for one in part.find_all(_CONTAINERS, recursive=False) if _holds(one, wanted)), None):
        part = inner
    blocks = part.find_all(True, recursive=False)
    own = [number for number, block in enumerate(blocks) if _is_of(block, wanted)]
    for number, block in enumerate(blocks):
        is_heading_before = own and number < own[0] and block.name in _HEADINGS
        if own and not own[0] <= number <= own[-1] and not is_heading_before:
            block.decompose()
    return part


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text))


def _holds(element: bs4.Tag, wanted: Counter[str]) -> bool:
    return (_words(element.get_text(" ")) & wanted).total() >= 0.98 * wanted.total()


def _is_of(element: bs4.Tag, wanted: Counter[str]) -> bool:
    words = _words(element.get_text(" "))
    return words.total() > 0 and (words & wanted).total() >= 0.6 * words.total()


def _page_title(soup: bs4.BeautifulSoup) -> str:
    """The page's title, without the name of its site behind it where that shows."""
    title, site = (
        str(found.get("content") or "") if (found := soup.find("meta", property=name)) else ""
        for name in ("og:title", "og:site_name")
    )
    title = " ".join((title or (soup.title.get_text(" ") if soup.title else "")).split())
    # The first heading of a page may be the site's name itself.
    headings = [" ".join(one.get_text(" ").split()) for one in soup.find_all(["h1", "h2"], limit=20)]
    for mark in (" | ", " - ", " – ", " — ", " · ", " :: "):
        for heading in headings:
            if heading and title.startswith(heading + mark):
                return heading
        if site.strip() and title.endswith(mark + site.strip()):
            return title.removesuffix(mark + site.strip())
    return title


def _drop_unseen(root: bs4.Tag) -> None:
    import bs4

    for comment in root.find_all(string=lambda text: isinstance(text, bs4.element.PreformattedString)):
        comment.extract()
    for element in root.find_all(True):
        if not element.decomposed and (element.name in _NOT_CONTENT or _is_hidden(element)):
            element.decompose()
    for image in root.find_all("img"):
        image.replace_with(str(image.get("alt") or ""))
    # Shown under a mouse alone; of a link to an issue it is that issue's own summary.
    for link in root.find_all("a", title=True):
        del link["title"]


def _markdown(root: bs4.Tag) -> str:
    import markdownify

    markdown = markdownify.markdownify(
        str(root),
        heading_style="ATX",
        escape_asterisks=False,
        escape_underscores=False,
        escape_misc=False,
        table_infer_header=True,
        bullets="-",
    )
    return re.sub(r"\n{3,}", "\n\n", _plain_links(markdown)).strip()


def _is_hidden(element: object) -> bool:
    import bs4

    if not isinstance(element, bs4.Tag):
        return False
    style = str(element.get("style") or "").replace(" ", "")
    return element.has_attr("hidden") or element.get("aria-hidden") == "true" or bool(_HIDING_STYLE.search(style))


def _from_rst(content: bytes) -> Converted:
    from knowledge.rst import html_from_rst

    text = decode(content)
    converted = _from_html(html_from_rst(text))
    # Enhancement proposals begin with mail-like fields instead of a title.
    named = _RFC_TITLE.search(text[:1000])
    return Converted(title=named.group(1) if named else converted.title, markdown=converted.markdown)


def _from_storage_page(content: bytes) -> Converted:
    from knowledge.storage_format import html_from_storage

    return _from_html(html_from_storage(decode(content)))


def _from_pdf(content: bytes) -> Converted:
    import pypdf

    locked = LockedDocumentError("It is encrypted. Save a copy without a password.")
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise locked
    except pypdf.errors.DependencyError as error:
        raise locked from error
    pages = [page.extract_text().strip() for page in reader.pages]
    if not any(pages):
        raise NoTextError(
            "It holds no text, only images (a scan?). Run text recognition on it first, such as ocrmypdf."
        )
    title = str((reader.metadata.title if reader.metadata else None) or "")
    if _PROGRAM_TITLE.search(title):
        title = ""
    numbered = (f"## Page {number}\n\n{as_prose(_joined(page))}" for number, page in enumerate(pages, start=1) if page)
    return Converted(title=title, markdown="\n\n".join(numbered))


def _joined(page: str) -> str:
    """Put words together again that a line's end had cut."""
    return re.sub(r"([a-z])[-\u00ad] ?\n([a-z])", r"\1\2", page)


def _from_docx(content: bytes) -> Converted:
    import mammoth

    html = mammoth.convert_to_html(
        io.BytesIO(content),
        style_map="p[style-name='Title'] => h1:fresh",
        convert_image=lambda image: [],  # noqa: ARG005  pictures are not read, and none is fetched
    ).value
    return _from_html(html)


def _from_asciidoc(content: bytes) -> Converted:
    from knowledge.asciidoc import from_asciidoc

    return from_asciidoc(content)


def _from_csv(content: bytes) -> Converted:
    from knowledge.sheets import from_csv

    return from_csv(content)


def _from_xlsx(content: bytes) -> Converted:
    from knowledge.sheets import from_xlsx

    return from_xlsx(content)


def _from_pptx(content: bytes) -> Converted:
    from knowledge.slides import from_pptx

    return from_pptx(content)


def _from_notebook(content: bytes) -> Converted:
    from knowledge.notebook import from_notebook

    return from_notebook(content, _from_markdown)


def _from_mail(content: bytes) -> Converted:
    from knowledge.mail import from_mail

    return from_mail(content, _from_html)


def _from_epub(content: bytes) -> Converted:
    from knowledge.epub import from_epub

    return from_epub(content, _from_html)


_CONVERTERS: dict[str, Callable[[bytes], Converted]] = {
    "text/markdown": _from_markdown,
    "text/plain": _from_text,
    "text/x-rst": _from_rst,
    "text/html": _from_html,
    WEB_PAGE: _from_web_page,
    STORAGE_PAGE: _from_storage_page,
    "application/pdf": _from_pdf,
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": _from_docx,
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": _from_pptx,
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": _from_xlsx,
    "application/epub+zip": _from_epub,
    "application/x-ipynb+json": _from_notebook,
    "message/rfc822": _from_mail,
    "text/asciidoc": _from_asciidoc,
    "text/csv": _from_csv,
}
