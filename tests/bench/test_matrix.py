"""Sixteen directions, as multiples of one of them and of nginx."""

from __future__ import annotations

from bench.matrix import directions, table
from bench.report import Results


def test_all_directions() -> None:
    """Each dialect to each, the one that others are held against first."""
    names = directions()
    assert len(set(names)) == 16
    assert names[0] == "anthropic → openai_chat"


def test_ratios_are_of_one_run() -> None:
    """Each cell tells the multiple of the base, then of nginx, within the rounds; what was not measured is a dash."""
    results = Results(["nginx", *directions()])
    for slow in (1.0, 7.0):
        results.add("nginx", "plain", {"claude_us": 50 * slow})
        results.add("anthropic → openai_chat", "plain", {"claude_us": 1000 * slow})
        results.add("gemini → anthropic", "plain", {"claude_us": 1250 * slow})
    results.fail("gemini → gemini", "plain", "burst", "2 of 3 answers whole")
    lines = table(results).splitlines()
    assert "| nginx | 200 | – | – |" in lines
    assert "| gemini → anthropic | 5000 (1.25×, 25.0×) | – | – |" in lines
    assert lines[-1] == "failed: gemini → gemini burst: 2 of 3 answers whole"
    assert len(lines) == 8


def test_without_nginx() -> None:
    """Only the multiple of the base is told."""
    results = Results(directions())
    results.add("anthropic → openai_chat", "plain", {"burst_us": 8.0})
    assert table(results).endswith("| anthropic → openai_chat | – | 8.00 (1.00×) | – |")
