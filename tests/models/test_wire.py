"""The protocol with the model process: what is written is read back, and nothing else is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.generator import ChatMessage, GenerationOptions
from models.wire import (
    CancelRequest,
    CountRequest,
    GenerateRequest,
    LoadRequest,
    Reply,
    Request,
    ScoreRequest,
    WireError,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
)

REQUESTS: list[Request] = [
    LoadRequest(path="/a b/ü.gguf", context_tokens=4096, gpu_layers=None, threads=2, chat_format="chatml"),
    GenerateRequest(
        id=1,
        messages=(ChatMessage(role="user", content="line\nline \ud800 \0"),),
        options=GenerationOptions(max_tokens=3, stop=("\n", "END")),
    ),
    ScoreRequest(id=4, messages=(ChatMessage(role="user", content="Who?"),), answer="Nobody."),
    CountRequest(id=2, text="a\nb"),
    CancelRequest(id=3),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_comes_back_as_it_was_in_one_line(request_: Request) -> None:
    line = encode_request(request_)
    assert line.count(b"\n") == 1
    assert decode_request(line) == request_


@given(st.text())
def test_a_reply_comes_back_as_it_was(text: str) -> None:
    reply = Reply(kind="text", id=7, text=text)
    assert decode_reply(encode_reply(reply)) == reply


def test_scores_come_back_as_numbers() -> None:
    assert decode_reply(encode_reply(Reply(kind="scores", id=7, numbers=(-0.5, -2.0)))).numbers == (-0.5, -2.0)


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind": "scores", "id": 1, "numbers": ["x"]}',
        b"",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"kind": "shout"}',
        b'{"kind": "text", "id": "1"}',
        b'{"kind": "text", "x": 1}',
    ],
)
def test_nonsense_is_not_a_reply(line: bytes) -> None:
    with pytest.raises(WireError):
        decode_reply(line)


@given(st.binary())
def test_no_bytes_at_all_do_anything_worse(line: bytes) -> None:
    for decode in (decode_reply, decode_request):
        with pytest.raises(WireError):
            decode(line)


@pytest.mark.parametrize("line", [b'{"kind": "cancel"}', b'{"kind": "generate", "id": 1}', b'{"kind": "x"}', b"3"])
def test_nonsense_is_not_a_request(line: bytes) -> None:
    with pytest.raises(WireError):
        decode_request(line)
