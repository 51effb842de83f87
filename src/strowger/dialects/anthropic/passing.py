"""Whether a body of this dialect may go to an upstream untouched: a look at its bytes, without parsing.

A false alarm costs only time, since parse and render are inverse; so the patterns may be broad, but not blind.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.anthropic.wire import ATTRIBUTION, FAITHFUL, FOREIGN_ID, NAME, NULL
from strowger.dialects.base import Capabilities, Peek, patch_member, values_of
from strowger.dialects.efforts import EFFORTS
from strowger.dialects.envelope import MARK, PREFIX
from strowger.dialects.lately import Lately
from strowger.dialects.obstacles import finder

_ATTRIBUTION = ATTRIBUTION.encode()
_FOREIGN = FOREIGN_ID.encode()
# Ids of other vendors (`functions.ls:0`) are refused by Anthropic. A result names its call, so results are enough.
_FOREIGN_ID = re.compile(rb'"[A-Za-z0-9_-]*[^A-Za-z0-9_"-]')
_OWN_ID = re.compile("[A-Za-z0-9_-]*")
_BETAS = (
    b"context_management|safeguards|diagnostics|defer_loading|eager_input_streaming|task_budget|container|mcp_servers"
    b"|fallbacks|speed|inference_geo|thread|allowed_callers|input_examples|caller"
)
_LAST_ROLE = re.compile(rb'"role"\s*:\s*"assistant"')
# Thinking that nobody has signed is another vendor's; whoever checks signatures refuses it.
_UNSIGNED = re.compile(rb'"signature"\s*:\s*""')
_LIMIT = re.compile(rb'"max_tokens"\s*:\s*(\d+)')


class Seen(Struct, frozen=True):
    """What the peek at a body saw. `strange`: something that was made for another vendor. `unsigned`: thinking that
    nobody has signed.
    """

    system: Raw
    strange: bool
    unsigned: bool


class _Block(Struct, gc=False):
    type: str = ""
    id: str | None = None
    tool_use_id: str | None = None
    signature: str | None = None
    data: str | None = None
    citations: Raw = NULL
    content: Raw = NULL


class Message(Struct, gc=False):
    """A message as far as `look` wants it."""

    content: str | list[_Block] = ""


_Looked = tuple[bool, bool, tuple[str, ...]]


def look(system: Raw, messages: list[Message]) -> tuple[Seen, tuple[str, ...]]:
    """What there is to see in the messages, and their signatures. Texts may say anything; only what has a meaning to
    the API is looked at.
    """
    strange, unsigned, signatures = _look(messages)
    return Seen(system, strange, unsigned), signatures


def look_again(system: Raw, messages: tuple[bytes, ...]) -> tuple[Seen, tuple[str, ...]]:
    """The same for messages as they are written. Raises what msgspec raises of those that are not as usual."""
    strange = unsigned = False
    signatures: tuple[str, ...] = ()
    for message in messages:
        found = _look_lately(message)
        strange, unsigned = strange or found[0], unsigned or found[1]
        if found[2]:
            signatures += found[2]
    return Seen(system, strange, unsigned), signatures


_MESSAGE = msgspec.json.Decoder(Message)
_look_lately: Lately[_Looked] = Lately(
    lambda data: _look([_MESSAGE.decode(data)]), kept=4096, longest=32 * 1024, room=4 * 1024 * 1024
)


def _look(messages: list[Message]) -> _Looked:
    """Whether there is something strange, whether something is not signed, and the signatures."""
    strange = unsigned = False
    signatures: list[str] = []
    for message in messages:
        if isinstance(message.content, str):
            continue
        for block in message.content:
            called, signed = block.tool_use_id, block.signature
            if called is not None and (called.startswith(FOREIGN_ID) or not _OWN_ID.fullmatch(called)):
                strange = True
            if block.id is not None and block.id.startswith(FOREIGN_ID):
                strange = True
            if signed is not None:
                signatures.append(signed)
                unsigned = unsigned or not signed
            if block.data is not None:
                signatures.append(block.data)
            if block.citations != NULL and MARK in bytes(block.citations):
                strange = True
            if block.content != NULL and block.type != "tool_result" and MARK in bytes(block.content):
                strange = True
    strange = strange or any(signature.startswith(PREFIX) for signature in signatures)
    return strange, unsigned, tuple(signatures)


def trim(body: bytes, caps: Capabilities, peek: Peek | None = None) -> bytes:
    """The body without Claude Code's attribution block, which goes to Anthropic only; every other byte stays."""
    if caps.attribution:
        return body
    seen = peek.seen if peek is not None else None
    if _ATTRIBUTION not in (bytes(seen.system) if isinstance(seen, Seen) else body):
        return body
    try:
        system = seen.system if isinstance(seen, Seen) else msgspec.json.decode(body, type=_System).system
        blocks = msgspec.json.decode(system, type=list[Raw])
    except msgspec.MsgspecError:
        return body  # a system that is one text, or a body that the parser will refuse
    kept = [bytes(block) for block in blocks if not _is_attribution(block)]
    if len(kept) == len(blocks):
        return body
    return patch_member(body, "system", bytes(system), b"[" + b",".join(kept) + b"]")


