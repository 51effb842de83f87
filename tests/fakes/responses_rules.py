"""What /v1/responses refuses in a request as a whole, in the vendor's words. Knows no socket."""

from __future__ import annotations

from typing import Any

from tests.fakes.chat_words import invalid_type, invalid_value, too_long, unknown
from tests.fakes.refusal import Json, Refusal, is_int, is_number
from tests.fakes.responses_flavours import ResponsesFlavour
from tests.fakes.responses_items import check_followers, check_items, check_pairs, check_reasons, resolve
from tests.fakes.responses_ledger import Answered, Ledger, tokens
from tests.fakes.responses_tables import (
    CHOICES,
    FLAGS,
    FRAME_MEMBERS,
    INCLUDES,
    MEMBERS,
    NESTED,
    REASONING_MODEL,
    TEXTS,
    efforts_of,
)
from tests.fakes.responses_tools import check_choice, check_text, check_tools


def check_headers(headers: dict[str, str], keys: tuple[str, ...], flavour: ResponsesFlavour, account: str) -> None:
    """Refuse a missing or unknown bearer key, and at the Codex backend another account's id."""
    bearer = headers.get("authorization", "")
    if not bearer.startswith("Bearer "):
        if flavour.detail:
            raise Refusal("Unauthorized", status=401, kind="detail")
        where = "You need to provide your API key in an Authorization header using Bearer auth."
        raise Refusal(f"You didn't provide an API key. {where}", status=401)
    key = bearer.removeprefix("Bearer ")
    if key not in keys:
        if flavour.detail:
            words = "Provided authentication token is expired. Please try signing in again."
            raise Refusal(words, status=401, code="token_expired")
        where = "You can find your API key at https://platform.openai.com/account/api-keys."
        message = f"Incorrect API key provided: {key[:4]}{'*' * 8}{key[-4:]}. {where}"
        raise Refusal(message, status=401, code="invalid_api_key")
    if flavour.detail and headers.get("chatgpt-account-id", account) != account:
        raise Refusal("Unauthorized", status=401, kind="detail")


def check_request(
    body: Any, flavour: ResponsesFlavour, *, models: tuple[str, ...] | None = None, frame: bool = False
) -> None:
    """Refuse what is wrong in a request by itself. `models=None`: any is there. `frame`: it came over a socket."""
    if not isinstance(body, dict):
        raise Refusal("We could not parse the JSON body of your request.")
    check_members(body, flavour, frame=frame)
    _check_model(body, flavour, models)
    _check_state(body, flavour, frame=frame)
    _check_types(body)
    _check_sampling(body)
    _check_reasoning(body)
    _check_choices(body)
    offered = check_tools(body["tools"]) if body.get("tools") is not None else set()
    if body.get("input") is not None or flavour.stateless:
        check_items(body, flavour)
    elif not (body.get("previous_response_id") or body.get("prompt") or body.get("conversation")):
        words = "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided."
        raise Refusal(words, param="input", code="missing_required_parameter")
    check_choice(body.get("tool_choice"), offered | _brought(body))
    check_text(body.get("text"))


def check_history(body: Json, ledger: Ledger | None = None, before: Answered | None = None) -> list[Json]:
    """Refuse what does not fit what was said before; the items of the request, references looked up.

    Without a ledger only what the request itself tells is judged. `before`: the response that it continues.
    """
    items = body.get("input")
    given = items if isinstance(items, list) else []
    check_followers(given, storing=body.get("store") is not False)
    if ledger is None:
        if not (body.get("previous_response_id") or body.get("conversation")):
            check_pairs(given)
        return given
    here = resolve(body, ledger)
    whole = [*(before.history if before else ()), *here]
    check_pairs(whole)
    check_reasons(whole, ledger)
    return here


def check_members(body: Json, flavour: ResponsesFlavour, *, frame: bool = False) -> None:
    """Refuse members that the vendor does not know, or its Codex backend does not take."""
    for name in body:
        if frame and (name in FRAME_MEMBERS or name in ("previous_response_id", "stream")):
            continue
        if flavour.members is not None and name not in flavour.members:
            raise Refusal(f"Unsupported parameter: {name}", kind="detail")
        if name not in MEMBERS:
            raise unknown(name)
    for outer, known in NESTED.items():
        inner = body.get(outer)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            raise invalid_type(outer, "an object", inner)
        for name in inner:
            if name not in known:
                raise unknown(f"{outer}.{name}")
    if flavour.stateless and "include_obfuscation" in (body.get("stream_options") or ()):
        raise Refusal("Unsupported parameter: stream_options.include_obfuscation", kind="detail")


def _check_model(body: Json, flavour: ResponsesFlavour, models: tuple[str, ...] | None) -> None:
    model = body.get("model")
    if model is None:
        if body.get("prompt"):
            return
        code = "missing_required_parameter"
        raise Refusal("Missing required parameter: 'model'.", param="model", code=code)
    if not isinstance(model, str):
        raise invalid_type("model", "a string", model)
    if models is not None and model not in models:
        if flavour.detail:
            words = f"The '{model}' model is not supported when using Codex with a ChatGPT account."
            raise Refusal(words, kind="detail")
        words = f"The requested model '{model}' does not exist."
        raise Refusal(words, param="model", code="model_not_found")


