"""How the rules say no, and small checks of JSON types. Knows no dialect."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class Refusal(Exception):
    """The vendor's answer to a request that breaks one of its rules. `param` and `code` are OpenAI's."""

    def __init__(self, message: str, *, status: int = 400, kind: str = "", param: str | None = None, code: str = ""):
        super().__init__(message)
        self.message = message
        self.status = status
        self.kind = kind or "invalid_request_error"
        self.param = param
        self.code = code or None


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


def is_int(value: object) -> bool:
    """An integer in JSON's sense; `true` is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """A number in JSON's sense; `true` is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
