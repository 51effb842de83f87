"""Regular expressions as globs."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.config.importers.patterns import glob_of


@pytest.mark.parametrize(
    "expression, glob",
    [
        ("^gpt-4o", "gpt-4o*"),
        ("haiku", "*haiku*"),
        ("^claude-.*haiku$", "claude-*haiku"),
        (r"gpt-4\.1$", "*gpt-4.1"),
        (".*", "*"),
        ("", "*"),
        (r"a\*b", "*a[*]b*"),
    ],
)
def test_what_globs_can_say(expression: str, glob: str) -> None:
    """Anchors, wildcards and escapes have a counterpart."""
    assert glob_of(expression) == glob


@pytest.mark.parametrize("expression", ["(a|b)", "a|b", "[ab]", "a+", "a?", "a{2}", r"\d", "(?i)a", "a\\", ".?", "a^"])
def test_what_they_cannot(expression: str) -> None:
    """Anything else is none, rather than something near it."""
    assert glob_of(expression) is None


@given(st.text(alphabet="ab.*^$\\-+", max_size=6), st.text(alphabet="ab-", max_size=6))
def test_never_narrower(expression: str, name: str) -> None:
    """A name that the expression finds is one that the glob fits, unless a dot stood for another character."""
    glob = glob_of(expression)
    if glob is None or re.search(r"(?<!\\)\.(?![*+])", expression):
        return
    if re.search(expression, name):
        assert fnmatchcase(name, glob)
