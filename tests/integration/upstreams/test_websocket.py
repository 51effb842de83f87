"""Responses over real WebSockets, from a fake of the Codex backend that believes nothing of what it is promised."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from strowger.errors import Malformed, Truncated, Unanswered, Unreachable
from strowger.upstreams.base import Incoming, Outgoing, Socket
from strowger.upstreams.dialing import Network
from strowger.upstreams.http import HttpUpstream
from strowger.upstreams.proxies import Proxies
from strowger.upstreams.trust import Trust
from strowger.upstreams.websocket import Limits, SocketUpstream
from tests.fakes.authority import Authority
from tests.fakes.codex import TOKEN, ChatGPTAccount, FakeCodex, bearer, cloudflare
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.proxy import FakeProxy
from tests.fakes.responses import KEY, FakeResponses, connection_limit, no_sockets, overloaded
from tests.fakes.responses_parts import KEEPALIVE, Trouble, Wire, at_capacity
from tests.fakes.script import Call, Cut, Delivery, Hang, Part, Refuse, Reply, Say, Think, say
from tests.fakes.server import Seen

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
LIMIT = 100_000_000


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def upstream(authority: Authority | None = None, **limits: Any) -> AsyncIterator[SocketUpstream]:
    http = HttpUpstream(tls=authority.trusting() if authority else None)
    one = SocketUpstream(http, http.dialer, Limits(**{"spacing": (0.01, 0.05), **limits}))
    try:
        yield one
    finally:
        await one.aclose()


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def result(call: Json, text: str) -> Json:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": text}


def request(
    fake: FakeCodex, *items: Json, key: str = "s1", token: str = TOKEN, account: str = "", **socket: bool
) -> Outgoing:
    """A request as the line makes it."""
    body = {"model": "gpt-5.5", "input": list(items) or [user("hi")], "store": False, "stream": True}
    body["include"] = ["reasoning.encrypted_content"]
    identity = bearer(token, account) if account else bearer(token)
    headers = (*identity.items(), ("content-type", "application/json"))
    return Outgoing("POST", f"{fake.root}/responses", headers, msgspec.json.encode(body), Socket(key, **socket))


async def whole(incoming: Incoming) -> bytes:
    try:
        return await incoming.read_all(LIMIT)
    finally:
        incoming.close()


def told(data: bytes) -> list[Any]:
    """The events of an answer."""
    return [msgspec.json.decode(line[6:]) for line in data.split(b"\n") if line.startswith(b"data: ")]


def output(data: bytes) -> list[Json]:
    return [event["item"] for event in told(data) if event["type"] == "response.output_item.done"]


def asked_over(fake: FakeCodex) -> list[str]:
    return [seen.method for seen in fake.inferences()]


def plain(items: list[Json]) -> list[Any]:
    """What items say, whoever told them and with whatever bookkeeping."""
    return [[item["type"], item.get("content"), item.get("arguments"), item.get("output")] for item in items]


# ---- conversations ----


@pytest.mark.parametrize("life", [0, 1, 2])
async def test_tool_loop(life: int) -> None:
    """A conversation of many turns: the model has before it what the client said, whichever way it was told.

    With sockets that end after one or two answers everything is said again each time one ends, and nobody sees it.
    """
    steps = [Reply(parts=(Think("hm"), Call("ls", {"path": f"/{n}"}))) for n in range(3)]
    async with FakeCodex(script=(*steps, say("done")), life=life) as fake, upstream() as out:
        said = [user("go")]
        for number in range(4):
            incoming = await out.open(request(fake, *said, continuation=True))
            assert incoming.status == 200
            answer = output(await whole(incoming))
            assert plain(fake.contexts[number]) == plain(said)
            said += answer
            said.append(result(answer[-1], "a b") if answer[-1]["type"] == "function_call" else user("more"))
        went_on = ["previous_response_id" in seen.body for seen in fake.inferences() if seen.status == 101]
        assert went_on == {0: [False, True, True, True], 1: [False] * 4, 2: [False, True] * 2}[life]
        if not life:
            sizes = [len(seen.body["input"]) for seen in fake.inferences()]
            assert sizes == [1, 1, 1, 1]


async def test_agents_at_the_same_time() -> None:
    """Sub-agents under the key of their session, all at once and again: each goes on from its own answer."""
    async with FakeCodex() as fake, upstream() as out:

        async def agent(name: str) -> None:
            said = [user(name)]
            for _ in range(3):
                answer = output(await whole(await out.open(request(fake, *said, continuation=True))))
                said += [*answer, user(f"{name} more")]

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(agent, f"agent {number}")
        assert len(fake.contexts) == 18
        for context in fake.contexts:
            assert (
                len(
                    {item["content"][0]["text"].removesuffix(" more") for item in context if item.get("role") == "user"}
                )
                == 1
            )
        assert not [seen.refused for seen in fake.requests if seen.refused]


async def test_dropped_reasoning() -> None:
    """A client that gives back no reasoning: the backend has it still, and the loop goes on."""
    async with FakeCodex(script=(Reply(parts=(Think("hm"), Call("ls", {}))), say("x"))) as fake, upstream() as out:
        first = output(await whole(await out.open(request(fake, user("go"), continuation=True))))
        kept = [item for item in first if item["type"] != "reasoning"]
        incoming = await out.open(request(fake, user("go"), *kept, result(kept[-1], "a"), continuation=True))
        assert incoming.status == 200
        await whole(incoming)
        assert [item["type"] for item in fake.contexts[1]] == [
            "message",
            "reasoning",
            "function_call",
            "function_call_output",
        ]


async def test_the_same_as_over_http() -> None:
    """What is read is what HTTP would have given: the same events, and nothing besides them."""
    reply = Reply(parts=(Think("hm"), Say("hello"), KEEPALIVE, Call("ls", {"a": 1})))
    async with FakeCodex(script=(reply, reply)) as fake, upstream() as out:
        over_socket = await out.open(request(fake))
        over_http = await out.open(msgspec.structs.replace(request(fake), socket=None))
        sides = [[event["type"] for event in told(await whole(incoming))] for incoming in (over_socket, over_http)]
        assert sides[0] == [kind for kind in sides[1] if kind != "keepalive"]
        for name in ("content-type", "x-codex-primary-used-percent", "x-models-etag"):
            assert over_socket.headers[name].partition(";")[0] == over_http.headers[name].partition(";")[0]
        assert asked_over(fake) == ["WS", "POST"]


async def test_limits_go_aside() -> None:
    """What the backend says of limits is handed aside, once for each answer."""
    heard: list[Any] = []
    async with FakeCodex(accounts=(ChatGPTAccount(used=100, credits=3),)) as fake, upstream() as out:
        for _ in range(2):
            asked = msgspec.structs.replace(request(fake), aside=lambda data: heard.append(msgspec.json.decode(data)))
            assert b"rate_limits" not in await whole(await out.open(asked))
    assert [(event["type"], event["rate_limits"]["limit_reached"]) for event in heard] == [
        ("codex.rate_limits", True)
    ] * 2


# ---- where there is none ----


@pytest.mark.parametrize(
    "answer",
    [no_sockets(), cloudflare(403), cloudflare(502), overloaded(), Hang(drop=True), Hang()],
    ids=lambda answer: str(answer)[:14],
)
async def test_over_http_instead(answer: Refuse | Hang) -> None:
    """A handshake that is refused, dropped or not answered: HTTP, and no second one for a while."""
    async with FakeCodex(upgrades=(answer,) * 3) as fake, upstream(handshake=0.2) as out:
        for _ in range(2):
            assert told(await whole(await out.open(request(fake))))[-1]["type"] == "response.completed"
        assert asked_over(fake) == ["POST", "POST"]
        handshakes = [seen for seen in fake.requests if seen.method == "GET"]
        assert len(handshakes) == (3 if isinstance(answer, Refuse) and answer.status == 403 else 1)


async def test_required() -> None:
    """Where a WebSocket is required, its absence is an error that says why and tells no secret."""
    async with FakeCodex(upgrades=(no_sockets(),)) as fake, upstream() as out:
        with pytest.raises(Unreachable, match="426") as raised:
            await out.open(request(fake, required=True))
        assert TOKEN not in f"{raised.value!r} {raised.value.text}"
        assert asked_over(fake) == []


async def test_many_handshakes_at_once() -> None:
    """A host that refuses handshakes which come too soon: they are spaced, or go over HTTP, and all are answered."""
    async with FakeCodex(burst=3) as fake, upstream() as out:
        kinds: list[str] = []

        async def ask(number: int) -> None:
            kinds.append(told(await whole(await out.open(request(fake, key=f"s{number}"))))[-1]["type"])

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(ask, number)
        assert kinds == ["response.completed"] * 10
        assert 3 <= asked_over(fake).count("WS") < 10


async def test_a_token_that_has_expired() -> None:
    """A 401 at the handshake is an answer; with the next token all is well. So is one on a connection."""
    async with CodexIssuer(lifetime=60) as issuer, FakeCodex(issuer=issuer) as fake, upstream() as out:
        old = issuer.login()
        issuer.clock.forward(61)
        account = issuer.account.id
        incoming = await out.open(request(fake, token=old["access_token"], account=account))
        assert (incoming.status, b"token_expired" in await whole(incoming)) == (401, True)
        new = issuer.login()["access_token"]
        assert (await out.open(request(fake, token=new, account=account))).status == 200
        assert asked_over(fake) == ["WS"]


async def test_tls() -> None:
    """Over TLS the certificate is looked at, and with the right authority the conversation is the same."""
    authority = Authority()
    async with FakeCodex(tls=authority) as fake:
        async with upstream(authority) as out:
            assert told(await whole(await out.open(request(fake))))[-1]["type"] == "response.completed"
        async with upstream(Authority()) as out:
            with pytest.raises(Unreachable, match="certificate is not trusted"):
                await out.open(request(fake))
        assert asked_over(fake) == ["WS"]


@pytest.mark.parametrize("user", ["", "mary:pass-8c1f@"])
async def test_behind_a_proxy(tmp_path: Path, user: str) -> None:
    """Through a company's proxy a tunnel leads to the host, and in it is a WebSocket; the host learns nothing of it."""
    authority = Authority()
    async with FakeCodex(tls=authority) as fake:
        name, _, password = user.rstrip("@").partition(":")
        async with FakeProxy({"models.test:443": fake.port}, user=name, password=password) as proxy:
            env = {
                "HTTPS_PROXY": proxy.url.replace("://", f"://{user}"),
                "NODE_EXTRA_CA_CERTS": authority.bundle(tmp_path),
            }
            http = HttpUpstream(network=Network(Proxies(env), Trust(env)))
            out = SocketUpstream(http, http.dialer)
            asked = msgspec.structs.replace(request(fake), url="https://models.test/backend-api/codex/responses")
            for _ in range(2):
                assert told(await whole(await out.open(asked)))[-1]["type"] == "response.completed"
            await out.aclose()
        assert [one.line for one in proxy.asked] == ["CONNECT models.test:443 HTTP/1.1"]
        assert asked_over(fake) == ["WS", "WS"]
        assert handshake(fake).header("proxy-authorization") is None


