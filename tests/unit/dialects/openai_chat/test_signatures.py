"""Google's signatures on tool calls, through the OpenAI-compatible servers that have them."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from strowger.dialects.base import Capabilities
from strowger.dialects.envelope import opened
from strowger.dialects.openai_chat import DIALECT
from strowger.dialects.openai_chat.signatures import signature_in
from strowger.ir.request import FunctionTool, Message, Request, Signed, Text, Thinking, ToolCall, ToolResult
from strowger.ir.response import fold, unfold
from tests.unit.dialects.openai_chat.talk import (
    Json,
    answer,
    chunk,
    client,
    encoded,
    losses,
    parsed,
    rendered,
    same,
    setup,
)

CONTENT = {"google": {"thought_signature": "sig=="}}
SIGNED = Signed("google", "gemini:signature", "sig==", "call:c1")
CALL: Json = {
    "id": "c1",
    "type": "function",
    "function": {"name": "f", "arguments": "{}"},
    "extra_content": CONTENT,
}
GOOGLE = Capabilities(origin="google")


def history(*calls: Json) -> list[Json]:
    """A turn with calls, and their results."""
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "1"} for call in calls]
    return [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": list(calls)}, *results]


def whole(*calls: Json) -> bytes:
    message = {"role": "assistant", "content": None, "tool_calls": list(calls)}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    return json.dumps({**body, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}).encode()


def test_a_signature_in_history() -> None:
    """Stands before its call for other dialects, and comes back to this one where it was."""
    messages = history(CALL)
    parts = parsed(messages=messages).messages[1].parts
    assert parts[0] == Thinking("", SIGNED)
    assert isinstance(parts[1], ToolCall)
    assert same(messages=messages)


def test_a_whole_answer() -> None:
    """The same; it comes back as it was, also where the server gave the call no id."""
    events = DIALECT.upstream.decode_response(whole(CALL), setup("google"))
    response = fold(events)
    assert response.parts[0] == Thinking("", SIGNED)
    assert json.loads(DIALECT.client.render_response(response, client())[0]) == json.loads(whole(CALL))
    nameless = fold(DIALECT.upstream.decode_response(whole({**CALL, "id": ""}), setup("google"))).parts
    assert isinstance(nameless[0], Thinking)
    assert isinstance(nameless[1], ToolCall)
    assert nameless[0].signed == replace(SIGNED, id=f"call:{nameless[1].id}")


def test_a_stream() -> None:
    """A piece of a call brings it; a client of this dialect gets it in a piece again."""
    told = answer(chunk({"tool_calls": [{"index": 0, **CALL}]}), chunk(finish="tool_calls"), origin="google")
    assert told.parts[0] == Thinking("", SIGNED)
    chunks, _ = encoded(list(unfold(told)), usage_wanted=False)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk]
    assert next(delta["tool_calls"][0]["extra_content"] for delta in deltas if "tool_calls" in delta) == CONTENT
    assert not any("reasoning_details" in delta for delta in deltas)


def test_a_signature_that_comes_after_its_call_began() -> None:
    """Is tied to it by its id."""
    first = chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]})
    later = chunk({"tool_calls": [{"index": 0, "extra_content": CONTENT}]})
    told = answer(first, later, chunk(finish="tool_calls"), origin="google")
    assert [part.signed for part in told.parts if isinstance(part, Thinking)] == [SIGNED]
    assert [part.arguments for part in told.parts if isinstance(part, ToolCall)] == ["{}"]


def foreign(signed: Signed) -> Request:
    """A history from another dialect's client."""
    parts = (Thinking("", signed), ToolCall("c1", "f", "{}"), ToolCall("c2", "f", "{}"))
    results = (ToolResult("c1", (Text("1"),)), ToolResult("c2", (Text("2"),)))
    turns = (Message("user", (Text("hi"),)), Message("assistant", parts), Message("user", results))
    return Request("anthropic", "m", turns, tools=(FunctionTool("f"),))


def test_a_signature_goes_to_its_issuer_only() -> None:
    """Beside the call it is tied to; for others it is a loss without effect."""
    calls = rendered(foreign(SIGNED), GOOGLE)["messages"][1]["tool_calls"]
    assert [call.get("extra_content") for call in calls] == [CONTENT, None]
    assert losses(foreign(SIGNED), GOOGLE) == {}
    away = Capabilities(origin="elsewhere")
    assert "sig==" not in json.dumps(rendered(foreign(SIGNED), away))
    assert set(losses(foreign(SIGNED), away).values()) == {"info"}


def test_another_provider_of_this_dialect_does_not_get_it() -> None:
    """Unless it is one that judges for itself: who knows what stands behind it."""
    request = parsed(messages=history(CALL))
    assert "sig==" not in json.dumps(rendered(request, Capabilities(origin="groq")))
    assert "sig==" in json.dumps(rendered(request, Capabilities(origin="x", judges_itself=True)))


def test_what_holds_no_signature() -> None:
    """Is no more than a member that is not known."""
    odds: list[Any] = [{"google": {}}, {"google": 7}, {"other": {"a": 1}}, 7]
    for odd in odds:
        call = {**CALL, "extra_content": odd}
        assert signature_in(Raw(json.dumps(odd).encode())) == ""
        assert not any(isinstance(part, Thinking) for part in parsed(messages=history(call)).messages[1].parts)
        assert same(messages=history(call))


def reply(*parts: Any) -> tuple[Json, Request]:
    """What a Chat client gets of an answer of Gemini, and its next request with that in its history."""
    told = fold(unfold(replace(answer(chunk(finish="stop")), origin="gemini", parts=parts)))
    message = json.loads(DIALECT.client.render_response(told, client())[0])["choices"][0]["message"]
    return message, parsed(messages=[{"role": "user", "content": "hi"}, message])


def test_signatures_travel_with_a_chat_client() -> None:
    """In reasoning details, each tied to what it signs, also where thinking that nobody signed stands beside them."""
    text = Signed("google", "gemini:signature", "t", "text")
    message, request = reply(
        Thinking("hm"), Text("a"), Thinking("", text), Thinking("", SIGNED), ToolCall("c1", "f", "{}")
    )
    sealed = [opened(detail["data"]) for detail in message["reasoning_details"]]
    assert sealed == [text, SIGNED]
    form = "reasoning_content"
    back, signed = request.messages[1].parts, Thinking("", text, form)
    assert back[:4] == (Thinking("hm", form=form), Thinking("", SIGNED, form), Text("a"), signed)
