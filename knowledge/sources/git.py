"""A git repository as a source: the documents of one branch, without a git program on the machine.

A repository on this machine is read where it is; a remote one is kept as a bare copy, of which each run fetches what is
new. Links and submodules are passed over: neither is a text of this repository. Reads through dulwich, the one module
that knows it.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from dulwich.client import (
    FetchPackResult,
    HttpGitClient,
    HTTPUnauthorized,
    default_urllib3_manager,
    get_transport_and_path,
)
from dulwich.config import ConfigDict
from dulwich.diff_tree import CHANGE_RENAME, RenameDetector, TreeChange, tree_changes
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.gc import garbage_collect
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo
from urllib3 import BaseHTTPResponse, PoolManager
from urllib3.exceptions import HTTPError

from knowledge.audience import EVERYONE
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.front_matter import owner_of
from knowledge.secret import Secret
from knowledge.sources.files import MAX_BYTES, is_no_document, is_passed_over, media_type_of, title_of
from knowledge.sources.source import NO_SECRET, Checkpoint, Expected, SourceStep

# A name that begins with a dash would be read as an option by the SSH program.
_REMOTE = re.compile(r"^(?:https?|ssh|git)://[^-/\s][^/\s]*/\S+$|^(?:\w[\w.-]*@)?\w[\w.-]*:(?!//)\S+$")
_SSH_SHORT = re.compile(r"^(?:\w[\w.-]*@)?(?P<host>\w[\w.-]*):(?!//)(?P<path>\S+)$")
_TIMEOUT_SECONDS = 60
# Nobody is there to type a password.
_SSH = f"ssh -o BatchMode=yes -o ConnectTimeout={_TIMEOUT_SECONDS}"
# Where a file can be read in a browser, by host; others have no page that could be known.
_PAGES = {"github.com": "blob", "gitlab.com": "-/blob", "bitbucket.org": "src", "codeberg.org": "src/branch"}
# Finding out when each of many files changed last reads the history; a wrong date would be worse than none.
_HISTORY_SECONDS = 30.0
MOST_PACKS = 50
"""Each fetch of something new leaves one; finding an object takes longer with each."""
# Packing needs all objects in memory, some ten times as large.
_MOST_REPACKED_BYTES = 64 * 1024 * 1024
_MOST_LARGE_PACKS = 500
_ANEW = "lorekeeper-fetch-anew"
# Whom a token alone belongs to, where a host does not take any name.
_TOKEN_USERS = {"bitbucket.org": "x-token-auth"}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PROGRESS = re.compile(rb"(?:Receiving|Counting|Compressing) objects: +\d+% \((\d+)/(\d+)\)")
_LARGE_FILE = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which branch of which repository, and which folder of it."""

    url: str
    branch: str = ""
    """Empty: the one that the repository itself names."""
    folder: str = ""

    @property
    def is_remote(self) -> bool:
        """Whether it must be fetched."""
        return _REMOTE.match(self.url) is not None


def parse_place(location: str) -> Place:
    """Read `REPOSITORY`, `REPOSITORY#BRANCH` or `REPOSITORY#BRANCH:FOLDER`; raises SourceError."""
    url, _, rest = location.strip().partition("#")
    branch, _, folder = rest.partition(":")
    if urlsplit(url).scheme in ("http", "https") and urlsplit(url).password:
        raise SourceError(
            "The address holds a password, which would be shown wherever the source is listed. Leave it out, keep it "
            "with `lorekeeper credentials set NAME` and add the source with --credential NAME; or use SSH and a key."
        )
    folder = folder.strip("/")
    if not url or ".." in PurePosixPath(folder).parts:
        raise SourceError(f"{location!r} names no repository. Expected REPOSITORY, or REPOSITORY#BRANCH:FOLDER.")
    return Place(url=url, branch=branch, folder=folder)


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    commit: str
    files: Mapping[str, str]
    """Path in the repository -> id of its content."""


