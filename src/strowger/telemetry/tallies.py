"""Counting that costs next to nothing: counters and histograms by labels, a bound on how many there can be.

Pure data; who shows it reads `cells`. Not for several threads at once. Must not know what is counted.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import Literal

from msgspec import Struct

OTHER = "other"
"""Stands for all values beyond those that have a place of their own."""

MOST_SERIES = 2000
"""Of one family: label values that are bounded each could still multiply."""

_LONGEST = 120

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "histogram"]


class Family(Struct, frozen=True):
    """A metric: its name without prefix, its labels, and what it tells. `bounds` are those of a histogram's buckets."""

    name: str
    kind: Kind
    labels: Labels
    help: str
    bounds: tuple[float, ...] = ()


class Places:
    """The values of a label that have a place of their own: the first `limit` that come. All others are `other`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._known: dict[str, str] = {"": "", OTHER: OTHER}

    def of(self, value: str, *, doubtful: bool = False) -> str:
        """The label of a value. One that is `doubtful` (a client may have made it up) can take half of the places."""
        found = self._known.get(value)
        if found is not None:
            return found
        if len(self._known) - 2 >= (self._limit // 2 if doubtful else self._limit):
            return OTHER
        label = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in value[:_LONGEST])
        self._known[value] = label
        return label


class Exemplar(Struct, frozen=True, gc=False):
    """One observation that stands for its bucket: the trace that it was made in, and when (Unix time)."""

    trace: str
    value: float
    at: float


class Observed:
    """One series of a histogram."""

    __slots__ = ("bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, trace: str = "") -> None:
        """One more observation; `trace` is the id of a trace that somebody may look up."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.sum += value
        if trace:
            self.exemplars[bucket] = Exemplar(trace, value, time.time())

    def copy(self) -> Observed:
        """As it is now."""
        made = Observed(self.bounds)
        made.counts, made.sum, made.exemplars = self.counts.copy(), self.sum, self.exemplars.copy()
        return made


class Histogram:
    """A histogram by labels."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.cells: dict[Labels, Observed] = {}

    def at(self, labels: Labels) -> Observed:
        """The series of some labels."""
        cell = self.cells.get(labels)
        if cell is None:
            if len(self.cells) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            cell = self.cells.setdefault(labels, Observed(self.family.bounds))
        return cell


class Counter:
    """A counter by labels. A cell is a list of one number, which whoever counts may hold on to."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.cells: dict[Labels, list[float]] = {}

    def at(self, labels: Labels) -> list[float]:
        """The cell of some labels."""
        cell = self.cells.get(labels)
        if cell is None:
            if len(self.cells) >= MOST_SERIES:
                labels = (OTHER,) * len(labels)
            cell = self.cells.setdefault(labels, [0.0])
        return cell

    def add(self, labels: Labels, amount: float = 1.0) -> None:
        """Count."""
        self.at(labels)[0] += amount
