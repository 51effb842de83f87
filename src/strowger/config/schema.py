"""The shape of the configuration: every table and key, its type, its default. One frozen struct per table.

Values here are as written or filled in from a preset; nothing is resolved, fetched or connected. Must not know which
presets exist (they are handed in as data) nor how providers are built.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

import msgspec

from strowger.config.references import SecretRef

DialectName = Literal["anthropic", "openai_chat", "openai_responses", "gemini"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogArea = Literal["call", "upstream", "auth", "config", "store", "server"]
Spread = Literal["fill_first", "round_robin", "most_left"]
Transport = Literal["auto", "http", "websocket"]
Billing = Literal["metered", "plan", "free"]

GAPS = ("region", "project", "resource")
"""What may be missing in the address of a preset."""

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

Globs = tuple[str, ...]
# In a header value only a known prefix makes a reference: most values are plain text.
Headers = Mapping[str, Annotated[SecretRef, "header"]]
Overrides = Mapping[str, object]
# A proxy's URL is mostly plain text too, though it may hold a password.
ProxyRef = Annotated[SecretRef | None, "header"]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """`[server]`: where we listen and whom we let in."""

    bind: str = "127.0.0.1"
    port: Port = 4000
    client_token: SecretRef | None = None
    allow_external_bind: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    max_body_mb: Positive = 64
    max_header_kb: Positive = 64
    grace_seconds: Annotated[float, msgspec.Meta(ge=0)] = 10.0


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """`[limits]`: how long we wait. There is no limit on the whole of a call: thinking may take many minutes."""

    idle_timeout_seconds: Seconds = 300.0
    heartbeat_seconds: Seconds = 10.0
    connect_timeout_seconds: Seconds = 10.0


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """`[network]`: how the upstreams are reached. What is not set here is as the environment says.

    `proxy` is a URL, or "none"; `no_proxy` lists what is reached without it. `ca_file` holds authorities to be trusted
    besides the system's; `client_cert` and `client_key` are what we show to hosts that ask who we are.
    """

    proxy: ProxyRef = None
    no_proxy: tuple[str, ...] | None = None
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """`[retries]`: how long we try before a client hears of a failure, always before the first byte of an answer.

    `attempts` are the tries of one target with one account; `budget_seconds` is for all waiting between the tries of a
    call. An account that was refused for its limits rests for as long as the provider says, else for
    `cooldown_seconds`. After `breaker_failures` failures in a row a target is left alone for `breaker_seconds`.
    """

    attempts: Positive = 2
    budget_seconds: Annotated[float, msgspec.Meta(ge=0)] = 20.0
    first_delay_seconds: Seconds = 0.5
    longest_delay_seconds: Seconds = 8.0
    cooldown_seconds: Seconds = 60.0
    breaker_failures: Annotated[int, msgspec.Meta(ge=0)] = 5
    breaker_seconds: Seconds = 30.0


class ProviderConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[providers.NAME]`. After loading, `dialect` and `base_url` are always there: written, or from the preset.

    `accounts` stands for `auth` where there are several credentials: each has a name, and `spread` says whose turn it
    is. `transport` and `continuation` are for hosts that also speak over a WebSocket. `region`, `project`, `resource`
    and `api_version` complete the addresses of clouds. `proxy` and `ca_file` stand for those of `[network]`. `billing`
    says who pays, where that is not plain from the rest. `without_betas` are globs of betas that a client does not get.
    """

    preset: str | None = None
    dialect: DialectName | None = None
    base_url: str | None = None
    auth: SecretRef | None = None
    accounts: Mapping[str, SecretRef] = MappingProxyType({})
    spread: Spread = "fill_first"
    auth_header: str | None = None
    headers: Headers = MappingProxyType({})
    models: Globs = ()
    capabilities: Overrides = MappingProxyType({})
    strict: bool = False
    transport: Transport = "auto"
    continuation: bool = False
    capacity_fallback: Globs = ()
    without_betas: Globs = ()
    options: Overrides = MappingProxyType({})
    region: str | None = None
    project: str | None = None
    resource: str | None = None
    api_version: str | None = None
    proxy: ProxyRef = None
    ca_file: str | None = None
    billing: Billing | None = None


