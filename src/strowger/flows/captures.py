"""A file for each call that failed, with all that went over the wires: what a report of a fault needs.

Written by the thread of the store when the call is on disk; the newest are kept. Must not know queues.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from strowger.config.private import replace_file
from strowger.flows import tables
from strowger.flows.flow import Flow
from strowger.flows.tape import Message

# Of each body so much is written.
_LONGEST = 1024 * 1024


# Failures come in storms, and each file takes its time: at most so many at once, and one more after so many seconds.
_AT_ONCE = 20
_SECONDS = 1.0
# Flows of which it is remembered whether they are captured: until they are on disk.
_DECIDED = 1000


class Captures:
    """The files of a folder beside the store, `keep` of them, called by the flow. `clean` takes what looks like a
    credential out of a line.
    """

    def __init__(
        self,
        store: Path,
        *,
        keep: int = 100,
        clean: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`store` is the file of the store."""
        self._folder = store.with_name(f"{store.stem}-errors")
        self._keep = keep
        self._clean = clean
        self._clock = clock
        self._full_at = clock() - _SECONDS * _AT_ONCE
        self._decided: OrderedDict[str, Path | None] = OrderedDict()

    def path_of(self, flow: Flow) -> Path | None:
        """Where a flow is written, or will be in a moment; None for one that did not fail, or is one of too many."""
        if flow.outcome != "failed" or not self._keep:
            return None
        if flow.id not in self._decided:
            self._decided[flow.id] = self._folder / f"{flow.id}.json" if self._has_room() else None
            if len(self._decided) > _DECIDED:
                self._decided.popitem(last=False)
        return self._decided[flow.id]

    def _has_room(self) -> bool:
        now = self._clock()
        begin = max(self._full_at, now - _SECONDS * _AT_ONCE)
        if begin + _SECONDS > now:
            return False
        self._full_at = begin + _SECONDS
        return True

    def write(self, path: Path, told: dict[str, object], messages: Iterable[Message]) -> None:
        """Write a flow, and let the oldest go. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = {"flow": told, "messages": [plain(message) for message in messages]}
        # Line by line: while the whole was looked through, every call would wait.
        lines = [self._clean(line) for line in _laid_out(data).decode().split("\n")]
        replace_file(path, "\n".join(lines).encode(), durable=False)
        with os.scandir(self._folder) as found:
            files = [(each.stat().st_mtime_ns, each.path) for each in found if each.name.endswith(".json")]
        for _, old in sorted(files, reverse=True)[self._keep :]:
            Path(old).unlink(missing_ok=True)

    def sweep(self, base: sqlite3.Connection) -> None:
        """Let those go whose flows are not listed any more: they were cleared, or are too old. Raises sqlite3.Error."""
        if not self._folder.is_dir():
            return
        files = {path.stem: path for path in self._folder.glob("flow_*.json")}
        listed = base.execute(
            "SELECT id FROM flows WHERE listed = 1 AND id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(list(files)).decode(),),
        )
        for name in files.keys() - {name for (name,) in listed}:
            with suppress(OSError):
                files[name].unlink()


def _laid_out(data: Mapping[str, object]) -> bytes:
    try:
        written = msgspec.json.encode(data)
    except UnicodeEncodeError:
        written = msgspec.json.encode(tables.whole_text(data))
    try:
        return msgspec.json.format(written, indent=1)
    except RecursionError:
        return written


def plain(message: Message) -> dict[str, object]:
    """A message as plain JSON data: a body that is JSON as such, other text as text."""
    kept = message.body
    body: object = kept[:_LONGEST].decode("utf-8", "replace")
    if len(kept) <= _LONGEST:
        with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            msgspec.json.decode(kept)
            body = msgspec.Raw(kept)  # as it is: what could be read here may be too deep to be written again
    return {
        **message.head(),
        "cut": message.cut or len(kept) > _LONGEST,
        "at": message.moments[:1],
        "body": body,
    }
