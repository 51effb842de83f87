"""Bringing back what a client does not send again, and hearing what may be asked for later."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from strowger.config.schema import Config, Match, ProviderConfig, RouteConfig
from strowger.dialects.base import Spot
from strowger.errors import BadRequest, ClientError, ErrorKind
from strowger.flows.conversations import Conversations
from strowger.gateway.endpoints import CHAT, RESPONSES, Call, Endpoint, Verb
from strowger.gateway.recall import Memory, Overheard, Recalled
from strowger.providers import build_providers
from strowger.routing.table import Route, RouteTable
from strowger.upstreams.base import Headers

pytestmark = pytest.mark.anyio


def memory() -> Memory:
    """A memory of its own, whose writing to disk is left out."""
    return Memory(Conversations(":memory:", max_bytes=10**6, max_age=1000.0), lambda _: None)


def call(dialect: str = RESPONSES, form: str = "", **body: Any) -> Call:
    """A call of a client."""
    endpoint = Endpoint(Verb.CREATE, dialect, spot=Spot(form=form))
    return Call("POST", "/v1/responses", "", endpoint, {}, (), json.dumps({"model": "m", **body}).encode())


def route(to: str = "chat", *fallback: str) -> Route:
    """A route to providers that keep answers themselves (`kept`, `other`) or do not (`chat`)."""
    keeps = {"dialect": "openai_responses", "base_url": "https://k.test", "capabilities": {"stateful": True}}
    config = Config(
        providers={
            "chat": ProviderConfig(dialect="openai_chat", base_url="https://c.test"),
            "kept": ProviderConfig(**keeps),  # type: ignore[arg-type]
            "other": ProviderConfig(**keeps),  # type: ignore[arg-type]
        },
        routes=(RouteConfig(match=Match(model="*"), to=to, fallback=fallback),),
    )
    return RouteTable(config, build_providers(config, env={})).match("m")


async def asked(known: Memory, *, to: Route | None = None, **body: Any) -> Recalled:
    """What becomes of a call that is to be remembered."""
    recalled = await known.recall(call(**body), "me", to or route())
    assert recalled is not None
    return recalled


def answered(known: Memory, recalled: Recalled, name: str, provider: str = "chat") -> None:
    """The call was answered with one item."""
    known.keep(recalled, "me", provider, json.dumps({"id": name, "output": [{"said": name}]}).encode())


async def test_the_call_says_what_it_followed() -> None:
    """Answers repeat the id, though it is not in the body any more."""
    known = memory()
    answered(known, await asked(known, input="a"), "resp_1")
    assert (await asked(known, input="b", previous_response_id="resp_1")).call.follows == "resp_1"
    assert (await asked(known, input="b")).call.follows == ""


async def test_an_answer_that_is_not_there_yet_is_nothing_to_go_on_from() -> None:
    """Its maker may know it; anyone else would take nothing for the answer."""
    known = memory()
    pending = json.dumps({"id": "resp_1", "status": "queued", "background": True, "output": []}).encode()
    known.keep(await asked(known, input="a"), "me", "kept", pending)
    at_home = await asked(known, to=route("kept"), input="b", previous_response_id="resp_1")
    assert json.loads(at_home.call.body)["previous_response_id"] == "resp_1"
    with pytest.raises(BadRequest, match="not complete"):
        await asked(known, input="b", previous_response_id="resp_1")


@pytest.mark.parametrize("members", [{"conversation": "conv_1"}, {"prompt": {"id": "pmpt_1"}}])
async def test_what_only_the_vendor_has_seen_is_nothing_to_go_on_from_elsewhere(members: dict[str, Any]) -> None:
    """Half of what was said would be taken for all of it."""
    known = memory()
    answered(known, await asked(known, to=route("kept"), input="a", **members), "resp_1", "kept")
    at_home = await asked(known, to=route("kept"), input="b", previous_response_id="resp_1")
    assert json.loads(at_home.call.body)["previous_response_id"] == "resp_1"
    with pytest.raises(BadRequest, match="not found"):
        await asked(known, input="b", previous_response_id="resp_1")
    plain = await asked(known, input="b", conversation=None, prompt=None)
    assert plain.previous == ""


RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "1"}


@pytest.mark.parametrize(
    "before, more",
    [
        ({"type": "function_call", "call_id": "call_1"}, []),
        ({"type": "custom_tool_call", "call_id": "call_1"}, []),
        ({"type": "message"}, [{"type": "function_call", "call_id": "call_1"}]),
        ({"type": "compaction", "encrypted_content": "e"}, []),
    ],
)
async def test_results_of_calls_that_were_made(before: dict[str, Any], more: list[dict[str, Any]]) -> None:
    """In the turns before or beside the result; what was made short may have had the call."""
    known = memory()
    answered(known, await asked(known, input=[before]), "resp_1")
    recalled = await asked(known, input=[*more, RESULT], previous_response_id="resp_1")
    assert json.loads(recalled.call.body)["input"] == [before, {"said": "resp_1"}, *more, RESULT]


async def test_a_result_without_its_call_is_refused() -> None:
    """The whole conversation is known here, so it can only be a mistake; the vendor refuses it in these words."""
    known = memory()
    answered(known, await asked(known, input="a"), "resp_1")
    with pytest.raises(BadRequest, match="No tool call found for function call output with call_id call_1"):
        await asked(known, input=[RESULT], previous_response_id="resp_1")


async def test_turns_are_put_in_front() -> None:
    """All of them, in order, and the reference is gone; every other member stays."""
    known = memory()
    answered(known, await asked(known, input="one"), "r1")
    answered(known, await asked(known, input=[{"n": 2}], previous_response_id="r1"), "r2")
    third = await asked(known, input=[{"n": 3}], previous_response_id="r2", extra=1)
    body = json.loads(third.call.body)
    one = {"type": "message", "role": "user", "content": "one"}
    assert body == {"model": "m", "extra": 1, "input": [one, {"said": "r1"}, {"n": 2}, {"said": "r2"}, {"n": 3}]}
    assert [bytes(item) for item in third.fresh] == [b'{"n": 3}']


@pytest.mark.parametrize("body", [{"store": False}, {"store": False, "previous_response_id": None}])
async def test_what_is_not_kept_is_not_touched(body: dict[str, Any]) -> None:
    """The same call, and nobody listens."""
    recalled = await memory().recall(call(input="x", **body), "me", route())
    assert recalled is None or (not recalled.store and recalled.call.body == call(input="x", **body).body)


async def test_other_dialects_are_not_looked_at() -> None:
    """Nobody else refers to answers by their id."""
    assert await memory().recall(call(CHAT, previous_response_id="r"), "me", route()) is None


async def test_compactions_and_counts_bring_back_and_keep_nothing() -> None:
    """They are about what was said, and say nothing themselves."""
    known = memory()
    answered(known, await asked(known, input="a"), "resp_1")
    counting = Endpoint(Verb.COUNT_TOKENS, RESPONSES)
    for about in (call(form="compact", previous_response_id="resp_1"), call(previous_response_id="resp_1")):
        if not about.endpoint.spot.form:
            about = replace(about, endpoint=counting)
        recalled = await known.recall(about, "me", route())
        assert recalled is not None
        assert not recalled.store
        assert b'"said":"resp_1"' in recalled.call.body.replace(b" ", b"")
    assert await known.recall(call(form="compact", input="a"), "me", route()) is None


def told(known: Memory, item: dict[str, Any], provider: str = "chat") -> None:
    """An item that was answered in some turn."""
    body = json.dumps({"id": "resp_of_" + item["id"], "output": [item]}).encode()
    known.keep(Recalled(call(input="a"), []), "me", provider, body)


SAID = {"id": "msg_1", "type": "message", "role": "assistant", "content": []}
REFERENCE = {"type": "item_reference", "id": "msg_1"}


@pytest.mark.parametrize("store", [True, False])
async def test_references_become_what_they_stand_for(store: bool) -> None:
    """Some clients name what the answers before said, item by item, instead of saying it again."""
    known = memory()
    told(known, SAID)
    asking = {"role": "user", "content": "b"}
    recalled = await asked(known, input=[asking, REFERENCE, asking], store=store)
    assert json.loads(recalled.call.body)["input"] == [asking, SAID, asking]
    assert [json.loads(bytes(item)) for item in recalled.fresh] == [asking, SAID, asking]
    assert recalled.call.follows == ""


async def test_references_are_the_vendors_where_it_has_them() -> None:
    """It keeps what it answered itself; what another one answered has to be said."""
    known = memory()
    told(known, SAID, provider="kept")
    at_home = await asked(known, to=route("kept"), input=[REFERENCE])
    assert json.loads(at_home.call.body)["input"] == [REFERENCE]
    elsewhere = await asked(known, to=route("other"), input=[REFERENCE])
    assert json.loads(elsewhere.call.body)["input"] == [SAID]
    unknown = {"type": "item_reference", "id": "msg_of_the_vendor"}
    assert json.loads((await asked(known, to=route("kept"), input=[unknown])).call.body)["input"] == [unknown]


async def test_references_to_nothing_are_refused() -> None:
    """Without what they stand for the conversation would be another one."""
    known = memory()
    told(known, SAID)
    with pytest.raises(ClientError, match="Item with id 'msg_2' not found") as caught:
        await asked(known, input=[{"type": "item_reference", "id": "msg_2"}])
    assert (caught.value.kind, caught.value.param) == (ErrorKind.NOT_FOUND, "input")
    with pytest.raises(ClientError, match="not found"):
        await known.recall(call(input=[REFERENCE]), "you", route())


async def test_a_body_that_cannot_be_read_is_left_to_the_parser() -> None:
    """It says what is wrong in the dialect's words."""
    broken = Call("POST", "/v1/responses", "", Endpoint(Verb.CREATE, RESPONSES), {}, (), b'{"previous_response_id"')
    assert await memory().recall(broken, "me", route()) is None


