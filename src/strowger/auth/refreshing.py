"""An auth source over a login: refreshed ahead of its end, once for all who need it, and never lost on the way.

    credential() ── alive, not due, store unchanged ─→ from memory, at once
        │  due, still alive: begin a refresh, hand out what there is
        │  dead or refused: begin a refresh, wait for it, at most `wait_seconds`
        └→ a flight (one at a time, in the gateway's own tasks, whoever asked for it may leave)
             read the store → it has what we lack? take that
             lock the store → read it again → ask the issuer → write → only then use

Tokens age by what went by since they came, on the clock on the wall and on the monotonic one, whichever says more: the
first counts the time that a machine sleeps, the second does not jump, and neither is compared with an issuer's.
Must not know who sends requests to the issuer, nor where a login lies.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from strowger.auth.credential import Credential, CredentialKind
from strowger.auth.files import Stamp
from strowger.auth.issuers import Holder, Issuer, companions, holder_of
from strowger.auth.locks import locked
from strowger.auth.oauth import Exchange, IssuerRefused, Reason, Tokens, ask_refresh, is_permanent, read_tokens
from strowger.auth.stores import Login, Shelf, login_command
from strowger.config.references import Secret
from strowger.errors import CredentialError, ErrorKind, GatewayError, LoginNeeded, UpstreamError

Spawn = Callable[[Callable[[], Coroutine[Any, Any, None]]], object]
"""Starts a task that outlives the call it was started in: `start_soon` of a task group."""

Clock = Callable[[], float]

# A request that leaves now must still be good when it arrives.
ALIVE_SECONDS = 10.0
# At most this share of a token's life is "ahead of its end": else a short-lived one would be due as soon as it came.
_LARGEST_EARLY_SHARE = 0.75
TRIES = 3
# A token refused this soon after it came is not refused for its age: another would fare no better.
_FRESH_SECONDS = 5.0
# After a refresh that failed, the next try is not before this, unless the issuer says when.
_QUIET_SECONDS = 5.0
_LONGEST_QUIET_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 10.0
# Clocks are corrected by fractions of a second all the time.
_CLOCK_SLACK_SECONDS = 60.0
# How often the store is looked at, lest a login by another account go unnoticed until this one is due.
_LOOK_SECONDS = 1.0
# How often somebody without a lock may be quicker than we are before we give up.
_MOST_TURNS = 3


class Patience(msgspec.Struct, frozen=True):
    """How long what is waited for, in seconds."""

    wait: float = 30.0
    """a caller, for a refresh"""
    lock: float = 60.0
    """a refresh, for another process that refreshes"""
    exchange: float = 30.0
    """a refresh, for the issuer's answer; so long it also keeps a gateway from stopping, lest the answer be lost"""


_PATIENCE = Patience()


class _Held(msgspec.Struct, frozen=True):
    """What is in memory: a login, how many seconds it had left at one moment, and that moment on both clocks."""

    login: Login
    credential: Credential
    left: float
    """seconds; infinite when nothing is known of its end"""
    early: float
    """due when it has less than this left, in seconds"""
    age: float
    wall: float
    monotonic: float
    received: bool
    """whether it came from the issuer, not from the store"""


class _Unsaved(msgspec.Struct, frozen=True):
    """A login that could not be stored, and the tokens that were stored then: others there are somebody else's."""

    login: Login
    over: Tokens


class _Flight:
    """A refresh under way. Until it has ended well it has failed.

    `served` is set at its end, or before that as soon as there is a token in memory that is good for now.
    """

    def __init__(self) -> None:
        self.served = anyio.Event()
        self.begun = False
        self.error: CredentialError | None = CredentialError("the refresh was broken off", retry_after=1.0)


