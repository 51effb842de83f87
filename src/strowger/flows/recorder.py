"""Follows every call from its beginning to its end, and tells those who keep something of it.

Nothing here awaits, and what a keeper does with a call never reaches the call: one that breaks is told of, and the
others go on. Must not know who the keepers are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from strowger.flows.flow import Flow
from strowger.flows.tape import Tape


class Keeper(Protocol):
    """Who keeps something of each call. All of it runs on the loop, while calls wait: it takes microseconds."""

    def began(self, flow: Flow) -> None:
        """A call has been read, and it is known what it asks for; or it ended before that, and `finished` follows."""
        ...

    def opened(self, flow: Flow) -> None:
        """An answer has begun: what was asked, and where that went, is known from now on."""
        ...

    def finished(self, flow: Flow) -> None:
        """A call is over. Its outcome, its usage and its price are final."""
        ...


Tell = Callable[[str, Exception], None]
"""Is told which keeper broke, and how."""


def _price_nothing(_: Flow) -> None:
    pass


class Recorder:
    """The last `keep` flows in memory, running ones included, and the keepers.

    `tape_limit` bytes of each message are taped for them, None for no tape. `price` says, before the keepers hear that
    a call is over, what it cost.
    """

    def __init__(
        self,
        keep: int,
        keepers: Iterable[Keeper] = (),
        *,
        tape_limit: int | None = None,
        price: Callable[[Flow], None] = _price_nothing,
        tell: Tell = lambda *_: None,
    ) -> None:
        self._keep = keep
        self._keepers = list(keepers)
        self._tape_limit = tape_limit
        self._price = price
        self._tell = tell
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._running: dict[str, Flow] = {}
        self._known: set[str] = set()
        self.calls = 0
        self.failed = 0
        self.cancelled = 0

    @property
    def running(self) -> int:
        """How many calls are under way."""
        return len(self._running)

    def under_way(self) -> tuple[Flow, ...]:
        """The calls that are not over yet, the oldest first."""
        return tuple(self._running.values())

    def add(self, keeper: Keeper) -> None:
        """One more keeper, for the calls from now on."""
        self._keepers.append(keeper)

    def begin(self, flow: Flow) -> None:
        """Take a new flow."""
        self.calls += 1
        self._running[flow.id] = flow
        self._flows[flow.id] = flow
        while len(self._flows) > self._keep:
            self._flows.popitem(last=False)
        if self._tape_limit is not None:
            flow.tape = Tape(flow.clock, self._tape_limit)

    def began(self, flow: Flow) -> None:
        """It is known now what a call asks for, and where it shall go."""
        self._known.add(flow.id)
        for keeper in self._keepers:
            self._guarded(type(keeper).__name__, keeper.began, flow)

    def opened(self, flow: Flow) -> None:
        """The answer to a call has begun."""
        for keeper in self._keepers:
            self._guarded(type(keeper).__name__, keeper.opened, flow)

    def finish(self, flow: Flow) -> None:
        """Close a flow: its outcome is final from here on."""
        self._running.pop(flow.id, None)
        if flow.outcome == "failed":
            self.failed += 1
        elif flow.outcome == "cancelled":
            self.cancelled += 1
        if flow.id not in self._known:
            self.began(flow)  # it ended before anything was known of it; who counts ends has counted its beginning
        self._known.discard(flow.id)
        self._guarded("price", self._price, flow)
        for keeper in self._keepers:
            self._guarded(type(keeper).__name__, keeper.finished, flow)
        flow.tape = None  # the flow stays in memory, and its bodies are large

    def _guarded(self, who: str, tell: Callable[[Flow], None], flow: Flow) -> None:
        try:
            tell(flow)
        except Exception as error:  # noqa: BLE001 - the edge: recording must never take a call down
            self._tell(who, error)

    def get(self, flow_id: str) -> Flow | None:
        """A flow by its id, while it is kept."""
        return self._flows.get(flow_id) or self._running.get(flow_id)

    def latest(self, count: int) -> Iterator[Flow]:
        """The newest flows, newest first."""
        for number, flow in enumerate(reversed(self._flows.values())):
            if number >= count:
                return
            yield flow
