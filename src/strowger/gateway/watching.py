"""`GET /_strowger/events`: the live feed as Server-Sent Events, to everybody who watches.

    flow    a call, as `GET flows/<id>` tells it: when it is known where it shall go, when its answer begins, when it is
            over, and meanwhile with a pulse when another attempt was made
    pulse   each second: how many calls there are, what passes by in a second, and how far those have come that moved
    quota   what is left of the accounts, when that has changed
    store   how the store is, when that has changed
    gap     {"missed": n}: the watcher was too slow, and the oldest n items were not sent

First come the calls that are running, `quota`, `store` and a `pulse`. The stream ends when the gateway is told to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import anyio

from strowger.flows.feed import Feed, Item, Wants, encoded
from strowger.flows.flow import summary
from strowger.flows.recorder import Recorder
from strowger.gateway.delivery import Reply
from strowger.upstreams.base import Headers

PULSE_SECONDS = 1.0

# What comes close together goes out together: a reader wakes up for it once.
_GATHER_SECONDS = 0.03
_HEADERS: Headers = (
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)

State = Callable[[], object]
"""How something is, as plain data. Called on the loop each second while somebody watches: it takes microseconds."""


class Watching:
    """Serves the feed. `states` are told of when they change: by kind of event, how something is."""

    def __init__(self, feed: Feed, recorder: Recorder, states: Mapping[str, State]) -> None:
        self._feed = feed
        self._recorder = recorder
        self._states = dict(states)
        self._told: dict[str, bytes] = {}
        self._tries: dict[str, int] = {}

    async def answer(self, reply: Reply, wants: Wants | None = None) -> None:
        """Send what happens until the gateway stops; of calls only those that somebody `wants`.

        Raises ClientGone, and GatewayError before anything is sent.
        """
        with self._feed.watch(self._recorder.under_way(), wants) as watcher:
            await reply.start(200, _HEADERS)
            await reply.write(b": strowger\n\n" + _written(self._first(wants)))
            tick = anyio.current_time() + PULSE_SECONDS
            while True:
                items: list[Item] = []
                with anyio.move_on_at(tick):
                    await watcher.come()
                    await anyio.sleep(_GATHER_SECONDS)
                if anyio.current_time() >= tick:
                    tick = anyio.current_time() + PULSE_SECONDS
                    self._pulse()
                items = watcher.take()
                if items:
                    await reply.write(_written(items))
                if watcher.over:
                    break
            await reply.end()

    def _first(self, wants: Wants | None) -> list[Item]:
        """What somebody has to know who has seen nothing yet."""
        running = [summary(flow) for flow in self._recorder.under_way()]
        items = [encoded("flow", told) for told in running if wants is None or wants(told)]
        states = [encoded(kind, state()) for kind, state in self._states.items()]
        if self._feed.watched == 1:  # others may not have been told of the last change yet
            self._told = {item.kind: item.data for item in states}
        items += states
        return [*items, encoded("pulse", {**self._counts(), **self._feed.quiet})]

    def _pulse(self) -> None:
        running = self._recorder.under_way()
        rates = self._feed.rates(running, PULSE_SECONDS * 0.9)
        if rates is None:
            return  # it was told just now, for another watcher
        tries = {flow.id: len(flow.attempts) for flow in running}
        for flow in running:
            if tries[flow.id] != self._tries.get(flow.id, 0):
                self._feed.changed(flow)
        self._tries = tries
        self._feed.publish("pulse", {**self._counts(), **rates})
        for kind, state in self._states.items():
            item = encoded(kind, state())
            if self._told.get(kind) != item.data:
                self._told[kind] = item.data
                self._feed.pass_on(item)

    def _counts(self) -> dict[str, object]:
        recorder = self._recorder
        return {
            "at": round(time.time(), 3),
            "running": recorder.running,
            "calls": recorder.calls,
            "failed": recorder.failed,
            "cancelled": recorder.cancelled,
        }


def _written(items: list[Item]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (item.kind.encode(), item.data) for item in items)
