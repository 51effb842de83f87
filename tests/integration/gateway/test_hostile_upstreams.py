"""Upstreams that break HTTP, their dialect or the connection: the client gets an answer that it can read."""

from __future__ import annotations

import asyncio
import resource
import zlib
from typing import Any

import anyio
import msgspec
import pytest

from strowger.config.schema import Match, RouteConfig
from tests.integration.gateway.raw import END, STREAM, chunk, exchange, post, raw_upstream, saying
from tests.integration.gateway.rig import (
    ANTHROPIC_HELLO,
    CHAT_HELLO,
    KEY,
    anthropic_request,
    chat_request,
    config,
    gateway,
    provider,
)

pytestmark = pytest.mark.anyio

PATHS = {"anthropic": "/v1/messages", "openai_chat": "/v1/chat/completions"}
STREAMS = {"anthropic": ANTHROPIC_HELLO, "openai_chat": CHAT_HELLO}
REQUESTS: dict[str, Any] = {"anthropic": anthropic_request, "openai_chat": chat_request}
LANES = pytest.mark.parametrize("client", ["anthropic", "openai_chat"])


def answer(status: bytes, body: bytes, *headers: bytes) -> bytes:
    """A whole answer with a length."""
    lines = b"".join(line + b"\r\n" for line in (b"Content-Type: application/json", *headers))
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, lines, len(body), body)


async def test_an_answer_never_loses_its_head() -> None:
    """A control character in one header line of the upstream: an answer without the line, or an error, but HTTP."""
    script = saying(STREAM[:-2] + b"X-Odd: a\x0bb\r\n\r\n" + chunk(ANTHROPIC_HELLO) + END, close=True)
    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        got = await exchange(rig.url, post("/v1/messages", msgspec.json.encode(anthropic_request(stream=True))))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"X-Odd" not in head
    if head.startswith(b"HTTP/1.1 502 "):
        assert msgspec.json.decode(body)["type"] == "error"
    else:
        assert head.startswith(b"HTTP/1.1 200 ")
        assert ANTHROPIC_HELLO in body


async def test_an_upstream_cannot_speak_for_us() -> None:
    """Our own headers, and which web pages may read the answer, are ours to say."""
    lines = (
        b"x-strowger-lane: forged\r\nAccess-Control-Allow-Origin: *\r\nLocation: http://elsewhere/\r\nX-Own: 1\r\n\r\n"
    )
    script = saying(STREAM[:-2] + lines + chunk(ANTHROPIC_HELLO) + END)
    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        _, headers, _ = await rig.post("/v1/messages", anthropic_request(stream=True))
    assert (headers["x-strowger-lane"], headers["x-own"]) == ("verbatim", "1")
    assert not {"access-control-allow-origin", "location"} & set(headers)


@LANES
async def test_a_redirect_is_an_error_for_the_client_too(client: str) -> None:
    """A client that follows it would carry its token to the other host."""
    body = b'{"type":"error","error":{"type":"api_error","message":"moved","param":null,"code":null}}'
    script = saying(answer(b"307 Temporary Redirect", body, b"Location: http://127.0.0.1:9/elsewhere"))
    async with raw_upstream(script) as url, gateway(config({"up": provider(client, url)})) as rig:
        status, headers, body = await rig.post(PATHS[client], REQUESTS[client]())
    assert status == 502
    assert "location" not in headers
    assert b"redirects are not followed: is `base_url` of providers.up right?" in body


@LANES
async def test_a_heartbeat_never_falls_into_an_event(client: str) -> None:
    """An upstream that pauses in the middle of an event: the client's parser must not see our ping inside it."""
    body = STREAMS[client]
    middle = body.index(b"Hello") + 2
    go = asyncio.Event()

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + chunk(body[:middle]))
        await go.wait()
        writer.write(chunk(body[middle:]) + END)

    async with raw_upstream(script) as url:
        made = config({"up": provider(client, url)}, heartbeat_seconds=0.05)
        async with (
            gateway(made) as rig,
            rig.session.post(rig.url + PATHS[client], json=REQUESTS[client](stream=True)) as response,
        ):
            got = b""
            with anyio.fail_after(30):
                while got.count(b"ping") + got.count(b": keep-alive") < 2:
                    got += await response.content.readany()
                go.set()
                got += await response.read()
    ping = b'event: ping\ndata: {"type": "ping"}\n\n' if client == "anthropic" else b": keep-alive\n\n"
    assert got.replace(ping, b"") == body


