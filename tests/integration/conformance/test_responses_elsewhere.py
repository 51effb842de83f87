"""What other servers of the Responses API test of themselves, in front of every dialect.

The lists of cases are those of vLLM (Apache 2.0: tests/entrypoints/openai/responses), Ollama (MIT:
openai/responses_test.go), Llama Stack (MIT: tests/integration/responses) and LiteLLM (MIT:
tests/llm_responses_api_testing). Requests and checks are written anew; what comes is judged by responses_oracle. Cases
about a server's own models, stores of vectors or keys have no counterpart here.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import openai
import pytest
from anyio import to_thread
from openai.types.responses import ResponseInputItemParam
from pydantic import BaseModel

from tests.fakes.script import Call, Reply, Say, Think, Usage, say
from tests.integration.conformance.responses_calls import (
    WAYS,
    call,
    ended,
    heard,
    kinds_of,
    socket,
    text_of,
    turn,
)
from tests.integration.conformance.responses_oracle import answer_faults, error_faults
from tests.integration.conformance.vendors import DIALECTS, PLAIN, Vendor, behind

pytestmark = pytest.mark.anyio

Json = dict[str, Any]

FOREIGN = tuple(dialect for dialect in DIALECTS if dialect != "openai_responses")
LOOK = {
    "type": "function",
    "name": "look",
    "parameters": {
        "type": "object",
        "properties": {"at": {"type": "string"}},
        "required": ["at"],
        "additionalProperties": False,
    },
    "strict": True,
}
OTHER = {**LOOK, "name": "listen"}
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Be brief."}]}
SAID = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]}
THOUGHT: Json = {"type": "reasoning", "summary": [], "encrypted_content": None}
THOUGHT_ALOUD = {**THOUGHT, "content": [{"type": "reasoning_text", "text": "They greet me."}]}
DONE = {"status": "completed"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# ---- vLLM ----


@pytest.mark.parametrize(
    "before",
    [
        [{**SAID, "id": "msg_1", **DONE}, {**THOUGHT, "id": "rs_1", **DONE}],
        [SAID, THOUGHT],
        [{**THOUGHT_ALOUD, "id": "lol"}],
        [{**THOUGHT, "id": "rs_1"}, {**SAID, "content": "Yes."}],
    ],
    ids=["as OpenAI gives it", "without ids", "thoughts aloud", "content as a text"],
)
@pytest.mark.parametrize("dialect", FOREIGN)
async def test_history_in_every_shape(dialect: str, before: list[Json]) -> None:
    """Ids and statuses may be there or not; reasoning may come without anything that could be verified."""
    async with behind(dialect) as vendor:
        answer = await call(vendor.rig, "stream", {"model": vendor.model, "input": [USER, *before, USER]})
        assert answer["status"] == "completed"
        assert text_of(answer)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_thinking_comes_first_and_is_counted(dialect: str, way: str) -> None:
    """A reasoning item, then the message; the tokens of thoughts are within those of the answer."""
    async with behind(dialect) as vendor:
        vendor.fake.script(Reply(parts=(Think("17 times 19"), Say("323")), usage=Usage(output=20, reasoning=9)))
        asked = {"model": vendor.model, "input": "17 * 19?", "reasoning": {"effort": "low", "summary": "auto"}}
        answer = await call(vendor.rig, way, asked)
        assert kinds_of(answer) == (["message"] if dialect == "openai_chat" else ["reasoning", "message"])
        details = answer["usage"]["output_tokens_details"]
        assert answer["usage"]["output_tokens"] >= details["reasoning_tokens"]
        if dialect in {"openai_chat", "openai_responses", "gemini"}:  # the other counts them not apart
            assert details["reasoning_tokens"] == 9


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_that_is_cut(dialect: str, way: str) -> None:
    """Incomplete, with its reason; the message says so, too."""
    async with behind(dialect) as vendor:
        vendor.fake.script(say("Call me Ish", stop="length"))
        answer = await call(vendor.rig, way, {"model": vendor.model, "input": "Go.", "max_output_tokens": 30})
        assert (answer["status"], answer["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
        assert answer["output"][-1]["status"] == "incomplete"


class Person(BaseModel):
    """What the model is to fill in."""

    name: str
    age: int


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_structured_output(dialect: str, streamed: bool) -> None:
    """The SDK's own parsing, whole and streamed."""
    async with behind(dialect) as vendor, vendor.sdk() as client:
        if streamed:
            async with client.responses.stream(model=vendor.model, input="Who?", text_format=Person) as stream:
                answer = await stream.get_final_response()
        else:
            answer = await client.responses.parse(model=vendor.model, input="Who?", text_format=Person)
        assert answer.output_parsed == Person(name="FAKE", age=42)


