"""Foreign files as tables: JSON with comments and loose quoting, TOML, YAML. Raises ConfigError, and nothing else.

Reads texts; what is in them means nothing here.
"""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

from strowger.errors import ConfigError

LARGEST = 4 * 1024 * 1024
"""Bytes. No configuration of a person is larger."""

_DATABASE = b"SQLite format 3\0"
_EXPORT = "newer versions of claude-code-router keep their settings in one; a `config.json` from before can be imported"

# A piece of JSON5: what is a string, a comment, a word, or any other single character.
_PIECE = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*")|(?P<single>'(?:[^'\\]|\\.)*')|(?P<comment>//[^\n]*|/\*.*?\*/)"""
    r"""|(?P<blank>\s+)|(?P<word>[A-Za-z_$][\w$-]*)|(?P<other>.)""",
    re.DOTALL,
)
_JSON_WORDS = {"true", "false", "null"}


def read_file(path: Path) -> dict[str, object]:
    """The table in a file, by its ending, else by what it looks like."""
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(f"{path} is larger than any configuration")
        raw = path.read_bytes()
        if raw.startswith(_DATABASE):
            raise ConfigError(f"{path} is a database, and only files with text are read", hint=_EXPORT)
        written = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} cannot be read: it is not UTF-8") from None
    return read_text(written, path.suffix.lower(), str(path))


def read_text(written: str, ending: str = "", where: str = "the file") -> dict[str, object]:
    """The table in a text. `ending` is that of the file's name."""
    readers = {".toml": _toml, ".json": _json, ".json5": _json, ".jsonc": _json, ".yaml": _yaml, ".yml": _yaml}
    reader = readers.get(ending) or (_json if written.lstrip().startswith(("{", "//", "/*")) else _yaml)
    try:
        found = reader(written)
        json.dumps(found, default=str, ensure_ascii=False).encode()  # half a surrogate could not be written again
    except RecursionError:
        raise ConfigError("it is nested too deeply, or holds itself", where=where) from None
    except _faults() as error:
        reason = (str(error).splitlines() or ["it makes no sense"])[0]
        raise ConfigError(f"it cannot be read: {reason}", where=where) from None
    if not isinstance(found, dict):
        raise ConfigError("there is no table in it", where=where)
    return {key: value for key, value in found.items() if isinstance(key, str)}


def _faults() -> tuple[type[Exception], ...]:
    """What the readers raise. Those of YAML's explicit tags (`!!int ""`) come as they happen inside."""
    import yaml

    return (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, yaml.YAMLError)


def _toml(written: str) -> object:
    return tomllib.loads(written)


def _json(written: str) -> object:
    try:
        return json.loads(written)
    except json.JSONDecodeError:
        return json.loads(_strict(written))


def _strict(written: str) -> str:
    """JSON5 as JSON: without comments and commas before a bracket, with quotes around keys, and those double."""
    pieces: list[str] = []
    for found in _PIECE.finditer(written):
        piece = found.group()
        match found.lastgroup:
            case "comment" | "blank":
                continue
            case "single":
                inner = piece[1:-1].replace("\\'", "'").replace('"', '\\"').replace("\n", "\\n")
                piece = f'"{inner}"'
            case "word" if piece not in _JSON_WORDS:
                piece = json.dumps(piece)
            case "other" if piece in "}]" and pieces and pieces[-1] == ",":
                pieces.pop()
        pieces.append(piece)
    # Numbers are single characters here, and stay together; no two of them stand side by side in JSON.
    return "".join(pieces)


def _yaml(written: str) -> object:
    import yaml

    class Loader(yaml.SafeLoader):
        """Strings, whole numbers, truth values, nothing; no dates, no floats, no `yes` that is a truth value."""

        yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    for tag, form, first in (
        ("merge", r"<<", "<"),
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|false|False", list("tTfF")),
        ("int", r"0|[1-9][0-9]{0,8}", list("0123456789")),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(rf"^(?:{form})$"), list(first))
    loader = Loader(written)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
