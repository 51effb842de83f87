"""`strowger toggle`: whether the plain command of an agent goes through Strowger. Writes nothing without a yes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from strowger.cli import render
from strowger.cli.config import config_option, profile_option
from strowger.errors import ConfigError, GatewayError
from strowger.launcher import clients, wrapper
from strowger.launcher.agents import AGENTS
from strowger.launcher.wrapper import State

OFF = 1


@click.command()
@click.argument("agent", required=False, type=click.Choice(list(AGENTS)))
@click.argument("word", required=False, metavar="[on|off|status]", type=click.Choice(["on", "off", "status"]))
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@config_option
@profile_option
@click.option("--via", metavar="PROVIDER[:MODEL]", help="Where its calls shall go, whatever it asks for.")
def toggle(
    agent: str | None, word: str | None, yes: bool, path: Path | None, profile: str | None, via: str | None
) -> int:
    """Have the plain command of an agent go through Strowger, or not.

    \b
        strowger toggle claude           the other way round
        strowger toggle claude on        from now on, `claude` is `strowger run claude`
        strowger toggle claude off       and is itself again
        strowger toggle claude status    exit code 0 when it is on, 1 when not
        strowger toggle                  how it is with each agent

    On, a small script with the agent's name stands before the agent in the PATH; where that is, and what to add to the
    PATH if need be, is told and asked first. Off takes away that script and nothing else. Neither the agent nor a file
    of your shell's is touched. With --config, --profile and --via, it goes as `strowger run` with these.
    """
    if agent is None:
        for line in render.table([(name, _told(wrapper.state(name, os.environ))) for name in AGENTS]):
            click.echo(line)
        return 0
    found = wrapper.state(agent, os.environ)
    if word == "status":
        click.echo(f"{agent}: {_told(found)}")
        _warn(agent, found)
        return 0 if found.in_force else OFF
    if word == "off" or (word is None and found.found):
        _off(agent, found)
        return 0
    _on(agent, yes, path, profile, via)
    return 0


def _on(agent: str, yes: bool, path: Path | None, profile: str | None, via: str | None) -> None:
    spec = AGENTS[agent]
    real = clients.find(agent, spec, os.environ)
    if real is None:
        raise GatewayError(f"there is no command `{agent}`", hint=spec.install)
    target = wrapper.place(agent, real, os.environ)
    _check(path, profile, via)
    given = (("--config", str(path.absolute()) if path else None), ("--profile", profile), ("--via", via))
    options = [word for option, value in given if value is not None for word in (option, value)]
    click.echo(f"{target} will start {agent} through Strowger; {real} stays as it is", err=True)
    _ask(yes)
    wrapper.install(target, wrapper.text(agent, wrapper.installation(), options, real))
    found = wrapper.state(agent, os.environ)
    click.echo(f"{agent}: {_told(found)}")
    _warn(agent, found)
    click.echo(render.hint(f"`hash -r` in shells that are open; `strowger toggle {agent} off` undoes it"), err=True)


def _off(agent: str, found: State) -> None:
    for each in found.found:
        wrapper.remove(each, os.environ)
        click.echo(f"removed {each.path}", err=True)
    click.echo(f"{agent}: {_told(wrapper.state(agent, os.environ))}")


def _ask(yes: bool) -> None:
    """Go on with a yes only."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nobody is there to say yes", hint="--yes does")
    if not click.confirm("Write it?", err=True):
        raise GatewayError("nothing was written")


def _check(path: Path | None, profile: str | None, via: str | None) -> None:
    """A command that does not start any more is found out now, not at the next start."""
    from strowger.cli.setup import load_setup

    if not load_setup(path, profile, via=via).config.providers:
        raise ConfigError(
            "no provider is configured, so no model would answer", hint="`strowger config init` writes a configuration"
        )


def _told(found: State) -> str:
    if found.in_force:
        return f"on ({found.front})"
    if found.found:
        return f"not yet on: {found.found[0].path} is not what the PATH leads to"
    return "off"


def _warn(agent: str, found: State) -> None:
    """What keeps a wrapper from being what a shell starts, and what mends it."""
    for each in found.found:
        if each.changed:
            click.echo(f"{click.style('warning:', fg='yellow')} {each.path} was changed since it was made", err=True)
    if not found.found or found.in_force:
        return
    folder = found.found[0].path.parent
    first = f"{found.front} comes first in the PATH" if found.front else f"{folder} is not in the PATH"
    click.echo(f"{click.style('warning:', fg='yellow')} `{agent}` does not go through Strowger yet: {first}", err=True)
    click.echo(f"  {wrapper.first_in_path(folder, os.environ)}", err=True)
