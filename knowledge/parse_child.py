"""The process that converts untrusted documents; `knowledge.parse` starts it and talks to it over pipes.

One message is four bytes of length and that much JSON; a request is followed by the document's bytes. It
limits its own memory, processor time and files before it reads anything, and knows neither database nor
secrets.
"""

from __future__ import annotations

import json
import os
import resource
import struct
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from knowledge.convert import convert
from knowledge.errors import DocumentError, LockedDocumentError, NoTextError, UnsupportedFormatError

LENGTH = struct.Struct(">I")
_MEGABYTE = 1024 * 1024


def main() -> None:
    """Serve requests until the pipe closes or a limit was met."""
    memory_mb, seconds = int(sys.argv[1]), int(sys.argv[2])
    requests = sys.stdin.buffer
    # What a library prints must not end up between the replies.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    at_rest = _address_space()
    _limit(at_rest + memory_mb * _MEGABYTE)
    while header := requests.read(LENGTH.size):
        request = json.loads(requests.read(LENGTH.unpack(header)[0]))
        content = requests.read(request["size"])
        _limit_processor(seconds)
        reply = _answer(content, request["media_type"])
        del content
        # Memory that is not given back counts against the next document: better to start afresh early.
        reply["last"] = reply.get("problem") == "memory" or _address_space() - at_rest > memory_mb * _MEGABYTE // 2
        _send(replies, reply)
        if reply["last"]:
            return


def _answer(content: bytes, media_type: str) -> dict[str, Any]:
    try:
        converted = convert(content, media_type)
    except MemoryError:
        return {"problem": "memory"}
    except RecursionError:
        return {"problem": "unreadable", "reason": "It is nested too deeply."}
    except UnsupportedFormatError as error:
        return {"problem": "unsupported", "reason": str(error)}
    except LockedDocumentError as error:
        return {"problem": "locked", "reason": str(error)}
    except NoTextError as error:
        return {"problem": "no text", "reason": str(error)}
    except DocumentError as error:
        return {"problem": "unreadable", "reason": str(error)}
    except Exception as error:  # noqa: BLE001  a damaged file can raise anything from a converter
        return {"problem": "unreadable", "reason": f"It seems damaged ({type(error).__name__})."}
    reply: dict[str, Any] = {"title": converted.title, "markdown": converted.markdown, "owner": converted.owner}
    return reply if converted.code is None else reply | {"code": asdict(converted.code)}


def _send(replies: BinaryIO, reply: dict[str, Any]) -> None:
    content = json.dumps(reply, ensure_ascii=False).encode("utf-8", "replace")
    replies.write(LENGTH.pack(len(content)) + content)
    replies.flush()


def _limit(address_space: int) -> None:
    limits = {
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _limit_processor(seconds: int) -> None:
    # The limit counts the whole life of the process, so it moves along with every document.
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds + 1, hard))


def _address_space() -> int:
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 512 * _MEGABYTE  # no such file outside Linux; about what the libraries need


if __name__ == "__main__":
    main()
