from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from knowledge.embed import Vectors
from knowledge.errors import IndexFileError
from knowledge.generation import Generations, Manifest
from knowledge.hits import Ids
from knowledge.index import BuildStoppedError, ExactIndex, HnswIndex, VectorIndex
from tests.contracts.vector_index import DIM, VectorIndexContract, unit_vectors
from tests.knowledge.fake_embedder import FakeEmbedder


class TestExactIndex(VectorIndexContract):
    def build(self, ids: Ids, vectors: Vectors) -> VectorIndex:
        return ExactIndex(ids, vectors)


class TestHnswIndex(VectorIndexContract):
    def build(self, ids: Ids, vectors: Vectors) -> VectorIndex:
        return HnswIndex.build(ids, vectors)


def small_graph(count: int = 600) -> HnswIndex:
    return HnswIndex.build(np.arange(count, dtype=np.int64), unit_vectors(count))


def publish(folder: Path) -> Manifest:
    return Generations(folder).publish(small_graph(), FakeEmbedder(dim=DIM), 599)


def test_a_build_ends_when_it_is_told_to() -> None:
    with pytest.raises(BuildStoppedError):
        HnswIndex.build(np.arange(10, dtype=np.int64), unit_vectors(10), stop=lambda: True)


def test_a_fresh_graph_finds_what_exact_search_finds() -> None:
    assert small_graph().fit() >= 0.99


def test_searches_get_as_wide_as_the_vectors_need() -> None:
    random = np.random.default_rng(1).standard_normal((4_000, 96), np.float32)
    vectors = random / np.linalg.norm(random, axis=1, keepdims=True)
    graph = HnswIndex.build(np.arange(4_000, dtype=np.int64), vectors)
    narrow = graph.fit((10,))
    assert narrow < 0.95
    assert graph.fit((10, 4_000, 8_000)) > 0.99
    assert graph.ef == 4_000


def test_what_the_check_chose_holds_for_who_built_and_who_loads(tmp_path: Path) -> None:
    graph = small_graph()
    graph.widen(3)
    manifest = Generations(tmp_path).publish(graph, FakeEmbedder(dim=DIM), 599)
    assert graph.ef == Generations(tmp_path).load(manifest).ef == small_graph().ef > 3


def test_a_published_generation_loads_and_finds_the_same(tmp_path: Path) -> None:
    manifest = publish(tmp_path)
    assert (manifest.count, manifest.dim, manifest.built_to_chunk) == (600, DIM, 599)
    question = unit_vectors(1, seed=4)[0]
    loaded = Generations(tmp_path).load(manifest)
    assert loaded.search(question, 10).ids.tolist() == small_graph().search(question, 10).ids.tolist()


def test_publishing_leaves_only_the_file_and_its_manifest(tmp_path: Path) -> None:
    manifest = publish(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [manifest.file, f"{manifest.file}.json"]


@pytest.mark.parametrize("position", [0, 8, 40, 95, 96, 2_000, -1])
def test_a_changed_byte_is_noticed_before_hnswlib_sees_the_file(tmp_path: Path, position: int) -> None:
    manifest = publish(tmp_path)
    file = tmp_path / manifest.file
    content = bytearray(file.read_bytes())
    content[position] ^= 0x10
    file.write_bytes(content)
    with pytest.raises(IndexFileError, match="does not match its manifest"):
        Generations(tmp_path).load(manifest)


def test_a_shortened_file_is_noticed(tmp_path: Path) -> None:
    manifest = publish(tmp_path)
    file = tmp_path / manifest.file
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(IndexFileError, match="does not match"):
        Generations(tmp_path).load(manifest)


@pytest.mark.parametrize("content", ["", "[]", '{"file": "other"}', "\0"])
def test_a_damaged_manifest_is_noticed(tmp_path: Path, content: str) -> None:
    manifest = publish(tmp_path)
    (tmp_path / f"{manifest.file}.json").write_text(content)
    with pytest.raises(IndexFileError):
        Generations(tmp_path).load(manifest)


def test_a_manifest_for_another_embedder_is_noticed(tmp_path: Path) -> None:
    manifest = publish(tmp_path)
    with pytest.raises(IndexFileError):
        Generations(tmp_path).load(replace(manifest, embedder="another"))


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    manifest = publish(tmp_path)
    (tmp_path / manifest.file).unlink()
    with pytest.raises(IndexFileError, match="cannot be read"):
        Generations(tmp_path).load(manifest)


def test_a_graph_with_wild_links_ends_the_child_and_not_us(tmp_path: Path) -> None:
    """hnswlib follows damaged links out of its memory: the check must not pass, however the child ends."""
    file = tmp_path / "graph"
    small_graph().save(file)
    content = bytearray(file.read_bytes())
    content[5_000:60_000] = b"\xee" * 55_000
    file.write_bytes(content)
    command = [sys.executable, "-m", "knowledge.index", str(file), str(DIM), "600"]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on file size stands for the full disk: hnswlib itself notices neither."""
    script = (
        "import resource, signal, sys\n"
        "from pathlib import Path\n"
        "from knowledge.errors import IndexFileError\n"
        "from tests.knowledge.test_index import publish\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    publish(Path(sys.argv[1]))\n"
        "except IndexFileError as error:\n"
        "    print(error)\n"
    )
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "bytes. Free some space on that disk." in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_tidying_removes_expired_generations_only(tmp_path: Path) -> None:
    old, new = publish(tmp_path), publish(tmp_path)
    Generations(tmp_path).tidy(frozenset({new.file}), [old.file])
    assert sorted(file.name for file in tmp_path.iterdir()) == [new.file, f"{new.file}.json"]
