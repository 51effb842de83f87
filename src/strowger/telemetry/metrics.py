"""The figures: what is counted of each call, and what is looked at when somebody asks for them.

A call costs a few microseconds: the cells of all that it counts in are found once for each kind of call. Cached tokens
are counted once, costs go by the model that answered, and who hung up made no error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from msgspec import Struct

from strowger.telemetry import families
from strowger.telemetry.calls import Called, Try
from strowger.telemetry.tallies import Counter, Family, Histogram, Labels, Observed, Places

Sample = tuple[Family, Labels, float]
"""A value that was looked at."""

Look = Callable[[], Iterable[Sample]]
"""What there is to be looked at now."""

MODELS, PROVIDERS, ROUTES, FIELDS = 100, 50, 50, 200
"""Values of a label that are told apart."""

_MOST_KINDS = 4000
_FIELD_DEPTH = 4


class _Kind(Struct):
    """The cells that the calls of one kind count in."""

    requests: list[float]
    request_bytes: list[float]
    response_bytes: list[float]
    duration: Observed
    overhead: Observed
    first_chunk: Observed
    between: Observed
    stream: Observed
    model: tuple[str, str, str]
    """Agent, provider and model, as labels."""


class Snapshot(Struct, frozen=True):
    """All figures at one moment."""

    counters: list[tuple[Family, dict[Labels, float]]]
    histograms: list[tuple[Family, dict[Labels, Observed]]]
    seen: list[Sample]


class Metrics:
    """Keeps the figures of all calls. `look` adds what is not of calls."""

    def __init__(self, look: Look = tuple) -> None:
        self._look = look
        self._counters = {family.name: Counter(family) for family in families.COUNTERS}
        self._histograms = {family.name: Histogram(family) for family in families.HISTOGRAMS}
        self._kinds: dict[tuple[object, ...], _Kind] = {}
        self._models, self._providers = Places(MODELS), Places(PROVIDERS)
        self._routes, self._fields = Places(ROUTES), Places(FIELDS)
        self._waiting: set[str] = set()
        self._answering: set[str] = set()

    # ---- a keeper ----

    def began(self, call: Called) -> None:
        """A call has been read."""
        self._waiting.add(call.id)

    def opened(self, call: Called) -> None:
        """Its answer has begun."""
        self._waiting.discard(call.id)
        self._answering.add(call.id)

    def finished(self, call: Called) -> None:
        """It is over."""
        self._waiting.discard(call.id)
        self._answering.discard(call.id)
        key = (
            call.agent, call.dialect, call.upstream_dialect, call.provider, call.response_model or call.upstream_model,
            call.route, call.status, call.error_kind, call.outcome, call.lane, call.stream,
            "" if call.provider else call.model, "" if call.provider or not call.attempts else call.attempts[-1].target,
        )  # fmt: skip
        kind = self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()  # only what was found is forgotten, nothing that was counted
            kind = self._kinds[key] = self._kind(call)
        kind.requests[0] += 1
        kind.request_bytes[0] += call.request_bytes
        kind.response_bytes[0] += call.response_bytes
        self._times(call, kind)
        self._used(call, kind)
        if call.outcome != "ok":
            self._ended_badly(call, kind)
        attempts = call.attempts
        if len(attempts) == 1 and attempts[0].reason is None:
            self._add(families.ATTEMPTS, (kind.model[1], _class(attempts[0].status), ""))
        elif attempts:
            self._tried(attempts, answered=bool(call.provider))
        for loss in call.losses:
            field = self._fields.of(field_of(loss.path))
            self._add(families.LOSSES, (field, loss.severity, call.dialect, call.upstream_dialect))

    def _kind(self, call: Called) -> _Kind:
        last = next((each.target for each in reversed(call.attempts) if each.asked), ":")
        tried, _, tried_model = last.partition(":")
        provider = self._providers.of(call.provider or tried)
        # what nobody answered may be a name that nobody has
        named = call.response_model or call.upstream_model
        model = self._models.of(named) if named else self._models.of(tried_model or call.model, doubtful=True)
        agent, stream = call.program, "yes" if call.stream else "no"
        status = call.outcome if call.outcome in _UNANSWERED else _class(call.status)
        error = str(call.error_kind or "internal") if call.outcome == "failed" else ""
        labels = (
            agent, call.dialect, call.upstream_dialect, provider, model, self._routes.of(call.route), status, error,
        )  # fmt: skip
        return _Kind(
            requests=self._counters[families.REQUESTS.name].at(labels),
            request_bytes=self._counters[families.REQUEST_BYTES.name].at((agent, provider)),
            response_bytes=self._counters[families.RESPONSE_BYTES.name].at((agent, provider)),
            duration=self._histograms[families.DURATION.name].at((provider, model, stream)),
            overhead=self._histograms[families.OVERHEAD.name].at((call.lane or "none",)),
            first_chunk=self._histograms[families.FIRST_CHUNK.name].at((provider, model)),
            between=self._histograms[families.BETWEEN.name].at((provider, model)),
            stream=self._histograms[families.STREAM.name].at((provider, model)),
            model=(agent, provider, model),
        )

    def _times(self, call: Called, kind: _Kind) -> None:
        trace = trace_id(call.trace) if call.trace else ""
        if call.outcome not in _UNANSWERED:
            kind.duration.observe(call.duration, trace)
        if call.sent is not None:
            kind.overhead.observe(call.sent, trace)
        if not call.stream or not call.provider or call.first_byte is None:
            return
        kind.first_chunk.observe(call.first_byte, trace)
        if call.outcome == "ok":
            lasted = max(0.0, call.duration - call.first_byte)
            kind.stream.observe(lasted, trace)
            if call.events > 1:
                kind.between.observe(lasted / (call.events - 1), trace)

    def _used(self, call: Called, kind: _Kind) -> None:
        usage, billed = call.usage, call.billed
        if usage.input is None and usage.output is None:
            return
        tokens, model = self._counters[families.TOKENS.name], kind.model
        read, written, reasoning = usage.cache_read or 0, usage.cache_write or 0, usage.reasoning or 0
        tokens.at((*model, "input"))[0] += max(0, (usage.input or 0) - read - written)
        tokens.at((*model, "output"))[0] += max(0, (usage.output or 0) - reasoning)
        for name, count in (("cache_read", read), ("cache_write", written), ("reasoning", reasoning)):
            if count:
                tokens.at((*model, name))[0] += count
        if billed is not None and call.billing in _BILLED:
            self._add(families.COST, (*model, _BILLED[call.billing]), billed)
        elif billed is None and call.billing != "free":
            self._add(families.UNPRICED, model[1:])

    def _ended_badly(self, call: Called, kind: _Kind) -> None:
        if call.outcome == "cancelled":
            self._add(families.CANCELLED, kind.model)
        elif call.stream and call.provider and call.first_byte is not None:
            self._add(families.INCOMPLETE, (*kind.model[1:], str(call.error_kind or "internal")))

    def _tried(self, attempts: Iterable[Try], *, answered: bool) -> None:
        """Each try, and what became of it: once more the same, another, or nothing."""
        tries = list(attempts)
        for number, each in enumerate(tries):
            provider = self._providers.of(each.target.partition(":")[0])
            is_last = number == len(tries) - 1
            reason = "" if is_last and answered else str(each.reason or "other")
            if each.asked:
                self._add(families.ATTEMPTS, (provider, _class(each.status), reason))
            if is_last:
                continue
            next_one = tries[number + 1]
            is_same = (each.target, each.account) == (next_one.target, next_one.account) and each.asked
            self._add(families.RETRIES if is_same else families.FAILOVERS, (provider, reason))

    def _add(self, family: Family, labels: Labels, amount: float = 1.0) -> None:
        self._counters[family.name].add(labels, amount)

    # ---- for those who ask ----

    def snapshot(self) -> Snapshot:
        """All of it as it is now, so that it can be written down elsewhere."""
        in_flight = families.IN_FLIGHT
        seen: list[Sample] = [
            (in_flight, ("waiting",), len(self._waiting)),
            (in_flight, ("answering",), len(self._answering)),
            *self._look(),
        ]
        return Snapshot(
            [
                (each.family, {labels: cell[0] for labels, cell in each.cells.items()})
                for each in self._counters.values()
            ],
            [
                (each.family, {labels: cell.copy() for labels, cell in each.cells.items()})
                for each in self._histograms.values()
            ],
            seen,
        )


# How calls end that nobody answered, through no fault.
_UNANSWERED = ("cancelled", "stopped")
_BILLED = {"metered": "billed", "plan": "subscription_value"}
_TRACE = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


@lru_cache(maxsize=1024)
def trace_id(traceparent: str) -> str:
    """The id of the trace in a `traceparent` header; empty where it is none."""
    found = _TRACE.fullmatch(traceparent)
    return "" if found is None or traceparent.startswith("ff") else found[1]


@lru_cache(maxsize=2048)
def field_of(path: str) -> str:
    """The place of a loss without what differs from call to call: `messages[].content[].citations`."""
    parts = re.sub(r"\[[^\]]*\]", "[]", path).split(".")
    return ".".join(parts[:_FIELD_DEPTH])


def _class(status: int) -> str:
    return f"{status // 100}xx" if 100 <= status < 600 else "none"
