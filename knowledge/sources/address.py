"""The address of a source over HTTP, checked before anything is asked there."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from knowledge.errors import SourceError


def split_address(location: str, *, what: str, expected: str, instead: str) -> SplitResult:
    """The parts of an address; raises SourceError, which shows no password.

    `what` names the place, `expected` says what an address looks like, `instead` what to do about a password.
    """
    location = location.strip()
    try:
        parts = urlsplit(location)
        has_secret = "@" in parts.netloc
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_secret, usable = "@" in location, False
    if has_secret:
        raise SourceError(
            f"The address holds a user or a password, which would be shown wherever the source is listed. {instead}"
        )
    if not usable:
        raise SourceError(f"{location!r} is no address of {what}. Expected {expected}")
    return parts
