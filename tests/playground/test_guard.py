"""Against web pages elsewhere: Host and Origin are checked, and our own pages may load nothing foreign."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.playground.site import ADA, GENERAL, Site, running


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """One playground for all refusals: none of them leaves anything behind."""
    with running() as started:
        yield started


PATHS = ["", "api/auth.test", "playground/api/ledger", "document?uri=file:///etc/passwd", "static/index.html"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3939", "127.0.0.1.evil.example", "[::1", "127.0.0.1@evil.example", ""]
)
def test_a_foreign_host_is_refused_everywhere(site: Site, path: str, host: str) -> None:
    assert site.http.get(path, headers={"Host": host}).status_code == 403


def test_localhost_is_ours_under_any_port(site: Site) -> None:
    for host in ("localhost", "localhost:8080", "127.0.0.1:1", "[::1]:3939"):
        assert site.http.get("playground/api/ledger", headers={"Host": host}).status_code == 200


def test_a_name_can_be_allowed_at_start(start: Callable[..., Site]) -> None:
    site = start(allowed_hosts=("lore.internal",))
    assert site.http.get("playground/api/ledger", headers={"Host": "lore.internal:3939"}).status_code == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost:3939"])
def test_a_foreign_origin_is_refused(site: Site, origin: str) -> None:
    body = {"user": ADA, "channel": GENERAL, "text": "x"}
    assert site.http.post("playground/api/say", json=body, headers={"Origin": origin}).status_code == 403
    socket = site.url.replace("http", "ws", 1) + f"playground/socket?user={ADA}"
    with pytest.raises(InvalidStatus), connect(socket, additional_headers={"Origin": origin}):
        pass


def test_our_own_origin_is_welcome(site: Site) -> None:
    body = {"user": ADA, "channel": GENERAL, "text": "x"}
    assert site.http.post("playground/api/say", json=body, headers={"Origin": site.url.rstrip("/")}).json()["ok"]


def test_a_form_of_a_foreign_page_cannot_act(site: Site) -> None:
    """Without an Origin, as old browsers do: only JSON is taken, and a form cannot send that."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = site.http.post("playground/api/say", content=b"{}", headers={"Content-Type": kind})
        assert answer.status_code == 415
    answer = site.http.post("playground/api/say", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.json()["error"] == "invalid_json"


def test_pages_may_load_nothing_but_our_own(site: Site) -> None:
    headers = site.http.get("playground/api/ledger").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_page_and_its_files_are_served(site: Site) -> None:
    assert site.http.get("").headers["Content-Type"].startswith("text/html")
    assert site.http.get("static/index.html").status_code == 200
    assert site.http.get("static/../playground.py").status_code == 404
    assert site.http.get("static/%2e%2e/playground.py").status_code == 404