# ---- faults ----


@pytest.mark.parametrize(
    "refuse, status",
    [
        (overloaded(), 503),
        (Refuse(429, b'{"error":{"type":"usage_limit_reached"}}'), 429),
        (Refuse(400, b'{"detail":"no"}'), 400),
    ],
    ids=["503", "429", "400"],
)
async def test_refused(refuse: Refuse, status: int) -> None:
    """An error instead of an answer has the status that it would have over HTTP; the next request is answered."""
    async with FakeCodex(script=(refuse,)) as fake, upstream() as out:
        incoming = await out.open(request(fake))
        assert (incoming.status, set(msgspec.json.decode(await whole(incoming)))) == (status, {"error"})
        assert (await out.open(request(fake))).status == 200
        assert asked_over(fake) == ["WS", "WS"]


async def test_used_up() -> None:
    """An account that is used up: 429, with the headers that say until when."""
    async with FakeCodex(accounts=(ChatGPTAccount(used=100),)) as fake, upstream() as out:
        incoming = await out.open(request(fake))
        assert (incoming.status, incoming.headers["x-codex-primary-used-percent"]) == (429, "100")
        assert msgspec.json.decode(await whole(incoming))["error"]["type"] == "usage_limit_reached"


async def test_capacity_inside() -> None:
    """A refusal for lack of capacity comes inside the answer, as over HTTP, and the connection is kept."""
    async with FakeCodex(script=(at_capacity(),)) as fake, upstream() as out:
        assert told(await whole(await out.open(request(fake))))[-1]["type"] == "response.failed"
        assert (await out.open(request(fake))).status == 200
        assert len({seen.connection for seen in fake.inferences()}) == 1


