"""What was said in a call that is kept, read by the dialect that its client spoke."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from strowger.dialects.base import Dialect
from strowger.errors import GatewayError
from strowger.flows.tape import Message
from strowger.flows.transcript import Transcript, Turn, answered, asked
from strowger.gateway.app import DIALECTS
from strowger.gateway.endpoints import match


class Read(Struct, frozen=True):
    """What was asked and what was answered; None where it cannot be read, is not kept, or was an error."""

    transcript: Transcript | None
    answer: Turn | None


def read(flow: Mapping[str, Any], messages: Sequence[Message]) -> Read:
    """Read a call's own messages: those of the client's side."""
    dialect = DIALECTS.get(str(flow.get("dialect")))
    by_kind = {message.kind: message for message in messages}
    client, answer = by_kind.get("client_request"), by_kind.get("client_response")
    if dialect is None:
        return Read(None, None)
    is_answer = answer is not None and answer.pieces and not answer.line.startswith(("4", "5"))
    return Read(
        _asked(dialect, client) if client is not None and client.pieces else None,
        answered(dialect, answer.body) if answer is not None and is_answer else None,
    )


def _asked(dialect: Dialect, client: Message) -> Transcript | None:
    """A part of what is asked may be in the URL."""
    method, _, target = client.line.partition(" ")
    path, _, query = target.partition("?")
    pinned = path.split("/")[1] if path.startswith("/") else ""
    headers = {name.lower(): value for name, value in client.headers}
    try:
        spot = match(method, path, headers, {pinned}, query).spot
    except GatewayError:
        return None
    return asked(dialect, client.body, spot)
