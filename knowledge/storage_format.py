"""Confluence's storage format to HTML: what its author wrote. Runs in the parsing child only.

Bodies of macros are kept (panels, expands, code, page properties); what a macro brings in from elsewhere (other pages,
lists, attachments, queries) is not there, and pictures are left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bs4

# Told apart here: how parsers of HTML read them differs from version to version.
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
# Their text is markup for the browser, or is shown to nobody.
_UNREAD_MACROS = ("html", "style", "html-include", "livesearch")
_DROPPED = ("ac:parameter", "ac:task-id", "ac:task-uuid", "ac:placeholder", "ac:image", "ac:adf-node", "ac:emoticon")


def html_from_storage(text: str) -> str:
    """Convert the body of a page; macros become what they hold."""
    import bs4

    soup = bs4.BeautifulSoup(_CDATA.sub(lambda found: html.escape(found.group(1)), text), "html.parser")
    # From the inside out: what stands in a macro is ready before the macro itself is replaced.
    for name, replace in _ELEMENTS.items():
        for element in reversed(soup.find_all(name)):
            if not element.decomposed:
                replace(element, soup)
    for element in soup.find_all(re.compile(r"^(?:ac|ri|at):")):
        if element.name in _DROPPED and not element.decomposed:
            element.decompose()
        elif not element.decomposed:
            element.unwrap()
    return str(soup)


def _link(link: bs4.Tag, soup: bs4.BeautifulSoup) -> None:
    body = link.find(("ac:link-body", "ac:plain-text-link-body"))
    target = link.find(("ri:page", "ri:blog-post", "ri:attachment", "ri:space", "ri:user"))
    if body is None and target is not None:
        names = ("ri:content-title", "ri:filename", "ri:space-key", "ri:display-name")
        named = next((str(target[name]) for name in names if target.get(name)), "")
        link.replace_with(soup.new_string(named))
    elif body is not None:
        link.replace_with(body)


def _macro(macro: bs4.Tag, soup: bs4.BeautifulSoup) -> None:
    name = str(macro.get("ac:name") or "")
    told = {str(one.get("ac:name") or ""): one.get_text() for one in macro.find_all("ac:parameter", recursive=False)}
    rich, plain = (macro.find(f"ac:{kind}-body", recursive=False) for kind in ("rich-text", "plain-text"))
    title = told.get("title", "")
    if name in _UNREAD_MACROS or (name == "excerpt" and told.get("hidden") == "true"):
        macro.decompose()
    elif plain is not None:
        code = soup.new_tag("code", attrs={"class": f"language-{told['language']}"} if told.get("language") else {})
        code.string = plain.get_text()
        block = soup.new_tag("pre")
        block.append(code)
        macro.replace_with(*_titled(title, block, soup))
    elif rich is not None:
        rich.name = "div"
        macro.replace_with(*_titled(title, rich, soup))
    elif name in ("status", "jira"):
        macro.replace_with(soup.new_string(title if name == "status" else told.get("key", "")))
    else:
        macro.decompose()


def _titled(title: str, body: bs4.Tag, soup: bs4.BeautifulSoup) -> list[bs4.Tag]:
    if not title.strip():
        return [body]
    line, strong = soup.new_tag("p"), soup.new_tag("strong")
    strong.string = title
    line.append(strong)
    return [line, body]


def _fallback(extension: bs4.Tag, _: bs4.BeautifulSoup) -> None:
    fallback = extension.find("ac:adf-fallback")
    if fallback is None:
        extension.unwrap()
    else:
        extension.replace_with(fallback)


def _task(task: bs4.Tag, soup: bs4.BeautifulSoup) -> None:
    status = task.find("ac:task-status", recursive=False)
    if status is not None:
        done = status.get_text(strip=True) == "complete"
        status.replace_with(soup.new_string("[x] " if done else "[ ] "))
    task.name = "li"


def _task_list(tasks: bs4.Tag, _: bs4.BeautifulSoup) -> None:
    tasks.name = "ul"


def _time(time: bs4.Tag, soup: bs4.BeautifulSoup) -> None:
    if time.get("datetime") and not time.get_text(strip=True):
        time.replace_with(soup.new_string(str(time["datetime"])))


_ELEMENTS: dict[str, Callable[[bs4.Tag, bs4.BeautifulSoup], None]] = {
    "ac:link": _link,
    "time": _time,
    "ac:adf-extension": _fallback,
    "ac:structured-macro": _macro,
    "ac:macro": _macro,
    "ac:task": _task,
    "ac:task-list": _task_list,
}
