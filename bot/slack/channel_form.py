"""The form for how the bot behaves in one channel: built from its settings, and read back with errors at the field.

Pure. Who may open and send it is the caller's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from bot import words
from bot.channels import ChannelSettings, FollowUps
from bot.slack.feedback_form import FormErrors
from bot.slack.render import Block, note_block
from bot.slack.view_parts import (
    OPTION,
    choice,
    choices,
    field,
    given,
    given_option,
    given_options,
    given_text,
    modal,
    one_line,
    option,
    paragraph,
    plain,
    text,
)
from bot.slack.view_parts import (
    channel as channel_name,
)

CHANNEL_CALLBACK: Final = "channel_form"
LONGEST_INSTRUCTIONS = 1_000
LEAST_CONFIDENCE, MOST_CONFIDENCE = 50, 100
_SWITCHES: Final = ("disabled", "ephemeral", "auto_answer", "allow_external")
_ALL, _CHOSEN = "all", "chosen"
_FROM_HOME: Final = " home"
_MOST_OPTIONS = 100


@dataclass(frozen=True, kw_only=True)
class SourceChoice:
    """A source that may be chosen."""

    id: str
    name: str


def channel_form(
    channel: str, settings: ChannelSettings, sources: tuple[SourceChoice, ...], *, from_home: bool = False
) -> Block:
    """Build the form; `sources` are those that this channel may read from."""
    blocks = [
        paragraph(text(f"{words.CHANNEL_FORM_ABOUT} "), channel_name(channel)),
        _switches(settings),
        *_sources(settings, sources),
        _follow_ups(settings),
        field(
            "confidence",
            words.CHANNEL_FORM_CONFIDENCE,
            {
                "type": "number_input",
                "is_decimal_allowed": False,
                "min_value": str(LEAST_CONFIDENCE),
                "max_value": str(MOST_CONFIDENCE),
                "initial_value": str(round(settings.auto_answer_confidence * 100)),
            },
            hint=words.CHANNEL_FORM_CONFIDENCE_HINT,
        ),
        _instructions(settings),
        *_escalation(settings),
    ]
    return modal(
        words.CHANNEL_FORM_TITLE,
        blocks,
        close=words.FORM_CANCEL,
        submit=words.CHANNEL_FORM_SAVE,
        callback=CHANNEL_CALLBACK,
        metadata=f"{channel}{_FROM_HOME if from_home else ''}",
    )


def form_channel(view: Mapping[str, Any]) -> tuple[str, bool]:
    """The channel that a form is about, and whether it was opened from the home page."""
    metadata = str(view.get("private_metadata") or "")
    return metadata.removesuffix(_FROM_HOME), metadata.endswith(_FROM_HOME)


def parse_channel_form(view: Mapping[str, Any], known_sources: frozenset[str]) -> ChannelSettings | FormErrors:
    """Read the `view` of a `view_submission`; every value is checked again, whatever the form allowed."""
    errors: dict[str, str] = {}
    switches = given_options(view, "switches")
    everything = given_option(view, "reach") != _CHOSEN
    sources = given_options(view, "sources") & known_sources
    if everything and sources:
        errors["reach"] = words.CHANNEL_FORM_BOTH
    if not everything and not sources:
        errors["sources" if known_sources else "reach"] = words.CHANNEL_FORM_NO_SOURCE
    confidence = given_text(view, "confidence") or "80"
    if not (confidence.isascii() and confidence.isdigit()) or not _is_confidence(int(confidence)):
        errors["confidence"] = words.CHANNEL_FORM_CONFIDENCE_WRONG
    instructions = given_text(view, "instructions")
    if len(instructions) > LONGEST_INSTRUCTIONS:
        errors["instructions"] = words.CHANNEL_FORM_INSTRUCTIONS_LONG
    person = str(given(view, "escalate_person").get("selected_user") or "")
    place = str(given(view, "escalate_channel").get("selected_conversation") or "")
    if person and place:
        errors["escalate_channel"] = words.CHANNEL_FORM_ESCALATE_ONE
    if errors:
        return FormErrors(errors=errors)
    policy = given_option(view, "follow_ups")
    return ChannelSettings(
        disabled="disabled" in switches,
        allow_external="allow_external" in switches,
        follow_ups=next((known for known in _policies() if known == policy), "asker"),
        ephemeral="ephemeral" in switches,
        auto_answer="auto_answer" in switches,
        auto_answer_confidence=int(confidence) / 100,
        sources=None if everything else sources,
        instructions=instructions,
        escalate_to=person or place,
    )


def channel_saved(channel: str) -> Block:
    """What stands in the form's place once its settings are kept."""
    saved = paragraph(text(f"{words.CHANNEL_FORM_SAVED} "), channel_name(channel))
    return modal(words.CHANNEL_FORM_TITLE, [saved, note_block(words.CHANNEL_FORM_NOTED)], close=words.CLOSE)


