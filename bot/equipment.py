"""What the surfaces in Slack need beside ANSWER, each optional: without one, what needs it says so or is silent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.earlier.search import Earlier
    from bot.learn.gaps import GapFinder
    from bot.learn.latest import LatestAdvice
    from knowledge.embed import Embedder
    from knowledge.parse import Parser
    from models.generator import Generator


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """Tools that all teams share; each may be used from several threads."""

    embedder: Embedder | None = None
    """Compares what lies on the table with the question."""
    parser: Parser | None = None
    """Reads attachments, in a child process with limits."""
    generator: Generator | None = None
    """Writes summaries."""
    earlier: Earlier | None = None
    """Finds what was said before; None where nothing is remembered."""
    advice: LatestAdvice | None = None
    """Says why answers failed; None where nobody works it out."""
    gaps: GapFinder | None = None
    """Says what was asked in vain; None where nobody looks."""
    sync: Callable[[str | None], str] | None = None
    """Reads one source, by name, or all of them now, and says in a few words what came of it."""
