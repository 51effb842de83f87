"""`generationConfig`, both ways: limits, sampling, thinking, the shape of the answer.

What has no field stays in the extras of the request, under the name of the object. Which of several spellings was used
is remembered in `Request.forms`.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw

from strowger.dialects.efforts import EFFORTS, clamped
from strowger.dialects.gemini.job import Job
from strowger.dialects.gemini.members import Json, Members, forget, inner, is_null, put, spelled, starts
from strowger.dialects.gemini.schema import cleaned, from_google, to_google
from strowger.ir.request import OutputFormat, Reasoning, Request, Sampling

TOP_K_FLOAT = "topK=float"
DYNAMIC = "thinkingBudget=-1"
NO_THOUGHTS = "includeThoughts=false"
LEVEL = "thinkingLevel="
"""The level as JSON text follows, where it is not a name in capitals."""
RESPONSE_SCHEMA = "responseSchema"
SHARED = "shared:"
"""The name follows of a setting that is kept among the extras of the request."""

JSON_TYPE = "application/json"
_TEXT_TYPE = "text/plain"
_LEVELS = ("", "low", "medium", "high", "minimal", "xhigh")
"""By number, as protobuf has them."""
_TOKENS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
_BUDGET_RANGE = (512, 24576)
"""What all models with a budget take; each has its own range, and refuses what is outside."""
_LEAST = 128
"""The smallest budget of a model that cannot do without."""
_DIGITS = frozenset(b"-0123456789")
_INT32 = 2**31
_NATIVE = {"seed": "seed", "presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"}
"""Settings that dialects keep as extras of the request, by the names that they share."""


class Settings(msgspec.Struct, frozen=True):
    """What `generationConfig` says of the fields of a request."""

    max_tokens: int | None = None
    sampling: Sampling = Sampling()
    reasoning: Reasoning | None = None
    output: OutputFormat | None = None


# ---- reading ----


def take_settings(fields: Members, forms: set[str]) -> Settings:
    """Take what has a field; the rest of the object is kept."""
    if not fields.is_object("generationConfig"):
        return Settings()
    config = fields.need(fields.members("generationConfig"), "generationConfig")
    settings = Settings(_integer(config, "maxOutputTokens"), _sampling(config, forms), _reasoning(config, forms))
    settings = msgspec.structs.replace(settings, output=_output(config, forms))
    for shared, key in _NATIVE.items():
        raw = config.look(key)
        if raw is not None and shared not in fields.rest and bytes(memoryview(raw)[:1])[0] in _DIGITS:
            fields.rest[shared] = raw
            config.raw(key)
            forms.add(SHARED + shared)
    fields.keep("generationConfig", config, empty=True)
    return settings


def _integer(config: Members, key: str) -> int | None:
    """An integer; one that is written as a text, as protobuf may, is left to Google."""
    raw = config.look(key)
    return None if raw is None or starts(raw, b'"') else config.integer(key)


def _sampling(config: Members, forms: set[str]) -> Sampling:
    top_k = _top_k(config, forms)
    stop: tuple[str, ...] = ()
    if config.says("stopSequences") and not starts(config.look("stopSequences"), b"[]"):
        stop = config.strings("stopSequences") or ()
    return Sampling(config.number("temperature"), config.number("topP"), top_k, stop)


def _top_k(config: Members, forms: set[str]) -> int | None:
    """Google's topK is a fraction in its schema, but means a count."""
    raw = config.look("topK")
    if raw is None or is_null(raw):
        return None
    value = msgspec.json.decode(raw)
    if isinstance(value, float) and value.is_integer():
        forms.add(TOP_K_FLOAT)
        return int(config.number("topK") or 0)
    return config.integer("topK") if isinstance(value, int) else None


