"""The Responses API through the gateway: what is kept, what is brought back, over HTTP and over a WebSocket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import anyio
import msgspec
import openai
import pytest
from yarl import URL

from strowger.config.references import literal
from strowger.config.schema import ProviderConfig
from tests.fakes.anthropic import KEY as ANTHROPIC_KEY
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.responses import KEY as RESPONSES_KEY
from tests.fakes.responses import FakeResponses
from tests.integration.gateway.rig import Rig, config, gateway

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def at(dialect: str, url: str, key: str, **capabilities: Any) -> ProviderConfig:
    """A provider that a fake stands for."""
    auth = literal(key)
    return ProviderConfig(dialect=dialect, base_url=url, auth=auth, capabilities=capabilities)  # type: ignore[arg-type]


@asynccontextmanager
async def on_anthropic() -> AsyncIterator[tuple[Rig, FakeAnthropic]]:
    """A gateway whose only provider speaks Messages."""
    async with FakeAnthropic() as fake:
        provider = at("anthropic", fake.base_url, ANTHROPIC_KEY, origin="anthropic", count_tokens=True)
        async with gateway(config({"cloud": provider}), anthropic_hosts=("127.0.0.1",)) as rig:
            yield rig, fake


@asynccontextmanager
async def on_responses(**capabilities: Any) -> AsyncIterator[tuple[Rig, FakeResponses]]:
    """A gateway whose only provider speaks Responses."""
    async with FakeResponses() as fake:
        provider = at("openai_responses", f"{fake.base_url}/v1", RESPONSES_KEY, **capabilities)
        async with gateway(config({"resp": provider})) as rig:
            yield rig, fake


def sdk(rig: Rig) -> openai.AsyncOpenAI:
    """OpenAI's client, pointed at the gateway."""
    return openai.AsyncOpenAI(base_url=f"{rig.url}/v1", api_key="any", max_retries=0)


def texts(body: dict[str, Any]) -> list[str]:
    """What an upstream of Messages was sent, turn by turn."""
    said: list[str] = []
    for message in body["messages"]:
        content = message["content"]
        if isinstance(content, str):
            said.append(content)
        else:
            said.append(" ".join(block.get("text", "") for block in content))
    return said


async def test_what_was_said_is_brought_back_for_upstreams_that_keep_nothing() -> None:
    """With `previous_response_id` a client sends only what is new; the upstream gets all of it."""
    async with on_anthropic() as (rig, fake), sdk(rig) as client:
        first = await client.responses.create(model="claude-opus-5-5", input="my name is Ada")
        second = await client.responses.create(
            model="claude-opus-5-5", input="who am I?", previous_response_id=first.id
        )
        sent = texts(json.loads(fake.inferences()[-1].raw))
        assert sent[0] == "my name is Ada"
        assert sent[1] == first.output_text
        assert sent[2] == "who am I?"
        assert second.output_text


async def test_streams_are_kept_too() -> None:
    """An answer is known by its id as soon as its last event has gone out."""
    async with on_anthropic() as (rig, fake), sdk(rig) as client:
        async with client.responses.stream(model="claude-opus-5-5", input="one") as stream:
            first = await stream.get_final_response()
        await client.responses.create(model="claude-opus-5-5", input="two", previous_response_id=first.id)
        assert len(texts(json.loads(fake.inferences()[-1].raw))) == 3


@pytest.mark.parametrize("known", [False, True])
async def test_ids_that_lead_nowhere(known: bool) -> None:
    """An unknown id, or one whose answer was not to be stored, is an error in the words that clients know."""
    async with on_anthropic() as (rig, _), sdk(rig) as client:
        previous = "resp_nobody"
        if known:
            previous = (await client.responses.create(model="claude-opus-5-5", input="a", store=False)).id
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(model="claude-opus-5-5", input="b", previous_response_id=previous)
    assert caught.value.code == "previous_response_not_found"
    assert caught.value.param == "previous_response_id"


