"""What a client is told, when it starts, of where its conversation leads."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from strowger.cli.sessions import room_news
from strowger.client import Admin
from strowger.config.schema import Launching, Slots
from strowger.launcher.host import hosted, quiet_log
from strowger.launcher.run import Order, run
from strowger.launcher.setup import Setup, demo_setup, ephemeral

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="a script for a program")]

ROOM = "CLAUDE_CODE_AUTO_COMPACT_WINDOW"
LAUNCH = Launching(via="demo:kimi-k2", models=Slots(haiku="demo:gpt-4o"), always_control=True)


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the launcher is written for."""
    return "asyncio"


@pytest.fixture
def claude(tmp_path: Path) -> Path:
    """A Claude Code that tells its version, and leaves its environment in a file."""
    program = tmp_path / "claude"
    program.write_text(
        f"#!{sys.executable}\nimport os, pathlib, sys\n"
        "if '--version' in sys.argv: sys.exit(print('2.1.329 (Claude Code)'))\n"
        f"pathlib.Path({str(tmp_path / 'told')!r}).write_text(os.environ.get({ROOM!r}, 'nothing'))\n"
    )
    program.chmod(0o700)
    return program


def setup() -> Setup:
    return Setup(replace(demo_setup().config, launch=LAUNCH))


@pytest.mark.parametrize("joined", [True, False], ids=["joined", "own gateway"])
async def test_the_room_of_the_model_that_answers(claude: Path, tmp_path: Path, joined: bool) -> None:
    """It is told to the client and to its user, on a gateway of its own and on one that is joined; and so is the truth
    on Remote Control, which the profile asks for.
    """
    told: list[str] = []
    order = Order(str(claude), alone=not joined)
    if joined:
        own = ephemeral(setup())
        async with hosted(own, env=os.environ, kind="serve", log=quiet_log(own.config, os.environ)):
            assert await run(order, env=os.environ, setup=setup, tell=told.append) == 0
    else:
        assert await run(order, env=os.environ, setup=setup, tell=told.append) == 0
    assert (tmp_path / "told").read_text() == "262144"
    assert "note: a conversation has room for 262,144 tokens, those of demo:kimi-k2" in told
    assert [
        line for line in told if line.startswith("note: no Remote Control in this session of Claude Code 2.1.329: ")
    ]


async def test_who_says_it_himself(claude: Path, tmp_path: Path) -> None:
    """The user's own word stands, and he is told nothing."""
    told: list[str] = []
    env = {**os.environ, ROOM: "150000"}
    assert await run(Order(str(claude), alone=True), env=env, setup=setup, tell=told.append) == 0
    assert (tmp_path / "told").read_text() == "150000"
    assert not any("room for" in line for line in told)


async def test_a_switch_that_changes_the_room() -> None:
    """The client was told when it started; whoever switches it hears where that holds no more."""
    own = ephemeral(replace(setup(), again=demo_setup().again))
    async with hosted(own, env=os.environ, kind="serve", log=quiet_log(own.config, os.environ)) as host:
        async with Admin(host.url, host.gateway.access.admin_token) as admin:
            launch = await admin.open_launch("claude", os.getpid(), via="demo:kimi-k2")
            assert room_news(await admin.switch(launch.id, "demo:gpt-4o")) is None  # it has not asked
            await admin.switch(launch.id, "demo:kimi-k2")
            assert (await admin.prospect(launch.id, ["claude-opus-5-5"], knows=["claude-*"])).room == 262_144
            less = await admin.switch(launch.id, "demo:gpt-4o")
            same = await admin.switch(launch.id, "demo:kimi-k2")
            more = await admin.switch(launch.id, "demo:gemini-3-pro")
            await admin.close_launch(launch.id)
    assert (less.room, less.target, less.told_room) == (128_000, "demo:gpt-4o", 262_144)
    assert (room_news(less) or "").startswith(
        "note: demo:gpt-4o has room for a conversation of 128,000 tokens; of that"
    )
    assert room_news(same) is None
    assert (room_news(more) or "").startswith("note: the client goes on compacting at 262,144 tokens")