class Match(msgspec.Struct, frozen=True, kw_only=True, rename={"request_class": "class"}):
    """Conditions of a route; all that are given must hold. Globs are matched without regard to case.

    `class`, `agent`, `agent_id` and `subagent` are about who is asking, and for what: read from the headers of agents
    that say it, else from how their prompts begin. `session` is the client's id of its conversation. `effort`,
    `thinking`, `tool` and `images` are about what the request asks for, `plan` about the mode that the client is in.
    `prompt_over` and `prompt_under` are in tokens, judged by the size of the body.
    """

    model: str | Globs = ()
    request_class: str | Globs = ()
    agent: str | Globs = ()
    subagent: bool | None = None
    agent_id: str | Globs = ()
    session: str | Globs = ()
    prompt_over: Annotated[int, msgspec.Meta(ge=0)] | None = None
    prompt_under: Positive | None = None
    effort: str | Globs = ()
    thinking: bool | None = None
    plan: bool | None = None
    tool: str | Globs = ()
    images: bool | None = None


class RouteConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[[routes]]`: calls that match go `to` "provider" or "provider:model", then down the `fallback` list."""

    match: Match
    to: str
    fallback: tuple[str, ...] = ()
    strict: bool = False
    name: str | None = None


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """`[launch.models]`: what stands behind the kinds of model that agents ask for: "provider:model" or "provider".

    `opus`, `sonnet` and `haiku` are for names with that word in them, `subagent` for whatever sub-agents ask for,
    `background` for requests that no user waits for, `main` for everything else.
    """

    main: str | None = None
    opus: str | None = None
    sonnet: str | None = None
    haiku: str | None = None
    subagent: str | None = None
    background: str | None = None


class Launching(msgspec.Struct, frozen=True, kw_only=True):
    """`[launch]`: what a client that `strowger run` starts is given. Profiles usually say it.

    `via` is where its calls go, "provider" or "provider:model", unless a slot of `models` says otherwise. `effort` is
    how hard its models think; `env` goes into its environment. `always_control`: it asks for Remote Control, and its
    user hears what becomes of that.
    """

    via: str | None = None
    models: Slots = Slots()
    effort: str | None = None
    env: Mapping[str, str] = MappingProxyType({})
    always_control: bool = False


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """`[proxy]`: the gateway that `strowger run` starts for a client, and the one of `strowger proxy`.

    With `enabled = false` a client that `strowger run` starts goes to its provider by itself. `pid_file` is written
    besides our own pid file, for programs that look for it there.
    """

    enabled: bool = True
    bind: str = "127.0.0.1"
    port: Port = 0
    pid_file: str | None = None
    allow_external_bind: bool = False


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """`[log]`: how much is told, and where. `areas` says it for a part of the gateway alone."""

    level: LogLevel = "info"
    file: str | None = None
    areas: Mapping[LogArea, LogLevel] = MappingProxyType({})


class Flows(msgspec.Struct, frozen=True, kw_only=True):
    """`[flows]`: what is kept of calls. `keep` of them stay in memory; the `store` on disk has the `bodies` of all, of
    those that failed, or of none.

    The file holds at most `max_mb`, details of a call for `keep_days` and its figures for `usage_days`; at most
    `max_body_mb` of each message. `jq` are filters for `strowger flows list`.
    """

    keep: Annotated[int, msgspec.Meta(ge=0)] = 200
    store: bool = True
    file: str | None = None
    bodies: Literal["all", "errors", "none"] = "all"
    max_mb: Positive = 1024
    keep_days: Annotated[float, msgspec.Meta(gt=0)] = 14.0
    usage_days: Annotated[float, msgspec.Meta(gt=0)] = 400.0
    max_body_mb: Positive = 8
    jq: tuple[str, ...] = ()


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """`[prices]`: a price list of your own, which goes over the packaged one."""

    file: str | None = None


Dollars = Annotated[float, msgspec.Meta(ge=0)]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """One budget in US dollars: from `warn` on it is told, from `stop` on calls are refused."""

    warn: Dollars | None = None
    stop: Dollars | None = None


class Budgets(msgspec.Struct, frozen=True, kw_only=True):
    """`[budgets]`: what a session, a day, and a day of the calls by one profile may cost.

    `count_plan`: the value of what a plan has paid for counts too.
    """

    session: Budget = Budget()
    day: Budget = Budget()
    profile: Budget = Budget()
    count_plan: bool = False


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """`[metrics]`: figures for Prometheus at /metrics; `open` to whoever asks, or on a loopback `port` of their own."""

    enabled: bool = True
    open: bool = False
    port: Port | None = None


class Tracing(msgspec.Struct, frozen=True, kw_only=True):
    """`[tracing]`: OpenTelemetry spans and metrics, sent by OTLP over HTTP to `endpoint`.

    `content`: with what was said in them. What is not set here is as the environment's OTEL_ variables say.
    """

    otlp: bool = False
    endpoint: str | None = None
    headers: Headers = MappingProxyType({})
    content: bool = False
    service: str = "strowger"


class Responses(msgspec.Struct, frozen=True, kw_only=True):
    """`[responses]`: answers that clients of the Responses API may refer to by their id, where no upstream keeps them.

    `file` is in the state directory unless named; `:memory:` keeps none on disk.
    """

    file: str | None = None
    max_mb: Positive = 256
    keep_days: Annotated[float, msgspec.Meta(gt=0)] = 30.0


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file, without `[profiles]`: the selected profile has been merged by then."""

    server: Server = Server()
    limits: Limits = Limits()
    network: Network = Network()
    retries: Retries = Retries()
    providers: Mapping[str, ProviderConfig] = MappingProxyType({})
    routes: tuple[RouteConfig, ...] = ()
    aliases: Mapping[str, str] = MappingProxyType({})
    launch: Launching = Launching()
    proxy: Proxy = Proxy()
    log: Log = Log()
    flows: Flows = Flows()
    prices: Prices = Prices()
    budgets: Budgets = Budgets()
    metrics: Metrics = Metrics()
    tracing: Tracing = Tracing()
    responses: Responses = Responses()


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """A packaged provider: what stands for `[providers.NAME]` before the user adds anything.

    `terms` names what the host wants beside its dialect, and `auth` is the reference that stands for a missing `auth`
    where no variable does. `base_url` may hold `{region}`, `{project}` and `{resource}`, which the user has to give.

    `variables` are those that by convention hold a gap, or the version of an API, by its name. `regions` has the
    addresses for regions whose hosts are named otherwise.

    `also` names the presets of other dialects that the same host speaks with the same key: a client of such a dialect
    is served in it. `foreign` is the one among them for clients of a dialect that none of them is, where it keeps more
    than this one does; empty for this one.

    `key_env` lists the variables that by convention hold its key, the usual one first; `key_required` is false for
    servers on the user's own machine. `aliases` are names under which its models are known elsewhere, each with its own
    name for it. `headers` are sent where the client has none of that name; names in lower case. `auth_header` is None
    for the dialect's own. `model_capabilities` pairs a model glob with overrides, later ones over earlier ones.
    `packaged` pairs models with their context window in tokens, for as long as the provider's own list is not to be
    had. `stands_in` pairs globs of names that no provider serves with the model that answers for them, the first that
    fits. `billing` says that a plan pays for its calls.
    """

    dialect: DialectName
    base_url: str
    key_env: tuple[str, ...] = ()
    key_required: bool = True
    auth_header: str | None = None
    models: Globs = ()
    aliases: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    capabilities: Overrides = MappingProxyType({})
    model_capabilities: tuple[tuple[str, Overrides], ...] = ()
    stands_in: tuple[tuple[str, str], ...] = ()
    infer: bool = True
    also: tuple[str, ...] = ()
    foreign: str = ""
    terms: str = ""
    billing: Billing | None = None
    auth: str = ""
    variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    regions: Mapping[str, str] = MappingProxyType({})

    def address(self, given: Mapping[str, object]) -> str:
        """Its base URL with the region, the project and the resource that are given; what is not stays a gap."""
        address = self.regions.get(str(given.get("region")), self.base_url)
        for gap in GAPS:
            value = given.get(gap)
            if isinstance(value, str) and value:
                address = address.replace(f"{{{gap}}}", value)
        return address

    packaged: tuple[tuple[str, int], ...] = ()


Presets = Mapping[str, Preset]
