"""Spans and metrics of calls for an OpenTelemetry collector, by OTLP over HTTP. The extra `strowger[otel]`.

For each call a SERVER span, with a CLIENT span in it for each try at an upstream. Spans are made when a call is over,
in a thread of their own, with the times that the call had; the SDK sends them in batches. What a configuration does not
say is as the environment's OTEL_ variables say. Delivery never waits for any of it.

Imported only where it is switched on: the SDK takes its time.
"""

from __future__ import annotations

import logging
import os
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from strowger.dialects.base import Dialect, Spot
from strowger.telemetry import content, genai
from strowger.telemetry.calls import Called, Piece, Try
from strowger.telemetry.genai import Attributes, Place
from strowger.telemetry.metrics import trace_id
from strowger.telemetry.redaction import Redaction

_NAME = "strowger"
# Calls that wait for their spans to be made: more than any machine answers in a second.
_MOST_WAITING = 5000
_NANOSECONDS = 1_000_000_000

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_CHUNK_SECONDS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKENS = tuple(float(4**power) for power in range(14))

Places = Callable[[str], Place | None]
"""Where a provider is, by its name."""


class _Asked(Struct):
    """What is known of a request while its answer comes."""

    settings: Attributes
    said: Mapping[str, str]


class _Item(Struct):
    """Something for the thread: an answer began (`piece` is what was asked), or a call is `over` (what was answered).

    `begins`: its trace begins with it.
    """

    call: Called
    over: bool
    begins: bool
    piece: Piece | None
    masks: Sequence[Callable[[bytes], bytes]]


class _Ids(IdGenerator):
    """Random ids, but for those that were given out before their span was made."""

    def __init__(self) -> None:
        self.trace = self.span = 0

    def generate_trace_id(self) -> int:
        """A trace's."""
        found, self.trace = self.trace, 0
        return found or secrets.randbits(128)

    def generate_span_id(self) -> int:
        """A span's."""
        found, self.span = self.span, 0
        return found or secrets.randbits(64)


