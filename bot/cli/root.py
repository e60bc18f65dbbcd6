"""The command `lorekeeper` itself: what every call has in common, and the list of its nouns."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import click

from bot.cli.advise import advise
from bot.cli.ask import ask
from bot.cli.credentials import credentials
from bot.cli.dataset import dataset
from bot.cli.doctor import doctor
from bot.cli.eval import evaluate
from bot.cli.feedback import feedback
from bot.cli.gaps import gaps
from bot.cli.gate import gate
from bot.cli.golden import golden
from bot.cli.history import history
from bot.cli.invocation import Invocation
from bot.cli.learn import learn
from bot.cli.manifest import manifest
from bot.cli.model_files import models
from bot.cli.playground import playground
from bot.cli.privacy import export, forget
from bot.cli.purge_check import purge_check
from bot.cli.run import run
from bot.cli.search import search
from bot.cli.setup import setup
from bot.cli.source_times import sources
from bot.cli.sync import sync
from bot.cli.tune import tune
from bot.cli.versions import versions
from bot.cli.watch import watch

# Libraries that tell their life at INFO: with --verbose, too, it is our own work that is to be seen.
_TALKATIVE = ("alembic", "apscheduler", "httpx", "httpcore", "huggingface_hub", "sentence_transformers", "urllib3")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="lorekeeper", message="%(prog)s %(version)s")
@click.option("--home", type=click.Path(path_type=Path), metavar="FOLDER", help="Keep all data in this folder.")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, and where an unexpected error comes from.")
@click.pass_context
def lorekeeper(context: click.Context, home: Path | None, verbose: bool) -> None:
    """Answer questions from your team's own knowledge, on your team's own machine.

    `lorekeeper playground` starts everything locally, without Slack. Settings are in lorekeeper.toml in the
    data folder; `lorekeeper doctor` lists them.
    """
    invocation = context.find_object(Invocation) or Invocation()
    context.obj = invocation if home is None else replace(invocation, home=home)
    _log(verbose)


def _log(verbose: bool) -> None:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, format=form)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # What admins did is logged also where nobody asked for more; the name is that of bot.slack.admins.AUDIT.
    logging.getLogger("bot.audit").setLevel(logging.INFO)


for _command in (
    playground,
    setup,
    run,
    ask,
    search,
    sources,
    credentials,
    sync,
    history,
    feedback,
    dataset,
    models,
    learn,
    tune,
    versions,
    evaluate,
    golden,
    gate,
    watch,
    advise,
    gaps,
    doctor,
    manifest,
    forget,
    export,
    purge_check,
):
    lorekeeper.add_command(_command)
