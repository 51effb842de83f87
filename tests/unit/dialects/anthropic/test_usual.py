"""The usual nodes of a request, read in one go: what is read is what the patient way would read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from bench.bodies import claude_code_body, small_body
from strowger.dialects.anthropic import DIALECT, FAITHFUL, usual
from strowger.dialects.base import Capabilities
from strowger.dialects.lately import Lately
from strowger.errors import GatewayError
from strowger.ir.request import Request
from tests.conformance.lanes import DIALECTS
from tests.shared import Recording, cases
from tests.unit.dialects.anthropic.transcripts import USER, dumps

CACHE = {"type": "ephemeral"}
TEXT = {"type": "text", "text": "Hello, café"}
USE = {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a — b"}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [TEXT]}
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}}
TOOL = {"name": "Read", "description": "Reads.", "input_schema": SCHEMA}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}

BLOCKS: list[Any] = [
    TEXT,
    USE,
    RESULT,
    PICTURE,
    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    {"type": "thinking", "thinking": "Well.", "signature": "c2ln"},
    {"type": "thinking", "thinking": "Well."},
    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
    {**USE, "caller": {"type": "direct"}},
    {**USE, "caller": None},
    {**RESULT, "content": "done"},
    {**RESULT, "content": [PICTURE, {"type": "tool_reference", "tool_name": "Write"}], "is_error": True},
    {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": False},
    {**TEXT, "cache_control": CACHE},
    {**USE, "cache_control": {**CACHE, "ttl": "1h"}},
    {**RESULT, "cache_control": {**CACHE, "scope": "global"}},
    {**PICTURE, "cache_control": {"type": "lasting", "scope": None}},
]
"""Blocks that are usual."""

TOOLS: list[Any] = [
    TOOL,
    {"name": "Read"},
    {**TOOL, "type": "custom", "strict": True, "cache_control": CACHE},
    {**TOOL, "defer_loading": True, "strict": False},
    {**TOOL, "defer_loading": False, "eager_input_streaming": True},
    {**TOOL, "defer_loading": None},
]
"""Tools that are usual."""

STRANGE: list[Any] = [
    None,
    True,
    0,
    1.5,
    "",
    "text",
    "custom",
    "\U0001f600",
    [],
    {},
    [None],
    [TEXT],
    CACHE,
    {"type": None},
    {"a": 1},
]
"""What may stand where something else belongs."""


@pytest.mark.parametrize("node", BLOCKS)
def test_a_usual_block_is_read(node: Any) -> None:
    """It is not only equal when refused: these are read in one go."""
    assert usual.block(Raw(dumps(node))) is not None


@pytest.mark.parametrize("node", TOOLS)
def test_a_usual_tool_is_read(node: Any) -> None:
    """A list of tools is read in one go as well."""
    assert usual.tools(Raw(dumps([node]))) is not None


@pytest.mark.parametrize(
    "node",
    [
        {**TEXT, "citations": []},
        {**TEXT, "cache_control": None},
        {**TEXT, "text": None},
        {**USE, "input": None},
        {**RESULT, "content": []},
        {"type": "thinking", "thinking": "Well.", "signature": ""},
        {"type": "server_tool_use", "id": "1", "name": "web_search", "input": {}},
        {"text": "no type"},
        "no object",
    ],
)
def test_an_unusual_block_is_refused(node: Any) -> None:
    """Nulls, unknown types and members, and what is kept because it is empty, are for the patient way."""
    assert usual.block(Raw(dumps(node))) is None


def test_text_that_is_not_utf_8_is_refused() -> None:
    """Inside of raw members too."""
    assert usual.block(Raw(b'{"type":"text","text":"\xff"}')) is None
    assert usual.block(Raw(b'{"type":"tool_use","id":"a","name":"b","input":{"c":"\xff"}}')) is None


def _both(body: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[Request | str, Request | str]:
    """The body in the middle form, read in one go and patiently; or the error."""
    quick = _read(body)
    with monkeypatch.context() as patch:
        for name in ("message", "block", "tools"):
            patch.setattr(usual, name, lambda raw: None)
        patch.setattr(Lately, "__call__", lambda self, data: self._function(data))
        return quick, _read(body)


def _read(body: bytes) -> Request | str:
    try:
        return DIALECT.client.parse_request(body)
    except GatewayError as error:
        return f"{error!r} {error.param} {error.hint}"


def _agree(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, patient = _both(body, monkeypatch)
    assert quick == patient
    if isinstance(quick, Request) and isinstance(patient, Request):
        for dialect, caps in (("anthropic", FAITHFUL), ("openai_chat", Capabilities())):
            render = DIALECTS[dialect].upstream.render_request
            assert render(quick, "m", caps) == render(patient, "m", caps)


@pytest.mark.parametrize("body", [small_body("m"), claude_code_body("m")], ids=["small", "large"])
def test_bench_bodies(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bodies that are measured are read equally."""
    _agree(body, monkeypatch)