async def test_a_kept_answer_can_be_read_and_deleted() -> None:
    """GET, its input items, DELETE; then it is gone, also for what would follow it."""
    async with on_anthropic() as (rig, _), sdk(rig) as client:
        first = await client.responses.create(model="claude-opus-5-5", input="one")
        second = await client.responses.create(model="claude-opus-5-5", input="two", previous_response_id=first.id)
        read = await client.responses.retrieve(second.id)
        assert read.output_text == second.output_text
        items = [item async for item in client.responses.input_items.list(second.id)]
        assert len(items) == 3
        await client.responses.delete(second.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(second.id)
        with pytest.raises(openai.BadRequestError, match="not found"):
            await client.responses.create(model="claude-opus-5-5", input="x", previous_response_id=second.id)
        with pytest.raises(openai.BadRequestError, match="background"):
            await client.responses.cancel(first.id)


async def test_an_upstream_that_keeps_answers_is_asked_itself() -> None:
    """Bytes go through untouched, with the id in them; a delete reaches the vendor's copy."""
    async with on_responses(stateful=True) as (rig, fake), sdk(rig) as client:
        first = await client.responses.create(model="gpt-5.5", input="one")
        second = await client.responses.create(model="gpt-5.5", input="two", previous_response_id=first.id)
        assert json.loads(fake.inferences()[-1].raw)["previous_response_id"] == first.id
        await client.responses.delete(second.id)
        assert fake.requests[-1].method == "DELETE"


@pytest.mark.parametrize("name,sent", [("..", []), ("x%3Fa%3Db", ["/v1/responses/x?a=b"])])
async def test_an_id_leads_to_no_other_place_of_the_provider(name: str, sent: list[str]) -> None:
    """Its key is for answers only: neither dots nor a question mark make another URL of an id."""
    async with on_responses(stateful=True) as (rig, fake):
        url = URL(f"{rig.url}/resp/v1/responses/{name}", encoded=True)
        async with rig.session.get(url) as response:
            assert response.status == 404
        assert [request.path for request in fake.requests] == sent


async def test_an_upstream_that_keeps_nothing_gets_all_of_it_though_it_speaks_the_dialect() -> None:
    """The items of the turns before go in front, byte by byte."""
    async with on_responses(stateful=False) as (rig, fake), sdk(rig) as client:
        first = await client.responses.create(model="gpt-5.5", input="one")
        await client.responses.create(model="gpt-5.5", input="two", previous_response_id=first.id)
        body = json.loads(fake.inferences()[-1].raw)
        assert "previous_response_id" not in body
        assert body["input"][0] == {"type": "message", "role": "user", "content": "one"}
        assert len(body["input"]) >= 3


async def test_an_answer_made_in_the_background() -> None:
    """Its maker is asked until it is there, and to stop it or to tell it once more."""
    async with on_responses(stateful=True) as (rig, fake), sdk(rig) as client:
        asked = await client.responses.create(model="gpt-5.5", input="one", background=True)
        assert asked.status == "queued"
        assert (await client.responses.retrieve(asked.id)).output_text
        before = len(fake.requests)
        assert (await client.responses.retrieve(asked.id)).status == "completed"
        assert len(fake.requests) == before
        stopped = await client.responses.create(model="gpt-5.5", input="two", background=True)
        assert (await client.responses.cancel(stopped.id)).status == "cancelled"
        told = [event async for event in await client.responses.retrieve(asked.id, stream=True, starting_after=2)]
        assert told[0].sequence_number == 3
        gone = await client.responses.create(model="gpt-5.5", input="three", background=True)
        await client.responses.delete(gone.id)
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(gone.id)


async def test_tokens_are_counted_in_the_clients_dialect() -> None:
    """Asked of the provider in its own dialect, told in the client's."""
    async with on_anthropic() as (rig, fake), sdk(rig) as client:
        counted = await client.responses.input_tokens.count(model="claude-opus-5-5", input="how many tokens are these?")
        assert counted.object == "response.input_tokens"
        assert counted.input_tokens > 0
        assert fake.requests[-1].path.endswith("/count_tokens")


async def test_counts_and_compactions_of_what_was_said_before() -> None:
    """They know the turns that a `previous_response_id` stands for."""
    async with on_anthropic() as (rig, fake), sdk(rig) as client:
        first = await client.responses.create(model="claude-opus-5-5", input="my name is Ada")
        counted = await client.responses.input_tokens.count(
            model="claude-opus-5-5", input="who am I?", previous_response_id=first.id
        )
        assert b"Ada" in fake.requests[-1].raw
        alone = await client.responses.input_tokens.count(model="claude-opus-5-5", input="who am I?")
        assert counted.input_tokens > alone.input_tokens
        compacted = await client.responses.compact(model="claude-opus-5-5", previous_response_id=first.id)
        assert compacted.output[-1].type == "compaction"
        assert "my name is Ada" in texts(json.loads(fake.inferences()[-1].raw))


async def test_items_that_are_only_named() -> None:
    """The AI SDK names the items of the turns before; the upstream gets them whole."""
    async with on_anthropic() as (rig, fake), sdk(rig) as client:
        asked: Any = {"role": "user", "content": "one"}
        first = await client.responses.create(model="claude-opus-5-5", input=[asked])
        named: Any = {"type": "item_reference", "id": first.output[0].id}
        await client.responses.create(model="claude-opus-5-5", input=[asked, named, asked])
        assert texts(json.loads(fake.inferences()[-1].raw)) == ["one", first.output_text, "one"]
        with pytest.raises(openai.NotFoundError, match="Item with id"):
            named["id"] = "msg_of_nobody"
            await client.responses.create(model="claude-opus-5-5", input=[asked, named, asked])


async def test_compaction_of_a_conversation() -> None:
    """/responses/compact gives one item; sent back, it stands for what was said."""
    async with on_anthropic() as (rig, fake), sdk(rig) as client:
        said: Any = [
            {"type": "message", "role": "user", "content": "remember the number 42"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I will."}]},
        ]
        compacted = await client.responses.compact(model="claude-opus-5-5", input=said)
        (item,) = [item for item in compacted.output if item.type == "compaction"]
        more: Any = [item.to_dict(), {"type": "message", "role": "user", "content": "go on"}]
        answer = await client.responses.create(model="claude-opus-5-5", input=more)
        assert answer.output_text
        assert "summary" in texts(json.loads(fake.inferences()[-1].raw))[0].lower()


# ---- over a WebSocket ----


@asynccontextmanager
async def socket(rig: Rig, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    """A connection as Codex makes it."""
    lines = {"openai-beta": "responses_websockets=2026-02-06", **headers}
    async with rig.session.ws_connect(f"{rig.url}/v1/responses", headers=lines) as opened:
        yield opened


async def ask(opened: aiohttp.ClientWebSocketResponse, **members: Any) -> list[dict[str, Any]]:
    """Send a `response.create`; its events up to the last."""
    await opened.send_str(msgspec.json.encode({"type": "response.create", **members}).decode())
    events: list[dict[str, Any]] = []
    with anyio.fail_after(30):
        while not events or events[-1]["type"] not in {"response.completed", "response.failed", "error"}:
            events.append(json.loads(await opened.receive_str()))
    return events


def message(text: str) -> dict[str, Any]:
    """One user message."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def test_a_conversation_over_a_socket_on_another_dialect() -> None:
    """Warming up, then two turns that send only what is new, on an upstream of Messages."""
    async with on_anthropic() as (rig, fake), socket(rig) as opened:
        warm = await ask(opened, model="claude-opus-5-5", input=[message("one")], store=False, generate=False)
        assert fake.inferences() == []
        first = await ask(
            opened, model="claude-opus-5-5", input=[], store=False, previous_response_id=warm[-1]["response"]["id"]
        )
        assert [event["sequence_number"] for event in first] == list(range(len(first)))
        second = await ask(
            opened,
            model="claude-opus-5-5",
            input=[message("two")],
            store=False,
            previous_response_id=first[-1]["response"]["id"],
        )
        assert second[-1]["type"] == "response.completed"
        sent = texts(json.loads(fake.inferences()[-1].raw))
        assert (sent[0], sent[2]) == ("one", "two")


async def test_a_socket_on_its_own_dialect_is_verbatim() -> None:
    """Frames are the upstream's own events."""
    async with on_responses() as (rig, fake), socket(rig) as opened:
        events = await ask(opened, model="gpt-5.5", input=[message("one")], store=False)
        flow = await rig.flow()
        assert events[0]["type"] == "response.created"
        assert flow["lane"] == "verbatim"
        assert json.loads(fake.inferences()[-1].raw)["stream"] is True


async def test_errors_are_frames_and_the_connection_goes_on() -> None:
    """A refusal has its status; what comes next is answered."""
    async with on_responses() as (rig, _), socket(rig) as opened:
        refused = await ask(opened, model="gpt-5.5", input=[message("one")], no_such_member=1)
        assert refused[-1]["type"] == "error"
        assert refused[-1]["status"] == 400
        assert "no_such_member" in refused[-1]["error"]["message"]
        good = await ask(opened, model="gpt-5.5", input=[message("one")], store=False)
        assert good[-1]["type"] == "response.completed"


async def test_who_may_not_come_in_is_not_upgraded() -> None:
    """Guarded as every other request: before the upgrade, with a status."""
    async with FakeResponses() as fake:
        provider = at("openai_responses", f"{fake.base_url}/v1", RESPONSES_KEY)
        guarded = config({"resp": provider}, client_token=literal("the-token"))
        async with gateway(guarded) as rig:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"origin": "https://evil.test"}):
                with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
                    async with socket(rig, **headers):
                        pass
                assert caught.value.status == 403
            async with socket(rig, authorization="Bearer the-token") as opened:
                events = await ask(opened, model="gpt-5.5", input=[message("one")], store=False)
                assert events[-1]["type"] == "response.completed"
            assert all("the-token" not in str(seen.headers) for seen in fake.requests)
