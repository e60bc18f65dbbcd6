from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from knowledge.embed import (
    EMBEDDED_NAME,
    QUANTIZED_NAME,
    Embedder,
    SentenceTransformerEmbedder,
    embedded_model_folder,
    load_embedder,
)
from knowledge.encoder_files import CHECKED_TEXTS
from knowledge.errors import EmbedderError
from tests.contracts.embedder import TEXTS, EmbedderContract
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


@pytest.fixture(scope="module")
def made_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.mark.slow
class TestQuantizedModel(EmbedderContract):
    loaded: Embedder

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _load(cls, made_in: Path) -> None:
        load_embedder("embedded", precision="auto", made_in=made_in)
        cls.loaded = load_embedder("embedded", precision="auto", made_in=made_in)

    def build(self) -> Embedder:
        return self.loaded

    def test_its_name_tells_its_vectors_from_those_of_full_precision(self) -> None:
        assert (self.loaded.name, self.loaded.dim, self.loaded.max_tokens) == ("all-MiniLM-L6-v2/int8", 384, 256)

    def test_it_cuts_and_marks_texts_as_the_full_model_does(self) -> None:
        full = load_embedder("embedded")
        texts = [*TEXTS, "Größe, naïve café. " * 100]
        assert np.sum(self.loaded.embed(CHECKED_TEXTS) * full.embed(CHECKED_TEXTS), axis=1).min() > 0.99
        assert np.sum(self.loaded.embed(texts) * full.embed(texts), axis=1).min() > 0.98
        assert self.loaded.prefixes == full.prefixes
        assert [self.loaded.count_tokens(text) for text in texts] == [full.count_tokens(text) for text in texts]


@pytest.mark.slow
class TestChoiceOfPrecision:
    def test_the_first_start_says_what_it_waits_for_and_the_second_waits_for_nothing(self, made_in: Path) -> None:
        load_embedder("embedded", precision="auto", made_in=made_in)
        said: list[str] = []
        load_embedder("embedded", precision="auto", made_in=made_in, say=said.append)
        assert said == []
        load_embedder("embedded", precision="auto", made_in=made_in / "empty", say=said.append)
        assert len(said) == 1

    def test_a_damaged_file_is_made_anew(self, tmp_path: Path) -> None:
        load_embedder("embedded", precision="auto", made_in=tmp_path)
        (file,) = tmp_path.glob("*.onnx")
        whole = file.read_bytes()
        file.write_bytes(whole[:1_000_000])
        assert load_embedder("embedded", precision="auto", made_in=tmp_path).name == QUANTIZED_NAME
        assert file.read_bytes() == whole

    def test_a_folder_that_cannot_be_written_keeps_it_in_memory(self, tmp_path: Path) -> None:
        (tmp_path / "models").write_text("a file where the folder should be")
        embedder = load_embedder("embedded", precision="auto", made_in=tmp_path / "models")
        assert embedder.name == QUANTIZED_NAME

    def test_stored_vectors_of_full_precision_keep_it(self, made_in: Path) -> None:
        kept = load_embedder("embedded", precision="auto", made_in=made_in, stored={EMBEDDED_NAME})
        assert kept.name == EMBEDDED_NAME

    def test_stored_vectors_of_both_prefer_the_fast_form(self, made_in: Path) -> None:
        both = {EMBEDDED_NAME, QUANTIZED_NAME}
        assert load_embedder("embedded", precision="auto", made_in=made_in, stored=both).name == QUANTIZED_NAME

    def test_full_precision_can_be_asked_for(self, made_in: Path) -> None:
        assert load_embedder("embedded", precision="full", made_in=made_in).name == EMBEDDED_NAME


@pytest.mark.slow
def test_a_folder_without_a_model_is_an_error_that_says_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"knowledge\.embedder"):
        SentenceTransformerEmbedder(tmp_path)
