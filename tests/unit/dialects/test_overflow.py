"""A prompt that is too long is recognised whoever says so."""

from __future__ import annotations

import pytest

from strowger.dialects.overflow import is_context_overflow, overflow_numbers

WORDINGS = {
    "OpenAI": "This model's maximum context length is 8192 tokens. However, your messages resulted in 10001 tokens.",
    "OpenAI, new": "Input tokens exceed the configured limit of 272000 tokens; messages resulted in 300000 tokens.",
    "Anthropic": "prompt is too long: 210000 tokens > 200000 maximum",
    "Anthropic, with output": "input length and `max_tokens` exceed context limit: 190000 + 20000 > 180000",
    "Google": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
    "Mistral": "Prompt contains 200000 tokens and 0 draft tokens, for a model with 131072 maximum context length",
    "xAI": "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
    "DeepSeek": (
        "This model's maximum context length is 131072 tokens. However, you requested 140000 tokens "
        "(132000 in the messages, 8000 in the completion)."
    ),
    "OpenRouter": (
        "This endpoint's maximum context length is 131072 tokens. However, you requested about 150000 tokens "
        "(140000 of text input, 10000 in the output)."
    ),
    "Moonshot": "Invalid request: Your request exceeded model token limit: 262144 (requested: 270000)",
    "Copilot": "prompt token count of 150000 exceeds the limit of 128000",
    "Cerebras": "Please reduce the length of the messages or completion. Current length is 10000 while limit is 8192",
    "Fireworks": "The prompt is too long: 150000, model maximum context length: 131071",
    "Together": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 32769. Given: 40000 `inputs`",
    "vLLM": "The decoder prompt (length 5000) is longer than the maximum model length of 4096.",
    "SGLang": "The input (5000 tokens) is longer than the model's context length (4096 tokens).",
    "llama.cpp": "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
    "LM Studio": (
        "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with "
        "context length of only 4096 tokens"
    ),
    "Ollama": "prompt too long; exceeded max context length by 1119046 tokens",
    "Amazon Bedrock": "Input is too long for requested model.",
    "MiniMax": "invalid params, context window exceeds limit (2013)",
    "Alibaba": "Range of input length should be [1, 129024]",
    "Perplexity": "The total length of all messages is too long.",
    "LiteLLM": "litellm.ContextWindowExceededError: no",
}

NUMBERS = {
    "OpenAI": (10001, 8192),
    "OpenAI, new": (300000, 272000),
    "Anthropic": (210000, 200000),
    "Anthropic, with output": (190000, 180000),
    "Google": (1200000, 1048576),
    "Mistral": (200000, 131072),
    "xAI": (537812, 131072),
    "DeepSeek": (132000, 131072),
    "OpenRouter": (140000, 131072),
    "Moonshot": (270000, 262144),
    "Copilot": (150000, 128000),
    "Cerebras": (10000, 8192),
    "Fireworks": (150000, 131071),
    "Together": (40000, 32769),
    "vLLM": (5000, 4096),
    "SGLang": (5000, 4096),
    "llama.cpp": (2009, 512),
    "LM Studio": (5000, 4096),
}


@pytest.mark.parametrize("who", WORDINGS)
def test_every_wording_is_recognised(who: str) -> None:
    """Clients compact on it, so a wording that is missed ends a session."""
    assert is_context_overflow(WORDINGS[who])


@pytest.mark.parametrize("who", NUMBERS)
def test_both_numbers_are_found(who: str) -> None:
    """How long the prompt is and how long it may be."""
    assert overflow_numbers(WORDINGS[who]) == NUMBERS[who]


def test_numbers_with_thousands_separators_are_read() -> None:
    """Some write 1,200,000."""
    assert overflow_numbers("prompt is too long: 210,000 tokens > 200,000 maximum") == (210000, 200000)


def test_numbers_that_make_no_sense_are_not_told() -> None:
    """A prompt that fits is no overflow; then the numbers mean something else."""
    assert overflow_numbers("prompt is too long: 10 tokens > 200 maximum") is None
    assert overflow_numbers("prompt is too long") is None


def test_a_code_is_enough() -> None:
    """The words may be in any language."""
    assert is_context_overflow("上下文过长", "context_length_exceeded")
    assert is_context_overflow("提示过长", "1261")


@pytest.mark.parametrize(
    "text",
    [
        "Request too large for gpt-4 on tokens per min (TPM): Limit 10000, Requested 20000.",
        "Rate limit reached: please reduce the length of the messages; limit is 6000 tokens per minute",
        "max_tokens is too large: 100000",
        "Invalid value for temperature",
        "",
    ],
)
def test_other_limits_are_not_an_overflow(text: str) -> None:
    """A client that compacts on a rate limit loses its history for nothing."""
    assert not is_context_overflow(text)
