"""Logins refreshed at fake issuers over real sockets: when, how often, and what happens when it goes wrong."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from strowger.auth.issuers import CODEX, KIMI
from strowger.auth.oauth import Ask, Reply
from strowger.auth.refreshing import OAuthSource, Patience
from strowger.errors import CredentialError, ErrorKind, LoginNeeded
from tests.fakes.issuer_codex import CodexIssuer
from tests.fakes.issuer_kimi import KimiIssuer
from tests.integration.auth.refresher import at, exchange, kept, source_of, store_of

pytestmark = pytest.mark.anyio

HOUR = 3600.0
TOKEN = "/oauth/token"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def issuer() -> AsyncIterator[CodexIssuer]:
    async with CodexIssuer(lifetime=HOUR) as fake:
        yield fake


def ended(home: Path, issuer: CodexIssuer) -> str:
    """A login whose access token has ended; gives that token."""
    now = time.time()
    issuer.clock.forward(-2 * HOUR)
    login = kept(home, issuer.login(), now - 2 * HOUR)
    issuer.clock.forward(2 * HOUR)
    return login.tokens.access.reveal()


async def no_sleep(_: float) -> None:
    await anyio.lowlevel.checkpoint()


async def test_a_fresh_login_is_used_as_it_is(tmp_path: Path, issuer: CodexIssuer) -> None:
    """While a token is good nobody is asked; it goes with the headers that say whose it is."""
    login = kept(tmp_path, issuer.login(), time.time())
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        credential = await source.credential()
        assert await source.credential() is credential
    assert credential.value == login.tokens.access
    assert credential.companions == (("ChatGPT-Account-ID", issuer.account.id),)
    assert issuer.requests == []


async def test_an_ended_login_is_refreshed_and_stored(tmp_path: Path, issuer: CodexIssuer) -> None:
    """What has ended is refreshed before it is used, and the store has the new refresh token by then."""
    old = ended(tmp_path, issuer)
    notes: list[str] = []
    async with source_of(tmp_path, at(CODEX, issuer.base_url), notes=notes) as source:
        token = (await source.credential()).value.reveal()
        stored = store_of(tmp_path).load("codex")
    assert token != old
    assert issuer.accepts(token)
    assert stored.tokens.access.reveal() == token
    assert stored.tokens.refresh is not None
    assert stored.tokens.refresh.reveal() == issuer.grants[0].refresh
    assert notes == ["the login codex was refreshed"]


async def test_what_a_reply_leaves_out_stays(tmp_path: Path, issuer: CodexIssuer) -> None:
    """An issuer that answers with an access token alone leaves the refresh token, the id token and the holder."""
    ended(tmp_path, issuer)
    before = store_of(tmp_path).load("codex")
    issuer.sparse = True
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        token = (await source.credential()).value
        after = store_of(tmp_path).load("codex")
    assert token == after.tokens.access != before.tokens.access
    assert (after.tokens.refresh, after.tokens.id_token) == (before.tokens.refresh, before.tokens.id_token)
    assert (after.holder, after.obtained_at) == (before.holder, before.obtained_at)


async def test_a_hundred_calls_cause_one_refresh(tmp_path: Path, issuer: CodexIssuer) -> None:
    """Whoever needs the login while it is being refreshed waits for that refresh, and gets what came of it."""
    ended(tmp_path, issuer)
    tokens: list[str] = []

    async def call(source: OAuthSource) -> None:
        tokens.append((await source.credential()).value.reveal())

    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        async with anyio.create_task_group() as calls:
            for _ in range(100):
                calls.start_soon(call, source)
    assert issuer.count(TOKEN) == 1
    assert len(tokens) == 100
    assert len(set(tokens)) == 1
    assert issuer.accepts(tokens[0])


async def test_a_storm_of_refusals_causes_one_refresh(tmp_path: Path, issuer: CodexIssuer) -> None:
    """A hundred calls whose token was refused at once have it replaced once, and all go on with the new one."""
    kept(tmp_path, issuer.login(), time.time())
    tokens: list[str] = []

    async def call(source: OAuthSource, ready: anyio.Event) -> None:
        used = await source.credential()
        await ready.wait()
        assert source.invalidate(used)
        tokens.append((await source.credential()).value.reveal())

    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        ready = anyio.Event()
        async with anyio.create_task_group() as calls:
            for _ in range(100):
                calls.start_soon(call, source, ready)
            await anyio.wait_all_tasks_blocked()
            ready.set()
    assert issuer.count(TOKEN) == 1
    assert len(set(tokens)) == 1


async def test_a_refused_token_is_first_looked_for_in_the_store(tmp_path: Path, issuer: CodexIssuer) -> None:
    """When another process has refreshed meanwhile, its token is taken, and nobody is asked."""
    first = kept(tmp_path, issuer.login(), time.time())
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        used = await source.credential()
        assert used.value == first.tokens.access
        second = kept(tmp_path, issuer.login(), time.time())
        assert source.invalidate(used)
        assert (await source.credential()).value == second.tokens.access
    assert issuer.count(TOKEN) == 0


async def test_a_token_that_has_just_come_is_not_replaced(tmp_path: Path, issuer: CodexIssuer) -> None:
    """An upstream that refuses what was refreshed a moment ago refuses the user: there is nothing to be tried again."""
    ended(tmp_path, issuer)
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        fresh = await source.credential()
        assert not source.invalidate(fresh)
        assert await source.credential() is fresh
    assert issuer.count(TOKEN) == 1


async def test_a_caller_who_leaves_does_not_stop_the_refresh(tmp_path: Path, issuer: CodexIssuer) -> None:
    """The one who caused a refresh may be cancelled: it goes on, and what came of it is used by the others."""
    ended(tmp_path, issuer)
    issuer.hold = True
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        with anyio.CancelScope() as impatient:
            async with anyio.create_task_group() as calls:
                calls.start_soon(source.credential)
                await issuer.until(lambda: issuer.count(TOKEN) == 1)
                impatient.cancel()
        issuer.hold = False
        assert issuer.accepts((await source.credential()).value.reveal())
    assert issuer.count(TOKEN) == 1


async def test_waiting_has_an_end(tmp_path: Path, issuer: CodexIssuer) -> None:
    """Nobody waits for an issuer for ever; the refresh goes on for those who come later."""
    ended(tmp_path, issuer)
    issuer.hold = True
    async with source_of(tmp_path, at(CODEX, issuer.base_url), patience=Patience(wait=0.05)) as source:
        with pytest.raises(CredentialError, match="took longer than") as caught:
            await source.credential()
        assert caught.value.retry_after
        issuer.hold = False
        await issuer.until(lambda: issuer.accepts(known(source)))
        assert issuer.accepts((await source.credential()).value.reveal())
    assert issuer.count(TOKEN) == 1


def known(source: OAuthSource) -> str:
    credential = source.known()
    return credential.value.reveal() if credential else ""


async def test_stopping_waits_for_an_answer_that_is_on_its_way(tmp_path: Path, issuer: CodexIssuer) -> None:
    """A gateway that stops in the middle of a refresh first stores what the issuer has granted."""
    ended(tmp_path, issuer)
    issuer.hold = True

    async def stop() -> None:
        await issuer.until(lambda: issuer.count(TOKEN) == 1)
        scope.cancel()
        issuer.hold = False

    async with anyio.create_task_group() as others:
        with anyio.CancelScope() as scope:
            async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
                others.start_soon(stop)
                await source.credential()
    tokens = store_of(tmp_path).load("codex").tokens
    assert tokens.refresh is not None
    assert tokens.refresh.reveal() == issuer.grants[0].refresh


@pytest.mark.parametrize("why, code", [("expired", "refresh_token_expired"), ("revoked", "refresh_token_invalidated")])
async def test_a_permanent_refusal_asks_for_a_new_login(
    tmp_path: Path, issuer: CodexIssuer, why: str, code: str
) -> None:
    """Such a refusal is told with the command that helps, remembered, and forgotten as soon as there is a new login."""
    ended(tmp_path, issuer)
    issuer.end_logins(why)
    async with source_of(tmp_path, at(CODEX, issuer.base_url), owner="provider codex") as source:
        for _ in range(3):
            with pytest.raises(LoginNeeded) as caught:
                await source.credential()
            assert caught.value.hint == "strowger login codex"
            assert caught.value.message.startswith("no credential for provider codex: ")
        assert issuer.count(TOKEN) == 1
        login = kept(tmp_path, issuer.login(), time.time())
        assert (await source.credential()).value == login.tokens.access
    assert issuer.count(TOKEN) == 1


async def test_a_refusal_says_its_code(tmp_path: Path, issuer: CodexIssuer) -> None:
    """The issuer's short word is in the error; no token is."""
    ended(tmp_path, issuer)
    issuer.end_logins("expired")
    secrets = store_of(tmp_path).load("codex").tokens
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        with pytest.raises(LoginNeeded) as caught:
            await source.credential()
    assert "refresh_token_expired" in caught.value.message
    for secret in (secrets.access, secrets.refresh, secrets.id_token):
        assert secret is not None
        assert secret.reveal() not in f"{caught.value.text} {caught.value!r} {source!r} {secrets!r}"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 0])
