"""What a filter is: tests on the fields of a flow, as an answer about a summary and as SQL over the store's columns.

Both give the same answer, also where nothing is known: a condition is never NULL. Must not know stores, nor how a
filter is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

Summary: TypeAlias = Mapping[str, object]
Value: TypeAlias = str | int | float | bool | None
Operator = Literal["<", "<=", ">", ">=", "="]

_TOKENS = frozenset({"input", "output", "cache_read", "cache_write", "reasoning"})
_LISTS = ("losses", "notes", "attempts")
_SUMS = {
    "tokens": "(COALESCE(input, 0) + COALESCE(output, 0))",
    **{name: f"json_array_length({name})" for name in _LISTS},
    **{f"{name}_text": f"CASE {name} WHEN '[]' THEN '' ELSE {name} END" for name in _LISTS},
}
"""What is no column: sums, and of lists (which the store has as JSON) how long they are and what is in them."""


class Same(Struct, frozen=True):
    """The whole word, in any case."""

    word: str

    def sql(self, expression: str) -> tuple[str, Value]:
        """As a condition with one parameter."""
        return f"lower({expression}) = ?", self.word

    def holds(self, value: Value) -> bool:
        """Of a value."""
        return value is not None and lower(value) == self.word


class Begins(Struct, frozen=True):
    """How the word begins, in any case."""

    word: str

    def sql(self, expression: str) -> tuple[str, Value]:
        """As a condition with one parameter."""
        return f"instr(lower({expression}), ?) = 1", self.word

    def holds(self, value: Value) -> bool:
        """Of a value."""
        return value is not None and lower(value).startswith(self.word)

    def ranges(self) -> list[tuple[str, str]]:
        """Between which words those stand that begin so, from the first on and before the second; more may stand there.

        SQLite finds no word by its index in any case: so the first letters are taken in both. None where the word
        begins with what has no such order.
        """
        starts = [""]
        for sign in self.word:
            both = {sign, sign.upper()}
            if not " " < sign < "~" or len(starts) * len(both) > _MOST_RANGES:
                break
            starts = [start + each for start in starts for each in sorted(both)]
        return [(start, start[:-1] + chr(ord(start[-1]) + 1)) for start in starts if start]


class Has(Struct, frozen=True):
    """A part of the text, in any case."""

    word: str

    def sql(self, expression: str) -> tuple[str, Value]:
        """As a condition with one parameter."""
        return f"instr(lower({expression}), ?) > 0", self.word

    def holds(self, value: Value) -> bool:
        """Of a value."""
        return value is not None and self.word in lower(value)


class Like(Struct, frozen=True):
    """A pattern for the whole word: `*` any signs, `?` one, in any case."""

    pattern: str

    def sql(self, expression: str) -> tuple[str, Value]:
        """As a condition with one parameter."""
        return f"lower({expression}) GLOB ?", self.pattern.replace("[", "[[]")

    def holds(self, value: Value) -> bool:
        """Of a value."""
        return value is not None and _expression(self.pattern).fullmatch(lower(value)) is not None


class Compared(Struct, frozen=True):
    """A number beside another."""

    operator: Operator
    number: float

    def sql(self, expression: str) -> tuple[str, Value]:
        """As a condition with one parameter."""
        return f"{expression} {self.operator} ?", self.number

    def holds(self, value: Value) -> bool:
        """Of a value."""
        return isinstance(value, int | float) and _COMPARE[self.operator](value, self.number)


class Empty(Struct, frozen=True):
    """Whether nothing is known, or nothing is there; `something` turns it round."""

    something: bool = False

    def sql(self, expression: str) -> tuple[str, Value]:
        """As a condition with one parameter."""
        return f"(({expression} IS NULL OR {expression} = '') = ?)", 0 if self.something else 1

    def holds(self, value: Value) -> bool:
        """Of a value."""
        return (value is None or value == "") is not self.something


Test = Same | Begins | Has | Like | Compared | Empty

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
}


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    """What stands between two `*` is looked for once, where it comes first: a pattern of many takes no time either."""
    first, *rest = ("".join("." if sign == "?" else re.escape(sign) for sign in part) for part in pattern.split("*"))
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    return re.compile(f"{first}{middle}.*{rest[-1]}" if rest else first, re.DOTALL)


_UPPER = {letter: letter + 32 for letter in range(ord("A"), ord("Z") + 1)}


def lower(value: Value) -> str:
    """As SQLite's function of that name does it: the letters of ASCII and no others."""
    return str(value).translate(_UPPER)


