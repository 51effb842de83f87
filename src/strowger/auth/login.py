"""Logging in: the browser that comes back, the address that is pasted, the code that is typed on another device.

What the user has to be told goes to a `Teller`; what the browser brings back comes from whoever listens for it. Must
not know HTTP libraries, terminals, or how a login is shown.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import parse_qs

import anyio

from strowger.auth.issuers import Issuer
from strowger.auth.oauth import (
    SLOWER_SECONDS,
    Ask,
    DeviceCode,
    Exchange,
    Grant,
    IssuerRefused,
    Reason,
    Reply,
    Tokens,
    ask_code,
    ask_device,
    ask_device_tokens,
    authorise_url,
    new_pkce,
    new_state,
    read_callback,
    read_device,
    read_device_tokens,
    read_tokens,
)
from strowger.config.references import Secret
from strowger.errors import CredentialError, TimedOut, Unreachable, UpstreamError

SKEW_SECONDS = 60.0
"""How far our clock may be from the issuer's before the user is told: tokens end by the issuer's."""

MISMATCH = "state_mismatch"
"""The code of a refusal of an answer that is not to our question."""

# A poll that found nobody is repeated less often each time, up to this (RFC 8628 §3.5 asks for it).
_LONGEST_POLL_SECONDS = 60.0

Settle = Callable[[str], Awaitable[None]]
"""Given the path and query that a browser came with: ends the login, or raises what the page has to say."""


class Teller(Protocol):
    """Tells the user what to do, and what is going on."""

    def page(self, url: str) -> None:
        """The browser has to go there."""
        ...

    def code(self, device: DeviceCode) -> None:
        """The user has to type the code at its page, on any device."""
        ...

    async def pasted(self) -> str:
        """What the user pastes: a line. Raises CredentialError when there is none to come."""
        ...

    def waiting(self, left: float) -> None:
        """The user has not said yes so far; `left` is in seconds."""
        ...

    def slower(self, interval: float) -> None:
        """The issuer wants to be asked every `interval` seconds only."""
        ...

    def trouble(self, problem: str) -> None:
        """Something went wrong that may yet come right: the login goes on."""
        ...

    def skewed(self, seconds: float) -> None:
        """Our clock is that far ahead of the issuer's (negative: behind)."""
        ...


class Callbacks(Protocol):
    """Listens where the browser is sent back to."""

    @property
    def redirect_uri(self) -> str:
        """As the issuer has to be told."""
        ...

    async def serve(self, settle: Settle) -> None:
        """Hand the first answer that is to our question to `settle`, and end; raises what it raises.

        An IssuerRefused with the code MISMATCH is answered, and does not end the listening.
        """
        ...


