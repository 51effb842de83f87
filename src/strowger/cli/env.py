"""`strowger env`: what a client needs in its environment to use a running gateway, as lines for a shell."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import click

from strowger.cli import names, render
from strowger.cli.loop import run_async
from strowger.client import Admin, Model, Prospect
from strowger.config.paths import state_dir
from strowger.errors import GatewayError
from strowger.launcher import clients, sessions
from strowger.launcher.agents import Spec
from strowger.launcher.sessions import Session
from strowger.launcher.settings import kept

# For a gateway that asks nobody who he is; clients insist on having something to send.
_ANYONE = "strowger"


def _posix(name: str, value: str | None) -> str:
    return f"unset {name}" if value is None else f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str | None) -> str:
    if value is None:
        return f"set -e {name}"
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{escaped}'"


def _powershell(name: str, value: str | None) -> str:
    if value is None:
        return f"Remove-Item Env:{name} -ErrorAction SilentlyContinue"
    doubled = value.replace("'", "''")
    return f"$env:{name} = '{doubled}'"


SHELLS: Mapping[str, Callable[[str, str | None], str]] = {
    "bash": _posix,
    "zsh": _posix,
    "sh": _posix,
    "fish": _fish,
    "pwsh": _powershell,
}


@click.command()
@click.option("--shell", type=click.Choice(list(SHELLS)), help="For which shell; that of $SHELL unless said.")
@click.option(
    "--via",
    metavar="PROVIDER",
    help="The provider that shall answer, whatever the routes say.",
    shell_complete=names.providers,
)
@click.option("--model", metavar="MODEL", help="The model that the client shall ask for.")
@click.argument("client")
def env(shell: str | None, via: str | None, model: str | None, client: str) -> None:
    """Print what a client needs in its environment to use the gateway that runs.

    \b
        eval "$(strowger env claude)"
        strowger env codex

    `strowger run` does more: a token of its own, and nothing left behind. What a client does not take from its
    environment follows as a comment. Nothing secret is printed: where the gateway wants a token, its place is named.
    """
    running = sessions.joinable(sessions.directory(os.environ))
    if not running:
        raise GatewayError("no gateway is running", hint="`strowger serve` starts one")
    write = SHELLS[shell or _own_shell(os.environ)]
    for line in _lines(running[0], client, write, via=via, model=model):
        click.echo(line)
    if sys.stdout.isatty():
        click.echo(render.hint(f'eval "$(strowger env {client})"'), err=True)


def _lines(
    session: Session, client: str, write: Callable[[str, str | None], str], *, via: str | None, model: str | None
) -> Iterator[str]:
    spec = clients.spec_for(client)
    token = f"sk-strowger-{via}" if via else _ANYONE
    before = dict(os.environ)
    menu = run_async(lambda: _menu(session)) if spec.picks_model else ()
    model = clients.pick(spec, model, via, menu)
    asked = [f"{via}:{name}" if via else name for name in clients.asked(spec, model, before)]
    seen = run_async(lambda: _prospect(session, spec, asked)) if asked else clients.NO_PROSPECT
    after = clients.environment(spec, before, url=session.url, token=token, model=model, menu=menu, prospect=seen)
    texts = clients.files(spec, before, url=session.url, model=model, menu=menu, prospect=seen)
    paths = kept(state_dir(os.environ) / "env", texts, spec.suffix)
    after |= paths
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield write(name, after.get(name))
    if words := clients.arguments(spec, url=session.url, model=model, paths=paths, prospect=seen):
        yield f"# and start it as: {client} {shlex.join(words)}"
    if spec.note:
        yield f"# {spec.note}"


async def _menu(session: Session) -> tuple[Model, ...]:
    async with Admin(session.url, session.admin_token) as admin:
        return (await admin.models()).models


async def _prospect(session: Session, spec: Spec, asked: Sequence[str]) -> Prospect:
    async with Admin(session.url, session.admin_token) as admin:
        with suppress(GatewayError):  # an older gateway does not know
            return await admin.prospect("", asked, knows=spec.knows, dialect=spec.dialect)
    return clients.NO_PROSPECT


def _own_shell(environment: Mapping[str, str]) -> str:
    name = Path(environment.get("SHELL", "")).name
    return name if name in SHELLS else "pwsh" if sys.platform == "win32" else "sh"
