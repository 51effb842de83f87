"""The mark by which the ChatGPT backend leads all requests of one turn to the same place, given back as it wants.

A turn begins with what a user says and goes on as long as tools answer. The backend's first answer of a turn carries
`x-codex-turn-state`; the turn's other requests bring it back, and no other request may. Codex does so itself; for
clients that know nothing of it, a turn is known by the conversation up to its beginning, so that neither a sub-agent
nor a request beside the conversation is taken for it. Digests only, in memory, bounded. Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

HEADER = "x-codex-turn-state"

_MOST_TURNS = 2000
_MOST_ASKED = 2000
_LONGEST_STATE = 4096
_ITEMS = msgspec.json.Decoder(list[Raw])


class _Item(Struct):
    type: str = "message"
    role: str = ""


_ITEM = msgspec.json.Decoder(_Item)

Key = TypeVar("Key")
Value = TypeVar("Value")


class Turns:
    """The marks of turns that go on."""

    def __init__(self) -> None:
        self._states: OrderedDict[bytes, str] = OrderedDict()
        self._asked: OrderedDict[str, bytes] = OrderedDict()

    def state(self, members: Mapping[str, Raw], account: str, flow: str) -> str | None:
        """The mark that a request has to bring, None for one that begins a turn. `flow` names the call."""
        found = _turn(members, account)
        if found is None:
            self._asked.pop(flow, None)
            return None
        turn, begins = found
        _put(self._asked, flow, turn, _MOST_ASKED)
        if begins:
            self._states.pop(turn, None)
            return None
        return self._states.get(turn)

    def note(self, headers: Mapping[str, str], flow: str) -> None:
        """The headers of the answer to that call, names in lower case. The first mark of a turn is the one."""
        turn, state = self._asked.pop(flow, None), headers.get(HEADER, "")
        if turn is not None and 0 < len(state) <= _LONGEST_STATE and turn not in self._states:
            _put(self._states, turn, state, _MOST_TURNS)


def _turn(members: Mapping[str, Raw], account: str) -> tuple[bytes, bool] | None:
    """A digest of whose turn it is and all that was said up to its beginning, and whether the request begins it."""
    try:
        items = _ITEMS.decode(members.get("input", Raw(b"null")))
        start = _start([_ITEM.decode(item) for item in items])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if start == 0:
        return None
    digest = blake2b(digest_size=16)
    for part in (account.encode("utf-8", "surrogateescape"), bytes(members.get("model", b"")), *items[:start]):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.digest(), start == len(items)


def _start(items: Sequence[_Item]) -> int:
    """Where the items behind the last beginning of a turn begin; 0 when there is none.

    Items of the client between two of the model's stand together. Those with a result in them go on with a turn.
    """
    start = end = len(items)
    answers = False
    for place in range(len(items) - 1, -1, -1):
        item = items[place]
        is_models = item.role == "assistant" or item.type == "reasoning" or item.type.endswith("_call")
        if is_models:
            if start < end and not answers:
                return end
            start = end = place
            answers = False
        else:
            start = place
            answers = answers or item.type.endswith("_output")
    return end if start < end and not answers else 0


def _put(kept: OrderedDict[Key, Value], key: Key, value: Value, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
