"""Bad input: each gets a clear error in the client's own dialect, and the server lives on."""

from __future__ import annotations

import asyncio
import gzip
import io
import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web

from strowger.zstandard import zstd
from tests.integration.gateway.rig import (
    ANTHROPIC_HELLO,
    CHAT_HELLO,
    Rig,
    anthropic_request,
    chat_request,
    config,
    gateway,
    provider,
    upstream,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        body = ANTHROPIC_HELLO if request.path.endswith("/messages") else CHAT_HELLO
        return web.Response(body=body, headers={"content-type": "text/event-stream"})

    async with upstream(handler) as url:
        providers = {
            "a": provider("anthropic", url, models=("claude-*",)),
            "c": provider("openai_chat", url, models=("gpt-*",)),
        }
        settings = config(providers, max_body_mb=1)
        async with gateway(msgspec.structs.replace(settings, routes=())) as rig:
            yield rig
            status, _, _ = await rig.post("/v1/messages", anthropic_request(model="gpt-x", stream=True))
            assert status == 200, "the server must live on"


def error_of(path: str, body: bytes) -> dict[str, Any]:
    """The error object in the shape of the path's dialect."""
    data = msgspec.json.decode(body)
    if "/messages" in path:
        assert data["type"] == "error"
        assert set(data["error"]) >= {"type", "message"}
    else:
        assert set(data["error"]) >= {"message", "type", "param", "code"}
    error: dict[str, Any] = data["error"]
    return error


PATHS = ["/v1/messages", "/v1/chat/completions"]

BODIES = {
    "empty": b"",
    "not json": b"hello",
    "half": b'{"model": "gpt-x", "messages": [',
    "list": b"[]",
    "null": b"null",
    "no model": b'{"messages": []}',
    "model is a number": b'{"model": 3, "max_tokens": 5, "messages": []}',
    "messages is text": b'{"model": "MODEL", "max_tokens": 5, "messages": "hi"}',
    "message is null": b'{"model": "MODEL", "max_tokens": 5, "messages": [null]}',
    "content is a truth value": b'{"model": "MODEL", "max_tokens": 5, "messages": [{"role": "user", "content": true}]}',
    "unknown role": b'{"model": "MODEL", "max_tokens": 5, "messages": [{"role": "boss", "content": "x"}]}',
    "stream is text": b'{"model": "MODEL", "max_tokens": 5, "stream": "yes", "messages": []}',
    "not utf-8": b'{"model": "MODEL", "max_tokens": 5, "messages": [{"role": "user", "content": "\xff\xfe"}]}',
    "deep": b'{"model": "MODEL", "max_tokens": 5, "messages": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "tools is a number": b'{"model": "MODEL", "max_tokens": 5, "messages": [], "tools": 7}',
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("case", BODIES)
async def test_a_bad_body_is_a_400_that_names_the_member(rig: Rig, path: str, case: str) -> None:
    """Sent towards the other dialect, so that it must be read here."""
    model = "gpt-x" if "messages" in path.rsplit("/", 1)[-1] else "claude-x"
    status, headers, body = await rig.post(path, BODIES[case].replace(b"MODEL", model.encode()))
    error = error_of(path, body)
    assert status == 400, error
    assert headers["content-type"] == "application/json"
    assert len(error["message"]) > 10
    assert "Traceback" not in error["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_byte_order_mark_is_named(rig: Rig, path: str) -> None:
    """Some editors and shells put one before what they send."""
    status, _, body = await rig.post(path, b"\xef\xbb\xbf" + msgspec.json.encode(anthropic_request(model="gpt-x")))
    assert status == 400
    assert "without a byte order mark" in error_of(path, body)["message"]


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_model_lists_what_there_is(rig: Rig, path: str) -> None:
    """The message says what to write instead."""
    request = anthropic_request(model="nope") if "messages" in path else chat_request(model="nope")
    status, _, body = await rig.post(path, request)
    error = error_of(path, body)
    assert status in (400, 404)
    assert "claude-*" in error["message"]
    assert "gpt-*" in error["message"]


@pytest.mark.parametrize("path", ["/v2/nothing", "/messages/batches", "/favicon.ico", "/../etc/passwd", "/%ff"])
async def test_an_unknown_path_says_what_is_served(rig: Rig, path: str) -> None:
    """A wrong base URL is the commonest mistake."""
    status, _, body = await rig.post(path, {})
    assert status == 404
    assert "POST /v1/messages" in msgspec.json.decode(body)["error"]["message"]


async def test_a_huge_body_is_refused_with_the_setting_to_change(rig: Rig) -> None:
    """Declared or not, compressed or not."""
    big = b'{"model": "gpt-x", "x": "' + b"a" * 2_000_000 + b'"}'
    for data, headers in ((big, {}), (gzip.compress(big), {"content-encoding": "gzip"})):
        async with rig.session.post(rig.url + "/v1/messages", data=io.BytesIO(data), headers=headers) as response:
            assert response.status == 413
            assert "max_body_mb" in (await response.json())["error"]["message"]

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"a" * 100_000

    async with rig.session.post(rig.url + "/v1/messages", data=chunks()) as response:
        assert response.status == 413


@pytest.mark.parametrize("coding", ["gzip", "deflate", "zstd"])
async def test_compressed_requests_are_read(rig: Rig, coding: str) -> None:
    """Claude Code can be told to compress, and Codex does towards ChatGPT."""
    body = msgspec.json.encode(anthropic_request(model="gpt-x", stream=True))
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "zstd": zstd.compress(body)}
    status, _, _ = await rig.post("/v1/messages", packed[coding], content_encoding=coding)
    assert status == 200


async def test_a_broken_compression_is_a_400(rig: Rig) -> None:
    """Not a hang, not a 500."""
    status, _, body = await rig.post("/v1/messages", b"not gzip at all", content_encoding="gzip")
    assert status == 400
    assert msgspec.json.decode(body)["error"]["message"]


async def raw(rig: Rig, data: bytes) -> bytes:
    """Bytes as they are to the server; everything it answers before it closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))
    writer.write(data)
    try:
        async with asyncio.timeout(5):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (int(x.split(b":")[1]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")), 0
            )
            return head + await reader.readexactly(length)
    finally:
        writer.close()


async def test_what_is_not_http_gets_a_json_400(rig: Rig) -> None:
    """For example TLS to a plain port."""
    for data in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    ):
        answer = await raw(rig, data)
        assert b" 400 " in answer.split(b"\r\n")[0]
        assert msgspec.json.decode(answer.split(b"\r\n\r\n", 1)[1])["error"]["message"]


async def test_a_head_that_is_too_large_is_refused(rig: Rig) -> None:
    """Bounded memory before anyone is known."""
    answer = await raw(rig, b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 200_000 + b"\r\n\r\n")
    assert b" 400 " in answer.split(b"\r\n")[0] or b" 431 " in answer.split(b"\r\n")[0]


async def test_absolute_form_targets_are_understood(rig: Rig) -> None:
    """A client with HTTP_PROXY set sends the whole URL, even for loopback."""
    body = msgspec.json.encode(anthropic_request(model="gpt-x"))
    head = b"POST %s/v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
    answer = await raw(rig, head % (rig.url.encode(), len(body)) + body)
    assert b" 200 " in answer.split(b"\r\n")[0]


async def test_we_are_nobodys_forward_proxy(rig: Rig) -> None:
    """An absolute target elsewhere is refused, and CONNECT too."""
    answer = await raw(rig, b"GET http://example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 403 " in answer.split(b"\r\n")[0]
    answer = await raw(rig, b"CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.split(b" ")[1] in (b"400", b"403", b"404", b"405")


async def test_foreign_hosts_and_origins_are_refused_before_the_body(rig: Rig) -> None:
    """DNS rebinding and CSRF, over the wire."""
    answer = await raw(rig, b"POST /v1/messages HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000000\r\n\r\n")
    assert b" 403 " in answer.split(b"\r\n")[0]
    for origin in ("https://evil.example", "null"):
        status, _, _ = await rig.post("/v1/messages", anthropic_request(model="gpt-x"), origin=origin)
        assert status == 403


@pytest.mark.parametrize("path", ["/", "/api/hello", "/healthz"])
async def test_probes_are_answered(rig: Rig, path: str) -> None:
    """Claude Code asks whether anyone is there."""
    async with rig.session.head(rig.url + path) as response:
        assert response.status == 200
    async with rig.session.get(rig.url + path) as response:
        assert (await response.json())["ok"] is True


async def test_a_client_that_waits_for_100_continue_gets_it(rig: Rig) -> None:
    """curl does, for bodies over a kilobyte."""
    body = msgspec.json.encode(anthropic_request(model="gpt-x", stream=True))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rsplit(":", 1)[1]))
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    writer.write(head % len(body))
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(body)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_neighbours_url_is_not_ours(rig: Rig) -> None:
    """With HTTP_PROXY set to us, a call for a local server on another port arrives here as well."""
    answer = await raw(rig, b"GET http://127.0.0.1:9/v1/models HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n")
    assert b" 403 " in answer.split(b"\r\n")[0]


async def test_headers_that_are_no_text_do_not_stop_the_log(rig: Rig) -> None:
    """The call is logged, and the list of calls can still be read."""
    body = msgspec.json.encode(anthropic_request(model="gpt-x"))
    head = b"POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nUser-Agent: caf\xe9\r\nContent-Length: %d\r\n\r\n"
    answer = await raw(rig, head % len(body) + body)
    flow = await rig.flow()
    assert b" 200 " in answer.split(b"\r\n")[0]
    assert flow["agent"] == "caf\ufffd"
    assert '"agent":"caf\ufffd"' in rig.log.getvalue()


async def test_an_endless_name_of_a_model_is_refused(rig: Rig) -> None:
    """It would come back in a header that no client takes."""
    status, _, body = await rig.post("/v1/messages", anthropic_request(model="x" * 5000))
    assert status == 400
    assert b"model: expected at most" in body


async def test_an_error_says_its_type_once(rig: Rig) -> None:
    """Two Content-Type lines are one too many for strict clients."""
    answer = await raw(rig, b"GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.lower().count(b"content-type:") == 1


async def test_a_body_that_never_comes_ends_the_call(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a client that died on the way holds a call open for ever."""
    monkeypatch.setattr("strowger.gateway.server._BODY_SECONDS", 0.1)
    answer = await raw(rig, b'POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"mod')
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert b"nothing of the body came" in answer
