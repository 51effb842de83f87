"""Messages of a flow, put together again from what the file has of them. Must not know who asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from strowger.flows import bodies, tables
from strowger.flows.tape import Message


def messages_of(
    base: sqlite3.Connection, flow: str, condition: str = "1", values: Sequence[object] = ()
) -> list[Message]:
    """Those of a flow that a condition on `messages` holds for: the client's request, each request to an upstream with
    its answer, the answer to the client. Raises sqlite3.Error, ValueError where the file contradicts itself.
    """
    columns = "kind, number, size, cut, body, sample, head, moments"
    one = "flow = (SELECT seq FROM flows WHERE id = ?)"
    statement = f"SELECT {columns} FROM messages WHERE {one} AND {condition} ORDER BY place"  # noqa: S608 - a condition of ours
    rows = base.execute(statement, [flow, *values]).fetchall()
    return sorted((_message(base, row) for row in rows), key=_rank)


def _message(base: sqlite3.Connection, row: tuple[Any, ...]) -> Message:
    kind, number, size, cut, body_id, sample, head, moments = row
    found = base.execute("SELECT content FROM samples WHERE id = ?", (sample,)).fetchone()
    if found is None:
        raise ValueError("a head has lost its sample")
    line, headers = bodies.unpacked_head(head, found[0])
    message = Message(tables.KINDS[kind], number, line, headers, size=size, cut=bool(cut))
    if body_id is not None:
        body = _body(base, body_id)
        message.pieces, message.moments = ([body], []) if moments is None else bodies.unpacked_moments(moments, body)
    return message


def _body(base: sqlite3.Connection, body_id: int) -> bytes:
    """A body, with all that it stands on."""
    kept: list[tuple[int, bytes]] = []
    on: int | None = body_id
    while on is not None:
        found = base.execute(
            "SELECT form, content, base FROM bodies JOIN contents ON body = id WHERE id = ?", (on,)
        ).fetchone()
        if found is None:
            raise ValueError("a body has lost its base")
        form, content, on = found
        kept.append((form, content))
    body = b""
    for form, content in reversed(kept):
        body = bodies.unpacked(form, content, body)
    return body


def _rank(message: Message) -> tuple[int, int, int]:
    kind = tables.KINDS.index(message.kind)
    return (0 if kind == 0 else 2 if kind == 3 else 1), message.number, kind
