"""Questions made from the operator's own public documents, kept where retrieval finds the very sentence again.

They come from headings, from sentences that define something, from statements that are turned into questions, and from
the language model in service where one is given. A question may also be asked of other passages only: then the right
answer is that the text does not say.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from bot.learn.clean import question_problem
from bot.learn.cloze import clozes
from bot.learn.policy import NotUsableError
from bot.learn.rows import Omitted, Outcome, Row, finished
from bot.learn.served import Served, Serving, is_owned
from bot.learn.targets import UNKNOWN, cited
from bot.learn.tombstones import document_origin
from bot.sentences import STOP_WORDS, content_words, plain, split_sentences, words
from knowledge.audience import EVERYONE
from knowledge.database import reading
from knowledge.document import Question
from knowledge.tables import chunk, document, source
from models.errors import GenerationError
from models.example import Example
from models.generator import ChatMessage, GenerationOptions, Generator

BY_RULE_WEIGHT = 0.5
"""Of a question that was asked by rule: its answer is right, its words are nobody's."""
_ASKING = frozenset("what when where who whom whose why how which is are can could do does did should will may".split())
_ACTING = frozenset(
    """add apply approve ask book build change check choose clean close configure connect copy create delete deploy
    disable download edit enable export find fix get give import install invite join keep leave load make manage merge
    migrate monitor move open order pay print publish read register release remove rename renew report request reserve
    reset restart restore review roll rotate run save schedule search secure see send set share sign start stop store
    submit switch sync test transfer troubleshoot uninstall update upgrade upload use verify write""".split()
)
_DEFINES = re.compile(
    r"^(?:(?P<article>The|A|An) )?(?P<name>[A-Z`\"“]?[\w`\"”.+-]*(?: [\w`\"”.+-]+){0,4}?) "
    r"(?P<verb>is|are|was|were|means|stands for|refers to) "
    r"(?:an?|the|one of|any|every|used (?:to|for)) .+"
)
_SAYS_OF = {"means": "mean", "stands for": "stand for", "refers to": "refer to"}
_POINTS_AWAY = frozenset("this that these those it they he she there here we you i which what such its their".split())
_HEADING = re.compile(r"^ {0,3}#{1,6} +(.+?) *#* *$", re.MULTILINE)
_SHORTEST_SENTENCE, _LONGEST_SENTENCE = 5, 45
_LONGEST_HEADING = 9
_OTHER_PASSAGES = 6
_SAYS_IT = 0.6
# Three lines of what is wanted; without them a small model answers instead of asking.
_SHOTS = (
    ("Badges are issued by Maria Lopez at the front desk.", "Who issues badges?"),
    ("A deploy takes about 12 minutes and can be stopped until it reaches production.", "How long does a deploy take?"),
    ("Expenses above 200 euros need the approval of your lead.", "When do expenses need approval?"),
)
_ASK = "Write one short question that this sentence answers, with the names in it. Write the question only."


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A question with the sentence that it was made from."""

    question: str = field(repr=False)
    sentence: str = field(repr=False)
    chunk_id: int
    document_id: int
    answer: str = field(default="", repr=False)
    """The words of the sentence that are asked for; empty where the whole sentence answers."""


@dataclass(frozen=True, kw_only=True)
class OwnedChunk:
    """A piece of a document that is public and the operator's own."""

    id: int
    document_id: int
    title: str
    header: str
    text: str = field(repr=False)


def owned_chunks(engine: sa.Engine) -> tuple[OwnedChunk, ...]:
    """All pieces of public documents that are not made of people's messages, in their order."""
    query = (
        sa.select(
            *(chunk.c.id, chunk.c.document_id, document.c.title, chunk.c.header, chunk.c.text),
            *(source.c.kind, source.c.location),
        )
        .join(document, document.c.id == chunk.c.document_id)
        .join(source, source.c.id == document.c.source_id)
        .where(document.c.audience == EVERYONE)
        .order_by(chunk.c.document_id, chunk.c.ordinal)
    )
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return tuple(
        OwnedChunk(id=row.id, document_id=row.document_id, title=row.title, header=row.header, text=row.text)
        for row in rows
        if is_owned(row.kind, row.location)
    )


