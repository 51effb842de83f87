"""The configuration of claude-code-router (github.com/musistudio/claude-code-router): `config.json`, with comments.

`Providers` with the whole URL of a call, `Router` with `provider,model` for each kind of call, settings in capitals.
"""

from __future__ import annotations

from collections.abc import Mapping

from strowger.config.checks import is_loopback
from strowger.config.importers.draft import (
    Draft,
    Imported,
    Table,
    flag,
    number,
    port,
    table_of,
    tables_in,
    text,
    texts_in,
)
from strowger.config.importers.hosts import address, settled
from strowger.config.schema import DialectName, Presets

_SPEAKS: Mapping[str, DialectName] = {
    "anthropic": "anthropic",
    "gemini": "gemini",
    "openai-response": "openai_responses",
    "openai-responses": "openai_responses",
}
_LEVELS = {
    "fatal": "error",
    "error": "error",
    "warn": "warning",
    "info": "info",
    "debug": "debug",
    "trace": "debug",
}
# Transformers that adapt bodies to one vendor: whose preset knows the same.
_VENDORS = {"deepseek", "openrouter", "groq", "cerebras", "openai", "reasoning", "streamoptions", "cleancache"}
# In the order in which it decides: the kind of call, what `/model` may call it here, and what it looks at.
_LONG, _LONG_FROM = "longContext", "longContextThreshold"
_THRESHOLD = 60_000
_BACKGROUND = "background"
_KINDS: tuple[tuple[str, str, Table], ...] = (
    ("image", "image", {"images": True}),
    (_LONG, "long-context", {"prompt_over": _THRESHOLD}),
    (_BACKGROUND, "", {}),
    ("webSearch", "web-search", {"tool": "web_search*"}),
    ("think", "think", {"thinking": True}),
)
# A name that says itself where it goes is stronger there than any kind of call.
_ITS_MODELS = "claude-*"
_SMALL_MODELS = "*haiku*"
_WHY = {
    "LOG": 'one line for each call goes to standard error: see [log], `file = "…"`',
    "API_TIMEOUT_MS": "only silence has a limit: see limits.idle_timeout_seconds",
    "CUSTOM_ROUTER_PATH": "a program of yours decides there; routes are a table here",
    "transformers": "programs of yours change requests there; there is no such hook",
    "NON_INTERACTIVE_MODE": "nothing ever waits for a person",
    "HOT_RELOAD": "the file is always followed",
    "StatusLine": "it belongs to their own display",
}
_HANDLED = {"Providers", "providers", "Router", "APIKEY", "HOST", "PORT", "PROXY_URL", "LOG_LEVEL", "fallback"}


def recognised(table: Mapping[str, object]) -> bool:
    """Whether a table is one of this program."""
    return isinstance(table.get("Providers"), list) or isinstance(table.get("Router"), dict)


def imported(table: Mapping[str, object], presets: Presets, env: Mapping[str, str]) -> Imported:
    """Our configuration for theirs."""
    draft = Draft("claude-code-router", presets, env)
    names: dict[str, str] = {}
    for place, provider in tables_in(table.get("Providers", table.get("providers"))):
        _provider(draft, place, provider, names)
    _router(draft, table_of(table.get("Router")), table_of(table.get("fallback")), names)
    _server(draft, table)
    if proxy := text(table.get("PROXY_URL")):
        draft.put("PROXY_URL", draft.secret("PROXY_URL", proxy) if proxy.startswith("$") else proxy, "network", "proxy")
    level = (text(table.get("LOG_LEVEL")) or "").lower()
    if level in _LEVELS:
        draft.put("LOG_LEVEL", _LEVELS[level], "log", "level")
    for key in table:
        if key not in _HANDLED:
            draft.leave(key, _WHY.get(key, "it has no counterpart"))
    return draft.done()


def _provider(draft: Draft, place: int, provider: Table, names: dict[str, str]) -> None:
    name = text(provider.get("name")) or f"provider-{place + 1}"
    what = f"Providers[{name}]"
    uses = _uses(table_of(provider.get("transformer")).get("use"))
    speaks = next((_SPEAKS[use.lower()] for use, _ in uses if use.lower() in _SPEAKS), None)
    where = address(draft.plain(f"{what}.api_base_url", provider.get("api_base_url")), speaks)
    own: Table = {}
    if key := draft.secret(f"{what}.api_key", provider.get("api_key")):
        own["auth"] = key
    _transformers(draft, what, uses, own)
    ours = draft.provider(what, name, where and settled(where, draft.presets), own)
    if ours is None:
        return
    names[name] = ours
    if models := texts_in(provider.get("models")):
        draft.models_of(ours, models)
    for model in table_of(provider.get("transformer")):
        if model != "use":
            draft.leave(
                f"{what}.transformer.{model}", "what is changed is set for a provider, not for one of its models"
            )
    known = {"name", "api_base_url", "api_key", "models", "transformer"}
    draft.leave_rest(f"{what}.", provider, known, "it has no counterpart")


