"""Numbers for what decides besides the parts of a request."""

from __future__ import annotations

from strowger.dialects import effects
from strowger.dialects.base import Capabilities
from strowger.dialects.effects import space


def test_a_number_never_stands_for_two() -> None:
    """Also when so many are known that they are forgotten."""
    caps = [Capabilities(max_tool_id=number) for number in range(effects._SPACES + 5)]
    first = [space("target", "origin", each) for each in caps]
    again = [space("target", "origin", each) for each in caps]
    assert len(set(first)) == len(caps)
    assert all(first[i] == number or number > max(first) for i, number in enumerate(again))
    assert space("target", "origin", caps[-1]) == again[-1]
    assert len({space("target", "other", caps[-1]), space("other", "origin", caps[-1]), again[-1]}) == 3
    assert len(effects._spaces) <= effects._SPACES
