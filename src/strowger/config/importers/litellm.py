"""The configuration of LiteLLM's proxy (docs.litellm.ai/docs/proxy/configs): `config.yaml`.

`model_list` pairs the names that clients ask for with deployments, whose vendor is the first part of `model`. Several
deployments of one name share the load there; here they are asked in their order.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from strowger.config.importers.draft import Draft, Imported, Table, number, table_of, tables_in, text, texts_in
from strowger.config.importers.hosts import Address, address, named_like, settled
from strowger.config.schema import DialectName, Presets

# The vendor in `model` → the preset for it.
_VENDORS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "azure": "azure",
    "bedrock": "bedrock",
    "vertex_ai": "vertex",
    "gemini": "google",
    "groq": "groq",
    "mistral": "mistral",
    "codestral": "mistral",
    "deepseek": "deepseek",
    "openrouter": "openrouter",
    "together_ai": "together",
    "fireworks_ai": "fireworks",
    "cerebras": "cerebras",
    "xai": "xai",
    "perplexity": "perplexity",
    "moonshot": "moonshot",
    "zai": "zai",
    "ollama": "ollama",
    "ollama_chat": "ollama",
    "lm_studio": "lmstudio",
    "hosted_vllm": "vllm",
    "vllm": "vllm",
    "llamafile": "llamacpp",
}
_OPENAI_LIKE = {"litellm_proxy", "openai_like", "custom_openai"}
_CHAT = {"chat", "responses", "messages"}
_GCLOUD = {"command": "gcloud auth print-access-token", "refresh_seconds": 3000}
_PARAMS = {
    *("model", "api_base", "base_url", "api_key", "api_version", "extra_headers", "custom_llm_provider"),
    *("aws_region_name", "aws_profile_name", "vertex_project", "vertex_location", "vertex_ai_project"),
    "vertex_ai_location",
}
_WHY = {
    "rpm": "rates are the provider's business; a 429 makes an account rest",
    "tpm": "rates are the provider's business; a 429 makes an account rest",
    "timeout": "only silence has a limit: see limits.idle_timeout_seconds",
    "stream_timeout": "only silence has a limit: see limits.idle_timeout_seconds",
    "request_timeout": "only silence has a limit: see limits.idle_timeout_seconds",
    "drop_params": "what a model does not take is always left out, and reported; `strict = true` refuses",
    "routing_strategy": "targets are asked in their order; accounts take turns as `spread` says",
    "context_window_fallbacks": "a prompt that is too long is the client's to shorten",
    "content_policy_fallbacks": "a refusal is an answer, and comes back as it is",
    "default_fallbacks": "each route has its own fallback",
    "database_url": "there is no database",
    "weight": "targets are asked in their order",
    "order": "targets are asked in the order of the file",
}
_NONE = "it has no counterpart"
_HANDLED = {"model_list", "litellm_settings", "router_settings", "general_settings"}


class _Deployment(msgspec.Struct, frozen=True):
    """One entry of the list: who is asked, and for which model there; empty where the name is kept."""

    provider: str
    model: str = ""

    @property
    def target(self) -> str:
        return f"{self.provider}:{self.model}" if self.model else self.provider


def recognised(table: Mapping[str, object]) -> bool:
    """Whether a table is one of this program."""
    return isinstance(table.get("model_list"), list)


def imported(table: Mapping[str, object], presets: Presets, env: Mapping[str, str]) -> Imported:
    """Our configuration for theirs."""
    draft = Draft("litellm", presets, env)
    groups: dict[str, list[str]] = {}
    for place, entry in tables_in(table.get("model_list")):
        name = text(entry.get("model_name"))
        what = f"model_list[{place}] ({name})"
        if name is None:
            draft.leave(what, "it has no model_name")
        elif deployment := _deployment(draft, what, name, entry):
            groups.setdefault(name, []).append(deployment.target)
            draft.took(what, deployment.target)
    module, router = table_of(table.get("litellm_settings")), table_of(table.get("router_settings"))
    fallbacks = _fallbacks(draft, groups, module, router)
    _group_aliases(draft, groups, table_of(router.get("model_group_alias")))
    _names(draft, groups, fallbacks)
    _settings(draft, module, router, table_of(table.get("general_settings")))
    draft.leave_rest("", table, _HANDLED, _NONE)
    return draft.done()


def _deployment(draft: Draft, what: str, name: str, entry: Table) -> _Deployment | None:
    params = table_of(entry.get("litellm_params"))
    mode = text(table_of(entry.get("model_info")).get("mode"))
    model = draft.plain(f"{what}.model", params.get("model"))
    if mode is not None and mode not in _CHAT:
        draft.leave(what, f"it is for {mode}; only conversations are carried")
        return None
    if model is None:
        draft.leave(what, "it names no model")
        return None
    vendor, model = _vendor(draft, model, text(params.get("custom_llm_provider")))
    own = _own(draft, what, params)
    provider = _provider(draft, what, vendor, model, params, own)
    if provider is None:
        return None
    _rest(draft, what, params, _PARAMS)
    if "*" not in name + model:
        return _Deployment(provider, model)
    if name == model or (name == "*" and model == "*"):
        return _Deployment(provider)
    if name == f"{provider}/*" and model == "*":
        return _Deployment(provider)
    draft.leave(what, f"a name with * keeps what was asked for; say `{provider}:MODEL`")
    return None


def _rest(draft: Draft, what: str, table: Table, known: set[str]) -> None:
    for key in table:
        if key not in known:
            draft.leave(f"{what}.{key}", _WHY.get(key, _NONE))


def _vendor(draft: Draft, model: str, said: str | None) -> tuple[str, str]:
    """The vendor and the model's own name. Without a vendor, the model's name tells."""
    first, slash, rest = model.partition("/")
    if said:
        return said, rest if slash and first == said else model
    if slash and (first in _VENDORS or first in _OPENAI_LIKE):
        return first, rest
    if not slash:
        for vendor in ("anthropic", "openai", "gemini"):
            preset = draft.presets.get(_VENDORS[vendor])
            if preset and any(named_like(model, glob) for glob in preset.models):
                return vendor, model
    return first if slash else "openai", rest if slash else model


def _own(draft: Draft, what: str, params: Table) -> Table:
    own: Table = {}
    if key := draft.secret(f"{what}.api_key", params.get("api_key")):
        own["auth"] = key
    headers: Table = {}
    for name, value in table_of(params.get("extra_headers")).items():
        if kept := draft.header(f"{what}.extra_headers.{name}", name, value):
            headers[name] = kept
    if headers:
        own["headers"] = headers
    return own


def _provider(draft: Draft, what: str, vendor: str, model: str, params: Table, own: Table) -> str | None:
    written = params.get("api_base", params.get("base_url"))
    base = draft.plain(f"{what}.api_base", written)
    if written and base is None:
        return None
    if vendor == "azure":
        return _azure(draft, what, base, params, own)
    if vendor == "bedrock":
        return _bedrock(draft, what, model, params, own)
    if vendor == "vertex_ai":
        return _vertex(draft, what, model, params, own)
    name = _VENDORS.get(vendor)
    preset = draft.presets.get(name or "")
    if base is None:
        if name is None or preset is None:
            draft.leave(what, f"`{vendor}` is no vendor with a preset here, and there is no api_base")
            return None
        return draft.add(what, name, own)
    dialect: DialectName = preset.dialect if preset is not None else "openai_chat"
    if vendor not in _VENDORS and vendor not in _OPENAI_LIKE:
        draft.leave(f"{what}, what is special to `{vendor}`", "it is spoken to in Chat Completions")
    return draft.provider(what, name or vendor, _local(address(base, dialect), name, draft), own)


def _local(found: Address | None, name: str | None, draft: Draft) -> Address | None:
    """Ollama's own address has no /v1, and that of our preset for it has."""
    if found is None:
        return None
    if name == "ollama" and not found.base_url.endswith("/v1"):
        return Address(f"{found.base_url}/v1", found.dialect)
    return settled(found, draft.presets)


