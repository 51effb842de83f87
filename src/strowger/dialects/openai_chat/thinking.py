"""Thinking that stands beside an assistant's content, both ways: three members for it are in use, and one of them
carries our envelopes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import replace

from strowger.dialects import envelope
from strowger.dialects.fields import Fields, is_string
from strowger.dialects.openai_chat.parts import Json
from strowger.dialects.openai_chat.wire import ENVELOPE_FORMAT, REASONING_DETAILS
from strowger.ir.request import Signed, Thinking


class Detail(Struct, omit_defaults=True):
    """One of OpenRouter's reasoning details, and the carrier of our envelopes. `length`: how many characters of the
    message's thinking text belong to it; the words themselves are in the envelope too.
    """

    type: str = ""
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    index: int | None = None
    length: int | None = None


def take_thinking(fields: Fields, origin: str = "", *, keep_empty: bool = True) -> list[Thinking]:
    """The thinking of an assistant message, in whatever member it stands.

    `origin` is whose unsealed reasoning details these are, where it is known. Of two members that say the same, the
    second stays in the rest.
    """
    form = next((key for key in ("reasoning_content", "reasoning") if worth_taking(fields, key, keep_empty)), "")
    text = (fields.text(form) or "") if form else ""
    foreign, ours = _take_details(fields)
    if foreign:
        words = text if form else "".join(detail_text(item) for item in foreign)
        blob = b"[" + b",".join(bytes(item) for item in foreign) + b"]"
        return [Thinking(words, Signed(origin, REASONING_DETAILS, blob.decode()), form or "reasoning_details")]
    if ours:
        return _reassembled(text, form, ours)
    return [Thinking(text, form=form)] if form else []


def worth_taking(fields: Fields, key: str, keep_empty: bool) -> bool:
    """Whether a member is a string that shall be read: an empty one only where it means something."""
    raw = fields.rest.get(key)
    return raw is not None and is_string(raw) and (keep_empty or bytes(raw) != b'""')


def _take_details(fields: Fields) -> tuple[list[Raw], list[tuple[Detail, Thinking]]]:
    """Details as they are, and those of ours with the thought in their envelope. What is not a list stays in the
    rest.
    """
    raw = fields.rest.get("reasoning_details")
    if raw is None or bytes(memoryview(raw)[:1]) != b"[" or bytes(raw) == b"[]":
        return [], []
    foreign: list[Raw] = []
    ours: list[tuple[Detail, Thinking]] = []
    for item in fields.items("reasoning_details") or []:
        detail = detail_of(item)
        thought = envelope.thought_in(detail.signature or detail.data or "") if detail else None
        if detail is not None and thought is not None:
            ours.append((detail, thought))
        else:
            foreign.append(item)
    return foreign, ours


def _reassembled(text: str, form: str, ours: list[tuple[Detail, Thinking]]) -> list[Thinking]:
    """Each signature with its own words: those in the envelope, else its stretch of the text beside it. When the
    lengths do not add up, the text was changed and no signature of a stretch holds. What is tied to something else
    than the text stands for itself, and so does all that has no text where none of the text was signed.
    """
    signed_texts = [(detail, thought) for detail, thought in ours if detail.type == "reasoning.text"]
    unsigned = [Thinking(text, form=form)] if form else []
    if not signed_texts:
        return [*unsigned, *(replace(thought, form=form) for _, thought in ours)]
    if all(thought.text for _, thought in signed_texts):
        return _among(text, form, [replace(thought, form=form) for _, thought in ours])
    whole = len(signed_texts) == 1 and signed_texts[0][0].length is None
    if not whole and sum(detail.length or 0 for detail, _ in signed_texts) != len(text):
        apart = [thought for detail, thought in ours if detail.type != "reasoning.text"]
        return [*unsigned, *(replace(thought, form=form) for thought in apart if thought.signed and thought.signed.id)]
    parts: list[Thinking] = []
    at = 0
    for detail, thought in ours:
        stretch = "" if detail.type != "reasoning.text" else text if whole else text[at : at + (detail.length or 0)]
        parts.append(Thinking(stretch, thought.signed, form))
        at += len(stretch)
    return parts


def _among(text: str, form: str, thoughts: list[Thinking]) -> list[Thinking]:
    """Thoughts that bring their own words, and what else the text beside them says: nobody signed that. Where their
    words are not in it, the client has changed it, or left it out.
    """
    parts: list[Thinking] = []
    at = 0
    for thought in thoughts:
        found = text.find(thought.text, at)
        if found < 0:
            return thoughts
        if found > at:
            parts.append(Thinking(text[at:found], form=form))
        parts.append(thought)
        at = found + len(thought.text)
    if at < len(text):
        parts.append(Thinking(text[at:], form=form))
    return parts


def detail_of(raw: Raw) -> Detail | None:
    """A reasoning detail, or None when it is not of that shape."""
    try:
        return msgspec.json.decode(raw, type=Detail)
    except msgspec.MsgspecError:
        return None


def detail_text(raw: Raw) -> str:
    """The readable text of a reasoning detail."""
    detail = detail_of(raw)
    return (detail.text or detail.summary or "") if detail else ""


def merge_detail(details: list[Json], piece: Json) -> None:
    """Add a streamed piece of a reasoning detail: pieces of one text follow one another under the same index."""
    last = details[-1] if details else None
    kind = piece.get("type")
    if last is None or kind == "reasoning.encrypted" or any(last.get(k) != piece.get(k) for k in ("type", "index")):
        details.append(piece)
        return
    for key, value in piece.items():
        before = last.get(key)
        if key in {"text", "summary"} and isinstance(value, str) and isinstance(before, str):
            last[key] = before + value
        elif value is not None:
            last[key] = value


def envelope_detail(part: Thinking, index: int) -> Json | None:
    """The carrier of a signed thinking for a Chat client; None when there is nothing to carry."""
    signed = part.signed
    if signed is None or not signed.blob:
        return None
    if not part.text:
        return {"type": "reasoning.encrypted", "data": envelope.seal(signed), "format": ENVELOPE_FORMAT, "index": index}
    return {
        "type": "reasoning.text",
        "signature": envelope.seal(signed, part.text),
        "format": ENVELOPE_FORMAT,
        "index": index,
        "length": len(part.text),
    }


def details_blob(parts: Iterable[Thinking]) -> list[Raw]:
    """The reasoning details of all thinking parts, in order."""
    items: list[Raw] = []
    for part in parts:
        if part.signed is not None and part.signed.kind == REASONING_DETAILS:
            items += msgspec.json.decode(part.signed.blob, type=list[Raw])
    return items