async def test_an_issuer_in_trouble_is_asked_again(tmp_path: Path, issuer: CodexIssuer, status: int) -> None:
    """What passes by itself is tried again, a little later."""
    ended(tmp_path, issuer)
    issuer.fails(TOKEN, status, times=2)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with source_of(tmp_path, at(CODEX, issuer.base_url), sleep=sleep) as source:
        assert issuer.accepts((await source.credential()).value.reveal())
    assert issuer.count(TOKEN) == 3
    assert len(slept) == 2
    assert 0 < slept[0] < slept[1]


async def test_an_issuer_that_stays_in_trouble_is_left_alone(tmp_path: Path, issuer: CodexIssuer) -> None:
    """After three tries the calls fail, as something to be tried later; those that come soon do not ask again."""
    ended(tmp_path, issuer)
    issuer.fails(TOKEN, 503, times=100)
    async with source_of(tmp_path, at(CODEX, issuer.base_url), sleep=no_sleep) as source:
        for _ in range(4):
            with pytest.raises(CredentialError) as caught:
                await source.credential()
            assert not isinstance(caught.value, LoginNeeded)
            assert caught.value.kind is ErrorKind.OVERLOADED
            assert caught.value.retry_after
    assert issuer.count(TOKEN) == 3


async def test_the_issuers_own_pause_counts(tmp_path: Path, issuer: CodexIssuer) -> None:
    """`retry-after` is obeyed: a short one is waited for, a long one is told to the caller."""
    ended(tmp_path, issuer)
    issuer.fails(TOKEN, 429, headers={"retry-after": "2"})
    issuer.fails(TOKEN, 429, headers={"retry-after": "40"})
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with source_of(tmp_path, at(CODEX, issuer.base_url), sleep=sleep) as source:
        with pytest.raises(CredentialError) as caught:
            await source.credential()
    assert slept == [2.0]
    assert issuer.count(TOKEN) == 2
    assert caught.value.retry_after is not None
    assert 30 < caught.value.retry_after <= 40


