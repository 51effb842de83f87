"""A whole gateway in this process, on a real socket, in front of upstreams that a test controls byte by byte."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import aiohttp
import anyio
import msgspec
from aiohttp import web

from strowger.config.references import parse_reference
from strowger.config.schema import Config, Flows, Limits, Match, ProviderConfig, Responses, Retries, RouteConfig, Server
from strowger.gateway.app import Gateway, build
from strowger.gateway.server import bind, serve
from strowger.telemetry.logs import Log

KEY = "upstream-key-7f3a"
ENV = {"UPSTREAM_KEY": KEY}
QUICK = Retries(first_delay_seconds=0.001, longest_delay_seconds=0.05)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def upstream(handler: Handler) -> AsyncIterator[str]:
    """An HTTP server whose every request goes to `handler`; gives its URL."""
    app = web.Application(client_max_size=2**30)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.2, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def provider(dialect: str, url: str, **more: Any) -> ProviderConfig:
    """A provider at `url`."""
    auth = parse_reference(more.pop("auth", "env:UPSTREAM_KEY"))
    return ProviderConfig(dialect=dialect, base_url=url, auth=auth, **more)  # type: ignore[arg-type]


def config(providers: dict[str, ProviderConfig], routes: Sequence[RouteConfig] = (), **server: Any) -> Config:
    """A configuration; keywords go to [server], except the two limits, `retries` and `flows`. Nothing is stored.

    Unless a test says otherwise, the waits between tries are too short to notice.
    """
    retries = server.pop("retries", None) or QUICK
    flows = server.pop("flows", None) or Flows(store=False)
    limits = {name: server.pop(name) for name in ("idle_timeout_seconds", "heartbeat_seconds") if name in server}
    return Config(
        providers=MappingProxyType(providers),
        routes=tuple(routes) or (RouteConfig(match=Match(model="*"), to=next(iter(providers))),),
        server=Server(port=0, **{"grace_seconds": 0.5, **server}),
        limits=Limits(**limits),
        retries=retries,
        flows=flows,
        responses=Responses(file=":memory:"),
    )


class Rig:
    """A running gateway and a client session for it."""

    def __init__(self, gateway: Gateway, url: str, session: aiohttp.ClientSession, log: io.StringIO) -> None:
        self.gateway = gateway
        self.url = url
        self.session = session
        self.log = log

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, body."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        lines = {"content-type": "application/json", **{name.replace("_", "-"): text for name, text in headers.items()}}
        async with self.session.post(self.url + path, data=data, headers=lines) as response:
            return response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read()

    async def flow(self) -> dict[str, Any]:
        """The newest flow, once it has ended."""
        from strowger.flows.flow import summary

        with anyio.fail_after(30):
            while True:
                for flow in self.gateway.recorder.latest(1):
                    if flow.outcome != "running":
                        return summary(flow)
                await anyio.sleep(0.005)


@asynccontextmanager
async def gateway(config: Config, **options: Any) -> AsyncIterator[Rig]:
    """A gateway for `config` on an ephemeral port."""
    log = io.StringIO()
    server = config.server
    async with (
        build(config, log=Log(stream=log), **{"env": ENV, **options}) as built,
        serve(
            built,
            bind("127.0.0.1", 0, external=False),
            max_body=server.max_body_mb * 2**20,
            max_header=server.max_header_kb * 2**10,
            grace=server.grace_seconds,
        ) as running,
        aiohttp.ClientSession() as session,
    ):
        yield Rig(built, running.url, session, log)


def anthropic_request(**more: Any) -> dict[str, Any]:
    """A small Messages request."""
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}], **more}


def chat_request(**more: Any) -> dict[str, Any]:
    """A small Chat request."""
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}


def sse(*events: dict[str, Any] | bytes, named: bool = False) -> bytes:
    """Events as a stream; `named` adds `event:` lines from their type."""
    out = b""
    for event in events:
        if isinstance(event, bytes):
            out += event
            continue
        if named:
            out += f"event: {event['type']}\n".encode()
        out += b"data: " + msgspec.json.encode(event) + b"\n\n"
    return out


def chat_chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One Chat chunk."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "up",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        **more,
    }


CHAT_HELLO = sse(
    chat_chunk({"role": "assistant", "content": ""}),
    chat_chunk({"content": "Hello"}),
    chat_chunk({"content": " you"}),
    chat_chunk({}, "stop"),
    {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "up",
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    },
    b"data: [DONE]\n\n",
)

ANTHROPIC_HELLO = sse(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "up",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 9, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
    named=True,
)
