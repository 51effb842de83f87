"""A request in the middle form to a Responses body.

`render_request(parse_request(body), model, FAITHFUL)` is `body` again. Under a real provider's capabilities, what it
does not take is translated or reported as a loss, whichever dialect the request came from.
"""

from __future__ import annotations

import hashlib

import msgspec
from msgspec import Raw

from strowger.dialects.base import Capabilities, Rendered
from strowger.dialects.efforts import clamped
from strowger.dialects.losses import extra_severity, refuse_extras, says_nothing
from strowger.dialects.openai_responses.history import render_items, system_texts
from strowger.dialects.openai_responses.job import Job
from strowger.dialects.openai_responses.lite import narrowed, reshape
from strowger.dialects.openai_responses.offered import render_tools, thinks
from strowger.dialects.openai_responses.parts import Json, nested, put_back
from strowger.dialects.openai_responses.request import Form
from strowger.dialects.openai_responses.wire import ANY, AS_WRITTEN, FAITHFUL, MIN_OUTPUT
from strowger.dialects.schemas import is_strict
from strowger.errors import Unsupported
from strowger.ir.request import OutputFormat, Reasoning, Request

STABLE = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "store", "stream",
        "include", "service_tier", "prompt_cache_key", "text", "client_metadata", "generate",
    }
)  # fmt: skip
"""Members that every server of this dialect takes; the ChatGPT backend refuses a request with any other."""
KEPT = ("previous_response_id", "conversation", "background", "prompt")
"""Members that refer to what the provider keeps, or is to keep."""
_LONGEST_USER = 64
_ENCODER = msgspec.json.Encoder()
_ENCRYPTED = "reasoning.encrypted_content"
_SOURCES = "web_search_call.action.sources"
"""The pages that a search found: other dialects' clients show them, and they come only when they are asked for."""
_NULL, _FALSE = b"null", b"false"


def render_request(request: Request, model: str, caps: Capabilities) -> Rendered:
    """IR to a body for `model`, with what could not be carried. Raises Unsupported for what must not be dropped."""
    job = Job(request, narrowed(caps) if caps.lite else caps)
    body = _members(job, model)
    if caps.lite:
        reshape(body)
    stop = () if job.ours else tuple(word for word in request.sampling.stop if word)
    return Rendered(_ENCODER.encode(body), tuple(job.losses), dict(job.sent_names), stop, converted=job.converted)


def faithful_members(request: Request, model: str) -> Json:
    """The members of a body for who takes everything; values may be Raw. Raises Unsupported."""
    return _members(Job(request, FAITHFUL), model, anew=True)


def _members(job: Job, model: str, *, anew: bool = False) -> Json:
    body: Json = {"model": model} if model else {}
    if job.ours:
        body |= _own_extras(job)
        if model:
            body["model"] = model
    else:
        refuse_extras(job.request.extras, "OpenAI's Responses API")
        job.lose_extras(job.request.extras, "")
    _output(job, body)
    _conversation(job, body)
    searches = render_tools(job, body, anew=anew)
    _flags(job, body)
    _limits(job, body)
    _reasoning(job, body)
    _people(job, body)
    if searches and not job.ours:
        body.setdefault("include", []).append(_SOURCES)
    return body


def _own_extras(job: Job) -> Json:
    """The members without a field, as far as the target takes them."""
    extras, caps = job.request.extras, job.caps
    if not caps.stateful and not job.whole:
        for key in KEPT:
            if bytes(extras.get(key, _NULL)) not in {_NULL, _FALSE}:
                raise Unsupported(
                    "this provider keeps no answers", param=key, hint=f"send the whole conversation, without {key}"
                )
    if job.whole:
        return put_back(extras)
    kept: Json = {}
    for key, value in extras.items():
        if key in STABLE or (caps.stateful and key in KEPT):
            kept[key] = value
        elif not says_nothing(value) and bytes(value) != _FALSE:
            job.lose(key, "this provider takes only the members that all have", extra_severity(key))
    return kept


def _conversation(job: Job, body: Json) -> None:
    """`instructions` and `input`."""
    texts = system_texts(job)
    items = render_items(job)
    texts += job.instructions
    if texts:
        body["instructions"] = "\n\n".join(texts)
    as_string = Form.INPUT_STRING in job.request.forms and job.ours and job.whole  # the ChatGPT backend takes lists
    if as_string and len(items) == 1 and isinstance(items[0], dict):
        body["input"] = items[0].get("content", "")
    elif items or not job.ours:
        body["input"] = items


def _flags(job: Job, body: Json) -> None:
    request = job.request
    if request.stream:
        body["stream"] = True
    elif Form.NOT_STREAMING in request.forms and job.ours:
        body["stream"] = False
    if not job.ours or (not job.caps.stateful and not job.whole):
        if bytes(request.extras.get("store", _NULL)) == b"true" and job.ours:
            job.lose("store", "this provider keeps no answers", "info")
        body["store"] = False


# ---- numbers ----


