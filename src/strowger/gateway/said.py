"""What was said in a call that is kept, read by the dialect that its client spoke.

GET flows/<id>/transcript  ?last=40: the last turns of what was asked, the tools that were offered, and the answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from strowger.dialects.base import Dialect
from strowger.errors import GatewayError
from strowger.flows.tape import Message
from strowger.flows.transcript import FAILED, Transcript, Turn, answered, asked
from strowger.gateway.endpoints import match
from strowger.gateway.history import Asked, History, number_of

# Characters of one piece that are told: a page cannot show a whole file that somebody has read.
_LONGEST = 20_000
_TURNS = 40


class Read(Struct, frozen=True):
    """What was asked and what was answered; None where it cannot be read, is not kept, or was an error."""

    transcript: Transcript | None
    answer: Turn | None


def read(dialects: Mapping[str, Dialect], flow: Mapping[str, object], messages: Sequence[Message]) -> Read:
    """Read a call's own messages: those of the client's side."""
    dialect = dialects.get(str(flow.get("dialect")))
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


class Said:
    """Reads calls for the admin API."""

    def __init__(self, history: History, dialects: Mapping[str, Dialect]) -> None:
        self._history = history
        self._dialects = dialects

    async def transcript(self, name: str, query: Asked) -> dict[str, object]:
        """As plain data; `earlier` is how many turns were left out. Raises GatewayError as `History.flow` does."""
        last = number_of(query, "last", _TURNS)
        flow = await self._history.flow(name)
        messages = await self._history.messages(name)
        found = await self._history.read(lambda: read(self._dialects, flow, messages))
        turns = found.transcript.turns if found.transcript is not None else ()
        tools = found.transcript.tools if found.transcript is not None else ()
        shown = turns[max(0, len(turns) - last) :]
        return {
            "readable": found.transcript is not None,
            "earlier": len(turns) - len(shown),
            "turns": [_turn(turn) for turn in shown],
            "tools": [{"name": tool, "says": says[:_LONGEST]} for tool, says in tools],
            "answer": None if found.answer is None else _turn(_so_far(found.answer, flow)),
        }


def _so_far(answer: Turn, flow: Mapping[str, object]) -> Turn:
    """Of an answer that is still coming it is no news that it has no end."""
    if flow.get("outcome") != "running":
        return answer
    return Turn(answer.role, tuple(piece for piece in answer.pieces if piece.kind != "other" or piece.title != FAILED))


def _turn(turn: Turn) -> dict[str, object]:
    pieces = [
        {
            "kind": piece.kind,
            "title": piece.title,
            "text": piece.text[:_LONGEST],
            "left_out": max(0, len(piece.text) - _LONGEST),
        }
        for piece in turn.pieces
    ]
    return {"role": turn.role, "pieces": pieces}
