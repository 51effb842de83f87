"""Responses over a WebSocket: frames become calls, events become frames."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from strowger.errors import BadRequest, GatewayError
from strowger.gateway.delivery import ClientGone, Reply
from strowger.gateway.endpoints import RESPONSES, Call, Endpoint, Verb
from strowger.gateway.websocket import Connection
from strowger.upstreams.base import Headers

pytestmark = pytest.mark.anyio

OPENING = Call("POST", "/v1/responses", "", Endpoint(Verb.CREATE, RESPONSES), {"a": "b"}, (("A", "b"),), b"")


class Wire:
    """A client's end of the frames."""

    def __init__(self) -> None:
        self.frames: deque[str | None] = deque()
        self.sent: list[dict[str, Any]] = []
        self._news = anyio.Event()

    def _tell(self) -> None:
        self._news.set()
        self._news = anyio.Event()

    async def receive(self) -> str | None:
        while not self.frames:
            await self._news.wait()
        return self.frames.popleft()

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))
        self._tell()

    def put(self, text: str | None) -> None:
        """A frame as it is; None to leave."""
        self.frames.append(text)
        self._tell()

    def say(self, **members: Any) -> None:
        """A `response.create` frame."""
        self.put(json.dumps({"type": "response.create", **members}))

    async def heard(self, answers: int) -> None:
        """Wait for that many ends of answers."""
        while sum(event["type"] in ("response.completed", "error") for event in self.sent) < answers:
            await self._news.wait()


def sse(*events: dict[str, Any]) -> bytes:
    """Events as a stream."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


class Line:
    """A gateway that answers each call with a message that counts them."""

    def __init__(self, *output: dict[str, Any], lane: str = "translate") -> None:
        self.bodies: list[dict[str, Any]] = []
        self.follows: list[str] = []
        self.error: GatewayError | None = None
        self.output = output
        self.lane = lane

    async def handle(self, call: Call, reply: Reply) -> None:
        self.bodies.append(json.loads(call.body))
        self.follows.append(call.follows)
        if self.error is not None:
            raise self.error
        number = len(self.bodies)
        answer = {"id": f"resp_{number}", "output": [*self.output, {"type": "message", "number": number}]}
        await reply.start(200, (("x-strowger-lane", self.lane),))
        data = sse({"type": "response.created"}, {"type": "response.completed", "response": answer})
        await reply.write(data[:30])
        await reply.write(data[30:])
        await reply.end()

    def nothing(self, call: Call) -> bytes:
        if self.error is not None:
            raise self.error
        answer = {"id": f"resp_w{len(call.body)}", "output": []}
        return sse({"type": "response.created"}, {"type": "response.completed", "response": answer})

    def refuse(self, error: GatewayError, headers: dict[str, str], path: str) -> tuple[int, Headers, bytes]:
        body = {"error": {"message": error.message, "code": error.code}}
        return 400, (("Retry-After", "2"), ("Content-Type", "application/json")), json.dumps(body).encode()


async def talk(line: Line, say: Callable[[Wire], None]) -> list[dict[str, Any]]:
    """What a client gets that says all it has to say, waits for the answers and leaves."""
    wire = Wire()
    say(wire)
    answers = len(wire.frames)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Connection(line, OPENING, wire).serve)
            await wire.heard(answers)
            wire.put(None)
    return wire.sent


async def test_events_are_frames() -> None:
    """However the stream is cut, each event is one frame with nothing around it."""
    sent = await talk(Line(), lambda wire: wire.say(model="m", input="hi"))
    assert [event["type"] for event in sent] == ["response.created", "response.completed"]


async def test_a_call_is_always_a_stream() -> None:
    """The frame's own members stay on the connection; everything else is the body."""
    line = Line()
    await talk(line, lambda wire: wire.say(model="m", input="hi", store=False, stream_options={"a": 1}))
    assert line.bodies == [{"model": "m", "input": "hi", "store": False, "stream": True}]


async def test_only_what_is_new_is_sent() -> None:
    """An answer of this connection can be referred to though it was not stored: what was said is put in front."""
    line = Line()

    def say(wire: Wire) -> None:
        wire.say(model="m", input=[{"n": 1}], store=False)
        wire.say(model="m", input=[{"n": 2}], store=False, previous_response_id="resp_1")

    await talk(line, say)
    assert line.bodies[1]["input"] == [{"n": 1}, {"type": "message", "number": 1}, {"n": 2}]
    assert "previous_response_id" not in line.bodies[1]
    assert line.follows == ["", "resp_1"]


async def test_ids_of_others_are_left_to_the_line() -> None:
    """What another connection was answered may be in the store."""
    line = Line()
    await talk(line, lambda wire: wire.say(model="m", input=[], previous_response_id="resp_else"))
    assert line.bodies[0]["previous_response_id"] == "resp_else"


