"""How the bot behaves in each channel, as its admins set it. Knows SQL, not Slack; what is not set is the default."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from bot import tables
from knowledge.database import reading, writing

FollowUps = Literal["asker", "anyone", "mention"]
"""Whose messages in a thread are taken as follow-ups without a mention: the asker's, anybody's, nobody's."""


@dataclass(frozen=True, kw_only=True)
class ChannelSettings:
    """The settings of one channel."""

    disabled: bool = False
    allow_external: bool = False
    """Answer in a channel that is shared with another organisation; also to its people and to guests."""
    follow_ups: FollowUps = "asker"
    ephemeral: bool = False
    """Answers are seen by the asker alone, who may share them."""
    auto_answer: bool = False
    """Answer questions that nobody put to the bot, where it is sure enough."""
    auto_answer_confidence: float = 0.8
    sources: frozenset[str] | None = None
    """Ids of the sources used here; None for all that the audience may read."""
    instructions: str = ""
    escalate_to: str = ""
    """The person (U…) or channel (C…) that is asked where the bot's answer does not do."""


@dataclass(frozen=True, kw_only=True)
class ConfiguredChannel:
    """A channel whose settings somebody changed."""

    channel: str
    settings: ChannelSettings
    changed_by: str
    changed_at: datetime | None


def load_channel(engine: sa.Engine, team: str, channel: str) -> ChannelSettings:
    """Read the settings of a channel."""
    table = tables.channel
    query = sa.select(table).where(table.c.team == team, table.c.channel == channel)
    with reading(engine) as connection:
        row = connection.execute(query).mappings().one_or_none()
    return ChannelSettings() if row is None else _settings_of(row)


def save_channel(engine: sa.Engine, team: str, channel: str, settings: ChannelSettings, *, changed_by: str) -> None:
    """Keep the settings of a channel; who may do this is the caller's business."""
    values = asdict(settings) | {"changed_by": changed_by, "changed_at": datetime.now(UTC)}
    values["sources"] = None if settings.sources is None else sorted(settings.sources)
    statement = insert(tables.channel).values(team=team, channel=channel, **values)
    with writing(engine) as connection:
        connection.execute(statement.on_conflict_do_update(index_elements=["team", "channel"], set_=values))


def rename_channel(engine: sa.Engine, old: str, new: str) -> None:
    """Let a channel keep its settings where Slack gives it another id; those of the new id stay where there are any."""
    table = tables.channel
    with writing(engine) as connection:
        connection.execute(sa.update(table).prefix_with("OR IGNORE").where(table.c.channel == old).values(channel=new))


def list_channels(engine: sa.Engine, team: str) -> tuple[ConfiguredChannel, ...]:
    """The channels that somebody configured, the latest change first."""
    table = tables.channel
    query = sa.select(table).where(table.c.team == team).order_by(table.c.changed_at.desc(), table.c.channel)
    with reading(engine) as connection:
        rows = connection.execute(query).mappings().all()
    return tuple(
        ConfiguredChannel(
            channel=row["channel"],
            settings=_settings_of(row),
            changed_by=row["changed_by"],
            changed_at=row["changed_at"],
        )
        for row in rows
    )


def leave_thread(engine: sa.Engine, conversation: str, user: str) -> None:
    """Note that the bot was asked to leave a thread."""
    statement = insert(tables.left_thread).values(conversation=conversation, user=user, left_at=datetime.now(UTC))
    with writing(engine) as connection:
        connection.execute(statement.on_conflict_do_nothing())


def rejoin_thread(engine: sa.Engine, conversation: str) -> None:
    """Forget that the bot was asked to leave: it was mentioned again."""
    with writing(engine) as connection:
        connection.execute(sa.delete(tables.left_thread).where(tables.left_thread.c.conversation == conversation))


def has_left(engine: sa.Engine, conversation: str) -> bool:
    """Tell whether the bot was asked to leave this thread."""
    query = sa.select(tables.left_thread.c.user).where(tables.left_thread.c.conversation == conversation)
    with reading(engine) as connection:
        return connection.scalar(query) is not None


def _settings_of(row: sa.RowMapping) -> ChannelSettings:
    values = {name: row[name] for name in ChannelSettings.__dataclass_fields__}
    values["sources"] = None if row["sources"] is None else frozenset(row["sources"])
    return ChannelSettings(**values)