def _reasoning(config: Members, forms: set[str]) -> Reasoning | None:
    """`thinkingConfig`: a budget (0 is none, -1 leaves it to the model) or a level, and whether thoughts are shown."""
    if not config.is_object("thinkingConfig"):
        return None
    thinking = config.need(config.members("thinkingConfig"), "thinkingConfig")
    shown = thinking.flag("includeThoughts")
    budget = _integer(thinking, "thinkingBudget")
    effort = _level(thinking, forms)
    config.keep("thinkingConfig", thinking, empty=True)
    if shown is False:
        forms.add(NO_THOUGHTS)
    mode = None
    if budget == 0:
        mode = "disabled"
    elif budget is not None and budget > 0:
        mode = "enabled"
    elif budget is not None or effort is not None or shown:
        mode = "adaptive"
    if budget is not None and budget < 0:
        forms.add(f"thinkingBudget={budget}")
        budget = None
    return Reasoning(mode, budget, effort, "summarized" if shown else "omitted")


def _level(thinking: Members, forms: set[str]) -> str | None:
    raw = thinking.look("thinkingLevel")
    if raw is None or is_null(raw):
        return None
    value = msgspec.json.decode(raw)
    if isinstance(value, str):
        word = value.lower()
    elif isinstance(value, int) and 0 < value < len(_LEVELS):
        word = _LEVELS[value]
    else:
        return None
    if word not in EFFORTS:
        return None
    thinking.raw("thinkingLevel")
    if value != word.upper():
        forms.add(LEVEL + bytes(raw).decode())
    return word


def _output(config: Members, forms: set[str]) -> OutputFormat | None:
    """The shape of the answer; a media type that others do not have stays where it is."""
    raw = config.look("responseMimeType")
    if raw is None or not starts(raw, b'"'):
        return None
    kind = msgspec.json.decode(raw, type=str)
    if kind == _TEXT_TYPE:
        config.text("responseMimeType")
        return OutputFormat("text")
    if kind != JSON_TYPE:
        return None
    config.text("responseMimeType")
    for key in ("responseJsonSchema", RESPONSE_SCHEMA):
        if config.is_object(key):
            if key == RESPONSE_SCHEMA:
                forms.add(RESPONSE_SCHEMA)
            schema, changed = from_google(config.need(config.look(key), key))
            if not changed:
                config.raw(key)  # else it comes back as it was
            return OutputFormat("json_schema", schema=schema)
    return OutputFormat("json_object")


# ---- writing ----


def render_settings(job: Job, body: Json, *, tools: bool) -> None:
    """Set `generationConfig`; `tools`: the request offers some."""
    name = spelled(body, "generationConfig")
    kept = isinstance(body.get(name), Raw) and starts(body[name], b"{")
    config = inner(body, "generationConfig") if kept else {}
    _limits(job, config)
    _sampling_members(job, config)
    _thinking(job, config)
    _format(job, config, tools=tools)
    _native(job, body, config)
    if config or kept:
        body[name] = config


def _limits(job: Job, config: Json) -> None:
    limit, caps = job.request.max_tokens, job.caps
    if limit is None:
        return
    if caps.max_output_tokens and limit > caps.max_output_tokens:
        job.lose("max_tokens", f"{limit} is lowered to the model's limit of {caps.max_output_tokens}", "info")
        limit = caps.max_output_tokens
    if limit < caps.min_output_tokens and not job.as_written:
        job.lose("max_tokens", f"{limit} is raised to the provider's minimum of {caps.min_output_tokens}", "info")
        limit = caps.min_output_tokens
    put(config, "maxOutputTokens", limit)


def _sampling_members(job: Job, config: Json) -> None:
    sampling, caps = job.request.sampling, job.caps
    top_k: float | None = sampling.top_k
    if top_k is not None and not caps.top_k:
        job.lose("top_k", "the provider has no such setting")
        top_k = None
    elif top_k is not None and job.ours and TOP_K_FLOAT in job.request.forms:
        top_k = float(top_k)
    given = {"temperature": sampling.temperature, "topP": sampling.top_p, "topK": top_k}
    for key, value in given.items():
        if value is None:
            continue
        if not caps.sampling:
            job.lose(key, "the model has a fixed sampling", "info")
        elif key == "temperature" and value > caps.temperature_max:
            job.lose(key, f"{value} is lowered to the provider's limit of {caps.temperature_max}")
            put(config, key, caps.temperature_max)
        else:
            put(config, key, value)
    stop = sampling.stop if job.ours else tuple(word for word in sampling.stop if word)
    job.stop = stop[caps.max_stop_sequences :]
    if stop[: caps.max_stop_sequences]:
        put(config, "stopSequences", stop[: caps.max_stop_sequences])
    else:
        _forget_written(config, "stopSequences")


