"""The fake upstream: a small fast HTTP/1.1 server that speaks the streams of all four dialects.

`python -m bench.upstream [--cert FILE --key FILE]` prints one line of JSON with its ports, plain and TLS, and serves
until its stdin closes. It must not become the bottleneck, so it is one asyncio.Protocol; and it must not know who asks:
the path chooses the dialect, the model name the number and the pace of the events (see script.py).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import ssl
import sys
from functools import lru_cache
from typing import cast

import msgspec
import uvloop

from bench import script
from bench.processes import raise_file_limit

# About as many headers, and as long, as the real services send.
_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"date: Thu, 20 Nov 2025 12:00:00 GMT\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n"
    b"connection: keep-alive\r\n"
    b"cache-control: no-cache\r\n"
    b"request-id: req_011BenchBenchBenchBench\r\n"
    b"anthropic-organization-id: 00000000-0000-0000-0000-000000000000\r\n"
    b"anthropic-ratelimit-requests-limit: 4000\r\n"
    b"anthropic-ratelimit-requests-remaining: 3999\r\n"
    b"anthropic-ratelimit-requests-reset: 2025-11-20T12:00:00Z\r\n"
    b"anthropic-ratelimit-tokens-limit: 4800000\r\n"
    b"anthropic-ratelimit-tokens-remaining: 4800000\r\n"
    b"anthropic-ratelimit-tokens-reset: 2025-11-20T12:00:00Z\r\n"
    b"strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    b"x-envoy-upstream-service-time: 812\r\n"
    b"cf-cache-status: DYNAMIC\r\n"
    b"server: bench\r\n\r\n"
)
_OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


@lru_cache(maxsize=64)
def _burst(stream: script.Stream, events: int) -> bytes:
    return _HEAD + stream.whole(events)


class UpstreamConnection(asyncio.Protocol):
    """One client connection; requests one after another."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.timer: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's own class, of the same shape

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the pace of a stream nobody reads."""
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self.received += data
        while (end := self._request_end()) is not None:
            path = bytes(self.received[: self.received.find(b"\r\n")]).split(b" ")[1].partition(b"?")[0]
            events, rate = script.read_order(self.received[:end])
            del self.received[:end]
            self._answer(path, events, rate)

    def _request_end(self) -> int | None:
        """Where the first request ends, None while it is incomplete."""
        head_end = self.received.find(b"\r\n\r\n") + 4
        if head_end < 4:
            return None
        head = bytes(self.received[:head_end]).lower()
        if b"\r\ntransfer-encoding: chunked" in head:
            last = self.received.find(b"0\r\n\r\n", head_end)
            return None if last < 0 else last + 5
        at = head.find(b"\r\ncontent-length:")
        length = int(head[at + 17 : head.find(b"\r\n", at + 17)]) if at >= 0 else 0
        return head_end + length if len(self.received) >= head_end + length else None

    def _answer(self, path: bytes, events: int, rate: int) -> None:
        stream = next((each for each in script.STREAMS.values() if path.endswith(each.path)), None)
        if stream is None:
            self.transport.write(_OK)
            return
        if rate == 0:
            self.transport.write(_burst(stream, events).replace(script.BLANK_STAMP, script.now_stamp()))
            return
        self.transport.write(_HEAD + stream.head)
        # Streams start at any phase: events of many streams must not arrive as one wake-up.
        first = self.loop.time() + random.random() / rate
        self.timer = self.loop.call_at(first, self._tick, stream, events, 1 / rate, first)

    def _tick(self, stream: script.Stream, left: int, step: float, due: float) -> None:
        event = stream.delta.replace(script.BLANK_STAMP, script.now_stamp())
        if left == 1:
            self.timer = None
            self.transport.write(event + stream.tail)
            return
        self.transport.write(event)
        self.timer = self.loop.call_at(due + step, self._tick, stream, left - 1, step, due + step)


async def serve(cert: str | None, key: str | None) -> None:
    """Listen on free loopback ports, say which, serve until stdin closes."""
    loop = asyncio.get_running_loop()
    plain = await loop.create_server(UpstreamConnection, "127.0.0.1", 0, backlog=1024)
    ports = {"plain": plain.sockets[0].getsockname()[1]}
    if cert is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(cert, key)
        secure = await loop.create_server(UpstreamConnection, "127.0.0.1", 0, ssl=tls, backlog=1024)
        ports["tls"] = secure.sockets[0].getsockname()[1]
    print(msgspec.json.encode(ports).decode(), flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()


def main() -> None:
    """Entry point of the upstream process."""
    parser = argparse.ArgumentParser(prog="python -m bench.upstream", description="fake upstream for the bench")
    parser.add_argument("--cert", help="certificate file (PEM); with it a TLS port is opened too")
    parser.add_argument("--key", help="private key file (PEM)")
    args = parser.parse_args()
    raise_file_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(args.cert, args.key))


if __name__ == "__main__":
    main()
