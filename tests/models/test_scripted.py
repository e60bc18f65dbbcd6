"""The scripted generator that other tests stand on keeps the contract of the real ones."""

from __future__ import annotations

import pytest

from models.errors import GenerationTimeoutError, ModelProcessDiedError
from models.generator import ChatMessage, GenerationOptions, Generator
from tests.contracts.generator import GeneratorContract, ask
from tests.fakes import ScriptedGenerator


class TestContract(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return ScriptedGenerator("Once upon a time " * 200, seconds_per_token=0.01)


def test_the_reply_is_a_function_of_the_messages() -> None:
    generator = ScriptedGenerator(lambda messages: f"You said: {messages[-1].content}")
    assert "".join(generator.stream(ask("hello there"), GenerationOptions())) == "You said: hello there"
    assert generator.calls == [tuple(ask("hello there"))]


def test_an_exception_of_the_script_reaches_the_caller() -> None:
    def die(_messages: object) -> str:
        raise ModelProcessDiedError("scripted")

    with pytest.raises(ModelProcessDiedError):
        next(ScriptedGenerator(die).stream([ChatMessage(role="user", content="x")], GenerationOptions()))


def test_slower_than_allowed() -> None:
    generator = ScriptedGenerator("one two three", seconds_per_token=0.02)
    with pytest.raises(GenerationTimeoutError):
        list(generator.stream(ask("x"), GenerationOptions(timeout_seconds=0.05)))
