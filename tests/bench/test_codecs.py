"""The table of what the dialects cost."""

from __future__ import annotations

from bench.codecs import Figure, table
from bench.script import STREAMS


def figures(slow: tuple[str, str] = ("", "")) -> list[Figure]:
    told = [Figure(what, name, "", 2.0) for name in STREAMS for what in ("decode", "skip", "encode")]
    told += [Figure("read", name, "", 40.0) for name in STREAMS]
    pairs = [(client, upstream) for client in STREAMS for upstream in STREAMS]
    return told + [Figure("carry", *pair, 150.0 if pair == slow else 100.0) for pair in pairs]


def test_directions_are_multiples_of_one() -> None:
    """All that a direction costs, against Anthropic to Chat."""
    rows = table(figures(("gemini", "anthropic"))).splitlines()
    assert "| anthropic | 40 | 100 (1.00) | 100 (1.00) | 100 (1.00) | 100 (1.00) |" in rows
    assert "| gemini | 40 | 150 (1.50) | 100 (1.00) | 100 (1.00) | 100 (1.00) |" in rows


def test_events_are_told_by_dialect() -> None:
    """Decoding, skipping and encoding of one."""
    assert table(figures()).endswith("| gemini | 2.00 | 2.00 | 2.00 |")
