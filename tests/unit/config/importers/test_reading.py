"""Foreign files as tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strowger.config.importers.reading import LARGEST, read_file, read_text
from strowger.errors import ConfigError


def test_loose_json() -> None:
    """Comments, loose keys, single quotes and a comma too many are understood; what only looks so stays text."""
    written = """// head
    {a: 'it\\'s "so"', "url": "http://x//y", /* in
    between */ "n": [1, 20, -3.5,], "t": true, "b": "[,]",}"""
    assert read_text(written, ".json") == {
        "a": 'it\'s "so"',
        "url": "http://x//y",
        "n": [1, 20, -3.5],
        "t": True,
        "b": "[,]",
    }


def test_yaml() -> None:
    """Words stay words, as `on` and dates are names elsewhere; merges are filled in."""
    written = "a: &a {x: 1}\nb: {<<: *a, y: on, d: 2024-10-21, e: 1.5, n: ~, t: true}"
    assert read_text(written, ".yaml")["b"] == {"x": 1, "y": "on", "d": "2024-10-21", "e": "1.5", "n": None, "t": True}


def test_toml() -> None:
    """TOML is read as it is."""
    assert read_text("[a]\nb = 1", ".toml") == {"a": {"b": 1}}


def test_without_an_ending() -> None:
    """What begins as JSON is read so, all else as YAML."""
    assert read_text("{'a': 1}") == read_text("a: 1") == {"a": 1}


def read(written: str, ending: str) -> None:
    try:
        found = read_text(written, ending)
    except ConfigError:
        return
    assert all(isinstance(key, str) for key in found)


ENDINGS = [".json", ".yaml", ".toml", ""]


@settings(deadline=None, max_examples=60)
@given(written=st.text() | st.text(alphabet="{}[],:'\"/*-#&!<~\n abc019\\\ud800"), ending=st.sampled_from(ENDINGS))
def test_nothing_but_config_errors(written: str, ending: str) -> None:
    """Whatever the text: a table with keys that are strings, or ConfigError."""
    read(written, ending)


@pytest.mark.parametrize("ending", ENDINGS)
def test_traps(ending: str) -> None:
    """Tags that do not fit, loops, depths, numbers without end, half a surrogate: ConfigError, or a table."""
    for written in (
        *(
            "!!int ''",
            "!!bool x",
            "!!timestamp x",
            "&a [*a]",
            "&a {b: *a}",
            "? [a]\n: b",
            "1: 2",
            "<<: 1",
            "a: !!float x",
        ),
        *("!!python/object:os.system x", "a: !!binary 1", '{"a": "\\ud800"}', "9" * 6000, "[" * 2000, '{"a":' * 2000),
    ):
        read(written, ending)


def test_files(tmp_path: Path) -> None:
    """A file that is missing, too large or no text is an error of ours; a mark at its beginning is none."""
    path = tmp_path / "a.json"
    with pytest.raises(ConfigError, match="cannot be read"):
        read_file(path)
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_file(path) == {}
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_file(path)
    path.write_bytes(b"SQLite format 3\0\0")
    with pytest.raises(ConfigError, match="a database"):
        read_file(path)
    path.write_bytes(b" " * (LARGEST + 1))
    with pytest.raises(ConfigError, match="larger"):
        read_file(path)
