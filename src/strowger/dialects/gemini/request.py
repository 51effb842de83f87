"""A generateContent body to the middle form, from the public API or in the envelope of Code Assist.

The inverse is `render.py`; together they are the identity on everything a client can write, in either spelling. What
has no field stays in extras; which of several spellings was used is remembered in `forms`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.base import NOWHERE, Peek, Spot
from strowger.dialects.gemini import usual
from strowger.dialects.gemini.calls import Calls
from strowger.dialects.gemini.history import (
    CONTENTS_OBJECT,
    NO_PARTS,
    NO_ROLE,
    PARTS_OBJECT,
    ROLE,
    SYSTEM_OBJECT,
    SYSTEM_STRING,
)
from strowger.dialects.gemini.members import Members, is_null, starts
from strowger.dialects.gemini.parts import parse_parts, reunited
from strowger.dialects.gemini.settings import take_settings
from strowger.dialects.gemini.tools import take_choice, take_tools
from strowger.dialects.gemini.wire import NAME, plain_model
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


def peek(body: bytes, spot: Spot = NOWHERE) -> Peek:
    """What routing needs: mostly in the URL, behind Code Assist in the envelope. Raises BadRequest."""
    if spot.form != CODE_ASSIST and spot.model:
        return Peek(plain_model(spot.model), bool(spot.stream))
    try:
        outer = _ENVELOPE.decode(body) if spot.form == CODE_ASSIST else _Envelope(_MODEL.decode(body).model)
        request = outer.request or _Session()
        written = outer.model if outer.model != _NONE else request.model
        model = plain_model(_STRING.decode(written)) if written != _NONE else ""
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _peek_slowly(body, spot)
    if not model:
        raise _nameless()
    session = request.session_id or request.camel
    return Peek(model, bool(spot.stream), session, bytes(outer.model))


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
    fields = Members(body)
    forms: set[str] = set()
    outer = None
    if fields.is_object("request") and not fields.says("contents"):
        outer, fields = fields, fields.need(fields.members("request"), "request")
        forms.add(CODE_ASSIST)
    elif fields.is_object(COUNTING) and not fields.says("contents"):
        outer, fields = fields, fields.need(fields.members(COUNTING), COUNTING)
        forms.add(COUNTING)
    if outer is not None and outer.rest:
        fields.rest[CODE_ASSIST] = Raw(msgspec.json.encode(outer.rest))
    calls = Calls()
    messages = _contents(fields, forms, calls)
    settings = take_settings(fields, forms)
    return Request(
        origin=NAME,
        model=_model(spot, outer, fields),
        messages=messages,
        system=_system(fields, forms),
        tools=take_tools(fields, forms),
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


def _contents(fields: Members, forms: set[str], calls: Calls) -> tuple[Message, ...]:
    raw = fields.rest.get("contents")
    if raw is not None and (read := usual.contents(raw, calls)) is not None:
        del fields.rest["contents"]
        return read
    if fields.is_object("contents"):
        forms.add(CONTENTS_OBJECT)
    items = fields.need(fields.items("contents"), "contents")
    path = fields.at("contents")
    return tuple(_content(raw, f"{path}[{i}]", calls) for i, raw in enumerate(items))


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


def _system_part(raw: Raw, path: str) -> Text | Opaque:
    fields = Members(raw, path)
    text = None if fields.holds("thought", b"true") else fields.text("text")
    return Opaque(NAME, "part", raw) if text is None else Text(text, extras=fields.extras())
