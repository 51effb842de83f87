"""What an answer says, without regard to the dialect it says it in: the value that conservation is checked on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

Ending = Literal["whole", "cut", "error"]


class Piece(Struct, frozen=True):
    """A run of text or thinking, or one tool call. `arguments` is the text that the model wrote."""

    kind: Literal["text", "thinking", "call"]
    text: str = ""
    id: str = ""
    name: str = ""
    arguments: str = ""


class Tokens(Struct, frozen=True):
    """Counts, each once; None where the answer does not say. `input` is the whole prompt."""

    input: int | None = None
    output: int | None = None
    cache_read: int = 0
    cache_write: int = 0


class Reading(Struct, frozen=True):
    """An answer as it was read. `stop` is the wire's own word.

    `refused`: some of the text was marked as a refusal. `stopped_at`: a stop sequence was named.
    """

    pieces: tuple[Piece, ...]
    stop: str | None
    tokens: Tokens
    ending: Ending = "whole"
    refused: bool = False
    stopped_at: bool = False

    @property
    def text(self) -> str:
        """All text, in order."""
        return "".join(piece.text for piece in self.pieces if piece.kind == "text")

    @property
    def thinking(self) -> str:
        """All thinking, in order."""
        return "".join(piece.text for piece in self.pieces if piece.kind == "thinking")

    @property
    def calls(self) -> tuple[Piece, ...]:
        """The tool calls, in order."""
        return tuple(piece for piece in self.pieces if piece.kind == "call")

    @property
    def order(self) -> str:
        """The order of things: `thinking text call call`."""
        return " ".join(piece.kind for piece in self.pieces)


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """The pieces with neighbours of one kind made one, and empty ones left out."""
    done: list[Piece] = []
    for piece in pieces:
        if piece.kind == "call":
            done.append(piece)
        elif piece.text and done and done[-1].kind == piece.kind:
            done[-1] = Piece(piece.kind, done[-1].text + piece.text)
        elif piece.text:
            done.append(piece)
    return tuple(done)


def is_object(arguments: str) -> bool:
    """Whether an argument text is what it should be; none at all is an empty object."""
    return isinstance(parsed(arguments), dict)


def parsed(arguments: str) -> Any:
    """Arguments as a value; the text itself when it is no JSON."""
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments
