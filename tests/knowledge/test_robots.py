"""robots.txt as RFC 9309 says; the examples of its sections 2.2 and 5."""

from __future__ import annotations

import pytest

from knowledge.sources.robots import read_rules

SIMPLE = """User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""
LONGEST = """User-Agent: foobot
Allow: /example/page/
Disallow: /example/page/disallowed.gif
"""
MERGED = """user-agent: ExampleBot
disallow: /foo
disallow: /bar

user-agent: ExampleBot/2.0 # the same robot
disallow: /baz
"""


@pytest.mark.parametrize(
    ("text", "robot", "path", "allowed"),
    [
        (SIMPLE, "other", "/a.gif", False),
        (SIMPLE, "other", "/a.gif?x", True),
        (SIMPLE, "other", "/example/x", False),
        (SIMPLE, "other", "/publications/x", True),
        (SIMPLE, "FooBot", "/", False),
        (SIMPLE, "foobot", "/example/page.html", True),
        (SIMPLE, "foobot", "/example/allowed.gif", True),
        (SIMPLE, "barbot", "/example/page.html", False),
        (SIMPLE, "bazbot", "/example/page.html", False),
        (SIMPLE, "bazbot", "/a.gif", True),
        (SIMPLE, "quxbot", "/a.gif", True),
        (SIMPLE, "foobot", "/robots.txt", True),
        (LONGEST, "foobot", "/example/page/x", True),
        (LONGEST, "foobot", "/example/page/disallowed.gif", False),
        (MERGED, "examplebot", "/foo", False),
        (MERGED, "examplebot", "/baz/x", False),
        (MERGED, "examplebot", "/", True),
        ("user-agent: *\nallow: /p\ndisallow: /", "x", "/page", True),
        ("user-agent: *\nallow: /folder\ndisallow: /folder", "x", "/folder/page", True),
        ("user-agent: *\nallow: /page\ndisallow: /*.htm", "x", "/page.htm", False),
        ("user-agent: *\nallow: /$\ndisallow: /", "x", "/", True),
        ("user-agent: *\nallow: /$\ndisallow: /", "x", "/page.htm", False),
        ("user-agent: *\ndisallow: /private*/", "x", "/private-a/b", False),
        ("user-agent: *\ndisallow: /*?session=", "x", "/a?b=1&session=2", True),
        ("user-agent: *\ndisallow: /*session=", "x", "/a?b=1&session=2", False),
        ("user-agent: *\ndisallow: /a*b*c$", "x", "/a-b-b-c", False),
        ("user-agent: *\ndisallow: /a*a$", "x", "/a", True),
        ("user-agent: *\ndisallow: /foo/bar/ツ", "x", "/foo/bar/%E3%83%84", False),
        ("user-agent: *\ndisallow: /foo/bar/%62%61%7A", "x", "/foo/bar/baz", False),
        ("user-agent: *\ndisallow: /a%2fb", "x", "/a%2Fb", False),
        ("user-agent: *\ndisallow: /a%2fb", "x", "/a/b", True),
        ("user-agent: *\ndisallow:", "x", "/a", True),
        ("nonsense\ndisallow: /", "x", "/a", True),
        ("", "x", "/a", True),
    ],
)
def test_the_longest_rule_for_the_robot_wins(text: str, robot: str, path: str, allowed: bool) -> None:
    assert read_rules(text, robot).allows(f"https://example.com{path}") == allowed


def test_delay_and_sitemaps_are_read_too() -> None:
    rules = read_rules("Sitemap: https://a/s.xml\nuser-agent: *\ncrawl-delay: 2.5\nSitemap: https://a/t.xml", "x")
    assert (rules.delay_seconds, rules.sitemaps) == (2.5, ("https://a/s.xml", "https://a/t.xml"))
    assert read_rules("user-agent: *\ncrawl-delay: soon", "x").delay_seconds == 0


def test_a_hostile_pattern_costs_little() -> None:
    assert read_rules(f"user-agent: *\ndisallow: {'*a' * 1000}b", "x").allows(f"https://a/{'a' * 1500}")
