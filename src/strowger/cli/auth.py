"""`strowger logout` and `strowger auth`: which logins there are, how they are, and their end. Never shows a token."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Literal

import anyio
import anyio.to_thread
import click
import msgspec

from strowger.auth.codex_file import codex_file, read_codex_file
from strowger.auth.files import make_private_dir
from strowger.auth.issuers import Issuer
from strowger.auth.locks import locked
from strowger.auth.oauth import ask_revoke, iso, read_revoke
from strowger.auth.stores import Entry, Login, LoginStore, check_name, login_command
from strowger.cli import render
from strowger.cli.login import LOCK_SECONDS, fresh, known, put, tell
from strowger.cli.loop import run_async
from strowger.cli.render import duration, table
from strowger.config.validate import suggest
from strowger.errors import CredentialError, GatewayError, LoginNeeded

NONE = 1

State = Literal["ok", "expired", "login_needed", "unreadable"]

_WORDS: dict[State, str] = {
    "ok": "ok",
    "expired": "expired, is renewed when used",
    "login_needed": "login needed",
    "unreadable": "unreadable",
}

_SHARED = """\
This copies Codex's login. The two programs then share one refresh token, which is good once: whichever renews
first logs the other out, mostly within days. `strowger login codex` makes a login of our own, which does not.
Codex's file is only read."""


@click.command()
@click.argument("issuer", metavar="ISSUER")
@click.option("--name", default="", help="Which login, where it has a name.")
def logout(issuer: str, name: str) -> None:
    """End a login: at its issuer, where it can be ended there, and on this machine in any case."""
    found = known(issuer)
    store = LoginStore(os.environ)
    path = store.path(found.name, name)
    if not path.exists():
        label = f"{found.name}/{name}" if name else found.name
        hint = suggest(label, [entry.label for entry in store.list()], what="there are")
        raise LoginNeeded(f"there is no login for {label}", hint=hint)
    problem = run_async(lambda: _logged_out(found, store, name))
    click.echo(f"logged out of {found.title}{f' ({found.name}/{name})' if name else ''}: {path} is gone", err=True)
    if problem:
        click.echo(f"{click.style('warning:', fg='yellow')} {problem}", err=True)


@click.group()
def auth() -> None:
    """Show the logins there are, or copy one from another program."""


@auth.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--check", is_flag=True, help="Renew those that are due: that shows whether they are still taken.")
def status(as_json: bool, check: bool) -> int:
    """Show every login: whose it is, until when it is good, where it is kept.

    Exit code 1 when there is none that can be used.
    """
    store = LoginStore(os.environ)
    entries = run_async(lambda: _checked(store)) if check else store.list()
    entries.sort(key=lambda entry: (entry.issuer, entry.name))
    if as_json:
        logins = [_plain(entry) for entry in entries]
        click.echo(msgspec.json.format(msgspec.json.encode({"logins": logins}), indent=2).decode())
    elif not entries:
        click.echo("there is no login", err=True)
        hint = "`strowger login codex` or `strowger login kimi` makes one; keys are in `strowger status`"
        click.echo(render.hint(hint), err=True)
    else:
        for line in table([_row(entry) for entry in entries], header=_HEADER):
            click.echo(line)
        for entry in entries:
            if entry.problem is not None:
                _warn(entry)
    return 0 if any(_state(entry) in {"ok", "expired"} for entry in entries) else NONE


