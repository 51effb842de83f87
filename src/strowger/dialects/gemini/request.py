"""A generateContent body to the middle form, from the public API or in the envelope of Code Assist.

The inverse is `render.py`; together they are the identity on everything a client can write, in either spelling. What
has no field stays in extras; which of several spellings was used is remembered in `forms`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import NOWHERE, Peek, Spot
from strowger.dialects.gemini import usual
from strowger.dialects.gemini.calls import Calls, Noted, Settled
from strowger.dialects.gemini.history import (
    CONTENTS_OBJECT,
    NO_PARTS,
    NO_ROLE,
    PARTS_OBJECT,
    ROLE,
    SYSTEM_OBJECT,
    SYSTEM_STRING,
)
from strowger.dialects.gemini.members import Members, Recurring, is_null, starts
from strowger.dialects.gemini.parts import parse_parts, reunited
from strowger.dialects.gemini.settings import take_settings
from strowger.dialects.gemini.tools import TOOLS, take_choice
from strowger.dialects.gemini.wire import NAME, plain_model
from strowger.dialects.growing import Growing
from strowger.dialects.lately import Lately
from strowger.errors import BadRequest
from strowger.ir.request import Message, Opaque, Request, Text

CODE_ASSIST = "code_assist"
"""In `Request.forms`: the body came in the envelope of Code Assist. The other members of the envelope are in the
extras under the same name."""
COUNTING = "generateContentRequest"
"""In `Request.forms`: the body came as the question for its tokens. What stood around it is where an envelope's is."""

_ROLES = {"user": "user", "model": "assistant", "function": "user", "tool": "user"}


_NONE = Raw(b"")


class _Session(Struct):
    session_id: str | None = None
    camel: str | None = msgspec.field(default=None, name="sessionId")
    model: Raw = _NONE


class _Envelope(Struct):
    model: Raw = _NONE
    request: _Session | None = None


class _Model(Struct):
    model: Raw = _NONE


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_MODEL = msgspec.json.Decoder(_Model)
_STRING = msgspec.json.Decoder(str)
_NULL = Raw(b"null")
_KEY = msgspec.json.Decoder(str | None)
_IDS = msgspec.json.Decoder(list[str])
_GROWING = Growing("contents", "request")


def peek(body: bytes, spot: Spot = NOWHERE) -> Peek:
    """What routing needs: mostly in the URL, behind Code Assist in the envelope. Raises BadRequest."""
    if spot.form != CODE_ASSIST and spot.model:
        return Peek(plain_model(spot.model), bool(spot.stream))
    try:
        outer = _enveloped(body) if spot.form == CODE_ASSIST else _Envelope(_MODEL.decode(body).model)
        request = outer.request or _Session()
        written = outer.model if outer.model != _NONE else request.model
        model = plain_model(_STRING.decode(written)) if written != _NONE else ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _peek_slowly(body, spot)
    if not model:
        raise _nameless()
    session = request.session_id or request.camel
    return Peek(model, bool(spot.stream), session, bytes(outer.model))


def _enveloped(body: bytes) -> _Envelope:
    """What the peek looks for in Code Assist's envelope. Raises what msgspec raises."""
    cut = _GROWING.cut(body)
    if cut is None or cut.outer is None:
        return _ENVELOPE.decode(body)
    said = cut.members
    session, camel = (_KEY.decode(said.get(key, _NULL)) for key in ("session_id", "sessionId"))
    return _Envelope(cut.outer.get("model", _NONE), _Session(session, camel, said.get("model", _NONE)))


def _peek_slowly(body: bytes, spot: Spot) -> Peek:
    request = parse_request(body, spot)
    if not request.model:
        raise _nameless()
    return Peek(request.model, bool(spot.stream), request.cache_key)


def _nameless() -> BadRequest:
    return BadRequest(
        "model: field required", param="model", hint="name the model in the URL: /v1beta/models/{model}:generateContent"
    )


def parse_request(body: bytes, spot: Spot = NOWHERE) -> Request:
    """A request body to IR; raises BadRequest that names the member at fault.

    Model and stream are the spot's. A body without either may be parsed: countTokens has neither.
    """
    forms: set[str] = set()
    cut = _GROWING.cut(body)
    if cut is None:
        outer, fields = _opened(body, forms)
    elif cut.outer is None:
        outer, fields = None, Members.of(dict(cut.members))
    else:
        outer, fields = Members.of(dict(cut.outer)), Members.of(dict(cut.members), "request")
        forms.add(CODE_ASSIST)
    if outer is not None and outer.rest:
        fields.rest[CODE_ASSIST] = Raw(msgspec.json.encode(outer.rest))
    messages = _contents(_listed(fields, forms) if cut is None else cut.items, fields.at("contents"))
    settings = take_settings(fields, forms)
    return Request(
        origin=NAME,
        model=_model(spot, outer, fields),
        messages=messages,
        system=_SYSTEM.take(fields, forms),
        tools=TOOLS.take(fields, forms),
        tool_choice=take_choice(fields, forms),
        max_tokens=settings.max_tokens,
        sampling=settings.sampling,
        reasoning=settings.reasoning,
        output=settings.output,
        stream=bool(spot.stream),
        cache_key=_session(fields) if CODE_ASSIST in forms else None,
        tier=fields.filled("serviceTier") or None if starts(fields.look("serviceTier"), b'"') else None,
        forms=frozenset(forms),
        extras=fields.extras(),
    )


