"""`strowger flows replay`, `flows compare --models` and `flows cache`: a call once more, the same call at several
models, and what became of the cache in a session.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click
import msgspec

from strowger.cli import names, render
from strowger.cli.flows import Kept, one, pass_kept
from strowger.cli.loop import run_async
from strowger.cli.render import plain, table
from strowger.errors import GatewayError
from strowger.flows import words

if TYPE_CHECKING:
    from strowger.client import Admin
    from strowger.flows.caching import Session, Verdict

_FAILED = 1

_BLAME = {"client": "the client", "strowger": "Strowger", "time": "time", "provider": "the provider", "nobody": ""}


@click.command()
@click.argument("name", metavar="FLOW", shell_complete=names.flows)
@click.option(
    "--to",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Another model; several are asked at once.",
    shell_complete=names.providers,
)
@click.option("--dry-run", is_flag=True, help="Send nothing: print what would be sent, and what would be lost.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@pass_kept
def replay(kept: Kept, name: str, models: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Ask once more what a client asked, where it went or at other models.

    \b
        strowger flows replay last                           the same again
        strowger flows replay 3fa9c1 --to deepseek:deepseek-v4-pro
        strowger flows replay last --to codex --dry-run      only what that would be

    FLOW has to be named, since it costs what such a call costs: `last` is the last one. MODEL is `provider:model`, a
    provider alone, which is asked for the same model, or whatever a client may ask for. What the answer calls for is
    shown and not done. A gateway that runs is used, else one is started for it.
    """
    flow = one(kept, name)
    if dry_run:
        return _dry(kept, flow, models, as_json=as_json)
    found = run_async(lambda: _replayed(kept, str(flow["id"]), models or ("",)))
    if as_json:
        _print_json({"answers": found})
    else:
        for each in found:
            _print_answer(each)
    return _FAILED if any(each["answer"]["error"] for each in found) else 0


def compare_models(kept: Kept, name: str, models: Sequence[str], *, as_json: bool) -> int:
    """The call as it was, and as other models answer it: a table, then what each said. Gives the exit code."""
    flow = one(kept, name)
    found = [_as_it_was(kept, flow), *run_async(lambda: _replayed(kept, str(flow["id"]), models))]
    code = _FAILED if any(each["answer"]["error"] for each in found) else 0
    if as_json:
        _print_json({"answers": found})
        return code
    header = ("MODEL", "STATUS", "FIRST", "TIME", "IN", "CACHED", "OUT", "COST", "STOP", "TOOLS")
    for line in table([_row(each) for each in found], header=header):
        click.echo(line)
    for each in found:
        click.echo()
        _print_answer(each)
    return code


