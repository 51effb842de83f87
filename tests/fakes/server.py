"""The socket, the record and the script that every fake vendor shares. Knows no dialect.

A subclass says which routes there are, checks a request and turns a scripted reply into a body or a list of events.
"""

from __future__ import annotations

import argparse
import asyncio
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Self

import anyio
import msgspec
from aiohttp import web
from msgspec import Struct

from tests.fakes.authority import Authority
from tests.fakes.script import Delivery, Hang, Reply, ScriptItem, Step

BODY_LIMIT = 32 * 1024 * 1024


class Seen(Struct):
    """A request as it arrived, and what became of it. Times are seconds of `time.monotonic`.

    `raw` is the body after HTTP content decoding. `ended`: the whole answer went out (sent), the client hung up (left),
    or the script broke it off (cut). `answer` holds the body bytes that were written, before any compression.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    raw: bytes
    arrived: float
    connection: int = 0
    status: int = 0
    refused: str = ""
    ended: Literal["", "sent", "left", "cut"] = ""
    ended_at: float = 0.0
    answer: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header, by its name in any case; None when it was not sent."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def body(self) -> Any:
        """The body as decoded JSON, None when there is none."""
        return msgspec.json.decode(self.raw) if self.raw else None


class FakeServer:
    """One fake vendor on an ephemeral port of 127.0.0.1. `tls`: over TLS, with a certificate of that authority."""

    def __init__(self, *, script: tuple[ScriptItem, ...] = (), tls: Authority | None = None) -> None:
        self.requests: list[Seen] = []
        self.port = 0
        self._tls = tls
        self._script: deque[ScriptItem] = deque(script)
        self._runner: web.AppRunner | None = None

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        """Listen; `base_url` is valid from here on."""
        app = web.Application(client_max_size=BODY_LIMIT + 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
        await self._runner.setup()
        context = self._tls.serving() if self._tls else None
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=context).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve from a thread with its own loop, for tests whose client is a subprocess."""
        ready, stoppers = threading.Event(), list[Callable[[], object]]()

        async def serve() -> None:
            loop, stop = asyncio.get_running_loop(), anyio.Event()
            stoppers.append(lambda: loop.call_soon_threadsafe(stop.set))
            async with self:
                ready.set()
                await stop.wait()

        thread = threading.Thread(target=anyio.run, args=(serve,), daemon=True)
        thread.start()
        if not ready.wait(30):
            raise RuntimeError("the fake did not start")
        try:
            yield self
        finally:
            stoppers[0]()
            thread.join(10)

    @property
    def base_url(self) -> str:
        """`http://127.0.0.1:PORT`, `https://…` with TLS, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    # -- script and record -----------------------------------------------------------------------------------------

    def script(self, *items: ScriptItem) -> None:
        """Answer the next accepted inference requests so; the brain takes over after the last."""
        self._script.extend(items)

    def forget(self) -> None:
        """Empty the record and the script."""
        self.requests.clear()
        self._script.clear()

    def inferences(self) -> list[Seen]:
        """The requests that asked for a completion, in order of arrival."""
        return [seen for seen in self.requests if self.is_inference(seen)]

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait until the record shows something; TimeoutError when it does not."""
        with anyio.fail_after(seconds):
            while not condition():  # noqa: ASYNC110  the record is plain data that several threads look at
                await anyio.sleep(0.005)

    def is_inference(self, seen: Seen) -> bool:
        """Whether the request asks for a completion."""
        raise NotImplementedError

    async def answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        """Answer one request. Given by the dialect."""
        raise NotImplementedError

    def next_step(self, body: dict[str, Any], otherwise: Callable[[], Step]) -> Step:
        """The next step of the script, else what the brain says."""
        if not self._script:
            return otherwise()
        item = self._script.popleft()
        return item(body) if callable(item) else item

    # -- one request -----------------------------------------------------------------------------------------------

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in request.raw_headers)
        peer = request.transport.get_extra_info("peername") if request.transport else None
        seen = Seen(
            method=request.method,
            path=request.path,
            query=request.query_string,
            headers=headers,
            raw=await request.read(),
            arrived=time.monotonic(),
            connection=peer[1] if peer else 0,
        )
        self.requests.append(seen)
        try:
            response = await self.answer(request, seen)
        except (asyncio.CancelledError, ConnectionResetError):
            end(seen, "left")
            raise
        seen.status = response.status
        if isinstance(response, web.Response) and not response.prepared:
            seen.answer = bytes(response.body) if isinstance(response.body, bytes) else b""
            end(seen, "sent")
        return response


