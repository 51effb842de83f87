"""Spans of a running gateway."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from aiohttp import web
from msgspec.structs import replace

from strowger.config.references import parse_reference
from strowger.config.schema import Config, Metrics, Tracing
from strowger.errors import ConfigError
from strowger.gateway.exporting import PROPAGATE, exporting, launch_env, places
from strowger.providers.base import build_providers
from strowger.telemetry.logs import Log
from tests.fakes.otlp import CLIENT, attributes, collecting
from tests.integration.gateway.rig import KEY, config, gateway, provider, upstream
from tests.integration.gateway.test_scraping import ANSWER, ASKED, TRACE, figures

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway is written for."""
    return "asyncio"


def traced(built: Config, url: str, **more: Any) -> Config:
    headers = {"authorization": parse_reference("env:UPSTREAM_KEY")}
    return replace(built, tracing=Tracing(otlp=True, endpoint=url, headers=headers, **more), metrics=Metrics(open=True))


@pytest.mark.anyio
@pytest.mark.parametrize("content", [False, True])
async def test_a_call_is_in_the_trace_of_its_client(content: bool) -> None:
    """From its arrival to the host that answered; what was said only for who asks for it, and no credential ever."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response(ANSWER)

    with collecting() as collector:
        async with upstream(answer) as url:
            built = traced(config({"vendor": provider("anthropic", url)}), collector.url, content=content)
            async with gateway(built) as rig:
                asked = {**ASKED, "messages": [{"role": "user", "content": f"my key is {KEY}"}]}
                status, _, _ = await rig.post("/v1/messages", asked, traceparent=TRACE)
                assert status == 200
                await rig.post("/v1/messages", ASKED)
                traces = {
                    each.exemplar.labels["trace_id"]
                    for each in (await figures(rig))["strowger_request_duration_seconds"].samples
                    if each.exemplar
                }
            # the end of the gateway has sent what there was
        assert collector.wrong == []
        assert {each["authorization"] for each in collector.headers} == {KEY}
        spans = [span for span in collector.spans if span.trace_id.hex() == TRACE.split("-")[1]]
        others = {span.trace_id.hex() for span in collector.spans} - {TRACE.split("-")[1]}
    told = next(attributes(span) for span in spans if span.kind == CLIENT)
    assert len(spans) == 2
    assert (told["gen_ai.response.model"], told["server.address"]) == ("claude-real", "127.0.0.1")
    assert told["gen_ai.usage.input_tokens"] == 100
    assert told.get("gen_ai.request.max_tokens") == (10 if content else None), "only what is taped is looked at"
    assert ("gen_ai.input.messages" in told) == ("gen_ai.output.messages" in told) == content
    assert KEY not in str(spans)
    assert len(others) == 1, "a call of no trace begins one"
    assert traces <= others | {TRACE.split("-")[1]}


@pytest.mark.anyio
async def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is asked of it where nobody wants spans."""
    monkeypatch.delitem(sys.modules, "strowger.telemetry.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)
    async with exporting(Config(), {}, Log(stream=None), {}) as nothing:
        assert nothing is None
    with pytest.raises(ConfigError) as raised:
        async with exporting(Config(tracing=Tracing(otlp=True)), {}, Log(stream=None), {}):
            pytest.fail("it has what it needs")
    assert raised.value.hint == "pip install 'strowger[otel]'"


def test_a_gateway_starts_without_what_few_need() -> None:
    """The libraries for spans and for figures are imported when they are needed: they take longer than all the rest."""
    script = (
        "import sys, strowger.cli.serve\n"
        "print({'opentelemetry', 'prometheus_client', 'textual', 'rich', 'jq', 'aiohttp'} & sys.modules.keys())"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout == "set()\n"


def test_clients_say_which_trace_they_are_in() -> None:
    """Claude Code does so where it is told to; what the user says goes first."""
    assert PROPAGATE not in launch_env(Config())
    on = Config(tracing=Tracing(otlp=True))
    assert launch_env(on) == {PROPAGATE: "1"}
    assert launch_env(replace(on, launch=replace(on.launch, env={PROPAGATE: "0"}))) == {PROPAGATE: "0"}


def test_where_a_provider_is() -> None:
    """As long as it has that address."""
    providers = build_providers(
        config({"mine": provider("anthropic", "http://127.0.0.1:5/x")}), env={"UPSTREAM_KEY": "k"}
    )
    place = places(lambda: providers)
    found = place("mine")
    assert found is not None
    assert (found.provider, found.host, found.port) == ("mine", "127.0.0.1", 5)
    assert place("mine") is found
    assert place("gone") is None
