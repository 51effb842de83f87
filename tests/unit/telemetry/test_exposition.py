"""The figures as Prometheus reads them."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from strowger.dialects.base import Loss
from strowger.flows.flow import Attempt
from strowger.ir.events import Usage
from strowger.telemetry import families
from strowger.telemetry.exposition import exposed
from strowger.telemetry.metrics import Metrics, Sample
from tests.unit.telemetry.test_metrics import TRACE, answered, call

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
PLAIN = "text/plain;version=0.0.4"

PARSERS: dict[str, Callable[[str], Iterable[Metric]]] = {PLAIN: prometheus, OPENMETRICS: openmetrics}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def looked_at() -> list[Sample]:
    return [
        (families.QUOTA_LEFT, ("codex", "work", "5h"), 0.25),
        (families.BREAKER, ("groq", "open"), 1.0),
        (families.REDACTIONS, ("jwt",), 2.0),
        (families.BUILD, ("1.0", "3.11"), 1.0),
        (families.STARTED, (), 1.7e9),
    ]


def figures() -> Metrics:
    """Some calls of every kind, among them what a client could send to break the format."""
    metrics = Metrics(looked_at)
    evil = 'x"y\\z\n# HELP é{}\x00'
    usage = Usage(input=1000, output=300, cache_read=700, cache_write=200, reasoning=250)
    for each in (
        answered(usage=usage, billing="metered", billed=0.5, trace=TRACE),
        answered(upstream_model=evil, route=evil, losses=[Loss(evil, evil)], duration=9999.0, first_byte=0.0001),
        answered(outcome="failed", error_kind="upstream", attempts=[Attempt("a:m", "", 500, reason="upstream")] * 2),
        answered(outcome="cancelled"),
        call(outcome="failed", status=404, error_kind="unknown_model", model=evil),
    ):
        metrics.began(each)
        metrics.finished(each)
    return metrics


def text(accept: str, metrics: Metrics | None = None) -> str:
    return exposed((metrics or figures()).snapshot(), accept)[1].decode()


@pytest.mark.parametrize("accept", PARSERS)
def test_what_is_written_is_read_again(accept: str) -> None:
    """By a parser of the format that was asked for, which refuses what the format does not allow."""
    content_type, body = exposed(figures().snapshot(), accept)
    assert content_type.startswith(accept.partition(";")[0])
    found = {family.name: family for family in PARSERS[accept](body.decode())}
    requests = next(family for name, family in found.items() if name.startswith("strowger_requests"))
    assert {sample.labels["error_type"] for sample in requests.samples} == {"", "upstream", "unknown_model"}
    assert "process_resident_memory_bytes" in found


@pytest.mark.parametrize("accept", PARSERS)
def test_the_format_holds(accept: str) -> None:
    """What a parser lets pass: each family once and together, buckets that only grow, `+Inf` is the count, help for
    everybody.
    """
    seen: Counter[str] = Counter()
    for family in PARSERS[accept](text(accept)):
        seen[family.name] += 1
        if not family.name.startswith("strowger_"):
            continue
        assert family.documentation
        assert family.type != "unknown"
        names = [(*sorted(sample.labels.items()), sample.name) for sample in family.samples]
        assert len(names) == len(set(names)), f"twice: {family.name}"
        assert all(math.isfinite(sample.value) and sample.value >= 0 for sample in family.samples)
        if family.type == "histogram":
            check_histogram(family)
    assert set(seen.values()) == {1}


def check_histogram(family: Metric) -> None:
    series: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    counts: dict[tuple[str, ...], float] = {}
    for sample in family.samples:
        labels = tuple(value for name, value in sample.labels.items() if name != "le")
        if sample.name.endswith("_bucket"):
            series.setdefault(labels, []).append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_count"):
            counts[labels] = sample.value
    assert series
    for labels, buckets in series.items():
        assert buckets == sorted(buckets)
        assert [value for _, value in buckets] == sorted(value for _, value in buckets)
        assert buckets[-1] == (math.inf, counts[labels])


def test_names_follow_the_conventions() -> None:
    """A prefix, base units, `_total` for counters and for nothing else, labels that are words."""
    for family in families.FAMILIES:
        assert re.fullmatch(r"[a-z][a-z_]*[a-z]", family.name)
        assert (family.kind == "counter") == family.name.endswith("_total")
        assert not re.search(r"_(ms|millis|minutes|kb|mb|percent)(_|$)", family.name)
        assert (family.kind == "histogram") == bool(family.bounds)
        assert family.kind != "histogram" or family.name.endswith("_seconds")
        assert list(family.bounds) == sorted(set(family.bounds))
        assert all(re.fullmatch(r"[a-z][a-z_]*", label) and label not in ("le", "session") for label in family.labels)
    assert len({family.name for family in families.FAMILIES}) == len(families.FAMILIES)


def test_an_exemplar_is_in_openmetrics_alone() -> None:
    """The older text has no place for it, and would not be read."""
    assert '# {trace_id="0af7651916cd43dd8448eb211c80319c"}' in text(OPENMETRICS)
    assert "trace_id" not in text(PLAIN)


@needs_promtool
def test_promtool_has_nothing_to_say() -> None:
    """Prometheus' own judge of names, units and help."""
    judged = subprocess.run(
        ["promtool", "check", "metrics"], input=text(PLAIN), capture_output=True, text=True, timeout=60, check=False
    )
    assert (judged.returncode, judged.stdout + judged.stderr) == (0, "")


def test_nothing_has_been_counted_yet() -> None:
    """A gateway that has just started can be asked too."""
    names = [family.name for family in PARSERS[OPENMETRICS](text(OPENMETRICS, Metrics()))]
    assert names.count("strowger_requests") == 1
