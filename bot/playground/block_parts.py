"""The small parts of Block Kit that elements and blocks are made of: texts, options, confirmations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Part(BaseModel):
    """Anything in Block Kit; Slack refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True)


def shorter_than(characters: int) -> Callable[[Any], Any]:
    """Make a check of a text object's length."""

    def check(text: Any) -> Any:
        if len(text.text) > characters:
            raise ValueError(f"must be less than {characters + 1} characters")
        return text

    return check


Id = Annotated[str, Field(min_length=1, max_length=255)]
Url = Annotated[str, Field(min_length=1, max_length=3000)]
Style = Literal["primary", "danger"]


class PlainText(Part):
    type: Literal["plain_text"]
    text: Annotated[str, Field(min_length=1, max_length=3000)]
    emoji: bool = True


class Mrkdwn(Part):
    type: Literal["mrkdwn"]
    text: Annotated[str, Field(min_length=1, max_length=3000)]
    verbatim: bool = False


Text = Annotated[PlainText | Mrkdwn, Field(discriminator="type")]
Text75 = Annotated[PlainText, AfterValidator(shorter_than(75))]
Text150 = Annotated[PlainText, AfterValidator(shorter_than(150))]
Text2000 = Annotated[PlainText, AfterValidator(shorter_than(2000))]
Text24 = Annotated[PlainText, AfterValidator(shorter_than(24))]


class Confirm(Part):
    title: Annotated[PlainText, AfterValidator(shorter_than(100))]
    text: Annotated[Text, AfterValidator(shorter_than(300))]
    confirm: Annotated[PlainText, AfterValidator(shorter_than(30))]
    deny: Annotated[PlainText, AfterValidator(shorter_than(30))]
    style: Style | None = None


class Option(Part):
    text: Annotated[Text, AfterValidator(shorter_than(75))]
    value: Annotated[str, Field(max_length=150)]
    description: Annotated[Text, AfterValidator(shorter_than(75))] | None = None
    url: Url | None = None


class PlainOption(Part):
    """An option of a menu, which shows no formatting."""

    text: Text75
    value: Annotated[str, Field(max_length=150)]
    description: Text75 | None = None
    url: Url | None = None


class OptionGroup(Part):
    label: Text75
    options: Annotated[list[PlainOption], Field(min_length=1, max_length=100)]


class DispatchConfig(Part):
    trigger_actions_on: Annotated[list[Literal["on_enter_pressed", "on_character_entered"]], Field(min_length=1)]


class SlackFile(Part):
    id: str | None = None
    url: str | None = None
