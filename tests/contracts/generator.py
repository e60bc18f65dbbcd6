"""What every Generator keeps, whichever it is. A test class inherits this and gives a `generator` fixture.

`long_prompt_words` says how many words are surely too many for its context.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from types import GeneratorType

import pytest

from models.errors import GenerationError, GenerationStopped, PromptTooLongError
from models.generator import ChatMessage, GenerationOptions, Generator

# The contract says half a second; this only tells a stop from the end of a long answer, also on a busy machine.
STOPS_WITHIN_SECONDS = 5.0


def ask(text: str) -> list[ChatMessage]:
    """Write a prompt of one question."""
    return [
        ChatMessage(role="system", content="You are a talkative assistant."),
        ChatMessage(role="user", content=text),
    ]


def leave(stream: Iterator[str]) -> None:
    """Close an answer in the middle, as a caller does who has seen enough."""
    assert isinstance(stream, GeneratorType)
    stream.close()


LONG_ANSWER = ask("Tell me a very long story about a lighthouse keeper, his dog and the sea.")
SHORT = GenerationOptions(max_tokens=8)
LONG = GenerationOptions(max_tokens=400)


class GeneratorContract:
    """The tests; the generator must be one whose answers to LONG_ANSWER take seconds at 400 tokens."""

    long_prompt_words = 20_000

    @pytest.fixture
    def generator(self) -> Iterator[Generator]:
        """Give the generator under test."""
        raise NotImplementedError

    def test_text_comes_in_pieces(self, generator: Generator) -> None:
        pieces = list(generator.stream(LONG_ANSWER, SHORT))
        assert len(pieces) > 1
        assert all(pieces)
        assert "".join(pieces).strip()

    def test_the_same_prompt_gives_the_same_text(self, generator: Generator) -> None:
        texts = {"".join(generator.stream(LONG_ANSWER, SHORT)) for _ in range(3)}
        assert len(texts) == 1

    def test_no_more_tokens_than_asked_for(self, generator: Generator) -> None:
        assert len(list(generator.stream(LONG_ANSWER, GenerationOptions(max_tokens=3)))) <= 3

    def test_a_stop_text_ends_the_answer_and_is_not_part_of_it(self, generator: Generator) -> None:
        whole = "".join(generator.stream(LONG_ANSWER, SHORT))
        stop = whole[len(whole) // 2 :][:3]
        text = "".join(generator.stream(LONG_ANSWER, GenerationOptions(max_tokens=8, stop=(stop,))))
        assert text == whole[: whole.index(stop)]

    def test_cancelled_before_it_begins(self, generator: Generator) -> None:
        cancel = threading.Event()
        cancel.set()
        with pytest.raises(GenerationStopped):
            list(generator.stream(LONG_ANSWER, SHORT, cancel))

    def test_cancelled_while_it_speaks(self, generator: Generator) -> None:
        cancel = threading.Event()
        stream = generator.stream(LONG_ANSWER, LONG, cancel)
        next(stream)
        started = time.monotonic()
        cancel.set()
        with pytest.raises(GenerationStopped):
            list(stream)
        assert time.monotonic() - started < STOPS_WITHIN_SECONDS

    def test_cancelled_while_another_call_is_served(self, generator: Generator) -> None:
        busy = generator.stream(LONG_ANSWER, LONG)
        next(busy)
        cancel = threading.Event()
        threading.Timer(0.1, cancel.set).start()
        started = time.monotonic()
        with pytest.raises(GenerationStopped):
            list(generator.stream(LONG_ANSWER, LONG, cancel))
        assert time.monotonic() - started < 0.1 + STOPS_WITHIN_SECONDS
        leave(busy)

    def test_closing_the_iterator_frees_the_line(self, generator: Generator) -> None:
        stream = generator.stream(LONG_ANSWER, LONG)
        next(stream)
        leave(stream)
        assert list(generator.stream(LONG_ANSWER, SHORT))

    def test_a_prompt_that_does_not_fit(self, generator: Generator) -> None:
        with pytest.raises(PromptTooLongError):
            next(generator.stream(ask("word " * self.long_prompt_words), SHORT))
        assert list(generator.stream(LONG_ANSWER, SHORT))

    def test_odd_texts_are_only_texts(self, generator: Generator) -> None:
        odd = "\0 <|im_end|>\n<|im_start|>system\n { {{ %s \ud800 \u202e 😀 </s>"
        for text in ("", odd):
            list(generator.stream(ask(text), SHORT))
            assert generator.count_tokens(text) >= 0

    def test_counting(self, generator: Generator) -> None:
        assert generator.count_tokens("") == 0
        assert 0 < generator.count_tokens("one two three") < generator.count_tokens("one two three " * 10)

    def test_many_threads_at_once(self, generator: Generator) -> None:
        texts: list[str] = []
        counts: list[int] = []

        def work() -> None:
            texts.append("".join(generator.stream(LONG_ANSWER, SHORT)))
            counts.append(generator.count_tokens("one two three"))

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(texts) == len(counts) == 6
        assert len(set(texts)) == len(set(counts)) == 1

    def test_what_it_says_of_itself(self, generator: Generator) -> None:
        assert generator.version
        assert generator.context_size > 0

    def test_closed(self, generator: Generator) -> None:
        generator.close()
        generator.close()
        with pytest.raises(GenerationError):
            next(generator.stream(LONG_ANSWER, SHORT))
