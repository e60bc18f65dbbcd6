"""From the ledger to rows: an answer that was found good, a better answer, a vote; each with the prompt it was about.

What cannot be used is told with the reason. It knows nothing of files, of splitting, or of how often a person may
speak.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, cast

from bot.composing import HISTORY_TURNS
from bot.learn.clean import answer_problem, normalised, question_problem
from bot.learn.ledger import LedgerAnswer, LedgerCurated, LedgerPassage, LedgerVote
from bot.learn.policy import LeftOut, NotUsableError, Permissions, Provenance, lane_of
from bot.learn.scan import find_secrets, without_people
from bot.learn.served import Served, Serving, all_held, target_of_answer, target_of_words
from bot.learn.targets import UNKNOWN
from bot.turn import Length
from knowledge.audience import EVERYONE
from knowledge.document import HistoryTurn, Question
from models.example import Example, Kind, Lane
from models.generator import ChatMessage

# So many turns before a question may show in its prompt, also after ours are left out.
_SHOWN_TURNS = 4
_LENGTHS: Final[dict[str, Length]] = {"shorter": "short", "detail": "detailed"}


@dataclass(frozen=True, kw_only=True)
class RowPassage:
    """A passage that a row's question was answered from."""

    title: str
    text: str = field(repr=False)
    gold: bool
    """Whether the answer stands on it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An example with what is known of it besides."""

    example: Example
    question: Question
    passages: tuple[RowPassage, ...] = field(repr=False)
    order: int
    """Smaller is older: what was there first decides in which part a group is."""
    person: str = ""
    """Whose judgement it is; empty where it comes from a document."""
    channel: str = ""
    source: str = ""
    topic: str = ""
    """The title of the document that it stands on."""
    support: float = 1.0
    """The estimate of support that its question has: below the threshold no model is asked."""
    by_rule: bool = False
    """Asked by rule, in words that nobody would use: good to learn from, not to be judged by."""

    @property
    def answerable(self) -> bool:
        """Whether its evidence answers the question."""
        return self.example.answer != UNKNOWN

    @property
    def approved(self) -> bool:
        """Whether its answer is what a version said and people approved."""
        return self.answerable and self.example.origin.partition(":")[0] == "answer"

    @property
    def asked(self) -> str:
        """What was asked, with what it leans on."""
        before = [turn.text for turn in self.question.history if turn.role == "user"][-1:]
        return " ".join((*before, self.question.text))


@dataclass(frozen=True, kw_only=True)
class Omitted:
    """What was left out, and why."""

    origin: str
    reason: LeftOut


Outcome = Row | Omitted


def rows_of_answer(answer: LedgerAnswer, serving: Serving, permissions: Permissions) -> Iterator[Outcome]:
    """Yield the rows of one answer, and what of it is left out."""
    if (reason := _unusable(answer)) is not None:
        yield Omitted(origin=answer.origin, reason=reason)
        return
    votes = answer.live_votes
    doubts = [vote for vote in votes if _is_doubt(vote) and not answer.abstained]
    better = [vote for vote in votes if vote.vote < 0 and vote.correction.strip() and not _is_doubt(vote)]
    if answer.approval <= 0 and not better and not doubts:
        yield Omitted(origin=answer.origin, reason="voted_down")
    # No document shows whether somebody is right who says that none answers: so nobody may say otherwise.
    if answer.approval > 0 or better:
        yield from (Omitted(origin=vote.origin, reason="disputed") for vote in doubts)
        doubts = []
    prompt: Served | LeftOut | None = None
    for kind, vote in _wanted(answer, [*better, *doubts[:1]]):
        origin = vote.origin if vote is not None else answer.origin
        try:
            lane = lane_of(_provenance(answer, vote if kind != "vote" else None), permissions)
            prompt = prompt or _prompt(answer, serving)
            if not isinstance(prompt, Served):
                raise NotUsableError(prompt)
            yield _row(answer, vote, kind, lane, _shown(serving, prompt, vote) if kind == "supervised" else prompt)
        except NotUsableError as error:
            yield Omitted(origin=origin, reason=error.reason)


