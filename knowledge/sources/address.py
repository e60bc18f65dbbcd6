"""The address of a source over HTTP, checked before anything is asked there or a credential is sent."""

from __future__ import annotations

from ipaddress import ip_address
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
        raise no_address(location, what=what, expected=expected)
    return parts


def no_address(location: str, *, what: str, expected: str) -> SourceError:
    """The error for what is no address of such a place."""
    return SourceError(f"{location!r} is no address of {what}. Expected {expected}")


def is_private(parts: SplitResult) -> bool:
    """Whether nobody between here and there can read what is sent: it is encrypted, or stays on this machine."""
    host = parts.hostname or ""
    try:
        is_here = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        is_here = False
    return parts.scheme == "https" or (parts.scheme == "http" and is_here)


def check_private(address: str) -> None:
    """Raise SourceError where a credential would be sent so that others can read it."""
    if not is_private(urlsplit(address)):
        raise SourceError(f"A credential is sent over https only; {address} would show it to everybody on the way.")
