"""Who is listened to without a mention, and what edits, deletions and words to leave lead to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from slack_sdk import WebClient

from bot import tables
from bot.channels import ChannelSettings, has_left, save_channel
from bot.conversation import begin_answer
from bot.database import open_database
from bot.inbox import Inbox
from bot.people import viewing_of
from bot.runs import Runs
from bot.slack.deliver import Delivery
from bot.slack.intake import Intake
from bot.slack.membership import Memberships
from bot.turn import ChannelKind, incoming_of
from knowledge.database import reading, writing

BOT_USER = "U0BOT"
MENTION = f"<@{BOT_USER}>"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'lorekeeper.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def intake(engine: sa.Engine) -> Intake:
    delivery = Delivery(WebClient(retry_handlers=[]), stopping=threading.Event())
    return Intake(
        engine=engine,
        inbox=Inbox(engine),
        runs=Runs(),
        memberships=Memberships(delivery),
        bot_user_id=BOT_USER,
        kind_of=kind_of,
    )


def kind_of(channel: str) -> ChannelKind:
    return "mpim" if channel == "C9" else "public"


def event(event_id: str, **fields: Any) -> dict[str, Any]:
    message = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "ts": "1.0"}
    return {"event_id": event_id, "team_id": "T1", "event": message | fields}


def kept(engine: sa.Engine, kind: str) -> list[Any]:
    table = tables.inbox
    with reading(engine) as connection:
        return list(connection.execute(sa.select(table).where(table.c.kind == kind).order_by(table.c.id)))


def settle(engine: sa.Engine, channel: str = "C1", **settings: Any) -> None:
    save_channel(engine, "T1", channel, ChannelSettings(**settings), changed_by="UADMIN")


def take_up(intake: Intake, engine: sa.Engine) -> int:
    """Begin the answer to the next question, as the worker does; returns its answer's id."""
    lease = intake.inbox.claim(("question",))
    assert lease is not None
    with writing(engine) as connection:
        return begin_answer(connection, incoming_of(lease.payload)).id


def finish(engine: sa.Engine) -> None:
    with writing(engine) as connection:
        done = {"state": "done", "payload": {}}
        connection.execute(sa.update(tables.inbox).where(tables.inbox.c.kind == "question").values(**done))


def ask(intake: Intake, event_id: str = "Ev1") -> None:
    intake.accept(event(event_id, text=f"{MENTION} who pays?"))


def edit(intake: Intake, event_id: str, after: str, before: str = f"{MENTION} who pays?") -> None:
    common = {"user": "U1", "ts": "1.0", "type": "message"}
    change = {"message": common | {"text": after}, "previous_message": common | {"text": before}}
    intake.accept(event(event_id, subtype="message_changed", ts="5.0", **change))


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("asker", ["1.0", "2.0"]), ("anyone", ["1.0", "2.0", "3.0"]), ("mention", ["1.0"])],
)
def test_the_channel_s_policy_says_whose_replies_count(
    intake: Intake, engine: sa.Engine, policy: str, expected: list[str]
) -> None:
    settle(engine, follow_ups=policy)
    ask(intake)
    intake.accept(event("Ev2", text="and how much?", ts="2.0", thread_ts="1.0"))
    intake.accept(event("Ev3", text="and when?", ts="3.0", thread_ts="1.0", user="U2"))
    assert [row.ts for row in kept(engine, "question")] == expected


def test_anyone_means_a_thread_in_which_the_bot_was_asked(intake: Intake, engine: sa.Engine) -> None:
    settle(engine, follow_ups="anyone")
    intake.accept(event("Ev1", text="between us?", ts="3.0", thread_ts="1.0", user="U2"))
    assert kept(engine, "question") == []


@pytest.mark.parametrize("policy", ["asker", "anyone"])
def test_after_a_word_to_leave_only_a_mention_brings_it_back(intake: Intake, engine: sa.Engine, policy: str) -> None:
    settle(engine, follow_ups=policy)
    ask(intake)
    finish(engine)
    intake.accept(event("Ev2", text="That's all, thank you!", ts="2.0", thread_ts="1.0"))
    assert has_left(engine, "T1:C1:1.0")
    intake.accept(event("Ev3", text="we two go on here", ts="3.0", thread_ts="1.0"))
    intake.accept(event("Ev4", text="leave", ts="3.5", thread_ts="1.0"))
    assert len(kept(engine, "question")) == 1
    (goodbye,) = kept(engine, "greeting")
    assert (goodbye.payload["what"], goodbye.payload["thread_ts"]) == ("goodbye", "1.0")
    intake.accept(event("Ev5", text=f"{MENTION} one more?", ts="4.0", thread_ts="1.0"))
    intake.accept(event("Ev6", text="and another?", ts="5.0", thread_ts="1.0"))
    assert [row.ts for row in kept(engine, "question")] == ["1.0", "4.0", "5.0"]


