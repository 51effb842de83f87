"""`strowger serve`: the gateway in the foreground, until a signal ends it. Prints on standard error only."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Literal

import anyio
import click

from strowger import __version__
from strowger.cli.config import config_option, profile_option
from strowger.cli.loop import run_async, settle_in
from strowger.cli.render import count, table
from strowger.cli.setup import load_setup, unset
from strowger.config.checks import is_loopback
from strowger.launcher.host import Host, hosted
from strowger.launcher.setup import Setup
from strowger.telemetry.logs import Log

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@config_option
@profile_option
@click.option("--bind", metavar="ADDRESS", help="Where to listen; 127.0.0.1 unless configured.")
@click.option("--port", type=click.IntRange(0, 65535), help="4000 unless configured; 0 is any free one.")
@click.option("--demo", is_flag=True, help="Serve the built-in demo model only; needs no configuration.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="What is logged.")
@click.option("--verbose", "-v", "log_level", flag_value="debug", help="Short for --log-level debug.")
@click.option("--log-file", metavar="FILE", help="Where the log goes, instead of standard error.")
def serve(
    path: Path | None,
    profile: str | None,
    bind: str | None,
    port: int | None,
    demo: bool,
    log_level: str | None,
    log_file: str | None,
) -> int:
    """Run the gateway until it is stopped.

    The first Ctrl-C (or SIGTERM) lets running calls finish for a while, the second ends them.
    """
    flags = {"server.bind": bind, "server.port": port, "log.level": log_level, "log.file": log_file}
    setup = load_setup(path, profile, demo=demo, flags=flags)
    return run_async(lambda: until_stopped(setup, "serve", lambda host: _banner(host, setup)))


async def until_stopped(
    setup: Setup,
    kind: Literal["serve", "proxy"],
    banner: Callable[[Host], Iterable[str]],
    *,
    log: Log | None = None,
) -> int:
    """Serve until the first signal; the second cancels what is draining. Gives the exit code."""
    stop = anyio.Event()
    forced = False

    async def watch(received: AsyncIterator[signal.Signals]) -> None:
        nonlocal forced
        async for _ in received:
            if stop.is_set():
                forced = True
                tasks.cancel_scope.cancel()
            stop.set()

    with anyio.open_signal_receiver(*_stopping()) as received:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch, received)
            async with hosted(setup, env=os.environ, kind=kind, log=log) as host:
                settle_in()
                for line in banner(host):
                    click.echo(line, err=True)
                await stop.wait()
                if sys.stderr.isatty():
                    click.echo(err=True)  # below the ^C
                if running := host.gateway.recorder.running:
                    click.echo(f"finishing {count(running, 'call')}; once more ends them", err=True)
            tasks.cancel_scope.cancel()
    return 130 if forced else 0


def _stopping() -> tuple[signal.Signals, ...]:
    """The signals to stop at. Started by `nohup`, a hang-up is ignored, and stays so."""
    return tuple(number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN)


def _banner(host: Host, setup: Setup) -> list[str]:
    config = setup.config
    lines = [f"{click.style('strowger', bold=True)} {__version__} listens on {click.style(host.url, bold=True)}"]
    if not is_loopback(config.server.bind):
        warning = f"other machines can reach this gateway: it listens on {config.server.bind}"
        lines.append(f"{click.style('warning:', fg='yellow')} {warning}")
    table_in_force = host.gateway.line.routes
    missing = {name: f"no key: {variable} is not set" for name, variable in unset(config, os.environ).items()}
    found = table_in_force.providers.values()
    providers = [(each.name, each.dialect, each.base_url, missing.get(each.name, "")) for each in found]
    lines += table(providers, indent=2)
    if not providers:
        lines.append(f"{click.style('warning:', fg='yellow')} no provider is configured, so no model can be asked for")
        lines.append("  `strowger config init` writes a configuration; `strowger serve --demo` needs none")
    shown = (("ANTHROPIC_BASE_URL", host.url), ("OPENAI_BASE_URL", f"{host.url}/v1"))
    lines += [f"  {name}={value}" for name, value in shown]
    joining = "strowger run --demo claude" if setup.demo else "strowger run claude"
    return [*lines, f"  or, in another terminal: {joining}", f"  pid file: {host.pidfile}"]
