"""What passes by in one call: each message with its head and its bytes, and when each piece of an answer came.

Adding never awaits and never fails; a message that is longer than the limit is kept up to there, and says so. A stream
is kept until it is over, which takes minutes, so many pieces that have come are packed into one. Credentials are taken
out of heads as they are added, and out of bodies when the store takes them (`masks`), off the path of the call. Must
not know stores, servers or sockets.
"""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import accumulate, chain
from operator import itemgetter
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from strowger.zstandard import zstd

Headers = tuple[tuple[str, str], ...]
Masked = Callable[[bytes], bytes]

Kind = Literal["client_request", "forwarded", "upstream_response", "client_response"]

_REQUESTS = frozenset({"client_request", "forwarded"})

HIDDEN = "***"
"""Stands for what is secret."""

# What credentials travel in. A name that has one of the words for a part is taken for one too ("tokens" is a limit).
_SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "proxy-authorization", "chatgpt-account-id"})
_SECRET_WORDS = frozenset({"token", "secret", "key", "apikey", "password", "credential", "credentials", "signature"})


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a header's value is nobody's business."""
    lower = name.lower()
    return lower in _SECRET_HEADERS or not _SECRET_WORDS.isdisjoint(lower.replace("_", "-").split("-"))


def redacted(headers: Iterable[tuple[str, str]]) -> Headers:
    """Headers without what is secret in them; what kind of credential it was stays to be seen."""
    plain = tuple(headers)
    places = _secret_places(tuple(map(_name, plain)))
    if not places:
        return plain
    kept = list(plain)
    for place in places:
        name, value = kept[place]
        kept[place] = name, _hidden(value)
    return tuple(kept)


_name = itemgetter(0)


@lru_cache(maxsize=512)
def _secret_places(names: tuple[str, ...]) -> tuple[int, ...]:
    """Which of the headers with these names are secret. A client sends the same ones with each call."""
    return tuple(place for place, name in enumerate(names) if is_secret(name))


# Where a key may stand in an address: Google's clients send theirs so.
_SECRET_QUERY = re.compile(r"(?i)([?&](?:key|token|access_token|api[-_]?key|sig|signature|code)=)[^&#]*")


def plain_url(url: str) -> str:
    """An address without what is secret in its query."""
    return _SECRET_QUERY.sub(rf"\1{HIDDEN}", url) if "?" in url else url


def touched(masks: Iterable[Masked], data: bytes) -> bool:
    """Whether there is anything in bytes that a mask takes out, or so much of it that the rest may be elsewhere.

    A mask that can tell the latter has `may_be_in`.
    """
    for mask in masks:
        look: Callable[[bytes], bool] | None = getattr(mask, "may_be_in", None)
        if look(data) if look is not None else mask(data) != data:
            return True
    return False


def masked(masks: Iterable[Masked], data: bytes) -> bytes:
    """Bytes without what any mask takes out."""
    for mask in masks:
        data = mask(data)
    return data


def _hidden(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    return f"{scheme} {HIDDEN}" if rest and scheme.isalnum() and len(scheme) <= 16 else HIDDEN


# So many pieces are packed into one: events of models say nearly the same, and a tenth of them is left. It costs less
# than a fiftieth of passing them on.
_FOLDED = 32
_FAST = -1
_packer = zstd.ZstdCompressor(_FAST)


class Fold(Struct, frozen=True, gc=False):
    """Pieces that have been packed, of `size` bytes together, with their lengths and moments."""

    content: bytes
    size: int
    lengths: array[int]
    moments: array[float]

    def whole(self) -> bytes:
        """The pieces again, as one."""
        return zstd.decompress(self.content)

    def pieces(self) -> list[bytes]:
        """The pieces again."""
        whole = self.whole()
        return [whole[end - length : end] for end, length in zip(accumulate(self.lengths), self.lengths, strict=True)]


class Message(Struct, gc=False):
    """A message on its way over one wire. `number` counts the requests to upstreams from 0; `line` is `POST https://…`
    or a status. Pieces came at `moments`, in seconds since the call had been read. `size` counts all bytes, those that
    were too many to keep (`cut`) too. While it is on a tape the earlier pieces may be in `folds`: see `unfolded`.
    """

    kind: Kind
    number: int
    line: str
    headers: Headers
    pieces: list[bytes] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    size: int = 0
    cut: bool = False
    folds: list[Fold] = field(default_factory=list)

    @property
    def body(self) -> bytes:
        """The bytes that are kept."""
        return b"".join([*[fold.whole() for fold in self.folds], *self.pieces])

    @property
    def lengths(self) -> list[int]:
        """Of all pieces."""
        return [*chain.from_iterable([fold.lengths for fold in self.folds]), *map(len, self.pieces)]

    @property
    def times(self) -> list[float]:
        """The moments of all pieces."""
        return [*chain.from_iterable([fold.moments for fold in self.folds]), *self.moments]

    @property
    def kept(self) -> int:
        """How many bytes are kept."""
        if not self.cut and (self.pieces or self.folds):
            return self.size
        return sum(map(len, self.pieces)) + sum(fold.size for fold in self.folds)

    def fold(self, like: Fold | None = None) -> Fold:
        """Pack the pieces that are there. `like` is a fold of the very same ones."""
        if like is None:
            whole = b"".join(self.pieces)
            packed = _packer.compress(whole, zstd.ZstdCompressor.FLUSH_FRAME)
            made = Fold(packed, len(whole), array("I", map(len, self.pieces)), array("d", self.moments))
        else:
            made = Fold(like.content, like.size, like.lengths, array("d", self.moments))
        self.folds.append(made)
        self.pieces, self.moments = [], []
        return made

    def so_far(self) -> Message:
        """The message as it is now; what comes later is not added to it."""
        return replace(self, pieces=self.pieces.copy(), moments=self.moments.copy(), folds=self.folds.copy())

    def unfolded(self) -> Message:
        """The message with all its pieces. Reads every byte: not for the loop."""
        pieces = [*chain.from_iterable([fold.pieces() for fold in self.folds]), *self.pieces]
        return replace(self, pieces=pieces, moments=self.times, folds=[])

    def without_body(self) -> Message:
        """Its head alone."""
        return replace(self, pieces=[], moments=[], folds=[])

    def forget(self) -> None:
        """Let go of what has come until now."""
        self.pieces, self.moments, self.folds = [], [], []

    def head(self) -> dict[str, object]:
        """What it is, without its bytes, as plain data."""
        return {
            "kind": self.kind,
            "number": self.number,
            "line": self.line,
            "headers": self.headers,
            "size": self.size,
            "cut": self.cut,
        }


class Tape:
    """The messages of one call, in the order in which they began."""

    __slots__ = ("_clock", "_last", "_limit", "_origin", "masks", "messages", "number")

    def __init__(self, origin: float, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`origin` is the moment, on `clock`, when the call had been read; `limit` bytes of each message are kept."""
        self._origin = origin
        self._limit = limit
        self._clock = clock
        self.messages: list[Message] = []
        self.masks: list[Masked] = []
        """What takes the call's credentials out of bytes. Not for the loop: it reads every byte several times."""
        self.number = -1
        self._last: tuple[list[bytes], Fold] | None = None

    def begin(self, kind: Kind, line: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Message:
        """A message begins, with what of its body is there already. `line` is a status, or a method and an address."""
        if kind == "forwarded":
            self.number += 1
        message = Message(kind, max(self.number, 0), plain_url(line), redacted(headers))
        self.messages.append(message)
        if body:
            self.add(message, body)
        return message

    def add(self, message: Message, piece: bytes) -> None:
        """The next bytes of a message."""
        message.size += len(piece)
        if message.size > self._limit:
            message.cut = True
            if not (message.pieces or message.folds):
                piece = piece[: self._limit]  # the only one: its beginning is better than nothing
            else:
                return
        message.pieces.append(piece)
        message.moments.append(self._clock() - self._origin)
        if len(message.pieces) < _FOLDED:
            self._last = None
        elif (last := self._last) is not None and last[0] == message.pieces:  # it passes untouched: one for both wires
            message.fold(last[1])
        else:
            self._last = message.pieces, message.fold()

    def taken(self) -> list[Message]:
        """The messages so far that are whole from the gateway's side (all requests), which the tape then forgets.

        They are large, and the answer may take minutes.
        """
        whole = [message for message in self.messages if message.kind in _REQUESTS]
        self.messages = [message for message in self.messages if message.kind not in _REQUESTS]
        return whole
