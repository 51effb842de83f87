"""The figures of a running gateway."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from strowger.config.references import parse_reference
from strowger.config.schema import Metrics
from strowger.launcher.host import hosted, quiet_log
from strowger.launcher.setup import demo_setup, ephemeral
from tests.integration.gateway.rig import Rig, config, gateway, provider, upstream

TOKEN = "client-token-5a1c"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ANSWER: dict[str, Any] = {
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-real", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "hi"}],
    "usage": {"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 90},
}  # fmt: skip
ASKED = {"model": "claude-x", "max_tokens": 10, "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway is written for."""
    return "asyncio"


async def answer(_: web.Request) -> web.Response:
    return web.json_response(ANSWER)


async def figures(rig: Rig, path: str = "/metrics", **headers: str) -> dict[str, Metric]:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    async with rig.session.get(rig.url + path, headers={**accept, **headers}) as response:
        text = await response.text()
        assert response.status == 200, text
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    return {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]


def value(family: Metric, **labels: str) -> float:
    found = [each.value for each in family.samples if labels.items() <= each.labels.items()]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.anyio
async def test_a_call_is_in_the_figures() -> None:
    """Who asked, who answered, what it used, how long it took, and the trace that it was made in."""
    async with upstream(answer) as url:
        built = replace(config({"vendor": provider("anthropic", url)}), metrics=Metrics(open=True))
        async with gateway(built) as rig:
            status, _, _ = await rig.post("/v1/messages", ASKED, traceparent=TRACE)
            assert status == 200
            found = await figures(rig)
            assert (await figures(rig, "/_strowger/metrics")).keys() == found.keys()
    requests = found["strowger_requests"]
    assert value(requests, provider="vendor", model="claude-real", status_class="2xx", error_type="") == 1
    tokens = found["strowger_tokens"]
    assert [value(tokens, type=kind) for kind in ("input", "cache_read", "output")] == [10, 90, 4]
    assert value(found["strowger_in_flight"], stage="answering") == 0
    assert value(found["strowger_breaker_state"], provider="vendor", state="closed") == 1
    traces = {
        each.exemplar.labels["trace_id"] for each in found["strowger_request_duration_seconds"].samples if each.exemplar
    }
    assert traces == {TRACE.split("-")[1]}
    assert value(found["strowger_gateway_overhead_seconds"], le="+Inf") == 1
    assert value(found["strowger_observer_queue_depth"], observer="feed") == 0


@pytest.mark.anyio
async def test_figures_are_for_who_has_a_token() -> None:
    """The client's or the admin's, unless they are open; the token of a launch is for calls."""
    token = parse_reference("env:UPSTREAM_KEY")
    async with gateway(config({"vendor": provider("anthropic", "http://127.0.0.1:1")}, client_token=token)) as rig:
        for right in ("upstream-key-7f3a", rig.gateway.access.admin_token):
            assert await figures(rig, Authorization=f"Bearer {right}")
        launch = rig.gateway.access.open_launch("x", 1)
        for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {launch.token}"}):
            async with rig.session.get(f"{rig.url}/metrics", headers=wrong) as response:
                assert response.status == 403
                assert "metrics.open" in await response.text()


@pytest.mark.anyio
async def test_figures_may_be_off() -> None:
    """Then nothing is counted, and the path leads nowhere."""
    built = replace(
        config({"vendor": provider("anthropic", "http://127.0.0.1:1")}), metrics=Metrics(enabled=False, open=True)
    )
    async with gateway(built) as rig, rig.session.get(f"{rig.url}/metrics") as response:
        assert response.status == 404


@pytest.mark.anyio
async def test_figures_on_a_port_of_their_own(tmp_path: Path) -> None:
    """Without a token, and nothing else is there; web pages have no way in."""
    env = MappingProxyType({"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)})
    setup = ephemeral(demo_setup())
    setup = replace(setup, config=replace(setup.config, metrics=Metrics(port=0)))
    async with hosted(setup, env=env, kind="serve", log=quiet_log(setup.config, env)):
        lines = (tmp_path / "strowger" / "gateway.log").read_bytes().splitlines()
        told = next(line for line in map(msgspec.json.decode, lines) if line["event"] == "metrics")
        async with aiohttp.ClientSession() as session:
            async with session.get(told["url"]) as response:
                assert response.status == 200
                assert "strowger_build_info" in await response.text()
            for path, headers, status in (
                ("/v1/models", {}, 404),
                ("/metrics", {"Origin": "http://evil.example"}, 403),
            ):
                async with session.get(told["url"].replace("/metrics", path), headers=headers) as response:
                    assert response.status == status
