"""Everything the models package raises on purpose.

ModelError
├── ModelFileError            the file is missing, damaged or not a GGUF
│   └── ModelNotAllowedError  the file is not on the allow-list
├── DatasetError              a dataset's file is missing, damaged or of another kind
├── TuningError               a tuning run cannot begin or go on
├── ModelMemoryError          it would not fit into this machine's memory
├── GenerationError           generation failed; a retry may help
│   ├── ModelProcessDiedError the child process ended while it worked
│   ├── GenerationTimeoutError
│   └── PromptTooLongError
└── GenerationStopped         somebody asked to stop: not a failure
"""


class ModelError(Exception):
    """Base of this package's errors; the message names the thing, the value and the next step."""


class ModelFileError(ModelError):
    """A model file is missing, damaged or of the wrong kind."""


class ModelNotAllowedError(ModelFileError):
    """A model file whose SHA-256 nobody recorded."""


class DatasetError(ModelError):
    """A dataset is missing, damaged or of another kind."""


class TuningError(ModelError):
    """A tuning run cannot begin or go on."""


class ModelMemoryError(ModelError):
    """A model that would not fit into memory."""


class GenerationError(ModelError):
    """Text could not be generated."""


class ModelProcessDiedError(GenerationError):
    """The model process ended while it worked."""


class GenerationTimeoutError(GenerationError):
    """No text came within the deadline."""


class PromptTooLongError(GenerationError):
    """The prompt does not fit into the model's context."""


class GenerationStopped(ModelError):
    """Generation was stopped on request."""
