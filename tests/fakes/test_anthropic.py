"""FakeAnthropic on its socket: the vendor's SDK accepts its answers, scripts break them, requests are recorded."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from tests.fakes import anthropic as fakes
from tests.fakes.anthropic import KEY, FakeAnthropic
from tests.fakes.brain import HELLO
from tests.fakes.script import Call, Delivery, Hang, Reply, Say, Think, Usage, bad_gateway, call, say

pytestmark = pytest.mark.anyio
MODEL = "claude-opus-5-5"
HI: Any = [{"role": "user", "content": "hi"}]
BASH: Any = {
    "name": "Bash",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}


@pytest.fixture
async def fake() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic() as server:
        yield server


@pytest.fixture
async def sdk(fake: FakeAnthropic) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=fake.base_url, api_key=KEY, max_retries=0) as client:
        yield client


async def test_whole_message(sdk: AsyncAnthropic) -> None:
    """The SDK reads a message in one piece: text, stop reason, usage."""
    message = await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI)
    assert [block.text for block in message.content if block.type == "text"] == [HELLO]
    assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("end_turn", 100, 20)
    assert message.model == MODEL


SCRIPTED = Reply(
    parts=(
        Think("grüße 思考"),
        Say("one"),
        Call("Bash", {"command": "ls"}),
        Call("Bash", {"command": "pwd"}, "toolu_x"),
    ),
    usage=Usage(fresh=3, cached=7, stored=5, output=11, reasoning=4),
)


@pytest.mark.parametrize(
    "delivery",
    [
        Delivery(),
        Delivery(crlf=True),
        Delivery(comments=True),
        Delivery(gzip=True),
        Delivery(piece=1),
        Delivery(piece=7, gzip=True, crlf=True),
    ],
    ids=repr,
)
async def test_stream(fake: FakeAnthropic, sdk: AsyncAnthropic, delivery: Delivery) -> None:
    """The SDK's accumulator gets thinking, text, parallel calls and usage whole, however the bytes travel."""
    fake.script(Reply(parts=SCRIPTED.parts, usage=SCRIPTED.usage, delivery=delivery))
    thinking: Any = {"type": "adaptive"}
    async with sdk.messages.stream(model=MODEL, max_tokens=10, messages=HI, tools=[BASH], thinking=thinking) as stream:
        message = await stream.get_final_message()
    thought, text, first, second = message.content
    assert thought.type == "thinking"
    assert thought.thinking == "grüße 思考"
    assert fake.verify(thought.thinking, thought.signature)
    assert text.type == "text"
    assert text.text == "one"
    assert first.type == second.type == "tool_use"
    assert first.input == {"command": "ls"}
    assert first.id.startswith("toolu_01")
    assert (second.id, second.input) == ("toolu_x", {"command": "pwd"})
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (3, 7, 5)
    assert usage.output_tokens == 11
    assert message.stop_reason == "tool_use"


async def test_tool_loop(fake: FakeAnthropic, sdk: AsyncAnthropic) -> None:
    """The brain thinks, calls the shell, takes its own thinking back, and quotes the result."""
    ask: Any = [{"role": "user", "content": "RUN_TOOL"}]
    options: Any = {"model": MODEL, "max_tokens": 2048, "tools": [BASH], "thinking": {"type": "adaptive"}}
    first = await sdk.messages.create(messages=ask, **options)
    made = next(block for block in first.content if block.type == "tool_use")
    assert made.input == {"command": "echo strowger-e2e-$((40+2))"}
    result = {"type": "tool_result", "tool_use_id": made.id, "content": "strowger-e2e-42\n"}
    turns = [*ask, {"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = await sdk.messages.create(messages=turns, **options)
    assert "the tool said «strowger-e2e-42»" in second.content[-1].text


async def test_thinking_of_another_vendor_is_refused(sdk: AsyncAnthropic) -> None:
    """Thinking that this fake has not signed comes back as the vendor's 400."""
    forged: Any = {"type": "thinking", "thinking": "hm", "signature": "AAAA"}
    turns: Any = [*HI, {"role": "assistant", "content": [forged, {"type": "text", "text": "a"}]}, *HI]
    with pytest.raises(
        anthropic.BadRequestError, match="messages.1.content.0: Invalid `signature` in `thinking` block"
    ):
        await sdk.messages.create(model=MODEL, max_tokens=10, messages=turns)


async def test_hidden_thinking_is_signed(fake: FakeAnthropic, sdk: AsyncAnthropic) -> None:
    """`display: omitted` gives empty thinking with a signature that is taken back."""
    thinking: Any = {"type": "adaptive", "display": "omitted"}
    message = await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI, thinking=thinking)
    block = message.content[0]
    assert block.type == "thinking"
    assert block.thinking == ""
    assert fake.verify("", block.signature)


async def test_forced_tool_and_schema(sdk: AsyncAnthropic) -> None:
    """A forced tool is called with arguments of its schema, and a JSON schema is answered with JSON."""
    forced = await sdk.messages.create(
        model=MODEL, max_tokens=10, messages=HI, tools=[BASH], tool_choice={"type": "tool", "name": "Bash"}
    )
    assert forced.content[-1].input == {"command": "FAKE"}  # type: ignore[union-attr]
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    config: Any = {"format": {"type": "json_schema", "schema": schema}}
    shaped = await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI, output_config=config)
    assert json.loads(shaped.content[-1].text) == {"n": 42}  # type: ignore[union-attr]


