"""On which line of a TOML text each key stands; tomllib tells values, not places.

Reads text that tomllib has already accepted, so it follows the grammar loosely and never complains. Must not know what
the keys mean.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_STRINGS = ('"""', "'''", '"', "'")


def locate(text: str) -> dict[Path, int]:
    """Key path → line (from 1). Elements of arrays have their number in the path, arrays of tables too."""
    scanner = _Scanner(text)
    scanner.document()
    return scanner.lines


def line_of(lines: dict[Path, int], path: Path) -> int | None:
    """The line of this path, or of the nearest thing around it that has one."""
    for end in range(len(path), 0, -1):
        if (line := lines.get(path[:end])) is not None:
            return line
    return None


def syntax_error(error: tomllib.TOMLDecodeError, text: str) -> tuple[str, int]:
    """What tomllib found wrong, without its position, and the line."""
    message = str(error)
    if found := _AT_LINE.search(message):
        return _AT_LINE.sub("", message).strip(), int(found.group(1))
    return message.replace("(at end of document)", "").strip() + " at the end of the file", len(text.splitlines()) or 1


class _Scanner:
    """Walks the text once. `at` is the position, `line` the line it is on."""

    def __init__(self, text: str) -> None:
        self.text = text.replace("\r\n", "\n")
        self.at = 0
        self.line = 1
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while self._skip(newlines=True):
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> Path:
        line = self.line
        is_array = self.text.startswith("[[", self.at)
        self._advance(2 if is_array else 1)
        path = self._resolve(self._keys())
        if is_array:
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            self.lines.setdefault(path, line)
            path = (*path, number)
        self._mark(path, line)
        self._advance(2 if is_array else 1)
        return path

    def _resolve(self, keys: list[str]) -> Path:
        """`a.b` below `[[a]]` belongs to the latest element of `a`."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if position < len(keys) - 1 and path in self.counts:
                path = (*path, self.counts[path] - 1)
        return path

    def _mark(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)
        self.lines[path] = line

    def _pair(self, table: Path) -> None:
        line = self.line
        path = (*table, *self._keys())
        for end in range(len(table) + 1, len(path) + 1):
            self.lines.setdefault(path[:end], line)
        self._advance(1)  # the equals sign
        self._skip(newlines=False)
        self._value(path)

    def _keys(self) -> list[str]:
        keys: list[str] = []
        while True:
            self._skip(newlines=False)
            if self._peek() in {'"', "'"}:
                start = self.at
                self._string()
                keys.append(str(tomllib.loads(f"x = {self.text[start : self.at]}")["x"]))
            elif found := _BARE_KEY.match(self.text, self.at):
                keys.append(found.group())
                self._advance(len(found.group()))
            self._skip(newlines=False)
            if self._peek() != ".":
                return keys
            self._advance(1)

    def _value(self, path: Path) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._string()
            case _:
                while self._peek() not in {"", ",", "]", "}", "\n", "#"}:
                    self._advance(1)

    def _array(self, path: Path) -> None:
        self._advance(1)
        number = 0
        while self._skip(newlines=True) and self._peek() != "]":
            if self._peek() == ",":
                self._advance(1)
                continue
            self._mark((*path, number), self.line)
            self._value((*path, number))
            number += 1
        self._advance(1)

    def _inline_table(self, path: Path) -> None:
        self._advance(1)
        while self._skip(newlines=True) and self._peek() != "}":
            if self._peek() == ",":
                self._advance(1)
                continue
            self._pair(path)
        self._advance(1)

    def _string(self) -> None:
        quote = next(quote for quote in _STRINGS if self.text.startswith(quote, self.at))
        self._advance(len(quote))
        while self._peek() and not self.text.startswith(quote, self.at):
            self._advance(2 if self._peek() == "\\" and quote[0] == '"' else 1)
        self._advance(len(quote))
        # A multi-line string may end in up to two quotes of its own, before the three that close it.
        while len(quote) == 3 and self._peek() == quote[0]:
            self._advance(1)

    def _skip(self, *, newlines: bool) -> bool:
        """Pass over blanks (and line ends, and comments). False at the end of the text."""
        while (char := self._peek()) and (char in " \t" or (newlines and char in "\n#")):
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
            else:
                self._advance(1)
        return self.at < len(self.text)

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _advance(self, count: int) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count
