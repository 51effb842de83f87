"""The listening end: accepts connections, turns HTTP requests into calls and replies into HTTP.

The only module of the gateway that knows the HTTP server. Requests are checked for where they come from before their
body is read. A client that hangs up cancels its call at once; a shutdown lets the running calls finish for a while,
then cancels them.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import aiohttp
import anyio
import msgspec
from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from multidict import CIMultiDict

from strowger.config.checks import is_loopback
from strowger.errors import BadRequest, ConfigError, ErrorKind, Forbidden, GatewayError, TooLarge
from strowger.gateway.access import Access
from strowger.gateway.delivery import ClientGone, Reply
from strowger.gateway.endpoints import RESPONSES, Call, Endpoint, Verb
from strowger.gateway.websocket import Connection
from strowger.upstreams.base import Headers

_SERVER = "strowger"
_PORTS = {"http": 80, "https": 443}
# How long the rest of a refused body is read and thrown away, so that the client sees the answer instead of a reset.
_LINGER_SECONDS = 3.0
_CLOSE_SECONDS = 0.5
# A peer that has vanished is noticed by this; the bytes also keep middleboxes from closing a quiet connection.
_SOCKET_PING_SECONDS = 30.0
# How long the next piece of a body is waited for: who holds a call open so holds up a shutdown too.
_BODY_SECONDS = 60.0
# How long a connection may stay without a request, or with half a one: at first, and between two. Whoever may connect
# could else use up the descriptors before any token is looked at.
_FIRST_HEAD_SECONDS = 30.0
_KEEPALIVE_SECONDS = 75.0
_ANSWER_TO_ANY = {"type": "error", "param": None, "code": None}


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


class _Stream(web.StreamResponse):
    """A response whose head leaves together with its first bytes: one system call less, and never without a body."""

    _send_headers_immediately = False


class HttpReply:
    """A reply as an HTTP response. `extra` goes onto every response (CORS for origins that are allowed)."""

    def __init__(self, request: web.BaseRequest, extra: Headers = ()) -> None:
        self._request = request
        self._extra = extra
        self.response: web.StreamResponse | None = None
        self.streaming = False

    @property
    def started(self) -> bool:
        """Whether a status has been sent."""
        return self.response is not None

    async def start(self, status: int, headers: Headers) -> None:
        """Begin a stream. Its head leaves with the first bytes, so nothing here waits, and no other write comes
        between.
        """
        await self._prepare(_Stream(status=status, headers=self._headers(headers)))
        self.streaming = True

    async def write(self, data: bytes) -> None:
        """Send bytes of a stream, and wait while the client does not take them."""
        response = self.response
        assert response is not None
        try:
            await response.write(data)
        except (ConnectionResetError, RuntimeError) as error:
            raise ClientGone from error

    async def end(self) -> None:
        """Send the end of a stream."""
        assert self.response is not None
        self.streaming = False
        await self._sent(self.response.write_eof())

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send everything at once."""
        response = web.Response(status=status, headers=self._headers(headers), body=body)
        await self._prepare(response)
        await self._sent(response.write_eof())

    def _headers(self, headers: Headers) -> CIMultiDict[str]:
        made = CIMultiDict(headers)
        made.extend(self._extra)
        made["Server"] = _SERVER
        return made

    async def _prepare(self, response: web.StreamResponse) -> None:
        await self._sent(response.prepare(self._request))
        self.response = response  # not before: a head that cannot be written has not been sent

    async def _sent(self, sending: Awaitable[Any]) -> None:
        try:
            await sending
        except (ConnectionResetError, RuntimeError) as error:
            raise ClientGone from error