@click.command()
@click.argument("session", default="last", metavar="[SESSION]", shell_complete=names.sessions)
@click.option("--all", "everything", is_flag=True, help="Every call, not only those that found less than they could.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@pass_kept
def cache(kept: Kept, session: str, everything: bool, as_json: bool) -> int:
    """Say what a session found in its provider's cache, call by call; where that fell, why, and whose doing it was.

    SESSION is the beginning of a session's id; without it, or with `last`, that of the last call.
    """
    from strowger.flows.caching import explain_session

    if session == "last":
        session = str(one(kept, "last")["session"] or "")
        if not session:
            raise GatewayError("the last call belongs to no session", hint="`strowger usage --by session` lists them")
    found = explain_session(kept.archive, session)
    if as_json:
        _print_json(msgspec.to_builtins(found))
        return 0
    shown = [call for call in found.calls if everything or call.fell]
    click.echo(_summed(found))
    if shown:
        click.echo()
        header = ("ID", "WHEN", "MODEL", "IN", "CACHED", "LOST", "WHY")
        for line in table([_fallen(call) for call in shown], header=header):
            click.echo(line)
    return 0


def _summed(session: Session) -> str:
    calls = render.count(len(session.calls), "call")
    if session.hit is None:
        return f"{calls}; the provider does not say what it reads from a cache"
    told = f"{calls}, {100 * session.hit:.0f}% of their prompts read from the cache"
    if not session.fell:
        return f"{told}; it never broke"
    return f"{told}; it broke {render.count(session.fell, 'time')}, for about {session.lost_tokens:,} tokens"


def _fallen(call: Verdict) -> tuple[str, ...]:
    why = f"{call.why} [{_BLAME[call.by]}]" if _BLAME[call.by] else call.why
    return (
        call.id.removeprefix("flow_")[:8],
        words.moment(call.started, time.time()),
        plain(call.model),
        f"{call.input:,}",
        "-" if call.hit is None else f"{100 * call.hit:.0f}%",
        f"{call.lost_tokens:,}" if call.fell else "",
        plain(why),
    )


def _dry(kept: Kept, flow: Mapping[str, Any], models: Sequence[str], *, as_json: bool) -> int:
    async def ask() -> list[dict[str, Any]]:
        async with _gateway(kept) as admin:
            return [await admin.translated(str(flow["id"]), to or None) for to in models or ("",)]

    found = run_async(ask)
    if as_json:
        _print_json({"requests": found})
        return 0
    for request in found:
        click.echo(click.style(f"── POST {plain(request['url'])}", bold=True))
        click.echo(f"{request['provider']}:{request['model']}, {request['dialect']}, {request['lane']}")
        for loss in request["losses"]:
            click.echo(f"lost: {plain(loss['path'])}: {plain(loss['reason'])} ({loss['severity']})")
        for line in _laid_out(str(request["body"])).split("\n"):
            click.echo(plain(line))
    return 0


def _laid_out(body: str) -> str:
    """JSON with a thing on each line; what is none, or too deep, as it is."""
    try:
        return msgspec.json.format(body, indent=2)
    except (msgspec.DecodeError, RecursionError):
        return body


async def _replayed(kept: Kept, flow: str, models: Sequence[str]) -> list[dict[str, Any]]:
    """What each model answers, in the order in which they were named; all are asked at once."""
    import anyio

    found: dict[int, dict[str, Any]] = {}

    async def ask(admin: Admin, number: int, to: str) -> None:
        try:
            told = msgspec.to_builtins(await admin.replay(flow, to or None))
        except GatewayError as error:
            if len(models) == 1:
                raise
            told = {"flow": {}, "answer": {"status": 0, "error": error.text, "text": "", "calls": [], "stop": None}}
        found[number] = {"to": to, **told}

    async with _gateway(kept) as admin:
        if len(models) == 1:
            await ask(admin, 0, models[0])
        else:
            async with anyio.create_task_group() as tasks:
                for number, to in enumerate(models):
                    tasks.start_soon(ask, admin, number, to)
    return [found[number] for number in range(len(models))]


@asynccontextmanager
async def _gateway(kept: Kept) -> AsyncIterator[Admin]:
    """A gateway that runs and reads the same store, else one for this command alone."""
    from strowger.cli.setup import load_setup
    from strowger.client import Admin
    from strowger.launcher import sessions
    from strowger.launcher.host import hosted, quiet_log
    from strowger.launcher.setup import ephemeral

    for session in sessions.joinable(sessions.directory(os.environ), config=kept.config) if not kept.is_named else ():
        async with Admin(session.url, session.admin_token) as admin:
            try:
                await admin.status()
            except GatewayError:
                continue  # it is just ending, or hangs
            yield admin
            return
    own = ephemeral(kept.reading(load_setup(kept.config, None)))
    log = quiet_log(own.config, os.environ)
    async with (
        hosted(own, env=os.environ, kind="run", command="replay", log=log, token_required=True) as host,
        Admin(host.url, host.gateway.access.admin_token) as admin,
    ):
        yield admin


def _as_it_was(kept: Kept, flow: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded answer, told like those of the repetitions."""
    from strowger.gateway.app import DIALECTS
    from strowger.gateway.replaying import answered

    message = kept.archive.message(str(flow["id"]), "client_response")
    body = message.body if message is not None else b""
    answer = answered(DIALECTS[flow["dialect"]], int(flow["status"] or 0), body)
    return {"to": "as it was", "flow": dict(flow), "answer": answer}


def _row(told: Mapping[str, Any]) -> tuple[str, ...]:
    flow, answer = told["flow"], told["answer"]
    tokens = flow.get("tokens") or {}
    read, whole = tokens.get("cache_read"), tokens.get("input")
    return (
        plain(_where(told)),
        str(answer["status"] or "-"),
        words.span(flow.get("first_byte_ms")),
        words.took(flow),
        f"{whole:,}" if whole is not None else "-",
        f"{100 * read / whole:.0f}%" if whole and read is not None else "-",
        f"{tokens['output']:,}" if "output" in tokens else "-",
        words.dollars(flow),
        answer["stop"] or ("error" if answer["error"] else "-"),
        plain(", ".join(call["name"] for call in answer["calls"])) or "-",
    )


def _where(told: Mapping[str, Any]) -> str:
    flow = told["flow"]
    went = f"{flow['provider']}:{flow['upstream_model']}" if flow.get("provider") else told["to"]
    return f"{went} (as it was)" if told["to"] == "as it was" else str(went)


def _print_answer(told: Mapping[str, Any]) -> None:
    """A heading, then what was said and called for."""
    flow, answer = told["flow"], told["answer"]
    facts = [_where(told), words.status(flow), words.took(flow), words.dollars(flow)] if flow else [str(told["to"])]
    click.echo(click.style(f"── {plain('  '.join(facts))}", bold=True))
    if flow.get("id"):
        click.echo(click.style(str(flow["id"]), dim=True))
    if answer["error"]:
        click.echo(click.style(f"error: {plain(answer['error'])}", fg="red"))
    for line in answer["text"].splitlines():
        click.echo(plain(line))
    for call in answer["calls"]:
        click.echo(click.style(f"→ {plain(call['name'])} {plain(call['arguments'])}", fg="cyan"))


def _print_json(data: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2).decode())
