"""Small requests of the Responses dialect, as the tests of its rules are made of them."""

from __future__ import annotations

from typing import Any

from tests.fakes.refusal import Json, Refusal
from tests.fakes.responses_flavours import OPENAI
from tests.fakes.responses_rules import check_history, check_request

PNG = "data:image/png;base64,iVBORw0KGgo="
CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
BAD_ENUM = "invalid_value"
# What breaks a rule, what is beside it and does not, and the refusal: its words, `param` and `code`.
Rule = tuple[Any, Any, str, str | None, str | None]


def body(*items: Json, **more: Any) -> Json:
    """A small request; `more` are further members, None takes one away."""
    whole = {"model": "gpt-4.1", "input": list(items) or [user()], **more}
    return {name: value for name, value in whole.items() if value is not None}


def thinking(*items: Json, **more: Any) -> Json:
    """A small request to a model that reasons."""
    return body(*items, **{"model": "gpt-5.5", **more})


def user(content: Any = "hi", **more: Any) -> Json:
    return {"role": "user", "content": content, **more}


def said(content: Any = "hello", **more: Any) -> Json:
    return {"role": "assistant", "content": content, **more}


def text(kind: str = "input_text", **more: Any) -> Json:
    return {"type": kind, "text": "hi", **more}


def called(call_id: str = "call_1", **more: Any) -> Json:
    whole = {"type": "function_call", "call_id": call_id, "name": "sum", "arguments": "{}", **more}
    return {name: value for name, value in whole.items() if value is not None}


def returned(call_id: str = "call_1", output: Any = "2", **more: Any) -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": output, **more}


def freeform(call_id: str = "call_1", **more: Any) -> Json:
    return {"type": "custom_tool_call", "call_id": call_id, "name": "patch", "input": "x", **more}


def patched(call_id: str = "call_1", **more: Any) -> Json:
    return {"type": "custom_tool_call_output", "call_id": call_id, "output": "done", **more}


def reasoned(**more: Any) -> Json:
    return {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAx", **more}


def tool(name: str = "sum", parameters: Any = OPEN, **more: Any) -> Json:
    return {"type": "function", "name": name, "parameters": parameters, **more}


def form(schema: Any = CLOSED, **more: Any) -> Json:
    whole = {"type": "json_schema", "name": "answer", "schema": schema, "strict": True, **more}
    return {"format": {name: value for name, value in whole.items() if value is not None}}


def image(**more: Any) -> Json:
    return user([{"type": "input_image", **more}])


def codex(*items: Json, **more: Any) -> Json:
    """A small request that the Codex backend takes."""
    return thinking(*items, **{"store": False, "stream": True, **more})


def refusal_of(request: Json) -> Refusal | None:
    """How the public API refuses a request that stands alone; None when it takes it."""
    try:
        check_request(request, OPENAI)
        check_history(request)
    except Refusal as refusal:
        return refusal
    return None


def refusal_in(words: str, request: Json) -> tuple[int, str | None, str | None] | str:
    """Status, `param` and `code` of the refusal when it has these words, else what it says."""
    refusal = refusal_of(request)
    said = refusal.message if refusal else "nothing"
    return (refusal.status, refusal.param, refusal.code) if refusal and words in said else said
