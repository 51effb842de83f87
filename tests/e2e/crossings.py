"""Which client went to which vendor: what a test notes for the table of docs/reference/clients.md.

A crossing is noted where it begins, so a test that fails leaves a hole in the table; lanes and losses are those of the
flows that the gateway recorded meanwhile.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import msgspec
import pytest
from _pytest.mark import ParameterSet
from msgspec import Struct

from tests.e2e.exchange import Exchange

PROPERTY = "crossing"
# The providers of the exchange, by the dialect that they speak: the columns of the table.
SPOKEN = {
    "cloud": "anthropic",
    "gpt": "openai_chat",
    "deep": "openai_chat",
    "kimi": "openai_chat",
    "resp": "openai_responses",
    "codexb": "openai_responses",
    "gem": "gemini",
}
# With $STROWGER_E2E_TAIL every client goes to every vendor; without it each goes where something is special about it.
TAIL = "STROWGER_E2E_TAIL"
IN_TAIL = pytest.mark.skipif(TAIL not in os.environ, reason=f"part of the long tail, which runs with {TAIL}=1")
_INDEX = re.compile(r"\[\d+\]")


def tail(*cases: tuple[object, ...]) -> list[ParameterSet]:
    """Parameters of tests that run only when the whole table is wanted."""
    return [pytest.param(*case, marks=IN_TAIL) for case in cases]


class Crossing(Struct, frozen=True):
    """A tool loop of a client through the gateway. `how`: what the client speaks, or which way it was set up."""

    client: str
    how: str
    provider: str
    lanes: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()


class Noted:
    """Takes a test's crossing; the test calls it before it starts the client."""

    def __init__(self) -> None:
        self.crossing: Crossing | None = None

    def __call__(self, client: str, how: str, provider: str) -> None:
        self.crossing = Crossing(client, how, provider)


@pytest.fixture
def crosses(request: pytest.FixtureRequest, exchange: Exchange) -> Iterator[Noted]:
    """Notes for the table which crossing a test shows."""
    noted = Noted()
    yield noted
    if noted.crossing is None:
        return
    flows = [flow for flow in exchange.flows() if flow["lane"]]
    found = {
        f"{_INDEX.sub('[]', loss['path'])}: {_INDEX.sub('[]', loss['reason'])}"
        for flow in flows
        for loss in flow["losses"]
        if loss["severity"] != "info"
    }
    lanes = {str(flow["lane"]) for flow in flows}
    whole = msgspec.structs.replace(noted.crossing, lanes=tuple(sorted(lanes)), losses=tuple(sorted(found)))
    request.node.user_properties.append((PROPERTY, msgspec.json.encode(whole).decode()))
