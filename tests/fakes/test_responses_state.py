"""What FakeResponses remembers: stored responses, sealed reasoning and what has to come back of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response

from tests.fakes.responses import KEY, FakeResponses
from tests.fakes.responses_flavours import CODEX
from tests.fakes.responses_parts import Compact, Freeform, LocalShell, NamespacedCall
from tests.fakes.responses_view import PATCH, answer
from tests.fakes.script import Call, Reply, Say, Think, call

pytestmark = pytest.mark.anyio
MODEL = "gpt-5.5"
STATELESS: Any = {"include": ["reasoning.encrypted_content"], "store": False}
SHELL: Any = {
    "type": "function",
    "name": "exec_command",
    "strict": False,
    "parameters": {"type": "object", "properties": {"cmd": {"type": "string"}}, "required": ["cmd"]},
}
USER: Any = {"role": "user", "content": "RUN_TOOLS"}


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


def items(response: Response) -> list[Any]:
    """The output of a response as a client sends it back."""
    return [item.model_dump(exclude_none=True) for item in response.output]


def results(output: list[Any]) -> list[Any]:
    calls = [item for item in output if item["type"] == "function_call"]
    return [
        {"type": "function_call_output", "call_id": call["call_id"], "output": f"result {number}"}
        for number, call in enumerate(calls)
    ]


async def refused(sdk: AsyncOpenAI, error: type[openai.APIStatusError], **request: Any) -> openai.APIStatusError:
    """How a request is refused."""
    with pytest.raises(error) as raised:
        await sdk.responses.create(**{"model": MODEL, "tools": [SHELL], **STATELESS, **request})
    return raised.value


async def asked(sdk: AsyncOpenAI, **more: Any) -> list[Any]:
    """The output of a first turn that reasons and calls tools."""
    first = await sdk.responses.create(model=MODEL, input=[USER], tools=[SHELL], **{**STATELESS, **more})
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call", "function_call"]
    return items(first)


async def test_tool_loop(sdk: AsyncOpenAI) -> None:
    """The brain reasons, calls the client's shell twice and quotes the results, when all of it comes back."""
    output = await asked(sdk)
    second = await sdk.responses.create(
        model=MODEL, input=[USER, *output, *results(output)], tools=[SHELL], **STATELESS
    )
    assert "«result 0» «result 1»" in second.output_text


async def test_loop_without_ids(sdk: AsyncOpenAI) -> None:
    """Clients may leave the ids of items out: the encrypted content tells whose it is."""
    output = await asked(sdk)
    bare: list[Any] = [{name: value for name, value in item.items() if name != "id"} for item in output]
    second = await sdk.responses.create(model=MODEL, input=[USER, *bare, *results(bare)], tools=[SHELL], **STATELESS)
    assert "«result 0»" in second.output_text


