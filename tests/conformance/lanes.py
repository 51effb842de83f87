"""The gateway's lanes without a socket: what leaves for an upstream, and what a client gets for what an upstream sent.

Ids and the time are fixed, so that the same bytes in always give the same bytes out, however they were cut.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable
from functools import partial

import msgspec
from msgspec import Struct

from strowger.config.schema import ProviderConfig
from strowger.dialects.base import (
    NOWHERE,
    Capabilities,
    DecoderSetup,
    Dialect,
    EncoderSetup,
    NewId,
    Rendered,
    Spot,
)
from strowger.flows.flow import Flow
from strowger.gateway.app import DIALECTS as REGISTERED
from strowger.gateway.endpoints import Call, match
from strowger.gateway.lanes import Asked, Draft, draft
from strowger.gateway.origins import Origins
from strowger.gateway.receivers import Passing, Receiver, Translating, Watch
from strowger.ir.events import Event
from strowger.ir.request import Request
from strowger.providers.base import build_provider
from strowger.routing.table import Target
from tests.conformance.recordings import SPOKEN, path_of
from tests.conformance.recordings import Asked as Recorded
from tests.conformance.shapes import Taken

DIALECTS: dict[str, Dialect] = {name: REGISTERED[name] for name in SPOKEN}
ORIGIN = "recorded"
CREATED = 1_700_000_000


class Delivered(Struct, frozen=True):
    """What a client got, and what the flow knows of it afterwards."""

    body: bytes
    receiver: Receiver

    @property
    def flow(self) -> Flow:
        """The flow."""
        return self.receiver.watch.flow


def new_id() -> NewId:
    """Ids that count from one."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers):024d}"


def one_piece(body: bytes) -> list[bytes]:
    """The body at once."""
    return [body]


def bytewise(body: bytes, most: int = 0) -> list[bytes]:
    """The body byte by byte; of a long one `most` bytes at either end, and what is between in larger pieces."""
    most = most or (1024 if Taken.every else 128)
    if len(body) <= 2 * most:
        return [body[i : i + 1] for i in range(len(body))]
    end, size = len(body) - most, 199 if Taken.every else 997
    middle = [body[i : min(i + size, end)] for i in range(most, end, size)]
    return [*bytewise(body[:most], most), *middle, *bytewise(body[end:], most)]


def at_random(body: bytes, seed: str, longest: int = 0) -> list[bytes]:
    """The body cut at places that depend on `seed` only: mostly short pieces, some of one byte."""
    longest = longest or (200 if Taken.every else 600)
    chance = random.Random(seed)
    pieces, start = [], 0
    while start < len(body):
        size = 1 if chance.random() < 0.2 else chance.randint(1, longest)
        pieces.append(body[start : start + size])
        start += size
    return pieces


def target(dialect: str, model: str, caps: Capabilities | None = None) -> Target:
    """A place to send a call, with the defaults of an unknown server, or `caps`."""
    provider = build_provider(ORIGIN, ProviderConfig(dialect=dialect, base_url="http://127.0.0.1:9/v1"), env={})  # type: ignore[arg-type]
    return Target(provider if caps is None else msgspec.structs.replace(provider, base=caps, rules=()), model)


def call(dialect: str, body: bytes, headers: dict[str, str] | None = None, spot: Spot = NOWHERE) -> Call:
    """A client's call as the server hands it to the line."""
    headers = {"content-type": "application/json", **(headers or {})}
    path, _, query = path_of(dialect, spot).partition("?")
    endpoint = match("POST", path, headers, (), query)
    return Call("POST", path, query, endpoint, headers, tuple(headers.items()), body)


def drafted(
    asked: Recorded, dialect: str, body: bytes, model: str | None = None, caps: Capabilities | None = None
) -> Draft:
    """What leaves for an upstream of the same dialect; the model as asked for, or another."""
    taken = Asked(call(dialect, body, spot=asked.spot), DIALECTS[dialect], Origins())
    return draft(taken, target(dialect, model or taken.peek.model, caps), DIALECTS[dialect], strict=False)


def parsed(dialect: str, asked: Recorded) -> Request:
    """A recorded request as it is read. Raises GatewayError."""
    return DIALECTS[dialect].client.parse_request(asked.body, asked.spot)


def rendered(request: Request, dialect: str, caps: Capabilities, model: str | None = None) -> Rendered:
    """A request as an upstream of a dialect with these capabilities gets it."""
    return DIALECTS[dialect].upstream.render_request(request, model or request.model, caps)


def decoder_setup() -> DecoderSetup:
    """The setup of a decoder with ids that count."""
    return DecoderSetup(ORIGIN, new_id())


def encoder_setup(form: str = "") -> EncoderSetup:
    """The setup of an encoder with ids that count, at a fixed time."""
    return EncoderSetup("asked-for", new_id(), created=CREATED, input_estimate=7, form=form)


def decoded(dialect: str, pieces: Iterable[bytes]) -> list[Event]:
    """The events of a stream."""
    decoder = DIALECTS[dialect].upstream.decoder(decoder_setup())
    events = [event for piece in pieces for event in decoder.feed(piece)]
    return events + decoder.close()


def passed(dialect: str, pieces: Iterable[bytes], form: str = "") -> Delivered:
    """A stream through the verbatim lane."""
    return _streamed(_passing(dialect, form), pieces)


def passed_whole(dialect: str, body: bytes) -> Delivered:
    """A body through the verbatim lane. Raises GatewayError for an error in disguise."""
    receiver = _passing(dialect)
    return Delivered(receiver.whole(body), receiver)


def translated(upstream: str, pieces: Iterable[bytes], client: str = "", form: str = "") -> Delivered:
    """A stream to a client of another dialect (`ANOTHER` unless told) that waits for a stream."""
    return _streamed(_translating(upstream, client, form), pieces)


def translated_whole(upstream: str, body: bytes, client: str = "") -> Delivered:
    """A body or a stream to a client of another dialect that waits for a body. Raises GatewayError."""
    receiver = _translating(upstream, client)
    return Delivered(receiver.whole(body), receiver)


def restreamed(upstream: str, body: bytes, client: str = "") -> Delivered:
    """A body to a client of another dialect that waits for a stream. Raises GatewayError."""
    receiver = _translating(upstream, client)
    return Delivered(receiver.restream(body), receiver)


ANOTHER = {"anthropic": "openai_chat"}
"""The other dialect where any will do; for all but this one it is Anthropic's."""


def _passing(dialect: str, form: str = "") -> Receiver:
    setup = partial(encoder_setup, form)
    return Passing(DIALECTS[dialect], decoder_setup(), setup, _watch(dialect), array=form == "array")


def _translating(upstream: str, client: str, form: str = "") -> Receiver:
    client = client or ANOTHER.get(upstream, "anthropic")
    both = DIALECTS[client], DIALECTS[upstream]
    return Translating(*both, decoder_setup(), partial(encoder_setup, form), _watch(client))


def _streamed(receiver: Receiver, pieces: Iterable[bytes]) -> Delivered:
    out: list[bytes] = []
    feed: Callable[[bytes], bytes] = receiver.feed
    for piece in pieces:
        out.append(feed(piece))
        if receiver.done:
            break
    out.append(receiver.close(None))
    return Delivered(b"".join(out), receiver)


def _watch(dialect: str) -> Watch:
    return Watch(Flow("flow_test", CREATED, 0.0, "POST", path_of(dialect, NOWHERE), dialect), Origins())