class Tracing:
    """A keeper that makes spans. `content` adds what was said, for which calls have to be taped.

    `endpoint` is a collector's base URL and `headers` go to it; without them the environment says where to.
    """

    def __init__(
        self,
        *,
        endpoint: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        service: str = _NAME,
        version: str = "",
        content: bool = False,
        dialects: Mapping[str, Dialect] = MappingProxyType({}),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._tell = tell
        _tell_of_trouble(tell)
        self.places: Places = lambda _: None
        self.dropped = 0
        self._content = content
        self._dialects = dialects
        self._ids = _Ids()
        resource = _resource(service, version)
        self._spans = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        self._spans.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=_at(endpoint, "traces"), headers=dict(headers) or None))
        )
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=_at(endpoint, "metrics"), headers=dict(headers) or None)
        )
        self._meters = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
        self._tracer = self._spans.get_tracer(_NAME, version, schema_url=genai.SCHEMA)
        self._figures = _Figures(self._meters, version)
        self._redaction = Redaction()
        self._begun: set[str] = set()
        self._asked: dict[str, _Asked] = {}
        self._waiting: deque[_Item] = deque()
        self._put_ever = self._taken = 0
        self._come = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="strowger-tracing", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Calls whose spans are still to be made."""
        return len(self._waiting)

    # ---- a keeper, on the loop ----

    def began(self, call: Called) -> None:
        """A call has been read. One that is part of no trace begins one, so that others can say which."""
        if not trace_id(call.trace):
            call.trace = f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
            self._begun.add(call.id)

    def opened(self, call: Called) -> None:
        """Its answer has begun: the last time that the request is at hand."""
        piece = _piece(call, "client_request")
        if piece is not None:
            self._put(call, piece, over=False)

    def finished(self, call: Called) -> None:
        """It is over."""
        piece = _piece(call, "upstream_response") if self._content and call.provider else None
        self._put(call, piece, over=True)
        self._begun.discard(call.id)

    def _put(self, call: Called, piece: Piece | None, *, over: bool) -> None:
        if len(self._waiting) >= _MOST_WAITING:
            self.dropped += 1
            return
        masks = call.tape.masks if call.tape is not None and self._content else ()
        self._waiting.append(_Item(call, over, call.id in self._begun, piece, masks))
        with self._come:
            self._put_ever += 1
            self._come.notify_all()

    # ---- the thread ----

    def _run(self) -> None:
        while True:
            with self._come:
                self._come.wait_for(lambda: self._waiting or self._closing)
            if not self._waiting:
                return
            item = self._waiting.popleft()
            try:
                self._take(item)
            except Exception as error:  # noqa: BLE001 - the edge: what is wrong with one call must not end the rest
                self._tell(f"no span for {item.call.id}: {type(error).__name__}: {error}")
            with self._come:
                self._taken += 1
                self._come.notify_all()

    def _take(self, item: _Item) -> None:
        call = item.call
        body = _without(item.masks, item.piece.body if item.piece is not None else b"")
        if not item.over:
            if len(self._asked) >= _MOST_WAITING:  # the ends of some were dropped
                self._asked.clear()
            self._asked[call.id] = self._read(call, body)
            return
        asked = self._asked.pop(call.id, None) or _Asked({}, {})
        server = self._tracer.start_span(
            f"{call.method} {genai.route_of(call.path)}",
            context=self._parent(call, begins=item.begins),
            kind=SpanKind.SERVER,
            attributes=genai.ingress(call),
            start_time=_moment(call, 0.0),
        )
        server.set_attributes(genai.ended(call))
        if genai.failure_of(call) and (call.status >= 500 or call.status < 400):  # a 4xx is the client's own fault
            server.set_status(self._failed(call.error))
        inside = set_span_in_context(server, Context())
        tries = [each for each in call.attempts if each.asked]
        for number, attempt in enumerate(tries):
            is_answer = bool(call.provider) and number == len(tries) - 1
            self._try(item, attempt, inside, asked, body if is_answer else None)
        server.end(_moment(call, call.duration))

    def _read(self, call: Called, body: bytes) -> _Asked:
        said: Mapping[str, str] = {}
        dialect = self._dialects.get(call.dialect)
        if self._content and dialect is not None:
            in_url = call.dialect == "gemini"
            said = content.asked(dialect, body, Spot(call.model, call.stream) if in_url else Spot())
        return _Asked(genai.settings(body), said)

    def _try(self, item: _Item, attempt: Try, inside: Context, asked: _Asked, answer: bytes | None) -> None:
        """The span of one try; `answer` is None where it came to nothing."""
        call = item.call
        place = self.places(attempt.target.partition(":")[0]) or Place("unknown", call.upstream_dialect, "", 0)
        attributes = genai.asking(call, attempt, place)
        span = self._tracer.start_span(
            f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}",
            context=inside,
            kind=SpanKind.CLIENT,
            attributes={**attributes, **asked.settings, **asked.said},
            start_time=_moment(call, attempt.begun),
        )
        until = attempt.begun + attempt.seconds
        if answer is None:
            span.set_attributes(genai.refused(attempt))
            span.set_status(self._failed(attempt.error))
        else:
            until = call.duration
            span.set_attributes(genai.answered(call, attempt))
            dialect = self._dialects.get(call.upstream_dialect)
            if answer and dialect is not None:
                # what its events spell together has not been seen yet
                said = content.answered(dialect, answer, _finish(call)).items()
                span.set_attributes({name: _without(item.masks, text.encode()).decode() for name, text in said})
            if genai.failure_of(call):
                span.set_status(self._failed(call.error))
        span.end(_moment(call, max(until, attempt.begun)))
        self._figures.note(call, attempt, attributes, until - attempt.begun, answered=answer is not None)

    def _failed(self, error: str | None) -> Status:
        return Status(StatusCode.ERROR, self._redaction.text(error) if error else None)

    def _parent(self, call: Called, *, begins: bool) -> Context:
        """The client's span; or the ids that were given to a call of no trace, for the span that begins it."""
        if begins:
            _, trace, span, _ = call.trace.split("-")
            self._ids.trace, self._ids.span = int(trace, 16), int(span, 16)
            return Context()
        return TraceContextTextMapPropagator().extract({"traceparent": call.trace}, Context())

    # ---- for everybody ----

    def flush(self, timeout: float = 10.0) -> bool:
        """Send what there is. Blocking; False when it took longer than `timeout` seconds to make the spans."""
        wanted = self._put_ever
        with self._come:
            made = self._come.wait_for(lambda: self._taken >= wanted, timeout)
        self._spans.force_flush(int(timeout * 1000))
        self._meters.force_flush(timeout * 1000)
        return made

    def close(self, timeout: float = 3.0) -> None:
        """Send what there is, as far as that can be done in `timeout` seconds. Blocking."""
        with self._come:
            self._closing = True
            self._come.notify_all()
        # The SDK may wait for a collector that is gone for much longer; nobody waits for that.
        ending = threading.Thread(target=self._end, name="strowger-tracing-end", daemon=True)
        ending.start()
        ending.join(timeout)

    def _end(self) -> None:
        self._thread.join()
        self._spans.shutdown()
        self._meters.shutdown()


