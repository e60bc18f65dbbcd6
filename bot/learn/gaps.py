"""GAPS: what was asked in vain lately, grouped by topic, with the page that is missing and who could write it.

questions of two weeks -> grouped -> groups with a failure this week -> searched for again, for these readers -> nearest
documents, owner -> compared with the week before. Only words that the readers of the report may read are in it: the
rest is counted. Nothing is kept: what is deleted or withdrawn is gone with the next report. Knows SQL and a library,
not Slack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from bot import tables
from bot.answer import Searcher
from bot.channels import load_channel
from bot.inbox import Inbox, Received
from bot.jobs import Job
from bot.learn.attribute import Looked, look_again
from bot.learn.gap_rows import AskedQuestion, MayQuote, read_asked, teams_asked
from bot.learn.topics import Topic, TopicQuestion, find_topics, named
from bot.sentences import content_words
from bot.timetable import Timetable
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Passage, Question

DAYS = 7
EXAMPLES = 3
NEAREST = 3
# Of one topic so many questions are searched for again, the most typical first: more find the same documents.
_SEARCHED = 5
_MOST_ASKED_AGAIN = 100
# What resembles a question less, and has fewer of its words, is no neighbour of the page that is missing: it would send
# people to the wrong owner.
_LEAST_COSINE = 0.2
_LEAST_WORDS = 0.5
_ATTEMPTS = 3
JOB = "gaps"

Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, kw_only=True)
class NearDocument:
    """A document near to what was asked."""

    uri: str
    path: str = field(repr=False)
    """Its title, with the headings above the passage that came nearest: `Handbook > Leave`."""
    source: str
    owner: str
    """Who answers for it; empty where its source does not say."""


@dataclass(frozen=True, kw_only=True)
class GapTopic:
    """Questions about one thing, some of them without a good answer."""

    name: str = field(repr=False)
    asked: int
    """How often something like it was asked in the time, answered or not."""
    people: int
    unanswered: int
    bad: int
    unquoted: int
    """How many of those asked may not be quoted here."""
    before: int
    """How many failed in the time before."""
    answered_now: int
    """How many of the unanswered examples would be answered now."""
    examples: tuple[AskedQuestion, ...] = field(repr=False)
    """The most typical first."""
    nearest: tuple[NearDocument, ...] = field(repr=False)

    @property
    def is_new(self) -> bool:
        """Whether nothing like it failed in the time before."""
        return self.before == 0

    @property
    def ask(self) -> NearDocument | None:
        """The nearest document that somebody answers for; None where nobody is named."""
        return next((document for document in self.nearest if document.owner), None)


@dataclass(frozen=True, kw_only=True)
class AnsweredNow:
    """A question of the time before that was not answered then."""

    question: AskedQuestion = field(repr=False)
    document: NearDocument = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class GapReport:
    """What was asked in vain in a time."""

    since: datetime
    until: datetime
    asked: int
    unanswered: int
    bad: int
    topics: tuple[GapTopic, ...] = field(repr=False)
    """The one with most failures first."""
    hidden_topics: int
    """Topics of which nothing may be quoted here."""
    hidden_failed: int
    """Questions without a good answer in those."""
    left_out: int
    """Questions whose words are not kept, or not to be read."""
    asked_again: int
    """So many unanswered questions of the time before were searched for again."""
    answered_now: tuple[AnsweredNow, ...] = field(repr=False)

    @property
    def is_empty(self) -> bool:
        """Whether everything that is known of was answered, and well."""
        return not self.unanswered and not self.bad


@dataclass(frozen=True, kw_only=True)
class GapFinder:
    """Finds gaps with one library; may be used from several threads."""

    engine: sa.Engine
    library: Searcher
    passages: int = 4
    """How many an answer may stand on."""
    minimum_support: Callable[[], float]

    def report(
        self,
        until: datetime,
        *,
        audience: Audience,
        may_quote: MayQuote,
        team: str | None = None,
        days: int = DAYS,
        progress: Progress = lambda *_: None,
    ) -> GapReport:
        """Sum up the days before `until`, for those who may read what `audience` and `may_quote` say."""
        since = until - timedelta(days=days)
        found = read_asked(self.engine, since - timedelta(days=days), until, team=team)
        groups = _grouped(found.asked, self.library)
        lately = [[one for one in group if one.at > since and one.failed] for group in groups]
        named_groups = _named([[one for one in group if may_quote(one)] for group in lately])
        topics: list[GapTopic] = []
        for group, failed, name in zip(groups, lately, named_groups, strict=True):
            progress("Looking into topics", len(topics), sum(map(bool, named_groups)))
            if name:
                topics.append(self._topic(name, group, failed, since, audience, may_quote))
        topics.sort(key=lambda topic: (-(topic.unanswered + topic.bad), -topic.people, topic.name))
        failed_lately = [one for failed in lately for one in failed]
        hidden = [failed for failed, name in zip(lately, named_groups, strict=True) if failed and not name]
        before = [one for one in found.asked if one.at <= since and one.unanswered and may_quote(one)]
        again = _distinct(before)[:_MOST_ASKED_AGAIN]
        return GapReport(
            since=since,
            until=until,
            asked=sum(one.at > since for one in found.asked),
            unanswered=sum(one.unanswered for one in failed_lately),
            bad=sum(one.bad and not one.unanswered for one in failed_lately),
            topics=tuple(topics),
            hidden_topics=len(hidden),
            hidden_failed=sum(map(len, hidden)),
            left_out=sum(at > since for at in found.left_out),
            asked_again=len(again),
            answered_now=tuple(self._answered_now(again, audience)),
        )

    def _topic(
        self,
        name: str,
        group: Sequence[AskedQuestion],
        failed: Sequence[AskedQuestion],
        since: datetime,
        audience: Audience,
        may_quote: MayQuote,
    ) -> GapTopic:
        asked = [one for one in group if one.at > since]
        shown = [one for one in failed if may_quote(one)]
        looked = [(one, self._look(one, audience)) for one in _distinct(shown)[:_SEARCHED]]
        threshold = self.minimum_support()
        return GapTopic(
            name=name,
            asked=len(asked),
            people=len({one.user for one in asked}),
            unanswered=sum(one.unanswered for one in failed),
            bad=sum(one.bad and not one.unanswered for one in failed),
            unquoted=sum(not may_quote(one) for one in asked),
            before=sum(one.failed for one in group if one.at <= since),
            answered_now=sum(one.unanswered and _answers(found, threshold) for one, found in looked),
            examples=tuple(_distinct(shown)[:EXAMPLES]),
            nearest=_nearest((one.text, found.passages) for one, found in looked),
        )

    def _answered_now(self, again: Sequence[AskedQuestion], audience: Audience) -> Iterable[AnsweredNow]:
        threshold = self.minimum_support()
        for one in again:
            found = self._look(one, audience)
            if _answers(found, threshold):
                yield AnsweredNow(question=one, document=_document(found.read[found.evidence[0].passage]))

    def _look(self, one: AskedQuestion, audience: Audience) -> Looked:
        """Search as its place does, for what those may read as well who get the report."""
        question = one.failure.question if one.failure is not None else Question(text=one.text)
        here = Audience.of_channel(one.channel).readable & audience.readable
        sources = load_channel(self.engine, one.team, one.channel).sources
        return look_again(self.library, question, Audience(readable=here), self.passages, sources)


def gaps_job(
    engine: sa.Engine, to: str, times: Timetable, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Job:
    """The job that has the channel `to` told of the days before each slot, once for each slot."""

    def work() -> str:
        until = times.due_slot(JOB, now()) or now()
        inbox = Inbox(engine, now=now)
        teams = teams_asked(engine, until - timedelta(days=DAYS))
        count = sum(
            inbox.put(
                Received(
                    event_id=f"{JOB}:{team}:{until.isoformat()}",
                    kind="gaps",
                    team=team,
                    channel=to,
                    payload={"team": team, "channel": to, "until": until.isoformat()},
                )
            )
            for team in teams
        )
        return f"{count} to be told" if count else "nothing to tell"

    return Job(name=JOB, times=times, work=work, attempts=_ATTEMPTS)


def renew_reports(engine: sa.Engine, inbox: Inbox, team: str, asked_at: datetime, why: str) -> int:
    """Have those reports made anew that may quote what was asked then; returns how many.

    Known are those of the last two weeks, as long as the inbox keeps its rows. `why` makes it happen once.
    """
    rows, prefix = tables.inbox, f"{JOB}:{team}:"
    query = sa.select(rows.c.event_id, rows.c.channel).where(
        rows.c.kind == "gaps", rows.c.team == team, rows.c.event_id.startswith(prefix, autoescape=True)
    )
    with reading(engine) as connection:
        told = [(row.event_id.removeprefix(prefix), row.channel) for row in connection.execute(query)]
    return sum(
        inbox.put(
            Received(
                event_id=f"{JOB}-again:{team}:{until}:{why}",
                kind="gaps",
                team=team,
                channel=channel,
                payload={"team": team, "channel": channel, "until": until, "again": True},
            )
        )
        for until, channel in told
        if datetime.fromisoformat(until) - 2 * timedelta(days=DAYS) <= asked_at <= datetime.fromisoformat(until)
    )


def _grouped(asked: Sequence[AskedQuestion], library: Searcher) -> list[list[AskedQuestion]]:
    """Questions about one thing together, the most typical first."""
    by_id = {one.answer_id: one for one in asked}
    groups = find_topics([_topic_question(one) for one in asked], library.embedder)
    return [[by_id[question.answer_id] for question in group.questions] for group in groups]


def _named(groups: Sequence[Sequence[AskedQuestion]]) -> list[str]:
    """A name for each group from its own words; empty where there are none."""
    names = iter(named([[_topic_question(one) for one in group] for group in groups if group]))
    return [_name_of(next(names)) if group else "" for group in groups]


def _name_of(topic: Topic) -> str:
    return topic.name or " ".join(topic.questions[0].text.split())


def _topic_question(one: AskedQuestion) -> TopicQuestion:
    return TopicQuestion(
        answer_id=one.answer_id, channel=one.channel, user=one.user, visibility=one.visibility, text=one.text
    )


def _distinct(asked: Iterable[AskedQuestion]) -> list[AskedQuestion]:
    """Each wording once."""
    found: dict[str, AskedQuestion] = {}
    for one in asked:
        found.setdefault(" ".join(one.text.casefold().split()), one)
    return list(found.values())


def _answers(looked: Looked, threshold: float) -> bool:
    return bool(looked.evidence) and looked.support >= threshold


def _is_near(asked: str, passage: Passage) -> bool:
    wanted = frozenset(content_words(asked))
    held = wanted & frozenset(content_words(f"{passage.header} {passage.text}"))
    return passage.cosine >= _LEAST_COSINE or len(held) >= max(1, _LEAST_WORDS * len(wanted))


def _nearest(found: Iterable[tuple[str, Sequence[Passage]]]) -> tuple[NearDocument, ...]:
    """The documents that came up most and highest."""
    weights: defaultdict[str, float] = defaultdict(float)
    best: dict[str, Passage] = {}
    for asked, passages in found:
        for rank, passage in enumerate(passages):
            if not _is_near(asked, passage):
                continue
            weights[passage.uri] += 1 / (1 + rank)
            best.setdefault(passage.uri, passage)
    ordered = sorted(best, key=lambda uri: -weights[uri])
    return tuple(_document(best[uri]) for uri in ordered[:NEAREST])


def _document(passage: Passage) -> NearDocument:
    return NearDocument(
        uri=passage.uri, path=passage.header or passage.title, source=passage.source, owner=passage.owner
    )