_INDEXED = ("session",)
"""Columns with an index, and many values: those that begin so are few."""
_MOST_RANGES = 8


class Term(Struct, frozen=True):
    """Holds when any test of any alternative does, on any column; `negated` turns it round. The tests of one
    alternative must all hold on the same column: a range has two.
    """

    columns: tuple[str, ...]
    alternatives: tuple[tuple[Test, ...], ...]
    negated: bool = False

    def sql(self) -> tuple[str, list[Value]]:
        """The condition, never NULL, and its parameters."""
        values: list[Value] = []
        choices = []
        for column in self.columns:
            expression = _SUMS.get(column, column)
            for tests in self.alternatives:
                conditions = [test.sql(expression) for test in tests]
                values.extend(value for _, value in conditions)
                choices.append(" AND ".join(condition for condition, _ in conditions))
        every = f"COALESCE({' OR '.join(f'COALESCE({choice}, 0)' for choice in choices)}, 0)"
        if self.negated:
            return f"NOT {every}", values
        near, bounds = self._near()
        return (f"({near}) AND {every}" if near else every), bounds + values

    def _near(self) -> tuple[str, list[Value]]:
        """Where to look for it, in words that an index understands; empty where it may be anywhere."""
        if self.columns[0] not in _INDEXED or len(self.columns) > 1:
            return "", []
        found: list[tuple[str, str]] = []
        for tests in self.alternatives:
            ranges = tests[0].ranges() if isinstance(tests[0], Begins) else []
            if not ranges:
                return "", []
            found += ranges
        if len(found) > 2 * _MOST_RANGES:
            return "", []
        between = f"{self.columns[0]} >= ? AND {self.columns[0]} < ?"
        return " OR ".join([between] * len(found)), [bound for pair in found for bound in pair]

    def matches(self, summary: Summary) -> bool:
        """Whether it holds."""
        found = any(
            all(test.holds(value) for test in tests)
            for value in (_value(summary, column) for column in self.columns)
            for tests in self.alternatives
        )
        return found is not self.negated


class Filter(Struct, frozen=True):
    """All of its terms must hold; without any, everything passes. `text` is how it was written."""

    terms: tuple[Term, ...] = ()
    text: str = ""

    def sql(self) -> tuple[str, list[Value]]:
        """A condition over the columns of the store (`COLUMNS`), and its parameters."""
        parts = [term.sql() for term in self.terms]
        return " AND ".join(part for part, _ in parts) or "1", [value for _, values in parts for value in values]

    def matches(self, summary: Summary) -> bool:
        """Whether a flow, as its summary has it, passes."""
        return all(term.matches(summary) for term in self.terms)

    def also(self, other: Filter) -> Filter:
        """Both."""
        return Filter(self.terms + other.terms, f"{self.text} {other.text}".strip())


def _value(summary: Summary, column: str) -> Value:
    tokens = summary.get("tokens")
    counts: Mapping[str, Value] = tokens if isinstance(tokens, dict) else {}
    if column == "tokens":
        return sum(int(counts.get(name) or 0) for name in ("input", "output"))
    if column in _TOKENS:
        return counts.get(column)
    value = summary.get(column.removesuffix("_text"))
    if column.endswith("_text"):
        return msgspec.json.encode(value).decode() if value else ""
    if column in _LISTS:
        return len(value) if isinstance(value, list | tuple) else None
    return value if isinstance(value, str | int | float) else None
