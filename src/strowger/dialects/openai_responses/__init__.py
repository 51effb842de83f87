"""OpenAI's Responses API, as OpenAI, Azure, the ChatGPT backend of Codex and others speak it.

`wire` holds its words. Requests: `request`, `items`, `tools` read them, `render`, `history`, `pairing`, `offered` write
them, `parts` is the vocabulary of both, `passing` tells when none of it is needed. Answers: `stream` and `response`
decode, `encode` writes them, `errors` reads and writes the errors.
"""

from __future__ import annotations

from collections.abc import Mapping

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
from strowger.dialects.openai_responses.counting import count_body, parse_count, render_count
from strowger.dialects.openai_responses.encode import StreamEncoder, render_response
from strowger.dialects.openai_responses.errors import parse_error, render_error
from strowger.dialects.openai_responses.passing import passes
from strowger.dialects.openai_responses.render import render_request
from strowger.dialects.openai_responses.request import parse_request, peek
from strowger.dialects.openai_responses.response import decode_response
from strowger.dialects.openai_responses.stream import StreamDecoder
from strowger.dialects.openai_responses.wire import FAITHFUL, NAME
from strowger.errors import GatewayError, Refused
from strowger.ir.events import Event
from strowger.ir.request import Request
from strowger.ir.response import Response

__all__ = ["DIALECT", "FAITHFUL"]


class _Client:
    """The Responses API as our clients speak it."""

    def peek(self, body: bytes, spot: Spot = NOWHERE) -> Peek:
        return peek(body)

    def parse_request(self, body: bytes, spot: Spot = NOWHERE) -> Request:
        return parse_request(body, spot)

    def encoder(self, setup: EncoderSetup) -> StreamEncoder:
        return StreamEncoder(setup)

    def render_response(self, response: Response, setup: EncoderSetup) -> tuple[bytes, list[Loss]]:
        return render_response(response, setup)

    def render_error(self, error: GatewayError) -> ErrorReply:
        return render_error(error)

    def render_count(self, tokens: int) -> bytes:
        return render_count(tokens)


class _Upstream:
    """The Responses API as upstreams speak it."""

    def render_request(self, request: Request, model: str, caps: Capabilities) -> Rendered:
        return render_request(request, model, caps)

    def trim(self, body: bytes, caps: Capabilities, peek: Peek | None = None) -> bytes:
        return body

    def passes(self, body: bytes, caps: Capabilities, spot: Spot = NOWHERE, peek: Peek | None = None) -> bool:
        return passes(body, caps, spot)

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
