"""FakeResponses over HTTP: the vendor's SDK accepts its answers, and scripts break them as told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import nullcontext
from typing import Any

import anyio
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response

from tests.fakes import responses as fakes
from tests.fakes.brain import HELLO
from tests.fakes.responses import KEY, FakeResponses
from tests.fakes.responses_flavours import CODEX
from tests.fakes.responses_parts import (
    KEEPALIVE,
    Compute,
    Decline,
    Fail,
    Freeform,
    LocalShell,
    Message,
    NamespacedCall,
    Paint,
    Ponder,
    RemoteCall,
    RemoteTools,
    ToolSearch,
    Trouble,
    WebSearch,
    at_capacity,
    limits,
    rate_limited_inside,
)
from tests.fakes.script import Call, Delivery, Part, Reply, Say, Think, Usage, bad_gateway, say

pytestmark = pytest.mark.anyio
MODEL = "gpt-5.5"
SEALED: Any = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}
CALLS = (Call("bash", {"command": "ls -la /tmp"}, "call_a"), Call("bash", {"command": "pwd"}, "call_b"))
CITED = {"type": "url_citation", "start_index": 0, "end_index": 3, "url": "https://example.com", "title": "a"}
EVERYTHING: tuple[Part, ...] = (
    Think("first\n\nsecond"),
    WebSearch("weather", ("https://example.com",)),
    Message("looking", phase="commentary"),
    RemoteTools("docs", ({"name": "ask", "input_schema": {"type": "object"}},)),
    RemoteCall("docs", "ask", {"q": "why"}, output="because"),
    RemoteCall("docs", "ask", {"q": "how"}, error="no idea"),
    Compute("print(1)", logs="1\n"),
    Paint(),
    Ponder("in the open"),
    Message("grüße 思考", phase="final_answer", annotations=(CITED,)),
    Say("and"),
    Decline("not that"),
    *CALLS,
    NamespacedCall("spawn", {}, "call_c", namespace="agents"),
    Freeform("apply_patch", "*** Begin Patch\n*** End Patch", "call_d"),
    LocalShell(("ls", "-l"), "call_e"),
    ToolSearch({"queries": ["a"]}, "call_f"),
)
SPENT = Usage(fresh=3, cached=7, output=11, reasoning=4)


@pytest.fixture
async def fake() -> AsyncIterator[FakeResponses]:
    async with FakeResponses() as server:
        yield server


@pytest.fixture
async def sdk(fake: FakeResponses) -> AsyncIterator[AsyncOpenAI]:
    async with client_of(fake) as client:
        yield client


def client_of(fake: FakeResponses) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=fake.root, api_key=KEY, max_retries=0)


def events_of(fake: FakeResponses, index: int = -1) -> list[dict[str, Any]]:
    """The events of a streamed answer, as they went over the wire."""
    blocks = fake.inferences()[index].answer.decode().strip().split("\n\n")
    named = [(block.split("\n")[0], json.loads(block.split("\n")[1].removeprefix("data: "))) for block in blocks]
    assert [name for name, _ in named] == [f"event: {event['type']}" for _, event in named]
    return [event for _, event in named]


async def test_whole_response(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """The SDK reads a response in one piece: text, calls, and usage with what is cached and what was reasoning."""
    fake.script(Reply(parts=(Think("hm"), Say("one"), *CALLS), usage=SPENT))
    whole = await sdk.responses.create(model=MODEL, input="hi", **SEALED)
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call", "function_call"]
    assert whole.output_text == "one"
    assert whole.status == "completed"
    calls = [item for item in whole.output if item.type == "function_call"]
    assert [(call.call_id, call.arguments) for call in calls] == [
        ("call_a", '{"command":"ls -la /tmp"}'),
        ("call_b", '{"command":"pwd"}'),
    ]
    assert whole.usage is not None
    assert (whole.usage.input_tokens, whole.usage.input_tokens_details.cached_tokens) == (10, 7)
    assert (whole.usage.output_tokens, whole.usage.output_tokens_details.reasoning_tokens) == (11, 4)


@pytest.mark.parametrize("interleave", [False, True])
@pytest.mark.parametrize(
    "delivery",
    [Delivery(), Delivery(crlf=True), Delivery(comments=True), Delivery(gzip=True), Delivery(piece=7)],
    ids=repr,
)
async def test_stream(fake: FakeResponses, sdk: AsyncOpenAI, delivery: Delivery, interleave: bool) -> None:
    """What the SDK's accumulator puts together from deltas is what the last event tells whole."""
    fake.script(Reply(parts=EVERYTHING, usage=SPENT, delivery=delivery, interleave=interleave))
    async with sdk.responses.stream(model=MODEL, input="hi", **SEALED) as stream:
        snapshots = [event async for event in stream]
        whole = await stream.get_final_response()
    assert snapshots[-1].type == "response.completed"
    assert [item.type for item in whole.output] == [
        "reasoning",
        "web_search_call",
        "message",
        "mcp_list_tools",
        "mcp_call",
        "mcp_call",
        "code_interpreter_call",
        "image_generation_call",
        "reasoning",
        "message",
        "message",
        "function_call",
        "function_call",
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "tool_search_call",
    ]
    assert whole.output_text == "lookinggrüße 思考and"


