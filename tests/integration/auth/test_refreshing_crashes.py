"""Refreshes of several processes at once, processes that die in the middle of one, and disks that take nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from strowger.auth.issuers import CODEX
from strowger.auth.oauth import Ask, Reply
from strowger.auth.refreshing import OAuthSource
from strowger.auth.stores import Login, LoginStore
from strowger.config.references import Secret
from strowger.errors import CredentialError, LoginNeeded
from tests.fakes.issuer_codex import CodexIssuer
from tests.integration.auth.refresher import DEATHS, at, exchange, kept, source_of, store_of

REPOSITORY = Path(__file__).parents[3]
HOUR = 3600.0
TOKEN = "/oauth/token"


@pytest.fixture
def issuer() -> Iterator[CodexIssuer]:
    with CodexIssuer(lifetime=HOUR).in_thread() as fake:
        yield fake


def ended(home: Path, issuer: CodexIssuer) -> Login:
    """A stored login whose access token has ended."""
    return kept(home, issuer.login(), time.time() - 2 * HOUR)


def started(home: Path, issuer: CodexIssuer, *death: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.auth.refresher", str(home), issuer.base_url, *death]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 0, errors
    return out.strip()


async def refreshed(home: Path, issuer: CodexIssuer) -> str:
    refusals: list[CredentialError] = []
    token = ""
    async with source_of(home, at(CODEX, issuer.base_url)) as source:
        try:
            token = (await source.credential()).value.reveal()
        except CredentialError as error:
            refusals.append(error)
    if refusals:
        raise refusals[0]
    return token


@pytest.mark.slow
def test_processes_that_refresh_at_once_refresh_once(tmp_path: Path, issuer: CodexIssuer) -> None:
    """Of several processes that need the same login, one asks the issuer; the others take what it has stored."""
    ended(tmp_path, issuer)
    issuer.hold = True
    processes = [started(tmp_path, issuer) for _ in range(3)]
    deadline = time.monotonic() + 60
    while issuer.count(TOKEN) == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    issuer.hold = False
    tokens = {finished(process) for process in processes}
    assert issuer.count(TOKEN) == 1
    assert len(tokens) == 1
    assert issuer.accepts(tokens.pop())


@pytest.mark.slow
@pytest.mark.parametrize("where", DEATHS)
def test_a_process_may_die_at_any_step(tmp_path: Path, issuer: CodexIssuer, where: str) -> None:
    """Whenever a process is killed, a whole login is left, the lock is free, and nothing that was stored is lost."""
    old = ended(tmp_path, issuer)
    dying = started(tmp_path, issuer, where)
    dying.communicate(timeout=20)
    assert dying.returncode == -signal.SIGKILL
    left = store_of(tmp_path).load("codex")
    if where == "after renaming":
        assert left.tokens.refresh is not None
        assert left.tokens.refresh.reveal() == issuer.grants[0].refresh
    else:
        assert left == old
    if where in {"before asking", "before renaming", "after renaming"}:
        assert issuer.accepts(anyio.run(refreshed, tmp_path, issuer))
        assert issuer.count(TOKEN) == 1
    else:
        # What was granted died before any disk had it whole; the user is told so, and not left waiting.
        with pytest.raises(LoginNeeded, match="refresh_token_reused"):
            anyio.run(refreshed, tmp_path, issuer)
    assert {path.name for path in (tmp_path / ".local/state/strowger/logins").glob("*.json")} == {"codex.json"}


@pytest.mark.slow
def test_the_remains_of_a_crash_are_cleared_away(tmp_path: Path, issuer: CodexIssuer) -> None:
    """The half-written file that a killed process leaves is gone after the next write; it holds tokens, after all."""
    ended(tmp_path, issuer)
    started(tmp_path, issuer, "while writing").communicate(timeout=20)
    logins = tmp_path / ".local/state/strowger/logins"
    assert list(logins.glob(".*.tmp"))
    old = time.time() - 2 * HOUR
    for path in logins.glob(".*.tmp"):
        os.utime(path, (old, old))
    kept(tmp_path, issuer.login(), time.time())
    assert not list(logins.glob(".*.tmp"))


FULL = """
import json, resource, signal, sys
from pathlib import Path
import anyio
from strowger.auth.issuers import CODEX
from tests.integration.auth.refresher import at, source_of, store_of

async def main(home, url):
    # Files may not grow any more, as on a disk that is full: writing fails with EFBIG.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    notes, turns = [], []
    async def sleep(seconds):
        turns.append(seconds)
        if len(turns) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    before = store_of(home).load("codex")
    async with source_of(home, at(CODEX, url), notes=notes, sleep=sleep) as source:
        used = await source.credential()
    after = store_of(home).load("codex")
    print(json.dumps({
        "notes": notes, "turns": turns, "kept": after.tokens.access == used.value,
        "changed": after.tokens.access != before.tokens.access, "token": used.value.reveal(),
    }))

