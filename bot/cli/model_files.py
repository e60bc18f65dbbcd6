"""`lorekeeper models`: which language models may be loaded."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bot.cli.invocation import Invocation
from bot.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from models.registry import ModelRegistry


@click.group()
def models() -> None:
    """List the allowed language models, or allow another one."""


@models.command("list")
@json_option
@click.pass_obj
def list_(invocation: Invocation, as_json: bool) -> None:
    """List the models that may be loaded; `model.name` in the settings names the one in use."""
    settings = invocation.settings()
    files = _registry(invocation).files()
    if as_json:
        rows = [{**asdict(file), "in_use": file.name == settings.file.model.name} for file in files]
        print_json({"models": rows})
        return
    print_table(
        ("", "name", "type", "size", "origin", "SHA-256", "file"),
        [
            (
                "*" if file.name == settings.file.model.name else "",
                file.name,
                file.quantization,
                f"{file.size / 1e6:.0f} MB",
                file.origin,
                file.sha256[:16],
                file.path,
            )
            for file in files
        ],
    )


@models.command()
@click.argument("source")
@click.option("--name", help="What `model.name` in the settings will call it; the file's own name unless given.")
@json_option
@click.pass_obj
def add(invocation: Invocation, source: str, name: str | None, as_json: bool) -> None:
    """Allow SOURCE, a GGUF file or a hub name such as owner/repository/file.gguf, after loading it once."""
    registry = _registry(invocation)
    file = registry.add(source, name or source.rpartition("/")[2].removesuffix(".gguf"))
    if as_json:
        print_json(asdict(file))
        return
    click.echo(f"{file.name} is allowed ({file.quantization}, SHA-256 {file.sha256}).")
    click.echo(f'To use it, set this in {invocation.settings().settings_file}:\n\n[model]\nname = "{file.name}"')


def _registry(invocation: Invocation) -> ModelRegistry:
    from bot.app import models_folder
    from models.registry import ModelRegistry

    return ModelRegistry(models_folder(invocation.settings()))