async def test_grammar(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """Events are numbered without a gap; each item opens, says its own and is done; deltas add up to what is done."""
    fake.script(Reply(parts=EVERYTHING))
    async for _ in await sdk.responses.create(model=MODEL, input="hi", stream=True, **SEALED):
        pass
    events = events_of(fake)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["type"] == "response.completed"
    opened: list[int] = []
    for event in events[2:-1]:
        index = event["output_index"]
        if event["type"] == "response.output_item.added":
            opened.append(index)
        assert index == opened[-1]
        if event["type"] == "response.output_item.done":
            assert event["item"] == events[-1]["response"]["output"][index]
    assert opened == list(range(17))
    for kind, member in (
        ("output_text", "text"),
        ("refusal", "refusal"),
        ("reasoning_summary_text", "text"),
        ("reasoning_text", "text"),
        ("function_call_arguments", "arguments"),
        ("custom_tool_call_input", "input"),
        ("mcp_call_arguments", "arguments"),
        ("code_interpreter_call_code", "code"),
    ):
        deltas = "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")
        assert deltas == "".join(event[member] for event in events if event["type"] == f"response.{kind}.done")
        assert deltas


async def test_interleaved_calls(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """Pieces of parallel calls can be mixed; each tells its item."""
    fake.script(Reply(parts=CALLS, interleave=True, deltas=2))
    async for _ in await sdk.responses.create(model=MODEL, input="hi", stream=True):
        pass
    deltas = [event for event in events_of(fake) if event["type"].endswith("arguments.delta")]
    assert [event["output_index"] for event in deltas] == [0, 1, 0, 1]


@pytest.mark.parametrize("asked", [True, False])
async def test_padding(fake: FakeResponses, sdk: AsyncOpenAI, asked: bool) -> None:
    """Deltas are padded unless the request forbids it."""
    options: Any = {} if asked else {"stream_options": {"include_obfuscation": False}}
    async for _ in await sdk.responses.create(model=MODEL, input="hi", stream=True, **options):
        pass
    deltas = [event for event in events_of(fake) if "delta" in event]
    assert deltas
    assert all(("obfuscation" in event) is asked for event in deltas)


async def test_summaries_and_seals_only_when_asked(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """Reasoning comes without summary and without encrypted content unless both are asked for."""
    fake.script(Reply(parts=(Think("a\n\nb"),)), Reply(parts=(Think("a\n\nb"),)), Reply(parts=(Think("a", True),)))
    plain = (await sdk.responses.create(model=MODEL, input="hi")).output[0].model_dump()
    assert (plain["summary"], plain["encrypted_content"]) == ([], None)
    whole = (await sdk.responses.create(model=MODEL, input="hi", **SEALED)).output[0].model_dump()
    assert [part["text"] for part in whole["summary"]] == ["a", "b"]
    assert whole["encrypted_content"].startswith("gAAAAA")
    redacted = (await sdk.responses.create(model=MODEL, input="hi", **SEALED)).output[0].model_dump()
    assert (redacted["summary"], bool(redacted["encrypted_content"])) == ([], True)


async def test_asides(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """Events that belong to no item can stand anywhere."""
    fake.script(Reply(parts=(KEEPALIVE, Say("a"), limits(90))))
    stream = await sdk.responses.create(model=MODEL, input="hi", stream=True)
    kinds = [str(event.type) async for event in stream]
    assert (kinds[2], kinds[-2], kinds[-1]) == ("keepalive", "codex.rate_limits", "response.completed")


@pytest.mark.parametrize("stop, reason", [("length", "max_output_tokens"), ("refusal", "content_filter")])
async def test_incomplete(fake: FakeResponses, sdk: AsyncOpenAI, stop: Any, reason: str) -> None:
    """A response that breaks off says why, and so does the item in which it does."""
    fake.script(Reply(parts=(Say("one"), Call("a", '{"b":')), stop=stop))
    async with sdk.responses.stream(model=MODEL, input="hi") as stream:
        kinds = [event.type async for event in stream]
    last = events_of(fake)[-1]
    assert kinds[-1] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": reason}
    assert [item["status"] for item in last["response"]["output"]] == ["completed", "incomplete"]


@pytest.mark.parametrize(
    "step, code",
    [
        (at_capacity(), "server_is_overloaded"),
        (rate_limited_inside(), "rate_limit_exceeded"),
        (Reply(parts=(Say("some"), Fail("server_error"))), "server_error"),
    ],
    ids=["capacity", "rate limit", "midway"],
)
async def test_failed(fake: FakeResponses, sdk: AsyncOpenAI, step: Reply, code: str) -> None:
    """A refusal can come after the status 200, as an event that fails the response."""
    fake.script(step)
    stream = await sdk.responses.create(model=MODEL, input="hi", stream=True)
    last = [event async for event in stream][-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert last.response.error.code == code


@pytest.mark.parametrize("wrapped", [True, False])
async def test_error_event(fake: FakeResponses, sdk: AsyncOpenAI, wrapped: bool) -> None:
    """An `error` event ends the stream, in the form of the types or in the one that is seen on the wire."""
    fake.script(Reply(parts=(Say("some"), Trouble("server_error", "went wrong", wrapped=wrapped))))
    stream = await sdk.responses.create(model=MODEL, input="hi", stream=True)
    if wrapped:
        with pytest.raises(openai.APIError, match="went wrong"):
            async for _ in stream:
                pass
    else:
        last: Any = [event async for event in stream][-1]
        assert (last.type, last.message) == ("error", "went wrong")


@pytest.mark.parametrize("cut", ["drop", "eof", "error"])
async def test_broken_off(fake: FakeResponses, sdk: AsyncOpenAI, cut: Any) -> None:
    """A script can break the stream off: no last event comes."""
    fake.script(say("abc", delivery=Delivery(cut=cut, cut_after=5, error=("server_error", "went wrong"))))
    stream = await sdk.responses.create(model=MODEL, input="hi", stream=True)
    seen = []
    with nullcontext() if cut == "eof" else pytest.raises(openai.APIError):
        async for event in stream:
            seen.append(event.type)
    assert len(seen) in (4, 5)
    assert "response.completed" not in seen
    assert fake.inferences()[0].ended == "cut"


@pytest.mark.parametrize(
    "step, error, code",
    [
        (fakes.overloaded(), openai.InternalServerError, "slow_down"),
        (fakes.rate_limited(), openai.RateLimitError, "rate_limit_exceeded"),
        (fakes.quota_exhausted(), openai.RateLimitError, "insufficient_quota"),
        (fakes.usage_limit(), openai.RateLimitError, None),
        (bad_gateway(), openai.InternalServerError, None),
    ],
    ids=["503", "429", "quota", "usage", "html"],
)
async def test_scripted_errors(
    fake: FakeResponses, sdk: AsyncOpenAI, step: Any, error: type[openai.APIStatusError], code: str | None
) -> None:
    """An error before the answer reaches the SDK as its own exception, with the vendor's code."""
    fake.script(step)
    with pytest.raises(error) as raised:
        await sdk.responses.create(model=MODEL, input="hi")
    assert raised.value.code == code


async def test_refusals_reach_the_sdk(sdk: AsyncOpenAI, fake: FakeResponses) -> None:
    """A rule that is broken is a 400 with `param` and `code`, and noted on the record."""
    with pytest.raises(openai.BadRequestError, match="integer below minimum value") as raised:
        await sdk.responses.create(model=MODEL, input="hi", max_output_tokens=1)
    assert (raised.value.param, raised.value.code) == ("max_output_tokens", "integer_below_min_value")
    assert fake.inferences()[0].refused.startswith("Invalid 'max_output_tokens'")


@pytest.mark.parametrize("streamed", [True, False])
async def test_sync_sdk(streamed: bool) -> None:
    """The SDK that blocks is served from a thread."""
    with FakeResponses().in_thread() as fake:

        def ask() -> Response:
            with OpenAI(base_url=fake.root, api_key=KEY, max_retries=0) as sdk:
                if not streamed:
                    return sdk.responses.create(model=MODEL, input="hi")
                with sdk.responses.stream(model=MODEL, input="hi") as stream:
                    return stream.get_final_response()

        assert (await anyio.to_thread.run_sync(ask)).output_text == HELLO


async def test_codex_tells_no_output_at_the_end() -> None:
    """The Codex backend's last event has usage but no output: that is in the events before it."""
    async with FakeResponses(CODEX) as fake, client_of(fake) as sdk:
        stream = await sdk.responses.create(
            model=MODEL, input=[{"role": "user", "content": "hi"}], store=False, stream=True
        )
        events = [event async for event in stream]
    last = events[-1]
    assert last.type == "response.completed"
    assert (last.response.output, last.response.usage is not None) == ([], True)
    assert HELLO in [event.text for event in events if event.type == "response.output_text.done"]


async def test_codex_says_detail() -> None:
    """The Codex backend's own refusals are `{"detail": …}`; its paths are its own and few."""
    async with FakeResponses(CODEX, models=("m",)) as fake, client_of(fake) as sdk:
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.responses.create(model="m", input=[], store=False)
        assert refused.value.response.json() == {"detail": "Stream must be set to true"}
        with pytest.raises(openai.NotFoundError) as absent:
            await sdk.responses.retrieve("resp_1")
        assert absent.value.response.json() == {"detail": "Not Found"}
        assert fake.root.endswith("/backend-api/codex")


async def test_models() -> None:
    """Models are listed as the public API does; with Codex's question, as Codex wants to know them."""
    async with FakeResponses(models=("gpt-5.5", "gpt-4.1")) as fake, client_of(fake) as sdk:
        assert [model.id async for model in sdk.models.list()] == ["gpt-5.5", "gpt-4.1"]
        told = await sdk.get("/models?client_version=1.2.3", cast_to=object)
        assert isinstance(told, dict)
        assert [model["slug"] for model in told["models"]] == ["gpt-5.5", "gpt-4.1"]
        assert told["models"][0]["default_reasoning_level"] == "medium"
        assert told["models"][0]["context_window"] > 0
        with pytest.raises(openai.BadRequestError, match="'gpt-6' does not exist"):
            await sdk.responses.create(model="gpt-6", input="hi")


async def test_strict_schemas_are_filled_whole(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """A function that does not say is strict, so the model gives what is optional too."""
    schema = {"type": "object", "properties": {"command": {"type": "string"}, "cwd": {"type": "string"}}}
    tool: Any = {"type": "function", "name": "bash", "parameters": {**schema, "required": ["command"]}}
    loosened: Any = {**tool, "strict": False}
    left_open = await sdk.responses.create(model="gpt-4.1", input="RUN_TOOL", tools=[tool])
    loose = await sdk.responses.create(model="gpt-4.1", input="RUN_TOOL", tools=[loosened])
    given = [json.loads(r.output[-1].arguments) for r in (left_open, loose) if r.output[-1].type == "function_call"]
    assert [set(arguments) for arguments in given] == [{"command", "cwd"}, {"command"}]


async def test_forced_tool_and_schema(sdk: AsyncOpenAI) -> None:
    """A forced tool is called, one call only where no more are allowed, and a JSON schema is answered with JSON."""
    tool: Any = {"type": "function", "name": "bash", "parameters": {}, "strict": False}
    forced = await sdk.responses.create(model="gpt-4.1", input="hi", tools=[tool], tool_choice="required")
    assert [item.type for item in forced.output] == ["function_call"]
    alone = await sdk.responses.create(model="gpt-4.1", input="RUN_TOOLS", tools=[tool], parallel_tool_calls=False)
    assert [item.type for item in alone.output] == ["message", "function_call"]
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    form: Any = {"type": "json_schema", "name": "n", "schema": {**schema, "additionalProperties": False}}
    shaped = await sdk.responses.create(model="gpt-4.1", input="hi", text={"format": form})
    assert json.loads(shaped.output_text) == {"n": 42}
