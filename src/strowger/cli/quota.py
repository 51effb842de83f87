"""`strowger quota`: what is left of the accounts, when it begins anew, and who is left alone meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import click
import msgspec
from msgspec import Struct

from strowger.cli import render
from strowger.cli.loop import run_async
from strowger.cli.render import duration, table
from strowger.client import AccountState, Admin, BreakerState, CreditState, Quota, RestState, WindowState
from strowger.errors import GatewayError
from strowger.launcher import sessions
from strowger.launcher.sessions import Session

NOTHING_KNOWN = 1
_WORDS = {
    "rate_limited": "at its limit",
    "quota_exhausted": "nothing left",
    "overloaded": "no room",
    "unauthenticated": "its credential was refused",
    "forbidden": "its credential was refused",
}


class Told(Struct, frozen=True):
    """What a gateway says of the accounts, or why it says nothing."""

    url: str
    pid: int
    quota: Quota | None = None
    problem: str | None = None


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def quota(as_json: bool) -> int:
    """Tell what is left of the accounts, as their providers said with the last answers.

    Also who is left alone for now: accounts at their limits, hosts that fail. Exit code 1 when nothing is known.
    """
    found = run_async(_ask_all)
    known = [one for one in found if one.quota is not None and any((one.quota.accounts, *trouble(one.quota)))]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"gateways": found}), indent=2).decode())
    elif not known:
        click.echo("no gateway is running" if not found else "nothing is known of any account yet", err=True)
        hint = "`strowger serve` starts one" if not found else "providers tell with each answer: make a call first"
        click.echo(render.hint(hint), err=True)
    else:
        several = len(found) > 1
        click.echo("\n\n".join("\n".join(_lines(one, several=several)) for one in known))
    if not as_json:
        for one in found:
            if one.problem:
                click.echo(f"{click.style('warning:', fg='yellow')} {one.url} does not answer: {one.problem}", err=True)
    return 0 if known else NOTHING_KNOWN


def trouble(quota: Quota) -> tuple[tuple[RestState, ...], tuple[BreakerState, ...]]:
    """What stands in the way of accounts."""
    return quota.resting, quota.breakers


def trouble_lines(resting: tuple[RestState, ...], breakers: tuple[BreakerState, ...], now: float) -> Iterator[str]:
    """Who is left alone, why and for how long, a line for each."""
    for rest in resting:
        account = "" if rest.account in ("", "default") else f"/{rest.account}"
        what = f"{rest.provider}{account}" + (f":{rest.model}" if rest.model else "")
        rank = "not asked" if rest.told else "asked last"
        left = duration(max(0.0, rest.until - now))
        yield f"{what} is {rank} for {left}: {_WORDS.get(rest.kind, rest.kind)}"
    for breaker in breakers:
        what = breaker.provider + (f":{breaker.model}" if breaker.model else "")
        when = f"for {duration(breaker.seconds)}" if breaker.seconds >= 1 else "until one call has come through"
        yield f"{what} is asked last {when}: {breaker.failures} failures in a row at {breaker.base_url}"


async def _ask_all() -> list[Told]:
    return [await _ask(session) for session in sessions.running(sessions.directory(os.environ))]


async def _ask(session: Session) -> Told:
    async with Admin(session.url, session.admin_token) as admin:
        try:
            return Told(session.url, session.pid, await admin.quota())
        except GatewayError as error:
            return Told(session.url, session.pid, problem=error.message)


def _lines(one: Told, *, several: bool) -> Iterator[str]:
    assert one.quota is not None
    now = time.time()
    if several:
        yield f"{click.style(one.url, bold=True)}  process {one.pid}"
    rows = [row for account in one.quota.accounts for row in _rows(account, now)]
    yield from table(rows, header=("PROVIDER", "ACCOUNT", "PLAN", "WINDOW", "USED", "LEFT", "BEGINS ANEW", "CREDITS"))
    yield from trouble_lines(*trouble(one.quota), now)


def _rows(account: AccountState, now: float) -> Iterator[tuple[str, ...]]:
    """A row for each window; what is of the account stands in its first."""
    whose = (account.provider, account.account, account.plan or "-")
    credits = _credits(account.credits)
    for number, window in enumerate(account.windows or (WindowState("-"),)):
        first = number == 0
        yield (*(whose if first else ("", "", "")), *_window(window, now), credits if first else "")


def _window(window: WindowState, now: float) -> tuple[str, str, str, str]:
    left = None if window.resets_at is None else window.resets_at - now
    if left is not None and left <= 0:
        return window.name, "0%", "all", "has begun anew"
    used = "-" if window.used_percent is None else f"{window.used_percent:.0f}%"
    remaining = "-"
    if window.remaining is not None:
        remaining = f"{window.remaining:,.0f}" + (f" of {window.limit:,.0f}" if window.limit is not None else "")
    elif window.used_percent is not None:
        remaining = f"{100 - window.used_percent:.0f}%"
    return window.name, used, remaining, "-" if left is None else f"in {duration(left)}"


def _credits(credits: CreditState | None) -> str:
    if credits is None:
        return "-"
    if credits.unlimited:
        return "unlimited"
    return credits.balance or ("some" if credits.has_credits else "none")
