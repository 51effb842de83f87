"""A request in the middle form to a Chat Completions body.

`render_request(parse_request(body), model, FAITHFUL)` is `body` again. Under a real provider's capabilities, what it
does not take is translated or reported as a loss, whichever dialect the request came from.
"""

from __future__ import annotations

import hashlib

import msgspec

from strowger.dialects.base import Capabilities, Rendered
from strowger.dialects.efforts import clamped
from strowger.dialects.losses import refuse_extras, says_nothing
from strowger.dialects.openai_chat.history import render_messages
from strowger.dialects.openai_chat.job import Job
from strowger.dialects.openai_chat.parts import Json, nested, put_back
from strowger.dialects.openai_chat.request import Form
from strowger.dialects.openai_chat.tools import render_tools
from strowger.dialects.openai_chat.wire import ANY
from strowger.dialects.schemas import is_strict
from strowger.ir.request import OutputFormat, Reasoning, Request

_LONGEST_USER = 64
_ENCODER = msgspec.json.Encoder()

_PENALTIES = frozenset({"presence_penalty", "frequency_penalty"})
_SHARED = frozenset({"seed", *_PENALTIES})
"""Extras that mean the same in every dialect that has them."""


def render_request(request: Request, model: str, caps: Capabilities) -> Rendered:
    """IR to a body for `model`, with what could not be carried."""
    job = Job(request, caps)
    body: Json = {"model": model}
    if job.ours:
        body |= put_back(request.extras)
        if "model" not in request.extras and not model:
            del body["model"]  # Azure names it in the URL
    else:
        refuse_extras(request.extras, "the Chat Completions API")
        shared = {key: raw for key, raw in request.extras.items() if key in _SHARED and not says_nothing(raw)}
        body |= shared
        job.lose_extras({key: raw for key, raw in request.extras.items() if key not in shared}, "")
    for key in _PENALTIES & body.keys() if not caps.sampling else ():
        del body[key]
        job.lose(key, "the model has a fixed sampling", "info")
    if model:
        body["model"] = model
    _output(job, body)
    body["messages"] = render_messages(job)
    render_tools(job, body)
    _stream(job, body)
    _limits(job, body)
    _reasoning(job, body)
    _people(job, body)
    watched = tuple(word for word in request.sampling.stop[caps.max_stop_sequences :] if word)
    return Rendered(_ENCODER.encode(body), tuple(job.losses), dict(job.sent_names), watched)


def _stream(job: Job, body: Json) -> None:
    request = job.request
    if "stream_options" in body and not job.caps.stream_usage:
        del body["stream_options"]
        job.lose("stream_options", "the provider has no such member", "info")
    if request.stream:
        body["stream"] = True
        if not job.ours and job.caps.stream_usage:
            body["stream_options"] = {"include_usage": True}
    elif Form.NOT_STREAMING in request.forms and job.ours:
        body["stream"] = False


# ---- numbers ----


def _limits(job: Job, body: Json) -> None:
    request, caps = job.request, job.caps
    limit = request.max_tokens
    if limit is not None:
        if caps.max_output_tokens and limit > caps.max_output_tokens:
            job.lose("max_tokens", f"{limit} is lowered to the model's limit of {caps.max_output_tokens}", "info")
            limit = caps.max_output_tokens
        if limit < caps.min_output_tokens:
            job.lose("max_tokens", f"{limit} is raised to the provider's minimum of {caps.min_output_tokens}", "info")
            limit = caps.min_output_tokens
        written = Form.MAX_COMPLETION_TOKENS if Form.MAX_COMPLETION_TOKENS in request.forms else "max_tokens"
        body[caps.max_tokens_field or written] = limit
    _sampling(job, body)


def _sampling(job: Job, body: Json) -> None:
    sampling, caps = job.request.sampling, job.caps
    given: dict[str, float | None] = {"temperature": sampling.temperature, "top_p": sampling.top_p}
    if caps.top_k:
        given["top_k"] = sampling.top_k
    elif sampling.top_k is not None:
        job.lose("top_k", "the provider has no such setting")
    for key, value in given.items():
        if value is None:
            continue
        if not caps.sampling:
            job.lose(key, "the model has a fixed sampling", "info")
        elif key == "temperature" and value > caps.temperature_max:
            job.lose(key, f"{value} is lowered to the provider's limit of {caps.temperature_max}")
            body[key] = caps.temperature_max
        else:
            body[key] = value
    stop = list(sampling.stop[: caps.max_stop_sequences])
    if stop:
        body["stop"] = stop[0] if Form.STOP_STRING in job.request.forms and job.ours else stop


# ---- thinking ----


def _reasoning(job: Job, body: Json) -> None:
    reasoning = job.request.reasoning
    if reasoning is None:
        return
    if not job.ours:
        job.lose_extras(reasoning.extras, "thinking")
    match job.caps.thinking:
        case "as_written":
            _as_written(job, body, reasoning)
        case "thinking" | "thinking_effort":
            _thinking_object(job, body, reasoning)
        case "reasoning":
            _reasoning_object(job, body, reasoning)
        case "effort":
            _effort_only(job, body, reasoning)
        case _:
            if reasoning != Reasoning() and not _is_off(reasoning):
                job.lose("thinking", "the model's thinking cannot be steered", "info")


