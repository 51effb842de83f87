"""What the log says besides calls, for who wants to know."""

from __future__ import annotations

import io
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from strowger.client import Admin
from strowger.config.schema import LogArea, LogLevel
from strowger.gateway.app import build
from strowger.gateway.server import bind, serve
from strowger.telemetry.logs import Log
from tests.integration.gateway.rig import ENV, KEY, config, provider, upstream
from tests.integration.gateway.test_scraping import ANSWER, ASKED


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway is written for."""
    return "asyncio"


class Limited:
    """An upstream that is busy at first."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, _: web.Request) -> web.Response:
        self.asked += 1
        if self.asked == 1:
            return web.json_response(
                {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}, status=529
            )
        limits = {"anthropic-ratelimit-requests-limit": "50", "anthropic-ratelimit-requests-remaining": "49"}
        return web.json_response(ANSWER, headers={**limits, "anthropic-ratelimit-unified-5h-utilization": "0.25"})


async def told(level: str, areas: dict[LogArea, LogLevel]) -> list[dict[str, Any]]:
    """The lines of two calls, of which the first has to be tried twice, of a launch, and of what was refused."""
    stream = io.StringIO()
    async with upstream(Limited()) as url:
        built = config({"vendor": provider("anthropic", url)})
        log = Log(level=level, stream=stream, areas=areas)
        async with (
            build(built, env=ENV, log=log) as gateway,
            serve(
                gateway, bind("127.0.0.1", 0, external=False), max_body=2**20, max_header=2**16, grace=0.5
            ) as running,
            aiohttp.ClientSession(running.url) as session,
            Admin(running.url, gateway.access.admin_token) as admin,
        ):
            for _ in range(2):
                async with session.post("/v1/messages", json=ASKED) as answer:
                    assert answer.status == 200
            async with session.get("/nowhere?key=planted-0123456789abcdef") as answer:
                assert answer.status == 404
            launch = await admin.open_launch("client", 1)
            await admin.close_launch(launch.id)
    # with the end of the server, all calls are over
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


@pytest.mark.anyio
async def test_every_area_has_something_to_tell() -> None:
    """Tries with what came of them, connections, limits, launches, refusals; never a credential."""
    lines = await told("debug", {})
    by_event: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_event.setdefault(line["event"], []).append(line)
    tries = [(line["target"], line["status"], line["reason"]) for line in by_event["attempt"]]
    assert tries == [
        ("vendor:claude-x", 529, "overloaded"),
        ("vendor:claude-x", 200, None),
        ("vendor:claude-x", 200, None),
    ]
    flows = {line["id"] for line in by_event["call"]}
    assert {line["flow"] for line in by_event["attempt"]} == {line["flow"] for line in by_event["opened"]} == flows
    assert [line["what"] for line in by_event["connection"]][:3] == ["opened", "used again", "used again"]
    assert by_event["limits"][0]["provider"] == "vendor"
    assert [line["what"] for line in by_event["launch"]] == ["opened", "closed"]
    assert [(line["path"], line["kind"]) for line in by_event["refused"]] == [("/nowhere", "not_found")]
    assert KEY not in str(lines)
    assert "planted" not in str(lines)


@pytest.mark.anyio
async def test_an_area_may_be_told_of_alone() -> None:
    """What is asked for, and nothing else."""
    lines = await told("error", {"upstream": "debug"})
    assert {line["event"] for line in lines} == {"attempt", "connection", "limits"}
    assert {line["area"] for line in lines} == {"upstream"}


@pytest.mark.anyio
async def test_others_read_of_calls_alone() -> None:
    """Which is what nearly everybody wants."""
    assert {line["event"] for line in await told("info", {})} == {"call"}
