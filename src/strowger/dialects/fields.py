"""Reading a JSON object member by member: typed, with the path in every error, and the unread rest kept as extras.

The one way in which dialects parse requests and whole answers. Members stay raw until they are asked for, so what
nobody asks for keeps its bytes. An explicit null counts as absent and stays in the rest.
"""

from __future__ import annotations

import codecs
import re
from typing import Any, Self, TypeVar

import msgspec
from msgspec import Raw

from strowger.errors import BadRequest, GatewayError
from strowger.ir.request import NO_EXTRAS, Extras

T = TypeVar("T")

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_STR = msgspec.json.Decoder(str)
_INT = msgspec.json.Decoder(int)
_NUMBER = msgspec.json.Decoder(int | float)
_BOOL = msgspec.json.Decoder(bool)
_STRINGS = msgspec.json.Decoder(list[str])

_NULL = b"null"
_QUOTE = ord('"')
_PIECE = 16384

_LONE = re.compile(
    rb"(?<!\\)((?:\\\\)*)"  # whole pairs of backslashes: what follows is an escape
    rb"(?:((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})+)|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def mended(text: bytes) -> bytes:
    """JSON text with halves of surrogate pairs replaced by U+FFFD.

    JavaScript writes such halves where a string was cut inside an emoji, and every strict parser refuses them.
    """
    return _LONE.sub(lambda m: m[1] + (m[2] or b"\\ufffd"), text)


def _decoded(raw: Raw | bytes) -> dict[str, Raw]:
    try:
        return _OBJECT.decode(raw)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _OBJECT.decode(mended(bytes(raw)))


def check_utf_8(body: bytes) -> None:
    """Raise UnicodeDecodeError for a body that is not UTF-8: members stay raw, and are not looked at one by one.

    Piece by piece, because the text of a whole body is large, and thrown away: that takes twice as long.
    """
    if body.isascii():
        return
    view, at = memoryview(body), 0
    while at < len(body):
        last = at + _PIECE >= len(body)
        at += codecs.utf_8_decode(view[at : at + _PIECE], "strict", last)[1]


def is_string(raw: Raw) -> bool:
    """Whether the raw value is a JSON string."""
    return memoryview(raw)[0] == _QUOTE


def as_str(raw: Raw) -> str:
    """The value of a raw JSON string."""
    return _STR.decode(raw)


class Fields:
    """The members of one JSON object. `path` is where it stands (empty at the top); `error` is what wrong types
    raise.
    """

    __slots__ = ("error", "path", "rest")

    def __init__(self, raw: Raw | bytes, path: str = "", error: type[GatewayError] = BadRequest) -> None:
        self.path = path
        self.error = error
        try:
            if not path:
                check_utf_8(bytes(raw))
            self.rest: dict[str, Raw] = _decoded(raw)
        except msgspec.ValidationError as wrong:
            raise self._wrong(path, wrong) from None
        except msgspec.DecodeError as broken:
            marked = ", without a byte order mark" if bytes(raw).startswith(codecs.BOM_UTF8) else ""
            raise error(
                f"the {path or 'body'} is not valid JSON: {broken}", hint=f"send a JSON object in UTF-8{marked}"
            ) from None
        except UnicodeDecodeError:
            raise error(f"the {path or 'body'} is not valid UTF-8") from None

    @classmethod
    def of(cls, members: dict[str, Raw], path: str = "") -> Self:
        """The members of an object that has been taken apart already."""
        made = cls.__new__(cls)
        made.path, made.error, made.rest = path, BadRequest, members
        return made

    def at(self, key: str) -> str:
        """The path of a member."""
        return f"{self.path}.{key}" if self.path else key

    def extras(self) -> Extras:
        """What has not been taken."""
        return self.rest or NO_EXTRAS

    def holds(self, key: str, literal: bytes) -> bool:
        """Whether a member is exactly this JSON text; nothing is taken."""
        value = self.rest.get(key)
        return value is not None and memoryview(value) == literal

    def raw(self, key: str) -> Raw | None:
        """Take a member as it is; None when absent or null."""
        value = self.rest.get(key)
        if value is None or memoryview(value) == _NULL:
            return None
        del self.rest[key]
        return value

    def text(self, key: str) -> str | None:
        """Take a string."""
        return self._take(key, _STR)

    def integer(self, key: str) -> int | None:
        """Take an integer."""
        return self._take(key, _INT)

    def number(self, key: str) -> float | None:
        """Take a number, an integer staying one."""
        return self._take(key, _NUMBER)

    def flag(self, key: str) -> bool | None:
        """Take a boolean."""
        return self._take(key, _BOOL)

    def strings(self, key: str) -> tuple[str, ...] | None:
        """Take a list of strings."""
        value: list[Any] | None = self._take(key, _STRINGS)
        return None if value is None else tuple(value)

    def items(self, key: str) -> list[Raw] | None:
        """Take a list, its items raw."""
        return self._take(key, _LIST)

    def fields(self, key: str) -> Fields | None:
        """Take an object to read further."""
        value = self.raw(key)
        return None if value is None else Fields(value, self.at(key), self.error)

    def need(self, value: T | None, key: str) -> T:
        """`value`, or the error that the member is missing."""
        if value is None:
            raise self.error(f"{self.at(key)}: field required", param=self.at(key))
        return value

    def _take(self, key: str, decoder: msgspec.json.Decoder[T]) -> T | None:
        value = self.rest.get(key)
        if value is None or memoryview(value) == _NULL:
            return None
        try:
            decoded = decoder.decode(value)
        except msgspec.ValidationError as wrong:
            raise self._wrong(self.at(key), wrong) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as broken:
            raise self.error(f"{self.at(key)}: {broken}", param=self.at(key)) from None
        del self.rest[key]
        return decoded

    def _wrong(self, path: str, wrong: msgspec.ValidationError) -> GatewayError:
        text = str(wrong).replace("`", "")
        return self.error(f"{path or 'body'}: {text[:1].lower()}{text[1:]}", param=path or None)
