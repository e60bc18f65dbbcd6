"""A walk over the discussions of a repository: which of them changed, and each of those with all that was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from knowledge.sources.github.api import BrokenError
from knowledge.sources.github.comments import graphql_post, is_shown
from knowledge.sources.github.delivery import OVERLAP, Delivery, seconds_of, text_of, time_of
from knowledge.sources.github.queries import DISCUSSION, DISCUSSIONS, MORE_COMMENTS, MORE_REPLIES
from knowledge.sources.github.thread import Post, Thread
from knowledge.sources.source import Expected, SourceStep

Json = Mapping[str, Any]


class DiscussionWalk:
    """What changed since the last run, and what is gone."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._shelf = delivery.position.discussions

    def steps(self) -> Iterator[SourceStep]:
        """Deliver what is due, the oldest change first."""
        shelf, delivery = self._shelf, self._delivery
        whole = not shelf.since or delivery.listing_is_due(shelf)
        heads = self._heads("" if whole else text_of(time_of(shelf.since) - OVERLAP))
        found = {int(head["number"]): head for head in heads}
        retried = delivery.retried("discussions")
        due = [head for head in found.values() if shelf.known.get(head["number"]) != _version(head)]
        due += [found[number] for number in retried if number in found and found[number] not in due]
        yield Expected(documents=len(due))
        for head in sorted(due, key=lambda one: (one["updatedAt"], one["number"])):
            yield from self._one(head["number"], head)
            # Only now: all that changed before this one is delivered.
            shelf.since = max(shelf.since, str(head["updatedAt"]))
        if whole:
            yield from delivery.missing(shelf, found, self._one)
        for number in retried:
            if number not in delivery.delivered:
                yield from self._one(number)

    def _heads(self, until: str) -> Iterator[Json]:
        """What tells whether discussions changed, the newest first, back to a moment."""
        after: str | None = None
        while True:
            page = self._asked(DISCUSSIONS, after=after)["discussions"]
            heads = [head for head in page["nodes"] if head]
            yield from (head for head in heads if head["updatedAt"] >= until)
            if not page["pageInfo"]["hasNextPage"] or (heads and heads[-1]["updatedAt"] < until):
                return
            after = page["pageInfo"]["endCursor"]

    def _one(self, number: int, head: Json | None = None) -> Iterator[SourceStep]:
        """A discussion with its comments, or that it is gone; without its head it is read again in the next run."""
        delivery = self._delivery
        try:
            found = self._asked(DISCUSSION, number=number, after=None)["discussion"]
            comments = self._comments(found) if found else []
            answer = self._with_replies(found["answer"]) if found and found.get("answer") else None
        except BrokenError as error:
            yield delivery.failed("discussions", self._shelf, number, error)
            return
        if not found:
            yield from delivery.gone("discussions", self._shelf, number)
            return
        thread = _thread(found, delivery.position.name, comments, answer)
        version, updated = (_version(head), _changed(head)) if head else ("", str(found["updatedAt"]))
        yield delivery.document("discussions", self._shelf, thread, version=version, updated=updated)

    def _comments(self, discussion: Json) -> list[Json]:
        """All of them, unless there are too many, each with all replies."""
        page = discussion["comments"]
        comments = [self._with_replies(one) for one in page["nodes"] if one]
        while page["pageInfo"]["hasNextPage"] and len(comments) < self._delivery.limits.max_comments:
            after = page["pageInfo"]["endCursor"]
            following = self._asked(MORE_COMMENTS, number=discussion["number"], after=after)["discussion"]
            if not following:
                break
            page = following["comments"]
            comments += [self._with_replies(one) for one in page["nodes"] if one]
        return comments

    def _with_replies(self, comment: Json) -> Json:
        page = comment["replies"]
        replies = [reply for reply in page["nodes"] if reply]
        while page["pageInfo"]["hasNextPage"] and len(replies) < self._delivery.limits.max_comments:
            asked = {"id": comment["id"], "after": page["pageInfo"]["endCursor"]}
            following = self._delivery.api.query(MORE_REPLIES, asked).get("node")
            if not following:
                break
            page = following["replies"]
            replies += [reply for reply in page["nodes"] if reply]
        return {**comment, "replies": {"nodes": replies}}

    def _asked(self, text: str, **variables: object) -> Json:
        return self._delivery.api.query_repository(self._delivery.position.name, text, variables)


def _changed(head: Json) -> str:
    """The last change of a discussion or its comments: who edits a comment may leave the discussion's own time."""
    return max(str(head["updatedAt"]), *(str(one["updatedAt"]) for one in head["comments"]["nodes"] if one), "")


def _version(head: Json) -> str:
    chosen = seconds_of(head.get("answerChosenAt"))
    return f"{seconds_of(_changed(head))}.{head['comments']['totalCount']}.{chosen}"


def _thread(discussion: Json, repository: str, comments: list[Json], answer: Json | None) -> Thread:
    chosen = answer["id"] if answer else None
    return Thread(
        kind="Discussion",
        number=discussion["number"],
        repository=repository,
        title=str(discussion.get("title") or f"#{discussion['number']}"),
        state=_state(discussion),
        first=_post(discussion),
        labels=tuple(str(label["name"]) for label in (discussion.get("labels") or {}).get("nodes") or () if label),
        category=str((discussion.get("category") or {}).get("name") or ""),
        answer=_post(answer, chosen) if answer else None,
        comments=tuple(_post(one, chosen) for one in comments if one["id"] != chosen and is_shown(one)),
        left_out=max(0, discussion["comments"]["totalCount"] - len(comments)),
    )


def _post(said: Json, chosen: str | None = None) -> Post:
    """What somebody said, without the accepted answer among the replies to it."""
    replies = (said.get("replies") or {}).get("nodes") or ()
    shown = tuple(graphql_post(reply) for reply in replies if reply["id"] != chosen and is_shown(reply))
    return graphql_post(said, shown)


def _state(discussion: Json) -> str:
    state = "closed" if discussion.get("closed") else "open"
    if (discussion.get("category") or {}).get("isAnswerable"):
        return f"{state}, {'answered' if discussion.get('answer') else 'not answered'}"
    return state
