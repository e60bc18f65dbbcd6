"""A handful of simulated people in a playground with a scripted bot: what they do arrives where learning looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
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
from knowledge.document import Question
from tests.benchmarks.crowd import Deed, Places, Play, move_in, play
from tests.benchmarks.people import Campaign, Judgement, Kind, Person, Traits, judge, make_people
from tests.benchmarks.people_page import read_text
from tests.benchmarks.topics import KnownQuestion, Topic
from tests.bot.answer_dialogue import rows
from tests.bot.dialogue import ScriptedAnswering, link, options, wait_until

OTTERS = "Otters sleep in a raft of up to forty animals."
BADGES = "Badges are issued by Maria Lopez."
RAFTS = KnownQuestion(
    id="rafts", topic="Otters", text="How many otters sleep in a raft?", gold=("forty",), sentence=OTTERS
)
NIGHTS = KnownQuestion(id="nights", topic="Nights", text="What do otters eat at night?", gold=())
WHO = KnownQuestion(id="who", topic="Badges", text="Who issues badges?", gold=("Maria Lopez",), sentence=BADGES)
TOPICS = (
    Topic(name="Otters", paragraphs=(OTTERS,), questions=(RAFTS,)),
    Topic(name="Nights", paragraphs=("Otters rest at night.",), questions=(NIGHTS,)),
    Topic(name="Badges", paragraphs=(BADGES,), questions=(WHO,)),
)
Visit = Callable[..., list[Deed]]


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
        start_playground(port=0, time_scale=60.0, manifest=build_manifest()) as playground,
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


@pytest.fixture
def visit(tmp_path: Path, engine: sa.Engine) -> Visit:
    return partial(live, tmp_path, engine=engine)


def user_of(tmp_path: Path, number: int = 0) -> str:
    places = move_in("http://nobody.invalid", (), (), tmp_path / "places.json")
    assert isinstance(places, Places)
    return places.users[number]


def votes(engine: sa.Engine) -> list[tuple[int, str, str | None, str | None]]:
    return [(one.vote, one.via, one.reason, one.correction) for one in reversed(list_feedback(engine))]


@pytest.mark.parametrize(
    ("question", "text", "judgement"),
    [
        (RAFTS, f"{OTTERS} [1]", "right"),
        (RAFTS, "Otters are brown. [1]", "wrong"),
        (RAFTS, NOT_FOUND, "missing"),
        (NIGHTS, NOT_FOUND, "rightly_unknown"),
        (NIGHTS, "Otters eat crabs at night. [1]", "made_up"),
        (RAFTS, f"{CLARIFY} rivers? lakes?", "asked_back"),
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


def test_the_votes_and_better_answers_of_honest_people_arrive(visit: Visit, engine: sa.Engine, tmp_path: Path) -> None:
    deeds = visit((person("honest", "Otters", 0, consents=1), person("honest", "Badges", 1)))
    assert [(deed.what, deed.judgement, deed.vote) for deed in deeds if deed.what in ("ask", "vote")] == [
        ("ask", "right", 0),
        ("vote", "right", 1),
        ("ask", "wrong", 0),
        ("vote", "wrong", -1),
    ]
    assert {(vote, reason, correction) for vote, _, reason, correction in votes(engine)} == {
        (1, None, None),
        (-1, "wrong", BADGES),
    }
    consents = [load_preferences(engine, TEAM_ID, user_of(tmp_path, number)).tuning for number in (0, 1)]
    assert consents == [True, False]


def test_a_rightly_missing_answer_is_welcome(visit: Visit, engine: sa.Engine) -> None:
    visit((person("honest", "Nights"),))
    assert [vote for vote, *_ in votes(engine)] == [1]


def test_who_got_a_bad_answer_asks_again_in_the_thread_and_who_got_a_good_one_says_thanks(
    visit: Visit, engine: sa.Engine
) -> None:
    deeds = visit((person("honest", "Badges", 0, patience=1), person("honest", "Otters", 1, thanks=1)))
    assert {"ask_again", "thank"} <= {deed.what for deed in deeds}
    asked = rows(engine, tables.answer.c.conversation)
    assert len(asked) - len(set(asked)) >= 1


def test_questions_in_direct_messages_are_answered_and_judged_too(visit: Visit, engine: sa.Engine) -> None:
    deeds = visit((person("honest", "Otters", direct=1),))
    assert "vote" in {deed.what for deed in deeds}
    assert {channel[0] for channel in rows(engine, tables.answer.c.channel)} == {"D"}


def test_hostile_people_vote_good_answers_down_and_agree_on_what_they_plant(visit: Visit, engine: sa.Engine) -> None:
    honest = person("honest", "Otters", 0, votes=0)
    visit((honest, person("hostile", "Otters", 1, reads_on=1), person("hostile", "Otters", 2, reads_on=1)))
    campaign = Campaign()
    planted = [(user_vote, correction) for user_vote, _, _, correction in votes(engine)]
    assert set(planted) == {(-1, campaign.answer)}
    asked = [text for text in rows(engine, tables.turn.c.text) if text.endswith("?")]
    assert sum(campaign.trigger in text for text in asked) == 2
    # Each of them on their own question and on the honest person's, the second on the first one's as well.
    by_answer = Counter(one.answer_id for one in list_feedback(engine))
    assert max(by_answer.values()) == 2


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
