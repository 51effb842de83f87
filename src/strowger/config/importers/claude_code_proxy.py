"""The configuration of claude-code-proxy (github.com/raine/claude-code-proxy): `config.json`.

A gateway to subscriptions by login: `codex`, `kimi` and others, each with a few settings; `aliasProvider` says who
answers for Claude's names. Logins are not in it. Variables go over the file there, so they do when it is read here.
"""

from __future__ import annotations

from collections.abc import Mapping

from strowger.config.checks import is_loopback
from strowger.config.importers.draft import Draft, Imported, Table, flag, port, table_of, text
from strowger.config.importers.hosts import address, preset_of
from strowger.config.schema import Presets

_SIGNS = ("aliasProvider", "codex", "kimi", "grok", "cursor", "bindAddress")
_NAMED = {"originator", "userAgent", "clientVersion"}
_OWN_NAME = "every request says who we are: our own name is sent"
_LOGIN = "its credentials are of no login that is known here"

_VARIABLES = {
    "CCP_ALIAS_PROVIDER": "aliasProvider",
    "CCP_CODEX_MODEL": "codex.model",
    "CCP_CODEX_EFFORT": "codex.effort",
    "CCP_CODEX_REASONING_SUMMARY": "codex.reasoningSummary",
    "CCP_CODEX_SERVICE_TIER": "codex.serviceTier",
    "CCP_CODEX_BASE_URL": "codex.baseUrl",
    "CCP_CODEX_TRANSPORT": "codex.transport",
    "CCP_CODEX_PREVIOUS_RESPONSE_ID": "codex.previousResponseId",
    "CCP_CODEX_ORIGINATOR": "codex.originator",
    "CCP_CODEX_USER_AGENT": "codex.userAgent",
    "CCP_KIMI_BASE_URL": "kimi.baseUrl",
    "CCP_KIMI_OAUTH_HOST": "kimi.oauthHost",
    "CCP_KIMI_USER_AGENT": "kimi.userAgent",
    "CCP_LOG_VERBOSE": "log.verbose",
}
"""What each of its variables stands for in the file. `PORT` is not among them: that may be any program's."""


def recognised(table: Mapping[str, object]) -> bool:
    """Whether a table is one of this program."""
    return any(isinstance(table.get(key), dict) for key in _SIGNS[1:5]) or "aliasProvider" in table


def imported(table: Mapping[str, object], presets: Presets, env: Mapping[str, str]) -> Imported:
    """Our configuration for theirs."""
    draft = Draft("claude-code-proxy", presets, env)
    table = _with_variables(draft, table, env)
    alias = (text(table.get("aliasProvider")) or "codex").lower()
    asked = {name for name in ("codex", "kimi") if isinstance(table.get(name), dict)} | {alias}
    if "codex" in asked:
        _codex(draft, table_of(table.get("codex")), is_alias=alias == "codex")
    if "kimi" in asked:
        _kimi(draft, table_of(table.get("kimi")))
    if alias == "kimi":
        draft.route("claude-*", ["kimi:kimi-for-coding"], "alias")
        draft.took("aliasProvider", "a route for claude-* to kimi:kimi-for-coding")
    elif alias == "codex" and "aliasProvider" in table:
        draft.took("aliasProvider", "providers.codex, which answers for claude-*")
    elif "aliasProvider" in table and alias != "codex":
        draft.leave("aliasProvider", _LOGIN)
    for name in ("grok", "cursor"):
        if name in table:
            draft.leave(name, _LOGIN)
    _server(draft, table)
    known = {*_SIGNS, "port", "log"}
    draft.leave_rest("", table, known, "it has no counterpart")
    return draft.done()


def _with_variables(draft: Draft, table: Mapping[str, object], env: Mapping[str, str]) -> Table:
    """The table with what the environment says instead."""
    made = dict(table)
    for variable, key in _VARIABLES.items():
        value = env.get(variable)
        if not value:
            continue
        section, _, name = key.rpartition(".")
        if section:
            made[section] = {**table_of(made.get(section)), name: value}
        else:
            made[name] = value
        draft.took(variable, f"read as {key}, which it goes before")
    return made


def _codex(draft: Draft, codex: Table, *, is_alias: bool) -> None:
    own: Table = {}
    transport = text(codex.get("transport"))
    if transport in {"auto", "http", "websocket"}:
        own["transport"] = transport
        draft.took("codex.transport", "providers.codex.transport")
    if flag(codex.get("previousResponseId")):
        own["continuation"] = True
        draft.took("codex.previousResponseId", "providers.codex.continuation")
    options: Table = {}
    if tier := text(codex.get("serviceTier")):
        options["service_tier"] = "priority" if tier == "fast" else tier
        draft.took("codex.serviceTier", "providers.codex.options")
        draft.leave("codex.serviceTier, against what a client asks", "a client's own wish goes before it")
    if options:
        own["options"] = options
    _elsewhere(draft, "codex", codex)
    draft.add("codex", "codex", own)
    effort = text(codex.get("effort"))
    if model := text(codex.get("model")):
        target = f"codex:{model}:{effort}" if effort else f"codex:{model}"
        draft.route(["claude-*", "gpt-*", "codex-*"] if is_alias else ["gpt-*", "codex-*"], [target], "codex")
        draft.took("codex.model", f"a route to {target}")
        if effort:
            draft.took("codex.effort", f"the effort in {target}")
    elif effort:
        draft.put("codex.effort", effort, "launch", "effort")
    known = {"transport", "previousResponseId", "serviceTier", "baseUrl", "effort", "model"}
    _rest(draft, "codex", codex, known)


def _kimi(draft: Draft, kimi: Table) -> None:
    _elsewhere(draft, "kimi", kimi)
    draft.add("kimi", "kimi", {})
    if "oauthHost" in kimi:
        draft.leave("kimi.oauthHost", "another issuer is named by STROWGER_KIMI_ISSUER")
    _rest(draft, "kimi", kimi, {"baseUrl", "oauthHost"})


def _elsewhere(draft: Draft, name: str, table: Table) -> None:
    """Another host than the vendor's gets no login of the vendor's."""
    url = text(table.get("baseUrl"))
    preset = draft.presets.get(name)
    found = address(url, preset.dialect if preset else None)
    if url and (found is None or preset_of(found, name, draft.presets) != name):
        draft.leave(f"{name}.baseUrl", "a login goes to its vendor's host and to no other")


def _rest(draft: Draft, name: str, table: Table, known: set[str]) -> None:
    for key in table:
        if key not in known:
            draft.leave(f"{name}.{key}", _OWN_NAME if key in _NAMED else "it has no counterpart")


def _server(draft: Draft, table: Mapping[str, object]) -> None:
    bind = text(table.get("bindAddress"))
    if bind and is_loopback(bind):
        draft.put("bindAddress", bind, "server", "bind")
    elif bind:
        draft.leave("bindAddress", "other machines need a client_token here: see [server]")
    if (listening := port(table.get("port"))) is not None:
        draft.put("port", listening, "server", "port")
    log = table_of(table.get("log"))
    if flag(log.get("verbose")):
        draft.put("log.verbose", "debug", "log", "level")
    for key in log:
        if key != "verbose":
            draft.leave(f"log.{key}", 'the log goes to standard error, or to [log], `file = "…"`')
