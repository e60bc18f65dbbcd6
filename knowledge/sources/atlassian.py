"""Questions to Confluence and Jira: who asks, how often, and what a refusal means. The one module with their client.

It only reads, follows no redirect, so that a credential goes nowhere but to the address it was given for, and gives up
answers that are too long or too slow. What is asked is up to `confluence` and `jira`.
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from atlassian.rest_client import AtlassianRestAPI

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.address import split_address

logger = logging.getLogger(__name__)

Json = Mapping[str, Any]

CLOUD = (".atlassian.net", ".jira.com")
_BUSY = (429, 500, 502, 503, 504)
_NEXT = {
    401: "The credential is refused: it may have ended, or be another account's. Keep a new one with `lorekeeper "
    "credentials set NAME`; for Cloud it is EMAIL:API_TOKEN, for Data Center a personal access token.",
    403: "The credential's account may not read this. Let it read the place, or give the credential of an account that "
    "may: `lorekeeper credentials set NAME`.",
    404: "Check the address; what an account may not see does not exist for it either.",
}


@dataclass(frozen=True, kw_only=True)
class AtlassianLimits:
    """What reading a server may cost."""

    documents: int = 50_000
    answer_bytes: int = 32 * 1024 * 1024
    answer_seconds: float = 120.0
    step_seconds: int = 30
    """Of silence, before a request is given up."""
    tries: int = 5
    longest_wait_seconds: float = 300.0
    """A server that asks to wait longer is asked again with the next run."""


class RefusedError(SourceUnavailableError):
    """The server answered, but not with what was asked for."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class TooLongError(SourceUnavailableError):
    """An answer went over the limit."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """How a server is entered: as a person of a Cloud site, with an access token of a Data Center, or as nobody."""

    email: str
    token: Secret
    cloud: bool


def account_of(secret: Secret, root: str) -> Account:
    """What the credential of a server says. Raises SourceError, which shows nothing of it."""
    email, mark, token = secret.reveal().strip().partition(":")
    if mark and ("@" not in email or not token):
        raise SourceError(
            "The credential has a colon, but is not EMAIL:API_TOKEN. Confluence and Jira Cloud take the e-mail address "
            "of an account and its API token; a Data Center takes a personal access token alone."
        )
    host = urlsplit(root).hostname or ""
    cloud = host.endswith(CLOUD) or bool(mark)
    if cloud and secret and not mark:
        raise SourceError(f"The credential for {host} is no EMAIL:API_TOKEN, which Confluence and Jira Cloud take.")
    return Account(email=email if mark else "", token=Secret(token if mark else email), cloud=cloud)


def check_address(location: str, example: str) -> SplitResult:
    """The parts of an address; raises SourceError, which shows no password."""
    return split_address(
        location,
        what="a server",
        expected=f"one like {example}.",
        instead="Keep them with `lorekeeper credentials set NAME` and add the source with --credential NAME.",
    )


class Service:
    """One server, asked with one account; from one thread at a time."""

    def __init__(
        self,
        root: str,
        account: Account,
        limits: AtlassianLimits | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._root = root
        self._account = account
        self.limits = limits or AtlassianLimits()
        self._sleep = sleep
        session = requests.Session()
        session.hooks["response"].append(self._bounded)
        # Without it, the machine user's own .netrc would be asked for a password.
        session.auth = _as_it_is
        # Waiting is done here: the client would wait for half an hour where a server says so.
        self._client: Any = AtlassianRestAPI(
            url=root,
            session=session,
            timeout=self.limits.step_seconds,
            cloud=account.cloud,
            retry_with_header=False,
            username=account.email or None,
            password=account.token.reveal() if account.email else None,
            token=account.token.reveal() or None,
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def cloud(self) -> bool:
        """Whether it is Atlassian's own, not a Data Center."""
        return self._account.cloud

    @property
    def known(self) -> bool:
        """Whether it is asked as somebody."""
        return bool(self._account.token)

    def get(self, path: str, params: Json | None = None) -> Json:
        """What the server answers. Raises RefusedError, TooLongError, and SourceUnavailableError where it is away."""
        response = self._patient(path, params or {})
        if "AUTHENTICATED_FAILED" in response.headers.get("X-Seraph-LoginReason", ""):
            # Some servers then answer all the same, as to somebody who is not signed in.
            raise RefusedError(self._cannot("the server does not accept the credential", _NEXT[401]), 401)
        if response.status_code != 200:
            raise self._refusal(response)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise RefusedError(
                self._cannot("it answers with something else than data, as a page for signing in does", _NEXT[404]), 200
            )
        return answer

    def unavailable(self, why: str, step: str = "") -> SourceUnavailableError:
        """The error that says why the place cannot be read."""
        return SourceUnavailableError(self._cannot(why, step))

    def _patient(self, path: str, params: Json) -> requests.Response:
        why = ""
        for attempt in range(self.limits.tries):
            wait = float(2**attempt)
            try:
                response = self._client.request(
                    "GET", path=path, params=dict(params), advanced_mode=True, allow_redirects=False
                )
            except requests.RequestException as error:
                why = _reason(error)
                if isinstance(error, requests.exceptions.SSLError):
                    break
            else:
                assert isinstance(response, requests.Response)
                if response.status_code not in _BUSY:
                    return response
                why = f"the server answered {response.status_code} {response.reason}"
                wait = _asked_wait(response.headers.get("Retry-After", ""), wait)
                if wait > self.limits.longest_wait_seconds:
                    raise self.unavailable(f"{why} and asks to wait {wait:.0f} s", "The next run tries again.")
            if attempt + 1 < self.limits.tries:
                logger.debug("%s is asked again in %s s", self._root, wait)
                self._sleep(wait)
        raise self.unavailable(why, "Check the address and the network, or wait for the next run.")

    def _bounded(self, response: requests.Response, **_: object) -> None:
        response.raw = _Bounded(response.raw, self.limits, self._cannot)

    def _refusal(self, response: requests.Response) -> RefusedError:
        status = response.status_code
        if 300 <= status < 400:
            to = self._shown(response.headers.get("Location", "elsewhere").partition("?")[0])
            return RefusedError(
                self._cannot(
                    f"the server leads to {to}",
                    "Where that is its new address, add the source with it; where it is a page for signing in, give a "
                    "credential.",
                ),
                status,
            )
        said = f": {self._shown(_told(response))}" if status == 400 and _told(response) else ""
        step = _NEXT.get(status, "")
        if status == 401 and not self.known:
            step = "It asks who reads: keep a token with `lorekeeper credentials set NAME`, and add the source with it."
        return RefusedError(self._cannot(f"the server answered {status} {response.reason}{said}", step), status)

    def _shown(self, text: str) -> str:
        """What a server says, without what was told to it."""
        token, email = self._account.token.reveal(), self._account.email
        for secret in (base64.b64encode(f"{email}:{token}".encode()).decode(), token):
            text = text.replace(secret, "…") if token else text
        return " ".join(text.split())[:300]

    def _cannot(self, why: str, step: str = "") -> str:
        return " ".join(filter(None, (f"{self._root} cannot be read: {why}.", step, "What is known from it stays.")))