async def test_half_an_event_does_not_spoil_the_error_behind_it() -> None:
    """A connection that breaks inside an event: what follows is the error, as an event of its own."""
    half = ANTHROPIC_HELLO[: ANTHROPIC_HELLO.index(b"Hello") + 2]
    script = saying(STREAM + chunk(half), close=True)
    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        _, _, got = await rig.post("/v1/messages", anthropic_request(stream=True))
    frames = got.split(b"\n\n")
    assert frames[-2].startswith(b"event: error\ndata: {")
    assert all(msgspec.json.decode(frame.partition(b"data: ")[2]) for frame in frames[:-1])


@LANES
async def test_comments_of_an_upstream_are_no_sign_of_life_for_the_client(client: str) -> None:
    """Held back before the first event, and dropped by translation: the client still needs our heartbeat."""
    other = "openai_chat" if client == "anthropic" else "anthropic"
    heard = asyncio.Event()

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM)
        while not heard.is_set():
            writer.write(chunk(b": processing\n\n"))
            await writer.drain()
            await anyio.sleep(0.01)
        writer.write(chunk(STREAMS[other]) + END)

    async with raw_upstream(script) as url:
        made = config({"up": provider(other, url)}, heartbeat_seconds=0.05)
        async with (
            gateway(made) as rig,
            rig.session.post(rig.url + PATHS[client], json=REQUESTS[client](stream=True)) as response,
        ):
            with anyio.fail_after(30):
                first = await response.content.readany()
                heard.set()
                rest = await response.read()
    assert b"ping" in first or b"keep-alive" in first
    assert b"Hello" in rest


@LANES
async def test_a_whole_answer_after_a_heartbeat_is_streamed(client: str) -> None:
    """The stream has begun for the ping's sake; a JSON body inside it is nothing that a client could read."""
    chat = b'{"id":"c","object":"chat.completion","created":1,"model":"u","choices":[{"index":0,"message":'
    chat += b'{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}'
    messages = (
        b'{"id":"msg_1","type":"message","role":"assistant","model":"u","content":[{"type":"text","text":"whole"}],'
    )
    messages += b'"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}'
    go = asyncio.Event()

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        await go.wait()
        writer.write(answer(b"200 OK", messages if client == "anthropic" else chat))

    async with raw_upstream(script) as url:
        made = config({"up": provider(client, url)}, heartbeat_seconds=0.05)
        async with (
            gateway(made) as rig,
            rig.session.post(rig.url + PATHS[client], json=REQUESTS[client](stream=True)) as response,
        ):
            with anyio.fail_after(30):
                await response.content.readany()
                go.set()
                rest = await response.read()
    end = b"message_stop" if client == "anthropic" else b"data: [DONE]"
    assert b"whole" in rest
    assert end in rest
    assert b"\n{" not in rest


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("status", [b"200 OK", b"400 Bad Request"])
async def test_an_answer_that_is_nested_without_end(status: bytes, stream: bool) -> None:
    """Is the upstream's fault, not ours, so that another one is asked."""
    script = saying(answer(status, b'{"choices":' + b"[" * 100_000))
    good = saying(STREAM + chunk(CHAT_HELLO) + END)
    async with raw_upstream(script) as deep, raw_upstream(good) as url:
        to = {"deep": provider("openai_chat", deep), "up": provider("openai_chat", url)}
        route = RouteConfig(match=Match(model="*"), to="deep", fallback=("up",))
        async with gateway(config(to, [route])) as rig:
            got, _, body = await rig.post("/v1/messages", anthropic_request(stream=stream))
            flow = await rig.flow()
    assert not flow["notes"]
    assert (got, flow["provider"]) == (200, "up"), body


