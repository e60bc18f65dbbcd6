"""The shape of Block Kit, as far as the bot and the page use it: every field, what is required, and the limits.

Nothing here decides where a block may stand; `blocks.py` does, and turns what is wrong into Slack's errors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


class Part(BaseModel):
    """Anything in Block Kit; Slack refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid", strict=True)


def _short(characters: int) -> Callable[[Any], Any]:
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
Text75 = Annotated[PlainText, AfterValidator(_short(75))]
Text150 = Annotated[PlainText, AfterValidator(_short(150))]
Text2000 = Annotated[PlainText, AfterValidator(_short(2000))]
Text24 = Annotated[PlainText, AfterValidator(_short(24))]


class Confirm(Part):
    title: Annotated[PlainText, AfterValidator(_short(100))]
    text: Annotated[Text, AfterValidator(_short(300))]
    confirm: Annotated[PlainText, AfterValidator(_short(30))]
    deny: Annotated[PlainText, AfterValidator(_short(30))]
    style: Style | None = None


class Option(Part):
    text: Annotated[Text, AfterValidator(_short(75))]
    value: Annotated[str, Field(max_length=150)]
    description: Annotated[Text, AfterValidator(_short(75))] | None = None
    url: Url | None = None


class OptionGroup(Part):
    label: Text75
    options: Annotated[list[Option], Field(min_length=1, max_length=100)]


class DispatchConfig(Part):
    trigger_actions_on: Annotated[list[Literal["on_enter_pressed", "on_character_entered"]], Field(min_length=1)]


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


class StaticSelect(Element):
    type: Literal["static_select"]
    placeholder: Text150 | None = None
    options: Annotated[list[Option], Field(min_length=1, max_length=100)] | None = None
    option_groups: Annotated[list[OptionGroup], Field(min_length=1, max_length=100)] | None = None
    initial_option: Option | None = None

    @model_validator(mode="after")
    def _one_source(self) -> StaticSelect:
        if (self.options is None) == (self.option_groups is None):
            raise ValueError("must have either options or option_groups")
        return self


class UsersSelect(Element):
    type: Literal["users_select"]
    placeholder: Text150 | None = None
    initial_user: str | None = None


class ConversationsSelect(Element):
    type: Literal["conversations_select", "channels_select"]
    placeholder: Text150 | None = None
    initial_conversation: str | None = None
    initial_channel: str | None = None
    default_to_current_conversation: bool = False
    filter: dict[str, Any] | None = None


class Overflow(Element):
    type: Literal["overflow"]
    options: Annotated[list[Option], Field(min_length=1, max_length=5)]


class RadioButtons(Element):
    type: Literal["radio_buttons"]
    options: Annotated[list[Option], Field(min_length=1, max_length=10)]
    initial_option: Option | None = None


class Checkboxes(Element):
    type: Literal["checkboxes"]
    options: Annotated[list[Option], Field(min_length=1, max_length=10)]
    initial_options: Annotated[list[Option], Field(min_length=1)] | None = None


class PlainTextInput(Element):
    type: Literal["plain_text_input"]
    placeholder: Text150 | None = None
    initial_value: Annotated[str, Field(max_length=3000)] | None = None
    multiline: bool = False
    min_length: Annotated[int, Field(ge=0, le=3000)] | None = None
    max_length: Annotated[int, Field(ge=1, le=3000)] | None = None
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


class SlackFile(Part):
    id: str | None = None
    url: str | None = None


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


Choice = StaticSelect | UsersSelect | ConversationsSelect | RadioButtons | Checkboxes
Accessory = Annotated[Button | Choice | Overflow | ImageElement, Field(discriminator="type")]
Action = Annotated[Button | Choice | Overflow, Field(discriminator="type")]
InputElement = Annotated[Choice | PlainTextInput, Field(discriminator="type")]
ContextElement = Annotated[PlainText | Mrkdwn | ImageElement, Field(discriminator="type")]
ContextAction = Annotated[FeedbackButtons | IconButton, Field(discriminator="type")]


class RichStyle(Part):
    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    underline: bool = False
    highlight: bool = False
    client_highlight: bool = False
    unlink: bool = False


class RichLeaf(Part):
    style: RichStyle | None = None


class RichTextText(RichLeaf):
    type: Literal["text"]
    text: Annotated[str, Field(min_length=1)]


class RichLink(RichLeaf):
    type: Literal["link"]
    url: Url
    text: str | None = None
    unsafe: bool = False


class RichUser(RichLeaf):
    type: Literal["user"]
    user_id: str


class RichChannel(RichLeaf):
    type: Literal["channel"]
    channel_id: str


class RichUsergroup(RichLeaf):
    type: Literal["usergroup"]
    usergroup_id: str


class RichEmoji(RichLeaf):
    type: Literal["emoji"]
    name: Annotated[str, Field(min_length=1)]
    unicode: str | None = None


