"""FakeChat on its socket: the vendor's SDK accepts its answers in every flavour, and scripts break them as told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.fakes import chat as fakes
from tests.fakes.brain import HELLO
from tests.fakes.chat import KEY, FakeChat
from tests.fakes.flavours import DEEPSEEK, KIMI, LOCAL, OPENAI, OPENROUTER, Flavour
from tests.fakes.script import Call, Delivery, Reply, Say, Think, Usage, bad_gateway, say

pytestmark = pytest.mark.anyio
MODEL = "gpt-4.1"
HI: Any = [{"role": "user", "content": "hi"}]
BASH: Any = {
    "type": "function",
    "function": {
        "name": "bash",
        "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
    },
}
CALLS = (Call("bash", {"command": "ls -la /tmp"}, "call_a"), Call("bash", {"command": "pwd"}, "call_b"))
SPENT = Usage(fresh=3, cached=7, output=11, reasoning=4)


@pytest.fixture
async def fake() -> AsyncIterator[FakeChat]:
    async with FakeChat() as server:
        yield server


@pytest.fixture
async def sdk(fake: FakeChat) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(fake) as client:
        yield client


def client_of(fake: FakeChat) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{fake.base_url}/v1", api_key=KEY, max_retries=0)


async def test_whole_completion(fake: FakeChat, sdk: AsyncOpenAI) -> None:
    """The SDK reads a completion in one piece: text, calls, usage with what is cached and what was reasoning."""
    fake.script(Reply(parts=(Say("one"), *CALLS), usage=SPENT))
    whole = await sdk.chat.completions.create(model=MODEL, messages=HI, tools=[BASH])
    message = whole.choices[0].message
    assert message.content == "one"
    assert [(c.id, c.function.arguments) for c in message.tool_calls or () if c.type == "function"] == [
        ("call_a", '{"command":"ls -la /tmp"}'),
        ("call_b", '{"command":"pwd"}'),
    ]
    assert whole.choices[0].finish_reason == "tool_calls"
    assert whole.usage is not None
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (10, 11)
    assert whole.usage.prompt_tokens_details is not None
    assert whole.usage.prompt_tokens_details.cached_tokens == 7


@pytest.mark.parametrize("interleave", [False, True])
@pytest.mark.parametrize(
    "delivery",
    [Delivery(), Delivery(crlf=True), Delivery(comments=True), Delivery(gzip=True), Delivery(piece=1)],
    ids=repr,
)
async def test_stream(fake: FakeChat, sdk: AsyncOpenAI, delivery: Delivery, interleave: bool) -> None:
    """The SDK's accumulator gets text and parallel calls whole, however deltas are mixed and bytes travel."""
    fake.script(Reply(parts=(Say("grüße 思考"), *CALLS), usage=SPENT, delivery=delivery, interleave=interleave))
    async with sdk.chat.completions.stream(
        model=MODEL, messages=HI, tools=[BASH], stream_options={"include_usage": True}
    ) as stream:
        whole = await stream.get_final_completion()
    message = whole.choices[0].message
    assert message.content == "grüße 思考"
    assert [json.loads(c.function.arguments) for c in message.tool_calls or ()] == [
        {"command": "ls -la /tmp"},
        {"command": "pwd"},
    ]
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 11
    if interleave and delivery == Delivery():
        order = [json.loads(line[6:]) for line in fake.requests[0].answer.split(b"\n\n") if b'"tool_calls":[' in line]
        assert [c["choices"][0]["delta"]["tool_calls"][0]["index"] for c in order][:4] == [0, 1, 0, 1]


async def test_usage_only_when_asked(sdk: AsyncOpenAI) -> None:
    """Without `include_usage` no chunk has usage; with it, the last one has, and no choices."""
    plain = [chunk async for chunk in await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True)]
    assert all(chunk.usage is None and chunk.choices for chunk in plain)
    options: Any = {"include_usage": True}
    asked = await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True, stream_options=options)
    chunks = [chunk async for chunk in asked]
    assert [chunk.usage is not None for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].choices == []


@pytest.mark.parametrize(
    "flavour, field", [(DEEPSEEK, "reasoning_content"), (KIMI, "reasoning_content"), (LOCAL, "reasoning")]
)
async def test_tool_loop_with_reasoning(flavour: Flavour, field: str) -> None:
    """The brain reasons in the flavour's member, calls the shell and quotes the result."""
    async with FakeChat(flavour) as fake, client_of(fake) as sdk:
        ask: Any = [{"role": "user", "content": "RUN_TOOLS"}]
        first = await sdk.chat.completions.create(model=MODEL, messages=ask, tools=[BASH])
        assert first.choices[0].finish_reason == flavour.stops_with_tools
        message: Any = first.choices[0].message.model_dump(exclude_none=True)
        assert message[field].startswith("Let me think")
        results: Any = [
            {"role": "tool", "tool_call_id": call["id"], "content": f"result {n}"}
            for n, call in enumerate(message["tool_calls"])
        ]
        second = await sdk.chat.completions.create(model=MODEL, messages=[*ask, message, *results], tools=[BASH])
        assert "«result 0» «result 1»" in (second.choices[0].message.content or "")
        if flavour.replay:
            del message[field]
            with pytest.raises(openai.BadRequestError, match="reasoning_content"):
                await sdk.chat.completions.create(model=MODEL, messages=[*ask, message, *results], tools=[BASH])


