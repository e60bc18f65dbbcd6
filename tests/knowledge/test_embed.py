from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.embed import Embedder, SentenceTransformerEmbedder, embedded_model_folder, load_embedder
from knowledge.errors import EmbedderError
from tests.contracts.embedder import EmbedderContract
from tests.knowledge.fake_embedder import FakeEmbedder


class TestFakeEmbedder(EmbedderContract):
    def build(self) -> Embedder:
        return FakeEmbedder()


@pytest.mark.slow
class TestEmbeddedModel(EmbedderContract):
    loaded: Embedder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _load(cls) -> None:
        cls.loaded = load_embedder("embedded")

    def build(self) -> Embedder:
        return self.loaded

    def test_is_minilm(self) -> None:
        assert (self.loaded.name, self.loaded.dim, self.loaded.max_tokens) == ("all-MiniLM-L6-v2", 384, 256)

    def test_a_folder_is_named_by_its_content(self) -> None:
        """Other weights under the same folder name must not meet vectors of the old ones."""
        name = load_embedder(str(embedded_model_folder())).name
        assert name.startswith("model@")
        assert len(name) == len("model@") + 12


@pytest.mark.slow
def test_a_folder_without_a_model_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"knowledge\.embedder"):
        SentenceTransformerEmbedder(tmp_path)
