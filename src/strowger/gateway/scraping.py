"""Who may read the figures, and where: `/metrics` beside everything else, or a loopback port of their own.

What is not of calls is looked at here: limits, breakers, the log, the configuration. Must not know how figures are
written down.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from msgspec import Struct

from strowger import __version__
from strowger.errors import GatewayError, UnknownPath
from strowger.flows.feed import Feed
from strowger.flows.store import Store
from strowger.gateway.access import Access
from strowger.gateway.delivery import Reply
from strowger.gateway.endpoints import ANTHROPIC, Call, Endpoint, Verb
from strowger.gateway.health import Health
from strowger.gateway.settings import Settings
from strowger.providers.quota import Window
from strowger.telemetry import families
from strowger.telemetry.logs import Log
from strowger.telemetry.metrics import Look, Metrics, Sample
from strowger.upstreams.base import Headers

if TYPE_CHECKING:  # an extra
    from strowger.telemetry.tracing import Tracing

_JSON: Headers = (("Content-Type", "application/json"),)
_PATHS = ("/metrics", "/_strowger/metrics")


class Observer(Struct, frozen=True):
    """How somebody who looks on keeps up: what waits for it, and what it had to let go, by kind."""

    name: str
    waiting: int = 0
    dropped: Mapping[str, int] = {}


Observers = Callable[[], Iterable[Observer]]


def observers_of(log: Log, feed: Feed, store: Store | None, tracing: Tracing | None) -> Observers:
    """Those who look on here."""

    def observers() -> Iterator[Observer]:
        yield Observer("log", dropped={"lines": log.dropped})
        yield Observer("feed", feed.waiting, {"items": feed.missed})
        if store is not None:
            state = store.state()
            yield Observer("store", state.waiting, {"bodies": state.bodies_dropped, "flows": state.flows_dropped})
        if tracing is not None:
            yield Observer("tracing", tracing.waiting, {"calls": tracing.dropped})

    return observers


class Scraping:
    """Answers those who ask for the figures. `metrics` is None where there are none; `is_open` lets everybody in."""

    def __init__(self, metrics: Metrics | None, access: Access, *, is_open: bool) -> None:
        self._metrics = metrics
        self.access = access
        self._is_open = is_open

    async def answer(self, call: Call, reply: Reply) -> None:
        """The figures. Raises Forbidden, and UnknownPath where there are none."""
        if not self._is_open:
            self.access.admit_reader(call.headers)
        await self.tell(call, reply)

    async def tell(self, call: Call, reply: Reply) -> None:
        """The figures, for whoever has come this far."""
        if self._metrics is None:
            raise UnknownPath("no figures are kept here", hint="set metrics.enabled = true")
        snapshot = self._metrics.snapshot()
        content_type, body = await anyio.to_thread.run_sync(partial(_exposed, snapshot, call.headers.get("accept", "")))
        await reply.whole(200, (("Content-Type", content_type), ("Cache-Control", "no-store")), body)


def _exposed(snapshot: object, accept: str) -> tuple[str, bytes]:
    from strowger.telemetry.exposition import exposed  # the library takes its time, and most gateways are never asked

    return exposed(snapshot, accept)  # type: ignore[arg-type]


class FiguresAlone:
    """An app that serves the figures and nothing else, without a token: for a loopback port of their own."""

    def __init__(self, scraping: Scraping) -> None:
        self._scraping = scraping
        self.access = scraping.access

    def locate(self, method: str, path: str, headers: dict[str, str], query: str) -> Endpoint:
        """The endpoint of a URL; raises UnknownPath."""
        if method in ("GET", "HEAD") and path in _PATHS:
            return Endpoint(Verb.METRICS, ANTHROPIC)
        raise UnknownPath(f"nothing is served at {method[:20]} {path[:200]}", hint="here is /metrics alone")

    async def handle(self, call: Call, reply: Reply) -> None:
        """Answer a call."""
        await self._scraping.tell(call, reply)

    def nothing(self, call: Call) -> bytes:
        """There is no answer that says nothing."""
        raise UnknownPath("no models are served here")

    def refuse(self, error: GatewayError, headers: dict[str, str], path: str) -> tuple[int, Headers, bytes]:
        """An error, as JSON."""
        status = 404 if isinstance(error, UnknownPath) else 403
        return status, _JSON, msgspec.json.encode({"error": {"message": error.message, "hint": error.hint}})

    def finish(self) -> None:
        """Nobody stays here."""


def looker(
    health: Health, providers: Callable[[], Iterable[str]], settings: Settings, log: Log, observers: Observers
) -> Look:
    """What is looked at when somebody asks for the figures."""
    build = (families.BUILD, (__version__, platform.python_version()), 1.0)

    def look() -> Iterator[Sample]:
        yield build
        yield families.STARTED, (), settings.started
        yield families.RELOADED_WELL, (), float(settings.read_well)
        yield families.RELOADED_AT, (), settings.read_at
        yield from _limits(health)
        yield from _breakers(health, providers())
        for rule, count in log.redactions.items():
            yield families.REDACTIONS, (rule,), float(count)
        for each in observers():
            yield families.QUEUED, (each.name,), float(each.waiting)
            for what, count in each.dropped.items():
                yield families.DROPPED, (each.name, what), float(count)

    return look


def _limits(health: Health) -> Iterator[Sample]:
    now = health.wall()
    for (provider, account), reading in health.readings.items():
        for window in reading.windows:
            labels = (provider, alias(account), window.name)
            left = _left(window, now)
            if left is not None:
                yield families.QUOTA_LEFT, labels, left
            if window.resets_at is not None:
                yield families.QUOTA_RESET, labels, window.resets_at
    for account_at_rest in {(rest.provider, alias(rest.account)) for rest in health.resting()}:
        yield families.RESTING, account_at_rest, 1.0


def _left(window: Window, now: float) -> float | None:
    """What is left of a window, 0 to 1."""
    if window.resets_at is not None and window.resets_at <= now:
        return 1.0
    if window.used_percent is not None:
        return min(1.0, max(0.0, 1.0 - window.used_percent / 100.0))
    if window.remaining is not None and window.limit:
        return min(1.0, max(0.0, window.remaining / window.limit))
    return None


def _breakers(health: Health, providers: Iterable[str]) -> Iterator[Sample]:
    worst: dict[str, str] = {}
    for broken in health.broken():
        if worst.get(broken.provider) != "open":
            worst[broken.provider] = "open" if broken.seconds > 0 else "half_open"
    for provider in dict.fromkeys((*providers, *worst)):
        found = worst.get(provider, "closed")
        for state in ("closed", "half_open", "open"):
            yield families.BREAKER, (provider, state), float(state == found)


def alias(account: str) -> str:
    """An account's name as a label: one that is an address of somebody's is not shown."""
    return f"account-{hashlib.sha256(account.encode()).hexdigest()[:8]}" if "@" in account else account
