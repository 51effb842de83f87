"""The figures as Prometheus reads them: its own text, or OpenMetrics, which has exemplars.

The library for it is imported when somebody asks for the first time. Blocking: to be called in a worker thread.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from strowger.telemetry.families import PREFIX, SEEN
from strowger.telemetry.metrics import Snapshot
from strowger.telemetry.tallies import Family, Labels, Observed


class _Figures(Collector):
    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        for family, values in self._snapshot.counters:
            yield _counter(family, values)
        for family, observed in self._snapshot.histograms:
            yield _histogram(family, observed)
        for family in SEEN:
            found = {labels: value for of, labels, value in self._snapshot.seen if of.name == family.name}
            yield _counter(family, found) if family.kind == "counter" else _gauge(family, found)


def exposed(snapshot: Snapshot, accept: str) -> tuple[str, bytes]:
    """Content type and body, in the form that the `Accept` header asks for."""
    collected = CollectorRegistry()
    collected.register(_Figures(snapshot))
    ProcessCollector(registry=collected)
    encode, content_type = choose_encoder(accept)
    return content_type, encode(collected)


def _counter(family: Family, values: dict[Labels, float]) -> Metric:
    made = CounterMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made


def _gauge(family: Family, values: dict[Labels, float]) -> Metric:
    made = GaugeMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made


def _histogram(family: Family, series: dict[Labels, Observed]) -> Metric:
    made = HistogramMetricFamily(PREFIX + family.name, family.help, labels=family.labels)
    ends = [*map(floatToGoString, family.bounds), "+Inf"]
    for labels, observed in series.items():
        total = 0
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        for number, (end, count) in enumerate(zip(ends, observed.counts, strict=True)):
            total += count
            seen = observed.exemplars.get(number)
            exemplar = None if seen is None else Exemplar({"trace_id": seen.trace}, seen.value, seen.at)
            buckets.append((end, total) if exemplar is None else (end, total, exemplar))
        if total:
            made.add_metric(labels, buckets, observed.sum)
    return made
