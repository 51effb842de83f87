"""The Codex provider through a whole gateway, in front of a strict fake of ChatGPT's backend."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from msgspec import Struct
from msgspec.structs import replace

from strowger.config.references import literal, parse_reference
from strowger.config.schema import ProviderConfig, Retries
from strowger.providers import PRESETS
from tests.fakes.codex import ACCOUNT, TOKEN, ChatGPTAccount, FakeCodex, cloudflare
from tests.fakes.issuer import Account
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.responses import KEY, FakeResponses, no_sockets, refuse
from tests.fakes.responses_parts import WebSearch, at_capacity, overflow_inside, rate_limited_inside
from tests.fakes.script import Call, Refuse, Reply, Say, Think, say
from tests.integration.auth.refresher import kept
from tests.integration.gateway import rig as rigging

pytestmark = pytest.mark.anyio

MODEL = "gpt-5.5"
ANTHROPIC = {"anthropic-version": "2023-06-01"}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Backend(Struct):
    """A gateway whose only provider is the fake."""

    rig: rigging.Rig
    fake: FakeCodex

    def openai(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.rig.url}/v1", api_key="any", max_retries=0, timeout=30)

    async def ask(self, **more: Any) -> tuple[int, dict[str, str], bytes]:
        """A small request of Claude Code's kind; status, headers and body of the answer."""
        lines = {"x_claude_code_session_id": "s-1", **ANTHROPIC}
        return await self.rig.post("/v1/messages", rigging.anthropic_request(model=MODEL, **more), **lines)

    async def say(self, messages: list[Any], agent: str = "", **more: Any) -> list[Any]:
        """The content of the answer to a conversation that thinks."""
        body = {"model": MODEL, "max_tokens": 2000, "thinking": {"type": "adaptive"}, "messages": messages, **more}
        lines = {"x_claude_code_session_id": "s-1", **ANTHROPIC}
        if agent:
            lines["x_claude_code_agent_id"] = agent
        status, _, answer = await self.rig.post("/v1/messages", body, **lines)
        assert status == 200, answer
        content: list[Any] = json.loads(answer)["content"]
        return content

    def sent(self, number: int = -1) -> Any:
        """The body of a request that the backend was asked to answer; it refused none."""
        seen = self.fake.inferences()
        assert [one.refused for one in seen if one.refused] == []
        return seen[number].body


