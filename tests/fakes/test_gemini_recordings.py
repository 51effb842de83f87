"""FakeGemini takes what Google took: every request of a real client, and every recorded request that got a 200."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.fakes.gemini_flavours import CODE_ASSIST, GEMINI, VERTEX, model_of
from tests.fakes.gemini_proto import read
from tests.fakes.gemini_rules import Rules, check_count, check_message, check_request
from tests.fakes.refusal import Json, Refusal
from tests.shared import CAPTURES, absent, corpus, needs_shared

_MODEL = re.compile(r"models/([^/:]+):(\w+)")
CLIENTS = ("gemini-*", "aider-gem", "opencode-gem", "pi-gem", "qwen-gem", "kimi-google-genai")


def captured() -> list[Any]:
    """Requests of real clients for an answer or a count of tokens."""
    if (why := absent()) is not None:
        return [pytest.param("", {}, marks=pytest.mark.skip(reason=why))]
    found = []
    for path in sorted(path for name in CLIENTS for path in CAPTURES.glob(f"{name}.json")):
        for number, exchange in enumerate(json.loads(path.read_bytes())["exchanges"]):
            request = exchange["request"]
            if request["path"].endswith(":generateContent") or request["path"].endswith(":streamGenerateContent"):
                inner = request["body"].get("request", request["body"])
                inner["tools"] = restored(inner.get("tools") or [])
                found.append(pytest.param(request["path"], request["body"], id=f"{path.stem}-{number}"))
    return found


def restored(tools: list[Json]) -> list[Json]:
    """Captured tools with their schemas, of which only the member names were kept."""
    out = []
    for tool in tools:
        declared = []
        for function in tool.get("functionDeclarations", ()):
            kept = {key: value for key, value in function.items() if not key.startswith("schema_")}
            members = {name: {"type": "string"} for name in function.get("schema_properties") or ()}
            extra = function.get("schema_extra_keys") or ()
            schema: Json = {"type": "object", "properties": members, "required": function.get("schema_required") or []}
            schema |= {key: False if key == "additionalProperties" else "x" for key in extra}
            declared.append({**kept, "parametersJsonSchema": schema})
        out.append({**tool, "functionDeclarations": declared})
    return out


@pytest.mark.parametrize("path, body", captured())
def test_requests_of_real_clients(path: str, body: Json) -> None:
    """FakeGemini takes every request that a real client was seen to send."""
    if "/v1internal" in path:
        request = read(body, "AssistRequest", CODE_ASSIST.package)["request"]
        check_message(request, model_of(body["model"]), Rules(CODE_ASSIST))
        return
    named = _MODEL.search(path)
    assert named is not None
    check_request(body, model_of(named[1]), Rules(VERTEX if "publishers" in path else GEMINI))


@needs_shared
def test_recorded_requests() -> None:
    """FakeGemini refuses nothing that Google itself has answered."""
    refused, judged = [], 0
    for recording in corpus("gemini_generate"):
        request = recording.request
        if recording.status != 200 or request is None or not isinstance(request.body, dict):
            continue
        named = _MODEL.search(request.path)
        assert named is not None
        flavour = VERTEX if "publishers" in request.path else GEMINI
        check = check_count if named[2] == "countTokens" else check_request
        try:
            judged += 1
            check(request.body, model_of(named[1]), Rules(flavour))
        except Refusal as refusal:
            refused.append((recording.name, refusal.message))
    assert judged > 600
    assert refused == []


@needs_shared
@pytest.mark.parametrize("number", ["400", "404"])
def test_recorded_refusals_have_this_shape(number: str) -> None:
    """The errors that Google was recorded with have the members that the fake's have."""
    recorded = [r for r in corpus("gemini_generate") if r.status == int(number) and isinstance(r.response.body, dict)]
    assert recorded
    for recording in recorded:
        error = recording.response.body["error"]
        assert set(error) - {"details"} == {"code", "message", "status"}
        assert all(detail["@type"].startswith("type.googleapis.com/google.rpc.") for detail in error.get("details", ()))
