"""`strowger config`: write a first configuration, check it, show what is in force. Prints; decides nothing."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strowger.cli import names
from strowger.cli.importing import importing

if TYPE_CHECKING:
    from strowger.config import Loaded
    from strowger.config.validate import Problem

FILE = click.Path(dir_okay=False, path_type=Path)
config_option = click.option("--config", "path", type=FILE, help="The file to read, instead of the usual one.")
profile_option = click.option("--profile", help="Overlay the values of [profiles.NAME].", shell_complete=names.profiles)


@click.group()
def config() -> None:
    """Write, check and show the configuration."""


@config.command()
@click.option("--path", type=FILE, help="Where to write it, instead of the usual place.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init(path: Path | None, force: bool) -> None:
    """Write a first configuration, commented."""
    from strowger.config.paths import config_file
    from strowger.config.starter import starter, write_new
    from strowger.providers.presets import PRESETS

    given = path is not None
    path = path or config_file(os.environ)
    write_new(path, starter(os.environ, PRESETS), force=force)
    click.echo(f"wrote {path}")
    named = f" --config {path}" if given else ""
    click.echo(f"next: `strowger config check{named}`, then `strowger run{named} claude`", err=True)


@config.command()
@click.option("--path", type=FILE, help="Where to write it, instead of client.token beside the configuration.")
@click.option("--force", is_flag=True, help="Replace a file that is there: what clients send today is refused then.")
@click.option("--print", "printed", is_flag=True, help="Print the token, and write nothing.")
def token(path: Path | None, force: bool, printed: bool) -> None:
    """Make a token that clients must send, and say what to put into the configuration for it.

    It is written to a file that only you can read. Clients send it in the place of their key.
    """
    from strowger.config.paths import config_file
    from strowger.config.starter import write_new

    made = secrets.token_urlsafe(32)
    if printed:
        click.echo(made)
        return
    path = (path or config_file(os.environ).with_name("client.token")).absolute()
    write_new(path, f"{made}\n", force=force)
    click.echo(f"wrote {path}; what the configuration needs is", err=True)
    click.echo(f"[server]\nclient_token = {json.dumps(f'file:{path}', ensure_ascii=False)}")


@config.command()
@config_option
@profile_option
def check(path: Path | None, profile: str | None) -> None:
    """Look for mistakes. Exit code 2 when the configuration cannot be used."""
    import anyio

    from strowger.auth.sources import unreadable

    loaded = _load(path, profile)
    _check_prices(loaded)
    missing = anyio.run(unreadable, loaded, dict(os.environ))
    for problem in (*loaded.warnings, *missing):
        _print("warning: ", problem)
    for line in _summary(loaded):
        click.echo(line)


@config.command()
@config_option
@profile_option
@click.option("--origin", is_flag=True, help="Say where each value came from.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show(path: Path | None, profile: str | None, origin: bool, as_json: bool) -> None:
    """Show what is in force: every layer merged, references instead of secrets."""
    from strowger.config import describe

    loaded = _load(path, profile)
    text = describe.as_json(loaded, origins=origin) if as_json else describe.as_toml(loaded, origins=origin)
    click.echo(text, nl=False)


def _load(path: Path | None, profile: str | None) -> Loaded:
    """Load, or print every problem and leave with exit code 2."""
    from strowger.config import InvalidConfig, load
    from strowger.providers.presets import PRESETS

    try:
        return load(path, env=os.environ, presets=PRESETS, profile=profile)
    except InvalidConfig as error:
        for problem in error.problems:
            _print("", problem)
        raise click.exceptions.Exit(2) from None


def _check_prices(loaded: Loaded) -> None:
    """Read the price lists, as a gateway does at its start, or say why not and leave with exit code 2."""
    from strowger.config.validate import Problem
    from strowger.errors import ConfigError
    from strowger.routing import pricelists

    key = ("prices", "file")
    try:
        pricelists.load(loaded.config.prices.file, os.environ)
    except ConfigError as error:
        _print("", Problem(key, str(error), error.hint, loaded.place(key)))
        raise click.exceptions.Exit(2) from None


def _print(prefix: str, problem: Problem) -> None:
    place = f"{problem.where}: " if problem.where else ""
    click.echo(f"{place}{prefix}{problem.message}", err=True)
    if problem.hint:
        click.echo(f"hint: {problem.hint}", err=True)


def _summary(loaded: Loaded) -> list[str]:
    config = loaded.config
    counts = (("provider", len(config.providers)), ("route", len(config.routes)), ("alias", len(config.aliases)))
    plural = {"alias": "aliases"}
    listed = ", ".join(f"{count} {name if count == 1 else plural.get(name, name + 's')}" for name, count in counts)
    lines = [f"{loaded.path or 'no file'}: {listed}"]
    if not config.providers:
        lines.append("no provider is configured: `strowger config init` writes a file")
    return lines


config.add_command(importing)
