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
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

import aiohappyeyeballs
import anyio.to_thread
from msgspec import Struct

from strowger.errors import ConfigError, TimedOut, Unreachable
from strowger.upstreams.base import Headers
from strowger.upstreams.proxies import Proxies, Proxy
from strowger.upstreams.trust import Trust
from strowger.upstreams.tunnel import Opening

# Between addresses of one host: a dead IPv6 route must not cost the whole connect timeout (RFC 8305 says 250 ms).
_NEXT_ADDRESS_SECONDS = 0.25

_ERRNO = re.compile(r"\[Errno (\d+)\]")

# Hosts whose way is remembered: far more than anybody configures.
_KNOWN_ORIGINS = 1000

_NO_AUTHORITY = (
    "if a company's proxy re-signs TLS, set `ca_file` in [network], or NODE_EXTRA_CA_CERTS, to its certificate"
)
_HOST = len("host")
_CLOCK = "is the clock of this machine right?"
_NAME = "is this the host that was meant? A certificate for other names is what a proxy or a captive portal shows"
# By OpenSSL's number for what was wrong with a certificate.
_UNTRUSTED = {9: _CLOCK, 10: _CLOCK, 62: _NAME, 64: _NAME}

Spoken = TypeVar("Spoken", bound=asyncio.Protocol)


class Place(Struct, frozen=True):
    """A URL taken apart: where to connect, and what to ask there."""

    host: str
    port: int
    tls: bool
    path: str
    name: str

    @property
    def origin(self) -> Origin:
        """What a connection is good for."""
        return self.host, self.port, self.tls

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


Origin = tuple[str, int, bool]
"""Host, port, and whether TLS is spoken there."""


Tell = Callable[[str, str, float], None]
"""Is told what happens to connections: what it is, with which host, and seconds: that it took, or has been unused."""


class Network(Struct, frozen=True):
    """How this machine gets out. `besides`: origins that are reached in a way of their own."""

    proxies: Proxies
    trust: Trust
    besides: Mapping[Origin, Network] = MappingProxyType({})


class Dialer:
    """Makes connections. `connect_timeout` is in seconds, and covers name, address, proxy and TLS.

    `tls` stands for all trust. Raises ConfigError where the environment, which is asked unless `network` is given, is
    of no use.
    """

    def __init__(
        self, connect_timeout: float = 10.0, tls: ssl.SSLContext | None = None, network: Network | None = None
    ) -> None:
        self.connect_timeout = connect_timeout
        self._tls = tls
        self._network = network or Network(Proxies(os.environ), Trust(os.environ))
        self._proxies: dict[Origin, Proxy | None] = {}
        self.tell: Tell | None = None
        """Who wants to know of connections, if anybody does."""

    def goes_straight(self, place: Place) -> bool:
        """Whether no proxy concerns this host. Raises Unreachable for a proxy that is none."""
        return self.proxy_for(place) is None

    def proxy_for(self, place: Place) -> Proxy | None:
        """The proxy that the host is behind. Raises Unreachable for one that is none."""
        try:
            return self._proxies[place.origin]
        except KeyError:
            pass
        try:
            found = self._network_for(place).proxies.proxy_for(place.host, place.port, tls=place.tls)
        except ConfigError as error:
            raise Unreachable(f"{place.shown} is behind a proxy, but {error.message}", hint=error.hint) from None
        if len(self._proxies) < _KNOWN_ORIGINS:
            self._proxies[place.origin] = found
        return found

    async def connect(self, place: Place, spoken: Callable[[], Spoken]) -> Spoken:
        """A connection, on which the new protocol speaks. Raises Unreachable or TimedOut.

        Through a proxy, what is encrypted goes by a tunnel; what is not ends at the proxy, which then has to be asked
        for the whole URL.
        """
        begun = time.monotonic()
        connection = await self._connect(place, spoken)
        if self.tell is not None:
            self.tell("opened", place.shown, time.monotonic() - begun)
        return connection

    async def _connect(self, place: Place, spoken: Callable[[], Spoken]) -> Spoken:
        proxy = self.proxy_for(place)
        try:
            async with asyncio.timeout(self.connect_timeout):
                context = await self._context(place) if place.tls or (proxy and proxy.tls) else None
                if proxy is None:
                    with _told(place.shown):
                        return await _open(place.host, place.port, context if place.tls else None, spoken)
                with _told(f"the proxy {proxy.shown}", proxy):
                    if not place.tls:
                        return await _open(proxy.host, proxy.port, context if proxy.tls else None, spoken)
                    opening = await _open(proxy.host, proxy.port, context if proxy.tls else None, Opening)
                try:
                    await opening.ask(place.host, place.port, proxy)
                    with _told(place.shown):
                        return await _over(opening.transport, place.host, context, spoken)
                except BaseException:
                    opening.transport.abort()
                    raise
        except TimeoutError:
            through = f" through the proxy {proxy.shown}" if proxy else ""
            hint = f"is the proxy of {proxy.named_by} right, and may it reach the host?" if proxy else None
            raise TimedOut(f"no connection to {place.shown}{through} in time", hint=hint) from None

    def _network_for(self, place: Place) -> Network:
        return self._network.besides.get(place.origin, self._network)

    async def _context(self, place: Place) -> ssl.SSLContext:
        """Read at the first https request and off the loop: all the system's certificates take a while."""
        if self._tls is not None:
            return self._tls
        trust = self._network_for(place).trust
        return trust.context() if trust.is_read else await anyio.to_thread.run_sync(trust.context)


