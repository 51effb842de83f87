"""Losses that every dialect reports in the same way. Knows no wire format and no provider.

A renderer does not know the members of a foreign dialect, so whatever a node of another origin still holds in its
extras is one loss each. Their names alone tell whether the answer can change.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from strowger.dialects.base import Loss, Severity
from strowger.errors import Unsupported
from strowger.ir.request import Extras, Thinking

_NULL = Raw(b"null")

HARMLESS_EXTRAS = frozenset(
    {
        # book-keeping of the vendor or the client
        "annotations", "audio_tokens", "billing_policy", "client_metadata", "created", "diagnostics", "id", "index",
        "metadata", "native_finish_reason", "object", "obfuscation", "prompt_filter_results",
        "provider", "request_id", "safeguards", "safety_identifier", "service_tier", "session_id", "signature",
        "status", "store", "stream_options", "system_fingerprint", "transforms", "type", "usage", "user", "user_id",
        "user_prompt_id", "x_groq",
        "content_filter_results", "copilot_usage", "cost", "created_at", "generationId", "model_id", "model_version",
        "padding", "provider_metadata", "time_info", "timings", "usage_breakdown",
        # where and how fast it runs, and what is remembered of it
        "allowed_callers", "cache_control", "context_management", "eager_input_streaming", "inference_geo",
        "input_examples", "keep_alive", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "speed",
        "mcp_servers", "extra_content",  # a tool stands for each of them; a signature is told apart
        "caller", "output_config",  # its effort and format have fields; the rest advises the model
        "include", "phase", "truncation", "access_programs", "image", "generate", "verbosity",
        "labels", "safetySettings", "safety_settings", "code_assist",  # other vendors have their own
        "includeServerSideToolInvocations", "responseJsonSchema", "response_json_schema",
        # what Gemini tells of an answer beside the answer
        "avgLogprobs", "consumedCredits", "createTime", "finishMessage", "promptFeedback", "remainingCredits",
        "safetyRatings", "tokenCount", "traceId", "turnToken", "urlContextMetadata",
    }
)  # fmt: skip
"""Members whose absence is not expected to change an answer."""

NEUTRAL_EXTRAS = {
    "n": b"1",
    "logprobs": b"false",
    "modalities": b'["text"]',
    "presence_penalty": b"0",
    "frequency_penalty": b"0",
    "stream_options": b'{"include_usage":true}',
    "candidateCount": b"1",
    "candidate_count": b"1",
    "responseModalities": b'["TEXT"]',
    "responseLogprobs": b"false",
    "thought": b"false",
}
"""Members that, with this value, ask for what every dialect does anyway."""


_TOLD = frozenset(
    {
        "finish_reason", "index", "model", "object", "parameters", "responseSchema", "response_schema", "role", "tools",
        "finishReason", "groundingMetadata", "citationMetadata",
        "mimeType", "mime_type", "parametersJsonSchema", "parameters_json_schema",
        "execution", "id", "response", "status", "summary",
    }
)  # fmt: skip
_COUNTED = frozenset(
    {
        "cache_creation_input_tokens", "cache_read_input_tokens", "cached_tokens", "completion_tokens_details",
        "input_tokens", "num_cached_tokens", "output_tokens", "prompt_cache_hit_tokens", "prompt_cache_miss_tokens",
        "input_tokens_details", "output_tokens_details",
        "prompt_tokens_details", "reasoning_tokens", "total_tokens",
        "cacheTokensDetails", "cachedContentTokenCount", "candidatesTokenCount", "candidatesTokensDetails",
        "promptTokenCount", "promptTokensDetails", "thoughtsTokenCount", "toolUsePromptTokenCount",
        "toolUsePromptTokensDetails", "totalTokenCount",
    }
)  # fmt: skip
"""Members (of an answer, of its usage) that are kept only to come back to their own dialect as they were: what they
say has been read."""
_BESIDE = frozenset({"citations", "search_results"})
"""Members of a whole answer that are told in another place."""
_WRAPPERS = frozenset(
    {
        "content", "delta", "message", "text",
        "generationConfig", "generation_config", "systemInstruction", "system_instruction", "thinkingConfig",
        "thinking_config", "toolConfig", "tool_config", "inlineData", "inline_data",
    }
)  # fmt: skip
"""Objects whose members are extras each."""

_CONFIGS = frozenset({"generationConfig", "generation_config"})
_COUNTS = frozenset({"candidateCount", "candidate_count"})
_KEPT = frozenset({"background", "conversation", "previous_response_id", "prompt"})
_CACHED = frozenset({"cachedContent", "cached_content"})

_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


def extras_losses(extras: Extras, path: str, reason: str = "this provider's dialect has no such member") -> list[Loss]:
    """One loss for each member of a foreign node; what says nothing, or has been said, is none."""
    known = _COUNTED if path == "usage" else _TOLD if path else _TOLD | _BESIDE
    losses: list[Loss] = []
    for key, value in extras.items():
        if (
            key in known
            or (not path and key in _BESIDE)
            or says_nothing(value)
            or bytes(value) == NEUTRAL_EXTRAS.get(key)
        ):
            continue
        at = f"{path}.{key}" if path else key
        if key in _WRAPPERS and bytes(memoryview(value)[:1]) == b"{":
            losses += extras_losses(_MEMBERS.decode(value), at, reason)
        else:
            # whatever else a vendor counts, the answer is the same
            losses.append(Loss(at, reason, "info" if path == "usage" else extra_severity(key)))
    return losses


def refuse_extras(extras: Extras, target: str) -> None:
    """Raise Unsupported for members of another dialect whose loss would be a lie: several answers, spoken answers,
    a prompt that is kept elsewhere.
    """
    refuse_kept(extras, target)
    if bytes(extras.get("n", _NULL)) not in {b"null", b"1"}:
        raise Unsupported(f"{target} gives one answer at a time", param="n", hint="ask once for each answer")
    if b'"audio"' in bytes(extras.get("modalities", _NULL)):
        raise Unsupported(f"{target} does not speak", param="modalities", hint='ask for ["text"]')
    for key in _CONFIGS & extras.keys():
        for count in _COUNTS & (members := _members(extras[key])).keys():
            if bytes(members[count]) not in {b"null", b"1"}:
                raise Unsupported(
                    f"{target} gives one answer at a time", param=f"{key}.{count}", hint="ask once for each answer"
                )
    for key in _CACHED & extras.keys():
        if not says_nothing(extras[key]):
            raise Unsupported(
                f"{target} cannot see the cached content, which is kept at Google", param=key, hint="send it whole"
            )


def refuse_kept(extras: Extras, target: str) -> None:
    """Raise Unsupported where a part of the request is kept at OpenAI, or its answer is to be."""
    for key in _KEPT & extras.keys():
        if says_nothing(extras[key]) or bytes(extras[key]) == b"false":
            continue
        if key == "background":
            raise Unsupported(f"{target} answers while one waits", param=key, hint="ask for a stream instead")
        raise Unsupported(
            f"{target} knows nothing of what is kept at OpenAI", param=key, hint=f"send all of it, without {key}"
        )


def _members(raw: Raw) -> dict[str, Raw]:
    try:
        return _MEMBERS.decode(raw)
    except msgspec.MsgspecError:
        return {}


def extra_severity(key: str) -> Severity:
    """`info` for members that are known to be harmless, else `warning`."""
    return "info" if key in HARMLESS_EXTRAS else "warning"


def says_nothing(value: Raw) -> bool:
    """Whether a raw value is null, or an empty string, list or object."""
    return bytes(value) in {b"null", b'""', b"[]", b"{}"}


def thinking_loss(part: Thinking, path: str) -> Loss:
    """The loss of thinking that is not given to who did not sign it. Where its issuer put a whole conversation into
    what only it can read, that conversation is lost.
    """
    signed = part.signed
    if signed is not None and signed.kind.endswith(":compaction"):
        return Loss(path, f"the conversation so far, in a form that only {signed.origin} can read", "error")
    issuer = signed.origin if signed is not None else ""
    return Loss(path, f"thinking that was not signed by this provider (but by {issuer or 'nobody'})", "info")


def unique(losses: Iterable[Loss]) -> tuple[Loss, ...]:
    """The losses in order, each once."""
    return tuple(dict.fromkeys(losses))
