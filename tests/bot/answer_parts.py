"""A small team's passages and a library that returns them: what tests of ANSWER search in."""

from __future__ import annotations

from collections.abc import Sequence

from knowledge.audience import EVERYONE, Audience
from knowledge.document import Passage, Question
from knowledge.embed import Embedder
from knowledge.retrieve import Retrieved, RetrieveSeconds
from tests.knowledge.fake_embedder import FakeEmbedder

BADGES = "Badges are issued by Maria Lopez at the front desk. Lost badges cost 15 euros."
LEAVE = "Parental leave is 16 weeks at full pay. Ask People Ops two months ahead."


def passage(text: str, *, number: int = 1, title: str = "Handbook", audience: str = EVERYONE) -> Passage:
    """A passage as retrieval would return it; its cosine is set by `FixedLibrary`."""
    return Passage(
        id=number,
        document_id=number,
        source="handbook",
        uri=f"file:///handbook/{number}.md",
        title=title,
        header=title,
        text=text,
        text_hash=f"hash{number}",
        audience=audience,
        score=1.0,
        cosine=0.8,
        word_score=1.0,
    )


class FixedLibrary:
    """Returns the same passages to every question, those that its audience may read."""

    def __init__(self, passages: Sequence[Passage], embedder: Embedder | None = None) -> None:
        self._passages = tuple(passages)
        self._embedder = embedder or FakeEmbedder(dim=256)

    @property
    def embedder(self) -> Embedder:
        """What turns texts into vectors."""
        return self._embedder

    def retrieve(
        self, question: Question, audience: Audience, k: int, *, sources: frozenset[str] | None = None
    ) -> Retrieved:
        """The first `k` of the passages that this audience may read, of these sources."""
        readable = tuple(
            item
            for item in self._passages
            if audience.may_read(item.audience) and (sources is None or item.source in sources)
        )
        return Retrieved(
            passages=readable[:k],
            query_vector=self._embedder.embed([question.text], role="question")[0],
            seconds=RetrieveSeconds(embed=0.0, vectors=0.0, words=0.0, total=0.0),
        )
