"""A flow: what is kept of one call. No credentials, so nothing secret can be in it; what went over the wires is on its
tape, which goes to the store and is let go.

Knows nothing of HTTP servers or stores; the pipeline fills a `Flow` while the call runs, and `summary` turns it into
plain data.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from msgspec import Struct, field

from strowger.dialects.base import Loss
from strowger.flows.tape import Tape
from strowger.ir.events import Finish, Usage

Outcome = Literal["running", "ok", "failed", "cancelled", "stopped"]
"""`stopped`: a budget of the user's was used up, so nobody was asked."""

Billing = Literal["metered", "plan", "free", ""]
"""Who pays for a call: money by the token, a plan that has been paid, nobody; empty when nobody knows."""

# How programs begin their User-Agent (captures of each), and what they are called; the first that fits.
_PROGRAMS = (
    ("claude-cli", "claude"),
    ("codex", "codex"),
    ("geminicli", "gemini"),
    ("opencode", "opencode"),
    ("kimi", "kimi"),
    ("qwencode", "qwen"),
    ("pi-coding-agent", "pi"),
    ("litellm", "aider"),
    ("anthropic/", "sdk"),
    ("openai/", "sdk"),
    ("asyncanthropic", "sdk"),
    ("asyncopenai", "sdk"),
    ("google-genai", "sdk"),
    ("strowger", "strowger"),
)


@lru_cache(maxsize=256)
def program_of(user_agent: str) -> str:
    """What a User-Agent is called in tables and metrics: one of a few names, `other`, or empty where there is none."""
    told = user_agent.lower()
    return next((name for mark, name in _PROGRAMS if told.startswith(mark)), "other" if told else "")


class Attempt(Struct):
    """One try at an upstream. `status` is its HTTP status, 0 when none came; `error` one sentence.

    `account` is empty where the provider has only one. `reason` is the kind of what went wrong, in a word. `waited` are
    the seconds before it. What was passed over was not `asked`, and `reason` and `error` say why. `begun` is when, in
    seconds since the call had been read.
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
    begun: float = 0.0

    @property
    def label(self) -> str:
        """`provider/account:model`."""
        provider, _, model = self.target.partition(":")
        return f"{provider}/{self.account}:{model}" if self.account else self.target


class Flow(Struct):
    """The record of a call, growing while it runs.

    Times are seconds on the monotonic clock except `started`, which is Unix time. `sent`, `first_byte` and `duration`
    count from the moment when the call had been read. `sent` is when the first request left for an upstream,
    `upstream_first_byte` when the answering one sent its first byte.

    `agent` is the User-Agent as it came, `program` its short name. `launch` is the id of the client's launch, `profile`
    what that goes by, `project` the directory it works in. `tier` is the service tier that the answer began in,
    `places` what price lists may call who gave it. `billed` is the cost in US dollars as the price table has it, None
    where it has no price for the model: money where `billing` is `metered`, the value of a plan's traffic where it is
    `plan`. `budget` says which of the user's budgets are nearly used up. `trace` is the client's `traceparent`.
    `replay_of` is the flow that this one repeats.
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
    parent_agent_id: str | None = None
    agent_type: str = ""
    request_class: str = ""
    launch: str = ""
    profile: str = ""
    project: str = ""
    trace: str = ""
    replay_of: str = ""
    model: str = ""
    stream: bool = False
    request_bytes: int = 0
    route: str = ""
    provider: str = ""
    upstream_model: str = ""
    response_model: str = ""
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
    tier: str = ""
    places: tuple[str, ...] = ()
    billing: Billing = ""
    billed: float | None = None
    budget: str = ""
    upstream_request_id: str | None = None
    sent: float | None = None
    upstream_first_byte: float | None = None
    first_byte: float | None = None
    duration: float = 0.0
    events: int = 0
    response_bytes: int = 0
    tape: Tape | None = None

    @property
    def program(self) -> str:
        """The client program's short name."""
        return program_of(self.agent)

    @property
    def account(self) -> str:
        """The account that answered, where its provider has several."""
        return self.attempts[-1].account if self.provider and self.attempts else ""

    def add_losses(self, losses: tuple[Loss, ...] | list[Loss]) -> None:
        """Remember losses, each once."""
        for loss in losses:
            if loss not in self.losses:
                self.losses.append(loss)


_COUNTS = ("input", "output", "cache_read", "cache_write", "reasoning")


def summary(flow: Flow) -> dict[str, object]:
    """The flow as plain JSON data: what the log line and the admin API show."""
    usage = flow.usage
    counts = (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning)
    return {
        "id": flow.id,
        "started": round(flow.started, 3),
        "method": flow.method,
        "path": flow.path,
        "dialect": flow.dialect,
        "client": flow.client,
        "agent": flow.agent,
        "program": flow.program,
        "session": flow.session,
        "agent_id": flow.agent_id,
        "parent_agent_id": flow.parent_agent_id,
        "agent_type": flow.agent_type,
        "request_class": flow.request_class,
        "launch": flow.launch,
        "profile": flow.profile,
        "project": flow.project,
        "model": flow.model,
        "stream": flow.stream,
        "route": flow.route,
        "provider": flow.provider,
        "account": flow.account,
        "upstream_model": flow.upstream_model,
        "response_model": flow.response_model,
        "upstream_dialect": flow.upstream_dialect,
        "lane": flow.lane,
        "outcome": flow.outcome,
        "status": flow.status,
        "error_kind": flow.error_kind,
        "error": flow.error,
        "finish": flow.finish.reason.value if flow.finish else None,
        "tokens": {name: count for name, count in zip(_COUNTS, counts, strict=True) if count is not None},
        "tokens_estimated": usage.estimated,
        "billing": flow.billing,
        "billed_usd": None if flow.billed is None else round(flow.billed, 8),
        "losses": [{"path": loss.path, "reason": loss.reason, "severity": loss.severity} for loss in flow.losses]
        if flow.losses
        else [],
        "notes": flow.notes,
        "attempts": [_attempt(attempt) for attempt in flow.attempts],
        "upstream_request_id": flow.upstream_request_id,
        "request_bytes": flow.request_bytes,
        "response_bytes": flow.response_bytes,
        "events": flow.events,
        "replay_of": flow.replay_of,
        "sent_ms": _ms(flow.sent),
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
