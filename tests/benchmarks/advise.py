"""Are failed answers attributed to what made them fail? Cases by construction, from XQuAD: the cause is known.

Each paragraph of the data set becomes a document and has one fate: it is taken away (missing); the scripted model says
another sentence than the one that answers (misread); its answers are changed, and mended after the question or never
(outdated); its questions are cut down to a word or two (unclear); they are asked in German or Spanish, which the
embedder does not know, and the paragraph is not found (overlooked). ANSWER answers each question as in service. Whoever
gets no answer that holds the right one reacts as people do: 40 % with a bare vote, 25 % with a reason, 35 % with the
better answer (half of them in a word, half in a sentence); of those who get "I did not find it", most say nothing.

Run: python -m tests.benchmarks.advise --data /path/to/xquad [--half development|test] [--seed 1] [--json]

Weights were set by hand while looking at the development half (every second article) only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from bot import tables
from bot.answer import Answering
from bot.app import answer_options, build
from bot.conversation import save_answer, save_user_turn
from bot.evaluate.scores import contains_answer
from bot.feedback import record_reason, record_vote
from bot.learn.advise import advise
from bot.learn.attribute import CAUSES, Attribution, Cause
from bot.learn.topics import TopicQuestion, find_topics
from bot.sentences import content_words, split_sentences, words
from bot.settings import load_settings
from bot.sync import ingest_parts, sync_source
from bot.turn import Answer, Done, Incoming
from knowledge import tables as knowledge_tables
from knowledge.audience import Audience
from knowledge.database import writing
from knowledge.document import Question
from knowledge.embed import Embedder
from knowledge.store import add_source
from models.generator import ChatMessage
from tests.fakes import ScriptedGenerator

NOW = datetime.now(UTC)
ASKED_AT, READ_AT = NOW - timedelta(days=10), NOW - timedelta(days=20)
# How often each fate is drawn: most failures lack a document, or were misread.
FATES: dict[Cause, int] = {"missing": 6, "misread": 6, "outdated": 4, "unclear": 2, "overlooked": 3}
REASONS: dict[Cause, tuple[str, ...]] = {
    "missing": ("wrong", "wrong", "incomplete", "other"),
    "misread": ("wrong", "wrong", "incomplete", "source"),
    "overlooked": ("wrong", "wrong", "incomplete", "source"),
    "outdated": ("outdated", "outdated", "wrong"),
    "unclear": ("wrong", "unclear", "other"),
}
_NUMBER = re.compile(r"\d+")
_QUESTION = re.compile(r"Question: (.*)\Z", re.DOTALL)


@dataclass(kw_only=True)
class Paragraph:
    """One document, and what becomes of it."""

    number: int
    title: str
    text: str
    half: str
    fate: Cause
    mended: bool = False
    """Of an outdated one: its source is read again after the question."""
    old: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One question whose answer must fail, and why."""

    id: str
    paragraph: Paragraph = field(repr=False)
    asked: str
    right: tuple[str, ...]
    wrong: str
    """What an outdated paragraph says instead; empty for the others."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was made of one case."""

    case: Case
    cause: Cause
    told: str
    """What the person did: silent, vote, reason, correction."""
    attribution: Attribution


