"""A request as its vendor caches it: one prefix after another, and the first place where two requests part.

Vendors keep what a prompt begins with, in an order of their own that is not the one in which the body was written:
Anthropic takes tools, then the system prompt, then the messages; a change in a tool costs all of it. Marks that say
where to cache are no part of what is cached. Pure; must not know flows.

Order: Anthropic, "How prompt caching works" (tools, system, messages); OpenAI, "Prompt caching" (messages, images,
tools and schemas count, all as a prefix); Gemini, "Context caching" (contents, system instruction, tools).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

_ENCODE = msgspec.json.Encoder(order="deterministic").encode

# Where to cache, and for how long: not what.
_MARKS = frozenset({"cache_control"})

# The line that Claude Code puts before its system prompt, for Anthropic to know who asks.
_ATTRIBUTION = "x-anthropic-billing-header"

# What makes other tokens of the same words, or ends what was cached of the messages.
_SETTINGS = ("thinking", "reasoning", "reasoning_effort", "output_config", "tool_choice", "prompt_cache_key", "text")

_LISTS: Mapping[str, Sequence[tuple[str, ...]]] = {
    "anthropic": (("tools",), ("system",), ("messages",)),
    "openai_chat": (("tools",), ("functions",), ("response_format",), ("messages",)),
    "openai_responses": (("instructions",), ("tools",), ("input",)),
    "gemini": (("tools",), ("systemInstruction", "system_instruction"), ("contents",)),
}
# Members whose entries are made of parts, by the name of those.
_PARTS = {"messages": "content", "contents": "parts", "input": "content"}


class Block(Struct, frozen=True):
    """A piece of a prefix. `path` is where it stands in the body, `size` its bytes, `value` what it says."""

    path: str
    digest: bytes
    size: int
    value: Any


class Prefix(Struct, frozen=True):
    """The blocks of a request in the order in which they are cached, and the settings that bear on the cache."""

    blocks: tuple[Block, ...]
    settings: Mapping[str, Any]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(block.size for block in self.blocks)


class Parting(Struct, frozen=True):
    """Where a request stops to begin as an earlier one did. `path` is the first place, `what` in words, `kept` and
    `lost` the bytes of the earlier one before and behind it. `settings`: the words are the same, a setting is not.
    """

    path: str
    what: str
    kept: int
    lost: int
    settings: bool = False


def prefix_of(dialect: str, body: bytes) -> Prefix | None:
    """A request's prefix; None for a body that is not a request of this dialect."""
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(decoded, dict) or dialect not in _LISTS:
        return None
    inner = decoded.get("request")  # Code Assist puts Gemini's request into an envelope
    if dialect == "gemini" and isinstance(inner, dict):
        decoded = inner
    blocks: list[Block] = []
    for names in _LISTS[dialect]:
        for name in names:
            if decoded.get(name) is not None:
                blocks.extend(_blocks(name, decoded[name]))
    settings = {name: decoded[name] for name in _SETTINGS if decoded.get(name) is not None}
    return Prefix(tuple(blocks), settings)


def _blocks(name: str, value: Any) -> Iterator[Block]:
    if not isinstance(value, list):
        yield _block(name, value)
        return
    inside = _PARTS.get(name)
    for number, entry in enumerate(value):
        path = f"{name}[{number}]"
        parts = entry.get(inside) if inside and isinstance(entry, dict) else None
        if not isinstance(parts, list):
            yield _block(path, _entry(entry, inside))
            continue
        # who speaks belongs to the words
        around = {key: member for key, member in entry.items() if key != inside}
        for place, part in enumerate(parts):
            yield _block(f"{path}.{inside}[{place}]", {**around, inside: part} if around else part)


def _entry(entry: Any, inside: str | None) -> Any:
    """A message whose content is a bare text says the same as one with a single part of it."""
    content = entry.get(inside) if inside and isinstance(entry, dict) else None
    return {**entry, inside: {"type": "text", "text": content}} if isinstance(content, str) else entry


def _block(path: str, value: Any) -> Block:
    value = _plain(value)
    written = _ENCODE(value)
    return Block(path, hashlib.blake2b(written, digest_size=16).digest(), len(written), value)


