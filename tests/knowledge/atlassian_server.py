"""Confluence and Jira, served over HTTP for tests with the answers that the real ones give; Cloud or Data Center."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

EMAIL = "bot@example.com"
TOKEN = "ATATT3xFfGF0-secret"
"""Of the account that reads: with the address for Cloud, alone for Data Center."""


@dataclass(kw_only=True)
class Server:
    """What both services share."""

    cloud: bool = True
    url: str = ""
    token: str = TOKEN
    """What is accepted; others are refused."""
    open: bool = False
    """Whether nobody need say who they are."""
    troubles: list[tuple[int, Mapping[str, str], str]] = field(default_factory=list)
    """Status, headers and body of the next answers, instead of the right ones."""
    down: int = 0
    """The status of all answers."""
    refused: dict[str, int] = field(default_factory=dict)
    """The end of a path -> the status of its answers."""
    most: int = 100
    """So many results are handed out at once."""
    asked: list[str] = field(default_factory=list)
    """Paths with what was asked for."""

    @property
    def credential(self) -> str:
        """As a person would keep it."""
        return f"{EMAIL}:{TOKEN}" if self.cloud else TOKEN

    def accepts(self, header: str) -> bool:
        """Whether a request says who it comes from."""
        basic = base64.b64encode(f"{EMAIL}:{self.token}".encode()).decode()
        return header == (f"Basic {basic}" if self.cloud else f"Bearer {self.token}")

    def answer(self, path: str, asked: Mapping[str, str]) -> object:
        """What there is at a path; None: nothing."""
        raise NotImplementedError

    def times_asked(self, part: str) -> int:
        """How many requests had this in their address."""
        return sum(part in unquote(one) for one in self.asked)


@dataclass(frozen=True, kw_only=True)
class Person:
    """An account, whose address may be hidden."""

    id: str
    name: str
    email: str = ""

    def told(self, *, cloud: bool) -> dict[str, object]:
        """As the services write it."""
        if cloud:
            kind = {"type": "known", "accountId": self.id, "accountType": "atlassian"}
            return {**kind, "email": self.email, "publicName": self.name, "displayName": self.name}
        return {"type": "known", "username": self.id, "userKey": f"key-{self.id}", "displayName": self.name}


ANA = Person(id="u-ana", name="Ana Ruiz", email="Ana@Example.com")
BEN = Person(id="u-ben", name="Ben Okoye", email="ben@example.com")
CLEO = Person(id="u-cleo", name="Cleo Marsh", email="cleo@example.com")
HIDDEN = Person(id="u-hidden", name="Hidden", email="")


@dataclass(kw_only=True)
class WikiPage:
    """One page, blog post or folder."""

    id: str
    title: str
    body: str = "<p>Text.</p>"
    space: str = "TEAM"
    kind: str = "page"
    version: int = 1
    status: str = "current"
    parent: str = ""
    users: Sequence[Person] = ()
    groups: Sequence[str] = ()
    by: Person = ANA
    owner: Person | None = None


@dataclass(kw_only=True)
class Wiki(Server):
    """Confluence."""

    pages: dict[str, WikiPage] = field(default_factory=dict)
    """Those that the account may see, by id."""
    people: list[Person] = field(default_factory=lambda: [ANA, BEN, CLEO, HIDDEN])
    groups: dict[str, list[Person]] = field(default_factory=dict)
    archived_spaces: set[str] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    """What answers leave out although it is asked for."""
    restriction_limit: int = 200
    on_read: Callable[[], None] = lambda: None
    """Called before texts are handed out."""

    @property
    def root(self) -> str:
        """Where Confluence begins."""
        return f"{self.url}/wiki" if self.cloud else self.url

    @property
    def location(self) -> str:
        """The address of the space TEAM."""
        return f"{self.root}/spaces/TEAM" if self.cloud else f"{self.root}/display/TEAM"

    def put(self, page: WikiPage) -> str:
        """Put or replace a page; returns its address."""
        self.pages[page.id] = page
        return self.root + self.webui(page)

    def webui(self, page: WikiPage) -> str:
        """The address of a page, as answers name it."""
        slug = page.title.replace(" ", "+")
        return f"/spaces/{page.space}/pages/{page.id}/{slug}" if self.cloud else f"/display/{page.space}/{slug}"

    def answer(self, path: str, asked: Mapping[str, str]) -> object:
        path = path.removeprefix("/wiki") if self.cloud else path
        *_, last = path.split("/")
        if path == "/rest/api/user/current":
            return Person(id="u-bot", name="Bot").told(cloud=self.cloud)
        if path == "/rest/api/user":
            found = [
                one for one in self.people if asked.get("accountId", asked.get("key")) in (one.id, f"key-{one.id}")
            ]
            return found[0].told(cloud=self.cloud) if found else None
        if path == "/rest/api/content/search":
            return self._search(asked)
        if restricted := re.fullmatch(r"/rest/api/content/(\d+)/restriction/byOperation/read", path):
            page = self.pages.get(restricted.group(1))
            return page and self._restriction(page, int(asked["start"]), int(asked["limit"]))
        kind = "membersByGroupId" if self.cloud else "member"
        if group := re.fullmatch(rf"/rest/api/group/(?:id-)?([^/]+)/{kind}", path):
            members = self.groups.get(unquote(group.group(1)))
            if members is None:
                return None
            start = int(asked["start"])
            part = [one.told(cloud=self.cloud) for one in members[start : start + self.most]]
            more = {"next": f"{path}?start={start + self.most}"} if start + self.most < len(members) else {}
            return {"results": part, "start": start, "limit": self.most, "size": len(part), "_links": more}
        if path.startswith("/rest/mobile/1.0/profile/") and not self.cloud:
            emails = [one.email for one in self.people if one.id == last]
            return {"userName": last, "email": emails[0]} if emails else None
        return None

    def _search(self, asked: Mapping[str, str]) -> object:
        query, expand = asked["cql"], asked.get("expand", "").split(",")
        if "body.storage" in expand:
            self.on_read()
        space = re.search(r'space = "([^"]+)"', query)
        ids = re.search(r"id in \(([\d,]+)\)", query)
        found = [
            page
            for page in self.pages.values()
            if page.kind in ("page", "blogpost")
            and page.status == "current"
            and (space is None or page.space == space.group(1))
            and (ids is None or page.id in ids.group(1).split(","))
        ]
        start = int(asked.get("cursor", asked.get("start", "0")).removeprefix("c"))
        limit = min(int(asked["limit"]), self.most)
        part = [self._content(page, expand) for page in found[start : start + limit]]
        links: dict[str, str] = {"base": self.root, "context": "/wiki" if self.cloud else ""}
        if start + limit < len(found):
            place = {"cursor": f"c{start + limit}"} if self.cloud else {"start": str(start + limit)}
            links["next"] = f"/rest/api/content/search?{urlencode({**asked, **place, 'next': 'true'})}"
        return {"results": part, "start": start, "limit": limit, "size": len(part), "_links": links}

    def _content(self, page: WikiPage, expand: Sequence[str]) -> dict[str, object]:
        version = {"by": page.by.told(cloud=self.cloud), "when": f"2026-01-{page.version:02}T10:00:00.000Z"}
        told: dict[str, object] = {
            "id": page.id,
            "type": page.kind,
            "status": page.status,
            "title": page.title,
            "version": {**version, "number": page.version, "minorEdit": False},
            "space": {"key": page.space, "status": "archived" if page.space in self.archived_spaces else "current"},
            "_links": {"webui": self.webui(page), "self": f"{self.root}/rest/api/content/{page.id}"},
        }
        if "body.storage" in expand:
            told["body"] = {"storage": {"value": page.body, "representation": "storage"}}
        if "history.ownedBy" in expand and page.owner is not None:
            told["history"] = {"ownedBy": page.owner.told(cloud=self.cloud)}
        if "restrictions.read.restrictions.user" in expand:
            told["restrictions"] = {"read": self._restriction(page)}
        if "ancestors" in expand:
            told["ancestors"] = self._ancestors(page)
        return {name: value for name, value in told.items() if name not in self.without}

    def _ancestors(self, page: WikiPage) -> list[dict[str, object]]:
        above: list[dict[str, object]] = []
        while page.parent:
            page = self.pages[page.parent]
            told: dict[str, object] = {"id": page.id, "type": page.kind, "title": page.title}
            if "ancestors.restrictions" not in self.without:
                told["restrictions"] = {"read": self._restriction(page)}
            above.insert(0, told)
        return above

    def _restriction(self, page: WikiPage, start: int = 0, limit: int = 200) -> dict[str, object]:
        end = start + min(limit, self.restriction_limit)
        users = [one.told(cloud=self.cloud) for one in page.users[start:end]]
        groups = [{"type": "group", "name": name} for name in page.groups[start:end]]
        if self.cloud:
            groups = [{**one, "id": f"id-{one['name']}"} for one in groups]
        listed = {
            kind: {"results": found, "start": start, "limit": end - start, "size": len(found)}
            for kind, found in (("user", users), ("group", groups))
        }
        return {"operation": "read", "restrictions": listed}


@dataclass(kw_only=True)
class Issue:
    """One issue."""

    id: str
    key: str
    summary: str
    description: str = "<p>Text.</p>"
    updated: str = "2026-01-02T03:04:05.000+0000"
    status: str = "Open"
    level: str = ""
    assignee: Person | None = None
    reporter: Person | None = ANA
    comments: Sequence[Mapping[str, Any]] = ()
    """Each with author, text, and perhaps visibility or jsdPublic."""


@dataclass(kw_only=True)
class Tracker(Server):
    """Jira."""

    issues: dict[str, Issue] = field(default_factory=dict)
    """Those that the account may see, by id."""
    shown_comments: int = 20
    project_type: str = "software"
    strict: bool = False
    """Whether a search for an issue that is not there is refused."""
    on_read: Callable[[], None] = lambda: None
    """Called before texts are handed out."""

    @property
    def location(self) -> str:
        """The address of the project TEAM."""
        return f"{self.url}/browse/TEAM"

    def put(self, issue: Issue) -> str:
        """Put or replace an issue; returns its address."""
        self.issues[issue.id] = issue
        return f"{self.url}/browse/{issue.key}"

    def answer(self, path: str, asked: Mapping[str, str]) -> object:
        api = f"/rest/api/{3 if self.cloud else 2}"
        if path == f"{api}/myself":
            return {"accountId": "u-bot", "displayName": "Bot", "active": True}
        if path == f"{api}/search{'/jql' if self.cloud else ''}":
            return self._search(asked)
        if comments := re.fullmatch(rf"{api}/issue/(\d+)/comment", path):
            told = [self._comment(*one, rendered=True) for one in enumerate(self.issues[comments.group(1)].comments)]
            start, limit = int(asked["startAt"]), min(int(asked["maxResults"]), self.most)
            part = told[start : start + limit]
            return {"startAt": start, "maxResults": limit, "total": len(told), "comments": part}
        return None

    def _search(self, asked: Mapping[str, str]) -> object:
        jql, fields = asked["jql"], asked["fields"].split(",")
        if "summary" in fields:
            self.on_read()
        project = re.search(r'project = "([^"]+)"', jql)
        ids = re.search(r"id in \(([\d,]+)\)", jql)
        wanted = ids.group(1).split(",") if ids else list(self.issues)
        if self.strict and not set(wanted) <= self.issues.keys():
            return 400, {"errorMessages": ["A value with ID '1' does not exist for the field 'id'."], "errors": {}}
        found = [
            issue
            for issue in self.issues.values()
            if issue.id in wanted and (project is None or issue.key.startswith(f"{project.group(1)}-"))
        ]
        start = int(asked.get("nextPageToken", asked.get("startAt", "0")).removeprefix("t"))
        limit = min(int(asked["maxResults"]), self.most)
        rendered = asked.get("expand") == "renderedFields"
        told = [self._issue(issue, fields, rendered=rendered) for issue in found[start : start + limit]]
        if self.cloud:
            last = start + limit >= len(found)
            return {"issues": told, "isLast": last, **({} if last else {"nextPageToken": f"t{start + limit}"})}
        return {"startAt": start, "maxResults": limit, "total": len(found), "issues": told}

    def _issue(self, issue: Issue, fields: Sequence[str], *, rendered: bool) -> dict[str, object]:
        values: dict[str, object] = {
            "summary": issue.summary,
            "status": {"name": issue.status},
            "description": {"type": "doc", "version": 1, "content": []} if self.cloud else "h1. wiki",
            "updated": issue.updated,
            "security": {"id": "10", "name": issue.level} if issue.level else None,
            "assignee": issue.assignee and issue.assignee.told(cloud=self.cloud),
            "reporter": issue.reporter and issue.reporter.told(cloud=self.cloud),
            "issuetype": {"name": "Task"},
            "labels": ["handbook"],
            "project": {"key": issue.key.partition("-")[0], "projectTypeKey": self.project_type},
            "comment": self._comments(issue, rendered=False),
        }
        told: dict[str, object] = {"id": issue.id, "key": issue.key}
        told["fields"] = {name: value for name, value in values.items() if name in fields}
        if rendered:
            told["renderedFields"] = {
                "description": issue.description,
                "comment": self._comments(issue, rendered=True),
            }
        return told

    def _comments(self, issue: Issue, *, rendered: bool) -> dict[str, object]:
        shown = [self._comment(*one) for one in enumerate(issue.comments[: self.shown_comments])]
        if rendered:
            shown = [
                {**one, "body": comment["text"]}
                for one, comment in zip(shown, issue.comments[: len(shown)], strict=True)
            ]
        return {"comments": shown, "maxResults": len(shown), "total": len(issue.comments), "startAt": 0}

    def _comment(self, number: int, comment: Mapping[str, Any], *, rendered: bool = False) -> dict[str, object]:
        kept = {name: comment[name] for name in ("visibility", "jsdPublic") if name in comment}
        text = {"renderedBody": comment["text"]} if rendered else {}
        author = {"displayName": comment.get("author", "Ana Ruiz")}
        body = {"type": "doc"} if self.cloud else "wiki"
        return (
            {"id": str(number), "author": author, "body": body, "created": "2026-01-03T00:00:00.000+0000"} | kept | text
        )


@contextmanager
def atlassian_served(server: Server) -> Iterator[None]:
    """Serve one of the services while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            parts = urlsplit(self.path)
            asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            refused = next((status for end, status in server.refused.items() if parts.path.endswith(end)), 0)
            if server.troubles:
                self._say(*server.troubles.pop(0))
            elif server.down or refused:
                self._say(server.down or refused, {}, json.dumps({"message": "no"}))
            elif not server.open and not server.accepts(self.headers.get("Authorization", "")):
                self._say(401, {}, json.dumps({"message": "no"}))
            else:
                found = server.answer(parts.path, asked)
                status, body = found if isinstance(found, tuple) else (200 if found is not None else 404, found)
                self._say(status, {}, json.dumps(body if body is not None else {"message": "No such thing."}))

        def _say(self, status: int, headers: Mapping[str, str], body: str) -> None:
            content = body.encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # who asked may have given up
                self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the tests' output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            http.shutdown()
            thread.join(10)