class _SocketFrames:
    """A WebSocket's frames."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def receive(self) -> str | None:
        """The next text frame; a client that sends anything else has left the protocol."""
        message = await self._socket.receive()
        if message.type is aiohttp.WSMsgType.BINARY:
            await self._socket.close(code=aiohttp.WSCloseCode.UNSUPPORTED_DATA, message=b"frames are JSON, as text")
        return message.data if message.type is aiohttp.WSMsgType.TEXT else None

    async def send(self, text: str) -> None:
        """Send a text frame. Raises ClientGone."""
        try:
            await self._socket.send_str(text)
        except (ConnectionError, RuntimeError) as error:
            raise ClientGone from error


def _is_handshake(name: str) -> bool:
    return name.startswith("sec-websocket-") or name in {"upgrade", "connection"}


class _Protocol(RequestHandler):
    """The server's connection handling with errors as JSON: a client of any dialect finds `error.message`.

    The server's own timer ends a connection whose next head is not there in time; for the first one there is less.
    """

    __slots__ = ("_first_head",)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._first_head = self._loop.call_later(_FIRST_HEAD_SECONDS, self._close_unasked)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The timer would keep us in memory."""
        self._first_head.cancel()
        super().connection_lost(exc)

    def _close_unasked(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is not HTTP, or too large a head, or a bug of ours."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer had begun")
        said = " ".join((message or "the request could not be handled").split())[:300]
        kind = "invalid_request_error" if status < 500 else "api_error"
        body = {**_ANSWER_TO_ANY, "error": {"type": kind, "message": said, "param": None, "code": None}}
        response = web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")
        response.force_close()
        return response


class _WebServer(web.Server):
    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], **options: Any) -> None:
        super().__init__(handler, handler_cancellation=True, **options)
        self._options = options

    def __call__(self) -> RequestHandler:
        return _Protocol(self, loop=self._loop, **self._options)


