"""reStructuredText to HTML with docutils, nothing inserted from files, nothing passed through raw.

Manuals are mostly written for Sphinx: its common directives and roles are known here by name, so that their
words are kept instead of reported as errors. Runs in the parsing child only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives, roles

_WITH_CONTENT = """
    tab tabs tab-set tab-item group-tab dropdown card grid grid-item grid-item-card seealso
    versionadded versionchanged deprecated only cssclass rst-class glossary function class method
    attribute data module option envvar describe collapse canonical-doc availability impl-detail
    confval object
""".split()
_WITHOUT_CONTENT = """
    toctree index highlight currentmodule autoclass automodule autofunction literalinclude
    tabularcolumns sectionauthor codeauthor graphviz mermaid youtube banner post
""".split()
_AS_CODE = """
    sourcecode doctest testcode testsetup prompt productionlist
""".split()
_ROLES = """
    ref doc term any numref download guilabel menuselection file command option kbd envvar program
    func class mod meth attr exc data const obj keyword samp dfn abbr abbreviation cve cwe issue gh
    pypi source token manpage py:func py:class py:mod py:meth py:attr py:exc py:data py:const py:obj
    c:func c:type c:macro c:member c:data c:expr std:ref std:doc
""".split()
_SETTINGS = {
    "_disable_config": True,
    "embed_stylesheet": False,
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "halt_level": 5,
    "report_level": 5,
    "syntax_highlight": "none",
    "doctitle_xform": True,
    "line_length_limit": 1_000_000,
}


def html_from_rst(text: str) -> str:
    """Convert one document to the HTML of its body, title included."""
    _register()
    parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    return str(parts["html_body"])


def _register() -> None:
    for name in _WITH_CONTENT:
        directives.register_directive(name, _KeepContent)
    for name in _WITHOUT_CONTENT:
        directives.register_directive(name, _Drop)
    for name in _AS_CODE:
        directives.register_directive(name, _Code)
    for name in _ROLES:
        roles.register_local_role(name, cast(Any, _words_of_role))


class _AnyOptions(dict[str, Any]):
    """An option table that takes every option, unread."""

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: str) -> Any:
        return directives.unchanged


class _KeepContent(Directive):
    has_content = True
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = _AnyOptions()

    def run(self) -> Sequence[nodes.Node]:
        kept = nodes.container()
        if self.arguments:
            kept += nodes.paragraph(text=self.arguments[0])
        self.state.nested_parse(self.content, self.content_offset, kept)
        return [kept]


class _Code(_KeepContent):
    def run(self) -> Sequence[nodes.Node]:
        code = "\n".join(self.content)
        return [nodes.literal_block(code, code)]


class _Drop(_KeepContent):
    def run(self) -> Sequence[nodes.Node]:
        return []


def _words_of_role(*given: Any, **_options: Any) -> tuple[list[nodes.Node], list[nodes.Node]]:
    # docutils hands over name, raw text, text, line and inliner. `:ref:`words <target>`` shows its words,
    # `:ref:`target`` the target; `~` and `!` are marks for Sphinx.
    text = str(given[2])
    words = text.partition(" <")[0] if text.endswith(">") else text
    return [nodes.Text(words.lstrip("~!"))], []
