"""Whether a request only adds to the last one of its connection, so that what was said need not be said again.

An upstream that remembers the last answer of a connection takes `previous_response_id` and the new items alone. Here is
decided when that means the same: all members but `input` are as they were, and the input is the old one, then the
answer's own items, then something new. Clients repeat an answer's items in their own way; what the API would read alike
counts as equal, and whatever is in doubt is sent in full. Pure; no conversation is kept, only digests of one, and the
items of its last answer.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

_ITEMS = msgspec.json.Decoder(list[Raw])
_NOTHING = Raw(b"null")

# Says who asks and when, differs from request to request, and is no part of what the model sees.
_LABELS = frozenset({"client_metadata"})
# A request with one of these goes on from something else, or asks for no answer.
_OWN_WAY = frozenset({"previous_response_id", "conversation", "generate", "background"})
# Bookkeeping on items, which clients keep, change or leave out, and the API passes over.
_BOOKKEEPING = frozenset({"status", "internal_chat_message_metadata_passthrough"})
# What a client may leave out of an item of an answer: going on from the answer, the upstream has it still.
_MAY_LACK = {
    "message": frozenset({"id", "phase"}),
    "function_call": frozenset({"id"}),
    "custom_tool_call": frozenset({"id"}),
    "reasoning": frozenset({"id", "encrypted_content", "summary", "content"}),
}


class Asked(Struct, frozen=True):
    """A request taken apart: its members, its items, and digests of both. `own_way`: it has to go as it is."""

    members: dict[str, Raw]
    items: list[Raw]
    rest: dict[str, bytes]
    digests: list[bytes]
    own_way: bool

    def __repr__(self) -> str:
        return f"Asked({len(self.items)} items)"


class Said(Struct, frozen=True):
    """What a connection remembers: digests of the last request, and the id and the items of its answer."""

    rest: dict[str, bytes]
    digests: list[bytes]
    id: str
    output: list[dict[str, Any]]

    def __repr__(self) -> str:
        return f"Said({len(self.digests)} items, {len(self.output)} answered)"


class _Response(Struct):
    id: str = ""
    output: list[Raw] = []


class _Event(Struct):
    output_index: int = -1
    item: dict[str, Any] = {}
    response: _Response | None = None


class _Origin(Struct):
    type: str = ""
    role: str = ""


_EVENT = msgspec.json.Decoder(_Event)
_ORIGIN = msgspec.json.Decoder(_Origin)


def taken_apart(members: dict[str, Raw]) -> Asked | None:
    """A request's parts; None for one without a list of items."""
    try:
        items = _ITEMS.decode(members.get("input", _NOTHING))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    rest = {name: _digest(raw) for name, raw in members.items() if name != "input" and name not in _LABELS}
    own_way = any(name in members for name in _OWN_WAY)
    return Asked(members, items, rest, [_digest(item) for item in items], own_way)


def news(said: Said | None, asked: Asked | None) -> int | None:
    """Where in its items a request begins to be new, None when it does not go on from what was said."""
    if said is None or asked is None or asked.own_way or said.rest != asked.rest:
        return None
    place = len(said.digests)
    if asked.digests[:place] != said.digests:
        return None
    for item in said.output:
        if place < len(asked.items) and _repeats(item, asked.items[place]):
            place += 1
        elif item.get("type") != "reasoning":
            # Of reasoning alone the upstream has more than clients do, many of which drop it.
            return None
    return place if place < len(asked.items) and _comes_from_outside(asked.items[place]) else None


def added(said: Said, asked: Asked, place: int) -> dict[str, Raw]:
    """The members of the request as one that goes on from what was said."""
    told = {"previous_response_id": said.id, "input": asked.items[place:]}
    return {**asked.members, **{name: Raw(msgspec.json.encode(value)) for name, value in told.items()}}


class Heard:
    """Listens to an answer, to know what a request must repeat to go on from it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._id = ""
        self._output: dict[int, dict[str, Any]] = {}
        self._doubt = asked.own_way
        self._complete = False

    def event(self, kind: str, data: bytes) -> None:
        """An event of the answer."""
        if kind not in {"response.output_item.done", "response.completed"}:
            return
        try:
            event = _EVENT.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._doubt = True
            return
        if event.response is not None:
            self._id, self._complete = event.response.id, True
            # Empty more often than not; if it is told, it has to be what was told before.
            self._doubt = self._doubt or len(event.response.output) not in {0, len(self._output)}
        else:
            self._doubt = self._doubt or event.output_index in self._output or event.output_index < 0
            self._output[event.output_index] = event.item

    def said(self) -> Said | None:
        """What can be gone on from, None when there is any doubt."""
        if self._doubt or not self._complete or not self._id:
            return None
        output = [self._output[index] for index in sorted(self._output)]
        return Said(self._asked.rest, self._asked.digests, self._id, output)


def _digest(raw: Raw) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def _repeats(said: dict[str, Any], raw: Raw) -> bool:
    """Whether an item of a request is an item of the answer, repeated."""
    try:
        item = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(item, dict):
        return False
    kind = said.get("type")
    item = {"type": "message", **item}
    may_lack = _MAY_LACK.get(kind, frozenset()) if isinstance(kind, str) else frozenset()
    for name in (said.keys() | item.keys()) - _BOOKKEEPING:
        ours, theirs = said.get(name), item.get(name)
        if theirs is None and (ours is None or name in may_lack):
            continue
        if not _alike(str(kind), name, ours, theirs):
            return False
    # Reasoning of which a client kept neither is nobody's.
    return kind != "reasoning" or bool(item.get("id") or item.get("encrypted_content"))


def _comes_from_outside(raw: Raw) -> bool:
    """Whether an item is nothing that a model said or did: else the client has changed what was answered."""
    try:
        item = _ORIGIN.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return item.role != "assistant" and item.type != "reasoning" and not item.type.endswith("_call")


def _alike(kind: str, name: str, ours: Any, theirs: Any) -> bool:
    """Whether a member of an item is the same, as the API reads it."""
    if kind == "message" and name == "content":
        spoken = _spoken(ours)
        return spoken is not None and spoken == _spoken(theirs)
    if kind == "reasoning" and name in {"summary", "content"}:
        return True  # what counts is sealed
    if kind == "function_call" and name == "arguments" and ours != theirs:
        return _same_json(ours, theirs)
    return bool(ours == theirs)


def _spoken(content: Any) -> list[tuple[str, str]] | None:
    """What a message says, part by part; None when it has parts that are not words."""
    if isinstance(content, str):
        return [("output_text", content)]
    if not isinstance(content, list):
        return None
    parts: list[tuple[str, str]] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        words = part.get("refusal" if kind == "refusal" else "text") if isinstance(part, dict) else None
        if kind not in {"output_text", "refusal"} or not isinstance(words, str):
            return None
        parts.append((kind, words))
    return parts


def _same_json(ours: Any, theirs: Any) -> bool:
    """Whether two texts are the same JSON; clients that work with objects write them anew."""
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    try:
        one, other = msgspec.json.decode(ours or "{}"), msgspec.json.decode(theirs or "{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")
