"""What the history of a repository tells of its files: which were renamed, and who changed each last, and when."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dulwich.diff_tree import CHANGE_RENAME, RenameDetector, TreeChange, tree_changes
from dulwich.objects import Commit, ObjectID
from dulwich.repo import Repo

# Finding out when each of many files changed last reads the history; a wrong date would be worse than none.
_HISTORY_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Touched:
    """The last change of a file."""

    at: datetime
    author: str


def renamed_since(repo: Repo, since: str, head: Commit) -> dict[str, str]:
    """Old path -> new path of what was renamed since, also where it was changed a little, as git itself sees it."""
    old = _commit(repo, since)
    if old is None or old.id == head.id:
        return {}
    detector = RenameDetector(repo.object_store)
    renamed: dict[str, str] = {}
    for change in tree_changes(repo.object_store, old.tree, head.tree, rename_detector=detector):
        if change.type == CHANGE_RENAME and change.old is not None and change.new is not None:
            was, now = (one.path.decode("utf-8", "surrogateescape") for one in (change.old, change.new))
            renamed[was] = now
    return renamed


def last_touched(repo: Repo, head: Commit, since: str, paths: Sequence[str]) -> dict[str, Touched]:
    """When and by whom each of the paths was last changed, as far as the history tells within its time."""
    wanted = {path.encode("utf-8", "surrogateescape") for path in paths}
    found: dict[str, Touched] = {}
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
            found[path.decode("utf-8", "surrogateescape")] = Touched(at=moment, author=author)
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