def main() -> None:
    """Build the cases, have them answered and voted on, attribute them, and print the matrix."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=["development", "test"], default="test")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=int, help="only so many cases, drawn at random")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--show", action="store_true", help="print every case that was attributed wrongly")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    paragraphs, cases = read_cases(options.data, draw)
    cases = [case for case in cases if case.paragraph.half == options.half]
    if options.limit is not None:
        cases = draw.sample(cases, min(options.limit, len(cases)))
    with tempfile.TemporaryDirectory() as folder:
        outcomes, purity, topics = run(Path(folder), paragraphs, cases, draw)
    if options.show:
        for one in outcomes:
            if one.attribution.cause != one.cause:
                shares = {cause: round(share, 2) for cause, share in one.attribution.shares.items()}
                print(one.cause, "->", one.attribution.cause, one.told, one.case.asked, shares, one.attribution.reasons)
    report(outcomes, purity, topics, as_json=options.json)


def read_cases(data: Path, draw: random.Random) -> tuple[list[Paragraph], list[Case]]:
    """Read the paragraphs and their questions, and decide what becomes of each."""
    rows = {language: _rows(data / f"{language}.jsonl") for language in ("en", "de", "es")}
    other = {row["id"]: row["question"] for language in ("de", "es") for row in rows[language] if draw.random() < 0.6}
    titles = sorted({row["title"] for row in rows["en"]})
    answers = [row["answers"][0] for row in rows["en"]]
    paragraphs: dict[str, Paragraph] = {}
    cases: list[Case] = []
    for row in rows["en"]:
        text = row["context"]
        if text not in paragraphs:
            half = "development" if titles.index(row["title"]) % 2 == 0 else "test"
            fate = draw.choices(list(FATES), weights=list(FATES.values()))[0]
            paragraphs[text] = Paragraph(
                number=len(paragraphs),
                title=row["title"].replace("_", " "),
                text=text,
                half=half,
                fate=fate,
                mended=draw.random() < 0.5,
                old=text,
            )
        paragraph, right, wrong, asked = paragraphs[text], tuple(row["answers"]), "", row["question"]
        if paragraph.fate == "outdated":
            wrong = _another(right[0], answers, draw)
            if right[0] not in paragraph.old or len(right[0]) < 2:
                continue
            paragraph.old = paragraph.old.replace(right[0], wrong)
        elif paragraph.fate == "unclear":
            asked = _vague(asked, draw)
        elif paragraph.fate == "overlooked":
            asked = other.get(row["id"], "")
        if asked:
            cases.append(Case(id=row["id"], paragraph=paragraph, asked=asked, right=right, wrong=wrong))
    return list(paragraphs.values()), cases


def run(
    folder: Path, paragraphs: Sequence[Paragraph], cases: Sequence[Case], draw: random.Random
) -> tuple[list[Outcome], float, int]:
    """Read, ask, react, read again, attribute."""
    documents = folder / "documents"
    documents.mkdir()
    for one in paragraphs:
        if one.fate != "missing":
            _write(documents, one, one.old)
    settings = replace(load_settings(os.environ, folder / "home"), database_url=f"sqlite:///{folder / 'bench.db'}")
    generator = ScriptedGenerator()
    (folder / "home").mkdir()
    with build(settings, generator=generator) as application:
        engine, library = application.engine, application.library
        stored = add_source(engine, kind="files", location=str(documents))
        with ingest_parts(engine, library.embedder, settings) as parts:
            sync_source(stored, parts)
            with writing(engine) as connection:
                for column in (knowledge_tables.document.c.synced_at, knowledge_tables.sync_run.c.finished_at):
                    connection.execute(sa.update(column.table).values({column: READ_AT}))
            told: dict[int, tuple[Case, Cause, str]] = {}
            for number, case in enumerate(cases):
                if number % 50 == 0:
                    print(f"asked {number} of {len(cases)}", file=sys.stderr, flush=True)
                answering = Answering(
                    library=library,
                    generator=ScriptedGenerator(partial(_say, case=case)),
                    options=answer_options(settings.file),
                )
                answer = _answer(answering, case)
                if not answer.abstained and contains_answer(answer.text, case.right):
                    continue
                answer_id = _save(engine, case, answer)
                cause = _cause_of(case, answer)
                told[answer_id] = case, cause, _react(engine, answer_id, case, cause, answer, draw)
            for one in paragraphs:
                if one.fate == "outdated" and one.mended:
                    _write(documents, one, one.text)
            sync_source(stored, parts)
        advice = advise(engine, library, NOW, days=30, progress=_progress)
        outcomes = []
        for attribution in advice.attributions:
            case, cause, how = told[attribution.failure.answer_id]
            outcomes.append(Outcome(case=case, cause=cause, told=how, attribution=attribution))
        purity, topics = _topic_purity(cases, library.embedder)
    return outcomes, purity, topics


def report(outcomes: Sequence[Outcome], purity: float, topics: int, *, as_json: bool) -> None:
    """Print the confusion matrix and the shares."""
    columns: tuple[Cause | None, ...] = (*CAUSES, None)
    matrix = {cause: Counter(one.attribution.cause for one in outcomes if one.cause == cause) for cause in CAUSES}
    named = [one for one in outcomes if one.attribution.cause is not None]
    right = [one for one in outcomes if one.attribution.cause == one.cause]
    lever = [one for one in outcomes if _lever(one.attribution.cause) == _lever(one.cause)]
    figures: dict[str, object] = {
        "cases": len(outcomes),
        "cause right": _share(right, outcomes),
        "lever right": _share(lever, outcomes),
        "named": _share(named, outcomes),
        "cause right of those named": _share(right, named),
        "always the commonest": max(Counter(one.cause for one in outcomes).values()) / max(1, len(outcomes)),
        "mean confidence of those named": sum(one.attribution.confidence for one in named) / max(1, len(named)),
    }
    for how in ("silent", "vote", "reason", "correction"):
        some = [one for one in outcomes if one.told == how]
        hits = [one for one in some if one.attribution.cause == one.cause]
        figures[f"cause right, {how} ({len(some)})"] = _share(hits, some)
    figures |= {"topics": topics, "topic purity (articles)": purity}
    if as_json:
        print(
            json.dumps(
                {"figures": figures, "matrix": {c: {str(k): n for k, n in row.items()} for c, row in matrix.items()}}
            )
        )
        return
    print(f"{'':>12}" + "".join(f"{cause or 'unknown':>12}" for cause in columns))
    for cause, row in matrix.items():
        print(f"{cause:>12}" + "".join(f"{row[column]:>12}" for column in columns))
    for name, value in figures.items():
        print(f"{name:>36}: {value:.2f}" if isinstance(value, float) else f"{name:>36}: {value}")


def _progress(task: str, done: int, of: int | None) -> None:
    if done % 50 == 0:
        print(f"{task}: {done} of {of}", file=sys.stderr, flush=True)


def _answer(answering: Answering, case: Case) -> Answer:
    *_, last = answering.answer(Question(text=case.asked), Audience.everyone())
    assert isinstance(last, Done)
    return last.answer


def _say(messages: Sequence[ChatMessage], case: Case) -> str:
    """What the scripted model makes of the text: the sentence that answers, or, where it misreads, another one."""
    text = messages[-1].content.removeprefix("Text: ").partition("\n\nQuestion:")[0]
    sentences = [one for block in text.splitlines() for one in split_sentences(block)]
    if case.paragraph.fate == "misread":
        others = [one for one in sentences if not contains_answer(one, case.right)]
        return others[0] if others else "The text does not say."
    wanted = (case.wrong,) if case.wrong else case.right
    holding = [one for one in sentences if contains_answer(one, wanted)]
    return (holding or sentences or ["The text does not say."])[0]


def _cause_of(case: Case, answer: Answer) -> Cause:
    """Asked in another language, a paragraph may be found all the same: what failed then is the reading."""
    uri = f"/{case.paragraph.number}.md"
    if case.paragraph.fate != "overlooked":
        return case.paragraph.fate
    return "misread" if any(passage.uri.endswith(uri) for passage in answer.passages) else "overlooked"


def _save(engine: sa.Engine, case: Case, answer: Answer) -> int:
    incoming = Incoming(
        team="T1",
        channel="C1",
        channel_kind="public",
        user=f"U{len(case.id) + int(case.id[-1], 16)}",
        ts=case.id,
        thread_ts=None,
        text=case.asked,
        mentioned=True,
    )
    save_user_turn(engine, incoming)
    answer_id = save_answer(engine, incoming, answer)
    with writing(engine) as connection:
        at = sa.update(tables.answer).where(tables.answer.c.id == answer_id)
        connection.execute(at.values(created_at=ASKED_AT))
    return answer_id


def _react(engine: sa.Engine, answer_id: int, case: Case, cause: Cause, answer: Answer, draw: random.Random) -> str:
    how = draw.choices(("vote", "reason", "correction"), weights=(40, 25, 35))[0]
    if answer.abstained:
        how = draw.choices(("silent", "vote", "correction"), weights=(70, 10, 20))[0]
    if how == "vote":
        record_vote(engine, answer_id, "U9", -1, "button")
    elif how == "reason":
        record_reason(engine, answer_id, "U9", draw.choice(REASONS[cause]))
    elif how == "correction":
        holding = [one for one in split_sentences(case.paragraph.text) if contains_answer(one, case.right)]
        better = draw.choice([case.right[0], *holding[:1]])
        record_reason(engine, answer_id, "U9", None, better)
    return how


def _vague(question: str, draw: random.Random) -> str:
    """What is left of a question whose asker takes too much for granted."""
    telling = [word for word in words(question) if content_words(word)]
    word = draw.choice(telling) if telling else "it"
    return draw.choice((f"What about {word}?", f"{word}?", f"Which {word} was it?", "How does it work?"))


def _another(answer: str, answers: Sequence[str], draw: random.Random) -> str:
    """What an older page may have said instead: another number, or another name."""
    if _NUMBER.search(answer):
        return _NUMBER.sub(lambda match: str(int(match.group()) + draw.randint(1, 9)), answer)
    like = [
        one for one in answers if one != answer and not _NUMBER.search(one) and len(one.split()) == len(answer.split())
    ]
    return draw.choice(like or [one for one in answers if one != answer])


def _topic_purity(cases: Sequence[Case], embedder: Embedder) -> tuple[float, int]:
    """Share of questions that lie in a topic with mostly questions of their own article, of topics with several."""
    asked = [
        TopicQuestion(answer_id=number, channel="C1", user="U1", visibility="thread", text=case.asked)
        for number, case in enumerate(cases)
        if case.paragraph.fate in ("missing", "misread", "outdated")
    ]
    topics = [topic for topic in find_topics(asked, embedder) if topic.count > 1]
    most = 0
    for topic in topics:
        titles = Counter(cases[one.answer_id].paragraph.title for one in topic.questions)
        most += titles.most_common(1)[0][1]
        print(f"  topic {topic.name}: {dict(titles)}")
    return most / max(1, sum(topic.count for topic in topics)), len(topics)


def _write(folder: Path, paragraph: Paragraph, text: str) -> None:
    (folder / f"{paragraph.number}.md").write_text(f"# {paragraph.title}\n\n{text}\n", encoding="utf-8")


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _share(some: Sequence[object], of: Sequence[object]) -> float:
    return len(some) / len(of) if of else 0.0


def _lever(cause: Cause | None) -> str | None:
    from bot.learn.advise import LEVER_OF

    return None if cause is None else LEVER_OF[cause]


if __name__ == "__main__":
    main()
