"""FakeCodex refuses what ChatGPT's backend refuses, in its words, and believes nothing of what a socket is promised."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.fakes.authority import Authority
from tests.fakes.codex import ACCOUNT, BETA, TOKEN, ChatGPTAccount, FakeCodex, bearer, cloudflare
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.responses import connection_limit, no_sockets, overloaded
from tests.fakes.responses_parts import KEEPALIVE, Aside, Trouble, Wire, at_capacity, overflow_inside
from tests.fakes.script import Call, Delivery, Reply, Say, Think, say

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
ENDS = ("response.completed", "response.incomplete", "response.failed", "error")
HI: Json = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}

SAID: Json = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}


def body(*items: Json, **more: Any) -> Json:
    """A request as the backend takes it; None takes a member away."""
    whole = {"model": "gpt-5.5", "input": list(items) or [HI], "store": False, "stream": True, **more}
    return {name: value for name, value in whole.items() if value is not None}


async def post(
    fake: FakeCodex, request: Any, path: str = "/responses", headers: dict[str, str] | None = None
) -> tuple[int, Any, dict[str, str]]:
    """Status, body (events of a stream) and headers of an answer."""
    async with (
        ClientSession() as session,
        session.post(fake.root + path, json=request, headers=bearer() if headers is None else headers) as response,
    ):
        raw, kind = await response.read(), response.headers["content-type"]
        told = {name.lower(): value for name, value in response.headers.items()}
        if kind.startswith("text/event-stream"):
            lines = [line[6:] for line in raw.split(b"\n") if line.startswith(b"data: ")]
            return response.status, [msgspec.json.decode(line) for line in lines], told
        return response.status, msgspec.json.decode(raw) if "json" in kind else raw, told


@asynccontextmanager
async def connected(fake: FakeCodex, **headers: str) -> AsyncIterator[ClientWebSocketResponse]:
    url = f"{fake.root}/responses".replace("http:", "ws:")
    whole = {**bearer(), "openai-beta": BETA, **headers}
    async with ClientSession() as session, session.ws_connect(url, headers=whole, compress=15) as socket:
        yield socket


async def turn(socket: ClientWebSocketResponse, **more: Any) -> list[Any]:
    """The frames that answer one request."""
    await socket.send_json({"type": "response.create", **body(**more)})
    events: list[Any] = []
    while not events or events[-1]["type"] not in ENDS:
        events.append(await socket.receive_json(timeout=30))
    return events


def kinds(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def output(events: list[Any]) -> list[Json]:
    return [event["item"] for event in events if event["type"] == "response.output_item.done"]


# ---- who asks ----


@pytest.mark.parametrize(
    "headers, told",
    [
        ({}, {"detail": "Unauthorized"}),
        ({"authorization": "Bearer old"}, "token_expired"),
        ({"authorization": f"Bearer {TOKEN}"}, {"detail": "Unauthorized"}),
        (bearer(account="another"), {"detail": "Unauthorized"}),
    ],
    ids=str,
)
async def test_unauthorized(headers: dict[str, str], told: Any) -> None:
    """The token has to be good, and the account that is named has to be the token's."""
    async with FakeCodex() as fake:
        for request in (post(fake, body(), headers=headers), post(fake, {}, "/responses/compact", headers)):
            status, answer, _ = await request
            assert (status, answer if isinstance(told, dict) else answer["error"]["code"]) == (401, told)


async def test_tokens_of_an_issuer() -> None:
    """What the issuer has given out is good until it is not, and says whose it is."""
    async with CodexIssuer(lifetime=60) as issuer, FakeCodex(issuer=issuer) as fake:
        token = issuer.login()["access_token"]
        headers = bearer(token, issuer.account.id)
        assert (await post(fake, body(), headers=headers))[0] == 200
        assert (await post(fake, body(), headers=bearer(token)))[0] == 401
        issuer.clock.forward(61)
        assert (await post(fake, body(), headers=headers))[0] == 401


async def test_tls() -> None:
    """Over TLS with a certificate of the tests' own authority."""
    authority = Authority()
    async with FakeCodex(tls=authority) as fake, ClientSession() as session:
        url = f"{fake.root}/models?client_version=1.0.0"
        async with session.get(url, headers=bearer(), ssl=authority.trusting()) as response:
            assert (response.status, url.startswith("https:")) == (200, True)


# ---- what is asked ----


