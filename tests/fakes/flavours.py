"""What differs between the vendors of the Chat Completions dialect. Data only."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Flavour(Struct, frozen=True):
    """What a vendor of this dialect does its own way.

    `open`: members that it does not know are passed over, not refused. `reasoning`: the member in which reasoning comes
    out ("think" = inside the text, in tags). `replay`: an assistant turn with tool calls must bring it back.
    `counts_inside`: the usage of a stream stands in its last choice. `overflow`: status, message, type and code for a
    prompt that is too long.
    """

    name: str
    open: bool = False
    members: frozenset[str] = frozenset()
    reasoning: Literal["", "reasoning_content", "reasoning", "reasoning_details", "think"] = ""
    replay: bool = False
    developer: bool = True
    images: bool = True
    empty_text: bool = True
    tool_images: bool = False
    videos: bool = False
    reasoning_models: bool = False
    stops_with_tools: str = "tool_calls"
    obfuscation: bool = False
    counts_inside: bool = False
    overflow: tuple[int, str, str, str | int | None] = (
        400,
        "This model's maximum context length is 128000 tokens. However, your messages resulted in 150000 tokens."
        " Please reduce the length of the messages.",
        "invalid_request_error",
        "context_length_exceeded",
    )


OPENAI = Flavour("openai", reasoning_models=True, obfuscation=True)
DEEPSEEK = Flavour(
    "deepseek",
    members=frozenset({"thinking", "top_k"}),
    reasoning="reasoning_content",
    replay=True,
    developer=False,
    images=False,
)
KIMI = Flavour(
    "kimi",
    members=frozenset({"thinking"}),
    reasoning="reasoning_content",
    replay=True,
    developer=False,
    empty_text=False,
    tool_images=True,
    videos=True,
    counts_inside=True,
    overflow=(
        400,
        "Invalid request: Your request exceeded model token limit: 262144 (requested: 300000)",
        "invalid_request_error",
        None,
    ),
)
OPENROUTER = Flavour(
    "openrouter",
    open=True,
    members=frozenset(
        {"reasoning", "provider", "models", "transforms", "plugins", "usage", "route", "top_k", "include"}
    ),
    reasoning="reasoning_details",
)
# vLLM and its like: the newer name of the member, and "stop" although there are tool calls.
LOCAL = Flavour(
    "local",
    open=True,
    members=frozenset({"chat_template_kwargs", "top_k", "min_p", "repetition_penalty", "think"}),
    reasoning="reasoning",
    stops_with_tools="stop",
    overflow=(
        400,
        "This model's maximum context length is 32768 tokens. However, you requested 40000 tokens in the messages.",
        "BadRequestError",
        400,
    ),
)
FLAVOURS = {flavour.name: flavour for flavour in (OPENAI, DEEPSEEK, KIMI, OPENROUTER, LOCAL)}
