"""Generated conversations: JSON, answers, events in legal order, and request bodies of both dialects."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from msgspec import Raw

from strowger.errors import ErrorKind
from strowger.ir.events import (
    TRANSITIONS,
    ArgumentsDelta,
    CitationDelta,
    Event,
    Failure,
    Finish,
    Note,
    PartStart,
    PartStop,
    SignatureDelta,
    Start,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageUpdate,
)
from strowger.ir.request import Citation, Opaque, Part, Refusal, ServerToolCall, Signed, Text, Thinking, ToolCall
from strowger.ir.response import Response

# The characters that framing and escaping trip over, among plain ones; of all of Unicode a few must do.
TEXTS = st.text('abc \n\r\t\u2028\u00a0\\"{}[]:,<>/é\u0301💡\x00\x7f\ufeff\ufffd', max_size=20)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz_-0123456789", min_size=1, max_size=12)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXTS)
OBJECTS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["a", "path", "x_y", "é", "", "\\"]),
    st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.just({"in": [{}, None]})),
    max_size=3,
)
ARGUMENTS = OBJECTS.map(lambda value: json.dumps(value, ensure_ascii=False))
COUNTS = st.one_of(st.none(), st.integers(0, 10**6))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Counts; what was cached is part of the input."""
    read, write = draw(COUNTS), draw(COUNTS)
    fresh = draw(st.integers(0, 10**6))
    reasoning = draw(COUNTS)
    plain = draw(st.integers(0, 10**6))
    return Usage(
        input=fresh + (read or 0) + (write or 0),
        output=plain + (reasoning or 0),
        cache_read=read,
        cache_write=write,
        reasoning=reasoning,
    )


@st.composite
def citations(draw: st.DrawFn) -> Citation:
    """A source, of a web page or of something else, for a stretch of text or all of it."""
    stretch = draw(st.one_of(st.none(), st.tuples(st.integers(0, 30), st.integers(0, 30))))
    return Citation(
        raw(draw(OBJECTS)),
        url=draw(st.sampled_from(["", "https://example.test/é"])),
        title=draw(TEXTS),
        quote=draw(TEXTS),
        start=None if stretch is None else stretch[0],
        end=None if stretch is None else stretch[1],
    )


def signed(origin: str) -> st.SearchStrategy[Signed]:
    """State that only `origin` can read."""
    return st.builds(Signed, st.just(origin), st.just("kind"), st.text("abcXYZ019+/=", min_size=1, max_size=20))


def calls(number: int) -> st.SearchStrategy[ToolCall]:
    """A tool call whose id is unlike that of others."""
    return st.builds(ToolCall, WORDS.map(lambda word: f"call_{number}_{word}"), WORDS, ARGUMENTS)


def plain_parts(number: int, origin: str = "somewhere") -> st.SearchStrategy[Part]:
    """Parts that both dialects have."""
    return st.one_of(
        TEXTS.map(Text),
        st.builds(Thinking, TEXTS, st.one_of(st.none(), signed(origin))),
        calls(number),
    )


def odd_parts(number: int) -> st.SearchStrategy[Part]:
    """Parts that one dialect has, or none."""
    return st.one_of(
        TEXTS.map(Refusal),
        st.builds(Thinking, st.just(""), signed("anthropic")),
        st.builds(ServerToolCall, WORDS.map(lambda word: f"srv_{number}_{word}"), WORDS, ARGUMENTS, WORDS),
        st.builds(Opaque, WORDS, WORDS, st.just(Raw(b'{"type":"odd"}'))),
    )