@LANES
@pytest.mark.parametrize("stream", [True, False])
async def test_a_page_under_a_status_of_success_is_an_error(client: str, stream: bool) -> None:
    """A captive portal, or a proxy's login page, between us and the vendor; on the verbatim lane too."""
    page = answer(b"200 OK", b"<html><title>Log in</title></html>")
    async with raw_upstream(saying(page)) as url, gateway(config({"up": provider(client, url)})) as rig:
        status, _, body = await rig.post(PATHS[client], REQUESTS[client](stream=stream))
    assert status == 502
    assert "message" in msgspec.json.decode(body)["error"]


@LANES
@pytest.mark.parametrize("odd", [b"{}", b"[1]", b'{"object":"list","data":[]}'])
async def test_what_is_neither_an_answer_nor_an_error_is_told_in_our_words(client: str, odd: bytes) -> None:
    """A client that waits for a stream knows what to do with an error of its dialect, and with nothing else."""
    script = saying(answer(b"200 OK", odd))
    async with raw_upstream(script) as url, gateway(config({"up": provider(client, url)})) as rig:
        status, _, body = await rig.post(PATHS[client], REQUESTS[client](stream=True))
    assert status == 502
    assert msgspec.json.decode(body)["error"]["message"]


@LANES
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("end", [b"ff\r\ndata: {", END])
async def test_who_hears_half_an_answer_is_told_what_to_do(client: str, stream: bool, end: bytes) -> None:
    """Cut inside a chunk, or ended in order but too early: on both lanes, one hint and not two."""
    script = saying(STREAM, chunk(CHAT_HELLO.partition(b"\n\n")[0] + b"\n\n"), end, close=True)
    async with raw_upstream(script) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        _, _, body = await rig.post(PATHS[client], REQUESTS[client](stream=stream))
    assert body.count(b"(hint: ") == 1
    assert b"ask again" in body


@LANES
async def test_an_event_that_we_cannot_read_passes_on_the_verbatim_lane(client: str) -> None:
    """We only watch there; the client may know better."""
    odd = b'data: {"odd": \xff}\n\n'
    script = saying(STREAM, chunk(odd), *(chunk(STREAMS[client][i : i + 1]) for i in range(len(STREAMS[client]))), END)
    async with raw_upstream(script) as url, gateway(config({"up": provider(client, url)})) as rig:
        status, _, got = await rig.post(PATHS[client], REQUESTS[client](stream=True))
        flow = await rig.flow()
    assert (status, got) == (200, odd + STREAMS[client])
    assert "could not be watched" in flow["notes"][0]


