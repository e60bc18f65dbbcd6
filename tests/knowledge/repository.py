"""A git repository that people commit to, and one that is served over HTTP, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from wsgiref.simple_server import make_server

from dulwich import porcelain
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.server import BackendRepo, DictBackend
from dulwich.web import HTTPGitApplication, WSGIRequestHandlerLogger, WSGIServerLogger

WHO = b"Ada <ada@example.com>"


@dataclass(kw_only=True)
class Work:
    """A repository that people commit to."""

    root: Path
    at: int = field(default=1_700_000_000)

    def __post_init__(self) -> None:
        porcelain.init(str(self.root)).close()
        self.commit({"LICENSE": "None."})

    def commit(self, files: dict[str, str | bytes | None]) -> str:
        """Write these files, None: remove, and commit them a minute later; returns the commit's id."""
        self.at += 60
        with Repo(str(self.root)) as repo:
            for name, text in files.items():
                path = self.root / name
                if text is None:
                    path.unlink()
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(text if isinstance(text, bytes) else text.encode())
            repo.get_worktree().stage(list(files))
            made = repo.get_worktree().commit(
                message=b"Change", author=WHO, committer=WHO, commit_timestamp=self.at, commit_timezone=0,
                author_timestamp=self.at, author_timezone=0, ref=Ref(b"HEAD"),
            )  # fmt: skip
        return made.decode()


@contextmanager
def served(root: Path) -> Iterator[str]:
    """Serve a repository over HTTP as git servers do; yields its address."""
    repo = Repo(str(root))
    repositories: dict[str, BackendRepo] = {"/handbook.git": repo}
    application = HTTPGitApplication(DictBackend(repositories))
    server = make_server("127.0.0.1", 0, application, WSGIServerLogger, WSGIRequestHandlerLogger)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/handbook.git"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
        repo.close()
