"""`strowger config` from the outside: what is printed, what is written, which exit code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from strowger.cli.main import run
from strowger.config.schema import ProviderConfig


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty place for configurations, which is the usual one."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_init_then_check(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`init` writes to the usual place a file that only its owner can read, and `check` finds it right."""
    monkeypatch.setenv("GROQ_API_KEY", "planted")
    path = home / "strowger" / "config.toml"
    assert run(["config", "init"]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "planted" not in path.read_text()
    assert run(["config", "check"]) == 0
    out, err = capsys.readouterr()
    assert out == f"wrote {path}\n{path}: 1 provider, 0 routes, 0 aliases\n"
    assert err.startswith("next: `strowger config check`")


def test_a_token_for_clients(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is a configuration with it; the token itself is nowhere but in a file of the user's own."""
    kept = home / "strowger" / "client.token"
    assert run(["config", "token"]) == 0
    out, err = capsys.readouterr()
    made = kept.read_text().strip()
    assert len(made) > 40
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert made not in out + err
    path = write(home / "mine.toml", out)
    assert tomllib.loads(out) == {"server": {"client_token": f"file:{kept}"}}
    assert run(["config", "check", "--config", str(path)]) == 0
    assert run(["config", "token"]) == 2
    assert kept.read_text().strip() == made
    assert run(["config", "token", "--force"]) == 0
    assert kept.read_text().strip() != made


def test_a_token_to_be_kept_elsewhere(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In a keychain, say; each is another one."""
    tokens = set()
    for _ in range(2):
        assert run(["config", "token", "--print"]) == 0
        tokens.add(capsys.readouterr().out.strip())
    assert [len(made) > 40 for made in tokens] == [True, True]
    assert list(home.iterdir()) == []


def test_init_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What to do next names the file that is not in the usual place."""
    path = tmp_path / "mine.toml"
    assert run(["config", "init", "--path", str(path)]) == 0
    assert f"`strowger run --config {path} claude`" in capsys.readouterr().err


def test_init_replaces_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is there is kept, with exit code 2 and a hint, unless `--force` is given."""
    path = write(home / "mine.toml", "# mine\n")
    assert run(["config", "init", "--path", str(path)]) == 2
    assert path.read_text() == "# mine\n"
    assert "hint: `--force` replaces it" in capsys.readouterr().err
    assert run(["config", "init", "--path", str(path), "--force"]) == 0
    assert "[providers.anthropic]" in path.read_text()


def test_check_tells_every_problem(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem is `FILE:LINE: message` with its hint below, and the exit code is 2."""
    path = write(home / "c.toml", '[server]\nprot = 1\n\n[providers.deepsek]\nauth = "env:K"\nzzz = 2\n')
    assert run(["config", "check", "--config", str(path)]) == 2
    known = ", ".join(sorted(ProviderConfig.__struct_fields__))
    assert capsys.readouterr().err == (
        f"{path}:2: `prot` is unknown in [server]\n"
        "hint: did you mean `port`?\n"
        f"{path}:6: `zzz` is unknown in [providers.deepsek]\n"
        f"hint: known here: {known}\n"
    )


def test_check_reads_the_price_list(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not there, or cannot be used, keeps a gateway from its start: so it does `check`."""
    prices = home / "mine.toml"
    path = write(home / "c.toml", f'[providers.demo]\n[prices]\nfile = "{prices}"\n')
    assert run(["config", "check", "--config", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"{path}:3: {prices}: there is no price list at this place\nhint: `[prices] file` names it")
    prices.write_text("[[prices]]\nmodel = 3\n")
    assert run(["config", "check", "--config", str(path)]) == 2
    assert str(prices) in capsys.readouterr().err
    prices.write_text('[[prices]]\nmodel = "m"\ninput = 1\noutput = 2\n')
    assert run(["config", "check", "--config", str(path)]) == 0


def test_check_names_the_near_miss_of_a_provider(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip in a preset's name is recognised."""
    path = write(home / "c.toml", "[providers.deepsek]\n")
    assert run(["config", "check", "--config", str(path)]) == 2
    assert "hint: did you mean the preset `deepseek`?" in capsys.readouterr().err


def test_check_warns(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Literal secrets, open files and references that lead nowhere are warnings: exit code 0, no secret printed."""
    path = write(
        home / "c.toml", '[providers.openai]\nauth = "planted-8c1f0e"\n[providers.groq]\nauth = "file:/nope/planted"\n'
    )
    path.chmod(0o644)
    assert run(["config", "check", "--config", str(path)]) == 0
    out, err = capsys.readouterr()
    assert f"{path}:2: warning: `providers.openai.auth` is a secret written into the file" in err
    assert f"{path}: warning: the file holds secrets and others can read it\nhint: chmod 600 {path}" in err
    assert f"{path}:4: warning: `providers.groq.auth`: the file /nope/planted cannot be read" in err
    assert "planted-8c1f0e" not in out + err
    write(path, '[providers.openai]\nauth = "none"\n')
    assert run(["config", "check", "--config", str(path)]) == 0
    assert "leave it out where none is needed" in capsys.readouterr().err


def test_check_points_at_the_table_when_the_presets_key_is_missing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A key that the preset expects and that is not set is placed at the provider's table."""
    path = write(home / "c.toml", "\n[providers.openai]\n")
    assert run(["config", "check", "--config", str(path)]) == 0
    assert f"{path}:2: warning: `providers.openai.auth`: the environment variable OPENAI_API_KEY is not set" in (
        capsys.readouterr().err
    )


def test_check_without_anything(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without file and keys, it says how to begin."""
    assert run(["config", "check"]) == 0
    assert capsys.readouterr().out == (
        "no file: 0 providers, 0 routes, 0 aliases\nno provider is configured: `strowger config init` writes a file\n"
    )


def test_show(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration in force as TOML, as JSON, and with origins; with a profile laid over."""
    path = write(
        home / "c.toml", '[server]\nclient_token = "planted-8c1f0e"\n[profiles.p.server]\nport = 5\n[providers.groq]\n'
    )
    monkeypatch.setenv("STROWGER_SERVER__GRACE_SECONDS", "1")
    common = ["config", "show", "--config", str(path), "--profile", "p"]
    assert run(common) == 0
    toml = capsys.readouterr().out
    assert tomllib.loads(toml)["server"]["client_token"] == "***"
    assert run([*common, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["server"]["port"] == 5
    assert run([*common, "--origin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"port = 5  # {path}:4 (profile p)" in lines
    assert "grace_seconds = 1.0  # environment STROWGER_SERVER__GRACE_SECONDS" in lines
    assert 'auth = "env:GROQ_API_KEY"  # preset groq' in lines
    assert "planted" not in "\n".join(lines) + toml


def test_show_of_a_bad_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be used is not shown: its problems are, with exit code 2."""
    path = write(home / "c.toml", "a = \n")
    assert run(["config", "show", "--config", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{path}:1: not valid TOML")


def test_importing_the_commands_is_cheap() -> None:
    """The command group imports none of the heavy libraries: they come with the command that needs them."""
    code = "import sys, strowger.cli.config; print({'msgspec', 'anyio', 'aiohttp'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout == "set()\n"
