"""Spans and metrics of calls, as a collector gets them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

from strowger.dialects.openai_chat import DIALECT as CHAT
from strowger.flows.flow import Attempt, Flow
from strowger.flows.tape import Tape
from strowger.ir.events import Finish, StopReason, Usage
from strowger.telemetry.genai import place_of
from strowger.telemetry.tracing import Tracing
from tests.fakes.otlp import CLIENT, ERROR, SERVER, Collector, attributes, collecting, figures

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SECRET = "planted-secret-0123456789"


@contextmanager
def tracing(collector: Collector, **more: Any) -> Iterator[Tracing]:
    made = Tracing(endpoint=collector.url, version="1.2.3", tell=collector.wrong.append, **more)
    made.places = lambda name: place_of(name, "openai_chat", f"https://api.{name}.com/v1")
    try:
        yield made
    finally:
        made.close()


def call(**members: Any) -> Flow:
    fixed: dict[str, Any] = {
        "id": "flow_1", "started": 1_700_000_000.0, "clock": 0.0, "method": "POST", "path": "/v1/chat/completions",
        "dialect": "openai_chat", "agent": "claude-cli/2", "session": "session-1", "model": "quick", "provider": "groq",
        "upstream_model": "gpt-oss", "upstream_dialect": "openai_chat", "response_model": "gpt-oss-120b",
        "outcome": "ok", "status": 200, "stream": True, "lane": "verbatim",
        "sent": 0.1, "first_byte": 1.5, "duration": 3.5, "events": 21,
        "finish": Finish(StopReason.END, "stop"),
        "usage": Usage(input=1000, output=300, cache_read=700, cache_write=100, reasoning=200),
        "attempts": [
            Attempt("deepseek:v4", "translate", 503, "no room", 0.25, reason="overloaded", begun=0.125),
            Attempt("groq:gpt-oss", "verbatim", 200, None, 1.0, begun=0.5),
        ],
    }  # fmt: skip
    return Flow(**{**fixed, **members})


def sent(made: Tracing, *calls: Flow) -> None:
    for each in calls:
        made.began(each)
        made.opened(each)
        made.finished(each)
    assert made.flush()


def test_a_call_is_a_span_with_one_for_each_try() -> None:
    """In the trace of the client, with the times that the call had; a try in vain says why."""
    with collecting() as collector, tracing(collector) as made:
        sent(made, call(trace=TRACE))
        server = collector.span("POST /v1/chat/completions")
        tried, answered = collector.span("chat v4"), collector.span("chat gpt-oss")
        assert collector.wrong == []
    _, trace, parent, _ = TRACE.split("-")
    assert (server.trace_id.hex(), server.parent_span_id.hex(), server.kind) == (trace, parent, SERVER)
    for client in (tried, answered):
        assert (client.trace_id, client.parent_span_id, client.kind) == (server.trace_id, server.span_id, CLIENT)
    begun = server.start_time_unix_nano
    assert begun == 1_700_000_000_000_000_000
    spans = [
        ((one.start_time_unix_nano - begun) / 1e9, (one.end_time_unix_nano - begun) / 1e9) for one in (tried, answered)
    ]
    assert spans == [(0.125, 0.375), (0.5, 3.5)]
    assert (tried.status.code, tried.status.message) == (ERROR, "no room")
    assert attributes(tried) == {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "deepseek", "gen_ai.request.model": "v4",
        "gen_ai.request.stream": True, "gen_ai.conversation.id": "session-1", "server.address": "api.deepseek.com",
        "server.port": 443, "strowger.provider": "deepseek", "error.type": "overloaded",
        "http.response.status_code": 503,
    }  # fmt: skip
    told = attributes(answered)
    assert (answered.status.code, told["gen_ai.provider.name"], told["gen_ai.response.model"]) == (
        0,
        "groq",
        "gpt-oss-120b",
    )
    assert {name.removeprefix("gen_ai.usage."): value for name, value in told.items() if "usage" in name} == {
        "input_tokens": 1000, "output_tokens": 300, "cache_read.input_tokens": 700,
        "cache_creation.input_tokens": 100, "reasoning.output_tokens": 200,
    }  # fmt: skip
    assert told["gen_ai.response.finish_reasons"] == ["stop"]
    assert told["gen_ai.response.time_to_first_chunk"] == 1.0
    assert attributes(server)["http.response.status_code"] == 200


def test_metrics_are_those_of_a_client() -> None:
    """Duration of each try, tokens and chunks of what was answered; no session is in them."""
    with collecting() as collector, tracing(collector) as made:
        sent(made, call())
        assert collector.wrong == []
        found = {name: list(figures(metric)) for name, metric in collector.metrics.items()}
    assert found.keys() == {
        "gen_ai.client.token.usage", "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk", "gen_ai.client.operation.time_per_output_chunk",
    }  # fmt: skip
    usage = {told["gen_ai.token.type"]: total for told, _, total in found["gen_ai.client.token.usage"]}
    assert usage == {"input": 1000, "output": 300}
    durations = {told.get("error.type"): total for told, _, total in found["gen_ai.client.operation.duration"]}
    assert durations == {"overloaded": 0.25, None: 3.0}
    assert [total for _, _, total in found["gen_ai.client.operation.time_per_output_chunk"]] == [pytest.approx(0.1)]
    assert "session-1" not in str(found)


def test_a_call_of_no_trace_begins_one() -> None:
    """Which the call knows from its beginning, so that figures and lines can say it."""
    with collecting() as collector, tracing(collector) as made:
        one, two = call(id="a"), call(id="b", trace="nonsense")
        sent(made, one, two)
        assert collector.wrong == []
        spans = [span for span in collector.spans if span.kind == SERVER]
    assert {(span.trace_id.hex(), span.span_id.hex()) for span in spans} == {
        tuple(each.trace.split("-")[1:3]) for each in (one, two)
    }
    assert [span.parent_span_id for span in spans] == [b"", b""]
    assert one.trace != two.trace


def test_a_trace_that_is_not_sampled_is_not_sent() -> None:
    """The client has decided."""
    with collecting() as collector, tracing(collector) as made:
        sent(made, call(trace=TRACE[:-2] + "00"), call(trace=TRACE, path="/v1/sent"))
        assert {span.trace_id.hex() for span in collector.spans} == {TRACE.split("-")[1]}
        assert collector.span("POST /v1/sent")
        assert len(collector.spans) == 3


@pytest.mark.parametrize(
    "members, on_server, on_client",
    [
        ({"outcome": "failed", "error_kind": "upstream", "error": "cut"}, ERROR, ERROR),
        ({"outcome": "failed", "status": 502, "error_kind": "upstream", "provider": ""}, ERROR, None),
        ({"outcome": "failed", "status": 400, "error_kind": "bad_request", "provider": ""}, 0, None),
        ({"outcome": "cancelled", "status": 0}, 0, 0),
    ],
)
def test_who_is_at_fault(members: dict[str, Any], on_server: int, on_client: int | None) -> None:
    """Ours and the upstreams' failures are errors; a client's mistake is none of ours, and who hangs up makes none."""
    with collecting() as collector, tracing(collector) as made:
        sent(made, call(**members))
        assert collector.wrong == []
        assert collector.span("POST /v1/chat/completions").status.code == on_server
        last = collector.span("chat gpt-oss")
    assert last.status.code == (ERROR if on_client is None else on_client)


def test_a_credential_in_an_error_is_not_sent() -> None:
    """Some upstreams quote what they were sent."""
    planted = "sk-ant-api03-PLANTED0123456789abcdef"
    attempts = [Attempt("a:m", "", 401, f"no such key: {planted}", reason="unauthenticated")]
    with collecting() as collector, tracing(collector) as made:
        sent(made, call(outcome="failed", status=502, error=f"no such key: {planted}", provider="", attempts=attempts))
        assert [span.status.message for span in collector.spans] == ["no such key: sk-***"] * 2


REQUEST = {
    "model": "quick", "temperature": 0.5, "max_tokens": 64, "stop": "END",
    "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": f"my key is {SECRET}"}],
    "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
}  # fmt: skip
ANSWER = {
    "id": "1", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "the answer"}}],
}  # fmt: skip


def taped() -> Flow:
    found = call(stream=False, trace=TRACE)
    found.tape = Tape(0.0, 10_000)
    found.tape.masks.append(lambda data: data.replace(SECRET.encode(), b"***"))
    found.tape.begin("client_request", "POST /v1/chat/completions", (), json.dumps(REQUEST).encode())
    found.tape.begin("forwarded", "POST https://x/", (), b"{}")
    found.tape.begin("upstream_response", "200", (), json.dumps(ANSWER).encode())
    return found


def test_what_was_said_stays_here() -> None:
    """Unless it is asked for: only settings of the request go out."""
    with collecting() as collector, tracing(collector, dialects={"openai_chat": CHAT}) as made:
        sent(made, taped())
        told = attributes(collector.span("chat gpt-oss"))
        everything = str(collector.spans)
    assert (told["gen_ai.request.temperature"], told["gen_ai.request.max_tokens"]) == (0.5, 64)
    assert told["gen_ai.request.stop_sequences"] == ["END"]
    for said in ("my key", "be brief", "the answer", "look", SECRET):
        assert said not in everything


def test_what_was_said_for_who_asks_for_it() -> None:
    """In the conventions' form, without the credentials of the call."""
    with collecting() as collector, tracing(collector, dialects={"openai_chat": CHAT}, content=True) as made:
        sent(made, taped())
        assert collector.wrong == []
        told = attributes(collector.span("chat gpt-oss"))
        everything = str(collector.spans)
    assert json.loads(told["gen_ai.input.messages"])[-1] == {
        "role": "user", "parts": [{"type": "text", "content": "my key is ***"}],
    }  # fmt: skip
    assert json.loads(told["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "the answer"}], "finish_reason": "end"}
    ]
    assert json.loads(told["gen_ai.tool.definitions"])[0]["name"] == "look"
    assert SECRET not in everything


def test_the_environment_says_what_the_configuration_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that every OpenTelemetry program knows."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=me")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=desk")
        made = Tracing(version="1.2.3")
        sent(made, call())
        made.close()
    resource = collector.resources[0]
    assert (resource["service.name"], resource["service.version"]) == ("mine", "1.2.3")
    assert resource["deployment.environment"] == "desk"
    assert collector.headers[0]["x-tenant"] == "me"


def test_the_configuration_goes_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where both say something."""
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "mine")
        with tracing(collector, service="yours", headers={"Authorization": "Bearer x"}) as made:
            sent(made, call())
    assert collector.resources[0]["service.name"] == "yours"
    assert collector.headers[0]["authorization"] == "Bearer x"


def test_a_collector_that_is_gone_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on, what could not be sent is told, and the end waits for no longer than it is allowed to."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    told: list[str] = []
    made = Tracing(endpoint="http://127.0.0.1:9", tell=told.append)
    sent(made, call())
    assert any("export" in text for text in told)
    made.close()
    hanging = Tracing(endpoint="http://127.0.0.1:9")
    hanging.close(timeout=0.0)


def test_what_nobody_can_keep_up_with_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """And counted; memory is for calls."""
    monkeypatch.setattr("strowger.telemetry.tracing._MOST_WAITING", 0)
    with collecting() as collector, tracing(collector) as made:
        sent(made, call(), call())
        assert (made.dropped, collector.spans) == (2, [])
