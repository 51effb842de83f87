"""What Gemini refuses in a request, in its words. Knows no socket.

Where the vendor's words are not known, the message says plainly what is wrong.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from tests.fakes.gemini_contents import Verify, check_contents, check_parts, invalid
from tests.fakes.gemini_errors import Denied, error_info, overflow
from tests.fakes.gemini_flavours import GEMINI, MODELS, Flavour, Model, model_of
from tests.fakes.gemini_proto import read
from tests.fakes.gemini_schema import check_json_schema, check_schema
from tests.fakes.refusal import Json, is_number

NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$")
HOSTED = ("googleSearch", "urlContext", "codeExecution", "googleMaps", "fileSearch", "googleSearchRetrieval")
RESPONSE_TYPES = ("text/plain", "application/json", "application/xml", "application/yaml", "text/x.enum")


def _trusting(family: str, name: str, signature: str) -> bool:
    return True


class Rules(Struct, frozen=True):
    """What a fake knows when it judges. `any_model`: every name is served. `caches=None`: there is every cache."""

    flavour: Flavour = GEMINI
    models: tuple[Model, ...] = MODELS
    any_model: bool = False
    verify: Verify = _trusting
    caches: tuple[str, ...] | None = None


def check_credentials(headers: dict[str, str], key: str | None, keys: tuple[str, ...], flavour: Flavour) -> None:
    """Refuse a missing or unknown key: in `x-goog-api-key`, in `?key=` or as a bearer token."""
    bearer = headers.get("authorization", "")
    given = headers.get("x-goog-api-key") or key
    if bearer.startswith("Bearer "):
        if bearer.removeprefix("Bearer ") in keys:
            return
        raise _unauthenticated("Request had invalid authentication credentials.", "ACCESS_TOKEN_TYPE_UNSUPPORTED")
    if flavour.door == "assist" or (not given and flavour.door == "vertex"):
        raise _unauthenticated("Request is missing required authentication credential.", "CREDENTIALS_MISSING")
    if not given:
        raise Denied(
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or"
            " other form of API consumer identity to call this API.",
            "PERMISSION_DENIED",
        )
    if given not in keys:
        info = error_info("API_KEY_INVALID", service="generativelanguage.googleapis.com")
        raise Denied("API key not valid. Please pass a valid API key.", "INVALID_ARGUMENT", info)


def _unauthenticated(start: str, reason: str) -> Denied:
    text = (
        f"{start} Expected OAuth 2 access token, login cookie or other valid authentication credential. See"
        " https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    return Denied(text, "UNAUTHENTICATED", error_info(reason))


def find_model(name: str, rules: Rules, method: str, version: str = "v1beta", project: str = "p") -> Model:
    """The model that a path names, or 404."""
    found = next((model for model in rules.models if model.id == name), None)
    if found is not None:
        return found
    if rules.any_model:
        return model_of(name)
    if rules.flavour.door == "vertex":
        where = f"projects/{project}/locations/us-central1/publishers/google/models/{name}"
        raise Denied(
            f"Publisher Model `{where}` was not found or your project does not have access to it.", "NOT_FOUND"
        )
    if rules.flavour.door == "assist":
        raise Denied("Requested entity was not found.", "NOT_FOUND")
    raise Denied(
        f"models/{name} is not found for API version {version}, or is not supported for {method}. Call ListModels to"
        " see the list of available models and their supported methods.",
        "NOT_FOUND",
    )


def check_request(body: Any, model: Model, rules: Rules, *, size: int = 0) -> Json:
    """Refuse what generateContent refuses; the request as protobuf has it. `size`: bytes of the body."""
    request = read(body, "GenerateContentRequest", rules.flavour.package)
    check_message(request, model, rules, size=size)
    return request


def check_count(body: Any, model: Model, rules: Rules) -> Json:
    """Refuse what countTokens refuses; the request whose tokens are to be counted."""
    request = read(body, "CountTokensRequest", rules.flavour.package)
    inner = request.get("generateContentRequest")
    if inner is not None and "contents" in request:
        raise Denied("Please set either contents or generate_content_request, not both.")
    if inner is not None and inner.get("model", "").removeprefix("models/") != model.id:
        raise invalid(rules.flavour, "model", f"unexpected model name format, or not {model.id}")
    counted: Json = request if inner is None else inner
    check_contents(counted.get("contents", []), model, rules.flavour, _trusting)
    return counted


def check_message(request: Json, model: Model, rules: Rules, *, size: int = 0) -> None:
    """Refuse a request that has been read. `size`: bytes of the body, from which its tokens are guessed."""
    flavour = rules.flavour
    check_contents(request.get("contents", []), model, flavour, rules.verify)
    if "systemInstruction" in request:
        check_parts(request["systemInstruction"], "system_instruction", flavour)
    config = request.get("generationConfig", {})
    _check_numbers(config, model, flavour)
    _check_thinking(config.get("thinkingConfig", {}), model, flavour)
    _check_form(config, flavour)
    _check_modalities(config, model)
    names = _check_tools(request, model, rules)
    _check_tool_config(request, names, flavour)
    _check_cache(request, rules)
    if size // 4 > model.window:
        raise Denied(overflow(size // 4, model.window))


def _check_numbers(config: Json, model: Model, flavour: Flavour) -> None:
    for name, snake, most in (("temperature", "temperature", 2.0), ("topP", "top_p", 1.0)):
        value = config.get(name, 0)
        if not (is_number(value) and 0 <= value <= most):
            raise invalid(flavour, f"generation_config.{snake}", f"{snake} must be in the range [0.0, {most}].")
    if config.get("topK", 1) < 1:
        raise invalid(flavour, "generation_config.top_k", "top_k must be positive.")
    limit = config.get("maxOutputTokens", 1)
    # The API key's door lowers what is too much; a project's door refuses it.
    if limit < 1 or (limit > model.output and flavour.door == "vertex"):
        raise _out_of_range("maxOutputTokens", limit, 1, model.output + 1)
    stops = config.get("stopSequences", ())
    if len(stops) > 5:
        raise invalid(
            flavour, "generation_config.stop_sequences", f"at most 5 are allowed, but there are {len(stops)}."
        )
    if "" in stops:
        raise invalid(
            flavour, f"generation_config.stop_sequences[{stops.index('')}]", "stop_sequence must not be empty."
        )
    count = config.get("candidateCount", 1)
    if count > 1 and model.candidates == 1:
        raise Denied("Multiple candidates is not enabled for this model")
    if not 1 <= count <= model.candidates:
        raise _out_of_range("candidateCount", count, 1, model.candidates + 1)
    if "logprobs" in config and not config.get("responseLogprobs"):
        raise invalid(flavour, "generation_config.logprobs", "only allowed when response_logprobs is true.")


def _out_of_range(name: str, value: object, least: int, over: int) -> Denied:
    text = f"Unable to submit request because it has a {name} value of {value} but the supported range is from {least}"
    return Denied(f"{text} (inclusive) to {over} (exclusive). Update the value and try again.")


def _check_thinking(config: Json, model: Model, flavour: Flavour) -> None:
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if not model.thinks and (level or budget or config.get("includeThoughts")):
        raise Denied("Unable to submit request because thinking is not supported by this model.")
    if level is not None and not model.levels:
        # The member itself is refused, whatever its value.
        studio = flavour.door == "studio"
        raise Denied(
            "Thinking level is not supported for this model."
            if studio
            else "thinking_level is not supported by this model"
        )
    if level is not None and budget is not None:
        raise Denied("You can only set only one of thinking budget and thinking level.")
    if level not in (None, "THINKING_LEVEL_UNSPECIFIED", *model.levels):
        text = f"Thinking level {level} is not supported for this model."
        raise Denied(f"{text} Please retry with other thinking level.")
    if budget is None or model.budget is None or budget == -1:
        return
    if budget == 0:
        if model.off:
            return
        if flavour.door == "studio":
            raise Denied("Budget 0 is invalid. This model only works in thinking mode.")
        raise Denied("Unable to submit request because The model does not support setting thinking_budget to 0.")
    least, most = model.budget
    if not least <= budget <= most:
        text = f"The thinking budget {budget} is invalid. Please choose a value between {least} and {most}."
        raise Denied(text)


def _check_form(config: Json, flavour: Flavour) -> None:
    kind = config.get("responseMimeType", "text/plain")
    if kind not in RESPONSE_TYPES:
        allowed = "`text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`"
        raise invalid(flavour, "generation_config.response_mime_type", f"allowed mimetypes are {allowed}.")
    schema, standard = config.get("responseSchema"), config.get("responseJsonSchema")
    if schema is not None and standard is not None:
        text = "response_schema must be unset when response_json_schema is set."
        raise invalid(flavour, "generation_config.response_json_schema", text)
    if (schema is not None or standard is not None) and kind not in ("application/json", "text/x.enum"):
        name = "response_schema" if schema is not None else "response_json_schema"
        text = "only allowed when response_mime_type is `application/json` or `text/x.enum`."
        raise invalid(flavour, f"generation_config.{name}", text)
    if schema is not None:
        path = "generation_config.response_schema"
        check_schema(schema, path, lambda path, text: invalid(flavour, path, text))
    if standard is not None:
        path = "generation_config.response_json_schema"
        check_json_schema(standard, path, lambda path, text: invalid(flavour, path, text))


def _check_modalities(config: Json, model: Model) -> None:
    wanted = [kind for kind in config.get("responseModalities", ()) if kind != "TEXT"]
    if wanted and not (wanted == ["IMAGE"] and model.draws):
        named = ", ".join(kind.lower() for kind in wanted)
        raise Denied(f"The requested combination of response modalities ({named}) is not supported by the model.")


def _check_tools(request: Json, model: Model, rules: Rules) -> list[str]:
    flavour, names = rules.flavour, list[str]()
    kinds: set[str] = set()
    for index, tool in enumerate(request.get("tools", ())):
        set_here = {name for name, value in tool.items() if value != []}
        if not set_here:
            text = "required one_of 'tool_type' must have one initialized field"
            raise invalid(flavour, f"tools[{index}].tool_type", text)
        kinds |= set_here
        for position, declared in enumerate(tool.get("functionDeclarations", ())):
            path = f"tools[{index}].function_declarations[{position}]"
            _check_declaration(declared, path, flavour)
            if declared["name"] in names:
                raise Denied(f"Duplicate function declaration found: {declared['name']}")
            names.append(declared["name"])
    hosted = kinds & set(HOSTED)
    mixed = "functionDeclarations" in kinds and hosted
    # Code execution is the hosted tool that Gemini 2.5 takes beside functions.
    if mixed and not model.mixes and hosted != {"codeExecution"}:
        raise Denied("Tool use with function calling is unsupported by the model.")
    asked = request.get("toolConfig", {}).get("includeServerSideToolInvocations")
    if mixed and model.mixes and flavour.server_tools and not asked:
        needed = "Please enable tool_config.include_server_side_tool_invocations"
        raise Denied(f"{needed} to use Built-in tools with Function calling.")
    json = request.get("generationConfig", {}).get("responseMimeType") == "application/json"
    if json and kinds and not model.mixes:
        what = "Function calling" if names else "Tool use"
        raise Denied(f"{what} with a response mime type: 'application/json' is unsupported")
    return names


def _check_declaration(declared: Json, path: str, flavour: Flavour) -> None:
    if not NAME.match(declared.get("name", "")):
        text = "Invalid function name. Must start with a letter or an underscore. Must be "
        text += "alphameric (a-z, A-Z, 0-9), " if flavour.door == "studio" else "a-z, A-Z, 0-9, or contain "
        text += "underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64."
        raise invalid(flavour, f"{path}.name", text)
    for name, standard in (("parameters", "parametersJsonSchema"), ("response", "responseJsonSchema")):
        snake = "parameters_json_schema" if name == "parameters" else "response_json_schema"
        if name in declared and standard in declared:
            raise invalid(flavour, f"{path}.{snake}", f"{name} must be unset when {snake} is set.")
        if name in declared:
            check_schema(declared[name], f"{path}.{name}", lambda path, text: invalid(flavour, path, text))
        if standard in declared:
            check_json_schema(declared[standard], f"{path}.{snake}", lambda path, text: invalid(flavour, path, text))


def _check_tool_config(request: Json, names: list[str], flavour: Flavour) -> None:
    calling = request.get("toolConfig", {}).get("functionCallingConfig", {})
    mode, allowed = calling.get("mode", "AUTO"), calling.get("allowedFunctionNames", ())
    path = "tool_config.function_calling_config"
    if mode in ("ANY", "VALIDATED") and not names and "cachedContent" not in request:
        raise Denied("Function calling config is set without function_declarations.")
    if allowed and mode not in ("ANY", "VALIDATED"):
        text = f"should be unset when the mode is {mode}; it is for ANY and VALIDATED."
        raise invalid(flavour, f"{path}.allowed_function_names", text)
    for index, name in enumerate(allowed):
        if name not in names:
            text = f"`{name}` is not among the function declarations."
            raise invalid(flavour, f"{path}.allowed_function_names[{index}]", text)


def _check_cache(request: Json, rules: Rules) -> None:
    name = request.get("cachedContent")
    if not name:
        return
    if rules.caches is not None and name not in rules.caches:
        raise Denied("CachedContent not found (or permission denied)", "PERMISSION_DENIED")
    if any(request.get(other) for other in ("systemInstruction", "tools", "toolConfig")):
        raise Denied(
            "CachedContent can not be used with GenerateContent request setting system_instruction, tools or"
            " tool_config.\n\nProposed fix: move those values to CachedContent from GenerateContent request."
        )
