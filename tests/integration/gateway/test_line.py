"""The line over real sockets: lanes, errors, fallback, what a client sees at each ending."""

from __future__ import annotations

import io
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import web

from strowger.config.schema import Match, RouteConfig
from tests.integration.gateway.rig import (
    ANTHROPIC_HELLO,
    CHAT_HELLO,
    KEY,
    anthropic_request,
    chat_chunk,
    chat_request,
    config,
    gateway,
    provider,
    sse,
    upstream,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def answering(body: bytes, status: int = 200, kind: str = "text/event-stream", **headers: str) -> Any:
    """An upstream that always says the same, and a list of what it was asked."""
    seen: list[tuple[dict[str, str], bytes]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        lines = {"content-type": kind, **{name.replace("_", "-"): text for name, text in headers.items()}}
        return web.Response(status=status, body=body, headers=lines)

    handler.seen = seen  # type: ignore[attr-defined]
    return handler


async def test_the_verbatim_lane_changes_no_byte_and_no_unknown_header() -> None:
    """Odd spacing, unknown members and betas arrive as they were sent; the answer likewise."""
    body = (
        b'{ "model":"m",  "max_tokens":1,"future":{"x":1.0},'
        b'"messages":[{"role":"user","content":"\\u00e9"}] ,"stream":true}'
    )
    handler = answering(ANTHROPIC_HELLO, request_id="req_1", x_future="yes")
    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        status, headers, answer = await rig.post(
            "/v1/messages?beta=true", body, anthropic_beta="new-1", authorization="Bearer mine"
        )
        flow = await rig.flow()
    ((sent, received),) = handler.seen
    assert (status, answer, received) == (200, ANTHROPIC_HELLO, body)
    assert sent["anthropic-beta"] == "new-1"
    assert sent["x-api-key"] == KEY
    assert "mine" not in str(sent)
    assert headers["x-future"] == "yes"
    assert headers["x-strowger-lane"] == "verbatim"
    assert flow["tokens"] == {"input": 9, "output": 2}
    assert (flow["outcome"], flow["finish"], flow["upstream_request_id"]) == ("ok", "end", "req_1")


async def test_only_the_model_is_patched_on_a_route_that_renames() -> None:
    """Everything else stays byte by byte."""
    body = (
        b'{"max_tokens":1, "model" : "claude-x[1m]",'
        b'"messages":[{"role":"user","content":"the \\"model\\": \\"claude-x[1m]\\""}]}'
    )
    handler = answering(b'{"id":"msg_1","type":"message","content":[]}', kind="application/json")
    routes = [RouteConfig(match=Match(model="claude-*"), to="up:real-model")]
    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url)}, routes)) as rig:
        await rig.post("/v1/messages", body)
    assert handler.seen[0][1] == body.replace(b'"model" : "claude-x[1m]"', b'"model" : "real-model"', 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_anthropic_client_on_a_chat_upstream(stream: bool) -> None:
    """One converter: the whole answer is the fold of the stream."""
    handler = answering(CHAT_HELLO)
    async with upstream(handler) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        status, headers, answer = await rig.post("/v1/messages", anthropic_request(stream=stream))
        flow = await rig.flow()
    assert status == 200
    assert headers["x-strowger-lane"] == "translate"
    assert b"Hello" in answer
    assert flow["tokens"]["input"] == 9
    if stream:
        assert answer.startswith(b"event: message_start\n")
        assert answer.rstrip().endswith(b'{"type":"message_stop"}')
    else:
        message = msgspec.json.decode(answer)
        assert message["content"] == [{"type": "text", "text": "Hello you"}]
        assert message["usage"]["input_tokens"] == 9
    assert handler.seen[0][0]["authorization"] == f"Bearer {KEY}"
    assert handler.seen[0][0]["user-agent"].startswith("strowger/")


@pytest.mark.parametrize("stream", [True, False])
async def test_chat_client_on_an_anthropic_upstream(stream: bool) -> None:
    """The other way round."""
    handler = answering(ANTHROPIC_HELLO)
    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        status, _, answer = await rig.post("/v1/chat/completions", chat_request(stream=stream))
    assert status == 200
    if stream:
        assert answer.endswith(b"data: [DONE]\n\n")
    else:
        assert msgspec.json.decode(answer)["choices"][0]["message"]["content"] == "Hello"
    sent, body = handler.seen[0]
    assert (sent["x-api-key"], sent["anthropic-version"]) == (KEY, "2023-06-01")
    assert msgspec.json.decode(body)["stream"] is True


async def test_an_upstream_that_does_not_stream_is_streamed_to_the_client() -> None:
    """Some servers ignore `stream`."""
    body = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "up",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    }
    async with (
        upstream(answering(msgspec.json.encode(body), kind="application/json")) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        status, headers, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert answer.rstrip().endswith(b'{"type":"message_stop"}')


async def test_losses_are_in_a_header_and_on_the_flow() -> None:
    """Never silent."""
    handler = answering(CHAT_HELLO)
    request = anthropic_request(stream=True, top_k=5, tools=[{"type": "web_search_20250305", "name": "web_search"}])
    async with upstream(handler) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        _, headers, _ = await rig.post("/v1/messages", request)
        flow = await rig.flow()
    assert "web_search" in headers["x-strowger-losses"] or "tools[0]" in headers["x-strowger-losses"]
    assert any("tools[0]" in loss["path"] for loss in flow["losses"])


async def test_a_strict_route_refuses_what_would_be_lost() -> None:
    """The client is told what, before anything is paid for."""
    handler = answering(CHAT_HELLO)
    routes = [RouteConfig(match=Match(model="*"), to="up", strict=True)]
    request = anthropic_request(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    async with upstream(handler) as url, gateway(config({"up": provider("openai_chat", url)}, routes)) as rig:
        status, _, answer = await rig.post("/v1/messages", request)
    assert status == 400
    assert b"strict" in answer
    assert handler.seen == []


async def test_a_vendors_error_in_the_clients_dialect_passes_untouched() -> None:
    """Clients act on its words, its status and its headers."""
    body = b'{"type":"error", "error":{"type":"rate_limit_error","message":"slow  down"}}'
    handler = answering(body, 429, "application/json", retry_after="2", x_should_retry="true")
    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        status, headers, answer = await rig.post("/v1/messages", anthropic_request())
    assert (status, answer) == (429, body)
    assert (headers["retry-after"], headers["x-should-retry"]) == ("2", "true")


async def test_context_overflow_reaches_claude_code_in_its_own_words() -> None:
    """It compacts on this wording and gives up on any other."""
    body = {
        "error": {
            "message": "This model's maximum context length is 128000 tokens. "
            "However, your messages resulted in 150000 tokens.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    }
    async with (
        upstream(answering(msgspec.json.encode(body), 400, "application/json")) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        status, _, answer = await rig.post("/v1/messages", anthropic_request())
    error = msgspec.json.decode(answer)
    assert status in (400, 413)
    assert error["error"]["message"].startswith("prompt is too long: 150000 tokens > 128000 maximum")


async def test_our_own_refused_key_is_no_401() -> None:
    """The client's login is not at fault: with a 401 it would retry for minutes or log out."""
    body = {
        "error": {
            "message": "Incorrect API key",
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_api_key",
        }
    }
    async with (
        upstream(answering(msgspec.json.encode(body), 401, "application/json")) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        for path, request in (("/v1/messages", anthropic_request()), ("/v1/chat/completions", chat_request())):
            status, _, answer = await rig.post(path, request)
            assert status == 403
            assert b"provider up refused the configured credential" in answer
            assert KEY.encode() not in answer


async def test_fallback_before_the_first_event() -> None:
    """A refused, dead or failing target hands over, whatever its dialect; the flow tells each attempt."""
    failing = answering(
        sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, named=True)
    )
    good = answering(CHAT_HELLO)
    async with upstream(answering(b"no", 503, "text/plain")) as a, upstream(failing) as b, upstream(good) as c:
        providers = {
            "dead": provider("anthropic", "http://127.0.0.1:9"),
            "down": provider("anthropic", a),
            "failing": provider("anthropic", b),
            "good": provider("openai_chat", c),
        }
        routes = [RouteConfig(match=Match(model="*"), to="dead", fallback=("down", "failing", "good:other"))]
        async with gateway(config(providers, routes)) as rig:
            status, headers, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
            flow = await rig.flow()
    assert status == 200
    assert b"Hello" in answer
    assert headers["x-strowger-route"] == "good:other"
    tried = [(attempt["target"], attempt["reason"]) for attempt in flow["attempts"]]
    assert list(dict.fromkeys(tried)) == [
        ("dead:m", "upstream"),
        ("down:m", "overloaded"),
        ("failing:m", "overloaded"),
        ("good:other", None),
    ]


async def test_a_bad_request_is_nobody_elses_to_answer() -> None:
    """400 means the same everywhere: no fallback."""
    good = answering(CHAT_HELLO)
    bad = answering(
        b'{"error":{"message":"bad","type":"invalid_request_error","param":null,"code":null}}', 400, "application/json"
    )
    async with upstream(bad) as a, upstream(good) as b:
        routes = [RouteConfig(match=Match(model="*"), to="a", fallback=("b",))]
        async with gateway(config({"a": provider("openai_chat", a), "b": provider("openai_chat", b)}, routes)) as rig:
            status, _, _ = await rig.post("/v1/chat/completions", chat_request())
    assert status == 400
    assert good.seen == []


async def test_the_most_telling_error_wins_when_all_fail() -> None:
    """A limit says when to come back; a broken second choice must not hide it."""
    limited = answering(
        b'{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}',
        429,
        "application/json",
        retry_after="7",
    )
    async with upstream(limited) as a, upstream(answering(b"oops", 500, "text/plain")) as b:
        routes = [RouteConfig(match=Match(model="*"), to="a", fallback=("b",))]
        async with gateway(config({"a": provider("openai_chat", a), "b": provider("openai_chat", b)}, routes)) as rig:
            status, headers, _ = await rig.post("/v1/messages", anthropic_request())
    assert (status, headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize("stream", [True, False])
async def test_an_error_as_first_event_is_a_status(stream: bool) -> None:
    """HTTP 200 and then an error: nothing has been sent, so the client gets a real status."""
    body = sse({"error": {"message": "upstream is busy", "code": 503}})
    async with upstream(answering(body)) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        status, _, answer = await rig.post("/v1/messages", anthropic_request(stream=stream))
    assert status in (502, 529)
    assert b"upstream is busy" in answer


async def test_a_cut_stream_ends_in_an_error_not_in_a_stop() -> None:
    """Nobody may take half an answer for a whole one."""
    body = sse(chat_chunk({"role": "assistant", "content": "Hal"}))
    async with upstream(answering(body)) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        _, _, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
        flow = await rig.flow()
        status, _, whole = await rig.post("/v1/messages", anthropic_request())
    assert b"event: error\n" in answer
    assert b"message_stop" not in answer
    assert flow["outcome"] == "failed"
    assert status == 502
    assert msgspec.json.decode(whole)["type"] == "error"


async def test_a_stream_cut_on_the_verbatim_lane_gets_an_error_after_its_own_bytes() -> None:
    """What the upstream said stays as it was."""
    half = ANTHROPIC_HELLO[: ANTHROPIC_HELLO.index(b"event: content_block_stop")]
    async with upstream(answering(half)) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        _, _, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
    assert answer.startswith(half)
    assert answer[len(half) :].startswith(b"event: error\n")


async def test_an_html_page_becomes_an_error_in_the_clients_dialect() -> None:
    """A proxy in between answers for the vendor."""
    page = b"<html><head><title>502 Bad Gateway</title></head><body>x</body></html>"
    async with (
        upstream(answering(page, 502, "text/html")) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        status, _, answer = await rig.post("/v1/messages", anthropic_request())
        flow = await rig.flow()
    assert status == 502
    assert flow["response_bytes"] == len(answer)
    error = msgspec.json.decode(answer)
    assert (error["type"], "502 Bad Gateway" in error["error"]["message"]) == ("error", True)


async def test_a_dead_upstream_is_named_with_a_hint() -> None:
    """The user must know which address to look at."""
    async with gateway(config({"up": provider("anthropic", "http://127.0.0.1:9")})) as rig:
        status, _, answer = await rig.post("/v1/messages", anthropic_request())
    assert status == 502
    assert b"127.0.0.1:9" in answer
    assert b"hint" in answer


async def test_a_compressed_answer_is_unpacked_once() -> None:
    """We ask for identity; an upstream that compresses all the same must not break the tee."""

    async def handler(request: web.Request) -> web.Response:
        assert request.headers["accept-encoding"] == "identity"
        response = web.Response(body=ANTHROPIC_HELLO, headers={"content-type": "text/event-stream"})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        _, headers, answer = await rig.post("/v1/messages", anthropic_request(stream=True))
        flow = await rig.flow()
    assert answer == ANTHROPIC_HELLO
    assert "content-encoding" not in headers
    assert flow["tokens"]["output"] == 2


async def test_redirects_are_not_followed() -> None:
    """A credential goes where it was meant to go, or nowhere."""
    async with upstream(answering(b"", 302, "text/plain", location="http://127.0.0.1:9/steal")) as url:
        async with gateway(config({"up": provider("openai_chat", url)})) as rig:
            status, headers, _ = await rig.post("/v1/messages", anthropic_request())
    assert status >= 400
    assert "location" not in headers


async def test_a_refreshed_file_credential_is_tried_once_after_a_401(tmp_path: Any) -> None:
    """Another program may have rotated the key."""
    key = tmp_path / "key"
    key.write_text("old-key")
    used: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        used.append(request.headers["authorization"])
        if used[-1] != "Bearer new-key":
            key.write_text("new-key")
            return web.json_response({"error": {"message": "expired"}}, status=401)
        return web.Response(body=CHAT_HELLO, headers={"content-type": "text/event-stream"})

    async with upstream(handler) as url:
        async with gateway(config({"up": provider("openai_chat", url, auth=f"file:{key}")})) as rig:
            status, _, _ = await rig.post("/v1/chat/completions", chat_request(stream=True))
    assert status == 200
    assert used == ["Bearer old-key", "Bearer new-key"]


async def test_parallel_calls_share_one_gateway() -> None:
    """Fifty at once, each with its own answer."""

    async def handler(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read())["messages"][0]["content"]
        body = CHAT_HELLO.replace(b'"Hello"', msgspec.json.encode(asked))
        return web.Response(body=body, headers={"content-type": "text/event-stream"})

    answers: dict[int, bytes] = {}
    async with upstream(handler) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:

        async def one(number: int) -> None:
            request = anthropic_request(messages=[{"role": "user", "content": f"n{number}"}])
            answers[number] = (await rig.post("/v1/messages", request))[2]

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(one, number)
    assert all(f'"n{number} you"'.encode() in answer for number, answer in answers.items())
    assert len(answers) == 50


async def test_a_large_request_goes_through_whole() -> None:
    """Several megabytes of history, with a length and not chunked."""
    big = "x" * 3_000_000
    handler = answering(ANTHROPIC_HELLO)
    body = msgspec.json.encode(anthropic_request(messages=[{"role": "user", "content": big}]))
    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        async with rig.session.post(rig.url + "/v1/messages", data=io.BytesIO(body)) as response:
            assert response.status == 200
    sent, received = handler.seen[0]
    assert received == body
    assert sent["content-length"] == str(len(body))
    assert "transfer-encoding" not in sent


async def test_a_session_that_changes_provider_sends_each_signature_home_only() -> None:
    """Two vendors of one dialect: what one signed is kept from the other, and comes back when the session does."""

    def signing(signature: str) -> Any:
        body = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": signature},
                {"type": "text", "text": "ok"},
            ],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        return answering(msgspec.json.encode(body), kind="application/json")

    one, two = signing("c2lnbmVkLWJ5LW9uZQ=="), signing("c2lnbmVkLWJ5LXR3bw==")
    async with upstream(one) as a, upstream(two) as b:
        async with gateway(config({"one": provider("anthropic", a), "two": provider("anthropic", b)})) as rig:
            history: list[dict[str, Any]] = []
            for model in ("one:m", "two:m", "one:m"):
                history.append({"role": "user", "content": "hi"})
                _, _, answer = await rig.post("/v1/messages", anthropic_request(model=model, messages=history))
                history.append({"role": "assistant", "content": msgspec.json.decode(answer)["content"]})
    assert b"c2lnbmVkLWJ5LW9uZQ==" not in two.seen[0][1]
    assert b"c2lnbmVkLWJ5LW9uZQ==" in one.seen[1][1]
    assert b"c2lnbmVkLWJ5LXR3bw==" not in one.seen[1][1]


async def test_a_beta_header_goes_only_with_its_half_of_the_body() -> None:
    """A server that does not know context_management must not be told of its beta either."""
    handler = answering(b'{"id":"msg_1","type":"message","content":[]}', kind="application/json")
    request = anthropic_request(context_management={"edits": []})
    up = {"capabilities": {"betas": False, "judges_itself": False}}
    async with upstream(handler) as url, gateway(config({"up": provider("anthropic", url, **up)})) as rig:
        await rig.post("/v1/messages", request, anthropic_beta="context-management-2025-06-27")
    sent, body = handler.seen[0]
    assert b"context_management" not in body
    assert "anthropic-beta" not in sent
