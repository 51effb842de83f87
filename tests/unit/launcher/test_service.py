"""The gateway as a service: what would be written and run, on each system."""

from __future__ import annotations

import plistlib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from strowger.launcher.service import own_variables, planned

WORDS = ("/opt/my tools/strowger", "serve", "--config", '/home/me/50% "odd" $HOME\\c.toml')


def test_systemd(tmp_path: Path) -> None:
    """A unit of the user's own, whose words reach the program as they are."""
    service = planned(WORDS, {"HOME": str(tmp_path)}, platform="linux")
    assert service.path == tmp_path / ".config/systemd/user/strowger.service"
    line = next(line for line in service.text.splitlines() if line.startswith("ExecStart="))
    assert line == ('ExecStart="/opt/my tools/strowger" "serve" "--config" "/home/me/50%% \\"odd\\" $$HOME\\\\c.toml"')
    assert "NoNewPrivileges=yes" in service.text
    assert service.start[-1] == ("systemctl", "--user", "restart", "strowger.service")


def test_launchd(tmp_path: Path) -> None:
    """A property list that the system's own reader takes, with the words in it."""
    service = planned(WORDS, {"HOME": str(tmp_path)}, platform="darwin", user=501)
    assert service.path.parent == tmp_path / "Library/LaunchAgents"
    read = plistlib.loads(service.text.encode())
    assert read["ProgramArguments"] == list(WORDS)
    assert read["RunAtLoad"] is True
    assert read["Umask"] == 0o77
    assert ("launchctl", "bootstrap", "gui/501", str(service.path)) in service.start


def test_windows(tmp_path: Path) -> None:
    """A task that runs when the user logs on, with no more rights than the user."""
    service = planned(WORDS, {"HOME": str(tmp_path)}, platform="win32")
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    task = ElementTree.fromstring(service.text.encode())
    assert [element.text for element in task.iter(f"{space}Command")] == [WORDS[0]]
    assert [element.text for element in task.iter(f"{space}RunLevel")] == ["LeastPrivilege"]
    assert service.stop[-1] == ("schtasks", "/Delete", "/F", "/TN", "strowger")


@pytest.mark.parametrize(
    "text, found",
    [
        ("", {}),
        ("A=1\n# B=2\n ; C=3\nD = 'x=y'\nnonsense\n", {"A": "1", "D": "x=y"}),
    ],
)
def test_variables_of_its_own(tmp_path: Path, text: str, found: dict[str, str]) -> None:
    """The file that the unit names is read as systemd reads it, near enough to say which keys are missing."""
    folder = tmp_path / ".config/strowger"
    folder.mkdir(parents=True)
    (folder / "service.env").write_text(text)
    assert own_variables({"HOME": str(tmp_path)}) == found
    assert own_variables({"HOME": str(tmp_path / "nowhere")}) == {}
