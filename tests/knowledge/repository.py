"""A git repository that people commit to, and one that is served over HTTP, for tests."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

from dulwich import porcelain
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend
from dulwich.web import HTTPGitApplication, WSGIRequestHandlerLogger, WSGIServerLogger

WHO = b"Ada <ada@example.com>"

Files = Mapping[str, str | bytes | Path | None]
"""What each file holds, a path: a link to there, None: to be removed."""


def write_files(root: Path, files: Files) -> None:
    """Put these files below a folder."""
    for name, content in files.items():
        path = root / name
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case str():
                path.write_text(content)
            case bytes():
                path.write_bytes(content)
            case Path():
                path.symlink_to(content)


@dataclass(kw_only=True)
class Work:
    """A repository that people commit to."""

    root: Path
    at: int = field(default=1_700_000_000)

    def __post_init__(self) -> None:
        porcelain.init(str(self.root)).close()
        self.commit({"LICENSE": "None."})

    def commit(self, files: Files) -> str:
        """Write these files and commit them a minute later; returns the commit's id."""
        self.at += 60
        write_files(self.root, files)
        with Repo(str(self.root)) as repo:
            repo.get_worktree().stage(list(files))
            made = repo.get_worktree().commit(
                message=b"Change", author=WHO, committer=WHO, commit_timestamp=self.at, commit_timezone=0,
                author_timestamp=self.at, author_timezone=0, ref=Ref(b"HEAD"),
            )  # fmt: skip
        return made.decode()


@dataclass(kw_only=True)
class Entrance:
    """Lets only those in who know user and token, as git servers do, or leads everybody elsewhere."""

    user: str = ""
    token: str = ""
    leads_to: str = ""
    seen: list[str] = field(default_factory=list)
    """What was sent as authorization, an empty text for nothing."""

    def before(self, application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """The application behind this entrance."""
        right = "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode()

        def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            told = environ.get("HTTP_AUTHORIZATION", "")
            self.seen.append(told)
            if self.leads_to:
                asked = f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
                start("302 Found", [("Location", self.leads_to + asked), ("Content-Length", "0")])
                return [b""]
            if self.user and told != right:
                start("401 Unauthorized", [("WWW-Authenticate", 'Basic realm="git"'), ("Content-Length", "0")])
                return [b""]
            return application(environ, start)

        return guarded


@contextmanager
def served(root: Path, entrance: Entrance | None = None) -> Iterator[str]:
    """Serve a repository over HTTP as git servers do; yields its address."""
    repo = Repo(str(root))
    repositories: dict[str, BackendRepo] = {"/handbook.git": repo}
    application = HTTPGitApplication(DictBackend(repositories))
    guarded = application if entrance is None else entrance.before(application)
    server = make_server("127.0.0.1", 0, guarded, WSGIServerLogger, WSGIRequestHandlerLogger)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/handbook.git"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
        repo.close()
