"""`strowger prices`: what models cost, where that is known from, and a newer list when it is asked for.

Nothing is ever fetched unasked: a price that changes by itself would change what budgets mean.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from strowger.cli.render import count, hint, table
from strowger.errors import ConfigError, TimedOut, UpstreamError

if TYPE_CHECKING:
    from strowger.routing.pricelists import Lists, Table
    from strowger.routing.prices import Price, Rates

NONE_FOUND = 1
_SECONDS = 60.0
_MOST_BYTES = 64 * 1024 * 1024
_MOST_SHOWN = 40
_ELSEWHERE = "give another place, or a file: `--from`; nothing has changed"
_HEADER = ("MODEL", "INPUT", "OUTPUT", "CACHE READ", "WRITE", "WRITE 1H", "SEARCH", "AT", "FROM")
_CONFIG = click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration to read, instead of the usual one.",
)


@click.group(invoke_without_command=True)
@click.pass_context
def prices(ctx: click.Context) -> int:
    """Show what models cost, in US dollars per million tokens, or fetch a newer list.

    The user's own list (prices.toml in the configuration directory, or `[prices] file`) comes first, then one that
    `strowger prices update` has fetched, then the packaged one.
    """
    return int(ctx.invoke(list_prices)) if ctx.invoked_subcommand is None else 0


@prices.command("list")
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@_CONFIG
def list_prices(models: tuple[str, ...] = (), as_json: bool = False, path: Path | None = None) -> int:
    """Show the prices that hold today: all, or those of a MODEL (a name as a provider calls it, or a part of one).

    Exit code 1 when there is none.
    """
    from strowger.routing.pricelists import fetched_file, own_file

    named = _named(path)
    lists = _lists(named)
    rows = _rows(lists, models)
    if as_json:
        told = {
            "own": str(own_file(named, os.environ)),
            "fetched": {"file": str(fetched_file(os.environ)), "read": lists.fetched.read or None},
            "packaged": {"read": lists.packaged.read},
            "prices": [{"from": origin, **msgspec.to_builtins(price)} for origin, price in rows],
        }
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    elif rows:
        click.echo("\n".join(_lines(rows, lists)))
    else:
        click.echo(f"no price is known for {', '.join(models)}", err=True)
        click.echo(
            hint(f"write it into {own_file(named, os.environ)}, or fetch a list: `strowger prices update`"), err=True
        )
    return 0 if rows else NONE_FOUND


@prices.command()
@click.option("--from", "source", metavar="URL|FILE", help="Where the list is; LiteLLM's own place unless said.")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@_CONFIG
def update(source: str | None, dry_run: bool, path: Path | None) -> int:
    """Fetch a price list, and use it before the packaged one. What the user's own list says still comes first.

    Understood are LiteLLM's table (model_prices_and_context_window.json) and lists of our own. What changes is shown;
    a list that cannot be used changes nothing.
    """
    from strowger.config.private import replace_file
    from strowger.routing.litellm_prices import URL
    from strowger.routing.pricelists import fetched_file

    _named(path)  # a configuration that cannot be read is told before anything is fetched
    place = source or URL
    found, skipped = _understood(_read(place), place)
    changes = list(_changes(found))
    for line in changes[:_MOST_SHOWN]:
        click.echo(line)
    if len(changes) > _MOST_SHOWN:
        click.echo(f"… and {count(len(changes) - _MOST_SHOWN, 'change')} more")
    if skipped:
        click.echo(
            f"left out, as their prices make no sense: {', '.join(skipped[:5])}" + (", …" if skipped[5:] else "")
        )
    there = fetched_file(os.environ)
    known = count(sum(len(price.models) for price in found.prices()), "model")
    if dry_run:
        click.echo(f"{known}, {count(len(changes), 'change')}; nothing was written")
        return 0
    there.parent.mkdir(parents=True, exist_ok=True)
    replace_file(there, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    click.echo(f"{known}, {count(len(changes), 'change')}: written to {there}")
    click.echo(
        hint("gateways that run take it with `strowger reload`; delete the file to be back at the packaged list")
    )
    return 0


# ---- reading ----


def _named(config: Path | None) -> str | None:
    from strowger.config.layers import load
    from strowger.providers.presets import PRESETS

    return load(config, env=os.environ, presets=PRESETS).config.prices.file


def _lists(named: str | None) -> Lists:
    from strowger.routing.pricelists import load

    return load(named, os.environ)


def _read(place: str) -> bytes:
    """The bytes of a file or of a URL. Raises OSError and UpstreamError."""
    if not place.startswith(("http://", "https://")):
        return Path(place).expanduser().read_bytes()
    from strowger.cli.loop import run_async

    return run_async(lambda: _fetched(place))


async def _fetched(url: str) -> bytes:
    from strowger.cli.outside import outside
    from strowger.upstreams.base import Outgoing

    host = "/".join(url.split("/", 3)[:3])
    try:
        async with asyncio.timeout(_SECONDS), outside() as upstream:
            incoming = await upstream.open(Outgoing("GET", url, (("accept", "application/json"),), b""))
            try:
                if incoming.status != 200:
                    raise UpstreamError(f"{host} answered {incoming.status}")
                return await incoming.read_all(_MOST_BYTES)
            finally:
                incoming.close()
    except TimeoutError:
        raise TimedOut(f"{host} did not send the list within {_SECONDS:g} seconds", hint=_ELSEWHERE) from None
    except UpstreamError as error:
        raise UpstreamError(f"the list could not be fetched: {error.message}", hint=_ELSEWHERE) from error.__cause__


def _understood(data: bytes, place: str) -> tuple[Table, tuple[str, ...]]:
    """A list as ours. Raises GatewayError."""
    from strowger.routing.litellm_prices import Converted, convert
    from strowger.routing.pricelists import Table
    from strowger.routing.prices import check

    try:
        ours = msgspec.json.decode(data, type=Table)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        ours = None
    if ours is not None and ours.vendors:
        converted = Converted(msgspec.structs.replace(ours, read=ours.read or _today()))
    else:
        converted = convert(data, source=place, day=_today())
    for price in converted.table.prices():
        check(price, place)
    return converted.table, converted.skipped


def _today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


def _changes(found: Table) -> Iterator[str]:
    """What costs something else than before, a line for each model; new models are not told one by one."""
    from strowger.routing.pricelists import Table, fetched, packaged
    from strowger.routing.prices import Prices

    try:
        before = fetched(os.environ)
    except ConfigError:  # a broken one is what is being mended
        before = Table()
    old = Prices((before.prices(), packaged().prices()))
    for price in found.prices():
        for model in price.models:
            was = old.find(model, price.at, _today())
            if was is not None and was.at == price.at and (words := _difference(was, price)):
                yield f"{model}: {words}"


def _difference(was: Price, now: Price) -> str:
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "search")
    words = [
        f"{name.replace('_', ' ')} {_amount(getattr(was, name))} → {_amount(getattr(now, name))}"
        for name in names
        # A list that does not say something does not say that it is free.
        if getattr(now, name) is not None and getattr(was, name) != getattr(now, name)
    ]
    if was.long != now.long and now.long:
        words.append("long prompts")
    return ", ".join(words)


# ---- showing ----


def _rows(lists: Lists, models: Sequence[str]) -> list[tuple[str, Price]]:
    from strowger.routing.prices import Prices

    origins: Mapping[str, Sequence[Price]] = {
        "own": lists.own,
        "fetched": lists.fetched.prices(),
        "packaged": lists.packaged.prices(),
    }
    today = _today()
    rows = [(origin, price) for origin, prices in origins.items() for price in prices if price.since <= today]
    if not models:
        return rows
    found: list[tuple[str, Price]] = []
    for model in models:
        part = model.lower()
        exact = [
            (origin, price)
            for origin, prices in origins.items()
            for at in {place for one in prices for place in (one.at or ("",))}
            if (price := Prices([prices]).find(model, (at,), today)) is not None
        ]
        found += exact or [row for row in rows if any(part in name.lower() for name in row[1].models)]
    return list({(origin, price.models, price.at): (origin, price) for origin, price in found}.values())


def _lines(rows: Sequence[tuple[str, Price]], lists: Lists) -> Iterator[str]:
    cells: list[tuple[str, ...]] = []
    for origin, price in rows:
        cells.append((_names(price), *_rates(price.rates(0)), _amount(price.search), _places(price), origin))
        for rates in price.long:
            cells.append((f"  above {rates.above:,} tokens", *_rates(rates), "", "", ""))
        if price.tiers:
            tiers = ", ".join(f"{name} ×{factor:g}" for name, factor in price.tiers.items())
            cells.append((f"  {tiers}", *("" for _ in _HEADER[1:])))
    yield from table(cells, header=_HEADER)
    yield ""
    for name, one in (("fetched", lists.fetched), ("packaged", lists.packaged)):
        if one.read:
            yield f"{name}: read on {one.read}. {one.about}".rstrip()


def _names(price: Price) -> str:
    names = ", ".join(price.models)
    return names if len(names) <= 48 else f"{price.models[0]} and {len(price.models) - 1} more"


def _places(price: Price) -> str:
    return ", ".join(price.at) if len(price.at) < 3 else f"{price.at[0]} and {len(price.at) - 1} more"


def _rates(rates: Rates) -> tuple[str, ...]:
    each = (rates.input, rates.output, rates.cache_read, rates.cache_write, rates.cache_write_1h)
    return tuple(_amount(amount) for amount in each)


def _amount(amount: float | None) -> str:
    return "-" if amount is None else f"{amount:g}"
