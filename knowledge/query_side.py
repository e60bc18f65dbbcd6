"""What retrieval reads a question with: an encoder, and where it is ours a second look at the best passages."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from knowledge.embed import Embedder
from knowledge.errors import EmbedderError
from knowledge.match import TokenMatch
from knowledge.query import HistoryWeights
from knowledge.query_encoder import QueryEncoder, WeightedHistory, has_adapter, open_encoders

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class QuerySide:
    """How questions are read; may be used from several threads and by several libraries of one embedder."""

    encoder: QueryEncoder
    match: TokenMatch | None = None
    """None for an embedder whose word pieces nobody can see."""


def weighted_query_side(embedder: Embedder, weights: HistoryWeights) -> QuerySide:
    """The query side that any embedder can have."""
    return QuerySide(encoder=WeightedHistory(embedder=embedder, weights=weights))


def open_query_side(embedder: Embedder, made_in: Path | None, weights: HistoryWeights) -> QuerySide:
    """Open the adapted encoder where the embedder is the embedded one; weighted history has to do for any other.

    Also where it cannot be opened: that is logged, and questions are answered all the same.
    """
    if has_adapter(embedder):
        try:
            encoder = open_encoders(embedder, made_in)
            return QuerySide(encoder=encoder, match=TokenMatch(encoder.plain, encoder.tokenizer))
        except EmbedderError as error:
            logger.warning("follow-up questions are searched by weighted history, which finds less: %s", error)
    return weighted_query_side(embedder, weights)
