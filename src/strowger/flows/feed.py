"""The live feed: what happens to calls, for whoever watches right now. Costs nothing while nobody does.

Every watcher has a queue of its own, which is bounded: who is slow misses the oldest, and is told how many they were.
An item is encoded once, however many watch. Must not know how it travels to them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import anyio
import msgspec
from msgspec import Struct

from strowger.errors import ErrorKind, GatewayError
from strowger.flows.flow import Flow, summary

QUEUE = 1000
"""Items that wait for a watcher: at a thousand calls a minute, those of twenty seconds."""

WATCHERS = 64
"""More at a time are not let in: each costs an encoded item and a queue."""

_SHOWN = 500
"""Running calls whose progress a pulse tells."""

_ENCODE = msgspec.json.Encoder().encode


Wants = Callable[[Mapping[str, object]], bool]
"""Whether somebody wants to hear of a call, by its summary."""


class Item(Struct, frozen=True):
    """One thing that happened. `kind` is a word (`flow`, `pulse`, `quota`, `store`, `gap`), `data` is JSON."""

    kind: str
    data: bytes


def encoded(kind: str, data: object) -> Item:
    """Something that happened, as an item."""
    return Item(kind, _ENCODE(data))


class Watcher:
    """One who watches: waits until something has come, and takes it. `over`: nothing more will come."""

    def __init__(self, limit: int, wants: Wants | None = None) -> None:
        self.wants = wants
        self._items: deque[Item] = deque(maxlen=limit)
        self._missed = 0
        self._come = anyio.Event()
        self.over = False
        self.missed = 0
        """Items that were never taken, since the beginning."""

    @property
    def waiting(self) -> int:
        """Items that wait to be taken."""
        return len(self._items)

    def put(self, item: Item) -> None:
        """One more item; the oldest goes where there is no room."""
        if len(self._items) == self._items.maxlen:
            self._missed += 1
            self.missed += 1
        self._items.append(item)
        self._come.set()

    def finish(self) -> None:
        """Nothing more will come."""
        self.over = True
        self._come.set()

    async def come(self) -> None:
        """Waits until there is something to take, or all is over."""
        if not self._items and not self.over:
            self._come = anyio.Event()
            await self._come.wait()

    def take(self) -> list[Item]:
        """All that has come, behind a `gap` where items were missed."""
        items = list(self._items)
        self._items.clear()
        if self._missed:
            items.insert(0, encoded("gap", {"missed": self._missed}))
            self._missed = 0
        return items


class _Seen(Struct):
    """How far a call was when it was last looked at."""

    events: int = 0
    bytes: int = 0
    tokens: int = 0


class Meter:
    """How much passes by in a second, of all calls together.

    Providers tell the tokens of an answer when it ends. So each event of a stream counts for one token, which is what
    most of them send; an answer that comes whole counts with what its provider told.
    """

    def __init__(self, now: float, running: tuple[Flow, ...] = ()) -> None:
        """What has come so far of the calls that are `running` was before the first second."""
        self._at = now
        self._over = _Seen()
        self._seen = {flow.id: self._count(flow, _Seen(), _Seen()) for flow in running}

    def finished(self, flow: Flow) -> None:
        """A call is over: what came since the last look counts, and then it is forgotten."""
        self._count(flow, self._over, self._seen.pop(flow.id, _Seen()))

    def read(self, running: tuple[Flow, ...], now: float) -> dict[str, object]:
        """The rates since the last reading, and the calls that have come further since then."""
        total, self._over = self._over, _Seen()
        moved: list[dict[str, object]] = []
        seen: dict[str, _Seen] = {}
        for flow in running:
            last = self._seen.get(flow.id, _Seen())
            seen[flow.id] = self._count(flow, total, last)
            if (flow.events, flow.response_bytes) != (last.events, last.bytes):
                moved.append({"id": flow.id, "events": flow.events, "response_bytes": flow.response_bytes})
        seconds = max(now - self._at, 0.001)
        self._at, self._seen = now, seen
        return {
            "bytes_per_second": round(total.bytes / seconds, 1),
            "events_per_second": round(total.events / seconds, 1),
            "tokens_per_second": round(total.tokens / seconds, 1),
            "flows": moved[-_SHOWN:],
        }

    @staticmethod
    def _count(flow: Flow, total: _Seen, last: _Seen) -> _Seen:
        now = _Seen(flow.events, flow.response_bytes, flow.events if flow.stream else flow.usage.output or 0)
        total.events += now.events - last.events
        total.bytes += now.bytes - last.bytes
        total.tokens += now.tokens - last.tokens
        return now


class Feed:
    """A keeper that keeps nothing: it passes on. `clock` is in seconds, and monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, queue: int = QUEUE) -> None:
        self._clock = clock
        self._queue = queue
        self._watchers: set[Watcher] = set()
        self._meter = Meter(0.0)
        self._pulsed = 0.0
        self._over = False
        self._missed = 0

    @property
    def waiting(self) -> int:
        """What waits for all who watch."""
        return sum(watcher.waiting for watcher in self._watchers)

    @property
    def missed(self) -> int:
        """What those who watch, or did, were too slow for."""
        return self._missed + sum(watcher.missed for watcher in self._watchers)

    @property
    def watched(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @contextmanager
    def watch(self, running: tuple[Flow, ...] = (), wants: Wants | None = None) -> Iterator[Watcher]:
        """Be told of everything inside the block; of calls only of those that one `wants`.

        `running` are the calls under way at its beginning.

        Raises GatewayError when too many watch already.
        """
        if len(self._watchers) >= WATCHERS:
            raise GatewayError(
                f"{WATCHERS} watch already, and there is no room for more",
                kind=ErrorKind.OVERLOADED,
                hint="close a monitor or a page that nobody looks at",
            )
        watcher = Watcher(self._queue, wants)
        if self._over:
            watcher.finish()
        if not self._watchers:
            self._pulsed = self._clock()
            self._meter = Meter(self._pulsed, running)
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            self._missed += watcher.missed

    @property
    def quiet(self) -> dict[str, object]:
        """The rates before anything was measured."""
        return Meter(0.0).read((), 1.0)

    def finish(self) -> None:
        """The gateway goes: let everybody who watches leave."""
        self._over = True
        for watcher in self._watchers:
            watcher.finish()

    def publish(self, kind: str, data: object) -> None:
        """Tell all who watch."""
        if self._watchers:
            self.pass_on(encoded(kind, data))

    def pass_on(self, item: Item) -> None:
        """Give an item to all who watch."""
        for watcher in self._watchers:
            watcher.put(item)

    def began(self, flow: Flow) -> None:
        """A call has been read."""
        self._tell(flow)

    def opened(self, flow: Flow) -> None:
        """An answer has begun."""
        self._tell(flow)

    def finished(self, flow: Flow) -> None:
        """A call is over."""
        if self._watchers:
            self._meter.finished(flow)
        self._tell(flow)

    def changed(self, flow: Flow) -> None:
        """More has come to be known of a call that is under way."""
        self._tell(flow)

    def _tell(self, flow: Flow) -> None:
        if not self._watchers:
            return
        told = summary(flow)
        item = None
        for watcher in self._watchers:
            if watcher.wants is None or watcher.wants(told):
                item = item or encoded("flow", told)
                watcher.put(item)

    def rates(self, running: tuple[Flow, ...], every: float) -> dict[str, object] | None:
        """What passes by in a second; None when the last reading is not `every` seconds old yet, whoever asked."""
        now = self._clock()
        if now - self._pulsed < every:
            return None
        self._pulsed = now
        return self._meter.read(running, now)