def test_strangers_to_a_conversation_cannot_send_the_bot_away_unless_they_address_it(
    intake: Intake, engine: sa.Engine
) -> None:
    ask(intake)
    intake.accept(event("Ev2", text="go away", ts="2.0", thread_ts="1.0", user="U2"))
    assert not has_left(engine, "T1:C1:1.0")
    intake.accept(event("Ev3", text=f"{MENTION} leave", ts="3.0", thread_ts="1.0", user="U2"))
    intake.accept(event("Ev4", text=f"{MENTION} leave", ts="3.0", thread_ts="1.0", user="U2", type="app_mention"))
    assert has_left(engine, "T1:C1:1.0")
    assert len(kept(engine, "greeting")) == 1


def test_whoever_names_the_bot_to_send_it_away_gets_a_goodbye_in_any_thread(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text=f"{MENTION} leave", ts="3.0", thread_ts="1.0"))
    assert [row.payload["what"] for row in kept(engine, "greeting")] == ["goodbye"]


def test_leaving_stops_what_still_waits_there(intake: Intake, engine: sa.Engine) -> None:
    ask(intake)
    intake.accept(event("Ev2", text="go away", ts="2.0", thread_ts="1.0"))
    assert [row.state for row in kept(engine, "question")] == ["dropped"]


def test_an_overheard_question_counts_only_where_an_admin_said_so(intake: Intake, engine: sa.Engine) -> None:
    intake.accept(event("Ev1", text="where is the expense form?"))
    assert kept(engine, "question") == []
    settle(engine, auto_answer=True)
    intake.accept(event("Ev2", text="where is the expense form?", ts="2.0"))
    intake.accept(event("Ev3", text="<@U2> where is the expense form?", ts="3.0"))
    intake.accept(event("Ev4", text="where is the form, <@U2>?", ts="4.0"))
    intake.accept(event("Ev5", text="the form is in the wiki", ts="5.0"))
    intake.accept(event("Ev6", text="where is the expense form?", ts="6.0", bot_id="B7"))
    (row,) = kept(engine, "question")
    assert (row.ts, row.payload["visibility"], row.payload["mentioned"]) == ("2.0", "if_sure", False)


def test_nobody_s_reply_is_a_follow_up_to_a_question_that_was_only_overheard(intake: Intake, engine: sa.Engine) -> None:
    settle(engine, auto_answer=True, follow_ups="anyone")
    intake.accept(event("Ev1", text="where is the expense form?"))
    intake.accept(event("Ev2", text="in the wiki I think?", ts="2.0", thread_ts="1.0", user="U2"))
    answer_id = take_up(intake, engine)
    with writing(engine) as connection:
        connection.execute(sa.update(tables.answer).values(visibility="if_sure"))
    finish(engine)
    intake.accept(event("Ev3", text="thanks, found it", ts="3.0", thread_ts="1.0"))
    assert len(kept(engine, "question")) == 1
    with writing(engine) as connection:
        said = sa.update(tables.answer).where(tables.answer.c.id == answer_id).values(message_ts="1.5")
        connection.execute(said)
    intake.accept(event("Ev4", text="and for travel?", ts="4.0", thread_ts="1.0"))
    assert [row.ts for row in kept(engine, "question")] == ["1.0", "4.0"]


def test_an_edit_of_a_question_that_waits_changes_it_and_no_more(intake: Intake, engine: sa.Engine) -> None:
    ask(intake)
    edit(intake, "Ev2", f"{MENTION} who pays for lunch?")
    assert [row.payload["text"] for row in kept(engine, "question")] == ["who pays for lunch?"]
    assert kept(engine, "revision") == []


@pytest.mark.parametrize("is_done", [True, False])
def test_an_edit_of_a_question_that_was_taken_up_asks_for_the_answer_again(
    intake: Intake, engine: sa.Engine, is_done: bool
) -> None:
    ask(intake)
    answer_id = take_up(intake, engine)
    if is_done:
        finish(engine)
    edit(intake, "Ev2", f"{MENTION} who pays for lunch?")
    edit(intake, "Ev2", f"{MENTION} who pays for lunch?")
    (row,) = kept(engine, "revision")
    assert row.conversation == "T1:C1:1.0"
    assert row.payload == {"answer_id": answer_id, "purpose": "edit", "user": "U1", "text": "who pays for lunch?"}


def test_an_edit_finds_its_answer_also_before_the_worker_wrote_a_row(intake: Intake, engine: sa.Engine) -> None:
    ask(intake)
    assert intake.inbox.claim(("question",)) is not None
    edit(intake, "Ev2", f"{MENTION} who pays for lunch?")
    assert len(kept(engine, "revision")) == 1


@pytest.mark.parametrize("after", [MENTION, "who pays for lunch?", f"{MENTION}  who  pays?"])
def test_an_edit_that_takes_the_question_away_or_changes_no_word_is_left_alone(
    intake: Intake, engine: sa.Engine, after: str
) -> None:
    ask(intake)
    take_up(intake, engine)
    finish(engine)
    edit(intake, "Ev2", after)
    assert kept(engine, "revision") == []


def test_nobody_s_edit_of_another_message_makes_an_answer(intake: Intake, engine: sa.Engine) -> None:
    edit(intake, "Ev1", "a new text", before="an old one")
    assert kept(engine, "revision") == []
    assert kept(engine, "question") == []


