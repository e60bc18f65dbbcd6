"""Jira as a source, Cloud and Data Center: the issues of a project, or of a search, each with its comments.

Each run lists all issues with the time of their last change, and asks for those where it is another one: the times are
compared with each other only, so no clock and no time zone matters. What not all who see the project may see is left
out: issues with a security level, comments for a group or role, and internal notes of a service desk.
"""

from __future__ import annotations

import html
import json
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError
from knowledge.sources.atlassian import (
    AtlassianLimits,
    Json,
    RefusedError,
    Service,
    TooLongError,
    account_of,
    check_address,
    moment,
)
from knowledge.sources.atlassian_parts import left_out, read_apart, read_due
from knowledge.sources.source import Checkpoint, SourcePlace, SourceStep

MAX_ISSUE_CHARACTERS = 5_000_000
MAX_COMMENTS = 1_000
"""Of one issue; those beyond are left out."""
_LISTED = 100
_COMMENTS = 100
# A list handed out in parts may skip one or two; where hundreds are missing, they are gone.
_CONFIRMED = 200
_EXAMPLE = "https://example.atlassian.net/browse/TEAM"
_PROJECT = re.compile(
    r"^(?P<context>(?:/[^/]+)*?)(?:/jira/[a-z-]+(?:/c)?)?/(?:browse|projects)/(?P<key>[A-Za-z][A-Za-z0-9_]*)"
    r"(?P<number>-\d+)?(?:/.*)?$"
)
_ORDER = re.compile(r"\border\s+by\b[^\"']*$", re.IGNORECASE)
_LIST_FIELDS = "updated,security"
_FIELDS = (
    "summary,status,description,comment,assignee,reporter,updated,security,issuetype,priority,resolution,labels,project"
)


@dataclass(frozen=True, kw_only=True)
class JiraPlace:
    """A server of Jira and the search for its issues that count."""

    root: str
    jql: str


@dataclass(frozen=True, kw_only=True)
class _Known:
    updated: str
    key: str


