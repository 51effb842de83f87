"""What must not be written into any file of the repository."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.house import tree

# People that do not exist may have homes in examples.
FICTIONAL = "(?:me|you|user|someone|ann|bob|dev|agent)"
HOMES = re.compile(rf"(?<![\w.$}}])/(?:root|(?:home|Users)/(?!{FICTIONAL}\b)[a-z][\w-]*)/[\w.]")
UNFINISHED = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
PINS = "requirements/"
PLACES_IN_PINS = re.compile(
    r"://|@ |^-(?!-hash|\s*-hash)|--(?:index|extra-index|find-links|trusted)|^\s*[./]", re.MULTILINE
)
HASHED = re.compile(r"[\w.-]+(\[[\w,-]+\])?==\S+( ; .+)? \\\n    --hash=sha256:[0-9a-f]{64}( \\)?")
RESOLVED = re.compile(r'"resolved"\s*:|^\s*(?:extra-)?index-url|^\s*registry\s*=', re.MULTILINE)


def test_no_path_of_a_machine() -> None:
    """Nobody's home and no checkout is named: not ours, not the reader's."""
    here = [re.escape(str(path)) for path in (tree.ROOT, *_home()) if len(path.parts) > 2]
    forbidden = re.compile("|".join([HOMES.pattern, *(f"{path}(?![\\w-])" for path in here)]))
    assert not _found(forbidden, tree.tracked())


def test_pins_name_no_place() -> None:
    """Pins say what, by hash; from where is the business of whoever installs."""
    pins = [path for path in tree.tracked() if path.startswith(PINS) and path.endswith(".txt")]
    assert pins
    assert not _found(PLACES_IN_PINS, pins)
    for path in pins:
        entries = re.findall(r"^[a-z0-9].*\n?.*", tree.text(path), re.MULTILINE)
        assert [entry for entry in entries if not HASHED.fullmatch(entry)] == []


def test_no_registry_is_chosen() -> None:
    """No file picks a package registry or records from which one something came."""
    assert not _found(RESOLVED, tree.tracked())
    if (hosts := _registry_hosts()) is None:
        pytest.skip("this environment has no pip to say which hosts are registries")
    assert not _found(re.compile("|".join(map(re.escape, hosts))), tree.tracked())


def test_nothing_is_left_for_later() -> None:
    """What is not finished is an issue, not a mark in a file."""
    assert not _found(UNFINISHED, tree.tracked())


def _found(pattern: re.Pattern[str], paths: Iterable[str]) -> list[str]:
    return [
        f"{path}:{tree.text(path).count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path in paths
        for match in pattern.finditer(tree.text(path))
    ]


def _home() -> list[Path]:
    if sys.platform == "win32":
        return []
    import pwd

    return [Path(pwd.getpwuid(os.getuid()).pw_dir)]


def _registry_hosts() -> tuple[str, ...] | None:
    try:
        from pip._internal.models.index import PyPI
    except ImportError:
        return None
    return (PyPI.netloc, PyPI.file_storage_domain)
