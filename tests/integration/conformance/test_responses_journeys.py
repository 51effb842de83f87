"""Conversations that change the vendor with every turn, by the id of the answer before: nothing that one vendor signed
reaches another, and what comes home is taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import permutations
from typing import Any

import aiohttp
import pytest

from tests.fakes.script import Call, Reply, Say, Think
from tests.integration.conformance.responses_calls import WAYS, call, ended, socket, turn
from tests.integration.conformance.vendors import DIALECTS, THINKS, behind_all, provider_of
from tests.integration.gateway.rig import Rig

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

LOOK = {
    "type": "function",
    "name": "look",
    "parameters": {"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("way", WAYS)
async def test_every_three_vendors_and_home(way: str) -> None:
    """Each turn thinks, speaks and calls a tool; the next vendor gets the result. All vendors check what is signed."""
    async with behind_all() as (rig, fakes):
        for journey in permutations(DIALECTS, 3):
            async with connection(rig, way) as opened:
                previous: Json = {}
                items: list[Json] = [{"role": "user", "content": "Begin."}]
                for number, dialect in enumerate((*journey, journey[0])):
                    thought = Think(f"thought {number} of {dialect}")
                    fakes[dialect].script(Reply(parts=(thought, Say("So."), Call("look", {"at": str(number)}))))
                    body = {
                        "model": f"{provider_of(dialect)}:{THINKS[dialect]}",
                        "input": items,
                        "tools": [LOOK],
                        "reasoning": {"effort": "low", "summary": "auto"},
                        "store": way != "socket",
                        **previous,
                    }
                    answer = await call(rig, way, body) if opened is None else ended(await turn(opened, body))
                    (made,) = [item for item in answer["output"] if item["type"] == "function_call"]
                    result = {"type": "function_call_output", "call_id": made["call_id"], "output": f"seen {number}"}
                    items = [result, {"role": "user", "content": f"On to {number + 1}."}]
                    previous = {"previous_response_id": answer["id"]}
                last = fakes[journey[0]].inferences()[-1].raw.decode()
                if way == "socket" or journey[0] != "openai_responses":
                    assert all(f"seen {number}" in last for number in range(3))
        assert "internal error" not in rig.log.getvalue()


@asynccontextmanager
async def connection(rig: Rig, way: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse | None]:
    """One connection for a whole journey over a WebSocket, none for the others."""
    if way != "socket":
        yield None
        return
    async with socket(rig) as opened:
        yield opened