def test_a_deletion_of_an_answered_question_is_kept_and_of_other_messages_not(
    intake: Intake, engine: sa.Engine
) -> None:
    ask(intake)
    take_up(intake, engine)
    finish(engine)
    for event_id, ts in (("Ev2", "1.0"), ("Ev3", "7.0")):
        previous = {"user": "U1", "ts": ts, "text": "x"}
        intake.accept(event(event_id, subtype="message_deleted", deleted_ts=ts, previous_message=previous, ts="8.0"))
    (row,) = kept(engine, "deletion")
    assert row.payload == {"team": "T1", "channel": "C1", "ts": "1.0", "user": "U1"}


def test_a_mention_whose_place_is_not_named_is_looked_up(intake: Intake, engine: sa.Engine) -> None:
    for number, channel in enumerate(("C9", "C1")):
        mention = event(f"Ev{number}", type="app_mention", channel=channel, text=f"{MENTION} hi")
        del mention["event"]["channel_type"]
        intake.accept(mention)
    assert [row.payload["channel_kind"] for row in kept(engine, "question")] == ["mpim", "public"]


def test_a_group_message_needs_a_mention_and_goes_on_in_its_thread(intake: Intake, engine: sa.Engine) -> None:
    place = {"channel": "G1", "channel_type": "mpim"}
    intake.accept(event("Ev1", text="shall we meet at noon?", **place))
    intake.accept(event("Ev2", text=f"{MENTION} who pays?", ts="2.0", **place))
    intake.accept(event("Ev3", text="and when?", ts="3.0", thread_ts="2.0", **place))
    assert [(row.ts, row.payload["channel_kind"]) for row in kept(engine, "question")] == [
        ("2.0", "mpim"),
        ("3.0", "mpim"),
    ]


def test_files_come_with_their_question(intake: Intake, engine: sa.Engine) -> None:
    file = {"id": "F1", "name": "plan.md", "mimetype": "text/markdown", "size": 12, "url_private": "https://f/plan"}
    hidden = {"id": "F2", "name": "old.md", "mode": "hidden_by_limit", "url_private": "https://f/old"}
    intake.accept(event("Ev1", text=f"{MENTION} what is new?", subtype="file_share", files=[file, hidden]))
    (row,) = kept(engine, "question")
    (attached,) = incoming_of(row.payload).files
    assert (attached.name, attached.url, attached.size) == ("plan.md", "https://f/plan", 12)


def test_what_a_person_looks_at_goes_with_their_direct_messages(intake: Intake, engine: sa.Engine) -> None:
    entities = [{"type": "slack#/types/canvas_id", "value": "F1"}, {"type": "slack#/types/channel_id", "value": "C7"}]
    intake.accept(event("Ev1", type="app_context_changed", context={"entities": entities}))
    assert viewing_of(engine, "T1", "U1") == "C7"
    intake.accept(event("Ev2", text="what is new here?", channel="D1", channel_type="im"))
    intake.accept(event("Ev3", text=f"{MENTION} what is new here?", ts="2.0"))
    assert [row.payload["viewing"] for row in kept(engine, "question")] == ["C7", None]
    intake.accept(event("Ev4", type="app_context_changed", context={}))
    assert viewing_of(engine, "T1", "U1") is None


def test_the_older_assistant_pane_greets_once_and_names_its_thread(intake: Intake, engine: sa.Engine) -> None:
    thread = {"user_id": "U1", "channel_id": "D1", "thread_ts": "1.0", "context": {"channel_id": "C7"}}
    intake.accept(event("Ev1", type="assistant_thread_started", assistant_thread=thread))
    assert viewing_of(engine, "T1", "U1") == "C7"
    thread = thread | {"context": {"channel_id": "C8"}}
    intake.accept(event("Ev2", type="assistant_thread_context_changed", assistant_thread=thread))
    for number in (2, 3):
        reply = {"channel": "D1", "channel_type": "im", "ts": f"{number}.0", "thread_ts": "1.0"}
        intake.accept(event(f"Ev{number + 1}", text="who pays?", **reply))
    assert viewing_of(engine, "T1", "U1") == "C8"
    assert [row.payload["what"] for row in kept(engine, "greeting")] == ["assistant", "prompts", "title"]
    assert len(kept(engine, "question")) == 2


def test_what_was_missed_is_taken_in_once_and_only_questions_to_the_bot(intake: Intake, engine: sa.Engine) -> None:
    settle(engine, auto_answer=True)
    ask(intake)
    assert not intake.catch_up(event("back:1", text=f"{MENTION} who pays?"))
    assert intake.catch_up(event("back:2", text=f"{MENTION} and who cooks?", ts="2.0"))
    assert not intake.catch_up(event("back:3", text="where is the expense form?", ts="3.0"))
    assert not intake.catch_up(event("back:4", text="stop", ts="4.0", thread_ts="1.0"))
    assert [row.ts for row in kept(engine, "question")] == ["1.0", "2.0"]