@pytest.mark.parametrize("warm", [False, True])
async def test_what_went_on_from_an_answer_of_others_still_does(warm: bool) -> None:
    """The connection knows only what came after it, so the id stays in front of that, for the line to bring back."""
    line = Line()
    wire = Wire()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Connection(line, OPENING, wire).serve)
            wire.say(model="m", input=[{"n": 1}], previous_response_id="resp_else", generate=not warm)
            await wire.heard(1)
            wire.say(model="m", input=[{"n": 2}], previous_response_id=wire.sent[-1]["response"]["id"])
            await wire.heard(2)
            wire.put(None)
    spoken = [] if warm else [{"type": "message", "number": 1}]
    assert line.bodies[-1]["input"] == [{"n": 1}, *spoken, {"n": 2}]
    assert line.bodies[-1]["previous_response_id"] == "resp_else"


async def test_a_failed_call_is_nothing_to_go_on_from() -> None:
    """As the vendor does it: what it referred to is forgotten, and the client says all of it again."""
    line = Line()
    wire = Wire()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Connection(line, OPENING, wire).serve)
            wire.say(model="m", input=[], store=False)
            await wire.heard(1)
            line.error = BadRequest("no")
            wire.say(model="m", input=[], store=False, previous_response_id="resp_1")
            await wire.heard(2)
            line.error = None
            wire.say(model="m", input=[], store=False, previous_response_id="resp_1")
            await wire.heard(3)
            wire.put(None)
    assert line.bodies[1].get("previous_response_id") is None
    assert line.bodies[2]["previous_response_id"] == "resp_1"


async def test_a_result_without_its_call_is_refused() -> None:
    """The connection knows all that was said."""
    line = Line({"type": "function_call", "call_id": "call_1"})

    def say(wire: Wire) -> None:
        for call_id in ("call_1", "call_2"):
            result = {"type": "function_call_output", "call_id": call_id, "output": ""}
            wire.say(model="m", input=[])
            wire.say(model="m", input=[result], previous_response_id="resp_1")

    sent = await talk(line, say)
    assert len(line.bodies) == 3
    assert sent[-1]["type"] == "error"
    assert "call_2" in sent[-1]["error"]["message"]


REASONED = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    "item, lane, store, kept",
    [
        (REASONED, "verbatim", False, False),
        (REASONED, "verbatim", True, True),
        (REASONED, "translate", False, True),
        ({**REASONED, "encrypted_content": "e"}, "verbatim", False, True),
        ({**REASONED, "content": [{"type": "reasoning_text", "text": "hm"}]}, "verbatim", False, True),
    ],
)
async def test_reasoning_that_nobody_has_is_not_told_again(
    item: dict[str, Any], lane: str, store: bool, kept: bool
) -> None:
    """ "Items are not persisted when `store` is set to false": the id alone would be refused."""
    line = Line(item, lane=lane)

    def say(wire: Wire) -> None:
        wire.say(model="m", input=[], store=store)
        wire.say(model="m", input=[], store=store, previous_response_id="resp_1")

    await talk(line, say)
    assert (item in line.bodies[1]["input"]) is kept


@pytest.mark.parametrize("include", [None, ["reasoning.encrypted_content"]])
async def test_reasoning_is_asked_for_where_it_is_not_stored(include: list[str] | None) -> None:
    """The vendor would keep it for the connection; we cannot, but for the form in which it goes back."""
    line = Line()
    await talk(line, lambda wire: wire.say(model="m", input=[], store=False, reasoning={}, include=include))
    await talk(line, lambda wire: wire.say(model="m", input=[], reasoning={}, include=["x"]))
    assert [body["include"] for body in line.bodies] == [["reasoning.encrypted_content"], ["x"]]


async def test_whoever_sends_without_end_is_let_go() -> None:
    """Frames that wait are bounded, and reading never stops: a client that leaves must be seen to."""
    begun = anyio.Event()

    class Slow(Line):
        async def handle(self, call: Call, reply: Reply) -> None:
            begun.set()
            await anyio.sleep_forever()

    wire = Wire()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Connection(Slow(), OPENING, wire).serve)
            wire.say(model="m", input="hi")
            await begun.wait()
            for _ in range(40):
                wire.say(model="m", input="hi")
    assert wire.frames


