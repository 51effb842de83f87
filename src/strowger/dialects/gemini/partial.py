"""A function call whose arguments come in pieces, each with the place where it belongs.

Google names places by JSON paths (`$.items[0].title`), says of a text that it will go on, and ends with a part that
does not say that the call goes on. The arguments are one JSON object when all have come.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import Raw, Struct

_STEP = re.compile(r"""\.?([^.\[\]$'"]+)|\[(\d+)\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_DEEPEST = 64
_LONGEST_LIST = 100_000


class _Value(Struct, rename="camel"):
    json_path: str = "$"
    string_value: str | None = None
    number_value: int | float | None = None
    bool_value: bool | None = None

    def value(self) -> str | int | float | bool | None:
        """What it sets; None for a null."""
        for value in (self.string_value, self.number_value, self.bool_value):
            if value is not None:
                return value
        return None


class Piece(Struct, rename="camel"):
    """A `functionCall` in a stream, as far as pieces need it."""

    id: str | None = None
    name: str | None = None
    args: Raw = Raw(b"")
    partial_args: list[_Value] | None = None
    will_continue: bool | None = None


_PIECE = msgspec.json.Decoder(Piece)


def decode_piece(raw: Raw) -> Piece | None:
    """A functionCall; None when it does not fit."""
    try:
        return _PIECE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


class Arguments:
    """The arguments as far as they have come."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, piece: Piece) -> None:
        """Put in what a piece brings. What has no place in an object is left out."""
        if piece.args:
            whole = msgspec.json.decode(piece.args)
            if isinstance(whole, dict):
                self._root.update(whole)
        for value in piece.partial_args or ():
            steps = _steps(value.json_path)
            if steps and isinstance(steps[0], str) and len(steps) <= _DEEPEST:
                _put(self._root, steps, value.value())

    def text(self) -> str:
        """The arguments as JSON."""
        return msgspec.json.encode(self._root).decode()


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for name, index, single, double in _STEP.findall(path.removeprefix("$")):
        if index:
            steps.append(int(index))
        else:
            steps.append(name or re.sub(r"\\(.)", r"\1", single or double))
    return steps


def _put(holder: Any, steps: list[str | int], value: object) -> None:
    for step, following in pairwise(steps):
        fresh: Any = [] if isinstance(following, int) else {}
        inner = _at(holder, step)
        if not isinstance(inner, type(fresh)):
            inner = fresh
            if not _set(holder, step, inner):
                return
        holder = inner
    before = _at(holder, steps[-1])
    _set(holder, steps[-1], before + value if isinstance(before, str) and isinstance(value, str) else value)


def _at(holder: Any, step: str | int) -> Any:
    if isinstance(holder, list):
        return holder[step] if isinstance(step, int) and step < len(holder) else None
    return holder.get(str(step))


def _set(holder: Any, step: str | int, value: object) -> bool:
    if not isinstance(holder, list):
        holder[str(step)] = value
        return True
    if not isinstance(step, int) or step > _LONGEST_LIST:
        return False
    holder.extend([None] * (step + 1 - len(holder)))
    holder[step] = value
    return True
