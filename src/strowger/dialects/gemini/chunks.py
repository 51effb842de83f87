"""The chunks of a stream as far as texts need it: most of a stream is texts, and decoding them so costs a microsecond.

A chunk that does not fit (calls, pictures, other spellings) is read again, member by member.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

ABSENT = Raw(b"")
"""Default of raw members (a raw member cannot be optional: it would only take null)."""


class TextPart(Struct, rename="camel", gc=False, forbid_unknown_fields=True):
    """A part that holds nothing but text, a thought maybe, and a signature."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None


class Content(Struct, rename="camel", gc=False):
    """What a chunk adds to the answer."""

    parts: list[TextPart] | None = None


class Candidate(Struct, rename="camel", gc=False):
    """One of the answers. What is told beside its content is told once, so it need not be read here."""

    content: Content | None = None
    index: int = 0
    finish_reason: Raw = ABSENT
    grounding_metadata: Raw = ABSENT
    citation_metadata: Raw = ABSENT
    url_context_metadata: Raw = ABSENT
    logprobs_result: Raw = ABSENT

    def plain(self) -> bool:
        """Whether it adds to the content and tells nothing beside."""
        return not (
            self.finish_reason
            or self.grounding_metadata
            or self.citation_metadata
            or self.url_context_metadata
            or self.logprobs_result
        )


class Chunk(Struct, rename="camel", gc=False):
    """One event of a stream, or one element of the array that it is. `response`: it is in an envelope."""

    candidates: list[Candidate] | None = None
    usage_metadata: Raw = ABSENT
    prompt_feedback: Raw = ABSENT
    error: Raw = ABSENT
    response: Raw = ABSENT


_CHUNK = msgspec.json.Decoder(Chunk)
_TEXT_PART = msgspec.json.Decoder(TextPart)


def decode_chunk(data: bytes | Raw) -> Chunk | None:
    """A chunk of texts; None when it is another. Raises msgspec.DecodeError for what is no JSON."""
    try:
        return _CHUNK.decode(data)
    except msgspec.ValidationError:
        return None


def decode_text_part(raw: Raw) -> TextPart | None:
    """A part that is only text; None when it is another."""
    try:
        return _TEXT_PART.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