@pytest.mark.parametrize("trouble", ["503", "ended"])
async def test_a_good_token_is_used_until_it_ends(tmp_path: Path, issuer: CodexIssuer, trouble: str) -> None:
    """When a refresh ahead of time fails, the calls go on with the token that there is, and nobody is asked in vain."""
    now = time.time()
    issuer.clock.forward(-(HOUR - 120))
    login = kept(tmp_path, issuer.login(), now - (HOUR - 120))
    issuer.clock.forward(HOUR - 120)
    if trouble == "503":
        issuer.fails(TOKEN, 503, times=100)
    else:
        issuer.end_logins("revoked")
    notes: list[str] = []
    async with source_of(tmp_path, at(CODEX, issuer.base_url), notes=notes, sleep=no_sleep) as source:
        for _ in range(3):
            assert (await source.credential()).value == login.tokens.access
            await issuer.until(lambda: bool(notes))
    assert issuer.count(TOKEN) == (3 if trouble == "503" else 1)
    assert len(notes) == 1
    assert "is used until it ends" in notes[0]


async def test_a_login_that_is_due_is_refreshed_without_waiting(tmp_path: Path, issuer: CodexIssuer) -> None:
    """A token with less than five minutes left goes out at once, while the next one is fetched."""
    now = time.time()
    login = kept(tmp_path, {**issuer.login(), "expires_in": 299}, now)
    issuer.hold = True
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        # 299 seconds of life: due when three quarters of that are left, so not yet.
        assert (await source.credential()).value == login.tokens.access
    assert issuer.count(TOKEN) == 0
    kept(tmp_path, issuer.login(), now - HOUR + 200)
    async with source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        old = await source.credential()
        assert issuer.accepts(old.value.reveal())
        await issuer.until(lambda: issuer.count(TOKEN) == 1)
        assert await source.credential() is old
        issuer.hold = False
    assert known(source) != old.value.reveal()
    assert issuer.accepts(known(source))


async def test_a_reply_that_was_lost_is_no_end(tmp_path: Path, issuer: CodexIssuer) -> None:
    """When the answer to a refresh is lost, the token has been used up: the next try is told so, and says `log in`."""
    ended(tmp_path, issuer)
    issuer.loses = 1
    async with source_of(tmp_path, at(CODEX, issuer.base_url), sleep=no_sleep) as source:
        with pytest.raises(LoginNeeded, match="refresh_token_reused"):
            await source.credential()
    assert store_of(tmp_path).load("codex").tokens.refresh is not None


