"""The configuration of starbaser's ccproxy (github.com/starbaser/ccproxy): YAML below the key `ccproxy`.

`providers` name a host, a path, a kind of API and a source of the token; `transforms` send names of models elsewhere.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from strowger.config.checks import is_loopback
from strowger.config.importers.draft import Draft, Imported, Table, flag, port, table_of, tables_in, text, texts_in
from strowger.config.importers.hosts import address, settled
from strowger.config.importers.patterns import glob_of
from strowger.config.schema import DialectName, Presets

_SPEAKS: Mapping[str, DialectName] = {
    "anthropic": "anthropic",
    "openai": "openai_chat",
    "openai_chat": "openai_chat",
    "openai_responses": "openai_responses",
    "gemini": "gemini",
    "google": "gemini",
}
_LEVELS = {"debug": "debug", "info": "info", "warning": "warning", "error": "error", "critical": "error"}
_SUBSCRIPTION = "its vendor allows that login to its own programs alone: take a key"
_OAUTH = {"anthropic_oauth": _SUBSCRIPTION, "google_oauth": _SUBSCRIPTION}
# Files of other programs' logins. A command that reads one is such a login in disguise.
_LOGINS = (".claude/.credentials", "claudeAiOauth", ".gemini/oauth_creds", ".codex/auth.json")
_SHELL = re.compile(r"[|&;<>$`*?(){}\n~]")
_PRINTENV = re.compile(r"printenv ([A-Za-z_][A-Za-z0-9_]*)")
_WHY = {
    "hooks": "changing requests by programs has no counterpart",
    "shaping": "nothing is made to look like another program",
    "otel": "there is no such export",
    "oat_sources": "its tokens are for hosts that are named in another file of theirs",
    "rules": "its rules lead to models of another file of theirs: import that as litellm's",
    "mcp": "there is no such server",
}


def recognised(table: Mapping[str, object]) -> bool:
    """Whether a table is one of this program."""
    return isinstance(table.get("ccproxy"), dict)


def imported(table: Mapping[str, object], presets: Presets, env: Mapping[str, str]) -> Imported:
    """Our configuration for theirs."""
    draft = Draft("ccproxy", presets, env)
    theirs = table_of(table.get("ccproxy"))
    names: dict[str, str] = {}
    for name, provider in table_of(theirs.get("providers")).items():
        if ours := _provider(draft, name, table_of(provider)):
            names[name] = ours
    for section in ("inspector", "lightllm"):
        for place, rule in tables_in(table_of(theirs.get(section)).get("transforms")):
            _transform(draft, f"{section}.transforms[{place}]", rule, names)
        below = table_of(theirs.get(section))
        draft.leave_rest(f"{section}.", below, {"transforms"}, "it belongs to their own inspection")
    _capacity(draft, table_of(theirs.get("gemini_capacity")), names)
    _server(draft, theirs)
    known = {"providers", "inspector", "lightllm", "gemini_capacity", "host", "port", "log_level"}
    for key in sorted(theirs.keys() - known, key=lambda key: (key not in _WHY, key)):
        draft.leave(key, _WHY.get(key, "it has no counterpart"))
    draft.leave_rest("", table, {"ccproxy"}, "it has no counterpart")
    return draft.done()


def _provider(draft: Draft, name: str, provider: Table) -> str | None:
    what = f"providers.{name}"
    auth = provider.get("auth")
    source: Table = {"type": "command", "command": auth} if isinstance(auth, str) else table_of(auth)
    kind = text(source.get("type")) or ("file" if "file" in source else "command")
    host, path = text(provider.get("host")), text(provider.get("path")) or ""
    speaks = _SPEAKS.get((text(provider.get("type")) or "").lower())
    if kind == "codex_oauth":
        draft.leave(f"{what}.auth", "`strowger login codex` makes a login of its own")
        return draft.add(what, "codex", {})
    if kind in _OAUTH:
        draft.leave(what, _OAUTH[kind])
        return None
    if host is None or speaks is None:
        draft.leave(what, "it has no host, or speaks what is not known here")
        return None
    own = _paid(draft, what, kind, source)
    if own is None:
        return None
    if own and (header := _header(text(source.get("header")), speaks)):
        own["auth_header"] = header
    # A path may have places for the model and the method.
    where = address(f"https://{host}{path.partition('{')[0]}", speaks)
    return draft.provider(what, name, where and settled(where, draft.presets), own)


def _header(said: str | None, speaks: DialectName) -> str | None:
    """The header of the token, where it is not the dialect's own; theirs is `Authorization` unless one is named."""
    header = (said or "authorization").lower()
    usual = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}.get(speaks, "authorization")
    return None if header == usual else header


