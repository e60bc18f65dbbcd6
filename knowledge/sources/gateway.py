"""The address of a service of the web, behind which a gateway of one's own may stand: `ADDRESS#api=GATEWAY`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from knowledge.errors import SourceError
from knowledge.sources.address import is_private

_MARK = "api="


@dataclass(frozen=True, kw_only=True)
class ServiceAddress:
    """Where people see a place, and where its service is asked for it."""

    page: str
    endpoint: str | None = None
    """None: the service's own."""


def read_address(location: str) -> ServiceAddress:
    """Part the two; raises SourceError for a gateway that a token must not be sent to."""
    page, _, rest = location.strip().partition("#")
    if not rest.startswith(_MARK):
        return ServiceAddress(page=page)
    endpoint = rest.removeprefix(_MARK).rstrip("/")
    try:
        parts = urlsplit(endpoint)
        usable = bool(parts.hostname) and "@" not in parts.netloc and not parts.query and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not is_private(parts):
        raise SourceError(
            "What stands behind #api= is no address of a gateway. Expected https://..., since the token is sent there; "
            "http:// only for this machine itself."
        )
    return ServiceAddress(page=page, endpoint=endpoint)
