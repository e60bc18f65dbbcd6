"""The prompt of a question as it is in service, made again from what an answer stood on, or anew.

The evidence is chosen, and the prompt is built, by the code that answers. A channel's own instructions are left out:
what everyone is answered by does not learn one channel's rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from bot.answer import manner_of, without_abstentions
from bot.answer_options import AnswerOptions, styled
from bot.cite import Citer, without_markers
from bot.clarify import with_clarification
from bot.draft import LEAST_SHARE, prompt_in_service
from bot.evidence import Evidence, as_read, rank_evidence, weigh_origins
from bot.learn.ledger import LedgerPassage
from bot.learn.policy import OWNED_KINDS_NOT, NotUsableError
from bot.learn.targets import UNKNOWN, cited
from bot.notes import FOLDER as SAVED_FOLDER
from bot.prompt import Budget, numbers_of
from bot.sentences import split_sentences
from bot.support import estimate_support, support_features
from bot.turn import Citation, Length, Style
from bot.words import NOTHING_ELSE, QUOTING, QUOTING_MORE, WITH_QUOTE
from knowledge.audience import Audience
from knowledge.database import reading
from knowledge.document import Passage, Question
from knowledge.embed import Vectors
from knowledge.library import Library
from knowledge.query_side import QuerySide
from knowledge.retrieve import Retrieved
from knowledge.surroundings import with_surroundings
from knowledge.tables import chunk, document, source
from knowledge.versions import newer_versions_first
from models.errors import PromptTooLongError
from models.generator import ChatMessage

# Texts have brackets of their own, such as "[update]".
_MARK = re.compile(r"\[(\d+)\]")
# Shares are sums of weights.
_EVERY_WORD = 1.0 - 1e-6

_NORMAL = Style()
# So many times as many sentences as a prompt has in service: a detailed answer is written from twice as many.
_MORE_SHOWN = 2


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a prompt is made from."""

    question: Question
    passages: tuple[Passage, ...] = field(repr=False)
    """What was found."""
    read: tuple[Passage, ...] = field(repr=False)
    """That and what stands beside it; the evidence counts its passages here."""
    ranked: tuple[Evidence, ...] = field(repr=False)
    """All sentences of what was read, the best first."""
    style: Style


