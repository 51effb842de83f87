"""`strowger serve`: the gateway in the foreground, until a signal ends it. Prints on standard error only."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio
import click

from strowger import __version__
from strowger.cli.config import config_option, profile_option
from strowger.cli.loop import run_async, settle_in
from strowger.cli.monitor import INSTALL, hindrance, monitor_of
from strowger.cli.render import count, hint, table
from strowger.cli.setup import load_setup, unset
from strowger.config.checks import is_loopback
from strowger.errors import GatewayError
from strowger.launcher import sessions
from strowger.launcher.host import Host, hosted, quiet_log
from strowger.launcher.setup import Setup
from strowger.telemetry.logs import Log

if TYPE_CHECKING:
    from strowger.tui.app import Monitor

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
@click.option("--monitor/--no-monitor", default=None, help="Show calls on the whole screen; so it is on a terminal.")
def serve(
    path: Path | None,
    profile: str | None,
    bind: str | None,
    port: int | None,
    demo: bool,
    log_level: str | None,
    log_file: str | None,
    monitor: bool | None,
) -> int:
    """Run the gateway until it is stopped, on a terminal with the monitor.

    The first Ctrl-C (or SIGTERM, or q in the monitor) lets running calls finish for a while, the second ends them.
    """
    flags = {"server.bind": bind, "server.port": port, "log.level": log_level, "log.file": log_file}
    setup = load_setup(path, profile, demo=demo, flags=flags)
    screen = _screen if _is_wanted(monitor) else None
    # the screen is the monitor's, so the log keeps off it
    log = quiet_log(setup.config, os.environ) if screen is not None else None
    return run_async(lambda: until_stopped(setup, "serve", lambda host: _banner(host, setup), log=log, screen=screen))


def _is_wanted(asked: bool | None) -> bool:
    """Whether the monitor shall be opened. Raises GatewayError where it was asked for and cannot be."""
    if asked is False:
        return False
    if (why := hindrance()) is not None:
        if asked:
            raise GatewayError(
                f"the monitor needs a terminal: {why}", hint="`strowger serve --no-monitor` writes a log"
            )
        return False
    if importlib.util.find_spec("textual") is None:
        if asked:
            raise GatewayError("the monitor needs Textual, which is not installed", hint=INSTALL)
        click.echo(hint(f"{INSTALL} shows calls on the whole screen"), err=True)
        return False
    return True


def _screen() -> Monitor:
    """The monitor, which finds the gateway that runs here as it finds all others."""
    folder = sessions.directory(os.environ)
    return monitor_of(lambda: sessions.running(folder), ends="the gateway ends too")


async def watched(monitor: Monitor, stop: anyio.Event) -> None:
    """Show the monitor until it is left, or until something else stops us. One that breaks leaves the gateway alone."""

    async def show() -> None:
        await monitor.run_async()
        if not monitor.return_code:
            stop.set()
            return
        click.echo("the gateway goes on until Ctrl-C", err=True)
        click.echo(hint("`strowger monitor` opens another monitor, `strowger logs -f` shows the log"), err=True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(show)
        await stop.wait()
        if monitor.is_running:
            monitor.exit()


async def until_stopped(
    setup: Setup,
    kind: Literal["serve", "proxy"],
    banner: Callable[[Host], Iterable[str]],
    *,
    log: Log | None = None,
    screen: Callable[[], Monitor] | None = None,
) -> int:
    """Serve until the first signal, or until the screen is left; another signal cancels what is draining. Gives the
    exit code.
    """
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
                if screen is None:
                    for line in banner(host):
                        click.echo(line, err=True)
                    await stop.wait()
                else:
                    await watched(screen(), stop)
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