def _azure(draft: Draft, what: str, base: str | None, params: Table, own: Table) -> str | None:
    found = address(base)
    host = found.base_url.partition("://")[2].partition("/")[0] if found else ""
    resource, dot, rest = host.partition(".")
    if not dot or rest != "openai.azure.com":
        draft.leave(what, "its api_base is not that of a resource, https://NAME.openai.azure.com")
        return None
    version = text(params.get("api_version"))
    extra = {"api_version": version} if version and version not in {"v1", "preview", "latest"} else {}
    return draft.add(what, "azure", {"resource": resource, **extra, **own})


def _bedrock(draft: Draft, what: str, model: str, params: Table, own: Table) -> str | None:
    preset = draft.presets.get("bedrock")
    if preset is None or not any(named_like(model, glob) for glob in preset.models):
        draft.leave(what, "of Bedrock's models only Claude's are carried")
        return None
    region = draft.plain(f"{what}.aws_region_name", params.get("aws_region_name"))
    profile = text(params.get("aws_profile_name"))
    paid = {"auth": f"aws:{profile}"} if profile else {}
    return draft.add(what, "bedrock", {**({"region": region} if region else {}), **paid, **own})


def _vertex(draft: Draft, what: str, model: str, params: Table, own: Table) -> str | None:
    name = "vertex-anthropic" if model.startswith("claude") else "vertex"
    if not model.startswith(("claude", "gemini")):
        draft.leave(what, "of Vertex AI's models only Claude's and Gemini's are carried")
        return None
    gaps: Table = {}
    for gap, keys in (
        ("project", ("vertex_project", "vertex_ai_project")),
        ("region", ("vertex_location", "vertex_ai_location")),
    ):
        value = next((found for key in keys if (found := draft.plain(f"{what}.{key}", params.get(key)))), None)
        if value:
            gaps[gap] = value
    return draft.add(what, name, {**gaps, "auth": dict(_GCLOUD), **own})