async def test_models_and_counting(sdk: AsyncAnthropic) -> None:
    """Models are listed in pages and found by id; tokens are counted."""
    ids = [model.id async for model in sdk.models.list(limit=3)]
    assert MODEL in ids
    assert len(ids) == len(set(ids)) > 3
    assert (await sdk.models.retrieve(MODEL)).max_tokens == 128_000
    with pytest.raises(anthropic.NotFoundError, match="model: nobody"):
        await sdk.models.retrieve("nobody")
    assert (await sdk.messages.count_tokens(model=MODEL, messages=HI)).input_tokens > 0


@pytest.mark.parametrize(
    "step, error, words",
    [
        (fakes.overloaded(), anthropic.APIStatusError, "Overloaded"),
        (fakes.rate_limited(3), anthropic.RateLimitError, "rate limit"),
        (fakes.prompt_too_long(), anthropic.BadRequestError, "prompt is too long: 250000 tokens > 200000 maximum"),
        (bad_gateway(), anthropic.InternalServerError, "502"),
        (Hang(drop=True), anthropic.APIConnectionError, "Connection error"),
    ],
    ids=["529", "429", "400", "html", "drop"],
)
async def test_scripted_errors(
    fake: FakeAnthropic, sdk: AsyncAnthropic, step: Any, error: type[Exception], words: str
) -> None:
    """An error before the answer reaches the SDK as its own exception."""
    fake.script(step)
    with pytest.raises(error, match=words):
        await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI)
    assert (await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI)).content


@pytest.mark.parametrize(
    "delivery, error",
    [
        (Delivery(cut="error", cut_after=0), anthropic.APIStatusError),
        (Delivery(cut="error", cut_after=4), anthropic.APIStatusError),
        (Delivery(cut="drop", cut_after=4), Exception),
    ],
    ids=["first event", "in the middle", "reset"],
)
async def test_scripted_breaks(
    fake: FakeAnthropic, sdk: AsyncAnthropic, delivery: Delivery, error: type[Exception]
) -> None:
    """A stream that breaks reaches the SDK as an error, never as an end."""
    fake.script(say("a", "b", delivery=delivery))
    with pytest.raises(error):
        async with sdk.messages.stream(model=MODEL, max_tokens=10, messages=HI) as stream:
            await stream.get_final_message()
    assert fake.requests[0].ended == "cut"


async def test_clean_end_without_terminal_event(fake: FakeAnthropic, sdk: AsyncAnthropic) -> None:
    """`eof` closes the stream in good order after so many events."""
    fake.script(say("abc", delivery=Delivery(cut="eof", cut_after=4)))
    raw = await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI, stream=True)
    names = [event.type async for event in raw]
    assert names == ["message_start", "content_block_start", "content_block_delta"]
    assert fake.requests[0].answer.count(b"\n\n") == 4  # the SDK keeps the ping to itself


async def test_hang_up_is_seen(fake: FakeAnthropic, sdk: AsyncAnthropic) -> None:
    """When the client hangs up during a stall, the record says so."""
    fake.script(say("abc", delivery=Delivery(cut="stall", cut_after=3)))
    stream = await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI, stream=True)
    async for event in stream:
        if event.type == "content_block_start":
            break
    await stream.close()
    await fake.until(lambda: fake.requests[0].ended == "left")


async def test_record(fake: FakeAnthropic, sdk: AsyncAnthropic) -> None:
    """A request is kept with its headers, body, status and, where refused, the reason."""
    await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI, extra_headers={"X-Mine": "a"})
    with pytest.raises(anthropic.BadRequestError, match="foo: Extra inputs are not permitted") as error:
        await sdk.messages.create(model=MODEL, max_tokens=10, messages=HI, extra_body={"foo": 1})
    first, second = fake.inferences()
    assert (first.header("x-mine"), first.status, first.refused, first.ended) == ("a", 200, "", "sent")
    assert first.body["messages"] == HI
    assert (second.status, second.refused) == (400, "foo: Extra inputs are not permitted")
    assert error.value.request_id is not None


async def test_script_may_look(fake: FakeAnthropic, sdk: AsyncAnthropic) -> None:
    """A step can be a function of the request; after the last step the brain answers."""
    fake.script(lambda request: call("Bash", {"command": f"echo {request['max_tokens']}"}))
    first = await sdk.messages.create(model=MODEL, max_tokens=77, messages=HI, tools=[BASH])
    assert first.content[0].input == {"command": "echo 77"}  # type: ignore[union-attr]
    second = await sdk.messages.create(model=MODEL, max_tokens=77, messages=HI)
    assert second.content[0].text == HELLO  # type: ignore[union-attr]


async def test_key_and_path(fake: FakeAnthropic) -> None:
    """A wrong key is the vendor's 401, an unknown path its 404."""
    async with AsyncAnthropic(base_url=fake.base_url, api_key="wrong", max_retries=0) as client:
        with pytest.raises(anthropic.AuthenticationError, match="Invalid bearer token"):
            await client.messages.create(model=MODEL, max_tokens=10, messages=HI)
        with pytest.raises(anthropic.NotFoundError):
            await client.get("/v1/nothing", cast_to=object)


def test_serves_from_a_thread() -> None:
    """A fake in a thread answers a blocking client, and its port closes with it."""
    with FakeAnthropic().in_thread() as fake:
        with anthropic.Anthropic(base_url=fake.base_url, api_key=KEY, max_retries=0) as client:
            assert client.messages.create(model=MODEL, max_tokens=10, messages=HI).stop_reason == "end_turn"
    with anthropic.Anthropic(base_url=fake.base_url, api_key=KEY, max_retries=0) as client:
        with pytest.raises(anthropic.APIConnectionError):
            client.messages.create(model=MODEL, max_tokens=10, messages=HI)
