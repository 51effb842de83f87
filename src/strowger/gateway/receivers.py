"""What an upstream sends, turned into what the client gets: bytes as they are, or decoded and encoded.

Both kinds of receiver watch the events go by, so that the flow knows usage and ending whatever the lane. Must not know
sockets, nor how a lane is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from strowger.dialects.base import Decoder, DecoderSetup, Dialect, EncoderSetup
from strowger.dialects.stopping import StopWatch, cut
from strowger.errors import ErrorKind, GatewayError, Malformed, Refused, Truncated
from strowger.flows.flow import Flow
from strowger.gateway.origins import Origins
from strowger.ir.events import (
    ArgumentsDelta,
    Event,
    Failure,
    Finish,
    PartStart,
    PartStop,
    SignatureDelta,
    Start,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Thinking
from strowger.ir.response import IncompleteError, fold
from strowger.routing.prices import stated_tier
from strowger.upstreams.base import CUT

# The code of a failure that is a decoder's own, not the upstream's word
_GIVEN_UP = "malformed"
# More than any answer comes to, and few enough to be added up
_MOST_TOKENS = 10**12
_LONGEST_NAME = 200
_EVENT_ENDS = (b"\n\n", b"\r\n\r\n", b"\r\r")


def failure_error(failure: Failure, dialect: str, body: bytes = b"") -> GatewayError:
    """A Failure event as the error it stands for."""
    if failure.code == "truncated":
        hint = None if "(hint: " in failure.message else CUT
        return Truncated(failure.message, kind=failure.kind, code=failure.code, hint=hint)
    return Refused(
        failure.message,
        status=200,
        body=body if failure.raw is not None else b"",  # what is no error in the vendor's words is told in ours
        dialect=dialect,
        kind=failure.kind,
        code=failure.code,
        retry_after=failure.retry_after,
    )


def _believable(usage: Usage) -> Usage:
    """Counts as they are, without those that cannot be: they are summed, priced, and held against budgets."""
    counts = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning, usage.searches)
    told = [count for count in counts if count is not None]
    if not told or (min(told) >= 0 and max(told) <= _MOST_TOKENS):
        return usage
    read = tuple(count if count is None or 0 <= count <= _MOST_TOKENS else None for count in counts)
    names = ("input", "output", "cache_read", "cache_write", "reasoning", "searches")
    return replace(usage, **dict(zip(names, read, strict=True)))


_SILENT = frozenset({TextDelta, ThinkingDelta, ArgumentsDelta, PartStop})

Masked = Callable[[bytes], bytes]
"""Takes out the credentials of a call: some servers quote what they were sent."""


class Watch:
    """Sees the events of an answer go by and keeps what the flow wants to know. `over`: the last event was there."""

    __slots__ = ("failure", "first", "flow", "masked", "origins", "over")

    def __init__(self, flow: Flow, origins: Origins, masked: Masked = bytes) -> None:
        self.flow = flow
        self.origins = origins
        self.masked = masked
        self.first: Event | None = None
        self.failure: Failure | None = None
        self.over = False

    def see(self, events: list[Event]) -> None:
        """Take note of the next events."""
        flow = self.flow
        if events and isinstance(events[-1], Failure):
            events[-1] = self._without_secrets(events[-1])
        if self.first is None and events:
            self.first = events[0]
        flow.events += len(events)
        for event in events:
            kind = type(event)
            if kind in _SILENT:
                continue
            if kind is UsageUpdate:
                flow.usage = flow.usage.merged(_believable(event.usage))  # type: ignore[union-attr]
            elif kind is Finish:
                flow.finish = event  # type: ignore[assignment]
                self.over = True
            elif kind is Start:
                flow.response_model = event.model[:_LONGEST_NAME]  # type: ignore[union-attr]
                flow.tier = stated_tier(event.extras)  # type: ignore[union-attr]
            elif kind is SignatureDelta:
                self.origins.note(event.signed)  # type: ignore[union-attr]
            elif kind is PartStart:
                part = event.part  # type: ignore[union-attr]
                if type(part) is Thinking and part.signed is not None:
                    self.origins.note(part.signed)
            elif kind is Failure:
                self.failure = event  # type: ignore[assignment]
                self.over = True

    def _without_secrets(self, failure: Failure) -> Failure:
        message = self.masked(failure.message.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
        return replace(failure, message=message)


class Receiver(Protocol):
    """What an upstream sends, turned into what the client gets."""

    watch: Watch

    @property
    def done(self) -> bool:
        """Whether nothing more of the upstream is wanted."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Bytes of a stream."""
        ...

    def close(self, broken: GatewayError | None) -> bytes:
        """The end of a stream; `broken` when the transfer did not end by itself."""
        ...

    def whole(self, body: bytes) -> bytes:
        """A whole answer. Raises GatewayError when it is an error in disguise or cannot be read."""
        ...

    def restream(self, body: bytes) -> bytes:
        """A whole answer for a client that waits for a stream. Raises as `whole`."""
        ...


