"""What one part of a run came to: counts for the report, and what failed, by recording."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from strowger.dialects.base import Loss

WHOLE = "nothing lost"
"""The column that counts recordings without a loss that matters."""
_INDEX = re.compile(r"\[-?\d+\]")


class Outcome(Struct):
    """`counts` are the columns of the report, in order; `excluded` counts the reasons for leaving recordings out, and
    `refused` those with which the gateway itself says no.
    """

    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    excluded: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    losses: Counter[tuple[str, str]] = field(default_factory=Counter)

    def count(self, column: str, hit: bool = True) -> None:
        """Add to a column; without a hit the column is merely there."""
        self.counts[column] = self.counts.get(column, 0) + (1 if hit else 0)

    def check(self, column: str, name: str, wrong: Iterable[str]) -> bool:
        """Count a recording under a column if nothing is wrong with it, else remember what is."""
        wrongs = list(wrong)
        self.count(column, not wrongs)
        self.failures += [f"{name}: {column}: {one}" for one in wrongs]
        return not wrongs

    def lose(self, losses: Iterable[Loss]) -> None:
        """Count the kinds of losses of one recording, each kind once, and whether any matters."""
        kinds = {(loss.severity, f"{_INDEX.sub('[]', loss.path)}: {loss.reason}") for loss in losses}
        self.losses.update(kinds)
        self.count(WHOLE, all(severity == "info" for severity, _ in kinds))

    def told(self, most: int = 40) -> str:
        """The failures, for an assertion."""
        shown = self.failures[:most]
        more = len(self.failures) - len(shown)
        return "\n".join([f"{len(self.failures)} failures", *shown, *([f"and {more} more"] if more else [])])
