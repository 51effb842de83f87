"""The demo provider over its socket, with the official SDK as its client."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from strowger.demo.server import demo_server

pytestmark = pytest.mark.anyio

BASH: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "bash",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
}
ASK = {"model": "demo", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the server is written for."""
    return "asyncio"


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """An unpaced demo server."""
    async with demo_server(pace=0) as origin:
        yield origin


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def test_the_sdk_goes_through_a_tool_loop(url: str) -> None:
    """The official SDK accumulates the stream, runs the tool and brings the result; the model quotes it."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
        messages: list[ChatCompletionMessageParam] = [
            {"role": "user", "content": "run `echo hi` and `pwd` in parallel"}
        ]
        async with client.chat.completions.stream(
            model="demo", messages=messages, tools=[BASH], stream_options={"include_usage": True}
        ) as stream:
            final = await stream.get_final_completion()
        message = final.choices[0].message
        assert final.choices[0].finish_reason == "tool_calls"
        assert final.usage is not None
        assert final.usage.completion_tokens > 0
        calls = message.tool_calls or []
        assert [json.loads(call.function.arguments)["command"] for call in calls] == ["echo hi", "pwd"]
        messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))  # type: ignore[arg-type]
        messages += [{"role": "tool", "tool_call_id": call.id, "content": f"ran {call.id}"} for call in calls]
        closing = await client.chat.completions.create(model="demo", messages=messages, tools=[BASH])
        text = closing.choices[0].message.content or ""
        assert closing.choices[0].finish_reason == "stop"
        assert all(f"ran {call.id}" in text for call in calls)


async def test_the_sdk_lists_models(url: str) -> None:
    """Both models are listed and can be shown; another one cannot."""
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
        assert [model.id async for model in client.models.list()] == ["demo", "demo-fast"]
        assert (await client.models.retrieve("demo")).owned_by == "strowger"
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            await client.models.retrieve("gpt-5")


async def test_a_stream_is_events_up_to_done(url: str, http: aiohttp.ClientSession) -> None:
    """Server-sent events without names, the last of them `[DONE]`; two answers have different ids."""
    ids = set()
    for _ in range(2):
        async with http.post(f"{url}/v1/chat/completions", json={**ASK, "stream": True}) as response:
            assert response.content_type == "text/event-stream"
            frames = (await response.text()).split("\n\n")
        assert frames[-2:] == ["data: [DONE]", ""]
        chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames[:-2]]
        ids |= {chunk["id"] for chunk in chunks}
    assert len(ids) == 2


@pytest.mark.parametrize(
    "method, path, body, status, param, code",
    [
        ("POST", "/v1/chat/completions", b"{", 400, None, None),
        ("POST", "/v1/chat/completions", b"\xff", 400, None, None),
        ("POST", "/v1/chat/completions", b"", 400, None, None),
        ("POST", "/v1/chat/completions", b"[]", 400, None, None),
        ("POST", "/v1/chat/completions", b'{"model":"demo"}', 400, "messages", "missing_required_parameter"),
        (
            *("POST", "/v1/chat/completions", b'{"model":"x","messages":[{"role":"user","content":"hi"}]}'),
            *(404, "model", "model_not_found"),
        ),
        ("GET", "/v1/chat/completions", None, 405, None, "unknown_url"),
        ("POST", "/v1/responses", b"{}", 404, None, "unknown_url"),
    ],
)
async def test_errors_have_their_dialects_shape(
    url: str,
    http: aiohttp.ClientSession,
    method: str,
    path: str,
    body: bytes | None,
    status: int,
    param: str | None,
    code: str | None,
) -> None:
    """Whatever is wrong, the answer is OpenAI's error object, and the server lives on."""
    async with http.request(method, url + path, data=body) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]
    assert (error["param"], error["code"]) == (param, code)
    async with http.post(f"{url}/v1/chat/completions", json=ASK) as response:
        assert response.status == 200


async def test_compressed_bodies_are_read(url: str, http: aiohttp.ClientSession) -> None:
    """A client may compress its request."""
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    body = gzip.compress(json.dumps(ASK).encode())
    async with http.post(f"{url}/v1/chat/completions", data=body, headers=headers) as response:
        assert response.status == 200


async def test_pieces_arrive_one_by_one(http: aiohttp.ClientSession) -> None:
    """A paced answer is sent piece by piece, as it is made."""
    body: dict[str, Any] = {**ASK, "stream": True}
    async with demo_server(pace=0.02) as url, http.post(f"{url}/v1/chat/completions", json=body) as response:
        first = await response.content.readany()
        assert first.count(b"data: ") < 5
        response.close()


async def test_a_taken_port_is_an_error() -> None:
    """A port in use is told to the caller, and nothing is left behind."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="in use"):
            async with demo_server(port=taken.getsockname()[1]):
                pytest.fail("two servers on one port")
