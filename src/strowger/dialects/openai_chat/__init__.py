"""OpenAI's Chat Completions, and every server that speaks like it."""

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
    patch_model,
)
from strowger.dialects.openai_chat import errors, passing, render, request, unary
from strowger.dialects.openai_chat.encoder import ChatEncoder
from strowger.dialects.openai_chat.response import ChatDecoder
from strowger.dialects.openai_chat.wire import FAITHFUL, NAME
from strowger.errors import GatewayError, Refused, UnknownPath
from strowger.ir.events import Event
from strowger.ir.request import Request
from strowger.ir.response import Response

__all__ = ["DIALECT", "FAITHFUL"]


class _Client:
    """The side that our clients speak with."""

    def peek(self, body: bytes, spot: Spot = NOWHERE) -> Peek:
        return request.peek(body)

    def parse_request(self, body: bytes, spot: Spot = NOWHERE) -> Request:
        return request.parse_request(body)

    def encoder(self, setup: EncoderSetup) -> Encoder:
        return ChatEncoder(setup)

    def render_response(self, response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
        return unary.render_response(response, setup)

    def render_error(self, error: GatewayError) -> ErrorReply:
        return errors.render_error(error)

    def render_count(self, tokens: int) -> bytes:
        raise UnknownPath("this dialect has no endpoint that counts tokens")


class _Upstream:
    """The side that we speak with upstreams."""

    def render_request(self, request: Request, model: str, caps: Capabilities) -> Rendered:
        return render.render_request(request, model, caps)

    def trim(self, body: bytes, caps: Capabilities, peek: Peek | None = None) -> bytes:
        return body

    def passes(self, body: bytes, caps: Capabilities, spot: Spot = NOWHERE, peek: Peek | None = None) -> bool:
        return passing.passes(body, caps)

    def with_model(self, body: bytes, model: str, written: bytes = b"") -> bytes:
        return patch_model(body, model, written)

    def count_body(self, body: bytes, model: str) -> bytes | None:
        return None

    def parse_count(self, body: bytes) -> int | None:
        return None

    def decoder(self, setup: DecoderSetup) -> Decoder:
        return ChatDecoder(setup)

    def decode_response(self, body: bytes, setup: DecoderSetup) -> list[Event]:
        return unary.decode_response(body, setup)

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> Refused:
        return errors.parse_error(status, headers, body)


DIALECT = Dialect(NAME, client=_Client(), upstream=_Upstream())
