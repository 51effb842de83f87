"""The configuration of ccproxy-api (github.com/CaddyGlow/ccproxy-api): TOML, with a table for each of its plugins.

Plugins that stand for a provider are taken where there is a way to pay it that its vendor admits.
"""

from __future__ import annotations

from collections.abc import Mapping

from strowger.config.checks import is_loopback
from strowger.config.importers.draft import (
    Draft,
    Imported,
    Table,
    escaped,
    port,
    table_of,
    tables_in,
    text,
    texts_in,
)
from strowger.config.importers.hosts import address, settled
from strowger.config.importers.patterns import glob_of
from strowger.config.schema import Presets

_LEVELS = {
    "trace": "debug",
    "debug": "debug",
    "info": "info",
    "warning": "warning",
    "warn": "warning",
    "error": "error",
}
_SIGNS = ("plugins", "enable_plugins", "enabled_plugins", "disabled_plugins", "plugin_discovery")
_SUBSCRIPTION = (
    "a Claude subscription is for Anthropic's own programs: take a key ([providers.anthropic]), or have a client pass "
    'its own login through (auth = "client")'
)
_WHY = {
    "claude_api": _SUBSCRIPTION,
    "claude_sdk": _SUBSCRIPTION,
    "oauth_claude": _SUBSCRIPTION,
    "copilot": "GitHub admits no other programs to Copilot",
    "oauth_codex": "`strowger login codex` makes a login of its own",
    "credential_balancer": 'several logins are accounts: accounts = { a = "login:codex/a", b = "login:codex/b" }',
    "access_log": 'one line for each call: see [log], `file = "…"`',
    "request_tracer": "bodies are not written to disk",
}
# api.minimax.io and its twin in China speak Anthropic's dialect below this path.
_MINIMAX = {"global_en": "https://api.minimax.io/anthropic", "cn_zh": "https://api.minimaxi.com/anthropic"}


def recognised(table: Mapping[str, object]) -> bool:
    """Whether a table is one of this program."""
    is_older = isinstance(table.get("claude"), dict) and isinstance(table.get("server"), dict)
    return any(key in table for key in _SIGNS) or is_older or isinstance(table.get("security"), dict)


def imported(table: Mapping[str, object], presets: Presets, env: Mapping[str, str]) -> Imported:
    """Our configuration for theirs."""
    draft = Draft("ccproxy-api", presets, env)
    for name, plugin in table_of(table.get("plugins")).items():
        _plugin(draft, name, table_of(plugin))
    security = table_of(table.get("security"))
    draft.leave_rest("security.", security, {"auth_token"}, "with a token, clients have to send it")
    token = draft.secret("security.auth_token", security.get("auth_token"))
    if token is not None:
        draft.put("security.auth_token", token, "server", "client_token")
    _server(draft, table_of(table.get("server")), is_guarded=token is not None)
    level = table_of(table.get("logging")).get("level", table_of(table.get("server")).get("log_level"))
    if (word := (text(level) or "").lower()) in _LEVELS:
        draft.put("logging.level", _LEVELS[word], "log", "level")
    _origins(draft, table_of(table.get("cors")))
    known = {"plugins", "security", "server", "logging", "cors"}
    draft.leave_rest("", table, known, "it has no counterpart")
    return draft.done()


def _plugin(draft: Draft, name: str, plugin: Table) -> None:
    what = f"plugins.{name}"
    if plugin.get("enabled") is False:
        return draft.leave(what, "it is switched off")
    if name in _WHY:
        return draft.leave(what, _WHY[name])
    provider: str | None = None
    if name == "codex":
        provider = draft.add(what, "codex", {})
        draft.leave(f"{what}, its login", "`strowger login codex` makes one of its own")
    else:
        provider = _host(draft, what, name, plugin)
    if provider is None:
        return None
    for place, mapping in tables_in(plugin.get("model_mappings")):
        _mapping(draft, f"{what}.model_mappings[{place}]", mapping, provider)
    known = {"name", "enabled", "base_url", "api_key", "region", "model_mappings"}
    return draft.leave_rest(f"{what}.", plugin, known, "it has no counterpart")


def _host(draft: Draft, what: str, name: str, plugin: Table) -> str | None:
    """A plugin that has an address, and a key for it."""
    is_minimax = name == "minimax"
    url = draft.plain(f"{what}.base_url", plugin.get("base_url"))
    if is_minimax and url is None:
        url = _MINIMAX.get(text(plugin.get("region")) or "global_en")
    if url is None:
        draft.leave(what, "it is no provider with an address")
        return None
    own: Table = {}
    if key := draft.secret(f"{what}.api_key", plugin.get("api_key")):
        own = {"auth": key, **({"auth_header": "authorization"} if is_minimax else {})}
    where = address(url, "anthropic" if url.endswith("/anthropic") else None)
    return draft.provider(what, name, where and settled(where, draft.presets), own)


def _mapping(draft: Draft, what: str, mapping: Table, provider: str) -> None:
    match, target = text(mapping.get("match")), text(mapping.get("target"))
    kind = text(mapping.get("kind")) or "exact"
    if match is None or target is None:
        return draft.leave(what, "it maps nothing")
    globs: dict[str, str | None] = {
        "exact": escaped(match),
        "prefix": escaped(match) + "*",
        "suffix": "*" + escaped(match),
        "regex": glob_of(match),
    }
    glob = globs.get(kind)
    if glob is None:
        return draft.leave(what, f"`{match}` cannot be said with * and ?")
    draft.route(glob, [f"{provider}:{target}"])
    return draft.took(what, f"a route for {glob} to {provider}:{target}")


def _server(draft: Draft, server: Table, *, is_guarded: bool) -> None:
    bind = text(server.get("host"))
    if bind and is_loopback(bind):
        draft.put("server.host", bind, "server", "bind")
    elif bind and is_guarded:
        draft.put("server.host", bind, "server", "bind")
        draft.section("server")["allow_external_bind"] = True
    elif bind:
        draft.leave("server.host", "other machines need a client_token here: see [server]")
    if (listening := port(server.get("port"))) is not None:
        draft.put("server.port", listening, "server", "port")
    if file := draft.plain("server.log_file", server.get("log_file")):
        draft.put("server.log_file", file, "log", "file")
    known = {"host", "port", "log_level", "log_file"}
    draft.leave_rest("server.", server, known, "it has no counterpart")


def _origins(draft: Draft, cors: Table) -> None:
    origins = [origin for origin in texts_in(cors.get("allow_origins")) if "*" not in origin]
    if origins:
        draft.put("cors.allow_origins", origins, "server", "allowed_origins")
    elif "allow_origins" in cors:
        draft.leave("cors.allow_origins", "web pages that may call are named one by one")
    draft.leave_rest("cors.", cors, {"allow_origins"}, "what a page may send is settled with its origin")
