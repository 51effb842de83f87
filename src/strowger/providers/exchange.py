"""The line to an issuer: a request of `auth`, sent over a transport of `upstreams`, which know nothing of each other.

Must not know what is asked, nor of whom.
"""

from __future__ import annotations

import asyncio

from strowger.auth.oauth import Ask, Exchange, Reply
from strowger.errors import TimedOut
from strowger.upstreams.base import Outgoing, Upstream

TIMEOUT = 30.0
"""Seconds for a whole answer: an issuer either answers soon or not at all."""

MAX_REPLY_BYTES = 1024 * 1024


def exchange(upstream: Upstream, *, timeout: float = TIMEOUT) -> Exchange:
    """An exchange over `upstream`, with `timeout` seconds for each answer."""

    async def send(ask: Ask) -> Reply:
        """Raises Unreachable, TimedOut, Truncated or Malformed."""
        place = "/".join(ask.url.split("/", 3)[:3])
        try:
            async with asyncio.timeout(timeout):
                incoming = await upstream.open(Outgoing(ask.method, ask.url, ask.headers, ask.body))
                try:
                    body = await incoming.read_all(MAX_REPLY_BYTES)
                finally:
                    incoming.close()
        except TimeoutError:
            raise TimedOut(f"{place} did not answer within {timeout:g} seconds") from None
        return Reply(incoming.status, dict(incoming.headers), body)

    return send
