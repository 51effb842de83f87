"""What became of the last few inputs of a function. Agents send the same tools and messages with every turn.

Bytes are compared whole, never by a digest; parts of requests, which never change, by being the same object. Pure: who
calls gets what the function would have given. Threads may call at once: stored requests are read beside the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from msgspec import Raw

from strowger.errors import BadRequest

K = TypeVar("K")
T = TypeVar("T")

# Of inputs of one length the last bytes tell most apart; the rest is compared.
_TAIL = 64


class Memory(Generic[K, T]):
    """`kept` things by their keys, of `room` bytes together; those that were kept first go first."""

    def __init__(self, kept: int, room: int) -> None:
        self.room = room
        self.held = 0
        """Bytes, as they were told."""
        self._kept = kept
        self._known: dict[K, T] = {}
        self._sizes: dict[K, int] = {}
        self._lock = Lock()
        self.get = self._known.get

    def __len__(self) -> int:
        return len(self._known)

    def latest(self) -> list[T]:
        """All of them, the one that was kept last first."""
        with self._lock:
            return list(self._known.values())[::-1]

    def keep(self, key: K, thing: T, size: int) -> None:
        """Keep a thing of `size` bytes, in place of what had its key."""
        with self._lock:
            self._drop(key)
            self._known[key] = thing
            self._sizes[key] = size
            self.held += size
            while len(self._known) > self._kept or self.held > self.room:
                self._drop(next(iter(self._known)))

    def drop(self, key: K) -> None:
        """Forget what has this key, if anything has."""
        with self._lock:
            self._drop(key)

    def _drop(self, key: K) -> None:
        if key in self._known:
            del self._known[key]
            self.held -= self._sizes.pop(key)


class Lately(Generic[T]):
    """A function that remembers its results for `kept` inputs of at most `longest` bytes, and `room` bytes together;
    the oldest go first.
    """

    def __init__(self, function: Callable[[bytes], T], *, kept: int, longest: int, room: int = 0) -> None:
        self._function = function
        self._longest = longest
        self.memory: Memory[tuple[int, bytes], tuple[bytes, T]] = Memory(kept, room or kept * longest)
        self._get = self.memory.get

    def __call__(self, data: bytes) -> T:
        """The function's result, made now or earlier: it must not be changed."""
        size = len(data)
        key = size, data[-_TAIL:]
        known = self._get(key)
        if known is not None and known[0] == data:
            return known[1]
        made = self._function(data)
        if size <= self._longest:
            self.memory.keep(key, (data, made), size)
        return made


class Elements(Generic[T]):
    """Reads the elements of a list one by one. A conversation is sent whole with every turn, and grows by a few.

    `read(element, path)` raises BadRequest; its path is for that alone.
    """

    def __init__(self, read: Callable[[Raw, str], T]) -> None:
        self._read = read
        self.lately = Lately(lambda data: read(Raw(data), ""), kept=4096, longest=32 * 1024, room=4 * 1024 * 1024)

    def __call__(self, written: Sequence[Raw | bytes], path: str) -> tuple[T, ...]:
        """What became of each, which must not be changed. Raises BadRequest that names the member at fault."""
        try:
            return tuple([self.lately(bytes(element)) for element in written])
        except BadRequest:  # which does not say where
            return tuple([self._read(Raw(element), f"{path}[{i}]") for i, element in enumerate(written)])


class Same(Generic[K, T]):
    """A function of an object that never changes, which remembers its results for the `kept` objects themselves; the
    oldest go first.
    """

    def __init__(self, function: Callable[[K], T], *, kept: int) -> None:
        self._function = function
        self.memory: Memory[int, tuple[K, T]] = Memory(kept, 0)

    def __call__(self, thing: K) -> T:
        """The function's result, made now or earlier: it must not be changed."""
        known = self.memory.get(id(thing))
        if known is not None:  # what is remembered is held, so that no other object has its id
            return known[1]
        made = self._function(thing)
        self.memory.keep(id(thing), (thing, made), 0)
        return made
