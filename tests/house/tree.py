"""The files of the repository as git tracks them, read and parsed once. What the rules of the house look at."""

from __future__ import annotations

import ast
import functools
import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def tracked() -> tuple[str, ...]:
    """Paths of all tracked files that are there, relative to the root. Skips the test outside of a git checkout."""
    listed = subprocess.run(("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: which files belong to the repository is not known")
    return tuple(path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file())


def python(*folders: str) -> list[str]:
    """Tracked Python files in these top-level folders."""
    return [path for path in tracked() if path.endswith(".py") and path.startswith(tuple(f"{f}/" for f in folders))]


@functools.cache
def text(path: str) -> str:
    """The text of a tracked file; bytes that are not UTF-8 are replaced."""
    return (ROOT / path).read_text("utf-8", "replace")


@functools.cache
def syntax(path: str) -> ast.Module:
    """The syntax tree of a tracked Python file.

    All trees together are millions of objects that stay: looking among them for garbage would take longer than parsing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(text(path), path)
    finally:
        if enabled:
            gc.enable()


def functions(path: str) -> Iterator[tuple[str, Function]]:
    """Every function of a file with its qualified name, nested ones too."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{prefix}{child.name}"
                if not isinstance(child, ast.ClassDef):
                    yield name, child
                yield from walk(child, f"{name}.")
            else:
                yield from walk(child, prefix)

    return walk(syntax(path), "")
