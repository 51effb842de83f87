"""Messages of a flow, put together again from what the file has of them. Must not know who asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from strowger.flows import bodies, sheets, tables
from strowger.flows.sheets import KINDS, Leaf
from strowger.flows.tape import Kind, Message


def messages_of(
    base: sqlite3.Connection, flow: str, kind: Kind | None = None, number: int | None = None
) -> list[Message]:
    """Those of a flow, or those of a kind or a number: the client's request, each request to an upstream with its
    answer, the answer to the client. Raises sqlite3.Error, ValueError where the file contradicts itself.
    """
    found = base.execute("SELECT seq FROM flows WHERE id = ?", (flow,)).fetchone()
    if found is None:
        return []
    begun, end = (tables.sheet_id(found[0], end=each) for each in (False, True))
    rows = base.execute("SELECT sample, content FROM sheets WHERE id IN (?, ?) ORDER BY id", (begun, end)).fetchall()
    messages: list[Message] = []
    for sample, content in rows:
        leaves = sheets.unpacked(content, _sample(base, sample))
        for place, leaf in enumerate(leaves):
            if kind in (None, _kind_of(leaf)) and number in (None, leaf.number):
                messages.append(sheets.message_of(leaf, _body(base, leaves, place)))
    return sorted(messages, key=_rank)


def _kind_of(leaf: Leaf) -> Kind | None:
    return KINDS[leaf.kind] if leaf.kind < len(KINDS) else None


def _sample(base: sqlite3.Connection, sample: int) -> bytes:
    found = base.execute("SELECT content FROM samples WHERE id = ?", (sample,)).fetchone()
    if found is None:
        raise ValueError("a sheet has lost its sample")
    content: bytes = found[0]
    return content


def _body(base: sqlite3.Connection, leaves: list[Leaf], place: int) -> bytes | None:
    body = leaves[place].body
    if isinstance(body, int) and body < 0:
        earlier = sheets.same_as(body)
        if earlier >= place:
            raise ValueError("a sheet is broken: a message is like a later one")
        return _body(base, leaves, earlier)
    return _apart(base, body) if isinstance(body, int) else body


def _apart(base: sqlite3.Connection, body_id: int) -> bytes:
    """A body that is kept apart, with all that it stands on."""
    body = b""
    for form, content in reversed(list(_tower(base, body_id))):
        body = bodies.unpacked(form, content, body)
    return body


def _tower(base: sqlite3.Connection, body_id: int) -> Iterator[tuple[int, bytes]]:
    on: int | None = body_id
    while on is not None:
        found = base.execute(
            "SELECT form, content, base FROM bodies JOIN contents ON body = id WHERE id = ?", (on,)
        ).fetchone()
        if found is None:
            raise ValueError("a body has lost its base")
        form, content, on = found
        yield form, content


def _rank(message: Message) -> tuple[int, int, int]:
    kind = KINDS.index(message.kind)
    return (0 if kind == 0 else 2 if kind == 3 else 1), message.number, kind
