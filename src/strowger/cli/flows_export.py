"""`strowger flows dump` and `export`: calls as files for other programs, for other people and for tests."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from strowger.cli.flows import (
    NONE_FOUND,
    Kept,
    filter_of,
    flows_argument,
    jq_option,
    limit_option,
    nothing,
    pass_kept,
    picked,
    where_option,
)
from strowger.cli.flows_words import short
from strowger.cli.render import count, hint
from strowger.errors import GatewayError
from strowger.flows import words

if TYPE_CHECKING:
    from strowger.flows.page import Call
    from strowger.flows.sharing import Cleaner
    from strowger.flows.tape import Message
    from strowger.telemetry.redaction import Redaction

_FILE = click.Path(path_type=Path)
_MOST_CHANGES = 2_000
"""Lines: between two dialects, everything changes."""
_MOST = 100_000
"""Calls of a session."""
_LONGEST_BODY = 4 * 1024 * 1024
"""Bytes of a body that are laid out in a page: a browser has to open it."""


@click.command()
@flows_argument
@where_option
@limit_option(100)
@jq_option
@click.option("-o", "--output", type=_FILE, help="The file to write, instead of standard output.")
@click.option("--clean", is_flag=True, help="Take out credentials, home directories and mail addresses also in bodies.")
@pass_kept
def dump(
    kept: Kept,
    names: tuple[str, ...],
    where: str | None,
    limit: int,
    jq: tuple[str, ...],
    output: Path | None,
    clean: bool,
) -> int:
    """Write calls as a HAR file: those named, or else the last that pass the filter.

    A page for each call; entry 2i is what was forwarded, entry 2i+1 what the client asked, further attempts follow.
    """
    from strowger.flows.har import pieces

    found = picked(kept, names, where, limit, jq)
    if not found:
        return nothing(where)
    cleaner = _cleaner(mails=True)[0] if clean else None

    def messages(name: str) -> list[Message]:
        return kept.archive.messages(name) if cleaner is None else _clean_messages(kept, name, cleaner)

    told = found if cleaner is None else [cleaner.plain(flow) for flow in found]
    _write(pieces(told, messages), output)
    if output is not None:
        click.echo(f"wrote {count(len(found), 'call')} to {output}", err=True)
    return 0


@click.command()
@click.option("--html", "kind", flag_value="html", help="One page to give to somebody, which needs nothing else.")
@click.option("--case", "kind", flag_value="case", help="A directory with the files of a test case.")
@click.option("--traffic", "kind", flag_value="traffic", help="SESSION DIRECTORY: all its messages as files, in order.")
@flows_argument
@where_option
@limit_option(1)
@click.option("-o", "--output", type=_FILE, help="The file or the directory to write; `-` is standard output.")
@click.option("--show-mails", is_flag=True, help="Leave e-mail addresses in.")
@pass_kept
def export(
    kept: Kept,
    kind: str | None,
    names: tuple[str, ...],
    where: str | None,
    limit: int,
    output: Path | None,
    show_mails: bool,
) -> int:
    """Write calls in a form to be given away. Without FLOW, the last, or the last that pass the filter.

    Credentials are taken out, also inside of what was said, and so are names of accounts, home directories and mail
    addresses. What is secret in another way only you can see: look before you send it.

    \b
        strowger flows export --html                              the last call, as a page
        strowger flows export --html --where session:3fa9 -n 50   a session
        strowger flows export --case 3fa9c1 -o cases/broken       for a bug report, or a test
        strowger flows export --traffic 3fa9 traffic              a session, file by file
    """
    if kind is None:
        raise click.UsageError("say what: --html, --case or --traffic")
    cleaner, redaction = _cleaner(mails=not show_mails)
    if kind == "traffic":
        return _traffic(kept, names, cleaner)
    found = picked(kept, names, where, limit, ())
    if not found:
        return nothing(where)
    if kind == "case" and len(found) != 1:
        raise click.UsageError("a case is one call")
    code = _case(kept, found[0], cleaner, output) if kind == "case" else _page(kept, found, cleaner, output)
    if redaction.found:
        hidden = ", ".join(f"{times} {rule.replace('_', ' ')}" for rule, times in sorted(redaction.found.items()))
        click.echo(f"credentials that were taken out: {hidden}", err=True)
    return code


def _cleaner(*, mails: bool) -> tuple[Cleaner, Redaction]:
    from strowger.flows.sharing import Cleaner
    from strowger.telemetry.redaction import Redaction

    redaction = Redaction()
    return Cleaner(redaction.text, homes=(os.path.expanduser("~"),), mails=mails), redaction


def _clean_messages(kept: Kept, name: str, cleaner: Cleaner) -> list[Message]:
    return [cleaner.message(message) for message in kept.archive.messages(name)]


def _write(content: Iterable[bytes], output: Path | None) -> None:
    if output is None or str(output) == "-":
        for piece in content:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return
    # What was said is nobody else's business until its owner gives it away; half a file is of no use to anybody.
    beside = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        _write_whole(content, output, beside)
    except OSError as error:
        raise GatewayError(f"{output} cannot be written: {error.strerror}") from None


def _write_whole(content: Iterable[bytes], output: Path, beside: Path) -> None:
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for piece in content:
                file.write(piece)
        beside.replace(output)
    finally:
        beside.unlink(missing_ok=True)


# ---- a page ----


def _page(kept: Kept, flows: Sequence[dict[str, Any]], cleaner: Cleaner, output: Path | None) -> int:
    from strowger.flows.page import render, without_repeats

    every = (_call(cleaner.plain(flow), _clean_messages(kept, flow["id"], cleaner)) for flow in flows)
    calls = list(without_repeats(every))
    title = calls[0].title if len(calls) == 1 else f"{len(calls)} calls"
    made = time.strftime("exported %Y-%m-%d %H:%M from Strowger; credentials and names of accounts are taken out")
    target = output or Path(f"strowger-{short(flows[-1])}.html")
    _write((piece.encode("utf-8", "replace") for piece in render(calls, title=title, made=made)), target)
    if str(target) != "-":
        click.echo(f"wrote {target}: look at it before you send it", err=True)
    return 0


def _call(flow: dict[str, Any], messages: Sequence[Message]) -> Call:
    from strowger.cli.flows_reading import read
    from strowger.flows.diff import compare
    from strowger.flows.page import Call
    from strowger.flows.pretty import events_of

    by_kind = {message.kind: message for message in messages}  # the last of each
    client = by_kind.get("client_request")
    said = read(flow, messages)
    failed = flow.get("outcome") in ("failed", "lost")
    forwarded = by_kind.get("forwarded")
    changes: list[str] = []
    if client is not None and forwarded is not None:
        found = compare(client, forwarded)
        changes = [f"- {found.line[0]}", f"+ {found.line[1]}", *found.headers, *found.body]
    upstream = by_kind.get("upstream_response")
    events = [] if upstream is None else events_of(upstream.pieces, upstream.moments)
    return Call(
        id=str(flow["id"]),
        title=f"{flow.get('model') or flow.get('path')} → {words.goal(flow) or 'nowhere'}",
        facts=tuple(words.overview(flow, None)),
        turns=None if said.transcript is None else said.transcript.turns,
        answer=said.answer,
        tools=() if said.transcript is None else said.transcript.tools,
        request=() if client is None else tuple(_lines(client)),
        bodies=tuple(_answers(messages)),
        changes=tuple(changes[:_MOST_CHANGES]),
        events=tuple((event.moment, event.kind or "(no name)") for event in events),
        failed=failed,
    )


def _answers(messages: Sequence[Message]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for message in messages:
        if message.kind == "upstream_response" and message.pieces:
            which = f" to request {message.number}" if message.number else ""
            yield f"the provider's answer{which}", tuple(_lines(message))


def _lines(message: Message) -> Iterator[str]:
    """A message as text, head and body."""
    from strowger.flows.pretty import lines_of

    yield message.line
    yield from (f"{name}: {value}" for name, value in message.headers)
    yield ""
    body = message.body[:_LONGEST_BODY]
    yield from lines_of(body)
    if message.cut or len(body) < len(message.body):
        yield "…"


# ---- a case ----


def _case(kept: Kept, flow: dict[str, Any], cleaner: Cleaner, output: Path | None) -> int:
    from strowger.flows.case import files

    messages = kept.archive.messages(flow["id"])
    forwarded = [message for message in messages if message.kind == "forwarded"]
    client = next((message for message in messages if message.kind == "client_request"), None)
    request = forwarded[-1] if forwarded else client
    if request is None or not request.pieces:
        click.echo(f"{flow['id']}: nothing of what was said is kept", err=True)
        click.echo(hint("`[flows] bodies` says of which calls it is"), err=True)
        return NONE_FOUND
    answers = [one for one in messages if one.kind == "upstream_response" and one.number == request.number]
    answer = cleaner.message(answers[-1]) if answers else None
    asked = None if client is None or client is request else cleaner.message(client)
    made = files(cleaner.plain(flow), cleaner.message(request), answer, asked=asked)
    target = output or Path(f"case-{short(flow)}")
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in made.items():
        _write([content], target / name)
    click.echo(f"wrote {', '.join(made)} to {target}{os.sep}: look at them before you send them", err=True)
    return 0


# ---- traffic ----


def _traffic(kept: Kept, names: Sequence[str], cleaner: Cleaner) -> int:
    """All calls of a session as files."""
    from strowger.flows import traffic

    if len(names) != 2:
        raise click.UsageError("--traffic takes a session, or the beginning of its id, and a directory")
    session, folder = names
    quoted = session.replace('"', "")
    flows = [cleaner.plain(flow) for flow in reversed(kept.archive.list(filter_of(f'session:"{quoted}"'), limit=_MOST))]
    if not flows:
        click.echo(f"there is no session {session}", err=True)
        click.echo(hint("`strowger usage --by session` lists them"), err=True)
        return NONE_FOUND
    for place in traffic.write(flows, lambda name: _clean_messages(kept, name, cleaner), Path(folder)):
        click.echo(place)
    return 0