async def test_no_login(tmp_path: Path) -> None:
    """Where nobody has logged in, the error names the command; after that has been run there is a credential."""
    async with CodexIssuer() as issuer, source_of(tmp_path, at(CODEX, issuer.base_url)) as source:
        with pytest.raises(LoginNeeded, match="there is no login for codex") as caught:
            await source.credential()
        assert caught.value.hint == "strowger login codex"
        login = kept(tmp_path, issuer.login(), time.time())
        assert (await source.credential()).value == login.tokens.access


@pytest.mark.parametrize("status, body", [(401, b"{}"), (403, b"no"), (400, b'{"error": "invalid_grant"}')])
async def test_kimi_ends_a_login_in_its_own_ways(tmp_path: Path, status: int, body: bytes) -> None:
    """At Kimi 401, 403 and `invalid_grant` mean that the user has to log in again."""
    async with KimiIssuer() as issuer:
        kept(tmp_path, issuer.login(device="d1"), time.time() - 1000, KIMI, device_id="d1")
        issuer.fails("/api/oauth/token", status, body)
        async with source_of(tmp_path, at(KIMI, issuer.base_url)) as source:
            with pytest.raises(LoginNeeded) as caught:
                await source.credential()
        assert caught.value.hint == "strowger login kimi"


async def test_kimi_is_told_the_device(tmp_path: Path) -> None:
    """A refresh and the credential name the device that the login is bound to, and us as what we are."""
    async with KimiIssuer() as issuer:
        kept(tmp_path, issuer.login(device="d1"), time.time() - 1000, KIMI, device_id="d1")
        async with source_of(tmp_path, at(KIMI, issuer.base_url)) as source:
            credential = await source.credential()
    assert ("X-Msh-Device-Id", "d1") in credential.companions
    assert ("X-Msh-Platform", "strowger") in credential.companions
    assert issuer.requests[0].header("x-msh-device-id") == "d1"


async def test_somebody_without_a_lock_is_not_fatal(tmp_path: Path, issuer: CodexIssuer) -> None:
    """When a program that takes no locks has used the refresh token up and stored its own, that one is taken."""
    ended(tmp_path, issuer)
    other = issuer.login()

    async def send(ask: Ask) -> Reply:
        kept(tmp_path, other, time.time())
        issuer.grants[0].end = "revoked"
        return await exchange(ask)

    async with source_of(tmp_path, at(CODEX, issuer.base_url), send=send) as source:
        assert (await source.credential()).value.reveal() == other["access_token"]
    assert issuer.count(TOKEN) == 1


class Steady:
    """A steady clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_new_login_counts_at_once(tmp_path: Path, issuer: CodexIssuer) -> None:
    """Whoever logs in again, perhaps as somebody else, need not wait for the old login to be due."""
    kept(tmp_path, issuer.login(), time.time())
    steady = Steady()
    async with source_of(tmp_path, at(CODEX, issuer.base_url), monotonic=steady) as source:
        await source.credential()
        steady.now += 2
        again = kept(tmp_path, issuer.login(), time.time())
        assert (await source.credential()).value == again.tokens.access
    assert issuer.count(TOKEN) == 0


async def test_a_logout_counts_at_once(tmp_path: Path, issuer: CodexIssuer) -> None:
    """After a logout nothing of the login is used any more, though it is still in memory."""
    kept(tmp_path, issuer.login(), time.time())
    steady = Steady()
    async with source_of(tmp_path, at(CODEX, issuer.base_url), monotonic=steady) as source:
        await source.credential()
        steady.now += 2
        store_of(tmp_path).delete("codex")
        with pytest.raises(LoginNeeded, match="there is no login"):
            await source.credential()
        assert source.known() is None


async def test_a_file_that_cannot_be_read_is_no_logout(tmp_path: Path, issuer: CodexIssuer) -> None:
    """While the stored login is not to be trusted, what was read of it before is used on, and that is said."""
    kept(tmp_path, issuer.login(), time.time())
    steady, notes = Steady(), list[str]()
    path = store_of(tmp_path).path("codex")
    async with source_of(tmp_path, at(CODEX, issuer.base_url), monotonic=steady, notes=notes) as source:
        first = await source.credential()
        steady.now += 2
        path.write_bytes(path.read_bytes() + b" ")
        path.chmod(0o644)
        assert await source.credential() is first
        steady.now += 2
        assert await source.credential() is first
    assert len(notes) == 1
    assert "others may read" in notes[0]