@pytest.mark.parametrize("recording", cases("anthropic_messages", lambda recording: recording.request is not None))
def test_recordings(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every recorded request is read equally."""
    assert recording.request is not None
    _agree(recording.request.content, monkeypatch)


@st.composite
def _mutated(draw: st.DrawFn, nodes: list[Any]) -> Any:
    """A usual node, maybe with a member that is missing, strange or additional, on any level."""
    node = json.loads(json.dumps(draw(st.sampled_from(nodes))))
    for _ in range(draw(st.integers(0, 2))):
        inner = node
        while isinstance(inner, dict) and inner:
            key = draw(st.sampled_from([*inner, "unknown", "cache_control", "type"]))
            below = inner.get(key)
            if isinstance(below, list) and below:
                below = draw(st.sampled_from(below))
            if isinstance(below, dict) and draw(st.booleans()):
                inner = below
                continue
            if draw(st.booleans()):
                inner.pop(key, None)
            else:
                inner[key] = draw(st.sampled_from(STRANGE))
            break
    return node


@given(data=st.data())
def test_whatever_is_written_is_read_equally(data: st.DataObject) -> None:
    """Usual or not, right or wrong: the same request, the same extras, the same error."""
    blocks = st.lists(_mutated(BLOCKS), max_size=3)
    message: st.SearchStrategy[Any] = st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system"]), "content": st.one_of(st.text(), blocks)},
        optional={"output_config": st.sampled_from([None, {"effort": "low"}]), "unknown": st.just(1)},
    )
    body = dumps(
        {
            "model": "m",
            "max_tokens": 5,
            "messages": data.draw(st.lists(message, max_size=3)) or [USER],
            "system": data.draw(blocks),
            "tools": data.draw(st.lists(_mutated(TOOLS), max_size=2)),
        }
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        _agree(body, monkeypatch)


def test_a_message_that_is_sent_again_is_not_read_again() -> None:
    """Agents send the whole conversation with every turn; what was read of it stays the same, the unusual too."""
    strange = {"role": "user", "content": [{"type": "document", "source": {"type": "new"}}, TEXT]}
    messages = [{"role": "user", "content": "Hello, café"}, {"role": "assistant", "content": [TEXT, USE]}, strange]
    first = _read(dumps({"model": "m", "messages": messages, "tools": TOOLS}))
    result = {"role": "user", "content": [RESULT]}
    again = _read(dumps({"messages": [*messages, result], "model": "n", "tools": TOOLS}))
    assert isinstance(first, Request)
    assert isinstance(again, Request)
    assert [read is known for read, known in zip(again.messages, first.messages, strict=False)] == [True, True, True]
    assert len(again.messages) == 4
    assert again.tools is first.tools


@pytest.mark.parametrize("member", ["content", "output_config"])
def test_a_message_that_is_not_utf_8_is_refused(member: str) -> None:
    """Also where it is kept as it came, and however often it comes."""
    config = {"effort": "low" if member == "content" else "é"}
    message = {"role": "system", "content": "é" if member == "content" else "a", "output_config": config}
    body = dumps({"model": "m", "messages": [message]})
    assert isinstance(_read(body), Request)
    broken = body.replace("é".encode(), b"\xff")
    assert ["not valid UTF-8" in str(_read(broken)) for _ in range(2)] == [True, True]
