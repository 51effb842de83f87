"""`strowger service`, with a service manager that only notes what it is told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Strowger

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the units of systemd are for Linux")

CONFIG = '[providers.one]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:1/v1"\nauth = "env:PLANTED_KEY"\n'


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `systemctl` was called with, a line for each call."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "told"
    program = folder / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\n[ "$2" != is-active ] || echo active\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/strowger").mkdir(parents=True)
    (tmp_path / "config/strowger/config.toml").write_text(CONFIG)
    return log


def test_there_and_gone(strowger: Strowger, told: Path, tmp_path: Path) -> None:
    """Installed, it is started anew and enabled; removed, nothing is left of it. A key that it lacks is told."""
    unit = tmp_path / "config/systemd/user/strowger.service"
    assert strowger("service", "status").returncode == 1
    done = strowger("service", "install")
    assert done.returncode == 0, done.stderr
    assert "the service does not have PLANTED_KEY, the key of one" in done.stderr
    assert unit.stat().st_mode & 0o777 == 0o600
    assert told.read_text().splitlines() == [
        "--user daemon-reload",
        "--user enable strowger.service",
        "--user restart strowger.service",
    ]
    assert strowger("service", "status").stdout == f"{unit}: active\n"
    assert strowger("service", "uninstall").returncode == 0
    assert not unit.exists()
    assert strowger("service", "uninstall").returncode == 1


def test_shown_only(strowger: Strowger, told: Path, tmp_path: Path) -> None:
    """With --print nothing is written and nothing is run."""
    done = strowger("service", "install", "--print")
    assert "ExecStart=" in done.stdout
    assert not told.exists()
    assert not (tmp_path / "config/systemd").exists()


def test_a_broken_configuration_is_no_service(strowger: Strowger, told: Path, tmp_path: Path) -> None:
    """What would fail again and again is told before anything is installed."""
    (tmp_path / "config/strowger/config.toml").write_text("[providers")
    assert strowger("service", "install").returncode == 2
    assert not told.exists()


def test_no_service_manager(strowger: Strowger, told: Path, tmp_path: Path) -> None:
    """Where it refuses, its own words are shown, with exit code 1."""
    (tmp_path / "bin/systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    done = strowger("service", "install")
    assert done.returncode == 1
    assert "Failed to connect to bus" in done.stderr


def test_systemd_takes_the_unit(strowger: Strowger, told: Path, tmp_path: Path) -> None:
    """Its own checker finds nothing to say."""
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = tmp_path / "strowger.service"
    unit.write_text(strowger("service", "install", "--print").stdout)
    done = subprocess.run([checker, "verify", "--user", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if str(unit) in line or "strowger" in line]
    assert complaints == []