def _plain(value: Any) -> Any:
    """Without the marks for the cache, wherever they stand."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items() if key not in _MARKS}
    return [_plain(member) for member in value] if isinstance(value, list) else value


def shared(before: Prefix, after: Prefix) -> int:
    """How many blocks both begin with."""
    count = 0
    for one, other in zip(before.blocks, after.blocks, strict=False):
        if one.digest != other.digest:
            break
        count += 1
    return count


def parting(before: Prefix, after: Prefix) -> Parting | None:
    """Where `after` stops to begin as `before` did; None when all that was said before is still its beginning."""
    count = shared(before, after)
    kept = sum(block.size for block in before.blocks[:count])
    lost = before.size - kept
    if count < len(before.blocks):
        gone = before.blocks[count]
        if count >= len(after.blocks):
            return Parting(gone.path, f"everything from {gone.path} on is gone", kept, lost)
        come = after.blocks[count]
        path, what = _told(gone, come, before.blocks[count + 1 :], after.blocks[count + 1 :])
        return Parting(path, what, kept, lost)
    for name in dict.fromkeys((*before.settings, *after.settings)):
        was, now = before.settings.get(name), after.settings.get(name)
        if was != now:
            return Parting(name, f"{name} {_changed(was, now)}", kept, lost, settings=True)
    return None


def _told(gone: Block, come: Block, old: Sequence[Block], new: Sequence[Block]) -> tuple[str, str]:
    """The first place, and what happened there, in words."""
    if _is_attribution(gone) or _is_attribution(come):
        return come.path, "the attribution block changed"
    if gone.path != come.path:
        section, other = _section(gone.path), _section(come.path)
        if section != other:
            return gone.path, f"{gone.path} is gone" if _rank_in(come.digest, old) else f"{come.path} was put in"
        return come.path, f"{come.path} was put where {gone.path} was"
    # Something that was put in, or taken out, moves all that follows.
    if _rank_in(gone.digest, new) and not _rank_in(come.digest, old):
        return come.path, f"{_name(come)} was put in before what was there"
    if _rank_in(come.digest, old) and not _rank_in(gone.digest, new):
        return gone.path, f"{_name(gone)} was taken out"
    inner = _first_difference(gone.value, come.value)
    path = f"{gone.path}{inner}"
    if _section(gone.path) in ("messages", "contents", "input"):
        return path, f"{_message(gone.path)} was rewritten" + (f" at {inner.lstrip('.')}" if inner else "")
    return path, f"{path} changed" + (f" (of {_named(come)})" if _named(come) else "")


def _is_attribution(block: Block) -> bool:
    value = block.value
    text = value.get("text") if isinstance(value, dict) else value
    return isinstance(text, str) and text.lstrip().startswith(_ATTRIBUTION)


def _rank_in(digest: bytes, blocks: Sequence[Block]) -> bool:
    return any(block.digest == digest for block in blocks)


def _section(path: str) -> str:
    return path.partition("[")[0].partition(".")[0]


def _message(path: str) -> str:
    """`messages[14].content[0]` as `message 14`."""
    number = path.partition("[")[2].partition("]")[0]
    return f"message {number}" if number else path


def _named(block: Block) -> str:
    """The name of a tool."""
    value = block.value
    if not isinstance(value, dict):
        return ""
    inner = value.get("function")
    name = value.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    return str(name)[:80] if name else ""


def _name(block: Block) -> str:
    named = _named(block)
    return f"{block.path} ({named})" if named else block.path


def _changed(was: Any, now: Any) -> str:
    if was is None:
        return "was put in"
    return "is gone" if now is None else "changed"


def _first_difference(was: Any, now: Any) -> str:
    """The path, inside a value, to the first member in which two of them differ; empty when it is the value itself."""
    if isinstance(was, dict) and isinstance(now, dict):
        for key in dict.fromkeys((*was, *now)):
            if key not in was or key not in now:
                return f".{key}"
            if was[key] != now[key]:
                return f".{key}{_first_difference(was[key], now[key])}"
    if isinstance(was, list) and isinstance(now, list):
        for number, (one, other) in enumerate(zip(was, now, strict=False)):
            if one != other:
                return f"[{number}]{_first_difference(one, other)}"
        return f"[{min(len(was), len(now))}]"
    return ""