def _limits(job: Job, body: Json) -> None:
    request, caps = job.request, job.caps
    limit = request.max_tokens
    if limit is not None and not caps.output_limit:
        job.lose("max_tokens", "the provider takes no limit of the output", "info")
    elif limit is not None:
        if caps.max_output_tokens and limit > caps.max_output_tokens:
            job.lose("max_tokens", f"{limit} is lowered to the model's limit of {caps.max_output_tokens}", "info")
            limit = caps.max_output_tokens
        least = caps.min_output_tokens if job.ours else max(caps.min_output_tokens, MIN_OUTPUT)
        if 0 <= limit < least:
            job.lose("max_tokens", f"{limit} is raised to the provider's minimum of {least}", "info")
            limit = least
        body["max_output_tokens"] = limit
    sampling = request.sampling
    for key, value in (("temperature", sampling.temperature), ("top_p", sampling.top_p)):
        if value is None:
            continue
        if not caps.sampling:
            job.lose(key, "the model has a fixed sampling", "info")
        elif key == "temperature" and value > caps.temperature_max:
            job.lose(key, f"{value} is lowered to the provider's limit of {caps.temperature_max}")
            body[key] = caps.temperature_max
        else:
            body[key] = value
    if sampling.top_k is not None:
        job.lose("top_k", "the provider has no such setting", "warning" if caps.sampling else "info")


# ---- thinking ----


def _reasoning(job: Job, body: Json) -> None:
    reasoning = job.request.reasoning
    if job.caps.thinking == AS_WRITTEN or (job.ours and job.whole):
        if reasoning is not None:
            body["reasoning"] = _as_written(reasoning)
        return
    reasoning = reasoning or Reasoning()
    if not job.ours:
        job.lose_extras(reasoning.extras, "thinking")
    if job.caps.thinking == "none" or not (job.caps.efforts or job.ours):
        if thinks(job):
            job.lose("thinking", "the model's thinking cannot be steered", "info")
        return
    members: Json = put_back(reasoning.extras) if job.ours else {}
    effort = clamped(job, reasoning, off=reasoning.mode == "disabled" or reasoning.effort == "none")
    if effort is not None:
        members["effort"] = effort
    if not job.ours and effort != "none":
        if thinks(job) and job.caps.summaries and reasoning.display != "omitted":
            members["summary"] = "auto"
        body["include"] = [_ENCRYPTED]  # nothing is stored, so what was thought must come home
    elif not job.caps.summaries and members.pop("summary", None) is not None:
        job.lose("reasoning.summary", "the provider shows no summaries", "info")
    if members:
        body["reasoning"] = members


def _as_written(reasoning: Reasoning) -> Json:
    members = put_back(reasoning.extras)
    if reasoning.effort is not None:
        members["effort"] = reasoning.effort
    return members


# ---- structured output ----


def _output(job: Job, body: Json) -> None:
    output, offered = job.request.output, job.caps.structured_output
    if output is None or (job.summarises and output.kind != "text"):
        return
    if not job.ours and output.kind == "text":
        return  # it is the default
    alone = job.caps.structured_with_tools or not job.request.tools
    if output.kind == "json_schema" and (offered != "json_schema" or not alone):
        _describe_schema(job, output)
        if offered != "none" and alone:
            nested(body, "text", {"format": {"type": "json_object"}})
        return
    if output.kind == "json_object" and (offered == "none" or not alone):
        job.lose("text.format", "the provider has no JSON mode; the model is asked in words")
        job.instructions.append("Answer with one JSON object and nothing else.")
        return
    node: Json = put_back(output.extras) if job.ours else {}
    if not job.ours:
        job.lose_extras(output.extras, "text.format")
    node["type"] = output.kind
    if output.kind == "json_schema":
        node |= _schema_members(job, output)
    elif not job.ours:
        job.instructions.append("Answer in JSON.")  # the API refuses the mode unless the word is in the prompt
    nested(body, "text", {"format": node})


def _schema_members(job: Job, output: OutputFormat) -> Json:
    strict = output.strict
    name = output.name
    if not job.ours:
        name = name or "output"
        if strict is None or strict:
            strict = is_strict(output.schema)
    given = {"name": name, "description": output.description, "schema": output.schema, "strict": strict}
    return {key: value for key, value in given.items() if value is not None}


def _describe_schema(job: Job, output: OutputFormat) -> None:
    job.lose("text.format", "the provider takes no schema; the model is asked for it in words")
    schema: Raw | bytes = output.schema if output.schema is not None else b"{}"
    job.instructions.append(
        "Answer with one JSON object and nothing else. It must be valid against this JSON schema:\n"
        f"{bytes(schema).decode('utf-8', 'replace')}"
    )


# ---- the rest ----


def _people(job: Job, body: Json) -> None:
    """End user, prompt cache key, service tier."""
    request, caps = job.request, job.caps
    if request.user is not None:
        if caps.user:
            body["user" if job.ours else "safety_identifier"] = request.user if job.ours else _pseudonym(request.user)
        else:
            job.lose("user", "this provider does not take it", "info")
    if request.cache_key is not None:
        if caps.cache_key or (job.ours and job.whole):
            body["prompt_cache_key"] = request.cache_key
        elif job.ours:
            job.lose("prompt_cache_key", "the provider has no such member", "info")
    tier = request.tier
    if tier is None:
        return
    if not job.ours:
        tier = {"standard_only": "default"}.get(tier, tier)
    if tier in caps.service_tiers or ANY in caps.service_tiers or (job.ours and job.whole):
        body["service_tier"] = tier
    elif tier not in {"auto", "default"}:
        job.lose("service_tier", f"the provider has no tier {tier!r}", "info")


def _pseudonym(user: str) -> str:
    """Long ids (Claude Code packs account and session into one) would be refused, and are nobody else's business."""
    return user if len(user) <= _LONGEST_USER else hashlib.sha256(user.encode()).hexdigest()