def plain_candidates(piece: OwnedChunk) -> Iterator[Candidate]:
    """Questions that headings and definitions ask by themselves."""
    for heading, sentences in _sections(piece):
        usable = [sentence for sentence in sentences if _says_enough(sentence)]
        # What stands right under a heading answers it; where that says little, the next sentence does not either.
        if usable and usable[0] == sentences[0] and (question := question_of_heading(heading)):
            yield _candidate(piece, question, usable[0])
        for sentence in usable:
            if question := question_of_definition(sentence):
                yield _candidate(piece, question, sentence)


def asked_by_rule(piece: OwnedChunk) -> Iterator[Candidate]:
    """Questions for a name, a number or a phrase of each sentence, in words like the sentence's own."""
    # The same text is asked the same, so that a later dataset puts it into the same part.
    chance = random.Random(_stable(piece.text))  # noqa: S311  nothing secret is drawn
    for _, sentences in _sections(piece):
        for cloze in clozes(" ".join(sentences), chance):
            if cloze.sentence in sentences and _says_enough(cloze.sentence):
                yield replace(_candidate(piece, cloze.question, cloze.sentence), answer=cloze.answer)


def generated_candidate(piece: OwnedChunk, generator: Generator) -> Candidate | None:
    """The question that the model in service asks about one sentence of a piece; None where it asks none."""
    sentences = [one for _, found in _sections(piece) for one in found if _says_enough(one)]
    if not sentences:
        return None
    sentence = sentences[_stable(piece.text) % len(sentences)]
    messages = [ChatMessage(role="system", content=_ASK)]
    for text, question in (*_SHOTS, (sentence, "")):
        messages.append(ChatMessage(role="user", content=f"Sentence: {text}"))
        messages += [ChatMessage(role="assistant", content=question)] if question else []
    try:
        said = "".join(generator.stream(messages, GenerationOptions(max_tokens=40, timeout_seconds=30.0)))
    except GenerationError:
        return None
    question = said.strip().splitlines()[0].strip() if said.strip() else ""
    question = question[: question.find("?") + 1].removeprefix("Question:").strip()
    return _candidate(piece, question, sentence) if _is_question(question) else None


def question_of_heading(heading: str) -> str:
    """The question that a heading asks, or that what stands under it answers; empty where it asks none."""
    text = plain(heading).strip().rstrip(":.")
    said = words(text)
    if not said or len(said) > _LONGEST_HEADING:
        return ""
    if text.endswith("?"):
        return text if _is_question(text) else ""
    lowered = text if text[:2].isupper() else text[0].lower() + text[1:]
    if said[:2] == ["how", "to"] and len(said) > 2:
        return f"How do I {lowered[len('how to ') :]}?"
    if said[0] in _ACTING and len(said) > 1:
        return f"How do I {lowered}?"
    return ""


def question_of_definition(sentence: str) -> str:
    """The question that a defining sentence answers; empty where it defines nothing by name."""
    match = _DEFINES.match(sentence)
    if match is None:
        return ""
    name = match["name"].strip('`"“” ')
    said = words(name)
    # "On first start its file" is no name: a name holds no small words but in its middle.
    if not said or (set(said) - {"of", "and"}) & STOP_WORDS or {said[0], said[-1]} & {"of", "and"}:
        return ""
    article = f"{match['article'].lower()} " if match["article"] else ""
    verb = match["verb"]
    if not article and name[:1].isupper() and len(said) == 1 and name.lower() in _ASKING | _ACTING:
        return ""
    if said_of := _SAYS_OF.get(verb):
        return f"What does {article}{name} {said_of}?"
    return f"What {verb} {article}{name}?"


