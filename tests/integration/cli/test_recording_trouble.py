"""A gateway that records, as a process of its own: killed in the midst, on a full disk, with files that are none.

Whatever becomes of the recording, calls go on, and the user is told where they look.
"""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import aiohttp
import anyio
import anyio.to_thread
import pytest
from aiohttp import web

from strowger.flows.archive import Archive
from tests.integration.cli.conftest import DEADLINE, Served
from tests.integration.gateway.rig import ANTHROPIC_HELLO, upstream

pytestmark = pytest.mark.anyio

CONFIG = """
[server]
port = 0
[providers.up]
dialect = "anthropic"
base_url = "{url}"
[[routes]]
match = {{ model = "*" }}
to = "up"
"""
ENDLESS = 150
# Of a gateway's file on a disk that is nearly full: room for the tables and for little else.
ROOM = 300_000


@pytest.fixture
def anyio_backend() -> str:
    """The loop of the vendor and of the clients."""
    return "asyncio"


async def vendor(request: web.Request) -> web.StreamResponse:
    """Whoever asks for `endless` hears the beginning of an answer, and never its end."""
    is_endless = b"endless" in await request.read()
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    await response.write(ANTHROPIC_HELLO[: ANTHROPIC_HELLO.index(b"event: content_block_stop")])
    if is_endless:
        await anyio.sleep_forever()
    await response.write(ANTHROPIC_HELLO[ANTHROPIC_HELLO.index(b"event: content_block_stop") :])
    return response


class Home:
    """Where a gateway lives: its configuration and its state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = path / "state" / "strowger"
        self.config = path / "config.toml"

    @contextmanager
    def gateway(self) -> Iterator[Served]:
        """`strowger serve`."""
        command = [sys.executable, "-m", "strowger", "serve", "--config", str(self.config)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr
                banner = ""
                while "pid file" not in banner:
                    line = process.stderr.readline()
                    assert line, f"ended with {process.wait()} after: {banner}"
                    banner += line
                listening = re.search(r"listens on (\S+)", banner)
                assert listening
                yield Served(process, listening[1], banner)
            finally:
                process.kill()

    def outcomes(self) -> Counter[str]:
        """How the calls in the store ended, by that many."""
        archive = Archive(self.state / "flows.db")
        try:
            return Counter(str(flow["outcome"]) for flow in archive.list(limit=2000))
        finally:
            archive.close()

    def status(self) -> str:
        """What `strowger status` says."""
        command = [sys.executable, "-m", "strowger", "status"]
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=True).stdout

    def doctor(self) -> str:
        """What `strowger doctor` says of what needs attention."""
        command = [sys.executable, "-m", "strowger", "doctor"]
        found = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert found.returncode == 1
        return found.stdout

    def told(self, event: str) -> list[dict[str, object]]:
        """The lines of the log about something."""
        lines = map(json.loads, (self.state / "gateway.log").read_text().splitlines())
        return [line for line in lines if line["event"] == event]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """For the gateway, and for the commands that look for it."""
    for name, folder in (("HOME", "home"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
        (tmp_path / folder).mkdir(mode=0o700)
        monkeypatch.setenv(name, str(tmp_path / folder))
    return Home(tmp_path)


class Clients:
    """Who asks."""

    def __init__(self, session: aiohttp.ClientSession, stack: AsyncExitStack) -> None:
        self._session = session
        self._stack = stack

    async def ask(self, url: str, model: str, said: str = "hi") -> None:
        """A call that is answered well: to its end, or to the first words of an endless answer, which stays open."""
        asked = {"model": model, "max_tokens": 9, "stream": True, "messages": [{"role": "user", "content": said}]}
        answer = await self._stack.enter_async_context(self._session.post(f"{url}/v1/messages", json=asked))
        assert answer.status == 200
        if model == "endless":
            assert b"message_start" in await answer.content.readany()
        else:
            assert b"message_stop" in await answer.read()

    async def ask_all(self, url: str, count: int, model: str = "m", said: str = "hi") -> None:
        """So many at once."""
        async with anyio.create_task_group() as tasks:
            for number in range(count):
                tasks.start_soon(self.ask, url, model, f"{said} {number}")


@pytest.fixture
async def clients(home: Home) -> object:
    """Clients, and the vendor that the configuration leads to."""
    async with AsyncExitStack() as stack:
        home.config.write_text(CONFIG.format(url=await stack.enter_async_context(upstream(vendor))))
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield Clients(session, await stack.enter_async_context(AsyncExitStack()))


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    with anyio.fail_after(DEADLINE):
        while not await anyio.to_thread.run_sync(condition):  # noqa: ASYNC110  it is another process that is waited for
            await anyio.sleep(0.05)


async def test_killed_in_the_midst_of_calls(home: Home, clients: Clients) -> None:
    """What had ended is there, what ran is lost, and the next gateway goes on with the same file."""
    with home.gateway() as served:
        await clients.ask_all(served.url, 50)
        await clients.ask_all(served.url, ENDLESS, "endless")
        await until(lambda: home.outcomes() == {"ok": 50, "running": ENDLESS})
        served.process.kill()
        served.process.wait()
    assert home.outcomes() == {"ok": 50, "lost": ENDLESS}
    with home.gateway() as served:
        await clients.ask_all(served.url, 5)
        await until(lambda: home.outcomes() == {"ok": 55, "lost": ENDLESS})
        assert "warning" not in home.status()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit what another process writes")
async def test_a_full_disk(home: Home, clients: Clients) -> None:
    """All calls are answered, log and status say why none is stored; with room again, the next ones are."""
    with home.gateway() as served:
        await clients.ask(served.url, "m")
        await until(lambda: home.outcomes() == {"ok": 1})
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (ROOM, resource.RLIM_INFINITY))
        for number in range(40):
            await clients.ask(served.url, "m", random.Random(number).randbytes(15_000).hex())
        await until(lambda: home.told("store"))
        assert "the disk" in str(home.told("store")[0]["problem"])
        assert "warning: the store of calls: " in home.status()
        assert home.outcomes()["ok"] < 41
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await until(lambda: home.outcomes() == {"ok": 41})
        assert "warning" not in home.status()


async def test_no_place_for_state(home: Home, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the state directory should be is a file. Calls are answered, and the status says that none is stored."""
    (home.path / "nothing").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home.path / "nothing"))
    with home.gateway() as served:
        await clients.ask_all(served.url, 5)
        await until(lambda: "warning: the store of calls: " in home.status())
        assert "5 calls, 0 running, 0 failed" in home.status()


async def test_a_file_that_is_none(home: Home, clients: Clients) -> None:
    """It is put aside, a new one is begun, and both are told."""
    home.state.mkdir(parents=True)
    (home.state / "flows.db").write_bytes(b"This is no store of calls, but somebody's diary.\n" * 400)
    with home.gateway() as served:
        await clients.ask_all(served.url, 5)
        await until(lambda: list(home.state.glob("flows.db.broken-*")))
        await until(lambda: home.outcomes() == {"ok": 5})
        assert "was broken and is now flows.db.broken-" in home.status()
        assert f"the store of {served.url}:" in home.doctor()
    (kept,) = home.state.glob("flows.db.broken-*")
    assert b"diary" in kept.read_bytes()
