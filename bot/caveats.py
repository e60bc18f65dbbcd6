"""What is said beside an answer about what it stands on: that documents disagree, and that all of it is old.

It stands beside the text and not in it: the text is the model's, and learned from. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from bot import words
from bot.cite import citation_of
from bot.disagreement import Disagreement, Said
from bot.draft import Draft
from bot.sentences import content_words
from bot.turn import Answer, AnswerEvent, Citation, Done

# So much of a sentence's words stands in the answer that this says it.
_LEAST_SAID = 0.6


@dataclass(frozen=True, kw_only=True)
class Caveats:
    """What may have to be said beside an answer."""

    disagreement: Disagreement | None
    stale_days: int
    """Older is told; 0: never."""
    now: datetime

    def beside(self, events: Iterator[AnswerEvent], draft: Draft) -> Iterator[AnswerEvent]:
        """Pass the events of an answer on; the finished one says besides what it needs."""
        for event in events:
            yield Done(answer=self._noted(event.answer, draft)) if isinstance(event, Done) else event

    def _noted(self, answer: Answer, draft: Draft) -> Answer:
        if answer.abstained or answer.stopped:
            return answer
        old = self._age_note(answer)
        answer, disagreement = self._disagreement_note(answer, draft)
        note = " ".join(filter(None, (disagreement, old)))
        return replace(answer, note=note) if note else answer

    def _disagreement_note(self, answer: Answer, draft: Draft) -> tuple[Answer, str]:
        """The note, and the answer with what else is cited; only where it says what documents disagree about."""
        found = self.disagreement
        if found is None or not _says(answer, found.answered, draft):
            return answer, ""
        citations = list(answer.citations)
        said: list[words.Claim] = []
        for one in (found.answered, *found.others):
            passage = draft.read[one.evidence.passage]
            cited = next((each for each in citations if each.chunk_id == passage.id and each.uri == passage.uri), None)
            if cited is None:
                cited = citation_of(passage, len(citations) + 1, one.evidence.text)
                citations.append(cited)
            said.append(
                words.Claim(n=cited.n, title=cited.title, source=cited.source, dated=cited.dated, value=one.value.text)
            )
        answer = replace(answer, citations=tuple(citations), passages=draft.passages_with(tuple(citations)))
        return answer, words.disagreement(said)

    def _age_note(self, answer: Answer) -> str:
        """Say how old the newest of what an answer stands on is, where that is older than the limit."""
        dates = [date.fromisoformat(citation.dated) for citation in answer.citations if citation.dated]
        if not self.stale_days or not dates or len(dates) < len(answer.citations):
            return ""
        old = max(dates) < self.now.date() - timedelta(days=self.stale_days)
        return words.stale(max(dates), len(dates)) if old else ""


def _says(answer: Answer, said: Said, draft: Draft) -> bool:
    """Whether an answer stands on a statement and says about all of it."""
    passage = draft.read[said.evidence.passage]
    if not any(_is_of(citation, passage.id, passage.uri) for citation in answer.citations):
        return False
    stated, held = set(content_words(said.evidence.text)), set(content_words(answer.text))
    return set(content_words(said.value.text)) <= held or len(stated & held) >= _LEAST_SAID * len(stated)


def _is_of(citation: Citation, chunk_id: int, uri: str) -> bool:
    return citation.chunk_id == chunk_id and citation.uri == uri
