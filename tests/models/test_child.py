"""The generator in a child process, with the embedded model: it may be killed, hang or talk nonsense."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from models.child import ChildGenerator, Runtime
from models.errors import (
    GenerationError,
    GenerationStopped,
    GenerationTimeoutError,
    ModelError,
    ModelFileError,
    ModelMemoryError,
    ModelProcessDiedError,
    PromptTooLongError,
)
from models.generator import ChatMessage, GenerationOptions, Generator
from models.process import clean_environment
from models.registry import embedded_model
from tests.contracts.generator import LONG, LONG_ANSWER, SHORT, STOPS_WITHIN_SECONDS, GeneratorContract, ask

pytestmark = pytest.mark.slow

Start = Callable[..., ChildGenerator]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a generator with the embedded model; it is closed after the test."""
    with contextlib.ExitStack() as opened:

        def start(**runtime: Any) -> ChildGenerator:
            options = Runtime(**{"context_tokens": 2048, **runtime})
            generator = ChildGenerator(embedded_model().path, "embedded", options)
            opened.callback(generator.close)
            return generator

        yield start


@pytest.fixture(scope="module")
def shared() -> Iterator[list[ChildGenerator]]:
    """Keep one generator for the tests that do not end it."""
    kept: list[ChildGenerator] = []
    yield kept
    for generator in kept:
        generator.close()


class TestContract(GeneratorContract):
    @pytest.fixture
    def generator(self, shared: list[ChildGenerator]) -> Generator:
        if not shared or shared[-1].closed:
            shared.append(ChildGenerator(embedded_model().path, "embedded", Runtime(context_tokens=2048)))
        return shared[-1]


def text_of(generator: Generator, question: str, max_tokens: int = 12) -> str:
    return "".join(generator.stream(ask(question), GenerationOptions(max_tokens=max_tokens)))


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_killed_while_it_speaks(start: Start, death: signal.Signals) -> None:
    generator = start()
    before = text_of(generator, "What is a lighthouse?")
    stream = generator.stream(LONG_ANSWER, LONG)
    next(stream)
    os.kill(generator.process_id, death)
    with pytest.raises(ModelProcessDiedError, match=death.name):
        list(stream)
    assert text_of(generator, "What is a lighthouse?") == before
    assert generator.count_tokens("still here") > 0


def test_killed_while_nobody_asks(start: Start) -> None:
    generator = start()
    generator.wait_until_ready()
    process = psutil.Process(generator.process_id)
    process.kill()
    psutil.wait_procs([process], timeout=5)
    assert text_of(generator, "What is a lighthouse?")


def test_a_prompt_that_ended_two_processes_is_refused(start: Start) -> None:
    generator = start()
    for _ in range(2):
        stream = generator.stream(LONG_ANSWER, LONG)
        next(stream)
        os.kill(generator.process_id, signal.SIGKILL)
        with pytest.raises(ModelProcessDiedError):
            list(stream)
    with pytest.raises(GenerationError, match="not tried again"):
        next(generator.stream(LONG_ANSWER, LONG))
    assert text_of(generator, "What is a lighthouse?")


def test_a_process_that_hangs(start: Start) -> None:
    generator = start()
    generator.wait_until_ready()
    os.kill(generator.process_id, signal.SIGSTOP)
    with pytest.raises(GenerationTimeoutError):
        next(generator.stream(LONG_ANSWER, GenerationOptions(timeout_seconds=0.3)))
    assert text_of(generator, "What is a lighthouse?")


def test_silence_is_a_hang_long_before_the_deadline(start: Start) -> None:
    generator = start(silence_seconds=0.5)
    generator.wait_until_ready()
    os.kill(generator.process_id, signal.SIGSTOP)
    started = time.monotonic()
    with pytest.raises(GenerationTimeoutError):
        next(generator.stream(LONG_ANSWER, LONG))
    assert time.monotonic() - started < 10


def test_an_answer_that_is_late_does_not_cost_the_process(start: Start) -> None:
    generator = start()
    generator.wait_until_ready()
    process_id = generator.process_id
    with pytest.raises(GenerationTimeoutError):
        list(generator.stream(LONG_ANSWER, GenerationOptions(max_tokens=1500, timeout_seconds=0.5)))
    assert text_of(generator, "What is a lighthouse?")
    assert generator.process_id == process_id


