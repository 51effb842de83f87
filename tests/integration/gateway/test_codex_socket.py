"""Agents that work on ChatGPT's backend over WebSockets, with a login, through everything that happens in a day."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import msgspec
import pytest

from strowger.config.references import literal, parse_reference
from strowger.config.schema import Match, ProviderConfig, RouteConfig
from strowger.gateway.app import build
from strowger.gateway.server import bind, serve
from strowger.telemetry.logs import Log
from tests.fakes.anthropic import KEY as ANTHROPIC_KEY
from tests.fakes.anthropic import FakeAnthropic
from tests.fakes.codex import ChatGPTAccount, FakeCodex
from tests.fakes.issuer import Account
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.responses import connection_limit, no_sockets, overloaded, rate_limited, usage_limit
from tests.fakes.responses_parts import Wire, at_capacity
from tests.fakes.script import Call, Reply, Say, ScriptItem, Think
from tests.fakes.server import Seen
from tests.integration.auth.refresher import kept
from tests.integration.gateway.rig import QUICK, Rig, config

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
SESSION = "11111111-aaaa-4bbb-8ccc-000000000001"
# How the deltas of a stream are named in the parts of a message.
DELTAS = {"text": "text", "thinking": "thinking", "partial_json": "json", "signature": "signature"}
TOOL: Json = {
    "name": "ls",
    "description": "Lists files.",
    "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Day:
    """A gateway whose first provider is the fake backend; the login is the issuer's."""

    def __init__(self, rig: Rig, fake: FakeCodex, issuer: CodexIssuer) -> None:
        self.rig = rig
        self.fake = fake
        self.issuer = issuer

    @property
    def asked(self) -> list[Seen]:
        return self.fake.inferences()

    def went_on(self) -> list[bool]:
        """Of each request over a socket whether it said only what was new."""
        return ["previous_response_id" in seen.body for seen in self.asked if seen.method == "WS"]

    async def ask(self, messages: list[Json], *, agent: str = "", model: str = "gpt-5.5") -> Json:
        """An answer, as Claude Code asks for it."""
        body = {"model": model, "max_tokens": 1000, "stream": True, "messages": messages, "tools": [TOOL]}
        headers = {
            "anthropic_version": "2023-06-01",
            "x_claude_code_session_id": "11111111-aaaa-4bbb-8ccc-000000000001",
        }
        if agent:
            headers["x_claude_code_agent_id"] = agent
        status, _, raw = await self.rig.post("/v1/messages", {**body, "thinking": {"type": "adaptive"}}, **headers)
        assert status == 200, raw
        return folded(raw)

    async def work(self, turns: int, *, agent: str = "", task: str = "go") -> list[Json]:
        """A tool loop of so many turns; the conversation, as the agent has it."""
        said: list[Json] = [{"role": "user", "content": [{"type": "text", "text": task}]}]
        for _ in range(turns):
            answer = await self.ask(said, agent=agent)
            calls = [part for part in answer["content"] if part["type"] == "tool_use"]
            results = [
                {"type": "tool_result", "tool_use_id": call["id"], "content": f"of {call['id']}"} for call in calls
            ]
            said += [answer, {"role": "user", "content": results or [{"type": "text", "text": "more"}]}]
        return said


def folded(raw: bytes) -> Json:
    """The message that a stream of events tells, as Claude Code repeats it."""
    parts: list[Json] = []
    for line in raw.split(b"\n"):
        if not line.startswith(b"data: "):
            continue
        event = msgspec.json.decode(line[6:])
        if event["type"] == "content_block_start":
            parts.append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            for name, member in (
                ("text", "text"),
                ("thinking", "thinking"),
                ("partial_json", "json"),
                ("signature", "signature"),
            ):
                if name in delta:
                    parts[-1][member] = parts[-1].get(member, "") + delta[name]
        elif event["type"] == "content_block_stop":
            told = parts[-1].pop("json")
            if parts[-1]["type"] == "tool_use":
                parts[-1]["input"] = msgspec.json.decode(told or "{}")
        assert event["type"] != "error", event
    return {"role": "assistant", "content": parts}


@asynccontextmanager
async def day(
    home: Path,
    *script: ScriptItem,
    others: dict[str, ProviderConfig] | None = None,
    codex: Json | None = None,
    **fake: Any,
) -> AsyncIterator[Day]:
    async with CodexIssuer() as issuer, FakeCodex(issuer=issuer, script=script, **fake) as backend:
        kept(home, issuer.login(), time.time())
        provider = ProviderConfig(
            preset="codex",
            dialect="openai_responses",
            base_url=backend.root,
            auth=parse_reference("login:codex"),
            **{"continuation": True, **(codex or {})},
        )
        env = {"HOME": str(home), "STROWGER_CODEX_ISSUER": issuer.base_url}
        fallback = tuple(f"{name}:claude-sonnet-4-5" for name in others or ())
        routes = (RouteConfig(match=Match(model="*"), to="codex", fallback=fallback),)
        whole = config(
            {"codex": provider, **(others or {})}, routes, retries=msgspec.structs.replace(QUICK, attempts=3)
        )
        log = io.StringIO()
        async with (
            build(whole, env=env, log=Log(stream=log)) as built,
            serve(built, bind("127.0.0.1", 0, external=False), max_body=2**25, max_header=2**16, grace=0.5) as running,
            aiohttp.ClientSession() as session,
        ):
            one = Day(Rig(built, running.url, session, log), backend, issuer)
            yield one
        for grant in issuer.grants:
            assert not any(token in log.getvalue() for token in grant.access)


