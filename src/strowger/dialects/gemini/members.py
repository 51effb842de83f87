"""The members of Gemini's JSON in either spelling, read and written so that each comes back as it was.

Google reads `fileData` and `file_data` alike. A member that was written in snake_case leaves its name in the extras,
with an empty text: that is how the renderer knows, and it says nothing to another dialect. Knows no meanings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Raw, Struct

from strowger.dialects.fields import Fields
from strowger.dialects.gemini.wire import snake
from strowger.dialects.lately import Lately
from strowger.errors import GatewayError
from strowger.ir.request import Extras

T = TypeVar("T")

Json = dict[str, Any]
"""An object to be encoded; values may be Raw."""

WRITTEN = Raw(b'""')
"""In extras, under a name in snake_case: this is how a member that has been read was written."""
EMPTY = Raw(b"{}")

_NULL = b"null"
_WRITTEN = b'""'
_OBJECT = b"{"
_NESTED = (b"{", b"[")
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


class Members(Fields):
    """Fields under their camelCase names, whichever spelling was used. Nested objects are read alike."""

    __slots__ = ()

    def says(self, key: str) -> bool:
        """Whether a member stands there in either spelling and is not null."""
        return self._stands(key) or self._stands(snake(key))

    def look(self, key: str) -> Raw | None:
        """A member in either spelling; nothing is taken."""
        return self.rest[key] if self._stands(key) else self.rest.get(snake(key))

    def is_object(self, key: str) -> bool:
        """Whether a member is an object."""
        raw = self.look(key)
        return raw is not None and starts(raw, _OBJECT)

    def raw(self, key: str) -> Raw | None:
        """Take a member as it is; None when absent or null."""
        other = self._other(key)
        if not other:
            return super().raw(key)
        value = super().raw(other)
        self.rest[other] = WRITTEN
        return value

    def members(self, key: str) -> Members | None:
        """Take an object to read further; what is left of it is put back with `keep`."""
        value = self.raw(key)
        return None if value is None else Members(value, self.at(key), self.error)

    def filled(self, key: str) -> str:
        """Take a text that says something; an empty one stays in the rest, for the two are not written alike."""
        return "" if starts(self.look(key), _WRITTEN) else self.text(key) or ""

    def items(self, key: str) -> list[Raw] | None:
        """Take a list, its items raw. One value may stand for a list of one; `is_object` tells before."""
        if not self.is_object(key):
            return super().items(key)
        value = self.raw(key)
        return None if value is None else [value]

    def keep(self, key: str, inner: Fields, *, empty: bool = False) -> None:
        """Keep what was not read of the member `key`, under the name it had; `empty`: also that it had nothing."""
        if not (inner.rest or empty):
            return
        other = snake(key)
        name = other if other != key and starts(self.rest.get(other), _WRITTEN) else key
        self.rest[name] = Raw(msgspec.json.encode(inner.rest))

    def _take(self, key: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        other = self._other(key)
        if not other:
            return super()._take(key, decoder)
        value = super()._take(other, decoder)
        self.rest[other] = WRITTEN
        return value

    def _other(self, key: str) -> str:
        """The snake_case name of a member that was written so; raises where both are."""
        other = snake(key)
        if other == key or not self._stands(other):
            return ""
        if self._stands(key):
            raise self.error(f"{self.at(key)}: it is also there as {other}", param=self.at(key))
        return other

    def _stands(self, key: str) -> bool:
        raw = self.rest.get(key)
        return raw is not None and memoryview(raw) != _NULL


class _Taken(Struct, Generic[T], frozen=True):
    """What became of a member, what was left of it, and the forms that were noted."""

    made: T
    rest: dict[str, Raw]
    forms: frozenset[str]


class Recurring(Generic[T]):
    """The member `key`, long and the same in every turn: what `take` made of it lately is remembered.

    `take` looks at nothing but this member, and at its path in errors only.
    """

    def __init__(self, key: str, take: Callable[[Members, set[str]], T], *, kept: int, longest: int) -> None:
        self._key = key
        self._take = take
        self._lately = Lately(self._by_itself, kept=kept, longest=longest, room=2 * 1024 * 1024)

    def take(self, fields: Members, forms: set[str]) -> T:
        """Take the member, and note the forms."""
        key, other = self._key, snake(self._key)
        raw = fields.rest.get(key)
        if raw is None or bytes(memoryview(raw)[:1]) not in _NESTED or (other != key and other in fields.rest):
            return self._take(fields, forms)
        try:
            taken = self._lately(bytes(raw))
        except GatewayError:  # which does not say where
            return self._take(fields, forms)
        del fields.rest[key]
        fields.rest |= taken.rest
        forms |= taken.forms
        return taken.made

    def _by_itself(self, data: bytes) -> _Taken[T]:
        fields, forms = Members.of({self._key: Raw(data)}), set[str]()
        return _Taken(self._take(fields, forms), fields.rest, frozenset(forms))


def starts(raw: Raw | None, start: bytes) -> bool:
    """Whether a raw value begins with these bytes."""
    return raw is not None and bytes(memoryview(raw)[: len(start)]) == start


def is_null(raw: Raw) -> bool:
    """Whether a raw value is null."""
    return memoryview(raw) == _NULL


def put_back(extras: Extras) -> Json:
    """A node to write, beginning with its extras; members that are put afterwards win."""
    return dict(extras) if extras else {}


def spelled(node: Json, key: str) -> str:
    """The name under which the member `key` is written in this node."""
    other = snake(key)
    if other != key and other in node and not _is_null(node[other]):
        return other
    return key


def put(node: Json, key: str, value: object) -> None:
    """Set a member, in the spelling that the extras remember."""
    node[spelled(node, key) if node else key] = value


def inner(node: Json, key: str) -> Json:
    """The object member `key`, set on the node and begun with what is kept of it: to be written into."""
    name = spelled(node, key)
    held = node.get(name)
    if isinstance(held, dict):
        return held
    members: Json = _MEMBERS.decode(held) if isinstance(held, Raw) and starts(held, _OBJECT) else {}
    node[name] = members
    return members


def forget(node: Json, key: str) -> None:
    """Remove a member in either spelling."""
    node.pop(key, None)
    node.pop(snake(key), None)


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, Raw) and is_null(value))
