"""Documents that disagree are named beside the answer; what only looks so is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.answer import Answering, AnswerOptions
from bot.disagreement import Disagreement, find_disagreement
from bot.evidence import EARLIER, rank_evidence
from bot.turn import Answer, Done
from knowledge.audience import Audience
from knowledge.document import Passage, Question
from tests.bot.answer_parts import FixedLibrary, passage
from tests.fakes import ScriptedGenerator
from tests.knowledge.fake_embedder import FakeEmbedder

ASKED = "How many weeks of parental leave do we get?"
NOW = datetime(2026, 11, 1, tzinfo=UTC)
NEW = replace(
    passage("Parental leave is 16 weeks.", number=1, title="Handbook"), modified_at=datetime(2026, 3, 5, tzinfo=UTC)
)
OLD = replace(
    passage("Parental leave is 12 weeks.", number=2, title="Old wiki"), modified_at=datetime(2019, 5, 3, tzinfo=UTC)
)


def found(*passages: Passage, asked: str = ASKED) -> Disagreement | None:
    embedder = FakeEmbedder(dim=256)
    question = Question(text=asked)
    evidence = rank_evidence(question, passages, embedder.embed([asked], role="question")[0], embedder)
    return find_disagreement(asked, evidence, passages)


def values(disagreement: Disagreement | None) -> list[str]:
    assert disagreement is not None
    return [one.value.text for one in (disagreement.answered, *disagreement.others)]


def answer(passages: Sequence[Passage], reply: str, asked: str = ASKED, *, stale_days: int = 365) -> Answer:
    parts = Answering(
        library=FixedLibrary(passages),
        generator=ScriptedGenerator(reply),
        options=AnswerOptions(minimum_support=0.0, stale_days=stale_days),
        now=lambda: NOW,
    )
    (done,) = [one for one in parts.answer(Question(text=asked), Audience.everyone()) if isinstance(one, Done)]
    return done.answer


def test_the_newer_document_is_preferred_and_the_official_one_before_it() -> None:
    assert values(found(OLD, NEW)) == ["16 weeks", "12 weeks"]
    assert values(found(NEW, replace(OLD, trust="official"))) == ["12 weeks", "16 weeks"]
    assert values(found(replace(NEW, trust="informal"), OLD)) == ["12 weeks", "16 weeks"]
    assert values(found(OLD, replace(NEW, modified_at=None))) == ["12 weeks", "16 weeks"]


def test_who_says_the_same_is_not_named_again() -> None:
    third = passage("The parental leave is 16 weeks.", number=3, title="Benefits")
    assert values(found(OLD, NEW, third)) == ["16 weeks", "12 weeks"]


def test_old_versions_conversations_and_one_document_do_not_disagree() -> None:
    assert found(NEW, replace(OLD, newer_version=NEW.id)) is None
    assert found(NEW, replace(OLD, source=EARLIER)) is None
    assert found(NEW, replace(OLD, uri=NEW.uri)) is None


def test_what_is_about_something_else_does_not_disagree() -> None:
    germany = replace(NEW, title="Offices", header="Offices > Germany")
    france = replace(OLD, title="Branches", header="Branches > France")
    assert found(germany, france) is None
    assert found(replace(NEW, title="Hotel Lisboa"), replace(OLD, title="Hotel Porto")) is None
    # Only one of them is about what was asked.
    assert found(replace(NEW, header="Germany"), OLD, asked=f"{ASKED} In Germany?") is None
    # Everybody says something else: it is a form, filled in for different things.
    houses = [
        passage(f"Parental leave is {number} weeks.", number=number, title=f"Firm {number}") for number in range(5, 9)
    ]
    assert found(*houses) is None


def test_documents_that_name_what_they_are_about_do_not_disagree() -> None:
    asked = "What languages are spoken there?"
    kirkwood = passage("Greek and English are spoken at Kirkwood House.", number=1, title="KIRKWOOD HOUSE")
    leverton = passage("Greek and English are spoken at Leverton House.", number=2, title="LEVERTON HOUSE")
    assert found(kirkwood, leverton, asked=asked) is None
    handbook = passage(kirkwood.text, number=1, title="Handbook")
    wiki = passage(leverton.text, number=2, title="Old wiki")
    assert set(values(found(handbook, wiki, asked=asked))) == {"Kirkwood House", "Leverton House"}
    assert found(kirkwood, wiki, asked=asked) is not None


def test_the_preferred_document_is_answered_and_the_other_is_named_with_its_date() -> None:
    said = answer([OLD, NEW], "Parental leave is 16 weeks.")
    assert said.text == "Parental leave is 16 weeks. [1]"
    assert said.note == "⚠️ My sources disagree: Handbook (2026) says 16 weeks [1]; Old wiki (2019) says 12 weeks [2]."
    assert [(one.n, one.title, one.dated) for one in said.citations] == [
        (1, "Handbook", "2026-03-05"),
        (2, "Old wiki", "2019-05-03"),
    ]
    assert {one.title for one in said.passages} == {"Handbook", "Old wiki"}


def test_what_is_not_preferred_cannot_be_answered() -> None:
    """The model never reads it, and a sentence that says it has nothing to stand on."""
    said = answer([OLD, NEW], "Parental leave is 12 weeks.")
    assert "12 weeks" not in said.text
    assert "16 weeks" in said.text
    assert "Old wiki (2019) says 12 weeks" in said.note


def test_an_answer_about_something_else_says_nothing_of_it() -> None:
    badges = passage("Badges are issued at the front desk.", number=3, title="Badges")
    said = answer([badges, NEW, OLD], "Badges are issued at the front desk.", "Where are badges issued?")
    assert said.note == ""


def test_documents_of_one_year_are_told_apart_by_the_day_and_of_one_title_by_their_source() -> None:
    twin = replace(OLD, title="Handbook", source="wiki", modified_at=datetime(2026, 1, 2, tzinfo=UTC))
    said = answer([NEW, twin], "Parental leave is 16 weeks.")
    assert "Handbook in handbook (5 March 2026) says 16 weeks [1]" in said.note
    assert "Handbook in wiki (2 January 2026) says 12 weeks [2]" in said.note


def test_an_answer_that_stands_on_nothing_new_says_of_when_it_is() -> None:
    said = answer([OLD], "Parental leave is 12 weeks.")
    assert said.note == "🕰️ The source of this is of 3 May 2019; it may be out of date."
    assert answer([OLD], "Parental leave is 12 weeks.", stale_days=0).note == ""
    assert answer([NEW], "Parental leave is 16 weeks.").note == ""
    assert answer([replace(OLD, modified_at=None)], "Parental leave is 12 weeks.").note == ""


def test_the_age_is_that_of_the_newest_source() -> None:
    other = replace(
        passage("We get weeks of parental leave by asking the office.", number=3),
        modified_at=datetime(2021, 1, 9, tzinfo=UTC),
    )
    said = answer([OLD, other], "Parental leave is 12 weeks. We get weeks of parental leave by asking the office.")
    assert len(said.citations) == 2
    assert "The newest source of this is of 9 January 2021" in said.note
