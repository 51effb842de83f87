"""Content parts are read right and written as they were."""

from __future__ import annotations

import json

import pytest
from msgspec import Raw

from strowger.dialects.openai_responses.parts import citation, parse_part, render_part
from strowger.errors import BadRequest
from strowger.ir.request import (
    Audio,
    Base64,
    CacheHint,
    Citation,
    Document,
    FileId,
    Image,
    Opaque,
    Part,
    Text,
    Thinking,
    Url,
)
from tests.unit.dialects.openai_responses.asking import Json

CITED = {"type": "url_citation", "url": "https://x", "title": "X", "start_index": 1, "end_index": 4}


def read(node: Json, *, spoken: bool = False) -> Part:
    return parse_part(Raw(json.dumps(node).encode()), "p", BadRequest, spoken=spoken)


@pytest.mark.parametrize("spoken", [True, False])
@pytest.mark.parametrize(
    "node",
    [
        {"type": "input_text", "text": "a"},
        {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
        {"type": "output_text", "text": "a", "annotations": [CITED, {"type": "file_citation", "file_id": "f"}]},
        {"type": "output_text", "text": "a", "annotations": "odd"},
        {"type": "text", "text": "a"},
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "odd"}},
        {"type": "input_text", "text": "a", "prompt_cache_breakpoint": None, "later": [1]},
        {"type": "refusal", "refusal": "no", "later": 1},
        {"type": "input_image", "image_url": "https://x/y.png", "detail": "high"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA==", "file_id": None},
        {"type": "input_image", "image_url": "data:image/png;charset=x;base64,AA=="},
        {"type": "input_image", "file_id": "f", "detail": None},
        {"type": "input_image", "image_url": None, "file_id": None},
        {"type": "input_image", "file_id": "f", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
        {"type": "input_file", "file_data": "AA==", "filename": "a.pdf"},
        {"type": "input_file", "file_data": "data:text/plain;charset=utf-8;base64,AA=="},
        {"type": "input_file", "file_data": ""},
        {"type": "input_file", "file_url": "https://x/y.pdf", "detail": "low"},
        {"type": "input_file", "file_id": "f", "file_url": None},
        {"type": "input_file"},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav", "later": 1}},
        {"type": "input_audio", "input_audio": {"data": "AA=="}},
        {"type": "input_audio"},
        {"type": "encrypted_content", "encrypted_content": "x"},
        {"text": "a"},
        {"type": 7},
    ],
)
def test_a_part_comes_back(node: Json, spoken: bool) -> None:
    """Parse and render are inverse, in messages of the model and of others."""
    written = render_part(read(node, spoken=spoken), spoken=spoken)
    assert json.loads(bytes(written) if isinstance(written, Raw) else _encoded(written)) == node


def _encoded(node: Json | None) -> bytes:
    return json.dumps(node, default=lambda raw: json.loads(bytes(raw))).encode()


@pytest.mark.parametrize(
    "node,part",
    [
        ({"type": "input_text", "text": "a"}, Text("a")),
        ({"type": "input_image", "image_url": "https://x"}, Image(Url("https://x"))),
        ({"type": "input_image", "image_url": "data:image/png;base64,AA=="}, Image(Base64("image/png", "AA=="))),
        ({"type": "input_image", "file_id": "f", "detail": "low"}, Image(FileId("f"), "low")),
        ({"type": "input_file", "file_data": "AA==", "filename": "a"}, Document(Base64("", "AA=="), "a")),
        ({"type": "input_file", "file_url": "https://x"}, Document(Url("https://x"))),
        ({"type": "input_file", "file_id": "f"}, Document(FileId("f"))),
        ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}, Audio("AA==", "wav")),
    ],
)
def test_what_a_part_is(node: Json, part: Part) -> None:
    """Bytes, files and URLs are told apart."""
    assert read(node) == part


def test_a_breakpoint_keeps_its_own_words() -> None:
    """Its lifetimes are not those of others."""
    part = read({"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}})
    assert part == Text("a", CacheHint(None, {"ttl": Raw(b'"12h"')}))


def test_citations_of_pages_are_read() -> None:
    """Those of files say nothing to others."""
    raw = Raw(json.dumps(CITED).encode())
    assert citation(raw) == Citation(raw, "https://x", "X", "", 1, 4)
    assert citation(Raw(b'{"type":"file_citation"}')) == Citation(Raw(b'{"type":"file_citation"}'))
    assert citation(Raw(b"7")) == Citation(Raw(b"7"))


def test_what_has_no_such_form_is_left_out() -> None:
    """Other dialects' nodes, thinking, text documents."""
    assert render_part(Opaque("anthropic", "x", Raw(b"{}"))) is None
    assert render_part(Thinking("hm")) is None
