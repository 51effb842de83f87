"""When a login is due, by clocks that jump and machines that sleep. No issuer, no disk: both are in memory."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import anyio
import msgspec
import pytest

from strowger.auth.credential import Credential
from strowger.auth.files import Stamp
from strowger.auth.issuers import CODEX, KIMI, Issuer
from strowger.auth.oauth import Ask, Reply, Tokens
from strowger.auth.refreshing import OAuthSource, Patience
from strowger.auth.stores import Login
from strowger.config.references import Secret
from strowger.errors import CredentialError, LoginNeeded

GENERIC = Issuer(name="oauth", title="somebody", base="", client_id="c", token="https://issuer.test/token")
DAY = 86400.0


class Shelf:
    """A login in memory."""

    def __init__(self, login: Login, lock_path: Path) -> None:
        self.login = login
        self.lock_path = lock_path

    def stamp(self) -> Stamp | None:
        return Stamp(0, len(self.login.tokens.access.reveal()), 0)

    def recover(self) -> None:
        """Nothing is lost here."""

    def load(self) -> Login:
        return self.login

    def save(self, login: Login) -> None:
        self.login = login


class World:
    """Two clocks, an issuer that grants one numbered token after another, and a source between them."""

    def __init__(self, path: Path, issuer: Issuer, login: Login, *, lifetime: float | None, **answer: object) -> None:
        self.wall = 1_800_000_000.0
        self.steady = 500.0
        self.asked = 0
        self.lifetime = lifetime
        self.answer = answer
        self.shelf = Shelf(login, path / "lock")
        self._issuer = issuer

    async def exchange(self, ask: Ask) -> Reply:
        self.asked += 1
        answer = {"access_token": f"granted-{self.asked}", "refresh_token": f"refresh-{self.asked}", **self.answer}
        if self.lifetime is not None:
            answer["expires_in"] = self.lifetime
        return Reply(200, {}, msgspec.json.encode(answer))

    def passes(self, seconds: float) -> None:
        """Time goes by, on both clocks."""
        self.wall += seconds
        self.steady += seconds

    def source(self) -> OAuthSource:
        return OAuthSource(
            self.shelf,
            self._issuer,
            exchange=self.exchange,
            now=lambda: self.wall,
            monotonic=lambda: self.steady,
            patience=Patience(wait=5.0, lock=5.0),
        )


def stored(issuer: Issuer, now: float, *, lifetime: float | None, age: float = 0.0, ends: float | None = None) -> Login:
    """A login that was refreshed `age` seconds ago."""
    expires = ends if ends is not None else None if lifetime is None else now - age + lifetime
    tokens = Tokens(Secret("stored"), Secret("refresh-0"), expires_at=expires, lifetime=lifetime)
    return Login(issuer.name, tokens, refreshed_at=now - age if lifetime is not None else 0.0, obtained_at=now - age)


WALL = 1_800_000_000.0


def run(world: World, steps: Callable[[World, OAuthSource], object]) -> None:
    async def main() -> None:
        result = steps(world, world.source())
        assert hasattr(result, "__await__")
        await result

    anyio.run(main)


def refreshes_at(tmp_path: Path, issuer: Issuer, login: Login, lifetime: float) -> bool:
    """Whether a call with this login in the store causes a refresh."""
    world = World(tmp_path, issuer, login, lifetime=lifetime)

    async def main() -> None:
        await world.source().credential()

    anyio.run(main)
    return world.asked > 0


@pytest.mark.parametrize(
    "issuer, lifetime, age, due",
    [
        # Codex: five minutes before the end, or after eight days.
        (CODEX, 3600.0, 3299.0, False),
        (CODEX, 3600.0, 3301.0, True),
        (CODEX, 10 * DAY, 7.9 * DAY, False),
        (CODEX, 10 * DAY, 8.1 * DAY, True),
        # Kimi: half of the life, at least five minutes.
        (KIMI, 900.0, 449.0, False),
        (KIMI, 900.0, 451.0, True),
        (KIMI, 500.0, 199.0, False),
        (KIMI, 500.0, 201.0, True),
        (KIMI, 7200.0, 3599.0, False),
        (KIMI, 7200.0, 3601.0, True),
        # Others: a minute.
        (GENERIC, 3600.0, 3539.0, False),
        (GENERIC, 3600.0, 3541.0, True),
        # Never more than three quarters of its life before its end, or it would be due as soon as it came.
        (GENERIC, 40.0, 9.0, False),
        (GENERIC, 40.0, 11.0, True),
        (KIMI, 100.0, 24.0, False),
        (KIMI, 100.0, 26.0, True),
    ],
)
def test_when_a_login_is_due(tmp_path: Path, issuer: Issuer, lifetime: float, age: float, due: bool) -> None:
    """Each issuer's logins are refreshed when its own programs would, and not before."""
    assert refreshes_at(tmp_path, issuer, stored(issuer, WALL, lifetime=lifetime, age=age), lifetime) is due


