"""A repository's commits replayed one by one: what is embedded, beside what changed, and is the end as if read anew?

    python -m tests.benchmarks.replay --repo FOLDER [--commits 200]
    python -m tests.benchmarks.replay --corpus ../shared/data/docs_corpora/NAME.tar.xz [--commits 200] [--seed 1]

`--repo` replays the last commits of a repository that touch its documents, along the first parents. `--corpus` makes a
repository of a documentation tree and edits it as such trees are edited: of the files of a commit 70 % have sentences
changed, added or removed, 12 % are new, 10 % renamed (half of these with an edit), 8 % removed; one to four files a
commit. After each commit the source is read; the chunks whose text was in no document before are what had to be
embedded. In the end everything is compared with a database that read the last commit only. The embedder is the
tests' own: which texts are embedded does not depend on it.
"""

from __future__ import annotations

import argparse
import json
import random
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from statistics import median
from typing import Any

import sqlalchemy as sa
from dulwich.objects import ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo
from dulwich.walk import Walker

from bot.cli.output import progress_bar
from bot.sentences import split_sentences
from knowledge.database import open_engine, reading
from knowledge.ingest import IngestParts, SyncReport, ingest
from knowledge.parse import Parser
from knowledge.sources.files import media_type_of
from knowledge.sources.git.source import GitSource
from knowledge.store import add_source
from knowledge.tables import create_tables
from tests.knowledge.fake_embedder import FakeEmbedder
from tests.knowledge.repository import Work

_BRANCH = Ref(b"refs/heads/replayed")
_NEW, _RENAMED, _REMOVED = 0.12, 0.10, 0.08


class Reading:
    """A database that reads one branch again and again."""

    def __init__(self, folder: Path, repo: Path, branch: str, parser: Parser) -> None:
        folder.mkdir()
        self.engine = open_engine(f"sqlite:///{folder / 'lorekeeper.db'}")
        create_tables(self.engine)
        location = f"{repo}#{branch}"
        self._source = GitSource(add_source(self.engine, kind="git", location=location).id, location)
        self._parts = IngestParts(engine=self.engine, parser=parser, embedder=FakeEmbedder())

    def read(self) -> SyncReport:
        """One run."""
        return ingest(self._source, self._parts)

    def texts(self) -> set[str]:
        """The hashes of all texts."""
        with reading(self.engine) as connection:
            return set(connection.execute(sa.text("SELECT DISTINCT text_hash FROM chunk")).scalars())

    def everything(self) -> list[tuple[Any, ...]]:
        """All that is known, without ids and the time of reading."""
        documents = (
            "SELECT uri, title, content_hash, audience, modified_at, ordinal, header, text, text_hash, line "
            "FROM document LEFT JOIN chunk ON chunk.document_id = document.id ORDER BY uri, ordinal"
        )
        with reading(self.engine) as connection:
            rows = [tuple(row) for row in connection.execute(sa.text(documents))]
            rows += [tuple(row) for row in connection.execute(sa.text("SELECT text_hash FROM vector ORDER BY 1"))]
        return rows


def commits_of(repo: Repo, most: int) -> list[bytes]:
    """The last commits along the first parents that touch a document, oldest first."""
    found: list[bytes] = []
    walker = Walker(repo.object_store, [repo.head()], get_parents=lambda commit: commit.parents[:1])
    for entry in walker:
        changes = [one for change in entry.changes() for one in (change if isinstance(change, list) else [change])]
        paths = [side.path for one in changes if one is not None for side in (one.old, one.new) if side is not None]
        if any(media_type_of(path.decode("utf-8", "replace")) for path in paths if path is not None):
            found.append(entry.commit.id)
        if len(found) > most:
            break
    return found[::-1]


def edited(corpus: Path, root: Path, count: int, seed: int) -> None:
    """Make a repository of a documentation tree, and edit it."""
    with tarfile.open(corpus) as packed:
        members = [one for one in packed.getmembers() if one.isfile() and media_type_of(one.name)]
        files = {one.name: file.read() for one in members if (file := packed.extractfile(one)) is not None}
    texts = {name: content.decode("utf-8") for name, content in files.items() if _is_text(content)}
    work, chance = Work(root=root), random.Random(seed)
    work.commit(dict(texts))
    for number in range(count):
        work.commit(_edits(texts, chance, number))


def _is_text(content: bytes) -> bool:
    try:
        return len(content.decode("utf-8")) > 0
    except UnicodeDecodeError:
        return False


