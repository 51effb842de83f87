"""Tests mirror the source, so whoever opens a module knows where its rules are written down."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from tests.house import tree

UNMIRRORED = "tests/house/unmirrored.txt"


def test_every_module_has_its_tests() -> None:
    """`src/strowger/a/b.py` has `tests/<kind>/a/test_b.py` (or `test_b_<aspect>.py`), or stands in `unmirrored.txt`."""
    missing = {module for module in _modules() if not _tests_of(module)} - _elsewhere().keys()
    assert not missing, f"modules without tests of their own: {sorted(missing)}"


def test_the_list_only_shrinks() -> None:
    """A module leaves the list when it has tests of its own or is gone."""
    stale = {module for module in _elsewhere() if module not in _modules() or _tests_of(module)}
    assert not stale, f"take these out of {UNMIRRORED}: {sorted(stale)}"


def test_the_list_says_where_and_why() -> None:
    """Each line of it names a test file that is there, and a reason."""
    dangling = {module for module, (path, reason) in _elsewhere().items() if path not in tree.tracked() or not reason}
    assert not dangling


def _modules() -> list[str]:
    inner = (path.removeprefix("src/strowger/") for path in tree.python("src"))
    return [path for path in inner if not PurePosixPath(path).name.startswith("__")]


def _tests_of(module: str) -> list[str]:
    path = PurePosixPath(module)
    folder = "" if path.parent.name == "" else f"{path.parent}/"
    mirrored = re.compile(rf"tests/\w+/{re.escape(folder)}test_{re.escape(path.stem)}(_\w+)?\.py")
    return [path for path in tree.tracked() if mirrored.fullmatch(path)]


def _elsewhere() -> dict[str, tuple[str, str]]:
    lines = (line.split(maxsplit=2) for line in tree.text(UNMIRRORED).splitlines() if line and line[0] != "#")
    return {module: (path, reason) for module, path, reason in lines}
