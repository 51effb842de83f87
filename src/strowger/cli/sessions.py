"""`strowger sessions` and `strowger switch`: which clients run on the gateways, and where the calls of one shall go."""

from __future__ import annotations

import os

import click
import msgspec
from msgspec import Struct

from strowger.cli import names, render
from strowger.cli.loop import run_async
from strowger.cli.render import count, table
from strowger.client import Admin, Chosen, LaunchState
from strowger.errors import GatewayError
from strowger.launcher import sessions as pidfiles
from strowger.launcher.sessions import Session

NONE = 1

_SHOWN = 6
"""Characters of an id: enough to tell those of one user apart."""


class Running(Struct, frozen=True):
    """A client, and the gateway that it runs on."""

    gateway: Session
    launch: LaunchState

    @property
    def name(self) -> str:
        """What it is called by, here and in `strowger switch`."""
        return self.launch.id[:_SHOWN]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def sessions(as_json: bool) -> int:
    """List the clients that run on gateways of this machine, and where their calls go.

    Exit code 0 when there are any, 1 when there are none.
    """
    found = run_async(running)
    if as_json:
        listed = [
            {**msgspec.to_builtins(one.launch), "gateway": one.gateway.url, "gateway_pid": one.gateway.pid}
            for one in found
        ]
        click.echo(msgspec.json.format(msgspec.json.encode({"sessions": listed}), indent=2).decode())
    elif not found:
        click.echo("no client is running", err=True)
        click.echo(render.hint("`strowger run claude` starts one"), err=True)
    else:
        rows = [
            (one.name, one.launch.name, str(one.launch.pid), _goes(one.launch.profile, one.launch.via), one.gateway.url)
            for one in found
        ]
        for line in table(rows, header=("SESSION", "CLIENT", "PROCESS", "GOES BY", "GATEWAY")):
            click.echo(line)
    return 0 if found else NONE


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[SESSION] TO", shell_complete=names.choices)
def switch(words: tuple[str, ...]) -> None:
    """Have the calls of a running client go elsewhere from now on.

    \b
        strowger switch deepseek              the only client there is
        strowger switch 3fa9c1 work           by a profile
        strowger switch claude codex:gpt-5.5  via a provider, to one model
        strowger switch claude default        where all others go

    SESSION is the beginning of an id that `strowger sessions` lists, a client's name or its process. Calls in flight
    finish where they began; other clients are not affected.
    """
    if len(words) > 2:
        raise click.UsageError(f"one client, and where its calls shall go: {len(words)} words are too many")
    session = words[0] if len(words) == 2 else None
    one, chosen = run_async(lambda: _switch(session, words[-1]))
    way = _goes(chosen.profile, chosen.via)
    click.echo(f"{one.launch.name} ({one.name}) now goes {'' if way.startswith('via ') else 'by '}{way}")
    if news := room_news(chosen):
        click.echo(news, err=True)


def _goes(profile: str | None, via: str | None) -> str:
    words = [f"profile {profile}"] if profile else []
    words += [f"via {via}"] if via else []
    return ", ".join(words) or "the configuration"


def room_news(chosen: Chosen) -> str | None:
    """What a switch means for the length of a conversation whose client cannot be told any more; None: nothing."""
    if chosen.room == chosen.told_room:
        return None
    if chosen.room and (not chosen.told_room or chosen.room < chosen.told_room):
        there = f"{chosen.target} has room for a conversation of {chosen.room:,} tokens"
        return f"note: {there}; of that the client does not know, and compacts when it is refused"
    return f"note: the client goes on compacting at {chosen.told_room:,} tokens, as it was told when it started"


async def _switch(session: str | None, to: str) -> tuple[Running, Chosen]:
    one = _meant(await running(), session)
    async with Admin(one.gateway.url, one.gateway.admin_token) as admin:
        return one, await admin.switch(one.launch.id, to)


def _meant(found: list[Running], session: str | None) -> Running:
    """The client that a word stands for; without a word, the only one. Raises GatewayError."""
    if not found:
        raise GatewayError("no client is running", hint="`strowger run claude` starts one")
    fitting = [one for one in found if session is None or _fits(one, session)]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(f"{one.name} ({one.launch.name}, process {one.launch.pid})" for one in fitting or found)
    if fitting:
        what = count(len(fitting), "client") if session is None else f"{count(len(fitting), 'client')} called {session}"
        raise GatewayError(f"there are {what}", hint=f"name one: {listed}")
    raise GatewayError(f"there is no client `{session}`", hint=f"there are: {listed}")


def _fits(one: Running, session: str) -> bool:
    return session in (one.launch.name, str(one.launch.pid)) or one.launch.id.startswith(session.lower())


async def running() -> list[Running]:
    """Every client of every gateway that answers, the newest gateway first."""
    found: list[Running] = []
    for gateway in pidfiles.running(pidfiles.directory(os.environ)):
        async with Admin(gateway.url, gateway.admin_token) as admin:
            try:
                status = await admin.status()
            except GatewayError:
                continue  # `strowger status` tells of gateways that do not answer
        found.extend(Running(gateway, launch) for launch in status.launches)
    return found