async def test_connections_that_are_always_at_their_end() -> None:
    """Not for ever: after some tries the request goes over HTTP."""
    async with FakeCodex(script=(connection_limit(),) * 3) as fake, upstream() as out:
        assert told(await whole(await out.open(request(fake))))[-1]["type"] == "response.completed"
        assert asked_over(fake) == ["WS", "WS", "WS", "POST"]


BREAKS: list[tuple[Part | Cut, type[Exception]]] = [
    (Wire("close"), Truncated),
    (Wire("close", 1000), Truncated),
    (Wire("drop"), Truncated),
    (Wire("binary"), Malformed),
]


@pytest.mark.parametrize("what, error", BREAKS, ids=str)
async def test_broken_inside(what: Wire, error: type[Exception]) -> None:
    """A connection that breaks inside an answer: what had come is read, then the error; nothing is asked again."""
    async with FakeCodex(script=(Reply(parts=(Say("hello"), what)),)) as fake, upstream() as out:
        incoming = await out.open(request(fake))
        data = b""
        with pytest.raises(error):
            while piece := await incoming.read():
                data += piece
        incoming.close()
        assert b"hello" in data
        assert (await out.open(request(fake))).status == 200
        assert asked_over(fake) == ["WS", "WS"]


@pytest.mark.parametrize("kept", [False, True])
async def test_dropped_before_the_answer(kept: bool) -> None:
    """A kept connection that is dropped as it is used: once more. A new one may have been read: an error."""
    async with FakeCodex() as fake, upstream() as out:
        if kept:
            await whole(await out.open(request(fake)))
        fake.script(Hang(drop=True))
        if kept:
            assert told(await whole(await out.open(request(fake))))[-1]["type"] == "response.completed"
            assert asked_over(fake) == ["WS", "WS", "WS"]
        else:
            with pytest.raises(Unanswered, match="without an answer"):
                await out.open(request(fake))
            assert asked_over(fake) == ["WS"]


