"""Settings files for a client's life."""

from __future__ import annotations

import stat
from pathlib import Path

from strowger.launcher.settings import written


def test_files_are_there_for_as_long_as_the_client(tmp_path: Path) -> None:
    """Each variable names a file of the user's own, in a directory where nobody else may write; then all is gone."""
    env = {"XDG_RUNTIME_DIR": str(tmp_path)}
    with written(env, {"A_PATH": "{}", "B_PATH": "text"}) as named:
        paths = {variable: Path(path) for variable, path in named.items()}
        assert paths["B_PATH"].read_text() == "text"
        assert {stat.S_IMODE(path.stat().st_mode) for path in paths.values()} == {0o600}
        assert stat.S_IMODE(paths["A_PATH"].parent.stat().st_mode) == 0o700
    assert not paths["A_PATH"].parent.exists()


def test_who_needs_none_gets_none(tmp_path: Path) -> None:
    """Not even a directory is made."""
    with written({"XDG_RUNTIME_DIR": str(tmp_path)}, {}) as named:
        assert named == {}
    assert list(tmp_path.iterdir()) == []