def _without(masks: Sequence[Callable[[bytes], bytes]], data: bytes) -> bytes:
    """Bytes without what any mask takes out."""
    for masked in masks:
        data = masked(data)
    return data


class _Figures:
    """The metrics of clients of generative AI, as the conventions name them."""

    def __init__(self, meters: MeterProvider, version: str) -> None:
        meter = meters.get_meter(_NAME, version, schema_url=genai.SCHEMA)

        def histogram(name: str, unit: str, help: str, bounds: Sequence[float]) -> Histogram:
            return meter.create_histogram(name, unit, help, explicit_bucket_boundaries_advisory=list(bounds))

        self._tokens = histogram(
            "gen_ai.client.token.usage", "{token}", "Number of input and output tokens used.", _TOKENS
        )
        self._duration = histogram("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS)
        self._first = histogram(
            "gen_ai.client.operation.time_to_first_chunk", "s", "Time to receive the first chunk.", _CHUNK_SECONDS
        )
        self._between = histogram(
            "gen_ai.client.operation.time_per_output_chunk", "s", "Time per output chunk.", _CHUNK_SECONDS
        )

    def note(self, call: Called, attempt: Try, asked: Attributes, seconds: float, *, answered: bool) -> None:
        """One try more, which took `seconds`."""
        kept = {name: value for name, value in asked.items() if name in _FIGURED}
        if not answered:
            self._duration.record(seconds, {**kept, "error.type": attempt.reason or "other"})
            return
        if call.response_model:
            kept["gen_ai.response.model"] = call.response_model
        failure = genai.failure_of(call)
        self._duration.record(seconds, {**kept, "error.type": failure} if failure else kept)
        for kind, count in (("input", call.usage.input), ("output", call.usage.output)):
            if count is not None:
                self._tokens.record(count, {**kept, "gen_ai.token.type": kind})
        if call.stream and call.first_byte is not None:
            self._first.record(max(0.0, call.first_byte - attempt.begun), kept)
            if call.events > 1:
                self._between.record(max(0.0, call.duration - call.first_byte) / (call.events - 1), kept)


_FIGURED = frozenset(
    {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port"}
)


def _resource(service: str, version: str) -> Resource:
    # the default is no word of the user's, and the environment's is
    name = {} if service == _NAME and os.environ.get("OTEL_SERVICE_NAME") else {"service.name": service}
    return Resource.create(
        {**name, "service.version": version, "service.instance.id": secrets.token_hex(8)}, genai.SCHEMA
    )


def _at(endpoint: str | None, signal: str) -> str | None:
    return None if endpoint is None else f"{endpoint.rstrip('/')}/v1/{signal}"


def _moment(call: Called, seconds: float) -> int:
    # apart: together they would be too large for a float to keep the microseconds
    return int(call.started * _NANOSECONDS) + round(seconds * _NANOSECONDS)


def _piece(call: Called, kind: str) -> Piece | None:
    """The last message of a kind."""
    pieces = call.tape.messages if call.tape is not None else ()
    return next((piece for piece in reversed(pieces) if piece.kind == kind), None)


def _finish(call: Called) -> str:
    return call.finish.reason.value if call.finish is not None else ""


def _tell_of_trouble(tell: Callable[[str], None]) -> None:
    """What the SDK logs is told to us, instead of being printed over a client's screen."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            tell(f"{record.name}: {record.getMessage()}")

    logger = logging.getLogger("opentelemetry")
    logger.handlers = [Handler(logging.WARNING)]
    logger.propagate = False
