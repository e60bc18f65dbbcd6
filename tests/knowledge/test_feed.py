"""News feeds as a source, fetched over HTTP from a server that counts what is asked for."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument, SourceChange
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.ingest import SyncReport, ingest
from knowledge.parse import Parser
from knowledge.sources import Checkpoint, Source, kind_of, name_of
from knowledge.sources.feed import FeedLimits, FeedSource, check_address
from knowledge.store import add_source
from tests.contracts.source import SourceContract
from tests.knowledge.feed_server import RSS, Site, feed_served
from tests.knowledge.ingesting import Workplace, workplace

ATOM = '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>{}</feed>'


def steps_of(source: Source, cursor: str | None = None, retry: Collection[str] = ()) -> tuple[list[SourceChange], str]:
    *steps, last = source.changes(cursor, retry)
    assert isinstance(last, Checkpoint)
    return [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument | FailedDocument)], last.cursor


@pytest.fixture
def site() -> Iterator[Site]:
    with feed_served() as served:
        yield served


class TestFeed(SourceContract):
    deletes = False

    @pytest.fixture(autouse=True)
    def _place(self, site: Site) -> None:
        self.site = site

    def build(self) -> Source:
        return FeedSource("s", self.site.location)

    def put(self, name: str, text: str) -> str:
        self.site.entries[name] = text
        return f"{self.site.url}/{name}"

    def take_away(self, name: str) -> None:
        del self.site.entries[name]

    def lose_place(self) -> None:
        self.site.status = 503

    def settle(self) -> None:
        """A feed is told from the next one by its content."""


class TestFeedWithoutTags(TestFeed):
    """Of a server that always answers in full."""

    @pytest.fixture(autouse=True)
    def _no_tags(self, site: Site) -> None:
        site.with_tag = False


def test_an_unchanged_feed_is_not_sent_again(site: Site) -> None:
    site.entries["a"] = "alpha"
    source = FeedSource("s", site.location)
    _, cursor = steps_of(source)
    assert "If-None-Match" not in site.asked[0][1]
    assert steps_of(source, cursor) == ([], cursor)
    assert site.asked[1][1]["If-Modified-Since"] == "Thu, 01 Jan 2026 00:00:00 GMT"
    steps_of(source, cursor, retry={f"{site.url}/a"})
    assert site.answered == [200, 304, 200]


def test_an_entry_becomes_a_page_with_its_title(site: Site) -> None:
    site.feed = ATOM.format("""
        <entry>
          <id>tag:example.com,2026:1</id><title type="html">Badges &amp;amp; &lt;b&gt;desks&lt;/b&gt;</title>
          <link href="/news/badges"/><published>2026-01-01T00:00:00Z</published>
          <author><name>Ada  Lovelace</name><email>ada@example.com</email></author>
          <updated>2026-01-02T03:04:05+01:00</updated><summary>Short.</summary>
          <content type="html">&lt;p&gt;Maria &lt;a href="desk"&gt;issues&lt;/a&gt; them.&lt;/p&gt;
          &lt;script&gt;alert(1)&lt;/script&gt;</content>
        </entry>
        <entry>
          <id>tag:example.com,2026:2</id><title>a &lt; b</title>
          <summary type="text">One &lt; two.\n\nThree.</summary>
        </entry>""").encode()
    told, _ = steps_of(FeedSource("s", site.location, "channel:C1"))
    first, second = (step for step in told if isinstance(step, FetchedDocument))
    assert (first.uri, first.title) == (f"{site.url}/news/badges", "Badges & desks")
    assert (first.owner, second.owner) == ("Ada Lovelace", "")
    assert (first.audience, first.media_type) == ("channel:C1", "text/html")
    assert first.modified_at == datetime(2026, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (second.uri, second.title, second.modified_at) == ("tag:example.com,2026:2", "a < b", None)
    with Parser() as parser:
        parsed = parser.parse(first)
        assert parsed.title == "Badges & desks"
        assert parsed.markdown.startswith("# Badges & desks\n\nMaria [issues](http")
        assert "alert" not in parsed.markdown
        assert parser.parse(second).markdown == "# a < b\n\nOne < two.\n\nThree."


def test_a_published_date_is_enough(site: Site) -> None:
    site.feed = RSS.format("<item><title>A</title><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate></item>").encode()
    ((entry,), _) = steps_of(FeedSource("s", site.location))
    assert isinstance(entry, FetchedDocument)
    assert entry.modified_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert entry.uri.startswith(f"{site.location}#")


def test_an_entry_with_nothing_in_it_fails(site: Site) -> None:
    empty = f"<item><link>{site.url}/a</link><description>&lt;p&gt; &lt;/p&gt;</description></item>"
    site.feed = RSS.format(f"{empty}<item><title>B</title><link>{site.url}/b</link></item>").encode()
    told, cursor = steps_of(FeedSource("s", site.location))
    assert [(type(step).__name__, step.uri) for step in told] == [
        ("FailedDocument", f"{site.url}/a"), ("FetchedDocument", f"{site.url}/b"),
    ]  # fmt: skip
    assert steps_of(FeedSource("s", site.location), cursor)[0] == []


def test_of_two_versions_in_one_feed_the_newer_counts(site: Site) -> None:
    site.feed = RSS.format(
        "<item><guid>1</guid><title>New</title></item><item><guid>1</guid><title>Old</title></item>"
    ).encode()
    told, _ = steps_of(FeedSource("s", site.location))
    assert [step.title for step in told if isinstance(step, FetchedDocument)] == ["New"]


def test_entries_of_one_page_are_told_apart_and_keep_their_addresses(site: Site) -> None:
    def feed(*keys: str) -> bytes:
        item = "<item><guid isPermaLink='false'>{}</guid><title>T</title><link>https://example.com/</link></item>"
        return RSS.format("".join(item.format(key) for key in keys)).encode()

    site.feed = feed("2", "1")
    told, cursor = steps_of(FeedSource("s", site.location))
    assert [step.uri for step in told] == ["https://example.com/", "https://example.com/#1"]
    site.feed = feed("3", "1")
    told, cursor = steps_of(FeedSource("s", site.location), cursor)
    assert [step.uri for step in told] == ["https://example.com/#3"]
    site.feed = feed("1", "2", "3")
    assert steps_of(FeedSource("s", site.location), cursor)[0] == []


def test_an_entry_whose_link_changes_stays_the_same_document(site: Site) -> None:
    item = "<item><guid isPermaLink='false'>1</guid><title>T</title><link>{}</link></item>"
    site.feed = RSS.format(item.format("http://example.com/a")).encode()
    _, cursor = steps_of(FeedSource("s", site.location))
    site.feed = RSS.format(item.format("https://example.com/a")).encode()
    ((entry,), _) = steps_of(FeedSource("s", site.location), cursor)
    assert isinstance(entry, FetchedDocument)
    assert (entry.uri, entry.moved_from) == ("https://example.com/a", "http://example.com/a")


def test_the_entries_seen_last_are_remembered(site: Site) -> None:
    source = FeedSource("s", site.location, limits=FeedLimits(max_known=3))
    site.entries = {"a": "alpha", "b": "beta"}
    _, cursor = steps_of(source)
    site.entries = {"a": "alpha", "c": "gamma", "d": "delta"}
    _, cursor = steps_of(source, cursor)
    site.entries = {name: name for name in "ab"} | {"a": "alpha", "b": "beta"}
    told, _ = steps_of(source, cursor)
    assert [step.uri for step in told] == [f"{site.url}/b"]


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Workplace]:
    with workplace(tmp_path) as made:
        yield made


def titles(work: Workplace) -> list[str]:
    return sorted(str(title) for (title,) in work.rows("SELECT title FROM document"))


def test_what_falls_off_the_end_stays_until_a_rebuild(site: Site, work: Workplace) -> None:
    stored = add_source(work.engine, kind="feed", location=site.location)

    def sync(*, rebuild: bool = False) -> SyncReport:
        return ingest(FeedSource(stored.id, site.location), work.parts, rebuild=rebuild)

    site.entries = {"a": "alpha", "b": "beta"}
    assert sync().added == 2
    site.entries = {"b": "beta", "c": "gamma"}
    assert sync().added == 1
    assert titles(work) == ["a", "b", "c"]
    assert sync(rebuild=True).deleted == 1
    assert titles(work) == ["b", "c"]


def test_what_fell_off_stays_where_a_run_is_stopped_in_the_middle(site: Site, work: Workplace) -> None:
    stored = add_source(work.engine, kind="feed", location=site.location)
    source = FeedSource(stored.id, site.location)
    site.entries = {"a": "alpha"}
    ingest(source, work.parts)
    site.entries = {"b": "beta", "c": "gamma"}
    stop = threading.Event()
    stop.set()
    assert ingest(source, work.parts, stop=stop).stopped
    assert titles(work) == ["a", "c"]
    ingest(source, work.parts)
    assert titles(work) == ["a", "b", "c"]


def test_redirects_are_followed_within_the_web(site: Site) -> None:
    site.entries["a"] = "alpha"
    site.moved = {"/old": "/older", "/older": site.location, "/round": "/round", "/away": "ftp://example.com/feed.xml"}
    assert len(steps_of(FeedSource("s", f"{site.url}/old"))[0]) == 1
    for path in ("/round", "/away"):
        with pytest.raises(SourceUnavailableError, match="cannot be read"):
            steps_of(FeedSource("s", site.url + path))


def test_what_is_no_feed_is_said(site: Site, tmp_path: Path) -> None:
    source = FeedSource("s", site.location)
    for page in (b"<!DOCTYPE html><html><body>Hello</body></html>", b"", b"\x89PNG", b"{}"):
        site.feed = page
        with pytest.raises(SourceUnavailableError, match="neither RSS nor Atom"):
            steps_of(source)


def test_an_answer_that_names_a_file_or_an_address_opens_neither(site: Site, tmp_path: Path) -> None:
    site.entries["a"] = "alpha"
    secret = tmp_path / "feed.xml"
    secret.write_bytes(site.body())
    for named in (str(secret).encode(), secret.as_uri().encode(), site.location.encode()):
        site.feed, before = named, len(site.asked)
        with pytest.raises(SourceUnavailableError, match="neither RSS nor Atom"):
            steps_of(FeedSource("s", site.location))
        assert len(site.asked) == before + 1


@pytest.mark.parametrize("status", [304, 401, 404, 500])
def test_a_server_that_refuses_deletes_nothing(site: Site, status: int) -> None:
    site.status = status
    with pytest.raises(SourceUnavailableError, match=f"answered {status}"):
        steps_of(FeedSource("s", site.location))


def test_a_server_that_is_away_deletes_nothing() -> None:
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        steps_of(FeedSource("s", "http://127.0.0.1:9/feed.xml"))


def test_a_feed_too_large_or_too_slow_is_given_up(site: Site) -> None:
    site.entries["a"] = "x" * 3000
    with pytest.raises(SourceUnavailableError, match="larger than"):
        steps_of(FeedSource("s", site.location, limits=FeedLimits(max_bytes=2048)))
    site.pause = threading.Event()
    with pytest.raises(SourceUnavailableError, match="cannot be read"):
        steps_of(FeedSource("s", site.location, limits=FeedLimits(total_seconds=0.2)))
    site.pause.set()
    with pytest.raises(SourceUnavailableError, match="took longer"):
        steps_of(FeedSource("s", site.location, limits=FeedLimits(total_seconds=0.2), clock=iter(range(9)).__next__))


def test_a_feed_that_keeps_the_parser_busy_is_given_up(site: Site) -> None:
    site.feed = RSS.format("<a>" * 200_000).encode()
    with pytest.raises(SourceUnavailableError, match="parsing it took longer than 3 s"):
        steps_of(FeedSource("s", site.location, limits=FeedLimits(parse_seconds=3)))


@pytest.mark.parametrize(
    "location",
    [
        "https://ada:secret@example.com/feed",
        "https://secret@example.com/feed",
        "https://a:secret@[/feed",
        "http://x:y/",
        "feed",
    ],
)
def test_a_bad_address_is_refused_without_its_password(location: str) -> None:
    with pytest.raises(SourceError) as refused:
        check_address(location)
    assert "secret" not in str(refused.value)


def test_a_location_tells_its_kind_and_name() -> None:
    feeds = ["https://blog.example.com/feed.xml", "http://example.com/a/rss/", "https://example.com/news.atom"]
    assert [kind_of(one) for one in feeds] == ["feed"] * 3
    assert [kind_of(one) for one in ("https://example.com/feed.git", "docs/feed.xml")] == ["git", "files"]
    assert name_of(feeds[0]) == "blog.example.com"
