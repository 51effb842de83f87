"""Keeps flows: the seam behind which a store will stand. Adding never awaits and never fails the call it records."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator

from strowger.flows.flow import Flow

Listener = Callable[[Flow], None]


class Recorder:
    """The last `keep` flows in memory, running ones included; each listener is told once of every finished flow."""

    def __init__(self, keep: int, listeners: tuple[Listener, ...] = ()) -> None:
        self._keep = keep
        self._listeners = listeners
        self._flows: OrderedDict[str, Flow] = OrderedDict()
        self._running = 0
        self.calls = 0
        self.failed = 0
        self.cancelled = 0

    @property
    def running(self) -> int:
        """How many calls are under way."""
        return self._running

    def begin(self, flow: Flow) -> None:
        """Take a new flow."""
        self.calls += 1
        self._running += 1
        self._flows[flow.id] = flow
        while len(self._flows) > self._keep:
            self._flows.popitem(last=False)

    def finish(self, flow: Flow) -> None:
        """Close a flow: its outcome is final from here on."""
        self._running -= 1
        if flow.outcome == "failed":
            self.failed += 1
        elif flow.outcome == "cancelled":
            self.cancelled += 1
        for listener in self._listeners:
            listener(flow)

    def get(self, flow_id: str) -> Flow | None:
        """A flow by its id, while it is kept."""
        return self._flows.get(flow_id)

    def latest(self, count: int) -> Iterator[Flow]:
        """The newest flows, newest first."""
        for number, flow in enumerate(reversed(self._flows.values())):
            if number >= count:
                return
            yield flow
