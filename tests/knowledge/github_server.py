"""GitHub for tests: one repository over HTTP, with answers shaped as those of its REST and GraphQL interfaces.

Lists come in small pages that lead on with Link headers or GraphQL cursors. What the server is told to do wrong is
in its fields; it keeps who asked for what.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

Json = dict[str, Any]
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class Answer:
    """What the server says instead of what it should."""

    status: int
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    """Only where the address or the body of a request holds this; everywhere else as it should."""
    times: int = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request."""

    path: str
    query: Mapping[str, str]
    body: Json
    token: str


@dataclass(kw_only=True)
class FakeGithub:
    """One repository and its clock; `numbers` are shared by issues and discussions, as GitHub's are."""

    url: str = ""
    owner: str = "acme"
    name: str = "handbook"
    id: int = 4711
    token: str = "ghp_" + "a1" * 18
    """The only one that is accepted."""
    private: bool = False
    now: datetime = START
    issues: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, list[Json]] = field(default_factory=dict)
    discussions: dict[int, Json] = field(default_factory=dict)
    moved: dict[int, str] = field(default_factory=dict)
    """Issue -> the path in the API where it was moved to."""
    has_issues: bool = True
    has_discussions: bool = True
    page_size: int = 100
    wrong: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    former: str = ""
    """The name before the repository got this one."""
    budget: int | None = None
    """So many requests are answered, until `reset`."""
    reset: datetime = START + timedelta(hours=1)
    _last: int = 0

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def location(self) -> str:
        """Of issues and discussions."""
        return f"{self.url}/{self.full_name}"

    def tick(self, seconds: float = 1) -> str:
        """Let time pass; returns the moment as GitHub writes it."""
        self.now += timedelta(seconds=seconds)
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")

    def issue(self, title: str, body: str | None = "", **more: Any) -> int:
        """Open an issue; returns its number."""
        number, moment = self._number(), self.tick()
        self.issues[number] = {
            "id": 1000 + number,
            "number": number,
            "title": title,
            "body": body,
            "user": user("ada"),
            "state": "open",
            "state_reason": None,
            "labels": [],
            "comments": 0,
            "created_at": moment,
            "updated_at": moment,
            **more,
        }
        return number

    def comment(self, number: int, text: str, author: str = "ben", kind: str = "User") -> Json:
        """Say something to an issue."""
        moment = self.tick()
        said = {
            "id": 9000 + sum(map(len, self.comments.values())),
            "user": user(author, kind),
            "body": text,
            "created_at": moment,
            "updated_at": moment,
            "issue_url": f"{self.url}/api/v3/repos/{self.full_name}/issues/{number}",
        }
        self.comments.setdefault(number, []).append(said)
        self.issues[number] |= {"comments": len(self.comments[number]), "updated_at": moment}
        return said

    def discussion(self, title: str, body: str = "", **more: Any) -> int:
        """Begin a discussion; returns its number."""
        number, moment = self._number(), self.tick()
        self.discussions[number] = {
            "number": number,
            "title": title,
            "body": body,
            "createdAt": moment,
            "updatedAt": moment,
            "closed": False,
            "answerChosenAt": None,
            "author": {"__typename": "User", "login": "ada"},
            "category": {"name": "Q&A", "isAnswerable": True},
            "labels": {"nodes": []},
            "answer": None,
            "comments": [],
            **more,
        }
        return number

    def reply(self, number: int, text: str, author: str = "ben", to: Json | None = None, **more: Any) -> Json:
        """Say something to a discussion, or to a comment of it."""
        moment = self.tick()
        said = {
            "id": f"DC_{number}_{self.now.timestamp():.0f}",
            "body": text,
            "createdAt": moment,
            "updatedAt": moment,
            "isMinimized": False,
            "author": {"__typename": "User", "login": author},
            "replies": [],
            **more,
        }
        (to["replies"] if to else self.discussions[number]["comments"]).append(said)
        self.discussions[number]["updatedAt"] = moment
        return said

    def accept(self, number: int, said: Json) -> None:
        """Choose the answer of a discussion."""
        moment = self.tick()
        self.discussions[number] |= {"answer": said, "answerChosenAt": moment, "updatedAt": moment}

    def touch(self, number: int, **changes: Any) -> None:
        """Edit an issue or discussion."""
        found = self.issues.get(number) or self.discussions[number]
        found |= changes | {"updated_at" if number in self.issues else "updatedAt": self.tick()}

    def rename(self, name: str) -> None:
        """Give the repository another name; the one before leads on."""
        self.former, self.name = self.full_name, name

    def paths(self) -> list[str]:
        """What was asked for, in order, without the beginning that all share."""
        return [one.path.removeprefix("/api/").removeprefix("v3/repos/") for one in self.asked]

    def _number(self) -> int:
        self._last += 1
        return self._last

    def shown(self, number: int) -> Json:
        """An issue as the REST interface tells it."""
        issue = self.issues[number]
        api, page = f"{self.url}/api/v3/repos/{self.full_name}", f"{self.url}/{self.full_name}"
        return {
            **issue,
            "url": f"{api}/issues/{number}",
            "repository_url": api,
            "comments_url": f"{api}/issues/{number}/comments",
            "html_url": f"{page}/{'pull' if 'pull_request' in issue else 'issues'}/{number}",
        }


