"""Writes flows and what went over their wires into the file, a batch at a time. One thread uses it.

Must not know queues, nor what is done about errors.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from strowger.config.processes import process_start
from strowger.flows import project, tables
from strowger.flows.bodies import DEEPEST, Base, Bases, Packer, Sample, Shared, masked, nearest, plain_head
from strowger.flows.flow import Flow, summary
from strowger.flows.tape import Headers, Kind, Masked, Message

# How long another process may write before this one gives up for now, in seconds.
_PATIENCE = 5.0
# Bodies that others may stand on, in memory.
_BASES_BYTES = 24 * 1024 * 1024
# How long a conversation may be silent until its next body stands alone again.
_CONVERSATION_SECONDS = 900.0
# Kinds of heads: clients and providers, times four.
_SAMPLES = 256
# A credential is no longer than this, in any spelling.
_LONGEST_SECRET = 8 * 1024
_GIVEN = ("change", "seq", "body")
_GIVE = "UPDATE numbers SET value = CASE name WHEN 'change' THEN ? WHEN 'seq' THEN ? WHEN 'body' THEN ? ELSE value END"
_NUMBER_OF = {kind: number for number, kind in enumerate(tables.KINDS)}
# What is written of a flow at its end stands behind what was written at its beginning.
_END = 1000


class Entry(Struct):
    """What is to be written of a flow: its row as it is now, and more of its messages, of `size` bytes."""

    flow: Flow
    messages: list[Message]
    masks: list[Masked]
    final: bool
    size: int = 0


class _Batch:
    """Rows on their way into the tables. Numbers are given out from where the file is."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._base = base
        self.numbers: dict[str, int] = dict(base.execute("SELECT name, value FROM numbers").fetchall())
        self.flows: list[tuple[object, ...]] = []
        self.messages: list[tuple[object, ...]] = []
        self.bodies: list[tuple[int, int | None, int, int, bytes]] = []
        self.refs: Counter[int] = Counter()
        self.size = 0
        self._there: set[int] = set()

    def next(self, name: str) -> int:
        """A number that nobody else has."""
        self.numbers[name] += 1
        return self.numbers[name]

    def has(self, body: int) -> bool:
        """Whether a body is still there: others delete too."""
        if body not in self._there:
            if self._base.execute("SELECT 1 FROM bodies WHERE id = ?", (body,)).fetchone() is None:
                return False
            self._there.add(body)
        return True

    def add_body(self, form: int, size: int, content: bytes, on: int | None = None) -> int:
        """A new body, on another."""
        made = self.next("body")
        self._there.add(made)
        self.size += len(content)
        self.bodies.append((made, on, form, size, content))
        if on is not None:
            self.refs[on] += 1
        return made

    def write(self) -> None:
        """Bring all of it into the tables."""
        base = self._base
        tables.insert(base, "flows", tables.WRITTEN, self.flows)
        tables.insert(base, "messages", tables.MESSAGE, self.messages)
        tables.insert(base, "contents", ("body", "content"), [(made, content) for made, *_, content in self.bodies])
        new = [(made, self.refs.pop(made, 0), on, form, size) for made, on, form, size, _ in self.bodies]
        tables.insert(base, "bodies", ("id", "refs", "base", "form", "size"), new)
        held = [(refs, body) for body, refs in self.refs.items()]
        base.executemany("UPDATE bodies SET refs = refs + ? WHERE id = ?", held)
        base.execute(_GIVE, [self.numbers[name] for name in _GIVEN])


class _Call:
    """What the messages of an entry have in common."""

    __slots__ = ("_answers", "_asked", "_requests", "_speaker", "_upstream", "is_conversation", "masks", "sample_names")

    def __init__(self, entry: Entry) -> None:
        flow = entry.flow
        program = flow.program
        self.masks = frozenset(entry.masks)
        self._requests: list[Base] = []
        self._answers: list[Base] = []
        self.is_conversation = bool(flow.session)
        self.sample_names = _sample_names(flow.dialect, flow.provider, program)
        self._speaker = flow.session or flow.launch or flow.client, flow.agent_id, program, flow.dialect
        self._asked = flow.model
        self._upstream = flow.provider, flow.upstream_model

    def written(self, message: Message) -> list[Base]:
        """The bodies of the same call before: the answer to the client is often the one from upstream, the request to
        there the client's.
        """
        return self._requests if message.kind in ("client_request", "forwarded") else self._answers

    def key(self, message: Message) -> tuple[object, ...] | None:
        """What a body is likely to resemble: the request before it in the same conversation. An answer resembles none:
        None.
        """
        match message.kind:
            case "client_request":
                return self._speaker, self._asked
            case "forwarded":
                return self._speaker, self._upstream
            case _:
                return None