async def test_error_inside() -> None:
    """An error event inside an answer is passed on, and the next request has another connection."""
    async with FakeCodex(script=(Reply(parts=(Say("x"), Trouble())),)) as fake, upstream() as out:
        assert told(await whole(await out.open(request(fake))))[-1]["type"] == "error"
        assert (await out.open(request(fake))).status == 200
        assert len({seen.connection for seen in fake.inferences()}) == 2


async def test_garbage() -> None:
    """A text that is not JSON is passed on for others to judge, as over HTTP."""
    async with FakeCodex(script=(say("x", delivery=Delivery(cut="garbage", cut_after=2)),)) as fake, upstream() as out:
        data = await whole(await out.open(request(fake)))
        assert b"\n\ndata: {this is not json\n\n" in data
        assert b"event: response.completed" in data


@pytest.mark.parametrize("begun", [False, True])
async def test_hang_up(begun: bool) -> None:
    """A client that hangs up, before the answer or in it, is gone for the backend at once."""
    step = say("x", delivery=Delivery(cut="stall", cut_after=3)) if begun else Hang()
    async with FakeCodex(script=(step,)) as fake, upstream() as out:
        if begun:
            incoming = await out.open(request(fake))
            incoming.close()
        else:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(out.open, request(fake))
                await fake.until(lambda: bool(fake.inferences()))
                tasks.cancel_scope.cancel()
        await fake.until(lambda: handshake(fake).ended != "")
        assert (await out.open(request(fake))).status == 200
        assert len({seen.connection for seen in fake.inferences()}) == 2


