"""`strowger proxy`: a gateway for one profile or provider, on a port of its own, until a signal ends it."""

from __future__ import annotations

import os
from pathlib import Path

import click
from msgspec.structs import replace

from strowger.cli import names
from strowger.cli.config import config_option, profile_option
from strowger.cli.loop import run_async
from strowger.cli.serve import until_stopped
from strowger.cli.setup import load_setup, unset
from strowger.config.layers import Choice, Loaded
from strowger.errors import ConfigError
from strowger.launcher.host import Host, quiet_log
from strowger.launcher.pidfile import upstream
from strowger.launcher.setup import Setup, ephemeral


@click.command()
@config_option
@profile_option
@click.option(
    "--via",
    metavar="PROVIDER[:MODEL]",
    help="Where calls shall go, whatever they ask for.",
    shell_complete=names.providers,
)
@click.option("--bind", metavar="ADDRESS", help="Where to listen; 127.0.0.1 unless configured.")
@click.option("--port", type=click.IntRange(0, 65535), help="Any free one unless configured.")
@click.option("--pid-file", metavar="FILE", help="Another place to tell where it is.")
@click.option("--demo", is_flag=True, help="On the built-in demo model; needs no configuration.")
def proxy(
    path: Path | None,
    profile: str | None,
    via: str | None,
    bind: str | None,
    port: int | None,
    pid_file: str | None,
    demo: bool,
) -> int:
    """Run a gateway for one profile or provider, beside any other, until it is stopped.

    \b
        strowger proxy --via deepseek
        strowger proxy --profile work --port 5000

    It is for clients that you start yourself. [proxy] of the configuration says where it listens. What calls it answers
    is in its log; `strowger run` does not join it. Ctrl-C as with `strowger serve`.
    """
    flags = {"proxy.bind": bind, "proxy.port": port, "proxy.pid_file": pid_file}
    setup = load_setup(path, profile, demo=demo, via=via, flags=flags)
    if demo:
        given = {key.removeprefix("proxy."): value for key, value in flags.items() if value is not None}
        setup = replace(setup, config=replace(setup.config, proxy=replace(setup.config.proxy, **given)))
    if not setup.config.providers:
        raise ConfigError(
            "no provider is configured, so no model would answer",
            hint="`strowger config init` writes a configuration; `strowger proxy --demo` needs none",
        )
    for name, variable in unset(setup.config, os.environ).items():
        click.echo(f"{click.style('warning:', fg='yellow')} no key for {name}: {variable} is not set", err=True)
    own = ephemeral(_always_via(setup, via))
    log = quiet_log(own.config, os.environ)
    return run_async(lambda: until_stopped(own, "proxy", lambda host: _banner(host, own), log=log))


def _always_via(setup: Setup, via: str | None) -> Setup:
    """The same, going there also when its file has changed."""
    again = setup.again
    if via is None or again is None:
        return setup

    def read(choice: Choice) -> Loaded:
        return again(replace(choice, via=choice.via or via))

    return replace(setup, again=read)


def _banner(host: Host, setup: Setup) -> list[str]:
    config = setup.config
    to = (
        "the built-in demo model"
        if setup.demo
        else upstream(config) or f"by the model's name ({', '.join(config.providers)})"
    )
    pid_file = Path(config.proxy.pid_file).expanduser() if config.proxy.pid_file else host.pidfile
    return [
        f"local proxy ready at {host.url}",
        f'profile "{setup.profile or "default"}", upstream {to}',
        f"pidfile {pid_file}",
        "press Ctrl+C to stop",
    ]
