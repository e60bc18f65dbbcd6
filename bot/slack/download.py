"""Reads a file that somebody shared in Slack: with the bot's token, from Slack's own hosts and from nowhere else."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from urllib.parse import urlsplit

from bot.errors import BotError

_SECONDS = 20.0
_SLACK = "slack.com"


class DownloadError(BotError):
    """A file cannot be read from Slack; the message says why, for the log."""


class NotNowError(DownloadError):
    """Slack did not give a file just now; a later try may work."""


def is_slacks(url: str, api_url: str) -> bool:
    """Tell whether an address belongs to Slack, so that the token may go there: encrypted, or the API's own host."""
    try:
        asked, api = urlsplit(url), urlsplit(api_url)
        host, home = asked.hostname or "", api.hostname or ""
        if asked.username or asked.password:
            return False
        if (asked.scheme, host, asked.port) == (api.scheme, home, api.port):
            return True
    except ValueError:
        return False
    return asked.scheme == "https" and asked.port in (None, 443) and (host == _SLACK or host.endswith(f".{_SLACK}"))


def download(url: str, *, token: str, api_url: str, most_bytes: int) -> bytes:
    """Read a shared file. Raises DownloadError where it is not Slack's, too large, or not there."""
    if not is_slacks(url, api_url):
        raise DownloadError(f"{urlsplit(url).netloc or url[:80]!r} is none of Slack's hosts: the token stays here.")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310  is_slacks
    try:
        with _opener().open(request, timeout=_SECONDS) as reply:
            content: bytes = reply.read(most_bytes + 1)
    except urllib.error.HTTPError as error:
        error.close()
        # Whoever may not read a file is sent elsewhere to sign in.
        passing = error.code == http.client.TOO_MANY_REQUESTS or error.code >= http.client.INTERNAL_SERVER_ERROR
        kind = NotNowError if passing else DownloadError
        raise kind(f"Slack did not give the file ({error}).") from error
    except (OSError, http.client.HTTPException) as error:
        raise NotNowError(f"Slack did not give the file ({error}).") from error
    except ValueError as error:
        raise DownloadError(f"Slack did not give the file ({error}).") from error
    if len(content) > most_bytes:
        raise DownloadError(f"The file has more than {most_bytes:,} bytes.")
    return content


def _opener() -> urllib.request.OpenerDirector:
    """HTTP without redirects: whoever has no right to a file is sent to a page for signing in, without the token."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener
