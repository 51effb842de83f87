"""Cutting a byte stream into the messages of AWS's event-stream framing (`application/vnd.amazon.eventstream`).

A message is: its length and that of its headers (four bytes each, big endian), a CRC-32 of these eight bytes, the
headers, the payload, and a CRC-32 of all before it. It is indifferent to how the bytes are chunked. A wrong checksum
or an impossible length ends it: nothing that follows could be believed. Must not know what messages say.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from struct import Struct as Layout
from typing import NamedTuple

MEDIA_TYPE = "application/vnd.amazon.eventstream"

_PRELUDE = Layout(">III")
_CRC = Layout(">I")
_LENGTH = Layout(">H")
_OVERHEAD = _PRELUDE.size + _CRC.size
# AWS's own limits: a payload of 24 MB, headers of 128 kB.
_MOST = 24 * 1024 * 1024 + 128 * 1024 + _OVERHEAD
_MOST_HEADERS = 128 * 1024
# Header types with a fixed size: true, false, byte, short, integer, long, timestamp, UUID.
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_BYTES, _TEXT = 6, 7


class Message(NamedTuple):
    """One message: its headers that are texts, by name, and its payload."""

    headers: dict[str, str]
    payload: bytes


class BrokenFramingError(ValueError):
    """The bytes are no event stream, or were damaged on their way."""


class EventStreamDecoder:
    """Bytes to messages, each as soon as it is whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = _PRELUDE.size

    @property
    def between(self) -> bool:
        """Whether the next byte begins a message."""
        return not self._buffer

    def feed(self, data: bytes) -> list[Message]:
        """Messages that `data` completes. Raises BrokenFramingError."""
        buffer = self._buffer
        buffer += data
        found: list[Message] = []
        while len(buffer) >= self._needed:
            total = self._total()
            if len(buffer) < total:
                self._needed = total
                break
            found.append(_message(bytes(buffer[:total])))
            del buffer[:total]
            self._needed = _PRELUDE.size
        return found

    def _total(self) -> int:
        total, headers, checksum = _PRELUDE.unpack_from(self._buffer)
        if zlib.crc32(self._buffer[:8]) != checksum:
            raise BrokenFramingError("the checksum of a message's lengths is wrong")
        if not _OVERHEAD <= total <= _MOST or headers > min(_MOST_HEADERS, total - _OVERHEAD):
            raise BrokenFramingError("a message has an impossible length")
        return int(total)


def _message(frame: bytes) -> Message:
    if zlib.crc32(frame[: -_CRC.size]) != _CRC.unpack_from(frame, len(frame) - _CRC.size)[0]:
        raise BrokenFramingError("the checksum of a message is wrong")
    end = _PRELUDE.size + _PRELUDE.unpack_from(frame)[1]
    return Message(_headers(frame, _PRELUDE.size, end), frame[end : -_CRC.size])


def _headers(frame: bytes, at: int, end: int) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        while at < end:
            size = frame[at]
            name = frame[at + 1 : at + 1 + size].decode()
            at += 1 + size
            kind = frame[at]
            at += 1
            if kind in {_BYTES, _TEXT}:
                size = _LENGTH.unpack_from(frame, at)[0]
                at += _LENGTH.size
                if kind == _TEXT:
                    found[name] = frame[at : at + size].decode()
            elif kind in _FIXED:
                size = _FIXED[kind]
            else:
                raise BrokenFramingError("a header of a message is of no known type")
            at += size
    except (IndexError, UnicodeDecodeError):
        at = end + 1
    if at != end:
        raise BrokenFramingError("the headers of a message cannot be read")
    return found


def encode(headers: Mapping[str, str], payload: bytes) -> bytes:
    """A message on the wire; all headers are texts."""
    written = b"".join(
        bytes([len(name)]) + name.encode() + bytes([_TEXT]) + _LENGTH.pack(len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    lengths = _PRELUDE.pack(_OVERHEAD + len(written) + len(payload), len(written), 0)[: -_CRC.size]
    body = lengths + _CRC.pack(zlib.crc32(lengths)) + written + payload
    return body + _CRC.pack(zlib.crc32(body))
