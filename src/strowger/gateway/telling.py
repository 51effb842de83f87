"""What the log is told besides calls: each try, each connection, what providers say of limits, what was refused.

Only who set the log to `debug` wants to know, so nothing is put together for anybody else.
"""

from __future__ import annotations

from strowger.errors import GatewayError
from strowger.flows.flow import Attempt, Flow
from strowger.gateway.health import Health
from strowger.gateway.pipeline import Line
from strowger.gateway.sending import Note
from strowger.providers.base import Account, Provider
from strowger.providers.quota import Reading
from strowger.telemetry.logs import Log
from strowger.upstreams.dialing import Dialer

GOOD_NEWS = (" was refreshed", " is stored now")
"""How notes about logins end that are no warnings."""


class Teller:
    """Tells the log."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def listen(self, dialer: Dialer, line: Line) -> None:
        """Be told of tries and connections, if the log wants to know."""
        if self._log.wants("connection"):
            dialer.tell = self._connection
        if self._log.wants("attempt"):
            line.told_of_tries = self._attempt

    def refused(self, error: GatewayError, path: str) -> None:
        """A request that never became a call."""
        if self._log.wants("refused"):
            path = path.partition("?")[0][:500]  # behind it may be a key
            self._log.write("debug", "refused", {"path": path, "kind": error.kind.value, "error": error.message})

    def _connection(self, what: str, host: str, seconds: float) -> None:
        self._log.write("debug", "connection", {"what": what, "host": host, "ms": _ms(seconds)})

    def _attempt(self, flow: Flow, attempt: Attempt) -> None:
        told = {"flow": flow.id, "target": attempt.target, "account": attempt.account, "lane": attempt.lane}
        outcome = {"status": attempt.status, "reason": attempt.reason, "error": attempt.error}
        times = {"waited_ms": _ms(attempt.waited), "ms": _ms(attempt.seconds)}
        self._log.write("debug", "attempt", {**told, **outcome, **times})


def noting(health: Health, log: Log) -> Note:
    """What a provider says of its limits goes to `health`, and to the log if that wants to know."""
    if not log.wants("limits"):
        return health.note

    def note(provider: Provider, account: Account | None, reading: Reading) -> None:
        health.note(provider, account, reading)
        left = {window.name: window.used_percent for window in reading.windows if window.used_percent is not None}
        named = account.name if account is not None else ""
        told = {"provider": provider.name, "account": named, "plan": reading.plan, "used_percent": left}
        log.write("debug", "limits", told)

    return note


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
