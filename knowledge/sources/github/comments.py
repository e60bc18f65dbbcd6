"""What people said to issues and pull requests.

With a token many issues are asked about at once, as the first reading of a large repository would else take hours;
without one GitHub tells the comments of one issue at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knowledge.sources.github.api import BrokenError, GoneError
from knowledge.sources.github.delivery import Delivery
from knowledge.sources.github.queries import ISSUE_COMMENTS, comments_of_issues
from knowledge.sources.github.thread import Post

_AT_ONCE = 20

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Said:
    """The comments of one issue."""

    posts: tuple[Post, ...]
    left_out: int = 0
    """So many were too many to read."""


class IssueComments:
    """Comments of one repository's issues; those of bots, and those that were hidden, are left out."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._api = delivery.api
        self._ahead: dict[int, Said] = {}

    def read_ahead(self, numbers: Sequence[int]) -> None:
        """Ask about many issues at once, where that is possible; what it does not tell is asked for later."""
        self._ahead.clear()
        if not self._api.has_token:
            return
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE]
            try:
                found = self._asked(comments_of_issues(some))
            except BrokenError:
                continue  # too much at once; each of them is asked for by itself
            for number in some:
                page = (found.get(f"i{number}") or {}).get("comments")
                if page and not page["pageInfo"]["hasNextPage"]:
                    self._ahead[number] = Said(posts=_posts(page))

    def of(self, number: int, count: int) -> Said:
        """The comments of one issue, of which there are about so many.

        Raises GoneError, and BrokenError where this one cannot be read.
        """
        if number in self._ahead:
            return self._ahead.pop(number)
        return self._told(number) if self._api.has_token else self._listed(number, count)

    def _told(self, number: int) -> Said:
        posts: list[Post] = []
        read, after = 0, None
        while True:
            found = self._asked(ISSUE_COMMENTS, number=number, after=after).get("issueOrPullRequest")
            if not found:
                raise GoneError(f"GitHub shows no issue {number} in {self._delivery.position.name}.")
            page = found["comments"]
            posts += _posts(page)
            read += len(page["nodes"])
            if not page["pageInfo"]["hasNextPage"]:
                return Said(posts=tuple(posts))
            if read >= self._delivery.limits.max_comments:
                return Said(posts=tuple(posts), left_out=max(1, page["totalCount"] - read))
            after = page["pageInfo"]["endCursor"]

    def _listed(self, number: int, count: int) -> Said:
        posts: list[Post] = []
        read = 0
        for page in self._api.pages(f"/repos/{self._delivery.position.name}/issues/{number}/comments", {}):
            posts += [rest_post(comment) for comment in page.items if not is_bot(comment.get("user"))]
            read += len(page.items)
            if page.has_more and read >= self._delivery.limits.max_comments:
                return Said(posts=tuple(posts), left_out=max(1, count - read))
        return Said(posts=tuple(posts))

    def _asked(self, text: str, **variables: object) -> Json:
        return self._api.query_repository(self._delivery.position.name, text, variables)


def is_bot(user: Json | None) -> bool:
    """Whether an account is a program's."""
    return user is not None and (user.get("type") == "Bot" or str(user.get("login", "")).endswith("[bot]"))


def rest_post(said: Json) -> Post:
    """What somebody said, as the REST interface tells it."""
    author = str((said.get("user") or {}).get("login") or "")
    return Post(
        # The account that GitHub shows in place of deleted ones.
        author="" if author == "ghost" else author,
        day=str(said.get("created_at") or "")[:10],
        text=said.get("body") or "",
    )


def graphql_post(said: Json, replies: tuple[Post, ...] = ()) -> Post:
    """What somebody said, as GraphQL tells it."""
    return Post(
        author=str((said.get("author") or {}).get("login") or ""),
        day=str(said.get("createdAt") or "")[:10],
        text=said.get("body") or "",
        replies=replies,
    )


def is_shown(said: Json) -> bool:
    """Whether a person said it, and nobody hid it."""
    author = said.get("author") or {}
    return author.get("__typename") != "Bot" and not said.get("isMinimized")


def _posts(page: Json) -> tuple[Post, ...]:
    return tuple(graphql_post(said) for said in page["nodes"] if said and is_shown(said))
