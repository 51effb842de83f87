"""`strowger usage`: how much was used and what it cost, by whatever calls have in common, read from the store.

Money and the value of what a plan paid for stand in columns of their own, and are never added to each other.
"""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from strowger.cli.render import count, hint, table, terminal_width
from strowger.errors import GatewayError

if TYPE_CHECKING:
    from strowger.config.schema import Budgets
    from strowger.flows.archive import Archive
    from strowger.flows.filters import Filter
    from strowger.flows.usage import Branch, Row, Usage

NONE_FOUND = 1
_ALL = "all"
_MOST_ROWS = 40
_FILE = click.Path(dir_okay=False, path_type=Path)
_OPTIONAL = ("REASONING", "WRITE", "CACHE READ", "HIT", "ERRORS", "OUTPUT", "INPUT", "PLAN VALUE", "MONEY")
"""Columns that are left out where there is no room, in this order."""
_HEADER = ("CALLS", "ERRORS", "INPUT", "CACHE READ", "WRITE", "HIT", "OUTPUT", "REASONING", "MONEY", "PLAN VALUE")


@click.command()
@click.option(
    "--by",
    default="day",
    show_default=True,
    metavar="GROUP,…",
    help="session, agent, subagent, project, model, provider, credential, day, hour, program, profile, class.",
)
@click.option("--since", default="30d", show_default=True, metavar="WHEN", help="2h, 7d, today, 2026-11-01, or all.")
@click.option("--until", metavar="WHEN", help="Only calls that began before.")
@click.option("--where", default="", metavar="FILTER", help="Only the calls that pass: `model:gpt-5* provider:codex`.")
@click.option("-n", "--limit", type=click.IntRange(min=1), help="At most so many rows; the total is of all.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.option("--csv", "as_csv", is_flag=True, help="As CSV.")
@click.option("--file", type=_FILE, help="The store to read, instead of the configured one.")
@click.option("--config", "path", type=_FILE, help="The configuration to read, instead of the usual one.")
def usage(
    by: str,
    since: str,
    until: str | None,
    where: str,
    limit: int | None,
    as_json: bool,
    as_csv: bool,
    file: Path | None,
    path: Path | None,
) -> int:
    """Tell how many tokens were used, how much of them came from caches, and what that cost.

    MONEY is what calls by the token came to. PLAN VALUE is what the calls that a subscription paid for would have come
    to. Both are by the price list; `strowger prices` shows it.

    \b
        strowger usage --by model,provider --since 7d
        strowger usage --by hour --since today
        strowger usage --by session,agent        a tree of agents for each session
        strowger usage --by project --where "program:claude cost:>0" --csv

    Exit codes: 0 found, 1 nothing found, 2 a wrong group or filter.
    """
    from strowger.flows.usage import plain, summed, total

    if as_json and as_csv:
        raise click.UsageError("--json and --csv do not go together")
    names = tuple(dict.fromkeys(name for name in by.replace(" ", "").split(",") if name))
    archive, budgets = _kept(file, path)
    rows = summed(archive, names, _where(where, since, until))
    whole = total(row.usage for row in rows)
    if as_json:
        told = {"by": names, "rows": [row.plain(names) for row in rows[:limit]], "total": plain(whole)}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
    elif as_csv:
        click.echo(_csv(names, rows[:limit]), nl=False)
    elif rows:
        click.echo("\n".join((*_lines(names, rows, whole, limit or _MOST_ROWS), *_standing(archive, budgets))))
    else:
        when = ("" if since == _ALL else f" since {since}") + (f" until {until}" if until else "")
        click.echo(f"no calls are in the store{when}" + (" that pass the filter" if where else ""), err=True)
        if since != _ALL:
            click.echo(hint("`--since all` takes every call that is kept"), err=True)
    return 0 if rows else NONE_FOUND


def _kept(file: Path | None, config: Path | None) -> tuple[Archive, Budgets | None]:
    """The store, and the budgets of the configuration, which is not read where a file is named."""
    budgets = None
    is_kept = file is None
    if file is None:
        from strowger.config.layers import load
        from strowger.config.paths import flows_file
        from strowger.providers.presets import PRESETS

        loaded = load(config, env=os.environ, presets=PRESETS).config
        file, budgets = flows_file(os.environ, loaded.flows.file), loaded.budgets
    if not file.is_file():
        raise GatewayError(
            f"there is no store of flows at {file}",
            hint="`strowger serve` and `strowger run` keep one, unless `[flows] store = false`",
        )
    from strowger.flows.archive import Archive

    return Archive(file, is_kept=is_kept), budgets


def _where(where: str, since: str, until: str | None) -> Filter:
    """All the conditions as one. Raises BadFilter."""
    from strowger.flows.query import parse

    found = parse(where)
    if since and since != _ALL:
        found = found.also(parse(f'since:"{since}"'))
    return found.also(parse(f'until:"{until}"')) if until else found


# ---- for people ----


def _lines(names: Sequence[str], rows: Sequence[Row], whole: Usage, limit: int) -> Iterator[str]:
    from strowger.flows.usage import PERIODS

    if names == ("session", "agent"):
        cells, left_out = _branches(rows, limit)
        groups: tuple[str, ...] = ("SESSION AND AGENT",)
    else:
        cells = [
            ((*(_named(name, value) for name, value in zip(names, row.by, strict=True)),), row.usage) for row in rows
        ]
        groups, left_out = tuple(name.upper() for name in names), max(0, len(cells) - limit)
        # Days and hours go on to now, so the oldest are what is left out.
        cells = cells[-limit:] if set(PERIODS) & set(names) else cells[:limit]
    if groups:
        cells.append((("total", *("" for _ in groups[1:])), whole))
    rows_of_cells = [(*groups, *_HEADER), *((*left, *_sums(one)) for left, one in cells)]
    header, *shown = _aligned(_fitted(rows_of_cells, terminal_width()), len(groups))
    yield from table(shown, header=header)
    if left_out:
        yield f"{count(left_out, 'row')} more: `--limit`"
    yield from _remarks(whole)


def _fitted(rows: Sequence[tuple[str, ...]], width: int | None) -> list[tuple[str, ...]]:
    """The rows without columns for which a terminal of that width has no room; those that say nothing go first."""
    shown = list(range(len(rows[0])))
    if width is None:
        return list(rows)
    widths = [max(len(row[column]) for row in rows) for column in shown]
    optional = [rows[0].index(name) for name in _OPTIONAL]
    optional.sort(key=lambda column: any(row[column] != "-" for row in rows[1:]))
    for column in optional:
        if sum(widths[each] for each in shown) + 2 * (len(shown) - 1) > width:
            shown.remove(column)
    return [tuple(row[column] for column in shown) for row in rows]


def _aligned(rows: Sequence[tuple[str, ...]], left: int) -> list[tuple[str, ...]]:
    """The rows with their figures to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        tuple(cell if column < left else cell.rjust(widths[column]) for column, cell in enumerate(row)) for row in rows
    ]


def _branches(rows: Sequence[Row], limit: int) -> tuple[list[tuple[tuple[str, ...], Usage]], int]:
    from strowger.flows.usage import trees

    cells: list[tuple[tuple[str, ...], Usage]] = []
    every = list(trees(rows))
    for session, whole, branches in every[:limit]:
        cells.append(((session or "without a session",), whole))
        for branch in branches:
            cells.extend(_agents(branch, 1))
    return cells, max(0, len(every) - limit)


def _agents(branch: Branch, depth: int) -> Iterator[tuple[tuple[str, ...], Usage]]:
    agent = branch.row.by[1]
    label = "main" if agent is None else f"{branch.row.agent_type or 'agent'} {agent}"
    yield (("  " * depth + label,), branch.row.usage)
    for below in branch.below:
        yield from _agents(below, depth + 1)


def _named(group: str, value: str | None) -> str:
    if value is None:
        return {"agent": "main", "subagent": "main"}.get(group, "-")
    return _short(value) if group == "project" else value


def _short(path: str) -> str:
    home = os.environ.get("HOME", "")
    return f"~{path.removeprefix(home)}" if home and path.startswith(f"{home}/") else path


def _sums(one: Usage) -> tuple[str, ...]:
    rate = one.cache_rate
    return (
        f"{one.calls:,}",
        f"{one.errors:,}" if one.errors else "-",
        amount(one.input),
        amount(one.cache_read),
        amount(one.cache_write),
        "-" if rate is None else f"{rate:.0%}",
        amount(one.output),
        amount(one.reasoning),
        dollars(one.billed_usd),
        dollars(one.plan_usd),
    )


def amount(tokens: int) -> str:
    """A number of tokens in at most six signs: `8,412`, `84.1k`, `8.4M`."""
    if tokens == 0:
        return "-"
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**4)):
        if tokens >= size:
            scale = 10**3 if unit == "k" else size
            return f"{tokens / scale:.1f}{unit}"
    return f"{tokens:,}"


def dollars(value: float | None) -> str:
    """An amount of US dollars: cents, and as much of a fraction of one as says something."""
    if not value:
        return "-"
    if value < 0.01:
        return f"${value:.2g}" if value >= 0.0001 else "<$0.0001"
    return f"${value:,.2f}"


def _standing(archive: Archive, budgets: Budgets | None) -> Iterator[str]:
    """How the budgets of today stand."""
    from strowger.flows.budgets import today

    for one in today(budgets, archive, time.time()) if budgets is not None else ():
        of = f" of profile {one.of}" if one.budget == "profile" else ""
        state = ": used up, calls are refused" if one.is_over else ": nearly used up" if one.is_near else ""
        yield f"today{of}: {one.amounts} ([budgets.{one.budget}]){state}"


def _remarks(whole: Usage) -> Iterator[str]:
    if whole.stopped:
        yield f"{count(whole.stopped, 'call')} stopped by a budget, before anybody was asked"
    if whole.unpriced:
        yield f"{count(whole.unpriced, 'call')} without a price: `strowger prices` shows which models have one"
    if whole.estimated:
        yield f"the tokens of {count(whole.estimated, 'call')} are our estimate: the provider did not say"
    if whole.first is not None:
        yield f"since {time.strftime('%Y-%m-%d %H:%M', time.localtime(whole.first))}"


# ---- for programs ----


def _csv(names: Sequence[str], rows: Sequence[Row]) -> str:
    from strowger.flows.usage import Row, Usage

    blank = Row(tuple(None for _ in names), Usage())
    out = io.StringIO()
    writer = csv.DictWriter(out, list(blank.plain(names)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.plain(names) for row in rows)
    return out.getvalue()
