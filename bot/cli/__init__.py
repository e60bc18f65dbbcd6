"""The command line: `lorekeeper NOUN VERB`.

One file per noun; nothing heavy is imported before a command runs, so that help is there at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from bot.cli.invocation import Invocation


def main() -> NoReturn:
    """Run the command of this process and end it with its exit code."""
    from bot.cli.root import lorekeeper

    sys.exit(execute(lorekeeper, sys.argv[1:]))


def execute(command: click.Command, arguments: Sequence[str], invocation: Invocation | None = None) -> int:
    """Run one command and return its exit code.

    Our own errors are one line on stderr and 1, misuse is 2, an interruption 130; never a traceback.
    """
    from bot.errors import BotError, MisuseError
    from knowledge.errors import KnowledgeError
    from models.errors import ModelError

    try:
        code = command.main(args=list(arguments), prog_name="lorekeeper", standalone_mode=False, obj=invocation)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone, as in `lorekeeper history | head`: closing stderr keeps Python
        # from complaining at the end.
        sys.stderr.close()
        return 1
    except MisuseError as error:
        return _fail(str(error), 2)
    except (BotError, KnowledgeError, ModelError) as error:
        return _fail(str(error), 1)
    except Exception as error:  # noqa: BLE001  the outermost edge: what arrives here is a defect
        return _unexpected(error)


def _fail(message: str, code: int) -> int:
    click.echo(f"Error: {message}", err=True)
    return code


def _unexpected(error: Exception) -> int:
    import logging

    logging.getLogger(__name__).debug("unexpected error", exc_info=error)
    reason = f"{type(error).__name__}: {error}".strip(": ")
    return _fail(f"unexpected {reason}. `lorekeeper --verbose ...` shows where it comes from.", 1)
