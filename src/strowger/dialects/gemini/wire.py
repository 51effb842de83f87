"""The words and shapes of Google's Gemini API, and how its JSON is spelled.

Only data and small pure functions on it: facts of the public API reference and of recorded traffic. Knows no other
dialect.
"""

from __future__ import annotations

from functools import lru_cache

from strowger.dialects.base import Capabilities
from strowger.dialects.efforts import EFFORTS
from strowger.ir.events import StopReason

NAME = "gemini"

VENDOR = "google"
"""Whose a bare thought signature is, as long as nobody knows better."""

SIGNATURE = "gemini:signature"
"""`Signed.kind` of a thought signature."""
ON_CALL = "call:"
"""How `Signed.id` begins where the signature stood on a function call; the call's id follows. The Thinking that holds
it stands right before the call."""
ON_TEXT = "text"
"""`Signed.id` where it stood on a text that is no thought; its Thinking stands right behind the text."""
ON_PART = "part"
"""`Signed.id` where it stood on any other part (code, a picture, a server's own call); its Thinking stands right
behind. On a thought, the id is empty."""
SKIP_SIGNATURE = "skip_thought_signature_validator"
"""What Google documents to be sent in place of a signature, for history that comes from another model."""

AS_WRITTEN = "as_written"
"""In `Capabilities.thinking`: however the client asked for it."""
ANY = "*"
"""In `Capabilities.service_tiers`: every word is accepted."""

WEB_SEARCH = "googleSearch"
WEB_FETCH = "urlContext"
CODE_EXECUTION = "codeExecution"


FAITHFUL = Capabilities(
    origin=VENDOR,
    tool_result_images=True,
    hosted_tools=True,
    web_search=WEB_SEARCH,
    web_fetch=WEB_FETCH,
    code_execution=CODE_EXECUTION,
    remote_mcp=True,
    max_tool_name=0,
    min_output_tokens=0,
    temperature_max=float("inf"),
    max_stop_sequences=1_000_000,
    thinking=AS_WRITTEN,
    efforts=EFFORTS,
    cache_key=True,
    service_tiers=(ANY,),
    count_tokens=True,
)
"""Permits everything as it was written: a body that is parsed and rendered under it comes back equal, in the envelope
of Code Assist where it came in one."""

# words put into a conversation where the dialect has no member for what is meant
NO_OUTPUT = "(no output)"
NO_RESULT = "[no result: the conversation was cut]"
CONTINUE = "Continue your last message exactly where it stopped, without repeating any of it."

STOP_REASONS: dict[str, StopReason] = {
    "STOP": StopReason.END,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    "SAFETY": StopReason.REFUSAL,
    "RECITATION": StopReason.REFUSAL,
    "LANGUAGE": StopReason.REFUSAL,
    "BLOCKLIST": StopReason.REFUSAL,
    "PROHIBITED_CONTENT": StopReason.REFUSAL,
    "SPII": StopReason.REFUSAL,
    "MODEL_ARMOR": StopReason.REFUSAL,
    "IMAGE_SAFETY": StopReason.REFUSAL,
    "IMAGE_PROHIBITED_CONTENT": StopReason.REFUSAL,
    "IMAGE_RECITATION": StopReason.REFUSAL,
    "OTHER": StopReason.OTHER,
}
"""Google's words for why it stopped. `STOP` is also said after function calls."""

NUMBERED: dict[int, str] = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}
"""The same by the number of the enum, as servers write it that were asked for numbers. Higher ones differ between the
public API and Vertex AI."""

FAILURES: dict[str, str] = {
    "MALFORMED_FUNCTION_CALL": "the model wrote a function call that cannot be read",
    "MALFORMED_RESPONSE": "the model wrote an answer that cannot be read",
    "UNEXPECTED_TOOL_CALL": "the model called a tool although none was offered",
    "TOO_MANY_TOOL_CALLS": "the model called too many tools in a row",
    "MISSING_THOUGHT_SIGNATURE": "a thought signature is missing from the request",
}
"""Words for why it stopped that mean the answer failed."""

FINISH_REASONS: dict[StopReason, str] = {
    StopReason.END: "STOP",
    StopReason.STOP_SEQUENCE: "STOP",
    StopReason.MAX_TOKENS: "MAX_TOKENS",
    StopReason.TOOL_USE: "STOP",
    StopReason.REFUSAL: "SAFETY",
    StopReason.PAUSE: "STOP",
    StopReason.CONTEXT_FULL: "MAX_TOKENS",
    StopReason.COMPACTION: "STOP",
    StopReason.OTHER: "OTHER",
}
"""What our clients are told."""


@lru_cache(maxsize=1024)
def snake(key: str) -> str:
    """The other spelling of a member's name: `fileData` is `file_data` to proto JSON. The same where there is none."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)


def plain_model(name: str) -> str:
    """A model's name without the collection it is in: `models/x` and `publishers/google/models/x` are x."""
    return name.rpartition("models/")[2] if "models/" in name else name
