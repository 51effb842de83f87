"""One connection of a client: bytes in, requests out, one after another. HTTP/1.1, up to the step to a WebSocket.

Parsing is llhttp's (httptools), strict as it comes: lengths given twice, lengths beside chunks, bare line feeds and
control characters are refused. Here is what stands around it: limits, waiting, pipelining, what an end of input means.
A request is shown to the `Desk` when its head is there, before any of its body is kept, and handed to it when it is
whole. Must not know what is served.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Protocol, cast

import httptools
from msgspec import Struct

from strowger.errors import BadRequest, GatewayError, TooLarge
from strowger.gateway.delivery import ClientGone
from strowger.gateway.replies import HttpReply
from strowger.upstreams.base import Headers
from strowger.upstreams.heads import Head, split

# More lines than any client sends; each costs memory before anyone is known.
_MOST_HEADERS = 256
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Waits(Struct, frozen=True):
    """How long a connection is waited for, in seconds: its first whole head, the next one, the next piece of a body,
    and the rest of a body that nobody wants.
    """

    first_head: float
    next_head: float
    body: float
    rest: float


class Frames(Protocol):
    """What a connection becomes after an upgrade."""

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        ...

    def lost(self) -> None:
        """The connection is gone."""
        ...


class Desk(Protocol):
    """Who is asked. Both synchronous calls answer with `Request.refuse` where they do not like what they see."""

    def admit(self, request: Request) -> None:
        """A head has come: answer it now, or let its body be read."""
        ...

    async def serve(self, request: Request) -> None:
        """A whole request, to be answered before this returns. Raises ClientGone."""
        ...

    def refuse(self, request: Request, error: GatewayError) -> None:
        """Answer a request that cannot be read."""
        ...

    def connected(self, connection: ClientConnection) -> None:
        """A client has come."""
        ...

    def gone(self, connection: ClientConnection) -> None:
        """A client has left."""
        ...


class Request:
    """A request as far as it has come. Header names in `headers` are lower case; `items` keeps order and case.

    `work` is the desk's own: what it found out from the head.
    """

    __slots__ = (
        "connection",
        "fields",
        "headers",
        "is_head",
        "items",
        "keeps",
        "method",
        "modern",
        "over",
        "parts",
        "reply",
        "size",
        "target",
        "url",
        "whole",
        "work",
    )

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self.whole = False
        self.over = False
        self.method = self.target = ""
        self.is_head = False
        self.modern = self.keeps = True
        self.items: Headers = ()
        self.headers: dict[str, str] = {}
        self.work: object = None
        self.reply = HttpReply(self)

    def open(self, method: bytes, version: str, *, keeps: bool, head: Head | None = None) -> None:
        """The head is there, and perhaps read already. Raises BadRequest for what llhttp lets pass."""
        self.method = method.decode("ascii")
        self.is_head = method == b"HEAD"
        self.modern, self.keeps = version == "1.1", keeps
        self.target = self.url.decode("utf-8", "surrogateescape")
        if head is not None:
            self.items, self.headers = head.items, head.named
        else:
            self._read()
        headers = self.headers
        hosts = 1 if "host" in headers else 0
        if hosts and len(headers) < len(self.items):
            hosts = sum([name.lower() == "host" for name, _ in self.items])
        if hosts != 1 and (self.modern or hosts):
            self.keeps = False
            raise BadRequest("a request has one Host header")
        coding = headers.get("transfer-encoding")
        if coding is not None and (coding.strip().lower() != "chunked" or not self.modern):
            self.keeps = False
            raise BadRequest("a body may come in chunks, and in no other transfer coding")

    def _read(self) -> None:
        """The fields as the parser told them."""
        items: list[tuple[str, str]] = []
        headers = self.headers
        for raw, value in self.fields:
            name, low = _name(raw)
            text = value.decode("utf-8", "surrogateescape")
            items.append((name, text))
            headers[low] = text
        self.items = tuple(items)
        self.fields = []

    @property
    def body(self) -> bytes:
        """The body as it came; the pieces are given up."""
        parts, self.parts = self.parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def go_on(self) -> None:
        """Tell a client that asks before it sends that its body is welcome."""
        if not self.whole:
            self.connection.send(_CONTINUE)

    def refuse(self, status: int, headers: Headers, body: bytes) -> None:
        """Answer now. What still comes of the body is thrown away."""
        self.parts = []
        self.reply.say(status, headers, body)


@lru_cache(maxsize=1024)
def _name(raw: bytes) -> tuple[str, str]:
    """A header's name as written and in lower case: there are few, and they come with every request."""
    name = raw.decode("utf-8", "surrogateescape")
    return name, name.lower()


