"""The address of a line: where a browser shows a file of code, the page opens at the passage itself."""

from __future__ import annotations

import re

from knowledge.sources.code_files import code_type_of

# GitHub and GitLab; Gitea and Forgejo; Bitbucket. Of these only pages of files, which have no fragment yet.
_NUMBERED = re.compile(r"^https?://[^/?#]+/[^?#]+/(?:blob|src/branch|src/commit)/[^?#]+$|^file://[^?#]+$")
_BITBUCKET = re.compile(r"^https?://bitbucket\.org/[^/?#]+/[^/?#]+/src/[^?#]+$")


def at_line(address: str, line: int | None, path: str | None = None) -> str:
    """The address of a line of a code file; the address itself for all else.

    `path` names the file where the address does not.
    """
    if line is None or code_type_of((path or address).rpartition("/")[2]) is None:
        return address
    if _BITBUCKET.match(address):
        return f"{address}#lines-{line}"
    return f"{address}#L{line}" if _NUMBERED.match(address) else address
