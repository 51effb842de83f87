"""The compliance cases of Open Responses, in front of every dialect: whole, as a stream, and over a WebSocket.

The list of cases is that of github.com/openresponses/openresponses, src/lib/compliance-tests.ts (code under Apache 2.0
by the project's charter), with those of its proposed extensions (function-call-roundtrip, file-input,
previous-response-id, offline-web-search). Names are its own; requests, answers and checks are written anew here, and
check more: see responses_oracle. Left out: response-output-phase-schema, which sends no request, and file-search, as
there are no vector stores here.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.fakes.script import call as calls
from tests.integration.conformance.responses_calls import WAYS, call, ended, kinds_of, socket, text_of, turn
from tests.integration.conformance.responses_oracle import compacted_faults, error_faults
from tests.integration.conformance.vendors import DIALECTS, behind

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    "AAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PDF = "data:application/pdf;base64," + b64encode(b"%PDF-1.1\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF").decode()
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a place.",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
PLACE = {"location": "Bogotá"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def message(role: str, content: str | list[Json], **members: Any) -> Json:
    """A message item."""
    return {"type": "message", "role": role, "content": content, **members}


def typed(text: str) -> Json:
    """A text of the user as a part."""
    return {"type": "input_text", "text": text}


SIMPLE: dict[str, list[Json]] = {
    "basic-response": [message("user", "Greet me in three words.")],
    "streaming-response": [message("user", "Count to five.")],
    "system-prompt": [message("system", "You are a sailor."), message("user", "Say hello.")],
    "image-input": [message("user", [typed("What is this?"), {"type": "input_image", "image_url": PIXEL}])],
    "file-input": [
        message("user", [typed("Its title?"), {"type": "input_file", "filename": "a.pdf", "file_data": PDF}])
    ],
    "multi-turn": [
        message("user", "I am Ada."),
        message("assistant", "Welcome, Ada."),
        message("user", "Who am I?"),
    ],
    "assistant-phase": [
        message("assistant", "Let me look it up.", phase="commentary"),
        message("assistant", "It is four.", phase="final_answer"),
        message("user", "Say it again."),
    ],
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("case", SIMPLE)
async def test_one_request(case: str, dialect: str, way: str) -> None:
    """It is completed, with a message, and everything that comes is what the types say."""
    async with behind(dialect) as vendor:
        answer = await call(vendor.rig, way, {"model": vendor.model, "input": SIMPLE[case]})
        assert answer["status"] == "completed"
        assert kinds_of(answer)[-1] == "message"
        assert text_of(answer)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tool_calling(dialect: str, way: str) -> None:
    """A function is called by its name, with arguments that are JSON."""
    async with behind(dialect) as vendor:
        vendor.fake.script(calls("get_weather", PLACE))
        asked = {"model": vendor.model, "input": [message("user", "How is the weather?")], "tools": [WEATHER]}
        answer = await call(vendor.rig, way, asked)
        (called,) = [item for item in answer["output"] if item["type"] == "function_call"]
        assert (called["name"], json.loads(called["arguments"])) == ("get_weather", PLACE)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_function_call_roundtrip(dialect: str, way: str) -> None:
    """All that was said goes back with what the function gave, and there is an answer about it."""
    async with behind(dialect) as vendor:
        asked = [message("user", "How is the weather in Bogotá?")]
        choice = {"type": "function", "name": "get_weather"}
        body = {"model": vendor.model, "tools": [WEATHER]}
        first = await call(vendor.rig, way, {**body, "input": asked, "tool_choice": choice})
        (called,) = [item for item in first["output"] if item["type"] == "function_call"]
        result = {"type": "function_call_output", "call_id": called["call_id"], "output": "14 degrees"}
        second = await call(vendor.rig, way, {**body, "input": [*asked, *first["output"], result]})
        assert second["status"] == "completed"
        assert "14 degrees" in text_of(second)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_previous_response_id(dialect: str, way: str) -> None:
    """What was said is there, though only what is new was sent; the answer names what it follows."""
    async with behind(dialect) as vendor:
        first = await call(vendor.rig, way, {"model": vendor.model, "input": "The word is papaya."})
        more = {"model": vendor.model, "input": "Which word?", "previous_response_id": first["id"]}
        second = await call(vendor.rig, way, more)
        assert second["status"] == "completed"
        assert second["previous_response_id"] == first["id"]
        if dialect != "openai_responses":  # which keeps it itself
            assert "papaya" in vendor.fake.inferences()[-1].raw.decode()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_compact_response(dialect: str) -> None:
    """A conversation becomes a list of items, one of them the compaction."""
    async with behind(dialect) as vendor:
        said = [message("user", "We launch on Tuesday."), message("assistant", "On Tuesday.")]
        asked = {"model": vendor.model, "prompt_cache_key": "a-key", "input": said}
        status, _, raw = await vendor.rig.post("/v1/responses/compact", asked)
        assert status == 200, raw
        compacted = json.loads(raw)
        if dialect != "openai_responses":  # the vendor itself gives back items that its SDK has no types for
            assert compacted_faults(compacted) == []
        assert compacted["object"] == "response.compaction"
        assert "compaction" in kinds_of(compacted)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_compact_missing_model(dialect: str) -> None:
    """A request without a model is refused, and the member is named."""
    async with behind(dialect) as vendor:
        status, _, raw = await vendor.rig.post("/v1/responses/compact", {"input": [message("user", "Make it short.")]})
        assert status in {400, 422}
        assert error_faults(status, json.loads(raw)) == []
        assert json.loads(raw)["error"]["param"] == "model"


# ---- conversations over one WebSocket ----


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_websocket_sequential_responses(dialect: str) -> None:
    """Two calls on one connection, one after the other."""
    async with behind(dialect) as vendor, socket(vendor.rig) as opened:
        for word in ("first", "second"):
            answer = ended(await turn(opened, {"model": vendor.model, "store": False, "input": f"Say: {word}"}))
            assert answer["status"] == "completed"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_websocket_continuation(dialect: str) -> None:
    """What is not stored is known to the connection that it was said on."""
    async with behind(dialect) as vendor, socket(vendor.rig) as opened:
        asked = {"model": vendor.model, "store": False}
        first = ended(await turn(opened, {**asked, "input": "The word is cobalt."}))
        more = {**asked, "input": "Which word?", "previous_response_id": first["id"]}
        assert ended(await turn(opened, more))["status"] == "completed"
        assert "cobalt" in vendor.fake.inferences()[-1].raw.decode()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_websocket_reconnect_store_false_recovery(dialect: str) -> None:
    """Another connection does not know it, says so, and answers what comes next."""
    async with behind(dialect) as vendor:
        asked = {"model": vendor.model, "store": False}
        first = await call(vendor.rig, "socket", {**asked, "input": "The word is copper."})
        async with socket(vendor.rig) as opened:
            missed = await turn(opened, {**asked, "input": "Go on.", "previous_response_id": first["id"]})
            assert_not_found(missed)
            again = {**asked, "input": [message("user", "The word is copper. Go on.")]}
            assert ended(await turn(opened, again))["status"] == "completed"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_websocket_previous_response_not_found(dialect: str) -> None:
    """An id that nobody gave out."""
    async with behind(dialect) as vendor, socket(vendor.rig) as opened:
        asked = {"model": vendor.model, "store": False, "input": "Go on."}
        assert_not_found(await turn(opened, {**asked, "previous_response_id": "resp_never_given_out"}))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_websocket_failed_continuation_evicts_cache(dialect: str) -> None:
    """What a failed call referred to is not known to the connection any more, so nobody goes on from a broken state."""
    async with behind(dialect) as vendor, socket(vendor.rig) as opened:
        asked = {"model": vendor.model, "store": False}
        first = ended(await turn(opened, {**asked, "input": "The word is ember."}))
        result = {"type": "function_call_output", "call_id": "call_of_nobody", "output": "There was no such call."}
        failed = await turn(opened, {**asked, "input": [result], "previous_response_id": first["id"]})
        assert failed[-1]["type"] in {"error", "response.failed"}
        assert_not_found(await turn(opened, {**asked, "input": "Go on.", "previous_response_id": first["id"]}))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_websocket_compact_new_chain(dialect: str) -> None:
    """What was made short begins a conversation of its own."""
    async with behind(dialect) as vendor:
        said = [
            message("user", [typed("The word is slate.")]),
            message("assistant", [{"type": "output_text", "text": "Slate."}]),
            message("user", [typed("Make it short, to go on later.")]),
        ]
        status, _, raw = await vendor.rig.post("/v1/responses/compact", {"model": vendor.model, "input": said})
        assert status == 200, raw
        more = {
            "model": vendor.model,
            "store": False,
            "input": [*json.loads(raw)["output"], message("user", "Go on.")],
            "tools": [],
        }
        assert (await call(vendor.rig, "socket", more))["status"] == "completed"


def assert_not_found(events: list[Json]) -> None:
    """The one event says in the vendor's word that there is no such answer."""
    assert [event["type"] for event in events] == ["error"]
    assert events[0]["status"] == 400
    assert events[0]["error"]["code"] == "previous_response_not_found"


# ---- the vendor's own search ----


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_offline_web_search(dialect: str, way: str) -> None:
    """A search without the live web is an answer, or a refusal that names the tool; what is not carried is named."""
    async with behind(dialect) as vendor:
        search = {"type": "web_search", "external_web_access": False}
        asked = {"model": vendor.model, "input": "Find it.", "tools": [search]}
        answer = await call(vendor.rig, way, asked)
        assert answer["status"] == "completed"