@pytest.mark.parametrize(
    "choice, called",
    [
        ("auto", []),
        ("none", []),
        ("required", ["look"]),
        ({"type": "function", "name": "listen"}, ["listen"]),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "listen"}]}, ["listen"]),
    ],
    ids=["auto", "none", "required", "one", "some"],
)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tool_choice(dialect: str, choice: str | Json, called: list[str]) -> None:
    """Every form of it has its effect, on models whose vendor can force calls."""
    async with behind(dialect, PLAIN[dialect]) as vendor:
        asked = {"model": vendor.model, "input": "Hi.", "tools": [LOOK, OTHER], "tool_choice": choice}
        answer = await call(vendor.rig, "stream", asked)
        names = [item["name"] for item in answer["output"] if item["type"] == "function_call"]
        some = isinstance(choice, dict) and choice["type"] == "allowed_tools"
        if some and names != called:
            flow = await vendor.rig.flow()
            assert any("allowed_tools" in loss["path"] for loss in flow["losses"])
        else:
            assert names == called


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_many_calls_at_once(dialect: str, way: str) -> None:
    """Twenty of them: each has an id of its own and its own arguments, and all results find their way back."""
    calls = tuple(Call("look", {"at": "ü" * number}) for number in range(20))
    async with behind(dialect) as vendor:
        vendor.fake.script(Reply(parts=(Say("Let me see."), *calls), interleave=True))
        body = {"model": vendor.model, "tools": [LOOK]}
        first = await call(vendor.rig, way, {**body, "input": [USER]})
        made = [item for item in first["output"] if item["type"] == "function_call"]
        assert [json.loads(item["arguments"])["at"] for item in made] == ["ü" * number for number in range(20)]
        assert len({item["call_id"] for item in made}) == 20
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": f"seen {number}"}
            for number, item in enumerate(made)
        ]
        second = await call(vendor.rig, way, {**body, "input": [USER, *first["output"], *results[::-1]]})
        assert all(f"«seen {number}»" in text_of(second) for number in range(20))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_instructions_are_not_inherited(dialect: str) -> None:
    """They hold for one call; with `previous_response_id` only the items come along."""
    async with behind(dialect) as vendor:
        first = await call(vendor.rig, "whole", {"model": vendor.model, "input": "Hi.", "instructions": "Be a parrot."})
        more = {"model": vendor.model, "input": "And?", "previous_response_id": first["id"]}
        second = await call(vendor.rig, "whole", more)
        assert first["instructions"] == "Be a parrot."
        assert second["instructions"] is None
        assert "parrot" not in vendor.fake.inferences()[-1].raw.decode()


@pytest.mark.parametrize("frame", ["this is no JSON {{{", '{"type":"session.update"}', "[]", '"x"', "1", ""])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_frames_that_say_nothing(dialect: str, frame: str) -> None:
    """An error, and the connection goes on."""
    async with behind(dialect) as vendor, socket(vendor.rig) as opened:
        await opened.send_str(frame)
        (refused,) = await heard(opened)
        assert refused["status"] == 400
        assert error_faults(400, refused) == []
        assert ended(await turn(opened, {"model": vendor.model, "input": "Hi."}))["status"] == "completed"