class OAuthSource:
    """An auth source over one login. Safe to share between calls and, through its store's lock, between processes."""

    def __init__(
        self,
        shelf: Shelf,
        issuer: Issuer,
        *,
        exchange: Exchange,
        spawn: Spawn | None = None,
        header: str = "Authorization",
        kind: CredentialKind = "bearer",
        owner: str = "",
        hint: str = "",
        client_secret: Secret | None = None,
        scope: str = "",
        note: Callable[[str], None] | None = None,
        patience: Patience = _PATIENCE,
        now: Clock = time.time,
        monotonic: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        """`spawn` starts refreshes that outlive their callers; without it they run in the caller, shielded.

        `owner` is named in errors (`provider x`), `hint` is what the user does when a new login is needed, `note` is
        told what an operator should know, without secrets. `now` is in unix seconds.
        """
        self._shelf = shelf
        self._issuer = issuer
        self._exchange = exchange
        self._spawn = spawn
        self._header = header
        self._kind: CredentialKind = kind
        self._owner = owner
        self._hint = hint
        self._client_secret = client_secret
        self._scope = scope
        self._note = note or (lambda _: None)
        self._patience = patience
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._held: _Held | None = None
        self._refused: Secret | None = None
        self._flight: _Flight | None = None
        self._failure: CredentialError | None = None
        self._quiet_until = float("-inf")
        self._dead: tuple[Secret, Stamp | None] | None = None
        self._unsaved: _Unsaved | None = None
        self._stamp: Stamp | None = None
        self._look_at = float("-inf")
        self._is_saving = False

    def __repr__(self) -> str:
        return f"OAuthSource({self._issuer.name} → {self._header})"

    # ---- what callers see ----

    async def credential(self) -> Credential:
        """A credential that is good now, from memory as long as there is one. Raises CredentialError."""
        held = self._held
        if held is not None and self._is_alive(held):
            is_other = self._has_changed()
            if not is_other and (not self._is_due(held) or self._monotonic() < self._quiet_until):
                return held.credential
            if not is_other:
                await self._begin(wait=False)
                return held.credential
        if self._failure is not None and self._monotonic() < self._quiet_until:
            raise self._told(self._failure)
        flight = await self._begin(wait=True)
        held = self._held
        if held is not None and (flight.error is None or self._is_alive(held)):
            return held.credential
        if flight.served.is_set() and flight.error is not None:
            raise self._told(flight.error)
        if not flight.begun and self._flight is flight:
            self._flight = None
        raise CredentialError(
            f"{self._whose()} is being refreshed, which took longer than {self._patience.wait:g} seconds",
            kind=ErrorKind.OVERLOADED,
            hint=f"look whether {self._issuer.title} can be reached",
            retry_after=_QUIET_SECONDS,
        )

    def invalidate(self, used: Credential) -> bool:
        """The upstream refused `used`. True when asking again may give another.

        False when that one had only just come: then its age is not the reason.
        """
        held = self._held
        if held is None or held.credential.value != used.value:
            return True
        if held.received and self._passed(held) < _FRESH_SECONDS:
            return False
        self._refused = used.value
        return True

    def known(self) -> Credential | None:
        """What is in memory now."""
        return self._held.credential if self._held else None

    def secrets(self) -> tuple[Secret, ...]:
        """Every secret in memory, for redaction: the refresh token too."""
        tokens = self._held.login.tokens if self._held else None
        return tuple(s for s in (tokens.access, tokens.refresh, tokens.id_token) if s) if tokens else ()

    # ---- age ----

    def _passed(self, held: _Held) -> float:
        return max(self._now() - held.wall, self._monotonic() - held.monotonic)

    def _is_alive(self, held: _Held) -> bool:
        return held.credential.value != self._refused and held.left - self._passed(held) > min(
            ALIVE_SECONDS, held.left * 0.1
        )

    def _has_changed(self) -> bool:
        """Whether somebody else has written to the store, or emptied it. Looks at most once a second."""
        now = self._monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + _LOOK_SECONDS
        return self._shelf.stamp() != self._stamp

    def _is_due(self, held: _Held) -> bool:
        old = self._issuer.old_seconds
        passed = self._passed(held)
        return held.left - passed < held.early or (old > 0 and held.age + passed > old)

    def _hold(self, login: Login, *, received: bool) -> _Held:
        """Take a login into memory, with its age as of now."""
        now, lifetime, ends = self._now(), login.tokens.lifetime, login.tokens.expires_at
        issuer = self._issuer
        age = now - login.refreshed_at if login.refreshed_at else 0.0
        if received:
            left = lifetime or float("inf")
        elif lifetime and login.refreshed_at:
            left = lifetime - max(age, 0.0)
        else:
            left = ends - now if ends is not None else float("inf")
        early = max(issuer.early_seconds, issuer.early_share * (lifetime or 0.0))
        if lifetime:
            early = min(early, lifetime * _LARGEST_EARLY_SHARE)
        if age < -_CLOCK_SLACK_SECONDS:
            # It comes from the future: a clock was set back. Nobody knows how old it is, so let it be renewed soon.
            early = float("inf")
        held = _Held(
            login=login,
            credential=Credential(
                self._header,
                login.tokens.access,
                self._kind,
                companions(issuer, login.holder, login.device_id),
            ),
            left=left,
            early=early,
            age=max(age, 0.0),
            wall=now,
            monotonic=self._monotonic(),
            received=received,
        )
        self._held = held
        return held

    # ---- flights ----

    async def _begin(self, *, wait: bool) -> _Flight:
        """Join the flight under way, or start one. Without anybody to run it, it runs here."""
        flight = self._flight
        if flight is None:
            flight = self._flight = _Flight()
            try:
                if self._spawn is not None:
                    self._spawn(lambda: self._fly(flight))
                else:
                    await self._fly(flight)
            except RuntimeError:  # the task group has ended
                self._flight = None
                flight.served.set()
        if wait:
            with anyio.move_on_after(self._patience.wait):
                await flight.served.wait()
        return flight

    async def _fly(self, flight: _Flight) -> None:
        """One refresh from beginning to end; its error is for whoever waits."""
        flight.begun = True
        try:
            await self._renew()
        except GatewayError as error:
            flight.error = self._failed(error)
        except OSError as error:
            flight.error = self._failed(CredentialError(f"the login cannot be read: {error.strerror}"))
        else:
            flight.error = None
            self._failure, self._refused, self._quiet_until = None, None, float("-inf")
        finally:
            if self._flight is flight:
                self._flight = None
            flight.served.set()

    def _failed(self, error: GatewayError) -> CredentialError:
        """Remember a failure, and for how long nothing is tried again."""
        ours = _copy(error, f"no credential for {self._owner}: " if self._owner else "")
        # After a new login nobody should have to wait: looking whether there is one costs nothing.
        pause = 0.0 if isinstance(ours, LoginNeeded) else _QUIET_SECONDS
        held = self._held
        if held is not None and self._is_alive(held):
            pause = _LONGEST_QUIET_SECONDS if isinstance(ours, LoginNeeded) else pause
            self._note(f"{self._whose()} cannot be refreshed, and is used until it ends: {ours.message}")
        self._quiet_until = self._monotonic() + max(pause, min(error.retry_after or 0.0, _LONGEST_QUIET_SECONDS))
        self._failure = ours
        return ours

    def _told(self, error: CredentialError) -> CredentialError:
        """The failure for one more caller: a raised error holds on to the frames that it went through."""
        wait = self._quiet_until - self._monotonic()
        told = _copy(error)
        told.retry_after = wait if wait > 0 else error.retry_after
        return told

    async def _renew(self) -> None:
        """Leave a login in memory that is neither refused nor due, or raise."""
        if self._take(await self._stored()):
            return
        async with _lock_or_not(self._shelf, self._patience.lock, self._note):
            await anyio.to_thread.run_sync(self._shelf.recover)
            # Whoever had the lock before us may have done it.
            login = await self._stored()
            for turn in range(1, _MOST_TURNS + 1):
                if self._take(login):
                    return
                try:
                    await self._refresh(login)
                except IssuerRefused as error:
                    if not is_permanent(error):
                        raise
                    # Somebody who takes no locks may have been quicker: then there is another refresh token.
                    again = await self._stored()
                    if again.tokens.refresh == login.tokens.refresh or turn == _MOST_TURNS:
                        raise await self._needed(login, error) from None
                    login = again
                else:
                    return

    def _take(self, login: Login) -> bool:
        """Whether a login will do: then it is the one in memory. One that is about to end is taken as well."""
        held = self._held
        if held is None or held.credential.value != login.tokens.access:
            held = self._hold(login, received=False)
        if self._flight is not None and self._is_alive(held):
            self._flight.served.set()
        return self._is_alive(held) and not self._is_due(held)

    async def _stored(self) -> Login:
        """What is stored; while what is newer could not be stored, that, unless somebody else has written since."""
        unsaved = self._unsaved
        # Looked at before it is read: whoever writes in between is noticed by a later call.
        self._stamp = await anyio.to_thread.run_sync(self._shelf.stamp)
        try:
            login = await anyio.to_thread.run_sync(self._shelf.load)
        except LoginNeeded:
            # The user has logged out: what is in memory is not ours to use any more.
            self._unsaved, self._held = None, None
            raise
        except CredentialError:
            if unsaved is None:
                raise
            return unsaved.login
        if unsaved is not None and login.tokens == unsaved.over:
            return unsaved.login
        self._unsaved = None
        return login

    async def _needed(self, login: Login, error: IssuerRefused) -> LoginNeeded:
        """Only a new login helps: this is remembered until what is stored changes."""
        if login.tokens.refresh is not None:
            self._dead = (login.tokens.refresh, await anyio.to_thread.run_sync(self._shelf.stamp))
        return LoginNeeded(error.message, hint=self._login_hint(login), code=error.code)

    async def _refresh(self, login: Login) -> None:
        """Ask the issuer, store what it gave, and only then use it."""
        refresh = login.tokens.refresh
        if refresh is None:
            raise LoginNeeded("the login has ended, and holds nothing to renew it with", hint=self._login_hint(login))
        if self._dead == (refresh, await anyio.to_thread.run_sync(self._shelf.stamp)):
            raise LoginNeeded("the issuer does not take this login any more", hint=self._login_hint(login))
        for attempt in range(1, TRIES + 1):
            try:
                # What the issuer has done cannot be undone: from here to the disk nothing is broken off.
                with anyio.CancelScope(shield=True):
                    await self._keep(login, await self._granted(login, refresh))
            except (IssuerRefused, UpstreamError) as error:
                is_passing = isinstance(error, UpstreamError) or error.reason is Reason.TRANSIENT
                pause = error.retry_after if error.retry_after is not None else _backoff(attempt)
                if not is_passing or attempt == TRIES or pause > _LONGEST_PAUSE_SECONDS:
                    raise
                await self._sleep(pause)
            else:
                return

    async def _granted(self, login: Login, refresh: Secret) -> Tokens:
        ask = ask_refresh(
            self._issuer,
            refresh,
            device_id=login.device_id,
            client_secret=self._client_secret,
            scope=self._scope,
        )
        try:
            with anyio.fail_after(self._patience.exchange):
                reply = await self._exchange(ask)
        except TimeoutError:
            raise IssuerRefused(
                f"{self._issuer.title} did not answer within {self._patience.exchange:g} seconds",
                reason=Reason.TRANSIENT,
            ) from None
        return read_tokens(self._issuer, reply, now=self._now(), old=login.tokens)

    # ---- keeping ----

    async def _keep(self, old: Login, tokens: Tokens) -> None:
        """Write new tokens down, then use them. When they cannot be written they are used all the same."""
        login = msgspec.structs.replace(
            old,
            tokens=tokens,
            holder=_merged(old.holder, holder_of(self._issuer, _text(tokens.id_token), tokens.access.reveal())),
            refreshed_at=self._now(),
        )
        unsaved = self._unsaved
        try:
            await self._save(login)
        except (OSError, CredentialError) as error:
            self._unsaved = _Unsaved(login, unsaved.over if unsaved else old.tokens)
            self._note(f"{self._whose(login)} was refreshed, but the new tokens cannot be stored: {_why(error)}")
            self._save_later()
        else:
            self._unsaved = None
            self._note(f"{self._whose(login)} was refreshed")
        if (tokens.access, tokens.expires_at) == (old.tokens.access, old.tokens.expires_at):
            raise IssuerRefused(f"{self._issuer.title} gave no new access token", reason=Reason.INVALID)
        self._hold(login, received=True)

    async def _save(self, login: Login) -> None:
        await anyio.to_thread.run_sync(self._shelf.save, login)
        self._stamp = await anyio.to_thread.run_sync(self._shelf.stamp)

    def _save_later(self) -> None:
        if self._spawn is not None and not self._is_saving:
            self._is_saving = True
            self._spawn(self._save_until_done)

    async def _save_until_done(self) -> None:
        """Try to store what could not be stored, ever less often; once more when everything is stopped."""
        pause = 1.0
        try:
            while self._unsaved is not None:
                await self._sleep(pause)
                await self._save_again()
                pause = min(pause * 2, _LONGEST_QUIET_SECONDS)
        finally:
            self._is_saving = False
            if self._unsaved is not None:
                with anyio.move_on_after(self._patience.exchange, shield=True):
                    await self._save_again()

    async def _save_again(self) -> None:
        try:
            async with _lock_or_not(self._shelf, self._patience.lock, self._note):
                login = await self._stored()
                if self._unsaved is not None:
                    await self._save(login)
                    self._unsaved = None
                    self._note(f"{self._whose(login)} is stored now")
        except LoginNeeded:  # the user has logged out meanwhile
            pass
        except (OSError, CredentialError) as error:
            self._note(f"{self._whose()} can still not be stored: {_why(error)}")

    # ---- words ----

    def _whose(self, login: Login | None = None) -> str:
        login = login or (self._held.login if self._held else None)
        return f"the login {login.label if login else self._issuer.name}"

    def _login_hint(self, login: Login) -> str:
        return self._hint or login_command(login.issuer, login.name)


@asynccontextmanager
async def _lock_or_not(shelf: Shelf, seconds: float, note: Callable[[str], None]) -> AsyncIterator[None]:
    """The lock of a shelf. Where none can be made (a read-only disk), who is alone can still work."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(locked(shelf.lock_path, seconds=seconds))
        except OSError as error:
            note(f"a login is refreshed without the lock {shelf.lock_path}: {_why(error)}")
        yield


def _copy(error: GatewayError, before: str = "") -> CredentialError:
    """An error of our own with the same words. An issuer that cannot answer now is no reason to forbid anything."""
    if isinstance(error, LoginNeeded):
        return LoginNeeded(before + error.message, hint=error.hint, code=error.code)
    is_passing = (
        isinstance(error, UpstreamError)
        or error.retry_after is not None
        or (isinstance(error, IssuerRefused) and error.reason is Reason.TRANSIENT)
    )
    return CredentialError(
        before + error.message,
        kind=ErrorKind.OVERLOADED if is_passing else error.kind,
        hint=error.hint,
        retry_after=error.retry_after,
        code=error.code,
    )


def _merged(old: Holder, new: Holder) -> Holder:
    """What is known of the holder: a reply to a refresh may say nothing of it."""
    return Holder(**{name: getattr(new, name) or getattr(old, name) for name in Holder.__struct_fields__})


def _backoff(attempt: int) -> float:
    """Seconds before the next try, jittered: many gateways may wait for the same issuer."""
    return 0.5 * 2.0 ** (attempt - 1) * random.uniform(0.75, 1.25)


def _why(error: Exception) -> str:
    """What went wrong on the disk, without what was to be written."""
    if isinstance(error, GatewayError):
        return error.message
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else type(error).__name__


def _text(secret: Secret | None) -> str:
    return secret.reveal() if secret is not None else ""
