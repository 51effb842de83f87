"""Small by default: what grows past a size where nobody reads it whole is split, or defended in a decision record."""

from __future__ import annotations

from tests.house import tree

FILE_LINES = 600
FUNCTION_LINES = 100

# "src/…py::function" -> the decision record that defends it
LONG_FUNCTIONS: dict[str, str] = {}


def test_files() -> None:
    """No source file has more than 600 lines."""
    long = {path: lines for path in tree.python("src", "tests") if (lines := tree.text(path).count("\n")) > FILE_LINES}
    assert not long, f"split by what a reader would look for: {long}"


def test_functions() -> None:
    """No function has more than 100 lines, unless a decision record says why."""
    long = {
        f"{path}::{name}": lines
        for path in tree.python("src")
        for name, node in tree.functions(path)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES
    }
    assert long.keys() == LONG_FUNCTIONS.keys(), f"longer than {FUNCTION_LINES} lines: {long}"
    assert all(record in tree.tracked() for record in LONG_FUNCTIONS.values())
