"""What the flow store lets go: by age, by size, or because the user says so.

What was said goes first, then the rest of a call but its figures, then these. A body goes with the last that needs it.
Every step is a short transaction of its own: others want to write. Must not know queues.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from strowger.flows import tables

# Flows that are emptied or deleted in one transaction.
_STEP = 200
# Flows whose bodies go in one transaction because the file is too large; each may be of megabytes.
_LARGE_STEP = 25
# The oldest sheets: of which flows, and about what goes with each.
_OLDEST = (
    "SELECT id / 2, length(content) + coalesce((SELECT sum(length(contents.content))"
    " FROM json_each(sheets.bodies) AS held JOIN contents ON body = held.value), 0) FROM sheets ORDER BY id LIMIT ?"
)
# Pages given back to the file system at once.
_PAGES = 4096
# When the file is too large, it is brought down to this part of its bound: not every call has to look again.
_DOWN_TO = 0.9
_DAY = 86400.0
# In whole seconds: what is more than a night is a leap of the clock, until it has gone on from there for so long.
_LEAP, _STANDS = 2 * 86400, 3600


class Limits(Struct, frozen=True):
    """`bytes` of the whole file, `days` for which a call is kept and `usage_days` for its figures; `waiting` bytes may
    be on their way to the disk.
    """

    bytes: int = 1024 * 1024 * 1024
    days: float = 14.0
    usage_days: float = 400.0
    waiting: int = 64 * 1024 * 1024


def size_of(path: Path) -> int:
    """What the file and the one beside it that is written ahead take on the disk, in bytes."""
    size = 0
    for suffix in ("", "-wal"):
        try:
            size += Path(f"{path}{suffix}").stat().st_size
        except OSError:
            continue
    return size


class _NotNowError(Exception):
    """There is more to do than there is time."""


class _Time:
    """How long a trim may take: it is looked at after each step, so one is always done."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raises _NotNowError when it is over."""
        if time.monotonic() >= self._until:
            raise _NotNowError


def trim(base: sqlite3.Connection, path: Path, limits: Limits, seconds: float = math.inf) -> int | None:
    """Bring the file within its bounds; how many flows it lists then. None when that takes longer than `seconds`: what
    is done is done, and the rest is for the next time. Raises sqlite3.Error.
    """
    now = time.time()
    left = _Time(seconds)
    try:
        if _is_believable(base, int(now)):
            _by_age(base, now - limits.days * _DAY, now - limits.usage_days * _DAY, left)
        if size_of(path) > limits.bytes:  # until room is given back, at the very end
            _by_size(base, int(limits.bytes * _DOWN_TO), left)
            _give_back(base)
    except _NotNowError:
        return None
    counted = "SELECT count(*) FROM flows WHERE started >= (SELECT value FROM numbers WHERE name = 'emptied')"
    return int(base.execute(f"{counted} AND listed = 1").fetchone()[0])


def delete(base: sqlite3.Connection, condition: str, values: Sequence[object], *, usage: bool) -> int:
    """Delete the listed flows that a condition holds for and that are over, with `usage` their figures too, and those
    of flows that were deleted before. How many were listed. Raises sqlite3.Error.
    """
    over = f"outcome != 'running' AND {condition}"
    deleted = 0
    while seqs := _seqs(base, f"listed = 1 AND {over}", values):
        with tables.transaction(base):
            release(base, seqs)
            _forget(base, seqs, usage=usage)
        deleted += len(seqs)
    while usage and (seqs := _seqs(base, f"listed = 0 AND {over}", values)):
        with tables.transaction(base):
            _forget(base, seqs, usage=True)
    with tables.transaction(base):
        # Without sheets nobody needs samples; who writes is told that they are gone.
        if base.execute("SELECT 1 FROM sheets LIMIT 1").fetchone() is None:
            base.execute("DELETE FROM samples")
            base.execute("UPDATE numbers SET value = value + 1 WHERE name = 'cleared'")
    _give_back(base)
    return deleted


