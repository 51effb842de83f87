"""Bugs of the field that show only on a whole line: silence, hang-ups, errors in disguise; for every dialect.

Names in brackets are public projects and issue numbers.
"""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace

from strowger.config.references import literal
from strowger.config.schema import Match, RouteConfig
from tests.fakes.responses import KEY, FakeResponses
from tests.fakes.responses_seal import Seal
from tests.integration.gateway.rig import CHAT_HELLO, Rig, config, gateway, provider, upstream
from tests.integration.gateway.test_delivery import HEADERS, Slow
from tests.unit.dialects.gemini import replies as google
from tests.unit.dialects.openai_responses import answering as openai

pytestmark = pytest.mark.anyio

SAID = [{"role": "user", "content": "hi"}]
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "anthropic": ("/v1/messages", {"model": "m", "max_tokens": 9, "messages": SAID, "stream": True}),
    "openai_chat": ("/v1/chat/completions", {"model": "m", "messages": SAID, "stream": True}),
    "openai_responses": ("/v1/responses", {"model": "m", "input": "hi", "stream": True, "store": False}),
    "gemini": (
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    ),
}
"""What a client of each dialect asks."""
MESSAGE = openai.message("Hello you")
TOLD = {
    "openai_responses": [
        openai.sse(openai.CREATED, openai.added(0, **openai.message()), openai.text(0, "Hello")),
        openai.sse(openai.text(0, " you"), openai.done(0, **MESSAGE), openai.completed(MESSAGE)),
    ],
    "gemini": [
        google.sse(google.chunk(google.text("Hello"))),
        google.sse(google.chunk(google.text(" you"), finish="STOP")),
    ],
}
"""An answer in two halves."""
BUSY = {
    "openai_responses": [
        openai.sse({"type": "error", "code": "server_error", "message": "busy", "param": None}),
        openai.sse(
            openai.CREATED, {"type": "response.failed", "response": {"id": "r", "status": "failed", "error": {}}}
        ),
        openai.dumps({"error": {"message": "busy", "type": "server_error", "code": None}}),
    ],
    "gemini": [
        google.sse({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}),
        google.dumps([{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}]),
        google.dumps({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}),
    ],
}
"""Errors under a status of success."""
BEATS = {
    "anthropic": b"event: ping",
    "openai_chat": b"\n: ",
    "openai_responses": b"\n: ",
    "gemini": b"\r\n\r\n\r\n",
}
"""A sign of life behind an event."""
FAILED = {
    "anthropic": b"event: error",
    "openai_chat": b'data: {"error":',
    "openai_responses": b"event: response.failed",
    "gemini": b'"status": "DEADLINE_EXCEEDED"',
}
"""The end of an answer that is none."""

clients = pytest.mark.parametrize("client", list(ASKED))
upstreams = pytest.mark.parametrize("dialect", list(TOLD))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def ask(rig: Rig, client: str) -> tuple[int, dict[str, str], bytes]:
    """What a client of this dialect gets."""
    path, body = ASKED[client]
    return await rig.post(path, body)


def saying(body: bytes, status: int = 200, kind: str = HEADERS["content-type"]) -> Any:
    """An upstream that always says this."""

    async def answer(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, status=status, headers={"content-type": kind, "x-request-id": "req-7"})

    return answer


@clients
@upstreams
async def test_a_dead_silence_ends_in_an_error(dialect: str, client: str) -> None:
    """Signs of life while the upstream may still be there; they must not hide that it is not [litellm PR 36024]."""
    slow = Slow(TOLD[dialect][0])
    async with upstream(slow) as url:
        providers = {"up": provider(dialect, url)}
        async with gateway(config(providers, heartbeat_seconds=0.05, idle_timeout_seconds=0.3)) as rig:
            with anyio.fail_after(30):
                _, _, answer = await ask(rig, client)
                await slow.left.wait()
            flow = await rig.flow()
    assert b"Hello" in answer
    assert BEATS[client] in answer
    assert FAILED[client] in answer[answer.index(b"Hello") :]
    assert b"silent for 0.3 seconds" in answer
    assert (flow["outcome"], flow["error_kind"]) == ("failed", "timeout")


@clients
@upstreams
@pytest.mark.parametrize("early", [True, False])
async def test_a_client_that_hangs_up_closes_the_upstream(dialect: str, client: str, early: bool) -> None:
    """Nobody reads the rest, and it costs money [new-api 4184, litellm 31499]."""
    slow = Slow(TOLD[dialect][0], before_headers=early)
    path, asked = ASKED[client]
    async with upstream(slow) as url, gateway(config({"up": provider(dialect, url)})) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))
        body = msgspec.json.encode(asked)
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        with anyio.fail_after(30):
            await slow.arrived.wait()
            if not early:
                await reader.readuntil(b"Hello")
            writer.close()
            await slow.left.wait()
        flow = await rig.flow()
    assert flow["outcome"] == "cancelled"