def _edits(texts: dict[str, str], chance: random.Random, number: int) -> dict[str, str | bytes | None]:
    """One commit; `texts` is brought up to date."""
    made: dict[str, str | bytes | None] = {}
    for place in range(chance.choices((1, 2, 3, 4), (0.6, 0.2, 0.12, 0.08))[0]):
        name = chance.choice(sorted(texts.keys() - made.keys()))
        kind = chance.random()
        moved = str(PurePosixPath(name).with_name(f"{number}-{place}-{PurePosixPath(name).name}"))
        if kind < _NEW:
            made[moved] = texts[moved] = _changed(texts[name], chance, most=12)
        elif kind < _NEW + _RENAMED:
            text = texts.pop(name)
            made[name] = None
            made[moved] = texts[moved] = _changed(text, chance, most=2) if chance.random() < 0.5 else text
        elif kind < _NEW + _RENAMED + _REMOVED:
            del texts[name]
            made[name] = None
        else:
            made[name] = texts[name] = _changed(texts[name], chance, most=3)
    return made


def _changed(text: str, chance: random.Random, *, most: int) -> str:
    """The text with some of its lines' sentences changed, doubled in other words, or left out."""
    lines = text.split("\n")
    for place in chance.sample(range(len(lines)), min(len(lines), chance.randint(1, most))):
        sentences = split_sentences(lines[place]) or ["A line was added here."]
        at = chance.randrange(len(sentences))
        word = chance.choice(("new", "former", "weekly", "shared", "local"))
        sentences[at : at + 1] = chance.choice(
            ([], [f"The {word} rule: {sentences[at]}"], [sentences[at], f"See {word}."])
        )
        lines[place] = " ".join(sentences)
    return "\n".join(lines)


def replay(
    repo: Path, commits: list[bytes], folder: Path, progress: Callable[[str, int, int | None], None]
) -> Iterator[dict[str, Any]]:
    """Read after each commit; yields one line of figures for each, and one for the comparison in the end."""
    with Parser() as parser, Repo(str(repo)) as opened:
        first, *others = commits
        opened.refs[_BRANCH] = ObjectID(first)
        kept = Reading(folder / "kept", repo, "replayed", parser)
        kept.read()
        for number, commit in enumerate(others, 1):
            opened.refs[_BRANCH] = ObjectID(commit)
            before, started = kept.texts(), time.perf_counter()
            report = kept.read()
            seconds = time.perf_counter() - started
            changed = len(kept.texts() - before)
            yield {"embedded": report.embedded_chunks, "changed": changed, "seconds": seconds, "failed": report.failed}
            progress("Replaying commits", number, len(others))
        started = time.perf_counter()
        again = kept.read()
        seconds = time.perf_counter() - started
        anew = Reading(folder / "anew", repo, "replayed", parser)
        anew.read()
        ours, theirs = kept.everything(), anew.everything()
        yield {"same": ours == theirs, "rows": len(theirs), "again": seconds, "read_again": again.embedded_chunks}


def main() -> None:
    """Replay and print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--commits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if (options.repo is None) == (options.corpus is None):
        parser.error("name either --repo or --corpus")
    with tempfile.TemporaryDirectory() as name, progress_bar() as progress:
        folder = Path(name)
        root = folder / "repository"
        if options.corpus is not None:
            edited(options.corpus, root, options.commits, options.seed)
        else:
            with closing(Repo(str(options.repo))) as original:
                original.clone(str(root), mkdir=True, bare=True, symlinks=False).close()
        with closing(Repo(str(root))) as repo:
            commits = commits_of(repo, options.commits)
        *steps, end = replay(root, commits, folder, progress)
    embedded, changed = sum(one["embedded"] for one in steps), sum(one["changed"] for one in steps)
    seconds = sorted(one["seconds"] for one in steps)
    print(
        json.dumps(
            {
                "commits": len(steps),
                "embedded_chunks": embedded,
                "changed_chunks": changed,
                "ratio": round(embedded / max(1, changed), 3),
                "seconds_per_commit": {"median": round(median(seconds), 3), "longest": round(seconds[-1], 3)},
                "seconds_where_nothing_changed": round(end["again"], 3),
                "same_as_read_anew": end["same"],
                "rows_compared": end["rows"],
                "failed": sorted({f"{one.uri}: {one.reason}" for step in steps for one in step["failed"]})[:5],
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
