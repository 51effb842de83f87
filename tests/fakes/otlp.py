"""A collector that takes OTLP over HTTP and refuses what the specification does not allow."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

SERVER, CLIENT = 2, 3
ERROR = 2


class Collector:
    """What came. `wrong` says what was refused, and why."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.resources: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.wrong: list[str] = []

    def take(self, path: str, body: bytes) -> bytes:
        """An export. Raises ValueError where it is none."""
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            for of in request.resource_spans:
                self._resource(of)
                for scope in of.scope_spans:
                    check(bool(scope.scope.name), "a scope without a name")
                    check(scope.schema_url.startswith("https://opentelemetry.io/schemas/"), "no schema")
                    for span in scope.spans:
                        check_span(span)
                        self.spans.append(span)
            return bytes(ExportTraceServiceResponse().SerializeToString())
        check(path == "/v1/metrics", f"there is no {path}")
        figures = ExportMetricsServiceRequest.FromString(body)
        for told in figures.resource_metrics:
            self._resource(told)
            for group in told.scope_metrics:
                for metric in group.metrics:
                    check_histogram(metric)
                    self.metrics[metric.name] = metric
        return bytes(ExportMetricsServiceResponse().SerializeToString())

    def _resource(self, of: Any) -> None:
        found = attributes(of.resource)
        check(bool(found.get("service.name")), "no service.name")
        self.resources.append(found)

    def span(self, name: str) -> Any:
        """The one span of a name."""
        found = [span for span in self.spans if span.name == name]
        assert len(found) == 1, [span.name for span in self.spans]
        return found[0]


def check(fact: bool, problem: str) -> None:
    if not fact:
        raise ValueError(problem)


def attributes(of: Any) -> dict[str, Any]:
    """Attributes by name; each at most once, with a value."""
    found: dict[str, Any] = {}
    for each in of.attributes:
        check(bool(each.key) and each.key not in found, f"{each.key!r} twice, or without a name")
        found[each.key] = plain(each.value)
    return found


def plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    check(kind is not None, "an attribute without a value")
    if kind == "array_value":
        return [plain(each) for each in value.array_value.values]
    return getattr(value, kind)


def check_span(span: Any) -> None:
    check(len(span.trace_id) == 16 and any(span.trace_id), "no trace id")
    check(len(span.span_id) == 8 and any(span.span_id), "no span id")
    check(len(span.parent_span_id) in (0, 8), "no id of a parent")
    check(bool(span.name), "no name")
    check(0 < span.start_time_unix_nano <= span.end_time_unix_nano, "it ends before it begins")
    check(span.status.code in (0, 1, ERROR), "no such status")
    check(span.status.code == ERROR or not span.status.message, "words for a status that needs none")
    found = attributes(span)
    check(span.status.code != ERROR or "error.type" in found, "an error of no type")
    if span.kind == SERVER:
        check({"http.request.method", "url.path", "url.scheme"} <= found.keys(), "what HTTP requires")
        check(span.name == f"{found['http.request.method']} {found['http.route']}", "its name")
    else:
        check(span.kind == CLIENT, "its kind")
        check(
            {"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"} <= found.keys(),
            "what is required",
        )
        check(span.name == f"{found['gen_ai.operation.name']} {found['gen_ai.request.model']}", "its name")
        check("server.port" not in found or "server.address" in found, "a port without a host")


def check_histogram(metric: Any) -> None:
    check(bool(metric.unit and metric.description), f"{metric.name} has no unit")
    check(metric.WhichOneof("data") == "histogram", f"{metric.name} is no histogram")
    check(metric.histogram.aggregation_temporality in (1, 2), "no temporality")
    for point in metric.histogram.data_points:
        check(list(point.explicit_bounds) == sorted(set(point.explicit_bounds)), "bounds out of order")
        check(len(point.bucket_counts) == len(point.explicit_bounds) + 1, "buckets without bounds")
        check(sum(point.bucket_counts) == point.count, "buckets that do not add up")
        check(point.start_time_unix_nano <= point.time_unix_nano, "it ends before it begins")
        check("gen_ai.operation.name" in attributes(point), "what is required")


def figures(metric: Any) -> Iterable[tuple[dict[str, Any], int, float]]:
    """Attributes, count and sum of each point."""
    return [(attributes(point), point.count, point.sum) for point in metric.histogram.data_points]


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a port of its own."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            try:
                check(self.headers["Content-Type"] == "application/x-protobuf", "its content type")
                status, answer = 200, collector.take(self.path, body)
                collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            except ValueError as error:
                collector.wrong.append(str(error))
                status, answer = 400, b""
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
