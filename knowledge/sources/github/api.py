"""GitHub's two interfaces, asked one request after another: waits where GitHub asks for it, and says what went wrong.

The one module that knows PyGithub. What comes back is GitHub's own JSON.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import github
from github.Requester import Requester

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.github.place import GithubPlace

WAIT_SECONDS = 120.0
"""So long a run waits for GitHub, all times together; then it ends, and the next one goes on."""
TIMEOUT_SECONDS = 30
_PAUSES = (1.0, 4.0)
"""Seconds before a request that failed is tried again."""
# What GitHub asks for where it does not say how long a secondary limit holds.
_SECONDARY_SECONDS = 60.0
_TOKEN = re.compile(r"[!-~]+")
_NEXT = re.compile(r'<([^>]*)>;\s*rel="next"')

_LIMITED = ("RATE_LIMITED", "RATE_LIMIT")
_FORBIDDEN = ("FORBIDDEN", "INSUFFICIENT_SCOPES")
# Deeper in an answer than this it is one comment, or its author, that may not be seen.
_PARTS_DEPTH = 3

Call = Callable[[], tuple[dict[str, Any], Any]]


class GoneError(SourceUnavailableError):
    """There is no such thing, or it may not be seen."""


class RefusedError(SourceUnavailableError):
    """It is there, and who asks may not read it."""


class BrokenError(SourceUnavailableError):
    """GitHub has trouble with this one request, also when it is tried again."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of a list."""

    items: tuple[Mapping[str, Any], ...] = field(repr=False)
    has_more: bool


