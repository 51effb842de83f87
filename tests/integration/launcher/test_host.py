"""A gateway in this process: it listens, others find it, and nothing of it is left."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import aiohttp
import msgspec
import pytest

from strowger.client import Admin
from strowger.config.schema import Config, Server
from strowger.config.schema import Log as LogConfig
from strowger.errors import ConfigError, Forbidden, Unreachable
from strowger.launcher import sessions
from strowger.launcher.host import hosted, local_url, open_log, quiet_log
from strowger.launcher.setup import demo_setup, ephemeral

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The loop that the server is written for."""
    return "asyncio"


async def test_others_find_it_and_it_goes_without_a_trace(tmp_path: Path) -> None:
    """While it runs it is among the sessions, with a token that opens its admin API; afterwards it is not."""
    folder = sessions.directory(os.environ)
    setup = ephemeral(demo_setup())
    async with hosted(setup, env=os.environ, kind="serve", log=quiet_log(setup.config, os.environ)) as host:
        (session,) = sessions.running(folder)
        assert (session.pid, session.url, session.kind) == (os.getpid(), host.url, "serve")
        async with Admin(session.url, session.admin_token) as admin:
            status = await admin.status()
            assert (status.pid, [provider.credential for provider in status.providers]) == (os.getpid(), ["none"])
            assert {model.id for model in (await admin.models()).models} >= {"demo", "demo-fast"}
        async with Admin(session.url, "wrong") as stranger:
            with pytest.raises(Forbidden):
                await stranger.status()
    assert list(folder.iterdir()) == []
    async with Admin(session.url, session.admin_token) as admin:
        with pytest.raises(Unreachable):
            await admin.status()


async def test_launches_have_tokens_of_their_own() -> None:
    """A launch's token lets in while it is open, and no longer."""
    setup = ephemeral(demo_setup())
    log = quiet_log(setup.config, os.environ)
    async with (
        hosted(setup, env=os.environ, kind="run", log=log, token_required=True) as host,
        Admin(host.url, host.gateway.access.admin_token) as admin,
        aiohttp.ClientSession() as http,
    ):
        launch = await admin.open_launch("probe", 7)
        assert [(each.name, each.pid) for each in (await admin.status()).launches] == [("probe", 7)]
        assert launch.token not in repr(launch)
        statuses = []
        for _ in range(2):
            async with http.get(f"{host.url}/v1/models", headers={"x-api-key": launch.token}) as response:
                statuses.append(response.status)
            if len(statuses) == 1:
                await admin.close_launch(launch.id)
        assert statuses == [200, 403]


async def test_a_taken_port_is_told_before_anything_runs() -> None:
    """The hint says what may be there already; no session is left."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        setup = demo_setup(Server(port=taken.getsockname()[1]))
        with pytest.raises(ConfigError, match="cannot listen") as caught:
            async with hosted(setup, env=os.environ, kind="serve"):
                pytest.fail("two gateways on one port")
    assert "strowger status" in (caught.value.hint or "")
    assert sessions.running(sessions.directory(os.environ)) == []


@pytest.mark.parametrize(
    "listening, local",
    [
        ("http://127.0.0.1:4000", "http://127.0.0.1:4000"),
        ("http://0.0.0.0:4000", "http://127.0.0.1:4000"),
        ("http://[::]:4000", "http://[::1]:4000"),
        ("http://192.0.2.7:4000", "http://192.0.2.7:4000"),
    ],
)
def test_all_addresses_are_also_loopback(listening: str, local: str) -> None:
    """Who is told to go to 0.0.0.0 is told where that is from here."""
    assert local_url(listening) == local


def test_the_log_keeps_off_the_terminal(tmp_path: Path) -> None:
    """The terminal is the client's; the log goes to a file that its owner alone can read."""
    env = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    log = quiet_log(Config(), env)
    log.write("info", "probe", {})
    log.close()
    file = tmp_path / "strowger" / "gateway.log"
    assert "probe" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


async def test_a_gateway_on_a_terminal_writes_the_file_all_the_same(tmp_path: Path) -> None:
    """What scrolled by can be read again; that it began and ended is in the file alone."""
    env = {"XDG_STATE_HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run"), "HOME": str(tmp_path)}
    async with hosted(demo_setup(Server(port=0)), env=env, kind="serve") as host:
        assert sessions.running(sessions.directory(env))[0].log == str(tmp_path / "strowger" / "gateway.log")
    lines = [msgspec.json.decode(line) for line in (tmp_path / "strowger" / "gateway.log").read_bytes().splitlines()]
    assert [(line["event"], line["url"]) for line in lines] == [("started", host.url), ("stopped", host.url)]


def test_a_state_directory_that_cannot_be_written_to_is_no_obstacle(tmp_path: Path) -> None:
    """The gateway works without its file; standard error says so where it is read."""
    (tmp_path / "strowger").write_text("in the way")
    env = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    for log in (quiet_log(Config(), env), open_log(Config(), env)):
        log.write("info", "probe", {})
        log.close()
    with pytest.raises(OSError):
        quiet_log(Config(log=LogConfig(file=str(tmp_path / "strowger" / "a.log"))), env)
