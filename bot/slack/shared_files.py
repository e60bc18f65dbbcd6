"""Reads files that people shared in Slack: for one question, or to be kept as knowledge."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot import words
from bot.attachments import AttachmentLimits, read_attachment, stored_name, why_unread
from bot.errors import BotError, SlackRefusedError, SlackSilentError
from bot.note_suggestions import NoteFile
from bot.slack.download import DownloadError, NotNowError, download
from bot.slack.features import TeamParts
from bot.slack.inert import clean
from bot.slack.limits import shorten
from bot.slack.parse import attached_files
from bot.turn import AttachedFile
from knowledge.errors import DocumentError
from knowledge.parse import ParsedDocument

logger = logging.getLogger(__name__)

# What an admin reads of a file before they decide: some pages.
_LONGEST_BEGINNING = 12_000


class UnreadFileError(BotError):
    """A file cannot be read, now or later; the message is fit for the person who shared it."""


@dataclass(frozen=True, kw_only=True)
class FilesToKeep:
    """What came of reading files that are to be kept."""

    files: tuple[NoteFile, ...]
    problems: Mapping[str, str]
    """Name -> why it cannot be kept."""


@dataclass(frozen=True, kw_only=True)
class SharedFiles:
    """Reads files of one team; may be used from several threads."""

    parts: TeamParts
    limits: AttachmentLimits = field(default_factory=AttachmentLimits)

    def read(self, file: AttachedFile, most_bytes: int | None = None) -> tuple[bytes, ParsedDocument]:
        """Read one file. Raises UnreadFileError where it cannot be read, NotNowError and SlackSilentError where it may
        be later."""
        parser, most = self.parts.equipment.parser, self.limits.bytes_of_one
        if parser is None:
            raise UnreadFileError(words.FILE_MISSING)
        if file.size > most:
            raise UnreadFileError(words.file_too_large(file.size, most))
        if most_bytes is not None and file.size > most_bytes:
            raise UnreadFileError(words.FILES_TOGETHER)
        most = most if most_bytes is None else min(most, most_bytes)
        client = self.parts.client
        try:
            url = file.url or self.describe(file.id).url
            content = download(url, token=str(client.token), api_url=client.base_url, most_bytes=most)
            document = read_attachment(parser, file.name, file.mimetype, content)
        except NotNowError:
            raise
        except DownloadError as error:
            logger.warning("file %s was not read: %s", file.id, error)
            raise UnreadFileError(words.FILE_MISSING) from error
        except DocumentError as error:
            logger.info("file %s cannot be read: %s", file.id, error)
            raise UnreadFileError(why_unread(error)) from error
        if not document.markdown.strip():
            raise UnreadFileError(words.FILE_NO_TEXT)
        return content, document

    def describe(self, file_id: str) -> AttachedFile:
        """What Slack says of a file now: an event may tell no more than its id."""
        try:
            told = self.parts.delivery.call("files.info", wait_seconds=1.0, file=file_id).get("file")
        except SlackRefusedError as error:
            logger.warning("file %s was not read: %s", file_id, error)
            raise UnreadFileError(words.FILE_MISSING) from error
        found = attached_files({"files": [told]})
        if not found:
            raise UnreadFileError(words.FILE_MISSING)
        return found[0]

    def to_keep(self, named: Sequence[tuple[str, str]]) -> FilesToKeep:
        """Read files that are to be kept, by id and name. Raises SlackSilentError where a later try may work."""
        kept: list[NoteFile] = []
        problems: dict[str, str] = {}
        for file_id, name in named:
            try:
                file = self.describe(file_id)
                content, document = self.read(file)
            except UnreadFileError as error:
                problems[name] = str(error)
            except NotNowError as error:
                raise SlackSilentError(f"file {file_id}: {error}") from error
            else:
                stored = stored_name(file.name, [one.stored for one in kept])
                beginning = shorten(clean(document.markdown).strip(), _LONGEST_BEGINNING)
                kept.append(NoteFile(id=file.id, name=file.name, stored=stored, content=content, text=beginning))
        return FilesToKeep(files=tuple(kept), problems=problems)
