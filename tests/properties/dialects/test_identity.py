"""Parse and render are inverse within a dialect: for any part of a rich request, with unknown members at any depth."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.dialects.base import NOWHERE
from strowger.errors import GatewayError
from strowger.ir.response import fold
from tests.conformance.identity import FAITHFUL, apart
from tests.conformance.lanes import DIALECTS, decoder_setup, encoder_setup, rendered
from tests.conformance.recordings import SPOKEN
from tests.properties.fuzz_requests import SPOTS
from tests.properties.request_seeds import SEEDS as REQUESTS
from tests.properties.seeds import SEEDS as ANSWERS

EACH = pytest.mark.parametrize("dialect", SPOKEN)
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1.5, "", "ü💡", [], {}, {"in": [{}, None]}, [["x"], {"type": "y"}]]
)
BODIES = {dialect: json.loads(next(s for s in ANSWERS[dialect] if s[:1] == b"{")) for dialect in SPOKEN}


@st.composite
def variations(draw: st.DrawFn, seed: dict[str, Any]) -> dict[str, Any]:
    """The seed without a few of the values in its lists, and with members that nobody knows in a few of its objects."""
    value = copy.deepcopy(seed)
    lists = [node for node in nodes(value) if isinstance(node, list) and len(node) > 1]
    for chosen in draw(st.sets(st.integers(0, len(lists) - 1), max_size=3)) if lists else ():
        del lists[chosen][draw(st.integers(0, len(lists[chosen]) - 1))]
    objects = [node for node in nodes(value) if isinstance(node, dict)]
    for chosen in draw(st.sets(st.integers(0, len(objects) - 1), max_size=4)):
        objects[chosen][draw(st.sampled_from(["x_unknown", "xÜ", "x_"]))] = draw(ODD)
    return value


def nodes(value: Any) -> list[Any]:
    """The value and everything in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value, *(node for one in inner for node in nodes(one))]


@EACH
@given(data=st.data())
def test_requests_come_back_as_they_were(dialect: str, data: st.DataObject) -> None:
    """Whatever is accepted comes back equal as JSON, or what is not is named (a choice of a tool that is not there)."""
    body = data.draw(variations(REQUESTS[dialect]))
    try:
        request = DIALECTS[dialect].client.parse_request(json.dumps(body).encode(), SPOTS.get(dialect, NOWHERE))
    except GatewayError:
        return
    again = rendered(request, dialect, FAITHFUL[dialect])
    assert again.losses or apart(body, json.loads(again.body)) == []


@EACH
def test_requests_come_back_whole(dialect: str) -> None:
    """The seed itself is accepted, so that the law above is not empty."""
    body = json.dumps(REQUESTS[dialect]).encode()
    request = DIALECTS[dialect].client.parse_request(body, SPOTS.get(dialect, NOWHERE))
    again = rendered(request, dialect, FAITHFUL[dialect])
    assert apart(REQUESTS[dialect], json.loads(again.body)) == []
    assert again.losses == ()


@EACH
@given(data=st.data())
def test_answers_come_back_as_they_were(dialect: str, data: st.DataObject) -> None:
    """A body that is decoded, folded and rendered comes back with every member that nobody knows."""
    body = data.draw(variations(BODIES[dialect]))
    response = fold(DIALECTS[dialect].upstream.decode_response(json.dumps(body).encode(), decoder_setup()))
    again, losses = DIALECTS[dialect].client.render_response(response, encoder_setup())
    assert apart(body, json.loads(again)) == []
    assert losses == []
