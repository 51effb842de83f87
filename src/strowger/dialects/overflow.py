"""Recognising that a prompt did not fit, in every provider's wording. Pure; knows no dialect.

There is no common code for it, and clients repair it (by compacting) only when they are told in words they know. The
wordings below are what servers send: OpenAI, Anthropic, Google, Mistral, xAI, Groq, Cerebras, DeepSeek, Moonshot,
Z.ai, MiniMax, Alibaba, GitHub Copilot, OpenRouter, Fireworks, Together, Amazon Bedrock, LiteLLM, vLLM, SGLang,
llama.cpp, Ollama, LM Studio, text-generation-inference.
"""

from __future__ import annotations

import re

CODES = frozenset(
    {
        "context_length_exceeded",
        "contextwindowexceedederror",
        "exceed_context_size_error",
        "model_context_window_exceeded",
        "model_max_prompt_tokens_exceeded",
        "max_context_length_exceeded",
        "context_window_exceeded",
        "too_many_prompt_tokens",
        "1261",
    }
)

PHRASES = (
    "context_length_exceeded",
    "too_many_prompt_tokens",
    "total length of all messages is too long",
    "contextwindowexceedederror",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "input length and `max_tokens` exceed context limit",
    "maximum context length",
    "max context length",
    "maximum prompt length",
    "maximum model length",
    "model's context length",
    "exceeds the context window",
    "exceeds the context length",
    "exceeds the available context size",
    "exceeds context limit",
    "exceed context limit",
    "exceeds max length",
    "exceeded model token limit",
    "exceeds the maximum number of tokens",
    "exceed the maximum number of tokens",
    "exceed the configured limit",
    "context window exceeds limit",
    "context window is exceeded",
    "context length of only",
    "greater than the context length",
    "longer than the context",
    "larger than the context",
    "reduce the length of the messages",
    "reduce the length of the input",
    "reduce your prompt",
    "range of input length should be",
    "too many tokens: total number of tokens in the prompt",
    "tokens in request more than max tokens allowed",
    "larger than the maximum context",
    "prompt token count of",
    "`inputs` tokens + `max_new_tokens` must be",
)

_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        # prompt alone, then the limit
        r"prompt token count of (?P<got>\d+) exceeds the limit of (?P<max>\d+)",
        r"input token count \(?(?P<got>\d+)\)? exceeds the maximum number of tokens allowed \(?(?P<max>\d+)",
        r"too long: (?P<got>\d+) tokens? > (?P<max>\d+)",
        r"too long: (?P<got>\d+), model maximum context length: (?P<max>\d+)",
        r"exceed context limit: (?P<got>\d+) \+ \d+ > (?P<max>\d+)",
        r"prompt contains (?P<got>\d+) tokens .*?with (?P<max>\d+) maximum context length",
        r"prompt \(length (?P<got>\d+)\) is longer than the maximum model length of (?P<max>\d+)",
        r"input \((?P<got>\d+) tokens\) is longer than the model's context length \((?P<max>\d+)",
        r"request \((?P<got>\d+) tokens\) exceeds the available context size \((?P<max>\d+)",
        r"current length is (?P<got>\d+) while limit is (?P<max>\d+)",
        # the limit, then the prompt
        r"maximum context length is (?P<max>\d+).*?resulted in (?P<got>\d+)",
        r"maximum context length is (?P<max>\d+).*?requested .{0,6}?\d+ tokens \((?P<got>\d+) (?:in the|of text)",
        r"maximum context length is (?P<max>\d+).*?request has (?P<got>\d+) input tokens",
        r"maximum context length is (?P<max>\d+).*?prompt contains (?:at least )?(?P<got>\d+) input tokens",
        r"maximum context length is (?P<max>\d+).*?requested (?:about )?(?P<got>\d+) tokens",
        r"maximum prompt length is (?P<max>\d+) but the request contains (?P<got>\d+)",
        r"configured limit of (?P<max>\d+) tokens.*?resulted in (?P<got>\d+)",
        r"model token limit: (?P<max>\d+) \(requested: (?P<got>\d+)",
        r"must be <= (?P<max>\d+)\. given: (?P<got>\d+)",
        r"\"n_prompt_tokens\"\s*:\s*(?P<got>\d+).*?\"n_ctx\"\s*:\s*(?P<max>\d+)",
        r"keep the first (?P<got>\d+) tokens.*?context length of only (?P<max>\d+)",
    )
)


def is_context_overflow(text: str, code: str | None = None) -> bool:
    """Whether an upstream's error, by its words or its code, says that the prompt is longer than the context.

    A rate limit on tokens ("tokens per minute") is not one, whatever else it says.
    """
    if code is not None and code.lower() in CODES:
        return True
    lower = text.lower()
    if "per minute" in lower or "per day" in lower or "(tpm)" in lower:
        return False
    return any(phrase in lower for phrase in PHRASES)


def overflow_numbers(text: str) -> tuple[int, int] | None:
    """How many tokens the prompt had and how many may be, when the words tell both and they make sense."""
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    for pattern in _PATTERNS:
        found = pattern.search(plain)
        if found:
            got, limit = int(found["got"]), int(found["max"])
            return (got, limit) if got > limit else None
    return None