@asynccontextmanager
async def backend(attempts: int = 1, fakes: dict[str, Any] | None = None, **more: Any) -> AsyncIterator[Backend]:
    """The provider as the preset has it, except for its address and its credential; nothing is tried twice."""
    preset = PRESETS["codex"]
    more = {"transport": "http", **more}
    async with FakeCodex(**fakes or {}) as fake:
        config = ProviderConfig(
            preset="codex",
            dialect=preset.dialect,
            base_url=fake.root,
            auth=literal(TOKEN),
            headers={"ChatGPT-Account-ID": literal(ACCOUNT)},
            models=preset.models,
            **more,
        )
        whole = replace(rigging.config({"codex": config}), retries=Retries(attempts=attempts))
        async with rigging.gateway(whole) as rig:
            yield Backend(rig, fake)


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("/v1/messages", {"max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}),
    "chat": ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "responses": ("/v1/responses", {"input": "hi"}),
    "gemini": ("/v1beta/models/MODEL:", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_every_dialect(name: str, stream: bool, transport: str) -> None:
    """Streams and whole answers over both ways, though the backend only streams."""
    path, body = CALLS[name]
    async with backend(transport=transport) as it:
        it.fake.script(Reply(parts=(Say("Hello"),), deltas=1))
        if name == "gemini":
            path = path.replace("MODEL", MODEL) + ("streamGenerateContent?alt=sse" if stream else "generateContent")
        else:
            body = {"model": MODEL, "stream": stream, **body}
        status, headers, answer = await it.rig.post(path, body, **ANTHROPIC)
        assert (status, it.sent()["stream"], it.sent()["store"]) == (200, True, False), answer
        assert b"Hello" in answer
        assert ("event-stream" in headers["content-type"]) is stream
        assert it.fake.inferences()[0].method == ("WS" if transport == "websocket" else "POST")


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_the_last_event_is_whole(transport: str) -> None:
    """OpenAI's SDK takes the last event for the answer, and the backend leaves the output out of it."""
    async with backend(transport=transport) as it:
        it.fake.script(Reply(parts=(Think("Hm."), Say("Hello"), Call("lookup", {"q": "x"}))))
        tools: Any = [{"type": "function", "name": "lookup", "parameters": {"type": "object", "properties": {}}}]
        body: Any = {"model": MODEL, "input": [{"role": "user", "content": "hi"}], "store": False, "tools": tools}
        async with it.openai() as client, client.responses.stream(**body) as stream:
            final = await stream.get_final_response()
        assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]
        assert final.output_text == "Hello"
        assert (await it.rig.flow())["lane"] == "verbatim"


async def test_sdk_whole() -> None:
    """`responses.create` without a stream."""
    async with backend() as it:
        it.fake.script(Reply(parts=(Say("Hello"),)))
        async with it.openai() as client:
            answer = await client.responses.create(model=MODEL, input="hi", instructions="Be short.")
        assert (answer.output_text, answer.status, it.sent()["instructions"]) == ("Hello", "completed", "Be short.")


async def test_what_the_backend_refuses_is_left_out() -> None:
    """Limits, sampling and labels are dropped with a loss; the client gets its answer."""
    async with backend() as it:
        it.fake.script(say("ok"))
        body = {
            "model": MODEL,
            "input": "hi",
            "max_output_tokens": 50,
            "temperature": 0.5,
            "top_p": 0.9,
            "metadata": {"a": "b"},
            "user": "u",
            "safety_identifier": "s",
            "truncation": "disabled",
            "prompt_cache_retention": "24h",
            "store": True,
            "stream_options": {"include_obfuscation": False},
            "service_tier": "auto",
            "stream": True,
        }
        status, _, answer = await it.rig.post("/v1/responses", body)
        assert status == 200, answer
        assert it.sent().keys() == {"model", "input", "store", "stream"}
        lost = {loss["path"] for loss in (await it.rig.flow())["losses"]}
        assert {"max_tokens", "temperature", "metadata", "store"} <= lost


@pytest.mark.parametrize("member", ["conversation", "background"])
async def test_what_would_mean_something_else_is_refused(member: str) -> None:
    """Without it the answer would be another; we say so ourselves, and nobody is asked."""
    async with backend() as it:
        value: Any = True if member == "background" else "conv_1"
        status, _, answer = await it.rig.post("/v1/responses", {"model": MODEL, "input": "hi", member: value})
        error = json.loads(answer)["error"]
        assert (status, error["type"], error["param"]) == (400, "invalid_request_error", member)
        assert it.fake.inferences() == []


async def test_claude_codes_wishes() -> None:
    """Effort, cache key, tools and pictures of results in the backend's words; the session in its headers."""
    async with backend() as it:
        it.fake.script(say("ok"))
        body = {
            "model": f"{MODEL}-fast[1m]",
            "max_tokens": 100,
            "system": [{"type": "text", "text": "Be good.", "cache_control": {"type": "ephemeral"}}],
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "max"},
            "messages": [
                {"role": "user", "content": "look"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": [PICTURE]}]},
            ],
            "tools": [{"name": "Read", "input_schema": {"type": "object", "properties": {}}}],
            "stream": True,
        }
        session = {"x_claude_code_session_id": "0c5c7f5e-1111-4222-8333-444455556666", "x_claude_code_agent_id": "a1"}
        status, headers, answer = await it.rig.post("/v1/messages", body, **ANTHROPIC, **session)
        assert (status, headers["x-strowger-route"]) == (200, f"codex:{MODEL}"), answer
        sent = it.sent()
        assert sent["reasoning"] == {"effort": "xhigh", "summary": "auto"}  # the most that this model has
        assert sent["include"] == ["reasoning.encrypted_content"]
        assert sent["service_tier"] == "priority"
        assert sent["prompt_cache_key"] == session["x_claude_code_session_id"]
        assert sent["instructions"] == "Be good."
        assert sent["input"][-1]["output"][0]["type"] == "input_image"
        seen = it.fake.inferences()[0]
        assert seen.header("originator") == "strowger"
        assert (seen.header("user-agent") or "").startswith("strowger/")
        assert seen.header("session-id") == session["x_claude_code_session_id"]
        assert seen.header("thread-id") not in {None, seen.header("session-id")}


PICTURE = {
    "type": "image",
    "source": {
        "type": "base64",
        "media_type": "image/png",
        "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    },
}


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_thinking_comes_home(transport: str) -> None:
    """Sealed reasoning goes to the client and back; what another account sealed is dropped, and the call repeated."""
    async with backend(transport=transport) as it:
        it.fake.script(Reply(parts=(Think("Let me see."), Say("one"))))
        messages: list[Any] = [{"role": "user", "content": "hi"}]
        content = await it.say(messages)
        assert [block["type"] for block in content] == ["thinking", "text"]
        messages += [{"role": "assistant", "content": content}, {"role": "user", "content": "go on"}]
        await it.say(messages)
        assert [item.get("type", "message") for item in it.sent()["input"]] == [
            "message",
            "reasoning",
            "message",
            "message",
        ]
        it.fake._ledgers[ACCOUNT].seal.account = "another"
        it.fake.script(say("two"))
        assert (await it.say(messages))[-1]["text"] == "two"
        refused, repeated = it.fake.inferences()[-2:]
        assert "encrypted" in (refused.refused or "")
        assert b"encrypted_content" not in repeated.raw.replace(b"reasoning.encrypted_content", b"")


UNSUPPORTED = Refuse(400, b'{"detail":"The \'x\' model is not supported when using Codex with a ChatGPT account."}')


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize(
    "answer, status, words",
    [
        # the words after which Claude Code compacts
        (overflow_inside(), 400, "prompt is too long"),
        (at_capacity(), 529, "overloaded"),
        (rate_limited_inside(1.5), 429, "try again in 1.5s"),
        (refuse(400, "x", "no"), 400, "no"),
        (UNSUPPORTED, 400, "with a ChatGPT account."),
    ],
    ids=["overflow", "capacity", "rate", "other", "model"],
)
async def test_errors_as_claude_code_reads_them(transport: str, answer: Any, status: int, words: str) -> None:
    """Whether they come with a status or inside an answer, they come as a status, in words that it acts upon."""
    async with backend(transport=transport) as it:
        it.fake.script(answer)
        told, headers, body = await it.ask(stream=True)
        assert (told, words in json.loads(body)["error"]["message"]) == (status, True), body
        if status == 429:
            assert headers["retry-after"] == "2"


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_a_plan_that_is_used_up(transport: str) -> None:
    """The client hears when it begins anew, the quota is known, and nobody is asked again before that."""
    async with backend(transport=transport, fakes={"accounts": (ChatGPTAccount(used=100, resets_in=77),)}) as it:
        status, headers, body = await it.ask(stream=True)
        assert (status, int(headers["retry-after"]) in range(70, 79)) == (402, True), body
        reading = it.rig.gateway.line.health.readings["codex", "default"]
        assert (reading.plan, reading.limit_reached) == ("pro", True)
        assert [window.used_percent for window in reading.windows] == [100, 3]
        await it.ask(stream=True)
        assert len(it.fake.inferences()) == 1


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_credits_go_on_where_the_plan_ends(transport: str) -> None:
    """A limit that is reached stops nothing while there are credits, call after call."""
    accounts = (ChatGPTAccount(used=100, credits=12.5),)
    async with backend(transport=transport, fakes={"accounts": accounts}) as it:
        assert [(await it.ask(stream=True))[0] for _ in range(3)] == [200, 200, 200]
        reading = it.rig.gateway.line.health.readings["codex", "default"]
        assert reading.credits is not None
        assert (reading.credits.has_credits, reading.credits.balance) == (True, "12.5")


async def test_a_page_of_somebody_in_between() -> None:
    """Is told in one readable sentence."""
    async with backend(transport="http") as it:
        it.fake.script(cloudflare(403))
        status, _, body = await it.ask()
        assert status == 403
        assert "a web page" in json.loads(body)["error"]["message"]


async def test_no_sockets_there() -> None:
    """The handshake is refused before anything was sent, so the call goes over HTTP, unless it may not."""
    async with backend(transport="auto", fakes={"upgrades": (no_sockets(),)}) as it:
        assert (await it.ask(stream=True))[0] == 200
        assert [seen.method for seen in it.fake.inferences()] == ["POST"]
    async with backend(transport="websocket", fakes={"upgrades": (no_sockets(),)}) as it:
        status, _, body = await it.ask(stream=True)
        assert (status, "no WebSocket" in body.decode()) == (502, True)


async def test_a_conversation_goes_on_over_one_socket() -> None:
    """With continuation, a turn only says what is new; a sub-agent has its own connection; an end of life is no end."""
    async with backend(transport="auto", continuation=True, fakes={"life": 2}) as it:
        it.fake.script(*(Reply(parts=(Think("Hm."), Say(f"answer {number}"))) for number in range(4)))
        messages: list[Any] = []
        for number in range(3):
            messages.append({"role": "user", "content": f"question {number}"})
            answer = await it.say(messages)
            messages.append({"role": "assistant", "content": answer})
        await it.say([{"role": "user", "content": "aside"}], agent="a1")
        told = [seen.body for seen in it.fake.inferences() if not seen.refused]
        assert [len(body["input"]) for body in told] == [1, 1, 1, 7, 1]
        assert ["previous_response_id" in body for body in told] == [False, True, True, False, False]
        assert [len(context) for context in it.fake.contexts] == [1, 4, 7, 1]
        sockets = {seen.connection for seen in it.fake.inferences()}
        assert len(sockets) == 3


async def test_the_list_of_models_is_read_when_it_is_needed() -> None:
    """The first call shows that it is there; from then on efforts are those of the list."""
    async with backend(fakes={"models": (MODEL, "codex-next")}) as it:
        provider = it.rig.gateway.line.routes.providers["codex"]
        await it.rig.post("/v1/messages", rigging.anthropic_request(model=MODEL), **ANTHROPIC)
        await it.fake.until(lambda: "max" in provider.capabilities("codex-next").efforts)
        (listing,) = [seen for seen in it.fake.requests if seen.path.endswith("/models")]
        assert "client_version" in listing.query
        assert listing.header("originator") == "strowger"
        await it.rig.post("/v1/messages", rigging.anthropic_request(model=MODEL), **ANTHROPIC)
        assert sum(seen.path.endswith("/models") for seen in it.fake.requests) == 1


async def test_models_are_listed() -> None:
    """The backend's own list, with windows and efforts; the packaged one where that is not to be had."""
    async with backend(fakes={"models": (MODEL, "gpt-9")}) as it:
        async with it.rig.session.get(f"{it.rig.url}/v1/models?client_version=1") as response:
            models = {model["slug"]: model for model in (await response.json())["models"]}
        assert {MODEL, "gpt-9"} <= models.keys()
        assert "gpt-5.4" not in models
        assert models["gpt-9"]["context_window"] == 272_000
        assert [level["effort"] for level in models["gpt-9"]["supported_reasoning_levels"]][-1] == "max"
        it.fake.tokens.clear()
    async with backend() as it:
        it.fake.tokens.clear()
        async with it.rig.session.get(f"{it.rig.url}/v1/models") as response:
            listed = {model["id"]: model for model in (await response.json())["data"]}
        assert {"gpt-5.5", "gpt-5.6-sol"} <= listed.keys()
        assert listed["gpt-5.5"]["context_length"] == 272_000


async def test_compaction_is_the_backends() -> None:
    """Codex's own endpoint for it: unary, over HTTP, with the few members that it takes."""
    async with backend(transport="auto") as it:
        user = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
        body = {"model": MODEL, "input": [user], "instructions": "i", "client_metadata": {"a": "b"}, "tools": []}
        status, _, answer = await it.rig.post("/v1/responses/compact", body, session_id="s")
        assert (status, json.loads(answer)["output"][-1]["type"]) == (200, "compaction"), answer
        seen = it.fake.requests[0]
        assert (seen.method, seen.path.endswith("/responses/compact"), seen.header("originator")) == (
            "POST",
            True,
            "strowger",
        )
        assert "client_metadata" not in seen.body


async def test_a_search_of_claude_codes() -> None:
    """Is the backend's own, kept to the domains that were named; what it found comes back as Claude Code reads it."""
    async with backend() as it:
        tool = {"type": "web_search_20250305", "name": "web_search", "allowed_domains": ["example.test"], "max_uses": 2}
        it.fake.script(Reply(parts=(WebSearch("telephones"), Say("Found."))))
        status, _, answer = await it.ask(tools=[tool])
        assert status == 200, answer
        (sent,) = it.sent()["tools"]
        assert (sent["type"], sent["filters"]) == ("web_search", {"allowed_domains": ["example.test"]})
        kinds = [block["type"] for block in json.loads(answer)["content"]]
        assert kinds == ["server_tool_use", "web_search_tool_result", "text"]


@pytest.mark.parametrize("stream", [True, False])
async def test_the_public_api_has_sockets_too(stream: bool) -> None:
    """The same code, if the configuration asks for it; what is asked for in one piece goes over HTTP."""
    async with FakeResponses() as fake:
        config = ProviderConfig(
            preset="openai-responses",
            dialect="openai_responses",
            base_url=fake.base_url + "/v1",
            auth=literal(KEY),
            transport="websocket",
        )
        async with rigging.gateway(rigging.config({"openai": config})) as rig:
            fake.script(Reply(parts=(Say("Hello"),), deltas=1))
            body = {"model": MODEL, "input": "hi", "stream": stream}
            status, _, answer = await rig.post("/v1/responses", body, session_id="s")
            assert (status, b"Hello" in answer) == (200, True), answer
            (seen,) = fake.inferences()
            assert seen.method == ("WS" if stream else "POST")
            assert seen.header("originator") is None


async def test_a_second_account_takes_over(tmp_path: Path) -> None:
    """Where the plan of one ends, the other goes on with the same conversation: what the first one sealed is left out,
    and the client hears nothing of it.
    """
    async with CodexIssuer() as issuer, FakeCodex(issuer=issuer) as fake:
        for name in ("home", "work"):
            issuer.account = Account(id=name)
            kept(tmp_path, issuer.login(), time.time(), name=name)
        accounts = {name: parse_reference(f"login:codex/{name}") for name in ("home", "work")}
        provider = ProviderConfig(
            preset="codex", dialect="openai_responses", base_url=fake.root, accounts=accounts, continuation=True
        )
        env = {"HOME": str(tmp_path), "STROWGER_CODEX_ISSUER": issuer.base_url}
        config = replace(rigging.config({"codex": provider}), retries=Retries(attempts=1))
        async with rigging.gateway(config, env=env) as rig:
            it = Backend(rig, fake)
            fake.script(Reply(parts=(Think("One."), Say("first"))))
            messages: list[Any] = [{"role": "user", "content": "hi"}]
            messages += [{"role": "assistant", "content": await it.say(messages)}, {"role": "user", "content": "on"}]
            fake.accounts["home"].used = 100
            fake.script(Reply(parts=(Think("Two."), Say("second"))))
            assert (await it.say(messages))[-1]["text"] == "second"
            flow = await rig.flow()
            assert [(attempt["account"], attempt["reason"]) for attempt in flow["attempts"]] == [
                ("home", "quota_exhausted"),
                ("work", None),
            ]
            asked = [seen.header("chatgpt-account-id") for seen in fake.inferences()]
            assert asked == ["home", "home", "work", "work"]
            readings = rig.gateway.line.health.readings
            assert {name: readings["codex", name].limit_reached for name in accounts} == {"home": True, "work": False}


@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_models_that_want_another_shape(transport: str) -> None:
    """The backend's list says which do: from then on tools and instructions stand in the input, and are found there."""
    async with backend(
        transport=transport, continuation=True, fakes={"lite": ("gpt-6-sol",), "models": (MODEL, "gpt-6-sol")}
    ) as it:
        provider = it.rig.gateway.line.routes.providers["codex"]
        assert (await it.ask(stream=True))[0] == 200
        await it.fake.until(lambda: provider.capabilities("gpt-6-sol").lite)
        it.fake.script(Reply(parts=(Think("Hm."), Call("look", {"at": "it"}))), say("seen"))
        tools = [{"name": "look", "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}}}]
        whole: dict[str, Any] = {"system": "Be good.", "tools": tools, "tool_choice": {"type": "any"}}
        messages: list[Any] = [{"role": "user", "content": "hi"}]
        content = await it.say(messages, model="gpt-6-sol", **whole)
        messages.append({"role": "assistant", "content": content})
        result = {"type": "tool_result", "tool_use_id": content[-1]["id"], "content": "a cat"}
        messages.append({"role": "user", "content": [result]})
        assert (await it.say(messages, model="gpt-6-sol", **whole))[-1]["text"] == "seen"
        sent = it.fake.inferences()[1]
        assert [item["type"] for item in sent.body["input"]][:2] == ["additional_tools", "message"]
        assert sent.header("x-openai-internal-codex-responses-lite") == "true"
        assert it.sent().keys() & {"tools", "instructions"} == set()
        assert len(it.fake.contexts[-1]) == 6
        assert ("previous_response_id" in it.sent()) is (transport == "websocket")


async def test_what_the_configuration_asks_for() -> None:
    """Members for every request, and no summaries; a client's own wish goes before them."""
    options = {"text": {"verbosity": "low"}, "service_tier": "flex"}
    async with backend(options=options, capabilities={"summaries": False}) as it:
        await it.say([{"role": "user", "content": "hi"}])
        assert (it.sent()["text"], it.sent()["service_tier"]) == ({"verbosity": "low"}, "flex")
        assert "summary" not in it.sent().get("reasoning", {})
        await it.say([{"role": "user", "content": "hi"}], model=f"{MODEL}-fast:low")
        assert (it.sent()["service_tier"], it.sent()["reasoning"]) == ("priority", {"effort": "low"})