def handshake(fake: FakeCodex) -> Seen:
    return next(seen for seen in fake.requests if seen.method == "GET")


async def test_pings() -> None:
    """Both sides may ping, inside an answer and while nothing is asked."""
    async with FakeCodex(script=(Reply(parts=(Wire("ping"), Say("x"))),)) as fake, upstream(ping=0.01) as out:
        await whole(await out.open(request(fake)))
        for _ in range(20):
            await asyncio.sleep(0.005)
        assert (await out.open(request(fake))).status == 200
        assert len({seen.connection for seen in fake.inferences()}) == 1


# ---- much ----


async def test_large_texts() -> None:
    """A prompt and an event of many megabytes travel whole."""
    big = "x" * 8_000_000
    async with FakeCodex(script=(say(big, deltas=1),)) as fake, upstream() as out:
        data = await whole(await out.open(request(fake, user(big))))
        assert output(data)[0]["content"][0]["text"] == big
        assert fake.contexts[0][0]["content"][0]["text"] == big


async def test_back_pressure() -> None:
    """A reader that does not read makes the backend wait, and loses nothing."""
    async with FakeCodex(script=(say("x" * 20_000_000, deltas=40),)) as fake, upstream() as out:
        incoming = await out.open(request(fake))
        (seen,) = fake.inferences()
        size, still = 0, 0
        async with asyncio.timeout(10):
            while still < 10:
                size, still = len(seen.answer), still + 1 if len(seen.answer) == size and size else 0
                await asyncio.sleep(0.01)
        assert size < 15_000_000
        assert len(output(await whole(incoming))[0]["content"][0]["text"]) == 20_000_000


async def test_the_public_api() -> None:
    """OpenAI's API with a key speaks the same way, and keeps what it was not told to forget."""
    async with FakeResponses() as fake, upstream() as out:
        said = [user("hi")]
        for number in range(2):
            body = {"model": "gpt-5.5", "input": said, "stream": True, "include": ["reasoning.encrypted_content"]}
            headers = (("Authorization", f"Bearer {KEY}"),)
            socket = Socket("s1", continuation=True, required=True)
            asked = Outgoing("POST", f"{fake.root}/responses", headers, msgspec.json.encode(body), socket)
            said += [*output(await whole(await out.open(asked))), user("more")]
            assert ("previous_response_id" in fake.inferences()[-1].body) == bool(number)
        assert [seen.method for seen in fake.inferences()] == ["WS", "WS"]


def test_loaded_at_the_first_need() -> None:
    """A gateway that opens no WebSocket does not pay for the library."""
    loads = "import sys, strowger.gateway.app; sys.exit('websockets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """No log line has a token in it, whatever the level."""
    with caplog.at_level("DEBUG"):
        async with FakeCodex(script=(Hang(drop=True),)) as fake, upstream() as out:
            with pytest.raises(Unreachable):
                await out.open(request(fake))
            await whole(await out.open(request(fake)))
            assert TOKEN not in repr(vars(out))
    assert TOKEN not in caplog.text
