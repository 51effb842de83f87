"""Who keeps something of each call, as configured: the log, the store, the live feed. One place that wires them.

Must not know what a call is routed by.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio.to_thread
from msgspec import Struct

from strowger.config.paths import flows_file
from strowger.config.schema import Config
from strowger.flows.archive import Archive
from strowger.flows.budgets import BudgetKeeper
from strowger.flows.captures import Captures
from strowger.flows.feed import Feed
from strowger.flows.flow import Flow, summary
from strowger.flows.recorder import Keeper, Recorder
from strowger.flows.retention import Limits
from strowger.flows.store import Store
from strowger.gateway.pricing import Pricing
from strowger.gateway.pulse import Spawn
from strowger.routing import pricelists
from strowger.telemetry.logs import Log
from strowger.telemetry.redaction import Redaction

_MB = 1024 * 1024
# How long the end of the gateway waits for the disk, in seconds.
_CLOSE_SECONDS = 5.0


class Kept(Struct, frozen=True):
    """The keepers by name. `store` and `archive`, the same file for writing and for reading, are None where nothing is
    stored.
    """

    recorder: Recorder
    feed: Feed
    store: Store | None
    archive: Archive | None
    pricing: Pricing
    budgets: BudgetKeeper


class _Logged:
    """A line of the log for each call, when it is over; of one that failed it says where it is captured."""

    def __init__(self, log: Log, captures: Captures | None) -> None:
        self._log = log
        self._captures = captures

    def began(self, _: Flow) -> None:
        """Nothing yet."""

    def opened(self, flow: Flow) -> None:
        """That its answer has begun, for who wants to know."""
        if self._log.wants("opened"):
            first = None if flow.upstream_first_byte is None else round(flow.upstream_first_byte * 1000, 2)
            told = {"flow": flow.id, "model": flow.model, "provider": flow.provider, "lane": flow.lane}
            self._log.write("debug", "opened", {**told, "upstream_first_byte_ms": first})

    def finished(self, flow: Flow) -> None:
        """The line."""
        level = "error" if flow.notes else "warning" if flow.outcome == "failed" else "info"
        told = summary(flow)
        if self._captures is not None and (path := self._captures.path_of(flow)) is not None:
            told["error_file"] = str(path)
        self._log.write(level, "call", told)


def _is_taped(config: Config) -> bool:
    """Whether anybody wants to know what was said."""
    stored = config.flows.store and config.flows.bodies != "none"
    return stored or (config.tracing.otlp and config.tracing.content)


@asynccontextmanager
async def keeping(
    config: Config, env: Mapping[str, str], log: Log, spawn: Spawn, tracing: Keeper | None = None
) -> AsyncIterator[Kept]:
    """The recorder with all its keepers. After the block what they were told is where it belongs."""
    flows = config.flows
    store = archive = captures = None
    if flows.store:
        path = flows_file(env, flows.file)
        captures = Captures(path, clean=Redaction().text) if flows.bodies != "none" else None
        store = Store(
            path,
            Limits(bytes=flows.max_mb * _MB, days=flows.keep_days, usage_days=flows.usage_days),
            bodies=flows.bodies,
            captures=captures,
            tell=lambda event, fields: log.write("warning", event, fields),
        )
        archive = Archive(path)
    pricing = Pricing(lambda: pricelists.load(config.prices.file, env).prices())
    recorder = Recorder(
        flows.keep,
        price=pricing.price,
        tape_limit=flows.max_body_mb * _MB if _is_taped(config) else None,
        tell=lambda keeper, error: log.write("error", "recorder", {"keeper": keeper, "error": repr(error)}),
    )
    feed = Feed()
    budgets = BudgetKeeper(
        config.budgets, archive, tell=lambda event, fields: log.write("warning", event, fields), spawn=spawn
    )
    budgets.prepare()
    # The spans' maker looks at requests before the store takes them. What the budgets note about a call is for the
    # store: in the log they have a line of their own, and the call's says nothing of trouble.
    for keeper in (tracing, _Logged(log, captures), budgets, store, feed):
        if keeper is not None:
            recorder.add(keeper)
    try:
        yield Kept(recorder, feed, store, archive, pricing, budgets)
    finally:
        if archive is not None:
            archive.close()
        if store is not None:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(store.close, _CLOSE_SECONDS)
