"""What a gateway answers to those who look after it: the types of the admin API, as `strowger.client` reads them.

A newer gateway's unknown members are ignored, an older one's missing ones have defaults. Imports nothing of ours.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Calls(Struct, frozen=True):
    """How many calls there have been. Those that were `stopped` by a budget did not fail."""

    total: int = 0
    running: int = 0
    failed: int = 0
    cancelled: int = 0
    stopped: int = 0


class ProviderState(Struct, frozen=True):
    """A provider and the state of its credential: `ok`, `missing`, `none` needed, the `client`'s own, or `unknown`
    while a command takes its time.
    """

    name: str
    dialect: str = ""
    base_url: str = ""
    credential: str = ""
    problem: str | None = None


class RouteState(Struct, frozen=True, rename={"request_class": "class"}):
    """A configured route: calls for these models, and for which all the conditions hold, go `to` a target or its
    fallbacks. An empty condition, or one that is None, is none.
    """

    name: str
    model: tuple[str, ...] = ()
    request_class: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    subagent: bool | None = None
    agent_id: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    prompt_over: int | None = None
    prompt_under: int | None = None
    effort: tuple[str, ...] = ()
    thinking: bool | None = None
    plan: bool | None = None
    tool: tuple[str, ...] = ()
    images: bool | None = None
    to: str = ""
    fallback: tuple[str, ...] = ()


class LaunchState(Struct, frozen=True):
    """A client that runs on the gateway, and what was chosen for it alone. `project` is the directory that it works in,
    `sessions` are the last ids of its own for its conversations, the latest first. `orphan`: its `strowger run` is
    gone; the client itself may be there.
    """

    id: str
    name: str = ""
    pid: int = 0
    profile: str | None = None
    via: str | None = None
    project: str = ""
    sessions: tuple[str, ...] = ()
    orphan: bool = False


class RestState(Struct, frozen=True):
    """An account that is left alone until a Unix time; all of it where no `model` is named.

    `told`: the provider said for how long, so nobody is asked before.
    """

    provider: str
    account: str = ""
    model: str | None = None
    kind: str = ""
    until: float = 0.0
    told: bool = False


class BreakerState(Struct, frozen=True):
    """A host that failed several times in a row. `seconds` are left until a call may find out how it is."""

    provider: str
    base_url: str = ""
    model: str | None = None
    failures: int = 0
    seconds: float = 0.0


class Status(Struct, frozen=True, rename={"uptime": "uptime_seconds"}):
    """A running gateway. `started` is Unix time, `uptime` in seconds; `models` are the names that lead anywhere.

    `upstream_host` is where Claude Code's conversation goes unless its user says otherwise.
    """

    version: str = ""
    upstream_host: str = ""
    pid: int = 0
    started: float = 0.0
    uptime: float = 0.0
    calls: Calls = Calls()
    client_token_required: bool = False
    providers: tuple[ProviderState, ...] = ()
    routes: tuple[RouteState, ...] = ()
    aliases: dict[str, str] = {}
    models: tuple[str, ...] = ()
    launches: tuple[LaunchState, ...] = ()
    resting: tuple[RestState, ...] = ()
    breakers: tuple[BreakerState, ...] = ()


class WindowState(Struct, frozen=True):
    """One limit of an account. `resets_at` is Unix time; what its provider does not say is None."""

    name: str
    used_percent: float | None = None
    limit: float | None = None
    remaining: float | None = None
    minutes: float | None = None
    resets_at: float | None = None


class CreditState(Struct, frozen=True):
    """What can be spent beside the windows."""

    has_credits: bool = False
    unlimited: bool = False
    balance: str | None = None


class AccountState(Struct, frozen=True):
    """What a provider last said, at a Unix time, of one account."""

    provider: str
    account: str = ""
    at: float = 0.0
    plan: str | None = None
    windows: tuple[WindowState, ...] = ()
    credits: CreditState | None = None
    limit_reached: bool = False


class Quota(Struct, frozen=True):
    """What is left of the accounts that calls were made with, and what stands in the way of others."""

    accounts: tuple[AccountState, ...] = ()
    resting: tuple[RestState, ...] = ()
    breakers: tuple[BreakerState, ...] = ()


class ModelFacts(Struct, frozen=True):
    """What is known of a model: tokens of context and of output, 0 when nobody says; whether it takes images."""

    context: int = 0
    output: int = 0
    images: bool | None = None


class Model(Struct, frozen=True):
    """A model that can be asked for, and where that leads. `discovery` names are for Claude Code's list only."""

    id: str
    provider: str = ""
    model: str = ""
    display_name: str = ""
    discovery: bool = False
    facts: ModelFacts = ModelFacts()


class Prospect(Struct, frozen=True):
    """What awaits a conversation where its models lead: the tokens that it may hold, and by which model; the most that
    this one writes. 0 and empty where nobody says, or where the client knows by itself. `betas`: all of them take what
    is new in Anthropic's Messages.
    """

    room: int = 0
    target: str = ""
    output: int = 0
    betas: bool = False


class Launch(Struct, frozen=True):
    """A launch that was opened: its token lets one client in until it is closed. `env` is for its environment,
    `effort` for how hard its models think. `always_control`: it asks for Remote Control.
    """

    id: str
    token: str
    env: dict[str, str] = {}
    effort: str | None = None
    always_control: bool = False

    def __repr__(self) -> str:
        return f"Launch({self.id})"


class Catalog(Struct, frozen=True):
    """What can be asked for, and by provider why its own list is missing."""

    models: tuple[Model, ...]
    problems: dict[str, str] = {}


