"""`strowger status` and `strowger models`: who is running, and what can be asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
import msgspec
from msgspec import Struct

from strowger.cli import render
from strowger.cli.config import config_option, profile_option
from strowger.cli.loop import run_async
from strowger.cli.quota import trouble_lines
from strowger.cli.render import count, duration, table
from strowger.client import Admin, Catalog, RouteState, Status, StoreState
from strowger.errors import Forbidden, GatewayError, TimedOut, Unreachable
from strowger.launcher import sessions
from strowger.launcher.sessions import Session

NOT_RUNNING = 1


class Found(Struct, frozen=True):
    """A session, and what its gateway says of itself and of its store, or why it says nothing."""

    session: Session
    status: Status | None = None
    store: StoreState | None = None
    problem: str | None = None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> int:
    """Tell which gateways are running, and how they are.

    Exit code 0 when one is running, 1 when none is.
    """
    found = run_async(_ask_all)
    if as_json:
        click.echo(
            msgspec.json.format(msgspec.json.encode({"gateways": [_plain(one) for one in found]}), indent=2).decode()
        )
    elif not found:
        click.echo("no gateway is running", err=True)
        click.echo(render.hint("`strowger serve` starts one"), err=True)
    else:
        click.echo("\n\n".join("\n".join(_lines(one)) for one in found))
    return 0 if any(one.status for one in found) else NOT_RUNNING


@click.command()
@config_option
@profile_option
@click.option("--demo", is_flag=True, help="Those of the built-in demo provider.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def models(path: Path | None, profile: str | None, demo: bool, as_json: bool) -> None:
    """List the models that can be asked for, and where each leads.

    A running gateway is asked; without one, the configuration and its providers are.
    """
    found = run_async(lambda: _models(path, profile, demo=demo))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    rows = [(x.id, f"{x.provider}:{x.model}", x.display_name) for x in found.models if not x.discovery]
    for line in table(rows, header=("MODEL", "LEADS TO", "NAME")):
        click.echo(line)
    for name, problem in found.problems.items():
        click.echo(f"{click.style('warning:', fg='yellow')} {name} lists no models: {problem}", err=True)
    if not rows and not found.problems:
        click.echo("no model is configured: `strowger config init` writes a configuration", err=True)


async def _models(path: Path | None, profile: str | None, *, demo: bool) -> Catalog:
    folder = sessions.directory(os.environ)
    for session in () if demo else sessions.joinable(folder, config=path, profile=profile):
        async with Admin(session.url, session.admin_token) as admin:
            with suppress(Unreachable, TimedOut, Forbidden):
                return await admin.models()
    from strowger.cli.setup import load_setup
    from strowger.gateway.app import build

    setup = load_setup(path, profile, demo=demo)
    async with build(setup.config, env=os.environ) as gateway:
        entries = await gateway.models.entries(gateway.line.routes)
        problems = gateway.models.problems(gateway.line.routes)
    return msgspec.convert({"models": msgspec.to_builtins(entries), "problems": problems}, Catalog)


async def _ask_all() -> list[Found]:
    return [await _ask(session) for session in sessions.running(sessions.directory(os.environ))]


async def _ask(session: Session) -> Found:
    async with Admin(session.url, session.admin_token) as admin:
        try:
            found = await admin.status()
            store = None
            with suppress(GatewayError):  # a gateway of an earlier version has none
                store = await admin.store()
            return Found(session, found, store)
        except GatewayError as error:
            return Found(session, problem=error.message)


def _plain(one: Found) -> dict[str, object]:
    """All that may be shown: everything but the admin token."""
    session = msgspec.to_builtins(one.session)
    del session["admin_token"], session["process_start"]
    return {**session, "status": one.status, "store": one.store, "problem": one.problem}


def _lines(one: Found) -> list[str]:
    session, found = one.session, one.status
    what = f"for {session.command}" if session.command else ""
    if found is None:
        return [f"{session.url}  process {session.pid} {what} does not answer: {one.problem}"]
    calls = found.calls
    told = [
        count(calls.total, "call"),
        f"{calls.running} running",
        f"{calls.failed} failed",
        f"{calls.cancelled} cancelled",
    ]
    if calls.stopped:
        told.append(f"{calls.stopped} stopped by a budget")
    lines = [
        f"{click.style(session.url, bold=True)}  process {session.pid}, up {duration(found.uptime)} {what}".rstrip(),
        f"  strowger {found.version}, {session.config or 'no configuration file'}",
        f"  {', '.join(told)}",
    ]
    rows = [
        (each.name, each.dialect, each.base_url, _credential(each.credential, each.problem)) for each in found.providers
    ]
    lines += table(rows, indent=2, header=("PROVIDER", "DIALECT", "ADDRESS", "CREDENTIAL"))
    routes = [(condition(route), " → ".join((route.to, *route.fallback)), route.name) for route in found.routes]
    routes += [(alias, target, "alias") for alias, target in found.aliases.items()]
    lines += table(routes, indent=2, header=("ASKED FOR", "GOES TO", "ROUTE"))
    shown = {name for route in found.routes for name in route.model} | set(found.aliases)
    if others := [name for name in found.models if name not in shown]:
        lines.append(f"  and by name: {', '.join(others)}")
    lines += [f"  {line}" for line in trouble_lines(found.resting, found.breakers, time.time())]
    if one.store is not None:
        lines += [f"  {line}" for line in store_lines(one.store)]
    if found.launches:
        lines.append(f"  clients: {', '.join(f'{each.name} (process {each.pid})' for each in found.launches)}")
    return lines


def store_lines(store: StoreState) -> Iterator[str]:
    """What keeps calls from being stored, a line for each."""
    if store.problem:
        yield f"{click.style('warning:', fg='yellow')} the store of calls: {store.problem}"
    if store.flows_dropped or store.bodies_dropped:
        dropped = f"{count(store.flows_dropped, 'call')}, and what was said in {store.bodies_dropped}"
        yield f"{click.style('warning:', fg='yellow')} were not stored since the start: {dropped}"


def condition(route: RouteState) -> str:
    """What a route asks of a call, in a few words."""
    parts = [", ".join(route.model) or "any model"]
    listed = {
        "class": route.request_class,
        "agent": route.agent,
        "agent id": route.agent_id,
        "session": route.session,
        "effort": route.effort,
        "tool": route.tool,
    }
    parts += [f"{what} {', '.join(globs)}" for what, globs in listed.items() if globs]
    sizes = ((route.prompt_over, "over"), (route.prompt_under, "under"))
    parts += [f"prompts {side} {size:,} tokens" for size, side in sizes if size is not None]
    switches = {
        ("sub-agents only", "no sub-agents"): route.subagent,
        ("thinking", "not thinking"): route.thinking,
        ("plan mode", "not in plan mode"): route.plan,
        ("with pictures", "without pictures"): route.images,
    }
    parts += [yes if value else no for (yes, no), value in switches.items() if value is not None]
    return "; ".join(parts)


def _credential(state: str, problem: str | None) -> str:
    words = {"ok": "found", "none": "none needed", "client": "the client's own"}.get(state, state)
    return f"{words}: {problem}" if problem else words
