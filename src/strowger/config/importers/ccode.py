"""The configuration of ccode (ccode.kronis.dev): profiles in YAML, each with an address that speaks Messages.

A profile becomes a provider and a profile of the same name. One without an address is the user's own subscription.
"""

from __future__ import annotations

from collections.abc import Mapping

from strowger.config.checks import is_anthropic_url, is_loopback
from strowger.config.importers.draft import Draft, Imported, Table, flag, free_name, port, table_of, text
from strowger.config.importers.hosts import address
from strowger.config.schema import Presets

_SLOTS = {"opus": "opus", "sonnet": "sonnet", "haiku": "haiku", "subagent": "subagent"}
_SIGNS = {"anthropic_base_url", "anthropic_auth_token", "anthropic_api_key"}
_HANDLED = {*_SIGNS, "models", "env", "proxy", "always_control"}
_PROXY_KEYS = ("enabled", "bind", "port", "pid_file", "allow_external_bind")


def recognised(table: Mapping[str, object]) -> bool:
    """Whether a table is one of this program."""
    profiles = table_of(table.get("profiles")).values()
    return any(_SIGNS & table_of(profile).keys() for profile in profiles)


def imported(table: Mapping[str, object], presets: Presets, env: Mapping[str, str]) -> Imported:
    """Our configuration for theirs."""
    draft = Draft("ccode", presets, env)
    for name, profile in table_of(table.get("profiles")).items():
        _profile(draft, name, table_of(profile))
    _proxy(draft, "proxy", table_of(table.get("proxy")), "proxy")
    for key in table:
        if key not in {"profiles", "proxy"}:
            if key == "always_control" and isinstance(table[key], bool):
                draft.put(key, table[key], "launch", key)
                continue
            draft.leave(key, "it has no counterpart")
    return draft.done()


def _profile(draft: Draft, name: str, profile: Table) -> None:
    what = f"profiles.{name}"
    url = draft.plain(f"{what}.anthropic_base_url", profile.get("anthropic_base_url"))
    if url is None:
        _own(draft, what, name, profile)
        return
    provider = draft.provider(what, name, address(url, "anthropic"), _paid(draft, what, profile, url))
    if provider is not None:
        _launch(draft, what, name, profile, provider)


def _own(draft: Draft, what: str, name: str, profile: Table) -> None:
    """A profile without an address: Anthropic's own, with a key, or with what the client itself has."""
    if profile.get("anthropic_base_url"):
        return
    key = profile.get("anthropic_api_key")
    if text(key) is None and not table_of(profile.get("models")) and not table_of(profile.get("env")):
        clouds = "it has no address; of a cloud, say the region and the account: see the guide to clouds"
        own = 'the client\'s own login: start it yourself on a provider with `auth = "client"`'
        draft.leave(what, clouds if profile.keys() - _HANDLED else own)
        return
    secret = draft.secret(f"{what}.anthropic_api_key", key)
    provider = draft.add(what, "anthropic", {"auth": secret} if secret else {})
    _launch(draft, what, name, profile, provider)


def _paid(draft: Draft, what: str, profile: Table, url: str) -> Table:
    """How a provider is paid: a token goes into `Authorization`, a key into `x-api-key`."""
    token = draft.secret(f"{what}.anthropic_auth_token", profile.get("anthropic_auth_token"))
    key = draft.secret(f"{what}.anthropic_api_key", profile.get("anthropic_api_key"))
    if token is not None:
        if key is not None:
            draft.leave(f"{what}.anthropic_api_key", "there is a token, which went before it")
        return {"auth": token, **({} if is_anthropic_url(url) else {"auth_header": "authorization"})}
    return {"auth": key, "auth_header": "x-api-key"} if key is not None else {}


def _launch(draft: Draft, what: str, name: str, profile: Table, provider: str) -> None:
    models = table_of(profile.get("models"))
    main = _model(models.get("model"))
    ours: Table = {"via": f"{provider}:{main}" if main else provider}
    slots = {slot: f"{provider}:{model}" for key, slot in _SLOTS.items() if (model := _model(models.get(key)))}
    if slots:
        ours["models"] = slots
    env = {key: value for key, item in table_of(profile.get("env")).items() if (value := text(item)) is not None}
    if kept := {key: value for key, value in env.items() if not key.startswith("ANTHROPIC_")}:
        ours["env"] = kept
    for key in env.keys() - kept.keys():
        draft.leave(f"{what}.env.{key}", "the gateway's own address and token stand there")
    draft.section("profiles")[free_name(name)] = ours
    draft.took(what, f"profiles.{free_name(name)}")
    if "always_control" in profile:
        draft.put(
            f"{what}.always_control", flag(profile["always_control"]), "profiles", free_name(name), "always_control"
        )
    _proxy(draft, f"{what}.proxy", table_of(profile.get("proxy")), "profiles", free_name(name), "proxy")
    known = {"model", *_SLOTS}
    draft.leave_rest(f"{what}.models.", models, known, "there is no such slot")
    draft.leave_rest(f"{what}.", profile, _HANDLED, "it has no counterpart")


def _model(value: object) -> str | None:
    """A model is a name, or a table with one."""
    named = table_of(value).get("model") if isinstance(value, Mapping) else value
    return text(named)


def _proxy(draft: Draft, what: str, proxy: Table, *ours: str) -> None:
    """Where a launch's own gateway listens; what is not said is as theirs is, but that there is one."""
    for key in ("enabled", "allow_external_bind"):
        if isinstance(proxy.get(key), bool):
            draft.put(f"{what}.{key}", proxy[key], *ours, key)
    bind = text(proxy.get("bind"))
    if bind and not is_loopback(bind):
        draft.leave(f"{what}.bind", "other machines need a client_token here: see [server]")
    elif bind:
        draft.put(f"{what}.bind", bind, *ours, "bind")
    if (listening := port(proxy.get("port"))) is not None:
        draft.put(f"{what}.port", listening, *ours, "port")
    if (pid_file := draft.plain(f"{what}.pid_file", proxy.get("pid_file"))) is not None:
        draft.put(f"{what}.pid_file", pid_file, *ours, "pid_file")
    draft.leave_rest(f"{what}.", proxy, set(_PROXY_KEYS), "it has no counterpart")