class GithubApi:
    """Asks about one repository; a context manager that closes its connection."""

    def __init__(
        self,
        place: GithubPlace,
        secret: Secret,
        *,
        wait_seconds: float = WAIT_SECONDS,
        timeout_seconds: int = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._place = place
        self._secret = secret
        self._wait_seconds = wait_seconds
        self._clock = clock
        self._sleep = sleep
        self._waited = 0.0
        if secret and not place.is_encrypted:
            raise SourceError(
                f"The token would be sent to {place.host} where others can read it. Give the address with https://."
            )
        if secret and not _TOKEN.fullmatch(secret.reveal()):
            raise SourceError(
                "The credential is no token of GitHub: it holds a space, a line break or an accent. Copy the token "
                "alone, and keep it again: lorekeeper credentials set NAME"
            )
        self._github = github.Github(
            auth=github.Auth.Token(secret.reveal()) if secret else None,
            base_url=place.api,
            timeout=timeout_seconds,
            user_agent="Lorekeeper",
            # It would wait for hours without a word; what is waited for is decided here.
            retry=None,
            # One after another is what GitHub asks for, and all that is sent are questions.
            seconds_between_requests=None,
            seconds_between_writes=None,
        )

    def __enter__(self) -> GithubApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._github.close()

    @property
    def has_token(self) -> bool:
        """Whether GraphQL may be asked."""
        return bool(self._secret)

    def get(self, path: str) -> tuple[Mapping[str, Any], datetime]:
        """One thing, and when GitHub said so. Raises GoneError where it is not there."""
        headers, data = self._asked(partial(self._rest, path, {}), path)
        if not isinstance(data, dict):
            raise self._strange(path)
        return data, self._moment(headers)

    def pages(self, path: str, parameters: Mapping[str, str]) -> Iterator[Page]:
        """A list, page by page, as GitHub orders it."""
        asked: dict[str, str] | None = {"per_page": "100", **parameters}
        while asked is not None:
            now = asked
            headers, data = self._asked(partial(self._rest, path, now), path)
            if not isinstance(data, list):
                raise self._strange(path)
            after = _NEXT.search(str(headers.get("link", "")))
            following = dict(parse_qsl(urlsplit(after[1]).query)) if after else None
            asked = following if following != now else None
            yield Page(items=tuple(one for one in data if isinstance(one, dict)), has_more=asked is not None)

    def query(self, text: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        """Ask with GraphQL, which nobody may without a token; what is not there is null."""
        requester = self._github.requester

        def call() -> tuple[dict[str, Any], Any]:
            headers, answer = requester.requestJsonAndCheck(
                "POST", requester.graphql_url, input={"query": text, "variables": dict(variables)}
            )
            _raise_error(headers, answer)
            return headers, answer

        _, answer = self._asked(call, "GraphQL")
        found: Mapping[str, Any] = answer["data"]
        return found

    def query_repository(self, name: str, text: str, variables: Mapping[str, object]) -> Mapping[str, Any]:
        """What GraphQL says of a repository."""
        owner, _, short = name.partition("/")
        found = self.query(text, {"owner": owner, "name": short, **variables}).get("repository")
        if not isinstance(found, dict):
            raise SourceUnavailableError(
                f"GitHub shows no repository {name} any more. What is known from it stays; the next run tells."
            )
        return found

    def _rest(self, path: str, parameters: dict[str, str]) -> tuple[dict[str, Any], Any]:
        return self._github.requester.requestJsonAndCheck("GET", path, parameters=parameters)

    def _asked(self, call: Call, what: str) -> tuple[dict[str, Any], Any]:
        """Do a request, again where waiting helps; raises SourceUnavailableError."""
        pauses = iter(_PAUSES)
        while True:
            try:
                return call()
            except github.GithubException as error:
                if (wait := self._limited(error)) is not None:
                    self._wait(wait)
                    continue
                if error.status < 500:
                    raise self._explained(error) from error
                trouble = f"the server answered {error.status}"
            # All errors of the connection are one of OSError. What they say may name a proxy with its password.
            except (OSError, RuntimeError, ValueError, AssertionError) as error:
                trouble = f"{type(error).__name__} instead of an answer"
            pause = next(pauses, None)
            if pause is None:
                raise BrokenError(
                    f"{self._place.name} on {self._place.host} cannot be read ({what}: {trouble}). Check the address "
                    "and the network; what is known from it stays."
                )
            self._sleep(pause)

    def _limited(self, error: github.GithubException) -> float | None:
        """Seconds that GitHub asks to wait; None where it refused for another reason."""
        if error.status not in (403, 429):
            return None
        headers = error.headers or {}
        asked = str(headers.get("retry-after", ""))
        if asked.isdigit():
            return max(1.0, float(asked))
        reset = str(headers.get("x-ratelimit-reset", ""))
        if str(headers.get("x-ratelimit-remaining", "")) == "0" and reset.isdigit():
            # A second more: the limit ends at some moment within that one.
            return max(1.0, float(reset) - self._clock() + 1)
        limited = error.status == 429 or Requester.isRateLimitError(_message(error))
        return _SECONDARY_SECONDS if limited else None

    def _wait(self, seconds: float) -> None:
        if self._waited + seconds > self._wait_seconds:
            until = datetime.fromtimestamp(self._clock() + seconds, UTC)
            more = "" if self._secret else " With a token it may be asked 5,000 times an hour instead of 60."
            raise SourceUnavailableError(
                f"GitHub's limit of requests is reached until {until:%Y-%m-%d %H:%M} UTC. What was read until now is "
                f"kept, and the next run goes on from there.{more}"
            )
        self._waited += seconds
        self._sleep(seconds)

    def _explained(self, error: github.GithubException) -> SourceUnavailableError:
        place, said = self._place, self._shown(_message(error))
        again = "Make a new one, and keep it under the same name: lorekeeper credentials set NAME"
        if error.status == 401 and self._secret:
            return SourceUnavailableError(
                f"{place.host} does not accept the token for {place.name} ({said or 'no reason given'}); it may be "
                f"wrong, withdrawn or too old. {again}. What is known from it stays."
            )
        if error.status == 401:
            return SourceUnavailableError(
                f"{place.host} answers nobody without a token. Keep one with `lorekeeper credentials set NAME`, and "
                "add the source with --credential NAME."
            )
        if error.status in (404, 410, 451):
            return GoneError(f"{place.host} shows no such thing in {place.name} ({said or error.status}).")
        if error.status == 403:
            return RefusedError(
                f"{place.host} refuses to show this of {place.name} ({said or 'no reason given'}). The token needs "
                "permission to read it; the guide says which. What is known from it stays."
            )
        return SourceUnavailableError(
            f"{place.name} on {place.host} cannot be read: the server answered {error.status} "
            f"({said or 'no reason given'}). What is known from it stays."
        )

    def _shown(self, text: str) -> str:
        one_line = " ".join(text.split())
        if self._secret:
            one_line = one_line.replace(self._secret.reveal(), "***")
        return one_line if len(one_line) <= 200 else f"{one_line[:199]}…"

    def _strange(self, path: str) -> SourceUnavailableError:
        return SourceUnavailableError(
            f"{self._place.api}{path} does not answer as GitHub does. Check the address; what is known from it stays."
        )

    def _moment(self, headers: Mapping[str, Any]) -> datetime:
        try:
            return parsedate_to_datetime(str(headers.get("date", ""))).astimezone(UTC)
        except ValueError:
            return datetime.fromtimestamp(self._clock(), UTC)


def _message(error: github.GithubException) -> str:
    said = error.data.get("message") if isinstance(error.data, dict) else None
    return str(said or error.message or "")


def _raise_error(headers: dict[str, Any], answer: Any) -> None:
    """Raise what GraphQL says in an answer of status 200, where that leaves out what was asked for.

    What is null because it is not there passes; what is null because of trouble must not look like that.
    """
    has_data = isinstance(answer, dict) and isinstance(answer.get("data"), dict)
    errors = answer.get("errors") if isinstance(answer, dict) else None
    for error in errors if isinstance(errors, list) else []:
        kind, said = str(error.get("type") or ""), {"message": str(error.get("message") or "")}
        depth = len(error.get("path") or ())
        if kind in _LIMITED or Requester.isRateLimitError(said["message"]):
            raise github.GithubException(429, said, headers)
        if has_data and (kind == "NOT_FOUND" or (kind in _FORBIDDEN and depth > _PARTS_DEPTH)):
            continue
        if kind in _FORBIDDEN:
            raise github.GithubException(403, said, {})
        raise github.GithubException(400 if not kind and "extensions" in error else 502, said, headers)
    if not has_data:
        raise github.GithubException(502, {"message": "no data"}, headers)
