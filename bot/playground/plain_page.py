"""Pages of the server itself, without any script: a document, the question whether to install the app."""

from __future__ import annotations

import base64
import hashlib
import html

from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: light dark; }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; font: 15px/1.6 system-ui, sans-serif; }
h1 { font-size: 1.1rem; overflow-wrap: anywhere; }
ol { font: 13px/1.6 ui-monospace, monospace; padding-left: 3.5rem; }
li { white-space: pre-wrap; overflow-wrap: anywhere; padding-left: .5rem; }
li::marker { color: GrayText; }
.scopes { font: inherit; list-style: none; padding: 0; }
.allow { display: inline-block; padding: .4rem 1rem; border: 2px solid; border-radius: .4rem; font-weight: bold; }
li:target, mark { background: Mark; color: MarkText; }
li:target, #quote { scroll-margin-top: 30vh; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# No script at all, and no style but this one.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def plain_page(title: str, body: str, *, status: int = 200) -> HTMLResponse:
    """Give a page; the title is escaped here, the body is HTML already."""
    name = html.escape(title)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{name}</title><style>{_STYLE}</style><h1>{name}</h1>{body}</html>"
    )
    return HTMLResponse(text, status_code=status, headers={"Content-Security-Policy": _POLICY})