@pytest.mark.parametrize(
    "more, detail",
    [
        ({"stream": None}, "Stream must be set to true"),
        ({"store": True}, "Store must be set to false"),
        ({"store": None}, "Store must be set to false"),
        ({"input": "hi"}, "Input must be a list"),
        ({"max_output_tokens": 9}, "Unsupported parameter: max_output_tokens"),
        ({"temperature": 1}, "Unsupported parameter: temperature"),
        ({"previous_response_id": "resp_1"}, "Unsupported parameter: previous_response_id"),
        ({"generate": False}, "Unsupported parameter: generate"),
        ({"metadata": {}}, "Unsupported parameter: metadata"),
        ({"service_tier": "default"}, "Unsupported service_tier: default"),
        ({"model": "gpt-3"}, "The 'gpt-3' model is not supported when using Codex with a ChatGPT account."),
    ],
    ids=str,
)
async def test_details(more: Json, detail: str) -> None:
    """Troubles of the request as a whole are `{"detail": …}`."""
    async with FakeCodex(models=("gpt-5.5",)) as fake:
        assert (await post(fake, body(**more)))[:2] == (400, {"detail": detail})


@pytest.mark.parametrize(
    "items, words",
    [
        (
            [{"type": "function_call_output", "call_id": "c", "output": "x"}],
            "No tool call found for function call output",
        ),
        ([{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}], "No tool output found"),
        ([{"type": "function_call", "id": "x_1", "call_id": "c", "name": "f", "arguments": "{}"}], "begins with 'fc'"),
        ([{"type": "reasoning", "summary": [], "encrypted_content": "gAAAAAx"}, SAID], "could not be verified"),
        ([{**HI, "metadata": {}}], "Unknown parameter: 'input[0].metadata'"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_items(items: list[Json], words: str) -> None:
    """Troubles inside the input are errors as the public API has them."""
    async with FakeCodex() as fake:
        status, answer, _ = await post(fake, body(*items))
        assert status == 400
        assert words in answer["error"]["message"]


async def test_encrypted_content_is_an_accounts_own() -> None:
    """Reasoning goes back to the account and the family of models that it came from, and to nobody else."""
    accounts = (ChatGPTAccount(), ChatGPTAccount("other"))
    async with FakeCodex(accounts=accounts, script=(Reply(parts=(Think("hm"), Say("x"))),)) as fake:
        fake.tokens["t2"] = "other"
        _, events, _ = await post(fake, body(include=["reasoning.encrypted_content"]))
        again = [HI, *output(events), HI]
        assert (await post(fake, body(*again)))[0] == 200
        foreign = [
            await post(fake, body(*again), headers=bearer("t2", "other")),
            await post(fake, body(*again, model="gpt-6")),
        ]
        assert [answer["error"]["code"] for _, answer, _ in foreign] == ["invalid_encrypted_content"] * 2


async def test_answer() -> None:
    """A stream whose last event has usage but no output."""
    async with FakeCodex(script=(Reply(parts=(Think("hm"), Say("x"), Call("ls", {}))),)) as fake:
        _, events, headers = await post(fake, body())
        assert [item["type"] for item in output(events)] == ["reasoning", "message", "function_call"]
        assert (events[-1]["response"]["output"], events[-1]["response"]["usage"] is not None) == ([], True)
        assert headers["x-codex-primary-used-percent"] == "12"
        assert headers["x-models-etag"] == fake.etag


async def test_trouble_inside_200() -> None:
    """Lack of capacity and a full context are told after the status."""
    async with FakeCodex(script=(at_capacity(), overflow_inside())) as fake:
        failed = [(await post(fake, body()))[1][-1]["response"]["error"]["code"] for _ in range(2)]
        assert failed == ["server_is_overloaded", "context_length_exceeded"]


@pytest.mark.parametrize("status", [403, 502])
async def test_cloudflare(status: int) -> None:
    """What stands before it answers with a page."""
    async with FakeCodex(script=(cloudflare(status),)) as fake:
        told, page, headers = await post(fake, body())
        assert (told, b"Cloudflare" in page, headers["server"]) == (status, True, "cloudflare")


# ---- limits ----


async def test_used_up() -> None:
    """An account that is used up is refused until its window is over; one with credits left is not."""
    account = ChatGPTAccount(used=100)
    async with FakeCodex(accounts=(account,)) as fake:
        status, answer, headers = await post(fake, body())
        error = answer["error"]
        assert (status, error["type"], error["plan_type"]) == (429, "usage_limit_reached", "pro")
        assert error["resets_at"] > time.time() + 3000
        assert headers["x-codex-primary-used-percent"] == "100"
        account.credits = 5
        _, events, headers = await post(fake, body())
        assert (events[-1]["type"], headers["x-codex-credits-has-credits"]) == ("response.completed", "True")
        account.credits, account.used, account.weekly = 0, 5, 100
        assert (await post(fake, {}, "/responses/compact"))[0] == 429


async def test_not_included() -> None:
    """A plan without Codex."""
    async with FakeCodex(accounts=(ChatGPTAccount(plan="free", included=False),)) as fake:
        assert (await post(fake, body()))[1]["error"]["type"] == "usage_not_included"


# ---- models and compact ----


async def test_models() -> None:
    """The list has to be asked for with a version, and has an ETag that changes with it."""
    async with FakeCodex(models=("gpt-5.5",)) as fake, ClientSession(headers=bearer()) as session:

        async def models(query: str, **headers: str) -> tuple[int, str, Any]:
            async with session.get(f"{fake.root}/models{query}", headers=headers) as response:
                told = await response.json() if response.status != 304 else None
                return response.status, response.headers.get("etag", ""), told

        assert (await models(""))[0] == 422
        status, etag, told = await models("?client_version=1.2.3")
        assert (status, [model["slug"] for model in told["models"]]) == (200, ["gpt-5.5"])
        assert (await models("?client_version=1.2.3", **{"if-none-match": etag}))[0] == 304
        fake.models = ("gpt-5.5", "gpt-6")
        status, another, told = await models("?client_version=1.2.3", **{"if-none-match": etag})
        assert (status, len(told["models"]), another != etag) == (200, 2, True)


async def test_compact() -> None:
    """A conversation comes back as items, one of them sealed; members beyond the few are refused."""
    async with FakeCodex() as fake:
        asked = {"model": "gpt-5.5", "input": [HI], "instructions": "x", "tools": [], "parallel_tool_calls": True}
        status, answer, _ = await post(fake, asked, "/responses/compact")
        assert (status, set(answer), answer["output"][-1]["type"]) == (200, {"output"}, "compaction")
        assert (await post(fake, body(*answer["output"], HI)))[0] == 200
        refusal = await post(fake, {**asked, "stream": True}, "/responses/compact")
        assert refusal[:2] == (400, {"detail": "Unsupported parameter: stream"})


# ---- sockets ----


async def test_socket() -> None:
    """Limits come before each answer; the rest is what HTTP would stream; the handshake has the headers."""
    async with FakeCodex() as fake, connected(fake) as socket:
        for _ in range(2):
            events = await turn(socket)
            assert (kinds(events)[:2], events[-1]["type"]) == (["codex.rate_limits", "response.created"], ENDS[0])
            assert events[0]["rate_limits"]["primary"]["used_percent"] == 12
        assert [len(context) for context in fake.contexts] == [1, 1]


@pytest.mark.parametrize(
    "headers, status",
    [
        ({"openai-beta": "responses=experimental"}, 400),
        ({"authorization": "Bearer old"}, 401),
        ({"chatgpt-account-id": "x"}, 401),
    ],
    ids=str,
)
async def test_handshake(headers: dict[str, str], status: int) -> None:
    """The handshake has to say what it wants, and who asks."""
    async with FakeCodex() as fake:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with connected(fake, **headers):
                pass
        assert refused.value.status == status


async def test_scripted_handshakes() -> None:
    """The next handshakes are answered as scripted; too many in a second meet what stands before the backend."""
    async with FakeCodex(upgrades=(no_sockets(), cloudflare(502)), burst=3) as fake:
        statuses = []
        for _ in range(4):
            try:
                async with connected(fake):
                    statuses.append(101)
            except aiohttp.WSServerHandshakeError as refused:
                statuses.append(refused.status)
        assert statuses == [426, 502, 101, 403]


async def test_going_on() -> None:
    """On the same socket only what is new is sent; the model has everything before it."""
    async with FakeCodex(script=(Reply(parts=(Call("ls", {}, "call_1"),)),)) as fake, connected(fake) as socket:
        first = await turn(socket, client_metadata={"turn": "1"})
        result = {"type": "function_call_output", "call_id": "call_1", "output": "a b"}
        more = {"previous_response_id": first[-1]["response"]["id"], "client_metadata": {"turn": "2"}}
        assert kinds(await turn(socket, input=[result], **more))[-1] == "response.completed"
        assert [item["type"] for item in fake.contexts[1]] == ["message", "function_call", "function_call_output"]


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"instructions": "other"}, "instructions differ"),
        ({"tools": []}, "tools differ"),
        ({"input": "answered"}, "is known already"),
    ],
    ids=str,
)
async def test_promises(changed: Json, words: str) -> None:
    """Whoever goes on from an answer must have changed nothing else, and must not say again what was said."""
    async with FakeCodex() as fake, connected(fake) as socket:
        sealed = {"include": ["reasoning.encrypted_content"]}
        first = await turn(socket, **sealed)
        if changed.get("input"):
            changed = {"input": [*output(first), HI]}
        more = {"previous_response_id": first[-1]["response"]["id"], **sealed, **changed}
        error = (await turn(socket, **more))[-1]["error"]
        assert error["code"] == "continuation_broken", error
        assert words in error["message"]


