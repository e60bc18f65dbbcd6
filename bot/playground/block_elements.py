"""The elements of Block Kit: what people press, choose and fill in, with their limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bot.playground.block_parts import (
    Confirm,
    DispatchConfig,
    Id,
    Mrkdwn,
    Option,
    OptionGroup,
    Part,
    PlainOption,
    PlainText,
    SlackFile,
    Style,
    Text75,
    Text150,
    Url,
)

DATE = r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$"
TIME = r"^(?:[01]\d|2[0-3]):[0-5]\d$"
Number = Annotated[str, Field(pattern=r"^-?\d+(?:\.\d+)?$")]
AtLeastOne = Annotated[int, Field(ge=1)]


class Element(Part):
    """An interactive element."""

    action_id: Id | None = None
    confirm: Confirm | None = None
    focus_on_load: bool = False


class Button(Element):
    type: Literal["button"]
    text: Text75
    value: Annotated[str, Field(max_length=2000)] | None = None
    url: Url | None = None
    style: Style | None = None
    accessibility_label: Annotated[str, Field(max_length=75)] | None = None


class Offer(Element):
    """Something to choose from a list that the app gives."""

    options: Annotated[list[PlainOption], Field(min_length=1, max_length=100)] | None = None
    option_groups: Annotated[list[OptionGroup], Field(min_length=1, max_length=100)] | None = None
    placeholder: Text150 | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Offer:
        if (self.options is None) == (self.option_groups is None):
            raise ValueError("must have either options or option_groups")
        return self

    def _check_offered(self, chosen: list[PlainOption]) -> None:
        groups = self.option_groups or []
        offered = [*(self.options or []), *(option for group in groups for option in group.options)]
        if any(option not in offered for option in chosen):
            raise ValueError("initial option is not one of the options")


class StaticSelect(Offer):
    type: Literal["static_select"]
    initial_option: PlainOption | None = None

    @model_validator(mode="after")
    def _initial_is_offered(self) -> StaticSelect:
        self._check_offered([self.initial_option] if self.initial_option else [])
        return self


class MultiStaticSelect(Offer):
    type: Literal["multi_static_select"]
    initial_options: Annotated[list[PlainOption], Field(min_length=1)] | None = None
    max_selected_items: AtLeastOne | None = None

    @model_validator(mode="after")
    def _initial_are_offered(self) -> MultiStaticSelect:
        self._check_offered(self.initial_options or [])
        return self


class ExternalSelect(Element):
    type: Literal["external_select"]
    placeholder: Text150 | None = None
    initial_option: PlainOption | None = None
    min_query_length: Annotated[int, Field(ge=0)] | None = None


class MultiExternalSelect(Element):
    type: Literal["multi_external_select"]
    placeholder: Text150 | None = None
    initial_options: list[PlainOption] | None = None
    min_query_length: Annotated[int, Field(ge=0)] | None = None
    max_selected_items: AtLeastOne | None = None


class UsersSelect(Element):
    type: Literal["users_select"]
    placeholder: Text150 | None = None
    initial_user: str | None = None


class MultiUsersSelect(Element):
    type: Literal["multi_users_select"]
    placeholder: Text150 | None = None
    initial_users: list[str] | None = None
    max_selected_items: AtLeastOne | None = None


class ConversationFilter(Part):
    include: Annotated[list[Literal["im", "mpim", "private", "public"]], Field(min_length=1)] | None = None
    exclude_external_shared_channels: bool = False
    exclude_bot_users: bool = False


class ConversationsSelect(Element):
    type: Literal["conversations_select"]
    placeholder: Text150 | None = None
    initial_conversation: str | None = None
    default_to_current_conversation: bool = False
    response_url_enabled: bool = False
    filter: ConversationFilter | None = None


class MultiConversationsSelect(Element):
    type: Literal["multi_conversations_select"]
    placeholder: Text150 | None = None
    initial_conversations: list[str] | None = None
    default_to_current_conversation: bool = False
    max_selected_items: AtLeastOne | None = None
    filter: ConversationFilter | None = None


class ChannelsSelect(Element):
    type: Literal["channels_select"]
    placeholder: Text150 | None = None
    initial_channel: str | None = None
    response_url_enabled: bool = False


class MultiChannelsSelect(Element):
    type: Literal["multi_channels_select"]
    placeholder: Text150 | None = None
    initial_channels: list[str] | None = None
    max_selected_items: AtLeastOne | None = None


class Overflow(Element):
    type: Literal["overflow"]
    options: Annotated[list[PlainOption], Field(min_length=1, max_length=5)]


class RadioButtons(Element):
    type: Literal["radio_buttons"]
    options: Annotated[list[Option], Field(min_length=1, max_length=10)]
    initial_option: Option | None = None

    @model_validator(mode="after")
    def _initial_is_offered(self) -> RadioButtons:
        if self.initial_option is not None and self.initial_option not in self.options:
            raise ValueError("initial option is not one of the options")
        return self


class Checkboxes(Element):
    type: Literal["checkboxes"]
    options: Annotated[list[Option], Field(min_length=1, max_length=10)]
    initial_options: Annotated[list[Option], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _initial_are_offered(self) -> Checkboxes:
        if any(option not in self.options for option in self.initial_options or []):
            raise ValueError("initial option is not one of the options")
        return self


class DatePicker(Element):
    type: Literal["datepicker"]
    placeholder: Text150 | None = None
    initial_date: Annotated[str, Field(pattern=DATE)] | None = None


class TimePicker(Element):
    type: Literal["timepicker"]
    placeholder: Text150 | None = None
    initial_time: Annotated[str, Field(pattern=TIME)] | None = None
    timezone: str | None = None


class DateTimePicker(Element):
    type: Literal["datetimepicker"]
    initial_date_time: Annotated[int, Field(ge=1_000_000_000, le=9_999_999_999)] | None = None


class PlainTextInput(Element):
    type: Literal["plain_text_input"]
    placeholder: Text150 | None = None
    initial_value: Annotated[str, Field(max_length=3000)] | None = None
    multiline: bool = False
    min_length: Annotated[int, Field(ge=0, le=3000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=3000)] | None = None
    dispatch_action_config: DispatchConfig | None = None


class NumberInput(Element):
    type: Literal["number_input"]
    is_decimal_allowed: bool
    placeholder: Text150 | None = None
    initial_value: Number | None = None
    min_value: Number | None = None
    max_value: Number | None = None
    dispatch_action_config: DispatchConfig | None = None

    @model_validator(mode="after")
    def _range_is_open(self) -> NumberInput:
        if self.min_value is not None and self.max_value is not None and float(self.min_value) > float(self.max_value):
            raise ValueError("min_value is greater than max_value")
        return self


class AddressInput(Element):
    type: Literal["email_text_input", "url_text_input"]
    placeholder: Text150 | None = None
    initial_value: str | None = None
    dispatch_action_config: DispatchConfig | None = None


class FeedbackSide(Part):
    text: Text75
    value: Annotated[str, Field(min_length=1, max_length=2000)]
    accessibility_label: Annotated[str, Field(max_length=75)] | None = None


class FeedbackButtons(Part):
    type: Literal["feedback_buttons"]
    action_id: Id | None = None
    positive_button: FeedbackSide
    negative_button: FeedbackSide


class IconButton(Part):
    type: Literal["icon_button"]
    action_id: Id | None = None
    icon: Literal["trash"]
    text: Text75
    value: Annotated[str, Field(max_length=2000)] | None = None
    accessibility_label: Annotated[str, Field(max_length=75)] | None = None
    visible_to_user_ids: list[str] | None = None
    confirm: Confirm | None = None


class ImageElement(Part):
    type: Literal["image"]
    alt_text: Annotated[str, Field(min_length=1, max_length=2000)]
    image_url: Url | None = None
    slack_file: SlackFile | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ImageElement:
        if (self.image_url is None) == (self.slack_file is None):
            raise ValueError("must have either image_url or slack_file")
        return self


Choice = (
    StaticSelect
    | ExternalSelect
    | UsersSelect
    | ConversationsSelect
    | ChannelsSelect
    | RadioButtons
    | Checkboxes
    | DatePicker
    | TimePicker
)
MultiChoice = (
    MultiStaticSelect | MultiExternalSelect | MultiUsersSelect | MultiConversationsSelect | MultiChannelsSelect
)
Accessory = Annotated[Button | Choice | MultiChoice | Overflow | ImageElement, Field(discriminator="type")]
Action = Annotated[Button | Choice | MultiChoice | DateTimePicker | Overflow, Field(discriminator="type")]
InputElement = Annotated[
    Choice | MultiChoice | DateTimePicker | PlainTextInput | NumberInput | AddressInput, Field(discriminator="type")
]
ContextElement = Annotated[PlainText | Mrkdwn | ImageElement, Field(discriminator="type")]
ContextAction = Annotated[FeedbackButtons | IconButton, Field(discriminator="type")]
