"""Lets simulated people live in a playground: they move in, ask, judge what they read, and react, as on the page.

Every deed is a line of JSON in the order in which it was done; people who were done before are left out, so that an
interrupted play goes on. Knows the page and the people, not how the bot works.
"""

from __future__ import annotations

import html
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from bot.slack.feedback_form import OPEN_FORM_ACTION
from bot.slack.home_person import SWITCHES_ACTION
from tests.benchmarks.known import KnownQuestion, Topic
from tests.benchmarks.people import (
    Campaign,
    Judgement,
    Person,
    Reaction,
    Seed,
    choose_questions,
    decides,
    judge,
    phrase,
    react,
    react_to_colleague,
)
from tests.benchmarks.people_page import (
    JSON,
    MOMENT_SECONDS,
    NothingCameError,
    PersonsPage,
    RefusedError,
    is_answer,
    open_page,
    read_text,
)

logger = logging.getLogger(__name__)

BOT = "U0LOREKEEPER"
BOSS = "U0ADAPARK"
"""The admin whom every playground begins with."""
What = Literal["consent", "ask", "ask_again", "vote", "colleague", "thank", "gave_up", "done"]
"""`vote` is on the answer to one's own question, `colleague` on another's; `gave_up` where nothing came."""
_MENTION = "@Lorekeeper"
_MOST_COLLEAGUES = 3
_THANKS = "Thank you!"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Who the people are in the workspace, and where they talk."""

    users: Mapping[int, str]
    channels: Mapping[str, str]
    """Of each topic."""


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One thing that a person did."""

    person: int
    what: What
    question: str = ""
    judgement: str = ""
    vote: int = 0
    reason: str = ""
    correction: str = field(default="", repr=False)
    seconds: float = 0.0
    """How long they waited for the answer."""


@dataclass(frozen=True, kw_only=True)
class Play:
    """Everything that decides what happens."""

    url: str
    people: Sequence[Person]
    topics: Sequence[Topic]
    questions_each: int
    seed: Seed
    log: Path
    campaign: Campaign = Campaign()  # noqa: RUF009  it cannot be changed
    online: int = 3
    """So many people sit at their pages at once; with one, the same seed gives the same deeds."""
    part: str = ""
    """Names this play among several with the same people: they ask other things."""

    @property
    def draw(self) -> Seed:
        """What every decision in this play is drawn from."""
        return f"{self.seed}:{self.part}"


def move_in(url: str, people: Sequence[Person], topics: Sequence[Topic], kept: Path) -> Places:
    """Make the people and their channels, once; who is there already, by the file, stays."""
    if kept.exists():
        stored = json.loads(kept.read_text(encoding="utf-8"))
        return Places(users={int(n): user for n, user in stored["users"].items()}, channels=stored["channels"])
    with open_page(url, BOSS) as boss:
        channels = {topic.name: _make_channel(boss, topic) for topic in topics}
        users: dict[int, str] = {}
        for person in people:
            user = boss.act("create_person", name=person.name, admin=person.is_admin)["user"]["id"]
            users[person.number] = user
            for topic in person.interests:
                boss.act("invite", channel=channels[topic], invitee=user)
    kept.write_text(json.dumps({"users": users, "channels": channels}), encoding="utf-8")
    return Places(users=users, channels=channels)


def play(
    what: Play, places: Places, *, progress: Callable[[str, int, int | None], None] = lambda *_: None
) -> list[Deed]:
    """Let everybody have their time with the bot; returns all that was done, also before an interruption."""
    log = _Log(what.log)
    # Who answers for a topic comes when the others have asked.
    waiting = sorted((one for one in what.people if one.number not in log.done), key=lambda one: bool(one.keeps))
    progress("People", len(what.people) - len(waiting), len(what.people))

    def spend(person: Person) -> None:
        for deed in _Visit(what, person, places).deeds():
            log.add(deed)
        log.add(Deed(person=person.number, what="done"))
        progress("People", len(log.done), len(what.people))

    with ThreadPoolExecutor(what.online) as seats:
        # A list, so that what goes wrong with one of them is raised here.
        list(seats.map(spend, waiting))
    return list(read_deeds(what.log))


