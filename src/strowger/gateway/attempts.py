"""Trying targets and accounts in their order until one answers. Stops once bytes are out.

What merits another try of the same, after a wait, and what moves on to the next, is in `failures`; the order is in
`ranking`. All waiting is between tries, while the client gets its heartbeats, and within one budget for the call.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence

import anyio

from strowger.errors import ErrorKind, GatewayError, Refused, UpstreamError
from strowger.flows.flow import Attempt, Flow
from strowger.gateway.failures import LIMITS, is_capacity, merits_another_try, most_telling, moves_on, told_wait
from strowger.gateway.health import WARM_LONG_SECONDS, WARM_SECONDS, Health
from strowger.gateway.opening import Answer, Opening
from strowger.gateway.pulse import Pulse
from strowger.gateway.ranking import Candidate, Ranking, rank, shown_account
from strowger.routing.table import Target

# Nobody shall be back at the very moment, nor all at the same.
_SPREAD = 0.1
_LONGEST_SPREAD = 0.25
# Accounts that a message names.
_NAMED = 5
# How the longer of the two lives of a prompt's cache is asked for.
_KEPT_LONG = b'"1h"'


Told = Callable[[Flow, Attempt], None]
"""Is told of each try when its end, or the beginning of its answer, is known."""


def _nobody(_: Flow, __: Attempt) -> None:
    pass


class Attempts:
    """The tries of one call. `body` is what the client sent."""

    def __init__(
        self, *, opening: Opening, health: Health, flow: Flow, pulse: Pulse, body: bytes, told: Told = _nobody
    ) -> None:
        self._opening = opening
        self._health = health
        self._retries = health.retries
        self._flow = flow
        self._pulse = pulse
        self._body = body
        self._told_of = told
        self._waited = 0.0
        self._errors: list[GatewayError] = []
        # the places in the route of targets that have no room
        self._full: set[int] = set()

    async def first(self, targets: Sequence[Target]) -> Answer:
        """The first answer that is one. Raises the most telling error when there is none."""
        provider = targets[0].provider
        if len(targets) == 1 and self._health.calm and len(provider.accounts) < 2 and not provider.capacity_fallback:
            # Most calls: there is nothing to choose.
            answer = await self._ask(Candidate(targets[0], provider.accounts[0] if provider.accounts else None))
        else:
            answer = await self._ranked(rank(targets, self._health, self._flow.session))
        if answer is None:
            raise self._verdict()
        self._errors.clear()
        return answer

    def _verdict(self) -> GatewayError:
        """What the client hears. An error holds on to the frames that it went through, so none is kept."""
        told = most_telling(self._errors)
        self._errors.clear()
        return told

    async def _ranked(self, ranking: Ranking) -> Answer | None:
        for passed in ranking.passed:
            self._flow.attempts.append(self._passed(passed))
        self._full.update(one.place for one in (*ranking.resting, *ranking.passed) if _is_full(one))
        return await self._in_order(ranking.asked) or await self._rested(ranking)

    async def _in_order(self, candidates: Sequence[Candidate]) -> Answer | None:
        """Each in its turn. A host that is being probed by another call comes last."""
        queue = deque((candidate, True) for candidate in candidates)
        while queue:
            candidate, may_defer = queue.popleft()
            if candidate.fills_in and candidate.place not in self._full:
                continue
            provider, model = candidate.target.provider, candidate.target.model
            standing = "closed" if candidate.is_broken else self._health.standing(provider, model)
            if standing == "half_open" and self._health.begin_probe(provider, model):
                try:
                    answer = await self._ask(candidate, tries=1)
                finally:
                    self._health.end_probe(provider, model)
            elif standing != "closed" and may_defer:
                queue.append((candidate, False))
                continue
            else:
                answer = await self._ask(candidate)
            if answer is not None:
                return answer
        return None

    async def _rested(self, ranking: Ranking) -> Answer | None:
        """Those whose rest ends in time, the soonest first; where nobody else was there, one that may be looked at."""
        left = [one for one in ranking.resting if not one.fills_in or one.place in self._full]
        for _ in range(len(left) * self._retries.attempts):
            if not left:
                break
            seconds, number = min((self._rest_seconds(one), number) for number, one in enumerate(left))
            soonest = left[number]
            delay = _spread(seconds)
            if not self._affordable(delay):
                break
            await self._wait(delay)
            if self._rest_seconds(soonest) > 0:
                continue  # somebody else was first, and was refused
            answer = await self._ask(soonest, waited=delay, tries=1)
            if answer is not None:
                return answer
            if self._rest_seconds(soonest) <= 0:
                del left[number]  # it is not its limits that are in the way
        if not self._errors:
            return await self._look(ranking)
        return None

    def _rest_seconds(self, candidate: Candidate) -> float:
        rest = self._health.rest(candidate.target.provider, candidate.account, candidate.target.model)
        return 0.0 if rest is None else self._health.left_seconds(rest)

    async def _look(self, ranking: Ranking) -> Answer | None:
        """All rest. From time to time one call is let through to see if that is still so; all others are refused."""
        for candidate in ranking.resting:
            rest = candidate.rest
            if rest is not None and rest.told and self._health.may_look(rest):
                return await self._ask(candidate, tries=1)
        self._errors.append(self._all_rest(ranking))
        return None

    async def _ask(self, candidate: Candidate, *, waited: float = 0.0, tries: int = 0) -> Answer | None:
        """An answer of this one; None when it has none and another may. Raises what is the request's own fault."""
        provider, model = candidate.target.provider, candidate.target.model
        health = self._health
        left = tries or (1 if candidate.is_broken else self._retries.attempts)
        number = 0
        while True:
            number += 1
            attempt = self._attempt(candidate, waited)
            begun = self._pulse.now()
            attempt.begun = begun - self._flow.clock
            since = health.clock()
            try:
                with self._pulse.guard():
                    answer = await self._opening.open(candidate, attempt)
            except GatewayError as error:
                wait = self._told(candidate, error)
                attempt.error, attempt.reason = error.message, error.kind.value
                health.failed(provider, candidate.account, model, error, wait)
                if not moves_on(error):
                    raise
                delay = self._delay(error, wait, number) if number < left else None
                if delay is None:
                    self._give_up(candidate, error)
                    return None
            else:
                if not health.calm:
                    health.answered(provider, candidate.account, model, since)
                self._stick(candidate)
                return answer
            finally:
                attempt.seconds = self._pulse.now() - begun
                self._told_of(self._flow, attempt)
            await self._wait(delay)
            waited = delay

    def _give_up(self, candidate: Candidate, error: GatewayError) -> None:
        self._errors.append(error)
        if is_capacity(error):
            self._full.add(candidate.place)

    def _told(self, candidate: Candidate, error: GatewayError) -> float | None:
        """How long the provider wants to be left alone; the client is told it too, whatever it was written in."""
        if not isinstance(error, Refused):
            return error.retry_after
        now = self._health.wall()
        headers = {name.lower(): value for name, value in error.headers}
        reading = candidate.target.provider.reading(headers, now) if error.kind in LIMITS else None
        wait = told_wait(error, now, reading)
        if error.retry_after is None:
            error.retry_after = wait
        return wait

    # ---- waiting ----

    def _delay(self, error: GatewayError, wait: float | None, number: int) -> float | None:
        """Seconds before the next try of the same, None when there is none."""
        if not merits_another_try(error):
            return None
        if wait:
            delay = _spread(wait)
        else:
            delay = min(self._retries.first_delay_seconds * 2 ** (number - 1), self._retries.longest_delay_seconds)
            delay *= random.uniform(0.5, 1.0)
        return delay if self._affordable(delay, told=wait or 0.0) else None

    def _affordable(self, delay: float, told: float | None = None) -> bool:
        longest = self._retries.longest_delay_seconds
        return (delay if told is None else told) <= longest and self._waited + delay <= self._retries.budget_seconds

    async def _wait(self, delay: float) -> None:
        self._waited += delay
        await anyio.sleep(delay)

    # ---- what is kept of it ----

    def _attempt(self, candidate: Candidate, waited: float) -> Attempt:
        target = candidate.target
        name = shown_account(target.provider, candidate.account)
        attempt = Attempt(f"{target.provider.name}:{target.model}", "", account=name, waited=waited)
        self._flow.attempts.append(attempt)
        return attempt

    def _passed(self, candidate: Candidate) -> Attempt:
        target, rest = candidate.target, candidate.rest
        name = shown_account(target.provider, candidate.account)
        attempt = Attempt(f"{target.provider.name}:{target.model}", "", account=name, asked=False)
        if rest is None:
            attempt.reason, attempt.error = "breaker_open", "it failed several times in a row"
        else:
            attempt.reason = f"resting_{rest.kind.value}"
            attempt.error = f"it rests for {_span(self._health.left_seconds(rest))}: {rest.kind.value}"
        return attempt

    def _stick(self, candidate: Candidate) -> None:
        account, session = candidate.account, self._flow.session
        if session and account is not None and len(candidate.target.provider.accounts) > 1:
            seconds = WARM_LONG_SECONDS if _KEPT_LONG in self._body else WARM_SECONDS
            self._health.stick(candidate.target.provider, session, account, seconds)

    def _all_rest(self, ranking: Ranking) -> GatewayError:
        """What a client is told when everybody it may be served by is at a limit, and nobody was asked."""
        health = self._health
        resting = ((one, one.rest) for one in ranking.resting if one.rest is not None)
        ends = sorted((health.left_seconds(rest), one.label, rest.kind) for one, rest in resting)
        seconds, _, kind = ends[0]
        who = ", ".join(f"{label} for {_span(left)} more" for left, label, _ in ends[:_NAMED])
        return UpstreamError(
            f"at its limit, as the provider has said: {who}",
            kind=kind if kind in LIMITS else ErrorKind.RATE_LIMITED,
            retry_after=seconds,
            hint="`strowger quota` shows the limits; a `fallback` of the route would be asked meanwhile",
        )


def _is_full(candidate: Candidate) -> bool:
    rest = candidate.rest
    return not candidate.fills_in and rest is not None and rest.kind in LIMITS | {ErrorKind.OVERLOADED}


def _spread(seconds: float) -> float:
    """A wait that was asked for, and a little more."""
    return seconds + random.uniform(0.0, min(_SPREAD * seconds, _LONGEST_SPREAD))


def _span(seconds: float) -> str:
    """A time span in a few signs: `2h 5m`, `45s`, `0.3s`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{value}{unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")) if value]
    return " ".join(parts[:2])
