"""What the Messages API refuses in a request outside its messages, in its words. Knows no socket.

The words come from recorded answers and from what clients match on; where a rule has no recorded wording the nearest
pydantic-like one is used. Parameters and betas are open lists at the vendor: an unknown `anthropic-beta` is accepted
here, an unknown body member is not.
"""

from __future__ import annotations

import re
from typing import Any, Literal

from msgspec import Struct

from tests.fakes.anthropic_messages import check_messages, check_text_blocks, count_breakpoints
from tests.fakes.refusal import Json, Refusal, is_int, is_number, words

VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")

# Body members that every request may have; those with a beta are accepted only beside its header.
MEMBERS = words(
    "model messages max_tokens system stream stop_sequences metadata service_tier temperature top_p top_k tools"
    " tool_choice thinking output_config cache_control container inference_geo speed diagnostics"
)
BETA_MEMBERS = {
    "context_management": ("context-management-", "compact-"),
    "mcp_servers": ("mcp-client-",),
    "safeguards": ("dangerous-tool-use-",),
    "fallbacks": ("server-side-fallback-",),
    "fallback_credit_token": ("fallback-credit-",),
    "output_format": ("structured-outputs-",),
    "compaction": ("compact-",),
    "thread": ("message-threads-",),
    "billing_policy": ("",),
}
TOOL_MEMBERS = words(
    "name description input_schema type cache_control strict defer_loading eager_input_streaming input_examples"
    " allowed_callers"
)
# Older deployments (clouds lag behind the first-party API) know these only beside their header.
LAGGING_TOOL_MEMBERS = {
    "strict": ("structured-outputs-", "advanced-tool-use-"),
    "defer_loading": ("advanced-tool-use-", "tool-search-tool-"),
    "input_examples": ("advanced-tool-use-", "tool-examples-"),
    "allowed_callers": ("advanced-tool-use-",),
}


class Model(Struct, frozen=True):
    """What a model takes: limits in tokens; `newer` ones take system messages in the middle and no prefill.

    `sampling`: any value (free), temperature or top_p but not both (one), or only the defaults (none).
    """

    id: str
    max_output: int
    window: int = 200_000
    newer: bool = True
    sampling: Literal["free", "one", "none"] = "none"


MODELS = (
    Model("claude-opus-5-5", 128_000, 1_000_000),
    Model("claude-sonnet-5-5", 128_000, 1_000_000),
    Model("claude-haiku-5-5", 128_000),
    Model("claude-fable-5-2", 128_000, 1_000_000),
    Model("claude-opus-4-8", 128_000, 1_000_000),
    Model("claude-sonnet-5", 128_000, 1_000_000),
    Model("claude-fable-5", 128_000, 1_000_000),
    Model("claude-sonnet-4-5", 64_000, newer=False, sampling="one"),
    Model("claude-haiku-4-5-20251001", 64_000, newer=False, sampling="one"),
    Model("claude-3-5-haiku-20241022", 8_192, newer=False, sampling="one"),
)


class Rules(Struct, frozen=True):
    """The rules of one deployment. `sign` is the HMAC check of thinking; None accepts any signature."""

    models: tuple[Model, ...] = MODELS
    any_model: bool = False
    lagging: bool = False
    verify: Any = None