async def test_reasoning_has_to_come_back(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """Within the tool loop a call may not come back without its reasoning; after the loop, or by option, it may."""
    output = await asked(sdk)
    told = [USER, *output[1:], *results(output)]
    error = await refused(sdk, openai.BadRequestError, input=told)
    assert f"was provided without its required 'reasoning' item: '{output[0]['id']}'" in error.message
    later: Any = [*told, {"role": "user", "content": "next"}]
    assert (await sdk.responses.create(model=MODEL, input=later, tools=[SHELL], **STATELESS)).output_text
    fake.ledger.replay = False
    output = await asked(sdk)
    assert await sdk.responses.create(
        model=MODEL, input=[USER, *output[1:], *results(output)], tools=[SHELL], **STATELESS
    )


def altered(content: str) -> str:
    return content[:-6] + ("A" if content[-6] != "A" else "B") + content[-5:]


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (altered, "could not be decrypted or parsed"),
        (lambda content: content[: len(content) // 2], "could not be decrypted or parsed"),
        (lambda content: content + "AAAA", "could not be decrypted or parsed"),
        (lambda content: "a signature of another vendor", "could not be decrypted or parsed"),
    ],
    ids=["altered", "cut", "longer", "foreign"],
)
async def test_encrypted_content_is_verified(sdk: AsyncOpenAI, spoil: Any, reason: str) -> None:
    """Encrypted content that is not as it was handed out is refused."""
    output = await asked(sdk)
    output[0]["encrypted_content"] = spoil(output[0]["encrypted_content"])
    error = await refused(sdk, openai.BadRequestError, input=[USER, *output, *results(output)])
    assert error.code == "invalid_encrypted_content"
    assert reason in error.message


async def test_the_first_sight_of_a_seal_is_not_all_of_it(sdk: AsyncOpenAI) -> None:
    """What an item opens with is not yet what can be sent back: only the item that is done has it."""
    stream = await sdk.responses.create(model=MODEL, input="hi", stream=True, **STATELESS)
    events: list[Any] = [event async for event in stream]
    opened, done = [event.item for event in events if "output_item" in event.type and event.item.type == "reasoning"]
    seals = [opened.encrypted_content, done.encrypted_content]
    assert len(seals) == 2
    assert seals[0] != seals[1]


async def test_seals_are_bound(sdk: AsyncOpenAI) -> None:
    """Encrypted content is for the account, the model family and the item that it was made for."""
    output = await asked(sdk)
    told = [USER, *output, *results(output)]
    assert await sdk.responses.create(model="gpt-5.6-sol", input=told, tools=[SHELL], **STATELESS)
    error = await refused(sdk, openai.BadRequestError, input=told, model="gpt-6-sol")
    assert error.code == "invalid_encrypted_content"
    async with FakeResponses(account="org-other") as other, client_of(other) as stranger:
        error = await refused(stranger, openai.BadRequestError, input=told)
        assert "organization_id did not match" in error.message
    swapped = [{**output[0], "id": "rs_other"}, *output[1:]]
    error = await refused(sdk, openai.BadRequestError, input=[USER, *swapped, *results(output)])
    assert "item_id did not match" in error.message


async def test_unsealed_reasoning_without_store(sdk: AsyncOpenAI) -> None:
    """Reasoning without its content means nothing to a server that has kept nothing."""
    output = await asked(sdk, include=[])
    error = await refused(sdk, openai.NotFoundError, input=[USER, *output, *results(output)])
    assert f"Item with id '{output[0]['id']}' not found. Items are not persisted when `store` is set to false." in (
        error.message
    )


async def test_stored_items(sdk: AsyncOpenAI) -> None:
    """What was stored can be sent back by its id alone, and not without the reasoning before it."""
    output = await asked(sdk, store=True, include=[])
    by_id = [{"type": "item_reference", "id": item["id"]} for item in output]
    told: Any = {"model": MODEL, "tools": [SHELL], "input": [USER, *by_id, *results(output)]}
    assert "«result 0»" in (await sdk.responses.create(**told)).output_text
    told["input"] = [USER, *by_id[1:], *results(output)]
    with pytest.raises(openai.BadRequestError, match="without its required 'reasoning' item"):
        await sdk.responses.create(**told)
    told["input"] = [{"type": "item_reference", "id": "msg_unknown"}]
    with pytest.raises(openai.NotFoundError, match="Item with id 'msg_unknown' not found."):
        await sdk.responses.create(**told)


async def test_continuing(sdk: AsyncOpenAI) -> None:
    """`previous_response_id` brings all that was said before; only what is new is sent."""
    first = await sdk.responses.create(model=MODEL, input=[USER], tools=[SHELL])
    output = results(items(first))
    second = await sdk.responses.create(model=MODEL, previous_response_id=first.id, input=output, tools=[SHELL])
    assert "«result 0» «result 1»" in second.output_text
    assert second.previous_response_id == first.id
    with pytest.raises(openai.BadRequestError, match="No tool output found for function call"):
        await sdk.responses.create(model=MODEL, previous_response_id=first.id, input="go on", tools=[SHELL])


async def test_what_cannot_be_continued(sdk: AsyncOpenAI) -> None:
    """A response that was not stored, was deleted or never was cannot be continued."""
    unstored = await sdk.responses.create(model=MODEL, input="hi", store=False)
    deleted = await sdk.responses.create(model=MODEL, input="hi")
    await sdk.responses.delete(deleted.id)
    for identifier in (unstored.id, deleted.id, "resp_unknown"):
        with pytest.raises(openai.BadRequestError, match=f"'{identifier}' not found") as raised:
            await sdk.responses.create(model=MODEL, input="more", previous_response_id=identifier)
        assert (raised.value.param, raised.value.code) == ("previous_response_id", "previous_response_not_found")


async def test_stored_responses(sdk: AsyncOpenAI) -> None:
    """A stored response can be read, replayed as a stream, asked for its input and deleted; then it is gone."""
    first = await sdk.responses.create(model=MODEL, input="hi")
    second = await sdk.responses.create(model=MODEL, input="again", previous_response_id=first.id)
    assert (await sdk.responses.retrieve(second.id)).output_text == second.output_text
    replayed = [event async for event in await sdk.responses.retrieve(second.id, stream=True, starting_after=1)]
    assert (replayed[0].sequence_number, replayed[-1].type) == (2, "response.completed")
    listed: list[Any] = [item async for item in sdk.responses.input_items.list(second.id, order="asc", limit=2)]
    texts = [item.content[0].text for item in listed if item.type == "message" and item.role == "user"]
    assert texts == ["hi", "again"]
    await sdk.responses.delete(second.id)
    with pytest.raises(openai.NotFoundError, match=f"Response with id '{second.id}' not found."):
        await sdk.responses.retrieve(second.id)


async def test_background(sdk: AsyncOpenAI) -> None:
    """What runs in the background is queued first and done when asked for; until then it can be cancelled."""
    done = await sdk.responses.create(model=MODEL, input="hi", background=True)
    assert (done.status, done.output) == ("queued", [])
    assert (await sdk.responses.retrieve(done.id)).status == "completed"
    stopped = await sdk.responses.create(model=MODEL, input="hi", background=True)
    assert (await sdk.responses.cancel(stopped.id)).status == "cancelled"
    assert (await sdk.responses.retrieve(stopped.id)).status == "cancelled"
    plain = await sdk.responses.create(model=MODEL, input="hi")
    with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
        await sdk.responses.cancel(plain.id)


async def test_compacting(sdk: AsyncOpenAI) -> None:
    """A conversation is compacted to what the user said and one sealed item, which can take its place."""
    compacted = await sdk.responses.compact(model=MODEL, input=[USER, {"role": "assistant", "content": "a"}])
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    seal: Any = compacted.output[-1].model_dump(exclude_none=True)
    again = await sdk.responses.create(model=MODEL, input=[seal, {"role": "user", "content": "hi"}], store=False)
    assert again.output_text
    seal["encrypted_content"] = altered(seal["encrypted_content"])
    error = await refused(sdk, openai.BadRequestError, input=[seal, USER])
    assert error.code == "invalid_encrypted_content"
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'stream'"):
        await sdk.responses.compact(model=MODEL, input="hi", extra_body={"stream": True})


async def test_compacting_in_the_stream(sdk: AsyncOpenAI) -> None:
    """A trigger at the end of the input yields exactly one compaction item."""
    trigger: Any = {"type": "compaction_trigger"}
    told = await sdk.responses.create(model=MODEL, input=[{"role": "user", "content": "hi"}, trigger])
    assert [item.type for item in told.output] == ["compaction"]


async def test_counting(sdk: AsyncOpenAI) -> None:
    """Tokens are counted before the request is made, by the rules of one."""
    short = await sdk.responses.input_tokens.count(model=MODEL, input="hi")
    long = await sdk.responses.input_tokens.count(model=MODEL, input="hi" * 100, instructions="be brief")
    assert 0 < short.input_tokens < long.input_tokens
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'max_output_tokens'"):
        await sdk.responses.input_tokens.count(model=MODEL, input="hi", extra_body={"max_output_tokens": 20})


async def test_overflow() -> None:
    """A full context is a 400 of the public API, and fails inside the stream of the Codex backend."""
    long: Any = [{"role": "user", "content": "word " * 1000}]
    async with FakeResponses(window=500) as fake, client_of(fake) as sdk:
        with pytest.raises(openai.BadRequestError, match="exceeds the context window") as raised:
            await sdk.responses.create(model=MODEL, input=long)
        assert raised.value.code == "context_length_exceeded"
    async with FakeResponses(CODEX, window=500) as fake, client_of(fake) as sdk:
        stream = await sdk.responses.create(model=MODEL, input=long, stream=True, store=False)
        last = [event async for event in stream][-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert str(last.response.error.code) == "context_length_exceeded"


async def test_codex_wants_its_reasoning_back() -> None:
    """The Codex backend's stream has all that the next turn needs, although its last event has none of it."""
    ask: Any = {"model": MODEL, "tools": [SHELL], "stream": True, **STATELESS}
    async with FakeResponses(CODEX) as fake, client_of(fake) as sdk:
        stream = await sdk.responses.create(input=[USER], **ask)
        done = [event.item async for event in stream if event.type == "response.output_item.done"]
        output: list[Any] = [item.model_dump(exclude_none=True) for item in done]
        again = await sdk.responses.create(input=[USER, *output, *results(output)], **ask)
        texts = [event.text async for event in again if event.type == "response.output_text.done"]
    assert "«result 0» «result 1»" in texts[0]


def test_the_brain_uses_what_is_on_offer() -> None:
    """Shells that take a list, freeform patches, tools in a namespace: calls have the form that their tool wants."""
    listed = {"type": "object", "properties": {"command": {"type": "array"}}, "required": ["command"]}
    shell = {"type": "function", "name": "shell", "strict": False, "parameters": listed}
    custom = {"type": "custom", "name": "apply_patch"}
    inner = {"type": "function", "name": "spawn", "strict": False, "parameters": {}}
    spaced = {"type": "namespace", "name": "agents", "description": "", "tools": [inner]}

    def last(text: str, **more: Any) -> Any:
        body = {"model": "gpt-4.1", **more}
        return answer(body, [{"role": "user", "content": text}]).parts[-1]

    ran = last("RUN_TOOL", tools=[shell])
    assert isinstance(ran, Call)
    assert isinstance(ran.arguments, dict)
    assert ran.arguments["command"][:2] == ["bash", "-lc"]
    assert last("RUN_PATCH", tools=[shell, custom]) == Freeform("apply_patch", PATCH)
    assert last("hi", tools=[spaced], tool_choice="required") == NamespacedCall("spawn", {}, namespace="agents")
    assert isinstance(last("RUN_TOOL", tools=[{"type": "local_shell"}]), LocalShell)
    brought: list[Any] = [
        {"type": "additional_tools", "role": "developer", "tools": [shell]},
        {"role": "user", "content": "RUN_TOOL"},
    ]
    assert isinstance(answer({"model": "gpt-4.1"}, brought).parts[-1], Call)
    reminded: list[Any] = [{"role": "user", "content": "RUN_TOOL"}, {"role": "user", "content": "<reminder>"}]
    assert isinstance(answer({"model": "gpt-4.1", "tools": [shell]}, reminded).parts[-1], Call)
    assert answer({"model": MODEL}, [{"type": "compaction_trigger"}]).parts == (Compact(),)


async def test_a_script_may_look_at_the_request(fake: FakeResponses, sdk: AsyncOpenAI) -> None:
    """A step of the script may depend on the request, and the brain takes over after the last."""
    fake.script(
        lambda body: Reply(parts=(Say(body["instructions"]),)), call("exec_command", {"cmd": "ls"}, Think("hm"))
    )
    first = await sdk.responses.create(model=MODEL, input="hi", instructions="be brief")
    assert first.output_text == "be brief"
    second = await sdk.responses.create(model=MODEL, input="hi")
    assert [item.type for item in second.output] == ["reasoning", "function_call"]
    third = await sdk.responses.create(model=MODEL, input="hi")
    assert third.output_text.startswith("FAKE-DONE")
