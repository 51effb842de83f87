"""How the accounts and hosts of the providers are doing: who rests, whose breaker is open, what is left of the quotas.

Learnt from the calls, in memory, for as long as the gateway runs. Nothing is kept of what goes well, so a call looks
here for next to nothing while all is well. Must not send anything, nor wait.

A **rest** is laid upon an account, for one model or for all, when it is refused for its limits. The provider's own word
for how long is believed; without one the account only goes behind others. A rest ends on the monotonic clock or on the
wall clock, whichever comes first: neither a clock that is set nor a machine that slept locks an account up.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from strowger.config.schema import Retries
from strowger.errors import ErrorKind, GatewayError, Refused
from strowger.gateway.failures import LIMITS, is_outage, refused_credential
from strowger.providers.base import Account, Provider
from strowger.providers.quota import Reading

Clock = Callable[[], float]
Standing = Literal["closed", "open", "half_open"]

# A week's window and a day: whatever says more is a mistake, or a clock's.
_LONGEST_REST = 8 * 86400.0
# Models are the clients' to name, so what is known of them is bounded; the oldest goes.
_MOST_KEPT = 2000
_MOST_SESSIONS = 5000
_LOOKED_AT = 8
_LONGEST_SESSION = 200
# For how long vendors keep a prompt's cache after it was last used, and where a request asks for more.
WARM_SECONDS = 300.0
WARM_LONG_SECONDS = 3600.0
# Headers about limits come with each answer, and cost more to read than all else in its head.
_READ_SECONDS = 1.0
_EVERY_MODEL = ""
_UNNAMED = "default"
_WHOLE_PLAN = frozenset({"", "codex", "premium", "primary", "secondary"})

Key = tuple[str, str, str]


class Rest(Struct):
    """That an account is left alone. `until` and `since` are monotonic, `until_wall` is Unix time.

    `told`: the provider itself said for how long. `look` is when a call may see whether it is still so.
    """

    until: float
    until_wall: float
    since: float
    look: float
    told: bool
    kind: ErrorKind


class Breaker(Struct):
    """Failures in a row of a host, or of one model on it. `until` is monotonic. `probing`: one call is finding out."""

    failures: int = 0
    until: float = 0.0
    probing: bool = False


class Resting(Struct, frozen=True):
    """A rest, to be shown. No `model`: of the whole account. `until` is Unix time."""

    provider: str
    account: str
    model: str | None
    kind: str
    until: float
    told: bool


class Broken(Struct, frozen=True):
    """A breaker that is not closed, to be shown. `seconds` are left until one call may try."""

    provider: str
    base_url: str
    model: str | None
    failures: int
    seconds: float


class Health:
    """One for each gateway; every call looks here and leaves what it has learnt. `retries` is the policy."""

    def __init__(
        self, retries: Retries | None = None, *, clock: Clock = time.monotonic, wall: Clock = time.time
    ) -> None:
        self.retries = retries or Retries()
        self.clock = clock
        self.wall = wall
        self._rests: OrderedDict[Key, Rest] = OrderedDict()
        self._breakers: OrderedDict[Key, Breaker] = OrderedDict()
        self._readings: dict[tuple[str, str], Reading] = {}
        self._sticky: OrderedDict[tuple[str, str], tuple[str, float]] = OrderedDict()
        self._turns: dict[str, int] = {}

    def adopt(self, retries: Retries) -> None:
        """Go on by another policy. Whoever changes a configuration may have mended what was wrong: all start anew."""
        self.retries = retries
        self._rests.clear()
        self._breakers.clear()

    @property
    def calm(self) -> bool:
        """Whether nothing at all is wrong with anybody."""
        return not self._rests and not self._breakers

    # ---- quotas ----

    def note(self, provider: Provider, account: Account | None, reading: Reading) -> None:
        """A provider has told the state of its limits for an account."""
        key = provider.name, _named(account)
        earlier = self._readings.get(key)
        self._readings[key] = reading if earlier is None else reading.after(earlier)

    def wants_reading(self, provider: Provider, account: Account | None, now: float) -> bool:
        """Whether the last reading of the account is old enough to look for another at Unix time `now`."""
        known = self._readings.get((provider.name, _named(account)))
        return known is None or not 0 <= now - known.at < _READ_SECONDS

    @property
    def readings(self) -> Mapping[tuple[str, str], Reading]:
        """The last reading by the names of provider and account."""
        return MappingProxyType(self._readings)

    def left_percent(self, provider: Provider, account: Account) -> float | None:
        """How much is left of the account's narrowest window; None when nobody said."""
        reading = self._readings.get((provider.name, account.name))
        return None if reading is None else reading.left_at(self.wall())

    # ---- rests ----

    def rest(self, provider: Provider, account: Account | None, model: str) -> Rest | None:
        """Why and until when an account is left alone for a model, None when it is not."""
        if not self._rests:
            return None
        name = _named(account)
        whole = self._rest_of((provider.name, name, _EVERY_MODEL))
        one = self._rest_of((provider.name, name, model))
        if whole is None or one is None:
            return whole or one
        return whole if (whole.told, whole.until) >= (one.told, one.until) else one

    def left_seconds(self, rest: Rest) -> float:
        """How long a rest still lasts."""
        return max(0.0, min(rest.until - self.clock(), rest.until_wall - self.wall()))

    def may_look(self, rest: Rest) -> bool:
        """Whether one call may see if the rest is still called for: limits are lifted, bought off, reset early.

        Whoever gets a yes is that call; the next one is due after `cooldown_seconds`.
        """
        now = self.clock()
        if now < rest.look:
            return False
        rest.look = now + self.retries.cooldown_seconds
        return True

    def _rest_of(self, key: Key) -> Rest | None:
        rest = self._rests.get(key)
        if rest is not None and self.left_seconds(rest) <= 0:
            del self._rests[key]
            return None
        return rest

    def _lay(self, key: Key, seconds: float, kind: ErrorKind, *, told: bool) -> None:
        if seconds <= 0:
            return
        now, seconds = self.clock(), min(seconds, _LONGEST_REST)
        earlier = self._rest_of(key)
        if earlier is not None and earlier.told and not told:
            return  # what the provider said of it still holds
        look = now + self.retries.cooldown_seconds
        self._rests[key] = Rest(now + seconds, self.wall() + seconds, now, look, told, kind)
        self._rests.move_to_end(key)
        for oldest, rest in list(islice(self._rests.items(), _LOOKED_AT)):  # nobody may ever ask for them again
            if len(self._rests) > _MOST_KEPT or self.left_seconds(rest) <= 0:
                del self._rests[oldest]

    # ---- what calls have found ----

    def failed(
        self, provider: Provider, account: Account | None, model: str, error: GatewayError, wait: float | None
    ) -> None:
        """An attempt has failed. `wait` is what the provider asked for, in seconds."""
        if is_outage(error):
            # One model without room says nothing of the others on its host.
            self._count(
                (provider.name, provider.base_url, model if error.kind is ErrorKind.OVERLOADED else _EVERY_MODEL)
            )
        elif isinstance(error, Refused) or isinstance(error.__cause__, Refused):
            self._reached(provider, model)
        if provider.client_auth:
            return  # whose account it was is the client's to know, and the next one may be another's
        pause = self.retries.cooldown_seconds
        whole, one = (provider.name, _named(account), _EVERY_MODEL), (provider.name, _named(account), model)
        if error.kind in LIMITS:
            key = whole if is_of_account(provider, error) else one
            self._lay(key, pause if wait is None else wait, error.kind, told=wait is not None)
        elif error.kind is ErrorKind.OVERLOADED and wait is not None:
            self._lay(one, min(wait, pause), error.kind, told=False)
        elif refused_credential(error):
            status = getattr(error.__cause__ or error, "status", 0)
            self._lay(whole if status == 401 else one, pause, error.kind, told=False)

    def answered(self, provider: Provider, account: Account | None, model: str, begun: float) -> None:
        """An attempt that began at `begun` (monotonic) has its answer: what was wrong before is so no more."""
        if self._breakers:
            self._reached(provider, model)
        if self._rests:
            for scope in (_EVERY_MODEL, model):
                key = provider.name, _named(account), scope
                rest = self._rests.get(key)
                if rest is not None and rest.since <= begun:
                    del self._rests[key]

    # ---- breakers ----

    def standing(self, provider: Provider, model: str) -> Standing:
        """`open`: leave it alone; `half_open`: one call may find out."""
        if not self._breakers:
            return "closed"
        found: Standing = "closed"
        for key in _breaker_keys(provider, model):
            breaker = self._breakers.get(key)
            if breaker is not None and self._is_tripped(breaker):
                if self.clock() < breaker.until:
                    return "open"
                found = "half_open"
        return found

    def begin_probe(self, provider: Provider, model: str) -> bool:
        """Whether this call is the one that finds out; it must `end_probe`."""
        tripped = self._tripped(provider, model)
        if any(breaker.probing for breaker in tripped):
            return False
        for breaker in tripped:
            breaker.probing = True
        return True

    def end_probe(self, provider: Provider, model: str) -> None:
        """The call has found out, or has been given up."""
        for breaker in self._tripped(provider, model):
            breaker.probing = False

    def _tripped(self, provider: Provider, model: str) -> list[Breaker]:
        found = (self._breakers.get(key) for key in _breaker_keys(provider, model))
        return [breaker for breaker in found if breaker is not None and self._is_tripped(breaker)]

    def _is_tripped(self, breaker: Breaker) -> bool:
        return 0 < self.retries.breaker_failures <= breaker.failures

    def _count(self, key: Key) -> None:
        breaker = self._breakers.setdefault(key, Breaker())
        breaker.failures += 1
        if self._is_tripped(breaker):
            breaker.until = self.clock() + self.retries.breaker_seconds
        if len(self._breakers) > _MOST_KEPT:
            self._breakers.popitem(last=False)

    def _reached(self, provider: Provider, model: str) -> None:
        for key in _breaker_keys(provider, model):
            self._breakers.pop(key, None)

    # ---- whose turn it is ----

    def stick(self, provider: Provider, session: str, account: Account, seconds: float) -> None:
        """A conversation was served by an account, which keeps its prompt in a cache for `seconds`."""
        key = provider.name, session[:_LONGEST_SESSION]
        self._sticky[key] = account.name, self.clock() + seconds
        self._sticky.move_to_end(key)
        if len(self._sticky) > _MOST_SESSIONS:
            self._sticky.popitem(last=False)

    def sticks_to(self, provider: Provider, session: str) -> str | None:
        """The account whose cache is still warm for a conversation."""
        found = self._sticky.get((provider.name, session[:_LONGEST_SESSION]))
        return found[0] if found is not None and self.clock() < found[1] else None

    def next_turn(self, provider: Provider) -> int:
        """A number that grows with each asking."""
        turn = self._turns.get(provider.name, 0)
        self._turns[provider.name] = turn + 1
        return turn

    # ---- for those who look on ----

    def resting(self) -> Iterator[Resting]:
        """The rests that last."""
        for (provider, account, model), rest in list(self._rests.items()):
            left = self.left_seconds(rest)
            if left > 0:
                yield Resting(provider, account, model or None, rest.kind.value, self.wall() + left, rest.told)

    def broken(self) -> Iterator[Broken]:
        """The breakers that are open or half open."""
        for (provider, base_url, model), breaker in self._breakers.items():
            if self._is_tripped(breaker):
                left = max(0.0, breaker.until - self.clock())
                yield Broken(provider, base_url, model or None, breaker.failures, left)


def is_of_account(provider: Provider, error: GatewayError) -> bool:
    """Whether a limit is on all models of an account: an empty balance, a plan's window. Google counts each model."""
    headers = {name.lower(): value for name, value in getattr(error, "headers", ())}
    if error.kind is ErrorKind.QUOTA_EXHAUSTED:
        # Some models of ChatGPT's have limits of their own.
        return provider.dialect != "gemini" and headers.get("x-codex-active-limit", "codex") in _WHOLE_PLAN
    claim = headers.get("anthropic-ratelimit-unified-representative-claim", "")
    return headers.get("anthropic-ratelimit-unified-status") == "rejected" and claim in {"", "five_hour", "seven_day"}


def _named(account: Account | None) -> str:
    return account.name if account is not None else _UNNAMED


def _breaker_keys(provider: Provider, model: str) -> tuple[Key, Key]:
    return (provider.name, provider.base_url, _EVERY_MODEL), (provider.name, provider.base_url, model)
