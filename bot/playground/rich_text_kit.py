"""The shape of rich text in Block Kit: sections, lists, quotes and code, and what stands in them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bot.playground.block_parts import Part, Url


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
