"""`strowger config import` from the outside: what is printed, what is written, which exit code."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from strowger.cli.importing import SYSTEMS
from strowger.cli.main import run
from strowger.config import importers
from tests.unit.config.imports.files import FOLDER

ROUTER = str(FOLDER / "claude-code-router.json")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home without any configuration, as the current directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "APPDATA", "STROWGER_CONFIG", "CCP_CONFIG_DIR", "CCPROXY_CONFIG_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("STROWGER_CONFIG", str(tmp_path / "ours.toml"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put(home: Path, place: str, text: str) -> Path:
    path = home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_written(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file can be read by its owner alone, passes `config check`, and every line of the outcome is said."""
    assert run(["config", "import", ROUTER]) == 0
    out, err = capsys.readouterr()
    path = home / "ours.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "sk-planted-deepseek" in path.read_text()
    assert "sk-planted" not in out + err
    assert "  took  Providers[deepseek] → providers.deepseek\n" in out
    assert "  left  CUSTOM_ROUTER_PATH: " in out
    assert out.endswith(f"wrote {path}\n")
    assert "warning: `providers.deepseek.auth` is a secret written into the file" in err
    assert run(["config", "check"]) == 0


def test_printed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--print` writes nothing and masks secrets; the outcome goes to standard error, so the rest can be piped."""
    assert run(["config", "import", ROUTER, "--print"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# Imported from claude-code-router")
    assert 'auth = "***"' in out
    assert "sk-planted" not in out + err
    assert "  took  " in err
    assert not (home / "ours.toml").exists()


def test_nothing_is_lost(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there is kept; with `--force` it is replaced, and a copy is beside it."""
    path = put(home, "ours.toml", "# mine\n")
    assert run(["config", "import", ROUTER]) == 2
    err = capsys.readouterr().err
    assert "--print" in err
    assert "--force" in err
    assert path.read_text() == "# mine\n"
    assert run(["config", "import", ROUTER, "--force"]) == 0
    kept = home / "ours.toml.bak"
    assert kept.read_text() == "# mine\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "Imported" in path.read_text()


def test_elsewhere(home: Path) -> None:
    """`--to` writes to another place."""
    assert run(["config", "import", ROUTER, "--to", str(home / "new" / "a.toml")]) == 0
    assert (home / "new" / "a.toml").exists()
    assert not (home / "ours.toml").exists()


def test_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file, the one in a usual place is taken, and said; of several none is guessed."""
    assert run(["config", "import"]) == 2
    assert "nothing to import" in capsys.readouterr().err
    there = put(home, ".claude-code-router/config.json", Path(ROUTER).read_text())
    assert run(["config", "import", "--print"]) == 0
    assert f"found {there} (claude-code-router)" in capsys.readouterr().err
    put(home, "litellm_config.yaml", (FOLDER / "litellm.yaml").read_text())
    assert run(["config", "import", "--print"]) == 2
    assert "several" in capsys.readouterr().err
    assert run(["config", "import", "--print", "--from", "litellm"]) == 0


def test_older_than_what_is_in_force(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A `config.json` that claude-code-router itself no longer reads is taken with a warning."""
    there = put(home, ".claude-code-router/config.json", Path(ROUTER).read_text())
    assert run(["config", "import", "--print"]) == 0
    assert "config.sqlite" not in capsys.readouterr().err
    there.with_name("config.sqlite").write_bytes(b"SQLite format 3\0")
    assert run(["config", "import", "--print"]) == 0
    assert "config.sqlite is newer" in capsys.readouterr().err


def test_names_of_a_foreign_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is said of a foreign file stays in its line and does nothing to a terminal."""
    text = '{"Providers": [{"name": "a", "api_base_url": "https://h.example/v1"}], "\\u001b[2J\\nx": 1}'
    assert run(["config", "import", str(put(home, "x.json", text)), "--print"]) == 0
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "  left  �[2J x: it has no counterpart\n" in err


def test_unknown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of no known program is an error that says what was expected; nothing is written."""
    assert run(["config", "import", str(put(home, "x.json", '{"a": 1}'))]) == 2
    err = capsys.readouterr().err
    assert "no program that is known" in err
    assert "`model_list` (litellm)" in err
    assert not (home / "ours.toml").exists()


def test_all_systems_can_be_named() -> None:
    """`--from` takes the name of every system."""
    assert set(SYSTEMS) == set(importers.SYSTEMS)
