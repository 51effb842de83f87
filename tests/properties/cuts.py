"""Cutting bytes into pieces, as networks do."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st


def cuts() -> st.SearchStrategy[list[int]]:
    """Places to cut at, as shares of the whole in thousandths."""
    return st.lists(st.integers(0, 1000), max_size=12)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The pieces between the places; some may be empty."""
    ends = [0, *sorted(len(data) * place // 1000 for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]
