"""What became of the last few inputs of a function. Agents send the same tools and messages with every turn.

Bytes are compared whole, never by a digest; parts of requests, which never change, by being the same object. Pure: who
calls gets what the function would have given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")

# Of inputs of one length the last bytes tell most apart; the rest is compared.
_TAIL = 64


class Lately(Generic[T]):
    """A function that remembers its results for `kept` inputs of at most `longest` bytes, and `room` bytes together;
    the oldest go first.
    """

    def __init__(self, function: Callable[[bytes], T], *, kept: int, longest: int, room: int = 0) -> None:
        self._function = function
        self._kept = kept
        self._longest = longest
        self._room = room or kept * longest
        self._held = 0
        self._known: dict[tuple[int, bytes], tuple[bytes, T]] = {}

    def __call__(self, data: bytes) -> T:
        """The function's result, made now or earlier: it must not be changed."""
        key = len(data), data[-_TAIL:]
        known = self._known.get(key)
        if known is not None and known[0] == data:
            return known[1]
        made = self._function(data)
        if len(data) <= self._longest:
            if self._known.pop(key, None) is None:
                self._held += key[0]  # an input that goes for another has the same length
            self._known[key] = (data, made)
            while len(self._known) > self._kept or self._held > self._room:
                oldest = next(iter(self._known))
                del self._known[oldest]
                self._held -= oldest[0]
        return made


class Same(Generic[K, T]):
    """A function of an object that never changes, which remembers its results for the `kept` objects themselves; the
    oldest go first.
    """

    def __init__(self, function: Callable[[K], T], *, kept: int) -> None:
        self._function = function
        self._kept = kept
        self._known: dict[int, tuple[K, T]] = {}

    def __call__(self, thing: K) -> T:
        """The function's result, made now or earlier: it must not be changed."""
        known = self._known.get(id(thing))
        if known is not None:  # what is remembered is held, so that no other object has its id
            return known[1]
        made = self._function(thing)
        self._known[id(thing)] = (thing, made)
        if len(self._known) > self._kept:
            del self._known[next(iter(self._known))]
        return made
