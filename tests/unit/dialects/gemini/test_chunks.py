"""The fast reading of chunks takes what is only text, and nothing else."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from strowger.dialects.gemini.chunks import decode_chunk, decode_text_part
from tests.unit.dialects.gemini.replies import call, chunk, dumps, text


def test_a_chunk_of_text() -> None:
    """Its parts and its counts are there, and nothing is told beside."""
    seen = decode_chunk(dumps(chunk(text("a"), text("b", thought=True))))
    assert seen is not None
    assert seen.candidates is not None
    candidate = seen.candidates[0]
    assert candidate.plain()
    assert candidate.content is not None
    assert [(part.text, part.thought) for part in candidate.content.parts or ()] == [("a", None), ("b", True)]
    assert seen.usage_metadata


@pytest.mark.parametrize(
    "value",
    [
        chunk(call("f", {})),
        chunk(text("a", videoMetadata={})),
        chunk({"text": 5}),
        [1],
    ],
)
def test_what_is_not_only_text_is_read_otherwise(value: Any) -> None:
    """A member that is not known may change what the part means."""
    assert decode_chunk(dumps(value)) is None


@pytest.mark.parametrize("member", ["groundingMetadata", "citationMetadata", "urlContextMetadata", "logprobsResult"])
def test_what_is_told_beside_is_noticed(member: str) -> None:
    """So is a reason."""
    every: list[dict[str, Any]] = [{member: {}}, {"finishReason": "STOP"}]
    for beside in every:
        seen = decode_chunk(dumps(chunk(text("a"), beside=beside)))
        assert seen is not None
        assert seen.candidates is not None
        assert not seen.candidates[0].plain()


def test_no_json_is_an_error() -> None:
    """It is not for another reader."""
    with pytest.raises(msgspec.DecodeError):
        decode_chunk(b'{"candidates":')


def test_a_part_of_text() -> None:
    """With a signature maybe; other parts are None."""
    part = decode_text_part(Raw(b'{"text":"a","thoughtSignature":"s"}'))
    assert part is not None
    assert (part.text, part.thought_signature) == ("a", "s")
    assert decode_text_part(Raw(b'{"functionCall":{}}')) is None
