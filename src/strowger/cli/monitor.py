"""`strowger monitor`: what happens on the gateways of this machine, in the terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from strowger.cli.loop import run_async
from strowger.errors import GatewayError
from strowger.launcher import sessions

if TYPE_CHECKING:
    from strowger.tui.app import Monitor
    from strowger.tui.source import Find

INSTALL = "pip install 'strowger[tui]'"


@click.command()
def monitor() -> int:
    """Watch the calls of all running gateways: sessions, calls, what was said in them, what they cost.

    `?` tells the keys. Gateways that start later are found; nothing ends with the monitor.
    """
    if (why := hindrance()) is not None:
        raise GatewayError(f"the monitor needs a terminal: {why}", hint="`strowger flows tail` prints calls as lines")
    folder = sessions.directory(os.environ)
    app = monitor_of(lambda: sessions.running(folder))
    run_async(app.run_async)
    return app.return_code or 0


def hindrance() -> str | None:
    """Why there is no terminal to draw in; None where there is one. Textual draws on standard error."""
    for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("error", sys.stderr)):
        if not stream.isatty():
            return f"standard {name} is none"
    term = os.environ.get("TERM")
    return f"TERM is {term or 'not set'}" if term in (None, "", "dumb") else None


def monitor_of(find: Find, *, ends: str = "") -> Monitor:
    """The monitor of the gateways that are found. Raises GatewayError where Textual is not installed."""
    try:
        from strowger.tui.app import Monitor
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"textual", "rich"}:
            raise
        raise GatewayError("the monitor needs Textual, which is not installed", hint=INSTALL) from None
    return Monitor(find, ends=ends)