def _is_off(reasoning: Reasoning) -> bool:
    return reasoning.mode == "disabled" or reasoning.effort == "none"


def _as_written(job: Job, body: Json, reasoning: Reasoning) -> None:
    forms = job.request.forms
    members: Json = dict(reasoning.extras)
    effort_inside = False
    if Form.THINKING in forms:
        effort_inside = Form.THINKING_EFFORT in forms
        _set(members, type=reasoning.mode, budget_tokens=reasoning.budget)
        body["thinking"] = members
    elif Form.REASONING in forms:
        effort_inside = Form.REASONING_EFFORT in forms
        enabled = None if reasoning.mode is None else reasoning.mode != "disabled"
        _set(members, enabled=enabled, max_tokens=reasoning.budget)
        if reasoning.display == "omitted":
            members["exclude"] = True
        body["reasoning"] = members
    if reasoning.effort is not None:
        (members if effort_inside else body)["effort" if effort_inside else "reasoning_effort"] = reasoning.effort


def _set(node: Json, **members: object) -> None:
    for key, value in members.items():
        if value is not None:
            node[key] = value


def _thinking_object(job: Job, body: Json, reasoning: Reasoning) -> None:
    members: Json = dict(reasoning.extras) if job.ours and Form.THINKING in job.request.forms else {}
    if _is_off(reasoning):
        body["thinking"] = {**members, "type": "disabled"}
        return
    effort = clamped(job, reasoning, off=False)
    if effort is not None and job.caps.thinking == "thinking_effort":
        members["effort"] = effort
    elif effort is not None and effort != "none":
        body["reasoning_effort"] = effort
    if reasoning.mode is not None or reasoning.budget is not None or members:
        body["thinking"] = {**members, "type": "enabled"}


def _reasoning_object(job: Job, body: Json, reasoning: Reasoning) -> None:
    members: Json = dict(reasoning.extras) if job.ours and Form.REASONING in job.request.forms else {}
    if _is_off(reasoning):
        members["enabled"] = False
    elif reasoning.effort is not None:
        members["effort"] = clamped(job, reasoning, off=False) if job.caps.efforts else reasoning.effort
    elif reasoning.budget is not None:
        members["max_tokens"] = reasoning.budget
    elif reasoning.mode is not None:
        members["enabled"] = True
    if reasoning.display == "omitted":
        members["exclude"] = True
    if members:
        body["reasoning"] = members


def _effort_only(job: Job, body: Json, reasoning: Reasoning) -> None:
    off = _is_off(reasoning)
    if off and not job.caps.efforts:
        return
    effort = clamped(job, reasoning, off=off)
    if effort is not None:
        body["reasoning_effort"] = effort


# ---- structured output ----


def _output(job: Job, body: Json) -> None:
    output, offered = job.request.output, job.caps.structured_output
    if output is None:
        return
    if output.kind == "json_schema" and offered != "json_schema":
        _describe_schema(job, output)
        if offered == "json_object":
            body["response_format"] = {"type": "json_object"}
        return
    if output.kind == "json_object" and offered == "none":
        job.lose("response_format", "the provider has no JSON mode; the model is asked in words", "warning")
        job.instructions.append("Answer with one JSON object and nothing else.")
        return
    node = put_back(output.extras) if job.ours else {}
    node["type"] = output.kind
    if output.kind == "json_schema":
        strict = output.strict
        if not job.ours and (strict is None or strict):
            strict = is_strict(output.schema)
        members: Json = {}
        name = output.name if job.ours else output.name or "output"
        _set(members, name=name, description=output.description, schema=output.schema, strict=strict)
        nested(node, "json_schema", members)
    body["response_format"] = node


def _describe_schema(job: Job, output: OutputFormat) -> None:
    job.lose("response_format", "the provider takes no schema; the model is asked for it in words")
    schema = bytes(output.schema).decode() if output.schema is not None else "{}"
    job.instructions.append(
        f"Answer with one JSON object and nothing else. It must be valid against this JSON schema:\n{schema}"
    )


# ---- the rest ----


def _people(job: Job, body: Json) -> None:
    """End user, prompt cache key, service tier."""
    request, caps = job.request, job.caps
    if request.user is not None and caps.user:
        body["user"] = request.user if job.ours else _pseudonym(request.user)
    if request.cache_key is not None:
        if caps.cache_key:
            body["prompt_cache_key"] = request.cache_key
        elif job.ours:
            job.lose("prompt_cache_key", "the provider has no such member", "info")
    tier = request.tier
    if tier is None:
        return
    if not job.ours:
        tier = {"standard_only": "default"}.get(tier, tier)
    if tier in caps.service_tiers or ANY in caps.service_tiers:
        body["service_tier"] = tier
    elif tier not in {"auto", "default"}:
        job.lose("service_tier", f"the provider has no tier {tier!r}", "info")


def _pseudonym(user: str) -> str:
    """Long ids (Claude Code packs account and session into one) would be refused, and are nobody else's business."""
    return user if len(user) <= _LONGEST_USER else hashlib.sha256(user.encode()).hexdigest()
