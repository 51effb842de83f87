"""Plain tables → frozen structs, with every problem found on the way, each at its key path.

msgspec alone stops at the first problem and does not name the keys of mappings, so that no line could be given. Must
not know where a value came from, nor what it means next to others.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeVar

import msgspec

from strowger.config.lines import Path
from strowger.config.references import BadReference, SecretRef, parse_reference

S = TypeVar("S", bound=msgspec.Struct)

_MISSING = object()
# Longer strings are not repeated in messages: a key may have been pasted into the wrong place.
_LONGEST_SHOWN = 16
# Two letters changed places in a word of four; what is farther off is a guess that would lead astray.
_NEAR = 0.75


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong at one place. `where` is `file:line`, a variable or a flag; empty until it is known."""

    path: Path
    message: str
    hint: str | None = None
    where: str = ""

    @property
    def text(self) -> str:
        """`FILE:LINE: message`, and the hint on a line of its own."""
        head = f"{self.where}: {self.message}" if self.where else self.message
        return f"{head}\nhint: {self.hint}" if self.hint else head


def convert(struct: type[S], table: Mapping[str, object], path: Path = ()) -> tuple[S | None, list[Problem]]:
    """The struct, or None when a required part is missing or wrong; and all problems, in the order of the fields.

    `path` is where the table stands in the whole.
    """
    problems: list[Problem] = []
    value = _table(struct, table, path, problems)
    return (value if isinstance(value, struct) else None), problems


def near_miss(word: str, known: typing.Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    known = list(known)
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=_NEAR)
    if not found:  # in a short word, two letters that have changed places weigh much
        found = [name for name in by_lower if sorted(name) == sorted(word.lower())]
    return by_lower[found[0]] if found else None


def suggest(word: str, known: typing.Iterable[str], *, what: str = "known here") -> str | None:
    """A hint: the near miss, else everything that is known."""
    known = sorted(known)
    if near := near_miss(word, known):
        return f"did you mean `{near}`?"
    return f"{what}: {', '.join(known)}" if known else None


def type_at(struct: type[msgspec.Struct], path: tuple[str, ...]) -> object | None:
    """The declared type of the value at a key path; None when no such key exists."""
    current: object = struct
    for key in path:
        current = _plain(current)
        if _is_struct(current):
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(typing.cast("type", current))}
            if key not in fields:
                return None
            current = fields[key]
        elif typing.get_origin(current) is not None and _is_mapping(current):
            current = typing.get_args(current)[1]
        else:
            return None
    return _plain(current)


def _value(kind: object, value: object, path: Path, problems: list[Problem]) -> object:
    lenient = typing.get_origin(kind) is typing.Annotated and "header" in typing.get_args(kind)
    plain = _plain(kind)
    if plain is SecretRef:
        try:
            return parse_reference(value, lenient=lenient)
        except BadReference as error:
            problems.append(Problem(path, f"{_name(path)}: {error.message}", error.hint))
            return _MISSING
    if _is_struct(plain):
        return _table(typing.cast("type[msgspec.Struct]", plain), value, path, problems)
    if _is_mapping(plain):
        return _mapping(plain, value, path, problems)
    if typing.get_origin(plain) is tuple and _is_struct(item := typing.get_args(plain)[0]):
        return _tables(item, value, path, problems)
    return _leaf(kind, value, path, problems)


def _table(struct: type[msgspec.Struct], value: object, path: Path, problems: list[Problem]) -> object:
    if not isinstance(value, Mapping):
        problems.append(_wrong_type(path, "a table", value))
        return _MISSING
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    problems.extend(_unknown_key(struct, str(key), path) for key in value if key not in fields)
    values: dict[str, object] = {}
    complete = True
    for key, field in fields.items():
        if key not in value:
            if field.required:
                complete = False
                problems.append(Problem(path, f"`{key}` is missing in {_table_name(path)}"))
            continue
        converted = _value(field.type, value[key], (*path, key), problems)
        if converted is not _MISSING:
            values[field.name] = converted
        elif field.required:
            complete = False
    return struct(**values) if complete else _MISSING


