"""Settings files for a client's life."""

from __future__ import annotations

import stat
from pathlib import Path

from strowger.launcher.settings import _is_sheltered, written


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


def test_a_folder_that_others_may_write_to_is_passed_over(tmp_path: Path) -> None:
    """Gemini CLI refuses settings from below such a one; the state directory takes its place."""
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    env = {"XDG_RUNTIME_DIR": str(open_to_all / "runtime"), "XDG_STATE_HOME": str(tmp_path / "state")}
    sheltered = _is_sheltered(tmp_path)
    with written(env, {"A_PATH": "{}"}) as named:
        assert Path(named["A_PATH"]).is_relative_to(tmp_path / ("state" if sheltered else "open"))
    (tmp_path / "mine").mkdir(mode=0o700)
    assert _is_sheltered(tmp_path / "mine" / "deeper") == sheltered
    assert not _is_sheltered(open_to_all / "deeper")
