"""The table and the ratios."""

from __future__ import annotations

from bench.report import Results, table


def test_ratio_is_taken_within_rounds() -> None:
    """A round in which everything was slow does not change a ratio."""
    results = Results(["nginx", "mine"])
    for factor in (1, 10, 1):
        results.add("nginx", "plain", {"small_us": 20.0 * factor})
        results.add("mine", "plain", {"small_us": 60.0 * factor})
    assert results.ratio(("mine", "plain"), "small_us") == 3.0
    assert "60 (3.0×)" in table(results)


def test_first_byte_is_shown_as_added() -> None:
    """Time to first byte is compared with the direct way of the same transport."""
    results = Results(["direct", "mine"])
    results.add("mine", "tls", {"first_p50_ms": 1.75})
    results.add("direct", "tls", {"first_p50_ms": 0.5})
    assert [line.split("|")[1].strip() for line in table(results).splitlines()[2:]] == ["direct", "mine"]
    assert "1.75 (+1.25)" in table(results)


def test_failures_are_told() -> None:
    """What failed is said below the table."""
    results = Results(["mine"])
    results.fail("mine", "plain", "burst", "3 of 4 answers whole")
    assert table(results).endswith("failed: mine (plain) burst: 3 of 4 answers whole")
