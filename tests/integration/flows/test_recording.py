"""A gateway that records: what of a call is on disk afterwards, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from strowger.config.references import parse_reference
from strowger.config.schema import Flows
from strowger.flows.archive import Archive
from tests.fakes.flows import bodies_of
from tests.integration.gateway.rig import (
    ANTHROPIC_HELLO,
    CHAT_HELLO,
    KEY,
    anthropic_request,
    chat_request,
    config,
    gateway,
    provider,
)
from tests.integration.gateway.rig import upstream as serving

pytestmark = pytest.mark.anyio

TOKEN, LOGIN, EXTRA = "client-token-55aa", "own-login-77bb", "extra-header-99cc"


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the gateway runs on."""
    return "asyncio"


async def quoting(request: web.Request) -> web.StreamResponse:
    """An upstream that says again what it was sent, in its answer or its error."""
    asked = await request.json()
    quoted = json.dumps(f"{dict(request.headers)} {request.url}")
    if asked["model"] == "bad":
        body = b'{"error":{"message":' + quoted.encode() + b',"type":"x","param":null,"code":null}}'
        return web.Response(body=body, status=400, content_type="application/json", headers={"x-seen": KEY})
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":' + quoted.encode() + b"}}]}\n\n"
    return web.Response(body=chunk + CHAT_HELLO, content_type="text/event-stream", headers={"x-seen": KEY})


def files_in(folder: Path) -> dict[str, bytes]:
    """All that was written, by its path."""
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.mark.parametrize("model", ["good", "bad"])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
async def test_secrets_are_not_on_disk(tmp_path: Path, path: str, model: str) -> None:
    """Neither in the store, packed or not, nor in a capture: ours, the client's, what an upstream quotes of them."""
    async with serving(quoting) as url:
        up = provider("openai_chat", url, headers={"x-extra": parse_reference(EXTRA)})
        flows = Flows(file=str(tmp_path / "flows.db"))
        async with gateway(config({"up": up}, client_token=parse_reference(TOKEN), flows=flows)) as rig:
            request = (anthropic_request if "messages" in path else chat_request)(model=model, stream=True)
            lines = {"x_strowger_token": TOKEN, "authorization": f"Bearer {LOGIN}", "cookie": LOGIN}
            await rig.post(path, request, **lines)
            await rig.flow()
            log = rig.log.getvalue()
    archive = Archive(tmp_path / "flows.db")
    (flow,) = archive.list()
    messages = archive.messages(str(flow["id"]))
    archive.close()
    assert [message.kind for message in messages] == [
        "client_request", "forwarded", "upstream_response", "client_response"
    ]  # fmt: skip
    assert b"***" in bodies_of(messages)["upstream_response", 0], "it was quoted"
    files = files_in(tmp_path)
    assert len([name for name in files if name.endswith((".db", ".json"))]) == (1 if model == "good" else 2)
    written = b"".join(files.values())
    said = b"".join(repr(message).encode() + message.body for message in messages)
    for secret in (KEY, TOKEN, LOGIN, EXTRA):
        assert secret.encode() not in written + said
        assert secret not in log


def says(event: bytes) -> bool:
    """Whether there are words in an event."""
    return b"text_delta" in event or (b'"content":"' in event and b'"content":""' not in event)


@pytest.mark.parametrize("dialect", ["openai_chat", "anthropic"])
async def test_each_event_is_on_the_tape(tmp_path: Path, dialect: str) -> None:
    """At both ends, whoever passed it on: each comes when the words of the one before have reached the client."""
    reached = anyio.Semaphore(0)
    hello = CHAT_HELLO if dialect == "openai_chat" else ANTHROPIC_HELLO
    # Its words are said five times.
    events = [each for event in hello.split(b"\n\n")[:-1] for each in [event + b"\n\n"] * (5 if says(event) else 1)]
    got: list[bytes] = []

    async def one_by_one(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in events:
            await response.write(event)
            if says(event):
                await reached.acquire()
        return response

    async with serving(one_by_one) as url:
        flows = Flows(file=str(tmp_path / "flows.db"))
        async with gateway(config({"up": provider(dialect, url)}, flows=flows)) as rig:
            with anyio.fail_after(30):
                path = f"{rig.url}/v1/chat/completions"
                async with rig.session.post(path, json=chat_request(stream=True)) as answer:
                    async for piece in answer.content.iter_any():
                        got.append(piece)
                        reached.release()
            flow = await rig.flow()
    archive = Archive(tmp_path / "flows.db")
    upstream, client = archive.messages("last")[2:]
    archive.close()
    assert (flow["outcome"], flow["lane"]) == ("ok", "verbatim" if dialect == "openai_chat" else "translate")
    assert (upstream.body, client.body) == (b"".join(events), b"".join(got))
    assert len(upstream.pieces) >= 5
    assert flow["response_bytes"] == len(client.body)
    for message in (upstream, client):
        assert message.moments == sorted(message.moments)
        assert len(message.moments) == len(message.pieces)


async def test_a_failure_is_captured(tmp_path: Path) -> None:
    """In a file of its own, which the log names."""
    async with serving(quoting) as url:
        flows = Flows(file=str(tmp_path / "flows.db"))
        async with gateway(config({"up": provider("openai_chat", url)}, flows=flows)) as rig:
            for model in ("good", "bad"):
                said = [{"role": "user", "content": "my key is sk-ant-api03-0123456789abcdef0123456789"}]
                await rig.post("/v1/chat/completions", chat_request(model=model, stream=True, messages=said))
                await rig.flow()
            lines = [json.loads(line) for line in rig.log.getvalue().splitlines()]
    good, bad = [line for line in lines if line["event"] == "call"]
    assert "error_file" not in good
    captured = json.loads(files_in(tmp_path)[bad["error_file"]])
    assert captured["flow"]["id"] == bad["id"]
    assert captured["messages"][1]["body"]["model"] == "bad"
    assert "0123456789abcdef" not in str(captured), "somebody else may look at it"


async def test_bodies_are_turned_off(tmp_path: Path) -> None:
    """Then there is the call, and nothing of what was said."""
    async with serving(quoting) as url:
        flows = Flows(file=str(tmp_path / "flows.db"), bodies="none")
        async with gateway(config({"up": provider("openai_chat", url)}, flows=flows)) as rig:
            await rig.post("/v1/chat/completions", chat_request(model="bad", stream=True))
            await rig.flow()
    archive = Archive(tmp_path / "flows.db")
    (flow,) = archive.list()
    assert (flow["outcome"], flow["status"]) == ("failed", 400)
    assert archive.messages("last") == []
    archive.close()
    assert not [name for name in files_in(tmp_path) if name.endswith(".json")]


async def test_a_file_that_cannot_be_used_harms_no_call(tmp_path: Path) -> None:
    """It is a folder. The call is answered, and the log says what is wrong."""
    (tmp_path / "flows.db").mkdir()
    async with serving(quoting) as url:
        flows = Flows(file=str(tmp_path / "flows.db"))
        async with gateway(config({"up": provider("openai_chat", url)}, flows=flows)) as rig:
            status, _, body = await rig.post("/v1/chat/completions", chat_request(stream=True))
            flow = await rig.flow()
    assert (status, flow["outcome"]) == (200, "ok")
    assert body.endswith(b"data: [DONE]\n\n")
    (told,) = [json.loads(line) for line in rig.log.getvalue().splitlines() if '"store"' in line]
    assert str(tmp_path / "flows.db") in told["problem"]