anyio.run(main, Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path, issuer: CodexIssuer) -> None:
    """What cannot be written is used all the same, said, tried again ever less often, and stored as soon as can be."""
    ended(tmp_path, issuer)
    process = subprocess.Popen(
        [sys.executable, "-c", FULL, str(tmp_path), issuer.base_url],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = json.loads(finished(process))
    assert issuer.accepts(told["token"])
    assert told["turns"] == [1.0, 2.0, 4.0]
    assert (told["changed"], told["kept"]) == (True, True)
    assert told["notes"][0].endswith("the new tokens cannot be stored: File too large")
    assert told["notes"][-1] == "the login codex is stored now"
    assert told["token"] not in str(told["notes"])


class Broken:
    """A shelf that cannot be written to while `fails`."""

    def __init__(self, store: LoginStore) -> None:
        self._shelf = store.shelf("codex")
        self.fails = True
        self.lock_path = self._shelf.lock_path
        self.stamp = self._shelf.stamp
        self.recover = self._shelf.recover
        self.load = self._shelf.load

    def save(self, login: Login) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        self._shelf.save(login)


def test_what_could_not_be_stored_is_stored_at_the_end(tmp_path: Path, issuer: CodexIssuer) -> None:
    """When everything is stopped, what is in memory only is offered to the disk once more."""
    ended(tmp_path, issuer)

    async def main() -> str:
        shelf = Broken(store_of(tmp_path))
        async with anyio.create_task_group() as tasks:
            source = OAuthSource(shelf, at(CODEX, issuer.base_url), exchange=exchange, spawn=tasks.start_soon)
            token = (await source.credential()).value.reveal()
            shelf.fails = False
            tasks.cancel_scope.cancel()
        return token

    assert anyio.run(main) == store_of(tmp_path).load("codex").tokens.access.reveal()


@pytest.mark.parametrize("meanwhile", ["a new login", "a logout"])
def test_what_could_not_be_stored_gives_way(tmp_path: Path, issuer: CodexIssuer, meanwhile: str) -> None:
    """A login made meanwhile is not overwritten with an older one, and after a logout nothing comes back."""
    ended(tmp_path, issuer)
    store = store_of(tmp_path)
    fresh = issuer.login()
    woken = anyio.Event()

    async def sleep(_: float) -> None:
        await woken.wait()

    async def main() -> None:
        shelf = Broken(store)
        async with anyio.create_task_group() as tasks:
            source = OAuthSource(
                shelf, at(CODEX, issuer.base_url), exchange=exchange, spawn=tasks.start_soon, sleep=sleep
            )
            await source.credential()
            if meanwhile == "a logout":
                store.delete("codex")
            else:
                kept(tmp_path, fresh, time.time())
            shelf.fails = False
            woken.set()

    anyio.run(main)
    if meanwhile == "a logout":
        with pytest.raises(LoginNeeded):
            store.load("codex")
    else:
        assert store.load("codex").tokens.access == Secret(fresh["access_token"])


def test_an_unsaved_login_is_refreshed_from_memory(tmp_path: Path, issuer: CodexIssuer) -> None:
    """While the disk takes nothing, the next refresh uses the token in memory, not the spent one on the disk."""
    ended(tmp_path, issuer)
    issuer.lifetime = 1.0
    clock = [time.time()]
    asked: list[bytes] = []

    async def send(ask: Ask) -> Reply:
        asked.append(ask.body)
        return await exchange(ask)

    async def forever(_: float) -> None:
        await anyio.sleep_forever()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            source = OAuthSource(
                Broken(store_of(tmp_path)),
                at(CODEX, issuer.base_url),
                exchange=send,
                spawn=tasks.start_soon,
                now=lambda: clock[0],
                sleep=forever,
            )
            first = await source.credential()
            clock[0] += 10
            second = await source.credential()
            assert first.value != second.value
            tasks.cancel_scope.cancel()

    anyio.run(main)
    assert len(asked) == 2
    assert asked[0] != asked[1]
    assert not issuer.grants[0].end


def test_no_place_for_a_lock(tmp_path: Path, issuer: CodexIssuer) -> None:
    """Where no lock can be made the login is refreshed all the same, and that is said."""
    ended(tmp_path, issuer)
    (tmp_path / ".local/state/strowger/logins/codex.json.lock").mkdir()

    async def main() -> list[str]:
        notes: list[str] = []
        async with source_of(tmp_path, at(CODEX, issuer.base_url), notes=notes) as source:
            assert issuer.accepts((await source.credential()).value.reveal())
        return notes

    assert "refreshed without the lock" in anyio.run(main)[0]
