"""What web pages say of themselves, and pages behind a sign-in; from a real local server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.page_head import Head, read_head
from knowledge.sources.web import WebSource
from tests.knowledge.site import Site, served_site
from tests.knowledge.test_web import QUICK, source, steps_of, told


@pytest.fixture
def site() -> Iterator[Site]:
    with served_site() as served:
        yield served


def page(canonical: str = "", robots: str = "", text: str = "text") -> str:
    link = f'<link rel="canonical" href="{canonical}">' if canonical else ""
    meta = f'<meta content="{robots}" name="Robots">' if robots else ""
    return f"<html><head>{link}{meta}</head><body><p>{text}</p></body></html>"


@pytest.mark.parametrize(
    ("content", "headers", "head"),
    [
        ("<link rel='canonical' href='/a?x=1&amp;y=2'>", {}, Head(canonical="/a?x=1&y=2")),
        ("<!-- <link rel=canonical href=/a> --><script>'<meta name=robots content=noindex>'</script>", {}, Head()),
        ("<head></head><body><link rel=canonical href=/a><meta name=robots content=noindex>", {}, Head()),
        ("<meta name=robots content='NOFOLLOW, noindex'>", {}, Head(noindex=True, nofollow=True)),
        ("<meta name=lorekeeper content=none>", {}, Head(noindex=True, nofollow=True)),
        ("<meta name=otherbot content=noindex>", {}, Head()),
        ("", {"x-robots-tag": "noindex"}, Head(noindex=True)),
        ("", {"x-robots-tag": "otherbot: noindex, nofollow"}, Head()),
        ("", {"x-robots-tag": "otherbot: noindex, lorekeeper: nofollow"}, Head(nofollow=True)),
        ("", {"x-robots-tag": "unavailable_after: 25 Jun 2030 15:00:00 PST, noindex"}, Head(noindex=True)),
        ("", {"link": '</b>; rel="next", </a>; rel="canonical"'}, Head(canonical="/a")),
    ],
)  # fmt: skip
def test_what_a_page_says_of_itself(content: str, headers: dict[str, str], head: Head) -> None:
    assert read_head(content.encode(), headers, "Lorekeeper") == head


class TestCanonical:
    def test_a_page_that_is_another_one_counts_as_that_one_and_once(self, site: Site) -> None:
        site.put("/book/", '<a href="/book/a?print=1">a</a><a href="/book/a?lang=en">b</a>')
        for path in ("/book/a?print=1", "/book/a?lang=en", "/book/a"):
            site.put(path, page("/book/a"))
        found, cursor = steps_of(source(site))
        assert told(found) == [("Fetched", "/book/"), ("Fetched", "/book/a")]
        assert told(steps_of(source(site), cursor)[0]) == []

    def test_one_that_becomes_another_is_gone(self, site: Site) -> None:
        for path in ("/book/a", "/book/b"):
            site.put(path, page())
        site.list_pages("/book/a", "/book/b")
        _, cursor = steps_of(source(site))
        site.put("/book/b", page("a"))
        found, cursor = steps_of(source(site), cursor)
        assert told(found) == [("Deleted", "/book/b")]
        assert told(steps_of(source(site), cursor)[0]) == []

    def test_two_that_name_each_other_are_read_once(self, site: Site) -> None:
        site.put("/book/a", page("/book/b"))
        site.put("/book/b", page("/book/a"))
        site.list_pages("/book/a", "/book/b")
        found, cursor = steps_of(source(site))
        assert told(found) == [("Fetched", "/book/b")]
        assert told(steps_of(source(site), cursor)[0]) == []

    def test_one_that_names_what_cannot_be_read_is_read_itself(self, site: Site) -> None:
        site.put("/book/a", page("/book/gone"))
        site.put("/book/c", page("https://elsewhere.example.com/c"))
        site.list_pages("/book/a", "/book/c")
        assert sorted(told(steps_of(source(site))[0])) == [("Fetched", "/book/a"), ("Fetched", "/book/c")]


class TestNoindex:
    def test_it_is_left_out_and_its_links_are_followed(self, site: Site) -> None:
        site.put("/book/", page(robots="noindex", text='<a href="/book/a">a</a><a href="/book/b">b</a>'))
        site.put("/book/a", page())
        site.put("/book/b", page(), X_Robots_Tag="noindex")
        assert told(steps_of(source(site))[0]) == [("Fetched", "/book/a")]

    @pytest.mark.parametrize("by_header", [True, False])
    def test_one_that_is_known_is_gone(self, site: Site, by_header: bool) -> None:
        site.put("/book/a", page())
        site.list_pages("/book/a")
        found, cursor = steps_of(source(site))
        assert told(found) == [("Fetched", "/book/a")]
        if by_header:
            site.put("/book/a", page(), X_Robots_Tag="noindex")
        else:
            site.put("/book/a", page(robots="none"))
        assert told(steps_of(source(site), cursor)[0]) == [("Deleted", "/book/a")]
        assert told(steps_of(source(site), cursor)[0]) == [("Deleted", "/book/a")]

    def test_nofollow_leads_nowhere(self, site: Site) -> None:
        site.put("/book/", page(robots="nofollow", text='<a href="/book/a">a</a>'))
        site.put("/book/a", page())
        assert told(steps_of(source(site))[0]) == [("Fetched", "/book/")]


class TestSignIn:
    @pytest.mark.parametrize(
        ("secret", "sent"), [("ada:pa:ss", "Basic YWRhOnBhOnNz"), ("Bearer t0ken", "Bearer t0ken")]
    )
    def test_the_credential_opens_the_pages(self, site: Site, secret: str, sent: str) -> None:
        site.wants = sent
        site.put("/book/", "text")
        found, _ = steps_of(WebSource("s", f"{site.url}/book/", manners=QUICK, secret=Secret(secret)))
        assert told(found) == [("Fetched", "/book/")]
        with pytest.raises(SourceUnavailableError, match="credential"):
            steps_of(source(site))

    def test_it_is_sent_to_no_other_host(self, site: Site) -> None:
        with served_site() as other:
            other.put("/book/a", "text")
            site.put("/book/", '<a href="/book/a">a</a>')
            site.put("/book/a", status=302, Location=f"{other.url}/book/a")
            steps_of(WebSource("s", f"{site.url}/book/", manners=QUICK, secret=Secret("ada:pass")))
            assert other.asked == []

    @pytest.mark.parametrize(
        ("url", "secret", "why"),
        [
            ("http://docs.example.com/", "ada:s3cret", "over https only"),
            ("https://docs.example.com/", "s3cret", "USER:PASSWORD"),
            ("https://docs.example.com/", "Bearer s3cret\r\nX: y", "USER:PASSWORD"),
        ],
    )
    def test_a_credential_that_cannot_be_used_is_refused(self, url: str, secret: str, why: str) -> None:
        with pytest.raises(SourceError, match=why) as refused:
            WebSource("s", url, secret=Secret(secret))
        assert "s3cret" not in str(refused.value)