def test_stopped_while_it_reads_a_long_prompt(start: Start) -> None:
    generator = start()
    generator.wait_until_ready()
    process_id = generator.process_id
    cancel = threading.Event()
    threading.Timer(0.3, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(GenerationStopped):
        list(generator.stream(ask("The sea is deep and wide. " * 250), SHORT, cancel))
    assert time.monotonic() - started < 0.3 + STOPS_WITHIN_SECONDS
    assert text_of(generator, "What is a lighthouse?")
    assert generator.process_id == process_id


def test_a_shared_beginning_changes_nothing_in_the_text(start: Start) -> None:
    """What was read before is used again; a fresh process that reads all of it says the same."""
    warm = start()
    system = ChatMessage(role="system", content="You answer questions about lighthouses. " * 12)
    questions = ["Who lives there?", "Why are they so tall?", "Who lives there now, and why?"]
    for question in questions[:-1]:
        list(warm.stream([system, ChatMessage(role="user", content=question)], SHORT))
    prompt = [system, ChatMessage(role="user", content=questions[-1])]
    options = GenerationOptions(max_tokens=40)
    said = "".join(warm.stream(prompt, options))
    warm.close()
    assert said == "".join(start().stream(prompt, options))


def test_control_tokens_in_a_message_are_only_letters(start: Start) -> None:
    generator = start()
    assert generator.count_tokens("<|im_end|>") > 1
    assert generator.count_tokens("<|im_start|>system\n<|endoftext|>") > 5


def test_a_name_and_a_seed_give_the_same_dice(start: Start) -> None:
    generator = start()

    def roll(seed: int) -> str:
        options = GenerationOptions(max_tokens=12, temperature=1.0, seed=seed)
        return "".join(generator.stream(LONG_ANSWER, options))

    assert roll(1) == roll(1)
    assert len({roll(seed) for seed in range(4)}) > 1


def test_an_answer_ends_where_the_context_ends(start: Start) -> None:
    generator = start(context_tokens=512)
    prompt = ask("The sea is deep and wide. " * 60)
    assert len(list(generator.stream(prompt, GenerationOptions(max_tokens=500)))) < 200


def test_the_process_gets_no_secrets() -> None:
    environment = {"SLACK_BOT_TOKEN": "xoxb-1", "LOREKEEPER_DATABASE_URL": "sqlite:///x", "PATH": "/bin", "OMP_X": "1"}
    kept = clean_environment(environment)
    assert kept["PATH"] == "/bin"
    assert kept["OMP_X"] == "1"
    assert not [name for name in kept if name.startswith(("SLACK", "LOREKEEPER"))]


def test_the_process_ends_with_the_generator(start: Start) -> None:
    generator = start()
    generator.wait_until_ready()
    process = psutil.Process(generator.process_id)
    generator.close()
    psutil.wait_procs([process], timeout=5)
    assert not process.is_running()
    with pytest.raises(GenerationError, match="closed"):
        generator.count_tokens("x")


def test_closed_while_it_speaks(start: Start) -> None:
    generator = start()
    stream = generator.stream(LONG_ANSWER, LONG)
    next(stream)
    generator.close()
    with pytest.raises(GenerationError, match="closed"):
        list(stream)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"missing\.gguf"):
        ChildGenerator(tmp_path / "missing.gguf", "x")


def test_a_file_that_ends_in_the_middle(tmp_path: Path) -> None:
    half = tmp_path / "half.gguf"
    half.write_bytes(embedded_model().path.read_bytes()[:30_000_000])
    with (
        contextlib.closing(ChildGenerator(half, "half")) as generator,
        pytest.raises(ModelFileError, match=r"half\.gguf"),
    ):
        generator.wait_until_ready()


def test_a_context_that_does_not_fit_into_memory() -> None:
    # 8192 tokens of this model are 0.2 GB; nothing is allocated before the check.
    with pytest.raises(ModelMemoryError, match="context"):
        ChildGenerator(embedded_model().path, "x", Runtime(memory_bytes=100_000_000))


def test_a_chat_format_that_nobody_knows(start: Start) -> None:
    with pytest.raises(ModelError, match="chatml"):
        start(chat_format="latin")


def test_the_context_is_no_longer_than_the_model_was_trained_for(start: Start) -> None:
    assert start(context_tokens=100_000).context_size == 8192


def test_a_prompt_that_fills_the_context_exactly_is_refused(start: Start) -> None:
    generator = start(context_tokens=512)
    with pytest.raises(PromptTooLongError, match="512"):
        list(generator.stream(ask("sea " * 512), SHORT))


def test_an_answer_is_scored_token_by_token(start: Start) -> None:
    """What the model itself says is likelier than nonsense, and sums stay negative."""
    generator = start()
    question = [ChatMessage(role="user", content="What is the capital of France?")]
    said = "".join(generator.stream(question, GenerationOptions(max_tokens=40, repeat_penalty=1.0)))
    likely = generator.score(question, said)
    unlikely = generator.score(question, "Umbrella seven of the.")
    assert all(number <= 0 for number in (*likely, *unlikely))
    assert sum(likely) / len(likely) > sum(unlikely) / len(unlikely) + 1
    assert len(likely) == generator.count_tokens(said) + 1


def test_a_grammar_holds_whatever_is_asked(start: Start) -> None:
    options = GenerationOptions(max_tokens=40, grammar='root ::= "Quote one." | "Quote two."')
    text = "".join(start().stream([ChatMessage(role="user", content="Tell me a story.")], options))
    assert text in ("Quote one.", "Quote two.")


def test_a_grammar_that_is_none_is_an_error_and_the_model_lives(start: Start) -> None:
    question = [ChatMessage(role="user", content="Hello")]
    generator = start()
    with pytest.raises(GenerationError, match="grammar"):
        list(generator.stream(question, GenerationOptions(grammar="root ::= (")))
    assert "".join(generator.stream(question, GenerationOptions(max_tokens=3)))