def _forget_written(config: Json, key: str) -> None:
    """Remove what only remembers a spelling."""
    if isinstance(held := config.get(spelled(config, key)), Raw) and bytes(held) == b'""':
        forget(config, key)


def _native(job: Job, body: Json, config: Json) -> None:
    """Settings that have a member here and are extras of the request."""
    for shared, key in _NATIVE.items():
        raw = job.request.extras.get(shared)
        if raw is None or bytes(memoryview(raw)[:1])[0] not in _DIGITS:
            continue
        if job.ours and SHARED + shared not in job.request.forms:
            continue  # it is the client's own member, of whatever meaning
        body.pop(shared, None)
        if shared == "seed" and not job.ours and abs(msgspec.json.decode(raw, type=float)) >= _INT32:
            job.lose(shared, "the number is larger than the provider takes")
        else:
            put(config, key, raw)


NATIVE_EXTRAS = frozenset(_NATIVE)
"""Extras of other dialects that have a member here."""


# ---- thinking ----


def thinks(request: Request) -> bool:
    """Whether the request asks for thinking."""
    reasoning = request.reasoning
    if reasoning is None or _is_off(reasoning):
        return False
    return reasoning.mode is not None or reasoning.effort is not None or reasoning.budget is not None


def _is_off(reasoning: Reasoning) -> bool:
    return reasoning.mode == "disabled" or reasoning.effort == "none"


def _thinking(job: Job, config: Json) -> None:
    reasoning = job.request.reasoning
    if reasoning is None:
        return
    if not job.ours:
        job.lose_extras({key: raw for key, raw in reasoning.extras.items() if key != "summary"}, "thinking")
    match job.caps.thinking:
        case "as_written" if job.ours:
            _as_written(job, config, reasoning)
        case "level" | "effort":
            _by_level(job, config, reasoning)
        case "budget" | "as_written":
            _by_budget(job, config, reasoning)
        case _:
            forget(config, "thinkingConfig")
            if thinks(job.request):
                job.lose("thinking", "the model's thinking cannot be steered", "info")


def _as_written(job: Job, config: Json, reasoning: Reasoning) -> None:
    thinking, forms = inner(config, "thinkingConfig"), job.request.forms
    dynamic = next((form.partition("=")[2] for form in forms if form.startswith("thinkingBudget=")), None)
    if reasoning.budget is not None:
        put(thinking, "thinkingBudget", reasoning.budget)
    elif dynamic is not None:
        put(thinking, "thinkingBudget", int(dynamic))
    if reasoning.effort is not None:
        put(thinking, "thinkingLevel", _spelled_level(job, reasoning.effort))
    if reasoning.display == "summarized" or NO_THOUGHTS in forms:
        put(thinking, "includeThoughts", reasoning.display == "summarized")


def _spelled_level(job: Job, effort: str) -> str | Raw:
    """The level as the client wrote it, where it is the client's."""
    if job.ours and effort == (job.request.reasoning or Reasoning()).effort:
        for form in job.request.forms:
            if form.startswith(LEVEL):
                return Raw(form[len(LEVEL) :].encode())
    return effort.upper()


def _show(job: Job, thinking: Json, reasoning: Reasoning) -> None:
    """Ask for the thoughts, unless the client does not want to see them."""
    asked = reasoning.display is not None and reasoning.display != "omitted"
    if not _is_off(reasoning) and (asked or (reasoning.display is None and thinks(job.request))):
        put(thinking, "includeThoughts", True)
    elif NO_THOUGHTS in job.request.forms and job.ours:
        put(thinking, "includeThoughts", False)