class RichBroadcast(RichLeaf):
    type: Literal["broadcast"]
    range: Literal["here", "channel", "everyone"]


class RichColor(RichLeaf):
    type: Literal["color"]
    value: str


class RichDate(RichLeaf):
    type: Literal["date"]
    timestamp: int
    format: Annotated[str, Field(min_length=1)]
    url: Url | None = None
    fallback: str | None = None


RichInline = Annotated[
    RichTextText | RichLink | RichUser | RichChannel | RichUsergroup | RichEmoji | RichBroadcast | RichColor | RichDate,
    Field(discriminator="type"),
]


class RichSection(Part):
    type: Literal["rich_text_section"]
    elements: list[RichInline]


class RichList(Part):
    type: Literal["rich_text_list"]
    style: Literal["bullet", "ordered"]
    elements: Annotated[list[RichSection], Field(min_length=1)]
    indent: Annotated[int, Field(ge=0, le=8)] = 0
    offset: Annotated[int, Field(ge=0)] = 0
    border: Literal[0, 1] = 0


class RichQuote(Part):
    type: Literal["rich_text_quote"]
    elements: list[RichInline]
    border: Literal[0, 1] = 0


class RichPreformatted(Part):
    type: Literal["rich_text_preformatted"]
    elements: Annotated[list[Annotated[RichTextText | RichLink, Field(discriminator="type")]], Field(min_length=1)]
    border: Literal[0, 1] = 0
    language: str | None = None


RichContainer = Annotated[RichSection | RichList | RichQuote | RichPreformatted, Field(discriminator="type")]


class Block(Part):
    """Any block."""

    block_id: Annotated[str, Field(max_length=255)] | None = None


class Section(Block):
    type: Literal["section"]
    text: Text | None = None
    fields: (
        Annotated[list[Annotated[Text, AfterValidator(_short(2000))]], Field(min_length=1, max_length=10)] | None
    ) = None
    accessory: Accessory | None = None
    expand: bool = False

    @model_validator(mode="after")
    def _says_something(self) -> Section:
        if self.text is None and self.fields is None:
            raise ValueError("must have text or fields")
        return self


class Header(Block):
    type: Literal["header"]
    text: Text150


class Divider(Block):
    type: Literal["divider"]


class Context(Block):
    type: Literal["context"]
    elements: Annotated[list[ContextElement], Field(min_length=1, max_length=10)]


class Actions(Block):
    type: Literal["actions"]
    elements: Annotated[list[Action], Field(min_length=1, max_length=25)]


class ContextActions(Block):
    type: Literal["context_actions"]
    elements: Annotated[list[ContextAction], Field(min_length=1, max_length=5)]


class Input(Block):
    type: Literal["input"]
    label: Text2000
    element: InputElement
    hint: Text2000 | None = None
    optional: bool = False
    dispatch_action: bool = False


class Image(Block):
    type: Literal["image"]
    alt_text: Annotated[str, Field(min_length=1, max_length=2000)]
    image_url: Url | None = None
    slack_file: SlackFile | None = None
    title: Text2000 | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Image:
        if (self.image_url is None) == (self.slack_file is None):
            raise ValueError("must have either image_url or slack_file")
        return self


class Markdown(Block):
    type: Literal["markdown"]
    text: Annotated[str, Field(min_length=1, max_length=12_000)]


class RichText(Block):
    type: Literal["rich_text"]
    elements: Annotated[list[RichContainer], Field(min_length=1)]


AnyBlock = Annotated[
    Section | Header | Divider | Context | Actions | ContextActions | Input | Image | Markdown | RichText,
    Field(discriminator="type"),
]


class Modal(Part):
    """A modal as an app sends it."""

    type: Literal["modal"]
    title: Text24
    blocks: Annotated[list[AnyBlock], Field(max_length=100)]
    submit: Text24 | None = None
    close: Text24 | None = None
    private_metadata: Annotated[str, Field(max_length=3000)] = ""
    callback_id: Annotated[str, Field(max_length=255)] = ""
    external_id: Annotated[str, Field(max_length=255)] = ""
    clear_on_close: bool = False
    notify_on_close: bool = False
    submit_disabled: bool = False

    @model_validator(mode="after")
    def _can_be_submitted(self) -> Modal:
        if self.submit is None and any(block.type == "input" for block in self.blocks):
            raise ValueError("missing required field: submit")
        return self


class Home(Part):
    """A home tab as an app publishes it."""

    type: Literal["home"]
    blocks: Annotated[list[AnyBlock], Field(max_length=100)]
    private_metadata: Annotated[str, Field(max_length=3000)] = ""
    callback_id: Annotated[str, Field(max_length=255)] = ""
    external_id: Annotated[str, Field(max_length=255)] = ""