class Passing:
    """Verbatim: bytes as they are. The decoder only watches; what it cannot read is noted and otherwise ignored.

    Bytes go on an event at a time: a client has no use for half of one, and whatever is said in between (a heartbeat,
    an error after a break) would become part of it.
    """

    def __init__(
        self,
        dialect: Dialect,
        decoder: DecoderSetup,
        encoder: Callable[[], EncoderSetup],
        watch: Watch,
        *,
        array: bool = False,
    ) -> None:
        self.watch = watch
        self._dialect = dialect
        self._setup = decoder
        self._decoder = dialect.upstream.decoder(decoder)
        self._encoder = encoder
        self._blind = False
        self._array = array
        self._held = bytearray()
        self._start: Start | None = None

    @property
    def done(self) -> bool:
        """Never: what an upstream says after its own failure passes too."""
        return False

    def passes(self, data: bytes) -> bool:
        """Whether this is one whole event in which there is nothing to see: most are. It is for who asks to count."""
        return not self._held and not self._blind and self._decoder.skips(data)

    def feed(self, data: bytes) -> bytes:
        """The same bytes, as far as they are whole events."""
        if self.passes(data):
            self.watch.flow.events += 1
            return data
        if not self._blind:
            self._look(data)
        out = self._whole_events(data)
        return out if self.watch.failure is None else self.watch.masked(out)

    def _whole_events(self, data: bytes) -> bytes:
        held = self._held
        if self._array or (not held and data.endswith(b"\n\n")):
            return data  # half an array is told from a whole one by its end
        seen = max(0, len(held) - 3)  # the mark of an event's end may have been cut
        held += data
        end = len(held) if self._blind or self.watch.over else _last_end(held, seen)
        whole = bytes(held[:end])
        del held[:end]
        return whole

    def _look(self, data: bytes) -> None:
        try:
            events = self._decoder.feed(data)
        except Exception as error:  # noqa: BLE001 - watching may fail, delivery may not
            events = [Failure(ErrorKind.UPSTREAM, f"{type(error).__name__}: {error}", _GIVEN_UP)]
        last = events[-1] if events else None
        if isinstance(last, Failure) and last.code == _GIVEN_UP and last.raw is None:
            self._blind = True
            self.watch.flow.notes.append(f"the stream could not be watched: {last.message}")
            events = events[:-1] or [Start(self._dialect.name, "", "")]
        if self._start is None:
            self._start = next((event for event in events if isinstance(event, Start)), None)
        self.watch.see(events)

    def close(self, broken: GatewayError | None) -> bytes:
        """What was held back, or an error event after a stream that was cut: nobody shall take half for whole."""
        watch = self.watch
        rest = bytes(self._held)
        self._held.clear()
        if watch.failure is not None:
            return watch.masked(rest)
        if not self._blind:
            watch.see(_ending(self._decoder, broken))
        elif broken is not None:
            watch.see([Failure(broken.kind, broken.text, "truncated")])
        failure = self.watch.failure
        if failure is None or self._array:
            return rest
        if failure.raw is not None:
            return watch.masked(rest)  # it was the upstream that said so, in its last words
        # The half event stays behind: a reader would stumble over it before it comes to our words.
        encoder = self._dialect.client.encoder(self._encoder())
        if self._start is not None:
            encoder.encode(self._start)  # the client has it: what fails is the answer of that id
        return encoder.fail(failure_error(failure, self._dialect.name))

    def whole(self, body: bytes) -> bytes:
        """The same body, unless it is an error under a status of success."""
        if not looks_like_json(body):
            return self._own_translation().whole(body)
        self.watch.see(self._dialect.upstream.decode_response(body, self._setup))
        failure = self.watch.failure
        if failure is not None and failure.raw is not None:
            raise failure_error(failure, self._dialect.name, self.watch.masked(body))
        return body

    def restream(self, body: bytes) -> bytes:
        """The body as a stream of its own dialect."""
        return self._own_translation().restream(body)

    def _own_translation(self) -> Translating:
        """For an upstream that streams unasked, or does not although it was asked: its client could not read it."""
        return Translating(self._dialect, self._dialect, self._setup, self._encoder, self.watch)


