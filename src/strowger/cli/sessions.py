"""`strowger sessions` and `strowger switch`: which clients run on the gateways, and where the calls of one shall go."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import click
import msgspec
from msgspec import Struct

from strowger.cli import names, render
from strowger.cli.loop import run_async
from strowger.cli.render import below_home, count, table
from strowger.client import Admin, Chosen, LaunchState
from strowger.errors import GatewayError
from strowger.launcher import sessions as pidfiles
from strowger.launcher.sessions import Session

NONE = 1

_SHOWN = 6
"""Characters of an id: enough to tell those of one user apart."""
_TOLD = 13
"""Of a client's own: those that begin with the time are the same for half a minute in the first eight."""
_ID = re.compile(r"[\w-]{4,200}", re.ASCII)


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
        header = ("SESSION", "CLIENT", "PROCESS", "GOES BY", "CONVERSATION", "WORKS IN", "GATEWAY")
        for line in table([_row(one) for one in found], header=header):
            click.echo(line)
    return 0 if found else NONE


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="[SESSION] TO", shell_complete=names.choices)
def switch(words: tuple[str, ...]) -> None:
    """Have the calls of a running client go elsewhere from now on.

    \b
        strowger switch deepseek              the only client there is, or the one that this is run in
        strowger switch 3fa9c1 work           by a profile
        strowger switch claude codex:gpt-5.5  via a provider, to one model
        strowger switch claude default        where all others go

    SESSION is a client's name, its process, or the beginning of an id that `strowger sessions` lists: ours, or the one
    that the client itself has for its conversation, as `strowger flows` shows it. Calls in flight finish where they
    began; other clients are not affected.
    """
    if len(words) > 2:
        raise click.UsageError(f"one client, and where its calls shall go: {len(words)} words are too many")
    session = words[0] if len(words) == 2 else None
    one, chosen = run_async(lambda: _switch(session, words[-1]))
    way = _goes(chosen.profile, chosen.via)
    click.echo(f"{one.launch.name} ({one.name}) now goes {'' if way.startswith('via ') else 'by '}{way}")
    if news := room_news(chosen):
        click.echo(news, err=True)


def _row(one: Running) -> tuple[str, ...]:
    launch = one.launch
    said = launch.sessions[0][:_TOLD] if launch.sessions else "-"
    works_in = below_home(launch.project) or "-"
    process = f"{launch.pid} (gone)" if launch.orphan else str(launch.pid)
    return one.name, launch.name, process, _goes(launch.profile, launch.via), said, works_in, one.gateway.url


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
    found = await running()
    one = meant(found, session, os.environ.get(pidfiles.OWN, ""))
    if one is None:
        raise await _not_there(found, session)
    async with Admin(one.gateway.url, one.gateway.admin_token) as admin:
        return one, await admin.switch(one.launch.id, to)


def meant(found: Sequence[Running], session: str | None, own: str = "") -> Running | None:
    """The client that a word stands for; without a word, that of our `own` launch, or the only one. None where there is
    none.

    Raises GatewayError where it may be several.
    """
    if session is None and own:
        for one in found:
            if one.launch.id == own:
                return one
    fitting = list(found) if session is None else _called(found, session)
    if len(fitting) > 1:  # one that was left behind is hardly meant, unless there is no other
        fitting = [one for one in fitting if not one.launch.orphan] or fitting
    if len(fitting) <= 1:
        return fitting[0] if fitting else None
    what = count(len(fitting), "client") if session is None else f"{count(len(fitting), 'client')} called {session}"
    raise GatewayError(f"there are {what}", hint=f"name one: {_listed(fitting)}")


def _called(found: Sequence[Running], word: str) -> list[Running]:
    """Those that a word names in full, or else those of which an id begins so."""
    named = [one for one in found if word in (one.launch.name, str(one.launch.pid), *_ids(one))]
    begun = (one for one in found if word and any(each.startswith((word, word.lower())) for each in _ids(one)))
    return named or list(begun)


def _ids(one: Running) -> tuple[str, ...]:
    return one.launch.id, *one.launch.sessions


async def _not_there(found: Sequence[Running], session: str | None) -> GatewayError:
    """Why there is no such client: it may have one that has ended, or that nobody can switch."""
    listed = f"there are: {_listed(found)}" if found else "`strowger run claude` starts one"
    if session is None:
        return GatewayError("no client is running", hint=listed)
    flow = await _last_call(session)
    if flow is None:
        return GatewayError(f"there is no client `{session}`" if found else "no client is running", hint=listed)
    what = f"{flow['program'] or 'the client'} in session {flow['session']}"
    if flow["launch"]:
        return GatewayError(f"{what} has ended", hint=listed)
    route = f'`[[routes]]` with `match = {{ session = "{flow["session"]}" }}` in the configuration'
    return GatewayError(f"{what} was not started by `strowger run`", hint=f"{route} sends its calls elsewhere")


async def _last_call(session: str) -> dict[str, Any] | None:
    """The last call of a client's own session, as far as a gateway knows of it."""
    if not _ID.fullmatch(session):
        return None
    for gateway in pidfiles.running(pidfiles.directory(os.environ)):
        async with Admin(gateway.url, gateway.admin_token) as admin:
            with suppress(GatewayError):
                for flow in await admin.flows(1, f"session:{session}"):
                    return flow
    return None


def _listed(found: Sequence[Running]) -> str:
    return ", ".join(f"{one.name} ({one.launch.name}, process {one.launch.pid}{_in(one)})" for one in found)


def _in(one: Running) -> str:
    return f", in {below_home(one.launch.project)}" if one.launch.project else ""


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
