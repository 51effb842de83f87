"""`strowger service`: the gateway as a service of the user's own, which is there whenever the user is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from strowger.cli.config import config_option, profile_option
from strowger.launcher import service as services
from strowger.launcher.wrapper import installation

NOT_RUNNING = 1


@click.group()
def service() -> None:
    """Run the gateway as a service of your own: a systemd unit, a launchd agent or a Windows task."""


@service.command()
@config_option
@profile_option
@click.option("--print", "only_print", is_flag=True, help="Show the file and the commands; do nothing.")
def install(path: Path | None, profile: str | None, only_print: bool) -> None:
    """Install and start it, or install it anew.

    It has none of your shell's variables: keys that the configuration takes from the environment go into the file that
    the unit names, or better into a keychain, a file or a command.
    """
    found = services.planned(_words(path, profile), os.environ)
    if only_print:
        click.echo(f"# {found.path}")
        click.echo(found.text, nl=False)
        for command in found.start:
            click.echo(f"# {' '.join(command)}")
        return
    _check(path, profile)
    services.install(found)
    click.echo(f"installed and started: {found.path}")


@service.command()
def uninstall() -> int:
    """End it and take it away. Exit code 1 when there was none."""
    found = services.planned(_words(None, None), os.environ)
    if not services.uninstall(found):
        click.echo("no service is installed", err=True)
        return NOT_RUNNING
    click.echo(f"ended and removed: {found.path}")
    return 0


@service.command()
def status() -> int:
    """Tell what the system says of it. Exit code 0 when it runs, 1 when it does not."""
    found = services.planned(_words(None, None), os.environ)
    said = services.state(found)
    click.echo(f"{found.path}: {said}")
    return 0 if said == "active" or "Running" in said or said.startswith("gui/") else NOT_RUNNING


def _words(path: Path | None, profile: str | None) -> tuple[str, ...]:
    """How this very installation is started, whatever the PATH of a service will be."""
    words = (*installation(), "serve")
    if path is not None:
        words = (*words, "--config", str(path.absolute()))
    return (*words, "--profile", profile) if profile else words


def _check(path: Path | None, profile: str | None) -> None:
    """A service that cannot start would be tried again and again: its user shall hear of it now."""
    from strowger.cli.setup import load_setup, unset

    setup = load_setup(path, profile)
    missing = unset(setup.config, services.own_variables(os.environ))
    for name, variable in missing.items():
        click.echo(
            f"{click.style('warning:', fg='yellow')} the service does not have {variable}, the key of {name}", err=True
        )
    if missing and sys.platform.startswith("linux"):
        click.echo(f"  write it into {services.environment_file(os.environ)}, or use a keychain", err=True)
