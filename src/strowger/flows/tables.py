"""The tables of the flow store, how a flow becomes a row of them and back, and how the file is opened.

`flows` has a row for each call. Its columns are called as the keys of `summary`, tokens by their kind, so that filters
and sums need no translation; what has no column is in `rest`. A row whose `listed` is 0 is there for sums alone.
`sheets` has what went over the wires in a call, on at most two of them, `bodies` the long bodies, each held by as many
as `refs` says, and `contents` their bytes: what is counted often stays small. Must not know who writes when.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import cast

import msgspec

from strowger.config.processes import is_the_same
from strowger.errors import ConfigError

VERSION = 2
"""Of the tables. A file of another version is neither read nor written; a gateway puts that of an earlier one aside."""

APPLICATION = 0x5374_7277
"""Marks a file as a store of flows (`Strw`)."""


class Outdated(ConfigError):
    """The file has the tables of an earlier `version`."""

    def __init__(self, path: Path, version: int) -> None:
        super().__init__(
            f"{path} was written by an earlier version of strowger",
            hint="a gateway puts the one that it keeps aside, and begins a new one: `strowger serve`",
        )
        self.version = version


NUMBERS = ("change", "seq", "body", "cleared", "emptied", "looked", "leapt")
"""The last change, `seq` and id of a body that were given out, each for ever; how often samples were thrown away; up to
which Unix time flows have been emptied; when it was last looked for what is old, and since when time seems to have
leapt.
"""

# Column, its type: those that are members of the plain form under the same name.
_PLAIN = {
    "id": "TEXT NOT NULL UNIQUE",
    "started": "REAL NOT NULL",
    "method": "TEXT",
    "path": "TEXT",
    "dialect": "TEXT",
    "client": "TEXT",
    "agent": "TEXT",
    "program": "TEXT",
    "session": "TEXT",
    "agent_id": "TEXT",
    "parent_agent_id": "TEXT",
    "agent_type": "TEXT",
    "request_class": "TEXT",
    "launch": "TEXT",
    "profile": "TEXT",
    "project": "TEXT",
    "model": "TEXT",
    "stream": "INTEGER",
    "route": "TEXT",
    "provider": "TEXT",
    "account": "TEXT",
    "upstream_model": "TEXT",
    "response_model": "TEXT",
    "upstream_dialect": "TEXT",
    "lane": "TEXT",
    "outcome": "TEXT NOT NULL",
    "status": "INTEGER",
    "error_kind": "TEXT",
    "error": "TEXT",
    "finish": "TEXT",
    "tokens_estimated": "INTEGER",
    "billing": "TEXT",
    "billed_usd": "REAL",
    "upstream_request_id": "TEXT",
    "request_bytes": "INTEGER",
    "response_bytes": "INTEGER",
    "events": "INTEGER",
    "replay_of": "TEXT",
    "sent_ms": "REAL",
    "upstream_first_byte_ms": "REAL",
    "first_byte_ms": "REAL",
    "duration_ms": "REAL",
}
TOKENS = ("input", "output", "cache_read", "cache_write", "reasoning")
"""Columns of the kinds of tokens; NULL where nobody counted them."""

# Lists, as JSON.
_LISTS = ("attempts", "losses", "notes")
_BOOLEAN = ("stream", "tokens_estimated")

# What is kept of a call when only its sums are: who, where, when, how much. Everything else is emptied.
_EMPTIED = ("path", "agent", "error", "upstream_request_id", "replay_of", *_LISTS, "rest")

_COLUMNS = (*_PLAIN, *TOKENS, "day", *_LISTS, "rest")
_KNOWN = frozenset((*_PLAIN, *_LISTS, "tokens"))

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS numbers (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS writers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pid INTEGER NOT NULL, born TEXT, begun REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS flows (
    seq INTEGER PRIMARY KEY, change INTEGER NOT NULL, writer INTEGER NOT NULL, listed INTEGER NOT NULL DEFAULT 1,
    {", ".join(f"{name} {kind}" for name, kind in _PLAIN.items())},
    {", ".join(f"{name} INTEGER" for name in TOKENS)},
    day TEXT NOT NULL, {", ".join(f"{name} TEXT" for name in _LISTS)}, rest TEXT
);
CREATE INDEX IF NOT EXISTS flows_change ON flows (change);
CREATE INDEX IF NOT EXISTS flows_started ON flows (started, listed);
CREATE INDEX IF NOT EXISTS flows_session ON flows (session, seq) WHERE session IS NOT NULL;
CREATE INDEX IF NOT EXISTS flows_running ON flows (writer) WHERE outcome = 'running';
CREATE TABLE IF NOT EXISTS sheets (id INTEGER PRIMARY KEY, bodies TEXT, sample INTEGER NOT NULL, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS bodies (
    id INTEGER PRIMARY KEY, refs INTEGER NOT NULL, base INTEGER, form INTEGER NOT NULL, size INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS contents (body INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS samples (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, content BLOB NOT NULL);
"""