def read_deeds(log: Path) -> Iterator[Deed]:
    """Yield what is written down."""
    for line in log.read_text(encoding="utf-8").splitlines():
        yield Deed(**json.loads(line))


class _Log:
    """Deeds as lines of a file; may be added to from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        path.touch()
        self.done = {deed.person for deed in read_deeds(path) if deed.what == "done"}

    def add(self, deed: Deed) -> None:
        with self._lock:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(deed), ensure_ascii=False) + "\n")
            if deed.what == "done":
                self.done.add(deed.person)


class _Visit:
    """One person's time at their page."""

    def __init__(self, what: Play, person: Person, places: Places) -> None:
        self._play, self._person, self._places = what, person, places
        self._questions = [question for topic in what.topics for question in topic.questions]
        self._seed = what.draw

    def deeds(self) -> Iterator[Deed]:
        """Everything they do, as they do it."""
        chosen = choose_questions(self._person, self._questions, self._play.questions_each, seed=self._seed)
        with open_page(self._play.url, self._places.users[self._person.number]) as page:
            yield from self._consent(page)
            for question in chosen:
                try:
                    yield from self._ask(page, question)
                except (NothingCameError, RefusedError) as error:
                    logger.warning("%s: %s", self._person.name, error)
                    yield self._deed("gave_up", question, reason=str(error))
            yield from self._read_on(page)

    def _consent(self, page: PersonsPage) -> Iterator[Deed]:
        """Let their words be used, on the home page."""
        if not self._decides("consent", self._person.traits.consents):
            return
        home = page.wait_for_home()
        chosen = [{"value": "memory"}, {"value": "tuning"}]
        page.press({"type": "home"}, home["blocks"], SWITCHES_ACTION, selected_options=chosen)
        yield self._deed("consent")

    def _ask(self, page: PersonsPage, question: KnownQuestion) -> Iterator[Deed]:
        direct = self._decides(f"direct:{question.id}", self._person.traits.direct)
        channel = self._direct(page) if direct else self._places.channels[question.topic]
        text = phrase(self._person, question, self._play.campaign)
        started = time.monotonic()
        ts = page.say(channel, text if direct else f"{_MENTION} {text}")
        answer = page.wait_for_answer(channel, ts, ts)
        judgement = judge(question, read_text(answer))
        yield self._deed("ask", question, judgement=judgement, seconds=time.monotonic() - started)
        reaction = react(self._person, question, judgement, self._play.campaign, seed=self._seed)
        yield from self._react(page, channel, answer, question, reaction, judgement, "vote")
        if reaction.thanks:
            page.say(channel, _THANKS, ts)
            yield self._deed("thank", question)
        if reaction.asks_again:
            yield from self._ask_again(page, channel, ts, question)

    def _ask_again(self, page: PersonsPage, channel: str, thread_ts: str, question: KnownQuestion) -> Iterator[Deed]:
        """Ask once more in the thread, and be content with whatever comes."""
        started = time.monotonic()
        ts = page.say(channel, phrase(self._person, question, self._play.campaign, again=True), thread_ts)
        answer = page.wait_for_answer(channel, ts, thread_ts)
        judgement = judge(question, read_text(answer))
        yield self._deed("ask_again", question, judgement=judgement, seconds=time.monotonic() - started)

    def _react(
        self,
        page: PersonsPage,
        channel: str,
        answer: JSON,
        question: KnownQuestion,
        reaction: Reaction,
        judgement: Judgement,
        what: What,
    ) -> Iterator[Deed]:
        if not reaction.vote:
            return
        if reaction.by == "reaction":
            self._put_reaction(page, channel, answer, reaction)
        else:
            page.press_vote(channel, answer, reaction.vote)
        if reaction.vote < 0 and (reaction.by == "button" or reaction.reason):
            self._fill_form(page, reaction)
        yield self._deed(
            what,
            question,
            judgement=judgement,
            vote=reaction.vote,
            reason=reaction.reason,
            correction=reaction.correction,
        )

    def _put_reaction(self, page: PersonsPage, channel: str, answer: JSON, reaction: Reaction) -> None:
        """Put a thumb on the answer; where there is more to say, press the button that the bot whispers."""
        known = set(page.messages[channel])
        page.act("react", channel=channel, ts=answer["ts"], name="+1" if reaction.vote > 0 else "-1", add=True)
        if reaction.vote > 0 or not reaction.reason:
            return

        def whispered() -> JSON | None:
            new = (m for ts, m in page.messages[channel].items() if ts not in known and m.get("ephemeral"))
            return next((message for message in new if OPEN_FORM_ACTION in repr(message["blocks"])), None)

        word = page.wait_for(whispered, MOMENT_SECONDS)
        container = {"type": "message", "channel": channel, "ts": word["ts"]}
        page.press(container, word["blocks"], OPEN_FORM_ACTION)

    def _fill_form(self, page: PersonsPage, reaction: Reaction) -> None:
        """Say what was wrong and what would be better, or close the form."""
        view = page.wait_for_view()
        if not reaction.reason:
            page.act("view_close", view_id=view["id"])
        else:
            reason = {"type": "radio_buttons", "selected_option": {"value": reaction.reason}}
            values = {"reason": {"reason": reason}}
            if reaction.correction:
                values["correction"] = {"correction": {"type": "plain_text_input", "value": reaction.correction}}
            page.act("view_submit", view_id=view["id"], values=values)
        page.wait_for(lambda: True if not page.views else None, MOMENT_SECONDS)

    def _read_on(self, page: PersonsPage) -> Iterator[Deed]:
        """Look at what colleagues were answered, the newest first, and vote on some of it; a keeper on all of it."""
        left = sys.maxsize if self._person.keeps else _MOST_COLLEAGUES
        for topic in self._person.interests:
            channel = self._places.channels[topic]
            for thread in reversed(page.threads(channel)):
                question = self._asked_in(thread, topic)
                answer = next(filter(is_answer, page.thread(channel, thread["ts"])), None)
                if not left or thread["user"] == page.user or question is None or answer is None:
                    continue
                judgement = judge(question, read_text(answer))
                reaction = react_to_colleague(self._person, question, judgement, self._play.campaign, seed=self._seed)
                left -= bool(reaction.vote)
                try:
                    yield from self._react(page, channel, answer, question, reaction, judgement, "colleague")
                except (NothingCameError, RefusedError) as error:
                    logger.warning("%s: %s", self._person.name, error)
                    yield self._deed("gave_up", question, reason=str(error))

    def _asked_in(self, thread: JSON, topic: str) -> KnownQuestion | None:
        """The question that a colleague asked, as far as this person knows its answer."""
        text = html.unescape(str(thread["text"])).lower()
        known = (one for one in self._questions if one.topic == topic)
        return next((one for one in known if one.text.lower().rstrip("?").rstrip() in text), None)

    def _direct(self, page: PersonsPage) -> str:
        return next(place for place in page.messages if place.startswith("D"))

    def _decides(self, what: str, likely: float) -> bool:
        return decides(self._person, what, likely, seed=self._seed)

    def _deed(self, what: What, question: KnownQuestion | None = None, **more: Any) -> Deed:
        return Deed(person=self._person.number, what=what, question=question.id if question else "", **more)


def _make_channel(boss: PersonsPage, topic: Topic) -> str:
    channel = str(boss.act("create_channel", name=topic.channel)["channel"]["id"])
    boss.act("invite", channel=channel, invitee=BOT)
    return channel
