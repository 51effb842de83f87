"""The table of what the dialects cost."""

from __future__ import annotations

from bench.codecs import Figure, table
from bench.script import STREAMS


def figures() -> list[Figure]:
    told = [Figure(what, name, "", 2.0) for name in STREAMS for what in ("peek", "decode", "skip", "encode")]
    told += [Figure("parse", name, "", 40.0) for name in STREAMS]
    told += [Figure("render", client, upstream, 60.0) for client in STREAMS for upstream in STREAMS]
    return told


def test_directions_are_multiples_of_one() -> None:
    """Parse and render together, against Anthropic to Chat."""
    slow = [
        Figure("render", "gemini", "anthropic", 110.0)
        if (each.client, each.upstream) == ("gemini", "anthropic")
        else each
        for each in figures()
    ]
    rows = table(slow).splitlines()
    assert "| anthropic | 2 | 40 | 100 (1.00) | 100 (1.00) | 100 (1.00) | 100 (1.00) |" in rows
    assert "| gemini | 2 | 40 | 150 (1.50) | 100 (1.00) | 100 (1.00) | 100 (1.00) |" in rows


def test_events_are_told_by_dialect() -> None:
    """Decoding, skipping and encoding of one."""
    assert table(figures()).endswith("| gemini | 2.00 | 2.00 | 2.00 |")