WRITTEN = ("seq", "change", "writer", *_COLUMNS)
"""Columns of a new flow; those from the fourth on are what `row_of` gives."""

SHEET = ("id", "bodies", "sample", "content")
"""Columns of a sheet. `bodies` are the numbers of those that it holds, once for each time, as a list in JSON."""


def sheet_id(seq: int, *, end: bool) -> int:
    """The id of a sheet: what was written of a call while it was under way, and at its `end`."""
    return 2 * seq + end


# So many rows go into the file with one statement. Each statement hands the interpreter over to other threads and waits
# to have it back; a few sizes, for the connection keeps prepared what it has seen.
_ROWS_AT_ONCE = (64, 32, 16, 8, 4, 2, 1)

UPDATE_FLOW = (
    f"UPDATE flows SET change = ?, writer = ?, {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE seq = ? AND id = ?"  # noqa: S608 - column names of ours
)
"""Takes change, writer, `row_of`, seq and id."""

EMPTY_FLOW = f"UPDATE flows SET listed = 0, {', '.join(f'{name} = NULL' for name in _EMPTIED)} WHERE seq = ?"  # noqa: S608 - column names of ours
"""Leaves of a flow what is summed."""

ALL_COLUMNS = ("seq", "change", "writer", "listed", *_COLUMNS)
"""Of `flows`."""

READ_COLUMNS = ("seq", *_PLAIN, *TOKENS, *_LISTS, "rest")
"""What `summary_of` makes a flow from, in its order."""

_plain = itemgetter(*_PLAIN)
_LIST = msgspec.json.Decoder(list[object])
_REST = msgspec.json.Decoder(dict[str, object])
_encode = msgspec.json.Encoder().encode


def row_of(told: Mapping[str, object]) -> list[object]:
    """The values of a row, in the order of the statements, from a flow's plain form."""
    row: list[object] = [*_plain(told)]
    row += map(cast("Mapping[str, int]", told["tokens"]).get, TOKENS)
    row.append(_day(int(cast("float", told["started"]) // 60)))
    row += [_encode(found).decode() if (found := told[name]) else "[]" for name in _LISTS]
    if len(told) > len(_KNOWN):
        rest = {name: value for name, value in told.items() if name not in _KNOWN}
        row.append(_encode(rest).decode())
    else:
        row.append(None)
    return row


def whole_text(value: object) -> object:
    """Plain data with a question mark for what is half of a character: a header may hold it, no file can."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode()
        case dict():
            return {whole_text(name): whole_text(each) for name, each in value.items()}
        case list() | tuple():
            return [whole_text(each) for each in value]
        case _:
            return value


@lru_cache(maxsize=64)
def _day(minute: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(minute * 60))


def summary_of(row: tuple[object, ...]) -> dict[str, object]:
    """A flow's plain form, with its `seq`, from the values of READ_COLUMNS."""
    told = dict(zip(READ_COLUMNS, row, strict=True))
    told["tokens"] = {name: count for name in TOKENS if (count := told.pop(name)) is not None}
    for name in _BOOLEAN:
        told[name] = bool(told[name])
    for name in _LISTS:
        told[name] = _LIST.decode(text) if isinstance(text := told[name], str) else []
    if isinstance(rest := told.pop("rest"), str):
        told |= _REST.decode(rest)
    return told


def insert(base: sqlite3.Connection, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[object]]) -> None:
    """Put rows into a table, many with each statement."""
    done = 0
    for many in _ROWS_AT_ONCE:
        while len(rows) - done >= many:
            values = list(chain.from_iterable(rows[done : done + many]))
            base.execute(_insertion(table, columns, many), values)
            done += many


@lru_cache(maxsize=64)
def _insertion(table: str, columns: tuple[str, ...], rows: int) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * rows)}"  # noqa: S608 - names of ours


