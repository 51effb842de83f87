"""The listening end: requests become calls, and what is wrong with them becomes an answer.

Requests are checked for where they come from before their body is read. A client that hangs up cancels its call at
once; a shutdown lets the running calls finish for a while, then cancels them. Bytes and connections are `inbound`'s.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import anyio
import msgspec
from msgspec import Struct

from strowger.config.checks import is_loopback
from strowger.errors import BadRequest, ConfigError, ErrorKind, Forbidden, GatewayError
from strowger.gateway.access import Access
from strowger.gateway.compressed import CODINGS, inflated
from strowger.gateway.delivery import ClientGone, Reply
from strowger.gateway.endpoints import ADMIN, RESPONSES, Call, Endpoint, Verb
from strowger.gateway.inbound import ClientConnection, Request, Waits, too_large
from strowger.gateway.websocket import Connection
from strowger.upstreams.base import Headers

if TYPE_CHECKING:
    from strowger.gateway.frames import SocketFrames

_PORTS = {"http": 80, "https": 443}
# How long the rest of a refused body is read and thrown away, so that the client sees the answer instead of a reset.
_LINGER_SECONDS = 3.0
_CLOSE_SECONDS = 0.5
# How long the next piece of a body is waited for: who holds a call open so holds up a shutdown too.
_BODY_SECONDS = 60.0
# How long a connection may stay without a request, or with half a one: at first, and between two. Whoever may connect
# could else use up the descriptors before any token is looked at.
_FIRST_HEAD_SECONDS = 30.0
_KEEPALIVE_SECONDS = 75.0
_JSON: Headers = (("Content-Type", "application/json"),)
# A link in a terminal of the browser, or in our documentation, may lead to the dashboard.
_PAGE = f"{ADMIN}/"

_LOG = logging.getLogger(__name__)


class App(Protocol):
    """What the server serves."""

    access: Access

    def locate(self, method: str, path: str, headers: dict[str, str], query: str) -> Endpoint:
        """The endpoint of a URL; raises UnknownPath."""
        ...

    async def handle(self, call: Call, reply: Reply) -> None:
        """Answer a call; raises ClientGone."""
        ...

    def nothing(self, call: Call) -> bytes:
        """The stream of an answer that says nothing, to a call that nobody is asked. Raises GatewayError."""
        ...

    def refuse(self, error: GatewayError, headers: dict[str, str], path: str) -> tuple[int, Headers, bytes]:
        """The answer to a request that never became a call."""
        ...

    def finish(self) -> None:
        """Nothing more is accepted: let answers end that have no end of their own."""
        ...


class _Work(Struct):
    """What was found out from a request's head. `frames`: it has become a WebSocket."""

    path: str
    query: str
    endpoint: Endpoint
    coding: str = ""
    frames: SocketFrames | None = None


