"""Where concrete things meet: settings in, a working application out. Tests call the same `build` with own parts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType

import sqlalchemy as sa

from bot.answer import Answering, AnswerOptions
from bot.answer_cache import AnswerCache, CacheLimits
from bot.curated import CuratedAnswers, renew_vectors
from bot.database import open_database
from bot.errors import MisuseError
from bot.learn.few_shot import load_examples
from bot.learn.follow import VersionFollower
from bot.learn.versions import BASE, MODELS_FOLDER, standing
from bot.settings import FileSettings, Settings
from bot.threshold import LearnedThreshold
from knowledge.embed import Embedder, load_embedder
from knowledge.library import Library, stored_embedders
from knowledge.parse import ParseLimits, Parser
from knowledge.priors import PriorWeights
from knowledge.query import HistoryWeights
from knowledge.query_side import QuerySide, open_query_side, weighted_query_side
from knowledge.retrieve import RetrievalOptions
from models.errors import ModelError
from models.generator import GenerationOptions, Generator
from models.load import ModelOptions, load_generator, load_ready
from models.registry import ModelRegistry
from models.switching import SwitchingGenerator
from models.tuned import open_tuned

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""What is being done, how much of it is done, and of how much (None: nobody knows)."""


@dataclass(kw_only=True)
class Application:
    """Everything that a command or the bot works with; closed in reverse order of opening."""

    settings: Settings
    engine: sa.Engine
    library: Library
    registry: ModelRegistry
    generator: Generator | None
    resources: ExitStack
    versions: VersionFollower | None = None
    """Puts tuned versions in service; None where the model is not this application's own."""

    @property
    def answering(self) -> Answering:
        """ANSWER with this application's parts. Raises MisuseError where it was built without a model."""
        if self.generator is None:
            raise MisuseError("This application was built without a language model: build it with one to answer.")
        return Answering(
            library=self.library,
            generator=self.generator,
            versions=self.versions,
            options=replace(
                answer_options(self.settings.file),
                examples=load_examples(self.engine, self.settings.home, self.settings.file.answer.few_shot),
            ),
            approved=CuratedAnswers(engine=self.engine, embedder=self.library.embedder),
            earlier=AnswerCache(engine=self.engine, limits=self.cache_limits) if self.is_caching else None,
            threshold=LearnedThreshold(
                engine=self.engine,
                setting=self.settings.file.answer.minimum_support,
                learns=self.settings.file.answer.threshold_from_votes,
            ),
        )

    @property
    def is_caching(self) -> bool:
        """Whether answers are given again."""
        return self.settings.file.answer.cache

    @property
    def cache_limits(self) -> CacheLimits:
        """How many answers are kept to be given again, and how long."""
        answer = self.settings.file.answer
        return CacheLimits(most=answer.cache_answers, max_age=timedelta(days=answer.cache_days))

    def parser(self) -> Parser:
        """A parser with the limits of the settings; the caller closes it."""
        return open_parser(self.settings.file)

    def close(self) -> None:
        """Close everything that was opened."""
        self.resources.close()

    def __enter__(self) -> Application:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build(
    settings: Settings,
    *,
    with_generator: bool = True,
    generator: Generator | None = None,
    embedder: Embedder | None = None,
    shared_embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> Application:
    """Open the database, the embedder, the library and the language model; closes all again where one fails.

    A shared embedder is used where the stored vectors are of it. Raises the errors of all three packages: each
    message says what to mend.
    """
    say = progress or _say_nothing
    with ExitStack() as opened:
        engine = open_database(settings.database_url)
        opened.callback(engine.dispose)
        registry = ModelRegistry(models_folder(settings))
        if (
            embedder is None
            and shared_embedder is not None
            and shared_embedder.name in _stored(engine, shared_embedder)
        ):
            embedder = shared_embedder
        # The embedder loads in this process and the model in its child: side by side they take the longer time only.
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="load") as pool:
            embedding = pool.submit(open_embedder, settings, engine, progress=say) if embedder is None else None
            versions = None
            if with_generator and generator is None:
                generator, versions = open_versions(settings, engine, say)
            if generator is not None:
                opened.callback(generator.close)
            embedder = embedder if embedding is None else embedding.result()
        assert embedder is not None
        library = Library.open(
            engine,
            embedder,
            settings.home / "index",
            retrieval_options(settings.file),
            query_side=query_side(settings, embedder),
        )
        opened.callback(library.close)
        renew_vectors(engine, embedder)
        return Application(
            settings=settings,
            engine=engine,
            library=library,
            registry=registry,
            generator=generator,
            versions=versions,
            resources=opened.pop_all(),
        )