def user(login: str, kind: str = "User") -> Json:
    """An account as the REST interface tells it."""
    return {"login": login, "id": len(login), "type": kind, "html_url": f"https://github.com/{login}"}


def _as_graphql(said: Json) -> Json:
    """A comment of the REST interface as GraphQL tells it."""
    login, kind = said["user"]["login"], said["user"]["type"]
    author = {"__typename": kind, "login": login.removesuffix("[bot]")}
    shown = {"id": f"IC_{said['id']}", "body": said["body"], "createdAt": said["created_at"]}
    return {**shown, "author": None if login == "ghost" else author, "isMinimized": said.get("hidden", False)}


class _Handler(BaseHTTPRequestHandler):
    place: FakeGithub

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.place.now, usegmt=True)

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, body: Json) -> None:
        place, parts = self.place, urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        token = (self.headers["Authorization"] or "").removeprefix("token ")
        place.asked.append(Asked(path=parts.path, query=query, body=body, token=token))
        told = f"{parts.path}?{parts.query} {body.get('query', '')} {json.dumps(body.get('variables', {}))}"
        for wrong in place.wrong:
            if wrong.path in told and wrong.times > 0:
                wrong.times -= 1
                return self._answer(wrong.status, wrong.body, wrong.headers)
        if token and token != place.token:
            return self._answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com"})
        if place.private and not token:
            return self._answer(404, {"message": "Not Found", "status": "404"})
        if place.budget is not None and place.now < place.reset:
            if place.budget <= 0:
                limit = {"X-RateLimit-Limit": "60", "X-RateLimit-Remaining": "0"}
                limit["X-RateLimit-Reset"] = f"{place.reset.timestamp():.0f}"
                return self._answer(403, {"message": "API rate limit exceeded for 127.0.0.1."}, limit)
            place.budget -= 1
        if parts.path == "/api/graphql":
            return self._graphql(body, token)
        former = f"/api/v3/repos/{place.former}"
        if place.former and parts.path.startswith(former):
            onward = f"{place.url}/api/v3/repositories/{place.id}{parts.path.removeprefix(former)}"
            return self._answer(301, {"message": "Moved Permanently"}, {"Location": onward})
        return self._rest(parts.path, query)

    def _rest(self, path: str, query: Mapping[str, str]) -> None:
        place = self.place
        base = rf"/api/v3/(?:repos/{re.escape(place.full_name)}|repositories/{place.id})"
        found = re.fullmatch(rf"{base}(?P<rest>/.*)?", path)
        rest = found["rest"] if found else None
        if found and rest is None:
            has = {"has_issues": place.has_issues, "has_discussions": place.has_discussions}
            return self._answer(200, {"id": place.id, "full_name": place.full_name, "private": False, **has})
        if found and not place.has_issues:
            return self._answer(410, {"message": "Issues are disabled for this repo"})
        if rest == "/issues":
            return self._issues(path, query)
        if rest == "/issues/comments":
            since = query.get("since", "")
            said = [one for listed in place.comments.values() for one in listed if one["updated_at"] >= since]
            newest = sorted(said, key=lambda one: str(one["updated_at"]), reverse=query["direction"] == "desc")
            return self._page(path, query, newest)
        one = re.fullmatch(r"/issues/(\d+)(/comments)?", rest or "")
        number = int(one[1]) if one else 0
        if number in place.moved:
            return self._answer(301, {"message": "Moved"}, {"Location": f"{place.url}/api/v3{place.moved[number]}"})
        if one and number in place.issues:
            if one[2]:
                return self._page(path, query, place.comments.get(number, []))
            return self._answer(200, place.shown(number))
        elsewhere = re.fullmatch(r"/api/v3/repositories/99/issues/(\d+)", path)
        if elsewhere:
            other = f"{place.url}/api/v3/repos/acme/other"
            return self._answer(200, {"number": int(elsewhere[1]), "title": "Elsewhere", "repository_url": other})
        return self._answer(404, {"message": "Not Found", "status": "404"})

    def _issues(self, path: str, query: Mapping[str, str]) -> None:
        assert query["state"] == "all"
        by = {"updated": "updated_at", "created": "created_at"}[query["sort"]]
        listed = [self.place.shown(number) for number in self.place.issues]
        listed = [one for one in listed if one["updated_at"] >= query.get("since", "")]
        self._page(path, query, sorted(listed, key=lambda one: (one[by], one["number"])))

    def _page(self, path: str, query: Mapping[str, str], items: list[Json]) -> None:
        page = int(query.get("page", "1"))
        size = min(self.place.page_size, int(query["per_page"]))
        links = {}
        if page * size < len(items):
            # GitHub leads on by the repository's id.
            onward = path.replace(f"repos/{self.place.full_name}", f"repositories/{self.place.id}")
            following = urlencode({**query, "page": page + 1})
            links["Link"] = (
                f'<{self.place.url}{onward}?{following}>; rel="next", <{self.place.url}{onward}?page=9>; rel="last"'
            )
        self._answer(200, items[(page - 1) * size : page * size], links)

    def _graphql(self, body: Json, token: str) -> None:
        place, asked = self.place, body["variables"]
        if not token:
            return self._answer(401, {"message": "This endpoint requires you to be authenticated."})
        if "node(id:" in body["query"]:
            return self._answer(200, {"data": {"node": self._node(asked)}})
        if f"{asked['owner']}/{asked['name']}" != place.full_name:
            missing = {"type": "NOT_FOUND", "path": ["repository"], "message": "Could not resolve to a Repository"}
            return self._answer(200, {"data": {"repository": None}, "errors": [missing]})
        if body["query"].startswith("query Count("):
            return self._answer(200, {"data": {"repository": self._counts(body["query"], asked)}})
        if "issueOrPullRequest(" in body["query"]:
            return self._answer(200, self._talk(body["query"], asked))
        if "discussions(" in body["query"]:
            newest = sorted(place.discussions.values(), key=lambda one: str(one["updatedAt"]), reverse=True)
            heads = [{**one, "comments": self._connection(one["comments"], {}, 100)} for one in newest]
            return self._answer(200, {"data": {"repository": {"discussions": self._connection(heads, asked, 50)}}})
        found = place.discussions.get(asked["number"])
        if found is None:
            said = f"Could not resolve to a Discussion with the number of {asked['number']}."
            missing = {"type": "NOT_FOUND", "path": ["repository", "discussion"], "message": said}
            return self._answer(200, {"data": {"repository": {"discussion": None}}, "errors": [missing]})
        comments = [self._comment(one) for one in found["comments"]]
        answer = self._comment(found["answer"]) if found["answer"] else None
        shown = {**found, "answer": answer, "comments": self._connection(comments, asked, 50)}
        return self._answer(200, {"data": {"repository": {"discussion": shown}}})

    def _counts(self, query: str, asked: Json) -> Json:
        since = asked["since"] if "since: $since" in query else ""
        changed = [one for one in self.place.issues.values() if one["updated_at"] >= since]
        told = {
            "issues": sum("pull_request" not in one for one in changed),
            "pullRequests": sum("pull_request" in one for one in self.place.issues.values()),
        }
        return {name: {"totalCount": count} for name, count in told.items() if re.search(rf"\b{name}\b", query)}

    def _talk(self, query: str, asked: Json) -> Json:
        """The comments of one issue, or of several of them by their aliases."""
        wanted = {
            name: int(number) for name, number in re.findall(r"(i\d+): issueOrPullRequest\(number: (\d+)\)", query)
        }
        found: Json = {}
        errors = []
        for name, number in (wanted or {"issueOrPullRequest": asked["number"]}).items():
            said = [_as_graphql(one) for one in self.place.comments.get(number, [])]
            there = number in self.place.issues
            found[name] = {"comments": self._connection(said, asked, 100)} if there else None
            if not there:
                errors.append({"type": "NOT_FOUND", "path": ["repository", name], "message": "Could not resolve."})
        return {"data": {"repository": found}, **({"errors": errors} if errors else {})}

    def _comment(self, said: Json) -> Json:
        return {**said, "replies": self._connection(said["replies"], {}, 50)}

    def _node(self, asked: Json) -> Json | None:
        for found in self.place.discussions.values():
            for said in found["comments"]:
                if said["id"] == asked["id"]:
                    return {"replies": self._connection(said["replies"], asked, 100)}
        return None

    def _connection(self, items: list[Json], asked: Json, size: int) -> Json:
        size = min(size, self.place.page_size)
        begin = int(str(asked.get("after") or "cursor:0").rpartition(":")[2])
        info = {"hasNextPage": begin + size < len(items), "endCursor": f"cursor:{begin + size}"}
        return {"totalCount": len(items), "pageInfo": info, "nodes": items[begin : begin + size]}

    def _answer(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json; charset=utf-8", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""


@contextmanager
def github_served() -> Iterator[FakeGithub]:
    """Serve a repository that is empty at first."""
    place = FakeGithub()
    handler = type("Handler", (_Handler,), {"place": place})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        place.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield place
        finally:
            server.shutdown()
            thread.join(10)