async def test_reasoning_in_other_shapes() -> None:
    """OpenRouter hands out signed details in pieces; others put tags around it."""
    thought = Reply(parts=(Think("hm, hm"), Say("so")))
    async with FakeChat(OPENROUTER, script=(thought,)) as fake, client_of(fake) as sdk:
        stream = await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True)
        deltas = [chunk.choices[0].delta.model_dump() async for chunk in stream]
        details = [detail for delta in deltas for detail in delta.get("reasoning_details") or ()]
        assert "".join(detail.get("text", "") for detail in details) == "hm, hm"
        assert details[-1]["signature"].startswith("sig-")
    tags = Flavour("tags", reasoning="think")
    async with FakeChat(tags, script=(thought,)) as fake, client_of(fake) as sdk:
        whole = await sdk.chat.completions.create(model=MODEL, messages=HI)
        assert whole.choices[0].message.content == "<think>\nhm, hm\n</think>\n\nso"


@pytest.mark.parametrize(
    "step, error, code",
    [
        (fakes.overloaded(), openai.InternalServerError, None),
        (fakes.rate_limited(), openai.RateLimitError, "rate_limit_exceeded"),
        (fakes.quota_exhausted(), openai.RateLimitError, "insufficient_quota"),
        (fakes.prompt_too_long(), openai.BadRequestError, "context_length_exceeded"),
        (bad_gateway(), openai.InternalServerError, None),
    ],
    ids=["503", "429", "quota", "overflow", "html"],
)
async def test_scripted_errors(
    fake: FakeChat, sdk: AsyncOpenAI, step: Any, error: type[openai.APIStatusError], code: str | None
) -> None:
    """An error before the answer reaches the SDK as its own exception, with the vendor's code."""
    fake.script(step)
    with pytest.raises(error) as raised:
        await sdk.chat.completions.create(model=MODEL, messages=HI)
    assert raised.value.code == code


async def test_error_in_the_stream(fake: FakeChat, sdk: AsyncOpenAI) -> None:
    """An error event after some text ends the stream as the SDK's error."""
    fake.script(say("abc", delivery=Delivery(cut="error", cut_after=3, error=("server_error", "went wrong"))))
    stream = await sdk.chat.completions.create(model=MODEL, messages=HI, stream=True)
    with pytest.raises(openai.APIError, match="went wrong"):
        async for _ in stream:
            pass
    assert b"[DONE]" not in fake.requests[0].answer


async def test_refusals_reach_the_sdk(sdk: AsyncOpenAI, fake: FakeChat) -> None:
    """A rule that is broken is a 400 with `param` and `code`, and noted on the record."""
    with pytest.raises(openai.BadRequestError, match="array too long") as raised:
        await sdk.chat.completions.create(model=MODEL, messages=HI, stop=list("abcde"))
    assert (raised.value.param, raised.value.code) == ("stop", "array_above_max_length")
    assert fake.inferences()[0].refused.startswith("Invalid 'stop'")


async def test_forced_tool_and_schema(sdk: AsyncOpenAI) -> None:
    """A forced tool is called, and a JSON schema is answered with JSON."""
    forced = await sdk.chat.completions.create(model=MODEL, messages=HI, tools=[BASH], tool_choice="required")
    assert forced.choices[0].finish_reason == "tool_calls"
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    shaped = await sdk.chat.completions.create(model=MODEL, messages=HI, response_format=form)
    assert json.loads(shaped.choices[0].message.content or "") == {"n": 42}


async def test_models_and_paths() -> None:
    """Models are listed; a base URL without /v1 works as at vendors that have none."""
    async with FakeChat(OPENAI, models=("m-1", "m-2")) as fake:
        async with AsyncOpenAI(base_url=fake.base_url, api_key=KEY, max_retries=0) as sdk:
            assert [model.id async for model in sdk.models.list()] == ["m-1", "m-2"]
            with pytest.raises(openai.NotFoundError, match="The model `m-3` does not exist"):
                await sdk.chat.completions.create(model="m-3", messages=HI)
            whole = await sdk.chat.completions.create(model="m-1", messages=HI)
            assert whole.choices[0].message.content == HELLO
