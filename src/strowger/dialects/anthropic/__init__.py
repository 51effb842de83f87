"""Anthropic's Messages API.

`wire` holds its words; `request` parses and `render` writes requests (`turns`, `fit`, `thinking`); `response` and
`stream` decode, `encode` writes answers; `blocks` is the vocabulary
of both, `errors` the errors, and `passing` tells when none of it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from strowger.dialects.anthropic.counting import count_body, parse_count, render_count
from strowger.dialects.anthropic.encode import StreamEncoder, render_response
from strowger.dialects.anthropic.errors import parse_error, render_error
from strowger.dialects.anthropic.passing import passes, trim
from strowger.dialects.anthropic.render import render_request
from strowger.dialects.anthropic.request import parse_request, peek
from strowger.dialects.anthropic.response import decode_response
from strowger.dialects.anthropic.stream import StreamDecoder
from strowger.dialects.anthropic.wire import FAITHFUL, NAME
from strowger.dialects.base import (
    NOWHERE,
    Capabilities,
    DecoderSetup,
    Dialect,
    EncoderSetup,
    ErrorReply,
    Loss,
    Peek,
    Rendered,
    Spot,
    patch_model,
)
from strowger.errors import GatewayError, Refused
from strowger.ir.events import Event
from strowger.ir.request import Request
from strowger.ir.response import Response

__all__ = ["DIALECT", "FAITHFUL"]


class _Client:
    """The Messages API as our clients speak it."""

    def peek(self, body: bytes, spot: Spot = NOWHERE) -> Peek:
        return peek(body)

    def parse_request(self, body: bytes, spot: Spot = NOWHERE) -> Request:
        return parse_request(body)

    def encoder(self, setup: EncoderSetup) -> StreamEncoder:
        return StreamEncoder(setup)

    def render_response(self, response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
        return render_response(response, setup)

    def render_error(self, error: GatewayError) -> ErrorReply:
        return render_error(error)

    def render_count(self, tokens: int) -> bytes:
        return render_count(tokens)


class _Upstream:
    """The Messages API as upstreams speak it."""

    def render_request(self, request: Request, model: str, caps: Capabilities) -> Rendered:
        return render_request(request, model, caps)

    def trim(self, body: bytes, caps: Capabilities, peek: Peek | None = None) -> bytes:
        return trim(body, caps, peek)

    def passes(self, body: bytes, caps: Capabilities, spot: Spot = NOWHERE, peek: Peek | None = None) -> bool:
        return passes(body, caps, peek)

    def with_model(self, body: bytes, model: str, written: bytes = b"") -> bytes:
        return patch_model(body, model, written)

    def count_body(self, body: bytes, model: str) -> bytes | None:
        return count_body(body)

    def parse_count(self, body: bytes) -> int | None:
        return parse_count(body)

    def decoder(self, setup: DecoderSetup) -> StreamDecoder:
        return StreamDecoder(setup)

    def decode_response(self, body: bytes, setup: DecoderSetup) -> list[Event]:
        return decode_response(body, setup)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        return parse_error(status, headers, body)


DIALECT = Dialect(NAME, _Client(), _Upstream())
