"""The rows of the bot: what came in, what was said, what people thought of it, and which jobs ran.

Texts of people live in `turn`, `answer`, `citation`, `feedback` and, until work on it ends, `inbox` only, and once more
in `remembered_turn`, which triggers keep in step: what a turn is found by goes in the transaction that takes its words.
"""

from __future__ import annotations

import sqlalchemy as sa

from knowledge.tables import UtcTime

metadata = sa.MetaData()


def _answer_key(*, primary_key: bool) -> sa.Column[int]:
    key = sa.ForeignKey("answer.id", ondelete="CASCADE")
    return sa.Column("answer_id", sa.Integer, key, nullable=False, primary_key=primary_key)


# What Slack delivered, committed before it is acknowledged. `kind`: see bot.inbox. `state`:
# waiting | working | done | dropped (withdrawn before it was answered) | failed (`error` says why). The
# payload is the parsed value as JSON, emptied when work on it ends; the row stays for a while, so that a late
# duplicate is recognised.
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False, default=""),
    sa.Column("ts", sa.Text, nullable=False, default=""),
    sa.Column("conversation", sa.Text, nullable=False, default=""),
    sa.Column("user", sa.Text, nullable=False, default=""),
    sa.Column("payload", sa.JSON, nullable=False),
    sa.Column("received_at", UtcTime, nullable=False),
    sa.Column("claimed_at", UtcTime),
    sa.Column("state", sa.Text, nullable=False, default="waiting"),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("not_before", UtcTime),
    sa.Column("lease_until", UtcTime),
    sa.Column("lease_token", sa.Text),
    sa.Column("withdrawn", sa.Boolean, nullable=False, default=False),
    sa.Column("error", sa.Text),
    sa.Index(
        "inbox_one_per_question",
        "team",
        "channel",
        "ts",
        unique=True,
        sqlite_where=sa.text("kind = 'question'"),
    ),
    sa.Index("inbox_open", "state", "kind", sqlite_where=sa.text("state IN ('waiting', 'working')")),
    sa.Index("inbox_conversation", "conversation", "user"),
    sa.Index("inbox_served", "claimed_at", "user"),
    sa.Index("inbox_asked", "user", "received_at"),
    sqlite_autoincrement=True,
)

