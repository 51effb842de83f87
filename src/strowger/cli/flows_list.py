"""`strowger flows list`, `tail` and `clear`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click
import msgspec

from strowger.cli import flows_words as words
from strowger.cli.flows import (
    Kept,
    chosen,
    filter_of,
    jq_option,
    limit_option,
    nothing,
    pass_kept,
    where_option,
)
from strowger.cli.render import terminal_width
from strowger.errors import BadRequest, ClientError

if TYPE_CHECKING:
    from strowger.flows.archive import Archive
    from strowger.flows.filters import Filter

_EVERY = 0.25
"""Seconds between two looks at the store; one costs a tenth of a millisecond, and as much for each call that runs."""
_MOST_RUNNING = 200


@click.command("list")
@where_option
@limit_option(20)
@jq_option
@click.option("--json", "as_json", is_flag=True, help="As a list in JSON, with all that is known of each.")
@pass_kept
def list_flows(kept: Kept, where: str | None, limit: int, jq: tuple[str, ...], as_json: bool) -> int:
    """List calls, the newest last.

    CACHED is the share of the prompt that was read from the provider's cache. COST in brackets is the value of what a
    plan has paid for.
    """
    found = chosen(kept, where, limit, jq)
    if as_json or not all(isinstance(flow, dict) and "id" in flow for flow in found):
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    elif found:
        for line in words.rows(found, width=terminal_width(), now=time.time()):
            click.echo(line)
    if not found:
        return 1 if as_json else nothing(where or (jq[0] if jq else None))
    return 0


@click.command()
@click.option("-f", "--follow", is_flag=True, help="Go on as calls are made, until Ctrl-C.")
@click.option("-n", "--limit", type=click.IntRange(min=0), default=10, show_default=True, help="Begin with so many.")
@where_option
@click.option("--json", "as_json", is_flag=True, help="A line of JSON for each.")
@pass_kept
def tail(kept: Kept, follow: bool, limit: int, where: str | None, as_json: bool) -> int:
    """Print the last calls, and with `-f` those to come, whichever gateway they go through.

    A call that takes its time has a line when it begins to be answered, and one when it is over, or `lost` with its
    gateway.
    """
    condition = filter_of(where)
    archive = kept.expected() if follow else kept.archive
    following = Following(archive, condition)
    found = list(reversed(archive.list(condition, limit=limit))) if limit else []
    for flow in found:
        _print(flow, as_json)
    if not follow:
        return 0 if found else nothing(where)
    while True:
        for flow in following.news():
            _print(flow, as_json)
        if not following.has_more:
            time.sleep(_EVERY)


class Following:
    """What is new in a store from now on: calls that change, and those that run while their gateway dies, for which
    nobody is left to change anything.
    """

    def __init__(self, archive: Archive, condition: Filter | None) -> None:
        from strowger.flows.query import parse

        self._archive = archive
        self._condition = condition
        self._mark = archive.mark()
        self._running = {str(flow["id"]) for flow in archive.list(parse("outcome:running"), limit=_MOST_RUNNING)}
        self.has_more = False

    def news(self) -> list[dict[str, object]]:
        """Those that pass the filter, of a thousand changes at most. Raises GatewayError."""
        self._mark, changed = self._archive.changed_since(self._mark)
        self.has_more = bool(changed)
        for flow in changed:
            known = self._running.add if flow["outcome"] == "running" else self._running.discard
            known(str(flow["id"]))
        if not changed:
            changed = list(self._lost())
        return [flow for flow in changed if self._condition is None or self._condition.matches(flow)]

    def _lost(self) -> Iterator[dict[str, object]]:
        for name in sorted(self._running):
            try:
                flow = self._archive.get(name)
            except ClientError:  # it has been cleared
                self._running.discard(name)
                continue
            if flow["outcome"] != "running":
                self._running.discard(name)
            if flow["outcome"] == "lost":
                yield flow


def _print(flow: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(flow).decode())
    else:
        click.echo(words.coloured(words.line(flow), flow))


@click.command()
@where_option
@click.option("--older", metavar="SPAN", help="Only what is older: 7d, 12h.")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--usage", is_flag=True, help="What they cost is forgotten, too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_kept
def clear(kept: Kept, where: str | None, older: str | None, everything: bool, usage: bool, yes: bool) -> int:
    """Delete calls from the store, with all that was said in them. Those under way stay.

    Their figures stay for `strowger usage`, unless `--usage`.
    """
    from strowger.flows.filters import Filter
    from strowger.flows.query import parse, seconds

    if not (where or older or everything):
        raise click.UsageError("say which: --where FILTER, --older SPAN, or --all")
    if everything and (where or older):
        raise click.UsageError("--all leaves none for --where or --older")
    condition = filter_of(where) or Filter()
    if older:
        if seconds(older) is None:
            raise BadSpan(f"`{older}` is no span of time", hint="such as `--older 7d`, `--older 12h`")
        condition = condition.also(parse(f"until:{older}"))
    there = kept.archive.count(condition)
    if there and not yes:
        _ask(there)
    gone = kept.archive.clear(condition, usage=usage) if there or usage else 0
    click.echo(f"Cleared {gone} flow(s).")
    return 0 if gone else 1


class BadSpan(BadRequest):
    """Not a span of time."""

    exit_code = 2


def _ask(there: int) -> None:
    """Ask whether it is meant. Raises click.Abort when it is not."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"this deletes {there:,} calls, and there is nobody to ask: --yes says that it is meant")
    click.confirm(f"Delete {there:,} calls?", abort=True, err=True)