def row_of_curated(curated: LedgerCurated, serving: Serving, permissions: Permissions, order: int) -> Outcome:
    """The row of an approved answer, with the prompt that its question has today."""
    asked_by = curated.asked_by or curated.approved_by
    provenance = Provenance(
        team=curated.team,
        channel=curated.channel,
        asked_by=frozenset({asked_by}),
        answered_by=curated.approved_by,
        audiences=frozenset({curated.audience}),
    )
    # Whoever approved it was an admin then: that is what an approval is.
    approved = replace(permissions, operators=permissions.operators | {curated.approved_by})
    question = Question(text=normalised(curated.question))
    try:
        lane = lane_of(provenance, approved)
        if problem := question_problem(question.text) or answer_problem(curated.text):
            raise NotUsableError(problem)
        served = serving.showing(serving.anew(question), normalised(curated.text))
        _check_documents(serving, served)
        example = Example(
            kind="supervised",
            lane=lane,
            origin=curated.origin,
            group=curated.origin,
            messages=served.messages,
            answer=target_of_words(normalised(curated.text), served),
        )
        return finished(example, served, order=order, person=curated.approved_by, channel=curated.channel)
    except NotUsableError as error:
        return Omitted(origin=curated.origin, reason=error.reason)


def finished(
    example: Example, served: Served, *, order: int, support: float = 1.0, person: str = "", channel: str = ""
) -> Row:
    """A row without what people can be reached by; raises NotUsableError where a secret stands in it."""
    question = served.question
    passages = [
        (one.title, "\n\n".join(part.text for part in one.section), {part.id for part in one.section})
        for one in served.passages
    ]
    texts = [message.content for message in example.messages]
    own = [example.answer, example.rejected, question.text]
    said = [turn.text for turn in question.history]
    if any(find_secrets(text) for text in (texts[-1], *own, *said)):
        raise NotUsableError("secret")
    clean = list(without_people(*texts, *own, *said, *(text for _, text, _ in passages)))
    contents = [clean.pop(0) for _ in texts]
    answer, rejected, asked = (clean.pop(0) for _ in own)
    history = tuple(HistoryTurn(role=turn.role, text=clean.pop(0)) for turn in question.history)
    gold_ids = {served.read[place].id for place, number in served.numbers.items() if f"[{number}]" in example.answer}
    best = next((one for one in served.read if one.id in gold_ids), served.read[served.evidence[0].passage])
    messages = tuple(
        ChatMessage(role=message.role, content=content)
        for message, content in zip(example.messages, contents, strict=True)
    )
    return Row(
        example=replace(example, messages=messages, answer=answer, rejected=rejected),
        question=Question(text=asked, history=history),
        passages=tuple(
            RowPassage(title=title, text=text, gold=bool(ids & gold_ids))
            for (title, _, ids), text in zip(passages, clean, strict=True)
        ),
        order=order,
        support=support,
        person=person,
        channel=channel,
        source=best.source,
        topic=best.title,
    )


def _wanted(answer: LedgerAnswer, better: list[LedgerVote]) -> Iterator[tuple[Kind, LedgerVote | None]]:
    """What rows an answer may give; those of a vote alone come last."""
    if answer.approval > 0:
        yield "supervised", None
    for vote in better:
        yield "supervised", vote
        yield "preference", vote
    for vote in answer.live_votes:
        yield "vote", vote


def _is_doubt(vote: LedgerVote) -> bool:
    """Whether somebody says that the answer should have been that there is none."""
    return vote.vote < 0 and vote.reason == "unknown"


def _words_of(vote: LedgerVote | None) -> str:
    """What a person wrote that is to be said; with a doubt they wrote what the documents do not say."""
    return "" if vote is None or _is_doubt(vote) else normalised(vote.correction)


