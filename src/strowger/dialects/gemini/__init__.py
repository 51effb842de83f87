"""Google's Gemini API, public and behind Code Assist."""

from __future__ import annotations

from collections.abc import Mapping

from strowger.dialects.base import (
    NOWHERE,
    Capabilities,
    Decoder,
    DecoderSetup,
    Dialect,
    Encoder,
    EncoderSetup,
    ErrorReply,
    Loss,
    Peek,
    Rendered,
    Spot,
)
from strowger.dialects.gemini import counting, encode, errors, passing, render, request, stream
from strowger.dialects.gemini.wire import FAITHFUL, NAME
from strowger.errors import GatewayError, Refused
from strowger.ir.events import Event
from strowger.ir.request import Request
from strowger.ir.response import Response

__all__ = ["DIALECT", "FAITHFUL"]


class _Client:
    """The side that our clients speak with."""

    def peek(self, body: bytes, spot: Spot = NOWHERE) -> Peek:
        return request.peek(body, spot)

    def parse_request(self, body: bytes, spot: Spot = NOWHERE) -> Request:
        return request.parse_request(body, spot)

    def encoder(self, setup: EncoderSetup) -> Encoder:
        return encode.StreamEncoder(setup)

    def render_response(self, response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
        return encode.render_response(response, setup)

    def render_error(self, error: GatewayError) -> ErrorReply:
        return errors.render_error(error)

    def render_count(self, tokens: int) -> bytes:
        return counting.render_count(tokens)


class _Upstream:
    """The side that we speak with upstreams."""

    def render_request(self, request: Request, model: str, caps: Capabilities) -> Rendered:
        return render.render_request(request, model, caps)

    def trim(self, body: bytes, caps: Capabilities, peek: Peek | None = None) -> bytes:
        return body

    def passes(self, body: bytes, caps: Capabilities, spot: Spot = NOWHERE, peek: Peek | None = None) -> bool:
        return passing.passes(body, caps, spot)

    def with_model(self, body: bytes, model: str, written: bytes = b"") -> bytes:
        return passing.with_model(body, model, written)

    def count_body(self, body: bytes, model: str) -> bytes | None:
        return counting.count_body(body, model)

    def parse_count(self, body: bytes) -> int | None:
        return counting.parse_count(body)

    def decoder(self, setup: DecoderSetup) -> Decoder:
        return stream.StreamDecoder(setup)

    def decode_response(self, body: bytes, setup: DecoderSetup) -> list[Event]:
        return stream.decode_body(body, setup)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        return errors.parse_error(status, headers, body)


DIALECT = Dialect(NAME, client=_Client(), upstream=_Upstream())
