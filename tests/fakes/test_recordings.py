"""The fakes take what the vendors took: every request of a real client, and every recorded request that got a 200."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.fakes import anthropic_rules, chat_rules
from tests.fakes.flavours import DEEPSEEK, KIMI, OPENAI, OPENROUTER
from tests.fakes.refusal import Refusal
from tests.shared import CAPTURES, Recording, absent, corpus, needs_shared

ANY_ANTHROPIC = anthropic_rules.Rules(any_model=True)
# Headers were not recorded, or only some: what depends on a beta header cannot be judged.
BETAS = (
    "mcp-client-2025-11-20,task-budgets-2026-03-13,context-management-2025-06-27,interleaved-thinking-2025-05-14,"
    "structured-outputs-2025-11-13,thinking-display-updates-2026-08-18,dangerous-tool-use-2026-09-03,"
    "per-turn-control-2026-07-01,server-side-fallback-2026-06-01,message-threads-2026-08-12"
)
FLAVOURS = {"openai": OPENAI, "deepseek": DEEPSEEK, "moonshot": KIMI, "openrouter": OPENROUTER}
# What models that are gone took, or what a source's own dump added to the wire form.
EXCUSED = re.compile(
    r"tool_calls\[\d+\]\.index|tools\[\d+\]\.function\.type"  # left in by a dump of SDK objects
    r"|The image was specified using"  # Claude 3.5 did not look at an image's real type
    r"|Invalid type for 'messages\[0\]\.content\[1\]\.image_url'"  # gpt-4-vision-preview took a bare URL
    r"|Invalid value: 'video_url'"  # OpenRouter's own part, which the fake has no need of
)


def captured(path: str, *names: str) -> list[Any]:
    """Requests of real clients to `path`, by the names of capture files."""
    if (why := absent()) is not None:
        return [pytest.param(None, None, None, marks=pytest.mark.skip(reason=why))]
    found = []
    for file in sorted(file for name in names for file in CAPTURES.glob(f"{name}.json")):
        capture = json.loads(file.read_bytes())
        # The captures of stdio have lines, not exchanges.
        for number, exchange in enumerate(capture.get("exchanges", ()) if isinstance(capture, dict) else ()):
            request = exchange["request"]
            if isinstance(request["body"], dict) and request["path"] == path:
                headers = {key.lower(): value for key, value in request["headers"]}
                found.append(pytest.param(headers, restored(request["body"]), file.stem, id=f"{file.stem}-{number}"))
    return found


def restored(body: dict[str, Any]) -> dict[str, Any]:
    """A captured body with its tools' schemas, of which only the member names were kept."""
    tools = []
    for tool in body.get("tools") or ():
        inner = tool.get("function", tool)
        kept = {key: value for key, value in inner.items() if not key.startswith("schema_")}
        members = inner.get("schema_properties") or ()
        schema = {"type": "object", "properties": {name: {"type": "string"} for name in members}}
        schema |= {"required": inner.get("schema_required") or []}
        if "function" in tool:
            tools.append({"type": "function", "function": {**kept, "parameters": schema}})
        else:
            tools.append({**kept, "input_schema": schema})
    return {**body, "tools": tools} if tools else body


@pytest.mark.parametrize("headers, body, name", captured("/v1/messages", "claude-*", "*-anth*", "python-sdks"))
def test_messages_of_real_clients(headers: dict[str, str], body: dict[str, Any], name: str) -> None:
    """FakeAnthropic takes every Messages request that a real client was seen to send."""
    if name == "qwen-anth":
        # It asks for a thinking budget over its max_tokens without the header that would allow it.
        body = {**body, "max_tokens": 64_000}
    anthropic_rules.check_request(body, headers, ANY_ANTHROPIC)


@pytest.mark.parametrize(
    "headers, body, name",
    captured("/v1/chat/completions", "pi-chat", "aider-openai", "opencode-chat", "kimi-*", "qwen-openai"),
)
def test_completions_of_real_clients(headers: dict[str, str], body: dict[str, Any], name: str) -> None:
    """FakeChat takes every Chat request that a real client was seen to send, in the flavour it was meant for."""
    flavour = KIMI if "thinking" in body else DEEPSEEK if "reasoning_content" in json.dumps(body) else OPENAI
    chat_rules.check_request(body, flavour)


def taken(recording: Recording) -> bool:
    """Whether the recording is a plain request that its vendor answered."""
    if recording.status != 200 or "error" in recording.features:
        return False
    request = recording.request
    if request is None or not isinstance(request.body, dict) or "messages" not in request.body:
        return False
    return request.path.split("?")[0].endswith(("/messages", "/chat/completions"))


@needs_shared
def test_recorded_messages() -> None:
    """FakeAnthropic refuses nothing that Anthropic itself has answered."""
    refused, judged = [], 0
    for recording in (r for r in corpus("anthropic_messages") if r.provider == "anthropic" and taken(r)):
        request = recording.request
        assert request is not None
        headers = {"anthropic-version": "2023-06-01"}
        headers |= {key.lower(): value for key, value in request.headers.items()}
        headers["anthropic-beta"] = BETAS
        try:
            judged += 1
            anthropic_rules.check_request(request.body, headers, ANY_ANTHROPIC)
        except Refusal as refusal:
            refused.append((recording.name, refusal.message))
    assert judged > 400
    assert [(name, message) for name, message in refused if not EXCUSED.search(message)] == []


@needs_shared
def test_recorded_completions() -> None:
    """FakeChat refuses nothing that the vendor of its flavour has answered."""
    refused, judged = [], 0
    for recording in (r for r in corpus("openai_chat") if r.provider in FLAVOURS and taken(r)):
        request = recording.request
        assert request is not None
        try:
            judged += 1
            chat_rules.check_request(request.body, FLAVOURS[recording.provider])
        except Refusal as refusal:
            refused.append((recording.name, refusal.message))
    assert judged > 800
    assert [(name, message) for name, message in refused if not EXCUSED.search(message)] == []
