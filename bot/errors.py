"""Everything the bot package raises on purpose. Errors of knowledge and models pass through as they are.

BotError
├── SettingsError       a key, value or environment variable is wrong: said at start
├── MisuseError         a command was called in a way that cannot work (exit code 2)
│   └── VersionError    a version is not there, or cannot be what it is to be
├── SlackSetupError     Slack refuses a token or a scope is missing
├── SlackSilentError    Slack did not reply: the call may have happened or not
│   └── SlackBusyError  Slack limits the rate for longer than we wait: the call has not happened
├── SlackRefusedError   Slack replied that it will not do this; `code` says why
├── PortInUseError      the playground's address is taken
└── QuestionError       an empty or far too long question; the message is fit for the person who asked
"""


class BotError(Exception):
    """Base of this package's errors; the message names the thing, the value and the next step."""


class SettingsError(BotError):
    """A setting is unknown or has a bad value."""


class MisuseError(BotError):
    """A command was called in a way that cannot work."""


class VersionError(MisuseError):
    """A version of the model is not there, or is in a state that this cannot be done in."""


class SlackSetupError(BotError):
    """Slack refuses what it was given."""


class SlackSilentError(BotError):
    """No usable reply came from Slack: what was asked may have happened or not."""


class SlackBusyError(SlackSilentError):
    """Slack limits the rate of this method: the call has certainly not happened."""


class SlackRefusedError(BotError):
    """Slack refused one call; `code` is its own word for the reason."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"Slack refused {method}: {code}. Its reference lists what this code asks for.")
        self.method = method
        self.code = code


class PortInUseError(BotError):
    """Another program listens on the playground's port."""


class QuestionError(BotError):
    """A question that cannot be answered as it stands; the message is fit for the person who asked."""
