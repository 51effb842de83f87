"""`strowger reload`: the running gateways read their configuration anew."""

from __future__ import annotations

import os

import click

from strowger.cli import render
from strowger.cli.loop import run_async
from strowger.client import Admin
from strowger.errors import GatewayError
from strowger.launcher import sessions

FAILED = 1


@click.command()
def reload() -> int:
    """Have the running gateways read their configuration anew.

    They follow their file by themselves; this says at once whether it can be used. Calls in flight finish as they
    began. Exit code 0 when every gateway has taken it, 1 when one has not or none is running.
    """
    results = run_async(_reload_all)
    if not results:
        click.echo("no gateway is running", err=True)
        click.echo(render.hint("`strowger serve` starts one"), err=True)
    for line, _ in results:
        click.echo(line)
    return 0 if results and all(taken for _, taken in results) else FAILED


async def _reload_all() -> list[tuple[str, bool]]:
    """A line for each gateway, and whether it has taken the configuration."""
    results: list[tuple[str, bool]] = []
    for session in sessions.running(sessions.directory(os.environ)):
        async with Admin(session.url, session.admin_token) as admin:
            try:
                waiting = await admin.reload()
            except GatewayError as error:
                results.append((f"{session.url}  goes on as it was: {error.message}", False))
                continue
        rest = f"; {', '.join(f'[{name}]' for name in waiting)} needs a new start" if waiting else ""
        results.append((f"{session.url}  has read {session.config or 'the environment'}{rest}", True))
    return results