async def _open(host: str, port: int, context: ssl.SSLContext | None, spoken: Callable[[], Spoken]) -> Spoken:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    sock = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _, connection = await loop.create_connection(
        spoken, sock=sock, ssl=context, server_hostname=host if context else None
    )
    return connection


async def _over(
    transport: asyncio.Transport, host: str, context: ssl.SSLContext | None, spoken: Callable[[], Spoken]
) -> Spoken:
    """TLS with the host at the other end of a tunnel."""
    assert context is not None
    connection = spoken()
    inner = await asyncio.get_running_loop().start_tls(transport, connection, context, server_hostname=host)
    if inner is None:
        raise ConnectionResetError(errno.ECONNRESET, "the tunnel broke")
    connection.connection_made(inner)
    return connection


@contextmanager
def _told(shown: str, proxy: Proxy | None = None) -> Iterator[None]:
    """What keeps a connection from standing, in words, with the host and what to do about it."""
    try:
        yield
    except TimeoutError:
        raise
    except ssl.SSLCertVerificationError as error:
        what = "the proxy" if proxy else "the upstream"
        raise Unreachable(
            f"{what}'s certificate is not trusted: {shown}: {error.verify_message}",
            hint=_UNTRUSTED.get(error.verify_code, _NO_AUTHORITY),
        ) from error
    except ssl.SSLError as error:
        raise no_tls(shown, error, proxy) from error
    except OSError as error:
        raise Unreachable(
            f"no connection to {shown}: {_reason(error)}",
            hint=f"is {proxy.named_by} right? NO_PROXY lists hosts to be reached without it"
            if proxy
            else "is the upstream running, and is base_url right?",
        ) from error


def no_tls(shown: str, error: ssl.SSLError, proxy: Proxy | None = None) -> Unreachable:
    """That a host, or the `proxy` on the way, and we do not come together, and what to look at."""
    reason = error.reason or str(error)
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        hint = "where the host wants a certificate of ours, set client_cert and client_key in [network]"
    elif proxy:
        hint = f"is the proxy of {proxy.named_by} https where it should be http?"
    else:
        hint = "is base_url https where it should be http?"
    return Unreachable(f"no TLS with {shown}: {reason}", hint=hint)


def request_head(method: str, place: Place, headers: Headers, length: int | None, proxy: Proxy | None = None) -> bytes:
    """The request line and the headers, for the host itself or for the `proxy` that is to ask it.

    Raises Unreachable for a header that could begin another one.
    """
    lines = [f"{method} {f'http://{place.name}' if proxy else ''}{place.path} HTTP/1.1"]
    if "host" not in [name.lower() for name, _ in headers if len(name) == _HOST]:
        lines.append(f"Host: {place.name}")
    lines += [f"{name}: {value}" for name, value in headers]
    if proxy and proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization.reveal()}")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    said = "".join(lines)
    if "\r" in said or "\n" in said or "\0" in said:
        raise Unreachable("a header holds a line break, so nothing was sent", hint="check `headers` of the provider")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


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
        text = os.strerror(number) if number else str(error) or "the other end closed it"
    return f"{text[:1].lower()}{text[1:]}"
