"""What every Embedder must do: the tests of each implementation inherit this class and build theirs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from knowledge.embed import Embedder

TEXTS = ["Holidays are booked in the calendar.", "The server restarts at night.", "Ünïcode und 漢字", "x", ""]


class EmbedderContract:
    """Inherit and define `build`."""

    def build(self) -> Embedder:
        """Make the embedder under test, or return one that is loaded."""
        raise NotImplementedError

    def test_returns_one_unit_vector_of_its_dimension_for_each_text(self) -> None:
        embedder = self.build()
        vectors = embedder.embed(TEXTS)
        assert vectors.shape == (len(TEXTS), embedder.dim)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)

    def test_no_texts_give_no_vectors(self) -> None:
        embedder = self.build()
        assert embedder.embed([]).shape == (0, embedder.dim)

    def test_order_and_company_do_not_matter(self) -> None:
        embedder = self.build()
        texts = [f"{'word ' * length}{length}" for length in (40, 1, 90, 3, 17)]
        together = embedder.embed(texts)
        for text, vector in zip(texts, together, strict=True):
            np.testing.assert_allclose(embedder.embed([text])[0], vector, atol=1e-4)

    def test_texts_about_the_same_are_nearer(self) -> None:
        question, near, far = self.build().embed(
            ["When does the server restart?", "The server does restart at night.", "Bananas grow in bunches."]
        )
        assert question @ near > question @ far + 0.1

    def test_a_text_beyond_the_limit_is_cut_not_refused(self) -> None:
        embedder = self.build()
        assert embedder.embed(["word " * embedder.max_tokens * 3]).shape == (1, embedder.dim)

    def test_counts_tokens_as_its_tokenizer_does(self) -> None:
        embedder = self.build()
        text = "Holidays are booked in the calendar. " * 100
        assert embedder.count_tokens(text) == len(embedder.tokenizer.encode(text, add_special_tokens=False).ids)
        assert embedder.count_tokens("") == 0

    def test_may_be_called_from_several_threads(self) -> None:
        embedder = self.build()
        alone = embedder.embed(TEXTS)
        with ThreadPoolExecutor(4) as pool:
            for vectors in pool.map(lambda _: embedder.embed(TEXTS), range(8)):
                np.testing.assert_allclose(vectors, alone, atol=1e-4)