class _System(Struct):
    system: Raw = Raw(b"[]")


class _Text(Struct):
    text: str = ""


def _is_attribution(block: Raw) -> bool:
    try:
        return msgspec.json.decode(block, type=_Text).text.startswith(ATTRIBUTION)
    except msgspec.MsgspecError:
        return False


def passes(body: bytes, caps: Capabilities, peek: Peek | None = None) -> bool:
    """Whether nothing in the trimmed body has to be changed or left out for this upstream."""
    seen = peek.seen if peek is not None else None
    if seen.strange if isinstance(seen, Seen) else _is_strange(body):
        return False
    if caps.thinking_replay == "signed" and (
        seen.unsigned if isinstance(seen, Seen) else _UNSIGNED.search(body) is not None
    ):
        return False
    if caps.judges_itself:
        return True
    if not caps.prefill and _LAST_ROLE.match(body, body.rfind(b'"role"')):
        return False
    if caps.max_output_tokens:
        limit = _LIMIT.search(body)
        if limit is not None and int(limit[1]) > caps.max_output_tokens:
            return False
    return not _holds_obstacle(body, caps)


def _is_strange(body: bytes) -> bool:
    """The same by its bytes, for bodies that are not as clients write them."""
    if MARK in body or _FOREIGN in body:
        return True
    return any(_FOREIGN_ID.match(body, at) for at in values_of(body, b"tool_use_id"))


def _obstacles(caps: Capabilities) -> list[tuple[bool, bytes]]:
    """(whether it is accepted, how it looks) of everything that an upstream may not take."""
    own = caps.origin == NAME
    weaker = "|".join(word for word in EFFORTS if word not in caps.efforts)
    return [
        (caps.mid_system, rb'"role"\s*:\s*"system"'),
        (caps.images and caps.tool_result_images, rb'"type"\s*:\s*"image"'),
        (caps.documents and caps.tool_result_images, rb'"type"\s*:\s*"document"'),
        (caps.image_urls, rb'"type"\s*:\s*"url"'),
        (caps.betas, rb'"(?:' + _BETAS + rb')"\s*:'),
        (caps.betas, rb'"type"\s*:\s*"tool_reference"'),
        (caps.hosted_tools, rb'"type"\s*:\s*"[a-z_]+_20\d{6}"'),
        (caps.cache_hints, rb'"cache_control"\s*:\s*\{'),
        (caps.thinking != "none", rb'"thinking"\s*:\s*\{'),
        (caps.thinking != "budget", rb'"type"\s*:\s*"adaptive"'),
        (caps.thinking != "adaptive", rb'"type"\s*:\s*"enabled"'),
        (own or caps.thinking_replay == "any", rb'"signature"\s*:\s*"[^"]'),
        (own, rb'"redacted_thinking"'),
        (not weaker, rb'"effort"\s*:\s*"(?:' + weaker.encode() + rb')"'),
        (caps.sampling, rb'"(?:temperature|top_p|top_k)"\s*:\s*\d'),
        (caps.top_k, rb'"top_k"\s*:\s*\d'),
        (caps.tools, rb'"input_schema"\s*:'),
        (caps.strict_tools, rb'"strict"\s*:\s*true'),
        (caps.tool_choice, rb'"tool_choice"\s*:\s*\{'),
        (caps.parallel_switch, rb'"disable_parallel_tool_use"\s*:\s*true'),
        (caps.structured_output == "json_schema", rb'"json_schema"'),
        (_long_names(caps), rb'"name"\s*:\s*"[^"]{%d}' % (caps.max_tool_name + 1)),
    ]


def _long_names(caps: Capabilities) -> bool:
    return caps.max_tool_name == 0 or caps.max_tool_name >= FAITHFUL.max_tool_name


_holds_obstacle = finder(_obstacles)