@pytest.mark.parametrize("owner", ["me", "you"])
async def test_unknown_ids(owner: str) -> None:
    """What another client was answered is as unknown as what nobody was."""
    known = memory()
    if owner == "you":
        answered(known, await asked(known, input="one"), "r1")
    with pytest.raises(BadRequest, match="r1") as caught:
        await known.recall(call(input="x", previous_response_id="r1"), owner, route())
    assert caught.value.code == "previous_response_not_found"


async def test_a_provider_that_keeps_answers_is_left_to_it() -> None:
    """Its own ids, also those that we have never seen; not those of another provider, and not where a fallback could
    take over that knows nothing of them.
    """
    known = memory()
    answered(known, await asked(known, to=route("kept"), input="one"), "r1", provider="kept")
    for previous in ("r1", "r_unseen"):
        untouched = await asked(known, to=route("kept"), input="x", previous_response_id=previous)
        assert json.loads(untouched.call.body)["previous_response_id"] == previous
    for to in (route("other"), route("kept", "chat"), route("chat")):
        whole = await asked(known, to=to, input="x", previous_response_id="r1")
        assert "previous_response_id" not in json.loads(whole.call.body)


class Plain:
    """A reply that only remembers."""

    started = streaming = False

    def __init__(self) -> None:
        self.sent = b""

    async def start(self, status: int, headers: Headers) -> None:
        self.started = True

    async def write(self, data: bytes) -> None:
        self.sent += data

    async def end(self, data: bytes = b"") -> None:
        self.sent += data
        self.streaming = False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        self.sent += body


