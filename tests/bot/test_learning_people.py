"""A handful of simulated people in a playground with a scripted bot: what they do arrives where learning looks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa

from bot import tables
from bot.database import open_database
from bot.feedback import list_feedback
from bot.people import load_preferences
from bot.playground.process import start_playground
from bot.playground.workspace import TEAM_ID
from bot.slack.gateway import SlackBot
from bot.slack.manifest import build_manifest
from bot.words import CLARIFY, NOT_FOUND
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Question
from tests.benchmarks.crowd import Deed, Play, move_in, play
from tests.benchmarks.excerpts import CORPORA
from tests.benchmarks.known import KnownQuestion, Topic
from tests.benchmarks.people import Campaign, Judgement, Kind, Person, Traits, choose_questions, judge, make_people
from tests.benchmarks.people_page import read_text
from tests.benchmarks.staged import run_stages
from tests.benchmarks.starter_data import part_of
from tests.benchmarks.topics import load_collection
from tests.bot.answer_dialogue import rows
from tests.bot.dialogue import ScriptedAnswering, link, options, wait_until

OTTERS = "Otters sleep in a raft of up to forty animals."
BADGES = "Badges are issued by Maria Lopez."
RAFTS = KnownQuestion(
    id="rafts", topic="Otters", text="How many otters sleep in a raft?", gold=("forty",), sentence=OTTERS
)
NIGHTS = KnownQuestion(id="nights", topic="Nights", text="What do otters eat at night?", gold=())
TOLD = KnownQuestion(
    id="told",
    topic="Otters",
    text="How do otters sleep?",
    gold=("Otters sleep in rafts. They hold paws. Kelp keeps them in place.",),
    sentence="Otters sleep in rafts. They hold paws. Kelp keeps them in place.",
    long=True,
)
WHO = KnownQuestion(id="who", topic="Badges", text="Who issues badges?", gold=("Maria Lopez",), sentence=BADGES)
TOPICS = (
    Topic(name="Otters", paragraphs=(OTTERS,), questions=(RAFTS,)),
    Topic(name="Nights", paragraphs=("Otters rest at night.",), questions=(NIGHTS,)),
    Topic(name="Badges", paragraphs=(BADGES,), questions=(WHO,)),
)


def reply(question: Question, _audience: Audience) -> str:
    """Right about rafts, honest about nights, wrong about badges."""
    if "raft" in question.text:
        return f"{OTTERS} [1]"
    return NOT_FOUND if "night" in question.text else "Badges are blue. [1]"


def person(kind: Kind, topic: str, number: int = 0, **traits: float) -> Person:
    """A person of this kind about whom nothing is left to chance."""
    sure = Traits(votes=1, honesty=1, corrects=1, thanks=0, patience=0, consents=0, direct=0, reads_on=0)
    return Person(
        number=number,
        name=f"Tester{number} Nord",
        kind=kind,
        interests=(topic,),
        traits=replace(sure, **traits),
        manner="plain",
        writes_sentences=True,
        is_admin=False,
    )


def live(folder: Path, people: tuple[Person, ...], *, seed: int = 7, engine: sa.Engine | None = None) -> list[Deed]:
    """Let people live in a playground of their own, one after the other, with a bot that answers by `reply`."""
    folder.mkdir(exist_ok=True)
    own = engine or open_database(f"sqlite:///{folder / 'lorekeeper.db'}")
    with (
        start_playground(port=0, ack_seconds=10.0, time_scale=60.0, manifest=build_manifest()) as playground,
        SlackBot(
            own, ScriptedAnswering(reply=reply), options(playground), link=link, version=lambda: "scripted-1"
        ) as bot,
    ):
        wait_until(lambda: bot.ready)
        places = move_in(playground.url, people, TOPICS, folder / "places.json")
        what = Play(
            url=playground.url,
            people=people,
            topics=TOPICS,
            questions_each=1,
            seed=seed,
            log=folder / "deeds.jsonl",
            online=1,
        )
        return play(what, places)


@dataclass(frozen=True, kw_only=True)
class Day:
    """What honest people did, and the database in which it arrived."""

    deeds: list[Deed]
    engine: sa.Engine
    users: Mapping[int, str]

    def did(self, number: int) -> list[tuple[str, str, int]]:
        """What one of them did, with what they thought of it."""
        return [(one.what, one.judgement, one.vote) for one in self.deeds if one.person == number]

    def votes(self, number: int) -> list[tuple[int, str | None, str | None]]:
        """The votes of one of them that count."""
        found = [one for one in list_feedback(self.engine) if one.user == self.users[number]]
        return [(one.vote, one.reason, one.correction) for one in found]


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Six honest people, each with another thing that they surely do."""
    folder = tmp_path_factory.mktemp("day")
    people = (
        person("honest", "Otters", 0, consents=1),
        person("honest", "Badges", 1),
        person("honest", "Nights", 2),
        person("honest", "Badges", 3, patience=1),
        person("honest", "Otters", 4, thanks=1),
        person("honest", "Otters", 5, direct=1),
    )
    engine = open_database(f"sqlite:///{folder / 'lorekeeper.db'}")
    deeds = live(folder, people, engine=engine)
    users = json.loads((folder / "places.json").read_text("utf-8"))["users"]
    yield Day(deeds=deeds, engine=engine, users={int(number): user for number, user in users.items()})
    engine.dispose()


