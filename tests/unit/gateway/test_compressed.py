"""Request bodies that clients compress."""

from __future__ import annotations

import gzip
import zlib

import pytest

from strowger.errors import BadRequest, TooLarge
from strowger.gateway.compressed import CODINGS, inflated
from strowger.zstandard import zstd

BODY = b'{"model":"opus","messages":[]}' * 100


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


WRITTEN = {
    "gzip": ("gzip", gzip.compress(BODY)),
    "gzip in two members": ("x-gzip", gzip.compress(BODY[:99]) + gzip.compress(BODY[99:])),
    "gzip with padding": ("gzip", gzip.compress(BODY) + b"\0" * 9),
    "zlib": ("deflate", zlib.compress(BODY)),
    "deflate alone": ("deflate", _bare(BODY)),
    "zstd": ("zstd", zstd.compress(BODY)),
    "zstd in two frames": ("zstd", zstd.compress(BODY[:99]) + zstd.compress(BODY[99:])),
    "zstd behind a frame to be skipped": ("zstd", b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd.compress(BODY)),
}


@pytest.mark.parametrize("coding, data", WRITTEN.values(), ids=WRITTEN)
def test_what_was_compressed_is_read(coding: str, data: bytes) -> None:
    """However it was written, to the last byte that is allowed and no further."""
    assert coding in CODINGS
    assert inflated(data, coding, len(BODY)) == BODY
    with pytest.raises(TooLarge):
        inflated(data, coding, len(BODY) - 1)


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_stays_nothing(coding: str) -> None:
    """A request without a body may name a coding."""
    assert inflated(b"", coding, 10) == b""


@pytest.mark.parametrize("coding, data", WRITTEN.values(), ids=WRITTEN)
def test_what_breaks_off_is_told(coding: str, data: bytes) -> None:
    """Half a body is no body."""
    with pytest.raises(BadRequest) as told:
        inflated(data[: len(data) // 4], coding, len(BODY))
    assert "cut" in (told.value.hint or "")


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_not_compressed_is_told(coding: str) -> None:
    """A name alone does not make it so."""
    with pytest.raises(BadRequest):
        inflated(b'{"model":"opus"}', coding, 1000)


def test_a_bomb_is_not_unpacked() -> None:
    """Memory is bounded by the limit, not by what a few bytes stand for."""
    for coding, data in (("gzip", gzip.compress(b"0" * 9_000_000)), ("zstd", zstd.compress(b"0" * 9_000_000))):
        with pytest.raises(TooLarge):
            inflated(data, coding, 1000)