@st.composite
def responses(draw: st.DrawFn, origin: str = "somewhere", *, odd: bool = False) -> Response:
    """A whole answer."""
    of: list[Callable[[int], st.SearchStrategy[Part]]] = [plain_parts, *([odd_parts] if odd else [])]
    parts = tuple(draw(draw(st.sampled_from(of))(number)) for number in range(draw(st.integers(0, 5))))
    native = draw(st.one_of(st.just(""), WORDS))
    return Response(
        origin=origin,
        id=draw(WORDS),
        model=draw(WORDS),
        parts=parts,
        finish=Finish(draw(st.sampled_from(StopReason)), native, draw(st.one_of(st.none(), TEXTS))),
        usage=draw(usages()),
        created=draw(st.one_of(st.none(), st.integers(0, 2**31))),
        notes=tuple(draw(st.lists(OBJECTS.map(raw), max_size=1))) if odd else (),
    )


def raw(value: Any) -> Raw:
    """A value as raw JSON."""
    return Raw(json.dumps(value).encode())


# ---- events ----


@st.composite
def event_streams(draw: st.DrawFn, origin: str = "somewhere", *, odd: bool = True, failing: bool = True) -> list[Event]:
    """A walk through the transition table that every step of which is legal, deltas being those of their part."""
    state, events, index, signable = "idle", list[Event](), -1, False
    part: Part | None = None
    left = draw(st.integers(0, 25))
    while state != "ended":
        choices = [kind for kind in TRANSITIONS[state] if _fits(kind, part, signable=signable)]
        if not failing:
            choices.remove(Failure)
        if not odd:
            choices = [kind for kind in choices if kind is not Note]
        if left <= 0:
            choices = [kind for kind in choices if kind in (Start, PartStop, Finish)]
        kind = draw(st.sampled_from(choices))
        left -= 1
        if kind is PartStart:
            index += 1
            part = _head(draw(plain_parts(index, origin) if not odd or draw(st.booleans()) else odd_parts(index)))
            signable = isinstance(part, Thinking) and part.signed is None
            events.append(PartStart(index, part))
        else:
            events.append(draw(_event(kind, index, origin)))
            signable = signable and kind is not SignatureDelta
            if kind in (PartStop, Finish, Failure):
                part = None
        state = TRANSITIONS[state][kind]
    return events


def _fits(kind: type, part: Part | None, *, signable: bool) -> bool:
    if kind in (TextDelta, CitationDelta):
        return isinstance(part, Text) or (kind is TextDelta and isinstance(part, Refusal))
    if kind is ThinkingDelta:
        return isinstance(part, Thinking) and signable
    if kind is SignatureDelta:
        return signable
    if kind is ArgumentsDelta:
        return isinstance(part, ToolCall | ServerToolCall)
    return True


def _head(part: Part) -> Part:
    """A part as it opens: what grows by deltas is empty."""
    match part:
        case Text():
            return Text("")
        case Refusal():
            return Refusal("")
        case Thinking(signed=signed) if signed is None or part.text:
            return Thinking("")
        case ToolCall():
            return ToolCall(part.id, part.name, "")
        case ServerToolCall():
            return ServerToolCall(part.id, part.name, "", part.kind)
        case _:
            return part


def _event(kind: type, index: int, origin: str) -> st.SearchStrategy[Event]:
    strategies: dict[type, st.SearchStrategy[Any]] = {
        Start: st.builds(Start, st.just(origin), WORDS, WORDS, st.one_of(st.none(), st.integers(0, 2**31))),
        TextDelta: TEXTS.map(lambda text: TextDelta(index, text)),
        ThinkingDelta: TEXTS.map(lambda text: ThinkingDelta(index, text)),
        ArgumentsDelta: TEXTS.map(lambda text: ArgumentsDelta(index, text)),
        SignatureDelta: signed(origin).map(lambda state: SignatureDelta(index, state)),
        CitationDelta: citations().map(lambda citation: CitationDelta(index, citation)),
        PartStop: st.just(PartStop(index)),
        UsageUpdate: usages().map(UsageUpdate),
        Note: OBJECTS.map(lambda value: Note(raw({"type": "odd", **value}))),
        Finish: st.builds(Finish, st.sampled_from(StopReason), st.one_of(st.just(""), WORDS)),
        Failure: st.builds(Failure, st.sampled_from(ErrorKind), TEXTS, st.one_of(st.none(), WORDS)),
    }
    return strategies[kind]