class Translating:
    """Decode, encode. One encoder per answer, made when the upstream's first byte comes."""

    def __init__(
        self,
        client: Dialect,
        upstream: Dialect,
        decoder: DecoderSetup,
        encoder: Callable[[], EncoderSetup],
        watch: Watch,
        stop: tuple[str, ...] = (),
    ) -> None:
        self.watch = watch
        self._stop = stop
        self._stopping = StopWatch(stop) if stop else None
        self._client = client
        self._upstream = upstream
        self._setup = decoder
        self._decoder = upstream.upstream.decoder(decoder)
        self._encoder_setup = encoder
        self._encoder = client.client.encoder(encoder())

    @property
    def done(self) -> bool:
        """After a failure, and behind a stop sequence, the client has been told the end."""
        return self.watch.failure is not None or (self._stopping is not None and self._stopping.over)

    def feed(self, data: bytes) -> bytes:
        """What `data` says, in the client's dialect; nothing for a failure, which `watch` tells."""
        return self._encode(self._decoder.feed(data))

    def _encode(self, events: list[Event]) -> bytes:
        if self._stopping is not None:
            events = self._stopping.passed(events)
        self.watch.see(events)
        if not events:
            return b""
        encode = self._encoder.encode
        out = b"".join([encode(event) for event in events if type(event) is not Failure])
        failure = self.watch.failure
        if failure is not None and type(self.watch.first) is Start:
            out += self._encoder.fail(failure_error(failure, self._upstream.name))
        return out

    def close(self, broken: GatewayError | None) -> bytes:
        """The end in the client's dialect, or the error that there was none."""
        if self.watch.failure is not None:
            return b""
        out = self._encode(_ending(self._decoder, broken))
        self.watch.flow.add_losses(self._encoder.losses)
        return out

    def whole(self, body: bytes) -> bytes:
        """A whole answer, from a whole body or from a stream."""
        if looks_like_json(body):
            events = self._upstream.upstream.decode_response(body, self._setup)
        else:
            events = self._decoder.feed(body) + self._decoder.close()
        events = cut(events, self._stop)
        self.watch.see(events)
        try:
            response = fold(events)
        except IncompleteError as error:
            if error.failure is None:
                raise Malformed("the upstream's answer has no beginning or no end") from None
            raise failure_error(self.watch.failure or error.failure, self._upstream.name) from None
        rendered, losses = self._client.client.render_response(response, self._encoder_setup())
        self.watch.flow.add_losses(losses)
        return rendered

    def restream(self, body: bytes) -> bytes:
        """A whole body, for a client that waits for a stream. An error is raised: it can still be a status."""
        out = self._encode(self._upstream.upstream.decode_response(body, self._setup))
        if isinstance(self.watch.first, Failure):
            raise failure_error(self.watch.first, self._upstream.name, self.watch.masked(body))
        self.watch.flow.add_losses(self._encoder.losses)
        return out


def _last_end(held: bytearray, start: int) -> int:
    """Where the last whole event in `held` ends, 0 when none does behind `start`."""
    return max(found + len(mark) if (found := held.rfind(mark, start)) >= 0 else 0 for mark in _EVENT_ENDS)


def _ending(decoder: Decoder, broken: GatewayError | None) -> list[Event]:
    """The last events. Where the stream was cut, the reason is the transport's, if it gave one."""
    events = decoder.close()
    if broken is not None and events and isinstance(events[-1], Failure):
        events[-1] = Failure(broken.kind, broken.text, code=events[-1].code)
    return events


def looks_like_json(body: bytes) -> bool:
    """Whether a body is one JSON value and not a stream of events."""
    return body.lstrip()[:1] in (b"{", b"[")