def sse(*events: dict[str, Any]) -> bytes:
    """Events as a stream."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


@pytest.mark.parametrize("named", [True, False])
async def test_a_stream_is_heard_before_its_last_bytes_go_out(named: bool) -> None:
    """However it is cut, with names of events or data alone; an output that the upstream left empty is put together
    from its items.
    """
    item = {"type": "message", "id": "m1"}
    stream = sse(
        {"type": "response.created", "response": {"id": "r", "output": []}},
        {"type": "response.output_item.done", "item": item},
        {"type": "response.completed", "response": {"id": "r", "output": [], "x": 1}},
    )
    if not named:
        stream = re.sub(rb"event: .*\n", b"", stream)
    heard: list[dict[str, Any]] = []
    plain = Plain()
    overheard = Overheard(plain, lambda answer: heard.append(json.loads(answer)))
    await overheard.start(200, ())
    for at in range(0, len(stream), 7):
        await overheard.write(stream[at : at + 7])
        assert not heard or plain.sent != stream or at + 7 >= len(stream)
    await overheard.end()
    assert plain.sent == stream
    assert heard == [{"id": "r", "output": [item], "x": 1}]
    assert overheard.started


@pytest.mark.parametrize(
    "data",
    [
        sse({"type": "response.failed", "response": {"id": "r"}}),
        sse({"type": "response.completed", "response": 7}),
        b"event: response.completed\ndata: {\n\n",
        b"event: response.completed\ndata: \xff\n\n",
    ],
)
async def test_what_cannot_be_kept_passes_all_the_same(data: bytes) -> None:
    """A failed answer is nothing to go on from; a broken one is the client's to judge."""
    heard: list[bytes] = []
    plain = Plain()
    overheard = Overheard(plain, heard.append)
    await overheard.write(data)
    await overheard.write(b": more\n\n")
    assert plain.sent == data + b": more\n\n"
    assert heard == []


async def test_whole_answers_are_heard_when_they_are_answers() -> None:
    """An error is none."""
    heard: list[bytes] = []
    for status, body in ((400, b'{"id":"r"}'), (200, b'{"id":"r","output":[1]}'), (200, b"{}")):
        await Overheard(Plain(), heard.append).whole(status, (), body)
    assert heard == [b'{"id":"r","output":[1]}']