# One message of a conversation. An assistant's turn carries the ts of the question that it answers, so that a
# conversation sorts into pairs and one question has at most one answering turn. `audience` of an assistant's
# turn: the document audiences its passages came from (comma-separated), so that it is not remembered before
# others. `role`: user | assistant | remember (what a person asked to be remembered, for the one audience named).
turn = sa.Table(
    "turn",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("conversation", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread_ts", sa.Text, nullable=False),
    sa.Column("ts", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("audience", sa.Text, nullable=False, default=""),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("conversation", "ts", "role"),
    sa.Index("turn_user", "user"),
    sqlite_autoincrement=True,
)

# What a turn is found by in later conversations; see bot.earlier. `text`: its words with its day and the turn before
# it; `vector`: of its own words.
remembered_turn = sa.Table(
    "remembered_turn",
    metadata,
    sa.Column("turn_id", sa.Integer, sa.ForeignKey("turn.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("conversation", sa.Text, nullable=False, index=True),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
)

# One per question. `state`: received -> placeholder_intent -> posted -> final_ready -> final_sent |
# withdrawn. `outcome`: answered | abstained | asked_back | stopped | refused | failed. `nonce` is written into the
# metadata of our Slack message: after a crash it tells whether the message exists.
answer = sa.Table(
    "answer",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("thread_ts", sa.Text, nullable=False),
    sa.Column("question_ts", sa.Text, nullable=False),
    sa.Column("message_ts", sa.Text),
    sa.Column("conversation", sa.Text, nullable=False, index=True),
    sa.Column("user", sa.Text, nullable=False, index=True),
    sa.Column("nonce", sa.Text, nullable=False, unique=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("state_at", UtcTime, nullable=False),
    sa.Column("outcome", sa.Text),
    sa.Column("text", sa.Text, nullable=False, default=""),
    sa.Column("version", sa.Text, nullable=False, default=""),
    sa.Column("abstained", sa.Boolean, nullable=False, default=False),
    sa.Column("support", sa.Float, nullable=False, default=0.0),
    # `visibility`: thread | ephemeral | if_sure; `approved_by`: whose curated answer it is; `understood`: the
    # question as it was searched for. `revision` counts how often it was made again in its place.
    sa.Column("visibility", sa.Text, nullable=False, default="thread", server_default="thread"),
    sa.Column("approved_by", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("understood", sa.Text, nullable=False, default="", server_default=""),
    # What is said beside it about its sources.
    sa.Column("note", sa.Text, nullable=False, default="", server_default=""),
    # An answer that was given before: whose text it is, and when that was written.
    sa.Column("reused_from", sa.Integer),
    sa.Column("given_before", UtcTime),
    sa.Column("revision", sa.Integer, nullable=False, default=0, server_default="0"),
    # What came with the question, as Slack describes it, where its asker may be answered.
    sa.Column("files", sa.JSON, nullable=False, default=list, server_default="[]"),
    # `delivered_by`: message | stream | ephemeral.
    sa.Column("delivered_by", sa.Text, nullable=False, default="message", server_default="message"),
    sa.Column("audience", sa.Text, nullable=False, default=""),
    sa.Column("passages", sa.JSON, nullable=False, default=list),
    sa.Column("retrieve_seconds", sa.Float, nullable=False, default=0.0),
    sa.Column("first_token_seconds", sa.Float, nullable=False, default=0.0),
    sa.Column("total_seconds", sa.Float, nullable=False, default=0.0),
    sa.Column("prompt_tokens", sa.Integer, nullable=False, default=0),
    sa.Column("completion_tokens", sa.Integer, nullable=False, default=0),
    sa.Column("error", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("conversation", "question_ts"),
    sa.Index("answer_message", "channel", "message_ts"),
    sqlite_autoincrement=True,
)

# A long answer continues in further messages; part 0 is the answer row's own.
answer_part = sa.Table(
    "answer_part",
    metadata,
    _answer_key(primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("message_ts", sa.Text),
    sa.Column("intent_at", UtcTime, nullable=False),
    sa.Index("answer_part_message", "channel", "message_ts"),
)

# Where an answer that only its asker saw was put as well. `kind`: shared (with the channel) | kept (in the asker's
# direct messages). A row without a ts: it is about to be posted.
answer_copy = sa.Table(
    "answer_copy",
    metadata,
    _answer_key(primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("part", sa.Integer, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("message_ts", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("answer_copy_message", "channel", "message_ts"),
)

# `kind`: cited | nearest (what came closest, where the answer abstained).
citation = sa.Table(
    "citation",
    metadata,
    _answer_key(primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer, primary_key=True),
    sa.Column("uri", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("header", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("chunk_id", sa.Integer, nullable=False),
    sa.Column("text_hash", sa.Text, nullable=False),
    sa.Column("quote", sa.Text, nullable=False),
    sa.Column("dated", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("owner", sa.Text, nullable=False, default="", server_default=""),
    sa.Column("trust", sa.Text, nullable=False, default="usual", server_default="usual"),
    sa.Column("line", sa.Integer),
)

# `vote`: +1 | -1, `via`: reaction | button. A vote that was taken back keeps its row with `removed_at`; each
# person has one live vote per answer. A vote whose `removed_at` is the `replaced_at` of a revision was about that text.
feedback = sa.Table(
    "feedback",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _answer_key(primary_key=False),
    sa.Column("user", sa.Text, nullable=False, index=True),
    sa.Column("vote", sa.Integer, nullable=False),
    sa.Column("via", sa.Text, nullable=False),
    sa.Column("reason", sa.Text),
    sa.Column("correction", sa.Text),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("removed_at", UtcTime),
    sa.Index("feedback_one_live_vote", "answer_id", "user", unique=True, sqlite_where=sa.text("removed_at IS NULL")),
    sa.CheckConstraint("vote IN (1, -1)", name="feedback_vote"),
    sqlite_autoincrement=True,
)

# What an answer said before it was made again in its place; `purpose`: edit | regenerate | shorter | detail | choose.
# `inbox_id`: the wish that was fulfilled.
answer_revision = sa.Table(
    "answer_revision",
    metadata,
    _answer_key(primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("replaced_at", UtcTime, nullable=False),
    sa.Column("inbox_id", sa.Integer),
)

# How one person wants to be answered. `memory`: earlier conversations may be remembered; `tuning`: their words may be
# used for tuning, with the time of their consent. No row means the defaults.
person = sa.Table(
    "person",
    metadata,
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, primary_key=True),
    sa.Column("language", sa.Text, nullable=False, default=""),
    sa.Column("length", sa.Text, nullable=False, default="normal"),
    sa.Column("memory", sa.Boolean, nullable=False, default=True),
    sa.Column("tuning", sa.Boolean, nullable=False, default=False),
    sa.Column("tuning_at", UtcTime),
    sa.Column("greeted_at", UtcTime),
    # What they looked at last, where Slack told.
    sa.Column("viewing", sa.Text),
    sa.Column("viewing_at", UtcTime),
)

# How the bot behaves in one channel, as an admin set it. No row means the defaults. `sources`: a JSON list of source
# ids, null for all.
channel = sa.Table(
    "channel",
    metadata,
    sa.Column("team", sa.Text, primary_key=True),
    sa.Column("channel", sa.Text, primary_key=True),
    sa.Column("disabled", sa.Boolean, nullable=False, default=False),
    sa.Column("allow_external", sa.Boolean, nullable=False, default=False),
    sa.Column("follow_ups", sa.Text, nullable=False, default="asker"),
    sa.Column("ephemeral", sa.Boolean, nullable=False, default=False),
    sa.Column("auto_answer", sa.Boolean, nullable=False, default=False),
    sa.Column("auto_answer_confidence", sa.Float, nullable=False, default=0.8),
    sa.Column("sources", sa.JSON(none_as_null=True)),
    sa.Column("instructions", sa.Text, nullable=False, default=""),
    sa.Column("escalate_to", sa.Text, nullable=False, default=""),
    sa.Column("changed_by", sa.Text, nullable=False, default=""),
    sa.Column("changed_at", UtcTime),
)

# Threads that the bot was asked to leave: it is silent there until it is mentioned again.
left_thread = sa.Table(
    "left_thread",
    metadata,
    sa.Column("conversation", sa.Text, primary_key=True),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("left_at", UtcTime, nullable=False),
)

# Answers that an admin approved for a recurring question; `vector` is the question's, float32, of `embedder`.
# `audience` is a document audience: who may get this answer.
curated = sa.Table(
    "curated",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("question", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("citations", sa.JSON, nullable=False, default=list),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("approved_by", sa.Text, nullable=False),
    # As it is shown under the answer: a name and a day.
    sa.Column("approved_name", sa.Text, nullable=False, default=""),
    sa.Column("approved_at", UtcTime, nullable=False),
    sa.Column("from_answer", sa.Integer),
    sa.Column("embedder", sa.Text, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("uses", sa.Integer, nullable=False, default=0),
    sqlite_autoincrement=True,
)

# Answers that may be given again. It holds no words: question, text and citations are read from their own rows, so that
# what is removed there is never given again. `scope`: a digest of all that must be the same (audience, sources, style,
# model, embedder); `history`: a digest of what was said before, empty for nothing; `evidence`: digests of the sentences
# that the answer was made from.
cached_answer = sa.Table(
    "cached_answer",
    metadata,
    _answer_key(primary_key=True),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("history", sa.Text, nullable=False, default=""),
    sa.Column("vector", sa.LargeBinary, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False, default=list),
    sa.Column("revision", sa.Integer, nullable=False, default=0),
    sa.Column("uses", sa.Integer, nullable=False, default=0),
    sa.Column("used_at", UtcTime, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Index("cached_answer_scope", "scope", "history"),
    sa.Index("cached_answer_used", "used_at"),
)

# A person was asked for: `state`: open | resolved. `message_*`: where the request stands.
escalation = sa.Table(
    "escalation",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _answer_key(primary_key=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_of", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, default="open"),
    sa.Column("resolved_by", sa.Text, nullable=False, default=""),
    sa.Column("message_channel", sa.Text, nullable=False, default=""),
    sa.Column("message_ts", sa.Text, nullable=False, default=""),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("resolved_at", UtcTime),
    sa.UniqueConstraint("answer_id"),
    sqlite_autoincrement=True,
)

# What people saved from a thread as knowledge: it counts once an admin approved it (`state`: pending | approved |
# rejected) and it became a document.
saved_note = sa.Table(
    "saved_note",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("channel", sa.Text, nullable=False),
    sa.Column("ts", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("permalink", sa.Text, nullable=False, default=""),
    sa.Column("audience", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False, default="pending"),
    sa.Column("reviewed_by", sa.Text, nullable=False, default=""),
    sa.Column("reviewed_at", UtcTime),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("channel", "ts"),
    sqlite_autoincrement=True,
)

# A file that was kept with a note. `file`: Slack's id; `stored`: its name once it is a document; `text`: how it begins,
# for whoever reviews it. The bytes are here until somebody decides: then they are a document, or gone.
saved_file = sa.Table(
    "saved_file",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("note_id", sa.Integer, sa.ForeignKey("saved_note.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False, index=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("stored", sa.Text, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False, default=""),
    sa.Column("content", sa.LargeBinary),
    sqlite_autoincrement=True,
)

# What people did with an answer without voting, kept apart from votes. `kind`: asked_again | copied | thanked.
signal = sa.Table(
    "signal",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    _answer_key(primary_key=False),
    sa.Column("user", sa.Text, nullable=False, index=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.UniqueConstraint("answer_id", "user", "kind"),
    sqlite_autoincrement=True,
)

# What no later export may hold: `subject` is an origin of examples (`answer:12`, `feedback:7`, `document:...`),
# `reason`: edited | deleted | opted_out | forgotten | withdrawn. It holds no words and no person.
tombstone = sa.Table(
    "tombstone",
    metadata,
    sa.Column("subject", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)

# A version of the language model that was made here. `state`: candidate | refused | canary | in_service | retired.
# `adapter`: its file in the models folder; `examples`: the origins that it learned from; `gate`: the gate's report.
# `share` and `channels` say who is answered by a canary.
model_version = sa.Table(
    "model_version",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("base", sa.Text, nullable=False),
    sa.Column("adapter", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("run", sa.Text, nullable=False, default=""),
    sa.Column("examples", sa.JSON, nullable=False, default=list),
    sa.Column("gate", sa.JSON(none_as_null=True)),
    sa.Column("share", sa.Float, nullable=False, default=0.0),
    sa.Column("channels", sa.JSON, nullable=False, default=list),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("state_at", UtcTime, nullable=False),
)

# Every change of a version's state, with who did it (a person's id, or the name of what decided) and why.
version_event = sa.Table(
    "version_event",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False, default=""),
    sa.Column("why", sa.Text, nullable=False, default=""),
    sa.Column("at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# What the watch over answers noticed; `told_at`: when it was said in the admins' channel.
alert = sa.Table(
    "alert",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("measure", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("detail", sa.JSON, nullable=False, default=dict),
    sa.Column("created_at", UtcTime, nullable=False),
    sa.Column("told_at", UtcTime),
    sqlite_autoincrement=True,
)

# Proof of a removal: what went, in numbers, and never what it said.
receipt = sa.Table(
    "receipt",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("removed", sa.JSON, nullable=False),
    sa.Column("removed_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# Which documents hold which messages of channels that are sources: no words, only where they went. `root` names the
# unit that was read together, a thread (`threaded`) or a run of messages, by the ts of its first one; `file`: the id of
# the file that the document is made of.
channel_message = sa.Table(
    "channel_message",
    metadata,
    sa.Column("source_id", sa.Text, primary_key=True),
    sa.Column("ts", sa.Text, primary_key=True),
    sa.Column("uri", sa.Text, primary_key=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False, index=True),
    sa.Column("root", sa.Text, nullable=False),
    sa.Column("threaded", sa.Boolean, nullable=False),
    sa.Column("file", sa.Text, nullable=False, default=""),
    sa.Index("channel_message_root", "source_id", "root"),
    sa.Index("channel_message_uri", "source_id", "uri"),
    sa.Index("channel_message_file", "file"),
)

# Messages of such channels that changed since they were read, or are not to be read any more (`gone`): what they are
# part of is read again, and the row goes.
channel_change = sa.Table(
    "channel_change",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("source_id", sa.Text, nullable=False, index=True),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("ts", sa.Text, nullable=False),
    sa.Column("root", sa.Text, nullable=False, default=""),
    sa.Column("gone", sa.Boolean, nullable=False, default=False),
    sa.Column("noted_at", UtcTime, nullable=False),
    sqlite_autoincrement=True,
)

# What opens sources, by the name that they call it by. `secret` is encrypted: see bot.credentials.
credential = sa.Table(
    "credential",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("secret", sa.Text, nullable=False),
    sa.Column("set_at", UtcTime, nullable=False),
)

# Whoever inserts the row of a slot runs the job for it.
job_run = sa.Table(
    "job_run",
    metadata,
    sa.Column("job", sa.Text, primary_key=True),
    sa.Column("slot", UtcTime, primary_key=True),
    sa.Column("started_at", UtcTime, nullable=False),
    sa.Column("finished_at", UtcTime),
    # While it runs: until when its process is believed to live. After a failure: when it is tried again.
    sa.Column("again_at", UtcTime),
    sa.Column("attempts", sa.Integer, nullable=False, default=1, server_default="1"),
    # Somebody wants it now, whatever its timetable says.
    sa.Column("asked", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("detail", sa.Text),
    sa.Column("error", sa.Text),
)

# Who wants a source read, and is told how it goes: one row for each source of what they asked for at once (`request`).
# `outcome`: in numbers, see bot.reading_wishes; `channel` and `message_ts`: where they are told.
reading_wish = sa.Table(
    "reading_wish",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("team", sa.Text, nullable=False),
    sa.Column("user", sa.Text, nullable=False, index=True),
    sa.Column("source_id", sa.Text, nullable=False),
    sa.Column("asked_at", UtcTime, nullable=False),
    sa.Column("began_at", UtcTime),
    sa.Column("noted_at", UtcTime, nullable=False),
    sa.Column("done", sa.Integer, nullable=False, default=0),
    sa.Column("total", sa.Integer),
    sa.Column("outcome", sa.JSON(none_as_null=True)),
    sa.Column("ended_at", UtcTime),
    sa.Column("channel", sa.Text, nullable=False, default=""),
    sa.Column("message_ts", sa.Text, nullable=False, default=""),
    sa.Column("told_at", UtcTime),
    sa.UniqueConstraint("request", "source_id"),
    sa.Index("reading_wish_open", "source_id", "team", "user", unique=True, sqlite_where=sa.text("ended_at IS NULL")),
    sqlite_autoincrement=True,
)


# A turn that goes or changes takes along what its whole conversation is found by: the turn after it is found by its
# words as well. So does a person who switches their memory off.
_OF_CONVERSATION = "DELETE FROM remembered_turn WHERE conversation = old.conversation"
_OF_PERSON = """DELETE FROM remembered_turn WHERE conversation IN
    (SELECT conversation FROM turn WHERE team = new.team AND user = new.user)"""
_FOLLOWERS = (
    """CREATE VIRTUAL TABLE IF NOT EXISTS remembered_words USING fts5(
        text, content='remembered_turn', content_rowid='turn_id', tokenize='porter unicode61')""",
    """CREATE TRIGGER IF NOT EXISTS remembered_turn_inserted AFTER INSERT ON remembered_turn BEGIN
        INSERT INTO remembered_words(rowid, text) VALUES (new.turn_id, new.text); END""",
    """CREATE TRIGGER IF NOT EXISTS remembered_turn_deleted AFTER DELETE ON remembered_turn BEGIN
        INSERT INTO remembered_words(remembered_words, rowid, text) VALUES ('delete', old.turn_id, old.text); END""",
    f"CREATE TRIGGER IF NOT EXISTS turn_deleted AFTER DELETE ON turn BEGIN {_OF_CONVERSATION}; END",
    f"""CREATE TRIGGER IF NOT EXISTS turn_changed AFTER UPDATE OF text ON turn WHEN old.text <> new.text
        BEGIN {_OF_CONVERSATION}; END""",
    f"""CREATE TRIGGER IF NOT EXISTS person_begun AFTER INSERT ON person WHEN NOT new.memory
        BEGIN {_OF_PERSON}; END""",
    f"""CREATE TRIGGER IF NOT EXISTS person_changed AFTER UPDATE OF memory ON person WHEN NOT new.memory
        BEGIN {_OF_PERSON}; END""",
)


def create_all(connection: sa.Connection) -> None:
    """Create what is missing, inside the caller's transaction."""
    metadata.create_all(connection)
    for statement in _FOLLOWERS:
        connection.exec_driver_sql(statement)