def _begun(config: Json) -> Json:
    """The object to write into: with the client's own members that have no field, and none of the others."""
    thinking = inner(config, "thinkingConfig")
    for key in ("includeThoughts", "thinkingBudget", "thinkingLevel"):
        _forget_written(thinking, key)
    return thinking


def _by_level(job: Job, config: Json, reasoning: Reasoning) -> None:
    thinking = _begun(config)
    level = clamped(job, reasoning, off=_is_off(reasoning))
    if level is not None and level != "none":
        put(thinking, "thinkingLevel", _spelled_level(job, level))
    _show(job, thinking, reasoning)
    if not thinking:
        forget(config, "thinkingConfig")


def _by_budget(job: Job, config: Json, reasoning: Reasoning) -> None:
    thinking = _begun(config)
    budget = reasoning.budget
    if _is_off(reasoning) and job.caps.efforts and "none" not in job.caps.efforts:
        job.lose("thinking", "the model's thinking cannot be switched off; it is set to the least")
        budget = _LEAST
    elif _is_off(reasoning):
        budget = 0
    elif budget is None and reasoning.effort is not None:
        budget = _TOKENS.get(reasoning.effort, -1)
        if budget < 0:
            job.lose("effort", f"{reasoning.effort!r} is not a word that stands for a number of tokens")
    elif budget is None and reasoning.mode is not None:
        budget = -1
    elif budget is not None and not job.ours:
        least, most = _BUDGET_RANGE
        if not least <= budget <= most:
            job.lose("thinking.budget_tokens", f"{budget} is moved to what the models take", "info")
            budget = min(max(budget, least), most)
    if budget is not None:
        put(thinking, "thinkingBudget", budget)
    _show(job, thinking, reasoning)
    if not thinking:
        forget(config, "thinkingConfig")


# ---- the shape of the answer ----


def _format(job: Job, config: Json, *, tools: bool) -> None:
    output, caps = job.request.output, job.caps
    if output is None or (output.kind == "text" and not job.ours):
        return
    if output.kind == "text":
        put(config, "responseMimeType", _TEXT_TYPE)
        return
    offered = caps.structured_output
    if tools and not caps.structured_with_tools and offered != "none":
        job.lose("response_format", "the model takes no format beside tools; it is asked for it in words")
        offered = "none"
    elif offered == "none" or (output.kind == "json_schema" and offered != "json_schema"):
        job.lose("response_format", "the model takes no such format; it is asked for it in words")
    if offered == "none":
        for key in ("responseMimeType", "responseJsonSchema", RESPONSE_SCHEMA):
            forget(config, key)
    else:
        put(config, "responseMimeType", JSON_TYPE)
    if output.kind == "json_schema" and offered == "json_schema":
        _schema(job, config, output)
    elif offered == "none" or output.kind == "json_schema":
        _describe(job, output)


def _schema(job: Job, config: Json, output: OutputFormat) -> None:
    if not job.ours:
        job.lose_extras(output.extras, "response_format")
    key = RESPONSE_SCHEMA if job.ours and RESPONSE_SCHEMA in job.request.forms else "responseJsonSchema"
    held = config.get(spelled(config, key))
    if job.ours and isinstance(held, Raw) and starts(held, b"{"):
        return  # it is there as the client wrote it
    schema = output.schema
    if schema is None:
        return
    if not job.ours:
        dropped: frozenset[str]
        if job.caps.tool_schema == "openapi":
            key = RESPONSE_SCHEMA
            reduced, dropped = to_google(schema)
            if reduced is None:
                return
            schema = reduced
        else:
            schema, dropped = cleaned(schema)
        for keyword in sorted(dropped):
            job.lose_once("response_format", f"the provider's schemas have no {keyword}")
    put(config, key, schema)


def _describe(job: Job, output: OutputFormat) -> None:
    if output.kind == "json_object":
        job.instructions.append("Answer with one JSON object and nothing else.")
        return
    schema = bytes(output.schema).decode() if output.schema is not None else "{}"
    job.instructions.append(
        f"Answer with one JSON object and nothing else. It must be valid against this JSON schema:\n{schema}"
    )
