"""Gemini CLI against an address, by each of the three doors that it knows, and what it said as JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.clients import Ran, run
from tests.e2e.exchange import TOKEN

OPTIONS = ("--yolo", "--skip-trust", "-o", "stream-json")
KEY, VERTEX, CODE_ASSIST = "API key", "Vertex AI", "Code Assist"


def door(name: str, base_url: str) -> dict[str, str]:
    """The environment that leads it to `base_url` by a door."""
    if name == VERTEX:
        return {"GOOGLE_GENAI_USE_VERTEXAI": "true", "GOOGLE_API_KEY": TOKEN, "GOOGLE_VERTEX_BASE_URL": base_url}
    if name == CODE_ASSIST:
        login = {"GOOGLE_GENAI_USE_GCA": "true", "GOOGLE_CLOUD_ACCESS_TOKEN": TOKEN}
        return {**login, "CODE_ASSIST_ENDPOINT": base_url}
    return {"GEMINI_API_KEY": TOKEN, "GOOGLE_GEMINI_BASE_URL": base_url}


def gemini(program: str, home: Path, env: dict[str, str], prompt: str, *arguments: str) -> Ran:
    """`gemini -p`, with everything allowed. An API key at another address needs a settings file besides."""
    if "GEMINI_API_KEY" in env:
        folder = home / ".gemini"
        folder.mkdir(exist_ok=True)
        settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        (folder / "settings.json").write_text(json.dumps(settings))
    return run([program, "-p", prompt, *OPTIONS, *arguments], home, env)


def said(ran: Ran) -> str:
    """All that the model told the user."""
    return "".join(line["content"] for line in ran.lines if line["type"] == "message" and line["role"] == "assistant")


def outputs(ran: Ran) -> list[str]:
    """What its tools gave."""
    return [line["output"] for line in ran.lines if line["type"] == "tool_result" and line["status"] == "success"]


def result(ran: Ran) -> dict[str, Any]:
    """Its last line."""
    found = [line for line in ran.lines if line["type"] == "result"]
    assert found, f"exit code {ran.code}\n{ran.out[-2000:]}\n{ran.err[-2000:]}"
    return found[-1]