def open_versions(
    settings: Settings, engine: sa.Engine, progress: Progress
) -> tuple[SwitchingGenerator, VersionFollower]:
    """Load the version in service, or the base model where there is none or it cannot be loaded."""
    options, folder = model_options(settings.file), models_folder(settings)

    def load(name: str) -> Generator:
        return load_ready(options, folder, tuned=open_tuned(folder, name) if name else None)

    service = standing(engine).service
    name = BASE if service is None or service.base != options.name or options.server_url else service.name
    try:
        first = load(name) if name else None
    except ModelError as error:
        # A bot that answers with the base model is better than none; the follower deals with the version.
        logger.error("version %s is not in service: %s", name, error)
        name, first = BASE, None
    if first is None:
        first = load_generator(options, folder, lambda text: progress(text, 0, None))
    switching = SwitchingGenerator(first, lambda: load(name))
    base = "" if options.server_url else options.name
    return switching, VersionFollower(engine, switching, load, base=base, loaded=name)


def open_embedder(
    settings: Settings, engine: sa.Engine | None, *, rebuild: bool = False, progress: Progress | None = None
) -> Embedder:
    """Load the embedder of the settings; in the precision of the stored vectors, unless all are made anew."""
    knowledge, say = settings.file.knowledge, progress or _say_nothing
    stored = None if engine is None or rebuild else stored_embedders(engine)
    return load_embedder(
        knowledge.embedder,
        precision=knowledge.embedder_precision,
        made_in=models_folder(settings) / "embedder",
        stored=frozenset(stored or ()),
        say=lambda text: say(text, 0, None),
    )


def query_side(settings: Settings, embedder: Embedder) -> QuerySide:
    """What questions are read with, as the settings say."""
    weights = retrieval_options(settings.file).history
    if settings.file.knowledge.follow_ups == "weights":
        return weighted_query_side(embedder, weights)
    return open_query_side(embedder, models_folder(settings) / "embedder", weights)


def _stored(engine: sa.Engine, embedder: Embedder) -> frozenset[str]:
    """The names beside the stored vectors; an empty database takes any."""
    stored = stored_embedders(engine)
    return frozenset((embedder.name,) if stored is None else stored)


def _say_nothing(_text: str, _done: int, _of: int | None) -> None:
    """Where nobody watches."""


def models_folder(settings: Settings) -> Path:
    """Where converted models and the allow-list are kept."""
    return settings.home / MODELS_FOLDER


def open_parser(file: FileSettings) -> Parser:
    """A parser with the limits of the settings."""
    knowledge = file.knowledge
    return Parser(ParseLimits(seconds=knowledge.parse_seconds, memory_mb=knowledge.parse_memory_mb))


def retrieval_options(file: FileSettings) -> RetrievalOptions:
    """The settings of retrieval, as knowledge takes them."""
    knowledge = file.knowledge
    return RetrievalOptions(
        word_weight=knowledge.word_weight,
        history=HistoryWeights(question=knowledge.history_question_weight, answer=knowledge.history_answer_weight),
        exact_search_below=knowledge.exact_search_below,
        vectors=knowledge.vectors_in_memory,
        matched=knowledge.matched_passages,
        priors=PriorWeights(
            recency=knowledge.recency_weight,
            half_life_days=knowledge.recency_half_life_days,
            trust=knowledge.trust_weight,
        ),
    )


def model_options(file: FileSettings) -> ModelOptions:
    """The settings of the language model, as models takes them."""
    model = file.model
    return ModelOptions(
        name=model.name,
        server_url=model.server_url,
        context_tokens=model.context_tokens,
        gpu_layers=None if model.gpu_layers == "auto" else model.gpu_layers,
        threads=None if model.threads == "auto" else model.threads,
        chat_format=model.chat_format,
    )


def answer_options(file: FileSettings) -> AnswerOptions:
    """The settings of answering, as ANSWER takes them."""
    return AnswerOptions(
        passages=file.answer.passages,
        evidence_sentences=file.answer.evidence_sentences,
        minimum_support=file.answer.minimum_support,
        wording=file.answer.wording,
        unsupported=file.answer.unsupported,
        house_rules=file.answer.instructions,
        max_question_characters=file.slack.max_question_characters,
        rewrite_seconds=file.answer.rewrite_seconds,
        stale_days=file.answer.stale_days,
        generation=GenerationOptions(
            max_tokens=file.model.max_answer_tokens, timeout_seconds=file.model.timeout_seconds
        ),
    )