def _mapping(of: object, value: object, path: Path, problems: list[Problem]) -> object:
    if not isinstance(value, Mapping):
        problems.append(_wrong_type(path, "a table", value))
        return _MISSING
    names, kind = typing.get_args(of)
    if known := _choices(names):
        wrong = [str(key) for key in value if key not in known]
        problems.extend(
            Problem((*path, key), f"`{key}` is unknown in {_table_name(path)}", suggest(key, known)) for key in wrong
        )
    converted = {str(key): _value(kind, item, (*path, str(key)), problems) for key, item in value.items()}
    return MappingProxyType({key: item for key, item in converted.items() if item is not _MISSING})


def _tables(kind: object, value: object, path: Path, problems: list[Problem]) -> object:
    if not isinstance(value, (list, tuple)):
        problems.append(_wrong_type(path, f"a list of tables, each written [[{_dotted(path)}]]", value))
        return _MISSING
    items = [_value(kind, item, (*path, number), problems) for number, item in enumerate(value)]
    return tuple(item for item in items if item is not _MISSING)


def _leaf(kind: object, value: object, path: Path, problems: list[Problem]) -> object:
    if kind is object:
        return value
    try:
        return msgspec.convert(value, typing.cast("type", kind))
    except msgspec.ValidationError:
        problem = _wrong_type(path, _expected(kind), value)
        choices = _choices(kind)
        if choices and isinstance(value, str) and (near := near_miss(value, choices)):
            problem = msgspec.structs.replace(problem, hint=f'did you mean "{near}"?')
        problems.append(problem)
        return _MISSING


def _unknown_key(struct: type[msgspec.Struct], key: str, path: Path) -> Problem:
    known = [field.encode_name for field in msgspec.structs.fields(struct)]
    return Problem((*path, key), f"`{key}` is unknown in {_table_name(path)}", suggest(key, known))


def _wrong_type(path: Path, expected: str, value: object) -> Problem:
    return Problem(path, f"{_name(path)} must be {expected}, not {_found(value)}")


def _name(path: Path) -> str:
    return f"`{_dotted(path)}`"


def _table_name(path: Path) -> str:
    if not path:
        return "the configuration"
    return f"[[{_dotted(path)}]]" if isinstance(path[-1], int) else f"[{_dotted(path)}]"


def _dotted(path: Path) -> str:
    return ".".join(str(key) for key in path if isinstance(key, str))


def _found(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'the string "{value}"' if len(value) <= _LONGEST_SHOWN else "a string"
        case int() | float():
            return f"the number {value}"
        case Mapping():
            return "a table"
        case list() | tuple():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def _expected(kind: object) -> str:
    kind = _present(kind)
    metas = [meta for meta in typing.get_args(kind)[1:] if isinstance(meta, msgspec.Meta)] if _annotated(kind) else []
    plain = _plain(kind)
    if choices := _choices(kind):
        return "one of " + ", ".join(f'"{choice}"' for choice in choices)
    if isinstance(plain, types.UnionType):
        return " or ".join(_expected(part) for part in typing.get_args(plain))
    if typing.get_origin(plain) is tuple:
        return "a list of strings"
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}
    return words.get(typing.cast("type", plain), "of another type") + "".join(_bounds(meta) for meta in metas)


def _bounds(meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f" from {meta.ge} to {meta.le}"
    if meta.ge is not None:
        return f" of at least {meta.ge}"
    return f" above {meta.gt}" if meta.gt is not None else ""


def _choices(kind: object) -> tuple[str, ...]:
    plain = _plain(kind)
    return typing.get_args(plain) if typing.get_origin(plain) is typing.Literal else ()


def _plain(kind: object) -> object:
    """The type without annotations and without `| None`."""
    kind = _present(kind)
    return _plain(typing.get_args(kind)[0]) if _annotated(kind) else kind


def _present(kind: object) -> object:
    """The type without `| None`, its annotations still on it."""
    if typing.get_origin(kind) in {types.UnionType, typing.Union}:
        parts = [part for part in typing.get_args(kind) if part is not types.NoneType]
        if len(parts) == 1:
            return _present(parts[0])
    return kind


def _annotated(kind: object) -> bool:
    return typing.get_origin(kind) is typing.Annotated


def _is_struct(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _is_mapping(kind: object) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Mapping)
