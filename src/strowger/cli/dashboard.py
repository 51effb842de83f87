"""`strowger dashboard`: the page of a running gateway, in the browser."""

from __future__ import annotations

import os
import webbrowser

import click

from strowger.cli import render
from strowger.cli.loop import run_async
from strowger.cli.terminal import can_open
from strowger.client import Admin
from strowger.errors import GatewayError
from strowger.launcher import sessions
from strowger.launcher.sessions import Session


@click.command()
@click.option("--print", "only_print", is_flag=True, help="Print an address that stays good while the gateway runs.")
@click.option("--pid", type=int, help="Of the gateway, where several run; `strowger status` lists them.")
def dashboard(only_print: bool, pid: int | None) -> None:
    """Open the page of the running gateway: calls as they happen, sessions, usage, quota, errors.

    The address that is opened lets a browser in once, within two minutes. That of --print has the gateway's token in
    it: show it to nobody.
    """
    gateway = _gateway(pid)
    if only_print:
        click.echo(_address(gateway, f"token={gateway.admin_token}"))
        return
    address = _address(gateway, f"ticket={run_async(lambda: _ticket(gateway))}")
    click.echo(address)
    if not can_open(os.environ) or not _opened(address):
        click.echo("no browser could be started here: open the address within two minutes", err=True)
        click.echo(render.hint("--print gives one that stays good while the gateway runs"), err=True)


def _gateway(pid: int | None) -> Session:
    """The gateway that is meant: the newest that was started to be served from. Raises GatewayError."""
    found = sessions.running(sessions.directory(os.environ))
    if pid is not None:
        found = [session for session in found if session.pid == pid]
        if not found:
            raise GatewayError(f"no gateway runs in process {pid}", hint="`strowger status` lists those that run")
    if not found:
        raise GatewayError(
            "no gateway is running", hint="`strowger serve` starts one, `strowger serve --demo` to try it"
        )
    return next((session for session in found if session.kind == "serve"), found[0])


def _address(gateway: Session, secret: str) -> str:
    return f"{gateway.url}/_strowger/#{secret}"


async def _ticket(gateway: Session) -> str:
    async with Admin(gateway.url, gateway.admin_token) as admin:
        return await admin.ticket()


def _opened(address: str) -> bool:
    try:
        return webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return False