class GitSource:
    """All documents of one branch; `keep` is where a remote repository's copy lies between runs."""

    def __init__(
        self,
        source_id: str,
        location: str,
        keep: Path | None = None,
        audience: str = EVERYONE,
        max_bytes: int = MAX_BYTES,
        *,
        secret: Secret = NO_SECRET,
        code: bool = False,
        fetching: Callable[[int, int], None] | None = None,
    ) -> None:
        self._id = source_id
        self._place = parse_place(location)
        self._keep = keep
        self._audience = audience
        self._max_bytes = max_bytes
        self._secret = secret
        self._code = code
        self._fetching = fetching
        if secret:
            _check_entrance(self._place)

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        with self._opened() as repo:
            head, branch = self._head(repo)
            files = self._files(repo, head)
            pages = Pages(place=self._place, branch=branch)
            renamed = _renamed(repo, before, head, files)
            for path in before.files:
                if path not in files and path not in renamed:
                    yield DeletedDocument(uri=pages.uri(path))
            due = [path for path, blob in sorted(files.items()) if before.files.get(path) != blob]
            if retry:
                due += [path for path in sorted(files.keys() - set(due)) if pages.uri(path) in retry]
            yield Expected(documents=len(due))
            touched = _last_touched(repo, head, before.commit, due)
            earlier = {new: old for old, new in renamed.items()}
            for path in due:
                moved_from = pages.uri(earlier[path]) if path in earlier else None
                step = self._fetch(repo, path, files[path], pages.uri(path), touched.get(path), moved_from)
                if moved_from is not None and not isinstance(step, FetchedDocument):
                    yield DeletedDocument(uri=moved_from)
                yield step
            yield Checkpoint(cursor=json.dumps({"commit": _hex(head.id), "files": files}))

    @contextmanager
    def _opened(self) -> Iterator[Repo]:
        try:
            repo = self._fetched() if self._place.is_remote else Repo(str(self._local()))
        except (NotGitRepository, OSError) as error:
            raise SourceUnavailableError(
                f"There is no git repository at {self._place.url} ({error}). What is known from it stays."
            ) from error
        with repo:
            yield repo

    def _local(self) -> Path:
        return Path(self._place.url).expanduser()

    def _fetched(self) -> Repo:
        """Open the copy of a remote repository, with what is new there."""
        if self._keep is None:
            raise SourceError(f"There is no folder to keep a copy of {self._place.url} in.")
        folder = self._keep / self._id
        if (folder / "objects" / "pack" / _ANEW).exists():
            shutil.rmtree(folder, ignore_errors=True)
        try:
            repo = Repo(str(folder))
        except NotGitRepository:
            # The first run, or one that was killed while it began.
            shutil.rmtree(folder, ignore_errors=True)
            self._keep.mkdir(parents=True, exist_ok=True)
            repo = Repo.init_bare(str(folder), mkdir=True)
        try:
            self._fetch_into(repo)
        except BaseException:
            repo.close()
            if _FETCHED not in repo.refs:
                # Nothing was ever read through it: of an address that was wrong, nothing is left.
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return _tidied(repo, folder)

    def _fetch_into(self, repo: Repo) -> None:
        config = ConfigDict()
        # A server that says nothing for so long is away.
        config.set((b"http",), b"timeout", str(_TIMEOUT_SECONDS).encode())

        def wanted(refs: Mapping[Ref, ObjectID | None], depth: int | None = None) -> list[ObjectID]:
            del depth
            commit = self._wanted(refs)
            return [] if commit in repo.object_store else [commit]

        user, token = self._entrance()
        try:
            client, path = get_transport_and_path(
                self._place.url, config=config, quiet=True, ssh_command=_SSH, username=user, password=token
            )
            if isinstance(client, HttpGitClient):
                client.pool_manager = default_urllib3_manager(config, _Pool, base_url=self._place.url)
            try:
                told: FetchPackResult = client.fetch(path, repo, determine_wants=wanted, progress=self._told)
            finally:
                if isinstance(client, HttpGitClient):
                    client.pool_manager.clear()
        except HTTPUnauthorized as error:
            why = "refuses the credential" if self._secret else "wants a credential"
            raise SourceUnavailableError(
                f"{self._place.url} {why}. Keep one with `lorekeeper credentials set NAME`, as USER:TOKEN or a token "
                "alone, that may read it; or use an SSH address with a key that may. What is known from it stays."
            ) from error
        except (GitProtocolError, NotGitRepository, HTTPError, OSError, ValueError) as error:
            raise SourceUnavailableError(
                f"{self._place.url} cannot be fetched ({error or type(error).__name__}). Check the address and the "
                "network; what is known from it stays."
            ) from error
        repo.refs[_FETCHED] = self._wanted(told.refs)
        if named := told.symrefs.get(Ref(b"HEAD")):
            repo.refs.set_symbolic_ref(Ref(b"HEAD"), named)

    def _entrance(self) -> tuple[str | None, str | None]:
        """User and password, which the client sends to this host, and to no other that it may be led to."""
        if not self._secret:
            return None, None
        user, _, token = self._secret.reveal().strip().rpartition(":")
        host = urlsplit(self._place.url).hostname or ""
        return user or _TOKEN_USERS.get(host, "oauth2"), token

    def _told(self, said: bytes) -> None:
        found = _PROGRESS.search(said)
        if found is not None and self._fetching is not None:
            self._fetching(int(found[1]), int(found[2]))

    def _wanted(self, refs: Mapping[Ref, ObjectID | None]) -> ObjectID:
        name = _branch_ref(self._place.branch) if self._place.branch else Ref(b"HEAD")
        commit = refs.get(name)
        if commit is None:
            what = f"branch {self._place.branch!r}" if self._place.branch else "commit"
            raise SourceUnavailableError(f"{self._place.url} has no {what}. What is known from it stays.")
        return commit

    def _head(self, repo: Repo) -> tuple[Commit, str]:
        """The newest commit, and what its branch is called."""
        if self._place.is_remote:
            commit_id: ObjectID | None = repo.refs[_FETCHED]
        else:
            commit_id = self._wanted({Ref(name): one for name, one in repo.get_refs().items()})
        found = repo[commit_id] if commit_id is not None else None
        if not isinstance(found, Commit):
            raise SourceUnavailableError(f"{self._place.url} names no commit. What is known from it stays.")
        named = repo.refs.get_symrefs().get(Ref(b"HEAD"), b"")
        return found, self._place.branch or named.removeprefix(b"refs/heads/").decode("utf-8", "replace")

    def _files(self, repo: Repo, head: Commit) -> dict[str, str]:
        """Path -> content id of every document of the branch."""
        found: dict[str, str] = {}
        below = f"{self._place.folder}/" if self._place.folder else ""
        for entry in iter_tree_contents(repo.object_store, head.tree):
            path = entry.path.decode("utf-8", "surrogateescape")
            if not stat.S_ISREG(entry.mode) or not path.startswith(below):
                continue
            place = path.removeprefix(below)
            if not media_type_of(place, code=self._code):
                continue
            if not any(is_passed_over(part) for part in PurePosixPath(place).parts):
                found[path] = _hex(entry.sha)
        return found

    def _fetch(
        self, repo: Repo, path: str, blob_id: str, uri: str, touched: _Touched | None, moved_from: str | None
    ) -> SourceStep:
        blob = repo[ObjectID(blob_id.encode())]
        if not isinstance(blob, Blob):
            return FailedDocument(uri=uri, reason="It is no file.")
        if blob.raw_length() > self._max_bytes:
            limit = self._max_bytes / 1024 / 1024
            return FailedDocument(uri=uri, reason=f"The file is larger than {limit:g} MB. Split it, or leave it out.")
        content = blob.data
        if content.startswith(_LARGE_FILE):
            return FailedDocument(
                uri=uri, reason="The file is kept in Git LFS, and its content is not in the repository."
            )
        media_type = media_type_of(PurePosixPath(path).name, code=self._code) or "text/plain"
        if is_no_document(content, media_type):
            return DeletedDocument(uri=uri)
        return FetchedDocument(
            uri=uri,
            title=title_of(path, media_type),
            content=content,
            media_type=media_type,
            audience=self._audience,
            modified_at=touched.at if touched is not None else None,
            owner=owner_of(content, media_type) or (touched.author if touched is not None else ""),
            moved_from=moved_from,
        )


