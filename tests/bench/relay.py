"""A proxy that hands bytes on and knows nothing: a subject for the bench's own test. `relay.py PORT UPSTREAM_PORT`."""

from __future__ import annotations

import sys

import anyio
from anyio.abc import SocketStream


async def pump(source: SocketStream, sink: SocketStream) -> None:
    try:
        async for data in source:
            await sink.send(data)
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        pass
    await source.aclose()
    await sink.aclose()


async def relay(client: SocketStream) -> None:
    async with await anyio.connect_tcp("127.0.0.1", int(sys.argv[2])) as upstream, anyio.create_task_group() as group:
        group.start_soon(pump, upstream, client)
        await pump(client, upstream)


async def main() -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=int(sys.argv[1]))
    await listener.serve(relay)


anyio.run(main)
