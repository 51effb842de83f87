"""Counters, histograms, and the bound on their labels."""

from __future__ import annotations

import pytest

from strowger.telemetry import tallies
from strowger.telemetry.tallies import OTHER, Counter, Family, Histogram, Places


def test_the_first_values_have_places_of_their_own() -> None:
    """All others share one; none at all is a value of its own."""
    places = Places(2)
    assert [places.of(value) for value in ("a", "b", "c", "", "a", OTHER)] == ["a", "b", OTHER, "", "a", OTHER]


def test_what_clients_make_up_takes_half_of_the_places() -> None:
    """Whoever asks for a thousand models that nobody has must not hide those that there are."""
    places = Places(4)
    assert [places.of(str(number), doubtful=True) for number in range(4)] == ["0", "1", OTHER, OTHER]
    assert [places.of(name) for name in ("x", "y", "z")] == ["x", "y", OTHER]
    assert places.of("x", doubtful=True) == "x"


def test_a_label_is_a_short_line() -> None:
    """Values come from clients."""
    label = Places(5).of("a\nb" + "x" * 1000)
    assert label.startswith("a\N{REPLACEMENT CHARACTER}bxxx")
    assert len(label) <= 120


def test_an_observation_is_in_one_bucket() -> None:
    """The bounds are inclusive, as Prometheus has them."""
    cell = Histogram(Family("h", "histogram", ("x",), "", (1.0, 2.0))).at(("a",))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        cell.observe(value)
    assert (cell.counts, cell.sum) == ([2, 2, 1], 14.0)


def test_a_copy_stays_as_it_was() -> None:
    """Who writes it down has all the time in the world."""
    cell = Histogram(Family("h", "histogram", ("x",), "", (1.0,))).at(("a",))
    cell.observe(0.5, "0af7651916cd43dd8448eb211c80319c")
    copy = cell.copy()
    cell.observe(5.0, "another")
    assert (copy.counts, copy.sum, list(copy.exemplars)) == ([1, 0], 0.5, [0])
    assert cell.exemplars[1].value == 5.0


@pytest.mark.parametrize("kind", [Counter, Histogram])
def test_labels_cannot_multiply_without_end(kind: type[Counter | Histogram], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each label is bounded, and so is what they make together."""
    monkeypatch.setattr(tallies, "MOST_SERIES", 3)
    tally = kind(Family("c", "counter", ("x", "y"), "", (1.0,)))
    for number in range(100):
        tally.at((str(number), "y"))
    assert set(tally.cells) == {("0", "y"), ("1", "y"), ("2", "y"), (OTHER, OTHER)}


def test_counting() -> None:
    """A cell is the same number for everybody who holds it."""
    counter = Counter(Family("c", "counter", ("x",), ""))
    cell = counter.at(("a",))
    cell[0] += 2
    counter.add(("a",), 0.5)
    assert counter.cells == {("a",): [2.5]}