# A branch, since the client tells a server only of branches what it has: else all would be sent again each time.
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


_FETCHED = Ref(b"refs/heads/lorekeeper/fetched")


def _check_entrance(place: Place) -> None:
    parts = urlsplit(place.url)
    if parts.scheme not in ("http", "https"):
        raise SourceError(f"{place.url} takes no credential: only https://... does. With SSH, use a key.")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise SourceError(f"A credential is sent over https only; {place.url} would show it to everybody on the way.")


def _tidied(repo: Repo, folder: Path) -> Repo:
    """Put the packs of many fetches together, without what nothing leads to any more."""
    packs = list(folder.glob("objects/pack/*.pack"))
    size = sum(pack.stat().st_size for pack in packs)
    if len(packs) <= MOST_PACKS:
        return repo
    if size <= _MOST_REPACKED_BYTES:
        # Housekeeping: a disk that is full must not keep the documents from being read.
        with suppress(OSError):
            garbage_collect(repo, grace_period=None)
    elif len(packs) > _MOST_LARGE_PACKS:
        # Too large to be packed in memory: the server packs it better, and the cursor knows what was read.
        (folder / "objects" / "pack" / _ANEW).touch()
    return repo


@dataclass(frozen=True, kw_only=True)
class Pages:
    """Where the files of a branch can be opened."""

    place: Place
    branch: str

    def uri(self, path: str) -> str:
        """The file's page where its host is known, else its place in the repository."""
        name = quote(path.encode("utf-8", "surrogateescape"))
        if not self.place.is_remote:
            root = Path(self.place.url).expanduser().resolve()
            return f"{root.as_uri()}/{name}"
        site, project = _site_and_project(self.place.url)
        host = site.partition("://")[2]
        if host in _PAGES and self.branch:
            return f"https://{host}/{project}/{_PAGES[host]}/{quote(self.branch)}/{name}"
        return f"{site}/{project}#{name}"


