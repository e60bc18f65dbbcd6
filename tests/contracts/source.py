"""What every Source must do: the tests of each implementation inherit this class and say how to fill their place."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from knowledge.document import DeletedDocument, FetchedDocument
from knowledge.errors import SourceUnavailableError
from knowledge.sources import Checkpoint, Source, SourceStep


class SourceContract:
    """Inherit and define the five methods that raise here."""

    deletes = True
    """Whether the place shows that a document is gone; a window on the newest ones does not."""

    def build(self) -> Source:
        """Make the source under test, over a place that is empty at first."""
        raise NotImplementedError

    def put(self, name: str, text: str) -> str:
        """Put or replace a document at the place; returns its URI."""
        raise NotImplementedError

    def take_away(self, name: str) -> None:
        """Remove a document from the place."""
        raise NotImplementedError

    def lose_place(self) -> None:
        """Make the whole place unreachable."""
        raise NotImplementedError

    def settle(self) -> None:
        """Let pass what the source takes for one moment, so that later changes are told from earlier ones."""
        raise NotImplementedError

    def test_first_run_delivers_everything_and_ends_with_a_checkpoint(self) -> None:
        uris = {self.put("a.md", "alpha"), self.put("b.md", "beta")}
        steps = list(self.build().changes(None))
        assert {step.uri for step in steps if isinstance(step, FetchedDocument)} == uris
        assert isinstance(steps[-1], Checkpoint)

    def test_nothing_changed_means_no_document(self) -> None:
        self.put("a.md", "alpha")
        self.settle()
        source = self.build()
        assert _changes(source, _cursor(source, None)) == []

    def test_new_changed_and_removed_documents_are_told(self) -> None:
        self.put("stays.md", "same")
        changed, removed = self.put("changed.md", "before"), self.put("removed.md", "gone soon")
        self.settle()
        source = self.build()
        cursor = _cursor(source, None)
        new = self.put("new.md", "fresh")
        self.put("changed.md", "after, and longer")
        self.take_away("removed.md")
        steps = _changes(source, cursor)
        assert {step.uri for step in steps if isinstance(step, FetchedDocument)} == {new, changed}
        assert [step.uri for step in steps if isinstance(step, DeletedDocument)] == [removed] * self.deletes

    def test_the_cursor_works_in_another_process(self) -> None:
        self.put("a.md", "alpha")
        self.settle()
        assert _changes(self.build(), _cursor(self.build(), None)) == []

    def test_retried_documents_come_again_unchanged(self) -> None:
        uri = self.put("a.md", "alpha")
        self.put("b.md", "beta")
        self.settle()
        source = self.build()
        steps = _changes(source, _cursor(source, None), retry={uri})
        assert [step.uri for step in steps if isinstance(step, FetchedDocument)] == [uri]

    def test_a_lost_place_is_an_error_and_deletes_nothing(self) -> None:
        self.put("a.md", "alpha")
        source = self.build()
        cursor = _cursor(source, None)
        self.lose_place()
        seen: list[SourceStep] = []
        with pytest.raises(SourceUnavailableError):
            seen.extend(source.changes(cursor))
        assert seen == []


def _cursor(source: Source, cursor: str | None) -> str:
    last = list(source.changes(cursor))[-1]
    assert isinstance(last, Checkpoint)
    return last.cursor


def _changes(source: Source, cursor: str, retry: Collection[str] = ()) -> list[SourceStep]:
    steps = source.changes(cursor, retry)
    return [step for step in steps if isinstance(step, FetchedDocument | DeletedDocument)]
