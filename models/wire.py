"""What goes over the pipes between the bot and its model process: one JSON object a line, checked on arrival.

Nothing is pickled, and a line that does not fit is a WireError: whoever reads it ends the other side.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from models.generator import ChatMessage, GenerationOptions

# A prompt of 100,000 characters fits several times over, written in JSON escapes.
LONGEST_LINE = 8_000_000

ReplyKind = Literal["ready", "failed", "alive", "text", "end", "too_long", "count", "scores", "error"]


class WireError(Exception):
    """A line that is not part of the protocol; never leaves this package."""


@dataclass(frozen=True, kw_only=True)
class LoadRequest:
    """The first line to the model process: what to load, and how."""

    path: str
    context_tokens: int
    gpu_layers: int | None
    """None: all of them where there is a GPU, else none."""
    threads: int
    chat_format: str
    adapter: str = ""
    """A LoRA adapter's GGUF file, applied on top."""


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """Generate a text."""

    id: int
    messages: tuple[ChatMessage, ...]
    options: GenerationOptions


@dataclass(frozen=True, kw_only=True)
class ScoreRequest:
    """Say how likely each token of an answer is after these messages."""

    id: int
    messages: tuple[ChatMessage, ...]
    answer: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CountRequest:
    """Count the tokens of a text."""

    id: int
    text: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class CancelRequest:
    """Stop working on an earlier request."""

    id: int


Request = LoadRequest | GenerateRequest | ScoreRequest | CountRequest | CancelRequest
_REQUESTS: dict[str, type[Request]] = {
    "load": LoadRequest,
    "generate": GenerateRequest,
    "score": ScoreRequest,
    "count": CountRequest,
    "cancel": CancelRequest,
}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the model process says: about one request, or with id 0 about itself."""

    kind: ReplyKind
    id: int = 0
    text: str = field(default="", repr=False)
    number: int = 0
    """Tokens: of the context, in the prompt that is too long, or in the text to count."""
    numbers: tuple[float, ...] = ()
    """Log-probabilities, one for each token of the answer."""


def encode_request(request: Request) -> bytes:
    """Write a request as one line."""
    kind = next(name for name, form in _REQUESTS.items() if isinstance(request, form))
    return _line({"kind": kind, **asdict(request)})


def encode_reply(reply: Reply) -> bytes:
    """Write a reply as one line."""
    return _line(asdict(reply))


def decode_request(line: bytes) -> Request:
    """Read a request; raises WireError."""
    content = _object(line)
    try:
        form = _REQUESTS[content.pop("kind")]
        if "messages" in content:
            content["messages"] = tuple(ChatMessage(**message) for message in content["messages"])
        if form is GenerateRequest:
            content["options"] = GenerationOptions(**{**content["options"], "stop": tuple(content["options"]["stop"])})
        return form(**content)
    except (KeyError, TypeError) as error:
        raise WireError(f"not a request: {error}") from error


def decode_reply(line: bytes) -> Reply:
    """Read a reply; raises WireError."""
    content = _object(line)
    try:
        reply = Reply(**{**content, "numbers": tuple(map(float, content.get("numbers", ())))})
    except (TypeError, ValueError) as error:
        raise WireError(f"not a reply: {error}") from error
    sound = reply.kind in get_args(ReplyKind) and isinstance(reply.text, str)
    if not (sound and isinstance(reply.id, int) and isinstance(reply.number, int)):
        raise WireError("not a reply: a field of the wrong kind")
    return reply


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content).encode("ascii") + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {error}") from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise WireError("not a JSON object")
    return content
