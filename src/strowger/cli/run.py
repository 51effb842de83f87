"""`strowger run`: the launcher's command. Everything it says goes to standard error; the output is the child's."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from strowger.cli import names
from strowger.cli.config import config_option, profile_option
from strowger.cli.loop import run_async
from strowger.config.layers import load
from strowger.config.schema import Config
from strowger.errors import ConfigError
from strowger.launcher.run import Order
from strowger.launcher.run import run as launch
from strowger.launcher.setup import Setup
from strowger.providers.presets import PRESETS


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--model", metavar="MODEL", help="The model that the client shall ask for.")
@click.option(
    "--via",
    metavar="PROVIDER[:MODEL]",
    help="Where its calls shall go, whatever it asks for.",
    shell_complete=names.providers,
)
@config_option
@profile_option
@click.option("--demo", is_flag=True, help="On the built-in demo model; needs no configuration.")
@click.option("--alone", is_flag=True, help="On a gateway of its own, even where one is running.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@click.argument("command")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(
    model: str | None,
    via: str | None,
    path: Path | None,
    profile: str | None,
    demo: bool,
    alone: bool,
    quiet: bool,
    command: str,
    arguments: tuple[str, ...],
) -> int:
    """Run a client on the gateway, with an environment that leads there.

    \b
        strowger run claude
        strowger run claude -- -p "what is this?"
        strowger run claude --via deepseek
        strowger run --model deepseek-chat ./agent.py

    A gateway that `strowger serve` runs is joined (with --demo, one of `strowger serve --demo`); else one is started
    for as long as the client lives. The exit code is the client's. One `--` after COMMAND is ours and is not handed on.
    """

    via, arguments = _via(via, arguments)

    def setup() -> Setup:
        from strowger.cli.setup import load_setup, unset

        found = load_setup(path, profile, demo=demo, via=via)
        if missing := unset(found.config, os.environ):
            each = ", ".join(f"{name} ({variable} is not set)" for name, variable in missing.items())
            tell(f"warning: no key for {each}")
        return found

    order = Order(
        command=command,
        arguments=arguments[1:] if arguments[:1] == ("--",) else arguments,
        model=model,
        config=path,
        profile=profile,
        via=via,
        demo=demo,
        alone=alone,
    )

    def tell(line: str) -> None:
        # In a script nobody wants our words among the client's; warnings are for everyone.
        if not quiet and (sys.stderr.isatty() or line.startswith("warning:")):
            click.echo(click.style(f"strowger: {line}", dim=True), err=True)

    direct = None if demo or alone else _without_gateway(path, profile, via)
    return run_async(lambda: launch(order, env=os.environ, setup=setup, tell=tell, ending=True, direct=direct))


def _without_gateway(path: Path | None, profile: str | None, via: str | None) -> Config | None:
    """The configuration, if it wants its clients to go without a gateway. Mistakes in it are told where it is used."""
    try:
        found = load(path, env=os.environ, presets=PRESETS, profile=profile, via=via).config
    except ConfigError:
        return None
    return None if found.proxy.enabled else found


def _via(via: str | None, arguments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """`--via` behind the command is ours too: no client has such an option. What follows `--` is the client's alone."""
    ours = arguments.index("--") if "--" in arguments else len(arguments)
    words, rest = list(arguments[:ours]), arguments[ours:]
    kept: list[str] = []
    while words:
        word = words.pop(0)
        if word.startswith("--via="):
            via = word.removeprefix("--via=")
        elif word == "--via":
            if not words:
                raise click.UsageError("Option '--via' requires an argument.")
            via = words.pop(0)
        else:
            kept.append(word)
    return via, (*kept, *rest)