def _paid(draft: Draft, what: str, kind: str, source: Table) -> Table | None:
    """The source of a token as ours; None where there is none to take, with a note."""
    if not source:
        return {}
    written = text(source.get("command")) if kind == "command" else None
    file = next((found for key in ("file", "file_path", "path") if (found := text(source.get(key)))), None)
    subject = written or file or ""
    if any(login in subject for login in _LOGINS):
        draft.leave(what, f"it takes the login of another program: {_SUBSCRIPTION}")
        return None
    if written is not None:
        if variable := _PRINTENV.fullmatch(written):
            return {"auth": f"env:{variable.group(1)}"}
        draft.took(f"{what}.auth", "the command, which will be run for its key")
        return {"auth": {"command": _words(written)}}
    if kind == "file" and file is not None and "#" not in file:
        draft.took(f"{what}.auth", "the file")
        return {"auth": {"file": file}}
    draft.leave(f"{what}.auth", f"`{kind}` is no source that is known here")
    return None


def _words(command: str) -> list[str]:
    """The words of a command. Ours are run without a shell, so what needs one gets one."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    return words if words and not _SHELL.search(command) else ["sh", "-c", command]


def _transform(draft: Draft, what: str, rule: Table, names: dict[str, str]) -> None:
    action = text(rule.get("action")) or text(rule.get("mode")) or "redirect"
    provider, model = text(rule.get("dest_provider")), text(rule.get("dest_model"))
    if action == "passthrough":
        return draft.leave(what, "what is not for us does not come here")
    if provider not in names:
        return draft.leave(what, "it leads to no provider that was taken")
    if rule.get("match_host"):
        return draft.leave(what, "calls come to one address, so hosts are no condition")
    pattern = text(rule.get("match_model"))
    glob = glob_of(pattern) if pattern else "*"
    if glob is None:
        return draft.leave(what, f"`{pattern}` cannot be said with * and ?")
    target = f"{names[provider]}:{model}" if model else names[provider]
    draft.route(glob, [target])
    draft.took(what, f"a route for {glob} to {target}")
    if rule.get("match_path"):
        draft.leave(f"{what}.match_path", "a route holds for all dialects of clients")
    return None


def _capacity(draft: Draft, capacity: Table, names: dict[str, str]) -> None:
    models = texts_in(capacity.get("fallback_models"))
    gemini = [name for name in names.values() if _is_gemini(draft, name)]
    if not capacity:
        return
    if not models or not gemini or ("enabled" in capacity and not flag(capacity["enabled"])):
        draft.leave("gemini_capacity", "there is no provider of Gemini's that was taken, or it is switched off")
        return
    for name in gemini:
        draft.section("providers", name)["capacity_fallback"] = models
        draft.took("gemini_capacity.fallback_models", f"providers.{name}.capacity_fallback")


def _is_gemini(draft: Draft, name: str) -> bool:
    table = draft.section("providers", name)
    preset = draft.presets.get(str(table.get("preset", name)))
    return (preset.dialect if preset else table.get("dialect")) == "gemini"


def _server(draft: Draft, theirs: Table) -> None:
    bind = text(theirs.get("host"))
    if bind and is_loopback(bind):
        draft.put("host", bind, "server", "bind")
    elif bind:
        draft.leave("host", "other machines need a client_token here: see [server]")
    if (listening := port(theirs.get("port"))) is not None:
        draft.put("port", listening, "server", "port")
    if (level := (text(theirs.get("log_level")) or "").lower()) in _LEVELS:
        draft.put("log_level", _LEVELS[level], "log", "level")
