"""Notion's blocks and properties as Markdown. Pure: nothing is asked for here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from knowledge.converted import as_prose

Json = Mapping[str, Any]

_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})", re.MULTILINE)
_LIST_ITEMS = ("bulleted_list_item", "numbered_list_item", "to_do")
_MEDIA = ("image", "video", "audio", "file", "pdf")
_LINKS = ("bookmark", "embed", "link_preview")
_SAYS_NOTHING = ("divider", "breadcrumb", "table_of_contents", "unsupported", "link_to_page")
_HEADINGS = {"heading_1": "##", "heading_2": "###", "heading_3": "####", "heading_4": "#####"}
# What would say the same about every row, or changes without anybody editing it.
_NO_PROPERTIES = ("title", "button", "verification")


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block with those below it."""

    kind: str
    content: Json = field(repr=False)
    children: tuple[Block, ...] = ()


def plain(rich_text: Iterable[Json]) -> str:
    """Rich text without its looks, on one line."""
    return " ".join("".join(_said(item) for item in rich_text).split())


def page_title(properties: Json) -> str:
    """The title of a page, from its properties."""
    titles = (value.get("title") or () for value in properties.values() if value.get("type") == "title")
    return plain(next(titles, ()))


def page_markdown(title: str, properties: Json, blocks: Sequence[Block], name_of: Callable[[Json], str]) -> str:
    """A page: its title, what its properties say, and its text; `name_of` names users and related pages."""
    lines = property_lines(properties, name_of)
    parts = [f"# {title}", "\n".join(as_prose(line) for line in lines), render(blocks)]
    return "\n\n".join(part for part in parts if part)


def property_lines(properties: Json, name_of: Callable[[Json], str]) -> list[str]:
    """`Name: value` for each property that has one."""
    shown = ((" ".join(name.split()), _value(value, name_of)) for name, value in properties.items())
    return [f"{name}: {value}" for name, value in shown if value]


def _value(value: Json, name_of: Callable[[Json], str]) -> str:
    kind = str(value.get("type", ""))
    if kind in _NO_PROPERTIES:
        return ""
    told = value.get(kind)
    if kind in ("formula", "rollup") and isinstance(told, Mapping):
        return _value(told, name_of)
    if kind == "unique_id" and isinstance(told, Mapping):
        prefix = told.get("prefix")
        return f"{prefix}-{told.get('number')}" if prefix else _one(told.get("number"), name_of)
    items: list[Any] = told if isinstance(told, list) else [told]
    if kind == "rich_text" or kind == "title":
        return plain(items)
    if kind == "array":
        return ", ".join(
            filter(None, (plain(one["title"]) if "title" in one else _value(one, name_of) for one in items))
        )
    return ", ".join(filter(None, (_one(item, name_of) for item in items)))


def _one(item: object, name_of: Callable[[Json], str]) -> str:
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, Mapping):
        if "start" in item:
            return " to ".join(str(item[end]) for end in ("start", "end") if item.get(end))
        return " ".join(str(item.get("name") or name_of(item)).split())
    if isinstance(item, float) and item.is_integer():
        return str(int(item))
    return "" if item is None else " ".join(str(item).split())


def render(blocks: Sequence[Block]) -> str:
    """Blocks one under the other."""
    text, number, before = "", 0, ""
    for block in blocks:
        number = number + 1 if block.kind == "numbered_list_item" else 0
        said = _block(block, number)
        if said:
            gap = "\n" if block.kind in _LIST_ITEMS and before == block.kind else "\n\n"
            text += (gap if text else "") + said
            before = block.kind
    return text