def looks(number: int) -> Reply:
    return Reply(parts=(Think(f"thought {number}"), Say("I look."), Call("ls", {"path": f"/{number}"})))


def kinds(context: list[Json]) -> list[str]:
    """What kinds of items the model had before it."""
    return [item["type"] for item in context]


async def test_a_tool_loop(tmp_path: Path) -> None:
    """Over a socket each turn says what is new, over HTTP everything; the model has the same before it."""
    contexts = []
    for codex in ({}, {"transport": "http"}, {"continuation": False}):
        async with day(tmp_path, *map(looks, range(4)), codex=codex) as it:
            await it.work(5)
            contexts.append([kinds(context) for context in it.fake.contexts])
            sizes = [len(seen.body["input"]) for seen in it.asked]
            if not codex:
                assert (it.went_on(), max(sizes)) == ([False, True, True, True, True], 1)
                assert len({seen.connection for seen in it.asked}) == 1
            else:
                assert sizes == [1, 5, 9, 13, 17]
                assert {seen.method for seen in it.asked} == {"POST" if "transport" in codex else "WS"}
    assert contexts[0] == contexts[1] == contexts[2]


async def test_agents_side_by_side(tmp_path: Path) -> None:
    """Main agent and sub-agents at the same time: nobody waits for another, nor goes on from another's answer."""
    async with day(tmp_path, *(looks(number) for number in range(12))) as it:
        async with anyio.create_task_group() as tasks:
            for agent in ("", "agent-a", "agent-b", "agent-c"):
                tasks.start_soon(partial(it.work, 4, agent=agent, task=f"task {agent}"))
        assert [seen.refused for seen in it.asked if seen.refused] == []
        assert it.went_on().count(True) == 12
        for context in it.fake.contexts:
            tasks_told = [item for item in context if item.get("role") == "user" and "task" in str(item["content"])]
            assert len(tasks_told) == 1


TROUBLES: dict[str, tuple[ScriptItem, ...]] = {
    "rate limit": (rate_limited(0),),
    "overload": (overloaded(),),
    "no capacity, told inside": (at_capacity(),),
    "end of life": (connection_limit(),),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_trouble_in_a_tool_loop(tmp_path: Path, name: str) -> None:
    """What happens between two turns is put right without the agent noticing, and the conversation is as it was."""
    async with day(tmp_path, looks(0), *TROUBLES[name], looks(1), looks(2)) as it:
        said = await it.work(4)
        assert len(said) == 9
        assert kinds(it.fake.contexts[-1]).count("function_call_output") == 3
        assert it.went_on()[-1]


async def test_a_short_life(tmp_path: Path) -> None:
    """Sockets that end after each second answer: the agent works on."""
    async with day(tmp_path, *map(looks, range(5)), life=2) as it:
        assert len(await it.work(6)) == 13
        # of every three requests the third meets the end of its socket, and goes out again
        assert it.went_on() == [False, True, True, False, True, True, False, True]


async def test_no_sockets(tmp_path: Path) -> None:
    """A host that has none any more: the same over HTTP."""
    async with day(tmp_path, *map(looks, range(2)), upgrades=(no_sockets(),)) as it:
        await it.work(3)
        assert [seen.method for seen in it.asked] == ["POST"] * 3


async def test_a_login_that_ends(tmp_path: Path) -> None:
    """A token that is not good any more at the next handshake: it is renewed, and the agent works on."""
    async with day(tmp_path, *map(looks, range(3)), life=1) as it:
        said = await it.work(2)
        it.issuer.grants[0].access.clear()
        await it.ask(said)
        assert it.issuer.count("/oauth/token") == 1
        assert [seen.status for seen in it.fake.requests if seen.method == "GET" and seen.status == 401] == [401]


async def test_limits_are_known(tmp_path: Path) -> None:
    """What a socket tells of limits is known to the gateway, of each answer anew; none of it reaches the agent."""
    account = ChatGPTAccount(id=Account().id)
    async with day(tmp_path, looks(0), codex={"continuation": False}, accounts=(account,)) as it:
        said: list[Json] = []
        for used in (40, 70):
            account.used = used
            said += await it.work(1)
            (reading,) = it.rig.gateway.line.health.readings.values()
            assert [window.used_percent for window in reading.windows if window.minutes == 300] == [used]
        assert len({seen.connection for seen in it.asked}) == 1
        assert "rate_limits" not in str(said)


FAILURES: dict[str, ScriptItem] = {
    "used up": usage_limit(),
    "closed before a word": Reply(parts=(Wire("close"),)),
    "line broken before a word": Reply(parts=(Wire("drop"),)),
    "binary frame": Reply(parts=(Wire("binary"),)),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_somebody_else_goes_on(tmp_path: Path, name: str) -> None:
    """What cannot be put right on the spot: another provider goes on, with all that was said."""
    async with FakeAnthropic() as other:
        anthropic = ProviderConfig(dialect="anthropic", base_url=other.base_url, auth=literal(ANTHROPIC_KEY))
        async with day(tmp_path, looks(0), FAILURES[name], others={"anthropic": anthropic}) as it:
            assert len(await it.work(2)) == 5
            assert [seen.method for seen in it.asked] == ["WS", "WS"]
            (seen,) = other.inferences()
            assert [part["type"] for part in seen.body["messages"][-1]["content"]] == ["tool_result"]
