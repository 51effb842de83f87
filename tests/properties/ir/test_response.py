"""A stream and a whole answer are two views of one thing, for every walk through the table of legal events."""

from __future__ import annotations

import pytest
from hypothesis import given

from strowger.ir.events import Checker, Event, Failure
from strowger.ir.response import IncompleteError, fold, unfold
from tests.properties.strategies import event_streams


@given(event_streams())
def test_every_legal_stream_folds(events: list[Event]) -> None:
    """A stream that ends well folds into an answer that unfolds into its like; one that fails gives its failure."""
    checker = Checker()
    for event in events:
        checker.check(event)
    assert checker.state == "ended"
    if isinstance(events[-1], Failure):
        with pytest.raises(IncompleteError) as caught:
            fold(events)
        assert caught.value.failure == events[-1]
    else:
        response = fold(events)
        assert fold(unfold(response)) == response