def _uses(value: object) -> list[tuple[str, Table]]:
    """The transformers in a list, each with its options."""
    found: list[tuple[str, Table]] = []
    for item in value if isinstance(value, list) else ():
        named = item[0] if isinstance(item, list) and item else item
        options = table_of(item[1]) if isinstance(item, list) and len(item) > 1 else {}
        if name := text(named):
            found.append((name, options))
    return found


def _transformers(draft: Draft, what: str, uses: list[tuple[str, Table]], own: Table) -> None:
    capabilities: Table = {}
    for use, options in uses:
        place = f"{what}.transformer.{use}"
        most = number(options.get("max_tokens"))
        routing = table_of(options.get("provider"))
        if use.lower() in _SPEAKS:
            draft.took(place, "the dialect")
        elif use == "maxtoken" and most:
            capabilities["max_output_tokens"] = most
            draft.took(place, "capabilities.max_output_tokens")
        elif use == "maxcompletiontokens":
            capabilities["max_tokens_field"] = "max_completion_tokens"
            draft.took(place, "capabilities.max_tokens_field")
        elif use == "openrouter" and routing and _is_plain(routing):
            own["options"] = {"provider": routing}
            draft.took(place, "options.provider")
        elif use in _VENDORS:
            draft.leave(place, "what a host wants is known by its preset; else see [capabilities]")
        else:
            draft.leave(place, "requests and answers are translated as a whole; there is no such step")
    if capabilities:
        own["capabilities"] = capabilities


def _is_plain(value: object) -> bool:
    """Whether TOML can say it: there is no null in it."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, str | bool) or (isinstance(value, int) and abs(value) < 2**63)


def _router(draft: Draft, router: Table, fallback: Table, names: dict[str, str]) -> None:
    def target(what: str, value: object) -> list[str]:
        provider, comma, model = (text(value) or "").partition(",")
        if provider.strip() in names and model.strip():
            return [f"{names[provider.strip()]}:{model.strip()}"]
        if comma or value:
            draft.leave(what, "it leads to no provider that was taken")
        return []

    def targets(kind: str) -> list[str]:
        more = [
            to
            for place, item in enumerate(texts_in(fallback.get(kind)))
            for to in target(f"fallback.{kind}[{place}]", item)
        ]
        if kind == "default":
            more += target("Router.fallback", router.get("fallback")) if router.get("fallback") else []
        first = target(f"Router.{kind}", router.get(kind)) if router.get(kind) else []
        return list(dict.fromkeys([*first, *more])) if first else []

    taken: set[str] = set()
    for kind, alias, conditions in _KINDS:
        found = targets(kind)
        if not found:
            continue
        if kind == _BACKGROUND:
            draft.route(_SMALL_MODELS, found, kind)
            draft.took(f"Router.{kind}", f"a route for {_SMALL_MODELS} to {found[0]}")
            continue
        if kind == _LONG and (threshold := number(router.get(_LONG_FROM))):
            conditions = {"prompt_over": threshold}
            draft.took(f"Router.{_LONG_FROM}", f"match.prompt_over of the route {alias}")
            taken.add(_LONG_FROM)
        draft.section("aliases")[alias] = found[0]
        draft.route(_ITS_MODELS, found, alias, conditions)
        told = " and ".join(f"{name} = {str(value).lower()}" for name, value in conditions.items())
        draft.took(f"Router.{kind}", f"a route where {told}, to {found[0]}; also aliases.{alias}")
    if found := targets("default"):
        draft.route("*", found, "default")
        draft.took("Router.default", f"a route for everything else to {found[0]}")
    known = {*(kind for kind, _, _ in _KINDS), "default", "fallback"} | taken
    draft.leave_rest("Router.", router, known, "it has no counterpart")


def _server(draft: Draft, table: Mapping[str, object]) -> None:
    token = draft.secret("APIKEY", table.get("APIKEY"))
    if token is not None:
        draft.put("APIKEY", token, "server", "client_token")
    bind = text(table.get("HOST"))
    if bind and is_loopback(bind):
        draft.put("HOST", bind, "server", "bind")
    elif bind and token is None:
        draft.leave("HOST", "without an APIKEY it was not heeded, and other machines need a token here too")
    elif bind:
        draft.put("HOST", bind, "server", "bind")
        draft.section("server")["allow_external_bind"] = True
    listening = port(table.get("PORT"))
    if listening is not None:
        draft.put("PORT", listening, "server", "port")
    elif "PORT" in table and not flag(table["PORT"]):
        draft.leave("PORT", "it is no port")