async def test_forgotten() -> None:
    """An answer is known to its own socket alone, and only the last."""
    async with FakeCodex() as fake, connected(fake) as one, connected(fake) as other:
        first = (await turn(one))[-1]["response"]["id"]
        assert (await turn(other, previous_response_id=first))[-1]["error"]["code"] == "previous_response_not_found"
        await turn(one)
        assert (await turn(one, previous_response_id=first))[-1]["error"]["code"] == "previous_response_not_found"


async def test_one_at_a_time() -> None:
    """There is one response at a time on a socket."""
    async with FakeCodex(script=(say("slow", delivery=Delivery(pause=0.02)),)) as fake, connected(fake) as socket:
        await socket.send_json({"type": "response.create", **body()})
        await socket.send_json({"type": "response.create", **body()})
        errors = [
            event for event in [await socket.receive_json(timeout=30) for _ in range(4)] if event["type"] == "error"
        ]
        assert [error["error"]["code"] for error in errors] == ["response_already_in_progress"]


async def test_end_of_life() -> None:
    """After so many requests the socket says that its time is over, and closes."""
    async with FakeCodex(life=1) as fake, connected(fake) as socket:
        await turn(socket)
        last = (await turn(socket))[-1]
        assert last["error"]["code"] == "websocket_connection_limit_reached"
        assert (await socket.receive(timeout=30)).type is WSMsgType.CLOSE


