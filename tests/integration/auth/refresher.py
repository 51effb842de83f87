"""A login at a fake issuer, refreshed by a real source: in the test's own loop, or in a process that may be killed.

python -m tests.integration.auth.refresher HOME ISSUER_URL [WHERE_TO_DIE]     prints one access token
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import anyio
import msgspec

from strowger.auth.issuers import CODEX, Issuer, holder_of
from strowger.auth.oauth import Ask, Reply, Tokens, read_tokens
from strowger.auth.refreshing import OAuthSource, Patience
from strowger.auth.stores import Login, LoginStore
from strowger.config import private
from strowger.errors import Unreachable

DEATHS = ("before asking", "after asking", "before writing", "while writing", "before renaming", "after renaming")


async def exchange(ask: Ask) -> Reply:
    """One request over the loopback, as a transport does it."""
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.request(ask.method, ask.url, data=ask.body, headers=dict(ask.headers)) as response,
        ):
            headers = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, headers, await response.read())
    except aiohttp.ClientError as error:
        raise Unreachable(f"the issuer cannot be reached: {type(error).__name__}") from None


def tokens_of(answer: dict[str, Any], now: float, issuer: Issuer = CODEX) -> Tokens:
    """What a token endpoint's answer holds."""
    return read_tokens(issuer, Reply(200, {}, msgspec.json.encode(answer)), now=now)


def kept(home: Path, answer: dict[str, Any], now: float, issuer: Issuer = CODEX, **about: Any) -> Login:
    """A login in the store of this home, as it was granted at `now`."""
    tokens = tokens_of(answer, now, issuer)
    holder = holder_of(issuer, tokens.id_token.reveal() if tokens.id_token else "", tokens.access.reveal())
    login = Login(issuer.name, tokens, holder=holder, obtained_at=now, refreshed_at=now, **about)
    store_of(home).save(login)
    return login


def store_of(home: Path) -> LoginStore:
    """The store of this home."""
    return LoginStore({"HOME": str(home)})


def at(issuer: Issuer, url: str) -> Issuer:
    """The issuer, where its fake is."""
    return msgspec.structs.replace(issuer, base=url)


@asynccontextmanager
async def source_of(
    home: Path,
    issuer: Issuer,
    *,
    send: Callable[[Ask], Awaitable[Reply]] = exchange,
    notes: list[str] | None = None,
    **more: Any,
) -> AsyncIterator[OAuthSource]:
    """A source whose refreshes run in a task group of their own, which is left when they have ended."""
    async with anyio.create_task_group() as tasks:
        yield OAuthSource(
            store_of(home).shelf(issuer.name),
            issuer,
            exchange=send,
            spawn=tasks.start_soon,
            note=(notes if notes is not None else []).append,
            **more,
        )


def die() -> None:
    """Be gone, without a chance to tidy up."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(where: str) -> Callable[[Ask], Awaitable[Reply]]:
    """Have this process killed at one step of a refresh."""
    fsync, replace, save = os.fsync, os.replace, private.replace_file

    async def send(ask: Ask) -> Reply:
        if where == "before asking":
            die()
        reply = await exchange(ask)
        if where == "after asking":
            die()
        return reply

    def before_writing(*args: Any, **named: Any) -> None:
        if where == "before writing":
            die()
        save(*args, **named)

    def on_fsync(descriptor: int) -> None:
        if where == "while writing":
            # Half of it is on the disk.
            os.ftruncate(descriptor, os.fstat(descriptor).st_size // 2)
            die()
        fsync(descriptor)

    def on_replace(source: str, target: str) -> None:
        if where == "before renaming":
            die()
        replace(source, target)
        if where == "after renaming":
            die()

    for name, stand_in in (
        ("strowger.auth.stores.replace_file", before_writing),
        ("os.fsync", on_fsync),
        ("os.replace", on_replace),
    ):
        mock.patch(name, stand_in).start()
    return send


async def main(home: Path, url: str, where: str) -> None:
    """Refresh what is due, and print the access token."""
    send = arm(where) if where else exchange
    async with source_of(home, at(CODEX, url), send=send, patience=Patience(wait=20.0)) as source:
        credential = await source.credential()
        print(credential.value.reveal())


if __name__ == "__main__":
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "")
