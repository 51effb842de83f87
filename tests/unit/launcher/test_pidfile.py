"""The pid file in a place of the user's: its form, and what is never overwritten."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from strowger.config.schema import Config, Launching, ProviderConfig, Slots
from strowger.errors import ConfigError
from strowger.launcher.pidfile import InUse, kept, upstream

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners, modes and signals")

ONE = ProviderConfig(dialect="anthropic", base_url="https://one.example/anthropic")
TWO = ProviderConfig(dialect="openai_chat", base_url="https://two.example/v1")
URL = "http://127.0.0.1:4321"


def written(path: Path, process: int) -> Path:
    """A file as another process has left it."""
    entry = {"ccode_pid": process, "port": 1, "profile_name": "p", "upstream_host": "h", "started_at": "t"}
    path.write_text(json.dumps(entry))
    return path


def test_its_form(tmp_path: Path) -> None:
    """The members that ccode's have, for its owner alone, for as long as the block."""
    path = tmp_path / "deep" / "proxy.json"
    with kept(path, URL, Config(providers={"one": ONE}), "work"):
        entry = json.loads(path.read_bytes())
        started = entry.pop("started_at")
        assert entry == {
            "ccode_pid": os.getpid(),
            "port": 4321,
            "profile_name": "work",
            "upstream_host": "one.example",
        }
        assert started.endswith("Z")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


@pytest.mark.parametrize("planted", ["text", "another's JSON", "a link", "a dangling link", "a directory"])
def test_what_is_there_is_not_overwritten(tmp_path: Path, planted: str) -> None:
    """What is no such file is somebody else's, and stays."""
    path, other = tmp_path / "f", tmp_path / "other"
    if planted == "a directory":
        path.mkdir()
    elif "link" in planted:
        if planted == "a link":
            written(other, 1)
        path.symlink_to(other)
    else:
        path.write_text("mine" if planted == "text" else '{"pid": 1}')
    with pytest.raises(ConfigError, match="is no pid file of yours"), kept(path, URL, Config(), None):
        pytest.fail("it was taken")
    assert planted == "a directory" or "link" not in planted or path.is_symlink()
    assert not path.is_file() or os.getpid() != json.loads(path.read_text().replace("mine", "{}")).get("ccode_pid")


def test_somebody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user's file is not ours, whatever it says."""
    path = written(tmp_path / "f", 0)
    monkeypatch.setattr(os, "geteuid", lambda: os.stat(path).st_uid + 1)
    with pytest.raises(ConfigError, match="is no pid file of yours"), kept(path, URL, Config(), None):
        pytest.fail("it was taken")


@pytest.mark.parametrize("process", [0, -1, 2**22 + 1, 10**30])
def test_that_of_a_dead_process_is_replaced(tmp_path: Path, process: int) -> None:
    """Who was killed could not take it away."""
    path = written(tmp_path / "f", process)
    with kept(path, URL, Config(), None):
        assert json.loads(path.read_bytes())["profile_name"] == "default"


def test_that_of_a_running_process_stays(tmp_path: Path) -> None:
    """It is the other's for as long as it runs."""
    path = written(tmp_path / "f", os.getppid())
    with pytest.raises(InUse, match=f"process {os.getppid()}, which is running"), kept(path, URL, Config(), None):
        pytest.fail("it was taken")


def test_what_came_in_its_place_is_not_removed(tmp_path: Path) -> None:
    """At the end only our own goes."""
    path = tmp_path / "f"
    with kept(path, URL, Config(), None):
        written(path, 1)
    assert path.exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """Told in one sentence."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"), kept(tmp_path / "file" / "f", URL, Config(), None):
        pytest.fail("it was written")


@pytest.mark.parametrize(
    "launch, host",
    [
        (Launching(), None),
        (Launching(via="two"), TWO.base_url),
        (Launching(via="two:m", models=Slots(main="one:m")), ONE.base_url),
    ],
)
def test_where_calls_go(launch: Launching, host: str | None) -> None:
    """To where the profile says; with several providers and no word, nobody can say it in one address."""
    assert upstream(Config(providers={"one": ONE, "two": TWO}, launch=launch)) == host
    assert upstream(Config(providers={"one": ONE})) == ONE.base_url
