"""How a program's version is found: read where it can be, asked where it must be, and not for long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strowger.launcher.versions import packaged, parts, runs_on_node, told, version_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def script(path: Path, text: str) -> Path:
    """An executable file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_package_is_read(tmp_path: Path) -> None:
    """The package.json above the file that a link leads to; folders without one, or with a nameless one, are passed."""
    package = tmp_path / "node_modules" / "agent"
    program = script(package / "dist" / "bin" / "agent.js", "#!/usr/bin/env node\n")
    (package / "dist" / "package.json").write_text('{"type": "module"}')
    (package / "package.json").write_text('{"name": "agent", "version": "1.2.3"}')
    (tmp_path / "agent").symlink_to(program)
    assert packaged(tmp_path / "agent") == "1.2.3"
    (package / "package.json").write_text("{ broken")
    (tmp_path / "package.json").write_text('{"name": "the-users-own", "version": "9.9.9"}')
    assert packaged(tmp_path / "agent") is None
    assert packaged(script(tmp_path / "bin" / "other", "")) is None


def test_an_installers_name_tells(tmp_path: Path) -> None:
    """Claude Code's installer names the file after the version."""
    program = script(tmp_path / "versions" / "2.1.329", "")
    (tmp_path / "claude").symlink_to(program)
    assert packaged(tmp_path / "claude") == "2.1.329"
    assert packaged(tmp_path / "gone") is None


@pytest.mark.parametrize(
    "text, version",
    [
        ("echo '2.1.329 (Claude Code)'", "2.1.329"),
        ("echo codex-cli 0.169.0 >&2", "0.169.0"),
        ("echo v22.23.3", "22.23.3"),
        ("echo no number", None),
        ("echo 1.0; exit 3", None),
    ],
)
async def test_a_program_is_asked(tmp_path: Path, text: str, version: str | None) -> None:
    """The first number in what it says, wherever it says it; a failure tells nothing."""
    program = script(tmp_path / "agent", f"#!/bin/sh\n{text}\n")
    assert await version_of(str(program), dict(os.environ)) == version


async def test_nobody_is_waited_for(tmp_path: Path) -> None:
    """A program that hangs is ended, and one that cannot be run tells nothing."""
    hangs = ("/bin/sh", "-c", f"echo $$ > '{tmp_path}/pid'; exec sleep 600")
    assert await told(hangs, dict(os.environ), seconds=2.0) is None
    pid = int((tmp_path / "pid").read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert await told((str(tmp_path),), dict(os.environ)) is None


def test_versions_are_compared_by_their_numbers() -> None:
    """2.1.1000 is newer than 2.1.329."""
    assert parts("2.1.329 (Claude Code)") == (2, 1, 329)
    assert (parts("v22.9.0") or ()) < (22, 19)
    assert parts(None) is parts("none") is None


def test_scripts_for_node(tmp_path: Path) -> None:
    """Only where a program is one does it matter which Node.js there is."""
    assert runs_on_node(script(tmp_path / "a", "#!/usr/bin/env node\n"))
    assert runs_on_node(script(tmp_path / "b", "#!/usr/bin/env -S node --no-warnings\n"))
    assert not runs_on_node(script(tmp_path / "c", "#!/bin/sh\nnode\n"))
    assert not runs_on_node(tmp_path / "gone")
