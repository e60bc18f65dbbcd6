"""The shape of Block Kit, as far as the bot and the page use it: every field, what is required, and the limits.

Nothing here decides where a block may stand; `blocks.py` does, and turns what is wrong into Slack's errors.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from bot.playground.block_elements import Accessory, Action, ContextAction, ContextElement, InputElement
from bot.playground.block_parts import Part, SlackFile, Text, Text24, Text150, Text2000, Url, shorter_than
from bot.playground.rich_text_kit import RichContainer


class Block(Part):
    """Any block."""

    block_id: Annotated[str, Field(max_length=255)] | None = None


class Section(Block):
    type: Literal["section"]
    text: Text | None = None
    fields: (
        Annotated[list[Annotated[Text, AfterValidator(shorter_than(2000))]], Field(min_length=1, max_length=10)] | None
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


class RawText(Part):
    type: Literal["raw_text"]
    text: Annotated[str, Field(min_length=1)]


class RawNumber(Part):
    type: Literal["raw_number"]
    value: float | int
    text: str | None = None


class RichTextCell(Part):
    type: Literal["rich_text"]
    elements: Annotated[list[RichContainer], Field(min_length=1)]


class ColumnSetting(Part):
    align: Literal["left", "center", "right"] = "left"
    is_wrapped: bool = False


TableCell = Annotated[RawText | RawNumber | RichTextCell, Field(discriminator="type")]
TableRow = Annotated[list[TableCell], Field(min_length=1, max_length=20)]


class Table(Block):
    type: Literal["table"]
    rows: Annotated[list[TableRow], Field(min_length=1, max_length=100)]
    column_settings: Annotated[list[ColumnSetting | None], Field(max_length=20)] | None = None


class Source(Part):
    type: Literal["url"]
    url: Url
    text: Annotated[str, Field(min_length=1)]


class TaskCard(Block):
    """One step of what the app does; Slack makes it of `task_update`, and takes it as a block too."""

    type: Literal["task_card"]
    task_id: Annotated[str, Field(min_length=1, max_length=255)]
    title: Annotated[str, Field(min_length=1, max_length=256)]
    status: Literal["pending", "in_progress", "complete", "error"]
    details: RichTextCell | None = None
    output: RichTextCell | None = None
    sources: list[Source] | None = None


class Plan(Block):
    type: Literal["plan"]
    title: Annotated[str, Field(min_length=1)]
    tasks: list[TaskCard] | None = None


AnyBlock = Annotated[
    Section
    | Header
    | Divider
    | Context
    | Actions
    | ContextActions
    | Input
    | Image
    | Markdown
    | RichText
    | Table
    | TaskCard
    | Plan,
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