@pytest.mark.parametrize("left, due", [(61.0, False), (59.0, True), (-5.0, True), (None, False)])
def test_only_the_end_is_known(tmp_path: Path, left: float | None, due: bool) -> None:
    """Of a token of which only the end is known that counts; of which nothing is known, only a refusal does."""
    login = stored(GENERIC, WALL, lifetime=None, ends=None if left is None else WALL + left)
    assert refreshes_at(tmp_path, GENERIC, login, 3600.0) is due


async def _jump_forward(world: World, source: OAuthSource) -> None:
    await source.credential()
    assert world.asked == 0
    world.wall += 10 * 365 * DAY
    first = await source.credential()
    for _ in range(5):
        assert await source.credential() is first
    assert world.asked == 1
    world.passes(3000)
    assert await source.credential() is first
    world.passes(600)
    assert (await source.credential()).value == Secret("granted-2")


async def _jump_back(world: World, source: OAuthSource) -> None:
    world.passes(100)
    await source.credential()
    world.wall -= 10 * 365 * DAY
    first = await source.credential()
    assert first.value == Secret("stored")
    assert world.asked == 0
    # The hour is over, whatever the clock on the wall says.
    world.passes(3600)
    second = await source.credential()
    assert second.value == Secret("granted-1")
    for _ in range(5):
        assert await source.credential() is second
    assert world.asked == 1


async def _sleep(world: World, source: OAuthSource) -> None:
    await source.credential()
    # A machine that sleeps: its steady clock stands still.
    world.wall += 2 * 3600
    assert (await source.credential()).value == Secret("granted-1")
    assert world.asked == 1


@pytest.mark.parametrize("steps", [_jump_forward, _jump_back, _sleep])
def test_clocks_that_jump(tmp_path: Path, steps: Callable[[World, OAuthSource], object]) -> None:
    """A clock that is set, or a machine that sleeps, causes one refresh at most, and no dead token goes out."""
    run(World(tmp_path, CODEX, stored(CODEX, WALL, lifetime=3600.0), lifetime=3600.0), steps)


def test_a_login_from_the_future(tmp_path: Path) -> None:
    """A login that was stored while the clock was ahead is renewed once, and used meanwhile."""
    world = World(tmp_path, CODEX, stored(CODEX, WALL + DAY, lifetime=3600.0), lifetime=3600.0)

    async def main() -> None:
        source = world.source()
        for _ in range(5):
            await source.credential()
        assert (await source.credential()).value == Secret("granted-1")

    anyio.run(main)
    assert world.asked == 1


def jwt(**claims: float) -> str:
    body = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
    return f"e30.{body}.sig"