@dataclass(frozen=True, kw_only=True)
class Served(Found):
    """A prompt, with what is known of the evidence in it."""

    messages: tuple[ChatMessage, ...] = field(repr=False)
    evidence: tuple[Evidence, ...] = field(repr=False)
    """The sentences in the prompt, the best first; of a prompt of whole passages, all of theirs."""
    numbers: Mapping[int, int]
    """The number in the prompt of each passage that stands in it, by its place in `read`."""

    def number_of(self, chunk_id: int) -> int | None:
        """The number of a passage in the prompt; None where it does not stand in it."""
        places = [place for place, passage in enumerate(self.read) if passage.id == chunk_id]
        return next((self.numbers[place] for place in places if place in self.numbers), None)


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What prompts are made with; used by one thread."""

    engine: sa.Engine
    library: Library
    query_side: QuerySide
    options: AnswerOptions
    beside_characters: int
    context_size: int
    count_tokens: Callable[[str], int]

    def search(self, question: Question, more: int = 0) -> Retrieved:
        """Find what everyone may read, as the bot does; `more`: so many passages on top."""
        return self.library.retrieve(question, Audience.everyone(), self.options.passages + more)

    def anew(self, question: Question, *, without: frozenset[int] = frozenset()) -> Served:
        """Search for everyone, now; `without` leaves out these chunks.

        Raises NotUsableError where nothing is found.
        """
        found = self.search(question, more=len(without))
        passages = [passage for passage in found.passages if passage.id not in without]
        passages = [_without_beside(passage, without) for passage in passages][: self.options.passages]
        return self.of_passages(question, passages, found.query_vector)

    def again(self, question: Question, stored: Sequence[LedgerPassage], length: Length, language: str) -> Served:
        """Make the prompt again from the passages that were noted; raises NotUsableError where one is gone."""
        question = with_clarification(without_abstentions(question))
        vector = self.query_side.encoder.encode(question).vector
        with reading(self.engine) as connection:
            passages = _restored(connection, stored)
            found = with_surroundings(connection, _found(passages), self.beside_characters)
        return self.of_passages(question, newer_versions_first(found), vector, Style(length=length, language=language))

    def support_of(self, served: Served) -> float:
        """The estimate of support of a question that was searched anew."""
        return estimate_support(support_features(served.question, served.passages, served.ranked))

    def of_passages(
        self, question: Question, passages: Sequence[Passage], vector: Vectors, style: Style = _NORMAL
    ) -> Served:
        """Choose the evidence and build the prompt as ANSWER does."""
        read = as_read(passages)
        ranked = weigh_origins(rank_evidence(question, read, vector, self.library.embedder), read)
        if not ranked:
            raise NotUsableError("passages_gone")
        most = styled(self.options, style, self.context_size).evidence_sentences
        found = Found(question=question, passages=tuple(passages), read=read, ranked=ranked, style=style)
        return self._with_evidence(found, ranked[:most] if most else ranked)

    def showing(self, served: Served, text: str) -> Served:
        """The same question with the sentences in its prompt that hold what a person wrote, where these were found.

        Ranking left them out. Who learns from such a row learns to read, not to rank; what answers today goes on
        leaving them out until people's votes have changed that. The same prompt comes back where nothing is missing,
        or where it would be more than twice as many sentences.
        """
        most = styled(self.options, served.style, self.context_size).evidence_sentences
        citer = Citer(served.read, served.ranked, served.question.text)
        supports = [citer.support(sentence) for sentence in split_sentences(without_markers(text))]
        wanted = {one.evidence for one in supports if one is not None and one.share >= LEAST_SHARE}
        if not most or len(wanted) > _MORE_SHOWN * most or wanted <= set(served.evidence):
            return served
        others = [one for one in served.ranked if one not in wanted][: max(0, most - len(wanted))]
        return self._with_evidence(served, [one for one in served.ranked if one in wanted or one in others])

    def _with_evidence(self, found: Found, chosen: Sequence[Evidence]) -> Served:
        options = styled(self.options, found.style, self.context_size)
        budget = Budget(
            context_size=self.context_size,
            answer_tokens=options.generation.max_tokens,
            count_tokens=self.count_tokens,
        )
        # A version learns the form that tuned versions are asked in, whichever wrote the answers.
        manner = manner_of(found.question.text, found.ranked, found.style, options, tuned=True)
        if options.evidence_sentences:
            options = replace(options, evidence_sentences=len(chosen))
        try:
            prompt = prompt_in_service(found.question, found.passages, chosen, options, manner, budget)
        except PromptTooLongError as error:
            raise NotUsableError("too_long") from error
        return Served(
            question=found.question,
            messages=prompt.messages,
            passages=found.passages,
            read=found.read,
            evidence=tuple(chosen),
            numbers=_numbers(found.passages, found.read, chosen, whole=not options.evidence_sentences),
            ranked=found.ranked,
            style=found.style,
        )

    def owned(self, served: Served) -> bool:
        """Whether all documents in a prompt are the operator's own, and not what people wrote in Slack."""
        ids = {served.read[place].document_id for place in served.numbers}
        query = (
            sa.select(source.c.kind, source.c.location)
            .join(document, document.c.source_id == source.c.id)
            .where(document.c.id.in_(ids))
        )
        with reading(self.engine) as connection:
            rows = connection.execute(query).all()
        return bool(rows) and all(is_owned(row.kind, row.location) for row in rows)


def is_owned(kind: str, location: str) -> bool:
    """Tell a source of the operator's own documents from one that people's messages went into."""
    return kind not in OWNED_KINDS_NOT and SAVED_FOLDER not in location.replace("\\", "/").split("/")


def target_of_answer(text: str, citations: Sequence[Citation], abstained: bool, served: Served) -> str:
    """What an answer said, in the form that is learned; raises NotUsableError where its prompt does not hold it."""
    if abstained:
        return UNKNOWN
    chunk_of = {citation.n: citation.chunk_id for citation in citations}
    said: list[str] = []
    for shown, number in _cited_sentences(text):
        sentence = _without_quote(shown, served)
        in_prompt = served.number_of(chunk_of[number]) if number in chunk_of else None
        if in_prompt is None:
            raise NotUsableError("not_cited")
        said.append(cited(sentence, in_prompt))
    if not said:
        raise NotUsableError("not_cited")
    return " ".join(said)