class _Bounded:
    """The stream of an answer that ends with an error where it is too long or too slow."""

    def __init__(self, raw: Any, limits: AtlassianLimits, cannot: Callable[[str], str]) -> None:
        self._raw, self._limits, self._cannot = raw, limits, cannot

    def stream(self, size: int, decode_content: bool | None = None) -> Iterator[bytes]:
        until, count = time.monotonic() + self._limits.answer_seconds, 0
        for part in self._raw.stream(size, decode_content=decode_content):
            count += len(part)
            if count > self._limits.answer_bytes:
                raise TooLongError(self._cannot(f"an answer is larger than {self._limits.answer_bytes / 2**20:g} MB"))
            if time.monotonic() > until:
                raise TooLongError(self._cannot(f"an answer took longer than {self._limits.answer_seconds:g} s"))
            yield part

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def moment(told: object) -> datetime | None:
    """A point in time as these servers write it; None where that is none."""
    try:
        found = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _asked_wait(told: str, otherwise: float) -> float:
    if re.fullmatch(r"\d{1,9}", told.strip()):
        return float(told)
    try:
        return max(0.0, (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return otherwise


def _reason(error: requests.RequestException) -> str:
    """Why there was no answer, without the address asked for."""
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "there is no connection to it"
    return f"the request failed ({type(error).__name__})"


def _told(response: requests.Response) -> str:
    """The server's own words on an error, from either service."""
    try:
        answer = response.json()
    except ValueError:
        return ""
    if not isinstance(answer, dict):
        return ""
    messages = answer.get("errorMessages")
    return " ".join(map(str, messages)) if isinstance(messages, list) else str(answer.get("message") or "")
