"""What a Chat Completions vendor refuses in a request outside its messages, in its words. Knows no socket."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from tests.fakes.chat_messages import check_messages
from tests.fakes.chat_words import check_known, check_name, empty_array, invalid_type, invalid_value, missing
from tests.fakes.flavours import Flavour
from tests.fakes.refusal import Json, Refusal, is_int, is_number, words

REASONING_MODEL = re.compile(r"^(o\d|gpt-5|gpt-6)")
TAKES_STOP = re.compile(r"^o3-mini")

MEMBERS = words(
    "model messages tools tool_choice parallel_tool_calls max_completion_tokens max_tokens stop temperature top_p n"
    " seed logprobs top_logprobs logit_bias presence_penalty frequency_penalty response_format reasoning_effort"
    " verbosity modalities audio prediction store metadata user safety_identifier prompt_cache_key"
    " prompt_cache_retention prompt_cache_options service_tier stream stream_options web_search_options functions"
    " function_call moderation"
)


def check_headers(headers: dict[str, str], keys: tuple[str, ...], flavour: Flavour) -> None:
    """Refuse a missing or unknown bearer key; no other header counts."""
    bearer = headers.get("authorization", "")
    if not bearer.startswith("Bearer "):
        how = "in an Authorization header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        raise Refusal(f"You didn't provide an API key. You need to provide your API key {how}", status=401)
    key = bearer.removeprefix("Bearer ")
    if key in keys:
        return
    hidden = f"{key[:4]}{'*' * 8}{key[-4:]}"
    if flavour.name == "deepseek":
        message = f"Authentication Fails, Your api key: {hidden} is invalid"
        raise Refusal(message, status=401, kind="authentication_error", code="invalid_request_error")
    where = "You can find your API key at https://platform.openai.com/account/api-keys."
    message = f"Incorrect API key provided: {hidden}. {where}"
    raise Refusal(message, status=401, code="invalid_api_key")


def check_request(
    body: Any, flavour: Flavour, models: tuple[str, ...] | None = None, reasoned: Collection[str] = ()
) -> None:
    """Refuse what /v1/chat/completions refuses. `models=None`: any model is there.

    `reasoned`: ids of the calls that were handed out together with reasoning.
    """
    if not isinstance(body, dict):
        raise Refusal("We could not parse the JSON body of your request.")
    unknown = [name for name in body if name not in MEMBERS and name not in flavour.members]
    if unknown and not flavour.open:
        plural = "s" if len(unknown) > 1 else ""
        raise Refusal(f"Unrecognized request argument{plural} supplied: {', '.join(unknown)}")
    _check_model(body, models)
    reasoning = flavour.reasoning_models and bool(REASONING_MODEL.match(body["model"]))
    _check_limits(body, reasoning=reasoning)
    _check_numbers(body, reasoning=reasoning)
    _check_stop(body, reasoning=reasoning and not TAKES_STOP.match(body["model"]))
    _check_stream(body, flavour)
    _check_tools(body, flavour)
    _check_response_format(body.get("response_format"), flavour)
    efforts = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    effort = body.get("reasoning_effort")
    if effort is not None and flavour.reasoning_models and not reasoning:
        raise Refusal("Unrecognized request argument supplied: reasoning_effort")
    if effort not in (None, *efforts):
        raise invalid_value("reasoning_effort", effort, efforts)
    check_messages(body, flavour, reasoned)


def _check_model(body: Json, models: tuple[str, ...] | None) -> None:
    model = body.get("model")
    if model is None:
        raise Refusal("you must provide a model parameter")
    if not isinstance(model, str):
        raise invalid_type("model", "a string", model)
    if models is not None and model not in models:
        message = f"The model `{model}` does not exist or you do not have access to it."
        raise Refusal(message, status=404, code="model_not_found")


def _check_limits(body: Json, *, reasoning: bool) -> None:
    if reasoning and body.get("max_tokens") is not None:
        raise Refusal(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens'"
            " instead.",
            param="max_tokens",
            code="unsupported_parameter",
        )
    if body.get("max_tokens") is not None and body.get("max_completion_tokens") is not None:
        message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        raise Refusal(message, param="max_tokens", code="invalid_parameter_combination")
    for name in ("max_tokens", "max_completion_tokens"):
        value = body.get(name)
        if value is None:
            continue
        if not is_int(value):
            raise invalid_type(name, "an integer", value)
        if value < 1:
            reason = f"Expected a value >= 1, but got {value} instead."
            message = f"Invalid '{name}': integer below minimum value. {reason}"
            raise Refusal(message, param=name, code="integer_below_min_value")


def _check_numbers(body: Json, *, reasoning: bool) -> None:
    ranges = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
    for name, (low, high) in ranges.items():
        value = body.get(name)
        if value is None:
            continue
        if not is_number(value):
            raise invalid_type(name, "a decimal", value)
        if value > high:
            message = f"decimal above maximum value. Expected a value <= {high}, but got {value} instead."
            raise Refusal(f"Invalid '{name}': {message}", param=name, code="decimal_above_max_value")
        if value < low:
            message = f"decimal below minimum value. Expected a value >= {low}, but got {value} instead."
            raise Refusal(f"Invalid '{name}': {message}", param=name, code="decimal_below_min_value")
        default = 0 if name.endswith("penalty") else 1
        if reasoning and value != default:
            only = f"Only the default ({default}) value is supported."
            message = f"Unsupported value: '{name}' does not support {value} with this model. {only}"
            raise Refusal(message, param=name, code="unsupported_value")


def _check_stop(body: Json, *, reasoning: bool) -> None:
    stop = body.get("stop")
    if stop is None:
        return
    if reasoning:
        message = "Unsupported parameter: 'stop' is not supported with this model."
        raise Refusal(message, param="stop", code="unsupported_parameter")
    if isinstance(stop, list) and len(stop) > 4:
        reason = f"Expected an array with maximum length 4, but got an array with length {len(stop)} instead."
        raise Refusal(f"Invalid 'stop': array too long. {reason}", param="stop", code="array_above_max_length")
    if not isinstance(stop, str) and not (isinstance(stop, list) and all(isinstance(item, str) for item in stop)):
        raise invalid_type("stop", "a string or an array of strings", stop)


def _check_stream(body: Json, flavour: Flavour) -> None:
    if not isinstance(body.get("stream", False), bool | None):
        raise invalid_type("stream", "a boolean", body["stream"])
    options = body.get("stream_options")
    if options is None:
        return
    if not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(message, param="stream_options")
    check_known(options, ("include_usage", "include_obfuscation"), "stream_options", flavour)


def _check_tools(body: Json, flavour: Flavour) -> None:
    tools = body.get("tools")
    if tools is None:
        for name in ("tool_choice", "parallel_tool_calls"):
            if body.get(name) is not None and not body.get("functions"):
                message = f"Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified."
                raise Refusal(message, param=name)
        return
    if not isinstance(tools, list):
        raise invalid_type("tools", "an array of objects", tools)
    if not tools:
        raise empty_array("tools")
    if len(tools) > 128:
        reason = f"Expected an array with maximum length 128, but got an array with length {len(tools)} instead."
        raise Refusal(f"Invalid 'tools': array too long. {reason}", param="tools", code="array_above_max_length")
    names = [_check_tool(tool, f"tools[{index}]", flavour) for index, tool in enumerate(tools)]
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        raise invalid_value("tool_choice", choice, ("none", "auto", "required"))
    if isinstance(choice, dict):
        if choice.get("type") == "function" and (choice.get("function") or {}).get("name") not in names:
            named = (choice.get("function") or {}).get("name")
            message = f"no function named '{named}' was specified in the 'tools' parameter."
            raise Refusal(f"Invalid value for 'tool_choice': {message}", param="tool_choice")
        if choice.get("type") not in ("function", "custom", "allowed_tools"):
            raise invalid_value("tool_choice.type", choice.get("type"), ("function", "custom", "allowed_tools"))


def _check_tool(tool: Any, path: str, flavour: Flavour) -> str:
    if not isinstance(tool, dict):
        raise invalid_type(path, "an object", tool)
    if tool.get("type") == "custom":
        return str((tool.get("custom") or {}).get("name"))
    if tool.get("type") != "function":
        if flavour.open:
            return str(tool.get("type"))
        raise invalid_value(f"{path}.type", tool.get("type"), ("function", "custom"))
    function = tool.get("function")
    if not isinstance(function, dict):
        raise missing(f"{path}.function")
    check_known(tool, ("type", "function"), path, flavour)
    check_known(function, ("name", "description", "parameters", "strict"), f"{path}.function", flavour)
    check_name(function.get("name"), f"{path}.function.name")
    schema = function.get("parameters")
    if schema is not None:
        _check_parameters(function, f"{path}.function.parameters")
    return str(function["name"])


def _check_parameters(function: Json, param: str) -> None:
    schema, name = function["parameters"], function["name"]
    reason = f"Invalid schema for function '{name}'"
    if not isinstance(schema, dict):
        raise invalid_type(param, "an object", schema)
    if schema.get("type", "object" if not schema else None) != "object":
        kind = schema.get("type", "None")
        message = f"{reason}: schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."
        raise Refusal(message, param=param, code="invalid_function_parameters")
    if schema and "properties" not in schema:
        message = f"{reason}: In context=(), object schema missing properties."
        raise Refusal(message, param=param, code="invalid_function_parameters")
    if function.get("strict"):
        problem = strict_problem(schema)
        if problem:
            raise Refusal(f"{reason}: {problem}", param=param, code="invalid_function_parameters")


def strict_problem(schema: Any, context: tuple[str, ...] = ()) -> str | None:
    """Why `strict: true` refuses a schema: every object closed, and all of its members required."""
    if not isinstance(schema, dict):
        return None
    where = "(" + ", ".join(f"'{step}'" for step in context) + ("," if len(context) == 1 else "") + ")"
    members = schema.get("properties") or {}
    kind = schema.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        if schema.get("additionalProperties") is not False:
            return f"In context={where}, 'additionalProperties' is required to be supplied and to be false."
        for name in members:
            if name not in (schema.get("required") or ()):
                every = "'required' is required to be supplied and to be an array including every key in properties."
                return f"In context={where}, {every} Missing '{name}'."
    if "oneOf" in schema or "allOf" in schema:
        name = "oneOf" if "oneOf" in schema else "allOf"
        return f"In context={where}, '{name}' is not permitted."
    children = [(child, (*context, "properties", name)) for name, child in members.items()]
    children += [(child, (*context, "$defs", name)) for name, child in (schema.get("$defs") or {}).items()]
    children += [(child, (*context, "anyOf", str(i))) for i, child in enumerate(schema.get("anyOf") or ())]
    children.append((schema.get("items"), (*context, "items")))
    return next((problem for child, path in children if (problem := strict_problem(child, path))), None)


def _check_response_format(form: Any, flavour: Flavour) -> None:
    if form is None:
        return
    kind = form.get("type") if isinstance(form, dict) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise invalid_value("response_format.type", kind, ("json_object", "json_schema", "text"))
    if kind != "json_schema":
        return
    wrapper = form.get("json_schema")
    if not isinstance(wrapper, dict):
        raise missing("response_format.json_schema")
    check_known(wrapper, ("name", "schema", "strict", "description"), "response_format.json_schema", flavour)
    check_name(wrapper.get("name"), "response_format.json_schema.name")
    problem = strict_problem(wrapper.get("schema")) if wrapper.get("strict") else None
    if problem:
        message = f"Invalid schema for response_format '{wrapper['name']}': {problem}"
        raise Refusal(message, param="response_format")