def target_of_words(text: str, served: Served) -> str:
    """What a person wrote as the better answer, each sentence with the passage in the prompt that says so.

    Raises NotUsableError where no passage does: to learn it would be to learn to invent.
    """
    citer = Citer(served.read, served.evidence, served.question.text)
    said: list[str] = []
    for sentence in split_sentences(without_markers(text)):
        support = citer.support(sentence)
        if support is None or support.share < LEAST_SHARE or support.evidence.passage not in served.numbers:
            raise NotUsableError("not_supported")
        said.append(cited(sentence, served.numbers[support.evidence.passage]))
    if not said:
        raise NotUsableError("empty")
    return " ".join(said)


def all_held(target: str, served: Served) -> bool:
    """Whether every word of what is to be said stands in the documents of the prompt."""
    citer = Citer(served.read, served.evidence, served.question.text)
    supports = [citer.support(sentence) for sentence in split_sentences(without_markers(target))]
    return all(support is not None and support.share >= _EVERY_WORD for support in supports)


def _without_quote(sentence: str, served: Served) -> str:
    """An answer of a few words is shown with the sentence that it stands in; what the model said are the words."""
    for item in served.evidence:
        said = sentence.removesuffix(WITH_QUOTE.format(answer="", quote=item.text).rstrip("”"))
        if said != sentence:
            return said
    return sentence


def _cited_sentences(text: str) -> list[tuple[str, int]]:
    """Cut an answer at its marks; what has none is no part of what it says from the sources."""
    for ours in (QUOTING_MORE, QUOTING, NOTHING_ELSE):
        text = text.replace(ours, "")
    *cut, rest = _MARK.split(text)
    if rest.strip(" .\n"):
        raise NotUsableError("not_cited")
    sentences = (before.strip().strip("“”").strip() for before in cut[::2])
    return [(sentence, int(number)) for sentence, number in zip(sentences, cut[1::2], strict=True) if sentence]


def _numbers(
    passages: Sequence[Passage], read: Sequence[Passage], chosen: Sequence[Evidence], *, whole: bool
) -> dict[int, int]:
    """Number the passages in the order in which the prompt has them."""
    if whole:
        place_of = {passage.id: number for number, one in enumerate(passages, 1) for passage in one.section}
        return {place: place_of[passage.id] for place, passage in enumerate(read)}
    return numbers_of(chosen)


def _restored(connection: sa.Connection, stored: Sequence[LedgerPassage]) -> list[Passage]:
    """Read the passages as they are, by number or, where the document was read again, by place and content."""
    hashes = {one.text_hash for one in stored}
    query = (
        sa.select(
            *(chunk.c.id, chunk.c.document_id, chunk.c.ordinal, chunk.c.header, chunk.c.text, chunk.c.text_hash),
            *(document.c.uri, document.c.title, document.c.audience, document.c.modified_at, document.c.synced_at),
            *(source.c.name.label("source"), source.c.trust),
        )
        .join(document, document.c.id == chunk.c.document_id)
        .join(source, source.c.id == document.c.source_id)
        .where(chunk.c.text_hash.in_(hashes))
    )
    by_place = {(row["uri"], row["text_hash"]): row for row in connection.execute(query).mappings()}
    restored: list[Passage] = []
    for one in stored:
        row = by_place.get((one.uri, one.text_hash))
        if row is None:
            raise NotUsableError("passages_gone")
        passage = Passage(**row, score=one.score, cosine=one.cosine, word_score=one.word_score, prior=one.prior)
        restored.append(passage)
    if not restored:
        raise NotUsableError("passages_gone")
    return restored


def _found(passages: Sequence[Passage]) -> list[Passage]:
    """Without those that were noted because an answer cites them from beside another one.

    These come after what was found, without a score of their own and with the other's cosine.
    """
    found: list[Passage] = []
    for passage in passages:
        beside = not passage.score and not passage.word_score
        if not (beside and any(_lent(passage) == _lent(one) for one in found)):
            found.append(passage)
    return found


def _lent(passage: Passage) -> tuple[object, ...]:
    return passage.document_id, passage.header, passage.cosine


def _without_beside(passage: Passage, without: frozenset[int]) -> Passage:
    return replace(passage, beside=tuple(one for one in passage.beside if one.id not in without))
