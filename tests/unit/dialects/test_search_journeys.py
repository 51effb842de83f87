"""A search of the web in all sixteen directions: asked for in the client's words, run by the upstream in its own, and
told in the client's again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from strowger.config.schema import ProviderConfig
from strowger.dialects import anthropic, gemini, openai_chat, openai_responses
from strowger.dialects.base import Capabilities, DecoderSetup, Dialect, EncoderSetup, Spot
from strowger.ir.request import Text
from strowger.ir.response import fold
from strowger.providers import PRESETS, build_provider

Json = dict[str, Any]

DIALECTS: dict[str, Dialect] = {
    "messages": anthropic.DIALECT,
    "chat": openai_chat.DIALECT,
    "responses": openai_responses.DIALECT,
    "gemini": gemini.DIALECT,
}
UPSTREAMS = {
    "messages": ("anthropic", "claude-opus-5"),
    "chat": ("openrouter", "x/y"),
    "responses": ("openai-responses", "gpt-5.5"),
    "gemini": ("google", "gemini-3.5-flash"),
}
TEXT = "Look: it is so. Indeed."
CITED = "it is so"
PAGE = "https://a.test/page"
GEMINI = Spot(model="m", stream=False)


def ids() -> Callable[[str], str]:
    numbers = itertools.count()
    return lambda prefix: f"{prefix}{next(numbers)}"


def capabilities(upstream: str) -> Capabilities:
    preset, model = UPSTREAMS[upstream]
    chosen = PRESETS[preset]
    config = ProviderConfig(preset=preset, dialect=chosen.dialect, base_url=chosen.base_url)
    return build_provider(preset, config, env={}).capabilities(model)


# ---- how each client asks, and how each upstream is asked ----

HI = {"role": "user", "content": "is it so?"}
ASKED: dict[str, Json] = {
    "messages": {
        "model": "m",
        "max_tokens": 99,
        "messages": [HI],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}],
    },
    "chat": {"model": "m", "messages": [HI], "web_search_options": {}},
    "responses": {"model": "m", "input": [HI], "tools": [{"type": "web_search"}]},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "is it so?"}]}], "tools": [{"googleSearch": {}}]},
}


def searches(upstream: str, body: Json) -> bool:
    """Whether a request asks an upstream for its own search."""
    tools = body.get("tools", [])
    match upstream:
        case "messages":
            return [(tool["type"], tool["name"]) for tool in tools] == [("web_search_20250305", "web_search")]
        case "chat":
            return "web_search_options" in body or [tool["type"] for tool in tools] == ["openrouter:web_search"]
        case "responses":
            return [tool["type"] for tool in tools] == ["web_search"]
        case _:
            return bool(tools == [{"googleSearch": {}}])


# ---- how each upstream tells what it found ----

START = TEXT.index(CITED)
ANNOTATION = {"url": PAGE, "title": "A", "start_index": START, "end_index": START + len(CITED)}
TOLD: dict[str, Json] = {
    "messages": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 1}},
        "content": [
            {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}},
            {
                "type": "web_search_tool_result",
                "tool_use_id": "srvtoolu_1",
                "content": [{"type": "web_search_result", "url": PAGE, "title": "A", "encrypted_content": "secret"}],
            },
            {"type": "text", "text": TEXT[:START]},
            {
                "type": "text",
                "text": CITED,
                "citations": [
                    {
                        "type": "web_search_result_location",
                        "url": PAGE,
                        "title": "A",
                        "cited_text": "so",
                        "encrypted_index": "secret",
                    }
                ],
            },
            {"type": "text", "text": TEXT[START + len(CITED) :]},
        ],
    },
    "chat": {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {
                    "role": "assistant",
                    "content": TEXT,
                    "annotations": [{"type": "url_citation", "url_citation": ANNOTATION}],
                },
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    },
    "responses": {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [
            {
                "id": "ws_1",
                "type": "web_search_call",
                "status": "completed",
                "action": {"type": "search", "query": "q", "sources": [{"type": "url", "url": PAGE}]},
            },
            {
                "id": "msg_1",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [
                    {"type": "output_text", "text": TEXT, "annotations": [{"type": "url_citation", **ANNOTATION}]}
                ],
            },
        ],
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    },
    "gemini": {
        "responseId": "r",
        "modelVersion": "m",
        "candidates": [
            {
                "index": 0,
                "finishReason": "STOP",
                "content": {"role": "model", "parts": [{"text": TEXT}]},
                "groundingMetadata": {
                    "webSearchQueries": ["q"],
                    "groundingChunks": [{"web": {"uri": PAGE, "title": "A"}}],
                    "groundingSupports": [
                        {
                            "segment": {"startIndex": START, "endIndex": START + len(CITED), "text": CITED},
                            "groundingChunkIndices": [0],
                        }
                    ],
                },
            }
        ],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2},
    },
}


def shown(client: str, body: Json) -> tuple[str, set[str]]:
    """The text that a client gets, and the pages that it cites."""
    match client:
        case "messages":
            blocks = [block for block in body["content"] if block["type"] == "text"]
            cited = {cited["url"] for block in blocks for cited in block.get("citations", [])}
            return "".join(block["text"] for block in blocks), cited
        case "chat":
            message = body["choices"][0]["message"]
            return message["content"], {each["url_citation"]["url"] for each in message.get("annotations", [])}
        case "responses":
            parts = [part for item in body["output"] if item["type"] == "message" for part in item["content"]]
            return "".join(part["text"] for part in parts), {a["url"] for part in parts for a in part["annotations"]}
        case _:
            candidate = body["candidates"][0]
            chunks = candidate["groundingMetadata"]["groundingChunks"]
            text = "".join(part["text"] for part in candidate["content"]["parts"])
            return text, {chunk["web"]["uri"] for chunk in chunks}


def stretch(client: str, body: Json) -> str | None:
    """The words that the citation stands on, in dialects that say so."""
    match client:
        case "messages":
            cited = [block["text"] for block in body["content"] if block.get("citations")]
            return cited[0] if len(cited) == 1 else None
        case "chat":
            page = body["choices"][0]["message"]["annotations"][0]["url_citation"]
            return TEXT[page["start_index"] : page["end_index"]]
        case "responses":
            page = next(
                (part, part["annotations"][0])
                for item in body["output"]
                if item["type"] == "message"
                for part in item["content"]
                if part["annotations"]
            )
            return str(page[0]["text"][page[1]["start_index"] : page[1]["end_index"]])
        case _:
            return str(body["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"]["text"])


def queries(client: str, body: Json) -> list[str]:
    """What was searched for, in dialects that say so."""
    match client:
        case "messages":
            return [block["input"]["query"] for block in body["content"] if block["type"] == "server_tool_use"]
        case "responses":
            return [item["action"]["query"] for item in body["output"] if item["type"] == "web_search_call"]
        case "gemini":
            return list(body["candidates"][0]["groundingMetadata"].get("webSearchQueries", []))
        case _:
            return []


DIRECTIONS = [(client, upstream) for client in DIALECTS for upstream in DIALECTS]
every_direction = pytest.mark.parametrize("client, upstream", DIRECTIONS)


def answered(client: str, upstream: str) -> Json:
    """The upstream's answer as the client gets it."""
    raw = json.dumps(TOLD[upstream]).encode()
    events = DIALECTS[upstream].upstream.decode_response(raw, DecoderSetup(origin="o", new_id=ids()))
    body, losses = DIALECTS[client].client.render_response(fold(events), EncoderSetup(model="m", new_id=ids()))
    assert not [loss for loss in losses if loss.severity != "info"]
    told: Json = json.loads(body)
    return told


