"""FakeResponses beside the real thing: it takes what was taken, and its events look like those that were recorded."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from tests.fakes.refusal import Refusal
from tests.fakes.responses_events import tell
from tests.fakes.responses_flavours import CODEX, OPENAI
from tests.fakes.responses_rules import check_history, check_request
from tests.fakes.responses_seal import Seal
from tests.fakes.script import Call, Reply, Say, Think
from tests.fakes.test_responses import EVERYTHING
from tests.shared import CAPTURES, Recording, absent, corpus, needs_shared

FLAVOURS = {"openai": OPENAI, "azure": OPENAI, "chatgpt-codex": CODEX}
# Chunks that a source keeps for its tests were cut out of real streams; those without numbers were made by hand.
REAL = ("http_recording", "http_recording_normalised", "chunk_fixture")
CLIENTS = ("codex-*", "pi-resp", "opencode-resp", "kimi-openai_responses", "python-sdks")


def captured() -> list[Any]:
    """Requests and frames of real clients, with tools' schemas, of which only member names were kept, filled in."""
    if (why := absent()) is not None:
        return [pytest.param(None, False, "", marks=pytest.mark.skip(reason=why))]
    found: list[Any] = []
    for file in sorted(file for name in CLIENTS for file in CAPTURES.glob(f"{name}.json")):
        # Ids were masked, all with the same word; no two are the same.
        text = re.sub("<uuid>", lambda _: str(uuid.uuid4()), file.read_text())
        capture = json.loads(text)
        for exchange in capture.get("exchanges", ()) if isinstance(capture, dict) else ():
            request = exchange["request"]
            if not request["path"].endswith("/responses"):
                continue
            frames = [frame for sender, frame in request.get("ws_frames") or () if sender == "c"]
            for body, framed in [(request["body"], False), *((frame, True) for frame in frames)]:
                if isinstance(body, dict):
                    filled = {**body, "tools": [restored(tool) for tool in body.get("tools") or ()]}
                    found.append(pytest.param(filled, framed, file.stem, id=f"{file.stem}-{len(found)}"))
    return found


def restored(tool: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in tool.items() if not name.startswith("schema_")}
    if "tools" in tool:
        kept["tools"] = [restored(inner) for inner in tool["tools"]]
    if tool["type"] == "function":
        members = {name: {"type": "string"} for name in tool.get("schema_properties") or ()}
        schema = {"type": "object", "properties": members, "required": tool.get("schema_required") or []}
        kept["parameters"] = schema
    return kept


@pytest.mark.parametrize("body, framed, client", captured())
def test_requests_of_real_clients(body: dict[str, Any], framed: bool, client: str) -> None:
    """Every request and frame that a real client was seen to send breaks no rule; Codex's none of its own backend."""
    check_request(body, OPENAI, frame=framed)
    if client.startswith("codex"):
        check_request(body, CODEX, frame=framed)
    assert check_history(body) == (body["input"] if isinstance(body["input"], list) else [])


def judged(recording: Recording) -> str | None:
    """Why a recorded request is refused, None when it is taken."""
    request = recording.request
    assert request is not None
    try:
        check_request(request.body, FLAVOURS[recording.provider])
        check_history(request.body)
    except Refusal as refusal:
        return refusal.message
    return None


@needs_shared
def test_recorded_requests() -> None:
    """FakeResponses refuses nothing that OpenAI, its backend for Codex or Azure has answered."""
    answered = [
        recording
        for recording in corpus("openai_responses")
        if recording.provider in FLAVOURS
        and recording.status == 200
        and "error" not in recording.features
        and recording.request is not None
        and isinstance(recording.request.body, dict)
    ]
    assert len(answered) > 600
    assert {recording.name: why for recording in answered if (why := judged(recording)) is not None} == {}


@needs_shared
def test_recorded_refusals() -> None:
    """Where the vendor was recorded to refuse for a rule, the fake refuses in the same words."""
    refused = {}
    for recording in corpus("openai_responses"):
        body, request = recording.response.body, recording.request
        if recording.provider != "openai" or recording.status != 400 or request is None or not isinstance(body, dict):
            continue
        error = body["error"]
        # Models that are not there and bills that were not paid are no rules about requests.
        if error["code"] not in ("model_not_found", "insufficient_quota"):
            refused[recording.name] = (error["message"], judged(recording))
    assert len(refused) >= 2
    assert {name: words for name, words in refused.items() if words[0] != words[1]} == {}


def shapes_of(events: list[Any]) -> dict[str, set[frozenset[str]]]:
    """Which members events have by type, items in them by type and when, and the response."""
    shapes: dict[str, set[frozenset[str]]] = {}
    for event in events:
        kind = event["type"]
        shapes.setdefault(kind, set()).add(frozenset(event) - {"obfuscation"})
        if isinstance(event.get("item"), dict):
            # The phase of a message is there for some models only.
            key = f"{kind} {event['item']['type']}"
            shapes.setdefault(key, set()).add(frozenset(event["item"]) - {"phase"})
        if isinstance(event.get("part"), dict):
            shapes.setdefault(f"{kind} {event['part']['type']}", set()).add(frozenset(event["part"]))
    return shapes


@needs_shared
def test_events_have_the_members_of_the_recorded_ones() -> None:
    """Each kind of event and item that the fake writes and the vendor was recorded to write has the same members."""
    recorded: dict[str, set[frozenset[str]]] = {}
    for recording in corpus("openai_responses"):
        if recording.provider in FLAVOURS and recording.stream and recording.provenance in REAL:
            lines = recording.response.content.split(b"\n")
            events = [json.loads(line[5:]) for line in lines if line.startswith(b"data:") and b"[DONE]" not in line]
            for kind, seen in shapes_of([event for event in events if "sequence_number" in event]).items():
                recorded.setdefault(kind, set()).update(seen)
    wanted: dict[str, Any] = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    plain = (Think("hm"), Say("one"), Call("a", {}))
    told = [tell({"model": "gpt-5.5", **more}, Reply(parts=EVERYTHING), OPENAI, Seal("a")) for more in ({}, wanted)]
    told += [tell({"model": "gpt-5.5"}, Reply(parts=plain), CODEX, Seal("a"))]
    written = shapes_of([event for one in told for event in one.events])
    known = {kind: seen for kind, seen in written.items() if kind in recorded}
    assert len(known) > 30
    other = {kind: [sorted(shape) for shape in seen - recorded[kind]] for kind, seen in known.items()}
    assert {kind: shapes for kind, shapes in other.items() if shapes} == {}


@needs_shared
def test_responses_have_the_members_of_the_recorded_ones() -> None:
    """The response object echoes what the vendor's does, in a form that is as new as the newest recorded."""
    recorded: set[str] = set()
    for recording in corpus("openai_responses"):
        body = recording.response.body
        if recording.provider == "openai" and recording.status == 200 and isinstance(body, dict):
            recorded |= set(body) if body.get("object") == "response" else set()
    written = set(tell({"model": "gpt-5.5"}, Reply(), OPENAI, Seal("a")).response)
    assert written - recorded == set()
    assert {"id", "output", "status", "usage", "incomplete_details", "text", "tools", "store"} <= written