class Server:
    """Serves an app on one socket. Use `serve`."""

    def __init__(self, app: App, *, max_body: int, max_header: int) -> None:
        self._app = app
        self._max_body = max_body
        self._web = _WebServer(
            self._handle,
            max_line_size=max_header,
            max_field_size=max_header,
            lingering_time=_LINGER_SECONDS,
            keepalive_timeout=_KEEPALIVE_SECONDS,
            access_log=None,  # it would hold whole URLs, and some clients put their key there
        )
        self._listener: asyncio.Server | None = None
        self._running: set[asyncio.Task[object]] = set()
        self._connections: set[Connection] = set()
        self._drained: anyio.Event | None = None
        self.url = ""
        self.port = 0

    async def listen(self, sock: socket.socket) -> None:
        """Start to accept on a bound socket."""
        host, port = sock.getsockname()[:2]
        self.port = port
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._web, sock=sock, backlog=1024)

    async def stop(self, grace: float) -> None:
        """Accept nothing more, give running calls `grace` seconds, then end them."""
        if self._listener is not None:
            self._listener.close()
        self._web.pre_shutdown()  # connections that wait for a next request go at once
        if self._running:
            self._drained = anyio.Event()
            for connection in tuple(self._connections):
                connection.finish()
            with anyio.move_on_after(grace):
                await self._drained.wait()
        for task in tuple(self._running):
            task.cancel()
        await self._web.shutdown(_CLOSE_SECONDS)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task is not None
        self._running.add(task)
        try:
            return await self._serve_request(request)
        finally:
            self._running.discard(task)
            if self._drained is not None and not self._running:
                self._drained.set()

    async def _serve_socket(
        self, request: web.BaseRequest, endpoint: Endpoint, path: str, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Frames instead of a body. Who may not come in is told so before the upgrade."""
        self._app.access.admit(headers)
        items = tuple((name, value) for name, value in request.headers.items() if not _is_handshake(name.lower()))
        kept = {name.lower(): value for name, value in items}
        opening = Call("POST", path, "", endpoint, kept, items, b"", request.remote or "")
        socket = web.WebSocketResponse(heartbeat=_SOCKET_PING_SECONDS, max_msg_size=self._max_body, compress=False)
        if not socket.can_prepare(request):
            raise BadRequest(
                "this is not the handshake of a WebSocket", hint="`sec-websocket-key` and its like belong to it"
            )
        await socket.prepare(request)
        connection = Connection(self._app, opening, _SocketFrames(socket))
        self._connections.add(connection)
        if self._drained is not None:
            connection.finish()
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
            with anyio.CancelScope(shield=True), anyio.move_on_after(_CLOSE_SECONDS):
                await socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)
        return socket

    async def _serve_request(self, request: web.BaseRequest) -> web.StreamResponse:
        items: Headers = tuple(request.headers.items())
        headers = {name.lower(): value for name, value in items}
        target = request.raw_path
        reply = HttpReply(request)
        try:
            path, query = self._target(target)
            extra = self._app.access.check_source(headers)
            if extra:
                reply = HttpReply(request, extra)
                if request.method == "OPTIONS":
                    await reply.whole(204, (), b"")
                    return _response(reply)
            query = _key_as_header(query, headers)
            if headers.get("upgrade", "").lower() == "websocket" and request.method == "GET":
                endpoint = self._app.locate("POST", path, headers, query)
                if endpoint.verb is Verb.CREATE and endpoint.dialect == RESPONSES and not endpoint.spot.form:
                    return await self._serve_socket(request, endpoint, path, headers)
            endpoint = self._app.locate(request.method, path, headers, query)
            body = await self._body(request, headers)
            call = Call(request.method, path, query, endpoint, headers, items, body, request.remote or "")
            await self._app.handle(call, reply)
        except ClientGone:
            if request.transport is not None:
                request.transport.abort()
            return reply.response or web.Response(status=499)
        except GatewayError as error:
            status, extra_headers, answer = self._app.refuse(error, headers, target)
            await reply.whole(status, extra_headers, answer)
        return _response(reply)

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

    async def _body(self, request: web.BaseRequest, headers: dict[str, str]) -> bytes:
        """The body, decompressed, within the limit. Raises TooLarge or BadRequest."""
        if not request.body_exists:
            return b""
        declared = headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_body:
            raise self._too_large()
        if headers.get("expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request.content.is_eof():  # all of it came with the head, as it mostly does: no timer, no wait
            body = request.content.read_nowait()
            if len(body) > self._max_body:
                raise self._too_large()
            return body
        pieces: list[bytes] = []
        size = 0
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(_BODY_SECONDS) as limit:
                while piece := await request.content.readany():
                    limit.reschedule(now() + _BODY_SECONDS)
                    size += len(piece)
                    if size > self._max_body:
                        raise self._too_large()
                    pieces.append(piece)
        except TimeoutError:
            raise BadRequest(f"nothing of the body came for {_BODY_SECONDS:g} seconds") from None
        except (
            aiohttp.ClientPayloadError,
            aiohttp.http_exceptions.HttpProcessingError,
            web.RequestPayloadError,
        ) as error:
            raise BadRequest(f"the body could not be read: {error}", hint="was it cut, or badly compressed?") from None
        except ConnectionError as error:
            raise ClientGone from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the request body is larger than {self._max_body // (1024 * 1024)} MB", hint="raise server.max_body_mb"
        )


def _key_as_header(query: str, headers: dict[str, str]) -> str:
    """The query without `key`, in which older clients of Google's API send what belongs into a header."""
    if "key=" not in query:
        return query
    members = parse_qsl(query, keep_blank_values=True)
    for name, value in members:
        if name == "key":
            headers.setdefault("x-goog-api-key", value)
    return urlencode([member for member in members if member[0] != "key"])


def _response(reply: HttpReply) -> web.StreamResponse:
    if reply.response is None:
        raise GatewayError("a call ended without an answer", kind=ErrorKind.INTERNAL)
    return reply.response


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
    server = Server(app, max_body=max_body, max_header=max_header)
    await server.listen(sock)
    try:
        yield server
    finally:
        await server.stop(grace)
