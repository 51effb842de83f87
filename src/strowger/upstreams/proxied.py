"""HTTP to upstreams through the proxy that the environment names, as companies ask for. No redirects either.

A general HTTP client costs several times what our own connections do, and knows every kind of proxy.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from strowger.errors import Malformed, TimedOut, Truncated, Unanswered, Unreachable
from strowger.upstreams.base import Headers, Outgoing, gathered

# Closed before the servers' usual 60 s, so that a request seldom meets a connection the other end is just closing.
_KEEPALIVE_SECONDS = 30.0

_PIECE = 512 * 1024

_DROPPED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError, BrokenPipeError)
# A kept connection that was being closed when we took it says so within a round trip.
_STALE_SECONDS = 1.0

# Some gateways send long security policies and cookies with every answer; our own server takes as much.
_MAX_HEADER = 64 * 1024

# What the HTTP client undoes, or says that it cannot
_ENCODINGS = frozenset({"", "identity", "gzip", "deflate", "br", "zstd"})

_INNER_MESSAGE = re.compile(r"""message(?:=['"]|:)\s*([^'"\n]+)""")

_FRESH: ContextVar[bool] = ContextVar("fresh")


class _Connector(aiohttp.TCPConnector):
    """Notes for the request at hand that its connection is a new one."""

    async def _create_connection(self, *args: Any) -> Any:
        _FRESH.set(True)
        return await super()._create_connection(*args)


@lru_cache(maxsize=256)
def _url(text: str) -> URL:
    return URL(text, encoded=True)


class ProxiedIncoming:
    """An answer that has begun."""

    __slots__ = ("_headers", "_items", "_response", "status")

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._headers: Mapping[str, str] | None = None
        self._items: Headers | None = None
        self.status = response.status

    @property
    def header_items(self) -> Headers:
        """Headers as received, in order; bytes that are not UTF-8 survive as surrogates."""
        if self._items is None:
            self._items = tuple(
                (name.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
                for name, value in self._response.raw_headers
            )
        return self._items

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name."""
        if self._headers is None:
            self._headers = {name.lower(): value for name, value in self.header_items}
        return self._headers

    @property
    def ended(self) -> bool:
        """Whether the answer has been read to its end."""
        return self._response.content.at_eof()

    async def read(self) -> bytes:
        """The next bytes, empty at the end; raises Truncated or Malformed."""
        try:
            return await self._response.content.readany()
        except aiohttp.ClientPayloadError as error:
            raise Truncated(f"the upstream's answer broke off: {_plain(error)}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise Truncated(f"the connection to the upstream broke: {_plain(error)}") from error

    async def read_all(self, limit: int) -> bytes:
        """The rest of the body, at most `limit` bytes."""
        return await gathered(self.read, limit)

    def close(self) -> None:
        """Give the connection back if the answer was read to its end, else close it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class ProxiedUpstream:
    """The pool. Made inside a running loop; closed with `aclose`."""

    def __init__(self, connect_timeout: float = 10.0) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=_KEEPALIVE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=connect_timeout, sock_read=None),
            max_line_size=_MAX_HEADER,
            max_field_size=_MAX_HEADER,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            trust_env=True,
        )

    async def open(self, out: Outgoing) -> ProxiedIncoming:
        """Send and wait for the head of the answer. Raises Unreachable, TimedOut or Malformed.

        A request is sent again only where it met a kept connection that was just being closed: one that broke on a new
        connection, or after a while, may have been read, and each reading is paid for.
        """
        begun = time.monotonic()
        _FRESH.set(False)
        try:
            return await self._open(out)
        except _DROPPED as error:
            if _FRESH.get() or time.monotonic() - begun > _STALE_SECONDS:
                raise _unanswered(out) from error
        try:
            return await self._open(out)
        except _DROPPED as error:
            raise _unanswered(out) from error

    async def _open(self, out: Outgoing) -> ProxiedIncoming:
        try:
            response = await self._session.request(
                out.method, _url(out.url), data=_data(out.body), headers=_headers(out), allow_redirects=False
            )
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unreachable(
                f"the upstream's certificate is not trusted: {_where(out)}: {error.certificate_error}",
                hint="if a company proxy re-signs TLS, set SSL_CERT_FILE to a bundle with its certificate",
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise Unreachable(
                f"no connection to {_where(out)}: {_plain(error.os_error)}",
                hint="is the upstream running, and is base_url right?",
            ) from error
        except _DROPPED:
            raise
        except TimeoutError as error:
            raise TimedOut(f"no connection to {_where(out)} in time") from error
        except (aiohttp.InvalidURL, ValueError) as error:
            raise Unreachable(
                f"the upstream's URL or a header cannot be used: {_where(out)}: {type(error).__name__}"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unanswered(f"the request to {_where(out)} failed: {_plain(error)}") from error
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in _ENCODINGS:
            response.close()
            raise Malformed(f"the answer of {_where(out)} is encoded as {encoding[:40]!r}, which was not asked for")
        return ProxiedIncoming(response)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def __aenter__(self) -> ProxiedUpstream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _headers(out: Outgoing) -> Headers:
    # a body in pieces has no length of its own, and chunked bodies are not understood everywhere
    return (*out.headers, ("Content-Length", str(len(out.body)))) if len(out.body) > _PIECE else out.headers


def _data(body: bytes) -> bytes | AsyncIterator[bytes] | None:
    """A large body goes in pieces, so that writing it does not keep the other calls waiting."""
    return _pieces(body) if len(body) > _PIECE else body or None


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield bytes(view[start : start + _PIECE])


def _where(out: Outgoing) -> str:
    """Scheme, host and path: no query, which may hold a key."""
    url = _url(out.url)
    return f"{url.scheme}://{url.host}{f':{url.port}' if not url.is_default_port() else ''}{url.raw_path}"


def _unanswered(out: Outgoing) -> Unanswered:
    return Unanswered(f"the upstream closed the connection without an answer: {_where(out)}")


def _plain(error: BaseException) -> str:
    """An error of the HTTP client in one line, without the bytes that it quotes."""
    text = str(getattr(error, "message", "") or error)
    inner = _INNER_MESSAGE.search(text)
    lines = (inner[1] if inner else text).strip().splitlines()
    return lines[0].partition(": b'")[0].rstrip(":") if lines else type(error).__name__