def _unusable(answer: LedgerAnswer) -> LeftOut | None:
    """Why nothing of an answer can be used."""
    if not answer.live_votes:
        return "no_vote"
    if answer.approved_by:
        return "written_by_person"
    if not answer.question.strip():
        return "no_question"
    # What was chosen after a question back is nowhere written down.
    if answer.outcome not in ("answered", "abstained") or answer.purpose == "choose":
        return "other_prompt"
    return question_problem(normalised(answer.question))


def _provenance(answer: LedgerAnswer, vote: LedgerVote | None) -> Provenance:
    shown = answer.history[-_SHOWN_TURNS:]
    return Provenance(
        team=answer.team,
        channel=answer.channel,
        asked_by=frozenset({answer.user, *(turn.user for turn in shown if turn.role == "user")}),
        answered_by=vote.user if vote is not None and _words_of(vote) else "",
        audiences=frozenset[str]().union(*(filter(None, turn.audience.split(",")) for turn in shown)),
        found=answer.audiences,
        remembered=answer.remembered,
    )


def _prompt(answer: LedgerAnswer, serving: Serving) -> Served | LeftOut:
    """Made once for all rows of an answer; where that cannot be, the reason holds for all of them."""
    history = tuple(
        HistoryTurn(role="user" if turn.role == "user" else "assistant", text=turn.text)
        for turn in answer.history[-HISTORY_TURNS:]
    )
    question = Question(text=normalised(answer.question), history=history)
    length = _LENGTHS.get(answer.purpose, cast(Length, answer.length))
    try:
        served = serving.again(question, _documents_of(answer), length, answer.language)
        _check_documents(serving, served)
    except NotUsableError as error:
        return error.reason
    return served


def _shown(serving: Serving, prompt: Served, vote: LedgerVote | None) -> Served:
    """The prompt with what a better answer stands on in it; raises NotUsableError for documents that may not train."""
    if not (text := _words_of(vote)):
        return prompt
    shown = serving.showing(prompt, text)
    _check_documents(serving, shown)
    return shown


def _documents_of(answer: LedgerAnswer) -> list[LedgerPassage]:
    """What it looked at without what was said in earlier conversations: these are other people's words."""
    return [passage for passage in answer.passages if not passage.is_said]


def _check_documents(serving: Serving, served: Served) -> None:
    """An audience may have become narrower since, and what people said in Slack is no document of the operator's.

    All that was found counts, not the prompt alone: a test row keeps it, so that retrieval need not be repeated.
    """
    if any(passage.audience != EVERYONE for passage in served.read):
        raise NotUsableError("not_public")
    if not serving.owned(served):
        raise NotUsableError("not_owned")


def _better(text: str, served: Served) -> str:
    if problem := answer_problem(text):
        raise NotUsableError(problem)
    return target_of_words(text, served)


def _row(answer: LedgerAnswer, vote: LedgerVote | None, kind: Kind, lane: Lane, served: Served) -> Row:
    said = ""
    if vote is None or kind != "supervised":
        said = target_of_answer(answer.text, answer.citations, answer.abstained, served)
        if len(_documents_of(answer)) < len(answer.passages) and not answer.abstained and not all_held(said, served):
            raise NotUsableError("not_cited")
    better = ""
    if vote is not None and kind != "vote":
        better = UNKNOWN if _is_doubt(vote) else _better(_words_of(vote), served)
    example = Example(
        kind=kind,
        lane=lane,
        origin=vote.origin if vote is not None else answer.origin,
        group=f"conversation:{answer.conversation}",
        messages=served.messages,
        answer=better or said,
        rejected=said if kind == "preference" else "",
        vote=vote.vote if vote is not None and kind == "vote" else 0,
        weight=min(1.0, answer.approval) if vote is None else vote.weight,
    )
    if kind == "preference" and example.answer == example.rejected:
        raise NotUsableError("duplicate")
    judge = vote.user if vote is not None else next(one.user for one in answer.live_votes if one.vote > 0)
    # What was answered had been asked of a model, whatever was estimated.
    support = answer.support if answer.abstained else 1.0
    return finished(example, served, order=answer.id, support=support, person=judge, channel=answer.channel)
