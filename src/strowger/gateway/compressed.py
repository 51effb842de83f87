"""Request bodies that clients compress: SDKs with gzip, Codex with Zstandard.

Must not know requests, nor what bodies say.
"""

from __future__ import annotations

import zlib
from typing import Protocol

from strowger.errors import BadRequest
from strowger.gateway.inbound import too_large
from strowger.zstandard import zstd

CODINGS = ("gzip", "x-gzip", "deflate", "zstd")
"""What may stand in `Content-Encoding`, one at a time."""


class _Decompressor(Protocol):
    """One stretch of compressed bytes."""

    @property
    def eof(self) -> bool:
        """Whether it has come to its end."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What comes behind that."""
        ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most so many bytes of what it stands for."""
        ...


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """A body decompressed, within `limit` bytes. Raises TooLarge or BadRequest."""
    if not body:
        return body
    plain = bytearray()
    try:
        while True:
            stretch = _decompressor(coding, body)
            plain += stretch.decompress(body, limit + 1 - len(plain))
            if len(plain) > limit:
                raise too_large(limit)
            if not stretch.eof:
                raise BadRequest("the compressed body breaks off", hint="was it cut on its way?")
            body = stretch.unused_data
            if not _goes_on(coding, body):
                return bytes(plain)
    except (zlib.error, zstd.ZstdError) as error:
        raise BadRequest(f"the body could not be read: {error}", hint="was it cut, or badly compressed?") from None


def _goes_on(coding: str, rest: bytes) -> bool:
    """Whether another stretch follows. Gzip may be padded with anything, which counts for nothing."""
    if coding == "zstd":
        return bool(rest)
    return coding != "deflate" and rest.startswith(b"\x1f\x8b")


def _decompressor(coding: str, body: bytes) -> _Decompressor:
    if coding == "zstd":
        return zstd.ZstdDecompressor()
    if coding == "deflate":  # some send it without the header that the name stands for
        return zlib.decompressobj(zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS)
    return zlib.decompressobj(16 + zlib.MAX_WBITS)