class Server:
    """Serves an app on one socket. Use `serve`. `spawn` runs a coroutine function in its task group."""

    def __init__(
        self,
        app: App,
        spawn: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
        *,
        max_body: int,
        max_header: int,
    ) -> None:
        self._app = app
        self._spawn = spawn
        self._max_body = max_body
        self._max_header = max_header
        self._listener: asyncio.Server | None = None
        self._clients: set[ClientConnection] = set()
        self._sockets: set[Connection] = set()
        self._running = 0
        self._drained: anyio.Event | None = None
        self.url = ""
        self.port = 0

    async def listen(self, sock: socket.socket) -> None:
        """Start to accept on a bound socket."""
        host, port = sock.getsockname()[:2]
        self.port = port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._client, sock=sock, backlog=1024)

    def _client(self) -> ClientConnection:
        waits = Waits(_FIRST_HEAD_SECONDS, _KEEPALIVE_SECONDS, _BODY_SECONDS, _LINGER_SECONDS)
        return ClientConnection(self, waits, self._spawn, max_body=self._max_body, max_head=self._max_header)

    async def stop(self, grace: float) -> None:
        """Accept nothing more, give running calls `grace` seconds, then end them."""
        if self._listener is not None:
            self._listener.close()
        self._drained = anyio.Event()
        for client in tuple(self._clients):
            client.finish()  # one that waits for a next request goes at once
        for connection in tuple(self._sockets):
            connection.finish()
        self._app.finish()
        if self._running:
            with anyio.move_on_after(grace):
                await self._drained.wait()
        for client in tuple(self._clients):
            client.cancel()

    # ---- for the connections ----

    def connected(self, connection: ClientConnection) -> None:
        """A client has come."""
        self._clients.add(connection)
        if self._drained is not None:
            connection.finish()

    def gone(self, connection: ClientConnection) -> None:
        """A client has left."""
        self._clients.discard(connection)

    def admit(self, request: Request) -> None:
        """Look at a head. What it may not ask for is told at once, before there is a body."""
        try:
            request.work = self._work(request)
        except GatewayError as error:
            self.refuse(request, error)

    def refuse(self, request: Request, error: GatewayError) -> None:
        """Answer with an error, in the dialect of the request's path where there is one."""
        try:
            if request.target:
                status, headers, body = self._app.refuse(error, request.headers, request.target)
            else:
                status, headers, body = 400, _JSON, _unheard(error)
            request.refuse(status, headers, body)
        except ClientGone:
            request.connection.abort()

    async def serve(self, request: Request) -> None:
        """Have a whole request answered."""
        self._running += 1
        try:
            await self._answer(request)
        except ClientGone:
            request.connection.abort()
        except GatewayError as error:
            self.refuse(request, error)
        except Exception:  # noqa: BLE001 - the edge: one request, of any kind, must not take the server down
            _LOG.exception("a request could not be served: %s", request.method)
            if request.reply.started:
                request.connection.abort()
            else:
                self.refuse(request, GatewayError("something broke inside the gateway", kind=ErrorKind.INTERNAL))
        finally:
            self._running -= 1
            if self._drained is not None and not self._running:
                self._drained.set()

    async def _answer(self, request: Request) -> None:
        work = request.work
        assert isinstance(work, _Work)
        if work.frames is not None:
            await self._serve_socket(request, work, work.frames)
            return
        await self._app.handle(self._call(request, work), request.reply)
        if not request.over:
            raise GatewayError("a call ended without an answer", kind=ErrorKind.INTERNAL)

    def _call(self, request: Request, work: _Work) -> Call:
        body = request.body
        if work.coding:
            body = inflated(body, work.coding, self._max_body)
        peer = request.connection.peer
        return Call(request.method, work.path, work.query, work.endpoint, request.headers, request.items, body, peer)

    def _work(self, request: Request) -> _Work | None:
        """Whom a request is for. None: it has been answered. Raises GatewayError."""
        headers, method = request.headers, request.method
        path, query = self._target(request.target)
        extra = self._app.access.check_source(headers, harmless=method == "GET" and path == _PAGE)
        if extra:
            request.reply.extra = extra
            if method == "OPTIONS":
                request.refuse(204, (), b"")
                return None
        if "key=" in query:
            query = _key_as_header(query, headers)
        if method == "GET" and headers.get("upgrade", "").lower() == "websocket":
            endpoint = self._app.locate("POST", path, headers, query)
            if endpoint.verb is Verb.CREATE and endpoint.dialect == RESPONSES and not endpoint.spot.form:
                return self._upgrade(request, endpoint, path)
        endpoint = self._app.locate(method, path, headers, query)
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_body:
            raise too_large(self._max_body)
        coding = headers.get("content-encoding", "").strip().lower()
        if coding in ("", "identity"):
            coding = ""
        elif coding not in CODINGS:
            raise BadRequest(
                f"bodies compressed as {coding[:40]!r} are not read here", hint="gzip, deflate and zstd are"
            )
        if headers.get("expect", "").lower() == "100-continue":
            request.go_on()
        return _Work(path, query, endpoint, coding)

    def _upgrade(self, request: Request, endpoint: Endpoint, path: str) -> _Work:
        """Frames instead of a body. Who may not come in is told so before the upgrade."""
        from strowger.gateway.frames import SocketFrames, handshake  # most processes never see a WebSocket

        self._app.access.admit(request.headers)
        answer = handshake(request.headers)
        connection = request.connection
        connection.send(answer)
        frames = SocketFrames(connection, self._max_body)
        connection.become(frames)
        return _Work(path, "", endpoint, frames=frames)

    async def _serve_socket(self, request: Request, work: _Work, frames: SocketFrames) -> None:
        items = tuple((name, value) for name, value in request.items if not _is_handshake(name.lower()))
        kept = {name.lower(): value for name, value in items}
        opening = Call("POST", work.path, "", work.endpoint, kept, items, b"", request.connection.peer)
        connection = Connection(self._app, opening, frames)
        self._sockets.add(connection)
        if self._drained is not None:
            connection.finish()
        request.over, request.keeps = True, False
        try:
            await connection.serve()
        finally:
            self._sockets.discard(connection)
            with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_SECONDS):
                await frames.close()

    def _target(self, target: str) -> tuple[str, str]:
        """Path and query. Clients that take us for their HTTP proxy send a whole URL, which must then name us."""
        if not target.startswith("/"):
            parts = urlsplit(target)
            if parts.scheme not in ("http", "https") or not parts.netloc:
                raise BadRequest("the request target is neither a path nor an http URL")
            if not self._app.access.is_meant(parts.hostname or "", parts.port or _PORTS[parts.scheme], self.port):
                raise Forbidden(
                    "this is a gateway for model APIs, not a proxy for other hosts",
                    hint="set NO_PROXY, or point the client's base URL here instead of HTTP_PROXY",
                )
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path, _, query = target.partition("?")
        return (unquote(path) if "%" in path else path), query


