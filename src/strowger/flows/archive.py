"""Reads the flow store, whether a gateway writes to it or none runs. Blocking: a server asks in a worker thread.

A file that is not there yet is an archive without flows. Must not know who writes.
"""

from __future__ import annotations

import re
import sqlite3
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from strowger.errors import ClientError, ErrorKind, GatewayError
from strowger.flows import reading, retention, tables, trouble
from strowger.flows.captures import Captures
from strowger.flows.tape import Kind, Message

_T = TypeVar("_T")
Value = str | int | float | bytes | None
Summary = dict[str, object]
# The class has a method of that name.
_Summaries = list[Summary]
_Messages = list[Message]

_LAST = re.compile(r"(?P<last>last(-(?P<before>[0-9]{1,9}))?)|-(?P<nth>[0-9]{1,9})")
# How long a gateway may write before we give up, in seconds.
_PATIENCE = 10.0


class Where(Protocol):
    """Which flows: a condition over the columns of `flows`, and its parameters."""

    def sql(self) -> tuple[str, Sequence[Value]]:
        """`clause, parameters`."""


class Archive:
    """The flows of a file. Every method raises GatewayError when the file cannot be read."""

    def __init__(self, path: Path | str, *, is_kept: bool = True) -> None:
        """`is_kept` says whether gateways write to this file; else it may be anything."""
        self._path = Path(path)
        self._is_kept = is_kept
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = None
        self._inode = 0

    def list(self, where: Where | None = None, *, limit: int = 100, before: int | None = None) -> _Summaries:
        """Flows as `summary` has them, with their `seq`, newest first; those before a `seq`."""
        clause, values = _condition(where)
        if before is not None:
            clause, values = f"{clause} AND seq < ?", [*values, before]
        return self._flows(f"listed = 1 AND {clause} ORDER BY seq DESC LIMIT ?", [*values, min(limit, sys.maxsize)])

    def get(self, name: str) -> Summary:
        """One flow: by its id, a beginning of it that only one has, or `last`; the one before is `last-1`, or `-2`.

        Raises ClientError when there is none, or more than one.
        """
        if (place := _LAST.fullmatch(name)) is not None:
            back = int(place["before"] or 0) if place["last"] else max(int(place["nth"]), 1) - 1
            found = self._flows("listed = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?", [back])
        else:
            start = name if name.startswith("flow_") else f"flow_{name}"
            found = self._flows("listed = 1 AND id >= ? AND id < ? ORDER BY id LIMIT 2", [start, start + "\U0010ffff"])
            if len(found) > 1 and found[0]["id"] != start:
                raise ClientError(f"more than one flow begins with {name}", hint="give more of the id")
        if not found:
            raise ClientError(
                f"there is no flow {name[:80]}", kind=ErrorKind.NOT_FOUND, hint="list them: `strowger flows list`"
            )
        return found[0]

    def messages(self, name: str) -> _Messages:
        """What went over the wires in one call, as far as it is kept: the client's request, each request to an upstream
        with its answer, the answer to the client. Raises ClientError as `get` does.
        """
        return self._messages(name, None, None)

    def message(self, name: str, kind: Kind, number: int | None = None) -> Message | None:
        """One of them, the last of its kind unless a number is given. Raises ClientError as `get` does."""
        found = self._messages(name, kind, number)
        return found[-1] if found else None

    def mark(self) -> int:
        """The change that happened last."""
        rows = self.select("SELECT value FROM numbers WHERE name = 'change'")
        return int(str(rows[0][0])) if rows else 0

    def changed_since(self, mark: int, *, limit: int = 1000) -> tuple[int, _Summaries]:
        """Flows that are new or have changed since a mark, oldest change first, and the next mark."""
        columns = ", ".join(tables.READ_COLUMNS)
        rows = self.select(
            f"SELECT change, {columns} FROM {{flows}} WHERE listed = 1 AND change > ? ORDER BY change LIMIT ?",  # noqa: S608 - column names of ours
            [mark, limit],
        )
        return (int(str(rows[-1][0])) if rows else mark), [tables.summary_of(row[1:]) for row in rows]

    def count(self, where: Where | None = None) -> int:
        """How many flows are listed."""
        clause, values = _condition(where)
        rows = self.select(f"SELECT count(*) FROM {{flows}} WHERE listed = 1 AND {clause}", values)  # noqa: S608 - a filter's own clause
        return int(str(rows[0][0])) if rows else 0

    def select(self, statement: str, values: Sequence[Value] = ()) -> Sequence[tuple[Value, ...]]:
        """Rows of a statement in which `{flows}` stands for the table of flows, `running` ones of dead writers being
        `lost`; none where there is no file.
        """

        def work(base: sqlite3.Connection) -> Sequence[tuple[Value, ...]]:
            return base.execute(statement.replace("{flows}", _source(base)), values).fetchall()

        return self._with(work, ())

    def clear(self, where: Where | None = None, *, usage: bool = False) -> int:
        """Delete flows that are over, and what was said in them; how many they were. With `usage` their figures too.

        Raises GatewayError when another process does not let go of the file.
        """
        if not self._path.exists():
            return 0
        clause, values = _condition(where)
        try:
            base = tables.open_for_writing(self._path, patience=_PATIENCE)
            try:
                deleted = retention.delete(base, clause, values, usage=usage)
                Captures(self._path).sweep(base)
                return deleted
            finally:
                base.close()
        except (sqlite3.Error, OSError) as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def _with(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        with self._lock:
            try:
                if self._base is not None and (not self._path.exists() or self._path.stat().st_ino != self._inode):
                    self._let_go()
                if self._base is None:
                    self._base = tables.open_for_reading(self._path)
                    self._inode = self._path.stat().st_ino if self._base is not None else 0
                if self._base is None:
                    return otherwise
                self._base.execute("BEGIN")  # one view of the file, whatever is written meanwhile
                try:
                    return work(self._base)
                finally:
                    self._base.execute("ROLLBACK")
            except (sqlite3.Error, ValueError) as error:
                self._let_go()
                raise self._unreadable(error) from None

    def _unreadable(self, error: Exception) -> GatewayError:
        """What a reader is told when the file cannot be read."""
        if isinstance(error, ValueError):
            return GatewayError(f"{self._path}: {error}", hint="other calls may still be there")
        hint = None
        if trouble.is_corrupt(error):
            hint = "it is no store of flows, or a damaged one"
            if self._is_kept:
                hint = "a gateway that runs moves a broken file aside and begins a new one: `strowger serve`"
        return GatewayError(trouble.said(self._path, error), hint=hint)

    def _flows(self, condition: str, values: Sequence[Value]) -> _Summaries:
        columns = ", ".join(tables.READ_COLUMNS)
        rows = self.select(f"SELECT {columns} FROM {{flows}} WHERE {condition}", values)  # noqa: S608 - column names of ours, a filter's own clause
        return [tables.summary_of(row) for row in rows]

    def _messages(self, name: str, kind: Kind | None, number: int | None) -> _Messages:
        flow = self.get(name)

        def work(base: sqlite3.Connection) -> _Messages:
            return reading.messages_of(base, str(flow["id"]), kind, number)

        none: _Messages = []
        return self._with(work, none)


def _condition(where: Where | None) -> tuple[str, list[Value]]:
    if where is None:
        return "1", []
    clause, values = where.sql()
    return f"({clause})", list(values)


def _source(base: sqlite3.Connection) -> str:
    dead = ", ".join(map(str, tables.dead_writers(base)))
    if not dead:
        return "flows"
    lost = f"CASE WHEN outcome = 'running' AND writer IN ({dead}) THEN 'lost' ELSE outcome END AS outcome"
    columns = ", ".join(name for name in tables.ALL_COLUMNS if name != "outcome")
    return f"(SELECT {columns}, {lost} FROM flows) AS flows"  # noqa: S608 - column names of ours, numbers