def end(seen: Seen, how: Literal["sent", "left", "cut"]) -> None:
    """Note how a request ended; the first reason stays."""
    if not seen.ended:
        seen.ended, seen.ended_at = how, time.monotonic()


def json_response(
    value: Any, status: int = 200, headers: dict[str, str] | None = None, *, compress: bool = False
) -> web.Response:
    """A JSON body, gzip-compressed whether or not it was asked for when `compress`."""
    body = msgspec.json.encode(value)
    headers = {"content-type": "application/json", **(headers or {})}
    if compress:
        packer = zlib.compressobj(wbits=31)
        body = packer.compress(body) + packer.flush()
        headers["content-encoding"] = "gzip"
    return web.Response(body=body, status=status, headers=headers)


async def hang(request: web.Request, seen: Seen, step: Hang) -> web.StreamResponse:
    """Reset the connection before any header, or never answer."""
    if step.drop:
        end(seen, "cut")
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the script dropped the connection")
    await anyio.sleep_forever()
    raise AssertionError("unreachable")


async def stream(
    request: web.Request, seen: Seen, events: list[bytes], reply: Reply, headers: dict[str, str], failure: bytes
) -> web.StreamResponse:
    """Write SSE events as the delivery says. `failure` is the dialect's error event for `cut="error"`."""
    delivery = reply.delivery
    headers = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", **headers}
    if delivery.gzip:
        headers["content-encoding"] = "gzip"
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    seen.status = 200
    writer = _Writer(response, seen, delivery)
    cut = delivery.cut
    for event in events if cut is None or cut == "garbage" else events[: delivery.cut_after]:
        await writer.write(event)
        if cut == "garbage" and writer.events == delivery.cut_after:
            await writer.write(b"event: content_block_delta\ndata: {this is not json\n\n")
    if cut in ("stall", "drop"):
        await _break_off(request, seen, cut)
    if cut == "error":
        await writer.write(failure)
    await writer.close()
    end(seen, "sent" if cut is None else "cut")
    return response


async def _break_off(request: web.Request, seen: Seen, cut: str) -> None:
    if cut == "stall":
        await anyio.sleep_forever()
    end(seen, "cut")
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("the script dropped the connection")


class _Writer:
    """Turns events into bytes on the wire: line ends, comments, compression, odd chunk borders."""

    def __init__(self, response: web.StreamResponse, seen: Seen, delivery: Delivery) -> None:
        self._response = response
        self._seen = seen
        self._delivery = delivery
        self._packer = zlib.compressobj(wbits=31) if delivery.gzip else None
        self.events = 0

    async def write(self, event: bytes) -> None:
        delivery = self._delivery
        self.events += 1
        if not delivery.event_lines:
            event = b"".join(line for line in event.splitlines(keepends=True) if not line.startswith(b"event:"))
        if delivery.comments:
            event = b": keep-alive\n\n" + event
        if delivery.crlf:
            event = event.replace(b"\n", b"\r\n")
        self._seen.answer += event
        if self._packer is not None:
            event = self._packer.compress(event) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        size = delivery.piece or len(event)
        for start in range(0, len(event), size):
            await self._response.write(event[start : start + size])
            # Without giving up the loop the kernel would join the pieces; that is also where a hang-up is noticed.
            await anyio.sleep(delivery.pause)

    async def close(self) -> None:
        if self._packer is not None:
            await self._response.write(self._packer.flush())
        await self._response.write_eof()


def run_alone(make: Callable[[str], FakeServer], description: str, flavours: tuple[str, ...]) -> None:
    """`python -m tests.fakes.<dialect> [--port N] [--flavour NAME]`: print the base URL, serve until interrupted."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--flavour", choices=flavours, default=flavours[0])
    options = parser.parse_args()

    async def main() -> None:
        fake = make(options.flavour)
        await fake.start(options.port)
        print(fake.base_url, flush=True)
        try:
            await anyio.sleep_forever()
        finally:
            await fake.stop()

    try:
        anyio.run(main)
    except KeyboardInterrupt:
        return