def open_for_writing(path: Path, *, patience: float) -> sqlite3.Connection:
    """The file, made with its tables where it is not there yet. Waits `patience` seconds for another writer.

    Raises sqlite3.Error and OSError, ConfigError for a file that is not to be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # What was said is nobody else's business; SQLite gives its side files the mode of the file.
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    base = sqlite3.connect(path, check_same_thread=False, timeout=patience, isolation_level=None)
    try:
        _prepare(base, path)
    except BaseException:
        base.close()
        raise
    return base


@contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """All of what is done within or nothing. Raises sqlite3.Error: also where another process does not let go."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the one that matters is being raised
            base.execute("ROLLBACK")
        raise


def _prepare(base: sqlite3.Connection, path: Path) -> None:
    _check(base, path)
    with suppress(OSError):  # a copy that was put here may be open to others; not every file knows modes
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    base.execute("PRAGMA auto_vacuum=INCREMENTAL")  # heeded only before the first table
    base.execute("PRAGMA journal_mode=WAL")
    base.execute("PRAGMA synchronous=NORMAL")
    base.execute("PRAGMA journal_size_limit=4194304")
    base.execute("PRAGMA cache_size=-8192")  # ids are random: their index is written everywhere at once
    with transaction(base):
        for statement in _SCHEMA.split(";\n"):
            base.execute(statement)
        base.executemany("INSERT OR IGNORE INTO numbers VALUES (?, 0)", [(name,) for name in NUMBERS])
        base.execute(f"PRAGMA application_id={APPLICATION}")
        base.execute(f"PRAGMA user_version={VERSION}")


def _check(base: sqlite3.Connection, path: Path) -> None:
    """Raise ConfigError for the file of another program or of another version."""
    base.execute("BEGIN")  # another process may be making the tables just now
    try:
        (version,) = base.execute("PRAGMA user_version").fetchone()
        (application,) = base.execute("PRAGMA application_id").fetchone()
        (tables,) = base.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        if base.in_transaction:  # SQLite ends it by itself where the file is broken
            base.execute("ROLLBACK")
    if application != APPLICATION and tables:
        raise ConfigError(f"{path} belongs to another program", hint="name another one: `[flows] file`")
    if version > VERSION:
        raise ConfigError(
            f"{path} was written by a later version of strowger",
            hint="update strowger, or name another file: `[flows] file`",
        )
    if 0 < version < VERSION:
        raise Outdated(path, version)


def open_for_reading(path: Path) -> sqlite3.Connection | None:
    """The file, which this connection cannot change; None where there is none, or none with tables yet.

    Raises sqlite3.Error, ConfigError for a file that is not ours to read.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    base = _reading(path, "mode=ro")
    try:
        try:
            _check(base, path)
        except sqlite3.DatabaseError:
            # SQLite notes beside the file who reads. Where it cannot, and nothing waits there, nobody writes.
            if os.access(path.parent, os.W_OK) or Path(f"{path}-wal").exists():
                raise
            base.close()
            base = _reading(path, "immutable=1")
            _check(base, path)
        (tables,) = base.execute("SELECT count(*) FROM sqlite_master WHERE name = 'samples'").fetchone()
    except BaseException:
        base.close()
        raise
    if not tables:
        base.close()
        return None
    return base


def _reading(path: Path, how: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, check_same_thread=False, timeout=5.0, isolation_level=None)


def dead_writers(base: sqlite3.Connection) -> Iterator[int]:
    """The writers with flows that say `running` whose processes are no more."""
    rows = base.execute(
        "SELECT id, pid, born FROM writers WHERE id IN (SELECT DISTINCT writer FROM flows WHERE outcome = 'running')"
    ).fetchall()
    return (writer for writer, pid, born in rows if not is_the_same(pid, born))
