"""A gateway that records for long: what it holds in memory and on disk does not grow with the calls."""

from __future__ import annotations

import gc
import random
import tracemalloc
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from strowger.config.schema import Flows
from strowger.dialects.anthropic import passing, request
from strowger.flows import writer
from strowger.telemetry import redaction
from tests.integration.gateway.rig import ANTHROPIC_HELLO, Rig, anthropic_request, config, gateway, provider, upstream

pytestmark = pytest.mark.anyio

MB = 1024 * 1024
# Calls until everything that is bounded is full, and calls in which it must stay so.
FULL, MORE = 150, 250
SESSIONS = 20


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


async def answer(asked: web.Request) -> web.Response:
    """Hello."""
    await asked.read()
    return web.Response(body=ANTHROPIC_HELLO, content_type="text/event-stream")


async def held(rig: Rig, numbers: range, folder: Path) -> tuple[int, int]:
    """Bytes in memory and on disk after these calls, each with much that is new."""
    for number in numbers:
        said = random.Random(number).randbytes(6000).hex()
        asked = anthropic_request(stream=True, messages=[{"role": "user", "content": said}])
        status, _, _ = await rig.post("/v1/messages", asked, x_claude_code_session_id=f"session-{number % SESSIONS}")
        assert status == 200
    headers = {"authorization": f"Bearer {rig.gateway.access.admin_token}"}
    with anyio.fail_after(60):
        while True:
            async with rig.session.get(f"{rig.url}/_strowger/store", headers=headers) as told:
                store = await told.json()
            if not store["waiting"] and store["written"] == numbers.stop:
                break
            await anyio.sleep(0.05)
    assert (store["bodies_dropped"], store["flows_dropped"], store["problem"]) == (0, 0, None)
    rig.log.truncate(0)
    rig.log.seek(0)
    gc.collect()
    return tracemalloc.get_traced_memory()[0], sum(file.stat().st_size for file in _files(folder))


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_nothing_grows_with_the_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither memory nor the store, which is allowed one megabyte."""
    monkeypatch.setattr(writer, "_BASES_BYTES", MB)  # it is full the sooner, and so is what remembers bodies
    for remembers in (request._GROWING, request._messages.lately, request._blocks_lately, passing._look_lately):
        monkeypatch.setattr(remembers.memory, "room", MB)
    monkeypatch.setattr(redaction, "_MOST_REMEMBERED", 64)
    folder = tmp_path / "store"
    flows = Flows(file=str(folder / "flows.db"), keep=20, max_mb=1)
    async with upstream(answer) as url:
        async with gateway(config({"up": provider("anthropic", url)}, flows=flows)) as rig:
            tracemalloc.start()
            try:
                full, _ = await held(rig, range(FULL), folder)
                after, on_disk = await held(rig, range(FULL, FULL + MORE), folder)
            finally:
                tracemalloc.stop()
    assert after - full < MORE * 300, "less than the smallest record of each call would take"
    assert on_disk < 6 * MB, "the file, and the side file that SQLite lets grow"
