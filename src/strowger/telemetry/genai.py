"""What a span says of a call: attributes in the words of OpenTelemetry's semantic conventions. Pure.

The conventions for generative AI are in development; what is said here is that of schema 1.44.0 (semantic-conventions
and semantic-conventions-genai of mid 2026). Content is somebody else's work, and is never here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from strowger.telemetry.calls import Called, Try

SCHEMA = "https://opentelemetry.io/schemas/1.44.0"

Attribute = str | int | float | bool | list[str]
Attributes = dict[str, Attribute]

# Whose API stands behind a host, in the conventions' words; the longest ending that fits.
_HOSTS = {
    "anthropic.com": "anthropic",
    "openai.com": "openai",
    "chatgpt.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "amazonaws.com": "aws.bedrock",
    "deepseek.com": "deepseek",
    "groq.com": "groq",
    "mistral.ai": "mistral_ai",
    "moonshot.ai": "moonshot_ai",
    "moonshot.cn": "moonshot_ai",
    "kimi.com": "moonshot_ai",
    "perplexity.ai": "perplexity",
    "x.ai": "x_ai",
    "cohere.com": "cohere",
    "cloud.ibm.com": "ibm.watsonx.ai",
}

_ROUTES = (
    (re.compile(r"/(models|tunedModels)/.+:(\w+)$"), r"/\1/{model}:\2"),
    (re.compile(r"/model/.+/(invoke\S*)$"), r"/model/{model}/\1"),
    (re.compile(r"/projects/[^/]+/locations/[^/]+"), "/projects/{project}/locations/{region}"),
)


class Place(Struct, frozen=True):
    """Where a provider is: its name in the conventions' words, the dialect that it is spoken to in, host and port."""

    provider: str
    dialect: str
    host: str
    port: int


def place_of(name: str, dialect: str, base_url: str) -> Place:
    """The place of a provider. Hosts that the conventions have no word for go by the user's own name for them."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").lower()
    ends = [end for end in _HOSTS if host == end or host.endswith((f".{end}", f"-{end}"))]
    known = _HOSTS[max(ends, key=len)] if ends else name
    try:
        port = parts.port
    except ValueError:
        port = None
    return Place(known, dialect, host, port or (80 if parts.scheme == "http" else 443))


def operation(dialect: str) -> str:
    """What is asked of a model, in the conventions' words."""
    return "generate_content" if dialect == "gemini" else "chat"


def route_of(path: str) -> str:
    """A path without what differs from call to call."""
    for pattern, instead in _ROUTES:
        path = pattern.sub(instead, path)
    return path


def failure_of(call: Called) -> str:
    """What went wrong, in a word; empty when nothing did, or nothing but the client's patience."""
    return str(call.error_kind or "internal") if call.outcome == "failed" else ""


def ingress(call: Called) -> Attributes:
    """Of the span of a call, what is known from its beginning."""
    found: Attributes = {
        "http.request.method": call.method,
        "url.path": call.path,
        "url.scheme": "http",
        "http.route": route_of(call.path),
        "strowger.flow.id": call.id,
    }
    return _with(
        found,
        {
            "user_agent.original": call.agent,
            "strowger.agent": call.program,
            "session.id": call.session or "",
            "strowger.original.model": call.model,
        },
    )


def ended(call: Called) -> Attributes:
    """Of the span of a call, what is known at its end."""
    found: Attributes = {
        "strowger.outcome": call.outcome,
        "http.request.body.size": call.request_bytes,
        "http.response.body.size": call.response_bytes,
    }
    if call.status:
        found["http.response.status_code"] = call.status
    if lost := [loss.path for loss in call.losses if loss.severity != "info"]:
        found["strowger.losses"] = lost
    return _with(found, {"strowger.route": call.route, "strowger.lane": call.lane, "error.type": failure_of(call)})


def asking(call: Called, attempt: Try, place: Place) -> Attributes:
    """Of the span of one try, what is known from its beginning: samplers see no more."""
    found: Attributes = {
        "gen_ai.operation.name": operation(place.dialect),
        "gen_ai.provider.name": place.provider,
        "gen_ai.request.model": attempt.target.partition(":")[2],
        "server.address": place.host,
        "server.port": place.port,
    }
    if call.stream:
        found["gen_ai.request.stream"] = True
    return _with(
        found,
        {
            "gen_ai.conversation.id": call.session or "",
            "gen_ai.agent.id": call.agent_id or "",
            "strowger.provider": attempt.target.partition(":")[0],
            "strowger.account": "" if "@" in attempt.account else attempt.account,
        },
    )


def refused(attempt: Try) -> Attributes:
    """Of the span of a try that came to nothing."""
    found: Attributes = {"error.type": attempt.reason or "other"}
    if attempt.status:
        found["http.response.status_code"] = attempt.status
    return found


def answered(call: Called, attempt: Try) -> Attributes:
    """Of the span of the try that was answered. Input tokens include those of the cache, output the reasoning."""
    usage = call.usage
    counts = {
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }
    found: Attributes = {name: count for name, count in counts.items() if count is not None}
    if attempt.status:
        found["http.response.status_code"] = attempt.status
    if call.finish is not None:
        found["gen_ai.response.finish_reasons"] = [call.finish.native or call.finish.reason.value]
    if call.stream and call.first_byte is not None:
        found["gen_ai.response.time_to_first_chunk"] = max(0.0, call.first_byte - attempt.begun)
    if call.billed is not None:
        found["strowger.cost_usd"] = call.billed
    return _with(
        found,
        {
            "gen_ai.response.model": call.response_model,
            "strowger.billing": call.billing,
            "error.type": failure_of(call),
        },
    )


class _Generation(Struct, rename="camel"):
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    stop_sequences: list[str] | None = None
    candidate_count: int | None = None
    seed: int | None = None


class _Body(Struct):
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    stop: list[str] | str | None = None
    stop_sequences: list[str] | None = None
    n: int | None = None
    seed: int | None = None
    generation: _Generation | None = msgspec.field(default=None, name="generationConfig")


_DECODE = msgspec.json.Decoder(_Body).decode


def settings(body: bytes) -> Attributes:
    """What a request says of how the answer shall be made; nothing where it cannot be read."""
    try:
        found = _DECODE(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
    made = found.generation or _Generation()
    stop = [found.stop] if isinstance(found.stop, str) else found.stop
    count = found.n or made.candidate_count
    told: Mapping[str, Any] = {
        "gen_ai.request.max_tokens": found.max_tokens
        or found.max_completion_tokens
        or found.max_output_tokens
        or made.max_output_tokens,
        "gen_ai.request.temperature": found.temperature if found.temperature is not None else made.temperature,
        "gen_ai.request.top_p": found.top_p if found.top_p is not None else made.top_p,
        "gen_ai.request.top_k": found.top_k if found.top_k is not None else made.top_k,
        "gen_ai.request.stop_sequences": stop or found.stop_sequences or made.stop_sequences,
        "gen_ai.request.choice.count": count if count not in (None, 1) else None,
        "gen_ai.request.seed": found.seed if found.seed is not None else made.seed,
    }
    return {name: value for name, value in told.items() if value is not None}


def _with(found: Attributes, texts: Mapping[str, str]) -> Attributes:
    """With the texts that are not empty."""
    found.update({name: text for name, text in texts.items() if text})
    return found