class Chosen(Struct, frozen=True):
    """What a launch goes by: a profile, or via a provider; neither is what everybody has.

    Where its conversation has another `room` from now on, that of `target`, than its client was told of: both; 0 is
    what the client itself takes its models for.
    """

    profile: str | None = None
    via: str | None = None
    room: int = 0
    target: str = ""
    told_room: int = 0


class Page(Struct, frozen=True):
    """Calls as plain data, the newest first. `next` goes into `before` for the page behind; None: it was the last.
    `count` is how many there are in all, where that was asked.
    """

    flows: tuple[dict[str, Any], ...] = ()
    next: int | None = None
    count: int | None = None


class MessageHead(Struct, frozen=True):
    """A message on its way over one wire, without its bytes. `line` is `POST https://…` or a status. `size` counts all
    bytes, `kept` those that can be asked for; `pieces` are milliseconds since the call had been read, and bytes.
    """

    kind: str
    number: int = 0
    line: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    size: int = 0
    kept: int = 0
    cut: bool = False
    first_ms: float | None = None
    last_ms: float | None = None
    pieces: tuple[tuple[float, int], ...] = ()


class SaidPiece(Struct, frozen=True):
    """A part of what was said. `kind` is text, thinking, call, result, media or other; `title` says more of it.

    `left_out` is how many characters of the text are not told.
    """

    kind: str
    text: str = ""
    title: str = ""
    left_out: int = 0


class SaidTurn(Struct, frozen=True):
    """What one side said."""

    role: str
    pieces: tuple[SaidPiece, ...] = ()


class Transcript(Struct, frozen=True):
    """What was said in a call; `earlier` turns were left out. Not `readable`: it is not kept, or in no dialect."""

    readable: bool = False
    earlier: int = 0
    turns: tuple[SaidTurn, ...] = ()
    tools: tuple[dict[str, str], ...] = ()
    answer: SaidTurn | None = None


class Lines(Struct, frozen=True):
    """A message's body as lines of text from `offset` on; `total` are there."""

    lines: tuple[str, ...] = ()
    offset: int = 0
    total: int = 0


class AnswerEvent(Struct, frozen=True):
    """One event of an answer; `ms` since the call had been read."""

    ms: float
    kind: str = ""
    data: str = ""


class AnswerEvents(Struct, frozen=True):
    """The events of an answer from `offset` on; `total` are there."""

    events: tuple[AnswerEvent, ...] = ()
    offset: int = 0
    total: int = 0


class Comparison(Struct, frozen=True):
    """What a client sent beside what was forwarded, the request with this `number` of those that there are.

    `likeness` is `identical`, `equal` (the same JSON, written otherwise) or `different`; `headers` and `body` are lines
    of a diff.
    """

    line: tuple[str, str] = ("", "")
    headers: tuple[str, ...] = ()
    likeness: str = ""
    body: tuple[str, ...] = ()
    number: int = 0
    numbers: tuple[int, ...] = ()


class StoreState(Struct, frozen=True):
    """How the store of calls is, where there is one (`on`). `problem` is one sentence while it cannot be written."""

    on: bool = False
    path: str = ""
    flows: int = 0
    bytes: int = 0
    waiting: int = 0
    written: int = 0
    bodies_dropped: int = 0
    flows_dropped: int = 0
    problem: str | None = None


class Event(Struct, frozen=True):
    """Something that happened: a `flow` began, opened or ended, a `pulse` of the gateway, changes of `quota` and
    `store`, a `gap` where events were missed. What there will be besides is to be passed over.
    """

    kind: str
    data: Any


class Usage(Struct, frozen=True):
    """Sums: each row has a value for all that `by` names, and then what `strowger usage --json` tells."""

    by: tuple[str, ...] = ()
    rows: tuple[dict[str, Any], ...] = ()


class Sums(Struct, frozen=True, kw_only=True):
    """What some calls come to, and the models that answered them. Money is in US dollars; `plan_usd` is the value of
    what a plan paid for. Calls that a budget `stopped` are no errors.
    """

    models: tuple[str, ...] = ()
    calls: int = 0
    errors: int = 0
    stopped: int = 0
    input: int = 0
    output: int = 0
    cache_rate: float | None = None
    billed_usd: float = 0.0
    plan_usd: float = 0.0
    unpriced: int = 0


class AgentUse(Sums, frozen=True, kw_only=True):
    """An agent of a session: sums of it and of all that it started, its `own`, and whom it started. The main agent has
    no id.
    """

    agent_id: str | None = None
    agent_type: str = ""
    own: dict[str, Any] = {}
    children: tuple[AgentUse, ...] = ()


class SessionUse(Sums, frozen=True, kw_only=True):
    """A session of a client, its sums and its agents. `first` and `last` are when calls began, as Unix times."""

    session: str
    program: str = ""
    project: str = ""
    first: float = 0.0
    last: float = 0.0
    agents: tuple[AgentUse, ...] = ()


class Answered(Struct, frozen=True):
    """What an answer says: text, thinking, the tools that it calls with their arguments (JSON), how it ended, or the
    error that it was.
    """

    status: int = 0
    error: str | None = None
    text: str = ""
    thinking: str = ""
    calls: tuple[dict[str, str], ...] = ()
    stop: str | None = None


class Replayed(Struct, frozen=True):
    """A call that was repeated: the new flow, as plain data, and what was answered."""

    flow: dict[str, Any] = {}
    answer: Answered = Answered()