async def test_warming_up_asks_nobody() -> None:
    """`generate: false` is answered here, and what it brought counts as said."""
    line = Line()
    wire = Wire()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Connection(line, OPENING, wire).serve)
            wire.say(model="m", input=[{"n": 1}], generate=False)
            await wire.heard(1)
            assert [event["type"] for event in wire.sent] == ["response.created", "response.completed"]
            assert line.bodies == []
            wire.say(model="m", input=[{"n": 2}], previous_response_id=wire.sent[1]["response"]["id"])
            await wire.heard(2)
            wire.put(None)
    assert line.bodies[0]["input"] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"type":"response.steer"}',
        "{}",
        '{"type":"response.create","input":7}',
        '"\\ud800"',
        '{"type":"response.create","input":' + "[" * 50_000 + "]" * 50_000 + "}",
    ],
)
async def test_frames_that_are_no_call(text: str) -> None:
    """They are answered with an error event, and the connection goes on."""
    line = Line()

    def say(wire: Wire) -> None:
        wire.put(text)
        wire.say(model="m", input="hi")

    sent = await talk(line, say)
    assert sent[0]["type"] == "error"
    assert sent[0]["status"] == 400
    assert sent[0]["headers"] == {"retry-after": "2"}
    assert sent[-1]["type"] == "response.completed"


async def test_an_error_of_the_line_is_an_event() -> None:
    """With its status and its headers, as over HTTP."""
    line = Line()
    line.error = BadRequest("no", code="why")
    sent = await talk(line, lambda wire: wire.say(model="m", input="hi"))
    assert sent == [
        {"type": "error", "status": 400, "error": {"message": "no", "code": "why"}, "headers": {"retry-after": "2"}}
    ]


async def test_a_client_that_leaves_ends_its_call() -> None:
    """Nobody would read the rest, and it costs money."""
    begun, ended = anyio.Event(), anyio.Event()

    class Slow(Line):
        async def handle(self, call: Call, reply: Reply) -> None:
            begun.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.set()

    wire = Wire()
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(Connection(Slow(), OPENING, wire).serve)
            wire.say(model="m", input="hi")
            await begun.wait()
            wire.put(None)
    assert ended.is_set()


async def test_a_client_that_is_gone_is_no_error() -> None:
    """Nobody is there to send to; the connection ends like any other."""

    class Gone(Wire):
        async def send(self, text: str) -> None:
            raise ClientGone

    line, wire = Line(), Gone()
    wire.say(model="m", input="hi")
    with anyio.fail_after(30):
        await Connection(line, OPENING, wire).serve()
    assert len(line.bodies) == 1


async def test_old_answers_go_when_they_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that says everything again each time would fill the memory; the last answer is always known."""
    monkeypatch.setattr("strowger.gateway.websocket._REMEMBERED_BYTES", 1000)
    line, long = Line(), "x" * 600

    def say(wire: Wire) -> None:
        wire.say(model="m", input=long)
        wire.say(model="m", input=long)
        wire.say(model="m", input="b", previous_response_id="resp_2")
        wire.say(model="m", input="a", previous_response_id="resp_1")

    await talk(line, say)
    known, unknown = line.bodies[2:]
    assert [item.get("content") for item in known["input"]] == [long, None, "b"]
    assert unknown["previous_response_id"] == "resp_1"


async def test_a_shutdown_waits_for_the_answer_under_way() -> None:
    """And an idle connection ends at once."""
    go, begun = anyio.Event(), anyio.Event()

    class Waiting(Line):
        async def handle(self, call: Call, reply: Reply) -> None:
            begun.set()
            await go.wait()
            await super().handle(call, reply)

    wire = Wire()
    with anyio.fail_after(30):
        idle = Connection(Line(), OPENING, Wire())
        busy = Connection(Waiting(), OPENING, wire)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(idle.serve)
            tasks.start_soon(busy.serve)
            wire.say(model="m", input="hi")
            await begun.wait()
            idle.finish()
            busy.finish()
            go.set()
    assert wire.sent[-1]["type"] == "response.completed"


@pytest.mark.parametrize(
    "event, shown",
    [
        ({"type": "error", "error": {"message": "m"}}, {"type": "error", "status": 500, "error": {"message": "m"}}),
        (
            {"type": "error", "code": "c", "message": "m", "sequence_number": 3},
            {"type": "error", "status": 500, "error": {"type": "server_error", "code": "c", "message": "m"}},
        ),
        ({"type": "error", "status": 429, "error": {}}, {"type": "error", "status": 429, "error": {}}),
    ],
)
async def test_an_error_inside_a_stream_has_a_status(event: dict[str, Any], shown: dict[str, Any]) -> None:
    """Over HTTP the stream ends behind it; Codex waits for ever after a frame that does not say what became of it."""

    class Breaking(Line):
        async def handle(self, call: Call, reply: Reply) -> None:
            await reply.start(200, ())
            await reply.write(sse({"type": "response.created"}, event))
            await reply.end()

    sent = await talk(Breaking(), lambda wire: wire.say(model="m", input="hi"))
    assert sent[-1] == shown
