"""`strowger flows show`: one call, as an overview, or what was said in it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from strowger.cli import names
from strowger.cli.flows import NONE_FOUND, Kept, one, pass_kept
from strowger.cli.render import plain, table, terminal_width
from strowger.flows import words

if TYPE_CHECKING:
    from strowger.flows.tape import Kind, Message

BODIES: dict[str, Kind] = {
    "client": "client_request",
    "forwarded": "forwarded",
    "upstream": "upstream_response",
    "answer": "client_response",
}
"""What the messages of a call are called on the command line."""

_TITLES = {
    "client_request": "the client's request",
    "forwarded": "the forwarded request",
    "upstream_response": "the provider's answer",
    "client_response": "the answer to the client",
}

_F = TypeVar("_F", bound=Callable[..., Any])


def number_option(command: _F) -> _F:
    """Which of several attempts."""
    says = "Which request to a provider, from 0; otherwise the last."
    return click.option("--number", type=click.IntRange(min=0), metavar="N", help=says)(command)


@click.command()
@click.argument("name", metavar="[FLOW]", default="last", shell_complete=names.flows)
@click.option("--body", type=click.Choice(tuple(BODIES)), help="Print what was said: one of the four messages.")
@click.option("--text", "as_text", is_flag=True, help="What was said, in turns, as people read it.")
@click.option(
    "--events", is_flag=True, help="The events of the provider's answer: when each came, and what is new in it."
)
@click.option("--raw", is_flag=True, help="With --body: byte for byte.")
@click.option("--headers", is_flag=True, help="The heads of all messages.")
@number_option
@click.option("--json", "as_json", is_flag=True, help="As JSON, with the heads of its messages.")
@pass_kept
def show(
    kept: Kept,
    name: str,
    body: str | None,
    as_text: bool,
    events: bool,
    raw: bool,
    headers: bool,
    number: int | None,
    as_json: bool,
) -> int:
    """Show one call: where it went, what it cost, what got lost, and when what happened. Without FLOW, the last.

    \b
        strowger flows show                          an overview
        strowger flows show 3fa9c1 --body client     what the client asked, as readable JSON
        strowger flows show last --text              what was said
        strowger flows show last --events            what came back when
        strowger flows show last --body upstream --raw > answer.sse
    """
    if raw and body is None:
        raise click.UsageError("--raw needs --body: client, forwarded, upstream or answer")
    asked = {"--json": as_json, "--text": as_text, "--headers": headers, "--events": events, "--raw": raw}
    forms = [option for option, wanted in asked.items() if wanted]
    if len(forms) > 1 or (body is not None and forms and forms[0] not in {"--events", "--raw"}):
        raise click.UsageError(f"{' and '.join(forms if len(forms) > 1 else ['--body', *forms])} do not go together")
    flow = one(kept, name)
    if events or body:
        kind = BODIES[body or "upstream"]
        message = kept.archive.message(str(flow["id"]), kind, number)
        if message is None or not message.pieces:
            return _absent(kept, flow, kind, number, message)
        if raw:
            sys.stdout.buffer.write(message.body)
        else:
            _echo(_events(message) if events else _body(message))
        return 0
    messages = kept.archive.messages(str(flow["id"]))
    if as_text:
        return _said(flow, messages)
    if as_json:
        from strowger.gateway.history import head

        told = {**flow, "messages": [head(message) for message in messages]}
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
        return 0
    _echo(_overview(flow, messages))
    if headers:
        _echo(_heads(messages))
    return 0


def _echo(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(line)


def _overview(flow: dict[str, Any], messages: Sequence[Message]) -> Iterator[str]:
    yield click.style(plain(f"{flow['id']}  {flow.get('method')} {flow.get('path')}"), bold=True)
    told = list(words.overview(flow, time.time()))
    kept = [("kept", f"{_title(message)}: {_amount(message)}") for message in messages]
    kept = kept or [("kept", "nothing of what was said")]
    before = ""
    for key, text in (*told, *kept):
        shown = "" if key == before else key
        before = key
        value = plain(text)
        yield f"  {click.style(shown.ljust(13), dim=True)}  {click.style(value, fg='red') if key == 'error' else value}"


def _title(message: Message) -> str:
    which = f" {message.number}" if message.number else ""
    return f"{_TITLES[message.kind]}{which}"


def _amount(message: Message) -> str:
    if not message.pieces:
        return f"{words.size(message.size)}, not kept" if message.size else "empty"
    return words.size(message.size) + (f", of which {words.size(len(message.body))}" if message.cut else "")


def _heads(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        yield ""
        yield click.style(_title(message), bold=True)
        yield f"  {plain(message.line)}"
        yield from table([(f"{name}:", value) for name, value in message.headers], indent=2)


def _body(message: Message) -> Iterator[str]:
    """JSON with a thing on each line, everything else as it is."""
    from strowger.flows.pretty import is_binary

    body = message.body
    try:
        text = msgspec.json.format(body, indent=2).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = f"({len(body):,} bytes that are no text)" if is_binary(body) else body.decode("utf-8", "replace")
    steers = sys.stdout.isatty()
    yield from (plain(line.rstrip("\r")) if steers else line for line in text.split("\n"))
    if message.cut:
        click.echo(f"{words.size(message.size - len(body))} more were not kept", err=True)


def _said(flow: dict[str, Any], messages: Sequence[Message]) -> int:
    """The conversation, and its answer."""
    from strowger.cli.flows_reading import read

    found = read(flow, messages)
    if found.transcript is None and found.answer is None:
        click.echo(f"{flow['id']}: nothing that can be read is kept", err=True)
        return NONE_FOUND
    turns = [] if found.transcript is None else [(turn.role, turn) for turn in found.transcript.turns]
    turns += [] if found.answer is None else [("answer", found.answer)]
    for name, turn in turns:
        click.echo(click.style(f"── {name} ".ljust(60, "─"), bold=True))
        for piece in turn.pieces:
            label = " ".join(word for word in ("" if piece.kind == "text" else piece.kind, piece.title) if word)
            if label:
                click.echo(click.style(plain(f"[{label}]"), dim=True))
            for line in piece.text.splitlines():
                click.echo(plain(line))
        click.echo()
    if flow.get("error"):
        click.echo(click.style(plain(f"it failed: {flow['error']}"), fg="red"))
    return 0


def _events(message: Message) -> Iterator[str]:
    """A line for each event: when it came, how long after the one before, what it is, and what is new in it."""
    from strowger.flows.pretty import events_of, news

    width = terminal_width()
    found = events_of(message.pieces, message.moments)
    kinds = {event.kind for event in found if event.kind}
    column = max(map(len, kinds)) + 2 if len(kinds) > 1 else 0
    before = 0.0
    for event, data in zip(found, news(found), strict=True):
        gap = f"+{(event.moment - before) * 1000:.0f}"
        before = event.moment
        kind = event.kind.ljust(column) if column else ""
        text = plain(f"{event.moment:9.3f} s  {gap:>7} ms  {kind}{' '.join(data.split())}".rstrip())
        yield text if width is None or len(text) <= width else text[: width - 1] + "…"


def absent_number(kept: Kept, flow: dict[str, Any], kind: Kind, number: int) -> bool:
    """Say that there is no message of that number, where there are others of its kind."""
    if (last := kept.archive.message(str(flow["id"]), kind)) is None:
        return False
    click.echo(f"{flow['id']}: {_TITLES[kind]} has no number {number}; the last one is {last.number}", err=True)
    return True


def _absent(kept: Kept, flow: dict[str, Any], kind: Kind, number: int | None, message: Message | None) -> int:
    from strowger.cli import render

    if message is None and number is not None and absent_number(kept, flow, kind, number):
        return NONE_FOUND
    if message is not None and not message.size:
        click.echo(f"{flow['id']}: {_TITLES[kind]} has no body", err=True)
        return NONE_FOUND
    click.echo(f"{flow['id']}: {_TITLES[kind]} is not kept", err=True)
    why = "the call is under way" if flow.get("outcome") == "running" else "`[flows] bodies` says of which calls"
    click.echo(render.hint(f"{why}, `[flows] max_body_mb` and `max_mb` how much"), err=True)
    return NONE_FOUND
