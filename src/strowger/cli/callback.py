"""Where the browser comes back to after a login: a listener on this machine that lives for that one answer.

It serves three paths and nothing else, and is not shaken by what else comes along: icons, prefetches, port scanners,
answers of other logins. Must not know what an answer means; `settle` tells.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from string import Template

import anyio
from anyio.abc import ByteReceiveStream, ByteStream, SocketAttribute, SocketStream
from anyio.streams.stapled import MultiListener
from msgspec import Struct

from strowger.auth.login import MISMATCH, Settle
from strowger.auth.oauth import IssuerRefused
from strowger.errors import CredentialError, GatewayError

SUCCESS, CANCEL = "/success", "/cancel"

# Seconds that a connection has for its request: browsers open some ahead that they never use.
_READ_SECONDS = 10.0
# Seconds that the browser has to fetch the last page, once it has been told where that is.
_LAST_PAGE_SECONDS = 3.0
_MAX_HEAD_BYTES = 32 * 1024


_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>$title – Strowger</title>
<style>
  body { display: grid; place-content: center; min-height: 90vh; margin: 0 1.5rem;
         font: 1.1rem/1.5 system-ui, sans-serif }
  main { max-width: 30rem; border-left: .25rem solid #c8871e; padding: .25rem 1.5rem }
  h1 { font-size: 1.5rem; margin: 0 }
  p { margin: .5rem 0 0; overflow-wrap: anywhere }
</style>
<main><h1>$title</h1><p>$text</p></main>
</html>
""")


class _Request(Struct, frozen=True):
    """What we read of a request: its body is of no interest. Header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class _Answer(Struct, frozen=True):
    """A page or a redirect. `ends`: the login is over once it has been sent."""

    status: HTTPStatus
    title: str = ""
    text: str = ""
    location: str = ""
    ends: bool = False

    def bytes(self) -> bytes:
        """As it is sent. Nothing in it is loaded from anywhere, nor kept, nor told to the next site."""
        words = {"title": html.escape(self.title), "text": html.escape(self.text)}
        body = _PAGE.substitute(words).encode() if self.title else b""
        lines = [
            f"HTTP/1.1 {self.status.value} {self.status.phrase}",
            "Content-Type: text/html; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
            "Referrer-Policy: no-referrer",
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            "Connection: close",
            *([f"Location: {self.location}"] if self.location else ()),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


_NOT_FOUND = _Answer(HTTPStatus.NOT_FOUND, "Nothing here", "Strowger waits for a login here, and serves nothing else.")
_DONE = _Answer(
    HTTPStatus.OK, "You are logged in", "You can close this window, and go back to the terminal.", ends=True
)


class CallbackListener:
    """`async with await CallbackListener.open(ports, path) as listener`: listens until it is closed."""

    def __init__(self, listener: MultiListener[SocketStream], path: str) -> None:
        self._listener = listener
        self._path = path
        self._port: int = listener.extra(SocketAttribute.local_port)
        self._lock = anyio.Lock()
        self._answered = anyio.Event()
        self._over = anyio.Event()
        self._failure: Exception | None = None

    @classmethod
    async def open(cls, ports: Sequence[int], path: str) -> CallbackListener:
        """On the first of the ports that is free: the issuer knows these and no other. Raises CredentialError."""
        for port in ports:
            try:
                return cls(await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port), path)
            except OSError:
                continue
        listed = " and ".join(str(port) for port in ports)
        raise CredentialError(
            f"the browser cannot come back to us: the ports {listed} are in use",
            hint="end the other login, or whatever has them; or log in with --device or --paste, which need no port",
        )

    async def __aenter__(self) -> CallbackListener:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._listener.aclose()

    @property
    def redirect_uri(self) -> str:
        """By name, as issuers have it registered."""
        return f"http://localhost:{self._port}{self._path}"

    async def serve(self, settle: Settle) -> None:
        """Wait for the browser; see `strowger.auth.login.Callbacks`."""

        async def connected(stream: ByteStream) -> None:
            await self._connected(stream, settle)

        async with anyio.create_task_group() as group:
            group.start_soon(self._listener.serve, connected, group)
            await self._answered.wait()
            with anyio.move_on_after(_LAST_PAGE_SECONDS):
                await self._over.wait()
            group.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _connected(self, stream: ByteStream, settle: Settle) -> None:
        """One connection, one request. That it breaks is the other side's affair."""
        async with stream:
            request = None
            with anyio.move_on_after(_READ_SECONDS):
                request = await _read(stream)
            if request is None:
                return
            answer = await self._answer(request, settle)
            with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                await stream.send(answer.bytes())
            if answer.ends:
                self._over.set()

    async def _answer(self, request: _Request, settle: Settle) -> _Answer:
        # A name of somebody else's that leads to this machine (DNS rebinding) must not get here.
        if request.headers.get("host", "").lower() not in {f"localhost:{self._port}", f"127.0.0.1:{self._port}"}:
            return _Answer(HTTPStatus.FORBIDDEN, "Not here", "This address is for this machine's own browser.")
        if request.path not in {self._path, SUCCESS, CANCEL}:
            return _NOT_FOUND
        if request.method != "GET":
            return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, "Not like this", "A browser comes back with GET.")
        if request.path == self._path:
            async with self._lock:  # some browsers ask twice, and a code is good once
                return await self._settled(request.target, settle)
        if request.path == SUCCESS:
            return _DONE if self._answered.is_set() and self._failure is None else _NOT_FOUND
        # A web page must not end a login; another program that wants the port may, which is what this path is for.
        if request.headers.get("sec-fetch-site", "none") != "none":
            return _NOT_FOUND
        self._failure = CredentialError(
            "another program ended this login", hint="one login at a time: it needs the same port"
        )
        self._answered.set()
        return _Answer(HTTPStatus.OK, "Cancelled", "The login was cancelled.", ends=True)

    async def _settled(self, target: str, settle: Settle) -> _Answer:
        if self._answered.is_set():
            return _NOT_FOUND if self._failure else _Answer(HTTPStatus.FOUND, location=SUCCESS)
        try:
            await settle(target)
        except (GatewayError, OSError) as error:
            text = f"{str(error)[:1].upper()}{str(error)[1:]}."
            if isinstance(error, IssuerRefused) and error.code == MISMATCH:
                return _Answer(HTTPStatus.BAD_REQUEST, "Not this login", text)
            self._failure = error
            self._answered.set()
            return _Answer(
                HTTPStatus.BAD_REQUEST, "You are not logged in", f"{text} The terminal tells more.", ends=True
            )
        self._answered.set()
        # Elsewhere, so that the code is in no address bar.
        return _Answer(HTTPStatus.FOUND, location=SUCCESS)


async def _read(stream: ByteReceiveStream) -> _Request | None:
    """The head of a request; None for what is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > _MAX_HEAD_BYTES:
            return None
        try:
            head += await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return None
    line, *lines = head.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    match line.split(" "):
        case [method, target, "HTTP/1.1" | "HTTP/1.0"] if target.startswith("/"):
            pairs = (header.partition(":") for header in lines)
            return _Request(method, target, {name.strip().lower(): value.strip() for name, _, value in pairs})
        case _:
            return None