# ---- Ollama ----


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_call_belongs_to_what_was_said_before_it(dialect: str) -> None:
    """Text, two calls, results, more text: turns as the vendor wants them, or it would have refused."""
    async with behind(dialect) as vendor:
        items = [
            USER,
            {**SAID, "content": [{"type": "output_text", "text": "Let me see."}]},
            {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"at":"a"}'},
            {"type": "function_call", "call_id": "call_2", "name": "look", "arguments": '{"at":"b"}'},
            {"type": "function_call_output", "call_id": "call_1", "output": "one"},
            {"type": "function_call_output", "call_id": "call_2", "output": "two"},
        ]
        answer = await call(vendor.rig, "whole", {"model": vendor.model, "input": items, "tools": [LOOK]})
        assert "«one» «two»" in text_of(answer)


SEEDS: list[Any] = [
    123,
    None,
    True,
    {},
    [None],
    [123],
    [[]],
    ["text"],
    [{}],
    [{"type": "unknown"}],
    [{"type": "message"}],
    [{"type": 7}],
    [{"role": "user"}],
    [{"role": "nobody", "content": "a"}],
    [{"role": "user", "content": None}],
    [{"role": "user", "content": 123}],
    [{"role": "user", "content": [None]}],
    [{"role": "user", "content": [{"type": "unknown"}]}],
    [{"role": "user", "content": [{"type": "input_text"}]}],
    [{"role": "user", "content": [{"type": "input_text", "text": None}]}],
    [{"role": "user", "content": [{"type": "input_image", "detail": "auto"}]}],
    [{"role": "user", "content": [{"type": "input_image", "image_url": {"url": "x"}}]}],
    [{"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,%%%"}]}],
    [{"role": "user", "content": [{"type": "input_file"}]}],
    [{"role": "user", "content": [{"type": "input_file", "file_data": "data:,"}]}],
    [{"type": "reasoning"}],
    [{"type": "reasoning", "summary": "text"}],
    [{"type": "reasoning", "summary": [{}], "encrypted_content": 7}],
    [{"type": "reasoning", "summary": [], "encrypted_content": "strowger1.AAAA"}],
    [{"type": "compaction", "encrypted_content": "strowger1.bm90aGluZw"}],
    [{"type": "function_call", "call_id": "123", "name": "test"}],
    [{"type": "function_call", "call_id": None, "name": None, "arguments": None}],
    [{"type": "function_call", "call_id": "1", "name": "a", "arguments": {}}],
    [{"type": "function_call_output", "call_id": "123", "output": "result"}],
    [{"type": "function_call_output", "call_id": "123"}],
    [{"type": "function_call_output", "output": 7}],
    [{"type": "custom_tool_call", "call_id": "1", "name": "x", "input": None}],
    [{"type": "item_reference"}],
    [{"type": "item_reference", "id": 7}],
    [{"type": "web_search_call", "id": "ws_1", "action": 7}],
    [{"type": "mcp_approval_response", "approval_request_id": "x", "approve": True}],
    [{"type": "computer_call_output", "call_id": "1", "output": {}}],
    [{"type": "tool_search_output", "call_id": "1", "tools": [7]}],
    [{"type": "additional_tools", "tools": [{"type": "function"}]}],
]


