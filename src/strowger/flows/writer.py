"""Writes flows and what went over their wires into the file, a batch at a time. One thread uses it.

Must not know queues, nor what is done about errors.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import cast

from msgspec import Struct

from strowger.config.processes import process_start
from strowger.flows import project, sheets, tables
from strowger.flows.bodies import DEEPEST, Base, Bases, Packer, Shared, nearest
from strowger.flows.flow import Flow, summary
from strowger.flows.sheets import Leaf, Sample
from strowger.flows.tape import Masked, Message, masked, touched

# How long another process may write before this one gives up for now, in seconds.
_PATIENCE = 5.0
# Bodies that others may stand on, in memory.
_BASES_BYTES = 24 * 1024 * 1024
# How long a conversation may be silent until its next body stands alone again.
_CONVERSATION_SECONDS = 900.0
# Kinds of sheets: clients, providers, and what messages there are.
_SAMPLES = 256
# A request from this size on is kept apart from its sheet, where the next one can stand on it.
_LONG = 1024
# A credential is no longer than this, in any spelling.
_LONGEST_SECRET = 4 * 1024
_GIVEN = ("change", "seq", "body")
_GIVE = "UPDATE numbers SET value = CASE name WHEN 'change' THEN ? WHEN 'seq' THEN ? WHEN 'body' THEN ? ELSE value END"
_REQUESTS = frozenset({"client_request", "forwarded"})


class Entry(Struct, gc=False):
    """What is to be written of a flow: its row as it is now, and more of its messages, of `size` bytes."""

    flow: Flow
    messages: list[Message]
    masks: list[Masked]
    final: bool
    size: int = 0


class _Batch:
    """Rows on their way into the tables. Numbers are given out from where the file is."""

    def __init__(self, base: sqlite3.Connection, there: set[int]) -> None:
        """`there` are bodies that are known to be in the file."""
        self._base = base
        self.numbers: dict[str, int] = dict(base.execute("SELECT name, value FROM numbers").fetchall())
        self.flows: list[tuple[object, ...]] = []
        self.sheets: list[tuple[int, str | None, int, bytes]] = []
        self.bodies: list[tuple[int, int | None, int, int, bytes]] = []
        self.refs: Counter[int] = Counter()
        self.size = 0
        self._there = there

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
        tables.insert(base, "sheets", tables.SHEET, self.sheets)
        tables.insert(base, "contents", ("body", "content"), [(made, content) for made, *_, content in self.bodies])
        new = [(made, self.refs.pop(made, 0), on, form, size) for made, on, form, size, _ in self.bodies]
        tables.insert(base, "bodies", ("id", "refs", "base", "form", "size"), new)
        held = [(refs, body) for body, refs in self.refs.items()]
        base.executemany("UPDATE bodies SET refs = refs + ? WHERE id = ?", held)
        base.execute(_GIVE, [self.numbers[name] for name in _GIVEN])


class _Call:
    """What the requests of an entry have in common. `first` is the one that came from the client, once it is kept. One
    that `tells` has a secret in it, which the model may repeat, word by word.
    """

    __slots__ = ("_asked", "_speaker", "_upstream", "first", "is_conversation", "masks", "tells")

    def __init__(self, entry: Entry) -> None:
        flow = entry.flow
        self.masks = frozenset(entry.masks)
        self.first: Base | None = None
        self.tells = False
        self.is_conversation = bool(flow.session)
        self._speaker = flow.session or flow.launch or flow.client, flow.agent_id, flow.program, flow.dialect
        self._asked = flow.model
        self._upstream = flow.provider, flow.upstream_model

    def key(self, message: Message) -> tuple[object, ...]:
        """What a request is likely to resemble: the one before it in the same conversation."""
        return self._speaker, self._asked if message.kind == "client_request" else self._upstream


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
        self._there: set[int] = set()
        self._others = -1
        self._projects = project.Projects()
        self._carefully = False
        # Calls under way whose requests had a secret in them.
        self._telling: set[str] = set()
        try:
            self._writer = self._introduce()
        except BaseException:
            self.base.close()
            raise

    def _introduce(self) -> int:
        """Tell readers who writes, and close what dead writers have left open."""
        pid = os.getpid()
        with tables.transaction(self.base):
            batch = _Batch(self.base, self._there)
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
        self._carefully = carefully
        seqs: list[int] = []
        try:
            with tables.transaction(self.base):
                self._look_around()
                batch = _Batch(self.base, self._there)
                self._check_samples(batch)
                for entry in entries:
                    if not entry.flow.project:
                        entry.flow.project = self._projects.of(entry.flow, entry.messages)
                    seq = self._add_flow(batch, entry.flow)
                    seqs.append(seq)
                    if entry.messages:
                        self._add_sheet(batch, seq, entry)
                batch.write()
        except BaseException:
            self._there.clear()
            self._bases = Bases(_BASES_BYTES)  # they may be of what was not written
            self._samples.clear()
            raise
        self.added += batch.size
        for entry, seq in zip(entries, seqs, strict=True):
            if entry.final:
                self._running.pop(entry.flow.id, None)
                self._telling.discard(entry.flow.id)
            else:
                self._running[entry.flow.id] = seq

    def _add_flow(self, batch: _Batch, flow: Flow) -> int:
        told = summary(flow)
        row = tables.row_of(cast("dict[str, object]", tables.whole_text(told)) if self._carefully else told)
        change = batch.next("change")
        seq = self._running.get(flow.id)
        if seq is not None:
            done = self.base.execute(tables.UPDATE_FLOW, (change, self._writer, *row, seq, flow.id))
            if done.rowcount:
                return seq
        seq = batch.next("seq")
        batch.flows.append((seq, change, self._writer, *row))
        return seq

    def _look_around(self) -> None:
        """Others delete too: when one has written, it has to be seen which bodies are still there."""
        (others,) = self.base.execute("PRAGMA data_version").fetchone()
        if others != self._others:
            self._there.clear()
            self._others = others

    def _add_sheet(self, batch: _Batch, seq: int, entry: Entry) -> None:
        call = _Call(entry)
        apart: list[int] = []
        seen: list[bytes | None] = []
        leaves: list[Leaf] = []
        for message in entry.messages:
            whole = message.body if message.kept else None
            leaves.append(self._leaf(batch, call, message, whole, seen, apart))
            seen.append(whole)
        if self._carefully:
            leaves = list(map(sheets.readable, leaves))
        sheet = sheets.encoded(leaves)
        tells = call.tells or entry.flow.id in self._telling
        if tells or touched(call.masks, sheet):
            if not entry.final and (tells or masked(call.masks, sheet) != sheet):
                self._telling.add(entry.flow.id)
            pairs = zip(leaves, entry.messages, strict=True)
            leaves = [sheets.without_secrets(leaf, message.unfolded(), call.masks) for leaf, message in pairs]
            sheet = sheets.encoded(leaves)
        sample = self._sample(entry, leaves)
        content = sample.packed(sheet)
        for body in apart:
            batch.refs[body] += 1
        batch.size += len(content)
        place = tables.sheet_id(seq, end=entry.final and entry.flow.id in self._running)
        held = f"[{','.join(map(str, apart))}]" if apart else None
        batch.sheets.append((place, held, sample.id, content))

    def _leaf(
        self,
        batch: _Batch,
        call: _Call,
        message: Message,
        whole: bytes | None,
        seen: list[bytes | None],
        apart: list[int],
    ) -> Leaf:
        """A message, its body being on the sheet, kept `apart` or that of one that was `seen`."""
        if not whole:
            return sheets.leaf_of(message, whole)
        # The answer to the client is often the one from upstream, the request to there the client's.
        if whole in seen:
            return sheets.leaf_of(message, sheets.same_as(seen.index(whole)))
        if len(whole) < _LONG or message.kind not in _REQUESTS:
            return sheets.leaf_of(message, whole)
        made = self._add_body(batch, call, call.key(message), whole)
        apart.append(made.id)
        if call.first is None:
            call.first = made
        leaf = sheets.leaf_of(message, made.id)
        return leaf if made.body == whole else sheets.in_one_piece(leaf)

    def _add_body(self, batch: _Batch, call: _Call, key: tuple[object, ...], whole: bytes) -> Base:
        """A body that is in the file now: what was asked, without what is secret in it."""
        masks = call.masks
        known = self._bases.of(key)
        shared = self._nearest(batch, whole, known, call.first)
        body = whole if shared is not None and _is_clean(whole, shared, masks) else masked(masks, whole)
        if body != whole:
            call.tells = True
            shared = self._nearest(batch, body, known, call.first)
        if shared is not None and shared.is_all(body):
            return shared.base
        # What was said before need not have been said by a client of which nothing is known.
        delta = self._packer.on(body, shared, try_hard=call.is_conversation) if shared is not None else None
        if shared is None or delta is None:
            form, content = self._packer.body(body)
            made = Base(batch.add_body(form, len(body), content), body, 0, masks)
            self._bases.remember(key, made)
            return made
        form, content = delta
        earlier = shared.base is not call.first
        made = Base(batch.add_body(form, len(body), content, shared.base.id), body, shared.base.depth + earlier, masks)
        # A translation is little like the client's own words, and much like the one before it.
        if earlier or not shared.is_most(body):
            self._bases.remember(key, made)
        return made

    def _nearest(self, batch: _Batch, body: bytes, known: list[Base], first: Base | None) -> Shared | None:
        bases = [base for base in known if base.depth < DEEPEST]
        if first is not None:
            bases.append(first)
        shared = nearest(body, bases) if bases else None
        if shared is not None and not batch.has(shared.base.id):
            self._bases.forget(shared.base)
            return None
        return shared

    def _check_samples(self, batch: _Batch) -> None:
        """Samples may have been thrown away together with all that was said."""
        if self._cleared != batch.numbers["cleared"] or not self._samples:
            self._cleared = batch.numbers["cleared"]
            rows = self.base.execute("SELECT name, id, content FROM samples").fetchall()
            self._samples = {name: Sample(number, content) for name, number, content in rows}

    def _sample(self, entry: Entry, leaves: list[Leaf]) -> Sample:
        """What heads look like depends on who sends them."""
        flow = entry.flow
        messages = "".join(str(leaf.kind) for leaf in leaves)
        name = f"{flow.dialect} {flow.provider} {flow.program} {messages}"
        found = self._samples.get(name)
        if found is None and len(self._samples) >= _SAMPLES:
            name = ""
            found = self._samples.get(name)
        if found is None:
            content = sheets.sample_of(leaves)
            made = self.base.execute("INSERT INTO samples (name, content) VALUES (?, ?)", (name, content))
            found = self._samples[name] = Sample(made.lastrowid or 0, content)
        return found

    def rest(self) -> None:
        """The file has been trimmed. Let go also of what conversations need that have ended, as it seems."""
        self._bases.expire(_CONVERSATION_SECONDS)
        self._there.clear()

    def close(self) -> None:
        """Give the file back."""
        self.base.close()


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
