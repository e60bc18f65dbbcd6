"""The bare copy of a remote repository, of which each run fetches what is new.

Knows addresses, credentials and packs; what is in the repository it does not read.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dulwich.client import (
    FetchPackResult,
    HttpGitClient,
    HTTPUnauthorized,
    default_urllib3_manager,
    get_transport_and_path,
)
from dulwich.config import ConfigDict
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.gc import garbage_collect
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.secret import Secret
from knowledge.sources.address import check_private
from knowledge.sources.git.place import Place

# A branch, since the client tells a server only of branches what it has: else all would be sent again each time.
FETCHED = Ref(b"refs/heads/lorekeeper/fetched")
MOST_PACKS = 50
"""Each fetch of something new leaves one; finding an object takes longer with each."""
_TIMEOUT_SECONDS = 60
# Nobody is there to type a password.
_SSH = f"ssh -o BatchMode=yes -o ConnectTimeout={_TIMEOUT_SECONDS}"
# Packing needs all objects in memory, some ten times as large.
_MOST_REPACKED_BYTES = 64 * 1024 * 1024
_MOST_LARGE_PACKS = 500
_ANEW = "lorekeeper-fetch-anew"
# Whom a token alone belongs to, where a host does not take any name.
_TOKEN_USERS = {"bitbucket.org": "x-token-auth"}
_PROGRESS = re.compile(rb"(?:Receiving|Counting|Compressing) objects: +\d+% \((\d+)/(\d+)\)")


def check_entrance(place: Place) -> None:
    """Raise SourceError where a credential cannot be used, or would be shown on the way."""
    if urlsplit(place.url).scheme not in ("http", "https"):
        raise SourceError(f"{place.url} takes no credential: only https://... does. With SSH, use a key.")
    check_private(place.url)


def wanted_commit(place: Place, refs: Mapping[Ref, ObjectID | None]) -> ObjectID:
    """The newest commit of the branch; raises SourceUnavailableError."""
    commit = refs.get(Ref(b"refs/heads/" + place.branch.encode()) if place.branch else Ref(b"HEAD"))
    if commit is None:
        what = f"branch {place.branch!r}" if place.branch else "commit"
        raise SourceUnavailableError(f"{place.url} has no {what}. What is known from it stays.")
    return commit


@dataclass(frozen=True, kw_only=True)
class RemoteCopy:
    """A remote repository and the folder where its copy lies between runs."""

    place: Place
    folder: Path
    secret: Secret
    fetching: Callable[[int, int], None] | None
    """Told how much of how much came so far."""

    def open(self) -> Repo:
        """Open the copy, with what is new there."""
        folder = self.folder
        if (folder / "objects" / "pack" / _ANEW).exists():
            shutil.rmtree(folder, ignore_errors=True)
        try:
            repo = Repo(str(folder))
        except NotGitRepository:
            # The first run, or one that was killed while it began.
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            repo = Repo.init_bare(str(folder), mkdir=True)
        try:
            self._fetch_into(repo)
        except BaseException:
            repo.close()
            if FETCHED not in repo.refs:
                # Nothing was ever read through it: of an address that was wrong, nothing is left.
                shutil.rmtree(folder, ignore_errors=True)
            raise
        _tidy(repo, folder)
        return repo

    def _fetch_into(self, repo: Repo) -> None:
        config = ConfigDict()
        # A server that says nothing for so long is away.
        config.set((b"http",), b"timeout", str(_TIMEOUT_SECONDS).encode())

        def wanted(refs: Mapping[Ref, ObjectID | None], depth: int | None = None) -> list[ObjectID]:
            del depth
            commit = wanted_commit(self.place, refs)
            return [] if commit in repo.object_store else [commit]

        url = self.place.url
        user, token = self._entrance()
        try:
            client, path = get_transport_and_path(
                url, config=config, quiet=True, ssh_command=_SSH, username=user, password=token
            )
            if isinstance(client, HttpGitClient):
                client.pool_manager = default_urllib3_manager(config, _Pool, base_url=url)
            try:
                told: FetchPackResult = client.fetch(path, repo, determine_wants=wanted, progress=self._told)
            finally:
                if isinstance(client, HttpGitClient):
                    client.pool_manager.clear()
        except HTTPUnauthorized as error:
            why = "refuses the credential" if self.secret else "wants a credential"
            raise SourceUnavailableError(
                f"{url} {why}. Keep one with `lorekeeper credentials set NAME`, as USER:TOKEN or a token "
                "alone, that may read it; or use an SSH address with a key that may. What is known from it stays."
            ) from error
        except (GitProtocolError, NotGitRepository, HTTPError, OSError, ValueError) as error:
            raise SourceUnavailableError(
                f"{url} cannot be fetched ({error or type(error).__name__}). Check the address and the "
                "network; what is known from it stays."
            ) from error
        repo.refs[FETCHED] = wanted_commit(self.place, told.refs)
        if named := told.symrefs.get(Ref(b"HEAD")):
            repo.refs.set_symbolic_ref(Ref(b"HEAD"), named)

    def _entrance(self) -> tuple[str | None, str | None]:
        """User and password, which the client sends to this host, and to no other that it may be led to."""
        if not self.secret:
            return None, None
        user, _, token = self.secret.reveal().strip().rpartition(":")
        host = urlsplit(self.place.url).hostname or ""
        return user or _TOKEN_USERS.get(host, "oauth2"), token

    def _told(self, said: bytes) -> None:
        found = _PROGRESS.search(said)
        if found is not None and self.fetching is not None:
            self.fetching(int(found[1]), int(found[2]))


class _Pool(PoolManager):
    """Connections that end with the fetch, also where an answer was not read to its end (as one of a redirect)."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._answers: list[BaseHTTPResponse] = []

    def urlopen(self, *args: Any, **more: Any) -> BaseHTTPResponse:
        answer = super().urlopen(*args, **more)
        self._answers.append(answer)
        return answer

    def clear(self) -> None:
        for answer in self._answers:
            answer.close()
        super().clear()


def _tidy(repo: Repo, folder: Path) -> None:
    """Put the packs of many fetches together, without what nothing leads to any more."""
    packs = list(folder.glob("objects/pack/*.pack"))
    size = sum(pack.stat().st_size for pack in packs)
    if len(packs) <= MOST_PACKS:
        return
    if size <= _MOST_REPACKED_BYTES:
        # Housekeeping: a disk that is full must not keep the documents from being read.
        with suppress(OSError):
            garbage_collect(repo, grace_period=None)
    elif len(packs) > _MOST_LARGE_PACKS:
        # Too large to be packed in memory: the server packs it better, and the cursor knows what was read.
        (folder / "objects" / "pack" / _ANEW).touch()