@pytest.mark.parametrize("way", ["whole", "socket"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_input_that_makes_no_sense(dialect: str, way: str) -> None:
    """An answer, or a refusal of the client's request that has the vendor's members: never a fault of ours."""
    async with behind(dialect) as vendor:
        for seed in SEEDS:
            await _makes_no_trouble(vendor, way, {"model": vendor.model, "input": seed})
        assert "internal error" not in vendor.rig.log.getvalue()


MEMBERS: list[Json] = [
    {"instructions": 7},
    {"instructions": ["a"]},
    {"tools": 7},
    {"tools": {}},
    {"tools": [None]},
    {"tools": [{}]},
    {"tools": [{"type": "function"}]},
    {"tools": [{"type": "function", "name": ""}]},
    {"tools": [{"type": "function", "name": "a", "parameters": 7}]},
    {"tools": [{"type": "function", "name": "a", "parameters": {"type": 7}}]},
    {"tools": [{"type": "function", "name": "a", "parameters": {"$ref": "#"}}]},
    {"tools": [{"type": "function", "function": {"name": "chat_style", "parameters": {}}}]},
    {"tools": [{"type": "custom"}]},
    {"tools": [{"type": "namespace", "name": "n", "tools": 7}]},
    {"tools": [{"type": "web_search", "filters": 7}]},
    {"tools": [{"type": "mcp"}]},
    {"tool_choice": 7},
    {"tool_choice": {}},
    {"tool_choice": {"type": "function"}},
    {"tool_choice": "sometimes"},
    {"stream": "yes"},
    {"max_output_tokens": "many"},
    {"max_output_tokens": -1},
    {"max_output_tokens": 1.5},
    {"max_output_tokens": 10**30},
    {"temperature": "hot"},
    {"temperature": 3},
    {"temperature": -1},
    {"top_p": []},
    {"reasoning": "high"},
    {"reasoning": {"effort": 7}},
    {"reasoning": {"effort": "galactic"}},
    {"text": "json"},
    {"text": {"format": "json"}},
    {"text": {"format": {"type": "json_schema"}}},
    {"metadata": 7},
    {"include": 7},
    {"include": ["nonsense"]},
    {"store": "no"},
    {"previous_response_id": 7},
    {"previous_response_id": ""},
    {"previous_response_id": "resp_" + "a" * 5000},
    {"previous_response_id": "\x00"},
    {"parallel_tool_calls": "no"},
    {"service_tier": 7},
    {"user": 7},
    {"model": 7},
    {"model": None},
    {"model": ""},
    {"model": "a" * 5000},
    {"input": "a\x00b"},
    {"background": True},
    {"conversation": "conv_1"},
    {"conversation": 7},
    {"prompt": {"id": "pmpt_1"}},
    {"n": 2},
    {"messages": []},
]


@pytest.mark.parametrize("way", ["whole", "socket"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_members_that_make_no_sense(dialect: str, way: str) -> None:
    """Each beside a request that would be fine without it."""
    async with behind(dialect) as vendor:
        for members in MEMBERS:
            await _makes_no_trouble(vendor, way, {"model": vendor.model, "input": "Hi.", **members})
        assert "internal error" not in vendor.rig.log.getvalue()


async def _makes_no_trouble(vendor: Vendor, way: str, body: Json) -> None:
    if way == "socket":
        async with socket(vendor.rig) as opened:
            last = (await turn(opened, body))[-1]
        if last["type"] == "error":
            assert error_faults(last["status"], last) == [], body
        else:
            assert last["type"] != "response.failed", body
        return
    status, headers, raw = await vendor.rig.post("/v1/responses", body)
    if status != 200:
        assert error_faults(status, json.loads(raw)) == [], body
    elif headers["content-type"].startswith("application/json"):
        assert json.loads(raw)["object"] == "response", body


# ---- Llama Stack ----


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_errors_are_the_sdks_own(dialect: str) -> None:
    """Each kind of mistake raises what a program catches."""
    async with behind(dialect) as vendor, vendor.sdk() as client:
        with pytest.raises(openai.BadRequestError) as gone:
            await client.responses.create(model=vendor.model, input="Go on.", previous_response_id="resp_none")
        assert gone.value.code == "previous_response_not_found"
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve("resp_none")
        if dialect in FOREIGN:  # the vendor of this dialect has them
            with pytest.raises(openai.BadRequestError) as kept:
                await client.responses.create(model=vendor.model, input="Hi.", conversation="conv_none")
            assert kept.value.param == "conversation"
            with pytest.raises(openai.BadRequestError) as behind_us:
                await client.responses.create(model=vendor.model, input="Hi.", background=True)
            assert behind_us.value.param == "background"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_loop_that_sends_only_results(dialect: str, way: str) -> None:
    """With `previous_response_id` the result is all that is new: the call it answers is known."""
    async with behind(dialect) as vendor:
        body = {"model": vendor.model, "tools": [LOOK]}
        vendor.fake.script(Reply(parts=(Think("I must look."), Call("look", {"at": "it"}))))
        first = await call(vendor.rig, way, {**body, "input": "What is it?", "reasoning": {"effort": "low"}})
        (made,) = [item for item in first["output"] if item["type"] == "function_call"]
        result = {"type": "function_call_output", "call_id": made["call_id"], "output": "a bird"}
        more = {**body, "input": [result], "previous_response_id": first["id"], "reasoning": {"effort": "low"}}
        second = await call(vendor.rig, way, more)
        assert "«a bird»" in text_of(second)
        third = await call(
            vendor.rig, way, {**body, "input": "Thanks.", "previous_response_id": second["id"], "tools": []}
        )
        assert third["status"] == "completed"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_messages_without_a_type_one_after_another(dialect: str) -> None:
    """Two messages of the user in a row are both there."""
    async with behind(dialect) as vendor:
        items = [{"role": "user", "content": "First this."}, {"role": "user", "content": "Then that."}]
        await call(vendor.rig, "whole", {"model": vendor.model, "input": items})
        sent = vendor.fake.inferences()[-1].raw.decode()
        assert sent.index("First this.") < sent.index("Then that.")


# ---- LiteLLM ----


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_is_read_and_deleted(dialect: str, streamed: bool) -> None:
    """However it was given: the same answer again, its input in both orders, and then no more."""
    async with behind(dialect) as vendor, vendor.sdk() as client:
        asked: list[ResponseInputItemParam] = [
            {"role": "user", "content": "One."},
            {"role": "user", "content": "Two."},
        ]
        if streamed:
            async with client.responses.stream(model=vendor.model, input=asked) as stream:
                first = await stream.get_final_response()
        else:
            first = await client.responses.create(model=vendor.model, input=asked)  # type: ignore[assignment]
        again = await client.responses.with_raw_response.retrieve(first.id)
        read = json.loads(again.content)
        assert answer_faults(read) == []
        assert (read["id"], text_of(read)) == (first.id, first.output_text)
        newest = [item.to_dict() async for item in client.responses.input_items.list(first.id)]
        oldest = [item.to_dict() async for item in client.responses.input_items.list(first.id, order="asc", limit=1)]
        assert "".join(text_of({"output": [item]}) for item in oldest) == "One.Two."
        assert [item["id"] for item in newest] == [item["id"] for item in oldest][::-1]
        with pytest.raises(openai.BadRequestError):
            await client.responses.cancel(first.id)
        await client.responses.delete(first.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(first.id)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_sdk_without_an_event_loop(dialect: str) -> None:
    """Two turns and a stream of the plain client."""
    async with behind(dialect) as vendor:

        def talk() -> list[str]:
            with openai.OpenAI(base_url=f"{vendor.rig.url}/v1", api_key="any", max_retries=0) as client:
                first = client.responses.create(model=vendor.model, input="One.", max_output_tokens=20)
                more = client.responses.create(model=vendor.model, input="Two.", previous_response_id=first.id)
                with client.responses.stream(model=vendor.model, input="Three.") as stream:
                    return [first.output_text, more.output_text, stream.get_final_response().output_text]

        assert all(await to_thread.run_sync(talk))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_sdks_own_websocket(dialect: str) -> None:
    """`responses.connect`: two turns on one connection."""
    async with behind(dialect) as vendor, vendor.sdk() as client, client.responses.connect() as opened:
        previous: Json = {}
        for text in ("The word is Ada.", "Which word?"):
            await opened.response.create(model=vendor.model, input=text, store=False, **previous)
            async for event in opened:
                if event.type == "response.completed":
                    previous = {"previous_response_id": event.response.id}
                    break
                assert event.type != "error"
        assert "Ada" in msgspec.json.encode(vendor.sent()).decode()