def _key_as_header(query: str, headers: dict[str, str]) -> str:
    """The query without `key`, in which older clients of Google's API send what belongs into a header."""
    if "key=" not in query:
        return query
    members = parse_qsl(query, keep_blank_values=True)
    for name, value in members:
        if name == "key":
            headers.setdefault("x-goog-api-key", value)
    return urlencode([member for member in members if member[0] != "key"])


def _is_handshake(name: str) -> bool:
    return name.startswith("sec-websocket-") or name in {"upgrade", "connection"}


def _unheard(error: GatewayError) -> bytes:
    """An error as JSON for a client of which not even the dialect is known: any finds `error.message`."""
    said = {"type": "invalid_request_error", "message": " ".join(error.message.split())[:300]}
    return msgspec.json.encode(
        {"type": "error", "param": None, "code": None, "error": {**said, "param": None, "code": None}}
    )


def bind(host: str, port: int, *, external: bool) -> socket.socket:
    """A bound socket. Raises ConfigError when the port is taken, or when the host is not this machine's alone.

    A name must resolve to loopback addresses only unless `external` binds are allowed: `localhost` may be anything in
    a hosts file.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ConfigError(f"the bind address {host!r} cannot be resolved: {error.strerror}") from None
    if not external:
        foreign = sorted({str(entry[4][0]) for entry in found if not is_loopback(str(entry[4][0]))})
        if foreign:
            raise ConfigError(
                f"refusing to listen on {host} ({', '.join(foreign)}): other machines could reach it",
                hint="set server.allow_external_bind = true and server.client_token, or bind 127.0.0.1",
            )
    family, kind, protocol, _, address = found[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as error:
        sock.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint="is a gateway running already? `strowger status` tells; --port chooses another",
        ) from None
    return sock


@asynccontextmanager
async def serve(
    app: App, sock: socket.socket, *, max_body: int, max_header: int, grace: float
) -> AsyncIterator[Server]:
    """Serve until the block ends; sizes in bytes, `grace` in seconds."""
    try:
        async with anyio.create_task_group() as tasks:
            server = Server(app, tasks.start_soon, max_body=max_body, max_header=max_header)
            await server.listen(sock)
            try:
                yield server
            finally:
                await server.stop(grace)
    except BaseExceptionGroup as group:
        # What ends the block is no concern of the task group's, which wraps it.
        if len(group.exceptions) > 1:
            raise
        raise group.exceptions[0] from group.exceptions[0].__cause__