def channel_refused(reason: str) -> Block:
    """What stands in the form's place where there is none."""
    return modal(words.CHANNEL_FORM_TITLE, [note_block(reason)], close=words.CLOSE)


def _policies() -> tuple[FollowUps, ...]:
    return get_args(FollowUps)


def _is_confidence(percent: int) -> bool:
    return LEAST_CONFIDENCE <= percent <= MOST_CONFIDENCE


def _switches(settings: ChannelSettings) -> Block:
    said = words.CHANNEL_FORM_SWITCHES
    options = [option(said[name][0], name, said[name][1]) for name in _SWITCHES]
    chosen = [name for name in _SWITCHES if getattr(settings, name)]
    return field("switches", words.CHANNEL_FORM_SWITCHES_LABEL, choices("checkboxes", "switches", options, chosen))


def _sources(settings: ChannelSettings, sources: tuple[SourceChoice, ...]) -> list[Block]:
    reach = [option(words.CHANNEL_FORM_ALL_SOURCES, _ALL), option(words.CHANNEL_FORM_SOME_SOURCES, _CHOSEN)]
    chosen = _ALL if settings.sources is None else _CHOSEN
    blocks = [
        field("reach", words.CHANNEL_FORM_SOURCES, choice("radio_buttons", "reach", reach, chosen), optional=False)
    ]
    if not sources:
        return [*blocks, note_block(words.CHANNEL_FORM_SOURCES_NONE)]
    # Those that are chosen come first: they must be among the options whatever there is besides.
    wanted = settings.sources or frozenset()
    listed = sorted(sources, key=lambda source: (source.id not in wanted, source.name.lower()))[:_MOST_OPTIONS]
    options = [option(one_line(source.name, OPTION) or words.UNTITLED, source.id) for source in listed]
    element = choices("multi_static_select", "sources", options, wanted, words.CHANNEL_FORM_SOURCES_CHOOSE)
    blocks.append(field("sources", words.CHANNEL_FORM_SOME_SOURCES, element, hint=words.CHANNEL_FORM_SOURCES_HINT))
    return blocks


def _follow_ups(settings: ChannelSettings) -> Block:
    options = [option(words.CHANNEL_FORM_FOLLOW_UPS[name], name) for name in _policies()]
    element = choice("radio_buttons", "follow_ups", options, settings.follow_ups)
    return field("follow_ups", words.CHANNEL_FORM_FOLLOW_UPS_LABEL, element, optional=False)


def _instructions(settings: ChannelSettings) -> Block:
    element: Block = {"type": "plain_text_input", "multiline": True, "max_length": LONGEST_INSTRUCTIONS}
    element |= {"initial_value": settings.instructions} if settings.instructions else {}
    element |= {"placeholder": plain(words.CHANNEL_FORM_INSTRUCTIONS_EXAMPLE, 150)}
    return field("instructions", words.CHANNEL_FORM_INSTRUCTIONS, element)


def _escalation(settings: ChannelSettings) -> list[Block]:
    to = settings.escalate_to
    people: Block = {"type": "users_select", "placeholder": plain(words.CHANNEL_FORM_PERSON_CHOOSE, 150)}
    places: Block = {
        "type": "conversations_select",
        "placeholder": plain(words.CHANNEL_FORM_CHANNEL_CHOOSE, 150),
        "filter": {"include": ["public", "private"], "exclude_external_shared_channels": True},
    }
    people |= {"initial_user": to} if to.startswith(("U", "W")) else {}
    places |= {"initial_conversation": to} if to.startswith(("C", "G")) else {}
    return [
        field("escalate_person", words.CHANNEL_FORM_PERSON, people, hint=words.CHANNEL_FORM_ESCALATE_HINT),
        field("escalate_channel", words.CHANNEL_FORM_CHANNEL, places),
    ]