async def test_refusals() -> None:
    """An error instead of an answer has a status, and the headers that HTTP would have had."""
    async with FakeCodex(script=(overloaded(), connection_limit())) as fake, connected(fake) as socket:
        assert (await turn(socket))[-1]["status"] == 503
    async with FakeCodex(accounts=(ChatGPTAccount(used=100),)) as fake, connected(fake) as socket:
        (event,) = await turn(socket)
        assert (event["status"], event["error"]["type"]) == (429, "usage_limit_reached")
        assert event["headers"]["x-codex-primary-used-percent"] == "100"


async def test_between_events() -> None:
    """Between events there may be signs of life, limits that are reached, pings, and an error in the end."""
    told = (KEEPALIVE, Wire("ping"), Aside("responsesapi.websocket_timing"), Say("x"), Trouble())
    async with FakeCodex(script=(Reply(parts=told),)) as fake, connected(fake) as socket:
        events = kinds(await turn(socket))
        assert (events[3:5], events[-1]) == (["keepalive", "responsesapi.websocket_timing"], "error")


@pytest.mark.parametrize(
    "do, kind", [("binary", WSMsgType.BINARY), ("close", WSMsgType.CLOSE), ("drop", WSMsgType.CLOSED)]
)
async def test_odd_wires(do: Any, kind: WSMsgType) -> None:
    """A binary frame, a close in mid-answer, a line that breaks."""
    async with FakeCodex(script=(Reply(parts=(Say("x"), Wire(do))),)) as fake, connected(fake) as socket:
        await socket.send_json({"type": "response.create", **body()})
        while (message := await socket.receive(timeout=30)).type is WSMsgType.TEXT:
            assert "response.completed" not in message.data
        assert message.type is kind


async def test_accounts_are_named() -> None:
    """The account of the tests is a UUID, as ChatGPT's are."""
    assert len(ACCOUNT.split("-")) == 5