@clients
@upstreams
async def test_the_first_word_is_there_before_the_last(dialect: str, client: str) -> None:
    """No piece of the line waits for the whole [CLIProxyAPI 1620, litellm 26102]."""
    slow = Slow(*TOLD[dialect])
    path, body = ASKED[client]
    async with upstream(slow) as url, gateway(config({"up": provider(dialect, url)})) as rig:
        with anyio.fail_after(30):
            async with rig.session.post(rig.url + path, json=body) as response:
                heard = b""
                while b"Hello" not in heard:
                    heard += await response.content.readany()
                slow.go.set()
                heard += await response.content.read()
    assert b" you" in heard


@clients
@pytest.mark.parametrize("dialect,body", [(dialect, body) for dialect, bodies in BUSY.items() for body in bodies])
async def test_an_error_with_status_200_is_seen_before_content(dialect: str, body: bytes, client: str) -> None:
    """As an event or as a body: nothing has gone out, so that another target is tried."""
    kind = "application/json" if body[:1] in (b"{", b"[") else HEADERS["content-type"]
    async with upstream(saying(body, kind=kind)) as bad, upstream(saying(CHAT_HELLO)) as good:
        routes = [RouteConfig(match=Match(model="*"), to="bad", fallback=("good",))]
        providers = {"bad": provider(dialect, bad), "good": provider("openai_chat", good)}
        async with gateway(config(providers, routes)) as rig:
            status, headers, answer = await ask(rig, client)
    assert (status, headers["x-strowger-route"]) == (200, "good:m")
    assert b"Hello" in answer
    assert b"busy" not in answer


@upstreams
async def test_an_error_of_the_clients_own_vendor_is_untouched(dialect: str) -> None:
    """Clients act upon wording, status and ids [claude-code-router 1799, claudish 148]."""
    said = openai.dumps({"error": {"message": "no such tool: ü", "code": 400, "type": "x", "new": [1]}}) + b"\n"
    async with upstream(saying(said, 400, "application/json")) as url:
        async with gateway(config({"up": provider(dialect, url)})) as rig:
            status, headers, answer = await ask(rig, dialect)
    assert (status, answer, headers["x-request-id"]) == (400, said, "req-7")


@clients
async def test_a_limit_of_one_model_benches_no_other(client: str) -> None:
    """One 429 took the whole account away, for every model [better-ccflare 375]."""

    async def limited(request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read())
        if asked["model"] == "small":
            return web.Response(body=CHAT_HELLO, headers=HEADERS)
        return web.Response(status=429, body=b'{"error":{"message":"slow down"}}', headers={"retry-after": "600"})

    async with upstream(limited) as url:
        routes = [
            RouteConfig(match=Match(model="m"), to="up:large"),
            RouteConfig(match=Match(model="*"), to="up:small"),
        ]
        async with gateway(config({"up": provider("openai_chat", url)}, routes)) as rig:
            assert (await ask(rig, client))[0] == 429
            path, body = ASKED[client]
            other = body | ({"model": "n"} if "model" in body else {})
            status, _, answer = await rig.post(path.replace("/m:", "/n:"), other)
            assert (await ask(rig, client))[0] == 429
    assert status == 200
    assert b"Hello" in answer


async def test_reasoning_of_another_account_is_left_out() -> None:
    """400 `invalid_encrypted_content` after a change of keys, in each turn to come [bifrost 5410, CLIProxyAPI 3189]."""
    async with FakeResponses() as fake:
        blob = Seal("another account").close("gpt-5.5", "rs_1", "hm")
        asked = {
            "model": "gpt-5.5",
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "input": [
                {"type": "message", "role": "user", "content": "hi"},
                {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": blob},
                {"type": "message", "role": "assistant", "content": "hello"},
                {"type": "message", "role": "user", "content": "again"},
            ],
        }
        keyed = provider("openai_responses", f"{fake.base_url}/v1", capabilities={"origin": "openai"})
        async with gateway(config({"up": replace(keyed, auth=literal(KEY))})) as rig:
            status, headers, answer = await rig.post("/v1/responses", asked)
            again, _, _ = await rig.post("/v1/responses", asked)
        sent = [request.raw for request in fake.inferences()]
    assert (status, again) == (200, 200), answer
    assert "x-strowger-losses" in headers
    assert [blob.encode() in body for body in sent] == [True, False, False]
