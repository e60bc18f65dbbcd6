"""Pages in Confluence's storage format: what is kept of them, and what is not there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from knowledge.document import STORAGE_PAGE, FetchedDocument
from knowledge.parse import Parser


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    with Parser() as opened:
        yield opened


def macro(name: str, inside: str = "", **parameters: str) -> str:
    told = "".join(f'<ac:parameter ac:name="{key}">{value}</ac:parameter>' for key, value in parameters.items())
    return f'<ac:structured-macro ac:name="{name}">{told}{inside}</ac:structured-macro>'


def rich(inside: str) -> str:
    return f"<ac:rich-text-body>{inside}</ac:rich-text-body>"


def plain(inside: str) -> str:
    return f"<ac:plain-text-body><![CDATA[{inside}]]></ac:plain-text-body>"


@pytest.mark.parametrize(
    ("storage", "markdown"),
    [
        (macro("info", rich("<p>Ask first.</p>"), title="Note"), "**Note**\n\nAsk first."),
        (macro("expand", rich(f"<p>In {macro('status', title='DONE')}</p>")), "In DONE"),
        (
            macro("details", rich("<table><tr><th>Owner</th><td>Ana</td></tr></table>")),
            "| Owner | Ana |\n| --- | --- |",
        ),
        (macro("code", plain("a > b && c\n  d"), language="bash"), "```\na > b && c\n  d\n```"),
        (macro("code", plain("end ]]]]><![CDATA[> of it")), "```\nend ]]> of it\n```"),
        (macro("mermaid", plain("graph TD")), "```\ngraph TD\n```"),
        (macro("jira", key="TEAM-1", jqlQuery="project = HR"), "TEAM-1"),
        (macro("toc") + macro("children", depth="2") + macro("include") + "<p>x</p>", "x"),
        (macro("excerpt", rich("<p>shown</p>")) + macro("excerpt", rich("<p>hidden</p>"), hidden="true"), "shown"),
        (macro("html", plain("<script>alert(1)</script>")) + "<p>x</p>", "x"),
        ('<p>See <ac:link><ri:page ri:content-title="Desk &amp; co" /></ac:link></p>', "See Desk & co"),
        (
            '<p><ac:link><ri:page ri:content-title="X" /><ac:plain-text-link-body><![CDATA[the <desk>]]>'
            "</ac:plain-text-link-body></ac:link></p>",
            "the <desk>",
        ),
        (
            '<p><ac:link><ri:page ri:content-title="X" /><ac:link-body><b>desk</b></ac:link-body></ac:link></p>',
            "**desk**",
        ),
        ('<p>By <ac:link><ri:user ri:account-id="1" ri:display-name="Ana" /></ac:link></p>', "By Ana"),
        ('<p>By <ac:link><ri:user ri:account-id="1" /></ac:link>.</p>', "By ."),
        ('<p>On <time datetime="2026-01-02" /></p>', "On 2026-01-02"),
        ('<p>x</p><ac:image ac:alt="a desk"><ri:attachment ri:filename="desk.png" /></ac:image>', "x"),
        (
            "<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>complete</ac:task-status>"
            "<ac:task-body><span>Pack</span></ac:task-body></ac:task><ac:task><ac:task-id>2</ac:task-id>"
            "<ac:task-status>incomplete</ac:task-status><ac:task-body>Move</ac:task-body></ac:task></ac:task-list>",
            "- [x] Pack\n- [ ] Move",
        ),
        (
            '<ac:adf-extension><ac:adf-node type="panel"><ac:adf-content><p>twice</p></ac:adf-content></ac:adf-node>'
            "<ac:adf-fallback><p>once</p></ac:adf-fallback></ac:adf-extension>",
            "once",
        ),
        (
            '<ac:layout><ac:layout-section ac:type="two_equal"><ac:layout-cell><p>left</p></ac:layout-cell>'
            "<ac:layout-cell><p>right</p></ac:layout-cell></ac:layout-section></ac:layout>",
            "left\n\nright",
        ),
        ("<p>x</p><ac:placeholder>type here</ac:placeholder>", "x"),
        ('<ac:structured-macro ac:name="info"><ac:rich-text-body><p>never closed', "never closed"),
    ],
)
def test_what_is_kept_of_a_page(parser: Parser, storage: str, markdown: str) -> None:
    page = f"<!DOCTYPE html><html><head><title>T</title></head><body>{storage}</body></html>"
    document = FetchedDocument(uri="x:1", title="T", content=page.encode(), media_type=STORAGE_PAGE)
    assert parser.parse(document).markdown == markdown
