"""Thought signatures of Google's models on tool calls, as its OpenAI-compatible servers have them, both ways.

In the middle form a signature is thinking without text that stands before the call it is tied to. The call keeps the
member it came in, so that it comes back to this dialect as it was.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects.openai_chat.wire import EXTRA_CONTENT, GOOGLE_SIGNATURE
from strowger.ir.request import Extras, Part, Signed, Thinking, ToolCall

_CALL = "call:"


class _Google(Struct, frozen=True):
    thought_signature: str = ""


class _Content(Struct, frozen=True):
    google: _Google = _Google()


_CONTENT = msgspec.json.Decoder(_Content)


def signature_in(raw: Raw) -> str:
    """The signature in an `extra_content`; empty when there is none."""
    try:
        return _CONTENT.decode(raw).google.thought_signature
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


def signing(blob: str, origin: str, call_id: str) -> Thinking:
    """The thinking that holds the signature of a call."""
    return Thinking("", Signed(origin, GOOGLE_SIGNATURE, blob, f"{_CALL}{call_id}"))


def told_apart(parts: Iterable[Part], origin: str) -> list[Part]:
    """The parts of a message, with the signature of each call before it. `origin` is who issued them."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, ToolCall) and EXTRA_CONTENT in part.extras:
            blob = signature_in(part.extras[EXTRA_CONTENT])
            if blob:
                found.append(signing(blob, origin, part.id))
        found.append(part)
    return found


def is_of_call(part: Part) -> bool:
    """Whether the part is nothing but the signature of a call."""
    return isinstance(part, Thinking) and part.signed is not None and _ties(part.signed)


def _ties(signed: Signed) -> bool:
    return signed.kind == GOOGLE_SIGNATURE and signed.id.startswith(_CALL)


def by_call(parts: Iterable[Part]) -> dict[str, Signed]:
    """The signatures among the parts, by the id of the call."""
    found: dict[str, Signed] = {}
    for part in parts:
        if isinstance(part, Thinking) and part.signed is not None and _ties(part.signed):
            found[part.signed.id.removeprefix(_CALL)] = part.signed
    return found


def signed_call(call: ToolCall, signed: Signed | None, origin: str) -> ToolCall:
    """The call as the provider `origin` may have it: with its own signature, without anybody else's."""
    if signed is None:
        return call
    if origin and signed.origin != origin:
        return replace(call, extras=_without(call.extras)) if EXTRA_CONTENT in call.extras else call
    if EXTRA_CONTENT in call.extras:
        return call
    content = Raw(msgspec.json.encode({"google": {"thought_signature": signed.blob}}))
    return replace(call, extras={**call.extras, EXTRA_CONTENT: content})


def _without(extras: Extras) -> Extras:
    return {key: value for key, value in extras.items() if key != EXTRA_CONTENT}