class JiraSource:
    """All issues that a search finds; `changes` may be called again and again, from one thread at a time."""

    def __init__(
        self,
        place: SourcePlace,
        limits: AtlassianLimits | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._place = place
        self._jira = parse_jira(place.location)
        self._account = account_of(place.secret, self._jira.root)
        self._limits = limits or AtlassianLimits()
        self._sleep = sleep

    @property
    def id(self) -> str:
        return self._place.id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        with Service(self._jira.root, self._account, self._limits, self._sleep) as service:
            yield from _Run(service, self._jira, self._place, _read_cursor(cursor), retry).steps()


class _Run:
    """One look at all issues: what is known of each, and what is there now."""

    def __init__(
        self,
        service: Service,
        jira: JiraPlace,
        place: SourcePlace,
        before: Mapping[str, _Known],
        retry: Collection[str],
    ) -> None:
        self._service, self._jira, self._place, self._retry = service, jira, place, retry
        self._api = f"rest/api/{3 if service.cloud else 2}"
        self._before = before
        self._after = dict(before)
        self._issues: dict[str, _Known] = {}
        self._left_out = False

    def steps(self) -> Iterator[SourceStep]:
        self._list()
        yield from self._deletions()
        due = [key for key, issue in self._issues.items() if self._is_due(key, issue)]
        yield from read_due(due, self._read, self._checkpoint)
        if self._left_out:
            yield left_out(self._place.location, self._service, what="issues", instead="searches for those")
        yield self._checkpoint()

    def _list(self) -> None:
        if self._service.known:
            # Without it, a server may take us for nobody, and hide as if deleted what is not public.
            self._service.get(f"{self._api}/myself")
        listed: set[str] = set()
        for issue in self._search(self._jira.jql, _LIST_FIELDS, _LISTED):
            if len(listed) >= self._service.limits.documents:
                self._left_out = True
                break
            listed.add(str(issue["id"]))
            self._note(issue)
        # A list that is handed out in parts skips an issue where another one before it goes meanwhile.
        missing = [key for key in self._before if key not in listed]
        if len(missing) <= _CONFIRMED:
            for issue in self._chosen(missing, _LIST_FIELDS):
                self._note(issue)
        if not listed:
            raise self._service.unavailable(
                f"the search {self._jira.jql!r} finds no issue that the account may see",
                "Check it in Jira, and that the account may browse the project; if there is nothing to find any more, "
                "remove this source.",
            )

    def _search(self, jql: str, fields: str, limit: int, expand: str = "") -> Iterator[Json]:
        asked: dict[str, object] = {"jql": f"{jql} ORDER BY created ASC, key ASC", "fields": fields}
        asked |= {"maxResults": limit, **({"expand": expand} if expand else {})}
        path = f"{self._api}/search/jql" if self._service.cloud else f"{self._api}/search"
        start, seen = 0, set[str]()
        while True:
            answer = self._service.get(path, asked)
            found = answer.get("issues") or []
            yield from found
            if self._service.cloud:
                token = str(answer.get("nextPageToken") or "")
                if answer.get("isLast") is True or not token:
                    return
                if token in seen:
                    raise self._service.unavailable("its list of issues goes round in circles", "Try again later.")
                seen.add(token)
                asked["nextPageToken"] = token
            else:
                start += len(found)
                if not found or start >= int(answer.get("total") or 0):
                    return
                asked["startAt"] = start

    def _chosen(self, keys: Sequence[str], fields: str, expand: str = "") -> Iterator[Json]:
        """Those of the issues that the search still finds."""
        if not keys:
            return
        jql = f"({self._jira.jql}) AND id in ({','.join(keys)})"
        try:
            found = list(self._search(jql, fields, len(keys), expand))
        except (RefusedError, TooLongError) as error:
            if isinstance(error, RefusedError) and error.status not in (400, 404):
                raise
            # A search for issues of which one is gone may be refused as a whole.
            if len(keys) > 1:
                for key in keys:
                    yield from self._chosen([key], fields, expand)
            elif isinstance(error, TooLongError):
                raise
            return
        yield from found

    def _note(self, issue: Json) -> None:
        if _is_open(issue):
            updated = str((issue.get("fields") or {}).get("updated") or "")
            self._issues[str(issue["id"])] = _Known(updated=updated, key=str(issue["key"]))

    def _deletions(self) -> Iterator[DeletedDocument]:
        for key, known in self._before.items():
            if key not in self._issues:
                del self._after[key]
                yield DeletedDocument(uri=self._uri(known.key))

    def _is_due(self, key: str, issue: _Known) -> bool:
        known = self._before.get(key)
        uris = {self._uri(one.key) for one in (known, issue) if one is not None}
        return known != issue or not uris.isdisjoint(self._retry)

    def _read(self, keys: Sequence[str]) -> Iterator[SourceStep]:
        try:
            found = {str(issue["id"]): issue for issue in self._chosen(keys, _FIELDS, "renderedFields")}
        except TooLongError:
            yield from read_apart(keys, self._read, self._failed, self._service)
            return
        for key in keys:
            if key not in found:
                yield self._failed(key, "Jira lists it, but does not hand it out at the moment.")
            elif not _is_open(found[key]):
                # Closed since the list was made.
                if self._after.pop(key, None) is not None:
                    yield DeletedDocument(uri=self._uri(self._before[key].key))
            else:
                yield self._document(key, found[key])

    def _document(self, key: str, issue: Json) -> FetchedDocument | FailedDocument:
        fields, known = issue["fields"], self._before.get(key)
        title = f"{issue['key']}: {' '.join(str(fields.get('summary') or '').split())}"
        content = _page(title, issue, self._comments(issue))
        if len(content) > MAX_ISSUE_CHARACTERS:
            return self._failed(key, f"Its text is longer than {MAX_ISSUE_CHARACTERS:,} characters.")
        now = _Known(updated=str(fields.get("updated") or ""), key=str(issue["key"]))
        self._after[key] = now
        return FetchedDocument(
            uri=self._uri(now.key),
            title=title,
            content=content.encode("utf-8", "replace"),
            media_type="text/html",
            audience=self._place.audience,
            modified_at=moment(now.updated),
            moved_from=self._uri(known.key) if known is not None and known.key != now.key else None,
            owner=_name(fields.get("assignee")) or _name(fields.get("reporter")),
        )

    def _comments(self, issue: Json) -> Iterator[Json]:
        """The comments that all may read who may read the issue, each with its text as HTML in `renderedBody`."""
        told, desk = issue["fields"].get("comment") or {}, _is_of_desk(issue)
        shown = ((issue.get("renderedFields") or {}).get("comment") or {}).get("comments") or ()
        texts = {str(one.get("id")): one.get("body") for one in shown}
        comments = [{**one, "renderedBody": texts.get(str(one.get("id")))} for one in told.get("comments") or ()]
        whole = int(told.get("total") or 0) <= len(comments)
        if not whole or not all(isinstance(one["renderedBody"], str) for one in comments if _is_for_all(one, desk)):
            comments = self._asked_comments(str(issue["id"]))
        return (one for one in comments if _is_for_all(one, desk))

    def _asked_comments(self, key: str) -> list[dict[str, Any]]:
        path = f"{self._api}/issue/{quote(key, safe='')}/comment"
        comments: list[dict[str, Any]] = []
        while len(comments) < MAX_COMMENTS:
            asked = {"startAt": len(comments), "maxResults": _COMMENTS, "expand": "renderedBody", "orderBy": "created"}
            answer = self._service.get(path, asked)
            found = answer.get("comments") or []
            comments += found
            if not found or len(comments) >= int(answer.get("total") or 0):
                break
        return comments

    def _failed(self, key: str, reason: str) -> FailedDocument:
        return FailedDocument(uri=self._uri(self._before.get(key, self._issues[key]).key), reason=reason)

    def _uri(self, key: str) -> str:
        return f"{self._jira.root}/browse/{quote(key, safe='')}"

    def _checkpoint(self) -> Checkpoint:
        issues = {key: [known.updated, known.key] for key, known in self._after.items()}
        return Checkpoint(cursor=json.dumps({"issues": issues}))


def parse_jira(location: str) -> JiraPlace:
    """Take the address of a project or search apart; raises SourceError, which shows no password."""
    parts = check_address(location, _EXAMPLE)
    asked, path = dict(parse_qsl(parts.query)), unquote(parts.path).rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    found = _PROJECT.match(path)
    # What stands before the list of issues is not Jira's own, but where it is installed.
    context = found["context"] if found is not None else path.removesuffix("/issues")
    jql = _ORDER.sub("", asked.get("jql", "")).strip()
    if jql:
        return JiraPlace(root=origin + context, jql=jql)
    if re.fullmatch(r"\d+", asked.get("filter", "")):
        return JiraPlace(root=origin + context, jql=f"filter = {asked['filter']}")
    if found is None or found["number"]:
        what = "names one issue" if found is not None else "names neither a project nor a search"
        raise SourceError(
            f"{location.strip()} {what}. Expected an address like {_EXAMPLE}, or of a search, like "
            f"{origin}/issues/?jql=labels%20%3D%20handbook."
        )
    return JiraPlace(root=origin + context, jql=f'project = "{found["key"]}"')


def _page(title: str, issue: Json, comments: Iterator[Json]) -> str:
    fields, rendered = issue["fields"], issue.get("renderedFields") or {}
    told = {
        "Status": _name(fields.get("status")),
        "Resolution": _name(fields.get("resolution")),
        "Type": _name(fields.get("issuetype")),
        "Priority": _name(fields.get("priority")),
        "Assignee": _name(fields.get("assignee")),
        "Reporter": _name(fields.get("reporter")),
        "Labels": ", ".join(map(str, fields.get("labels") or ())),
    }
    shown = html.escape(title)
    lines = [f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{shown}</title></head><body><h1>{shown}</h1>']
    lines.append(f"<p>{' · '.join(f'{what}: {html.escape(value)}' for what, value in told.items() if value)}</p>")
    if isinstance(rendered.get("description"), str) and rendered["description"].strip():
        lines.append(f"<h2>Description</h2>\n{rendered['description']}")
    for number, comment in enumerate(comments):
        said = moment(comment.get("created"))
        heading = f"{_name(comment.get('author'))}{f' on {said:%Y-%m-%d}' if said else ''}".strip()
        lines.append("<h2>Comments</h2>" if number == 0 else "")
        lines.append(f"<h3>{html.escape(heading or 'Comment')}</h3>\n{comment.get('renderedBody') or ''}")
    return "\n".join([*filter(None, lines), "</body></html>"])


def _name(told: object) -> str:
    if not isinstance(told, Mapping):
        return ""
    return " ".join(str(told.get("displayName") or told.get("name") or "").split())


def _is_open(issue: Json) -> bool:
    """Whether all may read the issue who may browse its project."""
    return not (issue.get("fields") or {}).get("security")


def _is_of_desk(issue: Json) -> bool:
    return (issue["fields"].get("project") or {}).get("projectTypeKey") == "service_desk"


def _is_for_all(comment: Json, desk: bool) -> bool:
    # A Data Center does not say which comments of a service desk are notes of its agents: then all may be.
    public = comment.get("jsdPublic")
    return not comment.get("visibility") and (public is True if desk else public is not False)


def _read_cursor(cursor: str | None) -> dict[str, _Known]:
    if cursor is None:
        return {}
    return {key: _Known(updated=kept[0], key=kept[1]) for key, kept in json.loads(cursor)["issues"].items()}
