"""`strowger flows diff` and `compare`: what changed from call to call, and from a client's request to ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from strowger.cli.flows import (
    NONE_FOUND,
    Kept,
    flows_argument,
    jq_option,
    limit_option,
    nothing,
    one,
    pass_kept,
    picked,
    where_option,
)
from strowger.cli.flows_show import BODIES, absent_number, number_option
from strowger.cli.render import hint, plain, terminal_width

if TYPE_CHECKING:
    from strowger.flows.tape import Message

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@flows_argument
@where_option
@limit_option(2)
@jq_option
@click.option(
    "--body", type=click.Choice(tuple(BODIES)), default="client", show_default=True, help="Which message of each call."
)
@pass_kept
def diff(kept: Kept, names: tuple[str, ...], where: str | None, limit: int, jq: tuple[str, ...], body: str) -> int:
    """Show what changed from each call to the next: those named, or else the last that pass the filter.

    JSON is laid out with a thing on each line, members in the order of their names.

    \b
        strowger flows diff                                    the last two requests
        strowger flows diff --where session:3fa9 -n 10         through a session
        strowger flows diff 3fa9c1 77b2e0 --body forwarded     two that are named
    """
    from strowger.flows.diff import windows

    if len(names) == 1:
        raise click.UsageError("a difference has two ends: name two calls, or none")
    found = picked(kept, names, where, max(2, limit), jq)
    if len(found) < 2:
        if not found:
            return nothing(where)
        click.echo("only one call passes the filter" if where else "only one call is kept", err=True)
        return NONE_FOUND
    ids = [str(flow["id"]) for flow in found]
    missing: set[str] = set()
    bodies = _bodies(kept, ids, body, missing)
    for before, after, lines in windows(ids, bodies):
        if lines:
            click.echo("\n".join(map(_coloured, lines)))
        elif missing.isdisjoint((before, after)):
            click.echo(f"flow:{before} and flow:{after} are identical.")
    return NONE_FOUND if missing.issuperset(ids) else 0


def _bodies(kept: Kept, ids: list[str], body: str, missing: set[str]) -> Iterator[bytes]:
    for name in ids:
        message = kept.archive.message(name, BODIES[body])
        if message is None or (message.size and not message.pieces):
            missing.add(name)
            click.echo(f"{name}: this message is not kept; it counts as empty", err=True)
        yield b"" if message is None else message.body


@click.command()
@flows_argument
@click.option("--models", metavar="A,B,…", help="Ask these models the same, and show the answers side by side.")
@number_option
@click.option("--json", "as_json", is_flag=True, help="With --models: as JSON.")
@pass_kept
def compare(kept: Kept, names: tuple[str, ...], models: str | None, number: int | None, as_json: bool) -> int:
    """Show what was made of a client's request on its way to the provider: address, headers, body, and what got lost.

    Without FLOW, the last call. With `--models`, what other models answer to it: this costs what such calls cost.
    """
    if models is not None:
        return _models(kept, names, models, as_json)
    if as_json:
        raise click.UsageError("--json needs --models")
    code = NONE_FOUND
    for name in names or ("last",):
        flow = one(kept, name)
        client = kept.archive.message(str(flow["id"]), "client_request")
        forwarded = kept.archive.message(str(flow["id"]), "forwarded", number)
        if client is None or forwarded is None:
            if client is not None and number is not None and absent_number(kept, flow, "forwarded", number):
                continue
            _incomparable(flow, client)
            continue
        for line in _compared(flow, client, forwarded):
            click.echo(line)
        code = 0
    return code


def _models(kept: Kept, names: tuple[str, ...], models: str, as_json: bool) -> int:
    from strowger.cli.flows_replay import compare_models

    asked = [model.strip() for model in models.split(",") if model.strip()]
    if len(names) > 1 or not asked:
        raise click.UsageError("--models takes one call, and one model at least")
    return compare_models(kept, names[0] if names else "last", asked, as_json=as_json)


def _compared(flow: dict[str, Any], client: Message, forwarded: Message) -> Iterator[str]:
    from strowger.flows.diff import compare as held

    found = held(client, forwarded)
    name = flow["id"]
    yield from _panel(f"URL change — {name}", (f"- {found.line[0]}", f"+ {found.line[1]}"))
    if found.headers:
        yield from _panel(f"Headers — {name}", found.headers)
    missing = [what for what, one in (("client's", client), ("forwarded", forwarded)) if one.size and not one.pieces]
    if missing:
        yield f"{name}: the {' and the '.join(missing)} body is not kept."
    elif found.likeness == "identical":
        yield f"{name}: request bodies are identical."
    elif found.likeness == "equal":
        yield f"{name}: request bodies differ in the order of their members or in blanks only."
    else:
        yield from _panel(f"Body diff — {name}", found.body)
    losses = [f"  {loss['path']}: {loss['reason']} ({loss['severity']})" for loss in flow.get("losses") or ()]
    if losses:
        yield from _panel(f"Lost — {name}", losses)


def _panel(title: str, lines: Iterable[str]) -> Iterator[str]:
    """Lines below a rule with a title."""
    width = min(terminal_width() or 100, 120)
    yield click.style(f"── {plain(title)} ".ljust(width, "─"), bold=True)
    yield from map(_coloured, lines)
    yield ""


def _coloured(line: str) -> str:
    colour = _COLOURS.get(line[:1])
    if line.startswith(("--- ", "+++ ")):
        return click.style(plain(line), bold=True)
    return click.style(plain(line), fg=colour) if colour else plain(line)


def _incomparable(flow: dict[str, Any], client: Message | None) -> None:
    if client is None:
        click.echo(f"{flow['id']}: nothing of what was said is kept", err=True)
        click.echo(hint("`[flows] bodies` says of which calls it is"), err=True)
    else:
        click.echo(f"{flow['id']}: nothing was forwarded: {flow.get('error') or flow.get('outcome')}", err=True)
