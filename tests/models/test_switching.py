"""Swapping the generator in service: nothing is dropped or cut, and every answer names the version that wrote it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.errors import GenerationError, GenerationStopped, ModelFileError, ModelMemoryError
from models.generator import GenerationOptions, Generator
from models.switching import SwitchingGenerator
from tests.contracts.generator import LONG, LONG_ANSWER, SHORT, GeneratorContract, ask, leave
from tests.fakes import ScriptedGenerator


def scripted(version: str, seconds_per_token: float = 0.0) -> ScriptedGenerator:
    """A model that says its own version, word by word."""
    return ScriptedGenerator(f"this is {version} speaking to you", version=version, seconds_per_token=seconds_per_token)


class Shelf:
    """Makes scripted generators, as many at a time as there is memory for; keeps what it made."""

    def __init__(self, most: int = 9) -> None:
        self.most = most
        self.made: list[ScriptedGenerator] = []

    def maker(self, version: str, seconds_per_token: float = 0.0) -> Callable[[], Generator]:
        """A way to load this version."""

        def make() -> Generator:
            if sum(not one.closed for one in self.made) >= self.most:
                raise ModelMemoryError(f"{version} does not fit")
            self.made.append(scripted(version, seconds_per_token))
            return self.made[-1]

        return make

    def switching(self, version: str, seconds_per_token: float = 0.0) -> SwitchingGenerator:
        """A switching generator that has this version in service."""
        make = self.maker(version, seconds_per_token)
        return SwitchingGenerator(make(), make)


def broken() -> Generator:
    raise ModelFileError("the file was changed")


def text_of(generator: Generator) -> str:
    return "".join(generator.stream(ask("who is there?"), GenerationOptions()))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class TestContract(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        def make() -> Generator:
            return ScriptedGenerator("Once upon a time " * 200, seconds_per_token=0.01)

        return SwitchingGenerator(make(), make)


def test_the_next_one_answers_and_the_old_one_is_closed() -> None:
    shelf = Shelf()
    generator = shelf.switching("v1")
    report = generator.swap(shelf.maker("v2"))
    assert (report.before, report.after, report.way) == ("v1", "v2", "beside")
    assert (report.pause_seconds, report.answers_that_waited) == (0.0, 0)
    assert generator.version == "v2"
    assert text_of(generator) == "this is v2 speaking to you"
    assert [one.closed for one in shelf.made] == [True, False]


def test_an_answer_ends_with_the_version_that_it_began_with() -> None:
    shelf = Shelf()
    generator = shelf.switching("v1")
    with generator.hold() as held:
        running = held.stream(ask("x"), GenerationOptions())
        begun = next(running)
        generator.swap(shelf.maker("v2"))
        assert text_of(generator) == "this is v2 speaking to you"
        assert not shelf.made[0].closed
        assert (begun + "".join(running), held.version) == ("this is v1 speaking to you", "v1")
    assert shelf.made[0].closed


@pytest.mark.parametrize("most", [9, 1], ids=["two fit", "one fits"])
def test_many_threads_lose_nothing_while_versions_are_swapped_again_and_again(most: int) -> None:
    shelf = Shelf(most)
    generator = shelf.switching("v0", 0.0005)
    begun, done = threading.Event(), threading.Event()

    def work(_number: int) -> list[tuple[str, str]]:
        said = []
        while not done.is_set():
            with generator.hold() as held:
                said.append((held.version, text_of(held)))
            begun.set()
        return said

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(work, number) for number in range(8)]
        begun.wait(10)
        reports = [generator.swap(shelf.maker(f"v{number}", 0.0005)) for number in range(1, 21)]
        done.set()
        answers = [one for future in futures for one in future.result()]
    assert {report.way for report in reports} == {"beside" if most > 1 else "drained"}
    assert len(answers) >= 8
    assert all(text == f"this is {version} speaking to you" for version, text in answers)
    assert text_of(generator) == "this is v20 speaking to you"
    assert [one.closed for one in shelf.made] == [True] * 20 + [False]


def test_where_two_do_not_fit_requests_wait_and_the_report_says_so() -> None:
    shelf = Shelf(most=1)
    generator = shelf.switching("v1")
    texts: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        with generator.hold() as held:
            swapping = pool.submit(generator.swap, shelf.maker("v2"))
            wait_until(lambda: generator.is_paused)
            waiting = [pool.submit(text_of, generator) for _ in range(2)]
            wait_until(lambda: generator.waiting == 2)
            assert not shelf.made[0].closed
            texts.append(text_of(held))
        report = swapping.result(10)
        texts += [one.result(10) for one in waiting]
    assert texts == ["this is v1 speaking to you"] + ["this is v2 speaking to you"] * 2
    assert (report.way, report.answers_that_waited) == ("drained", 2)
    assert 0 < report.pause_seconds <= report.load_seconds


def test_who_waits_for_a_swap_can_be_stopped() -> None:
    shelf = Shelf(most=1)
    generator = shelf.switching("v1")
    cancel = threading.Event()
    with ThreadPoolExecutor(2) as pool, generator.hold():
        pool.submit(generator.swap, shelf.maker("v2"))
        wait_until(lambda: generator.is_paused)
        waiting = pool.submit(lambda: list(generator.stream(LONG_ANSWER, SHORT, cancel)))
        wait_until(lambda: generator.waiting == 1)
        cancel.set()
        with pytest.raises(GenerationStopped):
            waiting.result(10)


@pytest.mark.parametrize("most", [9, 1], ids=["two fit", "one fits"])
def test_one_that_cannot_be_loaded_leaves_the_old_in_service(most: int) -> None:
    shelf = Shelf(most)
    generator = shelf.switching("v1")

    def make() -> Generator:
        if most == 1 and not shelf.made[0].closed:
            raise ModelMemoryError("does not fit")
        return broken()

    with pytest.raises(ModelFileError, match="changed"):
        generator.swap(make)
    assert text_of(generator) == "this is v1 speaking to you"
    assert generator.version == "v1"


def test_where_not_even_the_old_one_loads_again_every_answer_says_so_and_a_later_swap_mends_it() -> None:
    shelf = Shelf(most=1)
    tries: list[int] = []

    def once() -> Generator:
        tries.append(1)
        if len(tries) > 1:
            raise ModelFileError("gone")
        return shelf.maker("v1")()

    def never() -> Generator:
        if not shelf.made[0].closed:
            raise ModelMemoryError("does not fit")
        raise ModelFileError("the file was changed")

    generator = SwitchingGenerator(once(), once)
    with pytest.raises(ModelFileError, match="changed"):
        generator.swap(never)
    with pytest.raises(GenerationError, match="No model is loaded"):
        text_of(generator)
    generator.swap(shelf.maker("v2"))
    assert text_of(generator) == "this is v2 speaking to you"


def test_closed_while_the_next_one_is_loaded() -> None:
    shelf = Shelf()
    generator = shelf.switching("v1")

    def make() -> Generator:
        generator.close()
        return shelf.maker("v2")()

    with pytest.raises(GenerationError, match="closed"):
        generator.swap(make)
    assert all(one.closed for one in shelf.made)


def test_closed_while_a_swap_waits_for_running_answers() -> None:
    shelf = Shelf(most=1)
    generator = shelf.switching("v1", 0.01)
    running = generator.stream(LONG_ANSWER, LONG)
    next(running)
    with ThreadPoolExecutor(2) as pool:
        swapping = pool.submit(generator.swap, shelf.maker("v2"))
        wait_until(lambda: generator.is_paused)
        waiting = pool.submit(text_of, generator)
        wait_until(lambda: generator.waiting == 1)
        generator.close()
        for one in (swapping, waiting):
            with pytest.raises(GenerationError):
                one.result(10)
    leave(running)
    assert all(one.closed for one in shelf.made)


def test_a_canary_answers_who_asks_for_it_and_nobody_else() -> None:
    shelf = Shelf()
    generator = shelf.switching("v1")
    assert generator.start_canary(shelf.maker("v2")) == "v2"
    with generator.hold(canary=True) as held:
        assert text_of(held) == "this is v2 speaking to you"
    assert text_of(generator) == "this is v1 speaking to you"
    with generator.hold(canary=True) as held:
        generator.stop_canary()
        assert [one.closed for one in shelf.made] == [False, False]
        assert text_of(held) == "this is v2 speaking to you"
    assert [one.closed for one in shelf.made] == [False, True]
    with generator.hold(canary=True) as held:
        assert held.version == "v1"
    generator.stop_canary()


def test_a_canary_is_put_in_service_without_being_loaded_again() -> None:
    shelf = Shelf()
    generator = shelf.switching("v1")
    generator.start_canary(shelf.maker("v2"))
    report = generator.promote_canary()
    assert (report.before, report.after, report.way, report.load_seconds) == ("v1", "v2", "canary", 0.0)
    assert (generator.canary_version, len(shelf.made)) == ("", 2)
    assert shelf.made[0].closed
    with pytest.raises(GenerationError, match="no canary"):
        generator.promote_canary()


def test_a_canary_that_does_not_fit_is_refused_without_a_pause() -> None:
    shelf = Shelf(most=1)
    generator = shelf.switching("v1")
    with pytest.raises(ModelMemoryError):
        generator.start_canary(shelf.maker("v2"))
    assert text_of(generator) == "this is v1 speaking to you"
