"""Making a connection to an upstream: its place, addresses, TLS, and the head of what is asked there.

Every transport of ours begins so. Must not know what is spoken once the connection stands.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

import aiohappyeyeballs
import anyio.to_thread
from msgspec import Struct

from strowger.config.checks import is_loopback
from strowger.errors import TimedOut, Unreachable
from strowger.upstreams.base import Headers

# Between addresses of one host: a dead IPv6 route must not cost the whole connect timeout (RFC 8305 says 250 ms).
_NEXT_ADDRESS_SECONDS = 0.25

_ERRNO = re.compile(r"\[Errno (\d+)\]")

Spoken = TypeVar("Spoken", bound=asyncio.Protocol)


class Place(Struct, frozen=True):
    """A URL taken apart: where to connect, and what to ask there."""

    host: str
    port: int
    tls: bool
    path: str
    name: str

    @property
    def shown(self) -> str:
        """Scheme, host and path for messages: no query, which may hold a key."""
        return f"{'https' if self.tls else 'http'}://{self.name}{self.path.partition('?')[0]}"


@lru_cache(maxsize=256)
def place_of(url: str) -> Place:
    """Raises Unreachable for what is no usable HTTP URL."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise ValueError
        ascii_host = host if ":" in host else host.encode("idna").decode()
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        path.encode("ascii")
    except ValueError:
        raise Unreachable("the upstream's URL cannot be used", hint="check base_url of the provider") from None
    tls = parts.scheme == "https"
    default = 443 if tls else 80
    bracketed = f"[{ascii_host}]" if ":" in ascii_host else ascii_host
    name = bracketed if port in (None, default) else f"{bracketed}:{port}"
    return Place(ascii_host, port or default, tls, path, name)


class Dialer:
    """Makes connections. `connect_timeout` is in seconds, and covers name, address and TLS."""

    def __init__(self, connect_timeout: float = 10.0, tls: ssl.SSLContext | None = None) -> None:
        self.connect_timeout = connect_timeout
        self._tls = tls
        self._proxies = {scheme for scheme in getproxies_environment() if scheme in ("http", "https", "all")}

    def goes_straight(self, place: Place) -> bool:
        """Whether the environment's proxy does not concern this host. This machine itself is never behind one."""
        return not self._proxies or is_loopback(place.host) or bool(proxy_bypass(place.name))

    async def connect(self, place: Place, spoken: Callable[[], Spoken]) -> Spoken:
        """A connection, on which the new protocol speaks. Raises Unreachable or TimedOut."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self.connect_timeout):
                context = await self._context() if place.tls else None
                found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
                sock = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _, connection = await loop.create_connection(
                    spoken, sock=sock, ssl=context, server_hostname=place.host if context else None
                )
        except TimeoutError:
            raise TimedOut(f"no connection to {place.shown} in time") from None
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(
                f"the upstream's certificate is not trusted: {place.shown}: {error.verify_message}",
                hint="if a company proxy re-signs TLS, set SSL_CERT_FILE to a bundle with its certificate",
            ) from error
        except ssl.SSLError as error:
            raise Unreachable(
                f"no TLS with {place.shown}: {error.reason or error}", hint="is base_url https where it should be http?"
            ) from error
        except OSError as error:
            raise Unreachable(
                f"no connection to {place.shown}: {_reason(error)}",
                hint="is the upstream running, and is base_url right?",
            ) from error
        return connection

    async def _context(self) -> ssl.SSLContext:
        """Loaded once, at the first https request and off the loop: reading the system's certificates takes a while."""
        if self._tls is None:
            self._tls = await anyio.to_thread.run_sync(_default_context)
        return self._tls


def request_head(method: str, place: Place, headers: Headers, length: int | None) -> bytes:
    """The request line and the headers. Raises Unreachable for a header that could begin another one."""
    lines = [f"{method} {place.path} HTTP/1.1"]
    named = {name.lower() for name, _ in headers}
    if "host" not in named:
        lines.append(f"Host: {place.name}")
    lines.extend(f"{name}: {value}" for name, value in headers)
    if length is not None:
        lines.append(f"Content-Length: {length}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\r") != breaks or text.count("\n") != breaks or "\0" in text:
        raise Unreachable("a header holds a line break, so nothing was sent", hint="check `headers` of the provider")
    return (text + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _default_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: OSError) -> str:
    """Why there is no connection, in the system's words. The event loop's own repeat the address, or all addresses.

    Where several addresses failed, each in its way, only the text of the error has their numbers. That one of them
    refused tells most: the host is there.
    """
    if isinstance(error, socket.gaierror):
        text = error.strerror or str(error)
    else:
        numbers = [error.errno] if error.errno else [int(number) for number in _ERRNO.findall(str(error))]
        number = errno.ECONNREFUSED if errno.ECONNREFUSED in numbers else next(iter(numbers), None)
        text = os.strerror(number) if number else str(error)
    return f"{text[:1].lower()}{text[1:]}"