def _fallbacks(draft: Draft, groups: dict[str, list[str]], module: Table, router: Table) -> dict[str, list[str]]:
    """The targets to fall back on, for each name."""
    found: dict[str, list[str]] = {}
    for section, settings in (("litellm_settings", module), ("router_settings", router)):
        for place, entry in tables_in(settings.get("fallbacks")):
            for name, others in entry.items():
                what = f"{section}.fallbacks[{place}].{name}"
                targets = [target for other in texts_in(others) for target in groups.get(other, [])]
                if name not in groups or not targets:
                    draft.leave(what, "it leads from or to no model that was taken")
                    continue
                found.setdefault(name, []).extend(targets)
                draft.took(what, ", ".join(targets))
    return found


def _names(draft: Draft, groups: dict[str, list[str]], fallbacks: dict[str, list[str]]) -> None:
    """Make every name one that can be asked for: an alias, and a route where there is more than one target.

    Routes are asked in the order of the file, so those for whole families come last.
    """
    for name, deployments in sorted(groups.items(), key=lambda group: ("*" in group[0], -len(group[0]))):
        targets = list(dict.fromkeys([*deployments, *fallbacks.get(name, [])]))
        is_family = "*" in name
        if is_family and name != f"{targets[0]}/*":
            draft.route(name, targets)
        if is_family:
            continue
        draft.section("aliases")[name] = targets[0]
        if len(targets) > 1:
            draft.route(_as_glob(name), targets, name)
        if len(set(deployments)) > 1:
            draft.leave(f"model_list ({name}), sharing the load", "its deployments are asked in their order")


def _as_glob(name: str) -> str:
    return name.replace("[", "[[]").replace("?", "[?]")


def _group_aliases(draft: Draft, groups: dict[str, list[str]], aliases: Table) -> None:
    for alias, value in aliases.items():
        name = text(table_of(value).get("model")) if isinstance(value, Mapping) else text(value)
        what = f"router_settings.model_group_alias.{alias}"
        targets = groups.get(name or "", [])
        if not targets or ":" not in targets[0]:
            draft.leave(what, "it leads to no model that was taken")
            continue
        draft.put(what, targets[0], "aliases", alias)
        if len(targets) > 1:
            draft.route(_as_glob(alias), targets, alias)


def _settings(draft: Draft, module: Table, router: Table, general: Table) -> None:
    token = draft.secret("general_settings.master_key", general.get("master_key"))
    if token is not None:
        draft.put("general_settings.master_key", token, "server", "client_token")
    for section, settings in (("litellm_settings", module), ("router_settings", router)):
        again = number(settings.get("num_retries"))
        if again is not None:
            draft.put(f"{section}.num_retries", again + 1, "retries", "attempts")
        rest = number(settings.get("cooldown_time"))
        if rest:
            draft.put(f"{section}.cooldown_time", rest, "retries", "cooldown_seconds")
    known = {"fallbacks", "num_retries", "cooldown_time", "model_group_alias", "master_key"}
    for section, settings in (("litellm_settings", module), ("router_settings", router), ("general_settings", general)):
        _rest(draft, section, settings, known)