class LoginFlow:
    """One attempt to log in. `keep` is given the tokens, and stores them: the user is told of success only after that.

    `device_id` is for issuers that bind their tokens to one. `now` gives unix seconds.
    """

    def __init__(
        self,
        issuer: Issuer,
        *,
        exchange: Exchange,
        teller: Teller,
        keep: Callable[[Tokens], Awaitable[None]],
        device_id: str = "",
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._issuer = issuer
        self._exchange = exchange
        self._teller = teller
        self._keep = keep
        self._device_id = device_id
        self._now = now
        self._sleep = sleep
        self._has_told_skew = False

    async def by_browser(self, callbacks: Callbacks) -> None:
        """The browser says yes at the issuer's, and comes back to `callbacks`. Raises CredentialError."""
        pkce, state = new_pkce(), new_state()

        async def settle(target: str) -> None:
            try:
                code = self._code(target, state)
            except IssuerRefused as refused:
                if refused.code == MISMATCH:
                    self._teller.trouble("a browser came back from another login, which was sent away")
                raise
            await self._finish(code, callbacks.redirect_uri, pkce.verifier)

        self._teller.page(authorise_url(self._issuer, redirect_uri=callbacks.redirect_uri, pkce=pkce, state=state))
        await callbacks.serve(settle)

    async def by_pasting(self) -> None:
        """The browser, on whatever machine, ends at a page that cannot be shown; its address is pasted here.

        A code alone will do. Raises CredentialError.
        """
        pkce, state = new_pkce(), new_state()
        redirect_uri = f"http://localhost:{self._issuer.ports[0]}{self._issuer.callback}"
        self._teller.page(authorise_url(self._issuer, redirect_uri=redirect_uri, pkce=pkce, state=state))
        while not (text := (await self._teller.pasted()).strip()):
            pass
        code = self._code(text, state) if _is_address(text) else Secret(text)
        await self._finish(code, redirect_uri, pkce.verifier)

    async def by_device(self) -> None:
        """The user types a code at the issuer's page, on any device, while we ask whether it is done.

        Raises CredentialError.
        """
        reply = await self._ask(ask_device(self._issuer, device_id=self._device_id))
        device = read_device(self._issuer, reply, now=self._now())
        self._teller.code(device)
        granted = await self._polled(device)
        if isinstance(granted, Grant):
            await self._finish(granted.code, granted.redirect_uri, granted.verifier)
        else:
            await self._keep(granted)

    def _code(self, target: str, state: str) -> Secret:
        return read_callback(f"?{_query(target)}", state=state)

    async def _finish(self, code: Secret, redirect_uri: str, verifier: Secret) -> None:
        """Exchange the code, and keep what comes of it."""
        ask = ask_code(self._issuer, code=code, redirect_uri=redirect_uri, verifier=verifier, device_id=self._device_id)
        reply = await self._ask(ask)
        try:
            tokens = read_tokens(self._issuer, reply, now=self._now())
        except IssuerRefused as refused:
            if refused.code != "invalid_grant":
                raise
            raise CredentialError(
                f"{self._issuer.title} does not take the code: it is too old, was used before, or is incomplete",
                hint="start the login again; a code is good once, and for a few minutes",
            ) from None
        await self._keep(tokens)

    async def _polled(self, device: DeviceCode) -> Tokens | Grant:
        """Ask at the interval that the issuer wants, until it grants, denies, or the code is too old."""
        interval = device.interval
        while True:
            left = device.expires_at - self._now()
            if left <= 0:
                raise _expired(self._issuer)
            await self._sleep(min(interval, left))
            try:
                reply = await self._exchange(ask_device_tokens(self._issuer, device, device_id=self._device_id))
                self._look_at_clock(reply)
                return read_device_tokens(self._issuer, reply, now=self._now())
            except IssuerRefused as refused:
                interval = self._next_interval(refused, interval, device)
            except (Unreachable, TimedOut) as error:
                interval = min(interval * 2, _LONGEST_POLL_SECONDS)
                self._teller.trouble(error.message)

    def _next_interval(self, refused: IssuerRefused, interval: float, device: DeviceCode) -> float:
        """How long to wait before the next question; raises what ends the login."""
        match refused.reason:
            case Reason.PENDING:
                self._teller.waiting(max(0.0, device.expires_at - self._now()))
            case Reason.SLOW_DOWN:
                interval = max(interval + SLOWER_SECONDS, refused.retry_after or 0.0)
                self._teller.slower(interval)
            case Reason.TRANSIENT:
                interval = min(max(interval * 2, refused.retry_after or 0.0), _LONGEST_POLL_SECONDS)
                self._teller.trouble(refused.message)
            case Reason.EXPIRED:
                raise _expired(self._issuer) from None
            case _:
                raise refused
        return interval

    async def _ask(self, ask: Ask) -> Reply:
        try:
            reply = await self._exchange(ask)
        except UpstreamError as error:
            raise CredentialError(
                f"{self._issuer.title} cannot be reached",
                hint="check the network; HTTPS_PROXY names a company's proxy, ca_file in [network] its certificate",
            ) from error
        self._look_at_clock(reply)
        return reply

    def _look_at_clock(self, reply: Reply) -> None:
        """Tell once when our clock and the issuer's disagree."""
        skew = skew_of(reply, self._now())
        if abs(skew) > SKEW_SECONDS and not self._has_told_skew:
            self._has_told_skew = True
            self._teller.skewed(skew)


def skew_of(reply: Reply, now: float) -> float:
    """How many seconds our clock is ahead of the issuer's, by the reply's Date header; 0 without one."""
    try:
        return now - parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return 0.0


def _is_address(text: str) -> bool:
    """Whether what was pasted is an address, or the query of one, rather than a code alone."""
    return "://" in text or any(name in parse_qs(_query(text)) for name in ("code", "state", "error"))


def _query(text: str) -> str:
    """What is behind the question mark of an address, or all of it. Whatever is before may be no URL at all."""
    _, mark, query = text.partition("?")
    return query.partition("#")[0] if mark else text


def _expired(issuer: Issuer) -> CredentialError:
    return CredentialError(
        "nobody confirmed the login before the code expired", hint=f"start again: strowger login {issuer.name}"
    )