def answerable_row(candidate: Candidate, serving: Serving) -> Outcome:
    """The row of a question whose own sentence is found first."""
    origin = document_origin(candidate.document_id)
    try:
        served = _round_trip(candidate, serving)
        best = served.evidence[0]
        answer = cited(candidate.answer or best.text, served.numbers[best.passage])
        example = _example(candidate, served, answer)
        return _finished(candidate, example, served)
    except NotUsableError as error:
        return Omitted(origin=origin, reason=error.reason)


def unanswerable_row(candidate: Candidate, serving: Serving) -> Outcome:
    """The row of the same question where only other passages are read."""
    origin = document_origin(candidate.document_id)
    telling = set(content_words(candidate.sentence)) - set(content_words(candidate.question))
    without = {candidate.chunk_id}
    try:
        for _ in range(_OTHER_PASSAGES):
            served = serving.anew(Question(text=candidate.question), without=frozenset(without))
            saying = {one.id for one in served.read if _says_the_same(one.text, telling)}
            if not saying:
                row = _finished(candidate, _example(candidate, served, UNKNOWN), served)
                return replace(row, support=serving.support_of(served))
            without |= saying
    except NotUsableError as error:
        return Omitted(origin=origin, reason=error.reason)
    return Omitted(origin=origin, reason="not_found_first")


def is_asked_unanswerably(candidate: Candidate, share: float) -> bool:
    """Whether this question is also asked of other passages; always the same for the same question."""
    return _stable(candidate.question) % 1000 < share * 1000


def _round_trip(candidate: Candidate, serving: Serving) -> Served:
    if problem := question_problem(candidate.question):
        raise NotUsableError(problem)
    question = Question(text=candidate.question)
    found = serving.search(question)
    if not found.passages or found.passages[0].id != candidate.chunk_id:
        raise NotUsableError("not_found_first")
    served = serving.of_passages(question, found.passages, found.query_vector)
    best = served.evidence[0]
    if served.read[best.passage].id != candidate.chunk_id or best.text != candidate.sentence:
        raise NotUsableError("not_found_first")
    if not serving.owned(served):
        raise NotUsableError("not_owned")
    return served


def _example(candidate: Candidate, served: Served, answer: str) -> Example:
    origin = document_origin(candidate.document_id)
    return Example(
        kind="supervised",
        lane="documents",
        origin=origin,
        group=origin,
        messages=served.messages,
        answer=answer,
        weight=BY_RULE_WEIGHT if candidate.answer else 1.0,
    )


def _finished(candidate: Candidate, example: Example, served: Served) -> Row:
    row = finished(example, served, order=candidate.document_id)
    return replace(row, by_rule=bool(candidate.answer))


def _candidate(piece: OwnedChunk, question: str, sentence: str) -> Candidate:
    return Candidate(question=question, sentence=sentence, chunk_id=piece.id, document_id=piece.document_id)


def _sections(piece: OwnedChunk) -> Iterator[tuple[str, list[str]]]:
    heading = piece.header.rpartition(" > ")[2]
    start = 0
    for match in _HEADING.finditer(piece.text):
        yield heading, split_sentences(piece.text[start : match.start()])
        heading, start = match.group(1), match.end()
    yield heading, split_sentences(piece.text[start:])


def _says_enough(sentence: str) -> bool:
    said = words(sentence)
    return (
        _SHORTEST_SENTENCE <= len(said) <= _LONGEST_SENTENCE
        and sentence.rstrip()[-1:] in ".!。"
        and said[0] not in _POINTS_AWAY
        and len(content_words(sentence)) >= 3
    )


def _is_question(text: str) -> bool:
    said = words(text)
    return text.endswith("?") and 3 <= len(said) <= 25 and said[0] in _ASKING and len(content_words(text)) >= 1


def _says_the_same(text: str, telling: set[str]) -> bool:
    return bool(telling) and any(
        len(telling & set(content_words(sentence))) >= _SAYS_IT * len(telling) for sentence in split_sentences(text)
    )


def _stable(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:8], "big")
