"""The name of a person as plain text, so that nobody is pinged by it."""

from __future__ import annotations

import logging

from bot.errors import SlackRefusedError, SlackSilentError
from bot.slack.features import TeamParts
from bot.slack.inert import clean
from bot.slack.limits import shorten

logger = logging.getLogger(__name__)

_LONGEST = 60


def name_of(parts: TeamParts, user: str) -> str:
    """How a person is called in the workspace; empty where Slack does not say."""
    if not user:
        return ""
    try:
        reply = parts.delivery.call("users.info", wait_seconds=2.0, user=user)
    except (SlackSilentError, SlackRefusedError) as error:
        logger.info("the name of %s is not known: %s", user, error)
        return ""
    told = reply.get("user") or {}
    profile = told.get("profile") or {}
    named = told.get("real_name") or profile.get("real_name") or profile.get("display_name") or told.get("name")
    return shorten(" ".join(clean(str(named or "")).split()), _LONGEST)
