"""AsciiDoc to Markdown, line for line: headings, lists, code, links, tables; comments and attributes are left out.

No well-kept converter is written in Python, and a browser's is a program of its own; what is read here is what helps to
find and quote a page. Includes are not followed: they name files of the machine. Markup:
https://docs.asciidoctor.org/asciidoc/latest/syntax-quick-reference/
"""

from __future__ import annotations

import re

from knowledge.converted import Converted, decode

_HEADING = re.compile(r"^(={1,6}) +(\S.*?)(?: +=+)?$")
_ATTRIBUTE = re.compile(r"^:!?[\w-]+!?:(?: |$)")
_BLOCK_ATTRIBUTES = re.compile(r"^\[[^\]]*\]$")
_SOURCE = re.compile(r"^\[source,? *(\w*)")
_TITLE = re.compile(r"^\.([^\s.].*)$")
_BULLET = re.compile(r"^(\*{1,5}|-) +(\S.*)$")
_NUMBERED = re.compile(r"^(\.{1,5}) +(\S.*)$")
_TERM = re.compile(r"^(\S[^:]*(?::[^:]+)*)::(?: +(.*))?$")
_IMAGE = re.compile(r"image::?[^\s\[]+\[([^\],]*)[^\]]*\]")
_DIRECTIVE = re.compile(r"^(?:include|ifdef|ifndef|ifeval|endif|toc|video|audio)::")
_LINK = re.compile(r"(?:link:)?(https?://[^\s\[\]]+)\[([^\]]*)\]")
_LINK_HERE = re.compile(r"(?:link|xref):[^\s\[\]]+\[([^\]]+)\]|<<[^,>]+, *([^>]+)>>|<<([^>]+)>>")
_CODE_FENCES = ("----", "....", "```", "++++")


def from_asciidoc(content: bytes) -> Converted:
    """Every line stays at its number, so that a passage can be opened there."""
    lines: list[str] = []
    title, fence, language, table, comment = "", "", "", False, False
    for line in decode(content).split("\n"):
        bare = line.rstrip()
        if comment or bare == "////":
            comment = comment != (bare == "////")
            lines.append("")
        elif fence:
            lines.append("```" if bare == fence else line)
            fence = "" if bare == fence else fence
        elif bare[:4] in _CODE_FENCES and not bare.strip(bare[:1]):
            fence = bare
            lines.append(f"```{language}")
        elif bare == "|===":
            table = not table
            lines.append("")
        elif table:
            lines.append(f"{bare.replace('|', '| ').replace('|  ', '| ')} |" if bare.startswith("|") else bare)
        else:
            lines.append(_line(bare))
            if not title and (found := _HEADING.match(bare)):
                title = _inline(found[2])
        found = _SOURCE.match(bare)
        language = found[1] if found else ""
    return Converted(title=title, markdown="\n".join(lines))


def _line(line: str) -> str:
    if line.startswith("//") or _ATTRIBUTE.match(line) or _DIRECTIVE.match(line) or _BLOCK_ATTRIBUTES.match(line):
        return ""
    if found := _HEADING.match(line):
        return f"{'#' * len(found[1])} {_inline(found[2])}"
    if found := _BULLET.match(line):
        return f"{'  ' * (len(found[1]) - 1)}- {_inline(found[2])}"
    if found := _NUMBERED.match(line):
        return f"{'   ' * (len(found[1]) - 1)}1. {_inline(found[2])}"
    if found := _TITLE.match(line):
        return f"**{_inline(found[1])}**"
    if found := _TERM.match(line):
        return f"**{_inline(found[1])}**: {_inline(found[2] or '')}".rstrip()
    if line in ("====", "****", "____", "--", "'''", "<<<", "+"):
        return ""
    return _inline(line)


def _inline(text: str) -> str:
    text = _LINK.sub(lambda found: f"[{found[2] or found[1]}]({found[1]})", text)
    text = _LINK_HERE.sub(lambda found: found[1] or found[2] or found[3], text)
    return _IMAGE.sub(r"\1", text)
