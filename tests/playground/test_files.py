"""Files: people attach them, the bot reads them with its token, and shares its own in two steps."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.playground.site import ADA, ADA_DM, BEN, BOT, GENERAL, PRIVATE, Site, error_of, wait_for

PNG = b"\x89PNG\r\n\x1a\n0000"


def attachment(name: str = "rules.md", content: bytes = b"# Rules\n", **more: str) -> dict[str, str]:
    """Give a file as the page sends it."""
    return {"name": name, "content": base64.b64encode(content).decode(), **more}


def file_of(site: Site, ts: str, channel: str = GENERAL) -> dict[str, Any]:
    """Give the first file of a message, as the bot reads it."""
    messages = site.client().conversations_replies(channel=channel, ts=ts)["messages"]
    found: dict[str, Any] = messages[0]["files"][0]
    return found


def test_an_attached_file_comes_with_the_message(site: Site) -> None:
    with site.app_connection() as app:
        site.say("@Lorekeeper read this", files=[attachment(mimetype="text/markdown")])
        envelopes = app.read_all()
        for envelope in envelopes:
            app.acknowledge(envelope)
    message, shared, mention = (envelope["payload"]["event"] for envelope in envelopes)
    assert (message["type"], message["subtype"], message["text"]) == ("message", "file_share", f"<@{BOT}> read this")
    file = message["files"][0]
    assert (file["name"], file["mimetype"], file["filetype"], file["size"], file["mode"], file["user"]) == (
        *("rules.md", "text/markdown", "markdown"),
        *(8, "hosted", ADA),
    )
    assert (shared["type"], shared["file_id"], shared["channel_id"]) == ("file_shared", file["id"], GENERAL)
    assert (mention["type"], mention["files"][0]["id"], "subtype" in mention) == ("app_mention", file["id"], False)
    info = site.client().files_info(file=file["id"])["file"]
    assert (info["channels"], info["is_public"], info["url_private"]) == ([GENERAL], True, file["url_private"])


def test_a_file_without_words_is_a_message_too(site: Site) -> None:
    ts = site.act("say", user=ADA, channel=ADA_DM, text="", files=[attachment("a.PNG", PNG)])["ts"]
    message = site.client().conversations_history(channel=ADA_DM)["messages"][0]
    assert (message["text"], message["files"][0]["filetype"], "blocks" in message) == ("", "png", False)
    shown = httpx.get(f"{site.url}playground/file/{file_of(site, ts, ADA_DM)['id']}")
    assert (shown.content, shown.headers["content-type"]) == (PNG, "image/png")
    assert shown.headers["content-disposition"] == "inline"


def test_the_bytes_are_for_the_bots_token_only(site: Site) -> None:
    file = file_of(site, site.say("x", files=[attachment()]))
    bearer = {"Authorization": f"Bearer {site.tokens.bot}"}
    for key in ("url_private", "url_private_download"):
        assert httpx.get(file[key], headers=bearer).content == b"# Rules\n"
    for headers in ({}, {"Authorization": "Bearer xoxb-wrong"}, {"Authorization": site.tokens.bot}):
        refused = httpx.get(file["url_private"], headers=headers)
        assert refused.status_code == 302
        page = httpx.get(refused.headers["location"])
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert [entry["status"] for entry in site.ledger("file")] == ["ok", "ok", "refused", "refused", "refused"]


def test_a_file_of_a_channel_without_the_bot_is_not_found(site: Site) -> None:
    secret = site.act("create_channel", user=ADA, name="secret", private=True)["channel"]["id"]
    site.say("x", channel=secret, files=[attachment()])
    with site.page(ADA) as page:
        file = page.read()["messages"][secret][0]["files"][0]
    assert error_of(site.client().files_info, file=file["id"]) == "file_not_found"
    bearer = {"Authorization": f"Bearer {site.tokens.bot}"}
    assert httpx.get(file["url_private"], headers=bearer).status_code == 302
    site.act("invite", user=ADA, channel=secret, invitee=BOT)
    assert site.client().files_info(file=file["id"])["file"]["groups"] == [secret]


def test_no_file_runs_as_a_page(site: Site) -> None:
    file = file_of(site, site.say("x", files=[attachment("a.html", b"<script>1</script>", mimetype="text/html")]))
    shown = httpx.get(f"{site.url}playground/file/{file['id']}")
    assert shown.headers["content-type"] == "application/octet-stream"
    assert shown.headers["content-disposition"] == 'attachment; filename="a.html"'
    assert shown.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert httpx.get(f"{site.url}playground/file/F0NO").status_code == 404


def test_what_cannot_be_attached(site: Site) -> None:
    say = {"user": ADA, "channel": GENERAL, "text": "x"}
    assert site.try_to("say", **say, files=[{"name": "a", "content": "%%"}])["error"] == "invalid_file"
    assert site.try_to("say", **say, files=[attachment("")])["error"] == "invalid_file"
    assert site.try_to("say", **say, files=[attachment(content=b"")])["error"] == "invalid_file"
    assert site.try_to("say", **say, files=[attachment()] * 11)["error"] == "too_many_files"
    assert site.try_to("say", **say, files="a.md")["error"] == "invalid_arguments"
    assert site.try_to("say", **say, files=[attachment(content=b"x" * 20_000_001)])["error"] == "file_too_large"
    ts = site.say("x", files=[attachment("../../etc/pass wd.txt")])
    assert file_of(site, ts)["name"] == "pass wd.txt"


def test_the_bot_uploads_with_the_sdk_into_a_thread(site: Site) -> None:
    question = site.say("how many?")
    client = site.client()
    answer = client.files_upload_v2(
        channel=GENERAL, thread_ts=question, content="n\n28\n", filename="n.csv", initial_comment="All of it"
    )
    reply = client.conversations_replies(channel=GENERAL, ts=question)["messages"][1]
    assert (reply["user"], reply["text"], reply["subtype"]) == (BOT, "All of it", "file_share")
    assert (reply["files"][0]["id"], reply["files"][0]["filetype"]) == (answer["file"]["id"], "csv")
    bearer = {"Authorization": f"Bearer {site.tokens.bot}"}
    assert httpx.get(reply["files"][0]["url_private"], headers=bearer).content == b"n\n28\n"
    client.files_delete(file=answer["file"]["id"])
    assert error_of(client.files_info, file=answer["file"]["id"]) == "file_not_found"
    reply = client.conversations_replies(channel=GENERAL, ts=question)["messages"][1]
    assert reply["files"] == [{"id": answer["file"]["id"], "mode": "tombstone"}]


def test_what_an_upload_refuses(site: Site) -> None:
    client = site.client()
    ticket = client.files_getUploadURLExternal(filename="a.txt", length=3)
    whole = client.files_completeUploadExternal
    files = [{"id": ticket["file_id"]}]
    assert error_of(whole, files=files, channel_id=GENERAL) == "file_not_found"
    assert httpx.post(ticket["upload_url"], content=b"four").status_code == 400
    assert httpx.post(ticket["upload_url"], content=b"abc").status_code == 404
    ticket = client.files_getUploadURLExternal(filename="a.txt", length=3)
    files = [{"id": ticket["file_id"]}]
    assert httpx.post(ticket["upload_url"], content=b"abc").text == "OK - 3"
    lunch = site.act("create_channel", user=ADA, name="lunch", private=False)["channel"]["id"]
    assert error_of(whole, files=files, channel_id=lunch) == "not_in_channel"
    assert error_of(whole, files=files, channel_id="C0NO") == "channel_not_found"
    assert error_of(client.files_getUploadURLExternal, filename="a.txt", length=0) == "missing_argument"
    too_large = error_of(client.files_getUploadURLExternal, filename="a.txt", length=20_000_001)
    assert too_large == "file_upload_size_restricted"
    theirs = file_of(site, site.say("x", files=[attachment()]))
    assert error_of(client.files_delete, file=theirs["id"]) == "cant_delete_file"
    assert error_of(whole, files=[{"id": theirs["id"]}]) == "file_not_found"


def test_a_picture_of_the_bots_can_stand_in_a_home_tab(site: Site) -> None:
    client = site.client()
    ticket = client.files_getUploadURLExternal(filename="votes.png", length=len(PNG))
    httpx.post(ticket["upload_url"], content=PNG)
    client.files_completeUploadExternal(files=[{"id": ticket["file_id"], "title": "Votes"}])
    picture = {"type": "image", "alt_text": "Votes", "slack_file": {"id": ticket["file_id"]}}
    client.views_publish(user_id=ADA, view={"type": "home", "blocks": [picture]})
    client.chat_postMessage(channel=GENERAL, text="votes", blocks=[picture])
    missing = {**picture, "slack_file": {"id": "F0NO"}}
    view = {"type": "home", "blocks": [missing]}
    assert error_of(client.views_publish, user_id=ADA, view=view) == "invalid_arguments"
    assert error_of(client.chat_postMessage, channel=GENERAL, text="votes", blocks=[missing]) == "invalid_blocks"


def test_a_deleted_message_takes_its_files_along(site: Site) -> None:
    ts = site.say("x", user=BEN, files=[attachment()])
    file = file_of(site, ts)
    with site.app_connection() as app:
        for envelope in app.read_all():
            app.acknowledge(envelope)
        site.act("delete", user=BEN, channel=GENERAL, ts=ts)
        envelopes = app.read_all()
        for envelope in envelopes:
            app.acknowledge(envelope)
    assert [envelope["payload"]["event"]["type"] for envelope in envelopes] == ["message", "file_deleted"]
    assert envelopes[1]["payload"]["event"]["file_id"] == file["id"]
    assert error_of(site.client().files_info, file=file["id"]) == "file_not_found"
    assert httpx.get(f"{site.url}playground/file/{file['id']}").status_code == 404


def test_files_are_kept_over_a_restart(start: Callable[..., Site], tmp_path: Path) -> None:
    state = tmp_path / "playground.json"
    first = start(state=state)
    file = file_of(first, first.say("x", channel=PRIVATE, files=[attachment()]), PRIVATE)
    wait_for(lambda: state.exists() and file["id"] in state.read_text("utf-8"))
    second = start(state=state)
    assert httpx.get(f"{second.url}playground/file/{file['id']}").content == b"# Rules\n"
