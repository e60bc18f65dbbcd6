"""All documents of one branch of a git repository, without a git program on the machine.

A repository on this machine is read where it is, a remote one in its copy: see `fetch`. Links and submodules are passed
over: neither is a text of this repository. Who may read what is in a folder, a file of the commit can say: see
`knowledge.sources.folder_rules`.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath

from dulwich.errors import NotGitRepository
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from knowledge.audience import EVERYONE
from knowledge.document import DeletedDocument, FailedDocument, FetchedDocument
from knowledge.errors import SourceError, SourceUnavailableError
from knowledge.front_matter import owner_of
from knowledge.secret import Secret
from knowledge.sources.files import MAX_BYTES, is_no_document, is_passed_over, media_type_of, title_of
from knowledge.sources.folder_rules import RULE_FILE, FolderRule, FolderRules, rule_of
from knowledge.sources.git.fetch import FETCHED, RemoteCopy, check_entrance, wanted_commit
from knowledge.sources.git.history import Touched, last_touched, renamed_since
from knowledge.sources.git.place import PAGE_HOSTS, Pages, parse_place
from knowledge.sources.source import NO_SECRET, Checkpoint, Expected, SourceStep

_LARGE_FILE = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, kw_only=True)
class _Scan:
    files: dict[str, str] = field(default_factory=dict)
    """Path in the repository -> id of its content."""
    rules: dict[str, FolderRule] = field(default_factory=dict)
    """Path of a folder in the repository, ending in a slash but for the topmost -> who may read what is below."""


@dataclass(frozen=True, kw_only=True)
class _Cursor:
    commit: str = ""
    branch: str = ""
    """What it was called then; empty where nobody kept that."""
    files: Mapping[str, str] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)


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
        hosts: Mapping[str, str] = PAGE_HOSTS,
    ) -> None:
        self._id = source_id
        self._place = parse_place(location)
        self._keep = keep
        self._audience = audience
        self._max_bytes = max_bytes
        self._secret = secret
        self._code = code
        self._fetching = fetching
        self._hosts = hosts
        if secret:
            check_entrance(self._place)

    @property
    def id(self) -> str:
        return self._id

    def changes(self, cursor: str | None, retry: Collection[str] = ()) -> Iterator[SourceStep]:
        before = _read_cursor(cursor)
        with self._opened() as repo:
            head, branch = self._head(repo)
            scan = self._scan(repo, head)
            files = scan.files
            pages = Pages(place=self._place, branch=branch, hosts=self._hosts)
            pages_before = replace(pages, branch=before.branch or branch)
            renamed = {
                was: now
                for was, now in renamed_since(repo, before.commit, head).items()
                if was in before.files and was not in files and now in files and now not in before.files
            }
            for path in before.files:
                if path not in files and path not in renamed:
                    yield DeletedDocument(uri=pages_before.uri(path))
            earlier = {now: was for was, now in renamed.items()}
            # Where the repository names another branch than before, each of its pages has another address.
            are_elsewhere = pages.uri("") != pages_before.uri("")
            if are_elsewhere:
                earlier |= {path: path for path in files if path in before.files}
            rules = {folder: rule.audience for folder, rule in scan.rules.items()}
            allowed = FolderRules(now=rules, before=before.rules, otherwise=self._audience)
            yield from allowed.steps(scan.rules, [path for path in before.files if path in files], pages.uri)
            due = [path for path, blob in sorted(files.items()) if before.files.get(path) != blob or path in earlier]
            if retry:
                due += [path for path in sorted(files.keys() - set(due)) if pages.uri(path) in retry]
            yield Expected(documents=len(due))
            touched = last_touched(repo, head, "" if are_elsewhere else before.commit, due)
            for path in due:
                moved_from = pages_before.uri(earlier[path]) if path in earlier else None
                due_file = _DueFile(
                    path=path,
                    blob_id=files[path],
                    uri=pages.uri(path),
                    audience=allowed.audience(path),
                    touched=touched.get(path),
                    moved_from=moved_from,
                )
                step = self._fetch(repo, due_file)
                if moved_from is not None and not isinstance(step, FetchedDocument):
                    yield DeletedDocument(uri=moved_from)
                yield step
            after = _Cursor(commit=_hex(head.id), branch=branch, files=files, rules=rules)
            yield Checkpoint(cursor=json.dumps(asdict(after)))

    @contextmanager
    def _opened(self) -> Iterator[Repo]:
        try:
            repo = self._copy().open() if self._place.is_remote else Repo(str(self._place.root))
        except (NotGitRepository, OSError) as error:
            raise SourceUnavailableError(
                f"There is no git repository at {self._place.url} ({error}). What is known from it stays."
            ) from error
        with repo:
            yield repo

    def _copy(self) -> RemoteCopy:
        if self._keep is None:
            raise SourceError(f"There is no folder to keep a copy of {self._place.url} in.")
        return RemoteCopy(place=self._place, folder=self._keep / self._id, secret=self._secret, fetching=self._fetching)

    def _head(self, repo: Repo) -> tuple[Commit, str]:
        """The newest commit, and what its branch is called."""
        if self._place.is_remote:
            commit_id: ObjectID | None = repo.refs[FETCHED]
        else:
            commit_id = wanted_commit(self._place, {Ref(name): one for name, one in repo.get_refs().items()})
        found = repo[commit_id] if commit_id is not None else None
        if not isinstance(found, Commit):
            raise SourceUnavailableError(f"{self._place.url} names no commit. What is known from it stays.")
        named = repo.refs.get_symrefs().get(Ref(b"HEAD"), b"")
        return found, self._place.branch or named.removeprefix(b"refs/heads/").decode("utf-8", "replace")

    def _scan(self, repo: Repo, head: Commit) -> _Scan:
        """Find the documents of the branch, and what its folders say of who may read them."""
        scan = _Scan()
        below = f"{self._place.folder}/" if self._place.folder else ""
        for entry in iter_tree_contents(repo.object_store, head.tree):
            path = entry.path.decode("utf-8", "surrogateescape")
            is_file = stat.S_ISREG(entry.mode)
            folder, is_rule, rest = _around_rule(path)
            if is_rule and _holds_for(folder, below):
                # A folder of that name is no rule that could be understood.
                scan.rules[folder] = rule_of(self._id, _content(repo, entry.sha) if is_file and not rest else None)
            if not is_file or not path.startswith(below):
                continue
            place = path.removeprefix(below)
            if media_type_of(place, code=self._code) and not _is_passed_over(place):
                scan.files[path] = _hex(entry.sha)
        return scan

    def _fetch(self, repo: Repo, due: _DueFile) -> SourceStep:
        uri = due.uri
        blob = repo[ObjectID(due.blob_id.encode())]
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
        media_type = media_type_of(PurePosixPath(due.path).name, code=self._code) or "text/plain"
        if is_no_document(content, media_type):
            return DeletedDocument(uri=uri)
        touched = due.touched
        return FetchedDocument(
            uri=uri,
            title=title_of(due.path, media_type),
            content=content,
            media_type=media_type,
            audience=due.audience,
            modified_at=touched.at if touched is not None else None,
            owner=owner_of(content, media_type) or (touched.author if touched is not None else ""),
            moved_from=due.moved_from,
        )


@dataclass(frozen=True, kw_only=True)
class _DueFile:
    """A file that is to be read, and what is known of it besides its content."""

    path: str
    blob_id: str
    uri: str
    audience: str
    touched: Touched | None
    moved_from: str | None


def _around_rule(path: str) -> tuple[str, bool, str]:
    """The folder that a rule of this path is for, whether it is one, and what follows where that is no file."""
    folder, mark, rest = f"/{path}/".partition(f"/{RULE_FILE}/")
    return f"{folder}/".lstrip("/"), bool(mark), rest


def _holds_for(folder: str, below: str) -> bool:
    """Whether a folder's rule says anything of what is read, which stands above `below` or in it."""
    return below.startswith(folder) or (folder.startswith(below) and not _is_passed_over(folder.removeprefix(below)))


def _is_passed_over(path: str) -> bool:
    return any(is_passed_over(part) for part in PurePosixPath(path).parts)


def _content(repo: Repo, blob_id: ObjectID) -> bytes | None:
    blob = repo[blob_id]
    return blob.data if isinstance(blob, Blob) else None


def _hex(object_id: bytes) -> str:
    return object_id.decode("ascii")


def _read_cursor(cursor: str | None) -> _Cursor:
    return _Cursor(**json.loads(cursor)) if cursor is not None else _Cursor()
