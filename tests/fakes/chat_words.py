"""The words in which OpenAI refuses: the error's message, `param` and `code`. Knows no rule."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from tests.fakes.flavours import Flavour
from tests.fakes.refusal import Json, Refusal

NAME = re.compile(r"^[a-zA-Z0-9_-]+$")


def invalid_value(param: str, value: Any, expected: tuple[str, ...]) -> Refusal:
    """The vendor's words for a value outside of an enumeration."""
    named = [f"'{item}'" for item in expected]
    choices = named[0] if len(named) == 1 else f"{', '.join(named[:-1])}, and {named[-1]}"
    message = f"Invalid value: '{value}'. Supported values are: {choices}."
    return Refusal(message, param=param, code="invalid_value")


def invalid_type(param: str, expected: str, value: Any) -> Refusal:
    """The vendor's words for a value of the wrong JSON type."""
    names = {
        str: "a string",
        int: "an integer",
        dict: "an object",
        list: "an array",
        bool: "a boolean",
        float: "a decimal",
    }
    got = "null" if value is None else names.get(type(value), "something else")
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    return Refusal(message, param=param, code="invalid_type")


def missing(param: str) -> Refusal:
    """The vendor's words for a member that has to be there."""
    return Refusal(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")


def empty_array(param: str) -> Refusal:
    """The vendor's words for a list that may not be empty."""
    words = "Expected an array with minimum length 1, but got an empty array instead."
    return Refusal(f"Invalid '{param}': empty array. {words}", param=param, code="empty_array")


def check_name(name: Any, param: str) -> None:
    """Refuse a function name that is too long or has characters outside of letters, digits, `_` and `-`."""
    if name is None:
        raise missing(param)
    if not isinstance(name, str):
        raise invalid_type(param, "a string", name)
    if len(name) > 64:
        raise too_long(param, name, 64)
    if not NAME.match(name):
        words = f"Expected a string that matches the pattern '{NAME.pattern}'."
        raise Refusal(f"Invalid '{param}': string does not match pattern. {words}", param=param, code="invalid_value")


def too_long(param: str, value: str, limit: int) -> Refusal:
    """The vendor's words for a string over its limit."""
    words = f"Expected a string with maximum length {limit}, but got a string with length {len(value)} instead."
    return Refusal(f"Invalid '{param}': string too long. {words}", param=param, code="string_above_max_length")


def check_known(given: Json, known: Collection[str], path: str, flavour: Flavour) -> None:
    """Refuse a member that is not known, where the vendor does."""
    for name in given:
        if name not in known and not flavour.open:
            raise unknown(f"{path}.{name}" if path else name)


def unknown(param: str) -> Refusal:
    """The vendor's words for a member that it does not know."""
    return Refusal(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
