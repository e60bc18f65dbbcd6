"""Slack's own reference of methods and events, where the shared folder lies beside the checkout, as an oracle."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "slack-api" / "docs.slack.dev"
MISSING = f"Slack's method reference is not at {REFERENCE}"

# Every method may answer these (docs.slack.dev, "Web API: errors"); the files list only what a method adds.
GENERAL_ERRORS = frozenset(
    "access_denied account_inactive accesslimited deprecated_endpoint ekm_access_denied enterprise_is_restricted "
    "fatal_error internal_error invalid_arg_name invalid_arguments invalid_array_arg invalid_auth invalid_charset "
    "invalid_form_data invalid_json invalid_post_type json_not_object method_deprecated missing_post_type "
    "missing_scope no_permission not_allowed_token_type not_authed org_login_required ratelimited request_timeout "
    "service_unavailable team_access_not_granted team_added_to_org token_expired token_revoked "
    "two_factor_setup_required unknown_method".split()
)


@cache
def method(name: str) -> dict[str, Any]:
    """Read what Slack says about one method."""
    found: dict[str, Any] = json.loads((REFERENCE / "methods" / f"{name}.json").read_text("utf-8"))
    return found


@cache
def event_names() -> frozenset[str]:
    """List the names of all events."""
    events = json.loads((REFERENCE / "events" / "events.json").read_text("utf-8"))
    return frozenset(event["name"].partition(".")[0] for event in events)


def argument_names(name: str) -> frozenset[str]:
    """List a method's arguments besides the token."""
    return frozenset(method(name)["args"].get("properties", {})) - {"token"}


def required_arguments(name: str) -> frozenset[str]:
    """List what a method cannot do without, besides the token."""
    return frozenset(method(name)["args"].get("required") or []) - {"token"}


def problems(entry: dict[str, Any]) -> list[str]:
    """List what is not Slack's in one call of the ledger: argument names, error codes, missing parts of an answer."""
    name, response = entry["name"], entry["response"]
    if name == "response_url":
        return []
    if not (REFERENCE / "methods" / f"{name}.json").exists():
        return [] if response["error"] == "unknown_method" else [f"{name} is no method of Slack's"]
    found = [f"{name} knows no argument {argument!r}" for argument in entry["unknown_arguments"]]
    if response["ok"]:
        output = method(name)["output"] or {}
        return found + [
            f"{name} answered without {part!r}" for part in output.get("required", []) if part not in response
        ]
    if name == "api.test":
        return found  # It answers whatever error it is asked for.
    allowed = GENERAL_ERRORS | method(name)["errors"].keys()
    return found + ([] if response["error"] in allowed else [f"{name} does not answer {response['error']!r}"])
