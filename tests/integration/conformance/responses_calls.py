"""The three ways to make a call in the Responses dialect: whole, as a stream of events, and over a WebSocket.

Each gives the response object in which the call ended, after the oracle has looked at everything that came.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import msgspec

from tests.integration.conformance.responses_oracle import TERMINAL, answer_faults, events_of, stream_faults
from tests.integration.gateway.rig import Rig

Json = dict[str, Any]
WAYS = ("whole", "stream", "socket")


async def call(rig: Rig, way: str, body: Json) -> Json:
    """One call that succeeds, without a fault."""
    if way == "socket":
        async with socket(rig) as opened:
            return ended(await turn(opened, body))
    status, _, raw = await rig.post("/v1/responses", {**body, "stream": way == "stream"})
    assert status == 200, raw
    if way == "stream":
        return ended(events_of(raw))
    answer: Json = json.loads(raw)
    faults = answer_faults(answer)
    assert not faults, faults
    return answer


def ended(events: list[Json]) -> Json:
    """The response object of the last event of a stream without a fault."""
    assert events[-1]["type"] != "error", events[-1]
    faults = stream_faults(events)
    assert not faults, faults
    last: Json = events[-1]["response"]
    return last


@asynccontextmanager
async def socket(rig: Rig, **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection as Codex makes it."""
    headers = {"openai-beta": "responses_websockets=2026-02-06"}
    async with rig.session.ws_connect(f"{rig.url}/v1/responses", headers=headers, **options) as opened:
        yield opened


async def turn(opened: aiohttp.ClientWebSocketResponse, body: Json) -> list[Json]:
    """One `response.create` and its events, up to the last."""
    await opened.send_str(msgspec.json.encode({"type": "response.create", **body}).decode())
    return await heard(opened)


async def heard(opened: aiohttp.ClientWebSocketResponse) -> list[Json]:
    """The events of the answer that is under way, up to the last."""
    events: list[Json] = []
    with anyio.fail_after(30):
        while not events or events[-1]["type"] not in TERMINAL | {"error"}:
            events.append(json.loads(await opened.receive_str()))
    return events


def text_of(response: Json) -> str:
    """What an answer says."""
    messages = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part.get("text", "") for item in messages for part in item["content"])


def kinds_of(response: Json) -> list[str]:
    """The types of its items."""
    return [item["type"] for item in response["output"]]
