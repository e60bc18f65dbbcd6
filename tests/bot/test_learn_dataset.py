"""From answers, votes, corrections and documents to a dataset: what comes in, by which lane, and what stays out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from bot.answered import load_answered
from bot.curated import CuratedAnswers
from bot.errors import MisuseError
from bot.evaluate.answers import load_answer_rows
from bot.feedback import record_reason, record_vote, withdraw_vote
from bot.forgetting import forget_question
from bot.learn.export import general_examples, read_manifest
from bot.learn.ledger import read_ledger, versions_that_learned
from bot.learn.rehearsal import rehearsal_tasks, whole_sentences
from bot.learn.targets import UNKNOWN
from bot.people import Preferences, save_preferences
from bot.privacy import forget
from bot.settings import AnswerSettings, TuningSettings
from knowledge.audience import Audience
from knowledge.database import reading, writing
from knowledge.tables import document
from models.registry import sha256_of
from tests.bot.learn_world import (
    ADA,
    BADGES,
    BEN,
    CHLOE,
    LEAVE,
    MESSAGES,
    PLACE,
    TEAM,
    World,
    everything,
    examples,
    open_world,
)
from tests.fakes import ScriptedGenerator

WHO = "Who issues the badges?"
OFFICES = [
    ("Lisbon", "Ines Prado", 2011),
    ("Oslo", "Kari Berg", 2012),
    ("Kyoto", "Sora Mori", 2013),
    ("Quito", "Luz Vega", 2014),
    ("Cairo", "Omar Aziz", 2015),
    ("Porto", "Rui Costa", 2016),
    ("Turin", "Lia Conti", 2017),
    ("Cork", "Niall Byrne", 2018),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = open_world(tmp_path)
    world.learn_documents(BADGES, LEAVE)
    yield world
    world.engine.dispose()


def reasons(folder: Path) -> dict[str, int]:
    return {one["reason"]: one["rows"] for one in read_manifest(folder)["left_out"]}


def of_people(folder: Path, kind: str) -> list[Any]:
    return [one for one in everything(folder) if one.kind == kind and one.lane != "documents"]


def test_a_good_answer_of_someone_who_consented_becomes_a_row_with_the_prompt_in_service(
    world: World, tmp_path: Path
) -> None:
    answer_id = world.ask(WHO)
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    (row,) = of_people(tmp_path / "d", "supervised")
    assert row.lane == "messages"
    assert row.origin == f"answer:{answer_id}"
    assert row.answer == "Badges are issued by Maria Lopez at the front desk. [1]"
    assert row.messages[0].role == "system"
    assert row.messages[-1].content.endswith(f"Question: {WHO}")
    assert "Maria Lopez" in row.messages[-1].content


def test_the_prompt_is_the_very_one_that_a_tuned_version_gets(world: World, tmp_path: Path) -> None:
    first = world.ask("How long is parental leave?", says="Parental leave is 16 weeks at full pay.")
    second = world.ask("When do I ask for it?", says="Ask People Ops two months ahead.", thread="000001.1")
    for answer_id in (first, second):
        record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    rows = {row.origin: row for row in of_people(tmp_path / "d", "supervised")}
    assert world.prompts[first - 1] == rows[f"answer:{first}"].messages
    assert world.prompts[second - 1] == rows[f"answer:{second}"].messages
    assert "Earlier:" in rows[f"answer:{second}"].messages[-1].content
    assert rows[f"answer:{first}"].group == rows[f"answer:{second}"].group


def test_nobodys_messages_train_as_long_as_the_operator_has_not_switched_it_on(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.consent(BEN)
    report = world.build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == of_people(tmp_path / "d", "vote") == []
    assert report.left_out["message_text_off"] == 2
    votes = [json.loads(line) for line in (tmp_path / "d" / "votes.jsonl").read_text().splitlines()]
    assert [(vote["vote"], vote["weight"]) for vote in votes] == [(1, 1.0)]
    assert WHO not in (tmp_path / "d" / "votes.jsonl").read_text()
    assert CHLOE not in (tmp_path / "d" / "votes.jsonl").read_text()


def test_without_the_askers_consent_nothing_of_theirs_comes_in(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == []
    assert reasons(tmp_path / "d")["no_consent"] == 2


def test_a_follow_up_needs_the_consent_of_everybody_who_shows_in_its_prompt(world: World, tmp_path: Path) -> None:
    world.ask("How long is parental leave?", says="Parental leave is 16 weeks.", user=CHLOE)
    answer_id = world.ask("When do I ask for it?", says="Ask People Ops two months ahead.", thread="000001.1")
    record_vote(world.engine, answer_id, ADA, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == []
    world.consent(CHLOE)
    world.with_tuning(MESSAGES).build(tmp_path / "e")
    assert len(of_people(tmp_path / "e", "supervised")) == 1


def test_what_was_asked_where_not_everyone_reads_stays_out(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO, channel="D0BEN"), CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert reasons(tmp_path / "d")["place_not_public"] == 2


def test_an_operators_correction_of_their_own_question_trains_without_any_switch(world: World, tmp_path: Path) -> None:
    answer_id = world.ask(WHO, user=ADA)
    record_reason(world.engine, answer_id, ADA, "unclear", "Maria Lopez issues badges at the front desk.")
    report = world.with_tuning(TuningSettings(), [ADA]).build(tmp_path / "d")
    (better,) = of_people(tmp_path / "d", "supervised")
    (pair,) = of_people(tmp_path / "d", "preference")
    assert better.lane == pair.lane == "corrections"
    assert better.answer == pair.answer == "Maria Lopez issues badges at the front desk. [1]"
    assert pair.rejected == "Badges are issued by Maria Lopez at the front desk. [1]"
    assert better.origin in report.origins


def test_an_operators_correction_of_anothers_question_is_that_persons_message(world: World, tmp_path: Path) -> None:
    answer_id = world.ask(WHO, says="Lost badges cost 15 euros.", user=BEN)
    record_reason(world.engine, answer_id, ADA, "wrong", "Maria Lopez issues badges at the front desk.")
    world.with_tuning(TuningSettings(), [ADA]).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == []
    world.consent(BEN)
    world.with_tuning(MESSAGES, [ADA]).build(tmp_path / "e")
    assert [row.lane for row in of_people(tmp_path / "e", "supervised")] == ["messages"]


def test_a_correction_that_no_passage_holds_is_left_out(world: World, tmp_path: Path) -> None:
    answer_id = world.ask(WHO, user=ADA)
    record_reason(world.engine, answer_id, ADA, "wrong", "Ask Peter in the basement.")
    world.with_tuning(TuningSettings(), [ADA]).build(tmp_path / "d")
    assert reasons(tmp_path / "d")["not_supported"] == 2


def test_a_correction_whose_sentences_were_found_but_not_shown_is_learned_with_them_in_the_prompt(
    world: World, tmp_path: Path
) -> None:
    told = "Maria Lopez waits at the front desk. Plastic cards are printed in the cellar."
    crowd = [f"Who issues the badges of floor {number} is badges office {number}." for number in ("two", "six", "ten")]
    world.learn_documents(f"{' '.join(crowd)} {told}", name="more")
    answer_id = world.ask(WHO, user=ADA, says=f"{crowd[0]}")
    assert "cellar" not in world.prompts[-1][-1].content
    record_reason(world.engine, answer_id, ADA, "wrong", told)
    world.with_tuning(TuningSettings(), [ADA]).build(tmp_path / "d")
    (row,) = of_people(tmp_path / "d", "supervised")
    assert "Maria Lopez waits at the front desk." in row.messages[-1].content
    assert "Plastic cards are printed in the cellar." in row.messages[-1].content
    assert row.answer.count("[") == 2
    # The answer that was rejected was given to another prompt: the two are no pair.
    assert of_people(tmp_path / "d", "preference") == []
    assert reasons(tmp_path / "d")["not_supported"] == 1


def test_where_no_model_is_asked_none_learns_to_say_that_it_does_not_know(world: World, tmp_path: Path) -> None:
    """The threshold says so there; the gate still asks."""
    far = world.ask("Which song did Kublai sing at noon?", says=UNKNOWN, user=BEN)
    near = world.ask("Who issues badges at the front desk and paints lost badges?", says=UNKNOWN, user=BEN)
    for answer_id in (far, near):
        record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    world = world.with_tuning(MESSAGES)
    learned: set[str] = set()
    tested: set[str] = set()
    for seed in range(12):
        report = world.build(tmp_path / "d", seed=seed)
        parts = examples(tmp_path / "d")
        learned |= {row.origin for part in ("train", "validation") for row in parts[part] if row.kind != "preference"}
        tested |= {json.loads(line)["origin"] for line in (tmp_path / "d" / "test_rows.jsonl").read_text().splitlines()}
        if f"answer:{far}" not in {row.origin for row in parts["test"]}:
            assert report.left_out["not_asked"] == 2, "the answer and the vote on it"
    assert f"answer:{far}" not in learned
    assert f"answer:{far}" in tested
    assert f"answer:{near}" in learned


def test_where_a_model_is_always_asked_it_learns_all_that_people_approve(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask("Which song did Kublai sing?", says=UNKNOWN, user=BEN), CHLOE, 1, "button")
    world.consent(BEN)
    answer = AnswerSettings(minimum_support=0.0)
    settings = replace(world.settings.file, answer=answer, tuning=MESSAGES)
    always = replace(world, settings=replace(world.settings, file=settings))
    report = always.build(tmp_path / "d")
    assert "not_asked" not in report.left_out
    assert [row.answer for row in of_people(tmp_path / "d", "supervised")] == [UNKNOWN]


@pytest.mark.parametrize("wrote", ["", "Nobody ever wrote that down, ask in the basement."])
def test_who_says_that_it_should_not_know_teaches_to_say_so(world: World, tmp_path: Path, wrote: str) -> None:
    answer_id = world.ask("Who paints the badges?", user=BEN, says="Badges are issued by Maria Lopez.")
    # Chloe wrote no words that are learned: hers is a vote, for which nobody need consent.
    record_reason(world.engine, answer_id, CHLOE, "unknown", wrote)
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    (row,) = of_people(tmp_path / "d", "supervised")
    (pair,) = of_people(tmp_path / "d", "preference")
    assert row.answer == pair.answer == UNKNOWN
    assert pair.rejected == "Badges are issued by Maria Lopez. [1]"
    assert "basement" not in (tmp_path / "d" / "train.jsonl").read_text()
    assert reasons(tmp_path / "d").get("disputed", 0) == 0


def test_two_who_say_that_it_should_not_know_teach_it_once(world: World, tmp_path: Path) -> None:
    answer_id = world.ask("Who paints the badges?", user=BEN, says="Badges are issued by Maria Lopez.")
    record_reason(world.engine, answer_id, CHLOE, "unknown")
    record_reason(world.engine, answer_id, ADA, "unknown")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert len(of_people(tmp_path / "d", "preference")) == 1


def test_that_it_should_not_know_is_not_learned_where_somebody_says_otherwise(world: World, tmp_path: Path) -> None:
    liked, corrected = world.ask(WHO, user=BEN), world.ask("Who issues lost badges?", user=BEN)
    for answer_id in (liked, corrected):
        record_reason(world.engine, answer_id, CHLOE, "unknown")
    for user in (ADA, BEN):
        record_vote(world.engine, liked, user, 1, "button")
    record_reason(world.engine, corrected, ADA, "incomplete", "Maria Lopez issues badges at the front desk.")
    world.consent(BEN)
    world.with_tuning(MESSAGES, [ADA]).build(tmp_path / "d")
    assert UNKNOWN not in {
        row.answer for kind in ("supervised", "preference") for row in of_people(tmp_path / "d", kind)
    }
    assert reasons(tmp_path / "d")["disputed"] == 2


def test_that_it_should_not_know_says_nothing_of_an_answer_that_says_so(world: World, tmp_path: Path) -> None:
    answer_id = world.ask("What is the zzyzx of qwop?", user=BEN, says="I don't know.")
    record_reason(world.engine, answer_id, CHLOE, "unknown", "Maria Lopez issues badges at the front desk.")
    world.consent(BEN)
    world.with_tuning(MESSAGES, [CHLOE]).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == of_people(tmp_path / "d", "preference") == []
    assert reasons(tmp_path / "d")["voted_down"] == 1


def test_what_a_correction_stands_on_must_be_the_operators_document_too(world: World, tmp_path: Path) -> None:
    crowd = [f"Who issues the badges of floor {number} is badges office {number}." for number in ("two", "six", "ten")]
    world.learn_documents(" ".join(crowd), name="more")
    world.learn_documents("Plastic badges are printed in the cellar.", kind="slack", name="channel")
    answer_id = world.ask(WHO, user=ADA, says=f"{crowd[0]}")
    assert "cellar" not in world.prompts[-1][-1].content
    record_reason(world.engine, answer_id, ADA, "wrong", "Plastic badges are printed in the cellar.")
    world.with_tuning(TuningSettings(), [ADA]).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == []
    left_out = {one["reason"]: one["origins"] for one in read_manifest(tmp_path / "d")["left_out"]}
    assert "feedback:1" in left_out["not_owned"]


def test_an_answer_whose_document_changed_is_left_out(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.consent(BEN)
    world.forget_documents("docs")
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert reasons(tmp_path / "d")["passages_gone"] == 2


def test_an_adapter_for_everyone_learns_nothing_from_a_private_document(world: World, tmp_path: Path) -> None:
    private = "The launch code word is narwhal and only the leads know it."
    world.learn_documents(private, audience="channel:C0LEADS", name="leads")
    audience = Audience.of_channel("C0LEADS")
    answer_id = world.ask("What is the launch code word?", says=private, audience=audience)
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    record_reason(world.engine, answer_id, ADA, "wrong", "The launch code word is narwhal.")
    world.consent(BEN)
    world.with_tuning(MESSAGES, [ADA]).build(tmp_path / "d")
    for path in (tmp_path / "d").glob("*.json*"):
        assert "narwhal" not in path.read_text()
    assert reasons(tmp_path / "d")["not_public"] >= 2


def test_what_was_found_beside_the_prompt_is_public_too_or_the_answer_stays_out(world: World, tmp_path: Path) -> None:
    """Test rows keep all that was found, so that retrieval need not be repeated."""
    world.learn_documents("The narwhal calendar has twelve pages.", name="more")
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.consent(BEN)

    def tested() -> Iterator[str]:
        """What test rows hold, whichever part the answer falls into."""
        for seed in range(20):
            world.with_tuning(MESSAGES).build(tmp_path / "d", seed=seed)
            yield (tmp_path / "d" / "test_rows.jsonl").read_text()

    assert any(WHO in text and LEAVE in text for text in tested())
    with writing(world.engine) as connection:
        narrowed = sa.update(document).where(document.c.uri.endswith("docs/1.md")).values(audience="channel:C0LEADS")
        assert connection.execute(narrowed).rowcount == 1
    assert not any(LEAVE in text for text in tested())


def test_what_an_open_channel_said_before_keeps_no_answer_out_and_does_not_come_in(
    world: World, tmp_path: Path
) -> None:
    answer_id = world.ask(WHO)
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.also_saw(answer_id, "Kim told us that badges wait in the cellar.")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    (row,) = of_people(tmp_path / "d", "supervised")
    assert row.answer == "Badges are issued by Maria Lopez at the front desk. [1]"
    assert row.messages == world.prompts[answer_id - 1]
    assert "cellar" not in str(row)


def test_an_answer_with_a_word_that_only_an_earlier_conversation_can_have_given_stays_out(
    world: World, tmp_path: Path
) -> None:
    answer_id = world.ask(WHO, says="Badges are issued by Maria Lopez at the front desk upstairs.")
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert len(of_people(tmp_path / "d", "supervised")) == 1
    world.also_saw(answer_id, "The front desk is upstairs.")
    world.with_tuning(MESSAGES).build(tmp_path / "e")
    assert of_people(tmp_path / "e", "supervised") == of_people(tmp_path / "e", "vote") == []


@pytest.mark.parametrize(("asked_in", "heard_in"), [(PLACE, "C0LEADS"), ("C0LEADS", "C0LEADS"), ("C0LEADS", PLACE)])
def test_what_was_said_where_not_everyone_reads_keeps_an_answer_out(
    world: World, tmp_path: Path, asked_in: str, heard_in: str
) -> None:
    answer_id = world.ask(WHO, user=ADA, channel=asked_in)
    record_reason(world.engine, answer_id, ADA, "unclear", "Maria Lopez issues badges at the front desk.")
    world.also_saw(answer_id, "Badges cost nothing for leads.", heard_in)
    report = world.with_tuning(MESSAGES, [ADA]).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == []
    assert report.left_out["not_public"] >= 1


def test_brackets_of_a_text_are_no_citations(world: World, tmp_path: Path) -> None:
    told = "As of 2016[update] the office in Lisbon has 40 desks."
    world.learn_documents(told, name="desks")
    record_vote(world.engine, world.ask("How many desks has the office in Lisbon?", says=told), CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    (row,) = of_people(tmp_path / "d", "supervised")
    assert row.answer == f"{told} [1]"


def test_an_answer_of_a_few_words_is_learned_without_the_sentence_that_it_is_shown_with(
    world: World, tmp_path: Path
) -> None:
    answer_id = world.ask(WHO, says="Maria Lopez")
    answered = load_answered(world.engine, answer_id)
    assert answered is not None
    assert answered.text == "Maria Lopez: “Badges are issued by Maria Lopez at the front desk.” [1]"
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert [row.answer for row in of_people(tmp_path / "d", "supervised")] == ["Maria Lopez [1]"]


def test_a_statement_is_asked_for_one_of_its_words(world: World, tmp_path: Path) -> None:
    world.learn_documents(
        "The Oslo office was opened by Kari Nordmann in 2019 after the move from Bergen.",
        "The bakery in Lisbon sells eleven kinds of bread to the offices nearby.",
        name="statements",
    )
    world.build(tmp_path / "d")
    rows = [row for row in everything(tmp_path / "d") if row.lane == "documents" and row.answer != UNKNOWN]
    short = [row for row in rows if len(row.answer.split()) <= 6]
    assert short
    for row in short:
        said = row.answer.removesuffix(" [1]")
        text, _, asked = row.messages[-1].content.rpartition("\n\nQuestion: ")
        assert said in text
        assert said not in asked


def test_what_people_wrote_in_slack_is_no_document_of_the_operators(world: World, tmp_path: Path) -> None:
    world.learn_documents("# How to reset a badge?\n\nPeter resets a badge in the basement.", kind="slack", name="chat")
    world.build(tmp_path / "d")
    for path in (tmp_path / "d").glob("*.jsonl"):
        assert "basement" not in path.read_text()


def test_documents_ask_questions_that_find_their_own_sentence_and_teach_not_knowing(
    world: World, tmp_path: Path
) -> None:
    pages = [
        f"# Office {name}\n\n## Who opens the {name} office?\n\nThe {name} office is opened by {who} every morning."
        for name, who in (("Lisbon", "Ines"), ("Oslo", "Kari"), ("Kyoto", "Sora"), ("Quito", "Luz"), ("Cairo", "Omar"))
    ]
    world.learn_documents(*pages, name="offices")
    report = world.build(tmp_path / "d")
    rows = [row for row in everything(tmp_path / "d") if row.lane == "documents"]
    assert {row.lane for row in rows} == {"documents"}
    known = {row.messages[-1].content.rpartition("Question: ")[2]: row.answer for row in rows if row.answer != UNKNOWN}
    assert known["Who opens the Oslo office?"] == "The Oslo office is opened by Kari every morning. [1]"
    for row in rows:
        if row.answer == UNKNOWN:
            asked = row.messages[-1].content.rpartition("Question: ")[2]
            assert known[asked].removesuffix(" [1]") not in row.messages[-1].content
    assert report.lanes == {"documents": len(rows)}


def test_an_approved_answer_in_the_operators_words_trains(world: World, tmp_path: Path) -> None:
    answered = load_answered(world.engine, world.ask("badges??"))
    assert answered is not None
    approved = CuratedAnswers(engine=world.engine, embedder=world.embedder)
    approved.approve(
        answered,
        question=WHO,
        text="Badges are issued by Maria Lopez at the front desk. [1]",
        user=ADA,
        shown_as="Ada",
    )
    world.build(tmp_path / "d")
    (row,) = [one for one in everything(tmp_path / "d") if one.origin.startswith("curated:")]
    assert (row.lane, row.answer) == ("corrections", "Badges are issued by Maria Lopez at the front desk. [1]")


def test_a_secret_leaves_the_row_out_and_an_address_is_replaced(world: World, tmp_path: Path) -> None:
    world.learn_documents(
        "Questions about pensions go to pat.jones@corp.example or +44 20 7946 0958 in London.", name="mail"
    )
    mail = world.ask(
        "Where do questions about pensions go?",
        says="Questions about pensions go to pat.jones@corp.example or +44 20 7946 0958 in London.",
    )
    secret = world.ask("Who issues badges if the password is hunter22! as always?")
    for answer_id in (mail, secret):
        record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    (row,) = of_people(tmp_path / "d", "supervised")
    assert "person1@example.org" in row.answer
    assert "person1@example.org" in row.messages[-1].content
    for path in (tmp_path / "d").glob("*.jsonl"):
        assert "pat.jones" not in path.read_text()
        assert "7946" not in path.read_text()
        assert "hunter22" not in path.read_text()
    assert reasons(tmp_path / "d")["secret"] == 2


def test_a_deleted_question_never_comes_into_a_later_dataset_and_its_versions_are_found(
    world: World, tmp_path: Path
) -> None:
    answer_id = world.ask(WHO)
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    report = world.with_tuning(MESSAGES).build(tmp_path / "d")
    world.version("v2", *report.origins)
    world.version("v3", "answer:999")
    forget_question(world.engine, TEAM, PLACE, "000001.1")
    assert world.subjects()[f"answer:{answer_id}"] == "deleted"
    with reading(world.engine) as connection:
        assert versions_that_learned(connection, world.subjects()) == ("v2",)
    world.with_tuning(MESSAGES).build(tmp_path / "e")
    assert of_people(tmp_path / "e", "supervised") == []


def test_a_forgotten_person_takes_along_questions_votes_and_corrections(world: World, tmp_path: Path) -> None:
    mine, others = world.ask(WHO), world.ask("How long is parental leave?", user=CHLOE)
    record_vote(world.engine, mine, CHLOE, 1, "button")
    record_reason(world.engine, others, BEN, "wrong", "Parental leave is 16 weeks at full pay.")
    forget(world.engine, BEN)
    buried = world.subjects()
    (person,) = [subject for subject in buried if subject.startswith("person:")]
    assert BEN not in person  # a digest, by which their messages in channels stay out as well
    rows = {f"answer:{mine}": "forgotten", "feedback:1": "forgotten", "feedback:2": "forgotten"}
    assert buried == rows | {person: "forgotten"}


def test_a_consent_that_is_taken_back_holds_for_what_was_said_before(world: World, tmp_path: Path) -> None:
    answer_id = world.ask(WHO)
    record_vote(world.engine, answer_id, CHLOE, 1, "button")
    world.consent(BEN)
    save_preferences(world.engine, TEAM, BEN, Preferences(tuning=False))
    assert world.subjects()[f"answer:{answer_id}"] == "opted_out"
    world.consent(BEN)
    world.with_tuning(MESSAGES).build(tmp_path / "d")
    assert of_people(tmp_path / "d", "supervised") == []


def test_a_better_answer_that_is_taken_back_is_buried(world: World) -> None:
    answer_id = world.ask(WHO)
    record_reason(world.engine, answer_id, ADA, "wrong", "Maria Lopez does.")
    withdraw_vote(world.engine, answer_id, ADA)
    assert world.subjects() == {"feedback:1": "withdrawn"}


def test_bots_neither_ask_nor_vote(world: World) -> None:
    record_vote(world.engine, world.ask(WHO), "B0ROBOT", 1, "reaction")
    record_vote(world.engine, world.ask(WHO, user="USLACKBOT"), CHLOE, 1, "reaction")
    ledger = read_ledger(world.engine)
    assert [answer.votes for answer in ledger.answers] == [()]
    assert ledger.bots == 2


def test_the_manifest_says_where_every_row_comes_from_and_what_is_missing(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.ask("How long is parental leave?", says="Parental leave is 16 weeks at full pay.")
    world.consent(BEN)
    report = world.with_tuning(MESSAGES).build(tmp_path / "d")
    manifest = read_manifest(tmp_path / "d")
    listed = {row["id"]: row for row in manifest["rows"]}
    for part, rows in examples(tmp_path / "d").items():
        if part != "general":
            for row in rows:
                assert (listed[row.id]["lane"], listed[row.id]["origin"]) == (row.lane, row.origin)
                assert listed[row.id]["part"] == part
    assert len(manifest["rows"]) == sum(report.parts.values())
    assert reasons(tmp_path / "d")["no_vote"] == 1
    assert all(file["sha256"] == sha256_of(tmp_path / "d" / file["name"]) for file in manifest["files"])
    assert manifest["conditions"]["message_text_acknowledged"] == "2024-12-10"
    assert (tmp_path / "d" / "balance.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_ledger_gives_the_same_data(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.consent(BEN)
    one, other = (world.with_tuning(MESSAGES).build(tmp_path / name) for name in ("d", "e"))
    assert one.data_sha256 == other.data_sha256


def test_a_dataset_that_was_changed_by_hand_is_refused(world: World, tmp_path: Path) -> None:
    world.build(tmp_path / "d")
    (tmp_path / "d" / "train.jsonl").write_text("{}\n")
    with pytest.raises(MisuseError, match=r"train.jsonl is not the file that the manifest describes"):
        read_manifest(tmp_path / "d")


def test_an_unfinished_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="no finished dataset"):
        read_manifest(tmp_path)


def test_test_rows_can_be_evaluated(world: World, tmp_path: Path) -> None:
    record_vote(world.engine, world.ask(WHO), CHLOE, 1, "button")
    world.consent(BEN)
    for seed in range(40):
        world.with_tuning(MESSAGES).build(tmp_path / "d", seed=seed)
        if rows := list(load_answer_rows(tmp_path / "d" / "test_rows.jsonl")):
            break
    (row,) = rows
    assert row.question.text == WHO
    assert row.references == ("Badges are issued by Maria Lopez at the front desk.",)
    assert row.approved, "these are a version's own words, and another need not use them"
    assert [row.passages[place].text for place in row.gold] == [BADGES]


def test_a_test_row_of_a_better_answer_is_no_versions_own_words(world: World, tmp_path: Path) -> None:
    record_reason(world.engine, world.ask(WHO), CHLOE, "unclear", "Maria Lopez issues badges at the front desk.")
    world.consent(BEN)
    world.consent(CHLOE)
    for seed in range(40):
        world.with_tuning(MESSAGES).build(tmp_path / "d", seed=seed)
        if rows := list(load_answer_rows(tmp_path / "d" / "test_rows.jsonl")):
            break
    assert [(row.references, row.approved) for row in rows] == [
        (("Maria Lopez issues badges at the front desk.",), False)
    ]


def test_the_general_set_is_there_to_be_kept(world: World, tmp_path: Path) -> None:
    world.build(tmp_path / "d")
    general = examples(tmp_path / "d")["general"]
    assert len(general) >= 60
    assert {row.lane for row in general} == {"starter"}


def test_what_the_version_in_service_can_do_besides_is_rehearsed(world: World, tmp_path: Path) -> None:
    speaker = ScriptedGenerator("It is so.")
    world.learn_documents(
        *(f"The {name} office was opened by {who} in {year}." for name, who, year in OFFICES), name="offices"
    )
    plain = world.build(tmp_path / "d")
    assert plain.rehearsed == 0
    report = world.build(tmp_path / "e", open_rehearsing=lambda: speaker)
    added = [row for row in examples(tmp_path / "e")["train"] if row.origin.startswith("rehearsal:")]
    answers = [row for row in examples(tmp_path / "d")["train"] if row.kind == "supervised"]
    assert len(added) == report.rehearsed == round(0.4 * len(answers)) > 0
    said = [row.answer for row in added if row.group != "rehearsal:arithmetic"]
    assert said == ["It is so."] * len(speaker.calls)
    assert not {row.origin for row in added} & set(report.origins)
    listed = {row["id"]: row["lane"] for row in read_manifest(tmp_path / "e")["rows"]}
    assert listed == {row.id: row.lane for row in everything(tmp_path / "e")}
    asked_by_the_gate = {row.messages[-1].content for row in examples(tmp_path / "e")["general"]}
    assert not asked_by_the_gate & {row.messages[-1].content for row in added}


def test_the_documents_own_text_can_be_added(world: World, tmp_path: Path) -> None:
    """Public and the operator's own only, each document in one part, without secrets and people's addresses."""
    opened = (
        f"The {name} office was opened by {who} in {year}, and has a garden behind it since."
        for name, who, year in OFFICES
    )
    world.learn_documents(*(f"# {number}\n\n{text}" for number, text in enumerate(opened)), name="offices")
    long = "This page is about the way into the building, which is open from eight to six on every day of the week."
    world.learn_documents(f"{long} Ask maria.lopez@example.com.", f"{long} The password is hunter22!.", name="doors")
    world.learn_documents(f"{long} It is for the leads only.", name="hidden", audience="channel:C0LEADS")
    assert world.build(tmp_path / "d").texts == 0
    report = world.build(tmp_path / "e", texts=True)
    texts = {row.origin: row for row in everything(tmp_path / "e") if row.kind == "text"}
    assert len(texts) == report.texts == len(OFFICES) + 1
    assert {row.lane for row in texts.values()} == {"documents"}
    assert not any(row.messages for row in texts.values())
    said = "\n".join(row.answer for row in texts.values())
    assert "Ask " in said
    assert not any(word in said for word in ("maria.lopez", "hunter22", "leads only"))
    assert texts.keys() <= set(report.origins)
    parts = {
        part: {row.origin for row in rows if row.kind == "text"} for part, rows in examples(tmp_path / "e").items()
    }
    assert sum(map(len, parts.values())) == len(texts)
    assert all(parts[part] for part in ("train", "validation", "test"))
    listed = {row["id"]: row["kind"] for row in read_manifest(tmp_path / "e")["rows"]}
    assert listed == {row.id: row.kind for row in everything(tmp_path / "e")}


def test_no_task_that_is_rehearsed_is_one_that_the_gate_asks() -> None:
    measured = {row.messages[-1].content.lower() for row in general_examples()}
    tasks = rehearsal_tasks()
    assert len(tasks) > 200
    assert not measured & {task.text.lower() for task in tasks}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Paris", "Paris"),
        ("The capital is Paris. " + "It lies on the Seine and " * 6, "The capital is Paris."),
        ("no end " * 30, ""),
    ],
)
def test_an_answer_that_was_cut_off_is_rehearsed_up_to_its_last_whole_sentence(said: str, kept: str) -> None:
    assert whole_sentences(said) == kept
