"""What was said in answers that a client may refer to by their id: `previous_response_id`, `item_reference` and GET
/responses/{id}.

Upstreams of other dialects keep nothing, so the gateway does: each answer with the input that was new in its turn and
the id of the turn before. A file of the user's own, bounded by size and age; what is oldest, by its last use, goes
first. Each entry belongs to the client that made it. Must not know the gateway.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio.to_thread
import msgspec
from msgspec import Raw, Struct

from strowger.errors import BadRequest
from strowger.flows import trouble

_T = TypeVar("_T")

# A conversation of more turns is a loop.
_LONGEST = 10_000
# Turns that are kept in memory until, and after, they are on disk: a client asks for the last one at once.
_RECENT = 256
# Bytes of them: clients that say everything again in each turn, and do not say `store: false`, are many.
_RECENT_BYTES = 64 * 1024 * 1024
# Deleted turns that may still be on their way to disk.
_FORGOTTEN = 1024
# How many turns are written before the bounds are looked at again.
_TRIM_EVERY = 50

_SCHEMA = """
CREATE TABLE IF NOT EXISTS turns (
    id TEXT NOT NULL, owner TEXT NOT NULL, previous TEXT NOT NULL, provider TEXT NOT NULL, created INTEGER NOT NULL,
    used REAL NOT NULL, input BLOB NOT NULL, response BLOB NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (id, owner)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS turns_used ON turns (used);
CREATE TABLE IF NOT EXISTS items (
    id TEXT NOT NULL, owner TEXT NOT NULL, turn TEXT NOT NULL, PRIMARY KEY (id, owner)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_turn ON items (turn, owner);
"""

_ITEMS = msgspec.json.Decoder(list[Raw])


class _Output(Struct):
    output: list[Raw] = []


class _State(Struct):
    status: str | None = None
    background: bool | None = None


class _Named(Struct):
    id: str = ""


class _Names(Struct):
    output: list[_Named] = []


_OUTPUT = msgspec.json.Decoder(_Output)
_NAMES = msgspec.json.Decoder(_Names)
_STATE = msgspec.json.Decoder(_State)
_PENDING = frozenset({"queued", "in_progress"})


class Turn(Struct, frozen=True):
    """One answer. `input` is a JSON list of the items that were new, `response` the whole response object; `previous`
    is the id of the turn before, or empty. `provider` answered.
    """

    id: str
    owner: str
    previous: str
    provider: str
    created: int
    input: bytes
    response: bytes

    def size(self) -> int:
        """In bytes."""
        return len(self.input) + len(self.response)

    def is_pending(self) -> bool:
        """Whether the answer was not there yet when it was last heard of: it is made in the background."""
        return self._state().status in _PENDING

    def is_background(self) -> bool:
        """Whether the answer was made without anyone waiting for it."""
        return bool(self._state().background)

    def _state(self) -> _State:
        try:
            return _STATE.decode(self.response)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return _State()

    def items(self) -> list[Raw]:
        """What this turn adds to the conversation: what was asked, then what was answered."""
        return _ITEMS.decode(self.input) + _OUTPUT.decode(self.response).output

    def names(self) -> list[str]:
        """The ids of the items that were answered; empty for one that has none."""
        try:
            return [item.id for item in _NAMES.decode(self.response).output]
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []  # a vendor's own idea of an id: nobody can refer to it

    def item(self, name: str) -> Raw | None:
        """The item that was answered with that id."""
        items = zip(self.names(), _OUTPUT.decode(self.response).output, strict=False)
        return next((item for known, item in items if known == name), None)


class Conversations:
    """The turns of all conversations. `path` may be `:memory:`; the file is made with the first turn.

    When the file cannot be used, turns live in memory only and `tell` hears why, once: an answer is never held up by
    it. A file that is broken is put aside.
    """

    def __init__(
        self,
        path: str,
        *,
        max_bytes: int,
        max_age: float,
        tell: Callable[[str, dict[str, object]], None] = lambda *_: None,
    ) -> None:
        self._path = path
        self._tell = tell
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._recent: OrderedDict[tuple[str, str], Turn] = OrderedDict()
        self._holders: dict[tuple[str, str], str] = {}
        self._recent_bytes = 0
        self._forgotten: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()
        self._base: sqlite3.Connection | None = None
        self._written = 0
        self._problem: str | None = None

    def remember(self, turn: Turn) -> None:
        """Know a turn from now on, before it is on disk; `write` brings it there."""
        key = (turn.id, turn.owner)
        self._drop(key)  # an upstream whose ids are not its own answers' alone
        self._recent[key] = turn
        self._recent_bytes += turn.size()
        self._forgotten.pop(key, None)
        for name in turn.names():
            self._holders[name, turn.owner] = turn.id
        while len(self._recent) > _RECENT or (self._recent_bytes > _RECENT_BYTES and len(self._recent) > 1):
            self._drop(next(iter(self._recent)))

    async def write(self, turn: Turn) -> None:
        """Bring a turn to disk."""
        await anyio.to_thread.run_sync(self._write, turn)

    async def get(self, turn_id: str, owner: str) -> Turn | None:
        """One turn of a client's own."""
        return self._recent.get((turn_id, owner)) or await anyio.to_thread.run_sync(self._read, turn_id, owner)

    async def holder(self, name: str, owner: str) -> Turn | None:
        """The turn of a client's own in which an item with that id was answered."""
        turn_id = self._holders.get((name, owner)) or await anyio.to_thread.run_sync(self._read_holder, name, owner)
        turn = await self.get(turn_id, owner) if turn_id else None
        return turn if turn is not None and name in turn.names() else None

    async def chain(self, turn_id: str, owner: str) -> list[Turn] | None:
        """The conversation up to a turn, oldest first; None when a part of it is unknown or has expired."""
        turns: list[Turn] = []
        while turn_id:
            turn = await self.get(turn_id, owner)
            if turn is None or len(turns) >= _LONGEST:
                return None
            turns.append(turn)
            turn_id = turn.previous
        turns.reverse()
        return turns

    async def forget(self, turn_id: str, owner: str) -> bool:
        """Delete a turn. False when there is none."""
        known = self._drop((turn_id, owner))
        self._forgotten[turn_id, owner] = None
        while len(self._forgotten) > _FORGOTTEN:
            self._forgotten.popitem(last=False)
        return await anyio.to_thread.run_sync(self._delete, turn_id, owner) or known

    def _drop(self, key: tuple[str, str]) -> bool:
        """Have a turn in memory no longer. False when it was not."""
        turn = self._recent.pop(key, None)
        if turn is None:
            return False
        self._recent_bytes -= turn.size()
        for name in turn.names():
            if self._holders.get((name, turn.owner)) == turn.id:
                del self._holders[name, turn.owner]
        return True

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._disconnect()

    # ---- the file, one thread at a time ----

    def _with(self, work: Callable[[sqlite3.Connection], _T], otherwise: _T) -> _T:
        with self._lock:
            # Another gateway may have put a broken file aside already: what it has begun is looked at first.
            ways_out = [self._put_aside] if self._base is None else [self._put_aside, self._reopened]
            while True:
                try:
                    if self._base is None:
                        self._base = self._connected()
                    with self._base:
                        done = work(self._base)
                except (sqlite3.Error, OSError) as error:
                    if self._path != ":memory:" and trouble.is_corrupt(error) and ways_out and ways_out.pop()():
                        continue
                    self._set_problem(trouble.said(Path(self._path), error))
                    return otherwise
                self._set_problem(None)
                return done

    def _reopened(self) -> bool:
        self._disconnect()
        return True

    def _put_aside(self) -> bool:
        """Make way for a new file. False where that cannot be."""
        self._disconnect()
        path = Path(self._path)
        try:
            kept = trouble.move_aside(path)
        except OSError:
            return False
        self._tell("store", {"problem": f"{path} was broken and is now {kept.name}; a new one has been begun"})
        return True

    def _disconnect(self) -> None:
        if self._base is not None:
            self._base.close()
            self._base = None

    def _set_problem(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell("store", {"problem": problem} if problem else {"note": f"{self._path} is written again"})

    def _connected(self) -> sqlite3.Connection:
        if self._path != ":memory:":
            path = Path(self._path)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Conversations are nobody else's business; SQLite gives its side files the mode of the file.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        base = sqlite3.connect(self._path, check_same_thread=False, timeout=5.0)
        try:
            base.execute("PRAGMA journal_mode=WAL")
            base.execute("PRAGMA synchronous=NORMAL")
            base.execute("PRAGMA auto_vacuum=INCREMENTAL")
            base.executescript(_SCHEMA)
        except sqlite3.Error:
            base.close()
            raise
        return base

    def _write(self, turn: Turn) -> None:
        def work(base: sqlite3.Connection) -> None:
            if (turn.id, turn.owner) in self._forgotten:
                return
            row = (turn.id, turn.owner, turn.previous, turn.provider, turn.created, time.time())
            base.execute(
                "INSERT OR REPLACE INTO turns VALUES (?,?,?,?,?,?,?,?,?)",
                (*row, turn.input, turn.response, turn.size()),
            )
            named = [(name, turn.owner, turn.id) for name in turn.names() if name]
            base.executemany("INSERT OR REPLACE INTO items VALUES (?,?,?)", named)
            if self._written % _TRIM_EVERY == 0:
                self._trim(base)
            self._written += 1

        self._with(work, None)

    def _trim(self, base: sqlite3.Connection) -> None:
        base.execute("DELETE FROM turns WHERE used < ?", (time.time() - self._max_age,))
        self._shrink(base)
        kept = "SELECT 1 FROM turns WHERE turns.id = items.turn AND turns.owner = items.owner"
        base.execute(f"DELETE FROM items WHERE NOT EXISTS ({kept})")  # noqa: S608 - all of it is ours
        base.execute("PRAGMA incremental_vacuum")

    def _shrink(self, base: sqlite3.Connection) -> None:
        (size,) = base.execute("SELECT COALESCE(SUM(bytes), 0) FROM turns").fetchone()
        if size <= self._max_bytes:
            return
        # Down to a good part of the bound, so that not every write has to look again.
        over = size - self._max_bytes * 9 // 10
        oldest: list[tuple[str, str]] = []
        for turn_id, owner, one in base.execute("SELECT id, owner, bytes FROM turns ORDER BY used"):
            if over <= 0:
                break
            oldest.append((turn_id, owner))
            over -= one
        base.executemany("DELETE FROM turns WHERE id = ? AND owner = ?", oldest)

    def _read(self, turn_id: str, owner: str) -> Turn | None:
        def work(base: sqlite3.Connection) -> Turn | None:
            row = base.execute(
                "SELECT id, owner, previous, provider, created, input, response FROM turns"
                " WHERE id = ? AND owner = ? AND used >= ?",
                (turn_id, owner, time.time() - self._max_age),
            ).fetchone()
            if row is None:
                return None
            base.execute("UPDATE turns SET used = ? WHERE id = ? AND owner = ?", (time.time(), turn_id, owner))
            return Turn(*row)

        return self._with(work, None)

    def _read_holder(self, name: str, owner: str) -> str:
        def work(base: sqlite3.Connection) -> str:
            row = base.execute("SELECT turn FROM items WHERE id = ? AND owner = ?", (name, owner)).fetchone()
            return row[0] if row is not None else ""

        return self._with(work, "")

    def _delete(self, turn_id: str, owner: str) -> bool:
        def work(base: sqlite3.Connection) -> bool:
            base.execute("DELETE FROM items WHERE turn = ? AND owner = ?", (turn_id, owner))
            return base.execute("DELETE FROM turns WHERE id = ? AND owner = ?", (turn_id, owner)).rowcount > 0

        return self._with(work, False)


def items_of(value: Raw) -> list[Raw]:
    """The items of an `input` member: a bare string is one message of the user. Raises BadRequest."""
    try:
        if bytes(memoryview(value)[:1]) == b'"':
            return [Raw(b'{"type":"message","role":"user","content":' + bytes(value) + b"}")]
        return _ITEMS.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"input: {error}", param="input") from None