def check_headers(headers: dict[str, str], keys: tuple[str, ...]) -> None:
    """Refuse a missing or unknown key or version. Every credential that is sent must be right."""
    bearer = headers.get("authorization", "")
    key = headers.get("x-api-key")
    if not bearer and key is None:
        raise Refusal("x-api-key header is required", status=401, kind="authentication_error")
    if key is not None and key not in keys:
        raise Refusal("invalid x-api-key", status=401, kind="authentication_error")
    if bearer and (not bearer.startswith("Bearer ") or bearer.removeprefix("Bearer ") not in keys):
        raise Refusal("Invalid bearer token", status=401, kind="authentication_error")
    version = headers.get("anthropic-version")
    if version is None:
        raise Refusal("anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refusal(f'anthropic-version: "{version}" is not a valid version')


def check_request(body: Any, headers: dict[str, str], rules: Rules, *, counting: bool = False) -> None:
    """Refuse what /v1/messages refuses; `counting`: what count_tokens refuses."""
    if not isinstance(body, dict):
        raise Refusal("Input does not match the expected shape.")
    betas = tuple(beta.strip() for beta in headers.get("anthropic-beta", "").split(",") if beta.strip())
    _check_members(body, betas, counting=counting)
    model = _check_model(body, rules)
    if not counting:
        _check_max_tokens(body, model)
    _check_simple(body)
    check_text_blocks(body.get("system", ()), "system")
    _check_tools(body, betas, rules)
    _check_thinking(body, betas)
    _check_sampling(body, headers["anthropic-version"], model)
    _check_output_config(body, betas, rules)
    check_messages(body, betas, newer=model.newer, verify=rules.verify)
    found = count_breakpoints(body)
    if found > 4:
        raise Refusal(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")


def has(betas: tuple[str, ...], prefixes: tuple[str, ...]) -> bool:
    """Whether one of the betas that were sent opens the feature."""
    return any(beta.startswith(prefix) for beta in betas for prefix in prefixes)


def extra(path: str) -> Refusal:
    """The vendor's words for a member that it does not know."""
    return Refusal(f"{path}: Extra inputs are not permitted")


def _check_members(body: Json, betas: tuple[str, ...], *, counting: bool) -> None:
    for name in ("model", "messages") if counting else ("model", "max_tokens", "messages"):
        if name not in body:
            raise Refusal(f"{name}: Field required")
    for name in body:
        if counting and name in ("max_tokens", "stream", "metadata", "stop_sequences", "temperature", "top_p", "top_k"):
            raise extra(name)
        if name in MEMBERS:
            continue
        if name not in BETA_MEMBERS or not has(betas, BETA_MEMBERS[name]):
            raise extra(name)


def _check_model(body: Json, rules: Rules) -> Model:
    name = body["model"]
    if not isinstance(name, str):
        raise Refusal("model: Input should be a valid string")
    if not name:
        raise Refusal("model: String should have at least 1 character")
    known = next((model for model in rules.models if model.id == name), None)
    if known is not None:
        return known
    if rules.any_model:
        return _guess(name)
    raise Refusal(f"model: {name}", status=404, kind="not_found_error")


def _guess(name: str) -> Model:
    oldest = re.search(r"claude-(2|3|instant)", name)
    older = oldest or re.search(r"-4-[0-5]\b|-4-2025", name)
    sampling: Literal["free", "one", "none"] = "free" if oldest else "one" if older or "-4-6" in name else "none"
    return Model(name, 10**9, 10**9, newer=not older, sampling=sampling)


def _check_max_tokens(body: Json, model: Model) -> None:
    limit = body["max_tokens"]
    if not is_int(limit):
        raise Refusal("max_tokens: Input should be a valid integer")
    if limit < 0:
        raise Refusal("max_tokens: must be greater than or equal to 1")
    if limit > model.max_output:
        allowed = "which is the maximum allowed number of output tokens for"
        raise Refusal(f"max_tokens: {limit} > {model.max_output}, {allowed} {model.id}")


def _check_simple(body: Json) -> None:
    if not isinstance(body.get("stream", False), bool):
        raise Refusal("stream: Input should be a valid boolean")
    stops = body.get("stop_sequences")
    if stops is not None and not (isinstance(stops, list) and all(isinstance(stop, str) for stop in stops)):
        raise Refusal("stop_sequences: Input should be a valid array")
    if any(not stop.strip() for stop in stops or ()):
        raise Refusal("stop_sequences: each stop sequence must contain non-whitespace")
    metadata = body.get("metadata")
    if metadata is not None:
        if not isinstance(metadata, dict):
            raise Refusal("metadata: Input should be a valid dictionary")
        for name in metadata:
            if name != "user_id":
                raise extra(f"metadata.{name}")
        if not isinstance(metadata.get("user_id", ""), str | None):
            raise Refusal("metadata.user_id: Input should be a valid string")
    if body.get("service_tier", "auto") not in ("auto", "standard_only"):
        raise Refusal("service_tier: Input should be 'auto' or 'standard_only'")


def _check_tools(body: Json, betas: tuple[str, ...], rules: Rules) -> None:
    tools = body.get("tools")
    if tools is None:
        tools = []
    if not isinstance(tools, list):
        raise Refusal("tools: Input should be a valid array")
    names = []
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise Refusal(f"tools.{index}: Input should be a valid dictionary")
        if tool.get("type", "custom") in ("custom", None):
            _check_custom_tool(tool, f"tools.{index}.custom", betas, rules)
        names.append(tool.get("name"))
    if len(set(names)) != len(names):
        raise Refusal("tools: Tool names must be unique.")
    if tools and all(tool.get("defer_loading") for tool in tools):
        raise Refusal("At least one tool must have defer_loading=false.")
    _check_tool_choice(body, names)


def _check_custom_tool(tool: Json, path: str, betas: tuple[str, ...], rules: Rules) -> None:
    for name in ("name", "input_schema"):
        if name not in tool:
            raise Refusal(f"{path}.{name}: Field required")
    for name in tool:
        lagging = LAGGING_TOOL_MEMBERS.get(name) if rules.lagging else None
        if name not in TOOL_MEMBERS or (lagging is not None and not has(betas, lagging)):
            raise extra(f"{path}.{name}")
    if not isinstance(tool["name"], str) or not TOOL_NAME.match(tool["name"]):
        raise Refusal(f"{path}.name: String should match pattern '{TOOL_NAME.pattern}'")
    if not isinstance(tool.get("description", ""), str):
        raise Refusal(f"{path}.description: Input should be a valid string")
    schema = tool["input_schema"]
    if not isinstance(schema, dict):
        raise Refusal(f"{path}.input_schema: Input should be a valid dictionary")
    if "type" not in schema:
        raise Refusal(f"{path}.input_schema.type: Field required")
    if schema["type"] != "object":
        raise Refusal(f"{path}.input_schema.type: Input should be 'object'")
    if tool.get("defer_loading") and tool.get("cache_control"):
        raise Refusal(f"Tool '{tool['name']}' cannot have both defer_loading=true and cache_control set.")
    if tool.get("strict"):
        check_schema(schema, path)


def _check_tool_choice(body: Json, names: list[Any]) -> None:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in ("auto", "any", "tool", "none"):
        raise Refusal("tool_choice: Input tag found using 'type' does not match any of the expected tags")
    allowed = {"auto": {"type", "disable_parallel_tool_use"}, "none": {"type"}}
    for name in choice:
        if name not in allowed.get(kind, {"type", "name", "disable_parallel_tool_use"}):
            raise extra(f"tool_choice.{kind}.{name}")
    if not names and kind != "none":
        raise Refusal("tool_choice: tool_choice may only be specified while providing tools.")
    if kind == "tool" and choice.get("name") not in names:
        raise Refusal(f"Tool '{choice.get('name')}' not found in provided tools")
    thinking = body.get("thinking") or {}
    if kind in ("any", "tool") and thinking.get("type") == "enabled":
        raise Refusal("Thinking may not be enabled when tool_choice forces tool use.")


def _check_thinking(body: Json, betas: tuple[str, ...]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    members = {
        "adaptive": {"type", "display"},
        "enabled": {"type", "budget_tokens", "display"},
        "disabled": {"type"},
        "between_tools": {"type"},
    }
    if kind not in members:
        found = f"Input tag '{kind}' found using 'type' does not match any of the expected tags"
        raise Refusal(f"thinking: {found}: 'disabled', 'enabled', 'adaptive'")
    for name in thinking:
        if name not in members[kind]:
            raise extra(f"thinking.{kind}.{name}")
    displays = ("summarized", "omitted", "updates") if has(betas, ("thinking-display-",)) else ("summarized", "omitted")
    if thinking.get("display") not in (None, *displays):
        raise Refusal(f"thinking.{kind}.display: Input should be {' or '.join(map(repr, displays))}")
    if kind != "enabled":
        return
    budget = thinking.get("budget_tokens")
    if budget is None:
        raise Refusal("thinking.enabled.budget_tokens: Field required")
    if not is_int(budget) or budget < 1024:
        raise Refusal("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    # With interleaved thinking the budget counts over the whole turn and may be larger.
    interleaved = has(betas, ("interleaved-thinking-",)) and body.get("tools")
    if "max_tokens" in body and budget >= body["max_tokens"] and not interleaved:
        raise Refusal("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_sampling(body: Json, version: str, model: Model) -> None:
    given = [name for name in ("temperature", "top_p", "top_k") if body.get(name) is not None]
    if given and version == "2026-10-21":
        raise extra(given[0])
    temperature, top_p, top_k = (body.get(name) for name in ("temperature", "top_p", "top_k"))
    for name, value in (("temperature", temperature), ("top_p", top_p)):
        if value is not None and not is_number(value):
            raise Refusal(f"{name}: Input should be a valid number")
        if value is not None and not 0 <= value <= 1:
            raise Refusal(f"{name}: range: 0..1")
    if top_k is not None and (not is_int(top_k) or top_k < 0):
        raise Refusal("top_k: Input should be greater than or equal to 0")
    if temperature is not None and top_p is not None and model.sampling != "free":
        both = "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        raise Refusal(both)
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        if temperature not in (None, 1):
            raise Refusal("`temperature` may only be set to 1 when thinking is enabled.")
        if top_p is not None and top_p < 0.95:
            raise Refusal("`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled.")
        if top_k is not None:
            raise Refusal("`top_k` must be unset when thinking is enabled.")
    if model.sampling == "none" and temperature not in (None, 1):
        raise Refusal("`temperature` is deprecated for this model.")


def _check_output_config(body: Json, betas: tuple[str, ...], rules: Rules) -> None:
    config = body.get("output_config")
    if config is None:
        return
    if not isinstance(config, dict):
        raise Refusal("output_config: Input should be a valid dictionary")
    if rules.lagging and not has(betas, ("effort-", "structured-outputs-", "task-budgets-")):
        raise extra("output_config")
    for name in config:
        if name not in ("effort", "format") and not (name == "task_budget" and has(betas, ("task-budgets-",))):
            raise extra(f"output_config.{name}")
    check_effort(config, "output_config")
    form = config.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or form.get("type") != "json_schema":
        raise Refusal("output_config.format.type: Input should be 'json_schema'")
    for name in form:
        if name not in ("type", "schema"):
            raise extra(f"output_config.format.{name}")
    if not isinstance(form.get("schema"), dict):
        raise Refusal("output_config.format.schema: Field required")
    check_schema(form["schema"], "output_config.format.schema")


def check_effort(config: Json, path: str) -> None:
    """Refuse an effort level that does not exist."""
    levels = ("low", "medium", "high", "xhigh", "max")
    if config.get("effort") not in (None, *levels):
        raise Refusal(f"{path}.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")


_UNSUPPORTED = {
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "string": ("minLength", "maxLength"),
    "array": ("maxItems", "uniqueItems"),
}


def check_schema(schema: Any, path: str) -> None:
    """Refuse a JSON schema that constrained decoding does not support."""
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise Refusal(f"{path}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    for name in _UNSUPPORTED.get(kind, ()) if isinstance(kind, str) else ():
        if name in schema:
            raise Refusal(f"{path}: For '{kind}' type, property '{name}' is not supported")
    nested = [*(schema.get("properties") or {}).values(), *(schema.get("$defs") or {}).values()]
    for union in ("anyOf", "allOf", "oneOf"):
        nested += schema.get(union) or []
    for child in (*nested, schema.get("items")):
        check_schema(child, path)