def _opened(body: bytes, forms: set[str]) -> tuple[Members | None, Members]:
    """The members of the envelope, if there is one, and those of the request."""
    fields = Members(body)
    if fields.is_object("request") and not fields.says("contents"):
        forms.add(CODE_ASSIST)
        return fields, fields.need(fields.members("request"), "request")
    if fields.is_object(COUNTING) and not fields.says("contents"):
        forms.add(COUNTING)
        return fields, fields.need(fields.members(COUNTING), COUNTING)
    return None, fields


def _model(spot: Spot, outer: Members | None, fields: Members) -> str:
    """The model's name without its collection. What the body says of it stays in the rest, as it was written."""
    for raw in (outer.look("model") if outer is not None else None, fields.look("model")):
        if not spot.model and raw is not None and starts(raw, b'"'):
            return plain_model(_STRING.decode(raw))
    return plain_model(spot.model)


def _session(fields: Members) -> str | None:
    """The conversation's id, which Code Assist writes in snake_case among names in camelCase."""
    raw = fields.look("sessionId")
    return _STRING.decode(raw) if starts(raw, b'"') and raw is not None else None


# ---- contents ----


class _Told(Struct, frozen=True):
    """A content, read as if it were the first. `asked` and `ids` are as in `Noted`; `settled`: all ids are its own, so
    that it says the same wherever it stands.
    """

    message: Message
    asked: tuple[tuple[bool, str | None, str], ...]
    ids: tuple[str, ...]
    settled: bool


def _listed(fields: Members, forms: set[str]) -> list[Raw]:
    if fields.is_object("contents"):
        forms.add(CONTENTS_OBJECT)
    return fields.need(fields.items("contents"), "contents")


def _contents(written: Sequence[Raw | bytes], path: str) -> tuple[Message, ...]:
    calls = Calls()
    items = [bytes(item) for item in written]
    try:
        told = [_told_lately(item) for item in items]
    except BadRequest:  # which does not say where
        return tuple([_content(Raw(item), f"{path}[{i}]", calls) for i, item in enumerate(items)])
    if all(one.settled for one in told):
        return tuple([one.message for one in told])
    return tuple([_placed(item, one, calls) for item, one in zip(items, told, strict=True)])


def _placed(item: bytes, told: _Told, calls: Calls) -> Message:
    """A content behind those that `calls` has seen."""
    if not told.asked:
        return told.message
    ids = tuple(
        [calls.call(given, name) if called else calls.response(given, name) for called, given, name in told.asked]
    )
    if ids == told.ids:
        return told.message
    return _settled_lately(item + _BEFORE_IDS + msgspec.json.encode(ids))


def _told(data: bytes) -> _Told:
    calls = Noted()
    message = _content(Raw(data), "contents[]", calls)
    settled = all(given is not None for _, given, _ in calls.asked)
    return _Told(message, tuple(calls.asked), tuple(calls.ids), settled)


def _settled(data: bytes) -> Message:
    content, _, ids = data.partition(_BEFORE_IDS)
    return _content(Raw(content), "contents[]", Settled(_IDS.decode(ids)))


_BEFORE_IDS = b"\0"
"""Stands in no JSON."""
# A conversation is sent whole with every turn, and grows by two contents.
_told_lately = Lately(_told, kept=4096, longest=32 * 1024, room=4 * 1024 * 1024)
_settled_lately = Lately(_settled, kept=4096, longest=32 * 1024, room=4 * 1024 * 1024)


def _content(raw: Raw, path: str, calls: Calls) -> Message:
    return usual.content(raw, calls) or _unusual_content(raw, path, calls)


def _unusual_content(raw: Raw, path: str, calls: Calls) -> Message:
    fields = Members(raw, path)
    form: list[str] = []
    word = fields.text("role")
    if word is None:
        form.append(NO_ROLE)
    elif word not in {"user", "model"}:
        form.append(ROLE + word)
    role = _ROLES.get(word or "user")
    if role is None:
        raise BadRequest(f"{path}.role: {word!r} is not a role", hint="use user or model", param=f"{path}.role")
    parts = fields.look("parts")
    if parts is None or is_null(parts):
        form.append(NO_PARTS)
    elif starts(parts, b"{"):
        form.append(PARTS_OBJECT)
    model = role == "assistant"
    read = parse_parts(fields.items("parts") or (), f"{path}.parts", fields.error, calls, model=model)
    read = reunited(read) if model else read
    return Message("assistant" if model else "user", tuple(read), extras=fields.extras(), form=" ".join(form))


# ---- system ----


def _system(fields: Members, forms: set[str]) -> tuple[Text | Opaque, ...]:
    """`systemInstruction`: a content, of which texts are read, or a bare text."""
    raw = fields.look("systemInstruction")
    if raw is None or is_null(raw):
        return ()
    if starts(raw, b'"'):
        forms.add(SYSTEM_STRING)
        return (Text(fields.text("systemInstruction") or ""),)
    content = fields.need(fields.members("systemInstruction"), "systemInstruction")
    if content.is_object("parts"):
        forms.add(SYSTEM_OBJECT)
    items = [] if starts(content.look("parts"), b"[]") else content.items("parts") or []
    fields.keep("systemInstruction", content, empty=not items)
    return tuple(_system_part(raw, f"{content.at('parts')}[{i}]") for i, raw in enumerate(items))


_SYSTEM = Recurring("systemInstruction", _system, kept=64, longest=256 * 1024)


def _system_part(raw: Raw, path: str) -> Text | Opaque:
    fields = Members(raw, path)
    text = None if fields.holds("thought", b"true") else fields.text("text")
    return Opaque(NAME, "part", raw) if text is None else Text(text, extras=fields.extras())