class ClientConnection(asyncio.Protocol):
    """The protocol of one connection. `spawn` runs a coroutine function in the server's own task group."""

    def __init__(
        self,
        desk: Desk,
        waits: Waits,
        spawn: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
        *,
        max_body: int,
        max_head: int,
    ) -> None:
        self._desk = desk
        self._waits = waits
        self._spawn = spawn
        self._max_body = max_body
        self._max_head = max_head
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._arriving: Request | None = None
        self._current: Request | None = None
        self._queue: deque[Request] | None = None
        self._head_size = 0
        self._split: Head | None = None
        self._headed = False
        self._deaf = False
        self._closing = False
        self._bad = ""
        self._offer: Request | None = None
        self._frames: Frames | None = None
        self._task: asyncio.Task[Any] | None = None
        self._todo: Request | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Event | None = None
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.peer = ""

    # ---- for the server and for replies ----

    @property
    def lost(self) -> bool:
        """Whether nothing can be written any more."""
        return self._transport is None or self._transport.is_closing()

    @property
    def closing(self) -> bool:
        """Whether no further request will be taken."""
        return self._closing

    def finish(self) -> None:
        """Take no further request: a connection that waits for one is closed now, another one after its answer."""
        self._closing = True
        self._queue = None
        if self._current is None:
            self.close()

    def cancel(self) -> None:
        """End what is being served."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Close when all that was written is sent."""
        self._deaf = self._closing = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._deaf = self._closing = True
        if self._transport is not None:
            self._transport.abort()

    def send(self, data: bytes) -> None:
        """Write bytes. Raises ClientGone."""
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ClientGone
        transport.write(data)

    @property
    def keeps_up(self) -> bool:
        """Whether the client is there and takes what it is sent: nothing would have to be awaited."""
        transport = self._transport
        return self._writable is None and transport is not None and not transport.is_closing()

    @property
    def is_full(self) -> bool:
        """Whether the client takes less than it is sent: `drained` has to be awaited."""
        return self._writable is not None

    async def drained(self) -> None:
        """Wait until the client has taken most of what was written. Raises ClientGone."""
        if self._writable is not None:
            await self._writable.wait()
        if self._transport is None:
            raise ClientGone

    def become(self, frames: Frames) -> None:
        """From now on bytes are not HTTP."""
        self._frames = frames

    def listen(self, *, on: bool) -> None:
        """Read from the socket, or leave it for a while."""
        if self._transport is not None and not self._transport.is_closing():
            if on:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    # ---- asyncio.Protocol ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast("asyncio.Transport", transport)
        address = transport.get_extra_info("peername")
        self.peer = str(address[0]) if isinstance(address, tuple) else ""
        self._wait(self._waits.first_head)
        self._desk.connected(self)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._frames is not None:
            self._frames.feed(data)
            return
        if self._deaf:
            return
        if not self._headed:
            self._head_size += len(data)
        while data:
            try:
                if self._arriving is None and data.startswith((b"POST ", b"GET ")):
                    self._begun_with(data)
                else:
                    self._parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                frames = self._upgraded()
                if frames is not None:
                    if data:
                        frames.feed(data)
                    return
                if self._offer is not None:
                    self._decline(self._offer)
            except httptools.HttpParserError as error:
                self._malformed(f"this is not HTTP: {error}")
            if self._is_deaf():
                return
        request = self._arriving
        if request is None:
            return
        if not self._headed:
            if self._head_size > self._max_head:
                self._malformed(f"the head of the request is longer than {self._max_head // 1024} KB")
        elif request is self._current and not request.over:
            self._wait(self._waits.body)

    def _begun_with(self, data: bytes) -> None:
        """A message begins here, perhaps with all of its head."""
        head = split(data, self._max_head, _MOST_HEADERS)
        if head is None:
            self._parser.feed_data(data)
            return
        self._split = head
        head.show(self._parser.feed_data, data)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """It has caught up."""
        writable, self._writable = self._writable, None
        if writable is not None:
            writable.set()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone: what was being done for it stops."""
        self._transport = None
        self._deaf = self._closing = True
        self._queue = None
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        if self._frames is not None:
            self._frames.lost()
        if self._task is not None:
            self._task.cancel()
        self._desk.gone(self)

    # ---- httptools ----

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._offer is not None:
            return
        self._arriving = Request(self)
        self._head_size = 0
        self._headed = False

    def on_url(self, url: bytes) -> None:
        """The target, or a piece of it."""
        if self._offer is None and self._arriving is not None:
            self._arriving.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header line."""
        if self._split is None and self._offer is None and self._arriving is not None:
            self._arriving.fields.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        if self._offer is not None:
            self._offer = None
            return
        request, parser = self._arriving, self._parser
        assert request is not None
        self._headed = True
        head, self._split = self._split, None
        if head is None:
            fields = request.fields
            size = len(request.url) + sum([len(name) + len(value) for name, value in fields])
            if size > self._max_head or len(fields) > _MOST_HEADERS:
                self._malformed(f"the head of the request is longer than {self._max_head // 1024} KB")
        try:
            request.open(parser.get_method(), parser.get_http_version(), keeps=parser.should_keep_alive(), head=head)
        except BadRequest as error:
            self._malformed(error.message)
        if self._is_deaf():
            return
        if parser.should_upgrade() and ("content-length" in request.headers or "transfer-encoding" in request.headers):
            self._offer = request
        if self._current is None:
            self._begin(request)
        else:  # a client that does not wait for answers; it waits now
            if self._queue is None:
                self._queue = deque()
            self._queue.append(request)
            self.listen(on=False)

    def on_body(self, data: bytes) -> None:
        """A piece of a body."""
        request = self._arriving
        if request is None or request.over or self._deaf:
            return
        request.parts.append(data)
        request.size += len(data)
        if request.size > self._max_body and request is self._current:
            self._desk.refuse(request, too_large(self._max_body))

    def on_message_complete(self) -> None:
        """The end of a request."""
        if self._offer is not None:
            return
        request, self._arriving = self._arriving, None
        self._headed = False
        if request is None or self._deaf:
            return
        request.whole = True
        if request is self._current:
            self._deadline = None
            if request.over:
                self._advance()
            else:
                self._hand(request)

    def _upgraded(self) -> Frames | None:
        return self._frames

    def _is_deaf(self) -> bool:
        return self._deaf

    def _decline(self, request: Request) -> None:
        """A client offered to go on in another protocol (curl does, HTTP/2) and sends its body all the same. The parser
        believes that HTTP has ended: another one is told that a body of this length follows.
        """
        headers = request.headers
        length = headers.get("content-length")
        told = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(f"POST / HTTP/1.1\r\nHost: x\r\n{told}\r\n\r\n".encode("ascii"))

    # ---- requests, one after another ----

    def _begin(self, request: Request) -> None:
        self._current = request
        self._deadline = None
        if request.size > self._max_body:
            self._desk.refuse(request, too_large(self._max_body))
        else:
            self._desk.admit(request)
        if request.over and not request.whole:
            # The client sees the answer before the end, not a reset.
            self._wait(self._waits.rest)

    def _hand(self, request: Request) -> None:
        self._todo = request
        if self._waiter is not None:
            if not self._waiter.done():
                self._waiter.set_result(None)
        elif self._task is None:
            self._spawn(self._work)

    async def _work(self) -> None:
        """Serve whole requests, one after another, until the connection ends. Leaving cancels it."""
        self._task = asyncio.current_task()
        try:
            while not self._closing or self._todo is not None:
                request, self._todo = self._todo, None
                if request is not None:
                    await self._desk.serve(request)
                    self._advance()
                    del request.reply  # they hold each other, and a garbage collector costs more than this
                elif self._transport is not None:
                    self._waiter = self._loop.create_future()
                    try:
                        await self._waiter
                    finally:
                        self._waiter = None
        except asyncio.CancelledError:
            if self._transport is not None:
                self.close()
        finally:
            self._task = None

    def _advance(self) -> None:
        """An answer is over and its request too: on to the next."""
        while True:
            done, self._current = self._current, None
            if self._bad and not self._queue:
                self._say_bad()
                return
            if self._closing or (done is not None and not done.keeps):
                self.close()
                return
            if not self._queue:
                self._wait(self._waits.next_head)
                return
            request = self._queue.popleft()
            if not self._queue:
                self._queue = None
                self.listen(on=True)
            self._begin(request)
            if not request.whole:
                return
            if not request.over:
                self._hand(request)
                return

    def _malformed(self, why: str) -> None:
        """Nothing that follows can be understood. Who waits for an answer to something earlier gets that first."""
        self._deaf = True
        self._bad = why
        if self._current is None:
            self._say_bad()
        elif self._current is self._arriving and not self._current.over:
            self._current.keeps = False
            self._desk.refuse(self._current, BadRequest(f"the body could not be read: {why}"))
            self.close()

    def _say_bad(self) -> None:
        request = Request(self)
        request.keeps = False
        self._desk.refuse(request, BadRequest(self._bad))
        self.close()

    # ---- waiting ----

    def _wait(self, seconds: float) -> None:
        """Give the client so long. One timer for all waits, which looks at the deadline when it fires."""
        when = self._deadline = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        deadline = self._deadline
        if deadline is None or self._frames is not None:
            return
        if self._loop.time() < deadline:
            self._timer = self._loop.call_at(deadline, self._look)
            return
        request = self._current
        if request is not None and request is self._arriving and not request.over:
            request.keeps = False
            said = f"nothing of the body came for {self._waits.body:g} seconds"
            self._desk.refuse(request, BadRequest(said))
        self.close()


def too_large(limit: int) -> TooLarge:
    """What is said to a body of more than `limit` bytes."""
    return TooLarge(f"the request body is larger than {limit // (1024 * 1024)} MB", hint="raise server.max_body_mb")