@auth.command("import")
@click.argument("program", type=click.Choice(["codex"]), metavar="codex")
@click.option("--from", "path", type=click.Path(dir_okay=False, path_type=Path), help="Its file, if it is elsewhere.")
@click.option("--name", default="", help="A name for the copy.")
@click.option("--keychain", is_flag=True, help="Keep the copy in the system's keychain instead of a file.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def import_(program: str, path: Path | None, name: str, keychain: bool, yes: bool) -> None:
    """Copy the login of another program. It is better to have one of your own: `strowger login codex`.

    Codex's is at ~/.codex/auth.json, or in $CODEX_HOME. The file is only read.
    """
    issuer = known(program)
    if name:
        check_name(name)
    copied = read_codex_file(path or codex_file(os.environ))
    click.echo(_SHARED, err=True)
    _confirm(yes)
    new = fresh(issuer, copied.tokens, name=name, keychain=keychain)
    new = msgspec.structs.replace(
        new,
        holder=msgspec.structs.replace(new.holder, account_id=new.holder.account_id or copied.account_id),
        refreshed_at=copied.refreshed_at,
    )
    store = LoginStore(os.environ)
    make_private_dir(store.directory)
    run_async(lambda: put(store, new))
    tell(issuer, new, store)


def _confirm(yes: bool) -> None:
    """Ask, where there is somebody to be asked. Raises UsageError where nobody is, and Exit for a no."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise click.UsageError("nobody can be asked here: say --yes")
    if not click.confirm("\nCopy it all the same?", err=True):
        click.echo("nothing was copied", err=True)
        raise click.exceptions.Exit(1)


# ---- logout ----


async def _logged_out(issuer: Issuer, store: LoginStore, name: str) -> str:
    """Forget a login while no gateway renews it, having told the issuer. Gives what did not work."""
    async with locked(store.shelf(issuer.name, name).lock_path, seconds=LOCK_SECONDS):
        try:
            problem = await _revoked(issuer, await anyio.to_thread.run_sync(store.load, issuer.name, name))
        except CredentialError as error:
            problem = f"it was not ended at {issuer.title}: {error.message}"
        await anyio.to_thread.run_sync(store.delete, issuer.name, name)
    return problem


async def _revoked(issuer: Issuer, stored: Login) -> str:
    """Have the issuer end a login. Gives why it did not."""
    from strowger.cli.outside import outside
    from strowger.providers.exchange import exchange

    if _is_codex_own(stored):
        return "Codex uses the same login, so it was not ended at the issuer"
    ask = ask_revoke(issuer, stored.tokens, device_id=stored.device_id)
    if ask is None:
        return f"{issuer.title} offers no way to end it there; its tokens run out by themselves"
    try:
        async with outside() as upstream:
            read_revoke(await exchange(upstream, timeout=10.0)(ask))
    except GatewayError as error:
        return f"it could not be ended at {issuer.title}, where it goes on until it runs out: {error.message}"
    return ""


def _is_codex_own(stored: Login) -> bool:
    """Whether Codex has this very login too, as after `auth import`: it would be logged out as well."""
    if stored.issuer != "codex" or stored.tokens.refresh is None:
        return False
    try:
        return read_codex_file(codex_file(os.environ)).tokens.refresh == stored.tokens.refresh
    except CredentialError:
        return False


# ---- status ----

_HEADER = ("LOGIN", "ACCOUNT", "PLAN", "EXPIRES", "STATE", "LAST RENEWED", "KEPT IN")


async def _checked(store: LoginStore) -> list[Entry]:
    """Every login, after those that are due have been renewed; what kept one from it is its problem."""
    from strowger.auth.refreshing import OAuthSource
    from strowger.cli.outside import outside
    from strowger.providers.exchange import exchange

    problems: dict[str, CredentialError] = {}
    async with outside() as upstream:
        for entry in await anyio.to_thread.run_sync(store.list):
            if entry.login is not None:
                shelf = store.shelf(entry.issuer, entry.name)
                try:
                    await OAuthSource(shelf, known(entry.issuer), exchange=exchange(upstream)).credential()
                except CredentialError as error:
                    problems[entry.label] = error
    return [
        msgspec.structs.replace(entry, problem=problems.get(entry.label, entry.problem))
        for entry in await anyio.to_thread.run_sync(store.list)
    ]


def _state(entry: Entry) -> State:
    if isinstance(entry.problem, LoginNeeded):
        return "login_needed"
    if entry.login is None:
        return "unreadable"
    tokens = entry.login.tokens
    if tokens.expires_at is None or tokens.expires_at > time.time():
        return "ok"
    return "expired" if tokens.refresh else "login_needed"


def _row(entry: Entry) -> tuple[str, ...]:
    login = entry.login
    state = _WORDS[_state(entry)]
    if login is None:
        return entry.label, "-", "-", "-", state, "-", str(entry.path)
    holder = login.holder
    return (
        entry.label,
        holder.email or holder.user_id or holder.account_id or "-",
        holder.plan or "-",
        _when(login.tokens.expires_at),
        state,
        _when(login.refreshed_at) if _is_renewed(login) else "never",
        "keychain" if login.storage == "keychain" else str(entry.path),
    )


def _when(moment: float | None) -> str:
    if not moment:
        return "-"
    left = moment - time.time()
    return f"in {duration(left)}" if left > 0 else f"{duration(-left)} ago"


def _is_renewed(login: Login) -> bool:
    """A new login counts as renewed at the moment when it was made."""
    return login.refreshed_at > 0 and login.refreshed_at != login.obtained_at


def _warn(entry: Entry) -> None:
    problem = entry.problem
    assert problem is not None
    hint = problem.hint
    if isinstance(problem, LoginNeeded):
        hint = hint or login_command(entry.issuer, entry.name)
    said = f"{entry.label}: {problem.message}{f' ({hint})' if hint else ''}"
    click.echo(f"{click.style('warning:', fg='yellow')} {said}", err=True)


def _plain(entry: Entry) -> dict[str, object]:
    """All of a login that may be shown. Moments are ISO 8601, null where they are not known."""
    login = entry.login
    about: dict[str, object] = {"issuer": entry.issuer, "name": entry.name, "state": _state(entry)}
    if login is not None:
        holder = login.holder
        about |= {"account_id": holder.account_id, "user_id": holder.user_id, "email": holder.email}
        about |= {
            "plan": holder.plan,
            "expires_at": _iso(login.tokens.expires_at),
            "obtained_at": _iso(login.obtained_at),
            "refreshed_at": _iso(login.refreshed_at) if _is_renewed(login) else None,
            "renewable": login.tokens.refresh is not None,
            "storage": login.storage,
        }
    return {**about, "path": str(entry.path), "problem": entry.problem.message if entry.problem else None}


def _iso(moment: float | None) -> str | None:
    return iso(moment) if moment else None