def _block(block: Block, number: int) -> str:
    text = rich(block.content.get("rich_text") or ())
    below = render(block.children)
    match block.kind:
        case "bulleted_list_item":
            return _item("- ", text, below)
        case "numbered_list_item":
            return _item(f"{number}. ", text, below)
        case "to_do":
            return _item("- [x] " if block.content.get("checked") else "- [ ] ", text, below)
        case "quote" | "callout":
            return _prefixed("> ", _joined(_prose(text), below))
        case "code":
            return _joined(_code(block.content), rich(block.content.get("caption") or ()))
        case "equation":
            return f"$$\n{str(block.content.get('expression', '')).strip()}\n$$"
        case "table":
            return _table(block)
        case "child_page" | "child_database":
            return _prose(" ".join(str(block.content.get("title", "")).split()))
        case kind if kind in _HEADINGS:
            heading = " ".join(text.split())
            return _joined(f"{_HEADINGS[kind]} {heading}" if heading else "", below)
        case kind if kind in _MEDIA:
            return _prose(_joined(rich(block.content.get("caption") or ()) or str(block.content.get("name") or ""), ""))
        case kind if kind in _LINKS:
            url = _web(str(block.content.get("url") or ""))
            caption = rich(block.content.get("caption") or ())
            return f"[{caption or url}]({url})" if url else caption
        case kind if kind in _SAYS_NOTHING:
            return below
    # Paragraphs, toggles, columns, synced blocks, and kinds that are newer than this.
    title = block.content.get("title")
    return _joined(_prose(text or (rich(title) if isinstance(title, list) else "")), below)


def rich(rich_text: Iterable[Json]) -> str:
    """Rich text with its looks and links."""
    return "".join(_looks(item) for item in rich_text).strip("\n")


def _looks(item: Json) -> str:
    said = _said(item)
    text = said.strip()
    if not text:
        return said
    looks = item.get("annotations") or {}
    if looks.get("code"):
        text = f"`{text}`" if "`" not in text and "\n" not in text else text
    else:
        for name, mark in (("italic", "*"), ("bold", "**"), ("strikethrough", "~~")):
            if looks.get(name) and "\n" not in text:
                text = f"{mark}{text}{mark}"
    url = _web(str(item.get("href") or ""))
    if url and item.get("type") != "mention" and "\n" not in text:
        text = f"[{text}]({url})"
    start = len(said) - len(said.lstrip())
    return said[:start] + text + said[start + len(said.strip()) :]


def _said(item: Json) -> str:
    text = str(item.get("plain_text") or "")
    if item.get("type") == "equation":
        return f"${(item.get('equation') or {}).get('expression') or text}$"
    # A name is a name: nobody is called by a document.
    return text.lstrip("@") if item.get("type") == "mention" else text


def _web(url: str) -> str:
    if url.startswith("/") and not url.startswith("//"):
        url = f"https://www.notion.so{url}"
    return url if re.match(r"(?:https?://|mailto:)[^\s()<>]+$", url) else ""


def _prose(text: str) -> str:
    return _FENCE.sub(r"\1\\\2", as_prose(text))


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _item(mark: str, text: str, below: str) -> str:
    width = " " * (2 if mark.startswith("-") else len(mark))
    lines = _prefixed(width, text).removeprefix(width)
    return f"{mark}{lines}" + (f"\n{_prefixed(width, below)}" if below else "")


def _prefixed(prefix: str, text: str) -> str:
    return "\n".join((prefix + line).rstrip() for line in text.splitlines())


def _code(content: Json) -> str:
    text = "".join(str(item.get("plain_text") or "") for item in content.get("rich_text") or ())
    language = re.sub(r"[^\w+#-]", "", str(content.get("language") or "").partition(" ")[0])
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{'' if language == 'plain' else language}\n{text}\n{fence}"


def _table(table: Block) -> str:
    rows = [
        [" ".join(rich(cell).split()).replace("|", "\\|") for cell in row.content.get("cells") or ()]
        for row in table.children
        if row.kind == "table_row"
    ]
    if not rows:
        return ""
    width = max(len(row) for row in rows)
    # A table of Markdown has a header, if an empty one.
    head = rows.pop(0) if table.content.get("has_column_header") else [""] * width
    lines = [head, ["---"] * width, *rows]
    return "\n".join(f"| {' | '.join(row + [''] * (width - len(row)))} |" for row in lines)
