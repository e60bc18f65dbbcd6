"""A walk over the issues of a repository and, where they are wanted, its pull requests: GitHub lists both as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from knowledge.errors import SourceUnavailableError
from knowledge.sources.github.api import BrokenError, GoneError, Page
from knowledge.sources.github.comments import IssueComments, Said, is_bot, rest_post
from knowledge.sources.github.delivery import FAILED, MOMENT, OVERLAP, Delivery, seconds_of, text_of, time_of
from knowledge.sources.github.queries import count_of
from knowledge.sources.github.thread import Thread
from knowledge.sources.source import Expected, SourceStep

_REASONS = {"not_planned": "closed as not planned", "duplicate": "closed as a duplicate"}

Json = Mapping[str, Any]


class IssueWalk:
    """What changed since the last run, and what is gone."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._api = delivery.api
        self._shelf = delivery.position.issues
        self._comments = IssueComments(delivery)

    def steps(self) -> Iterator[SourceStep]:
        """Deliver what is due, the oldest change first."""
        shelf, delivery = self._shelf, self._delivery
        since, comments_since = shelf.since, shelf.comments_since
        begun = text_of(delivery.now - MOMENT)
        if not comments_since:
            shelf.comments_since = begun
        for count, page in enumerate(self._changed(since)):
            if count == 0:
                yield from self._expected(page, since)
            self._read_ahead(page.items)
            for issue in page.items:
                if self._is_due(issue):
                    yield from self._deliver(issue)
                # Only now: all that changed before this one is delivered.
                shelf.since = max(shelf.since, str(issue["updated_at"]))
        if comments_since:
            yield from self._edited(comments_since)
            shelf.comments_since = begun
        if not since and not shelf.known.keys() - delivery.delivered.keys():
            shelf.listed = delivery.now.timestamp()
        elif delivery.listing_is_due(shelf):
            yield from self._listed()
        for number in (*delivery.retried("issues"), *delivery.retried("pulls")):
            yield from self._one(number)

    def _expected(self, first: Page, since: str) -> Iterator[SourceStep]:
        """How many will come, where GitHub says so. What only a look at all of them shows comes besides."""
        if not first.has_more:
            yield Expected(documents=sum(map(self._is_due, first.items)))
            return
        parts = [part for part in self._delivery.place.parts if part != "discussions"]
        # Lists do not say how long they are; GraphQL does, to nobody without a token, and of pull requests only how
        # many there are in all.
        if not self._api.has_token or (since and "pulls" in parts):
            return
        after = {"since": text_of(time_of(since) + timedelta(seconds=1))} if since else {}
        try:
            found = self._api.query_repository(self._delivery.position.name, count_of(parts, since=bool(since)), after)
        except SourceUnavailableError:
            # A run is worth more than how far it is; where nothing can be read, the next request says so.
            return
        yield Expected(documents=sum(int(one["totalCount"]) for one in found.values()))

    def _changed(self, since: str) -> Iterator[Page]:
        """Issues and pull requests in the order of their last change.

        Never a second page where a new beginning is possible: what changes meanwhile goes to the end, and the first
        one of each later page would slip into the page before, unread.
        """
        begin = text_of(time_of(since) - OVERLAP) if since else ""
        while True:
            following = ""
            order = {"state": "all", "sort": "updated", "direction": "asc", **({"since": begin} if begin else {})}
            for page in self._api.pages(self._path("/issues"), order):
                yield page
                # A second earlier, so that none of the same second is left out.
                last = text_of(time_of(page.items[-1]["updated_at"]) - timedelta(seconds=1)) if page.items else ""
                if page.has_more and last > begin:
                    following = last
                    break
            if not following:
                return
            begin = following

    def _read_ahead(self, issues: Sequence[Json]) -> None:
        due = [int(issue["number"]) for issue in issues if issue.get("comments") and self._is_due(issue)]
        self._comments.read_ahead(due)

    def _is_due(self, issue: Json) -> bool:
        number, part, version = issue["number"], _part(issue), _version(issue)
        if part not in self._delivery.place.parts or self._delivery.delivered.get(number) in (version, FAILED):
            return False
        return self._shelf.known.get(number) != version or self._delivery.uri(part, number) in self._delivery.retry

    def _deliver(self, issue: Json) -> Iterator[SourceStep]:
        """An issue with its comments."""
        number, part = int(issue["number"]), _part(issue)
        if part == "pulls":
            self._delivery.position.pulls.add(number)
        try:
            count = int(issue.get("comments") or 0)
            said = self._comments.of(number, count) if count else Said(posts=())
        except BrokenError as error:
            yield self._delivery.failed(part, self._shelf, number, error)
            return
        except GoneError:
            # Gone since it was listed; the next list tells for sure.
            return
        thread = _thread(issue, self._delivery.position.name, said)
        version, updated = _version(issue), str(issue["updated_at"])
        yield self._delivery.document(part, self._shelf, thread, version=version, updated=updated)

    def _edited(self, since: str) -> Iterator[SourceStep]:
        """Issues of which only a comment was edited: their own time of change may stay the same."""
        # The newest first: what changes meanwhile comes twice, and none is left out.
        order = {"sort": "updated", "direction": "desc", "since": since}
        numbers: set[int] = set()
        for page in self._api.pages(self._path("/issues/comments"), order):
            numbers |= {_number(comment) for comment in page.items if not is_bot(comment.get("user"))}
        for number in sorted(numbers & self._shelf.known.keys() - self._delivery.delivered.keys()):
            yield from self._one(number)

    def _one(self, number: int) -> Iterator[SourceStep]:
        """Ask for one issue by itself, and see whether it is gone."""
        delivery = self._delivery
        part = "pulls" if number in delivery.position.pulls else "issues"
        try:
            issue, _ = self._api.get(self._path(f"/issues/{number}"))
        except GoneError:
            yield from delivery.gone(part, self._shelf, number)
            return
        # GitHub leads on to where an issue was moved to, in another repository.
        here = f"/repos/{delivery.position.name}".lower()
        if issue["number"] != number or not str(issue["repository_url"]).lower().endswith(here):
            yield from delivery.gone(part, self._shelf, number)
        elif _part(issue) in delivery.place.parts:
            yield from self._deliver(issue)

    def _listed(self) -> Iterator[SourceStep]:
        """See all of them: what is gone, and what changed without a new time of change."""
        found: set[int] = set()
        order = {"state": "all", "sort": "created", "direction": "asc"}
        for page in self._api.pages(self._path("/issues"), order):
            self._read_ahead(page.items)
            for issue in page.items:
                found.add(issue["number"])
                if issue["number"] not in self._delivery.delivered and self._is_due(issue):
                    yield from self._deliver(issue)
        yield from self._delivery.missing(self._shelf, found, self._one)

    def _path(self, rest: str) -> str:
        # By the name that GitHub gives it: what leads on from an earlier one would lose what is asked.
        return f"/repos/{self._delivery.position.name}{rest}"


def _part(issue: Json) -> str:
    return "pulls" if issue.get("pull_request") else "issues"


def _version(issue: Json) -> str:
    return f"{seconds_of(issue['updated_at'])}.{issue.get('comments') or 0}"


def _number(comment: Json) -> int:
    return int(str(comment["issue_url"]).rpartition("/")[2])


def _thread(issue: Json, repository: str, said: Said) -> Thread:
    names = (label.get("name") if isinstance(label, dict) else label for label in issue.get("labels") or ())
    return Thread(
        kind="Pull request" if _part(issue) == "pulls" else "Issue",
        number=issue["number"],
        repository=repository,
        title=str(issue.get("title") or f"#{issue['number']}"),
        state=_state(issue),
        first=rest_post(issue),
        labels=tuple(str(name) for name in names if name),
        comments=said.posts,
        left_out=said.left_out,
    )


def _state(issue: Json) -> str:
    if (issue.get("pull_request") or {}).get("merged_at"):
        return "merged"
    state = str(issue.get("state") or "open")
    return _REASONS.get(str(issue.get("state_reason")), state) if state == "closed" else state