@pytest.mark.parametrize("skew", [-30 * DAY, -3000.0, 3000.0, 30 * DAY])
@pytest.mark.parametrize("says_when_made", [True, False])
def test_an_issuer_whose_clock_is_another(tmp_path: Path, skew: float, says_when_made: bool) -> None:
    """A token that has ended by our clock when it comes is not refreshed for ever: its life counts from its coming."""
    made = {"iat": WALL + skew} if says_when_made else {}
    world = World(tmp_path, CODEX, stored(CODEX, WALL, lifetime=3600.0, age=4000.0), lifetime=None)
    world.answer["access_token"] = jwt(exp=WALL + skew + 3600.0, **made)

    async def main() -> None:
        source = world.source()
        for _ in range(20):
            await source.credential()

    anyio.run(main)
    assert world.asked == 1


def test_a_file_that_says_nothing_of_its_age(tmp_path: Path) -> None:
    """Where the store knows but the end, and our clock is far ahead, a refresh is done once for each start."""
    world = World(tmp_path, GENERIC, stored(GENERIC, WALL, lifetime=None, ends=WALL - DAY), lifetime=3600.0)

    async def main() -> None:
        source = world.source()
        for _ in range(5):
            world.passes(60)
            assert (await source.credential()).value == Secret("granted-1")

    anyio.run(main)
    assert world.asked == 1


def test_nothing_to_renew_it_with(tmp_path: Path) -> None:
    """A token that has ended, and has no refresh token beside it, needs a new login."""
    login = msgspec.structs.replace(stored(CODEX, WALL, lifetime=60.0, age=100.0), name="work")
    login = msgspec.structs.replace(login, tokens=msgspec.structs.replace(login.tokens, refresh=None))
    world = World(tmp_path, CODEX, login, lifetime=60.0)

    async def main() -> None:
        with pytest.raises(LoginNeeded) as caught:
            await world.source().credential()
        assert caught.value.hint == "strowger login codex --name work"

    anyio.run(main)
    assert world.asked == 0


def test_a_stopped_gateway(tmp_path: Path) -> None:
    """After the task group of the gateway has ended, a call that needs a refresh fails at once, and one that does not
    is served.
    """
    world = World(tmp_path, CODEX, stored(CODEX, WALL, lifetime=3600.0, age=3500.0), lifetime=3600.0)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            pass
        source = OAuthSource(
            world.shelf,
            CODEX,
            exchange=world.exchange,
            spawn=tasks.start_soon,
            now=lambda: world.wall,
            monotonic=lambda: world.steady,
        )
        with pytest.raises(CredentialError, match="broken off"):
            await source.credential()

    anyio.run(main)
    assert world.asked == 0


def test_an_unknown_credential_is_no_loss(tmp_path: Path) -> None:
    """To be told that a foreign or a replaced credential was refused changes nothing, and invites a replay."""
    world = World(tmp_path, CODEX, stored(CODEX, WALL, lifetime=3600.0), lifetime=3600.0)

    async def main() -> None:
        source = world.source()
        assert source.known() is None
        assert source.secrets() == ()
        assert source.invalidate(Credential("Authorization", Secret("other")))
        used = await source.credential()
        assert source.known() is used
        assert source.invalidate(Credential("Authorization", Secret("other")))
        assert await source.credential() is used
        assert source.secrets() == (Secret("stored"), Secret("refresh-0"))

    anyio.run(main)
    assert world.asked == 0


def test_an_answer_without_an_access_token(tmp_path: Path) -> None:
    """An issuer that gives everything but an access token does not make a dead one live; what it gave is kept."""
    world = World(tmp_path, CODEX, stored(CODEX, WALL, lifetime=60.0, age=100.0), lifetime=None, access_token=None)

    async def main() -> None:
        with pytest.raises(CredentialError, match="gave no new access token"):
            await world.source().credential()

    anyio.run(main)
    assert world.shelf.login.tokens.refresh == Secret("refresh-1")
    assert world.shelf.login.tokens.access == Secret("stored")