@pytest.mark.parametrize("ending", ["cut", "late"])
async def test_an_error_keeps_its_status_without_its_words(ending: str) -> None:
    """The status and `retry-after` are there; a body that breaks off, or never comes, must not hide them."""
    words = b'{"error":{"message":"slow down","type":"requests"}}'
    said = answer(b"429 Too Many Requests", words, b"Retry-After: 7").replace(b"Content-Length: ", b"Content-Length: 9")
    async with (
        raw_upstream(saying(said, close=ending == "cut")) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        status, headers, body = await rig.post("/v1/messages", anthropic_request())
    assert (status, headers["retry-after"]) == (429, "7")
    assert b"slow down" in body


@LANES
async def test_an_answer_that_is_complete_needs_no_end_of_the_connection(client: str) -> None:
    """Some servers never close: the client must not wait for that, and the call did not fail."""
    async with (
        raw_upstream(saying(STREAM + chunk(STREAMS["openai_chat"]))) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        with anyio.fail_after(30):
            status, _, body = await rig.post(PATHS[client], REQUESTS[client](stream=True))
        flow = await rig.flow()
    assert status == 200
    assert (b"message_stop" if client == "anthropic" else b"[DONE]") in body
    assert flow["outcome"] == "ok"


@LANES
@pytest.mark.parametrize("upstream_dialect", ["anthropic", "openai_chat"])
@pytest.mark.parametrize("where", ["status", "header", "first", "middle"])
async def test_a_key_that_is_quoted_goes_nowhere(client: str, upstream_dialect: str, where: str) -> None:
    """Some servers quote what they were sent, in an error's words, its headers or an event of a stream."""
    error = (
        b'{"type":"error","error":{"type":"api_error","message":"bad key %s","param":null,"code":null}}' % KEY.encode()
    )
    body = STREAMS[upstream_dialect]
    first = body[: body.index(b"\n\n") + 2]
    event = b"event: error\ndata: " + error + b"\n\n"
    said = {
        "status": answer(b"400 Bad Request", error),
        "header": answer(b"400 Bad Request", error.replace(KEY.encode(), b"x"), b"X-Quoted: " + KEY.encode()),
        "first": STREAM + chunk(event) + END,
        "middle": STREAM + chunk(first) + chunk(event) + END,
    }[where]
    async with raw_upstream(saying(said)) as url, gateway(config({"up": provider(upstream_dialect, url)})) as rig:
        _, headers, got = await rig.post(PATHS[client], REQUESTS[client](stream=True))
        flow = await rig.flow()
    for place in (str(headers), got.decode(), str(flow), rig.log.getvalue()):
        assert KEY not in place
    assert flow["outcome"] == "failed"
    assert "bad key" in got.decode()


async def test_our_own_key_refused_inside_a_stream_is_no_401_either() -> None:
    """The client's login is not at fault, however the upstream says so."""
    event = b'data: {"error":{"message":"bad key","type":"authentication_error","param":null,"code":"invalid_api_key"}}'
    async with (
        raw_upstream(saying(STREAM + chunk(event + b"\n\n") + END)) as url,
        gateway(config({"up": provider("openai_chat", url)})) as rig,
    ):
        status, _, body = await rig.post("/v1/chat/completions", chat_request(stream=True))
    assert status == 403
    assert b"provider up refused the configured credential" in body


async def test_a_client_that_pauses_is_no_silent_upstream() -> None:
    """Back-pressure holds the upstream back for longer than its idle limit: that is not its fault."""
    idle = 0.2
    waited = asyncio.Event()
    event = chunk(b'data: {"type":"ping","padding":"%s"}\n\n' % (b"x" * 60_000))

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        middle = ANTHROPIC_HELLO.index(b"event: content_block_stop")
        writer.write(STREAM + chunk(ANTHROPIC_HELLO[:middle]))
        writer.transport.set_write_buffer_limits(0)
        for _ in range(400):  # more than all the buffers between
            writer.write(event)
            await writer.drain()
        writer.write(chunk(ANTHROPIC_HELLO[middle:]) + END)

    async with raw_upstream(script) as url:
        made = config({"up": provider("anthropic", url)}, idle_timeout_seconds=idle)
        async with (
            gateway(made) as rig,
            rig.session.post(rig.url + "/v1/messages", json=anthropic_request(stream=True)) as response,
        ):
            asyncio.get_running_loop().call_later(5 * idle, waited.set)
            await waited.wait()
            with anyio.fail_after(30):
                body = await response.read()
    assert b"silent" not in body[-500:]
    assert body.endswith(b'data: {"type":"message_stop"}\n\n')


@LANES
async def test_a_compressed_flood_is_bounded(client: str) -> None:
    """A few hundred kilobytes that unpack to as many megabytes are given up on the way."""
    packer = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(400)) + packer.flush()
    said = answer(b"200 OK", bomb, b"Content-Encoding: gzip")
    async with raw_upstream(saying(said)) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with anyio.fail_after(20):
            status, _, _ = await rig.post(PATHS[client], REQUESTS[client]())
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert status == 502
    assert grown < 250_000  # kilobytes: less than all of it


@LANES
async def test_a_flood_without_an_event_is_bounded(client: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that never comes to its first event is given up before it fills the memory."""
    monkeypatch.setattr("strowger.gateway.opening.WHOLE_LIMIT", 1_000_000)
    line = chunk(b": " + b"x" * 100_000 + b"\n\n")

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM)
        while True:
            writer.write(line)
            await writer.drain()

    async with raw_upstream(script) as url, gateway(config({"up": provider("openai_chat", url)})) as rig:
        with anyio.fail_after(30):
            status, _, body = await rig.post(PATHS[client], REQUESTS[client](stream=True))
    assert status == 502
    assert b"longer than" in body


@pytest.mark.parametrize("way", ["at once", "reset"])
async def test_a_request_that_may_have_been_read_is_not_sent_again(way: str) -> None:
    """A server that dies over a request has read it, and each reading is paid for."""
    seen = []

    async def script(request: bytes, writer: asyncio.StreamWriter) -> bool:
        seen.append(request)
        if way == "reset":
            writer.transport.abort()
        return False

    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        status, _, body = await rig.post("/v1/messages", anthropic_request())
    assert (status, len(seen)) == (502, 1)
    assert b"without an answer" in body


async def test_a_kept_connection_that_was_just_closed_is_replaced() -> None:
    """The other end closed it before it read the request: the client need not hear of that."""
    requests = []

    async def script(request: bytes, writer: asyncio.StreamWriter) -> bool:
        requests.append(request)
        if len(requests) == 2:
            return False  # closed without a word, as a server does whose own idle limit has just run out
        writer.write(answer(b"200 OK", b'{"type":"message"}'))
        return True

    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        first, _, _ = await rig.post("/v1/messages", anthropic_request())
        second, _, _ = await rig.post("/v1/messages", anthropic_request())
    assert (first, second, len(requests)) == (200, 200, 3)


async def test_a_connection_of_a_broken_stream_is_not_used_again() -> None:
    """What is left of an aborted answer must not become the beginning of the next."""
    connections = set()

    async def script(request: bytes, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        writer.write(STREAM + chunk(ANTHROPIC_HELLO[:300]))
        if b'"last"' in request:
            writer.write(chunk(ANTHROPIC_HELLO[300:]) + END)

    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        for _ in range(3):
            async with rig.session.post(rig.url + "/v1/messages", json=anthropic_request(stream=True)) as response:
                await response.content.readany()
                response.close()
        _, _, body = await rig.post("/v1/messages", anthropic_request(model="last", stream=True))
    assert body == ANTHROPIC_HELLO
    assert len(connections) == 4


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\xff\x16\x03 garbage\r\n\r\n",
        STREAM + b"zz\r\nrubbish\r\n",
        STREAM[:-2] + b"Content-Encoding: rot13\r\n\r\n" + chunk(b"x") + END,
        STREAM[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(b"data: {}") + END,
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
    ],
    ids=["garbage", "chunks", "encoding", "gzip", "head", "lengths", "upgrade", "nothing"],
)
async def test_broken_http_is_told_in_one_line(said: bytes) -> None:
    """What is wrong with it, and not the bytes themselves, which may be anything."""
    async with (
        raw_upstream(saying(said, close=True)) as url,
        gateway(config({"up": provider("anthropic", url)})) as rig,
    ):
        status, _, body = await rig.post("/v1/messages", anthropic_request(stream=True))
    message = msgspec.json.decode(body)["error"]["message"]
    assert status == 502
    assert "upstream" in message or "failed" in message
    assert not any(part in message for part in ("\n", "b'", "Traceback", "aaaa"))


async def test_long_headers_of_an_upstream_are_taken() -> None:
    """Security policies and cookies of 20 kB are met in the field; clients, who refuse them, do not get them."""
    script = saying(STREAM[:-2] + b"X-Policy: " + b"a" * 20_000 + b"\r\n\r\n" + chunk(ANTHROPIC_HELLO) + END)
    async with raw_upstream(script) as url, gateway(config({"up": provider("anthropic", url)})) as rig:
        status, headers, body = await rig.post("/v1/messages", anthropic_request(stream=True))
    assert (status, body) == (200, ANTHROPIC_HELLO)
    assert "x-policy" not in headers
