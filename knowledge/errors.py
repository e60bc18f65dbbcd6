"""Everything the knowledge package raises on purpose.

KnowledgeError
├── SourceError
│   ├── SourceUnavailableError    the place itself is gone or unreachable: nothing is deleted because of it
│   └── SourceBusyError           another run is reading it at this moment
├── DocumentError                 one document cannot be used; the run goes on without it
│   ├── UnsupportedFormatError
│   ├── UnreadableDocumentError
│   │   ├── LockedDocumentError    it is encrypted
│   │   └── NoTextError            it holds pictures only, or nothing
│   └── ParseLimitError           the parser needed too much memory, processor or time
├── EmbedderError                 the embedding model is missing or does not load
├── EmbedderMismatchError         the index was built with another embedder
├── IndexFileError                a generation on disk does not match its manifest
└── DatabaseError                 the database cannot be opened, is full, or is not one of ours
"""


class KnowledgeError(Exception):
    """Base of this package's errors; the message names the thing, the value and the next step."""


class SourceError(KnowledgeError):
    """A source cannot be added or read."""


class SourceUnavailableError(SourceError):
    """The place a source points at is gone or unreachable."""


class SourceBusyError(SourceError):
    """Another run is reading this source at this moment."""


class DocumentError(KnowledgeError):
    """One document cannot be used."""


class UnsupportedFormatError(DocumentError):
    """No converter for this kind of file."""


class UnreadableDocumentError(DocumentError):
    """The converter could not read the document."""


class LockedDocumentError(UnreadableDocumentError):
    """The document is encrypted."""


class NoTextError(UnreadableDocumentError):
    """The document holds no text."""


class ParseLimitError(DocumentError):
    """The converter went over its memory, processor or time limit and was ended."""


class EmbedderError(KnowledgeError):
    """The embedding model cannot be loaded or used."""


class EmbedderMismatchError(KnowledgeError):
    """Stored vectors come from another embedder than the one in the settings."""


class IndexFileError(KnowledgeError):
    """A generation on disk is damaged or does not match its manifest."""


class DatabaseError(KnowledgeError):
    """The database cannot be opened or written."""
