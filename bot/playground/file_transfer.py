"""Serves and takes the bytes of files: to the bot by its token, to the page, and from the bot by a ticket."""

from __future__ import annotations

import hmac
import mimetypes
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from bot.playground.files import MOST_BYTES
from bot.playground.playground import Playground
from bot.playground.workspace import BOT_USER_ID, JSON

# What a browser may show in place; all else is saved, so that no file of a person runs as a page of ours.
_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_SANDBOX = "sandbox; default-src 'none'"


async def download(request: Request, playground: Playground) -> Response:
    """Serve `url_private`; without the right token Slack sends people, and apps, to a page where they sign in."""
    file_id = request.path_params["team_and_file"].partition("-")[2]
    file = playground.files.find(file_id)
    content = playground.files.content(file_id)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    known = scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), playground.tokens.bot.encode())
    allowed = known and playground.installation.is_there and playground.app.may("files:read")
    if not allowed or file is None or content is None or not playground.files.is_visible_to_bot(file):
        playground.ledger.add("file", "download", "refused", request={"file": file_id})
        return RedirectResponse(f"{playground.url}?{urlencode({'redir': request.url.path})}", status_code=302)
    playground.ledger.add("file", "download", "ok", request={"file": file_id}, response={"size": len(content)})
    return Response(content, media_type=file["mimetype"])


async def show(request: Request, playground: Playground) -> Response:
    """Serve a file to a page."""
    file_id = request.path_params["file"]
    file = playground.files.find(file_id)
    content = playground.files.content(file_id)
    if file is None or content is None:
        return PlainTextResponse("There is no such file.", status_code=404)
    shown = file["mimetype"] in _PICTURES
    headers = {"Content-Security-Policy": _SANDBOX, "Content-Disposition": "inline" if shown else "attachment"}
    if not shown:
        name = file["url_private"].rpartition("/")[2]
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return Response(content, media_type=file["mimetype"] if shown else "application/octet-stream", headers=headers)


async def upload(request: Request, playground: Playground) -> Response:
    """Take the bytes of an upload; the ticket works once."""
    ticket = playground.upload_tickets.pop(request.path_params["key"], None)
    content = await request.body()
    status, text = 200, f"OK - {len(content)}"
    if ticket is None:
        status, text = 404, "Unknown upload address"
    elif len(content) != ticket.length or len(content) > MOST_BYTES:
        status, text = 400, f"{len(content)} bytes came, {ticket.length} were announced"
    else:
        mimetype = mimetypes.guess_type(ticket.name)[0] or "application/octet-stream"
        playground.files.add(
            user=BOT_USER_ID, name=ticket.name, mimetype=mimetype, content=content, file_id=ticket.file_id
        )
    described: JSON = {"size": len(content)}
    playground.ledger.add("file", "upload", "ok" if status == 200 else text, request=described, response=text)
    return PlainTextResponse(text, status_code=status)
