"""A client whose calls go elsewhere while it runs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import anyio.to_thread
import pytest
from aiohttp import web

from strowger.client import Admin, Chosen
from strowger.config.layers import AS_STARTED, Choice, Loaded, load
from strowger.errors import GatewayError
from strowger.gateway import launching
from strowger.launcher import sessions
from strowger.launcher.host import Host, hosted, quiet_log
from strowger.launcher.setup import Setup
from strowger.providers.presets import PRESETS
from tests.integration.gateway.rig import upstream

pytestmark = pytest.mark.anyio

CONFIG = """
[server]
port = 0
[providers.chat]
dialect = "openai_chat"
base_url = "{chat}/v1"
[providers.messages]
dialect = "anthropic"
base_url = "{messages}"
[[routes]]
match = {{ model = "*" }}
to = "chat:chat-model"
[profiles.other]
via = "messages:large"
models = {{ haiku = "chat:small" }}
env = {{ PLANTED = "by the profile" }}
"""

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "content": [{"type": "text", "text": "from messages"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
CHUNK = 'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,%s}]}\n\n'


class Two:
    """Two upstreams that note which model they were asked for; the one for Chat can be held."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held = anyio.Event()
        self.hold = False

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.asked.append("chat:" + (await request.json())["model"])
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        await response.write((CHUNK % '"delta":{"role":"assistant","content":"from "}').encode())
        if self.hold:
            await self.held.wait()
        await response.write((CHUNK % '"delta":{"content":"chat"},"finish_reason":"stop"').encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append("messages:" + body["model"])
        return web.json_response({**MESSAGE, "model": body["model"]})


class Rig:
    """A gateway in front of the two, and its admin API."""

    def __init__(self, host: Host, admin: Admin, two: Two, http: aiohttp.ClientSession) -> None:
        self.host = host
        self.admin = admin
        self.two = two
        self._http = http

    async def say(self, token: str, model: str = "claude-opus-4-8", session: str = "") -> str:
        """Make a call as the client that has this token; gives the text of the answer."""
        body = {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hello"}]}
        headers = {"authorization": f"Bearer {token}", **({"x-claude-code-session-id": session} if session else {})}
        async with self._http.post(f"{self.host.url}/v1/messages", json=body, headers=headers) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == 200, answer
            return str(answer["content"][0]["text"])


@asynccontextmanager
async def rigged(folder: Path, before: Callable[[Choice], None] = lambda _: None) -> AsyncIterator[Rig]:
    """`before` is called, in a thread, before the configuration is read again."""
    two = Two()
    async with upstream(two.chat) as chat, upstream(two.messages) as messages:
        file = folder / "config.toml"
        file.write_text(CONFIG.format(chat=chat, messages=messages))

        def again(choice: Choice) -> Loaded:
            before(choice)
            return load(file, env=os.environ, presets=PRESETS, profile=choice.profile, via=choice.via)

        setup = Setup(again(AS_STARTED).config, path=file, again=again)
        async with hosted(setup, env=os.environ, kind="serve", log=quiet_log(setup.config, os.environ)) as host:
            session = next(s for s in sessions.running(sessions.directory(os.environ)) if s.url == host.url)
            async with Admin(session.url, session.admin_token) as admin, aiohttp.ClientSession() as http:
                yield Rig(host, admin, two, http)


async def test_the_next_call_goes_elsewhere(tmp_path: Path) -> None:
    """By a profile, via a provider, and back; each client by its own choice, the others as before."""
    async with rigged(tmp_path) as rig:
        first = await rig.admin.open_launch("first", 1)
        second = await rig.admin.open_launch("second", 2)
        assert await rig.say(first.token) == "from chat"
        assert await rig.admin.switch(first.id, "other") == Chosen(profile="other")
        assert await rig.say(first.token) == "from messages"
        assert await rig.say(first.token, "claude-haiku-4-5") == "from chat"
        assert await rig.say(second.token) == "from chat"
        assert await rig.admin.switch(first.id, "messages:other-model") == Chosen(via="messages:other-model")
        assert await rig.say(first.token) == "from messages"
        assert await rig.say(first.token, "chat:as-named") == "from chat"
        assert await rig.admin.switch(first.id, "default") == Chosen()
        assert await rig.say(first.token) == "from chat"
        assert rig.two.asked == [
            "chat:chat-model",
            "messages:large",
            "chat:small",
            "chat:chat-model",
            "messages:other-model",
            "chat:as-named",
            "chat:chat-model",
        ]


async def test_a_call_in_flight_finishes_where_it_began(tmp_path: Path) -> None:
    """A switch in the middle of an answer leaves that answer alone."""
    async with rigged(tmp_path) as rig:
        launch = await rig.admin.open_launch("client", 1)
        rig.two.hold = True
        said: list[str] = []

        async def call() -> None:
            said.append(await rig.say(launch.token))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            with anyio.fail_after(40):
                while not rig.two.asked:  # noqa: ASYNC110 - the upstream is a server of its own
                    await anyio.sleep(0.01)
            await rig.admin.switch(launch.id, "other")
            assert await rig.say(launch.token) == "from messages"
            rig.two.held.set()
        assert said == ["from chat"]


async def test_a_launch_with_a_choice(tmp_path: Path) -> None:
    """A profile gives its environment and its routes to the launch that asks for it, and is gone with it."""
    async with rigged(tmp_path) as rig:
        launch = await rig.admin.open_launch("client", 1, profile="other")
        assert launch.env == {"PLANTED": "by the profile"}
        assert await rig.say(launch.token) == "from messages"
        (state,) = (await rig.admin.status()).launches
        assert (state.profile, state.via) == ("other", None)
        await rig.admin.close_launch(launch.id)
        assert rig.host.gateway.line.launches == {}


async def test_a_choice_survives_a_reload(tmp_path: Path) -> None:
    """What a profile says now holds for those who go by it."""
    async with rigged(tmp_path) as rig:
        launch = await rig.admin.open_launch("client", 1, profile="other")
        file = tmp_path / "config.toml"
        file.write_text(file.read_text().replace("messages:large", "messages:larger"))
        await rig.admin.reload()
        assert await rig.say(launch.token) == "from messages"
        assert rig.two.asked == ["messages:larger"]


async def test_conversations_of_a_launch(tmp_path: Path) -> None:
    """The client's own ids, the latest first; they go with the launch, and belong to no other."""
    async with rigged(tmp_path) as rig:
        first = await rig.admin.open_launch("first", 1, project="/srv/site")
        await rig.admin.open_launch("second", 2)
        for session in ("one", "two", "one", ""):
            await rig.say(first.token, session=session)
        states = {state.name: state for state in (await rig.admin.status()).launches}
        assert states["first"].sessions == ("one", "two")
        assert states["first"].project == "/srv/site"
        assert states["second"].sessions == ()


async def test_a_launch_whose_opener_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its client may live on, so it is let in; once it is silent, it is as if it had been closed."""
    async with rigged(tmp_path) as rig:
        async with await anyio.open_process([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as opener:
            launch = await rig.admin.open_launch("left", opener.pid)
            stays = await rig.admin.open_launch("stays", os.getpid())
            assert [state.orphan for state in (await rig.admin.status()).launches] == [False, False]
            opener.kill()
        assert [state.orphan for state in (await rig.admin.status()).launches] == [True, False]
        assert await rig.say(launch.token) == "from chat"
        rig.two.hold = True
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.say, launch.token)
            with anyio.fail_after(40):
                while len(rig.two.asked) < 2:  # noqa: ASYNC110 - the upstream is a server of its own
                    await anyio.sleep(0.01)
            monkeypatch.setattr(launching, "ORPHAN_SECONDS", 0.0)  # a call that is under way is no silence
            assert len((await rig.admin.status()).launches) == 2
            rig.two.held.set()
        with anyio.fail_after(40):  # the client has all of its answer before the call is over
            while len(left := (await rig.admin.status()).launches) > 1:  # noqa: ASYNC110 - another may close it
                await anyio.sleep(0.01)
        assert [state.id for state in left] == [stays.id]
        assert launch.id not in rig.host.gateway.line.launches
        assert await rig.say(stays.token) == "from chat"


@pytest.mark.parametrize(
    "to, told",
    [
        ("othr", "neither a profile nor a provider"),
        ("messages:", "names no model"),
    ],
)
async def test_what_cannot_be_changes_nothing(tmp_path: Path, to: str, told: str) -> None:
    """A mistake is told, and the client's calls go where they went."""
    async with rigged(tmp_path) as rig:
        launch = await rig.admin.open_launch("client", 1, via="messages:m")
        with pytest.raises(GatewayError, match=told):
            await rig.admin.switch(launch.id, to)
        with pytest.raises(GatewayError, match="there is no launch"):
            await rig.admin.switch("nobody", "other")
        with pytest.raises(GatewayError, match="there is no profile `nothing`"):
            await rig.admin.open_launch("client", 1, profile="nothing")
        assert [each.id for each in (await rig.admin.status()).launches] == [launch.id]
        assert await rig.say(launch.token) == "from messages"


async def test_a_switch_while_a_configuration_is_read(tmp_path: Path) -> None:
    """A reload takes back no switch that was made meanwhile, loses no launch, and brings none back."""
    reached, go_on = threading.Event(), threading.Event()
    go_on.set()

    def before(choice: Choice) -> None:
        if choice.profile and not go_on.is_set():
            reached.set()
            go_on.wait(30)

    async with rigged(tmp_path, before) as rig:
        first, second, third = [await rig.admin.open_launch(name, 1, profile="other") for name in ("a", "b", "c")]
        opened: list[str] = []

        async def switched() -> None:
            await rig.admin.switch(first.id, "default")
            opened.append((await rig.admin.open_launch("d", 4, via="messages:large")).token)

        go_on.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rig.admin.reload)
            await anyio.to_thread.run_sync(reached.wait)
            tasks.start_soon(switched)
            await rig.admin.close_launch(second.id)
            assert await rig.say(third.token) == "from messages"
            go_on.set()
        assert await rig.say(first.token) == "from chat"
        assert await rig.say(third.token) == "from messages"
        assert await rig.say(opened[0]) == "from messages"
        assert rig.host.gateway.line.launches.keys().isdisjoint({first.id, second.id})
