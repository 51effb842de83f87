"""The terms of a host: what it wants of every request besides its dialect, and how it wraps what it answers.

Some hosts want another address, more headers, fewer members of the body, a signature, or they frame their stream in a
way of their own. That is the last word before the wire and the first after it; nothing above knows of it. Most hosts
have no terms: `Terms` itself changes nothing. Must not know routes, nor where a credential comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from strowger.auth.credential import Credential
from strowger.providers.quota import Reading
from strowger.upstreams.base import Incoming, Outgoing

Purpose = Literal["call", "count", "models", "stored", "other"]


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of a call when its request is about to leave.

    `session` and `agent_id` are the client's own names for its conversation and its sub-agent. `verbatim`: the body is
    as the client wrote it, and so are the headers. `dialect` is the client's. `headers` are the client's, names in
    lower case.
    """

    purpose: Purpose = "call"
    model: str = ""
    stream: bool = False
    session: str | None = None
    agent_id: str | None = None
    flow: str = ""
    verbatim: bool = False
    dialect: str = ""
    headers: Mapping[str, str] = MappingProxyType({})


class Terms:
    """The terms of a host that has none. Others override what is different with them. One for each provider."""

    lists_models = False
    """Its list of models says what they accept, so it is read when a call shows that it is there, or has changed."""

    passes_paths = True
    """What it serves beside calls, counts and models is at the addresses that the dialect's vendor has."""

    def outgoing(self, out: Outgoing, facts: Facts, used: Sequence[Credential]) -> Outgoing:
        """The request as the host wants it. `out` has its credentials in its headers already, those in `used`."""
        return out

    def incoming(self, incoming: Incoming, facts: Facts) -> Incoming:
        """The answer as the dialect knows it: a framing of the host's own is taken off."""
        return incoming

    def reading(self, headers: Mapping[str, str], now: float) -> Reading | None:
        """What the headers of an answer (names in lower case) say of the account's limits at Unix time `now`."""
        return None

    def aside(self, event: bytes, now: float) -> Reading | None:
        """The same of an event that is no part of an answer: one JSON object."""
        return None


NO_TERMS = Terms()