def release(base: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Let go what went over the wires in some flows, within a transaction."""
    ids = _json([tables.sheet_id(seq, end=end) for seq in seqs for end in (False, True)])
    found = base.execute(
        "SELECT body.value FROM sheets, json_each(sheets.bodies) AS body"
        " WHERE sheets.id IN (SELECT value FROM json_each(?))",
        (ids,),
    )
    held = Counter(body for (body,) in found)
    base.execute("DELETE FROM sheets WHERE id IN (SELECT value FROM json_each(?))", (ids,))
    while held:
        base.executemany(
            "UPDATE bodies SET refs = refs - ? WHERE id = ?", [(refs, body) for body, refs in held.items()]
        )
        needless = base.execute(
            "SELECT id, base FROM bodies WHERE id IN (SELECT value FROM json_each(?)) AND refs <= 0", (_json(held),)
        ).fetchall()
        base.executemany("DELETE FROM bodies WHERE id = ?", [(body,) for body, _ in needless])
        base.executemany("DELETE FROM contents WHERE body = ?", [(body,) for body, _ in needless])
        held = Counter(on for _, on in needless if on is not None)


def _json(numbers: Sequence[int] | Counter[int]) -> str:
    return msgspec.json.encode(list(numbers)).decode()


def _seqs(base: sqlite3.Connection, condition: str, values: Sequence[object]) -> list[int]:
    rows = base.execute(f"SELECT seq FROM flows WHERE {condition} ORDER BY seq LIMIT {_STEP}", values)  # noqa: S608 - conditions of ours and of filters
    return [seq for (seq,) in rows]


def _forget(base: sqlite3.Connection, seqs: Sequence[int], *, usage: bool) -> None:
    """Leave only the figures of some flows, or nothing."""
    base.executemany("DELETE FROM flows WHERE seq = ?" if usage else tables.EMPTY_FLOW, [(seq,) for seq in seqs])


def _is_believable(base: sqlite3.Connection, now: int) -> bool:
    """Whether the clock can be taken at its word. Where it has leapt by days since the last look, nobody has been here
    for so long, or it is wrong and will be put right: then nothing goes for its age until it has stood by that for an
    hour.
    """
    with tables.transaction(base):
        known = dict(base.execute("SELECT name, value FROM numbers WHERE name IN ('looked', 'leapt')").fetchall())
        looked, leapt = known["looked"], known["leapt"]
        if not looked or now - looked < _LEAP or (leapt and _STANDS <= now - leapt < _LEAP):
            looked, leapt = now, 0
        elif not leapt or not 0 <= now - leapt < _LEAP:
            leapt = now
        base.executemany("UPDATE numbers SET value = ? WHERE name = ?", [(looked, "looked"), (leapt, "leapt")])
    return not leapt


def _by_age(base: sqlite3.Connection, kept_since: float, figures_since: float, left: _Time) -> None:
    (emptied,) = base.execute("SELECT value FROM numbers WHERE name = 'emptied'").fetchone()
    wide = "listed = 1 AND started >= ? AND started < ? AND outcome != 'running'"
    while seqs := _seqs(base, wide, [emptied, kept_since]):
        with tables.transaction(base):
            release(base, seqs)
            _forget(base, seqs, usage=False)
        left.check()
    # Not the later of both: a clock that was ahead for a while would leave all that comes now unseen.
    base.execute("UPDATE numbers SET value = ? WHERE name = 'emptied'", (int(kept_since),))
    while seqs := _seqs(base, "started < ? AND outcome != 'running'", [figures_since]):
        with tables.transaction(base):
            release(base, seqs)
            _forget(base, seqs, usage=True)
        left.check()
    base.execute("DELETE FROM writers WHERE id < (SELECT max(id) - 1000 FROM writers)")


def _by_size(base: sqlite3.Connection, wanted: int, left: _Time) -> None:
    """What was said goes first, then the oldest calls altogether."""
    while (used := _used(base)) > wanted:
        rows = base.execute(_OLDEST, (_LARGE_STEP,)).fetchall()
        seqs: dict[int, None] = {}
        for seq, size in rows:
            seqs[seq] = None
            used -= size
            if used <= wanted:  # a bound may be little more than what a step takes
                break
        gone = list(seqs) or _seqs(base, "outcome != 'running'", [])
        if not gone:
            return
        with tables.transaction(base):
            release(base, gone)
            if not seqs:
                _forget(base, gone, usage=True)
        left.check()


def _used(base: sqlite3.Connection) -> int:
    """The bytes of the file that hold something."""
    (pages,) = base.execute("PRAGMA page_count").fetchone()
    (free,) = base.execute("PRAGMA freelist_count").fetchone()
    (page,) = base.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * page)


def _give_back(base: sqlite3.Connection) -> None:
    """Let the file shrink, and the one that is written ahead with it as far as readers allow."""
    while base.execute("PRAGMA freelist_count").fetchone()[0]:
        base.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
    base.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