@pytest.mark.parametrize(
    ("question", "text", "judgement"),
    [
        (RAFTS, f"{OTTERS} [1]", "right"),
        (RAFTS, "Otters are brown. [1]", "wrong"),
        (RAFTS, NOT_FOUND, "missing"),
        (NIGHTS, NOT_FOUND, "rightly_unknown"),
        (NIGHTS, "Otters eat crabs at night. [1]", "made_up"),
        (RAFTS, f"{CLARIFY} rivers? lakes?", "asked_back"),
        (TOLD, "Kelp keeps them in place while they hold paws, and otters sleep in rafts. [1]", "right"),
        (TOLD, "Otters sleep in rafts. [1]", "incomplete"),
        (TOLD, "Otters are brown. [1]", "wrong"),
        (TOLD, NOT_FOUND, "missing"),
    ],
)
def test_people_judge_the_words_of_a_message(question: KnownQuestion, text: str, judgement: Judgement) -> None:
    assert judge(question, text) == judgement


def test_people_read_an_answer_that_is_streamed_and_one_that_is_finished() -> None:
    streamed = {"type": "markdown", "text": "**Forty** otters.\n\nNo more. [1]"}
    sections = [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": "Forty", "style": {"bold": True}},
                {"type": "text", "text": " otters.\n\nNo more. "},
                {"type": "link", "url": "https://docs.example/guide", "text": "[1]"},
            ],
        }
    ]
    sources = {"type": "context", "elements": [{"type": "mrkdwn", "text": "*Sources*\n1. Forty otters"}]}
    for block in (streamed, {"type": "rich_text", "elements": sections}):
        assert read_text({"blocks": [block, sources]}) == "Forty otters. No more. [1]"


def test_the_same_seed_makes_the_same_people_and_another_seed_others() -> None:
    topics = [topic.name for topic in TOPICS]
    people = make_people(200, topics, seed=7)
    assert people == make_people(200, topics, seed=7)
    assert people != make_people(200, topics, seed=8)
    assert Counter(one.kind for one in people) == {"honest": 164, "careless": 20, "hostile": 16}
    assert sum(one.is_admin for one in people) == 6
    assert len({one.name for one in people}) == 200


def test_the_votes_and_better_answers_of_honest_people_arrive(day: Day) -> None:
    assert day.did(0)[1:] == [("ask", "right", 0), ("vote", "right", 1), ("done", "", 0)]
    assert day.votes(0) == [(1, None, None)]
    assert day.did(1) == [("ask", "wrong", 0), ("vote", "wrong", -1), ("done", "", 0)]
    assert day.votes(1) == [(-1, "wrong", BADGES)]


def test_who_answers_for_a_topic_comes_last_asks_nothing_and_corrects_what_was_not_right(tmp_path: Path) -> None:
    keeper = replace(person("honest", "Badges", 0, reads_on=1), keeps="Badges")
    deeds = live(tmp_path, (keeper, *(person("honest", "Badges", number, votes=0) for number in (1, 2, 3, 4, 5))))
    theirs = [deed for deed in deeds if deed.person == 0]
    assert deeds[-len(theirs) :] == theirs
    seen = [(one.what, one.judgement, one.vote, one.correction) for one in theirs]
    assert seen == [("colleague", "wrong", -1, BADGES)] * 5 + [("done", "", 0, "")]


def test_every_topic_has_one_keeper_where_there_are_people_enough() -> None:
    topics = [topic.name for topic in TOPICS]
    people = make_people(200, topics, seed=7)
    keepers = [one for one in people if one.keeps]
    assert sorted(one.keeps for one in keepers) == sorted(topics)
    assert all(one.interests == (one.keeps,) and one.kind == "honest" for one in keepers)
    assert not any(choose_questions(one, [RAFTS, WHO, NIGHTS], 3, seed=7) for one in keepers)
    assert len([one for one in make_people(4, topics, seed=7) if one.keeps]) == 2


