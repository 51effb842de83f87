"""A flow: what is kept of one call. No bodies and no credentials, so nothing secret can be in it.

Knows nothing of HTTP servers or stores; the pipeline fills a `Flow` while the call runs, and `summary` turns it into
plain data.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from strowger.dialects.base import Loss
from strowger.ir.events import Finish, Usage

Outcome = Literal["running", "ok", "failed", "cancelled"]


class Attempt(Struct):
    """One try at an upstream. `status` is its HTTP status, 0 when none came; `error` one sentence.

    `account` is empty where the provider has only one. `reason` is the kind of what went wrong, in a word. `waited` are
    the seconds before it. What was passed over was not `asked`, and `reason` and `error` say why.
    """

    target: str
    lane: str
    status: int = 0
    error: str | None = None
    seconds: float = 0.0
    account: str = ""
    reason: str | None = None
    waited: float = 0.0
    asked: bool = True

    @property
    def label(self) -> str:
        """`provider/account:model`."""
        provider, _, model = self.target.partition(":")
        return f"{provider}/{self.account}:{model}" if self.account else self.target


class Flow(Struct):
    """The record of a call, growing while it runs.

    Times are seconds on the monotonic clock except `started`, which is Unix time. `first_byte` and `duration` count
    from the moment when the call had been read. `upstream_first_byte` is when the answering upstream sent its first
    byte.
    """

    id: str
    started: float
    clock: float
    method: str
    path: str
    dialect: str
    client: str = ""
    agent: str = ""
    session: str | None = None
    agent_id: str | None = None
    model: str = ""
    stream: bool = False
    request_bytes: int = 0
    route: str = ""
    provider: str = ""
    upstream_model: str = ""
    upstream_dialect: str = ""
    lane: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    status: int = 0
    outcome: Outcome = "running"
    error_kind: str | None = None
    error: str | None = None
    finish: Finish | None = None
    usage: Usage = Usage()
    upstream_request_id: str | None = None
    upstream_first_byte: float | None = None
    first_byte: float | None = None
    duration: float = 0.0
    events: int = 0
    response_bytes: int = 0

    def add_losses(self, losses: tuple[Loss, ...] | list[Loss]) -> None:
        """Remember losses, each once."""
        for loss in losses:
            if loss not in self.losses:
                self.losses.append(loss)


def summary(flow: Flow) -> dict[str, object]:
    """The flow as plain JSON data: what the log line and the admin API show."""
    usage = flow.usage
    tokens = {
        "input": usage.input,
        "output": usage.output,
        "cache_read": usage.cache_read,
        "cache_write": usage.cache_write,
        "reasoning": usage.reasoning,
    }
    return {
        "id": flow.id,
        "started": round(flow.started, 3),
        "method": flow.method,
        "path": flow.path,
        "dialect": flow.dialect,
        "client": flow.client,
        "agent": flow.agent,
        "session": flow.session,
        "agent_id": flow.agent_id,
        "model": flow.model,
        "stream": flow.stream,
        "route": flow.route,
        "provider": flow.provider,
        "upstream_model": flow.upstream_model,
        "upstream_dialect": flow.upstream_dialect,
        "lane": flow.lane,
        "outcome": flow.outcome,
        "status": flow.status,
        "error_kind": flow.error_kind,
        "error": flow.error,
        "finish": flow.finish.reason.value if flow.finish else None,
        "tokens": {name: count for name, count in tokens.items() if count is not None},
        "tokens_estimated": usage.estimated,
        "losses": [{"path": loss.path, "reason": loss.reason, "severity": loss.severity} for loss in flow.losses],
        "notes": flow.notes,
        "attempts": [_attempt(attempt) for attempt in flow.attempts],
        "upstream_request_id": flow.upstream_request_id,
        "request_bytes": flow.request_bytes,
        "response_bytes": flow.response_bytes,
        "events": flow.events,
        "upstream_first_byte_ms": _ms(flow.upstream_first_byte),
        "first_byte_ms": _ms(flow.first_byte),
        "duration_ms": _ms(flow.duration),
    }


def _attempt(attempt: Attempt) -> dict[str, object]:
    return {
        "target": attempt.target,
        "account": attempt.account,
        "lane": attempt.lane,
        "asked": attempt.asked,
        "status": attempt.status,
        "reason": attempt.reason,
        "error": attempt.error,
        "waited_ms": _ms(attempt.waited),
        "ms": _ms(attempt.seconds),
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