@lru_cache(maxsize=256)
def _sample_names(dialect: str, provider: str, program: str) -> dict[Kind, str]:
    """What heads look like depends on who sends them."""
    there = (dialect, provider, provider, dialect)
    return {kind: f"{kind} {each} {program}" for kind, each in zip(tables.KINDS, there, strict=True)}


class Writer:
    """An open file, of which `added` bytes of bodies are. Every method raises sqlite3.Error and OSError; after one, let
    it go and open another.
    """

    def __init__(self, path: Path, running: dict[str, int]) -> None:
        """`running` has the places of flows in the file that are under way; it is kept up to date."""
        self._path = path
        self.base = tables.open_for_writing(path, patience=_PATIENCE)
        self.inode = path.stat().st_ino
        self.added = 0
        self._running = running
        self._packer = Packer()
        self._bases = Bases(_BASES_BYTES)
        self._samples: dict[str, Sample] = {}
        self._cleared = -1
        self._projects = project.Projects()
        self._whole: Callable[[Any], Any] = _as_it_is
        try:
            self._writer = self._introduce()
        except BaseException:
            self.base.close()
            raise

    def _introduce(self) -> int:
        """Tell readers who writes, and close what dead writers have left open."""
        pid = os.getpid()
        with tables.transaction(self.base):
            batch = _Batch(self.base)
            for dead in tables.dead_writers(self.base):
                self.base.execute(
                    "UPDATE flows SET outcome = 'lost', change = ? WHERE writer = ? AND outcome = 'running'",
                    (batch.next("change"), dead),
                )
            batch.write()
            made = self.base.execute(
                "INSERT INTO writers (pid, born, begun) VALUES (?, ?, ?)", (pid, process_start(pid), time.time())
            )
            return made.lastrowid or 0

    def is_stale(self) -> bool:
        """Whether the file has been taken away from under us."""
        try:
            return self._path.stat().st_ino != self.inode
        except FileNotFoundError:
            return True

    def write(self, entries: list[Entry], *, carefully: bool = False) -> None:
        """Write what there is of some flows, each of which occurs once: all of it or nothing.

        Headers may hold half of a character, which no file can: `carefully` with a question mark in its place.
        """
        self._whole = tables.whole_text if carefully else _as_it_is
        seqs: list[int] = []
        try:
            with tables.transaction(self.base):
                batch = _Batch(self.base)
                self._check_samples(batch)
                for entry in entries:
                    if not entry.flow.project:
                        entry.flow.project = self._projects.of(entry.flow, entry.messages)
                    seq = self._add_flow(batch, entry.flow)
                    seqs.append(seq)
                    self._add_messages(batch, seq, entry)
                batch.write()
        except BaseException:
            self._bases = Bases(_BASES_BYTES)  # they may be of what was not written
            self._samples.clear()
            raise
        self.added += batch.size
        for entry, seq in zip(entries, seqs, strict=True):
            if entry.final:
                self._running.pop(entry.flow.id, None)
            else:
                self._running[entry.flow.id] = seq

    def _add_flow(self, batch: _Batch, flow: Flow) -> int:
        row = tables.row_of(self._whole(summary(flow)))
        change = batch.next("change")
        seq = self._running.get(flow.id)
        if seq is not None:
            done = self.base.execute(tables.UPDATE_FLOW, (change, self._writer, *row, seq, flow.id))
            if done.rowcount:
                return seq
        seq = batch.next("seq")
        batch.flows.append((seq, change, self._writer, *row))
        return seq

    def _add_messages(self, batch: _Batch, seq: int, entry: Entry) -> None:
        call = _Call(entry)
        place = _END if entry.final and entry.flow.id in self._running else 0
        for message in entry.messages:
            body, moments = None, None
            if message.pieces:
                body, moments = self._add_body(batch, call, message)
                batch.refs[body] += 1
            line, headers = self._whole((message.line, message.headers))
            sample = self._sample(call, message, line, headers)
            packed = sample.packed(line, headers, call.masks)
            kind, number = _NUMBER_OF[message.kind], message.number
            batch.messages.append(
                (seq, place, kind, number, message.size, message.cut, body, sample.id, packed, moments)
            )
            place += 1

    def _add_body(self, batch: _Batch, call: _Call, message: Message) -> tuple[int, bytes | None]:
        """The number of a body in the file, and its moments."""
        key = call.key(message)
        masks, written = call.masks, call.written(message)
        whole = message.body
        known = self._bases.of(key) if key is not None else []
        for base in written:
            if base.body == whole and masks <= base.masks and batch.has(base.id):
                written.append(base)
                return base.id, self._packer.moments(message.pieces, message.moments)
        shared = self._nearest(batch, whole, known, written)
        body = whole if shared is not None and _is_clean(whole, shared, masks) else masked(masks, whole)
        if body != whole:
            shared = self._nearest(batch, body, known, written)
        moments = self._moments(message, masks, whole, body)
        if shared is not None and shared.is_all(body):
            written.append(shared.base)
            return shared.base.id, moments
        try_hard = call.is_conversation and key is not None  # answers do not say again what was said
        delta = self._packer.on(body, shared, try_hard=try_hard) if shared is not None else None
        if shared is None or delta is None:
            form, content = self._packer.body(body)
            made = Base(batch.add_body(form, len(body), content), body, 0, masks)
            if key is not None:
                self._bases.remember(key, made)
        else:
            form, content = delta
            earlier = not any(base is shared.base for base in written)
            on = shared.base.id
            made = Base(batch.add_body(form, len(body), content, on), body, shared.base.depth + earlier, masks)
            # A translation is little like the client's own words, and much like the one before it.
            if (earlier or not shared.is_most(body)) and key is not None:
                self._bases.remember(key, made)
        written.append(made)
        return made.id, moments

    def _nearest(self, batch: _Batch, body: bytes, known: list[Base], written: list[Base]) -> Shared | None:
        if not written and not known:
            return None
        shared = nearest(body, [*written, *(base for base in known if base.depth < DEEPEST)])
        if shared is not None and not batch.has(shared.base.id):
            self._bases.forget(shared.base)
            return None
        return shared

    def _moments(self, message: Message, masks: frozenset[Masked], whole: bytes, body: bytes) -> bytes | None:
        pieces, moments = message.pieces, message.moments
        if body != whole:
            pieces = [masked(masks, piece) for piece in pieces]
            if b"".join(pieces) != body:  # the secret came in two pieces
                pieces, moments = [body], moments[:1]
        return self._packer.moments(pieces, moments) if moments else None

    def _check_samples(self, batch: _Batch) -> None:
        """Samples may have been thrown away together with all that was said."""
        if self._cleared != batch.numbers["cleared"] or not self._samples:
            self._cleared = batch.numbers["cleared"]
            rows = self.base.execute("SELECT name, id, content FROM samples").fetchall()
            self._samples = {name: Sample(number, content) for name, number, content in rows}

    def _sample(self, call: _Call, message: Message, line: str, headers: Headers) -> Sample:
        name = call.sample_names[message.kind]
        found = self._samples.get(name)
        if found is None and len(self._samples) >= _SAMPLES:
            name = ""
            found = self._samples.get(name)
        if found is None:
            content = masked(call.masks, plain_head(line, headers))
            made = self.base.execute("INSERT INTO samples (name, content) VALUES (?, ?)", (name, content))
            found = self._samples[name] = Sample(made.lastrowid or 0, content)
        return found

    def rest(self) -> None:
        """Let go of what conversations need that have ended, as it seems."""
        self._bases.expire(_CONVERSATION_SECONDS)

    def close(self) -> None:
        """Give the file back."""
        self.base.close()


def _as_it_is(value: object) -> object:
    return value


def _is_clean(body: bytes, shared: Shared, masks: frozenset[Masked]) -> bool:
    """Whether nothing in a body is to be masked, given that nothing in its base is: then only what differs, and what
    is near to it, need be looked at.
    """
    if not masks <= shared.base.masks:
        return False
    if shared.is_all(body):
        return True
    near = body[max(0, shared.head - _LONGEST_SECRET) : len(body) - shared.tail + _LONGEST_SECRET]
    return masked(masks, near) == near
