"""Lines of keys in TOML text, checked against tomllib for the set of keys."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strowger.config.lines import Path, line_of, locate, syntax_error

TEXT = """\
# a comment with [server] in it
title = "x" # and = here

[server]
port = 4000
bind = '127.0.0.1'

[providers."my.own"]
auth.env = "A"
models = [
  "a", # first
  "b]",
  "c",
]
headers = { "X-A" = "1", b = { c = 2 } }

[[routes]]
match = { model = "*" }
to = "a"

[[routes]]
to = \"\"\"
b = 1
[nope]
\"\"\"
fallback = ["x",
            "y"]
[routes.match]
model = 'it''
"""


def test_lines() -> None:
    """Tables, dotted and quoted keys, list elements, inline tables and arrays of tables all have their line."""
    lines = locate(TEXT.replace("'it''", "'''it'''"))
    expected: dict[Path, int] = {
        ("title",): 2,
        ("server",): 4,
        ("server", "port"): 5,
        ("server", "bind"): 6,
        ("providers", "my.own"): 8,
        ("providers", "my.own", "auth"): 9,
        ("providers", "my.own", "auth", "env"): 9,
        ("providers", "my.own", "models"): 10,
        ("providers", "my.own", "models", 1): 12,
        ("providers", "my.own", "models", 2): 13,
        ("providers", "my.own", "headers", "X-A"): 15,
        ("providers", "my.own", "headers", "b", "c"): 15,
        ("routes",): 17,
        ("routes", 0): 17,
        ("routes", 0, "match", "model"): 18,
        ("routes", 0, "to"): 19,
        ("routes", 1): 21,
        ("routes", 1, "to"): 22,
        ("routes", 1, "fallback"): 26,
        ("routes", 1, "fallback", 1): 27,
        ("routes", 1, "match"): 28,
        ("routes", 1, "match", "model"): 29,
    }
    assert {path: lines.get(path) for path in expected} == expected
    assert ("nope",) not in lines


def test_nearest_line() -> None:
    """A key that is not in the text is placed at the nearest thing around it."""
    lines = locate("[server]\nport = 1\n")
    assert line_of(lines, ("server", "bind")) == 1
    assert line_of(lines, ("server", "port", "x")) == 2
    assert line_of(lines, ("log", "level")) is None


def test_windows_line_ends() -> None:
    """CRLF counts as one line end."""
    assert locate("a = 1\r\nb = 2\r\n")["b",] == 2


@pytest.mark.parametrize(
    "text, line",
    [("a = 1\nb = = 2\n", 2), ("[a]\nb = 1\n[a]\n", 3), ('a = "x\n', 1), ("a = 1\nb = [1,\n", 2), ("a", 1)],
)
def test_syntax_errors_have_lines(text: str, line: int) -> None:
    """tomllib's message is split into what and where; the end of the text is its last line."""
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    message, found = syntax_error(caught.value, text)
    assert found == line
    assert "at line" not in message


KEYS = st.sampled_from(["a", "b-c", '"d e"', "'f.g'", "h_1"])
VALUES = st.recursive(
    st.sampled_from(["1", "true", '"x # y"', "'[z]'", '"""m\nn"""', "'''o\n'''", "1979-05-27", '"q\\"r"', "''"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # c\n".join(items) + "\n]"),
    max_leaves=5,
)


@given(st.dictionaries(st.tuples(KEYS, KEYS), VALUES, max_size=6))
def test_knows_every_key(table: dict[tuple[str, str], str]) -> None:
    """Whatever tomllib finds in a text has a line, and that line mentions its last key."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for (section, key), value in table.items():
        sections.setdefault(section, []).append((key, value))
    text = "\n".join(
        f"[{section}]\n" + "\n".join(f"{key} = {value}" for key, value in pairs) for section, pairs in sections.items()
    )
    lines = locate(text)
    rows = text.split("\n")
    for path in _paths(tomllib.loads(text)):
        assert str(path[-1]) in rows[lines[path] - 1]


def _paths(table: dict[str, object], at: Path = ()) -> Iterator[Path]:
    for key, value in table.items():
        yield (*at, key)
        if isinstance(value, dict):
            yield from _paths(value, (*at, key))