def _check_state(body: Json, flavour: ResponsesFlavour, *, frame: bool) -> None:
    if flavour.stateless:
        if body.get("store") is not False:
            raise Refusal("Store must be set to false", kind="detail")
        if body.get("stream") is not True and not frame:
            raise Refusal("Stream must be set to true", kind="detail")
    if body.get("previous_response_id") and body.get("conversation"):
        words = "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only"
        raise Refusal(f"{words} providing one of them.", code="mutually_exclusive_parameters")
    if body.get("background") and body.get("store") is False:
        raise Refusal("Background mode requires 'store' to be true.", param="background")
    if body.get("stream_options") is not None and not body.get("stream") and not frame:
        words = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise Refusal(words, param="stream_options")


def _check_types(body: Json) -> None:
    for name in FLAGS:
        if not isinstance(body.get(name), bool | None):
            raise invalid_type(name, "a boolean", body[name])
    for name, limit in TEXTS.items():
        value = body.get(name)
        if not isinstance(value, str | None):
            raise invalid_type(name, "a string", value)
        if limit and value and len(value) > limit:
            raise too_long(name, value, limit)
    for name, least, most in (("max_output_tokens", 16, None), ("max_tool_calls", 1, None), ("top_logprobs", 0, 20)):
        value = body.get(name)
        if value is None:
            continue
        if not is_int(value):
            raise invalid_type(name, "an integer", value)
        if value < least:
            words = f"integer below minimum value. Expected a value >= {least}, but got {value} instead."
            raise Refusal(f"Invalid '{name}': {words}", param=name, code="integer_below_min_value")
        if most is not None and value > most:
            words = f"integer above maximum value. Expected a value <= {most}, but got {value} instead."
            raise Refusal(f"Invalid '{name}': {words}", param=name, code="integer_above_max_value")
    _check_metadata(body.get("metadata"))


def _check_metadata(metadata: Any) -> None:
    if metadata is None:
        return
    if not isinstance(metadata, dict):
        raise invalid_type("metadata", "an object", metadata)
    if len(metadata) > 16:
        words = "too many properties. Expected an object with at most 16 properties, but got an object with"
        message = f"Invalid 'metadata': {words} {len(metadata)} properties instead."
        raise Refusal(message, param="metadata", code="object_above_max_properties")
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise invalid_type(f"metadata.{name}", "a string", value)
        if len(value) > 512:
            raise too_long(f"metadata.{name}", value, 512)


def _check_sampling(body: Json) -> None:
    for name, most in (("temperature", 2), ("top_p", 1)):
        value = body.get(name)
        if value is None:
            continue
        if not is_number(value):
            raise invalid_type(name, "a decimal", value)
        if value < 0:
            words = f"decimal below minimum value. Expected a value >= 0, but got {value} instead."
            raise Refusal(f"Invalid '{name}': {words}", param=name, code="decimal_below_min_value")
        if value > most:
            words = f"decimal above maximum value. Expected a value <= {most}, but got {value} instead."
            raise Refusal(f"Invalid '{name}': {words}", param=name, code="decimal_above_max_value")
        # A reasoning model can be sampled only while it does not reason.
        if reasons(body):
            words = f"Unsupported parameter: '{name}' is not supported with this model."
            raise Refusal(words, param=name)


def reasons(body: Json) -> bool:
    """Whether the model of a request will reason."""
    model = body.get("model") or ""
    if not REASONING_MODEL.match(model):
        return False
    return ((body.get("reasoning") or {}).get("effort") or efforts_of(model)[1]) != "none"


def _check_reasoning(body: Json) -> None:
    given, model = body.get("reasoning") or {}, body.get("model") or ""
    effort = given.get("effort")
    if not REASONING_MODEL.match(model):
        for name in ("effort", "summary"):
            if given.get(name) is not None:
                words = f"Unsupported parameter: 'reasoning.{name}' is not supported with this model."
                raise Refusal(words, param=f"reasoning.{name}", code="unsupported_parameter")
        if "reasoning.encrypted_content" in (body.get("include") or ()) and model.startswith("gpt-"):
            raise Refusal("Encrypted content is not supported with this model.", param="include")
        return
    known, _ = efforts_of(model)
    if effort is None or effort in known:
        return
    named = [f"'{word}'" for word in known]
    choices = f"{', '.join(named[:-1])}, and {named[-1]}"
    words = f"Unsupported value: '{effort}' is not supported with the '{model}' model."
    raise Refusal(f"{words} Supported values are: {choices}.", param="reasoning.effort", code="unsupported_value")


def _check_choices(body: Json) -> None:
    for path, known in CHOICES.items():
        outer, _, inner = path.partition(".")
        value = (body.get(outer) or {}).get(inner) if inner else body.get(outer)
        if value is not None and value not in known:
            raise invalid_value(path, value, known)
    include = body.get("include")
    if include is None:
        return
    if not isinstance(include, list):
        raise invalid_type("include", "an array of strings", include)
    for index, value in enumerate(include):
        if value not in INCLUDES:
            raise invalid_value(f"include[{index}]", value, INCLUDES)


def _brought(body: Json) -> set[tuple[str, str]]:
    """Tools that are not in `tools` but came in the conversation."""
    items = body.get("input")
    brought: set[tuple[str, str]] = set()
    for item in items if isinstance(items, list) else ():
        if item.get("type") in ("additional_tools", "tool_search_output"):
            brought |= check_tools(item["tools"])
    return brought


def check_size(body: Json, items: list[Json], window: int | None) -> None:
    """Refuse what is longer than the context; `truncation: auto` would shorten it."""
    size = tokens(body.get("instructions"), body.get("tools"), items or body.get("input"))
    if window is not None and size > window and body.get("truncation") != "auto":
        words = "Your input exceeds the context window of this model. Please adjust your input and try again."
        raise Refusal(words, param="input", code="context_length_exceeded")