def _site_and_project(url: str) -> tuple[str, str]:
    """Where the pages of a repository are: a server of one's own may have them at another port, and unencrypted."""
    short = _SSH_SHORT.match(url)
    if short is not None:
        site, path = f"https://{short['host']}", short["path"]
    else:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https")
        port = f":{parts.port}" if is_web and parts.port else ""
        site, path = f"{parts.scheme if is_web else 'https'}://{parts.hostname or ''}{port}", parts.path
    return site, path.strip("/").removesuffix(".git")


def _renamed(repo: Repo, before: _Cursor, head: Commit, files: Mapping[str, str]) -> dict[str, str]:
    """Old path -> new path of what was renamed since, also where it was changed a little, as git itself sees it."""
    old = _commit(repo, before.commit)
    if old is None or old.id == head.id:
        return {}
    detector = RenameDetector(repo.object_store)
    renamed: dict[str, str] = {}
    for change in tree_changes(repo.object_store, old.tree, head.tree, rename_detector=detector):
        if change.type != CHANGE_RENAME or change.old is None or change.new is None:
            continue
        was, now = (one.path.decode("utf-8", "surrogateescape") for one in (change.old, change.new))
        if was in before.files and was not in files and now in files and now not in before.files:
            renamed[was] = now
    return renamed


@dataclass(frozen=True, kw_only=True)
class _Touched:
    """The last change of a file."""

    at: datetime
    author: str


def _last_touched(repo: Repo, head: Commit, since: str, paths: Sequence[str]) -> dict[str, _Touched]:
    """When and by whom each of the paths was last changed, as far as the history tells within its time."""
    wanted = {path.encode("utf-8", "surrogateescape") for path in paths}
    found: dict[str, _Touched] = {}
    if not wanted:
        return found
    known = _commit(repo, since)
    until = time.monotonic() + _HISTORY_SECONDS
    for entry in repo.get_walker(include=[head.id], exclude=[known.id] if known is not None else None):
        for path in wanted & _changed_paths(entry.changes()):
            wanted.remove(path)
            moment = datetime.fromtimestamp(entry.commit.commit_time, UTC)
            # Without the address: a name is what people are called by.
            author = " ".join(entry.commit.author.partition(b"<")[0].decode("utf-8", "replace").split())
            found[path.decode("utf-8", "surrogateescape")] = _Touched(at=moment, author=author)
        if not wanted or time.monotonic() > until:
            break
    return found


def _changed_paths(changes: Sequence[TreeChange] | Sequence[list[TreeChange | None]]) -> set[bytes]:
    """The paths that a commit changed; of a merge, those that none of its parents has so."""
    paths: set[bytes] = set()
    for change in changes:
        for one in (change,) if isinstance(change, TreeChange) else change:
            if one is not None and one.new is not None and one.new.path is not None:
                paths.add(one.new.path)
    return paths


def _commit(repo: Repo, commit_id: str) -> Commit | None:
    """A commit that may be gone, since history can be written anew."""
    key = ObjectID(commit_id.encode())
    found = repo[key] if commit_id and key in repo.object_store else None
    return found if isinstance(found, Commit) else None


def _branch_ref(branch: str) -> Ref:
    return Ref(b"refs/heads/" + branch.encode())


def _hex(object_id: bytes) -> str:
    return object_id.decode("ascii")


def _read_cursor(cursor: str | None) -> _Cursor:
    if cursor is None:
        return _Cursor(commit="", files={})
    content = json.loads(cursor)
    return _Cursor(commit=content["commit"], files=content["files"])
