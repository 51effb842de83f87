"""Writes flows and what went over their wires into the file, a batch at a time. One thread uses it.

Must not know queues, nor what is done about errors.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from msgspec import Struct

from strowger.flows import bodies, tables
from strowger.flows.flow import Flow, summary
from strowger.flows.tape import Kind, Masked, Message

# How long another process may write before this one gives up for now, in seconds.
_PATIENCE = 5.0

KINDS: tuple[Kind, ...] = ("client_request", "forwarded", "upstream_response", "client_response")
"""As they are numbered in the file."""


class Entry(Struct):
    """What is to be written of a flow: its row as it is now, and more of its messages."""

    flow: Flow
    messages: list[Message]
    masks: list[Masked]
    final: bool
    size: int = 0


def _masked(entry: Entry, data: bytes) -> bytes:
    for mask in entry.masks:
        data = mask(data)
    return data


class Writer:
    """An open file. Every method raises sqlite3.Error and OSError; after one, let it go and open another."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._base = tables.open_for_writing(path, patience=_PATIENCE)
        self._inode = path.stat().st_ino
        self._running: dict[str, int] = {}
        self._writer = self._introduce()

    def _introduce(self) -> int:
        """Tell readers who writes, and close what dead writers have left open."""
        pid = os.getpid()
        with self._base:
            self._base.execute("BEGIN IMMEDIATE")
            for dead in tables.dead_writers(self._base):
                change = self._next_change()
                self._base.execute(
                    "UPDATE flows SET outcome = 'lost', change = ? WHERE writer = ? AND outcome = 'running'",
                    (change, dead),
                )
            made = self._base.execute(
                "INSERT INTO writers (pid, born, begun) VALUES (?, ?, ?)", (pid, tables.process_born(pid), time.time())
            )
        return made.lastrowid or 0

    def is_stale(self) -> bool:
        """Whether the file has been taken away from under us."""
        try:
            return self._path.stat().st_ino != self._inode
        except OSError:
            return True

    def write(self, entries: list[Entry]) -> int:
        """Write what there is of some flows, all of it or nothing. How many are finished."""
        new: dict[str, int] = {}
        with self._base:
            self._base.execute("BEGIN IMMEDIATE")
            change = self._next_change(len(entries))
            for entry in entries:
                change += 1
                seq = self._write_flow(entry.flow, change)
                new[entry.flow.id] = seq
                self._write_messages(seq, entry)
        for entry in entries:
            if entry.final:
                self._running.pop(entry.flow.id, None)
            else:
                self._running[entry.flow.id] = new[entry.flow.id]
        return sum(entry.final for entry in entries)

    def _next_change(self, count: int = 1) -> int:
        """The last change before `count` new ones, which are ours."""
        rows = self._base.execute(
            "UPDATE numbers SET value = value + ? WHERE name = 'change' RETURNING value", (count,)
        )
        return int(rows.fetchall()[0][0]) - count

    def _write_flow(self, flow: Flow, change: int) -> int:
        row = tables.row_of(summary(flow))
        seq = self._running.get(flow.id)
        if seq is not None:
            done = self._base.execute(tables.UPDATE_FLOW, (change, self._writer, *row, seq))
            if done.rowcount:
                return seq
        return self._base.execute(tables.INSERT_FLOW, (change, self._writer, *row)).lastrowid or 0

    def _write_messages(self, seq: int, entry: Entry) -> None:
        place = 1000 if entry.final else 0  # what is written at the end stands behind what was there before
        for message in entry.messages:
            body = _masked(entry, message.body)
            moments = bodies.packed_moments(message.pieces, message.moments) if len(message.pieces) > 1 else None
            if moments is None and message.moments:
                moments = bodies.packed_moments([body], message.moments)
            self._base.execute(
                "INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    seq,
                    place,
                    KINDS.index(message.kind),
                    message.number,
                    message.size,
                    message.cut,
                    self._write_body(body) if body else None,
                    None,
                    bodies.packed_head(
                        _masked(entry, message.line.encode()).decode("utf-8", "replace"), message.headers
                    ),
                    moments,
                ),
            )
            place += 1

    def _write_body(self, body: bytes) -> int:
        form, content = bodies.packed(body)
        made = self._base.execute(
            "INSERT INTO bodies (refs, base, form, size, content) VALUES (1, NULL, ?, ?, ?)", (form, len(body), content)
        )
        return made.lastrowid or 0

    def count(self) -> int:
        """How many flows are listed."""
        return int(self._base.execute("SELECT count(*) FROM flows WHERE listed").fetchone()[0])

    def close(self) -> None:
        """Give the file back."""
        self._base.close()
