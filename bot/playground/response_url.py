"""Answers to an interaction: the app posts to the address it got with the payload, five times within half an hour."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bot.playground.blocks import message_blocks
from bot.playground.errors import ApiError
from bot.playground.methods.chat import bot_message
from bot.playground.playground import Playground
from bot.playground.rights import ResponseUrl
from bot.playground.strict_json import read_json
from bot.playground.workspace import JSON, Channel, Ephemeral


async def answer_response_url(request: Request, playground: Playground) -> Response:
    """Serve one answer; Slack says plain `ok`, or the error with status 404 or 500."""
    try:
        body = read_json(await request.body())
        if not isinstance(body, dict):
            raise ApiError("invalid_payload", status=400)
        target = playground.interactivity.rights.take_address(request.path_params["key"])
        apply_answer(playground, target, body)
        status, text = 200, "ok"
    except ValueError:
        body, status, text = {}, 400, "invalid_payload"
    except ApiError as refusal:
        body, status, text = {}, refusal.status if refusal.status != 200 else 500, refusal.code
    playground.ledger.add("call", "response_url", text, request=body, response=text)
    return PlainTextResponse(text, status_code=status)


def apply_answer(playground: Playground, target: ResponseUrl, body: dict[str, Any]) -> None:
    """Do what an answer says: a new message, or another one in the place of the original, or none."""
    channel = playground.workspace.channels[target.channel]
    ephemeral = playground.workspace.ephemerals.get((target.channel, target.message_ts))
    message = channel.messages.get(target.message_ts)
    if body.get("delete_original"):
        if ephemeral is not None:
            playground.hide_ephemeral(ephemeral)
        elif message is not None:
            playground.delete(channel, message)
        return
    content = _content(body)
    original = ephemeral or message
    if body.get("replace_original") and original is not None:
        _replace(playground, channel, original, content)
        return
    thread_ts = body.get("thread_ts", target.thread_ts)
    new = bot_message(playground, **content) | playground.thread_parts(channel, thread_ts)
    if target.follows_answers:
        target.message_ts = new["ts"]
    if body.get("response_type", "ephemeral") == "in_channel":
        playground.post(channel, new, unfurl=body.get("unfurl_links", True))
    else:
        playground.show_ephemeral(Ephemeral(user=target.user, channel=channel.id, message=new))


def _replace(playground: Playground, channel: Channel, original: Ephemeral | JSON, content: JSON) -> None:
    message = original.message if isinstance(original, Ephemeral) else original
    changes = content if "blocks" in content or "blocks" not in message else content | {"blocks": None}
    if not isinstance(original, Ephemeral):
        playground.change(channel, message, changes)
        return
    message.update(content)
    if changes.get("blocks", "") is None:
        del message["blocks"]
    playground.show_ephemeral(original)


def _content(body: dict[str, Any]) -> JSON:
    content: JSON = {"text": str(body.get("text") or "")}
    if body.get("blocks"):
        content["blocks"] = message_blocks(body["blocks"], too_long="msg_blocks_too_long")
    if not content["text"] and "blocks" not in content:
        raise ApiError("no_text")
    return content