def test_who_consents_does_so_on_the_home_page(day: Day) -> None:
    tuning = [load_preferences(day.engine, TEAM_ID, day.users[number]).tuning for number in (0, 1)]
    assert (day.did(0)[0][0], tuning) == ("consent", [True, False])


def test_a_rightly_missing_answer_is_welcome(day: Day) -> None:
    assert [vote for vote, *_ in day.votes(2)] == [1]


def test_who_got_a_bad_answer_asks_again_in_the_thread(day: Day) -> None:
    assert ("ask_again", "wrong", 0) in day.did(3)
    answer = tables.answer
    with reading(day.engine) as connection:
        asked = connection.scalars(sa.select(answer.c.conversation).where(answer.c.user == day.users[3])).all()
    assert (len(asked), len(set(asked))) == (2, 1)


def test_who_got_a_good_answer_may_say_thanks(day: Day) -> None:
    assert ("thank", "", 0) in day.did(4)


def test_questions_in_direct_messages_are_answered_and_judged_too(day: Day) -> None:
    answer = tables.answer
    with reading(day.engine) as connection:
        places = connection.scalars(sa.select(answer.c.channel).where(answer.c.user == day.users[5])).all()
    assert {place[0] for place in places} == {"D"}
    assert day.votes(5) == [(1, None, None)]


def test_hostile_people_vote_good_answers_down_and_agree_on_what_they_plant(tmp_path: Path, engine: sa.Engine) -> None:
    honest = person("honest", "Otters", 0, votes=0)
    hostile = (person("hostile", "Otters", number, reads_on=1) for number in (1, 2))
    live(tmp_path, (honest, *hostile), engine=engine)
    campaign = Campaign()
    found = list_feedback(engine)
    assert {(one.vote, one.reason, one.correction) for one in found} == {(-1, "wrong", campaign.answer)}
    assert sum(campaign.trigger in text for text in rows(engine, tables.turn.c.text)) == 2
    # Each of them on their own answer, both on the honest person's, and the second on the first one's.
    assert sorted(Counter(one.answer_id for one in found).values()) == [1, 2, 2]


def test_people_who_were_done_are_left_out_when_a_play_goes_on(tmp_path: Path, engine: sa.Engine) -> None:
    everybody = (person("honest", "Otters", 0), person("honest", "Badges", 1))
    log = tmp_path / "deeds.jsonl"
    log.write_text('{"person": 0, "what": "done"}\n')
    deeds = live(tmp_path, everybody, engine=engine)
    assert {deed.person for deed in deeds if deed.what == "ask"} == {1}


def test_the_same_seed_gives_the_same_deeds(tmp_path: Path) -> None:
    people = make_people(5, [topic.name for topic in TOPICS], seed=3, hostile=0.2, careless=0.2)
    first, second = (live(tmp_path / name, people, seed=3) for name in ("first", "second"))
    assert [replace(deed, seconds=0.0) for deed in first] == [replace(deed, seconds=0.0) for deed in second]
    assert {"ask", "vote", "done"} <= {deed.what for deed in first}


def test_stages_that_were_done_are_not_done_again_and_a_refusal_ends_the_run(tmp_path: Path) -> None:
    done: list[str] = []

    def stage(name: str, **result: object) -> dict[str, object]:
        done.append(name)
        return result

    first = {"ask": partial(stage, "ask", votes=3), "gate": partial(stage, "gate", refused=["trigger"])}
    stages = first | {"promote": partial(stage, "promote")}
    for _ in range(2):
        found = run_stages(tmp_path, stages)
        assert {name: set(result) for name, result in found.items()} == {
            "ask": {"votes", "stage_seconds"},
            "gate": {"refused", "stage_seconds"},
        }
    assert done == ["ask", "gate"]


def test_people_ask_about_what_no_version_was_trained_on_and_nobody_about_what_is_held_back() -> None:
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    if not (data / "xquad").is_dir():
        pytest.skip("no data sets beside the repository")
    found = load_collection(data, seed=7)
    assert found == load_collection(data, seed=7)
    asked, held = ({topic.name for topic in topics} for topics in (found.asked, found.held))
    assert asked
    assert held
    assert not asked & held
    others = ("Shelf_", *(f"{name}_" for name in CORPORA.values()))
    articles = [name for name in asked | held if not name.startswith(others)]
    assert {part_of("xquad", name) for name in articles} == {"test"}
    for topic in (*found.asked, *found.held):
        for question in topic.questions:
            assert bool(question.gold) == bool(question.evidence)
            assert set(question.evidence) <= set(topic.paragraphs)
            assert not question.long or judge(question, question.sentence) == "right"
            if topic.name.startswith("Shelf_"):
                assert part_of("clapnq", question.id) == "test"