@every_direction
def test_it_is_asked_for(client: str, upstream: str) -> None:
    """In the words of the upstream, without a loss."""
    request = DIALECTS[client].client.parse_request(json.dumps(ASKED[client]).encode(), GEMINI)
    rendered = DIALECTS[upstream].upstream.render_request(request, "m", capabilities(upstream))
    assert searches(upstream, json.loads(rendered.body))
    assert not [loss for loss in rendered.losses if "tool" in loss.path or "search" in loss.path]


@every_direction
def test_it_is_told(client: str, upstream: str) -> None:
    """All of the text, and the page it is drawn from; on the very words where the upstream says which."""
    body = answered(client, upstream)
    assert shown(client, body) == (TEXT, {PAGE})
    whole = {TEXT, None} if client == "messages" else set()
    assert stretch(client, body) in {CITED, *whole}
    asked = [] if upstream == "chat" or client == "chat" else ["q"]
    assert queries(client, body) == asked


@every_direction
def test_a_stream_tells_the_same(client: str, upstream: str) -> None:
    """Piece by piece, read back by the client's own dialect."""
    raw = json.dumps(TOLD[upstream]).encode()
    events = DIALECTS[upstream].upstream.decode_response(raw, DecoderSetup(origin="o", new_id=ids()))
    encoder = DIALECTS[client].client.encoder(EncoderSetup(model="m", new_id=ids()))
    wire = b"".join(encoder.encode(event) for event in events)
    decoder = DIALECTS[client].upstream.decoder(DecoderSetup(origin="o", new_id=ids()))
    back = fold(decoder.feed(wire) + decoder.close())
    texts = [part for part in back.parts if isinstance(part, Text)]
    assert "".join(text.text for text in texts) == TEXT
    assert {cited.url for text in texts for cited in text.citations} == {PAGE}


@pytest.mark.parametrize("client, upstream", [(a, b) for a, b in DIRECTIONS if a in {"messages", "chat"} and a != b])
def test_the_next_request_holds_nothing_of_another_provider(client: str, upstream: str) -> None:
    """What the search gave is for whom it ran at; the text that came of it stays in the conversation."""
    body = answered(client, upstream)
    turn = body["choices"][0]["message"] if client == "chat" else {"role": "assistant", "content": body["content"]}
    history = {**ASKED[client], "messages": [HI, turn, HI]}
    request = DIALECTS[client].client.parse_request(json.dumps(history).encode())
    for target, dialect in DIALECTS.items():
        sent = dialect.upstream.render_request(request, "m", capabilities(target)).body.decode()
        assert "strowger" not in sent
        assert '"secret"' not in sent or target == upstream
        assert CITED in sent
